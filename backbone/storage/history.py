"""What became of each folder and item of an inventory, and the way back.

    made      it came: made, copied, taken, received
    changed   renamed, moved, saved, permitted; ``before`` has the members that changed, as they were
    removed   deleted, or swept out with the trash; ``before`` has all of it
    left      it cannot be copied and went elsewhere: given away, put into the world or into an object

Noted in the transaction of the change itself, by the functions of inventory.py and gifts.py. What has ``left`` is never
brought back from here: it may be somewhere else now, and there is one of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from backbone.errors import Conflict, NotFound
from backbone.storage.database import db_now
from backbone.storage.limits import limits
from backbone.storage.tables import facts, folders, inventory_changes, items
from backbone.storage.upsert import insert_if_absent, upsert
from protocol.wellknown import NULL, Folder, Permission

Row = dict[str, Any]
MADE, CHANGED, REMOVED, LEFT = "made", "changed", "removed", "left"
BEGINNING = "inventory_history"  # the fact that says since when all is noted
PRUNE_EVERY = 256  # rows; of the one whose change is that row, what is beyond its share goes
LISTED = 1000  # things of each kind that a report names
SECONDS_A_DAY = 86400
NO_ID = str(NULL)
DEEPEST = 256


class TooEarly(Conflict):
    """The history does not reach back so far."""


# noting ----------------------------------------------------------------------------------------------


def made(conn: Connection, owner: str, *rows: Row) -> None:
    """These folders or items (as whole rows) are new."""
    _note(conn, owner, MADE, [(row, None) for row in rows])


def changed(conn: Connection, owner: str, before: Row, after: Row) -> None:
    """A folder or item is another than it was; a folder's version does not count."""
    was = {key: value for key, value in before.items() if after[key] != value and key != "version"}
    if was:
        _note(conn, owner, CHANGED, [(after, was)])


def removed(conn: Connection, owner: str, rows: Iterable[Row], what: str = REMOVED) -> None:
    """These folders or items are gone; ``what`` is REMOVED or LEFT."""
    _note(conn, owner, what, [(row, row) for row in rows])


def _note(conn: Connection, owner: str, what: str, noted: list[tuple[Row, Row | None]]) -> None:
    if not noted:
        return
    rows = [
        {
            "owner_id": owner,
            "thing_id": row.get("item_id") or row["folder_id"],
            "is_folder": "item_id" not in row,
            "what": what,
            "name": row["name"],
            "parent_id": row["parent_id"],
            "before": before,
        }
        for row, before in noted
    ]
    if len(rows) > 1:
        conn.execute(insert(inventory_changes).values(at=db_now()), rows)
        prune(conn, owner)
        return
    key = conn.execute(insert(inventory_changes).values(at=db_now(), **rows[0])).inserted_primary_key
    if key is not None and key[0] % PRUNE_EVERY == 0:
        prune(conn, owner)


def prune(conn: Connection, owner: str) -> None:
    """Forget the owner's oldest changes beyond its share."""
    newest = select(inventory_changes.c.seq).where(inventory_changes.c.owner_id == owner)
    newest = newest.order_by(inventory_changes.c.seq.desc())
    last = conn.execute(newest.offset(limits(conn).rows).limit(1)).scalar()
    if last is not None:
        mine = inventory_changes.c.owner_id == owner, inventory_changes.c.seq <= last
        conn.execute(delete(inventory_changes).where(*mine))


def begin(conn: Connection, now: float) -> None:
    """From now on all is noted, unless it was before."""
    insert_if_absent(conn, facts, {"name": BEGINNING, "value": str(now)})


def sweep(conn: Connection, now: float) -> int:
    """Forget what is older than the days that are kept; how many changes."""
    cut = now - limits(conn).days * SECONDS_A_DAY
    gone = conn.execute(delete(inventory_changes).where(inventory_changes.c.at < cut)).rowcount
    if cut > _fact(conn):
        upsert(conn, facts, {"name": BEGINNING}, {"value": str(cut)})
    return gone


# reading ---------------------------------------------------------------------------------------------


def _fact(conn: Connection) -> float:
    return float(conn.execute(select(facts.c.value).where(facts.c.name == BEGINNING)).scalar() or 0.0)


def begins(conn: Connection, owner: str) -> float:
    """Since when every change of the owner's is known, unix seconds."""
    mine = select(inventory_changes.c.at).where(inventory_changes.c.owner_id == owner)
    mine = mine.order_by(inventory_changes.c.seq.desc())
    pruned_to = conn.execute(mine.offset(limits(conn).rows - 1).limit(1)).scalar()
    return max(_fact(conn), pruned_to or 0.0)


