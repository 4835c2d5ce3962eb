"""Sitting on objects, as viewers ask for it: AgentRequestSit, answered with AvatarSitResponse, then AgentSit.

Standing up is a key (AgentUpdate), and so is sitting down on the ground.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from protocol.message import Message
from sim.actions.outcome import Refused
from sim.actions.sit import OUT_OF_REACH
from sim.handlers import CONTROL, NEAR, handles
from sim.handlers.editors import tell
from sim.handlers.replies import alert, send
from sim.physics.autopilot import End
from sim.world.objects import rotate

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent, Vector
    from sim.world.objects import Prim
    from sim.world.seats import Seat

CLOSE = 1.5  # metres from what one walks to for sitting down
PATIENCE = 10.0  # seconds between the halves, in whichever order they come


@handles("AgentRequestSit", state=NEAR, rate=CONTROL)
def agent_request_sit(sim: Parts, agent: Agent, message: Message) -> None:
    block = message["TargetObject"]
    prim = sim.world.objects.by_id.get(block["TargetID"])
    if prim is None:
        sim.metrics.count("messages_dropped", label="no such object")
        alert(agent, "There is nothing to sit on: the object is not here any more.")
        return
    if agent.journey.crossing:
        return
    seat = sim.seating.find(agent, prim, block["Offset"])
    if seat == OUT_OF_REACH:
        _walk_there(sim, agent, prim, block["Offset"])
        return
    if isinstance(seat, Refused):
        tell(sim, agent, seat)
        return
    send(agent, _response(seat))
    agent.sit_asked = (prim, block["Offset"], sim.clock.now())
    # Both halves travel reliably, but over a bad line the second may come first.
    early, agent.sit_early = agent.sit_early, -math.inf
    if sim.clock.now() - early < PATIENCE:
        agent_sit(sim, agent, message)


@handles("AgentSit", state=NEAR, rate=CONTROL)
def agent_sit(sim: Parts, agent: Agent, message: Message) -> None:
    """Down on what was asked for. The place is looked for again: somebody may have been quicker."""
    request, agent.sit_asked = agent.sit_asked, None
    if request is None:
        agent.sit_early = sim.clock.now()
        return
    prim, point, asked = request
    if sim.clock.now() - asked > PATIENCE or prim.row < 0 or agent.journey.crossing:
        return
    seat = sim.seating.find(agent, prim, point)
    if isinstance(seat, Refused):
        tell(sim, agent, seat)
    else:
        sim.seating.sit(agent, seat)


def _walk_there(sim: Parts, agent: Agent, prim: Prim, point: Vector) -> None:
    """From afar: walk to the seat, then sit down. Whoever touches a key meanwhile stays standing."""

    def arrived(end: End) -> None:
        if end is End.GIVEN_UP or prim.row < 0 or not agent.root or agent.journey.crossing:
            return
        seat = sim.seating.find(agent, prim, point)
        if isinstance(seat, Refused):
            tell(sim, agent, seat)
            return
        send(agent, _response(seat))
        sim.seating.sit(agent, seat)

    base, turn = sim.world.objects.world_place(prim)
    x, y, z = rotate(turn, point)
    sim.autopilot.go(agent, (base[0] + x, base[1] + y, base[2] + z), CLOSE, arrived)


def _response(seat: Seat) -> Message:
    return Message(
        "AvatarSitResponse",
        SitObject={"ID": seat.prim.full_id},
        SitTransform={
            "AutoPilot": False,
            "SitPosition": seat.offset,
            "SitRotation": seat.turn,
            "CameraEyeOffset": seat.prim.rare.camera_eye,
            "CameraAtOffset": seat.prim.rare.camera_at,
            "ForceMouselook": seat.prim.rare.mouselook,
        },
    )
