"""How bodies lie in memory: a few record arrays with one row a handle, read and written by every kernel.

What the solver touches for every contact is one cache line a body (`MOTION`), what collision touches another (`POSE`);
everything that is looked at once a step is in `BODY`. Shapes are shared between bodies and split into convex pieces.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.kernels import CHECKED, compiled

# Kernels make no arrays: who calls them brings the room, and asks again with more where it was too little. So they need
# no reference counts, which cost half the time of a step when they were counted.
# Not "fast": reordering is allowed, but NaN and infinity keep their meaning, since the checks against them must work.
_OPTIONS: dict[str, Any] = {
    "nogil": True, "fastmath": {"contract", "reassoc", "nsz", "arcp"}, "error_model": "numpy", "_nrt": False,
}  # fmt: skip


# What Python calls, compiled once a machine together with the inner kernels it calls, which are kept nowhere else.
kernel: Any = partial(compiled, **_OPTIONS)

# What only kernels call becomes part of them: a call would copy every array's description to the stack, a hundred words
# of a `Scratch`, which costs more than most of these functions do.
inner: Any = partial(
    compiled, kept=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=not CHECKED, **_OPTIONS
)

# Kernels are compiled anew for every type they are called with, and a literal is a type of its own: constants that are
# handed on are numbers of one width. In kernels float() leaves 32 bits as they are; float64() widens.
float64: Any = np.float64
int64: Any = np.int64
ZERO: Any = np.int64(0)
NONE: Any = np.int64(-1)
YES: Any = np.bool_(True)
NO: Any = np.bool_(False)

_f, _i, _b = np.float32, np.int32, np.uint8


def _fields(names: str, kind: Any = _f) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


# x y z is the centre of mass; the matrix is the quaternion's. 64 bytes.
POSE = np.dtype(_fields("x y z qx qy qz qw r00 r01 r02 r10 r11 r12 r20 r21 r22"), align=True)

# Velocity, spin, inverse mass, inverse inertia in region axes, acceleration that viewers extrapolate with. 64 bytes.
MOTION = np.dtype(_fields("vx vy vz wx wy wz im ixx iyy izz ixy ixz iyz ax ay az"), align=True)

BODY = np.dtype(
    _fields("active kind phantom sensor in_grid lock_x lock_y lock_z force_local torque_local hover_water touched roused stirs", _b)
    + _fields("shape vehicle", _i)
    + _fields("mass friction restitution gravity buoyancy timer")
    + _fields("jxx jyy jzz jxy jxz jyz")  # inverse inertia in the body's axes
    + _fields("sx sy sz")  # where it was when its stillness began
    + _fields("cx cy cz")  # from the origin to the centre of mass, in the body's axes
    + _fields("fx fy fz tx ty tz")  # constant force and torque
    + _fields("hover hover_tau goal_x goal_y goal_z goal_tau")
    + _fields("turn_x turn_y turn_z turn_w turn_strength turn_damping"),
    align=True,
)

# A shape, about its centre of mass: a row of pieces, a box around all of them, and the balls inside and around. `rolls`:
# 1 about z (cylinder, capsule), 2 any way (sphere).
SHAPE = np.dtype(
    _fields("first count rolls", _i) + _fields("mx my mz hx hy hz inner outer"),
    align=True,
)

# A convex piece: form (engine.Form), offset and rotation in the shape, half extents or (radius, radius, half length),
# and its corners, faces and edges in the tables below. `plain`: no rotation and no offset.
PIECE = np.dtype(
    _fields("form plain part", _i)
    + _fields("x y z r00 r01 r02 r10 r11 r12 r20 r21 r22 hx hy hz outer")
    + _fields("v0 vn f0 fn e0 en", _i),
    align=True,
)
# A face n.p = d, its corners loops[l0 : l0 + ln] counter-clockwise from outside. `side`: part of a cylinder's mantle.
FACE = np.dtype(_fields("nx ny nz d") + _fields("l0 ln side", _i), align=True)
# An edge from corner a to b with its two faces, running so that (b - a) . (n2 x n1) > 0.
EDGE = np.dtype(_fields("a b f1 f2", _i), align=True)
# A node of a mesh's box tree: `left` is the next node, `right` the other; leaves hold triangles first..first+count.
NODE = np.dtype(_fields("x0 y0 z0 x1 y1 z1") + _fields("right first count", _i), align=True)

CONTACT = np.dtype(
    _fields("i j", _i)
    + _fields("nx ny nz ax ay az bx by bz")  # normal from i to j; arms from the centres of mass
    + _fields("tx ty tz depth mass_n mass_t mass_u bias speed bounce friction")
    + _fields("ln lt lu top")
    + _fields("mi mj axis", _i),  # rows of MOTION: i and j, 0 for one that sleeps; row of its AXIS, -1: none
    align=True,
)

# What two polyhedral pieces touched by: 0 a face of a, 1 a face of b, 2 an edge of each; and b as a saw it then.
AXIS = np.dtype(_fields("u w kind fa fb", _i) + [("x", _f, 12)], align=True)


class Geometry(NamedTuple):
    """The tables of all shapes. Grown by replacing arrays, so kernels get a new tuple."""

    shapes: NDArray[Any]
    pieces: NDArray[Any]
    verts: NDArray[np.float32]  # (n, 3)
    faces: NDArray[Any]
    loops: NDArray[np.int32]
    edges: NDArray[Any]
    nodes: NDArray[Any]
    triangles: NDArray[np.int32]  # (n, 3) corner numbers in verts


class Bodies(NamedTuple):
    """All columns of all bodies."""

    pose: NDArray[Any]
    motion: NDArray[Any]
    body: NDArray[Any]
    awake: NDArray[np.uint8]
    bounds: NDArray[np.float32]  # (n, 6) low and high corner of the box around the body
    origin: NDArray[np.float32]  # (n, 3) position as users know it


class Scratch(NamedTuple):
    """Room to work in for one collision: transforms, manifold, clipping."""

    xa: NDArray[np.float64]  # (12,) position, matrix
    xb: NDArray[np.float64]
    xc: NDArray[np.float64]  # b as seen from a
    unit: NDArray[np.float64]  # (12,) no movement, no turn
    normal: NDArray[np.float64]  # (3,) from a to b
    points: NDArray[np.float64]  # (128, 3)
    depths: NDArray[np.float64]  # (128,) negative when overlapping
    clip: NDArray[np.float64]  # (128, 3)
    clip2: NDArray[np.float64]
    corners: NDArray[np.float64]  # (512, 3) b's corners in a's frame
    normals: NDArray[np.float64]  # (512, 4) b's faces in a's frame
    edges: NDArray[np.int32]  # (512,) of b that come near a
    axis: NDArray[np.int64]  # (4,) kind, fa, fb of the AXIS found, and whether it was known
    triangle: NDArray[np.float64]  # (9,) three corners in the region's axes
    stack: NDArray[np.int32]  # (256,) of a tree walk


class Found(NamedTuple):
    """Both grids and what waits beside them, as kernels take them: cells' first items and the items, handles of bodies."""

    static_grid: NDArray[np.int32]
    static_items: NDArray[np.int32]
    mover_grid: NDArray[np.int32]
    mover_items: NDArray[np.int32]
    fresh: NDArray[np.int32]
    fresh_count: int


