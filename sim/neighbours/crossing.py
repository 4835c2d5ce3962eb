"""Walking over a border.

    source                                     destination
    avatar stands on the far side; held
    POST /services/agents (crossing)  ------>  takes the agent over: from its answer on the avatar is its own
    CrossedRegion to the viewer                avatar appears at once if the viewer's child circuit is open,
    agent becomes a child, KillObject          else when CompleteAgentMovement comes; goes on by the same keys
                                               presence, neighbours and land are the destination's to see to

The destination's answer decides, not the viewer: no round trip to the viewer lies inside the crossing. When the
destination refuses or does not answer, the avatar stays, a step inside the border.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from protocol.events import event
from protocol.message import Message
from protocol.wellknown import region_handle
from sim.neighbours.children import Children
from sim.neighbours.peers import PeerError, Region
from sim.neighbours.state import agent_state
from sim.world.agent import Agent

if TYPE_CHECKING:
    from sim.neighbours.neighbours import Neighbours
    from sim.simulator import Simulator

log = logging.getLogger(__name__)

# After a refusal the avatar is not handed over again at once, or it would bounce 45 times a second.
REFUSED_PAUSE = 1.0


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
        journey = agent.extras["crossing"] = object()
        self.sim.spawn(self._hand_over(agent, region, journey), "crossing")

    async def _hand_over(self, agent: Agent, region: Region, journey: object) -> None:
        sim = self.sim
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
        try:
            answer = await self._neighbours.peers.announce(region, state)
        except PeerError as error:
            log.warning("%s could not cross to %s: %s", agent.name, region["name"], error)
            sim.metrics.count("crossings", label="refused")
            stays = agent.extras.get("crossing") is journey and agent.root
            if stays:
                del agent.extras["crossing"]
                sim.world.row(agent)["held"] = 0
                agent.extras["no crossing before"] = sim.clock.now() + REFUSED_PAUSE
                self._step_back(agent)
            if error.status == 0:  # it may have heard us, and have the avatar too
                Children.of(agent).pop(region["region_id"], None)
                await self._neighbours.children.end(agent, region)
                if stays and agent.root:
                    await self._neighbours.children.refresh(agent)
            return
        if sim.world.agents.get(agent.agent_id) is not agent:  # logged out meanwhile
            await self._neighbours.children.end(agent, region, "You have logged out.")
            return
        if agent.extras.get("crossing") is not journey or not agent.root:  # it was handed back before we read this
            return
        self.handed_over(agent, region, answer)

    def handed_over(self, agent: Agent, region: Region, answer: dict[str, Any]) -> None:
        """The region took the avatar (and answered seed_capability, position, look_at): its viewer follows, it goes."""
        if agent.events is not None:
            agent.events.post(
                event(
                    Message(
                        "CrossedRegion",
                        AgentData={"AgentID": agent.agent_id, "SessionID": agent.session_id},
                        RegionData={
                            "SimIP": region["ip"],
                            "SimPort": region["port"],
                            "RegionHandle": region_handle(region["grid_x"], region["grid_y"]),
                            "SeedCapability": answer["seed_capability"],
                        },
                        Info={"Position": answer["position"], "LookAt": answer["look_at"]},
                    )
                )
            )
        self.sim.metrics.count("crossings", label="handed over")
        log.info("%s went over to %s", agent.name, region["name"])
        agent.extras["gone to"] = (region, tuple(answer["position"]))
        self.sim.sessions.demote(agent)

    def _step_back(self, agent: Agent) -> None:
        row = self.sim.world.row(agent)
        x, y, z = row["position"].tolist()
        row["position"] = (min(max(x, 0.5), 255.5), min(max(y, 0.5), 255.5), z)
        row["velocity"] = (0.0, 0.0, 0.0)
        row["dirty"] = 1
