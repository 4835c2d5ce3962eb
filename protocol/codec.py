"""Readers and writers of one block, made once for each block of the table.

Messages are decoded and encoded thousands of times a second, and walking a table of fields one by one costs ten times
what the work itself does. So each block's table row is turned into one Python function at first use: runs of
fixed-size fields, and the length words of the fields that are not, become one precomputed `struct` format, and the
result is one dict display. What `make_reader` builds for ChatFromViewer's ChatData (Variable2 Message, U8 Type, S32
Channel):

    def read(data, at):
        n0, = s0(data, at)              # struct "<H"
        at += 2
        v0 = data[at:at + n0]           # may come out short; whoever called sees that `at` is past the end then
        at += n0
        a1, a2, = s1(data, at)          # struct "<Bi", raises when the data is too short
        at += 5
        return {"Message": v0, "Type": a1, "Channel": a2}, at
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from math import isfinite, sqrt
from typing import Any
from uuid import UUID, SafeUUID

from protocol.errors import ProtocolError
from protocol.table import BlockSpec, FieldSpec

Block = dict[str, Any]
Reader = Callable[[bytes, int], tuple[Block, int]]
Writer = Callable[[Block], bytes]

_FORMATS = {
    "U8": "B", "S8": "b", "BOOL": "?", "U16": "H", "S16": "h", "IPPORT": "2s", "U32": "I", "S32": "i", "F32": "f",
    "IPADDR": "4s", "U64": "Q", "S64": "q", "F64": "d", "LLVector3": "3f", "LLQuaternion": "3f", "LLUUID": "16s",
    "LLVector4": "4f", "LLVector3d": "3d",
}  # fmt: skip
_PARTS = {"LLVector3": 3, "LLQuaternion": 3, "LLVector4": 4, "LLVector3d": 3}
_FLOATS = {"F32", "F64", *_PARTS}

NULL = UUID(int=0)
_new_uuid = UUID.__new__
_set_int = UUID.__dict__["int"].__set__
_set_safe = UUID.__dict__["is_safe"].__set__
_unknown = SafeUUID.unknown


def uuid_of(raw: bytes) -> UUID:
    """The UUID of 16 raw bytes, three times as fast as UUID(bytes=...), which checks what we know already."""
    result = _new_uuid(UUID)
    _set_int(result, int.from_bytes(raw, "big"))
    _set_safe(result, _unknown)
    return result


def unpack_quaternion(x: float, y: float, z: float) -> tuple[float, float, float, float]:
    """Unit quaternion (x, y, z, w) with w >= 0 of its three transmitted parts; parts longer than 1 are scaled to 1."""
    square = x * x + y * y + z * z
    if square <= 1.0:
        return x, y, z, sqrt(1.0 - square)
    scale = 1.0 / sqrt(square)
    return x * scale, y * scale, z * scale, 0.0


def pack_quaternion(rotation: Any) -> tuple[float, float, float]:
    """The three transmitted parts of a quaternion (x, y, z, w) of any length but zero, which counts as no rotation."""
    x, y, z, w = rotation
    length = sqrt(x * x + y * y + z * z + w * w)
    if length == 0.0:
        return 0.0, 0.0, 0.0
    scale = -1.0 / length if w < 0.0 else 1.0 / length
    return x * scale, y * scale, z * scale


def unpack_ip(raw: bytes) -> str:
    """Dotted text of an address's four bytes."""
    return f"{raw[0]}.{raw[1]}.{raw[2]}.{raw[3]}"


def pack_ip(address: str) -> bytes:
    """The four bytes of a dotted IPv4 address. Raises ProtocolError for anything else."""
    try:
        parts = bytes(int(part) for part in address.split("."))
    except (ValueError, AttributeError) as error:
        raise ProtocolError(f"not an IPv4 address: {address!r:.40}") from error
    if len(parts) != 4:
        raise ProtocolError(f"not an IPv4 address: {address!r:.40}")
    return parts


def raw_bytes(value: Any) -> bytes:
    """What goes into a Variable field: text becomes UTF-8 with the NUL that the protocol counts in the length."""
    if isinstance(value, str):
        return value.encode() + b"\0"
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise ProtocolError(f"a Variable field takes bytes or str, not {type(value).__name__}")


def _fixed(value: Any, size: int) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview) or len(value) != size:
        raise ProtocolError(f"a Fixed field takes exactly {size} bytes")
    return bytes(value)


def _not_finite() -> ProtocolError:
    return ProtocolError("a number is infinite or not a number")


_DEFAULTS: dict[str, Any] = {
    "BOOL": False, "F32": 0.0, "F64": 0.0, "LLVector3": (0.0,) * 3, "LLVector3d": (0.0,) * 3, "LLVector4": (0.0,) * 4,
    "LLQuaternion": (0.0, 0.0, 0.0, 1.0), "LLUUID": NULL, "IPADDR": "0.0.0.0", "Variable": b"",
}  # fmt: skip


def default(field: FieldSpec) -> Any:
    """The zero value of a field's type: what an absent field or block stands for."""
    return bytes(field.size) if field.type == "Fixed" else _DEFAULTS.get(field.type, 0)


def zero_block(block: BlockSpec) -> Block:
    """A block with every field at its zero value."""
    return {field.name: default(field) for field in block.fields}


def _build(source: list[str], name: str, names: dict[str, Any]) -> Any:
    exec("\n".join(source), names)  # only the table's own names and numbers are in the source
    return names[name]


