"""Prims become convex pieces; vehicles do what their parameters say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import shapes as prim
from sim.physics.engine import BadBody, BodySpec, Form, Mask, Shape, box
from sim.physics.materials import MATERIALS, material
from sim.physics.prims import prim_shape
from sim.physics.shapes import ShapeStore
from sim.physics.vehicles import PARAMETERS, PRESETS, Flag, Type, Vehicle
from tests.sim.physics.kit import drop, engine, run


def volume(shape: object) -> float:
    store = ShapeStore()
    return float(store.solid(store.add(shape))["volume"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "share"),
    [
        (prim.BOX, 1.0),
        (prim.CYLINDER, np.pi / 4),
        (prim.SPHERE, np.pi / 6),
        (prim.PRISM, 3 * 3**0.5 / 16),
        (replace(prim.BOX, profile_hollow=0.5), 0.75),
        (replace(prim.CYLINDER, profile_hollow=0.5), np.pi / 4 * 0.75),
        (replace(prim.CYLINDER, profile_end=0.5), np.pi / 8),
        (replace(prim.BOX, path_scale_x=0.0, path_scale_y=0.0), 1 / 3),
        (replace(prim.BOX, path_end=0.5), 0.5),
        (replace(prim.TORUS, path_scale_y=0.25), 2 * np.pi**2 * 0.375 * 0.125 * 0.5),
    ],
)
def test_volumes_of_prims(shape: prim.Shape, share: float) -> None:
    assert volume(prim_shape(shape, (1, 1, 1))) == pytest.approx(share, rel=0.08)
    # An uneven ball is a hull of 32 corners, which lie on it.
    near = 0.25 if shape == prim.SPHERE else 0.08
    assert volume(prim_shape(shape, (2, 2, 3))) == pytest.approx(share * 12, rel=near)


def test_whole_prims_are_themselves() -> None:
    assert prim_shape(prim.BOX, (1, 2, 3)).form == Form.BOX
    assert prim_shape(prim.CYLINDER, (1, 1, 3)).form == Form.CYLINDER
    assert prim_shape(prim.SPHERE, (2, 2, 2)).form == Form.SPHERE
    assert prim_shape(prim.CYLINDER, (1, 2, 3)).form == Form.HULL
    assert prim_shape(replace(prim.BOX, profile_hollow=0.9), (1, 1, 1), convex=True).form == Form.HULL
    for bad in ((0, 1, 1), (float("nan"), 1, 1), (1e9, 1, 1)):
        with pytest.raises(BadBody):
            prim_shape(prim.BOX, bad)


def test_one_can_look_and_fall_through_a_hollow() -> None:
    world = engine()
    tube = prim_shape(replace(prim.BOX, profile_hollow=0.8), (4, 4, 4))
    handle = world.add(BodySpec(tube, (50, 50, 5)))
    assert not len(world.raycast((50, 50, 20), (0, 0, -1), 15, Mask.STATIC))
    assert world.raycast((51.9, 50, 20), (0, 0, -1), 30, Mask.STATIC)["target"].tolist() == [handle]
    pebble = drop(world, box(0.5, 0.5, 0.5), (50, 50, 9))
    run(world, 3)
    assert world.position[pebble][2] == pytest.approx(0.25, abs=0.05)


def corners(shape: Shape) -> np.ndarray:
    if shape.parts:
        return np.concatenate([corners(part) + offset for part, offset, _ in shape.parts])
    assert shape.points is not None
    return shape.points * (shape.size or 1.0)


def test_cuts_take_away_the_side_that_viewers_show_cut() -> None:
    """A box's first quarter is its -y side; a ring begins at +y and rises; viewers and scripts number faces that way."""
    world = engine()
    world.add(BodySpec(prim_shape(replace(prim.BOX, profile_begin=0.25), (4, 4, 4)), (50, 50, 5)))
    hit = [len(world.raycast((50 + x, 50 + y, 20), (0, 0, -1), 30, Mask.STATIC)) for x, y in ((0, -1), (1, 0), (0, 1), (-1, 0))]
    assert hit == [0, 1, 1, 1]
    ring = replace(prim.TORUS, path_scale_y=0.25)
    low = corners(prim_shape(replace(ring, path_begin=0.5), (4, 4, 4)))
    assert low[:, 2].max() < 0.1 and low[:, 1].min() < -1.9 and low[:, 1].max() > 1.9
    near = corners(prim_shape(replace(ring, path_end=0.25), (4, 4, 4)))
    assert near[:, 1].min() > -0.1 and near[:, 2].min() > -0.1
    skewed = corners(prim_shape(replace(ring, path_scale_x=0.5, path_skew=0.5), (4, 4, 4)))
    assert skewed[:, 0].max() == pytest.approx(4 * (0.125 + 0.25), abs=0.02)


