"""Bodies fall, rest, slide, bounce, stack, sleep and wake."""

from __future__ import annotations

import numpy as np
import pytest

from sim.clock import STEP
from sim.physics.engine import BodySpec, Kind, Shape, box, capsule, compound, cylinder, hull, mesh, sphere
from tests.sim.physics.kit import NOBODY, drop, engine, run

NONE = (0.0, 0.0, 0.0, 1.0)
TETRA = hull([(0, 0, 0.6), (0.6, 0, -0.3), (-0.3, 0.5, -0.3), (-0.3, -0.5, -0.3)])


@pytest.mark.parametrize(
    ("shape", "rest"),
    [
        (box(1, 1, 1), 0.5),
        (sphere(0.4), 0.4),
        (cylinder(0.8, 0.6), 0.3),
        (capsule(0.3, 0.8), None),
        (TETRA, None),
        (compound([(box(1, 1, 0.2), (0, 0, 0), NONE), (box(0.2, 0.2, 1), (0, 0, 0.6), NONE)]), 0.1),
    ],
)
def test_every_form_comes_to_rest_on_land_and_on_a_floor(shape: Shape, rest: float | None) -> None:
    world = engine()
    world.add(BodySpec(box(4, 4, 1), (50, 50, 0.5)))
    on_land, on_floor = drop(world, shape, (20, 20, 2)), drop(world, shape, (50, 50, 3))
    run(world, 8)
    assert not world.awake[[on_land, on_floor]].any()
    low, high = world.position[on_land][2], world.position[on_floor][2] - 1.0
    if rest is not None:
        assert low == pytest.approx(rest, abs=0.03)
        assert high == pytest.approx(rest, abs=0.03)
    assert 0.05 < low < 1 and 0.05 < high < 1


def test_free_fall_is_the_parabola_that_viewers_draw() -> None:
    world = engine()
    ball = drop(world, sphere(0.2), (100, 100, 60), velocity=(3, -2, 5))
    for step in range(1, 100):
        world.step(STEP, NOBODY)
        t = step * STEP
        ideal = np.array([100 + 3 * t, 100 - 2 * t, 60 + 5 * t - 4.9 * t * t])
        assert np.abs(world.position[ball] - ideal).max() < 0.01
    assert world.acceleration[ball] == pytest.approx([0, 0, -9.8], abs=1e-4)


def test_a_stack_stands_and_sleeps_and_wakes_when_its_foot_is_taken() -> None:
    world = engine()
    stack = [drop(world, box(0.5, 0.5, 0.5), (30 + 0.01 * k, 30, 0.25 + 0.505 * k)) for k in range(5)]
    run(world, 4)
    assert not world.awake[stack].any()
    assert world.position[stack][:, 2] == pytest.approx([0.25 + 0.5 * k for k in range(5)], abs=0.03)
    world.step(STEP, NOBODY)
    assert not len(world.moved) and not len(world.collisions)
    world.remove(stack[0])
    assert world.awake[stack[1]]
    run(world, 3)
    assert world.position[stack[1]][2] == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(("friction", "slides"), [(0.9, False), (0.05, True)])
def test_friction_decides_what_stays_on_a_slope(friction: float, slides: bool) -> None:
    world = engine()
    slope = np.tile((np.arange(257) * 0.4).astype(np.float32), (257, 1))
    world.set_terrain(slope)
    brick = drop(world, box(1, 1, 0.4), (100, 100, 40.4), friction=friction)
    run(world, 3)
    assert bool(world.position[brick][0] < 95) is slides
    x, _, z = world.position[brick]
    assert z > 0.4 * x


@pytest.mark.parametrize("bounce", [0.0, 0.5, 0.9])
def test_restitution_decides_how_high_a_ball_comes_back(bounce: float) -> None:
    world = engine()
    world.add(BodySpec(box(10, 10, 1), (50, 50, 0), restitution=bounce))
    ball = drop(world, sphere(0.25), (50, 50, 2.75), restitution=bounce)
    top, met = 0.0, False
    for _ in range(80):
        world.step(STEP, NOBODY)
        met = met or (world.velocity[ball][2] >= -0.01 and world.position[ball][2] < 1.0)
        top = max(top, world.position[ball][2] - 0.75) if met else top
        if met and world.velocity[ball][2] < 0:
            break
    assert top == pytest.approx(2.0 * bounce**2, abs=0.12)


def test_fast_small_things_do_not_pass_thin_walls() -> None:
    world = engine()
    world.add(BodySpec(box(0.02, 8, 8), (100, 100, 4)))
    world.add(BodySpec(mesh([(130, 90, 0), (130, 110, 0), (130, 110, 9), (130, 90, 9)], [(0, 1, 2), (0, 2, 3)])))
    shots = [drop(world, sphere(0.05), (90, 98 + k, 4), velocity=(40.0 * (k + 1), 0, 0)) for k in range(5)]
    shots += [drop(world, box(0.1, 0.1, 0.1), (120, 98 + k, 4), velocity=(40.0 * (k + 1), 0, 0)) for k in range(5)]
    run(world, 1)
    assert (world.position[shots[:5]][:, 0] < 100.1).all()
    assert (world.position[shots[5:]][:, 0] < 130.2).all()


def test_nothing_falls_through_rough_land() -> None:
    world = engine()
    rng = np.random.default_rng(5)
    heights = rng.uniform(10, 14, (257, 257)).astype(np.float32)
    world.set_terrain(heights)
    forms = (box(0.5, 0.5, 0.5), sphere(0.3), cylinder(0.6, 0.8), TETRA, box(3, 0.3, 0.2))
    dropped = [drop(world, forms[k % 5], (*rng.uniform(20, 230, 2), 25), friction=0.8) for k in range(60)]
    run(world, 8)
    for handle in dropped:
        x, y, z = world.position[handle].tolist()
        assert z > 9.5, (handle, x, y, z)


