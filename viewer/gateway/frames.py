"""What the gateway sends in binary, for what moves and what there is much of; ``records`` draws the layouts.

Everything that is rare goes as JSON text instead (see ``messages``). ``viewer/web/src/net/frames.ts`` reads these.
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

from . import records
from .records import (
    CAN_CHANGE,
    CAN_MOVE,
    CAN_TOUCH,
    HAS_ACCELERATION,
    HAS_SPIN,
    HAS_VELOCITY,
    IS_PHANTOM,
    IS_PHYSICAL,
    LAND,
    MOTIONS,
    OBJECTS,
)

__all__ = ["LAND", "MOTIONS", "OBJECTS", "land", "motion", "on_screen", "thing"]

_BOX = {"PathCurve": 0x10, "ProfileCurve": 1, "PathScaleX": 100, "PathScaleY": 100}
_LAND = struct.Struct("<B" + records.LAND_HEAD.head().format.removeprefix("<"))  # behind the frame's kind
_MOTION = records.MOTION.head()
_VECTOR = struct.Struct("<3f")
_THING = records.THING.head()
_SHAPE = records.SHAPE.head()
# Update flags, and what the page calls them.
_CAN = {0x80: CAN_TOUCH, 0x4: CAN_CHANGE, 0x100: CAN_MOVE, 0x1: IS_PHYSICAL, 0x400: IS_PHANTOM}
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
    point = entity.point
    if point is not None and point.place is not None:  # about there: figures have no joints that it could hang on
        x, y, z = point.place
        position = position[0] + x, position[1] + y, position[2] + z
    acceleration, spin = entity.acceleration, entity.angular_velocity
    flags = (velocity != _STILL) * HAS_VELOCITY | (acceleration != _STILL) * HAS_ACCELERATION | (spin != _STILL) * HAS_SPIN
    data = _MOTION.pack(number, parent, flags, *position, *_turn(entity.own_rotation(now)))
    return data + _rates(velocity, acceleration, spin) if flags else data


def on_screen(entity: Entity) -> bool:
    """Whether it belongs on its wearer's screen (HUD), and not into the world."""
    above = entity
    for _ in range(8):
        point = above.point
        if point is not None or above.parent is None:
            return point is not None and point.hud
        above = above.parent
    return False


# A hundred browsers are told of the same turns and speeds: packed once.


@lru_cache(4096)
def _turn(rotation: Quaternion) -> tuple[int, ...]:
    return tuple(round(max(-1.0, min(1.0, part)) * 32767) for part in rotation)


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
    head = _THING.pack(
        number, region.west, region.south, entity.pcode, entity.click_action, _can(entity), *entity.scale, *_SHAPE.pack(*shape),
        entity.state, *entity.text_color[:4].ljust(4, b"\0"),
    )  # fmt: skip
    return head + records.THING.tail(words, look, moving, form, bends)


def _can(entity: Entity) -> int:
    """What one may do with a thing and how it is, of all that its region says of it."""
    return sum(ours for flag, ours in _CAN.items() if entity.update_flags & flag)


def _extra(extra_params: bytes, kind: int) -> bytes:
    """The parameter of that kind; empty for a plain prim, or if it makes no sense."""
    if not extra_params:
        return b""
    try:
        found = decode_extra_params(extra_params).get(kind, b"")
    except ProtocolError:
        return b""
    return found if len(found) == _SIZES[kind] else b""
