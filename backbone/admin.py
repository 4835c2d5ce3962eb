"""What an operator may do to Backbone's database with the server down (or up: SQLite lets both write)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backbone import passwords
from backbone.errors import Problem
from backbone.names import BadName, check_name
from backbone.storage import schema
from backbone.storage.accounts import NameTaken
from backbone.storage.database import Direct, open_engine, sqlite_url
from backbone.storage.interfaces import InventoryStore, TransitStore
from backbone.storage.schema import FILE_NAME, MARK, NewerDatabase, WrongDatabase
from backbone.storage.stores import SqlStores, open_stores

__all__ = [
    "FILE_NAME", "MARK", "BadName", "NameTaken", "NewerDatabase", "NoSuchUser", "Problem", "WrongDatabase", "add_user", "find_user",
    "inventory", "names", "set_password",
]  # fmt: skip


class NoSuchUser(LookupError):
    """There is no account of that name."""


def add_user(data_dir: Path | str, first: str, last: str, password: str, database: str | None = None) -> dict[str, Any]:
    """Make an account in the database under ``data_dir`` (Backbone's ``--data``): {agent_id, first, last, created}.

    ``last`` may be empty: then it is Resident. BadName and NameTaken say in their text what is wrong;
    ValueError for an empty or overlong password; WrongDatabase, NewerDatabase.
    """
    _check_password(password)
    first, last = check_name(first, last)
    verifier = passwords.make_verifier(password)
    with _opened(data_dir, database) as stores:
        return stores.people.create(first, last, verifier, int(time.time()), False)


def set_password(data_dir: Path | str, first: str, last: str, password: str, database: str | None = None) -> str:
    """Give an account another password; its agent id. NoSuchUser; else as `add_user`."""
    _check_password(password)
    verifier = passwords.make_verifier(password)
    with _opened(data_dir, database) as stores:
        found = stores.people.by_name(f"{first} {last}")
        if found is None or not stores.people.set_verifier(found["agent_id"], verifier):
            raise NoSuchUser(f"there is no account {first} {last}".strip())
        return str(found["agent_id"])


def find_user(data_dir: Path | str, person: str, database: str | None = None) -> str | None:
    """The agent id of somebody by name, None when there is nobody called so; WrongDatabase, NewerDatabase."""
    with _opened(data_dir, database) as stores:
        found = stores.people.by_name(person)
        return str(found["agent_id"]) if found is not None else None


def names(data_dir: Path | str, agent_ids: Iterable[str], database: str | None = None) -> dict[str, str]:
    """What these are called, of those that have accounts; WrongDatabase, NewerDatabase."""
    with _opened(data_dir, database) as stores:
        return {str(one["agent_id"]): f"{one['first']} {one['last']}" for one in stores.people.by_ids(list(agent_ids))}


@contextmanager
def inventory(data_dir: Path | str, person: str, database: str | None = None) -> Iterator[tuple[str, InventoryStore]]:
    """(agent id, inventories), to look into the inventory of somebody, by name or agent id. NoSuchUser; else as `add_user`."""
    with _opened(data_dir, database) as stores:
        found = stores.people.by_name(person) or stores.people.by_id(person.lower())
        if found is None:
            raise NoSuchUser(f"there is no account {person}")
        yield str(found["agent_id"]), stores.inventory


@contextmanager
def moves(data_dir: Path | str, database: str | None = None) -> Iterator[tuple[TransitStore, InventoryStore]]:
    """Moves between inventories and regions, and the inventories; for regions that never start again. Errors as `add_user`."""
    with _opened(data_dir, database) as stores:
        yield stores.transits, stores.inventory


def _check_password(password: str) -> None:
    if not 1 <= len(password) <= passwords.MAX_PASSWORD:
        raise ValueError(f"a password has 1 to {passwords.MAX_PASSWORD} characters")


@contextmanager
def _opened(data_dir: Path | str, database: str | None) -> Iterator[SqlStores]:
    folder = Path(data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_engine(database or sqlite_url(folder))
    where = engine.url.render_as_string(hide_password=True)
    db = Direct(engine)
    try:
        db.write(lambda conn: schema.check_is_ours(conn, folder, where))
        stores = open_stores(db, int(time.time()))
        yield stores
        if stores.people.count():
            db.read(lambda conn: schema.note_accounts(conn, folder, where))
    finally:
        engine.dispose()
