"""Bad input is refused or clamped; nothing spreads a NaN or stalls."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.clock import STEP
from sim.physics.engine import BadBody, BodySpec, Kind, box, compound, create, hull, mesh, sphere
from sim.physics.shapes import Table
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


def test_shapes_that_come_and_go_for_days_leave_no_trace() -> None:
    """Edits of every kind: the tables end as large as they were after the first round."""
    world = engine()
    rng = np.random.default_rng(7)
    handle = world.add(BodySpec(box(1, 1, 1), (50, 50, 5)))
    store, sizes = world.shapes, []  # type: ignore[attr-defined]
    tables = (
        store.shapes,
        store.pieces,
        store.verts,
        store.faces,
        store.loops,
        store.edges,
        store.nodes,
        store.triangles,
    )
    for _ in range(4):
        for k in range(400):
            corners = rng.normal(size=(rng.integers(5, 20), 3))
            shape = (
                box(*rng.uniform(0.1, 5, 3)), hull(corners), compound([(box(*rng.uniform(0.1, 2, 3)), (0, 0, 0), (0, 0, 0, 1))] * 3),
                mesh(corners, [(0, 1, 2), (1, 2, 3), (2, 3, 4)]),
            )[k % 4]  # fmt: skip
            world.replace_shape(handle, shape)
            with pytest.raises(BadBody):
                world.add(
                    BodySpec(
                        compound(
                            [
                                (box(1, 2, 3 + k), (0, 0, 0), (0, 0, 0, 1)),
                                (hull(np.eye(4, 3)[[0, 1, 2, 2]]), (0, 0, 0), (0, 0, 0, 1)),
                            ]
                        )
                    )
                )
        sizes.append([table.count for table in tables])
    assert len(store._known) <= 258
    assert max(sizes[-1]) <= 1.3 * max(sizes[0]), sizes


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.one_of(st.integers(1, 40), st.none()), min_size=1, max_size=120),
    seed=st.randoms(use_true_random=False),
)
def test_a_table_hands_no_row_out_twice(rows: list[int | None], seed: random.Random) -> None:
    table = Table(np.int32)
    held: dict[int, int] = {}
    for number, length in enumerate(rows):
        if length is None:
            if held:
                start = seed.choice(sorted(held))
                assert (table.rows[start : start + held[start]] == table.rows[start]).all()
                table.free(start, held.pop(start))
        else:
            held[table.extend(np.full(length, number))] = length
    taken = [row for start, length in held.items() for row in range(start, start + length)]
    assert len(taken) == len(set(taken)) <= table.count
    for start in sorted(held):
        table.free(start, held[start])
    assert table.count == 0


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(["line", "plane", "twice", "needle", "grid"]), count=st.integers(4, 1000),
    size=st.floats(1e-3, 60), seed=st.integers(0, 999),
)  # fmt: skip
def test_hulls_of_hardly_any_volume_are_solid_or_refused(kind: str, count: int, size: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (count, 3))
    if kind == "line":
        points[:, 1:] = points[:, :1]
    elif kind == "plane":
        points[:, 2] = 0.3 * points[:, 0] + rng.uniform(0, 1e-6, count)
    elif kind == "twice":
        points[count // 2 :] = points[0]
    elif kind == "needle":
        points[:, 1:] *= 1e-4
    else:
        points = np.round(points * 2) / 2
    world = _shared()
    try:
        handle = world.add(BodySpec(hull(points * size), (60, 60, 100), kind=Kind.DYNAMIC))
    except BadBody:
        return
    for _ in range(3):
        world.step(STEP, NOBODY)
    assert np.isfinite(world.position[handle]).all() and 0 < world.mass(handle) < 1e12
    world.remove(handle)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 9999), holes=st.floats(0, 0.9), spread=st.floats(0.01, 30))
def test_meshes_with_holes_and_crossing_triangles_neither_throw_nor_swallow(
    seed: int, holes: float, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-spread, spread, (30, 3))
    triangles = rng.integers(0, 30, (40, 3))[rng.uniform(size=40) >= holes]
    world = engine()
    try:
        world.add(BodySpec(mesh(points, triangles), (100, 100, 20)))
    except BadBody:
        return
    shots = [
        drop(world, form, (100, 100, 20 + spread + k))
        for k, form in enumerate((box(1, 1, 1), sphere(0.4), hull(rng.normal(size=(9, 3)))))
    ]
    fastest = 0.0
    for _ in range(45):
        world.step(STEP, NOBODY)
        fastest = max(fastest, float(np.linalg.norm(world.velocity[shots], axis=1).max()))
    assert np.isfinite(world.position[shots]).all()
    assert fastest < 30


_CALLS = st.sampled_from(
    ["set_pose", "set_velocity", "apply_impulse", "apply_angular_impulse", "set_force", "set_torque", "set_hover",
     "set_move_target", "set_turn_target", "set_material", "raycast", "add", "set_kind", "replace_shape"]
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    calls=st.lists(st.tuples(_CALLS, vectors, st.tuples(numbers, numbers, numbers, numbers)), min_size=1, max_size=8)
)
def test_any_calls_with_any_numbers_leave_the_world_finite(calls: list) -> None:
    world = engine()
    body = drop(world, box(1, 1, 1), (50, 50, 2))
    other = drop(world, sphere(0.5), (50, 50, 3.2))
    for name, v, q in calls:
        arguments = {
            "set_pose": (body, v, q), "set_velocity": (body, v, q[:3]), "apply_impulse": (body, v, q[:3]),
            "apply_angular_impulse": (body, v), "set_force": (body, v, True), "set_torque": (body, v),
            "set_hover": (body, q[0], q[1]), "set_move_target": (body, v, q[0]), "set_turn_target": (body, q, v[0], v[1]),
            "raycast": (v, q[:3], q[3]), "set_kind": (body, Kind.KINEMATIC),
        }.get(name)  # fmt: skip
        try:
            if arguments is not None:
                getattr(world, name)(*arguments)
            elif name == "set_material":
                world.set_material(
                    body,
                    friction=q[0],
                    restitution=q[1],
                    density=q[2],
                    mass=q[3],
                    buoyancy=v[0],
                    gravity_multiplier=v[1],
                )
            elif name == "add":
                world.add(BodySpec(sphere(abs(v[0])), (50, 50, 4), kind=Kind.DYNAMIC, mass=v[1], density=v[2]))
            else:
                world.replace_shape(body, box(*v))
        except BadBody:
            pass
        world.step(STEP, NOBODY)
    run(world, 0.2)
    for column in (world.position, world.velocity, world.angular_velocity, world.rotation):
        assert np.isfinite(column[[body, other]]).all()
