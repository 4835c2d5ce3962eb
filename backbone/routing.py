"""Instant messages: to the sim where the person is, or into the store until the viewer asks.

Exactly once, as far as HTTP lets it: a message id that was seen is answered with what became of it, the
store's key is the message id, and a fetched message leaves a mark for a day. A sim may get the same id
twice only when its own answer to the first was lost; then it must compare ids itself.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from backbone.directory import Directory
from backbone.errors import BadRequest, NotFound
from backbone.metrics import Metrics
from backbone.presence import Presence
from backbone.sims import SimRefused, Sims, SimUnreachable
from backbone.storage.interfaces import Stores
from backbone.storage.regions import Fence
from ground import green
from protocol.wellknown import NULL

log = logging.getLogger(__name__)
FRIENDSHIP_OFFERED = 38
# What is worth keeping for someone who is away: text, inventory offers, objects' messages, friendship.
# Typing, lures, sessions and busy replies are of the moment.
KEPT_DIALOGS = frozenset({0, 3, 4, 9, 19, 38, 39, 40})
REMEMBERED = 20_000  # fates of messages, in memory: repeats come within seconds
SECOND_TRY_SECONDS = 0.3  # a person who is crossing has arrived by then, mostly

FULL = {"full": "the mailbox is full", "full of yours": "too many of your messages wait there already"}

Fate = dict[str, str]


class Router:
    def __init__(
        self,
        stores: Stores,
        directory: Directory,
        presence: Presence,
        sims: Sims,
        metrics: Metrics,
        has_account: Callable[[str], bool],
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        """``has_room``: whether the disk takes what grows. Where it does not, only who is online gets messages."""
        self._has_room = has_room
        self._stores, self._directory, self._presence = stores, directory, presence
        self._sims, self._metrics, self._has_account = sims, metrics, has_account
        self._fates: OrderedDict[str, Fate | green.Promise[Fate]] = OrderedDict()
        self._missed: dict[str, set[str]] = {}  # online people -> ids stored because their sim could not take them

    def send(self, given: dict[str, Any], fence: Fence | None = None) -> Fate:
        """Route one MESSAGE; {result, reason?}. The same message_id again is the same message: it may be repeated.

        NotFound: no such recipient. BadRequest: an offer of friendship by nobody, or to oneself. OldEpoch.
        """
        self._directory.check(fence)
        self._check(given)
        message_id = given["message_id"]
        message = {
            "id": message_id,
            "binary_bucket": "",
            "region_id": str(NULL),
            "position": [0.0, 0.0, 0.0],
            "timestamp": int(time.time()),
            "from_group": False,
            "parent_estate_id": 1,
            **given,
            "offline": 0,
        }
        known = self._fates.get(message_id)
        if known is not None:
            return known if isinstance(known, dict) else known.wait()
        promise: green.Promise[Fate] = green.Promise()
        self._fates[message_id] = promise
        try:
            fate = self._route(message, fence)
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

    def _check(self, message: dict[str, Any]) -> None:
        from_agent, to_agent = message["from_agent_id"], message["to_agent_id"]
        if not self._has_account(to_agent):
            raise NotFound(f"no account {to_agent}")
        if message["dialog"] == FRIENDSHIP_OFFERED:
            if from_agent == to_agent:
                raise BadRequest("nobody offers friendship to itself")
            if not self._has_account(from_agent):
                raise BadRequest(f"the offerer {from_agent} is no account")

    def _route(self, message: dict[str, Any], fence: Fence | None) -> Fate:
        stores = self._stores.under(fence)
        stored_before = stores.messages.fate_of(message["message_id"])
        if stored_before is not None:
            return {"result": stored_before}
        to_agent = message["to_agent_id"]
        if message["dialog"] == FRIENDSHIP_OFFERED:
            # Before delivery: the acceptance may come back faster than we could write it down afterwards.
            now = int(time.time())
            if not stores.friends.offer(message["from_agent_id"], to_agent, now):
                return {"result": "dropped", "reason": "too many offers wait for an answer"}
        for attempt in (1, 2):
            region = self._directory.get_live(self._presence.region_of(to_agent))
            if region is None:
                break
            try:
                if self._sims.deliver(region.services_url, message):
                    return {"result": "delivered"}
            except (SimUnreachable, SimRefused) as error:
                log.warning("%s did not take a message: %s", region.name, error)
            if attempt == 1:
                green.sleep(SECOND_TRY_SECONDS)
        if message["dialog"] not in KEPT_DIALOGS:
            return {"result": "dropped", "reason": "not online"}
        if not self._has_room():
            return {"result": "dropped", "reason": "the grid's disk is nearly full"}
        kept = stores.messages.keep({**message, "offline": 1}, int(time.time()))
        if kept in FULL:
            return {"result": "dropped", "reason": FULL[kept]}
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
        waiting = self._stores.messages.waiting(agent_id)
        for message in waiting:
            region = self._directory.get_live(self._presence.region_of(agent_id))
            if message["message_id"] not in missed or region is None:
                continue
            try:
                if self._sims.deliver(region.services_url, message):
                    self._stores.messages.forget(agent_id, [message["message_id"]])
            except (SimUnreachable, SimRefused) as error:
                log.warning("%s did not take a missed message: %s", region.name, error)
    # what waits -----------------------------------------------------------------------------------

    def waiting(self, agent_id: str) -> list[dict[str, Any]]:
        """What waits for the agent, oldest first. NotFound."""
        if not self._has_account(agent_id):
            raise NotFound(f"no account {agent_id}")
        return self._stores.messages.waiting(agent_id)

    def forget(self, agent_id: str, message_ids: list[str], fence: Fence | None) -> None:
        """The agent's viewer has these: they are never given again. NotFound, OldEpoch."""
        if not self._has_account(agent_id):
            raise NotFound(f"no account {agent_id}")
        self._stores.under(fence).messages.forget(agent_id, message_ids)
