"""Sounds: those that a prim makes while it does, and those that pass.

Source of all: the functions' pages on the LSL wiki. A sound is the name of one in the contents of the prim that the script is in,
or the key of any. A prim makes one at a time. What is looped is the prim's, and heard by who comes later; what is played once
is told to who is near.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.message import Message
from protocol.wellknown import NULL, AssetType
from sim.scripts.language.values import Vector, is_uuid
from sim.scripts.library.declare import ll
from sim.scripts.library.things import actor_of, finite, linked, place, prim_of, region_of, uuid_of
from sim.scripts.machine.throttle import Limit

if TYPE_CHECKING:
    from uuid import UUID

    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

SOUNDS = Limit(400, 10.0)  # of an owner's scripts: every one goes to everybody near
LOOP, MASTER, SLAVE, QUEUE, STOP = 0x1, 0x2, 0x4, 0x10, 0x20  # of AttachedSound and ObjectUpdate
FLAG_LOOP, FLAG_TRIGGER, FLAG_SYNC = 0x1, 0x2, 0x4  # SOUND_*
FARTHEST = 1000.0  # metres


def find(script: Script, name: str, function: str) -> UUID | None:
    """A sound by name or key; None, and a complaint, when there is none."""
    for item in prim_of(script).contents:
        if item.name == name and item.asset_type == AssetType.SOUND:
            return item.asset_id
    if is_uuid(name) and uuid_of(name) != NULL:
        return uuid_of(name)
    script.complain(f"{function}: Couldn't find sound '{name[:64]}'")
    return None


def _tell(script: Script, prim: Prim, message: Message) -> None:
    viewers, objects = script.world.viewers, region_of(script).world.objects
    hearers = viewers.hearers(place(script, prim)[0])
    on_prim = message.name == "AttachedSound"  # who does not know the prim could not hear it
    viewers.show_all((agent for agent in hearers if not on_prim or not objects.hidden_from(prim, agent)), message)


def _change(script: Script, prim: Prim, **values: object) -> None:
    from sim.actions import edit

    edit.sound(region_of(script), actor_of(script), prim, **values)


def attach(script: Script, prims: list[Prim], name: str, volume: float, flags: int, function: str) -> None:
    """Prims make a sound from now on, in the place of what they made: once, or with LOOP until it is stopped."""
    sound = find(script, name, function)
    if sound is None or not script.allowed(SOUNDS, "sounds"):
        return
    gain = finite(volume, 0.0, 1.0)
    for prim in prims:
        kept = prim.sound_flags & QUEUE
        if flags & LOOP:
            _change(script, prim, sound=sound, sound_gain=gain, sound_flags=flags | kept)
            continue
        if prim.sound != NULL:
            _change(script, prim, sound=NULL, sound_gain=0.0, sound_flags=kept)
        data = {"SoundID": sound, "ObjectID": prim.full_id, "OwnerID": prim.owner_id, "Gain": gain, "Flags": flags | kept}
        _tell(script, prim, Message("AttachedSound", DataBlock=data))


def stop(script: Script, prims: list[Prim]) -> None:
    for prim in prims:
        if prim.sound != NULL:
            _change(script, prim, sound=NULL, sound_gain=0.0, sound_flags=prim.sound_flags & QUEUE)
        data = {"SoundID": NULL, "ObjectID": prim.full_id, "OwnerID": prim.owner_id, "Gain": 0.0, "Flags": STOP}
        _tell(script, prim, Message("AttachedSound", DataBlock=data))


def trigger(script: Script, prims: list[Prim], name: str, volume: float, function: str) -> None:
    """A sound passes where prims are, and stays there."""
    sound = find(script, name, function)
    for prim in prims if sound is not None else ():
        if script.allowed(SOUNDS, "sounds"):
            _tell(script, prim, _passing(script, prim, sound, volume))  # type: ignore[arg-type]


def _passing(script: Script, prim: Prim, sound: UUID, volume: float) -> Message:
    data = {
        "SoundID": sound, "OwnerID": prim.owner_id, "ObjectID": prim.full_id,
        "ParentID": prim.linkset_root.full_id if prim.root is not None else NULL, "Handle": region_of(script).facts.handle,
        "Position": tuple(place(script, prim)[0]), "Gain": finite(volume, 0.0, 1.0),
    }  # fmt: skip
    return Message("SoundTrigger", SoundData=data)


@ll
def llPlaySound(script: Script, sound: str, volume: float) -> None:
    """Plays a sound once, from the prim; volume is 0 to 1."""
    attach(script, [prim_of(script)], sound, volume, 0, "llPlaySound")


@ll
def llLoopSound(script: Script, sound: str, volume: float) -> None:
    """Plays a sound over and over, from the prim, until it is stopped."""
    attach(script, [prim_of(script)], sound, volume, LOOP, "llLoopSound")


@ll
def llLoopSoundMaster(script: Script, sound: str, volume: float) -> None:
    """As llLoopSound; slaves play in time with it."""
    attach(script, [prim_of(script)], sound, volume, LOOP | MASTER, "llLoopSoundMaster")


@ll
def llLoopSoundSlave(script: Script, sound: str, volume: float) -> None:
    """As llLoopSound, in time with the nearest master."""
    attach(script, [prim_of(script)], sound, volume, LOOP | SLAVE, "llLoopSoundSlave")


@ll
def llPlaySoundSlave(script: Script, sound: str, volume: float) -> None:
    """As llPlaySound, in time with the nearest master."""
    attach(script, [prim_of(script)], sound, volume, SLAVE, "llPlaySoundSlave")


@ll
def llLinkPlaySound(script: Script, link: int, sound: str, volume: float, flags: int) -> None:
    """Plays a sound from a prim of the object, or from several by LINK_*: SOUND_PLAY, SOUND_LOOP, SOUND_TRIGGER, SOUND_SYNC."""
    prims = linked(prim_of(script), link)
    if flags & FLAG_TRIGGER:
        trigger(script, prims, sound, volume, "llLinkPlaySound")
    else:
        how = (LOOP if flags & FLAG_LOOP else 0) | (SLAVE if flags & FLAG_SYNC else 0)
        attach(script, prims, sound, volume, how, "llLinkPlaySound")


@ll
def llStopSound(script: Script) -> None:
    """The prim makes no sound any more."""
    stop(script, [prim_of(script)])


@ll
def llLinkStopSound(script: Script, link: int) -> None:
    """A prim of the object makes no sound any more, or several by LINK_*."""
    stop(script, linked(prim_of(script), link))


@ll
def llTriggerSound(script: Script, sound: str, volume: float) -> None:
    """Plays a sound once, where the prim is now; it does not follow the prim, and cannot be stopped."""
    trigger(script, [prim_of(script)], sound, volume, "llTriggerSound")


@ll
def llTriggerSoundLimited(script: Script, sound: str, volume: float, top_north_east: Vector, bottom_south_west: Vector) -> None:
    """As llTriggerSound, heard only by people inside of a box between two corners, in region coordinates."""
    found, prim = find(script, sound, "llTriggerSoundLimited"), prim_of(script)
    if found is None or not script.allowed(SOUNDS, "sounds"):
        return
    world, viewers = region_of(script).world, script.world.viewers
    low, high = bottom_south_west, top_north_east
    inside = (
        agent
        for agent in viewers.hearers(place(script, prim)[0])
        if all(least <= part <= most for least, part, most in zip(low, world.position(agent), high, strict=True))
    )
    viewers.show_all(inside, _passing(script, prim, found, volume))


def _volume(script: Script, prims: list[Prim], volume: float) -> None:
    gain = finite(volume, 0.0, 1.0)
    for prim in prims:
        if prim.sound != NULL:
            _change(script, prim, sound_gain=gain)
        if script.allowed(SOUNDS, "sounds"):
            _tell(script, prim, Message("AttachedSoundGainChange", DataBlock={"ObjectID": prim.full_id, "Gain": gain}))


@ll
def llAdjustSoundVolume(script: Script, volume: float) -> None:
    """How loud the sound is that the prim makes now, 0 to 1. Sleeps 0.1 s."""
    _volume(script, [prim_of(script)], volume)


@ll
def llLinkAdjustSoundVolume(script: Script, link: int, volume: float) -> None:
    """How loud the sound is that a prim of the object makes now, or several by LINK_*."""
    _volume(script, linked(prim_of(script), link), volume)


def _queueing(script: Script, prims: list[Prim], queue: int) -> None:
    for prim in prims:
        _change(script, prim, sound_flags=prim.sound_flags | QUEUE if queue else prim.sound_flags & ~QUEUE)


@ll
def llSetSoundQueueing(script: Script, queue: int) -> None:
    """Whether a sound waits until the one before it is over. At most one waits."""
    _queueing(script, [prim_of(script)], queue)


@ll
def llLinkSetSoundQueueing(script: Script, link: int, queue: int) -> None:
    """As llSetSoundQueueing, of a prim of the object or of several by LINK_*."""
    _queueing(script, linked(prim_of(script), link), queue)


def _radius(script: Script, prims: list[Prim], radius: float) -> None:
    for prim in prims:
        _change(script, prim, sound_radius=finite(radius, 0.0, FARTHEST))


@ll
def llSetSoundRadius(script: Script, radius: float) -> None:
    """How far the sounds of the prim are heard, in metres; 0 is as far as viewers hear anything."""
    _radius(script, [prim_of(script)], radius)


@ll
def llLinkSetSoundRadius(script: Script, link: int, radius: float) -> None:
    """As llSetSoundRadius, of a prim of the object or of several by LINK_*."""
    _radius(script, linked(prim_of(script), link), radius)


def _preload(script: Script, sound: str, function: str) -> None:
    found, prim = find(script, sound, function), prim_of(script)
    if found is not None and script.allowed(SOUNDS, "sounds"):
        data = [{"ObjectID": prim.full_id, "OwnerID": prim.owner_id, "SoundID": found}]
        _tell(script, prim, Message("PreloadSound", DataBlock=data))


@ll
def llPreloadSound(script: Script, sound: str) -> None:
    """Has viewers near fetch a sound, so that it begins at once when it is played. Sleeps 1 s."""
    _preload(script, sound, "llPreloadSound")


# --- older forms


@ll
def llSound(script: Script, sound: str, volume: float, queue: int, loop: int) -> None:
    """Deprecated: llPlaySound and llLoopSound took its place."""
    attach(script, [prim_of(script)], sound, volume, (LOOP if loop else 0) | (QUEUE if queue else 0), "llSound")


@ll
def llSoundPreload(script: Script, sound: str) -> None:
    """Deprecated: llPreloadSound took its place."""
    _preload(script, sound, "llSoundPreload")
