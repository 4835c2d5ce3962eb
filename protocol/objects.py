"""Things in the world as viewers are told of them: full updates, terse updates, edits.

* A full update is one block of ObjectUpdate: `full_block` and `avatar_block` make it. Its ObjectData field holds the
motion.
* A terse update only moves what the viewer knows: `encode_terse` makes one, `encode_terse_batch` makes thousands, as
  records that can be copied into a packet as they are.
* `encode_compressed` and `decode_compressed` (in `protocol.compressed`) are the third form.

Positions are metres, region-local, or relative to the parent if there is one. Rotations are (x, y, z, w).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from math import isfinite, sqrt
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from protocol.codec import NULL, pack_quaternion, unpack_quaternion
from protocol.compressed import decode_compressed, encode_compressed
from protocol.errors import ProtocolError
from protocol.kernels import inline, kernel

__all__ = [
    "RECORD_SIZE", "Edit", "Motion", "Terse", "attachment_state", "avatar_block", "decode_compressed", "decode_edit",
    "decode_extra_params", "decode_object_data", "decode_terse", "dilation", "encode_compressed", "encode_edit",
    "encode_extra_params", "encode_object_data", "encode_terse", "encode_terse_batch", "full_block", "pack_text_color",
    "terse_block", "unpack_text_color", "warm",
]  # fmt: skip

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
ZERO: Vector = (0.0, 0.0, 0.0)
IDENTITY: Quaternion = (0.0, 0.0, 0.0, 1.0)
NO_PLANE: Quaternion = (0.0, 0.0, 0.0, 1.0)  # the foot collision plane viewers get when there is nothing to say

PRIM, AVATAR = 9, 47  # PCode
FLESH = 4  # Material


class Motion(NamedTuple):
    """Where a thing is and how it moves: m, m/s, m/s2, (x, y, z, w), rad/s; `plane` for avatars only, else None."""

    position: Vector = ZERO
    velocity: Vector = ZERO
    acceleration: Vector = ZERO
    rotation: Quaternion = IDENTITY
    angular_velocity: Vector = ZERO
    plane: Quaternion | None = None


class Terse(NamedTuple):
    """One decoded terse update; `state` holds an attachment's point."""

    local_id: int
    state: int
    position: Vector
    velocity: Vector
    acceleration: Vector
    rotation: Quaternion
    angular_velocity: Vector
    plane: Quaternion | None


# ---- ObjectData: the motion inside a full update
# ----------------------------------------------------------------------

_MOTION = struct.Struct("<15f")
_PLANE = struct.Struct("<4f")


def encode_object_data(motion: Motion) -> bytes:
    """ObjectUpdate's ObjectData: 60 bytes, or 76 with the foot plane. ProtocolError for values that do not fit."""
    position, velocity, acceleration, rotation, spin, plane = motion
    try:
        data = _MOTION.pack(*position, *velocity, *acceleration, *pack_quaternion(rotation), *spin)
        return data if plane is None else _PLANE.pack(*plane) + data
    except (struct.error, TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"motion: {error}") from error


def decode_object_data(data: bytes) -> Motion:
    """The motion in ObjectData of 60 or 76 bytes. ProtocolError for other sizes and numbers that are not finite."""
    if len(data) not in (60, 76):
        raise ProtocolError(f"ObjectData of {len(data)} bytes")
    plane = None
    if len(data) == 76:
        a, b, c, d = _PLANE.unpack_from(data)
        if not isfinite(a + b + c + d):
            raise ProtocolError("ObjectData: a number is infinite or not a number")
        plane = (a, b, c, d)
    v = _MOTION.unpack_from(data, len(data) - 60)
    if not isfinite(sum(v)):
        raise ProtocolError("ObjectData: a number is infinite or not a number")
    return Motion(v[0:3], v[3:6], v[6:9], unpack_quaternion(*v[9:12]), v[12:15], plane)


# ---- full updates
# -----------------------------------------------------------------------------------------------------

BOX: dict[str, int] = {"PathCurve": 0x10, "ProfileCurve": 1, "PathScaleX": 100, "PathScaleY": 100}


