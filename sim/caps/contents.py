"""Contents of objects by capability, and saving of scripts and notecards in two steps.

    POST UpdateScriptTask {task_id, item_id, is_script_running}   -> {state "upload", uploader}
    POST uploader, the text as it is                              -> {state "complete", new_asset, compiled, errors}

The text is stored as a new asset, and the item stands for it from then on, whether it compiles or not: what somebody wrote is
kept. Only a script that compiles replaces the one that runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from aiohttp import web

from assets.client import AssetError
from backbone.client import BackboneError
from protocol.inventory import ASSET_NAMES, INVENTORY_NAMES, SALE_NAMES, Item
from protocol.wellknown import AssetType, Permission
from sim.actions import contents
from sim.actions.may import actor_of
from sim.actions.outcome import Refused as NotDone
from sim.caps import Capability, CapRequest, Refused, as_uuid, capability
from sim.caps.inventory import signed
from sim.handlers.contents import ORDER, own_item, shown_asset, told_selectors
from sim.handlers.replies import turn
from sim.moves import DISK_FULL
from sim.world.agent import Agent
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.parts import Parts

TEXT_LIMIT = 64 << 10  # bytes of a script or notecard
STORE_SILENT = "The asset store is not answering. Please try again."
INVENTORY_SILENT = "The grid's inventory service is not answering. Please try again."


@capability("RequestTaskInventory", "GET")
async def request_task_inventory(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """The items of an object; 304 where the viewer holds them as they are."""
    prim = sim.world.objects.by_id.get(as_uuid(request.query.get("task_id")))
    if prim is None:
        raise Refused(404, "that object is not in this region")
    async with turn(agent, ORDER):
        pass
    if request.query.get("inventory_serial") == str(prim.inventory_serial):
        return web.Response(status=304)
    items = [_item_llsd(agent, prim, item) for item in prim.contents]
    return {"inventory_serial": prim.inventory_serial, "contents": items}


def _item_llsd(agent: Agent, prim: Prim, item: Item) -> dict[str, Any]:
    masks = item.permissions
    return {
        "item_id": item.item_id,
        "parent_id": prim.full_id,
        "asset_id": shown_asset(agent, prim, item),
        "name": item.name,
        "desc": item.description,
        "type": ASSET_NAMES.get(item.asset_type, "texture"),
        "inv_type": INVENTORY_NAMES.get(item.inventory_type, "texture"),
        "flags": signed(item.flags),
        "created_at": item.created,
        "permissions": {
            "creator_id": item.creator_id,
            "owner_id": item.owner_id,
            "last_owner_id": item.last_owner_id,
            "group_id": item.group_id,
            "is_owner_group": False,
            "base_mask": signed(masks.base),
            "owner_mask": signed(masks.owner),
            "group_mask": signed(masks.group),
            "everyone_mask": signed(masks.everyone),
            "next_owner_mask": signed(masks.next_owner),
        },
        "sale_info": {"sale_type": SALE_NAMES[min(item.sale_type, 3)], "sale_price": item.sale_price},
    }


# --- saving, in an object


Saving = Callable[[UUID, bytes], Awaitable[dict[str, Any]]]


@capability("UpdateScriptTask", per_second=5, burst=50)
async def update_script_task(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    body = request.llsd(dict)
    prim, item = _chosen(sim, agent, body)
    if isinstance(item, NotDone):
        return _error(item.words or contents.NO_MODIFY_ITEM, item.why)
    save = partial(_save_script_task, sim, agent, prim, item.item_id, bool(body.get("is_script_running", True)))
    return _upload(sim, agent, "UpdateScriptTask", AssetType.LSL_TEXT, save)


@capability("UpdateScriptTaskInventory", per_second=5, burst=50)
async def update_script_task_inventory(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    return await update_script_task(sim, agent, request)


@capability("UpdateNotecardTaskInventory", per_second=5, burst=50)
async def update_notecard_task_inventory(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    prim, item = _chosen(sim, agent, request.llsd(dict))
    if isinstance(item, NotDone):
        return _error(item.words or contents.NO_MODIFY_ITEM, item.why)
    save = partial(_save_in_task, sim, agent, prim, item.item_id)
    return _upload(sim, agent, "UpdateNotecardTaskInventory", AssetType.NOTECARD, save)


def _chosen(sim: Parts, agent: Agent, body: dict[str, Any]) -> tuple[Prim, Item | NotDone]:
    """The prim and the item a request names, as far as the agent may change it."""
    prim = sim.world.objects.by_id.get(as_uuid(body.get("task_id")))
    if prim is None:
        raise Refused(404, "that object is not in this region")
    item = contents.find(prim, as_uuid(body.get("item_id")))
    refused = contents.refusal(actor_of(agent), prim)
    if refused is not None:
        return prim, refused
    if item is None:
        return prim, NotDone(contents.NO_SUCH, "no such item")
    if not item.permissions.owner & Permission.MODIFY:
        return prim, NotDone(contents.NO_MODIFY_ITEM, "no modify")
    return prim, item


async def _save_in_task(sim: Parts, agent: Agent, prim: Prim, item_id: UUID, asset_id: UUID, data: bytes) -> dict[str, Any]:
    return _set_asset(sim, agent, prim, item_id, asset_id) or await _saved(sim, prim, item_id, asset_id)


def _set_asset(sim: Parts, agent: Agent, prim: Prim, item_id: UUID, asset_id: UUID) -> dict[str, Any] | None:
    """The refusal, if it is one."""
    refused = contents.set_asset(sim.region, actor_of(agent), prim, item_id, asset_id) if prim.row >= 0 else NotDone(contents.NO_SUCH)
    return _error(refused.words, refused.why) if refused is not None else None


async def _saved(sim: Parts, prim: Prim, item_id: UUID, asset_id: UUID) -> dict[str, Any]:
    """What is acknowledged has happened: the item stands for the new text after any crash."""
    if not await sim.storage.durable():
        return _error(DISK_FULL, "disk")
    told_selectors(sim, prim)
    return {"state": "complete", "new_asset": asset_id, "new_inventory_item": item_id, "success": True}


async def _save_script_task(
    sim: Parts, agent: Agent, prim: Prim, item_id: UUID, running: bool, asset_id: UUID, data: bytes
) -> dict[str, Any]:
    refused = _set_asset(sim, agent, prim, item_id, asset_id)
    item = contents.find(prim, item_id)
    if refused is not None or item is None:
        return refused or _error(contents.NO_SUCH, "no such item")
    errors = await sim.scripts.run_item(prim, item, _text(data), running)
    answer = await _saved(sim, prim, item_id, asset_id)
    return {**answer, "compiled": not errors, "errors": errors, "is_running": running and not errors}


# --- saving, in the agent's inventory


@capability("UpdateScriptAgent", per_second=5, burst=50)
async def update_script_agent(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """A script of the agent's own inventory: it is compiled to say what is wrong with it, and does not run."""
    item_id = as_uuid(request.llsd(dict).get("item_id"))
    return await _upload_own(sim, agent, "UpdateScriptAgent", AssetType.LSL_TEXT, item_id)


