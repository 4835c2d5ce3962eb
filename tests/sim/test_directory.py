"""The region's picture of the others: what it asks Backbone, and what it makes of the answers."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from backbone.client import BackboneError
from sim.neighbours.records import RegionRecord
from tests.kit.world import TestSimulator


def record(name: str, grid_x: int, epoch: int = 1, **more: Any) -> dict[str, Any]:
    return {
        **RegionRecord(uuid4(), name, grid_x, 1000, "127.0.0.1", 9000, "http://127.0.0.1:9000", epoch).encode(), **more
    }


class Backbone:
    def __init__(self) -> None:
        self.asked: list[int | None] = []
        self.answer: dict[str, Any] | None = None

    async def regions_near(self, x: int, y: int, radius: int = 1, since: int | None = None) -> dict[str, Any]:
        self.asked.append(since)
        if self.answer is None:
            raise BackboneError(0, "backbone unreachable")
        return self.answer

    def says(self, version: int, *regions: Any, whole: bool = False, gone: tuple[str, ...] = ()) -> None:
        self.answer = {"version": version, "whole": whole, "regions": list(regions), "gone": list(gone)}


@pytest.fixture
def backbone(sim: TestSimulator) -> Backbone:
    backbone = Backbone()
    sim.neighbours.directory._backbone = backbone  # type: ignore[assignment]
    return backbone


def names(sim: TestSimulator) -> set[str]:
    return {region.name for region in sim.neighbours.regions.values()}


async def test_only_what_changed_is_asked_for(sim: TestSimulator, backbone: Backbone) -> None:
    directory = sim.neighbours.directory
    east, far = record("East", 1001), record("Far", 1400)
    backbone.says(7, east, far, whole=True)
    await directory._look()
    assert names(sim) == {"East", "Far"} and sim.world.open_sides[1, 2]
    backbone.says(8, record("West", 999), {**far, "online": False})
    await directory._look()
    assert names(sim) == {"East", "West"}
    backbone.says(9, gone=(east["region_id"],))
    await directory._look()
    assert names(sim) == {"West"} and not sim.world.open_sides[1, 2]
    backbone.answer = None
    await directory._look()
    assert names(sim) == {"West"}  # the old picture is better than none
    backbone.says(3, east, whole=True)  # another Backbone, which counts anew
    await directory._look()
    assert names(sim) == {"East"} and backbone.asked == [None, 7, 8, 9, 9]


async def test_a_region_that_moved_is_in_one_place(sim: TestSimulator, backbone: Backbone) -> None:
    east = record("East", 1001)
    backbone.says(1, east, whole=True)
    await sim.neighbours.directory._look()
    backbone.says(2, {**east, "grid_x": 999, "epoch": 5})
    await sim.neighbours.directory._look()
    assert list(sim.neighbours.regions) == [(999, 1000)]


@pytest.mark.parametrize(
    "wrong",
    [None, 7, {}, {"version": 2}, {"grid_x": -1}, {"grid_x": 1.5}, {"port": 0}, {"name": ""}, {"epoch": "new"},
     {"access": "X"}, {"water_height": float("nan")}, {"region_id": "here"}, {"http_url": 3}],
)  # fmt: skip
async def test_a_record_that_cannot_be_read_costs_itself_alone(
    sim: TestSimulator, backbone: Backbone, wrong: Any
) -> None:
    bad = {**record("Bad", 1002), **wrong} if isinstance(wrong, dict) and wrong else wrong
    backbone.says(1, bad, record("East", 1001), whole=True)
    for _ in range(2):
        await sim.neighbours.directory._look()
    assert names(sim) == {"East"} and sim.metrics.labelled["service_errors"]["region record"] == 2
