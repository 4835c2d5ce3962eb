"""Everything Backbone runs on, put together once, and its regular chores."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backbone.directory import Directory
from backbone.hashing import Hasher
from backbone.login.flow import Logins
from backbone.metrics import Metrics
from backbone.notifications import Notifier
from backbone.presence import Presence, Session
from backbone.routing import Router
from backbone.sims import Sims
from backbone.storage import accounts, inventory, people
from backbone.storage.database import Database, sqlite_url
from backbone.storage.regions import LEASE_SECONDS
from ground import green

log = logging.getLogger(__name__)
MARKS_KEPT = 24 * 3600  # seconds that a fetched message's id is remembered
NAMES_KEPT = 50_000
FLUSH_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Config:
    data: Path
    secret: str
    grid_name: str = "Mainland"
    database_url: str | None = None  # None: SQLite in ``data``
    assets_url: str | None = None
    lease_seconds: float = LEASE_SECONDS


class Names:
    """Names of accounts by id. Accounts are never renamed or removed, so what was read once stays right."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._names: OrderedDict[str, str] = OrderedDict()

    def get(self, agent_id: str) -> str | None:
        """ "First Last", or None when there is no such account."""
        name = self._names.get(agent_id)
        if name is None:
            row = self._db.read(lambda conn: accounts.by_id(conn, agent_id))
            if row is None:
                return None
            name = self._names[agent_id] = f"{row['first']} {row['last']}"
            while len(self._names) > NAMES_KEPT:
                self._names.popitem(last=False)
        return name

    def known(self, agent_ids: Iterable[str]) -> list[str]:
        """Those of the ids that are accounts, in their order."""
        ids = list(dict.fromkeys(agent_ids))
        missing = [one for one in ids if one not in self._names]
        found: set[str] = set()
        if missing:
            for row in self._db.read(lambda conn: accounts.by_ids(conn, missing)):
                found.add(row["agent_id"])
        return [one for one in ids if one in found or one in self._names]


class Services:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.started = time.time()
        self.openapi: dict[str, Any] = {}  # app.py builds it from the resources
        self.metrics = Metrics()
        self.db = Database(config.database_url or sqlite_url(config.data))
        self.db.write(lambda conn: inventory.ensure_library(conn, int(time.time())))
        self.names = Names(self.db)
        self.directory = Directory(self.db, time.monotonic, config.lease_seconds)
        self.sims = Sims(config.secret)
        self.notifier = Notifier(self.db, self.directory, self.sims, self.metrics)
        self.presence = Presence(self._presence_changed)
        self.notifier.presence = self.presence
        self.router = Router(self.db, self.directory, self.presence, self.sims, self.metrics)
        self.hasher = Hasher()
        self.logins = Logins(
            self.db, self.directory, self.presence, self.sims, self.hasher, self.metrics, config.grid_name
        )
        self._take_over_sessions()

    def _presence_changed(self, agent_id: str, online: bool) -> None:
        if not online:
            self.router.left(agent_id)
        self.notifier.changed(agent_id, online)

    def _take_over_sessions(self) -> None:
        """After a restart: sessions are in SQL, and who was in a region whose lease still runs is there still.

        Regions whose lease ran out while we were away bring their people back with their next heartbeat.
        """
        now = time.monotonic()

        def take(row: dict[str, Any]) -> None:
            region = self.directory.get_live(row["region_id"]) if row["since"] is not None else None
            self.presence.load(
                Session(
                    agent_id=row["agent_id"],
                    session_id=row["session_id"],
                    name=row["name"],
                    login_region=row["region_id"],
                    region_id=region.region_id if region else None,
                    since=row["since"],
                    confirmed=now,
                )
            )

        self.db.read(lambda conn: people.each_session(conn, take))
        self.notifier.assume(s.agent_id for s in self.presence.sessions.values() if s.since is not None)

    # chores ---------------------------------------------------------------------------------------

    def start_chores(self) -> None:
        green.spawn(self._tell_of_the_lost)
        green.spawn(self._every, 1.0, self._expire)
        green.spawn(self._every, FLUSH_SECONDS, self.directory.flush)
        green.spawn(self._every, 60.0, self._sweep)

    def _tell_of_the_lost(self) -> None:
        """Friends were told that these are online, before our restart; no heartbeat has said so since."""
        green.sleep(self.config.lease_seconds + 5)
        for session in self.presence.sessions.values():
            if session.region_id is None:
                self.notifier.changed(session.agent_id, False)

    def _every(self, seconds: float, chore: Any) -> None:
        while True:
            green.sleep(seconds)
            try:
                chore()
            except Exception:  # a chore that fails once is tried again; it must not end
                log.exception("chore %s failed", chore.__name__)

    def _expire(self) -> None:
        """A region whose lease ended is down: its agents are offline."""
        now = time.monotonic()
        for region_id in self.presence.occupied():
            if self.directory.get_live(region_id) is None:
                lost = self.presence.clear_region(region_id, now)
                self.metrics.expired_leases.inc()
                log.warning("the lease of region %s ended; %d agents are offline", region_id, lost)
        self._measure(now)

    def _measure(self, now: float) -> None:
        self.metrics.sessions.set(len(self.presence.sessions))
        self.metrics.online.set(self.presence.online())
        self.metrics.regions.set(sum(region.live(now) for region in self.directory.regions.values()))

    def _sweep(self) -> None:
        forgotten = self.presence.forgotten(time.monotonic())
        ended = [(session.agent_id, session.session_id) for session in forgotten]
        for agent_id, session_id in ended:
            self.presence.end(agent_id, session_id, time.monotonic())

        def work(conn: Any) -> None:
            for agent_id, session_id in ended:
                people.end_session(conn, agent_id, session_id)
            people.sweep_messages(conn, int(time.time()) - MARKS_KEPT)

        self.db.write(work)

    def close(self) -> None:
        self.directory.flush()
        self.hasher.close()
        self.db.close()
