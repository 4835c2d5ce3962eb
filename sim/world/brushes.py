"""What the brushes of viewers do to heights: pure arithmetic on a block of samples.

Viewers ask for one of six deeds (llModifyLand has the same numbers), with a strength that grows with the time the button is
held or with a slider, at a point or for a whole rectangle:

    level     towards a height          smooth    towards the mean around each sample
    raise     up, in metres             noise     up and down at random, in metres
    lower     down, in metres           revert    towards the ground as the region was made

At a point the strength falls from the middle to nothing at the brush's radius.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sim.world.terrain import Array, Heights, noise

MOST_STRENGTH = 5.0  # of one deed; a viewer's smoothing of an area has it
NOISE_LENGTH = 5  # metres from one bump to the next
_FURTHEST = 4  # samples around one that its mean is of


class Deed(IntEnum):
    """ModifyLand's Action."""

    LEVEL = 0
    RAISE = 1
    LOWER = 2
    SMOOTH = 3
    NOISE = 4
    REVERT = 5


def falloff(xs: NDArray[np.int64], ys: NDArray[np.int64], x: float, y: float, radius: float) -> Array:
    """1 at (x, y) to 0 at the radius and beyond, [y, x], of samples in these columns and rows; metres."""
    distance = np.hypot(xs - x, (ys - y)[:, None])
    return np.where(distance < radius, np.cos(np.minimum(distance / radius, 1.0) * (np.pi / 2)), 0.0)


def shaped(
    deed: Deed,
    heights: Heights,
    made: Heights,
    xs: slice,
    ys: slice,
    weights: Array | float,
    level: float,
    reach: float,
    seed: int,
) -> Array:
    """The block `[ys, xs]` after a deed, metres, float64.

    `made`: the ground as the region was made. `weights`: the strength at each sample, a share where the deed goes towards
    something (more than 1 counts as all of it) and metres elsewhere. `reach`: over how many metres smoothing takes its mean.
    """
    before = heights[ys, xs].astype(np.float64)
    share = np.minimum(weights, 1.0)
    if deed is Deed.RAISE:
        return before + weights
    if deed is Deed.LOWER:
        return before - weights
    if deed is Deed.LEVEL:
        return before + share * (level - before)
    if deed is Deed.REVERT:
        return before + share * (made[ys, xs] - before)
    if deed is Deed.SMOOTH:
        return before + share * (_means(heights, xs, ys, min(max(round(reach), 1), _FURTHEST)) - before)
    # Noise is 0 at its lattice: shifted, so that no sample is spared every time.
    away = seed * 7919 % 1_000_003
    bumps = noise(np.arange(xs.start, xs.stop) + away, np.arange(ys.start, ys.stop) + away // 3, NOISE_LENGTH, seed)
    return before + weights * bumps


def _means(heights: Heights, xs: slice, ys: slice, reach: int) -> Array:
    """Of each sample of a block the mean of the square around it; at the region's edge of what there is, its last row again."""
    rows = np.clip(np.arange(ys.start - reach, ys.stop + reach), 0, heights.shape[0] - 1)
    columns = np.clip(np.arange(xs.start - reach, xs.stop + reach), 0, heights.shape[1] - 1)
    sums = np.zeros((len(rows) + 1, len(columns) + 1))
    sums[1:, 1:] = heights[np.ix_(rows, columns)].astype(np.float64).cumsum(axis=0).cumsum(axis=1)
    side = 2 * reach + 1
    return np.asarray(sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) / side**2
