"""From pairs to contacts: each pair's convex pieces against each other, then every awake body against the ground.

Contacts of one pair lie next to each other, which is what matching them with the last step's relies on. Handle 0 is the
ground: a body of no mass, so that the solver needs no special case.
"""

from __future__ import annotations

import math

from sim.physics.axes import apart
from sim.physics.boxes import box_box, reduce_points
from sim.physics.broadphase import cell_of
from sim.physics.data import (
    BOX,
    CAPSULE,
    CYLINDER,
    DYNAMIC,
    KINEMATIC,
    MARGIN,
    MESH,
    NO,
    NONE,
    SPHERE,
    YES,
    ZERO,
    float64,
    inner,
    int64,
    kernel,
)
from sim.physics.polyhedra import poly_poly
from sim.physics.rounds import round_poly, round_round
from sim.physics.solver import find_pair
from sim.physics.triangles import piece_triangle
from sim.world.terrain import normal_at, surface_at

GROUND_FRICTION, GROUND_RESTITUTION = 0.8, 0.02
FAR = 10.0  # times the margin above the ground: nothing touches, however steep it is
SENSOR = -1.0  # friction of a contact that is only reported
MESH_CONTACTS = 24  # of one pair at most


@inner
def piece_pose(pose, piece, x):  # pragma: no cover - compiled
    """Where a piece of a body is: position and matrix into x (12,)."""
    if piece.plain:
        x[0], x[1], x[2] = pose.x, pose.y, pose.z
        x[3], x[4], x[5] = pose.r00, pose.r01, pose.r02
        x[6], x[7], x[8] = pose.r10, pose.r11, pose.r12
        x[9], x[10], x[11] = pose.r20, pose.r21, pose.r22
        return
    a0, a1, a2 = float64(pose.r00), float64(pose.r01), float64(pose.r02)
    b0, b1, b2 = float64(pose.r10), float64(pose.r11), float64(pose.r12)
    c0, c1, c2 = float64(pose.r20), float64(pose.r21), float64(pose.r22)
    x[0] = pose.x + a0 * piece.x + a1 * piece.y + a2 * piece.z
    x[1] = pose.y + b0 * piece.x + b1 * piece.y + b2 * piece.z
    x[2] = pose.z + c0 * piece.x + c1 * piece.y + c2 * piece.z
    x[3], x[4] = a0 * piece.r00 + a1 * piece.r10 + a2 * piece.r20, a0 * piece.r01 + a1 * piece.r11 + a2 * piece.r21
    x[5] = a0 * piece.r02 + a1 * piece.r12 + a2 * piece.r22
    x[6], x[7] = b0 * piece.r00 + b1 * piece.r10 + b2 * piece.r20, b0 * piece.r01 + b1 * piece.r11 + b2 * piece.r21
    x[8] = b0 * piece.r02 + b1 * piece.r12 + b2 * piece.r22
    x[9], x[10] = c0 * piece.r00 + c1 * piece.r10 + c2 * piece.r20, c0 * piece.r01 + c1 * piece.r11 + c2 * piece.r21
    x[11] = c0 * piece.r02 + c1 * piece.r12 + c2 * piece.r22


@inner
def _is_round(piece):  # pragma: no cover - compiled
    return piece.form == SPHERE or piece.form == CAPSULE


@inner
def near(pa, pb, s, margin):  # pragma: no cover - compiled
    """Whether the balls around two pieces at s.xa and s.xb touch."""
    dx, dy, dz = s.xb[0] - s.xa[0], s.xb[1] - s.xa[1], s.xb[2] - s.xa[2]
    reach = pa.outer + pb.outer + margin
    return dx * dx + dy * dy + dz * dz <= reach * reach


