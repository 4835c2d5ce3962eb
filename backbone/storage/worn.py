"""What people wear: which items of their inventories, and on which attachment points, in the order they were put on.

It is what a region puts on them when they log in. An item that has left the inventory is worn no more, whatever is noted here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select

from backbone.storage.inventory import Refused, item
from backbone.storage.tables import items, worn

MOST = 64  # things one person may wear; regions allow fewer


def worn_by(conn: Connection, owner: str) -> list[dict[str, Any]]:
    """{item_id, point} of each, the one first that was put on first."""
    query = (
        select(worn.c.item_id, worn.c.point)
        .join(items, (items.c.item_id == worn.c.item_id) & (items.c.owner_id == owner))
        .where(worn.c.agent_id == owner)
        .order_by(worn.c.since, worn.c.item_id)
    )
    return [dict(row._mapping) for row in conn.execute(query)]


def put_on(conn: Connection, owner: str, item_id: str, point: int, now: float) -> dict[str, Any]:
    """The item is worn there; one that was worn elsewhere is moved. Missing, Refused."""
    item(conn, owner, item_id)
    row = {"agent_id": owner, "item_id": item_id, "point": point, "since": now}
    here = select(items.c.item_id).where(items.c.owner_id == owner)
    stale = or_(worn.c.item_id == item_id, worn.c.item_id.not_in(here))
    conn.execute(delete(worn).where(worn.c.agent_id == owner, stale))
    if (conn.execute(select(func.count()).select_from(worn).where(worn.c.agent_id == owner)).scalar() or 0) >= MOST:
        raise Refused(f"nobody wears more than {MOST} things")
    conn.execute(insert(worn).values(**row))
    return {"item_id": item_id, "point": point}


def take_off(conn: Connection, owner: str, item_id: str) -> None:
    """The item is worn no more; fine when it was not."""
    conn.execute(delete(worn).where(worn.c.agent_id == owner, worn.c.item_id == item_id))
