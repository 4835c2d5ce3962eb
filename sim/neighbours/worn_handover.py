"""What a person wears, as it goes along when they are handed to another region: each thing's form, its scripts in the middle of
what they do, beside the item that it belongs to and the point that it hangs on."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from protocol.attachment_points import POINTS
from protocol.errors import ProtocolError
from sim.neighbours.reading import mapped, octets, uuid_of, whole
from sim.world.form import MOST_BYTES


@dataclass(frozen=True, slots=True)
class WornThing:
    item_id: UUID  # null: put on for a while, of no item
    point: int
    linkset: bytes  # its form (world/form.py), base64 on the way
    saved: bytes = b""  # a digest of what its item holds
    flags: int = -1  # what the item's are to be, -1: as they are

    @classmethod
    def decode(cls, value: Any) -> WornThing:
        """ProtocolError says what is wrong with it. The form is not read yet."""
        worn = mapped(value, 8, "a worn thing")
        point = whole(worn.get("point"), 1, 255, "point")
        if point not in POINTS:
            raise ProtocolError(f"{point} is no attachment point")
        return cls(
            uuid_of(worn.get("item_id"), "item_id"),
            point,
            octets(worn.get("object"), MOST_BYTES, "object"),
            octets(worn.get("saved", ""), 64, "saved"),
            whole(worn.get("flags", -1), -1, (1 << 32) - 1, "flags"),
        )

    def encode(self) -> dict[str, Any]:
        return {
            "item_id": str(self.item_id),
            "point": self.point,
            "object": base64.b64encode(self.linkset).decode(),
            "saved": base64.b64encode(self.saved).decode(),
            "flags": self.flags,
        }
