"""The compiler against anything, and generated programs against a model of LSL in Python."""


from __future__ import annotations

import math
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sim.scripts.language import rules
from sim.scripts.language.errors import CompileError
from sim.scripts.language.lexer import KEYWORDS, TYPES
from sim.scripts.language.program import compile_script
from sim.scripts.language.values import to_single, to_string
from sim.scripts.tools.fakeworld import FakeWorld
from tests.scripts.bench import engine

# Failing examples are not shrunk: minutes of it tell less than the example itself.
relaxed = settings(
    deadline=None,
    max_examples=150,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def try_compile(source: str) -> None:
    """Compiles, or says why not with places inside the source."""
    try:
        program = compile_script(source)
    except CompileError as error:
        lines = source.split("\n")
        assert error.findings
        for finding in error.findings:
            assert 0 <= finding.line < len(lines)
            assert 0 <= finding.column <= len(lines[finding.line])
            assert finding.message
    else:
        assert program.wasm


@relaxed
@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("utf-8", "replace")))
def test_any_text(text):
    try_compile(text)
    try_compile("default { state_entry() { " + text + " } }")


_words = st.sampled_from(
    [*sorted(KEYWORDS), "x", "y", "f", "llSay", "state_entry", "timer", "TRUE", "PI", "1", "0x1F", "2.5", '"s"', "(", ")", "{", "}",
     "[", "]", "<", ">", ";", ",", ".", "@", "=", "==", "+=", "++", "--", "+", "-", "*", "/", "%", "!", "~", "&&", "||", "<<", ">>"]
)  # fmt: skip


@relaxed
@given(st.lists(_words, max_size=60).map(" ".join))
def test_any_tokens(text):
    try_compile(text)
    try_compile("integer x; float f() { return 1; } default { state_entry() { " + text + " } }")


# --- starting values of globals: any expression, of any type

_start_leaf = st.sampled_from(
    ["1", "-1", "2.5", '"north"', "TRUE", "PI", "NULL_KEY", "ZERO_VECTOR", "ZERO_ROTATION", "[]", "a", "b", "c", "later", "nowhere", "EOF",
     "f()", "llGetPos()", "0x7FFFFFFF", "1e38"]
)  # fmt: skip
_start_values = st.recursive(
    _start_leaf,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=5).map(lambda parts: f"<{', '.join(parts)}>"),
        st.lists(inner, max_size=4).map(lambda parts: f"[{', '.join(parts)}]"),
        st.tuples(st.sampled_from("-!~"), inner).map("".join),
        st.tuples(st.sampled_from(sorted(TYPES)), inner).map(lambda p: f"({p[0]})({p[1]})"),
        st.tuples(inner, st.sampled_from("+-*/%<"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
    ),
    max_leaves=8,
)


@settings(relaxed, max_examples=600)
@given(st.sampled_from(sorted(TYPES)), _start_values, st.sampled_from(sorted(TYPES)))
def test_any_starting_value(kind, value, other):
    """It compiles, and then it is what the same expression gives at run time, or it is refused at its place."""
    source = f"integer a = 3; {other} b; vector c = <a, 2, 3>;\n{kind} x = {value};\ninteger later; integer f() {{ return 1; }}"
    script = f"{source} default {{ state_entry() {{ {kind} y = {value}; llOwnerSay((string)x + \"|\" + (string)y); }} }}"
    try:
        compile_script(script)
    except CompileError as error:
        assert all(one.line in (1, 2) for one in error.findings), (script, error)
        return
    world = FakeWorld(engine())
    world.add(script)
    world.settle()
    if not world.failed:
        (said,) = world.said
        assert said.split("|")[0] == said.split("|")[1], script


# --- expressions whose value a model knows: every operand is put through a variable, so that nothing is folded

_ints = st.integers(-(2**31), 2**31 - 1) | st.integers(-5, 5)
_floats = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 1.0, 0.5, -0.25, 3.0])
_texts = st.text("ab0é", max_size=4)


class Unfoldable(Exception):
    """The model has no value: a Math Error."""


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, float):
        return f"({value!r})" if "e" not in repr(value) else f"({value:.60f})" if abs(value) < 1e30 else f"({value!r})"
    return f"({value})"


leaf = st.one_of(
    _ints.map(lambda value: ("integer", value)),
    _floats.map(lambda value: ("float", to_single(value))),
    _texts.map(lambda value: ("string", value)),
)


def _node(children):
    operators = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "&&", "||", "<", ">", "<=", ">=", "==", "!="]
    return st.one_of(
        st.tuples(st.just("binary"), st.sampled_from(operators), children, children),
        st.tuples(st.just("unary"), st.sampled_from(["-", "!", "~"]), children),
        st.tuples(st.just("cast"), st.sampled_from(["integer", "float", "string"]), children),
        st.tuples(st.just("call"), children),
    )


trees = st.recursive(leaf, _node, max_leaves=12)


def model(node: Any) -> tuple[str, Any]:
    """(type, value) of a tree, as LSL computes it; Unfoldable for errors and for what the types forbid."""
    head = node[0]
    if head in ("integer", "float", "string"):
        return node
    if head == "binary":
        right_kind, right = model(node[3])
        left_kind, left = model(node[2])
        kind = rules.binary_type(node[1], left_kind, right_kind)
        if kind is None:
            raise Unfoldable
        value = rules.fold(node[1], left, left_kind, right, right_kind)
        if value is None:
            raise Unfoldable
        return kind, value
    if head == "unary":
        kind, value = model(node[2])
        if kind == "string" or (kind == "float" and node[1] != "-"):
            raise Unfoldable
        return kind, rules.fold_unary(node[1], value, kind)
    if head == "cast":
        kind, value = model(node[2])
        if kind == "float" and node[1] == "string":
            return "string", to_string(to_single(value))
        if kind == node[1]:
            return kind, value
        if kind == "integer" and node[1] == "float":
            return "float", float(value)
        return node[1], rules.cast(value, node[1])
    kind, value = model(node[1])
    return kind, to_single(value) if kind == "float" else value


