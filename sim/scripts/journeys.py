"""Where scripts send people in a region: onto seats, to other places, home."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from protocol.wellknown import REGION_SIZE, region_handle
from sim.actions.sit import target_seat

if TYPE_CHECKING:
    from sim.actions.sit import Seating
    from sim.neighbours.neighbours import Neighbours
    from sim.region import Region
    from sim.scripts.machine.script import Script
    from sim.world.agent import Agent, Vector
    from sim.world.objects import Prim

VIA_LOCATION = 0x10
NO_REGION = "There is no region of that name, or it is down."


class RegionJourneys:
    def __init__(self, region: Region, seating: Seating, neighbours: Neighbours) -> None:
        self._region = region
        self._seating = seating
        self._neighbours = neighbours

    def sit(self, script: Script, agent: Agent, prim: Prim) -> str:
        self._seating.sit(agent, target_seat(prim, agent.appearance.size[2]))
        return ""

    def teleport(self, agent: Agent, region: str, position: Vector, look_at: Vector) -> None:
        neighbours = self._neighbours
        name = region.casefold()
        here = self._region.facts
        if not name or name == here.name.casefold():
            neighbours.teleports.to_handle(agent, here.handle, position, look_at, VIA_LOCATION)
            return
        found = next((one for one in neighbours.regions.values() if one.name.casefold() == name), None)
        if found is None:
            neighbours.teleports.fail(agent, NO_REGION)
        else:
            neighbours.teleports.to_region_id(agent, found.region_id, position, look_at, VIA_LOCATION)

    def to_landmark(self, agent: Agent, asset_id: UUID, look_at: Vector) -> None:
        neighbours = self._neighbours
        self._region.tasks.spawn(neighbours.teleports.landmark(agent, asset_id), "teleport")

    def to_global(self, agent: Agent, corner: tuple[float, float], position: Vector, look_at: Vector) -> None:
        handle = region_handle(int(corner[0] // REGION_SIZE), int(corner[1] // REGION_SIZE))
        self._neighbours.teleports.to_handle(agent, handle, position, look_at, VIA_LOCATION)

    def home(self, agent: Agent) -> None:
        neighbours = self._neighbours
        self._region.tasks.spawn(neighbours.teleports.home(agent), "teleport")
