"""Parcels as their owner's scripts see and change them: what stands on them, music and media, sale, who is sent away.

Source of all: the functions' pages on the LSL wiki. A script changes the parcel that its object stands on, for the object's owner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from protocol.message import Message, clip
from protocol.wellknown import NULL
from sim.scripts.language.values import Item, Key, Vector
from sim.scripts.library.common import spend
from sim.scripts.library.declare import ll
from sim.scripts.library.looks import texture_id
from sim.scripts.library.things import avatar, finite, key_of, place, prim_of, region_of, uuid_of

if TYPE_CHECKING:
    from sim.actions.may import Actor
    from sim.scripts.machine.script import Script
    from sim.world.agent import Agent
    from sim.world.objects import Prim
    from sim.world.world import Parcel

TOTAL, BY_OWNER, BY_GROUP, BY_OTHERS, SELECTED, TEMPORARY = range(6)  # PARCEL_COUNT_*
MOST_OWNERS = 100
PERCH = 2.0  # metres beside the border to which somebody is sent


def _here(script: Script) -> Parcel:
    """The parcel that the object stands on."""
    return region_of(script).world.parcel_at(*place(script, prim_of(script))[0][:2])


def _owner(script: Script) -> Actor:
    """The object's owner, who may do on land what they may do themselves."""
    from sim.actions.may import Actor

    return Actor(prim_of(script).owner_id)


def _at(script: Script, pos: Vector) -> Parcel | None:
    x, y, _ = pos
    inside = 0.0 <= x < 256.0 and 0.0 <= y < 256.0
    return region_of(script).world.parcel_at(x, y) if inside else None


def _theirs(script: Script, parcel: Parcel, sim_wide: int) -> list[Parcel]:
    if not sim_wide:
        return [parcel]
    return [one for one in region_of(script).world.parcels if one.owner_id == parcel.owner_id]


