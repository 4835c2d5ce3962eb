"""The region's UDP socket, read and written in batches.

recvmmsg and sendmmsg are called from numba: one system call moves hundreds of datagrams with the GIL released. The
kernel's structures are laid out by hand:

    struct msghdr (56 bytes, 7 u64)    name, namelen, iov, iovlen, control, controllen, flags
    struct mmsghdr (64 bytes)          msghdr, then u32 length of the datagram moved
    struct sockaddr_in (16 bytes)      u16 family, u16 port BE, u32 address BE, 8 zeros

An address is one integer everywhere in the sim: its *key*, `address << 16 | port`.

    struct cmsghdr (24 bytes, 3 u64)   u64 length 18; i32 level 17, type 103 (UDP_SEGMENT); u16 bytes of a segment

Datagrams of one length to one address, one behind the other in the buffer (the last may be shorter), are handed over as
one that the kernel cuts up: the way down its layers is what a datagram costs. Where it cannot, they go one by one.

Outgoing datagrams are appended to one buffer (`Outgoing`), by Python through `queue` or by kernels that pack straight
into its arrays, and leave together in `flush`.
"""

from __future__ import annotations

import ipaddress
import select
import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.kernels import inline, kernel, types

SLOT = 2048  # bytes a received datagram may have; nothing honest is over 1500
BATCH = 256
MTU = 1200  # the largest datagram we send, bytes

_recvmmsg: Any = types.ExternalFunction(
    "recvmmsg", types.int32(types.int32, types.uint64, types.uint32, types.int32, types.uint64)
)
_sendmmsg: Any = types.ExternalFunction("sendmmsg", types.int32(types.int32, types.uint64, types.uint32, types.int32))
_DONTWAIT = 0x40
SEGMENTS, SEGMENTS_BYTES = 40, 60_000  # handed over as one at most
_UDP_SEGMENT = 103
_SEGMENT = np.uint64(17 | _UDP_SEGMENT << 32)
TAKEN = -2  # the length of a datagram that was dealt with already
Sift = Callable[[int, np.ndarray, np.ndarray, np.ndarray], None]
_TRUNCATED = 0x20


def key_of(address: str, port: int) -> int:
    """The key of a dotted address and a port."""
    return int(ipaddress.IPv4Address(address)) << 16 | port


def address_of(key: int) -> tuple[str, int]:
    return str(ipaddress.IPv4Address(key >> 16)), key & 0xFFFF


@inline
def put_header(buffer, at, flags, sequence):  # pragma: no cover - compiled
    """The six bytes every packet begins with: flags, sequence U32 BE, no extra header."""
    buffer[at] = flags
    buffer[at + 1] = (sequence >> np.uint32(24)) & np.uint32(255)
    buffer[at + 2] = (sequence >> np.uint32(16)) & np.uint32(255)
    buffer[at + 3] = (sequence >> np.uint32(8)) & np.uint32(255)
    buffer[at + 4] = sequence & np.uint32(255)
    buffer[at + 5] = 0


@kernel
def _receive(fd, buffer, names, headers, vectors, keys, lengths):  # pragma: no cover - compiled
    """Fill the slots; returns how many. A datagram over SLOT bytes gets length -1."""
    n = len(lengths)
    base, name_base = np.uint64(buffer.ctypes.data), np.uint64(names.ctypes.data)
    vector_base, header_base = np.uint64(vectors.ctypes.data), np.uint64(headers.ctypes.data)
    for i in range(n):
        vectors[i, 0] = base + np.uint64(SLOT * i)
        vectors[i, 1] = SLOT
        headers[i, 0] = name_base + np.uint64(16 * i)
        headers[i, 1] = 16
        headers[i, 2] = vector_base + np.uint64(16 * i)
        headers[i, 3] = 1
        headers[i, 4] = 0
        headers[i, 5] = 0
        headers[i, 6] = 0
        headers[i, 7] = 0
    got = _recvmmsg(fd, header_base, np.uint32(n), np.int32(_DONTWAIT), np.uint64(0))
    for i in range(got):
        a = names[i]
        keys[i] = (
            (np.uint64(a[4]) << np.uint64(40))
            | (np.uint64(a[5]) << np.uint64(32))
            | (np.uint64(a[6]) << np.uint64(24))
            | (np.uint64(a[7]) << np.uint64(16))
            | (np.uint64(a[2]) << np.uint64(8))
            | np.uint64(a[3])
        )
        lengths[i] = -1 if (headers[i, 6] & np.uint64(_TRUNCATED)) else np.int64(headers[i, 7] & np.uint64(0xFFFFFFFF))
    return got


