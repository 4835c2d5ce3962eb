"""What one person did to the objects of a region since a moment is undone, and what others did since stays.

Made is removed, removed stands again, changed is put back field by field: a field goes back to what it was before the person
changed it, if nobody else has given it another value since. Everything is noted as the operator's deed, so the history has
what was undone, too: a rollback of the operator undoes a rollback.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from protocol.inventory import Item
from protocol.wellknown import OPERATOR
from sim.actions.place import held
from sim.actions.remove import remove
from sim.region import Region
from sim.world.changes import What
from sim.world.fields import FIELDS, Goes
from sim.world.linkset import Linkset, Part, gather
from sim.world.objects import Prim, hold_offset

# What a thing is, and the number that has to rise with its contents, are not put back.
PUT_BACK = tuple(
    row for row in FIELDS
    if row.holds is not None and row.goes is Goes.WITH_IT
    and row.name not in ("full_id", "creator_id", "created", "from_item_id", "inventory_serial", "expires", "lineage", "temporary")
)  # fmt: skip
PLACES = (("position", What.PLACE), ("rotation", What.PLACE), ("scale", What.SCALE))


class Deed(Protocol):
    """As the store's history has it."""

    @property
    def who(self) -> UUID | None: ...
    @property
    def what(self) -> What: ...
    @property
    def before(self) -> Linkset | None: ...


@dataclass(slots=True)
class Rolled:
    """What was undone, or would be: names of objects by their ids; and why others were left as they are."""

    removed: dict[UUID, str] = field(default_factory=dict)
    restored: dict[UUID, str] = field(default_factory=dict)
    changed: dict[UUID, str] = field(default_factory=dict)
    left: dict[UUID, str] = field(default_factory=dict)
    contents: dict[Prim, tuple[list[Item], list[Item]]] = field(default_factory=dict)  # scripts that have gone from it, and come


def roll_back(region: Region, who: UUID, history: Mapping[UUID, Sequence[Deed]], dry_run: bool = False) -> Rolled:
    """`history`: of every linkset that the person touched all deeds since the moment, whoever's, the oldest first."""
    rolled = Rolled()
    for root_id, deeds in history.items():
        mine = [deed for deed in deeds if deed.who == who]
        if mine:
            _one(region, who, root_id, deeds, _is_making(mine[0]), rolled, dry_run)
    return rolled


def _is_making(deed: Deed) -> bool:
    return bool(deed.what & What.MADE) and deed.before is None


def _one(region: Region, who: UUID, root_id: UUID, deeds: Sequence[Deed], made: bool, rolled: Rolled, dry: bool) -> None:
    root = region.world.objects.by_id.get(root_id)
    if made:
        if root is None:
            return  # made and gone again
        others = who == OPERATOR and deeds[-1].who not in (who, None)  # somebody has gone on with what was put back
        if root.root is not None or others or who not in (root.owner_id, OPERATOR):
            rolled.left[root_id] = "it was made then, and is another's or part of another object now"
        elif root.leaving:
            rolled.left[root_id] = "it is just going to another region"
        else:
            rolled.removed[root_id] = root.name
            if not dry:
                remove(region, root, OPERATOR)
        return
    last = deeds[-1]
    if root is None:
        before = last.before
        if last.who != who or not last.what & What.GONE:
            rolled.left[root_id] = "somebody else took it away, or linked it with another object"
        elif before is None:
            rolled.left[root_id] = "what it was is not known any more"
        elif before.parts[0].prim.owner_id == who:
            rolled.left[root_id] = "it was the person's own"
        elif any(part.prim.full_id in region.world.objects.by_id for part in before.parts):
            rolled.left[root_id] = "parts of it stand here"
        else:
            rolled.restored[root_id] = before.parts[0].prim.name
            now = _undone(who, deeds[:-1], before)[0]
            if not dry:
                root = _stand(region, now)
                rolled.contents |= {one: ([], _scripts(one.contents)) for one in root.linkset() if _scripts(one.contents)}
        return
    if root.root is not None or root.leaving:
        rolled.left[root_id] = "it is part of another object now, or is just leaving"
        return
    (now,) = gather(region.world.objects, [root], region.clock.now())
    wished, changes, linked = _undone(who, deeds, now)[:3]
    if changes:
        rolled.changed[root_id] = root.name
        if not dry:
            _put(region, now, wished, changes, rolled)
    if linked:
        rolled.left[root_id] = "something was linked with it or taken out of it: that stays" + (", the rest is undone" if changes else "")


