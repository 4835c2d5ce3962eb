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
from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.clock import FRAMES_PER_SECOND, STEP, Metronome
from sim.physics.avatars import note_motions

if TYPE_CHECKING:
    from sim.actions.sit import Seating
    from sim.circuits.circuits import Circuits
    from sim.interest.interest import Interest
    from sim.neighbours.borders import Borders
    from sim.pace import Pace
    from sim.physics.autopilot import Autopilot
    from sim.physics.bodies import Bodies
    from sim.region import Region
    from sim.rest import Rest
    from sim.scripts.inworld import Scripts
    from sim.storage.keeping import Storage

log = logging.getLogger(__name__)

# Missed frames are made up for, but not more than a second of them.
CATCH_UP = 45
GIVE_UP = 1.0  # seconds of lateness after which the beat is counted from now
SLOW_FRAME = 0.05
# Seconds between garbage collections: of what is new; of everything, while nobody is here; of everything in any case. The
# last stops a region with a thousand people for a third of a second.
COLLECT, COLLECT_ALL_QUIET, COLLECT_ALL = 10.0, 60.0, 3600.0


class Frame:
    """Its parts are the stages', in the order in which they run."""

    def __init__(
        self, region: Region, pace: Pace, rest: Rest, *, circuits: Circuits, bodies: Bodies, autopilot: Autopilot,
        seating: Seating, borders: Borders, scripts: Scripts, storage: Storage, interest: Interest,
    ) -> None:  # fmt: skip
        self.region, self.pace, self.rest = region, pace, rest
        self.circuits, self.bodies, self.autopilot = circuits, bodies, autopilot
        self.seating, self.borders = seating, borders
        self.scripts, self.storage, self.interest = scripts, storage, interest
        self.clock = region.clock
        self.metrics = region.metrics
        self.running = True
        self._ended: asyncio.Future[None] | None = None
        self._behind = 0  # frames due and not run yet
        self._collect_at = self._collect_all_at = 0.0
        self.stages: dict[str, float] = {}  # seconds each stage of the last frame took
        self._debt = 0.0  # world time owed, seconds
        self._credit = STEP  # real time the world may still use: earned by time passing, spent by steps
        self._last = 0.0
        self._tell_at = 0.0  # real time from which another slow frame is logged
        self._untold = 0

    async def run(self) -> None:
        """Frames until `stop`."""
        self._ended = asyncio.get_running_loop().create_future()
        metronome = Metronome(self._beat)
        self.pace.due = self.clock.now()
        self.rest.begin(metronome)
        try:
            await self._ended
        finally:
            self.rest.end()
            metronome.close()

    def stop(self) -> None:
        self.running = False
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _beat(self, beats: int) -> None:
        """So many frames fell due. One runs now; those missed follow one by one, HTTP having its turn in between."""
        beats -= self.rest.taken(beats)
        waiting = self._behind > 0
        self._behind = min(self._behind + beats, CATCH_UP)
        now = self.clock.now()
        self.pace.due += beats * STEP
        if abs(now - self.pace.due) > GIVE_UP:  # the machine slept, or the loop was held up: begin counting anew
            self.pace.due = now
        if not waiting:
            self._run_due()

    def _run_due(self) -> None:
        if not self.running:
            return
        start = self.clock.now()
        late = max(start - self.pace.due + (self._behind - 1) * STEP, 0.0)
        if late > 0.001:
            self.metrics.plain["frames_late"] += 1
        if self._behind > 1:
            self.metrics.plain["frames_made_up"] += 1
            self.pace.made_up += 1
        self.once(start)
        self.pace.frame_ended(start, late)
        self._behind -= 1
        if self._behind > 0:
            asyncio.get_running_loop().call_soon(self._run_due)
            return
        if start > self._collect_at:
            # Never in the middle of a frame that is late already; what survived start-up is frozen and costs nothing.
            self._collect_at = start + COLLECT
            whole = start > self._collect_all_at and (self.circuits.quiet or start > self._collect_all_at + COLLECT_ALL)
            gc.collect(2 if whole else 1)
            if whole:
                self._collect_all_at = start + COLLECT_ALL_QUIET
        self.rest.consider()

    def once(self, now: float) -> None:
        """One frame. Also what tests call, with a manual clock."""
        self._last = now
        self.stages.clear()
        self._stage("receive", self.circuits.receive)
        self._stage("timers", self.region.tasks.run_timers)
        self._stage("step", lambda: self._run_steps(now))
        self._stage("borders", self.borders.run)
        self._stage("scripts", self.scripts.run)
        self._stage("store", self.storage.run)
        if self.circuits.quiet and self.pace.number % FRAMES_PER_SECOND:
            # Nobody looks: there is no one to tell, to keep or to send to. Changes are read once a second.
            self._count(now)
            return
        self._stage("interest", self.interest.update)
        self._stage("keep", self.circuits.keep)
        self._stage("flush", self.circuits.flush)
        self._count(now)

    def _count(self, now: float) -> None:
        self.pace.number += 1
        self.metrics.plain["frames"] += 1
        total = self._last - now
        if total > SLOW_FRAME:
            self._note_slow(total)

    def _note_slow(self, total: float) -> None:
        """Say which stage a slow frame spent its time in, once a second: in a region in trouble they all are slow."""
        slowest = max(self.stages, key=self.stages.__getitem__)
        self.metrics.count("slow_frames", label=slowest)
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
            self.region.aside.failed("stage", name, error)
        now = self.clock.now()
        self.stages[name] = now - self._last
        self.metrics.stage_seconds[name] += now - self._last
        self._last = now

    # --- world time

    def _run_steps(self, now: float) -> None:
        """As many world steps as are owed and affordable.

        What is owed grows with real time. What may be spent grows by one frame's length a frame, late or not: steps
        that cost more than that are left out now and then, and the frames keep their rate.
        """
        last = self.pace.last_frame
        elapsed = now - last if last is not None else STEP
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
        self.metrics.plain["steps"] += steps
        dilation = self.pace.stepped(now, steps)
        if dilation is not None:
            self.region.world.dilation = dilation

    def step(self) -> None:
        """Move the world on by 1/45 s of its own time. Nobody is told of anything, and nobody leaves the region, in a step."""
        world, bodies, now = self.region.world, self.bodies, self.clock.now
        world.time += STEP
        began = now()
        self.scripts.rooms.begin_step(STEP)  # keyframes that are over lead to the next
        # Keys that scripts have taken move nobody; who walks to a place by itself is turned there, and goes.
        with self.scripts.controls.hidden(), self.autopilot.steering():
            bodies.step(STEP)  # of changed objects made anew; then all bodies and avatars move, in one call of the engine
        moved = now()
        bodies.place_objects()  # objects lie where their bodies are now
        self.scripts.rooms.end_step()  # scripts hear what touched
        self.seating.follow()  # riders go with their seats; who pressed the key, or whose seat is gone, stands up
        note_motions(world)  # who moves in another way now plays another animation
        told = now()
        bodies.solids.step()  # meshes and sculpts whose solid was found get it
        for part, seconds in (("bodies", moved - began), ("after", told - moved), ("shapes", now() - told)):
            self.metrics.count("physics_seconds", seconds, part)
