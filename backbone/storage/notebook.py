"""What people keep for themselves or show in their profiles: mutes, notes about others, picks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from backbone.errors import Conflict, NotFound, TooMany
from backbone.storage.tables import mutes, notes, picks
from backbone.storage.upsert import upsert

MAX_MUTES, MAX_NOTES, MAX_PICKS = 1000, 5000, 10


# mutes -----------------------------------------------------------------------------------------------


def mutes_of(conn: Connection, agent_id: str) -> list[dict[str, Any]]:
    """MUTEs by name."""
    query = select(mutes.c.muted_id, mutes.c.name, mutes.c.kind, mutes.c.flags).where(mutes.c.agent_id == agent_id)
    return [dict(row._mapping) for row in conn.execute(query.order_by(mutes.c.name, mutes.c.muted_id))]


def mute(conn: Connection, agent_id: str, entry: dict[str, Any]) -> None:
    """Add a MUTE, or change the one of that id and name. Whoever is muted by id is muted once, whatever it is called now.
    TooMany."""
    muted_id, name = entry["muted_id"], entry["name"]
    unmute(conn, agent_id, muted_id, name)
    if _count(conn, mutes, agent_id) >= MAX_MUTES:
        raise TooMany(f"at most {MAX_MUTES} can be muted")
    conn.execute(insert(mutes).values(agent_id=agent_id, **entry))


def unmute(conn: Connection, agent_id: str, muted_id: str, name: str) -> bool:
    """By id; what has none, by its name. False if it was not muted."""
    gone = delete(mutes).where(mutes.c.agent_id == agent_id, mutes.c.muted_id == muted_id)
    if not int(muted_id.replace("-", ""), 16):
        gone = gone.where(mutes.c.name == name)
    return conn.execute(gone).rowcount > 0


# notes -----------------------------------------------------------------------------------------------


def notes_about(conn: Connection, agent_id: str, about_id: str) -> str:
    query = select(notes.c.notes).where(notes.c.agent_id == agent_id, notes.c.about_id == about_id)
    return conn.execute(query).scalar() or ""


def note(conn: Connection, agent_id: str, about_id: str, text: str) -> None:
    """What the person notes about another from now on; "" forgets. TooMany."""
    if not text:
        conn.execute(delete(notes).where(notes.c.agent_id == agent_id, notes.c.about_id == about_id))
        return
    if not notes_about(conn, agent_id, about_id) and _count(conn, notes, agent_id) >= MAX_NOTES:
        raise TooMany(f"notes about at most {MAX_NOTES} people are kept")
    upsert(conn, notes, {"agent_id": agent_id, "about_id": about_id}, {"notes": text})


# picks -----------------------------------------------------------------------------------------------


def picks_of(conn: Connection, agent_id: str) -> list[dict[str, Any]]:
    """PICKs in the order that their owner gave them."""
    rows = conn.execute(select(picks).where(picks.c.agent_id == agent_id)).all()
    found = [_whole(row) for row in rows]
    return sorted(found, key=lambda one: (one["sort_order"], one["name"], one["pick_id"]))


def pick(conn: Connection, agent_id: str, pick_id: str) -> dict[str, Any]:
    """A PICK; NotFound."""
    row = conn.execute(select(picks).where(picks.c.pick_id == pick_id, picks.c.agent_id == agent_id)).first()
    if row is None:
        raise NotFound(f"{agent_id} has no pick {pick_id}")
    return _whole(row)


def put_pick(conn: Connection, agent_id: str, pick_id: str, written: dict[str, Any]) -> dict[str, Any]:
    """Make or change a pick; the PICK then. Conflict: the id is another person's. TooMany."""
    owner = conn.execute(select(picks.c.agent_id).where(picks.c.pick_id == pick_id)).scalar()
    if owner is None:
        if _count(conn, picks, agent_id) >= MAX_PICKS:
            raise TooMany(f"a profile shows at most {MAX_PICKS} picks")
        conn.execute(insert(picks).values(pick_id=pick_id, agent_id=agent_id, pick=written))
    elif owner != agent_id:
        raise Conflict(f"pick {pick_id} is another person's")
    else:
        conn.execute(update(picks).where(picks.c.pick_id == pick_id).values(pick=written))
    return pick(conn, agent_id, pick_id)


def delete_pick(conn: Connection, agent_id: str, pick_id: str) -> bool:
    return conn.execute(delete(picks).where(picks.c.pick_id == pick_id, picks.c.agent_id == agent_id)).rowcount > 0


def _whole(row: Any) -> dict[str, Any]:
    return {"pick_id": row.pick_id, "agent_id": row.agent_id, **row.pick}


def _count(conn: Connection, table: Any, agent_id: str) -> int:
    return conn.execute(select(func.count()).select_from(table).where(table.c.agent_id == agent_id)).scalar() or 0
