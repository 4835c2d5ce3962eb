"""The ground shaped by viewers: what each deed does, who may, how far, and who hears of it."""

from __future__ import annotations

import math
from uuid import uuid4

import numpy as np
import pytest

from protocol import terrain
from protocol.message import Message, text
from protocol.wellknown import NULL
from sim.actions import terraform
from sim.actions.may import actor_of
from sim.actions.terraform import ALLOW_TERRAFORM, BLOCK_TERRAFORM, RAISE_LIMIT, Stroke
from sim.world.brushes import Deed
from sim.world.changes import What
from sim.world.terrain import HIGHEST, LOWEST
from tests.kit.world import TestSimulator, Viewer, add_root
from tests.sim.handlers.test_building import frame, rez
from tests.sim.handlers.test_land import split

SECOND = 1.1


@pytest.fixture
async def anna(sim: TestSimulator) -> Viewer:
    """The owner of all there is, on level ground at 25 m that was made so."""
    anna = add_root(sim, "Anna Owner")
    sim.world.belongs_to(anna.id)
    sim.world.terrain.edit(0, 0, np.full((257, 257), 25.0))
    sim.world.terrain.made[:] = 25.0
    frame(sim, 1)
    anna.forget()
    return anna


def shape(
    viewer: Viewer, deed: int, west: float, south: float, east: float | None = None, north: float | None = None, *,
    seconds: float = 1.0, height: float = 25.0, size: int = 0, radius: float | None = None, parcel: int = -1,
) -> None:  # fmt: skip
    place = {
        "LocalID": parcel,
        "West": west,
        "South": south,
        "East": west if east is None else east,
        "North": south if north is None else north,
    }
    viewer.sends(
        Message(
            "ModifyLand", ModifyBlock={"Action": deed, "BrushSize": size, "Seconds": seconds, "Height": height}, ParcelData=[place],
            ModifyBlockExtended=[] if radius is None else [{"BrushSize": radius}],
        )
    )  # fmt: skip


def heights(sim: TestSimulator) -> np.ndarray:
    return sim.world.terrain.heights.copy()


def touched(before: np.ndarray, after: np.ndarray) -> tuple[int, int, int, int]:
    """West, south, east, north of what differs."""
    rows, columns = np.nonzero(before != after)
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


@pytest.mark.parametrize(
    ("size", "radius", "reach"),
    [(0, None, 1), (1, None, 2), (2, None, 4), (9, None, 4), (0, 7.0, 7), (2, 1.0, 1), (0, 900.0, 16)],
)
async def test_a_brush_is_as_wide_as_its_size_says(
    sim: TestSimulator, anna: Viewer, size: int, radius: float | None, reach: int
) -> None:
    before = heights(sim)
    shape(anna, Deed.RAISE, 100.0, 60.0, size=size, radius=radius)
    after = heights(sim)
    assert touched(before, after) == (100 - reach + 1, 60 - reach + 1, 100 + reach - 1, 60 + reach - 1)
    assert after[60, 100] == pytest.approx(26.0)
    along = after[60, 100 : 100 + reach + 1]
    assert (np.diff(along) < 0).all() and along[-1] == 25.0


async def test_each_deed_does_what_it_is_called(sim: TestSimulator, anna: Viewer) -> None:
    area = (40.0, 40.0, 60.0, 56.0)

    def block() -> np.ndarray:
        return heights(sim)[40:57, 40:61]

    shape(anna, Deed.RAISE, *area, seconds=2.0)
    assert (block() == 27.0).all() and (heights(sim) == 25.0).sum() == 257 * 257 - 17 * 21
    shape(anna, Deed.LOWER, *area, seconds=0.5)
    assert (block() == 26.5).all()
    shape(anna, Deed.LEVEL, *area, seconds=0.5, height=30.5)
    assert (block() == 28.5).all()
    shape(anna, Deed.LEVEL, *area, seconds=3.0, height=30.5)
    assert (block() == 30.5).all()
    shape(anna, Deed.REVERT, *area, seconds=0.5)
    assert (block() == 27.75).all()
    shape(anna, Deed.REVERT, *area)
    assert (block() == 25.0).all()
    shape(anna, Deed.NOISE, *area)
    rough = block()
    assert 0.1 < rough.std() < 1.0 and abs(rough.mean() - 25.0) < 0.5 and (rough != 25.0).mean() > 0.9
    shape(anna, Deed.NOISE, *area)
    assert not np.allclose(block() - 25.0, 2 * (rough - 25.0))  # never the same bumps twice
    before = block().std()
    frame(sim, 2)
    shape(anna, Deed.SMOOTH, *area, seconds=5.0)
    assert block().std() < before * 0.7 and abs(block().mean() - 25.0) < 0.5


