"""A region that cannot keep up: 30 ms of work in every world step. `python -m bench.overload`

The limit in the same run: 45 frames a second, and 1000 / 30 world steps a second, which is all the steps that fit. The
region runs on the system's clock in this process; the extra work is a loop that burns processor time in the step.
`--scene` adds a file of `bench/scenes/`, such as heap_2000, whose own work comes on top.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.kit import arguments, show
from sim.clock import SystemClock
from sim.scenes import NO_SCENE, place
from sim.scenes import load as load_scene
from tests.kit.world import close_sim, make_sim

SCENES = Path(__file__).parent / "scenes"


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def measure(load: float, seconds: float, scene: str) -> list[dict[str, Any]]:
    clock = SystemClock()
    sim = make_sim(clock=clock)
    furniture = load_scene(str(SCENES / f"{scene}.toml") if scene != NO_SCENE else NO_SCENE)
    if furniture is not None:
        place(sim.region, sim.scripts, furniture)
    plain: Callable[[], None] = sim.frame.step
    running = asyncio.create_task(sim.frame.run())

    def row(phase: str, before: tuple[float, float, float, float]) -> dict[str, Any]:
        span = clock.now() - before[0]
        return {
            "phase": phase,
            "frames/s": round((sim.metrics.plain["frames"] - before[1]) / span, 2),
            "steps/s": round((sim.metrics.plain["steps"] - before[2]) / span, 2),
            "world time / real time": round((sim.world.time - before[3]) / span, 4),
            "dilation told": round(sim.world.dilation, 4),
        }

    def mark() -> tuple[float, float, float, float]:
        return clock.now(), sim.metrics.plain["frames"], sim.metrics.plain["steps"], sim.world.time

    rows = []
    with sim.rest.held():  # nobody is here, but every frame is to be run
        await asyncio.sleep(2)
        before = mark()
        await asyncio.sleep(seconds)
        rows.append(row("no load", before))

        def loaded() -> None:
            plain()
            burn(load)

        sim.frame.step = loaded  # type: ignore[method-assign]
        await asyncio.sleep(2)
        before = mark()
        await asyncio.sleep(seconds)
        rows.append(row(f"{load * 1e3:.0f} ms a step", before))
        sim.frame.step = plain  # type: ignore[method-assign]
        ended = clock.now()
        while sim.world.dilation < 0.98 and clock.now() - ended < 10:
            await asyncio.sleep(0.01)
        rows.append({"phase": f"back at 0.98 after {clock.now() - ended:.2f} s"})
    sim.frame.stop()
    await running
    close_sim(sim)
    return rows


def main() -> None:
    given = arguments(__doc__, load_ms=30.0, seconds=8.0, scene=NO_SCENE)
    rows = asyncio.run(measure(given.load_ms / 1000, given.seconds, given.scene))
    show("overload", rows, given.json, limit_steps_per_second=round(1000 / given.load_ms, 1))


if __name__ == "__main__":
    main()
