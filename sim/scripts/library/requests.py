"""What the grid is asked of people and regions; the answers come as dataserver events.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from protocol.wellknown import NULL
from sim.scripts.answers import Room, answers
from sim.scripts.language.values import NULL_KEY, Key, Vector, to_string
from sim.scripts.library.agents import username
from sim.scripts.library.declare import ll
from sim.scripts.library.things import key_of, uuid_of

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

ONLINE, NAME, BORN, RATING, SIM_POS, SIM_STATUS, SIM_RATING, PAYINFO = 1, 2, 3, 4, 5, 6, 7, 8  # DATA_*
RATINGS = {13: "PG", 21: "MATURE", 42: "ADULT"}


@answers("agent data")
async def agent_data(room: Room, owner: Key, person: str, data: int) -> str | None:
    agent_id = UUID(person)
    if data == ONLINE:
        if await room.services.name(agent_id) is None:
            return None
        return str(int(await room.services.online(agent_id, uuid_of(owner))))
    if data == NAME:
        name = await room.services.name(agent_id)
        return " ".join(name) if name is not None else None
    born = await room.services.born(agent_id)
    if born is None:
        return None
    if data == BORN:
        return datetime.fromtimestamp(born, UTC).date().isoformat()
    return {RATING: "0,0,0,0,0,0", PAYINFO: "0"}.get(data)


@answers("user name")
async def user_name(room: Room, owner: Key, person: str) -> str | None:
    name = await room.services.name(UUID(person))
    return username(*name) if name is not None else None


@answers("display name")
async def display_name(room: Room, owner: Key, person: str) -> str | None:
    name = await room.services.name(UUID(person))
    return None if name is None else name[0] if name[1] == "Resident" else " ".join(name)


@answers("user key")
async def user_key(room: Room, owner: Key, name: str) -> str | None:
    first, _, last = name.replace(".", " ").strip().partition(" ")
    found = await room.services.find_person(f"{first} {last.strip() or 'Resident'}") if first else None
    return str(found if found is not None else NULL)


@answers("simulator data")
async def simulator_data(room: Room, owner: Key, region: str, data: int) -> str | None:
    found = await room.services.region_named(region)
    if data == SIM_POS:
        return to_string(Vector(float(found.corner[0]), float(found.corner[1]), 0.0)) if found is not None else None
    if data == SIM_STATUS:
        return "unknown" if found is None else "up" if found.up else "down"
    if data == SIM_RATING:
        return RATINGS.get(found.access, "UNKNOWN") if found is not None else "UNKNOWN"
    return None


def _of_person(script: Script, person: Key, kind: str, *more: int) -> Key:
    agent_id = uuid_of(person)
    return script.world.answers.ask(script, kind, key_of(agent_id), *more) if agent_id != NULL else NULL_KEY


@ll(lacks="nobody here has payment information")
def llRequestAgentData(script: Script, id: Key, data: int) -> Key:
    """Asks DATA_ONLINE, DATA_NAME, DATA_BORN or DATA_PAYINFO of a person anywhere; the answer is a dataserver event with this key.

    Who is online is told as far as the object's owner may know. Nothing is answered of who does not exist. Sleeps 0.1 s.
    """
    if data not in (ONLINE, NAME, BORN, RATING, PAYINFO):
        script.complain("llRequestAgentData: there is no such data of agents")
        return NULL_KEY
    return _of_person(script, id, "agent data", data)


@ll
def llRequestUsername(script: Script, id: Key) -> Key:
    """Asks for the user name of a person anywhere; the answer is a dataserver event with this key."""
    return _of_person(script, id, "user name")


@ll(lacks="people have no display names: gives the legacy name")
def llRequestDisplayName(script: Script, id: Key) -> Key:
    """Asks for the display name of a person anywhere; the answer is a dataserver event with this key."""
    return _of_person(script, id, "display name")


@ll
def llRequestUserKey(script: Script, username: str) -> Key:
    """Asks for the key of the person of a user name, "first.last", "First Last" or "first"; the answer is a dataserver event with
    this key: NULL_KEY when there is nobody."""
    return script.world.answers.ask(script, "user key", username[:127])


@ll
def llRequestSimulatorData(script: Script, region: str, data: int) -> Key:
    """Asks DATA_SIM_POS, DATA_SIM_STATUS or DATA_SIM_RATING of a region; the answer is a dataserver event with this key. Sleeps 1 s."""
    if data not in (SIM_POS, SIM_STATUS, SIM_RATING):
        script.complain("llRequestSimulatorData: there is no such data of regions")
        return NULL_KEY
    return script.world.answers.ask(script, "simulator data", region[:63], data)