def full_block(
    local_id: int,
    full_id: UUID,
    motion: Motion = Motion(),
    *,
    scale: Vector = (0.5, 0.5, 0.5),
    pcode: int = PRIM,
    parent_id: int = 0,
    update_flags: int = 0,
    crc: int = 0,
    state: int = 0,
    material: int = 3,
    click_action: int = 0,
    shape: Mapping[str, int] = BOX,
    texture_entry: bytes = b"",
    texture_anim: bytes = b"",
    name_value: bytes | str = b"",
    data: bytes = b"",
    text: str = "",
    text_color: bytes = bytes(4),
    media_url: bytes | str = b"",
    particles: bytes = b"",
    extra_params: bytes = b"",
    sound: UUID = NULL,
    sound_owner: UUID = NULL,
    gain: float = 0.0,
    sound_flags: int = 0,
    radius: float = 0.0,
) -> dict[str, Any]:
    """One ObjectData block of ObjectUpdate.

    `shape` holds the path and profile fields by their wire names and values (see `protocol.shapes`), `text_color` the
    bytes of `pack_text_color`, `extra_params` those of `encode_extra_params`, `data` a tree's species as one byte.
    """
    return {
        "ID": local_id,
        "State": state,
        "FullID": full_id,
        "CRC": crc,
        "PCode": pcode,
        "Material": material,
        "ClickAction": click_action,
        "Scale": scale,
        "ObjectData": encode_object_data(motion),
        "ParentID": parent_id,
        "UpdateFlags": update_flags,
        **shape,
        "TextureEntry": texture_entry,
        "TextureAnim": texture_anim,
        "NameValue": name_value,
        "Data": data,
        "Text": text or b"",  # an empty text needs no NUL
        "TextColor": text_color,
        "MediaURL": media_url,
        "PSBlock": particles,
        "ExtraParams": extra_params,
        "Sound": sound,
        "OwnerID": sound_owner,
        "Gain": gain,
        "Flags": sound_flags,
        "Radius": radius,
    }


def avatar_block(
    local_id: int,
    agent_id: UUID,
    first: str,
    last: str,
    motion: Motion = Motion(),
    *,
    title: str = "",
    height: float = 1.9,
    parent_id: int = 0,
    update_flags: int = 0,
    crc: int = 0,
    texture_entry: bytes = b"",
) -> dict[str, Any]:
    """One ObjectData block of ObjectUpdate for an avatar: `height` in metres, `parent_id` the seat's local id if
    sitting.

    Line breaks in names and title become spaces: they would end the name value early.
    """
    first, last, title = (" ".join(value.split("\n")) for value in (first, last, title))
    name_value = f"FirstName STRING RW SV {first}\nLastName STRING RW SV {last}\nTitle STRING RW SV {title}"
    if motion.plane is None:
        motion = motion._replace(plane=NO_PLANE)
    return full_block(
        local_id,
        agent_id,
        motion,
        scale=(0.45, 0.6, height),
        pcode=AVATAR,
        parent_id=parent_id,
        update_flags=update_flags,
        crc=crc,
        material=FLESH,
        texture_entry=texture_entry,
        name_value=name_value,
    )


def attachment_state(point: int) -> int:
    """State of an attachment on `point` (0..255): its nibbles swapped. The same function reads it back."""
    return (point & 0x0F) << 4 | (point & 0xF0) >> 4


def pack_text_color(color: Sequence[float]) -> bytes:
    """TextColor of (red, green, blue, alpha), 0..1 each: alpha is sent inverted, so opaque ends in 0."""
    red, green, blue, alpha = (min(max(round(part * 255), 0), 255) for part in color)
    return bytes((red, green, blue, 255 - alpha))


def unpack_text_color(data: bytes) -> Quaternion:
    """(red, green, blue, alpha), 0..1 each, of TextColor. Raises ProtocolError unless it has four bytes."""
    if len(data) != 4:
        raise ProtocolError(f"a colour of {len(data)} bytes")
    return data[0] / 255, data[1] / 255, data[2] / 255, 1 - data[3] / 255


def encode_extra_params(params: Mapping[int, bytes]) -> bytes:
    """ExtraParams of type -> bytes (0x10 flexi, 0x20 light, 0x30 sculpt ...); ProtocolError if they do not fit."""
    try:
        parts = [struct.pack("<HI", kind, len(value)) + value for kind, value in sorted(params.items())]
        return bytes([len(parts)]) + b"".join(parts) if parts else b""
    except (struct.error, ValueError) as error:
        raise ProtocolError(f"extra params: {error}") from error


def decode_extra_params(data: bytes) -> dict[int, bytes]:
    """Type -> bytes of ExtraParams. Raises ProtocolError if the data ends inside one."""
    params: dict[int, bytes] = {}
    at = 1
    for _ in range(data[0] if data else 0):
        if at + 6 > len(data):
            raise ProtocolError("extra params end early")
        kind, size = struct.unpack_from("<HI", data, at)
        at += 6 + size
        if at > len(data):
            raise ProtocolError("extra params end early")
        params[kind] = data[at - size : at]
    return params


def dilation(value: float) -> int:
    """TimeDilation of a dilation 0..1."""
    return min(max(round(value * 65535), 0), 65535)


