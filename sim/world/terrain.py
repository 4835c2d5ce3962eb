"""The ground of a region: a grid of heights, made up from noise that knows no region borders.

Heights are sampled at whole metres, row by row from the south-west corner, with the far edges included:

    heights[y, x], x and y in 0..256          row 256 is row 0 of the neighbour to the north,
                                              column 256 is column 0 of the neighbour to the east

The shared edge makes every point of the region answerable from its own array, and two regions meet without a seam
because both compute the edge from the same *global* metre coordinates with the same arithmetic: equal to the last bit.

Between samples the surface is two flat triangles a cell, cut from south-west to north-east. A viewer draws the land as
triangles as well; and a plane a triangle gives physics an exact normal where a bilinear patch is curved.

    (x, y+1) +----+ (x+1, y+1)      upper-left triangle where the fraction fy > fx,
             |   /|                 lower-right one elsewhere
             |  / |
             | /  |
      (x, y) +----+ (x+1, y)
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from protocol.kernels import inline, kernel
from protocol.wellknown import REGION_SIZE, WATER_HEIGHT
from sim.world.changes import Log, What

Heights = NDArray[np.float32]
Array = NDArray[np.float64]

EDGE = REGION_SIZE + 1  # samples along one side, far edge included
PATCH = 16  # samples along one side of a LayerData patch
PATCHES = REGION_SIZE // PATCH
LOWEST, HIGHEST = -100.0, 255.0  # metres; what terraforming may reach

BEACH = 64.0  # metres from an open edge of the world inwards until the land has its full height
SEABED = WATER_HEIGHT - 5.0


# -- The land -----------------------------------------------------------------------------------------------------


def _hash(x: NDArray[np.int64], y: NDArray[np.int64], seed: int) -> NDArray[np.uint32]:
    """Scramble lattice points into 32 even bits (multiply and shift, after the well-known integer finalizers)."""
    h = (x.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ (y.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F))
    h ^= np.uint64((seed * 0x165667B19E3779F9) & 0xFFFFFFFFFFFFFFFF)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    h ^= h >> np.uint64(29)
    return (h >> np.uint64(32)).astype(np.uint32)


def noise(gx: NDArray[np.int64], gy: NDArray[np.int64], wavelength: int, seed: int) -> Array:
    """Gradient noise of one wavelength (whole metres) at the crossings of columns ``gx`` and rows ``gy``.

    Returns (len(gy), len(gx)) in about -1..1, 0 on average. The lattice is found by whole-number division of global
    metres, so a sample depends on where it is and never on which region asked.
    """
    cell_x, cell_y = gx // wavelength, gy // wavelength
    fx = (gx - cell_x * wavelength) / wavelength
    fy = ((gy - cell_y * wavelength) / wavelength)[:, None]
    lattice_x = np.arange(cell_x[0], cell_x[-1] + 2)
    lattice_y = np.arange(cell_y[0], cell_y[-1] + 2)
    angle = _hash(lattice_x[None, :], lattice_y[:, None], seed) * (2.0 * np.pi / 2**32)
    slope_x, slope_y = np.cos(angle), np.sin(angle)
    col, row = cell_x - cell_x[0], (cell_y - cell_y[0])[:, None]

    def corner(dx: int, dy: int) -> Array:
        r, c = row + dy, col + dx
        return slope_x[r, c] * (fx - dx) + slope_y[r, c] * (fy - dy)

    blend_x = fx * fx * fx * (fx * (fx * 6 - 15) + 10)  # quintic: no crease in the slope at lattice lines
    blend_y = fy * fy * fy * (fy * (fy * 6 - 15) + 10)
    south = corner(0, 0) + blend_x * (corner(1, 0) - corner(0, 0))
    north = corner(0, 1) + blend_x * (corner(1, 1) - corner(0, 1))
    return 1.5 * (south + blend_y * (north - south))


def _smooth(t: Array) -> Array:
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _lake(grid_x: int, grid_y: int, seed: int, gx: Array, gy: Array, wobble: Array) -> Array | None:
    """How much of a lake each sample is, 0..1, or None in a dry region (two of three are dry).

    A lake lies in one quarter of its region, clear of the borders and of the middle, where people land: so the mask is
    exactly 0 along every border and no neighbour needs to know.
    """
    dice = int(_hash(np.array([grid_x]), np.array([grid_y]), seed + 71)[0])
    # The first region always has one: a newcomer should see water.
    if dice % 3 and (grid_x, grid_y) != (1000, 1000):
        return None
    x = grid_x * REGION_SIZE + (72 if dice & 0x100 else 184)
    y = grid_y * REGION_SIZE + (72 if dice & 0x200 else 184)
    distance = np.hypot(gx - x, gy[:, None] - y) + 10.0 * wobble
    return _smooth((60.0 - distance) / 52.0)


def _coast(grid_x: int, grid_y: int, land: Collection[tuple[int, int]], gx: Array, gy: Array, wobble: Array) -> Array:
    """0 in the open sea to 1 inland, by the distance to the nearest square that is not land.

    Within BEACH of a point on a shared border lie only squares that touch both regions, so both see the same coast.
    """
    far = 4.0 * BEACH

    def distance(dx: int, dy: int) -> Array:
        """Metres from each sample to a neighbouring square; ``far`` where that square is land."""
        if (grid_x + dx, grid_y + dy) in land:
            return np.full((EDGE, EDGE), far)
        west, south = (grid_x + dx) * REGION_SIZE, (grid_y + dy) * REGION_SIZE
        out_x = np.maximum(np.maximum(west - gx, gx - (west + REGION_SIZE)), 0.0)
        out_y = np.maximum(np.maximum(south - gy, gy - (south + REGION_SIZE)), 0.0)
        return np.hypot(out_x, out_y[:, None])

    side_x = np.minimum(distance(-1, 0), distance(1, 0))
    side_y = np.minimum(distance(0, -1), distance(0, 1))
    # A minimum that rounds the corner of the land off where two open sides meet.
    near = np.minimum(side_x, side_y) - np.maximum(BEACH - np.abs(side_x - side_y), 0.0) ** 2 / (4.0 * BEACH)
    for dx, dy in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        near = np.minimum(near, distance(dx, dy))
    near = np.maximum(near, 0.0)
    # The shoreline wanders, except at the very edge, which stays under water.
    return _smooth((near + 9.0 * wobble * _smooth(near / 40.0)) / (BEACH - 12.0))


def generate(grid_x: int, grid_y: int, seed: int = 0, land: Collection[tuple[int, int]] | None = None) -> Heights:
    """The natural ground of a region: rolling meadows, some hills, here and there a lake.

    ``grid_x``, ``grid_y``: grid coordinates in regions. ``seed``: the world's, the same for all its regions.
    ``land``: grid coordinates of all regions of the world; where a neighbouring square is missing, the ground falls
    gently into the sea. None: a continent without end.

    Returns (257, 257) float32 heights [y, x] in metres. Away from coasts, borders and the middle of a region are land
    above water and no slope is over 35 degrees (40 where a hill meets the sea). The same arguments give the same bits.
    """
    gx = grid_x * REGION_SIZE + np.arange(EDGE, dtype=np.int64)
    gy = grid_y * REGION_SIZE + np.arange(EDGE, dtype=np.int64)

    def layer(wavelength: int, number: int) -> Array:
        return noise(gx, gy, wavelength, seed * 31 + number)

    broad, middle, fine = layer(310, 1), layer(137, 2), layer(61, 3)
    rolling = 25.0 + 2.6 * broad + 1.6 * middle + 0.7 * fine + 0.25 * layer(23, 4)
    hills = 9.5 * _smooth(1.5 * layer(260, 5) - 0.1) * (1.0 + 0.2 * middle)
    # A soft floor: valleys flatten out above the water instead of dipping under it.
    floor = WATER_HEIGHT + 1.6
    ground = floor + np.logaddexp(0.0, 1.5 * (rolling - floor)) / 1.5 + hills

    gx_f, gy_f = gx.astype(np.float64), gy.astype(np.float64)
    lake = _lake(grid_x, grid_y, seed, gx_f, gy_f, 0.6 * middle + 0.6 * fine)
    if lake is not None:
        ground += lake * (WATER_HEIGHT - 3.5 - ground)
    if land is not None:
        coast = _coast(grid_x, grid_y, land, gx_f, gy_f, 0.8 * middle + 0.4 * fine)
        ground = SEABED + coast * (ground - SEABED)
    return np.ascontiguousarray(ground, dtype=np.float32)


# -- Asking the surface ---------------------------------------------------------------------------------------------


@inline
def _cell(v: float, last: int) -> tuple[int, float]:
    """Cell and fraction of a coordinate, kept inside the grid (so that a wild or NaN position is an edge, never a read
    beyond the array)."""
    if not v > 0.0:
        return 0, 0.0
    if v >= last:
        return last - 1, 1.0
    i = int(v)
    return i, v - i


@kernel
def height_at(heights: Heights, x: float, y: float) -> float:
    """Ground height in metres at (x, y) metres in the region; positions outside take the nearest edge."""
    col, fx = _cell(x, heights.shape[1] - 1)
    row, fy = _cell(y, heights.shape[0] - 1)
    sw = float(heights[row, col])
    ne = float(heights[row + 1, col + 1])
    if fy > fx:
        nw = float(heights[row + 1, col])
        return sw + fy * (nw - sw) + fx * (ne - nw)
    se = float(heights[row, col + 1])
    return sw + fx * (se - sw) + fy * (ne - se)


@kernel
def normal_at(heights: Heights, x: float, y: float) -> tuple[float, float, float]:
    """Upward unit normal of the ground's triangle at (x, y)."""
    col, fx = _cell(x, heights.shape[1] - 1)
    row, fy = _cell(y, heights.shape[0] - 1)
    sw = float(heights[row, col])
    ne = float(heights[row + 1, col + 1])
    if fy > fx:
        nw = float(heights[row + 1, col])
        slope_x, slope_y = ne - nw, nw - sw
    else:
        se = float(heights[row, col + 1])
        slope_x, slope_y = se - sw, ne - se
    scale = 1.0 / np.sqrt(slope_x * slope_x + slope_y * slope_y + 1.0)
    return -slope_x * scale, -slope_y * scale, scale


