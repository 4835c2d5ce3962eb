"""Object contents by UDP: looking in, dropping things in, taking them out, and the scripts among them.

Changes of one agent happen one after the other, and a look waits for those that were asked before it, so that a viewer that
puts a script in and looks at once finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from assets.client import AssetError
from backbone.client import BackboneError
from protocol import contents_file
from protocol.errors import ProtocolError
from protocol.events import event
from protocol.inventory import Item, item_from_json, item_to_json
from protocol.message import Message, text
from protocol.permissions import Masks
from protocol.wellknown import LIBRARY_OWNER, NULL, AssetType, InventoryType, Permission
from sim.actions import contents
from sim.actions.contents import Wish
from sim.actions.may import actor_of
from sim.actions.outcome import Refused
from sim.handlers import NEAR, OPEN, QUERY, Rate, handles
from sim.handlers.editors import named, tell, waits_for_rights
from sim.handlers.inventory import DEFAULT_SCRIPT, bulk_update, default_folder
from sim.handlers.replies import alert, ask, send, start
from sim.handlers.selecting import properties_messages
from sim.handlers.transfers import may_read
from sim.moves import Came, Leaving
from sim.world.agent import Agent
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.parts import Parts

CHANGES = Rate("contents", 20.0, 200.0)
ITEM = 0  # UpdateTaskInventory.Key; the others are history
ORDER = "contents"
NOT_ANSWERING = "Nothing was put into the object: the grid's services are not answering. Please try again."
STORE_SILENT = "The script was not made: the asset store is not answering. Please try again."
UNREADABLE = "You may not read this script, so it cannot be put into an object of yours."


def shown_asset(agent: Agent, prim: Prim, item: Item) -> UUID:
    """The asset id of an item as this agent is told it."""
    return item.asset_id if contents.may_read(actor_of(agent), prim, item) else NULL


def told_selectors(sim: Parts, prim: Prim) -> None:
    """Who has the object selected is told its properties anew: the serial of its contents is among them."""
    for agent in sim.interest.objects.selectors(prim):
        for reply in properties_messages([prim]):
            send(agent, reply)


# --- looking


@handles("RequestTaskInventory", state=NEAR, rate=QUERY)
def request_task_inventory(sim: Parts, agent: Agent, message: Message) -> None:
    for prim in named(sim, agent, [message["InventoryData"]["LocalID"]]):
        start(sim, agent, "contents", _show(sim, agent, prim), order=ORDER)


async def _show(sim: Parts, agent: Agent, prim: Prim) -> None:
    name = ""
    if prim.contents:
        data = contents_file.write(prim.full_id, prim.contents, lambda item: shown_asset(agent, prim, item))
        name = sim.xfers.offer(agent, data)
    block = {"TaskID": prim.full_id, "Serial": prim.inventory_serial, "Filename": name.encode() + b"\0" if name else b""}
    send(agent, Message("ReplyTaskInventory", InventoryData=block))


# --- putting in, changing, taking out


@handles("UpdateTaskInventory", state=NEAR, rate=CHANGES)
def update_task_inventory(sim: Parts, agent: Agent, message: Message) -> None:
    """An item that is in the object is changed; one that is not comes from the agent's inventory."""
    update, block = message["UpdateData"], message["InventoryData"]
    prims = named(sim, agent, [update["LocalID"]])
    if update["Key"] != ITEM or not prims or waits_for_rights(sim, agent, message, prims):
        return
    prim = prims[0]
    if contents.find(prim, block["ItemID"]) is not None:
        start(sim, agent, "contents", _change(sim, agent, prim, block), order=ORDER)
    else:
        start(sim, agent, "contents", _drop_in(sim, agent, prim, block["ItemID"]), order=ORDER)


