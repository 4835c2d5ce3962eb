"""Convex polyhedra against each other: separating axes over faces and the edges whose normals cross, then clipping.

Everything happens in a's frame: b's corners and planes are carried over once. A cylinder comes as a prism of sixteen
sides; where its mantle touches, normal and line of contact are then those of the round body, so that it rolls smoothly.
"""

from __future__ import annotations

import math

from sim.physics.boxes import reduce_points
from sim.physics.data import CYLINDER, NONE, ZERO, float64, inner, int64

FACE_BIAS = 0.002  # metres by which b's face must be better than a's, so that the choice does not flicker
EDGE_BIAS = 0.006


@inner
def relative(s):  # pragma: no cover - compiled
    """s.xc = s.xb as seen from s.xa."""
    xa, xb, xc = s.xa, s.xb, s.xc
    dx, dy, dz = xb[0] - xa[0], xb[1] - xa[1], xb[2] - xa[2]
    for r in range(3):
        xc[r] = xa[3 + r] * dx + xa[6 + r] * dy + xa[9 + r] * dz
        for c in range(3):
            xc[3 + 3 * r + c] = xa[3 + r] * xb[3 + c] + xa[6 + r] * xb[6 + c] + xa[9 + r] * xb[9 + c]


@inner
def _between(verts, a, b):  # pragma: no cover - compiled
    """From corner a to corner b."""
    return (
        float64(verts[b, 0]) - float64(verts[a, 0]),
        float64(verts[b, 1]) - float64(verts[a, 1]),
        float64(verts[b, 2]) - float64(verts[a, 2]),
    )


@inner
def _clip(poly, other, n, px, py, pz, limit):  # pragma: no cover - compiled
    """Sutherland and Hodgman: the part of a polygon where p . x <= limit; how many corners `other` gets."""
    m = 0
    for q in range(n):
        k = q + 1 if q + 1 < n else 0
        da = px * poly[q, 0] + py * poly[q, 1] + pz * poly[q, 2] - limit
        db = px * poly[k, 0] + py * poly[k, 1] + pz * poly[k, 2] - limit
        if da <= 0 and m < 100:
            for c in range(3):
                other[m, c] = poly[q, c]
            m += 1
        if da * db < 0 and m < 100:
            t = da / (da - db)
            for c in range(3):
                other[m, c] = poly[q, c] + t * (poly[k, c] - poly[q, c])
            m += 1
    return m


@inner
def _to_world(s, count):  # pragma: no cover - compiled
    """Manifold and normal from a's frame to the region's."""
    x = s.xa
    nx, ny, nz = s.normal[0], s.normal[1], s.normal[2]
    for r in range(3):
        s.normal[r] = x[3 + 3 * r] * nx + x[4 + 3 * r] * ny + x[5 + 3 * r] * nz
    for k in range(count):
        px, py, pz = s.points[k, 0], s.points[k, 1], s.points[k, 2]
        for r in range(3):
            s.points[k, r] = x[r] + x[3 + 3 * r] * px + x[4 + 3 * r] * py + x[5 + 3 * r] * pz
    return count


@inner
def _mantle(piece, x, s, nx, ny, nz):  # pragma: no cover - compiled
    """The line of a cylinder's mantle that looks along n (a's frame) into s.clip: 2 corners; 0 if a cap looks there."""
    ux, uy, uz = x[5], x[8], x[11]
    along = nx * ux + ny * uy + nz * uz
    if abs(along) > 0.9:
        return ZERO
    px, py, pz = nx - along * ux, ny - along * uy, nz - along * uz
    f = piece.hx / math.sqrt(px * px + py * py + pz * pz)
    for k in range(2):
        h = piece.hz if k else -piece.hz
        s.clip[k, 0] = x[0] + h * ux + f * px
        s.clip[k, 1] = x[1] + h * uy + f * py
        s.clip[k, 2] = x[2] + h * uz + f * pz
    return ZERO + 2


