"""Which objects must be told of: those that are not where viewers, extrapolating, draw them.

A viewer moves an object on by the velocity, acceleration and spin it was last sent. A body is told anew when its true
path leaves that one by more than a tolerance, when it starts or stops, and twice more after a stop, since the datagram
that said it may be lost. So free fall costs an update at release and one at impact, and a still world costs nothing.
"""

from __future__ import annotations

import numpy as np

from protocol.kernels import kernel
from sim.world.objects import OBJECT_DTYPE

POSITION_TOLERANCE = 0.05  # metres; grows a little with speed, which hides more
SPEED_SLACK = 0.004  # metres a metre a second
TURN_TOLERANCE = 0.9994  # cosine of half the angle: 4 degrees
REPEAT_AFTER = 0.4
LONGEST = 4.0  # seconds a moving object may go untold: viewers stop extrapolating after some


@kernel
def scan(rows, dt):  # pragma: no cover - compiled
    """Mark `dirty` where an update is due; returns how many are."""
    due = 0
    for i in range(len(rows)):
        row = rows[i]
        if not row.active or (not row.moving and not row.repeats and not row.dirty):
            continue
        row.sent_age += dt
        age = row.sent_age
        if not row.dirty:
            off = 0.0
            speed = 0.0
            for k in range(3):
                guess = row.sent_position[k] + row.sent_velocity[k] * age + 0.5 * row.sent_acceleration[k] * age * age
                off += (row.position[k] - guess) ** 2
                speed += row.velocity[k] ** 2
            if row.moving:
                slack = POSITION_TOLERANCE + SPEED_SLACK * np.sqrt(speed)
                if off > slack * slack or _turned(row, age) < TURN_TOLERANCE or age > LONGEST:
                    row.dirty = 1
            elif age > REPEAT_AFTER:
                row.dirty = 1
                row.repeats -= 1
        due += row.dirty
    return due


@kernel
def _turned(row, age):  # pragma: no cover - compiled
    """Cosine of half the angle between where the object faces and where a viewer has spun it to by now."""
    wx, wy, wz = row.sent_angular_velocity[0], row.sent_angular_velocity[1], row.sent_angular_velocity[2]
    spin = np.sqrt(wx * wx + wy * wy + wz * wz)
    x, y, z, w = row.sent_rotation[0], row.sent_rotation[1], row.sent_rotation[2], row.sent_rotation[3]
    if spin > 1e-4:
        half = 0.5 * spin * age
        s, c = np.sin(half) / spin, np.cos(half)
        ax, ay, az = wx * s, wy * s, wz * s
        x, y, z, w = (
            c * x + ax * w + ay * z - az * y,
            c * y - ax * z + ay * w + az * x,
            c * z + ax * y - ay * x + az * w,
            c * w - ax * x - ay * y - az * z,
        )
    return abs(x * row.rotation[0] + y * row.rotation[1] + z * row.rotation[2] + w * row.rotation[3])


@kernel
def mark_sent(rows, which):  # pragma: no cover - compiled
    """Remember what viewers extrapolate from now on."""
    for k in range(len(which)):
        row = rows[which[k]]
        for n in range(3):
            row.sent_position[n] = row.position[n]
            row.sent_velocity[n] = row.velocity[n]
            row.sent_acceleration[n] = row.acceleration[n]
            row.sent_angular_velocity[n] = row.angular_velocity[n]
        for n in range(4):
            row.sent_rotation[n] = row.rotation[n]
        row.sent_age = 0
        row.dirty = 0


def warm() -> None:
    rows = np.zeros(2, OBJECT_DTYPE)
    rows["active"] = rows["moving"] = 1
    scan(rows, 1 / 45)
    mark_sent(rows, np.zeros(1, np.int64))
