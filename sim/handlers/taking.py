"""Objects into inventories and back: take, take a copy, delete to the trash, return to the owner, and rez.

What leaves the world, and what cannot be copied and leaves an inventory, goes by a move (`sim/moves.py`), whose steps each may be
repeated: asset and item get ids made from the transaction's. A copy is nothing that could be lost or doubled: asset, then item.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

from assets.client import AssetError
from backbone.client import BackboneError
from protocol.errors import ProtocolError
from protocol.inventory import Item, item_to_json
from protocol.message import Message
from protocol.wellknown import NULL, AssetType, Folder
from sim.actions import contents, may, take
from sim.actions.may import actor_of
from sim.actions.outcome import Refused
from sim.handlers import NEAR, ROOT, handles
from sim.handlers.building import RETURN, TAKE, TAKE_COPY, TRASH
from sim.handlers.contents import own_item, told_selectors
from sim.handlers.editors import BUILD, named, tell, waits_for_rights
from sim.handlers.inventory import default_folder, update_create_item
from sim.handlers.replies import ask, send, start
from sim.moves import INVENTORY_SILENT, STORE_SILENT, Came, Leaving
from sim.scripts.language.errors import CompileError
from sim.scripts.language.program import Program
from sim.scripts.machine.failures import BadState
from sim.world.agent import Agent, Vector
from sim.world.linkset import Linkset, gather
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.parts import Parts

log = logging.getLogger(__name__)

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
def derez_object(sim: Parts, agent: Agent, message: Message) -> None:
    block = message["AgentBlock"]
    prims = named(sim, agent, [data["ObjectLocalID"] for data in message["ObjectData"]])
    if waits_for_rights(sim, agent, message, prims):
        return
    roots = list({prim.linkset_root: None for prim in prims})[:MOST_OBJECTS]
    start(sim, agent, "derez", _derez(sim, agent, block, roots), order=ORDER)


async def _derez(sim: Parts, agent: Agent, block: dict[str, Any], roots: Sequence[Prim]) -> None:
    moves = _moves(sim, agent, block, [root for root in roots if root.row >= 0])
    done = sum([len(move.roots) for move in moves if await carry_out(sim, agent, move)])
    send(agent, Message("DeRezAck", TransactionData={"TransactionID": block["TransactionID"], "Success": 0 < done == len(roots)}))


def _moves(sim: Parts, agent: Agent, block: dict[str, Any], roots: Sequence[Prim]) -> list[Move]:
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


async def carry_out(sim: Parts, agent: Agent, move: Move) -> bool:
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
    made = await _into_inventory(sim, agent, move, item, data)
    if isinstance(made, Refused):
        tell(sim, agent, made, *move.roots)
        return False
    log.info("%d objects of %s went into the inventory of %s", len(move.roots), item.last_owner_id, move.receiver)
    receiver = sim.world.agents.get(move.receiver)
    if receiver is not None:
        # A client library waits for this form when it takes something.
        send(receiver, update_create_item(receiver, dict(made), 0, move.transaction))
    return True


async def _into_inventory(sim: Parts, agent: Agent, move: Move, item: Item, data: bytes) -> Mapping[str, Any] | Refused:
    """The item as Backbone has it."""
    folder = move.folder if move.folder != NULL else await default_folder(sim, move.receiver, int(move.kind))
    if folder is None:
        return Refused(INVENTORY_SILENT, "inventory")
    item.folder_id = folder
    if move.away:
        kind = {Folder.TRASH: "trash", Folder.LOST_AND_FOUND: "return"}.get(move.kind, "take")
        leaving = Leaving(kind, move.receiver, item_to_json(item), data=data, roots=move.roots)
        return await sim.moves.out(uuid5(item.item_id, "move"), leaving, actor_of(agent))
    try:
        await sim.assets.put(item.asset_id, data, AssetType.OBJECT)
    except AssetError:
        sim.metrics.count("service_errors", label="assets")
        return Refused(STORE_SILENT, "assets")
    made = await ask(sim, sim.backbone.create_item(move.receiver, item_to_json(item)))
    if isinstance(made, BackboneError):
        refused = 400 <= made.status < 500
        return Refused(f"Not taken: {made.title}." if refused else INVENTORY_SILENT, "inventory")
    return made


# --- into the world


@handles("RezObject", state=ROOT, rate=BUILD)
def rez_object(sim: Parts, agent: Agent, message: Message) -> None:
    """Out of the agent's inventory, or out of another object's contents, onto what the ray from the camera meets."""
    rez, group_id = message["RezData"], message["AgentData"]["GroupID"]
    start(sim, agent, "rez", _rez(sim, agent, rez, message["InventoryData"]["ItemID"], group_id), order=ORDER)


async def _rez(sim: Parts, agent: Agent, block: dict[str, Any], item_id: UUID, group_id: UUID) -> None:
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
    worn = any(root.worn is not None and root.worn.item_id == item.item_id for root in agent.worn)
    if source is None and worn and not take.may_keep(item):
        tell(sim, agent, Refused(may.WORN, "worn"))
        return
    middle = _rez_place(sim, block, linksets)

    def stand(item: Item) -> Came | Refused:
        if sim.world.agents.get(agent.agent_id) is not agent or not agent.root:
            return Refused("You have left this region.", "left")
        made = take.rez(sim.region, actor_of(agent), replace(item, owner_id=agent.agent_id), linksets, middle, group_id)
        if isinstance(made, Refused):
            return made
        _wake(sim, linksets, programs)
        for root in made if block["RezSelected"] else ():
            sim.interest.objects.select_at_creation(agent, root)
        return Came(made)

    inside = contents.find(source, item_id) if source is not None else item
    if inside is None or take.may_keep(inside):
        came = stand(item)
    elif source is None:
        came = await sim.moves.into(uuid4(), "rez", agent.agent_id, item_id, stand)
    else:
        came = _out_of(sim, agent, source, inside, lambda: stand(item))
    if isinstance(came, Refused):
        tell(sim, agent, came)
        return
    await sim.storage.durable()
    if source is None and inside is not None and not take.may_keep(inside):
        ids = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
        send(agent, Message("RemoveInventoryItem", AgentData=ids, InventoryData=[{"ItemID": item_id}]))


def _out_of(sim: Parts, agent: Agent, source: Prim, inside: Item, stand: Callable[[], Came | Refused]) -> Came | Refused:
    """What cannot be copied leaves the contents of an object for the world of the same region: one commit."""
    refused = sim.moves.refusal() or contents.refusal(actor_of(agent), source)
    came = refused or stand()
    if not isinstance(came, Refused):
        contents.remove(sim.region, actor_of(agent), source, inside.item_id)
        told_selectors(sim, source)
    return came


async def _read(sim: Parts, item: Item) -> tuple[list[Linkset], dict[str, Program]] | Refused:
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


def _rez_place(sim: Parts, block: dict[str, Any], linksets: Sequence[Linkset]) -> Vector:
    """Where the middle of the box around them goes: on what the ray meets, along its normal; else at the ray's end."""
    _, half = take.box_of(linksets)
    start_, end = block["RayStart"], block["RayEnd"]
    hit = None if block["BypassRaycast"] else sim.bodies.first_hit(start_, end)
    if hit is None:
        return end[0], end[1], end[2] + (half[2] if block["BypassRaycast"] else 0.0)
    point, normal = hit
    lift = sum(abs(part) * extent for part, extent in zip(normal, half, strict=True))
    return point[0] + normal[0] * lift, point[1] + normal[1] * lift, point[2] + normal[2] * lift


def _wake(sim: Parts, linksets: Sequence[Linkset], programs: dict[str, Program]) -> None:
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
