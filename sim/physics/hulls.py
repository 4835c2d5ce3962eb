"""Convex hulls: from any points to corners, flat faces with their corners in order, and edges.

Incremental: four points that span a body, then every other point from the outermost inwards; the triangles a point sees
are replaced by a fan from the point to their rim. Coplanar triangles are joined into faces afterwards, for contacts are
clipped face against face. Hulls stay small (32 corners): the outermost points in even directions are kept.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.physics.engine import BadBody

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


@njit(cache=True, nogil=True, error_model="numpy")
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


def _fewer(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without doubles, the outermost first, and no more than the outermost in MAX_CORNERS even directions."""
    extent = np.ptp(points, axis=0).max()
    _, index = np.unique(np.round(points / max(extent * 1e-5, 1e-7)), axis=0, return_index=True)
    points = points[np.sort(index)]
    if len(points) > MAX_CORNERS:
        k = np.arange(MAX_CORNERS - 6) + 0.5
        polar, turn = np.arccos(1 - 2 * k / len(k)), np.pi * (1 + 5**0.5) * k
        ways = np.c_[np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)]
        ways = np.concatenate([np.eye(3), -np.eye(3), ways])
        spread = np.maximum(np.ptp(points, axis=0), 1e-9)  # even over a stretched body, too
        points = points[np.unique((points / spread @ ways.T).argmax(axis=0))]
    order = np.argsort(-np.linalg.norm(points - points.mean(axis=0), axis=1), kind="stable")
    return points[order]


def convex_hull(points: NDArray[np.floating]) -> Hull:
    """The hull of (n, 3) points. BadBody when they are flatter than a tenth of a millimetre."""
    corners = _fewer(np.asarray(points, np.float64))
    if len(corners) < 4:
        raise BadBody("a hull of fewer than four different points")
    found = np.zeros((4 * len(corners) + 16, 3), np.int32)
    count = _triangles(corners, found)
    if not count:
        raise BadBody("a hull of points in one plane")
    triangles = found[:count]
    used, compact = np.unique(triangles, return_inverse=True)
    return from_triangles(corners[used], compact.reshape(-1, 3))


def _joined(normals: NDArray[np.float64], triangles: NDArray[np.integer]) -> list[list[int]]:
    """Groups of neighbouring triangles that lie in one plane."""
    corners = triangles.tolist()
    owner = {(t[k], t[(k + 1) % 3]): f for f, t in enumerate(corners) for k in range(3)}
    level = (normals @ normals.T > 0.99995).tolist()
    group = [-1] * len(triangles)
    groups: list[list[int]] = []
    for start in range(len(triangles)):
        if group[start] >= 0:
            continue
        members, todo = [], [start]
        group[start] = len(groups)
        while todo:
            f = todo.pop()
            members.append(f)
            for k in range(3):
                other = owner.get((corners[f][(k + 1) % 3], corners[f][k]), f)
                if group[other] < 0 and level[other][start]:
                    group[other] = len(groups)
                    todo.append(other)
        groups.append(members)
    return groups


def from_triangles(verts: NDArray[np.float64], triangles: NDArray[np.integer]) -> Hull:
    """A hull of a closed convex surface of outward triangles."""
    p, q, r = (verts[triangles[:, k]] for k in range(3))
    cross = np.cross(q - p, r - p)
    area = np.linalg.norm(cross, axis=1)
    normals = cross / np.maximum(area, 1e-30)[:, None]
    volume, center, inertia = solid(p, q, r)
    if volume < 1e-12 or not np.isfinite(inertia).all():
        raise BadBody("a hull without a volume")
    planes, loops = [], []
    triples = triangles.tolist()
    for members in _joined(normals, triangles):
        edges: dict[int, dict[int, int]] = {}
        for f in members:
            for k in range(3):
                edges.setdefault(triples[f][k], {})[triples[f][(k + 1) % 3]] = f
        rim = {
            a: b for a, ends in edges.items() for b in ends if not (b in edges and a in edges[b])
        }  # fmt: skip
        if not rim or not set(rim.values()) <= rim.keys():
            raise BadBody("a hull too thin for its width")
        start = next(iter(rim))
        loop, at = [start], rim[start]
        while at != start and len(loop) <= len(rim):
            loop.append(at)
            at = rim[at]
        normal = cross[members].sum(axis=0)
        length = np.linalg.norm(normal)
        if length < 1e-14:
            continue
        normal /= length
        planes.append([*normal.tolist(), float((verts[loop] @ normal).max())])
        loops.append(loop)
    edges_of: dict[tuple[int, int], int] = {}
    result = []
    corners = verts.tolist()  # plain numbers: numpy takes a hundred times as long for one cross product
    for f, loop in enumerate(loops):
        for k, a in enumerate(loop):
            b = loop[(k + 1) % len(loop)]
            other = edges_of.pop((b, a), None)
            if other is None:
                edges_of[(a, b)] = f
                continue
            (ax, ay, az), (bx, by, bz) = corners[a], corners[b]
            (x1, y1, z1, _), (x2, y2, z2, _) = planes[f], planes[other]
            across = y2 * z1 - z2 * y1, z2 * x1 - x2 * z1, x2 * y1 - y2 * x1
            forward = (bx - ax) * across[0] + (by - ay) * across[1] + (bz - az) * across[2] > 0
            result.append((a, b, f, other) if forward else (b, a, f, other))
    array = np.array(planes)
    if (verts @ array[:, :3].T - array[:, 3]).max() > 1e-3 * np.ptp(verts, axis=0).max() + 1e-5:
        raise BadBody("a hull that is not convex")
    return Hull(verts, array, loops, result, volume, center, inertia)


def stretched(hull: Hull, by: NDArray[np.float64], shift: NDArray[np.float64]) -> Hull:
    """The hull stretched along the axes (positive factors), then moved: the same corners make the same faces and edges."""
    normals = hull.planes[:, :3] / by
    length = np.linalg.norm(normals, axis=1)
    normals /= length[:, None]
    distances = hull.planes[:, 3] / length + normals @ shift
    volume = hull.volume * float(by.prod())
    second = (np.trace(hull.inertia) / 2 * np.eye(3) - hull.inertia) * np.outer(by, by) * float(by.prod())
    inertia = np.trace(second) * np.eye(3) - second
    planes = np.c_[normals, distances]
    return Hull(hull.verts * by + shift, planes, hull.loops, hull.edges, volume, hull.center * by + shift, inertia)


def solid(
    p: NDArray[np.float64], q: NDArray[np.float64], r: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Volume, centre and inertia (density 1, about the centre) of what outward triangles p q r enclose: the sum of
    tetrahedra from the first corner."""
    base = p[0]
    a, b, c = p - base, q - base, r - base
    six = np.einsum("ij,ij->i", a, np.cross(b, c))
    volume = float(six.sum()) / 6
    if abs(volume) < 1e-15:
        return 0.0, base.copy(), np.zeros((3, 3))
    total = a + b + c
    center = (six[:, None] * total).sum(axis=0) / 24 / volume
    second = sum(np.einsum("i,ij,ik->jk", six, x, x) for x in (a, b, c, total)) / 120
    second = second - volume * np.outer(center, center)
    inertia = np.trace(second) * np.eye(3) - second
    return volume, center + base, inertia
