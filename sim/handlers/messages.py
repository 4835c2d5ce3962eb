"""Instant messages: from a viewer here to anybody in the grid, and from anybody to a viewer here.

    viewer -> ImprovedInstantMessage -> Backbone, which finds the region the person is in -> that region's
    /services/messages -> deliver_message -> viewer            stored for later when the person is offline

Dialogs that are more than words (gifts) have handlers and deliverers of their own (`dialog`, `delivers`).

Backbone stores and routes; what a stored or refused message means is told to the sender here, as if the other had
answered, since that is where viewers show it. Typing and short talk between two people in this region take the short
way and need no service.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID, uuid4

from backbone.client import BackboneError
from protocol.errors import ProtocolError
from protocol.message import Message, clip, text
from protocol.wellknown import NULL
from sim.actions.speak import LONGEST_MESSAGE, LURE, message_from
from sim.giving import bucket_shown
from sim.handlers import CHAT, COSTLY, OPEN, ROOT, handles
from sim.handlers.replies import alert, ask, send, start

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

log = logging.getLogger(__name__)

PLAIN, BUSY, LURE_ACCEPTED, LURE_DECLINED, TELEPORT_REQUEST = 0, 20, 23, 24, 26
FRIENDSHIP_OFFERED, FRIENDSHIP_ACCEPTED, FRIENDSHIP_DECLINED = 38, 39, 40
TYPING_START, TYPING_STOP = 41, 42
# What a viewer may send as it is. Acceptances of friendship are the region's to say, groups are not here yet.
RELAYED = {
    PLAIN, BUSY, LURE, LURE_ACCEPTED, LURE_DECLINED, TELEPORT_REQUEST, FRIENDSHIP_OFFERED, TYPING_START, TYPING_STOP,
}  # fmt: skip
SHORT_WAY = {PLAIN, BUSY, TYPING_START, TYPING_STOP}
# For these the sender is told when they did not reach anybody.
ANSWERED = {PLAIN, FRIENDSHIP_OFFERED, TELEPORT_REQUEST, LURE}

Special = TypeVar("Special", bound=Callable[..., None])
Deliverer = TypeVar("Deliverer", bound=Callable[..., Coroutine[Any, Any, None]])
DIALOGS: dict[int, Callable[..., None]] = {}
DELIVERERS: dict[int, Callable[..., Coroutine[Any, Any, None]]] = {}

BUCKET_LIMIT = 1024
SEEN_LIMIT = 256  # ids of messages remembered an agent, since Backbone may hand one over twice
PRESENCE_PATIENCE = 5.0  # seconds
OFFLINE_LIMIT = 200  # stored messages sent at once
ACKNOWLEDGE_DELAY = 0.5  # seconds in which acks gather before Backbone is told

STORED = "User not online - message will be stored and delivered later."
NOT_STORED = "User not online - your message could not be stored: {reason}."
NOT_SENT = "Your message was not sent: {reason}."
MAYBE_SENT = "Your message may not have been sent: the grid's services are not answering."
TRIES = 2  # the same message again is no second one: its id tells


def dialog(*numbers: int) -> Callable[[Special], Special]:
    """Declare the function that deals with these dialogs from viewers, given sim, agent and the message's block."""

    def declare(function: Special) -> Special:
        DIALOGS.update(dict.fromkeys(numbers, function))
        return function

    return declare


def delivers(*numbers: int) -> Callable[[Deliverer], Deliverer]:
    """Declare the coroutine that gives messages of these dialogs to a viewer, after what they speak of."""

    def declare(function: Deliverer) -> Deliverer:
        DELIVERERS.update(dict.fromkeys(numbers, function))
        return function

    return declare


# --- from a viewer here


