"""Animations: of people who let a script move their limbs, and of animated meshes.

Source of all: the functions' pages on the LSL wiki. An animation is the name of one in the prim's contents, or of one that is
built into viewers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol import animations as built_in
from protocol.message import Message
from protocol.wellknown import NULL, AssetType
from sim.scripts.language.values import Item, Key, is_uuid
from sim.scripts.library.declare import ll
from sim.scripts.library.things import actor_of, avatar, key_of, place, prim_of, region_of, uuid_of
from sim.world.animations import DEFAULTS, STATES, playing
from sim.world.changes import What

if TYPE_CHECKING:
    from uuid import UUID

    from sim.scripts.machine.script import Script
    from sim.world.agent import Agent

ALL = "ALL"
SEEN = 96.0  # metres in which viewers are told at once what an animated mesh does


def find(script: Script, name: str, function: str) -> UUID | None:
    """An animation by name; None, and a complaint, when there is none."""
    for item in prim_of(script).contents:
        if item.name == name and item.asset_type == AssetType.ANIMATION:
            return item.asset_id
    found = built_in.built_in().get(name.lower())
    if found is None:
        script.complain(f"{function}: Could not find animation '{name[:64]}'")
    return found


def _granter(script: Script, function: str) -> Agent | None:
    agent = avatar(script, script.granter)
    if agent is None:
        script.complain(f"{function}: the person who granted it is not in the region")
    return agent


@ll
def llStartAnimation(script: Script, anim: str) -> None:
    """Starts an animation of whoever granted PERMISSION_TRIGGER_ANIMATION."""
    from sim.actions import animate

    agent = _granter(script, "llStartAnimation")
    animation = find(script, anim, "llStartAnimation") if agent is not None else None
    if agent is not None and animation is not None:
        refused = animate.start(region_of(script), agent, animation, prim_of(script).full_id)
        if refused is not None:
            script.complain(f"llStartAnimation: {refused.words}")


@ll
def llStopAnimation(script: Script, anim: str) -> None:
    """Stops an animation, by name or key, of whoever granted PERMISSION_TRIGGER_ANIMATION, whoever started it."""
    from sim.actions import animate

    agent = _granter(script, "llStopAnimation")
    if agent is None:
        return
    animation = uuid_of(anim) if is_uuid(anim) else find(script, anim, "llStopAnimation")
    if animation is not None:
        animate.stop(region_of(script), agent, animation)


@ll
def llGetAnimation(script: Script, avatar_id: Key) -> str:
    """How somebody in the region moves now: "Standing", "Walking", "Sitting on Ground" ...; empty when nobody is there."""
    agent = avatar(script, avatar_id)
    return STATES[int(region_of(script).world.row(agent)["motion"])] if agent is not None else ""


@ll
def llGetAnimationList(script: Script, avatar_id: Key) -> list[Item]:
    """The keys of all animations that play on somebody in the region."""
    agent = avatar(script, avatar_id)
    if agent is None:
        return []
    motion = int(region_of(script).world.row(agent)["motion"])
    return [key_of(animation) for animation, _ in playing(agent, motion)]


# --- in the place of the default ones


@ll
def llSetAnimationOverride(script: Script, anim_state: str, anim: str) -> None:
    """What plays while whoever granted PERMISSION_OVERRIDE_ANIMATIONS is in a state: "Standing", "Walking" ...

    It stays until it is reset or the person logs off, whatever becomes of the script.
    """
    from sim.actions import animate

    agent = _granter(script, "llSetAnimationOverride")
    animation = find(script, anim, "llSetAnimationOverride") if agent is not None else None
    if agent is not None and animation is not None and not animate.override(region_of(script), agent, anim_state, animation):
        script.complain(f"llSetAnimationOverride: there is no animation state '{anim_state[:64]}'")


@ll
def llResetAnimationOverride(script: Script, anim_state: str) -> None:
    """Gives a state its default animation back, or all states with "ALL"."""
    from sim.actions import animate

    agent = _granter(script, "llResetAnimationOverride")
    if agent is None:
        return
    for state in list(agent.overrides) if anim_state == ALL else [anim_state]:
        if not animate.override(region_of(script), agent, state, None):
            script.complain(f"llResetAnimationOverride: there is no animation state '{anim_state[:64]}'")


@ll
def llGetAnimationOverride(script: Script, anim_state: str) -> str:
    """The name of what plays in a state: of the prim's contents, or built in; empty when it is neither."""
    agent = _granter(script, "llGetAnimationOverride")
    if agent is None or anim_state not in DEFAULTS:
        return ""
    animation = agent.overrides.get(anim_state)
    if animation is None:
        return DEFAULTS[anim_state]
    for item in prim_of(script).contents:
        if item.asset_id == animation and item.asset_type == AssetType.ANIMATION:
            return item.name
    return built_in.names().get(animation, "")


# --- animated meshes

LATE = "who comes near later sees it with the next change"


def _show(script: Script) -> None:
    prim = prim_of(script)
    playing_here = [{"AnimID": animation, "AnimSequenceID": number} for number, animation in enumerate(prim.rare.animations, 1)]
    message = Message("ObjectAnimation", Sender={"ID": prim.full_id}, AnimationList=playing_here)
    script.world.viewers.show_all(script.world.viewers.within(place(script, prim)[0], SEEN), message, reliable=True)


def _set(script: Script, animations: tuple[UUID, ...]) -> None:
    from sim.actions import edit

    edit.rare(region_of(script), actor_of(script), prim_of(script), What.EFFECTS, animations=animations)
    _show(script)


@ll(lacks=LATE)
def llStartObjectAnimation(script: Script, anim: str) -> None:
    """Starts an animation of the prim, which must be an animated mesh; at most 32 at once."""
    from sim.world.rare import MOST_ANIMATIONS

    found = find(script, anim, "llStartObjectAnimation")
    now = prim_of(script).rare.animations
    if found is not None and found not in now and len(now) < MOST_ANIMATIONS:
        _set(script, (*now, found))


@ll(lacks=LATE)
def llStopObjectAnimation(script: Script, anim: str) -> None:
    """Stops an animation of the prim, by name or key."""
    found = uuid_of(anim) if is_uuid(anim) else find(script, anim, "llStopObjectAnimation")
    now = prim_of(script).rare.animations
    if found in now and found != NULL:
        _set(script, tuple([one for one in now if one != found]))


@ll
def llGetObjectAnimationNames(script: Script) -> list[Item]:
    """The names of the animations that play on the prim: of its contents, or built in; a key where it has no name."""
    prim = prim_of(script)
    names = {item.asset_id: item.name for item in prim.contents if item.asset_type == AssetType.ANIMATION}
    return [names.get(one) or built_in.names().get(one) or str(one) for one in prim.rare.animations]
