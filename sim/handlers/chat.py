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
HEARD_AS = {WHISPER: "whisper", SAY: "say", SHOUT: "shout"}  # as scripts call it
TEXT_LIMIT = 1023  # bytes of UTF-8

SYSTEM, AGENT, OBJECT = 0, 1, 2


@handles("ChatFromViewer", state=ROOT, rate=CHAT)
def chat_from_viewer(sim: Simulator, agent: Agent, message: Message) -> None:
    said = message["ChatData"]
    kind = said["Type"]
    words = text(clip(text(said["Message"]), TEXT_LIMIT + 1)) if kind in SPOKEN else ""
    if kind not in TYPING and (kind not in SPOKEN or not words):
        sim.metrics.count("messages_dropped", label="empty chat")
        return
    position = sim.world.position(agent)
    if kind in SPOKEN:
        sim.scripts.heard(said["Channel"], HEARD_AS[kind], agent.name, agent.agent_id, position, words)
    if said["Channel"] != 0:  # scripts alone hear the others
        return
    chat = Chat(words, kind, AGENT, agent.agent_id, agent.agent_id, agent.name, position)
    sim.world.marks.chat.append(chat)
