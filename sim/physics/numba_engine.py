"""The region's own engine: columns of bodies, and one step as a row of kernels.

    forces -> bounds -> pairs -> contacts -> solve -> move -> relax, bounce -> events -> sleep -> avatars

Nothing in a step is done body by body in Python. When nothing is awake, nothing is done at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.physics import broadphase, contacts, events, motion, rays, sleep, solver
from sim.physics.avatar_bodies import CROWD_SIDE, EXTRA, Surroundings
from sim.physics.avatars import step_rows
from sim.physics.data import AXIS, BODY, CONTACT, MOTION, PIECE, POSE, Bodies, new_scratch, room
from sim.physics.engine import (
    HIGHEST,
    HIT_DTYPE,
    LOWEST,
    MAX_FORCE,
    MAX_MASS,
    MAX_SPEED,
    MAX_SPIN,
    MIN_MASS,
    NO_BODY,
    OUTSIDE,
    BadBody,
    BodySpec,
    Kind,
    Mask,
    Shape,
)
from sim.physics.pieces import moved
from sim.physics.shapes import ShapeStore
from sim.physics.vehicles import VEHICLE_DTYPE, Vehicle, row_of
from sim.world.avatars import AVATAR_DTYPE

ROUNDS, RELAX_ROUNDS = 8, 2
MOST_KEPT = 20_000  # contacts of sleeping bodies that are remembered while others are awake
MOVING_MESH = "a mesh of triangles cannot move; give its convex pieces"
FRESH = 64  # statics that may wait beside the grid before it is built anew
_MATERIAL = {
    "mass", "density", "friction", "restitution", "gravity_multiplier", "buoyancy", "phantom", "volume_detect", "lock_axes",
}  # fmt: skip


def _vector(values: Sequence[float], what: str, limit: float = math.inf) -> NDArray[np.float64]:
    """Three finite numbers, shortened to `limit`. BadBody otherwise."""
    array = np.asarray(values, np.float64).reshape(-1)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise BadBody(f"{what} must be three finite numbers, not {values!r}")
    size = float(np.abs(array).max())
    if size > limit:
        array = array * (limit / size)
        size = math.sqrt(float(array @ array))
        if size > limit:
            array *= limit / size
    return array


def _position(values: Sequence[float]) -> NDArray[np.float64]:
    x, y, z = _vector(values, "position")
    edge = 256.0 + OUTSIDE
    return np.array([min(max(x, -OUTSIDE), edge), min(max(y, -OUTSIDE), edge), min(max(z, LOWEST), HIGHEST)])


def _positions(values: NDArray[Any]) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64).reshape(-1, 3)
    if not np.isfinite(array).all():
        raise BadBody("a position is infinite or not a number")
    edge = 256.0 + OUTSIDE
    return np.clip(array, (-OUTSIDE, -OUTSIDE, LOWEST), (edge, edge, HIGHEST))


def _rotations(values: NDArray[Any]) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64).reshape(-1, 4)
    size = np.linalg.norm(array, axis=1, keepdims=True)
    if not ((size > 1e-6) & (size < 1e6)).all():  # nor holds for NaN
        raise BadBody("a rotation is no turn")
    return array / size


def _rotation(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64).reshape(-1)
    if array.shape != (4,) or not np.isfinite(array).all():
        raise BadBody(f"rotation must be four finite numbers, not {values!r}")
    size = math.sqrt(float(array @ array))
    if not 1e-6 < size < 1e6:
        raise BadBody(f"rotation {values!r} is no turn")
    return array / size


def _number(value: Any, low: float, high: float, what: str) -> float:
    number = float(value)
    if math.isnan(number):
        raise BadBody(f"{what} is not a number")
    return min(max(number, low), high)


class NumbaEngine:
    def __init__(self, capacity: int = 256) -> None:
        self.shapes = ShapeStore()
        self.heights: NDArray[np.float32] = np.zeros((257, 257), np.float32)
        self.top = 0.0
        self.water_height = 20.0
        self.open_sides = np.zeros((3, 3), np.uint8)
        self._count = 1  # handle 0 is the ground
        self._free: list[int] = []
        self._density: dict[int, tuple[float, float]] = {}  # density, mass as given (0: from density)
        self._vehicle_specs: dict[int, Vehicle] = {}
        self._vehicle_rows = np.zeros(16, VEHICLE_DTYPE)
        self._vehicle_free = list(range(15, -1, -1))
        self.bodies: Bodies
        self._allocate(capacity)
        self.bodies.body[0]["friction"], self.bodies.body[0]["restitution"] = 0.8, 0.02
        self._scratch = new_scratch()
        self._hit = np.zeros(1, HIT_DTYPE)
        self._static_grid = np.zeros(broadphase.STATIC_SIDE**2 + 1, np.int32)
        self._static_items = np.zeros(0, np.int32)
        self._mover_grid = np.zeros(broadphase.MOVER_SIDE**2 + 1, np.int32)
        self._mover_items = np.zeros(0, np.int32)
        self._movers_stale = False
        self._fresh = np.zeros(FRESH, np.int32)
        self._fresh_set: dict[int, None] = {}
        self._pairs = np.zeros((1024, 2), np.int32)
        self._contacts, self._old = np.zeros(1024, CONTACT), np.zeros(1024, CONTACT)
        self._axes, self._old_axes = np.zeros(1024, AXIS), np.zeros(1024, AXIS)
        self._old_count = 0
        self._order = np.zeros(1024, np.int32)
        self._runs = np.zeros(solver.PAIRS_AT_ONCE + 1, np.int32)
        self._freed = 0
        self._table = np.full(1024, -1, np.int32)
        self._touches = np.zeros(256, events.TOUCH)
        self._touching = events.Touching()
        self._rows = np.zeros(0, AVATAR_DTYPE)
        self._extra = np.zeros(0, EXTRA)
        self._near = np.zeros(64, np.int32)
        self._avatar_contacts = np.zeros(128, CONTACT)
        self._capsule = np.zeros(1, PIECE)
        self._crowd = np.zeros(CROWD_SIDE**2 + 1, np.int32)
        self._heard = 0
        self.moved: NDArray[np.int64] = np.zeros(0, np.int64)
        self.collisions: NDArray[Any] = self._touching.events[:0]
        self.awake_count = 0
        self.pair_count = self.contact_count = 0
        self.avatar_motions = self.avatars_outside = 0

    # --- columns

    def _allocate(self, capacity: int) -> None:
        old: Bodies | None = getattr(self, "bodies", None)
        tables = (
            np.zeros(capacity, POSE), np.zeros(capacity, MOTION), np.zeros(capacity, BODY), np.zeros(capacity, np.uint8),
            np.zeros((capacity, 6), np.float32), np.zeros((capacity, 3), np.float32),
        )  # fmt: skip
        user: NDArray[np.int64] = np.zeros(capacity, np.int64)
        if old is not None:
            n = len(old.awake)
            for table, before in zip(tables, old, strict=True):
                table[:n] = before  # type: ignore[assignment,index]
            user[:n] = self.user
        self.bodies = Bodies(*tables)
        self.user: NDArray[np.int64] = user
        self._moved = np.zeros(capacity, np.int64)
        self._least, self._roused = np.zeros(capacity, np.float32), np.zeros(capacity, np.int64)
        pose, motions = tables[0].view(np.float32).reshape(capacity, 16), tables[1].view(np.float32).reshape(capacity, 16)
        self.position, self.awake = tables[5], tables[3]
        self.rotation = pose[:, 3:7]
        self.velocity, self.angular_velocity, self.acceleration = motions[:, 0:3], motions[:, 3:6], motions[:, 13:16]

    def _row(self, handle: int) -> np.void:
        if not 0 < handle < self._count or not self.bodies.body[handle]["active"]:
            raise BadBody(f"there is no body {handle}")
        return self.bodies.body[handle]

    # --- bodies come and go

    def add(self, spec: BodySpec) -> int:
        return self._enter(spec, self.shapes.add(spec.shape))

    def _enter(self, spec: BodySpec, shape: int) -> int:
        """A body of a shape of the store, which is given back if it cannot be."""
        try:
            position, rotation = _position(spec.position), _rotation(spec.rotation)
            velocity = _vector(spec.velocity, "velocity", MAX_SPEED)
            spin = _vector(spec.angular_velocity, "angular velocity", MAX_SPIN)
            kind = Kind(spec.kind)
            if kind != Kind.STATIC and self.shapes.is_mesh(shape):
                raise BadBody(MOVING_MESH)
        except (BadBody, ValueError, TypeError):
            self.shapes.drop(shape)
            raise
        if self._free:
            handle = self._free.pop()
        else:
            if self._count == len(self.bodies.awake):
                self._allocate(2 * self._count)
            handle = self._count
            self._count += 1
        b = self.bodies
        b.body[handle] = np.zeros((), BODY)
        b.motion[handle] = np.zeros((), MOTION)
        b.awake[handle] = 0
        o = b.body[handle]
        o["active"], o["kind"], o["shape"], o["vehicle"] = 1, kind, shape, -1
        self.user[handle] = spec.user
        self._density[handle] = (spec.density, spec.mass)
        try:
            self._materials(
                handle, friction=spec.friction, restitution=spec.restitution, gravity_multiplier=spec.gravity_multiplier,
                buoyancy=spec.buoyancy, phantom=spec.phantom, volume_detect=spec.volume_detect, lock_axes=spec.lock_axes,
            )  # fmt: skip
            self._weigh([handle])
        except (BadBody, ValueError, TypeError) as error:
            o["active"] = 0
            self.shapes.drop(shape)
            self._free.append(handle)
            raise BadBody(str(error)) from error
        self._place(handle, position, rotation)
        m = b.motion[handle]
        if kind != Kind.STATIC:
            m["vx"], m["vy"], m["vz"] = velocity
            m["wx"], m["wy"], m["wz"] = spin
        if kind == Kind.DYNAMIC or velocity.any() or spin.any():
            b.awake[handle] = kind != Kind.STATIC
        self._entered(handle)
        return handle

    def add_alike(
        self, spec: BodySpec, shapes: Sequence[Shape], positions: NDArray[Any], rotations: NDArray[Any], users: Sequence[int]
    ) -> tuple[list[int], dict[int, BadBody]]:
        positions, rotations = _positions(positions), _rotations(rotations)
        if not len(shapes) == len(positions) == len(rotations) == len(users):
            raise BadBody("as many shapes as positions, rotations and users, please")
        numbers, refused = self.shapes.add_all(shapes)
        if spec.kind != Kind.STATIC:
            for k, number in enumerate(numbers):
                if k not in refused and self.shapes.is_mesh(number):
                    self.shapes.drop(number)
                    refused[k] = BadBody(MOVING_MESH)
        good = [k for k in range(len(shapes)) if k not in refused]
        handles = [NO_BODY] * len(shapes)
        if not good:
            return handles, refused
        k, *rest = good
        one = replace(spec, position=positions[k].tolist(), rotation=rotations[k].tolist(), user=users[k])
        try:
            handles[k] = self._enter(one, numbers[k])
        except BadBody as error:
            for other in rest:
                self.shapes.drop(numbers[other])
            return handles, refused | dict.fromkeys(good, error)
        others = self._more_like(handles[k], [numbers[k] for k in rest], positions[rest], rotations[rest])
        self.user[others] = [users[k] for k in rest]
        for k, handle in zip(rest, others, strict=True):
            handles[k] = handle
        return handles, refused

    def _more_like(
        self, first: int, shapes: list[int], positions: NDArray[np.float64], rotations: NDArray[np.float64]
    ) -> list[int]:
        """As many bodies like one that is there, but each of its own shape."""
        more = len(shapes)
        if not more:
            return []
        handles = [self._free.pop() for _ in range(min(more, len(self._free)))]
        fresh = more - len(handles)
        while self._count + fresh > len(self.bodies.awake):
            self._allocate(2 * len(self.bodies.awake))
        handles += range(self._count, self._count + fresh)
        self._count += fresh
        b = self.bodies
        for table in (b.body, b.motion, b.awake):
            table[handles] = table[first]
        b.body["shape"][handles] = shapes
        self._density.update(dict.fromkeys(handles, self._density[first]))
        self._weigh(handles)
        o, q = b.body[handles], rotations[:, :3]
        v = np.stack([o["cx"], o["cy"], o["cz"]], axis=1).astype(np.float64)
        t = 2 * np.cross(q, v)
        middles = positions + v + rotations[:, 3:] * t + np.cross(q, t)
        for column, name in enumerate(("x", "y", "z")):
            b.pose[name][handles] = middles[:, column]
        for column, name in enumerate(("qx", "qy", "qz", "qw")):
            b.pose[name][handles] = rotations[:, column]
        b.origin[handles] = positions
        for handle in handles:
            broadphase.place(handle, b, self.shapes.geometry, 0.0)
        if b.body[first]["kind"] == Kind.STATIC:
            self._fresh_set.update(dict.fromkeys(handles))
        else:
            self._movers_stale = True
        return handles

    def remove(self, handle: int) -> None:
        o = self._row(handle)
        self._left(handle, o)
        self.set_vehicle(handle, None)
        self.shapes.drop(int(o["shape"]))
        o["active"] = 0
        self.bodies.awake[handle] = 0
        self._density.pop(handle, None)
        self._free.append(handle)
        self._touching.forget(handle, self.bodies)

    def _entered(self, handle: int) -> None:
        """A body has a new place, shape or kind: find it in the grids, wake who lies there."""
        o = self.bodies.body[handle]
        if o["kind"] == Kind.STATIC:
            o["in_grid"] = 0
            self._fresh_set[handle] = None
        else:
            self._movers_stale = True

    def _left(self, handle: int, o: np.void) -> None:
        """A body leaves its place: who leaned on it wakes."""
        o["in_grid"] = 0
        self._fresh_set.pop(handle, None)
        self._movers_stale = True
        if not o["phantom"] and not o["sensor"]:
            broadphase.wake_around(self.bodies, self._count, self.bodies.bounds[handle].copy(), True)

    def _place(self, handle: int, position: NDArray[np.float64], rotation: NDArray[np.float64]) -> None:
        o, p = self.bodies.body[handle], self.bodies.pose[handle]
        p["qx"], p["qy"], p["qz"], p["qw"] = rotation
        p["x"], p["y"], p["z"] = moved(position.tolist(), rotation.tolist(), (float(o["cx"]), float(o["cy"]), float(o["cz"])))
        self.bodies.origin[handle] = position
        broadphase.place(handle, self.bodies, self.shapes.geometry, 0.0)

    def _weigh(self, handles: Sequence[int]) -> None:
        """Mass, centre and inertia of bodies of one kind, from shape and density."""
        body, motions = self.bodies.body, self.bodies.motion
        solids = self.shapes.solids[body["shape"][handles]]
        density, given = np.array([self._density[handle] for handle in handles], np.float64).T
        if np.isnan(density).any() or np.isnan(given).any():
            raise BadBody("density or mass is not a number")
        mass = np.where(given > 0, given, np.clip(density, 1e-3, 1e6) * solids["volume"])
        body["mass"][handles] = mass = np.clip(mass, MIN_MASS, MAX_MASS)
        for axis, name in enumerate(("cx", "cy", "cz")):
            body[name][handles] = solids["center"][:, axis]
        dynamic = body["kind"][handles[0]] == Kind.DYNAMIC
        motions["im"][handles] = 1.0 / mass if dynamic else 0.0
        inverse = np.zeros((len(handles), 3, 3))
        if dynamic:
            # A needle hardly resists being spun about its length; a floor of its inertia keeps the solver calm.
            inertia = solids["inertia"] * (mass / solids["volume"])[:, None, None]
            floor = np.maximum(2e-3 * np.trace(inertia, axis1=1, axis2=2), 1e-7 * mass)
            inverse = np.linalg.inv(inertia + floor[:, None, None] * np.eye(3))
            for axis, name in enumerate(("lock_x", "lock_y", "lock_z")):
                locked = body[name][handles] == 1
                inverse[locked, axis, :] = inverse[locked, :, axis] = 0.0
        columns = (("jxx", 0, 0), ("jyy", 1, 1), ("jzz", 2, 2), ("jxy", 0, 1), ("jxz", 0, 2), ("jyz", 1, 2))
        for name, row, column in columns:
            body[name][handles] = inverse[:, row, column]
        if not dynamic:
            for name in ("ixx", "iyy", "izz", "ixy", "ixz", "iyz"):
                motions[name][handles] = 0.0

    # --- changes

    def replace_shape(self, handle: int, shape: Shape) -> None:
        o = self._row(handle)
        number = self.shapes.add(shape)
        if o["kind"] != Kind.STATIC and self.shapes.is_mesh(number):
            self.shapes.drop(number)
            raise BadBody(MOVING_MESH)
        self._left(handle, o)
        self.shapes.drop(int(o["shape"]))
        o["shape"] = number
        position, p = self.bodies.origin[handle].astype(np.float64), self.bodies.pose[handle]
        rotation = np.array([p["qx"], p["qy"], p["qz"], p["qw"]], np.float64)
        self._weigh([handle])
        self._place(handle, position, rotation)
        self._entered(handle)
        self.wake(handle)

    def set_pose(self, handle: int, position: Sequence[float], rotation: Sequence[float]) -> None:
        o = self._row(handle)
        where, how = _position(position), _rotation(rotation)
        self._left(handle, o)
        self._place(handle, where, how)
        self._entered(handle)
        broadphase.wake_around(self.bodies, self._count, self.bodies.bounds[handle].copy(), True)
        self.wake(handle)

    def set_velocity(self, handle: int, velocity: Sequence[float], angular_velocity: Sequence[float]) -> None:
        o = self._row(handle)
        v, w = _vector(velocity, "velocity", MAX_SPEED), _vector(angular_velocity, "angular velocity", MAX_SPIN)
        if o["kind"] == Kind.STATIC:
            return
        m = self.bodies.motion[handle]
        m["vx"], m["vy"], m["vz"] = v
        m["wx"], m["wy"], m["wz"] = w
        self.wake(handle)

    def set_material(self, handle: int, **properties: Any) -> None:
        o = self._row(handle)
        unknown = set(properties) - _MATERIAL
        if unknown:
            raise BadBody(f"no such property: {', '.join(sorted(unknown))}")
        passing = bool(o["phantom"]), bool(o["sensor"])
        density, mass = self._density[handle]
        if "density" in properties:
            density, mass = _number(properties["density"], 1e-3, 1e6, "density"), 0.0
        if "mass" in properties:
            mass = _number(properties["mass"], 0.0, MAX_MASS, "mass")
        self._materials(handle, **properties)
        if {"density", "mass", "lock_axes"} & properties.keys():
            self._density[handle] = density, mass
            self._weigh([handle])
            broadphase.place(handle, self.bodies, self.shapes.geometry, 0.0)
        if (bool(o["phantom"]), bool(o["sensor"])) != passing:
            o["in_grid"] = 0
            broadphase.wake_around(self.bodies, self._count, self.bodies.bounds[handle].copy(), True)
            self._entered(handle)
        self.wake(handle)

    def _materials(self, handle: int, **properties: Any) -> None:
        o = self.bodies.body[handle]
        ranges = {
            "friction": ("friction", 0.0, 2.0), "restitution": ("restitution", 0.0, 1.0),
            "gravity_multiplier": ("gravity", -1.0, 28.0), "buoyancy": ("buoyancy", -10.0, 10.0),
        }  # fmt: skip
        checked = {
            column: _number(properties[name], low, high, name)
            for name, (column, low, high) in ranges.items()
            if name in properties
        }
        for column, value in checked.items():
            o[column] = value
        if "phantom" in properties:
            o["phantom"] = bool(properties["phantom"])
        if "volume_detect" in properties:
            o["sensor"] = bool(properties["volume_detect"])
        if "lock_axes" in properties:
            o["lock_x"], o["lock_y"], o["lock_z"] = (bool(lock) for lock in properties["lock_axes"])

    def set_kind(self, handle: int, kind: Kind) -> None:
        o = self._row(handle)
        kind = Kind(kind)
        if kind == o["kind"]:
            return
        if kind != Kind.STATIC and self.shapes.is_mesh(int(o["shape"])):
            raise BadBody(MOVING_MESH)
        self._left(handle, o)
        o["kind"] = kind
        o["timer"] = 0
        m = self.bodies.motion[handle]
        for name in ("vx", "vy", "vz", "wx", "wy", "wz", "ax", "ay", "az"):
            m[name] = 0.0
        self._weigh([handle])
        broadphase.place(handle, self.bodies, self.shapes.geometry, 0.0)
        self.bodies.awake[handle] = kind == Kind.DYNAMIC
        self._entered(handle)

    def wake(self, handle: int) -> None:
        o = self._row(handle)
        if o["kind"] != Kind.STATIC:
            self.bodies.awake[handle] = 1
            o["timer"] = 0

    def mass(self, handle: int) -> float:
        return float(self._row(handle)["mass"])

    def center_of_mass(self, handle: int) -> tuple[float, float, float]:
        self._row(handle)
        p = self.bodies.pose[handle]
        return float(p["x"]), float(p["y"]), float(p["z"])

    # --- forces

    def apply_impulse(self, handle: int, impulse: Sequence[float], point: Sequence[float] | None = None) -> None:
        o = self._row(handle)
        j = _vector(impulse, "impulse", MAX_FORCE)
        if o["kind"] != Kind.DYNAMIC:
            return
        m = self.bodies.motion[handle]
        for name, value in zip(("vx", "vy", "vz"), j / float(o["mass"]), strict=True):
            m[name] += value
        if point is not None:
            arm = np.clip(_vector(point, "point") - self.center_of_mass(handle), -1e4, 1e4)
            self._spin(handle, np.cross(arm, j))
        motion.tame(m)
        self.wake(handle)

    def apply_angular_impulse(self, handle: int, impulse: Sequence[float]) -> None:
        o = self._row(handle)
        j = _vector(impulse, "angular impulse", MAX_FORCE)
        if o["kind"] == Kind.DYNAMIC:
            self._spin(handle, j)
            motion.tame(self.bodies.motion[handle])
            self.wake(handle)

    def _spin(self, handle: int, j: NDArray[np.float64]) -> None:
        broadphase.place(handle, self.bodies, self.shapes.geometry, 0.0)
        m = self.bodies.motion[handle]
        rows = (("ixx", "ixy", "ixz"), ("ixy", "iyy", "iyz"), ("ixz", "iyz", "izz"))
        for name, row in zip(("wx", "wy", "wz"), rows, strict=True):
            m[name] += sum(float(m[column]) * value for column, value in zip(row, j, strict=True))

    def set_force(self, handle: int, force: Sequence[float], local: bool = False) -> None:
        o = self._row(handle)
        o["fx"], o["fy"], o["fz"] = _vector(force, "force", MAX_FORCE)
        o["force_local"] = local
        self.wake(handle)

    def set_torque(self, handle: int, torque: Sequence[float], local: bool = False) -> None:
        o = self._row(handle)
        o["tx"], o["ty"], o["tz"] = _vector(torque, "torque", MAX_FORCE)
        o["torque_local"] = local
        self.wake(handle)

    def set_hover(self, handle: int, height: float, tau: float, water: bool = False) -> None:
        o = self._row(handle)
        o["hover"], o["hover_tau"] = _number(height, -4096, 4096, "height"), _number(tau, 0.0, 1000.0, "tau")
        o["hover_water"] = water
        self.wake(handle)

    def set_move_target(self, handle: int, target: Sequence[float], tau: float) -> None:
        o = self._row(handle)
        o["goal_x"], o["goal_y"], o["goal_z"] = _position(target)
        o["goal_tau"] = _number(tau, 0.0, 1000.0, "tau")
        self.wake(handle)

    def set_turn_target(self, handle: int, rotation: Sequence[float], strength: float, damping: float) -> None:
        o = self._row(handle)
        o["turn_x"], o["turn_y"], o["turn_z"], o["turn_w"] = _rotation(rotation)
        o["turn_strength"] = _number(strength, 0.0, 100.0, "strength")
        o["turn_damping"] = _number(damping, 0.0, 1000.0, "damping")
        self.wake(handle)

    def set_vehicle(self, handle: int, vehicle: Vehicle | None) -> None:
        o = self._row(handle)
        slot = int(o["vehicle"])
        before = self._vehicle_specs.pop(handle, None)
        if vehicle is None or vehicle.type == 0:
            if slot >= 0:
                self._vehicle_free.append(slot)
                o["vehicle"] = -1
            return
        row = row_of(vehicle)
        if slot < 0:
            if not self._vehicle_free:
                n = len(self._vehicle_rows)
                self._vehicle_rows = np.concatenate([self._vehicle_rows, np.zeros(n, VEHICLE_DTYPE)])
                self._vehicle_free = list(range(2 * n - 1, n - 1, -1))
            slot = self._vehicle_free.pop()
            o["vehicle"] = slot
        elif before is not None:  # a motor's decay starts anew only when the motor was set
            if before.linear_motor_direction == vehicle.linear_motor_direction:
                row["lm_age"] = self._vehicle_rows[slot]["lm_age"]
            if before.angular_motor_direction == vehicle.angular_motor_direction:
                row["am_age"] = self._vehicle_rows[slot]["am_age"]
        self._vehicle_rows[slot] = row
        self._vehicle_specs[handle] = vehicle
        self.wake(handle)

    def vehicle(self, handle: int) -> Vehicle | None:
        """What `set_vehicle` was last told."""
        return self._vehicle_specs.get(handle)

    def push_motor(self, handle: int) -> None:
        """Restart both motors' decay, as setting a motor's direction again does."""
        slot = int(self._row(handle)["vehicle"])
        if slot >= 0:
            self._vehicle_rows[slot]["lm_age"] = self._vehicle_rows[slot]["am_age"] = 0.0
            self.wake(handle)

    def set_terrain(self, heights: NDArray[np.float32]) -> None:
        if heights.shape != (257, 257) or not np.isfinite(heights).all():
            raise BadBody("terrain needs 257 x 257 finite heights")
        self.heights = np.ascontiguousarray(heights, np.float32)
        self.top = float(self.heights.max()) + 0.1
        box = np.array([-1e4, -1e4, -1e4, 1e4, 1e4, self.top + 2.0], np.float32)
        broadphase.wake_around(self.bodies, self._count, box, True)

    # --- the step

    def _prepare_grids(self, force: bool = False) -> None:
        if len(self._fresh_set) > FRESH or (force and self._fresh_set):
            self._static_items = self._grid(
                True, broadphase.STATIC_SIDE, 1.0 / broadphase.STATIC_CELL, self._static_grid, self._static_items
            )
            self._fresh_set.clear()
        self._fresh[: len(self._fresh_set)] = list(self._fresh_set)

    def _build_movers(self) -> None:
        self._mover_items = self._grid(
            False, broadphase.MOVER_SIDE, 1.0 / broadphase.MOVER_CELL, self._mover_grid, self._mover_items
        )
        self._movers_stale = False

    def _grid(
        self, statics: bool, side: int, inv: float, start: NDArray[np.int32], items: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """Build a grid; its items, in a larger array where they had no room."""
        total = broadphase.build_grid(self.bodies, self._count, statics, side, inv, start, items)
        if total > len(items):
            items = np.zeros(total + total // 2, np.int32)
            broadphase.build_grid(self.bodies, self._count, statics, side, inv, start, items)
        return items

    def step(self, dt: float, avatars: NDArray[Any]) -> None:
        self._rows = avatars
        n = self._count
        self._prepare_grids()
        touches = 0
        moved = 0
        if self.awake[:n].any():
            moved, touches = self._step_bodies(n, dt)
        elif self._movers_stale:
            self._build_movers()
        if len(avatars):
            touches = self._step_avatars(n, dt, touches)
        nobody = not touches and not self._heard and not moved
        self._heard = touches  # while all sleep and no avatar touches anything, nothing can begin or end
        if not nobody:
            self.collisions = self._touching.report(self._touches, touches, self.bodies)
        else:
            self.collisions = self.collisions[:0]
        self.moved = self._moved[:moved]

    def _step_bodies(self, n: int, dt: float) -> tuple[int, int]:
        b, g, s = self.bodies, self.shapes.geometry, self._scratch
        self._apply_forces(np.flatnonzero(b.awake[:n]), dt)
        broadphase.refresh(b, g, n, dt)
        self._build_movers()
        grids = (self._static_grid, self._static_items, self._mover_grid, self._mover_items)
        pairs = self._find_pairs(n)
        roused = sleep.rouse(b, self._pairs, pairs, self._roused)
        if roused:
            self._apply_forces(self._roused[:roused], dt)
            pairs = self._pairs_of_roused(roused, pairs)
        m = self._collide(n, pairs, dt)
        found = self._contacts
        solver.prepare(found, m, b.motion, b.body, self._old, self._old_count, self._table, dt)
        self._order = room(self._order, m)
        solved = solver.interleave(found, m, self._order, self._runs)
        solver.solve(found, self._order, solved, b.motion, ROUNDS, True)
        solver.mark_touched(found, m, b.body)
        moved = motion.integrate(
            b, g, s, n, self.heights, self.top, *grids, self._fresh, len(self._fresh_set), self._rows, self._moved,
            self._hit, dt,
        )  # fmt: skip
        solver.solve(found, self._order, solved, b.motion, RELAX_ROUNDS, False)
        solver.bounce(found, m, b.motion)
        self._touches = room(self._touches, m)
        touches = events.gather(found, m, b, self._touches)
        kept = sleep.carry_over(b, self._old, self._old_count, found, m)
        self.awake_count = sleep.settle(b, n, found, m, self._least, dt)
        self._table = room(self._table, 2 * kept)
        solver.remember(found, kept, self._table)
        self._contacts, self._old, self._old_count = self._old, found, kept
        self._axes, self._old_axes = self._old_axes, self._axes
        self.pair_count, self.contact_count = pairs, m
        return moved, touches

    def _find_pairs(self, n: int) -> int:
        """Fill `_pairs`, with as much room as they need; how many."""
        while True:
            total: int = broadphase.find_pairs(
                self.bodies, n, self._mover_grid, self._mover_items, self._static_grid, self._static_items, self._fresh,
                len(self._fresh_set), self._pairs,
            )  # fmt: skip
            if total <= len(self._pairs):
                return total
            self._pairs = room(self._pairs, total)

    def _pairs_of_roused(self, roused: int, pairs: int) -> int:
        """Append their pairs to `_pairs`; how many there are then."""
        while True:
            total: int = broadphase.pairs_of_roused(
                self.bodies, self._roused, roused, self._mover_grid, self._mover_items, self._static_grid,
                self._static_items, self._fresh, len(self._fresh_set), self._pairs, pairs,
            )  # fmt: skip
            if total <= len(self._pairs):
                return total
            before, self._pairs = self._pairs, room(self._pairs, total)
            self._pairs[:pairs] = before[:pairs]

    def _apply_forces(self, handles: NDArray[np.int64], dt: float) -> None:
        motion.apply_forces(
            self.bodies, self.shapes.geometry, handles, self._vehicle_rows, self.heights, self.water_height, dt
        )

    def _collide(self, n: int, pairs: int, dt: float) -> int:
        """Fill `_contacts`, with as much room as they need; how many."""
        b, g, s = self.bodies, self.shapes.geometry, self._scratch
        if self._freed != self.shapes.freed:  # what was known of pieces may be of others now
            self._freed = self.shapes.freed
            self._old["axis"] = -1
        while True:
            m = contacts.collide_pairs(
                b, g, s, self._pairs, pairs, self._contacts, self._axes, self._old, self._old_count, self._table,
                self._old_axes, dt,
            )  # fmt: skip
            m = contacts.collide_ground(b, g, s, n, self.heights, self.top, self._contacts, m, dt)
            most = m + min(self._old_count, MOST_KEPT)
            if most <= len(self._contacts):
                return int(m)
            self._contacts, self._axes = room(self._contacts, most), room(self._axes, m)

    def _step_avatars(self, n: int, dt: float, touches: int) -> int:
        if len(self._extra) < len(self._rows):
            extra = np.zeros(2 * len(self._rows), EXTRA)
            extra[: len(self._extra)] = self._extra
            self._extra = extra
        around = self.surroundings(n)
        more = room(self._touches, touches + (len(self._near) + 1) * len(self._rows))
        more[:touches] = self._touches[:touches]
        self._touches = more
        touches, self.avatar_motions, self.avatars_outside = step_rows(
            self._rows, self._extra, self.heights, self.open_sides, around, self._touches, touches, dt
        )
        return touches

    def surroundings(self, n: int | None = None) -> Surroundings:
        """Everything an avatar may bump into, for the kernel."""
        return Surroundings(
            self.bodies, self.shapes.geometry, self._scratch, self._static_grid, self._static_items, self._mover_grid,
            self._mover_items, self._fresh, len(self._fresh_set), self._near, self._avatar_contacts, self._capsule, self._crowd,
        )  # fmt: skip

    # --- rays

    def _grids(self) -> tuple[Any, ...]:
        self._prepare_grids()
        if self._movers_stale:
            self._build_movers()
        return (
            self.bodies, self.shapes.geometry, self._scratch, self._count, self.heights, self.top, self._static_grid,
            self._static_items, self._mover_grid, self._mover_items, self._fresh, len(self._fresh_set), self._rows,
        )  # fmt: skip

    def raycast(
        self, origin: Sequence[float], direction: Sequence[float], length: float, mask: int = Mask.ALL, max_hits: int = 1
    ) -> NDArray[Any]:
        o, d = _vector(origin, "origin"), _vector(direction, "direction")
        size = math.sqrt(float(d @ d))
        length = _number(length, 0.0, 4096.0, "length")
        hits = np.zeros(min(max(int(max_hits), 1), 256), HIT_DTYPE)
        if size < 1e-9 or length <= 0 or np.abs(o).max() > 1e5:
            return hits[:0]
        d /= size
        count = rays.cast(*self._grids(), int(mask), -1, *o.tolist(), *d.tolist(), length, hits)  # type: ignore[call-arg]
        hits = hits[:count]
        hits = hits[np.argsort(hits["fraction"], kind="stable")]
        hits["point"] = o + hits["fraction"][:, None] * d
        hits["fraction"] /= length
        return hits

    def raycast_batch(
        self, origins: NDArray[np.float32], directions: NDArray[np.float32], lengths: NDArray[np.float32], mask: int = Mask.ALL
    ) -> NDArray[Any]:
        origins = np.ascontiguousarray(origins, np.float32).reshape(-1, 3)
        directions = np.ascontiguousarray(directions, np.float32).reshape(-1, 3)
        lengths = np.minimum(np.broadcast_to(np.asarray(lengths, np.float32), len(origins)), 4096.0).astype(np.float32)
        if len(directions) != len(origins):
            raise BadBody("as many directions as origins, please")
        out = np.zeros(len(origins), HIT_DTYPE)
        rays.cast_batch(*self._grids(), int(mask), origins, directions, lengths, out)  # type: ignore[call-arg]
        return out

    def statistics(self) -> dict[str, int]:
        body = self.bodies.body[1 : self._count]
        kinds = np.bincount(body["kind"][body["active"] == 1], minlength=3)
        return {
            "static": int(kinds[0]), "dynamic": int(kinds[1]), "kinematic": int(kinds[2]),
            "awake": int(self.awake[1 : self._count].sum()), "pairs": self.pair_count, "contacts": self.contact_count,
        }  # fmt: skip


assert NO_BODY == rays.NO_BODY
