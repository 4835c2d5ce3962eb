"""Object contents from a viewer: looking in, dropping in, taking out, scripts that are put in, saved, stopped and reset."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from protocol.contents_file import read
from protocol.inventory import Item
from protocol.message import Message, text
from protocol.permissions import Masks
from protocol.wellknown import NULL, Folder, Permission
from sim.actions import contents
from sim.caps import Refused
from sim.world.changes import What
from sim.world.objects import Prim
from tests.kit.world import TestSimulator, Viewer, add_root, settle

GREETER = 'default { state_entry() { llSay(0, "hello"); } touch_start(integer n) { llSay(0, "touched"); } }'


async def builder(sim: TestSimulator) -> tuple[Viewer, dict[int, str], Prim]:
    """Somebody with an inventory and a box of their own."""
    anna = add_root(sim, position=(100, 100, 30))
    folders = sim.backbone.add_inventory(anna.id)
    prim = box(sim, anna)
    await settle(sim)
    anna.forget()
    return anna, folders, prim


def box(sim: TestSimulator, owner: Viewer) -> Prim:
    prim = Prim(uuid4(), owner.id, owner.id, last_owner_id=owner.id)
    sim.world.objects.add(prim, sim.world.new_local_id(), (101.0, 101.0, 30.0), (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
    return prim


async def done(sim: TestSimulator) -> None:
    """Errands have run, compilers in their threads too."""
    for _ in range(3000):
        if not sim.region.tasks.errands:
            break
        await asyncio.sleep(0.005)
    await settle(sim)


def script_block(**given: Any) -> dict[str, Any]:
    return {"ItemID": NULL, "FolderID": NULL, "Name": b"New Script", "Description": b"", "NextOwnerMask": 0x82000, "Type": 10, "InvType": 10, **given}


async def rez_script(sim: TestSimulator, viewer: Viewer, prim: Prim, enabled: bool = True, **given: Any) -> Item | None:
    before = {item.item_id for item in prim.contents}
    update = {"ObjectLocalID": prim.local_id, "Enabled": enabled}
    viewer.sends(Message("RezScript", AgentData={"GroupID": NULL}, UpdateBlock=update, InventoryBlock=script_block(**given)))
    await done(sim)
    return next((item for item in prim.contents if item.item_id not in before), None)


def words(viewer: Viewer) -> list[str]:
    return [text(one["AlertData"]["Message"]) for one in viewer.heard("AlertMessage")]


async def look(sim: TestSimulator, viewer: Viewer, prim: Prim) -> tuple[int, list[Item]]:
    """As a viewer does by UDP: serial, and the items of the file."""
    viewer.forget()
    viewer.sends(Message("RequestTaskInventory", InventoryData={"LocalID": prim.local_id}))
    await done(sim)
    (reply,) = viewer.heard("ReplyTaskInventory")
    told = reply["InventoryData"]
    assert told["TaskID"] == prim.full_id
    name = text(told["Filename"])
    if not name:
        return told["Serial"], []
    file = sim.xfers.find(viewer.agent, name)
    assert file is not None
    return told["Serial"], read(file.data)


# --- scripts


async def test_a_new_script_is_in_the_object_and_runs(sim: TestSimulator) -> None:
    anna, _, prim = await builder(sim)
    item = await rez_script(sim, anna, prim)
    assert item is not None and item.name == "New Script" and item.permissions.next_owner == 0x82000
    assert sim.assets.stored[item.asset_id][1] == 10
    script = sim.scripts.find(prim, item.item_id)
    assert script is not None and script.is_running and prim.scripted
    sim.frame.once(sim.clock.now())
    said = [text(chat["ChatData"]["Message"]) for chat in anna.heard("ChatFromSimulator")]
    assert said == ["Script running"]
    serial, (told,) = await look(sim, anna, prim)
    assert serial == prim.inventory_serial == 1
    assert (told.item_id, told.asset_id, told.asset_type, told.inventory_type) == (item.item_id, item.asset_id, 10, 10)
    answer = await anna.cap("RequestTaskInventory", query={"task_id": str(prim.full_id)})
    assert answer["inventory_serial"] == 1 and answer["contents"][0]["inv_type"] == "script"
    again = await anna.cap("RequestTaskInventory", query={"task_id": str(prim.full_id), "inventory_serial": "1"})
    assert again.status == 304


async def save(viewer: Viewer, name: str, body: dict[str, Any], source: str) -> Any:
    first = await viewer.cap(name, body)
    assert first["state"] == "upload", first
    return await viewer.upload(first["uploader"], source.encode())


async def test_saving_a_script_says_what_is_wrong_and_keeps_what_ran(sim: TestSimulator) -> None:
    anna, _, prim = await builder(sim)
    item = await rez_script(sim, anna, prim)
    assert item is not None
    ids = {"task_id": prim.full_id, "item_id": item.item_id, "is_script_running": True, "target": "mono"}
    good = await save(anna, "UpdateScriptTask", ids, GREETER)
    assert good["compiled"] is True and good["errors"] == [] and good["new_asset"] != item.item_id
    assert sim.assets.stored[UUID(str(good["new_asset"]))] == (GREETER.encode(), 10)
    assert contents.find(prim, item.item_id).asset_id == UUID(str(good["new_asset"]))  # type: ignore[union-attr]
    running = sim.scripts.find(prim, item.item_id)
    assert running is not None and running.source == GREETER and prim.touchable
    bad = await save(anna, "UpdateScriptTask", ids, "default { state_entry() { llSay(0, 1) } }")
    assert bad["compiled"] is False and bad["errors"][0].startswith("(0, ")
    assert sim.scripts.find(prim, item.item_id) is running  # what ran goes on
    assert contents.find(prim, item.item_id).asset_id == UUID(str(bad["new_asset"]))  # type: ignore[union-attr]
    stopped = await save(anna, "UpdateScriptTask", {**ids, "is_script_running": 0}, GREETER)
    script = sim.scripts.find(prim, item.item_id)
    assert stopped["is_running"] is False and script is not None and not script.is_running


async def test_running_flags_and_resets(sim: TestSimulator) -> None:
    anna, _, prim = await builder(sim)
    item = await rez_script(sim, anna, prim)
    assert item is not None
    ids = {"ObjectID": prim.full_id, "ItemID": item.item_id}
    script = sim.scripts.find(prim, item.item_id)
    assert script is not None
    for running in (False, True):
        anna.forget()
        anna.sends(Message("SetScriptRunning", Script={**ids, "Running": running}))
        anna.sends(Message("GetScriptRunning", Script=ids))
        await done(sim)
        (told,) = anna.events("ScriptRunningReply")
        assert script.is_running is running
        assert bool(told["Script"][0]["Running"]) is running
    sim.frame.once(sim.clock.now())
    anna.forget()
    anna.sends(Message("ScriptReset", Script=ids))
    await done(sim)
    sim.frame.once(sim.clock.now())
    assert [text(chat["ChatData"]["Message"]) for chat in anna.heard("ChatFromSimulator")] == ["Script running"]


async def test_a_script_of_the_inventory_is_copied_in_and_saved_there(sim: TestSimulator) -> None:
    anna, folders, prim = await builder(sim)
    asset_id = uuid4()
    sim.assets.stored[asset_id] = (GREETER.encode(), 10)
    mine = sim.backbone.add_item(anna.id, folders[Folder.SCRIPTS], name="Greeter", type=10, inv_type=10, asset_id=str(asset_id))
    item = await rez_script(sim, anna, prim, ItemID=UUID(mine["item_id"]))
    assert item is not None and item.name == "Greeter" and item.asset_id == asset_id and item.item_id != UUID(mine["item_id"])
    assert mine["item_id"] in sim.backbone.items[str(anna.id)]
    twin = await rez_script(sim, anna, prim, ItemID=UUID(mine["item_id"]))
    assert twin is not None and twin.name == "Greeter 1"
    answer = await save(anna, "UpdateScriptAgent", {"item_id": UUID(mine["item_id"]), "target": "mono"}, "default { }")
    assert answer["state"] == "complete" and answer["compiled"] is False and answer["errors"]
    assert sim.backbone.items[str(anna.id)][mine["item_id"]]["asset_id"] == str(answer["new_asset"])


async def test_a_scene_s_script_is_an_item_that_can_be_read_and_taken(sim: TestSimulator) -> None:
    anna, _folders, prim = await builder(sim)
    item = Item(uuid4(), name="From a scene", owner_id=anna.id, creator_id=anna.id, asset_type=10, inventory_type=10)
    prim.contents.append(item)
    program = await sim.scripts.compiled(GREETER)
    sim.scripts.start(prim, program, GREETER, item.name, item.item_id)
    anna.sends(Message("MoveTaskInventory", AgentData={"FolderID": NULL}, InventoryData={"LocalID": prim.local_id, "ItemID": item.item_id}))
    await done(sim)
    (made,) = [one for one in sim.backbone.items[str(anna.id)].values() if one["name"] == "From a scene"]
    assert sim.assets.stored[UUID(made["asset_id"])] == (GREETER.encode(), 10)


# --- things


async def drop(sim: TestSimulator, viewer: Viewer, prim: Prim, item_id: str, **given: Any) -> None:
    block = {"ItemID": UUID(item_id), "Name": b"", "Description": b"", **given}
    viewer.sends(Message("UpdateTaskInventory", UpdateData={"LocalID": prim.local_id, "Key": 0}, InventoryData=block))
    await done(sim)


async def test_dropping_in_and_taking_out(sim: TestSimulator) -> None:
    anna, folders, prim = await builder(sim)
    reader = sim.world.changes.prims.reader(What.CONTENTS)
    note = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], name="Note", asset_id=str(uuid4()))
    await drop(sim, anna, prim, note["item_id"])
    (item,) = prim.contents
    assert (item.name, item.owner_id, item.asset_id) == ("Note", anna.id, UUID(note["asset_id"]))
    assert note["item_id"] in sim.backbone.items[str(anna.id)] and prim.inventory_serial == 1
    assert prim in reader.take()
    masks = {"GroupMask": 0, "EveryoneMask": 0, "NextOwnerMask": 0x8E000, "SaleType": 0, "SalePrice": 0}
    await drop(sim, anna, prim, str(item.item_id), Name=b"Renamed", Description=b"words", **masks)
    assert (prim.contents[0].name, prim.contents[0].description, prim.inventory_serial) == ("Renamed", "words", 2)
    out = {"LocalID": prim.local_id, "ItemID": item.item_id}
    anna.sends(Message("MoveTaskInventory", AgentData={"FolderID": UUID(folders[Folder.TRASH])}, InventoryData=out))
    await done(sim)
    assert len(prim.contents) == 1
    (bulk,) = anna.heard("BulkUpdateInventory")
    assert bulk["ItemData"][0]["FolderID"] == UUID(folders[Folder.TRASH])
    anna.sends(Message("RemoveTaskInventory", InventoryData={"LocalID": prim.local_id, "ItemID": item.item_id}))
    await done(sim)
    assert prim.contents == [] and (await look(sim, anna, prim)) == (3, [])


async def test_what_cannot_be_copied_is_in_one_place(sim: TestSimulator) -> None:
    anna, folders, prim = await builder(sim)
    only = {"owner_mask": 0x7FFFFFFF & ~Permission.COPY, "base_mask": 0x7FFFFFFF & ~Permission.COPY}
    note = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], name="Only one", asset_id=str(uuid4()), **only)

    def places() -> tuple[int, int]:
        mine = [one for one in sim.backbone.items[str(anna.id)].values() if one["name"] == "Only one"]
        return len(mine), len(prim.contents)

    await drop(sim, anna, prim, note["item_id"])
    assert places() == (0, 1)
    assert anna.heard("RemoveInventoryItem")[0]["InventoryData"][0]["ItemID"] == UUID(note["item_id"])
    out = {"LocalID": prim.local_id, "ItemID": prim.contents[0].item_id}
    sim.backbone.down = True
    anna.sends(Message("MoveTaskInventory", AgentData={"FolderID": UUID(folders[Folder.NOTECARDS])}, InventoryData=out))
    await done(sim)
    assert places() == (0, 1) and "not answering" in words(anna)[-1]
    sim.backbone.down = False
    anna.sends(Message("MoveTaskInventory", AgentData={"FolderID": UUID(folders[Folder.NOTECARDS])}, InventoryData=out))
    await done(sim)
    assert places() == (1, 0)


async def test_strangers_and_lies_change_nothing(sim: TestSimulator) -> None:
    anna, _, prim = await builder(sim)
    item = await rez_script(sim, anna, prim)
    assert item is not None
    bert = add_root(sim, position=(102, 100, 30))
    theirs = sim.backbone.add_inventory(bert.id)
    note = sim.backbone.add_item(bert.id, theirs[Folder.NOTECARDS], asset_id=str(uuid4()))
    bert.agent.edits_of, bert.agent.edits_of_sure = frozenset(), True
    serial = prim.inventory_serial
    await drop(sim, bert, prim, note["item_id"])
    await drop(sim, bert, prim, str(item.item_id), Name=b"Mine now")
    assert await rez_script(sim, bert, prim) is None
    for message in ("RemoveTaskInventory", "MoveTaskInventory"):
        agent_data = {"FolderID": NULL} if message == "MoveTaskInventory" else {}
        bert.sends(Message(message, AgentData=agent_data, InventoryData={"LocalID": prim.local_id, "ItemID": item.item_id}))
        await done(sim)
    for ids in ({"task_id": prim.full_id, "item_id": item.item_id}, {"task_id": prim.full_id, "item_id": uuid4()}):
        assert (await bert.cap("UpdateScriptTask", ids))["state"] == "error"
    with pytest.raises(Refused):
        await bert.cap("UpdateScriptTask", {"task_id": uuid4(), "item_id": item.item_id})
    assert (await bert.cap("UpdateScriptAgent", {"item_id": uuid4()}))["state"] == "error"
    bert.sends(Message("SetScriptRunning", Script={"ObjectID": prim.full_id, "ItemID": item.item_id, "Running": False}))
    await done(sim)
    script = sim.scripts.find(prim, item.item_id)
    assert script is not None and script.is_running
    assert prim.contents == [item] and prim.inventory_serial == serial and words(bert)
    _, (told,) = await look(sim, bert, prim)
    assert told.asset_id == NULL and told.name == item.name
    await drop(sim, anna, prim, note["item_id"])  # somebody else's item id
    assert prim.contents == [item] and "not in your inventory" in words(anna)[-1]


async def test_masks_narrow_and_names_and_numbers_are_bounded(sim: TestSimulator) -> None:
    anna, _, prim = await builder(sim)
    bert = add_root(sim)
    given = Item(uuid4(), name="x" * 100, owner_id=bert.id, permissions=Masks(next_owner=0x82000), asset_type=7)
    actor = contents.Actor(bert.id, edits_of=frozenset({anna.id}))
    inside = contents.put(sim.region, actor, prim, given)
    assert isinstance(inside, Item)
    assert inside.owner_id == anna.id and inside.last_owner_id == bert.id
    assert inside.permissions.owner & Permission.ALL == 0x82000 and len(inside.name) == 63
    twin = contents.put(sim.region, actor, prim, given)
    assert isinstance(twin, Item) and twin.name != inside.name and len(twin.name.encode()) <= 63
    for number in range(contents.MOST_ITEMS):
        contents.put(sim.region, actor, prim, Item(uuid4(), name=str(number), owner_id=anna.id))
    assert len(prim.contents) == contents.MOST_ITEMS
    fixed = Item(uuid4(), owner_id=bert.id, permissions=Masks(0x82000, 0x80000, 0, 0, 0x80000))
    prim.contents.clear()
    assert contents.put(sim.region, actor, prim, fixed) == contents.Refused(contents.NO_TRANSFER, "no transfer")


async def test_a_copy_has_what_is_in_it_and_its_scripts_go_on(sim: TestSimulator) -> None:
    anna, folders, prim = await builder(sim)
    counter = "integer n; default { touch_start(integer t) { llSay(0, (string)(++n)); } on_rez(integer p) { llSay(0, \"rezzed\"); } }"
    asset_id = uuid4()
    sim.assets.stored[asset_id] = (counter.encode(), 10)
    mine = sim.backbone.add_item(anna.id, folders[Folder.SCRIPTS], name="Counter", type=10, inv_type=10, asset_id=str(asset_id))
    await rez_script(sim, anna, prim, ItemID=UUID(mine["item_id"]))

    def touch(one: Prim) -> list[str]:
        anna.forget()
        sim.scripts.touched(anna.agent, one, "touch_start", {})
        sim.frame.once(sim.clock.now())
        return [text(chat["ChatData"]["Message"]) for chat in anna.heard("ChatFromSimulator")]

    assert touch(prim) == ["1"] and touch(prim) == ["2"]
    data = [{"ObjectLocalID": prim.local_id}]
    anna.sends(Message("ObjectDuplicate", SharedData={"Offset": (1.0, 0.0, 0.0), "DuplicateFlags": 0}, ObjectData=data))
    (twin,) = [one for one in sim.world.objects.by_id.values() if one is not prim]
    sim.frame.once(sim.clock.now())
    assert "rezzed" in [text(chat["ChatData"]["Message"]) for chat in anna.heard("ChatFromSimulator")]
    assert touch(twin) == ["3"] and touch(prim) == ["3"] and touch(twin) == ["4"]
    assert twin.contents == prim.contents and twin.contents is not prim.contents and twin.scripted
    prim.contents.append(Item(uuid4(), owner_id=anna.id, permissions=Masks(owner=0x7FFFFFFF & ~Permission.COPY)))
    anna.sends(Message("ObjectDuplicate", SharedData={"Offset": (1.0, 0.0, 0.0), "DuplicateFlags": 0}, ObjectData=data))
    assert len(sim.world.objects) == 2
