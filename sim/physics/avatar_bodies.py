"""An avatar among bodies: what its capsule bumps into, stands on, pushes and is pushed by.

On foot the capsule floats: its lower end is a step's height above the soles, so that stairs and kerbs do not stop a
walker, and rays from there down find what the soles rest on. In the air the whole capsule counts, moved on in small
pieces so that nothing thin is passed. Light things are pushed by the whole capsule always: a ball is kicked, not climbed.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.physics.broadphase import MOVER_CELL, MOVER_SIDE, STATIC_CELL, STATIC_SIDE, cell_of
from sim.physics.contacts import emit, mesh_pair, near, piece_pose, round_pair
from sim.physics.data import (
    CAPSULE,
    DYNAMIC,
    MESH,
    NO,
    NONE,
    STATIC,
    ZERO,
    Bodies,
    Geometry,
    Scratch,
    _fields,
    float64,
    inner,
    int64,
)
from sim.physics.rays import ray_piece
from sim.physics.solver import _inverse_mass, _push

RADIUS = 0.25  # metres
STEP_UP, STEP_DOWN = 0.5, 0.6  # metres a walker climbs or follows without jumping or falling
CLIMB = 0.1  # metres a step (1/45 s) that climbing onto a body lifts a walker
MASS = 80.0  # kilograms
WALKABLE = 0.5  # least upward part of the normal of what one can stand on: 60 degrees
LIGHT = 120.0  # kilograms: dynamic bodies up to here are pushed aside rather than climbed
FURTHEST = 0.3  # metres a step that overlap moves an avatar

CROWD_SIDE = 128  # cells along the region in which avatars find each other
EXTRA = np.dtype(_fields("support cell order", np.int32) + _fields("vx vy vz"), align=True)


class Surroundings(NamedTuple):
    """Bodies, their grids, and room for one avatar's collisions."""

    b: Bodies
    g: Geometry
    s: Scratch
    static_grid: NDArray[np.int32]
    static_items: NDArray[np.int32]
    mover_grid: NDArray[np.int32]
    mover_items: NDArray[np.int32]
    fresh: NDArray[np.int32]
    fresh_count: int
    near: NDArray[np.int32]  # (64,) handles
    contacts: NDArray[Any]  # CONTACT (128,)
    capsule: NDArray[Any]  # PIECE (1,)
    crowd: NDArray[np.int32]  # (CROWD_SIDE ** 2 + 1,)


@inner
def _take(a, count, h, x0, y0, z0, x1, y1, z1):  # pragma: no cover - compiled
    q = a.b.bounds[h]
    if x0 > q[3] or x1 < q[0] or y0 > q[4] or y1 < q[1] or z0 > q[5] or z1 < q[2] or count >= len(a.near):
        return count
    for k in range(count):
        if a.near[k] == h:
            return count
    a.near[count] = h
    return count + 1


@inner
def find_near(row, a, dt):  # pragma: no cover - compiled
    """Handles of bodies an avatar may meet in this step, into a.near; how many."""
    v = math.sqrt(row.velocity[0] ** 2 + row.velocity[1] ** 2 + row.velocity[2] ** 2)
    r = RADIUS + 0.1 + (v + 6.0) * dt
    half = row.height * 0.5
    x, y, z = float64(row.position[0]), float64(row.position[1]), float64(row.position[2])
    x0, x1, y0, y1, z0, z1 = x - r, x + r, y - r, y + r, z - half - STEP_DOWN - v * dt, z + half + r
    count = ZERO
    if a.static_grid[STATIC_SIDE * STATIC_SIDE] > 0:
        inv, side = 1.0 / STATIC_CELL, STATIC_SIDE
        for cy in range(cell_of(y0, inv, side), cell_of(y1, inv, side) + 1):
            for cx in range(cell_of(x0, inv, side), cell_of(x1, inv, side) + 1):
                c = cy * side + cx
                for k in range(a.static_grid[c], a.static_grid[c + 1]):
                    h = int64(a.static_items[k])
                    if a.b.body[h].in_grid:
                        count = _take(a, count, h, x0, y0, z0, x1, y1, z1)
    for k in range(a.fresh_count):
        h = int64(a.fresh[k])
        o = a.b.body[h]
        if o.active and o.kind == STATIC and not o.in_grid and not o.phantom:
            count = _take(a, count, h, x0, y0, z0, x1, y1, z1)
    if a.mover_grid[MOVER_SIDE * MOVER_SIDE] > 0:
        inv, side = 1.0 / MOVER_CELL, MOVER_SIDE
        for cy in range(cell_of(y0, inv, side), cell_of(y1, inv, side) + 1):
            for cx in range(cell_of(x0, inv, side), cell_of(x1, inv, side) + 1):
                c = cy * side + cx
                for k in range(a.mover_grid[c], a.mover_grid[c + 1]):
                    h = int64(a.mover_items[k])
                    if a.b.body[h].active:
                        count = _take(a, count, h, x0, y0, z0, x1, y1, z1)
    return count


