"""Look into a grid from outside: which processes, what they cost, who is in the regions."""

import asyncio
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from grid import processes, web
from grid.layout import Layout
from grid.lock import holder
from grid.up import read_status

_SAMPLE = 0.5
"""Seconds over which the share of a core is measured."""


def running(layout: Layout) -> dict[str, Any] | None:
    """The status file of a grid that runs now, None when none does. The lock decides, not the file."""
    pid = holder(layout.lock) if layout.run.exists() else None
    if pid is None:
        return None
    return read_status(layout) or {"pid": pid, "state": "starting", "processes": []}


def collect(layout: Layout) -> dict[str, Any]:
    """Everything `mainland status` shows, as plain data:

    {running, data, others, state, name, login_uri, since,
     processes: [{name, role, pid, port, state, health, restarts, pss_bytes, cpu_percent}],
     regions: [{name, port, state, health, agents, fps, made_up, dilation, prims, scripts}]}

    cpu_percent is of one core; pss_bytes counts memory shared between processes in equal parts, so the sum is what the
    grid costs. Figures that can't be had are null.
    """
    found = running(layout)
    if found is None:
        return {"running": False, "data": str(layout.root), "others": others(layout)}
    parts = [*found["processes"], _supervisor(found)]
    measured = _measure(parts)
    regions = [part for part in parts if part["role"] == "region"]
    inside = asyncio.run(_ask_regions(regions, found.get("inner", "127.0.0.1"), layout.read_secret()))
    return {
        "running": True,
        "data": str(layout.root),
        "others": others(layout),
        "state": found["state"],
        "name": found.get("name"),
        "login_uri": found.get("login_uri"),
        "since": found.get("since"),
        "processes": [
            {key: part[key] for key in ("name", "role", "pid", "port", "state", "health", "restarts")} | figures
            for part, figures in zip(parts, measured, strict=True)
        ],
        "regions": [
            {key: part[key] for key in ("name", "port", "state", "health")} | answer
            for part, answer in zip(regions, inside, strict=True)
        ],
    }


def others(layout: Layout) -> list[str]:
    """Folders of grids of this user's that run beside this one. Their sim hosts are told the file of their regions."""
    found = set()
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if "sim" in line and "--config" in line[:-1]:
            config = Path(line[line.index("--config") + 1])
            if config.name == layout.sims.name and config.parent.name == layout.run.name:
                found.add(config.parent.parent)
    return sorted(str(folder) for folder in found - {layout.root})


def _supervisor(found: dict[str, Any]) -> dict[str, Any]:
    pid = found["pid"]
    born = processes.create_time(pid)
    return {"name": "supervisor", "role": "supervisor", "pid": pid, "create_time": born, "port": 0,
            "state": found["state"], "health": "ok", "restarts": 0}  # fmt: skip


def _measure(parts: list[dict[str, Any]]) -> list[dict[str, float | int | None]]:
    alive = [processes.find(part["pid"], part["create_time"]) if part["pid"] else None for part in parts]
    before, began = [_cpu_seconds(process) for process in alive], time.monotonic()
    time.sleep(_SAMPLE)
    after, elapsed = [_cpu_seconds(process) for process in alive], time.monotonic() - began
    return [
        {
            "pss_bytes": _pss(process),
            "cpu_percent": None if a is None or b is None else round(100 * (b - a) / elapsed, 1),
        }
        for process, a, b in zip(alive, before, after, strict=True)
    ]


def _cpu_seconds(process: psutil.Process | None) -> float | None:
    try:
        return None if process is None else sum(process.cpu_times()[:2])
    except psutil.Error:
        return None


def _pss(process: psutil.Process | None) -> int | None:
    try:
        return None if process is None else int(process.memory_full_info().pss)
    except (psutil.Error, AttributeError):  # PSS exists on Linux only, and only for one's own processes
        return None


async def _ask_regions(regions: list[dict[str, Any]], host: str, secret: str) -> list[dict[str, Any]]:
    async def ask(region: dict[str, Any]) -> dict[str, Any]:
        try:
            said = await web.get_json(f"http://{host}:{region['port']}/services/status", bearer=secret, timeout=3.0)
        except web.NoAnswer:
            said = {}
        return {key: said.get(key) for key in ("agents", "fps", "made_up", "dilation", "prims", "scripts")}

    return list(await asyncio.gather(*(ask(region) for region in regions)))


def show(facts: dict[str, Any], console: Console) -> None:
    """Two tables for people."""
    name, uri = facts["name"] or "A grid", facts["login_uri"] or "no address yet"
    console.print(f"{name}  [bold]{uri}[/]  {facts['state']}  {facts['data']}", highlight=False, soft_wrap=True)
    table = Table("process", "pid", "port", "state", "health", "memory (PSS)", "CPU", "restarts", box=None)
    for part in facts["processes"]:
        health = f"[green]{part['health']}[/]" if part["health"] == "ok" else f"[yellow]{part['health']}[/]"
        table.add_row(
            part["name"], str(part["pid"] or "-"), str(part["port"] or "-"), part["state"], health,
            _figure(part["pss_bytes"], 1e6, "MB"), _figure(part["cpu_percent"], 1, "%"), str(part["restarts"]),
        )  # fmt: skip
    total = sum(part["pss_bytes"] or 0 for part in facts["processes"])
    table.add_row("all", "", "", "", "", f"{total / 1e6:.1f} MB", "", "")
    console.print(table)
    table = Table("region", "agents", "frames/s", "dilation", "prims", "scripts", box=None)
    for region in facts["regions"]:
        agents = region["agents"]
        table.add_row(
            region["name"], "-" if agents is None else str(len(agents) if isinstance(agents, list) else agents),
            _frames(region), "-" if region["dilation"] is None else f"{region['dilation']:.2f}",
            *("-" if region[key] is None else str(region[key]) for key in ("prims", "scripts")),
        )  # fmt: skip
    console.print(table)


def _frames(region: dict[str, Any]) -> str:
    """Frames a second that were on time, and beside them those that were made up for."""
    made_up = region["made_up"] or 0.0
    return _figure(region["fps"], 1, "") + (f" + {made_up:.1f} late" if made_up >= 0.5 else "")


def _figure(value: float | None, unit: float, name: str) -> str:
    return "-" if value is None else f"{value / unit:.1f} {name}".rstrip()
