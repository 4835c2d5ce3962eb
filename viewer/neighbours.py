"""The regions around: circuits opened, handshakes answered, capabilities asked for, neighbours told of and closed.

A region that we are to see sends EnableSimulator by the one we stand in; from then on it is talked to over a circuit of
its own, as a *child*: seen, told where our camera is, not acted in. Which of them we stand in is ``travel``'s business.
"""

from __future__ import annotations

import ipaddress
import logging
import struct
from collections.abc import Callable
from typing import Any

from protocol.errors import ProtocolError
from protocol.message import Message, text

from .caps import CapError, Caps, EventQueue
from .circuits import Circuits, Heard, hears
from .errors import ConnectionLost, WaitTimeout
from .habits import Address
from .regions import Region

log = logging.getLogger("viewer")
CACHE_IN_USE, CACHE_EMPTY, OWN_APPEARANCE = 0x1, 0x2, 0x4  # RegionHandshakeReply.Flags
_CORNERS = ("00", "01", "10", "11")
# Shares of the bandwidth: resend, land, wind, cloud, task, texture, asset.
_THROTTLE_SHARES = (0.10, 0.12, 0.02, 0.02, 0.35, 0.27, 0.12)


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


class Neighbours:
    """Every region we have a circuit with, the one we stand in too: how it is opened, and how it ends."""

    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits
        self.greet: Callable[[Region], None] = lambda region: None  # tells a region for the first time where we look
        self._throttle_counter = 0
        circuits.join(self)
        circuits.queued["EstablishAgentCommunication"] = self._establish

    # -- opening ------------------------------------------------------------------------------------------------------

    def introduce(self, region: Region) -> int:
        """UseCircuitCode, the first that a region hears of us; its sequence number."""
        code = {
            "Code": self._circuits.session.circuit_code,
            "SessionID": self._circuits.session.session_id,
            "ID": self._circuits.agent_id,
        }
        return region.send(Message("UseCircuitCode", CircuitCode=code), tries=self._circuits.habits.resends_of_vital)

    async def open_caps(self, region: Region, seed: str) -> None:
        """Ask the seed, then poll the event queue until the region ends."""
        caps = Caps(self._circuits.http, seed, self._circuits.habits)
        region.caps = caps
        await caps.fetch()
        if "EventQueueGet" in caps.urls and not self._circuits.closed and not region.circuit.closed:
            region.queue = EventQueue(
                caps,
                self._circuits.habits,
                lambda event: self._circuits.take_event(region, event),
                self._circuits.clock,
            )
            self._circuits.spawn(region.queue.run(), f"event queue {region.address}")

    # -- handshake ----------------------------------------------------------------------------------------------------

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
        self._circuits.events.emit("handshake", region)
        region.cache_id = info["CacheID"]
        remembered = self._circuits.cache is not None and self._circuits.cache.holds(region.cache_id)
        flags = CACHE_IN_USE | OWN_APPEARANCE | (0 if remembered else CACHE_EMPTY)
        reply = Message("RegionHandshakeReply", AgentData=self._circuits.agent_block, RegionInfo={"Flags": flags})
        region.send(reply, tries=self._circuits.habits.resends_of_vital)
        if not region.handshaken:
            region.handshaken = True
            self._send_throttle(region)
            self.greet(region)

    def _send_throttle(self, region: Region) -> None:
        shares = struct.pack("<7f", *(self._circuits.habits.throttle * share for share in _THROTTLE_SHARES))
        block = {**self._circuits.agent_block, "CircuitCode": self._circuits.session.circuit_code}
        throttle = {"GenCounter": self._throttle_counter, "Throttles": shares}
        region.send(Message("AgentThrottle", AgentData=block, Throttle=throttle))

    # -- neighbours ---------------------------------------------------------------------------------------------------

    @hears("EnableSimulator")
    def _enable_simulator(self, heard: Heard) -> None:
        info = heard["SimulatorInfo"]
        self.known_or_new(checked_address(info["IP"], info["Port"]), info["Handle"])

    def known_or_new(self, address: Address, handle: int) -> Region:
        """The region at ``address``, its circuit opened if it is new. One of another handle there is a new one."""
        region = self._circuits.regions.get(address)
        if (
            region is not None
            and handle
            and region.handle
            and region.handle != handle
            and region is not self._circuits.region
        ):
            self._circuits.drop_region(region)
            region = None
        if region is None:
            region = self._circuits.add_region(address, handle)
            self.introduce(region)
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
        child = self.known_or_new(address, known)
        begun_anew = child.caps is not None and child.caps.seed != seed
        if begun_anew and child is not self._circuits.region and child is not self._circuits.destination:
            # It has forgotten us, as a region does that was started again: our circuit there leads nowhere.
            self._circuits.drop_region(child)
            child = self.known_or_new(address, known)
        self.learn_seed(child, seed)

    def learn_seed(self, region: Region, seed: str) -> None:
        """A region told its seed capability, by itself or by a neighbour: ask it for the others."""
        if region.caps is None or region.caps.seed != seed:
            region.caps = Caps(self._circuits.http, seed, self._circuits.habits)
            self._circuits.spawn(self._open_child_caps(region, seed), f"capabilities {region.address}")

    async def _open_child_caps(self, region: Region, seed: str) -> None:
        """A neighbour's capabilities are asked for when its handshake is done, as viewers do."""
        if not region.handshaken:
            try:
                await self._circuits.events.wait_for(
                    "RegionHandshake", lambda heard: heard.region is region, self._circuits.habits.handshake_patience
                )
            except WaitTimeout:
                log.debug("no handshake from %s yet", region)
        try:
            await self.open_caps(region, seed)
        except CapError as error:
            log.info("capabilities of %s: %s", region, error)

    @hears("DisableSimulator")
    def _disable_simulator(self, heard: Heard) -> None:
        if heard.region is not self._circuits.region:
            self._circuits.drop_region(heard.region)
        elif self._circuits.destination is None:
            self._circuits.shut(ConnectionLost(f"{heard.region!r} closed our circuit"))

    @hears("CloseCircuit")
    def _close_circuit(self, heard: Heard) -> None:
        self._disable_simulator(heard)

    @hears("KickUser")
    def _kicked(self, heard: Heard) -> None:
        if heard.region is not self._circuits.region:
            self._circuits.drop_region(heard.region)
            return
        reason = text(heard["UserInfo"]["Reason"])
        self._circuits.events.emit("kicked", reason)
        self._circuits.shut(ConnectionLost(f"kicked: {reason}"))
