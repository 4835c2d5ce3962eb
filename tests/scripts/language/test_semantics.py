"""LSL's rules that are easy to get wrong, each run straight and torn apart at every checkpoint."""

# ruff: noqa: E501 (scripts in strings)
from __future__ import annotations

import pytest

from sim.scripts.language.builtins import table
from sim.scripts.library.declare import LIBRARY
from tests.scripts.bench import evaluate, occurrences, said


def body(text: str, before: str = "") -> list[str]:
    return said(f"{before}\ndefault {{ state_entry() {{ {text} }} }}")


NOTE = 'string log; integer n(integer x) { log += (string)x; return x; } float f(float x) { log += "f"; return x; }'


def test_operands_go_right_to_left_arguments_left_to_right():
    assert body("n(1) + n(2) * n(3) - n(4); llOwnerSay(log);", NOTE) == ["4321"]
    assert body("list l = [n(1), n(2), n(3)]; llOwnerSay(log);", NOTE) == ["123"]
    assert body("three(n(1), n(2), n(3)); llOwnerSay(log);", NOTE + "three(integer a, integer b, integer c) {}") == [
        "123"
    ]
    assert body("vector v = <n(1), n(2), n(3)>; llOwnerSay(log);", NOTE) == ["123"]
    assert body("list l = [n(1)] + [n(2)] + n(3) + [n(4), n(5)]; llOwnerSay(log + (string)l);", NOTE) == ["4532112345"]


def test_and_or_do_not_short_circuit_and_have_one_level():
    assert body("integer x = n(0) && n(1); x = n(2) || n(3); llOwnerSay(log);", NOTE) == ["1032"]
    assert evaluate("1 || 0 && 0", "1 || (0 && 0)", "2 && 4", "0 || 8") == ["0", "1", "1", "1"]


def test_an_operand_read_before_a_change_keeps_its_value():
    assert body("integer x = 1; integer y = (x = 5) + x; llOwnerSay((string)y);") == ["6"]
    assert body("integer x = 1; integer y = x + (x = 5); llOwnerSay((string)y);") == ["10"]
    assert body("integer x = 1; integer y = x++ + x++; llOwnerSay((string)y + (string)x);") == ["33"]
    assert body('string s = "a"; string t = (s = "b") + s; llOwnerSay(t);') == ["ba"]
    assert body("vector v = <1,2,3>; v = <v.y, v.z, v.x>; llOwnerSay((string)v);") == ["<2.00000, 3.00000, 1.00000>"]
    assert body("v = <v.y, v.z, v.x>; llOwnerSay((string)v);", "vector v = <1,2,3>;") == ["<2.00000, 3.00000, 1.00000>"]
    source = 'string g = "a"; string change(string s) { g = "changed"; return s; }'
    assert body("llOwnerSay(change(g) + g); llOwnerSay(g + change(g));", source) == ["aa", "changedchanged"]


def test_float_temporaries_have_64_bits_and_stores_32():
    third = "float t = 1.0 / 3.0;"
    assert body(f"{third} llOwnerSay((string)(t == 1.0 / 3.0));") == ["0"]
    assert body("float a; llOwnerSay((string)((a = 1.0 / 3.0) == 1.0 / 3.0));") == ["1"]
    assert body("llOwnerSay((string)((a = 1.0 / 3.0) == 1.0 / 3.0));", "float a;") == ["0"]
    assert body("vector v; llOwnerSay((string)((v.x = 1.0 / 3.0) == 1.0 / 3.0));") == ["0"]
    assert body("llOwnerSay((string)(id(1.0 / 3.0) == 1.0 / 3.0));", "float id(float x) { return x; }") == ["0"]
    assert body(
        "float x = 16777216.0; llOwnerSay((string)(x + 1.0 == x)); x = x + 1.0; llOwnerSay((string)(x == 16777216.0));"
    ) == [
        "0",
        "1",
    ]
    assert body(
        "float x = 0.1; float y = 0.2; llOwnerSay((string)(x + y == 0.3)); float z = x + y; llOwnerSay((string)(z == 0.3));"
    ) == [
        "0",
        "1",
    ]