@inner
def poly_poly(pa, pb, g, s, margin):  # pragma: no cover - compiled
    """Manifold of two polyhedral pieces (box, cylinder, hull); how many points."""
    relative(s)
    xc = s.xc
    verts, faces, edges = g.verts, g.faces, g.edges
    for k in range(pb.vn):
        x, y, z = verts[pb.v0 + k, 0], verts[pb.v0 + k, 1], verts[pb.v0 + k, 2]
        for r in range(3):
            s.corners[k, r] = xc[r] + xc[3 + 3 * r] * x + xc[4 + 3 * r] * y + xc[5 + 3 * r] * z
    best_a, face_a = -1e30, NONE
    best_side, side_a = -1e30, NONE
    for f in range(pa.f0, pa.f0 + pa.fn):
        face = faces[f]
        low = 1e30
        for k in range(pb.vn):
            d = face.nx * s.corners[k, 0] + face.ny * s.corners[k, 1] + face.nz * s.corners[k, 2]
            low = min(low, d)
        gap = low - face.d
        if gap > margin:
            return 0
        if face.side:
            if gap > best_side:
                best_side, side_a = gap, f
        elif gap > best_a:
            best_a, face_a = gap, f
    best_b, face_b = -1e30, NONE
    best_bside, side_b = -1e30, NONE
    for k in range(pb.fn):
        face = faces[pb.f0 + k]
        d = face.d
        for r in range(3):
            n = xc[3 + 3 * r] * face.nx + xc[4 + 3 * r] * face.ny + xc[5 + 3 * r] * face.nz
            s.normals[k, r] = n
            d += n * xc[r]
        s.normals[k, 3] = d
        nx, ny, nz = s.normals[k, 0], s.normals[k, 1], s.normals[k, 2]
        low = 1e30
        for v in range(pa.v0, pa.v0 + pa.vn):
            low = min(low, nx * verts[v, 0] + ny * verts[v, 1] + nz * verts[v, 2])
        gap = low - d
        if gap > margin:
            return 0
        if face.side:
            if gap > best_bside:
                best_bside, side_b = gap, k
        elif gap > best_b:
            best_b, face_b = gap, k
    # A flat face beats a facet of a round mantle: facets are made up, and only good where nothing flat touches.
    round_gap = 0.06 * (pa.hx if side_a >= 0 else pb.hx)
    if side_a >= 0 and best_side > max(best_a, best_b) + round_gap:
        best_a, face_a = best_side, side_a
    if side_b >= 0 and best_bside > max(best_a, best_b) + round_gap:
        best_b, face_b = best_bside, side_b
    best_edge = -1e30
    ea = eb = -1
    ex = ey = ez = 0.0
    for i in range(pa.e0, pa.e0 + pa.en):
        edge = edges[i]
        f1, f2 = faces[pa.f0 + edge.f1], faces[pa.f0 + edge.f2]
        va, wa = pa.v0 + edge.a, pa.v0 + edge.b
        ax, ay, az = verts[wa, 0] - verts[va, 0], verts[wa, 1] - verts[va, 1], verts[wa, 2] - verts[va, 2]
        for j in range(pb.e0, pb.e0 + pb.en):
            other = edges[j]
            g1, g2 = other.f1, other.f2
            # Arcs of the Gauss maps of a and -b must cross, else this pair of edges spans no face of the difference.
            c1 = -(s.normals[g1, 0] * ax + s.normals[g1, 1] * ay + s.normals[g1, 2] * az)
            c2 = -(s.normals[g2, 0] * ax + s.normals[g2, 1] * ay + s.normals[g2, 2] * az)
            if c1 * c2 >= 0:
                continue
            bx = s.corners[other.b, 0] - s.corners[other.a, 0]
            by = s.corners[other.b, 1] - s.corners[other.a, 1]
            bz = s.corners[other.b, 2] - s.corners[other.a, 2]
            d1 = f1.nx * bx + f1.ny * by + f1.nz * bz
            d2 = f2.nx * bx + f2.ny * by + f2.nz * bz
            if d1 * d2 >= 0 or c1 * d2 <= 0:
                continue
            nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
            length = math.sqrt(nx * nx + ny * ny + nz * nz)
            if length < 1e-3 * math.sqrt((ax * ax + ay * ay + az * az) * (bx * bx + by * by + bz * bz)):
                continue
            nx, ny, nz = nx / length, ny / length, nz / length
            if nx * (f1.nx + f2.nx) + ny * (f1.ny + f2.ny) + nz * (f1.nz + f2.nz) < 0:
                nx, ny, nz = -nx, -ny, -nz
            gap = (
                nx * (s.corners[other.a, 0] - verts[va, 0])
                + ny * (s.corners[other.a, 1] - verts[va, 1])
                + nz * (s.corners[other.a, 2] - verts[va, 2])
            )
            if gap > margin:
                return 0
            if gap > best_edge:
                best_edge, ea, eb = gap, i, j
                ex, ey, ez = nx, ny, nz
    round_bias = 0.05 * pa.hx if pa.form == CYLINDER else 0.0
    round_bias += 0.05 * pb.hx if pb.form == CYLINDER else 0.0
    if best_edge > max(best_a, best_b) + EDGE_BIAS + round_bias:
        s.normal[0], s.normal[1], s.normal[2] = ex, ey, ez
        edge, other = edges[ea], edges[eb]
        va, wa = pa.v0 + edge.a, pa.v0 + edge.b
        px, py, pz = verts[va, 0], verts[va, 1], verts[va, 2]
        ux, uy, uz = verts[wa, 0] - px, verts[wa, 1] - py, verts[wa, 2] - pz
        qx, qy, qz = s.corners[other.a, 0], s.corners[other.a, 1], s.corners[other.a, 2]
        vx, vy, vz = s.corners[other.b, 0] - qx, s.corners[other.b, 1] - qy, s.corners[other.b, 2] - qz
        wx, wy, wz = px - qx, py - qy, pz - qz
        a, b, c = ux * ux + uy * uy + uz * uz, ux * vx + uy * vy + uz * vz, vx * vx + vy * vy + vz * vz
        d, e = ux * wx + uy * wy + uz * wz, vx * wx + vy * wy + vz * wz
        den = max(a * c - b * b, 1e-12)
        t, u = min(max((b * e - c * d) / den, 0.0), 1.0), min(max((a * e - b * d) / den, 0.0), 1.0)
        s.points[0, 0] = 0.5 * (px + t * ux + qx + u * vx)
        s.points[0, 1] = 0.5 * (py + t * uy + qy + u * vy)
        s.points[0, 2] = 0.5 * (pz + t * uz + qz + u * vz)
        s.depths[0] = best_edge
        return _to_world(s, ZERO + 1)
    if best_b > best_a + FACE_BIAS:
        return _face_b(pa, pb, g, s, face_b, margin)
    return _face_a(pa, pb, g, s, face_a, margin)


