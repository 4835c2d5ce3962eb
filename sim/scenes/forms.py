"""A prim's form and look in the words of a viewer's build tool, as what travels.

What the tool calls "path cut" cuts the profile of a straight form and the path of a round one, and so on: the words
are for the eye, the fields for the sweep. Ranges are the tool's.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from uuid import UUID

from protocol.objects import pack_text_color
from protocol.shapes import BOX, CYLINDER, PRISM, RING, SPHERE, TORUS, TUBE, Hole, to_wire
from protocol.textures import Face, TextureEntry, encode_texture_entry
from protocol.wellknown import Texture
from sim.physics import materials
from sim.scenes.checking import Entry, SceneError, shown
from sim.world.objects import TEXT_BYTES, Material

STRAIGHT = {"box": BOX, "cylinder": CYLINDER, "prism": PRISM}
ROUND = {"sphere": SPHERE, "torus": TORUS, "tube": TUBE, "ring": RING}
FORMS = {**STRAIGHT, **ROUND}
HOLE_SIZE = (1.0, 0.25)  # of a new torus, tube or ring
HOLES = {"same": Hole.SAME, "circle": Hole.CIRCLE, "square": Hole.SQUARE, "triangle": Hole.TRIANGLE}
MATERIALS = {made.name: number for number, made in enumerate(materials.MATERIALS)}
TEXTURES = {
    name.lower().removeprefix("terrain_").removeprefix("fabric_").replace("_", "-"): value
    for name, value in vars(Texture).items()
    if isinstance(value, UUID)
}

SHAPE_FIELDS = {"shape", "cut", "hollow", "hole", "twist", "taper", "shear"}
STRAIGHT_FIELDS = {"slice"}
ROUND_FIELDS = {"dimple", "profile_cut", "hole_size", "revolutions", "radius_offset", "skew"}
FACE_FIELDS = {"texture", "color", "repeats", "offset", "turn", "glow", "fullbright"}
LOOK_FIELDS = FACE_FIELDS | {"faces", "text", "text_color"}
MATERIAL_FIELDS = {"material", "density", "friction", "restitution", "gravity", "physics_shape"}
FACES = tuple("012345678")
FULL_BRIGHT = 0x20
PHYSICS_SHAPES = ("prim", "none", "convex")


def wire_shape(entry: Entry) -> dict[str, int]:
    """Path and profile fields of the form an entry describes."""
    kind = entry.choice("shape", "box", FORMS)
    straight = kind in STRAIGHT
    base = FORMS[kind]
    for name in (ROUND_FIELDS if straight else STRAIGHT_FIELDS) & entry.values.keys():
        raise entry.error(name, f"left out: a {kind} has none")
    hole = HOLES[entry.choice("hole", "same", HOLES)]
    begin, end = entry.span("cut")
    turn = 180 if straight else 360
    twist_begin, twist_end = entry.numbers("twist", (0.0, 0.0), -turn, turn)
    taper_x, taper_y = entry.numbers("taper", (0.0, 0.0), -1, 1)
    shear_x, shear_y = entry.numbers("shear", (0.0, 0.0), -0.5, 0.5)
    shape = replace(
        base, profile=int(base.profile) | hole, path_twist_begin=twist_begin / turn, path_twist=twist_end / turn,
        path_shear_x=shear_x, path_shear_y=shear_y, profile_hollow=entry.number("hollow", 0.0, 0, 95) / 100,
    )  # fmt: skip
    if straight:
        low, high = entry.span("slice")
        shape = replace(
            shape, profile_begin=begin, profile_end=end, path_begin=low, path_end=high, path_scale_x=1 - taper_x,
            path_scale_y=1 - taper_y,
        )  # fmt: skip
        return _wired(shape)
    low, high = entry.span("dimple" if kind == "sphere" else "profile_cut")
    shape = replace(
        shape, path_begin=begin, path_end=end, profile_begin=low, profile_end=high, path_taper_x=taper_x, path_taper_y=taper_y,
        path_revolutions=entry.number("revolutions", 1.0, 1, 4), path_skew=entry.number("skew", 0.0, -0.95, 0.95),
        path_radius_offset=entry.number("radius_offset", 0.0, -1, 1),
    )  # fmt: skip
    if kind != "sphere":
        hole_x, hole_y = entry.numbers("hole_size", HOLE_SIZE, 0.01, 1)
        if hole_y > 0.5:
            raise entry.error("hole_size", "two numbers, the second at most 0.5")
        shape = replace(shape, path_scale_x=hole_x, path_scale_y=hole_y)
    return _wired(shape)


def face(entry: Entry, base: Face) -> Face:
    """One face's look; what the entry does not say is as in `base`."""
    bright = base.material & FULL_BRIGHT
    if "fullbright" in entry:
        bright = FULL_BRIGHT * entry.flag("fullbright")
    repeat_s, repeat_t = entry.numbers("repeats", base.repeats, -100, 100)
    offset_s, offset_t = entry.numbers("offset", base.offset, -1, 1)
    turn = entry.number("turn", math.degrees(base.rotation), -360, 360)
    return Face(
        texture=texture(entry, base.texture),
        color=entry.color("color", base.color),
        repeats=(repeat_s, repeat_t),
        offset=(offset_s, offset_t),
        rotation=math.radians(turn),
        material=bright,
        glow=entry.number("glow", base.glow, 0, 1),
    )


def texture(entry: Entry, default: UUID) -> UUID:
    value = entry.values.get("texture")
    if value is None:
        return default
    if isinstance(value, str) and value in TEXTURES:
        return TEXTURES[value]
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise entry.error("texture", f"a texture's UUID or one of {', '.join(TEXTURES)}") from error


def look(entry: Entry) -> bytes:
    """The TextureEntry of a prim. A coloured one is blank unless it names a texture: colour goes over the texture."""
    plain = Face(texture=Texture.BLANK) if "color" in entry else Face()
    default = face(entry, plain)
    others = {}
    given = entry.values.get("faces", {})
    if not isinstance(given, dict):
        raise entry.error("faces", "a table of face numbers and looks")
    for name, values in given.items():
        if name not in FACES:
            raise SceneError(f"{entry.where}: a face is a number from 0 to 8, not {shown(name)}")
        others[int(name)] = face(Entry(f"{entry.where}, face {name}", values, FACE_FIELDS), default)
    return encode_texture_entry(TextureEntry(default, others)) if others else _plain_look(default)


# Thousands of prims of a scene share a handful of forms and looks.
_wired = lru_cache(4096)(to_wire)


@lru_cache(4096)
def _plain_look(every_face: Face) -> bytes:
    return encode_texture_entry(TextureEntry(every_face))


def hover_text(entry: Entry) -> tuple[str, bytes]:
    """Text and TextColor."""
    text = entry.text("text", "", TEXT_BYTES)
    red, green, blue, alpha = entry.color("text_color")
    return text, pack_text_color((red / 255, green / 255, blue / 255, alpha / 255))


def material(entry: Entry) -> tuple[int, Material]:
    """The material's number, and the Features tab."""
    number = MATERIALS[entry.choice("material", "wood", MATERIALS)]
    made = materials.material(number)
    limits = materials.LIMITS
    return number, Material(
        density=entry.number("density", materials.DENSITY, *limits["density"]),
        friction=entry.number("friction", made.friction, *limits["friction"]),
        restitution=entry.number("restitution", made.restitution, *limits["restitution"]),
        gravity=entry.number("gravity", 1.0, *limits["gravity_multiplier"]),
        shape_type=PHYSICS_SHAPES.index(entry.choice("physics_shape", "prim", PHYSICS_SHAPES)),
    )
