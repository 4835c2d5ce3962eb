"""Convex hulls: from any points to corners, flat faces with their corners in order, and edges.

Incremental: four points that span a body, then every other point from the outermost inwards; the triangles a point sees
are replaced by a fan from the point to their rim. Coplanar triangles are joined into faces afterwards, for contacts are
clipped face against face. Hulls stay small (32 corners): the outermost points in even directions are kept.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.kernels import compiled
from sim.physics.engine import BadBody

_kernel = partial(compiled, nogil=True, error_model="numpy")
MAX_CORNERS = 32
THINNEST = 1e-4  # metres


class Hull(NamedTuple):
    verts: NDArray[np.float64]  # (n, 3)
    planes: NDArray[np.float64]  # (f, 4) outward normal and distance
    loops: list[list[int]]  # corners of each face, counter-clockwise from outside
    edges: list[tuple[int, int, int, int]]  # corner, corner, face, face
    volume: float
    center: NDArray[np.float64]
    inertia: NDArray[np.float64]  # (3, 3) about the centre, for density 1


@_kernel
def _triangles(points, out):  # pragma: no cover - compiled
    """Hull triangles of (n, 3) points into `out` (m, 3); how many, 0 when the points are flat."""
    n = points.shape[0]
    # Four points far apart.
    a = 0
    for k in range(n):
        if points[k, 0] < points[a, 0]:
            a = k
    b = -1
    best = 1e-12
    for k in range(n):
        d = (points[k, 0] - points[a, 0]) ** 2 + (points[k, 1] - points[a, 1]) ** 2 + (points[k, 2] - points[a, 2]) ** 2
        if d > best:
            best = d
            b = k
    if b < 0:
        return 0
    scale = math.sqrt(best)
    eps = 1e-6 * scale
    ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
    c = -1
    best = (1e-5 * scale * scale) ** 2
    nx = ny = nz = 0.0
    for k in range(n):
        wx, wy, wz = points[k, 0] - points[a, 0], points[k, 1] - points[a, 1], points[k, 2] - points[a, 2]
        x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        d = x * x + y * y + z * z
        if d > best:
            best = d
            c = k
            nx, ny, nz = x, y, z
    if c < 0:
        return 0
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    nx, ny, nz = nx / length, ny / length, nz / length
    d4 = -1
    best = max(eps, 1e-5)
    for k in range(n):
        d = abs(
            (points[k, 0] - points[a, 0]) * nx + (points[k, 1] - points[a, 1]) * ny + (points[k, 2] - points[a, 2]) * nz
        )
        if d > best:
            best = d
            d4 = k
    if d4 < 0:
        return 0
    capacity = 4 * n + 16
    tri = np.zeros((capacity, 3), np.int32)
    plane = np.zeros((capacity, 4))
    alive = np.zeros(capacity, np.uint8)
    cx = (points[a, 0] + points[b, 0] + points[c, 0] + points[d4, 0]) / 4
    cy = (points[a, 1] + points[b, 1] + points[c, 1] + points[d4, 1]) / 4
    cz = (points[a, 2] + points[b, 2] + points[c, 2] + points[d4, 2]) / 4
    rim = np.zeros((n, n), np.uint8)
    fresh = np.zeros((capacity, 3), np.int32)
    fresh[0, 0] = fresh[1, 0] = fresh[2, 0] = a
    fresh[0, 1] = fresh[1, 1] = fresh[3, 0] = b
    fresh[0, 2] = fresh[2, 1] = fresh[3, 1] = c
    fresh[1, 2] = fresh[2, 2] = fresh[3, 2] = d4
    new = 4
    count = 0
    k = -1
    while True:
        for f in range(new):  # make the fresh triangles faces, outward seen from the middle
            slot = count
            for s in range(count):
                if not alive[s]:
                    slot = s
                    break
            if slot == count:
                if count == capacity:
                    return 0
                count += 1
            p, q, r = fresh[f, 0], fresh[f, 1], fresh[f, 2]
            ux, uy, uz = points[q, 0] - points[p, 0], points[q, 1] - points[p, 1], points[q, 2] - points[p, 2]
            wx, wy, wz = points[r, 0] - points[p, 0], points[r, 1] - points[p, 1], points[r, 2] - points[p, 2]
            nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
            length = math.sqrt(nx * nx + ny * ny + nz * nz)
            if length > 0:
                nx, ny, nz = nx / length, ny / length, nz / length
            d = nx * points[p, 0] + ny * points[p, 1] + nz * points[p, 2]
            if nx * cx + ny * cy + nz * cz > d:
                q, r = r, q
                nx, ny, nz, d = -nx, -ny, -nz, -d
            tri[slot, 0], tri[slot, 1], tri[slot, 2] = p, q, r
            plane[slot, 0], plane[slot, 1], plane[slot, 2], plane[slot, 3] = nx, ny, nz, d
            alive[slot] = 1
        new = 0
        k += 1
        if k == n:
            break
        if k in (a, b, c, d4):
            continue
        x, y, z = points[k, 0], points[k, 1], points[k, 2]
        seen = 0
        for f in range(count):
            if alive[f] and plane[f, 0] * x + plane[f, 1] * y + plane[f, 2] * z > plane[f, 3] + eps:
                alive[f] = 2
                seen += 1
                for e in range(3):
                    rim[tri[f, e], tri[f, (e + 1) % 3]] = 1
        if not seen:
            continue
        for f in range(count):
            if alive[f] != 2:
                continue
            for e in range(3):
                p, q = tri[f, e], tri[f, (e + 1) % 3]
                if not rim[q, p]:
                    if new == capacity:  # nearly level points that see each other's faces wrongly
                        return 0
                    fresh[new, 0], fresh[new, 1], fresh[new, 2] = p, q, k
                    new += 1
        for f in range(count):
            if alive[f] == 2:
                alive[f] = 0
                for e in range(3):
                    rim[tri[f, e], tri[f, (e + 1) % 3]] = 0
    m = 0
    for f in range(count):
        if alive[f]:
            out[m, 0], out[m, 1], out[m, 2] = tri[f, 0], tri[f, 1], tri[f, 2]
            m += 1
    return m


_TURNS = np.arange(MAX_CORNERS - 6) + 0.5
_POLAR, _ROUND = np.arccos(1 - 2 * _TURNS / len(_TURNS)), np.pi * (1 + 5**0.5) * _TURNS
_WAYS = np.concatenate(  # even directions, those of the axes first
    [np.eye(3), -np.eye(3), np.c_[np.cos(_ROUND) * np.sin(_POLAR), np.sin(_ROUND) * np.sin(_POLAR), np.cos(_POLAR)]]
)


@_kernel
def _fewer(points, ways, most):  # pragma: no cover - compiled
    """Without doubles, the outermost first, and no more than the outermost in even directions."""
    n = points.shape[0]
    low, high = points[0].copy(), points[0].copy()
    for k in range(n):
        for c in range(3):
            low[c], high[c] = min(low[c], points[k, c]), max(high[c], points[k, c])
    extent = max(high[0] - low[0], high[1] - low[1], high[2] - low[2])
    grain = max(extent * 1e-5, 1e-7)
    # Doubles have the same place on a fine grid, of a hundred thousand steps along each axis.
    place = np.empty(n, np.int64)
    for k in range(n):
        place[k] = 0
        for c in range(3):
            place[k] = place[k] * 131072 + np.int64(np.rint((points[k, c] - low[c]) / grain))
    order = np.argsort(place, kind="mergesort")
    single = np.ones(n, np.bool_)
    for i in range(1, n):
        single[order[i]] = place[order[i]] != place[order[i - 1]]
    kept = np.flatnonzero(single)
    if len(kept) > most:
        wanted = np.zeros(n, np.bool_)
        for w in range(ways.shape[0]):
            best, at = -np.inf, kept[0]
            for v in kept:
                d = 0.0
                for c in range(3):  # even over a stretched body, too
                    d += points[v, c] / max(high[c] - low[c], 1e-9) * ways[w, c]
                if d > best:
                    best, at = d, v
            wanted[at] = True
        kept = np.flatnonzero(wanted)
    few = points[kept]
    mx, my, mz = few[:, 0].mean(), few[:, 1].mean(), few[:, 2].mean()
    away = np.empty(len(few))
    for k in range(len(few)):
        away[k] = -math.sqrt((few[k, 0] - mx) ** 2 + (few[k, 1] - my) ** 2 + (few[k, 2] - mz) ** 2)
    return few[np.argsort(away, kind="mergesort")]


def convex_hull(points: NDArray[np.floating]) -> Hull:
    """The hull of (n, 3) points. BadBody when they are flatter than a tenth of a millimetre."""
    corners = _fewer(np.ascontiguousarray(points, np.float64), _WAYS, MAX_CORNERS)
    if len(corners) < 4:
        raise BadBody("a hull of fewer than four different points")
    found = np.zeros((4 * len(corners) + 16, 3), np.int32)
    count = _triangles(corners, found)
    if not count:
        raise BadBody("a hull of points in one plane")
    triangles = found[:count]
    used, compact = np.unique(triangles, return_inverse=True)
    return from_triangles(corners[used], compact.reshape(-1, 3))


@_kernel
def _weigh(verts, triangles, out):  # pragma: no cover - compiled
    """Volume, centre and inertia (density 1, about the centre) of what outward triangles enclose: the sum of tetrahedra from
    one corner."""
    base = verts[triangles[0, 0]]
    second, total = np.zeros((3, 3)), np.zeros(3)
    corner = np.zeros((4, 3))
    volume = 0.0
    for f in range(triangles.shape[0]):
        for k in range(3):
            corner[k] = verts[triangles[f, k]] - base
        corner[3] = corner[0] + corner[1] + corner[2]
        a, b, c = corner[0], corner[1], corner[2]
        six = (
            a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])
        )
        volume += six / 6
        total += six / 24 * corner[3]
        for k in range(4):
            for i in range(3):
                for j in range(3):
                    second[i, j] += six / 120 * corner[k, i] * corner[k, j]
    out[:] = 0
    if abs(volume) < 1e-15:
        return
    center = total / volume
    trace = 0.0
    for i in range(3):
        for j in range(3):
            second[i, j] -= volume * center[i] * center[j]
        trace += second[i, i]
    out[0] = volume
    for i in range(3):
        out[1 + i] = center[i] + base[i]
        for j in range(3):
            out[4 + 3 * i + j] = (trace if i == j else 0.0) - second[i, j]


@_kernel
def _faces(verts, triangles, planes, lengths, corners, edges, weights):  # pragma: no cover - compiled
    """Join level triangles into faces: planes (f, 4), the loops one after the other with their lengths, edges (e, 4);
    weights: volume, centre, inertia. (faces, edges, what is wrong: 0 nothing, 1 no volume, 2 too thin, 3 not convex)"""
    n, m = verts.shape[0], triangles.shape[0]
    cross, normals = np.empty((m, 3)), np.empty((m, 3))
    owner, rim = np.full((n, n), -1, np.int32), np.full(n, -1, np.int32)
    for f in range(m):
        p, q, r = verts[triangles[f, 0]], verts[triangles[f, 1]], verts[triangles[f, 2]]
        ux, uy, uz = q[0] - p[0], q[1] - p[1], q[2] - p[2]
        wx, wy, wz = r[0] - p[0], r[1] - p[1], r[2] - p[2]
        cross[f, 0], cross[f, 1], cross[f, 2] = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        area = max(math.sqrt(cross[f, 0] ** 2 + cross[f, 1] ** 2 + cross[f, 2] ** 2), 1e-30)
        for c in range(3):
            normals[f, c] = cross[f, c] / area
            owner[triangles[f, c], triangles[f, (c + 1) % 3]] = f
    _weigh(verts, triangles, weights)
    if not weights[0] >= 1e-12 or not np.isfinite(weights).all():
        return 0, 0, 1
    group, todo, members = np.full(m, -1, np.int32), np.empty(m, np.int32), np.empty(m, np.int32)
    faces = at = groups = 0
    for start in range(m):
        if group[start] >= 0:
            continue
        count, waiting = 0, 1
        todo[0], group[start] = start, groups
        while waiting:
            waiting -= 1
            f = todo[waiting]
            members[count] = f
            count += 1
            for k in range(3):
                other = owner[triangles[f, (k + 1) % 3], triangles[f, k]]
                if other >= 0 and group[other] < 0:
                    level = 0.0
                    for c in range(3):
                        level += normals[other, c] * normals[start, c]
                    if level > 0.99995:
                        group[other] = groups
                        todo[waiting] = other
                        waiting += 1
        rim[:] = -1
        first, around = -1, 0
        nx = ny = nz = 0.0
        for i in range(count):
            f = members[i]
            nx, ny, nz = nx + cross[f, 0], ny + cross[f, 1], nz + cross[f, 2]
            for k in range(3):
                a, b = triangles[f, k], triangles[f, (k + 1) % 3]
                beyond = owner[b, a]
                if beyond >= 0 and group[beyond] == groups:
                    continue
                if rim[a] < 0:
                    around += 1
                rim[a] = b
                first = a if first < 0 else first
        groups += 1
        if first < 0:
            return 0, 0, 2
        for a in range(n):
            if rim[a] >= 0 and rim[rim[a]] < 0:
                return 0, 0, 2
        length = math.sqrt(nx * nx + ny * ny + nz * nz)
        if length < 1e-14:
            continue
        nx, ny, nz = nx / length, ny / length, nz / length
        here, v, size = at, first, 0
        d = -np.inf
        while size == 0 or (v != first and size < around):
            corners[here + size] = v
            d = max(d, verts[v, 0] * nx + verts[v, 1] * ny + verts[v, 2] * nz)
            size += 1
            v = rim[v]
        planes[faces, 0], planes[faces, 1], planes[faces, 2], planes[faces, 3] = nx, ny, nz, d
        lengths[faces] = size
        at += size
        faces += 1
    owner[:] = -1
    at = found = 0
    for f in range(faces):
        for k in range(lengths[f]):
            a, b = corners[at + k], corners[at + (k + 1) % lengths[f]]
            other = owner[b, a]
            if other < 0:
                owner[a, b] = f
                continue
            owner[b, a] = -1
            x1, y1, z1 = planes[f, 0], planes[f, 1], planes[f, 2]
            x2, y2, z2 = planes[other, 0], planes[other, 1], planes[other, 2]
            x, y, z = y2 * z1 - z2 * y1, z2 * x1 - x2 * z1, x2 * y1 - y2 * x1
            along = (verts[b, 0] - verts[a, 0]) * x + (verts[b, 1] - verts[a, 1]) * y + (verts[b, 2] - verts[a, 2]) * z
            edges[found, 0], edges[found, 1] = (a, b) if along > 0 else (b, a)
            edges[found, 2], edges[found, 3] = f, other
            found += 1
        at += lengths[f]
    extent = 0.0
    for c in range(3):
        extent = max(extent, verts[:, c].max() - verts[:, c].min())
    for f in range(faces):
        for v in range(n):
            d = planes[f, 0] * verts[v, 0] + planes[f, 1] * verts[v, 1] + planes[f, 2] * verts[v, 2]
            if d - planes[f, 3] > 1e-3 * extent + 1e-5:
                return 0, 0, 3
    return faces, found, 0


_WRONG = ("", "a hull without a volume", "a hull too thin for its width", "a hull that is not convex")


def from_triangles(verts: NDArray[np.float64], triangles: NDArray[np.integer]) -> Hull:
    """A hull of a closed convex surface of outward triangles."""
    m = len(triangles)
    planes, lengths, corners = np.zeros((m, 4)), np.zeros(m, np.int32), np.zeros(3 * m, np.int32)
    edges, weights = np.zeros((3 * m, 4), np.int32), np.zeros(13)
    faces, found, wrong = _faces(
        np.ascontiguousarray(verts, np.float64), np.ascontiguousarray(triangles, np.int32), planes, lengths, corners, edges, weights
    )
    if wrong:
        raise BadBody(_WRONG[wrong])
    order = iter(corners.tolist())
    loops = [list(islice(order, length)) for length in lengths[:faces].tolist()]
    rows = list(map(tuple, edges[:found].tolist()))
    return Hull(verts, planes[:faces], loops, rows, float(weights[0]), weights[1:4], weights[4:].reshape(3, 3))


def stretched(hull: Hull, by: NDArray[np.float64], shift: NDArray[np.float64]) -> Hull:
    """The hull stretched along the axes (positive factors), then moved: the same corners make the same faces and edges."""
    planes = np.empty_like(hull.planes)
    normals = hull.planes[:, :3] / by
    length = np.sqrt((normals * normals).sum(axis=1))
    planes[:, :3] = normals = normals / length[:, None]
    planes[:, 3] = hull.planes[:, 3] / length + normals @ shift
    volume = hull.volume * float(by.prod())
    second = (np.trace(hull.inertia) / 2 * np.eye(3) - hull.inertia) * np.outer(by, by) * float(by.prod())
    inertia = np.trace(second) * np.eye(3) - second
    return Hull(hull.verts * by + shift, planes, hull.loops, hull.edges, volume, hull.center * by + shift, inertia)
