"""The datagram: header, zero coding, appended acks, and what a hostile one may cost."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from protocol.packet import ACKS, MAX_BODY, RELIABLE, RESENT, ZEROCODED, build, parse, zero_decode, zero_encode

bodies = st.one_of(
    st.binary(min_size=1, max_size=1500),
    st.lists(st.one_of(st.binary(max_size=20), st.integers(1, 600).map(bytes)), min_size=1).map(b"".join).filter(len),
)


def reference_zero_encode(data: bytes) -> bytes:
    """Zero coding as the protocol's text has it, byte by byte."""
    out = bytearray()
    run = 0
    for byte in (*data, None):
        if byte == 0:
            run += 1
            continue
        while run:
            out += bytes([0, min(run, 255)])
            run -= min(run, 255)
        if byte is not None:
            out.append(byte)
    return bytes(out)


def test_header_is_flags_then_big_endian_sequence_then_extra_length() -> None:
    assert build(b"\x01\x05", 0x01020304, RELIABLE) == bytes.fromhex("40 01020304 00 0105")


def test_acks_follow_the_body_big_endian_and_outside_the_zero_coding() -> None:
    datagram = build(b"\xff\xff\x00\x00\x00\x00\x00\x00", 1, ZEROCODED, [2, 0x0A0B0C0D])
    assert datagram == bytes.fromhex("90 00000001 00  ffff0006  00000002 0a0b0c0d 02")
    assert parse(datagram).acks == (2, 0x0A0B0C0D)


def test_a_low_number_is_zero_coded_too() -> None:
    assert zero_encode(b"\xff\xff\x00\x01") == b"\xff\xff\x00\x01\x01"


def test_zero_coding_only_if_it_makes_the_packet_smaller() -> None:
    datagram = build(b"\x01\x00\x02", 1, ZEROCODED | RELIABLE)
    assert datagram[0] == RELIABLE
    assert datagram[6:] == b"\x01\x00\x02"


def test_long_runs_are_split_and_a_count_of_zero_is_never_written() -> None:
    assert zero_encode(bytes(256)) == b"\x00\xff\x00\x01"
    assert zero_encode(bytes(510) + b"\x07") == b"\x00\xff\x00\xff\x07"
    assert b"\x00\x00" not in zero_encode(b"a" + bytes(2000) + b"b")


def test_a_count_of_zero_means_256() -> None:
    assert zero_decode(b"\x01\x00\x00\x02") == b"\x01" + bytes(256) + b"\x02"


def test_the_extra_header_is_skipped() -> None:
    packet = parse(bytes([RESENT, 0, 0, 0, 9, 3]) + b"xyz" + b"\x01\x05")
    assert (packet.sequence, packet.body) == (9, b"\x01\x05")
    assert packet.resent
    assert not packet.reliable


def test_sequence_zero_is_a_number_like_any_other() -> None:
    assert parse(build(b"\x01", 0, RELIABLE)).sequence == 0
    assert parse(build(b"\x01", 0xFFFFFFFF)).sequence == 0xFFFFFFFF


@settings(deadline=None)
@given(bodies)
def test_zero_coding_round_trip_and_reference(body: bytes) -> None:
    coded = zero_encode(body)
    assert coded == reference_zero_encode(body)
    assert zero_decode(coded) == body


@settings(deadline=None)
@given(bodies, st.integers(0, 0xFFFFFFFF), st.booleans(), st.lists(st.integers(0, 0xFFFFFFFF), max_size=255))
def test_packets_round_trip(body: bytes, sequence: int, coded: bool, acks: list[int]) -> None:
    datagram = build(body, sequence, (ZEROCODED if coded else 0) | RELIABLE, acks)
    packet = parse(datagram)
    assert (packet.body, packet.sequence, packet.acks) == (body, sequence, tuple(acks))
    assert packet.reliable
    assert bool(packet.flags & ACKS) == bool(acks)
    assert len(datagram) <= 6 + len(body) + (4 * len(acks) + 1 if acks else 0)


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=200))
def test_arbitrary_datagrams_are_parsed_or_refused(datagram: bytes) -> None:
    try:
        packet = parse(datagram)
    except ProtocolError:
        return
    assert packet.body


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00\x00\x00\x00\x01\x00",  # a header and nothing
        b"\x00\x00\x00\x00\x01\x05\x01\x02",  # extra header beyond the end
        b"\x10\x00\x00\x00\x01\x00\x01\xff",  # more acks than bytes
        b"\x10\x00\x00\x00\x01\x00\x00\x00\x00\x02\x01",  # acks and no message
        b"\x80\x00\x00\x00\x01\x00\x01\x00",  # ends in a run
    ],
)
def test_broken_datagrams_are_refused(datagram: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(datagram)


def test_a_zero_bomb_is_refused_before_it_takes_memory() -> None:
    bomb = b"\x80\x00\x00\x00\x01\x00" + b"\x00\xff" * 32000  # 64 KB that claim 8 MB
    zero_decode(zero_encode(b"\x01\x00"))  # compiled
    tracemalloc.start()
    with pytest.raises(ProtocolError, match="grows beyond"):
        parse(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MAX_BODY


def test_the_limit_itself_is_allowed() -> None:
    assert len(zero_decode(zero_encode(bytes(MAX_BODY)))) == MAX_BODY
    with pytest.raises(ProtocolError):
        zero_decode(zero_encode(bytes(MAX_BODY + 1)))


def test_what_does_not_fit_a_packet() -> None:
    for sequence, acks in ((-1, []), (1 << 32, []), (1, [1 << 32]), (1, [0] * 256)):
        with pytest.raises(ProtocolError):
            build(b"\x01", sequence, 0, acks)
