"""Friendships: offered by an instant message, accepted or declined here, with rights each way."""

from __future__ import annotations

from typing import Any

from backbone.http.kit import Call, Resource, operation, resource
from backbone.http.schemas import FRIEND, ID, array, integer, record
from backbone.resources.people import NO_ACCOUNT

RIGHTS = integer(0, 7, description="bits: 1 see online, 2 see on map, 4 modify objects")
NO_FRIENDS = {404: "they are not friends"}


@resource("/agents/{agent_id}/friends", "friends")
class Friends(Resource):
    @operation("An agent's friends", answer=record("Friends", {"friends": array(FRIEND)}), errors=NO_ACCOUNT)
    def on_get(self, call: Call) -> Any:
        return {"friends": self.services.friends.of(call.id("agent_id"))}


@resource("/agents/{agent_id}/friends/{other_id}", "friends")
class Friendship(Resource):
    @operation(
        "Accept the friendship that other_id offered; both see each other online from now on. May be repeated",
        answer=FRIEND,
        errors={404: "no such offer"},
    )
    def on_put(self, call: Call) -> Any:
        return self.services.friends.accept(call.id("agent_id"), call.id("other_id"))

    @operation("End the friendship, both ways", errors=NO_FRIENDS)
    def on_delete(self, call: Call) -> Any:
        self.services.friends.end(call.id("agent_id"), call.id("other_id"))

    @operation(
        "What agent_id lets other_id do",
        body=record("FriendRights", {"rights_given": RIGHTS}),
        answer=FRIEND,
        errors=NO_FRIENDS,
    )
    def on_patch(self, call: Call) -> Any:
        return self.services.friends.grant(call.id("agent_id"), call.id("other_id"), call.body["rights_given"])


@resource("/agents/{agent_id}/friend-offers", "friends")
class FriendOffers(Resource):
    @operation(
        "Who waits for the agent's answer to an offer of friendship",
        answer=record("FriendOffers", {"from_agent_ids": array(ID)}),
        errors=NO_ACCOUNT,
    )
    def on_get(self, call: Call) -> Any:
        return {"from_agent_ids": self.services.friends.offers_to(call.id("agent_id"))}


@resource("/agents/{agent_id}/friend-offers/{from_id}", "friends")
class FriendOffer(Resource):
    @operation("Decline an offer of friendship; fine when there is none (any more)")
    def on_delete(self, call: Call) -> Any:
        self.services.friends.decline(call.id("agent_id"), call.id("from_id"))


RESOURCES: list[type[Resource]] = [Friends, Friendship, FriendOffers, FriendOffer]
