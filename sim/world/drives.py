"""What scripts have asked of a prim's movement, kept with it: forces, targets, vehicles, keyframes, spin, damage.

The engine does these every step (`physics/drives.py`); here is what it is told anew whenever the body is made anew: after an
edit, a restart, a crossing, a take. All of it is plain numbers. `NO_DRIVES` is what a prim has that no script drives.

    as_bytes(drives) / from_bytes(data)     its place in the form of a linkset: JSON of what differs from NO_DRIVES
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from protocol.errors import ProtocolError

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
ZERO: Vector = (0.0, 0.0, 0.0)

MOST_BYTES = 1 << 18  # of one prim's
MOST_FRAMES = 1000
LARGEST = 1e9  # of any number here: newtons, metres, seconds
FORWARD, LOOP, PING_PONG, REVERSE = range(4)  # modes of keyframed motion, as scripts number them


@dataclass(frozen=True, slots=True)
class Keyframes:
    """A keyframed motion (llSetKeyframedMotion). Each frame is a shift in the region's axes (metres), a turn, and seconds."""

    frames: tuple[tuple[Vector, Quaternion, float], ...]
    mode: int = FORWARD
    playing: bool = True
    at: int = 0  # how many of the frames are behind it, counted over one way there
    back: bool = False  # of PING_PONG: on the way back
    start: Vector = ZERO  # where it all began, and how turned
    start_turn: Quaternion = (0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Drives:
    """Of a root, all of it; of a child, `spin`, `passes` and `sound` alone. Newtons, metres, seconds, radians."""

    force: Vector = ZERO
    force_local: bool = False
    torque: Vector = ZERO
    torque_local: bool = False
    buoyancy: float = 0.0
    hover: tuple[float, float, float] = ZERO  # height, 1 above water too, tau; tau 0: none
    goal: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # where to, tau; tau 0: nowhere
    turn: tuple[float, float, float, float, float, float] = (
        0.0,
        0.0,
        0.0,
        1.0,
        0.0,
        0.0,
    )  # rotation, strength, damping
    locks: int = 0  # STATUS_ROTATE_X, _Y, _Z that are off
    status: int = 0  # STATUS_* beside those that prims have fields for
    vehicle: tuple[float, ...] = ()  # what `physics/vehicles.py` makes of a vehicle; empty: none
    keyframes: Keyframes | None = None
    spin: Vector = ZERO  # llTargetOmega, radians a second
    damage: float = 0.0
    damage_type: int = 0
    health: float = 0.0
    flight: int = 0  # REZ_FLAG_* that matter after it was rezzed
    passes: int = 0  # llPassCollisions: 0 as ever, 1 always, 2 never
    sound: str = ""  # llCollisionSound: an asset's id, empty for the usual one
    volume: float = -1.0  # of it; below 0: not set


NO_DRIVES = Drives()


@dataclass(frozen=True, slots=True)
class MadeBy:
    """How a script made this object: by which object, of which chain of objects, and how many makers before it."""

    rezzer: UUID
    chain: UUID  # the object that nobody's script made
    generation: int


_FIRST = {one.name: getattr(NO_DRIVES, one.name) for one in fields(Drives)}
MOST_OF_VEHICLE = 128


def as_bytes(drives: Drives) -> bytes:
    """What differs from NO_DRIVES."""
    facts: dict[str, Any] = {}
    for name, first in _FIRST.items():
        value = getattr(drives, name)
        if value != first:
            facts[name] = _frames(value) if isinstance(value, Keyframes) else value
    return json.dumps(facts, separators=(",", ":")).encode()


def _frames(motion: Keyframes) -> dict[str, Any]:
    frames = [[*shift, *turn, seconds] for shift, turn, seconds in motion.frames]
    place = [*motion.start, *motion.start_turn]
    return {
        "frames": frames,
        "mode": motion.mode,
        "playing": motion.playing,
        "at": motion.at,
        "back": motion.back,
        "start": place,
    }


def from_bytes(data: bytes) -> Drives:
    """ProtocolError for what no script can have asked for."""
    try:
        facts = json.loads(data)
        if not isinstance(facts, dict) or not facts.keys() <= _FIRST.keys():
            raise ProtocolError("drives are damaged")
        return Drives(**{name: _value(name, _FIRST[name], facts[name]) for name in facts})
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        raise ProtocolError("drives are damaged") from None


def _value(name: str, first: Any, value: Any) -> Any:
    """A value of the same kind as the first one."""
    if name == "keyframes":
        return _keyframes(value)
    if name == "vehicle":
        if len(value) > MOST_OF_VEHICLE:
            raise ProtocolError("drives are damaged")
        return _numbers(value, len(value))
    if isinstance(first, bool):
        return bool(value)
    if isinstance(first, int):
        if type(value) is not int or not 0 <= value < 1 << 31:
            raise ProtocolError("drives are damaged")
        return value
    if isinstance(first, float):
        return _numbers([value], 1)[0]
    if isinstance(first, str):
        return str(UUID(value))
    return _numbers(value, len(first))


def _keyframes(facts: Any) -> Keyframes:
    frames = tuple([_frame(one) for one in facts["frames"]])
    at, mode = facts["at"], facts["mode"]
    if not 1 <= len(frames) <= MOST_FRAMES or type(at) is not int or not 0 <= at < len(frames) or mode not in range(4):
        raise ProtocolError("keyframes are damaged")
    place = _numbers(facts["start"], 7)
    return Keyframes(frames, mode, bool(facts["playing"]), at, bool(facts["back"]), place[:3], unit_turn(place[3:]))  # type: ignore[arg-type]


def _frame(values: Any) -> tuple[Vector, Quaternion, float]:
    numbers = _numbers(values, 8)
    if not 0.05 <= numbers[7] <= 1e6:
        raise ProtocolError("keyframes are damaged")
    return numbers[:3], unit_turn(numbers[3:7]), numbers[7]  # type: ignore[return-value]


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    """So many finite numbers of sane size."""
    if len(values) != count or not all(type(value) in (int, float) and abs(value) <= LARGEST for value in values):
        raise ProtocolError("drives are damaged")  # also when one is not a number
    return tuple([float(value) for value in values])


def unit_turn(turn: tuple[float, ...]) -> Quaternion:
    """A rotation of length 1: as it is if it is one but for rounding."""
    square = sum(part * part for part in turn)
    if not square >= 0.25:
        raise ProtocolError("a rotation is not a unit quaternion")
    length = math.sqrt(square) if abs(square - 1.0) > 1e-5 else 1.0
    x, y, z, w = (part / length for part in turn)
    return x, y, z, w
