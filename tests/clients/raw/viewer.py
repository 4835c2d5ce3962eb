"""A hand-written viewer: logs in, opens circuits, follows the event queue, crosses borders as full viewers do.

One thread reads the UDP socket and keeps the clock of acks, resends and AgentUpdates; one more a region long-polls its
event queue. Everything received is told as events, with the same `wait` the drivers of the two libraries offer.
"""
from __future__ import annotations

import hashlib
import http.client
import math
import socket
import struct
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import xmlrpc.client
from typing import Any

from ..driver import Event, Watcher, until
from . import llsd, terrain, wire
from .circuit import Circuit

OPTIONS = ["inventory-root", "inventory-skeleton", "inventory-lib-root", "inventory-lib-owner", "inventory-skel-lib",
           "initial-outfit", "gestures", "buddy-list", "ui-config", "login-flags", "global-textures", "display_names"]
CAPS = ["EventQueueGet", "FetchInventoryDescendents2", "FetchInventory2", "FetchLibDescendents2", "FetchLib2",
        "GetDisplayNames", "AvatarPickerSearch", "GetTexture", "ViewerAsset", "SimulatorFeatures", "AgentPreferences",
        "HomeLocation", "ReadOfflineMsgs", "MapLayer", "UpdateAgentLanguage", "NoSuchCapability"]
AT_POS, UP_POS, FLY, STAND_UP, SIT_ON_GROUND = 0x1, 0x10, 0x2000, 0x10000, 0x20000


