"""Path and profile: the bytes that say what form a prim has, and the real values they stand for.

A prim is a profile (a square, a circle, ...) swept along a path (a line, a circle, ...). `Shape` holds real values;
`to_wire` and `from_wire` translate to the fields of ObjectAdd, ObjectShape and ObjectUpdate. A server that only
stores a shape should store and echo the wire values: going through real values is for scripts and physics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from protocol.errors import ProtocolError


class Path(IntEnum):
    LINE = 0x10
    CIRCLE = 0x20
    CIRCLE2 = 0x30
    TEST = 0x40
    FLEXIBLE = 0x80


class Profile(IntEnum):
    """The low nibble of ProfileCurve."""

    CIRCLE = 0
    SQUARE = 1
    ISOSCELES = 2
    EQUILATERAL = 3
    RIGHT = 4
    HALF_CIRCLE = 5


class Hole(IntEnum):
    """The high nibble of ProfileCurve."""

    SAME = 0x00
    CIRCLE = 0x10
    SQUARE = 0x20
    TRIANGLE = 0x30


@dataclass(frozen=True, slots=True)
class Shape:
    """Real values: cuts and hollow 0..1; scale 0..2 (1 is full); shear, taper, radius offset and skew -1..1; twist
    -1..1, of half a turn (line) or a whole one; revolutions 1..4. `path` and `profile` stay the wire's curve
    bytes."""

    path: int = Path.LINE
    profile: int = Profile.SQUARE
    path_begin: float = 0.0
    path_end: float = 1.0
    path_scale_x: float = 1.0
    path_scale_y: float = 1.0
    path_shear_x: float = 0.0
    path_shear_y: float = 0.0
    path_twist: float = 0.0
    path_twist_begin: float = 0.0
    path_radius_offset: float = 0.0
    path_taper_x: float = 0.0
    path_taper_y: float = 0.0
    path_revolutions: float = 1.0
    path_skew: float = 0.0
    profile_begin: float = 0.0
    profile_end: float = 1.0
    profile_hollow: float = 0.0

    @property
    def hole(self) -> int:
        """The form of the hollow, a `Hole`."""
        return self.profile & 0xF0


BOX = Shape()
CYLINDER = Shape(Path.LINE, Profile.CIRCLE)
PRISM = Shape(Path.LINE, Profile.EQUILATERAL)
SPHERE = Shape(Path.CIRCLE, Profile.HALF_CIRCLE)
TORUS = Shape(Path.CIRCLE, Profile.CIRCLE, path_scale_y=0.5)
TUBE = Shape(Path.CIRCLE, Profile.SQUARE)
RING = Shape(Path.CIRCLE, Profile.EQUILATERAL)


class _Wire(NamedTuple):
    """One field: the least and greatest wire value, and the two directions."""

    name: str
    attribute: str
    low: int
    high: int
    real: Callable[[int], float]
    wire: Callable[[float], float]


_FINE = 50000  # steps of 0.00002
_Directions = tuple[Callable[[int], float], Callable[[float], float]]
_SHARE: _Directions = (lambda wire: wire / _FINE, lambda real: real * _FINE)
_REST: _Directions = (lambda wire: (_FINE - wire) / _FINE, lambda real: _FINE - real * _FINE)
_PERCENT: _Directions = (lambda wire: wire / 100, lambda real: real * 100)
_SCALE: _Directions = (lambda wire: (200 - wire) / 100, lambda real: 200 - real * 100)
_TURNS: _Directions = (lambda wire: 1 + wire * 0.015, lambda real: (real - 1) / 0.015)
# Shear is a signed number in a field that the template calls U8.
_SIGNED: _Directions = (lambda wire: (wire - 256 if wire > 127 else wire) / 100, lambda real: round(real * 100) % 256)

_FIELDS = (
    _Wire("PathBegin", "path_begin", 0, _FINE, *_SHARE),
    _Wire("PathEnd", "path_end", 0, _FINE, *_REST),
    _Wire("PathScaleX", "path_scale_x", 0, 200, *_SCALE),
    _Wire("PathScaleY", "path_scale_y", 0, 200, *_SCALE),
    _Wire("PathShearX", "path_shear_x", 0, 255, *_SIGNED),
    _Wire("PathShearY", "path_shear_y", 0, 255, *_SIGNED),
    _Wire("PathTwist", "path_twist", -128, 127, *_PERCENT),
    _Wire("PathTwistBegin", "path_twist_begin", -128, 127, *_PERCENT),
    _Wire("PathRadiusOffset", "path_radius_offset", -128, 127, *_PERCENT),
    _Wire("PathTaperX", "path_taper_x", -128, 127, *_PERCENT),
    _Wire("PathTaperY", "path_taper_y", -128, 127, *_PERCENT),
    _Wire("PathRevolutions", "path_revolutions", 0, 255, *_TURNS),
    _Wire("PathSkew", "path_skew", -128, 127, *_PERCENT),
    _Wire("ProfileBegin", "profile_begin", 0, _FINE, *_SHARE),
    _Wire("ProfileEnd", "profile_end", 0, _FINE, *_REST),
    _Wire("ProfileHollow", "profile_hollow", 0, _FINE, *_SHARE),
)
WIRE_NAMES = ("PathCurve", "ProfileCurve", *(field.name for field in _FIELDS))


def to_wire(shape: Shape) -> dict[str, int]:
    """The path and profile fields of a shape, by their wire names.

    Raises ProtocolError for values outside their field's range; shear is held to -1..1.
    """
    wire: dict[str, int] = {"PathCurve": shape.path, "ProfileCurve": shape.profile}
    for name, value in wire.items():
        if not 0 <= value <= 255:
            raise ProtocolError(f"{name} {value} is not a byte")
    for field in _FIELDS:
        real = getattr(shape, field.attribute)
        try:
            value = round(field.wire(real))
        except (ValueError, OverflowError) as error:
            raise ProtocolError(f"{field.attribute}: {error}") from error
        if not field.low <= value <= field.high or (field.real is _SIGNED[0] and not -128 <= round(real * 100) <= 127):
            raise ProtocolError(f"{field.attribute} {real!r} is out of range")
        wire[field.name] = value
    return wire


def from_wire(fields: Mapping[str, Any]) -> Shape:
    """The shape of an ObjectAdd, ObjectShape or ObjectUpdate block; absent fields count as a box's.

    Raises ProtocolError for values outside their field's range, such as a hollow beyond 1.
    """
    values: dict[str, Any] = {}
    for field in _FIELDS:
        if field.name in fields:
            wire = fields[field.name]
            if not field.low <= wire <= field.high:
                raise ProtocolError(f"{field.name} {wire} is out of range")
            values[field.attribute] = field.real(wire)
    return Shape(int(fields.get("PathCurve", Path.LINE)), int(fields.get("ProfileCurve", Profile.SQUARE)), **values)
