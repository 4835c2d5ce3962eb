"""A small simulator for the viewer's own tests: one region, real sockets, some behaviour, and every fault on demand.

It is written from the wire reference, not from the real simulator, so that the viewer is tested against the protocol.
It has no physics: avatars slide over flat ground at 25 m with the speed their keys ask for.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from aiohttp import web

from protocol import events, llsd, objects, packet, terrain
from protocol.errors import ProtocolError
from protocol.message import Message, decode, encode, text
from protocol.objects import Motion
from protocol.wellknown import Animation

GROUND = 25.0
WALK, RUN, FLY = 3.2, 5.13, 16.0
Address = tuple[str, int]


@dataclass
class FakeAgent:
    """One client as this region knows it."""

    agent_id: UUID
    session_id: UUID
    circuit_code: int
    first: str
    last: str
    position: list[float] = field(default_factory=lambda: [128.0, 128.0, GROUND + 1.0])
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    flags: int = 0
    yaw: float = 0.0
    running: bool = False
    root: bool = False
    local_id: int = 0
    playing: frozenset[UUID] = frozenset({Animation.STAND})
    address: Address | None = None
    shaken: bool = False
    seed: str = ""
    # circuit
    sequence: int = 0
    unacked: dict[int, tuple[float, bytes]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    received: list[Message] = field(default_factory=list)
    # event queue
    queue_id: int = 0
    waiting: list[dict[str, Any]] = field(default_factory=list)
    unacked_events: tuple[int, list[dict[str, Any]]] | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    raw_replies: deque[tuple[int, bytes]] = field(default_factory=deque)  # what the next polls get instead
    polls: list[Any] = field(default_factory=list)  # every {ack, done} received
    gone: bool = False

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"

    def heard(self, name: str) -> list[Message]:
        """The messages of that name this client sent here."""
        return [message for message in self.received if message.name == name]


class FakeRegion(asyncio.DatagramProtocol):
    """A region on its own UDP port; its HTTP lives in the grid's server (see ``fakegrid``)."""

    def __init__(self, name: str, grid_x: int, grid_y: int, grid: Any) -> None:
        self.name, self.grid_x, self.grid_y, self.grid = name, grid_x, grid_y, grid
        self.id = uuid4()
        self.agents: dict[UUID, FakeAgent] = {}
        self.by_address: dict[Address, FakeAgent] = {}
        self.port = 0
        self.poll_hold = 1.0  # seconds; a real one holds 30
        self.poll_status = 502
        self.answer: dict[str, Callable[[FakeAgent, Message], None] | None] = {}  # overrides; None = stay silent
        self._local_id = 100
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def handle(self) -> int:
        return (self.grid_x * 256) << 32 | (self.grid_y * 256)

    @property
    def address(self) -> Address:
        return ("127.0.0.1", self.port)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    # -- agents -----------------------------------------------------------------------------------------------------

    def admit(self, agent: FakeAgent) -> FakeAgent:
        """Expect this client: its circuit code and capabilities work from now on."""
        known = self.agents.get(agent.agent_id)
        if known is not None and known.session_id == agent.session_id and not known.gone:
            return known
        agent.seed = self.grid.url(f"/seed/{uuid4()}")
        self.grid.seeds[agent.seed.rpartition("/")[2]] = (self, agent)
        self.agents[agent.agent_id] = agent
        return agent

    def remove(self, agent: FakeAgent) -> None:
        agent.gone = True
        agent.wake.set()
        self.vanish(agent)
        if self.agents.get(agent.agent_id) is agent:
            del self.agents[agent.agent_id]
        if agent.address is not None:
            self.by_address.pop(agent.address, None)

    def vanish(self, agent: FakeAgent) -> None:
        """The avatar leaves; the client may stay as a neighbour looking in."""
        agent.root = False
        if agent.local_id:
            kill = Message("KillObject", ObjectData=[{"ID": agent.local_id}])
            agent.local_id = 0
            for other in self.watchers():
                self.send(other, kill)

    def watchers(self) -> list[FakeAgent]:
        return [agent for agent in self.agents.values() if agent.shaken and agent.address is not None]

    # -- circuits ---------------------------------------------------------------------------------------------------

    def send(self, agent: FakeAgent, message: Message, reliable: bool = True) -> None:
        self.send_body(agent, encode(message), reliable)

    def send_body(self, agent: FakeAgent, body: bytes, reliable: bool = True) -> None:
        agent.sequence += 1
        datagram = packet.build(body, agent.sequence, packet.RELIABLE if reliable else 0)
        if reliable:
            agent.unacked[agent.sequence] = (asyncio.get_running_loop().time(), datagram)
        self.send_raw(agent, datagram)

    def send_raw(self, agent: FakeAgent, datagram: bytes) -> None:
        """Any bytes at all, to be read as a datagram from this region."""
        if self._transport is not None and agent.address is not None:
            self._transport.sendto(datagram, agent.address)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        try:
            parsed = packet.parse(data)
            message = decode(parsed.body)
        except ProtocolError as error:
            self.grid.complaints.append(f"{self.name}: {error}")
            return
        agent = self.by_address.get(addr)
        if message.name == "UseCircuitCode":
            block = message["CircuitCode"]
            agent = self.agents.get(block["ID"])
            if agent is None or (block["Code"], block["SessionID"]) != (agent.circuit_code, agent.session_id):
                return
            if agent.address != addr or not parsed.resent:
                agent.seen.clear()
            agent.address = addr
            self.by_address[addr] = agent
        if agent is None:
            return
        for acked in parsed.acks:
            agent.unacked.pop(acked, None)
        if parsed.reliable:
            ack = Message("PacketAck", Packets=[{"ID": parsed.sequence}])
            self.send_raw(agent, packet.build(encode(ack), self._next(agent)))
            if parsed.sequence in agent.seen:
                return
            agent.seen.add(parsed.sequence)
        if message.name == "PacketAck":
            for block in message["Packets"]:
                agent.unacked.pop(block["ID"], None)
            return
        agent.received.append(message)
        handler = self.answer.get(message.name, getattr(self, f"on_{message.name}", None))
        if handler is not None:
            handler(agent, message)

    def _next(self, agent: FakeAgent) -> int:
        agent.sequence += 1
        return agent.sequence

    # -- messages ---------------------------------------------------------------------------------------------------

    def on_UseCircuitCode(self, agent: FakeAgent, message: Message) -> None:
        if not agent.root:  # a child's handshake comes a moment after the ack
            asyncio.get_running_loop().call_later(0.05, self.shake, agent)

    def on_CompleteAgentMovement(self, agent: FakeAgent, message: Message) -> None:
        self.shake(agent)
        agent.root = True
        position = tuple(agent.position)
        data = {"Position": position, "LookAt": (1.0, 0.0, 0.0), "RegionHandle": self.handle, "Timestamp": 1}
        ids = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
        self.send(agent, Message("AgentMovementComplete", AgentData=ids, Data=data))
        self.grid.arrived(self, agent)
        if agent.shaken:
            self.show_all(agent)

    def shake(self, agent: FakeAgent) -> None:
        if agent.shaken or agent.gone or any(m.name == "RegionHandshakeReply" for m in agent.received):
            return
        info = {"SimName": self.name, "WaterHeight": 20.0, "SimAccess": 21}
        self.send(agent, Message("RegionHandshake", RegionInfo=info, RegionInfo2={"RegionID": self.id}))

    def on_RegionHandshakeReply(self, agent: FakeAgent, message: Message) -> None:
        agent.shaken = True
        for data in terrain.encode_patches(np.full((256, 256), GROUND, np.float32)):
            self.send(agent, Message("LayerData", LayerID={"Type": ord("L")}, LayerData={"Data": data}))
        self.show_all(agent)

    def show_all(self, agent: FakeAgent) -> None:
        """Everybody to the newcomer, and the newcomer to everybody."""
        if agent.root and not agent.local_id:
            self._local_id += 1
            agent.local_id = self._local_id
            for other in self.watchers():
                self.show(agent, other)
                self.show_playing(agent, other)
        for other in list(self.agents.values()):
            if other.root and other.local_id and other is not agent:
                self.show(other, agent)
                self.show_playing(other, agent)

    def motion(self, agent: FakeAgent) -> Motion:
        turned = (0.0, 0.0, math.sin(agent.yaw / 2), math.cos(agent.yaw / 2))
        return Motion(tuple(agent.position), agent.velocity, rotation=turned, plane=(0.0, 0.0, 1.0, 0.0))  # type: ignore[arg-type]

    def show(self, agent: FakeAgent, to: FakeAgent) -> None:
        block = objects.avatar_block(agent.local_id, agent.agent_id, agent.first, agent.last, self.motion(agent))
        region = {"RegionHandle": self.handle, "TimeDilation": 65535}
        self.send(to, Message("ObjectUpdate", RegionData=region, ObjectData=[block]))

    def show_motion(self, agent: FakeAgent, to: FakeAgent, reliable: bool = False) -> None:
        block = objects.terse_block(objects.encode_terse(agent.local_id, self.motion(agent)))
        region = {"RegionHandle": self.handle, "TimeDilation": 65535}
        self.send(to, Message("ImprovedTerseObjectUpdate", RegionData=region, ObjectData=[block]), reliable)

    def show_playing(self, agent: FakeAgent, to: FakeAgent) -> None:
        playing = [{"AnimID": animation, "AnimSequenceID": 1} for animation in sorted(agent.playing)]
        self.send(to, Message("AvatarAnimation", Sender={"ID": agent.agent_id}, AnimationList=playing))

    def play(self, agent: FakeAgent, playing: frozenset[UUID]) -> None:
        if playing != agent.playing:
            agent.playing = playing
            for other in self.watchers():
                self.show_playing(agent, other)

    def on_AgentUpdate(self, agent: FakeAgent, message: Message) -> None:
        data = message["AgentData"]
        agent.flags = data["ControlFlags"]
        z, w = data["BodyRotation"][2], data["BodyRotation"][3]
        agent.yaw = 2 * math.atan2(z, w)
        if agent.flags & 0x20000:
            self.play(agent, frozenset({Animation.SIT_GROUND}))
        elif agent.flags & 0x10000:
            self.play(agent, frozenset({Animation.STAND}))

    def on_SetAlwaysRun(self, agent: FakeAgent, message: Message) -> None:
        agent.running = message["AgentData"]["AlwaysRun"]

    def on_StartPingCheck(self, agent: FakeAgent, message: Message) -> None:
        answer = Message("CompletePingCheck", PingID={"PingID": message["PingID"]["PingID"]})
        self.send(agent, answer, reliable=False)

    def on_RequestMultipleObjects(self, agent: FakeAgent, message: Message) -> None:
        wanted = {block["ID"] for block in message["ObjectData"]}
        for other in self.agents.values():
            if other.local_id in wanted:
                self.show(other, agent)

    def on_ChatFromViewer(self, agent: FakeAgent, message: Message) -> None:
        data = message["ChatData"]
        reach = (10.0, 20.0, 100.0, 0.0, 20.0, 20.0)[min(data["Type"], 5)]
        block = {
            "FromName": agent.name, "SourceID": agent.agent_id, "OwnerID": agent.agent_id, "SourceType": 1,
            "ChatType": data["Type"], "Audible": 1, "Position": tuple(agent.position), "Message": data["Message"],
        }  # fmt: skip
        for other in self.watchers():
            if other.root and math.dist(other.position, agent.position) <= reach:
                self.send(other, Message("ChatFromSimulator", ChatData=block))

    def on_AgentAnimation(self, agent: FakeAgent, message: Message) -> None:
        playing = set(agent.playing)
        for block in message["AnimationList"]:
            (playing.add if block["StartAnim"] else playing.discard)(block["AnimID"])
        self.play(agent, frozenset(playing))

    def on_LogoutRequest(self, agent: FakeAgent, message: Message) -> None:
        ids = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
        self.send(agent, Message("LogoutReply", AgentData=ids))
        self.grid.left(agent)

    def on_TeleportLocationRequest(self, agent: FakeAgent, message: Message) -> None:
        info = message["Info"]
        target = self.grid.by_handle(info["RegionHandle"])
        if target is self:
            agent.position = list(info["Position"])
            local = {"AgentID": agent.agent_id, "LocationID": 4, "Position": info["Position"]}
            self.send(agent, Message("TeleportLocal", Info=local))
            for other in self.watchers():
                self.show_motion(agent, other, reliable=True)
        elif target is None:
            failed = {"AgentID": agent.agent_id, "Reason": "no_host"}
            self.queue(agent, events.event(Message("TeleportFailed", Info=failed)))
        else:
            self.grid.move(agent, self, target, list(info["Position"]), "TeleportFinish")

    def __getattr__(self, name: str) -> Any:
        """Messages that concern the whole grid (names, map, friends...) are answered in ``fakegrid``."""
        if name.startswith("on_"):
            handler = getattr(self.grid, name, None)
            if handler is not None:
                return lambda agent, message: handler(self, agent, message)
        raise AttributeError(name)

    # -- time -------------------------------------------------------------------------------------------------------

    def step(self, now: float, dt: float) -> None:
        """Move who has a key down, hand over who leaves, resend what nobody acked."""
        for agent in list(self.agents.values()):
            for sequence, (sent, datagram) in list(agent.unacked.items()):
                if now - sent > 0.3:
                    agent.unacked[sequence] = (now, datagram)
                    self.send_raw(agent, bytes([datagram[0] | packet.RESENT]) + datagram[1:])
            if agent.root and agent.local_id:
                self._slide(agent, dt)

    def _slide(self, agent: FakeAgent, dt: float) -> None:
        flying = bool(agent.flags & 0x2000)
        speed = FLY if flying else RUN if agent.running else WALK
        ahead = (agent.flags & 1) - (agent.flags >> 1 & 1)
        up = ((agent.flags >> 4 & 1) - (agent.flags >> 5 & 1)) if flying or agent.position[2] <= GROUND + 1 else 0
        sitting = Animation.SIT_GROUND in agent.playing
        velocity = (0.0, 0.0, 0.0)
        if not sitting:
            fall = -4.0 if not flying and agent.position[2] > GROUND + 1 else 0.0
            ahead_x, ahead_y = speed * ahead * math.cos(agent.yaw), speed * ahead * math.sin(agent.yaw)
            velocity = (ahead_x, ahead_y, 4.0 * up + fall)
        changed = velocity != agent.velocity
        agent.velocity = velocity
        if any(velocity):
            agent.position = [p + v * dt for p, v in zip(agent.position, velocity, strict=True)]
            agent.position[2] = max(agent.position[2], GROUND + 1.0)
        if changed or any(velocity):
            for other in self.watchers():
                self.show_motion(agent, other, reliable=changed and not any(velocity))
        x, y = agent.position[0], agent.position[1]
        if not (0.0 <= x < 256.0 and 0.0 <= y < 256.0):
            target = self.grid.at(self.grid_x + int(x // 256), self.grid_y + int(y // 256))
            if target is None:
                agent.position[0], agent.position[1] = min(max(x, 0.1), 255.9), min(max(y, 0.1), 255.9)
            else:
                moved = [x % 256.0, y % 256.0, agent.position[2]]
                self.grid.move(agent, self, target, moved, "CrossedRegion")

    # -- event queue ------------------------------------------------------------------------------------------------

    def queue(self, agent: FakeAgent, event: dict[str, Any]) -> None:
        agent.waiting.append(event)
        agent.wake.set()

    async def poll(self, agent: FakeAgent, request: Any) -> web.Response:
        """One EventQueueGet: events are kept until a later poll acknowledges them."""
        agent.polls.append(request)
        ack = request.get("ack") if isinstance(request, dict) else None
        if agent.gone:
            return web.Response(status=404)
        if agent.raw_replies:
            status, body = agent.raw_replies.popleft()
            return web.Response(status=status, body=body, content_type="application/llsd+xml")
        if agent.unacked_events is not None and agent.unacked_events[0] == ack:
            agent.unacked_events = None
        if agent.unacked_events is None and not agent.waiting:
            agent.wake.clear()
            try:
                await asyncio.wait_for(agent.wake.wait(), self.poll_hold)
            except TimeoutError:
                return web.Response(status=self.poll_status, text="Upstream error: ")
            if agent.gone:
                return web.Response(status=404)
        if agent.unacked_events is None:
            agent.queue_id += 1
            agent.unacked_events = (agent.queue_id, agent.waiting)
            agent.waiting = []
        number, batch = agent.unacked_events
        return _llsd({"id": number, "events": batch})


def _llsd(value: Any) -> web.Response:
    return web.Response(body=llsd.format_xml(value), content_type="application/llsd+xml")


def spoken(message: Message) -> str:
    """The text of a ChatFromViewer or an instant message."""
    block = message["ChatData"] if message.name == "ChatFromViewer" else message["MessageBlock"]
    return text(block["Message"])
