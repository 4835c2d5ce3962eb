"""Packets and messages of the viewer protocol, for the raw viewer. Standard library only.

A datagram:  flags U8 | sequence U32 big endian | extra length U8 | extra | message number | blocks [| acks, count U8]
"""
from __future__ import annotations

import math
import socket
import struct
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ZEROCODED, RELIABLE, RESENT, ACKS = 0x80, 0x40, 0x20, 0x10

PLAIN = {"U8": "<B", "S8": "<b", "U16": "<H", "S16": "<h", "U32": "<I", "S32": "<i", "U64": "<Q", "S64": "<q",
         "F32": "<f", "F64": "<d", "PORT": ">H"}
VECTORS = {"V3": "<3f", "V3D": "<3d", "V4": "<4f"}


@dataclass
class Shape:
    """One message of messages.txt: its number as bytes, its blocks as (name, "1" or "*", [(field, type)])."""

    name: str
    number: bytes
    blocks: list[tuple[str, str, list[tuple[str, str]]]] = field(default_factory=list)


def _number(frequency: str, number: int) -> bytes:
    if frequency == "High":
        return bytes([number])
    if frequency == "Medium":
        return bytes([0xFF, number])
    return b"\xff\xff" + struct.pack(">H", number)  # Low; and Fixed, whose numbers begin with two more 0xFF


def _shapes() -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    shape = Shape("", b"")
    for line in (Path(__file__).parent / "messages.txt").read_text().splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if not line.startswith(" "):
            shape = shapes[words[0]] = Shape(words[0], _number(words[1], int(words[2])))
            continue
        if not line.startswith("      "):
            shape.blocks.append((words[0], words[1], []))
            words = words[2:]
        shape.blocks[-1][2].extend((name, kind) for name, _, kind in (word.partition(":") for word in words))
    return shapes


SHAPES = _shapes()
BY_NUMBER = {shape.number: shape for shape in SHAPES.values()}


@dataclass
class Packet:
    """A received datagram, zero coding undone."""

    flags: int
    sequence: int
    name: str  # "" when the number is not in messages.txt
    body: dict[str, Any]
    acks: list[int]


def encode(name: str, **blocks: Any) -> bytes:
    """Message number and blocks; a block left out is empty ("*") or zero ("1"), and so is a field."""
    shape = SHAPES[name]
    out = [shape.number]
    for block, count, fields in shape.blocks:
        given = blocks.pop(block, [] if count == "*" else {})
        instances = given if isinstance(given, list) else [given]
        if count == "*":
            out.append(bytes([len(instances)]))
        for values in instances:
            unknown = set(values) - {key for key, _ in fields}
            assert not unknown, f"{name}.{block} has no {unknown}"
            out.extend(_pack(kind, values.get(key)) for key, kind in fields)
    assert not blocks, f"{name} has no {set(blocks)}"
    return b"".join(out)


def _pack(kind: str, value: Any) -> bytes:
    if kind in PLAIN:
        return struct.pack(PLAIN[kind], value or 0)
    if kind in VECTORS:
        return struct.pack(VECTORS[kind], *(value or (0.0,) * int(VECTORS[kind][1])))
    if kind == "BOOL":
        return b"\1" if value else b"\0"
    if kind == "UUID":
        return uuid.UUID(str(value)).bytes if value else bytes(16)
    if kind == "Q":  # w is left out, made positive first
        x, y, z, w = value or (0.0, 0.0, 0.0, 1.0)
        sign = -1.0 if w < 0 else 1.0
        return struct.pack("<3f", sign * x, sign * y, sign * z)
    if kind == "IP":
        return socket.inet_aton(value or "0.0.0.0")
    data = value or b""
    if isinstance(data, str):
        data = data.encode() + b"\0"
    if kind.startswith("raw"):
        return bytes(data).ljust(int(kind[3:]), b"\0")
    return struct.pack("<B" if kind.endswith("1") else "<H", len(data)) + bytes(data)


