"""SimStats and Prometheus tell the same truth about objects, bodies, scripts and the frame."""

from __future__ import annotations

import logging

import pytest

from sim.frame import SLOW_FRAME
from sim.scenes import place
from sim.scenes.reading import parse
from tests.kit.world import add_root, region, settle

SCENE = """
origin = [128, 128, 'ground']
[[prim]]
position = [20, 0, 5]
grid = { count = [10, 3], step = [2, 2, 1] }
[[prim]]
position = [-20, 0, 5]
physical = true
grid = { count = [4, 1], step = [3, 2, 1] }
"""
TICKING = 'default { state_entry() { llSetTimerEvent(0.5); } timer() { integer i; for (i = 0; i < 50; ++i) { } } }'
TIME_DILATION, PRIMS, ACTIVE_PRIMS, ROOTS, CHILDREN, ACTIVE_SCRIPTS, SCRIPT_EVENTS = 0, 11, 12, 13, 14, 15, 31
SCRIPT_MS, PHYSICS_MS, BODIES_MS, SHAPES_MS, REST_MS, PACKETS_OUT = 10, 7, 27, 28, 29, 18


def run(sim, seconds):
    for _ in range(round(seconds * 45)):
        sim.frame.once(sim.clock.now())
        sim.clock.advance(1 / 45)


def stats(viewer):
    """The last SimStats a viewer heard: id -> value."""
    message = viewer.heard("SimStats")[-1]
    return {stat["StatID"]: stat["StatValue"] for stat in message["Stat"]}


async def test_the_figures_are_those_of_the_world():
    with region() as sim:
        place(sim.region, sim.scripts, parse(SCENE.encode(), "test.toml"))
        anna = add_root(sim, "Anna Tester", (100, 100, 30))
        await settle(sim)
        run(sim, 0.5)
        assert (sim.metrics.gauges | sim.gauges.measure())["prims_active"] == 4  # in the air
        prim = next(prim for prim in sim.world.objects.roots() if not prim.physical)
        adding = sim.spawn(sim.scripts.add(prim, TICKING), "script")
        script = await adding
        await settle(sim)
        run(sim, 10)
        figures = stats(anna)
        assert figures[PRIMS] == 34 and figures[ACTIVE_PRIMS] == 1  # all rest by now; one holds a script
        assert (figures[ROOTS], figures[CHILDREN]) == (1, 0)
        assert figures[ACTIVE_SCRIPTS] == 1 and figures[SCRIPT_EVENTS] == pytest.approx(2, abs=0.4)
        assert figures[PACKETS_OUT] == 0  # the test's viewer has no line; but the figure is there
        said = sim.gauges.measure()
        assert said["prims"] == 34 and said["prims_physical"] == 4 and said["prims_active"] == 1
        assert said["bodies"] == 34 and said["bodies_awake"] == 0
        assert said["scripts"] == said["scripts_running"] == 1 and said["scripts_waiting"] == 0
        script.set_running(False)
        assert sim.gauges.measure()["scripts_running"] == 0 and sim.gauges.measure()["scripts"] == 1
        text = sim.metrics.exposition().decode()
        assert 'mainland_sim_prims{region="Here"} 34.0' in text
        assert 'mainland_sim_script_events_total{region="Here"}' in text


async def test_stage_times_are_shared_out_by_name(monkeypatch):
    with region() as sim:
        anna = add_root(sim, "Anna Tester", (100, 100, 30))
        await settle(sim)
        run(sim, 4)

        def takes(seconds):
            return lambda *_: sim.clock.advance(seconds)

        monkeypatch.setattr(sim.bodies.engine, "step", takes(0.0025))
        monkeypatch.setattr(sim.seating, "follow", takes(0.001))
        monkeypatch.setattr(sim.bodies.solids, "step", takes(0.0005))
        monkeypatch.setattr(sim.scripts, "run", takes(0.002))
        run(sim, 6)
        figures = stats(anna)
        assert figures[PHYSICS_MS] == pytest.approx(4, rel=0.4) and figures[SCRIPT_MS] == pytest.approx(2, rel=0.4)
        parts = [figures[BODIES_MS], figures[REST_MS], figures[SHAPES_MS]]
        assert sum(parts) == pytest.approx(figures[PHYSICS_MS], rel=1e-3)
        assert [part / figures[PHYSICS_MS] for part in parts] == pytest.approx([0.625, 0.25, 0.125], rel=0.05)


async def test_a_slow_frame_names_its_stage_once_a_second(caplog, monkeypatch):
    with region() as sim:
        run(sim, 1)
        monkeypatch.setattr(sim.scripts, "run", lambda: sim.clock.advance(2 * SLOW_FRAME))
        with caplog.at_level(logging.WARNING, "sim.frame"):
            for _ in range(20):
                sim.frame.once(sim.clock.now())
        lines = [record.getMessage() for record in caplog.records]
        assert lines[0] == "slow frame: 100 ms, 100 of them in scripts"
        assert len(lines) == 2 and lines[1].endswith("in scripts; 10 since the last of these lines")
        assert sim.metrics.value("slow_frames", "scripts") == 20
