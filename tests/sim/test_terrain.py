"""The ground: no seams, nothing too steep to walk, and the surface answers as documented."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.wellknown import WATER_HEIGHT
from sim.world import terrain
from sim.world.founding import found
from sim.world.terrain import EDGE, Terrain, generate, height_at, heights_at, normal_at, normals_at, surface_at

FIRST_FOUR = {(1000 + x, 1000 + y) for x in range(2) for y in range(2)}
L_SHAPE = {(1000, 1000), (1001, 1000), (1000, 1001), (1003, 1001)}


def test_what_stands_does_not_move_when_the_grid_grows_and_the_new_meets_it() -> None:
    """From 1x1 to 2x2 to 3x3, and a square that only touches a corner."""
    ages = {(1000, 1000): 0}
    stages: list[dict[tuple[int, int], np.ndarray]] = []
    for age, squares in enumerate((FIRST_FOUR, {(1000 + x, 1000 + y) for x in range(3) for y in range(3)}, {(1003, 1003)}), 1):
        ages |= {square: age for square in squares if square not in ages}
        stages.append({(x, y): found(x, y, 7, ages) for x, y in ages})
    assert np.array_equal(stages[0][1000, 1000], generate(1000, 1000, 7, {(1000, 1000)}))
    for before, after in zip(stages, stages[1:], strict=False):
        assert all(np.array_equal(after[square], ground) for square, ground in before.items())
    last = stages[-1]
    for (x, y), ground in last.items():
        assert np.isfinite(ground).all() and steepest(ground) < 41
        if (x + 1, y) in last:
            assert np.allclose(ground[:, 256], last[x + 1, y][:, 0], atol=1e-3)
        if (x, y + 1) in last:
            assert np.allclose(ground[256], last[x, y + 1][0], atol=1e-3)
    assert last[1003, 1003][0, 0] == pytest.approx(last[1002, 1002][256, 256], abs=1e-3)


def steepest(heights: np.ndarray) -> float:
    """The steepest triangle of the surface, degrees."""
    h = heights.astype(float)
    east, north = np.diff(h, axis=1), np.diff(h, axis=0)
    lower = np.hypot(east[:-1], north[:, 1:])
    upper = np.hypot(east[1:], north[:, :-1])
    return math.degrees(math.atan(max(lower.max(), upper.max())))


GROUND = generate(1000, 1000, 5)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Kernels compiled before hypothesis starts its clock."""
    height_at(GROUND, 0.0, 0.0)
    normal_at(GROUND, 0.0, 0.0)


@pytest.fixture
def heights() -> np.ndarray:
    return GROUND


@pytest.mark.parametrize("land", [None, FIRST_FOUR, L_SHAPE], ids=["continent", "square", "l-shape"])
def test_regions_meet_without_a_seam(land: set[tuple[int, int]] | None) -> None:
    squares = {(x, y): generate(x, y, 7, land) for x in range(999, 1003) for y in range(999, 1003)}
    if land is not None:
        squares = {at: ground for at, ground in squares.items() if at in land}
    shared = 0
    for (x, y), ground in squares.items():
        assert ground.shape == (EDGE, EDGE) and ground.dtype == np.float32
        if (x + 1, y) in squares:
            assert np.array_equal(ground[:, 256], squares[x + 1, y][:, 0])
            shared += 1
        if (x, y + 1) in squares:
            assert np.array_equal(ground[256], squares[x, y + 1][0])
            shared += 1
    assert shared >= 2


def test_slope_is_smooth_across_a_border() -> None:
    west, east = generate(1000, 1000, 3).astype(float), generate(1001, 1000, 3).astype(float)
    bend = (west[:, 256] - west[:, 255]) - (east[:, 1] - east[:, 0])
    assert np.abs(bend).max() < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_land_is_walkable(seed: int) -> None:
    for x in range(1000, 1004):
        ground = generate(x, 1000 + seed, seed)
        assert steepest(ground) < 35.0
        assert ground.min() > WATER_HEIGHT - 4.0 and ground.max() < 50.0
        assert ground[100:157, 100:157].min() > WATER_HEIGHT + 0.5, "people land in the middle"
        for border in (ground[0], ground[256], ground[:, 0], ground[:, 256]):
            assert border.min() > WATER_HEIGHT + 0.5, "borders can be crossed on foot"


@pytest.mark.parametrize("seed", range(4))
def test_an_island_has_a_walkable_inside_and_a_shore(seed: int) -> None:
    for x, y in FIRST_FOUR:
        ground = generate(x, y, seed, FIRST_FOUR)
        assert steepest(ground) < 35.0
        assert (ground > WATER_HEIGHT).mean() > 0.6
        outside = ground[:, 0] if x == 1000 else ground[:, 256]
        assert outside.max() < WATER_HEIGHT, "the edge of the world lies under the sea"
        inside = ground[100:157, 256] if x == 1000 else ground[100:157, 0]
        assert inside.min() > WATER_HEIGHT + 0.5, "neighbours are reached dry-shod"


