"""A process beside the region, for work that takes longer than a frame has: how it is started, asked and ended.

    worker = Worker("sim.physics.solids_worker")     the module's main calls `serve`
    answer = await worker.ask(request)               bytes there, any object back; OSError when the process has ended

One question at a time: whoever uses it sees to that, and to how long an answer may take. Each way a U32 length goes first, little
end first; the answer is a pickle.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import resource
import struct
import sys
from collections.abc import Callable
from typing import Any

_SIZE = struct.Struct("<I")
LINE = 1 << 20  # bytes that the pipe holds


class Worker:
    def __init__(self, module: str) -> None:
        self._module = module
        self.process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def start(self) -> None:
        """A process that finds what this one finds."""
        pipe = asyncio.subprocess.PIPE
        where = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self._module, stdin=pipe, stdout=pipe, env=where, limit=LINE
        )

    async def ask(self, request: bytes) -> Any:
        """Its answer. Call `end` when this is given up: what it says next belongs to no later question."""
        process = self.process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(_SIZE.pack(len(request)) + request)
            await process.stdin.drain()
            (size,) = _SIZE.unpack(await process.stdout.readexactly(_SIZE.size))
            # Our own program wrote this, with the rights of this one: it is no more a stranger's than our memory is.
            return pickle.loads(await process.stdout.readexactly(size))
        except asyncio.IncompleteReadError as error:
            raise OSError("the worker ended") from error

    async def end(self) -> None:
        """End it, whatever it does."""
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    def drop(self) -> None:
        """The same at once, where nothing can be awaited."""
        if self.process is not None:
            self.process._transport.close()  # type: ignore[attr-defined]  # kills it, and lets its pipes go


def serve(answer_of: Callable[[bytes], object], most_memory: int) -> None:
    """The process itself: answer requests until there are no more, a little behind the region, within so many bytes."""
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (most_memory, most_memory))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not print into an answer
    requests = sys.stdin.buffer
    while len(head := requests.read(_SIZE.size)) == _SIZE.size:
        answer = pickle.dumps(answer_of(requests.read(*_SIZE.unpack(head))), pickle.HIGHEST_PROTOCOL)
        answers.write(_SIZE.pack(len(answer)) + answer)
        answers.flush()