def changes(conn: Connection, owner: str, since: float, most: int) -> Row:
    """{begins, changes}: what happened since then, newest first, at most so many."""
    tree = _Tree(conn, owner)
    table = inventory_changes
    query = select(table).where(table.c.owner_id == owner, table.c.at >= since).order_by(table.c.seq.desc())
    told = []
    for row in conn.execute(query.limit(most)):
        was = row.before or {}
        told.append(
            {
                "at": row.at,
                "what": row.what,
                "kind": "folder" if row.is_folder else "item",
                "id": row.thing_id,
                "name": row.name,
                "where": tree.path(row.parent_id),
                "members": sorted(was) if row.what == CHANGED else [],
                "was_called": was.get("name", row.name),
                "was_in": tree.path(was["parent_id"]) if "parent_id" in was else tree.path(row.parent_id),
            }
        )
    return {"begins": begins(conn, owner), "changes": told}


def trash(conn: Connection, owner: str) -> Row:
    """{things}: what lies in the owner's trash, since when, and where it was before."""
    tree = _Tree(conn, owner)
    bin_id = tree.of_type(Folder.TRASH)
    lying = [row for row in tree.folders.values() if row["parent_id"] == bin_id]
    lying += [dict(row._mapping) for row in conn.execute(select(items).where(items.c.owner_id == owner, items.c.parent_id == bin_id))]
    came = _came_there(conn, owner, bin_id)
    things = []
    for row in lying:
        thing_id = row.get("item_id") or row["folder_id"]
        at, origin = came.get(thing_id, (None, None))
        things.append(
            {
                "kind": "item" if "item_id" in row else "folder",
                "id": thing_id,
                "name": row["name"],
                "type": row["type"],
                "since": at,
                "was_in": None if origin is None else tree.path(origin),
                "holds": 0 if "item_id" in row else tree.holds(conn, thing_id),
            }
        )
    return {"things": sorted(things, key=lambda thing: (-(thing["since"] or 0), thing["name"], thing["id"]))}


def _came_there(conn: Connection, owner: str, folder_id: str) -> dict[str, tuple[float, str | None]]:
    """When each thing came into a folder last, and from which other."""
    table = inventory_changes
    query = select(table.c.thing_id, table.c.at, table.c.what, table.c.before)
    query = query.where(table.c.owner_id == owner, table.c.parent_id == folder_id, table.c.what.in_([MADE, CHANGED]))
    found: dict[str, tuple[float, str | None]] = {}
    for row in conn.execute(query.order_by(table.c.seq)):
        if row.what == MADE:
            found[row.thing_id] = (row.at, None)
        elif "parent_id" in row.before:
            found[row.thing_id] = (row.at, row.before["parent_id"])
    return found


class _Tree:
    """The owner's folders, to say where something is in words."""

    def __init__(self, conn: Connection, owner: str) -> None:
        rows = conn.execute(select(folders).where(folders.c.owner_id == owner))
        self.folders = {row.folder_id: dict(row._mapping) for row in rows}
        if not self.folders:
            raise NotFound(f"no inventory of {owner}")

    def of_type(self, kind: Folder) -> str:
        return next((row["folder_id"] for row in self.folders.values() if row["type"] == kind), NO_ID)

    def path(self, folder_id: str) -> str:
        """Objects/Boxes; "/" for the root, "?" for a folder that is gone."""
        names: list[str] = []
        while len(names) < DEEPEST:
            row = self.folders.get(folder_id)
            if row is None:
                return "/".join(["?", *reversed(names)])
            if row["parent_id"] == NO_ID:
                break
            names.append(row["name"])
            folder_id = row["parent_id"]
        return "/".join(reversed(names)) or "/"

    def holds(self, conn: Connection, folder_id: str) -> int:
        """How many folders and items are below a folder."""
        below, look = {folder_id}, [folder_id]
        while look:
            here = look.pop()
            inner = [one for one, row in self.folders.items() if row["parent_id"] == here and one not in below]
            below.update(inner)
            look += inner
        inside = 0
        ids = sorted(below)
        for at in range(0, len(ids), 500):
            inside += len(conn.execute(select(items.c.item_id).where(items.c.parent_id.in_(ids[at : at + 500]))).all())
        return inside + len(below) - 1


# going back ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Plan:
    """What an inventory needs to be as it was."""

    back: list[tuple[Row, Row | None]] = field(default_factory=list)  # (as it was, None)
    other: list[tuple[Row, Row | None]] = field(default_factory=list)  # (as it was, as it is)
    elsewhere: list[Row] = field(default_factory=list)  # left for good: there is one of it, and not here
    came_since: int = 0


