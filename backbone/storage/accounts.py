"""Accounts, their profiles and the places they were last and call home."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from backbone.errors import Conflict
from backbone.names import composed, name_key, search_key
from backbone.storage import gifts, inventory
from backbone.storage.tables import (
    accounts,
    facts,
    folders,
    friend_offers,
    friends,
    inventory_changes,
    items,
    messages,
    mutes,
    notes,
    picks,
    places,
    profiles,
    sessions,
    worn,
)
from backbone.storage.upsert import insert_if_absent, upsert

MAX_SEARCH = 100
FIRST_ACCOUNT = "first_account"  # the fact that names it


class NameTaken(Conflict):
    """Another account has that name (case does not count)."""


def create(
    conn: Connection, first: str, last: str, verifier: str, created: int, guest: bool = False
) -> dict[str, Any]:
    """A new account with its inventory; {agent_id, first, last, created}. NameTaken."""
    agent_id = str(uuid4())
    row = {"agent_id": agent_id, "first": first, "last": last, "created": created}
    keys = {"name_key": name_key(first, last), "search_key": search_key(f"{first} {last}")}
    try:
        with conn.begin_nested():
            conn.execute(insert(accounts).values(**row, **keys, verifier=verifier, guest=guest, seen=created))
    except IntegrityError as error:
        raise NameTaken(f"the name {first} {last} is taken") from error
    if not guest:
        insert_if_absent(conn, facts, {"name": FIRST_ACCOUNT, "value": agent_id})
    inventory.create_for(conn, agent_id, created)
    return row


_USER = (accounts.c.agent_id, accounts.c.first, accounts.c.last, accounts.c.created)


def by_id(conn: Connection, agent_id: str) -> dict[str, Any] | None:
    row = conn.execute(select(*_USER).where(accounts.c.agent_id == agent_id)).first()
    return dict(row._mapping) if row else None


def by_ids(conn: Connection, agent_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Users of those ids, unknown ones left out, in the order asked for."""
    wanted = list(dict.fromkeys(agent_ids))
    found = {
        row.agent_id: dict(row._mapping) for row in conn.execute(select(*_USER).where(accounts.c.agent_id.in_(wanted)))
    }
    return [found[one] for one in wanted if one in found]


def by_name(conn: Connection, name: str) -> dict[str, Any] | None:
    """The user of that full name; one word means the last name Resident."""
    first, _, last = " ".join(name.split()).partition(" ")
    row = conn.execute(select(*_USER).where(_named(first, last))).first()
    return dict(row._mapping) if row else None


def _named(first: str, last: str) -> ColumnElement[bool]:
    """By name. Accounts of before today's keys may have kept the key of that time (migration 0002)."""
    key = name_key(first, last)
    older = f"{composed(first)} {composed(last) or 'Resident'}".lower()
    return accounts.c.name_key == key if older == key else accounts.c.name_key.in_((key, older))


def search(conn: Connection, text: str, most: int = MAX_SEARCH) -> list[dict[str, Any]]:
    """People whose name contains the text, by name; those whose name begins with it, however many there are, first.

    Case, accents and forms of letters do not count; guests are not found.
    """
    wanted = search_key(text)[:100]
    known = select(*_USER).where(accounts.c.guest.is_(False)).order_by(accounts.c.search_key).limit(most)
    begins = _begins(conn, wanted) if wanted else accounts.c.search_key.is_not(None)
    found = {row.agent_id: dict(row._mapping) for row in conn.execute(known.where(begins))}
    if len(found) < most and wanted:
        inside = accounts.c.search_key.contains(wanted, autoescape=True)
        for row in conn.execute(known.where(inside)):
            found.setdefault(row.agent_id, dict(row._mapping))
    return list(found.values())[:most]


def _begins(conn: Connection, wanted: str) -> ColumnElement[bool]:
    if conn.dialect.name == "sqlite":  # a range of the index, which LIKE would not use
        return accounts.c.search_key.between(wanted, wanted + "\U0010ffff")
    return accounts.c.search_key.startswith(wanted, autoescape=True)


def credentials(conn: Connection, first: str, last: str) -> dict[str, Any] | None:
    """{agent_id, first, last, verifier, visibility} of an account, for a login."""
    query = select(accounts.c.agent_id, accounts.c.first, accounts.c.last, accounts.c.verifier, accounts.c.visibility)
    row = conn.execute(query.where(_named(first, last))).first()
    return dict(row._mapping) if row else None


