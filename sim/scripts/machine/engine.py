"""Compiles scripts once, makes instances, and joins host, scheduler and modules.

With `tiers` there are two compilers: a source is first compiled by the quick one (Winch), so that a script starts at
once, and again by the good one (Cranelift) in a worker thread. New instances take the best there is; a script that is
busy moves over at a pause, by its page.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import wasmtime

from sim.clock import SystemClock
from sim.scripts.language import layout
from sim.scripts.language.errors import CompileError, Finding
from sim.scripts.language.program import TOO_LARGE, Program, compile_script, source_hash
from sim.scripts.machine import raw
from sim.scripts.machine.failures import BadState
from sim.scripts.machine.host import Host
from sim.scripts.machine.instance import Instance
from sim.scripts.machine.page import load_page, save_page
from sim.scripts.machine.scheduler import Scheduler

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

MOST_CACHED = 2000  # programs kept although no script uses them
# What is not worth the good compiler's time, which grows faster than the code: bytes of wasm, and the product of the
# places where a function can pause and the bytes it keeps there.
MOST_IMPROVED, MOST_KEPT_AT_PAUSES = 200_000, 3_000_000
WASM_STACK = 2_000_000  # bytes; more than a full page of the smallest frames needs


class Tier:
    """One of wasmtime's compilers, with what its modules need."""

    def __init__(self, quick: bool, runtime: bytes):
        config = wasmtime.Config()
        config.memory_reservation = layout.PAGE_BYTES  # a page never grows: no gigabytes of address space for each
        config.memory_guard_size = 0
        config.memory_reservation_for_growth = 0
        config.memory_may_move = False
        config.memory_init_cow = False
        config.max_wasm_stack = WASM_STACK
        if quick:
            raw.use_quick_compiler(config)
        self.quick = quick
        self.wasm = wasmtime.Engine(config)
        self.linker = wasmtime.Linker(self.wasm)
        self.linker.allow_shadowing = True
        self.runtime = wasmtime.Module(self.wasm, runtime)


class Compiled:
    """A program and its modules, as far as they are made."""

    __slots__ = ("good", "program", "quick")

    def __init__(self, program: Program):
        self.program = program
        self.quick: wasmtime.Module | None = None
        self.good: wasmtime.Module | None = None


class Engine:
    """One a process: compilers, host functions, cache of compiled sources. Used by one thread."""

    def __init__(self, stopwatch: Callable[[], float] | None = None, tiers: bool = False) -> None:
        """stopwatch: real seconds, the region's clock; by default the system's."""
        runtime = bytes(wasmtime.wat2wasm(Path(__file__).with_name("runtime.wat").read_text("ascii")))
        self.good = Tier(False, runtime)
        self.quick = Tier(True, runtime) if tiers else None
        self.host = Host([tier.linker for tier in (self.good, self.quick) if tier is not None])
        self.stopwatch = stopwatch or SystemClock().now
        self.scheduler = Scheduler(self.stopwatch)
        self.calls = raw.Calls()
        self.defects: list[tuple[str, BaseException]] = []
        self.moved = 0  # scripts that went over to better code
        self._worker = ThreadPoolExecutor(1, "compiler") if tiers else None
        self._cache: OrderedDict[str, Compiled] = OrderedDict()

    def load(self, source: str) -> Program:
        """Compiles a source, or finds it compiled. Raises CompileError."""
        key = source_hash(source)
        found = self._cache.get(key)
        if found is None:
            found = self._compile(compile_script(source))
        else:
            self._cache.move_to_end(key)
        return found.program

    async def prepare(self, program: Program) -> None:
        """Makes a program's machine code in a thread, so that whoever starts it next waits for nothing. CompileError."""
        if program.source_hash not in self._cache:
            module = await asyncio.to_thread(self._module, program)
            if program.source_hash not in self._cache:
                self._compile(program, module)

    def _module(self, program: Program) -> wasmtime.Module:
        """By the compiler that is asked first. Touches nothing else of the engine."""
        try:
            return wasmtime.Module((self.quick or self.good).wasm, program.wasm)
        except wasmtime.WasmtimeError:
            raise CompileError([Finding(0, 0, TOO_LARGE)]) from None

    def _compile(self, program: Program, module: wasmtime.Module | None = None) -> Compiled:
        made = Compiled(program)
        module = module or self._module(program)
        if self.quick is None or self._worker is None:
            made.good = module
        else:
            made.quick = module
            kept = sum([one.frame_bytes * len(one.lines) for one in program.functions])
            if len(program.wasm) <= MOST_IMPROVED and kept <= MOST_KEPT_AT_PAUSES:
                self._worker.submit(self._improve, made)
        self._cache[program.source_hash] = made
        while len(self._cache) > MOST_CACHED:
            self._cache.popitem(last=False)
        return made

    def _improve(self, made: Compiled) -> None:
        """In the worker: one assignment tells the other thread that the good module is there."""
        made.good = wasmtime.Module(self.good.wasm, made.program.wasm)

    def instantiate(self, program: Program) -> Instance:
        """A fresh page and functions for one script."""
        found = self._cache.get(program.source_hash) or self._compile(program)
        tier, module = self.good, found.good
        if module is None:
            assert self.quick is not None
            tier, module = self.quick, found.quick
        assert module is not None
        store = wasmtime.Store(tier.wasm)
        runtime = tier.linker.instantiate(store, tier.runtime)
        tier.linker.define_instance(store, "rt", runtime)
        script = tier.linker.instantiate(store, module)
        return Instance(program, store, runtime, script, self.calls, tier.quick)

    def move(self, script: Script) -> None:
        """Takes a paused script over to better code, if there is some by now."""
        found = self._cache.get(script.program.source_hash)
        if found is None or found.good is None:
            return
        better = self.instantiate(script.program)
        better.start()
        better.set_limit(script.limit)
        try:
            load_page(better, save_page(script.instance))
        except BadState:
            return  # a script with a damaged page comes to its end where it is
        script.instance = better
        self.moved += 1

    def defect(self, script: Script, problem: BaseException) -> None:
        """A library function raised what it should not: kept for the log, bounded."""
        self.defects.append((script.name, problem))
        del self.defects[:-100]

    def close(self) -> None:
        """Ends the worker."""
        if self._worker is not None:
            self._worker.shutdown(cancel_futures=True)
