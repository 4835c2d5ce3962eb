"""Rays: through the two grids cell by cell, exactly along the ground's triangles, and past every avatar.

A ray is an origin, a unit direction and a length; hits are told with how far along they are in metres. Starting inside
a solid is no hit with that solid.
"""

from __future__ import annotations

import math

from sim.physics.broadphase import MOVER_CELL, MOVER_SIDE, STATIC_CELL, STATIC_SIDE
from sim.physics.contacts import piece_pose
from sim.physics.data import (
    BOX,
    CAPSULE,
    CYLINDER,
    HULL,
    MESH,
    NO,
    NONE,
    SPHERE,
    STATIC,
    YES,
    ZERO,
    float64,
    inner,
    int64,
    kernel,
)
from sim.world.terrain import height_at, normal_at

AVATAR_RADIUS = 0.25
NO_BODY = -(2**31)
FARTHEST, LONGEST = 1e5, 5000.0  # metres: of an origin from the region, and along a ray
HIT_STATIC, HIT_DYNAMIC, HIT_TERRAIN, HIT_AVATARS, HIT_PHANTOM = 1, 2, 4, 8, 16  # engine.Mask


@inner
def _ray_sphere(x, y, z, dx, dy, dz, radius):  # pragma: no cover - compiled
    b = x * dx + y * dy + z * dz
    c = x * x + y * y + z * z - radius * radius
    if c <= 0 or b > 0 or b * b < c:
        return -1.0
    return -b - math.sqrt(b * b - c)


@inner
def _ray_cylinder(x, y, z, dx, dy, dz, radius, hz, caps):  # pragma: no cover - compiled
    """Distance along the ray and which surface: 0 none, 1 mantle, 2 cap."""
    a = dx * dx + dy * dy
    c = x * x + y * y - radius * radius
    if a > 1e-12 and c > 0:
        b = x * dx + y * dy
        if b < 0 and b * b > a * c:
            t = (-b - math.sqrt(b * b - a * c)) / a
            if abs(z + t * dz) <= hz:
                return t, 1
    if caps and abs(z) > hz and z * dz < 0:
        t = (hz - abs(z)) / -abs(dz)
        px, py = x + t * dx, y + t * dy
        if px * px + py * py <= radius * radius:
            return t, 2
    return -1.0, 0


@inner
def _ray_capsule(x, y, z, dx, dy, dz, radius, hz):  # pragma: no cover - compiled
    """Distance (or -1) and normal."""
    t, kind = _ray_cylinder(x, y, z, dx, dy, dz, radius, hz, NO)
    if kind == 1:
        return t, (x + t * dx) / radius, (y + t * dy) / radius, 0.0
    best = -1.0
    end = 0.0
    for k in range(2):
        h = hz if k else -hz
        t = _ray_sphere(x, y, z - h, dx, dy, dz, radius)
        if t >= 0 and (best < 0 or t < best):
            best, end = t, h
    if best < 0:
        return -1.0, 0.0, 0.0, 1.0
    return best, (x + best * dx) / radius, (y + best * dy) / radius, (z + best * dz - end) / radius


@inner
def _ray_box(x, y, z, dx, dy, dz, hx, hy, hz):  # pragma: no cover - compiled
    near, far = -1e30, 1e30
    axis, sign = 0, 1.0
    for k in range(3):
        o, d, h = (x, dx, hx) if k == 0 else ((y, dy, hy) if k == 1 else (z, dz, hz))
        if abs(d) < 1e-9:
            if abs(o) > h:
                return -1.0, 0, 1.0
            continue
        a, c = (-h - o) / d, (h - o) / d
        if a > c:
            a, c = c, a
        if a > near:
            near, axis, sign = a, k, (-1.0 if d > 0 else 1.0)
        far = min(far, c)
    if near > far or near < 0:
        return -1.0, 0, 1.0
    return near, axis, sign


