"""Getting into regions and from one to the next: circuits, handshakes, neighbours, crossings, teleports.

Order of a walk over a border, as a full viewer does it: the neighbour's circuit is open long before;
``CrossedRegion`` comes by the old region's event queue; CompleteAgentMovement goes out over the neighbour's circuit;
AgentMovementComplete makes it the region we stand in. Each step's time is kept in a ``Crossing``.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import math
import struct
from collections import deque
from dataclasses import dataclass
from typing import Any

from protocol.errors import ProtocolError
from protocol.message import Message, text

from .caps import CapError, Caps, EventQueue
from .core import Core, Heard, hears
from .errors import ConnectionLost, TeleportRefused, WaitTimeout
from .events import answered
from .habits import Address
from .model import Vector
from .regions import Region

log = logging.getLogger("viewer")
CACHE_IN_USE, CACHE_EMPTY, OWN_APPEARANCE = 0x1, 0x2, 0x4  # RegionHandshakeReply.Flags
_CORNERS = ("00", "01", "10", "11")
# Shares of the bandwidth: resend, land, wind, cloud, task, texture, asset.
_THROTTLE_SHARES = (0.10, 0.12, 0.02, 0.02, 0.35, 0.27, 0.12)


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


def checked_address(ip: Any, port: Any) -> Address:
    """A simulator's address as told by a server. ``ProtocolError`` unless it is a dotted quad and a port.

    A host name here would have the socket resolve it, and stall the whole process.
    """
    try:
        address = (str(ipaddress.IPv4Address(ip)), int(port))
    except (ValueError, TypeError) as error:
        raise ProtocolError(f"not a simulator's address: {error}") from None
    if not 0 < address[1] < 65536:
        raise ProtocolError(f"not a port: {address[1]}")
    return address


class Travel(Core):
    """Everything about which region we are in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.crossings: deque[Crossing] = deque(maxlen=1000)  # finished ones, oldest first
        self.arrival_position: Vector = (128.0, 128.0, 25.0)  # what AgentMovementComplete said
        self.arrival_look_at: Vector = self.session.look_at
        self._travel: Crossing | None = None
        self._travel_origin: Region | None = None
        self._travel_region: Region | None = None
        self._throttle_counter = 0

    # -- entering ---------------------------------------------------------------------------------------------------

    async def enter_first_region(self) -> None:
        """From a login answer to standing in the world. Raises ``ConnectionLost`` or ``WaitTimeout``."""
        try:
            address = checked_address(*self.session.address)
        except ProtocolError as error:
            raise ConnectionLost(f"the login answer: {error}") from None
        region = self.add_region(address, self.session.region_handle)
        seed = asyncio.ensure_future(self._open_caps(region, self.session.seed_capability))
        patience = self.habits.connect_timeout
        shaken = self.events.expect("RegionHandshake", lambda heard: heard.region is region)
        try:
            await answered(region.circuit.acknowledged(self._use_circuit_code(region)), patience, "ack of our arrival")
            await answered(seed, patience, "capabilities")
            arrived = self.events.expect("AgentMovementComplete", lambda heard: heard.region is region)
            self._complete_movement(region)
            await answered(arrived, patience, "AgentMovementComplete")
            await answered(shaken, patience, "RegionHandshake")
        except CapError as error:
            raise ConnectionLost(f"the seed capability: {error}") from None
        finally:
            shaken.cancel()
            seed.cancel()
        self._settle_in(region)

    def _use_circuit_code(self, region: Region) -> int:
        code = {"Code": self.session.circuit_code, "SessionID": self.session_id, "ID": self.agent_id}
        return region.send(Message("UseCircuitCode", CircuitCode=code), tries=self.habits.resends_of_vital)

    def _complete_movement(self, region: Region) -> None:
        block = {**self.agent_block, "CircuitCode": self.session.circuit_code}
        region.send(Message("CompleteAgentMovement", AgentData=block), tries=self.habits.resends_of_vital)

    async def _open_caps(self, region: Region, seed: str) -> None:
        """Ask the seed, then poll the event queue until the region ends."""
        caps = Caps(self._http, seed, self.habits)
        region.caps = caps
        await caps.fetch()
        if "EventQueueGet" in caps.urls and not self.closed and not region.circuit.closed:
            region.queue = EventQueue(caps, self.habits, lambda event: self.take_event(region, event), self.clock)
            self.spawn(region.queue.run(), f"event queue {region.address}")

    def _settle_in(self, region: Region) -> None:
        """What a full viewer asks right after its first arrival. Answers are used as far as the library needs them."""
        block, code = self.agent_block, self.session.circuit_code
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

    @hears("RegionHandshake")
    def _handshake(self, heard: Heard) -> None:
        region, info = heard.region, heard["RegionInfo"]
        region.name = text(info["SimName"])
        region.flags = info["RegionFlags"]
        region.access = info["SimAccess"]
        region.water_height = info["WaterHeight"]
        region.id = heard["RegionInfo2"]["RegionID"]
        region.ground = tuple(info[f"TerrainDetail{layer}"] for layer in range(4))
        region.ground_heights = tuple(
            info[f"Terrain{name}{corner}"] for name in ("StartHeight", "HeightRange") for corner in _CORNERS
        )
        self.events.emit("handshake", region)
        region.cache_id = info["CacheID"]
        remembered = self.cache is not None and self.cache.holds(region.cache_id)
        flags = CACHE_IN_USE | OWN_APPEARANCE | (0 if remembered else CACHE_EMPTY)
        reply = Message("RegionHandshakeReply", AgentData=self.agent_block, RegionInfo={"Flags": flags})
        region.send(reply, tries=self.habits.resends_of_vital)
        if not region.handshaken:
            region.handshaken = True
            self._send_throttle(region)
            self._greet(region)

    def _greet(self, region: Region) -> None:
        """The first AgentUpdate to a region; ``movement`` sends it."""
        raise NotImplementedError

    def _send_throttle(self, region: Region) -> None:
        shares = struct.pack("<7f", *(self.habits.throttle * share for share in _THROTTLE_SHARES))
        block = {**self.agent_block, "CircuitCode": self.session.circuit_code}
        throttle = {"GenCounter": self._throttle_counter, "Throttles": shares}
        region.send(Message("AgentThrottle", AgentData=block, Throttle=throttle))

    # -- neighbours -------------------------------------------------------------------------------------------------

    @hears("EnableSimulator")
    def _enable_simulator(self, heard: Heard) -> None:
        info = heard["SimulatorInfo"]
        self._known_or_new(checked_address(info["IP"], info["Port"]), info["Handle"])

    def _known_or_new(self, address: Address, handle: int) -> Region:
        """The region at ``address``, its circuit opened if it is new. One of another handle there is a new one."""
        region = self.regions.get(address)
        if region is not None and handle and region.handle and region.handle != handle and region is not self.region:
            self.drop_region(region)
            region = None
        if region is None:
            region = self.add_region(address, handle)
            self._use_circuit_code(region)
        elif handle:
            region.handle = handle
        return region

    def _establish(self, region: Region, body: Any) -> None:
        if not isinstance(body, dict):
            raise ProtocolError("EstablishAgentCommunication without a map")
        ip, _, port = str(body.get("sim-ip-and-port", "")).rpartition(":")
        seed = body.get("seed-capability")
        if not isinstance(seed, str) or not seed:
            raise ProtocolError("EstablishAgentCommunication without a seed")
        handle = body.get("region-handle")
        known = int.from_bytes(handle, "big") if isinstance(handle, bytes) and len(handle) == 8 else 0
        address = checked_address(ip, port)
        child = self._known_or_new(address, known)
        begun_anew = child.caps is not None and child.caps.seed != seed
        if begun_anew and child is not self.region and child is not self._travel_region:
            # It has forgotten us, as a region does that was started again: our circuit there leads nowhere.
            self.drop_region(child)
            child = self._known_or_new(address, known)
        self._learn_seed(child, seed)

    def _learn_seed(self, region: Region, seed: str) -> None:
        if region.caps is None or region.caps.seed != seed:
            region.caps = Caps(self._http, seed, self.habits)
            self.spawn(self._open_child_caps(region, seed), f"capabilities {region.address}")

    async def _open_child_caps(self, region: Region, seed: str) -> None:
        """A neighbour's capabilities are asked for when its handshake is done, as viewers do."""
        if not region.handshaken:
            try:
                await self.events.wait_for(
                    "RegionHandshake", lambda heard: heard.region is region, self.habits.handshake_patience
                )
            except WaitTimeout:
                log.debug("no handshake from %s yet", region)
        try:
            await self._open_caps(region, seed)
        except CapError as error:
            log.info("capabilities of %s: %s", region, error)

    @hears("DisableSimulator")
    def _disable_simulator(self, heard: Heard) -> None:
        if heard.region is not self.region:
            self.drop_region(heard.region)
        elif self._travel is None:
            self.shut(ConnectionLost(f"{heard.region!r} closed our circuit"))

    @hears("CloseCircuit")
    def _close_circuit(self, heard: Heard) -> None:
        self._disable_simulator(heard)

    @hears("KickUser")
    def _kicked(self, heard: Heard) -> None:
        if heard.region is not self.region:
            self.drop_region(heard.region)
            return
        reason = text(heard["UserInfo"]["Reason"])
        self.events.emit("kicked", reason)
        self.shut(ConnectionLost(f"kicked: {reason}"))

    # -- changing region --------------------------------------------------------------------------------------------

    @hears("CrossedRegion")
    def _crossed_region(self, heard: Heard) -> None:
        data = heard["RegionData"]
        known = self.regions.get(checked_address(data["SimIP"], data["SimPort"]))
        region = self._begin_travel("crossing", heard, data, text(data["SeedCapability"]))
        if known is not region:
            log.info("%s was not known as a neighbour", region)
        self._complete_movement(region)

    @hears("TeleportFinish")
    def _teleport_finish(self, heard: Heard) -> None:
        info = heard["Info"]
        address = checked_address(info["SimIP"], info["SimPort"])
        known = self.regions.get(address)
        region = self._begin_travel("teleport", heard, info, text(info["SeedCapability"]))
        if known is region:  # viewers introduce themselves again before a teleport, also where they have a circuit
            self._use_circuit_code(region)
        self._complete_movement(region)

    def _begin_travel(self, kind: str, heard: Heard, data: dict[str, Any], seed: str) -> Region:
        origin = heard.region
        if origin is not self.region and origin is not self._travel_region:
            raise ProtocolError(f"{heard.name} from a region we are not in")
        region = self._known_or_new(checked_address(data["SimIP"], data["SimPort"]), data["RegionHandle"])
        if seed:
            self._learn_seed(region, seed)
        self._travel_origin, self._travel_region = origin, region
        self._travel = Crossing(
            kind, origin.handle, region.handle, last_seen_before=origin.own_updated, told=heard.now,
            answered=self.clock(),
        )  # fmt: skip
        if region.avatars.get(self.agent_id) is not None and region.own_updated >= origin.own_updated > 0.0:
            # The new region may show us before the old one's event queue tells us where we are.
            self._travel.first_seen_after = region.own_updated
        return region

    @hears("AgentMovementComplete")
    def _movement_complete(self, heard: Heard) -> None:
        region, data = heard.region, heard["Data"]
        if heard["AgentData"]["AgentID"] != self.agent_id:
            raise ProtocolError("AgentMovementComplete for somebody else")
        expected = self._travel_region if self._travel is not None else self.region
        if expected is not None and region is not expected:
            log.info("late AgentMovementComplete from %s", region)
            return
        if data["RegionHandle"]:
            region.handle = data["RegionHandle"]
        self.arrival_position, self.arrival_look_at = data["Position"], data["LookAt"]
        if region is self.region:
            return
        if self.region is not None:
            self.region.is_root = False
        region.is_root = True
        self.region = region
        self.events.emit("region-changed", region)
        self._greet(region)
        if self._travel is not None and not self._travel.completed:
            self._travel.completed = heard.now
            self._finish_travel()

    def own_seen(self, region: Region, now: float, seen: Vector) -> None:
        """``sight`` reports an update of our own avatar: shown by ``region`` at ``seen`` (global metres)."""
        travel = self._travel
        region.own_updated = now
        if travel is None or travel.first_seen_after:
            return
        if region is self._travel_origin:  # the old region may go on showing us for a moment after the news
            travel.last_seen_before = now
        elif region is self._travel_region:
            travel.first_seen_after = now
            old = self._travel_origin.avatars.get(self.agent_id) if self._travel_origin is not None else None
            if old is not None:
                travel.jump = math.dist(old.global_position, seen)
            self._finish_travel()

    @property
    def travelling(self) -> bool:
        """Between being told of a new region and seeing ourselves there."""
        return self._travel is not None

    def _finish_travel(self) -> None:
        travel = self._travel
        if travel is not None and travel.completed and travel.first_seen_after:
            self._travel = self._travel_origin = self._travel_region = None
            self.crossings.append(travel)
            self.events.emit("crossed" if travel.kind == "crossing" else "teleported", travel)

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
        patience = self.habits.teleport_timeout if timeout is None else timeout
        outcomes = {
            "local": self.events.expect("TeleportLocal"),
            "away": self.events.expect("teleported"),
            "failed": self.events.expect("TeleportFailed"),
        }
        info = {"RegionHandle": handle, "Position": position, "LookAt": look_at}
        try:
            self.send(Message("TeleportLocationRequest", AgentData=self.agent_block, Info=info))
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
        until = self.clock() + patience
        while not self.closed and self.clock() < until:
            avatar = self.root.avatars.get(self.agent_id)
            if avatar is None or math.dist(avatar.position, self.arrival_position) < 5.0:
                return
            await asyncio.sleep(0.05)

    @hears("TeleportLocal")
    def _teleport_local(self, heard: Heard) -> None:
        self.arrival_position = heard["Info"]["Position"]
        self.arrival_look_at = heard["Info"]["LookAt"]

    async def _handle_of(self, name: str) -> int:
        """The handle of the region called ``name``; ``social`` asks the map."""
        raise NotImplementedError
