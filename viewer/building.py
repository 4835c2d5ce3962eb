"""Making and changing things, by the messages every building viewer sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from protocol.inventory import Item
from protocol.message import Message, text
from protocol.objects import PRIM, Edit, encode_edit
from protocol.shapes import Path, Profile, Shape, to_wire
from protocol.textures import TextureEntry, decode_texture_entry, encode_texture_entry
from protocol.wellknown import AssetType

from .circuits import Circuits
from .errors import MoveRefused
from .events import answered, answered_unless_alerted
from .model import Entity, Quaternion, Vector
from .regions import Region

_UPRIGHT = (0.0, 0.0, 0.0, 1.0)
_CREATE_SELECTED = 0x2
_WOOD = 3
_TAKE_COPY, _TAKE, _TRASH = 1, 4, 6  # where DeRezObject puts things
_NOBODY = UUID(int=0)

FORMS = {
    "box": Shape(),
    "cylinder": Shape(profile=Profile.CIRCLE),
    "prism": Shape(profile=Profile.EQUILATERAL),
    "sphere": Shape(path=Path.CIRCLE, profile=Profile.HALF_CIRCLE),
    "torus": Shape(path=Path.CIRCLE, profile=Profile.CIRCLE, path_scale_y=0.25),
    "tube": Shape(path=Path.CIRCLE, profile=Profile.SQUARE, path_scale_y=0.25),
    "ring": Shape(path=Path.CIRCLE, profile=Profile.EQUILATERAL, path_scale_y=0.25),
}
"""What every viewer's palette begins with, by name."""


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
        """A new box of ours; as ``make``."""
        return await self.make("box", position, scale, timeout=timeout)

    async def make(
        self, form: str, position: Vector, scale: Vector = (0.5, 0.5, 0.5), region: Region | None = None, timeout: float = 10.0
    ) -> Entity:
        """A new prim of ours, of a form in ``FORMS``; as we are shown it.

        ``position`` (metres in the region, by default the one we stand in) is the middle of its underside. ``WaitTimeout``
        when the region does not make it (the alert says why).
        """
        block: dict[str, Any] = {
            **to_wire(FORMS[form]), "PCode": PRIM, "Material": _WOOD, "AddFlags": _CREATE_SELECTED, "BypassRaycast": 1,
            "RayStart": position, "RayEnd": position, "Scale": scale, "Rotation": _UPRIGHT,
        }  # fmt: skip
        # Only the first update to the maker of a thing has this flag.
        made = self._circuits.events.expect("described", lambda entity: bool(entity.update_flags & _CREATE_SELECTED))
        agent = {**self._circuits.agent_block, "GroupID": _NOBODY}
        (region or self._circuits.root).send(Message("ObjectAdd", AgentData=agent, ObjectData=block))
        entity: Entity = await answered(made, timeout, f"our new {form}")
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
        self.edit(entity, position=position)

    def edit(
        self, entity: Entity, position: Vector | None = None, rotation: Quaternion | None = None, scale: Vector | None = None
    ) -> None:
        """Move, turn or stretch a thing with all that is linked to it; of one that is a linkset, ``scale`` is its root's, and
        the others keep their proportions to it."""
        kind, data = encode_edit(Edit(position, rotation, scale, True, scale is not None))
        self._tell(entity, "MultipleObjectUpdate", Type=kind, Data=data)

    def rename(self, entity: Entity, name: str | None = None, description: str | None = None) -> None:
        """Say what a thing is called, and what is to be known of it."""
        for kind, words in (("Name", name), ("Description", description)):
            if words is not None:
                block = {"LocalID": entity.local_id, kind: words}
                entity.region.send(Message(f"Object{kind}", AgentData=self._circuits.agent_block, ObjectData=[block]))

    def look(self, entity: Entity) -> TextureEntry:
        """How a thing's faces look, as we were shown it. ``ProtocolError`` when that cannot be read."""
        return decode_texture_entry(entity.texture_entry)

    def paint(self, entity: Entity, look: TextureEntry) -> None:
        """Have its faces look so."""
        self._tell(entity, "ObjectImage", MediaURL=b"", TextureEntry=encode_texture_entry(look))

    def behave(self, entity: Entity, physical: bool, phantom: bool, temporary: bool = False) -> None:
        """Whether a thing falls and is pushed, whether one goes through it, whether it vanishes after a minute."""
        agent = {
            **self._circuits.agent_block, "ObjectLocalID": entity.local_id, "UsePhysics": physical, "IsTemporary": temporary,
            "IsPhantom": phantom, "CastsShadows": False,
        }  # fmt: skip
        entity.region.send(Message("ObjectFlagUpdate", AgentData=agent, ExtraPhysics=[]))

    def duplicate(self, entities: Sequence[Entity], offset: Vector) -> None:
        """Copies of things of one region, so many metres from each."""
        agent = {**self._circuits.agent_block, "GroupID": _NOBODY}
        shared = {"Offset": offset, "DuplicateFlags": _CREATE_SELECTED}
        blocks = [{"ObjectLocalID": entity.local_id} for entity in entities]
        entities[0].region.send(Message("ObjectDuplicate", AgentData=agent, SharedData=shared, ObjectData=blocks))

    def link(self, root: Entity, *others: Entity) -> None:
        """Make one linkset of things of one region."""
        self._tell_all("ObjectLink", (root, *others))

    def unlink(self, *entities: Entity) -> None:
        """Take prims out of their linkset."""
        self._tell_all("ObjectDelink", entities)

    def delete(self, *entities: Entity) -> None:
        """Throw things of ours away."""
        for entity in entities:
            where = {"GroupID": _NOBODY, "Destination": _TRASH, "PacketCount": 1, "TransactionID": uuid4()}
            block = {"ObjectLocalID": entity.local_id}
            entity.region.send(
                Message("DeRezObject", AgentData=self._circuits.agent_block, AgentBlock=where, ObjectData=[block])
            )

    def _tell(self, entity: Entity, message: str, **fields: Any) -> None:
        block = {"ObjectLocalID": entity.local_id, **fields}
        entity.region.send(Message(message, AgentData=self._circuits.agent_block, ObjectData=[block]))

    def _tell_all(self, message: str, entities: Sequence[Entity]) -> None:
        blocks = [{"ObjectLocalID": entity.local_id} for entity in entities]
        entities[0].region.send(Message(message, AgentData=self._circuits.agent_block, ObjectData=blocks))
