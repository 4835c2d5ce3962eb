"""Avatars that walk by themselves to a place: the region holds their keys, until they are there or touch a key.

A walker is a row of columns beside its avatar's. Before each step of the world its avatar is turned to the place and has the
key for forward (in flight, up and down, too); after the step the keys are its owner's again, so that nothing but the walk
itself is left of it: not over a border, and not when it ends. All walkers are worked out at once.

A walk ends near the place, by any key of the person's own, by sitting down, by a journey, or where it comes no nearer for a
while: nobody is walked around an obstacle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from typing import NamedTuple

import numpy as np

from sim.clock import STEP
from sim.physics.avatars import AT_NEG, AT_POS, LEFT_NEG, LEFT_POS, SIT_ON_GROUND, STAND_UP, STOP, UP_NEG, UP_POS
from sim.region import Region
from sim.world.agent import Agent, Vector
from sim.world.avatars import NUDGES

NEAR = 0.5  # metres from the place that count as there
PATIENCE = 2.0  # world seconds without coming nearer
NEARER = 0.1  # metres that count as coming nearer
LEVEL = 1.0  # metres that somebody who flies may be above or below the place
OWN_KEYS = AT_POS | AT_NEG | LEFT_POS | LEFT_NEG | UP_POS | UP_NEG | STOP | STAND_UP | SIT_ON_GROUND | NUDGES

WALKER = np.dtype(
    [
        ("row", np.intp),  # of the avatar
        ("local_id", np.uint32),  # by which the row is known to be that avatar's still
        ("target", np.float32, 3),  # metres, region-local; may be beyond a border
        ("near", np.float32),
        ("best", np.float32),  # the nearest it has been
        ("waited", np.float32),  # world seconds since it came nearer
    ]
)


class End(Enum):
    THERE = "there"
    STUCK = "stuck"
    GIVEN_UP = "given up"  # by its owner, or its avatar is not its own any more


class _Walk(NamedTuple):
    agent: Agent
    then: Callable[[End], None] | None


class Autopilot:
    def __init__(self, region: Region) -> None:
        self._region = region
        self._walkers = np.zeros(0, WALKER)
        self._walks: list[_Walk] = []  # beside `_walkers`
        self._steered = np.zeros(0, np.intp)
        self._keys = np.zeros(0, np.uint32)

    def __contains__(self, agent: Agent) -> bool:
        return any(walk.agent is agent for walk in self._walks)

    def go(self, agent: Agent, target: Vector, near: float = NEAR, then: Callable[[End], None] | None = None) -> None:
        """Walk (or fly, whoever flies) there, instead of where the agent was walking to. `then` is told how it ended."""
        self.cancel(agent)
        walker = np.zeros(1, WALKER)
        walker["row"], walker["local_id"], walker["target"], walker["near"] = agent.row, agent.local_id, target, near
        walker["best"] = np.inf
        self._walkers = np.concatenate([self._walkers, walker])
        self._walks.append(_Walk(agent, then))

    def cancel(self, agent: Agent) -> None:
        """Walk nowhere any more."""
        ends = np.array([walk.agent is agent for walk in self._walks], bool)
        self._end(ends, np.full(len(ends), 2))

    @contextmanager
    def steering(self) -> Iterator[None]:
        """Around a step of the world, in which walkers go on."""
        self._steer()
        yield
        if len(self._steered):
            self._region.world.avatars.rows["controls"][self._steered] = self._keys
            self._steered = self._steered[:0]

    def _steer(self) -> None:
        """Turn the walkers and press their keys; let those stop that are to."""
        walkers = self._walkers
        if not len(walkers):
            return
        avatars, index = self._region.world.avatars.rows, walkers["row"]
        keys = avatars["controls"][index]
        own = (avatars["local_id"][index] == walkers["local_id"]) & (avatars["held"][index] == 0)
        gone = ~own | (avatars["sitting"][index] != 0) | (keys & OWN_KEYS != 0)
        way = walkers["target"] - avatars["position"][index]
        flies = avatars["flying"][index] != 0
        level = np.hypot(way[:, 0], way[:, 1])
        high = np.where(flies & (np.abs(way[:, 2]) > LEVEL), np.abs(way[:, 2]), 0.0)
        left = np.hypot(level, high)
        nearer = left < walkers["best"] - NEARER
        walkers["best"] = np.where(nearer, left, walkers["best"])
        walkers["waited"] = np.where(nearer, 0.0, walkers["waited"] + STEP)
        there, stuck = left <= walkers["near"], walkers["waited"] > PATIENCE
        goes = ~(gone | there | stuck)
        along = np.where(level > walkers["near"], AT_POS, 0)
        rises = np.where(flies & (way[:, 2] > LEVEL), UP_POS, 0) | np.where(flies & (way[:, 2] < -LEVEL), UP_NEG, 0)
        if not goes.all():
            self._end(~goes, np.where(gone, 2, np.where(there, 0, 1)))
        half = 0.5 * np.arctan2(way[goes, 1], way[goes, 0])
        turn = np.zeros((len(half), 4), np.float32)
        turn[:, 2], turn[:, 3] = np.sin(half), np.cos(half)
        self._steered, self._keys = index[goes], keys[goes]
        avatars["rotation"][self._steered] = turn
        avatars["controls"][self._steered] = self._keys | (along | rises)[goes].astype(np.uint32)

    def _end(self, ends: np.ndarray, how: np.ndarray) -> None:
        """Take walkers out; what follows is done when all are in order again."""
        told = [(self._walks[k].then, tuple(End)[how[k]]) for k in np.flatnonzero(ends).tolist()]
        self._walkers = self._walkers[~ends]
        self._walks = [walk for walk, over in zip(self._walks, ends.tolist(), strict=True) if not over]
        for then, end in told:
            if then is not None:
                self._region.tasks.after(0.0, partial(then, end))
