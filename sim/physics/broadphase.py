"""Which bodies may touch: two grids of columns over the region, one of what rests for ever, one of what may move.

    statics   built when statics changed, 2 m cells; a few that came since are kept in a short list beside it
    movers    built every step that something is awake, 1 m cells

A body is entered in every cell its box covers; a pair is reported by the one cell that holds the low corner of the
boxes' overlap, so no pair comes twice. Two sleeping bodies are no pair, nor is anything with a phantom.
"""

from __future__ import annotations

import math

from sim.physics.data import DYNAMIC, KINEMATIC, MARGIN, STATIC, inner, kernel

STATIC_CELL, MOVER_CELL = 2.0, 1.0  # metres
STATIC_SIDE, MOVER_SIDE = 128, 256  # cells along the region's 256 m
REGION = 256.0


@kernel
def place(h, b, g, dt):  # pragma: no cover - compiled
    """Matrix, inverse inertia in region axes and bounds of one body, from its pose."""
    p, m, o = b.pose[h], b.motion[h], b.body[h]
    x, y, z, w = float(p.qx), float(p.qy), float(p.qz), float(p.qw)
    r00, r01, r02 = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    r10, r11, r12 = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    r20, r21, r22 = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)
    p.r00, p.r01, p.r02, p.r10, p.r11, p.r12, p.r20, p.r21, p.r22 = r00, r01, r02, r10, r11, r12, r20, r21, r22
    if o.kind == DYNAMIC:
        a0, a1, a2 = r00 * o.jxx + r01 * o.jxy + r02 * o.jxz, r00 * o.jxy + r01 * o.jyy + r02 * o.jyz, 0.0
        a2 = r00 * o.jxz + r01 * o.jyz + r02 * o.jzz
        b0, b1 = r10 * o.jxx + r11 * o.jxy + r12 * o.jxz, r10 * o.jxy + r11 * o.jyy + r12 * o.jyz
        b2 = r10 * o.jxz + r11 * o.jyz + r12 * o.jzz
        c0, c1 = r20 * o.jxx + r21 * o.jxy + r22 * o.jxz, r20 * o.jxy + r21 * o.jyy + r22 * o.jyz
        c2 = r20 * o.jxz + r21 * o.jyz + r22 * o.jzz
        m.ixx, m.iyy, m.izz = a0 * r00 + a1 * r01 + a2 * r02, b0 * r10 + b1 * r11 + b2 * r12, c0 * r20 + c1 * r21 + c2 * r22
        m.ixy, m.ixz = a0 * r10 + a1 * r11 + a2 * r12, a0 * r20 + a1 * r21 + a2 * r22
        m.iyz = b0 * r20 + b1 * r21 + b2 * r22
    s = g.shapes[o.shape]
    cx = p.x + r00 * s.mx + r01 * s.my + r02 * s.mz
    cy = p.y + r10 * s.mx + r11 * s.my + r12 * s.mz
    cz = p.z + r20 * s.mx + r21 * s.my + r22 * s.mz
    more = MARGIN + min(math.sqrt(m.vx * m.vx + m.vy * m.vy + m.vz * m.vz) * dt, 0.25)
    hx = abs(r00) * s.hx + abs(r01) * s.hy + abs(r02) * s.hz + more
    hy = abs(r10) * s.hx + abs(r11) * s.hy + abs(r12) * s.hz + more
    hz = abs(r20) * s.hx + abs(r21) * s.hy + abs(r22) * s.hz + more
    box = b.bounds[h]
    box[0], box[1], box[2], box[3], box[4], box[5] = cx - hx, cy - hy, cz - hz, cx + hx, cy + hy, cz + hz


@kernel
def refresh(b, g, count, dt):  # pragma: no cover - compiled
    """`place` every body that is awake."""
    for h in range(1, count):
        if b.awake[h]:
            place(h, b, g, dt)


@inner
def cell_of(v, inv, side):  # pragma: no cover - compiled
    """Cell of a coordinate; what is outside the region is in the cell at its edge."""
    if not v > 0:
        return 0
    c = v * inv
    return side - 1 if c >= side else int(c)


@kernel
def build_grid(b, count, statics, side, inv, start, items):  # pragma: no cover - compiled
    """Fill `start` (side * side + 1,) and `items`, the handles by cell; how many there are. More than `items` has room
    for: nothing is in the grid, call again with room."""
    start[:] = 0
    for step in range(2):
        if step == 1:
            for c in range(side * side):
                start[c + 1] += start[c]
            if start[side * side] > len(items):
                total = start[side * side]
                start[:] = 0
                return total
        for h in range(count - 1, 0, -1):
            o = b.body[h]
            if not o.active or o.phantom or (o.kind == STATIC) != statics:
                continue
            box = b.bounds[h]
            x0, x1 = cell_of(box[0], inv, side), cell_of(box[3], inv, side)
            y0, y1 = cell_of(box[1], inv, side), cell_of(box[4], inv, side)
            for y in range(y0, y1 + 1):
                for x in range(x0, x1 + 1):
                    c = y * side + x
                    if step == 0:
                        start[c] += 1
                    else:
                        start[c] -= 1
                        items[start[c]] = h
            if statics and step == 1:
                o.in_grid = 1
    return start[side * side]


@inner
def _overlap(p, q):  # pragma: no cover - compiled
    return (
        p[2] < q[5] and q[2] < p[5] and p[0] < q[3] and q[0] < p[3] and p[1] < q[4] and q[1] < p[4]
    )


