"""Heaps fall asleep part by part, sleep firmly, and wake where something happens."""

from __future__ import annotations

import numpy as np
import pytest

from sim.clock import STEP
from sim.physics.engine import BodySpec, Kind, box, compound, cylinder, hull, sphere
from tests.sim.physics.kit import NOBODY, drop, engine, run

NONE = (0.0, 0.0, 0.0, 1.0)


def test_a_heap_of_mixed_shapes_comes_to_rest_and_sleeps() -> None:
    world = engine()
    rng = np.random.default_rng(3)
    forms = (
        box(0.6, 0.4, 0.5), sphere(0.3), cylinder(0.5, 0.6), hull(rng.normal(size=(14, 3)) * 0.25),
        compound([(box(0.8, 0.2, 0.2), (0, 0, 0), NONE), (box(0.2, 0.2, 0.6), (0.3, 0, 0.4), NONE)]),
    )  # fmt: skip
    heap = [
        drop(world, forms[k % 5], (60 + rng.uniform(0, 3.5), 60 + rng.uniform(0, 3.5), 1 + 0.07 * k)) for k in range(150)
    ]
    for _ in range(round(20 / STEP)):
        world.step(STEP, NOBODY)
        if not world.awake[heap].any():
            break
    assert not world.awake[heap].any()
    assert world.position[heap][:, 2].min() > 0.05
    before = world.position[heap].copy()
    run(world, 1)
    assert np.array_equal(before, world.position[heap]) and not len(world.moved)


def test_a_ball_that_rolls_about_wakes_a_few_and_not_the_heap() -> None:
    world = engine()
    floor = [drop(world, box(0.5, 0.5, 0.5), (40 + 0.5 * x, 40 + 0.5 * y, 0.25), friction=0.9) for x in range(16) for y in range(16)]
    run(world, 2)
    assert not world.awake[floor].any()
    ball = drop(world, sphere(0.25), (40.5, 43.7, 0.76), velocity=(1.5, 0, 0))
    most = 0
    for _ in range(90):
        world.step(STEP, NOBODY)
        most = max(most, int(world.awake[floor].sum()))
    assert world.position[ball][0] > 41.5
    assert 0 < most < 60


def test_what_sleeps_takes_its_share_of_a_blow() -> None:
    world = engine()
    world.add(BodySpec(box(20, 4, 1), (60, 60, 0), friction=0.0))
    target = drop(world, box(1, 1, 1), (60, 60, 1.0), friction=0.0)
    run(world, 2)
    assert not world.awake[target]
    shot = drop(world, box(1, 1, 1), (58, 60, 1.01), friction=0.0, velocity=(6, 0, 0))
    run(world, 0.6)
    assert world.velocity[shot][0] + world.velocity[target][0] == pytest.approx(6, abs=0.3)
    assert world.velocity[target][0] > 2.5


def test_what_loses_its_support_wakes_however_gently_it_goes() -> None:
    world = engine()
    table = drop(world, box(2, 2, 1), (60, 60, 0.5))
    cup = drop(world, box(0.4, 0.4, 0.4), (60, 60, 1.2))
    run(world, 2)
    assert not world.awake[[table, cup]].any()
    world.set_move_target(table, (66, 60, 0.5), 4.0)
    run(world, 12)
    x, _, z = world.position[cup].tolist()
    under = abs(x - float(world.position[table][0])) < 1.2
    assert z == pytest.approx(1.2 if under else 0.2, abs=0.05)
    world.set_kind(table, Kind.KINEMATIC)
    world.set_velocity(table, (0, 0, -0.02), (0, 0, 0))
    run(world, 10)
    assert float(world.position[cup][2]) == pytest.approx(1.0 if under else 0.2, abs=0.05)


def test_a_tower_falls_when_its_middle_is_taken() -> None:
    world = engine()
    tower = [drop(world, box(0.5, 0.5, 0.5), (30, 30, 0.25 + 0.502 * k)) for k in range(8)]
    run(world, 3)
    assert not world.awake[tower].any()
    world.remove(tower[3])
    run(world, 3)
    assert world.position[tower[:3]][:, 2] == pytest.approx([0.25, 0.75, 1.25], abs=0.03)
    assert world.position[tower[4:]][:, 2] == pytest.approx([1.75, 2.25, 2.75, 3.25], abs=0.06)


def test_cylinders_made_inside_each_other_part_one_way() -> None:
    world = engine()
    pair = [drop(world, cylinder(0.5, 0.6), (60 + 0.01 * k, 60, 2 + 0.005 * k), buoyancy=1.0) for k in range(2)]
    run(world, 3)
    apart = np.linalg.norm(world.position[pair[0]] - world.position[pair[1]])
    assert 0.35 < apart < 3


@pytest.mark.parametrize("turn", [0.0, 0.3, 1.2, np.pi / 2])
def test_logs_lie_on_logs(turn: float) -> None:
    """Mantles that cross, and mantles along each other, hold."""
    world = engine()
    lying = np.array([0.0, np.sin(np.pi / 4), 0.0, np.cos(np.pi / 4)])  # its axis along x
    for y in (59.5, 60.5):
        world.add(BodySpec(cylinder(0.6, 4.0), (60, y, 0.3), tuple(lying), friction=0.9))
    z, w = np.sin(turn / 2), np.cos(turn / 2)
    x1, y1, z1, w1 = lying
    turned = (w * x1 - z * y1, w * y1 + z * x1, w * z1 + z * w1, w * w1 - z * z1)
    log = drop(world, cylinder(0.6, 3.0), (60, 60, 1.3), rotation=turned, friction=0.9)
    lowest = 9.0
    for _ in range(180):
        world.step(STEP, NOBODY)
        lowest = min(lowest, float(world.position[log][2]))
    # Across, it lies on top of both; along, it sinks into the groove between them.
    low = 0.3 + (0.6**2 - 0.5**2) ** 0.5
    assert lowest > low - 0.03
    if turn > 1:
        assert float(world.position[log][2]) == pytest.approx(0.9, abs=0.03)
