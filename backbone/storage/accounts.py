"""Accounts, their profiles and the places they were last and call home."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from backbone.storage import inventory
from backbone.storage.tables import accounts, places, profiles
from backbone.storage.upsert import upsert

DEFAULT_LAST = "Resident"  # of people who chose one word
MAX_SEARCH = 100
_NAME = re.compile(r"[^\W_][\w.'-]{0,30}\Z")  # letters and digits of any script


class NameTaken(Exception):
    """Another account has that name (case does not count)."""


class BadName(ValueError):
    """Not a name an account can have."""


def check_name(first: str, last: str) -> tuple[str, str]:
    """First and last name as they will be kept; last may be empty. BadName says what is wrong."""
    first, last = _composed(first), _composed(last) or DEFAULT_LAST
    for word in (first, last):
        if not _NAME.match(word) or len(word.lower()) > 31:
            raise BadName(
                f"{word[:40]!r} is not a name: 1 to 31 letters, digits, and . _ ' - after the first character"
            )
    return first, last


def name_key(first: str, last: str) -> str:
    return f"{_composed(first)} {_composed(last) or DEFAULT_LAST}".lower()


def _composed(word: str) -> str:
    """The word without spaces around it, in the one of Unicode's spellings that it is kept and compared in."""
    return unicodedata.normalize("NFC", word).strip()


def create(conn: Connection, first: str, last: str, verifier: str, created: int) -> dict[str, Any]:
    """A new account with its inventory; {agent_id, first, last, created}. NameTaken."""
    agent_id = str(uuid4())
    row = {"agent_id": agent_id, "first": first, "last": last, "created": created}
    try:
        conn.execute(insert(accounts).values(**row, name_key=name_key(first, last), verifier=verifier))
    except IntegrityError as error:
        raise NameTaken(f"the name {first} {last} is taken") from error
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
    row = conn.execute(select(*_USER).where(accounts.c.name_key == name_key(first, last))).first()
    return dict(row._mapping) if row else None


def search(conn: Connection, text: str) -> list[dict[str, Any]]:
    """Users whose name contains the text, at most MAX_SEARCH, by name."""
    wanted = " ".join(text.lower().split())
    query = select(*_USER).where(accounts.c.name_key.contains(wanted, autoescape=True))
    return [dict(row._mapping) for row in conn.execute(query.order_by(accounts.c.name_key).limit(MAX_SEARCH))]


def credentials(conn: Connection, first: str, last: str) -> dict[str, Any] | None:
    """{agent_id, first, last, verifier} of an account, for a login."""
    query = select(accounts.c.agent_id, accounts.c.first, accounts.c.last, accounts.c.verifier)
    row = conn.execute(query.where(accounts.c.name_key == name_key(first, last))).first()
    return dict(row._mapping) if row else None


def set_verifier(conn: Connection, agent_id: str, verifier: str) -> None:
    conn.execute(update(accounts).where(accounts.c.agent_id == agent_id).values(verifier=verifier))


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
