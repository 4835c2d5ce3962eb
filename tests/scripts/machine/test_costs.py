"""What a script's host calls cost is counted, told by no clock, and paid by its owner alone."""

from __future__ import annotations

import pytest

from sim.scripts.language import layout
from sim.scripts.language.builtins import table
from sim.scripts.language.values import Key
from sim.scripts.library.declare import LIBRARY
from sim.scripts.machine.instance import ITEM, READ
from sim.scripts.machine.scheduler import CHECKPOINT, MOST_DEBT
from sim.scripts.machine.script import Script
from sim.scripts.machine.throttle import CHAT, INSTANT_MESSAGES, OWNER_CHAT
from sim.scripts.tools.fakeworld import FakeWorld
from tests.scripts.bench import engine, said
from tests.scripts.machine.test_scheduling import COUNTER, Ticking, start

FRAME = 0.006
# every kind of list, as large as fits beside a result
LISTS = {
    "integers": "while (n < 2000) l += n++;",
    "texts": "while (n < 900) l += (string)n++;",
    "one text": 't = "0123456789abcdef"; while (llStringLength(t) < 10000) t += t; while (n++ < 2500) l += t;',
    "vectors": "while (n < 700) l += <n, 1, n++>;",
}  # fmt: skip
CALLS = [
    "llListSort(l, 1, TRUE);", "llListFindList(l, [-1]);", "llDeleteSubList(l, 0, 1);", "llListRandomize(l, 1);", "llList2ListStrided(l, 0, -1, 2);",
    "llListStatistics(LIST_STAT_SUM, l);", "llList2Vector(l, 0);", "llListInsertList(l, [1], 0);", "llDialog(NULL_KEY, \"x\", l, 1);",
]  # fmt: skip


class Counting(FakeWorld):
    """A world that notes how many checkpoints each slice used up."""

    def __init__(self) -> None:
        super().__init__(engine())
        self.scheduler.lends = True
        self.scheduler.stopwatch = Ticking()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", LISTS)
def test_a_thousand_hostile_calls_in_a_row_are_a_thousand_slices(kind, call, monkeypatch):
    """No loop, no pause of their own: each is charged for all that it carries, and the slice ends with it.

    A thousand of one kind and thirty of each other: what differs is the charge, not the count.
    """
    world = Counting()
    count = 1000 if (kind, call) == ("integers", CALLS[0]) else 30
    calls = call * count
    script = world.add(
        f"list l; default {{ state_entry() {{ integer n; string t; {LISTS[kind]} }} touch_start(integer x) {{ {calls} llOwnerSay(\"done\"); }} }}"
    )
    world.scheduler.lends = False
    world.settle()
    assert not world.failed, world.occurrences
    items = script.globals()["l"]
    assert isinstance(items, list)
    script.budget = 4000
    used: list[int] = []
    inner = Script.slice

    def counted(self: Script, now: float, budget: int) -> bool:
        more = inner(self, now, 4000)
        used.append(4000 - self.instance.word(layout.BUDGET))
        return more

    monkeypatch.setattr(Script, "slice", counted)
    world.post("touch_start", 1)
    for _ in range(count + 100):
        world.scheduler.run(world.now, 0.0)
        world.now += 2.0  # llDialog sleeps
    assert world.said == ["done"]
    assert len(used) >= count
    least = len(items) * ITEM + len({item for item in items if not isinstance(item, int)}) * READ
    assert sorted(used)[3] >= least  # but for the first and last slices


def test_who_calls_dear_functions_rests_and_nobody_else_waits():
    """One owner's scripts that sort all the time get what the frame has for them on the whole; others' timers are on time."""
    world = Counting()
    hostile = "list l; default { state_entry() { integer n; while (n < 2000) l += n++; llSetTimerEvent(0.02); } timer() { %s } }"
    for index in range(20):
        start(world, hostile % ("llListSort(l, 1, TRUE);" * 50), "hostile", f"h{index}")
    counters = [start(world, COUNTER, f"owner {index % 20}") for index in range(100)]
    spent = 0.0
    frames = 200
    for frame in range(frames):
        world.now = frame / 45
        before = {script: script.cpu for script in world.scripts}
        world.scheduler.run(world.now, FRAME)
        spent += sum(script.overspent * CHECKPOINT for script in world.scripts if script.owner == "hostile" and script.cpu > before[script])
    # what was counted beyond the slices is within the time that scripts were given, but for one last debt
    assert world.scheduler.rested > 50
    assert spent < frames * FRAME + 0.02
    assert {script.globals()["n"] for script in counters} == {int((frames - 1) / 45)}


def test_a_debt_is_paid_by_the_time_given_and_then_forgotten():
    world = Counting()
    script = start(world, "list l; integer n; default { touch_start(integer x) { n++; } }", "a")
    other = start(world, "integer n; default { touch_start(integer x) { n++; } }", "b")
    world.scheduler.run(0.0, FRAME)
    world.scheduler._account(Key("a")).debt = 3 * FRAME + MOST_DEBT * 0.9
    seen = []
    for _ in range(5):
        world.post("touch_start", 1)
        world.scheduler.run(0.0, FRAME)
        seen.append((script.globals()["n"], other.globals()["n"]))
    assert seen == [(0, 1), (0, 2), (0, 3), (4, 4), (5, 5)]
    assert not world.scheduler.is_idle or world.scheduler.waiting == 0


