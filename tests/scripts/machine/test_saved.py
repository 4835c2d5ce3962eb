"""Saved states: whole, damaged, hostile, and of another compiler."""

from __future__ import annotations

import hashlib
import struct
import zlib

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sim.scripts.language import layout
from sim.scripts.machine import saved
from sim.scripts.machine.failures import BadState
from sim.scripts.tools.fakeworld import OBJECT, OWNER, FakeWorld
from tests.scripts.bench import engine

SOURCE = """
integer n = 3; string s = "text"; list l = [1, "two", <3, 3, 3>, 4.5]; vector v; key k = "key";
integer deep(integer x, string t) { list inner = [x, t]; if (x == 0) { while (n < 1000) { n++; s = t; } return
llGetListLength_(inner); }
  return deep(x - 1, t + (string)x) + 1; }
integer llGetListLength_(list x) { return x != []; }
default {
    state_entry() { llListen(7, "a", "b", "c"); llSetTimerEvent(2.5); l += [v, k]; llOwnerSay((string)deep(5, s)); l = l
    + [s]; } timer() { llOwnerSay("tick" + (string)l + (string)n + s); llSleep(0.5); }
    listen(integer c, string name, key id, string m) { llOwnerSay(m); }
}
"""
quick = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


def paused() -> tuple[FakeWorld, bytes]:
    """A script paused in a loop, six calls deep, with everything a state can hold."""
    world = FakeWorld(engine())
    script = world.add(SOURCE)
    script.budget = 900
    world.scheduler.run(0.0, 0.0)
    assert script.paused and len(script.stack()) == 7
    script.post("timer")
    script.post("listen", 7, "a", saved.Key("b"), "c")
    return world, saved.save(script, world.now)


def restore(world: FakeWorld, data: bytes):
    program = world.engine.load(SOURCE)
    return saved.restore(
        world.engine,
        data,
        program,
        world,
        world.now,
        owner=OWNER,
        object_id=OBJECT,
        source=SOURCE,
        scheduler=world.scheduler,
    )


def resealed(data: bytes, facts: bytes | None = None, page: bytes | None = None) -> bytes:
    """The state with other facts or page, and a digest that fits them."""
    length = struct.unpack_from("<I", data, 24)[0]
    facts = data[28 : 28 + length] if facts is None else facts
    packed = data[28 + length :] if page is None else zlib.compress(page, 1)
    rest = struct.pack("<I", len(facts)) + facts + packed
    return data[:8] + hashlib.blake2b(rest, digest_size=16).digest() + rest


def page_of(data: bytes) -> bytes:
    return zlib.decompress(data[28 + struct.unpack_from("<I", data, 24)[0] :])


def test_it_goes_on_where_it_was():
    _, data = paused()
    straight = FakeWorld(engine())
    straight.add(SOURCE)
    straight.post("timer")
    fresh = FakeWorld(engine())
    script = restore(fresh, data)
    fresh.scripts.append(script)
    assert script.stack()[0][0] == "default.state_entry" and script.stack()[-1] == ("deep", 2)
    fresh.advance(6.0)
    assert fresh.said[0] == "7" and fresh.said[1].startswith("tick1two") and fresh.said[2] == "c"
    assert script.listens[1].message == "c"
    assert len(data) < 4000


def test_times_are_relative():
    _, data = paused()
    later = FakeWorld(engine())
    later.now = 5000.0
    script = restore(later, data)
    assert script.timer_at == 5002.5 and script.reset_at == 5000.0


@quick
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_any_bit_flipped_is_refused(at, bit):
    world, data = paused()
    broken = bytearray(data)
    broken[at % len(data)] ^= 1 << bit
    with pytest.raises(BadState):
        restore(world, bytes(broken))


@quick
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data):
    world = FakeWorld(engine())
    with pytest.raises(BadState):
        restore(world, data)
    with pytest.raises(BadState):
        restore(world, saved.MAGIC + data)


def survive(data: bytes) -> None:
    """A hostile state: refused, or run in its cage to some end, and others go on."""
    world = FakeWorld(engine())
    other = world.add('default { state_entry() { llOwnerSay("well"); } }')
    try:
        world.scripts.append(restore(world, data))
    except BadState:
        pass
    world.scheduler.run(0.0)
    for _ in range(10):
        world.now += 1.0
        world.scheduler.run(world.now, 0.05)
    for script in world.scripts:
        script.stack()
        try:
            saved.save(script, world.now)
        except (BadState, Exception) as problem:
            assert not isinstance(problem, MemoryError | SystemError)
    assert "well" in world.said and other.status == "idle"


@quick
@given(st.data())
def test_pages_with_flipped_bits_and_a_good_digest_stay_in_their_cage(data):
    _, state = paused()
    page = bytearray(page_of(state))
    for _ in range(data.draw(st.integers(1, 8))):
        where = data.draw(st.sampled_from(["control", "heap", "stack", "any"]))
        low, high = {
            "control": (8, 8 + 512), "heap": (8 + 512, len(page) - 300), "stack": (len(page) - 300, len(page)), "any": (0, len(page)),
        }[where]  # fmt: skip
        at = data.draw(st.integers(low, high - 1))
        if data.draw(st.booleans()):
            page[at] ^= 1 << data.draw(st.integers(0, 7))
        else:
            page[at & -4 : (at & -4) + 4] = struct.pack("<i", data.draw(st.integers(-(2**31), 2**31 - 1)))[
                : len(page) - (at & -4)
            ]
    survive(resealed(state, page=bytes(page)))


@quick
@given(st.data())
def test_facts_with_flipped_bytes_and_a_good_digest(data):
    _, state = paused()
    length = struct.unpack_from("<I", state, 24)[0]
    facts = bytearray(state[28 : 28 + length])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, length - 1))
        facts[at] = data.draw(st.sampled_from(b'0123456789-[]{}",.:abcexnulltruefalse'))
    survive(resealed(state, facts=bytes(facts)))


def test_another_compiler_takes_globals_by_name(monkeypatch):
    world = FakeWorld(engine())
    script = world.add(
        'integer n; string s; vector gone; default { state_entry() { n = 5; s = "x"; } } state other { timer() {} }'
    )
    world.settle()
    data = saved.save(script, 0.0)
    monkeypatch.setattr(layout, "VERSION", layout.VERSION + 1)
    program = world.engine.load(
        "integer n = 1; integer new = 2; string s; default { touch_start(integer i) { llOwnerSay((string)[n, s, new]); } }"
    )
    later = FakeWorld(engine())
    restored = saved.restore(
        world.engine, data, program, later, 0.0, owner=OWNER, object_id=OBJECT, scheduler=later.scheduler
    )
    later.scripts.append(restored)
    later.touch()
    assert later.said == ["5x2"]


def test_a_state_of_another_source_is_refused():
    world, data = paused()
    program = world.engine.load("default { timer() {} }")
    with pytest.raises(BadState, match="another source"):
        saved.restore(world.engine, data, program, world, 0.0, owner=OWNER, object_id=OBJECT)
