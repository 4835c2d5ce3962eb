"""Time: clocks, timers and sleep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

HOUR, DAY = 3600, 86400  # seconds


@ll
def llSleep(script: Script, seconds: float) -> None:
    """Does nothing for so many seconds of world time; events wait in the queue meanwhile."""
    script.sleep(seconds)


@ll
def llSetTimerEvent(script: Script, seconds: float) -> None:
    """Raises `timer` every so many seconds from now on; 0 ends it. It outlives a change of state, not a reset."""
    script.set_timer(seconds)


@ll
def llGetTime(script: Script) -> float:
    """Seconds of world time since the script was reset, or since llResetTime or llGetAndResetTime."""
    return script.now - script.reset_at


@ll
def llGetAndResetTime(script: Script) -> float:
    """Seconds since the last reset of the script's clock, which it sets to zero."""
    passed = script.now - script.reset_at
    script.reset_at = script.now
    return passed


@ll
def llResetTime(script: Script) -> None:
    """Sets the script's clock to zero."""
    script.reset_at = script.now


@ll
def llGetUnixTime(script: Script) -> int:
    """Seconds since 1970, UTC."""
    return int(script.world.unix_time())


@ll
def llGetGMTclock(script: Script) -> float:
    """Whole seconds since midnight, UTC."""
    return float(int(script.world.unix_time()) % DAY)


@ll
def llGetWallclock(script: Script) -> float:
    """Whole seconds since midnight in California, as Second Life's clocks show, summer time included."""
    now = int(script.world.unix_time())
    return float((now + _california(now)) % DAY)


def _california(now: int) -> int:
    """Seconds that California is ahead of UTC: -8 hours, -7 between March's second and November's first Sunday."""
    year = _moment(now).year
    starts = datetime(year, 3, 14 - (datetime(year, 3, 7).weekday() + 1) % 7, 10, tzinfo=UTC)
    ends = datetime(year, 11, 7 - (datetime(year, 11, 7).weekday() + 1) % 7, 9, tzinfo=UTC)
    return -7 * HOUR if starts <= _moment(now) < ends else -8 * HOUR


def _moment(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@ll(lacks="takes the default day of four hours for every parcel")
def llGetTimeOfDay(script: Script) -> float:
    """Seconds since midnight of the region's own day, which has four hours."""
    return script.world.unix_time() % (4 * HOUR)


@ll(lacks="takes the default day of four hours for every region")
def llGetRegionTimeOfDay(script: Script) -> float:
    """Seconds since midnight of the region's own day, which has four hours."""
    return script.world.unix_time() % (4 * HOUR)


@ll
def llGetTimestamp(script: Script) -> str:
    """Now as "YYYY-MM-DDThh:mm:ss.ffffffZ", UTC."""
    return _moment(script.world.unix_time()).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@ll
def llGetDate(script: Script) -> str:
    """Today as "YYYY-MM-DD", UTC."""
    return _moment(script.world.unix_time()).strftime("%Y-%m-%d")


@ll
def llMinEventDelay(script: Script, seconds: float) -> None:
    """Queues at most one event in so many seconds; those between are lost."""
    script.event_gap = max(seconds, 0.0)
    script.next_event_at = script.now + script.event_gap
