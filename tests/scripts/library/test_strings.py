"""Texts: what the wiki says of each function, and what holds for all texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.scripts.bench import evaluate, occurrences
from tests.scripts.library.stand_in import call

texts = st.text("abcäß漢😀 \n", max_size=30)
indices = st.integers(-40, 40)


def test_parts():
    assert evaluate(
        'llGetSubString("Hello", 1, 3)', 'llGetSubString("Hello", -3, -1)', 'llGetSubString("Hello", 4, 0)',
        'llGetSubString("Hello", 3, 1)', 'llGetSubString("Hello", 2, 99)', 'llGetSubString("Hello", 7, 9)',
        'llGetSubString("", 0, 0)', 'llGetSubString("漢字😀x", 1, 2)',
    ) == ["ell", "llo", "Ho", "Helo", "llo", "", "", "字😀"]  # fmt: skip
    assert evaluate(
        'llDeleteSubString("Hello", 1, 3)', 'llDeleteSubString("Hello", -3, -1)', 'llDeleteSubString("Hello", 4, 0)',
        'llDeleteSubString("Hello", 0, -1)', 'llDeleteSubString("Hello", 9, 12)', 'llDeleteSubString("abc", -9, 0)',
    ) == ["Ho", "He", "ell", "", "Hello", "bc"]  # fmt: skip


def test_inserting_knows_no_negative_positions():
    assert evaluate(
        'llInsertString("input", 2, "put out")', 'llInsertString("abc", -1, "x")', 'llInsertString("abc", 99, "x")',
        'llInsertString("", 0, "x")',
    ) == ["input output", "xabc", "abcx", "x"]  # fmt: skip


def test_search_and_replace():
    assert evaluate(
        'llSubStringIndex("漢字 abc", "abc")', 'llSubStringIndex("abc", "d")', 'llSubStringIndex("abc", "")',
        'llSubStringIndex("", "a")',
    ) == ["3", "-1", "0", "-1"]  # fmt: skip
    foxes = '"red foxes, red hens, red turnips"'
    assert evaluate(
        f'llReplaceSubString({foxes}, "red", "blue", 2)', f'llReplaceSubString({foxes}, "red", "green", -1)',
        f'llReplaceSubString({foxes}, "red", "", 0)', 'llReplaceSubString("abc", "", "x", 0)',
        'llReplaceSubString("aaa", "aa", "b", 0)', 'llReplaceSubString("aaa", "aa", "b", -5)',
    ) == [
        "blue foxes, blue hens, red turnips", "red foxes, red hens, green turnips", " foxes,  hens,  turnips", "abc", "ba",
        "ab",
    ]  # fmt: skip


def test_trimming():
    ends = r'" \n\t a b \n"'
    assert evaluate(
        f'"[" + llStringTrim({ends}, STRING_TRIM) + "]"', f'llStringLength(llStringTrim({ends}, STRING_TRIM_HEAD))',
        f'"[" + llGetSubString(llStringTrim({ends}, STRING_TRIM_TAIL), -1, -1) + "]"', 'llStringTrim(" a ", 0)',
    ) == ["[a b]", "5", "[b]", " a "]  # fmt: skip


def test_case():
    assert evaluate('llToUpper("aé漢ß1ǆ")', 'llToLower("AÉ漢ΑΣ")', 'llToUpper("abc")', 'llToLower("ABC")') == [
        "AÉ漢ß1Ǆ", "aé漢ασ", "ABC", "abc",
    ]  # fmt: skip


def test_characters():
    assert evaluate(
        'llOrd("A漢😀", 1)', 'llOrd("A漢😀", -1)', 'llOrd("A", 1)', 'llOrd("", 0)', 'llOrd("A", -2)', "llChar(65)",
        "llChar(0x1F600)", "llChar(0)", "llChar(-1)", "llChar(0xD800)", "llChar(0xFFFE)", "llChar(0x110000)",
        "llStringLength(llChar(0xFDD0))",
    ) == [str(ord("漢")), str(ord("😀")), "0", "0", "0", "A", "😀", "", "\ufffd", "\ufffd", "\ufffd", "\ufffd", "1"]  # fmt: skip


def test_a_text_larger_than_memory_is_the_scripts_own_failure():
    source = """default { state_entry() {
        string a = "aaaaaaaaaaaaaaaa"; while (llStringLength(a) < 16000) a += a;
        llOwnerSay("made");
        llOwnerSay((string)llStringLength(llReplaceSubString(a, "a", a, 0))); } }"""
    made, error = occurrences(source)
    assert made["text"] == "made"
    assert error["kind"] == "error" and error["message"] == "Stack-Heap Collision" and error["line"] == 3


@given(texts, indices, indices)
def test_what_is_deleted_is_what_is_got(text, start, end):
    got = call("llGetSubString", text, start, end)
    left = call("llDeleteSubString", text, start, end)
    assert len(got) + len(left) == len(text)
    assert sorted(got + left) == sorted(text)
    first, last = (index + len(text) if index < 0 else index for index in (start, end))
    wanted = [c for i, c in enumerate(text) if (first <= i <= last if first <= last else i <= last or i >= first)]
    assert got == "".join(wanted)


@given(texts, texts, st.integers(-3, 40))
def test_what_is_inserted_is_found_there(text, piece, position):
    result = call("llInsertString", text, position, piece)
    place = min(max(position, 0), len(text))
    assert call("llDeleteSubString", result, place, place + len(piece) - 1) == text or not piece


@given(texts, st.text("ab", min_size=1, max_size=2), texts)
def test_replacing_all_from_left_counts_as_many(text, pattern, replacement):
    count = text.count(pattern)
    for many in (0, count or 1, count + 5):
        assert call("llReplaceSubString", text, pattern, replacement, many) == text.replace(pattern, replacement)


@given(texts)
def test_case_keeps_the_length(text):
    assert len(call("llToUpper", text)) == len(call("llToLower", text)) == len(text)
    assert "".join([call("llChar", call("llOrd", text, index)) for index in range(len(text))]) == text
