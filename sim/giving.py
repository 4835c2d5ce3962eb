"""What objects give to people: out of the contents, into the receiver's inventory, wherever that person is.

    given = await giving.give(script_of(prim), prim, [item_id], receiver)             the gift, or a Refused
    given = await giving.give(actor, prim, item_ids, receiver, folder="Clothes")      several, in a folder of that name
    inside = give.into(region, script_of(prim), prim, item_id, other_prim)            into another object: an action, at once

What cannot be copied is out of the contents, and written down, before Backbone is asked, and in them again when it refuses
(`storage/transit.py`, GIVE). The gift has an id: Backbone is asked again while it is silent, after a crash too, and gives once.
The receiver is told by an offer (instant message 9) that may be accepted or declined, unless it asked for the things itself
(`offer=False`: a purchase).
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4, uuid5

from assets.client import AssetClient, AssetError
from backbone.client import BackboneClient, BackboneError
from protocol.inventory import Item, item_from_json, item_to_json
from protocol.wellknown import NULL, AssetType
from sim.actions import give
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.moves import DISK_FULL
from sim.region import Region
from sim.storage.keeping import Storage
from sim.storage.transit import GIVE, Transit
from sim.world.objects import Prim

log = logging.getLogger(__name__)

OFFERED_BY_OBJECT = 9
NOT_ANSWERING = "Nothing was given: the grid's services are not answering. Please try again."
MAY_ARRIVE = "The grid's services are not answering. What was given is on its way, and arrives when they do."
STORE_SILENT = "Nothing was given: the asset store is not answering. Please try again."
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between two tries
PATIENCE = 5.0  # seconds that who gives waits; after that it goes on by itself


def bucket_shown(dialog: int, bucket: bytes) -> bytes:
    """What viewers read of an instant message's bucket: of an object's offer, the kind of thing alone."""
    return bucket[:1] if dialog == OFFERED_BY_OBJECT else bucket


@dataclass(frozen=True, slots=True)
class Given:
    """A gift that has arrived in the receiver's inventory: an item there, or a folder (`kind` 8)."""

    gift_id: UUID
    kind: int
    thing_id: UUID
    name: str

    @property
    def bucket(self) -> bytes:
        """As instant messages name it."""
        return bytes([self.kind & 0xFF]) + self.thing_id.bytes

    @classmethod
    def of(cls, told: dict[str, Any]) -> Given:
        return cls(UUID(told["gift_id"]), int(told["kind"]), UUID(told["thing_id"]), str(told["name"]))


@dataclass(frozen=True, slots=True)
class _Gift:
    """What an object gives. `items`: as the receiver will own them; `gone`: those that left the contents, as they were."""

    giver: UUID
    receiver: UUID
    prim_id: UUID
    items: tuple[Item, ...]
    gone: tuple[Item, ...]
    name: str | None  # of the folder they come in
    offer: bool

    def things(self) -> dict[str, Any]:
        """As Backbone takes them."""
        return {"name": self.name, "items": [item_to_json(item) for item in self.items]}

    def facts(self) -> dict[str, Any]:
        """As the region's store keeps them."""
        return {
            "giver": str(self.giver), "receiver": str(self.receiver), "prim": str(self.prim_id), "name": self.name, "offer": self.offer,
            "items": [item_to_json(item) for item in self.items], "gone": [item_to_json(item) for item in self.gone],
        }  # fmt: skip

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> _Gift:
        items, gone = (tuple(item_from_json(one) for one in facts[name]) for name in ("items", "gone"))
        return cls(UUID(facts["giver"]), UUID(facts["receiver"]), UUID(facts["prim"]), items, gone, facts["name"], facts["offer"])


