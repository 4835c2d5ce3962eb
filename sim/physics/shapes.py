"""Shapes as the kernels want them: convex pieces about a centre of mass, with corners, faces and edges in shared tables.

Equal shapes are stored once, and what differs in size alone shares its form (`pieces.py`). The last shapes that no body
has any more are kept, for they come back; older ones give their rows to the next shapes, so that a region in which people
build for weeks does not grow.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.physics.data import EDGE, FACE, NODE, PIECE, SHAPE, Geometry
from sim.physics.engine import BadBody, Form, Made, Shape
from sim.physics.hulls import Hull, convex_hull, stretched
from sim.physics.meshes import build_tree
from sim.physics.pieces import (
    PLANE,
    SOLID,
    Leaf,
    Piece,
    PieceForm,
    Rows,
    Triple,
    leaves,
    make,
    moved,
    unit_box,
    unit_cylinder,
)
from sim.physics.tables import Table

THIN = 1e-3  # metres: thinner hulls are found each by itself
LEAST_VOLUME = 1e-12  # cubic metres of a hull
MOST_IDLE = 256  # shapes kept that no body has
MAX_TRIANGLES = 200_000
MOST_TRIANGLES = 2_000_000  # of all meshes together, so that their tables stay under 100 MB
TINY = 1e-9  # square metres: twice the area of a triangle that cannot be touched


def _key(shape: Shape) -> Any:
    """Equal for equal shapes."""
    if shape.form == Form.COMPOUND:
        return shape.form, tuple([(_key(part), offset, rotation) for part, offset, rotation in shape.parts])
    if shape.made is not None:
        return shape.form, shape.size, shape.made.name
    if shape.points is None:
        return shape.form, shape.size
    triangles = shape.triangles.tobytes() if shape.triangles is not None else b""
    return shape.form, shape.size, shape.points.tobytes(), triangles


@dataclass(slots=True)
class _Entry:
    """A shape in the store."""

    key: Any
    rows: tuple[tuple[Table, int, int], ...]  # its own, in whichever tables
    forms: list[PieceForm]  # of its pieces
    users: int = 0  # bodies that have it


class ShapeStore:
    def __init__(self) -> None:
        self.shapes, self.pieces = Table(SHAPE), Table(PIECE)
        self.verts, self.faces, self.loops = Table(np.float32, 3), Table(FACE), Table(np.int32)
        self.edges, self.nodes, self.triangles = Table(EDGE), Table(NODE), Table(np.int32, 3)
        self.solids: NDArray[Any] = np.zeros(0, SOLID)  # by a shape's number
        self._known: dict[Any, int] = {}
        self._entries: dict[int, _Entry] = {}
        self._idle: dict[int, None] = {}  # shapes without bodies, the longest so first
        # Forms lie in tables of their own, and are found by their points, as given and in a box of size 1.
        self._corners, self._planes = Table(np.float64, 3), Table(PLANE)
        self._forms: dict[Any, PieceForm] = {}
        self._boxes: dict[Hashable, tuple[PieceForm, Triple, Triple]] = {}  # as given: form, centre of mass, extents
        self.freed = 0  # goes up when rows may have come to mean other shapes
        self.geometry = self._geometry()
        ball = 4 / 3 * math.pi
        self._whole = {
            Form.SPHERE: PieceForm(Form.SPHERE, ball, np.eye(3) * 0.4 * ball),
            Form.CAPSULE: PieceForm(Form.CAPSULE, ball, np.eye(3)),
            Form.BOX: self._form(Form.BOX, unit_box()),
            Form.CYLINDER: self._form(Form.CYLINDER, unit_cylinder()),
        }
        # Round where the hull has sides.
        self._whole[Form.CYLINDER].volume = 2 * math.pi
        self._whole[Form.CYLINDER].inertia = np.diag([7 / 6, 7 / 6, 1.0]) * math.pi

    def _geometry(self) -> Geometry:
        tables = (self.shapes, self.pieces, self.verts, self.faces, self.loops, self.edges, self.nodes, self.triangles)
        return Geometry(*(table.rows for table in tables))

    def add(self, shape: Shape) -> int:
        """The number of a shape, counted as used once more. BadBody when it has no volume or too many pieces."""
        (number,), refused = self.add_all([shape])
        if refused:
            raise refused[0]
        return number

    def add_all(self, shapes: Sequence[Shape]) -> tuple[list[int], dict[int, BadBody]]:
        """As `add` for each, much cheaper than that: numbers, and what is wrong with those there cannot be, whose number is
        none, by their place in the list."""
        keys: dict[int, Any] = {}  # by identity: copies have one shape
        fresh: dict[Any, Shape] = {}
        for shape in shapes:
            if id(shape) not in keys:
                key = keys[id(shape)] = _key(shape)
                if key not in self._known:
                    fresh[key] = shape
        wrong = self._make(fresh) if fresh else {}
        numbers, refused = [], {}
        for k, shape in enumerate(shapes):
            key = keys[id(shape)]
            number = self._known.get(key, -1)
            numbers.append(number)
            if number < 0:
                refused[k] = wrong[key]
                continue
            self._entries[number].users += 1
            self._idle.pop(number, None)
        return numbers, refused

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
        for table, start, length in entry.rows:
            table.free(start, length)
        self._release(entry.forms)
        self.freed += 1

    def _release(self, forms: list[PieceForm]) -> None:
        """Pieces of these forms are gone. Forms that only one had go with it, but for the four that are always there."""
        for form in forms:
            form.users -= 1
            if not form.users:
                for name in form.names:
                    self._forms.pop(name, None)
                    self._boxes.pop(name, None)
                for table, start, length in form.rows:
                    table.free(start, length)

    def solid(self, number: int) -> np.void:
        """What a shape weighs (SOLID)."""
        row: np.void = self.solids[number]
        return row

    def is_mesh(self, number: int) -> bool:
        row = self.shapes.rows[number]
        return bool((self.pieces.rows["form"][row["first"] : row["first"] + row["count"]] == Form.MESH).any())

    # --- building

    def _make(self, fresh: dict[Any, Shape]) -> dict[Any, BadBody]:
        """Put shapes into the store, and say what is wrong with the others."""
        wrong: dict[Any, BadBody] = {}
        good: list[tuple[Any, list[Piece]]] = []
        for key, shape in fresh.items():
            pieces: list[Piece] = []
            try:
                for leaf in leaves(shape):
                    piece = self._piece(leaf)
                    piece.form.users += 1
                    pieces.append(piece)
            except BadBody as error:
                self._release([piece.form for piece in pieces])
                wrong[key] = error
                continue
            good.append((key, pieces))
        if good:
            counts = np.array([len(pieces) for _, pieces in good])
            all_pieces = list(chain.from_iterable(pieces for _, pieces in good))
            self._keep(good, make(all_pieces, counts, self._corners.rows, self._planes.rows))
        self.geometry = self._geometry()
        return wrong

    def _keep(self, good: list[tuple[Any, list[Piece]]], made: Rows) -> None:
        """Put what was made into the tables, and remember which rows are whose."""
        first, counts = made.shapes["first"].astype(np.int64), made.shapes["count"].astype(np.int64)
        verts = np.add.reduceat(made.vert_counts, first)
        faces = np.add.reduceat(made.face_counts, first)
        v0, f0, p0 = self.verts.extend(made.verts), self.faces.extend(made.faces), self.pieces.take(len(made.pieces))
        made.pieces["v0"] += v0
        made.pieces["f0"][made.pieces["form"] != Form.MESH] += f0
        made.shapes["first"] += p0
        self.pieces.rows[p0 : p0 + len(made.pieces)] = made.pieces
        s0 = self.shapes.extend(made.shapes)
        if len(self.solids) < len(self.shapes.rows):
            more = np.zeros(len(self.shapes.rows) - len(self.solids), SOLID)
            self.solids = np.concatenate([self.solids, more])
        self.solids[s0 : s0 + len(made.solids)] = made.solids
        spans = zip(
            (v0 + np.cumsum(verts) - verts).tolist(), verts.tolist(), (f0 + np.cumsum(faces) - faces).tolist(), faces.tolist(),
            (p0 + first).tolist(), counts.tolist(), strict=True,
        )  # fmt: skip
        for number, ((key, pieces), (v, vn, f, fn, p, pn)) in enumerate(zip(good, spans, strict=True), s0):
            rows = (self.shapes, number, 1), (self.pieces, p, pn), (self.verts, v, vn), (self.faces, f, fn)
            self._entries[number] = _Entry(key, rows, [piece.form for piece in pieces])
            self._known[key] = number

    def _piece(self, leaf: Leaf) -> Piece:
        """What a leaf is stretched from, by how much and where it lies then."""
        shape, offset, turn, part = leaf
        if shape.form == Form.HULL:
            form, low, size = self._hull(shape)
            return Piece(form, size, moved(offset, turn, low), turn, part)
        if shape.form == Form.MESH:
            form, size = self._mesh(shape)
            return Piece(form, size, offset, turn, part)
        if shape.form not in self._whole:
            raise BadBody(f"no such form of shape: {shape.form}")
        if shape.form == Form.SPHERE:
            (radius,) = shape.size
            by = radius, radius, radius
        elif shape.form == Form.CAPSULE:
            radius, length = shape.size
            by = radius, radius, length / 2
        else:
            x, y, z = shape.size
            by = x / 2, y / 2, z / 2
        return Piece(self._whole[shape.form], by, offset, turn, part)

    def _hull(self, shape: Shape) -> tuple[PieceForm, Triple, Triple]:
        """A hull's form, where its centre of mass is, and what to stretch it by."""
        sx, sy, sz = shape.size or (1.0, 1.0, 1.0)
        if shape.made is not None:
            form, (x, y, z), (dx, dy, dz) = self._found(shape.made)
        else:
            form, (x, y, z), (dx, dy, dz) = self._of_points(shape, (sx, sy, sz))
        by = dx * sx, dy * sy, dz * sz
        if form.volume * by[0] * by[1] * by[2] < LEAST_VOLUME:
            form.users += 1
            self._release([form])
            raise BadBody("a hull without a volume")
        return form, (x * sx, y * sy, z * sz), by

    def _of_points(self, shape: Shape, by: Triple) -> tuple[PieceForm, Triple, Triple]:
        assert shape.points is not None
        name = shape.points.tobytes()
        known = self._boxes.get(name)
        if known is None or min(known[2][0] * by[0], known[2][1] * by[1], known[2][2] * by[2]) < THIN:
            return self._boxed(name, shape.points.astype(np.float64) * by, by)
        return known

    def _found(self, made: Made) -> tuple[PieceForm, Triple, Triple]:
        """As `_boxed`, of a hull that was found beforehand."""
        known = self._boxes.get(made.name)
        if known is None:
            hull: Hull = made.solid
            form = self._form(Form.HULL, stretched(hull, np.ones(3), -hull.center))
            form.users, form.names = 0, [made.name]
            x, y, z = hull.center.tolist()
            known = self._boxes[made.name] = form, (x, y, z), (1.0, 1.0, 1.0)
        return known

    def _boxed(self, name: bytes, points: NDArray[np.float64], by: Triple) -> tuple[PieceForm, Triple, Triple]:
        """The form of a hull of points, which are the named ones stretched: with where its centre of mass and how large the
        box around it is, both of what was not stretched.

        The wedges of all tori of a region are a few forms in many sizes: finding the hull is what takes the time.
        """
        low, size = points.min(axis=0), np.ptp(points, axis=0)
        thin = bool(size.min() < THIN)
        key: Any = (name, by) if thin else np.round((points - low) / size, 4).astype(np.float32).tobytes()
        form = self._forms.get(key)
        if form is None:
            hull = convex_hull(points)
            box = np.ones(3) if thin else size
            form = self._forms[key] = self._form(Form.HULL, stretched(hull, 1 / box, -hull.center / box))
            form.middle, form.users = (hull.center - low) / box, 0
            form.names.append(key)
        else:
            box = np.ones(3) if thin else size
        middle = (low + form.middle * box) / by
        found = form, tuple(middle.tolist()), tuple((box / by).tolist())
        if not thin:
            self._boxes[name] = found
            form.names.append(name)
        return found

    def _form(self, kind: Form, hull: Hull) -> PieceForm:
        """A hull's loops, edges, corners and planes in the tables."""
        form = PieceForm(kind, hull.volume, hull.inertia, users=1)
        l0 = self._put(form, self.loops, list(chain.from_iterable(hull.loops)))
        planes = np.zeros(len(hull.planes), PLANE)
        planes["plane"], planes["ln"] = hull.planes, [len(loop) for loop in hull.loops]
        planes["l0"] = l0 + np.cumsum(planes["ln"]) - planes["ln"]
        planes["side"] = (kind == Form.CYLINDER) & (np.abs(hull.planes[:, 2]) < 0.5)
        form.v0, form.vn = self._put(form, self._corners, hull.verts), len(hull.verts)
        form.f0, form.fn = self._put(form, self._planes, planes), len(planes)
        form.e0, form.en = self._put(form, self.edges, np.array(hull.edges, EDGE)), len(hull.edges)
        return form

    def _mesh(self, shape: Shape) -> tuple[PieceForm, Triple]:
        """A mesh as a form of its own, and its half extents."""
        points, triangles, nodes = self._stretched_tree(shape) if shape.made is not None else self._tree(shape)
        if self.triangles.count + len(triangles) > MOST_TRIANGLES:
            raise BadBody(f"the meshes of a region have at most {MOST_TRIANGLES} triangles")
        # A mesh need not be closed, so its volume is that of the box around it; it never moves anyway.
        half = np.maximum(np.ptp(points.astype(np.float64), axis=0), 0.01) / 2
        form = PieceForm(Form.MESH, 8.0, np.eye(3) * 16 / 3)
        form.v0, form.vn = self._put(form, self._corners, points / half), len(points)
        form.t0, form.tn = self._put(form, self.triangles, triangles), len(triangles)
        form.e0, form.en = self._put(form, self.nodes, nodes), len(nodes)
        x, y, z = half.tolist()
        return form, (x, y, z)

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

    @staticmethod
    def _put(form: PieceForm, table: Table, values: Any) -> int:
        """Rows that belong to a form; the index of the first."""
        start = table.extend(values)
        form.rows.append((table, start, len(values)))
        return start


def _areas(points: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """Twice the area of each triangle."""
    corners = points[triangles].astype(np.float64)
    return np.asarray(np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1))