def text_of(node, variables: list) -> str:
    head = node[0]
    if head in ("integer", "float", "string"):
        variables.append(node)
        return f"v{len(variables) - 1}"
    if head == "binary":
        return f"({text_of(node[2], variables)} {node[1]} {text_of(node[3], variables)})"
    if head == "unary":
        return f"({node[1]}{text_of(node[2], variables)})"
    if head == "cast":
        return f"(({node[1]}){text_of(node[2], variables)})"
    kind, _ = model(node[1])
    return f"id_{kind}({text_of(node[1], variables)})"


IDS = """integer id_integer(integer x) { return x; } float id_float(float x) { float y = x; return y; }
string id_string(string x) { string y = x + ""; return y; }"""


@settings(relaxed, max_examples=300)
@given(trees, st.booleans())
def test_generated_expressions_have_the_models_value(node, are_global):
    try:
        kind, value = model(node)
    except (Unfoldable, OverflowError):
        return
    if isinstance(value, float) and not math.isfinite(value):
        return
    variables: list = []
    text = text_of(node, variables)
    declared = " ".join([f"{each} v{index} = {_literal(one)};" for index, (each, one) in enumerate(variables)])
    outer, inner = (declared, "") if are_global else ("", declared)
    for tear in (0, 1):
        world = FakeWorld(engine(), tear=tear)
        source = f"{outer}\n{IDS}\ndefault {{ state_entry() {{ {inner} {kind} r = {text}; llOwnerSay((string)r); }} }}"
        script = world.add(source)
        world.settle(10_000)
        wanted = to_string(to_single(value)) if kind == "float" else str(value)
        assert world.said == [wanted], source
        heap = script.instance.used if tear == 0 else 0
        assert heap < 60_000


# --- generated control flow: paused everywhere, it does the same


_conditions = st.sampled_from(
    ["i < 3", "j++ < 2", "n(i) > 1", 's == "ab"', "(l == []) || (i > j)", "i % 2", "TRUE", "(l != [1]) > 0"]
)
_simple = st.sampled_from(
    ["i++;", "--j;", "s += (string)i;", "s = s + \"a\" + s;", "l += i;", "l = [i, s] + l;", "l = l + [s, <i, j, 1>];", "v += <i, 1, j>;",
     "v = v * 0.5 % <0, 0, 1>;", "i = n(i) + n(j) * n(2);", "s = t(s, l);", "l = both(l, s);", "g += s;", "v = turn(v, i);",
     "if (i > 6) jump end;", "if (i == 4) return;", "llSleep(0.1);", "jump end;", "g = t(g, [s]) + (string)v;", "{ integer k = i; k += n(k); }",
     "{ string s = \"in\"; s += g; g = s; }"]
)  # fmt: skip
_statements = st.recursive(
    st.lists(_simple, min_size=1, max_size=3).map(lambda lines: "{ " + " ".join(lines) + " }"),
    lambda inner: st.one_of(
        st.tuples(_conditions, inner, inner).map(lambda p: f"if ({p[0]}) {p[1]} else {p[2]}"),
        st.tuples(_conditions, inner).map(
            lambda p: f"{{ while ({p[0]}) {{ if (++calls > 60) jump out; {p[1]} }} @out; }}"
        ),
        st.tuples(_conditions, inner).map(lambda p: f"do {{ {p[1]} }} while (++calls < 60 && ({p[0]}));"),
        st.tuples(inner).map(lambda p: f"for (y = 0, i++; y < 3 && ++calls < 60; ++y) {p[0]}"),
        st.tuples(inner, inner).map(lambda p: f"{{ {p[0]} if (z++ < 2) jump over; else j--; {p[1]} @over; }}"),
        st.lists(inner, min_size=1, max_size=3).map(lambda lines: "{ " + " ".join(lines) + " }"),
    ),
    max_leaves=8,
)
HELPERS = """
string g = "g"; integer calls;
integer n(integer x) { if (++calls > 40) return 0; return x + 1; }
string t(string a, list b) { string r = a; integer q = llGetUsedMemory(); if (q > 30000) return "cut"; r += (string)b;
return r; } list both(list a, string b) { list r = a + a; r += b; if (llGetUsedMemory() > 30000) return []; return r; }
vector turn(vector a, integer k) { while (k-- > 0) a = <a.y, a.z, a.x>; return a; }
run(integer i) { integer j; integer y; integer z; string s; list l; vector v;
%s
@end; llOwnerSay((string)[i, j, v] + s + (string)l + g); }
default { state_entry() { integer before = llGetUsedMemory(); run(1); g = ""; run(2); calls = 0; run(3); g = "";
llOwnerSay((string)(llGetUsedMemory() - before)); } }
"""


@settings(relaxed, max_examples=100)
@given(_statements)
def test_generated_programs_do_the_same_when_torn_apart(text):
    source = HELPERS % text
    straight, torn = FakeWorld(engine()), FakeWorld(engine(), tear=1)
    for world in (straight, torn):
        world.add(source)
        world.advance(500.0, 200_000)
    assert not straight.engine.defects
    assert torn.occurrences == straight.occurrences, source
    if not straight.failed:
        assert straight.said[-1] == "0", source  # all memory was given back
