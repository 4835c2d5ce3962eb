"""One viewer's circuit: sequence numbers, acknowledgements, resends, duplicates.

Pure bookkeeping over a `Circuits` table that owns the socket; the frame's stages call `Circuits`, never this.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from protocol import packet
from protocol.message import Message, encode
from sim.circuits.inbox import Inbox
from sim.circuits.throttle import CATEGORIES, DEFAULT, ThrottledQueue

if TYPE_CHECKING:
    from sim.circuits.circuits import Circuits
    from sim.world.agent import Agent

_HEADER = struct.Struct(">BIB")  # flags, sequence, no extra header

# Reliable numbers remembered, to process each once: a viewer's resends come within some 1000.
SEEN_LIMIT = 4096
# Bytes of reliable data a silent client may hold here before its circuit is given up.
UNACKED_LIMIT = 8 << 20
# Bytes in flight from which on everything reliable keeps to the resend throttle: who acknowledges nothing draws little.
CHOKED = 256 << 10
# A viewer may collect acks for up to two seconds, a library sends them at once: the round trip decides within these.
MIN_RESEND, MAX_RESEND = 0.6, 4.0
RESEND_BURST = 16_000.0  # bytes of retransmits at once
SLOWEST_RESEND = 16.0  # of a client whose answers take longer than MAX_RESEND, or do not come at all
FIRST_RESEND = 1.0  # until a round trip has been measured
PINGS = 16  # under way whose answers are still understood: a line that chokes answers after many seconds


class Telling(Protocol):
    """What a packet tells of the world, for one that must not be repeated as it was: after a second or in a queue it may
    be untrue. Lost, it is owed again, and said as it is then (docs/decisions/0012)."""

    def stands(self) -> bool:
        """Whether it may leave yet. If not, `lost` is called, and nothing leaves."""

    def lost(self) -> None:
        """It did not arrive, as far as is known."""


class Sending(NamedTuple):
    """A message's body and how it goes."""

    body: bytes
    reliable: bool = True
    on_ack: Callable[[], None] | None = None
    telling: Telling | None = None


@dataclass(slots=True)
class Pending:
    """A reliable packet in flight."""

    body: bytes
    flags: int
    sent_at: float
    due: float
    tries: int = 1
    on_ack: Callable[[], None] | None = None
    telling: Telling | None = None


