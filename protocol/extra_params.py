"""The extra parameters of a prim: flexible path, light, sculpt or mesh, and so on, as bytes a kind.

A prim carries them in one field of at most 255 bytes (`objects.encode_extra_params`). What is in there is read by every
viewer that sees the prim, so nothing goes in that could not be read.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

from protocol.errors import ProtocolError
from protocol.objects import encode_extra_params

FLEXIBLE, LIGHT, SCULPT, LIGHT_IMAGE, MESH, EXTENDED_MESH, RENDER_MATERIAL, PROBE = (
    0x10, 0x20, 0x30, 0x40, 0x60, 0x70, 0x80, 0x90,
)  # fmt: skip
FIELD_BYTES = 255
# Kind -> the sizes it comes in, and the floats in it: where they begin and how many.
_FORMS: dict[int, tuple[tuple[int, ...], int, int]] = {
    FLEXIBLE: ((16,), 4, 3),  # softness and tension, drag, gravity, wind, F32 force x 3
    LIGHT: ((16,), 4, 3),  # colour, F32 radius, cutoff, falloff
    SCULPT: ((17,), 0, 0),  # uuid, U8 kind
    LIGHT_IMAGE: ((28,), 16, 3),  # uuid, F32 x 3
    MESH: ((16, 17), 0, 0),
    EXTENDED_MESH: ((4,), 0, 0),  # U32 flags
    PROBE: ((9,), 0, 2),  # F32 ambiance, F32 clip distance, U8 flags
}
_MATERIAL_BYTES = 17  # U8 face, uuid


def checked(kind: int, data: bytes) -> bytes:
    """The bytes of one parameter, if viewers can read them. ProtocolError says what is wrong with them."""
    if kind == RENDER_MATERIAL:
        if not data or len(data) != 1 + _MATERIAL_BYTES * data[0]:
            raise ProtocolError(f"a render material parameter of {len(data)} bytes")
        return data
    if kind not in _FORMS:
        raise ProtocolError(f"there is no extra parameter {kind:#x}")
    sizes, at, count = _FORMS[kind]
    if len(data) not in sizes:
        raise ProtocolError(f"an extra parameter {kind:#x} of {len(data)} bytes")
    if not all(math.isfinite(value) for value in struct.unpack_from(f"<{count}f", data, at)):
        raise ProtocolError(f"extra parameter {kind:#x}: a number is infinite or not a number")
    return data


def checked_all(params: Mapping[int, bytes]) -> dict[int, bytes]:
    """All parameters of a prim, if each can be read and together they fit into a prim's update. ProtocolError if not."""
    good = {kind: checked(kind, data) for kind, data in params.items()}
    if len(encode_extra_params(good)) > FIELD_BYTES:
        raise ProtocolError(f"extra parameters of more than {FIELD_BYTES} bytes together")
    return good
