"""Memory, profiling, and scripts that start, stop and reset one another."""

from __future__ import annotations

from tests.scripts.bench import evaluate, occurrences, said


def test_memory():
    used, free, limit, most = map(int, evaluate(
        "llGetUsedMemory()", "llGetFreeMemory()", "llGetMemoryLimit()", "llGetSPMaxMemory()",
    ))  # fmt: skip
    assert 0 < used < 5000 and limit == 65536 and abs(used + free - limit) < 200 and most >= used


def test_memory_can_be_limited():
    assert evaluate(
        "llSetMemoryLimit(20000)", "llGetMemoryLimit()", "llSetMemoryLimit(100)", "llSetMemoryLimit(65537)",
        "llGetFreeMemory() < 20000", "llSetMemoryLimit(65536)",
    ) == ["1", "20000", "0", "0", "1", "1"]  # fmt: skip
    source = """default { state_entry() { llSetMemoryLimit(8000); string a = "aaaaaaaa";
        while (TRUE) { a += a; llOwnerSay((string)llStringLength(a)); } } }"""
    *_, error = occurrences(source)
    assert error["message"] == "Stack-Heap Collision"


def test_the_most_memory_used_is_measured():
    source = """big() { string a = "aaaaaaaaaaaaaaaa"; while (llStringLength(a) < 10000) a += a; }
    default { state_entry() {
        llScriptProfiler(PROFILE_SCRIPT_MEMORY); integer before = llGetSPMaxMemory(); big();
        llScriptProfiler(PROFILE_NONE);
        llOwnerSay((string)(llGetSPMaxMemory() - before > 10000)); llOwnerSay((string)(llGetUsedMemory() < 10000));
        llScriptProfiler(PROFILE_SCRIPT_MEMORY); llOwnerSay((string)(llGetSPMaxMemory() < 10000)); } }"""
    assert said(source) == ["1", "1", "1"]


COUNTER = """integer n; default { state_entry() { llSetTimerEvent(1); } timer() { llOwnerSay((string)(++n)); } }"""


def test_scripts_reset_one_another():
    other = "default { state_entry() { llSetTimerEvent(2.5); } timer() { llSetTimerEvent(0); %s } }"
    assert said(COUNTER, other % 'llResetOtherScript("script");', seconds=5) == ["1", "2", "1", "2"]
    complaint = occurrences(other % 'llResetOtherScript("nobody");', seconds=5)[0]
    assert complaint["kind"] == "complaint" and "nobody" in complaint["message"]


def test_a_script_resets_itself_by_name():
    source = """default { touch_start(integer n) { llOwnerSay("touched"); llResetOtherScript(llGetScriptName());
        llOwnerSay("never"); } state_entry() { llOwnerSay("begun"); } }"""
    assert said(source, touches=1) == ["begun", "touched", "begun"]


def test_a_stopped_script_keeps_its_state_and_hears_nothing():
    counter = """integer n; default { link_message(integer from, integer number, string text, key id) {
        llOwnerSay((string)(++n) + text); } }"""
    other = """integer step; tell(string text) { llMessageLinked(LINK_THIS, 0, text, ""); }
        default { state_entry() { llSetTimerEvent(1); }
        timer() { ++step;
            if (step == 1) { llOwnerSay((string)llGetScriptState("script")); tell("a"); }
            if (step == 2) { llSetScriptState("script", FALSE); tell("b"); llOwnerSay((string)llGetScriptState("script")); }
            if (step == 3) { llSetScriptState("script", TRUE); llOwnerSay((string)llGetScriptState("script")); tell("c"); }
        } }"""
    assert said(counter, other, seconds=4) == ["1", "1a", "0", "1", "2c"]


def test_without_such_a_script_there_is_a_complaint():
    complaints = occurrences(
        'default { state_entry() { llOwnerSay((string)llGetScriptState("no")); llSetScriptState("no", TRUE); } }'
    )
    assert [one["kind"] for one in complaints] == ["complaint", "owner_say", "complaint"] and complaints[1]["text"] == "0"


def test_names_and_parameters():
    assert evaluate("llGetScriptName()", "llGetStartParameter()") == ["script", "0"]
