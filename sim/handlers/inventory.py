"""Inventory by UDP: making, changing, moving, linking and removing folders and items.

Backbone owns inventories and checks whose things are whose; here a viewer's wishes become calls to it, one after the
other in the order they came, and the answers that clients wait for. What a wish may not touch is decided here: who made
a thing, who owns it and what its permissions started from stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from assets.client import AssetError
from backbone.client import BackboneError
from protocol.message import Message, clip, text
from protocol.wellknown import LIBRARY_OWNER, NULL, AssetType, Folder, InventoryType, Permission
from sim.handlers import OPEN, QUERY, handles
from sim.handlers.gathering import gather
from sim.handlers.replies import alert, ask, send, start, turn
from sim.handlers.transfers import shown_asset

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

NOT_ANSWERING = "Your inventory cannot be changed now: the grid's services are not answering. Please try again."
NO_UPLOADS = "This kind of item cannot be made here yet."

EMPTY_NOTECARD = b"Linden text version 2\n{\nLLEmbeddedItems version 1\n{\ncount 0\n}\nText length 0\n}\n\0"
DEFAULT_SCRIPT = b'default\n{\n    state_entry()\n    {\n        llSay(0, "Script running");\n    }\n}\n'

INVENTORY_TYPES = {
    AssetType.NOTECARD: InventoryType.NOTECARD,
    AssetType.LSL_TEXT: InventoryType.LSL,
    AssetType.LANDMARK: InventoryType.LANDMARK,
}


Step = Callable[[], Coroutine[Any, Any, Any]]


def _change(sim: Parts, agent: Agent, *steps: Step) -> None:
    """Carry out the steps one after the other, after all that was asked before."""
    start(sim, agent, "inventory", _in_turn(steps), order="inventory")


async def _in_turn(steps: tuple[Step, ...]) -> None:
    for step in steps:
        await step()


def _step(sim: Parts, agent: Agent, method: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kw: Any) -> Step:
    """A step that is one call to Backbone about this agent's inventory."""
    return partial(_done, sim, agent, method, agent.agent_id, *args, **kw)


async def _done(
    sim: Parts, agent: Agent, method: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kw: Any
) -> Any:
    """The result of a call to Backbone, or None when it refused or was silent, which the user is told."""
    result = await ask(sim, method(*args, **kw))
    if isinstance(result, BackboneError):
        alert(agent, f"Your inventory was not changed: {result.for_people()}")
        return None
    return result


# --- folders


@handles("CreateInventoryFolder", state=OPEN, rate=QUERY)
def create_inventory_folder(sim: Parts, agent: Agent, message: Message) -> None:
    data = message["FolderData"]
    new = (data["FolderID"], data["ParentID"], text(data["Name"]), max(data["Type"], -1))
    _change(sim, agent, _step(sim, agent, sim.backbone.create_folder, *new))


@handles("UpdateInventoryFolder", state=OPEN, rate=QUERY)
def update_inventory_folder(sim: Parts, agent: Agent, message: Message) -> None:
    steps = []
    for data in message["FolderData"]:
        changes: dict[str, Any] = {"name": text(data["Name"]), "type": max(data["Type"], -1)}
        if data["ParentID"] != NULL:
            changes["parent_id"] = str(data["ParentID"])
        steps.append(_step(sim, agent, sim.backbone.update_folder, data["FolderID"], **changes))
    _change(sim, agent, *steps)


@handles("MoveInventoryFolder", state=OPEN, rate=QUERY)
def move_inventory_folder(sim: Parts, agent: Agent, message: Message) -> None:
    blocks = message["InventoryData"]
    moves = [{"folder_id": str(data["FolderID"]), "parent_id": str(data["ParentID"])} for data in blocks]
    gather(sim, agent, [], folders=moves)


@handles("RemoveInventoryFolder", state=OPEN, rate=QUERY)
def remove_inventory_folder(sim: Parts, agent: Agent, message: Message) -> None:
    _change(sim, agent, *_removals(sim, agent, message["FolderData"], []))


@handles("PurgeInventoryDescendents", state=OPEN, rate=QUERY)
def purge_inventory_descendents(sim: Parts, agent: Agent, message: Message) -> None:
    _change(sim, agent, _step(sim, agent, sim.backbone.purge_folder, message["InventoryData"]["FolderID"]))


def _removals(sim: Parts, agent: Agent, folders: list[dict[str, Any]], items: list[dict[str, Any]]) -> list[Step]:
    gone = [_step(sim, agent, sim.backbone.delete_item, item["ItemID"]) for item in items]
    return gone + [_step(sim, agent, sim.backbone.delete_folder, folder["FolderID"]) for folder in folders]


# --- items: making


@handles("CreateInventoryItem", state=OPEN, rate=QUERY)
def create_inventory_item(sim: Parts, agent: Agent, message: Message) -> None:
    start(sim, agent, "inventory", _create_item(sim, agent, message["InventoryBlock"]))


