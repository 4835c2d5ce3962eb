"""Compile every kernel of physics, or load it from numba's cache, before a region opens: a small world that meets every
pair of forms, every kind of ray and every way an avatar moves.

Compiling happens once a machine (about a minute); loading takes a fraction of a second.
"""

from __future__ import annotations

import numpy as np

from sim.physics import riders
from sim.physics.engine import BodySpec, Kind, Mask, box, hull, sphere
from sim.physics.vehicles import PRESETS, Type
from sim.world.avatars import AVATAR_DTYPE


def warm() -> None:
    """Run each kernel once with the types it will see."""
    from sim.physics.numba_engine import NumbaEngine

    engine = NumbaEngine()
    engine.set_terrain(np.zeros((257, 257), np.float32))
    floor = engine.add(BodySpec(box(4, 4, 0.5), (10, 10, 0.2)))
    engine.add(BodySpec(box(0.5, 0.5, 0.5), (10, 10, 0.8), kind=Kind.DYNAMIC))
    ball = engine.add(BodySpec(sphere(0.3), (10.1, 10, 1.2), kind=Kind.DYNAMIC))
    engine.add(BodySpec(hull([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]), (30, 30, 5)))
    engine.set_vehicle(ball, PRESETS[Type.CAR])
    rows = np.zeros(2, AVATAR_DTYPE)
    rows["active"] = 1
    rows["height"] = 1.9
    rows["rotation"][:, 3] = 1.0
    rows["position"] = (10, 11, 1.4)
    for _ in range(3):
        engine.step(1 / 45, rows)
    engine.apply_impulse(ball, (1, 0, 0), (10, 10, 1))
    engine.raycast((10, 10, 20), (0, 0, -1), 30, Mask.ALL)
    engine.raycast_batch(np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32), np.ones(1, np.float32))
    engine.set_pose(floor, (10, 10, 0), (0, 0, 0, 1))
    for k in range(80):
        engine.add(BodySpec(box(1, 1, 1), (50 + k, 50, 0)))
    engine.step(1 / 45, rows[:0])
    engine._pairs_of_roused(0, 0)  # of what is woken by others, which takes half a second of stillness to come about
    engine.remove(ball)
    riders.warm()
