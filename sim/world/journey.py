"""Where an agent's avatar is, as far as this region knows: a state machine, one for each agent.

A person has one avatar, and regions hand it to each other. What a region may do with an agent, and what it must believe of
those who say that they have it, follows from the state here and from nothing else. `TABLE` holds every transition there is;
another is a bug, and raises. Each transition is logged with the id of the hand-over it belongs to, so that one id followed
through the logs of several regions is the whole story of a crossing or a teleport.

    LOOKING --EXPECT--> EXPECTED --ARRIVE--> HERE --WALK----> WALKING --GO--> GONE
       ^                    |                 ^ \\--RIDE----> RIDING ---GO--> GONE
       +------GIVE_UP-------+                 |  \\-TELEPORT> ASKING --SEND--> SENT --GO--> LOOKING
                                              +----STAY---- (any of the four)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from sim.neighbours.records import RegionRecord
    from sim.neighbours.state import HandOff, Lineage
    from sim.world.agent import Vector

log = logging.getLogger(__name__)


class At(Enum):
    """How far an agent's journey is."""

    LOOKING = "looking in"  # its avatar is in another region, or nowhere yet
    EXPECTED = "expected"  # its avatar will appear here
    HERE = "here"
    WALKING = "walking over"  # its avatar is held at the border, and the region beyond asked to take it
    RIDING = "riding over"  # the same with the object it sits on
    ASKING = "about to teleport"  # the destination is asked; its avatar stands where it was
    SENT = "teleporting"  # its viewer is told to go; its avatar stands where it was until it has arrived
    GONE = "gone over"  # its avatar went over a border from here; its viewer may not know yet


class Step(Enum):
    EXPECT = "expected"  # a service or a region announces that it will arrive here
    GIVE_UP = "not coming"  # it did not come in time, or where it came from has taken it back
    ARRIVE = "arrived"
    WALK = "walks over"
    RIDE = "rides over"
    TELEPORT = "teleports"
    SEND = "is sent"
    STAY = "stays"  # refused, not answered, cancelled
    GO = "went"  # the other region has its avatar
    YIELD = "yields"  # its avatar turns out to be elsewhere: what stands here is what it left behind


CROSSING = frozenset({At.WALKING, At.RIDING})
TELEPORTING = frozenset({At.ASKING, At.SENT})
UNDER_WAY = CROSSING | TELEPORTING
ROOT = UNDER_WAY | {At.HERE}

TABLE: Mapping[tuple[At, Step], At] = {
    (At.LOOKING, Step.EXPECT): At.EXPECTED,
    (At.GONE, Step.EXPECT): At.EXPECTED,
    (At.EXPECTED, Step.EXPECT): At.EXPECTED,  # by another hand-over, or the same again
    (At.EXPECTED, Step.GIVE_UP): At.LOOKING,
    (At.EXPECTED, Step.ARRIVE): At.HERE,
    (At.HERE, Step.WALK): At.WALKING,
    (At.HERE, Step.RIDE): At.RIDING,
    (At.HERE, Step.TELEPORT): At.ASKING,
    (At.ASKING, Step.SEND): At.SENT,
    (At.WALKING, Step.GO): At.GONE,
    (At.RIDING, Step.GO): At.GONE,
    (At.ASKING, Step.GO): At.LOOKING,  # it has arrived before the answer of the region it went to
    (At.SENT, Step.GO): At.LOOKING,
    **{(at, Step.STAY): At.HERE for at in UNDER_WAY},
    **{(at, Step.YIELD): At.LOOKING for at in ROOT},
}


class ImpossibleStep(Exception):
    """A transition that is not in the table: a bug in whoever asked for it."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Where an avatar went from here, and what its viewer is told if it comes here late."""

    region: RegionRecord
    seed: str
    position: Vector
    look_at: Vector


@dataclass(slots=True, eq=False)
class Journey:
    """One agent's. Only `step` changes the state; the rest belongs to it as the comments say."""

    name: str  # of the person, for the log
    at: At = At.LOOKING
    transaction: UUID | None = None  # of the hand-over under way, else of the last one
    region: RegionRecord | None = None  # under way: where to
    arrival: HandOff | None = None  # EXPECTED: what it will bring
    gone: Gone | None = None  # GONE
    lineage: Lineage = ()  # HERE and under way: the hand-overs by which it came, oldest first (neighbours/handovers.py)
    viewer_came: bool = False  # HERE and under way: its viewer has said that it knows
    out_of_sight: bool = False  # WALKING, RIDING: where it goes to has ended its view from here already
    if_it_stays: Callable[[], None] | None = None  # under way: what else of its is to stay with it
    rest_until: float = 0.0  # real time until which it is not handed over again, after a refusal

    @property
    def under_way(self) -> bool:
        """Its avatar is being handed to another region, in one way or another: no second journey may begin."""
        return self.at in UNDER_WAY

    @property
    def crossing(self) -> bool:
        """Its avatar is held until another region has answered: it does not move, sit down or stand up."""
        return self.at in CROSSING

    @property
    def teleporting(self) -> bool:
        return self.at in TELEPORTING

    def is_by(self, transaction: UUID) -> bool:
        """Whether that hand-over is under way."""
        return self.at in UNDER_WAY and self.transaction == transaction

    def step(
        self,
        step: Step,
        transaction: UUID | None = None,
        *,
        region: RegionRecord | None = None,
        arrival: HandOff | None = None,
        gone: Gone | None = None,
    ) -> None:
        """Take a transition of the table, with what belongs to the new state. ImpossibleStep when it has none."""
        after = TABLE.get((self.at, step))
        if after is None:
            raise ImpossibleStep(f"{self.name}, {self.at.value}: {step.value}")
        before, self.at = self.at, after
        held, self.if_it_stays = self.if_it_stays, self.if_it_stays if after in UNDER_WAY else None
        if transaction is not None or step is Step.EXPECT:
            self.transaction = transaction
        self.region = region if region is not None else self.region if after in UNDER_WAY else None
        self.arrival = arrival if after is At.EXPECTED else None
        self.gone = gone if after is At.GONE else None
        if after not in ROOT:
            self.lineage, self.viewer_came = (), False
        if after not in CROSSING:
            self.out_of_sight = False
        to = f" {region.name}" if region is not None else ""
        if step is Step.STAY and held is not None:
            held()
        log.info(
            "hand-over %s: %s %s%s (%s, then %s)",
            self.transaction,
            self.name,
            step.value,
            to,
            before.value,
            after.value,
        )
