"""Buying objects and land. What is for sale on which terms is the seller's to say (ObjectSaleInfo, ParcelPropertiesUpdate); a
buyer names the terms it was shown, and buys on no others. What it costs is `sim/money.py`'s affair, asked before anything moves.

    1 original   the object changes hands where it stands
    2 copy       an item in the buyer's folder
    3 contents   what is in it, in a folder of the object's name
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from protocol.message import Message
from protocol.wellknown import AssetType, Folder
from sim.actions import buy
from sim.actions.buy import CONTENTS, ORIGINAL
from sim.actions.may import Actor, actor_of
from sim.actions.outcome import Refused
from sim.handlers import COSTLY, NEAR, QUERY, ROOT, handles
from sim.handlers.contents import told_selectors
from sim.handlers.editors import BUILD, named, tell
from sim.handlers.giving import show
from sim.handlers.parcels import parcel_by_local_id, parcel_overlay_messages, parcel_properties_event
from sim.handlers.replies import alert, send, start
from sim.handlers.taking import Move, carry_out

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent
    from sim.world.objects import Prim

log = logging.getLogger(__name__)

ORDER = "moves"
NOT_COPIED = "It was not bought: no copy of it could be made."


@handles("ObjectBuy", state=NEAR, rate=BUILD)
def object_buy(sim: Parts, agent: Agent, message: Message) -> None:
    blocks = {block["ObjectLocalID"]: block for block in message["ObjectData"]}
    folder = message["AgentData"]["CategoryID"]
    for prim in named(sim, agent, blocks):
        block = blocks[prim.local_id]
        start(sim, agent, "purchase", _buy(sim, agent, prim.linkset_root, block, folder), order=ORDER)


async def _buy(sim: Parts, agent: Agent, root: Prim, block: dict[str, Any], folder: UUID) -> None:
    kind, price = block["SaleType"], block["SalePrice"]
    actor, transaction = actor_of(agent), uuid4()
    refused = _refusal(actor, root, kind, price)
    if refused is None:
        refused = await sim.money.pay(agent.agent_id, root.owner_id, price, root.name, transaction)
        if refused is None:
            refused = _refusal(actor, root, kind, price) or await _hand_over(sim, agent, root, kind, folder, transaction)
            if refused is not None:
                await sim.money.pay_back(transaction)
    if refused is not None:
        tell(sim, agent, refused, root)
        return
    log.info("%s bought %s (%s) for %d", agent.name, root.full_id, buy.KINDS[kind], price)
    told_selectors(sim, root)


def _refusal(actor: Actor, root: Prim, kind: int, price: int) -> Refused | None:
    """Asked again once it is paid: somebody else may have been quicker."""
    if root.row < 0:
        return Refused(buy.NOT_FOR_SALE, "gone")
    return buy.purchase_refusal(actor, root, kind, price)


async def _hand_over(
    sim: Parts, agent: Agent, root: Prim, kind: int, folder: UUID, transaction: UUID
) -> Refused | None:
    actor = actor_of(agent)
    if kind == ORIGINAL:
        refused = buy.buy_original(sim.region, actor, root)
        if refused is None:
            await sim.storage.durable()
        return refused
    if kind == CONTENTS:
        seller = Actor(root.owner_id, region=True)
        things = [item.item_id for item in root.contents]
        given = await sim.giving.give(seller, root, things, agent.agent_id, root.name or "Object", offer=False)
        if isinstance(given, Refused):
            return given
        await show(sim, agent, [(int(AssetType.FOLDER), given.thing_id)])
        return None
    move = Move(transaction, [root], agent.agent_id, folder, Folder.OBJECTS, away=False)
    return None if await carry_out(sim, agent, move) else Refused(NOT_COPIED, "copy")


# --- land


@handles("ParcelBuy", state=ROOT, rate=COSTLY)
def parcel_buy(sim: Parts, agent: Agent, message: Message) -> None:
    start(sim, agent, "purchase", _buy_land(sim, agent, message["Data"], message["ParcelData"]), order=ORDER)


async def _buy_land(sim: Parts, agent: Agent, block: dict[str, Any], terms: dict[str, Any]) -> None:
    parcel = parcel_by_local_id(sim.world, block["LocalID"])
    if parcel is None:
        return
    actor, transaction = actor_of(agent), uuid4()
    price, area = terms["Price"], terms["Area"]
    refused = buy.land_refusal(actor, parcel, price, area)
    if block["IsGroupOwned"]:
        refused = Refused("Land cannot be bought for a group here yet.", "group")
    if refused is None:
        refused = await sim.money.pay(agent.agent_id, parcel.owner_id, price, parcel.name, transaction)
        if refused is None:
            refused = buy.land_refusal(actor, parcel, price, area)
            if refused is not None:
                await sim.money.pay_back(transaction)
    if refused is not None:
        alert(agent, refused.words)
        sim.metrics.count("edits_refused", label=refused.why)
        return
    buy.buy_land(sim.region, actor, parcel)
    await sim.storage.durable()
    log.info("%s bought parcel %s for %d", agent.name, parcel.parcel_id, price)
    for one in sim.world.roots():
        for reply in parcel_overlay_messages(sim.world, one):
            send(one, reply)
    if agent.events is not None:
        agent.parcel_sequence += 1
        agent.events.post(parcel_properties_event(sim.region, parcel, agent.parcel_sequence))


@handles("RequestPayPrice", state=NEAR, rate=QUERY)
def request_pay_price(sim: Parts, agent: Agent, message: Message) -> None:
    """What the viewer is to offer to who pays an object; of one that says nothing, the viewer's own prices."""
    object_id = message["ObjectData"]["ObjectID"]
    prim = sim.world.objects.by_id.get(object_id)
    if prim is not None:
        price, *buttons = prim.rare.pay or prim.linkset_root.rare.pay or (-2, -2, -2, -2, -2)
        data = {"ObjectID": object_id, "DefaultPayPrice": price}
        send(agent, Message("PayPriceReply", ObjectData=data, ButtonData=[{"PayButton": one} for one in buttons]))
