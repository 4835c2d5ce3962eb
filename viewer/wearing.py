"""Wearing things: put on from the inventory, taken off into it again."""

from __future__ import annotations

from uuid import UUID

from protocol.attachment_points import ADD
from protocol.inventory import Item
from protocol.message import Message

from .circuits import Circuits
from .errors import MoveRefused
from .events import answered_unless_alerted
from .model import Entity


class Wearing:
    """What our avatar has on; ``Entity.attachments`` says what anybody has."""

    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits

    async def wear(self, item: Item, point: int = 0, replace: bool = False, timeout: float = 20.0) -> Entity:
        """Put on an object of the inventory at a point (1..55; 0: where it was last), beside what hangs there or, with
        ``replace``, in its place; its root as we are shown it. ``MoveRefused`` with the region's words, ``WaitTimeout``.
        """
        events = self._circuits.events
        shown = events.expect("described", lambda entity: entity.item_id == item.item_id and self._is_ours(entity))
        masks = {"ItemFlags": item.flags, "GroupMask": 0, "EveryoneMask": 0, "NextOwnerMask": 0}
        asked = {
            "ItemID": item.item_id, "OwnerID": self._circuits.agent_id, "AttachmentPt": point | (0 if replace else ADD), **masks,
            "Name": item.name, "Description": item.description,
        }  # fmt: skip
        self._circuits.send(Message("RezSingleAttachmentFromInv", AgentData=self._circuits.agent_block, ObjectData=asked))
        worn: Entity = await answered_unless_alerted(events, shown, timeout, f"{item.name} on us", MoveRefused)
        return worn

    async def take_off(self, worn: Entity | UUID, timeout: float = 20.0) -> None:
        """Take off what we wear, or the item of that id, into the inventory. ``MoveRefused``, ``WaitTimeout``."""
        item_id = worn.item_id if isinstance(worn, Entity) else worn
        if item_id is None:
            raise MoveRefused("that is nothing we wear")
        events = self._circuits.events
        gone = events.expect("object-gone", lambda entity: entity.item_id == item_id)
        self._circuits.send(
            Message("DetachAttachmentIntoInv", ObjectData={"AgentID": self._circuits.agent_id, "ItemID": item_id})
        )
        await answered_unless_alerted(events, gone, timeout, "what we wore gone", MoveRefused)

    @staticmethod
    def _is_ours(entity: Entity) -> bool:
        return entity.parent is not None and entity.parent.own
