"""Sitting down on objects and standing up: which place, who may, and where the feet go afterwards.

    prim or linkset with sit targets    the clicked prim's, else the first free one in link order; any distance in the region
    none                                the surface near the clicked point, within reach of the avatar, facing outwards

What a seat is, is in `world/seats.py`; how it carries its rider, in `physics/riders.py`; how viewers hear of it, in
`interest/`. Scripts of the linkset get changed(CHANGED_LINK) when somebody sits down or stands up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from protocol.wellknown import REGION_SIZE
from sim.actions.outcome import Refused
from sim.physics.avatars import STANDING_UP_TIME
from sim.physics.engine import TERRAIN, Mask
from sim.physics.riders import follow
from sim.region import Region
from sim.world.agent import Agent, Vector
from sim.world.avatars import STAND_UP, Motion
from sim.world.changes import What
from sim.world.objects import MAX_HEIGHT, Prim, Quaternion, conjugate, multiply, rotate
from sim.world.rare import SIT_SCRIPTED_ONLY
from sim.world.seats import ON_OBJECT, Seat

REACH = 10.0  # metres from the avatar to a seat that has no sit target
HIPS = 0.36  # metres of the avatar's middle above what it sits on
ELBOWS = 0.45  # metres between people on one surface
RADIUS = 0.3  # metres of room an avatar needs around its middle to stand
DROP = 2.5  # metres that somebody who stands up may step down
LEVEL = 0.5  # upward part of a surface's normal that one can sit or stand on
SOLID = Mask.STATIC | Mask.DYNAMIC | Mask.TERRAIN

NO_ROOM = "There is no room to sit here, try another spot."
NO_SURFACE = "There is no suitable surface to sit on, try another spot."
TOO_FAR = "You are too far away to sit there. Please come closer."
OUT_OF_REACH = Refused(TOO_FAR, "cannot sit")  # closer to it one may
WORN = "You cannot sit on what somebody wears."
LEAVING = "It is just leaving for another region."
SCRIPTED = "Nobody can sit there by themselves."
ELSEWHERE = "You are in another region. Please come over to sit there."


class Rays(Protocol):
    """What a seat asks physics (`physics/bodies.py`)."""

    def raycast(self, origin: Sequence[float], direction: Sequence[float], length: float, mask: int, most: int) -> np.ndarray:
        """The nearest hits, HIT_DTYPE."""

    def first_hit(self, start: Vector, end: Vector) -> tuple[Vector, Vector] | None:
        """The first solid or ground between two points: (point, normal)."""

    def handle(self, prim: Prim) -> int:
        """The body of a prim's linkset, as hits name it; -1 without."""


