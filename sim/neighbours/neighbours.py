"""This region among the others: who lies around it, who looks in, who walks or teleports over.

The parts are files: `lease` (by which claim we have the region), `directory` (Backbone's list), `children`, `borders`, `crossing`, `object_crossing` and
`object_arrival`, `teleport`, `handovers` (when nobody is sure how one of these ended) and `peers` (what we ask of other regions). What
others may ask of us, `services`, stands beside it. This class is where the rest of the sim meets them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backbone.client import BackboneError
from protocol.wellknown import REGION_SIZE
from sim.actions.speak import heard_beyond
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
from sim.neighbours.state import HandOff, Reason
from sim.neighbours.teleport import Teleports
from sim.world.agent import Agent, Vector
from sim.world.world import Chat

if TYPE_CHECKING:
    from sim.actions.sit import Seating
    from sim.caps.server import CapServer
    from sim.circuits.circuits import Circuits
    from sim.clients import Clients
    from sim.interest.interest import Interest
    from sim.physics.bodies import Bodies
    from sim.region import Address, Region
    from sim.scripts.inworld import Scripts
    from sim.sessions import Sessions
    from sim.storage.keeping import Storage
    from sim.world.world import World

log = logging.getLogger(__name__)

DEPARTED_TRIES = 12  # for longer than the origin waits before it asks for itself


class Neighbours:
    def __init__(
        self, region: Region, clients: Clients, address: Address, *, circuits: Circuits, bodies: Bodies, seating: Seating,
        scripts: Scripts, interest: Interest, cap_server: CapServer, sessions: Sessions, storage: Storage, stop: Callable[[], None],
    ) -> None:  # fmt: skip
        self._region, self._backbone, self._address = region, clients.backbone, address
        self._circuits, self._sessions, self._stop = circuits, sessions, stop
        self.peers = Peers(region, clients.http)
        self.lease = Lease(region, clients.backbone, self._lost)
        self.directory = Directory(region, clients.backbone, self.lease, self._directory_changed)
        self.children = Children(region, self, circuits, sessions)
        self.handovers = HandOvers(region, self, sessions, cap_server, storage)
        self.crossing = Crossing(region, self, sessions, cap_server)
        self.objects = ObjectCrossing(region, self, self.crossing, bodies, scripts, interest, storage)
        self.object_arrival = ObjectArrival(
            region, self.directory, self.objects, self.handovers, scripts, sessions, cap_server, storage
        )
        self.borders = Borders(region.world, self.crossing, self.objects, self.relay_chat)
        self.teleports = Teleports(region, self, clients, address.inner_url, seating, sessions, cap_server)

    @property
    def regions(self) -> dict[tuple[int, int], RegionRecord]:
        """All live regions of the grid by grid square."""
        return self.directory.regions

    async def open(self) -> None:
        """Claim the region and know its neighbours. LeaseLost when another process has it."""
        where = self._address
        self._belongs(await self.lease.claim(where.ip, where.port, where.http_url, where.inner_url))
        await self.directory.open()
        self.lease.keep(self.beat, self.heard)
        self.handovers.recover()
        self.objects.recover()

    def rest(self) -> None:
        """The region is closing: nothing goes on by itself any more."""
        self.lease.rest()
        self.directory.rest()

    async def close(self) -> None:
        self.rest()
        await self.lease.give_back()

    async def beat(self) -> tuple[dict[UUID, UUID], dict[str, Any]]:
        """Renew the lease with everyone who is here: those, by their sessions, and what Backbone says to it."""
        world = self._region.world
        here = {agent.agent_id: agent.session_id for agent in world.roots()}
        answer = await self._backbone.heartbeat(world.facts.region_id, self.lease.epoch, list(here.items()))
        return here, answer

    def heard(self, told: tuple[dict[UUID, UUID], dict[str, Any]]) -> None:
        """Whoever Backbone no longer knows by that session must go."""
        (listed, answer), world = told, self._region.world
        self._belongs(answer)
        for gone in answer.get("gone", []):
            agent = world.agents.get(UUID(gone))
            if agent is not None and agent.root and listed.get(agent.agent_id) == agent.session_id:
                self._sessions.kick(agent, "Your session has ended elsewhere.")

    def _belongs(self, answer: dict[str, Any]) -> None:
        """Whose land this is. A fresh grid has no accounts yet: then the first heartbeats do not know either."""
        owner = answer.get("region_owner_id")
        if owner is not None:
            self._region.world.belongs_to(UUID(owner))

    def _lost(self, why: str) -> None:
        """The region is another process's, or may soon be: it serves nobody from this moment on."""
        self._region.metrics.count("leases_lost")
        for agent in list(self._region.world.agents.values()):
            self._sessions.kick(agent, "This region has moved to another server. Please log in again.")
        self._circuits.flush()
        self._stop()

    def _directory_changed(self, came: set[tuple[int, int]], went: set[tuple[int, int]]) -> None:
        facts = self._region.world.facts
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                here = bool(dx or dy) and (facts.grid_x + dx, facts.grid_y + dy) in self.regions
                self._region.world.open_sides[dy + 1, dx + 1] = here
        self.children.gone({self.regions[square].region_id for square in came})
        live = {region.region_id for region in self.regions.values()}
        for agent in list(self._region.world.roots()):
            for region_id in [region_id for region_id in agent.views.seeds if region_id not in live]:
                agent.views.seeds.pop(region_id)
            self._region.tasks.spawn(self.children.refresh(agent), "children")

    # --- agents

    def arrived(self, agent: Agent, arrival: HandOff) -> None:
        """An avatar appeared here: the grid's records, the region it left, its neighbours and its viewer must know."""
        agent.lures = dict(arrival.lures)
        agent.views.seeds = dict(arrival.views)
        agent.presence.report = self._region.tasks.spawn(self.report_arrival(agent), "presence")
        if arrival.origin is not None:
            self._region.tasks.spawn(self._tell_origin(agent, arrival.origin.http_url, arrival.transaction), "departed")
            self._region.metrics.count("teleports", label="arrived")
        if arrival.reason is Reason.CROSSING:
            self._region.metrics.count("crossings", label="arrived")
        self._region.tasks.spawn(self.children.refresh(agent), "children")

    async def report_arrival(self, agent: Agent) -> None:
        """Presence: this region holds the agent now. An ended session is sent away; an absent Backbone asked again."""
        facts = self._region.world.facts
        for attempt in range(5):
            if not agent.root:
                return
            position = self._region.world.position(agent)
            try:
                await self._backbone.arrive(
                    agent.agent_id, agent.session_id, facts.region_id, position, agent.arrival_look_at
                )
                agent.presence.recorded.set()
                return
            except BackboneError as error:
                if error.status == 409:
                    self._sessions.kick(agent, "Your session has ended elsewhere.")
                    return
                self._region.metrics.count("service_errors", label="backbone")
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

    def came_late(self, agent: Agent) -> None:
        """Its viewer comes to where its avatar was a moment ago."""
        self.crossing.came_late(agent)

    def leaving(self, agent: Agent) -> None:
        """The agent ends here for good: the views from around go too."""
        if agent.child and agent.arrival is not None and agent.arrival.reason is Reason.CROSSING:
            agent.views.seeds = dict(agent.arrival.views)  # ours since it was handed to us
        elif agent.child:
            return
        if agent.views.seeds:
            self._region.tasks.spawn(self.children.close_all(agent), "children")

    def logged_out(self, agent: Agent) -> None:
        """The session ends, by its own will or because its client is gone."""
        region_id = self._region.world.facts.region_id
        position = self._region.world.position(agent) if agent.root else agent.arrival_position
        look_at = agent.arrival_look_at
        if agent.root:
            look_at = facing(self._region.world, agent)
        elif agent.journey.gone is not None:
            gone = agent.journey.gone
            region_id, position = gone.region.region_id, gone.position
            self._region.tasks.spawn(self.children.end(agent, gone.region, "You have logged out."), "children")
        self.leaving(agent)
        self._region.tasks.spawn(self._report_leaving(agent, region_id, position, look_at), "presence")

    async def _report_leaving(self, agent: Agent, region_id: UUID, position: Vector, look_at: Vector) -> None:
        await self._sessions.attachments.saved(agent.agent_id)  # who logs in next finds what they wore as it was
        for attempt in range(4):
            try:
                await self._backbone.leave(agent.agent_id, agent.session_id, region_id, position, look_at)
                return
            except BackboneError as error:
                if error.status in (404, 409):
                    return  # the session was replaced or ended before us
                self._region.metrics.count("service_errors", label="backbone")
            await asyncio.sleep(0.5 * 2**attempt)

    # --- words

    def relay_chat(self, said: Chat) -> None:
        """What is said near a border is heard beyond it. Who is handed it passes it no further: nobody hears a thing twice."""
        facts = self._region.world.facts
        for region in self.directory.adjacent():
            there = heard_beyond(said, region.grid_x - facts.grid_x, region.grid_y - facts.grid_y, REGION_SIZE)
            if there is not None:
                body = {
                    "text": said.text,
                    "kind": said.kind,
                    "source_type": said.source_type,
                    "source_id": str(said.source_id),
                    "owner_id": str(said.owner_id),
                    "name": said.name,
                    "position": list(there),
                }
                self._region.tasks.spawn(self._send_chat(region, body), "chat")

    async def _send_chat(self, region: RegionRecord, body: dict[str, Any]) -> None:
        try:
            await self.peers.chat(region, body)
        except PeerError as error:
            log.warning("%s does not hear our border: %s", region.name, error)


def facing(world: World, agent: Agent) -> Vector:
    """The direction a root agent's avatar faces, horizontal."""
    x, y, z, w = world.row(agent)["rotation"].tolist()
    return 1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 0.0


