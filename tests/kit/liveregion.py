"""A region in the test's own process that belongs to a real grid: real sockets, real clock, real Backbone.

    with LiveRegion(login_uri, secret, "Workshop", 1010, 1010) as region:
        region.do(build)         # a coroutine function of the simulator, run on the region's own thread

What a test could not do to a region in another process (put a script into an object, say) it can do here, and clients
of any make log in to it as to any other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar
from uuid import uuid4

from sim.clients import Clients
from sim.clock import SystemClock
from sim.host import warm
from sim.region import Settings
from sim.simulator import Simulator

T = TypeVar("T")


class LiveRegion:
    def __init__(
        self, login_uri: str, secret: str, name: str, grid_x: int, grid_y: int, assets_url: str = "http://127.0.0.1:1"
    ) -> None:
        self.region_id = uuid4()
        self.settings = Settings(
            self.region_id, name, grid_x, grid_y, 0, backbone_url=login_uri.rstrip("/"), assets_url=assets_url,
            secret=secret,
        )  # fmt: skip
        self.sim: Simulator
        self._loop: asyncio.AbstractEventLoop
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, daemon=True)

    def __enter__(self) -> LiveRegion:
        warm()
        self._thread.start()
        if not self._ready.wait(60) or self._failure is not None:
            raise RuntimeError("the region did not open") from self._failure
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self.sim.stop)
        self._thread.join(30)

    def do(self, work: Callable[[Simulator], Coroutine[Any, Any, T]]) -> T:
        """Run something on the region's thread, between frames; its result."""

        async def up() -> T:
            with self.sim.rest.held():
                return await work(self.sim)

        return asyncio.run_coroutine_threadsafe(up(), self._loop).result(60)

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self._failure = error
            self._ready.set()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.sim = Simulator(self.settings, SystemClock(), Clients.of(self.settings))
        await asyncio.wait_for(self.sim.open(), 30)
        self._ready.set()
        await self.sim.run()
        await self.sim.close()
