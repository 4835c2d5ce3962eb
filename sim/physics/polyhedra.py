"""Convex polyhedra against each other: along the axis by which they overlap least (axes.py), one's face is clipped to
the other's.

A cylinder comes as a prism of sixteen sides; where its mantle touches, normal and line of contact are those of the
round body, so that it rolls smoothly.
"""

from __future__ import annotations

import math

from sim.physics.axes import between, find_axis, place_faces, relative, unmoved
from sim.physics.boxes import reduce_points
from sim.physics.data import CYLINDER, ZERO, float64, inner, int64


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
def poly_poly(pa, pb, g, s, margin, known, hint):  # pragma: no cover - compiled
    """Manifold of two polyhedral pieces (box, cylinder, hull); how many points. `hint`: the row in `known` of the AXIS
    they had a step ago, or -1; s.axis becomes the one they have now."""
    relative(s)
    place_faces(pb, g, s)
    s.axis[3] = 0
    row = known[max(hint, 0)]
    if hint >= 0 and unmoved(row, s.xc):
        kind, fa, fb = int64(row.kind), int64(row.fa), int64(row.fb)
        s.axis[3] = 1
    else:
        kind, fa, fb = find_axis(pa, pb, g, s, margin, row, hint >= 0)
    s.axis[0], s.axis[1], s.axis[2] = kind, fa, fb
    if kind == 0:
        count = _face_a(pa, pb, g, s, fa, margin)
        if count == 0:
            face = g.faces[fa]
            count = _corner(s.corners, ZERO, pb.vn, s, float64(face.nx), float64(face.ny), float64(face.nz), face.d, margin)
            count = _to_world(s, count)
    elif kind == 1:
        count = _face_b(pa, pb, g, s, fb, margin)
        if count == 0:
            n = s.normals
            count = _corner(g.verts, int64(pa.v0), pa.vn, s, n[fb, 0], n[fb, 1], n[fb, 2], n[fb, 3], margin)
            for r in range(3):
                s.normal[r] = -s.normal[r]
            count = _to_world(s, count)
    elif kind == 2:
        count = _edges(pa, pb, g, s, fa, fb, margin)
    else:
        count = ZERO
    return count


@inner
def _corner(corners, first, many, s, nx, ny, nz, limit, margin):  # pragma: no cover - compiled
    """Contact where clipping left nothing: the corner that is deepest under a face."""
    low, at = 1e30, first
    for v in range(first, first + many):
        d = nx * corners[v, 0] + ny * corners[v, 1] + nz * corners[v, 2]
        if d < low:
            low, at = d, v
    depth = low - limit
    if depth > margin:
        return ZERO
    s.points[0, 0] = corners[at, 0] - 0.5 * depth * nx
    s.points[0, 1] = corners[at, 1] - 0.5 * depth * ny
    s.points[0, 2] = corners[at, 2] - 0.5 * depth * nz
    s.depths[0] = depth
    s.normal[0], s.normal[1], s.normal[2] = nx, ny, nz
    return ZERO + 1


@inner
def _edges(pa, pb, g, s, ea, eb, margin):  # pragma: no cover - compiled
    """Contact where two edges cross: halfway between the nearest points of both."""
    verts, edge, other = g.verts, g.edges[ea], g.edges[eb]
    va, wa = pa.v0 + edge.a, pa.v0 + edge.b
    f1, f2 = g.faces[pa.f0 + edge.f1], g.faces[pa.f0 + edge.f2]
    px, py, pz = float64(verts[va, 0]), float64(verts[va, 1]), float64(verts[va, 2])
    qx, qy, qz = s.corners[other.a, 0], s.corners[other.a, 1], s.corners[other.a, 2]
    ux, uy, uz = between(verts, va, wa)
    vx, vy, vz = between(s.corners, other.a, other.b)
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    if length < 1e-9:
        return ZERO
    if nx * (f1.nx + f2.nx) + ny * (f1.ny + f2.ny) + nz * (f1.nz + f2.nz) < 0:
        length = -length
    nx, ny, nz = nx / length, ny / length, nz / length
    wx, wy, wz = px - qx, py - qy, pz - qz
    gap = -(nx * wx + ny * wy + nz * wz)
    if gap > margin:
        return ZERO
    a, b, c = ux * ux + uy * uy + uz * uz, ux * vx + uy * vy + uz * vz, vx * vx + vy * vy + vz * vz
    d, e = ux * wx + uy * wy + uz * wz, vx * wx + vy * wy + vz * wz
    den = max(a * c - b * b, 1e-12)
    t, u = min(max((b * e - c * d) / den, 0.0), 1.0), min(max((a * e - b * d) / den, 0.0), 1.0)
    s.normal[0], s.normal[1], s.normal[2] = nx, ny, nz
    s.points[0, 0] = 0.5 * (px + t * ux + qx + u * vx)
    s.points[0, 1] = 0.5 * (py + t * uy + qy + u * vy)
    s.points[0, 2] = 0.5 * (pz + t * uz + qz + u * vz)
    s.depths[0] = gap
    return _to_world(s, ZERO + 1)


