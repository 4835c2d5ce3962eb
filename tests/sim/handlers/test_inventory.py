"""Inventory and transfers by UDP."""

from __future__ import annotations

import asyncio
import struct
from typing import Any
from uuid import UUID, uuid4

import pytest

from protocol.message import Message, text
from protocol.wellknown import LIBRARY_OWNER, NULL, Folder
from sim.handlers.inventory import item_block
from tests.kit.world import TestSimulator, Viewer, add_root, settle


async def owner(sim: TestSimulator) -> tuple[Viewer, dict[int, str]]:
    anna = add_root(sim)
    folders = sim.backbone.add_inventory(anna.id)
    await settle(sim)
    anna.forget()
    return anna, folders


# --- folders


async def test_the_life_of_a_folder(sim: TestSimulator) -> None:
    anna, folders = await owner(sim)
    mine = sim.backbone.folders[str(anna.id)]
    folder, inner = uuid4(), uuid4()
    root = UUID(folders[Folder.ROOT])
    anna.sends(
        Message("CreateInventoryFolder", FolderData={"FolderID": folder, "ParentID": root, "Type": -1, "Name": "Boats"})
    )
    anna.sends(
        Message(
            "CreateInventoryFolder", FolderData={"FolderID": inner, "ParentID": folder, "Type": -1, "Name": "Sails"}
        )
    )
    await settle(sim)
    assert mine[str(inner)]["parent_id"] == str(folder)
    renamed = [{"FolderID": inner, "ParentID": folder, "Type": -1, "Name": "Old sails"}]
    anna.sends(Message("UpdateInventoryFolder", FolderData=renamed))
    trash = UUID(folders[Folder.TRASH])
    anna.sends(Message("MoveInventoryFolder", InventoryData=[{"FolderID": inner, "ParentID": trash}]))
    await settle(sim)
    assert (mine[str(inner)]["name"], mine[str(inner)]["parent_id"]) == ("Old sails", str(trash))
    anna.sends(Message("RemoveInventoryFolder", FolderData=[{"FolderID": inner}]))
    anna.sends(Message("PurgeInventoryDescendents", InventoryData={"FolderID": trash}))
    await settle(sim)
    assert str(inner) not in mine and sim.backbone.called("purge_folder") == [(anna.id, trash)]
    assert not anna.heard("AlertMessage")


async def test_order_is_kept(sim: TestSimulator) -> None:
    """What is moved into a folder must find it: a viewer does not wait between the two."""
    anna, folders = await owner(sim)
    folder = uuid4()
    item = UUID(sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS])["item_id"])
    root = UUID(folders[Folder.ROOT])
    data = {"FolderID": folder, "ParentID": root, "Type": -1, "Name": "New"}
    anna.sends(Message("CreateInventoryFolder", FolderData=data))
    anna.sends(Message("MoveInventoryItem", InventoryData=[{"ItemID": item, "FolderID": folder, "NewName": "Moved"}]))
    await settle(sim)
    names = [name for name, _ in sim.backbone.calls]
    assert names.index("create_folder") < names.index("change_items")
    moved = sim.backbone.items[str(anna.id)][str(item)]
    assert (moved["parent_id"], moved["name"]) == (str(folder), "Moved")


async def test_a_burst_of_moves_happens_whole_in_few_requests(sim: TestSimulator) -> None:
    """The 151 messages that a viewer sends for 151 items: as many as were acknowledged, in their order."""
    anna, folders = await owner(sim)
    target, trash = UUID(folders[Folder.OBJECTS]), UUID(folders[Folder.TRASH])
    items = [UUID(sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS])["item_id"]) for _ in range(151)]
    for item in items:
        sim.clock.advance(0.03)
        anna.sends(Message("MoveInventoryItem", InventoryData=[{"ItemID": item, "FolderID": trash}]))
        anna.sends(Message("MoveInventoryItem", InventoryData=[{"ItemID": item, "FolderID": target, "NewName": "Last"}]))
    await settle(sim)
    mine = sim.backbone.items[str(anna.id)]
    assert [(mine[str(item)]["parent_id"], mine[str(item)]["name"]) for item in items] == [(str(target), "Last")] * 151
    assert len(sim.backbone.called("change_items")) <= 2 and not anna.heard("AlertMessage")


