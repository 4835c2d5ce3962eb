"""Friendships: offered by an instant message, accepted or declined here, with rights each way."""

from __future__ import annotations

from typing import Any

from backbone.http.kit import Call, Resource, bad_request, not_found, operation, resource
from backbone.http.schemas import FRIEND, array, integer, record
from backbone.resources.people import NO_ACCOUNT, known_agent
from backbone.storage import people

RIGHTS = integer(0, 7, description="bits: 1 see online, 2 see on map, 4 modify objects")


def friends_of(services: Any, agent_id: str) -> list[dict[str, Any]]:
    """FRIENDs of an agent. Online is told only of those who let the agent see it."""
    found = services.db.read(lambda conn: people.friends_of(conn, agent_id))
    for friend in found:
        visible = bool(friend["rights_has"] & people.SEE_ONLINE)
        friend["online"] = visible and services.presence.region_of(friend["agent_id"]) is not None
    return found


@resource("/agents/{agent_id}/friends", "friends")
class Friends(Resource):
    @operation("An agent's friends", answer=record("Friends", {"friends": array(FRIEND)}), errors=NO_ACCOUNT)
    def on_get(self, call: Call) -> Any:
        return {"friends": friends_of(self.services, known_agent(self.services, call.id("agent_id")))}


@resource("/agents/{agent_id}/friends/{other_id}", "friends")
class Friendship(Resource):
    @operation(
        "Accept the friendship that other_id offered; both see each other online from now on. May be repeated",
        answer=FRIEND,
        errors={404: "no such offer"},
    )
    def on_put(self, call: Call) -> Any:
        agent_id, other = call.id("agent_id"), call.id("other_id")
        self.services.notifier.settle()
        outcome = self.services.db.write(lambda conn: people.befriend(conn, agent_id, other))
        if outcome == "no offer":
            raise not_found(f"{other} has not offered friendship to {agent_id}")
        if outcome == "new":
            self._tell_if_online(other, [agent_id])
            self._tell_if_online(agent_id, [other])
        return self._told(agent_id, other)

    @operation("End the friendship, both ways", errors={404: "they are not friends"})
    def on_delete(self, call: Call) -> Any:
        agent_id, other = call.id("agent_id"), call.id("other_id")
        if not self.services.db.write(lambda conn: people.unfriend(conn, agent_id, other)):
            raise not_found("they are not friends")
        self.services.notifier.tell("friendship-ended", agent_id, [other])
        return None

    @operation(
        "What agent_id lets other_id do",
        body=record("FriendRights", {"rights_given": RIGHTS}),
        answer=FRIEND,
        errors={404: "they are not friends"},
    )
    def on_patch(self, call: Call) -> Any:
        agent_id, other, rights = call.id("agent_id"), call.id("other_id"), call.body["rights_given"]
        self.services.notifier.settle()
        before = self.services.db.write(lambda conn: people.grant(conn, agent_id, other, rights))
        if before is None:
            raise not_found("they are not friends")
        if before != rights:
            self.services.notifier.tell("rights", agent_id, [other], rights=rights)
        if before & people.SEE_ONLINE and not rights & people.SEE_ONLINE:
            self.services.notifier.tell("offline", agent_id, [other])  # to the friend it looks like that now
        if rights & people.SEE_ONLINE and not before & people.SEE_ONLINE:
            self._tell_if_online(agent_id, [other])
        return self._told(agent_id, other)

    def _told(self, agent_id: str, other: str) -> dict[str, Any]:
        for friend in friends_of(self.services, agent_id):
            if friend["agent_id"] == other:
                return friend
        raise not_found("they are not friends")  # ended by the other meanwhile

    def _tell_if_online(self, agent_id: str, targets: list[str]) -> None:
        if self.services.presence.region_of(agent_id) is not None:
            self.services.notifier.tell("online", agent_id, targets)


@resource("/agents/{agent_id}/friend-offers", "friends")
class FriendOffers(Resource):
    @operation(
        "Who waits for the agent's answer to an offer of friendship",
        answer=record("FriendOffers", {"from_agent_ids": array({"type": "string", "format": "uuid"})}),
        errors=NO_ACCOUNT,
    )
    def on_get(self, call: Call) -> Any:
        agent_id = known_agent(self.services, call.id("agent_id"))
        return {"from_agent_ids": self.services.db.read(lambda conn: people.offers_to(conn, agent_id))}


@resource("/agents/{agent_id}/friend-offers/{from_id}", "friends")
class FriendOffer(Resource):
    @operation("Decline an offer of friendship; fine when there is none (any more)")
    def on_delete(self, call: Call) -> Any:
        agent_id, offerer = call.id("agent_id"), call.id("from_id")
        if agent_id == offerer:
            raise bad_request("nobody offers friendship to itself")
        self.services.db.write(lambda conn: people.withdraw_offer(conn, offerer, agent_id))
        return None


RESOURCES: list[type[Resource]] = [Friends, Friendship, FriendOffers, FriendOffer]