@kernel
def _together(first, count, offsets, lengths, keys):  # pragma: no cover - compiled
    """How many datagrams from `first` on can be handed over as one."""
    size = lengths[first]
    end = offsets[first] + size
    n = 1
    while first + n < count and n < SEGMENTS:
        j = first + n
        if keys[j] != keys[first] or offsets[j] != end or lengths[j] > size:
            break
        end += lengths[j]
        if end - offsets[first] > SEGMENTS_BYTES:
            break
        n += 1
        if lengths[j] < size:
            break
    return n


@kernel
def _send(
    fd, count, segment, buffer, offsets, lengths, keys, names, headers, vectors, controls, starts
):  # pragma: no cover - compiled
    """Send `count` datagrams; returns how many the kernel refused. `segment`: whether it can cut one up."""
    base, name_base = np.uint64(buffer.ctypes.data), np.uint64(names.ctypes.data)
    vector_base, header_base = np.uint64(vectors.ctypes.data), np.uint64(headers.ctypes.data)
    control_base = np.uint64(controls.ctypes.data)
    batch = len(headers)
    start = 0
    refused = 0
    while start < count:
        n = 0
        j = start
        while n < batch and j < count:
            i = n
            several = _together(j, count, offsets, lengths, keys) if segment else 1
            key = keys[j]
            name = names[i]
            name[0] = 2  # AF_INET, little endian as the machine's
            name[1] = 0
            name[2] = np.uint8((key >> np.uint64(8)) & np.uint64(255))
            name[3] = np.uint8(key & np.uint64(255))
            name[4] = np.uint8((key >> np.uint64(40)) & np.uint64(255))
            name[5] = np.uint8((key >> np.uint64(32)) & np.uint64(255))
            name[6] = np.uint8((key >> np.uint64(24)) & np.uint64(255))
            name[7] = np.uint8((key >> np.uint64(16)) & np.uint64(255))
            vectors[i, 0] = base + np.uint64(offsets[j])
            vectors[i, 1] = np.uint64(offsets[j + several - 1] + lengths[j + several - 1] - offsets[j])
            headers[i, 0] = name_base + np.uint64(16 * i)
            headers[i, 1] = 16
            headers[i, 2] = vector_base + np.uint64(16 * i)
            headers[i, 3] = 1
            headers[i, 4] = 0
            headers[i, 5] = 0
            headers[i, 6] = 0
            headers[i, 7] = 0
            if several > 1:
                headers[i, 4] = control_base + np.uint64(24 * i)
                headers[i, 5] = 24
                controls[i, 0] = 18
                controls[i, 1] = _SEGMENT
                controls[i, 2] = np.uint64(lengths[j])
            starts[i] = j
            n += 1
            j += several
        starts[n] = j
        done = 0
        while done < n:
            sent = _sendmmsg(fd, header_base + np.uint64(64 * done), np.uint32(n - done), np.int32(_DONTWAIT))
            if sent <= 0:
                # The first of the rest was refused: full buffer, unreachable, or a device that cannot cut. One by one,
                # then; what is refused again is lost, as UDP may lose.
                headers[done, 4] = 0
                headers[done, 5] = 0
                for k in range(starts[done], starts[done + 1]):
                    vectors[done, 0] = base + np.uint64(offsets[k])
                    vectors[done, 1] = np.uint64(lengths[k])
                    if _sendmmsg(fd, header_base + np.uint64(64 * done), np.uint32(1), np.int32(_DONTWAIT)) <= 0:
                        refused += 1
                sent = 1
            done += sent
        start = j
    return refused


class Wire(NamedTuple):
    """Where kernels write datagrams: `sequences` and `keys` (addresses) by circuit slot, and Outgoing's columns."""

    sequences: NDArray[np.uint32]
    keys: NDArray[np.uint64]
    buffer: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    receivers: NDArray[np.uint64]


