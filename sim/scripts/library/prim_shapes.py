"""The form of prims as scripts know it: PRIM_TYPE with its seven shapes and sculpts, and PRIM_SLICE.

Ranges and meanings: llSetPrimitiveParams on the LSL wiki. What scripts call the cut is the profile's of a box, cylinder or prism, and
the path's of what is swept around a circle; the dimple, and the slice, are the other one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol import extra_params
from protocol.shapes import Path, Profile
from protocol.wellknown import NULL, Permission
from sim.scripts.language.values import NULL_KEY, Item, Vector
from sim.scripts.library.things import actor_of, finite, prim_of, region_of

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

BOX, CYLINDER, PRISM, SPHERE, TORUS, TUBE, RING, SCULPT = range(8)  # PRIM_TYPE_*
HOLES = (0x00, 0x10, 0x20, 0x30)
STRAIGHT, ROUND, SWEPT, MAP = "ivfvvv", "ivfvv", "ivfvvvvvfff", "si"
TAKES = {BOX: STRAIGHT, CYLINDER: STRAIGHT, PRISM: STRAIGHT, SPHERE: ROUND, TORUS: SWEPT, TUBE: SWEPT, RING: SWEPT, SCULPT: MAP}
PROFILES = {
    BOX: Profile.SQUARE, CYLINDER: Profile.CIRCLE, PRISM: Profile.EQUILATERAL, SPHERE: Profile.HALF_CIRCLE, TORUS: Profile.CIRCLE,
    TUBE: Profile.SQUARE, RING: Profile.EQUILATERAL,
}  # fmt: skip
FULL = 50000
LEAST = 0.02  # between two ends of a cut


def _cut(cut: Vector) -> tuple[int, int]:
    begin = finite(cut.x, 0.0, 1.0 - LEAST)
    end = finite(cut.y, begin + LEAST, 1.0)
    return round(begin * FULL), round((1.0 - end) * FULL)


def _hundredths(value: float, most: float = 1.0, scale: float = 100.0) -> int:
    return round(finite(value, -most, most) * scale)


def write(script: Script, prim: Prim, kind: int, *values: Any) -> None:
    """PRIM_TYPE: the prim gets a form; what it was a sculpt or mesh of goes, but for a sculpt's map."""
    from sim.actions import edit

    region, actor = region_of(script), actor_of(script)
    if kind == SCULPT:
        _sculpt(script, prim, *values)
        return
    hole, cut, hollow, twist, *rest = values
    wire: dict[str, int] = {"ProfileCurve": PROFILES[kind] | (hole if hole in HOLES else 0)}
    wire["ProfileHollow"] = round(finite(hollow, 0.0, 0.95) * FULL)
    begin, end = _cut(cut)
    if kind in (BOX, CYLINDER, PRISM):
        size, shear = rest
        wire |= {"PathCurve": Path.LINE, "ProfileBegin": begin, "ProfileEnd": end}
        wire |= {"PathTwistBegin": _hundredths(twist.x, 0.5, 200.0), "PathTwist": _hundredths(twist.y, 0.5, 200.0)}
        wire |= {"PathScaleX": round((2.0 - finite(size.x, 0.0, 2.0)) * 100), "PathScaleY": round((2.0 - finite(size.y, 0.0, 2.0)) * 100)}
        wire |= {"PathShearX": _hundredths(shear.x, 0.5) % 256, "PathShearY": _hundredths(shear.y, 0.5) % 256}
    else:
        wire |= {"PathCurve": Path.CIRCLE, "PathBegin": begin, "PathEnd": end, "PathScaleX": 100, "PathScaleY": 100}
        wire |= {"PathTwistBegin": _hundredths(twist.x), "PathTwist": _hundredths(twist.y)}
        wire["ProfileBegin"], wire["ProfileEnd"] = _cut(rest[0] if kind == SPHERE else rest[2])
        if kind != SPHERE:
            hole_size, shear, _, taper, revolutions, offset, skew = rest
            wire |= {
                "PathScaleX": round((2.0 - finite(hole_size.x, 0.01, 1.0)) * 100), "PathScaleY": round((2.0 - finite(hole_size.y, 0.01, 0.5)) * 100),
                "PathShearX": _hundredths(shear.x, 0.5) % 256, "PathShearY": _hundredths(shear.y, 0.5) % 256, "PathTaperX": _hundredths(taper.x),
                "PathTaperY": _hundredths(taper.y), "PathRevolutions": round((finite(revolutions, 1.0, 4.0) - 1.0) / 0.015),
                "PathRadiusOffset": _hundredths(offset), "PathSkew": _hundredths(skew, 0.95),
            }  # fmt: skip
    edit.extra(region, actor, prim, extra_params.SCULPT, None)
    edit.shape(region, actor, prim, wire)


