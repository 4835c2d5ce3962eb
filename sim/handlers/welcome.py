"""What an arriving agent is told unasked, whether it logged in, teleported or walked over."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from protocol.events import event
from protocol.message import Message
from sim.handlers import Later
from sim.handlers.attachments import ORDER
from sim.handlers.avatar import agent_data_update
from sim.handlers.friends import tell_online_friends
from sim.handlers.parcels import tell_parcel
from sim.handlers.replies import send, start
from sim.handlers.wearables import load_wearables

if TYPE_CHECKING:
    from sim.neighbours.state import HandOff
    from sim.parts import Parts
    from sim.world.agent import Agent

FULL_HEALTH = 100.0


def welcome(sim: Parts, agent: Agent, arrival: HandOff) -> None:
    """Called as the avatar appears; the words follow in the next frame, after AgentMovementComplete."""
    sim.names.learn(agent.agent_id, agent.first, agent.last)
    agent.parcel_told = 0
    sim.after(0.0, lambda: _greet(sim, agent, arrival.reason))


def _greet(sim: Parts, agent: Agent, reason: str) -> None:
    if agent.child or sim.world.agents.get(agent.agent_id) is not agent:
        return
    send(agent, agent_data_update(agent))
    send(agent, Message("HealthMessage", HealthData={"Health": FULL_HEALTH}))
    if agent.events is not None:
        groups = Message("AgentGroupDataUpdate", AgentData={"AgentID": agent.agent_id}, GroupData=[], NewGroupData=[])
        agent.events.post(event(groups))
    tell_parcel(sim.region, agent)
    sim.region.aside.arrived(agent.agent_id)
    with suppress(Later):  # nobody has so much under way who has just come
        start(sim, agent, "wearables", load_wearables(sim, agent), order="wearables")
        if reason == "login":
            start(sim, agent, "attachments", sim.attachments.come_back(agent), order=ORDER)
            start(sim, agent, "friends", tell_online_friends(sim, agent))
