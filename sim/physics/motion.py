"""Forces to velocities, velocities to positions.

In free fall the position takes the exact path of the step (p + v t + a t^2 / 2), which is what a viewer extrapolates: a
falling ball needs no update until it hits something. What moves farther in a step than it is thick is swept first: it
stops at the surface it would have passed through and collides with it in the next step.
"""

from __future__ import annotations

import math

from sim.physics.data import DYNAMIC, KINEMATIC, STATIC, float64, inner, int64, kernel
from sim.physics.rays import HIT_DYNAMIC, HIT_STATIC, cast
from sim.physics.vehicles import drive
from sim.world.terrain import height_at

GRAVITY = 9.8
MAX_SPEED, MAX_SPIN = 250.0, 60.0
MAX_PULL = 25_000.0  # metres a second squared: whatever pulls harder gives full speed within a step anyway
SPIN_DRAG, ROLL_DRAG = 0.05, 0.5  # a second, free and in contact
ROLLING = 0.9  # metres a second squared that rolling resistance takes from the speed of a rolling rim: balls come to rest
LOWEST, HIGHEST, OUTSIDE = -512.0, 10_000.0, 512.0


@inner
def _turned(p, x, y, z):  # pragma: no cover - compiled
    """A vector of the body's axes in the region's."""
    return (
        p.r00 * x + p.r01 * y + p.r02 * z,
        p.r10 * x + p.r11 * y + p.r12 * z,
        p.r20 * x + p.r21 * y + p.r22 * z,
    )


@inner
def _steer(o, p, m, heights, water, dt):  # pragma: no cover - compiled
    """Hover, move and turn targets: velocities approach what brings the body there in about tau seconds."""
    if o.hover_tau > 0:
        level = height_at(heights, p.x, p.y)
        if o.hover_water:
            level = max(level, water)
        blend = min(dt / o.hover_tau * 3.0, 1.0)
        m.vz -= m.az * dt  # what holds it up bears its weight
        m.vz += ((level + o.hover - p.z) / o.hover_tau - m.vz) * blend
        m.az = 0
    if o.goal_tau > 0:
        blend = min(dt / o.goal_tau * 4.0, 1.0)
        m.vz -= m.az * dt
        m.vx += ((o.goal_x - p.x) / o.goal_tau - m.vx) * blend
        m.vy += ((o.goal_y - p.y) / o.goal_tau - m.vy) * blend
        m.vz += ((o.goal_z - p.z) / o.goal_tau - m.vz) * blend
        m.ax = m.ay = m.az = 0
    if o.turn_strength > 0:
        # The shorter turn from here to the target, as an axis times an angle.
        x = o.turn_w * -p.qx + o.turn_x * p.qw + o.turn_y * -p.qz - o.turn_z * -p.qy
        y = o.turn_w * -p.qy + o.turn_y * p.qw + o.turn_z * -p.qx - o.turn_x * -p.qz
        z = o.turn_w * -p.qz + o.turn_z * p.qw + o.turn_x * -p.qy - o.turn_y * -p.qx
        w = o.turn_w * p.qw + o.turn_x * p.qx + o.turn_y * p.qy + o.turn_z * p.qz
        if w < 0:
            x, y, z, w = -x, -y, -z, -w
        size = math.sqrt(x * x + y * y + z * z)
        angle = 2.0 * math.atan2(size, w)
        tau = max(float64(o.turn_damping), 0.05)
        f = angle / max(size, 1e-9) / tau
        blend = min(dt * o.turn_strength * 4.0 / tau, 1.0)
        m.wx += (f * x - m.wx) * blend
        m.wy += (f * y - m.wy) * blend
        m.wz += (f * z - m.wz) * blend


@inner
def _roll(p, m, shape, dt):  # pragma: no cover - compiled
    """Rolling resistance of what is round, as a drag that does not grow with speed. Flat things know none, or they would
    stand on their edges."""
    stop = ROLLING / max(float64(shape.outer), 0.05) * dt
    if shape.rolls == 2:
        spin = math.sqrt(float64(m.wx * m.wx + m.wy * m.wy + m.wz * m.wz))
        keep = max(spin - stop, 0.0) / max(spin, 1e-9)
        m.wx, m.wy, m.wz = m.wx * keep, m.wy * keep, m.wz * keep
    else:
        spin = float64(m.wx * p.r02 + m.wy * p.r12 + m.wz * p.r22)
        take = min(max(spin, -stop), stop)
        m.wx, m.wy, m.wz = m.wx - take * p.r02, m.wy - take * p.r12, m.wz - take * p.r22


