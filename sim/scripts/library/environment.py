"""Sun, moon and day, of the parcel and of the region, which have the same sky here.

Source of all: the functions' pages on the LSL wiki. The day is the one that viewers are told (`caps/environment.py`): four hours, sun
and moon opposite each other, the sun in the east at a quarter of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sim.scripts.language.values import Item, Key, Rotation, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.regions import llGetSunDirection

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

DAY_LENGTH, DAY_OFFSET = 14400, 57600  # seconds
NOT_EXPERIENCE, NO_PERMISSIONS = -1, -9  # ENV_*
SAME = "the same everywhere: the grid has one sky"
FIXED = "the grid has one sky, which is not for changing: always ENV_NO_PERMISSIONS"
EXPERIENCE = "there are no experiences: always ENV_NOT_EXPERIENCE"


def _turn(direction: Vector) -> Rotation:
    """The rotation that turns the x axis there, about the y axis: as viewers are told sun and moon."""
    angle = math.atan2(direction.z, direction.x)
    return Rotation(0.0, -math.sin(angle / 2), 0.0, math.cos(angle / 2))


def _moon(script: Script) -> Vector:
    x, y, z = llGetSunDirection(script)
    return Vector(-x, -y, -z)


@ll(lacks=SAME)
def llGetSunRotation(script: Script) -> Rotation:
    """How the sun over the parcel is turned: its x axis points at it."""
    return _turn(llGetSunDirection(script))


@ll(lacks=SAME)
def llGetMoonDirection(script: Script) -> Vector:
    """Where the moon over the parcel stands, of length 1: opposite the sun."""
    return _moon(script)


@ll(lacks=SAME)
def llGetMoonRotation(script: Script) -> Rotation:
    """How the moon over the parcel is turned: its x axis points at it."""
    return _turn(_moon(script))


@ll(lacks=SAME)
def llGetRegionSunDirection(script: Script) -> Vector:
    """Where the sun over the region stands, of length 1."""
    return llGetSunDirection(script)


@ll(lacks=SAME)
def llGetRegionSunRotation(script: Script) -> Rotation:
    """How the sun over the region is turned: its x axis points at it."""
    return _turn(llGetSunDirection(script))


@ll(lacks=SAME)
def llGetRegionMoonDirection(script: Script) -> Vector:
    """Where the moon over the region stands, of length 1."""
    return _moon(script)


@ll(lacks=SAME)
def llGetRegionMoonRotation(script: Script) -> Rotation:
    """How the moon over the region is turned: its x axis points at it."""
    return _turn(_moon(script))


@ll(lacks=SAME)
def llGetDayLength(script: Script) -> int:
    """How long a day over the parcel is, in seconds."""
    return DAY_LENGTH


@ll(lacks=SAME)
def llGetDayOffset(script: Script) -> int:
    """How far the day over the parcel is behind UTC, in seconds."""
    return DAY_OFFSET


@ll(lacks=SAME)
def llGetRegionDayLength(script: Script) -> int:
    """How long a day of the region is, in seconds."""
    return DAY_LENGTH


@ll(lacks=SAME)
def llGetRegionDayOffset(script: Script) -> int:
    """How far the day of the region is behind UTC, in seconds."""
    return DAY_OFFSET


@ll(lacks=FIXED)
def llReplaceEnvironment(script: Script, position: Vector, environment: str, track_no: int, day_length: int, day_offset: int) -> int:
    """Gives a parcel, or with <-1, -1, -1> the region, another sky of settings. 1, or an ENV_* error."""
    return NO_PERMISSIONS


@ll(lacks=FIXED)
def llSetEnvironment(script: Script, position: Vector, params: list[Item]) -> int:
    """Changes the sky of a parcel, or with <-1, -1, z> of the region, by SKY_* and WATER_*. 1, or an ENV_* error."""
    return NO_PERMISSIONS


@ll(lacks=EXPERIENCE)
def llReplaceAgentEnvironment(script: Script, agent_id: Key, transition: float, environment: str) -> int:
    """Gives somebody who takes part in the script's experience another sky. 1, or an ENV_* error."""
    return NOT_EXPERIENCE


@ll(lacks=EXPERIENCE)
def llSetAgentEnvironment(script: Script, agent_id: Key, transition: float, params: list[Item]) -> int:
    """Changes the sky for somebody who takes part in the script's experience. 1, or an ENV_* error."""
    return NOT_EXPERIENCE
