"""Inventory: each person's tree of folders and items; the library is the same under its own owner.

A folder's version grows by one with every change of its direct content (a child added, removed, moved or
changed): viewers keep what they fetched by it, so a missed step would show someone an old folder for ever.
Every function here runs inside the caller's transaction, and takes the owner first: nothing reaches
into another person's tree (gifts.py does). What changes is noted for the history (history.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from backbone.errors import Conflict, Forbidden, NotFound, Problem
from backbone.storage import history
from backbone.storage.limits import check_room
from backbone.storage.tables import folders, items
from protocol.wellknown import (
    DEFAULT_WEARABLES,
    FOLDER_NAMES,
    LIBRARY_OWNER,
    LIBRARY_ROOT,
    NULL,
    AssetType,
    Folder,
    InventoryType,
    Permission,
    Wearable,
    mainland_id,
)

NO_ID = str(NULL)
LIBRARY = str(LIBRARY_OWNER)
SYSTEM_TYPES = frozenset(int(kind) for kind in FOLDER_NAMES)
BODY_PARTS = {Wearable.SHAPE, Wearable.SKIN, Wearable.HAIR, Wearable.EYES}
MAX_DEPTH = 256  # folders inside folders; also what ends a walk through a broken tree


class Missing(NotFound):
    """No such folder or item of this owner."""


class Refused(Forbidden):
    """The change is not allowed: a system folder, a permission."""


class Tied(Conflict):
    """The id is in use, or the tree would no longer be one."""


# making ----------------------------------------------------------------------------------------------


def create_for(conn: Connection, owner: str, now: int) -> None:
    """A new person's inventory: root, all system folders, and the default outfit, worn."""
    ids = {kind: str(uuid4()) for kind in FOLDER_NAMES}
    outfit = list(_default_outfit(owner, ids, now))
    direct: dict[str, int] = {folder_id: 0 for folder_id in ids.values()}
    for item in outfit:
        direct[item["parent_id"]] += 1
    direct[ids[Folder.ROOT]] = len(ids) - 1
    rows = [
        {
            "folder_id": ids[kind],
            "owner_id": owner,
            "parent_id": NO_ID if kind is Folder.ROOT else ids[Folder.ROOT],
            "name": name,
            "type": int(kind),
            "version": 1 + direct[ids[kind]],
        }
        for kind, name in FOLDER_NAMES.items()
    ]
    conn.execute(insert(folders), rows)
    conn.execute(insert(items), outfit)


def _default_outfit(owner: str, ids: dict[Folder, str], now: int) -> Iterable[dict[str, Any]]:
    """Each default wearable as an item, and a link to it in Current Outfit: what an avatar arrives in."""
    for kind, asset in DEFAULT_WEARABLES.items():
        body = kind in BODY_PARTS
        item = new_item(
            owner,
            parent_id=ids[Folder.BODY_PARTS if body else Folder.CLOTHING],
            asset_id=str(asset),
            name=f"Default {kind.name.lower()}",
            type=int(AssetType.BODY_PART if body else AssetType.CLOTHING),
            inv_type=int(InventoryType.WEARABLE),
            flags=int(kind),  # the low byte of a wearable's flags is its kind
            created_at=now,
            creator_id=LIBRARY,
        )
        yield item
        yield new_item(
            owner,
            parent_id=ids[Folder.CURRENT_OUTFIT],
            asset_id=item["item_id"],
            name=item["name"],
            type=int(AssetType.LINK),
            inv_type=int(InventoryType.WEARABLE),
            flags=int(kind),
            created_at=now,
        )


def new_item(owner: str, **given: Any) -> dict[str, Any]:
    """A whole item from what is known of it."""
    item: dict[str, Any] = {
        "item_id": str(uuid4()),
        "desc": "",
        "flags": 0,
        "creator_id": owner,
        "owner_id": owner,
        "last_owner_id": owner,
        "group_id": NO_ID,
        "is_owner_group": False,
        "base_mask": Permission.ALL,
        "owner_mask": Permission.ALL,
        "group_mask": 0,
        "everyone_mask": 0,
        "next_owner_mask": Permission.ALL,
        "sale_price": 0,
        "sale_type": 0,
        **given,
    }
    return item


