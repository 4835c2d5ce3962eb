"""Which region we stand in: the first arrival, walks over borders, teleports.

Order of a walk over a border, as a full viewer does it: the neighbour's circuit is open long before;
``CrossedRegion`` comes by the old region's event queue; CompleteAgentMovement goes out over the neighbour's circuit;
AgentMovementComplete makes it the region we stand in. Each step's time is kept in a ``Crossing``.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from dataclasses import dataclass
from typing import Any

from protocol.errors import ProtocolError
from protocol.message import Message, text

from .caps import CapError
from .circuits import Circuits, Heard, hears
from .errors import ConnectionLost, TeleportRefused, WaitTimeout
from .events import answered
from .map import WorldMap
from .model import Vector
from .neighbours import Neighbours, checked_address
from .regions import Region
from .sight import Sight

log = logging.getLogger("viewer")


@dataclass(slots=True)
class Crossing:
    """One change of region, by foot (``crossing``) or ``teleport``. Times are monotonic seconds; 0 = has not happened."""

    kind: str
    origin: int  # region handles
    target: int
    last_seen_before: float = 0.0  # last update of our own avatar from the old region
    told: float = 0.0  # CrossedRegion or TeleportFinish arrived
    answered: float = 0.0  # CompleteAgentMovement sent
    completed: float = 0.0  # AgentMovementComplete arrived
    first_seen_after: float = 0.0  # first update of our own avatar from the new region
    jump: float = 0.0  # metres between where the old region let us expect our avatar and where the new one showed it

    @property
    def gap(self) -> float:
        """Seconds the user saw no fresh position of the own avatar."""
        return self.first_seen_after - self.last_seen_before

    @property
    def phases(self) -> dict[str, float]:
        """Seconds of each phase, in order: news, our answer, the region's confirmation, the first sight."""
        return {
            "until_told": max(0.0, self.told - self.last_seen_before),
            "until_answered": self.answered - self.told,
            "until_completed": self.completed - self.answered,
            "until_seen": max(0.0, self.first_seen_after - self.answered),
        }


