"""What an avatar's limbs do: the animation of what it does by itself, what overrides that, and what was started besides.

The states and their default animations are those of llSetAnimationOverride on the LSL wiki.
"""

from __future__ import annotations

from uuid import UUID

from protocol.wellknown import Animation
from sim.world.agent import Agent
from sim.world.avatars import Motion

MOTION_ANIMATIONS: dict[int, UUID] = {
    Motion.STANDING: Animation.STAND,
    Motion.WALKING: Animation.WALK,
    Motion.RUNNING: Animation.RUN,
    Motion.CROUCHING: Animation.CROUCH,
    Motion.CROUCH_WALKING: Animation.CROUCH_WALK,
    Motion.TURNING_LEFT: Animation.TURN_LEFT,
    Motion.TURNING_RIGHT: Animation.TURN_RIGHT,
    Motion.PRE_JUMP: Animation.PRE_JUMP,
    Motion.JUMPING: Animation.JUMP,
    Motion.FALLING: Animation.FALLING,
    Motion.LANDING: Animation.LAND,
    Motion.FLYING: Animation.FLY,
    Motion.HOVERING: Animation.HOVER,
    Motion.HOVERING_UP: Animation.HOVER_UP,
    Motion.HOVERING_DOWN: Animation.HOVER_DOWN,
    Motion.SITTING_GROUND: Animation.SIT_GROUND,
    Motion.STANDING_UP: Animation.STAND_UP,
    Motion.SITTING: Animation.SIT,
}

STATES: dict[int, str] = {
    Motion.STANDING: "Standing", Motion.WALKING: "Walking", Motion.RUNNING: "Running", Motion.CROUCHING: "Crouching",
    Motion.CROUCH_WALKING: "CrouchWalking", Motion.TURNING_LEFT: "Turning Left", Motion.TURNING_RIGHT: "Turning Right",
    Motion.PRE_JUMP: "PreJumping", Motion.JUMPING: "Jumping", Motion.FALLING: "Falling Down", Motion.LANDING: "Landing",
    Motion.FLYING: "Flying", Motion.HOVERING: "Hovering", Motion.HOVERING_UP: "Hovering Up", Motion.HOVERING_DOWN: "Hovering Down",
    Motion.SITTING_GROUND: "Sitting on Ground", Motion.STANDING_UP: "Standing Up", Motion.SITTING: "Sitting",
}  # fmt: skip
# State -> the name of its default animation. Four of them avatars here are never in.
DEFAULTS: dict[str, str] = {
    "Crouching": "crouch", "CrouchWalking": "crouchwalk", "Falling Down": "falldown", "Flying": "fly", "FlyingSlow": "flyslow",
    "Hovering": "hover", "Hovering Down": "hover_down", "Hovering Up": "hover_up", "Jumping": "jump", "Landing": "land",
    "PreJumping": "prejump", "Running": "run", "Sitting": "sit", "Sitting on Ground": "sit_ground_constrained", "Standing": "stand",
    "Standing Up": "standup", "Striding": "stride", "Soft Landing": "soft_land", "Taking Off": "hover_up", "Turning Left": "turnleft",
    "Turning Right": "turnright", "Walking": "walk",
}  # fmt: skip


def motion_animation(motion: int) -> UUID:
    """The default animation of what the physics step says an avatar is doing (a `Motion`)."""
    return MOTION_ANIMATIONS[motion]


def playing(agent: Agent, motion: int) -> list[tuple[UUID, int]]:
    """All animations of an avatar with their sequence numbers: what it does by itself first, then what was started.

    A viewer restarts an animation when its number is new, so the default one keeps its number while the motion lasts. Who sits on
    the ground plays the default beside what overrides it, as viewers need it.
    """
    if agent.motion_told is None or agent.motion_told[0] != motion:
        agent.animation_sequence += 1
        agent.motion_told = (motion, agent.animation_sequence)
    sequence = agent.motion_told[1]
    default = motion_animation(motion)
    override = agent.overrides.get(STATES[motion], default)
    own = [override] if override == default or motion != Motion.SITTING_GROUND else [default, override]
    started = [(animation, number) for animation, number in agent.animations.items() if animation not in own]
    return [*((animation, sequence) for animation in own), *started]
