"""Sleep: what has been still long enough, and touches nothing that was not, sleeps. A heap falls asleep part by part, and
one ball that rolls about on it keeps a few bodies awake, not all.

A sleeping body costs nothing: it is not moved, not collided with others that sleep, not sent. To those awake that rest
on it, it is as firm as the ground. Whatever moves near it wakes it, before they collide, so that it takes its share of
the blow.
"""

from __future__ import annotations

from sim.physics.data import DYNAMIC, KINEMATIC, STATIC, inner, kernel

# Still is what stays where it is, not what is slow: a tower that sways a little may sleep, a ball that creeps may not.
STILL_RANGE = 0.03  # metres; less than boxes of bounds reach over, so that what crept away is still a pair when it counts
STILL_SPEED, STILL_SPIN = 0.35, 0.4  # metres and radians a second
DRIVEN_SPEED, DRIVEN_SPIN = 0.01, 0.01  # metres and radians a second, of what a motor or target moves
STIRRING_SPEED = 0.1  # metres a second at a step's end; a step of free fall gives twice that
PATIENCE, ABOUT = 0.5, 0.1  # seconds of stillness before sleep, of a body and of all it touches
DOZE = 0.9 * PATIENCE  # seconds of stillness that a roused body counts as having behind it


@inner
def _driven(o):  # pragma: no cover - compiled
    return o.vehicle >= 0 or o.hover_tau > 0 or o.goal_tau > 0 or o.turn_strength > 0


@inner
def _stirs(h, b):  # pragma: no cover - compiled
    """Whether a body wakes what lies beside it."""
    o = b.body[h]
    return b.awake[h] and not o.roused and not o.sensor and (o.stirs or o.timer == 0)


@kernel
def rouse(b, pairs, total, roused):  # pragma: no cover - compiled
    """Wake what sleeps beside something that moves; handles into `roused` (as many as bodies), how many."""
    count = 0
    for k in range(total):
        i, j = pairs[k, 0], pairs[k, 1]
        if b.awake[i] and b.awake[j]:
            continue
        h, by = (j, i) if b.awake[i] else (i, j)
        o = b.body[h]
        if o.kind == DYNAMIC and not o.sensor and _stirs(by, b):
            b.awake[h] = 1
            o.roused = 1
            o.timer = min(o.timer, DOZE)
            roused[count] = h
            count += 1
    return count


@kernel
def carry_over(b, old, old_count, contacts, m):  # pragma: no cover - compiled
    """Append to the first m contacts the last step's of bodies that sleep on each other, as far as there is room; how
    many there are then. They are not solved, only remembered: who wakes bears its load at once, and does not stir."""
    for k in range(old_count):
        c = old[k]
        if m == len(contacts):
            break
        if c.friction < 0 or b.awake[c.i] or b.awake[c.j] or not (b.body[c.i].active and (c.j == 0 or b.body[c.j].active)):
            continue
        contacts[m] = c
        contacts[m].axis = -1
        m += 1
    return m


@kernel
def settle(b, n, contacts, m, least, dt):  # pragma: no cover - compiled
    """Put to sleep what is still among the still; returns how many bodies are awake."""
    body, motion, awake = b.body, b.motion, b.awake
    for i in range(1, n):
        if not awake[i]:
            continue
        o, v, p = body[i], motion[i], b.pose[i]
        speed = v.vx * v.vx + v.vy * v.vy + v.vz * v.vz
        spin = v.wx * v.wx + v.wy * v.wy + v.wz * v.wz
        off = (p.x - o.sx) ** 2 + (p.y - o.sy) ** 2 + (p.z - o.sz) ** 2
        driven = _driven(o)
        slow, steady = (DRIVEN_SPEED**2, DRIVEN_SPIN**2) if driven else (STILL_SPEED**2, STILL_SPIN**2)
        goes = o.kind == KINEMATIC and (speed > 0 or spin > 0)  # however slowly: by its owner's will
        if speed < slow and spin < steady and off < STILL_RANGE**2 and not goes:
            o.timer += dt
        else:
            o.timer = 0
            o.sx, o.sy, o.sz = p.x, p.y, p.z
        o.stirs = speed > STIRRING_SPEED**2 or o.kind == KINEMATIC or driven
        least[i] = o.timer
    for k in range(m):
        c = contacts[k]
        i, j = c.i, c.j
        if c.friction < 0 or j == 0 or (c.top <= 0 and c.depth > 0) or not (awake[i] and awake[j]):
            continue
        # What is carried has no rest of its own.
        if body[i].kind == KINEMATIC or body[j].kind == KINEMATIC:
            h = j if body[i].kind == KINEMATIC else i
            body[h].timer = least[h] = 0
        else:
            least[i], least[j] = min(least[i], body[j].timer), min(least[j], body[i].timer)
    count = 0
    for i in range(1, n):
        o = body[i]
        if not o.active or o.kind == STATIC:
            continue
        if awake[i]:
            if body[i].timer > PATIENCE and least[i] > ABOUT:
                awake[i] = 0
                v = motion[i]
                v.vx = v.vy = v.vz = v.wx = v.wy = v.wz = v.ax = v.ay = v.az = 0
                o.stirs = 0
        o.roused = 0
        count += awake[i]
    return count
