"""Inventory by capability: viewers read folders and items here. Backbone keeps them.

A folder's `version` goes up with every change of its direct content and is what a viewer's cache goes by: it is passed
on as Backbone gives it. Folders of other people are never asked for: an agent has its own inventory and the library.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backbone.client import BackboneError
from protocol.wellknown import LIBRARY_OWNER, NULL
from sim.caps import CapRequest, Refused, as_uuid, capability
from sim.handlers.replies import ask, turn
from sim.handlers.transfers import shown_asset

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

FOLDERS_LIMIT = 200  # a request; viewers ask for some tens at once
ITEMS_LIMIT = 1000
NAME_LIMIT = 255

_OUT_OF_REACH = "the grid's inventory service is not answering"


# --- folders


@capability("FetchInventoryDescendents2")
async def fetch_inventory_descendents(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """Contents of the agent's own folders; the library's too, since some clients ask for both here."""
    return await _fetch_folders(sim, agent, request, {agent.agent_id, LIBRARY_OWNER}, agent.agent_id)


@capability("FetchLibDescendents2")
async def fetch_library_descendents(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    return await _fetch_folders(sim, agent, request, {LIBRARY_OWNER}, LIBRARY_OWNER)


async def _fetch_folders(
    sim: Parts, agent: Agent, request: CapRequest, allowed: set[UUID], default_owner: UUID
) -> dict[str, Any]:
    asked = request.llsd(dict).get("folders")
    if not isinstance(asked, list):
        raise Refused(400, "folders must be a list")
    if len(asked) > FOLDERS_LIMIT:
        raise Refused(413, f"at most {FOLDERS_LIMIT} folders a request")
    folders: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    wanted: dict[UUID, list[dict[str, Any]]] = {}
    for entry in asked:
        if not isinstance(entry, dict):
            raise Refused(400, "a folder must be a map")
        folder_id = as_uuid(entry.get("folder_id"))
        owner = as_uuid(entry.get("owner_id") or default_owner)
        owner = default_owner if owner == NULL else owner
        if owner not in allowed:
            bad.append({"folder_id": folder_id, "error": "not yours"})
            continue
        one = {
            "folder_id": str(folder_id),
            "fetch_folders": bool(entry.get("fetch_folders", True)),
            "fetch_items": bool(entry.get("fetch_items", True)),
        }
        wanted.setdefault(owner, []).append(one)
    for owner, entries in wanted.items():
        await _changes_done(agent)
        answer = await ask(sim, sim.backbone.fetch_folders(owner, entries))
        if isinstance(answer, BackboneError):
            raise Refused(503, _OUT_OF_REACH)
        folders += [folder_llsd(folder, agent.agent_id) for folder in answer["folders"]]
        bad += [{"folder_id": UUID(folder_id), "error": "no such folder"} for folder_id in answer["bad_folders"]]
    return {"folders": folders, "bad_folders": bad}


async def _changes_done(agent: Agent) -> None:
    """Wait for the changes this viewer has asked for, so that what it reads next holds them."""
    async with turn(agent, "inventory"):
        pass


def folder_llsd(folder: dict[str, Any], agent_id: UUID) -> dict[str, Any]:
    """A folder with its content in the shape of FetchInventoryDescendents2."""
    return {
        "folder_id": UUID(folder["folder_id"]),
        "agent_id": agent_id,
        "owner_id": UUID(folder["owner_id"]),
        "version": folder["version"],
        "descendents": folder["descendents"],
        "categories": [category_llsd(category, agent_id) for category in folder["categories"]],
        "items": [item_llsd(item, agent_id) for item in folder["items"]],
    }


def category_llsd(category: dict[str, Any], agent_id: UUID) -> dict[str, Any]:
    """A folder as content of another. Clients read its id and type under different names: all are there."""
    folder_id = UUID(category["folder_id"])
    kind = category["type"]
    return {
        "folder_id": folder_id,
        "category_id": folder_id,
        "agent_id": agent_id,
        "parent_id": UUID(category["parent_id"]),
        "name": category["name"],
        "type_default": kind,
        "type": kind,
        "preferred_type": kind,
        "version": category["version"],
    }


# --- items


@capability("FetchInventory2")
async def fetch_inventory(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    return await _fetch_items(sim, agent, request, agent.agent_id)


@capability("FetchLib2")
async def fetch_library(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    return await _fetch_items(sim, agent, request, LIBRARY_OWNER)


async def _fetch_items(sim: Parts, agent: Agent, request: CapRequest, owner: UUID) -> dict[str, Any]:
    asked = request.llsd(dict).get("items")
    if not isinstance(asked, list):
        raise Refused(400, "items must be a list")
    if len(asked) > ITEMS_LIMIT:
        raise Refused(413, f"at most {ITEMS_LIMIT} items a request")
    wanted = []
    for entry in asked:
        if not isinstance(entry, dict):
            raise Refused(400, "an item must be a map")
        wanted.append(as_uuid(entry.get("item_id")))
    await _changes_done(agent)
    items = await ask(sim, sim.backbone.fetch_items(owner, wanted)) if wanted else []
    if isinstance(items, BackboneError):
        raise Refused(503, _OUT_OF_REACH)
    return {"agent_id": agent.agent_id, "items": items_llsd(items, agent.agent_id)}


def items_llsd(items: Iterable[dict[str, Any]], agent_id: UUID) -> list[dict[str, Any]]:
    return [item_llsd(item, agent_id) for item in items]


def item_llsd(item: dict[str, Any], agent_id: UUID) -> dict[str, Any]:
    """An item of Backbone in the shape viewers read."""
    return {
        "item_id": UUID(item["item_id"]),
        "parent_id": UUID(item["parent_id"]),
        "asset_id": shown_asset(item),
        "agent_id": agent_id,
        "name": item["name"],
        "desc": item["desc"],
        "type": item["type"],
        "inv_type": item["inv_type"],
        "flags": signed(item["flags"]),
        "created_at": item["created_at"],
        "permissions": {
            "creator_id": UUID(item["creator_id"]),
            "owner_id": UUID(item["owner_id"]),
            "last_owner_id": UUID(item["last_owner_id"]),
            "group_id": UUID(item["group_id"]),
            "is_owner_group": bool(item["is_owner_group"]),
            "base_mask": signed(item["base_mask"]),
            "owner_mask": signed(item["owner_mask"]),
            "group_mask": signed(item["group_mask"]),
            "everyone_mask": signed(item["everyone_mask"]),
            "next_owner_mask": signed(item["next_owner_mask"]),
        },
        "sale_info": {"sale_price": item["sale_price"], "sale_type": item["sale_type"]},
    }


def signed(mask: int) -> int:
    """A U32 as the signed integer of the same bits: LLSD integers have no other."""
    return mask - (1 << 32) if mask >= 1 << 31 else mask


# --- making a folder


@capability("CreateInventoryCategory", per_second=5, burst=50)
async def create_inventory_category(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    body = request.llsd(dict)
    folder_id, parent_id = as_uuid(body.get("folder_id")), as_uuid(body.get("parent_id"))
    kind, name = body.get("type", -1), body.get("name")
    if not isinstance(kind, int) or not -1 <= kind <= 127 or not isinstance(name, str) or not name:
        raise Refused(400, "a folder needs a name and a type")
    name = name[:NAME_LIMIT]
    async with turn(agent, "inventory"):
        made = await ask(sim, sim.backbone.create_folder(agent.agent_id, folder_id, parent_id, name, kind))
    if isinstance(made, BackboneError):
        if 400 <= made.status < 500:
            raise Refused(made.status, made.title)
        raise Refused(503, _OUT_OF_REACH)
    return {"folder_id": folder_id, "parent_id": parent_id, "type": kind, "name": name}