class LoginRefused(Exception):
    """The login service said no; `reason` is its word for it."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(f"{answer.get('reason')}: {answer.get('message')}")
        self.reason = answer.get("reason")
        self.answer = answer


def login(uri: str, first: str, last: str, password: str, start: str = "last", **more: Any) -> dict[str, Any]:
    """Asks the login service; its answer. Raises LoginRefused."""
    answer: Any = xmlrpc.client.ServerProxy(uri).login_to_simulator({
        "first": first, "last": last, "passwd": "$1$" + hashlib.md5(password.encode()).hexdigest(), "start": start,
        "channel": "Raw", "version": "1.0.0.0", "platform": "Lnx", "mac": "0" * 32, "id0": "0" * 32,
        "agree_to_tos": True, "read_critical": True, "options": OPTIONS, **more,
    })
    if answer["login"] != "true":
        raise LoginRefused(answer)
    return answer  # type: ignore[no-any-return]


class Viewer(Watcher):
    """`with Viewer(uri, first, last, password) as me:` is in the world; leaving the block logs out.

    children=False declines neighbours, as light clients do; poll=False leaves the event queue to `poll_events`.
    """

    def __init__(self, uri: str, first: str, last: str, password: str, start: str = "last",
                 children: bool = True, poll: bool = True, flags: int = 1 | 2 | 4) -> None:
        super().__init__()
        self.name = f"{first} {last}"
        self.account = login(uri, first, last, password, start)
        self.agent_id = self.account["agent_id"]
        self.session_id = self.account["session_id"]
        self.children, self.poll, self.flags = children, poll, flags
        self.keys, self.yaw, self.far = 0, 0.0, 128.0
        self.kicked = ""
        self.pings = 0
        self.hold_acks = False  # True: received packets are not acknowledged, as if the acks got lost
        self.faults: list[str] = []  # packets or events that break a rule; `leave` raises them
        self._lock = threading.RLock()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._udp.settimeout(0.03)
        self.circuits: dict[tuple[str, int], Circuit] = {}
        self._running = True
        self._next_update = 0.0
        handle = self.account["region_x"] << 32 | self.account["region_y"]
        self.root = self._open((self.account["sim_ip"], self.account["sim_port"]), handle)
        threading.Thread(target=self._run, daemon=True).start()
        try:
            self._enter(self.account["seed_capability"])
        except BaseException:
            self._running = False
            raise

    def __repr__(self) -> str:
        return f"<viewer {self.name}>"

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *failure: object) -> None:
        self.leave()

    def _enter(self, seed: str) -> None:
        """A full viewer asks for the seed before it completes the movement."""
        until(lambda: 1 in self.root.acked, "ack of UseCircuitCode")
        self._take_seed(self.root, seed)
        self._complete_movement(self.root)
        self.wait("AgentMovementComplete")
        until(lambda: self.root.handshakes, "RegionHandshake")

    def leave(self) -> None:
        """Logs out if still in, and stops. AssertionError if the grid broke a rule on the way."""
        if self._running and not self.kicked:
            mark = self.mark()
            self.send("LogoutRequest")
            self.wait("LogoutReply", since=mark)
        self.vanish()
        assert not self.faults, self.faults

    def vanish(self) -> None:
        """Stops without a word, as a crash does."""
        self._running = False
        for circuit in self.circuits.values():
            circuit.open = False

    # -- sending ------------------------------------------------------------------------------------------------

    def send(self, name: str, circuit: Circuit | None = None, reliable: bool = True, zero: bool = False,
             append_acks: bool = False, **blocks: Any) -> int:
        """Sends a message with AgentID and SessionID filled in where AgentData has them; its sequence number."""
        own = {"AgentID": self.agent_id, "SessionID": self.session_id, "CircuitCode": self.account["circuit_code"]}
        for block, _, fields in wire.SHAPES[name].blocks[:1]:
            if block == "AgentData":
                blocks["AgentData"] = {key: own[key] for key, _ in fields if key in own} | blocks.get("AgentData", {})
        with self._lock:
            return (circuit or self.root).send(wire.encode(name, **blocks), reliable, zero, append_acks)

    def datagram(self, data: bytes, circuit: Circuit | None = None) -> None:
        """Any bytes at all from the viewer's own address."""
        self._udp.sendto(data, (circuit or self.root).address)

    def chat(self, text: str, kind: int = 1, channel: int = 0) -> None:
        self.send("ChatFromViewer", ChatData={"Message": text, "Type": kind, "Channel": channel})

    def im(self, to: str, text: str, dialog: int = 0, im_id: str = "", bucket: bytes = b"") -> None:
        self.send("ImprovedInstantMessage", MessageBlock={
            "ToAgentID": to, "Dialog": dialog, "ID": im_id, "FromAgentName": "whoever I like", "Message": text,
            "BinaryBucket": bucket})

    def set_keys(self, flags: int = 0, yaw: float | None = None) -> None:
        """Holds keys down (AgentUpdate.ControlFlags), facing `yaw` radians from east."""
        with self._lock:
            self.keys = flags
            self.yaw = self.yaw if yaw is None else yaw
            self._agent_update()

    def _agent_update(self) -> None:
        facing = [0.0, 0.0, math.sin(self.yaw / 2), math.cos(self.yaw / 2)]
        ahead = [math.cos(self.yaw), math.sin(self.yaw), 0.0]
        self._next_update = time.monotonic() + (0.1 if self.keys else 0.5)
        for circuit in list(self.circuits.values()):
            if circuit.handshakes and circuit.open:
                self.send("AgentUpdate", circuit, reliable=False, zero=True, append_acks=not self.hold_acks, AgentData={
                    "BodyRotation": facing, "HeadRotation": facing, "CameraCenter": self.position() or [128, 128, 30],
                    "CameraAtAxis": ahead, "CameraLeftAxis": [-ahead[1], ahead[0], 0.0], "CameraUpAxis": [0, 0, 1.0],
                    "Far": self.far, "ControlFlags": self.keys})

    def teleport(self, handle: int, position: list[float]) -> Event:
        """Asks to go there; TeleportLocal, or AgentMovementComplete of the other region."""
        mark = self.mark()
        here = self.root
        self.send("TeleportLocationRequest",
                  Info={"RegionHandle": handle, "Position": position, "LookAt": [1.0, 0.0, 0.0]})
        if handle == here.handle:
            return self.wait("TeleportLocal", since=mark)
        done = self.wait("AgentMovementComplete", since=mark, timeout=30)
        until(lambda: self.root.handshakes, "RegionHandshake after the teleport")
        return done

    # -- knowing ------------------------------------------------------------------------------------------------

    def position(self, of: str | None = None, circuit: Circuit | None = None) -> Any:
        """Region-local [x, y, z] of an avatar, None if unknown; the own by default."""
        return (circuit or self.root).positions.get(of or self.agent_id)

    def velocity(self) -> list[float]:
        return self.root.velocities.get(self.agent_id, [0.0, 0.0, 0.0])

    def heights(self, circuit: Circuit | None = None) -> dict[tuple[int, int], float]:
        """Every height of the land received, {(x, y): metres}; complete land has 65536 of them."""
        found = {}
        for data in list((circuit or self.root).land):
            for (px, py), rows in terrain.decode(data).items():
                found.update({(px * 16 + i, py * 16 + j): rows[j][i] for j in range(16) for i in range(16)})
        return found

    def land_complete(self, circuit: Circuit | None = None) -> None:
        """Waits for all 256 patches of a region's land."""
        until(lambda: len((circuit or self.root).land) * 20 >= 256, "land packets")
        until(lambda: len(self.heights(circuit)) == 65536, "the whole land")

    def neighbour(self, handle: int) -> Circuit | None:
        """The child circuit to a region, once it has shaken hands."""
        with self._lock:
            return next((circuit for circuit in self.circuits.values()
                         if circuit.handle == handle and circuit.open and circuit.handshakes), None)

    def cap(self, name: str, body: Any = None, query: str = "", circuit: Circuit | None = None) -> Any:
        """A capability's parsed answer: POST when there is a body, else GET. Raises urllib's HTTPError."""
        return _ask((circuit or self.root).caps[name] + query, body)

    def fetch(self, cap: str, query: str, byte_range: str = "") -> tuple[int, Any, bytes]:
        """Bytes by a capability such as ViewerAsset: (status, headers, body)."""
        headers = {"Range": byte_range} if byte_range else {}
        request = urllib.request.Request(f"{self.root.caps[cap]}/?{query}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def poll_events(self, ack: int | None, circuit: Circuit | None = None, timeout: float = 40.0) -> tuple[int, Any]:
        """One poll of the event queue by hand: (status, reply or None)."""
        try:
            url = (circuit or self.root).caps["EventQueueGet"]
            return 200, _ask(url, {"ack": ack, "done": False}, timeout)
        except urllib.error.HTTPError as error:
            return error.code, None

    # -- circuits -----------------------------------------------------------------------------------------------

    def _open(self, address: tuple[str, int], handle: int) -> Circuit:
        with self._lock:
            known = self.circuits.get(address)
            if known is not None and known.open:
                known.handle = handle or known.handle
                return known
            circuit = self.circuits[address] = Circuit(self._udp, address, handle)
            circuit.send(wire.encode("UseCircuitCode", CircuitCode={
                "Code": self.account["circuit_code"], "SessionID": self.session_id, "ID": self.agent_id}))
            return circuit

    def _take_seed(self, circuit: Circuit, seed: str) -> None:
        if not seed or circuit.seed == seed:
            return
        circuit.seed = seed
        circuit.caps = _ask(seed, CAPS)
        if self.poll:
            threading.Thread(target=self._follow, args=(circuit,), daemon=True).start()

    def _complete_movement(self, circuit: Circuit) -> None:
        self.send("CompleteAgentMovement", circuit)

    def _run(self) -> None:
        """The UDP thread: what arrived, then what is due."""
        while self._running:
            try:
                datagram, address = self._udp.recvfrom(65535)
            except TimeoutError:
                datagram = b""
            try:
                with self._lock:
                    if datagram:
                        self._receive(datagram, address)
                    now = time.monotonic()
                    for circuit in list(self.circuits.values()):
                        if circuit.open:
                            circuit.tick(now, ack=not self.hold_acks)
                    if now >= self._next_update:
                        self._agent_update()
            except Exception as error:  # a broken packet must fail the scenario, not end this thread unnoticed
                self.faults.append(f"{type(error).__name__}: {error} in {datagram[:80].hex()}")
        self._udp.close()

    def _receive(self, datagram: bytes, address: tuple[str, int]) -> None:
        circuit = self.circuits.get(address)
        if circuit is None or not circuit.open:
            return
        if len(datagram) > 1200:
            self.faults.append(f"a datagram of {len(datagram)} bytes")
        packet = wire.parse(datagram)
        if not circuit.receive(packet) or not packet.name:
            return
        react = getattr(self, f"_on_{packet.name}", None)
        if react is not None:
            react(circuit, packet.body)
        if packet.name not in ("PacketAck", "StartPingCheck", "ImprovedTerseObjectUpdate", "LayerData"):
            self.saw(Event(packet.name, packet.body, circuit.name))

    # -- messages a viewer reacts to ----------------------------------------------------------------------------

    def _on_StartPingCheck(self, circuit: Circuit, body: dict[str, Any]) -> None:
        self.pings += 1
        self.send("CompletePingCheck", circuit, reliable=False, PingID={"PingID": body["PingID"]["PingID"]})

    def _on_RegionHandshake(self, circuit: Circuit, body: dict[str, Any]) -> None:
        circuit.handshakes += 1
        circuit.name = body["RegionInfo"]["SimName"]
        circuit.region_id = body["RegionInfo2"]["RegionID"]
        self.send("RegionHandshakeReply", circuit, RegionInfo={"Flags": self.flags})
        self.send("AgentThrottle", circuit, Throttle={
            "Throttles": struct.pack("<7f", 150e3, 170e3, 34e3, 34e3, 446e3, 446e3, 220e3)})
        self._agent_update()

    def _on_AgentMovementComplete(self, circuit: Circuit, body: dict[str, Any]) -> None:
        self.root = circuit
        circuit.handle = body["Data"]["RegionHandle"]

    def _on_LayerData(self, circuit: Circuit, body: dict[str, Any]) -> None:
        if body["LayerID"]["Type"] == terrain.LAND:
            circuit.land.append(body["LayerData"]["Data"])

    def _on_ObjectUpdate(self, circuit: Circuit, body: dict[str, Any]) -> None:
        circuit.object_update(body)

    def _on_ImprovedTerseObjectUpdate(self, circuit: Circuit, body: dict[str, Any]) -> None:
        circuit.terse_update(body)

    def _on_KillObject(self, circuit: Circuit, body: dict[str, Any]) -> None:
        circuit.kill(body)

    def _on_DisableSimulator(self, circuit: Circuit, body: dict[str, Any]) -> None:
        circuit.open = False

    def _on_KickUser(self, circuit: Circuit, body: dict[str, Any]) -> None:
        self.kicked = body["UserInfo"]["Reason"] or "kicked"

    # -- the event queue ----------------------------------------------------------------------------------------

    def _follow(self, circuit: Circuit) -> None:
        """Long-polls one region's queue until the region is done with us (404) or we with it."""
        ack: int | None = None
        while self._running and circuit.open and "EventQueueGet" in circuit.caps:
            try:
                reply = _ask(circuit.caps["EventQueueGet"], {"ack": ack, "done": False}, 70)
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return
                continue
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)
                continue
            if ack is not None and reply["id"] <= ack:
                self.faults.append(f"event queue id {reply['id']} after {ack} was acknowledged")
            ack = reply["id"]
            for event in reply["events"]:
                try:
                    self._event(circuit, event["message"], event["body"])
                except Exception as error:
                    self.faults.append(f"{type(error).__name__}: {error} in event {event}")

    def _event(self, circuit: Circuit, name: str, body: dict[str, Any]) -> None:
        if name == "EnableSimulator" and self.children:
            info = body["SimulatorInfo"][0]
            self._open((llsd.ip(info["IP"]), info["Port"]), llsd.u64(info["Handle"]))
        elif name == "EstablishAgentCommunication" and self.children:
            host, _, port = body["sim-ip-and-port"].partition(":")
            known = self.circuits.get((host, int(port)))
            if known is not None:
                self._take_seed(known, body["seed-capability"])
        elif name in ("CrossedRegion", "TeleportFinish"):
            info = body["RegionData" if name == "CrossedRegion" else "Info"][0]
            there = self._open((llsd.ip(info["SimIP"]), info["SimPort"]), llsd.u64(info["RegionHandle"]))
            self._complete_movement(there)
            self._take_seed(there, info["SeedCapability"])
        self.saw(Event(name, body, circuit.name))


def _ask(url: str, body: Any = None, timeout: float = 30.0) -> Any:
    data = None if body is None else llsd.dump(body)
    request = urllib.request.Request(url, data, {"Content-Type": "application/llsd+xml"})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        return llsd.load(response.read())
