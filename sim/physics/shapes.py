"""Shapes as the kernels want them: convex pieces about a centre of mass, with corners, faces and edges in shared tables.

Equal shapes are stored once: thirty thousand prims of a region come in far fewer sizes. The last shapes that no body has
any more are kept, for sizes come back; older ones give their rows to the next shapes, so that a region in which people
build for weeks does not grow.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.physics.data import EDGE, FACE, NODE, PIECE, SHAPE, Geometry
from sim.physics.engine import BadBody, Form, Shape
from sim.physics.hulls import Hull, convex_hull, from_triangles, stretched
from sim.physics.meshes import build_tree

SIDES = 16  # of the polygon that stands for a cylinder's rim where corners are needed
MAX_PIECES = 1024
THIN = 1e-3  # metres: thinner hulls are found each by itself
MOST_IDLE = 256  # shapes kept that no body has
MAX_TRIANGLES = 200_000
MOST_TRIANGLES = 2_000_000  # of all meshes together, so that their tables stay under 100 MB
TINY = 1e-9  # square metres: twice the area of a triangle that cannot be touched

_ROLLS = {Form.SPHERE: 2, Form.CYLINDER: 1, Form.CAPSULE: 1}
_BOX_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
_BOX_TRIANGLES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
     [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


_TURN = np.arange(SIDES) * (2 * np.pi / SIDES)
_RIM = np.c_[np.cos(_TURN), np.sin(_TURN)]
_PRISM = np.concatenate([np.c_[_RIM, np.full(SIDES, -1.0)], np.c_[_RIM, np.full(SIDES, 1.0)]])
_PRISM_TRIANGLES = np.array(
    [[0, k + 1, k] for k in range(1, SIDES - 1)]
    + [[SIDES, SIDES + k, SIDES + k + 1] for k in range(1, SIDES - 1)]
    + [[k, (k + 1) % SIDES, SIDES + (k + 1) % SIDES] for k in range(SIDES)]
    + [[k, SIDES + (k + 1) % SIDES, SIDES + k] for k in range(SIDES)]
)
_UNIT_BOX = from_triangles(_BOX_CORNERS, _BOX_TRIANGLES)
_UNIT_CYLINDER = from_triangles(_PRISM, _PRISM_TRIANGLES)


@dataclass(slots=True)
class Solid:
    """What a shape weighs for density 1, about its own centre of mass, in the shape's axes."""

    volume: float
    center: NDArray[np.float64]
    inertia: NDArray[np.float64]  # (3, 3)


class Table:
    """A record array that grows by doubling, and in which what was freed is used again."""

    def __init__(self, dtype: Any, columns: int = 0) -> None:
        self.rows = np.zeros((256, columns) if columns else 256, dtype)
        self.count = 0
        self._gaps: list[tuple[int, int]] = []  # start and length of what was freed, by start, none next to another

    def free(self, start: int, length: int) -> None:
        """Give rows back."""
        if not length:
            return
        at = bisect(self._gaps, (start, length))
        if at < len(self._gaps) and self._gaps[at][0] == start + length:
            length += self._gaps.pop(at)[1]
        if at and sum(self._gaps[at - 1]) == start:
            at -= 1
            start, before = self._gaps.pop(at)
            length += before
        if start + length == self.count:
            self.count = start
        else:
            self._gaps.insert(at, (start, length))

    def extend(self, values: Any) -> int:
        """Put rows in the first gap that holds them, or behind all; the index of the first."""
        values = np.asarray(values, self.rows.dtype)
        for k, (start, length) in enumerate(self._gaps):
            if length >= len(values) > 0:
                self._gaps[k : k + 1] = [(start + len(values), length - len(values))] if length > len(values) else []
                self.rows[start : start + len(values)] = values
                return start
        start, self.count = self.count, self.count + len(values)
        if self.count > len(self.rows):
            size = max(2 * len(self.rows), self.count)
            grown = np.zeros((size, *self.rows.shape[1:]), self.rows.dtype)
            grown[:start] = self.rows[:start]
            self.rows = grown
        self.rows[start : self.count] = values
        return start


