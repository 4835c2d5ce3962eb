"""Avatars on the ground, in the air, and at the edge of the region."""

from collections.abc import AsyncIterator
from uuid import uuid4

import numpy as np
import pytest

from sim.clock import STEP
from sim.physics.avatars import (
    AT_POS,
    FAST_AT,
    SIT_ON_GROUND,
    STAND_UP,
    UP_NEG,
    UP_POS,
)
from sim.world.agent import Agent
from sim.world.avatars import Motion
from sim.world.world import World
from tests.kit.world import TestSimulator, close_sim, make_sim

GROUND = 25.0


@pytest.fixture
async def sim() -> AsyncIterator[TestSimulator]:
    """A region of level land, with nobody in it."""
    region = make_sim()
    region.world.terrain.edit(0, 0, np.full((257, 257), GROUND, np.float32))
    yield region
    close_sim(region)


def place(world: World, x: float = 128.0, y: float = 128.0, above: float = 0.0) -> Agent:
    agent = Agent(uuid4(), uuid4(), uuid4(), 1, "Test", "Walker")
    world.agents[agent.agent_id] = agent
    world.embody(agent, (x, y, GROUND + 0.95 + above))
    return agent


def run(sim: TestSimulator, seconds: float) -> None:
    for _ in range(round(seconds / STEP)):
        sim.frame.step()


def turn(world: World, agent: Agent, yaw: float) -> None:
    world.row(agent)["rotation"] = (0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2))


def test_stands_still_on_the_ground(sim: TestSimulator) -> None:
    world = sim.world
    agent = place(world, above=0.3)
    run(sim, 2)
    assert world.position(agent) == pytest.approx((128, 128, GROUND + 0.95), abs=1e-3)
    assert world.row(agent)["motion"] == Motion.STANDING


@pytest.mark.parametrize(("running", "speed", "motion"), [(0, 3.2, Motion.WALKING), (1, 5.13, Motion.RUNNING)])
def test_walks_and_runs_at_the_published_speeds(sim: TestSimulator, running: int, speed: float, motion: Motion) -> None:
    world = sim.world
    agent = place(world)
    run(sim, 0.2)
    row = world.row(agent)
    row["running"] = running
    row["controls"] = AT_POS | FAST_AT
    run(sim, 1)
    x0 = world.position(agent)[0]
    run(sim, 2)
    assert world.position(agent)[0] - x0 == pytest.approx(2 * speed, rel=0.01)
    assert world.row(agent)["motion"] == motion
    row["controls"] = 0
    run(sim, 1)
    assert not world.row(agent)["velocity"].any()
    assert world.row(agent)["motion"] == Motion.STANDING


def test_walks_where_the_body_faces(sim: TestSimulator) -> None:
    world = sim.world
    agent = place(world)
    turn(world, agent, np.pi / 2)
    run(sim, 0.2)
    world.row(agent)["controls"] = AT_POS
    run(sim, 2)
    x, y, _ = world.position(agent)
    assert x == pytest.approx(128, abs=0.01)
    assert y > 133


def test_follows_a_slope_with_its_feet(sim: TestSimulator) -> None:
    world = sim.world
    world.terrain.heights[:] = (np.arange(257) * 0.3).astype(np.float32)[None, :] + 10
    agent = place(world, x=50, above=20)
    run(sim, 4)
    world.row(agent)["controls"] = AT_POS
    for _ in range(90):
        sim.frame.step()
        x, y, z = world.position(agent)
        assert z - 0.95 == pytest.approx(world.terrain.height(x, y), abs=0.02)
    assert world.position(agent)[0] > 55


def test_jumps_and_lands(sim: TestSimulator) -> None:
    world = sim.world
    agent = place(world)
    run(sim, 0.2)
    world.row(agent)["controls"] = UP_POS
    seen = set()
    top = 0.0
    for frame in range(120):
        if frame == 10:
            world.row(agent)["controls"] = 0
        sim.frame.step()
        seen.add(Motion(int(world.row(agent)["motion"])))
        top = max(top, world.position(agent)[2])
    assert {Motion.PRE_JUMP, Motion.JUMPING, Motion.FALLING, Motion.STANDING} <= seen
    assert 1.0 < top - (GROUND + 0.95) < 2.5
    assert world.position(agent)[2] == pytest.approx(GROUND + 0.95, abs=1e-3)


def test_falls_and_lands_hard(sim: TestSimulator) -> None:
    world = sim.world
    agent = place(world, above=30)
    run(sim, 0.7)
    assert world.row(agent)["motion"] == Motion.FALLING
    seen = set()
    for _ in range(200):
        sim.frame.step()
        seen.add(Motion(int(world.row(agent)["motion"])))
    assert Motion.LANDING in seen
    assert world.position(agent)[2] == pytest.approx(GROUND + 0.95, abs=1e-3)


