"""What is solid about a mesh asset.

    physics_convex   map {Min, Max, BoundingVerts: U16 x3 ..., HullList: U8 ..., Positions: U16 x3 ...}
                     BoundingVerts: corners of one hull around it all; HullList: how many corners each piece of the
                     decomposition has (0: 256), which follow each other in Positions. All spread over Min..Max
    physics_mesh     an array of faces, as a level of detail has; older assets call it physics_shape

Source: the pages "Mesh Asset Format" and "Mesh physics" of the Second Life wiki. All of it is optional here. Nothing
reaches out of the unit cube that a prim's size stretches, or else a prim would be solid where nobody sees it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.errors import ProtocolError
from protocol.mesh import LEVELS, MeshFace, read_mesh, shorts, spread

MOST_HULLS = 256
MOST_HULL_CORNERS = 256
MOST_TRIANGLES = 20_000  # of a physics mesh
MOST_SEEN = 4_000  # triangles of a level of detail that stands in for a physics mesh
REACH = 0.5

Points = NDArray[np.float32]  # (n, 3) in the unit cube


class MeshPhysics(NamedTuple):
    """`points` and `triangles` are those of the physics mesh, else of what is seen; empty if that is too much."""

    base: Points  # corners of the hull around everything; empty if the asset has none
    hulls: list[Points]  # corners of each convex piece
    points: Points
    triangles: NDArray[np.int32]  # (m, 3)


def decode_physics(data: bytes) -> MeshPhysics:
    """What is solid about a mesh asset. ProtocolError if it is none, damaged or beyond all bounds."""
    asset = read_mesh(data)
    base, hulls = _convex(asset.block("physics_convex")) if asset.has("physics_convex") else (_none(), [])
    for name in ("physics_mesh", "physics_shape"):
        if asset.has(name):
            points, triangles = _joined(asset.faces(name))
            if len(triangles) > MOST_TRIANGLES:
                raise ProtocolError(f"a physics mesh of more than {MOST_TRIANGLES} triangles")
            return MeshPhysics(base, hulls, points, triangles)
    for name in LEVELS:
        if asset.has(name):
            points, triangles = _joined(asset.faces(name))
            if len(triangles) <= MOST_SEEN:
                return MeshPhysics(base, hulls, points, triangles)
    if not len(base) and not hulls:
        raise ProtocolError("a mesh too large to be solid")
    return MeshPhysics(base, hulls, _none(), np.zeros((0, 3), np.int32))


def _convex(block: Any) -> tuple[Points, list[Points]]:
    if not isinstance(block, dict):
        raise ProtocolError("a mesh's convex pieces are a map")
    base = _corners(block, "BoundingVerts") if "BoundingVerts" in block else _none()
    if len(base) > MOST_HULL_CORNERS:
        raise ProtocolError("a mesh's hull has at most 256 corners")
    counts = block.get("HullList", b"")
    if not isinstance(counts, bytes) or len(counts) > MOST_HULLS:
        raise ProtocolError("a mesh has at most 256 convex pieces")
    if not counts:
        return base, []
    name = "Positions" if "Positions" in block else "Position"
    corners = _corners(block, name)
    ends = np.cumsum([count or MOST_HULL_CORNERS for count in counts])
    if ends[-1] > len(corners):
        raise ProtocolError("a mesh's convex pieces name corners that are not there")
    return base, np.split(corners, ends)[: len(counts)]


def _corners(block: dict[str, Any], name: str) -> Points:
    return _held(spread(shorts(block, name, 3), block, 3))


def _joined(faces: list[MeshFace | None]) -> tuple[Points, NDArray[np.int32]]:
    """All faces as one mesh."""
    there = [face for face in faces if face is not None]
    if not there:
        return _none(), np.zeros((0, 3), np.int32)
    starts = np.cumsum([0, *(len(face.positions) for face in there)])
    triangles = [face.triangles.astype(np.int32) + start for face, start in zip(there, starts[:-1], strict=True)]
    return _held(np.concatenate([face.positions for face in there])), np.concatenate(triangles).astype(np.int32)


def _held(points: Points) -> Points:
    return np.clip(points, -REACH, REACH)


def _none() -> Points:
    return np.zeros((0, 3), np.float32)