async def test_what_is_gathered_keeps_its_place_among_other_changes(sim: TestSimulator) -> None:
    anna, folders = await owner(sim)
    root = UUID(folders[Folder.ROOT])
    ids = [UUID(sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS])["item_id"]) for _ in range(3)]
    boats, sails = uuid4(), uuid4()

    def new(folder: UUID) -> Message:
        return Message("CreateInventoryFolder", FolderData={"FolderID": folder, "ParentID": root, "Type": -1, "Name": "New"})

    def move(item: UUID, folder: UUID) -> Message:
        return Message("MoveInventoryItem", InventoryData=[{"ItemID": item, "FolderID": folder}])

    for wish in (move(ids[0], root), new(boats), move(ids[0], boats), move(ids[1], boats), new(sails), move(ids[1], sails)):
        anna.sends(wish)
    anna.sends(Message("RemoveInventoryItem", InventoryData=[{"ItemID": ids[2]}]))
    anna.sends(Message("MoveInventoryFolder", InventoryData=[{"FolderID": sails, "ParentID": boats}]))
    await settle(sim)
    mine = sim.backbone.items[str(anna.id)]
    assert {one: mine[str(one)]["parent_id"] for one in ids[:2]} == {ids[0]: str(boats), ids[1]: str(sails)}
    assert str(ids[2]) not in mine and sim.backbone.folders[str(anna.id)][str(sails)]["parent_id"] == str(boats)
    assert not anna.heard("AlertMessage")


async def test_what_was_refused_of_a_burst_is_told(sim: TestSimulator) -> None:
    anna, folders = await owner(sim)
    trash = UUID(folders[Folder.TRASH])
    item = UUID(sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS])["item_id"])
    for moved in (uuid4(), item, uuid4()):
        anna.sends(Message("MoveInventoryItem", InventoryData=[{"ItemID": moved, "FolderID": trash}]))
    await settle(sim)
    assert sim.backbone.items[str(anna.id)][str(item)]["parent_id"] == str(trash)
    (told,) = anna.heard("AlertMessage")
    assert "Of 3 changes" in text(told["AlertData"]["Message"]) and "and 1 more" in text(told["AlertData"]["Message"])
    sim.backbone.down = True
    anna.sends(Message("MoveInventoryItem", InventoryData=[{"ItemID": item, "FolderID": trash}]))
    await settle(sim)
    assert "not answering" in text(anna.heard("AlertMessage")[1]["AlertData"]["Message"])


# --- making items


def create(viewer: Viewer, kind: int, folder: UUID = NULL, **given: Any) -> None:
    block = {"CallbackID": 77, "FolderID": folder, "Type": kind, "InvType": kind, "Name": "New", "Description": "d"}
    viewer.sends(Message("CreateInventoryItem", InventoryBlock={**block, **given}))


@pytest.mark.parametrize(
    ("kind", "folder", "begins"),
    [
        (7, Folder.NOTECARDS, b"Linden text version 2"),
        (10, Folder.SCRIPTS, b"default"),
        (3, Folder.LANDMARKS, b"Landmark version 2"),
    ],
)
async def test_new_items_hold_the_empty_asset_of_their_kind(
    sim: TestSimulator, kind: int, folder: Folder, begins: bytes
) -> None:
    anna, folders = await owner(sim)
    create(anna, kind)
    await settle(sim)
    (reply,) = anna.heard("UpdateCreateInventoryItem")
    (block,) = reply["InventoryData"]
    assert (block["CallbackID"], block["Type"], text(block["Name"])) == (77, kind, "New")
    assert block["FolderID"] == UUID(folders[folder]) and block["OwnerID"] == anna.id
    assert sim.assets.stored[block["AssetID"]][0].startswith(begins)
    assert reply["AgentData"]["SimApproved"] is True


async def test_what_cannot_be_made_is_said(sim: TestSimulator) -> None:
    anna, folders = await owner(sim)
    create(anna, 5)
    create(anna, 7, TransactionID=uuid4())
    create(anna, 7, uuid4())
    await settle(sim)
    assert len(anna.heard("AlertMessage")) == 3 and not anna.heard("UpdateCreateInventoryItem")
    sim.assets.down = True
    create(anna, 7)
    await settle(sim)
    assert "asset store" in text(anna.heard("AlertMessage")[3]["AlertData"]["Message"])
    sim.assets.down = False
    sim.backbone.down = True
    create(anna, 7, UUID(folders[Folder.NOTECARDS]))
    await settle(sim)
    assert "not answering" in text(anna.heard("AlertMessage")[4]["AlertData"]["Message"])


