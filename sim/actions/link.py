"""Prims joined into linksets, and linksets taken apart."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.objects import PRIM
from protocol.wellknown import Permission
from sim.actions import may
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.actions.place import held
from sim.region import Region
from sim.world.changes import What
from sim.world.objects import Prim

NOT_YOURS = "You can only link objects that have one owner, and that you may modify."


def link(region: Region, actor: Actor, prims: Sequence[Prim]) -> Prim | Refused:
    """Make one linkset of these and all linked with them; the first named becomes, or belongs to, its root."""
    for prim in prims:
        refused = may.standing_refusal(prim) or may.refusal(actor, prim, Permission.MODIFY)
        if refused is not None:
            return refused if refused.words else Refused(NOT_YOURS)
    prims = [prim for prim in prims if prim.pcode == PRIM]
    if len({prim.linkset_root for prim in prims}) < 2:
        return Refused(why="nothing to link")
    if len({prim.owner_id for prim in prims}) > 1:
        return Refused(NOT_YOURS)
    try:
        region.world.objects.link(prims[0], prims[1:], actor.agent_id)
    except ValueError as error:
        return Refused(f"Not linked: {error}.", "cannot be linked")
    return prims[0].linkset_root


def unlink(region: Region, actor: Actor, prims: Sequence[Prim]) -> list[Prim] | Refused:
    """Take prims out of their linksets. Returns every root whose linkset changed: each is inside the region."""
    for prim in prims:
        refused = may.standing_refusal(prim) or may.refusal(actor, prim, Permission.MODIFY)
        if refused is not None:
            return refused
    objects = region.world.objects
    try:
        roots = objects.unlink([prim for prim in prims if prim.root is not None or prim.children], actor.agent_id)
    except ValueError as error:
        return Refused(f"Not unlinked: {error}.", "cannot be unlinked")
    for root in roots:
        place = objects.world_place(root)[0]
        inside = held(region, place)
        if inside != place:
            objects.row(root)["position"] = inside
            objects.placed(root)
            region.world.changes.prims.note(root, What.PLACE, actor.agent_id)
    return roots