def decode(data: bytes) -> tuple[str, dict[str, Any]]:
    """(name, blocks); ("", {}) for a message not in messages.txt. Blocks missing at the end are left out."""
    length = 1 if data[0] != 0xFF else 2 if data[1] != 0xFF else 4
    shape = BY_NUMBER.get(data[:length])
    if shape is None:
        return "", {}
    at = length
    body: dict[str, Any] = {}
    for block, count, fields in shape.blocks:
        if at >= len(data):
            break
        instances = 1
        if count == "*":
            instances = data[at]
            at += 1
        found = []
        for _ in range(instances):
            values: dict[str, Any] = {}
            for key, kind in fields:
                values[key], at = _unpack(kind, data, at)
            found.append(values)
        body[block] = found if count == "*" else found[0]
    return shape.name, body


def _unpack(kind: str, data: bytes, at: int) -> tuple[Any, int]:
    if kind in PLAIN:
        return struct.unpack_from(PLAIN[kind], data, at)[0], at + struct.calcsize(PLAIN[kind])
    if kind in VECTORS:
        return list(struct.unpack_from(VECTORS[kind], data, at)), at + struct.calcsize(VECTORS[kind])
    if kind == "BOOL":
        return data[at] != 0, at + 1
    if kind == "UUID":
        assert len(data) >= at + 16, "message ends inside an id"
        return str(uuid.UUID(bytes=data[at : at + 16])), at + 16
    if kind == "Q":
        x, y, z = struct.unpack_from("<3f", data, at)
        return [x, y, z, math.sqrt(max(0.0, 1.0 - x * x - y * y - z * z))], at + 12
    if kind == "IP":
        return socket.inet_ntoa(data[at : at + 4]), at + 4
    if kind.startswith("raw"):
        size = int(kind[3:])
    else:
        size, at = _unpack("U8" if kind.endswith("1") else "U16", data, at)
    assert len(data) >= at + size, f"a {kind} field says {size} bytes, {len(data) - at} are left"
    value = data[at : at + size]
    return value.rstrip(b"\0").decode() if kind.startswith("text") else value, at + size


def zero_encode(data: bytes) -> bytes:
    """Every run of zero bytes becomes a zero and a count of 1 to 255."""
    out = bytearray()
    run = 0
    for byte in data:
        if byte == 0 and run < 255:
            run += 1
            continue
        if run:
            out += bytes([0, run])
            run = 0
        if byte:
            out.append(byte)
        else:
            run = 1
    if run:
        out += bytes([0, run])
    return bytes(out)


def zero_decode(data: bytes) -> bytes:
    out = bytearray()
    at = 0
    while at < len(data):
        if data[at]:
            out.append(data[at])
            at += 1
        else:
            assert data[at + 1], "a zero run of length 0: old decoders read 256"
            out += bytes(data[at + 1])
            at += 2
    return bytes(out)


def build(message: bytes, sequence: int, flags: int = 0, acks: tuple[int, ...] = ()) -> bytes:
    """A datagram around an encoded message; zero coded if the flag is set, acks appended outside of it."""
    body = zero_encode(message) if flags & ZEROCODED else message
    head = struct.pack(">BIB", flags | (ACKS if acks else 0), sequence, 0)
    return head + body + b"".join(struct.pack(">I", ack) for ack in acks) + (bytes([len(acks)]) if acks else b"")


def parse(datagram: bytes) -> Packet:
    flags, sequence, extra = struct.unpack_from(">BIB", datagram)
    end = len(datagram)
    acks: list[int] = []
    if flags & ACKS:
        count = datagram[-1]
        end -= 1 + 4 * count
        acks = [struct.unpack_from(">I", datagram, end + 4 * index)[0] for index in range(count)]
    message = datagram[6 + extra : end]
    name, body = decode(zero_decode(message) if flags & ZEROCODED else message)
    return Packet(flags, sequence, name, body, acks)
