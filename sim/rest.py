"""A region where nothing can happen takes its frames some at a time, and is up again at once when something does.

Frames that would find nothing are *rested*: the kernel timer is set to the last of a bundle, and those before it are
counted and move world time when it is over, as if each had been run. Nothing can happen when

    nobody          is here, expected, or looking in, and nothing waits to be sent
    no body         is awake, nor has the ground changed under one
    no script       wants a turn
    no change       was noted in the last frames (`world/changes.py`)
    no errand       is under way: HTTP requests served here, tasks begun with `spawn`

and until the first thing that is put off to a later time: a script's timer or sleep, an action of `Tasks.after`. So
these come in the very frame in which they would have come. What may change the world out of turn calls `wake` first: a
datagram, an HTTP request, `after` and `spawn`. Waking counts what has been rested so far, so that who is woken
finds world time as it should be, and the next frame comes with the next beat. Decision 0014 says why.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sim.clock import STEP, Metronome

if TYPE_CHECKING:
    from sim.circuits.circuits import Circuits
    from sim.pace import Pace
    from sim.physics.bodies import Bodies
    from sim.region import Region
    from sim.scripts.inworld import Scripts

BUNDLE = 15  # frames: a third of a second, so that the chores of every 45th frame fall on the last of a bundle
STILL = 3  # frames with nothing to do before the first rest: by then the ends of collisions and the like are told


class Rest:
    def __init__(self, region: Region, pace: Pace, circuits: Circuits, scripts: Scripts, bodies: Bodies) -> None:
        self._region = region
        self._pace = pace
        self._circuits, self._scripts, self._bodies = circuits, scripts, bodies
        self.granted = 0  # frames that may be rested before the next beat is told
        self._metronome: Metronome | None = None
        self._listening = False  # for datagrams
        self._held = 0
        self._still = 0
        self._noted = 0  # `changes.number` when it was last looked at

    def begin(self, metronome: Metronome) -> None:
        """Frames follow this metronome from now on."""
        self._metronome = metronome

    def end(self) -> None:
        self._listen(False)
        self._metronome = None

    # --- down

    def consider(self) -> None:
        """After a frame: rest the next ones if they would find nothing."""
        if self._metronome is None:
            return
        frames = self._frames()
        self._listen(frames > 0)
        if frames:
            self.granted = frames
            self._metronome.rest(frames + 1)

    def _frames(self) -> int:
        """How many frames from the next one on have nothing to do, within the bundle."""
        noted, self._noted = self._noted, self._region.world.changes.number
        self._still = 0 if noted != self._noted or self._busy() else self._still + 1
        if self._still < STILL:
            return 0
        frames = -self._pace.number % BUNDLE
        timer, script = self._region.tasks.next_timer, self._scripts.next_wake
        if timer is not None:
            frames = min(frames, _before(timer - self._region.clock.now()))
        if script is not None:
            frames = min(frames, _before(script - self._region.world.time))
        return frames

    def _busy(self) -> bool:
        region = self._region
        return bool(
            region.world.agents or not self._circuits.quiet or self._held or region.tasks.errands or self._scripts.waiting
            or not self._bodies.still
        )  # fmt: skip

    # --- and up

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wake, and no rest meanwhile."""
        self.wake()
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def wake(self) -> None:
        """Something happens: what was rested so far is over, and the next frame comes with the next beat."""
        if self.granted and self._metronome is not None:
            rested, self.granted = self._metronome.wake(self.granted), 0
            self._count(rested)
        self._listen(False)

    def taken(self, beats: int) -> int:
        """So many beats are told; how many of them were frames at rest, which are over now."""
        rested, self.granted = min(beats - 1, self.granted), 0
        if rested:
            self._count(rested)
        return rested

    def _count(self, frames: int) -> None:
        """So many frames were due in which nothing could happen, the last of them just now or within a beat."""
        plain, world = self._region.metrics.plain, self._region.world
        for name in ("frames", "frames_rested", "steps"):
            plain[name] += frames
        for _ in range(frames):  # one by one, as steps do it: a sum has other roundings
            world.time += STEP
        self._pace.rested(frames)

    def _listen(self, on: bool) -> None:
        """Between the frames of an awake region datagrams wait for the next one; a resting region is woken by the first."""
        if on == self._listening:
            return
        self._listening = on
        loop = asyncio.get_running_loop()
        if on:
            loop.add_reader(self._circuits.socket.fileno(), self.wake)
        else:
            loop.remove_reader(self._circuits.socket.fileno())


def _before(seconds: float) -> int:
    """How many frames begin earlier than so many seconds after this one."""
    return max(math.ceil(seconds / STEP - 1e-6) - 1, 0)
