"""Vehicles part by part, as the LSL wiki's "Linden Vehicle Tutorial" describes the parameters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.clock import STEP
from sim.physics.engine import Engine, box
from sim.physics.vehicles import Flag, Type, Vehicle
from tests.sim.physics.kit import NOBODY, drop, engine, run

# Weightless, without any friction, motor or spring: each test adds the one part it is about.
BARE = Vehicle(Type.AIRPLANE, buoyancy=1.0)


def craft(world: Engine, vehicle: Vehicle, roll: float = 0.0, pitch: float = 0.0, **more: object) -> int:
    """A vehicle high in the air, rolled to its right and with its nose down by so many radians."""
    a, b, c, d = math.sin(roll / 2), math.cos(roll / 2), math.sin(pitch / 2), math.cos(pitch / 2)
    apart = 40 + 30 * world.statistics()["dynamic"]
    handle = drop(world, box(3, 2, 0.5), (60, apart, 100), rotation=(a * d, b * c, -a * c, b * d), **more)
    world.set_vehicle(handle, vehicle)
    return handle


def axes(world: Engine, handle: int) -> np.ndarray:
    """Forward, left and up of a body, as rows."""
    x, y, z, w = world.rotation[handle].tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
            [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
            [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def test_friction_takes_its_share_of_each_axis() -> None:
    world = engine()
    sliding = craft(world, replace(BARE, linear_friction_timescale=(2.0, 0.5, 1000.0)), velocity=(10, 10, 1))
    spinning = craft(world, replace(BARE, angular_friction_timescale=(1000.0, 1000.0, 1.0)), angular_velocity=(0, 0, 2))
    world.set_pose(spinning, (90, 60, 100), (0, 0, 0, 1))
    run(world, 1)
    assert world.velocity[sliding] == pytest.approx([10 * math.exp(-0.5), 10 * math.exp(-2), 1], rel=0.05)
    assert world.angular_velocity[spinning][2] == pytest.approx(2 * math.exp(-1), rel=0.1)


def test_a_motor_comes_up_in_its_timescale_and_lets_go_in_its_decay() -> None:
    world = engine()
    motor = replace(BARE, linear_motor_direction=(10.0, 0.0, 0.0), linear_motor_timescale=1.0)
    handle = craft(world, motor)
    run(world, 1)
    assert world.velocity[handle][0] == pytest.approx(10 * (1 - math.exp(-1)), rel=0.05)
    braked = replace(motor, linear_motor_decay_timescale=0.5, linear_friction_timescale=(1.0, 1.0, 1.0))
    other = craft(world, braked, velocity=(0, 0, 0))
    world.set_pose(other, (60, 90, 100), (0, 0, 0, 1))
    speeds = []
    for _ in range(4):
        run(world, 1)
        speeds.append(float(world.velocity[other][0]))
    assert speeds[0] > speeds[1] > speeds[2] > speeds[3] > 0
    assert speeds[3] < 0.6
    world.push_motor(other)  # type: ignore[attr-defined]
    run(world, 0.5)
    assert world.velocity[other][0] > 2


def test_an_angular_motor_turns_about_the_axes_it_names_alone() -> None:
    world = engine()
    handle = craft(
        world, replace(BARE, angular_motor_direction=(0.0, 0.0, 1.0), angular_motor_timescale=0.5), angular_velocity=(0.3, 0, 0)
    )
    run(world, 0.5)
    assert world.angular_velocity[handle] @ axes(world, handle)[2] == pytest.approx(1 - math.exp(-1), rel=0.1)
    assert world.angular_velocity[handle] @ axes(world, handle)[0] == pytest.approx(0.3, abs=0.12)
    run(world, 3)
    assert world.angular_velocity[handle] @ axes(world, handle)[2] == pytest.approx(1, rel=0.1)


def swings(world: Engine, handle: int, seconds: float) -> tuple[int, float]:
    """How often the roll changes sides, and how far it is at last."""
    sides, last, tilt = 0, 0.0, 0.0
    for _ in range(round(seconds / STEP)):
        world.step(STEP, NOBODY)
        tilt = float(axes(world, handle)[1][2])
        if abs(tilt) > 0.02:
            sides += last * tilt < 0
            last = tilt
    return sides, abs(tilt)


def test_the_attractor_springs_or_creeps_by_its_efficiency() -> None:
    """"0 (bouncy) and 1 (smooth)"."""
    world = engine()
    upright = replace(BARE, vertical_attraction_timescale=1.0)
    smooth = craft(world, replace(upright, vertical_attraction_efficiency=1.0), roll=0.6)
    assert swings(world, smooth, 5) == (0, pytest.approx(0, abs=0.05))
    bouncy = craft(world, replace(upright, vertical_attraction_efficiency=0.05), roll=0.6)
    assert swings(world, bouncy, 5)[0] >= 2
    off = craft(world, BARE, roll=0.6)
    assert swings(world, off, 3) == (0, pytest.approx(math.sin(0.6), abs=0.02))


def test_roll_only_leaves_the_nose_where_it_points() -> None:
    world = engine()
    upright = replace(BARE, vertical_attraction_timescale=1.0, vertical_attraction_efficiency=1.0)
    free = craft(world, replace(upright, flags=Flag.LIMIT_ROLL_ONLY), pitch=0.5)
    run(world, 5)
    assert axes(world, free)[0][2] == pytest.approx(-math.sin(0.5), abs=0.05)
    held = craft(world, upright, pitch=0.5)
    run(world, 5)
    assert axes(world, held)[0][2] == pytest.approx(0, abs=0.05)


def yaw_rate(roll: float, speed: float, **banking: Any) -> float:
    """Radians a second to the left after a second of leaning."""
    world = engine()
    bank = replace(
        BARE, vertical_attraction_timescale=60.0, banking_timescale=0.5, flags=Flag.LIMIT_ROLL_ONLY, **banking
    )
    handle = craft(world, bank, roll=roll, velocity=(speed, 0, 0))
    run(world, 1)
    return float(world.angular_velocity[handle][2])


def test_leaning_turns_the_way_that_banking_says() -> None:
    right = yaw_rate(0.5, 10, banking_efficiency=1.0, banking_mix=0.5)
    assert right < -0.05  # into the turn
    assert yaw_rate(-0.5, 10, banking_efficiency=1.0, banking_mix=0.5) == pytest.approx(-right, rel=0.1)
    assert yaw_rate(0.5, 10, banking_efficiency=-1.0, banking_mix=0.5) == pytest.approx(-right, rel=0.2)
    assert abs(yaw_rate(0.5, 10, banking_efficiency=0.0, banking_mix=0.5)) < 0.01
    assert abs(yaw_rate(0.2, 10, banking_efficiency=1.0, banking_mix=0.5)) < abs(right)


def test_the_mix_of_banking_says_whether_speed_matters() -> None:
    """"0 = static, turn even at rest; 1 = dynamic, turn by speed"."""
    still, fast = (yaw_rate(0.5, speed, banking_efficiency=1.0, banking_mix=0.0) for speed in (0, 15))
    assert still < -0.05 and fast == pytest.approx(still, rel=0.1)
    assert abs(yaw_rate(0.5, 0, banking_efficiency=1.0, banking_mix=1.0)) < 0.01
    slow, fast = (yaw_rate(0.5, speed, banking_efficiency=1.0, banking_mix=1.0) for speed in (4, 12))
    assert fast < 1.5 * slow < 0


def test_without_an_attractor_there_is_no_banking() -> None:
    world = engine()
    handle = craft(
        world, replace(BARE, banking_efficiency=1.0, banking_timescale=0.5), roll=0.5, velocity=(10, 0, 0)
    )
    run(world, 1)
    assert abs(world.angular_velocity[handle][2]) < 0.01


def test_deflection_turns_motion_forward_and_the_nose_to_the_motion() -> None:
    world = engine()
    slide = craft(
        world, replace(BARE, linear_deflection_efficiency=1.0, linear_deflection_timescale=0.5, flags=Flag.NO_DEFLECTION_UP),
        velocity=(3, 6, -1),
    )  # fmt: skip
    run(world, 2)
    assert abs(world.velocity[slide][1]) < 0.3
    assert world.velocity[slide][0] == pytest.approx(math.hypot(3, 6), rel=0.15)
    assert world.velocity[slide][2] == pytest.approx(-1, abs=0.05)
    weathercock = craft(
        world, replace(BARE, angular_deflection_efficiency=1.0, angular_deflection_timescale=1.0,
                       angular_friction_timescale=(1.0, 1.0, 1.0), flags=Flag.NO_DEFLECTION_UP),
        velocity=(5, 5, 0),
    )  # fmt: skip
    run(world, 1.5)
    assert world.angular_velocity[weathercock][2] > 0 or axes(world, weathercock)[0][1] > 0.3


def test_hover_up_only_lifts_and_never_pulls_down() -> None:
    world = engine(ground=20.0)
    world.water_height = 0.0
    hover = replace(BARE, hover_height=10.0, hover_efficiency=1.0, hover_timescale=1.0)
    high = craft(world, replace(hover, flags=Flag.HOVER_UP_ONLY))
    both = craft(world, hover)
    world.set_pose(both, (90, 60, 60), (0, 0, 0, 1))
    level = craft(world, replace(hover, hover_height=55.0, flags=Flag.HOVER_GLOBAL_HEIGHT))
    world.set_pose(level, (120, 60, 50), (0, 0, 0, 1))
    run(world, 12)
    assert world.position[high][2] == pytest.approx(100, abs=0.5)
    assert world.position[both][2] == pytest.approx(30, abs=0.7)
    assert world.position[level][2] == pytest.approx(55, abs=0.7)


def test_a_turn_target_is_reached_the_short_way_and_held() -> None:
    world = engine()
    handle = drop(world, box(1, 2, 0.5), (60, 60, 50), buoyancy=1.0)
    target = (0.0, 0.0, math.sin(-1.3), math.cos(-1.3))  # 149 degrees to the right
    world.set_turn_target(handle, target, 1.0, 0.4)
    least = 0.0
    for _ in range(180):
        world.step(STEP, NOBODY)
        least = min(least, float(world.angular_velocity[handle][2]))
    assert least < -0.5
    assert abs(float(np.dot(world.rotation[handle], target))) > 0.999
    world.apply_angular_impulse(handle, (0, 0, 500))
    run(world, 4)
    assert abs(float(np.dot(world.rotation[handle], target))) > 0.995
    world.set_turn_target(handle, target, 0.0, 0.4)
    world.set_velocity(handle, (0, 0, 0), (0, 0, 1))
    run(world, 1)
    assert world.angular_velocity[handle][2] > 0.8


@pytest.mark.parametrize("rotation", [(1, 0, 0, 0), (0, 1, 0, 0), (0.5, 0.5, 0.5, 0.5), (0, 0, 0, -1)])
def test_any_turn_target_is_reached(rotation: tuple[float, ...]) -> None:
    world = engine()
    handle = drop(world, box(1, 2, 0.5), (60, 60, 50), buoyancy=1.0, rotation=(0.1, 0.2, 0.3, 0.9))
    world.set_turn_target(handle, rotation, 1.0, 0.3)
    run(world, 5)
    assert abs(float(np.dot(world.rotation[handle], rotation))) > 0.995
