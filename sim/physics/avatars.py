"""Avatars move: keys in, one step of 1/45 s, position and velocity out.

A capsule on land and among bodies. The keys (AgentUpdate.ControlFlags) say which way along the body's axes; the body's
rotation says where those axes point; speeds are those of Second Life. On the ground the soles follow the
land or what stands on it, so slopes and stairs need no contact solving; in the air gravity pulls, in flight nothing
does. What walls, things and other avatars do to the capsule is in `avatar_bodies.py`.

The kernel also decides what must be told: a row is marked `dirty` when viewers, extrapolating from what they were last
sent, would draw it in the wrong place.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sim.physics.avatar_bodies import (
    CLIMB,
    STEP_DOWN,
    carry,
    find_near,
    head_bumps,
    leave,
    note_sole,
    part_avatars,
    slide,
    stand_on,
    support,
)
from sim.physics.data import NO, YES, inner, kernel
from sim.world.avatars import Motion
from sim.world.changes import What
from sim.world.terrain import height_at

if TYPE_CHECKING:
    from sim.world.world import World

WALK, RUN, CROUCH, FLY, FLY_SLOW = 3.2, 5.13, 1.6, 16.0, 6.0  # metres a second
GRAVITY = 9.8
JUMP_SPEED = 5.6  # rises about 1.6 m
TERMINAL = 54.0
PRE_JUMP_TIME, LANDING_TIME, STANDING_UP_TIME = 0.22, 0.4, 0.9  # seconds of world time
HARD_LANDING = 4.0  # metres a second of fall that make a landing worth an animation
CEILING = 4096.0
MOST_SPEED = 250.0  # metres a second, whatever moved it
LOWEST_HEIGHT, HIGHEST_HEIGHT = 0.5, 4.0  # metres
STRIDE = 0.2  # metres: the longest piece of a move through the air that is checked for walls at once

# AgentUpdate.ControlFlags
AT_POS, AT_NEG, LEFT_POS, LEFT_NEG, UP_POS, UP_NEG = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
FAST_AT, FAST_LEFT, FAST_UP, FLYING, STOP = 0x400, 0x800, 0x1000, 0x2000, 0x4000
STAND_UP, SIT_ON_GROUND = 0x10000, 0x20000
NUDGE_AT_POS, NUDGE_AT_NEG, NUDGE_LEFT_POS, NUDGE_LEFT_NEG = 0x80000, 0x100000, 0x200000, 0x400000
NUDGE_UP_POS, NUDGE_UP_NEG = 0x800000, 0x1000000
TURN_LEFT, TURN_RIGHT = 0x2000000, 0x4000000

# When extrapolation is off by more than this, viewers are told.
POSITION_TOLERANCE = 0.08  # metres
VELOCITY_TOLERANCE = 0.15  # metres a second
ROTATION_TOLERANCE = 0.9998  # cosine of half the angle: about 2 degrees
MOVING_INTERVAL = 0.2  # seconds between updates of anything that moves, for viewers that do not extrapolate
REPEAT_AFTER = 0.3  # a stop is said again after so long, since the datagram that said it may be lost

_STANDING, _WALKING, _RUNNING = int(Motion.STANDING), int(Motion.WALKING), int(Motion.RUNNING)
_CROUCHING, _CROUCH_WALKING = int(Motion.CROUCHING), int(Motion.CROUCH_WALKING)
_TURNING_LEFT, _TURNING_RIGHT = int(Motion.TURNING_LEFT), int(Motion.TURNING_RIGHT)
_PRE_JUMP, _JUMPING, _FALLING, _LANDING = int(Motion.PRE_JUMP), int(Motion.JUMPING), int(Motion.FALLING), int(Motion.LANDING)
_FLYING, _HOVERING, _HOVERING_UP = int(Motion.FLYING), int(Motion.HOVERING), int(Motion.HOVERING_UP)
_HOVERING_DOWN, _SITTING, _STANDING_UP = int(Motion.HOVERING_DOWN), int(Motion.SITTING_GROUND), int(Motion.STANDING_UP)


@inner
def _axis(controls, positive, negative):  # pragma: no cover - compiled
    value = 0.0
    if controls & positive:
        value += 1.0
    if controls & negative:
        value -= 1.0
    return value


@inner
def _wish(row):  # pragma: no cover - compiled
    """Where the keys point, region axes, length 0..1 (x, y, z)."""
    controls = row.controls
    at = _axis(controls, AT_POS | NUDGE_AT_POS, AT_NEG | NUDGE_AT_NEG)
    left = _axis(controls, LEFT_POS | NUDGE_LEFT_POS, LEFT_NEG | NUDGE_LEFT_NEG)
    up = _axis(controls, UP_POS | NUDGE_UP_POS, UP_NEG | NUDGE_UP_NEG)
    qx, qy, qz, qw = row.rotation[0], row.rotation[1], row.rotation[2], row.rotation[3]
    # First two columns of the rotation matrix: the body's forward and left.
    fx, fy, fz = 1 - 2 * (qy * qy + qz * qz), 2 * (qx * qy + qw * qz), 2 * (qx * qz - qw * qy)
    lx, ly, lz = 2 * (qx * qy - qw * qz), 1 - 2 * (qx * qx + qz * qz), 2 * (qy * qz + qw * qx)
    x, y = at * fx + left * lx, at * fy + left * ly
    z = up
    if row.flying:
        z += at * fz + left * lz
    else:  # on foot the pitch of the body must not slow the walk
        flat = math.sqrt(x * x + y * y)
        if flat > 1e-6 and (at != 0.0 or left != 0.0):
            x, y = x / flat, y / flat
    length = math.sqrt(x * x + y * y + (z * z if row.flying else 0.0))
    if length > 1.0:
        x, y = x / length, y / length
        if row.flying:
            z /= length
    return x, y, z


@inner
def _sit(row, floor):  # pragma: no cover - compiled
    row.velocity[:] = 0
    row.position[2] = floor - 0.15
    row.motion = _SITTING
    row.on_ground = 1


@inner
def _through_air(row, r, extra, a, near, touches, total, dt):  # pragma: no cover - compiled
    """Move by the velocity, in short pieces where something is near; (touches so far, whether it landed on it)."""
    if near == 0:
        for axis in range(3):
            row.position[axis] += row.velocity[axis] * dt
        return total, False
    v = row.velocity
    pieces = int(math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) * dt / STRIDE) + 1
    first = total
    landed = False
    for _ in range(pieces):
        for axis in range(3):
            row.position[axis] += row.velocity[axis] * dt / pieces
        total, stands = slide(row, r, extra, a, near, NO, touches, first, total)
        landed = landed or stands
    return total, landed


@inner
def _fly(row, r, x, y, z, heights, extra, a, near, touches, total, dt):  # pragma: no cover - compiled
    fast = row.controls & (FAST_AT | FAST_LEFT | FAST_UP)
    speed = FLY if fast else FLY_SLOW
    blend = 1.0 if row.controls & STOP else min(1.0, dt * 6.0)
    for axis, wish in ((0, x), (1, y), (2, z)):
        gap = wish * speed - row.velocity[axis]
        row.velocity[axis] += gap * blend
        if abs(gap) < 0.05:
            row.velocity[axis] = wish * speed
    total, _ = _through_air(row, r, extra, a, near, touches, total, dt)
    floor = height_at(heights, row.position[0], row.position[1]) + row.height * 0.5
    if row.position[2] < floor:
        row.position[2] = floor
        row.velocity[2] = max(row.velocity[2], np.float32(0.0))
    elif row.position[2] > CEILING:
        row.position[2] = CEILING
        row.velocity[2] = min(row.velocity[2], np.float32(0.0))
    row.on_ground = 0
    row.fall_speed = 0
    level = math.sqrt(row.velocity[0] ** 2 + row.velocity[1] ** 2)
    if level > 1.0:
        row.motion = _FLYING
    elif z > 0.5:
        row.motion = _HOVERING_UP
    elif z < -0.5:
        row.motion = _HOVERING_DOWN
    else:
        row.motion = _HOVERING
    return total


@inner
def _on_foot(row, r, x, y, z, heights, extra, a, near, touches, total, dt):  # pragma: no cover - compiled
    """Standing, walking, crouching and the moment before a jump."""
    crouching = z < -0.5
    speed = CROUCH if crouching else (RUN if row.running else WALK)
    if row.timer > 0:
        row.timer -= dt
    landing = row.motion == _LANDING and row.timer > 0
    rising = row.motion == _STANDING_UP and row.timer > 0
    if landing or rising:
        speed *= 0.5
    blend = min(1.0, dt * 12.0)
    was_x, was_y, was_z = row.position[0], row.position[1], row.position[2]
    for axis, wish in ((0, x), (1, y)):
        gap = wish * speed - row.velocity[axis]
        row.velocity[axis] += gap * blend
        if abs(gap) < 0.05:
            row.velocity[axis] = wish * speed
        row.position[axis] += row.velocity[axis] * dt
    first = total
    if near:
        total, _ = slide(row, r, extra, a, near, YES, touches, first, total)
    floor = height_at(heights, row.position[0], row.position[1]) + row.height * 0.5
    handle = 0
    if near:
        level, found, sx, sy = support(row, a, near)
        if level + row.height * 0.5 >= floor - 0.01 and found > 0:
            floor, handle = level + row.height * 0.5, found
    drop = row.position[2] - floor
    if drop > STEP_DOWN:
        row.on_ground = 0
        row.velocity[2] = 0
        leave(row, extra)
        return total
    moving = row.velocity[0] != 0 or row.velocity[1] != 0
    if handle > 0 and -drop > CLIMB:  # a stair: up it, but not in a jerk
        floor = row.position[2] + CLIMB
        drop = -CLIMB
    row.velocity[2] = (floor - row.position[2]) / dt if moving and abs(drop) < 0.5 else 0.0
    row.position[2] = floor
    if near and -drop > 0.02 and head_bumps(row, a, near):  # no room up there
        row.position[0], row.position[1], row.position[2] = was_x, was_y, was_z
        row.velocity[:] = 0
    extra.support = 0
    if handle > 0:
        stand_on(row, extra, a, handle, sx, sy, dt)
        total = note_sole(row, r, a, handle, sx, sy, touches, first, total)
    if row.motion == _PRE_JUMP:
        if row.timer <= 0:
            row.velocity[2] = JUMP_SPEED
            row.on_ground = 0
            row.motion = _JUMPING
            leave(row, extra)
        return total
    if z > 0.5:
        row.motion = _PRE_JUMP
        row.timer = PRE_JUMP_TIME
    elif crouching:
        row.motion = _CROUCH_WALKING if moving else _CROUCHING
    elif moving and (x != 0.0 or y != 0.0):
        row.motion = _RUNNING if row.running else _WALKING
    elif landing or rising:
        pass
    elif row.controls & TURN_LEFT:
        row.motion = _TURNING_LEFT
    elif row.controls & TURN_RIGHT:
        row.motion = _TURNING_RIGHT
    else:
        row.motion = _STANDING
    return total


@inner
def _in_air(row, r, x, y, heights, extra, a, near, touches, total, dt):  # pragma: no cover - compiled
    blend = min(1.0, dt * 1.5)  # little steering while falling
    speed = RUN if row.running else WALK
    if x != 0.0 or y != 0.0:
        row.velocity[0] += (x * speed - row.velocity[0]) * blend
        row.velocity[1] += (y * speed - row.velocity[1]) * blend
    row.velocity[2] = max(row.velocity[2] - np.float32(GRAVITY * dt), np.float32(-TERMINAL))
    fall = -row.velocity[2]
    total, landed = _through_air(row, r, extra, a, near, touches, total, dt)
    row.fall_speed = fall
    floor = height_at(heights, row.position[0], row.position[1]) + row.height * 0.5
    if row.position[2] <= floor:
        row.position[2] = floor
        landed = True
    if landed and fall >= -0.5:
        row.velocity[2] = 0
        row.on_ground = 1
        if row.fall_speed > HARD_LANDING:
            row.motion = _LANDING
            row.timer = LANDING_TIME
        else:
            row.motion = _STANDING
        row.fall_speed = 0
    elif row.velocity[2] > 0 and row.motion == _JUMPING:
        pass
    elif row.fall_speed > 2.0:
        row.motion = _FALLING
    return total


@inner
def _keep_inside(row, open_sides):  # pragma: no cover - compiled
    """1 when the avatar is over a border that has a region behind it; at any other border it stops."""
    dx = -1 if row.position[0] < 0 else (1 if row.position[0] >= 256 else 0)
    dy = -1 if row.position[1] < 0 else (1 if row.position[1] >= 256 else 0)
    if dx == 0 and dy == 0:
        return 0
    if open_sides[dy + 1, dx + 1]:
        return 1
    # Slide along the edge rather than stick to it.
    if dx != 0 and not open_sides[1, dx + 1]:
        row.position[0] = 0.05 if dx < 0 else 255.95
        row.velocity[0] = 0
    if dy != 0 and not open_sides[dy + 1, 1]:
        row.position[1] = 0.05 if dy < 0 else 255.95
        row.velocity[1] = 0
    if dx != 0 and dy != 0 and open_sides[1, dx + 1] and open_sides[dy + 1, 1]:  # two neighbours, but none at the corner
        row.position[1] = 0.05 if dy < 0 else 255.95
        row.velocity[1] = 0
    return 1 if row.position[0] < 0 or row.position[0] >= 256 or row.position[1] < 0 or row.position[1] >= 256 else 0


@inner
def _must_tell(row, dt):  # pragma: no cover - compiled
    """Mark the row when what viewers extrapolate is wrong, or old while it moves, or a stop may have been lost."""
    row.sent_age += dt
    age = row.sent_age
    off = 0.0
    change = 0.0
    moving = False
    was_moving = False
    turn = 0.0
    for k in range(3):
        guess = row.sent_position[k] + row.sent_velocity[k] * age + 0.5 * row.sent_acceleration[k] * age * age
        off += (row.position[k] - guess) ** 2
        change += (row.velocity[k] - row.sent_velocity[k]) ** 2
        moving = moving or row.velocity[k] != 0
        was_moving = was_moving or row.sent_velocity[k] != 0
    for k in range(4):
        turn += row.rotation[k] * row.sent_rotation[k]
    if moving != was_moving:
        row.dirty = 1
        row.repeats = 0 if moving else 2
    elif (
        off > POSITION_TOLERANCE**2
        or (change > VELOCITY_TOLERANCE**2 and age > 0.04)
        or abs(turn) < ROTATION_TOLERANCE
        or (moving and age > MOVING_INTERVAL)
    ):
        row.dirty = 1
    elif row.repeats > 0 and age > REPEAT_AFTER:
        row.dirty = 1
        row.repeats -= 1


@inner
def _hold(row):  # pragma: no cover - compiled
    """Whatever a row was given from outside, it is an avatar: of a person's height, at a speed there is, somewhere."""
    row.height = min(max(row.height, LOWEST_HEIGHT), HIGHEST_HEIGHT) if row.height > 0 else LOWEST_HEIGHT
    v = row.velocity
    speed = v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
    if not speed <= MOST_SPEED * MOST_SPEED:
        f = MOST_SPEED / math.sqrt(speed) if math.isfinite(speed) else 0.0
        for k in range(3):
            v[k] = v[k] * f if f > 0 else 0.0
    for k in range(3):
        if not abs(row.position[k]) < CEILING * 2:
            row.position[k] = 128.0 if k < 2 else (CEILING if row.position[k] > 0 else 0.0)
    q = row.rotation
    size = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]
    if not (size > 0.25 and size < 4.0):
        q[0], q[1], q[2], q[3] = 0.0, 0.0, 0.0, 1.0