@inner
def round_pair(pa, pb, g, s, margin):  # pragma: no cover - compiled
    """Manifold of two convex pieces of which one is a sphere or capsule; how many points."""
    if not _is_round(pa):
        _exchange(s)
        count = round_poly(pb, pa, g, s, margin)
        _exchange(s)
        for r in range(3):
            s.normal[r] = -s.normal[r]
        return count
    if _is_round(pb):
        return round_round(pa, pb, s, margin)
    return round_poly(pa, pb, g, s, margin)


@inner
def _recall(i, j, u, w, old, old_count, table, known):  # pragma: no cover - compiled
    """The row in `known` of the AXIS by which pieces u and w of bodies i and j touched a step ago, or -1."""
    if old_count == 0:
        return NONE
    k = int64(find_pair(i, j, old, table))
    while k >= 0 and k < old_count and old[k].i == i and old[k].j == j:
        axis = int64(old[k].axis)
        if axis >= 0 and known[axis].u == u and known[axis].w == w:
            return axis
        k += 1
    return NONE


@inner
def _keep_axis(row, u, w, s, known, hint):  # pragma: no cover - compiled
    """Note in an AXIS row what poly_poly found."""
    row.u, row.w = u, w
    row.kind, row.fa, row.fb = s.axis[0], s.axis[1], s.axis[2]
    for k in range(12):
        row.x[k] = known[hint].x[k] if s.axis[3] else s.xc[k]


@inner
def _exchange(s):  # pragma: no cover - compiled
    for k in range(12):
        s.xa[k], s.xb[k] = s.xb[k], s.xa[k]


@inner
def moves(h, b):  # pragma: no cover - compiled
    """Whether a contact moves a body; else it is as firm as the ground."""
    return b.awake[h] or b.body[h].kind != DYNAMIC


@inner
def _emit(contacts, m, i, j, s, count, b, friction, restitution, axis):  # pragma: no cover - compiled
    """Append the scratch manifold as contacts between bodies i and j, as far as there is room."""
    if m + count > len(contacts):
        return m + count
    p, q = b.pose[i], b.pose[j]
    mi, mj = i if moves(i, b) else ZERO, j if moves(j, b) else ZERO
    for k in range(count):
        c = contacts[m + k]
        c.i, c.j = i, j
        c.nx, c.ny, c.nz = s.normal[0], s.normal[1], s.normal[2]
        x, y, z = s.points[k, 0], s.points[k, 1], s.points[k, 2]
        c.ax, c.ay, c.az = x - p.x, y - p.y, z - p.z
        c.bx, c.by, c.bz = x - q.x, y - q.y, z - q.z
        c.depth = s.depths[k]
        c.friction = friction
        c.bounce = restitution
        c.ln = c.lt = c.lu = c.top = 0
        c.mi, c.mj, c.axis = mi, mj, axis
    return m + count


@inner
def _mesh_pair(i, j, pa, pb, g, s, margin, b, contacts, m, friction, restitution, flip):  # pragma: no cover - compiled
    """A convex piece (s.xa, of body i) against a mesh (s.xb): down the box tree, one manifold a triangle."""
    xa, xb, t = s.xa, s.xb, s.triangle
    # The ball around the piece, as the mesh sees it.
    dx, dy, dz = xa[0] - xb[0], xa[1] - xb[1], xa[2] - xb[2]
    cx = xb[3] * dx + xb[6] * dy + xb[9] * dz
    cy = xb[4] * dx + xb[7] * dy + xb[10] * dz
    cz = xb[5] * dx + xb[8] * dy + xb[11] * dz
    reach = pa.outer + margin
    made = 0
    depth = 1
    s.stack[0] = 0
    while depth > 0 and made < MESH_CONTACTS:
        depth -= 1
        at = s.stack[depth]
        node = g.nodes[pb.e0 + at]
        if (
            cx + reach < node.x0 or cx - reach > node.x1 or cy + reach < node.y0
            or cy - reach > node.y1 or cz + reach < node.z0 or cz - reach > node.z1
        ):  # fmt: skip
            continue
        if node.count == 0:
            s.stack[depth] = node.right
            s.stack[depth + 1] = at + 1
            depth += 2
            continue
        for f in range(node.first, node.first + node.count):
            for k in range(3):
                v = pb.v0 + g.triangles[pb.f0 + f, k]
                x, y, z = float64(g.verts[v, 0]), float64(g.verts[v, 1]), float64(g.verts[v, 2])
                for r in range(3):
                    t[3 * k + r] = xb[r] + xb[3 + 3 * r] * x + xb[4 + 3 * r] * y + xb[5 + 3 * r] * z
            count = piece_triangle(pa, g, s, t, margin)
            if count == 0:
                continue
            if flip:
                for r in range(3):
                    s.normal[r] = -s.normal[r]
            if flip:
                m = _emit(contacts, m, j, i, s, count, b, friction, restitution, NONE)
            else:
                m = _emit(contacts, m, i, j, s, count, b, friction, restitution, NONE)
            made += count
    return m


