"""Backbone's inventories and moves as they are in its database, without a server: what a test kills it can open again.

    backbone = KeptBackbone(folder)        everything else is the fake's (`backbones.py`)
    backbone.lost = {"move_into"}          the next answer of that call is lost, after it was done
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from backbone.client import UNREACHABLE, BackboneError, Id
from backbone.errors import Problem
from backbone.storage.database import Direct, open_engine, sqlite_url
from backbone.storage.stores import open_stores
from tests.kit.backbones import FakeBackbone

T = TypeVar("T")


class KeptBackbone(FakeBackbone):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._engine = open_engine(sqlite_url(folder))
        self.stores = open_stores(Direct(self._engine), int(time.time()))
        self.lost: set[str] = set()

    def close(self) -> None:
        self._engine.dispose()

    def person(self, name: str) -> str:
        """The id of an account of that first name, which is made if there is none."""
        found = self.stores.people.by_name(f"{name} Tester")
        return str((found or self.stores.people.create(name, "Tester", "a verifier", 1, False))["agent_id"])

    def folder(self, owner: Id, kind: int) -> str:
        tree = self.stores.inventory.skeleton(str(owner))
        return next(folder["folder_id"] for folder in tree["folders"] if folder["type"] == kind)

    def every_item(self, owner: Id) -> list[dict[str, Any]]:
        tree = self.stores.inventory.skeleton(str(owner))
        wanted = [{"folder_id": folder["folder_id"]} for folder in tree["folders"]]
        found = self.stores.inventory.fetch_folders(str(owner), wanted)
        return [item for folder in found["folders"] for item in folder["items"]]

    def _ask(self, name: str, work: Callable[[], T], *arguments: Any) -> T:
        self._note(name, *arguments)
        try:
            answer = work()
        except Problem as error:
            raise BackboneError(error.status, error.title, str(error)) from error
        if name in self.lost:
            self.lost.discard(name)
            raise BackboneError(UNREACHABLE, "backbone unreachable", "time-out")
        return answer

    async def get_inventory_skeleton(self, agent_id: Id) -> dict[str, Any]:
        return self._ask("get_inventory_skeleton", lambda: self.stores.inventory.skeleton(str(agent_id)))

    async def fetch_items(self, agent_id: Id, item_ids: Iterable[Id]) -> list[dict[str, Any]]:
        return self._ask("fetch_items", lambda: self.stores.inventory.fetch_items(str(agent_id), map(str, item_ids)))

    async def create_item(self, agent_id: Id, item: dict[str, Any]) -> dict[str, Any]:
        return self._ask("create_item", lambda: self.stores.inventory.create_item(str(agent_id), item, 1)[0])

    async def give(self, agent_id: Id, gift_id: Id, to_agent_id: Id, **what: Any) -> dict[str, Any]:
        wanted = {"gift_id": str(gift_id), "to_agent_id": str(to_agent_id), **what}
        return self._ask("give", lambda: self.stores.inventory.give(str(agent_id), wanted, 1), agent_id, gift_id, to_agent_id, what)

    async def move_into(
        self, transit_id: Id, region_id: Id, agent_id: Id, item: dict[str, Any] | None = None, change: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        named = str(transit_id), str(region_id), str(agent_id)

        def work() -> dict[str, Any]:
            if change is None:
                assert item is not None
                return self.stores.transits.put_in(*named, item, 1)[0]
            rest = {key: value for key, value in change.items() if key != "item_id"}
            return self.stores.transits.change(*named, change["item_id"], rest, 1)[0]

        return self._ask("move_into", work, *named)

    async def move_out(self, transit_id: Id, region_id: Id, agent_id: Id, item_id: Id) -> dict[str, Any]:
        named = str(transit_id), str(region_id), str(agent_id), str(item_id)
        return self._ask("move_out", lambda: self.stores.transits.hold(*named, 1)[0], *named)

    async def release_move(self, transit_id: Id) -> dict[str, Any]:
        return self._ask("release_move", lambda: self.stores.transits.release(str(transit_id)), transit_id)

    async def void_move(self, transit_id: Id, region_id: Id) -> dict[str, Any]:
        return self._ask("void_move", lambda: self.stores.transits.void(str(transit_id), str(region_id), 1), transit_id)

    async def open_moves(self, region_id: Id | None = None) -> list[dict[str, Any]]:
        return self._ask("open_moves", lambda: self.stores.transits.open_moves(str(region_id)))

    async def close_moves(self, region_id: Id, transit_ids: Iterable[Id]) -> None:
        named = [str(one) for one in transit_ids]
        self._ask("close_moves", lambda: self.stores.transits.close(str(region_id), named, 1), named)
