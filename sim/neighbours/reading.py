"""What the decoders of hand-overs are made of: each function returns a value that is what it should be, or raises ProtocolError.

Everything comes from another process: a NaN in a position would spread.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any
from uuid import UUID

from protocol.errors import ProtocolError


def check_version(value: dict[str, Any], known: int, what: str) -> None:
    """The version a record says it has; none at all is the first."""
    version = value.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ProtocolError(f"version of a {what} must be a positive number")
    if version > known:
        raise ProtocolError(f"this region reads version {known} of a {what}, not {version}: it runs an older program")


def uuid_of(value: Any, name: str) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except (TypeError, ValueError, AttributeError):
        raise ProtocolError(f"{name} must be a uuid") from None


def whole(value: Any, lowest: int, highest: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise ProtocolError(f"{name} must be a whole number from {lowest} to {highest}")
    return value


def number(value: Any, limit: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > limit:
        raise ProtocolError(f"{name} must be a finite number of at most {limit:g}")
    return float(value)


def words(value: Any, least: int, most: int, name: str) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise ProtocolError(f"{name} must be a text of {least} to {most} characters")
    return value


def vector(value: Any, length: int, limit: float) -> tuple[float, ...]:
    """So many finite numbers of at most `limit` in size."""
    if not isinstance(value, list | tuple) or len(value) != length:
        raise ProtocolError(f"expected {length} numbers")
    try:
        parts = tuple(float(part) for part in value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProtocolError("expected numbers") from error
    if not all(math.isfinite(part) and abs(part) <= limit for part in parts):
        raise ProtocolError(f"numbers must be finite and at most {limit}")
    return parts


def vector3(value: Any, limit: float) -> tuple[float, float, float]:
    x, y, z = vector(value, 3, limit)
    return x, y, z


def turn(value: Any) -> tuple[float, float, float, float]:
    """A rotation, made a unit one."""
    x, y, z, w = vector(value, 4, 1.01)
    length = math.sqrt(x * x + y * y + z * z + w * w)
    if length < 0.5:
        raise ProtocolError("rotation is not a unit quaternion")
    return x / length, y / length, z / length, w / length


def octets(value: Any, most: int, name: str) -> bytes:
    """Bytes as base64."""
    if not isinstance(value, str) or len(value) > 2 * most + 4:
        raise ProtocolError(f"{name} must be base64 of at most {most} bytes")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError(f"{name} is not base64") from error
    if len(data) > most:
        raise ProtocolError(f"{name} has more than {most} bytes")
    return data


def listed(value: Any, most: int, name: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ProtocolError(f"{name} must be a list of at most {most}")
    return value


def mapped(value: Any, most: int, name: str) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > most:
        raise ProtocolError(f"{name} must be an object of at most {most} members")
    return value
