"""What regions are told of us, again and again: AgentUpdate, with the keys held and where the camera is.

Ten a second while something changes, one a second while nothing does. What changed goes out twice, because the message is
not repeated when it is lost. Neighbours hear now and then, the region that we are about to enter hears everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from protocol.message import Message, encode

from .circuits import Circuits
from .model import Vector
from .neighbours import Neighbours
from .regions import Region


class AgentUpdates:
    """The rhythm of AgentUpdate; ``told`` gives the fields that say where we look from, for a region's coordinates."""

    def __init__(self, circuits: Circuits, neighbours: Neighbours, told: Callable[[Region], dict[str, Any]]) -> None:
        self._circuits = circuits
        self._told = told
        self.moves: Callable[[], bool] = lambda: False  # whether the camera moves by itself
        self.on_sent: Callable[[float], None] = lambda now: None  # called with the time of every one sent
        self.sent_at = -1e9
        self._changed = True
        self._repeat = False
        self._next_child = 0.0
        neighbours.greet = self._greet
        circuits.each_tick.append(self._tick)

    def change(self, since: float | None = None) -> None:
        """Something is to be told: now, if ``since`` (clock; by default the last one) is long enough ago, else soon."""
        self._changed = True
        now = self._circuits.clock()
        if now - (self.sent_at if since is None else since) >= self._circuits.habits.agent_update_gap:
            self.send(now)

    @property
    def changed(self) -> bool:
        """Whether something waits to be told."""
        return self._changed

    def later(self) -> None:
        """Something is to be told with whatever goes out next."""
        self._changed = True

    def _tick(self, now: float) -> None:
        habits, since = self._circuits.habits, now - self.sent_at
        slack = 0.2 * habits.tick  # a tick that comes a hair early must not cost a whole further one
        hurry = self._changed or self._repeat or self.moves()
        if since >= (habits.agent_update_gap if hurry else habits.agent_update_idle) - slack:
            self.send(now)

    def send(self, now: float, reliable: bool = False) -> None:
        """Tell the region we stand in, and those around when it is their time."""
        circuits = self._circuits
        if circuits.closed or circuits.region is None:
            return
        self._repeat, self._changed = self._changed, False
        self.sent_at = now
        self.on_sent(now)
        self._send_to(circuits.region, now, reliable)
        children = now >= self._next_child
        if children:
            self._next_child = now + circuits.habits.agent_update_idle
        for region in list(circuits.regions.values()):
            if region is not circuits.region and region.handshaken and (children or region is circuits.destination):
                self._send_to(region, now, False)

    def _send_to(self, region: Region, now: float, reliable: bool) -> None:
        still = (0.0, 0.0, 0.0, 1.0)
        data = {
            **self._circuits.agent_block, "BodyRotation": still, "HeadRotation": still, "State": 0,
            "Far": self._circuits.habits.draw_distance, "ControlFlags": 0, "Flags": 0, **self._told(region),
        }  # fmt: skip
        region.circuit.send_body(encode(Message("AgentUpdate", AgentData=data)), now, reliable, zerocode=True)

    def _greet(self, region: Region) -> None:
        """The first to a region is reliable: it is what objects and land wait for."""
        self._send_to(region, self._circuits.clock(), reliable=True)


def camera(at: Vector, towards: Vector) -> dict[str, Vector]:
    """The fields of a camera at ``at`` (metres of the region told) that looks along the unit vector ``towards``."""
    ax, ay, az = towards
    flat = math.hypot(ax, ay)
    left = (-ay / flat, ax / flat, 0.0) if flat > 1e-6 else (0.0, 1.0, 0.0)
    up = (-az * left[1], az * left[0], ax * left[1] - ay * left[0])
    return {"CameraCenter": at, "CameraAtAxis": towards, "CameraLeftAxis": left, "CameraUpAxis": up}


def seen_from(here: Region, region: Region, at: Vector) -> Vector:
    """A point of ``here`` in the coordinates of ``region``; unchanged while either's place in the grid is unknown."""
    if region is here or not here.handle or not region.handle:
        return at
    return (at[0] + here.west - region.west, at[1] + here.south - region.south, at[2])
