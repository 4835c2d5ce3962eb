"""Texture entries, moving textures, and the bytes of a prim's form."""

from __future__ import annotations

import math
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import shapes
from protocol.errors import ProtocolError
from protocol.shapes import Shape, from_wire, to_wire
from protocol.textures import (
    Face,
    TextureAnimation,
    TextureEntry,
    decode_texture_animation,
    decode_texture_entry,
    encode_texture_animation,
    encode_texture_entry,
)
from tests.protocol.values import signed, unsigned

WOOD = "89556747-24cb-43ed-920b-47caed15465f"
OTHER = UUID("00112233-4455-6677-8899-aabbccddeeff")

# Values that their fields hold exactly, so that entries compare equal.
faces = st.builds(
    Face,
    texture=st.uuids(),
    color=st.tuples(*[unsigned(8)] * 4),
    repeats=st.tuples(*[st.floats(-100, 100, width=32)] * 2),
    offset=st.tuples(*[st.integers(-32767, 32767).map(lambda n: n / 32767)] * 2),
    rotation=signed(16).map(lambda n: n / 32768 * math.tau),
    material=unsigned(8),
    media=unsigned(8),
    glow=unsigned(8).map(lambda n: n / 255),
    material_id=st.uuids(allow_nil=True),
)


def test_an_entry_byte_by_byte() -> None:
    entry = TextureEntry(Face(), {0: Face(texture=OTHER), 2: Face(texture=OTHER), 7: Face(color=(255, 0, 0, 128))})
    expected = (
        WOOD.replace("-", "") + "05" + OTHER.hex + "00"  # faces 0 and 2
        "00000000" "8100" "00ffff7f" "00"  # colours inverted; face 7
        "0000803f" "00" "0000803f" "00"
        "0000" "00" "0000" "00" "0000" "00"
        "00" "00" "00" "00" "00" "00" + "00" * 16
    )  # fmt: skip
    assert encode_texture_entry(entry).hex() == expected
    assert decode_texture_entry(bytes.fromhex(expected)) == entry


def test_entries_from_before_materials_end_after_the_glow() -> None:
    data = encode_texture_entry(TextureEntry(Face(), {3: Face(glow=1.0)}))
    older = data[:-17]
    assert decode_texture_entry(older) == decode_texture_entry(data)
    assert decode_texture_entry(older).face(3).glow == 1.0


def test_an_empty_entry_is_the_default_look() -> None:
    assert decode_texture_entry(b"") == TextureEntry()
    assert decode_texture_entry(b"").face(5).texture == UUID(WOOD)


@settings(deadline=None)
@given(faces, st.dictionaries(st.integers(0, 63), faces, max_size=5))
def test_entries_come_back(default: Face, different: dict[int, Face]) -> None:
    entry = TextureEntry(default, different)
    read = decode_texture_entry(encode_texture_entry(entry))
    for number in range(64):
        assert read.face(number) == entry.face(number)


def test_rotation_wraps_and_offsets_are_held_to_their_range() -> None:
    entry = decode_texture_entry(encode_texture_entry(TextureEntry(Face(rotation=3 * math.pi, offset=(2.0, -2.0)))))
    assert entry.default.rotation == pytest.approx(math.pi, abs=1e-3) or entry.default.rotation == pytest.approx(
        -math.pi, abs=1e-3
    )
    assert entry.default.offset == (1.0, -1.0)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.integers(0, 63), faces, max_size=3), st.data())
