"""What is for sale, and who may buy it: an object itself, a copy of it, or what is in it."""

from __future__ import annotations

from protocol.wellknown import NULL, Permission
from sim.actions import may
from sim.actions.give import transfer_refusal
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.actions.permit import hand_over
from sim.region import Region
from sim.world.changes import What
from sim.world.objects import Prim
from sim.world.world import Parcel

NOT, ORIGINAL, COPY, CONTENTS = range(4)  # SaleType
KINDS = ("not", "original", "copy", "contents")
NOT_FOR_SALE = "This is not for sale."
OTHER_OFFER = "The offer has changed: look at it again before you buy."
YOURS = "This is yours already."
NOT_TO_PASS_ON = "Its owner may not pass this on, so it cannot be bought."
EMPTY = "There is nothing in it to buy."
LAND_NOT_FOR_SALE = "This land is not for sale."
NOT_FOR_YOU = "This land is for sale to somebody else."
FOR_SALE = 0x4  # ParcelFlags
PASSED_ON = {
    ORIGINAL: Permission.TRANSFER,
    COPY: Permission.TRANSFER | Permission.COPY,
    CONTENTS: 0,
}


def purchase_refusal(actor: Actor, root: Prim, kind: int, price: int) -> Refused | None:
    """Why the actor may not buy an object on these terms, as it was shown them."""
    if root.leaving:
        return Refused(may.LEAVING, "object is crossing")
    if root.owner_id == actor.agent_id:
        return Refused(YOURS, "own")
    if root.sale_type not in (ORIGINAL, COPY, CONTENTS):
        return Refused(NOT_FOR_SALE, "not for sale")
    if (root.sale_type, root.sale_price) != (kind, price):
        return Refused(OTHER_OFFER, "other offer")
    if kind == CONTENTS:
        if not root.contents:
            return Refused(EMPTY, "empty")
        return transfer_refusal(root.contents, root, actor.agent_id)
    held = [part.permissions.owner for part in root.linkset()]
    held += [item.permissions.owner for part in root.linkset() for item in part.contents]
    needed = PASSED_ON[kind]
    return None if all(owner & needed == needed for owner in held) else Refused(NOT_TO_PASS_ON, "no transfer")


def buy_original(region: Region, actor: Actor, root: Prim) -> Refused | None:
    """The object is the buyer's from now on, where it stands, with what its owner left to a next owner."""
    return hand_over(region, Actor(actor.agent_id, region=True), root, actor.agent_id)


def land_refusal(actor: Actor, parcel: Parcel, price: int, area: int) -> Refused | None:
    """Why the actor may not buy a parcel on these terms."""
    if parcel.owner_id == actor.agent_id:
        return Refused(YOURS, "own")
    if not parcel.flags & FOR_SALE or parcel.owner_id == NULL:
        return Refused(LAND_NOT_FOR_SALE, "not for sale")
    if parcel.buyer_id not in (NULL, actor.agent_id):
        return Refused(NOT_FOR_YOU, "not for you")
    if (parcel.sale_price, parcel.area) != (price, area):
        return Refused(OTHER_OFFER, "other offer")
    return None


def buy_land(region: Region, actor: Actor, parcel: Parcel) -> None:
    """The parcel is the buyer's from now on, and not for sale any more."""
    parcel.owner_id, parcel.claimed = actor.agent_id, int(region.clock.unix())
    parcel.flags &= ~FOR_SALE
    parcel.sale_price, parcel.buyer_id = 0, NULL
    region.world.changes.parcels.note(parcel, What.OWNER | What.SETTINGS, actor.agent_id)