# ---- terse updates
# ----------------------------------------------------------------------------------------------------
#
#     U32 local id | U8 state | U8 1 if a plane follows | [F32 x4 plane] | F32 x3 position | U16 x3 velocity +-128
#     U16 x3 acceleration +-64 | U16 x4 rotation +-1 | U16 x3 angular velocity +-64
#
# A record is this with its Variable1 length in front and an empty Variable2 TextureEntry behind: what a block of
# ImprovedTerseObjectUpdate looks like, ready to be copied.

RECORD_SIZE = 64  # a row of the batch encoder's output; 47 bytes are used for an object, 63 for an avatar
_VELOCITY, _ACCELERATION, _ROTATION, _SPIN = 128.0, 64.0, 1.0, 64.0
_HEAD = struct.Struct("<IBB")
_TERSE = struct.Struct("<3f13H")
_LIMITS = (_VELOCITY,) * 3 + (_ACCELERATION,) * 3 + (_ROTATION,) * 4 + (_SPIN,) * 3


def _quantise(value: float, limit: float) -> int:
    return int(min(max((value + limit) / (2.0 * limit), 0.0), 1.0) * 65535.0 + 0.5)


def _restore(value: int, limit: float) -> float:
    """Values within one step of zero become zero: no U16 stands for exactly zero."""
    result = value / 65535.0 * (2.0 * limit) - limit
    return 0.0 if abs(result) < 2.0 * limit / 65535.0 else result


def encode_terse(local_id: int, motion: Motion, state: int = 0) -> bytes:
    """Data of one terse update: 44 bytes, or 60 if the motion has a foot plane.

    Velocities beyond the wire's range are clamped. Raises ProtocolError for numbers that are not finite or do not fit.
    """
    position, velocity, acceleration, rotation, spin, plane = motion
    try:
        values = (*velocity, *acceleration, *rotation, *spin)
        if not isfinite(sum(values) + sum(position)):
            raise ProtocolError("terse update: a number is infinite or not a number")
        words = map(_quantise, values, _LIMITS)
        head = _HEAD.pack(local_id, state, plane is not None)
        return head + (b"" if plane is None else _PLANE.pack(*plane)) + _TERSE.pack(*position, *words)
    except (struct.error, TypeError, OverflowError) as error:
        raise ProtocolError(f"terse update: {error}") from error


def decode_terse(data: bytes) -> Terse:
    """One terse update of 44 or 60 bytes. Raises ProtocolError for other sizes and numbers that are not finite."""
    if len(data) < _HEAD.size:
        raise ProtocolError(f"a terse update of {len(data)} bytes")
    local_id, state, has_plane = _HEAD.unpack_from(data)
    if len(data) < (60 if has_plane else 44):
        raise ProtocolError(f"a terse update of {len(data)} bytes")
    at = _HEAD.size
    plane = None
    if has_plane:
        a, b, c, d = _PLANE.unpack_from(data, at)
        plane = (a, b, c, d)
        at += _PLANE.size
    x, y, z, *words = _TERSE.unpack_from(data, at)
    if not isfinite(x + y + z + (sum(plane) if plane else 0.0)):
        raise ProtocolError("terse update: a number is infinite or not a number")
    v = tuple(map(_restore, words, _LIMITS))
    length = sqrt(v[6] * v[6] + v[7] * v[7] + v[8] * v[8] + v[9] * v[9])
    rotation = (v[6] / length, v[7] / length, v[8] / length, v[9] / length) if length > 0.0 else IDENTITY
    return Terse(local_id, state, (x, y, z), v[0:3], v[3:6], rotation, v[10:13], plane)  # type: ignore[arg-type]


def terse_block(data: bytes, texture_entry: bytes = b"") -> dict[str, Any]:
    """One ObjectData block of ImprovedTerseObjectUpdate; a texture entry is sent with its length once more, as U32."""
    wrapped = struct.pack("<I", len(texture_entry)) + texture_entry if texture_entry else b""
    return {"Data": data, "TextureEntry": wrapped}


@inline
def _put_word(record, at, value, limit):
    share = (np.float64(value) + limit) / (2.0 * limit)
    if not share > 0.0:  # also NaN, which no comparison holds for
        share = 0.0
    elif share > 1.0:
        share = 1.0
    word = np.int64(share * 65535.0 + 0.5)
    record[at] = word & 255
    record[at + 1] = word >> 8


@inline
def _put_float(record, at, value):
    word = np.float32(value).view(np.uint32)
    record[at] = word & 255
    record[at + 1] = (word >> 8) & 255
    record[at + 2] = (word >> 16) & 255
    record[at + 3] = word >> 24


