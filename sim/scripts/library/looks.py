"""How faces look: colour, transparency, texture. A face is a number from 0 on, or ALL_SIDES (-1).

Source of all: the functions' pages on the LSL wiki. Of links that stand for several prims all are set, and the first read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from protocol.errors import ProtocolError
from protocol.textures import Face, TextureEntry, decode_texture_entry, encode_texture_entry
from protocol.wellknown import NULL, AssetType, Permission
from sim.scripts.language.values import NULL_KEY, ZERO_VECTOR, Vector, is_uuid
from sim.scripts.library.declare import ll
from sim.scripts.library.things import actor_of, finite, linked, prim_of, region_of, uuid_of

if TYPE_CHECKING:
    from uuid import UUID

    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

ALL_SIDES = -1
LINE, CIRCLE = 0x10, 0x20  # paths
OUTER = {0: 1, 1: 4, 2: 3, 3: 3, 4: 3, 5: 1}  # sides of a profile: circle, square, triangles, half a circle
SCULPT, MESH = 0x30, 0x60  # extra parameters
MESH_FACES = 8


def sides(prim: Prim) -> int:
    """How many faces the prim has: the sides of its profile, those of cuts and a hole, and the ends of its path."""
    if MESH in prim.extra_params or (SCULPT in prim.extra_params and prim.extra_params[SCULPT][16:17] == b"\x05"):
        return MESH_FACES
    if SCULPT in prim.extra_params:
        return 1
    shape = prim.shape.get
    begin, end = shape("ProfileBegin", 0) / 50000, 1.0 - shape("ProfileEnd", 0) / 50000
    profile = shape("ProfileCurve", 1) & 0x0F
    outer = OUTER.get(profile, 4)
    if outer > 1:
        outer = sum(1 for side in range(outer) if begin < (side + 1) / outer and end > side / outer)
    count = outer + (shape("ProfileHollow", 0) > 0) + 2 * (begin > 0.0 or end < 1.0)
    closed = shape("PathCurve", LINE) != LINE and not (
        shape("PathBegin", 0) or shape("PathEnd", 0) or shape("PathTwist", 0) != shape("PathTwistBegin", 0)
        or shape("PathRadiusOffset", 0) or shape("PathSkew", 0) or shape("PathRevolutions", 0)
    )  # fmt: skip
    return count + (0 if closed else 2)


def entry_of(prim: Prim) -> TextureEntry:
    try:
        return decode_texture_entry(prim.texture_entry)
    except ProtocolError:
        return TextureEntry()


def change(script: Script, prims: Iterable[Prim], face: int, how: Callable[[Face], Face]) -> None:
    """Changes the look of one face, or of all, of prims."""
    from sim.actions import edit

    for prim in prims:
        entry = entry_of(prim)
        if face == ALL_SIDES:
            entry = TextureEntry(how(entry.default), {number: how(one) for number, one in entry.faces.items()})
        elif 0 <= face < sides(prim):
            entry.faces[face] = how(entry.face(face))
        else:
            continue
        edit.surface(region_of(script), actor_of(script), prim, encode_texture_entry(entry))


def faces_read(prim: Prim, face: int) -> list[Face]:
    """The faces a reader means: one, or all; none beyond the prim's."""
    entry, count = entry_of(prim), sides(prim)
    if face == ALL_SIDES:
        return [entry.face(number) for number in range(count)]
    return [entry.face(face)] if 0 <= face < count else []


def numbers_read(prim: Prim, face: int) -> list[int]:
    """As `faces_read`, their numbers."""
    count = sides(prim)
    return list(range(count)) if face == ALL_SIDES else [face] if 0 <= face < count else []


def tint(color: Vector | None, alpha: float | None) -> Callable[[Face], Face]:
    """Sets the colour, the alpha, or both of a face."""

    def set_color(face: Face) -> Face:
        parts = list(face.color)
        if color is not None:
            parts[:3] = [round(finite(part, 0.0, 1.0) * 255) for part in color]
        if alpha is not None:
            parts[3] = round(finite(alpha, 0.0, 1.0) * 255)
        return replace(face, color=(parts[0], parts[1], parts[2], parts[3]))

    return set_color


def shown_color(face: Face) -> Vector:
    return Vector(*[part / 255 for part in face.color[:3]])


def texture_id(script: Script, prim: Prim, texture: str) -> UUID | None:
    """A texture of the prim's contents by name, or any by key; None, and a complaint, when it is neither."""
    for item in prim.contents:
        if item.name == texture and item.asset_type == AssetType.TEXTURE:
            return item.asset_id
    if is_uuid(texture) and uuid_of(texture) != NULL:
        return uuid_of(texture)
    script.complain(f"Couldn't find texture '{texture[:64]}'")
    return None


def texture_name(script: Script, prim: Prim, face: Face) -> str:
    """A texture as scripts are told it: its name in the contents, else its key where the object may be copied and changed
    by whoever has it, else NULL_KEY."""
    for item in prim.contents:
        if item.asset_id == face.texture and item.asset_type == AssetType.TEXTURE:
            return item.name
    full = Permission.COPY | Permission.MODIFY | Permission.TRANSFER
    return str(face.texture) if prim.permissions.owner & full == full else str(NULL_KEY)


