"""Mesh assets (application/vnd.ll.mesh): the triangles of each face, at a level of detail.

    header   binary LLSD map {high_lod: {offset, size}, medium_lod, low_lod, lowest_lod, physics_convex, skin, ...}
    body     at header's end + offset, size bytes: zlib( binary LLSD array of faces )
    face     {NoGeometry: true} or {PositionDomain {Min, Max}, Position U16 x3, Normal U16 x3, TexCoord0Domain,
             TexCoord0 U16 x2, TriangleList U16 x3}, the U16 spread over the domain

Source: the public description of the mesh asset format in the Second Life wiki. Meshes come from strangers: everything
is bounded, and a number out of place ends in a ProtocolError.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from protocol.errors import ProtocolError

LEVELS = ("high_lod", "medium_lod", "low_lod", "lowest_lod")
MOST_BYTES = 8 * 1024 * 1024  # of a level unpacked
MOST_FACES = 8
MOST_CORNERS = 65535  # of a face: what a U16 index reaches
_MOST_DEPTH = 12
_MOST_ITEMS = 4096
_DOMAIN = 1000.0  # metres: no domain reaches farther


class MeshFace(NamedTuple):
    """One face: metres in the unit cube for positions, unit normals, texture coordinates, corners of triangles."""

    positions: NDArray[np.float32]  # [n, 3]
    normals: NDArray[np.float32]  # [n, 3]; empty if the asset has none
    uvs: NDArray[np.float32]  # [n, 2]; zeros if the asset has none
    triangles: NDArray[np.uint16]  # [m, 3]


def decode_mesh(data: bytes, most_triangles: int = 60_000) -> list[MeshFace | None]:
    """The faces of the finest level that is there and has at most so many triangles; None for one without any.

    Raises ProtocolError if the asset is none, or no level is small enough.
    """
    header, body = read_binary(data)
    if not isinstance(header, dict):
        raise ProtocolError("a mesh without its header")
    found = False
    for level in LEVELS:
        entry = header.get(level)
        if not isinstance(entry, dict):
            continue
        offset, size = entry.get("offset"), entry.get("size")
        if not isinstance(offset, int) or not isinstance(size, int) or offset < 0 or size <= 0:
            continue
        found = True
        faces = _level(data[body + offset : body + offset + size])
        if sum(len(face.triangles) for face in faces if face is not None) <= most_triangles:
            return faces
    raise ProtocolError("a mesh too large to draw" if found else "a mesh without a level of detail")


def _level(packed: bytes) -> list[MeshFace | None]:
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(packed, MOST_BYTES)
    except zlib.error as error:
        raise ProtocolError(f"a mesh's level: {error}") from None
    if unpacker.unconsumed_tail:
        raise ProtocolError("a mesh's level is too large")
    faces, _ = read_binary(raw)
    if not isinstance(faces, list) or not 0 < len(faces) <= MOST_FACES:
        raise ProtocolError("a mesh has 1 to 8 faces")
    return [_face(face) for face in faces]


def _face(face: Any) -> MeshFace | None:
    if not isinstance(face, dict):
        raise ProtocolError("a mesh's face is a map")
    if face.get("NoGeometry"):
        return None
    steps = _shorts(face, "Position", 3)
    positions = _spread(steps, face.get("PositionDomain"), 3)
    n = len(positions)
    triangles = _shorts(face, "TriangleList", 3)
    if not 0 < n <= MOST_CORNERS or not len(triangles) or int(triangles.max()) >= n:
        raise ProtocolError("a mesh's triangles name corners that are not there")
    normals = _shorts(face, "Normal", 3) if "Normal" in face else np.zeros((0, 3), np.uint16)
    uvs = _shorts(face, "TexCoord0", 2) if "TexCoord0" in face else np.zeros((n, 2), np.uint16)
    if len(normals) not in (0, n) or len(uvs) != n:
        raise ProtocolError("a mesh's corners differ in number")
    spread_uvs = _spread(uvs, face.get("TexCoord0Domain"), 2)
    return MeshFace(positions, (normals / np.float32(32767.5) - 1).astype(np.float32), spread_uvs, triangles)


def _shorts(face: dict[str, Any], name: str, width: int) -> NDArray[np.uint16]:
    raw = face.get(name)
    if not isinstance(raw, bytes) or len(raw) % (2 * width):
        raise ProtocolError(f"a mesh's {name} is no rows of {width} numbers")
    return np.frombuffer(raw, "<u2").reshape(-1, width)


def _spread(steps: NDArray[np.uint16], domain: Any, width: int) -> NDArray[np.float32]:
    """U16 over a domain {Min, Max}; -0.5..0.5 (0..1 for texture coordinates) where there is none."""
    low, high = ((-0.5, 0.5) if width == 3 else (0.0, 1.0))
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


# ---- binary LLSD: one value, and where it ended
#
#     ! undef | 1 0 boolean | i S32 | r F64 | u 16 bytes | d F64 | s, l, b: U32 n, n bytes
#     [ U32 n, n values ] | { U32 n, n x (k U32 n, n bytes; value) }        big endian, but d


def read_binary(data: bytes) -> tuple[Any, int]:
    """The value at the start of ``data`` and its size in bytes, with or without ``<? LLSD/Binary ?>`` before it."""
    start = 0
    if data[:2] == b"<?":
        start = data.find(b"?>", 0, 64) + 3  # and the line's end
        if start < 3:
            raise ProtocolError("LLSD: a heading without an end")
    try:
        return _read(data, start, 0)
    except (struct.error, IndexError, ValueError) as error:
        raise ProtocolError(f"LLSD: {error}") from None


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    kind = data[at : at + 1]
    at += 1
    if kind in (b"!", b"0", b"1"):
        return {b"!": None, b"0": False, b"1": True}[kind], at
    if kind == b"i":
        return struct.unpack_from(">i", data, at)[0], at + 4
    if kind in (b"r", b"d"):
        return struct.unpack_from(">d" if kind == b"r" else "<d", data, at)[0], at + 8
    if kind == b"u":
        return UUID(bytes=data[at : at + 16]), at + 16
    if kind in (b"s", b"l", b"b"):
        raw, at = _bytes(data, at)
        return (raw if kind == b"b" else raw.decode("utf-8", "replace")), at
    if kind not in (b"[", b"{") or depth >= _MOST_DEPTH:
        raise ProtocolError(f"LLSD: no value begins with {kind!r}" if depth < _MOST_DEPTH else "LLSD: too deep")
    (count,) = struct.unpack_from(">I", data, at)
    at += 4
    if count > _MOST_ITEMS:
        raise ProtocolError(f"LLSD: {count} items")
    found: list[Any] = []
    named: dict[str, Any] = {}
    for _ in range(count):
        if kind == b"[":
            value, at = _read(data, at, depth + 1)
            found.append(value)
            continue
        if data[at : at + 1] != b"k":
            raise ProtocolError("LLSD: a map without a key")
        key, at = _bytes(data, at + 1)
        named[key.decode("utf-8", "replace")], at = _read(data, at, depth + 1)
    if data[at : at + 1] != (b"]" if kind == b"[" else b"}"):
        raise ProtocolError("LLSD: a container without an end")
    return (found if kind == b"[" else named), at + 1


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    (size,) = struct.unpack_from(">I", data, at)
    at += 4
    if at + size > len(data):
        raise ProtocolError("LLSD: a text ends early")
    return data[at : at + size], at + size