class Outgoing:
    """Datagrams waiting to leave. Kernels append by writing the arrays and setting `count` and `used`."""

    def __init__(self, packets: int = 1024) -> None:
        self.buffer = np.zeros(packets * MTU, np.uint8)
        self.offsets = np.zeros(packets, np.int64)
        self.lengths = np.zeros(packets, np.int64)
        self.keys = np.zeros(packets, np.uint64)
        self.count = 0
        self.used = 0  # bytes of buffer

    def reserve(self, packets: int) -> None:
        """Make room for so many more datagrams of MTU bytes."""
        need = self.count + packets
        if need > len(self.offsets):
            size = max(need, 2 * len(self.offsets))
            self.offsets = np.resize(self.offsets, size)
            self.lengths = np.resize(self.lengths, size)
            self.keys = np.resize(self.keys, size)
        if self.used + packets * MTU > len(self.buffer):
            grown = np.zeros(max(self.used + packets * MTU, 2 * len(self.buffer)), np.uint8)
            grown[: self.used] = self.buffer[: self.used]
            self.buffer = grown

    def wire(self, sequences: NDArray[np.uint32], keys: NDArray[np.uint64]) -> Wire:
        """For kernels, after `reserve`."""
        return Wire(sequences, keys, self.buffer, self.offsets, self.lengths, self.keys)

    def queue(self, key: int, datagram: bytes) -> None:
        self.reserve(1 + len(datagram) // MTU)
        size = len(datagram)
        self.buffer[self.used : self.used + size] = np.frombuffer(datagram, np.uint8)
        self.offsets[self.count] = self.used
        self.lengths[self.count] = size
        self.keys[self.count] = key
        self.used += size
        self.count += 1


    def queue_all(self, datagrams: list[tuple[int, bytes]]) -> None:
        """As `queue` for each (key, datagram), at a third of the cost."""
        if not datagrams:
            return
        keys, parts = zip(*datagrams, strict=True)
        lengths = np.fromiter(map(len, parts), np.int64, len(parts))
        size = int(lengths.sum())
        self.reserve(max(len(parts), -(-size // MTU)))
        n, end = self.count, self.count + len(parts)
        self.buffer[self.used : self.used + size] = np.frombuffer(b"".join(parts), np.uint8)
        self.lengths[n:end] = lengths
        self.offsets[n:end] = self.used + np.cumsum(lengths) - lengths
        self.keys[n:end] = np.fromiter(keys, np.uint64, len(keys))
        self.count, self.used = end, self.used + size


def _can_segment(udp: socket.socket) -> bool:
    """Whether the kernel cuts datagrams up: Linux since 4.18. Asking for segments of no length changes nothing."""
    try:
        udp.setsockopt(socket.SOL_UDP, _UDP_SEGMENT, 0)
    except (OSError, AttributeError):
        return False
    return True


class DatagramSocket:
    """One bound UDP socket. `OSError` when the address is taken."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
        self._socket.bind((address, port))
        self.address, self.port = self._socket.getsockname()
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self.outgoing = Outgoing()
        self._in = np.zeros(BATCH * SLOT, np.uint8)
        self._in_view = memoryview(self._in)  # type: ignore[arg-type]
        self._names = np.zeros((BATCH, 16), np.uint8)
        self._headers = np.zeros((BATCH, 8), np.uint64)
        self._vectors = np.zeros((BATCH, 2), np.uint64)
        self._keys = np.zeros(BATCH, np.uint64)
        self._lengths = np.zeros(BATCH, np.int64)
        self._out_names = np.zeros((BATCH, 16), np.uint8)
        self._out_headers = np.zeros((BATCH, 8), np.uint64)
        self._out_vectors = np.zeros((BATCH, 2), np.uint64)
        self._out_controls = np.zeros((BATCH, 3), np.uint64)
        self._out_starts = np.zeros(BATCH + 1, np.int64)
        self._segment = _can_segment(self._socket)

    def receive(self, sift: Sift | None = None, limit: int = 8192) -> Iterator[tuple[int, memoryview | None]]:
        """What has arrived, as (key, bytes); None for one too large. The bytes are valid until the next is taken.

        `sift(count, buffer, keys, lengths)` sees every batch first; what it gives the length TAKEN is not told. At
        most `limit` datagrams a call, so that a flood cannot hold the frame.
        """
        if not self._poll.poll(0):  # most frames of a quiet region end here, for a tenth of the cost
            return
        fd = self._socket.fileno()
        while limit > 0:
            got = _receive(fd, self._in, self._names, self._headers, self._vectors, self._keys, self._lengths)
            if got <= 0:
                return
            if sift is not None:
                sift(got, self._in, self._keys, self._lengths)
            left = np.flatnonzero(self._lengths[:got] != TAKEN)
            keys, lengths = self._keys[left].tolist(), self._lengths[left].tolist()
            for i, key, length in zip(left.tolist(), keys, lengths, strict=True):
                yield key, None if length < 0 else self._in_view[i * SLOT : i * SLOT + length]
            limit -= got
            if got < BATCH:
                return

    def flush(self) -> tuple[int, int, int]:
        """Send all that is queued; returns datagrams, bytes, and how many the kernel refused."""
        out = self.outgoing
        count, size = out.count, out.used
        if count == 0:
            return 0, 0, 0
        refused = _send(
            self._socket.fileno(), count, self._segment, out.buffer, out.offsets, out.lengths, out.keys,
            self._out_names, self._out_headers, self._out_vectors, self._out_controls, self._out_starts,
        )  # fmt: skip
        out.count = 0
        out.used = 0
        return count, size, refused

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()
