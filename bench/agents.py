"""How many moving people a region carries on one core. `python -m bench.agents --json`

A fresh 1 x 1 grid for each crowd; the region is held to one core and the crowd, in its own process, to another, where
there are two. Bots walk and fly about, turn every three seconds, chat and send ten AgentUpdates a second; they start at
random spots. What is measured begins when nearly everybody has been shown nearly everybody. Figures of the region are its own,
over the time that is measured; those of the bots are what arrived.

The limits in the same run: 45 frames a second, 22.2 ms a frame. Second Life's own limit is 100 agents a region.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import subprocess
import sys
import time
import urllib.request
from typing import Any

import psutil

from bench.kit import BenchGrid, arguments, running_grid, show, told

COUNTERS = ("packets_in", "packets_out", "bytes_in", "bytes_out", "agent_updates", "frames", "steps", "resends")


def counters(grid: BenchGrid, port: int) -> dict[str, float]:
    """A region's counters and the seconds its stages took: GET /metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
        text = reply.read().decode()
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, _, value = line.rpartition(" ")
        short = name.removeprefix("mainland_sim_").split("{")[0].removesuffix("_total")
        if short == "stage_seconds":
            found["stage " + name.split('stage="')[1].split('"')[0]] = float(value)
        elif short in COUNTERS:
            found[short] = found.get(short, 0.0) + float(value)
    return found


def pin(pid: int, core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.sched_setaffinity(pid, {cores[core % len(cores)]})


def measure(count: int, seconds: float, rate: float) -> dict[str, Any]:
    with running_grid("1x1") as grid:
        status = grid.status()
        name = status["regions"][0]["name"]
        process = next(entry for entry in status["processes"] if entry["name"] == name)
        region = psutil.Process(process["pid"])
        asyncio.run(accounts(grid, count))
        pin(region.pid, 0)
        options = {"count": count, "seconds": seconds + 4, "region": name, "rate": rate, "acquaint": 120}
        arguments = [part for key, value in options.items() for part in (f"--{key}", str(value))]
        crowd = subprocess.Popen(
            [sys.executable, "-m", "viewer.crowd", grid.login_uri, *arguments, "--announce"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        pin(crowd.pid, 1)
        assert crowd.stdout is not None
        worst = arrivals(grid, name, crowd)
        time.sleep(2)
        before, cpu, began = counters(grid, process["port"]), sum(region.cpu_times()[:2]), time.monotonic()
        dilations = []
        while time.monotonic() - began < seconds:
            time.sleep(0.5)
            dilations.append(grid.figures(process["port"])["dilation"])
        elapsed = time.monotonic() - began
        core = 100 * (sum(region.cpu_times()[:2]) - cpu) / elapsed
        after, figures = counters(grid, process["port"]), grid.figures(process["port"], last=seconds)
        report = json.loads(crowd.stdout.read())
        crowd.wait(timeout=60)
        rates = {key: (after[key] - before.get(key, 0.0)) / elapsed for key in after}
        stages = {
            key[6:]: value * 1000 / max(rates["frames"], 1) for key, value in rates.items() if key[:6] == "stage "
        }
        seen, near = report["move_to_seen_ms"], report["near_move_to_seen_ms"]
        return {
            "agents": count,
            "frames/s": round(rates["frames"], 2),
            "dilation": min(dilations),
            "frame p50 ms": figures["frame_ms"]["p50"],
            "frame p99 ms": figures["frame_ms"]["p99"],
            "core %": round(core, 1),
            "core % an agent": round(core / count, 4),
            "in /s": round(rates["packets_in"]),
            "out /s": round(rates["packets_out"]),
            "out MB/s": round(rates["bytes_out"] / 1e6, 2),
            "updates/s": report["updates_per_second"],
            "seen p50 ms": seen["p50"],
            "seen p99 ms": seen["p99"],
            "near p50 ms": near["p50"],
            "near p99 ms": near["p99"],
            "unseen %": round(100 * report["unseen"], 3),
            "lost %": round(100 * report["loss"], 4),
            "arrival s": round(report["arriving_seconds"], 1),
            "all known s": round(report["acquainting_seconds"], 1),
            "known %": round(100 * report["acquainted"], 1),
            "arrival dilation": worst,
            "MB": round(region.memory_info().rss / 1e6),
            "bots' core %": round(100 * report["cpu_of_bots"], 1),
            "stages ms": {key: round(value, 2) for key, value in sorted(stages.items())},
        }


def arrivals(grid: BenchGrid, name: str, crowd: subprocess.Popen[str]) -> float:
    """Wait until all have come; the least dilation meanwhile."""
    port = next(entry["port"] for entry in grid.status()["processes"] if entry["name"] == name)
    worst = 1.0
    assert crowd.stderr is not None
    while not select.select([crowd.stderr], [], [], 0.25)[0]:
        worst = min(worst, grid.figures(port)["dilation"])
    said = crowd.stderr.readline()
    if not said.endswith(" in\n"):
        raise SystemExit(f"the crowd ended before it was in: {said}{crowd.stderr.read()}")
    return worst


async def accounts(grid: BenchGrid, count: int) -> None:
    """Accounts `Walker 1` and so on, some at a time."""
    gate = asyncio.Semaphore(4)

    async def add(number: int) -> None:
        async with gate:
            await asyncio.to_thread(grid.add_user, "Walker", str(number), "walker")

    await asyncio.gather(*(add(number) for number in range(1, count + 1)))


def main() -> None:
    given = arguments(__doc__, agents="100,250,500,1000", seconds=15.0, rate=1.5e6)
    rows = [told(measure(int(count), given.seconds, given.rate)) for count in given.agents.split(",")]
    stages = {row["agents"]: row.pop("stages ms") for row in rows}
    show("agents", rows, given.json, **{"stages, ms a frame": stages})


if __name__ == "__main__":
    main()
