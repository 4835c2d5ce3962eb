"""What profile windows show besides the profile itself: picks, notes for oneself, classifieds (of which there are none)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from backbone.client import BackboneError
from protocol.message import Message, clip, text
from protocol.wellknown import NULL, REGION_SIZE, region_handle
from sim.handlers import COSTLY, OPEN, QUERY, handles
from sim.handlers.generic import generic
from sim.handlers.parcels import place_in
from sim.handlers.replies import alert, ask, packets, send, start

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

NAME_LIMIT, TEXT_LIMIT, REGION_NAME_LIMIT = 128, 1024, 64  # bytes with the NUL
FARTHEST = 1e9  # metres of the grid
NOT_ANSWERING = "the grid's services are not answering. Please try again"


# --- picks


@generic("avatarpicksrequest")
def avatar_picks_request(sim: Parts, agent: Agent, parameters: list[str]) -> None:
    start(sim, agent, "picks", _tell_picks(sim, agent, UUID(parameters[0])), order="picks")


async def _tell_picks(sim: Parts, agent: Agent, whose: UUID) -> None:
    picks = await ask(sim, sim.backbone.get_picks(whose))
    if isinstance(picks, BackboneError):
        alert(agent, f"The picks cannot be shown: {NOT_ANSWERING}.")
        picks = []
    blocks: list[dict[str, Any]] = [{"PickID": UUID(one["pick_id"]), "PickName": clip(one["name"], NAME_LIMIT)} for one in picks]
    data = {"AgentID": agent.agent_id, "TargetID": whose}
    for batch in list(packets(blocks, lambda block: 17 + len(block["PickName"]))) or [[]]:
        send(agent, Message("AvatarPicksReply", AgentData=data, Data=batch))


@generic("pickinforequest")
def pick_info_request(sim: Parts, agent: Agent, parameters: list[str]) -> None:
    start(sim, agent, "picks", _tell_pick(sim, agent, UUID(parameters[0]), UUID(parameters[1])), order="picks")


async def _tell_pick(sim: Parts, agent: Agent, whose: UUID, pick_id: UUID) -> None:
    """PickInfoReply; for a pick that is not there nothing, as nobody draws an empty one."""
    pick = await ask(sim, sim.backbone.get_pick(whose, pick_id))
    if isinstance(pick, BackboneError):
        if pick.status != 404:
            alert(agent, f"The pick cannot be shown: {NOT_ANSWERING}.")
        return
    name = await sim.names.look_up([whose])
    send(agent, _pick_info(agent, pick, " ".join(name.get(whose) or ())))


def _pick_info(agent: Agent, pick: dict[str, Any], owner: str) -> Message:
    x, y, z = pick["position"]
    data = {
        "PickID": UUID(pick["pick_id"]),
        "CreatorID": UUID(pick["agent_id"]),
        "TopPick": False,
        "ParcelID": UUID(pick["parcel_id"]),
        "Name": clip(pick["name"], NAME_LIMIT),
        "Desc": clip(pick["desc"], TEXT_LIMIT),
        "SnapshotID": UUID(pick["snapshot_id"]),
        "User": clip(owner, NAME_LIMIT),
        "OriginalName": clip(pick["region_name"], NAME_LIMIT),
        "SimName": clip(pick["region_name"], NAME_LIMIT),
        "PosGlobal": (float(x), float(y), float(z)),
        "SortOrder": pick["sort_order"],
        "Enabled": pick["enabled"],
    }
    return Message("PickInfoReply", AgentData={"AgentID": agent.agent_id}, Data=data)


@handles("PickInfoUpdate", state=OPEN, rate=COSTLY)
def pick_info_update(sim: Parts, agent: Agent, message: Message) -> None:
    """A new pick, or an own one changed. Without a place it is where its maker stands."""
    data = message["Data"]
    x, y, z = (float(part) for part in data["PosGlobal"])
    if max(abs(x), abs(y), abs(z)) > FARTHEST or data["PickID"] == NULL:
        sim.metrics.count("messages_dropped", label="malformed")
        return
    if x <= 0 and y <= 0:
        here = sim.world.position(agent)
        x, y, z = sim.world.facts.corner[0] + here[0], sim.world.facts.corner[1] + here[1], here[2]
    square = (int(x // REGION_SIZE), int(y // REGION_SIZE))
    facts = sim.world.facts
    there = facts if square == (facts.grid_x, facts.grid_y) else sim.neighbours.regions.get(square)
    parcel = data["ParcelID"]
    if parcel == NULL and there is not None:
        parcel = place_in(sim, region_handle(*square), x % REGION_SIZE, y % REGION_SIZE) or NULL
    pick = {
        "name": _clipped(data["Name"], NAME_LIMIT),
        "desc": _clipped(data["Desc"], TEXT_LIMIT),
        "parcel_id": str(parcel),
        "region_id": str(there.region_id if there is not None else NULL),
        "region_name": text(clip(there.name if there is not None else "", REGION_NAME_LIMIT)),
        "snapshot_id": str(data["SnapshotID"]),
        "position": [x, y, z],
        "sort_order": data["SortOrder"],
        "enabled": data["Enabled"],
    }
    start(sim, agent, "picks", _keep_pick(sim, agent, data["PickID"], pick), order="picks")


async def _keep_pick(sim: Parts, agent: Agent, pick_id: UUID, pick: dict[str, Any]) -> None:
    kept = await ask(sim, sim.backbone.put_pick(agent.agent_id, pick_id, pick))
    if isinstance(kept, BackboneError):
        why = {409: "it is another person's", 429: "your profile shows as many as it can"}.get(kept.status, NOT_ANSWERING)
        alert(agent, f"The pick was not saved: {why}.")
        return
    send(agent, _pick_info(agent, kept, agent.name))


@handles("PickDelete", state=OPEN, rate=COSTLY)
def pick_delete(sim: Parts, agent: Agent, message: Message) -> None:
    start(sim, agent, "picks", _delete_pick(sim, agent, message["Data"]["PickID"]), order="picks")


async def _delete_pick(sim: Parts, agent: Agent, pick_id: UUID) -> None:
    gone = await ask(sim, sim.backbone.delete_pick(agent.agent_id, pick_id))
    if isinstance(gone, BackboneError):
        alert(agent, f"The pick was not deleted: {NOT_ANSWERING}.")


# --- notes about others, for oneself alone


@generic("avatarnotesrequest")
def avatar_notes_request(sim: Parts, agent: Agent, parameters: list[str]) -> None:
    start(sim, agent, "notes", _tell_notes(sim, agent, UUID(parameters[0])), order="notes")


async def _tell_notes(sim: Parts, agent: Agent, about: UUID) -> None:
    """Nothing when Backbone does not answer: a viewer would save empty notes over what is kept."""
    notes = await ask(sim, sim.backbone.get_notes(agent.agent_id, about))
    if isinstance(notes, BackboneError):
        alert(agent, f"Your notes cannot be shown: {NOT_ANSWERING}.")
        return
    data = {"TargetID": about, "Notes": clip(notes, TEXT_LIMIT)}
    send(agent, Message("AvatarNotesReply", AgentData={"AgentID": agent.agent_id}, Data=data))


@handles("AvatarNotesUpdate", state=OPEN, rate=COSTLY)
def avatar_notes_update(sim: Parts, agent: Agent, message: Message) -> None:
    data = message["Data"]
    start(sim, agent, "notes", keep_notes(sim, agent, data["TargetID"], _clipped(data["Notes"], TEXT_LIMIT)), order="notes")


async def keep_notes(sim: Parts, agent: Agent, about: UUID, notes: str) -> bool:
    """Keep what the agent notes about somebody; false, and the person is told, when that did not work."""
    kept = await ask(sim, sim.backbone.put_notes(agent.agent_id, about, notes))
    if isinstance(kept, BackboneError):
        why = "there are too many of them" if kept.status == 429 else NOT_ANSWERING
        alert(agent, f"Your notes were not saved: {why}.")
        return False
    return True


def _clipped(raw: bytes, limit: int) -> str:
    """Text that can be told again: at most `limit` bytes with its NUL."""
    return text(clip(text(raw), limit))


# --- classifieds: there are none, and whoever asks is told so


@generic("avatarclassifiedsrequest")
def avatar_classifieds_request(sim: Parts, agent: Agent, parameters: list[str]) -> None:
    data = {"AgentID": agent.agent_id, "TargetID": UUID(parameters[0])}
    send(agent, Message("AvatarClassifiedReply", AgentData=data, Data=[]))


@handles("ClassifiedInfoUpdate", state=OPEN, rate=QUERY)
def classified_info_update(sim: Parts, agent: Agent, message: Message) -> None:
    alert(agent, "There are no classifieds in this grid: yours was not saved, and costs nothing.")
