"""The load generator in a real grid: what it reports is what a region delivers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

import viewer
from tests.clients.grid import PASSWORD, Grid, running_grid
from viewer import crowd

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def grid() -> Iterator[Grid]:
    with running_grid("crowd") as running:
        yield running


async def test_a_crowd_sees_itself(grid: Grid) -> None:
    names = [grid.account().name.partition(" ") for _ in range(6)]
    people = [(first, last, PASSWORD) for first, _, last in names]
    stop = asyncio.Event()

    def enough(bots: crowd.Crowd) -> None:
        async def watch() -> None:
            while bots.near_times.sum() + bots.far_times.sum() < 20:
                await asyncio.sleep(0.1)
            stop.set()

        tasks.append(asyncio.create_task(watch()))

    tasks: list[asyncio.Task[None]] = []
    report = await crowd.run(
        grid.login_uri,
        6,
        60,
        accounts=people,
        region=grid.west.name,
        chat_every=1.0,
        settle=1.0,
        on_ready=enough,
        stop=stop,
    )
    assert report["living"] == 6 and not report["failures"]
    assert report["known_a_bot"] == 5
    assert report["move_to_seen_ms"]["samples"] >= 20
    assert report["updates_per_second"] > 0 and report["loss"] < 0.01 and report["refused"] == 0
    assert tasks[0].done()


async def test_a_wrong_password_is_counted(grid: Grid) -> None:
    report = await crowd.run(grid.login_uri, 1, 0.1, accounts=[("No", "Body", "x")], settle=0.0)
    assert report["living"] == 0 and list(report["failures"]) and report["move_to_seen_ms"]["samples"] == 0


def test_spread_reads_a_histogram() -> None:
    times = np.zeros(100, np.int64)
    times[[9, 19]] = (98, 2)
    assert crowd.spread(times) == {"samples": 100, "p50": 10, "p90": 10, "p99": 20, "max": 20}


async def test_a_region_that_is_not_there_is_no_place_for_a_crowd(grid: Grid) -> None:
    first, _, last = grid.account().name.partition(" ")
    with pytest.raises(viewer.StartElsewhere, match="Harbor"):
        await crowd.run(grid.login_uri, 1, 5.0, accounts=[(first, last, PASSWORD)], region="Harbor", settle=0.0)
    with pytest.raises(viewer.BadStart):
        await crowd.run(grid.login_uri, 1, 5.0, accounts=[(first, last, PASSWORD)], region=" ", settle=0.0)
