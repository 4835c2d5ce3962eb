"""What is said, as viewers read it: ChatFromSimulator to every avatar in range, the speaker included.

Child agents hear nothing here: they are avatars somewhere else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from protocol.message import Message, clip, encode
from sim.world.world import Chat

if TYPE_CHECKING:
    from sim.region import Region
    from sim.world.agent import Agent

FULLY_AUDIBLE = 1


def deliver_chat(region: Region, chats: Iterable[Chat]) -> None:
    """Send what was said for people to read to those who hear it."""
    for chat in chats:
        listeners = (
            [agent for agent in _listeners(region, chat) if agent.circuit is not None] if not chat.channel else []
        )
        if not listeners:
            continue
        message = chat_message(chat)
        body = encode(message)
        for agent in listeners:
            if agent.circuit is not None:
                agent.circuit.send_body(body, zerocode=message.spec.zerocoded)
        region.metrics.count("chat_heard", len(listeners))


def _listeners(region: Region, chat: Chat) -> list[Agent]:
    world = region.world
    if chat.to is not None:
        agent = world.agents.get(chat.to)
        return [agent] if agent is not None and agent.root else []
    rows = world.avatars.rows[: world.avatars.count]
    heard = rows["active"] != 0
    if math.isfinite(chat.reach):
        away = rows["position"] - np.asarray(chat.position, np.float32)
        heard &= np.einsum("ij,ij->i", away, away) <= chat.reach * chat.reach
    return [world.agent_of_row[row] for row in np.flatnonzero(heard).tolist() if row in world.agent_of_row]


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
