"""Collisions as scripts hear them: what began to touch, what goes on touching, what parted.

Pairs of sleeping bodies keep touching without a word: they are carried from step to step until one of the two wakes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.physics.data import STATIC, Bodies, _fields, inner, kernel, room
from sim.physics.engine import COLLISION_DTYPE

TOUCH = np.dtype(_fields("a b", np.int32) + _fields("x y z nx ny nz impulse speed"), align=True)
START, ONGOING, END = 1, 2, 3


@kernel
def gather(contacts, m, b, touches):  # pragma: no cover - compiled
    """Fill `touches` (room for m): one row for each pair among the contacts that really touches, the ground as -1; how
    many."""
    count = 0
    li, lj, open_row = -1, -1, -1
    for k in range(m):
        c = contacts[k]
        if c.i != li or c.j != lj:
            li, lj, open_row = c.i, c.j, -1
        if not (c.top > 0 or (c.friction < 0 and c.depth <= 0) or (c.friction >= 0 and c.depth <= 0)):
            continue
        if open_row < 0:
            open_row = count
            count += 1
            touches[open_row].a, touches[open_row].b = li, (lj if lj > 0 else -1)
            touches[open_row].impulse = -1
        t = touches[open_row]
        if c.top > t.impulse:
            p = b.pose[li]
            t.x, t.y, t.z = p.x + c.ax, p.y + c.ay, p.z + c.az
            t.nx, t.ny, t.nz = c.nx, c.ny, c.nz
            t.impulse = max(c.top, np.float32(0.0))
            t.speed = -c.speed if c.friction >= 0 else np.float32(0.0)
    return count


@inner
def _find(a, b, pairs, table):  # pragma: no cover - compiled
    mask = len(table) - 1
    h = (((np.int64(a) << 32) ^ np.int64(b)) * np.int64(-7046029254386353131) >> 40) & mask
    while table[h] >= 0:
        if pairs[table[h], 0] == a and pairs[table[h], 1] == b:
            return table[h]
        h = (h + 1) & mask
    return np.int32(-1)


@inner
def _still(h, b):  # pragma: no cover - compiled
    """Whether nothing new can be known of a body: it rests or sleeps. Avatars never do."""
    if h == -1:
        return True
    if h < 0:
        return False
    return b.body[h].active and (b.body[h].kind == STATIC or not b.awake[h])


@kernel
def report(touches, count, b, pairs, old_count, table, seen, out, fresh, fresh_table):  # pragma: no cover - compiled
    """What this step's touches mean after the last step's `pairs`, which `table` finds: collisions into `out` and the
    pairs that touch now into `fresh` and `fresh_table` (a power of two). `out`, `fresh` and `seen` have room for both
    counts, the table for twice as many. (collisions, pairs)."""
    seen[:old_count] = 0
    n = 0
    for k in range(count):
        t = touches[k]
        at = _find(t.a, t.b, pairs, table) if old_count else np.int32(-1)
        if at >= 0:
            seen[at] = 1
        row = out[k]
        row.a, row.b = t.a, t.b
        row.kind = ONGOING if at >= 0 else START
        row.point[0], row.point[1], row.point[2] = t.x, t.y, t.z
        row.normal[0], row.normal[1], row.normal[2] = t.nx, t.ny, t.nz
        row.impulse, row.speed = t.impulse, t.speed
        fresh[n, 0], fresh[n, 1] = t.a, t.b
        n += 1
    events = count
    for k in range(old_count):
        if seen[k]:
            continue
        i, j = pairs[k, 0], pairs[k, 1]
        if not b.body[i].active or (j > 0 and not b.body[j].active):
            continue
        if _still(i, b) and _still(j, b):
            fresh[n, 0], fresh[n, 1] = i, j
            n += 1
            continue
        row = out[events]
        row.a, row.b, row.kind = i, j, END
        row.point[0] = row.point[1] = row.point[2] = row.normal[0] = row.normal[1] = row.normal[2] = 0
        row.impulse = row.speed = 0
        events += 1
    fresh_table[:] = -1
    mask = len(fresh_table) - 1
    for k in range(n):
        h = (((np.int64(fresh[k, 0]) << 32) ^ np.int64(fresh[k, 1])) * np.int64(-7046029254386353131) >> 40) & mask
        while fresh_table[h] >= 0:
            h = (h + 1) & mask
        fresh_table[h] = k
    return events, n


class Touching:
    """The pairs that touch, carried from step to step."""

    def __init__(self) -> None:
        self.events: NDArray[Any] = np.zeros(256, COLLISION_DTYPE)
        self._pairs: NDArray[np.int32] = np.zeros((256, 2), np.int32)
        self._count = 0
        self._table = np.full(256, -1, np.int32)
        self._spare, self._spare_table = self._pairs.copy(), self._table.copy()
        self._seen = np.zeros(256, np.uint8)

    def report(self, touches: NDArray[Any], count: int, b: Bodies) -> NDArray[Any]:
        """The collisions (COLLISION_DTYPE) that this step's touches (TOUCH) mean."""
        most = count + self._count
        self.events, self._spare, self._seen = room(self.events, most), room(self._spare, most), room(self._seen, most)
        self._spare_table = room(self._spare_table, 2 * most + 2)
        found, pairs = report(
            touches, count, b, self._pairs, self._count, self._table, self._seen, self.events, self._spare,
            self._spare_table,
        )  # fmt: skip
        self._pairs, self._spare, self._count = self._spare, self._pairs, pairs
        self._table, self._spare_table = self._spare_table, self._table
        return self.events[:found]

    def forget(self, handle: int, b: Bodies) -> None:
        """Whoever gets this handle next has touched nobody."""
        pairs = self._pairs[: self._count]
        ours = (pairs == handle).any(axis=1)
        if not ours.any():
            return
        pairs = pairs[~ours]
        touches = np.zeros(max(len(pairs), 1), TOUCH)
        touches["a"][: len(pairs)], touches["b"][: len(pairs)] = pairs[:, 0], pairs[:, 1]
        heard, self._count = self.events.copy(), 0  # collisions of the last step may still be read
        self.report(touches, len(pairs), b)
        self.events[: len(heard)] = heard
