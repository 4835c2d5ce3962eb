"""One UDP circuit: numbered packets, acknowledgements, resends and pings between us and one simulator.

    us                                     simulator
     | 0x40 seq 1  UseCircuitCode    ------>|     every packet of ours takes the next number, reliable or not
     |<------------------ PacketAck [1]     |     an ack ends the resending of that number
     |<------ 0x40 seq 7  RegionHandshake   |     a reliable packet is acked each time it comes, and read once
     | 0x50 seq 2  ... + acks [7]    ------>|     acks ride on what we send anyway; a tick sends the rest

The circuit knows nothing of what the messages mean, and reads no clock: callers pass ``now`` (seconds, monotonic).
"""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import Callable

from protocol import packet
from protocol.message import Message, encode
from protocol.table import BY_NAME

from .errors import ConnectionLost
from .habits import Address, Habits

_ACKS_A_PACKET = 200  # of at most 255; keeps a bare PacketAck under 1200 bytes
_PACKET_ACK = BY_NAME["PacketAck"].prefix
_START_PING = BY_NAME["StartPingCheck"].prefix
_COMPLETE_PING = BY_NAME["CompletePingCheck"].prefix
_ZEROCODED = {name for name, spec in BY_NAME.items() if spec.zerocoded}
_SEQUENCE_LIMIT = 1 << 24  # viewers wrap here


class _Pending:
    """A reliable packet that nobody has acknowledged yet."""

    __slots__ = ("acked", "datagram", "sent_at", "tries_left")

    def __init__(self, datagram: bytes, sent_at: float, tries_left: int) -> None:
        self.datagram = datagram
        self.sent_at = sent_at
        self.tries_left = tries_left
        self.acked: asyncio.Future[None] | None = None


