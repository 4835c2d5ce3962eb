"""Spheres and capsules, against each other and against convex pieces: by the closest point, exact and cheap.

A capsule is a line with a radius. Against a flat thing it touches with its two ends and, where it lies across an edge,
with the point of the line that is nearest (the distance along the line is convex, so a few sections find it).
"""

from __future__ import annotations

import math

from sim.physics.data import BOX, CAPSULE, CYLINDER, float64, inner


@inner
def closest_box(hx, hy, hz, x, y, z):  # pragma: no cover - compiled
    """Signed distance of a point to a box about the origin, and the outward normal there."""
    cx, cy, cz = min(max(x, -hx), hx), min(max(y, -hy), hy), min(max(z, -hz), hz)
    dx, dy, dz = x - cx, y - cy, z - cz
    d = dx * dx + dy * dy + dz * dz
    if d > 1e-16:
        d = math.sqrt(d)
        return d, dx / d, dy / d, dz / d
    ax, ay, az = abs(x) - hx, abs(y) - hy, abs(z) - hz
    if az >= ax and az >= ay:
        return az, 0.0, 0.0, (1.0 if z >= 0 else -1.0)
    if ax >= ay:
        return ax, (1.0 if x >= 0 else -1.0), 0.0, 0.0
    return ay, 0.0, (1.0 if y >= 0 else -1.0), 0.0


@inner
def closest_cylinder(radius, hz, x, y, z):  # pragma: no cover - compiled
    """The same for a cylinder along z."""
    level = math.sqrt(x * x + y * y)
    ux, uy = (x / level, y / level) if level > 1e-9 else (1.0, 0.0)
    out, up = level - radius, abs(z) - hz
    sz = 1.0 if z >= 0 else -1.0
    if out > 0 and up > 0:
        d = math.sqrt(out * out + up * up)
        return d, ux * out / d, uy * out / d, sz * up / d
    if out > up:
        return out, ux, uy, 0.0
    return up, 0.0, 0.0, sz


@inner
def closest_hull(piece, g, x, y, z):  # pragma: no cover - compiled
    """The same for a hull: the nearest point of the faces that see the point, or the nearest face from inside."""
    faces, loops, verts = g.faces, g.loops, g.verts
    inside = -1e30
    nx = ny = nz = 0.0
    best = 1e30
    bx = by = bz = 0.0
    for f in range(piece.f0, piece.f0 + piece.fn):
        face = faces[f]
        d = face.nx * x + face.ny * y + face.nz * z - face.d
        if d > inside:
            inside = d
            nx, ny, nz = float64(face.nx), float64(face.ny), float64(face.nz)
        if d <= 0 or d * d > best:
            continue
        # Nearest point of this polygon: the foot of the point, unless an edge cuts it off.
        px, py, pz = x - d * face.nx, y - d * face.ny, z - d * face.nz
        outside = False
        for k in range(face.ln):
            a, b = piece.v0 + loops[face.l0 + k], piece.v0 + loops[face.l0 + (k + 1) % face.ln]
            ux, uy, uz = verts[b, 0] - verts[a, 0], verts[b, 1] - verts[a, 1], verts[b, 2] - verts[a, 2]
            wx, wy, wz = px - verts[a, 0], py - verts[a, 1], pz - verts[a, 2]
            ex, ey, ez = uy * face.nz - uz * face.ny, uz * face.nx - ux * face.nz, ux * face.ny - uy * face.nx
            if ex * wx + ey * wy + ez * wz <= 0:
                continue
            outside = True
            t = (ux * wx + uy * wy + uz * wz) / max(ux * ux + uy * uy + uz * uz, 1e-20)
            t = min(max(t, 0.0), 1.0)
            qx, qy, qz = verts[a, 0] + t * ux, verts[a, 1] + t * uy, verts[a, 2] + t * uz
            e = (x - qx) ** 2 + (y - qy) ** 2 + (z - qz) ** 2
            if e < best:
                best = e
                bx, by, bz = qx, qy, qz
        if not outside and d * d < best:
            best = d * d
            bx, by, bz = px, py, pz
    if inside <= 0:
        return inside, nx, ny, nz
    d = math.sqrt(best)
    if d < 1e-8:
        return d, nx, ny, nz
    return d, (x - bx) / d, (y - by) / d, (z - bz) / d


@inner
def closest(piece, g, x, y, z):  # pragma: no cover - compiled
    """Signed distance and outward normal of a point to a convex polyhedral piece, in the piece's frame."""
    if piece.form == BOX:
        return closest_box(float64(piece.hx), float64(piece.hy), float64(piece.hz), x, y, z)
    if piece.form == CYLINDER:
        return closest_cylinder(float64(piece.hx), float64(piece.hz), x, y, z)
    return closest_hull(piece, g, x, y, z)


@inner
def nearest_on_line(piece, g, px, py, pz, ux, uy, uz):  # pragma: no cover - compiled
    """t in -1..1 at which p + t u comes nearest to a piece: golden sections of a convex function."""
    low, high = -1.0, 1.0
    ratio = 0.6180339887498949
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    fa = closest(piece, g, px + a * ux, py + a * uy, pz + a * uz)[0]
    fb = closest(piece, g, px + b * ux, py + b * uy, pz + b * uz)[0]
    for _ in range(12):
        if fa < fb:
            high, b, fb = b, a, fa
            a = high - ratio * (high - low)
            fa = closest(piece, g, px + a * ux, py + a * uy, pz + a * uz)[0]
        else:
            low, a, fa = a, b, fb
            b = low + ratio * (high - low)
            fb = closest(piece, g, px + b * ux, py + b * uy, pz + b * uz)[0]
    return 0.5 * (low + high)


