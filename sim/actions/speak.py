"""Speaking: how far a voice carries, how long words may be, and who hears what on which channel.

    whisper 10 m, say and typing 20 m, shout 100 m, region: everywhere in it      in space, not on the ground
    channel 0        people read it, beyond a border too; scripts that listen on it hear it
    any other        scripts alone
    `to` somebody    that person or the scripts of that object alone, wherever in the region

What is said is noted once, as a change is (`world.changes.speech`): `interest` tells viewers, `neighbours` the regions within
earshot, scripts hear it in the moment in which it is said.

An instant message is only put together here: Backbone finds whom it is for.
"""

from __future__ import annotations

import base64
import math
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sim.actions.outcome import Refused
from sim.region import Region
from sim.world.agent import Agent, Vector
from sim.world.changes import What
from sim.world.encodable import cut
from sim.world.objects import Prim
from sim.world.world import Chat

LONGEST = 1024  # bytes of UTF-8 of what is said
LONGEST_ANSWER = 254  # of what the button of a dialog says
LONGEST_MESSAGE = 1023  # of an instant message
AGENT, OBJECT = 1, 2  # ChatFromSimulator.SourceType
FROM_OBJECT, LURE = 19, 22  # ImprovedInstantMessage.Dialog


class Voice(NamedTuple):
    kind: int  # ChatType, as viewers are told
    reach: float  # metres


WHISPER, SAY, SHOUT = Voice(0, 10.0), Voice(1, 20.0), Voice(2, 100.0)
START_TYPING, STOP_TYPING = Voice(4, 20.0), Voice(5, 20.0)
OWNER, REGION = Voice(8, math.inf), Voice(1, math.inf)
SPOKEN = {voice.kind: voice for voice in (WHISPER, SAY, SHOUT)}
PEOPLES = {**SPOKEN, START_TYPING.kind: START_TYPING, STOP_TYPING.kind: STOP_TYPING}  # what a viewer may send


class Speaker(NamedTuple):
    kind: int  # AGENT or OBJECT
    source_id: UUID
    owner_id: UUID
    name: str
    position: Vector


def person(region: Region, agent: Agent) -> Speaker:
    """The agent, where its avatar is."""
    return Speaker(AGENT, agent.agent_id, agent.agent_id, agent.name, region.world.position(agent))


def thing(region: Region, prim: Prim) -> Speaker:
    """The prim, where it is."""
    return Speaker(OBJECT, prim.full_id, prim.owner_id, prim.name, region.world.objects.world_place(prim)[0])


def say(
    region: Region, speaker: Speaker, voice: Voice, text: str, channel: int = 0, *, to: UUID | None = None, by: object = None,
    from_neighbour: bool = False,
) -> None:  # fmt: skip
    """Say something; too long words are cut. `by`: the script whose words they are, which does not hear itself."""
    chat = Chat(
        cut(text, LONGEST), voice.kind, speaker.kind, speaker.source_id, speaker.owner_id, speaker.name, speaker.position,
        from_neighbour, channel=channel, reach=voice.reach, to=to, by=by,
    )  # fmt: skip
    region.world.changes.speech.note(chat, What.MADE)


def person_says(region: Region, agent: Agent, kind: int, text: str, channel: int) -> Refused | None:
    """What a viewer sends: words, or that its user begins or ends to type."""
    voice = PEOPLES.get(kind)
    words = text if kind in SPOKEN else ""
    if voice is None or (kind in SPOKEN and not words):
        return Refused(why="empty chat")
    say(region, person(region, agent), voice, words, channel)
    return None


def answer(region: Region, agent: Agent, asker: Prim | None, text: str, channel: int) -> None:
    """The button of a dialog is the agent's words, said where the object is that asked: people answer from far away.

    Of an object that is gone, they are said where the avatar is. People do not read answers.
    """
    speaker = person(region, agent)
    if asker is not None:
        speaker = speaker._replace(position=region.world.objects.world_place(asker.linkset_root)[0])
    if channel:
        say(region, speaker, SAY, cut(text, LONGEST_ANSWER), channel)


def overhear(region: Region, speaker: Speaker, kind: int, text: str) -> Refused | None:
    """What somebody says beyond a border, in this region's axes: people near it hear it too."""
    voice = PEOPLES.get(kind)
    if voice is None:
        return Refused(why="no voice")
    say(region, speaker, voice, text, from_neighbour=True)
    return None


def heard_beyond(chat: Chat, dx: int, dy: int, size: float) -> Vector | None:
    """Where in the region so many squares away something is said, in that one's axes; None where nobody there can hear it."""
    x, y, z = chat.position
    there = (x - dx * size, y - dy * size, z)
    near = all(-chat.reach <= part <= size + chat.reach for part in there[:2])
    return there if near and chat.channel == 0 and chat.to is None and not chat.from_neighbour else None


# --- instant messages


def message_from(
    region: Region, agent: Agent, target: UUID, dialog: int, message_id: UUID, words: str, bucket: bytes = b""
) -> dict[str, Any]:
    """An instant message from an agent here, in the fields of Backbone's POST /messages; the sender is who it is."""
    place = region.world.position(agent)
    return _message(region, agent.agent_id, agent.name, target, dialog, message_id, words, place, bucket)


def message_from_object(region: Region, prim: Prim, target: str, words: str) -> dict[str, Any]:
    """One from an object, which speaks under its own name and its owner's id."""
    x, y, z = place = region.world.objects.world_place(prim)[0]
    bucket = f"{region.facts.name}/{x:.0f}/{y:.0f}/{z:.0f}".encode()
    return _message(region, prim.owner_id, prim.name, target, FROM_OBJECT, prim.full_id, words, place, bucket)


def _message(
    region: Region, sender: UUID, name: str, target: UUID | str, dialog: int, message_id: UUID, words: str, place: Vector,
    bucket: bytes,
) -> dict[str, Any]:  # fmt: skip
    return {
        "message_id": str(uuid4()),
        "from_agent_id": str(sender),
        "from_name": name,
        "to_agent_id": str(target),
        "dialog": dialog,
        "id": str(message_id),
        "message": cut(words, LONGEST_MESSAGE),
        "binary_bucket": base64.b64encode(bucket).decode(),
        "region_id": str(region.facts.region_id),
        "position": list(place),
        "timestamp": int(region.clock.unix()),
        "from_group": False,
        "parent_estate_id": 1,
    }