def ensure_library(conn: Connection, now: int) -> None:
    """The library everyone sees: made once, its ids the same on every grid."""
    if conn.execute(select(folders.c.folder_id).where(folders.c.folder_id == str(LIBRARY_ROOT))).first():
        return
    rows = [(str(LIBRARY_ROOT), NO_ID, "Library", Folder.ROOT)]
    for kind in (Folder.BODY_PARTS, Folder.CLOTHING):
        rows.append((str(mainland_id(f"library/{kind.name.lower()}")), str(LIBRARY_ROOT), FOLDER_NAMES[kind], kind))
    for folder_id, parent_id, name, kind in rows:
        row = {"folder_id": folder_id, "owner_id": LIBRARY, "parent_id": parent_id, "name": name, "type": int(kind)}
        conn.execute(insert(folders).values(**row, version=1))
    for wearable, asset in DEFAULT_WEARABLES.items():
        kind = Folder.BODY_PARTS if wearable in BODY_PARTS else Folder.CLOTHING
        item = new_item(
            LIBRARY,
            item_id=str(mainland_id(f"library/item/{wearable.name.lower()}")),
            parent_id=str(mainland_id(f"library/{kind.name.lower()}")),
            asset_id=str(asset),
            name=f"Default {wearable.name.lower()}",
            type=int(kind),  # body part 13 and clothing 5 are the asset types, too
            inv_type=int(InventoryType.WEARABLE),
            flags=int(wearable),
            created_at=now,
        )
        conn.execute(insert(items).values(**item))


# reading ---------------------------------------------------------------------------------------------

_FOLDER = (folders.c.folder_id, folders.c.parent_id, folders.c.name, folders.c.type, folders.c.version)


def skeleton(conn: Connection, owner: str) -> dict[str, Any]:
    """{root, folders}: all folders without their items; the root first."""
    query = select(*_FOLDER).where(folders.c.owner_id == owner)
    rows = [dict(row._mapping) for row in conn.execute(query)]
    rows.sort(key=lambda row: (row["parent_id"] != NO_ID, row["name"], row["folder_id"]))
    return {"root": rows[0]["folder_id"] if rows else NO_ID, "folders": rows}


def folder(conn: Connection, owner: str, folder_id: str) -> dict[str, Any]:
    row = conn.execute(select(*_FOLDER).where(folders.c.folder_id == folder_id, folders.c.owner_id == owner)).first()
    if row is None:
        raise Missing(f"no folder {folder_id}")
    return dict(row._mapping)


def item(conn: Connection, owner: str, item_id: str) -> dict[str, Any]:
    row = conn.execute(select(items).where(items.c.item_id == item_id, items.c.owner_id == owner)).first()
    if row is None:
        raise Missing(f"no item {item_id}")
    return dict(row._mapping)


def fetch_items(conn: Connection, owner: str, item_ids: Iterable[str]) -> list[dict[str, Any]]:
    """The owner's items among these, in the order asked for."""
    wanted = list(dict.fromkeys(item_ids))
    query = select(items).where(items.c.item_id.in_(wanted), items.c.owner_id == owner)
    found = {row.item_id: dict(row._mapping) for row in conn.execute(query)}
    return [found[one] for one in wanted if one in found]


def fetch_folders(conn: Connection, owner: str, requests: list[dict[str, Any]]) -> dict[str, Any]:
    """Folders with their content; each request {folder_id, fetch_folders, fetch_items}.

    ``descendents`` counts both kinds even when only one was asked for. Folders of others are bad folders.
    """
    wanted = list(dict.fromkeys(request["folder_id"] for request in requests))
    query = select(*_FOLDER).where(folders.c.folder_id.in_(wanted), folders.c.owner_id == owner)
    known = {row.folder_id: dict(row._mapping) for row in conn.execute(query)}
    children = _by_parent(conn, select(*_FOLDER).where(folders.c.owner_id == owner), folders, list(known))
    content = _by_parent(conn, select(items).where(items.c.owner_id == owner), items, list(known))
    answers, bad = [], []
    for request in requests:
        found = known.get(request["folder_id"])
        if found is None:
            bad.append(request["folder_id"])
            continue
        inner, things = children.get(found["folder_id"], []), content.get(found["folder_id"], [])
        answers.append(
            {
                "folder_id": found["folder_id"],
                "owner_id": owner,
                "version": found["version"],
                "descendents": len(inner) + len(things),
                "categories": inner if request.get("fetch_folders", True) else [],
                "items": things if request.get("fetch_items", True) else [],
            }
        )
    return {"folders": answers, "bad_folders": bad}