@inner
def _capsule_on(h, a, x, y, z, radius, half, m):  # pragma: no cover - compiled
    """Append the contacts of an upright capsule with one body to a.contacts; how many there are then."""
    cap, s = a.capsule[0], a.s
    cap.form, cap.plain = CAPSULE, 1
    cap.hx = cap.hy = radius
    cap.hz = half
    cap.outer = half + radius
    shape = a.g.shapes[a.b.body[h].shape]
    for u in range(shape.first, shape.first + shape.count):
        piece = a.g.pieces[u]
        for k in range(12):
            s.xa[k] = s.unit[k]
        s.xa[0], s.xa[1], s.xa[2] = x, y, z
        piece_pose(a.b.pose[h], piece, s.xb)
        if m + 28 > len(a.contacts):
            return m
        if piece.form == MESH:
            m = mesh_pair(ZERO, h, cap, piece, a.g, s, 0.02, a.b, a.contacts, m, 0.0, 0.0, NO)
        else:
            count = round_pair(cap, piece, a.g, s, 0.02) if near(cap, piece, s, 0.02) else 0
            m = emit(a.contacts, m, ZERO, h, s, count, a.b, 0.0, 0.0, NONE)
    return m


@inner
def note(touches, first, count, h, r, c):  # pragma: no cover - compiled
    """Report a touch of avatar row r and body h, once a step."""
    for k in range(first, count):
        if touches[k].a == h and touches[k].b == -(r + 2):
            return count
    if count == len(touches):
        return count
    t = touches[count]
    t.a, t.b = h, -(r + 2)
    t.x, t.y, t.z = c.ax, c.ay, c.az
    t.nx, t.ny, t.nz = -c.nx, -c.ny, -c.nz  # from the body to the avatar
    t.impulse, t.speed = 0, c.speed
    return count + 1


@inner
def _shove(row, extra, a, h, c):  # pragma: no cover - compiled
    """Avatar and dynamic body exchange the impulse of their meeting. The body wakes if it is moved."""
    p, m = a.b.pose[h], a.b.motion[h]
    rx, ry, rz = c.ax - p.x, c.ay - p.y, c.az - p.z
    vx, vy, vz = m.vx + m.wy * rz - m.wz * ry, m.vy + m.wz * rx - m.wx * rz, m.vz + m.wx * ry - m.wy * rx
    closing = (row.velocity[0] - vx) * c.nx + (row.velocity[1] - vy) * c.ny + (row.velocity[2] - vz) * c.nz
    c.speed = closing
    push = closing + min(max(-float64(c.depth) - 0.02, 0.0) * 4.0, 1.0)  # apart, where they overlap
    if push <= 0.01:
        return
    j = push / (1.0 / MASS + _inverse_mass(m, c.nx, c.ny, c.nz, rx, ry, rz))
    _push(m, j * c.nx, j * c.ny, j * c.nz, rx, ry, rz)
    if push > 0.1 or a.b.awake[h]:
        a.b.awake[h] = 1
        a.b.body[h].timer = 0
    f = max(j, 0.0) / MASS
    for k in range(3):
        n = c.nx if k == 0 else (c.ny if k == 1 else c.nz)
        row.velocity[k] -= f * n


