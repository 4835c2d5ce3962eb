"""Collision events, volume detection, phantoms, rays."""

from __future__ import annotations

import numpy as np
import pytest

from sim.clock import STEP
from sim.physics.engine import (
    NO_BODY,
    TERRAIN,
    BodySpec,
    Contact,
    Engine,
    Kind,
    Mask,
    box,
    capsule,
    cylinder,
    hull,
    mesh,
    sphere,
)
from tests.sim.physics.kit import NOBODY, avatar, drop, engine, run


def heard(world: Engine, seconds: float, rows: np.ndarray = NOBODY) -> list[tuple[int, int, int]]:
    """(a, b, kind) of all that is not merely ongoing."""
    events = []
    for _ in range(round(seconds / STEP)):
        world.step(STEP, rows)
        events += [(int(e["a"]), int(e["b"]), int(e["kind"])) for e in world.collisions if e["kind"] != Contact.ONGOING]
    return events


def test_a_landing_is_told_once_and_stays_while_it_sleeps() -> None:
    world = engine()
    table = world.add(BodySpec(box(4, 4, 1), (50, 50, 0.5)))
    brick = drop(world, box(1, 1, 1), (50, 50, 3))
    assert heard(world, 4) == [(brick, table, Contact.START)]
    assert not world.awake[brick]
    world.apply_impulse(brick, (0, 0, 8000))
    assert (brick, table, Contact.END) in heard(world, 0.5)


def test_land_is_told_with_point_normal_and_impulse() -> None:
    world = engine(ground=7.0)
    ball = drop(world, sphere(0.5), (20, 20, 9))
    for _ in range(60):
        world.step(STEP, NOBODY)
        if len(world.collisions):
            break
    event = world.collisions[0]
    assert (event["a"], event["b"], event["kind"]) == (ball, TERRAIN, Contact.START)
    assert event["point"] == pytest.approx([20, 20, 7], abs=0.15)
    assert event["normal"] == pytest.approx([0, 0, -1], abs=1e-3)
    assert event["speed"] > 4
    assert event["impulse"] > world.mass(ball) * 0.3


def test_volume_detect_hears_who_enters_and_leaves_and_stops_nobody() -> None:
    world = engine()
    gate = world.add(BodySpec(box(1, 4, 4), (50, 50, 2), volume_detect=True))
    ball = drop(world, sphere(0.3), (46, 50, 2), velocity=(8, 0, 0), buoyancy=1.0)
    assert heard(world, 1) == [(ball, gate, Contact.START), (ball, gate, Contact.END)]
    assert world.velocity[ball][0] == pytest.approx(8, rel=1e-3)


def test_phantoms_pass_through_things_but_not_through_land() -> None:
    world = engine()
    world.add(BodySpec(box(4, 4, 1), (50, 50, 2)))
    ghost = drop(world, box(1, 1, 1), (50, 50, 6), phantom=True)
    run(world, 3)
    assert world.position[ghost][2] == pytest.approx(0.5, abs=0.03)


def test_an_avatar_s_touch_is_told_to_the_body() -> None:
    world = engine()
    plate = world.add(BodySpec(box(2, 2, 0.2), (50, 50, 0.1)))
    rows = avatar(50, 50, 0.2 + 0.95)
    assert heard(world, 0.5, rows) == [(plate, -2, Contact.START)]
    rows[0]["position"] = (60, 60, 0.95)
    assert heard(world, 0.5, rows) == [(plate, -2, Contact.END)]


@pytest.mark.parametrize(
    ("shape", "top"),
    [
        (box(2, 2, 2), 11.0),
        (sphere(1), 11.0),
        (cylinder(2, 2), 11.0),
        (capsule(0.5, 1), 11.0),
        (hull([(1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, 1), (0, 0, -1)]), 11.0),
        (mesh([(-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)], [(0, 1, 2), (0, 2, 3)]), 11.0),
    ],
)
def test_rays_hit_every_form(shape: object, top: float) -> None:
    world = engine()
    handle = world.add(BodySpec(shape, (50, 60, 10)))  # type: ignore[arg-type]
    (hit,) = world.raycast((50.1, 60.1, 30), (0, 0, -1), 40)
    assert hit["target"] == handle
    assert hit["point"][2] == pytest.approx(top, abs=0.03)
    assert hit["normal"][2] > 0.9
    assert hit["fraction"] == pytest.approx((30 - hit["point"][2]) / 40, abs=1e-4)


def test_rays_find_the_ground_exactly() -> None:
    world = engine()
    rng = np.random.default_rng(2)
    heights = rng.uniform(0, 3, (257, 257)).astype(np.float32)
    world.set_terrain(heights)
    origins = np.c_[rng.uniform(10, 240, (200, 2)), np.full(200, 20)].astype(np.float32)
    ways = np.c_[rng.uniform(-1, 1, (200, 2)), np.full(200, -1)].astype(np.float32)
    hits = world.raycast_batch(origins, ways, np.full(200, 100, np.float32))
    from sim.world.terrain import height_at

    inside = (hits["point"][:, :2] > 0).all(axis=1) & (hits["point"][:, :2] < 256).all(axis=1)
    assert (hits["target"] == TERRAIN).all() and inside.sum() > 150
    for x, y, z in hits["point"][inside].tolist():
        assert z == pytest.approx(height_at(world.heights, x, y), abs=0.01)  # type: ignore[attr-defined]


def test_rays_sort_mask_and_find_avatars_and_phantoms() -> None:
    world = engine()
    wall = world.add(BodySpec(box(1, 4, 4), (60, 50, 2)))
    ghost = world.add(BodySpec(box(1, 4, 4), (56, 50, 2), phantom=True))
    ball = world.add(BodySpec(sphere(0.5), (53, 50, 1), kind=Kind.DYNAMIC, buoyancy=1.0))
    rows = avatar(50, 50, 0.95)
    world.step(STEP, rows)
    every = world.raycast((40, 50, 1), (1, 0, 0), 50, Mask.ALL | Mask.PHANTOM, 8)
    assert every["target"].tolist() == [-2, ball, ghost, wall]
    assert (np.diff(every["fraction"]) > 0).all()
    assert world.raycast((40, 50, 1), (1, 0, 0), 50, Mask.STATIC)["target"].tolist() == [wall]
    assert not len(world.raycast((40, 50, 1), (1, 0, 0), 50, Mask.TERRAIN))
    assert not len(world.raycast((40, 50, 1), (0, 0, 0), 50))
    far = world.raycast_batch(np.array([[40, 50, 90]]), np.array([[1, 0, 0]]), np.array([10.0]))  # type: ignore[arg-type]
    assert far["target"][0] == NO_BODY
