"""Bodies: the numba engine against Bullet on the same scenes. `python -m bench.physics_bodies`

Milliseconds of processor time a step (median), limits beside them. `pile`: falling into stacks of five; `asleep`:
stacks of five that have come to rest; `1,000 awake`: boxes dropped on 30,000 static ones; `mixed`: boxes, balls,
cylinders, hulls and linksets in a heap.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from bench.kit import arguments, show
from sim.physics.engine import BodySpec, Engine, Kind, box, compound, create, cylinder, hull, sphere
from sim.world.avatars import AVATAR_DTYPE

NOBODY = np.zeros(0, AVATAR_DTYPE)
STEP = 1 / 45
LIMITS = {("pile", 1000): 2.22, ("asleep", 5000): 1.0, ("resting statics", 30000): 0.3}


def stacks(world: Engine, count: int, spacing: float = 1.0, high: float = 1.5, apart: float = 0.8) -> None:
    """Columns of five half-metre boxes, dropped."""
    rng = np.random.default_rng(1)
    side = int(np.ceil((count / 5) ** 0.5))
    for k in range(count):
        column, layer = divmod(k, 5)
        jitter = rng.uniform(-0.08, 0.08, 2)
        x, y = 20 + (column % side) * spacing + jitter[0], 20 + (column // side) * spacing + jitter[1]
        world.add(BodySpec(box(0.5, 0.5, 0.5), (x, y, high + layer * apart), kind=Kind.DYNAMIC, restitution=0.0))


def statics(world: Engine, count: int) -> None:
    rng = np.random.default_rng(0)
    sizes = [box(*rng.uniform(0.1, 2.0, 3)) for _ in range(200)]
    for k in range(count):
        turn = rng.normal(size=4)
        world.add(BodySpec(sizes[k % 200], (*rng.uniform(2, 254, 2), rng.uniform(0, 8)), tuple(turn / np.linalg.norm(turn))))


def scattered(world: Engine, count: int) -> None:
    rng = np.random.default_rng(2)
    for _ in range(count):
        world.add(
            BodySpec(box(0.5, 0.5, 0.5), (*rng.uniform(10, 246, 2), rng.uniform(9, 14)), kind=Kind.DYNAMIC, restitution=0.0)
        )


def mixed(world: Engine, count: int) -> None:
    rng = np.random.default_rng(3)
    upright = (0.0, 0.0, 0.0, 1.0)
    forms = [box(0.6, 0.4, 0.5), sphere(0.3), cylinder(0.5, 0.6), hull(rng.normal(size=(14, 3)) * 0.25),
             compound([(box(0.8, 0.2, 0.2), (0, 0, 0), upright), (box(0.2, 0.2, 0.6), (0.3, 0, 0.4), upright)])]  # fmt: skip
    side = (count / 12) ** 0.5
    for k in range(count):
        x, y = 60 + rng.uniform(0, side), 60 + rng.uniform(0, side)
        world.add(BodySpec(forms[k % 5], (x, y, 1 + 10 * k / count), kind=Kind.DYNAMIC, restitution=0.0))


def crowded(world: Engine) -> None:
    statics(world, 30000)
    scattered(world, 1000)


def cost(world: Engine, seconds: float, skip: float = 0.0) -> float:
    """Median milliseconds of a step."""
    spent = []
    for _ in range(round(seconds / STEP)):
        before = time.thread_time()
        world.step(STEP, NOBODY)
        spent.append(1e3 * (time.thread_time() - before))
    return round(float(np.median(spent[round(skip / STEP) :])), 3)


def main() -> None:
    options = arguments(__doc__, bullet=1, settle=12.0)
    scenes: list[tuple[str, int, Callable[[Engine], None], float, float]] = [
        ("pile", 1000, lambda w: stacks(w, 1000), 2.0, 0.2),
        ("asleep", 1000, lambda w: stacks(w, 1000, high=0.26, apart=0.505), 1.0, options.settle),
        ("asleep", 5000, lambda w: stacks(w, 5000, high=0.26, apart=0.505), 1.0, options.settle),
        ("resting statics", 30000, lambda w: statics(w, 30000), 1.0, 0.0),
        ("1,000 awake on 30,000 statics", 31000, crowded, 1.5, 0.2),
        ("mixed heap", 1000, lambda w: mixed(w, 1000), 3.0, 0.5),
    ]
    rows = []
    for name, count, build, seconds, skip in scenes:
        row: dict[str, object] = {"scene": name, "bodies": count}
        for kind in ("numba", "bullet") if options.bullet else ("numba",):
            world = create(kind)
            world.set_terrain(np.zeros((257, 257), np.float32))
            began = time.perf_counter()
            build(world)
            added = time.perf_counter() - began
            if skip >= 1:
                for _ in range(round(skip / STEP) if kind == "numba" else 90):
                    world.step(STEP, NOBODY)
            row[f"{kind} ms"] = cost(world, seconds, skip if skip < 1 else 0.0)
            if kind == "numba":
                row["add us"] = round(1e6 * added / count, 1)
                row["awake at end"] = world.statistics()["awake"]
                row["% of core"] = round(float(str(row["numba ms"])) / 10 / STEP, 2)
            else:
                row["ratio"] = round(float(str(row["bullet ms"])) / max(float(str(row["numba ms"])), 1e-3), 1)
                world.close()  # type: ignore[attr-defined]
        row["limit ms"] = LIMITS.get((name, count))
        rows.append(row)
    show("physics: bodies", rows, options.json)


if __name__ == "__main__":
    main()
