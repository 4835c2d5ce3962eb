"""Transactions on a SQL database: ``read(work)`` and ``write(work)``, where work takes a connection.

Acknowledged means durable: ``write`` returns after the commit that holds the work has been fsynced
(SQLite: WAL with synchronous=FULL). One native thread commits, and all writes that wait meanwhile share
its next transaction, each in a savepoint of its own: an fsync of 5 ms costs a lone write 5 ms, and a
hundred at once 5 ms together. The hub never waits for the disk.

Reads on SQLite run on the hub itself: they are indexed look-ups of the page cache (0.1 ms; WAL readers never
wait for the writer), less than the way to another thread and back. ``read_large`` is for those that grow
with a person's inventory or the number of people, and goes to a thread. On PostgreSQL all reads do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Float

from backbone.storage import schema
from backbone.storage.schema import FILE_NAME

log = logging.getLogger(__name__)
T = TypeVar("T")
Work = Callable[[Connection], T]
LOCAL_READERS = 4  # threads and connections: SQLite reads are work for a core
REMOTE_READERS = 20  # PostgreSQL reads are mostly waiting
CONNECT_SECONDS = 5  # for a connection to a database server, new or from the pool
STATEMENT_SECONDS = 20  # a statement that takes longer is ended by the server
ANSWER_SECONDS = 10.0  # a request waits no longer for a database server; what it asked for may still happen


class DatabaseAway(Exception):
    """The database server does not answer. What was to be written may have been, or may yet be."""


class db_now(FunctionElement[float]):
    """The database's clock in unix seconds: leases are judged by one clock, whoever asks."""

    type = Float()
    inherit_cache = True


@compiles(db_now, "sqlite")
def _sqlite_now(element: Any, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(db_now, "postgresql")
def _postgresql_now(element: Any, compiler: Any, **kw: Any) -> str:
    return "cast(extract(epoch from clock_timestamp()) as double precision)"


class Transactions(Protocol):
    """What the stores (stores.py) stand on. Each work is one transaction; what it raises undoes it and is raised."""

    def read(self, work: Work[T]) -> T:
        """A short read, in one snapshot."""

    def read_large(self, work: Work[T]) -> T:
        """A read that may take milliseconds, in one snapshot."""

    def write(self, work: Work[T]) -> T:
        """Durable when it returns."""


def sqlite_url(data_dir: Path) -> str:
    return f"sqlite:///{data_dir / FILE_NAME}"


def open_engine(url: str) -> Engine:
    """An engine with every pragma set, for this process's own use; the tables are brought up to date."""
    file = None
    if not url.startswith("sqlite"):
        limits = {"connect_timeout": CONNECT_SECONDS, "options": f"-c statement_timeout={STATEMENT_SECONDS}s"}
        engine = create_engine(
            url, pool_size=REMOTE_READERS, pool_timeout=CONNECT_SECONDS, pool_pre_ping=True,
            isolation_level="REPEATABLE READ", connect_args=limits,
        )  # fmt: skip
    else:
        # One thread at a time uses a pooled connection, but not always the same one.
        options = {"check_same_thread": False, "timeout": 10.0}  # seconds to wait for another process's write
        engine = create_engine(url, pool_size=LOCAL_READERS, connect_args=options)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        file = Path(engine.url.database or "")
    schema.bring_up_to_date(engine, file)
    return engine


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves; the driver would do so too late for savepoints
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-2048"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(conn: Connection) -> None:
    # A writer that begins deferred may find at its first write that its snapshot is old, and fail.
    writes = conn.get_execution_options().get("write", False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Commits:
    """Runs batches of work, one transaction a batch, on a connection that lives in one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._conn: Connection | None = None

    def open(self) -> None:
        # READ COMMITTED on PostgreSQL: this is the only writer, and a claim must see what it just waited for.
        options = {} if self._engine.dialect.name == "sqlite" else {"isolation_level": "READ COMMITTED"}
        self._conn = self._engine.connect().execution_options(write=True, **options)

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def run(self, batch: list[Work[Any]]) -> list[Any]:
        """One outcome a job, in order: what it returned, or the exception it or the commit raised."""
        try:
            if self._conn is None:
                self.open()
            assert self._conn is not None
            with self._conn.begin():
                return [self._one(self._conn, work) for work in batch]
        except Exception as error:
            # The commit itself failed (disk full, connection lost): nothing of the batch is durable.
            log.error("a batch of %d writes failed: %s", len(batch), error)
            if isinstance(error, DBAPIError):
                self.close()
            return [error] * len(batch)

    @staticmethod
    def _one(conn: Connection, work: Work[Any]) -> Any:
        try:
            with conn.begin_nested():
                return work(conn)
        except Exception as error:  # handed to the one who asked; the others of the batch are unharmed
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            return error


class Direct:
    """Transactions one after the other in the caller's thread: for the operator's door, and for tests."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def read(self, work: Work[T]) -> T:
        with self.engine.connect() as conn, conn.begin():
            return work(conn)

    read_large = read

    def write(self, work: Work[T]) -> T:
        with self.engine.connect().execution_options(write=True) as conn, conn.begin():
            return work(conn)


class Database:
    """See the module's head. ``read``, ``read_large`` and ``write`` may be called from any greenlet."""

    def __init__(self, url: str) -> None:
        from ground import green  # late: the command line uses this module's engine without eventlet

        self._green = green
        self.engine = open_engine(url)
        self._inline = self.engine.dialect.name == "sqlite"
        green.set_threads(LOCAL_READERS if self._inline else REMOTE_READERS)
        commits = Commits(self.engine)
        self._batcher = green.Batcher("commits", commits.run, setup=commits.open, teardown=commits.close)
        self._reader = self.engine.connect() if self._inline else None

    def write(self, work: Work[T]) -> T:
        """Run work in a transaction and return its result once that is on disk. What work raises undoes it alone."""
        if self._inline:
            return self._batcher.submit(work)
        with self._green.Timeout(ANSWER_SECONDS, DatabaseAway):
            return self._batcher.submit(work)

    def read(self, work: Work[T]) -> T:
        """Run a short read in one snapshot. Work must not yield to the hub."""
        if self._reader is None:
            return self.read_large(work)
        with self._reader.begin():
            return work(self._reader)

    def read_large(self, work: Work[T]) -> T:
        """Run a read that may take milliseconds, in one snapshot, on another thread."""
        if self._inline:
            return self._green.in_thread(self._read_there, work)
        with self._green.Timeout(ANSWER_SECONDS, DatabaseAway):
            return self._green.in_thread(self._read_there, work)

    def _read_there(self, work: Work[T]) -> T:
        with self.engine.connect() as conn, conn.begin():
            return work(conn)

    def close(self) -> None:
        self._batcher.close()
        if self._reader is not None:
            self._reader.close()
        self.engine.dispose()
