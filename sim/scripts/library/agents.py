"""People in the region: who is here, what they are called, how they stand.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.wellknown import NULL
from sim.scripts.language.values import NULL_KEY, ZERO_VECTOR, Item, Key, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.things import avatar, key_of, place, prim_of, region_of, uuid_of
from sim.world.seats import ON_OBJECT

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

FLYING, SITTING, ON_THING, WALKING, IN_AIR, CROUCHING, ALWAYS_RUN = 0x1, 0x10, 0x20, 0x80, 0x100, 0x400, 0x1000
ATTACHMENTS, SCRIPTED = 0x2, 0x4
RUN_SPEED = 0.1  # metres a second from which on somebody walks
DOWN = 0x8  # control bit of moving down
IN_PARCEL, OF_PARCEL_OWNER, IN_REGION = 1, 2, 4


@ll(lacks="knows nothing of typing, away, busy and mouselook")
def llGetAgentInfo(script: Script, id: Key) -> int:
    """What an avatar in the region does: AGENT_* added together; 0 when there is none."""
    agent = avatar(script, id)
    if agent is None:
        return 0
    row = region_of(script).world.row(agent)
    x, y, _ = row["velocity"].tolist()
    info = 0
    if row["flying"]:
        info |= FLYING
    if agent.worn:
        info |= ATTACHMENTS
    if any(prim.scripted for root in agent.worn for prim in root.linkset()):
        info |= SCRIPTED
    if row["sitting"]:
        info |= SITTING
    if row["sitting"] == ON_OBJECT:
        info |= ON_THING
    if not row["on_ground"] and not row["sitting"]:
        info |= IN_AIR
    if row["on_ground"] and not row["sitting"]:
        if x * x + y * y > RUN_SPEED**2:
            info |= WALKING
        elif int(row["controls"]) & DOWN:
            info |= CROUCHING
    if row["running"]:
        info |= ALWAYS_RUN
    return info


@ll
def llGetAgentSize(script: Script, id: Key) -> Vector:
    """The size of an avatar in the region, <depth, width, height>; ZERO_VECTOR when there is none."""
    agent = avatar(script, id)
    return Vector(*agent.appearance.size) if agent is not None else ZERO_VECTOR


@ll
def llGetAgentList(script: Script, scope: int, options: list[Item]) -> list[Item]:
    """The keys of avatars in the script's parcel (AGENT_LIST_PARCEL), in all parcels of its owner, or in the region.

    At most 100 and in no order. Another scope gives ["INVALID_SCOPE"].
    """
    world = region_of(script).world
    if scope not in (IN_PARCEL, OF_PARCEL_OWNER, IN_REGION):
        return ["INVALID_SCOPE"]
    here = world.parcel_at(*place(script, prim_of(script))[0][:2])
    found: list[Item] = []
    for agent in world.roots():
        there = world.parcel_at(*world.position(agent)[:2])
        if scope == IN_REGION or there is here or (scope == OF_PARCEL_OWNER and there.owner_id == here.owner_id):
            found.append(key_of(agent.agent_id))
            if len(found) == 100:
                break
    return found


@ll
def llGetRegionAgentCount(script: Script) -> int:
    """How many avatars are in the region."""
    return sum(1 for _ in region_of(script).world.roots())


@ll(lacks="people have no display names: gives the legacy name")
def llGetDisplayName(script: Script, id: Key) -> str:
    """The display name of somebody in the region; empty when nobody is."""
    agent = avatar(script, id)
    return (agent.first if agent.last == "Resident" else agent.name) if agent is not None else ""


def username(first: str, last: str) -> str:
    """A legacy name as a user name: `first.last` in small letters, without a last name of Resident."""
    return first.lower() if last == "Resident" else f"{first}.{last}".lower()


@ll
def llGetUsername(script: Script, id: Key) -> str:
    """The user name of somebody in the region, first.last in small letters; empty when nobody is."""
    agent = avatar(script, id)
    return username(agent.first, agent.last) if agent is not None else ""


@ll(lacks="finds only people who are in the region")
def llName2Key(script: Script, name: str) -> Key:
    """The key of the person of that name, legacy or user name, in the region; NULL_KEY when there is none."""
    wanted = name.lower().replace(".", " ").strip()
    for agent in region_of(script).world.roots():
        if wanted in (agent.name.lower(), username(agent.first, agent.last).replace(".", " ")):
            return key_of(agent.agent_id)
    return NULL_KEY


@ll
def llOverMyLand(script: Script, id: Key) -> int:
    """TRUE if an avatar or object in the region is over land of the owner of the script's object."""
    world = region_of(script).world
    agent, prim = avatar(script, id), world.objects.by_id.get(uuid_of(id))
    if agent is None and prim is None:
        return False
    x, y = world.position(agent)[:2] if agent is not None else world.objects.world_place(prim)[0][:2]  # type: ignore[arg-type]
    owner = prim_of(script).owner_id
    return owner != NULL and world.parcel_at(x, y).owner_id == owner
