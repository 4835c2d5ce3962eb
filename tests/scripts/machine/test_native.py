"""The ll* functions the runtime module has itself: as the library's Python versions have them, and as the wiki says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.scripts.language.builtins import table
from sim.scripts.language.calls import NATIVE
from sim.scripts.language.values import Key, Vector, to_single, to_string
from sim.scripts.library.declare import LIBRARY
from sim.scripts.machine import engine as engine_module
from sim.scripts.tools.fakeworld import FakeWorld
from tests.scripts.bench import engine, evaluate

LIST = '[1, 2.5, "12abc", (key)"k", <1,2,3>, -7]'


def test_the_runtime_has_them_all():
    text = Path(engine_module.__file__).with_name("runtime.wat").read_text()
    assert set(re.findall(r'\(export "(ll\w+)"\)', text)) == NATIVE


def test_lists():
    items = [f"llList2Integer({LIST}, {n})" for n in (0, 1, 2, 3, 4, 5, -1, -6, 6, -7)]
    assert evaluate(*items) == ["1", "2", "12", "0", "0", "-7", "-7", "1", "0", "0"]
    items = [f"llList2Float({LIST}, {n})" for n in (0, 1, 2, 4, 9)]
    assert evaluate(*items) == ["1.000000", "2.500000", "12.000000", "0.000000", "0.000000"]
    items = [f"llList2String({LIST}, {n})" for n in (0, 1, 2, 3, 4, -1, 9)]
    assert evaluate(*items) == ["1", "2.500000", "12abc", "k", "<1.000000, 2.000000, 3.000000>", "-7", ""]
    items = [f"llGetListEntryType({LIST}, {n})" for n in (0, 1, 2, 3, 4, 7)]
    assert evaluate(*items, f"llGetListLength({LIST})", "llGetListLength([])") == [
        "1",
        "2",
        "3",
        "4",
        "5",
        "0",
        "6",
        "0",
    ]
    items = [
        f"llList2List([0,1,2,3], {a}, {b})"
        for a, b in ((1, 2), (0, -1), (-2, -1), (2, 9), (3, 0), (2, 0), (5, 1), (9, 9))
    ]
    assert evaluate(*items, "llList2List([], 0, 0)") == ["12", "0123", "23", "23", "03", "023", "01", "", ""]


def test_texts():
    items = [
        f'llGetSubString("abcde", {a}, {b})'
        for a, b in ((0, 0), (1, 3), (0, -1), (-2, -1), (3, 9), (4, 0), (3, 1), (9, 9))
    ]
    assert evaluate(*items) == ["a", "bcd", "abcde", "de", "de", "ae", "abde", ""]
    assert evaluate('llStringLength("")', 'llStringLength("aé漢😀bcdefghij")', 'llGetSubString("aé漢😀b", 1, 3)',
                    'llGetSubString("aé漢😀b", -1, 0)', 'llGetSubString("é漢", 1, 1)') == ["0", "13", "é漢😀", "ab", "漢"]  # fmt: skip


def test_numbers():
    assert evaluate("llAbs(-3)", "llAbs(3)", "llFabs(-1.5)", "llFloor(-1.5)", "llCeil(-1.5)", "llFloor(3e9)") == [
        "3", "3", "1.500000", "-2", "-1", "-2147483648",
    ]  # fmt: skip


_items = st.one_of(
    st.integers(-(2**31), 2**31 - 1), st.floats(width=32, allow_nan=False).map(to_single), st.text("ab1é漢😀", max_size=5),
    st.text("ab", max_size=3).map(Key), st.just(Vector(1.0, -2.5, 3.0)),
)  # fmt: skip
_values = {
    "integer": st.integers(-12, 12), "float": st.floats(-1e5, 1e5, width=32), "string": st.text("ab1é漢😀", max_size=20),
    "list": st.lists(_items, max_size=8),
}  # fmt: skip


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_they_do_what_the_library_says(data):
    """Both get the same arguments through a script's globals; functions the library lacks have only the tests above."""
    declared = sorted(NATIVE & set(LIBRARY))
    name = data.draw(st.sampled_from(declared or ["llGetListLength"]))
    builtin = table().functions[name]
    world = FakeWorld(engine())
    variables = " ".join([f"{kind} a{index};" for index, (kind, _) in enumerate(builtin.arguments)])
    call = f"{name}({', '.join([f'a{index}' for index in range(len(builtin.arguments))])})"
    script = world.add(f"{variables} default {{ touch_start(integer n) {{ llOwnerSay((string){call}); }} }}")
    arguments = [data.draw(_values[kind]) for kind, _ in builtin.arguments]
    for place, value in zip(script.program.globals, arguments, strict=True):
        script.instance.put(place.address, value)
    world.touch()
    if declared:
        wanted = LIBRARY[name].function(script, *arguments)
        if builtin.returns == "float":
            wanted = to_single(float(wanted))
        assert world.said == [to_string(wanted)]
    else:
        assert world.said == [str(len(arguments[0]))]


EDGES = sorted(
    {sign * (2**power) + near for power in (0, 2, 15, 16, 27, 28, 29, 30, 31) for sign in (1, -1) for near in (-2, -1, 0, 1, 2)}
)  # fmt: skip
INDEXES = [edge for edge in EDGES if -(2**31) <= edge < 2**31]


def test_every_index_at_the_edges_of_32_bits():
    """All pairs where there are two: what the runtime computes in 32 bits is what Python computes without end."""
    world = FakeWorld(engine())
    world.scheduler.throttles.factor = 1000
    known = table().functions
    for name, first in (
        ("llList2List", [1, 2, 3]), ("llList2List", []), ("llGetSubString", "aéb"), ("llGetSubString", ""), ("llGetSubString", "abc"),
        ("llList2Integer", [1, 2, 3]), ("llList2Float", [1, 2, 3]), ("llList2String", [1, 2, 3]), ("llGetListEntryType", [1, 2, 3]),
        ("llDeleteSubList", [1, 2, 3]), ("llDeleteSubString", "aéb"),
    ):  # fmt: skip
        kind, count = known[name].arguments[0][0], len(known[name].arguments) - 1
        names = ["i", "j"][:count]
        loop = "integer a; integer b; for (a = 0; a < n; ++a) for (b = 0; b < m; ++b) { i = llList2Integer(all, a); j = llList2Integer(all, b); "
        source = f"""{kind} v; list all; integer m; default {{ touch_start(integer x) {{ integer n = llGetListLength(all); integer i; integer j;
            {loop} llOwnerSay((string){name}(v, {", ".join(names)})); }} }} }}"""
        script = world.add(source)
        values: tuple[Any, ...] = (first, list(INDEXES), len(INDEXES) if count == 2 else 1)
        for place, value in zip(script.program.globals, values, strict=True):
            script.instance.put(place.address, value)
        before = len(world.said)
        world.touch()
        assert not world.failed and not engine().defects
        pairs = [(i, j) for i in INDEXES for j in INDEXES] if count == 2 else [(i,) for i in INDEXES]
        wanted = [LIBRARY[name].function(script, first, *pair) for pair in pairs]
        wanted = [to_single(float(one)) if known[name].returns == "float" else one for one in wanted]
        assert world.said[before:] == [to_string(one) for one in wanted], name
        world.scripts.remove(script)


def test_a_range_that_wraps_in_bytes():
    assert evaluate("llList2List([1,2,3], 536870914, 1)", "llList2List([1,2,3], 0x7FFFFFFF, 0)") == ["12", "1"]
