"""Friends: offered, accepted or declined, told who is online, given rights, and parted from."""
from __future__ import annotations

from typing import Any

from .conftest import Visit
from .driver import Driver, Event, until
from .grid import Account, Grid
from .raw.viewer import Viewer

OFFERED, ACCEPTED, DECLINED = 38, 39, 40


def message(client: Any, dialog: int, since: int = 0) -> Event:
    return client.wait("ImprovedInstantMessage", lambda event: event["MessageBlock.Dialog"] == dialog, since=since)


def notified(client: Any, what: str, who: str, since: int = 0) -> Event:
    def about(event: Event) -> bool:
        return who in {block["AgentID"] for block in event.blocks("AgentBlock")}

    return client.wait(what, about, since=since)


def befriend(node: Driver, hippo: Driver) -> None:
    """node offers, hippo accepts."""
    mark = hippo.mark()
    node.do("offer_friendship", to=hippo.agent_id, text="Friends?")
    offer = message(hippo, OFFERED, mark)
    assert offer["AgentData.AgentID"] == node.agent_id and offer["MessageBlock.Message"] == "Friends?"
    hippo.do("send", message="AcceptFriendship", blocks={
        "TransactionBlock": {"TransactionID": f"uuid:{offer['MessageBlock.ID']}"},
        "FolderData": [{"FolderID": "uuid:00000000-0000-0000-0000-000000000000"}]})


def buddies(login: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {buddy["buddy_id"]: (int(buddy["buddy_rights_given"]), int(buddy["buddy_rights_has"]))
            for buddy in login["buddy-list"]}


def test_a_friendship_from_offer_to_end(grid: Grid, visit: Visit) -> None:
    who = grid.account()
    node, hippo = visit.node(grid.west), visit.hippo(grid.far, who=who)
    mark = hippo.mark()
    befriend(node, hippo)
    answer = node.wait("friend-response")
    assert answer["friend-response.accepted"] and answer["friend-response.from"] == hippo.agent_id
    notified(hippo, "OnlineNotification", node.agent_id, mark)

    # Off and on again, in another region: the friend is told both times, and the newcomer who is here already.
    mark = node.mark()
    hippo.do("logout")
    visit.left(hippo)
    notified(node, "OfflineNotification", who.agent_id, mark)
    mark = node.mark()
    again = visit.viewer(grid.east, who=who)
    assert buddies(again.account) == {node.agent_id: (1, 1)}
    notified(node, "OnlineNotification", who.agent_id, mark)
    notified(again, "OnlineNotification", node.agent_id)

    # Rights: see on map (2) and modify objects (4) on top of see online (1).
    node.do("grant_rights", to=who.agent_id, rights=7)
    change = again.wait("ChangeUserRights")
    assert change["AgentData.AgentID"] == node.agent_id
    assert [(block["AgentRelated"], block["RelatedRights"]) for block in change.blocks("Rights")] == [(who.agent_id, 7)]

    # Over: the other is told, and neither list has the other any more.
    mark = node.mark()
    again.send("TerminateFriendship", ExBlock={"OtherID": node.agent_id})
    assert node.wait("TerminateFriendship", since=mark)["ExBlock.OtherID"] == who.agent_id
    until(lambda: grid.get(f"/agents/{who.agent_id}/friends")["friends"] == [], "no friends left")
    again.leave()
    visit.left(again)
    third = visit.viewer(grid.east, who=who)
    assert buddies(third.account) == {}


def test_without_the_right_nobody_sees_who_is_online(grid: Grid, visit: Visit) -> None:
    shy = grid.account()
    node, hippo = visit.node(grid.west), visit.hippo(grid.west, who=shy)
    befriend(node, hippo)
    node.wait("friend-response")
    hippo.do("send", message="GrantUserRights", blocks={
        "Rights": [{"AgentRelated": f"uuid:{node.agent_id}", "RelatedRights": 0}]})
    node.wait("ChangeUserRights")
    mark = node.mark()
    hippo.do("logout")
    visit.left(hippo)
    grid.settled(shy.agent_id, None)
    again = visit.viewer(grid.west, who=shy)
    again.im(node.agent_id, "guess who")
    node.wait("ImprovedInstantMessage", lambda event: event["MessageBlock.Message"] == "guess who", since=mark)
    assert list(node.since(mark, "OnlineNotification")) == []


def test_a_friendship_offered_by_the_other_library(grid: Grid, visit: Visit) -> None:
    hippo, node = visit.hippo(grid.west), visit.node(grid.west)
    hippo.do("im", to=node.agent_id, text="Friends?", dialog=OFFERED, im_id=hippo.agent_id)
    request = node.wait("friend-request")
    assert (request["friend-request.from"], request["friend-request.fromName"]) == (hippo.agent_id, hippo.name)
    node.do("accept_friendship", who=hippo.agent_id)
    answer = message(hippo, ACCEPTED)
    assert answer["AgentData.AgentID"] == node.agent_id and answer["MessageBlock.FromAgentName"] == node.name
    notified(hippo, "OnlineNotification", node.agent_id)
    notified(node, "OnlineNotification", hippo.agent_id)


def test_declining_leaves_things_as_they_were(grid: Grid, visit: Visit) -> None:
    hippo, node = visit.hippo(grid.north), visit.node(grid.east)
    hippo.do("im", to=node.agent_id, text="Friends?", dialog=OFFERED, im_id=hippo.agent_id)
    node.wait("friend-request", lambda event: event["friend-request.from"] == hippo.agent_id)
    node.do("decline_friendship", who=hippo.agent_id)
    assert message(hippo, DECLINED)["AgentData.AgentID"] == node.agent_id
    assert grid.get(f"/agents/{hippo.agent_id}/friends")["friends"] == []


def test_an_offer_waits_for_one_who_is_away(grid: Grid, visit: Visit) -> None:
    away: Account = grid.account()
    hippo = visit.hippo(grid.west)
    hippo.do("im", to=away.agent_id, text="Friends?", dialog=OFFERED, im_id=hippo.agent_id)
    back: Viewer = visit.viewer(grid.west, who=away)
    back.send("RetrieveInstantMessages")
    offer = message(back, OFFERED)
    mark = hippo.mark()
    back.send("AcceptFriendship", TransactionBlock={"TransactionID": offer["MessageBlock.ID"]},
              FolderData=[{"FolderID": ""}])
    assert message(hippo, ACCEPTED, mark)["AgentData.AgentID"] == away.agent_id
    friends = grid.get(f"/agents/{away.agent_id}/friends")["friends"]
    assert [(friend["agent_id"], friend["online"]) for friend in friends] == [(hippo.agent_id, True)]


def test_friendship_cannot_be_accepted_without_an_offer(grid: Grid, visit: Visit) -> None:
    me, victim = visit.viewer(grid.west), visit.viewer(grid.west)
    me.send("AcceptFriendship", TransactionBlock={"TransactionID": victim.agent_id}, FolderData=[])
    me.im(victim.agent_id, "after")
    message(victim, 0)
    assert grid.get(f"/agents/{me.agent_id}/friends")["friends"] == []