def test_a_mixed_heap_settles_without_overlap_or_nan() -> None:
    world = engine()
    rng = np.random.default_rng(3)
    forms = (box(0.6, 0.4, 0.5), sphere(0.3), cylinder(0.5, 0.6), capsule(0.2, 0.4), TETRA)
    for x, y, wx, wy in ((-2.5, 0, 0.2, 5), (2.5, 0, 0.2, 5), (0, -2.5, 5, 0.2), (0, 2.5, 5, 0.2)):
        world.add(BodySpec(box(wx, wy, 4), (60 + x, 60 + y, 2)))
    heap = [
        drop(world, forms[k % 5], (60 + rng.uniform(-1.5, 1.5), 60 + rng.uniform(-1.5, 1.5), 1 + 0.12 * k)) for k in range(60)
    ]
    run(world, 12)
    where = world.position[heap]
    assert np.isfinite(where).all()
    assert where[:, 2].min() > 0.1
    speed = np.linalg.norm(world.velocity[heap], axis=1)
    assert np.percentile(speed, 90) < 0.5


def test_mass_comes_from_density_and_inertia_resists() -> None:
    world = engine()
    handle = drop(world, box(2, 1, 0.5), (50, 50, 5), density=500.0)
    assert world.mass(handle) == pytest.approx(500)
    world.apply_impulse(handle, (500, 0, 0))
    world.apply_angular_impulse(handle, (0, 0, 500 / 12 * 5))
    assert world.velocity[handle] == pytest.approx([1, 0, 0])
    assert world.angular_velocity[handle][2] == pytest.approx(1.0, rel=0.02)


def test_buoyancy_gravity_forces_hover_and_locks() -> None:
    world = engine()
    floats = drop(world, box(1, 1, 1), (20, 20, 10), buoyancy=1.0)
    slow = drop(world, box(1, 1, 1), (30, 20, 10), gravity_multiplier=0.1)
    pushed = drop(world, box(1, 1, 1), (40, 20, 10), buoyancy=1.0)
    hovers = drop(world, box(1, 1, 1), (60, 20, 3))
    locked = drop(world, box(1, 1, 1), (80, 20, 10), buoyancy=1.0, lock_axes=(True, False, True))
    glides = drop(world, box(1, 1, 1), (90, 20, 10))
    world.set_force(pushed, (1000, 0, 0))
    world.set_hover(hovers, 6.0, 0.5)
    world.set_torque(locked, (500, 500, 500))
    world.set_move_target(glides, (95, 22, 12), 0.5)
    run(world, 1)
    assert world.position[floats][2] == pytest.approx(10, abs=1e-3)
    assert world.position[slow][2] == pytest.approx(10 - 0.49, abs=0.02)
    assert world.velocity[pushed][0] == pytest.approx(1.0, rel=0.03)
    assert world.angular_velocity[locked][1] > 1
    assert abs(world.angular_velocity[locked][0]) < 0.01 and abs(world.angular_velocity[locked][2]) < 0.01
    run(world, 4)
    assert world.position[hovers][2] == pytest.approx(6, abs=0.3)
    assert world.position[glides] == pytest.approx([95, 22, 12], abs=0.2)


def test_bodies_rest_on_a_mesh_and_roll_over_its_seams() -> None:
    world = engine()
    n = 9
    xs, ys = np.meshgrid(np.arange(n), np.arange(n))
    points = np.c_[xs.ravel() + 60.0, ys.ravel() + 60.0, np.full(n * n, 5.0)]
    k = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)[None, :]).ravel()
    world.add(BodySpec(mesh(points, np.concatenate([np.c_[k, k + 1, k + n + 1], np.c_[k, k + n + 1, k + n]]))))
    brick, ball = drop(world, box(0.7, 0.7, 0.7), (63.2, 63.1, 6)), drop(world, sphere(0.3), (61, 65, 5.32), velocity=(2, 0, 0))
    high = 0.0
    for _ in range(90):
        world.step(STEP, NOBODY)
        high = max(high, float(world.position[ball][2]))
    assert high < 5.36
    assert world.position[brick][2] == pytest.approx(5.35, abs=0.03)
    assert world.position[ball][0] > 63


def test_a_kinematic_lift_carries_what_stands_on_it() -> None:
    world = engine()
    lift = world.add(BodySpec(box(3, 3, 0.4), (40, 40, 0.2), kind=Kind.KINEMATIC))
    load = drop(world, box(0.6, 0.6, 0.6), (40, 40, 0.72))
    run(world, 2)
    world.set_velocity(lift, (0.5, 0, 1.0), (0, 0, 0))
    run(world, 2)
    assert world.position[lift] == pytest.approx([41, 40, 2.2], abs=0.05)
    assert world.position[load][2] == pytest.approx(2.7, abs=0.08)
    assert world.position[load][0] == pytest.approx(41, abs=0.15)


def test_a_cylinder_rolls_smoothly_down_a_ramp() -> None:
    world = engine()
    angle = 0.2
    tilt = (0.0, np.sin(angle / 2), 0.0, np.cos(angle / 2))
    world.add(BodySpec(box(40, 10, 1), (100, 100, 20), tilt, friction=0.9))
    side = (np.sin(np.pi / 4), 0.0, 0.0, np.cos(np.pi / 4))
    log = drop(world, cylinder(1.0, 2.0), (90, 100, 23.2), rotation=side, friction=0.9)
    run(world, 2.5)
    # A solid cylinder takes two thirds of what gravity gives along the ramp.
    assert world.velocity[log][0] > 0.5 * 9.8 * np.sin(angle) * 1.8
    assert abs(world.position[log][1] - 100) < 0.1
