"""Bad input is refused or clamped; nothing spreads a NaN or stalls."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.clock import STEP
from sim.physics.engine import BadBody, BodySpec, Kind, box, compound, create, hull, mesh, sphere
from tests.sim.physics.kit import NOBODY, drop, engine, run

BAD = (math.nan, math.inf, -math.inf)


@pytest.mark.parametrize("bad", BAD)
def test_numbers_that_are_none_are_refused_with_a_reason(bad: float) -> None:
    world = engine()
    handle = drop(world, box(1, 1, 1), (20, 20, 5))
    with pytest.raises(BadBody):
        box(bad, 1, 1)
    with pytest.raises(BadBody):
        sphere(bad)
    with pytest.raises(BadBody):
        hull([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, bad)])
    with pytest.raises(BadBody):
        mesh([(0, 0, 0), (1, 0, bad), (0, 1, 0)], [(0, 1, 2)])
    for call in (
        lambda: drop(world, box(1, 1, 1), (bad, 0, 0)),
        lambda: world.set_pose(handle, (0, 0, bad), (0, 0, 0, 1)),
        lambda: world.set_pose(handle, (0, 0, 0), (0, 0, 0, bad)),
        lambda: world.set_velocity(handle, (bad, 0, 0), (0, 0, 0)),
        lambda: world.apply_impulse(handle, (bad, 0, 0)),
        lambda: world.apply_impulse(handle, (1, 0, 0), (bad, 0, 0)),
        lambda: world.apply_angular_impulse(handle, (bad, 0, 0)),
        lambda: world.set_force(handle, (bad, 0, 0)),
        lambda: world.set_terrain(np.full((257, 257), bad, np.float32)),
        lambda: world.raycast((bad, 0, 0), (0, 0, 1), 10),
    ):
        with pytest.raises(BadBody):
            call()
    run(world, 1)
    assert np.isfinite(world.position[handle]).all()


def test_absurd_speeds_and_places_are_held_to_limits() -> None:
    world = engine()
    handle = drop(world, box(1, 1, 1), (1e30, -1e30, 1e30), velocity=(1e30, 0, 0))
    world.set_velocity(handle, (1e20, 1e20, -1e20), (1e9, 0, 0))
    world.set_force(handle, (1e30, 1e30, 1e30))
    world.apply_impulse(handle, (1e30, 0, 0), (1e20, 0, 0))
    run(world, 2)
    assert np.isfinite(world.position[handle]).all() and np.abs(world.position[handle]).max() <= 10_000
    assert np.linalg.norm(world.velocity[handle]) <= 251
    assert np.linalg.norm(world.angular_velocity[handle]) <= 61


def test_bodies_made_inside_each_other_part_without_a_bang() -> None:
    world = engine()
    nested = [drop(world, box(1, 1, 1), (50, 50, 1.0 + 0.01 * k)) for k in range(20)]
    nested += [drop(world, sphere(0.5), (50, 50, 1.5)) for _ in range(10)]
    fastest = 0.0
    for _ in range(270):
        world.step(STEP, NOBODY)
        fastest = max(fastest, float(np.linalg.norm(world.velocity[nested], axis=1).max()))
    assert fastest < 45
    assert np.isfinite(world.position[nested]).all()
    assert np.abs(world.position[nested][:, :2] - 50).max() < 80


def test_a_thousand_coplanar_points() -> None:
    rng = np.random.default_rng(1)
    flat = np.c_[rng.uniform(-1, 1, (1000, 2)), np.zeros(1000)]
    world = engine()
    with pytest.raises(BadBody, match="plane"):
        world.add(BodySpec(hull(flat), (50, 50, 5)))
    thick = np.concatenate([flat, flat + np.array([0, 0, 0.2])])
    handle = drop(world, hull(thick), (50, 50, 2))
    run(world, 4)
    assert world.position[handle][2] == pytest.approx(0.0, abs=0.12)
    assert not world.awake[handle]


def test_an_open_mesh_still_holds_things() -> None:
    world = engine()
    world.add(BodySpec(mesh([(-3, -3, 0), (3, -3, 0), (3, 3, 0), (-3, 3, 0)], [(0, 1, 2), (0, 3, 2)]), (50, 50, 4)))
    handle = drop(world, box(1, 1, 1), (50.3, 50.4, 6))
    run(world, 3)
    assert world.position[handle][2] == pytest.approx(4.5, abs=0.05)


def test_what_cannot_move_or_be_is_refused() -> None:
    world = engine()
    flat = mesh([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(0, 1, 2)])
    with pytest.raises(BadBody, match="cannot move"):
        world.add(BodySpec(flat, (5, 5, 5), kind=Kind.DYNAMIC))
    handle = world.add(BodySpec(flat, (5, 5, 5)))
    with pytest.raises(BadBody):
        world.set_kind(handle, Kind.DYNAMIC)
    with pytest.raises(BadBody):
        mesh([(0, 0, 0)], [(0, 1, 2)])
    with pytest.raises(BadBody):
        compound([])
    with pytest.raises(BadBody):
        world.set_material(handle, colour=3.0)
    world.remove(handle)
    with pytest.raises(BadBody, match="no body"):
        world.remove(handle)
    with pytest.raises(ValueError, match="no physics engine"):
        create("havok")


def test_handles_are_reused_and_nothing_of_the_old_body_stays() -> None:
    world = engine()
    first = [drop(world, box(0.5, 0.5, 0.5), (20 + k, 20, 0.25)) for k in range(300)]
    run(world, 1)
    for handle in first:
        world.remove(handle)
    again = [world.add(BodySpec(box(1, 1, 1), (20 + k, 40, 3))) for k in range(300)]
    assert set(again) == set(first)
    world.step(STEP, NOBODY)
    assert not len(world.collisions)
    assert world.statistics()["static"] == 300 and world.statistics()["awake"] == 0
    assert world.raycast((20, 20, 9), (0, 0, -1), 20)["target"].tolist() == [-1]


numbers = st.floats(width=32, allow_nan=True, allow_infinity=True)
vectors = st.tuples(numbers, numbers, numbers)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(position=vectors, rotation=st.tuples(numbers, numbers, numbers, numbers), velocity=vectors, size=vectors)
def test_any_numbers_at_all(position: tuple, rotation: tuple, velocity: tuple, size: tuple) -> None:
    world = _shared()
    try:
        handle = world.add(BodySpec(box(*size), position, rotation, velocity, kind=Kind.DYNAMIC))
    except BadBody:
        return
    for _ in range(5):
        world.step(STEP, NOBODY)
    assert np.isfinite(world.position[handle]).all() and np.isfinite(world.velocity[handle]).all()
    assert np.isfinite(world.rotation[handle]).all()
    world.remove(handle)


_worlds: list = []


def _shared():  # type: ignore[no-untyped-def]
    if not _worlds:
        _worlds.append(engine())
        drop(_worlds[0], box(1, 1, 1), (128, 128, 0.5))
    return _worlds[0]
