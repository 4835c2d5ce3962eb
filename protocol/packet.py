"""The datagram around a message.

    0      1    flags: 0x80 zero coded, 0x40 reliable, 0x20 resent, 0x10 acks appended
    1      4    sequence number, U32 BIG endian
    5      1    E, length of an extra header that nobody uses: skip it
    6      E
    6+E    ...  message number and body; zero coded if flagged
    end         if flagged: N sequence numbers acknowledged, U32 BIG endian each, then U8 N; never zero coded

Zero coding replaces each run of zero bytes by 00 and the run's length. We never write a length of 0, and read it as
256, as the old decoders did.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from protocol.errors import ProtocolError
from protocol.kernels import kernel

ZEROCODED = 0x80
RELIABLE = 0x40
RESENT = 0x20
ACKS = 0x10

MTU = 1200  # bytes of a datagram we send at most: what viewers keep to as well
MAX_ACKS = 255
# What a zero-coded body may grow to. A datagram of 64 KB could claim 8 MB; no client sends a message of more than some
# kilobytes, so the largest datagram's own size is a generous limit.
MAX_BODY = 65536

_HEADER = struct.Struct(">BIB")


class Packet(NamedTuple):
    """A datagram taken apart: `body` is plain (not zero coded), `acks` the appended sequence numbers."""

    flags: int
    sequence: int
    body: bytes
    acks: tuple[int, ...]

    @property
    def reliable(self) -> bool:
        """The sender wants an ack, every time the packet arrives."""
        return bool(self.flags & RELIABLE)

    @property
    def resent(self) -> bool:
        """The sender sent this sequence number before."""
        return bool(self.flags & RESENT)


@kernel
def zero_decode_into(source, start, end, target):
    """Expand source[start:end] (uint8) into `target`: its length, -1 if cut off in a run, -2 if target is too small."""
    size = target.shape[0]
    at = 0
    i = start
    while i < end:
        value = source[i]
        i += 1
        if value != 0:
            if at >= size:
                return -2
            target[at] = value
            at += 1
            continue
        if i >= end:
            return -1
        run = int(source[i])
        i += 1
        if run == 0:
            run = 256
        if at + run > size:
            return -2
        for k in range(at, at + run):
            target[k] = 0
        at += run
    return at


@kernel
def zero_encode_into(source, start, end, target):
    """Zero code source[start:end] (uint8) into `target`: its length, or -2 if target is too small (twice is enough)."""
    size = target.shape[0]
    at = 0
    i = start
    while i < end:
        if at + 2 > size:
            return -2
        value = source[i]
        target[at] = value
        at += 1
        i += 1
        if value == 0:
            run = 1
            while i < end and run < 255 and source[i] == 0:
                run += 1
                i += 1
            target[at] = run
            at += 1
    return at


def zero_decode(data: bytes | memoryview, limit: int = MAX_BODY) -> bytes:
    """Undo zero coding. Raises ProtocolError if the data ends in a run or grows beyond `limit` bytes."""
    source = np.frombuffer(bytes(data), np.uint8)
    # Every pair of bytes gives 256 at most: a small packet does not pay for a large buffer.
    target = np.empty(min(limit, 128 * len(source) + 128), np.uint8)
    length = zero_decode_into(source, 0, len(source), target)
    if length == -1:
        raise ProtocolError("a zero-coded body ends inside a run of zeros")
    if length < 0:
        raise ProtocolError(f"a zero-coded body grows beyond {limit} bytes")
    return target[:length].tobytes()


def zero_encode(data: bytes | memoryview) -> bytes:
    """Zero code `data`. The result may be longer than the input, by half at most."""
    source = np.frombuffer(bytes(data), np.uint8)
    target = np.empty(2 * len(source) + 2, np.uint8)
    length = zero_encode_into(source, 0, len(source), target)
    return target[:length].tobytes()


def parse(datagram: bytes | memoryview) -> Packet:
    """Take a datagram apart. Raises ProtocolError if it is cut off or its zero coding is wrong."""
    data = bytes(datagram)
    if len(data) < _HEADER.size + 1:
        raise ProtocolError(f"a datagram of {len(data)} bytes is too short")
    flags, sequence, extra = _HEADER.unpack_from(data)
    start = _HEADER.size + extra
    end = len(data)
    acks: tuple[int, ...] = ()
    if flags & ACKS:
        count = data[-1]
        end -= 1 + 4 * count
        if end <= start:
            raise ProtocolError("the appended acks leave no room for a message")
        acks = struct.unpack_from(f">{count}I", data, end)
    if end <= start:
        raise ProtocolError("a datagram without a message")
    body = data[start:end]
    return Packet(flags, sequence, zero_decode(body) if flags & ZEROCODED else body, acks)


def build(body: bytes, sequence: int, flags: int = 0, acks: Sequence[int] = ()) -> bytes:
    """A datagram of a message.

    With ZEROCODED in `flags` the body is zero coded if that makes it smaller, else the flag is taken off. ACKS
    follows from `acks` (at most 255). Raises ProtocolError for numbers outside U32 and too many acks.
    """
    flags &= ~ACKS
    if flags & ZEROCODED:
        coded = zero_encode(body)
        if len(coded) < len(body):
            body = coded
        else:
            flags &= ~ZEROCODED
    if len(acks) > MAX_ACKS:
        raise ProtocolError(f"{len(acks)} acks do not fit a packet, at most {MAX_ACKS} do")
    try:
        if not acks:
            return _HEADER.pack(flags, sequence, 0) + body
        head = _HEADER.pack(flags | ACKS, sequence, 0)
        return head + body + struct.pack(f">{len(acks)}IB", *acks, len(acks))
    except struct.error as error:
        raise ProtocolError(f"not a packet: {error}") from error


def warm() -> None:
    """Compile (or load from cache) the kernels now rather than at the first packet."""
    zero_decode(zero_encode(b"\1\0\0"))
