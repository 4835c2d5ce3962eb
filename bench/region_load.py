"""How a viewer comes to see a full region: first visit, and again with its cache. `python -m bench.region_load`

Our viewer library logs in to a region of 30,000 prims (`bench/scenes/prims_30000.toml`) of a real grid, waits until it knows
every prim, and comes again with what it remembers. Beside it the limit: what the line takes for the same bytes. Seconds
run from the login's first byte, packets and bytes are those of the region's circuit. Then the region is killed: the time until
it stands again with all its prims, the host's pause of half a second before it tries included, and until somebody is in; the
same of as many prims of which no two are of one size, of linksets of twenty such, and of prims of which no two are of one form.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import viewer
from bench.kit import BenchGrid, arguments, running_grid, show, told

SCENES = Path(__file__).parent / "scenes"
TASK_SHARE = 0.35  # of a viewer's bandwidth, for objects (AgentThrottle)


@dataclass
class Visitor:
    """One person on one line, with a cache."""

    grid: BenchGrid
    first: str
    megabits: float
    cache: viewer.ObjectCache

    async def visit(self, what: str, prims: int) -> dict[str, Any]:
        habits = viewer.Habits(throttle=self.megabits * 1e6)
        self.cache.hits = self.cache.misses = 0
        before = self.grid.region("Harbour")
        began = time.perf_counter()
        visit = viewer.login(self.grid.login_uri, self.first, "Loader", "loader", habits=habits, cache=self.cache)
        async with visit as me:
            region, stats = me.root, me.root.circuit.stats
            deadline = time.perf_counter() + 300
            while self.known(region) < prims and time.perf_counter() < deadline:
                await asyncio.sleep(0.02)
            seconds = time.perf_counter() - began
            after = self.grid.region("Harbour")
            return {
                "visit": what,
                "line Mbit/s": self.megabits,
                "prims known": self.known(region),
                "seconds": round(seconds, 2),
                "packets": stats.packets_in,
                "kB": round(stats.bytes_in / 1e3),
                "bytes a prim": round(stats.bytes_in / max(self.known(region), 1), 1),
                "line takes s": round(stats.bytes_in * 8 / (self.megabits * 1e6 * TASK_SHARE), 2),
                "from cache": self.cache.hits,
                "asked for": self.cache.misses,
                "frame p99 ms": after["frame_ms"]["p99"],
                "frame max ms": max(after["frame_ms"]["max"], before["frame_ms"]["max"]),
            }

    @staticmethod
    def known(region: viewer.Region) -> int:
        return sum(not entity.is_avatar for entity in region.entities.values())


def killed(grid: BenchGrid, prims: int) -> dict[str, float]:
    """Seconds from a region's death to its next answer, and to the next login done."""
    grid.add_user("Next", "Loader", "loader")
    part = next(process for process in grid.status()["processes"] if process["name"] == "Harbour")
    os.kill(part["pid"], signal.SIGKILL)
    died = time.perf_counter()
    while time.perf_counter() - died < 60:
        try:
            if grid.figures(part["port"])["prims"] == prims:
                break
        except OSError:
            time.sleep(0.01)
    stands = time.perf_counter() - died

    async def come() -> float:
        while True:  # until its neighbours' directory has it again
            try:
                async with viewer.login(grid.login_uri, "Next", "Loader", "loader"):
                    return time.perf_counter() - died
            except viewer.ViewerError:
                if time.perf_counter() - died > 60:
                    raise
                await asyncio.sleep(0.05)

    return {"stands again after s": round(stands, 2), "first login after s": round(asyncio.run(come()), 2)}


def unlike(kind: str, count: int) -> dict[str, Any]:
    """A scene of so many prims of the usual eight forms: of `sizes` that are all different, in `linksets`, or whose `forms`
    differ, too."""
    draw = random.Random(7)
    things: list[dict[str, Any]] = []
    for n in range(count):
        size = [round(draw.uniform(0.2, 1.5), 4) for _ in range(3)]
        prim = [
            {},
            {"twist": [0, draw.uniform(5, 180)]} if kind == "forms" else {"hollow": 30},
            {"shape": "cylinder"},
            {"shape": "sphere", "cut": [draw.uniform(0, 0.4), draw.uniform(0.6, 1)]} if kind == "forms" else {"shape": "sphere"},
            {"shape": "prism", "shear": [draw.uniform(-0.5, 0.5), 0]} if kind == "forms" else {"shape": "prism"},
            {"hollow": draw.uniform(5, 90) if kind == "forms" else 80},
            {"taper": [draw.uniform(0, 1), draw.uniform(0, 1)] if kind == "forms" else [1, 1]},
            {"shape": "torus", "hole_size": [1, draw.uniform(0.05, 0.5)]} if kind == "forms" else {"twist": [0, 90]},
        ][n % 8]
        things.append({**prim, "size": size, "position": [n % 100 * 2.4 + 6, n // 100 % 50 * 4.8 + 6, 50 + 6 * (n // 5000)]})
    if kind != "linksets":
        return {"prim": things}
    sets = [things[first : first + 20] for first in range(0, count, 20)]
    for parts in sets:
        for n, part in enumerate(parts):
            part["position"] = [n % 5 * 1.5, n // 5 * 1.5, 0]
    return {"linkset": [{"position": [k % 38 * 6 + 6, k // 38 * 6 + 6, 50], "prim": parts} for k, parts in enumerate(sets)]}


def main() -> None:
    given = arguments(__doc__, scene=str(SCENES / "prims_30000.toml"), lines="1.5,20", unlike="sizes,linksets,forms")
    rows = []
    with running_grid("1x1", given.scene) as grid:
        prims = grid.region("Harbour")["prims"]
        for number, line in enumerate(given.lines.split(",") if given.lines else ()):
            first = f"Line{number}"
            grid.add_user(first, "Loader", "loader")
            visitor = Visitor(grid, first, float(line), viewer.ObjectCache())
            for what in ("first", "again"):
                rows.append(told(asyncio.run(visitor.visit(what, prims))))
        again = {"killed": killed(grid, prims)}
    with tempfile.TemporaryDirectory() as folder:
        for kind in given.unlike.split(",") if given.unlike else ():
            scene = Path(folder) / f"{kind}.json"
            scene.write_text(json.dumps(unlike(kind, prims)))
            with running_grid("1x1", str(scene)) as grid:
                again[f"killed, no two {kind} alike"] = killed(grid, prims)
    show("region load", rows, given.json, **again)


if __name__ == "__main__":
    main()