def _by_parent(conn: Connection, query: Any, table: Any, parents: list[str]) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    ordered = query.where(table.c.parent_id.in_(parents)).order_by(table.c.name, table.primary_key.columns[0])
    for row in conn.execute(ordered):
        grouped.setdefault(row.parent_id, []).append(dict(row._mapping))
    return grouped


def items_of_type(conn: Connection, owner: str, kind: int) -> list[dict[str, Any]]:
    """All the owner's items of one asset type."""
    query = select(items).where(items.c.owner_id == owner, items.c.type == kind)
    return [dict(row._mapping) for row in conn.execute(query)]


def folder_of_type(conn: Connection, owner: str, kind: int) -> str:
    """The owner's system folder for things of that asset type; the root if it has none."""
    query = select(folders.c.folder_id, folders.c.type).where(
        folders.c.owner_id == owner, folders.c.type.in_([kind, int(Folder.ROOT)])
    )
    found = {row.type: row.folder_id for row in conn.execute(query)}
    if not found:
        raise Missing(f"no inventory of {owner}")
    return found.get(kind) or found[int(Folder.ROOT)]


# changing folders ------------------------------------------------------------------------------------


def touch(conn: Connection, *folder_ids: str) -> None:
    """The direct content of these folders is another: each is one version on."""
    changed = set(folder_ids)
    conn.execute(update(folders).where(folders.c.folder_id.in_(changed)).values(version=folders.c.version + 1))


def create_folder(
    conn: Connection, owner: str, folder_id: str, parent_id: str, name: str, kind: int
) -> tuple[dict[str, Any], bool]:
    """The new folder and True; the same one again and False when the request was repeated."""
    present = conn.execute(select(folders).where(folders.c.folder_id == folder_id)).first()
    if present is not None:
        if (present.owner_id, present.parent_id, present.name) == (owner, parent_id, name):
            return folder(conn, owner, folder_id), False
        raise Tied(f"folder id {folder_id} is in use")
    folder(conn, owner, parent_id)
    _check_depth(conn, owner, parent_id)
    if kind in SYSTEM_TYPES:
        query = select(folders.c.folder_id).where(folders.c.owner_id == owner, folders.c.type == kind)
        if conn.execute(query).first():
            raise Tied(f"there is one folder of type {kind} already")
    check_room(conn, owner, 1)
    row = {"folder_id": folder_id, "parent_id": parent_id, "name": name, "type": kind, "version": 1}
    conn.execute(insert(folders).values(owner_id=owner, **row))
    history.made(conn, owner, row)
    touch(conn, parent_id)
    return row, True


