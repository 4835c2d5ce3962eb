"""The only place that reads a clock.

Three times, kept apart (see docs/architecture.md):

* **real time**: monotonic seconds; what frames, timeouts and resends are measured in;
* **unix time**: what viewers and records show to people;
* **world time**: advances in fixed steps of 1/45 s, as many as the budget allows. World time passed over real
  time passed is the time dilation. It lives in `frame.py`; here is only the length of its step.

Everything else in the sim gets a `Clock` handed to it, so that tests drive a `ManualClock`.
"""

from __future__ import annotations

import time
from typing import Protocol

FRAMES_PER_SECOND = 45
STEP = 1.0 / FRAMES_PER_SECOND  # seconds of world time a physics step moves


class Clock(Protocol):
    def now(self) -> float:
        """Real time: monotonic seconds from an arbitrary origin."""

    def unix(self) -> float:
        """Seconds since 1970, UTC."""

    def cpu(self) -> float:
        """Seconds of processor time this thread has used."""

    def sleep(self, seconds: float) -> None:
        """Block the thread; the frame uses it for the last millisecond only."""


class SystemClock:
    """The machine's clocks. `now` starts near 1000 so that code which assumes 0 shows itself at once."""

    def __init__(self) -> None:
        self._origin = time.perf_counter() - 1000.0

    def now(self) -> float:
        return time.perf_counter() - self._origin

    def unix(self) -> float:
        return time.time()

    def cpu(self) -> float:
        return time.thread_time()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


class ManualClock:
    """A clock that moves only when told to. Sleeping moves it."""

    def __init__(self, now: float = 1000.0, unix: float = 1_700_000_000.0) -> None:
        self._now = now
        self._unix = unix

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._unix += seconds

    def now(self) -> float:
        return self._now

    def unix(self) -> float:
        return self._unix

    def cpu(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.advance(max(seconds, 0.0))
