"""The region's own engine: one step as a row of kernels over the table of bodies.

    forces -> bounds -> pairs -> contacts -> solve -> move -> relax, bounce -> events -> sleep -> avatars

Nothing in a step is done body by body in Python. When nothing is awake, nothing is done at all. Read first which bodies
there are (`body_table.py`), then what moves them from outside (`drives.py`); here they move, and rays ask where they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.physics import broadphase, checks, contacts, events, ground, motion, rays, sleep, solver
from sim.physics.avatar_bodies import CROWD_SIDE, EXTRA, Surroundings
from sim.physics.avatars import step_rows
from sim.physics.data import AXIS, CONTACT, PIECE, Around, new_scratch, room
from sim.physics.drives import DrivenBodies
from sim.physics.engine import HIGHEST, HIT_DTYPE, NO_BODY, Area, BadBody, Mask
from sim.world.avatars import AVATAR_DTYPE

ROUNDS, RELAX_ROUNDS = 8, 2
MOST_KEPT = 20_000  # contacts of sleeping bodies that are remembered while others are awake


class NumbaEngine(DrivenBodies):
    def __init__(self, capacity: int = 256) -> None:
        super().__init__(capacity)
        self.heights: NDArray[np.float32] = np.zeros((257, 257), np.float32)
        self.top = 0.0
        self.water_height = 20.0
        self.open_sides = np.zeros((3, 3), np.uint8)
        self._scratch = new_scratch()
        self._hit = np.zeros(1, HIT_DTYPE)
        self._pairs = np.zeros((1024, 2), np.int32)
        self._contacts, self._old = np.zeros(1024, CONTACT), np.zeros(1024, CONTACT)
        self._axes, self._old_axes = np.zeros(1024, AXIS), np.zeros(1024, AXIS)
        self._old_count = 0
        self._order = np.zeros(1024, np.int32)
        self._runs = np.zeros(solver.PAIRS_AT_ONCE + 1, np.int32)
        self._freed = 0
        self._table = np.full(1024, -1, np.int32)
        self._touches = np.zeros(256, events.TOUCH)
        self._touching = events.Touching()
        self._rows = np.zeros(0, AVATAR_DTYPE)
        self._extra = np.zeros(0, EXTRA)
        self._near = np.zeros(64, np.int32)
        self._avatar_contacts = np.zeros(128, CONTACT)
        self._capsule = np.zeros(1, PIECE)
        self._crowd = np.zeros(CROWD_SIDE**2 + 1, np.int32)
        self._heard = 0
        self.moved: NDArray[np.int64] = np.zeros(0, np.int64)
        self.lost: NDArray[np.int64] = self.moved
        self.collisions: NDArray[Any] = self._touching.events[:0]
        self.awake_count = 0
        self.pair_count = self.contact_count = 0
        self.avatar_motions = self.avatars_outside = 0

    def _allocate(self, capacity: int) -> None:
        super()._allocate(capacity)
        self._moved, self._lost = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
        self._least, self._roused = np.zeros(capacity, np.float32), np.zeros(capacity, np.int64)

    def remove(self, handle: int) -> None:
        super().remove(handle)
        self._touching.forget(handle, self.bodies)

    def set_terrain(self, heights: NDArray[np.float32], area: Area | None = None) -> None:
        if heights.shape != (257, 257) or not np.isfinite(heights).all():
            raise BadBody("terrain needs 257 x 257 finite heights")
        self.heights = np.ascontiguousarray(heights, np.float32)
        if not -HIGHEST <= self.heights.min() <= self.heights.max() <= HIGHEST:
            self.heights = np.clip(self.heights, -HIGHEST, HIGHEST)
        self.top = float(self.heights.max()) + 0.1
        west, south, east, north = area or (-1e4, -1e4, 1e4, 1e4)
        box = np.array([west, south, -1e4, east, north, self.top + 2.0], np.float32)
        broadphase.wake_around(self.bodies, self._count, box, True)

    # --- the step

    def step(self, dt: float, avatars: NDArray[Any]) -> None:
        self._rows = avatars
        n = self._count
        self.grids.prepare(self.bodies, n)
        touches = 0
        moved = 0
        self.lost = self._lost[:0]
        if self.awake[:n].any():
            moved, touches = self._step_bodies(n, dt)
        elif self.grids.movers_stale:
            self.grids.build_movers(self.bodies, n)
        if len(avatars):
            touches = self._step_avatars(n, dt, touches)
        nobody = not touches and not self._heard and not moved
        self._heard = touches  # while all sleep and no avatar touches anything, nothing can begin or end
        if not nobody:
            self.collisions = self._touching.report(self._touches, touches, self.bodies)
        else:
            self.collisions = self.collisions[:0]
        self.moved = self._moved[:moved]

    def _step_bodies(self, n: int, dt: float) -> tuple[int, int]:
        b, g = self.bodies, self.shapes.geometry
        self._apply_forces(np.flatnonzero(b.awake[:n]), dt)
        broadphase.refresh(b, g, n, dt)
        self.grids.build_movers(b, n)
        pairs = self._find_pairs(n)
        roused = sleep.rouse(b, self._pairs, pairs, self._roused)
        if roused:
            self._apply_forces(self._roused[:roused], dt)
            pairs = self._pairs_of_roused(roused, pairs)
        m = self._collide(n, pairs, dt)
        found = self._contacts
        solver.prepare(found, m, b.motion, b.body, self._old, self._old_count, self._table, dt)
        self._order = room(self._order, m)
        solved = solver.interleave(found, m, self._order, self._runs)
        solver.solve(found, self._order, solved, b.motion, ROUNDS, True)
        solver.mark_touched(found, m, b.body)
        moved, lost = motion.integrate(self._around(n), self._moved, self._lost, self._hit, dt)
        solver.solve(found, self._order, solved, b.motion, RELAX_ROUNDS, False)
        solver.bounce(found, m, b.motion)
        self._touches = room(self._touches, m)
        touches = events.gather(found, m, b, self._touches)
        kept = sleep.carry_over(b, self._old, self._old_count, found, m)
        self.awake_count = sleep.settle(b, n, found, m, self._least, dt)
        self._table = room(self._table, 2 * kept)
        solver.remember(found, kept, self._table)
        self._contacts, self._old, self._old_count = self._old, found, kept
        self._set_aside(lost)
        self._axes, self._old_axes = self._old_axes, self._axes
        self.pair_count, self.contact_count = pairs, m
        return moved, touches

    def recover(self) -> None:
        """After a step that failed half-way: what it may have left half-done is forgotten."""
        self._old_count, self._heard = 0, 1
        self._old_axes["u"] = -1
        self.moved, self.lost, self.collisions = self._moved[:0], self._lost[:0], self.collisions[:0]
        self.grids.movers_stale = True

    def _set_aside(self, lost: int) -> None:
        """Bodies whose numbers are none any more: nothing touches or moves them, until whose they are takes them away."""
        self.lost = self._lost[:lost]
        if lost:
            self.bodies.awake[self.lost] = 0
            self.bodies.body["phantom"][self.lost] = 1
            self.grids.movers_stale = True

    def _find_pairs(self, n: int) -> int:
        """Fill `_pairs`, with as much room as they need; how many."""
        while True:
            total: int = broadphase.find_pairs(self.bodies, n, *self.grids.found, self._pairs)
            if total <= len(self._pairs):
                return total
            self._pairs = room(self._pairs, total)

    def _pairs_of_roused(self, roused: int, pairs: int) -> int:
        """Append their pairs to `_pairs`; how many there are then."""
        while True:
            total: int = broadphase.pairs_of_roused(
                self.bodies, self._roused, roused, *self.grids.found, self._pairs, pairs
            )
            if total <= len(self._pairs):
                return total
            before, self._pairs = self._pairs, room(self._pairs, total)
            self._pairs[:pairs] = before[:pairs]

    def _apply_forces(self, handles: NDArray[np.int64], dt: float) -> None:
        motion.apply_forces(
            self.bodies, self.shapes.geometry, handles, self._vehicle_rows, self.heights, self.water_height, dt
        )

    def _collide(self, n: int, pairs: int, dt: float) -> int:
        """Fill `_contacts`, with as much room as they need; how many."""
        b, g, s = self.bodies, self.shapes.geometry, self._scratch
        if self._freed != self.shapes.freed:  # what was known of pieces may be of others now
            self._freed = self.shapes.freed
            self._old["axis"] = -1
        while True:
            m = contacts.collide_pairs(
                b, g, s, self._pairs, pairs, self._contacts, self._axes, self._old, self._old_count, self._table,
                self._old_axes, dt,
            )  # fmt: skip
            m = ground.collide_ground(b, g, s, n, self.heights, self.top, self._contacts, m, dt)
            most = m + min(self._old_count, MOST_KEPT)
            if most <= len(self._contacts):
                return int(m)
            self._contacts, self._axes = room(self._contacts, most), room(self._axes, m)

    def _step_avatars(self, n: int, dt: float, touches: int) -> int:
        if len(self._extra) < len(self._rows):
            extra = np.zeros(2 * len(self._rows), EXTRA)
            extra[: len(self._extra)] = self._extra
            self._extra = extra
        around = self.surroundings(n)
        more = room(self._touches, touches + (len(self._near) + 1) * len(self._rows))
        more[:touches] = self._touches[:touches]
        self._touches = more
        touches, self.avatar_motions, self.avatars_outside = step_rows(
            self._rows, self._extra, self.heights, self.open_sides, around, self._touches, touches, dt
        )
        return touches

    def surroundings(self, n: int | None = None) -> Surroundings:
        """Everything an avatar may bump into, for the kernel."""
        return Surroundings(
            self.bodies, self.shapes.geometry, self._scratch, *self.grids.found, self._near, self._avatar_contacts,
            self._capsule, self._crowd,
        )  # fmt: skip

    # --- rays

    def _hittable(self) -> Around:
        """Everything a ray may hit, for the kernels."""
        self.grids.prepare(self.bodies, self._count)
        if self.grids.movers_stale:
            self.grids.build_movers(self.bodies, self._count)
        return self._around(self._count)

    def _around(self, n: int) -> Around:
        return Around(
            self.bodies, self.shapes.geometry, self._scratch, n, self.heights, self.top, self.grids.found, self._rows
        )

    def raycast(
        self, origin: Sequence[float], direction: Sequence[float], length: float, mask: int = Mask.ALL, max_hits: int = 1
    ) -> NDArray[Any]:
        o, d = checks.vector(origin, "origin"), checks.vector(direction, "direction")
        size = math.sqrt(float(d @ d))
        length = checks.number(length, 0.0, 4096.0, "length")
        hits = np.zeros(min(max(int(max_hits), 1), 256), HIT_DTYPE)
        if size < 1e-9 or length <= 0:
            return hits[:0]
        d /= size
        count = rays.cast(self._hittable(), int(mask), -1, *o.tolist(), *d.tolist(), length, hits)
        hits = hits[:count]
        hits = hits[np.argsort(hits["fraction"], kind="stable")]
        hits["point"] = o + hits["fraction"][:, None] * d
        hits["fraction"] /= length
        return hits

    def raycast_batch(
        self, origins: NDArray[np.float32], directions: NDArray[np.float32], lengths: NDArray[np.float32], mask: int = Mask.ALL
    ) -> NDArray[Any]:
        origins = np.ascontiguousarray(origins, np.float32).reshape(-1, 3)
        directions = np.ascontiguousarray(directions, np.float32).reshape(-1, 3)
        lengths = np.minimum(np.broadcast_to(np.asarray(lengths, np.float32), len(origins)), 4096.0).astype(np.float32)
        if len(directions) != len(origins):
            raise BadBody("as many directions as origins, please")
        out = np.zeros(len(origins), HIT_DTYPE)
        rays.cast_batch(self._hittable(), int(mask), origins, directions, lengths, out)
        return out

    def statistics(self) -> dict[str, int]:
        body = self.bodies.body[1 : self._count]
        kinds = np.bincount(body["kind"][body["active"] == 1], minlength=3)
        return {
            "static": int(kinds[0]), "dynamic": int(kinds[1]), "kinematic": int(kinds[2]),
            "awake": int(self.awake[1 : self._count].sum()), "pairs": self.pair_count, "contacts": self.contact_count,
        }  # fmt: skip


assert NO_BODY == rays.NO_BODY
