"""Objects come, are copied, joined, taken apart and go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from protocol.message import Message
from protocol.wellknown import NULL, Permission
from sim.handlers import ROOT, Rate, handles
from sim.handlers.replies import alert, send
from sim.handlers.selecting import properties_messages
from sim.world.agent import Agent, Vector
from sim.world.linkset import copy_prim
from sim.world.objects import MAX_HEIGHT, MAX_SCALE, MIN_SCALE, Prim
from sim.world.shapes import clean_shape

if TYPE_CHECKING:
    from sim.simulator import Simulator

BUILD = Rate("build", 60.0, 600.0)  # blocks of editing messages: dragging an object sends many
CREATE_SELECTED = 0x2
USE_PHYSICS, TEMPORARY = 0x1, 0x20000000
PARCEL_CREATE = 0x40  # ParcelFlags: anybody may create objects
CAPACITY = 30_000  # prims a region holds
LEAVING = "That object is just going over to another region. Nothing about it was changed: please try again over there."
PCODES = (9, 95, 111, 255)  # prim, grass, new tree, tree
TEMPORARY_SECONDS = 60.0

TAKE_COPY, TAKE, TRASH, RETURN = 1, 4, 6, 9  # DeRezObject destinations


# --- who may


def may(agent: Agent, prim: Prim, permission: int) -> bool:
    """Whether the agent has this permission on the object: as its owner, or because everyone has."""
    masks = prim.linkset_root.permissions if permission == Permission.MOVE else prim.permissions
    if prim.owner_id == agent.agent_id:
        return bool(masks.owner & permission)
    return bool(masks.everyone & permission)


def is_leaving(sim: Simulator, agent: Agent, local_id: int) -> bool:
    """Whether the object is just being handed to another region, or has just gone: a change might be lost, and is refused.

    The agent is told so, once, and shown how the object is, since its viewer has drawn the change already.
    """
    told = sim.neighbours.objects.told(local_id)
    if told is None:
        return False
    sim.metrics.count("messages_dropped", label="object is crossing")
    prim = sim.world.objects.by_local_id.get(local_id)
    if prim is not None:
        sim.interest.objects.show(agent, [prim])
    if agent not in told:
        told.add(agent)
        alert(agent, LEAVING)
    return True


def chosen(
    sim: Simulator, agent: Agent, message: Message, permission: int, field: str = "ObjectLocalID"
) -> list[tuple[Prim, dict[str, Any]]]:
    """The prims a message names, with its block for each, as far as they exist and the agent may do this to them.

    Whom it may not is shown the true state again, since its viewer has drawn the change already.
    """
    found = []
    for block in message["ObjectData"]:
        prim = sim.world.objects.by_local_id.get(block[field])
        if is_leaving(sim, agent, block[field]) or prim is None:
            continue
        if may(agent, prim, permission):
            found.append((prim, block))
        else:
            sim.interest.objects.show(agent, [prim])
    return found


# --- coming


@handles("ObjectAdd", state=ROOT, rate=BUILD)
def object_add(sim: Simulator, agent: Agent, message: Message) -> None:
    block = message["ObjectData"]
    scale = clean_scale(block["Scale"])
    rotation = block["Rotation"]
    position = rez_position(sim, block, scale)
    refusal = why_not_here(sim, agent, position, 1)
    if refusal:
        alert(agent, refusal)
        return
    now = int(sim.clock.unix() * 1e6)
    prim = Prim(uuid4(), agent.agent_id, agent.agent_id, last_owner_id=agent.agent_id, created=now)
    prim.group_id = message["AgentData"]["GroupID"]
    prim.name = "Primitive"
    prim.pcode = block["PCode"] if block["PCode"] in PCODES else 9
    prim.state = block["State"] if prim.pcode != 9 else 0
    prim.material = min(block["Material"], 7)
    prim.shape = clean_shape(block)
    sim.world.objects.add(prim, sim.world.new_local_id(), position, rotation, scale)
    flags = block["AddFlags"]
    prim.physical = bool(flags & USE_PHYSICS) and prim.pcode == 9
    if flags & TEMPORARY:
        make_temporary(sim, prim, True)
    if flags & CREATE_SELECTED:
        sim.interest.objects.select_at_creation(agent, prim)
        for reply in properties_messages(sim, [prim]):
            send(agent, reply)


def rez_position(sim: Simulator, block: dict[str, Any], scale: Vector) -> Vector:
    """Where a new object goes: on what the ray from the camera meets, or at the ray's end."""
    start, end = block["RayStart"], block["RayEnd"]
    if block["BypassRaycast"]:
        # The end is a point on a surface, as far as the viewer knows: stand on it.
        return clean_position(sim, (end[0], end[1], end[2] + scale[2] / 2))
    hit = sim.bodies.first_hit(start, end)
    if hit is None:
        return clean_position(sim, end)
    point, normal = hit
    lift = abs(normal[0]) * scale[0] / 2 + abs(normal[1]) * scale[1] / 2 + abs(normal[2]) * scale[2] / 2
    return clean_position(sim, (point[0] + normal[0] * lift, point[1] + normal[1] * lift, point[2] + normal[2] * lift))


def clean_scale(scale: Vector) -> Vector:
    x, y, z = (min(max(part, MIN_SCALE), MAX_SCALE) for part in scale)
    return x, y, z


def clean_position(sim: Simulator, position: Vector) -> Vector:
    """Inside the region; as far under the ground as people like, but not without end."""
    x, y, z = position
    x, y = min(max(x, 0.0), 255.99), min(max(y, 0.0), 255.99)
    low = sim.world.terrain.height(x, y) - MAX_SCALE
    return x, y, min(max(z, low), MAX_HEIGHT)


