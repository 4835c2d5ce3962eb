"""Avatars' limbs: animations started and stopped, and what plays in the place of the default ones."""

from __future__ import annotations

from uuid import UUID

from protocol.wellknown import NULL
from sim.actions.outcome import Refused
from sim.region import Region
from sim.world.agent import Agent
from sim.world.animations import DEFAULTS
from sim.world.changes import What

ANIMATION_LIMIT = 32  # playing at once; a viewer plays a handful
TOO_MANY = Refused("So many animations cannot play at once.", "too many animations")


def start(region: Region, agent: Agent, animation: UUID, source: UUID | None = None) -> Refused | None:
    """An animation plays from now on. `source`: the object that started it, None for the agent's own viewer."""
    if animation == NULL or animation in agent.animations:
        return None
    if len(agent.animations) >= ANIMATION_LIMIT:
        return TOO_MANY
    agent.animation_sequence += 1
    agent.animations[animation] = agent.animation_sequence
    if source is not None:
        agent.animation_sources[animation] = source
    region.world.changes.agents.note(agent, What.MOTION)
    return None


def stop(region: Region, agent: Agent, animation: UUID) -> None:
    """It plays no more, whoever started it."""
    agent.animation_sources.pop(animation, None)
    if agent.animations.pop(animation, None) is not None:
        region.world.changes.agents.note(agent, What.MOTION)


def stop_all_of(region: Region, agent: Agent, source: UUID) -> None:
    """What an object has started plays no more."""
    for animation in [one for one, by in agent.animation_sources.items() if by == source]:
        stop(region, agent, animation)


def override(region: Region, agent: Agent, state: str, animation: UUID | None) -> bool:
    """What plays while the avatar is in a state (`sim.world.animations.DEFAULTS`); None is the default. False: no such state."""
    if state not in DEFAULTS:
        return False
    before = agent.overrides.get(state)
    if animation is None:
        agent.overrides.pop(state, None)
    else:
        agent.overrides[state] = animation
    if before != animation:
        agent.motion_told = None  # it begins anew, with a number of its own
        region.world.changes.agents.note(agent, What.MOTION)
    return True
