"""Sending people somewhere: teleports, seats, the map.

Source of all: the functions' pages on the LSL wiki.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from protocol.message import Message, clip
from protocol.wellknown import REGION_SIZE, AssetType
from sim.scripts.language.values import Item, Key, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.things import ROOT, THIS, avatar, finite, linked, prim_of, region_of
from sim.scripts.machine.throttle import Limit

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.agent import Agent
    from sim.world.agent import Vector as Place

TELEPORTS = Limit(10, 60.0)  # of an owner's scripts
MAPS = Limit(30, 60.0)
FARTHEST = 1e6
BEACON_MAP = 1
SHOW_BEACON, FOCUS_MAP = 1, 2  # Options of ScriptTeleportRequest
NOT_EXPERIENCE, NO_SIT_TARGET, INVALID_AGENT, INVALID_LINK = -1, -3, -4, -5


def _place(vector: Vector, most: float = 8192.0) -> Place:
    x, y, z = (finite(part, -most, most) for part in vector)
    return x, y, z


def _facing(vector: Vector) -> Place:
    """A direction of length 1 along the ground."""
    x, y, _ = _place(vector)
    length = math.hypot(x, y)
    return (x / length, y / length, 0.0) if length > 1e-6 else (1.0, 0.0, 0.0)


def _traveller(script: Script, key: Key, function: str) -> Agent | None:
    """Whom the script may teleport: its owner, who has granted it and does not sit."""
    agent = avatar(script, key)
    if agent is None or str(agent.agent_id) != str(script.granter):
        script.complain(f"{function}: only who granted it can be teleported, while they are in the region")
        return None
    if agent.agent_id != prim_of(script).owner_id:
        script.complain(f"{function}: only the object's owner can be teleported")
        return None
    if agent in region_of(script).world.seats.of:
        script.complain(f"{function}: who sits cannot be teleported")
        return None
    return agent if script.allowed(TELEPORTS, "teleports") else None


@ll
def llTeleportAgent(script: Script, agent: Key, landmark: str, position: Vector, look_at: Vector) -> None:
    """Teleports the owner, who granted PERMISSION_TELEPORT, to a landmark of the prim's contents, or with an empty name to a
    position in this region, facing a direction."""
    traveller = _traveller(script, agent, "llTeleportAgent")
    if traveller is None:
        return
    if not landmark:
        script.world.journeys.teleport(traveller, "", _place(position), _facing(look_at))
        return
    for item in prim_of(script).contents:
        if item.name == landmark and item.asset_type == AssetType.LANDMARK:
            script.world.journeys.to_landmark(traveller, item.asset_id, _facing(look_at))
            return
    script.complain(f"llTeleportAgent: Could not find landmark '{landmark[:64]}'")


@ll
def llTeleportAgentGlobalCoords(script: Script, agent: Key, global_coordinates: Vector, region_coordinates: Vector, look_at: Vector) -> None:
    """Teleports the owner, who granted PERMISSION_TELEPORT, to a place in the region that lies there in the grid, in metres."""
    traveller = _traveller(script, agent, "llTeleportAgentGlobalCoords")
    x, y, _ = _place(global_coordinates, 1e8)
    if traveller is not None and x >= 0.0 and y >= 0.0:
        corner = x // REGION_SIZE * REGION_SIZE, y // REGION_SIZE * REGION_SIZE
        script.world.journeys.to_global(traveller, corner, _place(region_coordinates), _facing(look_at))


@ll
def llTeleportAgentHome(script: Script, avatar_id: Key) -> None:
    """Teleports somebody home who is over land of the object's owner. Sleeps 5 s."""
    agent = avatar(script, avatar_id)
    world = region_of(script).world
    if agent is None or not script.allowed(TELEPORTS, "teleports"):
        return
    owner = prim_of(script).owner_id
    if owner in (world.parcel_at(*world.position(agent)[:2]).owner_id, world.facts.owner_id):
        script.world.journeys.home(agent)


@ll(lacks="there are no experiences: always SIT_NOT_EXPERIENCE, but for who may be seated without")
def llSitOnLink(script: Script, agent_id: Key, link: int) -> int:
    """Seats somebody on the sit target of a prim of the object, or on the next that is free. 1, or a SIT_* error.

    Who owns the object may be seated by it; everybody else only by an experience that they take part in.
    """
    if link not in (ROOT, THIS) and link < 1:
        return INVALID_LINK
    prim, agent = prim_of(script), avatar(script, agent_id)
    wanted = linked(prim, link)
    if not wanted:
        return INVALID_LINK
    if agent is None:
        return INVALID_AGENT
    if agent.agent_id != prim.owner_id:
        return NOT_EXPERIENCE
    every = list(prim.linkset())
    first = every.index(wanted[0])
    seats = region_of(script).world.seats
    for one in every[first:] + every[:first]:
        taken = any(seats.of[rider].target for rider in seats.on(one) if rider is not agent)
        if one.sit_target is not None and not taken:
            script.world.journeys.sit(script, agent, one)
            return 1
    return NO_SIT_TARGET


# --- the map


def _map(script: Script, region: str, position: Vector, flags: int) -> None:
    """Shows a place on the map of who touched the object in this event, of its owner in others."""
    prim = prim_of(script)
    event = script.event.name if script.event is not None else ""
    who = script.detected[0].key if script.detected and event.startswith("touch") else Key(str(prim.owner_id))
    agent = avatar(script, who)
    if agent is None or not script.allowed(MAPS, "maps"):
        return
    data = {
        "ObjectName": clip(prim.name, 64), "SimName": clip(region, 64), "SimPosition": _place(position, FARTHEST),
        "LookAt": (0.0, 0.0, 0.0),
    }  # fmt: skip
    script.world.viewers.show(agent, Message("ScriptTeleportRequest", Data=data, Options=[{"Flags": flags}]))


@ll
def llMapDestination(script: Script, simname: str, pos: Vector, look_at: Vector) -> None:
    """Opens the map of who touches the object, or of its owner, at a place in a region. Sleeps 1 s."""
    _map(script, simname, pos, SHOW_BEACON | FOCUS_MAP)


@ll
def llMapBeacon(script: Script, region_name: str, pos: Vector, options: list[Item]) -> None:
    """Shows who touches the object, or its owner, a beacon at a place in a region; [BEACON_MAP, open, focus] opens the map too.

    Sleeps 1 s.
    """
    flags = 0
    if options[:1] == [BEACON_MAP] and len(options) >= 3:
        flags = (SHOW_BEACON if options[1] else 0) | (FOCUS_MAP if options[1] and options[2] else 0)
    _map(script, region_name, pos, flags)
