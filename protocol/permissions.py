"""What may be done with an object or item, and what of that is left when it goes from hand to hand.

Everything that can be owned carries five masks of `wellknown.Permission` bits:

    base        what can be allowed at all: it only ever shrinks, and every other mask lies within it
    owner       what its owner may do; an owner who gives up MODIFY and MOVE has locked it
    group       what members of its group may do
    everyone    what anybody may do
    next_owner  what is left to whoever owns it next

A thing that changes hands (given, sold, copied by another than its owner, rezzed or taken by one) is worth to its new
owner what the next-owner mask says, and opens to nobody else. One that stays in the same hands keeps its masks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from protocol.wellknown import Permission

COPY, MODIFY, TRANSFER, MOVE = Permission.COPY, Permission.MODIFY, Permission.TRANSFER, Permission.MOVE
LOCK = MODIFY | MOVE  # what an owner gives up to protect an object from itself
OPEN_TO_ALL = COPY | MOVE  # the most that everyone can be allowed; a group may modify, too
OPEN_TO_GROUP = OPEN_TO_ALL | MODIFY


class Masks(NamedTuple):
    """The five masks of one thing; a new one's unless given."""

    base: int = Permission.ALL
    owner: int = Permission.ALL
    group: int = 0
    everyone: int = 0
    next_owner: int = MOVE | TRANSFER


def next_owner(bits: int, base: int = Permission.ALL) -> int:
    """A next-owner mask made whole: within the base, always with MOVE, and with TRANSFER where it has no COPY, since
    a thing that can be neither copied nor passed on would be stuck with whoever has it."""
    bits &= base
    if not bits & COPY:
        bits |= TRANSFER
    return (bits | MOVE) & base


def sound(masks: Masks) -> Masks:
    """Masks from outside held to the rules: nothing beyond the base, nobody else with more than the owner may give."""
    base = masks.base & Permission.ALL
    owner = masks.owner & base
    giving = owner & COPY and owner & TRANSFER
    everyone = masks.everyone & base & OPEN_TO_ALL & (~0 if giving else ~COPY)
    return Masks(base, owner, masks.group & base & OPEN_TO_GROUP, everyone, next_owner(masks.next_owner, base))


def new(group: int = 0, everyone: int = 0, next_: int = MOVE | TRANSFER) -> Masks:
    """The masks of what somebody makes who prefers these."""
    return sound(Masks(Permission.ALL, Permission.ALL, group, everyone, next_))


def given(masks: Masks) -> Masks:
    """After it has changed hands, by whatever way: a gift, a sale, a copy that somebody else made for themselves."""
    kept = masks.base & masks.next_owner
    return Masks(kept, kept, 0, 0, masks.next_owner & kept)


def copied(masks: Masks, same_owner: bool) -> Masks:
    """Of a copy in the world, made by its owner or by somebody who may copy it."""
    return masks if same_owner else given(masks)


def rezzed(masks: Masks, same_owner: bool) -> Masks:
    """Of an object put into the world out of an inventory; not `same_owner` where the item has changed hands since the
    object was taken, and the object's own masks still are the last owner's."""
    return masks if same_owner else given(masks)


def taken(masks: Masks, same_owner: bool) -> Masks:
    """Of an item made of an object that is taken into an inventory. What its owner gave up is lost to another who takes it."""
    return masks if same_owner else given(masks._replace(base=masks.base & (masks.owner | LOCK)))


def put_into(masks: Masks, same_owner: bool) -> Masks:
    """Of an item that is put into the contents of an object; it belongs to the object's owner from then on."""
    return masks if same_owner else given(masks)


def edited(masks: Masks, mask: str, bits: int, on: bool) -> Masks:
    """After its owner allows (`on`) or forbids bits of a mask, "owner", "group", "everyone" or "next_owner". The base stays."""
    before = getattr(masks, mask)
    after = before | bits & masks.base if on else before & ~bits
    return sound(masks._replace(**{mask: after}))


def together(masks: Iterable[Masks]) -> Masks:
    """What holds for a whole of several parts, a linkset or a thing and its contents: only what holds for each."""
    parts = list(masks)
    whole = parts[0] if parts else Masks()
    for part in parts[1:]:
        whole = Masks(*(one & other for one, other in zip(whole, part, strict=True)))
    return whole


def may_copy(masks: Masks, owner: bool) -> bool:
    """Whether the owner, or somebody else, may have a copy: the owner must be able to pass on what others copy."""
    if owner:
        return bool(masks.owner & COPY)
    return bool(masks.everyone & COPY and masks.owner & COPY and masks.owner & TRANSFER)
