"""Friendship: offers answered, rights, who is online, where friends are."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from protocol.errors import ProtocolError
from protocol.message import Message
from sim.handlers.friends import deliver_notification
from tests.kit.world import TestSimulator, add_child, add_region, add_root, settle


async def test_accepting_tells_the_offerer(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    carl = uuid4()
    sim.backbone.add_user(carl, "Carl", "Away")
    sim.backbone.offers.add((str(carl), str(anna.id)))
    anna.sends(Message("AcceptFriendship", TransactionBlock={"TransactionID": carl}))
    await settle(sim)
    assert sim.backbone.called("accept_friend") == [(anna.id, carl)]
    ((fields,),) = sim.backbone.called("send_message")
    assert (fields["dialog"], fields["to_agent_id"], fields["id"]) == (39, str(carl), str(anna.id))


async def test_accepting_what_nobody_offered(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    anna.sends(Message("AcceptFriendship", TransactionBlock={"TransactionID": uuid4()}))
    await settle(sim)
    assert anna.heard("AlertMessage") and not sim.backbone.called("send_message")


async def test_declining(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    carl = uuid4()
    sim.backbone.add_user(carl, "Carl", "Away")
    anna.sends(Message("DeclineFriendship", TransactionBlock={"TransactionID": carl}))
    await settle(sim)
    assert not sim.backbone.called("send_message")
    sim.backbone.offers.add((str(carl), str(anna.id)))
    anna.sends(Message("DeclineFriendship", TransactionBlock={"TransactionID": carl}))
    await settle(sim)
    ((fields,),) = sim.backbone.called("send_message")
    assert fields["dialog"] == 40


async def test_ending_and_rights(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    carl, stranger = uuid4(), uuid4()
    sim.backbone.befriend(anna.id, carl, "Carl Away")
    rights = [{"AgentRelated": carl, "RelatedRights": 0x7FFFFFF3}, {"AgentRelated": stranger, "RelatedRights": 7}]
    anna.sends(Message("GrantUserRights", Rights=rights))
    anna.sends(Message("TerminateFriendship", ExBlock={"OtherID": carl}))
    await settle(sim)
    (changed,) = anna.heard("ChangeUserRights")
    assert changed["AgentData"]["AgentID"] == anna.id
    assert changed["Rights"] == [{"AgentRelated": carl, "RelatedRights": 3}]
    assert sim.backbone.called("remove_friend") == [(anna.id, carl)]
    sim.backbone.down = True
    anna.sends(Message("TerminateFriendship", ExBlock={"OtherID": carl}))
    await settle(sim)
    assert anna.heard("AlertMessage")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("online", "OnlineNotification"),
        ("offline", "OfflineNotification"),
        ("friendship-ended", "TerminateFriendship"),
        ("rights", "ChangeUserRights"),
    ],
)
async def test_notifications_reach_those_they_are_for(sim: TestSimulator, kind: str, message: str) -> None:
    anna, bert, child = add_root(sim), add_root(sim), add_child(sim)
    await settle(sim)
    carl = uuid4()
    targets = [str(anna.id), str(child.id), str(uuid4())]
    assert deliver_notification(sim.parts, {"kind": kind, "agent_id": str(carl), "targets": targets, "rights": 3}) == 1
    (told,) = anna.heard(message)
    assert not bert.heard(message) and not child.heard(message)
    if kind == "rights":
        assert told["AgentData"]["AgentID"] == carl
        assert told["Rights"] == [{"AgentRelated": anna.id, "RelatedRights": 3}]
    elif kind == "friendship-ended":
        assert told["ExBlock"]["OtherID"] == carl
    else:
        assert told["AgentBlock"] == [{"AgentID": carl}]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kind": "online", "agent_id": "x", "targets": []},
        {"kind": "online", "agent_id": str(uuid4()), "targets": 7},
        {"kind": "online", "agent_id": str(uuid4()), "targets": ["x"]},
        {"kind": "married", "agent_id": str(uuid4()), "targets": []},
        {"kind": "rights", "agent_id": str(uuid4()), "targets": [], "rights": "all"},
    ],
)
async def test_malformed_notifications(sim: TestSimulator, fields: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        deliver_notification(sim.parts, fields)


async def test_finding_a_friend(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim, position=(10, 20, 25))
    there = add_region(sim, "Over There", 1001, 1002)
    await settle(sim)
    carl, shy = uuid4(), uuid4()
    sim.backbone.presence |= {str(carl): str(there.region_id), str(shy): str(there.region_id)}
    for other, rights in ((bert.id, 3), (carl, 2), (shy, 1)):
        sim.backbone.befriend(anna.id, other, "A Friend", rights)
    for prey in (bert.id, carl, shy):
        anna.sends(Message("FindAgent", AgentBlock={"Hunter": anna.id, "Prey": prey}))
    anna.sends(Message("FindAgent", AgentBlock={"Hunter": bert.id, "Prey": carl}))
    await settle(sim)
    found = {message["AgentBlock"]["Prey"]: message["LocationBlock"] for message in anna.heard("FindAgent")}
    assert found == {
        bert.id: [{"GlobalX": 256010.0, "GlobalY": 256020.0}],
        carl: [{"GlobalX": 1001.5 * 256, "GlobalY": 1002.5 * 256}],
        shy: [],
    }
