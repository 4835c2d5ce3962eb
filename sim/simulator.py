"""One region's process: the parts, put together. `frame.py` says what happens when.

Everything that changes the world runs on one thread: the frame's stages, and between frames, on the same asyncio loop,
capabilities, services and tasks started with `spawn`. There are no locks.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import numpy as np

from assets.client import AssetClient
from backbone.client import BackboneClient
from sim import caps, handlers
from sim.actions.make import make_temporary
from sim.actions.sit import Seating
from sim.caps.server import CapServer
from sim.circuits.circuits import Circuits
from sim.circuits.datagrams import DatagramSocket
from sim.clock import Clock
from sim.frame import Frame
from sim.giving import Giving
from sim.handlers.inventory import bulk_update
from sim.handlers.messages import post
from sim.handlers.replies import alert, send
from sim.handlers.xfer import Xfers
from sim.interest.interest import Interest
from sim.metrics import Metrics
from sim.money import Money, NoMoney
from sim.moves import Moves
from sim.names import Names
from sim.neighbours.neighbours import Neighbours
from sim.physics.autopilot import Autopilot
from sim.physics.bodies import Bodies
from sim.region import Region, Settings
from sim.rest import Rest
from sim.scenes import load, place
from sim.scripts.inworld import Scripts
from sim.scripts.services import GridServices
from sim.sessions import Sessions
from sim.storage.keeping import Storage
from sim.storage.standing import restore
from sim.world.agent import Agent
from sim.world.founding import found
from sim.world.objects import Prim
from sim.world.terrain import Terrain
from sim.world.world import Parcel, RegionFacts, World

log = logging.getLogger(__name__)


def _open_socket(bind: str, told: str, port: int) -> DatagramSocket:
    """The region's UDP socket. Where all addresses are asked for, the one that viewers are told if it is this machine's:
    from a socket on all of them, answers leave from whichever the routes prefer, and viewers drop what comes from another
    address than they asked."""
    if bind == "0.0.0.0" and told != bind:
        try:
            return DatagramSocket(told, port)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:  # that of a router in front of this machine
                raise
    return DatagramSocket(bind, port)


class Simulator:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        facts = RegionFacts(settings.region_id, settings.name, settings.grid_x, settings.grid_y, cache_id=uuid4())
        terrain = Terrain(found(settings.grid_x, settings.grid_y, settings.terrain_seed, settings.ages))
        self.region = Region(settings, clock, World(facts, terrain))
        self.world.add_parcel(
            Parcel(1, uuid4(), settings.name, facts.owner_id, int(clock.unix()), np.ones((64, 64), bool))
        )
        self.storage = Storage(self.region, settings.store)
        handlers.load()
        caps.load()
        self.address = settings.advertise or settings.bind
        socket = _open_socket(settings.bind, self.address, settings.port)
        self.port = socket.port
        self.circuits = Circuits(self, socket)
        self.bodies = Bodies(self.region, settings.physics, lambda asset: self.assets.get(asset))
        self.scripts = Scripts(self, GridServices(lambda: self.backbone, lambda: self.assets, lambda: self.names), lambda: self.giving)
        self.seating = Seating(self.region, self.bodies)
        self.autopilot = Autopilot(self.region)
        self.sessions = Sessions(self)
        self.giving = Giving(
            self.region, lambda: (self.backbone, self.assets), self._source_of, self.scripts.remove_item, self.storage.durable
        )
        self.giving.post = lambda fields: self.spawn(post(self, fields), "instant message")
        self.money: Money = NoMoney()
        self.moves = Moves(self.region, self.storage, self.scripts, self.bodies, lambda: (self.backbone, self.assets))
        self.moves.tell, self.moves.late = self._tell, self._show_item
        self.names = Names(self)
        self.xfers = Xfers(self.region)
        self.interest = Interest(self)
        self.neighbours = Neighbours(self)
        self.cap_server = CapServer(self)
        self.frame = Frame(self)
        self.rest = Rest(self)
        self.region.tasks.on_new = self.rest.wake
        self.region.aside.tell = self._tell
        self.backbone: BackboneClient
        self.assets: AssetClient
        self._furnish()
        self.bodies.update()

    def _furnish(self) -> None:
        """What was kept stands again; a region that is new is filled with its scene."""
        storage, began = self.storage, self.clock.now()
        if storage.file is not None and not storage.kept.is_new:
            found = restore(self.region, self.scripts, storage.kept, storage.file, self._expire_later)
            storage.begin(self.scripts, self._tell_everybody)
            self.moves.begin()
            log.info("%s", found.line(self.settings.name, self.clock.now() - began))
            return
        scene = load(self.settings.scene)
        if scene is not None:
            log.info("%s: scene %s, %d prims", self.settings.name, scene.name, place(self, scene))
        storage.begin(self.scripts, self._tell_everybody)

    def _source_of(self, prim: Prim, item_id: UUID) -> str | None:
        script = self.scripts.find(prim, item_id)
        return script.source if script is not None else None

    def _expire_later(self, root: Prim, seconds: float) -> None:
        make_temporary(self.region, root, True, seconds)

    def _tell_everybody(self, text: str) -> None:
        for agent in self.world.roots():
            alert(agent, text)

    @property
    def http_url(self) -> str:
        """Where this region's capabilities are, as viewers reach them."""
        return f"http://{self.address}:{self.port}"

    @property
    def inner_url(self) -> str:
        """Where its services are, as Backbone and other regions reach them; never told to viewers."""
        return f"http://{self.settings.inner or self.address}:{self.port}"

    # --- running

    async def open(self) -> None:
        """Start serving; returns when viewers may come. OSError when the port is taken."""
        timeout = aiohttp.ClientTimeout(total=10.0, connect=3.0)
        self.http = aiohttp.ClientSession(timeout=timeout)
        self.backbone = BackboneClient(self.settings.backbone_url, self.settings.secret, self.http)
        self.assets = AssetClient(self.settings.assets_url, self.settings.secret, self.http)
        await self.cap_server.open(self.settings.bind, self.port)
        await self.neighbours.open()
        self.spawn(self.moves.recover(), "moves")

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
        self.neighbours.rest()
        pending = self.region.tasks.pending
        if pending:
            await asyncio.wait(pending, timeout=3.0)
        await self.storage.close()
        self.scripts.close()
        await self.bodies.close()
        await self.neighbours.close()
        await self.cap_server.close()
        await self.http.close()
        self.circuits.socket.close()

    # --- the region, for rooms that still know the whole simulator

    @property
    def settings(self) -> Settings:
        return self.region.settings

    @property
    def clock(self) -> Clock:
        return self.region.clock

    @property
    def metrics(self) -> Metrics:
        return self.region.metrics

    @property
    def world(self) -> World:
        return self.region.world

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.region.tasks.after(seconds, action)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str, standing: bool = False) -> asyncio.Task[Any]:
        return self.region.tasks.spawn(work, name, standing)

    # --- what circuits report

    def circuit_opened(self, agent: Agent) -> None:
        self.sessions.circuit_opened(agent)

    def _tell(self, owner: UUID, words: str) -> bool:
        """Tell somebody what became of their things, if they are here."""
        agent = self.world.agents.get(owner)
        if agent is None or not agent.root or agent.circuit is None:
            return False
        alert(agent, words)
        return True

    def _show_item(self, owner: UUID, item: Mapping[str, Any]) -> None:
        """Something came into somebody's inventory that nobody waited for any more."""
        agent = self.world.agents.get(owner)
        if agent is not None:
            send(agent, bulk_update(agent, [dict(item)]))

    def agent_lost(self, agent: Agent, reason: str) -> None:
        self.sessions.lost(agent, reason)
