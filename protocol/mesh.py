"""Mesh assets (application/vnd.ll.mesh): the triangles of each face, at a level of detail.

    header   binary LLSD map {high_lod: {offset, size}, medium_lod, low_lod, lowest_lod, physics_convex, skin, ...}
    body     at header's end + offset, size bytes: zlib( binary LLSD; of a level: array of faces )
    face     {NoGeometry: true} or {PositionDomain {Min, Max}, Position U16 x3, Normal U16 x3, TexCoord0Domain,
             TexCoord0 U16 x2, TriangleList U16 x3}, the U16 spread over the domain

Source: the public description of the mesh asset format in the Second Life wiki. Meshes come from strangers: everything
is bounded, and a number out of place ends in a ProtocolError. What is solid about a mesh is in mesh_physics.py.
"""

from __future__ import annotations

import math
import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.errors import ProtocolError
from protocol.llsd_binary import read_binary

LEVELS = ("high_lod", "medium_lod", "low_lod", "lowest_lod")
MOST_BYTES = 8 * 1024 * 1024  # of a block unpacked
MOST_FACES = 8
MOST_CORNERS = 65535  # of a face: what a U16 index reaches
_DOMAIN = 1000.0  # metres: no domain reaches farther


class MeshFace(NamedTuple):
    """One face: metres in the unit cube for positions, unit normals, texture coordinates, corners of triangles."""

    positions: NDArray[np.float32]  # [n, 3]
    normals: NDArray[np.float32]  # [n, 3]; empty if the asset has none
    uvs: NDArray[np.float32]  # [n, 2]; zeros if the asset has none
    triangles: NDArray[np.uint16]  # [m, 3]


class MeshAsset(NamedTuple):
    """An asset of which the header is read; blocks are unpacked when asked for."""

    header: dict[str, Any]
    data: bytes
    start: int  # of the body

    def has(self, name: str) -> bool:
        """Whether the header names such a block, with a place and a size."""
        entry = self.header.get(name)
        if not isinstance(entry, dict):
            return False
        offset, size = entry.get("offset"), entry.get("size")
        return isinstance(offset, int) and isinstance(size, int) and offset >= 0 and size > 0

    def block(self, name: str) -> Any:
        """The value of a block that the header names. ProtocolError if it is damaged or too large."""
        entry = self.header[name]
        first = self.start + entry["offset"]
        return read_binary(_unpacked(self.data[first : first + entry["size"]], name))[0]

    def faces(self, name: str) -> list[MeshFace | None]:
        """The faces of a level of detail (or of the physics mesh, which is written alike); None for one without any."""
        faces = self.block(name)
        if not isinstance(faces, list) or not 0 < len(faces) <= MOST_FACES:
            raise ProtocolError("a mesh has 1 to 8 faces")
        return [_face(face) for face in faces]


def read_mesh(data: bytes) -> MeshAsset:
    """An asset's header. ProtocolError if it is none."""
    header, start = read_binary(data)
    if not isinstance(header, dict):
        raise ProtocolError("a mesh without its header")
    return MeshAsset(header, data, start)


def decode_mesh(data: bytes, most_triangles: int = 60_000) -> list[MeshFace | None]:
    """The faces of the finest level that is there and has at most so many triangles; None for one without any.

    Raises ProtocolError if the asset is none, or no level is small enough.
    """
    return decode_level(data, 0, most_triangles)[1]


def decode_level(data: bytes, level: int, most_triangles: int = 60_000) -> tuple[int, list[MeshFace | None]]:
    """The faces at a level of detail, an index of LEVELS, and which level they are: for one that is not there the next
    finer one stands in, for one with more triangles than `most_triangles` the next coarser one. Errors as above."""
    asset = read_mesh(data)
    there = [number for number, name in enumerate(LEVELS) if asset.has(name)]
    if not there:
        raise ProtocolError("a mesh without a level of detail")
    wanted = max((number for number in there if number <= level), default=there[0])
    for number in there[there.index(wanted) :]:
        faces = asset.faces(LEVELS[number])
        if sum(len(face.triangles) for face in faces if face is not None) <= most_triangles:
            return number, faces
    raise ProtocolError("a mesh too large to draw")


def _unpacked(packed: bytes, name: str) -> bytes:
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(packed, MOST_BYTES)
    except zlib.error as error:
        raise ProtocolError(f"a mesh's {name}: {error}") from None
    if unpacker.unconsumed_tail:
        raise ProtocolError(f"a mesh's {name} is too large")
    return raw


def _face(face: Any) -> MeshFace | None:
    if not isinstance(face, dict):
        raise ProtocolError("a mesh's face is a map")
    if face.get("NoGeometry"):
        return None
    positions = spread(shorts(face, "Position", 3), face.get("PositionDomain"), 3)
    n = len(positions)
    triangles = shorts(face, "TriangleList", 3)
    if not 0 < n <= MOST_CORNERS or not len(triangles) or int(triangles.max()) >= n:
        raise ProtocolError("a mesh's triangles name corners that are not there")
    normals = shorts(face, "Normal", 3) if "Normal" in face else np.zeros((0, 3), np.uint16)
    uvs = shorts(face, "TexCoord0", 2) if "TexCoord0" in face else np.zeros((n, 2), np.uint16)
    if len(normals) not in (0, n) or len(uvs) != n:
        raise ProtocolError("a mesh's corners differ in number")
    directions = (normals / np.float32(32767.5) - 1).astype(np.float32)
    return MeshFace(positions, directions, spread(uvs, face.get("TexCoord0Domain"), 2), triangles)


def shorts(block: dict[str, Any], name: str, width: int) -> NDArray[np.uint16]:
    """A member of little-endian U16 in rows of `width`."""
    raw = block.get(name)
    if not isinstance(raw, bytes) or len(raw) % (2 * width):
        raise ProtocolError(f"a mesh's {name} is no rows of {width} numbers")
    return np.frombuffer(raw, "<u2").reshape(-1, width)


def spread(steps: NDArray[np.uint16], domain: Any, width: int) -> NDArray[np.float32]:
    """U16 over a domain {Min, Max}; -0.5..0.5 (0..1 for texture coordinates) where there is none."""
    low, high = (-0.5, 0.5) if width == 3 else (0.0, 1.0)
    ends = [[low] * width, [high] * width]
    if isinstance(domain, dict):
        ends = [domain.get("Min", ends[0]), domain.get("Max", ends[1])]
        for end in ends:
            if not isinstance(end, list) or len(end) != width or not all(isinstance(v, float | int) for v in end):
                raise ProtocolError("a mesh's domain is two vectors")
            if not all(math.isfinite(v) and abs(v) <= _DOMAIN for v in end):
                raise ProtocolError("a mesh's domain is out of range")
    first, last = np.array(ends[0], np.float32), np.array(ends[1], np.float32)
    return (first + steps / np.float32(65535) * (last - first)).astype(np.float32)