@capability("UpdateScriptAgentInventory", per_second=5, burst=50)
async def update_script_agent_inventory(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    return await update_script_agent(sim, agent, request)


@capability("UpdateNotecardAgentInventory", per_second=5, burst=50)
async def update_notecard_agent_inventory(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    item_id = as_uuid(request.llsd(dict).get("item_id"))
    return await _upload_own(sim, agent, "UpdateNotecardAgentInventory", AssetType.NOTECARD, item_id)


async def _upload_own(sim: Parts, agent: Agent, name: str, kind: int, item_id: UUID) -> Any:
    item = await own_item(sim, agent, item_id)
    if isinstance(item, NotDone):
        return _error(item.words, item.why)
    if item.owner_id != agent.agent_id or item.asset_type != kind or not item.permissions.owner & Permission.MODIFY:
        return _error(contents.NO_MODIFY_ITEM, "no modify")
    return _upload(sim, agent, name, kind, partial(_save_own, sim, agent, item_id, kind))


async def _save_own(sim: Parts, agent: Agent, item_id: UUID, kind: int, asset_id: UUID, data: bytes) -> dict[str, Any]:
    async with turn(agent, "inventory"):
        try:
            await sim.backbone.update_item(agent.agent_id, item_id, asset_id=str(asset_id))
        except BackboneError as error:
            return _error(error.title if 400 <= error.status < 500 else INVENTORY_SILENT, "inventory")
    answer = {"state": "complete", "new_asset": asset_id, "new_inventory_item": item_id, "success": True}
    if kind != AssetType.LSL_TEXT:
        return answer
    errors = await sim.scripts.errors_in(_text(data))
    return {**answer, "compiled": not errors, "errors": errors}


# --- the second step


def _upload(sim: Parts, agent: Agent, name: str, kind: int, save: Saving) -> dict[str, Any]:
    """Where the bytes of one save go."""

    async def take(sim: Parts, agent: Agent, request: CapRequest) -> Any:
        asset_id = uuid4()
        try:
            await sim.assets.put(asset_id, request.body, kind, agent.agent_id)
        except AssetError as error:
            sim.metrics.count("service_errors", label="assets")
            return _error(error.for_people(), "StoreUnreachable")
        async with turn(agent, ORDER):
            return await save(asset_id, request.body)

    uploader = Capability(f"{name} uploader", ("POST",), take, 1.0, 1.0, TEXT_LIMIT)
    return {"state": "upload", "uploader": sim.cap_server.once(agent, uploader)}


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "replace")


def _error(message: str, identifier: str) -> dict[str, Any]:
    """A refusal as viewers read it: the message twice."""
    return {"state": "error", "error": {"message": message, "identifier": identifier}, "message": message}
