"""Objects by viewer messages: made, moved, linked, edited, deleted, and who may."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from protocol.message import Message, text
from protocol.objects import BOX, Edit, decode_object_data, encode_edit
from protocol.wellknown import Permission
from sim.world.objects import Prim
from tests.kit.world import TestSimulator, Viewer, add_root, settle


def frame(sim: TestSimulator, seconds: float = 0.0) -> None:
    end = sim.clock.now() + seconds
    while True:
        sim.frame.once(sim.clock.now())
        sim.clock.advance(1 / 45)
        if sim.clock.now() >= end:
            return


def rez(viewer: Viewer, position: tuple[float, float, float] = (130.0, 128.0, 30.0), **changes: Any) -> Prim:
    """A half-metre box; the prim."""
    before = set(viewer.sim.world.objects.by_local_id)
    block = {
        **BOX, "PCode": 9, "Material": 3, "AddFlags": 2, "BypassRaycast": 1, "RayStart": position, "RayEnd": position,
        "Scale": (0.5, 0.5, 0.5), "Rotation": (0.0, 0.0, 0.0, 1.0), **changes,
    }  # fmt: skip
    viewer.sends(Message("ObjectAdd", ObjectData=block))
    (local_id,) = set(viewer.sim.world.objects.by_local_id) - before
    return viewer.sim.world.objects.by_local_id[local_id]


def updates(viewer: Viewer) -> dict[int, dict[str, Any]]:
    """The newest full update of each object a viewer was sent."""
    return {block["ID"]: block for m in viewer.heard("ObjectUpdate") for block in m["ObjectData"]}


def edit(viewer: Viewer, prim: Prim, **parts: Any) -> None:
    kind, data = encode_edit(Edit(parts.get("position"), parts.get("rotation"), parts.get("scale"), parts.get("linked", False), False))
    viewer.sends(Message("MultipleObjectUpdate", ObjectData=[{"ObjectLocalID": prim.local_id, "Type": kind, "Data": data}]))


@pytest.fixture
async def anna(sim: TestSimulator) -> Viewer:
    anna = add_root(sim, "Anna Builder")
    frame(sim, 1)
    anna.forget()
    return anna


@pytest.fixture
async def ben(sim: TestSimulator, anna: Viewer) -> Viewer:
    ben = add_root(sim, "Ben Onlooker")
    frame(sim, 1)
    ben.forget()
    anna.forget()
    return ben


async def test_a_new_box_is_seen_by_all_and_selected_by_its_maker(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    prim = rez(anna)
    frame(sim, 0.3)
    mine, others = updates(anna)[prim.local_id], updates(ben)[prim.local_id]
    assert mine["UpdateFlags"] == 0x1002093C | 0x2
    assert others["UpdateFlags"] & (0x2 | 0x4 | 0x20 | 0x100) == 0
    assert mine["FullID"] == prim.full_id
    assert decode_object_data(mine["ObjectData"]).position == pytest.approx((130, 128, 30.25), abs=1e-4)
    (properties,) = anna.heard("ObjectProperties")[0]["ObjectData"]
    assert text(properties["Name"]) == "Primitive"
    assert properties["OwnerID"] == anna.id
    assert properties["NextOwnerMask"] == Permission.MOVE | Permission.TRANSFER
    assert not ben.heard("ObjectProperties")


async def test_a_newcomer_is_shown_what_is_there_roots_before_children(sim: TestSimulator, anna: Viewer) -> None:
    prims = [rez(anna, (100.0 + n, 100.0, 30.0)) for n in range(40)]
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": p.local_id} for p in (prims[39], *prims[:20])]))
    frame(sim, 0.5)
    carl = add_root(sim, "Carl Newcomer")
    frame(sim, 4)
    order = [block["ID"] for m in carl.heard("ObjectUpdate") for block in m["ObjectData"] if block["PCode"] == 9]
    assert sorted(order) == sorted(p.local_id for p in prims)
    assert all(order.index(prims[39].local_id) < order.index(p.local_id) for p in prims[:20])
    parents = {i: b["ParentID"] for i, b in updates(carl).items()}
    assert parents[prims[0].local_id] == prims[39].local_id


async def test_a_still_world_costs_no_object_bytes(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    for n in range(20):
        rez(anna, (100.0 + n, 100.0, 30.0))
    frame(sim, 3)
    anna.forget()
    ben.forget()
    before = dict(sim.metrics.labelled["object_updates"])
    frame(sim, 10)
    assert dict(sim.metrics.labelled["object_updates"]) == before
    assert not anna.heard("ObjectUpdate") and not ben.heard("ImprovedTerseObjectUpdate")


async def test_moving_turning_and_resizing(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    prim = rez(anna)
    frame(sim, 0.5)
    ben.forget()
    edit(anna, prim, position=(140.0, 120.0, 40.0), rotation=(0.0, 0.0, 0.6, 0.8))
    assert sim.world.objects.world_place(prim)[0] == pytest.approx((140, 120, 40))
    edit(anna, prim, scale=(2.0, 3.0, 400.0))
    assert sim.world.objects.row(prim)["scale"].tolist() == [2.0, 3.0, 64.0]
    frame(sim, 0.5)
    assert updates(ben)[prim.local_id]["Scale"] == (2.0, 3.0, 64.0)
    edit(anna, prim, position=(1e9, -5.0, 1e9))
    x, y, z = sim.world.objects.world_place(prim)[0]
    assert 0 <= x < 256 and y == 0 and z == 4096


async def test_another_may_not_edit_and_is_shown_the_truth(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    prim = rez(anna)
    frame(sim, 0.5)
    ben.forget()
    edit(ben, prim, position=(10.0, 10.0, 50.0))
    for message in (
        Message("ObjectName", ObjectData=[{"LocalID": prim.local_id, "Name": "Stolen"}]),
        Message("ObjectMaterial", ObjectData=[{"ObjectLocalID": prim.local_id, "Material": 1}]),
        Message("ObjectPermissions", ObjectData=[{"ObjectLocalID": prim.local_id, "Field": 8, "Set": 1, "Mask": 0x4000}]),
        Message("DeRezObject", AgentBlock={"Destination": 6}, ObjectData=[{"ObjectLocalID": prim.local_id}]),
        Message("ObjectDuplicate", SharedData={"Offset": (1.0, 0.0, 0.0)}, ObjectData=[{"ObjectLocalID": prim.local_id}]),
    ):
        ben.sends(message)
    await settle(sim)  # whether a friend lets them is asked for
    assert sim.world.objects.world_place(prim)[0] == pytest.approx((130, 128, 30.25))
    assert prim.name == "Primitive" and prim.material == 3 and prim.permissions.everyone == 0
    assert len(sim.world.objects) == 1
    frame(sim, 0.3)
    assert prim.local_id in updates(ben)


async def test_everyone_may_move_when_the_owner_says_so(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    prim = rez(anna)
    anna.sends(Message("ObjectPermissions", ObjectData=[{"ObjectLocalID": prim.local_id, "Field": 8, "Set": 1, "Mask": Permission.MOVE}]))
    edit(ben, prim, position=(50.0, 50.0, 50.0))
    await settle(sim)
    assert sim.world.objects.world_place(prim)[0] == pytest.approx((50, 50, 50))
    edit(ben, prim, scale=(5.0, 5.0, 5.0))
    assert sim.world.objects.row(prim)["scale"].tolist() == [0.5, 0.5, 0.5]


async def test_linking_keeps_places_and_tells_all_of_all(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    prims = [rez(anna, (100.0 + n, 100.0 + 2 * n, 30.0), Rotation=(0.0, 0.0, 0.6, 0.8)) for n in range(3)]
    places = [sim.world.objects.world_place(p) for p in prims]
    frame(sim, 0.5)
    ben.forget()
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": p.local_id} for p in prims]))
    frame(sim, 0.5)
    seen = updates(ben)
    assert {p.local_id for p in prims} <= set(seen)
    assert [seen[p.local_id]["ParentID"] for p in prims] == [0, prims[0].local_id, prims[0].local_id]
    for prim, (position, rotation) in zip(prims, places, strict=True):
        now = sim.world.objects.world_place(prim)
        assert now[0] == pytest.approx(position, abs=1e-3)
        assert now[1] == pytest.approx(rotation, abs=1e-4)
    edit(anna, prims[0], position=(150.0, 150.0, 30.0), linked=True)
    assert sim.world.objects.world_place(prims[1])[0] == pytest.approx((151, 152, 30), abs=0.6)
    anna.sends(Message("ObjectDelink", ObjectData=[{"ObjectLocalID": p.local_id} for p in prims]))
    assert all(p.root is None and not p.children for p in prims)


async def test_editing_the_root_alone_leaves_the_children(sim: TestSimulator, anna: Viewer) -> None:
    prims = [rez(anna, (100.0 + n, 100.0, 30.0)) for n in range(2)]
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": p.local_id} for p in prims]))
    edit(anna, prims[0], position=(110.0, 100.0, 30.0))
    assert sim.world.objects.world_place(prims[1])[0] == pytest.approx((101, 100, 30.25), abs=1e-3)


async def test_a_delete_goes_to_all_who_knew(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    sim.backbone.add_inventory(anna.id)
    prim = rez(anna)
    frame(sim, 0.5)
    anna.sends(Message("DeRezObject", AgentBlock={"Destination": 6}, ObjectData=[{"ObjectLocalID": prim.local_id}]))
    await settle(sim)
    frame(sim)
    for viewer in (anna, ben):
        assert {"ID": prim.local_id} in [b for m in viewer.heard("KillObject") for b in m["ObjectData"]]
    assert anna.heard("DeRezAck")
    assert not sim.world.objects.by_local_id


async def test_every_select_is_answered(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    prim = rez(anna)
    anna.forget()
    for _ in range(2):
        ben.sends(Message("ObjectSelect", ObjectData=[{"ObjectLocalID": prim.local_id}]))
    assert len(ben.heard("ObjectProperties")) == 2
    (block,) = ben.events("ObjectPhysicsProperties")[0]["ObjectData"]
    assert block["Density"] == 1000.0


async def test_flags_and_features(sim: TestSimulator, anna: Viewer) -> None:
    prim = rez(anna)
    extra = {"PhysicsShapeType": 2, "Density": 1e9, "Friction": 0.1, "Restitution": 9.0, "GravityMultiplier": -9.0}
    flags = {"ObjectLocalID": prim.local_id, "UsePhysics": True, "IsTemporary": False, "IsPhantom": True}
    anna.sends(Message("ObjectFlagUpdate", AgentData=flags, ExtraPhysics=[extra]))
    assert prim.physical and prim.phantom
    assert (prim.features.density, prim.features.restitution, prim.features.gravity) == (22587.0, 1.0, -1.0)
    frame(sim, 0.3)
    assert updates(anna)[prim.local_id]["UpdateFlags"] & 0x401 == 0x401


async def test_a_temporary_object_goes_by_itself(sim: TestSimulator, anna: Viewer) -> None:
    prim = rez(anna)
    flags = {"ObjectLocalID": prim.local_id, "IsTemporary": True}
    anna.sends(Message("ObjectFlagUpdate", AgentData=flags))
    sim.clock.advance(59)
    frame(sim)
    assert prim.row >= 0
    sim.clock.advance(2)
    frame(sim)
    assert prim.row < 0


async def test_a_copy_is_a_copy(sim: TestSimulator, anna: Viewer) -> None:
    prims = [rez(anna, (100.0 + n, 100.0, 30.0)) for n in range(2)]
    anna.sends(Message("ObjectName", ObjectData=[{"LocalID": prims[0].local_id, "Name": "Table"}]))
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": p.local_id} for p in prims]))
    anna.sends(Message("ObjectDuplicate", SharedData={"Offset": (0.0, 5.0, 0.0), "DuplicateFlags": 2}, ObjectData=[{"ObjectLocalID": prims[0].local_id}]))
    assert len(sim.world.objects) == 4
    twin = next(p for p in sim.world.objects.roots() if p is not prims[0])
    assert twin.name == "Table" and len(twin.children) == 1 and twin.full_id != prims[0].full_id
    assert sim.world.objects.world_place(twin)[0] == pytest.approx((100, 105, 30.25))
    assert sim.world.objects.world_place(twin.children[0])[0] == pytest.approx((101, 105, 30.25), abs=1e-3)


async def test_hostile_edits_change_nothing_for_the_worse(sim: TestSimulator, anna: Viewer) -> None:
    prim = rez(anna)
    nan = struct.pack("<3f", float("nan"), 0, 0)
    for kind, data in ((1, nan), (7, b"\0" * 11), (255, b""), (2, struct.pack("<3f", 9, 9, 9))):
        anna.sends(Message("MultipleObjectUpdate", ObjectData=[{"ObjectLocalID": prim.local_id, "Type": kind, "Data": data}]))
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": prim.local_id}] * 5))
    anna.sends(Message("ObjectExtraParams", ObjectData=[{"ObjectLocalID": prim.local_id, "ParamType": 99, "ParamInUse": True, "ParamData": b"x"}]))
    frame(sim, 0.2)
    row = sim.world.objects.row(prim)
    assert abs(sum(part * part for part in row["rotation"].tolist()) - 1) < 1e-3
    assert not prim.children and not prim.extra_params
    assert not sim.metrics.labelled["handler_errors"] and not sim.metrics.labelled["stage_errors"]


async def test_what_the_cache_holds_is_not_sent_again(sim: TestSimulator, anna: Viewer) -> None:
    prims = [rez(anna, (100.0 + n % 50, 100.0 + n // 50, 30.0)) for n in range(200)]
    frame(sim, 0.5)
    carl = add_root(sim, "Carl Cached")
    sim.sessions.circuit_opened(carl.agent)
    sim.sessions.handshake_replied(carl.agent, 1)
    carl.forget()
    frame(sim, 2)
    entries = [block for m in carl.heard("ObjectUpdateCached") for block in m["ObjectData"]]
    assert {block["ID"] for block in entries} == {p.local_id for p in prims}
    assert not [b for b in updates(carl).values() if b["PCode"] == 9]
    carl.sends(Message("RequestMultipleObjects", ObjectData=[{"ID": prims[7].local_id}]))
    frame(sim, 0.5)
    assert [i for i, b in updates(carl).items() if b["PCode"] == 9] == [prims[7].local_id]
