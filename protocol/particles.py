"""What a prim emits, as viewers are told (PSBlock of ObjectUpdate).

Little endian. U8.8 = U16 / 256, U3.5 = U8 / 32, S8.7 = U16 / 128 - 256.

    U32 checksum, 0 for no system | U32 flags of the system | U8 pattern | U8.8 age | U8.8 age to begin with
    U3.5 inner, outer angle | U8.8 burst rate, radius, least and most speed | U8 particles a burst
    S8.7 x 3 angular velocity | S8.7 x 3 acceleration | texture 16 | target 16                       = 68 bytes
    U32 flags of a particle | U8.8 age | RGBA start, end | U3.5 start x y, end x y                   = 18 bytes
    U8 x 2 glow, if the flags say so | U8 x 2 blend functions, if the flags say so

Without glow and blend it is these 86 bytes; with any of them both parts have their size in front, S32.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

from protocol.wellknown import NULL

DROP, EXPLODE, ANGLE, ANGLE_CONE, ANGLE_CONE_EMPTY = 1, 2, 4, 8, 16
RELATIVE, NEW_ANGLE = 0x1, 0x2  # of a system: to the object; angles are of PSYS_SRC_ANGLE_*
GLOW_FOLLOWS, BLEND_FOLLOWS = 0x10000, 0x20000
MOST_AGE = 30.0  # seconds of a particle
SMALLEST, LARGEST = 0.03125, 4.0  # metres
SOURCE_ALPHA, ONE_MINUS_SOURCE_ALPHA = 7, 9
Vector = tuple[float, float, float]
Colour = tuple[float, float, float, float]

_system = struct.Struct("<IIBHHBBHHHHB6H16s16s")
_particle = struct.Struct("<IH4B4B4B")


@dataclass(frozen=True, slots=True)
class Particles:
    """A particle system; what is left out is as llParticleSystem has it. Metres, seconds, radians; colours 0 to 1."""

    flags: int = 0
    pattern: int = DROP
    age: float = 0.0  # of the system; 0: for ever
    start_age: float = 0.0
    inner_angle: float = 0.0
    outer_angle: float = 0.0
    new_angle: bool = False
    relative: bool = False
    rate: float = 0.1
    radius: float = 0.0
    least_speed: float = 1.0
    most_speed: float = 1.0
    count: int = 1
    omega: Vector = (0.0, 0.0, 0.0)
    acceleration: Vector = (0.0, 0.0, 0.0)
    texture: UUID = NULL
    target: UUID = NULL
    particle_age: float = 10.0
    start_color: Colour = (1.0, 1.0, 1.0, 1.0)
    end_color: Colour = (1.0, 1.0, 1.0, 1.0)
    start_scale: tuple[float, float] = (1.0, 1.0)
    end_scale: tuple[float, float] = (1.0, 1.0)
    start_glow: float = 0.0
    end_glow: float = 0.0
    blend_source: int = SOURCE_ALPHA
    blend_target: int = ONE_MINUS_SOURCE_ALPHA


def _held(value: float, low: float, high: float) -> float:
    return min(max(value, low), high) if value == value else low


def _u88(value: float) -> int:
    return round(_held(value, 0.0, 255.99) * 256)


def _u35(value: float) -> int:
    return round(_held(value, 0.0, 7.96875) * 32)


def _s87(value: float) -> int:
    return round((_held(value, -256.0, 255.99) + 256.0) * 128)


def _byte(value: float) -> int:
    return round(_held(value, 0.0, 1.0) * 255)


def encode(what: Particles, checksum: int = 1) -> bytes:
    """The bytes of a particle system, every number brought within what they hold. `checksum`: any that is not 0."""
    system = _system.pack(
        checksum & 0xFFFFFFFF or 1, RELATIVE * what.relative | NEW_ANGLE * what.new_angle, what.pattern & 0xFF, _u88(what.age),
        _u88(what.start_age), _u35(what.inner_angle), _u35(what.outer_angle), max(_u88(what.rate), 3), _u88(what.radius),
        _u88(what.least_speed), _u88(what.most_speed), min(max(what.count, 1), 255), *map(_s87, what.omega), *map(_s87, what.acceleration),
        what.texture.bytes, what.target.bytes,
    )  # fmt: skip
    glow = bool(what.start_glow or what.end_glow)
    blend = (what.blend_source, what.blend_target) != (SOURCE_ALPHA, ONE_MINUS_SOURCE_ALPHA)
    sizes = (_u35(_held(side, SMALLEST, LARGEST)) for side in (*what.start_scale, *what.end_scale))
    particle = _particle.pack(
        what.flags & 0xFFFF | GLOW_FOLLOWS * glow | BLEND_FOLLOWS * blend, _u88(_held(what.particle_age, 0.0, MOST_AGE)),
        *map(_byte, what.start_color), *map(_byte, what.end_color), *sizes,
    )  # fmt: skip
    if not glow and not blend:
        return system + particle
    particle += bytes((_byte(what.start_glow), _byte(what.end_glow))) if glow else b""
    particle += bytes((what.blend_source & 0xFF, what.blend_target & 0xFF)) if blend else b""
    return struct.pack("<i", len(system)) + system + struct.pack("<i", len(particle)) + particle
