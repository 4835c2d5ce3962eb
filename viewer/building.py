"""Making and moving things: as little of it as bots, tests and benchmarks need."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from protocol.message import Message
from protocol.objects import BOX, PRIM, Edit, encode_edit

from .events import answered
from .model import Entity, Vector
from .movement import Movement

_UPRIGHT = (0.0, 0.0, 0.0, 1.0)
_CREATE_SELECTED = 0x2
_WOOD = 3


class Building(Movement):
    """Rezzing and dragging."""

    async def rez_box(self, position: Vector, scale: Vector = (0.5, 0.5, 0.5), timeout: float = 10.0) -> Entity:
        """A new box of ours, ``position`` (metres in the region) being the middle of its underside; as we are shown it.

        ``WaitTimeout`` when the region does not make it (the alert says why).
        """
        block: dict[str, Any] = {
            **BOX, "PCode": PRIM, "Material": _WOOD, "AddFlags": _CREATE_SELECTED, "BypassRaycast": 1, "RayStart": position,
            "RayEnd": position, "Scale": scale, "Rotation": _UPRIGHT,
        }  # fmt: skip
        # Only the first update to the maker of a thing has this flag.
        made = self.events.expect("described", lambda entity: bool(entity.update_flags & _CREATE_SELECTED))
        self.send(Message("ObjectAdd", AgentData={**self.agent_block, "GroupID": UUID(int=0)}, ObjectData=block))
        entity: Entity = await answered(made, timeout, "our new box")
        return entity

    def drag(self, entity: Entity, position: Vector) -> None:
        """Put a thing, with all that is linked to it, somewhere else; over a border too (0..256 are the region's)."""
        kind, data = encode_edit(Edit(position, None, None, True, False))
        block = {"ObjectLocalID": entity.local_id, "Type": kind, "Data": data}
        entity.region.send(Message("MultipleObjectUpdate", AgentData=self.agent_block, ObjectData=[block]))

    def delete(self, *entities: Entity) -> None:
        """Throw things of ours away."""
        for entity in entities:
            where = {"GroupID": UUID(int=0), "Destination": 6, "PacketCount": 1, "TransactionID": UUID(int=1)}
            block = {"ObjectLocalID": entity.local_id}
            entity.region.send(Message("DeRezObject", AgentData=self.agent_block, AgentBlock=where, ObjectData=[block]))

    def find(self, object_id: UUID) -> Entity | None:
        """The object as the region shows it that showed it last; None when none does."""
        region = self._shown_by.get(object_id)
        entities = region.entities.values() if region is not None else ()
        return next((entity for entity in entities if entity.id == object_id), None)