@inline
def surface_at(heights: Heights, x: float, y: float) -> tuple[float, float, float]:
    """Ground height at (x, y), and how much it rises a metre towards x and y: both of the functions above from one look."""
    col, fx = _cell(x, heights.shape[1] - 1)
    row, fy = _cell(y, heights.shape[0] - 1)
    sw = float(heights[row, col])
    ne = float(heights[row + 1, col + 1])
    if fy > fx:
        nw = float(heights[row + 1, col])
        slope_x, slope_y = ne - nw, nw - sw
    else:
        se = float(heights[row, col + 1])
        slope_x, slope_y = se - sw, ne - se
    return sw + fx * slope_x + fy * slope_y, slope_x, slope_y


@kernel
def heights_at(heights: Heights, xy: Array, out: Array) -> None:
    """``height_at`` of n points: ``xy`` (n, 2) metres, ``out`` (n,)."""
    for i in range(xy.shape[0]):
        out[i] = height_at(heights, xy[i, 0], xy[i, 1])


@kernel
def normals_at(heights: Heights, xy: Array, out: Array) -> None:
    """``normal_at`` of n points: ``xy`` (n, 2) metres, ``out`` (n, 3)."""
    for i in range(xy.shape[0]):
        nx, ny, nz = normal_at(heights, xy[i, 0], xy[i, 1])
        out[i, 0] = nx
        out[i, 1] = ny
        out[i, 2] = nz