@kernel
def collide_pairs(b, g, s, pairs, total, contacts, axes, old, old_count, table, known, dt):
    # pragma: no cover - compiled
    """Fill `contacts` with those of all pairs; how many there are, stored or not. `axes` (as many rows) becomes what
    polyhedra touch by, as `known` was to the last step's contacts `old`, in which `table` finds pairs."""
    m = ZERO
    for k in range(total):
        i, j = int64(pairs[k, 0]), int64(pairs[k, 1])
        oi, oj = b.body[i], b.body[j]
        mi, mj = b.motion[i], b.motion[j]
        vx, vy, vz = mi.vx - mj.vx, mi.vy - mj.vy, mi.vz - mj.vz
        margin = MARGIN + min(math.sqrt(vx * vx + vy * vy + vz * vz) * dt, 0.1)
        if oi.sensor or oj.sensor:
            friction, margin = float64(SENSOR), 0.0
        else:
            friction = math.sqrt(float64(oi.friction * oj.friction))
        restitution = math.sqrt(float64(oi.restitution * oj.restitution))
        si, sj = g.shapes[oi.shape], g.shapes[oj.shape]
        boxes = b.bounds[j]
        for u in range(si.first, si.first + si.count):
            pa = g.pieces[u]
            piece_pose(b.pose[i], pa, s.xa)
            if si.count > 1:
                r = pa.outer + margin
                if (
                    s.xa[0] + r < boxes[0] or s.xa[0] - r > boxes[3] or s.xa[1] + r < boxes[1]
                    or s.xa[1] - r > boxes[4] or s.xa[2] + r < boxes[2] or s.xa[2] - r > boxes[5]
                ):  # fmt: skip
                    continue
            for w in range(sj.first, sj.first + sj.count):
                pb = g.pieces[w]
                piece_pose(b.pose[j], pb, s.xb)
                if pa.form == MESH or pb.form == MESH:
                    if pa.form == MESH and pb.form == MESH:
                        continue
                    if pb.form == MESH:
                        m = _mesh_pair(i, j, pa, pb, g, s, margin, b, contacts, m, friction, restitution, NO)
                    else:
                        _exchange(s)
                        m = _mesh_pair(j, i, pb, pa, g, s, margin, b, contacts, m, friction, restitution, YES)
                        _exchange(s)
                    continue
                if not near(pa, pb, s, margin):
                    continue
                axis = NONE
                if _is_round(pa) or _is_round(pb):
                    count = round_pair(pa, pb, g, s, margin)
                elif pa.form == BOX and pb.form == BOX:
                    count = box_box(pa, pb, s, margin)
                elif apart(pa, pb, g, s, margin):
                    continue
                else:
                    hint = _recall(i, j, u, w, old, old_count, table, known)
                    count = poly_poly(pa, pb, g, s, margin, known, hint)
                    if count > 0 and m < len(axes):
                        axis = m
                        _keep_axis(axes[m], u, w, s, known, hint)
                if count > 0:
                    m = _emit(contacts, m, i, j, s, count, b, friction, restitution, axis)
    return m


