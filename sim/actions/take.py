"""Objects out of the world into somebody's inventory, and back: what may go, what it is worth there, and where it comes to stand.

A thing in an inventory is an item and an asset. The asset is the linkset's form, or several of them where they were taken at
once, which keep their places among each other (`pack`). Whose hands it has passed through is seen from its prims: they keep
the owner that took them, and when somebody else puts them into the world, the next-owner masks apply.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import numpy as np

from protocol import permissions
from protocol.errors import ProtocolError
from protocol.inventory import Item
from protocol.permissions import Masks
from protocol.wellknown import NULL, AssetType, InventoryType, Permission
from sim.actions import may
from sim.actions.contents import may_copy_contents
from sim.actions.make import make_temporary
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.actions.place import held
from sim.region import Region
from sim.world import form
from sim.world.agent import Vector
from sim.world.linkset import Linkset
from sim.world.objects import Prim, multiply, rotate
from sim.world.world import Parcel

NOT_YOURS = "You can only take objects that you own."
NO_COPY = "You may not take a copy of this object."
LOCKED = "This object is locked. Unlock it first."
NOT_HERE = "Only the owner of this land can return objects that stand on it."
MANY = 0x200000  # Item.flags: the asset holds several linksets
SLAM = 0x100  # Item.flags: the masks of what it holds were the last owner's

_head = struct.Struct("<4sH")
_size = struct.Struct("<I")
_MAGIC = b"LNKC"
MOST_TOGETHER = 256  # linksets in one item


# --- who may


def take_refusal(actor: Actor, root: Prim) -> Refused | None:
    """Why the actor may not take a linkset away into an inventory of its own."""
    if root.leaving:
        return Refused(may.LEAVING, "object is crossing")
    if root.worn is not None:
        return may.standing_refusal(root)
    if root.owner_id != actor.agent_id:
        return Refused(NOT_YOURS, "not the owner")
    return None


def copy_refusal(actor: Actor, root: Prim) -> Refused | None:
    """Why the actor may not have a copy of a linkset in its inventory."""
    if root.leaving:
        return Refused(may.LEAVING, "object is crossing")
    if root.worn is not None:
        return may.standing_refusal(root)
    whole = may.may_copy(actor, root) and all(may_copy_contents(actor, one) for one in root.linkset())
    return None if whole else Refused(NO_COPY, "no copy")


def trash_refusal(actor: Actor, root: Prim) -> Refused | None:
    """Why the actor may not send a linkset to its owner's trash."""
    if root.worn is not None:
        return may.standing_refusal(root)
    if may.may_delete(actor, root):
        return None
    return Refused(LOCKED, "locked") if root.owner_id == actor.agent_id else Refused()


def return_refusal(region: Region, actor: Actor, root: Prim) -> Refused | None:
    """Why the actor may not send a linkset back to its owner: land is for its owner to clear."""
    if root.leaving:
        return Refused(may.LEAVING, "object is crossing")
    if root.worn is not None:
        return may.standing_refusal(root)
    x, y, _ = region.world.objects.world_place(root)[0]
    parcel: Parcel = region.world.parcel_at(x, y)
    rules = actor.region or actor.agent_id in (root.owner_id, parcel.owner_id, region.facts.owner_id)
    return None if rules and actor.agent_id != NULL else Refused(NOT_HERE, "not the land's owner")


# --- into an item


def item_of(region: Region, roots: Sequence[Prim], receiver: UUID) -> Item:
    """The item that stands for these linksets in the receiver's hands; its asset and folder are still to be found."""
    root = roots[0]
    parts = [prim.permissions for one in roots for prim in one.linkset()]
    parts += [item.permissions for one in roots for prim in one.linkset() for item in prim.contents]
    same = root.owner_id == receiver
    return Item(
        uuid4(), NULL, root.name, root.description, root.creator_id, receiver, root.last_owner_id if same else root.owner_id,
        asset_type=int(AssetType.OBJECT), inventory_type=int(InventoryType.OBJECT),
        flags=MANY * (len(roots) > 1) | SLAM * (not same),
        permissions=permissions.sound(permissions.taken(permissions.together(parts), same)),
        sale_type=root.sale_type if same else 0, sale_price=root.sale_price if same else 0, created=int(region.clock.unix()),
    )  # fmt: skip


def pack(linksets: Sequence[Linkset]) -> bytes:
    """The asset of linksets taken at once: the form of the one, or

        "LNKC" | u16 how many | each u32 size | form

    ProtocolError when one does not fit a form."""
    forms = [form.encode(linkset) for linkset in linksets]
    if len(forms) == 1:
        return forms[0]
    return b"".join([_head.pack(_MAGIC, len(forms)), *(_size.pack(len(each)) + each for each in forms)])


