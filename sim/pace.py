"""How a region's frames have gone. The frame writes it down; whoever tells of it, or does with less when frames grow long, reads it."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from sim.clock import FRAMES_PER_SECOND, STEP, Clock


class Rates(NamedTuple):
    """A second of frames. What viewers are told is the first: a frame that is made up for when the next one is due already
    was not there when it was needed."""

    on_time: float  # frames run before the next was due
    made_up: float  # frames run later than that
    steps: float  # world steps


class Timing(NamedTuple):
    """One frame that was run."""

    began: float  # real time
    late: float  # seconds
    took: float  # seconds


class Pace:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.number = 0  # of the frame that runs, or is next
        self.due = 0.0  # real time at which the newest frame was due
        self.made_up = 0  # frames that were run when their time was over
        self.steps = 0
        self._timings: deque[Timing] = deque(maxlen=FRAMES_PER_SECOND * 60)
        self._history: deque[tuple[float, int, int, int]] = (
            deque()
        )  # (real time, frames, steps, made up) once a frame, last second

    # --- written by the frame

    def frame_ended(self, began: float, late: float) -> None:
        self._timings.append(Timing(began, late, self._clock.now() - began))

    def stepped(self, now: float, steps: int) -> float | None:
        """So many world steps were run in the frame that began at `now`; the time dilation, once it can be told."""
        self.steps += steps
        self._history.append((now, self.number, self.steps, self.made_up))
        while now - self._history[0][0] > 1.0 and len(self._history) > 2:
            self._history.popleft()
        began, _, before, _ = self._history[0]
        span = now - began
        return min((self.steps - before) * STEP / span, 1.0) if span > 0.2 else None

    def rested(self, frames: int) -> None:
        """So many frames were counted and not run (`rest.py`)."""
        self.number += frames
        self.steps += frames
        self.due += frames * STEP
        if self._history:
            self._history.append((self._history[-1][0] + frames * STEP, self.number - 1, self.steps, self.made_up))

    # --- read

    @property
    def last_frame(self) -> float | None:
        """Real time at which the newest frame began that counts for the rates; None before the first."""
        return self._history[-1][0] if self._history else None

    @property
    def last_took(self) -> float | None:
        """Seconds the newest frame took; None before the first."""
        return self._timings[-1].took if self._timings else None

    def recent(self, seconds: float) -> tuple[list[float], list[float]]:
        """Of the frames run in the last so many seconds, a minute at most: how late each began and how long it took, sorted."""
        since = self._clock.now() - seconds
        timings = [timing for timing in self._timings if timing.began >= since]
        return sorted(timing.late for timing in timings), sorted(timing.took for timing in timings)

    def rates(self) -> Rates:
        """What was run over the last second, as measured."""
        if len(self._history) < 2:
            return Rates(0.0, 0.0, 0.0)
        (t0, f0, s0, m0), (t1, f1, s1, m1) = self._history[0], self._history[-1]
        if t1 <= t0:
            return Rates(0.0, 0.0, 0.0)
        span, made_up = t1 - t0, m1 - m0
        return Rates((f1 - f0 - made_up) / span, made_up / span, (s1 - s0) / span)
