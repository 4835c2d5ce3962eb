"""Seated avatars go where their seats go: once a step, after the bodies have moved.

A rider is not solid and has no mass (docs/decisions/0010). Its keys do nothing but let it stand up.
"""

from __future__ import annotations

import numpy as np

from protocol.kernels import inline, kernel
from sim.world.avatars import AVATAR_DTYPE, STAND_UP
from sim.world.objects import OBJECT_DTYPE
from sim.world.seats import RIDER_DTYPE

FARTHEST = 1e5  # metres


@inline
def _rotate(q, v, out):  # pragma: no cover - compiled
    x, y, z, w = float(q[0]), float(q[1]), float(q[2]), float(q[3])
    a, b, c = float(v[0]), float(v[1]), float(v[2])
    tx, ty, tz = 2 * (y * c - z * b), 2 * (z * a - x * c), 2 * (x * b - y * a)
    out[0] = a + w * tx + y * tz - z * ty
    out[1] = b + w * ty + z * tx - x * tz
    out[2] = c + w * tz + x * ty - y * tx


@inline
def _multiply(a, b, out):  # pragma: no cover - compiled
    ax, ay, az, aw = float(a[0]), float(a[1]), float(a[2]), float(a[3])
    bx, by, bz, bw = float(b[0]), float(b[1]), float(b[2]), float(b[3])
    out[0] = aw * bx + ax * bw + ay * bz - az * by
    out[1] = aw * by - ax * bz + ay * bw + az * bx
    out[2] = aw * bz + ax * by - ay * bx + az * bw
    out[3] = aw * bw - ax * bx - ay * by - az * bz


@kernel
def follow(riders, objects, avatars, leaving):  # pragma: no cover - compiled
    """Place every rider by its seat. Fills `leaving` with avatar rows that stand up, by key or because the seat is gone;
    returns how many."""
    count = 0
    place, arm, turn = np.zeros(3), np.zeros(3), np.zeros(4)
    for i in range(len(riders)):
        rider = riders[i]
        avatar = avatars[rider.avatar]
        avatar.dirty = 0  # what it does is told by its seat
        there = 0 <= rider.seat < len(objects) and objects[rider.seat].local_id == rider.seat_id
        there = there and objects[rider.seat].parent < len(objects)
        leaves = not there or avatar.controls & np.uint32(STAND_UP)
        if leaves:
            leaving[count] = rider.avatar
            count += 1
        if not there:
            continue
        seat = objects[rider.seat]
        _rotate(seat.rotation, rider.offset, arm)
        for k in range(3):
            place[k] = seat.position[k] + arm[k]
        _multiply(seat.rotation, rider.turn, turn)
        root = seat
        if seat.parent >= 0:  # all that was relative to the root
            root = objects[seat.parent]
            _rotate(root.rotation, place, arm)
            for k in range(3):
                place[k] = root.position[k] + arm[k]
            _multiply(root.rotation, turn.copy(), turn)
        if not abs(place[0]) + abs(place[1]) + abs(place[2]) < FARTHEST:  # the seat is nowhere: its rider stays and stands up
            if not leaves:
                leaving[count] = rider.avatar
                count += 1
            continue
        for k in range(3):
            avatar.position[k] = place[k]
            arm[k] = place[k] - root.position[k]
        for k in range(4):
            avatar.rotation[k] = turn[k]
        w, v = root.angular_velocity, root.velocity
        avatar.velocity[0] = v[0] + w[1] * arm[2] - w[2] * arm[1]
        avatar.velocity[1] = v[1] + w[2] * arm[0] - w[0] * arm[2]
        avatar.velocity[2] = v[2] + w[0] * arm[1] - w[1] * arm[0]
    return count


def warm() -> None:
    """Compile, or load from the cache, before the region opens."""
    objects = np.zeros(2, OBJECT_DTYPE)
    objects["parent"] = -1
    follow(np.zeros(1, RIDER_DTYPE), objects, np.zeros(1, AVATAR_DTYPE), np.zeros(1, np.int64))
