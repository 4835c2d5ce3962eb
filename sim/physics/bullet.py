"""Bullet behind the region's interface, by PyBullet: a second opinion for tests, and a choice for regions that want it.

Reading Bullet from Python costs some microseconds a body, so this engine suits regions of some hundred moving bodies.
Avatars are moved by our own kernel against a mirror of the bodies in the numba engine, which also answers rays, holds
the columns and knows the vehicles: Bullet does what moves. Terrain is made of solid prisms, since thin heightfields let
boxes through.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.physics import broadphase, bullet_shapes, checks, motion
from sim.physics.engine import MAX_SPEED, NO_BODY, Area, BadBody, BodySpec, Kind, Shape
from sim.physics.numba_engine import NumbaEngine

ITERATIONS = 10


def _client() -> tuple[Any, int]:
    try:
        import pybullet
    except ImportError as error:
        raise BadBody("the Bullet engine needs pybullet: pip install 'mainland[bullet]'") from error
    return pybullet, pybullet.connect(pybullet.DIRECT)


class BulletEngine(NumbaEngine):
    """Columns, rays and avatars of the numba engine; bodies stepped by Bullet."""

    def __init__(self, capacity: int = 256) -> None:
        super().__init__(capacity)
        self._bullet, self._world = _client()
        p = self._bullet
        p.setGravity(0, 0, 0, physicsClientId=self._world)  # gravity comes from our forces, so that all options work
        p.setPhysicsEngineParameter(
            fixedTimeStep=1 / 45, numSubSteps=0, numSolverIterations=ITERATIONS, enableFileCaching=0,
            physicsClientId=self._world,
        )  # fmt: skip
        self._ids: dict[int, int] = {}
        self._handles: dict[int, int] = {}
        self._ground: list[int] = []
        self.set_terrain(self.heights)

    def close(self) -> None:
        """Give Bullet's memory back."""
        if self._world >= 0:
            self._bullet.disconnect(physicsClientId=self._world)
            self._world = -1

    # --- shapes

    def _create(self, handle: int) -> None:
        p, o = self._bullet, self.bodies.body[handle]
        g = self.shapes.geometry
        collision = bullet_shapes.create(p, self._world, g, g.shapes[int(o["shape"])])
        dynamic = o["kind"] == Kind.DYNAMIC
        pose = self.bodies.pose[handle]
        body = p.createMultiBody(
            float(o["mass"]) if dynamic else 0.0, collision, -1,
            [float(pose["x"]), float(pose["y"]), float(pose["z"])],
            [float(pose["qx"]), float(pose["qy"]), float(pose["qz"]), float(pose["qw"])],
            useMaximalCoordinates=False, physicsClientId=self._world,
        )  # fmt: skip
        self._ids[handle] = body
        self._handles[body] = handle
        self._dress(handle)
        if dynamic:
            m = self.bodies.motion[handle]
            p.resetBaseVelocity(
                body, [float(m["vx"]), float(m["vy"]), float(m["vz"])], [float(m["wx"]), float(m["wy"]), float(m["wz"])],
                physicsClientId=self._world,
            )  # fmt: skip

    def _dress(self, handle: int) -> None:
        """Material and inertia. Bullet multiplies frictions, we take their geometric mean: roots make both the same."""
        p, o, body = self._bullet, self.bodies.body[handle], self._ids[handle]
        options: dict[str, Any] = {
            "lateralFriction": math.sqrt(float(o["friction"])), "restitution": math.sqrt(float(o["restitution"])),
            "linearDamping": 0.0, "angularDamping": motion.SPIN_DRAG,
        }  # fmt: skip
        if o["kind"] == Kind.DYNAMIC:
            solid = self.shapes.solid(int(o["shape"]))
            inertia = solid["inertia"] * (float(o["mass"]) / solid["volume"])
            options["localInertiaDiagonal"] = [max(float(v), 1e-6) for v in inertia.diagonal()]
        p.changeDynamics(body, -1, physicsClientId=self._world, **options)
        passing = bool(o["phantom"]) or bool(o["sensor"])
        group, mask = (2, 1) if passing else (4, 5)  # 1: ground, 4: bodies
        p.setCollisionFilterGroupMask(body, -1, group, mask, physicsClientId=self._world)

    def _destroy(self, handle: int) -> None:
        body = self._ids.pop(handle, None)
        if body is not None:
            self._handles.pop(body, None)
            self._bullet.removeBody(body, physicsClientId=self._world)

    def _again(self, handle: int) -> None:
        self._destroy(handle)
        self._create(handle)

    # --- the interface where Bullet must hear of it

    def add(self, spec: BodySpec) -> int:
        handle = super().add(spec)
        try:
            self._create(handle)
        except BadBody:
            super().remove(handle)
            raise
        return handle

    def add_alike(
        self, spec: BodySpec, shapes: Sequence[Shape], positions: NDArray[Any], rotations: NDArray[Any], users: Sequence[int]
    ) -> tuple[list[int], dict[int, BadBody]]:
        handles, refused = super().add_alike(spec, shapes, positions, rotations, users)
        for k, handle in enumerate(handles):
            if k in refused:
                continue
            try:
                self._create(handle)
            except BadBody as error:
                super().remove(handle)
                handles[k], refused[k] = NO_BODY, error
        return handles, refused

    def remove(self, handle: int) -> None:
        super().remove(handle)
        self._destroy(handle)

    def replace_shape(self, handle: int, shape: Shape) -> None:
        super().replace_shape(handle, shape)
        self._again(handle)

    def set_kind(self, handle: int, kind: Kind) -> None:
        super().set_kind(handle, kind)
        self._again(handle)

    def set_material(self, handle: int, **properties: Any) -> None:
        super().set_material(handle, **properties)
        if {"mass", "density"} & properties.keys():
            self._again(handle)
        else:
            self._dress(handle)

    def set_pose(self, handle: int, position: Sequence[float], rotation: Sequence[float]) -> None:
        checks.position(position), checks.rotation(rotation)
        super().set_pose(handle, position, rotation)
        self._push_pose(handle)

    def _push_pose(self, handle: int) -> None:
        q = self.bodies.pose[handle]
        self._bullet.resetBasePositionAndOrientation(
            self._ids[handle], [float(q["x"]), float(q["y"]), float(q["z"])],
            [float(q["qx"]), float(q["qy"]), float(q["qz"]), float(q["qw"])], physicsClientId=self._world,
        )  # fmt: skip

    def set_velocity(self, handle: int, velocity: Sequence[float], angular_velocity: Sequence[float]) -> None:
        checks.vector(velocity, "velocity", MAX_SPEED)
        super().set_velocity(handle, velocity, angular_velocity)

    def set_terrain(self, heights: NDArray[np.float32], area: Area | None = None) -> None:
        super().set_terrain(heights, area)
        p = self._bullet
        for body in self._ground:
            p.removeBody(body, physicsClientId=self._world)
        self._ground = [self._prism(x, y) for y in range(0, 256, 32) for x in range(0, 256, 32)]
        if float(np.ptp(self.heights)) < 1e-6:  # level land is one block, without any seams
            for body in self._ground:
                p.removeBody(body, physicsClientId=self._world)
            block = p.createCollisionShape(p.GEOM_BOX, halfExtents=[640, 640, 50], physicsClientId=self._world)
            level = float(self.heights[0, 0])
            self._ground = [
                p.createMultiBody(0, block, -1, [128, 128, level - 50], physicsClientId=self._world)
            ]
        for body in self._ground:
            p.changeDynamics(
                body, -1, lateralFriction=math.sqrt(0.8), restitution=math.sqrt(0.02), physicsClientId=self._world
            )
            p.setCollisionFilterGroupMask(body, -1, 1, 7, physicsClientId=self._world)

    def _prism(self, x0: int, y0: int) -> int:
        """32 x 32 m of land as a mesh."""
        p, n = self._bullet, 33
        xs, ys = np.meshgrid(np.arange(n), np.arange(n))
        z = self.heights[y0 : y0 + n, x0 : x0 + n]
        verts = np.c_[xs.ravel() + x0, ys.ravel() + y0, z.ravel()].astype(float)
        k = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)[None, :]).ravel()
        faces = np.concatenate([np.c_[k, k + 1, k + n + 1], np.c_[k, k + n + 1, k + n]])
        shape = p.createCollisionShape(
            p.GEOM_MESH, vertices=verts.tolist(), indices=faces.ravel().tolist(),
            flags=p.GEOM_FORCE_CONCAVE_TRIMESH, physicsClientId=self._world,
        )  # fmt: skip
        return p.createMultiBody(0, shape, -1, [0, 0, 0], physicsClientId=self._world)

    # --- the step

    def _step_bodies(self, n: int, dt: float) -> tuple[int, int]:
        p, b, client = self._bullet, self.bodies, self._world
        self._apply_forces(np.flatnonzero(b.awake[:n]), dt)
        broadphase.refresh(b, self.shapes.geometry, n, dt)
        awake = np.flatnonzero(b.awake[:n]).tolist()
        for handle in awake:
            m = b.motion[handle]
            p.resetBaseVelocity(
                self._ids[handle], [float(m["vx"]), float(m["vy"]), float(m["vz"])],
                [float(m["wx"]), float(m["wy"]), float(m["wz"])], physicsClientId=client,
            )  # fmt: skip
        p.stepSimulation(physicsClientId=client)
        moved = 0
        for handle in awake:
            o, q, m = b.body[handle], b.pose[handle], b.motion[handle]
            body = self._ids[handle]
            if o["kind"] == Kind.KINEMATIC:
                (q["x"], q["y"], q["z"]), (q["qx"], q["qy"], q["qz"], q["qw"]) = self._drift(handle, dt)
                self._push_pose(handle)
            else:
                where, turn = p.getBasePositionAndOrientation(body, physicsClientId=client)
                v, w = p.getBaseVelocity(body, physicsClientId=client)
                if not np.isfinite([*where, *turn, *v, *w]).all():
                    self._push_pose(handle)
                    v = w = (0.0, 0.0, 0.0)
                else:
                    where = (where[0], where[1], max(where[2], self._floor(where)))
                    (q["x"], q["y"], q["z"]), (q["qx"], q["qy"], q["qz"], q["qw"]) = where, turn
                m["vx"], m["vy"], m["vz"] = v
                m["wx"], m["wy"], m["wz"] = w
            self._moved[moved] = handle
            moved += 1
            broadphase.place(handle, b, self.shapes.geometry, dt)
            motion.set_origin(handle, b)
        self.grids.build_movers(b, n)
        touches = self._hear(awake)
        for handle in awake:
            o, m = b.body[handle], b.motion[handle]
            speed = float(m["vx"]) ** 2 + float(m["vy"]) ** 2 + float(m["vz"]) ** 2
            spin = float(m["wx"]) ** 2 + float(m["wy"]) ** 2 + float(m["wz"]) ** 2
            o["timer"] = o["timer"] + dt if speed < 0.01 and spin < 0.04 and o["touched"] else 0.0
            if o["timer"] > 1.0:
                b.awake[handle] = 0
                for name in ("vx", "vy", "vz", "wx", "wy", "wz", "ax", "ay", "az"):
                    m[name] = 0.0
                p.resetBaseVelocity(self._ids[handle], [0, 0, 0], [0, 0, 0], physicsClientId=client)
        self.awake_count = int(b.awake[:n].sum())
        return moved, touches

    def _floor(self, where: Sequence[float]) -> float:
        """The lowest that a centre may be: what fell through the land comes back to it."""
        x, y = min(max(where[0], 0.0), 255.9), min(max(where[1], 0.0), 255.9)
        return float(self.heights[int(y), int(x)]) - 2.0

    def _drift(self, handle: int, dt: float) -> tuple[Any, Any]:
        q, m = self.bodies.pose[handle], self.bodies.motion[handle]
        where = tuple(float(q[a]) + float(m[v]) * dt for a, v in (("x", "vx"), ("y", "vy"), ("z", "vz")))
        spin = np.array([float(m["wx"]), float(m["wy"]), float(m["wz"])])
        angle = float(np.linalg.norm(spin)) * dt
        turn = (float(q["qx"]), float(q["qy"]), float(q["qz"]), float(q["qw"]))
        if angle > 1e-9:
            axis = spin / np.linalg.norm(spin) * math.sin(angle / 2)
            turn = self._bullet.multiplyTransforms([0, 0, 0], [*axis, math.cos(angle / 2)], [0, 0, 0], turn)[1]
        return where, turn

    def _hear(self, awake: list[int]) -> int:
        """Bullet's contacts as touches; what touches an awake body wakes."""
        b, count = self.bodies, 0
        ground = set(self._ground)
        strongest: dict[tuple[int, int], tuple[float, Any]] = {}
        for contact in self._bullet.getContactPoints(physicsClientId=self._world) or ():
            first, second = contact[1], contact[2]
            if contact[8] > 0.02:
                continue
            i, j = self._handles.get(first, -1), self._handles.get(second, -1)
            if i < 0 and j < 0:
                continue
            if i < 0:
                i, j = j, -1
            if j < 0 and second not in ground and first not in ground:
                continue
            for handle in (i, j):
                if handle > 0:
                    b.body[handle]["touched"] = 1
            if j > 0 and (b.awake[i] or b.awake[j]):
                for handle, other in ((i, j), (j, i)):
                    if not b.awake[handle] and b.body[handle]["kind"] == Kind.DYNAMIC and b.body[other]["timer"] == 0:
                        b.awake[handle] = 1
                        b.body[handle]["timer"] = 0
            pair = (i, j) if j < 0 or b.body[j]["kind"] == Kind.STATIC or i < j else (j, i)
            if contact[9] >= strongest.get(pair, (-1.0, None))[0]:
                strongest[pair] = (contact[9], contact)
        self.contact_count = len(strongest)
        if len(self._touches) < len(strongest):
            self._touches = np.zeros(2 * len(strongest), self._touches.dtype)
        for (i, j), (force, contact) in strongest.items():
            t = self._touches[count]
            t["a"], t["b"] = i, j
            t["x"], t["y"], t["z"] = contact[5]
            t["nx"], t["ny"], t["nz"] = (-v for v in contact[7])
            t["impulse"], t["speed"] = force / 45.0, 0.0
            count += 1
        return count


def convex_pieces(vertices: NDArray[np.float64], triangles: NDArray[np.int32], most: int = 16) -> list[NDArray[np.float64]]:
    """A mesh as convex pieces (n, 3) each, at most `most`, by coacd. BadBody when it is not installed or finds none."""
    try:
        import coacd
    except ImportError as error:
        raise BadBody("convex pieces need coacd: pip install 'mainland[bullet]'") from error
    coacd.set_log_level("error")
    source = coacd.Mesh(np.asarray(vertices, np.float64), np.asarray(triangles, np.int32))
    parts = coacd.run_coacd(source, threshold=0.1, max_convex_hull=most, max_ch_vertex=32, seed=1)
    if not parts:
        raise BadBody("a mesh that cannot be cut into pieces")
    return [np.asarray(points, np.float64) for points, _ in parts]

