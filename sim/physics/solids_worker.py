"""Solids of assets, found in a process of its own: `python -m sim.physics.solids_worker`, and `Workshop`, who starts it.

What an asset holds is a stranger's choice, and so is how long it takes: not the region's process is to wait for it, nor
to be ended by it. The worker is started when there is work and ended when there has been none for a while; one that takes
too long is killed.

    request   u32 size | u8 what (`Work`) | u8 kind of a sculpt | the asset
    answer    u32 size | pickled AssetSolid, or the reason why there is none as a str
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import resource
import signal
import struct
import sys
from enum import IntEnum
from typing import BinaryIO

from protocol.errors import ProtocolError
from sim.physics.engine import BadBody
from sim.physics.solids import AssetSolid, from_mesh, from_sculpt

LIMITS = 10, 60, 10  # seconds a piece of work may take, by `Work`
START_LIMIT = 60  # seconds more for the first: the worker loads, on a busy machine
MOST_MEMORY = 4 << 30  # bytes of address space, most of which is libraries'
_SIZE = struct.Struct("<I")


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
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def make(self, what: int, kind: int, data: bytes) -> AssetSolid | str:
        """The solid, or why there is none. TimeoutError when it took too long, OSError when the worker died of it."""
        async with self._turn:
            limit: float = LIMITS[what]
            if self._process is None or self._process.returncode is not None:
                self._process, limit = await self._start(), limit + START_LIMIT
            try:
                async with asyncio.timeout(limit):
                    return await self._ask(self._process, bytes((what, kind)) + data)
            except BaseException:
                await self.close()
                raise

    async def _start(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        where = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, stdin=pipe, stdout=pipe, env=where, limit=1 << 20
        )

    async def _ask(self, process: asyncio.subprocess.Process, request: bytes) -> AssetSolid | str:
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(_SIZE.pack(len(request)) + request)
            await process.stdin.drain()
            (size,) = _SIZE.unpack(await process.stdout.readexactly(_SIZE.size))
            # Our own program wrote this, with the rights of this one: it is no more a stranger's than our memory is.
            answer = pickle.loads(await process.stdout.readexactly(size))
        except asyncio.IncompleteReadError as error:
            raise OSError("the worker ended") from error
        assert isinstance(answer, AssetSolid | str)
        return answer

    async def close(self) -> None:
        """End the worker, whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while len(head := requests.read(_SIZE.size)) == _SIZE.size:
        request = requests.read(*_SIZE.unpack(head))
        signal.alarm(2 * LIMITS[request[0]])  # the region kills it sooner, unless it is gone
        answer = pickle.dumps(work(request[0], request[1], request[2:]), pickle.HIGHEST_PROTOCOL)
        signal.alarm(0)
        answers.write(_SIZE.pack(len(answer)) + answer)
        answers.flush()


if __name__ == "__main__":
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not print into an answer
    serve(sys.stdin.buffer, out)
