"""Colours: between the sRGB that people choose and the linear light that is reckoned with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import Vector
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script


def _to_linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _to_srgb(value: float) -> float:
    return value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1.0 / 2.4) - 0.055


def _each(colour: Vector, change: object) -> Vector:
    return Vector(*[_bounded(part, change) for part in colour])


def _bounded(part: float, change: object) -> float:
    """Parts far outside 0 to 1 are no colours: infinite rather than an error."""
    assert callable(change)
    try:
        return change(part)
    except OverflowError:
        return float("inf")


@ll
def llsRGB2Linear(script: Script, colour: Vector) -> Vector:
    """The linear colour of an sRGB one; both have parts from 0 to 1."""
    return _each(colour, _to_linear)


@ll
def llLinear2sRGB(script: Script, colour: Vector) -> Vector:
    """The sRGB colour of a linear one; both have parts from 0 to 1."""
    return _each(colour, _to_srgb)
