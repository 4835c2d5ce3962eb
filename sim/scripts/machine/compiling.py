"""Scripts compiled in a process of its own: `python -m sim.scripts.machine.compiling`, and `Compilers`, who starts it.

A source is a stranger's, and so is how long it takes: not the region's process is to compile it. One source is compiled at
a time; owners take turns, so that a thousand dear ones of one person put off another's by one. What takes too long is
refused to its owner, and the process that was at it is ended.

    request   the source, UTF-8
    answer    Program, or its findings as a list of Finding
"""

from __future__ import annotations

import asyncio
import signal
from collections import OrderedDict, deque

from sim.scripts.language.errors import CompileError, Finding
from sim.scripts.language.program import Program, compile_script, source_hash
from sim.worker import Worker, serve

CPU_LIMIT = 5  # seconds of processor time for one source; the largest of real scripts take half of one
LIMIT = 60.0  # seconds after which the process is ended, however slow the machine is
MOST_MEMORY = 4 << 30  # bytes of address space, most of which is libraries'
MOST_WAITING = 200  # sources of one owner
KEPT = 256  # programs: many objects carry the same
TOO_LONG = "The script takes too long to compile"
TOO_MANY = f"More than {MOST_WAITING} of your scripts wait to be compiled"

Job = tuple[str, "asyncio.Future[Program]"]


class Compilers:
    """Where a region has its scripts compiled."""

    def __init__(self) -> None:
        self._process = Worker("sim.scripts.machine.compiling")
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()  # owner -> jobs, who is next first
        self._under_way: dict[str, asyncio.Future[Program]] = {}  # by the hash of the source
        self._programs: OrderedDict[str, Program] = OrderedDict()
        self._worker: asyncio.Task[None] | None = None
        self.refused = 0  # for what they took

    async def compile(self, source: str, owner: str) -> Program:
        """The program of a source. CompileError."""
        key = source_hash(source)
        program = self._programs.get(key)
        if program is not None:
            self._programs.move_to_end(key)
            return program
        future = self._under_way.get(key)
        if future is None:
            jobs = self._waiting.setdefault(owner, deque())
            if len(jobs) >= MOST_WAITING:
                raise CompileError([Finding(0, 0, TOO_MANY)])
            future = self._under_way[key] = asyncio.get_running_loop().create_future()
            jobs.append((source, future))
            if self._worker is None or self._worker.done():
                self._worker = asyncio.create_task(self._work())
        return await asyncio.shield(future)

    async def _work(self) -> None:
        """Compile what waits, owner by owner."""
        while self._waiting:
            owner, jobs = self._waiting.popitem(last=False)
            source, future = jobs.popleft()
            if jobs:
                self._waiting[owner] = jobs  # at the end
            key = source_hash(source)
            try:
                answer = await self._ask(source)
            except (OSError, TimeoutError):
                await self._process.end()
                answer = [Finding(0, 0, TOO_LONG)]
            del self._under_way[key]
            if isinstance(answer, Program):
                self._programs[key] = answer
                while len(self._programs) > KEPT:
                    self._programs.popitem(last=False)
                future.set_result(answer)
            else:
                self.refused += any(one.message == TOO_LONG for one in answer)
                future.set_exception(CompileError(answer))
                future.exception()  # nobody may be waiting any more

    async def _ask(self, source: str) -> Program | list[Finding]:
        async with asyncio.timeout(LIMIT):
            if not self._process.running:
                await self._process.start()
            answer = await self._process.ask(source.encode("utf-8", "replace"))
        assert isinstance(answer, Program | list)
        return answer

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._worker is not None:
            self._worker.cancel()
        self._process.drop()


class TooLong(Exception):
    """The processor time for one source is over."""


def _over(_signal: int, _frame: object) -> None:
    raise TooLong


def compiled(source: str) -> Program | list[Finding]:
    """The program of a source, or what is wrong with it."""
    signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT)
    try:
        return compile_script(source)
    except CompileError as error:
        return error.findings
    except (TooLong, MemoryError):
        return [Finding(0, 0, TOO_LONG)]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def main() -> None:
    """The process: a little behind the region it works for."""
    signal.signal(signal.SIGPROF, _over)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the region ends it
    serve(lambda request: compiled(request.decode("utf-8")), MOST_MEMORY)


if __name__ == "__main__":
    # The answers' classes are to be those of the module as it is imported, not of __main__.
    from sim.scripts.machine.compiling import main as run

    run()
