"""Changes of the land: what parcels are called, allow and play; how high the ground is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from protocol.wellknown import REGION_SIZE
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.region import Region
from sim.world.agent import Vector
from sim.world.changes import What
from sim.world.encodable import cut
from sim.world.objects import MAX_HEIGHT
from sim.world.world import Parcel

NOT_YOURS = "Only its owner may change a parcel."
TEXTS = {"name": 63, "description": 255, "music_url": 255, "media_url": 255, "media_type": 63, "media_description": 255}  # bytes
NUMBERS = {
    "flags": 0xFFFFFFFF, "landing_type": 2, "category": 255, "sale_price": 0x7FFFFFFF, "media_width": 8192, "media_height": 8192,
    "media_auto_scale": 1, "media_loop": 1,
}  # highest


def may_edit(region: Region, actor: Actor, parcel: Parcel) -> bool:
    """Who owns the parcel or the region; land of nobody is nobody's to change."""
    return actor.region or actor.agent_id in (parcel.owner_id, region.facts.owner_id)


def change_parcel(region: Region, actor: Actor, parcel: Parcel, changes: Mapping[str, Any]) -> Refused | None:
    """Give fields of a parcel, by their names, other values; each is held to what fits."""
    if not may_edit(region, actor, parcel):
        return Refused(NOT_YOURS)
    changed = False
    for field, wish in changes.items():
        value = wish
        if field in TEXTS:
            value = cut(wish, TEXTS[field])
        elif field in NUMBERS:
            value = min(max(int(wish), 0), NUMBERS[field])
        elif field == "landing_position":
            value = inside(wish)
        elif field == "landing_look_at":
            value = tuple(part if math.isfinite(part) else 0.0 for part in wish)
        if getattr(parcel, field) != value:
            setattr(parcel, field, value)
            changed = True
    if changed:
        region.world.changes.parcels.note(parcel, What.SETTINGS, actor.agent_id)
    return None


def inside(position: Vector) -> Vector:
    """A position held to the region and to heights that can be built at."""
    limits = (float(REGION_SIZE), float(REGION_SIZE), MAX_HEIGHT)
    x, y, z = (min(max(part, 0.0), limit) if math.isfinite(part) else 0.0 for part, limit in zip(position, limits, strict=True))
    return x, y, z