@kernel
def step_rows(rows, extras, heights, open_sides, a, touches, total, dt):  # pragma: no cover - compiled
    """One step of all rows; (touches so far, rows that changed their motion, rows over a border)."""
    motions = 0
    outside = 0
    part_avatars(rows, extras, a.crowd, dt)
    for i in range(len(rows)):
        row = rows[i]
        if not row.active or row.held:
            continue
        _hold(row)
        extra = extras[i]
        before = row.motion
        controls = row.controls
        floor = height_at(heights, row.position[0], row.position[1]) + row.height * 0.5
        if row.on_ground and not row.flying:
            carry(row, extra, a, dt)
            floor = max(floor, row.position[2]) if extra.support > 0 else floor
        else:
            extra.support = 0
        if row.sitting:
            if controls & STAND_UP or controls & FLYING:
                row.sitting = 0
                row.motion = _STANDING_UP
                row.timer = STANDING_UP_TIME
                row.position[2] = max(floor, row.position[2] + 0.15)
        elif controls & SIT_ON_GROUND and not controls & STAND_UP and row.on_ground:
            row.sitting = 1
            _sit(row, floor)
        if row.sitting:
            row.velocity[:] = 0
            row.motion = _SITTING
            row.on_ground = 1
            if extra.support == 0:
                row.position[2] = max(row.position[2], floor - 0.15)
        else:
            x, y, z = _wish(row)
            near = find_near(row, a, dt)
            if row.flying:
                total = _fly(row, i, x, y, z, heights, extra, a, near, touches, total, dt)
            elif row.on_ground:
                total = _on_foot(row, i, x, y, z, heights, extra, a, near, touches, total, dt)
            else:
                total = _in_air(row, i, x, y, heights, extra, a, near, touches, total, dt)
        row.acceleration[2] = 0 if (row.on_ground or row.flying) else -GRAVITY
        if row.motion != before:
            row.motion_changed = 1
            motions += 1
        outside += _keep_inside(row, open_sides)
        _must_tell(row, dt)
    return total, motions, outside


def note_motions(world: World) -> None:
    """Note who began to move in another way in a step: its animation is another."""
    rows = world.avatars.rows[: world.avatars.count]
    changed = np.flatnonzero(rows["motion_changed"])
    if len(changed):
        rows["motion_changed"][changed] = 0
        movers = [world.agent_of_row[index] for index in changed.tolist() if index in world.agent_of_row]
        world.changes.agents.note_all(movers, What.MOTION)
