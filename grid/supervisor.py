"""The supervisor: starts the grid's processes, watches them, starts crashed ones again, ends them all.

One asyncio loop, no threads (children are forked from here). What happens is told to `report` as small dicts:
`{"event": "starting" | "ready" | "exit" | "stuck" | "up" | "stopping" | "stopped" | "note", ...}`; `status.json` holds
the present state for `mainland status`, which so needs no way to talk to the supervisor.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grid import logs, processes, web
from grid.child import Child, words
from grid.errors import GridError
from grid.layout import Layout, write_json
from grid.lock import Lock
from grid.plan import Grid
from grid.services import Command
from grid.settings import Settings

Report = Callable[[dict[str, Any]], None]
_SETTLED = 60.0
"""A service that has run this long was no crash loop: its next restart comes at once again."""


@dataclass
class Part:
    """One process as the world sees it: a service, or a region inside the sim host."""

    name: str
    role: str
    port: int
    state: str = "starting"
    pid: int = 0
    create_time: float = 0.0
    restarts: int = 0
    health: str = "unknown"
    heard: float = 0.0
    """When it last said it is well, on the monotonic clock."""

    def record(self) -> dict[str, Any]:
        names = ("name", "role", "port", "state", "pid", "create_time", "restarts", "health")
        return {name: getattr(self, name) for name in names}


@dataclass
class Service(Part):
    command: Command = field(default_factory=lambda: Command(()))
    child: Child | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Runs one grid from `run()` to a signal. The caller holds the ports' claims and `lock`, the directory's lock."""

    def __init__(
        self, grid: Grid, layout: Layout, settings: Settings, table: Mapping[str, Command], report: Report, lock: Lock
    ):
        self.grid, self.layout, self.settings, self.report, self.lock = grid, layout, settings, report, lock
        self.services = {name: Service(name, "service", c.port, command=c) for name, c in table.items()}
        self.regions = {r.name: Part(r.name, "region", r.port) for r in grid.regions}
        self.state = "starting"
        self.began = time.monotonic()
        self._began_wall = time.time()
        self._stop = asyncio.Event()
        self._written: Any = None

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self, when_up: Callable[[], Awaitable[None]]) -> None:
        """Start everything, call `when_up` once logins are accepted, stay until told to stop, end everything.

        Raises GridError when the grid could not be started; all processes have ended then, too.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        keepers = [asyncio.create_task(self._keep(service)) for service in self.services.values()]
        tasks = [*keepers, asyncio.create_task(self._watch()), asyncio.create_task(self._start(when_up))]
        pending = {*tasks, asyncio.create_task(self._stop.wait())}
        try:
            while not self._stop.is_set():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                if any(task.exception() for task in done):
                    break
        finally:
            self._stop.set()
            for task in tasks[len(keepers) :]:
                task.cancel()
            await self._end(keepers)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                loop.remove_signal_handler(number)
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    def stop(self) -> None:
        """Begin to end the grid; a second call stops waiting for processes that take their time."""
        if self._stop.is_set():
            for service in self.services.values():
                if service.child is not None:
                    service.child.signal(signal.SIGKILL)
        self._stop.set()

    async def _start(self, when_up: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(self.settings.start_seconds):
                for service in self.services.values():
                    await service.ready.wait()
                await self._registered()
                await when_up()
        except TimeoutError:
            late = [p.name for p in (*self.services.values(), *self.regions.values()) if p.state != "up"]
            raise GridError(
                f"the grid was not up after {self.settings.start_seconds:g} s; still waiting for "
                f"{', '.join(late) or 'the regions to register with Backbone'}",
                f"see the logs in {self.layout.logs}; on a slow machine raise start_seconds in {self.layout.settings}",
            ) from None
        self.state = "up"
        self._write_status()
        self.report({"event": "up", "seconds": round(time.monotonic() - self.began, 2)})

    async def _registered(self) -> None:
        """Wait until Backbone lists all regions as online: before that a login would find no place to stand."""
        wanted = {region.region_id for region in self.grid.regions}
        while wanted:
            try:
                listed = await web.get_json(f"{self.grid.inner_uri}/regions")
                wanted -= {entry["region_id"] for entry in listed["regions"] if entry["online"]}
            except web.NoAnswer:
                pass
            if wanted:
                await asyncio.sleep(0.1)

    async def _keep(self, service: Service) -> None:
        """Run one service until the end of the grid, again after each crash."""
        pause = self.settings.restart_first_seconds
        while not self._stop.is_set():
            began = time.monotonic()
            code = await self._run_once(service)
            if self._stop.is_set():
                return
            if self.state == "starting" and service.restarts == 0:
                raise self._first_start_failed(service, code)
            if time.monotonic() - began > _SETTLED:
                pause = self.settings.restart_first_seconds
            self.report({"event": "exit", "process": service.name, "how": words(code), "again": pause})
            service.state, service.health = "restarting", "down"
            self._write_status()
            try:
                await asyncio.wait_for(self._stop.wait(), pause)
            except TimeoutError:
                pass
            pause = min(pause * 2, self.settings.restart_most_seconds)
            service.restarts += 1

    async def _run_once(self, service: Service) -> int:
        service.ready.clear()
        service.state = "starting"
        self.report({"event": "starting", "process": service.name})
        log = self.layout.log(service.name)
        try:
            service.child = Child(service.command.argv, log, lambda line: self._heard(service, line))
        except OSError as error:
            raise GridError(f"cannot start {service.name}: {error}", f"command: {service.command.argv}") from error
        service.pid = service.child.pid
        service.create_time = processes.create_time(service.pid)
        self._write_status()
        code = await service.child.exited
        service.pid, service.health = 0, "down"
        if service.command.hosts_regions:
            for region in self.regions.values():
                region.state, region.health = "down", "down"
        return code

    def _first_start_failed(self, service: Service, code: int) -> GridError:
        said = "\n".join(logs.last_lines(self.layout.log(service.name), 8))
        return GridError(
            f"{service.name} {words(code)} while starting" + (f"; its last words:\n{said}" if said else ""),
            f"the whole log: {self.layout.log(service.name)}",
        )

    async def _end(self, keepers: list[asyncio.Task[None]]) -> None:
        """End the services one after the other in the table's order, then whatever region outlived its host."""
        self.state = "stopping"
        self.report({"event": "stopping"})
        self._write_status()
        for service in self.services.values():
            if service.child is not None and not service.child.exited.done():
                await service.child.stop(self.settings.stop_seconds)
            service.state = "stopped"
        await asyncio.gather(*keepers, return_exceptions=True)
        processes.end_all([(r.pid, r.create_time) for r in self.regions.values() if r.pid], patience=1.0)
        if self.lock.held():
            self.layout.status.unlink(missing_ok=True)
        self.report({"event": "stopped"})

    # -- what the processes say ---------------------------------------------------------------------------------------

    def _heard(self, service: Service, line: bytes) -> None:
        """One stdout line of a service. Anything but the two agreed JSON objects is kept in its log, not judged."""
        try:
            said = json.loads(line)
            if service.command.hosts_regions and said.get("event") in ("ready", "exit"):
                self._heard_region(service, self.regions[said["region"]], said)
                return
            if not service.command.hosts_regions and said.get("ready") is True:
                self._is_up(service, service.pid)
                service.ready.set()
                return
        except (ValueError, AttributeError, KeyError):
            pass
        with open(self.layout.log(service.name), "ab") as log:
            log.write(line + b"\n")

    def _heard_region(self, host: Service, region: Part, said: dict[str, Any]) -> None:
        if said["event"] == "ready":
            region.create_time = processes.create_time(int(said["pid"]))
            self._is_up(region, int(said["pid"]))
            if not host.ready.is_set() and all(region.state == "up" for region in self.regions.values()):
                self._is_up(host, host.pid)
                host.ready.set()
            return
        region.state, region.health, region.pid = "restarting", "down", 0
        if not self._stop.is_set():
            region.restarts += 1
            code = said.get("code")
            how = words(code) if isinstance(code, int) else "ended"
            self.report({"event": "exit", "process": region.name, "how": how})
            self._write_status()

    def _is_up(self, part: Part, pid: int) -> None:
        part.state, part.health, part.heard, part.pid = "up", "ok", time.monotonic(), pid
        seconds = round(time.monotonic() - self.began, 2)
        self.report({"event": "ready", "process": part.name, "port": part.port, "seconds": seconds})
        self._write_status()

    def _reap(self) -> None:
        for service in self.services.values():
            if service.child is not None:
                service.child.poll()

    # -- watching -----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Every few seconds: ask each process for its health, end stuck ones, put large logs aside."""
        while True:
            await asyncio.sleep(self.settings.health_seconds)
            self._reap()
            if not self.lock.held():
                raise GridError(f"{self.layout.root} was removed or replaced: a grid cannot run without its data")
            parts = [p for p in (*self.services.values(), *self.regions.values()) if p.port and p.state == "up"]
            await asyncio.gather(*(self._ask(part) for part in parts))
            logs.put_aside(self.layout.logs, int(self.settings.log_megabytes * 1e6), self.settings.log_files)
            self._write_status()

    async def _ask(self, part: Part) -> None:
        """Whether it lives, and whether it can work. What lives and cannot work waits for somebody else (a database, a
        disk): to start it again would help nobody, and lose what it still serves."""
        asked_pid = part.pid
        live = await self._answers(part, "/health/live")
        ready = live and await self._answers(part, "/health/ready")
        if part.pid != asked_pid or part.state != "up":
            return
        part.health = "ok" if ready else "failing"
        if live:
            part.heard = time.monotonic()
            return
        silent = time.monotonic() - part.heard
        if 0 < self.settings.stuck_seconds < silent:
            self.report({"event": "stuck", "process": part.name, "seconds": round(silent)})
            part.heard = time.monotonic()
            # KILL: what has not answered for so long will not heed a polite request, and its data is crash-safe.
            if isinstance(part, Service) and part.child is not None:
                part.child.signal(signal.SIGKILL)
            else:
                processes.kill(part.pid, part.create_time)

    async def _answers(self, part: Part, path: str) -> bool:
        try:
            timeout = min(5.0, self.settings.health_seconds)
            status, _ = await web.request("GET", f"http://{self.grid.inner}:{part.port}{path}", timeout=timeout)
        except web.NoAnswer:
            return False
        return 200 <= status < 300

    def _write_status(self) -> None:
        for service in self.services.values():
            if service.command.hosts_regions and service.state == "up":  # a host is as well as its regions
                service.health = "ok" if all(r.health == "ok" for r in self.regions.values()) else "failing"
        state = {
            "pid": os.getpid(),
            "create_time": processes.create_time(os.getpid()),
            "state": self.state,
            "since": self._began_wall,
            "name": self.grid.name,
            "login_uri": self.grid.login_uri,
            "inner_uri": self.grid.inner_uri,
            "inner": self.grid.inner,
            "processes": [part.record() for part in (*self.services.values(), *self.regions.values())],
        }
        if state != self._written and self.lock.held():
            write_json(self.layout.status, state, durable=False)
            self._written = state
