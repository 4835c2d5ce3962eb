"""Sources compiled beside the region: owners take turns, and what takes too long costs its owner alone."""

from __future__ import annotations

import asyncio

import pytest

from sim.scripts.language.errors import CompileError
from sim.scripts.machine import compiling
from sim.scripts.machine.compiling import Compilers

GOOD = "default { timer() { } }"


async def test_a_program_and_findings_come_back():
    compilers = Compilers()
    try:
        program = await compilers.compile(GOOD, "a")
        assert program.events == ("timer",) and await compilers.compile(GOOD, "b") is program
        with pytest.raises(CompileError) as caught:
            await compilers.compile("default { timer() { x; } }", "a")
        assert [one.line for one in caught.value.findings] == [0]
        same = await asyncio.gather(*[compilers.compile(GOOD + " // same", "a") for _ in range(5)])
        assert len({id(one) for one in same}) == 1
    finally:
        compilers.close()


async def test_owners_take_turns_and_what_takes_too_long_is_refused(monkeypatch):
    """A compiler that hangs is ended; the same owner's next waits behind everybody else's."""
    order: list[str] = []
    compilers = Compilers()

    async def ask(source: str):
        order.append(source)
        await asyncio.sleep(0)
        if "hang" in source:
            raise TimeoutError
        return compiling.compiled(GOOD)

    monkeypatch.setattr(compilers, "_ask", ask)
    hostile = [compilers.compile(f"hang {n}", "hostile") for n in range(3)]
    results = await asyncio.gather(*hostile, compilers.compile("fair 1", "a"), compilers.compile("fair 2", "b"), return_exceptions=True)
    assert order == ["hang 0", "fair 1", "fair 2", "hang 1", "hang 2"]
    assert [str(one) for one in results[:3]] == [f"1:1: {compiling.TOO_LONG}"] * 3
    assert not any(isinstance(one, Exception) for one in results[3:])
    assert compilers.refused == 3


async def test_one_owner_may_not_queue_without_end():
    compilers = Compilers()
    compilers._worker = asyncio.create_task(asyncio.Event().wait())  # type: ignore[arg-type]  # it is busy
    waiting = [asyncio.create_task(compilers.compile(f"x {n}", "hostile")) for n in range(compiling.MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(CompileError, match="wait to be compiled"):
        await compilers.compile("one more", "hostile")
    for task in waiting:
        task.cancel()
    compilers.close()


def test_processor_time_is_bounded(monkeypatch):
    import signal

    def endless(source: str):
        while True:
            pass

    monkeypatch.setattr(compiling, "CPU_LIMIT", 0.05)
    monkeypatch.setattr(compiling, "compile_script", endless)
    before = signal.signal(signal.SIGPROF, compiling._over)
    try:
        found = compiling.compiled(GOOD)
    finally:
        signal.signal(signal.SIGPROF, before)
    assert isinstance(found, list) and found[0].message == compiling.TOO_LONG
