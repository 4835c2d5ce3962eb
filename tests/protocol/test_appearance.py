"""Visual parameters and avatar faces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.appearance import (
    BAKED,
    BY_ID,
    DEFAULT_TEXTURE_FACES,
    DEFAULT_VISUAL_PARAMS,
    VISUAL_PARAMS,
    AvatarFace,
    default_texture_entry,
)
from protocol.textures import decode_texture_entry
from protocol.wellknown import Texture


def test_218_parameters_in_the_order_of_their_ids() -> None:
    ids = [param.id for param in VISUAL_PARAMS]
    assert len(ids) == len(DEFAULT_VISUAL_PARAMS) == 218
    assert ids == sorted(set(ids))
    assert sum(param.wearable == 0 for param in VISUAL_PARAMS) == 82  # as many as a shape asset of a viewer holds


def test_bytes_are_those_of_published_appearance_exports() -> None:
    exported = {(1, 0.0): 33, (2, -0.01): 61, (4, 0.0): 85, (5, 0.0): 23, (6, 0.0): 58, (7, 0.0): 127, (8, 0.0): 63,
                (10, -0.01): 84, (11, 0.0): 63, (12, 0.01): 43}
    for (number, value), byte in exported.items():
        assert BY_ID[number].quantize(value) == byte


@given(st.sampled_from(VISUAL_PARAMS), st.integers(0, 255))
def test_a_byte_stands_for_its_value(param, byte: int) -> None:
    assert param.quantize(param.value(byte)) == byte
    assert param.low <= param.person <= param.high


@given(st.sampled_from(VISUAL_PARAMS), st.floats(allow_nan=False))
def test_values_beyond_the_range_are_held_at_its_ends(param, value: float) -> None:
    assert 0 <= param.quantize(value) <= 255


def test_a_default_person_has_every_bake_but_the_skirt() -> None:
    entry = decode_texture_entry(default_texture_entry())
    for face in BAKED:
        texture = entry.face(face).texture
        assert (texture == Texture.DEFAULT_AVATAR) == (face == AvatarFace.SKIRT_BAKED)
    assert entry.face(AvatarFace.UPPER_SHIRT).texture == Texture.DEFAULT_AVATAR
    assert set(DEFAULT_TEXTURE_FACES) < set(BAKED)
