"""Whose things are, and what others may do with them."""

from __future__ import annotations

from uuid import UUID

from protocol import permissions
from protocol.wellknown import NULL, Permission
from sim.actions import may
from sim.actions.contents import handed_over
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.region import Region
from sim.world.changes import What
from sim.world.objects import Prim

OWNER_ONLY = "Only its owner can set an object's permissions."
NOT_IN_GROUP = "You are not in that group."


def permit(region: Region, actor: Actor, prim: Prim, mask: str, bits: int, on: bool) -> Refused | None:
    """Allow or forbid bits of a mask ("owner", "group", "everyone", "next_owner"), within the base, which never changes."""
    if prim.linkset_root.leaving:
        return Refused(may.LEAVING, "object is crossing")
    if not actor.region and prim.owner_id != actor.agent_id:
        return Refused(OWNER_ONLY)
    after = permissions.edited(prim.permissions, mask, bits, on)
    if after != prim.permissions:
        prim.permissions = after
        region.world.changes.prims.note(prim, What.RIGHTS, actor.agent_id)
    return None


def set_group(region: Region, actor: Actor, prim: Prim, group_id: UUID) -> Refused | None:
    """Give a linkset to a group that the actor is in, or to none."""
    refused = may.refusal(actor, prim, Permission.MODIFY)
    if refused is not None:
        return refused
    if group_id != NULL and may.group_of(actor, group_id) != group_id:
        return Refused(NOT_IN_GROUP)
    for one in prim.linkset():
        if one.group_id != group_id:
            one.group_id = group_id
            region.world.changes.prims.note(one, What.RIGHTS, actor.agent_id)
    return None


def sell(region: Region, actor: Actor, prim: Prim, kind: int, price: int) -> Refused | None:
    """Offer a prim for sale: 0 not, 1 original, 2 copy, 3 contents."""
    refused = may.refusal(actor, prim, Permission.MODIFY)
    if refused is not None:
        return refused
    if not actor.region and prim.owner_id != actor.agent_id:
        return Refused(OWNER_ONLY)
    offer = min(max(kind, 0), 3), max(price, 0)
    if offer != (prim.sale_type, prim.sale_price):
        prim.sale_type, prim.sale_price = offer
        region.world.changes.prims.note(prim, What.RIGHTS, actor.agent_id)
    return None


def hand_over(region: Region, actor: Actor, root: Prim, owner_id: UUID) -> Refused | None:
    """A linkset gets another owner, and with it the masks that are left to a next owner, of what is in it, too. Who may decide that is the
    caller's affair: a buyer who has paid, an owner who gives."""
    if root.leaving:
        return Refused(may.LEAVING, "object is crossing")
    if root.worn is not None:
        return may.standing_refusal(root)
    for one in root.linkset():
        if one.owner_id == owner_id:
            continue
        one.contents = [handed_over(item, one, owner_id) for item in one.contents]
        one.permissions = permissions.given(one.permissions)
        one.last_owner_id = one.owner_id
        region.world.objects.set_owner(one, owner_id)
        one.group_id, one.sale_type, one.sale_price = NULL, 0, 0
        region.world.changes.prims.note(one, What.OWNER | What.RIGHTS, actor.agent_id)
    return None
