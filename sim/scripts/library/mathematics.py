"""Numbers: rounding, powers, logarithms, angles. What has no result gives NaN or infinity, never an error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sim.scripts.language.values import float_to_integer
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

UNSIGNED = 0xFFFFFFFF


@ll
def llAbs(script: Script, value: int) -> int:
    """The absolute value of an integer; that of -2147483648 doesn't fit and stays as it is."""
    return abs(value)


@ll
def llFabs(script: Script, value: float) -> float:
    """The absolute value of a float."""
    return abs(value)


@ll
def llRound(script: Script, value: float) -> int:
    """The nearest integer, halves upwards: 2.5 is 3, -2.5 is -2. Out of range: -2147483648."""
    return float_to_integer(math.floor(value + 0.5)) if math.isfinite(value) else -2147483648


@ll
def llFloor(script: Script, value: float) -> int:
    """The largest integer not above. Out of range: -2147483648."""
    return float_to_integer(math.floor(value)) if math.isfinite(value) else -2147483648


@ll
def llCeil(script: Script, value: float) -> int:
    """The smallest integer not below. Out of range: -2147483648."""
    return float_to_integer(math.ceil(value)) if math.isfinite(value) else -2147483648


@ll
def llSqrt(script: Script, value: float) -> float:
    """The square root; NaN of a negative number."""
    return math.sqrt(value) if value >= 0.0 else math.nan


@ll
def llPow(script: Script, base: float, exponent: float) -> float:
    """base to the power of exponent; NaN when the result is not a real number, infinity when it is too large."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0.0 and math.fmod(exponent, 2.0) else math.inf
    except ValueError:
        # Zero to a negative power is infinite; a negative base needs a whole exponent.
        if base != 0.0:
            return math.nan
        return math.copysign(math.inf, base) if math.fmod(exponent, 2.0) in (1.0, -1.0) else math.inf


@ll
def llModPow(script: Script, base: int, exponent: int, modulus: int) -> int:
    """(base to the power of exponent) modulo modulus, all taken as unsigned 32-bit numbers; 0 when the modulus is 0."""
    if modulus == 0:
        return 0
    return pow(base & UNSIGNED, exponent & UNSIGNED, modulus & UNSIGNED)


@ll
def llLog(script: Script, value: float) -> float:
    """The natural logarithm; 0 of zero and negative numbers."""
    return math.log(value) if value > 0.0 else (value if value != value else 0.0)


@ll
def llLog10(script: Script, value: float) -> float:
    """The logarithm to base 10; 0 of zero and negative numbers."""
    return math.log10(value) if value > 0.0 else (value if value != value else 0.0)


@ll
def llSin(script: Script, angle: float) -> float:
    """The sine of an angle in radians; NaN of infinity."""
    return math.sin(angle) if math.isfinite(angle) else math.nan


@ll
def llCos(script: Script, angle: float) -> float:
    """The cosine of an angle in radians; NaN of infinity."""
    return math.cos(angle) if math.isfinite(angle) else math.nan


@ll
def llTan(script: Script, angle: float) -> float:
    """The tangent of an angle in radians; NaN of infinity."""
    return math.tan(angle) if math.isfinite(angle) else math.nan


@ll
def llAsin(script: Script, value: float) -> float:
    """The angle, -PI/2 to PI/2, with this sine; NaN outside -1 to 1."""
    return math.asin(value) if -1.0 <= value <= 1.0 else math.nan


@ll
def llAcos(script: Script, value: float) -> float:
    """The angle, 0 to PI, with this cosine; NaN outside -1 to 1."""
    return math.acos(value) if -1.0 <= value <= 1.0 else math.nan


@ll
def llAtan2(script: Script, y: float, x: float) -> float:
    """The angle, -PI to PI, from the x axis to (x, y); y comes first."""
    return math.atan2(y, x)
