"""LSL's seven types as Python values, and the conversions between them, digit for digit.

integer: int (32 bits, signed); float: float holding a 32-bit value; string: str; key: Key; vector: Vector; rotation:
Rotation; list: list of the other six. The compiler folds constants with these, the machine casts with them, and library
functions take and return them.
"""

from __future__ import annotations

import math
import re
import struct
from typing import NamedTuple, TypeAlias


class Key(str):
    """A key: any text, though only a valid UUID names something."""

    __slots__ = ()


class Vector(NamedTuple):
    x: float
    y: float
    z: float


class Rotation(NamedTuple):
    x: float
    y: float
    z: float
    s: float


Item: TypeAlias = int | float | str | Key | Vector | Rotation
Value: TypeAlias = int | float | str | Key | Vector | Rotation | list[Item]

ZERO_VECTOR = Vector(0.0, 0.0, 0.0)
ZERO_ROTATION = Rotation(0.0, 0.0, 0.0, 1.0)
NULL_KEY = Key("00000000-0000-0000-0000-000000000000")
DEFAULTS: dict[str, Value] = {
    "integer": 0, "float": 0.0, "string": "", "key": Key(""), "vector": ZERO_VECTOR, "rotation": ZERO_ROTATION,
    "list": [],
}  # fmt: skip

_single = struct.Struct("<f")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\Z")
_SPACE = " \t\n\r\v\f"
_INTEGER = re.compile(r"[ \t\n\r\v\f]*([-+]?)(?:0[xX]([0-9a-fA-F]+)|([0-9]+))", re.A)
_FLOAT = re.compile(
    r"[ \t\n\r\v\f]*([-+]?(?:0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][-+]?[0-9]+)?"
    r"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|inf(?:inity)?|nan))",
    re.A | re.I,
)


def to_single(value: float) -> float:
    """The nearest 32-bit float; too large becomes infinity."""
    try:
        return _single.unpack(_single.pack(value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def wrap(value: int) -> int:
    """32 bits, two's complement."""
    value &= 0xFFFFFFFF
    return value - 0x100000000 if value > 0x7FFFFFFF else value


def float_to_integer(value: float) -> int:
    """Toward zero; NaN, infinity and out of range give -2147483648."""
    return int(value) if -2147483649.0 < value < 2147483648.0 else -2147483648


def is_uuid(text: str) -> bool:
    return len(text) == 36 and _UUID.match(text) is not None


def is_true_key(text: str) -> bool:
    """A key is true when it is a valid UUID and not the null one."""
    return is_uuid(text) and text != NULL_KEY


def string_to_integer(text: str) -> int:
    """Leading spaces, sign, digits or 0x digits; the rest ignored; beyond 32 bits: -1."""
    match = _INTEGER.match(text)
    if match is None:
        return 0
    sign, hexadecimal, decimal = match.groups()
    if hexadecimal is not None:
        digits = hexadecimal.lstrip("0") or "0"
        number = int(digits, 16) if len(digits) <= 8 else 0x1_0000_0000
    else:
        digits = decimal.lstrip("0") or "0"
        number = int(digits) if len(digits) <= 10 else 0x1_0000_0000
    if number > 0xFFFFFFFF:
        return -1
    return wrap(-number if sign == "-" else number)


def string_to_float(text: str) -> float:
    """The longest number at the start; 0.0 if there is none."""
    match = _FLOAT.match(text)
    if match is None:
        return 0.0
    body = match.group(1)
    if "x" in body or "X" in body:
        try:
            return to_single(float.fromhex(body))
        except OverflowError:
            return -math.inf if body[0] == "-" else math.inf
    return to_single(float(body))


def _parts(text: str, count: int) -> list[float] | None:
    """`< a , b , c >` as numbers, as sscanf would read them."""
    at = 0
    text = text.lstrip(_SPACE)
    if not text.startswith("<"):
        return None
    at = 1
    values = []
    for index in range(count):
        match = _FLOAT.match(text, at)
        if match is None:
            return None
        values.append(string_to_float(match.group(1)))
        at = match.end()
        while at < len(text) and text[at] in _SPACE:
            at += 1
        if index < count - 1:
            if text[at : at + 1] != ",":
                return None
            at += 1
    return values


def string_to_vector(text: str) -> Vector:
    parts = _parts(text, 3)
    return Vector(*parts) if parts is not None else ZERO_VECTOR


def string_to_rotation(text: str) -> Rotation:
    parts = _parts(text, 4)
    return Rotation(*parts) if parts is not None else ZERO_ROTATION


def format_float(value: float, places: int = 6) -> str:
    """As Mono formats a 32-bit float with a fixed number of decimals: seven significant digits, then zeros.

    Infinity is "Infinity", not a number "NaN", and negative zero keeps its sign.
    """
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0.0:
        return ("-0." if math.copysign(1.0, value) < 0 else "0.") + "0" * places
    digits, exponent = f"{abs(value):.6e}".split("e")  # seven significant digits
    scaled = int(digits.replace(".", ""))
    # value = scaled * 10**shift
    shift = int(exponent) - 6
    drop = -shift - places
    if drop > 0:  # round half up at the last decimal
        power = 10**drop
        scaled = (scaled + power // 2) // power
    else:
        scaled *= 10**-drop
    text = str(scaled).rjust(places + 1, "0")
    # A negative value that rounds to nothing loses its sign; negative zero itself keeps it.
    return ("-" if value < 0 and scaled else "") + text[:-places] + "." + text[-places:]


def to_string(value: Value, in_list: bool = False) -> str:
    """(string)value. Vectors and rotations have five decimals, inside lists six."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return format_float(value)
    if isinstance(value, tuple):
        places = 6 if in_list else 5
        return "<" + ", ".join([format_float(part, places) for part in value]) + ">"
    return "".join([to_string(item, True) for item in value])


def type_of(value: Value) -> str:
    """The LSL type of a Python value."""
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "float"
    if isinstance(value, Key):
        return "key"
    if isinstance(value, str):
        return "string"
    if isinstance(value, Vector):
        return "vector"
    if isinstance(value, Rotation):
        return "rotation"
    return "list"


def cast(value: Value, to: str) -> Value:
    """An explicit cast the language allows; the checker has refused the others."""
    kind = type_of(value)
    if to == kind:
        return value
    if to == "string":
        return to_string(value)
    if to == "list":
        return [value]  # type: ignore[list-item]
    if to == "integer":
        return string_to_integer(str(value)) if isinstance(value, str) else float_to_integer(value)  # type: ignore[arg-type]
    if to == "float":
        return string_to_float(str(value)) if isinstance(value, str) else to_single(float(value))  # type: ignore[arg-type]
    if to == "key":
        return Key(str(value))
    if to == "vector":
        return string_to_vector(str(value))
    return string_to_rotation(str(value))
