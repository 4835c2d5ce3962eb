"""Sitting: where avatars sit on a prim, who does, and making them stand up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import Key, Rotation, Vector
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

THIS = -4
FARTHEST = 300.0  # metres along each axis


def _target(script: Script, link: int, offset: Vector, turn: Rotation) -> None:
    x, y, z = (min(max(part, -FARTHEST), FARTHEST) for part in offset)
    script.world.set_sit_target(script, link, Vector(x, y, z), turn)


@ll
def llSitTarget(script: Script, offset: Vector, rot: Rotation) -> None:
    """Sets where and facing which way one avatar sits on this prim, in its axes; ZERO_VECTOR takes the target away.

    At most 300 m along each axis. The target stays with the prim when the script goes.
    """
    _target(script, THIS, offset, rot)


@ll
def llLinkSitTarget(script: Script, link: int, offset: Vector, rot: Rotation) -> None:
    """Sets the sit target of a prim of the linkset, or of several by LINK_*."""
    _target(script, link, offset, rot)


@ll
def llAvatarOnSitTarget(script: Script) -> Key:
    """The avatar on this prim's sit target, NULL_KEY when there is none or the prim has no target."""
    return script.world.avatar_on_sit_target(script, THIS)


@ll
def llAvatarOnLinkSitTarget(script: Script, link: int) -> Key:
    """The avatar on the sit target of a prim of the linkset, NULL_KEY when there is none."""
    return script.world.avatar_on_sit_target(script, link)


@ll
def llUnSit(script: Script, id: Key) -> None:
    """Makes an avatar stand up that sits on this linkset, or on anything over land of the object's owner."""
    script.world.unsit(script, id)
