"""Targets: being told when the object is where, or turned as, it should be.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import Rotation, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.things import finite, unit

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script


@ll
def llTarget(script: Script, position: Vector, range: float) -> int:
    """Watches whether the object is within a range of a place; a handle for llTargetRemove.

    at_target comes again and again while it is, not_at_target while it is at none of the script's targets; at most 8 are kept.
    """
    spot = Vector(*[finite(part, -1e6, 1e6) for part in position])
    handle = script.senses.add(script.senses.targets, (spot, finite(range, 0.0, 1e6)))
    script.world.rooms.targets.watch(script)
    return handle


@ll
def llTargetRemove(script: Script, handle: int) -> None:
    """Ends a target of llTarget."""
    script.senses.targets.pop(handle, None)
    script.world.rooms.targets.watch(script)


@ll
def llRotTarget(script: Script, rot: Rotation, error: float) -> int:
    """Watches whether the object is turned as a rotation but for an error in radians; a handle for llRotTargetRemove.

    at_rot_target and not_at_rot_target come as those of llTarget do.
    """
    handle = script.senses.add(script.senses.turns, (Rotation(*unit(rot)), finite(error, 0.0, 4.0)))
    script.world.rooms.targets.watch(script)
    return handle


@ll
def llRotTargetRemove(script: Script, handle: int) -> None:
    """Ends a target of llRotTarget."""
    script.senses.turns.pop(handle, None)
    script.world.rooms.targets.watch(script)
