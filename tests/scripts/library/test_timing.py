"""Clocks and calendars. The fake world begins at 1,700,000,000 seconds: 2023-11-14, 22:13:20 UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.scripts.bench import evaluate, said
from tests.scripts.library.stand_in import StandIn, call


def test_clocks_and_calendars():
    assert evaluate(
        "llGetUnixTime()", "llGetGMTclock()", "llGetWallclock()", "llGetTimestamp()", "llGetDate()", "llGetTimeOfDay()",
        "llGetRegionTimeOfDay()",
    ) == [
        "1700000000", "80000.000000", "51200.000000", "2023-11-14T22:13:20.000000Z", "2023-11-14", "8000.000000",
        "8000.000000",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        ((2024, 3, 10, 9, 59), 1 + 59 / 60), ((2024, 3, 10, 10, 0), 3), ((2024, 11, 3, 8, 59), 1 + 59 / 60),
        ((2024, 11, 3, 9, 0), 1), ((2023, 3, 12, 10, 0), 3), ((2023, 11, 5, 9, 0), 1), ((2026, 3, 8, 10, 0), 3),
        ((2026, 11, 1, 9, 0), 1), ((2026, 7, 1, 12, 0), 5), ((2025, 3, 9, 9, 59), 1 + 59 / 60), ((2025, 11, 2, 9, 0), 1),
        ((2020, 3, 8, 10, 0), 3), ((2020, 11, 1, 8, 59), 1 + 59 / 60),
    ],
)  # fmt: skip
def test_california_has_summer_time(moment, hours):
    script = StandIn()
    script.unix = datetime(*moment).replace(tzinfo=UTC).timestamp() + 0.75
    assert call("llGetWallclock", script=script) == hours * 3600


def test_the_scripts_own_clock():
    source = """default { state_entry() { llSetTimerEvent(2); llMinEventDelay(0); }
        timer() { llOwnerSay((string)llGetTime()); llSleep(1); llOwnerSay((string)llGetAndResetTime());
            llResetTime(); llOwnerSay((string)llGetTime()); llSetTimerEvent(0); } }"""
    assert said(source, seconds=4) == ["2.000000", "3.000000", "0.000000"]
