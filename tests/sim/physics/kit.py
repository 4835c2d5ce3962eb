"""What physics tests share: engines with land, steps, avatars."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.clock import STEP
from sim.physics.engine import BodySpec, Engine, Kind, Shape, create
from sim.world.avatars import AVATAR_DTYPE

NOBODY = np.zeros(0, AVATAR_DTYPE)


def engine(name: str = "numba", ground: float = 0.0) -> Engine:
    made = create(name)
    made.set_terrain(np.full((257, 257), ground, np.float32))
    return made


def drop(world: Engine, shape: Shape, position: Any, **more: Any) -> int:
    more.setdefault("restitution", 0.0)
    return world.add(BodySpec(shape, position, kind=Kind.DYNAMIC, **more))


def run(world: Engine, seconds: float, rows: Any = NOBODY) -> None:
    for _ in range(round(seconds / STEP)):
        world.step(STEP, rows)


def avatar(x: float, y: float, z: float, height: float = 1.9) -> Any:
    """Rows of one avatar, looking along x."""
    rows = np.zeros(1, AVATAR_DTYPE)
    row = rows[0]
    row["active"] = 1
    row["height"] = height
    row["position"] = (x, y, z)
    row["rotation"] = (0, 0, 0, 1)
    return rows
