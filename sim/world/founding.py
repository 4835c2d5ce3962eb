"""The ground of a region that is new in a grid which grows: it meets what stands, and what stands never moves.

A grid grows in steps: the squares it began with have age 0, those of its first growth age 1, and so on. A region's ground is
natural (`terrain.generate`) as if all squares of its own age and older ones were land, and no others were: that is what the grid
looked like when the region was new. Where it borders on an older region, whose coast was made when nothing lay beyond it, the
younger one gives way: within BEACH of the border its ground is drawn to the height of the older one's edge.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from protocol.wellknown import REGION_SIZE
from sim.world.terrain import BEACH, EDGE, Heights, generate

Square = tuple[int, int]


def found(grid_x: int, grid_y: int, seed: int, ages: Mapping[Square, int]) -> Heights:
    """Heights (257, 257) [y, x] in metres of the region at this square. `ages`: of every square that holds a region.

    The same for good, whatever squares are added with higher ages; without any other square a continent without end.
    """
    return _found((grid_x, grid_y), seed, ages, {})


def _found(square: Square, seed: int, ages: Mapping[Square, int], made: dict[Square, Heights]) -> Heights:
    if square in made:
        return made[square]
    x, y = square
    age = ages.get(square, 0)
    land = {at for at, other in ages.items() if other <= age}
    ground = generate(x, y, seed, land or None).astype(np.float64)
    beside = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if ages.get((x + dx, y + dy), age) < age]
    for dx, dy in sorted(beside, key=lambda step: abs(step[0]) + abs(step[1])):  # sides before corners
        _meet(ground, _found((x + dx, y + dy), seed, ages, made), dx, dy)
    made[square] = ground.astype(np.float32)
    return made[square]


def _meet(ground: np.ndarray, older: Heights, dx: int, dy: int) -> None:
    """Draw the ground to the edge that it shares with an older region in that direction."""
    here_x, here_y = _line(dx), _line(dy)
    there_x, there_y = _line(-dx), _line(-dy)
    gap = older[there_y, there_x].astype(np.float64) - ground[here_y, here_x]
    ground += gap * _nearness(dx)[None, :] * _nearness(dy)[:, None]


def _line(step: int) -> slice:
    """The samples at the edge in a direction, all of them for none; kept as an axis."""
    return slice(None) if step == 0 else slice(0, 1) if step < 0 else slice(REGION_SIZE, EDGE)


def _nearness(step: int) -> np.ndarray:
    """1 at the edge in a direction, falling smoothly to 0 at BEACH from it; 1 everywhere for none."""
    if step == 0:
        return np.ones(EDGE)
    metres = np.arange(EDGE) if step < 0 else REGION_SIZE - np.arange(EDGE)
    t = np.clip(1.0 - metres / BEACH, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
