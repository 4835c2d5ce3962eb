"""Particles and moving textures: what a prim emits, and how its faces are animated.

Source of all: llParticleSystem, llSetTextureAnim and the pages of the deprecated makers on the LSL wiki. Both are the prim's own and
stay when the script goes.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from protocol.particles import EXPLODE, LARGEST, MOST_AGE, SMALLEST, Particles, encode
from protocol.textures import ANIM_ON, TextureAnimation, encode_texture_animation
from protocol.wellknown import NULL
from sim.scripts.language.values import Item, Vector, is_uuid
from sim.scripts.library.declare import ll
from sim.scripts.library.looks import texture_id
from sim.scripts.library.things import actor_of, finite, linked, prim_of, region_of, uuid_of

if TYPE_CHECKING:
    from uuid import UUID

    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

MOST_RULES = 128
FASTEST = 255.0
# PSYS_*: number -> the field it sets and the kind of its value (i f v; t texture, k key, a alpha, c colour, s scale).
RULES: dict[int, tuple[str, str]] = {
    0: ("flags", "i"), 1: ("start_color", "c"), 2: ("start_color", "a"), 3: ("end_color", "c"), 4: ("end_color", "a"),
    5: ("start_scale", "s"), 6: ("end_scale", "s"), 7: ("particle_age", "f"), 8: ("acceleration", "v"), 9: ("pattern", "i"),
    10: ("inner_angle", "o"), 11: ("outer_angle", "o"), 12: ("texture", "t"), 13: ("rate", "f"), 15: ("count", "i"), 16: ("radius", "f"),
    17: ("least_speed", "f"), 18: ("most_speed", "f"), 19: ("age", "f"), 20: ("target", "k"), 21: ("omega", "v"),
    22: ("inner_angle", "n"), 23: ("outer_angle", "n"), 24: ("blend_source", "i"), 25: ("blend_target", "i"), 26: ("start_glow", "f"),
    27: ("end_glow", "f"),
}  # fmt: skip


class BadRule(ValueError):
    """A list that breaks the rules."""


def _value(script: Script, before: Particles, rule: int, value: Item) -> dict[str, Any]:
    """What one rule changes of a system."""
    name, kind = RULES[rule]
    if kind in "vcs" and isinstance(value, Vector):
        x, y, z = (finite(part, -FASTEST, FASTEST) for part in value)
        if kind == "c":
            return {name: (x, y, z, getattr(before, name)[3])}
        return {name: (x, y, z) if kind == "v" else (finite(x, SMALLEST, LARGEST), finite(y, SMALLEST, LARGEST))}
    if kind == "t" and isinstance(value, str):
        found = texture_id(script, prim_of(script), value) if value else NULL
        return {name: found or NULL}
    if kind == "k" and isinstance(value, str):
        return {name: uuid_of(value) if is_uuid(value) else NULL}
    if kind == "i" and isinstance(value, int):
        return {name: value}
    if kind in "fano" and isinstance(value, int | float):
        number = finite(float(value), -FASTEST, FASTEST)
        if kind == "a":
            return {name: (*getattr(before, name)[:3], number)}
        if kind in "no":
            return {name: finite(number, 0.0, math.tau), "new_angle": kind == "n"}
        return {name: number}
    raise BadRule(f"the value of rule {rule} is of a wrong type")


def system(script: Script, rules: list[Item]) -> Particles:
    """The system that a list of rules describes. BadRule when it describes none."""
    found = Particles()
    if len(rules) > 2 * MOST_RULES:
        raise BadRule(f"more than {MOST_RULES} rules")
    for at in range(0, len(rules) - 1, 2):
        rule = rules[at]
        if not isinstance(rule, int) or rule not in RULES:
            raise BadRule(f"there is no rule {str(rule)[:20]}")
        found = replace(found, **_value(script, found, rule, rules[at + 1]))
    return replace(found, particle_age=finite(found.particle_age, 0.0, MOST_AGE))


def emit(script: Script, prims: list[Prim], what: Particles | None) -> None:
    from sim.actions import edit

    for prim in prims:
        data = encode(what, prim.local_id or 1) if what is not None else b""
        edit.particles(region_of(script), actor_of(script), prim, data)


def _set(script: Script, prims: list[Prim], rules: list[Item], function: str) -> None:
    try:
        emit(script, prims, system(script, rules) if rules else None)
    except BadRule as wrong:
        script.complain(f"{function}: {wrong}")


@ll
def llParticleSystem(script: Script, rules: list[Item]) -> None:
    """What the prim emits: [PSYS_PART_FLAGS, PSYS_PART_EMISSIVE_MASK, PSYS_SRC_PATTERN, PSYS_SRC_PATTERN_EXPLODE ...].

    An empty list stops it. What is not said is as in a plain system; numbers are held within what viewers can be told.
    """
    _set(script, [prim_of(script)], rules, "llParticleSystem")


@ll
def llLinkParticleSystem(script: Script, link: int, rules: list[Item]) -> None:
    """As llParticleSystem, of a prim of the object or of several by LINK_*."""
    _set(script, linked(prim_of(script), link), rules, "llLinkParticleSystem")


# --- textures that move


def _animate(
    script: Script, prims: list[Prim], mode: int, face: int, size: tuple[int, int], start: float, length: float, rate: float
) -> None:
    from sim.actions import edit

    data = b""
    if mode & ANIM_ON:
        x, y = (min(max(side, 0), 255) for side in size)
        numbers = (finite(value, -1e6, 1e6) for value in (start, length, rate))
        data = encode_texture_animation(TextureAnimation(mode & 0xFF, min(max(face, -1), 127), x, y, *numbers))
    for prim in prims:
        edit.texture_animation(region_of(script), actor_of(script), prim, data)


@ll
def llSetTextureAnim(script: Script, mode: int, face: int, sizex: int, sizey: int, start: float, length: float, rate: float) -> None:
    """Animates the texture of a face of the prim, or of all: frames in sizex columns and sizey rows, or smoothly (SMOOTH, ROTATE,
    SCALE). A mode without ANIM_ON stops it."""
    _animate(script, [prim_of(script)], mode, face, (sizex, sizey), start, length, rate)


@ll
def llSetLinkTextureAnim(
    script: Script, link: int, mode: int, face: int, sizex: int, sizey: int, start: float, length: float, rate: float
) -> None:
    """As llSetTextureAnim, of a prim of the object or of several by LINK_*."""
    _animate(script, linked(prim_of(script), link), mode, face, (sizex, sizey), start, length, rate)


# --- the makers of before particle systems


def _burst(script: Script, particles: int, scale: float, vel: float, lifetime: float, arc: float, texture: str, **more: Any) -> None:
    """A short explosion of particles, as the makers had it."""
    size = finite(scale, SMALLEST, LARGEST)
    found: UUID | None = texture_id(script, prim_of(script), texture) if texture else None
    what = Particles(
        flags=0x3, pattern=EXPLODE, age=0.2, outer_angle=finite(arc, 0.0, math.pi), rate=0.1, count=min(max(particles, 1), 255),
        least_speed=finite(vel, 0.0, FASTEST), most_speed=finite(vel, 0.0, FASTEST), texture=found or NULL,
        particle_age=finite(lifetime, 0.0, MOST_AGE), start_scale=(size, size), end_scale=(size, size), end_color=(1.0, 1.0, 1.0, 0.0),
    )  # fmt: skip
    emit(script, [prim_of(script)], replace(what, **more))


OFFSET = "begins in the middle of the prim, whatever the offset"


@ll(lacks=OFFSET)
def llMakeExplosion(
    script: Script, particles: int, scale: float, vel: float, lifetime: float, arc: float, texture: str, offset: Vector
) -> None:
    """Deprecated: llParticleSystem took its place. A burst of particles. Sleeps 0.1 s."""
    _burst(script, particles, scale, vel, lifetime, arc, texture)


@ll(lacks=OFFSET)
def llMakeFountain(
    script: Script, particles: int, scale: float, vel: float, lifetime: float, arc: float, bounce: int, texture: str, offset: Vector,
    bounce_offset: float,
) -> None:  # fmt: skip
    """Deprecated: llParticleSystem took its place. A burst of particles that fall. Sleeps 0.1 s."""
    _burst(script, particles, scale, vel, lifetime, arc, texture, flags=0x3 | (0x4 if bounce else 0), acceleration=(0.0, 0.0, -9.8))


@ll(lacks=OFFSET)
def llMakeSmoke(
    script: Script, particles: int, scale: float, vel: float, lifetime: float, arc: float, texture: str, offset: Vector
) -> None:
    """Deprecated: llParticleSystem took its place. A burst of particles that the wind takes along. Sleeps 0.1 s."""
    _burst(script, particles, scale, vel, lifetime, arc, texture, flags=0xB)


@ll(lacks=OFFSET)
def llMakeFire(
    script: Script, particles: int, scale: float, vel: float, lifetime: float, arc: float, texture: str, offset: Vector
) -> None:
    """Deprecated: llParticleSystem took its place. A burst of particles that glow. Sleeps 0.1 s."""
    _burst(script, particles, scale, vel, lifetime, arc, texture, flags=0x103)
