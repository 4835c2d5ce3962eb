"""The functions scripts import: LSL's own conversions, failures, `print`, and every ll* function of the library.

Each is a plain Python function wrapped so that its arguments are decoded from raw wasm values, its result encoded, its
cost taken off the script's budget, and nothing it raises escapes into wasm: an exception is kept, wasm is stopped by a trap, and the exception is raised again
on the other side. Never switch greenlets inside one: wasm frames of two scripts may not interleave on one native stack.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import wasmtime

from sim.scripts.language import layout
from sim.scripts.language.builtins import Builtin, table
from sim.scripts.language.values import (
    Key,
    Rotation,
    Vector,
    format_float,
    string_to_float,
    string_to_integer,
    string_to_rotation,
    string_to_vector,
    to_string,
    wrap,
)
from sim.scripts.library.declare import LIBRARY, Declared
from sim.scripts.machine import raw
from sim.scripts.machine.failures import ScriptFailure

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

_i32 = struct.Struct("<i")

CALL = 400  # checkpoints that any call is worth

class Host:
    """All imports of one engine, the same for each of its compilers.

    `current` is the script now in wasm; `raised` what a host function raised.
    """

    def __init__(self, linkers: list[wasmtime.Linker]):
        self.current: Script | None = None
        self.raised: BaseException | None = None
        self._alive: list[Any] = []
        self._linkers = linkers
        self._own()
        for name, builtin in table().functions.items():
            self._library(builtin, LIBRARY.get(name))

    def define(self, module: str, name: str, parameters: list[str], returns: str, function: Callable[..., Any]) -> None:
        """Defines an import; `parameters` and `returns` are LSL types, the function gets (script, *values)."""
        flat = [each for kind in parameters for each in layout.FLAT[kind]]
        results = list(layout.FLAT[returns])
        unpack = struct.Struct("<" + "".join([("i" if each == "i32" else "f") + "12x" for each in flat])).unpack
        size = raw.SLOT * len(flat)
        decode = _decoder(parameters)
        encode = _encoder(returns)
        string_at = raw.string_at

        def entry(_environment: int, _caller: int, address: int, _count: int) -> int | None:
            script = self.current
            try:
                assert script is not None
                instance = script.instance
                instance.charge(CALL)
                instance.forget()  # of a call that was never ended
                values: Any = unpack(string_at(address, size)) if size else ()
                if decode is not None:
                    values = decode(instance, values)
                result = function(script, *values)
                if encode is not None:
                    encode(instance, address, result)
                instance.forget()
                return None
            except BaseException as problem:
                # Whatever it is, it must not unwind through wasm; the caller raises it again.
                if self.raised is None:
                    self.raised = problem
                if script is not None:
                    script.instance.forget()
                return raw.new_trap()

        for linker in self._linkers:
            self._alive.append(raw.define(linker, module, name, flat, results, entry))

    def _own(self) -> None:
        def fail(script: Script, failure: int) -> None:
            raise ScriptFailure(layout.FAILURES.get(failure, "Script failure"))

        def show(script: Script, value: list, is_list: int) -> None:
            script.print(value if is_list else value[0])

        self.define("host", "fail", ["integer"], "void", fail)
        self.define("host", "print", ["list", "integer"], "void", show)
        self.define("host", "float_text", ["float"], "string", lambda script, value: format_float(value))
        self.define("host", "vector_text", ["vector"], "string", lambda script, value: to_string(value))
        self.define("host", "rotation_text", ["rotation"], "string", lambda script, value: to_string(value))

        def item_text(script: Script, tag: int, payload: int) -> str:
            return to_string(script.instance.item(tag, payload), True)

        self.define("host", "item_text", ["integer", "integer"], "string", item_text)
        self.define("host", "list_text", ["list"], "string", lambda script, value: to_string(value))
        self.define("host", "text_integer", ["string"], "integer", lambda script, text: string_to_integer(text))
        self.define("host", "text_float", ["string"], "float", lambda script, text: string_to_float(text))
        self.define("host", "text_vector", ["string"], "vector", lambda script, text: string_to_vector(text))
        self.define("host", "text_rotation", ["string"], "rotation", lambda script, text: string_to_rotation(text))

    def _library(self, builtin: Builtin, declared: Declared | None) -> None:
        if declared is None:

            def missing(script: Script, *values: Any) -> None:
                raise ScriptFailure(f"{builtin.name} is not built yet")

            function: Callable[..., Any] = missing
        else:
            function = declared.call
        self.define("ll", builtin.name, [kind for kind, _ in builtin.arguments], builtin.returns, function)


def _decoder(kinds: list[str]) -> Callable[..., list[Any]] | None:
    """From flat wasm numbers to LSL values; None when they are the same."""
    if all(kind in ("integer", "float") for kind in kinds):
        return None
    plan: list[tuple[str, int]] = []
    at = 0
    for kind in kinds:
        plan.append((kind, at))
        at += len(layout.FLAT[kind])

    def decode(instance: Any, flat: tuple[Any, ...]) -> list[Any]:
        values: list[Any] = []
        for kind, at in plan:
            if kind == "string":
                values.append(instance.text(flat[at]))
            elif kind == "key":
                values.append(Key(instance.text(flat[at])))
            elif kind == "list":
                values.append(instance.items(flat[at]))
            elif kind == "vector":
                values.append(Vector(*flat[at : at + 3]))
            elif kind == "rotation":
                values.append(Rotation(*flat[at : at + 4]))
            else:
                values.append(flat[at])
        return values

    return decode


def _encoder(kind: str) -> Callable[[Any, int, Any], None] | None:
    if kind == "void":
        return None
    memmove = raw.memmove
    if kind == "integer":

        def integer(instance: Any, address: int, value: Any) -> None:
            memmove(address, _i32.pack(wrap(int(value))), 4)

        return integer
    if kind == "float":

        def single(instance: Any, address: int, value: Any) -> None:
            memmove(address, pack_single(value), 4)

        return single
    if kind in ("vector", "rotation"):

        def parts(instance: Any, address: int, value: Any) -> None:
            for index, part in enumerate(value):
                memmove(address + raw.SLOT * index, pack_single(part), 4)

        return parts

    def pointer(instance: Any, address: int, value: Any) -> None:
        memmove(address, _i32.pack(instance.new_list(value) if kind == "list" else instance.new_text(value)), 4)

    return pointer


_f32 = struct.Struct("<f")


def pack_single(value: float) -> bytes:
    """A number as 32-bit float bytes; beyond the range it is infinite."""
    try:
        return _f32.pack(value)
    except OverflowError:
        return _f32.pack(float("inf") if value > 0 else float("-inf"))
