"""The region directory: which regions there are, who runs them, and whether their leases still hold.

The rows in SQL say who owns what (storage/regions.py). In memory is a copy for the reads, whose leases run by
this process's monotonic clock and are renewed by every heartbeat; the rows' leases follow every few
seconds in one write, and before every claim, so that a claim is judged by what is true now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from backbone.storage import regions as rows
from backbone.storage.database import Database


@dataclass(slots=True)
class Region:
    region_id: str
    name: str
    grid_x: int
    grid_y: int
    ip: str
    port: int
    http_url: str
    access: str
    water_height: float
    map_image_id: str
    epoch: int
    lease_until: float  # monotonic seconds

    def live(self, now: float) -> bool:
        return self.lease_until > now

    def public(self, now: float, agents: int) -> dict[str, Any]:
        """REGION as the API shows it."""
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "lease_until"}
        return {**told, "size": 256, "online": self.live(now), "agents": agents}


class OldEpoch(Exception):
    """Another claim came after the one this caller holds."""


class Directory:
    def __init__(self, db: Database, clock: Callable[[], float], lease_seconds: float) -> None:
        self._db = db
        self.lease_seconds = lease_seconds
        self._clock = clock
        self._renewed: set[str] = set()  # regions with heartbeats since the last write
        self.regions: dict[str, Region] = {}
        for row in db.read(rows.all_regions):
            self._keep(row, clock() + row["lease_left"])

    def _keep(self, row: dict[str, Any], lease_until: float) -> Region:
        known = {field.name: row[field.name] for field in fields(Region) if field.name != "lease_until"}
        region = Region(**known, lease_until=lease_until)
        self.regions[region.region_id] = region
        return region

    def claim(self, wanted: dict[str, Any]) -> Region:
        """Take a square for a region; regions.Held when another live one has it or the name."""
        renewals, ids = self._take_renewals()

        def work(conn: Any) -> tuple[int, list[dict[str, Any]]]:
            rows.renew(conn, renewals)
            return rows.claim(conn, wanted, self.lease_seconds), rows.all_regions(conn)

        try:
            epoch, present = self._db.write(work)
        except Exception:
            self._renewed |= ids
            raise
        known = {row["region_id"] for row in present}
        for region_id in [one for one in self.regions if one not in known]:
            del self.regions[region_id]  # expired, and its square is another's now
        current = self.regions.get(wanted["region_id"])
        if current is not None and current.epoch > epoch:
            raise OldEpoch  # a later claim of the same region overtook this one on the way back
        return self._keep({**wanted, "epoch": epoch}, self._clock() + self.lease_seconds)

    def renew(self, region_id: str, epoch: int) -> Region:
        """A heartbeat: the lease runs on. OldEpoch when the region is unknown or has a newer owner."""
        region = self.regions.get(region_id)
        if region is None or region.epoch != epoch:
            raise OldEpoch
        region.lease_until = self._clock() + self.lease_seconds
        self._renewed.add(region_id)
        return region

    def flush(self) -> int:
        """Write the renewals of the last seconds to the rows, in one transaction; how many."""
        renewals, _ = self._take_renewals()
        if renewals:
            self._db.write(lambda conn: rows.renew(conn, renewals))
        return len(renewals)

    def _take_renewals(self) -> tuple[list[rows.Renewal], set[str]]:
        """What heartbeats prolonged since the last write, and those regions' ids."""
        ids, self._renewed = self._renewed, set()
        now = self._clock()
        held = [self.regions[one] for one in ids if one in self.regions]
        return [rows.Renewal(r.region_id, r.epoch, r.lease_until - now) for r in held], ids

    def release(self, region_id: str, epoch: int) -> None:
        """The owner gives the region back. OldEpoch when it is not the owner any more."""
        region = self.regions.get(region_id)
        self._renewed.discard(region_id)
        if region is None or region.epoch != epoch:
            raise OldEpoch
        region.lease_until = self._clock()
        self._db.write(lambda conn: rows.release(conn, region_id, epoch))

    def live(self) -> list[Region]:
        """Regions that can take people, in the order a newcomer is offered them."""
        now = self._clock()
        return sorted((r for r in self.regions.values() if r.live(now)), key=lambda r: (r.grid_x, r.grid_y))

    def get_live(self, region_id: str | None) -> Region | None:
        region = self.regions.get(region_id) if region_id is not None else None
        return region if region is not None and region.live(self._clock()) else None

    def named(self, name: str) -> Region | None:
        """The live region of that name; case does not matter."""
        wanted = " ".join(name.split()).lower()
        return next((r for r in self.live() if r.name.lower() == wanted), None)

    def show(self, region: Region, agents: int) -> dict[str, Any]:
        return region.public(self._clock(), agents)
