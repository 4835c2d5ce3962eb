"""Inventory of an agent, or of the library under its owner's id."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from backbone.http.kit import Call, Reply, Resource, conflict, forbidden, not_found, operation, resource
from backbone.http.schemas import (
    BOOLEAN,
    FOLDER,
    FOLDER_CHANGE,
    ID,
    ITEM,
    ITEM_CHANGE,
    NEW_FOLDER,
    NEW_ITEM,
    SKELETON,
    array,
    integer,
    record,
    text,
)
from backbone.storage import inventory as store

MAX_FOLDERS = MAX_ITEMS = 1000  # in one fetch
FETCH_BYTES = 256 * 1024
MISSING = {404: "no such folder or item of this owner"}
CHANGE_ERRORS = {403: "a system folder, or not permitted", **MISSING, 409: "the id is in use"}
AGAIN = {200: "asked again: the one that is there already"}

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
GIVE = record("GiveItem", {"to_agent_id": ID, "item_id": ID}, ("item_id",))


class InventoryResource(Resource):
    """What the inventory resources share: their work's errors as HTTP, reads on a thread."""

    def change(self, work: Callable[[Any], Any]) -> Any:
        return self._told(self.services.db.write, work)

    def read(self, work: Callable[[Any], Any]) -> Any:
        return self._told(self.services.db.read_large, work)

    @staticmethod
    def _told(run: Callable[[Any], Any], work: Callable[[Any], Any]) -> Any:
        try:
            return run(work)
        except store.Missing as error:
            raise not_found(str(error.args[0])) from None
        except store.Refused as error:
            raise forbidden(str(error)) from None
        except store.Conflict as error:
            raise conflict(str(error)) from None


def _made(outcome: tuple[dict[str, Any], bool]) -> Reply:
    made, new = outcome
    return Reply(made, 201 if new else 200)


@resource("/agents/{agent_id}/inventory/skeleton", "inventory")
class Skeleton(InventoryResource):
    @operation("All folders, without their items; the root first", answer=SKELETON, errors=MISSING)
    def on_get(self, call: Call) -> Any:
        found = self.read(lambda conn: store.skeleton(conn, call.id("agent_id")))
        if not found["folders"]:
            raise not_found(f"no inventory of {call.id('agent_id')}")
        return found


@resource("/agents/{agent_id}/inventory/fetch-folders", "inventory")
class FetchFolders(InventoryResource):
    @operation("Contents of folders", body=FETCH, answer=FETCHED, max_body=FETCH_BYTES)
    def on_post(self, call: Call) -> Any:
        return self.read(lambda conn: store.fetch_folders(conn, call.id("agent_id"), call.body["folders"]))


@resource("/agents/{agent_id}/inventory/fetch-items", "inventory")
class FetchItems(InventoryResource):
    @operation(
        "Those of the items that the agent has",
        body=record("FetchItems", {"item_ids": array(ID, MAX_ITEMS)}),
        answer=record("FetchedItems", {"items": array(ITEM)}),
        max_body=FETCH_BYTES,
    )
    def on_post(self, call: Call) -> Any:
        wanted = call.body["item_ids"]
        return {"items": self.read(lambda conn: store.fetch_items(conn, call.id("agent_id"), wanted))}


@resource("/agents/{agent_id}/inventory/folders", "inventory")
class Folders(InventoryResource):
    @operation(
        "Make a folder under an id the caller chose",
        body=NEW_FOLDER,
        answer=FOLDER,
        status=201,
        other_statuses=AGAIN,
        errors=CHANGE_ERRORS,
    )
    def on_post(self, call: Call) -> Any:
        owner, new = call.id("agent_id"), call.body
        kind = new.get("type", -1)
        return _made(
            self.change(
                lambda conn: store.create_folder(conn, owner, new["folder_id"], new["parent_id"], new["name"], kind)
            )
        )


