"""By which claim this process has its region, and when it has not got it any more.

The claim is a row of Backbone's directory, with an epoch that grows with each claim of any region. A heartbeat renews it. Nobody
else is let in before *takeover* seconds have passed since the last renewal, so this process

    is told (409) that another has its region, or that its claim is old    it stops at once, and never claims again
    could not renew for half of the takeover time                          it stops: what it would write could be another's soon
    is stuck and does neither                                              the kernel ends it at 0.8 of the takeover time

Both times count from when the last renewal that succeeded was *sent*: what Backbone counts from came after that. That Backbone is
away is no reason to stop before: nobody else can claim either (docs/decisions/0023).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from backbone.client import BackboneClient, BackboneError
from sim.neighbours.records import ACCESS_LETTERS, Owner
from sim.region import Region

log = logging.getLogger(__name__)

T = TypeVar("T")
RETRY = 1.0
LEASE = 15.0  # seconds until Backbone says how long it is
TAKEOVER = 600.0
STOP_AT, FALL_AT = 0.5, 0.8  # of the takeover time
NOT_OURS = (404, 409)


class LeaseLost(Exception):
    """Another process has the region, or may soon; why, for the log."""


class Lease:
    """`arm(seconds)` has the kernel end this process that long from now, unless it is called again; nothing in tests."""

    def __init__(self, region: Region, backbone: BackboneClient, end: Callable[[str], None]) -> None:
        self._region = region
        self._backbone = backbone
        self._end = end  # stop serving, with the reason
        self.arm: Callable[[float], object] = lambda seconds: None
        self.epoch = 0
        self.lost = ""  # why, once it is
        self._lease, self._takeover = LEASE, TAKEOVER
        self._renewed = 0.0  # real time at which the last renewal that succeeded was sent
        self._tasks: list[asyncio.Task[Any]] = []

    @property
    def owner(self) -> Owner:
        """What goes with every hand-over, so that who knows a newer claim refuses."""
        return Owner(self._region.facts.region_id, self.epoch)

    async def claim(self, ip: str, port: int, http_url: str, inner_url: str) -> dict[str, Any]:
        """Backbone's answer, as long as it takes while that is away. LeaseLost when another process has the region."""
        facts, backbone = self._region.facts, self._backbone
        while True:
            sent = self._region.clock.now()
            try:
                lease = await backbone.put_region(
                    facts.region_id,
                    name=facts.name,
                    grid_x=facts.grid_x,
                    grid_y=facts.grid_y,
                    ip=ip,
                    port=port,
                    http_url=http_url,
                    inner_url=inner_url,
                    access=ACCESS_LETTERS.get(facts.access, "PG"),
                    water_height=facts.water_height,
                    map_image_id=facts.map_image_id,
                    owner=self._region.settings.owner,
                )
            except BackboneError as error:
                if error.status == 409:
                    self._lose(f"another process has it: {error}")
                    raise LeaseLost(self.lost) from error
                self._region.metrics.count("service_errors", label="backbone")
                log.warning("%s cannot claim its square yet: %s", facts.name, error)
                await asyncio.sleep(RETRY)
                continue
            self.epoch = int(lease["epoch"])
            self._lease = float(lease["lease_seconds"])
            self._takeover = float(lease.get("takeover_seconds", TAKEOVER))
            backbone.region = (facts.region_id, self.epoch)  # goes with every write from now on
            self._note(sent)
            return lease

    def keep(self, beat: Callable[[], Awaitable[T]], heard: Callable[[T], None]) -> None:
        """Renew it from now on: `beat` is one heartbeat, or raises BackboneError; `heard` is told what came of it."""
        tasks = self._region.tasks
        self._tasks = [
            tasks.spawn(self._beat(beat, heard), "heartbeat", standing=True),
            tasks.spawn(self._watch(), "lease", standing=True),
        ]

    def rest(self) -> None:
        """No more heartbeats: the region is closing. The kernel's alarm stays: a region that hangs while it closes must fall."""
        for task in self._tasks:
            task.cancel()

    async def give_back(self) -> None:
        """Somebody else may have the region at once. Nothing, where it is lost already."""
        self.rest()
        if self.lost or not self.epoch:
            return
        try:
            await asyncio.wait_for(self._backbone.delete_region(self._region.facts.region_id, self.epoch), 2.0)
        except (BackboneError, TimeoutError) as error:
            log.warning("could not give the region's lease back: %s", error)

    # --- keeping it

    async def _beat(self, beat: Callable[[], Awaitable[T]], heard: Callable[[T], None]) -> None:
        while not self.lost:
            await asyncio.sleep(self._lease / 3)
            sent = self._region.clock.now()
            try:
                answer = await beat()
            except BackboneError as error:
                self._region.metrics.count("service_errors", label="backbone")
                if error.status in NOT_OURS:
                    self._lose(f"another process has it, or its claim is gone: {error}")
                continue
            self._note(sent)
            try:
                heard(answer)
            except Exception:  # a fault in what is done with the answer must not cost the region its lease
                self._region.metrics.count("task_errors", label="heartbeat")
                log.exception("what a heartbeat told could not be heeded")

    def _note(self, sent: float) -> None:
        if self.lost:
            return
        self._renewed = sent
        self.arm(max(self._takeover * FALL_AT - (self._region.clock.now() - sent), 0.01))

    async def _watch(self) -> None:
        while not self.lost:
            left = self._renewed + self._takeover * STOP_AT - self._region.clock.now()
            if left > 0:
                await asyncio.sleep(left)
                continue
            silent = self._region.clock.now() - self._renewed
            self._lose(f"its lease could not be renewed for {silent:.0f} s, and another process may take it soon")

    def _lose(self, why: str) -> None:
        if self.lost:
            return
        self.lost = why
        log.error("%s stops: %s (claim %d)", self._region.facts.name, why, self.epoch)
        self._end(why)
