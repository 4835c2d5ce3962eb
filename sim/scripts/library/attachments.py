"""What people wear: on which point the script's object hangs, putting it on and taking it off, what somebody else wears.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.attachment_points import HUD
from sim.scripts.language.values import Item, Key
from sim.scripts.library.declare import ll
from sim.scripts.library.things import avatar, key_of, prim_of, region_of, uuid_of

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.agent import Agent

INCLUDE = 1
ANY_HUD = -1


@ll
def llGetAttached(script: Script) -> int:
    """The attachment point, ATTACH_*, that the object is worn on; 0 when it stands in the region."""
    root = prim_of(script).linkset_root
    return root.attach_point if root.worn is not None else 0


@ll
def llAttachToAvatar(script: Script, attach_point: int) -> None:
    """Has its owner wear the object; 0 is the point that it hung on last. It becomes an item of their inventory.

    Needs PERMISSION_ATTACH of the owner. The attach event tells that it happened.
    """
    if script.granter != script.owner:
        script.complain("llAttachToAvatar: only the owner can wear it so")
        return
    script.world.wear(script, attach_point, False)


@ll
def llAttachToAvatarTemp(script: Script, attach_point: int) -> None:
    """Has whoever granted PERMISSION_ATTACH wear the object for a while: it becomes no item, and is gone when it is taken off.

    It is theirs from then on, so that its owner must be able to transfer it where that is somebody else.
    """
    script.world.wear(script, attach_point, True)


@ll
def llDetachFromAvatar(script: Script) -> None:
    """Takes the object off, into the inventory. Needs PERMISSION_ATTACH."""
    script.world.take_off(script)


def _worn(script: Script, id: Key) -> tuple[Agent | None, list[Item]]:
    """Somebody whose avatar is in the region, or what the functions say of who is not."""
    agent = avatar(script, id)
    if agent is not None:
        return agent, []
    looks_in = region_of(script).world.agents.get(uuid_of(id)) is not None
    return None, ["NOT ON REGION" if looks_in else "NOT FOUND"]


@ll
def llGetAttachedList(script: Script, avatar: Key) -> list[Item]:
    """The keys of what an avatar in the region wears, in the order in which it was put on; nothing of its screen (HUD).

    ["NOT ON REGION"] for one that only looks in, ["NOT FOUND"] for none at all.
    """
    agent, failure = _worn(script, avatar)
    if agent is None:
        return failure
    return [key_of(root.full_id) for root in agent.worn if root.attach_point not in HUD]


@ll(lacks="gives no HUDs: there are no experiences that would have to allow it")
def llGetAttachedListFiltered(script: Script, avatar: Key, options: list[Item]) -> list[Item]:
    """As llGetAttachedList, of these attachment points only: [FILTER_INCLUDE, point] as often as wanted; without, of all."""
    agent, failure = _worn(script, avatar)
    if agent is None:
        return failure
    wanted = [options[at + 1] for at in range(0, len(options) - 1, 2) if options[at] == INCLUDE]
    script.spend(len(options))
    points = {point for point in wanted if isinstance(point, int)}
    public = [root for root in agent.worn if root.attach_point not in HUD]
    return [key_of(root.full_id) for root in public if not wanted or root.attach_point in points]
