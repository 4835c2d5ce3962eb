"""Whole scripts: what they say, straight and paused at every checkpoint."""

from __future__ import annotations

from tests.scripts.bench import evaluate, occurrences, said


def test_loops_functions_strings_and_lists():
    source = """
integer g = 3; float f = 0.5; list L = [1, 2.0, "a", <1,2,3>];
integer fib(integer n) { if (n < 2) return n; return fib(n - 1) + fib(n - 2); }
string rep(string s, integer n) { string r = ""; while (n > 0) { r = r + s; n = n - 1; } return r; }
default {
    state_entry() {
        integer i; string s;
        for (i = 0; i < 10; ++i) { s += (string)i + ","; }
        llOwnerSay(s + (string)fib(12));
        llSleep(1.0);
        L = L + [i, s];
        llOwnerSay((string)L);
        @x;
        llOwnerSay("g" + (string)g);
        if (g--) jump x;
        llOwnerSay(rep("xyz", 4));
        vector v = <1, 2, 3>;
        v.x = 5;
        llOwnerSay((string)(v * 2));
        llSetTimerEvent(2);
        f *= 3;
        llOwnerSay((string)f);
    }
    timer() { llOwnerSay("tick " + (string)llGetTime()); if (llGetTime() > 4) state foo; }
}
state foo {
    state_entry() { llOwnerSay("foo"); llSetTimerEvent(0); }
}
"""
    assert said(source, seconds=10) == [
        "0,1,2,3,4,5,6,7,8,9,144",
        "12.000000a<1.000000, 2.000000, 3.000000>100,1,2,3,4,5,6,7,8,9,",
        "g3", "g2", "g1", "g0",
        "xyzxyzxyzxyz",
        "<10.00000, 4.00000, 6.00000>",
        "1.500000",
        "tick 3.000000",
        "tick 5.000000",
        "foo",
    ]  # fmt: skip


def test_errors_name_the_line():
    found = occurrences("default {\n state_entry() {\n  integer z = 0;\n  llOwnerSay((string)(1 / z));\n }\n}")
    assert [(one["kind"], one["message"], one["line"]) for one in found] == [("error", "Math Error", 3)]


def test_evaluate():
    assert evaluate("1 + 2 * 3", "7 / 2", "-7 / 2", "-7 % 3", "1.0 / 3", "(integer)2.9") == [
        "7", "3", "-3", "-1", "0.333333", "2",
    ]  # fmt: skip
