"""Box against box, the pair that matters most: separating axes, then the touching face clipped to the other's outline.

Points and depths go to the scratch manifold; the normal points from a to b. Up to four points: enough to stand on.
"""

from __future__ import annotations

import math

from sim.physics.data import NONE, ZERO, float64, inner


@inner
def reduce_points(points, depths, count, normal):  # pragma: no cover - compiled
    """Keep four of `count` manifold points: the deepest, the one farthest from it, and the two that span most area."""
    if count <= 4:
        return count
    deep = ZERO
    for k in range(1, count):
        if depths[k] < depths[deep] - 1e-4:
            deep = k
    _swap(points, depths, ZERO, deep)
    best = -1.0
    far = ZERO + 1
    for k in range(1, count):
        d = 0.0
        for c in range(3):
            d += (points[k, c] - points[0, c]) ** 2
        if d > best:
            best = d
            far = k
    _swap(points, depths, ZERO + 1, far)
    ux, uy, uz = points[1, 0] - points[0, 0], points[1, 1] - points[0, 1], points[1, 2] - points[0, 2]
    # Across the line between the first two, within the contact plane.
    wx, wy, wz = normal[1] * uz - normal[2] * uy, normal[2] * ux - normal[0] * uz, normal[0] * uy - normal[1] * ux
    high = low = 0.0
    most = least = NONE
    for k in range(2, count):
        d = wx * (points[k, 0] - points[0, 0]) + wy * (points[k, 1] - points[0, 1]) + wz * (points[k, 2] - points[0, 2])
        if d > high:
            high = d
            most = k
        if d < low:
            low = d
            least = k
    kept = ZERO + 2
    if most >= 0:
        _swap(points, depths, kept, most)
        if least == kept:
            least = most
        kept += 1
    if least >= 0:
        _swap(points, depths, kept, least)
        kept += 1
    return kept


@inner
def _swap(points, depths, a, b):  # pragma: no cover - compiled
    if a == b:
        return
    for c in range(3):
        points[a, c], points[b, c] = points[b, c], points[a, c]
    depths[a], depths[b] = depths[b], depths[a]


