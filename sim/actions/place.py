"""Where things are and how large: moved, turned, stretched, one prim or a linkset.

A root is held inside the region, and as far under the ground as people like, but not without end; a child within
`MAX_APART` of its root. Whatever moves a thing moves it through here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from protocol.attachment_points import FARTHEST
from protocol.objects import Edit
from protocol.wellknown import REGION_SIZE, Permission
from sim.actions import may
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.region import Region
from sim.world.agent import Vector
from sim.world.changes import What
from sim.world.objects import (
    MAX_APART,
    MAX_HEIGHT,
    MAX_SCALE,
    MIN_SCALE,
    Prim,
    conjugate,
    hold_offset,
    multiply,
    rotate,
)

TOO_FAR = f"Not moved: the parts of the linked set would be more than {MAX_APART:g} m from its root."
EDGE = 255.99  # metres


@dataclass(frozen=True, slots=True)
class OverBorder:
    """A root is to be put there, outside of the region: whoever asked sees to it, or asks again with `inside`."""

    root: Prim
    position: Vector


def held(region: Region, position: Vector) -> Vector:
    """The place for a root nearest to a wish: inside the region. Numbers that are none become 0."""
    x, y, z = (part if math.isfinite(part) else 0.0 for part in position)
    x, y = min(max(x, 0.0), EDGE), min(max(y, 0.0), EDGE)
    low = region.world.terrain.height(x, y) - MAX_SCALE
    return x, y, min(max(z, low), MAX_HEIGHT)


def at_point(offset: Vector) -> Vector:
    """The place for the root of what is worn that is nearest to a wish, relative to the point that it hangs on."""
    x, y, z = (part if math.isfinite(part) else 0.0 for part in offset)
    away = math.hypot(x, y, z)
    by = FARTHEST / away if FARTHEST < away < math.inf else 1.0 if away <= FARTHEST else 0.0
    return x * by, y * by, z * by


def held_scale(scale: Vector) -> Vector:
    """The size nearest to a wish that a prim can have."""
    x, y, z = (min(max(part if math.isfinite(part) else MIN_SCALE, MIN_SCALE), MAX_SCALE) for part in scale)
    return x, y, z


def place(region: Region, actor: Actor, prim: Prim, wish: Edit, inside: bool = False) -> OverBorder | Refused | None:
    """Move, turn or resize a prim; its whole linkset where the wish says so or where a root goes.

    `inside`: a root that would leave the region is held at its edge.
    """
    refused = may.refusal(actor, prim, Permission.MODIFY if wish.scale is not None else Permission.MOVE)
    if refused is not None:
        return refused
    if wish.scale is not None:
        _resize(region, actor, prim, wish.scale, wish.linked)
    if wish.position is None and wish.rotation is None:
        return None
    if prim.root is not None and wish.linked:
        prim = prim.root  # a child dragged as part of its set moves the set
    position = wish.position
    if position is not None and prim.root is None and prim.worn is not None:
        position = at_point(position)
    elif position is not None and prim.root is None:
        x, y, _ = position
        outside = not (0 <= x < REGION_SIZE and 0 <= y < REGION_SIZE)
        near = all(-REGION_SIZE <= part < 2 * REGION_SIZE for part in (x, y))
        if outside and near and not inside:
            return OverBorder(prim, position)
        position = held(region, position)
        refused = may.entry_refusal(region, actor, prim, position)
        if refused is not None:
            return refused
    elif position is not None:
        position = hold_offset(position)
    return _move(region, actor, prim, wish._replace(position=position))


def _move(region: Region, actor: Actor, prim: Prim, wish: Edit) -> Refused | None:
    objects, note = region.world.objects, region.world.changes.prims.note
    row = objects.row(prim)
    alone = prim.root is None and prim.children and not wish.linked
    stays: list[tuple[Prim, Vector, tuple[float, float, float, float]]] = []
    if alone:  # "edit linked parts" on the root: the children stay where they are
        here, turned = objects.frame_place(prim)
        base, turn = wish.position or here, wish.rotation or turned
        back = conjugate(turn)
        for child in prim.children:
            position, rotation = objects.frame_place(child)
            offset = rotate(back, [position[axis] - base[axis] for axis in range(3)])
            if math.hypot(*offset) > MAX_APART:
                return Refused(TOO_FAR, "too far apart")
            stays.append((child, offset, multiply(back, rotation)))
    if wish.position is not None:
        row["position"] = wish.position
    if wish.rotation is not None:
        row["rotation"] = wish.rotation
    row["velocity"] = row["acceleration"] = (0.0, 0.0, 0.0)
    row["angular_velocity"] = prim.drives.spin
    for child, offset, rotation in stays:
        child_row = objects.row(child)
        child_row["position"], child_row["rotation"] = offset, rotation
    objects.placed(prim)
    note(prim, What.PLACE, actor.agent_id)
    for child, _, _ in stays:
        note(child, What.PLACE, actor.agent_id)
    return None


def _resize(region: Region, actor: Actor, prim: Prim, wish: Vector, linked: bool) -> None:
    objects, note = region.world.objects, region.world.changes.prims.note
    scale = held_scale(wish)
    row = objects.row(prim)
    if not (linked and prim.root is None and prim.children):
        row["scale"] = scale
        objects.placed(prim)
        note(prim, What.SCALE, actor.agent_id)
        return
    before = row["scale"].tolist()
    factor = _factor(region, prim, min(scale[axis] / before[axis] for axis in range(3)))
    for one in prim.linkset():
        one_row = objects.row(one)
        one_row["scale"] = held_scale(tuple(part * factor for part in one_row["scale"].tolist()))
        if one is not prim:
            one_row["position"] = hold_offset(tuple(part * factor for part in one_row["position"].tolist()))
    objects.placed(prim)
    for one in prim.linkset():
        note(one, What.SCALE, actor.agent_id)


def _factor(region: Region, root: Prim, wish: float) -> float:
    """The factor nearest to a wish by which a linkset can be stretched; at least what keeps it as it is."""
    least, most = factors(region, root)
    return min(max(wish, min(least, 1.0)), max(most, 1.0))


def factors(region: Region, root: Prim) -> tuple[float, float]:
    """The least and the most by which a linkset can be stretched so that all its parts keep their proportions and none
    outgrows what a prim, or its distance from the root, may be."""
    least, most = 0.0, math.inf
    for one in root.linkset():
        row = region.world.objects.row(one)
        scale = row["scale"].tolist()
        least = max(least, MIN_SCALE / min(scale))
        most = min(most, MAX_SCALE / max(scale))
        if one is not root:
            away = math.hypot(*row["position"].tolist())
            most = min(most, MAX_APART / away) if away > 0 else most
    return least, most
