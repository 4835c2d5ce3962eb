"""Every awake body against the land: its corners, rims and ends by the height there, and hilltops inside what is large.

The ground is solid all the way down, and is handle 0 in its contacts: a body of no mass.
"""

from __future__ import annotations

import math

from sim.physics.boxes import reduce_points
from sim.physics.broadphase import cell_of
from sim.physics.contacts import emit, piece_pose
from sim.physics.data import CAPSULE, CYLINDER, KINEMATIC, MARGIN, MESH, NONE, SPHERE, ZERO, float64, inner, kernel
from sim.world.terrain import normal_at, surface_at

GROUND_FRICTION, GROUND_RESTITUTION = 0.8, 0.02
FAR = 10.0  # times the margin above the ground: nothing touches, however steep it is


@inner
def _highest(heights, x, y, r):  # pragma: no cover - compiled
    """No ground within r of (x, y) is higher. Of what is large, no more is said than that."""
    if not r < 2.0:
        return 1e30
    x0, x1 = cell_of(x - r, 1.0, 256), cell_of(x + r, 1.0, 256) + 1
    y0, y1 = cell_of(y - r, 1.0, 256), cell_of(y + r, 1.0, 256) + 1
    high = heights[y0, x0]
    for iy in range(y0, y1 + 1):
        for ix in range(x0, x1 + 1):
            high = max(high, heights[iy, ix])
    return float64(high)


@inner
def _touch_ground(s, count, x, y, z, radius, heights, margin):  # pragma: no cover - compiled
    """Add a point (with a radius) to the scratch manifold if it is near or under the ground."""
    if count >= 100:
        return count
    height, slope_x, slope_y = surface_at(heights, x, y)
    above = z - height
    if above > FAR * (margin + radius):
        return count
    nz = 1.0 / math.sqrt(slope_x * slope_x + slope_y * slope_y + 1.0)
    gap = above * nz - radius
    if gap > margin:
        return count
    nx, ny = -slope_x * nz, -slope_y * nz
    s.points[count, 0], s.points[count, 1], s.points[count, 2] = x - radius * nx, y - radius * ny, z - radius * nz
    s.depths[count] = gap
    # Where many points touch, the steepest contact would win; the deepest one's normal is what is wanted.
    if count == 0 or gap < s.clip[0, 0]:
        s.clip[0, 0] = gap
        s.normal[0], s.normal[1], s.normal[2] = -nx, -ny, -nz
    return count + 1


@inner
def _piece_on_ground(pa, g, s, heights, margin):  # pragma: no cover - compiled
    """Manifold of a piece at s.xa and the ground. The ground is solid all the way down: a corner under it is in it."""
    x = s.xa
    count = ZERO
    s.clip[0, 0] = 0.0
    if pa.form == SPHERE:
        return _touch_ground(s, ZERO, x[0], x[1], x[2], float64(pa.hx), heights, margin)
    if pa.form == CAPSULE:
        for k in range(2):
            h = pa.hz if k else -pa.hz
            count = _touch_ground(
                s, count, x[0] + h * x[5], x[1] + h * x[8], x[2] + h * x[11], float64(pa.hx), heights, margin
            )
        return count
    if pa.form == CYLINDER:
        nx, ny, nz = normal_at(heights, x[0], x[1])
        along = nx * x[5] + ny * x[8] + nz * x[11]
        px, py, pz = along * x[5] - nx, along * x[8] - ny, along * x[11] - nz
        size = math.sqrt(px * px + py * py + pz * pz)
        if size < 1e-3:
            px, py, pz, size = x[3], x[6], x[9], 1.0
        px, py, pz = px / size * pa.hx, py / size * pa.hx, pz / size * pa.hx
        qx = x[8] * pz - x[11] * py
        qy = x[11] * px - x[5] * pz
        qz = x[5] * py - x[8] * px
        for k in range(2):
            h = pa.hz if k else -pa.hz
            cx, cy, cz = x[0] + h * x[5], x[1] + h * x[8], x[2] + h * x[11]
            count = _touch_ground(s, count, cx + px, cy + py, cz + pz, 0.0, heights, margin)
            if abs(along) > 0.5:
                for e in (-0.8660254, 0.8660254):  # a third of the way round to both sides
                    dx, dy, dz = -0.5 * px + e * qx, -0.5 * py + e * qy, -0.5 * pz + e * qz
                    count = _touch_ground(s, count, cx + dx, cy + dy, cz + dz, 0.0, heights, margin)
        return count
    clear = _highest(heights, x[0], x[1], float64(pa.outer)) + FAR * margin
    if x[2] - pa.outer > clear:
        return count
    for v in range(pa.v0, pa.v0 + pa.vn):
        a, c, d = float64(g.verts[v, 0]), float64(g.verts[v, 1]), float64(g.verts[v, 2])
        z = x[2] + x[9] * a + x[10] * c + x[11] * d
        if z < clear:  # the upper half of most things is not
            px, py = x[0] + x[3] * a + x[4] * c + x[5] * d, x[1] + x[6] * a + x[7] * c + x[8] * d
            count = _touch_ground(s, count, px, py, z, 0.0, heights, margin)
    if max(pa.hx, pa.hy, pa.hz) > 0.75:
        count = _hilltops(pa, g, s, heights, count, margin)
    return count


