"""A scene in a region: objects, linksets and bodies as if somebody had built them, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from typing import cast
from uuid import uuid4

import numpy as np
import pytest

from protocol.shapes import BOX, CYLINDER, SPHERE, TORUS
from protocol.wellknown import LIBRARY_OWNER
from sim.physics.engine import NO_BODY, BadBody, BodySpec, Kind, box, create, hull, mesh
from sim.physics.numba_engine import NumbaEngine
from sim.physics.prims import prim_shape
from sim.scenes import SceneError, place
from sim.scenes.reading import parse
from sim.world.avatars import AVATAR_DTYPE
from sim.world.changes import What
from sim.world.objects import Objects, Prim
from tests.kit.world import add_root, close_sim, make_sim, region, settle


def put(sim, text):
    placed = place(sim.region, sim.scripts, parse(text.encode(), "test.toml"))
    sim.bodies.update()
    return placed


def run(sim, seconds):
    for _ in range(round(seconds * 45)):
        sim.frame.once(sim.clock.now())
        sim.clock.advance(1 / 45)


async def test_prims_stand_where_the_file_says():
    with region() as sim:
        ground = sim.world.terrain.height(100, 100)
        assert put(sim, "origin = [100, 100, 'ground']\n[[prim]]\nname = 'Post'\nsize = [1, 1, 4]\nposition = [1, 2, 3]") == 1
        (prim,) = sim.world.objects.roots()
        row = sim.world.objects.row(prim)
        assert row["position"] == pytest.approx((101, 102, ground + 3), abs=1e-4)
        assert row["world_position"] == pytest.approx(row["position"]) and row["scale"].tolist() == [1, 1, 4]
        assert prim.name == "Post" and prim.owner_id == LIBRARY_OWNER and prim.permissions.everyone == 0
        hit = sim.bodies.first_hit((101, 102, ground + 20), (101, 102, ground))
        assert hit is not None and hit[0][2] == pytest.approx(ground + 5, abs=1e-3)


async def test_on_ground_follows_the_land():
    with region() as sim:
        put(sim, "[[prim]]\nposition = [128, 128, 1]\non_ground = true\ngrid = { count = [5, 5], step = [20, 20, 0] }")
        rows = sim.world.objects.rows[: sim.world.objects.count]
        for x, y, z in rows["position"].tolist():
            assert z == pytest.approx(sim.world.terrain.height(x, y) + 1, abs=1e-3)
        assert np.ptp(rows["position"][:, 2]) > 1


async def test_a_linkset_is_one_body_and_its_copies_are_turned_whole():
    text = """
    origin = [100, 100, 40]
    [[linkset]]
    name = "Gate"
    ring = { count = 2, radius = 10, begin = 0, end = 90 }
      [[linkset.prim]]
      size = [1, 1, 1]
      [[linkset.prim]]
      size = [1, 1, 1]
      position = [0, 2, 1]
    """
    with region() as sim:
        assert put(sim, text) == 4
        first, second = sorted(sim.world.objects.roots(), key=lambda prim: prim.local_id)
        assert len(first.children) == 1 and first.name == "Gate"
        assert sim.bodies.engine.statistics()["static"] == 2
        assert sim.world.objects.world_place(first.children[0])[0] == pytest.approx((110, 102, 41), abs=1e-4)
        assert sim.world.objects.world_place(second.children[0])[0] == pytest.approx((98, 110, 41), abs=1e-4)


async def test_physical_things_fall_and_temporary_ones_go():
    with region() as sim:
        put(sim, "origin = [100, 100, 'ground']\n[[prim]]\nposition = [0, 0, 5]\nphysical = true\n[[prim]]\nposition = [9, 0, 1]\ntemporary = true")
        ball = next(prim for prim in sim.world.objects.roots() if prim.physical)
        run(sim, 4)
        assert sim.world.objects.row(ball)["position"][2] < sim.world.terrain.height(100, 100) + 0.4
        run(sim, 60)
        assert list(sim.world.objects.roots()) == [ball]


async def test_a_viewer_is_shown_the_scene():
    with region() as sim:
        put(sim, "origin = [128, 128, 30]\n[[prim]]\ngrid = { count = [10, 10], step = [1, 1, 1] }")
        anna = add_root(sim, "Anna Tester", (120, 120, 30))
        await settle(sim)
        run(sim, 5)
        told = {block["ID"] for message in anna.heard("ObjectUpdate") for block in message["ObjectData"]}
        assert set(sim.world.objects.by_local_id) <= told


async def test_nobody_arrives_inside_the_paving():
    with region() as sim:
        ground = sim.world.terrain.height(128, 128)
        put(sim, "origin = [128, 128, 'ground']\n[[prim]]\nsize = [20, 20, 1]")
        assert sim.seating.safe_place((128, 128, 0), 1.8) == pytest.approx((128, 128, ground + 0.5 + 0.9), abs=0.01)
        assert sim.seating.safe_place((128, 128, 90), 1.8) == pytest.approx((128, 128, 90))


async def test_a_region_opens_with_its_scene():
    sim = make_sim(scene="welcome")
    assert len(sim.world.objects) > 60 and len(list(sim.world.objects.roots())) < len(sim.world.objects)
    assert any(prim.text.startswith("Welcome") for prim in sim.world.objects.by_local_id.values())
    close_sim(sim)
    with pytest.raises(SceneError):
        make_sim(scene="/nowhere.toml")


def test_adding_many_objects_is_adding_each():
    places = np.array([[n, 2 * n, 3 * n] for n in range(300)], np.float32)
    turns = np.tile(np.array([0, 0, 0.6, 0.8], np.float32), (300, 1))
    scales = np.tile(np.array([1, 2, 2], np.float32), (300, 1))
    one, many = Objects(), Objects()
    made = many.changes.reader(What.MADE)
    for objects in (one, many):  # some rows are taken, one of them free again
        gone = objects.add(Prim(uuid4(), LIBRARY_OWNER, LIBRARY_OWNER), 1000, (1, 1, 1), (0, 0, 0, 1), (1, 1, 1))
        objects.add(Prim(uuid4(), LIBRARY_OWNER, LIBRARY_OWNER), 1001, (1, 1, 1), (0, 0, 0, 1), (1, 1, 1))
        objects.remove(gone)
    prims = [Prim(uuid4(), LIBRARY_OWNER, LIBRARY_OWNER) for _ in range(600)]
    for n in range(300):
        one.add(prims[n], n + 1, tuple(places[n].tolist()), tuple(turns[n].tolist()), tuple(scales[n].tolist()))
    many.add_all(prims[300:], range(1, 301), places, turns, scales)
    assert one.count == many.count == 301 and len(one) == len(many)
    assert np.array_equal(one.rows[:301], many.rows[:301])
    assert set(made.take()) >= set(prims[300:]) and many.of_row[many.by_local_id[7].row] is prims[306]
    with pytest.raises(ValueError, match="already"):
        many.add_all(prims[300:301], [5000], places[:1], turns[:1], scales[:1])


@pytest.mark.parametrize("name", ["numba", "bullet"])
def test_copies_of_a_body_are_as_good_as_bodies(name):
    if name == "bullet":
        pytest.importorskip("pybullet", reason="the second engine is an extra")
    one, many = create(name), create(name)
    spec = BodySpec(box(1, 1, 0.5), (0, 0, 0), (0, 0, 0, 1), kind=Kind.DYNAMIC, density=300.0)
    places = np.array([[20 + 3 * n, 20, 5 + n / 4] for n in range(20)], np.float32)
    turns = np.array([[0, 0, np.sin(n), np.cos(n)] for n in range(20)], np.float32)
    singles = [
        one.add(replace(spec, position=place.tolist(), rotation=turn.tolist(), user=n))
        for n, (place, turn) in enumerate(zip(places, turns, strict=True))
    ]
    copies, _ = many.add_alike(spec, [spec.shape] * 20, places, turns, range(20))
    nobody = np.zeros(0, AVATAR_DTYPE)
    for engine in (one, many):
        for _ in range(90):
            engine.step(1 / 45, nobody)
    assert np.allclose(one.position[singles], many.position[copies], atol=1e-3)
    assert one.user[singles].tolist() == many.user[copies].tolist() == list(range(20))
    assert [many.mass(h) for h in copies] == pytest.approx([150.0] * 20)
    for handle in copies:
        many.remove(handle)
    assert many.statistics()["dynamic"] == 0


@pytest.mark.parametrize("name", ["numba", "bullet"])
def test_bodies_made_at_once_each_have_their_own_shape(name):
    if name == "bullet":
        pytest.importorskip("pybullet", reason="the second engine is an extra")
    one, many = cast(NumbaEngine, create(name)), cast(NumbaEngine, create(name))
    prims = [BOX, CYLINDER, SPHERE, TORUS, replace(BOX, profile_hollow=0.6), replace(BOX, path_twist=0.4)]
    shapes = [prim_shape(prims[n % 6], (1 + n / 10, 2 - n / 10, 1.5)) for n in range(12)]
    shapes[5] = hull([(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0)])  # on one line
    shapes[7] = mesh([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(0, 1, 2)])
    spec = BodySpec(shapes[0], kind=Kind.DYNAMIC, density=300.0, lock_axes=(False, True, False))
    places, turns = np.array([[20 + 5 * n, 20, 5] for n in range(12)]), np.tile([0, 0, 0.6, 0.8], (12, 1))
    handles, refused = many.add_alike(spec, shapes, places, turns, range(12))
    for n, handle in enumerate(handles):
        single = replace(spec, shape=shapes[n], position=places[n].tolist(), rotation=turns[n].tolist(), user=n)
        if n in (5, 7):
            assert handle == NO_BODY
            with pytest.raises(BadBody, match=str(refused[n])):
                one.add(single)
            continue
        alone = one.add(single)
        assert many.mass(handle) == pytest.approx(one.mass(alone), rel=1e-6) and many.user[handle] == n
        assert many.center_of_mass(handle) == pytest.approx(one.center_of_mass(alone), abs=1e-5)
        assert many.bodies.bounds[handle] == pytest.approx(one.bodies.bounds[alone], abs=1e-4)
        for column in ("jxx", "jyy", "jzz", "jxy", "jxz", "jyz"):
            assert many.bodies.body[handle][column] == pytest.approx(one.bodies.body[alone][column], rel=1e-4, abs=1e-7)
    with pytest.raises(BadBody):
        many.add_alike(spec, shapes[:2], places, turns, range(12))
    _, refused = many.add_alike(replace(spec, density=float("nan")), shapes[:4], places[:4], turns[:4], range(4))
    assert refused.keys() == {0, 1, 2, 3} and many.statistics()["dynamic"] == 10
