"""Child agents: a root agent's view into the regions around it.

The region that holds the avatar is responsible for the whole set. It asks each neighbour to expect the viewer, tells the
viewer where (EnableSimulator and EstablishAgentCommunication, in this order, by the event queue), and ends the child
agents that have come out of sight. On a crossing the set goes along.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID

from protocol.events import establish_agent_communication, event
from protocol.message import Message
from sim.neighbours.peers import PeerError
from sim.neighbours.records import RegionRecord
from sim.neighbours.state import Reason, agent_state
from sim.world.agent import Agent

if TYPE_CHECKING:
    from sim.circuits.circuits import Circuits
    from sim.neighbours.neighbours import Neighbours
    from sim.region import Region
    from sim.sessions import Sessions

log = logging.getLogger(__name__)

TAKEN_PAUSE = 2.0  # seconds


class Children:
    def __init__(self, region: Region, neighbours: Neighbours, circuits: Circuits, sessions: Sessions) -> None:
        self._region, self._circuits, self._sessions = region, circuits, sessions
        self._neighbours = neighbours

    async def refresh(self, agent: Agent) -> None:
        """Bring the set to what it should be from here: the regions around, and no others."""
        views = agent.views
        if views.busy:
            views.again = True
            return
        views.busy = True
        try:
            await self._refresh(agent)
            while views.again and agent.root:
                views.again = False
                await self._refresh(agent)
        finally:
            views.busy = views.again = False

    async def _refresh(self, agent: Agent) -> None:
        if agent.child:
            return
        wanted = {region.region_id: region for region in self._neighbours.directory.adjacent()}
        known = agent.views.seeds
        known.pop(self._region.world.facts.region_id, None)
        out_of_sight = [region_id for region_id in known if region_id not in wanted]
        for region_id in out_of_sight:
            del known[region_id]
        await asyncio.gather(
            *(self._open(agent, region) for region_id, region in wanted.items() if region_id not in known),
            *(self._close(agent, region_id) for region_id in out_of_sight),
        )

    async def _open(self, agent: Agent, region: RegionRecord) -> None:
        directory = self._neighbours.directory
        there = directory.seen_from(region, self._region.world.position(agent))
        state = agent_state(self._region.world, agent, Reason.CHILD, there)
        state.source, state.destination = self._neighbours.lease.owner, region.owner
        try:
            answer = await self._neighbours.peers.announce(region, state)
        except PeerError as error:
            log.warning("no view into %s for %s: %s", region.name, agent.name, error)
            if error.status == 409:  # an earlier session is just being ended there
                self._region.tasks.after(TAKEN_PAUSE, lambda: self._refresh_soon(agent))
            return
        if agent.child:  # it left while we asked: the region it is in now has its own view of things
            return
        agent.views.seeds[region.region_id] = answer["seed_capability"]
        introduce(agent, region, answer["seed_capability"])

    def _refresh_soon(self, agent: Agent) -> None:
        self._region.tasks.spawn(self.refresh(agent), "children")

    async def _close(self, agent: Agent, region_id: UUID) -> None:
        region = self._neighbours.directory.of_id(region_id)
        if region is None:
            return
        try:
            await self._neighbours.peers.close_agent(region, agent.agent_id, agent.session_id)
        except PeerError as error:
            log.warning("%s keeps a view of %s: %s", region.name, agent.name, error)

    def close_here(self, agent: Agent) -> None:
        """The agent need not look in here any more. Its avatar is not here, or nothing happens."""
        if self._region.world.agents.get(agent.agent_id) is not agent or agent.root or agent.arrival is not None:
            return
        if agent.circuit is not None:
            agent.circuit.send(Message("DisableSimulator"))
            self._circuits.flush()
        self._sessions.remove(agent, "out of sight")

    async def end(self, agent: Agent, region: RegionRecord, reason: str) -> None:
        """End the agent in a region that may be holding its avatar. Asked again: a ghost would stand there."""
        for attempt in range(5):
            try:
                await self._neighbours.peers.close_agent(region, agent.agent_id, agent.session_id, reason)
                return
            except PeerError as error:
                log.warning("%s does not hear that %s has left: %s", region.name, agent.name, error)
            await asyncio.sleep(0.5 * 2**attempt)

    async def close_all(self, agent: Agent) -> None:
        """The agent leaves the grid: nobody looks in any more."""
        regions = list(agent.views.seeds)
        agent.views.seeds.clear()
        await asyncio.gather(*(self._close(agent, region_id) for region_id in regions))

    def gone(self, region_ids: set[UUID]) -> None:
        """Regions went down, or came back anew: what was known of them is void."""
        for agent in self._region.world.roots():
            for region_id in region_ids:
                agent.views.seeds.pop(region_id, None)


def introduce(agent: Agent, region: RegionRecord, seed: str) -> None:
    """Tell the viewer of a region it may look into."""
    if agent.events is None:
        return
    where: dict[str, Any] = {"Handle": region.handle, "IP": region.ip, "Port": region.port}
    agent.events.post(event(Message("EnableSimulator", SimulatorInfo=where)))
    agent.events.post(establish_agent_communication(agent.agent_id, region.ip, region.port, seed, region.handle))