Changes = dict[UUID, What]  # by prim


def _undone(who: UUID, deeds: Sequence[Deed], now: Linkset) -> tuple[Linkset, Changes, bool]:
    """The linkset without the person's deeds, which of its prims differ from `now` in what, and whether a deed was a linking."""
    wished = Linkset([_loose(part) for part in now.parts], now.velocity, now.angular_velocity)
    at = {part.prim.full_id: part for part in wished.parts}
    changes: Changes = {}
    linked = False
    for number in range(len(deeds) - 1, -1, -1):
        deed = deeds[number]
        if deed.who != who or deed.before is None or deed.what & What.GONE:
            continue
        after = next((later.before for later in deeds[number + 1 :] if later.before is not None), now)
        was = {part.prim.full_id: part for part in deed.before.parts}
        became = {part.prim.full_id: part for part in after.parts}
        linked = linked or was.keys() != became.keys()
        same_root = deed.before.parts[0].prim.full_id == after.parts[0].prim.full_id
        for prim_id in was.keys() & became.keys() & at.keys():
            what = _take_back(was[prim_id], became[prim_id], at[prim_id], places=same_root and was.keys() == became.keys())
            if what:
                changes[prim_id] = changes.get(prim_id, What(0)) | what
    return wished, changes, linked


def _loose(part: Part) -> Part:
    """A part whose fields may be given other values; the prim of the world stays as it is."""
    return Part(copy.copy(part.prim), part.position, part.rotation, part.scale)


def _take_back(was: Part, became: Part, wished: Part, places: bool) -> What:
    """Give `wished` those values back that changed from `was` to `became` and are still as they became."""
    what = What(0)
    for row in PUT_BACK:
        old, new = getattr(was.prim, row.name), getattr(became.prim, row.name)
        if old != new and getattr(wished.prim, row.name) == new:
            setattr(wished.prim, row.name, old)
            what |= row.told
    for name, told in PLACES if places else ():
        old, new = getattr(was, name), getattr(became, name)
        if not _near(old, new) and _near(getattr(wished, name), new):
            setattr(wished, name, old)
            what |= told
    return what


def _near(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(a - b) < 1e-4 for a, b in zip(one, other, strict=True))


def _put(region: Region, now: Linkset, wished: Linkset, changes: Changes, rolled: Rolled) -> None:
    objects, note = region.world.objects, region.world.changes.prims.note
    for part, wish in zip(now.parts, wished.parts, strict=True):
        prim = part.prim
        what = changes.get(prim.full_id)
        if what is None:
            continue
        had, has = _scripts(prim.contents), _scripts(wish.prim.contents)
        if had != has:
            rolled.contents[prim] = [one for one in had if one not in has], [one for one in has if one not in had]
        for row in PUT_BACK:
            value: Any = getattr(wish.prim, row.name)
            if getattr(prim, row.name) == value:
                continue
            if row.name == "owner_id":
                objects.set_owner(prim, value)
            else:
                setattr(prim, row.name, value)
        if what & What.CONTENTS:
            prim.inventory_serial += 1
        if what & (What.PLACE | What.SCALE):
            line = objects.row(prim)
            line["position"] = held(region, wish.position) if prim.root is None else hold_offset(wish.position)
            line["rotation"], line["scale"] = wish.rotation, wish.scale
            line["velocity"] = line["angular_velocity"] = line["acceleration"] = (0.0, 0.0, 0.0)
    objects.placed(now.parts[0].prim)
    for part in now.parts:
        if part.prim.full_id in changes:
            note(part.prim, changes[part.prim.full_id], OPERATOR)


def _scripts(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if item.is_script]


def _stand(region: Region, linkset: Linkset) -> Prim:
    """A linkset that was taken away stands again as it was, with the ids it had."""
    objects = region.world.objects
    root = linkset.parts[0]
    for part in linkset.parts:
        position = held(region, part.position) if part is root else part.position
        objects.add(part.prim, region.world.new_local_id(), position, part.rotation, part.scale, by=OPERATOR)
    if len(linkset.parts) > 1:
        objects.join(root.prim, [part.prim for part in linkset.parts[1:]])
    return root.prim