async def test_smoothing_takes_the_mean_around_each_sample(sim: TestSimulator, anna: Viewer) -> None:
    sim.world.terrain.edit(100, 100, np.array([[34.0]]))
    shape(anna, Deed.SMOOTH, 100.0, 100.0, radius=1.0)
    assert heights(sim)[100, 100] == pytest.approx(26.0)  # nine samples, one of them 9 m higher
    shape(anna, Deed.SMOOTH, 0.0, 0.0, 256.0, 256.0)  # also at the edges, where there is no ground beyond
    assert np.isfinite(heights(sim)).all() and heights(sim)[0, 0] == 25.0


async def test_ground_is_its_owners_and_a_brush_stops_at_the_border(sim: TestSimulator, anna: Viewer) -> None:
    ben = add_root(sim, "Ben Neighbour")
    east = split(sim, ben.id)
    before = heights(sim)
    shape(ben, Deed.RAISE, 126.0, 50.0, radius=6.0)
    assert touched(before, heights(sim))[0] == 128
    before = heights(sim)
    frame(sim, 1)
    shape(ben, Deed.RAISE, 60.0, 60.0)
    assert np.array_equal(heights(sim), before)
    (said,) = ben.heard("AlertMessage")
    assert "does not let you" in text(said["AlertData"]["Message"])
    sim.world.parcels[0].flags |= ALLOW_TERRAFORM
    shape(ben, Deed.RAISE, 60.0, 60.0)
    assert heights(sim)[60, 60] == 26.0
    shape(anna, Deed.RAISE, 0.0, 0.0, 256.0, 256.0, parcel=east.local_id)  # the region's owner; that parcel alone
    changed = heights(sim) != before
    assert changed[:, 128:].all() and changed[:, :128].sum() == 1


async def test_what_the_region_blocks_only_its_owner_does(sim: TestSimulator, anna: Viewer) -> None:
    ben = add_root(sim, "Ben Neighbour")
    split(sim, ben.id)
    sim.world.facts.flags |= BLOCK_TERRAFORM
    before = heights(sim)
    shape(ben, Deed.RAISE, 200.0, 60.0)
    ben.sends(Message("UndoLand"))
    assert np.array_equal(heights(sim), before) and "only its owner" in text(
        ben.heard("AlertMessage")[0]["AlertData"]["Message"]
    )
    shape(anna, Deed.RAISE, 200.0, 60.0)
    assert heights(sim)[60, 200] == 26.0


async def test_heights_have_limits(sim: TestSimulator, anna: Viewer) -> None:
    ben = add_root(sim, "Ben Neighbour")
    split(sim, ben.id)
    for _ in range(30):
        shape(ben, Deed.RAISE, 200.0, 60.0, seconds=5.0)
    assert heights(sim)[60, 200] == 25.0 + RAISE_LIMIT
    sim.world.terrain.edit(210, 60, np.array([[150.0]]))  # what is beyond the limits already is not cut down
    shape(ben, Deed.RAISE, 210.0, 60.0)
    assert heights(sim)[60, 210] == 150.0
    for _ in range(60):
        shape(anna, Deed.RAISE, 50.0, 60.0, seconds=1e30)
        shape(anna, Deed.LOWER, 60.0, 60.0, seconds=5.0)
    assert heights(sim)[60, 50] == HIGHEST and heights(sim)[60, 60] == LOWEST


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 0.0])
@pytest.mark.parametrize("field", ["strength", "level", "west", "radius"])
async def test_numbers_that_are_none_change_nothing(sim: TestSimulator, anna: Viewer, field: str, bad: float) -> None:
    """The wire lets none of them in; scripts may."""
    before = heights(sim)
    numbers = {"strength": 1.0, "level": 25.0, "west": 60.0, "south": 60.0, "east": 60.0, "north": 60.0, "radius": 3.0, field: bad}
    refused = terraform.shape(sim.region, actor_of(anna.agent), anna.agent.undo.ground, Stroke(Deed.RAISE, **numbers))  # type: ignore[arg-type]
    assert np.isfinite(heights(sim)).all()
    if not math.isfinite(bad) or field == "strength":
        assert refused is not None and np.array_equal(heights(sim), before)


async def test_wild_places_and_deeds_change_nothing_beside_the_region(sim: TestSimulator, anna: Viewer) -> None:
    before = heights(sim)
    for area in (
        (300.0, 10.0, 300.0, 10.0),
        (-1e30, -1e30, -1e29, -1e29),
        (60.0, 60.0, 50.0, 70.0),
        (1e38, 0.0, -1e38, 5.0),
    ):
        shape(anna, Deed.RAISE, *area)
    shape(anna, 77, 60.0, 60.0)
    assert np.array_equal(heights(sim), before)
    shape(anna, Deed.RAISE, -1e38, -1e38, 1e38, 1e38)
    assert (heights(sim) == 26.0).all()