@handles("ImprovedInstantMessage", state=ROOT, rate=CHAT)
def improved_instant_message(sim: Parts, agent: Agent, message: Message) -> None:
    block = message["MessageBlock"]
    number = block["Dialog"]
    target: UUID = block["ToAgentID"]
    special = DIALOGS.get(number)
    if special is not None:
        special(sim, agent, block)
        return
    if number not in RELAYED or target == NULL or len(block["BinaryBucket"]) > BUCKET_LIMIT:
        sim.metrics.count("messages_dropped", label="instant message")
        return
    if number == FRIENDSHIP_OFFERED and target == agent.agent_id:
        return
    # The acceptance echoes the offer's id, and must lead back to who offered.
    message_id = agent.agent_id if number == FRIENDSHIP_OFFERED else block["ID"]
    fields = message_from(sim.region, agent, target, number, message_id, text(block["Message"]), block["BinaryBucket"])
    if number in SHORT_WAY and deliver_here(sim, fields):
        return
    start(sim, agent, "instant message", _route(sim, agent, fields), order="messages")


def deliver_here(sim: Parts, fields: dict[str, Any]) -> bool:
    """Give a message to somebody in this region, without a service; False when they are not here."""
    there = sim.world.agents.get(UUID(fields["to_agent_id"]))
    if there is None or not there.root or there.circuit is None:
        return False
    deliver_message(sim, there, fields)
    return True


async def post(sim: Parts, fields: dict[str, Any]) -> None:
    """Give a message to somebody, here or anywhere; whoever sent it is told nothing."""
    if not deliver_here(sim, fields):
        await route(sim, fields)


async def route(sim: Parts, fields: dict[str, Any]) -> dict[str, Any] | BackboneError:
    """Have Backbone deliver or keep a message; its fate, or why nothing is known of it."""
    for _ in range(TRIES):
        fate = await ask(sim, sim.backbone.send_message(fields))
        if not isinstance(fate, BackboneError) or 0 < fate.status < 500:
            break
    return fate


async def _route(sim: Parts, agent: Agent, fields: dict[str, Any]) -> None:
    fate = await route(sim, fields)
    if fields["dialog"] not in ANSWERED:
        return
    if isinstance(fate, BackboneError):
        if fate.status == 404:
            alert(agent, "There is nobody of that name any more: your message was not sent.")
        else:
            refused = 400 <= fate.status < 500
            tell_sender(sim, agent, fields, NOT_SENT.format(reason=fate.title) if refused else MAYBE_SENT)
    elif fate["result"] == "stored":
        tell_sender(sim, agent, fields, STORED)
    elif fate["result"] == "dropped":
        tell_sender(sim, agent, fields, NOT_STORED.format(reason=fate.get("reason") or "no more room"))


def tell_sender(sim: Parts, agent: Agent, sent: dict[str, Any], words: str) -> None:
    """Tell the sender what became of a message, in the same conversation."""
    other = UUID(sent["to_agent_id"])
    name = sim.names.known(other)
    session = UUID(sent["id"]) if sent["dialog"] == PLAIN else UUID(int=other.int ^ agent.agent_id.int)
    answer = {
        **sent,
        "message_id": str(uuid4()),
        "from_agent_id": str(other),
        "from_name": " ".join(name) if name else "Mainland",
        "to_agent_id": str(agent.agent_id),
        "dialog": PLAIN,
        "id": str(session),
        "message": words,
        "binary_bucket": "",
    }
    deliver_message(sim, agent, answer)


# --- to a viewer here


def deliver_message(sim: Parts, agent: Agent, fields: dict[str, Any]) -> bool:
    """Send an instant message to an agent in this region; False when it has had this one already.

    `fields` as in Backbone's POST /messages. ProtocolError when they are not.
    """
    message = instant_message(agent, fields)
    if not _first_time(agent, fields):
        return False
    deliverer = DELIVERERS.get(message["MessageBlock"]["Dialog"])
    if deliverer is None:
        send(agent, message)
    else:
        sim.spawn(deliverer(sim, agent, message), "instant message")
    return True


def _first_time(agent: Agent, fields: dict[str, Any]) -> bool:
    seen = agent.mail.seen
    message_id = str(fields.get("message_id"))
    if message_id in seen:
        return False
    seen[message_id] = None
    if len(seen) > SEEN_LIMIT:
        seen.popitem(last=False)
    return True


