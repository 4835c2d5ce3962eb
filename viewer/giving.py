"""Giving things away, and what is offered to us."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from protocol.inventory import Item
from protocol.wellknown import AssetType

from .circuits import Circuits
from .items import Folder
from .social import InstantMessage, Social

OFFERED, ACCEPTED, DECLINED = 4, 5, 6
OFFERED_BY_OBJECT, ACCEPTED_OF_OBJECT, DECLINED_OF_OBJECT = 9, 10, 11
_MOST_OFFERS = 1000  # that wait; the oldest are forgotten, and lie in the inventory all the same


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that was given to us, and lies in our inventory already. ``kind``: its asset type, 8 for a folder."""

    id: UUID
    from_id: UUID  # of an object: its owner
    from_name: str
    text: str
    kind: int
    thing_id: UUID | None  # our item or folder; objects do not say
    by_object: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of something we offered."""

    id: UUID
    from_id: UUID
    accepted: bool


class Giving:
    """Events ``offer``, ``offer-answered``; and the answers."""

    def __init__(self, circuits: Circuits, social: Social) -> None:
        self._circuits = circuits
        self._social = social
        self._offers: OrderedDict[UUID, Offer] = OrderedDict()
        circuits.events.subscribe("im", self._heard)

    @property
    def offers(self) -> Mapping[UUID, Offer]:
        """What was offered to us and not answered yet, by the offer's id, oldest first."""
        return self._offers

    def give(self, to: UUID, thing: Item | Folder) -> UUID:
        """Give an item, or a folder with all it holds, to somebody anywhere in the grid; the id of the offer.

        Of what may be copied they get a copy. ``item-gone`` tells of what left us, an ``alert`` of what may not be given, and
        ``offer-answered`` what they said.
        """
        offer_id = uuid4()
        kind, thing_id = (AssetType.FOLDER, thing.folder_id) if isinstance(thing, Folder) else (thing.asset_type, thing.item_id)
        self._social.im(to, thing.name, OFFERED, offer_id, bytes([int(kind) & 0xFF]) + thing_id.bytes)
        return offer_id

    def accept(self, offer: Offer, folder: UUID | Folder | None = None) -> None:
        """Keep what was offered, in that folder if one is named; an ``item`` or ``folder`` event tells where it is then."""
        where = folder.folder_id if isinstance(folder, Folder) else folder
        self._answer(offer, ACCEPTED_OF_OBJECT if offer.by_object else ACCEPTED, where.bytes if where is not None else b"")

    def decline(self, offer: Offer) -> None:
        """Do not keep it: it goes into the trash, or back to the giver where there is one of it."""
        self._answer(offer, DECLINED_OF_OBJECT if offer.by_object else DECLINED, b"")

    def _answer(self, offer: Offer, dialog: int, bucket: bytes) -> None:
        self._offers.pop(offer.id, None)
        self._social.im(offer.from_id, "", dialog, offer.id, bucket)

    def _heard(self, message: InstantMessage) -> None:
        if message.dialog in (OFFERED, OFFERED_BY_OBJECT) and message.bucket:
            thing_id = UUID(bytes=message.bucket[1:17]) if len(message.bucket) >= 17 else None
            offer = Offer(
                message.id, message.from_id, message.from_name, message.text, message.bucket[0], thing_id,
                message.dialog == OFFERED_BY_OBJECT,
            )  # fmt: skip
            self._offers[offer.id] = offer
            while len(self._offers) > _MOST_OFFERS:
                self._offers.popitem(last=False)
            self._circuits.events.emit("offer", offer)
        elif message.dialog in (ACCEPTED, DECLINED):
            answer = Answer(message.id, message.from_id, message.dialog == ACCEPTED)
            self._circuits.events.emit("offer-answered", answer)