def test_numbers_to_text():
    assert evaluate(
        "0.1", "-0.0", "0.0", "1e-7", "-1e-7", "16777217.0", "123456789.0", "3.14159265", "1e20", "(float)\"inf\"", "-(float)\"inf\"",
        "(float)\"nan\"", "1.5f", ".5", "5.", "1e2", "0x10", "4294967295", "4294967296", "2147483648", "-2147483648",
    ) == [
        "0.100000", "-0.000000", "0.000000", "0.000000", "0.000000", "16777220.000000", "123456800.000000", "3.141593",
        "100000000000000000000.000000", "Infinity", "-Infinity", "NaN", "1.500000", "0.500000", "5.000000", "100.000000",
        "16", "-1", "-1", "-2147483648", "-2147483648",
    ]  # fmt: skip


def test_vectors_have_five_decimals_and_six_in_lists():
    assert evaluate("<1, 2.5, -3>", "[<1, 2, 3>]", "<0,0,0,1>", "[<0,0,0,1>, 1.0]", "ZERO_VECTOR", "(list)<1,2,3>") == [
        "<1.00000, 2.50000, -3.00000>", "<1.000000, 2.000000, 3.000000>", "<0.00000, 0.00000, 0.00000, 1.00000>",
        "<0.000000, 0.000000, 0.000000, 1.000000>1.000000", "<0.00000, 0.00000, 0.00000>", "<1.000000, 2.000000, 3.000000>",
    ]  # fmt: skip


def test_text_to_numbers():
    assert evaluate(
        '(integer)"12abc"', '(integer)" 7"', '(integer)"0x1F"', '(integer)"-0x10"', '(integer)"abc"', '(integer)"4294967295"',
        '(integer)"99999999999"', '(integer)"-5"', '(float)"1.5e2x"', '(float)" -.5"', '(float)"x"', '(float)"0x1p4"',
        '(vector)"<1, 2, 3>"', '(vector)" < 1.5 ,2,3"', '(vector)"<1,2"', '(rotation)"<1,2,3,4>"', '(rotation)"x"',
        '(key)"abc"', '(list)"x"', '(integer)2.9', '(integer)-2.9', '(integer)3e9', '(integer)(float)"nan"',
    ) == [
        "12", "7", "31", "-16", "0", "-1", "-1", "-5", "150.000000", "-0.500000", "0.000000", "16.000000",
        "<1.00000, 2.00000, 3.00000>", "<1.50000, 2.00000, 3.00000>", "<0.00000, 0.00000, 0.00000>",
        "<1.00000, 2.00000, 3.00000, 4.00000>", "<0.00000, 0.00000, 0.00000, 1.00000>", "abc", "x", "2", "-2",
        "-2147483648", "-2147483648",
    ]  # fmt: skip


def test_integers_wrap_and_shift():
    assert evaluate("2147483647 + 1", "-2147483648 - 1", "65536 * 65536", "1 << 31", "1 << 33", "-8 >> 1", "~5", "!5", "!0",
                    "7 & 3 | 8 ^ 1", "-7 / 2", "-7 % 2", "7 % -3") == [
        "-2147483648", "2147483647", "0", "-2147483648", "2", "-4", "-6", "0", "1", "11", "-3", "-1", "1",
    ]  # fmt: skip
    assert body("integer m = -2147483648; integer o = -1; llOwnerSay((string)(m / o) + (string)(m % o));") == [
        "-21474836480"
    ]


@pytest.mark.parametrize(
    "expression", ["1 / z", "1 % z", "1.0 / z", "1.0 / y", "<1,2,3> / y", "<1,2,3> / z", "z /= z", "1 / 0"]
)
def test_division_by_zero_is_a_math_error(expression):
    found = occurrences(f"default {{ state_entry() {{ integer z; float y;\n {expression}; }} }}")
    assert [(one["kind"], one.get("message"), one["line"]) for one in found] == [("error", "Math Error", 1)]


