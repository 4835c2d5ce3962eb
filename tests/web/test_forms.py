"""Forms that are assets, as the gateway hands them to the page."""

from __future__ import annotations

import struct
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.objects import encode_extra_params
from tests.kit.meshes import asset, mesh_asset, pyramid, sculpt_map
from viewer.gateway import forms, frames
from viewer.model import Entity


def test_a_mesh_is_laid_out_in_fours() -> None:
    made = forms.mesh(mesh_asset(pyramid(), {"NoGeometry": True}, pyramid()))
    assert made is not None and len(made) % 4 == 0
    assert struct.unpack_from("<HHII", made) == (3, 0, 5, 6)
    size = 8 + 5 * (12 + 12 + 8) + 36
    assert struct.unpack_from("<IIII", made, 4 + size) == (0, 0, 5, 6)
    assert np.frombuffer(made, "<f4", 15, 12).reshape(5, 3)[4] == pytest.approx([0, 0, 0.5], abs=1e-4)


def test_a_mesh_comes_at_the_level_asked_for_or_the_next_finer_one() -> None:
    levels = {"high_lod": 4, "medium_lod": 3, "low_lod": 2}
    raw = asset(**{name: [pyramid()] * faces for name, faces in levels.items()})
    told = [struct.unpack_from("<HH", forms.mesh(raw, level) or b"") for level in range(4)]
    assert told == [(4, 0), (3, 1), (2, 2), (2, 2)]
    assert list(forms.MESHES) == ["mesh-high", "mesh-medium", "mesh-low", "mesh-lowest"]


def test_a_sculpt_map_keeps_its_places() -> None:
    made = forms.sculpt(sculpt_map())
    assert made is not None and struct.unpack_from("<HH", made) == (32, 32)
    places = np.frombuffer(made, np.uint8, offset=4).reshape(32, 32, 3) / 255 * 2 - 1
    assert np.abs(np.linalg.norm(places, axis=2) - 1).max() < 0.02


@given(st.binary(max_size=300))
def test_anything_else_has_no_form(raw: bytes) -> None:
    assert forms.mesh(raw) is None and forms.sculpt(raw) is None


class _Place:
    west = south = 256000


def entity(**values: Any) -> Entity:
    made = Entity(_Place(), 5, UUID(int=5), 9)  # type: ignore[arg-type]
    for name, value in values.items():
        setattr(made, name, value)
    return made


def tail(data: bytes) -> list[bytes]:
    """Texture animation, form and flexibility at a record's end; there are no texts and looks before them."""
    at, found = struct.calcsize("<IiiBBB3f") + 23 + 1 + 4 + 2 + 2, []
    while at < len(data):
        found.append(data[at + 1 : at + 1 + data[at]])
        assert len(found[-1]) == data[at]
        at += 1 + data[at]
    assert len(found) == 3
    return found


def test_a_record_tells_form_flexibility_and_moving_texture() -> None:
    sculpted, bends, moving = bytes(range(17)), bytes(range(16)), bytes(16)
    params = encode_extra_params({0x10: bends, 0x30: sculpted})
    assert tail(frames.thing(1, entity(extra_params=params, texture_animation=moving))) == [moving, sculpted, bends]
    params = encode_extra_params({0x10: bytes(15), 0x30: bytes(16)})
    assert tail(frames.thing(1, entity(extra_params=params))) == [b"", b"", b""]


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_extra_params_make_a_whole_record(params: bytes, moving: bytes) -> None:
    tail(frames.thing(1, entity(extra_params=params, texture_animation=moving)))