@inner
def _ray_triangle(g, base, a, b, c, x, y, z, dx, dy, dz):  # pragma: no cover - compiled
    """Distance along the ray or -1, from either side."""
    v = g.verts
    a, b, c = base + a, base + b, base + c
    ux, uy, uz = float64(v[b, 0] - v[a, 0]), float64(v[b, 1] - v[a, 1]), float64(v[b, 2] - v[a, 2])
    wx, wy, wz = float64(v[c, 0] - v[a, 0]), float64(v[c, 1] - v[a, 1]), float64(v[c, 2] - v[a, 2])
    px, py, pz = dy * wz - dz * wy, dz * wx - dx * wz, dx * wy - dy * wx
    det = ux * px + uy * py + uz * pz
    if abs(det) < 1e-12:
        return -1.0
    sx, sy, sz = x - v[a, 0], y - v[a, 1], z - v[a, 2]
    p = (sx * px + sy * py + sz * pz) / det
    if p < -1e-6 or p > 1 + 1e-6:
        return -1.0
    qx, qy, qz = sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux
    q = (dx * qx + dy * qy + dz * qz) / det
    if q < -1e-6 or p + q > 1 + 1e-6:
        return -1.0
    return (wx * qx + wy * qy + wz * qz) / det


@inner
def _ray_mesh(piece, g, s, x, y, z, dx, dy, dz, limit):  # pragma: no cover - compiled
    """Distance (or -1) and the number of the triangle."""
    best, which = -1.0, -1
    ix, iy, iz = (1 / dx if dx else 1e30), (1 / dy if dy else 1e30), (1 / dz if dz else 1e30)
    depth = 1
    s.stack[0] = 0
    while depth > 0:
        depth -= 1
        at = s.stack[depth]
        node = g.nodes[piece.e0 + at]
        a, c = (node.x0 - 1e-4 - x) * ix, (node.x1 + 1e-4 - x) * ix
        near, far = max(min(a, c), 0.0), min(max(a, c), limit)
        a, c = (node.y0 - 1e-4 - y) * iy, (node.y1 + 1e-4 - y) * iy
        near, far = max(near, min(a, c)), min(far, max(a, c))
        a, c = (node.z0 - 1e-4 - z) * iz, (node.z1 + 1e-4 - z) * iz
        near, far = max(near, min(a, c)), min(far, max(a, c))
        if near > far:
            continue
        if node.count == 0:
            s.stack[depth] = node.right
            s.stack[depth + 1] = at + 1
            depth += 2
            continue
        for f in range(piece.f0 + node.first, piece.f0 + node.first + node.count):
            tri = g.triangles[f]
            t = _ray_triangle(g, piece.v0, tri[0], tri[1], tri[2], x, y, z, dx, dy, dz)
            if t >= 0 and t < limit:
                limit, best, which = t, t, f
    return best, which


