"""Keyframed motion: an object that is not physical goes by a list of places, turns and times, smoothly and for nothing.

Source: llSetKeyframedMotion on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.language.values import Item, Rotation, Vector
from sim.scripts.library.declare import ll
from sim.scripts.library.things import finite, prim_of, unit
from sim.world.drives import FORWARD, LOOP, MOST_FRAMES, PING_PONG, REVERSE, Keyframes

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

COMMAND, MODE, DATA = 0, 1, 2  # KFM_*
PLAY, STOP, PAUSE = 0, 1, 2
ROTATION, TRANSLATION = 1, 2
SHORTEST = 1.0 / 9.0 - 1e-4  # seconds of a keyframe
FARTHEST = 1024.0  # metres


class BadList(ValueError):
    """What is wrong with a list, for the owner."""


def _options(options: list[Item]) -> dict[int, int]:
    found: dict[int, int] = {}
    for at in range(0, len(options), 2):
        name, value = options[at], options[at + 1] if at + 1 < len(options) else None
        if name not in (COMMAND, MODE, DATA) or not isinstance(value, int):
            raise BadList("an option is KFM_COMMAND, KFM_MODE or KFM_DATA and an integer")
        found[name] = value  # type: ignore[index]
    if found.get(MODE, FORWARD) not in (FORWARD, LOOP, PING_PONG, REVERSE):
        raise BadList("KFM_MODE is none of the four")
    if not 1 <= found.get(DATA, 3) <= 3:
        raise BadList("KFM_DATA is KFM_TRANSLATION, KFM_ROTATION or both")
    if found.get(COMMAND, PLAY) not in (PLAY, STOP, PAUSE):
        raise BadList("KFM_COMMAND is none of the three")
    return found


def _frames(
    keyframes: list[Item], data: int
) -> list[tuple[tuple[float, float, float], tuple[float, float, float, float], float]]:
    kinds: list[type] = [Vector] * bool(data & TRANSLATION) + [Rotation] * bool(data & ROTATION)
    width = len(kinds) + 1
    if len(keyframes) % width:
        raise BadList(f"a keyframe has {width} items")
    frames = []
    for at in range(0, len(keyframes), width):
        values = keyframes[at : at + width]
        seconds = values[-1]
        if not all(isinstance(value, kind) for value, kind in zip(values, kinds, strict=False)) or not isinstance(
            seconds, int | float
        ):
            raise BadList("a keyframe is a vector, a rotation and a time")
        if not seconds >= SHORTEST:
            raise BadList("a keyframe takes at least 1/9 of a second")
        x, y, z = (finite(part, -FARTHEST, FARTHEST) for part in values[0]) if data & TRANSLATION else (0.0, 0.0, 0.0)  # type: ignore[union-attr, arg-type]
        turn = unit(values[width - 2]) if data & ROTATION else (0.0, 0.0, 0.0, 1.0)  # type: ignore[arg-type]
        frames.append(((x, y, z), turn, finite(float(seconds), SHORTEST, 1e5)))
    if len(frames) > MOST_FRAMES:
        raise BadList(f"there are more than {MOST_FRAMES} keyframes")
    return frames


@ll
def llSetKeyframedMotion(script: Script, keyframes: list[Item], options: list[Item]) -> None:
    """Moves the object along keyframes: [shift, turn, seconds, ...], each relative to the one before, at least 1/9 s long.

    Options: KFM_MODE (KFM_FORWARD, KFM_LOOP, KFM_PING_PONG, KFM_REVERSE), KFM_DATA (KFM_TRANSLATION, KFM_ROTATION, or both) and
    KFM_COMMAND (KFM_CMD_PLAY, KFM_CMD_PAUSE, KFM_CMD_STOP, which goes back to the beginning of the list). No keyframes and no
    options end it. The scripts hear moving_start and moving_end. Not for physical objects, and only from the root prim.
    """
    prim, motions = prim_of(script), script.world.rooms.keyframes
    if prim.root is not None:
        script.complain("llSetKeyframedMotion: only the root prim can be moved by keyframes")
        return
    if prim.physical:
        script.complain("llSetKeyframedMotion: a physical object cannot be moved by keyframes")
        return
    try:
        wished = _options(options)
        frames = _frames(keyframes, wished.get(DATA, 3))
    except BadList as wrong:
        script.complain(f"llSetKeyframedMotion: {wrong}")
        return
    command = wished.get(COMMAND)
    if frames:
        motions.start(prim, Keyframes(tuple(frames), wished.get(MODE, FORWARD)))
        if command in (STOP, PAUSE):
            motions.stop(prim, command == STOP)
    elif command is None:
        motions.end(prim)
    elif command == PLAY:
        motions.resume(prim)
    else:
        motions.stop(prim, command == STOP)
