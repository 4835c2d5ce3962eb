"""The table of prim parameters: one rule for each PRIM_ constant, with its number, what it takes, how it is read and written.

llSetPrimitiveParams and its kin (`prim_params.py`) walk through lists by it. A rule of faces takes the face first; read for
ALL_SIDES it gives its values for each face in turn.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from protocol import extra_params
from protocol.objects import unpack_text_color
from protocol.textures import Face
from protocol.wellknown import NULL, AssetType, Permission
from sim.scripts.language.values import NULL_KEY, ZERO_ROTATION, ZERO_VECTOR, Item, Rotation, Vector
from sim.scripts.library import looks, objects, places, prim_shapes
from sim.scripts.library.things import actor_of, finite, place, prim_of, region_of, unit, uuid_of
from sim.world.changes import What

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

Write = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One PRIM_ parameter.

    takes: the kinds of its values, a letter each: i f s v r (a float takes an integer, a string a key); faces: its first
    value is a face, which readers give too; read(script, prim[, face]) gives its values; write(script, prim, *values).
    """

    name: str
    takes: str
    read: Callable[..., list[Item]] | None
    write: Write | None
    faces: bool = False
    numbered: bool = False  # its reader is given a face's number, not its look
    more: dict[int, str] | None = None  # what follows the first value, which is one of these

    def kinds(self, first: object) -> str:
        """The kinds of its values, `first` being the first of them."""
        return self.takes if self.more is None else self.takes + self.more.get(first, "") if isinstance(first, int) else self.takes


def _edit(name: str) -> Any:
    from sim.actions import edit

    return getattr(edit, name)


def _flags(script: Script, prim: Prim, **flags: bool) -> None:
    _edit("flags")(region_of(script), actor_of(script), prim, _edit("Flags")(**flags))


def _row(script: Script, prim: Prim, column: str) -> list[float]:
    return region_of(script).world.objects.row(prim)[column].tolist()  # type: ignore[no-any-return]


def _text(script: Script, prim: Prim) -> list[Item]:
    red, green, blue, alpha = unpack_text_color(prim.text_color)
    return [prim.text, Vector(red, green, blue), alpha]


# --- faces


def _face(change: Callable[..., Callable[[Face], Face]]) -> Write:
    """A writer of faces out of what makes one face's change of the values."""

    def write(script: Script, prim: Prim, face: int, *values: Any) -> None:
        looks.change(script, [prim], face, change(*values))

    return write


def _bits(shift: int, width: int, value: int) -> Callable[[Face], Face]:
    mask = ((1 << width) - 1) << shift
    return lambda face: replace(face, material=face.material & ~mask & 0xFF | value << shift & mask)


def _shiny(shine: int, bump: int) -> Callable[[Face], Face]:
    def change(face: Face) -> Face:
        return _bits(0, 5, bump if 0 <= bump <= 17 else 0)(_bits(6, 2, shine if 0 <= shine <= 3 else 0)(face))

    return change


def _texture(script: Script, prim: Prim, face: int, texture: str, repeats: Vector, offset: Vector, turn: float) -> None:
    from sim.scripts.library.things import prim_of

    found = looks.texture_id(script, prim_of(script), texture) if texture else None

    def change(one: Face) -> Face:
        return replace(
            one, texture=found if found is not None else one.texture, rotation=finite(turn, -1e6, 1e6),
            repeats=(finite(repeats.x, -100.0, 100.0), finite(repeats.y, -100.0, 100.0)),
            offset=(finite(offset.x, -1.0, 1.0), finite(offset.y, -1.0, 1.0)),
        )  # fmt: skip

    looks.change(script, [prim], face, change)


def _texture_of(script: Script, prim: Prim, face: Face) -> list[Item]:
    name = looks.texture_name(script, prim, face)
    return [name, Vector(*face.repeats, 0.0), Vector(*face.offset, 0.0), face.rotation]


# --- light and flexible path: extra parameters


def _byte(value: float) -> int:
    return round(finite(value, 0.0, 1.0) * 255)


