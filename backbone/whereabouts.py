"""Who is where, as everybody asks and sims tell it: presence in memory, sessions in the store, both by session id.

SQL first, then memory, both conditional: a replaced session loses in either. A region's word carries its claim's epoch;
once another claim came, nothing of the older one is taken any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from backbone.directory import Directory
from backbone.errors import Conflict, NotFound
from backbone.people import People
from backbone.presence import NotCurrent, Presence, Session
from backbone.routing import Router
from backbone.storage.interfaces import Place, Stores
from backbone.storage.people import SEE_ON_MAP, SEE_ONLINE
from backbone.storage.regions import Fence

EVERYBODY, ONLINE_ONLY, _ = ("everybody", "online", "friends")  # presence.VISIBILITIES


class Whereabouts:
    def __init__(
        self, stores: Stores, directory: Directory, presence: Presence, people: People, router: Router
    ) -> None:
        self._stores, self._directory, self._presence = stores, directory, presence
        self._people, self._router = people, router

    # asked ----------------------------------------------------------------------------------------

    def of(self, agent_id: str, all_of_it: bool) -> dict[str, Any]:
        """PRESENCE of an account; NotFound. Strangers (``all_of_it`` false) are told what the person lets everybody see."""
        session = self._presence.session_of(agent_id)
        # Whoever has a session has an account: no look-up for those who are online.
        if session is None:
            self._people.must_exist(agent_id)
        return self._told(agent_id, session, all_of_it)

    def as_seen_by(self, agent_id: str, asker: str) -> dict[str, Any]:
        """PRESENCE as another agent may see it: a friend by the rights it was given, others as strangers. NotFound."""
        self._people.must_exist(agent_id)
        return self.many_as_seen_by([agent_id], asker)[0]

    def many_as_seen_by(self, agent_ids: Iterable[str], asker: str) -> list[dict[str, Any]]:
        """The same of many, in the order asked for; unknown ids are left out."""
        rights = {one["agent_id"]: one["rights_has"] for one in self._stores.friends.friends_of(asker)}
        rights[asker] = SEE_ONLINE | SEE_ON_MAP
        return [self._seen(one, rights.get(one, 0)) for one in self._people.known(agent_ids)]

    def _seen(self, agent_id: str, rights: int) -> dict[str, Any]:
        session = self._presence.session_of(agent_id)
        known = self._told(agent_id, session, False)
        if not rights & SEE_ONLINE:
            return known
        whole = self._told(agent_id, session, True)
        if rights & SEE_ON_MAP or known["region_id"] is not None:
            return whole
        return {**whole, "region_id": None, "region_name": None}

    def of_many(self, agent_ids: Iterable[str], all_of_it: bool) -> list[dict[str, Any]]:
        """PRESENCEs in the order asked for; unknown ids are left out."""
        session_of = self._presence.session_of
        return [self._told(one, session_of(one), all_of_it) for one in self._people.known(agent_ids)]

    def _told(self, agent_id: str, session: Session | None, all_of_it: bool) -> dict[str, Any]:
        region_id = session.region_id if session is not None else None
        if session is None or region_id is None or not (all_of_it or session.visibility in (EVERYBODY, ONLINE_ONLY)):
            return {"agent_id": agent_id, "online": False, "region_id": None, "region_name": None, "since": None}
        if not all_of_it and session.visibility != EVERYBODY:
            region_id = None
        region = self._directory.get(region_id)
        return {
            "agent_id": agent_id,
            "online": True,
            "region_id": region_id,
            "region_name": region.name if region is not None else None,
            "since": session.since,
        }

    def in_region(self, region_id: str, all_of_it: bool) -> dict[str, Any]:
        """REGION_AGENTS: strangers get the number of all, and the names of those who let everybody see where they are."""
        if self._directory.get(region_id) is None:
            raise NotFound(f"no region {region_id}")
        there = self._presence.agents_in(region_id)
        shown = [session for session in there if all_of_it or session.visibility == EVERYBODY]
        shown.sort(key=lambda session: (session.name.lower(), session.agent_id))
        agents = [{"agent_id": s.agent_id, "name": s.name, "since": s.since} for s in shown]
        return {"region_id": region_id, "count": len(there), "agents": agents}

    # told -----------------------------------------------------------------------------------------

    def arrive(self, agent_id: str, session_id: str, place: Place, fence: Fence | None) -> dict[str, Any]:
        """The session's agent is root there now; also its last place. NotFound, NotCurrent, OldEpoch."""
        self._directory.check(fence)
        if fence is not None and fence.region_id != place.region_id:
            raise Conflict("a region tells of arrivals in itself only")
        if self._directory.get(place.region_id) is None:
            raise NotFound(f"no region {place.region_id}")
        now = int(time.time())
        since = self._presence.current(agent_id, session_id).since or now
        if not self._stores.under(fence).sessions.arrive(agent_id, session_id, since, place):
            raise NotCurrent
        # The write let others run: the session may have been replaced meanwhile.
        self._presence.arrive(agent_id, session_id, place.region_id, time.monotonic(), now)
        self._router.arrived(agent_id)
        return self.of(agent_id, True)

    def leave(self, agent_id: str, session_id: str, place: Place, fence: Fence | None) -> None:
        """Logout: the session ends, the last place is kept. Again for an ended session: fine. NotCurrent, OldEpoch."""
        self._directory.check(fence)
        if self._presence.session_of(agent_id) is None:
            return  # asked again after it was done
        self._presence.current(agent_id, session_id)
        if not self._stores.under(fence).sessions.leave(agent_id, session_id, place, int(time.time())):
            raise NotCurrent
        self._presence.end(agent_id, session_id, time.monotonic())

    def heartbeat(self, region_id: str, epoch: int, listed: list[tuple[str, str]]) -> list[str]:
        """A region renews its lease and lists its roots; the agents among them that it must close. OldEpoch."""
        self._directory.renew(region_id, epoch)
        return self._presence.heartbeat(region_id, listed, time.monotonic(), int(time.time()))

    def region_is_gone(self, region_id: str) -> int:
        """Its agents are offline; how many."""
        return self._presence.clear_region(region_id, time.monotonic())
