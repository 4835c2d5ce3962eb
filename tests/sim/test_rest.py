"""A region in which nothing can happen rests its frames, and nobody can tell but by what it costs."""

from __future__ import annotations

import asyncio
import socket
import time
from functools import partial
from uuid import uuid4

import pytest
from aiohttp.test_utils import make_mocked_request

from sim import frame
from sim.clock import STEP, ManualClock, Metronome
from sim.physics.asset_solids import SCULPT
from sim.rest import BUNDLE
from sim.scenes import place
from sim.scenes.reading import parse
from sim.world.changes import What
from tests.kit.waiting import eventually
from tests.kit.world import add_root, region, settle

FALLING = "origin = [128, 128, 'ground']\n[[prim]]\nposition = [0, 0, 4]\nphysical = true\n"
TICKING = "default { state_entry() { llSetTimerEvent(0.7); } timer() { } }"


class Drum:
    """A metronome on the simulator's manual clock, beaten by the test."""

    clock: ManualClock
    began: float

    def __init__(self, beat):
        self.beat, self.told, self.next = beat, 0, 1
        self.ran: list[int] = []  # steps passed at the end of each frame that was run

    def rest(self, beats):
        self.next = self.told + beats

    def wake(self, most):
        due = min(self.number() - self.told, most)
        self.told += due
        self.next = self.told + 1
        return due

    def close(self):
        pass

    def number(self):
        return int((self.clock.now() - self.began) / STEP + 1e-6)

    def pass_time(self, seconds):
        """Time passes, and the region is called as the kernel would call it."""
        end = self.clock.now() + seconds
        while self.began + self.next * STEP < end + 1e-9:
            self.clock.advance(self.began + self.next * STEP - self.clock.now())
            due, self.told = self.next - self.told, self.next
            self.next += 1
            self.beat(due)
        self.clock.advance(end - self.clock.now())


@pytest.fixture
def started(monkeypatch):
    """Run a region's frames on a drum."""
    monkeypatch.setattr(frame, "Metronome", Drum)
    running = []

    async def start(sim, rests=True):
        if not rests:
            monkeypatch.setattr(sim.rest, "consider", lambda: None)
        once = sim.frame.once
        running.append(asyncio.get_running_loop().create_task(sim.frame.run()))
        await asyncio.sleep(0)
        drum = sim.rest._metronome
        drum.clock, drum.began = sim.clock, sim.clock.now()
        monkeypatch.setattr(sim.frame, "once", lambda now: (once(now), drum.ran.append(round(sim.world.time / STEP))))
        return drum

    return start


async def stop(sim):
    sim.frame.stop()
    await settle(sim)


async def test_world_time_frames_and_steps_go_on_exactly(started):
    with region() as quiet, region() as awake:
        ran = []
        for sim, rests in ((quiet, True), (awake, False)):
            drum = await started(sim, rests)
            drum.pass_time(10.0)
            sim.rest.wake()
            ran.append(len(drum.ran))
        assert ran[0] <= 40 and ran[1] == 450
        assert quiet.world.time == awake.world.time == pytest.approx(10.0)
        for name in ("frames", "steps"):
            assert quiet.metrics.value(name) == awake.metrics.value(name) == 450
        assert quiet.metrics.value("frames_rested") == 450 - ran[0] and not quiet.metrics.value("frames_late")
        assert (
            quiet.gauges.measure()["frames_per_second"]
            == pytest.approx(45)
            == quiet.gauges.measure()["steps_per_second"]
        )
        assert quiet.world.dilation == pytest.approx(1.0, abs=0.001)
        await stop(quiet), await stop(awake)


def note(seen, sim):
    seen.append(sim.pace.number)


def run_and_note(ticks, sim, run):
    before = sim.metrics.value("script_events")
    run()
    if sim.metrics.value("script_events") > before:
        ticks.append((sim.pace.number, sim.world.time))


async def test_a_timer_and_a_script_come_in_the_frame_they_would_have_come_in(started, monkeypatch):
    came = []
    for rests in (False, True):
        with region() as sim:
            place(sim.region, sim.scripts, parse(FALLING.replace("physical = true\n", "").encode(), "test.toml"))
            (prim,) = sim.world.objects.roots()
            await sim.scripts.add(prim, TICKING)
            drum = await started(sim, rests)
            drum.pass_time(0.5)
            seen: list[int] = []
            for seconds in (0.1, 0.31, 1.0, 2 * STEP, 3.9):
                sim.after(seconds, partial(note, seen, sim))
            ticks: list[tuple[int, float]] = []
            monkeypatch.setattr(sim.scripts, "run", partial(run_and_note, ticks, sim, sim.scripts.run))
            drum.pass_time(6.0)
            came.append((seen, ticks))
            assert len(seen) == 5 and len(ticks) == 9
            assert len(drum.ran) < 80 if rests else len(drum.ran) > 280
            await stop(sim)
            sim.scripts.close()
    assert came[0] == came[1]


