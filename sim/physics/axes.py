"""Which way two convex polyhedra overlap least: separating axes over faces, and over edges whose normals cross.

Everything happens in a's frame. What was found is kept for as long as the two hardly move against each other, and in
doubt the old axis stays, so that bodies made inside each other part one way instead of trembling between two.
"""

from __future__ import annotations

import math

from sim.physics.data import BOX, CYLINDER, NONE, ZERO, float64, inner, int64

FACE_BIAS = 0.002  # metres by which b's face must be better than a's, so that the choice does not flicker
EDGE_BIAS = 0.006
KEPT_BIAS, KEPT_SHARE = 0.004, 0.15  # metres, and share of the overlap, by which another axis must beat the last one
AXIS_MOVE, AXIS_TURN = 0.004, 0.01  # metres and radians that b moves as a sees it before their axis is looked for anew
SEARCH = 2  # directions tried to find a gap before all faces and edges are


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
def place_faces(pb, g, s):  # pragma: no cover - compiled
    """b's corners and faces in a's frame."""
    xc, verts = s.xc, g.verts
    for k in range(pb.vn):
        x, y, z = verts[pb.v0 + k, 0], verts[pb.v0 + k, 1], verts[pb.v0 + k, 2]
        for r in range(3):
            s.corners[k, r] = xc[r] + xc[3 + 3 * r] * x + xc[4 + 3 * r] * y + xc[5 + 3 * r] * z
    for k in range(pb.fn):
        face = g.faces[pb.f0 + k]
        d = float64(face.d)
        for r in range(3):
            n = xc[3 + 3 * r] * face.nx + xc[4 + 3 * r] * face.ny + xc[5 + 3 * r] * face.nz
            s.normals[k, r] = n
            d += n * xc[r]
        s.normals[k, 3] = d


@inner
def between(verts, a, b):  # pragma: no cover - compiled
    """From corner a to corner b."""
    return (
        float64(verts[b, 0]) - float64(verts[a, 0]),
        float64(verts[b, 1]) - float64(verts[a, 1]),
        float64(verts[b, 2]) - float64(verts[a, 2]),
    )


@inner
def _farthest(piece, g, x, nx, ny, nz):  # pragma: no cover - compiled
    """The point of a piece at x farthest along n, both in the region's axes."""
    lx, ly, lz = x[3] * nx + x[6] * ny + x[9] * nz, x[4] * nx + x[7] * ny + x[10] * nz, x[5] * nx + x[8] * ny + x[11] * nz
    if piece.form == BOX:
        px = float64(piece.hx) if lx > 0 else -float64(piece.hx)
        py = float64(piece.hy) if ly > 0 else -float64(piece.hy)
        pz = float64(piece.hz) if lz > 0 else -float64(piece.hz)
    elif piece.form == CYLINDER:
        f = piece.hx / max(math.sqrt(lx * lx + ly * ly), 1e-12)
        px, py, pz = f * lx, f * ly, (float64(piece.hz) if lz > 0 else -float64(piece.hz))
    else:
        verts, best, at = g.verts, -1e30, piece.v0
        for v in range(piece.v0, piece.v0 + piece.vn):
            d = lx * verts[v, 0] + ly * verts[v, 1] + lz * verts[v, 2]
            if d > best:
                best, at = d, v
        px, py, pz = float64(verts[at, 0]), float64(verts[at, 1]), float64(verts[at, 2])
    return (
        x[0] + x[3] * px + x[4] * py + x[5] * pz,
        x[1] + x[6] * px + x[7] * py + x[8] * pz,
        x[2] + x[9] * px + x[10] * py + x[11] * pz,
    )


@inner
def apart(pa, pb, g, s, margin):  # pragma: no cover - compiled
    """Whether a direction is soon found that separates the pieces, as it is for most whose boxes overlap. From the
    middles' difference on, each direction is mirrored at the nearest points along it (Chung and Wang, 1996)."""
    xa, xb = s.xa, s.xb
    nx, ny, nz = xb[0] - xa[0], xb[1] - xa[1], xb[2] - xa[2]
    for _ in range(SEARCH):
        size = math.sqrt(nx * nx + ny * ny + nz * nz)
        if size < 1e-9:
            return False
        nx, ny, nz = nx / size, ny / size, nz / size
        ax, ay, az = _farthest(pa, g, xa, nx, ny, nz)
        bx, by, bz = _farthest(pb, g, xb, -nx, -ny, -nz)
        dx, dy, dz = bx - ax, by - ay, bz - az
        gap = dx * nx + dy * ny + dz * nz
        if gap > margin:
            return True
        d2 = dx * dx + dy * dy + dz * dz
        if gap > -1e-9 or d2 < 1e-12:
            return False
        f = 2.0 * gap / d2
        nx, ny, nz = nx - f * dx, ny - f * dy, nz - f * dz
    return False


@inner
def _lowest(piece, verts, first, x, nx, ny, nz):  # pragma: no cover - compiled
    """How far down a piece reaches along n, a's frame; its corners there are verts[first:], x is where it is."""
    form = piece.form
    if form == BOX or form == CYLINDER:
        lx, ly = x[3] * nx + x[6] * ny + x[9] * nz, x[4] * nx + x[7] * ny + x[10] * nz
        lz = abs(x[5] * nx + x[8] * ny + x[11] * nz)
        middle = x[0] * nx + x[1] * ny + x[2] * nz
        if form == BOX:
            return middle - abs(lx) * piece.hx - abs(ly) * piece.hy - lz * piece.hz
        return middle - math.sqrt(lx * lx + ly * ly) * piece.hx - lz * piece.hz
    low = 1e30
    for v in range(first, first + piece.vn):
        low = min(low, nx * verts[v, 0] + ny * verts[v, 1] + nz * verts[v, 2])
    return low