def _sculpt(script: Script, prim: Prim, texture: str, kind: int) -> None:
    from sim.actions import edit
    from sim.scripts.library.looks import texture_id

    found = texture_id(script, prim_of(script), texture)
    if found is not None:
        edit.extra(region_of(script), actor_of(script), prim, extra_params.SCULPT, found.bytes + bytes([kind & 0xFF]))


def kind_of(prim: Prim) -> int:
    """Which PRIM_TYPE the prim is."""
    if extra_params.SCULPT in prim.extra_params or extra_params.MESH in prim.extra_params:
        return SCULPT
    straight = prim.shape.get("PathCurve", Path.LINE) in (Path.LINE, Path.FLEXIBLE)
    profile = prim.shape.get("ProfileCurve", Profile.SQUARE) & 0x0F
    kinds = {Profile.SQUARE: (BOX, TUBE), Profile.CIRCLE: (CYLINDER, TORUS), Profile.HALF_CIRCLE: (CYLINDER, SPHERE)}
    return kinds.get(Profile(profile) if profile in list(Profile) else Profile.SQUARE, (PRISM, RING))[0 if straight else 1]


def read(script: Script, prim: Prim) -> list[Item]:
    kind, shape = kind_of(prim), prim.shape.get
    if kind == SCULPT:
        data = prim.extra_params.get(extra_params.SCULPT) or NULL.bytes + b"\x05"
        full = Permission.COPY | Permission.MODIFY | Permission.TRANSFER
        from uuid import UUID

        texture = str(UUID(bytes=data[:16])) if prim.permissions.owner & full == full else str(NULL_KEY)
        return [kind, texture, data[16] if len(data) > 16 else 0]
    profile = Vector(shape("ProfileBegin", 0) / FULL, 1.0 - shape("ProfileEnd", 0) / FULL, 0.0)
    path = Vector(shape("PathBegin", 0) / FULL, 1.0 - shape("PathEnd", 0) / FULL, 0.0)
    size = Vector(2.0 - shape("PathScaleX", 100) / 100, 2.0 - shape("PathScaleY", 100) / 100, 0.0)
    shear = Vector(_signed(shape("PathShearX", 0)), _signed(shape("PathShearY", 0)), 0.0)
    straight = kind in (BOX, CYLINDER, PRISM)
    scale = 200.0 if straight else 100.0
    twist = Vector(shape("PathTwistBegin", 0) / scale, shape("PathTwist", 0) / scale, 0.0)
    first: list[Item] = [kind, shape("ProfileCurve", 1) & 0xF0, profile if straight else path, shape("ProfileHollow", 0) / FULL, twist]
    if straight:
        return [*first, size, shear]
    if kind == SPHERE:
        return [*first, profile]
    taper = Vector(shape("PathTaperX", 0) / 100, shape("PathTaperY", 0) / 100, 0.0)
    return [
        *first, size, shear, profile, taper, 1.0 + shape("PathRevolutions", 0) * 0.015, shape("PathRadiusOffset", 0) / 100,
        shape("PathSkew", 0) / 100,
    ]  # fmt: skip


def _signed(byte: int) -> float:
    return (byte - 256 if byte > 127 else byte) / 100


def _slice_names(prim: Prim) -> tuple[str, str]:
    return ("PathBegin", "PathEnd") if kind_of(prim) in (BOX, CYLINDER, PRISM) else ("ProfileBegin", "ProfileEnd")


def write_slice(script: Script, prim: Prim, cut: Vector) -> None:
    from sim.actions import edit

    names = _slice_names(prim)
    edit.shape(region_of(script), actor_of(script), prim, {**prim.shape, **dict(zip(names, _cut(cut), strict=True))})


def read_slice(script: Script, prim: Prim) -> list[Item]:
    begin, end = (prim.shape.get(name, 0) / FULL for name in _slice_names(prim))
    return [Vector(begin, 1.0 - end, 0.0)]


__all__ = ["TAKES", "read", "read_slice", "write", "write_slice"]
