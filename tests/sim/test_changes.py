"""Changes are noted once and read by each reader in its own time."""

from __future__ import annotations

from uuid import uuid4

from sim.actions import animate
from sim.clock import ManualClock
from sim.physics.avatars import note_motions
from sim.region import Region, Settings
from sim.world.agent import Agent
from sim.world.changes import EVERYTHING, Log, What
from sim.world.terrain import Terrain
from sim.world.world import RegionFacts, World


def test_each_reader_finds_what_it_cares_for_once() -> None:
    log: Log[str] = Log()
    bodies, store = log.reader(What.SHAPE | What.SCALE), log.reader()
    log.note("box", What.SHAPE)
    log.note("box", What.NAME)
    log.note("ball", What.NAME)
    assert bodies.take() == {"box": What.SHAPE}
    assert bodies.take() == {}
    log.note("box", What.SCALE)
    assert store.take() == {"box": What.SHAPE | What.NAME | What.SCALE, "ball": What.NAME}
    assert bodies.take() == {"box": What.SCALE}


def test_a_reader_begins_with_what_comes_after_it() -> None:
    log: Log[str] = Log()
    log.note("box", What.NAME)
    late = log.reader()
    assert len(late) == 0
    log.note("box", What.SHAPE)
    assert len(late) == 1 and late.take() == {"box": What.SHAPE}


def test_the_last_who_changed_a_thing_is_known() -> None:
    log: Log[str] = Log()
    store = log.reader()
    anna, ben = uuid4(), uuid4()
    log.note("box", What.NAME, anna)
    log.note("box", What.SHAPE, ben)
    log.note("box", What.PLACE)
    log.note("ball", What.PLACE)
    assert store.take_with_authors() == {"box": (What.NAME | What.SHAPE | What.PLACE, ben), "ball": (What.PLACE, None)}
    assert store.take_with_authors() == {}


def test_everything_is_every_flag() -> None:
    assert all(flag in EVERYTHING for flag in What)


def test_what_becomes_of_an_agent_is_noted() -> None:
    facts = RegionFacts(uuid4(), "Here", 1000, 1000)
    region = Region(Settings(facts.region_id, facts.name, 1000, 1000, 0), ManualClock(), World(facts, Terrain.natural(1000, 1000, 1)))
    world = region.world
    agent = Agent(uuid4(), uuid4(), uuid4(), 1, "Anna", "Tester")
    changes, gone = world.changes.agents.reader(), []
    world.changes.agents.at_once(What.GONE, lambda one, _: gone.append(one.local_id))
    world.agents[agent.agent_id] = agent
    world.embody(agent, (128.0, 128.0, 25.0))
    local_id = agent.local_id
    assert changes.take() == {agent: What.MADE}
    animate.start(region, agent, uuid4())
    world.avatars.rows["motion_changed"][agent.row] = 1
    note_motions(world)
    assert changes.take() == {agent: What.MOTION}
    note_motions(world)
    assert not changes.take()
    world.remove(agent)
    assert changes.take() == {agent: What.GONE} and gone == [local_id]  # as viewers know it