class Seating:
    def __init__(self, region: Region, rays: Rays) -> None:
        self.region = region
        self._rays = rays
        self._leaving = np.zeros(32, np.int64)
        region.world.changes.prims.at_once(What.GONE, lambda prim, _: self.stand_all(region.world.seats.on(prim)))

    # --- which place

    def find(self, agent: Agent, prim: Prim, point: Vector) -> Seat | Refused:
        """The place for an avatar that clicked `prim` at `point` (in its axes, metres)."""
        if agent.child:
            return Refused(ELSEWHERE, "cannot sit")
        if prim.linkset_root.leaving:
            return Refused(LEAVING, "object is crossing")
        if prim.rare.sit_flags & SIT_SCRIPTED_ONLY:
            return Refused(SCRIPTED, "cannot sit")
        if prim.linkset_root.worn is not None:
            return Refused(WORN, "cannot sit")
        seats = self.region.world.seats
        targets = [one for one in (prim, *prim.linkset()) if one.sit_target is not None]
        if targets:
            free = next((one for one in targets if not _target_taken(seats.on(one), seats.of, agent)), None)
            if free is None:
                return Refused(NO_ROOM, "cannot sit")
            return target_seat(free, agent.appearance.size[2])
        return self._on_surface(agent, prim, point)

    def _on_surface(self, agent: Agent, prim: Prim, point: Vector) -> Seat | Refused:
        world = self.region.world
        base, turn = world.objects.world_place(prim)
        size = world.objects.row(prim)["scale"].tolist()
        inside = [min(max(point[axis], -0.5 * size[axis]), 0.5 * size[axis]) for axis in range(3)]
        offset = rotate(turn, inside)
        clicked = (base[0] + offset[0], base[1] + offset[1], base[2] + offset[2])
        here = world.position(agent)
        if math.dist(here, clicked) > REACH:
            return OUT_OF_REACH
        spot = self._surface(prim, clicked, base, turn, size)
        if spot is None:
            return Refused(NO_SURFACE, "cannot sit")
        for other in world.seats.on(prim):
            if other is not agent and math.dist(world.position(other)[:2], spot[:2]) < ELBOWS:
                return Refused(NO_ROOM, "cannot sit")
        out = (spot[0] - base[0], spot[1] - base[1])
        if math.hypot(*out) < 0.1:  # in the middle: towards where the avatar comes from
            out = (here[0] - spot[0], here[1] - spot[1])
        yaw = math.atan2(out[1], out[0])
        facing = (0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))
        back = conjugate(turn)
        up = (spot[0] - base[0], spot[1] - base[1], spot[2] + HIPS - base[2])
        return Seat(prim, rotate(back, up), multiply(back, facing))

    def _surface(self, prim: Prim, clicked: Vector, base: Vector, turn: Quaternion, size: list[float]) -> Vector | None:
        """The upward face of the prim at or above the clicked point, region coordinates."""
        # A click on a side means the edge above it: look for it a little way inwards.
        inward = (base[0] - clicked[0], base[1] - clicked[1])
        length = math.hypot(*inward)
        step = min(0.15, length) / length if length > 1e-6 else 0.0
        x, y = clicked[0] + inward[0] * step, clicked[1] + inward[1] * step
        top = base[2] + sum(abs(rotate(turn, axis)[2]) * half for axis, half in _half_axes(size))
        handle = self._rays.handle(prim)
        if handle < 0:  # nothing solid: sit on the top of its box
            return x, y, top
        # From just above the click first, since the same linkset may have a roof; then from above the whole prim.
        for high, low in ((clicked[2] + 0.3, clicked[2] - 0.1), (top + 0.1, clicked[2] - 0.1)):
            hits = self._rays.raycast(
                (x, y, high), (0.0, 0.0, -1.0), high - low, Mask.STATIC | Mask.DYNAMIC | Mask.PHANTOM, 16
            )
            for hit in hits:
                if int(hit["target"]) == handle and hit["normal"][2] > LEVEL and hit["fraction"] > 0:
                    return x, y, float(hit["point"][2])
        return None

    # --- down and up

    def sit(self, agent: Agent, seat: Seat) -> None:
        """Take the place. The caller has looked that it is free."""
        world = self.region.world
        before = world.seats.of.get(agent)
        if before == seat:
            return
        world.seats.take(agent, seat)
        row = world.row(agent)
        row["sitting"], row["held"] = ON_OBJECT, 1
        row["flying"] = row["repeats"] = 0
        row["on_ground"] = 1
        row["controls"] &= ~np.uint32(STAND_UP)
        row["acceleration"] = (0.0, 0.0, 0.0)
        row["motion"] = Motion.SITTING
        self._changed(agent)
        self.follow()
        for root in {one.prim.linkset_root for one in (before, seat) if one is not None}:
            world.changes.prims.note(root, What.RIDERS, agent.agent_id)

    def stand(self, agent: Agent) -> None:
        """Up from the seat and beside it; what is not seated stays as it is, and who is being handed over with it, too."""
        if agent.journey.crossing:
            return
        seat = self.release(agent)
        if seat is None:
            return
        world = self.region.world
        row = world.row(agent)
        x, y, z, w = row["rotation"].tolist()
        yaw = math.atan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))
        gone = seat.prim.row < 0
        place = world.position(agent) if gone else self._beside(agent, seat, yaw)
        row["position"] = self.safe_place(place, float(row["height"]))
        row["rotation"] = (0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))
        row["velocity"] = (0.0, 0.0, 0.0)
        row["on_ground"] = not gone
        row["motion"], row["timer"] = Motion.STANDING_UP, STANDING_UP_TIME
        row["dirty"] = 1
        self._changed(agent)

    def release(self, agent: Agent) -> Seat | None:
        """The seat lets go of the agent, which stays where it is; None when it sits on nothing."""
        seat = self.region.world.seats.leave(agent)
        if seat is None:
            return None
        row = self.region.world.row(agent)
        row["sitting"] = row["held"] = 0
        if seat.prim.row >= 0:
            self.region.world.changes.prims.note(seat.prim.linkset_root, What.RIDERS, agent.agent_id)
        return seat

    def stand_all(self, riders: list[Agent]) -> None:
        for agent in riders:
            self.stand(agent)

    def _changed(self, agent: Agent) -> None:
        self.region.world.changes.agents.note(agent, What.SEAT | What.MOTION)

    def follow(self) -> None:
        """Riders go with their seats; who pressed the key, or whose seat is gone, stands up. Once a step."""
        world = self.region.world
        seats = world.seats
        if not seats.count:
            return
        if len(self._leaving) < seats.count:
            self._leaving = np.zeros(2 * seats.count, np.int64)
        count = follow(seats.rows[: seats.count], world.objects.rows, world.avatars.rows, self._leaving)
        for index in self._leaving[:count].tolist():
            self.stand(world.agent_of_row[index])

    # --- where to stand

    def safe_place(self, position: Vector, height: float) -> Vector:
        """The position, inside the region, not under its ground nor to the knees in what stands there. `height`: metres."""
        x = min(max(position[0], 0.0), REGION_SIZE - 0.01)
        y = min(max(position[1], 0.0), REGION_SIZE - 0.01)
        floor = self.region.world.terrain.height(x, y) + height / 2
        z = min(max(position[2], floor), MAX_HEIGHT)
        below = self._rays.first_hit((x, y, z + height / 2), (x, y, z - height / 2))
        return x, y, z if below is None else min(below[0][2] + height / 2, MAX_HEIGHT)

    def _beside(self, agent: Agent, seat: Seat, yaw: float) -> Vector:
        """A place to stand near the seat: in front of it, at its sides, behind it; else on top of it."""
        world = self.region.world
        x, y, z = world.position(agent)
        half = float(world.row(agent)["height"]) / 2
        base, turn = world.objects.world_place(seat.prim)
        axes = [rotate(turn, axis) for axis, _ in _half_axes(world.objects.row(seat.prim)["scale"].tolist())]
        halves = [part / 2 for part in world.objects.row(seat.prim)["scale"].tolist()]
        own = self._rays.handle(seat.prim)
        for turned in (0.0, math.pi / 2, -math.pi / 2, math.pi):
            dx, dy = math.cos(yaw + turned), math.sin(yaw + turned)
            # How far the seat's box reaches this way, from where the avatar is.
            reach = sum(abs(axis[0] * dx + axis[1] * dy) * part for axis, part in zip(axes, halves, strict=True))
            away = max(reach - (x - base[0]) * dx - (y - base[1]) * dy, 0.0) + RADIUS + 0.1
            if away > 8.0:  # the seat is as large as a floor: stand on it
                continue
            place = self._free((x, y, z), (x + dx * away, y + dy * away), half, own)
            if place is not None:
                return place
        floor = self._floor(x, y, z + half, 2 * half + DROP)
        return x, y, max(floor if floor is not None else z, world.terrain.height(x, y)) + half + 0.02

    def _free(self, here: Vector, spot: tuple[float, float], half: float, own: int) -> Vector | None:
        """The place above the floor there, if an avatar fits and no wall is in between."""
        x, y = spot
        if not (RADIUS <= x < 256 - RADIUS and RADIUS <= y < 256 - RADIUS):
            return None
        floor = self._floor(x, y, here[2] + half, 2 * half + DROP)
        if floor is None or floor < self.region.world.terrain.height(x, y) - 0.1:
            return None
        middle = floor + half + 0.02
        for dx, dy in ((RADIUS, 0.0), (0.0, RADIUS)):
            for level in (0.5 - half, 0.0, half - 0.2):
                if self._hit((x - dx, y - dy, middle + level), (x + dx, y + dy, middle + level)):
                    return None
        high = max(here[2], middle)
        if self._hit((here[0], here[1], high), (x, y, high), own):
            return None
        return x, y, middle

    def _floor(self, x: float, y: float, start: float, length: float) -> float | None:
        """Height of the first thing below a point, if it is level enough to stand on."""
        hits = self._rays.raycast((x, y, start), (0.0, 0.0, -1.0), length, SOLID, 1)
        if not len(hits) or hits[0]["normal"][2] < LEVEL:
            return None
        return float(hits[0]["point"][2])

    def _hit(self, start: Vector, end: Vector, besides: int = TERRAIN) -> bool:
        """Whether something solid other than the ground, and than one body, is between two points."""
        way = np.subtract(end, start)
        length = float(np.linalg.norm(way))
        hits = self._rays.raycast(start, way.tolist(), length, Mask.STATIC | Mask.DYNAMIC, 8)
        return any(int(hit["target"]) != besides for hit in hits)


def target_seat(prim: Prim, height: float) -> Seat:
    """The place of a prim's sit target for an avatar of that height.

    Second Life puts the avatar 0.4 m above the target less a share of its height, so that furniture made there fits here.
    """
    assert prim.sit_target is not None
    (x, y, z), turn = prim.sit_target
    up = rotate(turn, (0.0, 0.0, 0.02638 * height))
    return Seat(prim, (x - up[0], y - up[1], z + 0.4 - up[2]), turn, target=True)


def _target_taken(riders: list[Agent], seats: dict[Agent, Seat], besides: Agent) -> bool:
    return any(rider is not besides and seats[rider].target for rider in riders)


def _half_axes(size: list[float]) -> list[tuple[Vector, float]]:
    """The prim's axes, each with half the prim's extent along it."""
    return [((1.0, 0.0, 0.0), size[0] / 2), ((0.0, 1.0, 0.0), size[1] / 2), ((0.0, 0.0, 1.0), size[2] / 2)]
