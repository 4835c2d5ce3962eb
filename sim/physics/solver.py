"""Contacts to velocities: sequential impulses, warm-started with what the same contacts needed a step ago.

    prepare      effective masses, what each contact aims at, last step's impulses applied at once
    solve        rounds over all contacts: friction, then the normal; overlap is pushed apart gently
    (positions move)
    relax        rounds without the push, so that pushing apart leaves no speed behind
    bounce       what came together fast comes apart by the restitution

A contact that is still a small way off only stops what would pass through it within the step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.physics.data import DYNAMIC, SLOP, inner, kernel

PUSH = 0.2  # of the overlap that a step takes away
PUSH_SPEED = 2.0  # metres a second at most: bodies made inside each other part, they do not explode
BOUNCE_SPEED = 0.6  # metres a second below which nothing bounces, so that heaps come to rest
SAME_POINT = 0.06**2  # metres squared within which a contact point counts as last step's
PAIRS_AT_ONCE = 8  # that `interleave` deals out together

_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)


@inner
def _inverse_mass(m, n0, n1, n2, r0, r1, r2):  # pragma: no cover - compiled
    """What a unit impulse along n at arm r changes of the velocity there, along n."""
    c0, c1, c2 = r1 * n2 - r2 * n1, r2 * n0 - r0 * n2, r0 * n1 - r1 * n0
    return (
        m.im
        + c0 * (m.ixx * c0 + m.ixy * c1 + m.ixz * c2)
        + c1 * (m.ixy * c0 + m.iyy * c1 + m.iyz * c2)
        + c2 * (m.ixz * c0 + m.iyz * c1 + m.izz * c2)
    )


@inner
def _push(m, px, py, pz, rx, ry, rz):  # pragma: no cover - compiled
    """Apply an impulse at arm r to a body's motion."""
    m.vx += m.im * px
    m.vy += m.im * py
    m.vz += m.im * pz
    cx, cy, cz = ry * pz - rz * py, rz * px - rx * pz, rx * py - ry * px
    m.wx += m.ixx * cx + m.ixy * cy + m.ixz * cz
    m.wy += m.ixy * cx + m.iyy * cy + m.iyz * cz
    m.wz += m.ixz * cx + m.iyz * cy + m.izz * cz


@inner
def _hash(i, j, mask):  # pragma: no cover - compiled
    key = (np.int64(i) << 32) | np.int64(j)
    return ((key * np.int64(-7046029254386353131)) >> 40) & mask


@inner
def find_pair(i, j, old, table):  # pragma: no cover - compiled
    """The first contact of a pair among `old`, or -1."""
    mask = len(table) - 1
    h = _hash(i, j, mask)
    while table[h] >= 0:
        c = old[table[h]]
        if c.i == i and c.j == j:
            return table[h]
        h = (h + 1) & mask
    return np.int32(-1)


@kernel
def remember(contacts, m, table):  # pragma: no cover - compiled
    """Fill `table` (a power of two, over twice the contacts) from pair to its first contact."""
    table[:] = -1
    mask = len(table) - 1
    i, j = -1, -1
    for k in range(m):
        c = contacts[k]
        if c.i == i and c.j == j:
            continue
        i, j = c.i, c.j
        h = _hash(i, j, mask)
        while table[h] >= 0:
            h = (h + 1) & mask
        table[h] = k


