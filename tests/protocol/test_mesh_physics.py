"""What is solid about a mesh asset: read as described, and what strangers make of it refused in words."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from protocol.mesh_physics import decode_physics
from tests.kit.meshes import asset, block, blocks, convex, face, llsd, mesh_asset, pyramid, ring, ring_pieces, steps

BASE = block((-0.5,) * 3, (0.5,) * 3)
RING = face(*ring())
RAW = {"Min": [-0.5] * 3, "Max": [0.5] * 3, "BoundingVerts": steps(BASE)}


def test_hulls_and_triangles_come_as_they_were_made() -> None:
    found = decode_physics(
        asset(high_lod=[pyramid()], physics_mesh=[RING, RING], physics_convex=convex(BASE, *ring_pieces()))
    )
    assert found.base == pytest.approx(BASE, abs=1e-4)
    assert len(found.hulls) == 16 and found.hulls[3] == pytest.approx(ring_pieces()[3], abs=1e-4)
    points, triangles = ring()
    assert found.points == pytest.approx(np.concatenate([points, points]), abs=1e-4)
    assert found.triangles.tolist() == np.concatenate([triangles, triangles + len(points)]).tolist()


def test_a_count_of_zero_is_256_corners() -> None:
    many = np.random.default_rng(1).uniform(-0.5, 0.5, (256, 3))
    found = decode_physics(asset(high_lod=[pyramid()], physics_convex=convex(BASE, many, BASE)))
    assert [len(hull) for hull in found.hulls] == [256, 8]


def test_what_is_seen_stands_in_for_a_physics_mesh_unless_it_is_too_much() -> None:
    fine = face(*(part for part in blocks(*[BASE] * 500)))  # 6,000 triangles
    assert len(decode_physics(asset(high_lod=[fine], medium_lod=[RING])).triangles) == len(ring()[1])
    assert not len(decode_physics(asset(high_lod=[fine], physics_convex=convex(BASE))).triangles)
    with pytest.raises(ProtocolError, match="too large to be solid"):
        decode_physics(asset(high_lod=[fine]))


def test_nothing_reaches_out_of_the_unit_cube() -> None:
    wide = {"PositionDomain": {"Min": [-900.0] * 3, "Max": [900.0] * 3}}
    found = decode_physics(
        asset(physics_mesh=[{**RING, **wide}], physics_convex={**convex(BASE, BASE), **wide["PositionDomain"]})
    )
    for points in (found.base, found.hulls[0], found.points):
        assert np.abs(points).max() == 0.5


@pytest.mark.parametrize(
    "block",
    [5, [], {**RAW, "HullList": b"\x09", "Positions": steps(BASE)}, {**RAW, "HullList": bytes(257), "Positions": b""},
     {**RAW, "HullList": b"\x04"}, {**RAW, "HullList": [8], "Positions": steps(BASE)}, {**RAW, "BoundingVerts": b"12345"},
     {**RAW, "BoundingVerts": steps(BASE) * 33}, {**RAW, "Min": [float("nan")] * 3}, {**RAW, "Max": [float("inf")] * 3},
     {**RAW, "Max": 7}, {**RAW, "HullList": b"\x08", "Positions": steps(BASE)[:-1]}],
)  # fmt: skip
def test_convex_pieces_that_are_none(block: Any) -> None:
    with pytest.raises(ProtocolError):
        decode_physics(asset(high_lod=[pyramid()], physics_convex=block))


def test_a_physics_mesh_of_too_many_triangles_or_corners_that_are_not_there() -> None:
    many = {**RING, "TriangleList": RING["TriangleList"] * 200}
    none = {**RING, "TriangleList": b""}
    wrong: list[Any] = [[many], [{**RING, "TriangleList": b"\xff" * 6}], [none], [RING] * 9, [], {}]
    for bad in wrong:
        with pytest.raises(ProtocolError):
            decode_physics(asset(high_lod=[pyramid()], physics_mesh=bad))


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(64 << 20), 9)
    with pytest.raises(ProtocolError, match="too large"):
        decode_physics(llsd({"physics_convex": {"offset": 0, "size": len(bomb)}}) + bomb)


WHOLE = asset(high_lod=[pyramid()], physics_mesh=[RING], physics_convex=convex(BASE, *ring_pieces(sides=8)))


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_asset_is_read_or_refused(at: int, change: bytes) -> None:
    try:
        decode_physics(WHOLE[:at] + change + WHOLE[at + len(change) :])
    except ProtocolError:
        return


@given(
    st.dictionaries(
        st.sampled_from(["Min", "Max", "BoundingVerts", "HullList", "Positions"]),
        st.one_of(st.binary(max_size=60), st.lists(st.floats(), max_size=4), st.integers(-9, 9)),
    ),
    st.dictionaries(
        st.sampled_from(["PositionDomain", "Position", "TriangleList", "Normal", "NoGeometry"]),
        st.one_of(st.binary(max_size=60), st.lists(st.floats(), max_size=4), st.booleans()),
    ),
)
def test_any_values_are_read_or_refused(hulls: dict[str, Any], faces: dict[str, Any]) -> None:
    try:
        found = decode_physics(asset(physics_convex=hulls, physics_mesh=[faces]))
    except ProtocolError:
        return
    for points in (found.base, found.points, *found.hulls):
        assert np.isfinite(points).all() and (np.abs(points) <= 0.5).all()
    assert not len(found.triangles) or 0 <= found.triangles.min() <= found.triangles.max() < len(found.points)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_physics(data)


def test_an_asset_with_nothing_in_it() -> None:
    found = decode_physics(mesh_asset({"NoGeometry": True}))
    assert not len(found.base) and not found.hulls and not len(found.triangles)
