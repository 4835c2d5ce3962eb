"""What the gateway sends in binary. Little endian, positions in metres of the region the thing is in.

    LAND     1 | i32 west | i32 south | zlib( 65536 x u16: height in cm + 32768, each less the one before, row by row )
    MOTIONS  2 | per thing: u32 id | u32 parent | u8 flags | 3 f32 position | 4 i16 rotation / 32767
                 | 3 f32 velocity if flags 1 | 3 f32 acceleration if flags 2 | 3 f32 spin if flags 4
    OBJECTS  3 | per thing: u32 id | i32 west | i32 south | u8 pcode | u8 click action | 3 f32 scale | SHAPE, 23 bytes
                 | u8 species of a tree or grass | 4 u8 hover text colour | u16 n, n bytes hover text
                 | u16 n, n bytes texture entry as on the wire | u8 n, n = 0 or 16 bytes texture animation as on the wire
                 | u8 n, n = 0 or 17 bytes uuid and kind of a sculpt map or mesh
                 | u8 n, n = 0 or 16 bytes how it bends, as in ExtraParams

Everything that is rare goes as JSON text instead (see ``link``). ``viewer/web/src/net/frames.ts`` reads these.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

import numpy as np

from protocol.errors import ProtocolError
from protocol.objects import decode_extra_params
from protocol.shapes import WIRE_NAMES
from viewer.model import Entity, Quaternion, Vector

LAND, MOTIONS, OBJECTS = 1, 2, 3
HAS_VELOCITY, HAS_ACCELERATION, HAS_SPIN = 1, 2, 4
_BOX = {"PathCurve": 0x10, "ProfileCurve": 1, "PathScaleX": 100, "PathScaleY": 100}
_LAND = struct.Struct("<Bii")
_MOTION = struct.Struct("<IIB3f")
_ROTATION = struct.Struct("<4h")
_VECTOR = struct.Struct("<3f")
_OBJECT = struct.Struct("<IiiBB3f")
# In the order of shapes.WIRE_NAMES: the two curves, cuts of the path, scales, shears, twists, ..., cuts, hollow.
_SHAPE = struct.Struct("<BBHHBBBBbbbbbBbHHH")
_LONGEST_TEXT = 1024
_FLEXI, _SCULPT = 0x10, 0x30  # of ExtraParams, and their bytes
_SIZES = {_FLEXI: 16, _SCULPT: 17}
_STILL: Vector = (0.0, 0.0, 0.0)


def land(west: int, south: int, heights: np.ndarray) -> bytes:
    """The ground of a region, float32 [256, 256] metres. Heights beyond +-327 m are held to that."""
    steps = np.clip(np.rint(np.nan_to_num(heights) * 100.0) + 32768.0, 0, 65535).astype(np.uint16).ravel()
    deltas = np.diff(steps, prepend=np.uint16(0)).astype("<u2")
    return _LAND.pack(LAND, west, south) + zlib.compress(deltas.tobytes(), 6)


def motion(number: int, parent: int, entity: Entity, now: float) -> bytes:
    """Where a thing is now, and how it moves on from here."""
    position, velocity = entity.own_position(now), entity.velocity
    acceleration, spin = entity.acceleration, entity.angular_velocity
    flags = (velocity != _STILL) | (acceleration != _STILL) << 1 | (spin != _STILL) << 2
    data = _MOTION.pack(number, parent, flags, *position) + _turn(entity.own_rotation(now))
    return data + _rates(velocity, acceleration, spin) if flags else data


# A hundred browsers are told of the same turns and speeds: packed once.


@lru_cache(4096)
def _turn(rotation: Quaternion) -> bytes:
    return _ROTATION.pack(*(round(max(-1.0, min(1.0, part)) * 32767) for part in rotation))


@lru_cache(4096)
def _rates(*vectors: Vector) -> bytes:
    return b"".join(_VECTOR.pack(*vector) for vector in vectors if vector != _STILL)


def thing(number: int, entity: Entity) -> bytes:
    """What an object looks like."""
    region = entity.region
    shape = entity.shape or tuple(_BOX.get(name, 0) for name in WIRE_NAMES)
    words = entity.text.encode()[:_LONGEST_TEXT].decode(errors="ignore").encode()
    look, moving = entity.texture_entry, entity.texture_animation
    moving = moving if len(moving) == 16 else b""
    form, bends = _extra(entity.extra_params, _SCULPT), _extra(entity.extra_params, _FLEXI)
    return b"".join((
        _OBJECT.pack(number, region.west, region.south, entity.pcode, entity.click_action, *entity.scale),
        _SHAPE.pack(*shape),
        bytes([entity.state]), entity.text_color[:4].ljust(4, b"\0"),
        struct.pack("<H", len(words)), words,
        struct.pack("<H", len(look)), look,
        bytes([len(moving)]), moving, bytes([len(form)]), form, bytes([len(bends)]), bends,
    ))  # fmt: skip


def _extra(extra_params: bytes, kind: int) -> bytes:
    """The parameter of that kind; empty for a plain prim, or if it makes no sense."""
    if not extra_params:
        return b""
    try:
        found = decode_extra_params(extra_params).get(kind, b"")
    except ProtocolError:
        return b""
    return found if len(found) == _SIZES[kind] else b""
