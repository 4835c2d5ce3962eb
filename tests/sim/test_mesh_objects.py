"""Meshes and sculpts as solids in a region: by both engines, by every physics shape type, and whatever the asset is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from protocol.message import Message
from protocol.shapes import SPHERE, to_wire
from sim.actions.remove import remove
from sim.physics.avatars import AT_POS
from sim.physics.solids_worker import Work, Workshop, work
from sim.world.objects import Prim
from tests.kit.meshes import (
    asset,
    block,
    blocks,
    convex,
    face,
    mesh_asset,
    pyramid,
    ring,
    ring_pieces,
    sculpt_map,
    stairs,
)
from tests.kit.world import TestSimulator, Viewer, add_root, close_sim, make_sim, settle
from tests.sim.handlers.test_building import edit, frame, rez

PRIM, NONE, CONVEX = 0, 1, 2
HIGH = 300.0  # metres: over all land
CUBE = block((-0.5,) * 3, (0.5,) * 3)
RING = asset(high_lod=[face(*ring())], physics_mesh=[face(*ring())], physics_convex=convex(CUBE, *ring_pieces()))


class Bench(Workshop):
    """The worker's work in the test's own process."""

    async def make(self, what: int, kind: int, data: bytes) -> Any:
        return work(what, kind, data)


both = pytest.mark.parametrize("sim", ["numba", "bullet"], indirect=True)


@pytest.fixture
async def sim(request: pytest.FixtureRequest) -> AsyncIterator[TestSimulator]:
    region = make_sim(physics=getattr(request, "param", "numba"))
    region.bodies.solids.workshop = Bench()
    yield region
    close_sim(region)


@pytest.fixture
async def anna(sim: TestSimulator) -> Viewer:
    return add_root(sim, "Anna Builder", (20, 20, 25))


def store(sim: TestSimulator, data: bytes) -> UUID:
    asset_id = uuid4()
    sim.assets.stored[asset_id] = (data, 49)
    return asset_id


def flags(viewer: Viewer, prim: Prim, shape: int = PRIM, physical: bool = False, phantom: bool = False) -> None:
    extra = {
        "PhysicsShapeType": shape,
        "Density": 1000.0,
        "Friction": 0.6,
        "Restitution": 0.0,
        "GravityMultiplier": 1.0,
    }
    told = {"ObjectLocalID": prim.local_id, "UsePhysics": physical, "IsTemporary": False, "IsPhantom": phantom}
    viewer.sends(Message("ObjectFlagUpdate", AgentData=told, ExtraPhysics=[extra]))


def formed(viewer: Viewer, prim: Prim, asset_id: UUID, kind: int = 5) -> None:
    param = {
        "ObjectLocalID": prim.local_id,
        "ParamType": 0x30,
        "ParamInUse": True,
        "ParamData": asset_id.bytes + bytes([kind]),
    }
    viewer.sends(Message("ObjectExtraParams", ObjectData=[param]))


async def come(sim: TestSimulator) -> None:
    """What was asked of the asset store has come."""
    frame(sim)
    await settle(sim)
    frame(sim)


async def mesh(
    viewer: Viewer,
    data: bytes,
    position: tuple[float, float, float] = (128, 128, HIGH),
    scale: Any = (4, 4, 1),
    **more: Any,
) -> Prim:
    prim = rez(viewer, (position[0], position[1], position[2] - scale[2] / 2), Scale=scale)
    formed(viewer, prim, store(viewer.sim, data))
    flags(viewer, prim, **more)
    await come(viewer.sim)
    return prim


def ball(viewer: Viewer, position: tuple[float, float, float], size: float = 0.5) -> Prim:
    made = rez(viewer, position, **to_wire(SPHERE), Scale=(size,) * 3)
    flags(viewer, made, physical=True)
    return made


def height(sim: TestSimulator, prim: Prim) -> float:
    return float(sim.world.objects.row(prim)["position"][2])


def solid_at(sim: TestSimulator, x: float, y: float, top: float = HIGH + 5) -> float | None:
    """How high something solid is there, under `top`."""
    hits = sim.bodies.raycast((x, y, top), (0, 0, -1), 10.0)
    return float(hits[0]["point"][2]) if len(hits) else None


def outcomes(sim: TestSimulator) -> dict[str, float]:
    assert not sim.metrics.labelled["stage_errors"] and not sim.metrics.labelled["task_errors"]
    return dict(sim.metrics.labelled["asset_solids"])


@both
async def test_a_ball_falls_through_the_hole_of_triangles_and_rests_on_the_hull(
    sim: TestSimulator, anna: Viewer
) -> None:
    prim = await mesh(anna, RING)
    inside, beside = ball(anna, (128, 128, HIGH + 1)), ball(anna, (129.5, 128, HIGH + 1))
    frame(sim, 2)
    assert height(sim, inside) < HIGH - 5
    assert height(sim, beside) == pytest.approx(HIGH + 0.75, abs=0.03)
    flags(anna, prim, CONVEX)
    above = ball(anna, (128, 128, HIGH + 1))
    frame(sim, 2)
    assert height(sim, above) == pytest.approx(HIGH + 0.75, abs=0.03)
    flags(anna, prim, CONVEX, phantom=True)
    frame(sim, 1)
    assert height(sim, above) < HIGH - 2
    assert outcomes(sim) == {"made": 1}


@both
async def test_a_mesh_that_falls_rests_on_its_hull(sim: TestSimulator, anna: Viewer) -> None:
    table = rez(anna, (128, 128, HIGH), Scale=(8, 8, 1))
    data = asset(high_lod=[pyramid()], physics_convex=convex(CUBE * (1, 1, 0.5)))
    prim = await mesh(anna, data, (128, 128, HIGH + 4), (2, 2, 2), physical=True)
    mass = sim.bodies.engine.mass(int(sim.world.objects.row(prim)["body"]))
    assert mass == pytest.approx(4 * 1000, rel=0.01)
    frame(sim, 3)
    assert height(sim, prim) == pytest.approx(height(sim, table) + 1.0, abs=0.03)


@both
async def test_a_physical_ring_is_its_pieces_and_weighs_as_much(sim: TestSimulator, anna: Viewer) -> None:
    prim = await mesh(anna, RING, scale=(4, 4, 1), physical=True)
    row = sim.world.objects.row(prim)
    area = 16 / 2 * np.sin(np.pi / 8) * (2**2 - 1**2)
    assert sim.bodies.engine.mass(int(row["body"])) == pytest.approx(1000 * area, rel=0.02)
    assert solid_at(sim, 128, 128) is None and solid_at(sim, 129.5, 128) is not None


@both
async def test_a_physical_ring_comes_down_over_a_post(sim: TestSimulator, anna: Viewer) -> None:
    table = rez(anna, (128, 128, HIGH - 5), Scale=(8, 8, 1))
    rez(anna, (128, 128, HIGH - 4), Scale=(1, 1, 4))
    prim = await mesh(anna, RING, (128, 128, HIGH + 2), (4, 4, 1), physical=True)
    frame(sim, 4)
    assert height(sim, prim) == pytest.approx(height(sim, table) + 1, abs=0.05)


async def test_none_is_nothing_to_bump_into(sim: TestSimulator, anna: Viewer) -> None:
    root = rez(anna, (140, 128, HIGH - 0.25))
    prim = await mesh(anna, RING)
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": one.local_id} for one in (root, prim)]))
    assert solid_at(sim, 129.5, 128) == pytest.approx(HIGH + 0.5, abs=0.01)
    for one in (prim, root):  # a root is always something
        flags(anna, one, NONE)
    assert solid_at(sim, 129.5, 128) is None and solid_at(sim, 140, 128) is not None


@both
async def test_a_linkset_of_prims_and_meshes(sim: TestSimulator, anna: Viewer) -> None:
    root = rez(anna, (128, 128, HIGH - 3), Scale=(1, 1, 0.5))
    rings = [await mesh(anna, RING, (128 + x, 128, HIGH)) for x in (-5, 5)]
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": one.local_id} for one in (root, *rings)]))
    for x in (-5, 5):
        assert solid_at(sim, 128 + x, 128) is None
        assert solid_at(sim, 128 + x, 129.5) == pytest.approx(HIGH + 0.5, abs=0.01)
    anna.sends(Message("ObjectDelink", ObjectData=[{"ObjectLocalID": rings[0].local_id}]))
    assert solid_at(sim, 123, 129.5) == pytest.approx(HIGH + 0.5, abs=0.01)


@both
async def test_an_avatar_walks_mesh_stairs_to_a_mesh_floor(sim: TestSimulator, anna: Viewer) -> None:
    parts = [*stairs(8), block((-0.5, -0.5, -0.5), (0.5, 0.5, -0.48))]
    climb = asset(high_lod=[face(*blocks(*parts))], physics_mesh=[face(*blocks(*parts))])
    await mesh(anna, climb, (128, 128, HIGH + 1), (4, 3, 2))
    corners = [(-0.5, -0.5, 0), (0.5, -0.5, 0), (0.5, 0.5, 0), (-0.5, 0.5, 0)]
    sheet = face(corners, [(0, 1, 2), (0, 2, 3)])
    await mesh(
        anna, asset(high_lod=[sheet], physics_mesh=[sheet], physics_convex=convex(CUBE)), (124, 128, HIGH), (4, 3, 0.1)
    )
    row = sim.world.row(anna.agent)
    row["position"] = (123, 128, HIGH + 1)
    row["rotation"] = (0, 0, 0, 1)
    frame(sim, 1)
    assert row["position"][2] - row["height"] / 2 == pytest.approx(HIGH, abs=0.03)
    row["controls"] = AT_POS
    highest = 0.0
    for _ in range(150):
        frame(sim)
        highest = max(highest, float(row["position"][2] - row["height"] / 2))
    assert highest == pytest.approx(HIGH + 2, abs=0.1)


async def test_the_box_around_it_stands_in_until_the_asset_comes(sim: TestSimulator, anna: Viewer) -> None:
    prim = rez(anna, (128, 128, HIGH - 0.5), Scale=(4, 4, 1))
    late = uuid4()
    formed(anna, prim, late)
    await come(sim)
    assert solid_at(sim, 128, 128) == pytest.approx(HIGH + 0.5, abs=0.01)
    sim.assets.stored[late] = (RING, 49)
    frame(sim, 61)
    await come(sim)
    assert solid_at(sim, 128, 128) is None
    assert outcomes(sim) == {"missing": 1, "made": 1}


async def test_an_asset_store_that_is_away_is_asked_again(sim: TestSimulator, anna: Viewer) -> None:
    sim.assets.down = True
    prim = rez(anna, (128, 128, HIGH - 0.5), Scale=(4, 4, 1))
    formed(anna, prim, store(sim, RING))
    await come(sim)
    sim.assets.down = False
    frame(sim, 61)
    await come(sim)
    assert outcomes(sim) == {"unreachable": 1, "made": 1} and solid_at(sim, 128, 128) is None


async def test_nobody_asks_for_what_nobody_wants_any_more(sim: TestSimulator, anna: Viewer) -> None:
    prim = rez(anna, (128, 128, HIGH))
    for _ in range(60):
        formed(anna, prim, uuid4())
    solids = sim.bodies.solids
    for minutes in (0, 1, 1, 2, 4):  # asked for again after 1, 2, 4, ... minutes
        sim.clock.advance(60 * minutes)
        frame(sim, 2)
        await settle(sim)
    assert outcomes(sim) == {"missing": 4} and len(solids._waiting) == len(solids._tries) == 1
    remove(sim.region, prim)
    sim.clock.advance(60 * 8)
    frame(sim, 1)
    assert outcomes(sim) == {"missing": 4} and not solids._waiting and not solids._tries and not solids._queue


HOSTILE = {
    "no asset": b"what is this",
    "flat": mesh_asset(face([(0, 0, 0), (0.5, 0, 0), (0, 0.5, 0)], [(0, 1, 2)])),
    "a line": mesh_asset(face([(0, 0, 0), (0.2, 0.2, 0.2), (0.4, 0.4, 0.4)], [(0, 1, 2)])),
    "a point": mesh_asset(face([(0, 0, 0)] * 3, [(0, 1, 2)] * 100)),
    "coplanar": asset(
        high_lod=[pyramid()], physics_convex=convex([(x / 16, y / 16, 0) for x in range(8) for y in range(8)])
    ),
    "not a number": asset(high_lod=[{**pyramid(), "PositionDomain": {"Min": [float("nan")] * 3, "Max": [1.0] * 3}}]),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_an_asset_that_is_no_solid_keeps_the_box(sim: TestSimulator, anna: Viewer, what: str) -> None:
    prim = await mesh(anna, HOSTILE[what])
    assert solid_at(sim, 128, 128) == pytest.approx(HIGH + 0.5, abs=0.01)
    for physical in (True, False):
        flags(anna, prim, physical=physical)
        assert int(sim.world.objects.row(prim)["body"]) >= 0 and prim.physical == physical
    assert outcomes(sim) == {"refused": 1}


async def test_open_meshes_and_overlapping_ones_are_as_solid_as_they_can_be(sim: TestSimulator, anna: Viewer) -> None:
    points, triangles = ring()
    twice = face(points, np.concatenate([triangles, triangles, triangles[:, ::-1]]))
    half = face(points, triangles[: len(triangles) // 2])
    for n, one in enumerate((twice, half)):
        await mesh(anna, asset(physics_mesh=[one], high_lod=[one]), (100 + 20 * n, 128, HIGH))
        dropped = ball(anna, (100 + 20 * n + 1.5, 128, HIGH + 1))
        frame(sim, 2)
        assert height(sim, dropped) < HIGH + 1.2 and np.isfinite(sim.world.objects.row(dropped)["position"]).all()
    assert outcomes(sim) == {"made": 2}


async def test_a_thousand_points_on_a_side_make_one_hull(sim: TestSimulator, anna: Viewer) -> None:
    side = [(x / 16 - 0.5, y / 16 - 0.5, z) for z in (-0.5, 0.5) for x in range(17) for y in range(7)]
    await mesh(anna, asset(high_lod=[pyramid()], physics_convex=convex(side)), shape=CONVEX)
    assert solid_at(sim, 128, 127) == pytest.approx(HIGH + 0.5, abs=0.01) and solid_at(sim, 128, 129.5) is None


async def test_many_pieces_become_hulls_before_they_are_refused(sim: TestSimulator, anna: Viewer) -> None:
    grid = [
        block((x, y, -0.5), (x + 0.05, y + 0.05, 0.5))
        for x in np.arange(-0.5, 0.5, 0.0625)
        for y in np.arange(-0.5, 0.5, 0.0625)
    ]
    data = asset(high_lod=[pyramid()], physics_convex=convex(CUBE, *grid))
    prims = [await mesh(anna, data, (100 + 5 * n, 128, HIGH)) for n in range(5)]
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": one.local_id} for one in prims]))
    flags(anna, prims[0], physical=True)
    assert prims[0].physical and int(sim.world.objects.row(prims[0])["body"]) >= 0
    assert sim.metrics.value("bodies_refused") == 0


async def test_a_linkset_of_too_many_triangles_is_hulls(
    sim: TestSimulator, anna: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.physics.linkset_shapes.MOST_WORK", 2 * len(ring()[1]) - 1)
    rings = [await mesh(anna, RING, (128 + x, 128, HIGH)) for x in (-5, 5)]
    assert solid_at(sim, 123, 128) is None
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": one.local_id} for one in rings]))
    for x in (-5, 5):
        assert solid_at(sim, 128 + x, 128) == pytest.approx(HIGH + 0.5, abs=0.01)


async def test_a_small_mesh_of_small_triangles_is_its_hull(sim: TestSimulator, anna: Viewer) -> None:
    points, triangles = ring()
    speck = np.array([(0.5, 0, 0.5), (0.499, 0, 0.5), (0.5, 0.001, 0.5)])
    speckled = face(np.concatenate([points, speck]), np.concatenate([triangles, [[64, 65, 66]]]))
    prim = await mesh(anna, asset(high_lod=[speckled]), scale=(0.02, 0.02, 0.01))
    assert solid_at(sim, 128, 128) is not None
    edit(anna, prim, scale=(4, 4, 1))
    assert solid_at(sim, 128, 128) is None


async def test_a_sculpt_is_the_hull_of_its_map(sim: TestSimulator, anna: Viewer) -> None:
    prim = rez(anna, (128, 128, HIGH - 1), Scale=(2, 2, 2))
    formed(anna, prim, store(sim, sculpt_map()), kind=1)
    await come(sim)
    assert solid_at(sim, 128, 128) == pytest.approx(HIGH + 1, abs=0.05)
    assert solid_at(sim, 128.9, 128.9) is None
    formed(anna, prim, store(sim, b"no picture"), kind=1)
    await come(sim)
    assert solid_at(sim, 128.9, 128.9) is not None
    assert outcomes(sim) == {"made": 1, "refused": 1}


async def test_what_is_alike_is_fetched_and_made_once(sim: TestSimulator, anna: Viewer) -> None:
    asset_id = store(sim, RING)
    for n in range(20):
        prim = rez(anna, (100 + 3 * n, 128, HIGH), Scale=(2, 2, 1))
        formed(anna, prim, asset_id)
    anna.sends(Message("ObjectDelete", ObjectData=[{"ObjectLocalID": prim.local_id}]))
    await come(sim)
    assert [solid_at(sim, 100 + 3 * n, 128) for n in range(20)] == [None] * 20
    assert outcomes(sim) == {"made": 1}


async def test_the_worker_is_a_process_that_may_be_lost() -> None:
    shop = Workshop()
    try:
        made = await shop.make(Work.MESH, 0, RING)
        assert not isinstance(made, str) and len(made.pieces) == 16 and made.tree is not None
        assert "header" in await shop.make(Work.MESH, 0, b"0")
        assert shop._worker.process is not None
        shop._worker.process.kill()
        with pytest.raises((OSError, TimeoutError)):
            await shop.make(Work.SCULPT, 1, sculpt_map())
        again = await asyncio.gather(*(shop.make(Work.MESH, 0, RING) for _ in range(3)))
        assert all(not isinstance(one, str) for one in again)
    finally:
        await shop.close()
