"""Whom and what somebody does not want to hear. The viewer does the muting; Backbone keeps the list for its next login,
wherever that is.

    MuteListRequest > {MuteCRC}      MuteListUpdate < {Filename}, then that file by Xfer

The file has a line an entry, `kind id name|flags`. Kinds: 0 by name (with the null id), 1 person, 2 object, 3 group,
4 elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backbone.client import BackboneError
from protocol.message import Message, clip, text
from sim.handlers import COSTLY, OPEN, QUERY, handles
from sim.handlers.replies import alert, ask, send, start

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

NAME_LIMIT = 255  # characters
KINDS = range(5)
_BREAKS = re.compile(r"[\x00-\x1f\x7f|]")  # would end a name, or its line, before its time


@handles("MuteListRequest", state=OPEN, rate=COSTLY)
def mute_list_request(sim: Parts, agent: Agent, message: Message) -> None:
    start(sim, agent, "mutes", _tell_mutes(sim, agent), order="mutes")


async def _tell_mutes(sim: Parts, agent: Agent) -> None:
    """The whole list, an empty one too: a viewer has no other way to know that nobody is muted any more. Where Backbone
    does not answer, the viewer goes by what it remembers."""
    listed = await ask(sim, sim.backbone.get_mutes(agent.agent_id))
    if isinstance(listed, BackboneError):
        send(agent, Message("UseCachedMuteList", AgentData={"AgentID": agent.agent_id}))
        return
    name = sim.xfers.offer(agent, "".join(map(_line, listed)).encode() or b"\n")
    send(agent, Message("MuteListUpdate", MuteData={"AgentID": agent.agent_id, "Filename": clip(name, 255)}))


def _line(entry: dict[str, Any]) -> str:
    return f"{entry['kind']} {entry['muted_id']} {entry['name']}|{entry['flags']}\n"


@handles("UpdateMuteListEntry", state=OPEN, rate=QUERY)
def update_mute_list_entry(sim: Parts, agent: Agent, message: Message) -> None:
    data = message["MuteData"]
    if data["MuteType"] not in KINDS:
        sim.metrics.count("messages_dropped", label="malformed")
        return
    entry = (data["MuteID"], _name(data["MuteName"]), data["MuteType"], data["MuteFlags"])
    start(sim, agent, "mutes", _mute(sim, agent, entry), order="mutes")


async def _mute(sim: Parts, agent: Agent, entry: tuple[UUID, str, int, int]) -> None:
    kept = await ask(sim, sim.backbone.put_mute(agent.agent_id, *entry))
    if isinstance(kept, BackboneError):
        full = kept.status == 429
        why = "your list of them is full" if full else "the grid's services are not answering"
        alert(agent, f"That you muted {entry[1][:60]} will be forgotten when you leave: {why}.")


@handles("RemoveMuteListEntry", state=OPEN, rate=QUERY)
def remove_mute_list_entry(sim: Parts, agent: Agent, message: Message) -> None:
    data = message["MuteData"]
    start(sim, agent, "mutes", _unmute(sim, agent, data["MuteID"], _name(data["MuteName"])), order="mutes")


async def _unmute(sim: Parts, agent: Agent, muted_id: UUID, name: str) -> None:
    gone = await ask(sim, sim.backbone.delete_mute(agent.agent_id, muted_id, name))
    if isinstance(gone, BackboneError):
        alert(agent, f"{name[:60]} will be muted again when you come back: the grid's services are not answering.")


def _name(raw: bytes) -> str:
    return _BREAKS.sub(" ", text(raw)).strip()[:NAME_LIMIT]
