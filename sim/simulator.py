"""One region's process: the parts, put together. `frame.py` says what happens when.

Everything that changes the world runs on one thread: the frame's stages, and between frames, on the same asyncio loop,
capabilities, services and tasks started with `spawn`. There are no locks.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from sim import caps, handlers
from sim.actions.make import make_temporary
from sim.actions.sit import Seating
from sim.attachments import Attachments
from sim.caps.server import CapServer
from sim.circuits.circuits import Circuits
from sim.circuits.datagrams import DatagramSocket
from sim.clients import Clients
from sim.clock import Clock
from sim.frame import Frame
from sim.gauges import Gauges
from sim.giving import Giving
from sim.handlers.attachments import script_takes_off, script_wears
from sim.handlers.editors import tell
from sim.handlers.inventory import bulk_update
from sim.handlers.messages import post
from sim.handlers.replies import alert, send
from sim.handlers.welcome import welcome
from sim.handlers.xfer import Xfers
from sim.interest.interest import Interest
from sim.money import Money, NoMoney
from sim.moves import Moves
from sim.names import Names
from sim.neighbours.neighbours import Neighbours
from sim.neighbours.services import Services
from sim.operating import Operator
from sim.pace import Pace
from sim.parts import Parts
from sim.physics.autopilot import Autopilot
from sim.physics.bodies import Bodies
from sim.region import Address, OfRegion, Region, Settings
from sim.rest import Rest
from sim.scenes import load, place
from sim.scripts.inworld import Scripts
from sim.scripts.journeys import RegionJourneys
from sim.scripts.services import GridServices
from sim.sessions import Sessions
from sim.storage.keeping import Storage
from sim.storage.standing import restore
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


class Simulator(OfRegion):
    def __init__(self, settings: Settings, clock: Clock, clients: Clients) -> None:
        facts = RegionFacts(settings.region_id, settings.name, settings.grid_x, settings.grid_y, cache_id=uuid4())
        terrain = Terrain(found(settings.grid_x, settings.grid_y, settings.terrain_seed, settings.ages))
        self.region = region = Region(settings, clock, World(facts, terrain))
        self.world.add_parcel(
            Parcel(1, uuid4(), settings.name, facts.owner_id, int(clock.unix()), np.ones((64, 64), bool))
        )
        self.clients = clients
        self.pace = Pace(clock)
        self.storage = Storage(region, settings.store)
        handlers.load()
        caps.load()
        told = settings.advertise or settings.bind
        socket = _open_socket(settings.bind, told, settings.port)
        self.address = Address(
            told, socket.port, f"http://{told}:{socket.port}", f"http://{settings.inner or told}:{socket.port}"
        )
        self.circuits = self._make_circuits(socket)
        self.bodies = Bodies(region, settings.physics, clients.assets.get)
        self.seating = Seating(region, self.bodies)
        self.autopilot = Autopilot(region)
        self.names = Names(region, clients.backbone)
        grid = GridServices(clients.backbone, clients.assets, self.names)
        self.scripts = Scripts(region, clients.backbone, self.names, self.seating, self.bodies, grid)
        self.attachments = Attachments(region, self.scripts, clients.backbone, clients.assets)
        self.gauges = Gauges(region, self.pace, self.circuits, self.bodies, self.scripts, self.storage)
        self.interest = Interest(region, self.pace, self.circuits, self.gauges)
        self.rest = Rest(region, self.pace, self.circuits, self.scripts, self.bodies)
        self.cap_server = CapServer(region, self.rest, self.gauges, self.address.http_url)
        self.sessions = Sessions(region, self.circuits, self.interest, self.seating, self.cap_server, self.attachments)
        self.neighbours = Neighbours(
            region, clients, self.address, circuits=self.circuits, bodies=self.bodies, seating=self.seating,
            scripts=self.scripts, interest=self.interest, cap_server=self.cap_server, sessions=self.sessions, storage=self.storage,
            stop=self.stop,
        )  # fmt: skip
        self.giving = Giving(
            region, self.storage, clients.backbone, clients.assets, self._source_of, self.scripts.remove_item
        )
        self.giving.post = lambda fields: self.spawn(post(self.parts, fields), "instant message")
        self.money: Money = NoMoney()
        self.moves = Moves(region, self.storage, self.scripts, self.bodies, clients.backbone, clients.assets)
        self.moves.tell, self.moves.late, self.moves.call_off = self._tell, self._show_item, self.neighbours.objects.call_off
        self.xfers = Xfers(region)
        self.frame = Frame(
            region, self.pace, self.rest, circuits=self.circuits, bodies=self.bodies, autopilot=self.autopilot, seating=self.seating,
            borders=self.neighbours.borders, scripts=self.scripts, storage=self.storage, interest=self.interest,
        )  # fmt: skip
        self.parts = Parts(
            region=region, backbone=clients.backbone, assets=clients.assets, names=self.names, storage=self.storage,
            circuits=self.circuits, bodies=self.bodies, scripts=self.scripts, seating=self.seating, interest=self.interest,
            cap_server=self.cap_server, sessions=self.sessions, neighbours=self.neighbours, xfers=self.xfers,
            giving=self.giving, money=self.money, moves=self.moves, autopilot=self.autopilot,
            attachments=self.attachments,
        )  # fmt: skip
        operator = Operator(region, self.storage, self.scripts, clients.assets.fetch)
        self.services = Services(self.parts, self.pace, operator)
        self._serve()
        self._furnish()
        self.bodies.update()

    def _make_circuits(self, socket: DatagramSocket) -> Circuits:
        return Circuits(self.region, socket)

    def _serve(self) -> None:
        """Whom those call who were made before: the few ties that go upwards."""
        self.circuits.serve(self.sessions, self.parts)
        self.sessions.serve(self.neighbours, lambda agent, arrival: welcome(self.parts, agent, arrival))
        self.scripts.serve(RegionJourneys(self.region, self.seating, self.neighbours), self.giving, self.money)
        self.attachments.serve(lambda agent, refused: tell(self.parts, agent, refused))
        self.scripts.on_wear = lambda *wish: script_wears(self.parts, *wish)
        self.scripts.on_take_off = lambda agent, root: script_takes_off(self.parts, agent, root)
        self.cap_server.serve(self.parts, self.services.add_routes)
        self.region.tasks.on_new = self.rest.wake
        self.region.aside.tell = self._tell

    def _furnish(self) -> None:
        """What was kept stands again; a region that is new is filled with its scene."""
        storage, began = self.storage, self.clock.now()
        if storage.file is not None and not storage.kept.is_new:
            found = restore(self.region, self.scripts, storage.kept, storage.file, self._expire_later)
            storage.begin(self.scripts, self._tell_everybody)
            self.moves.begin()
            self.neighbours.objects.begin_again()
            log.info("%s", found.line(self.settings.name, self.clock.now() - began))
            return
        scene = load(self.settings.scene)
        if scene is not None:
            log.info("%s: scene %s, %d prims", self.settings.name, scene.name, place(self.region, self.scripts, scene))
        storage.begin(self.scripts, self._tell_everybody)

    def _source_of(self, prim: Prim, item_id: UUID) -> str | None:
        script = self.scripts.find(prim, item_id)
        return script.source if script is not None else None

    def _expire_later(self, root: Prim, seconds: float) -> None:
        make_temporary(self.region, root, True, seconds)

    def _tell_everybody(self, text: str) -> None:
        for agent in self.world.roots():
            alert(agent, text)

    # --- running

    async def open(self) -> None:
        """Start serving; returns when viewers may come. OSError when the port is taken."""
        await self.cap_server.open(self.settings.bind, self.port)
        await self.neighbours.open()
        self.spawn(self.moves.recover(), "moves")
        self.spawn(self.giving.recover(), "gifts")

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
        await self.clients.close()
        self.circuits.socket.close()

    # --- what it is put together of, in one word

    @property
    def port(self) -> int:
        return self.address.port

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