# -- The region's ground -----------------------------------------------------------------------------------------------


class Terrain:
    """A region's heights.

    ``heights``: (257, 257) float32 [y, x]; read it freely, write through ``edit`` so that viewers hear of it.
    ``made``: as they were when the region was made, which reverting goes back to; never written.
    ``revision``: goes up with every change. ``changes``: the log of patches, (patch x, patch y).
    """

    __slots__ = ("changes", "heights", "made", "revision")

    def __init__(self, heights: Heights) -> None:
        if heights.shape != (EDGE, EDGE):
            raise ValueError(f"terrain needs {EDGE} x {EDGE} heights, got {heights.shape}")
        self.heights: Heights = np.ascontiguousarray(heights, dtype=np.float32)
        self.made: Heights = self.heights.copy()
        self.revision = 0
        self.changes: Log[tuple[int, int]] = Log()

    @classmethod
    def natural(
        cls, grid_x: int, grid_y: int, seed: int = 0, land: Collection[tuple[int, int]] | None = None
    ) -> Terrain:
        """A new region's ground; arguments as ``generate``."""
        return cls(generate(grid_x, grid_y, seed, land))

    def height(self, x: float, y: float) -> float:
        """Ground height in metres at (x, y); outside the region that of the nearest edge."""
        return height_at(self.heights, float(x), float(y))

    def normal(self, x: float, y: float) -> tuple[float, float, float]:
        """Upward unit normal of the ground at (x, y)."""
        return normal_at(self.heights, float(x), float(y))

    def patches(self) -> Heights:
        """The (256, 256) samples that LayerData carries: the far edges belong to the neighbours. A view, not a copy."""
        return self.heights[:REGION_SIZE, :REGION_SIZE]

    def edit(self, x: int, y: int, block: NDArray[np.floating], by: UUID | None = None) -> None:
        """Write a block of heights [y, x] with its south-west sample at (x, y), and note its patches. `by`: whose deed it was.

        Samples 0..256: a neighbour's change to the shared edge comes in here, too. Heights are held to LOWEST..HIGHEST;
        ValueError for a block that is not finite or reaches outside.
        """
        if block.ndim != 2 or x < 0 or y < 0 or y + block.shape[0] > EDGE or x + block.shape[1] > EDGE:
            raise ValueError(f"a block of {block.shape} at ({x}, {y}) is not inside the region")
        if not np.isfinite(block).all():
            raise ValueError("heights must be finite")
        if not block.size:
            return
        self.heights[y : y + block.shape[0], x : x + block.shape[1]] = np.clip(block, LOWEST, HIGHEST)
        last_row = min((y + block.shape[0] - 1) // PATCH, PATCHES - 1)
        last_col = min((x + block.shape[1] - 1) // PATCH, PATCHES - 1)
        # A block wholly on the far edge lies in no patch of ours.
        for py in range(y // PATCH, last_row + 1):
            for px in range(x // PATCH, last_col + 1):
                self.changes.note((px, py), What.LAND, by)
        self.revision += 1
