"""How long from `mainland up` to the first login, and what an idle grid costs. `python -m bench.grid_start [--json]`

Set-up (packages, compiled kernels) is done before: a first start is made and thrown away. Each round then starts a grid
of 1x1 and one of 2x2 regions in a fresh folder, logs in with the client library as the first ready-made account, lets
the empty grid idle and reads memory (PSS) and CPU of every process. "One more region" is the difference between
the two sizes over three regions. Beside it, measured in the same run: an interpreter that does nothing but import what
a sim imports, the floor under any start.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

import viewer
from bench.kit import end_on_term, mainland, told

Row = dict[str, Any]


async def first_login(facts: Row) -> None:
    account = facts["accounts"][0]
    async with viewer.login(facts["login_uri"], account["first"], account["last"], account["password"]):
        pass


def measure(size: str, idle_seconds: float) -> Row:
    """One grid from nothing to its end: seconds to accepted logins and to the first one done, MB and % by role."""
    with tempfile.TemporaryDirectory() as data:
        began = time.perf_counter()
        try:
            facts = json.loads(
                mainland("up", "--detach", "--json", "--regions", size, "--scene", "none", "--http-port", "0", "--data", data)
            )
            accepted = time.perf_counter() - began
            asyncio.run(first_login(facts))
            logged_in = time.perf_counter() - began
            time.sleep(20)  # past the start, when regions look round for each other twice a second
            found = json.loads(mainland("status", "--json", "--data", data))
            alive = {p["name"]: (p["role"], psutil.Process(p["pid"])) for p in found["processes"]}
            before, clock = {n: sum(p.cpu_times()[:2]) for n, (_, p) in alive.items()}, time.perf_counter()
            time.sleep(idle_seconds)
            elapsed = time.perf_counter() - clock
            cpu = {n: 100 * (sum(p.cpu_times()[:2]) - before[n]) / elapsed for n, (_, p) in alive.items()}
            pss = {n: p.memory_full_info().pss / 1e6 for n, (_, p) in alive.items()}
        finally:
            mainland("down", "--data", data)
    regions = [name for name, (role, _) in alive.items() if role == "region"]
    return {
        "accepted_s": accepted,
        "first_login_s": logged_in,
        "grid_pss_mb": sum(pss.values()),
        "grid_cpu_percent": sum(cpu.values()),
        "region_pss_mb": statistics.mean(pss[name] for name in regions),
        "region_cpu_percent": statistics.mean(cpu[name] for name in regions),
        **{f"{name}_pss_mb": pss[name] for name in ("supervisor", "backbone", "assets", "sims")},
        **{f"{name}_cpu_percent": cpu[name] for name in ("supervisor", "backbone", "assets", "sims")},
    }


def floor() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import sim.host"], check=True, cwd=Path(__file__).parents[1])
    return time.perf_counter() - began


def medians(rows: list[Row]) -> Row:
    return {key: round(statistics.median(row[key] for row in rows), 2) for key in rows[0]}


def run(rounds: int, idle_seconds: float) -> Row:
    measure("1x1", 0.1)
    small, large, floors = [], [], []
    for _ in range(rounds):
        floors.append(floor())
        small.append(told(measure("1x1", idle_seconds)))
        large.append(told(measure("2x2", idle_seconds)))
    one, four = medians(small), medians(large)
    return {
        "rounds": rounds,
        "idle_seconds": idle_seconds,
        "import_floor_s": round(statistics.median(floors), 2),
        "1x1": one,
        "2x2": four,
        "one_more_region": {
            "pss_mb": round((four["grid_pss_mb"] - one["grid_pss_mb"]) / 3, 1),
            "cpu_percent": round((four["grid_cpu_percent"] - one["grid_cpu_percent"]) / 3, 2),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle-seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    end_on_term()
    result = run(given.rounds, given.idle_seconds)
    if given.json:
        print(json.dumps(result))
        return
    print(f"median of {result['rounds']} rounds; idle over {result['idle_seconds']:g} s; CPU in % of one core")
    print(f"importing what a sim imports: {result['import_floor_s']} s\n")
    print(f"{'':24}{'1x1':>10}{'2x2':>10}")
    for key, value in result["1x1"].items():
        print(f"{key:24}{value:>10}{result['2x2'][key]:>10}")
    more = result["one_more_region"]
    print(f"\none more region: {more['pss_mb']} MB PSS, {more['cpu_percent']} % of a core")


if __name__ == "__main__":
    main()
