"""A thing somebody owns: an item of an inventory or of an object's contents, and the names of its kinds in texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from protocol.errors import ProtocolError
from protocol.permissions import Masks
from protocol.wellknown import NULL, AssetType

NAME_BYTES, DESCRIPTION_BYTES = 63, 127  # as UTF-8, of an item in an object's contents

# Names of asset and inventory types in capabilities and files.
ASSET_NAMES = {
    0: "texture", 1: "sound", 2: "callcard", 3: "landmark", 5: "clothing", 6: "object", 7: "notecard", 8: "category",
    10: "lsltext", 11: "lslbyte", 13: "bodypart", 20: "animatn", 21: "gesture", 22: "simstate", 24: "link", 25: "link_f",
    49: "mesh", 56: "settings", 57: "material",
}  # fmt: skip
INVENTORY_NAMES = {
    0: "texture", 1: "sound", 2: "callcard", 3: "landmark", 6: "object", 7: "notecard", 8: "category", 10: "script",
    15: "snapshot", 17: "attach", 18: "wearable", 19: "animation", 20: "gesture", 22: "mesh", 25: "settings", 26: "material",
}  # fmt: skip
SALE_NAMES = ("not", "orig", "copy", "cntn")
ASSET_TYPES = {name: number for number, name in ASSET_NAMES.items()}
INVENTORY_TYPES = {name: number for number, name in INVENTORY_NAMES.items()}
# What an item of an asset type is shown as, where nothing else is said.
SHOWN_AS = {0: 0, 1: 1, 2: 2, 3: 3, 5: 18, 6: 6, 7: 7, 10: 10, 13: 18, 20: 19, 21: 20, 49: 22, 56: 25, 57: 26}

U32, I31 = (1 << 32) - 1, (1 << 31) - 1


@dataclass(slots=True)
class Item:
    """`folder_id` is null for an item in an object. Times are unix seconds."""

    item_id: UUID
    asset_id: UUID = NULL
    name: str = ""
    description: str = ""
    creator_id: UUID = NULL
    owner_id: UUID = NULL
    last_owner_id: UUID = NULL
    group_id: UUID = NULL
    asset_type: int = 0
    inventory_type: int = 0
    flags: int = 0
    permissions: Masks = Masks()
    sale_type: int = 0
    sale_price: int = 0
    created: int = 0
    folder_id: UUID = NULL

    @property
    def is_script(self) -> bool:
        """Whether it is the source of a script."""
        return self.asset_type == AssetType.LSL_TEXT


_IDS = {
    "item_id": "item_id", "asset_id": "asset_id", "creator_id": "creator_id", "owner_id": "owner_id",
    "last_owner_id": "last_owner_id", "group_id": "group_id", "folder_id": "parent_id",
}  # fmt: skip
_NUMBERS = {
    "asset_type": ("type", -1, 127), "inventory_type": ("inv_type", -1, 127), "flags": ("flags", 0, U32),
    "sale_type": ("sale_type", 0, 3), "sale_price": ("sale_price", 0, I31), "created": ("created_at", 0, 1 << 53),
}  # fmt: skip
_MASKS = ("base_mask", "owner_mask", "group_mask", "everyone_mask", "next_owner_mask")


def item_from_json(told: Any) -> Item:
    """An item as Backbone's REST API has it. ProtocolError when it is none."""
    try:
        ids = {name: UUID(str(told[key])) for name, key in _IDS.items()}
        numbers = {name: _whole(told[key], low, high) for name, (key, low, high) in _NUMBERS.items()}
        masks = Masks(*(_whole(told[key], 0, U32) for key in _MASKS))
        made: dict[str, Any] = {**ids, **numbers, "name": str(told["name"]), "description": str(told["desc"])}
        return Item(permissions=masks, **made)
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"not an inventory item: {type(error).__name__}: {error}") from None


def item_to_json(item: Item) -> dict[str, Any]:
    """As Backbone's REST API takes a new item."""
    return {
        **{key: str(getattr(item, name)) for name, key in _IDS.items()},
        **{key: int(getattr(item, name)) for name, (key, _, _) in _NUMBERS.items()},
        **dict(zip(_MASKS, map(int, item.permissions), strict=True)),
        "name": item.name,
        "desc": item.description,
    }


def _whole(value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{str(value)[:40]!r} is not a whole number from {low} to {high}")
    return value