def test_a_text_that_stands_in_a_list_many_times_is_carried_once():
    """Back too: what a host function gives back of what it got is the same block, as it is for the runtime's own."""
    found = said(
        """default { state_entry() { list l; string t = "0123456789abcdef"; integer n; while (llStringLength(t) < 10000) t += t;
        for (n = 0; n < 400; ++n) l += [t, <1, 2, 3>]; integer before = llGetUsedMemory(); list m = llDeleteSubList(l, 0, 0);
        integer grown = llGetUsedMemory() - before; llOwnerSay((string)[llGetListLength(m), grown < 7000, llList2String(m, -2) == t]);
        l = []; m = llListSort(m, 1, TRUE); llOwnerSay((string)[llGetListLength(m), llList2String(m, 3) == t, llList2Vector(m, 0)]); m = []; t = "";
        llOwnerSay((string)(llGetUsedMemory() < 2000)); } }""",
        tear=500,
    )
    assert found == ["79911", "7991<1.000000, 2.000000, 3.000000>", "1"]


def test_who_looks_at_a_script_from_outside_leaves_nothing_behind():
    """Blocks that were read between events are others by the next."""
    world = FakeWorld(engine())
    script = world.add("""list l; default { state_entry() { l = [(string)1 + "a", <1, 2, 3>]; }
        touch_start(integer n) { l = []; l = [(string)2 + "b", <4, 5, 6>]; llOwnerSay(llDumpList2String(l, "|") + (string)llDeleteSubList(l, 0, 0)); } }""")
    world.settle()
    assert script.globals()["l"] == ["1a", (1.0, 2.0, 3.0)]
    world.post("touch_start", 1)
    world.settle()
    assert world.said == ["2b|<4.000000, 5.000000, 6.000000><4.000000, 5.000000, 6.000000>"]


def test_every_function_that_takes_or_gives_a_list_ends_a_slice():
    """However it comes to be written, so that no function of lists that is added later can be called twice in a slice."""
    from sim.scripts.language.calls import NATIVE, can_pause, weight
    from sim.scripts.language.frames import MOST_WEIGHT

    for name in LIBRARY:
        builtin = table().functions[name]
        if name not in NATIVE and (builtin.returns == "list" or "list" in [kind for kind, _ in builtin.arguments]):
            assert can_pause(builtin) or weight(builtin) == MOST_WEIGHT, name


def test_straight_code_pauses_too():
    """Text and list operations without a loop or a call: a thousand statements are many slices, though each may be twice as long."""
    for statement in ("s = a + a;", "l = k + k;", "llStringLength(a);", "f = llSin(f);", "s = (string)f;", "if (f) s = a + a; else s = a + \"x\";"):
        world = FakeWorld(engine())
        script = world.add(
            f"string a; string s; list k; list l; float f = 1; default {{ touch_start(integer n) {{ {statement * 1000} llOwnerSay(\"done\"); }} }}"
        )
        world.settle()
        script.budget = 1
        world.post("touch_start", 1)
        slices = world.settle()
        assert world.said == ["done"] and slices >= 5, statement


@pytest.mark.parametrize(
    ("call", "limit", "kind"),
    [
        ('llSay(0, "x");', CHAT, "say"), ('llShout(0, "x");', CHAT, "shout"), ('llWhisper(DEBUG_CHANNEL, "x");', CHAT, "whisper"),
        ('llRegionSayTo(NULL_KEY, 0, "x");', CHAT, "region_say_to"), ('llOwnerSay("x");', OWNER_CHAT, "owner_say"),
        ("print(1);", OWNER_CHAT, "print"), ('llGetScriptState("none");', OWNER_CHAT, "complaint"),
    ],
)  # fmt: skip
def test_what_people_read_is_bounded_by_owner(call, limit, kind):
    """Second Life's own figures; the owner is told once, another owner's scripts go on, and so does she when it is over."""
    world = FakeWorld(engine())
    source = f"default {{ touch_start(integer x) {{ integer n; for (n = 0; n < 1000; ++n) {{ {call} }} }} }}"
    first, second = world.add(source), world.add(source)
    second.owner = Key("another")
    world.settle()
    first.post("touch_start", 1)
    world.settle()
    heard = [one for one in world.occurrences if one["kind"] == kind]
    told = [one["message"] for one in world.occurrences if one["kind"] == "complaint" and "dropped" in one["message"]]
    assert len(heard) == limit.most + (kind == "complaint") and len(told) == 1
    second.post("touch_start", 1)
    world.settle()
    assert len([one for one in world.occurrences if one["kind"] == kind]) == 2 * len(heard)
    world.now += limit.seconds
    first.post("touch_start", 1)
    world.settle()
    assert len([one for one in world.occurrences if one["kind"] == kind]) == 3 * len(heard)


def test_other_channels_are_not_bounded_and_messages_are():
    assert len(said("default { state_entry() { integer n; for (; n < 1000; ++n) llSay(5, \"x\"); } }", tear=2000)) == 1000
    world = FakeWorld(engine())
    world.add('default { state_entry() { while (TRUE) llInstantMessage(NULL_KEY, "x"); } }')
    world.add('default { state_entry() { while (TRUE) llInstantMessage(NULL_KEY, "x"); } }')
    world.scheduler.throttles.count(INSTANT_MESSAGES, str(world.scripts[0].owner), 0.0, "instant messages")
    world.advance(1700.0)
    assert len([one for one in world.occurrences if one["kind"] == "instant_message"]) == 1702
    for script in world.scripts:
        assert script.allowed(INSTANT_MESSAGES, "instant messages")