async def _change(sim: Parts, agent: Agent, prim: Prim, block: dict[str, Any]) -> None:
    wish = Wish(
        text(block["Name"]), text(block["Description"]), block["GroupMask"], block["EveryoneMask"], block["NextOwnerMask"],
        block["SaleType"], block["SalePrice"],
    )  # fmt: skip
    refused = contents.change(sim.region, actor_of(agent), prim, block["ItemID"], wish)
    if refused is not None:
        tell(sim, agent, refused, prim)
        return
    item = contents.find(prim, block["ItemID"])
    script = sim.scripts.find(prim, block["ItemID"])
    if script is not None and item is not None:
        script.name = item.name
    told_selectors(sim, prim)


async def _drop_in(sim: Parts, agent: Agent, prim: Prim, item_id: UUID) -> None:
    """Of what can be copied a copy goes in; what cannot leaves the inventory for the object."""
    refused = contents.refusal(actor_of(agent), prim)
    if refused is not None:
        tell(sim, agent, refused, prim)
        return
    item = await own_item(sim, agent, item_id)
    if isinstance(item, Refused):
        tell(sim, agent, item, prim)
        return
    copyable = bool(item.permissions.owner & Permission.COPY) or item.owner_id == LIBRARY_OWNER

    def put(item: Item) -> Came | Refused:
        if prim.row < 0:
            return Refused(contents.NO_SUCH, "gone")
        inside = contents.put(sim.region, actor_of(agent), prim, item)
        return inside if isinstance(inside, Refused) else Came(prim=prim, item_id=inside.item_id)

    came = put(item) if copyable else await sim.moves.into(uuid4(), "put in", agent.agent_id, item_id, put)
    if isinstance(came, Refused):
        tell(sim, agent, came, prim)
        return
    await sim.storage.durable()  # what is acknowledged has happened
    if not copyable:
        ids = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
        send(agent, Message("RemoveInventoryItem", AgentData=ids, InventoryData=[{"ItemID": item_id}]))
    told_selectors(sim, prim)


async def own_item(sim: Parts, agent: Agent, item_id: UUID) -> Item | Refused:
    """An item of the agent's own inventory, or of the library's."""
    for owner in (agent.agent_id, LIBRARY_OWNER):
        found = await ask(sim, sim.backbone.fetch_items(owner, [item_id]))
        if isinstance(found, BackboneError):
            return Refused(NOT_ANSWERING, "inventory")
        if found:
            try:
                return item_from_json(found[0])
            except ProtocolError as error:
                return Refused(f"That item cannot be used: {error}.", "unreadable item")
    return Refused("That item is not in your inventory.", "no such item")


@handles("RemoveTaskInventory", state=NEAR, rate=CHANGES)
def remove_task_inventory(sim: Parts, agent: Agent, message: Message) -> None:
    block = message["InventoryData"]
    prims = named(sim, agent, [block["LocalID"]])
    if prims and not waits_for_rights(sim, agent, message, prims):
        start(sim, agent, "contents", _remove(sim, agent, prims[0], block["ItemID"]), order=ORDER)


async def _remove(sim: Parts, agent: Agent, prim: Prim, item_id: UUID) -> None:
    gone = contents.remove(sim.region, actor_of(agent), prim, item_id)
    if isinstance(gone, Refused):
        tell(sim, agent, gone, prim)
        return
    sim.scripts.remove_item(prim, item_id)
    await sim.storage.durable()
    told_selectors(sim, prim)


@handles("MoveTaskInventory", state=NEAR, rate=CHANGES)
def move_task_inventory(sim: Parts, agent: Agent, message: Message) -> None:
    """Out of an object into the agent's inventory: a copy, or the thing itself where it cannot be copied."""
    block = message["InventoryData"]
    prims = named(sim, agent, [block["LocalID"]])
    if prims and not waits_for_rights(sim, agent, message, prims):
        folder = message["AgentData"]["FolderID"]
        start(sim, agent, "contents", _take_out(sim, agent, prims[0], block["ItemID"], folder), order=ORDER)


