"""A database brought up to date, and a look at whether it is the one that the grid's folder means.

Fresh: today's tables at once. Older: a copy beside it first (SQLite), then alembic's scripts in one transaction.
Alembic is loaded only when there is something to do.

A grid's folder notes which database is the grid's (``database.json``) as soon as that holds an account. From then on
Backbone refuses to start on any other: an emptied file, or a new ``database`` setting, would look like a grid from which
everybody has vanished, and the next account would be its first.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, func, insert, inspect, select

from backbone.storage.migrations import FIRST, HEAD
from backbone.storage.tables import accounts, counters, facts, metadata
from backbone.storage.upsert import insert_if_absent

log = logging.getLogger(__name__)
MARK = "database.json"
FILE_NAME = "backbone.sqlite3"

# Alembic's own table, in its shape; not part of our metadata, so that comparisons leave it alone.
revisions = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


class NewerDatabase(RuntimeError):
    """The database was written by a newer Mainland than this one."""


class WrongDatabase(RuntimeError):
    """The database is not the one that the grid's folder belongs to."""


def bring_up_to_date(engine: Engine, file: Path | None = None) -> None:
    """Make or upgrade the tables. ``file``: where SQLite's database is, for the copy before an upgrade."""
    with engine.connect() as conn, conn.begin():
        revision = _revision(conn)
    if revision == HEAD:
        return
    if revision is None:
        with _writing(engine) as conn, conn.begin():
            if _revision(conn) is None:  # another process may have been quicker
                _make(conn)
        return
    if revision > HEAD or not revision.isdigit():
        raise NewerDatabase(f"the database is at revision {revision}, this Mainland knows {HEAD}")
    if file is not None:
        _copy(file, revision)
    with _writing(engine) as conn, conn.begin():
        _upgrade(conn, revision)


def _writing(engine: Engine) -> Connection:
    return engine.connect().execution_options(write=True)


def _revision(conn: Connection) -> str | None:
    """Which revision the tables are of; None when there are none."""
    names = set(inspect(conn).get_table_names())
    if revisions.name in names:
        return conn.execute(select(revisions.c.version_num)).scalar()
    if "schema" in names:  # from before alembic: version 1 was the only one
        return FIRST
    known = names & set(metadata.tables)
    if known:
        raise WrongDatabase(f"the database holds tables of ours ({', '.join(sorted(known)[:3])}) without a revision")
    return None


def _make(conn: Connection) -> None:
    metadata.create_all(conn)
    revisions.create(conn)
    conn.execute(insert(revisions).values(version_num=HEAD))
    conn.execute(insert(counters).values(name="epoch", value=0))


def _copy(file: Path, revision: str) -> None:
    """The database as it was, in one file beside it: what to go back to with the older Mainland."""
    copy = file.with_name(f"{file.name}.before-{HEAD}-{time.strftime('%Y%m%d-%H%M%S')}")
    with closing(sqlite3.connect(file)) as plain:
        plain.execute("VACUUM INTO ?", (str(copy),))
    log.info("the database is of revision %s and will be %s; a copy of it is %s", revision, HEAD, copy)


def _upgrade(conn: Connection, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = conn
    if not inspect(conn).has_table(revisions.name):
        revisions.create(conn)
        conn.execute(insert(revisions).values(version_num=revision))
    command.upgrade(config, "head")


# whose database it is --------------------------------------------------------------------------------


def check_is_ours(conn: Connection, folder: Path, where: str) -> None:
    """WrongDatabase when the folder's grid holds accounts, and this is not the database they are in.

    ``where`` names the database for the error. Every database is given the id of its grid here, the folder's if it
    has none, so that both know each other.
    """
    held = _fact(conn, "grid_id")
    note = _note(folder)
    people = conn.execute(select(func.count()).select_from(accounts)).scalar() or 0
    if note is not None and (held is not None or not people) and held != note["grid_id"]:
        state = "another grid's" if people else "empty"
        raise WrongDatabase(
            f"{where} is {state}, but this grid's accounts are in {note['where']}. Put that back (or name it again "
            f"in the `database` setting). If the grid shall begin anew without its people, remove {folder / MARK} first."
        )
    if note is None and not people and (known := _people_in(folder / FILE_NAME)):
        raise WrongDatabase(
            f"{where} is empty, but {folder / FILE_NAME} holds {known} accounts: leave the `database` setting away, or "
            "move that file elsewhere if the grid shall begin anew without its people"
        )
    if held is None:
        insert_if_absent(conn, facts, {"name": "grid_id", "value": note["grid_id"] if note else str(uuid4())})
    if people:
        note_accounts(conn, folder, where)


def note_accounts(conn: Connection, folder: Path, where: str) -> None:
    """The database holds accounts: the folder shall say so, durably."""
    note = {"grid_id": _fact(conn, "grid_id"), "where": where}
    if note == _note(folder):
        return
    fresh = folder / f"{MARK}.new"
    with open(fresh, "w", encoding="utf-8") as out:
        json.dump(note, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, folder / MARK)


def _note(folder: Path) -> dict[str, Any] | None:
    try:
        read = json.loads((folder / MARK).read_text(encoding="utf-8"))
        return {"grid_id": str(read["grid_id"]), "where": str(read["where"])}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise WrongDatabase(f"{folder / MARK} cannot be read ({error!r}): remove it if the database is right") from error


def _people_in(file: Path) -> int:
    """Accounts in the SQLite file of the folder, which may be of any age; 0 when there are none or no file."""
    if not file.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as plain:
            return int(plain.execute("SELECT count(*) FROM accounts").fetchone()[0])
    except sqlite3.Error:
        return 0


def _fact(conn: Connection, name: str) -> str | None:
    return conn.execute(select(facts.c.value).where(facts.c.name == name)).scalar()

