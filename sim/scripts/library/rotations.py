"""Vectors and rotations.

A rotation is a quaternion <x, y, z, s>; angles are in radians; none need be of unit length.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sim.scripts.language.values import ZERO_ROTATION, ZERO_VECTOR, Rotation, Vector
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

NEARLY_UPRIGHT = 0.9999995  # sine of a pitch beyond which roll and yaw can't be told apart in 32 bits


def unit(rotation: Rotation) -> Rotation:
    """The rotation with length 1; without a length (zero, infinite, NaN) it is no rotation."""
    length = math.hypot(*rotation)
    if not 0.0 < length < math.inf:
        return ZERO_ROTATION
    x, y, z, s = rotation
    return Rotation(x / length, y / length, z / length, s / length)


def _cross(a: Vector, b: Vector) -> Vector:
    return Vector(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)


def _dot(a: Vector, b: Vector) -> float:
    return a.x * b.x + a.y * b.y + a.z * b.z


def norm(vector: Vector) -> Vector:
    """The vector with length 1, or the zero vector."""
    length = math.hypot(*vector)
    if not 0.0 < length < math.inf:
        return ZERO_VECTOR
    return Vector(vector.x / length, vector.y / length, vector.z / length)


@ll
def llVecMag(script: Script, vector: Vector) -> float:
    """The length of a vector."""
    return math.hypot(*vector)


@ll
def llVecNorm(script: Script, vector: Vector) -> Vector:
    """The vector of length 1 in the same direction; ZERO_VECTOR stays."""
    return norm(vector)


@ll
def llVecDist(script: Script, a: Vector, b: Vector) -> float:
    """The distance between two points."""
    return math.hypot(a.x - b.x, a.y - b.y, a.z - b.z)


@ll
def llEuler2Rot(script: Script, angles: Vector) -> Rotation:
    """The rotation of Euler angles <roll, pitch, yaw>: about the z axis first, then y, then x, the axes standing
    still.

    Of the two quaternions that mean the same it gives the one with a positive s up to a third of a turn, beyond that the
    one whose largest part of x, y, z is positive, as a rotation read from its matrix has it.
    """
    sx, cx = _half(angles.x)
    sy, cy = _half(angles.y)
    sz, cz = _half(angles.z)
    return of_matrix_sign(
        Rotation(
            sx * cy * cz + cx * sy * sz,
            cx * sy * cz - sx * cy * sz,
            cx * cy * sz + sx * sy * cz,
            cx * cy * cz - sx * sy * sz,
        )
    )


def of_matrix_sign(rotation: Rotation) -> Rotation:
    """A unit quaternion or its negative, whichever reading the rotation's matrix gives: the trace is 4 s² - 1, and the
    largest element of the diagonal is that of the largest of x², y², z², the first of equals."""
    x, y, z, s = rotation
    if 4.0 * s * s > 1.0:
        largest = s
    else:
        largest = max((x, y, z), key=lambda part: part * part)
    # 0 - x: what is zero gets no sign
    return Rotation(0.0 - x, 0.0 - y, 0.0 - z, 0.0 - s) if largest < 0.0 else rotation


def _half(angle: float) -> tuple[float, float]:
    if not math.isfinite(angle):
        return math.nan, math.nan
    return math.sin(angle / 2.0), math.cos(angle / 2.0)


@ll
def llRot2Euler(script: Script, rotation: Rotation) -> Vector:
    """Euler angles <roll, pitch, yaw> that give the rotation by llEuler2Rot.

    At a pitch of a quarter turn the roll is 0.
    """
    x, y, z, s = unit(rotation)
    sine = 2.0 * (x * z + y * s)
    if abs(sine) >= NEARLY_UPRIGHT:
        yaw = math.atan2(2.0 * (x * y + z * s), 1.0 - 2.0 * (x * x + z * z))
        return Vector(0.0, math.copysign(math.pi / 2.0, sine), yaw)
    return Vector(
        math.atan2(2.0 * (x * s - y * z), 1.0 - 2.0 * (x * x + y * y)),
        math.asin(sine),
        math.atan2(2.0 * (z * s - x * y), 1.0 - 2.0 * (y * y + z * z)),
    )


@ll
def llAxisAngle2Rot(script: Script, axis: Vector, angle: float) -> Rotation:
    """The rotation by an angle about an axis of any length; without an axis it is ZERO_ROTATION."""
    axis = norm(axis)
    if axis == ZERO_VECTOR:
        return ZERO_ROTATION
    sine, cosine = _half(angle)
    return Rotation(axis.x * sine, axis.y * sine, axis.z * sine, cosine)


@ll
def llRot2Axis(script: Script, rotation: Rotation) -> Vector:
    """The axis, of length 1, about which it turns by llRot2Angle; ZERO_VECTOR when it doesn't turn."""
    x, y, z, s = rotation
    return norm(Vector(-x, -y, -z) if s < 0.0 else Vector(x, y, z))


