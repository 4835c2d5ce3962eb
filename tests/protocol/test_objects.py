"""Full, terse and compressed updates: layouts by hand, round trips, and damaged data."""

from __future__ import annotations

import struct
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import objects, shapes
from protocol.errors import ProtocolError
from protocol.message import Message, decode, encode, text
from protocol.objects import Edit, Motion
from tests.protocol.values import unsigned

ID = UUID("00112233-4455-6677-8899-aabbccddeeff")
AT_REST = "ff7f" if round(32767.5) == 32767 else "0080"  # zero lies between two steps
coordinate = st.floats(-4096, 4096, width=32)


def vectors(limit: float) -> st.SearchStrategy[tuple[float, float, float]]:
    return st.tuples(*[st.floats(-limit, limit, width=32)] * 3)


unit_rotations = (
    st.tuples(*[st.floats(-1, 1)] * 4)
    .filter(lambda q: sum(v * v for v in q) > 0.1)
    .map(lambda q: tuple(v / sum(w * w for w in q) ** 0.5 for v in q))
)
motions = st.builds(
    Motion,
    vectors(4096),
    vectors(127),
    vectors(63),
    unit_rotations,
    vectors(63),
    st.one_of(st.none(), st.tuples(*[coordinate] * 4)),
)


# ---- terse ------------------------------------------------------------------------------------------------------------


def test_a_terse_update_of_an_object_byte_by_byte() -> None:
    motion = Motion(
        (1.0, 2.0, -0.5), (128.0, -128.0, 0.0), (64.0, -64.0, 0.0), (1.0, -1.0, 0.0, 0.0), (-64.0, 0.0, 64.0)
    )
    expected = "04030201 07 00 0000803f 00000040 000000bf ffff 0000 z ffff 0000 z ffff 0000 z z 0000 z ffff"
    data = objects.encode_terse(0x01020304, motion, state=7)
    assert data.hex() == expected.replace("z", AT_REST).replace(" ", "")
    assert len(data) == 44


def test_an_avatar_has_its_foot_plane_before_the_position() -> None:
    data = objects.encode_terse(1, Motion((1.0, 2.0, 3.0), plane=(0.0, 0.0, 1.0, -20.0)))
    assert len(data) == 60
    assert data[5] == 1
    assert struct.unpack_from("<7f", data, 6) == (0.0, 0.0, 1.0, -20.0, 1.0, 2.0, 3.0)


def test_zero_stays_zero() -> None:
    terse = objects.decode_terse(objects.encode_terse(9, Motion()))
    assert terse.velocity == terse.acceleration == terse.angular_velocity == (0.0, 0.0, 0.0)
    assert terse.rotation == (0.0, 0.0, 0.0, 1.0)
    assert terse.local_id == 9
    assert terse.plane is None


@settings(deadline=None)
@given(motions, unsigned(32), unsigned(8))
def test_terse_round_trip_within_a_step(motion: Motion, local_id: int, state: int) -> None:
    terse = objects.decode_terse(objects.encode_terse(local_id, motion, state))
    assert (terse.local_id, terse.state, terse.position) == (local_id, state, motion.position)
    assert terse.velocity == pytest.approx(motion.velocity, abs=256 / 65535)
    assert terse.acceleration == pytest.approx(motion.acceleration, abs=128 / 65535)
    assert terse.angular_velocity == pytest.approx(motion.angular_velocity, abs=128 / 65535)
    assert terse.rotation == pytest.approx(motion.rotation, abs=2e-4)
    assert terse.plane == motion.plane


