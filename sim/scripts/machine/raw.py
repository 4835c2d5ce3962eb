"""wasmtime's C interface, called straight through ctypes: ten times faster than the package's own wrappers.

This file alone knows wasmtime-py's internals (version 50; pyproject pins the major version). A wasm value crosses as 16
raw bytes; a host function gets the address of its arguments and writes its results over them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import wasmtime
from wasmtime import _ffi as ffi

_Address = ctypes.c_void_p
_TYPES = {"i32": wasmtime.ValType.i32, "f32": wasmtime.ValType.f32, "f64": wasmtime.ValType.f64}
WINCH = 2  # wasmtime's quick compiler, which wasmtime-py has no name for
SLOT = 16  # bytes a raw value takes

_CALLBACK = ctypes.CFUNCTYPE(_Address, _Address, _Address, _Address, ctypes.c_size_t)


def _function(name: str, result: Any, *arguments: Any) -> Any:
    return ctypes.CFUNCTYPE(result, *arguments)(ctypes.cast(getattr(ffi.dll, name), _Address).value or 0)


call = _function("wasmtime_func_call_unchecked", _Address, _Address, _Address, _Address, ctypes.c_size_t, _Address)
_define = _function(
    "wasmtime_linker_define_func_unchecked", _Address, _Address, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p,
    ctypes.c_size_t, _Address, _Address, _Address, _Address,
)  # fmt: skip
_trap_new = _function("wasmtime_trap_new", _Address, ctypes.c_char_p, ctypes.c_size_t)
_trap_delete = _function("wasm_trap_delete", None, _Address)
_trap_code = _function("wasmtime_trap_code", ctypes.c_bool, _Address, _Address)
_error_delete = _function("wasmtime_error_delete", None, _Address)
string_at = ctypes.string_at
memmove = ctypes.memmove


def use_quick_compiler(config: wasmtime.Config) -> None:
    """Compiles five to ten times faster to code that runs at about half the speed."""
    ffi.wasmtime_config_strategy_set(config.ptr(), WINCH)


HostFunction = Callable[[int, int, int, int], int | None]


def address_of(pointer: Any) -> int:
    return ctypes.cast(pointer, _Address).value or 0


def define(
    linker: wasmtime.Linker, module: str, name: str, parameters: list[str], results: list[str], function: HostFunction
) -> Any:
    """Defines a host function for all stores. Returns what must be kept alive with the linker."""
    kind = wasmtime.FuncType([_TYPES[one]() for one in parameters], [_TYPES[one]() for one in results])
    callback = _CALLBACK(function)
    error = _define(
        address_of(linker.ptr()), module.encode(), len(module), name.encode(), len(name), address_of(kind.ptr()),
        ctypes.cast(callback, _Address).value, None, None,
    )  # fmt: skip
    if error:
        _error_delete(error)
        raise RuntimeError(f"wasmtime refused to define {module}.{name}")
    return callback, kind


def new_trap() -> int:
    """A trap for a host function to return; the reason is kept on our side."""
    return _trap_new(b"stopped\0", 8)


STACK_OVERFLOW, OUT_OF_BOUNDS, INTERRUPT = 0, 1, 10


def take_trap(trap: int) -> int:
    """Reads a trap's code (-1: one of ours) and frees it."""
    code = ctypes.c_uint8(255)
    known = _trap_code(trap, ctypes.addressof(code))
    _trap_delete(trap)
    return code.value if known else -1


class Calls:
    """The memory a raw call needs, shared by all calls of one thread and depth."""

    def __init__(self) -> None:
        self.trap = ctypes.c_void_p()
        self.trap_address = ctypes.addressof(self.trap)
        self.buffer = (ctypes.c_int32 * (4 * 16))()
        self.buffer_address = ctypes.addressof(self.buffer)


def context_of(store: wasmtime.Store) -> int:
    return address_of(store._context())


_export_get = _function(
    "wasmtime_instance_export_get", ctypes.c_bool, _Address, _Address, ctypes.c_char_p, ctypes.c_size_t, _Address
)
_memory_data = _function("wasmtime_memory_data", _Address, _Address, _Address)


def export(context: int, instance: wasmtime.Instance, name: str) -> tuple[ffi.wasmtime_extern_t, int]:
    """An export and the address of its handle, which is valid as long as the first is kept."""
    found = ffi.wasmtime_extern_t()
    if not _export_get(
        context, ctypes.addressof(instance._instance), name.encode(), len(name), ctypes.addressof(found)
    ):
        raise RuntimeError(f"the module exports no {name}")
    return found, ctypes.addressof(found.of)


def memory_address(context: int, handle: int) -> int:
    """Where a linear memory lies; it never moves when it never grows."""
    return _memory_data(context, handle)


def view(address: int, size: int) -> memoryview:
    return memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")


def free_error(error: int) -> None:
    _error_delete(error)
