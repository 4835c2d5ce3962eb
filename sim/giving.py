"""What objects give to people: out of the contents, into the receiver's inventory, wherever that person is.

    given = await giving.give(script_of(prim), prim, [item_id], receiver)             the gift, or a Refused
    given = await giving.give(actor, prim, item_ids, receiver, folder="Clothes")      several, in a folder of that name
    inside = give.into(region, script_of(prim), prim, item_id, other_prim)            into another object: an action, at once

What cannot be copied is out of the contents before Backbone is asked, and in them again when it refuses. The gift has an id:
Backbone is asked again while it is silent, and gives once. The receiver is told by an offer (instant message 9) that may be
accepted or declined, unless it asked for the things itself (`offer=False`: a purchase).
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from assets.client import AssetClient, AssetError
from backbone.client import BackboneClient, BackboneError
from protocol.inventory import Item, item_to_json
from protocol.wellknown import NULL, AssetType
from sim.actions import give
from sim.actions.give import Handout
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.region import Region
from sim.world.objects import Prim

log = logging.getLogger(__name__)

OFFERED_BY_OBJECT = 9
NOT_ANSWERING = "Nothing was given: the grid's services are not answering. Please try again."
MAY_ARRIVE = "The grid's services are not answering. What was given is on its way, and arrives when they do."
STORE_SILENT = "Nothing was given: the asset store is not answering. Please try again."
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between two tries
TRIES_AWAITED = 3  # for which who gives waits; after these it goes on by itself


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


class Giving:
    def __init__(
        self,
        region: Region,
        backbone: BackboneClient,
        assets: AssetClient,
        source_of: Callable[[Prim, UUID], str | None],
        left: Callable[[Prim, UUID], object],
        durable: Callable[[], Any],
    ) -> None:
        """`source_of`: the text of a script that has no asset yet; `left`: an item has left a prim, and its script ends;
        `durable`: awaited until the region's store has what changed."""
        self._region = region
        self._backbone, self._assets = backbone, assets
        self._source_of = source_of
        self._left = left
        self._durable = durable
        self.post: Callable[[dict[str, Any]], object] = lambda message: None  # an instant message to anybody

    async def give(
        self, actor: Actor, prim: Prim, item_ids: Sequence[UUID], receiver: UUID, folder: str | None = None, offer: bool = True
    ) -> Given | Refused:
        """Give things of the prim's to a person: all or none. With `folder` they come in one of that name.

        Refused also where the services have been silent for so long that nobody should wait; the words say that it goes on.
        """
        missing = await self._stored(prim, item_ids)
        if missing is not None:
            return missing
        handout = give.hand_out(self._region, actor, prim, item_ids, receiver)
        if isinstance(handout, Refused):
            return handout
        for item in handout.gone:
            self._left(prim, item.item_id)
        things = {"name": folder if folder or len(handout.items) == 1 else prim.name, "items": [item_to_json(item) for item in handout.items]}
        work = self._region.tasks.spawn(self._pursue(uuid4(), actor, handout, things, offer), "gift")
        patience = FIRST_PAUSE * 2**TRIES_AWAITED
        done, _ = await asyncio.wait([work], timeout=patience)
        return work.result() if done else Refused(MAY_ARRIVE, "silent")

    async def _pursue(self, gift_id: UUID, actor: Actor, handout: Handout, things: dict[str, Any], offer: bool) -> Given | Refused:
        """Until Backbone has said yes or no. Where it was never heard and nothing has left the object, silence is a no."""
        backbone = self._backbone
        pause = FIRST_PAUSE
        while True:
            try:
                told = await backbone.give(handout.giver, gift_id, handout.receiver, things=things)
                break
            except BackboneError as error:
                if 400 <= error.status < 500:
                    return await self._undone(actor, handout, error)
                self._region.metrics.count("service_errors", label="backbone")
                if not handout.gone:
                    return Refused(NOT_ANSWERING, "inventory")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        given = Given.of(told)
        if handout.gone:
            await self._durable()
        self._region.metrics.count("gifts", label="object")
        if offer:
            self.post(self._offer(handout, given))
        return given

    async def _undone(self, actor: Actor, handout: Handout, error: BackboneError) -> Refused:
        give.take_back(self._region, actor, handout)
        if handout.gone:
            await self._durable()
        return Refused(f"Not given: {error.description or error.title}.", "inventory")

    def _offer(self, handout: Handout, given: Given) -> dict[str, Any]:
        """The instant message that offers it: from the owner, by the object's name, with what it is behind."""
        prim, region = handout.prim, self._region
        place = region.world.objects.world_place(prim)[0] if prim.row >= 0 else (0.0, 0.0, 0.0)
        return {
            "message_id": str(uuid4()),
            "from_agent_id": str(handout.giver),
            "from_name": prim.name or "Object",
            "to_agent_id": str(handout.receiver),
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
