"""The region and its land: where it lies, ground and water, sun, parcels.

Source of all: the functions' pages on the LSL wiki. Offsets are taken from the prim's own place.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from protocol.wellknown import NULL
from sim.scripts.language.values import NULL_KEY, Item, Key, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.things import finite, key_of, place, prim_of, region_of

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.world import Parcel

DAY = 4 * 3600.0  # seconds of the region's own day
# PARCEL_DETAILS_*
(NAME, DESC, OWNER, GROUP, AREA, ID, SEE_AVATARS, CAPACITY, USED, LANDING, LOOK_AT, ROUTING, FLAGS, DANGER) = range(14)


def _spot(script: Script, offset: Vector) -> tuple[float, float]:
    here = place(script, prim_of(script))[0]
    return finite(here.x + offset.x, 0.0, 256.0), finite(here.y + offset.y, 0.0, 256.0)


@ll
def llGround(script: Script, offset: Vector) -> float:
    """The height of the ground below the prim's place and an offset, in metres."""
    return region_of(script).world.terrain.height(*_spot(script, offset))


@ll
def llGroundNormal(script: Script, offset: Vector) -> Vector:
    """The direction straight up from the ground below the prim's place and an offset, of length 1."""
    return Vector(*region_of(script).world.terrain.normal(*_spot(script, offset)))


@ll
def llGroundSlope(script: Script, offset: Vector) -> Vector:
    """The direction in which the ground falls, below the prim's place and an offset, of length 1; zero where it is flat."""
    x, y, z = region_of(script).world.terrain.normal(*_spot(script, offset))
    flat = x * x + y * y
    if flat < 1e-12:
        return Vector(0.0, 0.0, 0.0)
    length = math.sqrt(flat * z * z + flat * flat)
    return Vector(x * z / length, y * z / length, -flat / length)


@ll
def llGroundContour(script: Script, offset: Vector) -> Vector:
    """The direction along which the ground stays level, below the prim's place and an offset; zero where it is flat."""
    x, y, _ = region_of(script).world.terrain.normal(*_spot(script, offset))
    flat = math.hypot(x, y)
    return Vector(-y / flat, x / flat, 0.0) if flat > 1e-6 else Vector(0.0, 0.0, 0.0)


@ll
def llWater(script: Script, offset: Vector) -> float:
    """The height of the water, in metres; the offset does not matter."""
    return region_of(script).facts.water_height


@ll(lacks="there is no weather: the air is still")
def llWind(script: Script, offset: Vector) -> Vector:
    """The wind at the prim's place and an offset, in metres a second."""
    return Vector(0.0, 0.0, 0.0)


@ll
def llCloud(script: Script, offset: Vector) -> float:
    """How dense the clouds are: always 0, as in Second Life."""
    return 0.0


@ll
def llEdgeOfWorld(script: Script, pos: Vector, dir: Vector) -> int:
    """TRUE if there is no region where the line from a place in this one into a direction leaves it."""
    x, y = finite(pos.x, 0.0, 256.0), finite(pos.y, 0.0, 256.0)
    dx, dy = finite(dir.x, -1e6, 1e6), finite(dir.y, -1e6, 1e6)
    if dx == 0 and dy == 0:
        return True
    over_x = ((256.0 - x) / dx if dx > 0 else -x / dx) if dx else math.inf
    over_y = ((256.0 - y) / dy if dy > 0 else -y / dy) if dy else math.inf
    first = min(over_x, over_y)
    step_x = (1 if dx > 0 else -1) if over_x <= first + 1e-9 else 0
    step_y = (1 if dy > 0 else -1) if over_y <= first + 1e-9 else 0
    return not region_of(script).world.open_sides[step_y + 1, step_x + 1]


@ll(lacks="the same everywhere: half a day from east to west, at the region's own time")
def llGetSunDirection(script: Script) -> Vector:
    """Where the sun stands, of length 1: up at noon of the region's day of four hours."""
    angle = (script.world.unix_time() % DAY) / DAY * math.tau
    return Vector(math.sin(angle), 0.0, -math.cos(angle))


@ll
def llGetRegionCorner(script: Script) -> Vector:
    """The south-west corner of the region in the grid, in metres."""
    x, y = region_of(script).facts.corner
    return Vector(float(x), float(y), 0.0)


@ll
def llGetRegionFlags(script: Script) -> int:
    """The region's flags, REGION_FLAG_*."""
    return region_of(script).facts.flags


@ll
def llGetRegionFPS(script: Script) -> float:
    """Frames a second of the region: 45 when it keeps up."""
    return 45.0 * script.world.time_dilation(script)


@ll
def llGetLandOwnerAt(script: Script, pos: Vector) -> Key:
    """The owner of the parcel at a place in the region; NULL_KEY outside of it."""
    x, y, _ = pos
    if not (0.0 <= x < 256.0 and 0.0 <= y < 256.0):
        return NULL_KEY
    return key_of(region_of(script).world.parcel_at(x, y).owner_id)


@ll
def llGetParcelDetails(script: Script, pos: Vector, params: list[Item]) -> list[Item]:
    """What is asked, PARCEL_DETAILS_*, of the parcel at a place in the region; empty outside of it."""
    x, y, _ = pos
    if not (0.0 <= x < 256.0 and 0.0 <= y < 256.0):
        return []
    parcel = region_of(script).world.parcel_at(x, y)
    region = region_of(script)
    facts: dict[int, Item] = {
        NAME: parcel.name, DESC: parcel.description, OWNER: key_of(parcel.owner_id), GROUP: NULL_KEY, AREA: parcel.area,
        ID: key_of(parcel.parcel_id), SEE_AVATARS: 1, LANDING: Vector(*parcel.landing_position), LOOK_AT: Vector(*parcel.landing_look_at),
        ROUTING: parcel.landing_type, FLAGS: parcel.flags if parcel.flags < 1 << 31 else parcel.flags - (1 << 32),
        DANGER: int(danger(script, parcel)),
    }  # fmt: skip
    if CAPACITY in params or USED in params:
        from sim.actions.may import most_prims, prims_on

        facts |= {CAPACITY: most_prims(region, parcel), USED: prims_on(region, parcel)}
        script.spend(len(region.world.objects))
    return [facts[one] for one in params if isinstance(one, int) and one in facts]


ALLOW_SCRIPTS, SANDBOX = 0x2, 0x100  # ParcelFlags, RegionFlags


def danger(script: Script, parcel: Parcel) -> bool:
    """Whether a script of the object's owner may not run on a parcel, or not build there."""
    if parcel.owner_id == NULL:
        return True
    mine = prim_of(script).owner_id in (parcel.owner_id, region_of(script).facts.owner_id)
    return bool(region_of(script).facts.flags & SANDBOX) or (not mine and not parcel.flags & ALLOW_SCRIPTS)


@ll
def llScriptDanger(script: Script, pos: Vector) -> int:
    """TRUE over land of nobody, in a sandbox, and where other people's scripts do not run."""
    x, y, _ = pos
    inside = 0.0 <= x < 256.0 and 0.0 <= y < 256.0
    return danger(script, region_of(script).world.parcel_at(x, y)) if inside else True


@ll
def llGetParcelFlags(script: Script, pos: Vector) -> int:
    """The flags, PARCEL_FLAG_*, of the parcel at a place in the region; 0 outside of it."""
    x, y, _ = pos
    inside = 0.0 <= x < 256.0 and 0.0 <= y < 256.0
    return region_of(script).world.parcel_at(x, y).flags if inside else 0