class Around(NamedTuple):
    """Everything that a ray or a fast body may meet."""

    b: Bodies
    g: Geometry
    s: Scratch
    used: int  # rows of bodies
    heights: NDArray[np.float32]
    top: float
    found: Found
    avatars: NDArray[Any]


def room(table: NDArray[Any], count: int) -> NDArray[Any]:
    """The table, or a new one with room for `count` rows, a power of two of them; nothing is kept."""
    if count <= len(table):
        return table
    return np.zeros((1 << (count - 1).bit_length(), *table.shape[1:]), table.dtype)


def new_scratch() -> Scratch:
    def room(*shape: int) -> NDArray[np.float64]:
        return np.zeros(shape, np.float64)

    unit = np.concatenate([np.zeros(3), np.eye(3).ravel()])
    return Scratch(
        room(12), room(12), room(12), unit, room(3), room(128, 3), room(128), room(128, 3), room(128, 3), room(512, 3),
        room(512, 4), np.zeros(512, np.int32), np.zeros(4, np.int64), room(9), np.zeros(256, np.int32),
    )  # fmt: skip


STATIC, DYNAMIC, KINEMATIC = 0, 1, 2  # engine.Kind, as kernels see it
BOX, SPHERE, CYLINDER, CAPSULE, HULL, MESH = 0, 1, 2, 3, 4, 5  # engine.Form
MARGIN = 0.02  # metres at which contacts begin to be known
SLOP = 0.005  # metres of overlap that are left alone, so that resting contacts stay contacts
