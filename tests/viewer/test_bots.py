"""A crowd in one process: it walks, chats, and reports what it saw."""

from __future__ import annotations

import math

from tests.kit.fakegrid import FakeGrid
from tests.kit.viewers import quick
from viewer import bots


async def test_a_crowd_walks_chats_and_reports() -> None:
    async with FakeGrid() as grid:
        accounts = bots.numbered(4, password="pw")
        report = await bots.run(grid.login_uri, 4, 5.0, accounts=accounts, roam=15, chat_every=1.0, habits=quick())
        assert (report["bots"], report["logged_in"], report["lost_sessions"], report["failures"]) == (4, 4, 0, {})
        assert report["move_to_seen_ms"]["samples"] > 0 and report["move_to_seen_ms"]["p50"] > 0
        assert report["updates_per_second_a_bot"] > 0 and report["chats_heard"] > 0
        assert report["malformed"] == report["internal_failures"] == 0
        assert grid.complaints == []
        assert not grid.sessions  # all logged out


async def test_bots_that_cannot_get_in_are_counted() -> None:
    async with FakeGrid() as grid:
        report = await bots.run(grid.login_uri, 2, 0.1, accounts=bots.numbered(2, password="wrong"), still=True)
        assert report["logged_in"] == 0
        assert sum(report["failures"].values()) == 2


def test_a_spread_of_samples() -> None:
    assert bots.spread([]) == {"samples": 0, "p50": None, "p90": None, "p99": None, "max": None}
    values = bots.spread([n / 1000 for n in range(100)])
    assert (values["samples"], values["p50"], values["p99"], values["max"]) == (100, 50.0, 99.0, 99.0)
    assert math.isclose(values["p90"] or 0, 90.0)
