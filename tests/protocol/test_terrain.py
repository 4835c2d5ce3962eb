"""Terrain patches: bits worked out by hand, and an encoder and decoder written straight from the protocol's text."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.errors import ProtocolError
from protocol.terrain import ALL_PATCHES, MAX_PAYLOAD, decode_patches, encode_patches

y, x = np.mgrid[0:256, 0:256]
SMOOTH = (22 + 6 * np.sin(x / 20) + 4 * np.cos(y / 15) + x / 60).astype(np.float32)
ROUGH = np.random.default_rng(7).normal(20, 40, (256, 256)).astype(np.float32)


def assemble(payloads: list[bytes]) -> NDArray[np.float32]:
    land = np.full((256, 256), np.nan, np.float32)
    for payload in payloads:
        for px, py, heights in decode_patches(payload):
            land[py * 16 : py * 16 + 16, px * 16 : px * 16 + 16] = heights
    return land


def bits(value: int, count: int) -> str:
    """A value as it stands in the stream: little-endian bytes, most significant bit first, the odd bits last."""
    text = ""
    while count > 0:
        step = min(count, 8)
        text += format(value & ((1 << step) - 1), f"0{step}b")
        value >>= step
        count -= step
    return text


def reference_quantised(patch: NDArray[np.float64]) -> tuple[float, int, list[int]]:
    """Steps 1 to 5 of the encoder as the text has them."""
    low, high = patch.min(), patch.max()
    span = int(high - low + 1)
    block = patch * (1024 / span) - (512 + low * 1024 / span)
    cos = np.cos((2 * np.arange(16)[None, :] + 1) * np.arange(16)[:, None] * np.pi / 32)
    weight = np.where(np.arange(16) == 0, 1 / np.sqrt(2), 1.0)
    out = (weight[:, None] * (cos @ block @ cos.T) * weight[None, :]) * 2 / 16
    order = [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1), (3, 0)]
    quantised = np.trunc(out / (1 + 2 * (np.arange(16)[:, None] + np.arange(16)[None, :])))
    return float(low), span, [int(quantised[cell]) for cell in order]


def test_a_flat_patch_bit_by_bit() -> None:
    # Flat at 21 m: range 1, every value -512, so the only coefficient is -512 * 16 = -8192: 14 bits.
    stream = bits(264, 16) + bits(16, 8) + bits(76, 8)
    stream += bits(0x8C, 8)  # 14 - 2 and 10 - 2
    stream += bits(struct.unpack("<I", struct.pack("<f", 21.0))[0], 32) + bits(1, 16) + bits(3 << 5 | 5, 10)
    stream += "111" + bits(8192, 14) + "10" + bits(97, 8)
    expected = int(stream.ljust(-(-len(stream) // 8) * 8, "0"), 2).to_bytes(-(-len(stream) // 8), "big")
    assert encode_patches(np.full((256, 256), 21, np.float32), [(3, 5)]) == [expected]
    assert expected[:4] == b"\x08\x01\x10\x4c"


def test_a_slope_has_the_coefficients_of_the_text() -> None:
    slope = np.tile(np.arange(256) / 4, (256, 1)).astype(np.float32)  # rises to the east
    (payload,) = encode_patches(slope, [(2, 0)])
    low, span, wanted = reference_quantised(slope[0:16, 32:48].astype(np.float64))
    stream = format(int.from_bytes(payload, "big"), f"0{len(payload) * 8}b")[32:]
    word_bits = int(stream[0:8], 2) % 16 + 2
    assert stream[8:66] == bits(struct.unpack("<I", struct.pack("<f", low))[0], 32) + bits(span, 16) + bits(2 << 5, 10)
    at = 66
    read: list[int] = []
    while len(read) < len(wanted):
        if stream[at] == "0":
            read.append(0)
            at += 1
        elif stream[at + 1] == "0":
            read += [0] * (len(wanted) - len(read))
        else:
            raw = stream[at + 3 : at + 3 + word_bits]
            magnitude = sum(int(raw[n : n + 8], 2) << n for n in range(0, word_bits, 8))
            read.append(-magnitude if stream[at + 2] == "1" else magnitude)
            at += 3 + word_bits
    # Truncation makes one of a hair's difference between 32 and 64 bits.
    assert np.abs(np.subtract(read, wanted)).max() <= 1
    assert wanted[1] != 0  # a slope to the east is a coefficient along the row, the first step to the right
    assert wanted[2] == 0


def test_smooth_land_is_within_centimetres() -> None:
    error = np.abs(assemble(encode_patches(SMOOTH)) - SMOOTH)
    assert error.max() < 0.12
    assert error.mean() < 0.02


def test_all_patches_come_once_and_payloads_stay_small() -> None:
    for land in (SMOOTH, ROUGH, np.zeros((256, 256), np.float32)):
        payloads = encode_patches(land)
        assert max(map(len, payloads)) <= MAX_PAYLOAD
        assert [(px, py) for payload in payloads for px, py, _ in decode_patches(payload)] == ALL_PATCHES


def test_cliffs_keep_their_shape() -> None:
    cliff = np.where(x < 100, 20.0, 400.0).astype(np.float32)
    error = np.abs(assemble(encode_patches(cliff)) - cliff)
    assert error.mean() < 5.0
    assert not np.isnan(error).any()


def test_only_the_named_patches_in_their_order() -> None:
    wanted = [(15, 15), (0, 0), (7, 3)]
    payloads = encode_patches(SMOOTH, wanted)
    assert [(px, py) for payload in payloads for px, py, _ in decode_patches(payload)] == wanted
    assert encode_patches(SMOOTH, []) == []


def test_east_and_north_are_not_mixed_up() -> None:
    land = np.zeros((256, 256), np.float32)
    land[16:32, 240:256] = 50.0  # patch x 15, y 1
    (patch,) = decode_patches(encode_patches(land, [(15, 1)])[0])
    assert patch[:2] == (15, 1)
    assert np.allclose(patch[2], 50.0, atol=0.01)
    rising_north = np.repeat(np.arange(256, dtype=np.float32)[:, None], 256, axis=1)
    (patch,) = decode_patches(encode_patches(rising_north, [(0, 0)])[0])
    assert patch[2][15, 0] > patch[2][0, 15] + 10


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 5.0, 300.0]), st.floats(-500, 4000))
def test_random_patches_come_back(seed: int, spread: float, base: float) -> None:
    noise = np.random.default_rng(seed).normal(base, spread, (16, 16))
    land = np.zeros((256, 256), np.float32)
    land[0:16, 0:16] = noise
    (patch,) = decode_patches(encode_patches(land, [(0, 0)])[0])
    span = land[0:16, 0:16].max() - land[0:16, 0:16].min() + 1
    assert np.abs(patch[2] - land[0:16, 0:16]).max() < span  # noise is the worst case of a cosine transform
    assert abs(float(patch[2].mean()) - float(land[0:16, 0:16].mean())) < 0.01 * span + 1e-3


def test_what_is_not_a_region_s_land() -> None:
    with pytest.raises(ProtocolError, match="256 x 256"):
        encode_patches(np.zeros((16, 16), np.float32))
    with pytest.raises(ProtocolError, match="infinite"):
        encode_patches(np.full((256, 256), np.nan, np.float32))
    for outside in ((16, 0), (0, -1)):
        with pytest.raises(ProtocolError, match="outside"):
            encode_patches(SMOOTH, [outside])


def test_every_cut_is_refused() -> None:
    (payload,) = encode_patches(SMOOTH, [(1, 2), (3, 4)])
    for length in range(len(payload) - 1):
        with pytest.raises(ProtocolError):
            decode_patches(payload[:length])


def test_hostile_payloads() -> None:
    head = bits(264, 16) + bits(16, 8) + bits(76, 8)
    nan, huge = 0x7FC00000, 0x7F7FFFFF

    def payload(stream: str) -> bytes:
        return int(stream.ljust(-(-len(stream) // 8) * 8, "0"), 2).to_bytes(-(-len(stream) // 8), "big")

    def patch(low: int = 0, px: int = 0, span: int = 1) -> str:
        return bits(0x88, 8) + bits(low, 32) + bits(span, 16) + bits(px << 5, 10) + "10"

    assert len(decode_patches(payload(head + patch() * 3 + bits(97, 8)))) == 3
    for stream in (
        bits(264, 16) + bits(32, 8) + bits(76, 8) + bits(97, 8),  # patches of 32
        bits(260, 16) + bits(16, 8) + bits(76, 8) + bits(97, 8),  # another stride
        head + patch(nan) + bits(97, 8),
        head + patch(huge) + bits(0x8F, 8) + bits(huge, 32) + bits(65535, 16) + bits(0, 10) + "110" + "1" * 17 + "10",
        head + patch(px=16) + bits(97, 8),
        head + patch() * 300 + bits(97, 8),
    ):
        with pytest.raises(ProtocolError):
            decode_patches(payload(stream))


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=300), st.booleans())
def test_arbitrary_bytes_are_patches_or_refused(data: bytes, with_head: bool) -> None:
    try:
        patches = decode_patches(b"\x08\x01\x10\x4c" + data if with_head else data)
    except ProtocolError:
        return
    assert all(np.isfinite(heights).all() for _, _, heights in patches)
