"""The region directory: which regions there are, who runs them, and whether their leases still hold.

The rows in SQL say who owns what (storage/regions.py). In memory is a copy for the reads, whose leases run by
this process's monotonic clock and are renewed by every heartbeat; the rows' leases follow every few
seconds in one write, and before every claim, so that a claim is judged by what is true now.

Each change of what a reader would see gives the region the next *version*, so that a sim that has seen version n asks
for what came after it: 4,000 regions cost a sim nothing while nothing happens to those around it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import count
from typing import Any

from backbone.storage.interfaces import RegionStore
from backbone.storage.regions import Fence, OldEpoch, Renewal

REMEMBERED = 1000  # regions that went away, for those who ask what changed since


@dataclass(slots=True)
class Region:
    region_id: str
    name: str
    grid_x: int
    grid_y: int
    ip: str
    port: int
    http_url: str  # as viewers reach it
    inner_url: str | None  # as the grid's own services do; None: the same
    access: str
    water_height: float
    map_image_id: str
    epoch: int
    owner_id: str | None  # whose land it is; None: the grid's owner's
    lease_until: float = 0.0  # monotonic seconds
    version: int = 0  # of the last change that readers see
    seen_live: bool = True  # whether readers of that version saw it online

    def live(self, now: float) -> bool:
        return self.lease_until > now

    @property
    def services_url(self) -> str:
        """Where Backbone and other regions reach it."""
        return self.inner_url or self.http_url


_OURS = ("lease_until", "version", "seen_live")
_ROW = tuple(field.name for field in fields(Region) if field.name not in _OURS)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a reader of an older version must learn: these regions as they are, and the ids of those that went.
    ``whole``: its version is too old to tell; these are all there are where it looks."""

    version: int
    whole: bool
    regions: list[Region]
    gone: list[str]