@inner
def box_box(pa, pb, s, margin):  # pragma: no cover - compiled
    """Manifold of two box pieces whose transforms are in s.xa and s.xb; how many points."""
    xa, xb = s.xa, s.xb
    ha = (float64(pa.hx), float64(pa.hy), float64(pa.hz))
    hb = (float64(pb.hx), float64(pb.hy), float64(pb.hz))
    dx, dy, dz = xb[0] - xa[0], xb[1] - xa[1], xb[2] - xa[2]
    best = -1e30
    kind = -1
    nx = ny = nz = 0.0
    for k in range(6):  # faces of a, then of b; a later axis must be clearly better, so that the choice does not flicker
        x = xa if k < 3 else xb
        c = k % 3
        ax, ay, az = x[3 + c], x[6 + c], x[9 + c]
        t = dx * ax + dy * ay + dz * az
        ra = rb = 0.0
        for m in range(3):
            ra += ha[m] * abs(xa[3 + m] * ax + xa[6 + m] * ay + xa[9 + m] * az)
            rb += hb[m] * abs(xb[3 + m] * ax + xb[6 + m] * ay + xb[9 + m] * az)
        gap = abs(t) - ra - rb
        if gap > margin:
            return 0
        if gap > best + (0.001 if k else 0.0):
            best = gap
            kind = k
            f = 1.0 if t > 0 else -1.0
            nx, ny, nz = f * ax, f * ay, f * az
    edge = -1
    for k in range(3):
        for m in range(3):
            ax = xa[6 + k] * xb[9 + m] - xa[9 + k] * xb[6 + m]
            ay = xa[9 + k] * xb[3 + m] - xa[3 + k] * xb[9 + m]
            az = xa[3 + k] * xb[6 + m] - xa[6 + k] * xb[3 + m]
            length = ax * ax + ay * ay + az * az
            if length < 1e-4:
                continue
            inv = 1.0 / math.sqrt(length)
            ax, ay, az = ax * inv, ay * inv, az * inv
            t = dx * ax + dy * ay + dz * az
            ra = rb = 0.0
            for c in range(3):
                ra += ha[c] * abs(xa[3 + c] * ax + xa[6 + c] * ay + xa[9 + c] * az)
                rb += hb[c] * abs(xb[3 + c] * ax + xb[6 + c] * ay + xb[9 + c] * az)
            gap = abs(t) - ra - rb
            if gap > margin:
                return 0
            if gap > best + 0.01:
                best = gap
                kind = 6
                edge = k * 3 + m
                f = 1.0 if t > 0 else -1.0
                nx, ny, nz = f * ax, f * ay, f * az
    s.normal[0], s.normal[1], s.normal[2] = nx, ny, nz
    if kind == 6:  # two edges cross: the point between the middles of both
        px, py, pz = xa[0], xa[1], xa[2]
        qx, qy, qz = xb[0], xb[1], xb[2]
        for c in range(3):
            if c != edge // 3:
                h = ha[c] if xa[3 + c] * nx + xa[6 + c] * ny + xa[9 + c] * nz > 0 else -ha[c]
                px, py, pz = px + h * xa[3 + c], py + h * xa[6 + c], pz + h * xa[9 + c]
            if c != edge % 3:
                h = -hb[c] if xb[3 + c] * nx + xb[6 + c] * ny + xb[9 + c] * nz > 0 else hb[c]
                qx, qy, qz = qx + h * xb[3 + c], qy + h * xb[6 + c], qz + h * xb[9 + c]
        # Closest points of the two edge lines.
        k, m = edge // 3, edge % 3
        ux, uy, uz = xa[3 + k], xa[6 + k], xa[9 + k]
        vx, vy, vz = xb[3 + m], xb[6 + m], xb[9 + m]
        wx, wy, wz = px - qx, py - qy, pz - qz
        b = ux * vx + uy * vy + uz * vz
        d = ux * wx + uy * wy + uz * wz
        e = vx * wx + vy * wy + vz * wz
        den = 1.0 - b * b
        t = min(max((b * e - d) / den, -ha[k]), ha[k])
        u = min(max((e - b * d) / den, -hb[m]), hb[m])
        s.points[0, 0] = 0.5 * (px + t * ux + qx + u * vx)
        s.points[0, 1] = 0.5 * (py + t * uy + qy + u * vy)
        s.points[0, 2] = 0.5 * (pz + t * uz + qz + u * vz)
        s.depths[0] = best
        return 1
    # The reference face belongs to r, the face of o that looks at it is clipped.
    if kind < 3:
        r, o, hr, ho, kk, sign = xa, xb, ha, hb, kind, 1.0
    else:
        r, o, hr, ho, kk, sign = xb, xa, hb, ha, kind - 3, -1.0
    rx, ry, rz = nx * sign, ny * sign, nz * sign
    face = 0
    steep = -1.0
    side = 1.0
    for c in range(3):
        d = o[3 + c] * rx + o[6 + c] * ry + o[9 + c] * rz
        if abs(d) > steep:
            steep = abs(d)
            face = c
            side = -1.0 if d > 0 else 1.0
    u, v = (face + 1) % 3, (face + 2) % 3
    hf, hu, hv = side * ho[face], ho[u], ho[v]
    cx = o[0] + hf * o[3 + face] - r[0]
    cy = o[1] + hf * o[6 + face] - r[1]
    cz = o[2] + hf * o[9 + face] - r[2]
    ku, kv = (kk + 1) % 3, (kk + 2) % 3
    poly, other = s.clip, s.clip2
    for q in range(4):
        su = hu if q == 0 or q == 3 else -hu
        sv = hv if q < 2 else -hv
        x = cx + su * o[3 + u] + sv * o[3 + v]
        y = cy + su * o[6 + u] + sv * o[6 + v]
        z = cz + su * o[9 + u] + sv * o[9 + v]
        poly[q, 0] = x * r[3 + ku] + y * r[6 + ku] + z * r[9 + ku]
        poly[q, 1] = x * r[3 + kv] + y * r[6 + kv] + z * r[9 + kv]
        poly[q, 2] = x * rx + y * ry + z * rz
    n = 4
    for cut in range(4):
        axis = cut // 2
        f = 1.0 if cut % 2 == 0 else -1.0
        limit = hr[ku] if axis == 0 else hr[kv]
        m = 0
        for q in range(n):
            p = q + 1 if q + 1 < n else 0
            da, db = f * poly[q, axis] - limit, f * poly[p, axis] - limit
            if da <= 0:
                for c in range(3):
                    other[m, c] = poly[q, c]
                m += 1
            if da * db < 0:
                t = da / (da - db)
                for c in range(3):
                    other[m, c] = poly[q, c] + t * (poly[p, c] - poly[q, c])
                m += 1
        n = m
        poly, other = other, poly
    count = ZERO
    for q in range(n):
        depth = poly[q, 2] - hr[kk]
        if depth < margin:
            x, y, z = poly[q, 0], poly[q, 1], poly[q, 2] - 0.5 * depth
            s.points[count, 0] = r[0] + x * r[3 + ku] + y * r[3 + kv] + z * rx
            s.points[count, 1] = r[1] + x * r[6 + ku] + y * r[6 + kv] + z * ry
            s.points[count, 2] = r[2] + x * r[9 + ku] + y * r[9 + kv] + z * rz
            s.depths[count] = depth
            count += 1
    return reduce_points(s.points, s.depths, count, s.normal)
