"""Telling friends who came and went, off the path of the request that caused it.

Changes are gathered for a moment and only the outcome is told: a relog or a crash and return within it is
silent, and a region with fifty of somebody's friends gets one call. Each region has its own queue and
greenlet, so a sim that hangs delays nobody else's news; a full queue drops and counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from backbone.directory import Directory
from backbone.metrics import Metrics
from backbone.presence import Presence
from backbone.sims import SimRefused, Sims, SimUnreachable
from backbone.storage.interfaces import FriendStore
from ground import green

log = logging.getLogger(__name__)
GATHER_SECONDS = 0.25
AT_ONCE = 200  # people whose friends are looked up in one read
QUEUE_LIMIT = 5000  # notifications waiting for one region


class Notifier:
    def __init__(self, friends: FriendStore, directory: Directory, sims: Sims, metrics: Metrics) -> None:
        self._friends, self._directory, self._sims, self._metrics = friends, directory, sims, metrics
        self._region_of: Callable[[str], str | None] = lambda agent_id: None
        self._changed: dict[str, bool] = {}  # agent -> online, in the order the changes began
        self._told_online: set[str] = set()  # agents whose friends believe them online
        self._gathering = False
        self._telling = green.Semaphore(1)  # news of one person goes out in the order it happened
        self._queues: dict[str, green.Mailbox[dict[str, Any]]] = {}

    def look_up_in(self, presence: Presence) -> None:
        """Presence tells this of changes, and this asks it where people are: whichever is made first learns here."""
        self._region_of = presence.region_of

    def assume(self, agent_ids: Iterable[str]) -> None:
        """After a restart: what friends were told before it."""
        self._told_online.update(agent_ids)

    def changed(self, agent_id: str, online: bool) -> None:
        """Presence's callback: remember, and see to it that the gathering ends."""
        self._changed[agent_id] = online
        if not self._gathering:
            self._gathering = True
            green.spawn(self._tell_changes)

    def _tell_changes(self) -> None:
        green.sleep(GATHER_SECONDS)
        self._gathering = False
        self.settle()

    def settle(self) -> None:
        """Tell what was gathered so far. Before friends change: new ones get their own word, and a leave
        right after it must not pass for a relog."""
        with self._telling:
            changes, self._changed = self._changed, {}
            news = [agent_id for agent_id, online in changes.items() if online != (agent_id in self._told_online)]
            for at in range(0, len(news), AT_ONCE):
                self._tell_some(news[at : at + AT_ONCE], changes)
                green.sleep(0)  # a whole grid may come back at once: others want their turn

    def _tell_some(self, agent_ids: list[str], changes: dict[str, bool]) -> None:
        watchers = self._friends.who_may_see(agent_ids)
        for agent_id in agent_ids:
            online = changes[agent_id]
            (self._told_online.add if online else self._told_online.discard)(agent_id)
            if agent_id in watchers:
                self.tell("online" if online else "offline", agent_id, watchers[agent_id])

    def tell(self, kind: str, agent_id: str, targets: Iterable[str], **more: Any) -> None:
        """Queue one notification for each region where some of the targets are; the others are offline."""
        by_region: dict[str, list[str]] = {}
        for target in targets:
            region_id = self._region_of(target)
            if region_id is not None:
                by_region.setdefault(region_id, []).append(target)
        for region_id, there in by_region.items():
            self._queue(region_id, {"kind": kind, "agent_id": agent_id, "targets": sorted(there), **more})

    def _queue(self, region_id: str, notification: dict[str, Any]) -> None:
        queue = self._queues.get(region_id)
        if queue is None:
            queue = self._queues[region_id] = green.Mailbox(QUEUE_LIMIT)
            green.spawn(self._serve, region_id, queue)
        if not queue.put(notification):
            self._metrics.notifications.labels(notification["kind"], "dropped").inc()

    def _serve(self, region_id: str, queue: green.Mailbox[dict[str, Any]]) -> None:
        """One region's news in order. Lives as long as the process: there are few regions."""
        while True:
            notification = queue.get()
            region = self._directory.get_live(region_id)
            outcome = "no region"
            if region is not None:
                try:
                    self._sims.notify(region.services_url, notification)
                    outcome = "told"
                except (SimUnreachable, SimRefused) as error:
                    outcome = "failed"
                    log.warning("%s: %s notification not taken: %s", region.name, notification["kind"], error)
            self._metrics.notifications.labels(notification["kind"], outcome).inc()