def update_folder(conn: Connection, owner: str, folder_id: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Rename, move or retype a folder. System folders stay what and where they are."""
    before = folder(conn, owner, folder_id)
    wanted = {key: value for key, value in changes.items() if value != before[key]}
    if not wanted:
        return before
    if before["type"] in SYSTEM_TYPES:
        raise Refused(f"{before['name']} is a system folder")
    if wanted.get("type", -1) in SYSTEM_TYPES:
        raise Refused(f"a folder cannot become a system folder (type {wanted['type']})")
    if "parent_id" in wanted:
        folder(conn, owner, wanted["parent_id"])
        if folder_id in _check_depth(conn, owner, wanted["parent_id"]):
            raise Tied("a folder cannot move into itself")
    conn.execute(update(folders).where(folders.c.folder_id == folder_id).values(**wanted))
    history.changed(conn, owner, before, {**before, **wanted})
    touch(conn, before["parent_id"], wanted.get("parent_id", before["parent_id"]))
    return folder(conn, owner, folder_id)


def _check_depth(conn: Connection, owner: str, folder_id: str) -> list[str]:
    """The folder and all above it. Tied if that is more than MAX_DEPTH."""
    path: list[str] = []
    here = folder_id
    while here != NO_ID:
        if len(path) >= MAX_DEPTH:
            raise Tied(f"folders inside folders: at most {MAX_DEPTH}")
        path.append(here)
        here = folder(conn, owner, here)["parent_id"]
    return path


def subtree(folder_id: str) -> Any:
    """The folder and everything below it, as a query of folder ids."""
    tree = select(folders.c.folder_id).where(folders.c.folder_id == folder_id).cte("tree", recursive=True)
    return tree.union(select(folders.c.folder_id).where(folders.c.parent_id == tree.c.folder_id))


def _empty(conn: Connection, owner: str, folder_id: str) -> int:
    """Delete all below a folder, the folder excepted; how many folders and items went."""
    tree = select(subtree(folder_id).c.folder_id)
    ids = [row.folder_id for row in conn.execute(tree)]
    below = [one for one in ids if one != folder_id]
    return _delete_in(conn, owner, items, items.c.parent_id, ids) + _delete_in(
        conn, owner, folders, folders.c.folder_id, below
    )


def _delete_in(conn: Connection, owner: str, table: Any, column: Any, ids: list[str]) -> int:
    """Delete the rows whose column is one of these, noting them; how many."""
    gone = 0
    for at in range(0, len(ids), 500):  # below every driver's limit of parameters
        among = column.in_(ids[at : at + 500])
        rows = [dict(row._mapping) for row in conn.execute(select(table).where(among))]
        conn.execute(delete(table).where(among))
        history.removed(conn, owner, rows)
        gone += len(rows)
    return gone


def purge_folder(conn: Connection, owner: str, folder_id: str) -> dict[str, Any]:
    """Empty a folder. The root cannot be purged: it holds the system folders."""
    found = folder(conn, owner, folder_id)
    _refuse_system_below(conn, folder_id)
    if _empty(conn, owner, folder_id):
        touch(conn, folder_id)
        found = folder(conn, owner, folder_id)
    return found


def delete_folder(conn: Connection, owner: str, folder_id: str) -> None:
    found = folder(conn, owner, folder_id)
    if found["type"] in SYSTEM_TYPES:
        raise Refused(f"{found['name']} is a system folder")
    _empty(conn, owner, folder_id)
    _delete_in(conn, owner, folders, folders.c.folder_id, [folder_id])
    touch(conn, found["parent_id"])


def _refuse_system_below(conn: Connection, folder_id: str) -> None:
    tree = subtree(folder_id)
    query = select(func.count()).select_from(folders).join(tree, tree.c.folder_id == folders.c.folder_id)
    if conn.execute(query.where(folders.c.type.in_(SYSTEM_TYPES), folders.c.folder_id != folder_id)).scalar():
        raise Refused("there are system folders inside")


# changing items --------------------------------------------------------------------------------------


def create_item(conn: Connection, owner: str, given: dict[str, Any], now: int) -> tuple[dict[str, Any], bool]:
    """The new item and True; the present one and False when the request was repeated."""
    item_id = given.get("item_id")
    if item_id is not None:
        present = conn.execute(select(items).where(items.c.item_id == item_id)).first()
        if present is not None:
            if present.owner_id == owner and all(present._mapping[key] == value for key, value in given.items()):
                return dict(present._mapping), False
            raise Tied(f"item id {item_id} is in use")
    folder(conn, owner, given["parent_id"])
    row = new_item(owner, **{"created_at": now, **given})
    add_item(conn, row)
    return row, True


def add_item(conn: Connection, row: dict[str, Any]) -> None:
    """A whole new item into its owner's inventory. InventoryFull."""
    check_room(conn, row["owner_id"], 1)
    conn.execute(insert(items).values(**row))
    history.made(conn, row["owner_id"], row)
    touch(conn, row["parent_id"])


def update_item(conn: Connection, owner: str, item_id: str, changes: dict[str, Any]) -> dict[str, Any]:
    before = item(conn, owner, item_id)
    wanted = {key: value for key, value in changes.items() if value != before[key]}
    if not wanted:
        return before
    if "parent_id" in wanted:
        folder(conn, owner, wanted["parent_id"])
    conn.execute(update(items).where(items.c.item_id == item_id).values(**wanted))
    history.changed(conn, owner, before, {**before, **wanted})
    touch(conn, before["parent_id"], wanted.get("parent_id", before["parent_id"]))
    return {**before, **wanted}


def change_items(
    conn: Connection,
    owner: str,
    changes: list[dict[str, Any]],
    removed: list[str],
    folder_changes: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Many changes in one transaction, of folders, then of items, each in their order, then removals: {items, refused}.

    Each change is {item_id, ...what update_item takes}, or {folder_id, ...what update_folder takes}; one that cannot be
    made is told by its id and a reason, and keeps no other from being made. Repeated, everything is as it was: changes
    to what is already so, and removals of what is gone, do nothing.
    """
    refused: list[dict[str, str]] = []
    for change in folder_changes:
        folder_id = change["folder_id"]
        try:
            with conn.begin_nested():
                update_folder(conn, owner, folder_id, change)
        except Problem as problem:
            refused.append({"folder_id": folder_id, "reason": str(problem)})
    ids = list(dict.fromkeys([change["item_id"] for change in changes] + removed))
    known = {row["item_id"]: row for row in fetch_items(conn, owner, ids)}
    parents = list({change["parent_id"] for change in changes if "parent_id" in change})
    query = select(folders.c.folder_id).where(folders.c.folder_id.in_(parents), folders.c.owner_id == owner)
    own = {row.folder_id for row in conn.execute(query)}
    steps: Counter[str] = Counter()  # folder -> how many versions on
    for change in changes:
        item_id = change["item_id"]
        before = known.get(item_id)
        if before is None:
            refused.append({"item_id": item_id, "reason": f"no item {item_id}"})
        elif change.get("parent_id", before["parent_id"]) not in own | {before["parent_id"]}:
            refused.append({"item_id": item_id, "reason": f"no folder {change['parent_id']}"})
        elif wanted := {key: value for key, value in change.items() if value != before[key]}:
            conn.execute(update(items).where(items.c.item_id == item_id).values(**wanted))
            known[item_id] = {**before, **wanted}
            history.changed(conn, owner, before, known[item_id])
            steps.update({before["parent_id"], known[item_id]["parent_id"]})
    gone = [item_id for item_id in dict.fromkeys(removed) if item_id in known]
    _note_removed(conn, owner, [known[item_id] for item_id in gone])
    for item_id in gone:
        steps[known.pop(item_id)["parent_id"]] += 1
    for at in range(0, len(gone), 500):
        conn.execute(delete(items).where(items.c.item_id.in_(gone[at : at + 500])))
    for folder_id, versions in steps.items():
        grow = update(folders).where(folders.c.folder_id == folder_id)
        conn.execute(grow.values(version=folders.c.version + versions))
    return {"items": [known[one] for one in ids if one in known], "refused": refused}


def delete_item(conn: Connection, owner: str, item_id: str) -> None:
    found = item(conn, owner, item_id)
    conn.execute(delete(items).where(items.c.item_id == item_id))
    _note_removed(conn, owner, [found])
    touch(conn, found["parent_id"])


def _note_removed(conn: Connection, owner: str, rows: list[dict[str, Any]]) -> None:
    """Single items were removed. People throw away by way of the trash: what cannot be copied and goes from anywhere else
    is on its way into the world or into an object."""
    bins: dict[str, bool] = {}
    for row in rows:
        parent = row["parent_id"]
        if parent not in bins:
            bins[parent] = folder_of_type(conn, owner, int(Folder.TRASH)) in _check_depth(conn, owner, parent)
        stays = row["owner_mask"] & Permission.COPY or bins[parent]
        history.removed(conn, owner, [row], history.REMOVED if stays else history.LEFT)


def copy_item(
    conn: Connection, owner: str, item_id: str, new_folder_id: str, new_name: str, new_item_id: str | None, now: int
) -> tuple[dict[str, Any], bool]:
    """Copy an item of the owner or the library into the owner's folder; (copy, False) when repeated."""
    query = select(items).where(items.c.item_id == item_id, or_(items.c.owner_id == owner, items.c.owner_id == LIBRARY))
    source = conn.execute(query).first()
    if source is None:
        raise Missing(f"no item {item_id}")
    if not source.owner_mask & Permission.COPY:
        raise Refused("the item may not be copied")
    repeated = _already(conn, owner, new_item_id)
    if repeated is not None:
        return repeated, False
    folder(conn, owner, new_folder_id)
    copy = {
        **source._mapping,
        "item_id": new_item_id or str(uuid4()),
        "parent_id": new_folder_id,
        "owner_id": owner,
        "last_owner_id": source.owner_id,
        "name": new_name or source.name,
        "created_at": now,
    }
    add_item(conn, copy)
    return copy, True


def _already(conn: Connection, owner: str, item_id: str | None) -> dict[str, Any] | None:
    """The owner's item of that id, if a repeated request made it before. Tied if it is another's."""
    if item_id is None:
        return None
    present = conn.execute(select(items).where(items.c.item_id == item_id)).first()
    if present is None:
        return None
    if present.owner_id != owner:
        raise Tied(f"item id {item_id} is in use")
    return dict(present._mapping)
