"""Which grid a body is in: one of what rests for ever, built when that changed, and one of what may move, built in every
step in which something is awake. `broadphase.py` has the kernels that fill and read them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.physics import broadphase
from sim.physics.data import Bodies, Found

FRESH = 64  # statics that may wait beside the grid before it is built anew


class Grids:
    def __init__(self) -> None:
        self.movers_stale = False
        self._static_grid = np.zeros(broadphase.STATIC_SIDE**2 + 1, np.int32)
        self._static_items = np.zeros(0, np.int32)
        self._mover_grid = np.zeros(broadphase.MOVER_SIDE**2 + 1, np.int32)
        self._mover_items = np.zeros(0, np.int32)
        self._fresh = np.zeros(FRESH, np.int32)
        self._fresh_set: dict[int, None] = {}

    @property
    def found(self) -> Found:
        """For kernels, after `prepare`."""
        return Found(
            self._static_grid,
            self._static_items,
            self._mover_grid,
            self._mover_items,
            self._fresh,
            len(self._fresh_set),
        )

    def entered(self, handles: list[int], static: bool) -> None:
        """Bodies have a new place, shape or kind."""
        if static:
            self._fresh_set.update(dict.fromkeys(handles))
        else:
            self.movers_stale = True

    def left(self, handle: int) -> None:
        """A body leaves its place."""
        self._fresh_set.pop(handle, None)
        self.movers_stale = True

    def prepare(self, bodies: Bodies, count: int) -> None:
        """Statics that came lately are found, in the grid or beside it."""
        if len(self._fresh_set) > FRESH:
            side, inv = broadphase.STATIC_SIDE, 1.0 / broadphase.STATIC_CELL
            self._static_items = _build(bodies, count, True, side, inv, self._static_grid, self._static_items)
            self._fresh_set.clear()
        self._fresh[: len(self._fresh_set)] = list(self._fresh_set)

    def build_movers(self, bodies: Bodies, count: int) -> None:
        """All that may move is found where its bounds are."""
        side, inv = broadphase.MOVER_SIDE, 1.0 / broadphase.MOVER_CELL
        self._mover_items = _build(bodies, count, False, side, inv, self._mover_grid, self._mover_items)
        self.movers_stale = False


def _build(
    bodies: Bodies, count: int, statics: bool, side: int, inv: float, start: NDArray[np.int32], items: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Build a grid; its items, in a larger array where they had no room."""
    total = broadphase.build_grid(bodies, count, statics, side, inv, start, items)
    if total > len(items):
        items = np.zeros(total + total // 2, np.int32)
        broadphase.build_grid(bodies, count, statics, side, inv, start, items)
    return items
