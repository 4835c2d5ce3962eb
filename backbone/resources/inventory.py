"""Inventory of an agent, or of the library under its owner's id. The rules are in storage/inventory.py."""

from __future__ import annotations

import time
from typing import Any

from backbone.errors import Forbidden
from backbone.http.kit import Call, Reply, Resource, operation, resource
from backbone.http.schemas import (
    BOOLEAN,
    CHANGED_ITEMS,
    FOLDER,
    FOLDER_CHANGE,
    ID,
    ITEM,
    ITEM_CHANGE,
    ITEM_CHANGES,
    NEW_FOLDER,
    NEW_ITEM,
    SKELETON,
    array,
    integer,
    record,
    text,
)
from backbone.storage.interfaces import InventoryStore
from backbone.storage.inventory import Missing

MAX_FOLDERS = MAX_ITEMS = 1000  # in one fetch
FETCH_BYTES = 256 * 1024
MANY_BYTES = 2 * 1024 * 1024
MISSING = {404: "no such folder or item of this owner"}
OLD_EPOCH = "the header Region names an epoch that is not the current one"
CHANGE = {"errors": {403: "a system folder, or not permitted", **MISSING, 409: f"the id is in use, or {OLD_EPOCH}"}}
MAKE = {**CHANGE, "grows": True, "status": 201, "other_statuses": {200: "asked again: the one that is there already"}}

FETCH = record(
    "FetchFolders",
    {
        "folders": array(
            record(
                None,
                {"folder_id": ID, "fetch_folders": BOOLEAN, "fetch_items": BOOLEAN},
                ("fetch_folders", "fetch_items"),
            ),
            MAX_FOLDERS,
        )
    },
)
CONTENTS = record(
    "FolderContents",
    {
        "folder_id": ID,
        "owner_id": ID,
        "version": integer(0, 2**31 - 1),
        "descendents": integer(0, 2**31 - 1),
        "categories": array(FOLDER),
        "items": array(ITEM),
    },
)
FETCHED = record("FetchedFolders", {"folders": array(CONTENTS), "bad_folders": array(ID)})
COPY = record("CopyItem", {"new_folder_id": ID, "new_name": text(255), "item_id": ID}, ("new_name", "item_id"))

POINT = integer(1, 55, description="an attachment point, protocol/attachment_points.py")
WORN = record("WornItem", {"item_id": ID, "point": POINT})


class InventoryResource(Resource):
    def store(self, call: Call) -> InventoryStore:
        """Inventories, as the caller may write them: a region by its claim."""
        return self.services.stores.under(call.fence()).inventory


def _made(outcome: tuple[dict[str, Any], bool]) -> Reply:
    made, new = outcome
    return Reply(made, 201 if new else 200)


@resource("/agents/{agent_id}/inventory/skeleton", "inventory")
class Skeleton(InventoryResource):
    @operation("All folders, without their items; the root first", answer=SKELETON, errors=MISSING)
    def on_get(self, call: Call) -> Any:
        found = self.store(call).skeleton(call.id("agent_id"))
        if not found["folders"]:
            raise Missing(f"no inventory of {call.id('agent_id')}")
        return found


@resource("/agents/{agent_id}/inventory/fetch-folders", "inventory")
class FetchFolders(InventoryResource):
    @operation("Contents of folders", body=FETCH, answer=FETCHED, max_body=FETCH_BYTES)
    def on_post(self, call: Call) -> Any:
        return self.store(call).fetch_folders(call.id("agent_id"), call.body["folders"])


@resource("/agents/{agent_id}/inventory/fetch-items", "inventory")
class FetchItems(InventoryResource):
    @operation(
        "Those of the items that the agent has",
        body=record("FetchItems", {"item_ids": array(ID, MAX_ITEMS)}),
        answer=record("FetchedItems", {"items": array(ITEM)}),
        max_body=FETCH_BYTES,
    )
    def on_post(self, call: Call) -> Any:
        return {"items": self.store(call).fetch_items(call.id("agent_id"), call.body["item_ids"])}


@resource("/agents/{agent_id}/inventory/folders", "inventory")
class Folders(InventoryResource):
    @operation("Make a folder under an id the caller chose", body=NEW_FOLDER, answer=FOLDER, **MAKE)
    def on_post(self, call: Call) -> Any:
        return _made(self.store(call).create_folder(call.id("agent_id"), call.body))


