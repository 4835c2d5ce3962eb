"""Pieces against single triangles of a static mesh. A triangle is solid from both sides: it pushes a body to the side on
which the body's centre is, so open meshes hold, too. At edges between triangles the triangle's own normal is kept
wherever it nearly fits, so that a ball does not trip over the seams of a flat floor.
"""

from __future__ import annotations

import math

from sim.physics.boxes import reduce_points
from sim.physics.data import CAPSULE, SPHERE, ZERO, float64, inner, int64
from sim.physics.polyhedra import _clip

DEEP = 0.5  # metres under a face beyond which a body is on its other side, not in it


@inner
def closest_triangle(t, x, y, z):  # pragma: no cover - compiled
    """Nearest point of triangle `t` (9 numbers) to a point."""
    abx, aby, abz = t[3] - t[0], t[4] - t[1], t[5] - t[2]
    acx, acy, acz = t[6] - t[0], t[7] - t[1], t[8] - t[2]
    px, py, pz = x - t[0], y - t[1], z - t[2]
    d1, d2 = abx * px + aby * py + abz * pz, acx * px + acy * py + acz * pz
    if d1 <= 0 and d2 <= 0:
        return t[0], t[1], t[2]
    qx, qy, qz = x - t[3], y - t[4], z - t[5]
    d3, d4 = abx * qx + aby * qy + abz * qz, acx * qx + acy * qy + acz * qz
    if d3 >= 0 and d4 <= d3:
        return t[3], t[4], t[5]
    vc = d1 * d4 - d3 * d2
    if vc <= 0 and d1 >= 0 and d3 <= 0:
        v = d1 / (d1 - d3)
        return t[0] + v * abx, t[1] + v * aby, t[2] + v * abz
    rx, ry, rz = x - t[6], y - t[7], z - t[8]
    d5, d6 = abx * rx + aby * ry + abz * rz, acx * rx + acy * ry + acz * rz
    if d6 >= 0 and d5 <= d6:
        return t[6], t[7], t[8]
    vb = d5 * d2 - d1 * d6
    if vb <= 0 and d2 >= 0 and d6 <= 0:
        w = d2 / (d2 - d6)
        return t[0] + w * acx, t[1] + w * acy, t[2] + w * acz
    va = d3 * d6 - d5 * d4
    if va <= 0 and d4 - d3 >= 0 and d5 - d6 >= 0:
        w = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        return t[3] + w * (t[6] - t[3]), t[4] + w * (t[7] - t[4]), t[5] + w * (t[8] - t[5])
    den = 1.0 / (va + vb + vc)
    v, w = vb * den, vc * den
    return t[0] + abx * v + acx * w, t[1] + aby * v + acy * w, t[2] + abz * v + acz * w


