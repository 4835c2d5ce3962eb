"""What moves bodies from outside, as scripts and hands ask for it: impulses, constant forces, targets, vehicles.

Impulses change a velocity at once; the rest is kept in the body's row and done in every step (`motion.apply_forces`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.physics import broadphase, checks, motion
from sim.physics.body_table import BodyTable
from sim.physics.engine import MAX_FORCE, Kind
from sim.physics.vehicles import VEHICLE_DTYPE, Vehicle, row_of


class DrivenBodies(BodyTable):
    """The part of `engine.Engine` that pushes bodies."""

    def __init__(self, capacity: int = 256) -> None:
        super().__init__(capacity)
        self._vehicle_specs: dict[int, Vehicle] = {}
        self._vehicle_rows = np.zeros(16, VEHICLE_DTYPE)
        self._vehicle_free = list(range(15, -1, -1))

    def remove(self, handle: int) -> None:
        self.set_vehicle(handle, None)
        super().remove(handle)

    def apply_impulse(self, handle: int, impulse: Sequence[float], point: Sequence[float] | None = None) -> None:
        o = self._row(handle)
        j = checks.vector(impulse, "impulse", MAX_FORCE)
        if o["kind"] != Kind.DYNAMIC:
            return
        m = self.bodies.motion[handle]
        for name, value in zip(("vx", "vy", "vz"), j / float(o["mass"]), strict=True):
            m[name] += value
        if point is not None:
            arm = np.clip(checks.vector(point, "point") - self.center_of_mass(handle), -1e4, 1e4)
            self._spin(handle, np.cross(arm, j))
        motion.tame(m)
        self.wake(handle)

    def apply_angular_impulse(self, handle: int, impulse: Sequence[float]) -> None:
        o = self._row(handle)
        j = checks.vector(impulse, "angular impulse", MAX_FORCE)
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
        o["fx"], o["fy"], o["fz"] = checks.vector(force, "force", MAX_FORCE)
        o["force_local"] = local
        self.wake(handle)

    def set_torque(self, handle: int, torque: Sequence[float], local: bool = False) -> None:
        o = self._row(handle)
        o["tx"], o["ty"], o["tz"] = checks.vector(torque, "torque", MAX_FORCE)
        o["torque_local"] = local
        self.wake(handle)

    def set_hover(self, handle: int, height: float, tau: float, water: bool = False) -> None:
        o = self._row(handle)
        o["hover"] = checks.number(height, -4096, 4096, "height")
        o["hover_tau"] = checks.number(tau, 0.0, 1000.0, "tau")
        o["hover_water"] = water
        self.wake(handle)

    def set_move_target(self, handle: int, target: Sequence[float], tau: float) -> None:
        o = self._row(handle)
        o["goal_x"], o["goal_y"], o["goal_z"] = checks.position(target)
        o["goal_tau"] = checks.number(tau, 0.0, 1000.0, "tau")
        self.wake(handle)

    def set_turn_target(self, handle: int, rotation: Sequence[float], strength: float, damping: float) -> None:
        o = self._row(handle)
        o["turn_x"], o["turn_y"], o["turn_z"], o["turn_w"] = checks.rotation(rotation)
        o["turn_strength"] = checks.number(strength, 0.0, 100.0, "strength")
        o["turn_damping"] = checks.number(damping, 0.0, 1000.0, "damping")
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

    def push_motor(self, handle: int, linear: bool = True, angular: bool = True) -> None:
        """Restart the motors' decay, as setting a motor's direction again does."""
        slot = int(self._row(handle)["vehicle"])
        if slot >= 0:
            for name, wanted in (("lm_age", linear), ("am_age", angular)):
                if wanted:
                    self._vehicle_rows[slot][name] = 0.0
            self.wake(handle)
