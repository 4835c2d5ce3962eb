"""Chat a viewer sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.message import Message, text
from sim.actions.speak import person_says
from sim.handlers import CHAT, ROOT, handles

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent


@handles("ChatFromViewer", state=ROOT, rate=CHAT)
def chat_from_viewer(sim: Parts, agent: Agent, message: Message) -> None:
    said = message["ChatData"]
    refused = person_says(sim.region, agent, said["Type"], text(said["Message"]), said["Channel"])
    if refused is not None:
        sim.metrics.count("messages_dropped", label=refused.why)
