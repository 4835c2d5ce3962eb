"""Time: clocks, timers and sleep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script


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
    """Seconds since midnight, UTC."""
    return script.world.unix_time() % 86400.0


@ll
def llGetWallclock(script: Script) -> float:
    """Seconds since midnight in California, as Second Life's clocks show, without summer time."""
    return (script.world.unix_time() - 8 * 3600) % 86400.0


@ll
def llGetTimestamp(script: Script) -> str:
    """Now as "YYYY-MM-DDThh:mm:ss.ffffffZ", UTC."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=script.world.unix_time())
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@ll
def llGetDate(script: Script) -> str:
    """Today as "YYYY-MM-DD", UTC."""
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=script.world.unix_time())  # noqa: UP017
    return moment.strftime("%Y-%m-%d")


@ll
def llMinEventDelay(script: Script, seconds: float) -> None:
    """Queues at most one event in so many seconds; those between are lost."""
    script.event_gap = max(seconds, 0.0)
    script.next_event_at = script.now + script.event_gap