def test_vectors_and_rotations():
    assert evaluate("<1,2,3> + <4,5,6>", "<1,2,3> - <4,5,6>", "<1,2,3> * <4,5,6>", "<1,2,3> % <4,5,6>", "<1,2,3> * 2",
                    "0.5 * <1,2,3>", "2 * <1,2,3>", "<1,2,3> / 2", "-<1,2,3>", "<1,2,3> == <1,2,3>", "<1,2,3> != <1,2,4>",
                    "<1,0,0> * <0,0,0.70710678,0.70710678>", "<1,0,0> / <0,0,0.70710678,0.70710678>",
                    "<0,0,0.70710678,0.70710678> * <0,0,0.70710678,0.70710678>", "<1,2,3,4> + <1,1,1,1>",
                    "<1,2,3,4> / <1,2,3,4>", "-<1,2,3,4>", "ZERO_ROTATION == <0,0,0,1>") == [
        "<5.00000, 7.00000, 9.00000>", "<-3.00000, -3.00000, -3.00000>", "32.000000", "<-3.00000, 6.00000, -3.00000>",
        "<2.00000, 4.00000, 6.00000>", "<0.50000, 1.00000, 1.50000>", "<2.00000, 4.00000, 6.00000>",
        "<0.50000, 1.00000, 1.50000>", "<-1.00000, -2.00000, -3.00000>", "1", "1", "<0.00000, 1.00000, 0.00000>",
        "<0.00000, -1.00000, 0.00000>", "<0.00000, 0.00000, 1.00000, 0.00000>", "<2.00000, 3.00000, 4.00000, 5.00000>",
        "<0.00000, 0.00000, 0.00000, 30.00000>", "<-1.00000, -2.00000, -3.00000, -4.00000>", "1",
    ]  # fmt: skip
    text = "vector v = <1,2,3>; rotation r = <0,0,0.70710678,0.70710678>; v *= 2; v += <1,1,1>; v *= r; v /= r; v -= <1,1,1>;"
    assert body(text + " v %= <0,0,1>; r *= r; llOwnerSay((string)v + (string)r);") == [
        "<4.00000, -2.00000, 0.00000><0.00000, 0.00000, 1.00000, 0.00000>"
    ]
    assert body("vector v; v.x = 1; v.y += 2.5; v.z++; ++v.z; v.x *= 3; llOwnerSay((string)v + (string)v.z);") == [
        "<3.00000, 2.50000, 2.00000>2.000000"
    ]
    assert body("rotation r; llOwnerSay((string)r + (string)q);", "rotation q;") == [
        "<0.00000, 0.00000, 0.00000, 1.00000>" * 2
    ]


def test_the_end_of_a_vector():
    assert evaluate("<1, 2, 3 > 2>", "<1,2,3>-<1,1,1>", "<1,2,3> == <1,2,3>", "[<1,2,3>, <1,2,3,4>]", "<1,2,-3>", "<1,2,(3>2)>") == [
        "<1.00000, 2.00000, 1.00000>", "<0.00000, 1.00000, 2.00000>", "1",
        "<1.000000, 2.000000, 3.000000><1.000000, 2.000000, 3.000000, 4.000000>", "<1.00000, 2.00000, -3.00000>",
        "<1.00000, 2.00000, 1.00000>",
    ]  # fmt: skip


def test_lists():
    assert evaluate("[] == []", "[1] == [2]", "[1,2] != [1]", "[] != [1,2]", "[1] + 2 + \"x\"", "1 + [2]", "\"a\" + [\"b\"]",
                    "[1, 2.5, \"s\", (key)\"k\", <1,2,3>]", "[] + []", "[\"a\"] + [] + [\"b\"]") == [
        "1", "1", "1", "-2", "12x", "12", "ab", "12.500000sk<1.000000, 2.000000, 3.000000>", "", "ab",
    ]  # fmt: skip
    assert body(
        'list a = [1, "x"]; list b = a; a += 2; b += ["y", <1,2,3>]; a = a + a; llOwnerSay((string)a + "|" + (string)b);'
    ) == ["1x21x2|1xy<1.000000, 2.000000, 3.000000>"]
    assert body("list a = [1]; a = [2] + a; a = a + a + [3] + a; llOwnerSay((string)a);") == ["2121321"]


