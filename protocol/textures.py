"""How the faces of a prim look: TextureEntry and TextureAnim.

A texture entry has a section for each attribute: the value most faces have, then (face mask, value) for those that
differ, and a zero byte (a mask of no faces) before the next section. The last section just ends.

    texture 16 | colour 4, inverted | scale s F32 | scale t F32 | offset s S16 | offset t S16 | rotation S16
    material U8 | media U8 | glow U8 | material id 16 (may be absent)

A face mask is 7 bits a byte, most significant group first, bit 7 set on every byte but the last; face n is bit n.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from uuid import UUID

from protocol.codec import NULL, uuid_of
from protocol.errors import ProtocolError
from protocol.wellknown import Texture

MAX_FACES = 64
# 45 faces that all differ in everything take under 6,000 bytes; more is an attempt to keep us busy.
MAX_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Face:
    """How one face looks.

    `color` is (red, green, blue, alpha), 0..255 each. `repeats` and `offset` are (s, t); offsets are -1..1.
    `rotation` is in radians. `material` is bump (bits 0-4), full bright (bit 5) and shine (bits 6-7); `media` is bit
    0 for media on this face and bits 1-2 for the mapping (0 default, 1 planar). `glow` is 0..1. `material_id` names a
    render material.
    """

    texture: UUID = Texture.PLYWOOD
    color: tuple[int, int, int, int] = (255, 255, 255, 255)
    repeats: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    material: int = 0
    media: int = 0
    glow: float = 0.0
    material_id: UUID = NULL


@dataclass(slots=True)
class TextureEntry:
    """The look of all faces: `default`, but for those in `faces` (number 0..63 -> Face)."""

    default: Face = Face()
    faces: dict[int, Face] = field(default_factory=dict)

    def face(self, number: int) -> Face:
        """How face `number` looks."""
        return self.faces.get(number, self.default)


def _float(raw: bytes) -> float:
    (value,) = struct.unpack("<f", raw)
    if not math.isfinite(value):
        raise ProtocolError("texture entry: a number is infinite or not a number")
    return value


def _short(value: float) -> bytes:
    return struct.pack("<h", min(max(round(value), -32767), 32767))


def _turn(value: float) -> bytes:
    return struct.pack("<H", round(value / math.tau * 32768) & 0xFFFF)


class _Section(NamedTuple):
    """One attribute: how many bytes, how to read and write its value, and where it lives on a Face."""

    size: int
    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    get: Callable[[Face], Any]
    put: Callable[[Face, Any], Face]


def _part(
    name: str, index: int, read: Callable[[bytes], float], write: Callable[[float], bytes], size: int
) -> _Section:
    """A section that is one half of an (s, t) pair."""

    def put(face: Face, value: float) -> Face:
        pair = list(getattr(face, name))
        pair[index] = value
        changed: dict[str, Any] = {name: tuple(pair)}
        return replace(face, **changed)

    return _Section(size, read, write, lambda face: getattr(face, name)[index], put)


def _whole(name: str, size: int, read: Callable[[bytes], Any], write: Callable[[Any], bytes]) -> _Section:
    return _Section(
        size, read, write, lambda face: getattr(face, name), lambda face, value: replace(face, **{name: value})
    )


def _uuid_bytes(value: UUID) -> bytes:
    return value.bytes


def _byte(value: int) -> bytes:
    return bytes([value])


def _read_offset(raw: bytes) -> float:
    return struct.unpack("<h", raw)[0] / 32767


_SECTIONS: tuple[_Section, ...] = (
    _whole("texture", 16, uuid_of, _uuid_bytes), _whole("color", 4, lambda raw: tuple(255 - part for part in raw),
    lambda color: bytes(255 - part for part in color)), _part("repeats", 0, _float, lambda value: struct.pack("<f",
    value), 4), _part("repeats", 1, _float, lambda value: struct.pack("<f", value), 4), _part("offset", 0,
    _read_offset, lambda value: _short(value * 32767), 2), _part("offset", 1, _read_offset, lambda value: _short(value
    * 32767), 2), _whole("rotation", 2, lambda raw: struct.unpack("<h", raw)[0] / 32768 * math.tau, _turn),
    _whole("material", 1, lambda raw: raw[0], _byte), _whole("media", 1, lambda raw: raw[0], _byte), _whole("glow", 1,
    lambda raw: raw[0] / 255, lambda value: _byte(min(max(round(value * 255), 0), 255))), _whole("material_id", 16,
    uuid_of, _uuid_bytes),
)


def _read_mask(data: bytes, at: int) -> tuple[int, int]:
    """A face mask and where the value behind it starts."""
    mask = 0
    while True:
        if at >= len(data):
            raise ProtocolError("a texture entry ends inside a face mask")
        byte = data[at]
        at += 1
        mask = mask << 7 | byte & 0x7F
        if mask >> MAX_FACES:
            raise ProtocolError(f"a texture entry names faces beyond {MAX_FACES}")
        if not byte & 0x80:
            return mask, at


def _write_mask(mask: int) -> bytes:
    groups = [mask & 0x7F]
    while mask := mask >> 7:
        groups.append(mask & 0x7F | 0x80)
    return bytes(reversed(groups))


def decode_texture_entry(data: bytes) -> TextureEntry:
    """The look written in `data`; an empty field means the default look.

    Raises ProtocolError for data that ends inside a section or before the glow, faces beyond 63, more than MAX_BYTES,
    and numbers that are not finite.
    """
    if len(data) > MAX_BYTES:
        raise ProtocolError(f"a texture entry of {len(data)} bytes")
    if not data:
        return TextureEntry()
    default = Face()
    # Face -> section -> value of the faces that differ. A face is built once, when all are known; a later value replaces
    # an earlier one, so that data which names the same faces a thousand times makes no more work than that.
    different: dict[int, dict[int, Any]] = {}
    at = 0

    def value(section: _Section) -> Any:
        nonlocal at
        at += section.size
        if at > len(data):
            raise ProtocolError("a texture entry ends inside a value")
        return section.read(data[at - section.size : at])

    for number, section in enumerate(_SECTIONS):
        if number == len(_SECTIONS) - 1 and at >= len(data):
            break  # written before materials existed
        default = section.put(default, value(section))
        while at < len(data):
            mask, at = _read_mask(data, at)
            if mask == 0:
                break
            exception = value(section)
            for n in range(mask.bit_length()):
                if mask >> n & 1:
                    different.setdefault(n, {})[number] = exception
    faces = {}
    for n, changes in sorted(different.items()):
        face = default
        for number, changed in changes.items():
            face = _SECTIONS[number].put(face, changed)
        faces[n] = face
    return TextureEntry(default, faces)


def encode_texture_entry(entry: TextureEntry) -> bytes:
    """The bytes of a look, always with the material section: one client library fails without it.

    Raises ProtocolError for face numbers beyond 63 and values that do not fit.
    """
    if any(not 0 <= number < MAX_FACES for number in entry.faces):
        raise ProtocolError(f"a face beyond {MAX_FACES - 1}")
    parts: list[bytes] = []
    try:
        for number, section in enumerate(_SECTIONS):
            default = section.write(section.get(entry.default))
            masks: dict[bytes, int] = {}
            for n, face in entry.faces.items():
                written = section.write(section.get(face))
                if written != default:
                    masks[written] = masks.get(written, 0) | 1 << n
            parts += [b"\0" if number else b"", default]
            parts += [_write_mask(mask) + written for written, mask in sorted(masks.items(), key=lambda pair: pair[1])]
    except (struct.error, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ProtocolError(f"texture entry: {error}") from error
    return b"".join(parts)


PLAIN = encode_texture_entry(TextureEntry())  # of what nobody has textured: viewers show no texture at an empty field


def canonical_texture_entry(data: bytes) -> bytes:
    """The same look in the bytes that we write, which every client can read. Raises ProtocolError as `decode_texture_entry`."""
    return encode_texture_entry(decode_texture_entry(data)) if data else PLAIN


# ---- TextureAnim
# ------------------------------------------------------------------------------------------------------

_ANIMATION = struct.Struct("<BbBBfff")
ANIM_ON, LOOP, REVERSE, PING_PONG, SMOOTH, ROTATE, SCALE = 1, 2, 4, 8, 16, 32, 64


class TextureAnimation(NamedTuple):
    """A moving texture: `mode` bits as above, `face` -1 for all, frames along x and y; `rate` in frames a second."""

    mode: int
    face: int
    size_x: int
    size_y: int
    start: float
    length: float
    rate: float


def encode_texture_animation(animation: TextureAnimation) -> bytes:
    """TextureAnim, 16 bytes. Raises ProtocolError for values that do not fit."""
    try:
        return _ANIMATION.pack(*animation)
    except (struct.error, OverflowError) as error:
        raise ProtocolError(f"texture animation: {error}") from error


def decode_texture_animation(data: bytes) -> TextureAnimation | None:
    """TextureAnim; None for an empty field. Raises ProtocolError for other sizes and numbers that are not finite."""
    if not data:
        return None
    if len(data) != _ANIMATION.size:
        raise ProtocolError(f"a texture animation of {len(data)} bytes")
    animation = TextureAnimation(*_ANIMATION.unpack(data))
    if not math.isfinite(animation.start + animation.length + animation.rate):
        raise ProtocolError("texture animation: a number is infinite or not a number")
    return animation