async def test_links(sim: TestSimulator) -> None:
    anna, folders = await owner(sim)
    target, outfit = uuid4(), UUID(folders[Folder.CURRENT_OUTFIT])
    block = {"CallbackID": 5, "FolderID": outfit, "OldItemID": target, "Type": 24, "InvType": 18, "Name": "Shirt"}
    anna.sends(Message("LinkInventoryItem", InventoryBlock=block))
    anna.sends(Message("LinkInventoryItem", InventoryBlock={**block, "Type": 7}))
    await settle(sim)
    (reply,) = anna.heard("UpdateCreateInventoryItem")
    assert (reply["InventoryData"][0]["AssetID"], reply["InventoryData"][0]["CallbackID"]) == (target, 5)


# --- changing them


async def test_changes_stay_within_the_items_permissions(sim: TestSimulator) -> None:
    anna, folders = await owner(sim)
    item = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], base_mask=0x8000, owner_mask=0x8000)
    block = {
        "ItemID": UUID(item["item_id"]),
        "FolderID": UUID(folders[Folder.NOTECARDS]),
        "CallbackID": 9,
        "BaseMask": 0xFFFFFFFF,
        "OwnerMask": 0xFFFFFFFF,
        "EveryoneMask": 0xFFFFFFFF,
        "NextOwnerMask": 0xFFFFFFFF,
        "CreatorID": uuid4(),
        "Name": "Renamed",
        "SaleType": 200,
        "SalePrice": -5,
    }
    anna.sends(Message("UpdateInventoryItem", InventoryData=[block]))
    await settle(sim)
    assert (item["name"], item["base_mask"], item["owner_mask"]) == ("Renamed", 0x8000, 0x8000)
    assert (item["everyone_mask"], item["next_owner_mask"]) == (0x8000, 0x8000)
    assert (item["sale_type"], item["sale_price"], item["creator_id"]) == (3, 0, str(anna.id))
    assert anna.heard("UpdateCreateInventoryItem")[0]["InventoryData"][0]["CallbackID"] == 9


async def test_nobody_changes_what_another_has(sim: TestSimulator) -> None:
    anna, _ = await owner(sim)
    bert, folders = await owner(sim)
    item = sim.backbone.add_item(bert.id, folders[Folder.NOTECARDS])
    item_id = UUID(item["item_id"])
    anna.sends(Message("UpdateInventoryItem", InventoryData=[{"ItemID": item_id, "Name": "Mine"}]))
    anna.sends(Message("MoveInventoryItem", InventoryData=[{"ItemID": item_id, "FolderID": uuid4()}]))
    anna.sends(Message("RemoveInventoryItem", InventoryData=[{"ItemID": item_id}]))
    anna.sends(Message("ChangeInventoryItemFlags", InventoryData=[{"ItemID": item_id, "Flags": 1}]))
    anna.sends(Message("CopyInventoryItem", InventoryData=[{"OldAgentID": bert.id, "OldItemID": item_id}]))
    await settle(sim)
    assert item["name"] == "Thing" and not anna.heard("BulkUpdateInventory")
    assert all(arguments[0] == anna.id for name, arguments in sim.backbone.calls if name.endswith("_item"))


async def test_copies_are_told_in_bulk_with_their_callback(sim: TestSimulator) -> None:
    anna, folders = await owner(sim)
    item = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS])
    target = UUID(folders[Folder.OBJECTS])
    copy = {"CallbackID": 3, "OldAgentID": anna.id, "OldItemID": UUID(item["item_id"]), "NewFolderID": target}
    anna.sends(Message("CopyInventoryItem", InventoryData=[{**copy, "NewName": "Copy"}]))
    await settle(sim)
    (reply,) = anna.heard("BulkUpdateInventory")
    (block,) = reply["ItemData"]
    assert (block["CallbackID"], block["FolderID"], text(block["Name"])) == (3, target, "Copy")
    assert not anna.heard("UpdateCreateInventoryItem")


async def test_removing(sim: TestSimulator) -> None:
    anna, folders = await owner(sim)
    items = [UUID(sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS])["item_id"]) for _ in range(3)]
    anna.sends(Message("RemoveInventoryItem", InventoryData=[{"ItemID": items[0]}, {"ItemID": items[1]}]))
    folder = sim.backbone.add_folder(anna.id, uuid4(), folders[Folder.ROOT], "Old", -1)["folder_id"]
    both = {"ItemData": [{"ItemID": items[2]}], "FolderData": [{"FolderID": UUID(folder)}]}
    anna.sends(Message("RemoveInventoryObjects", **both))
    await settle(sim)
    assert not {str(item) for item in items} & set(sim.backbone.items[str(anna.id)])
    assert folder not in sim.backbone.folders[str(anna.id)]