class Directory:
    def __init__(
        self,
        store: RegionStore,
        clock: Callable[[], float],
        lease_seconds: float,
        first_version: int = 0,
        takeover_seconds: float = 0.0,
    ) -> None:
        """``first_version``: higher than any of an earlier process, so that no reader takes one's for the other's.
        ``takeover_seconds``: from the last heartbeat until another process may have a region; the lease at least."""
        self._store = store
        self.lease_seconds = lease_seconds
        self.takeover_seconds = max(takeover_seconds, lease_seconds)
        self._clock = clock
        self._renewed: set[str] = set()  # regions with heartbeats since the last write
        self._regions: dict[str, Region] = {}
        self._squares: dict[tuple[int, int], Region] = {}
        self._names: dict[str, Region] = {}
        self._first_version = self.version = first_version
        self._versions = count(first_version + 1)
        self._gone: deque[tuple[int, str]] = deque(maxlen=REMEMBERED)
        for row in store.all():
            self._keep(row, clock() + row["lease_left"])

    # who owns what --------------------------------------------------------------------------------

    def claim(self, wanted: dict[str, Any], held_by: str) -> Region:
        """Take a square for a region of that process; Held when another process's lease is in the way."""
        renewals, ids = self._take_renewals()
        try:
            claimed = self._store.claim(
                wanted, held_by, self.lease_seconds, renewals, self.takeover_seconds - self.lease_seconds
            )
        except Exception:
            self._renewed |= ids
            raise
        for region_id in claimed.displaced:
            self._forget(region_id)
        current = self._regions.get(wanted["region_id"])
        if current is not None and current.epoch > claimed.region["epoch"]:
            raise OldEpoch  # a later claim of the same region overtook this one on the way back
        return self._keep(claimed.region, self._clock() + self.lease_seconds)

    def renew(self, region_id: str, epoch: int) -> Region:
        """A heartbeat: the lease runs on. OldEpoch when the region is unknown or has a newer owner."""
        region = self._held(region_id, epoch)
        region.lease_until = self._clock() + self.lease_seconds
        if not region.seen_live:
            self._changed(region)
        self._renewed.add(region_id)
        return region

    def release(self, region_id: str, epoch: int) -> None:
        """The owner gives the region back. OldEpoch when it is not the owner any more."""
        region = self._held(region_id, epoch)
        self._renewed.discard(region_id)
        region.lease_until = self._clock()
        self._changed(region)
        self._store.release(region_id, epoch)

    def check(self, fence: Fence | None) -> None:
        """OldEpoch unless the fence is that of the region's current claim. None: no region asks."""
        if fence is not None:
            self._held(fence.region_id, fence.epoch)

    def give(self, region_id: str, owner_id: str | None) -> bool:
        """Whose land it is from now on; False if there is no such region."""
        region = self._regions.get(region_id)
        if region is None or not self._store.give(region_id, owner_id):
            return False
        region.owner_id = owner_id
        self._changed(region)
        return True

    def flush(self) -> int:
        """Write the renewals of the last seconds to the rows, in one transaction; how many."""
        renewals, ids = self._take_renewals()
        if renewals:
            try:
                self._store.renew(renewals)
            except Exception:
                self._renewed |= ids
                raise
        return len(renewals)

    def expire(self) -> list[Region]:
        """Note the leases that ended since the last call; whose."""
        now = self._clock()
        ended = [region for region in self._regions.values() if region.seen_live and not region.live(now)]
        for region in ended:
            self._changed(region)
        return ended

    def _held(self, region_id: str, epoch: int) -> Region:
        region = self._regions.get(region_id)
        if region is None or region.epoch != epoch:
            raise OldEpoch
        return region

    def _take_renewals(self) -> tuple[list[Renewal], set[str]]:
        """What heartbeats prolonged since the last write, and those regions' ids."""
        ids, self._renewed = self._renewed, set()
        now = self._clock()
        held = [self._regions[one] for one in ids if one in self._regions]
        return [Renewal(r.region_id, r.epoch, r.lease_until - now) for r in held], ids

    # the picture in memory ------------------------------------------------------------------------

    def _keep(self, row: dict[str, Any], lease_until: float) -> Region:
        region = Region(**{name: row[name] for name in _ROW}, lease_until=lease_until)
        before = self._regions.get(region.region_id)
        if before is not None:
            self._unlist(before)
        self._regions[region.region_id] = region
        self._squares[region.grid_x, region.grid_y] = region
        self._names[region.name.lower()] = region
        self._changed(region)
        if before is not None and (before.grid_x, before.grid_y) != (region.grid_x, region.grid_y):
            self._gone.append((region.version, region.region_id))  # from where it was
        return region

    def _forget(self, region_id: str) -> None:
        region = self._regions.pop(region_id, None)
        if region is not None:
            self._unlist(region)
            self.version = next(self._versions)
            self._gone.append((self.version, region_id))

    def _unlist(self, region: Region) -> None:
        """Take it off its square and name, unless another has them by now."""
        square, name = (region.grid_x, region.grid_y), region.name.lower()
        if self._squares.get(square) is region:
            del self._squares[square]
        if self._names.get(name) is region:
            del self._names[name]

    def _changed(self, region: Region) -> None:
        self.version = region.version = next(self._versions)
        region.seen_live = region.live(self._clock())

    # asking ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._regions)

    def get(self, region_id: str | None) -> Region | None:
        """A region that is or was; its lease may have ended."""
        return self._regions.get(region_id) if region_id is not None else None

    def get_live(self, region_id: str | None) -> Region | None:
        region = self.get(region_id)
        return region if region is not None and region.live(self._clock()) else None

    def at(self, grid_x: int, grid_y: int) -> Region | None:
        return self._squares.get((grid_x, grid_y))

    def called(self, name: str) -> Region | None:
        """The region of that name; case and spaces around do not matter."""
        return self._names.get(" ".join(name.split()).lower())

    def named(self, name: str) -> Region | None:
        """The live region of that name."""
        region = self.called(name)
        return region if region is not None and region.live(self._clock()) else None

    def every(self) -> list[Region]:
        """All regions, row by row."""
        return sorted(self._regions.values(), key=lambda r: (r.grid_y, r.grid_x))

    def live(self) -> list[Region]:
        """Regions that can take people, in the order a newcomer is offered them."""
        now = self._clock()
        return sorted((r for r in self._regions.values() if r.live(now)), key=lambda r: (r.grid_x, r.grid_y))

    def count_live(self) -> int:
        now = self._clock()
        return sum(region.live(now) for region in self._regions.values())

    def is_live(self, region: Region) -> bool:
        return region.live(self._clock())

    def near(self, grid_x: int, grid_y: int, radius: int) -> list[Region]:
        """Regions at most so many squares away in either direction, row by row."""
        side = 2 * radius + 1
        if side * side > len(self._regions):
            return [r for r in self.every() if max(abs(r.grid_x - grid_x), abs(r.grid_y - grid_y)) <= radius]
        rows = range(grid_y - radius, grid_y + radius + 1)
        squares = ((x, y) for y in rows for x in range(grid_x - radius, grid_x + radius + 1))
        return [self._squares[square] for square in squares if square in self._squares]

    def search(self, text: str, most: int) -> list[Region]:
        """Live regions whose name contains the text, by name; those that begin with it first."""
        wanted = " ".join(text.split()).lower()
        found = [region for region in self.live() if wanted in region.name.lower()]
        found.sort(key=lambda r: (not r.name.lower().startswith(wanted), r.name.lower()))
        return found[:most]

    def changes(self, among: list[Region], since: int | None) -> Changes:
        """Of the regions a reader looks at, those that changed after its version; and the ids of all that went from
        where they were."""
        oldest = self._gone[0][0] if len(self._gone) == REMEMBERED else self._first_version
        if since is None or not oldest <= since <= self.version:
            return Changes(self.version, True, among, [])
        here = {region.region_id for region in among}
        went = [region_id for version, region_id in self._gone if version > since and region_id not in here]
        return Changes(self.version, False, [r for r in among if r.version > since], went)
