"""Objects go."""

from __future__ import annotations

from uuid import UUID

from sim.actions import may
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.region import Region
from sim.world.objects import Prim

LOCKED = "This object is locked and cannot be deleted. Unlock it first."


def delete(region: Region, actor: Actor, prim: Prim) -> Prim | Refused:
    """Take a prim's whole linkset out of the world, as somebody's wish. Also one on its way over a border: that it went is
    void then (docs/decisions/0015)."""
    root = prim.linkset_root
    if root.worn is not None:
        return may.standing_refusal(root) or root
    if not may.may_delete(actor, root):
        locked = root.owner_id == actor.agent_id
        return Refused(LOCKED, "locked") if locked else Refused()
    return remove(region, root, actor.agent_id)


def remove(region: Region, prim: Prim, by: UUID | None = None) -> Prim:
    """Take a prim's whole linkset out of the world; its scripts end, and who sits on it stands up. `by`: whose deed it was."""
    root = prim.linkset_root
    region.world.objects.remove(root, by)
    return root
