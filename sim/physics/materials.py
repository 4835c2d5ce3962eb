"""What prims are made of: friction and restitution of the viewer's materials (LSL wiki, PRIM_MATERIAL), and the ranges of
the Features tab. Density is 1000 kg/m3 for all of them unless changed.
"""

from __future__ import annotations

from typing import NamedTuple


class Material(NamedTuple):
    name: str
    friction: float
    restitution: float


DENSITY = 1000.0  # kilograms a cubic metre
# By the number in ObjectMaterial and PRIM_MATERIAL.
MATERIALS = (
    Material("stone", 0.8, 0.4),
    Material("metal", 0.3, 0.4),
    Material("glass", 0.2, 0.7),
    Material("wood", 0.6, 0.5),
    Material("flesh", 0.9, 0.3),
    Material("plastic", 0.4, 0.7),
    Material("rubber", 0.9, 0.9),
    Material("light", 0.2, 0.7),
)
# What ObjectExtraPhysics may set: density, friction, restitution, gravity multiplier.
LIMITS = {
    "density": (1.0, 22587.0),
    "friction": (0.0, 255.0),
    "restitution": (0.0, 1.0),
    "gravity_multiplier": (-1.0, 28.0),
}


def material(number: int) -> Material:
    """The material of that number; wood for one that is none."""
    return MATERIALS[number] if 0 <= number < len(MATERIALS) else MATERIALS[3]
