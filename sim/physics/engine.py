"""What a physics engine is to the region: the one interface of the numba engine (default) and of Bullet.

A body is known by its *handle*, a small whole number that is also its index into the columns: after a step, kernels
and numpy read `engine.position[handles]` and nobody touches bodies one by one. Units are metres, seconds, kilograms,
radians; quaternions are x y z w; axes are the region's, z up.

Bodies come in three kinds. STATIC never moves by itself and costs nothing while it rests. DYNAMIC falls, collides and
sleeps. KINEMATIC is moved by its owner (`set_pose`, `set_velocity`) and pushes others, but nothing pushes it.

Values from outside are checked at this door: `BadBody` says what is wrong with a shape or a pose, velocities and forces
that are merely absurd are clamped to the LIMITS below. A NaN is never let in, and never spreads.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from sim.physics.vehicles import Vehicle

GRAVITY = 9.8  # metres a second squared, downwards
TERRAIN = -1  # stands for the ground where a handle is expected
NO_BODY = -(2**31)

MAX_SPEED = 250.0  # metres a second; Havok's limit in Second Life is about as much
MAX_SPIN = 60.0  # radians a second
MAX_FORCE = 1e9  # newtons (and newton metres)
MIN_SIZE, MAX_SIZE = 0.001, 1024.0  # metres, of any extent of a shape
MAX_REACH = 512.0  # metres, of a part from the origin of what it is a part of
MIN_MASS, MAX_MASS = 0.001, 1e9  # kilograms
LOWEST, HIGHEST = -512.0, 10_000.0  # metres; bodies beyond are held there
OUTSIDE = 512.0  # metres a body may be beyond the region's border

Area = tuple[float, float, float, float]  # west, south, east, north: metres


class BadBody(ValueError):
    """A shape, pose or property that no body can have; the text says why."""


class Kind(IntEnum):
    STATIC = 0
    DYNAMIC = 1
    KINEMATIC = 2


class Form(IntEnum):
    """What a shape is."""

    BOX = 0
    SPHERE = 1
    CYLINDER = 2  # along z
    CAPSULE = 3  # along z
    HULL = 4
    MESH = 5  # triangles; static bodies only
    COMPOUND = 6


class Contact(IntEnum):
    """What a row of `collisions` reports."""

    START = 1
    ONGOING = 2
    END = 3


class Mask(IntEnum):
    """What a ray may hit; add them up."""

    STATIC = 1
    DYNAMIC = 2  # kinematic bodies too
    TERRAIN = 4
    AVATARS = 8
    PHANTOM = 16  # phantom and volume-detect bodies
    ALL = 15


class Made(NamedTuple):
    """A solid that was found beforehand, because finding it takes longer than a frame has, for many shapes to stretch."""

    name: Hashable  # those of one name are the same
    solid: Any  # a `hulls.Hull` or a `solids.Tree`


@dataclass(frozen=True, slots=True)
class Shape:
    """A solid, centred on its body's origin. Make one with the functions below; equal shapes are stored once.

    `size`: full extents (box; cylinder: diameter x, diameter y, length), or (radius,), or (radius, length of the middle);
    what stretches the points of a hull (nothing: they are as they are), or what was `made`.
    `points` (n, 3) and `triangles` (m, 3) of hulls and meshes, or `made` in their place.
    `parts`: (shape, offset, rotation) of a compound.
    """

    form: Form
    size: tuple[float, ...] = ()
    points: NDArray[np.float32] | None = field(default=None, compare=False)
    triangles: NDArray[np.int32] | None = field(default=None, compare=False)
    made: Made | None = field(default=None, compare=False)
    parts: tuple[tuple[Shape, tuple[float, float, float], tuple[float, float, float, float]], ...] = ()


def _extent(*values: float) -> tuple[float, ...]:
    size = tuple(float(value) for value in values)
    if not all(MIN_SIZE <= value <= MAX_SIZE for value in size):  # a NaN fails this, too
        raise BadBody(f"size {size} is not within {MIN_SIZE} to {MAX_SIZE} m")
    return size


def box(x: float, y: float, z: float) -> Shape:
    """A box of these full extents."""
    return Shape(Form.BOX, _extent(x, y, z))


def sphere(radius: float) -> Shape:
    return Shape(Form.SPHERE, _extent(radius))


def cylinder(diameter: float, length: float) -> Shape:
    """A round cylinder along z. (An elliptic one is a hull.)"""
    return Shape(Form.CYLINDER, _extent(diameter, diameter, length))


def capsule(radius: float, length: float) -> Shape:
    """Along z; `length` is between the centres of its round ends."""
    return Shape(Form.CAPSULE, _extent(radius, length))


def hull(points: ArrayLike) -> Shape:
    """The convex hull of (n, 3) points. Flat, empty or non-finite ones raise BadBody, here or when added."""
    array = np.ascontiguousarray(points, np.float32).reshape(-1, 3)
    if len(array) < 4 or not np.isfinite(array).all() or np.abs(array).max() > MAX_SIZE:
        raise BadBody("a hull needs at least 4 finite points")
    return Shape(Form.HULL, points=array)


def mesh(vertices: ArrayLike, triangles: ArrayLike) -> Shape:
    """Triangles (m, 3) over vertices (n, 3); both sides are solid to the touch, closed or not. Static bodies only."""
    points = np.ascontiguousarray(vertices, np.float32).reshape(-1, 3)
    corners = np.ascontiguousarray(triangles, np.int32).reshape(-1, 3)
    if not len(corners) or not np.isfinite(points).all() or np.abs(points).max() > MAX_SIZE:
        raise BadBody("a mesh needs triangles and finite vertices")
    if corners.min() < 0 or corners.max() >= len(points):
        raise BadBody("a triangle names a vertex that is not there")
    return Shape(Form.MESH, points=points, triangles=corners)


def stretched(form: Form, made: Made, factors: Sequence[float]) -> Shape:
    """A hull or mesh that was found beforehand, stretched by a factor along each axis."""
    return Shape(form, _extent(*factors), made=made)


def compound(parts: Sequence[tuple[Shape, Sequence[float], Sequence[float]]]) -> Shape:
    """Convex shapes (or compounds of them) at offsets (x, y, z) and rotations (x, y, z, w): a linkset, a hollow prim."""
    fixed = []
    for shape, offset, rotation in parts:
        x, y, z = (float(value) for value in offset)
        qx, qy, qz, qw = (float(value) for value in rotation)
        norm = (qx * qx + qy * qy + qz * qz + qw * qw) ** 0.5
        if not (1e-3 < norm < 1e6 and all(abs(value) <= MAX_REACH for value in (x, y, z))):  # a NaN fails this, too
            raise BadBody(f"a part is not within {MAX_REACH:.0f} m, or turned by no rotation")
        fixed.append((shape, (x, y, z), (qx / norm, qy / norm, qz / norm, qw / norm)))
    if not fixed:
        raise BadBody("a compound needs parts")
    return Shape(Form.COMPOUND, parts=tuple(fixed))


@dataclass(slots=True)
class BodySpec:
    """All there is to say of a new body. The body's origin is `position`, its centre of mass wherever the shape has it."""

    shape: Shape
    position: Sequence[float] = (0.0, 0.0, 0.0)
    rotation: Sequence[float] = (0.0, 0.0, 0.0, 1.0)
    velocity: Sequence[float] = (0.0, 0.0, 0.0)
    angular_velocity: Sequence[float] = (0.0, 0.0, 0.0)
    kind: Kind = Kind.STATIC
    mass: float = 0.0  # kilograms; 0: density times volume
    density: float = 1000.0  # kilograms a cubic metre (Second Life's 1 to 22587)
    friction: float = 0.6
    restitution: float = 0.5
    gravity_multiplier: float = 1.0
    buoyancy: float = 0.0  # 1 floats, above 1 rises, negative falls faster
    phantom: bool = False  # collides with the ground only
    volume_detect: bool = False  # collides with nothing, reports what enters and leaves
    lock_axes: tuple[bool, bool, bool] = (False, False, False)  # no turning about the body's own x, y, z
    user: int = 0  # the object's local id


