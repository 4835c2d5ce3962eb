"""One region in the test's own process: a real Simulator on a manual clock, with Backbone and assets in memory.

    sim = make_sim()
    anna = add_root(sim, "Anna Tester", (100, 100, 25))
    anna.sends(Message("ChatFromViewer", ...))     # through the wire's encoding and the dispatch with its checks
    await settle(sim)                              # what handlers spawned has run
    anna.heard("ChatFromSimulator")                # messages the region sent to this viewer since `forget`

No datagram leaves: a viewer's circuit keeps what it is given. Only the region's own UDP port is bound, to any free one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web
from multidict import MultiDict

from protocol import llsd, packet
from protocol.message import Message, decode, encode
from sim import caps
from sim.caps import Capability, CapRequest
from sim.circuits.circuit import FIRST_RESEND, Circuit, Telling
from sim.circuits.circuits import Circuits
from sim.circuits.datagrams import DatagramSocket
from sim.clients import Clients
from sim.clock import Clock, ManualClock
from sim.neighbours.peers import PeerError
from sim.neighbours.records import RegionRecord
from sim.neighbours.state import HandOff, Reason
from sim.region import Settings
from sim.sessions import Sessions
from sim.simulator import Simulator
from sim.world.agent import Agent, Vector
from tests.kit.backbones import FakeAssets, FakeBackbone

_numbers = itertools.count(1)
EPOCH = 1  # by which the regions of a test hold their squares


@dataclass(slots=True)
class Sent:
    message: Message
    reliable: bool
    on_ack: Callable[[], None] | None
    telling: Telling | None = None


@dataclass(slots=True, eq=False)
class RecordingCircuit(Circuit):
    """A circuit whose packets stay here."""

    sent: list[Sent] = field(default_factory=list)

    def send_body(
        self,
        body: bytes,
        *,
        reliable: bool = True,
        category: str | None = None,
        on_ack: Callable[[], None] | None = None,
        zerocode: bool = False,
        telling: Telling | None = None,
    ) -> None:
        if not self.closed:
            self.sent.append(Sent(decode(body), reliable, on_ack, telling))


class TestCircuits(Circuits):
    """What kernels packed and wait to be acknowledged arrives, and is acknowledged, when it leaves."""

    __test__ = False

    def flush(self) -> None:
        out = self.socket.outgoing
        for key, start, size in zip(
            out.keys.tolist(), out.offsets.tolist(), out.lengths[: out.count].tolist(), strict=False
        ):
            arrived = packet.parse(out.buffer[start : start + size].tobytes())
            circuit = self.by_key.get(key)
            if isinstance(circuit, RecordingCircuit) and arrived.flags & packet.RELIABLE:
                circuit.sent.append(Sent(decode(arrived.body), True, None))
                self.flights.acknowledged(circuit.slot, arrived.sequence)
        super().flush()


class TestSimulator(Simulator):
    """A Simulator whose services are known to be fakes."""

    __test__ = False

    def __init__(self, settings: Settings, clock: Clock, backbone: Any = None, assets: Any = None) -> None:
        self.backbone: FakeBackbone = backbone or FakeBackbone()
        self.assets: FakeAssets = assets or FakeAssets()
        super().__init__(settings, clock, fake_clients(self.backbone, self.assets))

    def _make_circuits(self, socket: DatagramSocket) -> Circuits:
        return TestCircuits(self.region, socket)

    @property
    def clock(self) -> ManualClock:
        return self.region.clock  # type: ignore[return-value]


def fake_clients(backbone: Any, assets: Any) -> Clients:
    """Clients that reach nobody but these."""
    nobody: Any = None
    return Clients(nobody, backbone, assets)


class Viewer:
    """One agent and what its client would see."""

    def __init__(self, sim: TestSimulator, agent: Agent, circuit: RecordingCircuit) -> None:
        self.sim = sim
        self.agent = agent
        self.circuit = circuit

    @property
    def id(self) -> UUID:
        return self.agent.agent_id

    def sends(self, message: Message) -> None:
        """As if a datagram with this message had come; AgentData ids not given are filled in."""
        for block in message.spec.blocks:
            names = {field.name for field in block.fields}
            if block.name == "AgentData" and {"AgentID", "SessionID"} <= names:
                mine = {"AgentID": self.agent.agent_id, "SessionID": self.agent.session_id}
                message.blocks["AgentData"] = {**mine, **message.get("AgentData", {})}
        self.sim.circuits.dispatch(self.circuit, decode(encode(message)), self.sim.clock.now())

    def heard(self, name: str) -> list[Message]:
        return [sent.message for sent in self.circuit.sent if sent.message.name == name]

    def acknowledges(self, name: str) -> None:
        """The acks of all messages of that name come in."""
        for sent in self.circuit.sent:
            if sent.message.name == name and sent.on_ack is not None:
                sent.on_ack()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Bodies of waiting events of that name."""
        assert self.agent.events is not None
        return [event["body"] for event, _ in self.agent.events._waiting if event["message"] == name]

    def forget(self) -> None:
        """Only what comes from now on counts."""
        self.circuit.sent.clear()
        if self.agent.events is not None:
            self.agent.events._waiting.clear()

    async def cap(
        self, name: str, body: Any = None, *, method: str = "", tail: str = "", query: dict[str, Any] | None = None
    ) -> Any:
        """Call a capability as its URL would; LLSD both ways. Raises `Refused` for an HTTP error."""
        return await call(self.sim, self.agent, caps.TABLE[name], body, method=method, tail=tail, query=query)

    async def upload(self, url: str, data: bytes) -> Any:
        """Post raw bytes to a one-shot uploader's URL, with a wrong content type, as some clients do."""
        grant = self.sim.cap_server._grants.pop(UUID(url.rsplit("/", 1)[1]))
        assert grant.once and grant.agent is self.agent
        return await call(self.sim, self.agent, grant.capability, data)