@inner
def _put(pairs, count, i, j):  # pragma: no cover - compiled
    if count < len(pairs):
        pairs[count, 0] = i
        pairs[count, 1] = j
    return count + 1


@inner
def _with_statics(b, i, static_grid, static_items, fresh, fresh_count, pairs, total):  # pragma: no cover - compiled
    """Append the pairs of body i with statics; how many pairs there are then."""
    side, inv = STATIC_SIDE, 1.0 / STATIC_CELL
    body, q = b.body, b.bounds
    kinematic = body[i].kind == KINEMATIC
    x0, y0, z0, x1, y1, z1 = q[i, 0], q[i, 1], q[i, 2], q[i, 3], q[i, 4], q[i, 5]
    if static_grid[side * side] > 0:
        low_x, high_x = cell_of(x0, inv, side), cell_of(x1, inv, side)
        for y in range(cell_of(y0, inv, side), cell_of(y1, inv, side) + 1):
            for x in range(low_x, high_x + 1):
                for k in range(static_grid[y * side + x], static_grid[y * side + x + 1]):
                    j = static_items[k]
                    if z0 >= q[j, 5] or q[j, 2] >= z1 or x0 >= q[j, 3] or q[j, 0] >= x1:
                        continue
                    if y0 >= q[j, 4] or q[j, 1] >= y1 or not body[j].in_grid or (kinematic and not body[j].sensor):
                        continue
                    cx, cy = cell_of(max(x0, q[j, 0]), inv, side), cell_of(max(y0, q[j, 1]), inv, side)
                    if cx == x and cy == y:
                        total = _put(pairs, total, i, j)
    for k in range(fresh_count):
        j = fresh[k]
        o = body[j]
        if not o.active or o.kind != STATIC or o.phantom or o.in_grid or (kinematic and not o.sensor):
            continue
        if _overlap(q[i], q[j]):
            total = _put(pairs, total, i, j)
    return total


@kernel
def find_pairs(b, count, static_grid, static_items, grid, items, fresh, fresh_count, pairs):  # pragma: no cover - compiled
    """Fill `pairs` (n, 2) with handles whose boxes overlap and of which one is awake; statics come second. How many
    there are, stored or not."""
    total = 0
    body, awake, q = b.body, b.awake, b.bounds
    side, inv = MOVER_SIDE, 1.0 / MOVER_CELL
    for c in range(side * side):
        first, last = grid[c], grid[c + 1]
        if last - first < 2:
            continue
        for k in range(first, last - 1):
            i = items[k]
            woken = awake[i]
            x0, y0, z0, x1, y1, z1 = q[i, 0], q[i, 1], q[i, 2], q[i, 3], q[i, 4], q[i, 5]
            for m in range(k + 1, last):
                j = items[m]
                if not (woken or awake[j]):
                    continue
                if z0 >= q[j, 5] or q[j, 2] >= z1 or x0 >= q[j, 3] or q[j, 0] >= x1 or y0 >= q[j, 4] or q[j, 1] >= y1:
                    continue
                if body[i].kind == KINEMATIC and body[j].kind == KINEMATIC:
                    continue
                x, y = cell_of(max(x0, q[j, 0]), inv, side), cell_of(max(y0, q[j, 1]), inv, side)
                if y * side + x == c:
                    total = _put(pairs, total, i, j)
    for i in range(1, count):
        if awake[i] and not body[i].phantom and body[i].kind != STATIC:
            total = _with_statics(b, i, static_grid, static_items, fresh, fresh_count, pairs, total)
    return total


@kernel
def pairs_of_roused(
    b, roused, count, static_grid, static_items, grid, items, fresh, fresh_count, pairs, total
):  # pragma: no cover - compiled
    """Append to `pairs` those of bodies that were roused after `find_pairs`, with each other, with what sleeps on and
    with statics. How many there are then, stored or not."""
    body, q = b.body, b.bounds
    side, inv = MOVER_SIDE, 1.0 / MOVER_CELL
    for r in range(count):
        i = roused[r]
        x0, y0 = q[i, 0], q[i, 1]
        for y in range(cell_of(y0, inv, side), cell_of(q[i, 4], inv, side) + 1):
            for x in range(cell_of(x0, inv, side), cell_of(q[i, 3], inv, side) + 1):
                for k in range(grid[y * side + x], grid[y * side + x + 1]):
                    j = items[k]
                    # Who was awake before has been paired with this body already; of two roused the first tells.
                    if j == i or (b.awake[j] and (not body[j].roused or j < i)) or not _overlap(q[i], q[j]):
                        continue
                    cx, cy = cell_of(max(x0, q[j, 0]), inv, side), cell_of(max(y0, q[j, 1]), inv, side)
                    if cx == x and cy == y:
                        total = _put(pairs, total, min(i, j), max(i, j))
        total = _with_statics(b, i, static_grid, static_items, fresh, fresh_count, pairs, total)
    return total


@kernel
def wake_around(b, count, box, stir):  # pragma: no cover - compiled
    """Wake every sleeping dynamic body whose bounds touch `box` (6,); how many."""
    woken = 0
    for h in range(1, count):
        if not b.awake[h] and b.body[h].active and b.body[h].kind == DYNAMIC and _overlap(b.bounds[h], box):
            b.awake[h] = 1
            if stir:
                b.body[h].timer = 0
            woken += 1
    return woken
