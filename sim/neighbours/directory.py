"""This region's picture of the others: what Backbone's directory says of them. When Backbone is away the old picture stays."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import aiohttp

from backbone.client import BackboneClient, BackboneError
from protocol.errors import ProtocolError
from protocol.wellknown import grid_of_handle
from sim.neighbours.lease import Lease
from sim.neighbours.records import Owner, RegionRecord
from sim.world.agent import Vector

if TYPE_CHECKING:
    from sim.region import Region

log = logging.getLogger(__name__)

UNREAD = 100
# Regions of a grid start together: look often at first, then now and then.
AROUND = 1000  # grid squares, in each direction: as far as Backbone answers in one
EAGER_SECONDS, EAGER_INTERVAL, INTERVAL = 20.0, 0.5, 3.0


Square = tuple[int, int]


class Directory:
    """`regions` maps grid squares to what Backbone says of the region there."""

    def __init__(
        self,
        region: Region,
        backbone: BackboneClient,
        lease: Lease,
        changed: Callable[[set[Square], set[Square]], None],
    ) -> None:
        self._region, self._backbone = region, backbone
        self._lease = lease
        self.regions: dict[tuple[int, int], RegionRecord] = {}
        self._version: int | None = None  # of the directory, as far as it was read
        self._unread: set[str] = set()  # regions whose records could not be read, for the log
        self._changed = changed  # called with the squares that came up and those that went away
        self._tasks: list[asyncio.Task[Any]] = []

    async def open(self) -> None:
        """Look round, and keep looking."""
        await self._look()
        self._tasks = [self._region.tasks.spawn(self._look_forever(), "directory", standing=True)]

    def rest(self) -> None:
        """No more looks round: the region is closing, and only what ends by itself is waited for."""
        for task in self._tasks:
            task.cancel()

    # --- asking

    def at(self, grid_x: int, grid_y: int) -> RegionRecord | None:
        return self.regions.get((grid_x, grid_y))

    def of_handle(self, handle: int) -> RegionRecord | None:
        """The live region of a handle, which may name any point inside it; None when there is none."""
        return self.regions.get(grid_of_handle(handle))

    def of_id(self, region_id: UUID) -> RegionRecord | None:
        return next((region for region in self.regions.values() if region.region_id == region_id), None)

    def seen_from(self, region: RegionRecord, place: Vector) -> Vector:
        """A place of this region in the other's axes."""
        x, y, z = place
        facts = self._region.world.facts
        return x + (facts.grid_x - region.grid_x) * 256.0, y + (facts.grid_y - region.grid_y) * 256.0, z

    def old_claim(self, source: Owner | None, destination: Owner | None) -> str:
        """Why a hand-over between these is refused: one of them is not who it was. "" when it is well."""
        facts = self._region.world.facts
        if source is not None and self.knows_newer(source):
            return "another process runs the region that this comes from"
        if destination is None:
            return ""
        if destination.region_id != facts.region_id:
            return f"this is {facts.name}, not the region that is meant"
        if destination.epoch != self._lease.epoch:
            return f"{facts.name} is held by claim {self._lease.epoch} as far as this process knows, not by {destination.epoch}"
        return ""

    def knows_newer(self, owner: Owner) -> bool:
        """Whether that claim of a region is old, as far as this region knows."""
        if owner.region_id == self._region.world.facts.region_id:
            return owner.epoch < self._lease.epoch
        region = self.of_id(owner.region_id)
        return region is not None and owner.epoch < region.epoch

    def adjacent(self) -> list[RegionRecord]:
        """The live regions around this one, at most eight."""
        return self.around(self._region.world.facts.grid_x, self._region.world.facts.grid_y)

    def around(self, grid_x: int, grid_y: int) -> list[RegionRecord]:
        """The live regions around a grid square, at most eight."""
        squares = [(grid_x + dx, grid_y + dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dx or dy]
        return [self.regions[square] for square in squares if square in self.regions]

    def is_adjacent(self, region: RegionRecord) -> bool:
        facts = self._region.world.facts
        return max(abs(region.grid_x - facts.grid_x), abs(region.grid_y - facts.grid_y)) == 1

    # --- keeping

    async def _look_forever(self) -> None:
        started = self._region.clock.now()
        while True:
            eager = self._region.clock.now() - started < EAGER_SECONDS
            await asyncio.sleep(EAGER_INTERVAL if eager else INTERVAL)
            await self._look()

    async def _look(self) -> None:
        """What has changed since the last look: while nothing happens in the grid that is nothing, however large it is."""
        facts = self._region.world.facts
        try:
            answer = await self._backbone.regions_near(facts.grid_x, facts.grid_y, AROUND, self._version)
            version, whole, listed, gone = (answer[name] for name in ("version", "whole", "regions", "gone"))
        except (BackboneError, aiohttp.ClientError, KeyError, TypeError):
            self._region.metrics.count("service_errors", label="backbone")
            return  # the old picture is better than none
        old = self.regions
        known = {} if whole else {record.region_id: record for record in old.values()}
        for region_id in gone:
            known.pop(UUID(region_id), None)
        for record in filter(None, map(self._read, listed)):
            known.pop(record.region_id, None)
            if record.online:
                known[record.region_id] = record
        self._version = version
        fresh = self.regions = {record.square: record for record in known.values()}
        came = {square for square in fresh if square not in old or old[square].owner != fresh[square].owner}
        went = {square for square in old if square not in fresh}
        if came or went:
            self._changed(came, went)

    def _read(self, value: Any) -> RegionRecord | None:
        """A record of the directory; one that cannot be read is as if it were not there, and is named once."""
        try:
            return RegionRecord.decode(value)
        except ProtocolError as error:
            self._region.metrics.count("service_errors", label="region record")
            name = str(value.get("region_id") if isinstance(value, dict) else value)[:80]
            if name not in self._unread and len(self._unread) < UNREAD:
                self._unread.add(name)
                log.error("the directory's record of region %s is left out: %s", name, error)
            return None
