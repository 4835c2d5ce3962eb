"""An object's contents as the text that viewers fetch by Xfer.

    inv_object  0           once: the folder "Contents" itself
    inv_item    0           an item: ids, permissions, asset id, types by name, flags, sale, name|, desc|, creation_date

Fields are key, tab, value; names and descriptions end with "|". Readers cut a line after 254 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from protocol.errors import ProtocolError
from protocol.inventory import (
    ASSET_NAMES,
    ASSET_TYPES,
    DESCRIPTION_BYTES,
    INVENTORY_NAMES,
    INVENTORY_TYPES,
    NAME_BYTES,
    SALE_NAMES,
    Item,
)
from protocol.permissions import Masks
from protocol.wellknown import NULL

MOST_BYTES = 4 << 20  # of a file that is read
_MASKS = ("base_mask", "owner_mask", "group_mask", "everyone_mask", "next_owner_mask")
_IDS = ("creator_id", "owner_id", "last_owner_id", "group_id")
_BREAKERS = str.maketrans("|\t\r\n\0", "     ")


def write(object_id: UUID, items: Iterable[Item], shown_asset: Callable[[Item], UUID]) -> bytes:
    """The file. `shown_asset` says which asset id of an item its reader is told: the null one where it may not know it."""
    lines = ["\tinv_object\t0\n\t{\n"]
    lines += [f"\t\tobj_id\t{object_id}\n\t\tparent_id\t{NULL}\n\t\ttype\tcategory\n\t\tname\tContents|\n\t}}\n"]
    for item in items:
        masks = "".join(f"\t\t\t{name}\t{mask & 0xFFFFFFFF:08x}\n" for name, mask in zip(_MASKS, item.permissions, strict=True))
        ids = "".join(f"\t\t\t{name}\t{getattr(item, name)}\n" for name in _IDS)
        lines.append(
            f"\tinv_item\t0\n\t{{\n\t\titem_id\t{item.item_id}\n\t\tparent_id\t{object_id}\n"
            f"\tpermissions 0\n\t{{\n{masks}{ids}\t}}\n"
            f"\t\tasset_id\t{shown_asset(item)}\n\t\ttype\t{ASSET_NAMES.get(item.asset_type, 'texture')}\n"
            f"\t\tinv_type\t{INVENTORY_NAMES.get(item.inventory_type, 'texture')}\n\t\tflags\t{item.flags & 0xFFFFFFFF:08x}\n"
            f"\tsale_info\t0\n\t{{\n\t\t\tsale_type\t{SALE_NAMES[min(max(item.sale_type, 0), 3)]}\n"
            f"\t\t\tsale_price\t{item.sale_price}\n\t}}\n"
            f"\t\tname\t{_line(item.name, NAME_BYTES)}|\n\t\tdesc\t{_line(item.description, DESCRIPTION_BYTES)}|\n"
            f"\t\tcreation_date\t{item.created}\n\t}}\n"
        )
    return "".join(lines).encode() + b"\0"


def _line(value: str, most: int) -> str:
    return value.translate(_BREAKERS).encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


def read(data: bytes) -> list[Item]:
    """The items of a file. ProtocolError when it is none; what is not known is passed over."""
    if len(data) > MOST_BYTES:
        raise ProtocolError(f"an object's contents of {len(data)} bytes")
    items: list[Item] = []
    fields: dict[str, str] | None = None
    depth = 0
    for line in data.rstrip(b"\0").decode("utf-8", "replace").split("\n"):
        words = line.split(None, 1)
        if not words:
            continue
        key, value = words[0], words[1] if len(words) > 1 else ""
        if key == "{":
            depth += 1
        elif key == "}":
            depth -= 1
            if depth == 0 and fields is not None:
                items.append(_item(fields))
                fields = None
        elif depth == 0:
            fields = {} if key == "inv_item" else None
        elif fields is not None:
            fields[key] = value
    if depth:
        raise ProtocolError("an object's contents end early")
    return items


def _item(fields: dict[str, Any]) -> Item:
    try:
        return Item(
            item_id=UUID(fields["item_id"]),
            asset_id=UUID(fields.get("asset_id", str(NULL))),
            name=fields.get("name", "").split("|")[0],
            description=fields.get("desc", "").split("|")[0],
            asset_type=ASSET_TYPES.get(fields.get("type", ""), -1),
            inventory_type=INVENTORY_TYPES.get(fields.get("inv_type", ""), -1),
            flags=int(fields.get("flags", "0"), 16),
            permissions=Masks(*(int(fields[name], 16) for name in _MASKS)),
            sale_type=SALE_NAMES.index(fields.get("sale_type", "not")),
            sale_price=int(fields.get("sale_price", "0")),
            created=int(fields.get("creation_date", "0")),
            folder_id=NULL,
            **{name: UUID(fields[name]) for name in _IDS},
        )
    except (KeyError, ValueError) as error:
        raise ProtocolError(f"an item of an object's contents cannot be read: {error}") from None
