"""Take, take a copy, trash, return and rez: what goes where, with what rights, and that nothing is lost or doubled."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from protocol.inventory import Item
from protocol.message import Message, text
from protocol.permissions import Masks
from protocol.wellknown import NULL, Folder, Permission
from sim.actions import take
from sim.world.linkset import gather
from sim.world.objects import Prim
from tests.kit.world import TestSimulator, Viewer, add_root, settle
from tests.sim.handlers.test_contents import builder, done, rez_script, words

TAKE_COPY, TAKE, TRASH, RETURN = 1, 4, 6, 9


async def derez(sim: TestSimulator, viewer: Viewer, prims: list[Prim], destination: int, folder: UUID = NULL) -> bool:
    viewer.forget()
    block = {"Destination": destination, "DestinationID": folder, "TransactionID": uuid4(), "GroupID": NULL}
    viewer.sends(Message("DeRezObject", AgentBlock=block, ObjectData=[{"ObjectLocalID": prim.local_id} for prim in prims]))
    await done(sim)
    (ack,) = viewer.heard("DeRezAck")
    assert ack["TransactionData"]["TransactionID"] == block["TransactionID"]
    return bool(ack["TransactionData"]["Success"])


async def rez(sim: TestSimulator, viewer: Viewer, item_id: str | UUID, at: tuple[float, float, float] = (110.0, 110.0, 40.0), **given: Any) -> None:
    data = {"FromTaskID": NULL, "BypassRaycast": 1, "RayStart": at, "RayEnd": at, "RezSelected": True, **given}
    message = Message("RezObject", AgentData={"GroupID": NULL}, RezData=data, InventoryData={"ItemID": UUID(str(item_id))})
    viewer.sends(message)
    await done(sim)


def objects_in(sim: TestSimulator, viewer: Viewer) -> list[dict[str, Any]]:
    return [item for item in sim.backbone.items[str(viewer.id)].values() if item["type"] == 6]


def linked(sim: TestSimulator, owner: Viewer, count: int = 3) -> Prim:
    """A linkset in a row along x."""
    prims = []
    for number in range(count):
        prim = Prim(uuid4(), owner.id, owner.id, last_owner_id=owner.id, name=f"part {number}")
        place = (120.0 + number, 120.0, 30.0)
        prims.append(sim.world.objects.add(prim, sim.world.new_local_id(), place, (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0)))
    sim.world.objects.link(prims[0], prims[1:])
    return prims[0]


async def test_what_is_taken_comes_back_as_it_was(sim: TestSimulator) -> None:
    anna, folders, _box = await builder(sim)
    root = linked(sim, anna)
    root.text, root.description = "over it", "a thing"
    await rez_script(sim, anna, root.children[0])
    before = [(prim.name, prim.text, len(prim.contents), prim.permissions) for prim in root.linkset()]
    names, old = [prim.name for prim in root.linkset()], {prim.full_id for prim in root.linkset()}
    assert await derez(sim, anna, [root], TAKE)
    assert root.row < 0 and len(sim.world.objects) == 1
    (item,) = objects_in(sim, anna)
    assert item["parent_id"] == folders[Folder.OBJECTS] and (item["name"], item["desc"]) == ("part 0", "a thing")
    assert sim.assets.stored[UUID(item["asset_id"])][1] == 6
    assert anna.heard("UpdateCreateInventoryItem")[0]["InventoryData"][0]["ItemID"] == UUID(item["item_id"])
    await rez(sim, anna, item["item_id"])
    (fresh,) = [prim for prim in sim.world.objects.roots() if prim.children]
    assert [(prim.name, prim.text, len(prim.contents), prim.permissions) for prim in fresh.linkset()] == before
    assert [prim.name for prim in fresh.linkset()] == names and not old & {prim.full_id for prim in fresh.linkset()}
    assert fresh.from_item_id == UUID(item["item_id"])
    place = sim.world.objects.world_place(fresh)[0]
    assert place == pytest.approx((109.0, 110.0, 40.5))  # the box's middle over the point, its underside on it
    script = sim.scripts.find(fresh.children[0], fresh.children[0].contents[0].item_id)
    assert script is not None and script.is_running
    assert len(objects_in(sim, anna)) == 1  # it can be copied, and stays


async def test_several_are_one_item_and_keep_their_places(sim: TestSimulator) -> None:
    anna, _, box = await builder(sim)
    root = linked(sim, anna)
    apart = [b - a for a, b in zip(*(sim.world.objects.world_place(one)[0] for one in (box, root)), strict=True)]
    assert await derez(sim, anna, [box, root], TAKE)
    (item,) = objects_in(sim, anna)
    assert item["flags"] & take.MANY and not len(sim.world.objects)
    await rez(sim, anna, item["item_id"])
    one, other = sorted(sim.world.objects.roots(), key=lambda prim: len(prim.children))
    places = [sim.world.objects.world_place(prim)[0] for prim in (one, other)]
    assert [b - a for a, b in zip(*places, strict=True)] == pytest.approx(apart)


@pytest.mark.parametrize("transaction", [NULL, UUID(int=77)])
async def test_a_selection_in_several_packets_is_taken_whole(sim: TestSimulator, transaction: UUID) -> None:
    """The packets of one selection have one transaction; some clients give none at all."""
    anna, _, box = await builder(sim)
    for prim in (box, linked(sim, anna), linked(sim, anna, 2)):
        block = {"Destination": TAKE, "DestinationID": NULL, "TransactionID": transaction, "GroupID": NULL, "PacketCount": 3}
        anna.sends(Message("DeRezObject", AgentBlock=block, ObjectData=[{"ObjectLocalID": prim.local_id}]))
    await done(sim)
    assert not len(sim.world.objects) and len({item["asset_id"] for item in objects_in(sim, anna)}) == 3
    for item in objects_in(sim, anna):
        await rez(sim, anna, item["item_id"])
    assert sorted(1 + len(root.children) for root in sim.world.objects.roots()) == [1, 2, 3]


@pytest.mark.parametrize("down", ["assets", "backbone"])
async def test_where_a_service_is_away_the_object_stays_and_goes_on(sim: TestSimulator, down: str) -> None:
    anna, _, box = await builder(sim)
    await rez_script(sim, anna, box)
    service: Any = sim.assets if down == "assets" else sim.backbone
    service.down = True
    for destination in (TAKE, TAKE_COPY, TRASH):
        anna.agent.told_until.clear()
        assert not await derez(sim, anna, [box], destination)
        assert box.row >= 0 and not box.leaving and "stays where it is" in words(anna)[-1]
        assert sim.scripts.of(box)[0].is_running
    service.down = False
    assert await derez(sim, anna, [box], TRASH)
    assert len(objects_in(sim, anna)) == 1 and box.row < 0


async def test_what_cannot_be_copied_is_never_in_two_places(sim: TestSimulator) -> None:
    anna, folders, box = await builder(sim)
    only = Permission.ALL & ~Permission.COPY
    box.permissions = Masks(only, only, 0, 0, 0x82000)
    assert not await derez(sim, anna, [box], TAKE_COPY) and not objects_in(sim, anna)
    assert await derez(sim, anna, [box], TAKE)
    (item,) = objects_in(sim, anna)
    assert not item["owner_mask"] & Permission.COPY
    sim.assets.down = True
    await rez(sim, anna, item["item_id"])
    assert len(objects_in(sim, anna)) == 1 and not len(sim.world.objects)
    sim.assets.down = False
    sim.world.facts.max_prims = 0
    await rez(sim, anna, item["item_id"])
    assert len(objects_in(sim, anna)) == 1 and not len(sim.world.objects) and "full" in words(anna)[-1]
    sim.world.facts.max_prims = 100
    await rez(sim, anna, item["item_id"])
    assert len(objects_in(sim, anna)) == 0 and len(sim.world.objects) == 1
    await rez(sim, anna, item["item_id"])
    assert len(sim.world.objects) == 1 and "not in your inventory" in words(anna)[-1]
    assert folders


async def test_a_thing_that_changes_hands_is_worth_what_its_owner_left(sim: TestSimulator) -> None:
    anna, _, box = await builder(sim)
    bert = add_root(sim, position=(105, 100, 30))
    sim.backbone.add_inventory(bert.id)
    bert.agent.edits_of, bert.agent.edits_of_sure = frozenset(), True
    assert not await derez(sim, bert, [box], TAKE) and not await derez(sim, bert, [box], TAKE_COPY)
    assert not await derez(sim, bert, [box], TRASH) and box.row >= 0
    box.permissions = Masks(everyone=Permission.COPY, next_owner=Permission.COPY | Permission.MOVE)
    box.contents.append(Item(uuid4(), name="note", owner_id=anna.id, permissions=Masks(next_owner=Permission.COPY | Permission.MOVE)))
    assert await derez(sim, bert, [box], TAKE_COPY)
    (item,) = objects_in(sim, bert)
    assert item["owner_id"] == str(bert.id) and not item["owner_mask"] & (Permission.MODIFY | Permission.TRANSFER)
    await rez(sim, bert, item["item_id"])
    (mine,) = [prim for prim in sim.world.objects.roots() if prim.owner_id == bert.id]
    assert mine.permissions.owner & Permission.COPY and not mine.permissions.owner & (Permission.MODIFY | Permission.TRANSFER)
    assert mine.permissions.everyone == 0 and mine.last_owner_id == anna.id and mine.creator_id == anna.id
    assert mine.contents[0].owner_id == bert.id and not mine.contents[0].permissions.owner & Permission.MODIFY
    assert box.permissions.owner == Permission.ALL and box.contents[0].owner_id == anna.id


async def test_the_owner_of_the_land_returns_what_stands_on_it(sim: TestSimulator) -> None:
    anna, _, box = await builder(sim)
    bert = add_root(sim)
    sim.backbone.add_inventory(bert.id)
    bert.agent.edits_of, bert.agent.edits_of_sure = frozenset(), True
    assert not await derez(sim, bert, [box], RETURN)
    for parcel in sim.world.parcels:
        parcel.owner_id = bert.id
    assert await derez(sim, bert, [box], RETURN)
    (item,) = objects_in(sim, anna)
    lost = [f for f in sim.backbone.folders[str(anna.id)].values() if f["type"] == Folder.LOST_AND_FOUND]
    assert item["parent_id"] == lost[0]["folder_id"] and box.row < 0 and item["owner_mask"] & Permission.MODIFY
    assert not objects_in(sim, bert)


async def test_lies_and_damage_make_nothing(sim: TestSimulator) -> None:
    anna, folders, box = await builder(sim)
    bert = add_root(sim)
    theirs = sim.backbone.add_inventory(bert.id)
    foreign = sim.backbone.add_item(bert.id, theirs[Folder.OBJECTS], type=6, inv_type=6, asset_id=str(uuid4()))
    good = take.pack(gather(sim.world.objects, [box], 0.0))
    for data, kind in ((None, 6), (b"", 6), (b"LNKC\xff\xff", 6), (good[:-3], 6), (good[:40] + b"\xff" + good[41:], 6), (good, 7)):
        asset_id = uuid4()
        if data is not None:
            sim.assets.stored[asset_id] = (data, kind)
        item = sim.backbone.add_item(anna.id, folders[Folder.OBJECTS], type=6, inv_type=6, asset_id=str(asset_id))
        anna.agent.told_until.clear()
        anna.forget()
        await rez(sim, anna, item["item_id"])
        assert "cannot be rezzed" in words(anna)[-1]
    note = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], asset_id=str(uuid4()))
    for item_id in (foreign["item_id"], note["item_id"], uuid4(), NULL):
        await rez(sim, anna, item_id)
    await rez(sim, anna, note["item_id"], FromTaskID=box.full_id)
    await rez(sim, anna, note["item_id"], FromTaskID=uuid4())
    await rez(sim, anna, note["item_id"], at=(float("1e30"), 0.0, 0.0))
    assert list(sim.world.objects.by_id) == [box.full_id]
    assert await derez(sim, anna, [], TAKE) is False
    assert await derez(sim, anna, [box], 77) is False and text(anna.heard("AlertMessage")[-1]["AlertData"]["Message"])


async def test_out_of_an_objects_contents(sim: TestSimulator) -> None:
    anna, folders, box = await builder(sim)
    inner = linked(sim, anna)
    assert await derez(sim, anna, [inner], TAKE)
    (item,) = objects_in(sim, anna)
    block = {"ItemID": UUID(item["item_id"]), "Name": b"", "Description": b""}
    anna.sends(Message("UpdateTaskInventory", UpdateData={"LocalID": box.local_id, "Key": 0}, InventoryData=block))
    await done(sim)
    (inside,) = box.contents
    assert inside.asset_type == 6
    await rez(sim, anna, inside.item_id, FromTaskID=box.full_id)
    assert len(sim.world.objects) == 4 and len(box.contents) == 1
    box.contents[0].permissions = Masks(owner=Permission.ALL & ~Permission.COPY)
    await rez(sim, anna, inside.item_id, FromTaskID=box.full_id)
    assert len(sim.world.objects) == 7 and box.contents == [] and folders


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_hurt_the_reader_of_object_assets(data: bytes) -> None:
    for each in (data, b"LNKC" + data):
        with pytest.raises(ProtocolError):
            take.unpack(each)


async def test_several_are_read_as_they_were_written(sim: TestSimulator) -> None:
    anna, _, box = await builder(sim)
    linksets = gather(sim.world.objects, [box, linked(sim, anna)], 0.0)
    data = take.pack(linksets)
    assert [len(one.parts) for one in take.unpack(data)] == [1, 3]
    for cut in range(0, len(data), 7):
        with pytest.raises(ProtocolError):
            take.unpack(data[:cut])
    await settle(sim)
