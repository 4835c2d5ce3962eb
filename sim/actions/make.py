"""New objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from protocol.objects import BOX, PRIM
from protocol.permissions import Masks
from protocol.wellknown import NULL
from sim.actions import may
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.actions.place import held, held_scale
from sim.actions.remove import remove
from sim.region import Region
from sim.world.agent import Vector
from sim.world.changes import What
from sim.world.objects import Prim, Quaternion
from sim.world.shapes import clean_shape

PCODES = (PRIM, 95, 111, 255)  # prim, grass, new tree, tree
TEMPORARY_SECONDS = 60.0


@dataclass(slots=True)
class New:
    """What somebody wants made. `position` is where its middle goes, metres."""

    position: Vector
    rotation: Quaternion = (0.0, 0.0, 0.0, 1.0)
    scale: Vector = (0.5, 0.5, 0.5)
    pcode: int = PRIM
    state: int = 0  # species of trees and grass
    material: int = 3
    shape: Mapping[str, int] = field(default_factory=lambda: BOX)
    physical: bool = False
    temporary: bool = False
    group_id: UUID = NULL
    permissions: Masks = Masks()


def make(region: Region, actor: Actor, new: New) -> Prim | Refused:
    """A prim of the actor's own, with the plain look."""
    scale = held_scale(new.scale)
    position = held(region, new.position)
    refused = may.room_refusal(region, actor, position, 1)
    if refused is not None:
        return refused
    prim = Prim(
        uuid4(), actor.agent_id, actor.agent_id, last_owner_id=actor.agent_id, created=int(region.clock.unix() * 1e6),
        group_id=may.group_of(actor, new.group_id), name="Primitive", permissions=new.permissions,
        pcode=new.pcode if new.pcode in PCODES else PRIM, material=min(new.material, 7), shape=clean_shape(new.shape),
    )  # fmt: skip
    prim.state = new.state if prim.pcode != PRIM else 0
    prim.physical = new.physical and prim.pcode == PRIM
    region.world.objects.add(prim, region.world.new_local_id(), position, new.rotation, scale, by=actor.agent_id)
    if new.temporary:
        make_temporary(region, prim, True)
    return prim


def make_temporary(region: Region, root: Prim, on: bool, seconds: float = TEMPORARY_SECONDS) -> None:
    """A temporary object goes by itself after a minute."""
    root.temporary = on
    root.expires = region.clock.now() + seconds if on else float("inf")
    region.world.changes.prims.note(root, What.BODY)
    if on:
        region.tasks.after(seconds, lambda: _expire(region, root))


def _expire(region: Region, root: Prim) -> None:
    if root.temporary and root.row >= 0 and region.clock.now() >= root.expires - 0.01:
        remove(region, root)