@kernel
def prepare(contacts, m, motion, body, old, old_count, table, dt):  # pragma: no cover - compiled
    """Masses, aims and warm start of `m` contacts."""
    inv_dt = np.float32(1.0 / dt)
    li, lj = -1, -1
    found: Any = np.int32(-1)
    for k in range(m):
        c = contacts[k]
        if c.friction < 0:
            continue
        mi, mj = motion[c.mi], motion[c.mj]
        nx, ny, nz = c.nx, c.ny, c.nz
        if abs(nx) > np.float32(0.7):
            tx, ty, tz = -ny, nx, _ZERO
        else:
            tx, ty, tz = _ZERO, nz, -ny
        inv = _ONE / math.sqrt(tx * tx + ty * ty + tz * tz)
        tx, ty, tz = tx * inv, ty * inv, tz * inv
        ux, uy, uz = ny * tz - nz * ty, nz * tx - nx * tz, nx * ty - ny * tx
        c.tx, c.ty, c.tz = tx, ty, tz
        ax, ay, az, bx, by, bz = c.ax, c.ay, c.az, c.bx, c.by, c.bz
        total = _inverse_mass(mi, nx, ny, nz, ax, ay, az) + _inverse_mass(mj, nx, ny, nz, bx, by, bz)
        if not total > 0:  # two bodies that nothing moves
            c.mass_n = c.mass_t = c.mass_u = 0
            c.bias = c.bounce = 0
            continue
        c.mass_n = _ONE / total
        c.mass_t = _ONE / (_inverse_mass(mi, tx, ty, tz, ax, ay, az) + _inverse_mass(mj, tx, ty, tz, bx, by, bz))
        c.mass_u = _ONE / (_inverse_mass(mi, ux, uy, uz, ax, ay, az) + _inverse_mass(mj, ux, uy, uz, bx, by, bz))
        rx = mj.vx + mj.wy * bz - mj.wz * by - mi.vx - mi.wy * az + mi.wz * ay
        ry = mj.vy + mj.wz * bx - mj.wx * bz - mi.vy - mi.wz * ax + mi.wx * az
        rz = mj.vz + mj.wx * by - mj.wy * bx - mi.vz - mi.wx * ay + mi.wy * ax
        c.speed = nx * rx + ny * ry + nz * rz
        d = c.depth
        if d > 0:
            c.bias = d * inv_dt
        elif d < -SLOP:
            c.bias = max(np.float32(PUSH) * (d + np.float32(SLOP)) * inv_dt, np.float32(-PUSH_SPEED))
        else:
            c.bias = 0
    # Warm start only now: the speeds above must be those at which the bodies came.
    for k in range(m):
        c = contacts[k]
        if c.friction < 0 or c.mass_n == 0:
            continue
        mi, mj = motion[c.mi], motion[c.mj]
        nx, ny, nz, tx, ty, tz = c.nx, c.ny, c.nz, c.tx, c.ty, c.tz
        ux, uy, uz = ny * tz - nz * ty, nz * tx - nx * tz, nx * ty - ny * tx
        ax, ay, az, bx, by, bz = c.ax, c.ay, c.az, c.bx, c.by, c.bz
        # What the same point needed last step, if the pair was in contact then.
        if c.i != li or c.j != lj:
            li, lj = c.i, c.j
            found = find_pair(li, lj, old, table) if old_count else np.int32(-1)
        if found < 0:
            continue
        best, at = np.float32(SAME_POINT), -1
        q = found
        while q < old_count and old[q].i == li and old[q].j == lj:
            e = (old[q].ax - ax) ** 2 + (old[q].ay - ay) ** 2 + (old[q].az - az) ** 2
            if e < best:
                best, at = e, q
            q += 1
        if at < 0 or old[at].friction < 0:
            continue
        o = old[at]
        if o.nx * nx + o.ny * ny + o.nz * nz < np.float32(0.9):
            continue
        vx, vy, vz = o.ny * o.tz - o.nz * o.ty, o.nz * o.tx - o.nx * o.tz, o.nx * o.ty - o.ny * o.tx
        wx, wy, wz = o.tx * o.lt + vx * o.lu, o.ty * o.lt + vy * o.lu, o.tz * o.lt + vz * o.lu
        f = np.float32(0.95)
        c.ln, c.lt, c.lu = f * o.ln, f * (wx * tx + wy * ty + wz * tz), f * (wx * ux + wy * uy + wz * uz)
        px = c.ln * nx + c.lt * tx + c.lu * ux
        py = c.ln * ny + c.lt * ty + c.lu * uy
        pz = c.ln * nz + c.lt * tz + c.lu * uz
        _push(mi, -px, -py, -pz, ax, ay, az)
        _push(mj, px, py, pz, bx, by, bz)


@kernel
def interleave(contacts, m, order, runs):  # pragma: no cover - compiled
    """Fill `order` (room for m) with the contacts to solve, in an order in which neighbours seldom share a body; how
    many.

    What one contact does to its bodies the next contact of the same bodies must wait for, and a processor could work at
    several at once. So the pairs' contacts are dealt out, as many pairs at a time as `runs` has room for (one more):

        pair a  1 5 8        pair b  2 6        pair c  3 7 9 10        pair d  4
    """
    k = n = 0
    while k < m:
        pairs = longest = 0
        while k < m and pairs < len(runs) - 1:
            runs[pairs] = k
            i, j = contacts[k].i, contacts[k].j
            while k < m and contacts[k].i == i and contacts[k].j == j:
                k += 1
            longest = max(longest, k - runs[pairs])
            pairs += 1
        runs[pairs] = k
        for turn in range(longest):
            for pair in range(pairs):
                at = runs[pair] + turn
                if at < runs[pair + 1] and contacts[at].friction >= 0 and contacts[at].mass_n > 0:
                    order[n] = at
                    n += 1
    return n