@inner
def slide(row, r, extra, a, count, floating, touches, first, total):  # pragma: no cover - compiled
    """Push an avatar out of what it overlaps and stop it moving further in; (touches so far, whether it stands)."""
    standing = False
    half = float64(row.height) * 0.5
    for turn in range(3):
        m = ZERO
        x, y, z = float64(row.position[0]), float64(row.position[1]), float64(row.position[2])
        for k in range(count):
            h = int64(a.near[k])
            o = a.b.body[h]
            q = a.b.bounds
            if abs(z - 0.5 * (q[h, 2] + q[h, 5])) > half + 0.5 * (q[h, 5] - q[h, 2]) or x + RADIUS < q[h, 0]:
                continue
            if x - RADIUS > q[h, 3] or y + RADIUS < q[h, 1] or y - RADIUS > q[h, 4]:
                continue
            lower = 0.05
            if floating and not (o.kind == DYNAMIC and o.mass < LIGHT):
                lower = STEP_UP
            length = max(row.height - lower - 2 * RADIUS, 0.1)
            m = _capsule_on(h, a, x, y, z + half - RADIUS - 0.5 * length, RADIUS, 0.5 * length, m)
        deep, at = -1e-3, -1
        for k in range(m):
            c = a.contacts[k]
            o = a.b.body[c.j]
            c.speed = 0
            if o.sensor:
                if turn == 0 and c.depth <= 0:
                    total = note(touches, first, total, int64(c.j), r, c)
                continue
            if turn == 0 and c.depth < 0.01:
                if o.kind == DYNAMIC:
                    _shove(row, extra, a, c.j, c)
                total = note(touches, first, total, int64(c.j), r, c)
            if c.depth < deep:
                deep, at = c.depth, k
        if at < 0:
            break
        c = a.contacts[at]
        nx, ny, nz = float64(c.nx), float64(c.ny), float64(c.nz)
        out = min(-float64(c.depth), FURTHEST)
        o = a.b.body[c.j]
        if o.kind == DYNAMIC and o.mass < LIGHT:
            out *= o.mass / (o.mass + MASS)
        if floating or (nz < -WALKABLE and o.kind == DYNAMIC and o.mass < LIGHT):
            level = math.sqrt(nx * nx + ny * ny)
            if level < 0.2:
                break
            nx, ny, nz, out = nx / level, ny / level, 0.0, min(out / level, FURTHEST)
        elif nz < -WALKABLE:
            standing = True
        row.position[0] -= out * nx
        row.position[1] -= out * ny
        row.position[2] -= out * nz
        vx = vy = vz = 0.0
        if o.kind != STATIC:
            q = a.b.motion[c.j]
            vx, vy, vz = float64(q.vx), float64(q.vy), float64(q.vz)
        into = (row.velocity[0] - vx) * nx + (row.velocity[1] - vy) * ny + (row.velocity[2] - vz) * nz
        if into > 0 and not (o.kind == DYNAMIC and o.mass < LIGHT):
            row.velocity[0] -= into * nx
            row.velocity[1] -= into * ny
            row.velocity[2] -= into * nz
    return total, standing


@inner
def head_bumps(row, a, count):  # pragma: no cover - compiled
    """Whether something solid is where the head is."""
    half = float64(row.height) * 0.5
    x, y, z = float64(row.position[0]), float64(row.position[1]), float64(row.position[2])
    m = ZERO
    for k in range(count):
        o = a.b.body[a.near[k]]
        if not o.sensor and o.kind != DYNAMIC:
            m = _capsule_on(int64(a.near[k]), a, x, y, z + half - RADIUS - 0.1, RADIUS - 0.02, 0.1, m)
    bumps = False
    for k in range(m):
        bumps = bumps or (a.contacts[k].nz > 0.7 and a.contacts[k].depth < -0.02)
    return bumps


@inner
def support(row, a, count):  # pragma: no cover - compiled
    """(height of the highest walkable surface under the soles or -1e9, handle, point). Five rays; a slope found beside
    the middle counts as high as its plane is in the middle."""
    half = float64(row.height) * 0.5
    feet = float64(row.position[2]) - half
    best, handle = -1e9, NONE
    bx = by = 0.0
    for ray in range(5):
        dx = 0.0 if ray == 0 or ray > 2 else (0.17 if ray == 1 else -0.17)
        dy = 0.0 if ray < 3 else (0.17 if ray == 3 else -0.17)
        ox, oy, oz = float64(row.position[0]) + dx, float64(row.position[1]) + dy, feet + STEP_UP + 0.02
        for k in range(count):
            h = int64(a.near[k])
            o = a.b.body[h]
            q = a.b.bounds[h]
            if o.sensor or ox < q[0] or ox > q[3] or oy < q[1] or oy > q[4]:
                continue
            if o.kind == DYNAMIC and o.mass < LIGHT and q[5] > feet + 0.2:
                continue
            shape = a.g.shapes[o.shape]
            for u in range(shape.first, shape.first + shape.count):
                piece = a.g.pieces[u]
                piece_pose(a.b.pose[h], piece, a.s.xb)
                t, nx, ny, nz = ray_piece(
                    piece, a.g, a.s, a.s.xb, ox, oy, oz, 0.0, 0.0, -1.0, STEP_UP + STEP_DOWN + 0.1
                )
                if t < 0 or nz < WALKABLE:
                    continue
                level = oz - t + (nx * dx + ny * dy) / nz
                if level > best and level < feet + STEP_UP + 0.02:
                    best, handle, bx, by = level, h, ox, oy
    return best, handle, bx, by


