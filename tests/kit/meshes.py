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
    body = zlib.compress(llsd(list(faces)))
    return llsd({"version": 1, level: {"offset": 0, "size": len(body)}}) + body


def sculpt_map(size: int = 32) -> bytes:
    """A ball as PNG: red, green and blue are x, y and z, the left edge meets the right one."""
    t, s = np.mgrid[0:size, 0:size]
    up, around = (0.5 - t / (size - 1)) * np.pi, s / size * 2 * np.pi
    places = np.stack([np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)], -1)
    out = io.BytesIO()
    Image.fromarray(np.round((places * 0.5 + 0.5) * 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()
