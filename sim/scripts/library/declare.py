"""The rails of the library: `@ll` turns a Python function into an LSL function. See the package's docstring for how."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, overload

from sim.scripts.language.builtins import Builtin, table

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

F = TypeVar("F", bound=Callable[..., Any])

_PYTHON = {
    "integer": ("int", "bool"), "float": ("float",), "string": ("str",), "key": ("Key",), "vector": ("Vector",),
    "rotation": ("Rotation",), "list": ("list[Item]",), "void": ("None",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Declared:
    """One built LSL function.

    function: the Python one, as written; call: what the machine calls, with permission, energy and forced sleep around
    it; lacks: what it does not do yet, for the coverage table; family: the file it is in.
    """

    builtin: Builtin
    function: Callable[..., Any]
    call: Callable[..., Any]
    lacks: str
    family: str


LIBRARY: dict[str, Declared] = {}


class DeclarationError(TypeError):
    """A library function that does not fit the language's table."""


def _check(builtin: Builtin, function: Callable[..., Any]) -> None:
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    if not parameters or parameters[0].name != "script":
        raise DeclarationError(f"{builtin.name}: the first parameter is `script: Script`")
    if len(parameters) != len(builtin.arguments) + 1:
        raise DeclarationError(f"{builtin.name}: {builtin.signature} has {len(builtin.arguments)} arguments")
    for parameter, (kind, _) in zip(parameters[1:], builtin.arguments, strict=True):
        if parameter.annotation not in _PYTHON[kind][:1]:
            raise DeclarationError(f"{builtin.name}: {parameter.name} is {kind}: write {_PYTHON[kind][0]}")
    if signature.return_annotation not in _PYTHON[builtin.returns]:
        raise DeclarationError(f"{builtin.name}: returns {builtin.returns}: write -> {_PYTHON[builtin.returns][0]}")
    if not (function.__doc__ or "").strip():
        raise DeclarationError(f"{builtin.name}: has no docstring; it is the function's reference")


def _around(builtin: Builtin, function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what the table says happens around every call."""
    sleep, energy, needs = builtin.sleep, builtin.energy, builtin.needs
    if not sleep and not needs:
        return function  # energy only counts for what pushes objects, and those functions ask for it themselves

    @wraps(function)
    def call(script: Script, *values: Any) -> Any:
        if needs and not script.may(needs):
            script.complain(f"{builtin.name}: Permission {needs} is not granted")
            result = None
        else:
            result = function(script, *values)
        if sleep:
            script.sleep(sleep)
        return _NOTHING[builtin.returns] if result is None and builtin.returns != "void" else result

    call.energy = energy  # type: ignore[attr-defined]
    return call


_NOTHING: dict[str, Any] = {
    "integer": 0, "float": 0.0, "string": "", "key": "", "vector": (0.0, 0.0, 0.0), "rotation": (0.0, 0.0, 0.0, 1.0),
    "list": [],
}  # fmt: skip


@overload
def ll(function: F, /) -> F: ...


@overload
def ll(*, lacks: str = "") -> Callable[[F], F]: ...


def ll(function: Any = None, /, *, lacks: str = "") -> Any:
    """Declares an LSL function under the Python function's own name. Raises DeclarationError if it does not fit the
    table."""

    def declare(function: F) -> F:
        name = function.__name__
        builtin = table().functions.get(name)
        if builtin is None:
            raise DeclarationError(f"LSL has no function {name}")
        if name in LIBRARY:
            raise DeclarationError(f"{name} is declared twice")
        _check(builtin, function)
        family = function.__module__.rsplit(".", 1)[-1]
        LIBRARY[name] = Declared(builtin, function, _around(builtin, function), lacks, family)
        return function

    return declare if function is None else declare(function)
