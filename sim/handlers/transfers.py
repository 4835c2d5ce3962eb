"""Assets by UDP, for what is not public: notecards and scripts are read through the inventory item that points at them.

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
from sim.handlers import COSTLY, OPEN, handles
from sim.handlers.replies import ask, send, start

if TYPE_CHECKING:
    from sim.simulator import Simulator
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
def transfer_request(sim: Simulator, agent: Agent, message: Message) -> None:
    asked = message["TransferInfo"]
    if asked["ChannelType"] == ASSETS:
        start(sim, agent, "transfer", _transfer(sim, agent, asked))
    else:
        sim.metrics.count("messages_dropped", label="malformed")


async def _transfer(sim: Simulator, agent: Agent, asked: dict[str, Any]) -> None:
    params: bytes = asked["Params"]
    if asked["SourceType"] == FROM_ASSET and len(params) >= 20:
        asset_id, kind = UUID(bytes=params[:16]), struct.unpack_from("<i", params, 16)[0]
        # Whoever knows the id of a public asset may have it; what is private goes by its item.
        status = NO_PERMISSION if kind in PRIVATE else OK
    elif asked["SourceType"] == FROM_ITEM and len(params) >= 100:
        status, asset_id = await _asset_of_item(sim, agent, params)
        params = params[:80] + asset_id.bytes + params[96:100]
    else:
        status, asset_id = NOT_FOUND, NULL
    data = b""
    queue = agent.circuit.queues.get("asset") if agent.circuit is not None else None
    if status == OK and queue is not None and queue.waiting > WAITING_LIMIT:
        sim.metrics.count("messages_dropped", label="too many transfers")
        status = ERROR
    if status == OK:
        status, data = await _read(sim, asset_id)
    _send(agent, asked["TransferID"], status, data, params)


async def _asset_of_item(sim: Simulator, agent: Agent, params: bytes) -> tuple[int, UUID]:
    """Status and asset of an inventory item; what the request says of the asset itself is not believed."""
    who, _, owner, thing, item_id = (UUID(bytes=params[at : at + 16]) for at in range(0, 80, 16))
    if who != agent.agent_id or thing != NULL:
        return (NO_PERMISSION if thing == NULL else NOT_FOUND), NULL
    whose = LIBRARY_OWNER if owner == LIBRARY_OWNER else agent.agent_id
    items = await ask(sim, sim.backbone.fetch_items(whose, [item_id]))
    if isinstance(items, BackboneError):
        return ERROR, NULL
    if not items:
        return NOT_FOUND, NULL
    item = items[0]
    if item["type"] == AssetType.LSL_TEXT and item["owner_mask"] & READ_SCRIPT != READ_SCRIPT:
        return NO_PERMISSION, NULL
    return OK, UUID(item["asset_id"])


async def _read(sim: Simulator, asset_id: UUID) -> tuple[int, bytes]:
    try:
        data = await sim.assets.get(asset_id)
    except AssetError:
        sim.metrics.count("service_errors", label="assets")
        return ERROR, b""
    if data is None or len(data) > SIZE_LIMIT:
        return NOT_FOUND, b""
    return OK, data


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