async def _create_item(sim: Parts, agent: Agent, block: dict[str, Any]) -> None:
    """An item with the empty asset of its kind, told by UpdateCreateInventoryItem, which clients wait for.

    Its turn among the agent's changes comes when the asset is stored: nobody's folders wait for the asset store.
    """
    data = _first_content(sim, agent, block["Type"])
    if block["TransactionID"] != NULL or data is None:
        alert(agent, NO_UPLOADS)
        return
    asset_id = uuid4()
    try:
        await sim.assets.put(asset_id, data, block["Type"], agent.agent_id)
    except AssetError as error:
        sim.metrics.count("service_errors", label="assets")
        alert(agent, f"The item was not made. {error.for_people()}")
        return
    item = {
        "asset_id": str(asset_id),
        "name": text(block["Name"]),
        "desc": text(block["Description"]),
        "type": block["Type"],
        "inv_type": int(INVENTORY_TYPES[block["Type"]]),
        "next_owner_mask": block["NextOwnerMask"] & Permission.ALL or Permission.MOVE | Permission.TRANSFER,
    }
    async with turn(agent, "inventory"):
        await _add(sim, agent, block, item)


def _first_content(sim: Parts, agent: Agent, kind: int) -> bytes | None:
    """What a new item of that asset type holds; None for kinds that have to be uploaded."""
    if kind == AssetType.NOTECARD:
        return EMPTY_NOTECARD
    if kind == AssetType.LSL_TEXT:
        return DEFAULT_SCRIPT
    if kind == AssetType.LANDMARK:
        x, y, z = sim.world.position(agent)
        facts = sim.world.facts
        place = f"region_id {facts.region_id}\nlocal_pos {x:.3f} {y:.3f} {z:.3f}\nregion_handle {facts.handle}\n"
        return f"Landmark version 2\n{place}\0".encode()
    return None


@handles("LinkInventoryItem", state=OPEN, rate=QUERY)
def link_inventory_item(sim: Parts, agent: Agent, message: Message) -> None:
    block = message["InventoryBlock"]
    if block["Type"] not in (AssetType.LINK, AssetType.FOLDER_LINK):
        sim.metrics.count("messages_dropped", label="malformed")
        return
    item = {
        "asset_id": str(block["OldItemID"]),
        "name": text(block["Name"]),
        "desc": text(block["Description"]),
        "type": block["Type"],
        "inv_type": max(block["InvType"], -1),
    }
    _change(sim, agent, partial(_add, sim, agent, block, item))


async def _add(sim: Parts, agent: Agent, block: dict[str, Any], item: dict[str, Any]) -> None:
    folder = block["FolderID"]
    if folder == NULL:
        folder = await default_folder(sim, agent.agent_id, block["Type"])
    made = None
    if folder is not None:
        whole = {**item, "parent_id": str(folder)}
        made = await _done(sim, agent, sim.backbone.create_item, agent.agent_id, whole)
    if made is not None:
        send(agent, update_create_item(agent, made, block["CallbackID"], block["TransactionID"]))


async def default_folder(sim: Parts, agent_id: UUID, kind: int) -> UUID | None:
    """The system folder for an asset type, else the root; None when Backbone does not answer."""
    skeleton = await ask(sim, sim.backbone.get_inventory_skeleton(agent_id))
    if isinstance(skeleton, BackboneError):
        return None
    by_type = {folder["type"]: folder["folder_id"] for folder in skeleton["folders"]}
    found = by_type.get(kind) or by_type.get(int(Folder.ROOT)) or skeleton["root"]
    return UUID(found)


# --- items: changing, moving, copying, removing


@handles("UpdateInventoryItem", state=OPEN, rate=QUERY)
def update_inventory_item(sim: Parts, agent: Agent, message: Message) -> None:
    _change(sim, agent, *(partial(_update_item, sim, agent, block) for block in message["InventoryData"]))


async def _update_item(sim: Parts, agent: Agent, block: dict[str, Any]) -> None:
    """Name, description, price, and what others and the next owner may do, within what the item itself allows."""
    if block["TransactionID"] != NULL:
        alert(agent, NO_UPLOADS)
        return
    found = await _done(sim, agent, sim.backbone.fetch_items, agent.agent_id, [block["ItemID"]])
    if not found:
        return
    allowed = found[0]["base_mask"]
    changes = {
        "name": text(block["Name"]),
        "desc": text(block["Description"]),
        "flags": block["Flags"],
        "group_mask": block["GroupMask"] & allowed,
        "everyone_mask": block["EveryoneMask"] & allowed,
        "next_owner_mask": block["NextOwnerMask"] & allowed,
        "sale_type": min(block["SaleType"], 3),
        "sale_price": max(block["SalePrice"], 0),
    }
    if block["FolderID"] != NULL:
        changes["parent_id"] = str(block["FolderID"])
    changed = await _done(sim, agent, sim.backbone.update_item, agent.agent_id, block["ItemID"], **changes)
    if changed is not None and block["CallbackID"]:
        send(agent, update_create_item(agent, changed, block["CallbackID"], NULL))