async def _take_out(sim: Parts, agent: Agent, prim: Prim, item_id: UUID, folder: UUID) -> None:
    item = contents.out(actor_of(agent), prim, item_id)
    if isinstance(item, Refused):
        tell(sim, agent, item, prim)
        return
    if folder == NULL:
        found = await default_folder(sim, agent.agent_id, item.asset_type)
        if found is None:
            tell(sim, agent, Refused(NOT_ANSWERING, "inventory"), prim)
            return
        folder = found
    inside = contents.find(prim, item_id)
    if inside is None:
        tell(sim, agent, Refused(contents.NO_SUCH, "no such item"), prim)
        return
    copyable = bool(inside.permissions.owner & Permission.COPY)
    item.folder_id = folder
    item.item_id = uuid4()
    if item.asset_id == NULL and item.is_script and not await _store_source(sim, prim, item_id, item):
        alert(agent, STORE_SILENT)
        return
    if copyable:
        made: Any = await ask(sim, sim.backbone.create_item(agent.agent_id, item_to_json(item)))
        if isinstance(made, BackboneError):
            made = Refused(NOT_ANSWERING if made.status == 0 or made.status >= 500 else f"Not taken: {made.title}.", "inventory")
    else:
        leaving = Leaving("take out", agent.agent_id, item_to_json(item), prim=prim, inside=inside)
        made = await sim.moves.out(uuid4(), leaving, actor_of(agent))
    if isinstance(made, Refused):
        tell(sim, agent, made, prim)
        return
    send(agent, bulk_update(agent, [dict(made)]))
    told_selectors(sim, prim)


async def _store_source(sim: Parts, prim: Prim, item_id: UUID, item: Item) -> bool:
    """A script that a scene brought has no asset until somebody takes it out."""
    script = sim.scripts.find(prim, item_id)
    if script is None:
        return False
    item.asset_id = uuid4()
    try:
        await sim.assets.put(item.asset_id, script.source.encode(), AssetType.LSL_TEXT)
    except AssetError:
        sim.metrics.count("service_errors", label="assets")
        return False
    return True


# --- scripts


@handles("RezScript", state=NEAR, rate=CHANGES)
def rez_script(sim: Parts, agent: Agent, message: Message) -> None:
    """A new script, or one of the agent's inventory, into an object; it runs at once if it is enabled."""
    update, block = message["UpdateBlock"], message["InventoryBlock"]
    prims = named(sim, agent, [update["ObjectLocalID"]])
    if not prims and block["FolderID"] in sim.world.objects.by_id:
        prims = [sim.world.objects.by_id[block["FolderID"]]]
    if prims and not waits_for_rights(sim, agent, message, prims):
        start(sim, agent, "contents", _rez_script(sim, agent, prims[0], block, update["Enabled"]), order=ORDER)


async def _rez_script(sim: Parts, agent: Agent, prim: Prim, block: dict[str, Any], running: bool) -> None:
    refused = contents.refusal(actor_of(agent), prim)
    if refused is not None:
        tell(sim, agent, refused, prim)
        return
    if block["ItemID"] == NULL:
        item: Item | Refused = _new_script(sim, agent, block)
        source: str | Refused = DEFAULT_SCRIPT.decode()
    else:
        item = await own_item(sim, agent, block["ItemID"])
        source = await _source_of(sim, item) if isinstance(item, Item) else item
    if isinstance(item, Refused) or isinstance(source, Refused):
        tell(sim, agent, item if isinstance(item, Refused) else source, prim)  # type: ignore[arg-type]
        return
    if block["ItemID"] == NULL:
        try:
            await sim.assets.put(item.asset_id, source.encode(), AssetType.LSL_TEXT, agent.agent_id)
        except AssetError:
            sim.metrics.count("service_errors", label="assets")
            tell(sim, agent, Refused(STORE_SILENT, "assets"), prim)
            return
    inside = Refused(contents.NO_SUCH, "gone") if prim.row < 0 else contents.put(sim.region, actor_of(agent), prim, item)
    if isinstance(inside, Refused):
        tell(sim, agent, inside, prim)
        return
    errors = await sim.scripts.run_item(prim, inside, source, running)
    await sim.storage.durable()
    told_selectors(sim, prim)
    if errors:
        alert(agent, f"{inside.name} does not compile: {errors[0]}")


