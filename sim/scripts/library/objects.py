"""The object itself: names, links, owner, flags, text over it, its end.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import NULL_KEY, Key, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.things import (
    actor_of,
    avatar,
    finite,
    key_of,
    link_number,
    linked,
    prim_of,
    region_of,
    rider_of,
    riders,
    thing,
)
from sim.scripts.machine.failures import Died

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

PHYSICS, PHANTOM = 0x1, 0x10  # STATUS_*
ROTATE = 0x2 | 0x4 | 0x8  # STATUS_ROTATE_X, _Y, _Z: on unless they are switched off
KEPT = 0x20 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800  # the other STATUS_* that are kept


@ll
def llGetObjectDesc(script: Script) -> str:
    """The description of the prim."""
    return prim_of(script).description


@ll
def llSetObjectName(script: Script, name: str) -> None:
    """Names the prim; at most 63 bytes are kept."""
    rename(script, prim_of(script), name)


def rename(script: Script, prim: Prim, name: str) -> None:
    from sim.actions import edit

    edit.name(region_of(script), actor_of(script), prim, printable(name))


def printable(text: str) -> str:
    """A name or description as the world keeps it: no control characters, no bar."""
    return "".join([letter if letter >= " " and letter not in "|\x7f" else "?" for letter in text])


@ll
def llSetObjectDesc(script: Script, description: str) -> None:
    """Describes the prim; at most 127 bytes are kept."""
    describe(script, prim_of(script), description)


def describe(script: Script, prim: Prim, description: str) -> None:
    from sim.actions import edit

    edit.description(region_of(script), actor_of(script), prim, printable(description))


@ll
def llGetLinkNumber(script: Script) -> int:
    """The number of the prim in its object: 0 when it is alone, 1 for the root, from 2 on for children."""
    return link_number(prim_of(script))


@ll
def llGetNumberOfPrims(script: Script) -> int:
    """How many prims the object has, with the people who sit on it."""
    prim = prim_of(script)
    return 1 + len(prim.linkset_root.children) + len(riders(script, prim))


@ll
def llGetObjectPrimCount(script: Script, object_id: Key) -> int:
    """How many prims an object in the region has, without people; 0 when there is none of that key."""
    prim = thing(script, object_id)
    return 1 + len(prim.linkset_root.children) if prim is not None else 0


@ll
def llGetLinkKey(script: Script, link: int) -> Key:
    """The key of a prim of the object, or of a person who sits on it; NULL_KEY when there is no such link."""
    agent = rider_of(script, link)
    if agent is not None:
        return key_of(agent.agent_id)
    found = linked(prim_of(script), link)
    return key_of(found[0].full_id) if found else NULL_KEY


@ll
def llGetLinkName(script: Script, link: int) -> str:
    """The name of a prim of the object, or of a person who sits on it; NULL_KEY as a text when there is no such link."""
    agent = rider_of(script, link)
    if agent is not None:
        return agent.name
    found = linked(prim_of(script), link)
    return found[0].name if found else str(NULL_KEY)


@ll
def llGetOwnerKey(script: Script, id: Key) -> Key:
    """The owner of an object in the region; any other key is given back as it is."""
    prim = thing(script, id)
    return key_of(prim.owner_id) if prim is not None else id


@ll
def llGetCreator(script: Script) -> Key:
    """Who made the prim."""
    return key_of(prim_of(script).creator_id)


@ll
def llKey2Name(script: Script, id: Key) -> str:
    """The name of an object, or the legacy name of an avatar, in the region; empty when there is none."""
    prim = thing(script, id)
    if prim is not None:
        return prim.name
    agent = avatar(script, id)
    return agent.name if agent is not None else ""


@ll
def llSameGroup(script: Script, id: Key) -> int:
    """TRUE if the object or avatar in the region has the group of the script's prim."""
    ours = prim_of(script).group_id
    prim = thing(script, id)
    if prim is not None:
        return prim.group_id == ours
    agent = avatar(script, id)
    return agent is not None and (ours in agent.groups if ours.int else not agent.groups)


# --- flags

LOCKS = "STATUS_SANDBOX, _CAST_SHADOWS, _BLOCK_GRAB, _BLOCK_GRAB_OBJECT, _RETURN_AT_EDGE and _DIE_AT_NO_ENTRY are kept and do nothing"


@ll(lacks=LOCKS)
def llSetStatus(script: Script, status: int, value: int) -> None:
    """Sets STATUS_* flags of the object, one or more at once. Without STATUS_ROTATE_X, _Y or _Z it does not turn about that axis.

    What is moved by keyframes is stopped before it becomes physical.
    """
    from sim.actions import edit
    from sim.scripts.library.motion import drive

    root = prim_of(script).linkset_root
    if status & PHYSICS and value and root.drives.keyframes is not None:
        script.world.rooms.keyframes.end(root)
    flags = edit.Flags(
        physical=bool(value) if status & PHYSICS else None, phantom=bool(value) if status & PHANTOM else None
    )
    if status & (PHYSICS | PHANTOM):
        edit.flags(region_of(script), actor_of(script), root, flags)
    locks, kept = status & ROTATE, status & KEPT
    if locks:
        drive(script, locks=root.drives.locks & ~locks if value else root.drives.locks | locks)
    if kept:
        drive(script, status=root.drives.status | kept if value else root.drives.status & ~kept)


@ll(lacks=LOCKS)
def llGetStatus(script: Script, status: int) -> int:
    """Whether a STATUS_* flag of the object is set."""
    root = prim_of(script).linkset_root
    if status & ROTATE:
        return not root.drives.locks & status
    return (
        root.physical if status == PHYSICS else root.phantom if status == PHANTOM else bool(root.drives.status & status)
    )


@ll
def llSetClickAction(script: Script, action: int) -> None:
    """What a click on the prim does, CLICK_ACTION_*."""
    click(script, prim_of(script), action)


def click(script: Script, prim: Prim, action: int) -> None:
    from sim.actions import edit

    if 0 <= action <= 9:
        edit.click_action(region_of(script), actor_of(script), prim, action)


# --- text


@ll
def llSetText(script: Script, text: str, color: Vector, alpha: float) -> None:
    """Shows a text over the prim, at most 254 bytes; empty takes it away. Colour and alpha are 0 to 1."""
    float_text(script, prim_of(script), text, color, alpha)


def float_text(script: Script, prim: Prim, text: str, color: Vector, alpha: float) -> None:
    from protocol.objects import pack_text_color
    from sim.actions import edit

    shade = pack_text_color([finite(part, 0.0, 1.0) for part in (*color, alpha)])
    edit.floating_text(region_of(script), actor_of(script), prim, text, shade)


@ll
def llDie(script: Script) -> None:
    """Takes the whole object out of the world, for good. Nothing after it runs."""
    raise Died