def why_not_here(sim: Simulator, agent: Agent, position: Vector, count: int) -> str:
    """The reason why the agent may not put so many prims there, "" when it may."""
    if len(sim.world.objects) + count > CAPACITY:
        return "This region is full: it holds no more objects."
    parcel = sim.world.parcel_at(position[0], position[1])
    if parcel.owner_id not in (NULL, agent.agent_id) and not parcel.flags & PARCEL_CREATE:
        return "The owner of this parcel does not let you create objects here."
    return ""


def make_temporary(sim: Simulator, root: Prim, on: bool, seconds: float = TEMPORARY_SECONDS) -> None:
    """A temporary object goes by itself after a minute."""
    root.temporary = on
    root.expires = sim.clock.now() + seconds if on else float("inf")
    if on:
        sim.after(seconds, lambda: _expire(sim, root))


def _expire(sim: Simulator, root: Prim) -> None:
    if root.temporary and root.row >= 0 and sim.clock.now() >= root.expires - 0.01:
        remove(sim, root)


@handles("ObjectDuplicate", state=ROOT, rate=BUILD)
def object_duplicate(sim: Simulator, agent: Agent, message: Message) -> None:
    """Copies of whole linksets, moved by an offset. A no-copy object stays single."""
    shared = message["SharedData"]
    roots = {prim.linkset_root: None for prim, _ in chosen(sim, agent, message, Permission.COPY)}
    for root in roots:
        if all(may(agent, prim, Permission.COPY) for prim in root.linkset()):
            made = duplicate(sim, agent, root, shared["Offset"])
            if made is not None and shared["DuplicateFlags"] & CREATE_SELECTED:
                sim.interest.objects.select_at_creation(agent, made)


def duplicate(sim: Simulator, agent: Agent, root: Prim, offset: Vector) -> Prim | None:
    objects = sim.world.objects
    (x, y, z), _ = objects.world_place(root)
    position = clean_position(sim, (x + offset[0], y + offset[1], z + offset[2]))
    refusal = why_not_here(sim, agent, position, 1 + len(root.children))
    if refusal:
        alert(agent, refusal)
        return None
    shift = [position[0] - x, position[1] - y, position[2] - z]
    copies = []
    for prim in root.linkset():
        (px, py, pz), rotation = objects.world_place(prim)
        twin = copy_prim(prim, uuid4(), int(sim.clock.unix() * 1e6))
        twin.owner_id, twin.last_owner_id = agent.agent_id, prim.owner_id
        scale = tuple(objects.row(prim)["scale"].tolist())
        place = (px + shift[0], py + shift[1], pz + shift[2])
        copies.append(objects.add(twin, sim.world.new_local_id(), place, rotation, scale))  # type: ignore[arg-type]
    if len(copies) > 1:
        objects.link(copies[0], copies[1:])
        copies[0].children = copies[1:]
    if root.temporary:
        make_temporary(sim, copies[0], True)
    return copies[0]


# --- joining


@handles("ObjectLink", state=ROOT, rate=BUILD)
def object_link(sim: Simulator, agent: Agent, message: Message) -> None:
    """The first named becomes the root. All must be the agent's own, and of prims."""
    prims = [prim for prim, _ in chosen(sim, agent, message, Permission.MODIFY) if prim.pcode == 9]
    if len(prims) < 2:
        return
    if any(prim.owner_id != agent.agent_id for prim in prims):
        alert(agent, "You can only link objects that you own.")
        return
    try:
        sim.world.objects.link(prims[0], prims[1:])
    except ValueError as error:
        alert(agent, f"Not linked: {error}.")
        return


@handles("ObjectDelink", state=ROOT, rate=BUILD)
def object_delink(sim: Simulator, agent: Agent, message: Message) -> None:
    prims = [prim for prim, _ in chosen(sim, agent, message, Permission.MODIFY)]
    sim.world.objects.unlink([prim for prim in prims if prim.root is not None or prim.children])


# --- going


def remove(sim: Simulator, root: Prim) -> None:
    """Take a linkset out of the world."""
    root = root.linkset_root
    riders = sim.world.seats.on_linkset(root)
    sim.world.objects.remove(root)
    sim.seating.stand_all(riders)


@handles("DeRezObject", state=ROOT, rate=BUILD)
def derez_object(sim: Simulator, agent: Agent, message: Message) -> None:
    """Delete, as viewers do it: to the trash. Taking into inventory is refused until objects can be kept there."""
    block = message["AgentBlock"]
    roots: dict[Prim, None] = {}
    left = False
    for data in message["ObjectData"]:
        prim = sim.world.objects.by_local_id.get(data["ObjectLocalID"])
        if prim is None:
            left |= is_leaving(sim, agent, data["ObjectLocalID"])
        elif prim.owner_id == agent.agent_id:
            roots[prim.linkset_root] = None
    done = block["Destination"] == TRASH and not left
    if block["Destination"] == TRASH:
        for root in roots:
            remove(sim, root)
    elif roots:
        alert(agent, "Objects cannot be taken into inventory in this region yet.")
    ack = {"TransactionID": block["TransactionID"], "Success": done}
    send(agent, Message("DeRezAck", TransactionData=ack))


@handles("ObjectDelete", state=ROOT, rate=BUILD)
def object_delete(sim: Simulator, agent: Agent, message: Message) -> None:
    for block in message["ObjectData"]:
        prim = sim.world.objects.by_local_id.get(block["ObjectLocalID"])
        if prim is None:
            is_leaving(sim, agent, block["ObjectLocalID"])
        elif prim.owner_id == agent.agent_id:
            remove(sim, prim)
