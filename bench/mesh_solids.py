"""Meshes as solids: what making one costs, and what they cost bodies among them. `python -m bench.mesh_solids`

`made ms`: from the asset's bytes, in the worker beside the region; `region ms`: what the region's own thread takes for the
first object of one, and for one of another size; processor milliseconds. Then 300 balls and 200 boxes that fall on 1,000
meshes, against the same on the boxes around them, in one run: medians over the awake steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import numpy as np

from bench.kit import arguments, show
from sim.physics.asset_solids import Source, _hulls
from sim.physics.engine import BodySpec, Engine, Form, Kind, Made, box, create, sphere, stretched
from sim.physics.solids import AssetSolid
from sim.physics.solids_worker import Work, work
from sim.world.avatars import AVATAR_DTYPE
from tests.kit.meshes import asset, block, convex, face

NOBODY = np.zeros(0, AVATAR_DTYPE)
STEP = 1 / 45
CUBE = block((-0.5,) * 3, (0.5,) * 3)


def torus(around: int, across: int) -> tuple[np.ndarray, np.ndarray]:
    """A ring with a hole: 2 x around x across triangles."""
    u, v = np.meshgrid(np.arange(around) * 2 * np.pi / around, np.arange(across) * 2 * np.pi / across, indexing="ij")
    reach = 0.35 + 0.15 * np.cos(v)
    points = np.stack([reach * np.cos(u), reach * np.sin(u), 0.5 * np.sin(v)], -1).reshape(-1, 3)
    here, there = np.meshgrid(np.arange(around), np.arange(across), indexing="ij")
    right, up = (here + 1) % around, (there + 1) % across
    a, b, c, d = (i.ravel() * across + j.ravel() for i, j in ((here, there), (right, there), (here, up), (right, up)))
    return points, np.concatenate([np.c_[a, b, c], np.c_[b, d, c]])


def hulls(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [np.clip(rng.normal(size=(32, 3)) * 0.03 + rng.uniform(-0.4, 0.4, 3), -0.5, 0.5) for _ in range(count)]


def milliseconds(run: Callable[[], Any]) -> tuple[float, Any]:
    before = time.thread_time()
    result = run()
    return round(1e3 * (time.thread_time() - before), 2), result


def making(name: str, triangles: int, pieces: int, data: bytes) -> dict[str, Any]:
    made_ms, solid = min((milliseconds(lambda: work(Work.MESH, 0, data)) for _ in range(3)), key=lambda pair: pair[0])
    assert isinstance(solid, AssetSolid)
    world, source = create("numba"), Source(uuid4(), Work.MESH, 0)
    world.add(BodySpec(box(1, 1, 1)))

    def add(size: float) -> int:
        if solid.pieces:
            shape = _hulls(source, "pieces", solid.pieces, (2.0, 3.0, size))
        else:
            shape = stretched(Form.MESH, Made((source, "tree"), solid.tree), (2.0, 3.0, size))
        return world.add(BodySpec(shape, (100, 100, 10)))

    first, other = milliseconds(lambda: add(1.0))[0], milliseconds(lambda: add(2.0))[0]
    return {
        "mesh": name,
        "triangles": triangles,
        "pieces": pieces,
        "made ms": made_ms,
        "region ms": f"{first} / {other}",
    }


def fall(meshes: bool) -> float:
    """Milliseconds of the median step in which something is awake."""
    world: Engine = create("numba")
    world.set_terrain(np.zeros((257, 257), np.float32))
    data = asset(physics_mesh=[face(*torus(24, 12))])
    solid = work(Work.MESH, 0, data)
    assert isinstance(solid, AssetSolid) and solid.tree is not None
    rng = np.random.default_rng(1)
    for k in range(1000):
        size = (2.0 + k % 10 / 5, 2.0 + k % 7 / 5, 1.0)
        shape = stretched(Form.MESH, Made("torus", solid.tree), size) if meshes else box(*size)
        world.add(BodySpec(shape, (20 + k % 32 * 3.0, 20 + k // 32 * 3.0, 1.0)))
    for k in range(500):
        shape = sphere(0.3) if k % 5 < 3 else box(0.5, 0.5, 0.5)
        where = (*rng.uniform((20, 20), (112, 112)), rng.uniform(2, 5))
        world.add(BodySpec(shape, where, kind=Kind.DYNAMIC, restitution=0.0))
    spent = []
    for _ in range(180):
        took, _ = milliseconds(lambda: world.step(STEP, NOBODY))
        if world.awake.any():
            spent.append(took)
    return round(float(np.median(spent)), 2)


def main() -> None:
    options = arguments(__doc__)
    rows = [
        making(
            "typical, by triangles",
            1024,
            0,
            asset(high_lod=[face(*torus(64, 32))], physics_mesh=[face(*torus(32, 16))]),
        ),
        making(
            "typical, by pieces",
            4096,
            8,
            asset(high_lod=[face(*torus(64, 32))], physics_convex=convex(CUBE, *hulls(8))),
        ),
        making("the most triangles", 20_000, 0, asset(physics_mesh=[face(*torus(250, 40))])),
        making(
            "the most pieces",
            4096,
            256,
            asset(high_lod=[face(*torus(64, 32))], physics_convex=convex(CUBE, *hulls(256))),
        ),
    ]
    fall(True)  # kernels loaded
    boxes, meshes = fall(False), fall(True)
    show("physics: meshes made solid", rows, options.json)
    around = [{"awake": 500, "meshes": 1000, "triangles each": 576, "step ms": meshes, "on boxes ms": boxes}]
    show("physics: bodies on meshes", around, options.json)


if __name__ == "__main__":
    main()
