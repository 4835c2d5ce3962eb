"""Coming, going, and what a viewer says of its window and its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.message import Message
from sim.circuits.throttle import parse_throttles
from sim.handlers import CONTROL, OPEN, handles

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent


@handles("CompleteAgentMovement", state=OPEN, rate=CONTROL)
def complete_agent_movement(sim: Parts, agent: Agent, message: Message) -> None:
    if message["AgentData"]["CircuitCode"] == agent.circuit_code:
        sim.sessions.movement_completed(agent)


@handles("RegionHandshakeReply", state=OPEN, rate=CONTROL)
def region_handshake_reply(sim: Parts, agent: Agent, message: Message) -> None:
    sim.sessions.handshake_replied(agent, message["RegionInfo"]["Flags"])


@handles("LogoutRequest", state=OPEN, rate=CONTROL)
def logout_request(sim: Parts, agent: Agent, message: Message) -> None:
    sim.sessions.logged_out(agent)


@handles("AgentThrottle", state=OPEN, rate=CONTROL)
def agent_throttle(sim: Parts, agent: Agent, message: Message) -> None:
    throttle = message["Throttle"]
    if throttle["GenCounter"] < agent.throttle_generation or agent.circuit is None:
        return
    try:
        rates = parse_throttles(throttle["Throttles"])
    except ValueError:
        sim.metrics.count("messages_dropped", label="malformed")
        return
    agent.throttle_generation = throttle["GenCounter"]
    agent.circuit.set_throttles(rates)
