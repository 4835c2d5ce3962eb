"""One grid for all scenarios, and a visit: clients of any make, logged in where a scenario wants them."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from .driver import HERE, ClientError, Driver, until
from .grid import Account, Grid, Region
from .raw.viewer import Viewer

Spot = tuple[float, float] | tuple[float, float, float]
MIDDLE: Spot = (128.0, 128.0)

os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first start of a grid compiles kernels, and that counts into the first test's time."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(scope="session")
def grid() -> Iterator[Grid]:
    """A running 2 x 2 grid. MAINLAND_KEEP_LOGS names a folder for its logs."""
    subprocess.run([str(HERE / "setup.sh")], check=True, timeout=900)
    data = Path(tempfile.mkdtemp(prefix="mainland-clients-"))
    try:
        running = Grid(data)
        yield running
        running.stop()
    finally:
        kept = os.environ.get("MAINLAND_KEEP_LOGS")
        if kept and (data / "logs").exists():
            shutil.copytree(data / "logs", kept, dirs_exist_ok=True)
        shutil.rmtree(data)


class Drivers:
    """Client processes, used again: starting one costs more than a login."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._idle: dict[str, list[Driver]] = {"hippo": [], "node": []}
        self._all: list[Driver] = []

    def take(self, kind: str) -> Driver:
        while self._idle[kind]:
            driver = self._idle[kind].pop()
            if driver.alive:
                return driver
        driver = Driver(kind, self._logs / f"{kind}-{len(self._all)}.log")
        self._all.append(driver)
        return driver

    def give_back(self, driver: Driver) -> None:
        driver.seen.clear()
        self._idle[driver.kind].append(driver)

    def close(self) -> None:
        for driver in self._all:
            if driver.alive:
                driver.close()


@pytest.fixture(scope="session", autouse=True)
def vanished(grid: Grid) -> Iterator[tuple[str, Viewer]]:
    """The id of an agent whose client died as the run began, and a viewer beside it. Waiting for the minute that ends
    such a session costs nothing this way."""
    people = [grid.account(), grid.account()]
    ghost, witness = (
        Viewer(grid.login_uri, who.first, who.last, who.password, grid.north.start(200, 200)) for who in people
    )
    until(lambda: witness.position(ghost.agent_id), "the witness sees the one who will vanish")
    ghost.vanish()
    yield ghost.agent_id, witness
    witness.leave()


@pytest.fixture(scope="session", autouse=True)
def idle_poll(grid: Grid) -> Future[tuple[int, float]]:
    """(status, seconds it was held) of an event queue poll that found nothing, begun with the run."""

    def poll() -> tuple[int, float]:
        who = grid.account()
        with Viewer(grid.login_uri, who.first, who.last, who.password, grid.far.start(), False, False) as viewer:
            ack, status = None, 200
            while status == 200:
                began = time.monotonic()
                status, reply = viewer.poll_events(ack, timeout=90)
                ack = reply and reply["id"]
            return status, time.monotonic() - began

    result: Future[tuple[int, float]] = Future()

    def run() -> None:
        try:
            result.set_result(poll())
        except Exception as error:  # handed to the test that asks for the result
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result


@pytest.fixture(scope="session")
def drivers(grid: Grid) -> Iterator[Drivers]:
    pool = Drivers(grid.data / "logs")
    yield pool
    pool.close()


class Visit:
    """Clients that are in the world for the length of a scenario, and log out after it."""

    def __init__(self, grid: Grid, drivers: Drivers) -> None:
        self.grid = grid
        self._drivers = drivers
        self._in: list[Driver] = []
        self._viewers: list[Viewer] = []

    def hippo(self, region: Region, at: Spot = MIDDLE, who: Account | None = None, **login: Any) -> Driver:
        return self._enter("hippo", region, at, who, **login)

    def node(self, region: Region, at: Spot = MIDDLE, who: Account | None = None, **login: Any) -> Driver:
        return self._enter("node", region, at, who, **login)

    def _enter(self, kind: str, region: Region, at: Spot, who: Account | None, **login: Any) -> Driver:
        who = who or self.grid.account()
        driver = self._drivers.take(kind)
        self._in.append(driver)
        driver.name, driver.agent_id = who.name, who.agent_id
        driver.arrival = driver.do(
            "login", uri=self.grid.login_uri, first=who.first, last=who.last, password=who.password,
            **({"start": region.start(*at)} | login),
        )
        assert driver.arrival["agent_id"] == who.agent_id
        until(lambda: who.agent_id in driver.do("exact_avatars"), f"{driver} sees itself")
        return driver

    def viewer(self, region: Region, at: Spot = MIDDLE, who: Account | None = None, **login: Any) -> Viewer:
        who = who or self.grid.account()
        start = login.pop("start", region.start(*at))
        viewer = Viewer(self.grid.login_uri, who.first, who.last, who.password, start, **login)
        self._viewers.append(viewer)
        until(viewer.position, f"{viewer} sees itself")
        return viewer

    def left(self, client: Driver | Viewer) -> None:
        """Tells that the scenario itself ended this client's stay."""
        if isinstance(client, Driver):
            self._in.remove(client)
            if client.alive:
                self._drivers.give_back(client)
        else:
            self._viewers.remove(client)

    def end(self) -> None:
        tickets = [(driver, driver.start("logout")) for driver in self._in if driver.alive]
        faults = []
        for viewer in self._viewers:
            try:
                viewer.leave()
            except AssertionError as fault:
                faults.append(str(fault))
        for driver, ticket in tickets:
            try:
                driver.finish(ticket)
            except ClientError as fault:
                faults.append(f"{driver}: {fault}")
            self._drivers.give_back(driver)
        assert not faults, faults


@pytest.fixture
def visit(grid: Grid, drivers: Drivers) -> Iterator[Visit]:
    """Clients for one scenario."""
    visit = Visit(grid, drivers)
    yield visit
    visit.end()


@pytest.fixture(scope="module")
def stay(grid: Grid, drivers: Drivers) -> Iterator[Visit]:
    """Clients for all scenarios of a module."""
    visit = Visit(grid, drivers)
    yield visit
    visit.end()