class CircuitStats:
    """Counters of one circuit, in packets unless said otherwise."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "duplicates",
        "first_sequence",
        "highest_sequence",
        "malformed",
        "packets_in",
        "packets_out",
        "resends_in",
        "resends_out",
        "undelivered",
        "unique_in",
    )  # fmt: skip

    def __init__(self) -> None:
        self.packets_in = self.packets_out = self.bytes_in = self.bytes_out = 0
        self.duplicates = self.malformed = self.resends_in = self.resends_out = self.undelivered = 0
        self.unique_in = 0
        self.first_sequence = self.highest_sequence = -1

    @property
    def missing(self) -> int:
        """Numbers the simulator used and we never saw: lost for good (or on their way this moment)."""
        if self.first_sequence < 0:
            return 0
        return max(0, self.highest_sequence - self.first_sequence + 1 - self.unique_in)

    def totals(self) -> Counter[str]:
        """What can be added up over circuits, by name."""
        names = ("packets_in", "packets_out", "bytes_in", "bytes_out", "resends_in", "resends_out")
        return Counter({name: getattr(self, name) for name in (*names, "duplicates", "undelivered", "missing")})


class Circuit:
    """The packets between us and one simulator.

    ``transmit(datagram, address)`` puts bytes on the wire; ``deliver(body, sequence, now)`` gets the body (from the
    message number on) of every packet that isn't a duplicate, an ack or a ping.
    """

    def __init__(
        self,
        address: Address,
        habits: Habits,
        transmit: Callable[[bytes, Address], None],
        deliver: Callable[[bytes, int, float], None],
        now: float,
    ) -> None:
        self.address = address
        self.stats = CircuitStats()
        self.last_heard = now
        self.ping: float | None = None  # smoothed round trip, seconds
        self.closed = False
        self._habits = habits
        self._wire_address = habits.route(address)
        self._transmit = transmit
        self._deliver = deliver
        self._sequence = 0
        self._pending: dict[int, _Pending] = {}
        self._acks: list[int] = []
        self._seen: dict[int, None] = {}
        self._ping_id = 0
        self._pings: dict[int, float] = {}
        self._next_ping = now + habits.ping_every

    # -- out ------------------------------------------------------------------------------------------------------

    def send(self, message: Message, now: float, reliable: bool = False, tries: int | None = None) -> int:
        """Send a message; returns its sequence number. ``tries`` = resends of a reliable one (default: the habit)."""
        return self.send_body(encode(message), now, reliable, tries, message.name in _ZEROCODED)

    def send_body(
        self, body: bytes, now: float, reliable: bool = False, tries: int | None = None, zerocode: bool = False
    ) -> int:
        """As ``send``, for an encoded body that goes out to several circuits."""
        self._sequence = sequence = self._sequence % _SEQUENCE_LIMIT + 1
        flags = (packet.RELIABLE if reliable else 0) | (packet.ZEROCODED if zerocode else 0)
        datagram = packet.build(body, sequence, flags)
        if reliable:
            # Kept without appended acks: those must not be repeated in a resend.
            self._pending[sequence] = _Pending(datagram, now, self._habits.resends if tries is None else tries)
        if self._acks and len(datagram) < 1000:
            datagram = self._with_acks(datagram)
        self._put(datagram)
        return sequence

    def acknowledged(self, sequence: int) -> asyncio.Future[None]:
        """A future of the ack of ``sequence`` (just sent reliably). ``ConnectionLost`` when all tries are used up."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        pending = self._pending.get(sequence)
        if pending is None:
            future.set_result(None)
        else:
            pending.acked = future
        return future

    def _with_acks(self, datagram: bytes) -> bytes:
        """Append waiting acks: N x U32 big endian, then U8 N; outside zero coding."""
        acks, self._acks = self._acks[:20], self._acks[20:]
        flags = datagram[0] | packet.ACKS
        return b"%c%b%b%c" % (flags, datagram[1:], struct.pack(f">{len(acks)}I", *acks), len(acks))

    def _put(self, datagram: bytes) -> None:
        self.stats.packets_out += 1
        self.stats.bytes_out += len(datagram)
        self._transmit(datagram, self._wire_address)

    # -- in -------------------------------------------------------------------------------------------------------

    def receive(self, datagram: bytes, now: float) -> None:
        """Take one datagram from the simulator. Raises ``ProtocolError`` for bytes that are no packet."""
        parsed = packet.parse(datagram)
        stats = self.stats
        stats.packets_in += 1
        stats.bytes_in += len(datagram)
        self.last_heard = now
        for acked in parsed.acks:
            self._acknowledge(acked)
        sequence = parsed.sequence
        if parsed.flags & packet.RESENT:
            stats.resends_in += 1
        if parsed.flags & packet.RELIABLE:
            self._acks.append(sequence)  # always, also a duplicate: the ack of the first may have been lost
            if len(self._acks) >= _ACKS_A_PACKET:
                self._send_acks()
            if sequence in self._seen:
                stats.duplicates += 1
                return
            self._seen[sequence] = None
            if len(self._seen) > self._habits.resend_memory:
                del self._seen[next(iter(self._seen))]
        if stats.first_sequence < 0:
            stats.first_sequence = stats.highest_sequence = sequence
        elif sequence > stats.highest_sequence:
            stats.highest_sequence = sequence
        stats.unique_in += 1

        body = parsed.body
        head = body[0] if body else 0
        if head == 0xFF and body[:4] == _PACKET_ACK:
            count = body[4] if len(body) > 4 else 0
            for (acked,) in struct.iter_unpack("<I", body[5 : 5 + 4 * min(count, (len(body) - 5) // 4)]):
                self._acknowledge(acked)
        elif head == _START_PING[0]:
            if len(body) >= 2:
                self._put(packet.build(_COMPLETE_PING + body[1:2], self._take_number()))
        elif head == _COMPLETE_PING[0]:
            self._pong(body[1] if len(body) >= 2 else -1, now)
        else:
            self._deliver(body, sequence, now)

    def _acknowledge(self, sequence: int) -> None:
        pending = self._pending.pop(sequence, None)
        if pending is not None and pending.acked is not None and not pending.acked.done():
            pending.acked.set_result(None)

    def _pong(self, ping_id: int, now: float) -> None:
        sent = self._pings.pop(ping_id, None)
        if sent is not None:
            trip = now - sent
            self.ping = trip if self.ping is None else 0.8 * self.ping + 0.2 * trip

    # -- chores ---------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Send waiting acks, resend what is overdue, ping. Call every ``habits.tick``."""
        if self._acks:
            self._send_acks()
        if self._pending:
            self._resend(now)
        if now >= self._next_ping:
            self._next_ping = now + self._habits.ping_every
            self._start_ping(now)

    def _send_acks(self) -> None:
        acks, self._acks = self._acks, []
        for start in range(0, len(acks), _ACKS_A_PACKET):
            part = acks[start : start + _ACKS_A_PACKET]
            body = _PACKET_ACK + bytes([len(part)]) + struct.pack(f"<{len(part)}I", *part)
            self._put(packet.build(body, self._take_number()))

    def _resend(self, now: float) -> None:
        wait = max(self._habits.resend_after, 5.0 * (self.ping or 0.0))
        for sequence, pending in list(self._pending.items()):
            if now - pending.sent_at < wait:
                continue
            if pending.tries_left <= 0:
                del self._pending[sequence]
                self.stats.undelivered += 1
                if pending.acked is not None and not pending.acked.done():
                    pending.acked.set_exception(ConnectionLost(f"{self.address} does not acknowledge"))
                    pending.acked.exception()
                continue
            pending.tries_left -= 1
            pending.sent_at = now
            self.stats.resends_out += 1
            self._put(bytes([pending.datagram[0] | packet.RESENT]) + pending.datagram[1:])

    def _start_ping(self, now: float) -> None:
        self._ping_id = (self._ping_id + 1) & 0xFF
        self._pings[self._ping_id] = now  # at most 256 entries: ids wrap
        oldest = min(self._pending, default=self._sequence + 1)
        body = _START_PING + struct.pack("<BI", self._ping_id, oldest)
        self._put(packet.build(body, self._take_number()))

    def _take_number(self) -> int:
        self._sequence = self._sequence % _SEQUENCE_LIMIT + 1
        return self._sequence

    def close(self) -> None:
        """Forget everything unsent; whoever waits for an ack gets ``ConnectionLost``."""
        self.closed = True
        for pending in self._pending.values():
            if pending.acked is not None and not pending.acked.done():
                pending.acked.set_exception(ConnectionLost(f"the circuit to {self.address} was closed"))
                pending.acked.exception()
        self._pending.clear()
        self._acks.clear()
