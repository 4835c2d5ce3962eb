"""Friendships: offered by an instant message, accepted or declined here, with rights each way."""

from __future__ import annotations

from typing import Any

from backbone.errors import BadRequest, NotFound
from backbone.notifications import Notifier
from backbone.people import People
from backbone.presence import Presence
from backbone.storage.interfaces import FriendStore
from backbone.storage.people import SEE_ONLINE


class Friends:
    def __init__(self, store: FriendStore, people: People, presence: Presence, notifier: Notifier) -> None:
        self._store, self._people, self._presence, self._notifier = store, people, presence, notifier

    def of(self, agent_id: str) -> list[dict[str, Any]]:
        """FRIENDs of an agent; NotFound. Online is told only of those who let the agent see it."""
        return self._told(self._people.must_exist(agent_id))

    def _told(self, agent_id: str) -> list[dict[str, Any]]:
        found = self._store.friends_of(agent_id)
        for friend in found:
            visible = bool(friend["rights_has"] & SEE_ONLINE)
            friend["online"] = visible and self._presence.region_of(friend["agent_id"]) is not None
        return found

    def _one(self, agent_id: str, other: str) -> dict[str, Any]:
        for friend in self._told(agent_id):
            if friend["agent_id"] == other:
                return friend
        raise NotFound("they are not friends")  # ended by the other meanwhile

    def accept(self, agent_id: str, offerer: str) -> dict[str, Any]:
        """They are friends, and see each other online from now on. May be repeated. NotFound: no such offer."""
        self._notifier.settle()
        outcome = self._store.befriend(agent_id, offerer)
        if outcome == "no offer":
            raise NotFound(f"{offerer} has not offered friendship to {agent_id}")
        if outcome == "new":
            self._tell_if_online(offerer, [agent_id])
            self._tell_if_online(agent_id, [offerer])
        return self._one(agent_id, offerer)

    def end(self, agent_id: str, other: str) -> None:
        """Friends no longer, both ways. NotFound."""
        if not self._store.unfriend(agent_id, other):
            raise NotFound("they are not friends")
        self._notifier.tell("friendship-ended", agent_id, [other])

    def grant(self, agent_id: str, other: str, rights: int) -> dict[str, Any]:
        """What agent_id lets other do. NotFound."""
        self._notifier.settle()
        before = self._store.grant(agent_id, other, rights)
        if before is None:
            raise NotFound("they are not friends")
        if before != rights:
            self._notifier.tell("rights", agent_id, [other], rights=rights)
        if before & SEE_ONLINE and not rights & SEE_ONLINE:
            self._notifier.tell("offline", agent_id, [other])  # to the friend it looks like that now
        if rights & SEE_ONLINE and not before & SEE_ONLINE:
            self._tell_if_online(agent_id, [other])
        return self._one(agent_id, other)

    def offers_to(self, agent_id: str) -> list[str]:
        """Who waits for the agent's answer. NotFound."""
        return self._store.offers_to(self._people.must_exist(agent_id))

    def decline(self, agent_id: str, offerer: str) -> None:
        """Fine when there is no offer (any more)."""
        if agent_id == offerer:
            raise BadRequest("nobody offers friendship to itself")
        self._store.withdraw_offer(offerer, agent_id)

    def _tell_if_online(self, agent_id: str, targets: list[str]) -> None:
        if self._presence.region_of(agent_id) is not None:
            self._notifier.tell("online", agent_id, targets)