@handles("ChangeInventoryItemFlags", state=OPEN, rate=QUERY)
def change_inventory_item_flags(sim: Parts, agent: Agent, message: Message) -> None:
    blocks = message["InventoryData"]
    gather(sim, agent, [{"item_id": str(block["ItemID"]), "flags": block["Flags"]} for block in blocks])


@handles("MoveInventoryItem", state=OPEN, rate=QUERY)
def move_inventory_item(sim: Parts, agent: Agent, message: Message) -> None:
    moves = []
    for block in message["InventoryData"]:
        changes = {"item_id": str(block["ItemID"]), "parent_id": str(block["FolderID"])}
        if name := text(block["NewName"]):
            changes["name"] = name
        moves.append(changes)
    gather(sim, agent, moves)


@handles("CopyInventoryItem", state=OPEN, rate=QUERY)
def copy_inventory_item(sim: Parts, agent: Agent, message: Message) -> None:
    own = (agent.agent_id, LIBRARY_OWNER, NULL)
    allowed = [block for block in message["InventoryData"] if block["OldAgentID"] in own]
    _change(sim, agent, *(partial(_copy_item, sim, agent, block) for block in allowed))


async def _copy_item(sim: Parts, agent: Agent, block: dict[str, Any]) -> None:
    """Told by BulkUpdateInventory: node-metaverse waits for that and nothing else."""
    folder = block["NewFolderID"] if block["NewFolderID"] != NULL else await default_folder(sim, agent.agent_id, -2)
    if folder is None:
        alert(agent, NOT_ANSWERING)
        return
    wanted = (block["OldItemID"], folder, text(block["NewName"]))
    copy = await _done(sim, agent, sim.backbone.copy_item, agent.agent_id, *wanted)
    if copy is not None:
        send(agent, bulk_update(agent, [copy], block["CallbackID"]))


@handles("RemoveInventoryItem", state=OPEN, rate=QUERY)
def remove_inventory_item(sim: Parts, agent: Agent, message: Message) -> None:
    gather(sim, agent, [], [block["ItemID"] for block in message["InventoryData"]])


@handles("RemoveInventoryObjects", state=OPEN, rate=QUERY)
def remove_inventory_objects(sim: Parts, agent: Agent, message: Message) -> None:
    _change(sim, agent, *_removals(sim, agent, message["FolderData"], message["ItemData"]))


# --- telling


def item_block(item: dict[str, Any], callback: int = 0) -> dict[str, Any]:
    """An item of Backbone as the InventoryData or ItemData block that several messages share."""
    return {
        "ItemID": UUID(item["item_id"]),
        "FolderID": UUID(item["parent_id"]),
        "CallbackID": callback,
        "CreatorID": UUID(item["creator_id"]),
        "OwnerID": UUID(item["owner_id"]),
        "GroupID": UUID(item["group_id"]),
        "BaseMask": item["base_mask"],
        "OwnerMask": item["owner_mask"],
        "GroupMask": item["group_mask"],
        "EveryoneMask": item["everyone_mask"],
        "NextOwnerMask": item["next_owner_mask"],
        "GroupOwned": bool(item["is_owner_group"]),
        "AssetID": shown_asset(item),
        "Type": item["type"],
        "InvType": item["inv_type"],
        "Flags": item["flags"],
        "SaleType": item["sale_type"],
        "SalePrice": item["sale_price"],
        "Name": clip(item["name"], 128),
        "Description": clip(item["desc"], 255),
        "CreationDate": item["created_at"],
    }


def update_create_item(agent: Agent, item: dict[str, Any], callback: int, transaction: UUID) -> Message:
    data = {"AgentID": agent.agent_id, "SimApproved": True, "TransactionID": transaction}
    return Message("UpdateCreateInventoryItem", AgentData=data, InventoryData=[item_block(item, callback)])


def bulk_update(
    agent: Agent, items: list[dict[str, Any]], callback: int = 0, folders: Sequence[dict[str, Any]] = ()
) -> Message:
    data = {"AgentID": agent.agent_id, "TransactionID": uuid4()}
    blocks = [item_block(item, callback) for item in items]
    told = [
        {
            "FolderID": UUID(folder["folder_id"]),
            "ParentID": UUID(folder["parent_id"]),
            "Type": folder["type"],
            "Name": clip(folder["name"], 128),
        }
        for folder in folders
    ]
    return Message("BulkUpdateInventory", AgentData=data, FolderData=told, ItemData=blocks)
