"""What we own, as the inventory service tells it by capabilities."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from .caps import CapError
from .circuits import Circuits


class Inventory:
    """Questions to the inventory."""

    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits

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