@kernel
def apply_forces(b, g, handles, vehicles, heights, water, dt):  # pragma: no cover - compiled
    """Gravity, buoyancy, forces, targets and vehicles into the velocities of the bodies with these handles."""
    for h in handles:
        o, p, m = b.body[h], b.pose[h], b.motion[h]
        if o.kind != DYNAMIC:
            continue
        ax, ay, az = 0.0, 0.0, -GRAVITY * o.gravity * (1.0 - o.buoyancy)
        if o.fx != 0 or o.fy != 0 or o.fz != 0:
            fx, fy, fz = float64(o.fx), float64(o.fy), float64(o.fz)
            if o.force_local:
                fx, fy, fz = _turned(p, fx, fy, fz)
            ax, ay, az = ax + fx / o.mass, ay + fy / o.mass, az + fz / o.mass
            pull = math.sqrt(ax * ax + ay * ay + az * az)
            if pull > MAX_PULL:
                ax, ay, az = ax * (MAX_PULL / pull), ay * (MAX_PULL / pull), az * (MAX_PULL / pull)
        m.vx += ax * dt
        m.vy += ay * dt
        m.vz += az * dt
        m.ax, m.ay, m.az = ax, ay, az
        if o.tx != 0 or o.ty != 0 or o.tz != 0:
            x, y, z = float64(o.tx), float64(o.ty), float64(o.tz)
            if o.torque_local:
                x, y, z = _turned(p, x, y, z)
            m.wx += (m.ixx * x + m.ixy * y + m.ixz * z) * dt
            m.wy += (m.ixy * x + m.iyy * y + m.iyz * z) * dt
            m.wz += (m.ixz * x + m.iyz * y + m.izz * z) * dt
        if o.hover_tau > 0 or o.goal_tau > 0 or o.turn_strength > 0:
            _steer(o, p, m, heights, water, dt)
        if o.vehicle >= 0:
            drive(vehicles[o.vehicle], p, m, heights, water, az, dt)
            m.ax = m.ay = m.az = 0
        keep = 1.0 - (ROLL_DRAG if o.touched else SPIN_DRAG) * dt
        m.wx *= keep
        m.wy *= keep
        m.wz *= keep
        if o.touched:
            if g.shapes[o.shape].rolls > 0:
                _roll(p, m, g.shapes[o.shape], dt)
            m.ax = m.ay = m.az = 0
        o.touched = 0
        tame(m)


@kernel
def tame(m):  # pragma: no cover - compiled
    """Hold speed and spin to their limits; what is no number becomes rest."""
    v = m.vx * m.vx + m.vy * m.vy + m.vz * m.vz
    if not v <= MAX_SPEED * MAX_SPEED:
        f = MAX_SPEED / math.sqrt(v) if math.isfinite(v) else 0.0
        if f == 0:
            m.vx = m.vy = m.vz = 0
        else:
            m.vx, m.vy, m.vz = m.vx * f, m.vy * f, m.vz * f
    w = m.wx * m.wx + m.wy * m.wy + m.wz * m.wz
    if not w <= MAX_SPIN * MAX_SPIN:
        f = MAX_SPIN / math.sqrt(w) if math.isfinite(w) else 0.0
        if f == 0:
            m.wx = m.wy = m.wz = 0
        else:
            m.wx, m.wy, m.wz = m.wx * f, m.wy * f, m.wz * f


@inner
def _locked(o, p, m):  # pragma: no cover - compiled
    """Take the spin about locked axes of the body away."""
    x = p.r00 * m.wx + p.r10 * m.wy + p.r20 * m.wz
    y = p.r01 * m.wx + p.r11 * m.wy + p.r21 * m.wz
    z = p.r02 * m.wx + p.r12 * m.wy + p.r22 * m.wz
    if o.lock_x:
        x = 0.0
    if o.lock_y:
        y = 0.0
    if o.lock_z:
        z = 0.0
    m.wx, m.wy, m.wz = _turned(p, x, y, z)


@kernel
def set_origin(h, b):  # pragma: no cover - compiled
    """The position users know, from the centre of mass."""
    o, p = b.body[h], b.pose[h]
    x, y, z = _turned(p, o.cx, o.cy, o.cz)
    b.origin[h, 0], b.origin[h, 1], b.origin[h, 2] = p.x - x, p.y - y, p.z - z


