"""Making and moving things: as little of it as bots, tests and benchmarks need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from protocol.inventory import Item
from protocol.message import Message, text
from protocol.objects import BOX, PRIM, Edit, encode_edit
from protocol.wellknown import AssetType

from .circuits import Circuits
from .errors import MoveRefused
from .events import answered, answered_unless_alerted
from .model import Entity, Vector

_UPRIGHT = (0.0, 0.0, 0.0, 1.0)
_CREATE_SELECTED = 0x2
_WOOD = 3
_TAKE_COPY, _TAKE = 1, 4
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class About:
    """What a thing is called, and whose it is."""

    id: UUID
    name: str
    description: str
    owner_id: UUID


class Building:
    """Rezzing and dragging."""

    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits

    async def rez_box(self, position: Vector, scale: Vector = (0.5, 0.5, 0.5), timeout: float = 10.0) -> Entity:
        """A new box of ours, ``position`` (metres in the region) being the middle of its underside; as we are shown it.

        ``WaitTimeout`` when the region does not make it (the alert says why).
        """
        block: dict[str, Any] = {
            **BOX, "PCode": PRIM, "Material": _WOOD, "AddFlags": _CREATE_SELECTED, "BypassRaycast": 1, "RayStart": position,
            "RayEnd": position, "Scale": scale, "Rotation": _UPRIGHT,
        }  # fmt: skip
        # Only the first update to the maker of a thing has this flag.
        made = self._circuits.events.expect("described", lambda entity: bool(entity.update_flags & _CREATE_SELECTED))
        self._circuits.send(
            Message("ObjectAdd", AgentData={**self._circuits.agent_block, "GroupID": UUID(int=0)}, ObjectData=block)
        )
        entity: Entity = await answered(made, timeout, "our new box")
        return entity

    async def take(self, entity: Entity, folder: UUID | None = None, copy: bool = False, timeout: float = 20.0) -> Item:
        """Take a thing, with all that is linked to it, into the inventory (the folder for objects unless another is named);
        with ``copy`` it stays, too. The item as we have it then. ``MoveRefused`` with the region's words, ``WaitTimeout``.
        """
        transaction, events = uuid4(), self._circuits.events
        came: list[Item] = []
        stop = events.subscribe("item", lambda item: came.append(item) if item.asset_type == AssetType.OBJECT else None)
        done = events.expect("DeRezAck", lambda heard: heard["TransactionData"]["TransactionID"] == transaction)
        where = {
            "GroupID": _NOBODY, "Destination": _TAKE_COPY if copy else _TAKE, "DestinationID": folder or _NOBODY,
            "TransactionID": transaction, "PacketCount": 1,
        }  # fmt: skip
        try:
            entity.region.send(
                Message(
                    "DeRezObject",
                    AgentData=self._circuits.agent_block,
                    AgentBlock=where,
                    ObjectData=[{"ObjectLocalID": entity.local_id}],
                )
            )
            ack = await answered(done, timeout, "DeRezAck")
            if not ack["TransactionData"]["Success"] or not came:
                raise MoveRefused("the region did not take it; its alert says why")
            return came[-1]
        finally:
            stop()

    async def rez(self, item: Item, at: Vector, timeout: float = 20.0) -> Entity:
        """Put an object of the inventory into the region, the middle of its underside at ``at`` (metres); as we are shown it.

        ``MoveRefused`` with the region's words, ``WaitTimeout`` without any.
        """
        made = self._circuits.events.expect("described", lambda entity: bool(entity.update_flags & _CREATE_SELECTED))
        how = {"BypassRaycast": 1, "RayStart": at, "RayEnd": at, "RezSelected": True}
        named = {"ItemID": item.item_id, "FolderID": item.folder_id, "Type": item.asset_type, "Name": item.name}
        self._circuits.send(
            Message(
                "RezObject",
                AgentData={**self._circuits.agent_block, "GroupID": _NOBODY},
                RezData=how,
                InventoryData=named,
            )
        )
        entity: Entity = await answered_unless_alerted(self._circuits.events, made, timeout, "our object", MoveRefused)
        return entity

    async def about(self, entity: Entity, timeout: float = 10.0) -> About:
        """Name, description and owner of a thing. ``WaitTimeout`` when its region does not know it any more."""
        reply = self._circuits.events.expect(
            "ObjectPropertiesFamily", lambda heard: heard["ObjectData"]["ObjectID"] == entity.id
        )
        asked = {"RequestFlags": 0, "ObjectID": entity.id}
        entity.region.send(Message("RequestObjectPropertiesFamily", AgentData=self._circuits.agent_block, ObjectData=asked))
        d = (await answered(reply, timeout, "ObjectPropertiesFamily"))["ObjectData"]
        return About(entity.id, text(d["Name"]), text(d["Description"]), d["OwnerID"])

    def drag(self, entity: Entity, position: Vector) -> None:
        """Put a thing, with all that is linked to it, somewhere else; over a border too (0..256 are the region's)."""
        kind, data = encode_edit(Edit(position, None, None, True, False))
        block = {"ObjectLocalID": entity.local_id, "Type": kind, "Data": data}
        entity.region.send(Message("MultipleObjectUpdate", AgentData=self._circuits.agent_block, ObjectData=[block]))

    def delete(self, *entities: Entity) -> None:
        """Throw things of ours away."""
        for entity in entities:
            where = {"GroupID": UUID(int=0), "Destination": 6, "PacketCount": 1, "TransactionID": UUID(int=1)}
            block = {"ObjectLocalID": entity.local_id}
            entity.region.send(
                Message("DeRezObject", AgentData=self._circuits.agent_block, AgentBlock=where, ObjectData=[block])
            )
