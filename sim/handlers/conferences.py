"""Conversations of several people, as viewers hold them with friends.

    ImprovedInstantMessage > 16    begin one: the bucket has whom to ask, the ID is the viewer's own for now
                           > 17    say something in it
                           > 18    leave it
    ImprovedInstantMessage < 17    somebody said something
    events                         ChatterBoxSessionStartReply: the true id; ChatterBoxInvitation: asked, by somebody's first words;
                                   ChatterBoxSessionAgentListUpdates: who came and left

Backbone knows who is in it (`backbone/conferences.py`). Between regions words travel as instant messages of the same dialogs;
13 is an invitation, 14 says that somebody came in. Nothing of it waits for who is away.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from backbone.client import BackboneError
from protocol.message import Message, clip, text
from protocol.wellknown import NULL
from sim.actions.speak import LONGEST_MESSAGE, message_from
from sim.handlers.messages import delivers, dialog, post
from sim.handlers.replies import alert, ask, send, start

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

INVITED, ENTERED, GROUP_START, START, SAID, LEFT = 13, 14, 15, 16, 17, 18  # ImprovedInstantMessage.Dialog
CONFERENCE = 1  # session_info.type
MOST_ASKED = 50
ORDER = "messages"  # what is said arrives in the order it was said, here as elsewhere


# --- from a viewer here


@dialog(GROUP_START)
def begin_group(sim: Parts, agent: Agent, block: dict[str, Any]) -> None:
    """There are no groups: a viewer waits until it is told."""
    _started(agent, block["ID"], block["ID"], "no such group")


@dialog(START)
def begin(sim: Parts, agent: Agent, block: dict[str, Any]) -> None:
    bucket = bytes(block["BinaryBucket"][: 16 * MOST_ASKED])
    invited = [UUID(bytes=bucket[at : at + 16]) for at in range(0, len(bucket) - 15, 16)]
    start(sim, agent, "conference", start_conference(sim, agent, block["ID"], invited), order=ORDER)


async def start_conference(sim: Parts, agent: Agent, own_id: UUID, invited: list[UUID]) -> None:
    """A conference with those of the people who are friends; its viewer is told the true id in place of its own."""
    friends = await ask(sim, sim.backbone.get_friends(agent.agent_id))
    known = set() if isinstance(friends, BackboneError) else {friend["agent_id"] for friend in friends}
    wanted = [one for one in dict.fromkeys(invited) if str(one) in known][:MOST_ASKED]
    if len(wanted) < len(set(invited)) and not isinstance(friends, BackboneError):
        alert(agent, "Only friends can be asked to a conference.")
    session_id = uuid4()
    begun = await ask(sim, sim.backbone.invite_to_conference(session_id, agent.agent_id, wanted)) if wanted else None
    if begun is None or isinstance(begun, BackboneError):
        _started(agent, own_id, own_id, "nobody to talk to" if begun is None else begun.for_people())
        return
    _started(agent, own_id, session_id)
    _tell_members(agent, session_id, [agent.agent_id], "ENTER")


def _started(agent: Agent, own_id: UUID, session_id: UUID, error: str = "") -> None:
    info = {"session_name": _name(agent.name), "type": CONFERENCE, "voice_enabled": False, "moderated_mode": {"voice": False}}
    body = {"session_id": session_id, "temp_session_id": own_id, "success": not error, "session_info": info}
    _post(agent, "ChatterBoxSessionStartReply", {**body, "error": error} if error else body)


@dialog(SAID)
def say(sim: Parts, agent: Agent, block: dict[str, Any]) -> None:
    words = text(clip(text(block["Message"]), LONGEST_MESSAGE))
    start(sim, agent, "conference", _say(sim, agent, block["ID"], words), order=ORDER)


async def _say(sim: Parts, agent: Agent, session_id: UUID, words: str) -> None:
    who = await ask(sim, sim.backbone.speak_in_conference(session_id, agent.agent_id))
    if isinstance(who, BackboneError):
        ended = who.status == 404
        alert(agent, "You are not in that conversation any more." if ended else f"That was not heard: {who.for_people()}")
        return
    for number, people in ((SAID, who["hear"]), (INVITED, who["invite"])):
        await _pass_on(sim, agent, session_id, number, people, words)


@dialog(LEFT)
def leave(sim: Parts, agent: Agent, block: dict[str, Any]) -> None:
    start(sim, agent, "conference", leave_conference(sim, agent, block["ID"]), order=ORDER)


async def leave_conference(sim: Parts, agent: Agent, session_id: UUID) -> None:
    """Go, or not come; those who are in it hear of it."""
    left = await ask(sim, sim.backbone.leave_conference(session_id, agent.agent_id))
    if not isinstance(left, BackboneError):
        await _pass_on(sim, agent, session_id, LEFT, left["members"])


async def join_conference(sim: Parts, agent: Agent, session_id: UUID) -> list[UUID] | None:
    """Come in, asked to it; who is in it, None when it is not to be."""
    joined = await ask(sim, sim.backbone.join_conference(session_id, agent.agent_id))
    if isinstance(joined, BackboneError):
        return None
    members = [UUID(one) for one in joined["members"]]
    await _pass_on(sim, agent, session_id, ENTERED, [str(one) for one in members if one != agent.agent_id])
    _tell_members(agent, session_id, members, "ENTER")
    return members


async def _pass_on(
    sim: Parts, agent: Agent, session_id: UUID, number: int, people: Iterable[str], words: str = ""
) -> None:
    bucket = clip(_name(agent.name), 255)
    for one in people:
        await post(sim, message_from(sim.region, agent, UUID(one), number, session_id, words, bucket))


def _name(person: str) -> str:
    return f"Conference with {person}"


# --- to a viewer here


@delivers(INVITED)
async def invited(sim: Parts, agent: Agent, message: Message) -> None:
    """Asked to a conference by the first words that one hears of it."""
    block, sender = message["MessageBlock"], message["AgentData"]["AgentID"]
    words = {
        "type": 0,
        "id": block["ID"],
        "region_id": block["RegionID"],
        "offline": 0,
        "timestamp": block["Timestamp"],
        "to_id": agent.agent_id,
        "from_id": sender,
        "from_name": text(block["FromAgentName"]),
        "message": text(block["Message"]),
        "position": [float(part) for part in block["Position"]],
        "parent_estate_id": block["ParentEstateID"],
        "from_group": False,
        "ttl": 0,
        "source": 0,
        "data": {"binary_bucket": block["BinaryBucket"]},
    }
    agent_params = {"check_estate": 0, "agent_id": sender, "god_level": 0, "limited_to_estate": 0}
    body = {
        "session_id": block["ID"],
        "session_name": text(block["BinaryBucket"]),
        "from_id": sender,
        "from_name": text(block["FromAgentName"]),
        "instantmessage": {"message_params": words, "agent_params": agent_params},
    }
    _post(agent, "ChatterBoxInvitation", body)


@delivers(ENTERED, LEFT)
async def came_or_left(sim: Parts, agent: Agent, message: Message) -> None:
    block = message["MessageBlock"]
    change = "ENTER" if block["Dialog"] == ENTERED else "LEAVE"
    _tell_members(agent, block["ID"], [message["AgentData"]["AgentID"]], change)


@delivers(SAID)
async def said(sim: Parts, agent: Agent, message: Message) -> None:
    send(agent, message)


def _tell_members(agent: Agent, session_id: UUID, people: list[UUID], change: str) -> None:
    info = {"can_voice_chat": False, "is_moderator": False, "mutes": {"text": False, "voice": False}}
    updates = {str(one): {"transition": change, "info": info} for one in people}
    body = {"session_id": session_id, "agent_updates": updates, "updates": {str(one): change for one in people}}
    _post(agent, "ChatterBoxSessionAgentListUpdates", body)


def _post(agent: Agent, name: str, body: dict[str, Any]) -> None:
    if agent.events is not None and body["session_id"] != NULL:
        agent.events.post({"message": name, "body": body})