@inner
def ray_piece(piece, g, s, x, ox, oy, oz, wx, wy, wz, limit):  # pragma: no cover - compiled
    """A ray (region axes) against a piece at transform x: distance (or -1) and normal in region axes."""
    px, py, pz = ox - x[0], oy - x[1], oz - x[2]
    along = px * wx + py * wy + pz * wz
    off = px * px + py * py + pz * pz - piece.outer * piece.outer
    if off > 0 and (along > 0 or along * along < off):
        return -1.0, 0.0, 0.0, 1.0
    lx, ly = x[3] * px + x[6] * py + x[9] * pz, x[4] * px + x[7] * py + x[10] * pz
    lz = x[5] * px + x[8] * py + x[11] * pz
    dx, dy = x[3] * wx + x[6] * wy + x[9] * wz, x[4] * wx + x[7] * wy + x[10] * wz
    dz = x[5] * wx + x[8] * wy + x[11] * wz
    t = -1.0
    nx, ny, nz = 0.0, 0.0, 1.0
    if piece.form == BOX:
        t, axis, sign = _ray_box(lx, ly, lz, dx, dy, dz, float64(piece.hx), float64(piece.hy), float64(piece.hz))
        nx, ny, nz = (sign if axis == 0 else 0.0), (sign if axis == 1 else 0.0), (sign if axis == 2 else 0.0)
    elif piece.form == SPHERE:
        r = float64(piece.hx)
        t = _ray_sphere(lx, ly, lz, dx, dy, dz, r)
        nx, ny, nz = (lx + t * dx) / r, (ly + t * dy) / r, (lz + t * dz) / r
    elif piece.form == CYLINDER:
        t, kind = _ray_cylinder(lx, ly, lz, dx, dy, dz, float64(piece.hx), float64(piece.hz), YES)
        if kind == 1:
            nx, ny, nz = (lx + t * dx) / piece.hx, (ly + t * dy) / piece.hx, 0.0
        else:
            nz = 1.0 if lz > 0 else -1.0
    elif piece.form == CAPSULE:
        t, nx, ny, nz = _ray_capsule(lx, ly, lz, dx, dy, dz, float64(piece.hx), float64(piece.hz))
    elif piece.form == HULL:
        near, far = -1.0, 1e30
        for f in range(piece.f0, piece.f0 + piece.fn):
            face = g.faces[f]
            d = face.nx * lx + face.ny * ly + face.nz * lz - face.d
            v = face.nx * dx + face.ny * dy + face.nz * dz
            if abs(v) < 1e-12:
                if d > 0:
                    far = -2.0
                continue
            u = -d / v
            if v < 0:
                if u > near:
                    near = u
                    nx, ny, nz = float64(face.nx), float64(face.ny), float64(face.nz)
            else:
                far = min(far, u)
        t = near if near <= far and near >= 0 else -1.0
    elif piece.form == MESH:
        t, f = _ray_mesh(piece, g, s, lx, ly, lz, dx, dy, dz, limit)
        if f >= 0:
            v, tri = g.verts, g.triangles[f]
            a, b, c = piece.v0 + tri[0], piece.v0 + tri[1], piece.v0 + tri[2]
            ux, uy, uz = v[b, 0] - v[a, 0], v[b, 1] - v[a, 1], v[b, 2] - v[a, 2]
            qx, qy, qz = v[c, 0] - v[a, 0], v[c, 1] - v[a, 1], v[c, 2] - v[a, 2]
            nx, ny, nz = float64(uy * qz - uz * qy), float64(uz * qx - ux * qz), float64(ux * qy - uy * qx)
            size = math.sqrt(nx * nx + ny * ny + nz * nz)
            if nx * dx + ny * dy + nz * dz > 0:
                size = -size
            nx, ny, nz = nx / size, ny / size, nz / size
    if t < 0 or t > limit:
        return -1.0, 0.0, 0.0, 1.0
    return (
        t,
        x[3] * nx + x[4] * ny + x[5] * nz,
        x[6] * nx + x[7] * ny + x[8] * nz,
        x[9] * nx + x[10] * ny + x[11] * nz,
    )


@inner
def _note(hits, count, target, part, t, nx, ny, nz):  # pragma: no cover - compiled
    """Keep a hit: the nearest of each target, and with one place only, the nearest of all."""
    at = count
    for k in range(count):
        if hits[k].target == target or len(hits) == 1:
            if hits[k].fraction <= t:
                return count
            at = k
            break
    if at >= len(hits):
        far = 0
        for k in range(1, count):
            if hits[k].fraction > hits[far].fraction:
                far = k
        if hits[far].fraction <= t:
            return count
        at = far
    h = hits[at]
    h.target, h.part, h.fraction = target, part, t
    h.normal[0], h.normal[1], h.normal[2] = nx, ny, nz
    return max(count, at + 1)


@inner
def _ray_body(h, b, g, s, ox, oy, oz, dx, dy, dz, length, hits, count):  # pragma: no cover - compiled
    limit = float64(hits[0].fraction) if len(hits) == 1 and count == 1 else length
    shape = g.shapes[b.body[h].shape]
    for u in range(shape.first, shape.first + shape.count):
        piece = g.pieces[u]
        piece_pose(b.pose[h], piece, s.xa)
        t, nx, ny, nz = ray_piece(piece, g, s, s.xa, ox, oy, oz, dx, dy, dz, limit)
        if t >= 0:
            count = _note(hits, count, h, int64(piece.part), t, nx, ny, nz)
            limit = min(limit, t)
    return count


