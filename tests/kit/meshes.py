"""Mesh assets and sculpt maps for tests, written from the format's description."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image


def llsd(value: Any) -> bytes:
    """Binary LLSD of plain values."""
    if isinstance(value, bool):
        return b"1" if value else b"0"
    if isinstance(value, int):
        return b"i" + struct.pack(">i", value)
    if isinstance(value, float):
        return b"r" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return b"b" + struct.pack(">I", len(value)) + value
    if isinstance(value, list):
        return b"[" + struct.pack(">I", len(value)) + b"".join(map(llsd, value)) + b"]"
    parts = [b"k" + struct.pack(">I", len(key)) + key.encode() + llsd(part) for key, part in value.items()]
    return b"{" + struct.pack(">I", len(parts)) + b"".join(parts) + b"}"


def pyramid() -> dict[str, Any]:
    """A face with five corners: a square and a top, as wide and high as its domain."""
    corners = [(0, 0, 0), (65535, 0, 0), (65535, 65535, 0), (0, 65535, 0), (32768, 32768, 65535)]
    triangles = [(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4), (1, 0, 3), (1, 3, 2)]
    return {
        "PositionDomain": {"Min": [-0.5, -0.5, -0.5], "Max": [0.5, 0.5, 0.5]},
        "Position": np.array(corners, "<u2").tobytes(),
        "TexCoord0Domain": {"Min": [0.0, 0.0], "Max": [2.0, 1.0]},
        "TexCoord0": np.array([row[:2] for row in corners], "<u2").tobytes(),
        "TriangleList": np.array(triangles, "<u2").tobytes(),
    }


def mesh_asset(*faces: dict[str, Any], level: str = "high_lod") -> bytes:
    """An asset with one level of detail."""
    return asset(**{level: list(faces)})


def asset(**blocks: Any) -> bytes:
    """An asset of blocks by their names in the header: arrays of faces, or the map that `convex` makes."""
    header: dict[str, Any] = {"version": 1}
    body = b""
    for name, value in blocks.items():
        packed = zlib.compress(llsd(value))
        header[name] = {"offset": len(body), "size": len(packed)}
        body += packed
    return llsd(header) + body


def face(points: Any, triangles: Any) -> dict[str, Any]:
    """A face of points in the unit cube, (n, 3) from -0.5 to 0.5, and triangles (m, 3)."""
    return {"Position": steps(points), "TriangleList": np.asarray(triangles, "<u2").tobytes()}


def convex(base: Any, *hulls: Any) -> dict[str, Any]:
    """The block physics_convex: the corners of the hull around it all, and of the pieces."""
    block = {"Min": [-0.5] * 3, "Max": [0.5] * 3, "BoundingVerts": steps(base)}
    if hulls:
        block["HullList"] = bytes(len(hull) % 256 for hull in hulls)
        block["Positions"] = steps(np.concatenate(hulls))
    return block


def steps(points: Any) -> bytes:
    return np.round((np.asarray(points, np.float64) + 0.5) * 65535).astype("<u2").tobytes()


def ring(hole: float = 0.5, sides: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """A flat ring around z that fills the unit cube, with a hole of that share of its width: points and triangles."""
    turn = np.arange(sides) * 2 * np.pi / sides
    round_ = np.stack([np.cos(turn), np.sin(turn)], -1) / 2
    points = np.concatenate([np.c_[round_ * size, np.full(sides, z)] for size in (1, hole) for z in (-0.5, 0.5)])
    low, high, low_in, high_in = (np.arange(sides) + k * sides for k in range(4))
    quads = [(low, high), (high, high_in), (high_in, low_in), (low_in, low)]
    triangles = [
        np.stack([p, np.roll(p, -1), q], -1) if half == 0 else np.stack([np.roll(p, -1), np.roll(q, -1), q], -1)
        for p, q in quads for half in (0, 1)
    ]  # fmt: skip
    return points, np.concatenate(triangles)


def ring_pieces(hole: float = 0.5, sides: int = 16) -> list[np.ndarray]:
    """The same ring as convex pieces, one a side."""
    points, _ = ring(hole, sides)
    return [points[[k + part * sides for part in range(4) for k in (n, (n + 1) % sides)]] for n in range(sides)]


def block(low: Any, high: Any) -> np.ndarray:
    """The corners of a box."""
    return np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])


BLOCK_TRIANGLES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
     [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def blocks(*boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes as one mesh: points and triangles."""
    return np.concatenate(boxes), np.concatenate([BLOCK_TRIANGLES + 8 * n for n in range(len(boxes))])


def stairs(count: int = 8) -> list[np.ndarray]:
    """Steps that climb along x through the unit cube, each as a box."""
    edges = np.linspace(-0.5, 0.5, count + 1)
    return [block((edges[n], -0.5, -0.5), (edges[n + 1], 0.5, edges[n + 1])) for n in range(count)]


def sculpt_map(size: int = 32) -> bytes:
    """A ball as PNG: red, green and blue are x, y and z, the left edge meets the right one."""
    t, s = np.mgrid[0:size, 0:size]
    up, around = (0.5 - t / (size - 1)) * np.pi, s / size * 2 * np.pi
    places = np.stack([np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)], -1)
    out = io.BytesIO()
    Image.fromarray(np.round((places * 0.5 + 0.5) * 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()