def _new_script(sim: Parts, agent: Agent, block: dict[str, Any]) -> Item:
    masks = Masks(next_owner=block["NextOwnerMask"] & Permission.ALL or Permission.MOVE | Permission.TRANSFER)
    return Item(
        uuid4(), uuid4(), text(block["Name"]) or "New Script", text(block["Description"]), agent.agent_id, agent.agent_id,
        agent.agent_id, asset_type=int(AssetType.LSL_TEXT), inventory_type=int(InventoryType.LSL), permissions=masks,
        created=int(sim.clock.unix()),
    )  # fmt: skip


async def _source_of(sim: Parts, item: Item) -> str | Refused:
    if not item.is_script:
        return Refused("That is not a script.", "no script")
    if not may_read(item_to_json(item)) and not item.permissions.owner & Permission.COPY:
        return Refused(UNREADABLE, "no copy")
    try:
        asset = await sim.assets.fetch(item.asset_id)
    except AssetError:
        sim.metrics.count("service_errors", label="assets")
        return Refused(STORE_SILENT, "assets")
    if asset is None or asset.type != AssetType.LSL_TEXT:
        return Refused("The text of that script is not there.", "no asset")
    return asset.data.rstrip(b"\0").decode("utf-8", "replace")


@handles("GetScriptRunning", state=OPEN, rate=QUERY)
def get_script_running(sim: Parts, agent: Agent, message: Message) -> None:
    asked = message["Script"]
    start(sim, agent, "contents", _tell_running(sim, agent, asked["ObjectID"], asked["ItemID"]), order=ORDER)


async def _tell_running(sim: Parts, agent: Agent, object_id: UUID, item_id: UUID) -> None:
    prim = sim.world.objects.by_id.get(object_id)
    if prim is None or agent.events is None or contents.find(prim, item_id) is None:
        return
    script = sim.scripts.find(prim, item_id)
    running = script is not None and script.is_running
    told = {"ObjectID": object_id, "ItemID": item_id, "Running": running}
    body = event(Message("ScriptRunningReply", Script=told))
    agent.events.post(body)


@handles("SetScriptRunning", state=NEAR, rate=CHANGES)
def set_script_running(sim: Parts, agent: Agent, message: Message) -> None:
    asked = message["Script"]
    prim = sim.world.objects.by_id.get(asked["ObjectID"])
    if prim is not None and not waits_for_rights(sim, agent, message, [prim]):
        start(sim, agent, "contents", _set_running(sim, agent, prim, asked["ItemID"], asked["Running"]), order=ORDER)


async def _set_running(sim: Parts, agent: Agent, prim: Prim, item_id: UUID, running: bool) -> None:
    refused = contents.refusal(actor_of(agent), prim)
    script = sim.scripts.find(prim, item_id)
    if refused is not None:
        tell(sim, agent, refused, prim)
    elif script is not None:
        script.now = sim.world.time
        script.set_running(running)


@handles("ScriptReset", state=NEAR, rate=CHANGES)
def script_reset(sim: Parts, agent: Agent, message: Message) -> None:
    asked = message["Script"]
    prim = sim.world.objects.by_id.get(asked["ObjectID"])
    if prim is not None and not waits_for_rights(sim, agent, message, [prim]):
        start(sim, agent, "contents", _reset(sim, agent, prim, asked["ItemID"]), order=ORDER)


async def _reset(sim: Parts, agent: Agent, prim: Prim, item_id: UUID) -> None:
    refused = contents.refusal(actor_of(agent), prim)
    script = sim.scripts.find(prim, item_id)
    if refused is not None:
        tell(sim, agent, refused, prim)
    elif script is not None:
        script.now = sim.world.time
        script.reset()
