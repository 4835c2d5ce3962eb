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


def places(positions: NDArray[Any], rotations: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], list[int]]:
    """As `position` and `rotation`, for many: (n, 3) and (n, 4), and the indexes of those where one of them is none."""
    where = np.asarray(positions, np.float64).reshape(-1, 3)
    how = np.asarray(rotations, np.float64).reshape(-1, 4)
    if len(where) != len(how):
        raise BadBody("as many rotations as positions, please")
    size = np.linalg.norm(how, axis=1, keepdims=True)
    good = np.isfinite(where).all(axis=1) & ((size > 1e-6) & (size < 1e6))[:, 0]  # which a NaN fails
    where, how = np.where(good[:, None], where, 0.0), np.where(good[:, None], how, (0.0, 0.0, 0.0, 1.0))
    how = how / np.where(good[:, None], size, 1.0)
    edge = 256.0 + OUTSIDE
    return np.clip(where, (-OUTSIDE, -OUTSIDE, LOWEST), (edge, edge, HIGHEST)), how, np.flatnonzero(~good).tolist()


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
