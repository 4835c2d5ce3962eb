"""How a viewer comes to see a full region: first visit, and again with its cache. `python -m bench.region_load`

Our viewer library logs in to a region of 30,000 prims (`bench/scenes/prims_30000.toml`) of a real grid, waits until it knows
every prim, and comes again with what it remembers. Beside it the limit: what the line takes for the same bytes. Seconds
run from the first packet of the region's handshake, packets and bytes are those of the region's circuit.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import viewer
from bench.kit import BenchGrid, arguments, running_grid, show

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


def main() -> None:
    given = arguments(__doc__, scene=str(SCENES / "prims_30000.toml"), lines="1.5,20")
    rows = []
    with running_grid("1x1", given.scene) as grid:
        prims = grid.region("Harbour")["prims"]
        for number, line in enumerate(given.lines.split(",")):
            first = f"Line{number}"
            grid.add_user(first, "Loader", "loader")
            visitor = Visitor(grid, first, float(line), viewer.ObjectCache())
            for what in ("first", "again"):
                rows.append(asyncio.run(visitor.visit(what, prims)))
    show("region load", rows, given.json)


if __name__ == "__main__":
    main()
