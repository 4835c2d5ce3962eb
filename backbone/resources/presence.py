"""Who is online and where: the public reads, and the conditional writes of sims."""

from __future__ import annotations

import time
from typing import Any

from backbone.http.kit import Call, Resource, conflict, not_found, operation, resource
from backbone.http.schemas import ARRIVAL, PLACE, PRESENCE, array, record
from backbone.presence import NotCurrent
from backbone.storage import accounts, people

BRIEFLY = "public, max-age=1"  # a cache may answer a crowd for a second; presence is no older than that
MAX_IDS = 500


def presence_of(services: Any, agent_id: str) -> dict[str, Any]:
    """PRESENCE of an account."""
    session = services.presence.sessions.get(agent_id)
    region_id = session.region_id if session is not None else None
    region = services.directory.regions.get(region_id) if region_id is not None else None
    return {
        "agent_id": agent_id,
        "online": region_id is not None,
        "region_id": region_id,
        "region_name": region.name if region is not None else None,
        "since": session.since if region_id is not None else None,
    }


@resource("/agents/{agent_id}/presence", "presence")
class AgentPresence(Resource):
    @operation(
        "Whether an agent is online, and where",
        answer=PRESENCE,
        public=True,
        cache=BRIEFLY,
        errors={404: "no such account"},
    )
    def on_get(self, call: Call) -> Any:
        agent_id = call.id("agent_id")
        # Whoever has a session has an account: no look-up for those who are online.
        if agent_id not in self.services.presence.sessions and self.services.names.get(agent_id) is None:
            raise not_found(f"no account {agent_id}")
        return presence_of(self.services, agent_id)

    @operation(
        "The session's agent is root in a region now; also its last place",
        body=ARRIVAL,
        answer=PRESENCE,
        errors={404: "no such region", 409: "not the agent's current session"},
    )
    def on_put(self, call: Call) -> Any:
        agent_id, body = call.id("agent_id"), call.body
        session_id, region_id, now = body["session_id"], body["region_id"], int(time.time())
        if region_id not in self.services.directory.regions:
            raise not_found(f"no region {region_id}")

        def work(conn: Any) -> bool:
            if not people.arrive(conn, agent_id, session_id, region_id, since):
                return False
            accounts.set_place(conn, agent_id, "last", region_id, body["position"], body["look_at"])
            return True

        try:
            since = self.services.presence.current(agent_id, session_id).since or now
            if not self.services.db.write(work):
                raise NotCurrent
            # The write let others run: the session may have been replaced meanwhile.
            self.services.presence.arrive(agent_id, session_id, region_id, time.monotonic(), now)
        except NotCurrent:
            raise conflict("that is not the agent's current session") from None
        self.services.router.arrived(agent_id)
        return presence_of(self.services, agent_id)

    @operation(
        "Logout: the session ends, the last place is kept",
        body=PLACE,
        query={"session_id": "the session that ends"},
        errors={409: "another session is the current one"},
    )
    def on_delete(self, call: Call) -> Any:
        agent_id, session_id, body = call.id("agent_id"), call.query_id("session_id"), call.body
        try:
            ended = self.services.presence.end(agent_id, session_id, time.monotonic())
        except NotCurrent:
            raise conflict("that is not the agent's current session") from None
        if not ended:
            return None  # asked again after it was done

        def work(conn: Any) -> None:
            people.end_session(conn, agent_id, session_id)
            accounts.set_place(conn, agent_id, "last", body["region_id"], body["position"], body["look_at"])

        self.services.db.write(work)
        return None


@resource("/presence", "presence")
class ManyPresences(Resource):
    @operation(
        "Presence of many agents; unknown ids are left out",
        answer=record("Presences", {"agents": array(PRESENCE)}),
        public=True,
        cache=BRIEFLY,
        query={"ids": f"agent ids with commas between, at most {MAX_IDS}"},
    )
    def on_get(self, call: Call) -> Any:
        known = self.services.names.known(call.query_ids("ids", MAX_IDS))
        return {"agents": [presence_of(self.services, agent_id) for agent_id in known]}


RESOURCES: list[type[Resource]] = [AgentPresence, ManyPresences]
