"""Moves between an inventory and a region: each has an id, chosen by the region, and happens once however often it is asked for.

    into an inventory      put_in                        -> "made": the item is there, and this row remembers that it was
    out of an inventory    hold      -> "held": the item is in this row and in no inventory
                           release   -> "released": it stands in the region; the item is gone
    either way             void      -> "void": it has not happened and never will; what was held is back where it was

A row stays until its region has said (`close`) that it will not ask again, and for a day longer, since a request may be late.
The functions run inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from backbone.storage import history, inventory
from backbone.storage.inventory import Missing, Tied
from backbone.storage.tables import folders, items, transits

MADE, HELD, RELEASED, VOID = "made", "held", "released", "void"
Row = dict[str, Any]


def _known(conn: Connection, transit_id: str) -> Row | None:
    row = conn.execute(select(transits).where(transits.c.transit_id == transit_id)).first()
    return dict(row._mapping) if row is not None else None


def _note(conn: Connection, transit_id: str, region_id: str, owner: str | None, state: str, item: Row | None, now: int) -> Row:
    row = {"transit_id": transit_id, "region_id": region_id, "agent_id": owner, "state": state, "item": item, "since": now, "closed": None}
    conn.execute(insert(transits).values(**row))
    return row


def _same(known: Row, owner: str, *states: str) -> Row:
    """A move that was asked for before, by what it is now. Tied when that id is of another one, or void."""
    if known["agent_id"] != owner or known["state"] not in states:
        state = "was undone" if known["state"] == VOID else "is another one"
        raise Tied(f"move {known['transit_id']} {state}")
    return known


def put_in(conn: Connection, transit_id: str, region_id: str, owner: str, given: Row, now: int) -> tuple[Row, bool]:
    """What comes out of a region is a new item of the owner's: (the move, whether it happened just now)."""
    known = _known(conn, transit_id)
    if known is not None:
        return _same(known, owner, MADE), False
    item, _ = inventory.create_item(conn, owner, given, now)
    return _note(conn, transit_id, region_id, owner, MADE, item, now), True


def change(conn: Connection, transit_id: str, region_id: str, owner: str, item_id: str, changes: Row, now: int) -> tuple[Row, bool]:
    """What comes out of a region is an item that the owner has all the time, as it is now."""
    known = _known(conn, transit_id)
    if known is not None:
        return _same(known, owner, MADE), False
    item = inventory.update_item(conn, owner, item_id, changes)
    return _note(conn, transit_id, region_id, owner, MADE, item, now), True


def hold(conn: Connection, transit_id: str, region_id: str, owner: str, item_id: str, now: int) -> tuple[Row, bool]:
    """An item of the owner's leaves the inventory for a region; it is in the move until the region has it."""
    known = _known(conn, transit_id)
    if known is not None:
        return _same(known, owner, HELD, RELEASED), False
    item = inventory.item(conn, owner, item_id)
    conn.execute(delete(items).where(items.c.item_id == item_id))
    history.removed(conn, owner, [item], history.LEFT)
    inventory.touch(conn, item["parent_id"])
    return _note(conn, transit_id, region_id, owner, HELD, item, now), True


def release(conn: Connection, transit_id: str) -> Row:
    """The region has what was held. The move as it is: void, if it was undone before. Missing."""
    known = _known(conn, transit_id)
    if known is None:
        raise Missing(f"no move {transit_id}")
    if known["state"] != HELD:
        return known
    conn.execute(update(transits).where(transits.c.transit_id == transit_id).values(state=RELEASED))
    return {**known, "state": RELEASED}


def void(conn: Connection, transit_id: str, region_id: str, now: int) -> Row:
    """The move has not happened, and a late request cannot make it happen; what it held is back. What has happened stays so:
    the answer says which."""
    known = _known(conn, transit_id)
    if known is None:
        return _note(conn, transit_id, region_id, None, VOID, None, now)
    if known["state"] != HELD:
        return known
    item = _given_back(conn, known["agent_id"], known["item"])
    conn.execute(update(transits).where(transits.c.transit_id == transit_id).values(state=VOID, item=item))
    return {**known, "state": VOID, "item": item}


def _given_back(conn: Connection, owner: str, item: Row) -> Row:
    """Where it was; in the folder of its kind if that has gone meanwhile. Nowhere, if its owner has gone with all they had."""
    there = conn.execute(select(folders.c.folder_id).where(folders.c.folder_id == item["parent_id"], folders.c.owner_id == owner)).first()
    taken = conn.execute(select(items.c.item_id).where(items.c.item_id == item["item_id"])).first()
    try:
        parent = item["parent_id"] if there is not None else inventory.folder_of_type(conn, owner, item["type"])
    except Missing:
        return item
    back = {
        **item,
        "parent_id": parent,
        "item_id": item["item_id"] if taken is None else str(uuid4()),
    }
    conn.execute(insert(items).values(**back))  # however full the inventory is: it was there before
    history.made(conn, owner, back)
    inventory.touch(conn, back["parent_id"])
    return back


def open_moves(conn: Connection, region_id: str | None) -> list[Row]:
    """Moves that their regions have not done with: those of a region, or all; the oldest first."""
    query = select(transits).where(transits.c.closed.is_(None)).order_by(transits.c.since, transits.c.transit_id)
    if region_id is not None:
        query = query.where(transits.c.region_id == region_id)
    return [dict(row._mapping) for row in conn.execute(query)]


def state_of(conn: Connection, transit_id: str) -> Row | None:
    """A move as it is; None where nobody has asked for it yet."""
    return _known(conn, transit_id)


def close(conn: Connection, region_id: str, transit_ids: Iterable[str], now: int) -> None:
    """The region is done with these. What is held stays open whatever it says."""
    mine = (transits.c.transit_id.in_(list(transit_ids)), transits.c.region_id == region_id, transits.c.state != HELD)
    conn.execute(update(transits).where(*mine).values(closed=now))


def sweep(conn: Connection, before: int) -> int:
    """Forget moves that were closed before a moment; how many."""
    return conn.execute(delete(transits).where(transits.c.closed < before)).rowcount
