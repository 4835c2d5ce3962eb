"""Avatars and bodies: walls, stairs, ramps, ceilings, lifts, pushes, each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.clock import STEP
from sim.physics.avatars import AT_POS, UP_NEG, UP_POS
from sim.physics.engine import BodySpec, Kind, box, mesh, sphere
from sim.world.avatars import AVATAR_DTYPE
from tests.sim.physics.kit import avatar, drop, engine, run

NONE = (0.0, 0.0, 0.0, 1.0)


def feet(rows: Any) -> float:
    return float(rows[0]["position"][2] - rows[0]["height"] / 2)


def test_walks_on_a_floor_and_stops_at_a_wall_and_slides_along_it() -> None:
    world = engine()
    world.add(BodySpec(box(20, 20, 1), (50, 50, 4.5)))
    world.add(BodySpec(box(1, 20, 4), (55, 50, 7)))
    rows = avatar(50, 50, 5.95)
    run(world, 0.5, rows)
    rows[0]["controls"] = AT_POS
    run(world, 3, rows)
    assert rows[0]["position"][0] == pytest.approx(54.25, abs=0.05)
    assert feet(rows) == pytest.approx(5.0, abs=0.02)
    rows[0]["rotation"] = (0, 0, np.sin(0.4), np.cos(0.4))
    run(world, 1, rows)
    assert rows[0]["position"][1] > 51.5
    assert rows[0]["position"][0] == pytest.approx(54.25, abs=0.05)


def test_climbs_stairs_but_not_a_wall_of_a_metre() -> None:
    world = engine()
    for k in range(10):
        world.add(BodySpec(box(0.5, 4, 0.3 * (k + 1)), (52 + 0.5 * k, 50, 0.15 * (k + 1))))
    world.add(BodySpec(box(1, 4, 1), (52, 60, 0.5)))
    rows = np.concatenate([avatar(50, 50, 0.95), avatar(50, 60, 0.95)])
    run(world, 0.3, rows)
    rows["controls"] = AT_POS
    run(world, 2.2, rows)
    assert feet(rows) == pytest.approx(3.0, abs=0.35)
    assert rows[1]["position"][0] < 51.4 and rows[1]["on_ground"]


def test_walks_up_a_ramp_and_not_through_a_ceiling() -> None:
    world = engine()
    angle = np.radians(25)
    world.add(BodySpec(box(20, 4, 0.5), (60, 50, 2), (0, -np.sin(angle / 2), 0, np.cos(angle / 2))))
    world.add(BodySpec(box(4, 4, 0.2), (50, 70, 2.6)))
    rows = np.concatenate([avatar(49, 50, 0.95), avatar(50, 70, 0.95)])
    run(world, 0.3, rows)
    rows[0]["controls"] = AT_POS
    rows[1]["controls"] = UP_POS
    highest = 0.0
    for _ in range(120):
        world.step(STEP, rows)
        highest = max(highest, float(rows[1]["position"][2]))
    assert feet(rows) > 0.9
    assert highest + 0.95 < 2.6


@pytest.mark.parametrize("height", [10.0, 400.0])
def test_lands_on_a_thin_floor_from_any_height(height: float) -> None:
    world = engine()
    world.add(BodySpec(box(6, 6, 0.02), (50, 50, 5)))
    world.add(BodySpec(mesh([(67, 47, 5), (73, 47, 5), (73, 53, 5), (67, 53, 5)], [(0, 1, 2), (0, 2, 3)])))
    rows = np.concatenate([avatar(50, 50, height), avatar(70, 50, height)])
    run(world, 14, rows)
    assert rows["position"][:, 2] == pytest.approx([5.96, 5.95], abs=0.05)
    assert rows["on_ground"].all()


def test_flies_into_a_thin_wall_at_full_speed_and_stays_in_front() -> None:
    world = engine()
    world.add(BodySpec(box(0.02, 20, 40), (70, 50, 20)))
    rows = avatar(50, 50, 10)
    rows[0]["flying"] = 1
    rows[0]["controls"] = AT_POS | 0x400
    run(world, 4, rows)
    assert 68 < rows[0]["position"][0] < 70
    rows[0]["controls"] = UP_NEG
    run(world, 5, rows)
    assert feet(rows) >= -0.01


def test_rides_a_lift_and_is_pushed_by_a_moving_wall() -> None:
    world = engine()
    lift = world.add(BodySpec(box(3, 3, 0.4), (50, 50, 0.2), kind=Kind.KINEMATIC))
    wall = world.add(BodySpec(box(0.5, 4, 3), (68, 50, 1.5), kind=Kind.KINEMATIC))
    rows = np.concatenate([avatar(50, 50, 1.35), avatar(70, 50, 0.95)])
    run(world, 0.5, rows)
    world.set_velocity(lift, (0.5, 0, 1), NONE[:3])
    world.set_velocity(wall, (1, 0, 0), NONE[:3])
    run(world, 3, rows)
    assert rows[0]["position"] == pytest.approx([51.5, 50, 4.35], abs=0.1)
    assert rows[1]["position"][0] > 71.3


def test_kicks_a_ball_and_is_stopped_by_a_heavy_block() -> None:
    world = engine()
    ball = drop(world, sphere(0.2), (52, 50, 0.2), density=20.0)
    block = drop(world, box(2, 2, 2), (54, 60, 1), density=5000.0)
    rows = np.concatenate([avatar(50, 50, 0.95), avatar(50, 60, 0.95)])
    run(world, 0.5, rows)
    rows["controls"] = AT_POS
    run(world, 2, rows)
    assert world.position[ball][0] > 54
    assert rows[1]["position"][0] < 53
    assert world.position[block][0] < 54.5


def test_avatars_in_one_place_step_apart_and_come_to_rest() -> None:
    world = engine()
    rows = np.concatenate([avatar(50, 50, 0.95) for _ in range(6)])
    run(world, 4, rows)
    where = rows["position"][:, :2].copy()
    gaps = np.linalg.norm(where[:, None] - where[None], axis=2)[np.triu_indices(6, 1)]
    assert gaps.min() > 0.4
    run(world, 1, rows)
    assert np.abs(rows["position"][:, :2] - where).max() < 0.02


def test_rows_that_are_free_do_nothing() -> None:
    world = engine()
    rows = np.zeros(5, AVATAR_DTYPE)
    run(world, 0.2, rows)
    assert not rows["position"].any()
