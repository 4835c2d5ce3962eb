"""Assets by UDP, for what is not public: notecards and scripts are read through the inventory item that points at them.

What kind of asset it is, and so whether it is private, is what the store says. What the request says of it, or an item's
own type, is not believed: whoever asked for a script as a texture would read it.

    TransferRequest > {TransferID, SourceType, Params}
    TransferInfo    < {Status, Size, Params}            Params of an item's transfer with the asset id filled in
    TransferPacket  < {Packet 0.., Status, Data}        status 1 on the last; an empty asset is one empty packet

Params of SourceType 2 (asset): 16 asset id, S32 type. Of 3 (item): 16 agent, 16 session, 16 owner, 16 object, 16 item,
16 asset, S32 type; the asset may be null, and some clients read it from the reply at offset 80.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any
from uuid import UUID

from assets.client import AssetError
from backbone.client import BackboneError
from protocol.message import Message
from protocol.wellknown import LIBRARY_OWNER, NULL, AssetType, Permission
from sim.actions import contents
from sim.actions.may import actor_of
from sim.handlers import COSTLY, OPEN, handles
from sim.handlers.replies import ask, send, start

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

ASSETS = 2  # ChannelType
FROM_ASSET, FROM_ITEM = 2, 3  # SourceType
OK, ERROR, NOT_FOUND, NO_PERMISSION = 0, -1, -2, -3  # TransferInfo.Status
MORE, LAST = 0, 1  # TransferPacket.Status

SIZE_LIMIT = 256 << 10  # bytes; larger things are public and come from the asset store
PACKET_SIZE = 1000
WAITING_LIMIT = 1 << 20  # bytes still on their way to a client that asks for more
PRIVATE = (AssetType.NOTECARD, AssetType.LSL_TEXT, AssetType.OBJECT)
READ_SCRIPT = Permission.MODIFY | Permission.COPY


@handles("TransferRequest", state=OPEN, rate=COSTLY)
def transfer_request(sim: Parts, agent: Agent, message: Message) -> None:
    asked = message["TransferInfo"]
    if asked["ChannelType"] == ASSETS:
        start(sim, agent, "transfer", _transfer(sim, agent, asked))
    else:
        sim.metrics.count("messages_dropped", label="malformed")


async def _transfer(sim: Parts, agent: Agent, asked: dict[str, Any]) -> None:
    params: bytes = asked["Params"]
    if asked["SourceType"] == FROM_ASSET and len(params) >= 20:
        asset_id, kind = UUID(bytes=params[:16]), struct.unpack_from("<i", params, 16)[0]
        # Whoever knows the id of a public asset may have it; what is private goes by its item.
        rights, status = 0, NO_PERMISSION if kind in PRIVATE else OK
    elif asked["SourceType"] == FROM_ITEM and len(params) >= 100:
        status, asset_id, rights = await _asset_of_item(sim, agent, params)
        source = _source_in_object(sim, params) if status == OK and asset_id == NULL else None
        if source is not None:
            _send(agent, asked["TransferID"], OK, source, params)
            return
        params = params[:80] + asset_id.bytes + params[96:100]
    else:
        status, asset_id, rights = NOT_FOUND, NULL, 0
    data = b""
    queue = agent.circuit.queues.get("asset") if agent.circuit is not None else None
    if status == OK and queue is not None and queue.waiting > WAITING_LIMIT:
        sim.metrics.count("messages_dropped", label="too many transfers")
        status = ERROR
    if status == OK:
        status, data = await _read(sim, asset_id, rights, by_item=asked["SourceType"] == FROM_ITEM)
    _send(agent, asked["TransferID"], status, data, params)


async def _asset_of_item(sim: Parts, agent: Agent, params: bytes) -> tuple[int, UUID, int]:
    """Status, asset and owner's permissions of an inventory item. A link stands for the agent's own item that it names."""
    who, _, owner, thing, item_id = (UUID(bytes=params[at : at + 16]) for at in range(0, 80, 16))
    if who != agent.agent_id:
        return NO_PERMISSION, NULL, 0
    if thing != NULL:
        return _asset_in_object(sim, agent, thing, item_id)
    whose = LIBRARY_OWNER if owner == LIBRARY_OWNER else agent.agent_id
    for _ in range(2):
        items = await ask(sim, sim.backbone.fetch_items(whose, [item_id]))
        if isinstance(items, BackboneError):
            return ERROR, NULL, 0
        if not items or items[0]["type"] == AssetType.FOLDER_LINK:
            return NOT_FOUND, NULL, 0
        if items[0]["type"] != AssetType.LINK:
            return (OK if may_read(items[0]) else NO_PERMISSION), UUID(items[0]["asset_id"]), items[0]["owner_mask"]
        item_id = UUID(items[0]["asset_id"])
    return NOT_FOUND, NULL, 0  # a link to a link


def _asset_in_object(sim: Parts, agent: Agent, object_id: UUID, item_id: UUID) -> tuple[int, UUID, int]:
    """The same of an item in an object's contents."""
    prim = sim.world.objects.by_id.get(object_id)
    item = contents.find(prim, item_id) if prim is not None else None
    if prim is None or item is None:
        return NOT_FOUND, NULL, 0
    if not contents.may_read(actor_of(agent), prim, item):
        return NO_PERMISSION, NULL, 0
    return OK, item.asset_id, item.permissions.owner


def _source_in_object(sim: Parts, params: bytes) -> bytes | None:
    """The text of a script that a scene brought, which is no asset."""
    prim = sim.world.objects.by_id.get(UUID(bytes=params[48:64]))
    script = sim.scripts.find(prim, UUID(bytes=params[64:80])) if prim is not None else None
    return script.source.encode() if script is not None else None


def may_read(item: dict[str, Any]) -> bool:
    """Whether the holder of an inventory item may read what it stands for: a script only with the right to change it."""
    return item["type"] != AssetType.LSL_TEXT or item["owner_mask"] & READ_SCRIPT == READ_SCRIPT


def shown_asset(item: dict[str, Any]) -> UUID:
    """The asset id that the holder of an item is told: none of what it may not read."""
    return UUID(item["asset_id"]) if may_read(item) else NULL


async def _read(sim: Parts, asset_id: UUID, rights: int, by_item: bool) -> tuple[int, bytes]:
    try:
        asset = await sim.assets.fetch(asset_id)
    except AssetError:
        sim.metrics.count("service_errors", label="assets")
        return ERROR, b""
    if asset is None or len(asset.data) > SIZE_LIMIT:
        return NOT_FOUND, b""
    sealed = asset.type == AssetType.LSL_TEXT and rights & READ_SCRIPT != READ_SCRIPT
    if sealed or asset.type == AssetType.OBJECT or (asset.type in PRIVATE and not by_item):
        return NO_PERMISSION, b""
    return OK, asset.data


def _send(agent: Agent, transfer_id: UUID, status: int, data: bytes, params: bytes) -> None:
    info = {"TransferID": transfer_id, "ChannelType": ASSETS, "Status": status, "Size": len(data), "Params": params}
    send(agent, Message("TransferInfo", TransferInfo=info))
    if status != OK or agent.circuit is None:
        return
    pieces = [data[at : at + PACKET_SIZE] for at in range(0, len(data), PACKET_SIZE)] or [b""]
    for number, piece in enumerate(pieces):
        packet = {
            "TransferID": transfer_id,
            "ChannelType": ASSETS,
            "Packet": number,
            "Status": LAST if number == len(pieces) - 1 else MORE,
            "Data": piece,
        }
        agent.circuit.send(Message("TransferPacket", TransferData=packet), category="asset")
