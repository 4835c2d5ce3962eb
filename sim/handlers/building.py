"""Objects come, are copied, joined, taken apart and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.message import Message
from sim.actions import link, remove
from sim.actions.copy import duplicate
from sim.actions.make import New, make
from sim.actions.may import actor_of
from sim.actions.outcome import Refused
from sim.handlers import NEAR, handles
from sim.handlers.editors import BUILD, chosen, tell
from sim.handlers.replies import send
from sim.handlers.selecting import properties_messages
from sim.world.agent import Agent, Vector
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.parts import Parts

CREATE_SELECTED = 0x2
USE_PHYSICS, TEMPORARY = 0x1, 0x20000000
TAKE_COPY, TAKE, TRASH, RETURN = 1, 4, 6, 9  # DeRezObject destinations


@handles("ObjectAdd", state=NEAR, rate=BUILD)
def object_add(sim: Parts, agent: Agent, message: Message) -> None:
    block = message["ObjectData"]
    flags, group_id = block["AddFlags"], message["AgentData"]["GroupID"]
    new = New(
        rez_position(sim, block["RayStart"], block["RayEnd"], block["Scale"], block["BypassRaycast"]), block["Rotation"],
        block["Scale"], block["PCode"], block["State"], block["Material"], block, bool(flags & USE_PHYSICS),
        bool(flags & TEMPORARY), group_id, agent.new_masks,
    )  # fmt: skip
    made = make(sim.region, actor_of(agent), new)
    if isinstance(made, Refused):
        tell(sim, agent, made)
    elif flags & CREATE_SELECTED:
        sim.interest.objects.select_at_creation(agent, made)
        for reply in properties_messages([made]):
            send(agent, reply)


def rez_position(sim: Parts, start: Vector, end: Vector, scale: Vector, bypass: bool) -> Vector:
    """Where a new object goes: on what the ray from the camera meets, or at the ray's end."""
    if bypass:
        # The end is a point on a surface, as far as the viewer knows: stand on it.
        return end[0], end[1], end[2] + scale[2] / 2
    hit = sim.bodies.first_hit(start, end)
    if hit is None:
        return end
    point, normal = hit
    lift = abs(normal[0]) * scale[0] / 2 + abs(normal[1]) * scale[1] / 2 + abs(normal[2]) * scale[2] / 2
    return point[0] + normal[0] * lift, point[1] + normal[1] * lift, point[2] + normal[2] * lift


@handles("ObjectDuplicate", state=NEAR, rate=BUILD)
def object_duplicate(sim: Parts, agent: Agent, message: Message) -> None:
    """Copies of whole linksets, moved by an offset."""
    shared = message["SharedData"]
    roots = {prim.linkset_root: None for prim, _ in chosen(sim, agent, message)}
    for root in roots:
        made = duplicate(sim.region, actor_of(agent), root, shared["Offset"])
        if isinstance(made, Refused):
            tell(sim, agent, made, root)
            continue
        sim.scripts.copy(root, made)
        if shared["DuplicateFlags"] & CREATE_SELECTED:
            sim.interest.objects.select_at_creation(agent, made)


@handles("ObjectLink", state=NEAR, rate=BUILD)
def object_link(sim: Parts, agent: Agent, message: Message) -> None:
    """The first named becomes the root."""
    prims = [prim for prim, _ in chosen(sim, agent, message)]
    if prims:
        linked = link.link(sim.region, actor_of(agent), prims)
        if isinstance(linked, Refused):
            tell(sim, agent, linked, *prims)


@handles("ObjectDelink", state=NEAR, rate=BUILD)
def object_delink(sim: Parts, agent: Agent, message: Message) -> None:
    prims = [prim for prim, _ in chosen(sim, agent, message)]
    roots = link.unlink(sim.region, actor_of(agent), prims)
    if isinstance(roots, Refused):
        tell(sim, agent, roots, *prims)


@handles("ObjectDelete", state=NEAR, rate=BUILD)
def object_delete(sim: Parts, agent: Agent, message: Message) -> None:
    _delete(sim, agent, {prim.linkset_root: None for prim, _ in chosen(sim, agent, message)})


def _delete(sim: Parts, agent: Agent, roots: dict[Prim, None]) -> None:
    for root in roots:
        if root.row >= 0:
            gone = remove.delete(sim.region, actor_of(agent), root)
            if isinstance(gone, Refused):
                tell(sim, agent, gone, root)