def test_the_first_region_has_water_and_land_in_the_middle(heights: np.ndarray) -> None:
    assert heights.min() < WATER_HEIGHT < heights[128, 128]


def test_same_arguments_same_bits_other_seed_other_land() -> None:
    assert np.array_equal(generate(1007, 993, 5), generate(1007, 993, 5))
    assert not np.array_equal(generate(1007, 993, 5), generate(1007, 993, 6))
    assert not np.array_equal(generate(1007, 993, 5), generate(1008, 993, 5))


def test_grid_origin_and_far_corner_of_the_map() -> None:
    for x, y in ((0, 0), (65535, 65535)):
        assert np.isfinite(generate(x, y)).all()


def test_height_at_samples_and_along_the_cut(heights: np.ndarray) -> None:
    assert height_at(heights, 12.0, 34.0) == heights[34, 12]
    assert height_at(heights, 256.0, 256.0) == heights[256, 256]
    diagonal = height_at(heights, 12.5, 34.5)
    assert diagonal == pytest.approx((float(heights[34, 12]) + float(heights[35, 13])) / 2)


@given(x=st.floats(0, 256), y=st.floats(0, 256))
def test_surface_is_continuous(x: float, y: float) -> None:
    ground = GROUND
    here = height_at(ground, x, y)
    for dx, dy in ((1e-4, 0), (0, 1e-4), (-1e-4, 1e-4)):
        assert abs(height_at(ground, x + dx, y + dy) - here) < 1e-3


@given(x=st.floats(0.01, 255.99), y=st.floats(0.01, 255.99))
def test_normal_is_that_of_the_surface(x: float, y: float) -> None:
    ground = GROUND
    nx, ny, nz = normal_at(ground, x, y)
    assert nz > 0 and nx * nx + ny * ny + nz * nz == pytest.approx(1.0)
    col, row = int(x), int(y)
    # A point of the same triangle, half-way to its middle.
    mid = (1 / 3, 2 / 3) if y - row > x - col else (2 / 3, 1 / 3)
    x2, y2 = (x + col + mid[0]) / 2, (y + row + mid[1]) / 2
    rise = height_at(ground, x2, y2) - height_at(ground, x, y)
    assert nx * (x2 - x) + ny * (y2 - y) + nz * rise == pytest.approx(0.0, abs=1e-6)


@given(x=st.floats(), y=st.floats())
def test_any_position_has_ground(x: float, y: float) -> None:
    ground = GROUND
    assert ground.min() <= height_at(ground, x, y) <= ground.max()
    assert all(math.isfinite(n) for n in normal_at(ground, x, y))
    height, slope_x, slope_y = surface_at(ground, x, y)
    steep = math.hypot(slope_x, slope_y, 1.0)
    assert height == pytest.approx(height_at(ground, x, y), abs=1e-9)
    assert (-slope_x / steep, -slope_y / steep, 1 / steep) == pytest.approx(normal_at(ground, x, y), abs=1e-9)


def test_batches_agree_with_single_questions(heights: np.ndarray) -> None:
    points = np.random.default_rng(1).uniform(-5, 261, (100, 2))
    z, n = np.empty(100), np.empty((100, 3))
    heights_at(heights, points, z)
    normals_at(heights, points, n)
    for i, (x, y) in enumerate(points):
        assert z[i] == height_at(heights, x, y)
        assert tuple(n[i]) == normal_at(heights, x, y)


def test_edit_marks_patches_and_counts_revisions(heights: np.ndarray) -> None:
    ground = Terrain(heights.copy())
    changes = ground.changes.reader()
    assert ground.revision == 0
    ground.edit(15, 31, np.full((2, 2), 30.0))
    assert set(changes.take()) == {(0, 1), (1, 1), (0, 2), (1, 2)}
    assert ground.revision == 1
    assert ground.height(15.5, 31.5) == 30.0
    assert ground.patches().shape == (256, 256) and ground.patches()[31, 15] == 30.0


def test_edit_of_the_far_edge_touches_no_patch_of_ours(heights: np.ndarray) -> None:
    ground = Terrain(heights.copy())
    changes = ground.changes.reader()
    ground.edit(0, 256, np.full((1, 257), 22.0))
    assert not changes.take() and ground.revision == 1
    assert ground.height(100.0, 256.0) == 22.0


def test_edit_is_held_to_bounds_and_refuses_nonsense(heights: np.ndarray) -> None:
    ground = Terrain(heights.copy())
    ground.edit(0, 0, np.array([[1e9, -1e9]]))
    assert (ground.heights[0, 0], ground.heights[0, 1]) == (terrain.HIGHEST, terrain.LOWEST)
    before = ground.heights.copy()
    for x, y, block in ((256, 0, np.zeros((1, 2))), (-1, 0, np.zeros((1, 1))), (0, 0, np.full((1, 1), math.nan))):
        with pytest.raises(ValueError):
            ground.edit(x, y, block)
    with pytest.raises(ValueError):
        Terrain(np.zeros((256, 256), np.float32))
    assert np.array_equal(before, ground.heights)
