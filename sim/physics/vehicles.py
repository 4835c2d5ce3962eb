"""Vehicles: the Linden vehicle parameters, and what they do to a body each step.

A vehicle has motors that drive its velocities towards a wish, friction that lets them decay, deflection that turns
motion into the way it points, an attractor that keeps it upright, hover and banking; each with a timescale, the seconds
in which it does most of its work. Numbers and presets are those of the LSL wiki ("Linden Vehicle Tutorial",
"VEHICLE_TYPE_CAR" and its siblings). Axes: x forward, y left, z up, turned by the reference frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from typing import Any

import numpy as np

from sim.physics.data import _fields, inner
from sim.physics.engine import BadBody
from sim.world.terrain import height_at

Vector = tuple[float, float, float]
SHORTEST, LONGEST = 0.01, 1000.0  # seconds, of any timescale


class Type(IntEnum):
    NONE = 0
    SLED = 1
    CAR = 2
    BOAT = 3
    AIRPLANE = 4
    BALLOON = 5


class Flag(IntFlag):
    NONE = 0
    NO_DEFLECTION_UP = 0x1
    LIMIT_ROLL_ONLY = 0x2
    HOVER_WATER_ONLY = 0x4
    HOVER_TERRAIN_ONLY = 0x8
    HOVER_GLOBAL_HEIGHT = 0x10
    HOVER_UP_ONLY = 0x20
    LIMIT_MOTOR_UP = 0x40
    MOUSELOOK_STEER = 0x80
    MOUSELOOK_BANK = 0x100
    CAMERA_DECOUPLED = 0x200
    NO_X = 0x400
    NO_Y = 0x800
    NO_Z = 0x1000


@dataclass(frozen=True, slots=True)
class Vehicle:
    """All parameters of a vehicle. Timescales in seconds, efficiencies 0..1 (banking -1..1)."""

    type: Type = Type.NONE
    flags: Flag = Flag.NONE
    reference_frame: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    linear_friction_timescale: Vector = (1000.0, 1000.0, 1000.0)
    angular_friction_timescale: Vector = (1000.0, 1000.0, 1000.0)
    linear_motor_direction: Vector = (0.0, 0.0, 0.0)
    linear_motor_offset: Vector = (0.0, 0.0, 0.0)
    linear_motor_timescale: float = 1000.0
    linear_motor_decay_timescale: float = 1000.0
    angular_motor_direction: Vector = (0.0, 0.0, 0.0)
    angular_motor_timescale: float = 1000.0
    angular_motor_decay_timescale: float = 1000.0
    hover_height: float = 0.0
    hover_efficiency: float = 0.0
    hover_timescale: float = 1000.0
    buoyancy: float = 0.0
    linear_deflection_efficiency: float = 0.0
    linear_deflection_timescale: float = 1000.0
    angular_deflection_efficiency: float = 0.0
    angular_deflection_timescale: float = 1000.0
    vertical_attraction_efficiency: float = 0.0
    vertical_attraction_timescale: float = 1000.0
    banking_efficiency: float = 0.0
    banking_mix: float = 0.0
    banking_timescale: float = 1000.0

    def with_parameter(self, name: str, value: object) -> Vehicle:
        """A copy with one parameter changed, as llSetVehicle*Param does: a single number for a vector sets all of it.

        BadBody for a name or value that is none.
        """
        if name not in _NAMES:
            raise BadBody(f"no vehicle parameter is called {name!r}")
        old = getattr(self, name)
        if isinstance(old, tuple):
            values = [value] * len(old) if isinstance(value, int | float) else list(value)  # type: ignore[call-overload]
            fixed: object = tuple(float(v) for v in values)
            if len(values) != len(old) or not np.isfinite(fixed).all():  # type: ignore[call-overload]
                raise BadBody(f"{name} needs {len(old)} finite numbers")
        else:
            fixed = float(value)  # type: ignore[arg-type]
            if not math.isfinite(fixed):  # type: ignore[arg-type]
                raise BadBody(f"{name} needs a finite number")
        return replace(self, **{name: fixed})  # type: ignore[arg-type]


_NAMES = {name for name in Vehicle.__dataclass_fields__ if name not in ("type", "flags")}
# The numbers scripts use (VEHICLE_LINEAR_FRICTION_TIMESCALE and so on).
PARAMETERS = {
    16: "linear_friction_timescale",
    17: "angular_friction_timescale",
    18: "linear_motor_direction",
    19: "angular_motor_direction",
    20: "linear_motor_offset",
    24: "hover_height",
    25: "hover_efficiency",
    26: "hover_timescale",
    27: "buoyancy",
    28: "linear_deflection_efficiency",
    29: "linear_deflection_timescale",
    30: "linear_motor_timescale",
    31: "linear_motor_decay_timescale",
    32: "angular_deflection_efficiency",
    33: "angular_deflection_timescale",
    34: "angular_motor_timescale",
    35: "angular_motor_decay_timescale",
    36: "vertical_attraction_efficiency",
    37: "vertical_attraction_timescale",
    38: "banking_efficiency",
    39: "banking_mix",
    40: "banking_timescale",
    44: "reference_frame",
}

_ORDER = [name for name in Vehicle.__dataclass_fields__ if name not in ("type", "flags")]


def as_numbers(vehicle: Vehicle) -> tuple[float, ...]:
    """A vehicle as plain numbers: type, flags, then every parameter in the order of the fields."""
    found: list[float] = [float(vehicle.type), float(vehicle.flags)]
    for name in _ORDER:
        value = getattr(vehicle, name)
        found += value if isinstance(value, tuple) else [value]
    return tuple([float(number) for number in found])


def from_numbers(numbers: tuple[float, ...]) -> Vehicle:
    """What `as_numbers` made; BadBody for anything else."""
    try:
        kind, flags, at = Type(int(numbers[0])), Flag(int(numbers[1])), 2
        values: dict[str, Any] = {}
        for name in _ORDER:
            first = getattr(_PLAIN, name)
            if isinstance(first, tuple):
                values[name] = tuple(numbers[at : at + len(first)])
                at += len(first)
            else:
                values[name] = numbers[at]
                at += 1
    except (IndexError, ValueError, OverflowError):
        raise BadBody("these numbers are no vehicle") from None
    if at != len(numbers):
        raise BadBody("these numbers are no vehicle")
    return Vehicle(kind, flags, **values)


_PLAIN = Vehicle()
_LAND = Flag.NO_DEFLECTION_UP | Flag.LIMIT_ROLL_ONLY | Flag.LIMIT_MOTOR_UP
PRESETS = {
    Type.SLED: Vehicle(
        Type.SLED, _LAND,
        linear_friction_timescale=(30.0, 1.0, 1000.0), linear_motor_decay_timescale=120.0,
        angular_motor_decay_timescale=120.0, hover_efficiency=1.0, hover_timescale=10.0,
        linear_deflection_efficiency=1.0, linear_deflection_timescale=1.0, angular_deflection_timescale=10.0,
        vertical_attraction_efficiency=1.0, banking_mix=1.0, banking_timescale=10.0,
    ),
    Type.CAR: Vehicle(
        Type.CAR, _LAND | Flag.HOVER_UP_ONLY,
        linear_friction_timescale=(100.0, 2.0, 1000.0), linear_motor_timescale=1.0,
        linear_motor_decay_timescale=60.0, angular_motor_timescale=1.0, angular_motor_decay_timescale=0.8,
        linear_deflection_efficiency=1.0, linear_deflection_timescale=2.0, angular_deflection_timescale=10.0,
        vertical_attraction_efficiency=1.0, vertical_attraction_timescale=10.0, banking_efficiency=-0.2,
        banking_mix=1.0, banking_timescale=1.0,
    ),
    Type.BOAT: Vehicle(
        Type.BOAT, Flag.NO_DEFLECTION_UP | Flag.HOVER_WATER_ONLY | Flag.HOVER_UP_ONLY | Flag.LIMIT_MOTOR_UP,
        linear_friction_timescale=(10.0, 3.0, 2.0), angular_friction_timescale=(10.0, 10.0, 10.0),
        linear_motor_timescale=5.0, linear_motor_decay_timescale=60.0, angular_motor_timescale=4.0,
        angular_motor_decay_timescale=4.0, hover_efficiency=0.5, hover_timescale=2.0, buoyancy=1.0,
        linear_deflection_efficiency=0.5, linear_deflection_timescale=3.0, angular_deflection_efficiency=0.5,
        angular_deflection_timescale=5.0, vertical_attraction_efficiency=0.5, vertical_attraction_timescale=5.0,
        banking_efficiency=-0.3, banking_mix=0.8, banking_timescale=1.0,
    ),
    Type.AIRPLANE: Vehicle(
        Type.AIRPLANE, Flag.LIMIT_ROLL_ONLY,
        linear_friction_timescale=(200.0, 10.0, 5.0), angular_friction_timescale=(20.0, 20.0, 20.0),
        linear_motor_timescale=2.0, linear_motor_decay_timescale=60.0, angular_motor_timescale=4.0,
        angular_motor_decay_timescale=8.0, hover_efficiency=0.5, linear_deflection_efficiency=0.5,
        linear_deflection_timescale=0.5, angular_deflection_efficiency=1.0, angular_deflection_timescale=2.0,
        vertical_attraction_efficiency=0.9, vertical_attraction_timescale=2.0, banking_efficiency=1.0,
        banking_mix=0.7, banking_timescale=2.0,
    ),
    Type.BALLOON: Vehicle(
        Type.BALLOON, Flag.NONE,
        linear_friction_timescale=(5.0, 5.0, 5.0), angular_friction_timescale=(10.0, 10.0, 10.0),
        linear_motor_timescale=5.0, linear_motor_decay_timescale=60.0, angular_motor_timescale=6.0,
        angular_motor_decay_timescale=10.0, hover_height=5.0, hover_efficiency=0.8, hover_timescale=10.0,
        buoyancy=1.0, linear_deflection_timescale=5.0, angular_deflection_timescale=5.0,
        vertical_attraction_efficiency=1.0, banking_mix=0.7, banking_timescale=5.0,
    ),
}  # fmt: skip

VEHICLE_DTYPE = np.dtype(
    _fields("flags", np.uint32)
    + _fields("q00 q01 q02 q10 q11 q12 q20 q21 q22")  # vehicle axes in the body's
    + _fields("lfx lfy lfz afx afy afz lmx lmy lmz lox loy loz lm_time lm_decay amx amy amz am_time am_decay")
    + _fields("hover hover_eff hover_time buoyancy ld_eff ld_time ad_eff ad_time va_eff va_time")
    + _fields("bank_eff bank_mix bank_time lm_age am_age"),
    align=True,
)


def _clamped(value: float) -> float:
    return min(max(float(value), SHORTEST), LONGEST)


def row_of(vehicle: Vehicle) -> Any:
    """The vehicle as the kernel reads it, motors fresh. BadBody when a number is none."""
    for name in _NAMES:
        if not np.isfinite(getattr(vehicle, name)).all():
            raise BadBody(f"{name} of a vehicle is not finite")
    row = np.zeros((), VEHICLE_DTYPE)
    x, y, z, w = vehicle.reference_frame
    norm = math.sqrt(x * x + y * y + z * z + w * w)
    if not 1e-6 < norm < 1e6:
        x, y, z, w, norm = 0.0, 0.0, 0.0, 1.0, 1.0
    x, y, z, w = x / norm, y / norm, z / norm, w / norm
    turn = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    for r in range(3):
        for c in range(3):
            row[f"q{r}{c}"] = turn[r][c]
    row["flags"] = int(vehicle.flags)
    for prefix, values in (("lf", vehicle.linear_friction_timescale), ("af", vehicle.angular_friction_timescale)):
        for axis, value in zip("xyz", values, strict=True):
            row[prefix + axis] = _clamped(value)
    motors = (
        ("lm", vehicle.linear_motor_direction, 30.0),
        ("lo", vehicle.linear_motor_offset, 100.0),
        ("am", vehicle.angular_motor_direction, 4 * math.pi),
    )
    for prefix, values, most in motors:
        size = math.sqrt(sum(v * v for v in values))
        for axis, value in zip("xyz", values, strict=True):
            row[prefix + axis] = value * min(1.0, most / size) if size > 0 else 0.0
    row["lm_time"], row["lm_decay"] = _clamped(vehicle.linear_motor_timescale), _clamped(vehicle.linear_motor_decay_timescale)
    row["am_time"] = _clamped(vehicle.angular_motor_timescale)
    row["am_decay"] = _clamped(vehicle.angular_motor_decay_timescale)
    row["hover"] = min(max(vehicle.hover_height, 0.0), 4096.0)
    row["hover_eff"], row["hover_time"] = min(max(vehicle.hover_efficiency, 0.0), 1.0), _clamped(vehicle.hover_timescale)
    row["buoyancy"] = min(max(vehicle.buoyancy, -1.0), 1.0)
    row["ld_eff"] = min(max(vehicle.linear_deflection_efficiency, 0.0), 1.0)
    row["ld_time"] = _clamped(vehicle.linear_deflection_timescale)
    row["ad_eff"] = min(max(vehicle.angular_deflection_efficiency, 0.0), 1.0)
    row["ad_time"] = _clamped(vehicle.angular_deflection_timescale)
    row["va_eff"] = min(max(vehicle.vertical_attraction_efficiency, 0.0), 1.0)
    row["va_time"] = _clamped(vehicle.vertical_attraction_timescale)
    row["bank_eff"] = min(max(vehicle.banking_efficiency, -1.0), 1.0)
    row["bank_mix"], row["bank_time"] = min(max(vehicle.banking_mix, 0.0), 1.0), _clamped(vehicle.banking_timescale)
    return row[()]


_NO_UP, _ROLL_ONLY, _WATER, _TERRAIN, _GLOBAL, _UP_ONLY, _MOTOR_UP = 1, 2, 4, 8, 0x10, 0x20, 0x40
_NO_X, _NO_Y, _NO_Z = 0x400, 0x800, 0x1000


@inner
def _share(dt, timescale):  # pragma: no cover - compiled
    """Of what is left to do in an exponential approach, the part a step does."""
    return 0.0 if timescale >= LONGEST else 1.0 - math.exp(-dt / timescale)


@inner
def drive(v, p, m, heights, water, gravity, dt):  # pragma: no cover - compiled
    """One step of a vehicle: from its parameters into the body's velocity and spin. `gravity`: acceleration applied."""
    # Vehicle axes in the region: columns f (forward), l (left), u (up).
    fx, fy = p.r00 * v.q00 + p.r01 * v.q10 + p.r02 * v.q20, p.r10 * v.q00 + p.r11 * v.q10 + p.r12 * v.q20
    fz = p.r20 * v.q00 + p.r21 * v.q10 + p.r22 * v.q20
    lx, ly = p.r00 * v.q01 + p.r01 * v.q11 + p.r02 * v.q21, p.r10 * v.q01 + p.r11 * v.q11 + p.r12 * v.q21
    lz = p.r20 * v.q01 + p.r21 * v.q11 + p.r22 * v.q21
    ux, uy, uz = fy * lz - fz * ly, fz * lx - fx * lz, fx * ly - fy * lx
    flags = v.flags
    m.vz -= gravity * v.buoyancy * dt
    a, b, c = fx * m.vx + fy * m.vy + fz * m.vz, lx * m.vx + ly * m.vy + lz * m.vz, ux * m.vx + uy * m.vy + uz * m.vz
    wa, wb, wc = fx * m.wx + fy * m.wy + fz * m.wz, lx * m.wx + ly * m.wy + lz * m.wz, ux * m.wx + uy * m.wy + uz * m.wz
    # Motors: their grip decays, and what they do is an approach to the wished velocity along the axes they name.
    grip = math.exp(-v.lm_age / v.lm_decay)
    v.lm_age += dt
    if v.lmx != 0 or v.lmy != 0 or v.lmz != 0:
        f = _share(dt, v.lm_time) * grip
        da, db, dc = f * (v.lmx - a), f * (v.lmy - b), f * (v.lmz - c)
        rise = fz * da + lz * db + uz * dc
        if v.lmx == 0:
            da = 0.0
        if v.lmy == 0:
            db = 0.0
        if v.lmz == 0:
            dc = 0.0
        if flags & _MOTOR_UP and rise > 0 and v.lmz > 0:
            dc = 0.0
        a, b, c = a + da, b + db, c + dc
        if v.lox != 0 or v.loy != 0 or v.loz != 0:  # pulls off the centre: it turns the vehicle, too
            wa += (v.loy * dc - v.loz * db) * 0.5
            wb += (v.loz * da - v.lox * dc) * 0.5
            wc += (v.lox * db - v.loy * da) * 0.5
    grip = math.exp(-v.am_age / v.am_decay)
    v.am_age += dt
    if v.amx != 0 or v.amy != 0 or v.amz != 0:
        f = _share(dt, v.am_time) * grip
        if v.amx != 0:
            wa += f * (v.amx - wa)
        if v.amy != 0:
            wb += f * (v.amy - wb)
        if v.amz != 0:
            wc += f * (v.amz - wc)
    # Linear deflection turns sideways motion into forward motion, keeping the speed.
    if v.ld_eff > 0 and v.ld_time < LONGEST:
        f = v.ld_eff * _share(dt, v.ld_time)
        speed = math.sqrt(a * a + b * b + c * c)
        sign = 1.0 if a >= 0 else -1.0
        turned = f * (sign * speed - a)
        # Falling is not made into forward motion: without NO_DEFLECTION_UP, wings are meant, and they need speed.
        lift = f if abs(a) > 0.5 and not flags & _NO_UP else 0.0
        level = speed if lift > 0 else math.sqrt(a * a + b * b)
        if abs(b) > 1e-3 or lift > 0:
            a += turned if lift > 0 else f * (sign * level - a)
        b -= f * b
        c -= lift * c
        after = math.sqrt(a * a + b * b + c * c) if lift > 0 else math.sqrt(a * a + b * b)
        if after > 1e-3:
            a, b = a * level / after, b * level / after
            if lift > 0:
                c *= level / after
    # Friction.
    a -= a * _share(dt, v.lfx)
    b -= b * _share(dt, v.lfy)
    c -= c * _share(dt, v.lfz)
    wa -= wa * _share(dt, v.afx)
    wb -= wb * _share(dt, v.afy)
    wc -= wc * _share(dt, v.afz)
    # Angular deflection points the nose along the motion.
    if v.ad_eff > 0 and v.ad_time < LONGEST:
        speed = math.sqrt(a * a + b * b + c * c)
        if speed > 0.5:
            f = v.ad_eff * _share(dt, v.ad_time) / v.ad_time
            wc += f * math.atan2(b, abs(a))
            if not flags & _NO_UP:
                wb -= f * math.atan2(c, abs(a))
    # The attractor brings the vehicle's up to the region's up, as a damped spring.
    if v.va_time < LONGEST * 0.5:
        roll, pitch = math.atan2(lz, uz), -math.asin(min(max(fz, -1.0), 1.0))
        spring, drag = dt / (v.va_time * v.va_time) * 4.0, 2.0 * v.va_eff * dt * 2.0 / v.va_time
        spring, drag = min(spring, 0.2 / dt), min(drag, 1.0)
        wa -= roll * spring + wa * drag
        if not flags & _ROLL_ONLY:
            wb -= pitch * spring + wb * drag
    # Banking: a roll turns the vehicle about the region's up, more with speed as the mix goes to 1.
    turn = 0.0
    if v.bank_eff != 0 and v.bank_time < LONGEST and v.va_time < LONGEST * 0.5:
        roll = math.atan2(lz, uz)
        strength = (1.0 - v.bank_mix) + v.bank_mix * min(abs(a) / 10.0, 2.0)
        turn = -math.sin(roll) * v.bank_eff * strength * _share(dt, v.bank_time) * 4.0 / max(float(v.bank_time), 0.1)
    if flags & _NO_X:
        a = 0.0
    if flags & _NO_Y:
        b = 0.0
    if flags & _NO_Z:
        c = 0.0
    m.vx, m.vy, m.vz = a * fx + b * lx + c * ux, a * fy + b * ly + c * uy, a * fz + b * lz + c * uz
    m.wx, m.wy, m.wz = wa * fx + wb * lx + wc * ux, wa * fy + wb * ly + wc * uy, wa * fz + wb * lz + wc * uz + turn
    # Hover: a spring to the height, between bouncing (efficiency 0) and critically damped (1).
    if v.hover_time < LONGEST * 0.5:
        level = 0.0
        if flags & _GLOBAL:
            level = 0.0
        elif flags & _WATER:
            level = water
        else:
            level = height_at(heights, p.x, p.y)
            if not flags & _TERRAIN:
                level = max(level, water)
        gap = level + v.hover - p.z
        if gap > 0 or not flags & _UP_ONLY:
            rate = 2.0 / v.hover_time
            m.vz += gap * min(rate * rate * dt, 0.2 / dt)
            m.vz -= m.vz * min(2.0 * rate * v.hover_eff * dt, 1.0)
            m.vz -= gravity * (1.0 - v.buoyancy) * dt * v.hover_eff
