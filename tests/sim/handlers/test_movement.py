"""AgentUpdate and the rest of what keys and cameras say."""

from __future__ import annotations

import math
from typing import Any

import pytest

from protocol.message import Message, text
from sim.handlers.movement import FLY, SIT_ON_GROUND, STAND_UP, upright
from tests.kit.world import TestSimulator, Viewer, add_child, add_root


def update(viewer: Viewer, **fields: Any) -> None:
    viewer.sends(Message("AgentUpdate", AgentData=fields))


async def test_keys_are_a_state(sim: TestSimulator) -> None:
    anna = add_root(sim)
    update(anna, ControlFlags=0x1)
    assert sim.world.row(anna.agent)["controls"] == 0x1
    sim.world.time += 1
    update(anna, ControlFlags=0)
    assert sim.world.row(anna.agent)["controls"] == 0
    assert anna.agent.updates_seen == 2


async def test_a_press_between_two_steps_is_not_lost(sim: TestSimulator) -> None:
    anna = add_root(sim)
    update(anna, ControlFlags=SIT_ON_GROUND)
    update(anna, ControlFlags=0x1)
    assert sim.world.row(anna.agent)["controls"] == SIT_ON_GROUND | 0x1
    update(anna, ControlFlags=STAND_UP)
    assert sim.world.row(anna.agent)["controls"] == STAND_UP
    sim.world.time += 1
    update(anna, ControlFlags=0)
    assert sim.world.row(anna.agent)["controls"] == 0


async def test_fly_is_a_state_and_the_body_stands_upright_on_the_ground(sim: TestSimulator) -> None:
    anna = add_root(sim)
    leaning = (0.3, 0.2, 0.5, math.sqrt(1 - 0.09 - 0.04 - 0.25))
    update(anna, BodyRotation=leaning)
    row = sim.world.row(anna.agent)
    assert row["rotation"].tolist() == pytest.approx(upright(leaning), abs=1e-6)
    assert row["rotation"][0] == row["rotation"][1] == 0
    update(anna, BodyRotation=leaning, ControlFlags=FLY)
    assert row["flying"] == 1
    assert row["rotation"].tolist() == pytest.approx(leaning, abs=1e-6)
    update(anna, BodyRotation=leaning)
    assert row["flying"] == 0


def test_upright_of_a_body_on_its_head() -> None:
    assert upright((1.0, 0.0, 0.0, 0.0)) == (0.0, 0.0, 0.0, 1.0)


async def test_zeros_from_a_client_without_camera(sim: TestSimulator) -> None:
    """hippolyzer's first AgentUpdate: Far 0 must not mean that it sees nothing."""
    anna = add_root(sim)
    before = anna.agent.camera.center
    update(anna)
    assert anna.agent.camera.far == 64.0
    assert anna.agent.camera.center == before


async def test_the_camera_is_bounded(sim: TestSimulator) -> None:
    anna = add_root(sim)
    update(anna, Far=1e30, CameraCenter=(1e30, 0.0, 0.0))
    assert anna.agent.camera.far == 1024.0
    assert anna.agent.camera.center[0] < 1e4
    update(anna, Far=-3.0, CameraCenter=(10.0, 20.0, 30.0))
    assert anna.agent.camera.far == 64.0
    assert anna.agent.camera.center == (10.0, 20.0, 30.0)


async def test_a_child_moves_its_camera_only(sim: TestSimulator) -> None:
    child = add_child(sim)
    update(child, ControlFlags=1, CameraCenter=(-10.0, 20.0, 30.0))
    assert child.agent.camera.center == (-10.0, 20.0, 30.0)
    assert child.agent.child


async def test_running(sim: TestSimulator) -> None:
    anna = add_root(sim)
    anna.sends(Message("SetAlwaysRun", AgentData={"AlwaysRun": True}))
    assert sim.world.row(anna.agent)["running"] == 1


async def test_sitting_on_what_is_not_there_is_said(sim: TestSimulator) -> None:
    anna = add_root(sim)
    anna.sends(Message("AgentRequestSit"))
    anna.sends(Message("AgentSit"))
    (alert,) = anna.heard("AlertMessage")
    assert "not here" in text(alert["AlertData"]["Message"])


async def test_window_reports_change_nothing_else(sim: TestSimulator) -> None:
    anna = add_root(sim)
    anna.sends(Message("AgentFOV", FOVBlock={"VerticalAngle": 1.1}))
    anna.sends(Message("AgentHeightWidth", HeightWidthBlock={"Height": 600, "Width": 800}))
    anna.sends(Message("AgentPause"))
    anna.sends(Message("AgentResume"))
    assert not sim.metrics.labelled["handler_errors"]
