"""A region: what it is, what time it is there, what it counts, and what it will do later.

Most rooms of the sim need this and no more. What a room needs besides it is handed by its constructor, so that its
signature says whom it knows; `simulator.py` is the one file that knows every part.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sim.clock import Clock
from sim.metrics import Metrics
from sim.setaside import SetAside
from sim.world.world import RegionFacts, World

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What one region's process is told."""

    region_id: UUID
    name: str
    grid_x: int
    grid_y: int
    port: int  # UDP and HTTP alike; 0 for any free one
    bind: str = "127.0.0.1"
    advertise: str = ""  # the address viewers are told; the bound one when empty
    inner: str = ""  # the address at which the grid's own services reach this process; what viewers are told when empty
    backbone_url: str = ""
    assets_url: str = ""  # where this process reaches the asset store
    public_assets_url: str = ""  # where viewers do; the same when empty
    secret: str = ""
    store: str = ""  # the file that keeps what stands here (sim/storage); nothing is kept when empty
    history_days: float = 30.0  # how long the store remembers what objects were before somebody changed them,
    history_bytes: int = 1 << 28  # and how much of it
    terrain_seed: int = 1
    physics: str = "numba"  # or "bullet"
    owner: UUID = field(default_factory=uuid4)  # whose this process's claim of the region is; see `host.py`
    scene: str = "none"  # what stands there when it opens: "none", a name of ours, or a file (see docs/scenes.md)
    # Grid squares that hold a region, each with the growth of the grid that brought it: what the ground was made for.
    ages: Mapping[tuple[int, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a region is reached."""

    ip: str  # as viewers are told
    port: int  # UDP and HTTP alike
    http_url: str  # of its capabilities, as viewers are told
    inner_url: str  # of its services, as Backbone and other regions reach them; never told to viewers


class Tasks:
    """What is put off: actions a frame runs when their time has come, and coroutines in the slack between frames."""

    def __init__(self, clock: Clock, metrics: Metrics, aside: SetAside) -> None:
        self._clock = clock
        self._metrics = metrics
        self._aside = aside
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._standing: set[asyncio.Task[Any]] = set()  # those that run as long as the region
        self.on_new: Callable[[], None] = lambda: None  # a resting region wakes for what is put off (`rest.py`)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run `action` in a frame, once that much real time has passed."""
        self.on_new()
        heapq.heappush(self._timers, (self._clock.now() + seconds, next(self._numbers), action))

    @property
    def next_timer(self) -> float | None:
        """Real time of the first action put off with `after`; None when there is none."""
        return self._timers[0][0] if self._timers else None

    def run_timers(self) -> None:
        """Run every action whose time has come."""
        now = self._clock.now()
        while self._timers and self._timers[0][0] <= now:
            action = heapq.heappop(self._timers)[2]
            try:
                action()
            except Exception as error:  # one visitor's errand must not end the region for everybody
                self._aside.failed("task", "timer", error)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str, standing: bool = False) -> asyncio.Task[Any]:
        """Run a coroutine in the slack between frames. What it raises is logged and counted under `name`.

        A `standing` one never ends, and the region may rest meanwhile (`rest.py`).
        """
        self.on_new()
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        if standing:
            self._standing.add(task)
        task.add_done_callback(self._done)
        return task

    @property
    def errands(self) -> int:
        """Tasks under way that will end."""
        return len(self._tasks) - len(self._standing)

    @property
    def pending(self) -> list[asyncio.Task[Any]]:
        """Tasks whose end has not been noted yet, standing ones too."""
        return list(self._tasks)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._standing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._aside.failed("task", task.get_name(), error)


class Region:
    """World, clock, metrics, tasks and settings of one region: what most rooms of the sim are given."""

    def __init__(self, settings: Settings, clock: Clock, world: World) -> None:
        self.settings = settings
        self.clock = clock
        self.metrics = Metrics(settings.name)
        self.aside = SetAside(clock, self.metrics)
        self.tasks = Tasks(clock, self.metrics, self.aside)
        self.world = world

    @property
    def facts(self) -> RegionFacts:
        """What the region is called and where it lies."""
        return self.world.facts


class OfRegion:
    """What is put together around a region says the region's own things in one word."""

    __slots__ = ()
    region: Region

    @property
    def settings(self) -> Settings:
        return self.region.settings

    @property
    def clock(self) -> Clock:
        return self.region.clock

    @property
    def metrics(self) -> Metrics:
        return self.region.metrics

    @property
    def world(self) -> World:
        return self.region.world

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run something that many seconds from now, in a frame."""
        self.region.tasks.after(seconds, action)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str, standing: bool = False) -> asyncio.Task[Any]:
        """Run something beside the frames."""
        return self.region.tasks.spawn(work, name, standing)