@inner
def round_poly(pa, pb, g, s, margin):  # pragma: no cover - compiled
    """Manifold of a sphere or capsule a and a polyhedral piece b; how many points. One normal: the deepest point's."""
    xa, xb = s.xa, s.xb
    dx, dy, dz = xa[0] - xb[0], xa[1] - xb[1], xa[2] - xb[2]
    px = xb[3] * dx + xb[6] * dy + xb[9] * dz
    py = xb[4] * dx + xb[7] * dy + xb[10] * dz
    pz = xb[5] * dx + xb[8] * dy + xb[11] * dz
    radius = float64(pa.hx)
    ux = uy = uz = 0.0
    tries = 1
    if pa.form == CAPSULE:
        wx, wy, wz = pa.hz * xa[5], pa.hz * xa[8], pa.hz * xa[11]
        ux = xb[3] * wx + xb[6] * wy + xb[9] * wz
        uy = xb[4] * wx + xb[7] * wy + xb[10] * wz
        uz = xb[5] * wx + xb[8] * wy + xb[11] * wz
        tries = 3
    count = 0
    best = 1e30
    nx = ny = nz = 0.0
    for k in range(tries):
        t = 0.0
        if tries == 3:
            t = -1.0 if k == 0 else 1.0
            if k == 2:
                t = nearest_on_line(pb, g, px, py, pz, ux, uy, uz)
                if abs(t) > 0.95:
                    continue
        x, y, z = px + t * ux, py + t * uy, pz + t * uz
        d, ax, ay, az = closest(pb, g, x, y, z)
        depth = d - radius
        if depth > margin:
            continue
        if depth < best:
            best = depth
            nx, ny, nz = ax, ay, az
        f = d - 0.5 * depth
        s.points[count, 0], s.points[count, 1], s.points[count, 2] = x - f * ax, y - f * ay, z - f * az
        s.depths[count] = depth
        count += 1
    # Normal from a to b, and all back to the region's axes.
    for r in range(3):
        s.normal[r] = -(xb[3 + 3 * r] * nx + xb[4 + 3 * r] * ny + xb[5 + 3 * r] * nz)
    for k in range(count):
        x, y, z = s.points[k, 0], s.points[k, 1], s.points[k, 2]
        for r in range(3):
            s.points[k, r] = xb[r] + xb[3 + 3 * r] * x + xb[4 + 3 * r] * y + xb[5 + 3 * r] * z
    return count


@inner
def segment_segment(px, py, pz, ux, uy, uz, qx, qy, qz, vx, vy, vz):  # pragma: no cover - compiled
    """(t, w) in -1..1 at which p + t u and q + w v are closest."""
    wx, wy, wz = px - qx, py - qy, pz - qz
    a, b, c = ux * ux + uy * uy + uz * uz, ux * vx + uy * vy + uz * vz, vx * vx + vy * vy + vz * vz
    d, e = ux * wx + uy * wy + uz * wz, vx * wx + vy * wy + vz * wz
    den = a * c - b * b
    t = min(max((b * e - c * d) / den, -1.0), 1.0) if den > 1e-9 * a * c else 0.0
    w = min(max((b * t + e) / c, -1.0), 1.0) if c > 1e-12 else 0.0
    t = min(max((b * w - d) / a, -1.0), 1.0) if a > 1e-12 else 0.0
    return t, w


@inner
def round_round(pa, pb, s, margin):  # pragma: no cover - compiled
    """Manifold of two spheres or capsules: one point, two where capsules lie along each other."""
    xa, xb = s.xa, s.xb
    la = float64(pa.hz) if pa.form == CAPSULE else 0.0
    lb = float64(pb.hz) if pb.form == CAPSULE else 0.0
    ux, uy, uz = la * xa[5], la * xa[8], la * xa[11]
    vx, vy, vz = lb * xb[5], lb * xb[8], lb * xb[11]
    reach = float64(pa.hx) + float64(pb.hx)
    t, w = segment_segment(xa[0], xa[1], xa[2], ux, uy, uz, xb[0], xb[1], xb[2], vx, vy, vz)
    along = 0.0
    if la > 0 and lb > 0:
        along = abs(ux * vx + uy * vy + uz * vz) / (la * lb)
    count = 0
    for k in range(2 if along > 0.99 else 1):
        if along > 0.99:  # nearly parallel: both ends of the shorter one
            if la <= lb:
                t = -1.0 if k == 0 else 1.0
                x, y, z = xa[0] + t * ux - xb[0], xa[1] + t * uy - xb[1], xa[2] + t * uz - xb[2]
                w = min(max((x * vx + y * vy + z * vz) / (lb * lb), -1.0), 1.0)
            else:
                w = -1.0 if k == 0 else 1.0
                x, y, z = xb[0] + w * vx - xa[0], xb[1] + w * vy - xa[1], xb[2] + w * vz - xa[2]
                t = min(max((x * ux + y * uy + z * uz) / (la * la), -1.0), 1.0)
        ax, ay, az = xa[0] + t * ux, xa[1] + t * uy, xa[2] + t * uz
        dx, dy, dz = xb[0] + w * vx - ax, xb[1] + w * vy - ay, xb[2] + w * vz - az
        d = math.sqrt(dx * dx + dy * dy + dz * dz)
        if d - reach > margin:
            continue
        if d > 1e-9:
            s.normal[0], s.normal[1], s.normal[2] = dx / d, dy / d, dz / d
        else:
            s.normal[0], s.normal[1], s.normal[2] = 0.0, 0.0, 1.0
        f = float64(pa.hx) + 0.5 * (d - reach)
        s.points[count, 0] = ax + f * s.normal[0]
        s.points[count, 1] = ay + f * s.normal[1]
        s.points[count, 2] = az + f * s.normal[2]
        s.depths[count] = d - reach
        count += 1
    return count
