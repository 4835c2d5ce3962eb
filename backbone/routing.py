"""Instant messages: to the sim where the person is, or into the store until the viewer asks.

Exactly once, as far as HTTP lets it: a message id that was seen is answered with what became of it, the
store's key is the message id, and a fetched message leaves a mark for a day. A sim may get the same id
twice only when its own answer to the first was lost; then it must compare ids itself.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from functools import partial
from typing import Any

from sqlalchemy import Connection

from backbone.directory import Directory
from backbone.presence import Presence
from backbone.sims import SimRefused, Sims, SimUnreachable
from backbone.storage import people
from backbone.storage.database import Database
from ground import green

log = logging.getLogger(__name__)
FRIENDSHIP_OFFERED = 38
# What is worth keeping for someone who is away: text, inventory offers, objects' messages, friendship.
# Typing, lures, sessions and busy replies are of the moment.
KEPT_DIALOGS = frozenset({0, 3, 4, 9, 19, 38, 39, 40})
REMEMBERED = 20_000  # fates of messages, in memory: repeats come within seconds
SECOND_TRY_SECONDS = 0.3  # a person who is crossing has arrived by then, mostly

Fate = dict[str, str]


class Router:
    def __init__(self, db: Database, directory: Directory, presence: Presence, sims: Sims, metrics: Any) -> None:
        self._db, self._directory, self._presence = db, directory, presence
        self._sims, self._metrics = sims, metrics
        self._fates: OrderedDict[str, Fate | green.Promise[Fate]] = OrderedDict()
        self._missed: dict[str, set[str]] = {}  # online people -> ids stored because their sim could not take them

    def send(self, message: dict[str, Any]) -> Fate:
        """Route one message; {result, reason?}. The recipient's account exists, the caller has checked."""
        message_id = message["message_id"]
        known = self._fates.get(message_id)
        if known is not None:
            return known if isinstance(known, dict) else known.wait()
        promise: green.Promise[Fate] = green.Promise()
        self._fates[message_id] = promise
        try:
            fate = self._route(message)
        except BaseException as error:
            del self._fates[message_id]
            promise.fail(error)
            raise
        self._fates[message_id] = fate
        promise.give(fate)
        while len(self._fates) > REMEMBERED:
            self._fates.popitem(last=False)
        self._metrics.messages.labels(fate["result"]).inc()
        return fate

    def _route(self, message: dict[str, Any]) -> Fate:
        stored_before = self._db.read(lambda conn: people.fate_of(conn, message["message_id"]))
        if stored_before is not None:
            return {"result": stored_before}
        to_agent = message["to_agent_id"]
        if message["dialog"] == FRIENDSHIP_OFFERED:
            # Before delivery: the acceptance may come back faster than we could write it down afterwards.
            now = int(time.time())
            if not self._db.write(lambda conn: people.offer(conn, message["from_agent_id"], to_agent, now)):
                return {"result": "dropped", "reason": "too many offers wait for an answer"}
        for attempt in (1, 2):
            region = self._directory.get_live(self._presence.region_of(to_agent))
            if region is None:
                break
            try:
                if self._sims.deliver(region.http_url, message):
                    return {"result": "delivered"}
            except (SimUnreachable, SimRefused) as error:
                log.warning("%s did not take a message: %s", region.name, error)
            if attempt == 1:
                green.sleep(SECOND_TRY_SECONDS)
        if message["dialog"] not in KEPT_DIALOGS:
            return {"result": "dropped", "reason": "not online"}
        kept = self._db.write(lambda conn: people.keep_message(conn, {**message, "offline": 1}, int(time.time())))
        if kept == "full":
            return {"result": "dropped", "reason": "the mailbox is full"}
        if kept == "stored" and self._presence.region_of(to_agent) is not None:
            self._missed.setdefault(to_agent, set()).add(message["message_id"])
            if region is None:  # they came while we wrote, and may have asked for their messages before we were done
                self.arrived(to_agent)
        return {"result": kept}

    def arrived(self, agent_id: str) -> None:
        """The person is in a region (again): give what could not be given on the way there."""
        missed = self._missed.pop(agent_id, None)
        if missed:
            green.spawn(self._give_missed, agent_id, missed)

    def left(self, agent_id: str) -> None:
        """Offline: what was missed waits in the store like everything else, and the next viewer asks for it."""
        self._missed.pop(agent_id, None)

    def _give_missed(self, agent_id: str, missed: set[str]) -> None:
        waiting = self._db.read(lambda conn: people.waiting_messages(conn, agent_id))
        for message in waiting:
            region = self._directory.get_live(self._presence.region_of(agent_id))
            if message["message_id"] not in missed or region is None:
                continue
            try:
                if self._sims.deliver(region.http_url, message):
                    self._db.write(partial(_forget, agent_id, message["message_id"]))
            except (SimUnreachable, SimRefused) as error:
                log.warning("%s did not take a missed message: %s", region.name, error)


def _forget(agent_id: str, message_id: str, conn: Connection) -> int:
    return people.forget_messages(conn, agent_id, [message_id])