# --- transfers


def item_params(
    viewer: Viewer, item: str, *, owner: UUID | None = None, thing: UUID = NULL, who: UUID | None = None
) -> bytes:
    ids = (who or viewer.id, viewer.agent.session_id, owner or viewer.id, thing, UUID(item), NULL)
    return b"".join(one.bytes for one in ids) + struct.pack("<i", 7)


async def transfer(sim: TestSimulator, viewer: Viewer, source: int, params: bytes) -> tuple[dict[str, Any], bytes]:
    viewer.forget()
    transfer_id = uuid4()
    asked = {"TransferID": transfer_id, "ChannelType": 2, "SourceType": source, "Params": params}
    viewer.sends(Message("TransferRequest", TransferInfo=asked))
    await settle(sim)
    (info,) = viewer.heard("TransferInfo")
    packets = [packet["TransferData"] for packet in viewer.heard("TransferPacket")]
    assert info["TransferInfo"]["TransferID"] == transfer_id
    assert [packet["Packet"] for packet in packets] == list(range(len(packets)))
    assert [packet["Status"] for packet in packets] == [0] * (len(packets) - 1) + [1] * bool(packets)
    assert bool(packets) == (info["TransferInfo"]["Status"] == 0)
    return info["TransferInfo"], b"".join(packet["Data"] for packet in packets)


@pytest.mark.parametrize("size", [0, 1, 1000, 1001, 65536])
async def test_an_items_asset(sim: TestSimulator, size: int) -> None:
    anna, folders = await owner(sim)
    asset_id, data = uuid4(), bytes(n % 251 for n in range(size))
    sim.assets.stored[asset_id] = (data, 7)
    item = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], asset_id=str(asset_id))["item_id"]
    info, got = await transfer(sim, anna, 3, item_params(anna, item))
    assert (info["Status"], info["Size"], got) == (0, size, data)
    assert info["Params"][80:96] == asset_id.bytes and len(info["Params"]) == 100


async def test_who_may_not_read(sim: TestSimulator) -> None:
    anna, folders = await owner(sim)
    bert, _ = await owner(sim)
    asset_id = uuid4()
    sim.assets.stored[asset_id] = (b"secret", 7)
    item = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], asset_id=str(asset_id))["item_id"]
    sealed = {"type": 10, "owner_mask": 0x2000, "asset_id": str(asset_id)}
    script = sim.backbone.add_item(anna.id, folders[Folder.SCRIPTS], **sealed)["item_id"]
    asset = asset_id.bytes + struct.pack("<i", 7)
    for viewer, source, params, status in (
        (bert, 3, item_params(bert, item), -2),
        (bert, 3, item_params(bert, item, owner=anna.id), -2),
        (bert, 3, item_params(bert, item, who=anna.id), -3),
        (anna, 3, item_params(anna, item, thing=uuid4()), -2),
        (anna, 3, item_params(anna, script), -3),
        (anna, 2, asset, -3),
        (anna, 2, b"short", -2),
        (anna, 3, b"short", -2),
        (anna, 4, b"", -2),
        (anna, 2, uuid4().bytes + struct.pack("<i", 0), -2),
    ):
        info, got = await transfer(sim, viewer, source, params)
        assert (info["Status"], got) == (status, b"")


async def test_the_store_says_what_kind_an_asset_is(sim: TestSimulator) -> None:
    """A script or notecard asked for as something else, or by a link or an item that claims to be something else."""
    bert, folders = await owner(sim)
    for kind in (7, 10, 6):
        sim.clock.advance(60.0)
        asset_id = uuid4()
        sim.assets.stored[asset_id] = (b"private", kind)
        for claimed in (0, 1, 7, 10, 20, -1):
            info, got = await transfer(sim, bert, 2, asset_id.bytes + struct.pack("<i", claimed))
            assert (info["Status"], got) == (-3, b"")
        link = sim.backbone.add_item(bert.id, folders[Folder.NOTECARDS], type=24, asset_id=str(asset_id))
        info, got = await transfer(sim, bert, 3, item_params(bert, link["item_id"]))
        assert (info["Status"], got) == (-2, b"")
    script = uuid4()
    sim.assets.stored[script] = (b"a script", 10)
    item = sim.backbone.add_item(bert.id, folders[Folder.NOTECARDS], type=7, owner_mask=0x2000, asset_id=str(script))
    assert (await transfer(sim, bert, 3, item_params(bert, item["item_id"])))[0]["Status"] == -3


