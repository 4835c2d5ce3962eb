"""How long a login takes, from the XML-RPC call to standing in the world with the land complete. `python -m bench.login`

Each account logs in for the first time and once more. Beside it in the same run, the limit: the slow password hash that
every login has to pay.
"""

from __future__ import annotations

import asyncio
import time

import viewer
from backbone.passwords import digest, make_verifier, verify
from bench.kit import BenchGrid, arguments, milliseconds, running_grid, show


async def logins(grid: BenchGrid, count: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"in the world": [], "land complete": []}
    for number in list(range(1, count + 1)) * 2:
        began = time.perf_counter()
        async with viewer.login(grid.login_uri, "Walker", str(number), "walker") as me:
            times["in the world"].append(time.perf_counter() - began)
            while me.root.land_received < 1.0:
                await asyncio.sleep(0.005)
            times["land complete"].append(time.perf_counter() - began)
    return times


def main() -> None:
    given = arguments(__doc__, count=10)
    with running_grid("2x2") as grid:
        grid.add_users("Walker", given.count, "walker")
        times = asyncio.run(logins(grid, given.count))
    verifier = make_verifier("walker")
    hashes = []
    for _ in range(20):
        began = time.perf_counter()
        if not verify(verifier, digest("walker")):
            raise RuntimeError("a right password was refused")
        hashes.append(time.perf_counter() - began)
    times["limit: the password's hash alone"] = hashes
    rows = [{"until": name, **milliseconds(values)} for name, values in times.items()]
    show("login", rows, given.json)


if __name__ == "__main__":
    main()
