"""Cameras: of people who let a script move theirs or see where it is, and of who sits on a prim.

Source of all: the functions' pages on the LSL wiki; the ranges are those of llSetCameraParams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from protocol.message import Message
from sim.scripts.language.values import ZERO_ROTATION, ZERO_VECTOR, Item, Key, Rotation, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.rotations import llAxes2Rot
from sim.scripts.library.things import actor_of, avatar, finite, linked, prim_of, region_of
from sim.world.changes import What
from sim.world.rare import FARTHEST

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.agent import Agent
    from sim.world.objects import Prim

# CAMERA_*: number -> least and most of a float; of a flag none; vectors are sent as three numbers behind their own.
FLOATS = {
    0: (-45.0, 80.0), 5: (0.0, 3.0), 6: (0.0, 3.0), 7: (0.5, 50.0), 8: (0.0, 180.0), 9: (0.0, 3.0), 10: (0.0, 4.0), 11: (0.0, 4.0),
}  # fmt: skip
FLAGS = (12, 21, 22)
VECTORS = {1: 10.0, 13: 1e6, 17: 1e6}  # focus offset, position, focus: the most of a part
MOST_RULES = 64


def _rules(script: Script, rules: list[Item]) -> list[dict[str, float]] | None:
    """The properties that viewers are told; None, and a complaint, when the list is wrong."""
    told: list[dict[str, float]] = []
    if len(rules) > 2 * MOST_RULES:
        script.complain(f"llSetCameraParams: more than {MOST_RULES} rules")
        return None
    for at in range(0, len(rules) - 1, 2):
        kind, value = rules[at], rules[at + 1]
        if not isinstance(kind, int) or kind not in (*FLOATS, *FLAGS, *VECTORS):
            script.complain(f"llSetCameraParams: there is no rule {str(kind)[:20]}")
            return None
        if kind in VECTORS and isinstance(value, Vector):
            most = VECTORS[kind]
            told += [{"Type": kind + 1 + n, "Value": finite(part, -most, most)} for n, part in enumerate(value)]
        elif kind not in VECTORS and isinstance(value, int | float):
            least, most = FLOATS.get(kind, (0.0, 1.0))
            told.append({"Type": kind, "Value": finite(float(bool(value)) if kind in FLAGS else float(value), least, most)})
        else:
            script.complain(f"llSetCameraParams: the value of rule {kind} is of a wrong type")
            return None
    return told


@ll
def llSetCameraParams(script: Script, rules: list[Item]) -> None:
    """How the camera of whoever granted PERMISSION_CONTROL_CAMERA moves: [CAMERA_ACTIVE, 1, CAMERA_DISTANCE, 5.0 ...].

    Numbers are held within their ranges.
    """
    agent, told = avatar(script, script.granter), _rules(script, rules)
    if agent is not None and told:
        data = {"ObjectID": UUID(str(script.object_id))}
        script.world.viewers.show(agent, Message("SetFollowCamProperties", ObjectData=data, CameraProperty=told))


@ll
def llClearCameraParams(script: Script) -> None:
    """The camera of whoever granted PERMISSION_CONTROL_CAMERA is its own again."""
    agent = avatar(script, script.granter)
    if agent is not None:
        data = {"ObjectID": UUID(str(script.object_id))}
        script.world.viewers.show(agent, Message("ClearFollowCamProperties", ObjectData=data))


# --- where it is


def _tracked(script: Script) -> Agent | None:
    return avatar(script, script.granter)


@ll
def llGetCameraPos(script: Script) -> Vector:
    """Where the camera of whoever granted PERMISSION_TRACK_CAMERA is, in the region."""
    agent = _tracked(script)
    return Vector(*agent.camera.center) if agent is not None else ZERO_VECTOR


@ll
def llGetCameraRot(script: Script) -> Rotation:
    """How the camera of whoever granted PERMISSION_TRACK_CAMERA is turned: it looks along its x axis."""
    agent = _tracked(script)
    if agent is None:
        return ZERO_ROTATION
    camera = agent.camera
    return llAxes2Rot(script, Vector(*camera.at), Vector(*camera.left), Vector(*camera.up))


@ll
def llGetCameraFOV(script: Script) -> float:
    """The vertical angle, in radians, that the camera of whoever granted PERMISSION_TRACK_CAMERA sees."""
    agent = _tracked(script)
    return agent.screen.field_of_view if agent is not None else 0.0


@ll
def llGetCameraAspect(script: Script) -> float:
    """The width of the window of whoever granted PERMISSION_TRACK_CAMERA, over its height."""
    agent = _tracked(script)
    return agent.screen.width / agent.screen.height if agent is not None and agent.screen.height else 0.0


# --- of who sits on the prim


def _seat(script: Script, prims: list[Prim], **values: object) -> None:
    from sim.actions import edit

    for prim in prims:
        edit.rare(region_of(script), actor_of(script), prim, What.SEAT, **values)


def _offset(offset: Vector) -> tuple[float, float, float]:
    x, y, z = (finite(part, -FARTHEST, FARTHEST) for part in offset)
    return x, y, z


@ll
def llSetCameraEyeOffset(script: Script, offset: Vector) -> None:
    """Where the camera of whoever sits down on the prim is, in the prim's axes."""
    _seat(script, [prim_of(script)], camera_eye=_offset(offset))


@ll
def llSetCameraAtOffset(script: Script, offset: Vector) -> None:
    """Where the camera of whoever sits down on the prim looks, in the prim's axes."""
    _seat(script, [prim_of(script)], camera_at=_offset(offset))


@ll
def llSetLinkCamera(script: Script, link: int, eye: Vector, at: Vector) -> None:
    """Where the camera of whoever sits down on a prim of the object is and looks, in that prim's axes."""
    _seat(script, linked(prim_of(script), link), camera_eye=_offset(eye), camera_at=_offset(at))


@ll
def llForceMouselook(script: Script, mouselook: int) -> None:
    """Whether whoever sits down on the prim looks around with the mouse."""
    _seat(script, [prim_of(script)], mouselook=bool(mouselook))


# --- that were given up


@ll
def llTakeCamera(script: Script, avatar_id: Key) -> None:
    """Does nothing any more; llSetCameraParams took its place."""


@ll
def llReleaseCamera(script: Script, avatar_id: Key) -> None:
    """Does nothing any more; llClearCameraParams took its place."""
