"""Who builds: friends who were let, people who look over a border, nobody who only watches; and what their things allow."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from protocol.message import Message, text
from protocol.objects import BOX
from protocol.textures import PLAIN
from protocol.wellknown import NULL, Permission
from sim.handlers.friends import deliver_notification
from sim.world.objects import Prim
from tests.kit.world import TestSimulator, Viewer, add_child, add_root, settle
from tests.sim.handlers.test_building import edit, frame, rez, updates

MODIFY, MOVE, YOURS = 0x4, 0x100, 0x20  # UpdateFlags
EDIT_MINE = 4  # rights of a friend


@pytest.fixture
async def anna(sim: TestSimulator) -> Viewer:
    anna = add_root(sim, "Anna Builder")
    frame(sim, 1)
    return anna


@pytest.fixture
async def ben(sim: TestSimulator) -> Viewer:
    ben = add_root(sim, "Ben Friend")
    frame(sim, 1)
    return ben


def name(viewer: Viewer, prim: Prim, words: str) -> None:
    viewer.sends(Message("ObjectName", ObjectData=[{"LocalID": prim.local_id, "Name": words}]))


def rights(sim: TestSimulator, owner: Any, friend: Viewer, bits: int, kind: str = "rights") -> None:
    deliver_notification(sim.parts, {"kind": kind, "agent_id": str(owner), "targets": [str(friend.id)], "rights": bits})


async def test_a_friend_edits_what_is_of_an_owner_who_let_them_wherever_that_is(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    prim = rez(anna)
    sim.backbone.befriend(ben.id, anna.id, "Anna Builder", rights_has=1 | EDIT_MINE)
    sim.sessions.remove(anna.agent, "gone home")
    name(ben, prim, "by a friend")  # asks Backbone first, and is not lost meanwhile
    assert prim.name == "Primitive"
    await settle(sim)
    assert prim.name == "by a friend"
    frame(sim, 0.5)
    assert updates(ben)[prim.local_id]["UpdateFlags"] & (MODIFY | MOVE | YOURS) == MODIFY | MOVE
    name(ben, prim, "at once")
    assert prim.name == "at once"


async def test_rights_change_while_both_are_here(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    prim = rez(anna)
    ben.sends(Message("ObjectSelect", ObjectData=[{"ObjectLocalID": prim.local_id}]))
    await settle(sim)
    for bits, may in ((EDIT_MINE, True), (0, False), (EDIT_MINE | 1, True)):
        rights(sim, anna.id, ben, bits)
        frame(sim, 0.5)
        assert bool(updates(ben)[prim.local_id]["UpdateFlags"] & MODIFY) == may
        name(ben, prim, f"{bits}")
        assert (prim.name == f"{bits}") == may
    rights(sim, anna.id, ben, 0, "friendship-ended")
    name(ben, prim, "no friend")
    assert prim.name != "no friend"


async def test_while_backbone_is_silent_nobody_has_more_rights_than_their_own(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    prim, own = rez(anna), rez(ben, (100.0, 100.0, 30.0))
    sim.backbone.down = True
    name(ben, prim, "stolen")
    name(ben, own, "mine")
    assert own.name == "mine"
    await settle(sim)
    assert prim.name == "Primitive"


async def test_who_looks_over_a_border_builds_there_and_is_told_why_not_to_sit(sim: TestSimulator) -> None:
    carl = add_child(sim, "Carl Nextdoor")
    sim.sessions.handshake_replied(carl.agent, 0)
    frame(sim, 1)
    prim = rez(carl)
    name(carl, prim, "over the border")
    edit(carl, prim, position=(100.0, 100.0, 40.0))
    carl.sends(Message("ObjectSelect", ObjectData=[{"ObjectLocalID": prim.local_id}]))
    carl.sends(Message("ObjectGrab", ObjectData={"LocalID": prim.local_id}))
    carl.sends(Message("AgentRequestSit", TargetObject={"TargetID": prim.full_id}))
    assert prim.name == "over the border" and sim.world.objects.world_place(prim)[0] == pytest.approx((100, 100, 40))
    assert carl.heard("ObjectProperties")
    assert "another region" in text(carl.heard("AlertMessage")[-1]["AlertData"]["Message"])
    assert not sim.metrics.labelled["handler_errors"]


async def test_a_spectator_changes_nothing(sim: TestSimulator, anna: Viewer) -> None:
    prim = rez(anna)
    anna.sends(Message("ObjectPermissions", ObjectData=[{"ObjectLocalID": prim.local_id, "Field": 8, "Set": 1, "Mask": Permission.MOVE}]))
    eye = add_child(sim, "Spectator Watching")
    eye.agent.spectator = True
    edit(eye, prim, position=(10.0, 10.0, 50.0))
    eye.sends(Message("ObjectAdd", ObjectData={**BOX, "PCode": 9, "Scale": (1, 1, 1), "RayEnd": (9, 9, 50), "BypassRaycast": 1}))
    eye.sends(Message("ObjectGrab", ObjectData={"LocalID": prim.local_id}))
    await settle(sim)
    assert len(sim.world.objects) == 1 and sim.world.objects.world_place(prim)[0][0] == 130.0
    assert sim.metrics.labelled["messages_dropped"]["spectator"] == 3


async def test_what_somebody_makes_allows_what_they_prefer(sim: TestSimulator, anna: Viewer) -> None:
    wish = {"Everyone": Permission.COPY, "Group": 0, "NextOwner": Permission.COPY | Permission.MODIFY | Permission.MOVE}
    await anna.cap("AgentPreferences", {"default_object_perm_masks": wish})
    masks = rez(anna).permissions
    assert (masks.everyone, masks.group, masks.next_owner) == (wish["Everyone"], 0, wish["NextOwner"])


async def test_nobody_names_a_group_they_are_not_in(sim: TestSimulator, anna: Viewer) -> None:
    block = {**BOX, "PCode": 9, "Scale": (1, 1, 1), "RayEnd": (99, 99, 50), "BypassRaycast": 1}
    anna.sends(Message("ObjectAdd", AgentData={"GroupID": uuid4()}, ObjectData=block))
    (prim,) = sim.world.objects.by_id.values()
    assert prim.group_id == NULL
    anna.sends(Message("ObjectGroup", AgentData={"GroupID": uuid4()}, ObjectData=[{"ObjectLocalID": prim.local_id}]))
    assert prim.group_id == NULL and anna.heard("AlertMessage")


async def test_what_cannot_be_read_is_refused_counted_and_shown_as_it_is(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    prim = rez(anna)
    frame(sim, 0.5)
    anna.forget()
    anna.sends(Message("ObjectExtraParams", ObjectData=[{"ObjectLocalID": prim.local_id, "ParamType": 0x80, "ParamInUse": True, "ParamData": bytes(249)}]))
    anna.sends(Message("ObjectImage", ObjectData=[{"ObjectLocalID": prim.local_id, "TextureEntry": b"broken"}]))
    ben.sends(Message("ChatFromViewer", ChatData={"Message": "still here", "Type": 1}))
    frame(sim, 0.5)
    assert updates(anna)[prim.local_id]["TextureEntry"] == PLAIN
    assert anna.heard("ChatFromSimulator") and not sim.metrics.labelled["stage_errors"]
    refused = sim.metrics.labelled["edits_refused"]
    assert refused["unreadable extra parameter"] == refused["unreadable surface"] == 1


async def test_what_cannot_be_told_costs_nobody_else(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    """However it came in: it is a plain box for viewers, and all else goes on."""
    bad, good = rez(anna), rez(anna, (131.0, 128.0, 30.0))
    bad.extra_params, bad.text_color = {0x20: bytes(300)}, b"?"
    frame(sim, 1)
    shown = updates(ben)
    assert shown[bad.local_id]["ExtraParams"] == b"" and good.local_id in shown
    assert sim.metrics.value("set_aside", "interest") == 1 and not sim.metrics.labelled["stage_errors"]


async def test_what_a_message_asks_for_counts_not_the_message(sim: TestSimulator, anna: Viewer) -> None:
    """Every selected object is answered with some 300 bytes: a client that asks without end is answered at a bounded rate."""
    prim = rez(anna)
    anna.forget()
    for _ in range(200):
        anna.sends(Message("ObjectSelect", ObjectData=[{"ObjectLocalID": prim.local_id}] * 255))
    assert sim.metrics.labelled["messages_dropped"]["rate select"] > 150
    assert sum(len(m["ObjectData"]) for m in anna.heard("ObjectProperties")) <= 200