@resource("/agents/{agent_id}/inventory/folders/{folder_id}", "inventory")
class OneFolder(InventoryResource):
    @operation("One folder", answer=FOLDER, errors=MISSING)
    def on_get(self, call: Call) -> Any:
        return self.read(lambda conn: store.folder(conn, call.id("agent_id"), call.id("folder_id")))

    @operation("Rename, move or retype a folder", body=FOLDER_CHANGE, answer=FOLDER, errors=CHANGE_ERRORS)
    def on_patch(self, call: Call) -> Any:
        owner, folder_id = call.id("agent_id"), call.id("folder_id")
        return self.change(lambda conn: store.update_folder(conn, owner, folder_id, call.body))

    @operation("Delete a folder and all it holds", errors=CHANGE_ERRORS)
    def on_delete(self, call: Call) -> Any:
        return self.change(lambda conn: store.delete_folder(conn, call.id("agent_id"), call.id("folder_id")))


@resource("/agents/{agent_id}/inventory/folders/{folder_id}/purge", "inventory")
class PurgeFolder(InventoryResource):
    @operation("Delete all a folder holds, not the folder", answer=FOLDER, errors=CHANGE_ERRORS)
    def on_post(self, call: Call) -> Any:
        return self.change(lambda conn: store.purge_folder(conn, call.id("agent_id"), call.id("folder_id")))


@resource("/agents/{agent_id}/inventory/items", "inventory")
class Items(InventoryResource):
    @operation(
        "Add an item; what is left out gets its usual value",
        body=NEW_ITEM,
        answer=ITEM,
        status=201,
        other_statuses=AGAIN,
        errors=CHANGE_ERRORS,
    )
    def on_post(self, call: Call) -> Any:
        owner = call.id("agent_id")
        if call.body.get("owner_id", owner) != owner:
            raise forbidden("the owner of an item is the agent in whose inventory it is")
        return _made(self.change(lambda conn: store.create_item(conn, owner, call.body, int(time.time()))))


@resource("/agents/{agent_id}/inventory/items/{item_id}", "inventory")
class OneItem(InventoryResource):
    @operation("One item", answer=ITEM, errors=MISSING)
    def on_get(self, call: Call) -> Any:
        return self.read(lambda conn: store.item(conn, call.id("agent_id"), call.id("item_id")))

    @operation("Change an item; parent_id moves it", body=ITEM_CHANGE, answer=ITEM, errors=CHANGE_ERRORS)
    def on_patch(self, call: Call) -> Any:
        owner, item_id = call.id("agent_id"), call.id("item_id")
        return self.change(lambda conn: store.update_item(conn, owner, item_id, call.body))

    @operation("Delete an item", errors=MISSING)
    def on_delete(self, call: Call) -> Any:
        return self.change(lambda conn: store.delete_item(conn, call.id("agent_id"), call.id("item_id")))


@resource("/agents/{agent_id}/inventory/items/{item_id}/copy", "inventory")
class CopyItem(InventoryResource):
    @operation(
        "Copy an item of the agent or the library into the agent's folder; no new_name keeps the name",
        body=COPY,
        answer=ITEM,
        status=201,
        other_statuses=AGAIN,
        errors=CHANGE_ERRORS,
    )
    def on_post(self, call: Call) -> Any:
        owner, item_id, body = call.id("agent_id"), call.id("item_id"), call.body
        name, new_id, now = body.get("new_name", ""), body.get("item_id"), int(time.time())
        return _made(
            self.change(lambda conn: store.copy_item(conn, owner, item_id, body["new_folder_id"], name, new_id, now))
        )


@resource("/agents/{agent_id}/inventory/items/{item_id}/give", "inventory")
class GiveItem(InventoryResource):
    @operation(
        "Give an item to another agent's folder of its type: a copy, or the item itself if it may not be copied",
        body=GIVE,
        answer=record("Gift", {"item": ITEM, "moved": BOOLEAN}),
        errors=CHANGE_ERRORS,
    )
    def on_post(self, call: Call) -> Any:
        owner, item_id, body = call.id("agent_id"), call.id("item_id"), call.body
        to_owner, new_id, now = body["to_agent_id"], body.get("item_id"), int(time.time())
        item, moved = self.change(lambda conn: store.give(conn, owner, item_id, to_owner, new_id, now))
        return {"item": item, "moved": moved}


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
    GiveItem,
]
