"""The table of bodies: who has which handle, where each is, what it is made of. Nothing moves here.

A handle is a row in every column. Handle 0 is the ground; those of bodies that went are given out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.physics import broadphase, checks
from sim.physics.data import BODY, MOTION, POSE, Bodies
from sim.physics.engine import MAX_MASS, MAX_SPEED, MAX_SPIN, MIN_MASS, NO_BODY, BadBody, BodySpec, Kind, Shape
from sim.physics.grids import Grids
from sim.physics.pieces import moved
from sim.physics.shapes import ShapeStore

MOVING_MESH = "a mesh of triangles cannot move; give its convex pieces"
_MATERIAL = {
    "mass", "density", "friction", "restitution", "gravity_multiplier", "buoyancy", "phantom", "volume_detect", "lock_axes",
}  # fmt: skip


class BodyTable:
    """The part of `engine.Engine` that says which bodies there are, and what they are."""

    def __init__(self, capacity: int = 256) -> None:
        self.shapes = ShapeStore()
        self.grids = Grids()
        self._count = 1
        self._free: list[int] = []
        self._density: dict[int, tuple[float, float]] = {}  # density, mass as given (0: from density)
        self.bodies: Bodies
        self._allocate(capacity)
        self.bodies.body[0]["friction"], self.bodies.body[0]["restitution"] = 0.8, 0.02

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
        pose, motions = (
            tables[0].view(np.float32).reshape(capacity, 16),
            tables[1].view(np.float32).reshape(capacity, 16),
        )
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
            position, rotation = checks.position(spec.position), checks.rotation(spec.rotation)
            velocity = checks.vector(spec.velocity, "velocity", MAX_SPEED)
            spin = checks.vector(spec.angular_velocity, "angular velocity", MAX_SPIN)
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
        self,
        spec: BodySpec,
        shapes: Sequence[Shape],
        positions: NDArray[Any],
        rotations: NDArray[Any],
        users: Sequence[int],
    ) -> tuple[list[int], dict[int, BadBody]]:
        positions, rotations, nowhere = checks.places(positions, rotations)
        if not len(shapes) == len(positions) == len(rotations) == len(users):
            raise BadBody("as many shapes as positions, rotations and users, please")
        numbers, refused = self.shapes.add_all(shapes)
        for k in nowhere:
            if k not in refused:
                self.shapes.drop(numbers[k])
                refused[k] = BadBody("a place or rotation that is none")
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
        self.grids.entered(handles, b.body[first]["kind"] == Kind.STATIC)
        return handles

    def remove(self, handle: int) -> None:
        o = self._row(handle)
        self._left(handle, o)
        self.shapes.drop(int(o["shape"]))
        o["active"] = 0
        self.bodies.awake[handle] = 0
        self._density.pop(handle, None)
        self._free.append(handle)

    def _entered(self, handle: int) -> None:
        """A body has a new place, shape or kind: find it in the grids, wake who lies there."""
        o = self.bodies.body[handle]
        if o["kind"] == Kind.STATIC:
            o["in_grid"] = 0
        self.grids.entered([handle], o["kind"] == Kind.STATIC)

    def _left(self, handle: int, o: np.void) -> None:
        """A body leaves its place: who leaned on it wakes."""
        o["in_grid"] = 0
        self.grids.left(handle)
        if not o["phantom"] and not o["sensor"]:
            broadphase.wake_around(self.bodies, self._count, self.bodies.bounds[handle].copy(), True)

    def _place(self, handle: int, position: NDArray[np.float64], rotation: NDArray[np.float64]) -> None:
        o, p = self.bodies.body[handle], self.bodies.pose[handle]
        p["qx"], p["qy"], p["qz"], p["qw"] = rotation
        p["x"], p["y"], p["z"] = moved(
            position.tolist(), rotation.tolist(), (float(o["cx"]), float(o["cy"]), float(o["cz"]))
        )
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
        where, how = checks.position(position), checks.rotation(rotation)
        self._left(handle, o)
        self._place(handle, where, how)
        self._entered(handle)
        broadphase.wake_around(self.bodies, self._count, self.bodies.bounds[handle].copy(), True)
        self.wake(handle)

    def set_velocity(self, handle: int, velocity: Sequence[float], angular_velocity: Sequence[float]) -> None:
        o = self._row(handle)
        v, w = (
            checks.vector(velocity, "velocity", MAX_SPEED),
            checks.vector(angular_velocity, "angular velocity", MAX_SPIN),
        )
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
            density, mass = checks.number(properties["density"], 1e-3, 1e6, "density"), 0.0
        if "mass" in properties:
            mass = checks.number(properties["mass"], 0.0, MAX_MASS, "mass")
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
            column: checks.number(properties[name], low, high, name)
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
