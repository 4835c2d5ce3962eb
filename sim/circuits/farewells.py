"""Last words: a client must hear that it is logged out, or why it is kicked, though its circuit ends with them.

    client                              region
      | LogoutRequest ------------------>|  farewell: sent, and kept here when the circuit is closed
      |     x------------- LogoutReply   |  lost
      |<------------------ LogoutReply   |  again, after AGAIN seconds each
      | PacketAck, or silence ---------->|  forgotten: heard, or told often enough

A client whose LogoutRequest was not acknowledged asks again; it gets its acknowledgement and the reply once more.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol import packet
from protocol.message import Message, encode

if TYPE_CHECKING:
    from sim.circuits.circuit import Circuit
    from sim.circuits.circuits import Circuits

AGAIN = (0.6, 1.2, 2.4)  # seconds between one telling and the next; clients wait five
MOST = 2000  # kept at a time: a whole crowd may leave at once
_PACKET_ACK = b"\xff\xff\xff\xfb"
_LOGOUT_REQUEST = b"\xff\xff\x00\xfc"


@dataclass(slots=True, eq=False)
class Farewell:
    key: int  # the client's address
    sequence: int
    datagram: bytes
    last: int  # sequence number used last towards this client
    told: int = 0  # times told again


class Farewells:
    """What was said last to clients whose circuits are closed, by their address."""

    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits
        self._by_key: dict[int, Farewell] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, key: int) -> bool:
        return key in self._by_key

    def say(self, circuit: Circuit, message: Message) -> None:
        """Send the last message of a circuit; it is kept beyond the circuit until it is acknowledged."""
        circuit.send(message)
        if not circuit.unacked or len(self._by_key) >= MOST:
            return
        sequence, pending = next(reversed(circuit.unacked.items()))
        datagram = packet.build(pending.body, sequence, pending.flags | packet.RESENT)
        self._by_key[circuit.key] = farewell = Farewell(circuit.key, sequence, datagram, sequence)
        self._later(farewell)

    def _later(self, farewell: Farewell) -> None:
        self._circuits.region.tasks.after(AGAIN[farewell.told], lambda: self._again(farewell))

    def _again(self, farewell: Farewell) -> None:
        if self._by_key.get(farewell.key) is not farewell:
            return
        circuit = self._circuits.by_key.get(farewell.key)
        if circuit is not None:  # not closed after all, or opened anew: a circuit sees to its own packets
            del self._by_key[farewell.key]
            return
        self._circuits.metrics.count("resends")
        self._circuits.queue(farewell.key, farewell.datagram)
        farewell.told += 1
        if farewell.told < len(AGAIN):
            self._later(farewell)
        else:
            del self._by_key[farewell.key]

    def heard(self, key: int, received: packet.Packet) -> bool:
        """A packet from an address without a circuit; True when it concerns a farewell, and is dealt with."""
        farewell = self._by_key.get(key)
        if farewell is None:
            return False
        body = received.body
        acks = list(received.acks)
        if len(body) > 4 and body.startswith(_PACKET_ACK) and len(body) == 5 + 4 * body[4]:
            acks += struct.unpack_from(f"<{body[4]}I", body, 5)
        if farewell.sequence in acks:
            del self._by_key[key]
            return True
        if not body.startswith(_LOGOUT_REQUEST):
            return body.startswith(_PACKET_ACK)
        farewell.last += 1
        ack = encode(Message("PacketAck", Packets=[{"ID": received.sequence}]))
        self._circuits.queue(key, packet.build(ack, farewell.last))
        self._circuits.queue(key, farewell.datagram)
        return True
