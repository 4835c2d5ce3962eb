"""The gap a viewer sees when its avatar walks over a border, or rides over it. `python -m bench.crossing`

One viewer walks to and fro over the border of two regions; each crossing is timed by the client library: from the last
update of its avatar by the old region to the first by the new one. Updates of a walking avatar come every 0.2 s at the
latest even with no border, which is the limit in the same run: the gap between two updates inside a region.

Then it sits on a linkset, without scripts and with a hundred that have timers, and that goes over the border with it: from
the last update of either by the old region to the first of the avatar by the new one.

At last many cross at once over lines that lose datagrams: how many come through, none doubled, none lost
(`crossing_lossy.py`; `--losses ""` leaves it out).
"""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import viewer
from bench.crossing_lossy import LOSSES, RIDERS, WALKERS, lossy
from bench.kit import BenchGrid, arguments, milliseconds, running_grid, show

TIMER = "integer n; default { state_entry() { llSetTimerEvent(0.2); } timer() { ++n; } }"


async def walk(grid: BenchGrid, crossings: int) -> dict[str, Any]:
    regions = {region["name"]: region for region in grid.status()["regions"]}
    first = next(iter(regions))
    async with viewer.login(grid.login_uri, "Walker", "1", "walker", start=f"uri:{first}&250&128&30") as me:
        me.run(True)
        corner = me.root.grid_x
        jumps = []
        for number in range(crossings):
            target = (262.0, 128.0) if me.root.grid_x == corner else (-6.0, 128.0)
            await asyncio.wait_for(me.walk_to(target), 60)
            jumps.append(me.crossings[-1].jump)
            if len(me.crossings) != number + 1:
                raise RuntimeError(f"{len(me.crossings)} crossings after {number + 1} walks over the border")
        done = list(me.crossings)
    phases = {
        "gap seen by the viewer": [one.first_seen_after - one.last_seen_before for one in done],
        "told to answered": [one.answered - one.told for one in done],
        "told to arrival confirmed": [one.completed - one.told for one in done],
    }
    return {"phases": phases, "jumps": jumps}


async def ride(grid: BenchGrid, crossings: int, name: str) -> dict[str, Any]:
    """To and fro on a thing of the scene, which the rider itself drags."""
    first = next(region["name"] for region in grid.status()["regions"])
    async with viewer.login(grid.login_uri, "Walker", "1", "walker", start=f"uri:{first}&250&128&30") as me:
        await until(lambda: me.root.land_received == 1.0 and len(me.regions) == 2 and all(r.handshaken for r in me.regions.values()))
        seat = max((e for e in me.root.entities.values() if not e.is_avatar and not e.parent_id), key=lambda e: e.scale[0])
        await until(lambda: math.dist(me.position, seat.position) < 9)
        await me.sit_on(seat.id)
        height = seat.position[2]
        for number in range(crossings):
            moved = me.find(seat.id)
            assert moved is not None
            me.building.drag(moved, (258.0 if number % 2 == 0 else -2.0, 128.0, height))
            await until(lambda done=number: len(me.crossings) == done + 1)  # type: ignore[misc]
            if me.seat is None or me.seat.id != seat.id:
                raise RuntimeError(f"not seated any more after crossing {number + 1}")
            await asyncio.sleep(0.5)  # the event queue is polled again
        done = list(me.crossings)
        await me.stand()
    return {f"gap, riding {name}": [one.first_seen_after - one.last_seen_before for one in done]}


async def until(condition: Callable[[], bool], limit: float = 30.0) -> None:
    end = asyncio.get_running_loop().time() + limit
    while not condition():
        if asyncio.get_running_loop().time() > end:
            raise TimeoutError("the world did not become as the benchmark needs it")
        await asyncio.sleep(0.01)


def seats(folder: Path, scripts: int) -> str:
    """A scene with one thing to sit on, of as many prims with a script each; the root is the largest."""
    (folder / "timer.lsl").write_text(TIMER)
    script = 'script = "timer.lsl"' if scripts else ""
    prims = [f"[[linkset.prim]]\nsize = [2, 2, 0.5]\n{script}"]
    prims += [
        f"[[linkset.prim]]\nsize = [0.1, 0.1, 0.1]\nposition = [{0.2 * (n % 10) - 0.9}, {0.2 * (n // 10) - 0.9}, -0.2]\n{script}"
        for n in range(max(scripts - 1, 1))
    ]
    thing = '[[linkset]]\nname = "Seat"\nposition = [252, 128, 0.3]\non_ground = true\neveryone = ["move"]\n'
    file = folder / f"seat{scripts}.toml"
    file.write_text(thing + "\n".join(prims))
    return str(file)


def main() -> None:
    given = arguments(__doc__, crossings=30, scripts=100, losses=LOSSES, lossy_crossings=120)
    with running_grid("2x1") as grid:
        grid.add_users("Walker", 1, "walker")
        result = asyncio.run(walk(grid, given.crossings))
    phases = result["phases"]
    for scripts in (0, given.scripts):
        with tempfile.TemporaryDirectory() as folder, running_grid("2x1", seats(Path(folder), scripts)) as grid:
            grid.add_users("Walker", 1, "walker")
            name = f"a linkset with {scripts} scripts" if scripts else "two prims"
            phases |= asyncio.run(ride(grid, given.crossings, name))
    rows = [{"phase": name, **milliseconds(values)} for name, values in phases.items()]
    largest = max((jump for jump in result["jumps"] if jump is not None), default=None)
    bad = lossy(given.losses, WALKERS, RIDERS, given.lossy_crossings) if given.losses else []
    if given.json:
        show("crossing", rows, True, largest_jump_on_foot_m=largest, bad_network=bad)
    else:
        show("crossing", rows, False, largest_jump_on_foot_m=largest)
        show("crossings over a bad network", bad, False)


if __name__ == "__main__":
    main()