@inner
def _ray_meets(box, ox, oy, oz, dx, dy, dz, limit):  # pragma: no cover - compiled
    """Whether a ray meets a box of bounds."""
    near, far = 0.0, limit
    for k in range(3):
        o, d = (ox, dx) if k == 0 else ((oy, dy) if k == 1 else (oz, dz))
        if abs(d) < 1e-9:
            if o < box[k] or o > box[3 + k]:
                return False
            continue
        a, c = (box[k] - o) / d, (box[3 + k] - o) / d
        near, far = max(near, min(a, c)), min(far, max(a, c))
    return near <= far


@inner
def _cast_grid(b, g, s, start, items, side, cell, statics, mask, skip, ox, oy, oz, dx, dy, dz, length, hits, count):
    # pragma: no cover - compiled
    inv = 1.0 / cell
    cx, cy = math.floor(ox * inv), math.floor(oy * inv)
    sx, sy = (1 if dx > 0 else -1), (1 if dy > 0 else -1)
    big = 1e30
    step_x, step_y = (cell / abs(dx) if abs(dx) > 1e-9 else big), (cell / abs(dy) if abs(dy) > 1e-9 else big)
    tx = ((cx + (1 if sx > 0 else 0)) * cell - ox) / dx if abs(dx) > 1e-9 else big
    ty = ((cy + (1 if sy > 0 else 0)) * cell - oy) / dy if abs(dy) > 1e-9 else big
    t = 0.0
    last = -1
    for _ in range(int64(2 * length * inv) + 4):  # cells that a line so long meets at most
        if not t <= length:
            break
        if len(hits) == 1 and count == 1 and hits[0].fraction < t:
            break
        c = min(max(cy, 0), side - 1) * side + min(max(cx, 0), side - 1)
        if c != last:
            last = c
            for k in range(start[c], start[c + 1]):
                h = int64(items[k])
                o = b.body[h]
                if h == skip or not o.active or (statics and not o.in_grid) or (o.sensor and not mask & HIT_PHANTOM):
                    continue
                if _ray_meets(b.bounds[h], ox, oy, oz, dx, dy, dz, length):
                    count = _ray_body(h, b, g, s, ox, oy, oz, dx, dy, dz, length, hits, count)
        if tx < ty:
            t = tx
            tx += step_x
            cx += sx
        else:
            t = ty
            ty += step_y
            cy += sy
    return count


@inner
def _cast_ground(heights, top, ox, oy, oz, dx, dy, dz, length):  # pragma: no cover - compiled
    """Distance to the ground from above, or -1. Between cell borders and diagonals the surface is flat, so the height
    above it is linear and its zero exact."""
    t = 0.0
    if oz > top:
        if dz >= 0:
            return -1.0
        t = (top - oz) / dz
        if t > length:
            return -1.0
    f = oz + t * dz - height_at(heights, ox + t * dx, oy + t * dy)
    if f < -1e-3:
        return -1.0
    for _ in range(4 * 1500):
        if t >= length:
            return -1.0
        x, y = ox + t * dx, oy + t * dy
        u = length
        if dx > 1e-9:
            u = min(u, t + (math.floor(x + 1e-6) + 1 - x) / dx)
        elif dx < -1e-9:
            u = min(u, t + (math.ceil(x - 1e-6) - 1 - x) / dx)
        if dy > 1e-9:
            u = min(u, t + (math.floor(y + 1e-6) + 1 - y) / dy)
        elif dy < -1e-9:
            u = min(u, t + (math.ceil(y - 1e-6) - 1 - y) / dy)
        mx, my = ox + 0.5 * (t + u) * dx, oy + 0.5 * (t + u) * dy
        if abs(dx - dy) > 1e-9:  # the diagonal of the cell in between
            d = ((y - math.floor(my)) - (x - math.floor(mx))) / (dx - dy)
            if d > 1e-6 and t + d < u:
                u = t + d
        u = max(u, t + 1e-5)
        e = oz + u * dz - height_at(heights, ox + u * dx, oy + u * dy)
        if e < 0:
            return t + (u - t) * f / max(f - e, 1e-12) if f > 0 else t
        if dz >= 0 and oz + u * dz > top:
            return -1.0
        t, f = u, e
    return -1.0


