"""Click to walk: there, by the world's step, until a key of one's own."""

from __future__ import annotations

import math

import pytest

from protocol.message import Message
from sim.physics.autopilot import NEAR, PATIENCE, End
from sim.world.agent import Vector
from tests.kit.joined import agents_of, joined, look_in, run
from tests.kit.world import TestSimulator, Viewer, add_root, close_sim

FLY = 0x2000


@pytest.fixture(autouse=True)
async def flat(sim: TestSimulator) -> None:
    sim.world.terrain.heights[:] = 25.0
    sim.world.terrain.revision += 1


def click(viewer: Viewer, *place: object) -> None:
    parameters = [{"Parameter": str(one)} for one in place]
    viewer.sends(Message("GenericMessage", MethodData={"Method": "autopilot"}, ParamList=parameters))


def keys(viewer: Viewer, flags: int) -> None:
    viewer.sends(Message("AgentUpdate", AgentData={"ControlFlags": flags}))


def walk(sim: TestSimulator, seconds: float) -> None:
    for _ in range(round(seconds * 45)):
        sim.clock.advance(1 / 45)
        sim.frame.once(sim.clock.now())


def gap(viewer: Viewer, place: Vector) -> float:
    return math.dist(viewer.sim.world.position(viewer.agent)[:2], place[:2])


async def test_many_walk_each_to_its_own_place_while_their_viewers_say_nothing_of_it(sim: TestSimulator) -> None:
    people = [add_root(sim, position=(100.0 + 3 * n, 100.0, 26.0)) for n in range(12)]
    places = [(100.0 + 3 * n + 5 * math.sin(n), 108.0 + n / 2, 25.0) for n in range(12)]
    west, south = sim.world.facts.corner
    for viewer, (x, y, z) in zip(people, places, strict=True):
        click(viewer, west + x, south + y, z)
    for _ in range(14):
        for viewer in people:
            keys(viewer, 0)  # as viewers do all the time, turned to wherever they look
        walk(sim, 0.5)
    for viewer, place in zip(people, places, strict=True):
        assert gap(viewer, place) < NEAR + 0.3 and viewer.agent not in sim.autopilot
        assert not sim.world.row(viewer.agent)["controls"] and not sim.world.row(viewer.agent)["velocity"].any()


@pytest.mark.parametrize("key", [0x1, 0x2, 0x4, 0x8, 0x10, 0x80000, 0x4000, 0x20000])
async def test_a_key_of_ones_own_ends_it(sim: TestSimulator, key: int) -> None:
    anna = add_root(sim, position=(100, 100, 26))
    click(anna, 256_000 + 150, 256_000 + 100, 25)
    walk(sim, 1.0)
    here = sim.world.position(anna.agent)
    assert here[0] > 102
    keys(anna, key)
    walk(sim, 0.1)
    keys(anna, 0)
    walk(sim, 3.0)
    assert math.dist(here, sim.world.position(anna.agent)) < 3 and anna.agent not in sim.autopilot


async def test_the_newest_click_counts(sim: TestSimulator) -> None:
    anna = add_root(sim, position=(100, 100, 26))
    click(anna, 256_150, 256_100, 25)
    walk(sim, 0.5)
    click(anna, 256_100, 256_110, 25)
    walk(sim, 6.0)
    assert gap(anna, (100, 110, 25)) < NEAR + 0.3


async def test_who_flies_goes_up_and_down_too(sim: TestSimulator) -> None:
    anna = add_root(sim, position=(100, 100, 40))
    keys(anna, FLY)
    click(anna, 256_120, 256_100, 60)
    walk(sim, 8.0)
    x, y, z = sim.world.position(anna.agent)
    assert math.hypot(x - 120, y - 100) < 2 and abs(z - 60) < 2
    assert sim.world.row(anna.agent)["controls"] == FLY


async def test_where_no_way_leads_it_ends(sim: TestSimulator) -> None:
    anna = add_root(sim, position=(100, 250, 26))
    told: list[End] = []
    sim.autopilot.go(anna.agent, (100.0, 300.0, 25.0), then=told.append)  # no region lies there
    walk(sim, 4.0 + PATIENCE)
    assert told == [End.STUCK] and not sim.world.row(anna.agent)["controls"]


async def test_whoever_leaves_walks_no_more_nor_does_who_comes_after(sim: TestSimulator) -> None:
    anna = add_root(sim, position=(100, 100, 26))
    click(anna, 256_150, 256_100, 25)
    walk(sim, 0.2)
    row = anna.agent.row
    sim.sessions.kick(anna.agent, "gone")
    bert = add_root(sim, position=(100, 100, 26))
    assert bert.agent.row == row
    walk(sim, 2.0)
    assert gap(bert, (100, 100, 26)) < 0.5


@pytest.mark.parametrize("place", [(), ("x", "y", "z"), (1, 2), ("nan", "nan", "nan"), ("inf", 0, 0), (1e30, 0, 0), (-1e9, 0, 0)])
async def test_nowhere_is_dropped(sim: TestSimulator, place: tuple[object, ...]) -> None:
    anna = add_root(sim, position=(100, 100, 26))
    click(anna, *place)
    assert anna.agent not in sim.autopilot and sim.metrics.value("messages_dropped", "malformed") == 1


async def test_a_walk_over_a_border_ends_on_the_other_side() -> None:
    regions = joined((1000, 1000), (1001, 1000))
    west, east = regions
    try:
        anna = add_root(west, position=(250, 100, 26))
        look_in(anna, east)
        click(anna, 256_000 + 256 + 30, 256_000 + 100, 25)
        await run(regions, 6.0)
        assert agents_of(regions, anna.id) == [east]
        agent = east.world.agents[anna.id]
        row = east.world.row(agent)
        assert not row["controls"] & 0x1 and not row["velocity"][:2].any() and east.world.position(agent)[0] < 30
        assert anna.agent not in west.autopilot
    finally:
        for one in regions:
            close_sim(one)