def test_damaged_entries_are_read_or_refused(different: dict[int, Face], data: st.DataObject) -> None:
    raw = bytearray(encode_texture_entry(TextureEntry(Face(), different)))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_texture_entry(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    except ProtocolError:
        return


@given(st.binary(max_size=300))
def test_arbitrary_entries_are_read_or_refused(data: bytes) -> None:
    try:
        decode_texture_entry(data)
    except ProtocolError:
        return


@pytest.mark.parametrize(
    "data",
    [
        bytes(15),  # ends inside the texture
        bytes(16) + b"\x81",  # ends inside a mask
        bytes(16) + b"\xff" * 50 + b"\x01",  # a mask of hundreds of faces
        bytes(16) + b"\x01" + bytes(8),  # ends inside an exception
        bytes(9000),
        bytes(16) + b"\0" + bytes(4) + b"\0" + b"\x00\x00\xc0\x7f",  # NaN repeats
    ],
)
def test_broken_entries_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_texture_entry(data)


def test_looks_that_do_not_fit() -> None:
    for entry in (
        TextureEntry(Face(), {64: Face()}),
        TextureEntry(Face(color=(256, 0, 0, 0))),
        TextureEntry(Face(material=300)),
        TextureEntry(Face(repeats=(1e300, 1.0))),
    ):
        with pytest.raises(ProtocolError):
            encode_texture_entry(entry)


def test_texture_animation() -> None:
    animation = TextureAnimation(1 | 2, -1, 4, 2, 0.0, 8.0, 10.0)
    data = encode_texture_animation(animation)
    assert data.hex() == "03ff0402000000000000004100002041"
    assert decode_texture_animation(data) == animation
    assert decode_texture_animation(b"") is None
    for bad in (data[:-1], data[:-4] + b"\x00\x00\xc0\x7f"):
        with pytest.raises(ProtocolError):
            decode_texture_animation(bad)
    with pytest.raises(ProtocolError):
        encode_texture_animation(animation._replace(size_x=256))


# ---- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "curves", "scale_y"),
    [
        (shapes.BOX, (16, 1), 100),
        (shapes.CYLINDER, (16, 0), 100),
        (shapes.PRISM, (16, 3), 100),
        (shapes.SPHERE, (32, 5), 100),
        (shapes.TORUS, (32, 0), 150),
        (shapes.TUBE, (32, 1), 100),
        (shapes.RING, (32, 3), 100),
    ],
)
def test_basic_forms(shape: Shape, curves: tuple[int, int], scale_y: int) -> None:
    wire = to_wire(shape)
    assert (wire["PathCurve"], wire["ProfileCurve"]) == curves
    assert (wire["PathScaleX"], wire["PathScaleY"]) == (100, scale_y)
    assert from_wire(wire) == shape


def test_real_values_as_the_protocol_writes_them() -> None:
    shape = Shape(
        path_begin=0.25, path_end=0.75, path_scale_x=0.5, path_shear_x=-0.5, path_twist=-1.0, path_revolutions=4.0,
        path_taper_x=0.3, profile_begin=0.1, profile_end=0.9, profile_hollow=0.95,
    )  # fmt: skip
    wire = to_wire(shape)
    assert wire["PathBegin"] == 12500
    assert wire["PathEnd"] == 12500
    assert wire["PathScaleX"] == 150
    assert wire["PathShearX"] == 206  # -50 in a byte
    assert wire["PathTwist"] == -100
    assert wire["PathRevolutions"] == 200
    assert wire["PathTaperX"] == 30
    assert (wire["ProfileBegin"], wire["ProfileEnd"], wire["ProfileHollow"]) == (5000, 5000, 47500)
    assert Shape(profile=shapes.Profile.SQUARE | shapes.Hole.CIRCLE).hole == shapes.Hole.CIRCLE


wire_values = st.fixed_dictionaries(
    {"PathCurve": unsigned(8), "ProfileCurve": unsigned(8)}
    | {field.name: st.integers(field.low, field.high) for field in shapes._FIELDS}
)


@given(wire_values)
def test_wire_values_survive_the_way_through_real_ones(wire: dict[str, int]) -> None:
    assert to_wire(from_wire(wire)) == wire


def test_forms_out_of_range_are_refused() -> None:
    for fields in ({"ProfileHollow": 50001}, {"PathBegin": 65535}, {"PathScaleX": 201}):
        with pytest.raises(ProtocolError):
            from_wire(fields)
    for shape in (
        replace(shapes.BOX, profile_hollow=1.1),
        replace(shapes.BOX, path_twist=2.0),
        replace(shapes.BOX, path_shear_x=3.0),
        replace(shapes.BOX, path_end=math.nan),
        replace(shapes.BOX, path=300),
    ):
        with pytest.raises(ProtocolError):
            to_wire(shape)
