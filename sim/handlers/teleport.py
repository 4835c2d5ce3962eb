"""Teleports as viewers ask for them. What happens then is in `sim/neighbours/teleport.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.message import Message, text
from protocol.wellknown import NULL
from sim.handlers import COSTLY, OPEN, ROOT, handles

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

TARGET_LIMIT = 16  # people one lure may invite


@handles("TeleportLocationRequest", state=ROOT, rate=COSTLY)
def teleport_location_request(sim: Parts, agent: Agent, message: Message) -> None:
    info = message["Info"]
    sim.neighbours.teleports.to_handle(agent, info["RegionHandle"], info["Position"], info["LookAt"])


@handles("TeleportRequest", state=ROOT, rate=COSTLY)
def teleport_request(sim: Parts, agent: Agent, message: Message) -> None:
    info = message["Info"]
    sim.neighbours.teleports.to_region_id(agent, info["RegionID"], info["Position"], info["LookAt"], 0x1000)


@handles("TeleportLandmarkRequest", state=ROOT, rate=COSTLY)
def teleport_landmark_request(sim: Parts, agent: Agent, message: Message) -> None:
    info = message["Info"]
    if info["AgentID"] != agent.agent_id or info["SessionID"] != agent.session_id:
        sim.metrics.count("messages_dropped", label="wrong session")
    elif info["LandmarkID"] == NULL:
        sim.spawn(sim.neighbours.teleports.home(agent), "teleport")
    else:
        sim.spawn(sim.neighbours.teleports.landmark(agent, info["LandmarkID"]), "teleport")


@handles("StartLure", state=ROOT, rate=COSTLY)
def start_lure(sim: Parts, agent: Agent, message: Message) -> None:
    targets = [block["TargetID"] for block in message["TargetData"][:TARGET_LIMIT]]
    sim.spawn(sim.neighbours.teleports.offer_lure(agent, targets, text(message["Info"]["Message"])[:1023]), "lure")


@handles("TeleportCancel", state=OPEN, rate=COSTLY)
def teleport_cancel(sim: Parts, agent: Agent, message: Message) -> None:
    info = message["Info"]
    if info["AgentID"] != agent.agent_id or info["SessionID"] != agent.session_id:
        sim.metrics.count("messages_dropped", label="wrong session")
        return
    sim.neighbours.teleports.cancel(agent)


@handles("TeleportLureRequest", state=OPEN, rate=COSTLY)
def teleport_lure_request(sim: Parts, agent: Agent, message: Message) -> None:
    info = message["Info"]  # without an AgentData block: checked here instead
    if info["AgentID"] != agent.agent_id or info["SessionID"] != agent.session_id or agent.child:
        sim.metrics.count("messages_dropped", label="wrong session")
        return
    sim.neighbours.teleports.take_lure(agent, info["LureID"])