@resource("/agents/{agent_id}/inventory/folders/{folder_id}", "inventory")
class OneFolder(InventoryResource):
    @operation("One folder", answer=FOLDER, errors=MISSING)
    def on_get(self, call: Call) -> Any:
        return self.store(call).folder(call.id("agent_id"), call.id("folder_id"))

    @operation("Rename, move or retype a folder", body=FOLDER_CHANGE, answer=FOLDER, **CHANGE)
    def on_patch(self, call: Call) -> Any:
        return self.store(call).update_folder(call.id("agent_id"), call.id("folder_id"), call.body)

    @operation("Delete a folder and all it holds", **CHANGE)
    def on_delete(self, call: Call) -> Any:
        self.store(call).delete_folder(call.id("agent_id"), call.id("folder_id"))


@resource("/agents/{agent_id}/inventory/folders/{folder_id}/purge", "inventory")
class PurgeFolder(InventoryResource):
    @operation("Delete all a folder holds, not the folder", answer=FOLDER, **CHANGE)
    def on_post(self, call: Call) -> Any:
        return self.store(call).purge_folder(call.id("agent_id"), call.id("folder_id"))


@resource("/agents/{agent_id}/inventory/items", "inventory")
class Items(InventoryResource):
    @operation("Add an item; what is left out gets its usual value", body=NEW_ITEM, answer=ITEM, **MAKE)
    def on_post(self, call: Call) -> Any:
        owner = call.id("agent_id")
        if call.body.get("owner_id", owner) != owner:
            raise Forbidden("the owner of an item is the agent in whose inventory it is")
        return _made(self.store(call).create_item(owner, call.body, int(time.time())))

    @operation(
        "Change and move folders, then change, move and remove items, many at once in one transaction. What cannot be done is told and keeps nothing "
        "else from being done; it may be repeated: what is so already, or gone already, stays",
        body=ITEM_CHANGES,
        answer=CHANGED_ITEMS,
        errors={409: OLD_EPOCH},
        max_body=MANY_BYTES,
    )
    def on_patch(self, call: Call) -> Any:
        changes, removed, folders = (call.body.get(name, []) for name in ("changes", "removed", "folders"))
        return self.store(call).change_items(call.id("agent_id"), changes, removed, folders)


@resource("/agents/{agent_id}/inventory/items/{item_id}", "inventory")
class OneItem(InventoryResource):
    @operation("One item", answer=ITEM, errors=MISSING)
    def on_get(self, call: Call) -> Any:
        return self.store(call).item(call.id("agent_id"), call.id("item_id"))

    @operation("Change an item; parent_id moves it", body=ITEM_CHANGE, answer=ITEM, **CHANGE)
    def on_patch(self, call: Call) -> Any:
        return self.store(call).update_item(call.id("agent_id"), call.id("item_id"), call.body)

    @operation("Delete an item", **CHANGE)
    def on_delete(self, call: Call) -> Any:
        self.store(call).delete_item(call.id("agent_id"), call.id("item_id"))


@resource("/agents/{agent_id}/inventory/items/{item_id}/copy", "inventory")
class CopyItem(InventoryResource):
    @operation(
        "Copy an item of the agent or the library into the agent's folder; no new_name keeps the name",
        body=COPY,
        answer=ITEM,
        **MAKE,
    )
    def on_post(self, call: Call) -> Any:
        owner, item_id, body = call.id("agent_id"), call.id("item_id"), call.body
        folder, name, new_id = body["new_folder_id"], body.get("new_name", ""), body.get("item_id")
        return _made(self.store(call).copy_item(owner, item_id, folder, name, new_id, int(time.time())))


@resource("/agents/{agent_id}/worn", "inventory")
class WornItems(InventoryResource):
    @operation("What the agent wears, in the order it was put on", answer=record("Worn", {"items": array(WORN)}))
    def on_get(self, call: Call) -> Any:
        return {"items": self.store(call).worn_by(call.id("agent_id"))}


@resource("/agents/{agent_id}/worn/{item_id}", "inventory")
class WornItem(InventoryResource):
    @operation(
        "The agent wears an item of its inventory there; may be repeated",
        body=record("WearItem", {"point": POINT}),
        answer=WORN,
        **CHANGE,
    )
    def on_put(self, call: Call) -> Any:
        return self.store(call).put_on(call.id("agent_id"), call.id("item_id"), call.body["point"], time.time())

    @operation("The agent wears it no more; fine when it did not", errors={409: OLD_EPOCH})
    def on_delete(self, call: Call) -> Any:
        self.store(call).take_off(call.id("agent_id"), call.id("item_id"))


RESOURCES: list[type[Resource]] = [
    Skeleton,
    FetchFolders,
    FetchItems,
    Folders,
    OneFolder,
    PurgeFolder,
    Items,
    OneItem,
    CopyItem,
    WornItems,
    WornItem,
]
