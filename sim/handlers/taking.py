"""Objects into inventories and back: take, take a copy, delete to the trash, return to the owner, and rez.

    take    the object is frozen and its form written -> the asset is stored -> the item is made -> the object goes
    rez     item and asset are read -> an item that cannot be copied leaves the inventory -> the object stands there

Every step may be repeated: asset and item get ids made from the transaction's. Where a step fails, what was frozen is free
again, an item that left is given back, and the person is told why.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

from assets.client import AssetError
from backbone.client import BackboneError
from protocol.errors import ProtocolError
from protocol.inventory import Item, item_to_json
from protocol.message import Message
from protocol.wellknown import NULL, AssetType, Folder
from sim.actions import contents, remove, take
from sim.actions.may import actor_of
from sim.actions.outcome import Refused
from sim.handlers import NEAR, ROOT, handles
from sim.handlers.building import RETURN, TAKE, TAKE_COPY, TRASH
from sim.handlers.contents import give_back, own_item, told_selectors
from sim.handlers.editors import BUILD, named, tell, waits_for_rights
from sim.handlers.inventory import default_folder, update_create_item
from sim.handlers.replies import ask, send, start
from sim.scripts.language.errors import CompileError
from sim.scripts.language.program import Program
from sim.scripts.machine.failures import BadState
from sim.world.agent import Agent, Vector
from sim.world.linkset import Linkset, gather
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.simulator import Simulator

log = logging.getLogger(__name__)

STORE_SILENT = "The object stays where it is: the asset store is not answering. Please try again."
INVENTORY_SILENT = "The object stays where it is: the grid's inventory service is not answering. Please try again."
NOT_REZZED = "The object was not rezzed: the grid's services are not answering. Please try again."
NO_ASSET = "That object cannot be rezzed: what it stands for is not in the asset store."
MOST_OBJECTS = 256  # in one request
ORDER = "moves"


@dataclass(slots=True)
class Move:
    """Linksets on their way into an inventory."""

    transaction: UUID
    roots: list[Prim]
    receiver: UUID
    folder: UUID  # null: the receiver's folder of that kind
    kind: Folder
    away: bool  # they leave the world; else a copy is taken


# --- out of the world


@handles("DeRezObject", state=NEAR, rate=BUILD)
def derez_object(sim: Simulator, agent: Agent, message: Message) -> None:
    block = message["AgentBlock"]
    prims = named(sim, agent, [data["ObjectLocalID"] for data in message["ObjectData"]])
    if waits_for_rights(sim, agent, message, prims):
        return
    roots = list({prim.linkset_root: None for prim in prims})[:MOST_OBJECTS]
    start(sim, agent, "derez", _derez(sim, agent, block, roots), order=ORDER)


async def _derez(sim: Simulator, agent: Agent, block: dict[str, Any], roots: Sequence[Prim]) -> None:
    moves = _moves(sim, agent, block, [root for root in roots if root.row >= 0])
    done = sum([len(move.roots) for move in moves if await carry_out(sim, agent, move)])
    send(agent, Message("DeRezAck", TransactionData={"TransactionID": block["TransactionID"], "Success": 0 < done == len(roots)}))


def _moves(sim: Simulator, agent: Agent, block: dict[str, Any], roots: Sequence[Prim]) -> list[Move]:
    """What is to be moved where, of what may be: everything in one item, or an item for each owner."""
    actor, destination = actor_of(agent), block["Destination"]
    allowed = []
    for root in roots:
        if destination == TAKE:
            refused = take.take_refusal(actor, root)
        elif destination == TAKE_COPY:
            refused = take.copy_refusal(actor, root)
        elif destination == TRASH:
            refused = take.trash_refusal(actor, root)
        elif destination == RETURN:
            refused = take.return_refusal(sim.region, actor, root)
        else:
            refused = Refused("Objects cannot be put there.", "no such destination")
        if refused is None:
            allowed.append(root)
        else:
            tell(sim, agent, refused, root)
    own = destination in (TAKE, TAKE_COPY)
    kind = {TRASH: Folder.TRASH, RETURN: Folder.LOST_AND_FOUND}.get(destination, Folder.OBJECTS)
    moves: dict[UUID, Move] = {}
    for root in allowed:
        receiver = agent.agent_id if own else root.owner_id
        move = moves.get(receiver)
        if move is None:
            folder = block["DestinationID"] if own or receiver == agent.agent_id else NULL
            given = block["TransactionID"]
            transaction = uuid5(given if given != NULL else uuid4(), str(receiver))
            move = moves[receiver] = Move(transaction, [], receiver, folder, kind, destination != TAKE_COPY)
        move.roots.append(root)
    return list(moves.values())


async def carry_out(sim: Simulator, agent: Agent, move: Move) -> bool:
    """One move, all of it or nothing. Whether it happened."""
    item = take.item_of(sim.region, move.roots, move.receiver)
    # Of the things as well as of the transaction: a viewer sends a long selection in several packets of one.
    things = " ".join(str(root.full_id) for root in move.roots)
    item.item_id, item.asset_id = uuid5(move.transaction, f"item {things}"), uuid5(move.transaction, f"asset {things}")
    try:
        data = take.pack(gather(sim.world.objects, move.roots, sim.clock.now(), sim.scripts.states))
    except ProtocolError as error:
        tell(sim, agent, Refused(f"This object cannot be taken: {error}.", "does not fit"), *move.roots)
        return False
    frozen = [root for root in move.roots if move.away and not root.leaving]  # what is crossing is frozen already
    stopped = _freeze(sim, frozen)
    made: dict[str, Any] | Refused = Refused(INVENTORY_SILENT, "inventory")
    try:
        made = await _into_inventory(sim, move, item, data)
    finally:
        if isinstance(made, Refused):
            _thaw(sim, frozen, stopped)
    if isinstance(made, Refused):
        tell(sim, agent, made, *move.roots)
        return False
    for root in move.roots if move.away else ():
        if root.row >= 0:
            root.leaving = False
            remove.remove(sim.region, root)
    if move.away:
        await sim.storage.durable()  # what is acknowledged has happened
    log.info("%d objects of %s went into the inventory of %s", len(move.roots), item.last_owner_id, move.receiver)
    receiver = sim.world.agents.get(move.receiver)
    if receiver is not None:
        # A client library waits for this form when it takes something.
        send(receiver, update_create_item(receiver, made, 0, move.transaction))
    return True


async def _into_inventory(sim: Simulator, move: Move, item: Item, data: bytes) -> dict[str, Any] | Refused:
    """Asset and item; the item as Backbone has it."""
    try:
        await sim.assets.put(item.asset_id, data, AssetType.OBJECT)
    except AssetError:
        sim.metrics.count("service_errors", label="assets")
        return Refused(STORE_SILENT, "assets")
    folder = move.folder if move.folder != NULL else await default_folder(sim, move.receiver, int(move.kind))
    if folder is None:
        return Refused(INVENTORY_SILENT, "inventory")
    item.folder_id = folder
    made = await ask(sim, sim.backbone.create_item(move.receiver, item_to_json(item)))
    if isinstance(made, BackboneError):
        refused = 400 <= made.status < 500
        return Refused(f"Not taken: {made.title}." if refused else INVENTORY_SILENT, "inventory")
    return made


def _freeze(sim: Simulator, roots: Sequence[Prim]) -> list[Script]:
    """Nobody changes what is on its way, and nothing in it runs: what was written is what goes."""
    stopped = []
    for root in roots:
        root.leaving = True
        sim.bodies.drop(root)
        for prim in root.linkset():
            for script in sim.scripts.of(prim):
                if script.is_running:
                    script.set_running(False)
                    stopped.append(script)
    return stopped


def _thaw(sim: Simulator, roots: Sequence[Prim], stopped: Sequence[Script]) -> None:
    for root in roots:
        if root.row >= 0 and root.leaving:
            root.leaving = False
            sim.bodies.rebuild(root)
    for script in stopped:
        script.set_running(True)


# --- into the world


@handles("RezObject", state=ROOT, rate=BUILD)
def rez_object(sim: Simulator, agent: Agent, message: Message) -> None:
    """Out of the agent's inventory, or out of another object's contents, onto what the ray from the camera meets."""
    rez, group_id = message["RezData"], message["AgentData"]["GroupID"]
    start(sim, agent, "rez", _rez(sim, agent, rez, message["InventoryData"]["ItemID"], group_id), order=ORDER)


async def _rez(sim: Simulator, agent: Agent, block: dict[str, Any], item_id: UUID, group_id: UUID) -> None:
    source = sim.world.objects.by_id.get(block["FromTaskID"]) if block["FromTaskID"] != NULL else None
    if block["FromTaskID"] != NULL:
        item = contents.out(actor_of(agent), source, item_id) if source is not None else Refused(contents.NO_SUCH, "no such object")
    else:
        item = await own_item(sim, agent, item_id)
    read = await _read(sim, item) if isinstance(item, Item) else item
    if isinstance(read, Refused) or isinstance(item, Refused):
        tell(sim, agent, read if isinstance(read, Refused) else item)  # type: ignore[arg-type]
        return
    linksets, programs = read
    inside = contents.find(source, item_id) if source is not None else item
    if inside is not None and not take.may_keep(inside) and not await _leave(sim, agent, source, item):
        return
    middle = _rez_place(sim, block, linksets)
    made: list[Prim] | Refused = Refused("You have left this region.", "left")
    if sim.world.agents.get(agent.agent_id) is agent and agent.root:
        actor = actor_of(agent)
        made = take.rez(sim.region, actor, replace(item, owner_id=agent.agent_id), linksets, middle, group_id)
    if isinstance(made, Refused):
        if inside is not None and not take.may_keep(inside):
            await _give_back(sim, agent, source, inside)
        tell(sim, agent, made)
        return
    _wake(sim, linksets, programs)
    if inside is not None and not take.may_keep(inside):
        await sim.storage.durable()
    for root in made if block["RezSelected"] else ():
        sim.interest.objects.select_at_creation(agent, root)


async def _read(sim: Simulator, item: Item) -> tuple[list[Linkset], dict[str, Program]] | Refused:
    """The linksets of an item, and the programs of all scripts in them."""
    if item.asset_type != AssetType.OBJECT:
        return Refused("That is not an object.", "no object")
    try:
        asset = await sim.assets.fetch(item.asset_id)
    except AssetError:
        sim.metrics.count("service_errors", label="assets")
        return Refused(NOT_REZZED, "assets")
    if asset is None or asset.type != AssetType.OBJECT:
        return Refused(NO_ASSET, "no asset")
    try:
        linksets = take.unpack(asset.data)
    except ProtocolError as error:
        sim.metrics.count("edits_refused", label="damaged asset")
        return Refused(f"That object cannot be rezzed: {error}.", "damaged asset")
    programs: dict[str, Program] = {}
    for linkset in linksets:
        for part in linkset.parts:
            for state in part.scripts:
                try:
                    programs[state.source] = await sim.scripts.compiled(state.source, item.owner_id)
                except CompileError:
                    log.warning("script %s of item %s does not compile any more", state.name, item.item_id)
    return linksets, programs


async def _leave(sim: Simulator, agent: Agent, source: Prim | None, item: Item) -> bool:
    """What cannot be copied leaves where it was. Whether it has."""
    if source is not None:
        gone = contents.remove(sim.region, actor_of(agent), source, item.item_id)
        if isinstance(gone, Refused):
            tell(sim, agent, gone, source)
            return False
        told_selectors(sim, source)
        return True
    left = await ask(sim, sim.backbone.delete_item(agent.agent_id, item.item_id))
    if isinstance(left, BackboneError):
        tell(sim, agent, Refused(NOT_REZZED, "inventory"))
        return False
    ids = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
    send(agent, Message("RemoveInventoryItem", AgentData=ids, InventoryData=[{"ItemID": item.item_id}]))
    return True


async def _give_back(sim: Simulator, agent: Agent, source: Prim | None, item: Item) -> None:
    if source is not None:
        if source.row >= 0:
            contents.put_back(sim.region, actor_of(agent), source, item)
        return
    await give_back(sim, agent, item)


def _rez_place(sim: Simulator, block: dict[str, Any], linksets: Sequence[Linkset]) -> Vector:
    """Where the middle of the box around them goes: on what the ray meets, along its normal; else at the ray's end."""
    _, half = take.box_of(linksets)
    start_, end = block["RayStart"], block["RayEnd"]
    hit = None if block["BypassRaycast"] else sim.bodies.first_hit(start_, end)
    if hit is None:
        return end[0], end[1], end[2] + (half[2] if block["BypassRaycast"] else 0.0)
    point, normal = hit
    lift = sum(abs(part) * extent for part, extent in zip(normal, half, strict=True))
    return point[0] + normal[0] * lift, point[1] + normal[1] * lift, point[2] + normal[2] * lift


def _wake(sim: Simulator, linksets: Sequence[Linkset], programs: dict[str, Program]) -> None:
    """Scripts go on where they were when the object was taken, and hear that it was rezzed."""
    for linkset in linksets:
        for part in linkset.parts:
            for state in part.scripts:
                program = programs.get(state.source)
                if program is None:
                    continue
                try:
                    script = sim.scripts.restore(part.prim, program, state.source, str(state.item_id), state.state)
                except BadState:
                    script = sim.scripts.start(part.prim, program, state.source, state.name, state.item_id)
                script.now = sim.world.time
                script.post("on_rez", 0)
            sim.scripts.flags(part.prim)
