"""What the compiler says of wrong sources: every error, at its place, in words that help."""


from __future__ import annotations

import pytest

from sim.scripts.language.builtins import table
from sim.scripts.language.errors import CompileError, Diary
from sim.scripts.language.lexer import tokenize
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
        ("integer a = 3 # 4;", "Expected ';' after the variable but found '4'"),
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


# Second Life's published grammar, rule by rule: what it takes, and the nearest things that it does not.
TAKEN = [
    "state default;", "jump a; @a;", ";", "{ }", "{ ; { } }", "if (1) ; else ;", "if (1) @a;", "do ; while (0);", "while (0) ;",
    "for (; 0; ) ;", "for (i = 0, j = 1; i < j; i++, j--) ;", "return;", "1;", "i;", "i == 1;", "<1, 2, 3>;", "[];", "[1, [] == []];",
    "i = j = 1;", "1 + i = 2;", "!i = 2;", "-i = 2;", "i = -j * -i;", "++i; --i; i++; i--;", "v.x++; ++v.x; v.x += 1;", "(string)i++;",
    "(string)[i];", "(string)<1, 2, 3>;", "(string)f(1);", "(string)(i = 1);", "(string)-1;", "(string)(integer)s;", "print(i);", "f(i);",
    "i *= 1.5;", "s == k;", "k != s;", "l + k;", "k + l;", "v * q;", "v % v;", "{ integer i; }", 'L"text";',
]  # fmt: skip
NOT_TAKEN = [
    "for (;;) ;", "for (i = 0;;i++) ;", "for (; 0) ;", "while () ;", "if () ;", "if (1) integer n;", "while (0) integer n;", "do integer n; while (0);",
    "integer n, m;", "integer n = 1, m = 2;", "return 1;", "f(1,);", "f(,1);", "[1,];", "[,];", "<1, 2>;", "<1, 2, 3, 4, 5>;", "(i) = 1;",
    "(i)++;", "++(i);", "++i++;", "1++;", "1 = i;", "v.x.y;", "(v).x;", "<1, 2, 3>.x;", "f(1).x;", "f(1) = 1;", "(string)s = 1;", "(string)s += s;",
    "(string)++i;", "s + k;", "k + s;", "k + k;", "s - s;", "s += k;", "k += s;", "s * 2;", "s < s;", "l - l;", "l < l;", "v + 1;", "1 / v;", "q * v;",
    "q * 2;",
    "i && 1.0;", "!1.0;", "!s;", "~1.5;", "i % 1.5;", "1.5 % i;", "i & 1.0;", "v == q;", "i == s;", "i -= 1.5;", "@a", "@;", "jump;", "jump default;", "state;",
    "state 1;", "else ;", "if (1) else ;", "do ; while (0)", "case 1;", "break;", "continue;", "event;", "default;", "integer timer;", "integer touch = 1;",
    "key llSay;", "integer TRUE;", "a ? b : c;", "i:1;", "i ** 2;", "i <<= 1;", "i |= 1;", "i =+ ;", "(integer);", "()", "{", "}", "f 1;", "i i;", "1 2;",
]  # fmt: skip
GRAMMAR_GLOBALS = """float f(integer a) { return 1.0; }"""
GRAMMAR_LOCALS = "integer i; integer j; string s; key k; list l; vector v; rotation q; "


@pytest.mark.parametrize("statement", TAKEN)
def test_the_grammar_takes(statement):
    assert inside(GRAMMAR_LOCALS + statement, GRAMMAR_GLOBALS) == []


@pytest.mark.parametrize("statement", NOT_TAKEN)
def test_the_grammar_does_not_take(statement):
    assert inside(GRAMMAR_LOCALS + statement, GRAMMAR_GLOBALS) != []


EMPTY = "default { timer() { } }"


@pytest.mark.parametrize(
    "source",
    [
        "integer a; float b = 1; " + EMPTY, "string a = \"x\"; string b = a; " + EMPTY, "list a = [1, 2.5, \"x\", <1, 2, 3>, -1]; " + EMPTY,
        "float a = -1.5; vector b = <a, -1, 2>; list c = [b, a]; " + EMPTY, "rotation a = ZERO_ROTATION; vector b = ZERO_VECTOR; " + EMPTY,
        "f() { } integer g(integer a, list b) { return 1; } integer h; " + EMPTY, EMPTY + " state a { timer() { } } state b { timer() { } }",
        "integer a = 1 + 2 * 3; " + EMPTY, "key k = \"x\"; string s = k; " + EMPTY,
    ],
)  # fmt: skip
def test_the_grammar_takes_outside_the_states(source):
    assert findings(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "default { }", EMPTY + " state a { }", EMPTY + " default { timer() { } }", "state a { timer() { } }", EMPTY + " integer a;",
        EMPTY + " f() { }", "integer a, b; " + EMPTY, "f(integer a,) { } " + EMPTY, "f(integer) { } " + EMPTY, "f(a) { } " + EMPTY,
        "f() ; " + EMPTY, "void f() { } " + EMPTY, "integer a = f(); " + EMPTY, "integer timer; " + EMPTY, "timer() { } " + EMPTY,
        "default { timer(integer a) { } }", "default { integer a; timer() { } }", "default { timer() ; }", "default { f() { } }",
        "integer f(); " + EMPTY, "f { } " + EMPTY, ";" + EMPTY, "list a = [[]]; " + EMPTY, "default { timer() { } ; }", "",
        EMPTY + " state timer { timer() { } }", "f() { @timer; } " + EMPTY, "f(integer touch) { } " + EMPTY,
    ],
)  # fmt: skip
def test_the_grammar_does_not_take_outside_the_states(source):
    assert findings(source) != []


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("string #version = \"1\";", "string version = \"1\";"), ("integer $x = 1;", "integer x = 1;"), ("int`eger", "int eger"),
        ("integer a = 1\\ + '2?;", "integer a = 1 + 2;"), ("integer\u00a0a\ufeff;", "integer a;"), ("float é = 1;", "float = 1;"),
        ("#!/bin/lsl", "! / bin / lsl"), ("漢 integer a; 😀", "integer a;"), ("\x00\x7f integer a;", "integer a;"),
    ],
)  # fmt: skip
def test_characters_that_begin_no_token_are_passed_over(text, same):
    def tokens(source: str) -> list[tuple]:
        diary = Diary(source)
        found = [token[:2] for token in tokenize(source, diary)]
        assert not diary.findings
        return found

    assert tokens(text) == tokens(same)


@pytest.mark.parametrize("change", ["state b;", "if (1) state b; else ;", "if (1) ; else state b;", "{ { state b; } }"])
def test_a_function_that_must_change_the_state_is_refused(change):
    source = f"f() {{ {change} }} {EMPTY} state b {{ timer() {{ }} }}"
    assert [one[2] for one in findings(source)] == ["Global functions can't change state"]


def test_starting_values_of_a_wrong_type_are_told_at_their_place():
    assert findings('vector edge = <1, 2, "north">;\n' + EMPTY) == [
        (0, 21, "Type mismatch: a part of a vector is a float, not string")
    ]
    assert findings("rotation r = <1, [], 2, 3>;\n" + EMPTY) == [
        (0, 17, "Type mismatch: a part of a rotation is a float, not list")
    ]
    assert findings("integer a = b; integer b = a;" + EMPTY) == [(0, 12, "Name 'b' not defined within scope")]
