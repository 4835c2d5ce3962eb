"""Everything Backbone runs on, put together once, and its regular chores."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backbone.conferences import Conferences
from backbone.directory import Directory
from backbone.friends import Friends
from backbone.guests import Guests
from backbone.hashing import Hasher
from backbone.login.flow import Logins
from backbone.login.limits import LoginLimits
from backbone.metrics import Metrics
from backbone.notifications import Notifier
from backbone.people import People
from backbone.presence import Presence, Session
from backbone.regions import Regions
from backbone.routing import Router
from backbone.sims import Sims
from backbone.storage import schema
from backbone.storage.database import Database, sqlite_url
from backbone.storage.limits import Limits
from backbone.storage.regions import LEASE_SECONDS, TAKEOVER_SECONDS
from backbone.storage.stores import open_stores
from backbone.whereabouts import Whereabouts
from ground import green
from ground.disks import BACKBONE_RESERVE, Reserve

log = logging.getLogger(__name__)
MARKS_KEPT = 24 * 3600  # seconds that a fetched message's id is remembered
FLUSH_SECONDS = 3.0
SWEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Config:
    data: Path
    secret: str
    grid_name: str = "Mainland"
    database_url: str | None = None  # None: SQLite in ``data``
    assets_url: str | None = None
    lease_seconds: float = LEASE_SECONDS
    takeover_seconds: float = TAKEOVER_SECONDS
    owner: str | None = None  # full name of the account whose land is all that was given to nobody; None: the first one
    public_url: str | None = None  # as people type it, where a proxy stands in front
    inventory: Limits = Limits()
    reserve: int = BACKBONE_RESERVE  # bytes of the disk that accounts, inventories and mail leave to sessions


class Services:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.started = time.time()
        self.openapi: dict[str, Any] = {}  # app.py builds it from the resources
        self.metrics = Metrics()
        self._db = Database(config.database_url or sqlite_url(config.data))
        self._where = self._db.engine.url.render_as_string(hide_password=True)
        # A database server has a disk of its own, which is not ours to watch.
        self.disk = Reserve(config.data if self._db.engine.dialect.name == "sqlite" else None, config.reserve)
        self._db.write(lambda conn: schema.check_is_ours(conn, config.data, self._where))
        self.stores = open_stores(self._db, int(self.started))
        self.stores.inventory.set_limits(config.inventory)
        self._accounts_noted = False
        self.directory = Directory(
            self.stores.regions, time.monotonic, config.lease_seconds, int(self.started * 1000), config.takeover_seconds
        )
        sims = Sims(config.secret)
        self._notifier = Notifier(self.stores.friends, self.directory, sims, self.metrics)
        self.presence = Presence(self._presence_changed)
        self._notifier.look_up_in(self.presence)
        self.conferences = Conferences()
        self._hasher = Hasher()
        limits = LoginLimits(green.sleep)
        self._guests = Guests(self.stores.people)
        self.people = People(
            self.stores.people, self.presence, self.directory, self._hasher, limits, self._guests, self._note_accounts
        )
        self.messages = Router(
            self.stores,
            self.directory,
            self.presence,
            sims,
            self.metrics,
            lambda agent_id: self.people.name(agent_id) is not None,
            self.disk.has_room,
        )
        self.whereabouts = Whereabouts(self.stores, self.directory, self.presence, self.people, self.messages)
        self.regions = Regions(self.directory, self.presence, self.whereabouts, self.people, config.owner)
        self.friends = Friends(self.stores.friends, self.people, self.presence, self._notifier)
        self.logins = Logins(
            self.stores, self.directory, self.presence, sims, self._hasher, limits, self.metrics, config.grid_name
        )
        self._take_over_sessions()

    def _presence_changed(self, agent_id: str, online: bool) -> None:
        if not online:
            self.messages.left(agent_id)
            self.conferences.gone(agent_id)
        self._notifier.changed(agent_id, online)

    def _note_accounts(self) -> None:
        """An account was made: the folder shall say that this database holds some."""
        if not self._accounts_noted:
            self._db.read_large(lambda conn: schema.note_accounts(conn, self.config.data, self._where))
            self._accounts_noted = True

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
                    visibility=row["visibility"],
                )
            )

        self.stores.sessions.each(take)
        self._notifier.assume(s.agent_id for s in self.presence.everyone() if s.since is not None)

    def check_database(self) -> None:
        """Raises what the database raises when it cannot be read now."""
        self.stores.people.by_ids(["00000000-0000-0000-0000-000000000000"])

    # chores ---------------------------------------------------------------------------------------

    def start_chores(self) -> None:
        green.spawn(self._tell_of_the_lost)
        green.spawn(self._every, 1.0, self._expire)
        green.spawn(self._every, FLUSH_SECONDS, self.directory.flush)
        green.spawn(self._every, SWEEP_SECONDS, self._sweep)

    def _tell_of_the_lost(self) -> None:
        """Friends were told that these are online, before our restart; no heartbeat has said so since."""
        green.sleep(self.config.lease_seconds + 5)
        for session in self.presence.everyone():
            if session.region_id is None:
                self._notifier.changed(session.agent_id, False)

    def _every(self, seconds: float, chore: Callable[[], Any]) -> None:
        while True:
            green.sleep(seconds)
            try:
                chore()
            except Exception:  # a chore that fails once is tried again; it must not end
                log.exception("chore %s failed", chore.__name__)

    def _expire(self) -> None:
        """A region whose lease ended is down: its agents are offline."""
        self.directory.expire()
        for region_id in self.presence.occupied():
            if self.directory.get_live(region_id) is None:
                lost = self.whereabouts.region_is_gone(region_id)
                self.metrics.expired_leases.inc()
                log.warning("the lease of region %s ended; %d agents are offline", region_id, lost)
        self.metrics.sessions.set(len(self.presence))
        self.metrics.online.set(self.presence.online())
        self.metrics.regions.set(self.directory.count_live())

    def _sweep(self) -> None:
        """Sessions that nobody comes back to, marks of messages that nobody repeats any more, guests of yesterday."""
        now = time.monotonic()
        ended = [(session.agent_id, session.session_id) for session in self.presence.forgotten(now)]
        for agent_id, session_id in ended:
            self.presence.end(agent_id, session_id, now)
        if ended:
            self.stores.sessions.end(ended)
        self.stores.messages.sweep(int(time.time()) - MARKS_KEPT)
        self.stores.transits.sweep(int(time.time()) - MARKS_KEPT)
        self.stores.inventory.sweep(time.time())
        self._guests.sweep(int(time.time()), self.people.forget)

    def close(self) -> None:
        self.directory.flush()
        self._hasher.close()
        self._db.close()
