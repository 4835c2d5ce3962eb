"""Reading items, joining and splitting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.scripts.machine.failures import ScriptFailure
from tests.scripts.bench import evaluate
from tests.scripts.library.stand_in import StandIn, call

MIXED = '[12, 3.7, "42 apples", (key)"k", <1,2,3>, <0,0,0,1>, "<1,2,3>"]'


def items(expression: str) -> str:
    """A list's items between bars, so that empty ones show."""
    return f'"|" + llDumpList2String({expression}, "|") + "|"'


def test_reading():
    def read(name):
        return evaluate(*[f"{name}({MIXED}, {index})" for index in (0, 1, 2, 3, 4, 5, 6, 7, -7, -8)])

    assert read("llList2Integer") == ["12", "3", "42", "0", "0", "0", "0", "0", "12", "0"]
    assert read("llList2Float") == ["12.000000", "3.700000", "42.000000", *["0.000000"] * 5, "12.000000", "0.000000"]
    assert read("llList2String") == [
        "12", "3.700000", "42 apples", "k", "<1.000000, 2.000000, 3.000000>", "<0.000000, 0.000000, 0.000000, 1.000000>",
        "<1,2,3>", "", "12", "",
    ]  # fmt: skip
    assert read("llList2Key") == ["", "", "42 apples", "k", "", "", "<1,2,3>", "", "", ""]
    zero, none = "<0.00000, 0.00000, 0.00000>", "<0.00000, 0.00000, 0.00000, 1.00000>"
    assert read("llList2Vector") == [*[zero] * 4, "<1.00000, 2.00000, 3.00000>", *[zero] * 5]
    assert read("llList2Rot") == [none] * 10
    assert evaluate("llList2Rot([<0,1,0,0>], 0)", "llList2Integer([3e9], 0)", 'llList2Float(["1e2x"], 0)') == [
        "<0.00000, 1.00000, 0.00000, 0.00000>", "-2147483648", "100.000000",
    ]  # fmt: skip


def test_joining():
    assert evaluate(
        'llDumpList2String([1, 2.5, "a", <1,2,3>], "-")', 'llDumpList2String([], "-")', 'llDumpList2String(["a"], "-")',
        "llList2CSV([1, -0.0, \"\", ZERO_ROTATION])",
    ) == [
        "1-2.500000-a-<1.000000, 2.000000, 3.000000>", "", "a",
        "1, -0.000000, , <0.000000, 0.000000, 0.000000, 1.000000>",
    ]  # fmt: skip


def test_comma_separated_values():
    assert evaluate(*[items(f'llCSV2List("{text}")') for text in (
        "first, second ,third", "<>,>,a", "<<>,>,a", "<<<>,>,a", "<1,2,3>, x", "", ",", "a,,b",
    )]) == [
        "|first|second|third|", "|<>|>|a|", "|<<>,>|a|", "|<<<>,>,a|", "|<1,2,3>|x|", "||", "|||", "|a||b|",
    ]  # fmt: skip


def test_splitting():
    assert evaluate(
        items('llParseString2List("a,b;;c", [","], [";"])'), items('llParseStringKeepNulls("a,b;;c", [","], [";"])'),
        items('llParseString2List("", [","], [])'), items('llParseStringKeepNulls("", [","], [])'),
        items('llParseString2List("a b", [], [])'), items('llParseStringKeepNulls(",a,", [","], [])'),
        # in order, separators before spacers; not the longest
        items('llParseString2List("xaabx", ["a","aa"], ["aab"])'), items('llParseString2List("xaabx", [], ["aab","aa"])'),
        items('llParseString2List("xaabx", ["aab"], ["aab"])'),
        # only strings count, and the first eight of them
        items('llParseString2List("a1b", [1], [])'), items('llParseString2List("abc", ["", "b"], [])'),
        items('llParseString2List("0123456789", ["1","2","3","4","5","6","7","8","9"], [])'),
    ) == [
        "|a|b|;|;|c|", "|a|b|;||;|c|", "||", "||", "|a b|", "||a||", "|x|bx|", "|x|aab|x|", "|x|x|", "|a1b|", "|a|c|", "|0|9|",
    ]  # fmt: skip
    assert evaluate('llGetListLength(llParseString2List("", [","], []))') == ["0"]
    assert evaluate('llGetListLength(llParseStringKeepNulls("", [","], []))') == ["1"]


