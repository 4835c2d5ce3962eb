"""What the grid's operator asks of a running region: one person's deeds since a moment are undone.

The history is read in a thread; the world is changed at once, on its own thread; scripts of what stands again begin anew, since
a history has no states of scripts.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from assets.client import Asset, AssetError
from protocol.errors import ProtocolError
from protocol.inventory import Item
from sim.actions.rollback import Rolled, roll_back
from sim.neighbours.reading import uuid_of
from sim.region import Region
from sim.scripts.inworld import Scripts
from sim.storage.history import TooMany, of_what
from sim.storage.keeping import Storage
from sim.world.objects import Prim

log = logging.getLogger(__name__)

MOST_TOLD = 500  # things of a kind that the answer names
PATIENCE = 20.0  # seconds for what changed until now to be in the history


class Operator:
    """`fetch`: an asset by its id, None when there is none; AssetError."""

    def __init__(self, region: Region, storage: Storage, scripts: Scripts, fetch: Callable[[UUID], Awaitable[Asset | None]]) -> None:
        self._region = region
        self._storage = storage
        self._scripts = scripts
        self._fetch = fetch

    async def undo(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """`by`: whose deeds; `since`: unix time; `dry_run`: only tell. Status and answer: counts and names of what was removed,
        restored and changed, and of what was left, why."""
        who, since, dry = uuid_of(body.get("by"), "by"), body.get("since"), body.get("dry_run", False)
        if isinstance(since, bool) or not isinstance(since, int | float) or not math.isfinite(since) or not isinstance(dry, bool):
            raise ProtocolError("since is unix seconds, and dry_run true or false")
        storage = self._storage
        if storage.writer is None or storage.file is None:
            return 409, {"title": "nothing is kept", "description": f"{self._region.facts.name} keeps no history"}
        if not await storage.durable(PATIENCE):
            return 503, {"title": "nothing can be written", "description": storage.trouble or "the disk is slow: try again"}
        try:
            deeds = await asyncio.to_thread(of_what, storage.file.path, who, float(since))
        except TooMany as error:
            return 409, {"title": "too much", "description": str(error)}
        except (sa.exc.DBAPIError, OSError) as error:
            return 503, {"title": "the history cannot be read", "description": str(getattr(error, "orig", None) or error)}
        rolled = roll_back(self._region, who, deeds, dry)
        begun = 0
        if not dry:
            for prim, (gone, _) in rolled.contents.items():
                for item in gone:
                    self._scripts.remove_item(prim, item.item_id)
            begun = sum([await self._start(prim, item) for prim, (_, come) in rolled.contents.items() for item in come])
            await storage.durable(PATIENCE)
            log.warning("the operator undid what %s did since %d: %s", who, since, {name: len(found) for name, found in _kinds(rolled).items()})
        answer: dict[str, Any] = {"dry_run": dry, "scripts": begun}
        for name, found in _kinds(rolled).items():
            answer[name] = len(found)
            answer[f"{name}_things"] = [{"object": str(key), "about": about} for key, about in list(found.items())[:MOST_TOLD]]
        return 200, answer

    async def _start(self, prim: Prim, item: Item) -> bool:
        """A script that is an item of a prim again begins anew. Whether it runs."""
        try:
            asset = await self._fetch(item.asset_id)
        except AssetError:
            self._region.metrics.count("service_errors", label="assets")
            return False
        if asset is None or prim.row < 0:
            return False
        return not await self._scripts.run_item(prim, item, asset.data.decode("utf-8", "replace"), True)


def _kinds(rolled: Rolled) -> dict[str, dict[UUID, str]]:
    return {"removed": rolled.removed, "restored": rolled.restored, "changed": rolled.changed, "left": rolled.left}