@kernel
def encode_terse_batch(
    rows, local_id, is_avatar, position, velocity, acceleration, rotation, angular_velocity, records, lengths
):
    """Write the terse record of each row of `rows` (int64) into records[k] and its length into lengths[k].

    Columns, all indexed by row: local_id U32, is_avatar (not zero: with a foot plane), position, velocity,
    acceleration, angular_velocity float32 (n, 3), rotation float32 (n, 4). `records` is uint8 (>= len(rows),
    RECORD_SIZE), `lengths` integer (>= len(rows)). Values are clamped to the wire's range; NaN counts as its lower
    end. No Python object is touched, so other kernels may call it.
    """
    for k in range(rows.shape[0]):
        i = rows[k]
        record = records[k]
        plane = is_avatar[i] != 0
        size = 60 if plane else 44
        record[0] = size
        number = np.uint32(local_id[i])
        record[1] = number & 255
        record[2] = (number >> 8) & 255
        record[3] = (number >> 16) & 255
        record[4] = number >> 24
        record[5] = 0
        record[6] = 1 if plane else 0
        at = 7
        if plane:
            for n in range(12):
                record[at + n] = 0
            _put_float(record, at + 12, np.float32(1.0))
            at += 16
        for n in range(3):
            _put_float(record, at + 4 * n, position[i, n])
        at += 12
        for n in range(3):
            _put_word(record, at + 2 * n, velocity[i, n], 128.0)
            _put_word(record, at + 6 + 2 * n, acceleration[i, n], 64.0)
            _put_word(record, at + 20 + 2 * n, angular_velocity[i, n], 64.0)
        for n in range(4):
            _put_word(record, at + 12 + 2 * n, rotation[i, n], 1.0)
        at += 26
        record[at] = 0
        record[at + 1] = 0
        lengths[k] = at + 2


def warm() -> None:
    """Compile (or load from cache) the batch encoder now, for fields of a record array, those of avatars and of others."""
    fields: list[tuple[Any, ...]] = [("id", np.uint32), ("avatar", np.uint8), *((n, np.float32, 3) for n in "pvas")]
    table = np.zeros(2, np.dtype([*fields, ("r", np.float32, 4)]))
    rows, records, lengths = np.zeros(1, np.int64), np.zeros((1, RECORD_SIZE), np.uint8), np.zeros(1, np.int64)
    nobody = np.zeros(2, np.uint8)
    for part, avatars in ((table, table["avatar"]), (table, nobody), (table[:1], nobody)):  # a column of one row is contiguous
        position, velocity, acceleration, rotation, spin = (part[name] for name in ("p", "v", "a", "r", "s"))
        encode_terse_batch(rows, part["id"], avatars, position, velocity, acceleration, rotation, spin, records, lengths)


# ---- edits
# ------------------------------------------------------------------------------------------------------------

EDIT_POSITION, EDIT_ROTATION, EDIT_SCALE, EDIT_LINKED, EDIT_UNIFORM = 1, 2, 4, 8, 16


class Edit(NamedTuple):
    """What one block of MultipleObjectUpdate asks for; None where it says nothing."""

    position: Vector | None
    rotation: Quaternion | None
    scale: Vector | None
    linked: bool  # the whole linked set, not this prim alone
    uniform: bool


def decode_edit(kind: int, data: bytes) -> Edit:
    """A block's Type and Data. Raises ProtocolError if the data ends early or holds numbers that are not finite."""
    parts: list[Any] = [None, None, None]
    at = 0
    for n in range(3):
        if kind & 1 << n:
            if at + 12 > len(data):
                raise ProtocolError("MultipleObjectUpdate data ends early")
            vector = struct.unpack_from("<3f", data, at)
            if not isfinite(sum(vector)):
                raise ProtocolError("MultipleObjectUpdate: a number is infinite or not a number")
            parts[n] = unpack_quaternion(*vector) if n == 1 else vector
            at += 12
    position, rotation, scale = parts
    return Edit(position, rotation, scale, bool(kind & EDIT_LINKED), bool(kind & EDIT_UNIFORM))


def encode_edit(edit: Edit) -> tuple[int, bytes]:
    """Type and Data of a MultipleObjectUpdate block. Raises ProtocolError for values that do not fit."""
    kind = EDIT_LINKED * edit.linked | EDIT_UNIFORM * edit.uniform
    data = b""
    rotation = None if edit.rotation is None else pack_quaternion(edit.rotation)
    for n, part in enumerate((edit.position, rotation, edit.scale)):
        if part is not None:
            kind |= 1 << n
            try:
                data += struct.pack("<3f", *part)
            except (struct.error, OverflowError) as error:
                raise ProtocolError(f"edit: {error}") from error
    return kind, data
