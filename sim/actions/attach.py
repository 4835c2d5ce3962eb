"""Wearing: objects come onto an avatar's body or screen, and off it again.

What is worn is in the world like any linkset, with a bearer instead of a place: it has no body, counts on nobody's land, and
belongs to an item of its bearer's inventory, which gets what becomes of it (`sim/attachments.py`). Only its owner wears a
thing, and only its bearer changes it; whether it may be modified is of no consequence.
"""

from __future__ import annotations

import math

from protocol.attachment_points import ADD, DEFAULT, MOST_WORN, POINTS
from protocol.inventory import Item
from protocol.objects import PRIM
from protocol.wellknown import NULL
from sim.actions import may
from sim.actions.may import Actor, actor_of
from sim.actions.outcome import Refused
from sim.actions.place import at_point, held
from sim.actions.take import SLAM, own
from sim.region import Region
from sim.world.agent import Agent, Vector
from sim.world.changes import What
from sim.world.linkset import Linkset
from sim.world.objects import Prim, Quaternion, Worn, rotate

NO_POINT = "There is no such attachment point."
ENOUGH = f"You wear {MOST_WORN} things already. Take something off first."
TOO_MUCH = "What you wear has too many parts. Take something off first."
NOT_YOURS = "You can only wear objects that you own."
NOT_HERE = "You are on your way to another region. Please try again over there."
NO_PLANT = "Plants cannot be worn."
SAT_ON = "Somebody sits on it."
WORN_ALREADY = "You wear that already."
FOR_A_WHILE = "That was put on for a while only, and cannot be dropped."
MOST_PRIMS = 4096  # in all that one person wears
AHEAD = 2.0  # metres in front of its bearer where something is dropped
UPRIGHT: Quaternion = (0.0, 0.0, 0.0, 1.0)


# --- who may, and where


def point_of(wish: int, last: int) -> tuple[int, bool] | Refused:
    """The point that AttachmentPt means, and whether what hangs there stays. 0 is where it hung last."""
    point = wish & ~ADD or last or DEFAULT
    if point not in POINTS:
        return Refused(NO_POINT, "no such point")
    return point, bool(wish & ADD)


def refusal(agent: Agent, prims: int) -> Refused | None:
    """Why somebody cannot put on one thing more of so many prims."""
    if agent.child or agent.journey.under_way:
        return Refused(NOT_HERE, "not here")
    if len(agent.worn) >= MOST_WORN:
        return Refused(ENOUGH, "wears enough")
    if sum(1 + len(root.children) for root in agent.worn) + prims > MOST_PRIMS:
        return Refused(TOO_MUCH, "wears enough")
    return None


def ground_refusal(region: Region, agent: Agent, root: Prim, owner_only: bool = True) -> Refused | None:
    """Why somebody cannot put on what stands in the region."""
    if root.leaving:
        return Refused(may.LEAVING, "object is crossing")
    if root.worn is not None:
        return Refused(WORN_ALREADY, "worn")
    if owner_only and root.owner_id != agent.agent_id:
        return Refused(NOT_YOURS, "not the owner")
    if any(prim.pcode != PRIM for prim in root.linkset()):
        return Refused(NO_PLANT, "cannot be worn")
    if region.world.seats.on_linkset(root):
        return Refused(SAT_ON, "cannot be worn")
    return refusal(agent, 1 + len(root.children))


def off_refusal(agent: Agent, root: Prim) -> Refused | None:
    """Why somebody cannot take off what it wears."""
    if root.worn is None or root.worn.bearer is not agent:
        return Refused(NOT_YOURS, "not the bearer")
    if root.leaving:
        return Refused(NOT_HERE, "not here")
    return None


# --- on


def place_at(root: Prim, place: tuple[Vector, Quaternion], point: int) -> tuple[Vector, Quaternion]:
    """Where something comes to hang: as it hung, if it was worn at that point when it was put away; else at the point itself."""
    if root.hung and root.attach_point == point:
        return at_point(place[0]), place[1]
    return (0.0, 0.0, 0.0), UPRIGHT


def put_on(region: Region, agent: Agent, item: Item, linkset: Linkset, point: int) -> Prim:
    """Somebody wears an item of their inventory; the root. Its prims are new, and get ids of their own."""
    for part in linkset.parts:
        own(region, actor_of(agent), item, part.prim, NULL)
    flags = item.flags & ~SLAM if item.flags & SLAM else -1
    return hang_new(region, agent, linkset, Worn(agent, item.item_id, flags), point)


def hang_new(region: Region, agent: Agent, linkset: Linkset, worn: Worn, point: int) -> Prim:
    """A linkset that is in no region yet is worn from now on. ValueError when one of its ids is here already."""
    objects, root = region.world.objects, linkset.parts[0].prim
    place = place_at(root, (linkset.parts[0].position, linkset.parts[0].rotation), point)
    if any(part.prim.full_id in objects.by_id for part in linkset.parts):
        raise ValueError("it is in the region already")
    for part in linkset.parts:
        position, rotation = place if part.prim is root else (part.position, part.rotation)
        part.prim.temporary, part.prim.expires = False, math.inf
        objects.add(part.prim, region.world.new_local_id(), position, rotation, part.scale)
    if len(linkset.parts) > 1:
        objects.join(root, [part.prim for part in linkset.parts[1:]])
    root.from_item_id = worn.item_id
    objects.hang(root, worn, point)
    return root


def put_on_for_a_while(region: Region, agent: Agent, root: Prim, point: int) -> None:
    """What stood in the region is worn from now on, at the point itself, and belongs to no item."""
    objects, row = region.world.objects, region.world.objects.row(root)
    root.hung, root.temporary, root.physical, root.expires = False, False, False, math.inf
    row["position"], row["rotation"] = (0.0, 0.0, 0.0), UPRIGHT
    row["velocity"] = row["angular_velocity"] = row["acceleration"] = (0.0, 0.0, 0.0)
    row["moving"] = 0
    root.from_item_id = NULL
    objects.hang(root, Worn(agent, NULL), point)


# --- off


def drop_refusal(region: Region, agent: Agent, root: Prim) -> Refused | None:
    """Why somebody cannot leave what it wears on the ground before it."""
    refused = off_refusal(agent, root)
    if refused is not None:
        return refused
    if root.worn is not None and root.worn.item_id == NULL:
        return Refused(FOR_A_WHILE, "put on for a while")
    return may.room_refusal(region, actor_of(agent), ahead_of(region, agent)[0], 1 + len(root.children))


def ahead_of(region: Region, agent: Agent) -> tuple[Vector, Quaternion]:
    """Where something that somebody drops comes to stand, upright as its bearer is turned."""
    row = region.world.row(agent)
    _, _, z, w = row["rotation"].tolist()
    length = math.hypot(z, w)
    turn = (0.0, 0.0, z / length, w / length) if length > 1e-6 else UPRIGHT
    base, ahead = row["position"].tolist(), rotate(turn, (AHEAD, 0.0, 0.0))
    return held(region, (base[0] + ahead[0], base[1] + ahead[1], base[2] + ahead[2])), turn


def drop(region: Region, actor: Actor, root: Prim, place: tuple[Vector, Quaternion]) -> None:
    """What was worn stands in the region from now on, and belongs to no item."""
    root.from_item_id = NULL
    region.world.objects.set_down(root, *place)
    region.world.changes.prims.note(root, What.PLACE, actor.agent_id)