@inner
def triangle_normal(t):  # pragma: no cover - compiled
    ux, uy, uz = t[3] - t[0], t[4] - t[1], t[5] - t[2]
    vx, vy, vz = t[6] - t[0], t[7] - t[1], t[8] - t[2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    d = math.sqrt(nx * nx + ny * ny + nz * nz)
    if d < 1e-20:
        return 0.0, 0.0, 1.0
    return nx / d, ny / d, nz / d


@inner
def piece_triangle(pa, g, s, t, margin):  # pragma: no cover - compiled
    """Manifold of a piece (transform s.xa) and a triangle in the region's axes (9 numbers); how many points."""
    if pa.form == SPHERE or pa.form == CAPSULE:
        return _round_triangle(pa, s, t, margin)
    return _poly_triangle(pa, g, s, t, margin)


@inner
def _round_triangle(pa, s, t, margin):  # pragma: no cover - compiled
    xa = s.xa
    radius = float64(pa.hx)
    fx, fy, fz = triangle_normal(t)
    side = 1.0 if fx * (xa[0] - t[0]) + fy * (xa[1] - t[1]) + fz * (xa[2] - t[2]) >= 0 else -1.0
    fx, fy, fz = side * fx, side * fy, side * fz
    length = float64(pa.hz) if pa.form == CAPSULE else 0.0
    count = ZERO
    best = 1e30
    for k in range(3 if length > 0 else 1):
        w = 0.0 if length == 0 else (-length if k == 0 else (length if k == 1 else 0.0))
        x, y, z = xa[0] + w * xa[5], xa[1] + w * xa[8], xa[2] + w * xa[11]
        qx, qy, qz = closest_triangle(t, x, y, z)
        dx, dy, dz = x - qx, y - qy, z - qz
        d = math.sqrt(dx * dx + dy * dy + dz * dz)
        above = dx * fx + dy * fy + dz * fz
        if above < 0:  # this end is through the face
            d = -d
        depth = d - radius
        if depth > margin or depth < -radius - DEEP:
            continue
        if abs(d) < 1e-7 or above > 0.7 * d or d < 0:
            nx, ny, nz = fx, fy, fz
        else:
            nx, ny, nz = dx / d, dy / d, dz / d
        s.points[count, 0], s.points[count, 1], s.points[count, 2] = qx, qy, qz
        s.depths[count] = depth
        if depth < best:
            best = depth
            s.normal[0], s.normal[1], s.normal[2] = -nx, -ny, -nz
        count += 1
    return count


@inner
def _poly_triangle(pa, g, s, t, margin):  # pragma: no cover - compiled
    xa, verts, faces, loops, edges = s.xa, g.verts, g.faces, g.loops, g.edges
    for k in range(3):  # the triangle as the piece sees it
        dx, dy, dz = t[3 * k] - xa[0], t[3 * k + 1] - xa[1], t[3 * k + 2] - xa[2]
        for r in range(3):
            s.corners[k, r] = xa[3 + r] * dx + xa[6 + r] * dy + xa[9 + r] * dz
    c = s.corners
    ux, uy, uz = c[1, 0] - c[0, 0], c[1, 1] - c[0, 1], c[1, 2] - c[0, 2]
    vx, vy, vz = c[2, 0] - c[0, 0], c[2, 1] - c[0, 1], c[2, 2] - c[0, 2]
    tx, ty, tz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = math.sqrt(tx * tx + ty * ty + tz * tz)
    if length < 1e-12:
        return 0
    tx, ty, tz = tx / length, ty / length, tz / length
    d0 = tx * c[0, 0] + ty * c[0, 1] + tz * c[0, 2]
    if d0 > 0:  # the piece's centre is the origin; the normal points to it
        tx, ty, tz, d0 = -tx, -ty, -tz, -d0
    low = 1e30
    for v in range(pa.v0, pa.v0 + pa.vn):
        low = min(low, tx * verts[v, 0] + ty * verts[v, 1] + tz * verts[v, 2])
    gap_t = low - d0
    if gap_t > margin:
        return 0
    best, ref = -1e30, -1
    for f in range(pa.f0, pa.f0 + pa.fn):
        face = faces[f]
        near = 1e30
        for k in range(3):
            near = min(near, face.nx * c[k, 0] + face.ny * c[k, 1] + face.nz * c[k, 2])
        gap = near - face.d
        if gap > margin:
            return 0
        if gap > best:
            best, ref = gap, f
    best_edge = -1e30
    ex = ey = ez = 0.0
    for e in range(pa.e0, pa.e0 + pa.en):
        a, b = pa.v0 + edges[e].a, pa.v0 + edges[e].b
        ax, ay, az = verts[b, 0] - verts[a, 0], verts[b, 1] - verts[a, 1], verts[b, 2] - verts[a, 2]
        for k in range(3):
            m = (k + 1) % 3
            bx, by, bz = c[m, 0] - c[k, 0], c[m, 1] - c[k, 1], c[m, 2] - c[k, 2]
            nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
            size = math.sqrt(nx * nx + ny * ny + nz * nz)
            if size < 1e-3 * math.sqrt((ax * ax + ay * ay + az * az) * (bx * bx + by * by + bz * bz)):
                continue
            nx, ny, nz = nx / size, ny / size, nz / size
            if nx * c[k, 0] + ny * c[k, 1] + nz * c[k, 2] < 0:  # away from the piece's centre
                nx, ny, nz = -nx, -ny, -nz
            high = -1e30
            for v in range(pa.v0, pa.v0 + pa.vn):
                high = max(high, nx * verts[v, 0] + ny * verts[v, 1] + nz * verts[v, 2])
            near = min(
                nx * c[0, 0] + ny * c[0, 1] + nz * c[0, 2],
                nx * c[1, 0] + ny * c[1, 1] + nz * c[1, 2],
                nx * c[2, 0] + ny * c[2, 1] + nz * c[2, 2],
            )
            gap = near - high
            if gap > margin:
                return 0
            if gap > best_edge:
                best_edge, ex, ey, ez = gap, nx, ny, nz
    # The triangle's own face wins unless another way out is much shorter.
    row = faces[ref]
    other_gap = max(best, best_edge)
    count = ZERO
    if gap_t >= other_gap - 0.1 or -(tx * row.nx + ty * row.ny + tz * row.nz) > 0.7:
        inc, steep = pa.f0, 1e30
        for f in range(pa.f0, pa.f0 + pa.fn):
            d = faces[f].nx * tx + faces[f].ny * ty + faces[f].nz * tz
            if d < steep:
                steep, inc = d, f
        face = faces[inc]
        n = int64(face.ln)
        for k in range(n):
            v = pa.v0 + loops[face.l0 + k]
            for r in range(3):
                s.clip[k, r] = verts[v, r]
        poly, other = s.clip, s.clip2
        for k in range(3):
            m, q = (k + 1) % 3, (k + 2) % 3
            bx, by, bz = c[m, 0] - c[k, 0], c[m, 1] - c[k, 1], c[m, 2] - c[k, 2]
            px, py, pz = by * tz - bz * ty, bz * tx - bx * tz, bx * ty - by * tx
            if px * (c[q, 0] - c[k, 0]) + py * (c[q, 1] - c[k, 1]) + pz * (c[q, 2] - c[k, 2]) > 0:
                px, py, pz = -px, -py, -pz
            n = _clip(poly, other, n, px, py, pz, px * c[k, 0] + py * c[k, 1] + pz * c[k, 2])
            poly, other = other, poly
        for k in range(n):
            depth = tx * poly[k, 0] + ty * poly[k, 1] + tz * poly[k, 2] - d0
            if depth < margin:
                for r in range(3):
                    s.points[count, r] = poly[k, r]
                s.depths[count] = depth
                count += 1
        s.normal[0], s.normal[1], s.normal[2] = -tx, -ty, -tz
    else:
        if best_edge > best + 0.01:
            nx, ny, nz = ex, ey, ez
            limit = 1e30
            for k in range(3):
                limit = min(limit, nx * c[k, 0] + ny * c[k, 1] + nz * c[k, 2])
        else:
            nx, ny, nz = float64(row.nx), float64(row.ny), float64(row.nz)
            limit = float64(row.d) + best
        # Corners of the triangle in the piece, along that way out.
        for k in range(3):
            d = nx * c[k, 0] + ny * c[k, 1] + nz * c[k, 2]
            if d < limit + 0.01:
                for r in range(3):
                    s.points[count, r] = c[k, r]
                s.depths[count] = max(other_gap, -0.5) + (d - limit)
                count += 1
        s.normal[0], s.normal[1], s.normal[2] = nx, ny, nz
    count = reduce_points(s.points, s.depths, count, s.normal)
    nx, ny, nz = s.normal[0], s.normal[1], s.normal[2]
    for r in range(3):
        s.normal[r] = xa[3 + 3 * r] * nx + xa[4 + 3 * r] * ny + xa[5 + 3 * r] * nz
    for k in range(count):
        px, py, pz = s.points[k, 0], s.points[k, 1], s.points[k, 2]
        for r in range(3):
            s.points[k, r] = xa[r] + xa[3 + 3 * r] * px + xa[4 + 3 * r] * py + xa[5 + 3 * r] * pz
    return count
