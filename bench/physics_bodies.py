"""Bodies: the numba engine against Bullet on the same scenes. `python -m bench.physics_bodies`

Processor milliseconds a step. `worst ms`: the median step of our slowest second; `asleep s`: after how long nothing is
awake any more; `bullet ms` and `ours ms`: medians over the same steps in both engines, the last half of those that Bullet
gets done in its `--budget` of processor seconds; `step alone`: of Bullet's, what its own C++ takes, without Python.

`piling`: columns of five boxes dropped; `stacks`: the same set down, to be asleep when measured; `mixed heap`: boxes,
balls, cylinders, hulls and linksets dropped on one heap; `beside avatars`: columns of five all over the region, dropped
while people walk about among them and into them: steps of the engine alone, without anybody's viewer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench.kit import arguments, show, told
from sim.physics.engine import BodySpec, Engine, Kind, box, compound, create, cylinder, hull, sphere
from sim.world.avatars import AVATAR_DTYPE

WALK = 0x1  # AgentUpdate.ControlFlags: forward
TURN = 135  # steps; all avatars turn once in so many, not all at once
STEP = 1 / 45


class Scene(NamedTuple):
    name: str
    bodies: int
    build: Callable[[Engine], None]
    seconds: float  # of world time that ours runs
    limit: float | None = None  # milliseconds of our worst second, or of a step once asleep
    settled: bool = False  # measured after it ran, not while it does
    avatars: int = 0  # that walk about


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
        world.add(
            BodySpec(sizes[k % 200], (*rng.uniform(2, 254, 2), rng.uniform(0, 8)), tuple(turn / np.linalg.norm(turn)))
        )


def scattered(world: Engine, count: int, low: float, high: float) -> None:
    rng = np.random.default_rng(2)
    for _ in range(count):
        world.add(
            BodySpec(
                box(0.5, 0.5, 0.5),
                (*rng.uniform(10, 246, 2), rng.uniform(low, high)),
                kind=Kind.DYNAMIC,
                restitution=0.0,
            )
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
    scattered(world, 1000, 8.2, 10)


class Walkers:
    """People who walk straight on and now and then another way, as `bench.agents`' bots do."""

    def __init__(self, count: int) -> None:
        self._random = np.random.default_rng(4)
        self.rows = np.zeros(count, AVATAR_DTYPE)
        self.rows["active"], self.rows["height"], self.rows["controls"] = 1, 1.9, WALK
        places = self._random.uniform(16, 240, (count, 2))
        self.rows["position"] = np.column_stack([places, np.full(count, 1.0)])
        self._turn(np.arange(count))

    def before(self, step: int) -> None:
        """Who turns before this step, turns: towards the middle, more or less, so that nobody stands at the border."""
        self._turn(np.arange(step % TURN, len(self.rows), TURN))

    def _turn(self, who: np.ndarray) -> None:
        x, y, _ = self.rows["position"][who].T
        yaw = np.arctan2(128 - y, 128 - x) + self._random.uniform(-2.2, 2.2, len(who))
        self.rows["rotation"][who] = np.column_stack([0 * yaw, 0 * yaw, np.sin(yaw / 2), np.cos(yaw / 2)])


