"""The region directory's rows: who holds which square, by lease and epoch.

A claim is one transaction: expired holders of the square or the name make room, and the row is taken with a new
epoch. While a lease runs nobody but its own process takes the region, whichever region id it asks for; nor for some
time after, in which that process may not know yet that it is not heard (docs/decisions/0023). The
database's clock decides what is expired, so no two machines can disagree. An owner proves itself by its epoch ever
after: each write of a region carries it (`hold`), and the next claim makes it old.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Float, bindparam, delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from backbone.errors import Conflict
from backbone.storage.database import db_now
from backbone.storage.tables import counters, regions
from backbone.storage.upsert import upsert

LEASE_SECONDS = 15.0  # three heartbeats
TAKEOVER_SECONDS = 600.0  # from the last heartbeat until another process may have the region


class Held(Conflict):
    """Another process's lease on the region, its square or its name still runs."""


class OldEpoch(Conflict):
    """Another claim came after the one this caller holds."""

    def __init__(self) -> None:
        super().__init__("another claim holds the region: this epoch is old")


class Fence(NamedTuple):
    """By which claim a region writes: valid until the next one."""

    region_id: str
    epoch: int


class Claimed(NamedTuple):
    region: dict[str, Any]  # the row as it is now
    displaced: list[str]  # ids of regions whose leases had ended and that made room


def claim(
    conn: Connection, wanted: dict[str, Any], held_by: str, lease_seconds: float, grace_seconds: float = 0.0
) -> Claimed:
    """Take the square for a region under a new epoch. Held while another's lease on it, its square or name runs.

    ``grace_seconds``: for how long after its end a lease that was not given back keeps other processes out.
    """
    now = conn.execute(select(db_now())).scalar_one()
    region_id, key = wanted["region_id"], wanted["name"].lower()
    square = (regions.c.grid_x == wanted["grid_x"]) & (regions.c.grid_y == wanted["grid_y"])
    there = conn.execute(
        select(regions).where(or_(regions.c.region_id == region_id, square, regions.c.name_key == key)).with_for_update()
    ).all()
    for row in there:
        mine = row.held_by in (held_by, None)
        free_at = row.lease_until if mine else row.lease_until + grace_seconds
        if free_at > now and not (mine and row.region_id == region_id):
            raise Held(_held_by_another(row, wanted, free_at - now))
    displaced = [row.region_id for row in there if row.region_id != region_id]
    if displaced:
        conn.execute(delete(regions).where(regions.c.region_id.in_(displaced)))
    conn.execute(update(counters).where(counters.c.name == "epoch").values(value=counters.c.value + 1))
    epoch = conn.execute(select(counters.c.value).where(counters.c.name == "epoch")).scalar_one()
    values = {**wanted, "name_key": key, "epoch": epoch, "lease_until": now + lease_seconds, "held_by": held_by}
    try:
        upsert(conn, regions, {"region_id": values.pop("region_id")}, values)
    except IntegrityError as error:
        raise Held(f"another region took square {wanted['grid_x']},{wanted['grid_y']} or the name meanwhile") from error
    row = conn.execute(select(regions).where(regions.c.region_id == region_id)).one()
    return Claimed(dict(row._mapping), displaced)


def _held_by_another(row: Any, wanted: dict[str, Any], seconds: float) -> str:
    if row.region_id == wanted["region_id"]:
        what = f"region {row.name} is held by another process"
    elif row.name_key == wanted["name"].lower():
        what = f"the name {row.name} is held by another region, at {row.grid_x},{row.grid_y}"
    else:
        what = f"square {row.grid_x},{row.grid_y} is held by another region, {row.name}"
    return f"{what}, whose lease runs for {seconds:.0f} s"


def hold(conn: Connection, fence: Fence) -> None:
    """OldEpoch unless that is the region's current epoch; it stays so until this transaction ends."""
    query = select(regions.c.epoch).where(regions.c.region_id == fence.region_id)
    if conn.execute(query.with_for_update(read=True)).scalar() != fence.epoch:
        raise OldEpoch


class Renewal(NamedTuple):
    region_id: str
    epoch: int
    seconds_left: float  # of its lease, now


def renew(conn: Connection, renewals: list[Renewal]) -> None:
    """Prolong leases, each only under the epoch it was renewed by."""
    if not renewals:
        return
    held = (regions.c.region_id == bindparam("held_id"), regions.c.epoch == bindparam("held_epoch"))
    prolong = update(regions).where(*held).values(lease_until=db_now() + bindparam("left", type_=Float))
    conn.execute(prolong, [{"held_id": r.region_id, "held_epoch": r.epoch, "left": r.seconds_left} for r in renewals])


def release(conn: Connection, region_id: str, epoch: int) -> bool:
    """End a lease now; False if the epoch is not the current one. The row stays: people's places name it."""
    held = (regions.c.region_id == region_id, regions.c.epoch == epoch)
    return conn.execute(update(regions).where(*held).values(lease_until=0.0)).rowcount > 0


def give(conn: Connection, region_id: str, owner_id: str | None) -> bool:
    """Whose land it is from now on; None: the grid's owner's. False if there is no such region."""
    return conn.execute(update(regions).where(regions.c.region_id == region_id).values(owner_id=owner_id)).rowcount > 0


def all_regions(conn: Connection) -> list[dict[str, Any]]:
    """Every region with ``lease_left``: seconds its lease still runs by the database's clock, negative if over."""
    query = select(regions, (regions.c.lease_until - db_now()).label("lease_left"))
    return [dict(row._mapping) for row in conn.execute(query)]
