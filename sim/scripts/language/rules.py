"""What the operators accept and give: the type rules of LSL in one place, and their constant folding."""

from __future__ import annotations

import math

from sim.scripts.language.values import Rotation, Value, Vector, cast, is_true_key, to_single, to_string, wrap

_NUMBERS = ("integer", "float")
MOST_FOLDED_TEXT = 60_000

_RESULT: dict[tuple[str, str, str], str] = {}


def _fill() -> None:
    for left in _NUMBERS:
        for right in _NUMBERS:
            both = "integer" if left == right == "integer" else "float"
            for operator in ("+", "-", "*", "/"):
                _RESULT[operator, left, right] = both
            for operator in ("<", ">", "<=", ">=", "==", "!="):
                _RESULT[operator, left, right] = "integer"
        for operator in ("*", "/"):
            _RESULT[operator, "vector", left] = "vector"
        _RESULT["*", left, "vector"] = "vector"
    for operator in ("%", "&", "|", "^", "<<", ">>", "&&", "||"):
        _RESULT[operator, "integer", "integer"] = "integer"
    for kind in ("vector", "rotation"):
        for operator in ("+", "-"):
            _RESULT[operator, kind, kind] = kind
        for operator in ("*", "/"):
            _RESULT[operator, kind, "rotation"] = kind
    _RESULT["*", "vector", "vector"] = "float"
    _RESULT["%", "vector", "vector"] = "vector"
    for kind in ("string", "key", "vector", "rotation", "list"):
        for operator in ("==", "!="):
            _RESULT[operator, kind, kind] = "integer"
    for left, right in (("string", "key"), ("key", "string")):
        _RESULT["==", left, right] = _RESULT["!=", left, right] = "integer"
    _RESULT["+", "string", "string"] = "string"
    for kind in ("integer", "float", "string", "key", "vector", "rotation", "list"):
        _RESULT["+", "list", kind] = _RESULT["+", kind, "list"] = "list"


_fill()

_CASTS = {
    "integer": {"float", "string", "list"},
    "float": {"integer", "string", "list"},
    "string": {"integer", "float", "key", "vector", "rotation", "list"},
    "key": {"string", "list"},
    "vector": {"string", "list"},
    "rotation": {"string", "list"},
    "list": {"string"},
}


def binary_type(operator: str, left: str, right: str) -> str | None:
    """The type of `left operator right`, or None when the language has no such operation."""
    return _RESULT.get((operator, left, right))


def may_cast(kind: str, to: str) -> bool:
    return kind == to or to in _CASTS.get(kind, ())


def may_assign(kind: str, to: str) -> bool:
    """Whether a value goes into a place without a cast."""
    return kind == to or (kind, to) in (("integer", "float"), ("string", "key"), ("key", "string"))


def is_true(value: Value, kind: str) -> bool:
    """What a condition makes of a value."""
    if kind == "key":
        return is_true_key(str(value))
    if kind in ("string", "list"):
        return len(value) > 0  # type: ignore[arg-type]
    if kind == "vector":
        return value != (0.0, 0.0, 0.0)
    if kind == "rotation":
        return value != (0.0, 0.0, 0.0, 1.0)
    return bool(value)


def _integers(operator: str, a: int, b: int) -> int | None:
    if operator in ("/", "%"):
        if b == 0:
            return None
        quotient = abs(a) // abs(b)
        if (a < 0) != (b < 0):
            quotient = -quotient
        return wrap(quotient if operator == "/" else a - b * quotient)
    if operator == "<<":
        return wrap(a << (b & 31))
    if operator == ">>":
        return a >> (b & 31)
    if operator in ("&&", "||"):
        return int(bool(a) and bool(b)) if operator == "&&" else int(bool(a) or bool(b))
    if operator in ("&", "|", "^"):
        return {"&": a & b, "|": a | b, "^": a ^ b}[operator]
    return wrap({"+": a + b, "-": a - b, "*": a * b}[operator])


def _compare(operator: str, a: float, b: float) -> int:
    return int({"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b, "==": a == b, "!=": a != b}[operator])


def fold(operator: str, left: Value, left_kind: str, right: Value, right_kind: str) -> Value | None:
    """The constant result, or None when it is left to run time (errors, vectors, lists)."""
    if left_kind in _NUMBERS and right_kind in _NUMBERS:
        assert isinstance(left, int | float) and isinstance(right, int | float)
        if operator in ("<", ">", "<=", ">=", "==", "!="):
            return _compare(operator, left, right)
        if left_kind == right_kind == "integer":
            assert isinstance(left, int) and isinstance(right, int)
            return _integers(operator, left, right)
        a, b = float(left), float(right)
        if operator == "/" and b == 0.0:
            return None
        # 64 bits, as at run time; what is no number is an error that the script meets there
        result = a / b if operator == "/" else {"+": a + b, "-": a - b, "*": a * b}[operator]
        return None if result != result else result
    if left_kind in ("string", "key") and right_kind in ("string", "key"):
        if operator == "+":
            assert isinstance(left, str) and isinstance(right, str)
            return str(left) + str(right) if len(left) + len(right) < MOST_FOLDED_TEXT else None
        return _compare(operator, left, right)  # type: ignore[arg-type]
    return None


def fold_unary(operator: str, value: Value, kind: str) -> Value | None:
    if kind == "integer":
        assert isinstance(value, int)
        return {"-": wrap(-value), "!": int(value == 0), "~": ~value}[operator]
    if operator == "-" and isinstance(value, float):
        return -value
    if operator == "-" and isinstance(value, Vector):
        return Vector(-value.x, -value.y, -value.z)
    if operator == "-" and isinstance(value, Rotation):
        return Rotation(-value.x, -value.y, -value.z, -value.s)
    return None


def fold_cast(value: Value, kind: str, to: str) -> Value | None:
    if kind == "float" and to == "string":
        assert isinstance(value, float)
        return to_string(to_single(value))
    if to == "list" and kind != "list":
        return None
    return cast(value, to)


def convert(value: Value, to: str) -> Value:
    """A constant as it is stored in a place of type `to` (already known assignable)."""
    if to == "float":
        return to_single(float(value))  # type: ignore[arg-type]
    return cast(value, to)


def is_finite(value: float) -> bool:
    return math.isfinite(value)