async def test_a_link_is_read_as_the_own_item_it_names(sim: TestSimulator) -> None:
    anna, folders = await owner(sim)
    bert, theirs = await owner(sim)
    asset_id = uuid4()
    sim.assets.stored[asset_id] = (b"a note", 7)
    note = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], asset_id=str(asset_id))
    link = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], type=24, asset_id=note["item_id"])
    again = sim.backbone.add_item(anna.id, folders[Folder.NOTECARDS], type=24, asset_id=link["item_id"])
    foreign = sim.backbone.add_item(bert.id, theirs[Folder.NOTECARDS], type=24, asset_id=note["item_id"])
    assert (await transfer(sim, anna, 3, item_params(anna, link["item_id"])))[1] == b"a note"
    assert (await transfer(sim, anna, 3, item_params(anna, again["item_id"])))[0]["Status"] == -2
    assert (await transfer(sim, bert, 3, item_params(bert, foreign["item_id"])))[0]["Status"] == -2


async def test_the_asset_of_a_script_that_one_may_not_read_is_not_told(sim: TestSimulator) -> None:
    anna, folders = await owner(sim)
    ids = {"asset_id": str(uuid4())}
    open_script = sim.backbone.add_item(anna.id, folders[Folder.SCRIPTS], type=10, **ids)
    sealed = sim.backbone.add_item(anna.id, folders[Folder.SCRIPTS], type=10, owner_mask=0x2000, **ids)
    asked = {"items": [{"item_id": UUID(one["item_id"])} for one in (open_script, sealed)]}
    told = (await anna.cap("FetchInventory2", asked))["items"]
    assert [one["asset_id"] for one in told] == [UUID(ids["asset_id"]), NULL]
    folder = {"folder_id": UUID(folders[Folder.SCRIPTS]), "owner_id": anna.id, "fetch_folders": 1, "fetch_items": 1}
    (listed,) = (await anna.cap("FetchInventoryDescendents2", {"folders": [folder]}))["folders"]
    assert {one["asset_id"] for one in listed["items"]} == {UUID(ids["asset_id"]), NULL}
    assert item_block(sealed)["AssetID"] == NULL


async def test_a_hung_asset_store_holds_up_no_folders(sim: TestSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    anna, folders = await owner(sim)
    answer = asyncio.Event()

    async def hang(asset_id: UUID, data: bytes, type: int, uploader: UUID | None = None) -> bool:
        await answer.wait()
        return True

    monkeypatch.setattr(sim.assets, "put", hang)
    block = {"FolderID": UUID(folders[Folder.NOTECARDS]), "Type": 7, "InvType": 7, "Name": "Note", "NextOwnerMask": 0}
    anna.sends(Message("CreateInventoryItem", InventoryBlock=block))
    await asyncio.sleep(0)
    folder = {"folder_id": UUID(folders[Folder.NOTECARDS]), "owner_id": anna.id, "fetch_folders": 1, "fetch_items": 1}
    async with asyncio.timeout(5):
        read = await anna.cap("FetchInventoryDescendents2", {"folders": [folder]})
    assert len(read["folders"]) == 1 and not anna.heard("UpdateCreateInventoryItem")
    answer.set()
    await settle(sim)
    assert len(anna.heard("UpdateCreateInventoryItem")) == 1


async def test_public_assets_the_library_and_a_store_that_is_away(sim: TestSimulator) -> None:
    anna, _ = await owner(sim)
    asset_id = uuid4()
    sim.assets.stored[asset_id] = (b"texture", 0)
    params = asset_id.bytes + struct.pack("<i", 0)
    assert (await transfer(sim, anna, 2, params))[1] == b"texture"
    item = sim.backbone.add_item(LIBRARY_OWNER, uuid4(), asset_id=str(asset_id))["item_id"]
    assert (await transfer(sim, anna, 3, item_params(anna, item, owner=LIBRARY_OWNER)))[1] == b"texture"
    sim.assets.down = True
    assert (await transfer(sim, anna, 2, params))[0]["Status"] == -1
    sim.backbone.down = True
    assert (await transfer(sim, anna, 3, item_params(anna, item)))[0]["Status"] == -1
