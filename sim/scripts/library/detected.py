"""What was detected: the touchers, colliders or sensed things of the running event, counted from 0.

Outside such an event, or for a number beyond those detected, they tell nothing: NULL_KEY, an empty text, zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import ZERO_VECTOR, Key, Rotation, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.world import Detected

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

NOTHING = Detected()
NO_FACE = -1
NO_PLACE = Vector(-1.0, -1.0, 0.0)  # TOUCH_INVALID_TEXCOORD


def _one(script: Script, number: int) -> Detected:
    return script.detected[number] if 0 <= number < len(script.detected) else NOTHING


def _touched(script: Script, number: int, fact: str, otherwise: Vector) -> Vector:
    value = _one(script, number).touch.get(fact)
    return value if isinstance(value, Vector) else otherwise


@ll
def llDetectedKey(script: Script, number: int) -> Key:
    """Its key."""
    return _one(script, number).key


@ll
def llDetectedName(script: Script, number: int) -> str:
    """Its name: the legacy name of an avatar."""
    return _one(script, number).name


@ll
def llDetectedOwner(script: Script, number: int) -> Key:
    """The key of its owner; that of an avatar is its own."""
    return _one(script, number).owner


@ll
def llDetectedGroup(script: Script, number: int) -> int:
    """TRUE if it has the group of the script's object."""
    group = _one(script, number).group
    return bool(script.group) and group == script.group and group != NOTHING.group


@ll
def llDetectedRezzer(script: Script, number: int) -> Key:
    """The key of the object whose script rezzed it; NULL_KEY of people, and of what people rezzed."""
    return _one(script, number).rezzer


@ll
def llDetectedType(script: Script, number: int) -> int:
    """What it is: AGENT, ACTIVE, PASSIVE and SCRIPTED added together."""
    return _one(script, number).kind


@ll
def llDetectedLinkNumber(script: Script, number: int) -> int:
    """The link of this object that was touched or hit; 0 in an object of one prim."""
    return _one(script, number).link


@ll
def llDetectedPos(script: Script, number: int) -> Vector:
    """Where it was, in the region."""
    return _one(script, number).position


@ll
def llDetectedVel(script: Script, number: int) -> Vector:
    """Its velocity, in metres a second."""
    return _one(script, number).velocity


@ll
def llDetectedRot(script: Script, number: int) -> Rotation:
    """Its rotation."""
    return _one(script, number).rotation


@ll
def llDetectedGrab(script: Script, number: int) -> Vector:
    """How far the object is being dragged, in the event `touch`."""
    return _one(script, number).grab


@ll
def llDetectedTouchFace(script: Script, number: int) -> int:
    """The face touched; -1 (TOUCH_INVALID_FACE) if the viewer doesn't tell."""
    value = _one(script, number).touch.get("face")
    return value if isinstance(value, int) else NO_FACE


@ll
def llDetectedTouchPos(script: Script, number: int) -> Vector:
    """The point touched, in the region."""
    return _touched(script, number, "position", ZERO_VECTOR)


@ll
def llDetectedTouchNormal(script: Script, number: int) -> Vector:
    """The surface's normal at the point touched."""
    return _touched(script, number, "normal", ZERO_VECTOR)


@ll
def llDetectedTouchBinormal(script: Script, number: int) -> Vector:
    """The direction along the surface in which the texture's height runs, at the point touched."""
    return _touched(script, number, "binormal", ZERO_VECTOR)


@ll
def llDetectedTouchUV(script: Script, number: int) -> Vector:
    """Where on the texture the point touched lies; <-1, -1, 0> (TOUCH_INVALID_TEXCOORD) if the viewer doesn't tell."""
    return _touched(script, number, "uv", NO_PLACE)


@ll
def llDetectedTouchST(script: Script, number: int) -> Vector:
    """Where on the face the point touched lies, 0 to 1; <-1, -1, 0> if the viewer doesn't tell."""
    return _touched(script, number, "st", NO_PLACE)
