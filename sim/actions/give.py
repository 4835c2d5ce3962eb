"""Things out of an object's contents for somebody: into a person's inventory, or into another object here.

What may be copied is; what may not leaves the contents. What may not change hands stays, and the words say so. How things
reach an inventory is `sim/giving.py`'s affair: from `hand_out` on they are nowhere else, and `take_back` undoes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from protocol.inventory import Item
from protocol.wellknown import Permission
from sim.actions import contents, may
from sim.actions.contents import NO_SUCH, handed_over
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.region import Region
from sim.world.objects import Prim

MOST = 100  # things at once
NOT_GIVEN = "{} cannot be given away."
NOT_LET_IN = "That object lets nothing be put into it."


@dataclass(frozen=True, slots=True)
class Handout:
    """Things of a prim's on their way. `items`: as the receiver will own them, with the ids they have in the prim; `gone`:
    those that left the contents, as they were."""

    giver: UUID
    items: tuple[Item, ...]
    gone: tuple[Item, ...]


def hand_out(region: Region, actor: Actor, prim: Prim, item_ids: Sequence[UUID], receiver: UUID) -> Handout | Refused:
    """Things of the prim's for a person. All of them or none."""
    found = _chosen(prim, item_ids)
    if isinstance(found, Refused):
        return found
    refused = may.refusal(actor, prim, Permission.MODIFY) or transfer_refusal(found, prim, receiver)
    if refused is not None:
        return refused
    gone = tuple(item for item in found if not item.permissions.owner & Permission.COPY)
    given = tuple(handed_over(item, prim, receiver) for item in found)
    for item in gone:
        contents.remove(region, actor, prim, item.item_id)
    return Handout(prim.owner_id, given, gone)


def transfer_refusal(items: Sequence[Item], prim: Prim, receiver: UUID) -> Refused | None:
    """Why these of the prim's contents may not become the receiver's."""
    if prim.owner_id == receiver:
        return None
    held = next((item for item in items if not item.permissions.owner & Permission.TRANSFER), None)
    return None if held is None else Refused(NOT_GIVEN.format(held.name), "no transfer")


def take_back(region: Region, actor: Actor, prim: Prim, gone: Sequence[Item]) -> None:
    """Nobody could have them: what had left the contents is in them again."""
    for item in gone:
        contents.put_back(region, actor, prim, item)


def into(region: Region, actor: Actor, prim: Prim, item_id: UUID, target: Prim) -> Item | Refused:
    """One thing of the prim's into another object of this region, where it has an id of its own; scripts do not run there.

    The giver is the prim's owner, who needs to be let into the target as anybody else.
    """
    found = _chosen(prim, [item_id])
    if isinstance(found, Refused):
        return found
    (item,) = found
    refused = may.refusal(actor, prim, Permission.MODIFY)
    if refused is not None:
        return refused
    if prim is target:
        return Refused(NOT_LET_IN, "same object")
    inside = contents.put(region, Actor(prim.owner_id, actor.groups, actor.edits_of), target, item)
    if isinstance(inside, Refused):
        return inside if inside.words else Refused(NOT_LET_IN)
    if not item.permissions.owner & Permission.COPY:
        contents.remove(region, actor, prim, item_id)
    return inside


def _chosen(prim: Prim, item_ids: Sequence[UUID]) -> list[Item] | Refused:
    found = [contents.find(prim, item_id) for item_id in dict.fromkeys(item_ids)]
    items = [item for item in found if item is not None]
    if not items or len(items) < len(found):
        return Refused(NO_SUCH, "no such item")
    if len(items) > MOST:
        return Refused(f"At most {MOST} things can be given at once.", "too many")
    return items
