"""One region's process: the parts, put together. `frame.py` says what happens when.

Everything that changes the world runs on one thread: the frame's stages, and between frames, on the same asyncio loop,
capabilities, services and tasks started with `spawn`. There are no locks.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import numpy as np

from assets.client import AssetClient
from backbone.client import BackboneClient
from sim import caps, handlers
from sim.caps.server import CapServer
from sim.circuits.circuits import Circuits
from sim.circuits.datagrams import DatagramSocket
from sim.clock import Clock
from sim.frame import Frame
from sim.interest.interest import Interest
from sim.metrics import Metrics
from sim.names import Names
from sim.neighbours.neighbours import Neighbours
from sim.physics.bodies import Bodies
from sim.rest import Rest
from sim.scenes import NO_SCENE, load, place
from sim.scripts.inworld import Scripts
from sim.seating import Seating
from sim.sessions import Sessions
from sim.world.agent import Agent
from sim.world.terrain import Terrain
from sim.world.world import Parcel, RegionFacts, World

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What one region's process is told."""

    region_id: UUID
    name: str
    grid_x: int
    grid_y: int
    port: int  # UDP and HTTP alike; 0 for any free one
    bind: str = "127.0.0.1"
    advertise: str = ""  # the address viewers are told; the bound one when empty
    backbone_url: str = ""
    assets_url: str = ""  # where this process reaches the asset store
    public_assets_url: str = ""  # where viewers do; the same when empty
    secret: str = ""
    terrain_seed: int = 1
    physics: str = "numba"  # or "bullet"
    scene: str = NO_SCENE  # what stands there when it opens: "none", a name of ours, or a file (see docs/scenes.md)
    land: frozenset[tuple[int, int]] = frozenset()  # grid squares that hold a region: the ground slopes to the sea at others


class Simulator:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.metrics = Metrics(settings.name)
        facts = RegionFacts(settings.region_id, settings.name, settings.grid_x, settings.grid_y, cache_id=uuid4())
        land = settings.land or None
        terrain = Terrain.natural(settings.grid_x, settings.grid_y, settings.terrain_seed, land)
        self.world = World(facts, terrain)
        self.world.add_parcel(
            Parcel(1, uuid4(), settings.name, facts.owner_id, int(clock.unix()), np.ones((64, 64), bool))
        )
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_numbers = itertools.count()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._standing: set[asyncio.Task[Any]] = set()  # those that run as long as the region
        handlers.load()
        caps.load()
        socket = DatagramSocket(settings.bind, settings.port)
        self.port = socket.port
        self.address = settings.advertise or settings.bind
        self.circuits = Circuits(self, socket)
        self.bodies = Bodies(self, settings.physics)
        self.scripts = Scripts(self)
        self.seating = Seating(self)
        self.sessions = Sessions(self)
        self.names = Names(self)
        self.interest = Interest(self)
        self.neighbours = Neighbours(self)
        self.cap_server = CapServer(self)
        self.frame = Frame(self)
        self.rest = Rest(self)
        self.backbone: BackboneClient
        self.assets: AssetClient
        scene = load(settings.scene)
        if scene is not None:
            log.info("%s: scene %s, %d prims", settings.name, scene.name, place(self, scene))

    @property
    def http_url(self) -> str:
        """Where this region's capabilities and services are, as others reach them."""
        return f"http://{self.address}:{self.port}"

    # --- running

    async def open(self) -> None:
        """Start serving; returns when viewers may come. OSError when the port is taken."""
        timeout = aiohttp.ClientTimeout(total=10.0, connect=3.0)
        self.http = aiohttp.ClientSession(timeout=timeout)
        self.backbone = BackboneClient(self.settings.backbone_url, self.settings.secret, self.http)
        self.assets = AssetClient(self.settings.assets_url, self.settings.secret, self.http)
        await self.cap_server.open(self.settings.bind, self.port)
        await self.neighbours.open()

    async def run(self) -> None:
        """Run frames until `stop`."""
        await self.frame.run()

    def stop(self) -> None:
        self.frame.stop()

    async def close(self) -> None:
        """End every session properly, then the services."""
        for agent in list(self.world.agents.values()):
            self.sessions.kick(agent, "This region is closing.")
        self.circuits.flush()
        self.neighbours.directory.rest()
        pending = [task for task in self._tasks if not task.done()]
        if pending:
            await asyncio.wait(pending, timeout=3.0)
        self.scripts.close()
        await self.bodies.close()
        await self.neighbours.close()
        await self.cap_server.close()
        await self.http.close()
        self.circuits.socket.close()

    # --- time and tasks

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run `action` in a frame, once that much real time has passed."""
        self.rest.wake()
        heapq.heappush(self._timers, (self.clock.now() + seconds, next(self._timer_numbers), action))

    @property
    def next_timer(self) -> float | None:
        """Real time of the first action put off with `after`; None when there is none."""
        return self._timers[0][0] if self._timers else None

    def run_timers(self) -> None:
        now = self.clock.now()
        while self._timers and self._timers[0][0] <= now:
            action = heapq.heappop(self._timers)[2]
            try:
                action()
            except Exception:  # one visitor's errand must not end the region for everybody
                self.metrics.count("task_errors", label="timer")
                log.exception("a timer failed")

    def spawn(self, work: Coroutine[Any, Any, Any], name: str, standing: bool = False) -> asyncio.Task[Any]:
        """Run a coroutine in the slack between frames. What it raises is logged and counted under `name`.

        A `standing` one never ends, and the region may rest meanwhile (`rest.py`).
        """
        self.rest.wake()
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        if standing:
            self._standing.add(task)
        task.add_done_callback(self._task_done)
        return task

    @property
    def errands(self) -> int:
        """Tasks under way that will end."""
        return len(self._tasks) - len(self._standing)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._standing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.metrics.count("task_errors", label=task.get_name())
            log.error("task %s failed", task.get_name(), exc_info=error)

    # --- what circuits report

    def circuit_opened(self, agent: Agent) -> None:
        self.sessions.circuit_opened(agent)

    def agent_lost(self, agent: Agent, reason: str) -> None:
        self.sessions.lost(agent, reason)
