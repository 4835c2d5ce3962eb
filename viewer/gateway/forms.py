"""Forms that are assets: meshes and sculpt maps, made into what the page draws without knowing their formats.

``records`` draws the layouts. A sculpt map is a picture whose colours are places, so it comes without loss.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, Jpeg2KImagePlugin

from protocol.errors import ProtocolError
from protocol.mesh import LEVELS, decode_level

from . import records

MOST_BYTES = 16 * 1024 * 1024  # of an asset as stored
_MOST_PIXELS = 2048 * 2048
_MESH, _FACE, _SCULPT = records.MESH_HEAD.head(), records.FACE_HEAD.head(), records.SCULPT_HEAD.head()
MESHES = {f"mesh-{name.removesuffix('_lod')}": level for level, name in enumerate(LEVELS)}  # kinds of form


def mesh(raw: bytes, level: int = 0) -> bytes | None:
    """A mesh asset's faces at a level of detail, or at the one that stands in for it; None if it is none."""
    try:
        level, faces = decode_level(raw, level)
    except ProtocolError:
        return None
    parts = [_MESH.pack(len(faces), level)]
    for face in faces:
        if face is None:
            parts.append(_FACE.pack(0, 0))
            continue
        normals = face.normals if len(face.normals) else np.zeros_like(face.positions)
        parts.append(_FACE.pack(len(face.positions), len(face.triangles)))
        parts += [part.astype("<f4").tobytes() for part in (face.positions, normals, face.uvs)]
        corners = face.triangles.astype("<u2").tobytes()
        parts.append(corners + bytes(-len(corners) % 4))
    return b"".join(parts)


def sculpt(raw: bytes) -> bytes | None:
    """A sculpt map's places; None if it is no picture."""
    try:
        with Image.open(io.BytesIO(raw), formats=("JPEG2000", "PNG")) as picture:
            width, height = picture.size
            if width * height > _MOST_PIXELS or min(width, height) < 8:
                return None
            if isinstance(picture, Jpeg2KImagePlugin.Jpeg2KImageFile):
                halvings = 0
                while min(width, height) >= 128 and halvings < 5:
                    halvings, width, height = halvings + 1, width // 2, height // 2
                setattr(picture, "reduce", halvings)  # noqa: B010 - Pillow's own name; its types know a method only
            shown = picture.convert("RGB")
        small = shown.resize((min(64, shown.width), min(64, shown.height)), Image.Resampling.NEAREST)
        return _SCULPT.pack(*small.size) + small.tobytes()
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError):
        return None
