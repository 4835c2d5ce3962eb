"""Chat a viewer sends. Who hears it is decided once a frame in `sim/interest/chat.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.message import Message, clip, text
from sim.handlers import CHAT, ROOT, handles
from sim.world.world import Chat

if TYPE_CHECKING:
    from sim.simulator import Simulator
    from sim.world.agent import Agent

WHISPER, SAY, SHOUT, START_TYPING, STOP_TYPING = 0, 1, 2, 4, 5
SPOKEN = (WHISPER, SAY, SHOUT)
TYPING = (START_TYPING, STOP_TYPING)
TEXT_LIMIT = 1023  # bytes of UTF-8

SYSTEM, AGENT, OBJECT = 0, 1, 2


@handles("ChatFromViewer", state=ROOT, rate=CHAT)
def chat_from_viewer(sim: Simulator, agent: Agent, message: Message) -> None:
    said = message["ChatData"]
    kind = said["Type"]
    if said["Channel"] != 0:
        # Only scripts listen on other channels, and none does here.
        sim.metrics.count("messages_dropped", label="chat channel without listener")
        return
    words = text(clip(text(said["Message"]), TEXT_LIMIT + 1)) if kind in SPOKEN else ""
    if kind not in TYPING and (kind not in SPOKEN or not words):
        sim.metrics.count("messages_dropped", label="empty chat")
        return
    position = sim.world.position(agent)
    chat = Chat(words, kind, AGENT, agent.agent_id, agent.agent_id, agent.name, position)
    sim.world.marks.chat.append(chat)
