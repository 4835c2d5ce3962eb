"""Compiles scripts once, makes instances, and joins host, scheduler and modules."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import wasmtime

from sim.scripts.language.program import Program, compile_script, source_hash
from sim.scripts.machine import raw
from sim.scripts.machine.host import Host
from sim.scripts.machine.instance import Instance
from sim.scripts.machine.scheduler import Scheduler

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

MOST_CACHED = 2000  # programs kept although no script uses them
WASM_STACK = 2_000_000  # bytes; more than a full page of the smallest frames needs


class Engine:
    """One a process (or region): wasmtime engine, linker with all imports, cache of compiled sources."""

    def __init__(self, stopwatch: Callable[[], float] = time.perf_counter, frugal: bool = False) -> None:
        config = wasmtime.Config()
        config.memory_reservation = 262144  # a page never grows: no gigabytes of address space for each
        config.memory_guard_size = 0
        config.memory_reservation_for_growth = 0
        config.memory_may_move = False
        config.memory_init_cow = False
        config.max_wasm_stack = WASM_STACK
        config.parallel_compilation = not frugal
        self.wasm = wasmtime.Engine(config)
        self.linker = wasmtime.Linker(self.wasm)
        self.linker.allow_shadowing = True
        self.host = Host(self.linker)
        self.stopwatch = stopwatch
        self.scheduler = Scheduler(stopwatch)
        self.calls = raw.Calls()
        self.defects: list[tuple[str, BaseException]] = []
        self._runtime = wasmtime.Module(self.wasm, Path(__file__).with_name("runtime.wat").read_text("ascii"))
        self._cache: OrderedDict[str, tuple[Program, wasmtime.Module]] = OrderedDict()

    def load(self, source: str) -> Program:
        """Compiles a source, or finds it compiled. Raises CompileError."""
        key = source_hash(source)
        found = self._cache.get(key)
        if found is None:
            program = compile_script(source)
            found = self._cache[key] = (program, wasmtime.Module(self.wasm, program.wat))
            while len(self._cache) > MOST_CACHED:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(key)
        return found[0]

    def instantiate(self, program: Program) -> Instance:
        """A fresh page and functions for one script."""
        found = self._cache.get(program.source_hash)
        if found is None:
            found = self._cache[program.source_hash] = (program, wasmtime.Module(self.wasm, program.wat))
        store = wasmtime.Store(self.wasm)
        runtime = self.linker.instantiate(store, self._runtime)
        self.linker.define_instance(store, "rt", runtime)
        script = self.linker.instantiate(store, found[1])
        return Instance(program, store, runtime, script, self.calls)

    def defect(self, script: Script, problem: BaseException) -> None:
        """A library function raised what it should not: kept for the log, bounded."""
        self.defects.append((script.name, problem))
        del self.defects[:-100]
