"""Keyframed motion: an object goes by a list of shifts, turns and times.

Between two keyframes it moves at one speed and spin, so it is a kinematic body that the engine moves like any other, pushing
what it meets; Python is asked only where a keyframe ends. There the object is put exactly where it should be, so that nothing
adds up over a thousand rounds. An object without a body jumps from keyframe to keyframe, and viewers draw the way between.

Source: llSetKeyframedMotion on the LSL wiki.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from sim.world.changes import What
from sim.world.drives import LOOP, PING_PONG, REVERSE, Keyframes, Quaternion, Vector
from sim.world.objects import conjugate, multiply

if TYPE_CHECKING:
    from sim.scripts.rooms.home import Home
    from sim.world.objects import Prim

FASTEST, FASTEST_SPIN = 250.0, 60.0  # metres and radians a second
LEAST = 1e-3  # seconds that are still to be moved for


class KeyframedMotions:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._due: list[tuple[float, int, Prim]] = []  # heap: world time at which a keyframe ends
        self._turn: dict[Prim, tuple[int, Vector, Quaternion]] = {}  # the entry that counts; where the keyframe leads
        self._numbers = itertools.count()
        self._changes = home.region.world.changes.prims.reader(What.MADE)

    @property
    def next_due(self) -> float | None:
        return self._due[0][0] if self._due else None

    @property
    def is_idle(self) -> bool:
        return not self._turn and not len(self._changes)

    # --- what scripts say

    def start(self, root: Prim, motion: Keyframes) -> None:
        """Begin where the object is now; of one that goes backward, at its last frame."""
        place, turn = self._home.region.world.objects.world_place(root)
        back = motion.mode == REVERSE
        motion = replace(motion, playing=True, back=back, at=0, start=place, start_turn=turn)
        self._set(root, motion)
        self._begin(root, motion)
        self._tell(root, "moving_start")

    def stop(self, root: Prim, rewind: bool) -> None:
        """Pause; with `rewind` the next start is from the beginning."""
        motion = root.drives.keyframes
        if motion is None:
            return
        self._turn.pop(root, None)
        self._halt(root)
        if rewind:
            motion = replace(motion, at=0, back=motion.mode == REVERSE)
        self._set(root, replace(motion, playing=False))

    def resume(self, root: Prim) -> None:
        """Go on after a pause, or from the beginning after a stop."""
        motion = root.drives.keyframes
        if motion is None or motion.playing:
            return
        if motion.at == 0 and motion.back == (motion.mode == REVERSE):
            self.start(root, motion)
            return
        motion = replace(motion, playing=True)
        self._set(root, motion)
        self._begin(root, motion)

    def end(self, root: Prim) -> None:
        """No keyframes any more."""
        if root.drives.keyframes is not None:
            self._turn.pop(root, None)
            self._halt(root)
            self._set(root, None)

    def _set(self, root: Prim, motion: Keyframes | None) -> None:
        root.drives = replace(root.drives, keyframes=motion)
        self._home.region.world.changes.prims.note(root, What.DRIVES)
        self._home.bodies.drive(root)

    # --- time passes

    def run(self, dt: float) -> None:
        """Before a step: whose keyframe is over by now begins the next. What came into the region in motion goes on."""
        if len(self._changes):
            for root in self._changes.take():
                motion = root.drives.keyframes
                if root.row >= 0 and root.root is None and not root.physical and motion is not None and motion.playing:
                    self._begin(root, motion)
        now = self._home.region.world.time - dt  # until when bodies have moved
        while self._due and self._due[0][0] <= now + dt / 2:
            at, number, root = heapq.heappop(self._due)
            known = self._turn.get(root)
            if known is None or known[0] != number:
                continue
            motion = root.drives.keyframes
            if root.row < 0 or root.root is not None or motion is None or not motion.playing or root.physical:
                del self._turn[root]
                continue
            if not root.leaving:
                self._ended(root, motion, at, known[1], known[2])

    def _ended(self, root: Prim, motion: Keyframes, at: float, place: Vector, turn: Quaternion) -> None:
        """One keyframe is over: on to the next, if there is one."""
        self._put(root, place, turn)
        following = motion.at + 1
        if following < len(motion.frames):
            motion = replace(motion, at=following)
        elif motion.mode == PING_PONG:
            motion = replace(motion, at=0, back=not motion.back)
        elif motion.mode == LOOP:
            motion = replace(motion, at=0)
            self._put(root, motion.start, motion.start_turn)
        else:
            del self._turn[root]
            self._halt(root)
            self._set(root, None)
            self._tell(root, "moving_end")
            return
        root.drives = replace(root.drives, keyframes=motion)
        self._begin(root, motion, at)

    def _begin(self, root: Prim, motion: Keyframes, since: float | None = None) -> None:
        """Move towards the end of a keyframe. What is left of its time is seen from what is left of its way, so that it goes on
        after a pause, a restart or a crossing as if nothing had been."""
        here, turned = self._home.region.world.objects.world_place(root)
        before, after = _pose(motion, motion.at), _pose(motion, motion.at + 1)
        seconds = _frame(motion, motion.at)[2]
        if (
            math.dist(here, after[0]) > math.dist(before[0], after[0]) + 1.0
        ):  # it was taken elsewhere: it goes on from here
            shift = here[0] - before[0][0], here[1] - before[0][1], here[2] - before[0][2]
            motion = replace(motion, start=_add(motion.start, shift))
            root.drives = replace(root.drives, keyframes=motion)
            after = _pose(motion, motion.at + 1)
        if since is None:
            since = self._home.region.world.time
            whole, left = math.dist(before[0], after[0]), math.dist(here, after[0])
            if whole < 1e-4:
                whole, left = _angle(before[1], after[1]), _angle(turned, after[1])
            if whole > 1e-4:
                seconds = max(seconds * min(left / whole, 1.0), LEAST)
        way = [(there - now) / seconds for there, now in zip(after[0], here, strict=True)]
        speed = math.hypot(*way)
        if speed > FASTEST:
            way = [part * FASTEST / speed for part in way]
        number = next(self._numbers)
        self._turn[root] = number, after[0], after[1]
        heapq.heappush(self._due, (since + seconds, number, root))
        row = self._home.region.world.objects.row(root)
        row["velocity"], row["angular_velocity"] = way, _spin(turned, after[1], seconds)
        self._moved(root)

    def _put(self, root: Prim, place: Vector, turn: Quaternion) -> None:
        row = self._home.region.world.objects.row(root)
        row["position"], row["rotation"] = place, turn
        self._home.region.world.objects.placed(root)
        x, y, _ = place
        if not (0 <= x < 256 and 0 <= y < 256):
            self._home.region.world.outside[root.row] = None

    def _halt(self, root: Prim) -> None:
        row = self._home.region.world.objects.row(root)
        row["velocity"] = row["acceleration"] = (0.0, 0.0, 0.0)
        row["angular_velocity"] = root.drives.spin
        self._moved(root)

    def _moved(self, root: Prim) -> None:
        """Its body and the viewers learn of its place and speed."""
        self._home.bodies.moved(root)
        row = self._home.region.world.objects.row(root)
        row["dirty"] = 1
        row["crc"] += 1

    def _tell(self, root: Prim, event: str) -> None:
        now = self._home.region.world.time
        for prim in root.linkset():
            for script in self._home.of(prim):
                script.now = max(script.now, now)
                script.post(event)


# --- where keyframes lead


def _frame(motion: Keyframes, number: int) -> tuple[Vector, Quaternion, float]:
    """The frame that is the n-th on the way."""
    frame = motion.frames[len(motion.frames) - 1 - number] if motion.back else motion.frames[number]
    if not motion.back:
        return frame
    (x, y, z), turn, seconds = frame
    return (-x, -y, -z), conjugate(turn), seconds


def _pose(motion: Keyframes, count: int) -> tuple[Vector, Quaternion]:
    """Place and turn after so many frames of the way. A way back begins where the way there ended."""
    place, turn = motion.start, motion.start_turn
    if motion.back and motion.mode == PING_PONG:
        for shift, by, _ in motion.frames:
            place, turn = _add(place, shift), multiply(turn, by)
    for number in range(count):
        shift, by, _ = _frame(motion, number)
        place, turn = _add(place, shift), multiply(turn, by)
    return place, turn


def _add(a: Vector, b: Vector) -> Vector:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _angle(a: Quaternion, b: Quaternion) -> float:
    return 2.0 * math.acos(min(abs(sum(x * y for x, y in zip(a, b, strict=True))), 1.0))


def _spin(turned: Quaternion, wished: Quaternion, seconds: float) -> Vector:
    """The angular velocity, in the region's axes, that leads from one turn to the other in so many seconds."""
    x, y, z, w = multiply(wished, conjugate(turned))
    if w < 0:
        x, y, z, w = -x, -y, -z, -w
    size = math.hypot(x, y, z)
    if size < 1e-7:
        return 0.0, 0.0, 0.0
    rate = min(2.0 * math.atan2(size, w) / seconds, FASTEST_SPIN) / size
    return x * rate, y * rate, z * rate
