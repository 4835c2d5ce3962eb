"""Copies of objects in the world."""

from __future__ import annotations

from uuid import uuid4

from protocol import permissions
from protocol.wellknown import NULL
from sim.actions import may
from sim.actions.contents import handed_over, may_copy_contents
from sim.actions.make import make_temporary
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.actions.place import held
from sim.region import Region
from sim.world.agent import Vector
from sim.world.linkset import copy_prim
from sim.world.objects import Prim

NO_COPY = "This object cannot be copied by you."


def duplicate(region: Region, actor: Actor, prim: Prim, offset: Vector) -> Prim | Refused:
    """A copy of a prim's whole linkset, beside it by `offset` metres, the actor's own; its root.

    Somebody who copies another's object gets what its owner leaves to a next owner, of what is in it, too. What runs in it is
    copied by the scripts' own room.
    """
    root = prim.linkset_root
    if root.leaving:
        return Refused(may.LEAVING, "object is crossing")
    if root.worn is not None:
        return may.standing_refusal(root) or root
    if not may.may_copy(actor, root) or not all(may_copy_contents(actor, one) for one in root.linkset()):
        return Refused(NO_COPY, "no copy")
    objects = region.world.objects
    (x, y, z), _ = objects.world_place(root)
    position = held(region, (x + offset[0], y + offset[1], z + offset[2]))
    refused = may.room_refusal(region, actor, position, 1 + len(root.children))
    if refused is not None:
        return refused
    copies = []
    for one in root.linkset():
        row = objects.row(one)
        place = position if one is root else row["position"].tolist()
        twin = _twin(region, actor, one)
        copies.append(objects.add(twin, region.world.new_local_id(), place, row["rotation"].tolist(), row["scale"].tolist(), actor.agent_id))
    if len(copies) > 1:
        objects.join(copies[0], copies[1:])
    if root.temporary:
        make_temporary(region, copies[0], True)
    return copies[0]


def _twin(region: Region, actor: Actor, prim: Prim) -> Prim:
    """A prim like this one that is in no region yet."""
    twin = copy_prim(prim, uuid4(), int(region.clock.unix() * 1e6))
    twin.owner_id, twin.last_owner_id, twin.from_item_id = actor.agent_id, prim.owner_id, NULL
    twin.made_by = None  # by a person, now
    twin.permissions = permissions.copied(prim.permissions, prim.owner_id == actor.agent_id)
    if prim.owner_id != actor.agent_id:
        twin.group_id, twin.sale_type, twin.sale_price = NULL, 0, 0
        twin.contents = [handed_over(item, prim, actor.agent_id) for item in twin.contents]
    return twin
