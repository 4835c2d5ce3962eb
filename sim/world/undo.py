"""What a person did last, so that it can be taken back: of the ground, and of where objects were and what they were like.

Kept with the agent, bounded, and gone with it. What others did since stays: a step is taken back only where things still are as
it left them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from sim.world.terrain import Heights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.world.objects import Quaternion, Vector

STEPS = 10  # of one object by one person
OBJECTS = 256  # whose steps are kept of one person
GROUND_STEPS = 5
PAUSE = 1.0  # seconds without which edits of a thing are one step: a drag is many messages


# --- the ground


@dataclass(slots=True)
class GroundStep:
    """A block of heights [y, x] before and after somebody's deed; its south-west sample."""

    x: int
    y: int
    before: Heights
    after: Heights


@dataclass(slots=True)
class GroundSteps:
    """What one person did to the ground of a region, and how much of it may still be done now."""

    steps: deque[GroundStep] = field(default_factory=lambda: deque(maxlen=GROUND_STEPS))
    at: float = 0.0  # real time of the last deed
    deed: int = -1
    spent: float = 0.0  # samples
    spent_at: float = 0.0

    def affords(self, now: float, samples: int, per_second: float, at_once: float) -> bool:
        """Whether so many samples may be shaped now, and if so that they are."""
        self.spent = max(self.spent - (now - self.spent_at) * per_second, 0.0)
        self.spent_at = now
        if self.spent + samples > at_once:
            return False
        self.spent += samples
        return True

    def add(self, now: float, deed: int, step: GroundStep) -> None:
        """A deed was done; one that goes on is one step with what came before it."""
        goes_on = bool(self.steps) and deed == self.deed and now < self.at + PAUSE
        self.at, self.deed = now, deed
        if goes_on:
            step = _joined(self.steps.pop(), step)
        self.steps.append(step)

    def take(self) -> GroundStep | None:
        """The last step, which is forgotten."""
        self.deed = -1
        return self.steps.pop() if self.steps else None


def _joined(first: GroundStep, then: GroundStep) -> GroundStep:
    """Two steps as one. What lies between their blocks counts as untouched."""
    x, y = min(first.x, then.x), min(first.y, then.y)
    ends = [(one.x + one.before.shape[1], one.y + one.before.shape[0]) for one in (first, then)]
    before = np.full((max(end[1] for end in ends) - y, max(end[0] for end in ends) - x), np.nan, np.float32)
    after = before.copy()
    for one in (first, then):
        place = (slice(one.y - y, one.y - y + one.before.shape[0]), slice(one.x - x, one.x - x + one.before.shape[1]))
        untouched = np.isnan(before[place])
        # What somebody else did between the two is not this person's to take back.
        others = ~untouched & (after[place] != one.before) & (one.before != one.after)
        before[place] = np.where(untouched | others, one.before, before[place])
        changed = untouched | (one.before != one.after)
        after[place] = np.where(changed, one.after, after[place])
    return GroundStep(x, y, before, after)


# --- objects


@dataclass(frozen=True, slots=True)
class Look:
    """Where a prim is and what form it has; metres, a child's place relative to its root."""

    position: Vector
    rotation: Quaternion
    scale: Vector
    shape: Mapping[str, int]


Looks = dict[UUID, Look]  # of a whole linkset, by the ids of its prims, the root's first


@dataclass(slots=True)
class ObjectSteps:
    """What one person did to one linkset."""

    back: deque[Looks] = field(default_factory=lambda: deque(maxlen=STEPS))
    forth: deque[Looks] = field(default_factory=lambda: deque(maxlen=STEPS))
    at: float = -1e9  # real time of the last edit


@dataclass(slots=True)
class Undo:
    """All that one person may take back in a region."""

    ground: GroundSteps = field(default_factory=GroundSteps)
    objects: OrderedDict[UUID, ObjectSteps] = field(default_factory=OrderedDict)  # by root, the last edited at the end

    def of(self, root_id: UUID) -> ObjectSteps:
        """The steps of a linkset, which is now the one edited last; those edited longest ago are forgotten."""
        steps = self.objects.setdefault(root_id, ObjectSteps())
        self.objects.move_to_end(root_id)
        while len(self.objects) > OBJECTS:
            self.objects.popitem(last=False)
        return steps
