"""Items and folders as regions tell them, in capabilities and in messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from protocol.errors import ProtocolError
from protocol.inventory import ASSET_TYPES, INVENTORY_TYPES, SALE_NAMES, Item
from protocol.message import text
from protocol.permissions import Masks

from .caps import CapError, Caps

NOBODY = UUID(int=0)
_MASKS = ("base_mask", "owner_mask", "group_mask", "everyone_mask", "next_owner_mask")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of the inventory. ``kind``: the asset type it is the system folder for, -1 for a plain one."""

    folder_id: UUID
    parent_id: UUID
    name: str
    kind: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What is in one folder."""

    folders: tuple[Folder, ...]
    items: tuple[Item, ...]

    def find(self, name: str) -> Item | None:
        """The first item of that name."""
        return next((item for item in self.items if item.name == name), None)


async def contents(caps: Caps | None, object_id: UUID) -> tuple[Item, ...]:
    """What is in an object, by its region's capabilities. Raises ``CapError``."""
    if caps is None:
        raise CapError("no capabilities yet")
    answer = await caps.get("RequestTaskInventory", f"?task_id={object_id}")
    told = answer.get("contents") if isinstance(answer, dict) else None
    if not isinstance(told, list):
        raise CapError("no list of contents")
    try:
        return tuple(read_item(one) for one in told)
    except ProtocolError as error:
        raise CapError(str(error)) from error


def read_item(told: Any) -> Item:
    """An item as capabilities tell it; kinds by number or by name. ProtocolError when it is none."""
    try:
        rights, sale = told["permissions"], told.get("sale_info", {})
        masks = Masks(*(int(rights[name]) & 0xFFFFFFFF for name in _MASKS))
        return Item(
            told["item_id"], told.get("asset_id", NOBODY), str(told["name"]), str(told.get("desc", "")), rights["creator_id"],
            rights["owner_id"], rights["last_owner_id"], rights["group_id"], _kind(told["type"], ASSET_TYPES),
            _kind(told["inv_type"], INVENTORY_TYPES), int(told.get("flags", 0)) & 0xFFFFFFFF, masks,
            _kind(sale.get("sale_type", 0), {name: number for number, name in enumerate(SALE_NAMES)}),
            int(sale.get("sale_price", 0)), int(told.get("created_at", 0)), told["parent_id"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"not an item: {type(error).__name__}: {error}") from None


def _kind(told: Any, names: dict[str, int]) -> int:
    return names[told] if isinstance(told, str) else int(told)


def read_folder(told: Any) -> Folder:
    """A folder as capabilities tell it, under either of its names. ProtocolError when it is none."""
    try:
        kind = told.get("type_default", told.get("type", -1))
        return Folder(told.get("folder_id") or told["category_id"], told["parent_id"], str(told["name"]), int(kind))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"not a folder: {type(error).__name__}: {error}") from None


def item_of_block(block: dict[str, Any]) -> Item:
    """An item of the InventoryData or ItemData block that several messages share."""
    masks = Masks(block["BaseMask"], block["OwnerMask"], block["GroupMask"], block["EveryoneMask"], block["NextOwnerMask"])
    return Item(
        block["ItemID"], block["AssetID"], text(block["Name"]), text(block["Description"]), block["CreatorID"], block["OwnerID"],
        group_id=block["GroupID"], asset_type=block["Type"], inventory_type=block["InvType"], flags=block["Flags"],
        permissions=masks, sale_type=block["SaleType"], sale_price=block["SalePrice"], created=block["CreationDate"],
        folder_id=block["FolderID"],
    )  # fmt: skip