@dataclass(slots=True, eq=False)
class Circuit:
    circuits: Circuits
    key: int  # the client's address
    slot: int  # its row in the table's arrays
    agent: Agent
    opened_at: float
    heard_at: float
    unheard_since: float = float("inf")  # when the first reliable packet left after the last acknowledgement
    unacked: dict[int, Pending] = field(default_factory=dict)
    unacked_bytes: int = 0
    acks_due: list[int] = field(default_factory=list)
    seen: OrderedDict[int, None] = field(default_factory=OrderedDict)
    round_trip: float = 0.0  # smoothed, seconds; 0 until measured
    round_trip_deviation: float = 0.0
    next_ping: float = 0.0
    ping_id: int = 0
    pings: OrderedDict[int, float] = field(default_factory=OrderedDict)  # not answered yet: id -> when sent
    next_resend: float = float("inf")
    resend_rate: float = DEFAULT[CATEGORIES.index("resend")] / 8  # bytes a second the client takes of retransmits
    resend_tokens: float = RESEND_BURST
    resent_at: float = 0.0
    inbox: Inbox = field(default_factory=Inbox)
    buckets: dict[str, list[float]] = field(default_factory=dict)  # handler rate class -> [tokens, updated]
    queues: dict[str, ThrottledQueue[Sending]] = field(default_factory=dict)
    closed: bool = False

    def send(
        self,
        message: Message,
        *,
        reliable: bool = True,
        category: str | None = None,
        on_ack: Callable[[], None] | None = None,
    ) -> None:
        """Send a message: it leaves at the end of this frame, or when its category's throttle allows."""
        self.send_body(
            encode(message), reliable=reliable, category=category, on_ack=on_ack, zerocode=message.spec.zerocoded
        )

    def send_body(
        self,
        body: bytes,
        *,
        reliable: bool = True,
        category: str | None = None,
        on_ack: Callable[[], None] | None = None,
        zerocode: bool = False,
        telling: Telling | None = None,
    ) -> None:
        """As `send`, for a message encoded already (one broadcast to many)."""
        if self.closed:
            return
        if category is None and reliable and self.unacked_bytes > CHOKED:
            category = "resend"
        if category is not None:
            queue = self.queues.get(category)
            if queue is None:
                rate = DEFAULT[CATEGORIES.index(category)]
                queue = self.queues[category] = ThrottledQueue(rate, self.circuits.clock.now())
            # What counts is what goes over the line: objects are mostly zeros, and a quarter of their size when coded.
            queue.put(min(len(self.circuits.coded(body)), len(body)) + 6, Sending(body, reliable, on_ack, telling))
            self.circuits.throttled.add(self)
            return
        self.transmit(Sending(body, reliable, on_ack, telling), zerocode)

    def transmit(self, sending: Sending, zerocode: bool = True) -> None:
        body, reliable, on_ack, telling = sending
        if telling is not None and not telling.stands():
            telling.lost()
            return
        sequence = self.circuits.next_sequence(self.slot)
        flags = (packet.RELIABLE if reliable else 0) | (packet.ZEROCODED if zerocode else 0)
        if reliable:
            now = self.circuits.clock.now()
            due = now + self.resend_after
            self.unacked[sequence] = Pending(body, flags, now, due, 1, on_ack, telling)
            self.unacked_bytes += len(body)
            self.next_resend = min(self.next_resend, due)
            self.unheard_since = min(self.unheard_since, now)
        coded = self.circuits.coded(body) if zerocode else body
        if zerocode and len(coded) >= len(body):
            coded, flags = body, flags & ~packet.ZEROCODED
        self.circuits.queue(self.key, _HEADER.pack(flags, sequence, 0) + coded)

    def set_throttles(self, rates: tuple[float, ...]) -> None:
        """Bits a second in the order of CATEGORIES."""
        now = self.circuits.clock.now()
        self.circuits.rates[self.slot] = rates[CATEGORIES.index("task")] / 8
        self.resend_rate = rates[CATEGORIES.index("resend")] / 8
        for category, rate in zip(CATEGORIES, rates, strict=True):
            queue = self.queues.get(category)
            if queue is None:
                self.queues[category] = ThrottledQueue(rate, now)
            else:
                queue.set_rate(rate)

    # --- receiving

    def first_time(self, sequence: int) -> bool:
        """Remember a reliable packet; False when it is a duplicate, which is acknowledged again but not processed."""
        if sequence in self.seen:
            return False
        self.seen[sequence] = None
        if len(self.seen) > SEEN_LIMIT:
            self.seen.popitem(last=False)
        return True

    def acknowledged(self, sequence: int, now: float) -> None:
        self.unheard_since = float("inf")
        pending = self.unacked.pop(sequence, None)
        if pending is None:
            self.circuits.flights.acknowledged(self.slot, sequence)
            return
        self.unacked_bytes -= len(pending.body)
        if pending.tries == 1:  # Karn: the ack of a resent packet says nothing about the round trip
            self.measured(now - pending.sent_at)
        if pending.on_ack is not None:
            pending.on_ack()

    def measured(self, sample: float) -> None:
        """RFC 6298 smoothing."""
        if self.round_trip == 0.0:
            self.round_trip, self.round_trip_deviation = sample, sample / 2
        else:
            self.round_trip_deviation += 0.25 * (abs(self.round_trip - sample) - self.round_trip_deviation)
            self.round_trip += 0.125 * (sample - self.round_trip)
        self.circuits.patience[self.slot] = self.resend_after

    def begin_ping(self, now: float) -> int:
        """The id of a new ping. Its answer is a round trip measured, also where every packet is sent again before its ack."""
        self.ping_id = (self.ping_id + 1) & 0xFF
        self.pings[self.ping_id] = now
        while len(self.pings) > PINGS:
            self.pings.popitem(last=False)
        return self.ping_id

    def end_ping(self, ping_id: int, now: float) -> None:
        """A ping was answered."""
        sent_at = self.pings.pop(ping_id, None)
        if sent_at is not None:
            self.measured(now - sent_at)

    @property
    def resend_after(self) -> float:
        if self.round_trip == 0.0:
            return FIRST_RESEND
        return min(max(self.round_trip + 4 * self.round_trip_deviation, MIN_RESEND), SLOWEST_RESEND)

    # --- keeping

    def resend(self, now: float) -> int:
        """Send again what is overdue, oldest first, or say that it is lost; returns how many.

        A client takes as much of retransmits as its resend throttle says: who answers slowly gets less, not more.
        """
        self.resend_tokens = min(self.resend_tokens + (now - self.resent_at) * self.resend_rate, RESEND_BURST)
        self.resent_at = now
        count = 0
        soonest = float("inf")
        for sequence, pending in list(self.unacked.items()):
            if pending.due <= now:
                if pending.telling is not None:
                    del self.unacked[sequence]
                    self.unacked_bytes -= len(pending.body)
                    pending.telling.lost()
                    count += 1
                    continue
                if self.resend_tokens > 0:
                    datagram = packet.build(pending.body, sequence, pending.flags | packet.RESENT)
                    self.resend_tokens -= len(datagram)
                    pending.tries += 1
                    pending.due = now + self._patience(pending.tries)
                    self.circuits.queue(self.key, datagram)
                    count += 1
            soonest = min(soonest, pending.due)
        self.next_resend = soonest
        if not self.unacked:  # lost tellings are not waited for any more
            self.unheard_since = float("inf")
        return count

    def _patience(self, tries: int) -> float:
        """Seconds to wait for the ack of a packet sent so often: more each time, up to MAX_RESEND on a line that answers."""
        answers = self.circuits.clock.now() - self.unheard_since < 2 * MAX_RESEND
        longest = max(MAX_RESEND, self.resend_after) if answers else SLOWEST_RESEND
        return min(self.resend_after * 1.5 ** (tries - 1), longest)

    @property
    def owed(self) -> int:
        """Bytes kept for the client: in flight, or waiting for its throttles."""
        return self.unacked_bytes + sum(queue.waiting for queue in self.queues.values())

    @property
    def oldest_unacked(self) -> int:
        return next(iter(self.unacked), int(self.circuits.sequences[self.slot]))
