"""The region directory's rows: who owns which square, by lease and epoch.

A claim is one transaction: expired holders of the square or the name make room, and the row is taken with
a new epoch. The unique constraints on square and name decide a race; the database's clock decides what is
expired. An owner proves itself by its epoch ever after; the next claim makes that epoch old.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Float, bindparam, delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from backbone.storage.database import db_now
from backbone.storage.tables import counters, regions
from backbone.storage.upsert import upsert

LEASE_SECONDS = 15.0  # three heartbeats


class Held(Exception):
    """A live region holds the square or the name."""


def claim(conn: Connection, region: dict[str, Any], lease_seconds: float) -> int:
    """Take the square for a region: its new epoch. Held if another region's lease on square or name runs."""
    now = conn.execute(select(db_now())).scalar_one()
    key = region["name"].lower()
    square = (regions.c.grid_x == region["grid_x"]) & (regions.c.grid_y == region["grid_y"])
    other = (regions.c.region_id != region["region_id"]) & or_(square, regions.c.name_key == key)
    conn.execute(delete(regions).where(other, regions.c.lease_until <= now))
    conn.execute(update(counters).where(counters.c.name == "epoch").values(value=counters.c.value + 1))
    epoch = conn.execute(select(counters.c.value).where(counters.c.name == "epoch")).scalar_one()
    values = {**region, "name_key": key, "epoch": epoch, "lease_until": now + lease_seconds}
    try:
        upsert(conn, regions, {"region_id": values.pop("region_id")}, values)
    except IntegrityError as error:
        raise Held(f"another region holds square {region['grid_x']},{region['grid_y']} or the name") from error
    return epoch


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


def all_regions(conn: Connection) -> list[dict[str, Any]]:
    """Every region with ``lease_left``: seconds its lease still runs by the database's clock, negative if over."""
    query = select(regions, (regions.c.lease_until - db_now()).label("lease_left"))
    return [dict(row._mapping) for row in conn.execute(query)]