def unpack(data: bytes) -> list[Linkset]:
    """The linksets of an object asset. ProtocolError says what is wrong with it."""
    if not data.startswith(_MAGIC):
        return [form.decode(data)]
    try:
        _, count = _head.unpack_from(data)
        if not 2 <= count <= MOST_TOGETHER:
            raise ProtocolError(f"{count} objects in one item")
        at, forms = _head.size, []
        for _ in range(count):
            (size,) = _size.unpack_from(data, at)
            at += _size.size
            if at + size > len(data):
                raise ProtocolError("an object asset ends early")
            forms.append(data[at : at + size])
            at += size
    except struct.error:
        raise ProtocolError("an object asset ends early") from None
    if at != len(data):
        raise ProtocolError("an object asset has something behind its end")
    found = []
    for each in form.decode_all(forms):
        if isinstance(each, ProtocolError):
            raise each
        found.append(each)
    return found


# --- back into the world


def box_of(linksets: Sequence[Linkset]) -> tuple[Vector, Vector]:
    """The box around linksets as they stood: its middle and its half extents, metres, along the region's axes."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for linkset in linksets:
        root = linkset.parts[0]
        for part in linkset.parts:
            place = np.asarray(root.position)
            turn = root.rotation
            if part is not root:
                place = place + np.asarray(rotate(root.rotation, part.position))
                turn = multiply(root.rotation, part.rotation)
            half = sum(np.abs(np.asarray(rotate(turn, axis))) * size / 2 for axis, size in zip(np.eye(3).tolist(), part.scale, strict=True))
            low, high = np.minimum(low, place - half), np.maximum(high, place + half)
    middle, extents = ((low + high) / 2).tolist(), ((high - low) / 2).tolist()
    return (middle[0], middle[1], middle[2]), (extents[0], extents[1], extents[2])


def rez(
    region: Region,
    actor: Actor,
    item: Item,
    linksets: Sequence[Linkset],
    middle: Vector,
    group_id: UUID,
    root_id: UUID = NULL,
) -> list[Prim] | Refused:
    """Put the linksets of an item into the world, the box around them with its middle there; their roots.

    They are new objects: their prims get ids of their own. `item`: as it is in the actor's hands. `root_id`: the first root's
    id, where whoever rezzes has said it already.
    """
    refused = may.room_refusal(region, actor, held(region, middle), sum(len(linkset.parts) for linkset in linksets))
    if refused is not None:
        return refused
    before, _ = box_of(linksets)
    shift = tuple(there - here for there, here in zip(middle, before, strict=True))
    group = may.group_of(actor, group_id)
    roots: list[Prim] = []
    objects = region.world.objects
    for linkset in linksets:
        for part in linkset.parts:
            own(region, actor, item, part.prim, group)
        root = linkset.parts[0]
        if root_id != NULL and not roots:
            root.prim.full_id = root_id
        place = held(region, tuple(here + by for here, by in zip(root.position, shift, strict=True)))  # type: ignore[arg-type]
        for part in linkset.parts:
            position = place if part is root else part.position
            objects.add(part.prim, region.world.new_local_id(), position, part.rotation, part.scale, by=actor.agent_id)
        if len(linkset.parts) > 1:
            objects.join(root.prim, [part.prim for part in linkset.parts[1:]])
        root.prim.from_item_id, root.prim.hung = item.item_id, False
        if root.prim.temporary:
            make_temporary(region, root.prim, True)
        roots.append(root.prim)
    return roots


def own(region: Region, actor: Actor, item: Item, prim: Prim, group_id: UUID) -> None:
    """The prim is the actor's from now on. What has changed hands since it was taken is worth what the last owner left."""
    same = prim.owner_id == actor.agent_id and not item.flags & SLAM
    masks = prim.permissions
    if not same:
        given = permissions.rezzed(masks, False)
        masks = permissions.sound(Masks(*(one & other for one, other in zip(given, item.permissions, strict=True))))
        prim.last_owner_id = prim.owner_id if prim.owner_id != actor.agent_id else item.last_owner_id
        prim.contents = [_narrowed(one, actor.agent_id) for one in prim.contents]
        prim.sale_type = prim.sale_price = 0
    prim.permissions = masks
    prim.owner_id, prim.group_id, prim.full_id = actor.agent_id, group_id, uuid4()
    prim.lineage, prim.made_by = (), None


def _narrowed(item: Item, owner_id: UUID) -> Item:
    """An item in an object that has changed hands."""
    masks = permissions.given(item.permissions)
    return replace(item, owner_id=owner_id, last_owner_id=item.owner_id, group_id=NULL, permissions=masks)


def may_keep(item: Item) -> bool:
    """Whether the item stays in the inventory when what it stands for is put into the world."""
    return bool(item.permissions.owner & Permission.COPY)
