"""ObjectUpdateCompressed.Data: a full update without what does not apply.

    16 full id | U32 local id | U8 pcode | U8 state | U32 crc | U8 material | U8 click action
    F32x3 scale | F32x3 position | F32x3 rotation | U32 flags | 16 owner id
    0x80  F32x3 angular velocity                  0x20  U32 parent id
    0x02  U8 tree species   else   0x01  U32 length, scratch bytes
    0x04  text, NUL, 4 bytes colour               0x200 media URL, NUL
    0x08  86 bytes particles                      always  U8 count, extra params
    0x10  16 sound, F32 gain, U8 flags, F32 radius   0x100 name values, NUL
    path and profile, 23 bytes | U32 length, texture entry
    0x40  U32 length, texture animation           0x400 particles of the newer form, to the end

It has no velocity or acceleration: it is for things at rest. Both functions use the fields of an ObjectUpdate block.
"""

from __future__ import annotations

import struct
from math import isfinite
from typing import Any

from protocol.codec import NULL, pack_quaternion, raw_bytes, uuid_of
from protocol.errors import ProtocolError

_SPIN, _PARENT, _TREE, _SCRATCH, _TEXT, _MEDIA, _PARTICLES = 0x80, 0x20, 0x02, 0x01, 0x04, 0x200, 0x08
_SOUND, _NAMES, _ANIMATION, _NEW_PARTICLES = 0x10, 0x100, 0x40, 0x400
_PARTICLE_BYTES = 86

_FIXED = struct.Struct("<16sIBBIBB9fI16s")
_SOUND_PART = struct.Struct("<16sfBf")
_SHAPE = struct.Struct("<BHH4B5bBbBHHH")
_SHAPE_FIELDS = (
    "PathCurve", "PathBegin", "PathEnd", "PathScaleX", "PathScaleY", "PathShearX", "PathShearY", "PathTwist",
    "PathTwistBegin", "PathRadiusOffset", "PathTaperX", "PathTaperY", "PathRevolutions", "PathSkew", "ProfileCurve",
    "ProfileBegin", "ProfileEnd", "ProfileHollow",
)  # fmt: skip
_OBJECT_DATA = struct.Struct("<15f")
_TREES = frozenset({95, 111, 255})  # PCode: grass and trees keep their species in Data


def encode_compressed(block: dict[str, Any]) -> bytes:
    """Data of one block, from the fields of an ObjectUpdate block as `objects.full_block` makes them.

    Velocity, acceleration and foot plane are dropped. Raises ProtocolError for values that do not fit.
    """
    get = block.get
    motion = get("ObjectData", b"")
    if len(motion) not in (60, 76):
        raise ProtocolError(f"ObjectData of {len(motion)} bytes")
    values = _OBJECT_DATA.unpack_from(motion, len(motion) - 60)
    position, rotation, spin = values[0:3], values[9:12], values[12:15]
    text, media = _line(get("Text", b"")), _line(get("MediaURL", b""))
    names = _line(get("NameValue", b""))
    particles, data = get("PSBlock", b""), get("Data", b"")
    sound, animation = get("Sound", NULL), get("TextureAnim", b"")
    tree = get("PCode", 0) in _TREES and len(data) == 1

    flags = 0
    parts: list[bytes] = []

    def add(flag: int, *pieces: bytes) -> None:
        nonlocal flags
        flags |= flag
        parts.extend(pieces)

    try:
        if any(spin):
            add(_SPIN, struct.pack("<3f", *spin))
        if get("ParentID", 0):
            add(_PARENT, struct.pack("<I", block["ParentID"]))
        if tree:
            add(_TREE, data)
        elif data:
            add(_SCRATCH, struct.pack("<I", len(data)), data)
        if text:
            add(_TEXT, text, b"\0", get("TextColor", bytes(4)))
        if media:
            add(_MEDIA, media, b"\0")
        if len(particles) == _PARTICLE_BYTES:
            add(_PARTICLES, particles)
        parts.append(get("ExtraParams", b"") or b"\0")
        if sound != NULL:
            add(_SOUND, _SOUND_PART.pack(sound.bytes, get("Gain", 0.0), get("Flags", 0), get("Radius", 0.0)))
        if names:
            add(_NAMES, names, b"\0")
        texture = get("TextureEntry", b"")
        parts.append(_SHAPE.pack(*(get(name, 0) for name in _SHAPE_FIELDS)))
        parts += [struct.pack("<I", len(texture)), texture]
        if animation:
            add(_ANIMATION, struct.pack("<I", len(animation)), animation)
        if particles and len(particles) != _PARTICLE_BYTES:
            add(_NEW_PARTICLES, particles)
        head = _FIXED.pack(
            get("FullID", NULL).bytes, get("ID", 0), get("PCode", 0), get("State", 0), get("CRC", 0),
            get("Material", 0), get("ClickAction", 0), *get("Scale", (0.0, 0.0, 0.0)), *position, *rotation, flags,
            get("OwnerID", NULL).bytes,
        )  # fmt: skip
    except (struct.error, TypeError, AttributeError, OverflowError) as error:
        raise ProtocolError(f"compressed update: {error}") from error
    return head + b"".join(parts)