def set_texture(script: Script, prims: list[Prim], texture: str, face: int) -> None:
    found = texture_id(script, prim_of(script), texture) if texture else None
    if found is not None:
        wanted = found
        change(script, prims, face, lambda one: replace(one, texture=wanted))


@ll
def llSetColor(script: Script, color: Vector, face: int) -> None:
    """Colours a face of the prim; parts are 0 to 1."""
    change(script, [prim_of(script)], face, tint(color, None))


@ll
def llSetLinkColor(script: Script, link: int, color: Vector, face: int) -> None:
    """Colours a face of a prim of the object, or of several by LINK_*."""
    change(script, linked(prim_of(script), link), face, tint(color, None))


@ll
def llSetAlpha(script: Script, opacity: float, face: int) -> None:
    """Sets how opaque a face of the prim is, 0 to 1."""
    change(script, [prim_of(script)], face, tint(None, opacity))


@ll
def llSetLinkAlpha(script: Script, link: int, opacity: float, face: int) -> None:
    """Sets how opaque a face of a prim of the object is, or of several by LINK_*."""
    change(script, linked(prim_of(script), link), face, tint(None, opacity))


@ll
def llSetTexture(script: Script, texture: str, face: int) -> None:
    """Puts a texture, a name in the contents or a key, on a face of the prim. Sleeps 0.2 s."""
    set_texture(script, [prim_of(script)], texture, face)


@ll
def llSetLinkTexture(script: Script, link: int, texture: str, face: int) -> None:
    """Puts a texture on a face of a prim of the object, or of several by LINK_*. Sleeps 0.2 s."""
    set_texture(script, linked(prim_of(script), link), texture, face)


@ll
def llOffsetTexture(script: Script, u: float, v: float, face: int) -> None:
    """Moves the texture of a face, -1 to 1 along each of its axes. Sleeps 0.2 s."""
    offset = finite(u, -1.0, 1.0), finite(v, -1.0, 1.0)
    change(script, [prim_of(script)], face, lambda one: replace(one, offset=offset))


@ll
def llScaleTexture(script: Script, u: float, v: float, face: int) -> None:
    """Sets how often the texture repeats along each axis of a face, -100 to 100. Sleeps 0.2 s."""
    repeats = finite(u, -100.0, 100.0), finite(v, -100.0, 100.0)
    change(script, [prim_of(script)], face, lambda one: replace(one, repeats=repeats))


@ll
def llRotateTexture(script: Script, angle: float, face: int) -> None:
    """Turns the texture of a face, in radians. Sleeps 0.2 s."""
    turned = finite(angle, -1e6, 1e6)
    change(script, [prim_of(script)], face, lambda one: replace(one, rotation=turned))


@ll
def llGetColor(script: Script, face: int) -> Vector:
    """The colour of a face; of ALL_SIDES the mean of all."""
    found = [shown_color(one) for one in faces_read(prim_of(script), face)]
    return Vector(*[sum(parts) / len(found) for parts in zip(*found, strict=True)]) if found else ZERO_VECTOR


@ll
def llGetAlpha(script: Script, face: int) -> float:
    """How opaque a face is, 0 to 1; of ALL_SIDES the sum of all."""
    return sum([one.color[3] / 255 for one in faces_read(prim_of(script), face)])


@ll
def llGetTexture(script: Script, face: int) -> str:
    """The texture of a face: its name in the contents, else its key where the object has full permissions, else NULL_KEY."""
    prim = prim_of(script)
    found = faces_read(prim, max(face, 0))
    return texture_name(script, prim, found[0]) if found else ""


@ll
def llGetTextureOffset(script: Script, face: int) -> Vector:
    """How far the texture of a face is moved, <u, v, 0>."""
    found = faces_read(prim_of(script), max(face, 0))
    return Vector(*found[0].offset, 0.0) if found else ZERO_VECTOR


@ll
def llGetTextureScale(script: Script, face: int) -> Vector:
    """How often the texture of a face repeats, <u, v, 0>."""
    found = faces_read(prim_of(script), max(face, 0))
    return Vector(*found[0].repeats, 0.0) if found else ZERO_VECTOR


@ll
def llGetTextureRot(script: Script, face: int) -> float:
    """How the texture of a face is turned, in radians."""
    found = faces_read(prim_of(script), max(face, 0))
    return found[0].rotation if found else 0.0


MESHES = "says 8 for every mesh"


@ll(lacks=MESHES)
def llGetNumberOfSides(script: Script) -> int:
    """How many faces the prim has."""
    return sides(prim_of(script))


@ll(lacks=MESHES)
def llGetLinkNumberOfSides(script: Script, link: int) -> int:
    """How many faces a prim of the object has, or several together; 0 when there is no such link."""
    return sum([sides(one) for one in linked(prim_of(script), link)])