@kernel
def cast(around, mask, skip, ox, oy, oz, dx, dy, dz, length, hits):  # pragma: no cover - compiled
    """Fill `hits` with what a ray of unit direction meets, `fraction` being metres; how many. None of rays that begin
    absurdly far away, or have no direction or end."""
    n = ZERO
    if not (abs(ox) < FARTHEST and abs(oy) < FARTHEST and abs(oz) < FARTHEST and length >= 0 and length < LONGEST):
        return n
    if not abs(dx * dx + dy * dy + dz * dz - 1.0) < 1e-3:
        return n
    b, g, s, found = around.b, around.g, around.s, around.found
    if mask & HIT_TERRAIN:
        t = _cast_ground(around.heights, around.top, ox, oy, oz, dx, dy, dz, length)
        if t >= 0:
            x, y, z = normal_at(around.heights, ox + t * dx, oy + t * dy)
            n = _note(hits, n, NONE, ZERO, t, x, y, z)
    if mask & HIT_STATIC:
        if found.static_grid[STATIC_SIDE * STATIC_SIDE] > 0:
            n = _cast_grid(
                b, g, s, found.static_grid, found.static_items, int64(STATIC_SIDE), STATIC_CELL, YES, mask, skip,
                ox, oy, oz, dx, dy, dz, length, hits, n,
            )  # fmt: skip
        for k in range(found.fresh_count):
            h = int64(found.fresh[k])
            o = b.body[h]
            if not o.active or o.kind != STATIC or o.in_grid or o.phantom or h == skip:
                continue
            if (not o.sensor or mask & HIT_PHANTOM) and _ray_meets(b.bounds[h], ox, oy, oz, dx, dy, dz, length):
                n = _ray_body(h, b, g, s, ox, oy, oz, dx, dy, dz, length, hits, n)
    if mask & HIT_DYNAMIC and found.mover_grid[MOVER_SIDE * MOVER_SIDE] > 0:
        n = _cast_grid(
            b, g, s, found.mover_grid, found.mover_items, int64(MOVER_SIDE), MOVER_CELL, NO, mask, skip,
            ox, oy, oz, dx, dy, dz, length, hits, n,
        )  # fmt: skip
    if mask & HIT_PHANTOM:
        for h in range(1, around.used):
            o = b.body[h]
            if not o.active or not o.phantom or h == skip:
                continue
            wanted = mask & (HIT_STATIC if o.kind == STATIC else HIT_DYNAMIC)
            if wanted and _ray_meets(b.bounds[h], ox, oy, oz, dx, dy, dz, length):
                n = _ray_body(h, b, g, s, ox, oy, oz, dx, dy, dz, length, hits, n)
    if mask & HIT_AVATARS:
        for k in range(len(around.avatars)):
            row = around.avatars[k]
            if not row.active:
                continue
            hz = max(float64(row.height) * 0.5 - AVATAR_RADIUS, 0.0)
            t, x, y, z = _ray_capsule(
                ox - row.position[0], oy - row.position[1], oz - row.position[2], dx, dy, dz, AVATAR_RADIUS, hz
            )
            if t >= 0 and t <= length:
                n = _note(hits, n, -(k + 2), ZERO, t, x, y, z)
    return n


@kernel
def cast_batch(around, mask, origins, directions, lengths, out):  # pragma: no cover - compiled
    """The nearest hit of each ray into `out`; directions of any length but none."""
    for k in range(len(origins)):
        ox, oy, oz = float64(origins[k, 0]), float64(origins[k, 1]), float64(origins[k, 2])
        dx, dy, dz = float64(directions[k, 0]), float64(directions[k, 1]), float64(directions[k, 2])
        size = math.sqrt(dx * dx + dy * dy + dz * dz)
        length = float64(lengths[k])
        h = out[k : k + 1]
        h[0].ray = k
        h[0].target = NO_BODY
        if not (size > 1e-9 and length > 0 and math.isfinite(ox + oy + oz + size + length)):
            continue
        dx, dy, dz = dx / size, dy / size, dz / size
        n = cast(around, mask, NONE, ox, oy, oz, dx, dy, dz, length, h)
        if n == 0:
            h[0].target = NO_BODY
            continue
        t = float64(h[0].fraction)
        h[0].point[0], h[0].point[1], h[0].point[2] = ox + t * dx, oy + t * dy, oz + t * dz
        h[0].fraction = t / length