def verifier_of(conn: Connection, agent_id: str) -> str | None:
    return conn.execute(select(accounts.c.verifier).where(accounts.c.agent_id == agent_id)).scalar()


def set_verifier(conn: Connection, agent_id: str, verifier: str) -> bool:
    """A new password; False if there is no such account."""
    change = update(accounts).where(accounts.c.agent_id == agent_id).values(verifier=verifier)
    return conn.execute(change).rowcount > 0


def set_visibility(conn: Connection, agent_id: str, visibility: str) -> bool:
    """Who is told that the person is online; False if there is no such account."""
    change = update(accounts).where(accounts.c.agent_id == agent_id).values(visibility=visibility)
    return conn.execute(change).rowcount > 0


def visibility(conn: Connection, agent_id: str) -> str | None:
    return conn.execute(select(accounts.c.visibility).where(accounts.c.agent_id == agent_id)).scalar()


def visited(conn: Connection, agent_id: str, now: int) -> None:
    """The person came or went."""
    conn.execute(update(accounts).where(accounts.c.agent_id == agent_id).values(seen=now))


def eldest(conn: Connection) -> dict[str, Any] | None:
    """The account that was made first, guests aside: whoever set the grid up."""
    first = conn.execute(select(facts.c.value).where(facts.c.name == FIRST_ACCOUNT)).scalar()
    return by_id(conn, first) if first is not None else None


def count(conn: Connection) -> int:
    return conn.execute(select(func.count()).select_from(accounts)).scalar() or 0


def old_guests(conn: Connection, seen_before: int, most: int) -> list[str]:
    """Guests who have not been here since a moment and have no session."""
    query = select(accounts.c.agent_id).where(_long_gone(seen_before))
    return [row.agent_id for row in conn.execute(query.limit(most))]


def _long_gone(seen_before: int) -> ColumnElement[bool]:
    here = select(sessions.c.agent_id)
    return and_(accounts.c.guest.is_(True), accounts.c.seen < seen_before, accounts.c.agent_id.not_in(here))


def remove_guest(conn: Connection, agent_id: str, seen_before: int) -> bool:
    """The account and everything that is only its own, if it is an old guest's still. What it gave to others stays
    theirs."""
    if not conn.execute(delete(accounts).where(accounts.c.agent_id == agent_id, _long_gone(seen_before))).rowcount:
        return False
    for table in (items, folders, inventory_changes):
        conn.execute(delete(table).where(table.c.owner_id == agent_id))
    for table in (places, profiles, mutes, notes, picks, worn):
        conn.execute(delete(table).where(table.c.agent_id == agent_id))
    conn.execute(delete(friends).where(or_(friends.c.agent_id == agent_id, friends.c.friend_id == agent_id)))
    gifts.forget(conn, agent_id)
    offers = (friend_offers.c.to_agent_id == agent_id, friend_offers.c.from_agent_id == agent_id)
    conn.execute(delete(friend_offers).where(or_(*offers)))
    conn.execute(delete(messages).where(messages.c.to_agent_id == agent_id))
    return True


def profile(conn: Connection, agent_id: str) -> dict[str, Any]:
    """What the person wrote of itself; {} at first."""
    return conn.execute(select(profiles.c.profile).where(profiles.c.agent_id == agent_id)).scalar() or {}


def set_profile(conn: Connection, agent_id: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Change the members given, keep the rest; the profile as it is then."""
    before = profile(conn, agent_id)
    after = {**before, **changes}
    if "interests" in changes:
        after["interests"] = {**before.get("interests", {}), **changes["interests"]}
    upsert(conn, profiles, {"agent_id": agent_id}, {"profile": after})
    return after


def place(conn: Connection, agent_id: str, kind: str) -> dict[str, Any] | None:
    """{region_id, position, look_at} of "last" or "home", or None if never set."""
    query = select(places.c.region_id, places.c.position, places.c.look_at)
    row = conn.execute(query.where(places.c.agent_id == agent_id, places.c.kind == kind)).first()
    return dict(row._mapping) if row else None


def set_place(
    conn: Connection, agent_id: str, kind: str, region_id: str, position: Sequence[float], look_at: Sequence[float]
) -> None:
    values = {"region_id": region_id, "position": list(position), "look_at": list(look_at)}
    upsert(conn, places, {"agent_id": agent_id, "kind": kind}, values)