@inner
def carry(row, extra, a, dt):  # pragma: no cover - compiled
    """Move with what one stands on."""
    h = int64(extra.support)
    extra.vx = extra.vy = extra.vz = 0
    if h <= 0 or not a.b.body[h].active or a.b.body[h].kind == STATIC or not a.b.awake[h]:
        return
    p, m = a.b.pose[h], a.b.motion[h]
    rx, ry = row.position[0] - p.x, row.position[1] - p.y
    rz = row.position[2] - row.height * 0.5 - p.z
    extra.vx, extra.vy, extra.vz = m.vx + m.wy * rz - m.wz * ry, m.vy + m.wz * rx - m.wx * rz, m.vz + m.wx * ry - m.wy * rx
    row.position[0] += extra.vx * dt
    row.position[1] += extra.vy * dt
    row.position[2] += extra.vz * dt


@inner
def note_sole(row, r, a, handle, x, y, touches, first, total):  # pragma: no cover - compiled
    """Report that an avatar stands on a body."""
    c = a.contacts[0]
    c.ax, c.ay, c.az = x, y, row.position[2] - row.height * 0.5
    c.nx, c.ny, c.nz, c.speed = 0, 0, -1, 0
    return note(touches, first, total, handle, r, c)


@inner
def stand_on(row, extra, a, handle, x, y, dt):  # pragma: no cover - compiled
    """Rest the avatar's weight on a body."""
    extra.support = handle
    if handle > 0 and a.b.body[handle].kind == DYNAMIC and a.b.awake[handle]:
        p, m = a.b.pose[handle], a.b.motion[handle]
        z = row.position[2] - row.height * 0.5
        # A light body would be pressed into the ground harder than it can bear: its own weight many times is enough.
        weight = min(MASS, 4.0 * float64(a.b.body[handle].mass)) * 9.8 * dt
        _push(m, 0.0, 0.0, -weight, x - p.x, y - p.y, z - p.z)


@inner
def leave(row, extra):  # pragma: no cover - compiled
    """Off the ground: what carried the avatar gives it its speed along."""
    row.velocity[0] += extra.vx
    row.velocity[1] += extra.vy
    row.velocity[2] += max(extra.vz, np.float32(0.0))
    extra.support = 0


@inner
def part_avatars(rows, extras, start, dt):  # pragma: no cover - compiled
    """Avatars that overlap step aside, each half of the way and never fast. `start`: room for the crowd's grid."""
    n = len(rows)
    if n < 2:
        return
    side, inv = CROWD_SIDE, CROWD_SIDE / 256.0
    start[:] = 0
    for i in range(n):
        p = rows[i]
        extras[i].cell = cell_of(p.position[1], inv, side) * side + cell_of(p.position[0], inv, side)
        start[extras[i].cell + 1] += 1
    for c in range(side * side):
        start[c + 1] += start[c]
    for i in range(n - 1, -1, -1):
        c = extras[i].cell + 1
        start[c] -= 1
        extras[start[c]].order = i
    # start[c + 1] is now where cell c begins.
    most = 1.5 * dt
    for i in range(n):
        p = rows[i]
        if not p.active or p.held:
            continue
        cx, cy = extras[i].cell % side, extras[i].cell // side
        for y in range(max(cy - 1, 0), min(cy + 2, side)):
            first = start[y * side + max(cx - 1, 0) + 1]
            end = y * side + min(cx + 1, side - 1) + 2
            last = start[end] if end <= side * side else n
            for k in range(first, last):
                j = extras[k].order
                q = rows[j]
                if j <= i or not q.active or q.held:
                    continue
                dx, dy = p.position[0] - q.position[0], p.position[1] - q.position[1]
                d2 = dx * dx + dy * dy
                if d2 >= (2 * RADIUS - 0.02) ** 2:
                    continue
                if abs(p.position[2] - q.position[2]) > 0.45 * (p.height + q.height):
                    continue
                d = math.sqrt(d2)
                if d > 1e-4:
                    dx, dy = dx / d, dy / d
                else:
                    dx, dy = math.cos(i * 2.4), math.sin(i * 2.4)
                f = min(0.5 * (2 * RADIUS - d), most)
                if not p.sitting:
                    p.position[0] += f * dx
                    p.position[1] += f * dy
                if not q.sitting:
                    q.position[0] -= f * dx
                    q.position[1] -= f * dy
