"""Fair turns, queues and their drop rules, delays, and endless loops among ten thousand others."""

# ruff: noqa: E501 (scripts in strings)
from __future__ import annotations

import re
import weakref
from pathlib import Path

from sim.scripts.language import layout
from sim.scripts.language.values import Key
from sim.scripts.machine import engine as engine_module
from sim.scripts.machine.engine import Engine
from sim.scripts.machine.scheduler import Agenda
from sim.scripts.machine.script import QUEUE_LENGTH, Script
from sim.scripts.tools.fakeworld import OWNER, FakeWorld
from tests.scripts.bench import engine, said


class Ticking:
    """A stopwatch that counts its readings: every slice lasts the same, whatever the machine does meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 60e-6
        return self.now


def world_of(*sources: str, owner: Key = OWNER) -> FakeWorld:
    world = FakeWorld(engine())
    world.scheduler.stopwatch = Ticking()
    for source in sources:
        world.add(source).owner = owner
    return world


COUNTER = (
    "integer n; default { state_entry() { llSetTimerEvent(1); } timer() { n++; } touch_start(integer i) { n++; } }"
)
ENDLESS = "default { state_entry() { while (TRUE) ; } }"


def start(world: FakeWorld, source: str, owner: str, name: str = "s") -> Script:
    program = world.engine.load(source)
    script = Script(world.engine, program, world, name=name, owner=Key(owner), now=world.now, scheduler=world.scheduler)
    world.scripts.append(script)
    world.scheduler.wake(script)
    return script


def test_ten_thousand_answer_on_time_beside_endless_loops():
    world = world_of()
    for index in range(40):
        start(world, ENDLESS, f"loop {index % 2}")
    counters = [start(world, COUNTER, f"owner {index % 20}") for index in range(10_000)]
    world.scheduler.run(0.0, 10.0)
    for second in range(1, 4):
        world.now = second + 0.01
        for _ in range(45):
            world.scheduler.run(world.now, 0.020)
        assert all(script.instance.get(script.program.globals[0].address, "integer") == second for script in counters)


def test_owners_share_alike():
    world = world_of()
    many = [start(world, ENDLESS, "greedy") for _ in range(50)]
    one = start(world, ENDLESS, "modest")
    world.scheduler.run(0.0, 0.5)
    shares = sum(script.cpu for script in many), one.cpu
    assert 0.8 < shares[0] / shares[1] < 1.25


def test_a_slice_never_passes_the_budget():
    world = world_of(*[ENDLESS] * 5)
    watch = world.scheduler.stopwatch
    assert isinstance(watch, Ticking)
    before = watch.now
    world.scheduler.run(0.0, 0.010)
    assert watch.now - before < 0.0105
    assert world.scheduler.deferred == 5


def test_the_queue_holds_64_and_one_timer():
    world = world_of("integer n; default { touch_start(integer i) { n++; } timer() { llOwnerSay((string)n); } }")
    (script,) = world.scripts
    world.settle()
    assert script.post("timer") and not script.post("timer")
    assert sum(script.post("touch_start", 1) for _ in range(100)) == QUEUE_LENGTH - 1
    assert script.dropped == 100 - QUEUE_LENGTH + 1
    world.settle()
    assert script.post("timer")
    world.settle()
    assert world.said == ["0", "63"]


def test_events_without_a_handler_are_not_queued():
    world = world_of("default { timer() {} } state b { touch_start(integer i) {} }")
    assert not world.scripts[0].post("touch_start", 1)


def test_min_event_delay_drops_what_comes_too_soon():
    source = "integer n; default { state_entry() { llMinEventDelay(1.0); } touch_start(integer i) { llOwnerSay((string)(++n)); } }"
    world = world_of(source)
    world.settle()
    for step in range(9):
        world.now = 2.0 + step * 0.3
        world.post("touch_start", 1)
        world.settle()
    assert world.said == ["1", "2", "3"]


def test_sleep_and_forced_delays_hold_the_script_not_the_world():
    source = 'default { state_entry() { llInstantMessage(llGetOwner_(), "x"); llOwnerSay((string)llGetTime()); llSleep(1.5); llOwnerSay((string)llGetTime()); } touch_start(integer i) { llOwnerSay("touched"); } }'
    source = "key llGetOwner_() { return NULL_KEY; }" + source
    other = 'default { state_entry() { llSleep(0.5); llShout(1, "other"); } }'
    assert said(source, other, seconds=5, touches=1) == ["other", "2.000000", "3.500000", "touched"]


def test_a_state_change_empties_the_queue_and_ends_listens_but_not_the_timer():
    source = """default { state_entry() { llListen(1, "", "", ""); llSetTimerEvent(1); } touch_start(integer i) {
    llSleep(0.1); state b; }
        listen(integer c, string n, key k, string m) { llOwnerSay("a" + m); } }
    state b { touch_start(integer i) { llOwnerSay("never"); } listen(integer c, string n, key k, string m) {
    llOwnerSay("b" + m); }
        timer() { llOwnerSay("timer"); llSetTimerEvent(0); } }"""
    world = world_of(source)
    world.settle()
    world.post("touch_start", 1)
    world.post("touch_start", 1)
    world.say(1, "x")
    world.advance(0.5)
    world.say(1, "y")
    world.advance(2.0)
    assert world.said == ["timer"]


def test_a_stopped_script_waits_and_goes_on():
    world = world_of(COUNTER)
    (script,) = world.scripts
    world.advance(2.5)
    script.set_running(False)
    world.advance(3.0)
    script.set_running(True)
    world.advance(1.0)
    assert script.globals()["n"] == 4  # at once, for the one it missed, and a second later


def test_the_runtimes_addresses_are_the_layouts():
    text = Path(engine_module.__file__).with_name("runtime.wat").read_text()
    offsets = {int(number) for number in re.findall(r"offset=(\d+) \(i32.const 0\)", text)}
    assert offsets == {
        layout.SP,
        layout.BUDGET,
        layout.HEAP_USED,
        layout.LIMIT,
        layout.HEAP_TOP,
        layout.PEAK,
        layout.HEAP_START,
    }
    assert f"i32.const {layout.STACK_BASE}" in text and layout.FREE_LISTS == 192 and layout.FREE_CLASSES * 4 == 228
    assert layout.SCRATCH + 48 == 480 and layout.FREE_LISTS + 4 * layout.FREE_CLASSES <= layout.SCRATCH


def test_memory_that_is_full_of_holes_is_joined():
    source = """default { state_entry() { integer round; integer i; list l; string s;
      for (round = 1; round < 12; ++round) { l = []; s = "";
        for (i = 0; i < 40; ++i) { string t = "x"; integer k; for (k = 0; k < round; ++k) t += t; l += t + (string)i; if
        (llGetUsedMemory() > 40000) i = 100; } while (llGetUsedMemory() < 55000) s += "0123456789abcdef"; }
      llOwnerSay("ok"); } }"""
    assert said(source, tear=500) == ["ok"]


def test_a_busy_script_moves_to_better_code_and_does_the_same():
    source = """string s; integer deep(integer n, list l) { if (n) return deep(n - 1, l + n); integer i;
        for (i = 0; i < 30000; ++i) { if (i % 1000 == 0) s += (string)(l != []); } return i; }
        default { touch_start(integer n) { integer r = deep(20, ["x"]); llOwnerSay((string)r + s); } }"""
    tiered = Engine(tiers=True)
    world = FakeWorld(tiered)
    script = world.add(source)
    assert script.instance.quick
    tiered.close()  # waits for the worker: the better code is there
    script.budget = 100
    world.touch()
    assert tiered.moved == 1 and not script.instance.quick
    assert world.said == ["30000" + "21" * 30]
    assert not world.add(source).instance.quick


def test_a_removed_script_gives_its_memory_back():
    world = FakeWorld(engine())
    script = world.add(COUNTER)
    world.settle()
    script.remove()
    world.advance(3.0)
    world.scripts.clear()
    store = weakref.ref(script.instance.store)
    del script
    assert store() is None


def test_setting_a_timer_again_and_again_holds_no_memory():
    world = world_of("integer n; default { touch_start(integer i) { llSetTimerEvent(9000.0 - ++n); } }")
    agenda = world.scheduler._timers
    for _ in range(5000):
        world.post("touch_start", 1)
        world.settle()
    assert len(agenda._buckets) == len(agenda._where) == 1 and len(agenda._numbers) < 2000


def test_an_agenda_gives_times_in_order():
    agenda = Agenda()
    world = world_of()
    scripts = [start(world, COUNTER, "x") for _ in range(50)]
    for index, script in enumerate(scripts):
        agenda.put(script, (index * 37 % 50) / 40)
        agenda.put(script, (index * 7 % 50) / 40)
    agenda.drop(scripts[0])
    assert agenda.next == 1 / 40
    found = [at for step in range(1, 6) for at, _ in agenda.due(step * 0.25)]
    assert found == sorted(found) and len(found) == 49 and agenda.next is None