class Stopwatch:
    """The PyBullet module, with the time its steps take."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self.spent: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def stepSimulation(self, **where: int) -> None:
        before = time.thread_time()
        self._module.stepSimulation(**where)
        self.spent.append(1e3 * (time.thread_time() - before))


def started(kind: str, scene: Scene) -> tuple[Engine, float]:
    """An engine with the scene in it, and the microseconds that a body took to add."""
    world = create(kind)
    world.set_terrain(np.zeros((257, 257), np.float32))
    before = time.thread_time()
    scene.build(world)
    return world, 1e6 * (time.thread_time() - before) / max(scene.bodies, 1)


def steps(world: Engine, seconds: float, avatars: int = 0, budget: float = 1e9) -> tuple[list[float], float | None]:
    """Milliseconds of each step, with so many walking avatars, until `seconds` of world time or the budget of processor seconds are over, and after how
    many seconds all slept."""
    spent: list[float] = []
    asleep = None
    total = 0.0
    walkers = Walkers(avatars)
    for k in range(round(seconds / STEP)):
        walkers.before(k)
        before = time.thread_time()
        world.step(STEP, walkers.rows)
        spent.append(1e3 * (time.thread_time() - before))
        total += spent[-1] / 1e3
        if asleep is None and not world.awake.any():
            asleep = round((k + 1) * STEP, 1)
        if total > budget:
            break
    return spent, asleep


def ours(scene: Scene) -> tuple[list[float], dict[str, Any]]:
    world, added = started("numba", scene)
    spent, asleep = steps(world, scene.seconds, scene.avatars)
    if scene.settled:
        spent, _ = steps(world, 1.0)
    seconds = [float(np.median(spent[at : at + 45])) for at in range(0, max(len(spent) - 44, 1), 5)]  # they overlap
    worst = max(seconds)
    return spent, {
        "worst ms": round(worst, 3), "% of core": round(worst / 10 / STEP, 2), "asleep s": asleep, "limit ms": scene.limit,
        "add us": round(added, 1),
    }  # fmt: skip


def theirs(scene: Scene, budget: float) -> tuple[list[float], list[float]]:
    """Milliseconds of each step as a region would pay for it, and of Bullet's own part."""
    world, _ = started("bullet", scene)
    watch = Stopwatch(world._bullet)  # type: ignore[attr-defined]
    world._bullet = watch  # type: ignore[attr-defined]
    spent, _ = steps(world, scene.seconds, scene.avatars, budget)
    world.close()  # type: ignore[attr-defined]
    return spent, watch.spent


def main() -> None:
    options = arguments(__doc__, bullet=1, budget=8.0, only="")
    scenes = [
        Scene("piling", 1000, lambda w: stacks(w, 1000), 2.0, 2.22),
        Scene("piling", 3000, lambda w: stacks(w, 3000), 2.0, 22.2),
        Scene("stacks", 5000, lambda w: stacks(w, 5000, high=0.26, apart=0.505), 8.0, 1.0, settled=True),
        Scene("resting statics", 30000, lambda w: statics(w, 30000), 1.0, 0.3),
        Scene("1,000 awake on 30,000 statics", 31000, crowded, 2.0),
        Scene("scattered", 10000, lambda w: scattered(w, 10000, 0.3, 0.8), 2.5, 22.2),
        Scene("beside avatars", 0, lambda w: None, 3.0, avatars=1000),
        Scene("beside avatars", 3000, lambda w: stacks(w, 3000, spacing=8.5), 3.0, 22.2, avatars=1000),
        Scene("mixed heap", 500, lambda w: mixed(w, 500), 20.0),
        Scene("mixed heap", 1000, lambda w: mixed(w, 1000), 20.0),
        Scene("mixed heap", 2000, lambda w: mixed(w, 2000), 20.0, 22.2),
    ]
    rows = []
    for scene in scenes:
        if options.only not in scene.name:
            continue
        spent, figures = ours(scene)
        row: dict[str, Any] = {"scene": scene.name, "bodies": scene.bodies, "avatars": scene.avatars, **figures}
        if options.bullet:
            other, alone = theirs(scene, options.budget)
            half = len(other) // 2
            # Settled scenes are compared as they are: ours asleep, Bullet after as many steps as its budget allowed.
            same = spent if scene.settled else spent[half : len(other)]
            a, b = float(np.median(same)), float(np.median(other[half:]))
            row |= {
                "bullet steps": len(other), "bullet ms": round(b, 2), "step alone": round(float(np.median(alone[half:])), 2) if alone else None,
                "ours ms": round(a, 3), "ratio": round(b / max(a, 1e-3), 1),
            }  # fmt: skip
        rows.append(told(row))
    show("physics: bodies", rows, options.json)


if __name__ == "__main__":
    main()