def restore(conn: Connection, owner: str, to: float, dry_run: bool) -> Row:
    """Bring an inventory back to what it held at a moment: what went is there again, what was moved, renamed or saved is
    as it was. What came since stays. Of what cannot be copied, what left does not come back, and what it holds stays as
    it is. TooEarly.
    """
    first = begins(conn, owner)
    if to < first:
        raise TooEarly(f"the history of this inventory begins at {first:.0f} (unix seconds): nothing is known of before")
    plan = _plan(conn, owner, to)
    report = {
        "to": to,
        "dry_run": dry_run,
        "back": _told(row for row, _ in plan.back),
        "changed": _told(row for row, _ in plan.other),
        "elsewhere": _told(plan.elsewhere),
        "back_count": len(plan.back),
        "changed_count": len(plan.other),
        "elsewhere_count": len(plan.elsewhere),
        "came_since": plan.came_since,
    }
    if not dry_run:
        _carry_out(conn, owner, plan)
    return report


def _told(rows: Iterable[Row]) -> list[Row]:
    named = [
        {"kind": "item" if "item_id" in row else "folder", "id": row.get("item_id") or row["folder_id"], "name": row["name"]}
        for row in rows
    ]
    return named[:LISTED]


def _plan(conn: Connection, owner: str, to: float) -> _Plan:
    table = inventory_changes
    query = select(table).where(table.c.owner_id == owner, table.c.at > to).order_by(table.c.seq.desc())
    noted = conn.execute(query).all()
    ids = list({row.thing_id for row in noted})
    there = {**_rows(conn, items, ids), **_rows(conn, folders, ids)}
    now = {one: row for one, row in there.items() if row["owner_id"] == owner}
    then: dict[str, Row | None] = {one: dict(now[one]) if one in now else None for one in ids}
    left = {row.thing_id for row in noted if row.what == LEFT} | (there.keys() - now.keys())
    for row in noted:  # each change undone, the newest first
        was = then[row.thing_id]
        if row.what == MADE:
            then[row.thing_id] = None
        elif row.what in (REMOVED, LEFT):
            then[row.thing_id] = dict(row.before)
        elif was is not None:
            was.update(row.before)
    plan = _Plan()
    for one, was in then.items():
        here = now.get(one)
        if was is None:
            plan.came_since += here is not None
        elif here is None:
            (plan.elsewhere.append(was) if one in left else plan.back.append((was, None)))
        elif _differences(was, here):
            plan.other.append((was, here))
    for part in (plan.back, plan.other):
        part.sort(key=lambda pair: ("item_id" in pair[0], pair[0]["name"]))
    return plan


def _rows(conn: Connection, table: Any, ids: list[str]) -> dict[str, Row]:
    key = table.primary_key.columns[0]
    found: dict[str, Row] = {}
    for at in range(0, len(ids), 500):  # below every driver's limit of parameters
        query = select(table).where(key.in_(ids[at : at + 500]))
        found.update({row._mapping[key.name]: dict(row._mapping) for row in conn.execute(query)})
    return found


def _differences(was: Row, here: Row) -> Row:
    """Members to be set back. What a thing without copy holds stays: something may have been taken out of it since."""
    single = "item_id" in here and not here["owner_mask"] & Permission.COPY
    kept = ("version", "asset_id") if single else ("version",)
    return {key: value for key, value in was.items() if key not in kept and here[key] != value}


def _carry_out(conn: Connection, owner: str, plan: _Plan) -> None:
    known = set(conn.execute(select(folders.c.folder_id).where(folders.c.owner_id == owner)).scalars())
    known |= {row["folder_id"] for row, _ in plan.back if "item_id" not in row}
    found = conn.execute(
        select(folders.c.folder_id).where(folders.c.owner_id == owner, folders.c.type == int(Folder.LOST_AND_FOUND))
    ).scalar()
    touched: set[str] = set()
    for was, here in [*plan.back, *plan.other]:
        if was["parent_id"] not in known and was["parent_id"] != NO_ID:  # it was noted before its folder ever was
            was["parent_id"] = found
        table, key = (items, "item_id") if "item_id" in was else (folders, "folder_id")
        if here is None:
            row = {**was, "owner_id": owner, **({} if "item_id" in was else {"version": was["version"] + 1})}
            conn.execute(insert(table).values(**row))
            made(conn, owner, row)
        else:
            differs = _differences(was, here)
            conn.execute(update(table).where(table.c[key] == was[key]).values(**differs))
            changed(conn, owner, here, {**here, **differs})
            touched.add(here["parent_id"])
        touched.add(was["parent_id"])
    ids = sorted(touched)
    for at in range(0, len(ids), 500):
        some = folders.c.folder_id.in_(ids[at : at + 500])
        conn.execute(update(folders).where(some).values(version=folders.c.version + 1))