def test_texts_share_and_grow_in_place():
    text = 'string a = "x"; a += "y"; string b = a; a += "z"; b = b + "w" + b; a = a + a; llOwnerSay(a + "|" + b);'
    assert body(text) == ["xyzxyz|xywxy"]
    assert body('string a = "q" + (string)1; integer i; for (i = 0; i < 5; i++) a = a + a; llOwnerSay((string)(a == b(5)));',
                'string b(integer n) { string r = "q1"; while (n--) r += r; return r; }') == ["1"]  # fmt: skip
    assert body('g += g; g = g + "1" + g; g += (string)1; llOwnerSay(g);', 'string g = "a";') == ["aa1aa1"]


def test_conditions():
    null = "00000000-0000-0000-0000-000000000000"
    for value, answer in (("5", 1), ("0", 0), ("0.0", 0), ("-0.5", 1), ('""', 0), ('"0"', 1), ("[]", 0), ("[0]", 1),
                          ("ZERO_VECTOR", 0), ("<0,0,1>", 1), ("ZERO_ROTATION", 0), ("<0,0,0,0>", 1), ('(key)""', 0),
                          ('(key)"abc"', 0), (f'(key)"{null}"', 0), (f'(key)"{null[:-1]}1"', 1), ("NULL_KEY", 1),
                          ('(key)"A822FF2B-FF02-461D-B45D-DCD10A2DE0C2"', 1)):  # fmt: skip
        assert body(f'if ({value}) llOwnerSay("1"); else llOwnerSay("0");') == [str(answer)], value
    loops = body('key k; string s = "abc"; while (s) { s = ""; llOwnerSay("once"); } do llOwnerSay("k"); while (k);')
    assert loops == ["once", "k"]


def test_keys_and_texts_mix():
    assert body('key k = "abc"; string s = k; if (k == "abc") s += (string)k; llOwnerSay(s + (string)k + (string)(k != s));') == [
        "abcabcabc1"
    ]


def test_jumps_and_labels():
    assert body("integer i; @again; if (i < 3) { i++; jump again; } llOwnerSay((string)i);") == ["3"]
    source = """integer i; integer j; string s;
    for (i = 0; i < 4; ++i) { for (j = 0; j < 4; ++j) { if (j == 2) jump next; if (i == 3) jump out; s += (string)j; }
    @next; s += ","; }
    @out; llOwnerSay(s);"""
    assert body(source) == ["01,01,01,"]
    assert body('jump past; llOwnerSay("no"); @past; llOwnerSay("yes");') == ["yes"]
    assert body("integer k = 5; { @a; { if (k-- > 0) jump a; } } llOwnerSay((string)k);") == ["-1"]
    assert body("integer k; if (k) @x; else { @x; if (k++ < 3) jump x; } llOwnerSay((string)k);") == ["4"]


def test_scopes_hide_and_declare_afresh():
    assert body(
        'integer x = 1; { integer x = 2; x++; } integer i; string s; for (i = 0; i < 2; ++i) { string t; t += "a"; s += t; } llOwnerSay((string)x + s);'
    ) == ["1aa"]


def test_assignments_have_values():
    assert body("integer a; integer b; a = b = 3; llOwnerSay((string)(a += b *= 2) + (string)a + (string)b);") == [
        "933"
    ]
    assert body('string s; string t; s = t = "x"; s += t += "y"; llOwnerSay(s + t);') == ["xxyxy"]
    assert body("integer i = 5; i *= 1.5; llOwnerSay((string)i);") == ["7"]


