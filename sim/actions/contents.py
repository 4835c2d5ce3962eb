"""What is in a prim: items put in, changed, copied and taken out.

An item in an object belongs to the object's owner. Who may modify the object may change what is in it; what an item
itself allows still holds: no copy of what cannot be copied, nothing given away that cannot be transferred.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from protocol import permissions
from protocol.inventory import DESCRIPTION_BYTES, NAME_BYTES, Item
from protocol.permissions import Masks
from protocol.wellknown import NULL, AssetType, Permission
from sim.actions import may
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.region import Region
from sim.world.changes import What
from sim.world.encodable import cut
from sim.world.objects import Prim

MOST_ITEMS = 1000  # in a prim
NO_MODIFY = "You may not change what is in this object."
NO_TRANSFER = "This item cannot be given away, and the object is somebody else's."
NO_MODIFY_ITEM = "You may not change this item."
NOT_OUT = "You may not take this item out of the object."
FULL = "There is no room for more items in this object."
NO_SUCH = "That item is not in the object."
SERIALS = 0x7FFF  # InventorySerial is signed 16 bits, and never negative
READ_SCRIPT = Permission.MODIFY | Permission.COPY
SECRET = (AssetType.LSL_TEXT, AssetType.SETTINGS, AssetType.MATERIAL)


@dataclass(frozen=True, slots=True)
class Wish:
    """What of an item is to be another. None: as it is."""

    name: str | None = None
    description: str | None = None
    group: int | None = None
    everyone: int | None = None
    next_owner: int | None = None
    sale_type: int | None = None
    sale_price: int | None = None


def find(prim: Prim, item_id: UUID) -> Item | None:
    """An item of the prim's contents."""
    return next((item for item in prim.contents if item.item_id == item_id), None)


def refusal(actor: Actor, prim: Prim) -> Refused | None:
    """Why the actor may not change what is in the prim."""
    refused = may.refusal(actor, prim, Permission.MODIFY)
    return refused if refused is None or refused.words else Refused(NO_MODIFY)


def put(region: Region, actor: Actor, prim: Prim, item: Item) -> Item | Refused:
    """Put a thing in, as it is in its owner's hands now; it gets an id of its own, and a name that is free.

    Where a script has allowed it, everybody may, but for scripts."""
    refused = refusal(actor, prim)
    dropped = refused is not None and prim.rare.drop and not item.is_script and not prim.linkset_root.leaving
    if refused is not None and not dropped:
        return refused
    same = item.owner_id == prim.owner_id
    if not same and not item.permissions.owner & Permission.TRANSFER:
        return Refused(NO_TRANSFER, "no transfer")
    if len(prim.contents) >= MOST_ITEMS:
        return Refused(FULL, "contents are full")
    inside = replace(
        item, item_id=uuid4(), folder_id=NULL, name=_free_name(prim, item.name), description=cut(item.description, DESCRIPTION_BYTES),
        owner_id=prim.owner_id, last_owner_id=item.last_owner_id if same else item.owner_id, group_id=prim.group_id,
        permissions=permissions.put_into(item.permissions, same),
    )  # fmt: skip
    prim.contents.append(inside)
    _note(region, actor, prim, What.DROPPED if dropped else What(0))
    return inside


def change(region: Region, actor: Actor, prim: Prim, item_id: UUID, wish: Wish) -> Refused | None:
    """Name, description and price; what it allows is for the object's owner to say, within the item's base."""
    item, refused = _item(actor, prim, item_id)
    if refused is not None or item is None:
        return refused
    masks = item.permissions
    if prim.owner_id == actor.agent_id or actor.region:
        wished = Masks(
            masks.base, masks.owner, masks.group if wish.group is None else wish.group,
            masks.everyone if wish.everyone is None else wish.everyone,
            masks.next_owner if wish.next_owner is None else wish.next_owner,
        )  # fmt: skip
        masks = permissions.sound(wished)
    name = item.name if wish.name is None or wish.name == item.name else _free_name(prim, wish.name)
    changed = replace(
        item, name=name, permissions=masks,
        description=item.description if wish.description is None else cut(wish.description, DESCRIPTION_BYTES),
        sale_type=item.sale_type if wish.sale_type is None else min(max(wish.sale_type, 0), 3),
        sale_price=item.sale_price if wish.sale_price is None else max(wish.sale_price, 0),
    )  # fmt: skip
    if changed != item:
        prim.contents[prim.contents.index(item)] = changed
        _note(region, actor, prim)
    return None


