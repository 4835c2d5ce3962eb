"""The solid of a prim: from path and profile to convex pieces.

Whole boxes, balls and round cylinders are themselves. Everything else is cut into pieces that are convex or nearly so:
the profile into wedges (around the hollow, within the cut), the path into segments (where it bends, twists or tapers),
one hull a wedge and segment. As many as the form needs: a plain prism is one hull, a torus 12 to 48.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocol.shapes import Hole, Path, Profile
from protocol.shapes import Shape as PrimShape
from sim.physics.engine import MAX_SIZE, MIN_SIZE, BadBody, Form, Shape, box, cylinder, sphere

Points = NDArray[np.float64]
ROUND = 16  # corners of a whole circle
_CORNERS = {
    # A cut counts from here: the first side is the one that faces -y, as faces are numbered.
    Profile.SQUARE: ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)),
    # An isosceles triangle stands on the x axis' left; the sides are equal to the eye in a scale of one.
    Profile.ISOSCELES: ((0.5, 0.0), (-0.5, 0.5), (-0.5, -0.5)),
    Profile.EQUILATERAL: ((0.5, 0.0), (-0.25, 0.4330127), (-0.25, -0.4330127)),
    Profile.RIGHT: ((0.5, -0.5), (-0.5, 0.5), (-0.5, -0.5)),
}
_HERE, _NONE = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)
FLAT = 5e-4  # metres: pieces thinner than this (see `_thickness`) are no bodies
KEPT = 4096  # prims whose pieces are remembered


def _outline(kind: int, begin: float, end: float, steps: int = ROUND) -> list[tuple[float, float]]:
    """Points along a profile's outline from `begin` to `end` of its length (0..1), corners included."""
    if kind in (Profile.CIRCLE, Profile.HALF_CIRCLE):
        turn = 2 * math.pi if kind == Profile.CIRCLE else math.pi
        n = max(math.ceil(steps * (end - begin) * turn / (2 * math.pi)), 1)
        return [
            (0.5 * math.cos(turn * (begin + (end - begin) * k / n)), 0.5 * math.sin(turn * (begin + (end - begin) * k / n)))
            for k in range(n + 1)
        ]
    corners = _CORNERS.get(kind, _CORNERS[Profile.SQUARE])  # type: ignore[call-overload]
    n = len(corners)

    def at(t: float) -> tuple[float, float]:
        side = min(int(t * n), n - 1)
        f = t * n - side
        (ax, ay), (bx, by) = corners[side], corners[(side + 1) % n]
        return ax + f * (bx - ax), ay + f * (by - ay)

    inner = [k / n for k in range(n + 1) if begin + 1e-6 < k / n < end - 1e-6]
    return [at(t) for t in (begin, *inner, end)]


def _wedges(prim: PrimShape) -> list[list[tuple[float, float]]]:
    """The profile as convex polygons."""
    kind, begin, end, hollow = prim.profile & 0x0F, prim.profile_begin, prim.profile_end, prim.profile_hollow
    begin, end = min(max(begin, 0.0), 1.0), min(max(end, 0.0), 1.0)
    if end - begin < 0.02:
        begin, end = 0.0, 1.0
    whole = begin < 1e-4 and end > 1 - 1e-4
    if hollow < 0.01 and whole:
        outline = _outline(kind, 0.0, 1.0)
        return [outline[:-1] if kind != Profile.HALF_CIRCLE else outline]
    hollow = min(hollow, 0.95)
    hole = prim.hole
    inner_kind = {
        Hole.CIRCLE: Profile.CIRCLE, Hole.SQUARE: Profile.SQUARE, Hole.TRIANGLE: Profile.EQUILATERAL,
    }.get(Hole(hole) if hole in (0x10, 0x20, 0x30) else Hole.SAME, Profile(kind) if kind <= 5 else Profile.SQUARE)  # fmt: skip
    outer = _outline(kind, begin, end)
    polygons = []
    for k in range(len(outer) - 1):
        a, b = outer[k], outer[k + 1]
        if hollow < 0.01:
            polygons.append([a, b, (0.0, 0.0)])
            continue
        # The inner outline seen from the middle in the same directions: a wedge of the wall between both.
        polygons.append([a, b, _inside(inner_kind, b, hollow, kind), _inside(inner_kind, a, hollow, kind)])
    return [polygon for polygon in polygons if _area(polygon) > 1e-6]


