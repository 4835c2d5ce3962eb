"""The raw viewer's end of one circuit: sequence numbers from 1, acks, resends, what it knows of that region."""
from __future__ import annotations

import socket
import struct
import time
from typing import Any

from . import wire

RESEND_AFTER, RESENDS = 1.0, 8  # seconds, times


class Circuit:
    """One simulator as a viewer sees it. Not thread safe: the viewer's lock is held around every call."""

    def __init__(self, udp: socket.socket, address: tuple[str, int], handle: int = 0) -> None:
        self.address = address
        self.handle = handle
        self.seed = ""
        self.caps: dict[str, str] = {}
        self.name = ""
        self.region_id = ""
        self.handshakes = 0
        self.open = True
        self.avatars: dict[int, str] = {}  # local id -> agent id
        self.positions: dict[str, list[float]] = {}
        self.velocities: dict[str, list[float]] = {}
        self.land: list[bytes] = []
        self.received: dict[int, int] = {}  # reliable sequence number -> how often it came
        self.acked: set[int] = set()
        self.to_ack: list[int] = []
        self.unacked: dict[int, tuple[bytes, int, float, int]] = {}  # sequence -> message, flags, when, tries
        self._udp = udp
        self._sequence = 0

    def send(self, message: bytes, reliable: bool = True, zero: bool = False, append_acks: bool = False) -> int:
        """Sends an encoded message; its sequence number. Reliable ones are sent again until acked."""
        self._sequence += 1
        flags = (wire.RELIABLE if reliable else 0) | (wire.ZEROCODED if zero else 0)
        acks: tuple[int, ...] = ()
        if append_acks:
            acks, self.to_ack = tuple(self.to_ack[:255]), self.to_ack[255:]
        if reliable:
            self.unacked[self._sequence] = (message, flags, time.monotonic(), 0)
        self._udp.sendto(wire.build(message, self._sequence, flags, acks), self.address)
        return self._sequence

    def repeat(self, sequence: int, message: bytes, flags: int) -> None:
        """The same packet again, as after a lost ack; its appended acks are not repeated."""
        self._udp.sendto(wire.build(message, sequence, flags | wire.RESENT), self.address)

    def tick(self, now: float, ack: bool) -> None:
        """Sends held acks, unless told not to, and what is due for another try."""
        if self.to_ack and ack:
            acks, self.to_ack = self.to_ack[:200], self.to_ack[200:]
            self.send(wire.encode("PacketAck", Packets=[{"ID": ack} for ack in acks]), reliable=False)
        for sequence, (message, flags, when, tries) in list(self.unacked.items()):
            if now - when < RESEND_AFTER:
                continue
            if tries >= RESENDS:
                del self.unacked[sequence]
                continue
            self.unacked[sequence] = (message, flags, now, tries + 1)
            self.repeat(sequence, message, flags)

    def receive(self, packet: wire.Packet) -> bool:
        """Notes acks both ways; whether the message is new and should be looked at."""
        acks = packet.acks
        if packet.name == "PacketAck":
            acks = acks + [block["ID"] for block in packet.body["Packets"]]
        for ack in acks:
            self.unacked.pop(ack, None)
            self.acked.add(ack)
        if not packet.flags & wire.RELIABLE:
            return True
        self.to_ack.append(packet.sequence)
        self.received[packet.sequence] = self.received.get(packet.sequence, 0) + 1
        return self.received[packet.sequence] == 1

    # -- what the region showed ---------------------------------------------------------------------------------

    def object_update(self, body: dict[str, Any]) -> None:
        """Full updates: avatars are PCode 47 and carry 76 bytes, a collision plane and then the position."""
        for block in body["ObjectData"]:
            if block["PCode"] != 47:
                continue
            assert len(block["ObjectData"]) == 76, "an avatar's ObjectData has a collision plane: 76 bytes"
            self.avatars[block["ID"]] = block["FullID"]
            self.positions[block["FullID"]] = list(struct.unpack_from("<3f", block["ObjectData"], 16))
            self.velocities[block["FullID"]] = list(struct.unpack_from("<3f", block["ObjectData"], 28))

    def terse_update(self, body: dict[str, Any]) -> None:
        """U32 id, U8 state, U8 plane?, [4 F32], 3 F32 position, 3 U16 velocity in -128..128, ..."""
        for block in body["ObjectData"]:
            data = block["Data"]
            who = self.avatars.get(struct.unpack_from("<I", data)[0])
            if who is None:
                continue
            at = 22 if data[5] else 6
            assert len(data) == (60 if data[5] else 44), f"a terse update of {len(data)} bytes"
            self.positions[who] = list(struct.unpack_from("<3f", data, at))
            quantised = struct.unpack_from("<3H", data, at + 12)
            self.velocities[who] = [value / 65535 * 256 - 128 for value in quantised]

    def kill(self, body: dict[str, Any]) -> None:
        for block in body["ObjectData"]:
            who = self.avatars.pop(block["ID"], None)
            if who is not None and who not in self.avatars.values():
                self.positions.pop(who, None)
                self.velocities.pop(who, None)
