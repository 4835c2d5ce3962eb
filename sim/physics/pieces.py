"""Shapes cut into the convex pieces they are made of, and what a kernel must know of each piece, for any number at once.

A hull is kept in a box of its own, once for all its sizes: its corners, planes and edges there are its *form*. A piece is
a form stretched along its axes, turned and moved. Stretching is a multiplication: a region whose thirty thousand prims
are of as many sizes takes a few operations on long columns instead of thirty thousand searches for a hull.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.physics.data import FACE, PIECE, SHAPE
from sim.physics.engine import MAX_REACH, BadBody, Form, Shape
from sim.physics.hulls import Hull, from_triangles
from sim.physics.tables import Table

MAX_PIECES = 1024
SIDES = 16  # of the polygon that stands for a cylinder's rim where corners are needed

Numbers = NDArray[np.float64]
Triple = tuple[float, float, float]
Turn = tuple[float, float, float, float]
NO_TURN: Turn = (0.0, 0.0, 0.0, 1.0)

# A plane of a hull's form, n.p = d, and its face's corners as in FACE.
PLANE = np.dtype([("plane", np.float64, 4), ("l0", np.int32), ("ln", np.int32), ("side", np.int32)])
# What a shape weighs for density 1, about its own centre of mass, in the shape's axes.
SOLID = np.dtype([("volume", np.float64), ("center", np.float64, 3), ("inertia", np.float64, (3, 3))])

BOX_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
BOX_TRIANGLES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
     [1, 5, 7], [1, 7, 3]]
)  # fmt: skip
_ANGLES = np.arange(SIDES) * (2 * np.pi / SIDES)
_RIM = np.c_[np.cos(_ANGLES), np.sin(_ANGLES)]
_PRISM = np.concatenate([np.c_[_RIM, np.full(SIDES, -1.0)], np.c_[_RIM, np.full(SIDES, 1.0)]])
_PRISM_TRIANGLES = np.array(
    [[0, k + 1, k] for k in range(1, SIDES - 1)]
    + [[SIDES, SIDES + k, SIDES + k + 1] for k in range(1, SIDES - 1)]
    + [[k, (k + 1) % SIDES, SIDES + (k + 1) % SIDES] for k in range(SIDES)]
    + [[k, SIDES + (k + 1) % SIDES, SIDES + k] for k in range(SIDES)]
)


@cache
def unit_box() -> Hull:
    """Of half extents 1."""
    return from_triangles(BOX_CORNERS, BOX_TRIANGLES)


@cache
def unit_cylinder() -> Hull:
    """Of half extents 1."""
    return from_triangles(_PRISM, _PRISM_TRIANGLES)


class Leaf(NamedTuple):
    """A convex part of a shape, or a mesh: what, where, how turned, and in which first-level part."""

    shape: Shape
    offset: Triple
    turn: Turn
    part: int


@dataclass(slots=True)
class PieceForm:
    """What pieces that differ in size alone share, in a box of its own: hulls and meshes in one of half extents 1/2 and 1,
    about their centre of mass; of boxes, cylinders and balls the one that reaches from -1 to 1."""

    form: Form
    volume: float
    inertia: Numbers  # (3, 3)
    v0: int = 0  # corners and planes, in the forms' own tables
    vn: int = 0
    f0: int = 0
    fn: int = 0
    e0: int = 0  # edges, which pieces of all sizes share; a mesh's nodes
    en: int = 0
    t0: int = 0  # a mesh's triangles
    tn: int = 0
    middle: Any = 0.0  # of mass, in a box from 0 to 1
    rows: list[tuple[Table, int, int]] = field(default_factory=list)
    names: list[Any] = field(default_factory=list)  # of points that have this form
    users: int = 0  # pieces of shapes in the store


class Piece(NamedTuple):
    """A form stretched by `by` about its middle, which is at `offset` in the shape and turned there."""

    form: PieceForm
    by: Triple
    offset: Triple
    turn: Turn
    part: int


def leaves(shape: Shape, offset: Triple = (0.0, 0.0, 0.0), turn: Turn = NO_TURN, depth: int = 0) -> list[Leaf]:
    """What a shape is made of. BadBody for compounds nested too deep, or of too many pieces."""
    if shape.form != Form.COMPOUND:
        return [Leaf(shape, offset, turn, 0)]
    if depth > 8:
        raise BadBody("compounds nested too deep")
    found: list[Leaf] = []
    for number, (part, at, rotation) in enumerate(shape.parts):
        where, how = moved(offset, turn, at), times(turn, rotation)
        if not all(abs(value) <= MAX_REACH for value in where):
            raise BadBody(f"a part is more than {MAX_REACH:.0f} m away")
        if part.form != Form.COMPOUND:
            found.append(Leaf(part, where, how, number))
        else:
            found.extend(leaf._replace(part=number) for leaf in leaves(part, where, how, depth + 1))
        if len(found) > MAX_PIECES:
            raise BadBody(f"a compound of more than {MAX_PIECES} pieces")
    return found


def times(p: Turn, q: Turn) -> Turn:
    """The turn by q, then by p."""
    if p == NO_TURN:
        return q
    (px, py, pz, pw), (qx, qy, qz, qw) = p, q
    return (
        pw * qx + px * qw + py * qz - pz * qy,
        pw * qy - px * qz + py * qw + pz * qx,
        pw * qz + px * qy - py * qx + pz * qw,
        pw * qw - px * qx - py * qy - pz * qz,
    )


def moved(offset: Triple, turn: Turn, point: Triple) -> Triple:
    """Where a point is after the turn, then the offset."""
    (x, y, z), (px, py, pz) = offset, point
    if turn == NO_TURN:
        return x + px, y + py, z + pz
    qx, qy, qz, qw = turn
    tx, ty, tz = 2 * (qy * pz - qz * py), 2 * (qz * px - qx * pz), 2 * (qx * py - qy * px)
    return (
        x + px + qw * tx + qy * tz - qz * ty,
        y + py + qw * ty + qz * tx - qx * tz,
        z + pz + qw * tz + qx * ty - qy * tx,
    )


def matrices(turns: NDArray[Any]) -> Numbers:
    """(n, 3, 3) of n unit quaternions x y z w."""
    x, y, z, w = np.asarray(turns, np.float64).T
    columns = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(columns, axis=1).reshape(-1, 3, 3)


def spread(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row numbers of n ranges, one range after the other, and which range each is of."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    ends = np.cumsum(lengths)
    return np.arange(len(owner)) + np.repeat(starts - (ends - lengths), lengths), owner


class Rows(NamedTuple):
    """Pieces of shapes as rows of the tables, and what the shapes are as a whole."""

    pieces: NDArray[Any]  # PIECE
    verts: Numbers  # (v, 3)
    vert_counts: NDArray[np.int64]  # of each piece
    faces: NDArray[Any]  # FACE
    face_counts: NDArray[np.int64]
    shapes: NDArray[Any]  # SHAPE
    solids: NDArray[Any]  # SOLID


def make(pieces: list[Piece], counts: NDArray[np.int64], corners: Numbers, planes: NDArray[Any]) -> Rows:
    """The rows of shapes that have so many pieces each, one shape's after the other's; v0, f0 and `first` count from 0.
    `corners` (n, 3) and `planes` are the tables of forms."""
    first, owner = np.cumsum(counts) - counts, np.repeat(np.arange(len(counts)), counts)
    kind = np.array([piece.form.form for piece in pieces])
    by = np.array([piece.by for piece in pieces], np.float64)
    turns = matrices(np.array([piece.turn for piece in pieces]))
    ranges = np.array([(f.v0, f.vn, f.f0, f.fn, f.e0, f.en, f.t0, f.tn) for f, *_ in pieces])
    v0, vn, f0, fn, e0, en, t0, tn = ranges.T
    volume, inertia = _weights([piece.form for piece in pieces], kind, by)

    # Each shape lies about its centre of mass.
    offsets = np.array([piece.offset for piece in pieces], np.float64)
    solids = np.zeros(len(counts), SOLID)
    solids["volume"] = np.add.reduceat(volume, first)
    solids["center"] = np.add.reduceat(volume[:, None] * offsets, first) / solids["volume"][:, None]
    offsets -= solids["center"][owner]
    arms = (offsets * offsets).sum(axis=1)[:, None, None] * np.eye(3) - offsets[:, :, None] * offsets[:, None, :]
    inertia = turns @ inertia @ turns.transpose(0, 2, 1) + volume[:, None, None] * arms
    solids["inertia"] = np.add.reduceat(inertia, first)

    at, of_piece = spread(v0, vn)
    verts = corners[at] * by[of_piece]
    at, of_face = spread(f0, fn)
    plane, faces = planes["plane"][at], np.zeros(len(at), FACE)
    normals = plane[:, :3] / by[of_face]
    length = np.sqrt((normals * normals).sum(axis=1))
    faces["nx"], faces["ny"], faces["nz"] = (normals / length[:, None]).T
    faces["d"] = plane[:, 3] / length
    for name in ("l0", "ln", "side"):
        faces[name] = planes[name][at]

    half, outer, reach = _round_extents(kind, by, turns)
    low, high = offsets - reach, offsets + reach
    inner = np.where(kind == Form.CAPSULE, half[:, :2].min(axis=1), half.min(axis=1))
    far = np.sqrt((offsets * offsets).sum(axis=1)) + outer
    has = np.flatnonzero(vn)
    if len(has):
        start = (np.cumsum(vn) - vn)[has]
        outer[has] = np.sqrt(np.maximum.reduceat((verts * verts).sum(axis=1), start))
        far[has] = np.sqrt((offsets[has] ** 2).sum(axis=1)) + outer[has]
        edged = np.isin(kind[has], (Form.HULL, Form.MESH))
        turned = np.einsum("vij,vj->vi", turns[of_piece], verts) + offsets[of_piece]
        sides = np.maximum.reduceat(verts, start) - np.minimum.reduceat(verts, start)
        k = has[edged]
        low[k], high[k] = np.minimum.reduceat(turned, start)[edged], np.maximum.reduceat(turned, start)[edged]
        inner[k] = sides[edged].min(axis=1) / 2
        far[k] = np.sqrt(np.maximum.reduceat((turned * turned).sum(axis=1), start))[edged]
        k, most = has[kind[has] == Form.HULL], np.maximum.reduceat(np.abs(verts), start)
        half[k] = most[kind[has] == Form.HULL]

    rows = np.zeros(len(pieces), PIECE)
    rows["form"], rows["part"] = kind, [piece.part for piece in pieces]
    rows["plain"] = (np.abs(offsets).max(axis=1) < 1e-7) & (np.abs(turns - np.eye(3)).max(axis=(1, 2)) < 1e-7)
    rows["x"], rows["y"], rows["z"] = offsets.T
    for r in range(3):
        for c in range(3):
            rows[f"r{r}{c}"] = turns[:, r, c]
    rows["hx"], rows["hy"], rows["hz"], rows["outer"] = *half.T, outer
    mesh = kind == Form.MESH
    rows["v0"], rows["vn"] = np.cumsum(vn) - vn, vn
    rows["f0"], rows["fn"] = np.where(mesh, t0, np.cumsum(fn) - fn), np.where(mesh, tn, fn)
    rows["e0"], rows["en"] = e0, en

    shapes = np.zeros(len(counts), SHAPE)
    shapes["first"], shapes["count"] = first, counts
    rolls = np.select([kind == Form.SPHERE, (kind == Form.CYLINDER) | (kind == Form.CAPSULE)], [2, 1], 0)
    shapes["rolls"] = np.where(counts == 1, rolls[first], 0)
    low, high = np.minimum.reduceat(low, first), np.maximum.reduceat(high, first)
    shapes["mx"], shapes["my"], shapes["mz"] = ((low + high) / 2).T
    shapes["hx"], shapes["hy"], shapes["hz"] = ((high - low) / 2).T
    shapes["inner"], shapes["outer"] = np.minimum.reduceat(inner, first), np.maximum.reduceat(far, first)
    return Rows(rows, verts, vn, faces, fn, shapes, solids)


def _weights(forms: list[PieceForm], kind: NDArray[Any], by: Numbers) -> tuple[Numbers, Numbers]:
    """Volume (n,) and inertia (n, 3, 3) for density 1, about the centre, in the piece's axes."""
    scale = by.prod(axis=1)
    volume, inertia = np.array([form.volume for form in forms]) * scale, np.array([form.inertia for form in forms])
    eye = np.eye(3)
    # The second moments stretch as products of coordinates do; the inertia is their trace without them.
    second = np.trace(inertia, axis1=1, axis2=2)[:, None, None] / 2 * eye - inertia
    second *= by[:, :, None] * by[:, None, :] * scale[:, None, None]
    inertia = np.trace(second, axis1=1, axis2=2)[:, None, None] * eye - second
    k = kind == Form.CAPSULE
    if k.any():
        r, length = by[k, 0], 2 * by[k, 2]
        tube, ends = math.pi * r * r * length, 4 / 3 * math.pi * r**3
        across = tube * (length**2 / 12 + r * r / 4) + ends * (0.4 * r * r + length**2 / 4 + 3 / 8 * length * r)
        volume[k] = tube + ends
        inertia[k] = np.c_[across, across, tube * r * r / 2 + ends * 0.4 * r * r][:, None, :] * eye
    return volume, inertia


def _round_extents(kind: NDArray[Any], by: Numbers, turns: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Half extents, radius of the ball around, and half the box around in the shape's axes, of what is no hull."""
    radius, up = by[:, :1], np.abs(turns[:, :, 2])
    capsule, cylinder, ball = (kind[:, None] == form for form in (Form.CAPSULE, Form.CYLINDER, Form.SPHERE))
    reach = np.where(
        capsule, up * by[:, 2:] + radius,
        np.where(
            cylinder, up * by[:, 2:] + radius * np.sqrt(np.maximum(1 - up**2, 0)),
            np.where(ball, by, np.einsum("nij,nj->ni", np.abs(turns), by)),
        ),
    )  # fmt: skip
    outer = np.where(kind == Form.CAPSULE, by[:, 2] + by[:, 0], by[:, 0])
    return by.copy(), outer, reach
