"""Binary LLSD, as mesh assets hold it: one value, and where it ended.

    ! undef | 1 0 boolean | i S32 | r F64 | u 16 bytes | d F64 | s, l, b: U32 n, n bytes
    [ U32 n, n values ] | { U32 n, n x (k U32 n, n bytes; value) }        big endian, but d

Source: the public description of LLSD in the Second Life wiki. It comes from strangers: depth and items are bounded.
"""

from __future__ import annotations

import struct
from typing import Any
from uuid import UUID

from protocol.errors import ProtocolError

_MOST_DEPTH = 12
_MOST_ITEMS = 4096


def read_binary(data: bytes) -> tuple[Any, int]:
    """The value at the start of ``data`` and its size in bytes, with or without ``<? LLSD/Binary ?>`` before it."""
    start = 0
    if data[:2] == b"<?":
        start = data.find(b"?>", 0, 64) + 3  # and the line's end
        if start < 3:
            raise ProtocolError("LLSD: a heading without an end")
    try:
        return _read(data, start, 0)
    except (struct.error, IndexError, ValueError) as error:
        raise ProtocolError(f"LLSD: {error}") from None


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    kind = data[at : at + 1]
    at += 1
    if kind in (b"!", b"0", b"1"):
        return {b"!": None, b"0": False, b"1": True}[kind], at
    if kind == b"i":
        return struct.unpack_from(">i", data, at)[0], at + 4
    if kind in (b"r", b"d"):
        return struct.unpack_from(">d" if kind == b"r" else "<d", data, at)[0], at + 8
    if kind == b"u":
        return UUID(bytes=data[at : at + 16]), at + 16
    if kind in (b"s", b"l", b"b"):
        raw, at = _bytes(data, at)
        return (raw if kind == b"b" else raw.decode("utf-8", "replace")), at
    if kind not in (b"[", b"{") or depth >= _MOST_DEPTH:
        raise ProtocolError(f"LLSD: no value begins with {kind!r}" if depth < _MOST_DEPTH else "LLSD: too deep")
    (count,) = struct.unpack_from(">I", data, at)
    at += 4
    if count > _MOST_ITEMS:
        raise ProtocolError(f"LLSD: {count} items")
    found: list[Any] = []
    named: dict[str, Any] = {}
    for _ in range(count):
        if kind == b"[":
            value, at = _read(data, at, depth + 1)
            found.append(value)
            continue
        if data[at : at + 1] != b"k":
            raise ProtocolError("LLSD: a map without a key")
        key, at = _bytes(data, at + 1)
        named[key.decode("utf-8", "replace")], at = _read(data, at, depth + 1)
    if data[at : at + 1] != (b"]" if kind == b"[" else b"}"):
        raise ProtocolError("LLSD: a container without an end")
    return (found if kind == b"[" else named), at + 1


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    (size,) = struct.unpack_from(">I", data, at)
    at += 4
    if at + size > len(data):
        raise ProtocolError("LLSD: a text ends early")
    return data[at : at + size], at + size