COLLISION_DTYPE = np.dtype(
    [
        ("a", np.int32),  # a handle, always
        ("b", np.int32),  # a handle, TERRAIN, or -(row + 2) of an avatar
        ("kind", np.uint8),  # Contact
        ("point", np.float32, 3),
        ("normal", np.float32, 3),  # from a to b
        ("impulse", np.float32),  # newton seconds of the step's strongest contact
        ("speed", np.float32),  # metres a second at which they came together
    ],
    align=True,
)

HIT_DTYPE = np.dtype(
    [
        ("ray", np.int32),  # which ray of a batch
        ("target", np.int32),  # a handle, TERRAIN, or -(row + 2) of an avatar
        ("part", np.int32),  # which part of a compound, depth first
        ("fraction", np.float32),  # of the ray's length
        ("point", np.float32, 3),
        ("normal", np.float32, 3),
    ],
    align=True,
)


class Engine(Protocol):
    """A region's physics. One thread calls it, between steps or after one."""

    # Columns by handle. They may be replaced by larger ones on `add`: fetch them anew each frame.
    position: NDArray[np.float32]  # (n, 3)
    rotation: NDArray[np.float32]  # (n, 4)
    velocity: NDArray[np.float32]  # (n, 3), of the centre of mass
    angular_velocity: NDArray[np.float32]  # (n, 3)
    acceleration: NDArray[np.float32]  # (n, 3), what a viewer may extrapolate with: gravity in free fall, else 0
    awake: NDArray[np.uint8]  # (n,)
    user: NDArray[np.int64]  # (n,)
    moved: NDArray[np.int64]  # handles that moved or fell asleep in the last step
    lost: NDArray[np.int64]  # handles whose numbers came to be none in the last step: take them away
    collisions: NDArray[Any]  # COLLISION_DTYPE, of the last step
    open_sides: NDArray[np.uint8]  # (3, 3) [dy + 1, dx + 1]: where avatars may walk out of the region
    water_height: float

    def add(self, spec: BodySpec) -> int:
        """A new body's handle. BadBody when there can be no such body. A dynamic body begins awake."""

    def add_alike(
        self, spec: BodySpec, shapes: Sequence[Shape], positions: NDArray[Any], rotations: NDArray[Any], users: Sequence[int]
    ) -> tuple[list[int], dict[int, BadBody]]:
        """Handles of n bodies that differ from `spec` in shape, place, turn and user alone: n, (n, 3), (n, 4), n; NO_BODY
        for those there cannot be, and why, by their place in the list. Much cheaper than n times `add`."""

    def remove(self, handle: int) -> None:
        """The handle is free for others afterwards; what rested on the body wakes."""

    def replace_shape(self, handle: int, shape: Shape) -> None: ...

    def set_pose(self, handle: int, position: Sequence[float], rotation: Sequence[float]) -> None: ...

    def set_velocity(self, handle: int, velocity: Sequence[float], angular_velocity: Sequence[float]) -> None: ...

    def set_material(self, handle: int, **properties: float | bool | tuple[bool, bool, bool]) -> None:
        """Any of BodySpec's mass, density, friction, restitution, gravity_multiplier, buoyancy, phantom, volume_detect,
        lock_axes."""

    def set_kind(self, handle: int, kind: Kind) -> None: ...

    def wake(self, handle: int) -> None: ...

    def mass(self, handle: int) -> float:
        """Kilograms, of static bodies too."""

    def center_of_mass(self, handle: int) -> tuple[float, float, float]:
        """In region coordinates."""

    def apply_impulse(self, handle: int, impulse: Sequence[float], point: Sequence[float] | None = None) -> None:
        """Newton seconds, at the centre of mass or at a point of the region."""

    def apply_angular_impulse(self, handle: int, impulse: Sequence[float]) -> None: ...

    def set_force(self, handle: int, force: Sequence[float], local: bool = False) -> None:
        """Newtons, kept up until set anew; `local`: along the body's own axes."""

    def set_torque(self, handle: int, torque: Sequence[float], local: bool = False) -> None: ...

    def set_hover(self, handle: int, height: float, tau: float, water: bool = False) -> None:
        """Be held `height` metres above the ground (or water, whichever is higher, if `water`); tau 0 ends it."""

    def set_move_target(self, handle: int, target: Sequence[float], tau: float) -> None:
        """Glide to a point, critically damped (llMoveToTarget); tau 0 ends it."""

    def set_turn_target(self, handle: int, rotation: Sequence[float], strength: float, damping: float) -> None:
        """Turn to a rotation (llLookAt, llRotLookAt); strength 0 ends it."""

    def set_vehicle(self, handle: int, vehicle: Vehicle | None) -> None: ...

    def set_terrain(self, heights: NDArray[np.float32], area: Area | None = None) -> None:
        """(257, 257) heights [y, x]; kept, not copied: call it again after they changed, to wake what lies there; `area`: where
        they did, when it was not everywhere. Where they are absurd they are held to HIGHEST."""

    def step(self, dt: float, avatars: NDArray[Any]) -> None:
        """Move bodies and avatars (AVATAR_DTYPE rows) by one fixed step."""

    def raycast(
        self, origin: Sequence[float], direction: Sequence[float], length: float, mask: int = Mask.ALL, max_hits: int = 1
    ) -> NDArray[Any]:
        """The nearest hits along a ray, HIT_DTYPE, nearest first. Avatars are where the last step left them."""

    def raycast_batch(
        self, origins: NDArray[np.float32], directions: NDArray[np.float32], lengths: NDArray[np.float32], mask: int = Mask.ALL
    ) -> NDArray[Any]:
        """The nearest hit of each of n rays, HIT_DTYPE (n,); `target` is NO_BODY where there is none."""

    def statistics(self) -> dict[str, int]:
        """Bodies by kind, how many are awake, pairs and contacts of the last step."""


ENGINES = ("numba", "bullet")


def check_engine(name: str) -> str:
    """The name of an engine that can be had here. ValueError says what to do otherwise."""
    if name not in ENGINES:
        raise ValueError(f"no physics engine is called {name!r}; there are {' and '.join(ENGINES)}")
    if name == "bullet" and importlib.util.find_spec("pybullet") is None:
        raise ValueError("the Bullet engine needs pybullet: pip install 'mainland[bullet]'")
    return name


def create(name: str = "numba") -> Engine:
    """The engine of that name. ValueError for one that there is not, or not on this machine."""
    if check_engine(name) == "bullet":
        from sim.physics.bullet import BulletEngine

        return BulletEngine()
    from sim.physics.numba_engine import NumbaEngine

    return NumbaEngine()
