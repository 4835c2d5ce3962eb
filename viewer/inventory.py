"""What we own, as the inventory service tells it by capabilities and the region by messages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from protocol.errors import ProtocolError
from protocol.inventory import Item
from protocol.message import text

from .caps import CapError
from .circuits import Circuits, Heard, hears
from .items import NOBODY, Folder, Listing, item_of_block, read_folder, read_item


class Inventory:
    """Looking into the inventory. Events: ``item``, ``folder`` (came, or is another than it was), ``item-gone``."""

    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits
        circuits.join(self)

    async def folder(self, folder_id: UUID | None = None) -> dict[str, Any]:
        """One folder's content as FetchInventoryDescendents2 gives it, by default the root's. Raises ``CapError``."""
        caps, folder = self._circuits.root.caps, folder_id or self._circuits.session.inventory_root
        if caps is None or folder is None:
            raise CapError("no capabilities, or no inventory root")
        wanted = {"folder_id": folder, "owner_id": self._circuits.agent_id, "fetch_folders": True, "fetch_items": True}
        answer = await caps.post("FetchInventoryDescendents2", {"folders": [{**wanted, "sort_order": 1}]})
        folders = answer.get("folders") if isinstance(answer, dict) else None
        if not isinstance(folders, list) or not folders or not isinstance(folders[0], dict):
            raise CapError(f"no such folder: {folder}")
        return folders[0]

    async def look(self, where: UUID | Folder | int | None = None) -> Listing:
        """What is in a folder, in the system folder of a kind (an asset type, 14 the trash), or in the root. ``CapError``."""
        if isinstance(where, int):
            where = (await self.folder_for(where)).folder_id
        told = await self.folder(where.folder_id if isinstance(where, Folder) else where)
        try:
            folders = tuple(read_folder(one) for one in told.get("categories", []))
            return Listing(folders, tuple(read_item(one) for one in told.get("items", [])))
        except ProtocolError as error:
            raise CapError(str(error)) from error

    async def folder_for(self, kind: int) -> Folder:
        """The system folder of a kind: an asset type, 14 the trash. Raises ``CapError`` when there is none."""
        for folder in (await self.look()).folders:
            if folder.kind == kind:
                return folder
        raise CapError(f"no system folder of kind {kind}")

    async def item(self, item_id: UUID) -> Item | None:
        """One item; None when we have none of that id. Raises ``CapError``."""
        caps = self._circuits.root.caps
        if caps is None:
            raise CapError("no capabilities yet")
        wanted = [{"item_id": item_id, "owner_id": self._circuits.agent_id}]
        answer = await caps.post("FetchInventory2", {"agent_id": self._circuits.agent_id, "items": wanted})
        told = answer.get("items") if isinstance(answer, dict) else None
        try:
            return read_item(told[0]) if isinstance(told, list) and told else None
        except ProtocolError as error:
            raise CapError(str(error)) from error

    # -- what the region tells --------------------------------------------------------------------------------------

    @hears("UpdateCreateInventoryItem")
    def _heard_item(self, heard: Heard) -> None:
        for block in heard["InventoryData"]:
            self._circuits.events.emit("item", item_of_block(block))

    @hears("BulkUpdateInventory")
    def _heard_many(self, heard: Heard) -> None:
        for block in heard["FolderData"]:
            if block["FolderID"] != NOBODY:
                folder = Folder(block["FolderID"], block["ParentID"], text(block["Name"]), block["Type"])
                self._circuits.events.emit("folder", folder)
        for block in heard["ItemData"]:
            if block["ItemID"] != NOBODY:
                self._circuits.events.emit("item", item_of_block(block))

    @hears("RemoveInventoryItem")
    def _heard_gone(self, heard: Heard) -> None:
        for block in heard["InventoryData"]:
            self._circuits.events.emit("item-gone", block["ItemID"])
