"""From pairs to contacts: each pair's convex pieces against each other. `ground.py` does the same with the land.

Contacts of one pair lie next to each other, which is what matching them with the last step's relies on. Handle 0 is the
ground: a body of no mass, so that the solver needs no special case.
"""

from __future__ import annotations

import math

from sim.physics.axes import apart
from sim.physics.boxes import box_box
from sim.physics.data import (
    BOX,
    CAPSULE,
    DYNAMIC,
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
def emit(contacts, m, i, j, s, count, b, friction, restitution, axis):  # pragma: no cover - compiled
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
def mesh_pair(i, j, pa, pb, g, s, margin, b, contacts, m, friction, restitution, flip):  # pragma: no cover - compiled
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
                m = emit(contacts, m, j, i, s, count, b, friction, restitution, NONE)
            else:
                m = emit(contacts, m, i, j, s, count, b, friction, restitution, NONE)
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
                        m = mesh_pair(i, j, pa, pb, g, s, margin, b, contacts, m, friction, restitution, NO)
                    else:
                        _exchange(s)
                        m = mesh_pair(j, i, pb, pa, g, s, margin, b, contacts, m, friction, restitution, YES)
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
                    m = emit(contacts, m, i, j, s, count, b, friction, restitution, axis)
    return m
