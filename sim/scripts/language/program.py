"""`compile_script`: the one door of the compiler."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import wasmtime

from sim.scripts.language import layout
from sim.scripts.language.checker import Checker
from sim.scripts.language.emitter import Emitter, FunctionMap
from sim.scripts.language.errors import CompileError, Diary, Finding, TooManyErrors
from sim.scripts.language.lexer import tokenize
from sim.scripts.language.parser import Parser

TOO_LARGE = "The script is too large"
LONGEST_SOURCE = 512 * 1024  # characters; Second Life stops at 64 K
VERSION = layout.VERSION


@dataclass(frozen=True, slots=True)
class GlobalMap:
    name: str
    kind: str
    address: int


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled script: everything that all its copies share.

    wasm: the module, as bytes; image: the page's first bytes; handlers: by state number, event -> handler number;
    events: by handler number, the event's name; functions: by function number, for stack dumps.
    """

    source_hash: str
    wasm: bytes
    image: bytes
    states: tuple[str, ...]
    handlers: tuple[dict[str, int], ...]
    events: tuple[str, ...]
    functions: tuple[FunctionMap, ...]
    globals: tuple[GlobalMap, ...]
    uses: tuple[str, ...]  # ll* functions it calls on the host


def source_hash(source: str) -> str:
    """Names a source together with the compiler that reads it."""
    return hashlib.blake2b(f"{VERSION}\0{source}".encode("utf-8", "replace"), digest_size=20).hexdigest()


_recursion = threading.Lock()
_recursing = 0


@contextmanager
def _deep() -> Iterator[None]:
    """Room for the compiler's recursion: bounded by the parser, all of it Python calls, so no native stack is used."""
    global _recursing
    with _recursion:
        if _recursing == 0:
            _deep.before = sys.getrecursionlimit()  # type: ignore[attr-defined]
            sys.setrecursionlimit(max(_deep.before, 40_000))  # type: ignore[attr-defined]
        _recursing += 1
    try:
        yield
    finally:
        with _recursion:
            _recursing -= 1
            if _recursing == 0:
                sys.setrecursionlimit(_deep.before)  # type: ignore[attr-defined]


def compile_script(source: str) -> Program:
    """Compiles LSL to a Program. Raises CompileError with every finding."""
    if len(source) > LONGEST_SOURCE:
        raise CompileError([Finding(0, 0, f"The script is longer than {LONGEST_SOURCE} characters")])
    diary = Diary(source)
    with _deep():
        try:
            return _compile(source, diary)
        except TooManyErrors:
            diary.finish()
            raise


def _compile(source: str, diary: Diary) -> Program:
    parser = Parser(tokenize(source, diary), diary)
    script = parser.script()
    Checker(diary, parser.lost_names).script(script)
    diary.finish()
    emitter = Emitter(script, diary)
    wat = emitter.module()
    if len(emitter.image.bytes) > layout.LOGICAL_BYTES:
        size = len(emitter.image.bytes)
        diary.error(0, f"Globals and constants need {size} bytes; a script has {layout.LOGICAL_BYTES}")
    diary.finish()
    try:
        wasm = bytes(wasmtime.wat2wasm(wat))
    except wasmtime.WasmtimeError:
        raise CompileError([Finding(0, 0, TOO_LARGE)]) from None
    return Program(
        source_hash(source),
        wasm,
        bytes(emitter.image.bytes),
        tuple(emitter.states),
        tuple(
            [
                {name: number for (state, name), number in emitter.handlers.items() if state == index}
                for index in range(len(emitter.states))
            ]
        ),
        tuple([name for (_, name), _ in sorted(emitter.handlers.items(), key=lambda item: item[1])]),
        tuple(emitter.maps),
        tuple([GlobalMap(one.name, one.kind, emitter.addresses[one.variable]) for one in script.globals]),
        tuple(emitter.calls.used),
    )
