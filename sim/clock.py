"""The only place that reads a clock.

Three times, kept apart (see docs/architecture.md):

* **real time**: monotonic seconds; what frames, timeouts and resends are measured in;
* **unix time**: what viewers and records show to people;
* **world time**: advances in fixed steps of 1/45 s, as many as the budget allows. World time passed over real
  time passed is the time dilation. It lives in `frame.py`; here is only the length of its step.

Everything else in the sim gets a `Clock` handed to it, so that tests drive a `ManualClock`.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import sys
import time
from collections.abc import Callable
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


class Metronome:
    """Calls `beat` on the loop 45 times a second, with how many beats have fallen due since the last call.

    On Linux a timerfd: the kernel keeps the period exactly, one wake-up serves timer and sockets alike (half the cost of
    an asyncio sleep and a blocking one). Elsewhere the loop's own timers, which may be a millisecond late. Either way the
    beats are counted from one beginning, so that none is lost, told twice or shifted, however late a call comes.
    """

    def __init__(self, beat: Callable[[int], None], per_second: int = FRAMES_PER_SECOND) -> None:
        self._beat = beat
        self._period = round(1e9 / per_second)  # nanoseconds
        self._loop = asyncio.get_running_loop()
        self._fd = -1
        self._handle: asyncio.TimerHandle | None = None
        self._began = time.monotonic_ns()
        self._told = 0
        if sys.platform == "linux":
            self._open_timerfd()
        self._arm(1)

    def rest(self, beats: int) -> None:
        """The next call comes after so many beats, and tells of them all."""
        self._arm(self._told + beats)

    def wake(self, most: int) -> int:
        """Every beat is told again from the next one on. How many have fallen due, at most `most`; `beat` will not hear of
        those."""
        due = self._due(most)
        self._arm(self._told + 1)
        return due

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        if self._handle is not None:
            self._handle.cancel()

    def _due(self, most: int = sys.maxsize) -> int:
        """Beats that nobody was told of yet; they count as told."""
        due = min((time.monotonic_ns() - self._began) // self._period - self._told, most)
        self._told += due
        return due

    def _open_timerfd(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        monotonic, nonblocking, close_on_exec = 1, 0o4000, 0o2000000
        self._fd = self._libc.timerfd_create(monotonic, nonblocking | close_on_exec)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "no timerfd")
        self._loop.add_reader(self._fd, self._on_readable)

    def _arm(self, number: int) -> None:
        """Be called when that beat falls due, and with every one after it."""
        at = self._began + number * self._period
        if self._fd < 0:
            if self._handle is not None:
                self._handle.cancel()
            self._handle = self._loop.call_later((at - time.monotonic_ns()) / 1e9, self._on_timer)
            return
        # struct itimerspec: interval and first expiry, seconds and nanoseconds each.
        spec = ctypes.create_string_buffer(struct.pack("qqqq", *divmod(self._period, 10**9), *divmod(at, 10**9)))
        absolute = 1
        if self._libc.timerfd_settime(self._fd, absolute, spec, None) != 0:
            raise OSError(ctypes.get_errno(), "no timerfd")

    def _on_readable(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        due = self._due()
        if due:
            self._beat(due)

    def _on_timer(self) -> None:
        due = self._due()
        self._arm(self._told + 1)
        if due:
            self._beat(due)