def _set_light(script: Script, prim: Prim, on: int, color: Vector, intensity: float, radius: float, falloff: float) -> None:
    data = None
    if on:
        shade = bytes([_byte(part) for part in (*color, intensity)])
        data = shade + struct.pack("<3f", finite(radius, 0.1, 20.0), 0.0, finite(falloff, 0.01, 2.0))
    _edit("extra")(region_of(script), actor_of(script), prim, extra_params.LIGHT, data)


def _light(script: Script, prim: Prim) -> list[Item]:
    data = prim.extra_params.get(extra_params.LIGHT)
    if data is None:
        return [0, ZERO_VECTOR, 0.0, 0.0, 0.0]
    red, green, blue, intensity, radius, _, falloff = struct.unpack("<4B3f", data)
    return [1, Vector(red / 255, green / 255, blue / 255), intensity / 255, radius, falloff]


def _set_flexible(
    script: Script, prim: Prim, on: int, softness: int, gravity: float, friction: float, wind: float, tension: float, force: Vector
) -> None:
    data = None
    if on:
        soft = min(max(softness, 0), 3)
        head = (
            (soft & 2) << 6 | round(finite(tension, 0.0, 10.0) * 10), (soft & 1) << 7 | round(finite(friction, 0.0, 10.0) * 10),
            round((finite(gravity, -10.0, 10.0) + 10.0) * 10), round(finite(wind, 0.0, 10.0) * 10),
        )  # fmt: skip
        data = struct.pack("<4B3f", *head, *[finite(part, -10.0, 10.0) for part in force])
    _edit("extra")(region_of(script), actor_of(script), prim, extra_params.FLEXIBLE, data)


def _flexible(script: Script, prim: Prim) -> list[Item]:
    data = prim.extra_params.get(extra_params.FLEXIBLE)
    if data is None:
        return [0, 0, 0.0, 0.0, 0.0, 0.0, ZERO_VECTOR]
    tension, drag, gravity, wind, x, y, z = struct.unpack("<4B3f", data)
    soft = (tension >> 7) << 1 | drag >> 7
    return [1, soft, gravity / 10.0 - 10.0, (drag & 0x7F) / 10.0, wind / 10.0, (tension & 0x7F) / 10.0, Vector(x, y, z)]


# --- the rest


def _set_seat(script: Script, prim: Prim, on: int, offset: Vector, turn: Rotation) -> None:
    target = (tuple(finite(part, -300.0, 300.0) for part in offset), unit(turn)) if on else None
    _edit("sit_target")(region_of(script), actor_of(script), prim, target)


def _seat(script: Script, prim: Prim) -> list[Item]:
    if prim.sit_target is None:
        return [0, ZERO_VECTOR, ZERO_ROTATION]
    offset, turn = prim.sit_target
    return [1, Vector(*offset), Rotation(*turn)]


def _set_solid(script: Script, prim: Prim, kind: int) -> None:
    _edit("features")(region_of(script), actor_of(script), prim, replace(prim.features, shape_type=kind))


def _relative(script: Script, prim: Prim, rotation: Rotation) -> None:
    """PRIM_ROTATION: of a child too it is how it is to be turned in the region."""
    if prim.root is not None:
        from sim.world.objects import conjugate, multiply

        rotation = Rotation(*multiply(conjugate(tuple(place(script, prim.root)[1])), unit(rotation)))
    places.turn(script, prim, rotation)


def _size(script: Script, prim: Prim, size: Vector) -> None:
    if not prim.linkset_root.physical:
        places.move(script, prim, scale=size)


def _set_projector(script: Script, prim: Prim, texture: str, view: float, focus: float, ambiance: float) -> None:
    found = looks.texture_id(script, prim_of(script), texture) if texture and texture != NULL_KEY else None
    data = found.bytes + struct.pack("<3f", finite(view, 0.0, 3.0), finite(focus, -20.0, 20.0), finite(ambiance, 0.0, 1.0)) if found else None
    _edit("extra")(region_of(script), actor_of(script), prim, extra_params.LIGHT_IMAGE, data)