fraction = st.floats(0, 1)
sign = st.floats(-1, 1)


@settings(max_examples=120, deadline=None)
@given(
    path=st.sampled_from([0x10, 0x20, 0x30, 0x80]), profile=st.integers(0, 255), cut=fraction, end=fraction,
    hollow=fraction, twist=sign, taper=sign, size=st.tuples(*[st.floats(0.01, 64)] * 3), revolutions=st.floats(1, 4),
)  # fmt: skip
def test_every_prim_is_a_solid_or_refused(
    path: int, profile: int, cut: float, end: float, hollow: float, twist: float, taper: float, size: tuple,
    revolutions: float,
) -> None:  # fmt: skip
    shape = prim.Shape(
        path, profile, path_begin=cut, profile_begin=cut, profile_end=end, profile_hollow=hollow, path_twist=twist,
        path_scale_x=abs(taper), path_taper_x=taper, path_revolutions=revolutions,
    )  # fmt: skip
    try:
        assert volume(prim_shape(shape, size)) > 0
    except BadBody:
        pass


def test_materials_are_the_wiki_s() -> None:
    assert material(3) == ("wood", 0.6, 0.5) and material(99) == material(3)
    assert [m.friction for m in MATERIALS[:7]] == [0.8, 0.3, 0.2, 0.6, 0.9, 0.4, 0.9]


def test_a_car_reaches_its_motor_speed_and_turns() -> None:
    world = engine(ground=30.0)
    car = drop(world, box(3, 1.6, 0.6), (60, 60, 30.35), friction=0.0)
    vehicle = PRESETS[Type.CAR].with_parameter("linear_motor_direction", (10, 0, 0))
    world.set_vehicle(car, vehicle)
    run(world, 4)
    assert 5 < world.velocity[car][0] < 10.5
    world.set_vehicle(car, vehicle.with_parameter("angular_motor_direction", (0, 0, 2)))
    run(world, 1)
    assert world.angular_velocity[car][2] > 0.1
    run(world, 2)
    assert abs(world.velocity[car][1]) > 1  # deflection turned the motion after the nose


def test_a_boat_floats_on_the_water_and_a_balloon_hovers() -> None:
    world = engine(ground=5.0)
    world.water_height = 20.0
    boat, balloon = drop(world, box(4, 2, 1), (60, 60, 16)), drop(world, box(2, 2, 2), (90, 60, 21))
    world.set_vehicle(boat, PRESETS[Type.BOAT])
    world.set_vehicle(balloon, PRESETS[Type.BALLOON])
    run(world, 40)
    assert world.position[boat][2] == pytest.approx(20, abs=0.5)
    assert world.position[balloon][2] == pytest.approx(25, abs=1.0)


def test_the_attractor_rights_a_tilted_plane() -> None:
    world = engine()
    plane = drop(world, box(4, 3, 0.4), (60, 60, 80), rotation=(np.sin(0.5), 0, 0, np.cos(0.5)))
    flying = PRESETS[Type.AIRPLANE].with_parameter("linear_motor_direction", (20, 0, 0))
    steady = flying.with_parameter("buoyancy", 1.0).with_parameter("banking_efficiency", 0)
    world.set_vehicle(plane, steady.with_parameter("angular_deflection_efficiency", 0))
    run(world, 8)
    x, y, z, w = world.rotation[plane].tolist()
    assert abs(2 * (y * z + x * w)) < 0.25  # the wings are level; only roll is limited, the nose may point anywhere
    assert np.linalg.norm(world.velocity[plane]) > 8


def test_vehicle_parameters_are_checked() -> None:
    sled = PRESETS[Type.SLED]
    assert sled.with_parameter("linear_friction_timescale", 5).linear_friction_timescale == (5.0, 5.0, 5.0)
    assert set(PARAMETERS.values()) == set(Vehicle.__dataclass_fields__) - {"type", "flags"}
    assert Flag.NO_DEFLECTION_UP in sled.flags
    for name, value in (("wings", 1), ("buoyancy", float("nan")), ("linear_motor_direction", (1, 2))):
        with pytest.raises(BadBody):
            sled.with_parameter(name, value)
