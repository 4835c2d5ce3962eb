"""How much an inventory holds, and how long its history is: grid-wide settings, kept with the data they bound.

Whoever opens the database, the server or the operator's door (admin.py), goes by the same.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from backbone.errors import Forbidden
from backbone.storage.tables import facts, folders, items
from backbone.storage.upsert import upsert

THINGS, DAYS = 100_000, 30
ROWS_A_DAY = 1000  # changes of one person that a day of history has room for, on average


class InventoryFull(Forbidden):
    """The owner has as many folders and items as one person may have."""

    title = "the inventory is full"


class Limits(NamedTuple):
    things: int = THINGS  # folders and items a person
    days: int = DAYS  # of history

    @property
    def rows(self) -> int:
        """Changes that are kept of one person at most."""
        return self.days * ROWS_A_DAY


def limits(conn: Connection) -> Limits:
    """The limits in force."""
    query = select(facts.c.name, facts.c.value).where(facts.c.name.in_(["inventory_things", "inventory_days"]))
    known = {row.name: int(row.value) for row in conn.execute(query)}
    return Limits(known.get("inventory_things", THINGS), known.get("inventory_days", DAYS))


def set_limits(conn: Connection, wished: Limits) -> None:
    """Change them for everybody; what is there already stays."""
    upsert(conn, facts, {"name": "inventory_things"}, {"value": str(wished.things)})
    upsert(conn, facts, {"name": "inventory_days"}, {"value": str(wished.days)})


def check_room(conn: Connection, owner: str, count: int) -> None:
    """InventoryFull when so many more do not fit."""
    most = limits(conn).things
    held = sum(
        conn.execute(select(func.count()).select_from(table).where(table.c.owner_id == owner)).scalar() or 0
        for table in (items, folders)
    )
    if held + count > most:
        raise InventoryFull(f"{held} items and folders of at most {most}; {count} more do not fit. Empty the trash first.")