class Travel:
    """Everything about which region we are in."""

    def __init__(self, circuits: Circuits, neighbours: Neighbours, sight: Sight, world_map: WorldMap) -> None:
        self._circuits = circuits
        self._neighbours = neighbours
        self._sight = sight
        self._map = world_map
        self.crossings: deque[Crossing] = deque(maxlen=1000)  # finished ones, oldest first
        self._current: Crossing | None = None
        self._origin: Region | None = None
        sight.own_seen = self._own_seen
        circuits.join(self)

    # -- entering -----------------------------------------------------------------------------------------------------

    async def enter(self) -> None:
        """From a login answer to standing in the world. Raises ``ConnectionLost`` or ``WaitTimeout``."""
        try:
            address = checked_address(*self._circuits.session.address)
        except ProtocolError as error:
            raise ConnectionLost(f"the login answer: {error}") from None
        region = self._circuits.add_region(address, self._circuits.session.region_handle)
        seed = asyncio.ensure_future(self._neighbours.open_caps(region, self._circuits.session.seed_capability))
        patience = self._circuits.habits.connect_timeout
        shaken = self._circuits.events.expect("RegionHandshake", lambda heard: heard.region is region)
        try:
            await answered(
                region.circuit.acknowledged(self._neighbours.introduce(region)), patience, "ack of our arrival"
            )
            await answered(seed, patience, "capabilities")
            arrived = self._circuits.events.expect("AgentMovementComplete", lambda heard: heard.region is region)
            self._complete_movement(region)
            await answered(arrived, patience, "AgentMovementComplete")
            await answered(shaken, patience, "RegionHandshake")
        except CapError as error:
            raise ConnectionLost(f"the seed capability: {error}") from None
        finally:
            shaken.cancel()
            seed.cancel()
        self._settle_in(region)

    def _complete_movement(self, region: Region) -> None:
        block = {**self._circuits.agent_block, "CircuitCode": self._circuits.session.circuit_code}
        region.send(Message("CompleteAgentMovement", AgentData=block), tries=self._circuits.habits.resends_of_vital)

    def _settle_in(self, region: Region) -> None:
        """What a full viewer asks right after its first arrival. Answers are used as far as the library needs them."""
        block, code = self._circuits.agent_block, self._circuits.session.circuit_code
        with_code = {**block, "CircuitCode": code}
        for message in (
            Message("AgentHeightWidth", AgentData=with_code, HeightWidthBlock={"Height": 768, "Width": 1024}),
            Message("AgentFOV", AgentData=with_code, FOVBlock={"VerticalAngle": 1.0472}),
            Message("AgentDataUpdateRequest", AgentData=block),
            Message("AgentWearablesRequest", AgentData=block),
            Message("MuteListRequest", AgentData=block),
            Message("MoneyBalanceRequest", AgentData=block),
            Message("EconomyDataRequest"),
            Message("RequestRegionInfo", AgentData=block),
            Message("RetrieveInstantMessages", AgentData=block),
        ):
            region.send(message)

    # -- changing region ----------------------------------------------------------------------------------------------

    @hears("CrossedRegion")
    def _crossed_region(self, heard: Heard) -> None:
        data = heard["RegionData"]
        known = self._circuits.regions.get(checked_address(data["SimIP"], data["SimPort"]))
        region = self._begin_travel("crossing", heard, data, text(data["SeedCapability"]))
        if known is not region:
            log.info("%s was not known as a neighbour", region)
        self._complete_movement(region)

    @hears("TeleportFinish")
    def _teleport_finish(self, heard: Heard) -> None:
        info = heard["Info"]
        address = checked_address(info["SimIP"], info["SimPort"])
        known = self._circuits.regions.get(address)
        region = self._begin_travel("teleport", heard, info, text(info["SeedCapability"]))
        if known is region:  # viewers introduce themselves again before a teleport, also where they have a circuit
            self._neighbours.introduce(region)
        self._complete_movement(region)

    def _begin_travel(self, kind: str, heard: Heard, data: dict[str, Any], seed: str) -> Region:
        origin = heard.region
        if origin is not self._circuits.region and origin is not self._circuits.destination:
            raise ProtocolError(f"{heard.name} from a region we are not in")
        region = self._neighbours.known_or_new(checked_address(data["SimIP"], data["SimPort"]), data["RegionHandle"])
        if seed:
            self._neighbours.learn_seed(region, seed)
        self._origin, self._circuits.destination = origin, region
        self._current = Crossing(
            kind, origin.handle, region.handle, last_seen_before=origin.own_updated, told=heard.now,
            answered=self._circuits.clock(),
        )  # fmt: skip
        if region.avatars.get(self._circuits.agent_id) is not None and region.own_updated >= origin.own_updated > 0.0:
            # The new region may show us before the old one's event queue tells us where we are.
            self._current.first_seen_after = region.own_updated
        return region

    @hears("AgentMovementComplete")
    def _movement_complete(self, heard: Heard) -> None:
        region, data = heard.region, heard["Data"]
        if heard["AgentData"]["AgentID"] != self._circuits.agent_id:
            raise ProtocolError("AgentMovementComplete for somebody else")
        expected = self._circuits.destination if self._current is not None else self._circuits.region
        if expected is not None and region is not expected:
            log.info("late AgentMovementComplete from %s", region)
            return
        if data["RegionHandle"]:
            region.handle = data["RegionHandle"]
        self._sight.arrival_position, self._sight.arrival_look_at = data["Position"], data["LookAt"]
        if region is self._circuits.region:
            return
        if self._circuits.region is not None:
            self._circuits.region.is_root = False
        region.is_root = True
        self._circuits.region = region
        self._circuits.events.emit("region-changed", region)
        self._neighbours.greet(region)
        if self._current is not None and not self._current.completed:
            self._current.completed = heard.now
            self._finish()

    def _own_seen(self, region: Region, now: float, seen: Vector) -> None:
        """``sight`` reports an update of our own avatar: shown by ``region`` at ``seen`` (global metres)."""
        travel = self._current
        region.own_updated = now
        if travel is None or travel.first_seen_after:
            return
        if region is self._origin:  # the old region may go on showing us for a moment after the news
            travel.last_seen_before = now
        elif region is self._circuits.destination:
            travel.first_seen_after = now
            old = self._origin.avatars.get(self._circuits.agent_id) if self._origin is not None else None
            if old is not None:
                travel.jump = math.dist(old.global_position, seen)
            self._finish()

    @property
    def travelling(self) -> bool:
        """Between being told of a new region and seeing ourselves there."""
        return self._current is not None

    def _finish(self) -> None:
        travel = self._current
        if travel is not None and travel.completed and travel.first_seen_after:
            self._current = self._origin = self._circuits.destination = None
            self.crossings.append(travel)
            self._circuits.events.emit("crossed" if travel.kind == "crossing" else "teleported", travel)

    async def teleport(
        self,
        where: str | int,
        position: Vector = (128.0, 128.0, 25.0),
        look_at: Vector = (1.0, 0.0, 0.0),
        timeout: float | None = None,
    ) -> Crossing | None:
        """Teleport to ``position`` (metres in the target region) in the region of that name or handle.

        Returns the ``Crossing`` with its timings, or None for a teleport within the region. Raises ``TeleportRefused``
        (unknown region, or the grid's reason; the agent stays), ``WaitTimeout``, ``ConnectionLost``.
        """
        handle = where if isinstance(where, int) else await self._handle_of(where)
        patience = self._circuits.habits.teleport_timeout if timeout is None else timeout
        outcomes = {
            "local": self._circuits.events.expect("TeleportLocal"),
            "away": self._circuits.events.expect("teleported"),
            "failed": self._circuits.events.expect("TeleportFailed"),
        }
        info = {"RegionHandle": handle, "Position": position, "LookAt": look_at}
        try:
            self._circuits.send(Message("TeleportLocationRequest", AgentData=self._circuits.agent_block, Info=info))
            done, _ = await asyncio.wait(outcomes.values(), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise WaitTimeout(f"no answer to a teleport within {patience:g} s")
            if outcomes["failed"] in done:
                raise TeleportRefused(text(outcomes["failed"].result()["Info"]["Reason"]))
            if outcomes["away"] in done:
                return outcomes["away"].result()
        finally:
            for outcome in outcomes.values():
                outcome.cancel()
        await self._shown_at_arrival(2.0)
        return None

    async def _shown_at_arrival(self, patience: float) -> None:
        """After a teleport within the region: until the avatar's own update shows it there too (not for ever)."""
        until = self._circuits.clock() + patience
        while not self._circuits.closed and self._circuits.clock() < until:
            avatar = self._circuits.root.avatars.get(self._circuits.agent_id)
            if avatar is None or math.dist(avatar.position, self._sight.arrival_position) < 5.0:
                return
            await asyncio.sleep(0.05)

    @hears("TeleportLocal")
    def _teleport_local(self, heard: Heard) -> None:
        self._sight.arrival_position = heard["Info"]["Position"]
        self._sight.arrival_look_at = heard["Info"]["LookAt"]

    async def _handle_of(self, name: str) -> int:
        try:
            block = await self._map.find_region(name)
        except WaitTimeout:
            raise TeleportRefused(f"the map does not answer about {name!r}") from None
        if block is None:
            raise TeleportRefused(f"no region is called {name!r}")
        return block.handle