_READ_NAMES = {
    "uuid_of": uuid_of, "quaternion": unpack_quaternion, "ip": unpack_ip, "isfinite": isfinite,
    "not_finite": _not_finite, "number": int.from_bytes,
}  # fmt: skip
_READ = {"LLUUID": "uuid_of({})", "IPADDR": "ip({})", "IPPORT": "number({}, 'big')"}


def make_reader(block: BlockSpec) -> Reader:
    """A function (data, at) -> (fields, next offset).

    It raises struct.error when the data ends inside a fixed part, and returns an offset past the end when it ends
    inside the last Variable field: `message.decode` turns both into a ProtocolError. Infinite and NaN numbers raise
    ProtocolError at once: no honest message holds one, and one NaN in a position poisons whatever it meets.
    """
    names: dict[str, Any] = dict(_READ_NAMES)
    body: list[str] = []
    results: list[str] = []
    floats: list[str] = []
    run: list[str] = []  # variables of the struct being gathered
    formats = "<"

    def flush() -> None:
        nonlocal formats
        if run:
            layout, key = struct.Struct(formats), f"s{len(names)}"
            names[key] = layout.unpack_from
            body.extend([f" {', '.join(run)}, = {key}(data, at)", f" at += {layout.size}"])
            run.clear()
            formats = "<"

    for i, field in enumerate(block.fields):
        var = f"a{i}"
        if field.type == "Variable":
            run.append(f"n{i}")
            formats += "BH"[field.size - 1]
            flush()
            body += [f" v{i} = data[at:at + n{i}]", f" at += n{i}"]
            results.append(f"v{i}")
            continue
        formats += f"{field.size}s" if field.type == "Fixed" else _FORMATS[field.type]
        parts = [f"{var}_{k}" for k in range(_PARTS.get(field.type, 0))] or [var]
        run += parts
        if field.type in _FLOATS:
            floats += parts
        if field.type == "LLQuaternion":
            results.append(f"quaternion({', '.join(parts)})")
        elif len(parts) > 1:
            results.append(f"({', '.join(parts)})")
        else:
            results.append(_READ.get(field.type, "{}").format(var))
    flush()
    if floats:  # a sum is finite exactly if its parts are: F32s cannot overflow a double
        body.append(f" if not isfinite({' + '.join(floats)}): raise not_finite()")
    items = ", ".join(f"{field.name!r}: {value}" for field, value in zip(block.fields, results, strict=True))
    return _build(["def read(data, at):", *body, f" return {{{items}}}, at"], "read", names)


_WRITE = {"LLUUID": "get({!r}, null).bytes", "IPADDR": "pack_ip(get({!r}, '0.0.0.0'))",
          "IPPORT": "get({!r}, 0).to_bytes(2, 'big')"}  # fmt: skip


def make_writer(block: BlockSpec) -> Writer:
    """A function fields -> bytes; missing fields count as zero.

    It raises ProtocolError for unknown field names, and ProtocolError, struct.error, TypeError, ValueError,
    OverflowError or AttributeError for values that do not fit: `message.encode` turns all of them into a
    ProtocolError with the name.
    """
    names: dict[str, Any] = {
        "null": NULL, "raw_bytes": raw_bytes, "fixed": _fixed, "pack_ip": pack_ip, "pack_quaternion": pack_quaternion,
        "check_names": _check_names, "known": frozenset(field.name for field in block.fields),
    }  # fmt: skip
    body: list[str] = []
    pieces: list[str] = []
    run: list[str] = []
    formats = "<"

    def flush() -> None:
        nonlocal formats
        if run:
            key = f"s{len(names)}"
            names[key] = struct.Struct(formats).pack
            pieces.append(f"{key}({', '.join(run)})")
            run.clear()
            formats = "<"

    for i, field in enumerate(block.fields):
        get = f"get({field.name!r}, {{}})"
        if field.type == "Variable":
            body += [f" v{i} = {get.format(repr(b''))}", f" if v{i}.__class__ is not bytes: v{i} = raw_bytes(v{i})"]
            run.append(f"len(v{i})")
            formats += "BH"[field.size - 1]
            flush()
            pieces.append(f"v{i}")
            continue
        formats += f"{field.size}s" if field.type == "Fixed" else _FORMATS[field.type]
        parts = [f"a{i}_{k}" for k in range(_PARTS.get(field.type, 0))]
        if field.type == "LLQuaternion":
            body.append(f" {', '.join(parts)} = pack_quaternion({get.format('(0.0, 0.0, 0.0, 1.0)')})")
            run += parts
        elif parts:
            body.append(f" {', '.join(parts)} = {get.format((0.0,) * len(parts))}")
            run += parts
        elif field.type == "Fixed":
            run.append(f"fixed({get.format(bytes(field.size))}, {field.size})")
        else:
            run.append(_WRITE.get(field.type, "get({!r}, 0)").format(field.name))
    flush()
    joined = pieces[0] if len(pieces) == 1 else f"b''.join(({', '.join(pieces)}))"
    source = ["def write(block):", " if not known.issuperset(block): check_names(block, known)", " get = block.get"]
    return _build([*source, *body, f" return {joined}"], "write", names)


def _check_names(block: Block, known: frozenset[str]) -> None:
    raise ProtocolError(f"no such field: {', '.join(sorted(map(str, set(block) - known)))}")
