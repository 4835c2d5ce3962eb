"""This region among the others: who lies around it, who looks in, who walks or teleports over.

The parts are files: `lease` (by which claim we have the region), `directory` (Backbone's list), `children`, `borders`, `crossing`, `object_crossing` and
`object_arrival`, `teleport`, `handovers` (when nobody is sure how one of these ended), `services` (what others may ask of us)
and `peers` (what we ask of them). This class is where the rest of the sim meets them.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aiohttp import web

from backbone.client import BackboneError
from protocol.wellknown import REGION_SIZE
from sim.handlers.welcome import welcome
from sim.neighbours.borders import Borders
from sim.neighbours.children import Children
from sim.neighbours.crossing import Crossing
from sim.neighbours.directory import Directory
from sim.neighbours.handovers import HandOvers
from sim.neighbours.lease import Lease
from sim.neighbours.object_arrival import ObjectArrival
from sim.neighbours.object_crossing import ObjectCrossing
from sim.neighbours.peers import PeerError, Peers
from sim.neighbours.records import RegionRecord
from sim.neighbours.services import Services
from sim.neighbours.state import HandOff, Reason
from sim.neighbours.teleport import Teleports
from sim.world.agent import Agent, Vector
from sim.world.world import Chat

if TYPE_CHECKING:
    from sim.simulator import Simulator

log = logging.getLogger(__name__)

DEPARTED_TRIES = 12  # for longer than the origin waits before it asks for itself
HEARING = 100.0  # metres: the farthest a shout carries, so the strip along a border that neighbours must hear


class Neighbours:
    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.peers = Peers(sim)
        self.lease = Lease(sim.region, lambda: sim.backbone, self._lost)
        self.directory = Directory(sim, self.lease, self._directory_changed)
        self.children = Children(sim, self)
        self.handovers = HandOvers(sim)
        self.crossing = Crossing(sim, self)
        self.objects = ObjectCrossing(sim, self, self.crossing)
        self.object_arrival = ObjectArrival(sim, self.objects, self.handovers)
        self.borders = Borders(sim.world, self.crossing, self.objects)
        self.teleports = Teleports(sim, self)
        self._services = Services(sim)

    @property
    def regions(self) -> dict[tuple[int, int], RegionRecord]:
        """All live regions of the grid by grid square."""
        return self.directory.regions

    def add_routes(self, app: web.Application) -> None:
        self._services.add_routes(app)

    async def open(self) -> None:
        """Claim the region and know its neighbours. LeaseLost when another process has it."""
        sim = self.sim
        self._belongs(await self.lease.claim(sim.address, sim.port, sim.http_url, sim.inner_url))
        await self.directory.open()
        self.lease.keep(self.beat, self.heard)

    def rest(self) -> None:
        """The region is closing: nothing goes on by itself any more."""
        self.lease.rest()
        self.directory.rest()

    async def close(self) -> None:
        self.rest()
        await self.lease.give_back()

    async def beat(self) -> tuple[dict[UUID, UUID], dict[str, Any]]:
        """Renew the lease with everyone who is here: those, by their sessions, and what Backbone says to it."""
        world = self.sim.world
        here = {agent.agent_id: agent.session_id for agent in world.roots()}
        answer = await self.sim.backbone.heartbeat(world.facts.region_id, self.lease.epoch, list(here.items()))
        return here, answer

    def heard(self, told: tuple[dict[UUID, UUID], dict[str, Any]]) -> None:
        """Whoever Backbone no longer knows by that session must go."""
        (listed, answer), world = told, self.sim.world
        self._belongs(answer)
        for gone in answer.get("gone", []):
            agent = world.agents.get(UUID(gone))
            if agent is not None and agent.root and listed.get(agent.agent_id) == agent.session_id:
                self.sim.sessions.kick(agent, "Your session has ended elsewhere.")

    def _belongs(self, answer: dict[str, Any]) -> None:
        """Whose land this is. A fresh grid has no accounts yet: then the first heartbeats do not know either."""
        owner = answer.get("region_owner_id")
        if owner is not None:
            self.sim.world.belongs_to(UUID(owner))

    def _lost(self, why: str) -> None:
        """The region is another process's, or may soon be: it serves nobody from this moment on."""
        self.sim.metrics.count("leases_lost")
        for agent in list(self.sim.world.agents.values()):
            self.sim.sessions.kick(agent, "This region has moved to another server. Please log in again.")
        self.sim.circuits.flush()
        self.sim.stop()

    def _directory_changed(self, came: set[tuple[int, int]], went: set[tuple[int, int]]) -> None:
        facts = self.sim.world.facts
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                here = bool(dx or dy) and (facts.grid_x + dx, facts.grid_y + dy) in self.regions
                self.sim.world.open_sides[dy + 1, dx + 1] = here
        self.children.gone({self.regions[square].region_id for square in came})
        live = {region.region_id for region in self.regions.values()}
        for agent in list(self.sim.world.roots()):
            for region_id in [region_id for region_id in agent.views.seeds if region_id not in live]:
                agent.views.seeds.pop(region_id)
            self.sim.spawn(self.children.refresh(agent), "children")

    # --- agents

    def safe_position(self, position: Vector, height: float) -> Vector:
        """Where somebody who comes to a place can stand (`actions/sit.py`)."""
        return self.sim.seating.safe_place(position, height)

    def arrived(self, agent: Agent, arrival: HandOff) -> None:
        """An avatar appeared here: the grid's records, the region it left, its neighbours and its viewer must know."""
        agent.lures = dict(arrival.lures)
        agent.views.seeds = dict(arrival.views)
        agent.presence.report = self.sim.spawn(self.report_arrival(agent), "presence")
        if arrival.origin is not None:
            self.sim.spawn(self._tell_origin(agent, arrival.origin.http_url, arrival.transaction), "departed")
            self.sim.metrics.count("teleports", label="arrived")
        if arrival.reason is Reason.CROSSING:
            self.sim.metrics.count("crossings", label="arrived")
        self.sim.spawn(self.children.refresh(agent), "children")
        welcome(self.sim, agent, arrival)

    async def report_arrival(self, agent: Agent) -> None:
        """Presence: this region holds the agent now. An ended session is sent away; an absent Backbone asked again."""
        facts = self.sim.world.facts
        for attempt in range(5):
            if not agent.root:
                return
            position = self.sim.world.position(agent)
            try:
                await self.sim.backbone.arrive(
                    agent.agent_id, agent.session_id, facts.region_id, position, agent.arrival_look_at
                )
                agent.presence.recorded.set()
                return
            except BackboneError as error:
                if error.status == 409:
                    self.sim.sessions.kick(agent, "Your session has ended elsewhere.")
                    return
                self.sim.metrics.count("service_errors", label="backbone")
                log.warning("presence of %s not recorded yet: %s", agent.name, error)
            await asyncio.sleep(0.5 * 2**attempt)

    async def _tell_origin(self, agent: Agent, http_url: str, transaction: UUID | None) -> None:
        for attempt in range(DEPARTED_TRIES):
            if not agent.root:
                return  # it went on, perhaps back to where this would take its avatar away
            try:
                await self.peers.departed(http_url, agent.agent_id, agent.session_id, transaction)
                return
            except PeerError as error:
                log.warning("%s does not hear that %s arrived: %s", http_url, agent.name, error)
                if error.nobody or error.status:
                    return
            await asyncio.sleep(min(0.3 * 2**attempt, 5.0))

    def leaving(self, agent: Agent) -> None:
        """The agent ends here for good: the views from around go too."""
        if agent.child and agent.arrival is not None and agent.arrival.reason is Reason.CROSSING:
            agent.views.seeds = dict(agent.arrival.views)  # ours since it was handed to us
        elif agent.child:
            return
        if agent.views.seeds:
            self.sim.spawn(self.children.close_all(agent), "children")

    def logged_out(self, agent: Agent) -> None:
        """The session ends, by its own will or because its client is gone."""
        region_id = self.sim.world.facts.region_id
        position = self.sim.world.position(agent) if agent.root else agent.arrival_position
        look_at = agent.arrival_look_at
        if agent.root:
            look_at = facing(self.sim, agent)
        elif agent.journey.gone is not None:
            gone = agent.journey.gone
            region_id, position = gone.region.region_id, gone.position
            self.sim.spawn(self.children.end(agent, gone.region, "You have logged out."), "children")
        self.leaving(agent)
        self.sim.spawn(self._report_leaving(agent, region_id, position, look_at), "presence")

    async def _report_leaving(self, agent: Agent, region_id: UUID, position: Vector, look_at: Vector) -> None:
        for attempt in range(4):
            try:
                await self.sim.backbone.leave(agent.agent_id, agent.session_id, region_id, position, look_at)
                return
            except BackboneError as error:
                if error.status in (404, 409):
                    return  # the session was replaced or ended before us
                self.sim.metrics.count("service_errors", label="backbone")
            await asyncio.sleep(0.5 * 2**attempt)

    # --- words

    def relay_chat(self, said: Chat) -> None:
        """What is said near a border is heard beyond it."""
        if said.from_neighbour:
            return
        facts = self.sim.world.facts
        x, y, z = said.position
        for region in self.directory.adjacent():
            dx, dy = region.grid_x - facts.grid_x, region.grid_y - facts.grid_y
            there = (x - dx * REGION_SIZE, y - dy * REGION_SIZE, z)
            if all(-HEARING <= part <= REGION_SIZE + HEARING for part in there[:2]):
                body = {
                    "text": said.text,
                    "kind": said.kind,
                    "source_type": said.source_type,
                    "source_id": str(said.source_id),
                    "owner_id": str(said.owner_id),
                    "name": said.name,
                    "position": list(there),
                }
                self.sim.spawn(self._send_chat(region, body), "chat")

    async def _send_chat(self, region: RegionRecord, body: dict[str, Any]) -> None:
        try:
            await self.peers.chat(region, body)
        except PeerError as error:
            log.warning("%s does not hear our border: %s", region.name, error)

    async def send_message(self, agent: Agent, fields: dict[str, Any], bucket: bytes = b"") -> dict[str, Any]:
        """Route an instant message from an agent; what Backbone answers, or {"result": "failed"}."""
        return await self._route({"from_agent_id": str(agent.agent_id), "from_name": agent.name, **fields}, bucket)

    async def send_from_object(self, fields: dict[str, Any], bucket: bytes) -> dict[str, Any]:
        """The same from an object, which speaks under its own name and its owner's id."""
        return await self._route(fields, bucket)

    async def _route(self, fields: dict[str, Any], bucket: bytes) -> dict[str, Any]:
        message = {
            "binary_bucket": base64.b64encode(bucket).decode(),
            "timestamp": int(self.sim.clock.unix()),
            "from_group": False,
            "parent_estate_id": 1,
            **fields,
        }
        try:
            return await self.sim.backbone.send_message(message)
        except BackboneError as error:
            self.sim.metrics.count("service_errors", label="backbone")
            return {"result": "failed", "status": error.status}


def facing(sim: Simulator, agent: Agent) -> Vector:
    """The direction a root agent's avatar faces, horizontal."""
    x, y, z, w = sim.world.row(agent)["rotation"].tolist()
    return 1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 0.0


