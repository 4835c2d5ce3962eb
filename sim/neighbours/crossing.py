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
from typing import TYPE_CHECKING, Any
from uuid import UUID

from protocol.events import event
from protocol.message import Message
from sim.neighbours.records import RegionRecord
from sim.neighbours.state import HandOff, Reason, agent_state
from sim.world.agent import Agent, Vector
from sim.world.journey import Gone, Step

if TYPE_CHECKING:
    from sim.caps.server import CapServer
    from sim.neighbours.neighbours import Neighbours
    from sim.region import Region
    from sim.sessions import Sessions

log = logging.getLogger(__name__)

# After a refusal the avatar is not handed over again at once, or it would bounce 45 times a second.
REFUSED_PAUSE = 1.0
# Seconds until a walker hears why it stands still, and until it is put back where nobody answers.
TELL_AFTER, GIVE_UP_AFTER = 1.5, 5.0
WAITING = "The region ahead does not answer yet. You stand still until it does, or for a few seconds at most."
NO_ANSWER = "The region ahead does not answer. You stay in this one."
REFUSED = "The region ahead does not take you now. You stay in this one."


class Crossing:
    def __init__(self, region: Region, neighbours: Neighbours, sessions: Sessions, cap_server: CapServer) -> None:
        self._region, self._sessions, self._cap_server = region, sessions, cap_server
        self._neighbours = neighbours

    def begin(self, agent: Agent) -> None:
        """The avatar is over a border: hold it and hand it over, or put it back where it cannot go."""
        facts, journey = self._region.world.facts, agent.journey
        if journey.crossing:
            return
        x, y, _ = self._region.world.position(agent)
        region = self._neighbours.directory.at(facts.grid_x + int(x // 256), facts.grid_y + int(y // 256))
        resting = self._region.clock.now() < journey.rest_until
        # One journey at a time: who teleports would arrive in two places.
        if region is None or resting or agent.circuit is None or journey.under_way:
            self._step_back(agent)
            return
        row = self._region.world.row(agent)
        row["held"] = 1
        row["dirty"] = 1  # the last word from here is where and how fast it left
        transaction = self._neighbours.handovers.begin(region, [journey.lineage])
        journey.step(Step.WALK, transaction, region=region)
        self._region.tasks.after(TELL_AFTER, lambda: self._still_waiting(agent, transaction))
        self._region.tasks.spawn(self._hand_over(agent, transaction, region), "crossing")

    def _still_waiting(self, agent: Agent, transaction: UUID) -> None:
        if agent.journey.is_by(transaction):
            self._say(agent, WAITING)

    def state_of(self, agent: Agent, region: RegionRecord, transaction: UUID, place: Vector) -> HandOff:
        """What the region beyond must know of a walker or rider; `place` in this region's axes."""
        there = self._neighbours.directory.seen_from(region, place)
        state = agent_state(self._region.world, agent, Reason.CROSSING, there)
        state.views = {**agent.views.seeds, self._region.world.facts.region_id: self._cap_server.seed_url(agent)}
        state.worn = self._sessions.attachments.pack(agent)
        state.transaction = transaction
        state.source, state.destination = self._neighbours.lease.owner, region.owner
        return state

    async def _hand_over(self, agent: Agent, transaction: UUID, region: RegionRecord) -> None:
        journey = agent.journey
        state = self.state_of(agent, region, transaction, self._region.world.position(agent))

        def over() -> bool:  # it was handed back before we heard, or has logged out
            return not journey.is_by(transaction)

        answer, unsure = None, True
        try:
            answer, unsure = await self._neighbours.handovers.ask(
                region, lambda: self._neighbours.peers.announce(region, state), over, GIVE_UP_AFTER
            )
        finally:
            if answer is None and not over():  # also when this fails
                self._stays(agent, NO_ANSWER if unsure else REFUSED)
        here = self._region.world.agents.get(agent.agent_id) is agent
        if not here:  # logged out meanwhile
            await self._neighbours.children.end(agent, region, "You have logged out.")
        elif answer is not None and not over():
            self.handed_over(agent, region, answer)
        elif unsure and agent.root and not journey.crossing:
            self._neighbours.handovers.take_back(transaction, region, [agent])

    def _stays(self, agent: Agent, why: str) -> None:
        self._region.metrics.count("crossings", label="refused")
        agent.journey.step(Step.STAY)
        self._region.world.row(agent)["held"] = 0
        agent.journey.rest_until = self._region.clock.now() + REFUSED_PAUSE
        self._step_back(agent)
        self._say(agent, why)

    @staticmethod
    def _say(agent: Agent, text: str) -> None:
        if agent.circuit is not None:
            agent.circuit.send(Message("AgentAlertMessage", AgentData={"AgentID": agent.agent_id},
                                       AlertData={"Modal": False, "Message": text}))  # fmt: skip

    def handed_over(self, agent: Agent, region: RegionRecord, answer: dict[str, Any]) -> None:
        """The region took the avatar (and answered seed_capability, position, look_at): its viewer follows, it goes."""
        gone = Gone(region, answer["seed_capability"], tuple(answer["position"]), tuple(answer["look_at"]))
        self.tell(agent, gone)
        self._region.metrics.count("crossings", label="handed over")
        out_of_sight = agent.journey.out_of_sight
        self._sessions.demote(agent, Step.GO, gone)
        if out_of_sight:
            self._neighbours.children.close_here(agent)

    def came_late(self, agent: Agent) -> None:
        """A viewer comes to where its avatar was a moment ago: it is told where that is now."""
        if agent.journey.gone is not None:
            self.tell(agent, agent.journey.gone)

    def tell(self, agent: Agent, gone: Gone) -> None:
        """CrossedRegion: the viewer follows its avatar there."""
        if agent.events is None:
            return
        where = {
            "SimIP": gone.region.ip,
            "SimPort": gone.region.port,
            "RegionHandle": gone.region.handle,
            "SeedCapability": gone.seed,
        }
        ids = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
        place = {"Position": gone.position, "LookAt": gone.look_at}
        agent.events.post(event(Message("CrossedRegion", AgentData=ids, RegionData=where, Info=place)))

    def _step_back(self, agent: Agent) -> None:
        row = self._region.world.row(agent)
        x, y, z = row["position"].tolist()
        row["position"] = (min(max(x, 0.5), 255.5), min(max(y, 0.5), 255.5), z)
        row["velocity"] = (0.0, 0.0, 0.0)
        row["dirty"] = 1