@inner
def _face_a(pa, pb, g, s, ref, margin):  # pragma: no cover - compiled
    """Contact on a's face `ref`: b's face that looks at it, clipped to its outline."""
    verts, faces, loops = g.verts, g.faces, g.loops
    face = faces[ref]
    nx, ny, nz, limit = float64(face.nx), float64(face.ny), float64(face.nz), float64(face.d)
    if face.side:
        return _round_a(pa, pb, s, margin)
    n = _mantle(pb, s.xc, s, -nx, -ny, -nz) if pb.form == CYLINDER else ZERO
    if n == 0:
        best, inc = 1e30, 0
        for k in range(pb.fn):
            d = s.normals[k, 0] * nx + s.normals[k, 1] * ny + s.normals[k, 2] * nz
            if d < best and not (pb.form == CYLINDER and faces[pb.f0 + k].side):
                best, inc = d, k
        row = faces[pb.f0 + inc]
        n = int64(row.ln)
        for k in range(n):
            v = loops[row.l0 + k]
            for c in range(3):
                s.clip[k, c] = s.corners[v, c]
    poly, other = s.clip, s.clip2
    for k in range(face.ln):
        p, q = pa.v0 + loops[face.l0 + k], pa.v0 + loops[face.l0 + (k + 1) % face.ln]
        ux, uy, uz = _between(verts, p, q)
        px, py, pz = uy * nz - uz * ny, uz * nx - ux * nz, ux * ny - uy * nx
        n = _clip(poly, other, n, px, py, pz, px * verts[p, 0] + py * verts[p, 1] + pz * verts[p, 2])
        poly, other = other, poly
        if n == 0:
            return 0
    s.normal[0], s.normal[1], s.normal[2] = nx, ny, nz
    return _keep(s, poly, n, nx, ny, nz, limit, margin)


@inner
def _face_b(pa, pb, g, s, ref, margin):  # pragma: no cover - compiled
    """Contact on b's face: a's face that looks at it, clipped to its outline. The normal still points from a to b."""
    verts, faces, loops = g.verts, g.faces, g.loops
    face = faces[pb.f0 + ref]
    nx, ny, nz, limit = s.normals[ref, 0], s.normals[ref, 1], s.normals[ref, 2], s.normals[ref, 3]
    if face.side:
        return _round_b(pa, pb, g, s, margin)
    n = ZERO
    if pa.form == CYLINDER:
        n = _mantle(pa, s.unit, s, -nx, -ny, -nz)
    if n == 0:
        best, inc = 1e30, pa.f0
        for f in range(pa.f0, pa.f0 + pa.fn):
            d = faces[f].nx * nx + faces[f].ny * ny + faces[f].nz * nz
            if d < best and not (pa.form == CYLINDER and faces[f].side):
                best, inc = d, f
        row = faces[inc]
        n = int64(row.ln)
        for k in range(n):
            v = pa.v0 + loops[row.l0 + k]
            for c in range(3):
                s.clip[k, c] = verts[v, c]
    poly, other = s.clip, s.clip2
    for k in range(face.ln):
        p, q = loops[face.l0 + k], loops[face.l0 + (k + 1) % face.ln]
        ux = s.corners[q, 0] - s.corners[p, 0]
        uy = s.corners[q, 1] - s.corners[p, 1]
        uz = s.corners[q, 2] - s.corners[p, 2]
        px, py, pz = uy * nz - uz * ny, uz * nx - ux * nz, ux * ny - uy * nx
        n = _clip(poly, other, n, px, py, pz, px * s.corners[p, 0] + py * s.corners[p, 1] + pz * s.corners[p, 2])
        poly, other = other, poly
        if n == 0:
            return 0
    s.normal[0], s.normal[1], s.normal[2] = -nx, -ny, -nz
    return _keep(s, poly, n, nx, ny, nz, limit, margin)