@inner
def _face_a(pa, pb, g, s, ref, margin):  # pragma: no cover - compiled
    """Contact on a's face `ref`: b's face that looks at it, clipped to its outline."""
    verts, faces, loops = g.verts, g.faces, g.loops
    face = faces[ref]
    nx, ny, nz, limit = float64(face.nx), float64(face.ny), float64(face.nz), float64(face.d)
    if face.side:
        count = _on_mantle(pa, s.unit, pb, s.xc, s.corners, ZERO, g, s, nx, ny, nz, margin)
        if count > 0:
            return count
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
        ux, uy, uz = between(verts, p, q)
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
        count = _on_mantle(pb, s.xc, pa, s.unit, verts, int64(pa.v0), g, s, nx, ny, nz, margin)
        for r in range(3):
            s.normal[r] = -s.normal[r]
        if count > 0:
            return count
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
def _on_mantle(piece, x, other, y, corners, first, g, s, nx, ny, nz, margin):  # pragma: no cover - compiled
    """A cylinder's mantle (piece at x) touched along about n by the line of `other` (at y, its corners from `first` on)
    that looks at it: the mantle line of another cylinder, else an edge. All in a's frame; the normal is the cylinder's."""
    edges, line = g.edges, s.clip
    ux, uy, uz = x[5], x[8], x[11]
    reach = piece.hz + margin
    px = py = pz = dx = dy = dz = rx = ry = rz = ex = ey = ez = 0.0
    low, t, high = 0.0, 0.0, 1.0
    for _ in range(2):  # the second time along the true normal instead of a facet's
        found = _mantle(other, y, s, -nx, -ny, -nz) if other.form == CYLINDER else ZERO
        if found == 0:
            best = 1e30
            for e in range(other.e0, other.e0 + other.en):
                p, q = first + edges[e].a, first + edges[e].b
                d = (
                    nx * (corners[p, 0] + corners[q, 0])
                    + ny * (corners[p, 1] + corners[q, 1])
                    + nz * (corners[p, 2] + corners[q, 2])
                )
                if d < best:
                    best = d
                    for r in range(3):
                        line[0, r], line[1, r] = corners[p, r], corners[q, r]
        px, py, pz = line[0, 0] - x[0], line[0, 1] - x[1], line[0, 2] - x[2]
        dx, dy, dz = between(line, 0, 1)
        # The part of the line that is beside the mantle.
        at, along = px * ux + py * uy + pz * uz, dx * ux + dy * uy + dz * uz
        low, high = 0.0, 1.0
        if abs(along) > 1e-9:
            a, b = (-reach - at) / along, (reach - at) / along
            low, high = max(low, min(a, b)), min(high, max(a, b))
        elif abs(at) > reach:
            return ZERO
        if low > high:
            return ZERO
        # Seen along the axis: its point nearest to the middle.
        rx, ry, rz = px - at * ux, py - at * uy, pz - at * uz
        ex, ey, ez = dx - along * ux, dy - along * uy, dz - along * uz
        size = ex * ex + ey * ey + ez * ez
        t = 0.5 * (low + high)
        if size > 1e-12:
            t = min(max(-(rx * ex + ry * ey + rz * ez) / size, low), high)
        qx, qy, qz = rx + t * ex, ry + t * ey, rz + t * ez
        size = math.sqrt(qx * qx + qy * qy + qz * qz)
        if size > 1e-6 and qx * nx + qy * ny + qz * nz > 0.7 * size:
            nx, ny, nz = qx / size, qy / size, qz / size
    deepest = nx * (rx + t * ex) + ny * (ry + t * ey) + nz * (rz + t * ez) - piece.hx
    count = ZERO
    for k in range(3):
        w = low if k == 0 else (high if k == 1 else t)
        if k == 2 and count > 0 and min(t - low, high - t) < 0.05:
            continue
        depth = nx * (rx + w * ex) + ny * (ry + w * ey) + nz * (rz + w * ez) - piece.hx
        if depth < margin and depth < deepest + 0.03:
            s.points[count, 0] = x[0] + px + w * dx - 0.5 * depth * nx
            s.points[count, 1] = x[1] + py + w * dy - 0.5 * depth * ny
            s.points[count, 2] = x[2] + pz + w * dz - 0.5 * depth * nz
            s.depths[count] = depth
            count += 1
    s.normal[0], s.normal[1], s.normal[2] = nx, ny, nz
    return _to_world(s, count)
