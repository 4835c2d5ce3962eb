"""Speech: what reaches the world, and what is refused."""

from __future__ import annotations

from typing import Any

from tests.scripts.bench import occurrences, said

TARGET = "0d000000-0000-4000-8000-00000000000d"


def run(body: str, *others: str, seconds: float = 5.0) -> list[dict[str, Any]]:
    return occurrences(f"default {{ state_entry() {{ {body} }} }}", *others, seconds=seconds)


def test_ways_of_speaking():
    spoken = run(
        'llSay(1, "a"); llWhisper(2, "b"); llShout(3, "c"); llRegionSay(4, "d"); llOwnerSay("e");'
        f'llRegionSayTo("{TARGET}", 5, "f"); llInstantMessage("{TARGET}", "g");'
    )
    assert [(one["kind"], one.get("channel"), one["text"]) for one in spoken] == [
        ("say", 1, "a"), ("whisper", 2, "b"), ("shout", 3, "c"), ("region_say", 4, "d"), ("owner_say", None, "e"),
        ("region_say_to", 5, "f"), ("instant_message", None, "g"),
    ]  # fmt: skip


def test_region_say_keeps_off_channel_0():
    (complaint,) = run('llRegionSay(0, "a"); llRegionSayTo("k", DEBUG_CHANNEL, "b");')
    assert complaint["kind"] == "complaint" and "channel 0" in complaint["message"]


def test_long_texts_are_cut_between_characters():
    (one,) = run('string a = "éééééééé"; while (llStringLength(a) < 2000) a += a; llSay(0, "x" + a);')
    assert one["text"] == "x" + "é" * 511


def test_listening():
    other = 'default { state_entry() { llSetTimerEvent(1); } timer() { llSay(7, "hello"); llSay(8, "hello"); } }'
    source = """integer handle; integer heard; default {
        state_entry() { handle = llListen(7, "", "", ""); llOwnerSay((string)(handle == llListen(7, "", "", ""))); }
        listen(integer channel, string name, key id, string text) { llOwnerSay((string)channel + text); ++heard;
            if (heard == 1) { llListenControl(handle, FALSE); llListenControl(handle, TRUE); }
            if (heard == 2) llListenRemove(handle); } }"""
    answers = [text for text in said(source, other, seconds=4) if text != "hello"]
    assert answers == ["1", "7hello", "7hello"]


def test_questions():
    asked = run(
        f'llDialog("{TARGET}", "Which?", ["a", "b"], -5); llDialog("{TARGET}", "OK?", [], -5);'
        f'llTextBox("{TARGET}", "Say", -6); llLoadURL("{TARGET}", "Look", "http://example.org/");'
    )
    assert [one["kind"] for one in asked] == ["dialog", "dialog", "text_box", "load_url"]
    assert asked[0]["buttons"] == ["a", "b"] and asked[1]["buttons"] == ["OK"]


def test_wrong_questions_are_complained_about():
    thirteen = "[1,2,3,4,5,6,7,8,9,10,11,12,13]"
    long = '"1234567890123456789012345"'
    complaints = run(
        f'llDialog("k", "m", {thirteen}, 1); llDialog("k", "m", [""], 1); llDialog("k", "m", [{long}], 1);'
        'llDialog("k", "", [], 1); llTextBox("k", "", 1);', seconds=9,
    )  # fmt: skip
    assert [one["kind"] for one in complaints] == ["complaint"] * 5


def test_link_messages():
    other = """default { link_message(integer from, integer number, string text, key id) {
        llOwnerSay((string)number + text + (string)id); } }"""
    (one,) = run(f'llMessageLinked(LINK_SET, 3, "text", "{TARGET}");', other)
    assert one["text"] == "3text" + TARGET
