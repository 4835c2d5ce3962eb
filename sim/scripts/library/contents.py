"""What is in the prim besides the script: items by type, number and name.

Source of all: the functions' pages on the LSL wiki. Items are counted in alphabetical order.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from protocol.wellknown import Permission
from sim.scripts.language.values import NULL_KEY, Key
from sim.scripts.library.declare import ll
from sim.scripts.library.things import key_of, prim_of

if TYPE_CHECKING:
    from protocol.inventory import Item
    from sim.scripts.machine.script import Script

ALL = -1
BASE, OWNER, GROUP, EVERYONE, NEXT = range(5)  # MASK_*
FULL = Permission.COPY | Permission.MODIFY | Permission.TRANSFER


def _items(script: Script, kind: int) -> list[Item]:
    found = [one for one in prim_of(script).contents if kind in (ALL, one.asset_type)]
    return sorted(found, key=lambda one: one.name)


def named(script: Script, name: str, function: str) -> Item | None:
    """An item of the prim by name; None, and a complaint, when there is none."""
    for one in prim_of(script).contents:
        if one.name == name:
            return one
    script.complain(f"{function}: Couldn't find item '{name[:64]}'")
    return None


@ll
def llGetInventoryNumber(script: Script, type: int) -> int:
    """How many items of a type, INVENTORY_*, the prim holds."""
    return len(_items(script, type))


@ll
def llGetInventoryName(script: Script, type: int, index: int) -> str:
    """The name of the item of a type at an index, in alphabetical order; empty when there is none."""
    found = _items(script, type)
    return found[index].name if 0 <= index < len(found) else ""


@ll
def llGetInventoryType(script: Script, name: str) -> int:
    """The type, INVENTORY_*, of the item of that name; INVENTORY_NONE (-1) when there is none."""
    return next((one.asset_type for one in prim_of(script).contents if one.name == name), -1)


@ll
def llGetInventoryKey(script: Script, name: str) -> Key:
    """The key of what an item stands for, if it has full permissions; NULL_KEY otherwise, or when there is none."""
    item = named(script, name, "llGetInventoryKey")
    return key_of(item.asset_id) if item is not None and item.permissions.owner & FULL == FULL else NULL_KEY


@ll
def llGetInventoryCreator(script: Script, item: str) -> Key:
    """Who made an item; NULL_KEY, and a complaint, when there is none."""
    found = named(script, item, "llGetInventoryCreator")
    return key_of(found.creator_id) if found is not None else NULL_KEY


@ll
def llGetInventoryDesc(script: Script, name: str) -> str:
    """The description of an item; empty, and a complaint, when there is none."""
    found = named(script, name, "llGetInventoryDesc")
    return found.description if found is not None else ""


@ll(lacks="gives when the item was made, not when it came into the prim")
def llGetInventoryAcquireTime(script: Script, item: str) -> str:
    """When an item came into the prim, "YYYY-MM-DDThh:mm:ssZ", UTC; empty, and a complaint, when there is none."""
    found = named(script, item, "llGetInventoryAcquireTime")
    if found is None:
        return ""
    return datetime.fromtimestamp(min(max(found.created, 0), 1 << 37), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@ll
def llGetInventoryPermMask(script: Script, item: str, category: int) -> int:
    """What a mask, MASK_*, of an item allows, PERM_* added together; 0 when there is none."""
    found = named(script, item, "llGetInventoryPermMask")
    return int(_mask(found.permissions, category)) if found is not None else 0


def _mask(permissions: tuple[int, ...], category: int) -> int:
    base, owner, group, everyone, following = permissions
    return {BASE: base, OWNER: owner, GROUP: group, EVERYONE: everyone, NEXT: following}.get(category, 0)


@ll
def llGetObjectPermMask(script: Script, category: int) -> int:
    """What a mask, MASK_*, of the object allows, PERM_* added together."""
    return int(_mask(prim_of(script).linkset_root.permissions, category))