def _inside(kind: int, way: tuple[float, float], hollow: float, outer: int) -> tuple[float, float]:
    """Where the ray from the middle towards `way` crosses the hole's outline."""
    if kind == outer:
        return way[0] * hollow, way[1] * hollow
    size = math.hypot(*way)
    if size < 1e-9:
        return 0.0, 0.0
    x, y = way[0] / size, way[1] / size
    if kind in (Profile.CIRCLE, Profile.HALF_CIRCLE):
        reach = 0.5
    else:
        reach = 0.5
        corners = _CORNERS.get(kind, _CORNERS[Profile.SQUARE])  # type: ignore[call-overload]
        best = math.inf
        for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
            nx, ny = by - ay, ax - bx
            d = nx * x + ny * y
            if d > 1e-9:
                best = min(best, (nx * ax + ny * ay) / d)
        reach = best if math.isfinite(best) else 0.5
    limit = size * 0.98  # a square hole's corners must not pierce a round wall
    reach = min(reach * hollow, limit)
    return x * reach, y * reach


def _area(polygon: Sequence[tuple[float, float]]) -> float:
    total = 0.0
    for (ax, ay), (bx, by) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        total += ax * by - bx * ay
    return abs(total) / 2


def _straight(prim: PrimShape, polygons: list[list[tuple[float, float]]]) -> list[Points]:
    """Pieces along a line path, of a prim of size 1: taper, shear and twist between both ends."""
    begin, end = min(max(prim.path_begin, 0.0), 1.0), min(max(prim.path_end, 0.0), 1.0)
    if end - begin < 0.01:
        begin, end = 0.0, 1.0
    twist = abs(prim.path_twist - prim.path_twist_begin) * 180
    segments = max(1, min(8, math.ceil(twist / 30)))
    stations = np.linspace(begin, end, segments + 1)

    def ring(polygon: Sequence[tuple[float, float]], t: float) -> Points:
        # path_scale is the size of the end that is smaller: 1 full, under 1 the top shrinks, over 1 the bottom does.
        sx, sy = prim.path_scale_x, prim.path_scale_y
        fx = 1 + (sx - 1) * t if sx <= 1 else 1 + (1 - sx) * (1 - t)
        fy = 1 + (sy - 1) * t if sy <= 1 else 1 + (1 - sy) * (1 - t)
        turn = math.pi * (prim.path_twist_begin + (prim.path_twist - prim.path_twist_begin) * t)
        flat = np.asarray(polygon, np.float64) * (max(fx, 1e-3), max(fy, 1e-3))
        c, s = math.cos(turn), math.sin(turn)
        flat = flat @ np.array([[c, s], [-s, c]])
        points = np.empty((len(flat), 3))
        points[:, :2] = flat + np.array([prim.path_shear_x, prim.path_shear_y]) * (t - 0.5)
        points[:, 2] = t - 0.5
        return points

    return [
        np.concatenate([ring(polygon, a), ring(polygon, b)])
        for polygon in polygons
        for a, b in pairwise(stations)
    ]


def _bent(prim: PrimShape, polygons: list[list[tuple[float, float]]]) -> list[Points]:
    """Pieces along a circular path, of a prim of size 1: spheres cut or hollow, tori, tubes and rings."""
    begin, end = min(max(prim.path_begin, 0.0), 1.0), min(max(prim.path_end, 0.0), 1.0)
    if end - begin < 0.02:
        begin, end = 0.0, 1.0
    turns = min(max(prim.path_revolutions, 1.0), 4.0)
    segments = max(3, math.ceil(12 * turns * (end - begin)))
    stations = np.linspace(begin, end, segments + 1)
    ball = prim.profile & 0x0F == Profile.HALF_CIRCLE
    hole_x, hole_y = min(max(prim.path_scale_x, 0.01), 1.0), min(max(prim.path_scale_y, 0.01), 0.5)
    if ball:
        hole_x, hole_y = 1.0, 1.0
    radius = 0.0 if ball else 0.5 * (1 - hole_y)
    slim = max(1 - abs(prim.path_skew), 0.05)  # a skewed ring is the thinner

    def ring(polygon: Sequence[tuple[float, float]], t: float) -> Points:
        angle = 2 * math.pi * t * turns
        tx = 1 - abs(prim.path_taper_x) * (1 - t if prim.path_taper_x < 0 else t)
        ty = 1 - abs(prim.path_taper_y) * (1 - t if prim.path_taper_y < 0 else t)
        flat = np.asarray(polygon, np.float64) * (hole_x * slim * max(tx, 1e-3), hole_y * max(ty, 1e-3))
        turn = 2 * math.pi * (prim.path_twist_begin + (prim.path_twist - prim.path_twist_begin) * t)
        if not ball:
            c, s = math.cos(turn), math.sin(turn)
            flat = flat @ np.array([[c, s], [-s, c]])
        offset = radius * (1 - abs(prim.path_radius_offset) * (1 - t if prim.path_radius_offset > 0 else t))
        # The profile's x runs along the ring's axis, its y outwards; the path begins at +y and turns to +z.
        away = offset + flat[:, 1]
        # Shear moves the ring along x and y by how high it is.
        height = offset * math.sin(angle)
        along = flat[:, 0] + prim.path_skew * (t - 0.5) + prim.path_shear_x * height
        points = np.empty((len(flat), 3))
        points[:, 0] = along
        points[:, 1] = math.cos(angle) * away + prim.path_shear_y * height
        points[:, 2] = math.sin(angle) * away
        return points

    return [
        np.concatenate([ring(polygon, a), ring(polygon, b)])
        for polygon in polygons
        for a, b in pairwise(stations)
    ]