def _line(value: Any) -> bytes:
    """The bytes of a NUL-terminated field, up to its first NUL."""
    return raw_bytes(value).split(b"\0", 1)[0]


class _Cursor:
    """Takes pieces off the front of the data; raises ProtocolError rather than give less than was asked for."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise ProtocolError("a compressed update ends early")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack(self.take(layout.size))

    def sized(self) -> bytes:
        return self.take(int.from_bytes(self.take(4), "little"))

    def line(self) -> bytes:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise ProtocolError("a compressed update ends inside a text")
        piece = self.data[self.at : end]
        self.at = end + 1
        return piece

    def extra_params(self) -> bytes:
        start = self.at
        for _ in range(self.take(1)[0]):
            self.take(2)
            self.sized()
        return self.data[start : self.at] if self.at > start + 1 else b""


def decode_compressed(data: bytes) -> dict[str, Any]:
    """The fields of an ObjectUpdate block (all but UpdateFlags, which stands beside Data), ObjectData 60 bytes
    included.

    Text fields come without NUL. Raises ProtocolError for data that ends early and numbers that are not finite.
    """
    cursor = _Cursor(bytes(data))
    (full_id, local_id, pcode, state, crc, material, click, sx, sy, sz, px, py, pz, rx, ry, rz, flags, owner) = (
        cursor.unpack(_FIXED)
    )
    block: dict[str, Any] = {
        "ID": local_id, "State": state, "FullID": uuid_of(full_id), "CRC": crc, "PCode": pcode, "Material": material,
        "ClickAction": click, "Scale": (sx, sy, sz), "OwnerID": uuid_of(owner), "ParentID": 0, "Data": b"", "Text": b"",
        "TextColor": bytes(4), "MediaURL": b"", "PSBlock": b"", "Sound": NULL, "Gain": 0.0, "Flags": 0, "Radius": 0.0,
        "NameValue": b"", "TextureAnim": b"",
    }  # fmt: skip
    spin = (0.0, 0.0, 0.0)
    if flags & _SPIN:
        a, b, c = struct.unpack("<3f", cursor.take(12))
        spin = (a, b, c)
    if flags & _PARENT:
        block["ParentID"] = int.from_bytes(cursor.take(4), "little")
    if flags & _TREE:
        block["Data"] = cursor.take(1)
    elif flags & _SCRATCH:
        block["Data"] = cursor.sized()
    if flags & _TEXT:
        block["Text"], block["TextColor"] = cursor.line(), cursor.take(4)
    if flags & _MEDIA:
        block["MediaURL"] = cursor.line()
    if flags & _PARTICLES:
        block["PSBlock"] = cursor.take(_PARTICLE_BYTES)
    block["ExtraParams"] = cursor.extra_params()
    if flags & _SOUND:
        sound, block["Gain"], block["Flags"], block["Radius"] = cursor.unpack(_SOUND_PART)
        block["Sound"] = uuid_of(sound)
    if flags & _NAMES:
        block["NameValue"] = cursor.line()
    block.update(zip(_SHAPE_FIELDS, cursor.unpack(_SHAPE), strict=True))
    block["TextureEntry"] = cursor.sized()
    if flags & _ANIMATION:
        block["TextureAnim"] = cursor.sized()
    if flags & _NEW_PARTICLES:
        block["PSBlock"] = cursor.take(len(cursor.data) - cursor.at)

    numbers = (sx, sy, sz, px, py, pz, rx, ry, rz, *spin, block["Gain"], block["Radius"])
    if not isfinite(sum(numbers)):
        raise ProtocolError("a compressed update holds a number that is infinite or not a number")
    square = rx * rx + ry * ry + rz * rz
    rotation = pack_quaternion((rx, ry, rz, 0.0)) if square > 1.0 else (rx, ry, rz)
    block["ObjectData"] = _OBJECT_DATA.pack(px, py, pz, 0, 0, 0, 0, 0, 0, *rotation, *spin)
    return block