def matrix(rotation: Any) -> NDArray[np.float64]:
    """(3, 3) of a unit quaternion x y z w."""
    x, y, z, w = (float(v) for v in rotation)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _key(shape: Shape) -> Any:
    """Equal for equal shapes."""
    if shape.form == Form.COMPOUND:
        return shape.form, tuple((_key(part), offset, rotation) for part, offset, rotation in shape.parts)
    if shape.made is not None:
        return shape.form, shape.size, shape.made.name
    points = shape.points.tobytes() if shape.points is not None else b""
    triangles = shape.triangles.tobytes() if shape.triangles is not None else b""
    return shape.form, shape.size, points, triangles


def _flat(shape: Shape, offset: Any = (0.0, 0.0, 0.0), turn: Any = None, depth: int = 0) -> list[tuple[Shape, Any, Any, int]]:
    """The convex leaves of a shape: (shape, offset, matrix, number of the first-level part)."""
    turn = np.eye(3) if turn is None else turn
    if shape.form != Form.COMPOUND:
        return [(shape, np.asarray(offset, np.float64), turn, 0)]
    if depth > 8:
        raise BadBody("compounds nested too deep")
    leaves: list[tuple[Shape, Any, Any, int]] = []
    for number, (part, at, rotation) in enumerate(shape.parts):
        inner = _flat(part, turn @ np.asarray(at) + offset, turn @ matrix(rotation), depth + 1)
        leaves.extend((leaf, where, how, number) for leaf, where, how, _ in inner)
        if len(leaves) > MAX_PIECES:
            raise BadBody(f"a compound of more than {MAX_PIECES} pieces")
    return leaves


@dataclass(slots=True)
class _Entry:
    """A shape in the store."""

    key: Any
    solid: Solid
    rows: list[tuple[Table, int, int]]  # its own, in whichever tables
    forms: list[Any]  # the hulls' forms it is made of
    users: int = 0  # bodies that have it


@dataclass(slots=True)
class _Form:
    """What hulls that differ in size alone share: loops and edges, and the first of them found."""

    faces: NDArray[Any]
    edges: int  # the first
    hull: Hull
    rows: list[tuple[Table, int, int]]
    users: int = 0  # hulls of shapes in the store