def test_velocities_beyond_the_range_are_clamped_not_wrapped() -> None:
    terse = objects.decode_terse(objects.encode_terse(1, Motion(velocity=(500.0, -500.0, 1e30))))
    assert terse.velocity == (128.0, -128.0, 128.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_motion_that_is_not_finite_is_refused(bad: float) -> None:
    for motion in (Motion(position=(bad, 0.0, 0.0)), Motion(velocity=(0.0, bad, 0.0))):
        with pytest.raises(ProtocolError):
            objects.encode_terse(1, motion)
    data = bytearray(objects.encode_terse(1, Motion()))
    data[6:10] = struct.pack("<f", bad)
    with pytest.raises(ProtocolError):
        objects.decode_terse(bytes(data))
    with pytest.raises(ProtocolError):
        objects.decode_object_data(objects.encode_object_data(Motion(position=(bad, 0.0, 0.0))))


def test_the_batch_writes_what_the_single_encoder_writes() -> None:
    rng = np.random.default_rng(3)
    n = 200
    table = np.zeros(n, [("id", np.uint32), ("position", np.float32, 3), ("rotation", np.float32, 4)])
    table["id"] = rng.integers(1, 2**32, n, dtype=np.uint32)
    table["position"] = rng.uniform(-10, 260, (n, 3))
    rotation = rng.normal(size=(n, 4))
    table["rotation"] = rotation / np.linalg.norm(rotation, axis=1)[:, None]
    velocity, acceleration, spin = (rng.normal(0, 60, (n, 3)).astype(np.float32) for _ in range(3))
    is_avatar = (np.arange(n) % 3 == 0).astype(np.uint8)
    rows = np.array([5, 0, 199, 6, 3], np.int64)
    records, lengths = np.full((8, objects.RECORD_SIZE), 0xEE, np.uint8), np.zeros(8, np.int64)
    objects.encode_terse_batch(
        rows,
        table["id"],
        is_avatar,
        table["position"],
        velocity,
        acceleration,
        table["rotation"],
        spin,
        records,
        lengths,
    )
    for k, row in enumerate(rows):

        def vector(column: Any, row: int = row) -> Any:
            return tuple(map(float, column[row]))

        motion = Motion(
            vector(table["position"]), vector(velocity), vector(acceleration), vector(table["rotation"]), vector(spin),
            (0.0, 0.0, 0.0, 1.0) if is_avatar[row] else None,
        )  # fmt: skip
        data = objects.encode_terse(int(table["id"][row]), motion)
        assert records[k, : lengths[k]].tobytes() == bytes([len(data)]) + data + b"\0\0"
    assert (records[len(rows) :] == 0xEE).all()


def test_batch_records_are_blocks_of_the_message() -> None:
    rows = np.arange(2)
    zeros, quaternions = np.zeros((2, 3), np.float32), np.tile(np.array([0, 0, 0, 1], np.float32), (2, 1))
    records, lengths = np.zeros((2, objects.RECORD_SIZE), np.uint8), np.zeros(2, np.int64)
    ids, avatars = np.array([7, 8], np.uint32), np.array([0, 1], np.uint8)
    objects.encode_terse_batch(rows, ids, avatars, zeros, zeros, zeros, quaternions, zeros, records, lengths)
    head = encode(Message("ImprovedTerseObjectUpdate", RegionData={"RegionHandle": 5, "TimeDilation": 65535}))[:-1]
    message = decode(head + b"\x02" + b"".join(records[k, : lengths[k]].tobytes() for k in range(2)))
    assert [objects.decode_terse(block["Data"]).local_id for block in message["ObjectData"]] == [7, 8]
    assert [block["TextureEntry"] for block in message["ObjectData"]] == [b"", b""]


def test_the_batch_survives_nan() -> None:
    bad = np.full((1, 3), np.nan, np.float32)
    records, lengths = np.zeros((1, objects.RECORD_SIZE), np.uint8), np.zeros(1, np.int64)
    one, zeros, quaternion = np.ones(1, np.uint32), np.zeros((1, 3), np.float32), np.full((1, 4), np.nan, np.float32)
    objects.encode_terse_batch(
        np.zeros(1, np.int64), one, np.zeros(1, np.uint8), zeros, bad, bad, quaternion, bad, records, lengths
    )
    assert objects.decode_terse(records[0, 1:45].tobytes()).velocity == (-128.0, -128.0, -128.0)


def test_a_texture_entry_in_a_terse_block_carries_its_length_twice() -> None:
    block = objects.terse_block(b"data", b"abc")
    assert block == {"Data": b"data", "TextureEntry": b"\x03\x00\x00\x00abc"}
    assert objects.terse_block(b"data")["TextureEntry"] == b""


# ---- full -------------------------------------------------------------------------------------------------------------


def test_object_data_is_sixty_bytes_in_order_and_seventy_six_with_the_plane() -> None:
    motion = Motion((1, 2, 3), (4, 5, 6), (7, 8, 9), (0.0, 0.6, 0.0, -0.8), (10, 11, 12))
    data = objects.encode_object_data(motion)
    assert struct.unpack("<15f", data) == pytest.approx((1, 2, 3, 4, 5, 6, 7, 8, 9, 0, -0.6, 0, 10, 11, 12))
    data = objects.encode_object_data(motion._replace(plane=(0, 0, 1, 2)))
    assert struct.unpack("<19f", data)[:7] == (0, 0, 1, 2, 1, 2, 3)


@settings(deadline=None)
@given(motions)
def test_object_data_round_trip(motion: Motion) -> None:
    read = objects.decode_object_data(objects.encode_object_data(motion))
    assert read[:3] == motion[:3]
    sign = -1 if motion.rotation[3] < 0 else 1
    assert read.rotation == pytest.approx([sign * part for part in motion.rotation], abs=1e-3)
    assert (read.angular_velocity, read.plane) == (motion.angular_velocity, motion.plane)


@pytest.mark.parametrize("size", [0, 16, 32, 48, 59, 61, 75, 77])
def test_other_sizes_of_object_data_are_refused(size: int) -> None:
    with pytest.raises(ProtocolError):
        objects.decode_object_data(bytes(size))


def test_a_full_update_goes_through_a_message() -> None:
    block = objects.full_block(
        7, ID, Motion((1.0, 2.0, 3.0)), scale=(1.0, 2.0, 3.0), parent_id=5, update_flags=0x1002093C, crc=3, text="über",
        text_color=objects.pack_text_color((1.0, 0.5, 0.0, 1.0)), shape=shapes.to_wire(shapes.SPHERE),
        extra_params=objects.encode_extra_params({0x30: bytes(17)}),
    )  # fmt: skip
    (read,) = decode(encode(Message("ObjectUpdate", ObjectData=[block])))["ObjectData"]
    assert (read["ID"], read["FullID"], read["PCode"], read["ParentID"]) == (7, ID, 9, 5)
    assert (read["PathCurve"], read["ProfileCurve"], read["PathScaleX"]) == (32, 5, 100)
    assert text(read["Text"]) == "über"
    assert read["TextColor"] == b"\xff\x80\x00\x00"
    assert objects.decode_object_data(read["ObjectData"]).position == (1.0, 2.0, 3.0)
    assert objects.decode_extra_params(read["ExtraParams"]) == {0x30: bytes(17)}


def test_an_avatar_as_viewers_need_it() -> None:
    block = objects.avatar_block(3, ID, "Ada", "Lovelace", Motion((128.0, 128.0, 25.0)), title="Count\ness", height=1.8)
    (read,) = decode(encode(Message("ObjectUpdate", ObjectData=[block])))["ObjectData"]
    assert (read["PCode"], read["State"], read["Material"]) == (47, 0, 4)
    assert read["Scale"] == pytest.approx((0.45, 0.6, 1.8))
    assert len(read["ObjectData"]) == 76
    assert read["NameValue"] == (
        b"FirstName STRING RW SV Ada\nLastName STRING RW SV Lovelace\nTitle STRING RW SV Count ess\0"
    )


def test_a_name_cannot_smuggle_in_another_name_value() -> None:
    block = objects.avatar_block(3, ID, "Eve\nTitle STRING RW SV Admin", "E")
    assert block["NameValue"].count("\n") == 2


def test_small_codings() -> None:
    assert objects.attachment_state(0x1F) == 0xF1
    assert all(objects.attachment_state(objects.attachment_state(n)) == n for n in range(256))
    assert objects.pack_text_color((0.0, 0.0, 0.0, 0.0)) == b"\0\0\0\xff"
    assert objects.unpack_text_color(b"\xff\x00\x00\x00") == (1.0, 0.0, 0.0, 1.0)
    assert (objects.dilation(1.0), objects.dilation(0.0), objects.dilation(7.0)) == (65535, 0, 65535)
    with pytest.raises(ProtocolError):
        objects.unpack_text_color(b"abc")


@given(st.dictionaries(unsigned(16), st.binary(max_size=40), max_size=5))
def test_extra_params_round_trip(params: dict[int, bytes]) -> None:
    assert objects.decode_extra_params(objects.encode_extra_params(params)) == params


@given(st.binary(max_size=40))
def test_arbitrary_extra_params_are_read_or_refused(data: bytes) -> None:
    try:
        objects.decode_extra_params(data)
    except ProtocolError:
        return


# ---- compressed -------------------------------------------------------------------------------------------------------

variable = st.binary(max_size=30)
line = st.binary(max_size=30).map(lambda raw: raw.replace(b"\0", b"x"))
blocks = st.builds(
    objects.full_block,
    unsigned(32),
    st.uuids(),
    st.builds(
        lambda *parts: Motion(parts[0], rotation=parts[1], angular_velocity=parts[2]),
        vectors(4096),
        unit_rotations,
        vectors(10),
    ),
    scale=vectors(64),
    pcode=st.sampled_from([9, 47]),
    parent_id=unsigned(32),
    crc=unsigned(32),
    state=unsigned(8),
    material=unsigned(8),
    click_action=unsigned(8),
    texture_entry=variable,
    texture_anim=variable,
    name_value=line,
    data=variable,
    text=st.just(""),
    media_url=line,
    particles=st.one_of(st.just(b""), st.binary(min_size=86, max_size=86), st.binary(min_size=90, max_size=100)),
    extra_params=st.dictionaries(unsigned(16), variable, max_size=3).map(objects.encode_extra_params),
    sound=st.uuids(),
    sound_owner=st.uuids(),
    gain=st.floats(0, 1, width=32),
    sound_flags=unsigned(8),
    radius=st.floats(0, 100, width=32),
)


@settings(deadline=None)
@given(blocks)
def test_compressed_round_trip(block: dict[str, Any]) -> None:
    read = objects.decode_compressed(objects.encode_compressed(block))
    for name, value in read.items():
        if name == "ObjectData":
            ours, theirs = objects.decode_object_data(block["ObjectData"]), objects.decode_object_data(value)
            assert theirs.position == ours.position
            assert theirs.rotation == pytest.approx(ours.rotation, abs=1e-3)
            assert theirs.angular_velocity == ours.angular_velocity
        elif name == "Scale":
            assert value == pytest.approx(block["Scale"])
        else:
            assert value == block.get(name, 0), name


def test_a_compressed_update_byte_by_byte() -> None:
    block = objects.full_block(
        0x01020304,
        ID,
        Motion((1.0, 2.0, 3.0)),
        scale=(1.0, 1.0, 1.0),
        parent_id=6,
        crc=5,
        state=1,
        material=3,
        text="hi",
    )
    expected = (
        "00112233445566778899aabbccddeeff 04030201 09 01 05000000 03 00"
        "0000803f0000803f0000803f 0000803f0000004000004040 000000000000000000000000 24000000"
        "00000000000000000000000000000000 06000000 686900 00000000 00"
        "10 0000 0000 64 64 00 00 00 00 00 00 00 00 00 01 0000 0000 0000 00000000"
    )
    assert objects.encode_compressed(block).hex() == expected.replace(" ", "")


def test_trees_keep_their_species() -> None:
    block = objects.full_block(1, ID, pcode=255, data=b"\x07")
    assert objects.decode_compressed(objects.encode_compressed(block))["Data"] == b"\x07"


@settings(deadline=None, max_examples=200)
@given(blocks, st.data())
def test_damaged_compressed_data_is_read_or_refused(block: dict[str, Any], data: st.DataObject) -> None:
    raw = bytearray(objects.encode_compressed(block))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        objects.decode_object_data(objects.decode_compressed(bytes(raw))["ObjectData"])
    except ProtocolError:
        return


@given(st.binary(max_size=200))
def test_arbitrary_terse_and_object_data(data: bytes) -> None:
    for decoder in (objects.decode_terse, objects.decode_object_data, objects.decode_compressed):
        try:
            decoder(data)  # type: ignore[operator]
        except ProtocolError:
            continue


# ---- edits ------------------------------------------------------------------------------------------------------------


def test_an_edit_holds_its_parts_in_order() -> None:
    kind, data = objects.encode_edit(Edit((1.0, 2.0, 3.0), (0.0, 0.0, 0.6, 0.8), (4.0, 5.0, 6.0), True, False))
    assert kind == 1 | 2 | 4 | 8
    assert struct.unpack("<9f", data) == pytest.approx((1, 2, 3, 0, 0, 0.6, 4, 5, 6))
    read = objects.decode_edit(kind, data)
    assert (read.position, read.scale, read.linked, read.uniform) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), True, False)
    assert read.rotation == pytest.approx((0.0, 0.0, 0.6, 0.8))
    assert objects.decode_edit(4 | 16, data[:12]) == Edit(None, None, (1.0, 2.0, 3.0), False, True)


@given(unsigned(8), st.binary(max_size=40))
def test_arbitrary_edits_are_read_or_refused(kind: int, data: bytes) -> None:
    try:
        objects.decode_edit(kind, data)
    except ProtocolError:
        return
