"""What an avatar wears, as its inventory says it.

The Current Outfit folder (type 46) holds links to the worn items; the low byte of an item's flags is its kind of
wearable. Backbone keeps all that; a region reads it once an arrival and when the viewer changes clothes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from backbone.client import BackboneError
from protocol.wellknown import DEFAULT_WEARABLES, AssetType, Folder, mainland_id
from sim.handlers.replies import ask

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

WORN_LIMIT = 60  # several layers a kind and 16 kinds; more do not fit a packet
KINDS = 17
WEARABLE_ASSETS = (AssetType.CLOTHING, AssetType.BODY_PART)

Worn = tuple[UUID, UUID, int]  # item, asset, kind


# What an avatar wears when its inventory cannot be read: the library's items, which every viewer knows.
DEFAULTS: list[Worn] = [
    (mainland_id(f"library/item/{kind.name.lower()}"), asset, int(kind)) for kind, asset in DEFAULT_WEARABLES.items()
]


async def load_wearables(sim: Parts, agent: Agent) -> None:
    """Read the Current Outfit into `agent.wearables`; left as it is when Backbone does not answer or it is empty."""
    if agent.wearables:
        return
    outfit = await ask(sim, _outfit(sim, agent.agent_id))
    if not isinstance(outfit, BackboneError) and outfit and not agent.wearables:
        agent.wearables = outfit


async def _outfit(sim: Parts, agent_id: UUID) -> list[Worn]:
    skeleton = await sim.backbone.get_inventory_skeleton(agent_id)
    folder = next((f["folder_id"] for f in skeleton["folders"] if f["type"] == Folder.CURRENT_OUTFIT), None)
    if folder is None:
        return []
    asked = {"folder_id": folder, "fetch_folders": False, "fetch_items": True}
    fetched = await sim.backbone.fetch_folders(agent_id, [asked])
    items: list[dict[str, Any]] = [item for found in fetched["folders"] for item in found["items"]]
    linked = [item["asset_id"] for item in items if item["type"] == AssetType.LINK][: 2 * WORN_LIMIT]
    if linked:
        items += await sim.backbone.fetch_items(agent_id, linked)
    return worn_items(items)


def worn_items(items: list[dict[str, Any]]) -> list[Worn]:
    """Clothes and body parts among inventory items, in the order of their kinds."""
    worn = {
        UUID(item["item_id"]): (UUID(item["item_id"]), UUID(item["asset_id"]), item["flags"] & 0xFF)
        for item in items
        if item["type"] in WEARABLE_ASSETS and item["flags"] & 0xFF < KINDS
    }
    return sorted(worn.values(), key=lambda entry: entry[2])[:WORN_LIMIT]


async def remember_worn(sim: Parts, agent: Agent, kinds: dict[UUID, int]) -> None:
    """The viewer says it wears these items now; only such as are the agent's own count."""
    items = await ask(sim, sim.backbone.fetch_items(agent.agent_id, list(kinds)[:WORN_LIMIT]))
    if isinstance(items, BackboneError):
        return
    worn = []
    for item in items:
        kind = kinds.get(UUID(item["item_id"]), KINDS)
        if item["type"] in WEARABLE_ASSETS and kind < KINDS:
            worn.append((UUID(item["item_id"]), UUID(item["asset_id"]), kind))
    if worn:
        agent.wearables = sorted(worn, key=lambda entry: entry[2])
