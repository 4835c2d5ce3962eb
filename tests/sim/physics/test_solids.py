"""Solids of whatever assets there are: found or refused in words, stretched to any size, and never the end of a step."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sim.physics.asset_solids import Source, _hulls
from sim.physics.engine import BadBody, BodySpec, Form, Made, Shape, box, sphere, stretched
from sim.physics.solids import AssetSolid, from_mesh, from_sculpt
from sim.physics.solids_worker import Work, work
from sim.world.objects import MAX_SCALE, MIN_SCALE
from tests.kit.meshes import asset, block, convex, face, ring, ring_pieces, sculpt_map
from tests.sim.physics.kit import drop, engine, run

CUBE = block((-0.5,) * 3, (0.5,) * 3)
# Coarse steps make what is flat, doubled or in a line as likely as what is not.
PLACES = st.lists(st.tuples(*[st.integers(-4, 4)] * 3), min_size=1, max_size=24).map(lambda rows: np.array(rows) / 8)
SIZE = st.tuples(*[st.sampled_from([MIN_SCALE, 0.1, 1.0, 7.0, MAX_SCALE])] * 3)


def shapes(solid: AssetSolid, scale: Any) -> list[Shape]:
    source = Source(bytes(16), Work.MESH, 0)  # type: ignore[arg-type]
    found = [_hulls(source, "base", [solid.base], scale)]
    if solid.pieces:
        found.append(_hulls(source, "pieces", solid.pieces, scale))
    if solid.tree is not None:
        found.append(stretched(Form.MESH, Made("tree", solid.tree), scale))
    return found


def test_a_solid_keeps_its_place_in_the_unit_cube() -> None:
    solid = from_mesh(asset(high_lod=[face(*ring())], physics_convex=convex(CUBE, *ring_pieces())))
    assert solid.base.hull.volume == pytest.approx(1, rel=1e-3) and np.allclose(solid.base.center, 0, atol=1e-4)
    for piece, points in zip(solid.pieces, ring_pieces(), strict=True):
        corners = piece.hull.verts + piece.center
        assert corners.min(axis=0) == pytest.approx(points.min(axis=0), abs=1e-3)
        assert corners.max(axis=0) == pytest.approx(points.max(axis=0), abs=1e-3)
    assert solid.tree is not None and len(solid.tree.triangles) == len(ring()[1])


def test_a_mesh_that_is_to_move_is_cut_where_that_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """That coacd cuts is test_bullet's; here it is said to find the ring's sides, then nothing, then not to be there."""
    data = asset(high_lod=[face(*ring())])
    assert not from_mesh(data).pieces
    for found, pieces in ((ring_pieces(), 16), ([ring()[0][:8] * 0], 0), (BadBody("not installed"), 0)):

        def cut(points: Any, triangles: Any, found: Any = found) -> Any:
            if isinstance(found, BadBody):
                raise found
            return found

        monkeypatch.setattr("sim.physics.bullet.convex_pieces", cut)
        assert len(from_mesh(data, cut=True).pieces) == pieces


def test_a_mirrored_sculpt_is_the_other_way_round() -> None:
    picture = np.full((16, 16, 3), 128, np.uint8)
    picture[0, 0], picture[0, 1], picture[1, 0] = (255, 128, 128), (128, 255, 128), (128, 128, 255)
    picture[2, 2] = (100, 100, 100)
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    places = [from_sculpt(out.getvalue(), kind).base for kind in (1, 0x81)]
    ends = [(base.hull.verts + base.center)[:, 0] for base in places]
    assert ends[0].max() == pytest.approx(0.5) and ends[1].min() == pytest.approx(-0.5)


@given(st.sampled_from(list(Work)), st.integers(0, 255), st.binary(max_size=300))
def test_any_bytes_have_a_solid_or_a_reason_why_not(what: Work, kind: int, data: bytes) -> None:
    assert isinstance(work(what, kind, data), str)


@given(st.integers(0, 4000), st.binary(min_size=1, max_size=4))
def test_a_damaged_sculpt_map_has_a_solid_or_a_reason_why_not(at: int, change: bytes) -> None:
    whole = sculpt_map()
    at %= len(whole)
    assert isinstance(work(Work.SCULPT, 1, whole[:at] + change + whole[at + len(change) :]), str | AssetSolid)


@settings(max_examples=150, deadline=None)
@given(PLACES, st.lists(PLACES, max_size=3), PLACES, st.data(), SIZE)
def test_what_is_made_of_any_points_stays_finite_in_the_world(
    base: Any, hulls: Any, points: Any, data: st.DataObject, scale: Any
) -> None:
    corner = st.integers(0, len(points) - 1)
    triangles = data.draw(st.lists(st.tuples(corner, corner, corner), min_size=1, max_size=12))
    solid = work(Work.MESH, 0, asset(physics_mesh=[face(points, triangles)], physics_convex=convex(base, *hulls)))
    if isinstance(solid, str):
        return
    for shape in shapes(solid, scale):
        world = engine()
        try:
            handle = world.add(BodySpec(shape, (100, 100, scale[2] / 2)))
        except BadBody:
            continue
        assert 0 < world.mass(handle) < 1e9
        balls = [drop(world, one, (100, 100, scale[2] + 0.5)) for one in (sphere(0.3), box(0.4, 0.4, 0.4))]
        if shape.form != Form.MESH:
            balls.append(drop(world, shape, (100, 100, scale[2] * 2 + 2)))
        run(world, 0.5)
        for each in balls:
            assert np.isfinite(world.position[each]).all() and np.abs(world.velocity[each]).max() < 300
