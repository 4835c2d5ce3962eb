"""What the compiler says of wrong sources: every error, at its place, in words that help."""


from __future__ import annotations

import pytest

from sim.scripts.language.builtins import table
from sim.scripts.language.errors import CompileError
from sim.scripts.language.program import compile_script


def findings(source: str) -> list[tuple[int, int, str]]:
    try:
        compile_script(source)
    except CompileError as error:
        return [(one.line, one.column, one.message) for one in error.findings]
    return []


def inside(text: str, before: str = "") -> list[str]:
    return [message for _, _, message in findings(f"{before}\ndefault {{ state_entry() {{ {text} }} }}")]


def test_all_errors_with_their_places():
    source = """integer x = "a";
foo() {
    y = 3;
    return 5
}
default {
    state_entry() {
        llFoo(3);
        if (1) { bad bad; }
        integer q = llSay(0, "x");
    }
    touch_start() { }
    no_event(integer i) { }
}
"""
    assert findings(source) == [
        (0, 12, "Type mismatch: cannot put string into integer 'x'"),
        (2, 4, "Name 'y' not defined within scope"),
        (4, 0, "Expected ';' at the end of the statement but found '}'"),
        (7, 8, "Function 'llFoo' not defined within scope"),
        (8, 21, "Expected ';' at the end of the statement but found 'bad'"),
        (9, 20, "Type mismatch: cannot put void into integer 'q'"),
        (11, 4, "Event touch_start takes (integer num_detected)"),
        (12, 4, "There is no event 'no_event'"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("integer i = 1.5;", "Type mismatch: cannot put float into integer 'i'"),
        ("string s; s -= s;", "Type mismatch: string -= string"),
        ("vector v; v *= v;", "Type mismatch: vector *= vector gives float"),
        ("list l = [[1]];", "Lists can't contain lists; use + to join them"),
        ('1 + "a";', "Type mismatch: integer + string"),
        ("!1.5;", "Type mismatch: ! float"),
        ("(vector)5;", "Type mismatch: no cast from integer to vector"),
        ("TRUE = 5;", "TRUE is a constant"),
        ("vector v; v.s = 1;", "Use of vector or quaternion method on incorrect type: vector 'v' has no part 's'"),
        ("if (1) integer x = 5;", "Declaration requires a new scope -- use { and }"),
        ("integer x; integer x;", "Name 'x' previously declared within scope"),
        ("jump nowhere;", "There is no label 'nowhere' in this block or around it"),
        ("state nowhere;", "There is no state 'nowhere'"),
        ("llSay(0);", "Function call mismatches type or number of arguments: llSay takes 2, not 1"),
        (
            'llSay("x", 0);',
            "Function call mismatches type or number of arguments: argument 1 of llSay is integer, not string",
        ),
        ("return 5;", "An event handler returns no value"),
        ('if (llSay(0, "")) ;', "A condition needs a value"),
        ("integer PI;", "Name 'PI' previously declared within scope"),
        ("else ;", "'else' without 'if'"),
        ("x", "Expected ';' at the end of the statement but found '}'"),
        ('string s = "abc', "String without an end"),
        ("/* abc", "Comment without an end"),
        ("integer a = 3 # 4;", "Unexpected character '#'"),
        ("<1, 2, 3;", "Expected '>' at the end of the vector but found ';'"),
        ("llGodLikeRezObject(NULL_KEY, ZERO_VECTOR);", "llGodLikeRezObject can only be used in god mode"),
    ],
)
def test_one_error(text, message):
    assert message in inside(text)


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("integer f() { if (TRUE) return 1; }", "Not all code paths of 'f' return a value"),
        ("f() { state other; }", "Global functions can't change state"),
        ("f() { return 1; }", "'f' is declared to return no value"),
        ('integer f() { return "x"; }', "Type mismatch: 'f' returns integer, not string"),
        ("integer f() { return; }", "'f' must return a value of type integer"),
        ("integer llSay;", "Name 'llSay' previously declared within scope"),
        ("f() {} f() {}", "Name 'f' previously declared within scope"),
        ("integer x = llGetUnixTime();", "The starting value of a global must be a constant"),
    ],
)
def test_one_error_outside_the_states(before, message):
    assert message in inside("", before)


def test_states():
    assert [one[2] for one in findings("integer x;")] == ["Script has no default state"]
    assert "The first state must be 'default'" in [
        one[2] for one in findings("state a { timer() {} } default { timer() {} }")
    ]
    assert "State 'a' is declared twice" in [
        one[2] for one in findings("default { timer() {} } state a { timer() {} } state a { timer() {} }")
    ]
    assert "Event 'timer' previously declared within scope" in [
        one[2] for one in findings("default { timer() {} timer() {} }")
    ]


def test_sources_that_try_to_break_the_compiler():
    for source in ("(" * 100_000, "{" * 100_000, "[" * 100_000, "default { state_entry() { x = " + "(" * 100_000, "-" * 100_000,
                   "default { state_entry() { " + "if (1) " * 100_000, "<" * 100_000, "(integer)" * 50_000, "@" * 100_000,
                   "default { state_entry() { integer i = " + "1+" * 100_000 + "1; } }", "/*" * 100_000, "\"" * 100_001, "\x00" * 1000,
                   "default { state_entry() { " + "f(" * 50_000, "default { state_entry() { " + "a = " * 50_000):  # fmt: skip
        found = findings(source)
        assert 1 <= len(found) <= 100


def test_long_but_fair_sources_compile():
    chain = " + ".join(['"a"'] * 500 + ["s"] * 500)
    elses = " else ".join([f'if (i == {n}) s += "{n}";' for n in range(300)])
    many = " ".join([f"integer v{n} = {n};" for n in range(300)])
    source = f"default {{ state_entry() {{ integer i; string s; s = {chain}; {elses} {many} s += (string)({'(' * 400}i{')' * 400}); }} }}"
    assert findings(source) == []
    handlers = " ".join([f"state s{n} {{ timer() {{ state s{(n + 1) % 2000}; }} }}" for n in range(2000)])
    assert findings("default { timer() { state s0; } } " + handlers) == []


def test_literals_larger_than_memory_are_refused():
    found = findings('default { state_entry() { llSay(0, "' + "x" * 66_000 + '"); } }')
    assert len(found) == 1 and "a script has 65536" in found[0][2]
    assert findings('default { state_entry() { llSay(0, "' + "x" * 60_000 + '"); } }') == []


def test_every_function_event_and_constant_compiles():
    """All 526 functions with their types, 43 events, 1,028 constants."""
    known = table()
    assert (len(known.functions), len(known.events), len(known.constants)) == (526, 43, 1028)
    values = {
        "integer": "1",
        "float": "1.5",
        "string": '"s"',
        "key": '(key)"k"',
        "vector": "<1,2,3>",
        "rotation": "<0,0,0,1>",
        "list": "[1]",
    }
    calls = []
    for function in known.functions.values():
        if "god-mode" in function.flags:
            continue
        call = f"{function.name}({', '.join([values[kind] for kind, _ in function.arguments])})"
        calls.append(f"{call};" if function.returns == "void" else f"{{ {function.returns} r = {call}; }}")
    handlers = " ".join(
        [f"{event.name}({', '.join([f'{kind} a{index}' for index, (kind, _) in enumerate(event.arguments)])}) {{ }}"
         for event in known.events.values()]
    )  # fmt: skip
    uses = " ".join([f"{{ {constant.kind} c = {constant.name}; }}" for constant in known.constants.values()])
    source = f"calls() {{ {' '.join(calls)} }} constants() {{ {uses} }} default {{ {handlers} }}"
    assert findings(source) == []
