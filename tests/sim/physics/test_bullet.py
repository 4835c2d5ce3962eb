"""The same scene in both engines comes out the same, within stated tolerances."""

from __future__ import annotations

import numpy as np
import pytest

from sim.physics.engine import BodySpec, Contact, Engine, Kind, box, compound, cylinder, hull, sphere
from tests.sim.physics.kit import NOBODY, drop, engine, run

pytest.importorskip("pybullet", reason="the second engine is an extra")
NONE = (0.0, 0.0, 0.0, 1.0)


@pytest.fixture(params=["numba", "bullet"])
def world(request: pytest.FixtureRequest) -> Engine:
    return engine(request.param)


def both() -> tuple[Engine, Engine]:
    return engine("numba"), engine("bullet")


def test_free_fall_and_landing_agree() -> None:
    ends = []
    for world in both():
        ball = drop(world, sphere(0.5), (50, 50, 20), velocity=(2, 1, 0))
        run(world, 1.5)
        falling = world.position[ball].copy()
        run(world, 6)
        ends.append((falling, world.position[ball][2]))
    assert ends[0][0] == pytest.approx(ends[1][0], abs=0.2)  # Bullet's integration lags by half a step
    assert ends[0][1] == pytest.approx(ends[1][1], abs=0.02)


def test_stacks_stand_alike() -> None:
    for world in both():
        stack = [drop(world, box(1, 1, 1), (40, 40, 0.5 + 1.01 * k), friction=0.7) for k in range(4)]
        run(world, 6)
        assert world.position[stack][:, 2] == pytest.approx([0.5, 1.5, 2.5, 3.5], abs=0.05)
        assert np.abs(world.position[stack][:, :2] - 40).max() < 0.05


def test_sliding_stops_after_the_same_way() -> None:
    ways = []
    for world in both():
        world.add(BodySpec(box(60, 10, 1), (60, 50, 0.5), friction=0.5))
        puck = drop(world, box(1, 1, 0.3), (40, 50, 1.15), friction=0.5, velocity=(8, 0, 0))
        run(world, 4)
        ways.append(world.position[puck][0] - 40)
    assert ways[0] == pytest.approx(64 / (2 * 0.5 * 9.8), rel=0.08)
    assert ways[0] == pytest.approx(ways[1], rel=0.08)


POST = [(x, y, z) for x in (-0.1, 0.1) for y in (-0.1, 0.1) for z in (-0.5, 0.3)]


@pytest.mark.parametrize(
    "shape",
    [
        box(0.8, 0.6, 0.4),
        cylinder(0.8, 0.5),
        hull([(0.5, 0.5, 0.3), (-0.5, 0.5, 0.3), (0.5, -0.5, 0.3), (-0.5, -0.5, 0.3), (0, 0, -0.4), (0, 0, 0.5)]),
        compound([(box(1, 1, 0.2), (0, 0, 0), NONE), (box(0.2, 0.2, 0.8), (0, 0, 0.5), NONE)]),
        compound([(hull(POST), (x, y, 0), NONE) for x in range(4) for y in range(5)] + [(sphere(0.3), (1.5, 2, 0.5), NONE)]),
    ],
)
def test_forms_rest_at_the_same_height(shape: object) -> None:
    heights = []
    for world in both():
        world.add(BodySpec(box(6, 6, 1), (50, 50, 0.5)))
        handle = drop(world, shape, (50, 50, 1.9), friction=0.7)  # type: ignore[arg-type]
        run(world, 6)
        heights.append(world.position[handle][2])
    assert heights[0] == pytest.approx(heights[1], abs=0.06)


def test_a_push_gives_both_the_same_speed() -> None:
    speeds = []
    for world in both():
        first = drop(world, sphere(0.5), (50, 50, 5), buoyancy=1.0, restitution=1.0, velocity=(5, 0, 0))
        second = drop(world, sphere(0.5), (52, 50, 5), buoyancy=1.0, restitution=1.0)
        run(world, 1)
        speeds.append((world.velocity[first][0], world.velocity[second][0]))
    assert speeds[0] == pytest.approx(speeds[1], abs=0.4)
    assert speeds[0][1] == pytest.approx(5, abs=0.4)


def test_the_interface_is_whole_in_both(world: Engine) -> None:
    table = world.add(BodySpec(box(4, 4, 1), (50, 50, 0.5)))
    brick = drop(world, box(1, 1, 1), (50, 50, 2.5), user=77)
    kinds = []
    for _ in range(90):
        world.step(1 / 45, NOBODY)
        kinds += [int(e["kind"]) for e in world.collisions if {int(e["a"]), int(e["b"])} == {brick, table}]
    assert kinds[0] == Contact.START and Contact.END not in kinds
    assert world.user[brick] == 77 and world.raycast((50, 50, 9), (0, 0, -1), 20)["target"].tolist() == [brick]
    world.set_kind(brick, Kind.STATIC)
    world.set_pose(brick, (60, 60, 5), NONE)
    world.set_kind(brick, Kind.DYNAMIC)
    world.set_material(brick, buoyancy=1.0, friction=0.2)
    world.replace_shape(brick, sphere(0.5))
    world.apply_impulse(brick, (0, 0, world.mass(brick)))
    run(world, 1)
    assert world.position[brick][2] == pytest.approx(6, abs=0.1)
    world.remove(brick)
    world.remove(table)
    run(world, 0.1)
    assert world.statistics()["dynamic"] == 0


def test_a_mesh_is_cut_into_convex_pieces() -> None:
    pytest.importorskip("coacd")
    from sim.physics.bullet import convex_pieces
    from sim.physics.pieces import BOX_CORNERS, BOX_TRIANGLES

    arms = [BOX_CORNERS * (2, 0.5, 0.5), BOX_CORNERS * (0.5, 0.5, 2) + (0, 0, 2.4)]
    points = np.concatenate(arms)
    triangles = np.concatenate([BOX_TRIANGLES, BOX_TRIANGLES + 8]).astype(np.int32)
    pieces = convex_pieces(points, triangles)
    assert len(pieces) >= 2
    world = engine()
    handle = drop(world, compound([(hull(piece), (0, 0, 0), NONE) for piece in pieces]), (50, 50, 3))
    run(world, 1)
    assert np.isfinite(world.position[handle]).all()