class Giving:
    def __init__(
        self,
        region: Region,
        storage: Storage,
        backbone: BackboneClient,
        assets: AssetClient,
        source_of: Callable[[Prim, UUID], str | None],
        left: Callable[[Prim, UUID], object],
    ) -> None:
        """`source_of`: the text of a script that has no asset yet; `left`: an item has left a prim, and its script ends."""
        self._region = region
        self._storage = storage
        self._backbone, self._assets = backbone, assets
        self._source_of = source_of
        self._left = left
        self.post: Callable[[dict[str, Any]], object] = lambda message: None  # an instant message to anybody

    async def give(
        self, actor: Actor, prim: Prim, item_ids: Sequence[UUID], receiver: UUID, folder: str | None = None, offer: bool = True
    ) -> Given | Refused:
        """Give things of the prim's to a person: all or none. With `folder` they come in one of that name.

        Refused also where the services have been silent for so long that nobody should wait; the words say that it goes on.
        """
        if self._storage.trouble:
            return Refused(DISK_FULL, "disk")
        missing = await self._stored(prim, item_ids)
        if missing is not None:
            return missing
        handout = give.hand_out(self._region, actor, prim, item_ids, receiver)
        if isinstance(handout, Refused):
            return handout
        for item in handout.gone:
            self._left(prim, item.item_id)
        gift = _Gift(handout.giver, receiver, prim.full_id, handout.items, handout.gone, folder if folder or len(handout.items) == 1 else prim.name, offer)
        gift_id = uuid4()
        if handout.gone:
            self._storage.note(gift_id, Transit(GIVE, self._region.clock.unix(), gift.facts()))
            if not await self._storage.durable():
                await self._stay(gift_id, gift)
                return Refused(DISK_FULL, "disk")
        work = self._region.tasks.spawn(self._pursue(gift_id, gift), "gift")
        done, _ = await asyncio.wait([work], timeout=PATIENCE)
        return work.result() if done else Refused(MAY_ARRIVE, "silent")

    async def recover(self) -> None:
        """Finish what was open when the region ended. Once, when the region has its claim."""
        for gift_id, transit in list(self._storage.transits.items()):
            if transit.kind == GIVE:
                self._region.tasks.spawn(self._pursue(gift_id, _Gift.read(transit.facts)), "gift")

    async def _pursue(self, gift_id: UUID, gift: _Gift) -> Given | Refused:
        """Until Backbone has said yes or no; what has left no object is not asked for again."""
        try:
            given = await self._make(gift_id, gift.giver, gift.receiver, gift.things(), bool(gift.gone))
        except BackboneError as error:
            if gift.gone:
                await self._stay(gift_id, gift)
            refused = 400 <= error.status < 500
            return Refused(f"Not given: {error.description or error.title}." if refused else NOT_ANSWERING, "inventory")
        self._storage.note(gift_id, None)
        self._region.metrics.count("gifts", label="object")
        if gift.offer:
            self.post(self._offer(gift, given))
        return given

    async def _make(self, gift_id: UUID, giver: UUID, receiver: UUID, things: dict[str, Any], until_heard: bool) -> Given:
        pause = FIRST_PAUSE
        while True:
            try:
                return Given.of(await self._backbone.give(giver, gift_id, receiver, things=things))
            except BackboneError as error:
                if 400 <= error.status < 500:
                    raise
                self._region.metrics.count("service_errors", label="backbone")
                if not until_heard:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _stay(self, gift_id: UUID, gift: _Gift) -> None:
        """Nobody has it: it is in the object again, or its owner's where that has gone meanwhile."""
        prim = self._region.world.objects.by_id.get(gift.prim_id)
        if prim is not None:
            give.take_back(self._region, Actor(gift.giver, region=True), prim, gift.gone)
        elif gift.gone:
            things = {"name": gift.name or "Returned", "items": [item_to_json(item) for item in gift.gone]}
            try:
                await self._make(uuid5(gift_id, "back"), gift.giver, gift.giver, things, True)
            except BackboneError as error:  # it stays written down, and is tried again at the next start
                log.error("gift %s: %d things are neither given nor back: %s", gift_id, len(gift.gone), error)
                return
        self._storage.note(gift_id, None)
        await self._storage.durable()

    def _offer(self, gift: _Gift, given: Given) -> dict[str, Any]:
        """The instant message that offers it: from the owner, by the object's name, with what it is behind."""
        region = self._region
        prim = region.world.objects.by_id.get(gift.prim_id)
        place = region.world.objects.world_place(prim)[0] if prim is not None else (0.0, 0.0, 0.0)
        return {
            "message_id": str(uuid5(given.gift_id, "offer")),  # told again after a crash, it is the same
            "from_agent_id": str(gift.giver),
            "from_name": prim.name if prim is not None and prim.name else "Object",
            "to_agent_id": str(gift.receiver),
            "dialog": OFFERED_BY_OBJECT,
            "id": str(given.gift_id),
            "message": f"'{given.name}'  ( {region.facts.name} )",
            "binary_bucket": base64.b64encode(given.bucket).decode(),
            "region_id": str(region.facts.region_id),
            "position": list(place),
            "timestamp": int(region.clock.unix()),
            "from_group": False,
            "parent_estate_id": 1,
        }

    async def _stored(self, prim: Prim, item_ids: Sequence[UUID]) -> Refused | None:
        """A script that a scene brought has no asset until it goes somewhere else."""
        assets = self._assets
        for item in [item for item in prim.contents if item.item_id in item_ids and item.is_script and item.asset_id == NULL]:
            source = self._source_of(prim, item.item_id)
            asset_id = uuid4()
            try:
                if source is None:
                    continue
                await assets.put(asset_id, source.encode(), AssetType.LSL_TEXT)
            except AssetError:
                self._region.metrics.count("service_errors", label="assets")
                return Refused(STORE_SILENT, "assets")
            self._set_asset(prim, item, asset_id)
        return None

    @staticmethod
    def _set_asset(prim: Prim, item: Item, asset_id: UUID) -> None:
        if item in prim.contents:  # it may have changed while the store was asked
            prim.contents[prim.contents.index(item)] = replace(item, asset_id=asset_id)