async def call(
    sim: TestSimulator,
    agent: Agent,
    capability: Capability,
    body: Any = None,
    *,
    method: str = "",
    tail: str = "",
    query: dict[str, Any] | None = None,
) -> Any:
    method = method or capability.methods[0]
    assert method in capability.methods
    raw = body if isinstance(body, bytes) else b"" if body is None else llsd.format_xml(body)
    pairs = [
        (key, one) for key, value in (query or {}).items() for one in (value if isinstance(value, list) else [value])
    ]
    request = CapRequest(method, MultiDict(pairs), raw, "application/llsd+xml", tail)
    answer = await capability.function(sim.parts, agent, request)
    if isinstance(answer, web.Response) and isinstance(answer.body, bytes) and answer.body.startswith(b"<llsd>"):
        return llsd.parse_xml(answer.body)
    if isinstance(answer, web.StreamResponse):
        return answer
    return llsd.parse_xml(llsd.format_xml(answer))


def make_sim(
    name: str = "Here", grid_x: int = 1000, grid_y: int = 1000, physics: str = "numba", clock: Clock | None = None,
    store: str = "", scene: str = "none", region_id: UUID | None = None, backbone: Any = None, assets: Any = None,
) -> TestSimulator:  # fmt: skip
    """A region that serves nobody yet, on a manual clock unless another is given; it keeps nothing unless it has a `store`.
    Its services are `backbone` and `assets`, or new ones in memory.

    Call it inside a running event loop; `close_sim` gives its port back.
    """
    settings = Settings(
        region_id or uuid4(), name, grid_x, grid_y, 0, assets_url="http://127.0.0.1:1", secret="secret", physics=physics, store=store, scene=scene
    )
    sim = TestSimulator(settings, clock or ManualClock(), backbone, assets)
    sim.neighbours.peers._call = _unreachable  # type: ignore[method-assign]
    sim.neighbours.lease.epoch = EPOCH
    return sim


async def _unreachable(method: str, http_url: str, path: str, **more: Any) -> Any:
    """Regions that a test adds to the directory are names on a map: nobody answers there."""
    raise PeerError(0, f"{http_url} is not there", nobody=True)


def close_sim(sim: TestSimulator) -> None:
    for task in list(sim.region.tasks.pending):
        task.cancel()
    if sim.storage.writer is not None:
        sim.storage.writer.close(5.0)
    sim.circuits.socket.close()


@contextmanager
def region(name: str = "Here") -> Iterator[TestSimulator]:
    sim = make_sim(name)
    try:
        yield sim
    finally:
        close_sim(sim)


def add_region(sim: TestSimulator, name: str, grid_x: int, grid_y: int, **given: Any) -> RegionRecord:
    """Another region in this one's directory."""
    plain: dict[str, Any] = {
        "region_id": uuid4(),
        "ip": "127.0.0.1",
        "port": 13000,
        "http_url": "http://127.0.0.1:13000",
        "access": 21,
        "epoch": EPOCH,
    }
    record = RegionRecord(name=name, grid_x=grid_x, grid_y=grid_y, **{**plain, **given})
    sim.neighbours.directory.regions[grid_x, grid_y] = record
    return record


def add_child(
    sim: TestSimulator, name: str = "", reason: str = "child", position: Vector = (128, 128, 25),
    state: HandOff | None = None,
) -> Viewer:  # fmt: skip
    """An agent with an open circuit that looks in (or has been announced and not come yet). `state` is its whole
    hand-off, where another region has it already."""
    number = next(_numbers)
    first, _, last = (name or f"Tester{number} Resident").partition(" ")
    agent_id = uuid4()
    sim.backbone.add_user(agent_id, first, last or "Resident")
    given = HandOff(
        Reason(reason), agent_id, uuid4(), uuid4(), number, first, last or "Resident", tuple(map(float, position))  # type: ignore[arg-type]
    )
    agent = sim.sessions.announce(state or given)
    circuits, now = sim.circuits, sim.clock.now()
    slot = circuits._free.pop()
    key = (127 << 24 | number) << 16 | 9  # the discard port of 127.x.x.x: nobody
    circuits.sequences[slot], circuits.keys[slot], circuits.rates[slot] = 0, key, 125_000.0
    circuits.patience[slot] = FIRST_RESEND
    circuit = RecordingCircuit(circuits, key, slot, agent, opened_at=now, heard_at=now, next_ping=now + 5.0)
    agent.circuit = circuit
    circuits.by_key[key] = circuit
    return Viewer(sim, agent, circuit)


def add_root(sim: TestSimulator, name: str = "", position: Vector = (128, 128, 25), reason: str = "login") -> Viewer:
    """An agent that has arrived: root, fed, and welcomed; what it was told on the way is forgotten."""
    viewer = add_child(sim, name, reason, position)
    sessions: Sessions = sim.sessions
    sessions.movement_completed(viewer.agent)
    sessions.handshake_replied(viewer.agent, 0)
    row = sim.world.row(viewer.agent)
    row["position"] = position
    return viewer


async def settle(sim: TestSimulator, rounds: int = 500) -> None:
    """Let everything that is spawned come to its end, and due timers run."""
    for _ in range(rounds):
        sim.region.tasks.run_timers()
        if not sim.region.tasks.pending:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"still running: {[task.get_name() for task in sim.region.tasks.pending]}")