async def test_the_first_datagram_wakes_it_and_is_read_with_the_next_beat(started):
    with region() as sim:
        drum = await started(sim)
        drum.pass_time(1.03)
        ran, before = len(drum.ran), sim.world.time
        drum.clock.advance(0.2)  # it rests: the kernel's timer has nothing to say yet
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"anybody?", ("127.0.0.1", sim.port))
            await eventually(lambda: sim.world.time > before)
        assert sim.world.time == pytest.approx(sim.clock.now() - drum.began, abs=STEP)
        assert len(drum.ran) == ran and not sim.metrics.value("packets_in")
        drum.pass_time(STEP)
        assert len(drum.ran) == ran + 1 and sim.metrics.value("packets_in") == 1
        drum.pass_time(2.0)
        assert len(drum.ran) < ran + 20  # and it rests again
        await stop(sim)


async def test_requests_errands_and_agents_keep_it_awake(started):
    with region() as sim:
        drum = await started(sim)

        def frames():
            """Those run in a second."""
            before = len(drum.ran)
            drum.pass_time(1.0)
            return len(drum.ran) - before

        assert frames() < 10
        answer = asyncio.Event()

        async def slow(request):
            await answer.wait()

        request = make_mocked_request("GET", "/")
        served = asyncio.get_running_loop().create_task(sim.cap_server._awake(request, slow))
        await asyncio.sleep(0)
        assert frames() == 45
        answer.set()
        await served
        assert frames() < 10
        done = asyncio.Event()
        errand = sim.spawn(done.wait(), "errand")
        standing = sim.spawn(asyncio.Event().wait(), "standing", standing=True)
        assert frames() == 45
        done.set()
        await errand
        await asyncio.sleep(0)
        assert not standing.done() and frames() < 10
        standing.cancel()
        anna = add_root(sim, "Anna Tester", (100, 100, 30))
        await settle(sim)
        sim.rest.wake()  # as the request that announced her would have
        assert frames() == 45
        sim.sessions.kick(anna.agent, "bye")
        await settle(sim)
        frames()
        assert frames() < 10
        await stop(sim)


async def test_what_falls_is_awake_until_it_lies(started):
    with region() as sim:
        place(sim.region, sim.scripts, parse(FALLING.encode(), "test.toml"))
        (prim,) = sim.world.objects.roots()
        drum = await started(sim)
        drum.pass_time(1.0)
        assert len(drum.ran) == 45
        drum.pass_time(5.0)
        x, y, z = sim.world.objects.row(prim)["position"].tolist()
        assert z == pytest.approx(sim.world.terrain.height(x, y) + 0.25, abs=0.05)
        before = len(drum.ran)
        drum.pass_time(1.0)
        assert len(drum.ran) - before < 10
        sim.world.terrain.edit(0, 0, sim.world.terrain.heights - 1.0)  # the ground under it sinks
        sim.rest.wake()
        drum.pass_time(0.5)
        assert sim.world.objects.row(prim)["position"][2] < z - 0.5
        await stop(sim)


async def test_a_solid_that_is_wanted_is_fetched_at_once(started):
    with region() as sim:
        place(sim.region, sim.scripts, parse(FALLING.replace("physical = true\n", "").encode(), "test.toml"))
        (prim,) = sim.world.objects.roots()
        drum = await started(sim)
        drum.pass_time(1.0)
        prim.extra_params[SCULPT] = uuid4().bytes + b"\x01"
        with sim.rest.held():  # as the request that changed it would
            sim.world.changes.prims.note(prim, What.BODY)
        before = len(drum.ran)
        drum.pass_time(0.5)
        assert sim.region.tasks.errands == 1 and len(drum.ran) - before == 22
        await eventually(lambda: not sim.region.tasks.errands)
        assert sim.metrics.value("asset_solids", "missing") == 1  # it will be asked for again, a minute later
        drum.pass_time(1.0)
        before = len(drum.ran)
        drum.pass_time(1.0)
        assert len(drum.ran) - before < 10
        await stop(sim)


async def test_a_loop_held_up_while_it_rests_loses_no_beat(started):
    with region() as sim:
        drum = await started(sim)
        drum.pass_time(1.0)
        number = sim.pace.number
        sim.clock.advance(0.8)  # nobody beat the drum: frames that rested, and more that did not
        sim.rest.wake()
        assert number < sim.pace.number < number + BUNDLE
        drum.beat(drum.number() - drum.told)
        drum.told = drum.number()
        drum.next = drum.told + 1
        await eventually(lambda: sim.frame._behind == 0)
        assert sim.pace.number == round(1.8 * 45)
        await stop(sim)


async def test_the_kernels_metronome_rests_and_wakes_in_step():
    told: list[int] = []
    metronome = Metronome(told.append, per_second=200)
    try:
        await eventually(lambda: len(told) >= 3)
        metronome.rest(10)
        before = len(told)
        await eventually(lambda: len(told) > before)
        assert told[before] >= 10  # one call told of them all
        await eventually(lambda: len(told) >= before + 3)  # then each again
        metronome.rest(100_000)
        began = metronome._told
        await eventually(lambda: time.monotonic_ns() > metronome._began + (began + 3) * metronome._period)
        assert 3 <= metronome.wake(1_000) <= 1_000
        assert metronome.wake(0) == 0
        before = len(told)
        await eventually(lambda: len(told) >= before + 2)
        assert metronome._told > began
    finally:
        metronome.close()