def _projector(script: Script, prim: Prim) -> list[Item]:
    data = prim.extra_params.get(extra_params.LIGHT_IMAGE)
    return [str(UUID(bytes=data[:16])), *struct.unpack("<3f", data[16:28])] if data else ["", 0.0, 0.0, 0.0]


def _set_probe(script: Script, prim: Prim, on: int, ambiance: float, clip: float, flags: int) -> None:
    data = struct.pack("<ffB", finite(ambiance, 0.0, 100.0), finite(clip, 0.0, 1024.0), flags & 0x7) if on else None
    _edit("extra")(region_of(script), actor_of(script), prim, extra_params.PROBE, data)


def _probe(script: Script, prim: Prim) -> list[Item]:
    data = prim.extra_params.get(extra_params.PROBE)
    return [1, *struct.unpack("<ffB", data)] if data else [0, 0.0, 0.0, 0]


def _sit_flag(bit: int) -> Write:
    def write(script: Script, prim: Prim, on: int) -> None:
        flags = prim.rare.sit_flags | bit if on else prim.rare.sit_flags & ~bit
        _edit("rare")(region_of(script), actor_of(script), prim, What.SEAT, sit_flags=flags)

    return write


def set_sit_flags(script: Script, prim: Prim, flags: int) -> None:
    """SIT_FLAG_*; that there is a sit target is for PRIM_SIT_TARGET to say."""
    _edit("rare")(region_of(script), actor_of(script), prim, What.SEAT, sit_flags=flags & 0x36)


def sit_flags(prim: Prim) -> int:
    return prim.rare.sit_flags | (prim.sit_target is not None)


# --- glTF materials: an extra parameter that names them by face


def materials_of(prim: Prim) -> dict[int, UUID]:
    data = prim.extra_params.get(extra_params.RENDER_MATERIAL) or b"\0"
    return {data[at]: UUID(bytes=data[at + 1 : at + 17]) for at in range(1, len(data), 17)}


def set_material(script: Script, prim: Prim, face: int, material: str) -> None:
    """A material of the contents by name, or any by key, on a face; an empty name or NULL_KEY takes it away."""
    found = NULL
    if material and material != NULL_KEY:
        named = [one.asset_id for one in prim_of(script).contents if one.name == material and one.asset_type == AssetType.MATERIAL]
        found = named[0] if named else uuid_of(material)
        if found == NULL:
            script.complain(f"Couldn't find material '{material[:64]}'")
            return
    count = looks.sides(prim)
    faces = range(count) if face == looks.ALL_SIDES else [face] if 0 <= face < count else []
    now = {**materials_of(prim), **dict.fromkeys(faces, found)}
    blocks = [bytes([one]) + asset.bytes for one, asset in sorted(now.items()) if asset != NULL]
    data = bytes([len(blocks)]) + b"".join(blocks) if blocks else None
    _edit("extra")(region_of(script), actor_of(script), prim, extra_params.RENDER_MATERIAL, data)


def material_name(script: Script, prim: Prim, face: int) -> str:
    """The name of a face's material in the contents, else its key where the object has full permissions, else NULL_KEY; empty
    without one."""
    found = materials_of(prim).get(face)
    if found is None:
        return ""
    for one in prim.contents:
        if one.asset_id == found and one.asset_type == AssetType.MATERIAL:
            return one.name
    full = Permission.COPY | Permission.MODIFY | Permission.TRANSFER
    return str(found) if prim.permissions.owner & full == full else str(NULL_KEY)


