"""Touches, answers to dialogs and to scripts' questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.message import Message, text
from sim.actions.speak import LONGEST_ANSWER, answer
from sim.handlers import CHAT, NEAR, ROOT, Rate, handles
from sim.scripts.language.values import Key, Value, Vector
from sim.world.agent import Agent
from sim.world.encodable import cut

if TYPE_CHECKING:
    from sim.parts import Parts

TOUCH = Rate("touch", 30.0, 60.0)
ANSWER_TIME = 3600.0  # world seconds in which an answer to a dialog is heard


@handles("ObjectGrab", state=NEAR, rate=TOUCH)
def object_grab(sim: Parts, agent: Agent, message: Message) -> None:
    prim = sim.world.objects.by_local_id.get(message["ObjectData"]["LocalID"])
    if prim is not None:
        agent.touching = prim.local_id
        sim.scripts.touched(agent, prim, "touch_start", _surface(message))
        sim.scripts.touched(agent, prim, "touch", _surface(message))


@handles("ObjectGrabUpdate", state=NEAR, rate=TOUCH)
def object_grab_update(sim: Parts, agent: Agent, message: Message) -> None:
    prim = sim.world.objects.by_id.get(message["ObjectData"]["ObjectID"])
    if prim is not None and agent.touching == prim.local_id:
        sim.scripts.touched(agent, prim, "touch", _surface(message))


@handles("ObjectDeGrab", state=NEAR, rate=TOUCH)
def object_degrab(sim: Parts, agent: Agent, message: Message) -> None:
    prim = sim.world.objects.by_local_id.get(message["ObjectData"]["LocalID"])
    touching, agent.touching = agent.touching, 0
    if prim is not None and touching == prim.local_id:
        sim.scripts.touched(agent, prim, "touch_end", _surface(message))


def _surface(message: Message) -> dict[str, Value]:
    """llDetectedTouch*: where on the surface, as far as the viewer said."""
    blocks: list[dict[str, Any]] = message.get("SurfaceInfo") or []
    if not blocks:
        return {}
    block = blocks[0]
    return {
        "face": block["FaceIndex"],
        "position": Vector(*block["Position"]),
        "normal": Vector(*block["Normal"]),
        "binormal": Vector(*block["Binormal"]),
        "uv": Vector(*block["UVCoord"]),
        "st": Vector(*block["STCoord"]),
    }


@handles("ScriptDialogReply", state=NEAR, rate=CHAT)
def script_dialog_reply(sim: Parts, agent: Agent, message: Message) -> None:
    """The answer is heard on the dialog's channel as the avatar's words (`actions/speak.py`).

    An answer would be a voice on any channel at any distance: only who was asked is heard, once a dialog, within ANSWER_TIME, with
    one of the dialog's words (a text box takes any).
    """
    data = message["Data"]
    key = data["ObjectID"], data["ChatChannel"]
    label = cut(text(data["ButtonLabel"]), LONGEST_ANSWER)
    asked = agent.dialogs.get(key)
    if asked is None or sim.world.time - asked.shown_at > ANSWER_TIME or (asked.labels and label not in asked.labels):
        sim.metrics.count("messages_dropped", label="not asked")
        return
    asked.left -= 1
    if asked.left <= 0:
        del agent.dialogs[key]
    answer(sim.region, agent, sim.world.objects.by_id.get(data["ObjectID"]), label, data["ChatChannel"])


@handles("ScriptAnswerYes", state=NEAR, rate=CHAT)
def script_answer_yes(sim: Parts, agent: Agent, message: Message) -> None:
    """Only what was asked can be granted, and only once."""
    data = message["Data"]
    asked = agent.asked.pop(str(data["ItemID"]), None)
    if asked is not None:
        script, permissions = asked
        script.now = sim.world.time
        script.grant(Key(str(agent.agent_id)), data["Questions"] & permissions)


@handles("RevokePermissions", state=NEAR, rate=CHAT)
def revoke_permissions(sim: Parts, agent: Agent, message: Message) -> None:
    """The person takes back what they granted to an object's scripts (Stop Animating Me)."""
    data = message["Data"]
    prim = sim.world.objects.by_id.get(data["ObjectID"])
    if prim is not None:
        root = prim.linkset_root
        sim.scripts.permits.revoke(sim.scripts.of_linkset(root), root, agent, data["ObjectPermissions"])


@handles("ForceScriptControlRelease", state=ROOT, rate=CHAT)
def force_script_control_release(sim: Parts, agent: Agent, message: Message) -> None:
    """The person wants all keys back that scripts have taken."""
    sim.scripts.controls.release_all(agent)
