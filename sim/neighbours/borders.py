"""The region's edges: the stage of a frame in which people and things that have gone over them are handed over, and words
that are heard beyond them are passed on.

It comes after the world's steps, which only move: whoever is outside by then is looked for here, once a frame, and either goes
on its way (`crossing.py`, `object_crossing.py`) or is put back inside.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim.neighbours.crossing import Crossing
from sim.neighbours.object_crossing import ObjectCrossing
from sim.world.world import Chat, World


class Borders:
    def __init__(self, world: World, crossing: Crossing, objects: ObjectCrossing, relay: Callable[[Chat], None]) -> None:
        self._world = world
        self._speech = world.changes.speech.reader()
        self._relay = relay
        self._crossing = crossing
        self._objects = objects

    def run(self) -> None:
        self._people()
        self._things()
        if len(self._speech):
            for chat in self._speech.take():
                self._relay(chat)

    def _people(self) -> None:
        rows = self._world.avatars.rows[: self._world.avatars.count]
        place = rows["position"][:, :2]
        over = ((place < 0) | (place >= 256)).any(axis=1)
        if not over.any():
            return
        for row in np.flatnonzero(over & (rows["active"] == 1) & (rows["held"] == 0)).tolist():
            agent = self._world.agent_of_row.get(row)
            if agent is not None:
                self._crossing.begin(agent)

    def _things(self) -> None:
        if not self._world.outside:
            return
        outside, self._world.outside = self._world.outside, {}
        for row in outside:
            root = self._world.objects.of_row.get(row)
            if root is not None and root.root is None and not self._objects.begin(root):
                self._objects.hold_inside(root)
