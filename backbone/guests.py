"""Guests: accounts that the page's gateway makes for a visit. So many an hour from one address, and gone after a day."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Callable

from backbone.errors import TooMany
from backbone.login.limits import FailureBuckets
from backbone.storage.interfaces import PeopleStore

log = logging.getLogger(__name__)
KEPT_SECONDS = 24 * 3600  # after the last visit
AT_ONCE = 20  # removed in one sweep: each is a write of its own, and others want the disk, too
BURST, REFILL_SECONDS = 60, 60.0  # from one address: a class at once, then one a minute


class Guests:
    def __init__(self, store: PeopleStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._made = FailureBuckets(BURST, REFILL_SECONDS)

    def admit(self, address: str | None) -> None:
        """Count a guest from that address; TooMany. None: nobody said from where, all of these together are one.

        Who sits at the grid's own machine is not bounded: it is theirs, and by default nobody else can come.
        """
        if address is not None and _is_here(address):
            return
        key, now = address or "", self._clock()
        wait = self._made.seconds_to_wait(key, now)
        if wait:
            raise TooMany(f"too many guests from one address: the next may come in {wait} seconds")
        self._made.failed(key, now)

    def sweep(self, unix_now: int, forget: Callable[[str], None]) -> int:
        """Remove guests whose last visit was a day ago, accounts and folders; how many."""
        since, removed = unix_now - KEPT_SECONDS, 0
        for agent_id in self._store.old_guests(since, AT_ONCE):
            if self._store.remove_guest(agent_id, since):
                forget(agent_id)
                removed += 1
        if removed:
            log.info("%d guests were not seen for a day: their accounts are removed", removed)
        return removed


def _is_here(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
