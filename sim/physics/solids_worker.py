"""Solids of assets, found in a process of its own: `python -m sim.physics.solids_worker`, and `Workshop`, who starts it.

What an asset holds is a stranger's choice, and so is how long it takes: not the region's process is to wait for it, nor
to be ended by it. The worker is started when there is work and ended when there has been none for a while; one that takes
too long is killed.

    request   u8 what (`Work`) | u8 kind of a sculpt | the asset
    answer    AssetSolid, or the reason why there is none as a str
"""

from __future__ import annotations

import asyncio
import signal
from enum import IntEnum

from protocol.errors import ProtocolError
from sim.physics.engine import BadBody
from sim.physics.solids import AssetSolid, from_mesh, from_sculpt
from sim.worker import Worker, serve

LIMITS = 10, 60, 10  # seconds a piece of work may take, by `Work`
START_LIMIT = 60  # seconds more for the first: the worker loads, on a busy machine
MOST_MEMORY = 4 << 30  # bytes of address space, most of which is libraries'


class Work(IntEnum):
    MESH = 0
    CUT_MESH = 1  # a mesh that is to move, and has no convex pieces
    SCULPT = 2


def work(what: int, kind: int, data: bytes) -> AssetSolid | str:
    """The solid of an asset, or why it has none."""
    try:
        return from_sculpt(data, kind) if what == Work.SCULPT else from_mesh(data, what == Work.CUT_MESH)
    except (ProtocolError, BadBody) as error:
        return str(error)


class Workshop:
    """Where a region has its solids made. One piece of work at a time."""

    def __init__(self) -> None:
        self._worker = Worker("sim.physics.solids_worker")
        self._turn = asyncio.Lock()

    async def make(self, what: int, kind: int, data: bytes) -> AssetSolid | str:
        """The solid, or why there is none. TimeoutError when it took too long, OSError when the worker died of it."""
        async with self._turn:
            limit: float = LIMITS[what]
            if not self._worker.running:
                await self._worker.start()
                limit += START_LIMIT
            try:
                async with asyncio.timeout(limit):
                    answer = await self._worker.ask(bytes((what, kind)) + data)
            except BaseException:
                await self.close()
                raise
            assert isinstance(answer, AssetSolid | str)
            return answer

    async def close(self) -> None:
        """End the worker, whatever it does."""
        await self._worker.end()


def answer(request: bytes) -> AssetSolid | str:
    """The process' half: a request answered. The region kills it sooner than its alarm does, unless the region is gone."""
    signal.alarm(2 * LIMITS[request[0]])
    try:
        return work(request[0], request[1], request[2:])
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    serve(answer, MOST_MEMORY)