@ll
def llRot2Angle(script: Script, rotation: Rotation) -> float:
    """The angle by which it turns, 0 to PI."""
    return _angle(rotation)


def _angle(rotation: Rotation) -> float:
    return 2.0 * math.atan2(math.hypot(rotation.x, rotation.y, rotation.z), abs(rotation.s))


@ll
def llAngleBetween(script: Script, a: Rotation, b: Rotation) -> float:
    """The angle, 0 to PI, by which one must turn to come from one rotation to the other."""
    a, b = unit(a), unit(b)
    # b times the inverse of a
    return _angle(
        Rotation(
            -b.s * a.x + b.x * a.s - b.y * a.z + b.z * a.y,
            -b.s * a.y + b.y * a.s - b.z * a.x + b.x * a.z,
            -b.s * a.z + b.z * a.s - b.x * a.y + b.y * a.x,
            b.s * a.s + b.x * a.x + b.y * a.y + b.z * a.z,
        )
    )


@ll
def llRotBetween(script: Script, a: Vector, b: Vector) -> Rotation:
    """The shortest rotation from one direction to another; ZERO_ROTATION when one has no length.

    Between opposite directions it is half a turn about an axis in the horizontal plane.
    """
    a, b = norm(a), norm(b)
    if ZERO_VECTOR in (a, b):
        return ZERO_ROTATION
    cosine, axis = _dot(a, b), _cross(a, b)
    if math.hypot(*axis) < 1e-7:
        if cosine > 0.0:
            return ZERO_ROTATION
        flat = math.hypot(a.x, a.y)
        return Rotation(a.y / flat, -a.x / flat, 0.0, 0.0) if flat > 1e-7 else Rotation(1.0, 0.0, 0.0, 0.0)
    # Half the angle: the rotation from a to the bisector, taken from whichever of sine and cosine is well conditioned.
    half = 1.0 + cosine if cosine > -0.7 else _dot(axis, axis) / (1.0 - cosine)
    return unit(Rotation(axis.x, axis.y, axis.z, half))


@ll
def llAxes2Rot(script: Script, forward: Vector, left: Vector, up: Vector) -> Rotation:
    """The rotation whose llRot2Fwd, llRot2Left and llRot2Up are these; they must be at right angles and of length 1."""
    trace = forward.x + left.y + up.z
    if trace > 0.0:
        s = math.sqrt(trace + 1.0) * 2.0
        found = Rotation((left.z - up.y) / s, (up.x - forward.z) / s, (forward.y - left.x) / s, s / 4.0)
    elif forward.x >= left.y and forward.x >= up.z:
        s = _root(1.0 + forward.x - left.y - up.z)
        found = Rotation(s / 4.0, (left.x + forward.y) / s, (up.x + forward.z) / s, (left.z - up.y) / s)
    elif left.y >= up.z:
        s = _root(1.0 + left.y - forward.x - up.z)
        found = Rotation((left.x + forward.y) / s, s / 4.0, (up.y + left.z) / s, (up.x - forward.z) / s)
    else:
        s = _root(1.0 + up.z - forward.x - left.y)
        found = Rotation((up.x + forward.z) / s, (up.y + left.z) / s, s / 4.0, (forward.y - left.x) / s)
    return unit(found)


def _root(value: float) -> float:
    """Twice the square root, never zero: axes that are none give some rotation, not an error."""
    return 2.0 * math.sqrt(value) if value > 1e-12 else 1e-6


@ll
def llRot2Fwd(script: Script, rotation: Rotation) -> Vector:
    """Where the x axis points after the rotation: <1, 0, 0> * rotation, of length 1."""
    x, y, z, s = unit(rotation)
    return Vector(1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + z * s), 2.0 * (x * z - y * s))


@ll
def llRot2Left(script: Script, rotation: Rotation) -> Vector:
    """Where the y axis points after the rotation: <0, 1, 0> * rotation, of length 1."""
    x, y, z, s = unit(rotation)
    return Vector(2.0 * (x * y - z * s), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + x * s))


@ll
def llRot2Up(script: Script, rotation: Rotation) -> Vector:
    """Where the z axis points after the rotation: <0, 0, 1> * rotation, of length 1."""
    x, y, z, s = unit(rotation)
    return Vector(2.0 * (x * z + y * s), 2.0 * (y * z - x * s), 1.0 - 2.0 * (x * x + y * y))