@inner
def _keep(s, poly, n, nx, ny, nz, limit, margin):  # pragma: no cover - compiled
    """The clipped corners near the reference plane become the manifold, halfway between both surfaces."""
    count = ZERO
    for k in range(n):
        depth = nx * poly[k, 0] + ny * poly[k, 1] + nz * poly[k, 2] - limit
        if depth < margin:
            s.points[count, 0] = poly[k, 0] - 0.5 * depth * nx
            s.points[count, 1] = poly[k, 1] - 0.5 * depth * ny
            s.points[count, 2] = poly[k, 2] - 0.5 * depth * nz
            s.depths[count] = depth
            count += 1
    return _to_world(s, reduce_points(s.points, s.depths, count, s.normal))


@inner
def _round_a(pa, pb, s, margin):  # pragma: no cover - compiled
    """A cylinder's mantle met by b's corners: those nearest the axis, along the true radius."""
    best, at = 1e30, -1
    for k in range(pb.vn):
        if abs(s.corners[k, 2]) <= pa.hz + margin:
            d = s.corners[k, 0] ** 2 + s.corners[k, 1] ** 2
            if d < best:
                best, at = d, k
    if at < 0 or best < 1e-10:
        return 0
    reach = math.sqrt(best)
    nx, ny = s.corners[at, 0] / reach, s.corners[at, 1] / reach
    count = ZERO
    for k in range(pb.vn):
        depth = nx * s.corners[k, 0] + ny * s.corners[k, 1] - pa.hx
        if depth < min(margin, reach - pa.hx + 0.02) and abs(s.corners[k, 2]) <= pa.hz + margin and count < 64:
            s.points[count, 0] = s.corners[k, 0] - 0.5 * depth * nx
            s.points[count, 1] = s.corners[k, 1] - 0.5 * depth * ny
            s.points[count, 2] = s.corners[k, 2]
            s.depths[count] = depth
            count += 1
    s.normal[0], s.normal[1], s.normal[2] = nx, ny, 0.0
    return _to_world(s, reduce_points(s.points, s.depths, count, s.normal))


@inner
def _round_b(pa, pb, g, s, margin):  # pragma: no cover - compiled
    """The same with the cylinder as b."""
    xc, verts = s.xc, g.verts
    ux, uy, uz = xc[5], xc[8], xc[11]
    best = 1e30
    nx = ny = nz = 0.0
    for v in range(pa.v0, pa.v0 + pa.vn):
        dx, dy, dz = verts[v, 0] - xc[0], verts[v, 1] - xc[1], verts[v, 2] - xc[2]
        t = dx * ux + dy * uy + dz * uz
        if abs(t) > pb.hz + margin:
            continue
        dx, dy, dz = dx - t * ux, dy - t * uy, dz - t * uz
        d = dx * dx + dy * dy + dz * dz
        if d < best:
            best = d
            nx, ny, nz = dx, dy, dz
    if best > 1e29 or best < 1e-10:
        return 0
    reach = math.sqrt(best)
    nx, ny, nz = nx / reach, ny / reach, nz / reach
    count = ZERO
    for v in range(pa.v0, pa.v0 + pa.vn):
        dx, dy, dz = verts[v, 0] - xc[0], verts[v, 1] - xc[1], verts[v, 2] - xc[2]
        depth = dx * nx + dy * ny + dz * nz - pb.hx
        inside = abs(dx * ux + dy * uy + dz * uz) <= pb.hz + margin
        if depth < min(margin, reach - pb.hx + 0.02) and inside and count < 64:
            s.points[count, 0] = verts[v, 0] - 0.5 * depth * nx
            s.points[count, 1] = verts[v, 1] - 0.5 * depth * ny
            s.points[count, 2] = verts[v, 2] - 0.5 * depth * nz
            s.depths[count] = depth
            count += 1
    s.normal[0], s.normal[1], s.normal[2] = -nx, -ny, -nz
    return _to_world(s, reduce_points(s.points, s.depths, count, s.normal))
