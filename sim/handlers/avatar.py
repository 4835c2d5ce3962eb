"""How an avatar looks and moves its limbs: animations, wearables, appearance, and effects such as pointing.

Appearance is baked by viewers. A region keeps the bytes as they came, tells everybody else, and never draws.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from protocol.message import Message, encode
from protocol.wellknown import NULL
from sim.actions import animate
from sim.handlers import CHAT, OPEN, QUERY, ROOT, Rate, handles
from sim.handlers.replies import send, start
from sim.handlers.wearables import DEFAULTS, load_wearables, remember_worn
from sim.world.agent import TEXTURE_ENTRY_LIMIT
from sim.world.changes import What

if TYPE_CHECKING:

    from sim.parts import Parts
    from sim.world.agent import Agent

VISUAL_PARAM_LIMIT = 255
EFFECT_LIMIT = 8
EFFECT_RANGE = 64.0  # metres in which a hint of where somebody looks means anything
EFFECTS = Rate("effects", 4.0, 12.0)  # every one goes to everybody near



@handles("AgentAnimation", state=ROOT, rate=CHAT)
def agent_animation(sim: Parts, agent: Agent, message: Message) -> None:
    """Start and stop animations; interest tells everybody the whole set that plays."""
    for block in message["AnimationList"]:
        if not block["StartAnim"]:
            animate.stop(sim.region, agent, block["AnimID"])
        elif animate.start(sim.region, agent, block["AnimID"]) is not None:
            sim.metrics.count("messages_dropped", label="too many animations")


@handles("AgentWearablesRequest", state=OPEN)
def agent_wearables_request(sim: Parts, agent: Agent, message: Message) -> None:
    if agent.wearables:
        send(agent, wearables_update(agent))
    else:
        start(sim, agent, "wearables", _answer_wearables(sim, agent), order="wearables")


async def _answer_wearables(sim: Parts, agent: Agent) -> None:
    """Always an answer: node-metaverse gives a session up without one, and a full viewer stays a cloud."""
    await load_wearables(sim, agent)
    send(agent, wearables_update(agent))


def wearables_update(agent: Agent) -> Message:
    """AgentWearablesUpdate with what the avatar wears, or the default body when nothing is known of it."""
    worn = agent.wearables or DEFAULTS
    return Message(
        "AgentWearablesUpdate",
        AgentData={"AgentID": agent.agent_id, "SessionID": agent.session_id, "SerialNum": agent.appearance.serial},
        WearableData=[{"ItemID": item, "AssetID": asset, "WearableType": kind} for item, asset, kind in worn],
    )


@handles("AgentIsNowWearing", state=ROOT)
def agent_is_now_wearing(sim: Parts, agent: Agent, message: Message) -> None:
    worn = {block["ItemID"]: block["WearableType"] for block in message["WearableData"] if block["ItemID"] != NULL}
    if worn:
        start(sim, agent, "wearables", remember_worn(sim, agent, worn), order="wearables")


@handles("AgentCachedTexture", state=OPEN)
def agent_cached_texture(sim: Parts, agent: Agent, message: Message) -> None:
    """No bakes are kept between sessions: for every one asked, "bake it yourself"."""
    blocks = [{"TextureIndex": block["TextureIndex"]} for block in message["WearableData"]]
    data = {
        "AgentID": agent.agent_id,
        "SessionID": agent.session_id,
        "SerialNum": message["AgentData"]["SerialNum"],
    }
    send(agent, Message("AgentCachedTextureResponse", AgentData=data, WearableData=blocks))


@handles("AgentSetAppearance", state=ROOT, rate=CHAT)
def agent_set_appearance(sim: Parts, agent: Agent, message: Message) -> None:
    data = message["AgentData"]
    texture_entry: bytes = message["ObjectData"]["TextureEntry"]
    params = bytes(block["ParamValue"] for block in message["VisualParam"][:VISUAL_PARAM_LIMIT])
    if len(texture_entry) > TEXTURE_ENTRY_LIMIT:
        sim.metrics.count("messages_dropped", label="oversized appearance")
        return
    look = agent.appearance
    if data["SerialNum"] < look.serial:  # overtaken on the way by a newer one
        return
    look.serial = data["SerialNum"]
    if texture_entry:
        look.texture_entry = texture_entry
    if params:
        look.visual_params = params
    width, depth, height = data["Size"]
    _resize(sim, agent, (_clamp(width, 0.1, 3.0), _clamp(depth, 0.1, 3.0), _clamp(height, 0.5, 4.0)))
    sim.world.changes.agents.note(agent, What.SURFACE)


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _resize(sim: Parts, agent: Agent, size: tuple[float, float, float]) -> None:
    """A new height moves the middle of the capsule, so that the feet stay where they are."""
    if size == agent.appearance.size:
        return
    agent.appearance.size = size
    row = sim.world.row(agent)
    row["position"][2] += (size[2] - float(row["height"])) / 2
    row["height"] = size[2]
    sim.world.changes.agents.note(agent, What.SCALE)


@handles("ViewerEffect", state=ROOT, rate=EFFECTS)
def viewer_effect(sim: Parts, agent: Agent, message: Message) -> None:
    """Where somebody looks, points or works: to those near, as said by the sender and nobody else."""
    effects = [{**block, "AgentID": agent.agent_id} for block in message["Effect"][:EFFECT_LIMIT]]
    if not effects:
        return
    relayed = Message("ViewerEffect", AgentData={"AgentID": agent.agent_id}, Effect=effects)
    body = encode(relayed)
    here = sim.world.position(agent)
    for other in sim.world.roots():
        if other is agent or other.circuit is None or not other.ready:
            continue
        if math.dist(here, sim.world.position(other)) <= EFFECT_RANGE:
            other.circuit.send_body(body, reliable=False, zerocode=True)


@handles("AgentDataUpdateRequest", state=OPEN, rate=QUERY)
def agent_data_update_request(sim: Parts, agent: Agent, message: Message) -> None:
    send(agent, agent_data_update(agent))


@handles("ActivateGroup", state=OPEN, rate=QUERY)
def activate_group(sim: Parts, agent: Agent, message: Message) -> None:
    """Nobody is in a group here, so the active one stays none; a viewer waits to be told so."""
    send(agent, agent_data_update(agent))


def agent_data_update(agent: Agent) -> Message:
    """AgentDataUpdate: the user's own name and active group."""
    return Message(
        "AgentDataUpdate",
        AgentData={
            "AgentID": agent.agent_id,
            "FirstName": agent.first,
            "LastName": agent.last,
            "GroupTitle": agent.group_title,
            "GroupName": "",
        },
    )
