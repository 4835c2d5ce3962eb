"""Linkset data: the store, its protection, its limit, its events."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.world.linkset_data import size_of
from tests.scripts.bench import evaluate, occurrences, said
from tests.scripts.library.stand_in import StandIn, call

LISTENER = """default { linkset_data(integer action, string name, string value) {
    llOwnerSay((string)action + " " + name + " " + value); } }"""


def run(body: str, *others: str) -> list[str]:
    return said(f"default {{ state_entry() {{ {body} }} }}", *others)


def say(*expressions: str) -> str:
    return "".join([f"llOwnerSay((string)({one}));" for one in expressions])


def test_reading_and_writing():
    assert run(say(
        'llLinksetDataWrite("a", "1")', 'llLinksetDataRead("a")', 'llLinksetDataWrite("a", "1")',
        'llLinksetDataWrite("a", "2")', 'llLinksetDataRead("a")', 'llLinksetDataRead("b")', 'llLinksetDataWrite("", "1")',
        'llLinksetDataWrite("a", "")', 'llLinksetDataRead("a")', 'llLinksetDataDelete("a")', 'llLinksetDataWrite("a", "")',
        'llLinksetDataDelete("")', "llLinksetDataCountKeys()",
    )) == ["0", "1", "5", "0", "2", "", "2", "0", "", "4", "4", "2", "0"]  # fmt: skip


def test_protection():
    assert run(say(
        'llLinksetDataWriteProtected("a", "1", "pass")', 'llLinksetDataRead("a")', 'llLinksetDataReadProtected("a", "x")',
        'llLinksetDataReadProtected("a", "pass")', 'llLinksetDataWrite("a", "2")',
        'llLinksetDataWriteProtected("a", "2", "x")', 'llLinksetDataWriteProtected("a", "2", "pass")',
        'llLinksetDataDelete("a")', 'llLinksetDataDeleteProtected("a", "x")', 'llLinksetDataDeleteProtected("a", "pass")',
        'llLinksetDataWrite("b", "1")', 'llLinksetDataReadProtected("b", "any")',
        'llLinksetDataWriteProtected("b", "1", "p")', 'llLinksetDataRead("b")',
    )) == ["0", "", "", "1", "3", "3", "0", "3", "3", "0", "0", "1", "0", ""]  # fmt: skip


def test_every_script_hears_of_changes():
    heard = run(
        'llLinksetDataWrite("a", "1"); llLinksetDataWrite("a", "1"); llLinksetDataWriteProtected("b", "2", "p");'
        'llLinksetDataDelete("a"); llLinksetDataDelete("b"); llLinksetDataDeleteProtected("b", "p");'
        'llLinksetDataWrite("x1", "1"); llLinksetDataWrite("x2", "1"); llLinksetDataDeleteFound("x", "");'
        "llLinksetDataReset();",
        LISTENER,
    )
    assert heard == ["1 a 1", "1 b ", "2 a ", "2 b ", "1 x1 1", "1 x2 1", "3 x1,x2 ", "0  "]


def test_listing_and_finding():
    things = "".join([f'llLinksetDataWrite("Thing{one}", "v");' for one in ("B_data", "A_config", "A_data", "C")])

    def csv(expression):
        return f"llList2CSV({expression})"

    assert run(things + say(
        "llLinksetDataCountKeys()", csv("llLinksetDataListKeys(0, 0)"), csv("llLinksetDataListKeys(1, 2)"),
        csv("llLinksetDataListKeys(4, 1)"), csv("llLinksetDataListKeys(-3, 1)"),
        csv('llLinksetDataFindKeys("_data$", 0, 0)'), csv('llLinksetDataFindKeys("(?i)^THINGA", 1, 9)'),
        csv('llLinksetDataFindKeys("Thing[BC](_[a-z]{4})?$", 0, -1)'), 'llLinksetDataCountFound("_")',
        'llLinksetDataCountFound("(")', 'llLinksetDataCountFound("(T)\\\\1")', 'llLinksetDataCountFound("")',
    )) == [
        "4", "ThingA_config, ThingA_data, ThingB_data, ThingC", "ThingA_data, ThingB_data", "", "ThingA_config",
        "ThingA_data, ThingB_data", "ThingA_data", "ThingB_data, ThingC", "3", "0", "0", "4",
    ]  # fmt: skip


def test_deleting_what_is_found():
    assert run(
        'llLinksetDataWrite("a1", "v"); llLinksetDataWriteProtected("a2", "v", "p"); llLinksetDataWriteProtected("a3", "v", "q");'
        'llLinksetDataWrite("b", "v");' + say(
            'llList2CSV(llLinksetDataDeleteFound("^a", "p"))', "llList2CSV(llLinksetDataListKeys(0, 0))",
            'llList2CSV(llLinksetDataDeleteFound("nothing", ""))',
        )
    ) == ["2, 1", "a3, b", "0, 0"]  # fmt: skip


def test_the_room_is_counted_in_bytes():
    assert run(
        'llLinksetDataWrite("é", "漢"); llLinksetDataWriteProtected("k", "v", "long pass phrase");'
        + say("llLinksetDataAvailable()") + "llLinksetDataReset();" + say("llLinksetDataAvailable()")
    ) == [str(131072 - 5 - 34), "131072"]  # fmt: skip


def test_it_is_full_at_last():
    source = """default { state_entry() {
        string a = "aaaaaaaaaaaaaaaa"; while (llStringLength(a) < 8192) a += a;
        integer n; integer result;
        while (!(result = llLinksetDataWrite("name" + llGetSubString("0" + (string)n, -2, -1), a))) ++n;
        llOwnerSay((string)n + " " + (string)result + " " + (string)llLinksetDataAvailable());
        llOwnerSay((string)llLinksetDataWrite("name03", "short")); llOwnerSay((string)llLinksetDataWrite("name15", "x"));
    } }"""
    assert said(source) == ["15 1 8102", "0", "0"]


def test_patterns_are_matched_in_bounded_time():
    script = StandIn()
    call("llLinksetDataWrite", "a" * 4000 + "!", "v", script=script)
    assert call("llLinksetDataCountFound", "^(a+)+$", script=script) == 0
    assert call("llLinksetDataCountFound", "(a|a?)*b", script=script) == 0
    assert call("llLinksetDataCountFound", "(((a{50}){50}){50}){50}", script=script) == 0
    assert call("llLinksetDataCountFound", "a" * 801, script=script) == 0
    assert call("llLinksetDataCountFound", "a" * 800, script=script) == 1


def test_an_event_tells_only_so_many_names():
    script = StandIn()
    for index in range(300):
        call("llLinksetDataWrite", f"{index:0100}", "v", script=script)
    assert call("llLinksetDataDeleteFound", "0", "", script=script) == [300, 0]
    action, names, _ = script.changes[-1]
    assert action == 3 and len(names) == 16384 and script.store.used == 0


def test_more_names_than_memory_is_the_scripts_own_failure():
    source = """default { state_entry() { integer n; while (n < 4000) llLinksetDataWrite((string)(++n), "v");
        llOwnerSay((string)llLinksetDataCountKeys()); llLinksetDataListKeys(0, 0); } }"""
    count, error = occurrences(source)
    assert count["text"] == "4000" and error["message"] == "Stack-Heap Collision"


names, phrases = st.text("ab", max_size=2), st.sampled_from(["", "p", "q"])


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("wdrf"), names, st.text("é1", max_size=3), phrases), max_size=30))
def test_the_room_used_is_that_of_the_pairs(steps):
    script = StandIn()
    for step, name, value, phrase in steps:
        before = dict(script.store.pairs)
        if step == "w":
            result = call("llLinksetDataWriteProtected", name, value, phrase, script=script)
        elif step == "d":
            result = call("llLinksetDataDeleteProtected", name, phrase, script=script)
        elif step == "r":
            result = call("llLinksetDataReadProtected", name, phrase, script=script)
            value, needed = before.get(name, ("", ""))
            assert result == (value if needed in ("", phrase) else "")
            continue
        else:
            result = call("llLinksetDataDeleteFound", "^" + name, phrase, script=script)[0]
            assert len(before) - len(script.store.pairs) == result
            continue
        held = before.get(name)
        assert result in (0, 2, 3, 4, 5) and (script.store.pairs != before) == (result == 0)
        assert (result == 3) == (held is not None and held[1] not in ("", phrase))
    assert script.store.used == sum(size_of(name, *pair) for name, pair in script.store.pairs.items())


def test_values_survive_a_reset_of_the_script():
    source = """integer times; default { state_entry() {
        if (llLinksetDataRead("times") == "") { llLinksetDataWrite("times", "once"); llResetScript(); }
        llOwnerSay(llLinksetDataRead("times")); } }"""
    assert said(source) == ["once"]
    assert evaluate('llLinksetDataRead("times")') == [""]
