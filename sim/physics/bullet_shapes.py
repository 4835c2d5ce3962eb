"""Our shapes as Bullet's.

PyBullet takes the corners of one hull or mesh with a call. Parts of a compound it takes from files alone, and no more than
sixteen: so what has corners there goes through a file, in which each piece is an object of its own.

    o                 makes a hull of each object, or one surface of all when told to
    v x y z           corners, in the body's axes
    f 1 2 3           faces, by the numbers of corners in the file
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.physics.data import Geometry
from sim.physics.engine import BadBody, Form

MOST_PARTS = 16
_NOWHERE, _NO_TURN = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]


def create(p: Any, world: int, g: Geometry, shape: np.void) -> int:
    """The number of a collision shape like a row of SHAPE; `p` is the PyBullet module. BadBody when it makes none."""
    pieces = [g.pieces[u] for u in range(int(shape["first"]), int(shape["first"] + shape["count"]))]
    made: int = _single(p, world, g, pieces[0]) if len(pieces) == 1 else _compound(p, world, g, pieces)
    if made < 0:
        raise BadBody("Bullet cannot make that shape")
    return made


def _kind(p: Any, form: int) -> int:
    kinds = {
        Form.BOX: p.GEOM_BOX,
        Form.SPHERE: p.GEOM_SPHERE,
        Form.CYLINDER: p.GEOM_CYLINDER,
        Form.CAPSULE: p.GEOM_CAPSULE,
    }
    kind: int = kinds.get(Form(form), p.GEOM_MESH)
    return kind


def _single(p: Any, world: int, g: Geometry, piece: np.void) -> int:
    at, turn = _place(piece)
    options: dict[str, Any] = {
        "halfExtents": _half(piece), "radius": float(piece["hx"]), "height": 2 * float(piece["hz"]),
        "collisionFramePosition": at.tolist(), "collisionFrameOrientation": quaternion(turn),
    }  # fmt: skip
    if piece["form"] in (Form.HULL, Form.MESH):
        options["vertices"] = _corners(g, piece).tolist()
    if piece["form"] == Form.MESH:
        options["indices"] = _triangles(g, piece).ravel().tolist()
    made: int = p.createCollisionShape(_kind(p, piece["form"]), physicsClientId=world, **options)
    return made


def _compound(p: Any, world: int, g: Geometry, pieces: list[np.void]) -> int:
    surfaces = [piece for piece in pieces if piece["form"] == Form.MESH]
    rest = [piece for piece in pieces if piece["form"] != Form.MESH]
    plain = [piece for piece in rest if piece["form"] != Form.HULL]
    if len(plain) + 2 > MOST_PARTS:  # what has corners, too, goes into the file then
        plain = [piece for piece in rest if piece["form"] in (Form.SPHERE, Form.CAPSULE)][: MOST_PARTS - 2]
    taken = {id(piece) for piece in plain}
    hulls = [piece for piece in rest if id(piece) not in taken]
    kinds, files, flags, offsets, turns = [], [], [], [], []
    with tempfile.TemporaryDirectory(prefix="mainland-bullet-") as folder:
        for name, held, flag in (("hulls", hulls, 0), ("surfaces", surfaces, p.GEOM_FORCE_CONCAVE_TRIMESH)):
            if held:
                path = Path(folder) / f"{name}.obj"
                path.write_text(_objects(g, held))
                kinds.append(p.GEOM_MESH)
                files.append(str(path))
                flags.append(flag)
                offsets.append(_NOWHERE)
                turns.append(_NO_TURN)
        before = len(files)
        for piece in plain:
            at, turn = _place(piece)
            kinds.append(_kind(p, piece["form"]))
            offsets.append(at.tolist())
            turns.append(quaternion(turn))
        made: int = p.createCollisionShapeArray(
            kinds,
            halfExtents=[[1.0, 1.0, 1.0]] * before + [_half(piece) for piece in plain],
            radii=[1.0] * before + [float(piece["hx"]) for piece in plain],
            lengths=[1.0] * before + [2 * float(piece["hz"]) for piece in plain],
            fileNames=files + [""] * len(plain),
            meshScales=[[1.0, 1.0, 1.0]] * len(kinds),
            flags=flags + [0] * len(plain),
            collisionFramePositions=offsets,
            collisionFrameOrientations=turns,
            physicsClientId=world,
        )
    return made


def _objects(g: Geometry, pieces: list[np.void]) -> str:
    """The file's text."""
    lines = []
    first = 1
    for piece in pieces:
        at, turn = _place(piece)
        corners, faces = _corners(g, piece), _faces(g, piece)
        if not len(corners):  # round ones beyond what there is room for: the box around them
            half = np.array(_half(piece)) + (0, 0, float(piece["hx"]) if piece["form"] == Form.CAPSULE else 0)
            corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
            faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
        lines.append("o piece")
        lines += [f"v {x:.7g} {y:.7g} {z:.7g}" for x, y, z in (corners @ turn.T + at).tolist()]
        lines += [
            f"f {first + loop[0]} {first + loop[k]} {first + loop[k + 1]}"
            for loop in faces
            for k in range(1, len(loop) - 1)
        ]
        first += len(corners)
    return "\n".join(lines) + "\n"


def _place(piece: np.void) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offset and matrix of a piece, in its body's axes."""
    at = np.array([float(piece[name]) for name in "xyz"])
    return at, np.array([[float(piece[f"r{r}{c}"]) for c in range(3)] for r in range(3)])


def _half(piece: np.void) -> list[float]:
    return [float(piece["hx"]), float(piece["hy"]), float(piece["hz"])]


def _corners(g: Geometry, piece: np.void) -> NDArray[np.float64]:
    return g.verts[int(piece["v0"]) : int(piece["v0"] + piece["vn"])].astype(np.float64)


def _triangles(g: Geometry, piece: np.void) -> NDArray[np.int32]:
    triangles: NDArray[np.int32] = g.triangles[int(piece["f0"]) : int(piece["f0"] + piece["fn"])]
    return triangles


def _faces(g: Geometry, piece: np.void) -> list[list[int]]:
    """Corners of each face, by their numbers in the piece."""
    if piece["form"] == Form.MESH:
        found: list[list[int]] = _triangles(g, piece).tolist()
        return found
    rows = g.faces[int(piece["f0"]) : int(piece["f0"] + piece["fn"])]
    return [g.loops[int(row["l0"]) : int(row["l0"] + row["ln"])].tolist() for row in rows]


def quaternion(turn: NDArray[np.float64]) -> list[float]:
    """x y z w of a rotation matrix."""
    w = np.sqrt(max(0.0, 1 + turn[0, 0] + turn[1, 1] + turn[2, 2])) / 2
    x = np.copysign(np.sqrt(max(0.0, 1 + turn[0, 0] - turn[1, 1] - turn[2, 2])) / 2, turn[2, 1] - turn[1, 2])
    y = np.copysign(np.sqrt(max(0.0, 1 - turn[0, 0] + turn[1, 1] - turn[2, 2])) / 2, turn[0, 2] - turn[2, 0])
    z = np.copysign(np.sqrt(max(0.0, 1 - turn[0, 0] - turn[1, 1] + turn[2, 2])) / 2, turn[1, 0] - turn[0, 1])
    return [float(x), float(y), float(z), float(w)]
