"""Walking over a border.

    source                                     destination
    avatar stands on the far side; held
    POST /services/agents (crossing)  ------>  takes the agent over: from its answer on the avatar is its own
    CrossedRegion to the viewer                avatar appears at once if the viewer's child circuit is open,
    agent becomes a child, KillObject          else when CompleteAgentMovement comes; goes on by the same keys
                                               presence, neighbours and land are the destination's to see to

The destination's answer decides, not the viewer: no round trip to the viewer lies inside the crossing. When the
destination refuses, the avatar stays, a step inside the border. When it is silent it is asked again, and in the end the avatar
stays too, and whatever may have come of it goes (`handovers.py`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from protocol.events import event
from protocol.message import Message
from protocol.wellknown import region_handle
from sim.neighbours.children import Children
from sim.neighbours.handovers import lineage_of
from sim.neighbours.peers import Region
from sim.neighbours.state import agent_state
from sim.world.agent import Agent, Vector

if TYPE_CHECKING:
    from sim.neighbours.neighbours import Neighbours
    from sim.simulator import Simulator

log = logging.getLogger(__name__)

# After a refusal the avatar is not handed over again at once, or it would bounce 45 times a second.
REFUSED_PAUSE = 1.0


@dataclass(eq=False, slots=True)
class Walk:
    """One avatar on its way over a border; in its agent's `extras["crossing"]` until it is decided."""

    transaction: UUID
    region: Region


@dataclass(frozen=True, slots=True)
class Gone:
    """Where an avatar went from here; in its agent's `extras["gone to"]`."""

    region: Region
    seed: str
    position: Vector
    look_at: Vector


class Crossing:
    def __init__(self, sim: Simulator, neighbours: Neighbours) -> None:
        self.sim = sim
        self._neighbours = neighbours

    def begin(self, agent: Agent) -> None:
        """The avatar is over a border: hold it and hand it over."""
        facts = self.sim.world.facts
        x, y, _ = self.sim.world.position(agent)
        square = (facts.grid_x + int(x // 256), facts.grid_y + int(y // 256))
        region = self._neighbours.directory.regions.get(square)
        if region is None or self.sim.clock.now() < agent.extras.get("no crossing before", 0.0) or agent.circuit is None:
            self._step_back(agent)
            return
        if "teleport" in agent.extras:  # one journey at a time: it would arrive in two places
            self._step_back(agent)
            return
        row = self.sim.world.row(agent)
        row["held"] = 1
        row["dirty"] = 1  # the last word from here is where and how fast it left
        transaction = self._neighbours.handovers.begin(region, [lineage_of(agent)])
        walk = agent.extras["crossing"] = Walk(transaction, region)
        self.sim.spawn(self._hand_over(agent, walk), "crossing")

    async def _hand_over(self, agent: Agent, walk: Walk) -> None:
        sim, region = self.sim, walk.region
        facts = sim.world.facts
        x, y, z = sim.world.position(agent)
        there = (
            x + (facts.grid_x - region["grid_x"]) * 256.0,
            y + (facts.grid_y - region["grid_y"]) * 256.0,
            z,
        )
        state = agent_state(sim, agent, "crossing", there)
        state["children"] = {**Children.of(agent), str(facts.region_id): sim.cap_server.seed_url(agent)}
        state["lures"] = agent.extras.get("lures", {})
        state["transaction"] = str(walk.transaction)

        def over() -> bool:  # it was handed back before we heard, or has logged out
            return agent.extras.get("crossing") is not walk or not agent.root

        answer, unsure = None, True
        try:
            answer, unsure = await self._neighbours.handovers.ask(
                region, lambda: self._neighbours.peers.announce(region, state), over
            )
        finally:
            if answer is None and not over():  # also when this fails
                self._stays(agent)
        here = sim.world.agents.get(agent.agent_id) is agent
        if not here:  # logged out meanwhile
            await self._neighbours.children.end(agent, region, "You have logged out.")
        elif answer is not None and not over():
            self.handed_over(agent, region, answer)
        elif unsure and agent.root and "crossing" not in agent.extras:
            self._neighbours.handovers.take_back(walk.transaction, region, [agent])

    def _stays(self, agent: Agent) -> None:
        self.sim.metrics.count("crossings", label="refused")
        del agent.extras["crossing"]
        self.sim.world.row(agent)["held"] = 0
        agent.extras["no crossing before"] = self.sim.clock.now() + REFUSED_PAUSE
        self._step_back(agent)

    def handed_over(self, agent: Agent, region: Region, answer: dict[str, Any]) -> None:
        """The region took the avatar (and answered seed_capability, position, look_at): its viewer follows, it goes."""
        self.tell(agent, region, answer["seed_capability"], answer["position"], answer["look_at"])
        self.sim.metrics.count("crossings", label="handed over")
        log.info("%s went over to %s", agent.name, region["name"])
        agent.extras["gone to"] = Gone(region, answer["seed_capability"], tuple(answer["position"]), tuple(answer["look_at"]))
        out_of_sight = agent.extras.pop("out of sight", False)
        self.sim.sessions.demote(agent)
        if out_of_sight:
            self._neighbours.children.close_here(agent)

    def came_late(self, agent: Agent) -> None:
        """A viewer comes to where its avatar was a moment ago: it is told where that is now."""
        gone: Gone | None = agent.extras.get("gone to")
        if gone is not None:
            self.tell(agent, gone.region, gone.seed, gone.position, gone.look_at)

    def tell(self, agent: Agent, region: Region, seed: str, position: Vector, look_at: Vector) -> None:
        """CrossedRegion: the viewer follows its avatar there."""
        if agent.events is None:
            return
        where = {
            "SimIP": region["ip"],
            "SimPort": region["port"],
            "RegionHandle": region_handle(region["grid_x"], region["grid_y"]),
            "SeedCapability": seed,
        }
        ids = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
        place = {"Position": position, "LookAt": look_at}
        agent.events.post(event(Message("CrossedRegion", AgentData=ids, RegionData=where, Info=place)))

    def _step_back(self, agent: Agent) -> None:
        row = self.sim.world.row(agent)
        x, y, z = row["position"].tolist()
        row["position"] = (min(max(x, 0.5), 255.5), min(max(y, 0.5), 255.5), z)
        row["velocity"] = (0.0, 0.0, 0.0)
        row["dirty"] = 1