def test_steps_in_order():
    assert body(
        "integer i = 5; integer a = i++; integer b = ++i; integer c = i--; integer d = --i; llOwnerSay((string)[a, b, c, d]);"
    ) == ["5775"]
    assert body("float x = 0.5; float y = x++; ++x; llOwnerSay((string)y + (string)x--);") == ["0.5000002.500000"]


def test_returns_release_and_recursion():
    source = """
string join(list l, string s) { if (s == "stop") return "stopped"; string r = s + (string)l; return r; }
list both(list l) { list k = l + l; return k; }
vector spin(vector v, integer n) { if (n) return spin(<v.y, v.z, v.x>, n - 1); return v; }
integer even(integer n) { if (n == 0) return TRUE; return odd(n - 1); }
integer odd(integer n) { if (n == 0) return FALSE; return even(n - 1); }
key id(key k) { return k; }
"""
    text = 'llOwnerSay(join([1, 2], "x") + join([], "stop") + (string)both([1, "b"])); llOwnerSay((string)spin(<1,2,3>, 4) + (string)even(10) + (string)id("k"));'
    assert body(text, source) == ["x12stopped1b1b", "<2.00000, 3.00000, 1.00000>1k"]


def test_memory_is_given_back():
    text = """integer before = llGetUsedMemory(); integer i; list l; string s; vector v;
    for (i = 0; i < 50; ++i) { l += [i, (string)i, <i, i, i>]; s = (string)l; l = [llGetTime(), i] + l; if (i % 10 == 9)
    { l = []; s = ""; } } l = []; s = ""; s = both(s + "a", ["b", <1,2,3>] + i); s = "";
    llOwnerSay((string)(llGetUsedMemory() - before));"""
    assert body(text, "string both(string a, list b) { return a + (string)b; }") == ["0"]


def test_states_events_and_timer():
    source = """
integer n;
default {
    state_entry() { llOwnerSay("in"); llListen(5, "", "", ""); llSetTimerEvent(1); }
    touch_start(integer i) { llOwnerSay("leave"); state other; llOwnerSay("never"); }
    state_exit() { llOwnerSay("out"); }
    timer() { llOwnerSay("tick default"); }
}
state other {
    state_entry() { llOwnerSay("other"); state other; llOwnerSay("never"); }
    timer() { llOwnerSay("tick other"); if (++n == 2) state default; }
}
"""
    assert said(source, seconds=3.5, touches=1) == [
        "in", "leave", "out", "other", "tick other", "tick other", "in", "tick default",
    ]  # fmt: skip


def test_global_values():
    source = 'integer a = -1; float b = 2; string s = "x"; key k = "y"; vector v = <1, -2.5, 3>; rotation r = <0,0,0,1>; list l = [1, -2.5, "z", <1,2,3>]; integer c = TRUE; float d = PI; integer e = a;'
    assert body("llOwnerSay((string)[a, b, s, k, v, r, c, d, e] + (string)l);", source) == [
        "-12.000000xy<1.000000, -2.500000, 3.000000><0.000000, 0.000000, 0.000000, 1.000000>13.141593-11-2.500000z<1.000000, 2.000000, 3.000000>"
    ]


def test_reset_starts_over():
    source = 'integer n; default { state_entry() { llOwnerSay("start" + (string)n); } touch_start(integer i) { n = 5; llResetScript(); llOwnerSay("never"); } }'
    assert said(source, touches=2) == ["start0", "start0", "start0"]


def test_print():
    found = occurrences(
        'default { state_entry() { print(1); print(1.5); print("a"); print((key)"k"); print(<1,2,3>); print([1, "b"]); } }'
    )
    assert [(one["type"], one["value"]) for one in found] == [
        ("integer", 1), ("float", 1.5), ("string", "a"), ("key", "k"), ("vector", [1.0, 2.0, 3.0]), ("list", [1, "b"]),
    ]  # fmt: skip


