"""Solids from assets: what a mesh or a sculpt map is to physics, found once and stretched to each prim's size.

Finding hulls and sorting triangles takes milliseconds to seconds, and assets come from strangers: this runs in a process
of its own (`solids_worker.py`). All is within the unit cube; the region only stretches it (`Shape.made`).
"""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, Jpeg2KImagePlugin

from protocol.errors import ProtocolError
from protocol.mesh_physics import MeshPhysics, decode_physics
from sim.physics.engine import BadBody
from sim.physics.hulls import Hull, convex_hull
from sim.physics.meshes import build_tree

MOST_PIXELS = 2048 * 2048
SCULPT_SIDE = 32  # pixels of a sculpt map that are looked at, across
MIRROR = 0x80  # of a sculpt's kind: x is the other way round
MOST_CUT = 1_500  # triangles of a mesh that is cut into convex pieces
LEAST_AREA = 1e-8  # twice that of a triangle in the unit cube


class Convex(NamedTuple):
    """A convex piece: its hull about the mean of its corners, and where that is."""

    hull: Hull
    center: tuple[float, float, float]


class Tree(NamedTuple):
    """Triangles in the order of their box tree."""

    points: NDArray[np.float32]  # (n, 3)
    triangles: NDArray[np.int32]  # (m, 3)
    nodes: NDArray[Any]  # NODE


class AssetSolid(NamedTuple):
    """What there is of it: the hull around everything, convex pieces, triangles."""

    base: Convex
    pieces: list[Convex]
    tree: Tree | None

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        tree = 0 if self.tree is None else sum(array.nbytes for array in self.tree)
        return tree + 8192 * (1 + len(self.pieces))


def from_mesh(data: bytes, cut: bool = False) -> AssetSolid:
    """The solid of a mesh asset. `cut`: where it has triangles but no convex pieces, cut it into some, for it is to move.
    ProtocolError or BadBody when it is none."""
    found = decode_physics(data)
    tree = _tree(found)
    pieces = [piece for piece in map(_convex, found.hulls) if piece is not None]
    if not pieces and cut and tree is not None and len(tree.triangles) <= MOST_CUT:
        pieces = _cut(tree)
    every = [found.base] if len(found.base) else found.hulls or [found.points]
    base = _convex(np.concatenate(every))
    if base is None:
        raise BadBody("a mesh without a volume")
    return AssetSolid(base, pieces, tree)


def from_sculpt(raw: bytes, kind: int) -> AssetSolid:
    """The hull of a sculpt map: each pixel is a place. ProtocolError or BadBody when there is none."""
    try:
        with Image.open(io.BytesIO(raw), formats=("JPEG2000", "PNG")) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS or min(width, height) < 8:
                raise ProtocolError("a sculpt map of that size")
            if isinstance(picture, Jpeg2KImagePlugin.Jpeg2KImageFile):
                halvings = 0
                while min(width, height) >= 2 * SCULPT_SIDE and halvings < 5:
                    halvings, width, height = halvings + 1, width // 2, height // 2
                setattr(picture, "reduce", halvings)  # noqa: B010 - Pillow's own name; its types know a method only
            shown = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as error:
        raise ProtocolError(f"a sculpt map: {error}") from None
    side = min(SCULPT_SIDE, shown.width), min(SCULPT_SIDE, shown.height)
    places = np.asarray(shown.resize(side, Image.Resampling.NEAREST), np.float32).reshape(-1, 3) / 255 - 0.5
    if kind & MIRROR:
        places = places * np.array([-1, 1, 1], np.float32)
    base = _convex(places)
    if base is None:
        raise BadBody("a sculpt without a volume")
    return AssetSolid(base, [], None)


def _convex(points: NDArray[np.floating]) -> Convex | None:
    """None of points in a plane, or all but."""
    if not len(points):
        return None
    middle = np.round(points.mean(axis=0, dtype=np.float64), 6)
    try:
        hull = convex_hull(points - middle)
    except BadBody:
        return None
    return Convex(hull, (float(middle[0]), float(middle[1]), float(middle[2])))


def _tree(found: MeshPhysics) -> Tree | None:
    """None without triangles that have an area."""
    corners = found.points[found.triangles].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    triangles = found.triangles[area > LEAST_AREA]
    if not len(triangles):
        return None
    used, compact = np.unique(triangles, return_inverse=True)
    points = np.ascontiguousarray(found.points[used])
    return Tree(points, *build_tree(points, compact.reshape(-1, 3).astype(np.int32)))


def _cut(tree: Tree) -> list[Convex]:
    """Convex pieces of a mesh, [] where the means for it are not installed or find none."""
    from sim.physics.bullet import convex_pieces

    try:
        found = convex_pieces(tree.points.astype(np.float64), tree.triangles)
    except BadBody:
        return []
    return [piece for piece in map(_convex, found) if piece is not None]
