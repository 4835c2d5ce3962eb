"""A person's last edits of an object are taken back, and done again: places, turns, sizes and forms of its whole linkset.

    before = look(region, root)         of the linkset, before an edit
    remember(steps, now, before)        after it, when it was done

Edits that follow each other within a second are one step: a drag is many messages.
"""

from __future__ import annotations

from collections import deque

from protocol.wellknown import Permission
from sim.actions import may
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.actions.place import held
from sim.region import Region
from sim.world.changes import What
from sim.world.objects import Prim
from sim.world.undo import PAUSE, Look, Looks, ObjectSteps

LINKED = "That cannot be undone: since then something was linked with this object, or taken out of it."


def look(region: Region, root: Prim) -> Looks:
    """How a linkset is now."""
    objects = region.world.objects
    prims = list(root.linkset())
    rows = objects.rows[[prim.row for prim in prims]]
    positions, rotations, scales = (rows[name].tolist() for name in ("position", "rotation", "scale"))
    return {
        prim.full_id: Look(tuple(position), tuple(rotation), tuple(scale), prim.shape)
        for prim, position, rotation, scale in zip(prims, positions, rotations, scales, strict=True)
    }


def begins(steps: ObjectSteps, now: float) -> bool:
    """Whether an edit now would begin a step of its own."""
    return now >= steps.at + PAUSE or not steps.back


def remember(steps: ObjectSteps, now: float, before: Looks | None) -> None:
    """An edit was done, and what was taken back before it cannot be done again. `before`: None when it goes on with a step."""
    if before is not None:
        steps.back.append(before)
    steps.forth.clear()
    steps.at = now


def undo(region: Region, actor: Actor, root: Prim, steps: ObjectSteps) -> Refused | None:
    """Take the last step back. Nothing where there is none."""
    return _step(region, actor, root, steps.back, steps.forth, steps)


def redo(region: Region, actor: Actor, root: Prim, steps: ObjectSteps) -> Refused | None:
    """Do what was taken back last once more."""
    return _step(region, actor, root, steps.forth, steps.back, steps)


def _step(
    region: Region, actor: Actor, root: Prim, out: deque[Looks], into: deque[Looks], steps: ObjectSteps
) -> Refused | None:
    if not out:
        return None
    refused = may.refusal(actor, root, Permission.MOVE)
    if refused is not None:
        return refused
    now = look(region, root)
    wished = out[-1]
    if wished.keys() != now.keys() or next(iter(wished)) != root.full_id:
        out.clear()
        return Refused(LINKED, "linked since")
    formed = [
        prim
        for prim in root.linkset()
        if (wished[prim.full_id].scale, wished[prim.full_id].shape) != _form(now[prim.full_id])
    ]
    for prim in formed:
        refused = may.refusal(actor, prim, Permission.MODIFY)
        if refused is not None:
            return refused
    place = held(region, wished[root.full_id].position)
    refused = may.entry_refusal(region, actor, root, place)
    if refused is not None:
        return refused
    _put(region, actor, root, now, wished)
    out.pop()
    into.append(now)
    steps.at = -1e9  # the next edit is a step of its own
    return None


def _form(one: Look) -> tuple[object, object]:
    return one.scale, one.shape


def _put(region: Region, actor: Actor, root: Prim, now: Looks, wished: Looks) -> None:
    objects, note = region.world.objects, region.world.changes.prims.note
    changed: dict[Prim, What] = {}
    for prim in root.linkset():
        was, will = now[prim.full_id], wished[prim.full_id]
        row = objects.row(prim)
        what = What(0)
        if (was.position, was.rotation) != (will.position, will.rotation):
            row["position"] = held(region, will.position) if prim is root else will.position
            row["rotation"] = will.rotation
            what |= What.PLACE
        if was.scale != will.scale:
            row["scale"] = will.scale
            what |= What.SCALE
        if was.shape != will.shape:
            prim.shape = will.shape
            what |= What.SHAPE
        if what:
            row["velocity"] = row["angular_velocity"] = row["acceleration"] = (0.0, 0.0, 0.0)
            changed[prim] = what
    objects.placed(root)
    for prim, what in changed.items():
        note(prim, what, actor.agent_id)