class ShapeStore:
    def __init__(self) -> None:
        self.shapes, self.pieces = Table(SHAPE), Table(PIECE)
        self.verts, self.faces, self.loops = Table(np.float32, 3), Table(FACE), Table(np.int32)
        self.edges, self.nodes, self.triangles = Table(EDGE), Table(NODE), Table(np.int32, 3)
        self._known: dict[Any, int] = {}
        self._entries: dict[int, _Entry] = {}
        self._idle: dict[int, None] = {}  # shapes without bodies, the longest so first
        self._templates: dict[int, tuple[NDArray[Any], int, Hull]] = {}
        self._forms: dict[Any, _Form] = {}  # of hulls, by their points in a box of size 1, or their name
        self._making: list[tuple[Table, int, int]] = []
        self._made_of: list[Any] = []
        self.freed = 0  # goes up when rows may have come to mean other shapes
        self.geometry = self._geometry()

    def _geometry(self) -> Geometry:
        tables = (self.shapes, self.pieces, self.verts, self.faces, self.loops, self.edges, self.nodes, self.triangles)
        return Geometry(*(table.rows for table in tables))

    def add(self, shape: Shape) -> int:
        """The number of a shape, counted as used once more. BadBody when it has no volume or too many pieces."""
        key = _key(shape)
        number = self._known.get(key)
        if number is None:
            self._making, self._made_of = [], []
            try:
                number, solid = self._build(shape)
            except BadBody:
                self._release(self._making, self._made_of)
                raise
            self._known[key] = number
            self._entries[number] = _Entry(key, solid, self._making, self._made_of)
            self.geometry = self._geometry()
        self.use(number, 1)
        return number

    def use(self, number: int, bodies: int) -> None:
        """So many more bodies have a shape."""
        self._entries[number].users += bodies
        self._idle.pop(number, None)

    def drop(self, number: int) -> None:
        """A body has the shape no more."""
        entry = self._entries[number]
        entry.users -= 1
        if entry.users > 0:
            return
        self._idle[number] = None
        if len(self._idle) > MOST_IDLE:
            self._forget(next(iter(self._idle)))

    def _forget(self, number: int) -> None:
        del self._idle[number]
        entry = self._entries.pop(number)
        del self._known[entry.key]
        self._release(entry.rows, entry.forms)
        self.freed += 1

    def _release(self, rows: list[tuple[Table, int, int]], forms: list[Any]) -> None:
        for key in forms:
            form = self._forms[key]
            form.users -= 1
            if form.users == 0:
                rows = rows + self._forms.pop(key).rows
        for table, start, length in rows:
            table.free(start, length)

    def _put(self, table: Table, values: Any) -> int:
        """Rows that belong to the shape being made; the index of the first."""
        start = table.extend(values)
        self._making.append((table, start, len(values)))
        return start

    def solid(self, number: int) -> Solid:
        return self._entries[number].solid

    def is_mesh(self, number: int) -> bool:
        row = self.shapes.rows[number]
        return bool((self.pieces.rows["form"][row["first"] : row["first"] + row["count"]] == Form.MESH).any())

    # --- building

    def _build(self, shape: Shape) -> tuple[int, Solid]:
        leaves = _flat(shape)
        if len(leaves) > 1 and any(leaf.form == Form.MESH for leaf, *_ in leaves) and len(leaves) > MAX_PIECES:
            raise BadBody("too many pieces")
        built = [self._piece(leaf) for leaf, *_ in leaves]
        volumes = np.array([solid.volume for _, solid in built])
        centers = np.array(
            [at + turn @ solid.center for (_, at, turn, _), (_, solid) in zip(leaves, built, strict=True)]
        )
        volume = float(volumes.sum())
        if not volume > 0:
            raise BadBody("a shape without a volume")
        center = (volumes[:, None] * centers).sum(axis=0) / volume
        inertia = np.zeros((3, 3))
        rows = np.zeros(len(leaves), PIECE)
        for k, ((_, at, turn, part), (piece, solid)) in enumerate(zip(leaves, built, strict=True)):
            arm = centers[k] - center
            inertia += turn @ solid.inertia @ turn.T + solid.volume * (arm @ arm * np.eye(3) - np.outer(arm, arm))
            offset = at - center
            rows[k] = piece
            rows[k]["part"] = part
            rows[k]["plain"] = bool(np.abs(offset).max() < 1e-7 and np.abs(turn - np.eye(3)).max() < 1e-7)
            for name, value in zip(("x", "y", "z"), offset, strict=True):
                rows[k][name] = value
            for r in range(3):
                for c in range(3):
                    rows[k][f"r{r}{c}"] = turn[r, c]
        low, high, inner, outer = self._extent(rows)
        first = self._put(self.pieces, rows)
        rolls = _ROLLS.get(leaves[0][0].form, 0) if len(leaves) == 1 else 0
        middle, half = (low + high) / 2, (high - low) / 2
        number = self._put(self.shapes, np.array([(first, len(rows), rolls, *middle, *half, inner, outer)], SHAPE))
        return number, Solid(volume, center, inertia)

    def _extent(self, rows: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
        """Box around all pieces, the least half thickness of one, the ball around all."""
        low, high, inner, outer = np.full(3, np.inf), np.full(3, -np.inf), np.inf, 0.0
        for row in rows:
            turn = np.array([[row[f"r{r}{c}"] for c in range(3)] for r in range(3)], np.float64)
            offset = np.array([row["x"], row["y"], row["z"]], np.float64)
            if row["form"] in (Form.HULL, Form.MESH):
                corners = self.verts.rows[row["v0"] : row["v0"] + row["vn"]] @ turn.T + offset
                low, high = np.minimum(low, corners.min(axis=0)), np.maximum(high, corners.max(axis=0))
                inner = min(inner, float(np.ptp(self.verts.rows[row["v0"] : row["v0"] + row["vn"]], axis=0).min()) / 2)
                outer = max(outer, float(np.linalg.norm(corners, axis=1).max()))
                continue
            half = np.array([row["hx"], row["hy"], row["hz"]], np.float64)
            if row["form"] == Form.SPHERE:
                reach = half
            elif row["form"] == Form.CAPSULE:
                reach = np.abs(turn[:, 2]) * half[2] + half[0]
            elif row["form"] == Form.CYLINDER:
                reach = np.abs(turn[:, 2]) * half[2] + half[0] * np.sqrt(np.maximum(1 - turn[:, 2] ** 2, 0))
            else:
                reach = np.abs(turn) @ half
            low, high = np.minimum(low, offset - reach), np.maximum(high, offset + reach)
            inner = min(inner, float(half[:2].min() if row["form"] == Form.CAPSULE else half.min()))
            outer = max(outer, float(np.linalg.norm(offset)) + float(row["outer"]))
        return low, high, float(inner), outer

    def _piece(self, shape: Shape) -> tuple[NDArray[Any], Solid]:
        row = np.zeros((), PIECE)
        row["form"] = shape.form
        if shape.form == Form.SPHERE:
            r = shape.size[0]
            row["hx"] = row["hy"] = row["hz"] = row["outer"] = r
            volume = 4 / 3 * math.pi * r**3
            return row, Solid(volume, np.zeros(3), np.eye(3) * 0.4 * volume * r * r)
        if shape.form == Form.CAPSULE:
            r, length = shape.size
            row["hx"] = row["hy"] = r
            row["hz"], row["outer"] = length / 2, length / 2 + r
            tube, ends = math.pi * r * r * length, 4 / 3 * math.pi * r**3
            across = tube * (length**2 / 12 + r * r / 4) + ends * (0.4 * r * r + length**2 / 4 + 3 / 8 * length * r)
            along = tube * r * r / 2 + ends * 0.4 * r * r
            return row, Solid(tube + ends, np.zeros(3), np.diag([across, across, along]))
        if shape.form == Form.MESH:
            return row, self._mesh(shape, row)
        ranges, hull = self._hull(shape)
        for name, value in zip(("v0", "vn", "f0", "fn", "e0", "en"), ranges, strict=True):
            row[name] = value
        row["outer"] = float(np.linalg.norm(hull.verts, axis=1).max())
        if shape.form == Form.HULL:
            row["hx"], row["hy"], row["hz"] = np.abs(hull.verts).max(axis=0)
            return row, Solid(hull.volume, hull.center, hull.inertia)
        x, y, z = (value / 2 for value in shape.size)
        row["hx"], row["hy"], row["hz"] = x, y, z
        if shape.form == Form.BOX:
            volume = 8 * x * y * z
            return row, Solid(volume, np.zeros(3), np.diag([y * y + z * z, x * x + z * z, x * x + y * y]) * volume / 3)
        if shape.form != Form.CYLINDER:
            raise BadBody(f"no such form of shape: {shape.form}")
        volume = math.pi * x * x * 2 * z
        across, along = volume * (x * x / 4 + z * z / 3), volume * x * x / 2
        return row, Solid(volume, np.zeros(3), np.diag([across, across, along]))

    def _hull(self, shape: Shape) -> tuple[tuple[int, int, int, int, int, int], Hull]:
        """A hull's ranges in the tables, and itself."""
        if shape.form in (Form.BOX, Form.CYLINDER):
            return self._scaled(shape)
        if shape.made is not None:
            hull = stretched(shape.made.solid, np.array(shape.size), np.zeros(3))
            return self._like(shape.made.name, hull)
        assert shape.points is not None
        size = np.ptp(shape.points, axis=0).astype(np.float64)
        if size.min() < THIN:
            hull = convex_hull(shape.points)
            return self._kept(*self._drawn(hull, self._put), hull)
        # The wedges of all tori of a region are a few forms in many sizes: finding the hull is what takes the time.
        low = shape.points.min(axis=0).astype(np.float64)
        key = np.round((shape.points - low) / size, 4).astype(np.float32).tobytes()
        form = self._forms.get(key)
        if form is None:
            return self._like(key, convex_hull(shape.points))
        before = np.ptp(form.hull.verts, axis=0)
        return self._like(key, stretched(form.hull, size / before, low - form.hull.verts.min(axis=0) * size / before))

    def _like(self, key: Any, hull: Hull) -> tuple[tuple[int, int, int, int, int, int], Hull]:
        """A hull's ranges in the tables, its loops and edges those of the form of that key."""
        form = self._forms.get(key)
        if form is None:
            rows = []

            def put(table: Table, values: Any) -> int:
                start = table.extend(values)
                rows.append((table, start, len(values)))
                return start

            form = self._forms[key] = _Form(*self._drawn(hull, put), hull, rows)
        form.users += 1
        self._made_of.append(key)
        faces = form.faces.copy()
        for column, name in enumerate(("nx", "ny", "nz", "d")):
            faces[name] = hull.planes[:, column]
        return self._kept(faces, form.edges, hull)

    def _drawn(self, hull: Hull, put: Callable[[Table, Any], int]) -> tuple[NDArray[Any], int]:
        """A hull's faces, with their loops in the table, and the first of its edges there."""
        faces = np.zeros(len(hull.planes), FACE)
        for column, name in enumerate(("nx", "ny", "nz", "d")):
            faces[name] = hull.planes[:, column]
        faces["ln"] = [len(loop) for loop in hull.loops]
        first = put(self.loops, [corner for loop in hull.loops for corner in loop])
        faces["l0"] = first + np.cumsum(faces["ln"]) - faces["ln"]
        return faces, put(self.edges, np.array(hull.edges, EDGE) if hull.edges else np.zeros(0, EDGE))

    def _kept(self, faces: NDArray[Any], e0: int, hull: Hull) -> tuple[tuple[int, int, int, int, int, int], Hull]:
        v0, f0 = self._put(self.verts, hull.verts), self._put(self.faces, faces)
        return (v0, len(hull.verts), f0, len(faces), e0, len(hull.edges)), hull

    def _scaled(self, shape: Shape) -> tuple[tuple[int, int, int, int, int, int], Hull]:
        """A box or cylinder from the one of size 2, whose loops and edges all of them share."""
        if shape.form not in self._templates:
            hull = _UNIT_BOX if shape.form == Form.BOX else _UNIT_CYLINDER
            faces = np.zeros(len(hull.planes), FACE)
            for k, (plane, loop) in enumerate(zip(hull.planes, hull.loops, strict=True)):
                side = shape.form == Form.CYLINDER and abs(plane[2]) < 0.5
                faces[k] = (*plane, self.loops.extend(loop), len(loop), side)
            self._templates[shape.form] = faces, self.edges.extend(np.array(hull.edges, EDGE)), hull
        template, e0, hull = self._templates[shape.form]
        half = np.array(shape.size) / 2
        verts, faces = hull.verts * half, template.copy()
        faces["d"] *= np.where(np.abs(faces["nz"]) > 0.5, half[2], np.where(np.abs(faces["nx"]) > 0.5, half[0], half[1]))
        v0, f0 = self._put(self.verts, verts), self._put(self.faces, faces)
        return (v0, len(verts), f0, len(faces), e0, len(hull.edges)), hull._replace(verts=verts)

    def _mesh(self, shape: Shape, row: NDArray[Any]) -> Solid:
        tree = self._stretched_tree(shape) if shape.made is not None else self._tree(shape)
        points, triangles, nodes = tree
        if self.triangles.count + len(triangles) > MOST_TRIANGLES:
            raise BadBody(f"the meshes of a region have at most {MOST_TRIANGLES} triangles")
        row["v0"], row["vn"] = self._put(self.verts, points), len(points)
        row["f0"], row["fn"] = self._put(self.triangles, triangles), len(triangles)
        row["e0"], row["en"] = self._put(self.nodes, nodes), len(nodes)
        row["outer"] = float(np.linalg.norm(points, axis=1).max())
        low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
        size = np.maximum(high - low, 0.01)
        # A mesh need not be closed, so its volume is that of the box around it; it never moves anyway.
        volume = float(size.prod())
        inertia = np.diag(size @ size - size**2) * volume / 12
        row["hx"], row["hy"], row["hz"] = size / 2
        return Solid(volume, np.zeros(3), inertia)

    def _tree(self, shape: Shape) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[Any]]:
        assert shape.points is not None and shape.triangles is not None
        keep = _areas(shape.points, shape.triangles) > TINY
        if not keep.any():
            raise BadBody("a mesh of triangles without area")
        if keep.sum() > MAX_TRIANGLES:
            raise BadBody(f"a mesh of more than {MAX_TRIANGLES} triangles")
        return shape.points, *build_tree(shape.points, np.ascontiguousarray(shape.triangles[keep]))

    def _stretched_tree(self, shape: Shape) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[Any]]:
        assert shape.made is not None
        points, triangles, nodes = shape.made.solid
        factors = np.array(shape.size, np.float32)
        points, nodes = points * factors, nodes.copy()
        if _areas(points, triangles).min() <= TINY:
            raise BadBody("a mesh too small for its triangles")
        for axis, factor in zip("xyz", factors, strict=True):
            nodes[f"{axis}0"] *= factor
            nodes[f"{axis}1"] *= factor
        return points, triangles, nodes


def _areas(points: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """Twice the area of each triangle."""
    corners = points[triangles].astype(np.float64)
    return np.asarray(np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1))
