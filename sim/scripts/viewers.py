"""What scripts show to viewers that is no part of the world: sounds that pass, cameras, keys, maps.

Both worlds have one: at the command line nobody has a viewer, and what would be shown is only noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from protocol.message import Message, encode
from sim.world.agent import Agent
from sim.world.world import World

HEARING = 100.0  # metres in which a passing sound is told; viewers fade it out before
LOCAL_SOUND = 0x8000  # ParcelFlags: sounds stay on the parcel


class Viewers:
    def __init__(self, world: World, noted: Callable[[Agent, Message], None] = lambda agent, message: None) -> None:
        """`noted`: told of everything that is shown, and to whom."""
        self._world = world
        self._noted = noted

    def show(self, agent: Agent, message: Message) -> None:
        """Tell one person's viewer, reliably, whether its avatar is here or looks over a border."""
        self._noted(agent, message)
        if agent.circuit is not None:
            agent.circuit.send(message)

    def show_all(self, agents: Iterator[Agent], message: Message, reliable: bool = False) -> None:
        """Tell several the same, which is encoded once."""
        body: bytes | None = None
        for agent in agents:
            self._noted(agent, message)
            if agent.circuit is not None:
                if body is None:
                    body = encode(message)
                agent.circuit.send_body(body, reliable=reliable)

    def within(self, place: Sequence[float], reach: float) -> Iterator[Agent]:
        """People whose avatars are within so many metres of a place."""
        world = self._world
        rows = world.avatars.rows[: world.avatars.count]
        away = rows["position"] - np.asarray(place, np.float32)
        near = (rows["active"] != 0) & ((away * away).sum(axis=1) <= reach * reach)
        return (world.agent_of_row[row] for row in np.flatnonzero(near).tolist() if row in world.agent_of_row)

    def hearers(self, place: Sequence[float]) -> Iterator[Agent]:
        """Who may hear a sound made at a place: people near, of the same parcel where it keeps its sounds to itself."""
        world = self._world
        parcel = world.parcel_at(place[0], place[1])
        for agent in self.within(place, HEARING):
            there = world.parcel_at(*world.position(agent)[:2])
            if there is parcel or not (parcel.flags | there.flags) & LOCAL_SOUND:
                yield agent
