"""All circuits of a region: datagrams to messages, messages to datagrams.

Stages of the frame that live here: `receive` (datagrams -> handlers), `keep` (acks, resends, pings, time-outs,
throttled queues) and `flush` (everything queued leaves in one batch).

The circuit of a client is found by its address alone, and is opened by UseCircuitCode naming a code, session and
agent that a service announced. Anything else from an unknown address is counted and dropped unanswered, and before it
costs anything: nobody who has no session gets a datagram decoded.

What a client sends costs the client: a message that comes too fast for its rate class, or after its sender's share of the
frame is used up, waits its turn (`inbox.py`), and is not acknowledged where there is no room for it.
"""

from __future__ import annotations

import logging
import struct
from typing import TYPE_CHECKING, Protocol

import numpy as np

from protocol import packet
from protocol.errors import ProtocolError
from protocol.message import Message, decode, encode, identify
from sim import handlers
from sim.circuits.circuit import FIRST_RESEND, UNACKED_LIMIT, Circuit
from sim.circuits.datagrams import DatagramSocket, address_of
from sim.circuits.farewells import Farewells
from sim.circuits.fastpath import FastPath
from sim.circuits.flights import Flights
from sim.circuits.throttle import CATEGORIES, DEFAULT
from sim.world.agent import Agent

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.region import Region

log = logging.getLogger(__name__)

PACKET_ACK = b"\xff\xff\xff\xfb"  # then U8 count, U32 each
OPENING = b"\xff\xff\x00\x03", b"\xff\xff\x00\x01\x03"  # UseCircuitCode, plain and zero coded
OPENINGS = 64  # looked at in a frame: a storm of logins has two or three
PING_INTERVAL = 5.0
SILENCE_LIMIT = 60.0  # seconds without a single datagram, or acknowledgement, before a client counts as gone
SEQUENCE_MASK = 0xFFFFFF  # full viewers wrap at 2^24


class Watch(Protocol):
    """Whom circuits tell of what they learn about a client."""

    def circuit_opened(self, agent: Agent) -> None:
        """It has opened its circuit, now or again."""

    def lost(self, agent: Agent, reason: str) -> None:
        """It is gone, without a word."""


