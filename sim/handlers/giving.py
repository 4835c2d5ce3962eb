"""Giving things to people: offers, and what is said to them. Instant messages whose buckets name inventory.

    4 offered   > U8 asset type | item id [...]     Backbone gives it; then < with the receiver's own item, to wherever that is
    9 offered by an object                          < the same (`sim/giving.py`)
    5, 10 accepted, 6, 11 declined  > folder id     Backbone moves it there, into the trash, or back; 5 and 6 go on to the giver

A gift is in the receiver's inventory before the receiver's viewer hears of it, and the viewer is shown what an offer names
before the offer. What was not asked of this agent it cannot answer: Backbone knows whose gift it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from backbone.client import BackboneError
from protocol.message import Message, text
from protocol.wellknown import NULL, AssetType
from sim.actions.speak import message_from
from sim.giving import OFFERED_BY_OBJECT, Given, bucket_shown
from sim.handlers.inventory import bulk_update
from sim.handlers.messages import deliver_here, delivers, dialog, post, route, tell_sender
from sim.handlers.replies import alert, ask, packets, send, start

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

OFFERED, ACCEPTED, DECLINED = 4, 5, 6
ACCEPTED_OF_OBJECT, DECLINED_OF_OBJECT = 10, 11
ENTRY = 17  # bytes: asset type, id
MOST_SHOWN = 60  # entries of a bucket that are looked up
TRIES = 2
ORDER = "gifts"

NOT_GIVEN = "{name} was not given: {reason}."
MAYBE_GIVEN = "The grid's services are not answering: what you gave may have been given, or not. Look again before you try again."
NOBODY = "there is nobody of that name any more"
STORED = "User not online - inventory has been saved."
NOT_TOLD = "It is in the other's inventory, who could not be told of it."
NOT_ANSWERED = "The grid's services are not answering: the gift is in your inventory, where it was put first."


# --- from a viewer here


@dialog(OFFERED)
def offer(sim: Parts, agent: Agent, block: dict[str, Any]) -> None:
    """Give an item or a folder. What more the bucket of a folder names is what is in it, which Backbone knows better."""
    entries = read_bucket(block["BinaryBucket"])
    if not entries or block["ToAgentID"] == NULL:
        sim.metrics.count("messages_dropped", label="malformed")
        return
    start(sim, agent, "gift", _give(sim, agent, block, *entries[0]), order=ORDER)


def read_bucket(bucket: bytes) -> list[tuple[int, UUID]]:
    """Asset types and ids; [] when it is no such list."""
    if not bucket or len(bucket) % ENTRY:
        return []
    return [(bucket[at], UUID(bytes=bytes(bucket[at + 1 : at + ENTRY]))) for at in range(0, len(bucket), ENTRY)]


async def _give(sim: Parts, agent: Agent, block: dict[str, Any], kind: int, thing_id: UUID) -> None:
    to, gift_id = block["ToAgentID"], block["ID"] if block["ID"] != NULL else uuid4()
    words = text(block["Message"])
    what = {"folder_id" if kind == AssetType.FOLDER else "item_id": thing_id}
    for _ in range(TRIES):
        told = await ask(sim, sim.backbone.give(agent.agent_id, gift_id, to, **what))
        if not isinstance(told, BackboneError) or 400 <= told.status < 500:
            break
    if isinstance(told, BackboneError):
        sim.metrics.count("edits_refused", label="gift")
        alert(agent, _refusal(told, words or "It"))
        await show(sim, agent, [(kind, thing_id)])  # a viewer takes what cannot be copied off its list at once
        return
    given = Given.of(told)
    sim.metrics.count("gifts", label="person")
    _gone(agent, [UUID(one) for one in told["moved"]])
    fields = message_from(sim.region, agent, to, OFFERED, given.gift_id, words or given.name, given.bucket)
    if deliver_here(sim, fields):
        return
    fate = await route(sim, fields)
    if isinstance(fate, BackboneError) or fate["result"] == "dropped":
        alert(agent, NOT_TOLD)
    elif fate["result"] == "stored":
        tell_sender(sim, agent, fields, STORED)


def _refusal(error: BackboneError, name: str) -> str:
    if not 400 <= error.status < 500:
        return MAYBE_GIVEN
    reason = NOBODY if error.status == 404 and "inventory of" in error.description else error.description or error.title
    return NOT_GIVEN.format(name=name[:60], reason=reason)


def _gone(agent: Agent, item_ids: list[UUID]) -> None:
    ids = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
    for some in packets([{"ItemID": one} for one in item_ids], lambda block: 16):
        send(agent, Message("RemoveInventoryItem", AgentData=ids, InventoryData=some))


@dialog(ACCEPTED, ACCEPTED_OF_OBJECT)
def accept(sim: Parts, agent: Agent, block: dict[str, Any]) -> None:
    bucket = block["BinaryBucket"]
    folder = UUID(bytes=bytes(bucket[:16])) if len(bucket) >= 16 else NULL
    start(sim, agent, "gift", _answer(sim, agent, block, True, folder if folder != NULL else None), order=ORDER)


@dialog(DECLINED, DECLINED_OF_OBJECT)
def decline(sim: Parts, agent: Agent, block: dict[str, Any]) -> None:
    start(sim, agent, "gift", _answer(sim, agent, block, False, None), order=ORDER)


async def _answer(sim: Parts, agent: Agent, block: dict[str, Any], accepted: bool, folder: UUID | None) -> None:
    for _ in range(TRIES):
        told = await ask(sim, sim.backbone.answer_gift(agent.agent_id, block["ID"], accepted, folder))
        if not isinstance(told, BackboneError) or 400 <= told.status < 500:
            break
    if isinstance(told, BackboneError):
        if 400 <= told.status < 500:  # not a gift to this agent, or answered before
            sim.metrics.count("messages_dropped", label="no such gift")
        else:
            alert(agent, NOT_ANSWERED)
        return
    given = Given.of(told)
    if told["returned"] and given.kind != AssetType.FOLDER:
        _gone(agent, [given.thing_id])
    else:
        await show(sim, agent, [(given.kind, given.thing_id)])
    if block["Dialog"] in (ACCEPTED, DECLINED):
        giver = UUID(told["from_agent_id"])
        back = b"".join(bytes([given.kind if given.kind != AssetType.FOLDER else 0]) + UUID(one).bytes for one in told["returned"][:MOST_SHOWN])
        words = text(block["Message"])
        fields = message_from(sim.region, agent, giver, ACCEPTED if accepted else DECLINED, given.gift_id, words, back)
        await post(sim, fields)


# --- to a viewer here


@delivers(OFFERED, DECLINED, OFFERED_BY_OBJECT)
async def deliver(sim: Parts, agent: Agent, message: Message) -> None:
    """What the bucket names is shown first: an offer of something that the viewer does not know of is lost on it."""
    block = message["MessageBlock"]
    entries = read_bucket(block["BinaryBucket"])
    await show(sim, agent, entries[:MOST_SHOWN])
    block["BinaryBucket"] = bucket_shown(block["Dialog"], block["BinaryBucket"])
    send(agent, message)


async def show(sim: Parts, agent: Agent, entries: list[tuple[int, UUID]]) -> None:
    """Tell the agent's viewer of items and folders of its inventory as they are, those that there are."""
    wanted = [thing_id for kind, thing_id in entries if kind != AssetType.FOLDER]
    items = await ask(sim, sim.backbone.fetch_items(agent.agent_id, wanted)) if wanted else []
    for some in packets([] if isinstance(items, BackboneError) else items, lambda item: 250 + len(item["name"]) + len(item["desc"])):
        send(agent, bulk_update(agent, some))
    if len(wanted) < len(entries):
        tree = await ask(sim, sim.backbone.get_inventory_skeleton(agent.agent_id))
        listed = [] if isinstance(tree, BackboneError) else tree["folders"]
        named = {str(thing_id) for kind, thing_id in entries if kind == AssetType.FOLDER}
        for folder in [one for one in listed if one["folder_id"] in named]:
            send(agent, bulk_update(agent, [], folders=[folder]))