@kernel
def solve(contacts, order, m, motion, rounds, push):  # pragma: no cover - compiled
    """Rounds of impulses over the m contacts of `order`; with `push`, overlaps are being taken away."""
    for _ in range(rounds):
        for k in range(m):
            c = contacts[order[k]]
            mi, mj = motion[c.mi], motion[c.mj]
            firm = c.mj == 0
            nx, ny, nz, tx, ty, tz = c.nx, c.ny, c.nz, c.tx, c.ty, c.tz
            ax, ay, az, bx, by, bz = c.ax, c.ay, c.az, c.bx, c.by, c.bz
            rx = -mi.vx - mi.wy * az + mi.wz * ay
            ry = -mi.vy - mi.wz * ax + mi.wx * az
            rz = -mi.vz - mi.wx * ay + mi.wy * ax
            if not firm:
                rx += mj.vx + mj.wy * bz - mj.wz * by
                ry += mj.vy + mj.wz * bx - mj.wx * bz
                rz += mj.vz + mj.wx * by - mj.wy * bx
            bias = c.bias
            if not push:
                bias = max(bias, _ZERO)
            l0 = c.ln
            l1 = max(l0 - c.mass_n * (nx * rx + ny * ry + nz * rz + bias), _ZERO)
            c.ln = l1
            dn = l1 - l0
            limit = c.friction * l1
            ux, uy, uz = ny * tz - nz * ty, nz * tx - nx * tz, nx * ty - ny * tx
            l0 = c.lt
            l1 = min(max(l0 - c.mass_t * (tx * rx + ty * ry + tz * rz), -limit), limit)
            c.lt = l1
            dt = l1 - l0
            l0 = c.lu
            l1 = min(max(l0 - c.mass_u * (ux * rx + uy * ry + uz * rz), -limit), limit)
            c.lu = l1
            du = l1 - l0
            px, py, pz = dn * nx + dt * tx + du * ux, dn * ny + dt * ty + du * uy, dn * nz + dt * tz + du * uz
            _push(mi, -px, -py, -pz, ax, ay, az)
            if not firm:  # the ground, a static or what sleeps: nothing moves it
                _push(mj, px, py, pz, bx, by, bz)
    # What has been pressed at all in this step: touching, and bouncing, are told by it.
    for k in range(m):
        c = contacts[order[k]]
        c.top = max(c.top, c.ln)


@kernel
def bounce(contacts, m, motion):  # pragma: no cover - compiled
    """Give back what restitution says of the speed at which bodies met."""
    for k in range(m):
        c = contacts[k]
        if c.friction < 0 or c.bounce <= 0 or c.speed > -np.float32(BOUNCE_SPEED) or c.top <= 0:
            continue
        mi, mj = motion[c.mi], motion[c.mj]
        nx, ny, nz = c.nx, c.ny, c.nz
        ax, ay, az, bx, by, bz = c.ax, c.ay, c.az, c.bx, c.by, c.bz
        rx = mj.vx + mj.wy * bz - mj.wz * by - mi.vx - mi.wy * az + mi.wz * ay
        ry = mj.vy + mj.wz * bx - mj.wx * bz - mi.vy - mi.wz * ax + mi.wx * az
        rz = mj.vz + mj.wx * by - mj.wy * bx - mi.vz - mi.wx * ay + mi.wy * ax
        l0 = c.ln
        l1 = max(l0 - c.mass_n * (nx * rx + ny * ry + nz * rz + c.bounce * c.speed), _ZERO)
        c.ln = l1
        c.top = max(c.top, l1)
        d = l1 - l0
        _push(mi, -d * nx, -d * ny, -d * nz, ax, ay, az)
        _push(mj, d * nx, d * ny, d * nz, bx, by, bz)


@kernel
def mark_touched(contacts, m, body):  # pragma: no cover - compiled
    """Set `touched` of bodies that something presses on: their path is no free fall."""
    for k in range(m):
        c = contacts[k]
        if c.friction >= 0 and c.top > 0:
            body[c.i].touched = 1
            if body[c.j].kind == DYNAMIC:
                body[c.j].touched = 1
