"""What people grant to scripts (llRequestPermissions): who may be asked for what, what is granted without a question, and what
ends by itself.

Source: llRequestPermissions and Script permissions on the LSL wiki.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from protocol.message import Message
from sim.actions import animate
from sim.region import Region
from sim.scripts.controls import Controls
from sim.world.agent import Agent
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

DEBIT, TAKE_CONTROLS, TRIGGER_ANIMATION, ATTACH, CHANGE_LINKS = 0x2, 0x4, 0x10, 0x20, 0x80
TRACK_CAMERA, CONTROL_CAMERA, TELEPORT, SILENT_ESTATE, OVERRIDE_ANIMATIONS = 0x400, 0x800, 0x1000, 0x4000, 0x8000
RETURN_OBJECTS, PRIVILEGED_LAND = 0x10000, 0x80000
GRANTED_SEATED = TAKE_CONTROLS | TRIGGER_ANIMATION | TRACK_CAMERA | CONTROL_CAMERA
GRANTED_WORN = GRANTED_SEATED | ATTACH | OVERRIDE_ANIMATIONS
OWNER_ONLY = DEBIT | CHANGE_LINKS | SILENT_ESTATE | RETURN_OBJECTS | PRIVILEGED_LAND
KNOWN = GRANTED_SEATED | ATTACH | TELEPORT | OVERRIDE_ANIMATIONS | OWNER_ONLY


def of_itself(region: Region, prim: Prim, agent: Agent) -> int:
    """What a script in the prim has of somebody without asking: of who wears its object, or sits on it."""
    worn = prim.linkset_root.worn
    if worn is not None and worn.bearer is agent:
        return GRANTED_WORN
    return GRANTED_SEATED if agent in region.world.seats.on_linkset(prim.linkset_root) else 0


def askable(prim: Prim, agent: Agent, permissions: int) -> int:
    """What somebody may grant of these: some only the object's owner can."""
    return permissions & KNOWN & (~0 if agent.agent_id == prim.owner_id else ~OWNER_ONLY)


class Permits:
    """What ends of what was granted: by the person's wish, or because they stand up."""

    def __init__(self, region: Region, controls: Controls, show: Callable[[Agent, Message], None]) -> None:
        self._region = region
        self._controls = controls
        self._show = show

    def revoke(self, scripts: Iterable[Script], root: Prim, agent: Agent, permissions: int) -> None:
        """The person takes back what they have granted to scripts of an object; what these have started of it stops."""
        for script in scripts:
            if str(script.granter) != str(agent.agent_id):
                continue
            lost = script.granted & permissions
            script.granted &= ~permissions
            if lost & TAKE_CONTROLS:
                self._controls.release(script)
            if lost & CONTROL_CAMERA:
                self._show(agent, clear_camera(UUID(str(script.object_id))))
        if permissions & TRIGGER_ANIMATION:
            for prim in root.linkset():
                animate.stop_all_of(self._region, agent, prim.full_id)
        if permissions & OVERRIDE_ANIMATIONS:
            for state in list(agent.overrides):
                animate.override(self._region, agent, state, None)

    def riders_changed(self, scripts: Iterable[Script], root: Prim) -> None:
        """The camera of who has stood up is their own again."""
        world = self._region.world
        seated = world.seats.on_linkset(root)
        for script in scripts:
            if not script.granted & CONTROL_CAMERA:
                continue
            agent = world.agents.get(UUID(str(script.granter)))
            if agent is None or agent not in seated:
                script.granted &= ~CONTROL_CAMERA
                if agent is not None and agent.root:
                    self._show(agent, clear_camera(UUID(str(script.object_id))))


def clear_camera(object_id: UUID) -> Message:
    """The viewer's camera follows this object's wishes no more."""
    return Message("ClearFollowCamProperties", ObjectData={"ObjectID": object_id})
