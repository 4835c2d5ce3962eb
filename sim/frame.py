"""The frame: 45 times a second, these stages in this order. Read this file first.

    receive     datagrams -> circuits -> handlers -> world
    timers      what was put off until now
    step        the world moves on by 1/45 s, as often as the budget allows (`Frame.step`)
    borders     people and things that are outside of the region now go to the next one
    scripts     one slice for all that want to run
    store       what changed is encoded and given to the thread that writes it
    interest    what changed -> who must hear -> messages
    keep        acks, resends, pings, time-outs, throttled queues
    flush       datagrams out, in one batch

Between frames the same thread serves HTTP, neighbours and services on asyncio; a kernel timer in the same loop says when
the next frame is due (`clock.Metronome`). Frames that would find nothing to do are counted, not run (`rest.py`).

The outer frame keeps its 45 a second even when the world cannot: a frame that has no budget left for a world step runs
without one, so that viewers are heard and answered on time while the world slows. World time passed over real time
passed is the time dilation, measured over the last second and never scaled.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from sim.clock import FRAMES_PER_SECOND, STEP, Metronome
from sim.physics.avatars import note_motions

if TYPE_CHECKING:
    from sim.simulator import Simulator

log = logging.getLogger(__name__)

# Missed frames are made up for, but not more than a second of them.
CATCH_UP = 45
GIVE_UP = 1.0  # seconds of lateness after which the beat is counted from now
SLOW_FRAME = 0.05
# Seconds between garbage collections: of what is new; of everything, while nobody is here; of everything in any case. The
# last stops a region with a thousand people for a third of a second.
COLLECT, COLLECT_ALL_QUIET, COLLECT_ALL = 10.0, 60.0, 3600.0


class Rates(NamedTuple):
    """A second of frames. What viewers are told is the first: a frame that is made up for when the next one is due already
    was not there when it was needed."""

    on_time: float  # frames run before the next was due
    made_up: float  # frames run later than that
    steps: float  # world steps


class Frame:
    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.clock = sim.clock
        self.running = True
        self._ended: asyncio.Future[None] | None = None
        self._behind = 0  # frames due and not run yet
        self._due = 0.0  # real time at which the newest of them was due
        self._collect_at = self._collect_all_at = 0.0
        self.number = 0
        self.timings: deque[tuple[float, float, float]] = deque(maxlen=45 * 60)  # began, seconds late, seconds taken
        self.stages: dict[str, float] = {}  # seconds each stage of the last frame took
        self._debt = 0.0  # world time owed, seconds
        self._credit = STEP  # real time the world may still use: earned by time passing, spent by steps
        self._history: deque[tuple[float, int, int, int]] = deque()  # (real time, frames, steps, made up) once a frame, last second
        self._made_up = 0  # frames that were run when their time was over
        self._steps = 0
        self._last = 0.0
        self._tell_at = 0.0  # real time from which another slow frame is logged
        self._untold = 0

    async def run(self) -> None:
        """Frames until `stop`."""
        self._ended = asyncio.get_running_loop().create_future()
        metronome = Metronome(self._beat)
        self._due = self.clock.now()
        self.sim.rest.begin(metronome)
        try:
            await self._ended
        finally:
            self.sim.rest.end()
            metronome.close()

    def stop(self) -> None:
        self.running = False
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _beat(self, beats: int) -> None:
        """So many frames fell due. One runs now; those missed follow one by one, HTTP having its turn in between."""
        beats -= self.sim.rest.taken(beats)
        waiting = self._behind > 0
        self._behind = min(self._behind + beats, CATCH_UP)
        now = self.clock.now()
        self._due += beats * STEP
        if abs(now - self._due) > GIVE_UP:  # the machine slept, or the loop was held up: begin counting anew
            self._due = now
        if not waiting:
            self._run_due()

    def _run_due(self) -> None:
        if not self.running:
            return
        start = self.clock.now()
        late = max(start - self._due + (self._behind - 1) * STEP, 0.0)
        if late > 0.001:
            self.sim.metrics.plain["frames_late"] += 1
        if self._behind > 1:
            self.sim.metrics.plain["frames_made_up"] += 1
            self._made_up += 1
        self.once(start)
        self.timings.append((start, late, self.clock.now() - start))
        self._behind -= 1
        if self._behind > 0:
            asyncio.get_running_loop().call_soon(self._run_due)
            return
        if start > self._collect_at:
            # Never in the middle of a frame that is late already; what survived start-up is frozen and costs nothing.
            self._collect_at = start + COLLECT
            whole = start > self._collect_all_at and (
                self.sim.circuits.quiet or start > self._collect_all_at + COLLECT_ALL
            )
            gc.collect(2 if whole else 1)
            if whole:
                self._collect_all_at = start + COLLECT_ALL_QUIET
        self.sim.rest.consider()

    def once(self, now: float) -> None:
        """One frame. Also what tests call, with a manual clock."""
        sim = self.sim
        self._last = now
        self.stages.clear()
        self._stage("receive", sim.circuits.receive)
        self._stage("timers", sim.region.tasks.run_timers)
        self._stage("step", lambda: self._run_steps(now))
        self._stage("borders", sim.neighbours.borders.run)
        self._stage("scripts", sim.scripts.run)
        self._stage("store", sim.storage.run)
        if sim.circuits.quiet and self.number % FRAMES_PER_SECOND:
            # Nobody looks: there is no one to tell, to keep or to send to. Marks are cleared once a second.
            self._count(now)
            return
        self._stage("interest", sim.interest.update)
        self._stage("keep", sim.circuits.keep)
        self._stage("flush", sim.circuits.flush)
        self._count(now)

    def _count(self, now: float) -> None:
        self.number += 1
        self.sim.metrics.plain["frames"] += 1
        total = self._last - now
        if total > SLOW_FRAME:
            self._note_slow(total)

    def _note_slow(self, total: float) -> None:
        """Say which stage a slow frame spent its time in, once a second: in a region in trouble they all are slow."""
        slowest = max(self.stages, key=self.stages.__getitem__)
        self.sim.metrics.count("slow_frames", label=slowest)
        self._untold += 1
        if self._last < self._tell_at:
            return
        more = f"; {self._untold} since the last of these lines" if self._untold > 1 else ""
        took = self.stages[slowest] * 1e3
        log.warning("slow frame: %.0f ms, %.0f of them in %s%s", total * 1e3, took, slowest, more)
        self._tell_at, self._untold = self._last + 1.0, 0

    def _stage(self, name: str, run: Callable[[], None]) -> None:
        """Run and time one stage. A bug in it is logged and counted; the region and everyone in it live on."""
        try:
            run()
        except Exception as error:
            self.sim.region.aside.failed("stage", name, error)
        now = self.clock.now()
        self.stages[name] = now - self._last
        self.sim.metrics.stage_seconds[name] += now - self._last
        self._last = now

    # --- world time

    def _run_steps(self, now: float) -> None:
        """As many world steps as are owed and affordable.

        What is owed grows with real time. What may be spent grows by one frame's length a frame, late or not: steps
        that cost more than that are left out now and then, and the frames keep their rate.
        """
        elapsed = now - self._history[-1][0] if self._history else STEP
        self._debt = min(self._debt + elapsed, 2 * STEP)
        self._credit = min(self._credit + STEP, STEP)
        steps = 0
        while self._debt >= STEP * 0.999 and self._credit > 0 and steps < 2:
            began = self.clock.now()
            self.step()
            self._credit -= self.clock.now() - began
            self._debt -= STEP
            steps += 1
        self._debt = max(self._debt, 0.0)
        self._steps += steps
        self.sim.metrics.plain["steps"] += steps
        self._history.append((now, self.number, self._steps, self._made_up))
        while now - self._history[0][0] > 1.0 and len(self._history) > 2:
            self._history.popleft()
        first = self._history[0]
        if now - first[0] > 0.2:
            span = now - first[0]
            self.sim.world.dilation = min((self._steps - first[2]) * STEP / span, 1.0)

    def rested(self, frames: int) -> None:
        """So many frames were due in which nothing could happen, the last of them just now or within a beat."""
        plain = self.sim.metrics.plain
        for name in ("frames", "frames_rested", "steps"):
            plain[name] += frames
        for _ in range(frames):  # one by one, as steps do it: a sum has other roundings
            self.sim.world.time += STEP
        self.number += frames
        self._steps += frames
        self._due += frames * STEP
        if self._history:
            self._history.append((self._history[-1][0] + frames * STEP, self.number - 1, self._steps, self._made_up))

    def step(self) -> None:
        """Move the world on by 1/45 s of its own time. Nobody is told of anything, and nobody leaves the region, in a step."""
        world, bodies, now = self.sim.world, self.sim.bodies, self.clock.now
        world.time += STEP
        began = now()
        # Keys that scripts have taken move nobody; who walks to a place by itself is turned there, and goes.
        with self.sim.scripts.controls.hidden(), self.sim.autopilot.steering():
            bodies.step(STEP)  # of changed objects made anew; then all bodies and avatars move, in one call of the engine
        moved = now()
        bodies.place_objects()  # objects lie where their bodies are now
        self.sim.seating.follow()  # riders go with their seats; who pressed the key, or whose seat is gone, stands up
        note_motions(world)  # who moves in another way now plays another animation
        told = now()
        bodies.solids.step()  # meshes and sculpts whose solid was found get it
        for part, seconds in (("bodies", moved - began), ("after", told - moved), ("shapes", now() - told)):
            self.sim.metrics.count("physics_seconds", seconds, part)

    def recent(self, seconds: float) -> tuple[list[float], list[float]]:
        """Of the frames run in the last so many seconds, a minute at most: how late each began and how long it took, sorted."""
        since = self.clock.now() - seconds
        timings = [timing for timing in self.timings if timing[0] >= since]
        return sorted(late for _, late, _ in timings), sorted(took for _, _, took in timings)

    def rates(self) -> Rates:
        """What was run over the last second, as measured."""
        if len(self._history) < 2:
            return Rates(0.0, 0.0, 0.0)
        (t0, f0, s0, m0), (t1, f1, s1, m1) = self._history[0], self._history[-1]
        if t1 <= t0:
            return Rates(0.0, 0.0, 0.0)
        span, made_up = t1 - t0, m1 - m0
        return Rates((f1 - f0 - made_up) / span, made_up / span, (s1 - s0) / span)
