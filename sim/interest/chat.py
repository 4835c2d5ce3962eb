"""Who hears what is said: whisper 10 m, say and typing 20 m, shout 100 m, across region borders too.

    world.marks.chat -> deliver_chat, once a frame -> ChatFromSimulator to every avatar in range, the speaker included
                                                   -> the neighbours whose land the voice reaches (`relay_chat`)

A neighbour delivers what it is handed to its own avatars and passes it no further, so nobody hears a thing twice:
child agents hear nothing here, they are avatars somewhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from protocol.message import Message, clip, encode
from protocol.wellknown import REGION_SIZE
from sim.world.world import Chat

if TYPE_CHECKING:
    from sim.simulator import Simulator

# Metres between speaker and listener, by ChatType.
RANGES: dict[int, float] = {0: 10.0, 1: 20.0, 2: 100.0, 4: 20.0, 5: 20.0}
FULLY_AUDIBLE = 1


def deliver_chat(sim: Simulator, chats: Iterable[Chat]) -> None:
    """Send each to the avatars in range, and hand on what was said here to neighbours within earshot."""
    for chat in chats:
        reach = RANGES[chat.kind]
        _tell(sim, chat, reach)
        if not chat.from_neighbour and _reaches_out(chat, reach):
            sim.neighbours.relay_chat(chat)


def _tell(sim: Simulator, chat: Chat, reach: float) -> None:
    world = sim.world
    rows = world.avatars.rows[: world.avatars.count]
    if not len(rows):
        return
    away = rows["position"] - np.asarray(chat.position, np.float32)
    near = np.einsum("ij,ij->i", away, away) <= reach * reach
    heard = np.flatnonzero(near & (rows["active"] != 0)).tolist()
    if not heard:
        return
    message = chat_message(chat)
    body = encode(message)
    count = 0
    for index in heard:
        agent = world.agent_of_row.get(index)
        if agent is not None and agent.circuit is not None:
            agent.circuit.send_body(body, zerocode=message.spec.zerocoded)
            count += 1
    sim.metrics.count("chat_heard", count)


def _reaches_out(chat: Chat, reach: float) -> bool:
    x, y, _ = chat.position
    return min(x, y) < reach or max(x, y) > REGION_SIZE - reach


def chat_message(chat: Chat) -> Message:
    """ChatFromSimulator for one thing said."""
    return Message(
        "ChatFromSimulator",
        ChatData={
            "FromName": clip(chat.name, 255),
            "SourceID": chat.source_id,
            "OwnerID": chat.owner_id,
            "SourceType": chat.source_type,
            "ChatType": chat.kind,
            "Audible": FULLY_AUDIBLE,
            "Position": chat.position,
            "Message": clip(chat.text, 1024),
        },
    )
