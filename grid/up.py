"""`mainland up`, step by step."""

import asyncio
from collections.abc import Callable
from typing import Any

from grid import accounts, plan, processes, progress, services
from grid.detach import in_background
from grid.errors import GridError
from grid.layout import Layout, read_json
from grid.lock import Lock
from grid.ports import Ports
from grid.settings import Settings
from grid.supervisor import Supervisor

_PART: dict[str, set[type]] = {"name": {str}, "role": {str}, "pid": {int}, "create_time": {int, float}, "port": {int}, "state": {str},
         "health": {str}, "restarts": {int}}  # fmt: skip
"""What status.json says of a process."""

WhenUp = Callable[[dict[str, Any]], None]


def up(layout: Layout, settings: Settings, detach: bool, when_up: WhenUp, table: services.Table | None = None) -> int:
    """Run the grid of a data directory until it is told to stop; with `detach`, in the background.

    `when_up` gets the facts of the running grid once it accepts logins. Returns the exit code: 0 after an orderly
    end, 130 when interrupted before the grid was up. Raises GridError when it can't start.
    """
    table = table or services.commands
    layout.create()
    display = progress.for_stderr()
    try:
        if detach:
            facts = in_background(layout, lambda pipe: supervise(layout, settings, pipe, None, table), display)
            display.close()
            when_up(facts)
            return 0
        return supervise(layout, settings, display, when_up, table)
    finally:
        display.close()


def supervise(
    layout: Layout, settings: Settings, display: progress.Display, when_up: WhenUp | None, table: services.Table
) -> int:
    """The supervisor's whole life in this process: lock, ports, saved grid, processes, orderly end."""
    lock = Lock(layout.lock)
    lock.take()
    claims = Ports(settings.bind)
    with open(layout.log("supervisor"), "a", encoding="utf-8") as log:
        written = progress.Lines(log, stamped=True)

        def report(event: dict[str, Any]) -> None:
            written.event(event)
            if not _closing(display, event):
                display.event(event)

        try:
            _clear_leftovers(layout, settings, report)
            grid = plan.decide(plan.load(layout), settings)
            claims.bind = grid.bind
            for note in plan.choose_ports(grid, settings, claims):
                report({"event": "note", "text": note})
            if "scene" in settings.given and plan.stores(layout, grid.regions[:1]):
                told = f"{grid.regions[0].name} keeps what stands in it; to fill it anew: mainland region reset {grid.regions[0].name}"
                report({"event": "note", "text": told})
            plan.save(layout, grid)
            return asyncio.run(_life(layout, settings, grid, lock, display, report, when_up, table))
        except GridError as error:
            written.event({"event": "note", "text": f"failed: {error.problem}"})
            raise
        finally:
            claims.close()
            lock.release()


def _closing(display: progress.Display, event: dict[str, Any]) -> bool:
    """A detached start is told "up" by `_life`, with all its facts; the supervisor's own bare one is held back."""
    return isinstance(display, progress.Pipe) and event["event"] == "up"


def _clear_leftovers(layout: Layout, settings: Settings, report: Callable[[dict[str, Any]], None]) -> None:
    """Processes of a supervisor that was killed get TERM from the kernel; wait for them, they may hold our ports."""
    before = read_status(layout)
    if before is None:
        return
    known = [(part["pid"], part["create_time"]) for part in before["processes"]]
    ended = processes.end_all(known, settings.stop_seconds)
    if ended:
        report({"event": "note", "text": f"ended {len(ended)} processes an earlier run had left"})
    layout.status.unlink(missing_ok=True)


def read_status(layout: Layout) -> dict[str, Any] | None:
    """The supervisor's status file; None when there is none or when it is not one (it means nothing then)."""
    try:
        found = read_json(layout.status)
        parts = found["processes"]
        if all(type(part[name]) in kinds for part in parts for name, kinds in _PART.items()) and all(
            0 <= part["pid"] < 1 << 31 for part in parts
        ):
            return {**found, "pid": int(found["pid"]), "state": str(found["state"])}
    except (GridError, KeyError, TypeError, ValueError, OverflowError):
        pass
    return None


async def _life(
    layout: Layout,
    settings: Settings,
    grid: plan.Grid,
    lock: Lock,
    display: progress.Display,
    report: Callable[[dict[str, Any]], None],
    when_up: WhenUp | None,
    table: services.Table,
) -> int:
    facts: dict[str, Any] = {}

    async def ready() -> None:
        made = await accounts.make_ready(layout, grid.inner_uri)
        facts.update(describe(layout, grid, made))

    def announce(event: dict[str, Any]) -> None:
        report(event)
        if event["event"] == "up":
            facts.update(event)
            if when_up is None:
                display.event(facts)
                display.close()
            else:
                when_up(facts)

    async def ticking() -> None:
        while True:
            display.tick()
            await asyncio.sleep(0.1 if supervisor.state == "starting" else 3600)

    supervisor = Supervisor(grid, layout, settings, table(grid, layout), announce, lock)
    ticker = asyncio.create_task(ticking())
    try:
        await supervisor.run(ready)
    finally:
        ticker.cancel()
    return 0 if facts.get("event") == "up" else 130


def describe(layout: Layout, grid: plan.Grid, made: list[dict[str, str]]) -> dict[str, Any]:
    """The facts of a running grid that a person or a program wants after `up`."""
    return {
        "event": "up",
        "name": grid.name,
        "login_uri": grid.login_uri,
        "web_uri": grid.web_uri,
        "assets_uri": grid.assets_uri + "/",
        "data": str(layout.root),
        "accounts": made,
        "regions": [
            {"region_id": r.region_id, "name": r.name, "grid_x": r.grid_x, "grid_y": r.grid_y, "port": r.port}
            for r in grid.regions
        ],
    }