def test_memory_ends_in_a_collision():
    for text in (
        "list l; while (TRUE) l += 1;",
        'string s = "x"; while (TRUE) s += s;',
        "recurse(1);",
        'list l; while (TRUE) l = ["a" + (string)1] + l;',
    ):
        found = occurrences(
            f"recurse(integer n) {{ recurse(n + 1); }} default {{ state_entry() {{ {text} }} }}", tear=61
        )
        assert [one["message"] for one in found] == ["Stack-Heap Collision"], text


DEFAULTS = {"integer": "0", "float": "0.0", "string": '""', "key": "NULL_KEY", "vector": "ZERO_VECTOR", "rotation": "ZERO_ROTATION", "list": "[]"}


def test_a_function_not_built_says_so():
    """As long as there is one."""
    missing = [one for name, one in table().functions.items() if name not in LIBRARY and "god-mode" not in one.flags]
    for one in missing[:1]:
        call = f"{one.name}({', '.join(DEFAULTS[kind] for kind, _ in one.arguments)})"
        found = occurrences(f"default {{ state_entry() {{\n {call}; }} }}")
        assert [(each["kind"], each["message"], each["line"]) for each in found] == [("error", f"{one.name} is not built yet", 1)]


IN_FUNCTIONS = [
    "if (TRUE) state other;",
    "if (TRUE) { state other; }",
    "while (TRUE) state other;",
    "do { state other; } while (TRUE);",
    "for (; TRUE; ) { state other; }",
    "if (FALSE) ; else { if (TRUE) state other; }",
    "if (TRUE) { if (FALSE) ; else state other; }",
]


@pytest.mark.parametrize("change", IN_FUNCTIONS)
def test_a_state_change_in_a_function(change):
    """It ends the function, whose caller goes on; the state changes after the event."""
    source = """string leave() { llOwnerSay("a"); %s llOwnerSay("never"); return "never"; }
    default { state_entry() { string s = leave(); llOwnerSay("b" + s); } state_exit() { llOwnerSay("c"); } }
    state other { state_entry() { llOwnerSay("d"); } }"""
    assert said(source % change) == ["a", "b", "c", "d"]


def test_a_function_may_ask_for_the_state_that_is_there():
    source = """leave() { if (TRUE) state default; llOwnerSay("never"); }
    default { state_entry() { llOwnerSay("a"); leave(); llOwnerSay("b"); } state_exit() { llOwnerSay("never"); }
    touch_start(integer n) { llOwnerSay("touched"); } }"""
    assert said(source, touches=1) == ["a", "b", "touched"]


INFINITY = '(float)"inf"'


@pytest.mark.parametrize(
    "expression",
    [
        "i - i", "i + -i", "i * z", "z * i", "i / i", "nan + 1", "1 - nan", "nan * nan", "z += nan", "i -= i", "i *= z", "i /= i",
        "++nan", "nan--", "1 + (2 * (i - i)) * 3", "3 > i - i", "(integer)(i * z)", "<i - i, 0, 0>", "[i - i]", "same(i - i)",
        "llFabs(i - i)", "-(i - i)", "1 + 2 + i - i + 3", "(i - i) * <1, 2, 3>", "<i, i, i> * <z, z, z>", "(string)(i - i)", "n *= nan",
        "v.x -= v.x", "g -= g", "g = i - i", "v = <g - g, 0, 0>",
    ],
)  # fmt: skip
def test_what_is_no_number_is_a_math_error(expression):
    source = f"""float g; float same(float x) {{ return x; }}
    default {{ state_entry() {{ float i = {INFINITY}; float nan = (float)"nan"; float z; integer n = 2; vector v = <i, 0, 0>; g = i;
    {expression}; llOwnerSay("went on"); }} }}"""
    found = occurrences(source)
    assert [(one["kind"], one.get("message"), one.get("line")) for one in found] == [("error", "Math Error", 2)]


def test_infinities_are_numbers():
    found = body(f"float i = {INFINITY}; llOwnerSay((string)[i + i, i * 2 - 1, -i / 3, 1 / i, i == i, i > 1, i * i + 5]);")
    assert found == ["InfinityInfinity-Infinity0.00000011Infinity"]