def instant_message(agent: Agent, fields: dict[str, Any]) -> Message:
    """ImprovedInstantMessage of a message's fields. ProtocolError when they are not what they should be."""
    try:
        x, y, z = (float(part) for part in fields.get("position") or (0.0, 0.0, 0.0))
        block = {
            "FromGroup": bool(fields.get("from_group", False)),
            "ToAgentID": agent.agent_id,
            "ParentEstateID": int(fields.get("parent_estate_id", 1)),
            "RegionID": UUID(str(fields.get("region_id") or NULL)),
            "Position": (x, y, z),
            "Offline": int(bool(fields.get("offline", 0))),
            "Dialog": int(fields["dialog"]),
            "ID": UUID(str(fields.get("id") or NULL)),
            "Timestamp": int(fields.get("timestamp", 0)),
            "FromAgentName": clip(str(fields["from_name"]), 255),
            "Message": clip(str(fields["message"]), LONGEST_MESSAGE + 1),
            "BinaryBucket": base64.b64decode(fields.get("binary_bucket") or "", validate=True)[:BUCKET_LIMIT],
        }
        sender = UUID(str(fields["from_agent_id"]))
    except (KeyError, TypeError, ValueError, OverflowError, binascii.Error) as error:
        raise ProtocolError(f"not an instant message: {error!s:.100}") from error
    data = {"AgentID": sender, "SessionID": NULL}
    return Message("ImprovedInstantMessage", AgentData=data, MessageBlock=block, EstateBlock={"EstateID": 1})


# --- what waited while the user was away


@handles("RetrieveInstantMessages", state=OPEN, rate=COSTLY)
def retrieve_instant_messages(sim: Parts, agent: Agent, message: Message) -> None:
    start(sim, agent, "offline messages", _give_offline(sim, agent), order="offline messages")


async def here_for_all(agent: Agent) -> None:
    """Until Backbone knows that the agent is here. It stores what is sent before: who reads earlier would miss that."""
    try:
        await asyncio.wait_for(agent.presence.recorded.wait(), PRESENCE_PATIENCE)
    except TimeoutError:
        log.warning("messages for %s are read before its presence is recorded", agent.name)


async def _give_offline(sim: Parts, agent: Agent) -> None:
    await here_for_all(agent)
    waiting = await ask(sim, sim.backbone.get_messages(agent.agent_id))
    if isinstance(waiting, BackboneError):
        alert(agent, "Messages sent while you were away cannot be read now. They are kept.")
        return
    sent = agent.mail.sent
    for fields in waiting[:OFFLINE_LIMIT]:
        message_id = fields["message_id"]
        if message_id in sent:
            continue  # on its way since an earlier request
        if not _first_time(agent, fields):
            acknowledged(sim, agent, message_id)  # it came live meanwhile
            continue
        try:
            message = instant_message(agent, {**fields, "offline": 1})
            block = message["MessageBlock"]
            block["BinaryBucket"] = bucket_shown(block["Dialog"], block["BinaryBucket"])
        except ProtocolError:
            log.exception("stored message %s for %s cannot be read", message_id, agent.name)
            continue
        sent.add(message_id)
        send(agent, message, on_ack=partial(acknowledged, sim, agent, message_id))


def acknowledged(sim: Parts, agent: Agent, message_id: str) -> None:
    """The viewer has a stored message: Backbone may forget it. Acks come in bunches, so they are gathered."""
    agent.mail.sent.discard(message_id)
    gathered = agent.mail.acknowledged
    gathered.append(message_id)
    if len(gathered) == 1:
        sim.after(ACKNOWLEDGE_DELAY, lambda: _forget(sim, agent))


def _forget(sim: Parts, agent: Agent) -> None:
    gathered, agent.mail.acknowledged = agent.mail.acknowledged, []
    if gathered:
        sim.spawn(ask(sim, sim.backbone.delete_messages(agent.agent_id, gathered)), "offline messages")
