"""Who sits on what.

A seated avatar keeps its row among the avatars, in region coordinates like everybody's, so that chat, distances and the
map need not know. What makes it a rider is one more row here: which prim it hangs on and where, in that prim's own axes.
The prim moves it (`physics/riders.py`), by itself it does nothing; viewers are told of prim and place once and move it
along with the prim themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.world.agent import Agent, Vector
from sim.world.objects import Prim, Quaternion

ON_GROUND, ON_OBJECT = 1, 2  # values of an avatar row's `sitting`

RIDER_DTYPE = np.dtype(
    [
        ("avatar", np.int32),  # row among the avatars
        ("seat", np.int32),  # row of the prim among the objects
        ("seat_id", np.uint32),  # its local id: another's in that row means that the seat is gone
        ("offset", np.float32, 3),  # metres, in the prim's axes: the avatar's middle
        ("turn", np.float32, 4),  # relative to the prim
    ],
    align=True,
)


@dataclass(frozen=True, slots=True)
class Seat:
    """A place on a prim, taken or to be taken."""

    prim: Prim
    offset: Vector  # of the avatar's middle, metres, in the prim's own axes
    turn: Quaternion  # of the avatar, relative to the prim
    target: bool = False  # the prim's sit target, which one person at a time may have


class Seats:
    """All seated avatars of a region. `rows[:count]` is what kernels read."""

    def __init__(self, capacity: int = 32) -> None:
        self.rows = np.zeros(capacity, RIDER_DTYPE)
        self.count = 0
        self.of: dict[Agent, Seat] = {}
        self._order: list[Agent] = []  # whose the rows are
        self._on: dict[Prim, list[Agent]] = {}

    def take(self, agent: Agent, seat: Seat) -> None:
        """The agent, which has an avatar here, sits there from now on."""
        self.leave(agent)
        if self.count == len(self.rows):
            self.rows = np.concatenate([self.rows, np.zeros(len(self.rows), RIDER_DTYPE)])
        row = self.rows[self.count]
        row["avatar"], row["seat"], row["seat_id"] = agent.row, seat.prim.row, seat.prim.local_id
        row["offset"], row["turn"] = seat.offset, seat.turn
        self.count += 1
        self._order.append(agent)
        self.of[agent] = seat
        self._on.setdefault(seat.prim, []).append(agent)

    def leave(self, agent: Agent) -> Seat | None:
        """The agent sits there no more; where it did, None if nowhere."""
        seat = self.of.pop(agent, None)
        if seat is None:
            return None
        index = self._order.index(agent)
        self.count -= 1
        self.rows[index] = self.rows[self.count]
        self._order[index] = self._order[-1]
        self._order.pop()
        riders = self._on[seat.prim]
        riders.remove(agent)
        if not riders:
            del self._on[seat.prim]
        return seat

    def on(self, prim: Prim) -> list[Agent]:
        """Who sits on this prim."""
        return list(self._on.get(prim, ()))

    def on_linkset(self, prim: Prim) -> list[Agent]:
        """Who sits on any prim of its linkset."""
        if not self._on:
            return []
        return [agent for one in prim.linkset() for agent in self._on.get(one, ())]
