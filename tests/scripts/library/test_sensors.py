"""Sensors: who is found, how far, of which kind, in which order; once and again and again."""

# ruff: noqa: E501 (scripts in strings)
from __future__ import annotations

from typing import Any

import pytest

from tests.scripts.bench import said
from tests.scripts.library.moving import more, plays, stands
from tests.scripts.library.worlds import bench

FOUND = """sensor(integer n) { string all; integer i; for (i = 0; i < n; ++i) all += llDetectedName(i) + ":" + (string)llDetectedType(i) + " "; llOwnerSay(all); }
no_sensor() { llOwnerSay("nobody"); }"""


@pytest.fixture(params=["fake", "region"])
async def here(request: pytest.FixtureRequest) -> Any:
    with bench(request.param) as found:
        yield found


def looks(here: Any, *wishes: str) -> list[str]:
    asked = " ".join([f"llSensor({wish});" for wish in wishes])
    return plays(here, f"default {{ state_entry() {{ {asked} }} {FOUND} }}", 0.5)


async def test_what_is_near_is_found_the_nearest_first(here):
    here.region.world.row(here.visitor)["position"] = (130.0, 128.0, 25.0)
    stands(here, "far", (168.0, 128.0, 25.0))
    stands(here, "near", (129.0, 128.0, 25.0))
    stands(here, "ball", (128.0, 131.0, 25.0), physical=True, phantom=False)
    found = looks(here, '"", NULL_KEY, AGENT, 10.0, PI', '"", NULL_KEY, PASSIVE, 20.0, PI', '"", NULL_KEY, AGENT | PASSIVE | ACTIVE, 96.0, PI')
    assert found[0].strip() in ("Visitor Resident:3", "Visitor Resident:5")
    assert found[1].startswith("near:") and "far" not in found[1]
    assert found[2].index("near") < found[2].index("Visitor") < found[2].index("far")
    assert "Object" not in " ".join(found)  # never itself


async def test_filters(here):
    here.region.world.row(here.visitor)["position"] = (130.0, 128.0, 25.0)
    other = stands(here, "thing", (126.0, 128.0, 25.0))
    visitor = str(here.visitor.agent_id)
    found = looks(
        here, '"Visitor Resident", NULL_KEY, AGENT, 10.0, PI', '"Visitor", NULL_KEY, AGENT, 10.0, PI', '"visitor", NULL_KEY, AGENT_BY_USERNAME, 10.0, PI',
        f'"", "{visitor}", AGENT, 10.0, PI', f'"", "{other.full_id}", PASSIVE, 10.0, PI', '"thing", NULL_KEY, PASSIVE, 10.0, PI',
        '"nothing", NULL_KEY, PASSIVE, 10.0, PI', '"", NULL_KEY, PASSIVE, 1.0, PI', '"", NULL_KEY, PASSIVE, 10.0, PI_BY_TWO', '"", NULL_KEY, AGENT, 10.0, 1.4',
        '"", NULL_KEY, SCRIPTED, 10.0, PI',
    )  # fmt: skip
    assert [one.split(":")[0] for one in found] == ["Visitor Resident"] * 4 + ["thing"] * 2 + ["nobody"] * 3 + ["Visitor Resident", "nobody"]


async def test_scripted_and_active(here):
    other = stands(here, "clock", (129.0, 128.0, 25.0))
    plays(here, "default { state_entry() { llSetTimerEvent(5.0); } timer() { } }", 0.3, other)
    assert looks(here, '"", NULL_KEY, SCRIPTED, 5.0, PI', '"", NULL_KEY, ACTIVE, 5.0, PI', '"", NULL_KEY, PASSIVE, 5.0, PI') == ["clock:12 ", "clock:12 ", "nobody"]


async def test_a_sensor_repeats_until_it_is_removed_or_the_state_changes(here):
    source = 'default { state_entry() { llSensorRepeat("", NULL_KEY, AGENT, 96.0, PI, 1.0); } sensor(integer n) { llOwnerSay("a"); } }'
    assert plays(here, source, 3.2) == ["a"] * 3
    source = '''integer n; default { state_entry() { llSensorRepeat("", NULL_KEY, AGENT, 96.0, PI, 1.0); }
    sensor(integer k) { llOwnerSay("b"); if (++n == 2) llSensorRemove(); } }'''
    assert plays(here, source, 4.2).count("b") == 2
    source = '''default { state_entry() { llSensorRepeat("x", NULL_KEY, AGENT, 96.0, PI, 0.5); } no_sensor() { llOwnerSay("c"); state other; } }
    state other { no_sensor() { llOwnerSay("d"); } }'''
    found = plays(here, source, 3.0)
    assert found.count("c") == 1 and "d" not in found
    assert more(here, 1.0).count("c") == 1


def test_a_sensor_goes_on_in_a_script_that_is_saved_and_restored():
    source = '''default { state_entry() { llSensorRepeat("", NULL_KEY, AGENT, 96.0, PI, 1.0); llSensor("none", NULL_KEY, AGENT, 96.0, PI); }
    sensor(integer n) { llOwnerSay(llDetectedName(0) + (string)llDetectedRezzer(0)); } no_sensor() { llOwnerSay("none"); } }'''
    assert said(source, seconds=2.5) == ["none"] + ["Visitor Resident00000000-0000-0000-0000-000000000000"] * 2


async def test_odd_wishes(here):
    nan = '(float)"nan"'
    assert looks(here, f'"", NULL_KEY, AGENT, {nan}, PI', '"", NULL_KEY, 0, 10.0, PI', '"", "no key", AGENT, 10.0, PI', '"", NULL_KEY, AGENT, -5.0, PI')[-1:] in ([], ["nobody"])


async def test_at_most_32_are_found(here):
    for number in range(40):
        stands(here, "x", (129.0 + number / 50, 128.0, 25.0), (0.01, 0.01, 0.01))
    assert looks(here, '"x", NULL_KEY, PASSIVE, 20.0, PI')[0].count("x:") == 32
