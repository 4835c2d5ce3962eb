"""Who may do what to which object and where, and how much a region and a parcel hold. Nothing else decides this.

    its owner             what the owner mask says; who gives up MODIFY and MOVE has locked the object
    a friend who may      modify and move it like its owner, and delete it; nothing that would give anything away
      edit its owner's
    its group's members   what the group mask says
    everybody             what the everyone mask says

The region itself (scenes, the operator, what time takes away) may everything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from protocol import permissions
from protocol.wellknown import NULL, REGION_SIZE, Permission
from sim.actions.outcome import Refused
from sim.region import Region
from sim.world.agent import Agent, Vector
from sim.world.objects import Prim
from sim.world.world import Parcel

LEAVING = "That object is just going over to another region. Nothing about it was changed: please try again over there."
FULL_REGION = "This region is full: it holds no more objects."
FULL_PARCEL = "This parcel is full: it holds no more objects."
FULL_SHARE = "You have as many objects here as one person may have. Take some away before you make more."
NO_BUILDING = "The owner of this parcel does not let you create objects here."
WORN = "That is worn. Take it off first."
NO_ENTRY = "The owner of this parcel does not let other people's objects in."

# ParcelFlags
CREATE, ENTRY = 0x40, 0x8000000
# The part of a region's prims that one person may have on land that is not theirs: one account does not fill it for all.
SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and what gives them the right to."""

    agent_id: UUID
    groups: frozenset[UUID] = frozenset()
    edits_of: frozenset[UUID] = frozenset()  # owners who let this one edit their objects
    region: bool = False  # the region itself, which asks nobody


def actor_of(agent: Agent) -> Actor:
    """A person who acts through a viewer."""
    return Actor(agent.agent_id, agent.groups, agent.edits_of or frozenset())


def script_of(prim: Prim) -> Actor:
    """A script in the prim: it acts as the prim's owner, and what it does to its own linkset nobody need allow."""
    return Actor(prim.owner_id, region=True)


# --- objects


def may(actor: Actor, prim: Prim, permission: int) -> bool:
    """Whether the actor has this permission on a prim. Of a linkset, the root's masks say whether it may be moved."""
    if actor.region:
        return True
    if prim.linkset_root.worn is not None and prim.owner_id != actor.agent_id:
        return False
    masks = prim.linkset_root.permissions if permission == Permission.MOVE else prim.permissions
    if prim.owner_id == actor.agent_id:
        return bool(masks.owner & permission)
    granted = masks.everyone
    if prim.owner_id in actor.edits_of:
        granted |= masks.owner & permissions.LOCK
    if prim.group_id in actor.groups and prim.group_id != NULL:
        granted |= masks.group
    return bool(granted & permission)


def standing_refusal(root: Prim) -> Refused | None:
    """Why a linkset cannot be taken, copied, linked, returned or deleted where it is: somebody wears it."""
    return Refused(WORN, "worn") if root.linkset_root.worn is not None else None


def may_copy(actor: Actor, root: Prim) -> bool:
    """Whether the actor may have a copy of a whole linkset."""
    owner = actor.region or root.owner_id == actor.agent_id
    return all(permissions.may_copy(prim.permissions, owner) for prim in root.linkset())


def may_delete(actor: Actor, root: Prim) -> bool:
    """Its owner and friends who may edit the owner's objects, unless it is locked."""
    if actor.region:
        return True
    theirs = root.owner_id == actor.agent_id or root.owner_id in actor.edits_of
    return theirs and bool(root.permissions.owner & Permission.MOVE)


def refusal(actor: Actor, prim: Prim, permission: int) -> Refused | None:
    """Why the actor may not change this of a prim now; None when it may."""
    if prim.linkset_root.leaving:
        return Refused(LEAVING, "object is crossing")
    return None if may(actor, prim, permission) else Refused()


def group_of(actor: Actor, wished: UUID) -> UUID:
    """The group that something of the actor's belongs to: one they are in, else none."""
    return wished if wished in actor.groups or actor.region else NULL


# --- places


def parcel_refusal(region: Region, actor: Actor, parcel: Parcel, flag: int, words: str) -> Refused | None:
    """Why the actor may not do on a parcel what one of its flags allows everybody."""
    if actor.region or parcel.owner_id in (NULL, actor.agent_id) or region.facts.owner_id == actor.agent_id:
        return None
    return None if parcel.flags & flag else Refused(words, "parcel")


def entry_refusal(region: Region, actor: Actor, prim: Prim, position: Vector) -> Refused | None:
    """Why an object may not be put there by the actor, as far as the parcels are concerned."""
    world = region.world
    there = world.parcel_at(position[0], position[1])
    x, y, _ = world.objects.world_place(prim)[0]
    if there is world.parcel_at(x, y):
        return None
    return parcel_refusal(region, replace(actor, agent_id=prim.owner_id), there, ENTRY, NO_ENTRY)


def room_refusal(region: Region, actor: Actor, position: Vector, count: int) -> Refused | None:
    """Why the actor may not put so many new prims there; None when it may."""
    world = region.world
    if world.objects.standing + count > region.facts.max_prims:
        return Refused(FULL_REGION, "region is full")
    if actor.region:
        return None
    parcel = world.parcel_at(position[0], position[1])
    refused = parcel_refusal(region, actor, parcel, CREATE, NO_BUILDING)
    if refused is not None:
        return refused
    if prims_on(region, parcel) + count > most_prims(region, parcel):
        return Refused(FULL_PARCEL, "parcel is full")
    share = region.facts.max_prims * SHARE
    if actor.agent_id not in (parcel.owner_id, region.facts.owner_id) and world.objects.owned[actor.agent_id] + count > share:
        return Refused(FULL_SHARE, "share is full")
    return None


def most_prims(region: Region, parcel: Parcel) -> int:
    """How many prims a parcel holds: the region's number by its part of the area."""
    return int(parcel.area * region.facts.max_prims // (REGION_SIZE * REGION_SIZE))


def prims_on(region: Region, parcel: Parcel) -> int:
    """How many prims stand on a parcel."""
    if parcel.area == REGION_SIZE * REGION_SIZE:
        return region.world.objects.standing
    objects = region.world.objects
    rows = objects.rows[: objects.count]
    cells = np.clip(
        rows["world_position"][(rows["active"] == 1) & (objects.bearer[: objects.count] < 0), :2] // 4, 0, 63
    ).astype(np.int64)
    return int(np.count_nonzero(region.world.parcel_map[cells[:, 1], cells[:, 0]] == parcel.local_id))
