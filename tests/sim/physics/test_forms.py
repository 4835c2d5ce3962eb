"""Hulls of one form in many sizes: stretched from the first, each as if it had been found by itself."""

from __future__ import annotations

import numpy as np
import pytest

from protocol.shapes import BOX, CYLINDER, PRISM, RING, TORUS, TUBE, Shape
from sim.physics.engine import hull
from sim.physics.hulls import convex_hull, stretched
from sim.physics.prims import prim_shape
from sim.physics.shapes import ShapeStore

PRIMS = {
    "pyramid": Shape(BOX.path, BOX.profile, path_scale_x=0.0, path_scale_y=0.0),
    "twisted": Shape(BOX.path, BOX.profile, path_twist=0.5),
    "hollow": Shape(BOX.path, BOX.profile, profile_hollow=0.7),
    "cut cylinder": Shape(CYLINDER.path, CYLINDER.profile, profile_begin=0.1, profile_end=0.6),
    "prism": PRISM,
    "torus": TORUS,
    "tube": Shape(TUBE.path, TUBE.profile, path_scale_y=0.25, path_end=0.7),
    "ring": Shape(RING.path, RING.profile, path_scale_y=0.3, path_skew=0.4),
}
SIZES = [(1.0, 1.0, 1.0), (0.3, 2.0, 7.0), (4.0, 0.2, 0.9), (10.0, 10.0, 0.5)]


def ordered(rows):
    """Rows in an order that small differences do not change much."""
    return rows[np.lexsort(np.round(rows, 3).T)]


@pytest.mark.parametrize("name", PRIMS)
def test_a_size_seen_later_is_as_if_seen_first(name):
    used = ShapeStore()
    for size in SIZES:
        shape, fresh = prim_shape(PRIMS[name], size), ShapeStore()
        ours, theirs = (store.solid(store.add(shape)) for store in (used, fresh))
        assert ours["volume"] == pytest.approx(theirs["volume"], rel=2e-3)
        assert ours["center"] == pytest.approx(theirs["center"], abs=2e-3 * max(size))
        scale = np.abs(theirs["inertia"]).max()
        assert np.abs(ours["inertia"] - theirs["inertia"]).max() < 5e-3 * scale
    hulls = sum(form.users for form in used._forms.values())
    assert len(used._forms) < hulls


def test_a_stretched_hull_is_the_hull_of_the_stretched_points():
    draw = np.random.default_rng(4)
    for _ in range(20):
        points = draw.normal(size=(14, 3))
        by, shift = draw.uniform(0.2, 5, 3), draw.uniform(-3, 3, 3)
        first, second = convex_hull(points), convex_hull(points * by + shift)
        ours = stretched(first, by, shift)
        assert ours.volume == pytest.approx(second.volume, rel=1e-9)
        assert ours.center == pytest.approx(second.center) and np.allclose(ours.inertia, second.inertia)
        assert np.allclose(ordered(ours.verts), ordered(second.verts))
        # Each corner of a face lies in its plane (nearly level triangles are joined to one), and none lies outside.
        for plane, loop in zip(ours.planes, ours.loops, strict=True):
            assert np.linalg.norm(plane[:3]) == pytest.approx(1)
            assert np.allclose(ours.verts[loop] @ plane[:3], plane[3], atol=0.05)
        assert (ours.verts @ ours.planes[:, :3].T - ours.planes[:, 3]).max() < 1e-6
        for a, b, f, g in ours.edges:
            assert (ours.verts[b] - ours.verts[a]) @ np.cross(ours.planes[g][:3], ours.planes[f][:3]) > 0


def test_points_that_differ_are_another_form():
    store = ShapeStore()
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
    bent = corners.copy()
    bent[7] *= 0.9
    volumes = [float(store.solid(store.add(hull(points)))["volume"]) for points in (corners, bent, 2 * bent)]
    assert volumes[0] == pytest.approx(1) and volumes[1] < 0.95 and volumes[2] == pytest.approx(8 * volumes[1], rel=1e-5)
    assert len(store._forms) == 2


def test_a_hull_is_closed_and_weighs_what_its_tetrahedra_do():
    draw = np.random.default_rng(7)
    for many in (4, 9, 30, 200):
        points = draw.normal(size=(many, 3)) * draw.uniform(0.1, 5, 3)
        found = convex_hull(np.concatenate([points, points[:3]]))  # doubles count once
        assert len(found.verts) - len(found.edges) + len(found.planes) == 2  # Euler
        assert sum(len(loop) for loop in found.loops) == 2 * len(found.edges)
        inside = found.verts.mean(axis=0)
        volume = sum(
            abs(np.linalg.det(found.verts[[loop[0], loop[k], loop[k + 1]]] - inside)) / 6
            for loop in found.loops
            for k in range(1, len(loop) - 1)
        )
        assert found.volume == pytest.approx(volume, rel=1e-3)
        assert (np.linalg.eigvalsh(found.inertia) > 0).all()
