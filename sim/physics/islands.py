"""Sleep: bodies that touch each other are an island, and an island whose every body has been still long enough sleeps.

Whoever touches an island that is awake wakes with it. A sleeping body costs nothing: it is not integrated, not collided
with others that sleep, not sent.
"""

from __future__ import annotations

import numpy as np

from sim.physics.data import DYNAMIC, KINEMATIC, STATIC, inner, kernel

# Still is what stays where it is, not what is slow: a tower that sways a little may sleep, a ball that creeps may not.
STILL_RANGE = 0.05  # metres
STILL_SPEED, STILL_SPIN = 0.35, 0.4  # metres and radians a second
DRIVEN_SPEED = 0.01  # metres a second, of what a motor or target moves
PATIENCE = 0.5  # seconds of stillness before sleep


@inner
def _root(parent, i):  # pragma: no cover - compiled
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def settle(b, n, contacts, m, parent, least, dt):  # pragma: no cover - compiled
    """Put still islands to sleep, wake the others; returns how many bodies are awake."""
    body, motion, awake = b.body, b.motion, b.awake
    for i in range(n):
        parent[i] = i
        least[i] = 1e9
    for i in range(1, n):
        if not awake[i]:
            continue
        o, v = body[i], motion[i]
        speed = v.vx * v.vx + v.vy * v.vy + v.vz * v.vz
        spin = v.wx * v.wx + v.wy * v.wy + v.wz * v.wz
        p = b.pose[i]
        off = (p.x - o.sx) ** 2 + (p.y - o.sy) ** 2 + (p.z - o.sz) ** 2
        slow = STILL_SPEED**2
        if o.vehicle >= 0 or o.hover_tau > 0 or o.goal_tau > 0 or o.turn_strength > 0:
            slow = DRIVEN_SPEED**2  # on its way, however gently
        if speed < slow and spin < STILL_SPIN**2 and off < STILL_RANGE**2:
            o.timer += dt
        else:
            o.timer = 0
            o.sx, o.sy, o.sz = p.x, p.y, p.z
    for k in range(m):
        c = contacts[k]
        if c.friction < 0 or c.j == 0 or (c.top <= 0 and c.depth > 0):
            continue
        if body[c.i].kind == DYNAMIC and body[c.j].kind == DYNAMIC:
            i, j = _root(parent, c.i), _root(parent, c.j)
            if i != j:
                parent[i] = j
        elif body[c.j].kind == KINEMATIC and awake[c.j]:
            body[c.i].timer = 0
        elif body[c.i].kind == KINEMATIC and awake[c.i]:
            body[c.j].timer = 0
    for i in range(1, n):
        if body[i].active and body[i].kind != STATIC:
            r = _root(parent, i)
            least[r] = min(least[r], body[i].timer)
    count = 0
    for i in range(1, n):
        o = body[i]
        if not o.active or o.kind == STATIC:
            continue
        if least[_root(parent, i)] > PATIENCE:
            if awake[i]:
                awake[i] = 0
                v = motion[i]
                v.vx = v.vy = v.vz = v.wx = v.wy = v.wz = v.ax = v.ay = v.az = 0
        elif not awake[i]:
            # A body woken by a neighbour; one alone that sleeps has kept its timer and stays asleep.
            awake[i] = 1
            if o.timer > PATIENCE:
                o.timer = np.float32(PATIENCE * 0.9)
        if awake[i]:
            count += 1
    return count