def test_flies_hovers_and_comes_down(sim: TestSimulator) -> None:
    world = sim.world
    agent = place(world)
    row = world.row(agent)
    row["flying"] = 1
    row["controls"] = UP_POS
    run(sim, 2)
    height = world.position(agent)[2]
    assert height > GROUND + 5
    assert row["motion"] == Motion.HOVERING_UP
    row["controls"] = 0
    run(sim, 1.5)
    resting = world.position(agent)[2]
    run(sim, 2)
    assert world.position(agent)[2] == resting
    assert row["motion"] == Motion.HOVERING
    row["controls"] = AT_POS | FAST_AT
    run(sim, 1.5)
    assert np.linalg.norm(row["velocity"]) == pytest.approx(16, rel=0.01)
    assert row["motion"] == Motion.FLYING
    row["controls"] = UP_NEG
    run(sim, 10)
    assert world.position(agent)[2] >= GROUND + 0.94


def test_sits_on_the_ground_and_stands_up(sim: TestSimulator) -> None:
    world = sim.world
    agent = place(world)
    run(sim, 0.2)
    row = world.row(agent)
    row["controls"] = SIT_ON_GROUND
    run(sim, 0.1)
    row["controls"] = AT_POS  # keys do not move someone who sits
    run(sim, 1)
    assert row["motion"] == Motion.SITTING_GROUND
    assert world.position(agent)[:2] == (128.0, 128.0)
    row["controls"] = STAND_UP
    run(sim, 0.1)
    assert row["motion"] == Motion.STANDING_UP
    row["controls"] = 0
    run(sim, 2)
    assert row["motion"] == Motion.STANDING


@pytest.mark.parametrize("yaw", [0.0, np.pi / 2, np.pi, -np.pi / 2, np.pi / 4])
def test_stops_at_an_edge_with_nothing_behind(sim: TestSimulator, yaw: float) -> None:
    world = sim.world
    agent = place(world, x=128, y=128)
    turn(world, agent, yaw)
    world.row(agent)["running"] = 1
    world.row(agent)["controls"] = AT_POS
    run(sim, 45)
    x, y, _ = world.position(agent)
    assert 0 <= x < 256 and 0 <= y < 256


def test_walks_over_an_edge_with_a_neighbour(sim: TestSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    over: list[Agent] = []
    monkeypatch.setattr(sim.neighbours.crossing, "begin", over.append)
    world = sim.world
    world.open_sides[1, 2] = 1
    agent = place(world, x=254)
    world.row(agent)["controls"] = AT_POS
    run(sim, 1.5)
    assert world.position(agent)[0] > 256 and not over
    sim.neighbours.borders.run()
    assert over == [agent]
    world.row(agent)["held"] = 1
    where = world.position(agent)
    run(sim, 1)
    assert world.position(agent) == where


def test_a_corner_is_open_only_when_a_region_lies_there(sim: TestSimulator) -> None:
    world = sim.world
    world.open_sides[1, 2] = world.open_sides[2, 1] = 1  # east and north, not north-east
    agent = place(world, x=255.5, y=255.5)
    turn(world, agent, np.pi / 4)
    world.row(agent)["controls"] = AT_POS
    run(sim, 1)
    x, y, _ = world.position(agent)
    assert not (x >= 256 and y >= 256)


def test_still_avatars_stay_silent_and_stops_are_said_again(sim: TestSimulator) -> None:
    world = sim.world
    agent = place(world)
    run(sim, 2)
    row = world.row(agent)
    row["dirty"] = 0
    for name in ("position", "velocity", "acceleration", "rotation"):
        row[f"sent_{name}"] = row[name]
    row["sent_age"] = 0
    row["repeats"] = 0
    run(sim, 5)
    assert not row["dirty"]
    row["sent_velocity"] = (3.2, 0, 0)  # viewers believe it walks
    told = 0
    for _ in range(100):
        sim.frame.step()
        if row["dirty"]:
            told += 1
            for name in ("position", "velocity", "acceleration", "rotation"):
                row[f"sent_{name}"] = row[name]
            row["sent_age"] = 0
            row["dirty"] = 0
    assert told == 3


def test_rows_are_reused_and_grow(sim: TestSimulator) -> None:
    world = sim.world
    agents = [place(world, x=10 + i % 200, y=20) for i in range(300)]
    assert len({agent.row for agent in agents}) == 300
    assert len({agent.local_id for agent in agents}) == 300
    for agent in agents[100:]:
        world.remove(agent)
    assert world.avatars.count == 100
    again = place(world)
    assert again.local_id not in {agent.local_id for agent in agents}
    run(sim, 0.1)