class Circuits:
    def __init__(self, region: Region, socket: DatagramSocket) -> None:
        self.region = region
        self.clock = region.clock
        self.metrics = region.metrics
        self._watch: Watch
        self._parts: Parts
        self.socket = socket
        self.by_key: dict[int, Circuit] = {}
        self.throttled: set[Circuit] = set()
        # Kernels that pack packets for many viewers number them here.
        self.sequences = np.zeros(64, np.uint32)
        self.keys = np.zeros(64, np.uint64)
        self.rates = np.zeros(64, np.float64)  # bytes a second of updates a viewer takes
        self.patience = np.zeros(64, np.float64)  # seconds after which what is not acknowledged counts as lost
        self._free = list(range(63, -1, -1))
        self.fast = FastPath()
        self.flights = Flights()
        self.farewells = Farewells(self)
        self._ack_due: set[Circuit] = set()
        self._behind: dict[Circuit, None] = {}  # those whose messages wait, in the order of their turns
        self._openings = 0  # looked at in this frame
        self._outbox: list[tuple[int, bytes]] = []
        self._coded: dict[bytes, bytes] = {}  # of this frame
        self._next_keep = 0.0

    def serve(self, watch: Watch, parts: Parts) -> None:
        """Whom to tell of clients, and what handlers are handed: parts that are made after this one."""
        self._watch, self._parts = watch, parts

    @property
    def quiet(self) -> bool:
        """Nobody is connected, and nothing is left to be sent."""
        return not (self.by_key or self._outbox or self.socket.outgoing.count)

    # --- frame stages

    def receive(self) -> None:
        """Take in every datagram that has arrived and run its handler."""
        now = self.clock.now()
        self._openings = 0
        for circuit in list(self._behind):
            self._catch_up(circuit, now)
        for key, data in self.socket.receive(self._sift):
            self.metrics.plain["packets_in"] += 1
            if data is None:
                self.metrics.count("packets_dropped", label="oversized")
                continue
            self.metrics.plain["bytes_in"] += len(data)
            if key not in self.by_key and key not in self.farewells and not self._may_open(data):
                self.metrics.count("packets_dropped", label="stranger")
                continue
            try:
                received = packet.parse(data)
                self._heard(key, received, now)
            except ProtocolError:
                self.metrics.count("packets_dropped", label="malformed")

    def _sift(self, count: int, buffer: np.ndarray, keys: np.ndarray, lengths: np.ndarray) -> None:
        """Plain AgentUpdates and PacketAcks, nearly everything a crowd sends, never become messages."""
        world = self.region.world
        taken, size, updates, over = self.fast.take(
            count, buffer, keys, lengths, world.avatars.rows, self.flights, self.clock.now(), world.time
        )
        if taken:
            self.metrics.plain["packets_in"] += taken
            self.metrics.plain["bytes_in"] += size
            self.metrics.plain["agent_updates"] += updates - over
            if over:
                self.metrics.count("messages_dropped", over, label=f"rate {handlers.CONTROL.name}")

    def keep(self) -> None:
        """Acks at once, so that no client waits; the slower chores a few times a second."""
        now = self.clock.now()
        for circuit in self._ack_due:
            self._send_acks(circuit)
        self._ack_due.clear()
        for circuit in list(self.throttled):
            self._let_out(circuit, now)
        if now < self._next_keep:
            return
        self._next_keep = now + 0.1
        self.fast.grow(len(self.sequences))
        heard = self.fast.slots["heard"].tolist()
        for circuit in list(self.by_key.values()):
            circuit.heard_at = max(circuit.heard_at, heard[circuit.slot])
            unresponsive = circuit.owed > UNACKED_LIMIT or (
                bool(circuit.unacked) and now - circuit.unheard_since > SILENCE_LIMIT
            )
            if now - circuit.heard_at > SILENCE_LIMIT or unresponsive:
                self._watch.lost(circuit.agent, "unresponsive" if unresponsive else "silent")
                continue
            if circuit.next_resend <= now:
                self.metrics.count("resends", circuit.resend(now))
            if circuit.next_ping <= now:
                circuit.next_ping = now + PING_INTERVAL
                ping = {"PingID": circuit.begin_ping(now), "OldestUnacked": circuit.oldest_unacked}
                circuit.send(Message("StartPingCheck", PingID=ping), reliable=False)

    def flush(self) -> None:
        """Everything queued this frame leaves: acks first, since clients act on them before anything else."""
        self.socket.outgoing.queue_all(self._outbox)
        self._outbox.clear()
        self._coded.clear()
        count, size, refused = self.socket.flush()
        if count:
            self.metrics.plain["packets_out"] += count
            self.metrics.plain["bytes_out"] += size
            if refused:
                self.metrics.count("send_failures", refused)

    # --- sending

    def queue(self, key: int, datagram: bytes) -> None:
        self._outbox.append((key, datagram))

    def coded(self, body: bytes) -> bytes:
        """A body zero coded; one that goes to many in a frame is coded once."""
        coded = self._coded.get(body)
        if coded is None:
            coded = self._coded[body] = packet.zero_encode(body)
        return coded

    def next_sequence(self, slot: int) -> int:
        sequence = (int(self.sequences[slot]) + 1) & SEQUENCE_MASK
        self.sequences[slot] = sequence
        return sequence

    def _send_acks(self, circuit: Circuit) -> None:
        due, circuit.acks_due = circuit.acks_due, []
        for start in range(0, len(due), 255):
            blocks = [{"ID": sequence} for sequence in due[start : start + 255]]
            body = Message("PacketAck", Packets=blocks)
            # Straight into the socket's buffer: an ack goes out ahead of this frame's other packets.
            self.socket.outgoing.queue(circuit.key, packet.build(encode(body), self.next_sequence(circuit.slot)))

    def _let_out(self, circuit: Circuit, now: float) -> None:
        waiting = False
        for queue in circuit.queues.values():
            for sending in queue.take(now):
                circuit.transmit(sending)
            waiting = waiting or bool(queue.items)
        if not waiting:
            self.throttled.discard(circuit)

    # --- receiving

    def _heard(self, key: int, received: packet.Packet, now: float) -> None:
        circuit = self.by_key.get(key)
        if circuit is None:
            self._stranger(key, received, now)
            return
        circuit.heard_at = now
        for sequence in received.acks:
            circuit.acknowledged(sequence, now)
        body = received.body
        if len(body) > 4 and body.startswith(PACKET_ACK) and len(body) == 5 + 4 * body[4]:
            self._acknowledge(circuit, received)
            for sequence in struct.unpack_from(f"<{body[4]}I", body, 5):
                circuit.acknowledged(sequence, now)
            return
        try:
            name = identify(body).name
        except ProtocolError:
            self._acknowledge(circuit, received)  # what we cannot read would otherwise be sent again for ever
            raise
        if name == "UseCircuitCode":
            self._acknowledge(circuit, received, remember=False)  # it says itself whether it is new
            self._reopened(circuit, decode(body), received, now)
        elif received.reliable and received.sequence in circuit.seen:
            self._acknowledge(circuit, received)
            self.metrics.count("packets_dropped", label="duplicate")
        elif name == "PacketAck":  # an odd one: the plain ones were dealt with above
            self._acknowledge(circuit, received)
            for block in decode(body)["Packets"]:
                circuit.acknowledged(block["ID"], now)
        elif name == "StartPingCheck":
            self._acknowledge(circuit, received)
            answer = {"PingID": decode(body)["PingID"]["PingID"]}
            circuit.send(Message("CompletePingCheck", PingID=answer), reliable=False)
        elif name == "CompletePingCheck":
            self._acknowledge(circuit, received)
            circuit.end_ping(decode(body)["PingID"]["PingID"], now)
        else:
            self._take(circuit, name, received, now)

    def _acknowledge(self, circuit: Circuit, received: packet.Packet, remember: bool = True) -> None:
        """The client need not send this again: it happens, or never can."""
        if received.reliable:
            if remember:
                circuit.first_time(received.sequence)
            circuit.acks_due.append(received.sequence)
            self._ack_due.add(circuit)

    # --- messages with handlers

    def _take(self, circuit: Circuit, name: str, received: packet.Packet, now: float) -> None:
        """Run a message's handler, or let the message wait. One without a handler is never decoded."""
        row = handlers.TABLE.get(name)
        if row is None:
            self._acknowledge(circuit, received)
            self.metrics.count("messages_unhandled", label=name)
            return
        inbox, rate = circuit.inbox, row.rate
        if name == "LogoutRequest" and inbox.count:  # what was acknowledged before it happens before it
            self._acknowledge(circuit, received)
            inbox.leaving = True
            inbox.put_back(row, received.body)
            self._catch_up(circuit, now)
            return
        may_wait = rate is not handlers.CONTROL
        if may_wait and (inbox.is_waiting(rate.name) or not inbox.has_share(now)) or not self._within_rate(circuit, rate, now):
            if not received.reliable or not may_wait:
                self._acknowledge(circuit, received)
                self.metrics.count("messages_dropped", label=f"rate {rate.name}")
            elif inbox.put(row, received.body):
                self._acknowledge(circuit, received)
                self._behind[circuit] = None
                self.metrics.count("messages_put_off", label=rate.name)
            else:
                self.metrics.count("packets_dropped", label="pushed back")
            return
        self._acknowledge(circuit, received)
        self._run(circuit, row, received.body)

    def _catch_up(self, circuit: Circuit, now: float) -> None:
        """Run what waits of a client, as far as its rates and its share allow; its logout last."""
        inbox, last = circuit.inbox, handlers.CONTROL.name
        for rate, queue in sorted(inbox.waiting.items(), key=lambda each: each[0] == last):
            if rate == last and inbox.count > len(queue):
                break
            while queue and self._has_turn(circuit, queue[0][0].rate, now):
                row, body = inbox.pop(rate)
                try:
                    ran = self._run(circuit, row, body)
                except ProtocolError:
                    self.metrics.count("packets_dropped", label="malformed")
                    continue
                if circuit.closed:
                    return
                if not ran:
                    break
        if not inbox.count:
            self._behind.pop(circuit, None)

    def _has_turn(self, circuit: Circuit, rate: handlers.Rate, now: float) -> bool:
        inbox = circuit.inbox
        return inbox.leaving or (inbox.has_share(self.clock.now()) and self._within_rate(circuit, rate, now))

    def _run(self, circuit: Circuit, row: handlers.Row, body: bytes) -> bool:
        """Decode and handle a message. False when its handler had no room for it, and it waits now."""
        began = self.clock.now()
        try:
            self._handle(circuit, row, decode(body))
        except handlers.Later:
            circuit.inbox.put_back(row, body)
            self._behind[circuit] = None
            self.metrics.count("messages_put_off", label=row.rate.name)
            return False
        finally:
            circuit.inbox.spend(self.clock.now() - began)
        return True

    def dispatch(self, circuit: Circuit, message: Message, now: float) -> None:
        """Run a message's handler if its circuit, its claims and its rate allow; it does not wait."""
        row = handlers.TABLE.get(message.name)
        if row is None:
            self.metrics.count("messages_unhandled", label=message.name)
        elif not self._within_rate(circuit, row.rate, now):
            self.metrics.count("messages_dropped", label=f"rate {row.rate.name}")
        else:
            try:
                self._handle(circuit, row, message)
            except handlers.Later:
                self.metrics.count("messages_dropped", label="too much under way")

    def _handle(self, circuit: Circuit, row: handlers.Row, message: Message) -> None:
        agent = circuit.agent
        if row.state is handlers.State.ROOT and agent.child:
            self.metrics.count("messages_dropped", label="not root")
            return
        if row.state is handlers.State.NEAR and agent.spectator:
            self.metrics.count("messages_dropped", label="spectator")
            return
        claims = message.get("AgentData")
        if isinstance(claims, dict) and (
            claims.get("AgentID", agent.agent_id) != agent.agent_id
            or claims.get("SessionID", agent.session_id) != agent.session_id
        ):
            self.metrics.count("messages_dropped", label="wrong session")
            return
        more = handlers.cost(message) - 1  # one was counted before it was read
        if more and row.rate.name in circuit.buckets:
            circuit.buckets[row.rate.name][0] -= more
        try:
            row.function(self._parts, agent, message)
        except handlers.Later:
            raise
        except Exception as error:
            self.region.aside.failed("handler", message.name, error)

    @staticmethod
    def _within_rate(circuit: Circuit, rate: handlers.Rate, now: float) -> bool:
        bucket = circuit.buckets.get(rate.name)
        if bucket is None:
            circuit.buckets[rate.name] = [rate.burst - 1, now]
            return True
        tokens = min(bucket[0] + (now - bucket[1]) * rate.per_second, rate.burst)
        bucket[1] = now
        if tokens < 1:
            bucket[0] = tokens
            return False
        bucket[0] = tokens - 1
        return True

    # --- opening and closing

    def _may_open(self, data: bytes | memoryview) -> bool:
        """Whether a datagram of an unknown address is a UseCircuitCode: looked at where it lies."""
        if len(data) < 10 or self._openings >= OPENINGS:
            return False
        start = 6 + data[5]
        if not bytes(data[start : start + 5]).startswith(OPENING):
            return False
        self._openings += 1
        return True

    def _stranger(self, key: int, received: packet.Packet, now: float) -> None:
        if self.farewells.heard(key, received):
            return
        if identify(received.body).name != "UseCircuitCode":
            self.metrics.count("packets_dropped", label="stranger")
            return
        agent = self._announced(decode(received.body))
        if agent is None:
            self.metrics.count("packets_dropped", label="wrong circuit code")
            return
        if agent.circuit is not None:  # the same session from a new port: the client began anew
            self.close(agent.circuit, "reopened")
        if not self._free:
            old = len(self.sequences)
            self.sequences = np.resize(self.sequences, 2 * old)
            self.keys = np.resize(self.keys, 2 * old)
            self.rates = np.resize(self.rates, 2 * old)
            self.patience = np.resize(self.patience, 2 * old)
            self.flights.grow(2 * old)
            self._free = list(range(2 * old - 1, old - 1, -1))
        slot = self._free.pop()
        self.sequences[slot] = 0
        self.keys[slot] = key
        self.rates[slot] = DEFAULT[CATEGORIES.index("task")] / 8
        self.patience[slot] = FIRST_RESEND
        circuit = Circuit(self, key, slot, agent, opened_at=now, heard_at=now, next_ping=now + PING_INTERVAL)
        agent.circuit = circuit
        self.by_key[key] = circuit
        self._acknowledge_opening(circuit, received)
        log.info("circuit of %s opened from %s:%d", agent.name, *address_of(key))
        self._watch.circuit_opened(agent)

    def _reopened(self, circuit: Circuit, message: Message, received: packet.Packet, now: float) -> None:
        """UseCircuitCode again on the same address: a resend, or a client that counts anew, as hippolyzer does."""
        agent = self._announced(message)
        if agent is None:
            self.metrics.count("packets_dropped", label="wrong circuit code")
            return
        if agent is not circuit.agent:  # another account from the same port: the old circuit is over
            self.close(circuit, "replaced")
            self._stranger(circuit.key, received, circuit.heard_at)
            return
        if received.flags & packet.RESENT and received.sequence in circuit.seen:
            return  # our ack was lost: it goes out again, and nothing else changes
        if not self._within_rate(circuit, handlers.OPENING, now):
            self.metrics.count("messages_dropped", label="rate opening")
            return
        if not received.flags & packet.RESENT:
            circuit.seen.clear()
        self._acknowledge_opening(circuit, received)
        self._watch.circuit_opened(agent)

    def _acknowledge_opening(self, circuit: Circuit, received: packet.Packet) -> None:
        circuit.first_time(received.sequence)
        if received.flags & packet.RELIABLE and received.sequence not in circuit.acks_due:
            circuit.acks_due.append(received.sequence)
            self._ack_due.add(circuit)

    def _announced(self, message: Message) -> Agent | None:
        code = message["CircuitCode"]
        agent = self.region.world.agents.get(code["ID"])
        if agent is None or code["Code"] != agent.circuit_code or code["SessionID"] != agent.session_id:
            return None
        return agent

    def close(self, circuit: Circuit, reason: str) -> None:
        """Forget a circuit. What is queued for it in this frame still leaves."""
        if circuit.closed:
            return
        self._send_acks(circuit)
        circuit.closed = True
        self.metrics.count("circuits_closed", label=reason)
        self.by_key.pop(circuit.key, None)
        self.throttled.discard(circuit)
        self._ack_due.discard(circuit)
        self._behind.pop(circuit, None)
        self.fast.forget(circuit)
        self.flights.forget(circuit.slot)
        self._free.append(circuit.slot)
        if circuit.agent.circuit is circuit:
            circuit.agent.circuit = None
