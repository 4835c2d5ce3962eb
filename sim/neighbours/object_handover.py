"""What one region tells another of an object that comes over the border: the envelope around a linkset's own form.

It travels as a JSON object. All of it is done or none; `transaction` names it, however often it is sent.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from protocol.errors import ProtocolError
from sim.neighbours.reading import check_version, listed, mapped, octets, turn, uuid_of, vector3, whole
from sim.neighbours.records import Owner
from sim.neighbours.state import HandOff, Reason
from sim.world.agent import Vector
from sim.world.form import MOST_BYTES
from sim.world.objects import MAX_LINKS, Quaternion

VERSION = 1
RIDERS = 64  # of one object
FARTHEST = 1024.0  # metres from a prim to who sits on it


@dataclass(slots=True)
class Rider:
    """Who sits on it, and where: on which part, in that part's own axes."""

    agent: HandOff
    part: int
    offset: Vector
    turn: Quaternion
    target: bool  # on its sit target

    @classmethod
    def decode(cls, value: Any) -> Rider:
        rider = mapped(value, 8, "a rider")
        agent, seat = HandOff.decode(rider.get("agent")), listed(rider.get("seat"), 4, "a seat")
        if agent.reason is not Reason.CROSSING or len(seat) != 4:
            raise ProtocolError("a rider crosses, on a seat of a part, an offset, a rotation, and whether it is the sit target")
        part, offset, turned, target = seat
        return cls(agent, whole(part, 0, MAX_LINKS - 1, "a part"), vector3(offset, FARTHEST), turn(turned), bool(target))

    def encode(self) -> dict[str, Any]:
        return {"agent": self.agent.encode(), "seat": [self.part, list(self.offset), list(self.turn), self.target]}


@dataclass(slots=True)
class ObjectHandOver:
    transaction: UUID
    linkset: bytes  # its form (world/form.py), base64 on the way
    riders: list[Rider] = field(default_factory=list)
    source: Owner | None = None  # which claims of the regions hand over and take over
    destination: Owner | None = None

    @classmethod
    def decode(cls, body: Any) -> ObjectHandOver:
        """ProtocolError says what is wrong with it. The form of the linkset is not read yet."""
        if not isinstance(body, dict):
            raise ProtocolError("a hand-over is a JSON object")
        check_version(body, VERSION, "object hand-over")
        riders = [Rider.decode(one) for one in listed(body.get("riders"), RIDERS, "riders")]
        if len({rider.agent.agent_id for rider in riders}) < len(riders):
            raise ProtocolError("a rider comes twice")
        source, destination = body.get("source"), body.get("destination")
        return cls(
            uuid_of(body.get("transaction"), "transaction"),
            octets(body.get("object"), MOST_BYTES, "object"),
            riders,
            Owner.decode(source) if source is not None else None,
            Owner.decode(destination) if destination is not None else None,
        )

    def encode(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "transaction": str(self.transaction),
            "object": base64.b64encode(self.linkset).decode(),
            "riders": [rider.encode() for rider in self.riders],
            "source": self.source.encode() if self.source is not None else None,
            "destination": self.destination.encode() if self.destination is not None else None,
        }