async def test_nobody_shapes_the_whole_region_without_end(sim: TestSimulator, anna: Viewer) -> None:
    for _ in range(20):
        shape(anna, Deed.RAISE, 0.0, 0.0, 256.0, 256.0)
    assert heights(sim)[0, 0] == 29.0 and sim.metrics.value("edits_refused", label="too much ground") == 16
    frame(sim, 2)
    shape(anna, Deed.RAISE, 0.0, 0.0, 256.0, 256.0)
    assert heights(sim)[0, 0] == 30.0


async def test_viewers_are_told_of_what_changed_and_of_nothing_else(sim: TestSimulator, anna: Viewer) -> None:
    frame(sim, 1)
    anna.forget()
    reader = sim.world.changes.terrain.reader()
    for _ in range(45):
        shape(anna, Deed.RAISE, 100.0, 60.0, radius=3.0, seconds=0.1)
        frame(sim)
    assert reader.take_with_authors() == {(6, 3): (What.LAND, anna.id)}
    frame(sim, 0.5)
    told = [terrain.decode_patches(m["LayerData"]["Data"]) for m in anna.heard("LayerData")]
    assert 3 <= len(told) <= 8  # a few a second, not one a frame
    ((x, y, patch),) = told[-1]
    assert (x, y) == (6, 3) and patch[60 - 48, 100 - 96] == pytest.approx(29.5, abs=0.1)


async def test_things_lie_on_the_ground_as_it_is_now(sim: TestSimulator, anna: Viewer) -> None:
    box, far = rez(anna, (100.0, 60.0, 26.0), AddFlags=1), rez(anna, (200.0, 200.0, 26.0), AddFlags=1)
    frame(sim, 6)
    assert sim.world.objects.row(box)["position"][2] == pytest.approx(25.25, abs=0.05)
    assert not sim.bodies.engine.awake.any()
    shape(anna, Deed.LOWER, 90.0, 50.0, 110.0, 70.0, seconds=3.0)
    frame(sim)
    assert sim.bodies.engine.awake.sum() == 1  # what lies elsewhere sleeps on
    frame(sim, 6)
    assert sim.world.objects.row(box)["position"][2] == pytest.approx(22.25, abs=0.05)
    assert sim.world.objects.row(far)["position"][2] == pytest.approx(25.25, abs=0.05)


async def test_a_deed_is_taken_back_and_what_others_did_since_stays(sim: TestSimulator, anna: Viewer) -> None:
    ben = add_root(sim, "Ben Helper")
    sim.world.parcels[0].flags |= ALLOW_TERRAFORM
    level = heights(sim)
    shape(anna, Deed.RAISE, 20.0, 20.0, 30.0, 30.0)
    first = heights(sim)
    frame(sim, SECOND)
    for step in range(10):  # a drag is one deed
        shape(anna, Deed.RAISE, 60.0 + step, 60.0, radius=3.0, seconds=0.3)
        frame(sim)
    shape(ben, Deed.RAISE, 66.0, 60.0, radius=2.0)
    bens = heights(sim)[60, 66]
    anna.sends(Message("UndoLand"))
    after = heights(sim)
    assert after[60, 66] == bens
    after[57:64, 63:70] = first[57:64, 63:70]
    assert np.array_equal(after, first)
    anna.sends(Message("UndoLand"))
    after = heights(sim)
    after[57:64, 63:70] = level[57:64, 63:70]
    assert np.array_equal(after, level)
    anna.forget()
    anna.sends(Message("UndoLand"))
    assert "nothing of yours to undo" in text(anna.heard("AlertMessage")[0]["AlertData"]["Message"])


async def test_steps_are_bounded(sim: TestSimulator, anna: Viewer) -> None:
    for _ in range(30):
        shape(anna, Deed.RAISE, 20.0, 20.0)
        frame(sim, SECOND)
    for _ in range(30):
        anna.sends(Message("UndoLand"))
    assert heights(sim)[20, 20] == 50.0  # five of thirty are taken back


async def test_land_of_nobody_is_nobodys(sim: TestSimulator) -> None:
    ben = add_root(sim, "Ben Somebody")
    assert sim.world.parcels[0].owner_id == NULL != uuid4()
    before = heights(sim)
    shape(ben, Deed.RAISE, 60.0, 60.0)
    assert np.array_equal(heights(sim), before)


async def test_what_lies_beyond_the_border_is_the_neighbours(sim: TestSimulator, anna: Viewer) -> None:
    sim.world.open_sides[1, 2] = 1
    shape(anna, Deed.RAISE, 250.0, 250.0, 256.0, 256.0)
    assert (heights(sim)[250:, 256] == 25.0).all() and (heights(sim)[250:, 250:256] == 26.0).all()
