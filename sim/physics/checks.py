"""What an engine is told, checked before it is believed: everything is finite and within its limits, or it is a BadBody."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.physics.engine import HIGHEST, LOWEST, OUTSIDE, BadBody


def vector(values: Sequence[float], what: str, limit: float = math.inf) -> NDArray[np.float64]:
    """Three finite numbers, shortened to `limit`. BadBody otherwise."""
    array = np.asarray(values, np.float64).reshape(-1)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise BadBody(f"{what} must be three finite numbers, not {values!r}")
    size = float(np.abs(array).max())
    if size > limit:
        array = array * (limit / size)
        size = math.sqrt(float(array @ array))
        if size > limit:
            array *= limit / size
    return array


def position(values: Sequence[float]) -> NDArray[np.float64]:
    """Three finite numbers, held inside the world that bodies may be in (metres). BadBody otherwise."""
    x, y, z = vector(values, "position")
    edge = 256.0 + OUTSIDE
    return np.array([min(max(x, -OUTSIDE), edge), min(max(y, -OUTSIDE), edge), min(max(z, LOWEST), HIGHEST)])


def positions(values: NDArray[Any]) -> NDArray[np.float64]:
    """As `position`, for many: (n, 3)."""
    array = np.asarray(values, np.float64).reshape(-1, 3)
    if not np.isfinite(array).all():
        raise BadBody("a position is infinite or not a number")
    edge = 256.0 + OUTSIDE
    return np.clip(array, (-OUTSIDE, -OUTSIDE, LOWEST), (edge, edge, HIGHEST))


def rotations(values: NDArray[Any]) -> NDArray[np.float64]:
    """As `rotation`, for many: (n, 4)."""
    array = np.asarray(values, np.float64).reshape(-1, 4)
    size = np.linalg.norm(array, axis=1, keepdims=True)
    if not ((size > 1e-6) & (size < 1e6)).all():  # nor holds for NaN
        raise BadBody("a rotation is no turn")
    return array / size


def rotation(values: Sequence[float]) -> NDArray[np.float64]:
    """A quaternion x y z w of any sensible length, made one of length 1. BadBody otherwise."""
    array = np.asarray(values, np.float64).reshape(-1)
    if array.shape != (4,) or not np.isfinite(array).all():
        raise BadBody(f"rotation must be four finite numbers, not {values!r}")
    size = math.sqrt(float(array @ array))
    if not 1e-6 < size < 1e6:
        raise BadBody(f"rotation {values!r} is no turn")
    return array / size


def number(value: Any, low: float, high: float, what: str) -> float:
    """A number held between two limits. BadBody for NaN."""
    given = float(value)
    if math.isnan(given):
        raise BadBody(f"{what} is not a number")
    return min(max(given, low), high)