@inner
def _hilltops(pa, g, s, heights, count, margin):  # pragma: no cover - compiled
    """Tops of the ground inside a large polyhedron, between its corners: a plank lies on a ridge."""
    x = s.xa
    r = float64(pa.outer)
    if not (x[0] + r >= 0 and x[0] - r <= 256 and x[1] + r >= 0 and x[1] - r <= 256):
        return count  # all of it is beyond the region, or nowhere
    x0, x1 = cell_of(x[0] - r, 1.0, 256), cell_of(x[0] + r, 1.0, 257)
    y0, y1 = cell_of(x[1] - r, 1.0, 256), cell_of(x[1] + r, 1.0, 257)
    stride = 1 + max(x1 - x0, y1 - y0) // 24
    for iy in range(y0, y1 + 1, stride):
        for ix in range(x0, x1 + 1, stride):
            h = float64(heights[iy, ix])
            dx, dy, dz = ix - x[0], iy - x[1], h - x[2]
            if abs(dz) > r:
                continue
            lx = x[3] * dx + x[6] * dy + x[9] * dz
            ly = x[4] * dx + x[7] * dy + x[10] * dz
            lz = x[5] * dx + x[8] * dy + x[11] * dz
            inside = True
            # How far the top is from leaving upwards through the faces that look down.
            way = 1e30
            for f in range(pa.f0, pa.f0 + pa.fn):
                face = g.faces[f]
                d = face.nx * lx + face.ny * ly + face.nz * lz - face.d
                if d > 0:
                    inside = False
                    break
                down = x[9] * face.nx + x[10] * face.ny + x[11] * face.nz
                if down < -0.3:
                    way = min(way, d / down)
            if not inside or way > 1e29 or count >= 100:
                continue
            nx, ny, nz = normal_at(heights, float64(ix), float64(iy))
            s.points[count, 0], s.points[count, 1], s.points[count, 2] = float64(ix), float64(iy), h
            s.depths[count] = -way * nz
            if count == 0 or s.depths[count] < s.clip[0, 0]:
                s.clip[0, 0] = s.depths[count]
                s.normal[0], s.normal[1], s.normal[2] = -nx, -ny, -nz
            count += 1
    return count


@kernel
def collide_ground(b, g, s, n, heights, top, contacts, m, dt):  # pragma: no cover - compiled
    """Append the contacts of awake bodies with the ground to the first m; how many there are then, stored or not."""
    for i in range(1, n):
        o = b.body[i]
        if not b.awake[i] or o.kind == KINEMATIC or b.bounds[i, 2] > top:
            continue
        mi = b.motion[i]
        margin = MARGIN + min(math.sqrt(mi.vx * mi.vx + mi.vy * mi.vy + mi.vz * mi.vz) * dt, 0.1)
        friction = math.sqrt(o.friction * GROUND_FRICTION)
        restitution = math.sqrt(o.restitution * GROUND_RESTITUTION)
        shape = g.shapes[o.shape]
        for u in range(shape.first, shape.first + shape.count):
            piece = g.pieces[u]
            if piece.form == MESH:
                continue
            piece_pose(b.pose[i], piece, s.xa)
            count = _piece_on_ground(piece, g, s, heights, margin)
            if count == 0:
                continue
            count = reduce_points(s.points, s.depths, count, s.normal)
            m = emit(contacts, m, i, ZERO, s, count, b, friction, restitution, NONE)
    return m