@given(st.lists(st.text("ab<> ", max_size=4), max_size=6), st.text(",;", min_size=1, max_size=3))
def test_splitting_undoes_joining(parts, separator):
    text = call("llDumpList2String", parts, separator)
    assert call("llParseStringKeepNulls", text, [separator], []) == (parts or [""])
    assert call("llParseString2List", text, [separator], []) == [part for part in parts if part]
    assert "".join(call("llParseStringKeepNulls", text, [], [separator])) == text


@given(st.text("a,<> ", max_size=30))
def test_values_lose_only_spaces_and_commas(text):
    parts = call("llCSV2List", text)
    assert parts and all(part == part.strip(" ") for part in parts)
    assert ",".join(parts).replace(" ", "") == text.replace(" ", "")


def test_splitting_is_bounded():
    script = StandIn()
    parts = call("llParseStringKeepNulls", "ab" * 4000, ["a", "b" * 9], ["c", "aba"], script=script)
    assert len(parts) == 4001 and script.spent > 4000
    assert call("llParseString2List", "a" * 60_000, ["a"], []) == []
    for function, *rest in (("llParseStringKeepNulls", ["a"], []), ("llParseString2List", [], ["a"])):
        with pytest.raises(ScriptFailure, match="Collision"):
            call(function, "a" * 60_000, *rest)
    with pytest.raises(ScriptFailure, match="Collision"):
        call("llCSV2List", "," * 60_000)
    assert call("llCSV2List", "<" + "," * 60_000) == ["<" + "," * 60_000]


signs = st.lists(st.sampled_from(["a", "b", "ab", "ba", "a" * 33, "b" + "a" * 40, "ab" * 20]), max_size=3)


@given(st.lists(st.sampled_from(["a", "b", "c", "a" * 33, "ba" * 30, "b" + "a" * 40])).map("".join), signs, signs)
def test_splitting_tries_every_place_in_order(text, separators, spacers):
    wanted, start, place = [], 0, 0
    while place < len(text):
        for sign in [*separators, *spacers]:
            if text.startswith(sign, place):
                wanted.append(text[start:place])
                if sign not in separators:
                    wanted.append(sign)
                start = place = place + len(sign)
                break
        else:
            place += 1
    wanted.append(text[start:])
    assert call("llParseStringKeepNulls", text, separators, spacers) == wanted
    assert call("llParseString2List", text, separators, spacers) == [part for part in wanted if part]


def test_negative_zero_is_shown_where_second_life_shows_it():
    items = "[-0.0, 0.0, -0.0000001, <-0.0, 1, -0.0>, <-0.0, 0, 0, -0.0>]"
    assert evaluate(f'llDumpList2String({items}, "|")', f"llList2CSV({items})", f"(string){items}", "llList2String([-0.0], 0)") == [
        "0.000000|0.000000|0.000000|<0.000000, 1.000000, 0.000000>|<0.000000, 0.000000, 0.000000, 0.000000>",
        "-0.000000, 0.000000, -0.000000, <-0.000000, 1.000000, -0.000000>, <-0.000000, 0.000000, 0.000000, -0.000000>",
        "-0.0000000.0000000.000000<-0.000000, 1.000000, -0.000000><-0.000000, 0.000000, 0.000000, -0.000000>",
        "-0.000000",
    ]


def test_csv_shows_floats_exactly():
    assert evaluate("llList2CSV([16777217.0, 123456789.0, 0.1])", 'llList2CSV([(float)"inf", -(float)"inf", (float)"nan"])') == [
        "16777216.000000, 123456792.000000, 0.100000", "inf, -inf, nan",
    ]  # fmt: skip
