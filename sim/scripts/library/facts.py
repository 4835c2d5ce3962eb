"""Facts: who and where the script is, and what it may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import Key
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script


@ll
def llGetKey(script: Script) -> Key:
    """The key of the prim that the script is in."""
    return script.object_id


@ll
def llGetOwner(script: Script) -> Key:
    """The key of the object's owner."""
    return script.owner


@ll
def llGetObjectName(script: Script) -> str:
    """The name of the prim that the script is in."""
    return script.world.object_name(script)


@ll
def llGetRegionName(script: Script) -> str:
    """The name of the region."""
    return script.world.region_name(script)


@ll
def llGetRegionTimeDilation(script: Script) -> float:
    """How much of real time the region's physics keeps up with: 1 is all of it."""
    return script.world.time_dilation(script)


@ll
def llRequestPermissions(script: Script, avatar: Key, permissions: int) -> None:
    """Asks an avatar for PERMISSION_*; the answer comes as run_time_permissions and replaces earlier grants."""
    script.world.ask_permissions(script, avatar, permissions)


@ll
def llGetPermissions(script: Script) -> int:
    """The permissions granted to the script, PERMISSION_* added together."""
    return script.granted


@ll
def llGetPermissionsKey(script: Script) -> Key:
    """The avatar that granted them, NULL_KEY if nobody did."""
    return script.granter
