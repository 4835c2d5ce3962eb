"""Collisions, and what the object is to physics: filters, volume detection, sounds, material; rays through the world.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sim.scripts.language.values import NULL_KEY, Item, Key, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.motion import drive_prim
from sim.scripts.library.things import actor_of, finite, key_of, link_number, prim_of, region_of, uuid_of
from sim.scripts.machine.senses import Filter

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

DENSITY, FRICTION, RESTITUTION, GRAVITY = 1, 2, 4, 8  # mask of llSetPhysicsMaterial


@ll
def llCollisionFilter(script: Script, name: str, id: Key, accept: int) -> None:
    """Of whom this script's collision events tell: only those of a name and key, or (accept FALSE) all but those."""
    script.senses.filter = Filter(name, id, bool(accept))


@ll
def llPassCollisions(script: Script, passes: int) -> None:
    """Whether collisions of this child go to the root's scripts, too: PASS_IF_NOT_HANDLED, PASS_ALWAYS or PASS_NEVER."""
    drive_prim(script, prim_of(script), passes=passes if passes in (0, 1, 2) else 0)


@ll
def llVolumeDetect(script: Script, detect: int) -> None:
    """Makes the object something that all pass through, and that is told who comes (collision_start) and goes (collision_end)."""
    from sim.actions import edit

    edit.flags(region_of(script), actor_of(script), prim_of(script), edit.Flags(volume_detect=bool(detect)))


@ll
def llCollisionSound(script: Script, impact_sound: str, impact_volume: float) -> None:
    """The sound that the object makes when it hits something; an empty one at volume 0 makes none.

    A sound of the prim's contents by its name, or any by its key.
    """
    from protocol.wellknown import AssetType

    prim = prim_of(script)
    found = next(
        (item.asset_id for item in prim.contents if item.name == impact_sound and item.asset_type == AssetType.SOUND),
        None,
    )
    sound = str(found or uuid_of(impact_sound)) if impact_sound else ""
    drive_prim(script, prim.linkset_root, sound=sound, volume=finite(impact_volume, 0.0, 1.0))
    script.world.rooms.heed(prim)


@ll
def llCollisionSprite(script: Script, impact_sprite: str) -> None:
    """Does nothing, as in Second Life."""


# --- material


@ll
def llSetPhysicsMaterial(
    script: Script, mask: int, gravity_multiplier: float, restitution: float, friction: float, density: float
) -> None:
    """Sets those of gravity multiplier, restitution, friction and density (kg a cubic metre) that the mask names, of the root."""
    from sim.actions import edit

    root = prim_of(script).linkset_root
    given: dict[str, Any] = {}
    for bit, name, value in (
        (GRAVITY, "gravity", gravity_multiplier), (RESTITUTION, "restitution", restitution), (FRICTION, "friction", friction),
        (DENSITY, "density", density),
    ):  # fmt: skip
        if mask & bit:
            given[name] = value
    edit.features(region_of(script), actor_of(script), root, replace(root.features, **given))


@ll
def llGetPhysicsMaterial(script: Script) -> list[Item]:
    """[gravity multiplier, restitution, friction, density] of the root."""
    made = prim_of(script).linkset_root.features
    return [made.gravity, made.restitution, made.friction, made.density]


# --- rays

REJECT_TYPES, DETECT_PHANTOM, DATA_FLAGS, MAX_HITS = 0, 1, 2, 3  # RC_*
NO_AGENTS, NO_PHYSICAL, NO_NONPHYSICAL, NO_LAND = 1, 2, 4, 8  # RC_REJECT_*
GET_NORMAL, GET_ROOT_KEY, GET_LINK_NUM = 1, 2, 4  # RC_GET_*
MOST_HITS, LONGEST = 256, 4096.0
RAY_COST = 6000  # checkpoints; a ray across a full region


def _ray_options(options: list[Item]) -> dict[int, int]:
    found = {REJECT_TYPES: 0, DETECT_PHANTOM: 0, DATA_FLAGS: 0, MAX_HITS: 1}
    for at in range(0, len(options) - 1, 2):
        name, value = options[at], options[at + 1]
        if isinstance(name, int) and name in found and isinstance(value, int):
            found[name] = value
    return found


@ll(lacks="of a linkset that is one body only the nearest of its prims is hit")
def llCastRay(script: Script, start_pos: Vector, end_pos: Vector, options: list[Item]) -> list[Item]:
    """What lies on the way from one place to another, the nearest first: [key, position, ..., how many].

    Options: RC_REJECT_TYPES with RC_REJECT_AGENTS, _PHYSICAL, _NONPHYSICAL and _LAND; RC_DETECT_PHANTOM; RC_MAX_HITS (1 to 256,
    usually 1); RC_DATA_FLAGS with RC_GET_ROOT_KEY, RC_GET_LINK_NUM (after the key) and RC_GET_NORMAL (after the position). Land
    has NULL_KEY. The last item is the number of hits.
    """
    from sim.physics.engine import TERRAIN, Mask

    wish = _ray_options(options)
    script.spend(RAY_COST)
    start = [finite(part, -1e5, 1e5) for part in start_pos]
    way = [finite(there - here, -1e5, 1e5) for here, there in zip(start, end_pos, strict=True)]
    length = math.hypot(*way)
    reject, data = wish[REJECT_TYPES], wish[DATA_FLAGS]
    mask = 0
    mask |= 0 if reject & NO_AGENTS else Mask.AVATARS
    mask |= 0 if reject & NO_PHYSICAL else Mask.DYNAMIC
    mask |= 0 if reject & NO_NONPHYSICAL else Mask.STATIC
    mask |= 0 if reject & NO_LAND else Mask.TERRAIN
    mask |= Mask.PHANTOM if wish[DETECT_PHANTOM] else 0
    most = min(max(wish[MAX_HITS], 1), MOST_HITS)
    if not mask or length < 1e-6:
        return [0]
    bodies, world = script.world.rooms.home.bodies, region_of(script).world
    hits = bodies.raycast(start, [part / length for part in way], min(length, LONGEST), mask, most)
    script.spend(200 * len(hits))
    out: list[Item] = []
    count = 0
    for hit in hits:
        target = int(hit["target"])
        prim = bodies.root_of(target)
        agent = world.agent_of_row.get(-target - 2) if target <= -2 else None
        if prim is not None:
            struck = _part(prim, int(hit["part"]))
            key, link = key_of(prim.full_id if data & GET_ROOT_KEY else struck.full_id), link_number(struck)
        elif agent is not None:
            key, link = key_of(agent.agent_id), 0
        elif target == TERRAIN:
            key, link = NULL_KEY, 0
        else:
            continue
        count += 1
        out.append(key)
        if data & GET_LINK_NUM:
            out.append(link)
        out.append(Vector(*hit["point"].tolist()))
        if data & GET_NORMAL:
            out.append(Vector(*hit["normal"].tolist()))
    return [*out, count]


def _part(root: Prim, number: int) -> Prim:
    """The prim of a linkset that a ray has hit: solid ones are counted in link order."""
    solid = [one for one in root.linkset() if one.features.shape_type != 1 and one.pcode == 9]
    return solid[number] if 0 <= number < len(solid) else root
