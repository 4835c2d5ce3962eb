"""What functions of prims share: the script's own prim, links, places, persons by key.

In the region and at the command line alike a script hangs on a `Prim` of a `World`: functions read it there, and change it
by the actions that viewers' edits go through. A script may change its own linkset whatever its owner may modify.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from uuid import UUID

from protocol.wellknown import NULL
from sim.scripts.language.values import Key, Rotation, Vector

if TYPE_CHECKING:
    from sim.actions.may import Actor
    from sim.region import Region
    from sim.scripts.machine.script import Script
    from sim.world.agent import Agent
    from sim.world.objects import Prim

ROOT, SET, ALL_OTHERS, ALL_CHILDREN, THIS = 1, -1, -2, -3, -4


def prim_of(script: Script) -> Prim:
    return script.world.prim_of(script)


def region_of(script: Script) -> Region:
    return script.world.region


def actor_of(script: Script) -> Actor:
    """The script, which acts in its owner's name on its own linkset and needs no permission there."""
    from sim.actions.may import script_of

    return script_of(prim_of(script))


def linked(prim: Prim, link: int) -> list[Prim]:
    """The prims that a link number or LINK_* names, seen from `prim`."""
    root = prim.linkset_root
    if link == THIS:
        return [prim]
    if link == SET:
        return list(root.linkset())
    if link == ALL_OTHERS:
        return [one for one in root.linkset() if one is not prim]
    if link == ALL_CHILDREN:
        return list(root.children)
    if link in (0, ROOT):
        return [root]
    return root.children[link - 2 : link - 1] if link >= 2 else []


def link_number(prim: Prim) -> int:
    """0 of an object of one prim, 1 of a root, from 2 on of children."""
    if prim.root is None:
        return 1 if prim.children else 0
    return 2 + prim.root.children.index(prim)


def riders(script: Script, prim: Prim) -> list[Agent]:
    """Who sits on the linkset, in the order of their link numbers."""
    seats = region_of(script).world.seats
    return [agent for one in prim.linkset() for agent in seats.on(one)]


def rider_of(script: Script, link: int) -> Agent | None:
    """The person whose link number this is: people who sit come after the prims."""
    prim = prim_of(script)
    number = link - 2 - len(prim.linkset_root.children)
    if number < 0:
        return None
    people = riders(script, prim)
    return people[number] if number < len(people) else None


def uuid_of(key: str) -> UUID:
    """A key as a UUID; the null one when it is none."""
    try:
        return UUID(str(key)) if len(key) == 36 else NULL
    except ValueError:
        return NULL


def key_of(value: UUID) -> Key:
    return Key(str(value))


def avatar(script: Script, key: str) -> Agent | None:
    """The person of that key whose avatar is in the region."""
    agent = region_of(script).world.agents.get(uuid_of(key))
    return agent if agent is not None and agent.root else None


def thing(script: Script, key: str) -> Prim | None:
    """The prim of that key in the region."""
    return region_of(script).world.objects.by_id.get(uuid_of(key))


def place(script: Script, prim: Prim) -> tuple[Vector, Rotation]:
    """Where a prim is in the region, and how it is turned."""
    position, rotation = region_of(script).world.objects.world_place(prim)
    return Vector(*position), Rotation(*rotation)


def finite(value: float, least: float = -math.inf, most: float = math.inf) -> float:
    """The number nearest to a wish within bounds; 0, or the bound next to it, for what is no number."""
    if not math.isfinite(value):
        value = 0.0 if value != value else math.copysign(1e30, value)
    return min(max(value, least), most)


def unit(rotation: Rotation) -> tuple[float, float, float, float]:
    """A rotation as places keep it, of length 1."""
    x, y, z, s = (finite(part, -1e18, 1e18) for part in rotation)
    length = math.hypot(x, y, z, s)
    return (x / length, y / length, z / length, s / length) if length > 1e-12 else (0.0, 0.0, 0.0, 1.0)