RULES: dict[int, Rule] = {
    2: Rule("PRIM_MATERIAL", "i", lambda script, prim: [prim.material],
            lambda script, prim, number: _edit("material")(region_of(script), actor_of(script), prim, min(max(number, 0), 7))),
    3: Rule("PRIM_PHYSICS", "i", lambda script, prim: [int(prim.linkset_root.physical)],
            lambda script, prim, on: _flags(script, prim, physical=bool(on))),
    4: Rule("PRIM_TEMP_ON_REZ", "i", lambda script, prim: [int(prim.linkset_root.temporary)],
            lambda script, prim, on: _flags(script, prim, temporary=bool(on))),
    5: Rule("PRIM_PHANTOM", "i", lambda script, prim: [int(prim.linkset_root.phantom)],
            lambda script, prim, on: _flags(script, prim, phantom=bool(on))),
    6: Rule("PRIM_POSITION", "v", lambda script, prim: [place(script, prim)[0]], places.step),
    7: Rule("PRIM_SIZE", "v", lambda script, prim: [Vector(*_row(script, prim, "scale"))], _size),
    8: Rule("PRIM_ROTATION", "r", lambda script, prim: [place(script, prim)[1]], _relative),
    9: Rule("PRIM_TYPE", "i", prim_shapes.read, prim_shapes.write, more=prim_shapes.TAKES),
    17: Rule("PRIM_TEXTURE", "isvvf", _texture_of, _texture, True),
    18: Rule("PRIM_COLOR", "ivf", lambda script, prim, face: [looks.shown_color(face), face.color[3] / 255], _face(looks.tint), True),
    19: Rule("PRIM_BUMP_SHINY", "iii", lambda script, prim, face: [face.material >> 6, face.material & 0x1F], _face(_shiny), True),
    20: Rule("PRIM_FULLBRIGHT", "ii", lambda script, prim, face: [face.material >> 5 & 1], _face(lambda on: _bits(5, 1, int(bool(on)))), True),
    21: Rule("PRIM_FLEXIBLE", "iiffffv", _flexible, _set_flexible),
    22: Rule("PRIM_TEXGEN", "ii", lambda script, prim, face: [face.media >> 1 & 1],
             _face(lambda mode: lambda face: replace(face, media=face.media & ~6 | (mode == 1) << 1)), True),
    23: Rule("PRIM_POINT_LIGHT", "ivfff", _light, _set_light),
    25: Rule("PRIM_GLOW", "if", lambda script, prim, face: [face.glow],
             _face(lambda glow: lambda face: replace(face, glow=finite(glow, 0.0, 1.0))), True),
    26: Rule("PRIM_TEXT", "svf", _text, objects.float_text),
    27: Rule("PRIM_NAME", "s", lambda script, prim: [prim.name], objects.rename),
    28: Rule("PRIM_DESC", "s", lambda script, prim: [prim.description], objects.describe),
    29: Rule("PRIM_ROT_LOCAL", "r", lambda script, prim: [Rotation(*_row(script, prim, "rotation"))], places.turn),
    30: Rule("PRIM_PHYSICS_SHAPE_TYPE", "i", lambda script, prim: [prim.features.shape_type], _set_solid),
    33: Rule("PRIM_POS_LOCAL", "v", lambda script, prim: [Vector(*_row(script, prim, "position"))], places.step),
    35: Rule("PRIM_SLICE", "v", prim_shapes.read_slice, prim_shapes.write_slice),
    39: Rule("PRIM_ALLOW_UNSIT", "i", lambda script, prim: [int(bool(prim.rare.sit_flags & 2))], _sit_flag(2)),
    40: Rule("PRIM_SCRIPTED_SIT_ONLY", "i", lambda script, prim: [int(bool(prim.rare.sit_flags & 4))], _sit_flag(4)),
    41: Rule("PRIM_SIT_TARGET", "ivr", _seat, _set_seat),
    42: Rule("PRIM_PROJECTOR", "sfff", _projector, _set_projector),
    43: Rule("PRIM_CLICK_ACTION", "i", lambda script, prim: [prim.click_action], objects.click),
    44: Rule("PRIM_REFLECTION_PROBE", "iffi", _probe, _set_probe),
    49: Rule("PRIM_RENDER_MATERIAL", "is", lambda script, prim, face: [material_name(script, prim, face)], set_material, True, True),
    50: Rule("PRIM_SIT_FLAGS", "i", lambda script, prim: [sit_flags(prim)], set_sit_flags),
}  # fmt: skip
LINK_TARGET = 34
