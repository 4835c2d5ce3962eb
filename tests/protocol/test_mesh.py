"""Mesh assets: read as described, and whatever strangers make of them refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from protocol.llsd_binary import read_binary
from protocol.mesh import decode_mesh
from tests.kit.meshes import llsd, mesh_asset, pyramid


def test_faces_come_as_they_were_made() -> None:
    face, none = decode_mesh(mesh_asset(pyramid(), {"NoGeometry": True}))
    assert none is None and face is not None
    assert face.positions.min(0).tolist() == [-0.5] * 3 and face.positions.max(0).tolist() == [0.5] * 3
    assert face.uvs.max(0).tolist() == [2.0, 1.0]
    assert face.triangles.tolist()[0] == [0, 1, 4] and len(face.normals) == 0


def test_normals_are_unit_vectors_as_stored() -> None:
    normals = np.array([[65535, 32768, 32768]] * 5, "<u2").tobytes()
    (face,) = decode_mesh(mesh_asset({**pyramid(), "Normal": normals}))
    assert face is not None and np.allclose(face.normals, [1, 0, 0], atol=1e-4)


def test_a_coarser_level_stands_in_for_one_too_large() -> None:
    with pytest.raises(ProtocolError, match="too large"):
        decode_mesh(mesh_asset(pyramid()), most_triangles=5)
    assert decode_mesh(mesh_asset(pyramid(), level="lowest_lod"))[0] is not None


@pytest.mark.parametrize(
    "face",
    [{}, {**pyramid(), "Position": b"123"}, {**pyramid(), "TriangleList": b"\xff" * 6}, {**pyramid(), "TexCoord0": b""},
     {**pyramid(), "PositionDomain": {"Min": [float("nan")] * 3, "Max": [1.0] * 3}},
     {**pyramid(), "PositionDomain": {"Min": [-1e30] * 3, "Max": [1.0] * 3}}, {**pyramid(), "Normal": b"\0" * 6},
     {**pyramid(), "PositionDomain": {"Min": [0.0], "Max": [1.0]}}, 5],
)  # fmt: skip
def test_a_face_that_is_none(face: Any) -> None:
    with pytest.raises(ProtocolError):
        decode_mesh(mesh_asset(face))


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (decode_mesh, read_binary):
        try:
            read(data)
        except ProtocolError:
            continue


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_damaged_asset_is_read_or_refused(at: int, value: int) -> None:
    asset = bytearray(mesh_asset(pyramid()))
    asset[at % len(asset)] = value
    try:
        decode_mesh(bytes(asset))
    except ProtocolError:
        return


def test_deep_and_long_containers_are_refused() -> None:
    for data in (b"[\0\0\0\1" * 100, b"[\x7f\xff\xff\xff", llsd([1] * 5000), b"s\xff\xff\xff\xff", b"<? LLSD/Binary"):
        with pytest.raises(ProtocolError):
            read_binary(data)
