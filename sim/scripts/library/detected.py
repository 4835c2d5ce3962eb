"""What touched, bumped into or was sensed: llDetected* of the event that is running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import NULL_KEY, ZERO_ROTATION, ZERO_VECTOR, Key, Rotation, Vector
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.library.world import Detected
    from sim.scripts.machine.script import Script

NO_TOUCH = Vector(-1.0, -1.0, 0.0)  # TOUCH_INVALID_TEXCOORD
NO_FACE = -1  # TOUCH_INVALID_FACE


def _one(script: Script, number: int) -> Detected | None:
    return script.detected[number] if 0 <= number < len(script.detected) else None


def _touch(script: Script, number: int, name: str, default: Vector) -> Vector:
    one = _one(script, number)
    value = default if one is None else one.touch.get(name, default)
    return value if isinstance(value, Vector) else default


@ll
def llDetectedKey(script: Script, number: int) -> Key:
    """The key of the object or avatar; NULL_KEY when there is no such entry."""
    one = _one(script, number)
    return NULL_KEY if one is None else one.key


@ll
def llDetectedName(script: Script, number: int) -> str:
    """Its name; an empty text when there is no such entry."""
    one = _one(script, number)
    return "" if one is None else one.name


@ll
def llDetectedOwner(script: Script, number: int) -> Key:
    """The key of its owner; an avatar is its own."""
    one = _one(script, number)
    return NULL_KEY if one is None else one.owner


@ll
def llDetectedGroup(script: Script, number: int) -> int:
    """Whether it has the same active group as the script's object."""
    one = _one(script, number)
    return int(one is not None and one.group != NULL_KEY and one.group == script.group)


@ll
def llDetectedType(script: Script, number: int) -> int:
    """What it is, as a sum of AGENT, ACTIVE, PASSIVE and SCRIPTED; 0 when there is no such entry."""
    one = _one(script, number)
    return 0 if one is None else one.kind


@ll
def llDetectedLinkNumber(script: Script, number: int) -> int:
    """The link number of the prim that was touched or hit."""
    one = _one(script, number)
    return 0 if one is None else one.link


@ll
def llDetectedPos(script: Script, number: int) -> Vector:
    """Where it was, in region coordinates, when the event arose."""
    one = _one(script, number)
    return ZERO_VECTOR if one is None else one.position


@ll
def llDetectedVel(script: Script, number: int) -> Vector:
    """How fast it was moving."""
    one = _one(script, number)
    return ZERO_VECTOR if one is None else one.velocity


@ll
def llDetectedRot(script: Script, number: int) -> Rotation:
    """How it was turned."""
    one = _one(script, number)
    return ZERO_ROTATION if one is None else one.rotation


@ll
def llDetectedGrab(script: Script, number: int) -> Vector:
    """How far a grabbed object has been dragged since the touch began."""
    one = _one(script, number)
    return ZERO_VECTOR if one is None else one.grab


@ll
def llDetectedTouchFace(script: Script, index: int) -> int:
    """The face that was touched; TOUCH_INVALID_FACE when the viewer did not say."""
    one = _one(script, index)
    face = NO_FACE if one is None else one.touch.get("face", NO_FACE)
    return face if isinstance(face, int) else NO_FACE


@ll
def llDetectedTouchPos(script: Script, index: int) -> Vector:
    """Where the surface was touched, in region coordinates."""
    return _touch(script, index, "position", ZERO_VECTOR)


@ll
def llDetectedTouchNormal(script: Script, index: int) -> Vector:
    """The surface's normal where it was touched."""
    return _touch(script, index, "normal", ZERO_VECTOR)


@ll
def llDetectedTouchBinormal(script: Script, index: int) -> Vector:
    """The surface's binormal where it was touched."""
    return _touch(script, index, "binormal", ZERO_VECTOR)


@ll
def llDetectedTouchUV(script: Script, index: int) -> Vector:
    """The texture coordinates that were touched, with the face's texture transform; TOUCH_INVALID_TEXCOORD if unknown."""
    return _touch(script, index, "uv", NO_TOUCH)


@ll
def llDetectedTouchST(script: Script, index: int) -> Vector:
    """The surface coordinates that were touched, 0 to 1 over the face; TOUCH_INVALID_TEXCOORD if unknown."""
    return _touch(script, index, "st", NO_TOUCH)
