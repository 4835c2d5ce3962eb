"""The region's database: one SQLite file, opened by one process, checked before it is believed.

    REGIONS/ID/region.sqlite            the store, with -wal and -shm beside it while it is open
    REGIONS/ID/backup.sqlite            the last backup
    REGIONS/ID/region.sqlite.damaged-N  a store that could not be read, put aside at unix time N; never written again

A row that cannot be read is moved to the table `damaged` with the reason, and the rest is used.
"""

from __future__ import annotations

import fcntl
import logging
import math
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sim.storage.batch import Batch, LinksetRow, ScriptRow, TransitRow
from sim.world.form import MOST_BYTES

log = logging.getLogger(__name__)

SCHEMA = 1
CHECKED_WHOLE = 1 << 28  # bytes of a file that is looked through from end to end after a kill; rows are always checked

_meta = sa.MetaData()
facts = sa.Table("facts", _meta, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False))
linksets = sa.Table(
    "linksets", _meta,
    sa.Column("id", sa.LargeBinary, primary_key=True),  # of the root
    sa.Column("form", sa.LargeBinary, nullable=False),  # deflated: half of a prim is zeroes and ids that come again
    sa.Column("local_ids", sa.LargeBinary, nullable=False),
    sa.Column("crcs", sa.LargeBinary, nullable=False),
    sa.Column("saved", sa.Float, nullable=False),
)  # fmt: skip
sources = sa.Table("sources", _meta, sa.Column("id", sa.LargeBinary, primary_key=True), sa.Column("text", sa.Text, nullable=False))
scripts = sa.Table(
    "scripts", _meta,
    sa.Column("item_id", sa.LargeBinary, primary_key=True),
    sa.Column("prim_id", sa.LargeBinary, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("source", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
    sa.Column("saved", sa.Float, nullable=False),
)  # fmt: skip
parcels = sa.Table(
    "parcels", _meta,
    sa.Column("local_id", sa.Integer, primary_key=True),
    sa.Column("facts", sa.Text, nullable=False),  # JSON
    sa.Column("cells", sa.LargeBinary, nullable=False),  # a bit for each square of 4 m, row by row
)  # fmt: skip
terrain = sa.Table(
    "terrain", _meta,
    sa.Column("x", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("y", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("heights", sa.LargeBinary, nullable=False),  # float32, row by row; 16 x 16, fewer at the far edges
)  # fmt: skip
history = sa.Table(
    "history", _meta,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("who", sa.LargeBinary, index=True),
    sa.Column("what", sa.Integer, nullable=False),
    sa.Column("linkset", sa.LargeBinary, nullable=False, index=True),
    sa.Column("form", sa.LargeBinary),  # what it was before; none when it was new
)  # fmt: skip
transits = sa.Table(  # moves that have begun and are not over: transit.py
    "transits", _meta,
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),  # JSON
    sa.Column("data", sa.LargeBinary, nullable=False),  # of an object: its asset
)  # fmt: skip
damaged = sa.Table(
    "damaged", _meta,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("of", sa.Text, nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("row", sa.LargeBinary, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)  # fmt: skip

_remember = sa.insert(history).from_select(
    ["at", "who", "what", "linkset", "form"],
    sa.select(
        sa.bindparam("b_at", type_=sa.Float), sa.bindparam("b_who", type_=sa.LargeBinary), sa.bindparam("b_what", type_=sa.Integer),
        sa.bindparam("b_id", type_=sa.LargeBinary),
        sa.select(linksets.c.form).where(linksets.c.id == sa.bindparam("b_id", type_=sa.LargeBinary)).scalar_subquery(),
    ),
)  # fmt: skip


def _put(table: sa.Table) -> Any:
    """An insert that replaces."""
    return sa.insert(table).prefix_with("OR REPLACE")


@dataclass(slots=True)
class Kept:
    """All that a store holds."""

    facts: dict[str, str] = field(default_factory=dict)
    linksets: dict[bytes, LinksetRow] = field(default_factory=dict)
    scripts: dict[bytes, ScriptRow] = field(default_factory=dict)
    sources: dict[bytes, str] = field(default_factory=dict)
    parcels: list[tuple[int, str, bytes]] = field(default_factory=list)
    terrain: dict[tuple[int, int], bytes] = field(default_factory=dict)
    transits: dict[bytes, TransitRow] = field(default_factory=dict)
    damaged: int = 0  # rows set aside in all the store's life
    note: str = ""  # what was out of the ordinary

    @property
    def is_new(self) -> bool:
        """Whether the region has never been filled."""
        return "made" not in self.facts

    @property
    def is_clean(self) -> bool:
        """Whether it was closed in order."""
        return self.facts.get("state") == "closed"


class StoreFile:
    """An open store. OSError when another process has it, or its folder cannot be used."""

    def __init__(self, path: Path, unix: float) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(path.with_name("lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise OSError(f"another process has the store {path} open") from error
        self.kept = Kept()
        try:
            self._open()
        except sa.exc.DatabaseError as error:
            if isinstance(error, sa.exc.OperationalError):
                self.close()
                raise OSError(f"the store {path} cannot be opened: {error.orig}") from error
            self._put_aside(f"{error.orig}", unix)
        except _Newer:
            self.close()
            raise
        except _Damaged as error:
            self._put_aside(str(error), unix)

    def _open(self) -> None:
        self.engine = sa.create_engine(f"sqlite:///{self.path}", poolclass=sa.pool.NullPool)
        sa.event.listen(self.engine, "connect", _prepare)
        with self.engine.begin() as connection:
            _meta.create_all(connection)
            found = {name: value for name, value in connection.execute(sa.select(facts.c.name, facts.c.value))}
            schema = int(found.setdefault("schema", str(SCHEMA)))
            if schema > SCHEMA:
                raise _Newer(f"the store {self.path} is of version {schema}: only those up to {SCHEMA} can be read here")
            if found.get("state") != "closed" and self.path.stat().st_size <= CHECKED_WHOLE:
                said = connection.execute(sa.text("PRAGMA quick_check(1)")).scalar()
                if said != "ok":
                    raise _Damaged(str(said))
            self.kept = self._read(connection, found)

    def _read(self, connection: sa.Connection, found: dict[str, str]) -> Kept:
        rows = connection.execute(sa.select(linksets))
        kept = Kept(found, {row[0]: LinksetRow(unpacked(row[1]), *row[2:]) for row in rows})
        kept.scripts = {row[0]: ScriptRow(*row[1:]) for row in connection.execute(sa.select(scripts))}
        kept.sources = {name: text for name, text in connection.execute(sa.select(sources))}
        kept.parcels = [(row[0], row[1], row[2]) for row in connection.execute(sa.select(parcels))]
        kept.terrain = {(x, y): data for x, y, data in connection.execute(sa.select(terrain))}
        kept.transits = {row[0]: TransitRow(*row[1:]) for row in connection.execute(sa.select(transits))}
        kept.damaged = connection.execute(sa.select(sa.func.count()).select_from(damaged)).scalar() or 0
        return kept

    def _put_aside(self, reason: str, unix: float) -> None:
        """Keep the damaged file as it is, and begin with the last backup, or with nothing."""
        aside = self.path.with_name(f"{self.path.name}.damaged-{int(unix)}")
        for ending in ("", "-wal", "-shm"):
            file = self.path.with_name(self.path.name + ending)
            if file.exists():
                os.rename(file, aside.with_name(aside.name + ending))
        backup = self.path.with_name("backup.sqlite")
        if backup.exists():
            shutil.copyfile(backup, self.path)
        what = "the last backup is used" if backup.exists() else "there is no backup: the region begins anew"
        note = f"the store was damaged ({reason[:200]}) and is kept as {aside.name}; {what}"
        log.error("%s: %s", self.path, note)
        try:
            self._open()
        except (sa.exc.DatabaseError, _Damaged) as error:
            self.close()
            raise OSError(f"the backup of {self.path} cannot be read either: {error}") from error
        self.kept.note = note

    def set_aside(self, of: str, bad: dict[bytes, tuple[bytes, str]], unix: float) -> None:
        """Rows that could not be read: key -> (content, reason). They leave their table and stay in `damaged`."""
        table, key = {"linksets": (linksets, linksets.c.id), "scripts": (scripts, scripts.c.item_id), "transits": (transits, transits.c.id)}[of]
        with self.engine.begin() as connection:
            for name, (row, reason) in bad.items():
                values = {"at": unix, "of": of, "key": name, "row": row, "reason": reason[:500]}
                connection.execute(sa.insert(damaged).values(values))
                connection.execute(sa.delete(table).where(key == name))

    def write(self, batch: Batch, unix: float) -> None:
        """All of it in one transaction, durable when this returns. DatabaseError when the disk did not take it."""
        with self.engine.begin() as connection:
            if batch.history:
                connection.execute(
                    _remember,
                    [{"b_at": each.at, "b_who": each.who, "b_what": each.what, "b_id": each.linkset} for each in batch.history],
                )
            for table, key, rows in ((linksets, "id", batch.linksets), (scripts, "item_id", batch.scripts), (transits, "id", batch.transits)):
                gone = [{"b_key": name} for name, row in rows.items() if row is None]
                if gone:
                    connection.execute(sa.delete(table).where(table.c[key] == sa.bindparam("b_key")), gone)
            replaced: list[tuple[sa.Table, list[dict[str, Any]]]] = [
                (linksets, [_packed(name, row) for name, row in batch.linksets.items() if row is not None]),
                (sources, [{"id": name, "text": text} for name, text in batch.sources.items()]),
                (scripts, [{"item_id": name, **row._asdict()} for name, row in batch.scripts.items() if row is not None]),
                (parcels, [{"local_id": k, "facts": row[0], "cells": row[1]} for k, row in batch.parcels.items() if row is not None]),
                (terrain, [{"x": at[0], "y": at[1], "heights": data} for at, data in batch.terrain.items()]),
                (facts, [{"name": name, "value": value} for name, value in batch.facts.items()]),
                (transits, [{"id": name, **row._asdict()} for name, row in batch.transits.items() if row is not None]),
            ]
            for table, values in replaced:
                if values:
                    connection.execute(_put(table), values)
            joined = [{"b_key": number} for number, row in batch.parcels.items() if row is None]
            if joined:
                connection.execute(sa.delete(parcels).where(parcels.c.local_id == sa.bindparam("b_key")), joined)

    def forget_old(self, unix: float, days: float, most_bytes: int) -> None:
        """Let go of history that is older, and of the oldest of what is more."""
        with self.engine.begin() as connection:
            connection.execute(sa.delete(history).where(history.c.at < unix - days * 86400))
            size: Any = sa.func.sum(sa.func.coalesce(sa.func.length(history.c.form), 0) + 64)
            sizes = sa.select(history.c.number, size.over(order_by=history.c.number.desc()).label("bytes"))
            later = sizes.subquery()
            last = sa.select(sa.func.max(later.c.number)).where(later.c.bytes > most_bytes).scalar_subquery()
            connection.execute(sa.delete(history).where(history.c.number <= last))

    def forget_sources(self) -> None:
        """Let go of sources that no script has. For the end: until then a new script may want one."""
        with self.engine.begin() as connection:
            connection.execute(sa.delete(sources).where(sources.c.id.not_in(sa.select(scripts.c.source))))

    def backup_age(self, unix: float) -> float:
        """Seconds since the last backup; infinite when there is none."""
        try:
            return unix - self.path.with_name("backup.sqlite").stat().st_mtime
        except OSError:
            return math.inf

    def back_up(self) -> None:
        """A copy of the store as it is at one moment, made while it is in use; it takes the place of the last one when whole."""
        fresh = self.path.with_name("backup.sqlite.new")
        fresh.unlink(missing_ok=True)
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("VACUUM INTO :path"), {"path": str(fresh)})
        file = os.open(fresh, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
        os.replace(fresh, self.path.with_name("backup.sqlite"))

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _packed(name: bytes, row: LinksetRow) -> dict[str, Any]:
    return {"id": name, **row._asdict(), "form": zlib.compress(row.form, 1)}


def unpacked(data: bytes) -> bytes:
    """The form in a row; the data as they are when they are damaged, for the form's own check to say so."""
    opened = zlib.decompressobj()
    try:
        form = opened.decompress(data, MOST_BYTES + 1)
        return form if opened.eof and not opened.unused_data else data
    except zlib.error:
        return data


class _Damaged(Exception):
    """The file is not a sound database."""


class _Newer(OSError):
    """The store was written by a later version."""


def _prepare(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=2000", "wal_autocheckpoint=2000"):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def opened(path: Path, unix: float) -> Iterator[StoreFile]:
    """A store for as long as somebody looks into it."""
    store = StoreFile(path, unix)
    try:
        yield store
    finally:
        store.close()


