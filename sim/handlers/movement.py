"""What the user's keys, mouse and camera say. The physics step moves the avatar by it.

AgentUpdate carries the *state* of the keys, not presses: movement goes on while the latest one has the bit. A few bits
are presses all the same (sit down, stand up, a tap on jump): two AgentUpdates may arrive between two steps of the
world, and what the first of them pressed must not be lost.

Most AgentUpdates never come here: `circuits/fastpath.py` does the same as `agent_update` for the plain ones of a root
agent, once one has come here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from protocol.message import Message
from sim.handlers import CONTROL, OPEN, ROOT, handles
from sim.handlers.generic import generic
from sim.world.agent import CAMERA_LIMIT, MAXIMUM_DRAW_DISTANCE, MINIMUM_DRAW_DISTANCE, Vector
from sim.world.avatars import FLY, PRESSES, SIT_ON_GROUND, STAND_UP

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

@handles("AgentUpdate", state=OPEN, rate=CONTROL)
def agent_update(sim: Parts, agent: Agent, message: Message) -> None:
    update = message["AgentData"]
    agent.updates_seen += 1
    sim.metrics.plain["agent_updates"] += 1
    _move_camera(agent, update)
    if agent.child:
        return
    world = sim.world
    row = world.row(agent)
    controls = update["ControlFlags"]
    if agent.circuit is not None:
        fast = sim.circuits.fast
        fast.learn(agent.circuit, agent.row, agent.local_id)
        column = fast.slots["controls_time"]
        if column[agent.circuit.slot] == world.time:  # no step has seen the last one yet
            controls = _keep_presses(int(row["controls"]), controls)
        column[agent.circuit.slot] = world.time
    row["controls"] = controls
    flying = bool(controls & FLY)
    if not row["sitting"]:
        row["flying"] = flying
        row["rotation"] = update["BodyRotation"] if flying else upright(update["BodyRotation"])


def _keep_presses(before: int, now: int) -> int:
    kept = before & PRESSES
    if now & STAND_UP:
        kept &= ~SIT_ON_GROUND
    if now & SIT_ON_GROUND:
        kept &= ~STAND_UP
    return now | kept


def upright(rotation: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The turn about the vertical that is in a rotation (x y z w): on the ground an avatar does not lean."""
    _, _, z, w = rotation
    length = math.hypot(z, w)
    if length < 1e-6:  # on its head: no direction to keep
        return 0.0, 0.0, 0.0, 1.0
    return 0.0, 0.0, z / length, w / length


def _move_camera(agent: Agent, update: dict[str, Any]) -> None:
    camera = agent.camera
    center: Vector = update["CameraCenter"]
    # A client that never sets its camera sends the origin; its avatar is the better guess of where it looks from.
    if center != (0.0, 0.0, 0.0) and all(abs(part) < CAMERA_LIMIT for part in center):
        camera.center = center
        camera.at = update["CameraAtAxis"]
        camera.left = update["CameraLeftAxis"]
        camera.up = update["CameraUpAxis"]
    camera.far = min(max(update["Far"], MINIMUM_DRAW_DISTANCE), MAXIMUM_DRAW_DISTANCE)
    if agent.camera_row is not None:  # the next one by the fast path may leave some of it as it is
        agent.camera_row[1:] = (*camera.center, *camera.at, *camera.left, *camera.up, camera.far)


@generic("autopilot")
def autopilot(sim: Parts, agent: Agent, parameters: list[str]) -> None:
    """Click to walk: x, y, z in metres of the grid. Where that is beyond a border, the walk ends as the border is crossed."""
    x, y, z = (float(part) for part in parameters[:3])
    west, south = sim.world.facts.corner
    target = (x - west, y - south, z)
    if not all(abs(part) <= CAMERA_LIMIT for part in target):  # nor what is no number
        raise ValueError("nowhere near")
    if agent.root and not agent.journey.crossing:
        sim.autopilot.go(agent, target)


@handles("SetAlwaysRun", state=ROOT, rate=CONTROL)
def set_always_run(sim: Parts, agent: Agent, message: Message) -> None:
    sim.world.row(agent)["running"] = message["AgentData"]["AlwaysRun"]


@handles("AgentFOV", state=OPEN, rate=CONTROL)
def agent_fov(sim: Parts, agent: Agent, message: Message) -> None:
    angle = message["FOVBlock"]["VerticalAngle"]
    if 0.0 < angle < math.pi:
        agent.screen.field_of_view = angle


@handles("AgentHeightWidth", state=OPEN, rate=CONTROL)
def agent_height_width(sim: Parts, agent: Agent, message: Message) -> None:
    block = message["HeightWidthBlock"]
    agent.screen.width, agent.screen.height = block["Width"], block["Height"]


@handles("AgentPause", state=OPEN, rate=CONTROL)
def agent_pause(sim: Parts, agent: Agent, message: Message) -> None:
    """The viewer is busy (a file dialog, a slow start) and will not draw for a while; its circuit stays."""
    agent.screen.paused = True


@handles("AgentResume", state=OPEN, rate=CONTROL)
def agent_resume(sim: Parts, agent: Agent, message: Message) -> None:
    agent.screen.paused = False