@inner
def _swept(h, around, dx, dy, dz, far, inner, hits):  # pragma: no cover - compiled
    """The share of a long move that a body makes before it meets something."""
    p = around.b.pose[h]
    x, y, z = float64(dx / far), float64(dy / far), float64(dz / far)
    mask = int64(HIT_STATIC | HIT_DYNAMIC)
    count = cast(around, mask, h, float64(p.x), float64(p.y), float64(p.z), x, y, z, float64(far + inner), hits)
    if count == 0:
        return 1.0
    # Its front comes to the surface, a little into it, so that the next step finds the contact.
    cosine = abs(x * hits[0].normal[0] + y * hits[0].normal[1] + z * hits[0].normal[2])
    reach = float64(hits[0].fraction) - 0.9 * inner / max(cosine, 0.2)
    return min(max(reach / far, 0.0), 1.0)


@kernel
def integrate(around, moved, lost, hits, dt):  # pragma: no cover - compiled
    """Move all awake bodies on by dt; their handles go to `moved`, and to `lost` of those whose numbers are none any more
    (room for all, both); how many of each."""
    b = around.b
    count = gone = 0
    for h in range(1, around.used):
        if not b.awake[h]:
            continue
        o, p, m = b.body[h], b.pose[h], b.motion[h]
        if o.kind == STATIC:
            continue
        tame(m)
        if o.lock_x or o.lock_y or o.lock_z:
            _locked(o, p, m)
        half = 0.0 if o.touched or o.kind == KINEMATIC else 0.5 * dt
        dx, dy, dz = (m.vx - half * m.ax) * dt, (m.vy - half * m.ay) * dt, (m.vz - half * m.az) * dt
        far = math.sqrt(dx * dx + dy * dy + dz * dz)
        if far > MAX_SPEED * dt:
            f = MAX_SPEED * dt / far
            dx, dy, dz, far = f * dx, f * dy, f * dz, MAX_SPEED * dt
        if o.kind == DYNAMIC and not o.phantom and not o.sensor:
            inner = float64(around.g.shapes[o.shape].inner)
            if far > inner:
                f = _swept(h, around, dx, dy, dz, far, inner, hits)
                dx, dy, dz = f * dx, f * dy, f * dz
        p.x = min(max(p.x + dx, -OUTSIDE), 256.0 + OUTSIDE)
        p.y = min(max(p.y + dy, -OUTSIDE), 256.0 + OUTSIDE)
        p.z = min(max(p.z + dz, LOWEST), HIGHEST)
        x, y, z, w = float64(p.qx), float64(p.qy), float64(p.qz), float64(p.qw)
        wx, wy, wz = m.wx * dt, m.wy * dt, m.wz * dt
        angle = math.sqrt(wx * wx + wy * wy + wz * wz)
        if angle > 1e-9:
            f = math.sin(0.5 * angle) / angle
            ax, ay, az, aw = f * wx, f * wy, f * wz, math.cos(0.5 * angle)
            qx = aw * x + ax * w + ay * z - az * y
            qy = aw * y + ay * w + az * x - ax * z
            qz = aw * z + az * w + ax * y - ay * x
            qw = aw * w - ax * x - ay * y - az * z
            f = 1.0 / math.sqrt(qx * qx + qy * qy + qz * qz + qw * qw)
            p.qx, p.qy, p.qz, p.qw = qx * f, qy * f, qz * f, qw * f
            if o.kind == KINEMATIC:
                o.timer = 0
        # Origin by the new turn; the matrix itself is renewed with the bounds at the next step's start.
        x, y, z, w = float64(p.qx), float64(p.qy), float64(p.qz), float64(p.qw)
        cx, cy, cz = float64(o.cx), float64(o.cy), float64(o.cz)
        tx, ty, tz = 2 * (y * cz - z * cy), 2 * (z * cx - x * cz), 2 * (x * cy - y * cx)
        b.origin[h, 0] = p.x - (cx + w * tx + y * tz - z * ty)
        b.origin[h, 1] = p.y - (cy + w * ty + z * tx - x * tz)
        b.origin[h, 2] = p.z - (cz + w * tz + x * ty - y * tx)
        all_ = b.origin[h, 0] + b.origin[h, 1] + b.origin[h, 2] + x + y + z + w + m.vx + m.vy + m.vz + m.wx + m.wy + m.wz
        if not math.isfinite(all_):  # a sum is no number if one of its parts is none
            lost[gone] = h
            gone += 1
            continue
        moved[count] = h
        count += 1
    return count, gone