def _is_plain(prim: PrimShape) -> bool:
    """Whole, straight and solid."""
    return (
        prim.profile_hollow < 0.01
        and prim.profile_begin < 1e-4
        and prim.profile_end > 1 - 1e-4
        and prim.path_begin < 1e-4
        and prim.path_end > 1 - 1e-4
        and max(abs(prim.path_twist), abs(prim.path_twist_begin)) < 1e-3
        and max(abs(prim.path_shear_x), abs(prim.path_shear_y)) < 1e-3
    )


def prim_shape(prim: PrimShape, scale: Sequence[float], convex: bool = False) -> Shape:
    """The solid of a prim of this scale (metres). `convex`: one hull around it all (the viewer's "convex hull" physics
    shape). BadBody when the scale is none."""
    try:
        x, y, z = (float(side) for side in scale)
    except (TypeError, ValueError) as error:
        raise BadBody(f"a prim's scale must be three numbers, not {scale!r}") from error
    if not (0 < x <= MAX_SIZE and 0 < y <= MAX_SIZE and 0 < z <= MAX_SIZE):  # a NaN fails this, too
        raise BadBody(f"a prim's scale must be three positive numbers, not {scale!r}")
    size = x, y, z = max(x, 2 * MIN_SIZE), max(y, 2 * MIN_SIZE), max(z, 2 * MIN_SIZE)
    form = _form(prim)
    if form == Form.BOX:
        return box(x, y, z)
    if form == Form.CYLINDER and abs(x - y) < 0.01 * x:
        return cylinder((x + y) / 2, z)
    if form == Form.SPHERE and max(size) - min(size) < 0.01 * x:
        return sphere((x + y + z) / 6)
    pieces = _pieces(prim)
    if convex or form == Form.SPHERE:
        return Shape(Form.HULL, size, _together(prim))
    least = min(size)
    solids = [points for points, thickness in pieces if thickness * least > FLAT or _thickness(points * size) > FLAT]
    if not solids:
        return Shape(Form.HULL, size, _together(prim))
    # Of a prim of size 1, and stretched: what many prims share is worked out once (`shapes.py`).
    if len(solids) == 1:
        return Shape(Form.HULL, size, solids[0])
    return Shape(Form.COMPOUND, parts=tuple([(Shape(Form.HULL, size, points), _HERE, _NONE) for points in solids]))


@lru_cache(KEPT)
def _form(prim: PrimShape) -> Form | None:
    """What a prim is if it is whole and its size is even; None of those that are hulls in any size."""
    line = prim.path in (Path.LINE, Path.FLEXIBLE)
    kind = prim.profile & 0x0F
    if not _is_plain(prim):
        return None
    if not line:
        return Form.SPHERE if kind == Profile.HALF_CIRCLE else None
    if abs(prim.path_scale_x - 1) > 1e-3 or abs(prim.path_scale_y - 1) > 1e-3:
        return None
    return {Profile.SQUARE: Form.BOX, Profile.CIRCLE: Form.CYLINDER}.get(Profile(kind)) if kind <= Profile.HALF_CIRCLE else None


@lru_cache(KEPT)
def _pieces(prim: PrimShape) -> list[tuple[NDArray[np.float32], float]]:
    """The corners of each piece of a prim of size 1, and the piece's thickness."""
    line = prim.path in (Path.LINE, Path.FLEXIBLE)
    pieces = (_straight if line else _bent)(prim, _wedges(prim))
    if not pieces:
        raise BadBody("a prim of which nothing is left")
    return [(points.astype(np.float32), _thickness(points)) for points in pieces]


@lru_cache(KEPT)
def _together(prim: PrimShape) -> NDArray[np.float32]:
    """All corners of a prim of size 1."""
    return np.concatenate([points for points, _ in _pieces(prim)])


def _thickness(points: NDArray[Any]) -> float:
    """How far points are from lying in one plane (their root mean square distance from the best)."""
    centred = points - points.mean(axis=0)
    return math.sqrt(max(float(np.linalg.eigvalsh(centred.T @ centred / len(points))[0]), 0.0))