@inner
def _highest(heights, x, y, r):  # pragma: no cover - compiled
    """No ground within r of (x, y) is higher. Of what is large, no more is said than that."""
    if not r < 2.0:
        return 1e30
    x0, x1 = cell_of(x - r, 1.0, 256), cell_of(x + r, 1.0, 256) + 1
    y0, y1 = cell_of(y - r, 1.0, 256), cell_of(y + r, 1.0, 256) + 1
    high = heights[y0, x0]
    for iy in range(y0, y1 + 1):
        for ix in range(x0, x1 + 1):
            high = max(high, heights[iy, ix])
    return float64(high)


@inner
def _touch_ground(s, count, x, y, z, radius, heights, margin):  # pragma: no cover - compiled
    """Add a point (with a radius) to the scratch manifold if it is near or under the ground."""
    if count >= 100:
        return count
    height, slope_x, slope_y = surface_at(heights, x, y)
    above = z - height
    if above > FAR * (margin + radius):
        return count
    nz = 1.0 / math.sqrt(slope_x * slope_x + slope_y * slope_y + 1.0)
    gap = above * nz - radius
    if gap > margin:
        return count
    nx, ny = -slope_x * nz, -slope_y * nz
    s.points[count, 0], s.points[count, 1], s.points[count, 2] = x - radius * nx, y - radius * ny, z - radius * nz
    s.depths[count] = gap
    # Where many points touch, the steepest contact would win; the deepest one's normal is what is wanted.
    if count == 0 or gap < s.clip[0, 0]:
        s.clip[0, 0] = gap
        s.normal[0], s.normal[1], s.normal[2] = -nx, -ny, -nz
    return count + 1


@inner
def _piece_on_ground(pa, g, s, heights, margin):  # pragma: no cover - compiled
    """Manifold of a piece at s.xa and the ground. The ground is solid all the way down: a corner under it is in it."""
    x = s.xa
    count = ZERO
    s.clip[0, 0] = 0.0
    if pa.form == SPHERE:
        return _touch_ground(s, ZERO, x[0], x[1], x[2], float64(pa.hx), heights, margin)
    if pa.form == CAPSULE:
        for k in range(2):
            h = pa.hz if k else -pa.hz
            count = _touch_ground(
                s, count, x[0] + h * x[5], x[1] + h * x[8], x[2] + h * x[11], float64(pa.hx), heights, margin
            )
        return count
    if pa.form == CYLINDER:
        nx, ny, nz = normal_at(heights, x[0], x[1])
        along = nx * x[5] + ny * x[8] + nz * x[11]
        px, py, pz = along * x[5] - nx, along * x[8] - ny, along * x[11] - nz
        size = math.sqrt(px * px + py * py + pz * pz)
        if size < 1e-3:
            px, py, pz, size = x[3], x[6], x[9], 1.0
        px, py, pz = px / size * pa.hx, py / size * pa.hx, pz / size * pa.hx
        qx = x[8] * pz - x[11] * py
        qy = x[11] * px - x[5] * pz
        qz = x[5] * py - x[8] * px
        for k in range(2):
            h = pa.hz if k else -pa.hz
            cx, cy, cz = x[0] + h * x[5], x[1] + h * x[8], x[2] + h * x[11]
            count = _touch_ground(s, count, cx + px, cy + py, cz + pz, 0.0, heights, margin)
            if abs(along) > 0.5:
                for e in (-0.8660254, 0.8660254):  # a third of the way round to both sides
                    dx, dy, dz = -0.5 * px + e * qx, -0.5 * py + e * qy, -0.5 * pz + e * qz
                    count = _touch_ground(s, count, cx + dx, cy + dy, cz + dz, 0.0, heights, margin)
        return count
    clear = _highest(heights, x[0], x[1], float64(pa.outer)) + FAR * margin
    if x[2] - pa.outer > clear:
        return count
    for v in range(pa.v0, pa.v0 + pa.vn):
        a, c, d = float64(g.verts[v, 0]), float64(g.verts[v, 1]), float64(g.verts[v, 2])
        z = x[2] + x[9] * a + x[10] * c + x[11] * d
        if z < clear:  # the upper half of most things is not
            px, py = x[0] + x[3] * a + x[4] * c + x[5] * d, x[1] + x[6] * a + x[7] * c + x[8] * d
            count = _touch_ground(s, count, px, py, z, 0.0, heights, margin)
    if max(pa.hx, pa.hy, pa.hz) > 0.75:
        count = _hilltops(pa, g, s, heights, count, margin)
    return count


