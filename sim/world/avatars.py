"""The avatars of a region as columns: one row a root agent, what kernels touch every frame.

Cold facts (names, appearance, circuit) are on the `Agent` record; a row holds only numbers. Rows are reused: an
avatar that leaves clears its row, and `count` is one past the highest row in use, so kernels scan `rows[:count]`.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

# Bits of `controls` that are more than the state of a key; `physics/avatars.py` has the keys.
UP, FLY, STAND_UP, SIT_ON_GROUND = 0x10, 0x2000, 0x10000, 0x20000
NUDGES = 0x80000 | 0x100000 | 0x200000 | 0x400000 | 0x800000 | 0x1000000
PRESSES = UP | STAND_UP | SIT_ON_GROUND | NUDGES

AVATAR_DTYPE = np.dtype(
    [
        ("active", np.uint8),
        ("flying", np.uint8),
        ("running", np.uint8),
        ("sitting", np.uint8),  # 0 no, 1 on the ground, 2 on an object (seats.py)
        ("on_ground", np.uint8),
        ("motion", np.uint8),  # a Motion; the kernel writes it, animations follow it
        ("dirty", np.uint8),  # the path changed so that viewers must hear of it this frame
        ("motion_changed", np.uint8),  # `motion` is not what it was before this step
        ("held", np.uint8),  # does not move by itself: on its way to a neighbour, or seated
        ("repeats", np.uint8),  # how often a stop is still to be said again, since updates may be lost
        ("local_id", np.uint32),
        ("controls", np.uint32),  # AgentUpdate.ControlFlags: the state of the keys
        ("position", np.float32, 3),  # metres, region-local; the middle of the capsule
        ("velocity", np.float32, 3),
        ("acceleration", np.float32, 3),
        ("rotation", np.float32, 4),  # x y z w
        ("angular_velocity", np.float32, 3),
        ("height", np.float32),  # of the whole capsule, metres
        ("timer", np.float32),  # world seconds left of the motion in progress (pre-jump, landing, standing up)
        ("fall_speed", np.float32),  # downward speed of the last step in the air
        ("sent_position", np.float32, 3),  # what viewers extrapolate from, and since when (world time)
        ("sent_velocity", np.float32, 3),
        ("sent_acceleration", np.float32, 3),
        ("sent_rotation", np.float32, 4),
        ("sent_age", np.float32),  # world seconds since the last update was sent
    ],
    align=True,
)


class Motion(IntEnum):
    """What an avatar is doing, as far as its default animation is concerned."""

    STANDING = 0
    WALKING = 1
    RUNNING = 2
    CROUCHING = 3
    CROUCH_WALKING = 4
    TURNING_LEFT = 5
    TURNING_RIGHT = 6
    PRE_JUMP = 7
    JUMPING = 8
    FALLING = 9
    LANDING = 10
    FLYING = 11
    HOVERING = 12
    HOVERING_UP = 13
    HOVERING_DOWN = 14
    SITTING_GROUND = 15
    STANDING_UP = 16
    SITTING = 17  # on an object


class Avatars:
    """Rows of avatars. `rows` may be replaced by a larger array on `add`: fetch it anew each frame."""

    def __init__(self, capacity: int = 128) -> None:
        self.rows = np.zeros(capacity, AVATAR_DTYPE)
        self.count = 0
        self._free: list[int] = list(range(capacity - 1, -1, -1))

    def add(self, local_id: int, position: tuple[float, float, float], height: float) -> int:
        """Claim a row for an avatar standing at `position`; returns its index."""
        if not self._free:
            old = len(self.rows)
            self.rows = np.concatenate([self.rows, np.zeros(old, AVATAR_DTYPE)])
            self._free = list(range(2 * old - 1, old - 1, -1))
        index = self._free.pop()
        row = self.rows[index]
        row["active"] = 1
        row["local_id"] = local_id
        row["position"] = position
        row["height"] = height
        row["rotation"] = (0.0, 0.0, 0.0, 1.0)
        row["sent_rotation"] = (0.0, 0.0, 0.0, 1.0)
        row["sent_position"] = position
        row["dirty"] = 1
        self.count = max(self.count, index + 1)
        return index

    def remove(self, index: int) -> None:
        self.rows[index] = np.zeros((), AVATAR_DTYPE)
        self._free.append(index)
        while self.count and not self.rows[self.count - 1]["active"]:
            self.count -= 1
