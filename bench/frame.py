"""Frames a second and how late they start, in a region with nobody and with walking bots. `python -m bench.frame`

The bots run in another process on the same machine and keep walking and chatting. Figures of the last minute at most,
as the region itself measures them. The limit in the same run: 45 frames a second, on time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import psutil

from bench.kit import BenchGrid, arguments, running_grid, show, told


def watch(grid: BenchGrid, bots: int, seconds: float) -> dict[str, Any]:
    name = grid.status()["regions"][0]["name"]
    pid = next(process["pid"] for process in grid.status()["processes"] if process["name"] == name)
    crowd = None
    if bots:
        grid.add_users("Walker", bots, "walker")
        command = [sys.executable, "-m", "viewer.bots", grid.login_uri, "--count", str(bots), "--seconds", str(seconds + 30)]
        crowd = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while grid.region(name)["agents"] < bots and time.monotonic() < deadline:
            time.sleep(0.5)
        time.sleep(10)  # arrivals cost more than walking
    process = psutil.Process(pid)
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(seconds)
    cpu = 100 * (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)
    figures = grid.region(name)
    row = {
        "bots": figures["agents"],
        "frames/s": figures["fps"],
        "dilation": figures["dilation"],
        "frame p50 ms": figures["frame_ms"]["p50"],
        "frame p99 ms": figures["frame_ms"]["p99"],
        "late p50 ms": figures["late_ms"]["p50"],
        "late p99 ms": figures["late_ms"]["p99"],
        "late max ms": figures["late_ms"]["max"],
        "core %": round(cpu, 2),
        "PSS MB": round(process.memory_full_info().pss / 1e6, 1),
    }
    if crowd is not None:
        crowd.terminate()
        report, _ = crowd.communicate(timeout=60)
        try:
            row["seen p50 ms"] = json.loads(report)["move_to_seen_ms"]["p50"]
        except (ValueError, KeyError):
            row["seen p50 ms"] = None
    else:
        row["seen p50 ms"] = None
    return row


def main() -> None:
    given = arguments(__doc__, bots=50, seconds=60.0)
    rows = []
    for bots in (0, given.bots):
        with running_grid("1x1") as grid:
            if not bots:
                time.sleep(20)  # past the start
            rows.append(told(watch(grid, bots, given.seconds)))
    show("frame", rows, given.json)


if __name__ == "__main__":
    main()