def set_asset(region: Region, actor: Actor, prim: Prim, item_id: UUID, asset_id: UUID) -> Refused | None:
    """A new version of what the item stands for: a script or notecard that was saved."""
    item, refused = _item(actor, prim, item_id)
    if refused is not None or item is None:
        return refused
    if not item.permissions.owner & Permission.MODIFY:
        return Refused(NO_MODIFY_ITEM, "no modify")
    prim.contents[prim.contents.index(item)] = replace(item, asset_id=asset_id)
    _note(region, actor, prim)
    return None


def remove(region: Region, actor: Actor, prim: Prim, item_id: UUID) -> Item | Refused:
    """Take an item out for good."""
    item, refused = _item(actor, prim, item_id)
    if refused is not None or item is None:
        return refused or Refused(NO_SUCH, "no such item")
    prim.contents.remove(item)
    _note(region, actor, prim)
    return item


def put_back(region: Region, actor: Actor, prim: Prim, item: Item) -> None:
    """An item that was taken out is in the prim again, as it was: nobody could take it."""
    prim.contents.append(item)
    _note(region, actor, prim)


def out(actor: Actor, prim: Prim, item_id: UUID) -> Item | Refused:
    """An item as it would be in the actor's hands; it is not taken out yet. What cannot be copied must be (`remove`)."""
    item, refused = _item(actor, prim, item_id)
    if refused is not None or item is None:
        return refused or Refused(NO_SUCH, "no such item")
    if prim.owner_id != actor.agent_id and not item.permissions.owner & Permission.TRANSFER:
        return Refused(NOT_OUT, "no transfer")
    return handed_over(item, prim, actor.agent_id)


def handed_over(item: Item, prim: Prim, owner_id: UUID) -> Item:
    """An item of the prim's as it is in somebody's hands who has it, or the prim, from now on."""
    if prim.owner_id == owner_id:
        return replace(item, group_id=NULL)
    masks = permissions.given(item.permissions)
    return replace(item, owner_id=owner_id, last_owner_id=prim.owner_id, group_id=NULL, permissions=masks)


def may_copy_contents(actor: Actor, prim: Prim) -> bool:
    """Whether a copy of the prim may have copies of all that is in it."""
    needed = Permission.COPY if prim.owner_id == actor.agent_id or actor.region else Permission.COPY | Permission.TRANSFER
    return all(item.permissions.owner & needed == needed for item in prim.contents)


def may_read(actor: Actor, prim: Prim, item: Item) -> bool:
    """Whether the actor may know an item's asset: who may not change the object reads nothing in it."""
    if not may.may(actor, prim, Permission.MODIFY):
        return False
    if item.asset_type in SECRET:
        return item.permissions.owner & READ_SCRIPT == READ_SCRIPT
    return item.asset_type != AssetType.NOTECARD or bool(item.permissions.owner & READ_SCRIPT)


def _item(actor: Actor, prim: Prim, item_id: UUID) -> tuple[Item | None, Refused | None]:
    refused = refusal(actor, prim)
    if refused is not None:
        return None, refused
    item = find(prim, item_id)
    return item, None if item is not None else Refused(NO_SUCH, "no such item")


def _free_name(prim: Prim, wish: str) -> str:
    """The name, or with a number behind it where another item has it: scripts find things by name."""
    name = cut(wish.translate(_BREAKERS).strip(), NAME_BYTES) or "Object"
    taken = {item.name for item in prim.contents}
    number, free = 1, name
    while free in taken:
        free = f"{cut(name, NAME_BYTES - len(str(number)) - 1)} {number}"
        number += 1
    return free


_BREAKERS = str.maketrans("|\t\r\n\0", "     ")


def _note(region: Region, actor: Actor, prim: Prim, more: What = What(0)) -> None:
    prim.inventory_serial = prim.inventory_serial % SERIALS + 1
    region.world.changes.prims.note(prim, What.CONTENTS | more, actor.agent_id)
