"""The gap a viewer sees when its avatar walks over a border. `python -m bench.crossing`

One viewer walks to and fro over the border of two regions; each crossing is timed by the client library: from the last
update of its avatar by the old region to the first by the new one. Updates of a walking avatar come every 0.2 s at the
latest even with no border, which is the limit in the same run: the gap between two updates inside a region.
"""

from __future__ import annotations

import asyncio
from typing import Any

import viewer
from bench.kit import BenchGrid, arguments, milliseconds, running_grid, show


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


def main() -> None:
    given = arguments(__doc__, crossings=30)
    with running_grid("2x1") as grid:
        grid.add_users("Walker", 1, "walker")
        result = asyncio.run(walk(grid, given.crossings))
    rows = [{"phase": name, **milliseconds(values)} for name, values in result["phases"].items()]
    largest = max((jump for jump in result["jumps"] if jump is not None), default=None)
    show("crossing", rows, given.json, largest_jump_m=largest)


if __name__ == "__main__":
    main()