def _standing(script: Script, parcels: list[Parcel]) -> list[Prim]:
    """All prims on parcels, charged by how many there are in the region."""
    world = region_of(script).world
    rows = world.objects.rows[: world.objects.count]
    active = np.flatnonzero(rows["active"])
    cells = np.clip(rows["world_position"][active, :2] // 4, 0, 63).astype(np.int64)
    wanted = np.isin(world.parcel_map[cells[:, 1], cells[:, 0]], [one.local_id for one in parcels])
    found = [world.objects.of_row[row] for row in active[wanted].tolist()]
    spend(script, len(active) // 50 + len(found))
    return found


@ll
def llGetParcelMaxPrims(script: Script, pos: Vector, sim_wide: int) -> int:
    """How many prims the parcel at a place in the region holds, or all of its owner's; 0 outside of it."""
    from sim.actions.may import most_prims

    parcel = _at(script, pos)
    return sum([most_prims(region_of(script), one) for one in _theirs(script, parcel, sim_wide)]) if parcel is not None else 0


@ll(lacks="nothing belongs to groups or is counted as selected")
def llGetParcelPrimCount(script: Script, pos: Vector, category: int, sim_wide: int) -> int:
    """How many prims of a category, PARCEL_COUNT_*, stand on the parcel at a place in the region, or on all of its owner's."""
    parcel = _at(script, pos)
    if parcel is None or category in (BY_GROUP, SELECTED):
        return 0
    prims = _standing(script, _theirs(script, parcel, sim_wide))
    if category == TEMPORARY:
        return sum(1 for prim in prims if prim.linkset_root.temporary)
    lasting = [prim for prim in prims if not prim.linkset_root.temporary]
    if category == TOTAL:
        return len(lasting)
    owned = sum(1 for prim in lasting if prim.owner_id == parcel.owner_id)
    return {BY_OWNER: owned, BY_OTHERS: len(lasting) - owned}.get(category, 0)


@ll
def llGetParcelPrimOwners(script: Script, pos: Vector) -> list[Item]:
    """Whose prims stand on the parcel at a place, [owner, number, ...] by rising key, at most 100 owners; only for who may change the
    parcel, while they are in the region. Sleeps 2 s."""
    from sim.actions.land import may_edit

    parcel = _at(script, pos)
    if parcel is None or not may_edit(region_of(script), _owner(script), parcel) or avatar(script, script.owner) is None:
        script.complain("llGetParcelPrimOwners: only for the owner of the parcel, who must be in the region")
        return []
    owners = Counter([str(prim.owner_id) for prim in _standing(script, [parcel])])
    return [part for key, count in sorted(owners.items())[:MOST_OWNERS] for part in (Key(key), count)]


# --- music and media


def _change(script: Script, parcel: Parcel, function: str, **changes: Any) -> bool:
    from sim.actions.land import change_parcel

    refused = change_parcel(region_of(script), _owner(script), parcel, changes)
    if refused is not None:
        script.complain(f"{function}: {refused.words}")
    return refused is None


@ll
def llSetParcelMusicURL(script: Script, url: str) -> None:
    """The address of the music on the parcel that the object stands on, if its owner may change the parcel. Sleeps 2 s."""
    _change(script, _here(script), "llSetParcelMusicURL", music_url=url)


@ll
def llGetParcelMusicURL(script: Script) -> str:
    """The address of the music on the parcel that the object stands on, if its owner may change the parcel; else empty."""
    from sim.actions.land import may_edit

    parcel = _here(script)
    return parcel.music_url if may_edit(region_of(script), _owner(script), parcel) else ""


STOP, PAUSE, PLAY, LOOP, TEXTURE, URL, TIME, AGENT, UNLOAD, ALIGN, TYPE, SIZE, DESC, LOOP_SET = range(14)  # PARCEL_MEDIA_COMMAND_*
TAKES = {TEXTURE: "s", URL: "s", TIME: "f", AGENT: "s", ALIGN: "i", TYPE: "s", SIZE: "ii", DESC: "s", LOOP_SET: "i"}
KINDS = {"s": str, "f": (float, int), "i": int}
FIELDS = {URL: "media_url", TYPE: "media_type", DESC: "media_description", ALIGN: "media_auto_scale", LOOP_SET: "media_loop"}


def _commands(commands: list[Item]) -> dict[int, list[Any]] | None:
    """Command -> its values; None when the list is wrong."""
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(commands):
        command = commands[at]
        if not isinstance(command, int) or not STOP <= command <= LOOP_SET:
            return None
        kinds = TAKES.get(command, "")
        values = commands[at + 1 : at + 1 + len(kinds)]
        if len(values) < len(kinds) or not all(isinstance(value, KINDS[kind]) for kind, value in zip(kinds, values, strict=True)):  # type: ignore[arg-type]
            return None
        found[command] = values
        at += 1 + len(kinds)
    return found


@ll
def llParcelMediaCommandList(script: Script, commandList: list[Item]) -> None:
    """Plays, stops and sets the media of the parcel that the object stands on, PARCEL_MEDIA_COMMAND_* with their values, for everybody
    there, or with PARCEL_MEDIA_COMMAND_AGENT for one person and without changing the parcel. Sleeps 2 s."""
    from sim.actions.land import may_edit

    found, parcel = _commands(commandList), _here(script)
    if found is None:
        script.complain("llParcelMediaCommandList: the list of commands is wrong")
        return
    if not may_edit(region_of(script), _owner(script), parcel):
        script.complain("llParcelMediaCommandList: only the owner of the parcel can change its media")
        return
    fields: dict[str, Any] = {name: found[command][0] for command, name in FIELDS.items() if command in found}
    if TEXTURE in found:
        fields["media_id"] = texture_id(script, prim_of(script), found[TEXTURE][0]) or NULL
    if SIZE in found:
        fields["media_width"], fields["media_height"] = found[SIZE]
    one = avatar(script, found[AGENT][0]) if AGENT in found else None
    if AGENT not in found and fields and not _change(script, parcel, "llParcelMediaCommandList", **fields):
        return
    audience = list(_audience(script, parcel)) if AGENT not in found else [one] if one is not None else []
    if fields:
        script.world.viewers.show_all(iter(audience), _media(parcel, fields), reliable=True)
    played = [command for command in (STOP, PAUSE, PLAY, LOOP, UNLOAD, TIME) if command in found]
    if played:
        flags = sum(1 << command for command in found)
        time = finite(float(found[TIME][0]), 0.0, 1e6) if TIME in found else 0.0
        told = Message("ParcelMediaCommandMessage", CommandBlock={"Flags": flags, "Command": played[0], "Time": time})
        script.world.viewers.show_all(iter(audience), told, reliable=True)


def _media(parcel: Parcel, fields: dict[str, Any]) -> Message:
    """What the media of a parcel are, with some of it another."""

    def now(name: str) -> Any:
        return fields.get(name, getattr(parcel, name))

    data = {"MediaURL": clip(now("media_url"), 255), "MediaID": now("media_id"), "MediaAutoScale": int(bool(now("media_auto_scale")))}
    more = {
        "MediaType": clip(now("media_type"), 63), "MediaDesc": clip(now("media_description"), 255),
        "MediaWidth": min(max(now("media_width"), 0), 8192), "MediaHeight": min(max(now("media_height"), 0), 8192),
        "MediaLoop": int(bool(now("media_loop"))),
    }  # fmt: skip
    return Message("ParcelMediaUpdate", DataBlock=data, DataBlockExtended=more)


def _audience(script: Script, parcel: Parcel) -> Iterator[Agent]:
    world = region_of(script).world
    return (agent for agent in world.roots() if world.parcel_at(*world.position(agent)[:2]) is parcel)


@ll
def llParcelMediaQuery(script: Script, query: list[Item]) -> list[Item]:
    """The media of the parcel that the object stands on, PARCEL_MEDIA_COMMAND_* in the order asked: TEXTURE, URL, TYPE, DESC, SIZE,
    ALIGN, LOOP_SET; empty for who may not change the parcel. Sleeps 2 s."""
    from sim.actions.land import may_edit

    parcel = _here(script)
    if not may_edit(region_of(script), _owner(script), parcel):
        return []
    facts: dict[int, list[Item]] = {
        TEXTURE: [key_of(parcel.media_id)], SIZE: [parcel.media_width, parcel.media_height],
        **{command: [getattr(parcel, name)] for command, name in FIELDS.items()},
    }  # fmt: skip
    return [value for one in query if isinstance(one, int) for value in facts.get(one, [])]


# --- sale, and who is sent away

FOR_SALE, SELL_OBJECTS = 0x4, 0x100000  # ParcelFlags
SALE_PRICE, SALE_AGENT, SALE_OBJECTS = 1, 2, 3
SALE_OK, SALE_NO_PERMISSIONS, SALE_INVALID_PRICE, SALE_BAD_PARAMS = 0, 2, 4, 5


@ll
def llSetParcelForSale(script: Script, ForSale: int, Options: list[Item]) -> int:
    """Offers the parcel that the object stands on for sale, [PARCEL_SALE_PRICE, n, PARCEL_SALE_AGENT, key, PARCEL_SALE_OBJECTS, flag], or
    takes the offer back. PARCEL_SALE_OK, or an error. The owner of object and parcel grants PERMISSION_PRIVILEGED_LAND_ACCESS."""
    parcel = _here(script)
    if parcel.owner_id != prim_of(script).owner_id or str(script.granter) != str(parcel.owner_id):
        return SALE_NO_PERMISSIONS
    price, buyer, flags = 0, NULL, parcel.flags & ~(FOR_SALE | SELL_OBJECTS)
    if len(Options) % 2:
        return SALE_BAD_PARAMS
    for number, value in zip(Options[::2], Options[1::2], strict=True):
        if number == SALE_PRICE and isinstance(value, int):
            price = value
        elif number == SALE_AGENT and isinstance(value, str):
            buyer = uuid_of(value)
        elif number == SALE_OBJECTS and isinstance(value, int):
            flags |= SELL_OBJECTS if value else 0
        else:
            return SALE_BAD_PARAMS
    if ForSale and (price < 0 or (price == 0 and buyer == NULL)):
        return SALE_INVALID_PRICE
    changes = {"sale_price": price, "buyer_id": buyer, "flags": flags | FOR_SALE} if ForSale else {
        "sale_price": 0, "buyer_id": NULL, "flags": parcel.flags & ~(FOR_SALE | SELL_OBJECTS)
    }  # fmt: skip
    return SALE_OK if _change(script, parcel, "llSetParcelForSale", **changes) else SALE_NO_PERMISSIONS


@ll
def llEjectFromLand(script: Script, avatar_id: Key) -> None:
    """Sends somebody off a parcel of the object's owner, to the nearest place beside it, or home where there is none."""
    world, agent = region_of(script).world, avatar(script, avatar_id)
    owner = prim_of(script).owner_id
    if agent is None or owner == NULL or agent.agent_id == owner:
        return
    x, y, z = world.position(agent)
    if world.parcel_at(x, y).owner_id != owner:
        return
    owned = np.isin(world.parcel_map, [parcel.local_id for parcel in world.parcels if parcel.owner_id == owner])
    rows, columns = np.nonzero(~owned)
    if not len(rows):
        script.world.journeys.home(agent)
        return
    away = (columns * 4 + PERCH - x) ** 2 + (rows * 4 + PERCH - y) ** 2
    nearest = int(away.argmin())
    there = float(columns[nearest] * 4 + PERCH), float(rows[nearest] * 4 + PERCH), z
    script.world.journeys.teleport(agent, "", there, (1.0, 0.0, 0.0))