@inner
def _hilltops(pa, g, s, heights, count, margin):  # pragma: no cover - compiled
    """Tops of the ground inside a large polyhedron, between its corners: a plank lies on a ridge."""
    x = s.xa
    r = float64(pa.outer)
    x0, x1 = max(int(x[0] - r) + 1, 0), min(int(x[0] + r), 256)
    y0, y1 = max(int(x[1] - r) + 1, 0), min(int(x[1] + r), 256)
    stride = 1 + max(x1 - x0, y1 - y0) // 24
    for iy in range(y0, y1 + 1, stride):
        for ix in range(x0, x1 + 1, stride):
            h = float64(heights[iy, ix])
            dx, dy, dz = ix - x[0], iy - x[1], h - x[2]
            if abs(dz) > r:
                continue
            lx = x[3] * dx + x[6] * dy + x[9] * dz
            ly = x[4] * dx + x[7] * dy + x[10] * dz
            lz = x[5] * dx + x[8] * dy + x[11] * dz
            inside = True
            # How far the top is from leaving upwards through the faces that look down.
            way = 1e30
            for f in range(pa.f0, pa.f0 + pa.fn):
                face = g.faces[f]
                d = face.nx * lx + face.ny * ly + face.nz * lz - face.d
                if d > 0:
                    inside = False
                    break
                down = x[9] * face.nx + x[10] * face.ny + x[11] * face.nz
                if down < -0.3:
                    way = min(way, d / down)
            if not inside or way > 1e29 or count >= 100:
                continue
            nx, ny, nz = normal_at(heights, float64(ix), float64(iy))
            s.points[count, 0], s.points[count, 1], s.points[count, 2] = float64(ix), float64(iy), h
            s.depths[count] = -way * nz
            if count == 0 or s.depths[count] < s.clip[0, 0]:
                s.clip[0, 0] = s.depths[count]
                s.normal[0], s.normal[1], s.normal[2] = -nx, -ny, -nz
            count += 1
    return count


@kernel
def collide_ground(b, g, s, n, heights, top, contacts, m, dt):  # pragma: no cover - compiled
    """Append the contacts of awake bodies with the ground to the first m; how many there are then, stored or not."""
    for i in range(1, n):
        o = b.body[i]
        if not b.awake[i] or o.kind == KINEMATIC or b.bounds[i, 2] > top:
            continue
        mi = b.motion[i]
        margin = MARGIN + min(math.sqrt(mi.vx * mi.vx + mi.vy * mi.vy + mi.vz * mi.vz) * dt, 0.1)
        friction = math.sqrt(o.friction * GROUND_FRICTION)
        restitution = math.sqrt(o.restitution * GROUND_RESTITUTION)
        shape = g.shapes[o.shape]
        for u in range(shape.first, shape.first + shape.count):
            piece = g.pieces[u]
            if piece.form == MESH:
                continue
            piece_pose(b.pose[i], piece, s.xa)
            count = _piece_on_ground(piece, g, s, heights, margin)
            if count == 0:
                continue
            count = reduce_points(s.points, s.depths, count, s.normal)
            m = _emit(contacts, m, i, ZERO, s, count, b, friction, restitution, NONE)
    return m