@inner
def unmoved(row, x):  # pragma: no cover - compiled
    """Whether b is still about where it was, as a sees it, when their axis was found."""
    moved = (row.x[0] - x[0]) ** 2 + (row.x[1] - x[1]) ** 2 + (row.x[2] - x[2]) ** 2
    turned = 0.0
    for k in range(3, 12):
        turned += (row.x[k] - x[k]) ** 2
    return moved < AXIS_MOVE**2 and turned < 2.0 * AXIS_TURN**2


@inner
def find_axis(pa, pb, g, s, margin, row, known):  # pragma: no cover - compiled
    """Kind and features of the direction in which the pieces overlap least (AXIS), kind -1 when there is a gap. `row` is the
    AXIS of a step ago, if it is `known`."""
    xc, verts, faces, edges = s.xc, g.verts, g.faces, g.edges
    best_a, face_a = -1e30, NONE
    best_side, side_a = -1e30, NONE
    for f in range(pa.f0, pa.f0 + pa.fn):
        face = faces[f]
        gap = _lowest(pb, s.corners, ZERO, xc, float64(face.nx), float64(face.ny), float64(face.nz)) - face.d
        if gap > margin:
            return NONE, NONE, NONE
        if face.side:
            if gap > best_side:
                best_side, side_a = gap, f
        elif gap > best_a:
            best_a, face_a = gap, f
    best_b, face_b = -1e30, NONE
    best_bside, side_b = -1e30, NONE
    for k in range(pb.fn):
        low = _lowest(pa, verts, int64(pa.v0), s.unit, s.normals[k, 0], s.normals[k, 1], s.normals[k, 2])
        gap = low - s.normals[k, 3]
        if gap > margin:
            return NONE, NONE, NONE
        if faces[pb.f0 + k].side:
            if gap > best_bside:
                best_bside, side_b = gap, k
        elif gap > best_b:
            best_b, face_b = gap, k
    # Two edges can be the nearest to each other only where both are about as near to the other body as that is deep.
    near = max(-max(max(best_a, best_side), max(best_b, best_bside)), margin) + 0.01
    ref = faces[side_a if best_side > best_a else face_a]
    kept = 0
    for j in range(pb.e0, pb.e0 + pb.en):
        p, q = edges[j].a, edges[j].b
        u = ref.nx * s.corners[p, 0] + ref.ny * s.corners[p, 1] + ref.nz * s.corners[p, 2]
        v = ref.nx * s.corners[q, 0] + ref.ny * s.corners[q, 1] + ref.nz * s.corners[q, 2]
        if min(u, v) - ref.d <= near:
            s.edges[kept] = j
            kept += 1
    k = side_b if best_bside > best_b else face_b
    mx, my, mz, level = s.normals[k, 0], s.normals[k, 1], s.normals[k, 2], s.normals[k, 3] + near
    # A flat face beats a facet of a round mantle: facets are made up, and only good where nothing flat touches.
    round_gap = 0.06 * (pa.hx if side_a >= 0 else pb.hx)
    if side_a >= 0 and best_side > max(best_a, best_b) + round_gap:
        best_a, face_a = best_side, side_a
    if side_b >= 0 and best_bside > max(best_a, best_b) + round_gap:
        best_b, face_b = best_bside, side_b
    best_edge = -1e30
    ea = eb = NONE
    for i in range(pa.e0, pa.e0 + pa.en):
        edge = edges[i]
        va, wa = pa.v0 + edge.a, pa.v0 + edge.b
        if min(
            mx * verts[va, 0] + my * verts[va, 1] + mz * verts[va, 2],
            mx * verts[wa, 0] + my * verts[wa, 1] + mz * verts[wa, 2],
        ) > level:  # fmt: skip
            continue
        f1, f2 = faces[pa.f0 + edge.f1], faces[pa.f0 + edge.f2]
        ax, ay, az = between(verts, va, wa)
        for k in range(kept):
            j = s.edges[k]
            other = edges[j]
            g1, g2 = other.f1, other.f2
            # Arcs of the Gauss maps of a and -b must cross, else this pair of edges spans no face of the difference.
            c1 = -(s.normals[g1, 0] * ax + s.normals[g1, 1] * ay + s.normals[g1, 2] * az)
            c2 = -(s.normals[g2, 0] * ax + s.normals[g2, 1] * ay + s.normals[g2, 2] * az)
            if c1 * c2 >= 0:
                continue
            bx, by, bz = between(s.corners, other.a, other.b)
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
                return NONE, NONE, NONE
            if gap > best_edge:
                best_edge, ea, eb = gap, i, int64(j)
    round_bias = 0.05 * pa.hx if pa.form == CYLINDER else 0.0
    round_bias += 0.05 * pb.hx if pb.form == CYLINDER else 0.0
    if known and row.kind < 2:
        if row.kind == 0:
            face = faces[row.fa]
            gap = _lowest(pb, s.corners, ZERO, xc, float64(face.nx), float64(face.ny), float64(face.nz)) - face.d
        else:
            k = row.fb
            low = _lowest(pa, verts, int64(pa.v0), s.unit, s.normals[k, 0], s.normals[k, 1], s.normals[k, 2])
            gap = low - s.normals[k, 3]
        best = max(max(best_a, best_b), best_edge)
        if gap > best - max(KEPT_BIAS, -KEPT_SHARE * best):
            return int64(row.kind), int64(row.fa), int64(row.fb)
    if best_edge > max(best_a, best_b) + EDGE_BIAS + round_bias:
        return ZERO + 2, ea, eb
    if best_b > best_a + FACE_BIAS:
        return ZERO + 1, NONE, face_b
    return ZERO, face_a, NONE
