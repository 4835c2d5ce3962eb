"""Messages to bytes and back: bytes worked out by hand from the protocol's description, then everything at random."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from protocol.message import Message, clip, decode, encode, identify, text
from protocol.table import BY_NAME, MESSAGES
from tests.protocol.values import messages, same

AGENT = UUID("00112233-4455-6677-8899-aabbccddeeff")
SESSION = UUID("ffeeddcc-bbaa-9988-7766-554433221100")
RAW_AGENT, RAW_SESSION = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
UDP = [spec for spec in MESSAGES if spec.prefix]
PREFIXES = [spec.prefix for spec in UDP]

GOLDEN: list[tuple[Message, str]] = [
    (Message("StartPingCheck", PingID={"PingID": 5, "OldestUnacked": 10}), "01 05 0a000000"),
    (Message("PacketAck", Packets=[{"ID": 1}, {"ID": 0x01020304}]), "fffffffb 02 01000000 04030201"),
    (Message("CloseCircuit"), "fffffffd"),
    (
        Message("UseCircuitCode", CircuitCode={"Code": 0x11223344, "SessionID": SESSION, "ID": AGENT}),
        f"ffff0003 44332211 {RAW_SESSION} {RAW_AGENT}",
    ),
    (  # a Variable2 field: U16 length with the NUL counted, then U8, then S32
        Message(
            "ChatFromViewer",
            AgentData={"AgentID": AGENT, "SessionID": SESSION},
            ChatData={"Message": "hé", "Type": 1, "Channel": -2},
        ),
        f"ffff0050 {RAW_AGENT} {RAW_SESSION} 0400 68c3a900 01 feffffff",
    ),
    (  # IPADDR in network order, IPPORT big endian
        Message("OpenCircuit", CircuitInfo={"IP": "127.0.0.1", "Port": 9000}),
        "fffffffc 7f000001 2328",
    ),
    (  # several blocks: vectors of F32, U64 little endian
        Message(
            "AgentMovementComplete",
            AgentData={"AgentID": AGENT, "SessionID": SESSION},
            Data={
                "Position": (1.0, 2.0, -0.5),
                "LookAt": (0, 1, 0),
                "RegionHandle": 256000 << 32 | 256256,
                "Timestamp": 1,
            },
            SimData={"ChannelVersion": b""},
        ),
        f"ffff00fa {RAW_AGENT} {RAW_SESSION} 0000803f 00000040 000000bf 00000000 0000803f 00000000"
        " 00e9030000e80300 01000000 0000",
    ),
    (  # a rotation with w < 0 is sent negated, and normalised: (0, 0, 0.6, -0.8) -> (0, 0, -0.6)
        Message("AgentUpdate", AgentData={"BodyRotation": (0, 0, 1.2, -1.6), "ControlFlags": 0x80000001, "Far": 64}),
        "04" + "00" * 32 + "00000080 00000080 9a9919bf" + "00" * 12 + "00" + "00" * 48 + "00008042 01000080 00",
    ),
]


@pytest.mark.parametrize(("message", "expected"), GOLDEN, ids=lambda value: getattr(value, "name", ""))
def test_bytes_are_as_the_protocol_says(message: Message, expected: str) -> None:
    assert encode(message).hex() == expected.replace(" ", "")


@pytest.mark.parametrize(("message", "expected"), GOLDEN, ids=lambda value: getattr(value, "name", ""))
def test_and_read_back(message: Message, expected: str) -> None:
    decoded = decode(bytes.fromhex(expected))
    assert decoded.name == message.name
    for name, block in message.blocks.items():
        rows, given_rows = (decoded[name], block) if isinstance(block, list) else ([decoded[name]], [block])
        for row, wanted in zip(rows, given_rows, strict=True):
            for field, value in wanted.items():
                if field == "BodyRotation":
                    assert row[field] == pytest.approx((0, 0, -0.6, 0.8))
                elif isinstance(value, str) and field == "Message":
                    assert text(row[field]) == value
                else:
                    assert row[field] == value


@settings(deadline=None, max_examples=300)
@given(messages(udp_only=True))
def test_any_message_comes_back(message: Message) -> None:
    decoded = decode(encode(message))
    assert same(message.blocks, decoded.blocks)


@settings(deadline=None, max_examples=300)
@given(messages(udp_only=True), st.data())
def test_cut_off_messages_decode_to_fewer_blocks_or_are_refused(message: Message, data: st.DataObject) -> None:
    whole = encode(message)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    try:
        decoded = decode(cut)
    except ProtocolError:
        return
    assert decoded.name == message.name
    assert list(decoded) == [block.name for block in BY_NAME[message.name].blocks]


@settings(deadline=None, max_examples=500)
@given(st.one_of(st.just(b""), st.sampled_from(PREFIXES)), st.binary(max_size=300))
def test_arbitrary_bytes_are_a_message_or_refused(number: bytes, body: bytes) -> None:
    try:
        message = decode(number + body)
    except ProtocolError:
        return
    encode(message)


def test_every_message_encodes_without_a_single_field_and_decodes_to_zeros() -> None:
    for spec in UDP:
        decoded = decode(encode(Message(spec.name)))
        for block in spec.blocks:
            assert decoded[block.name] == [] if block.kind == "Variable" else decoded[block.name]


def test_blocks_absent_at_the_end_are_zero_or_empty() -> None:
    whole = encode(Message("ImprovedInstantMessage", EstateBlock={"EstateID": 7}))
    assert decode(whole)["EstateBlock"] == {"EstateID": 7}
    older = decode(whole[:-4])  # clients from before the estate block
    assert older["EstateBlock"] == {"EstateID": 0}
    assert older["MetaData"] == []
    assert decode(BY_NAME["NeighborList"].prefix)["NeighborBlock"][3]["IP"] == "0.0.0.0"


def test_surplus_bytes_at_the_end_are_ignored() -> None:
    whole = encode(Message("StartPingCheck", PingID={"PingID": 3}))
    assert decode(whole + b"later additions") == decode(whole)


def test_additions_are_sent_only_when_given() -> None:
    plain = encode(Message("ImprovedInstantMessage"))
    assert encode(Message("ImprovedInstantMessage", MetaData=[])) == plain
    assert encode(Message("ImprovedInstantMessage", MetaData=[{"Data": b"x"}])) == plain + b"\x01\x01\x00x"
    # An addition after one that was left out needs the empty one before it.
    late = encode(Message("RegionInfo", CombatSettings=[{"OnDeath": 3}]))
    assert decode(late)["RegionInfo5"] == []
    assert decode(late)["CombatSettings"][0]["OnDeath"] == 3


def test_trailing_variable_blocks_of_the_template_keep_their_count() -> None:
    assert encode(Message("ObjectGrab")).endswith(b"\0")
    assert decode(encode(Message("ObjectGrab")))["SurfaceInfo"] == []


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (Message("ChatFromViewer", ChatDatas={}), "no block ChatDatas"),
        (Message("ChatFromViewer", ChatData={"Massage": b""}), "ChatData: no such field: Massage"),
        (Message("ChatFromViewer", ChatData={"Type": 256}), "ChatFromViewer.ChatData"),
        (Message("ChatFromViewer", ChatData={"Type": 1.5}), "ChatFromViewer.ChatData"),
        (Message("ChatFromViewer", ChatData={"Channel": 1 << 31}), "ChatFromViewer.ChatData"),
        (Message("ChatFromViewer", ChatData={"Message": 5}), "takes bytes or str"),
        (Message("ChatFromViewer", ChatData={"Message": bytes(65536)}), "ChatFromViewer.ChatData"),
        (Message("ChatFromViewer", ChatData=[{}]), "takes one dict"),
        (Message("ChatFromViewer", AgentData={"AgentID": str(AGENT)}), "ChatFromViewer.AgentData"),
        (Message("PacketAck", Packets={"ID": 1}), "takes a list of dicts"),
        (Message("PacketAck", Packets=[{"ID": 1}] * 256), "at most 255"),
        (Message("NeighborList", NeighborBlock=[{}] * 3), "exactly 4"),
        (Message("AgentUpdate", AgentData={"CameraCenter": (1, 2)}), "AgentUpdate.AgentData"),
        (Message("AgentUpdate", AgentData={"Far": 1e39}), "AgentUpdate.AgentData"),
        (Message("OpenCircuit", CircuitInfo={"IP": "localhost"}), "not an IPv4 address"),
        (Message("OpenCircuit", CircuitInfo={"IP": "1.2.3"}), "not an IPv4 address"),
        (Message("OpenCircuit", CircuitInfo={"Port": 65536}), "OpenCircuit.CircuitInfo"),
        (Message("ObjectUpdate", ObjectData=[{"TextColor": b"abc"}]), "exactly 4 bytes"),
        (Message("ObjectPhysicsProperties"), "event queue only"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(message: Message, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        encode(message)


def test_unknown_messages() -> None:
    with pytest.raises(ProtocolError, match="no such message"):
        Message("ChatFromNowhere")
    for data in (b"", b"\xff", b"\xff\xff", b"\xff\xff\x00", b"\x00", b"\xff\x00", b"\xff\xff\xfe\xfe", b"\xff\xff\xff\xff"):
        with pytest.raises(ProtocolError):
            decode(data)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_poison_are_refused(bad: float) -> None:
    message = Message("AgentUpdate", AgentData={"CameraCenter": (0.0, bad, 0.0)})
    with pytest.raises(ProtocolError, match="infinite or not a number"):
        decode(encode(message))


def test_opposite_infinities_do_not_cancel_out() -> None:
    message = Message("AgentUpdate", AgentData={"CameraCenter": (float("inf"), float("-inf"), 0.0)})
    with pytest.raises(ProtocolError):
        decode(encode(message))


def test_a_count_of_255_without_blocks_behind_it_costs_nothing() -> None:
    with pytest.raises(ProtocolError, match="ends inside"):
        decode(BY_NAME["ObjectUpdate"].prefix + bytes(10) + b"\xff")


def test_a_length_beyond_the_end_is_refused() -> None:
    good = encode(Message("ChatFromViewer", ChatData={"Message": "hello"}))
    at = good.index(b"\x06\x00hello")
    for length in (0x0100, 0xFFFF):
        bad = good[:at] + length.to_bytes(2, "little") + good[at + 2 :]
        with pytest.raises(ProtocolError):
            decode(bad)


def test_rotations_longer_than_one_become_unit_length() -> None:
    message = decode(encode(Message("ObjectRotation", ObjectData=[{"Rotation": (0.0, 0.0, 0.0, 0.0)}])))
    assert message["ObjectData"][0]["Rotation"] == (0.0, 0.0, 0.0, 1.0)
    raw = bytearray(encode(Message("ObjectRotation", ObjectData=[{}])))
    raw[-12:] = np.array([2, 0, 0], "<f4").tobytes()
    assert decode(bytes(raw))["ObjectData"][0]["Rotation"] == (1.0, 0.0, 0.0, 0.0)


def test_numbers_of_numpy_are_numbers() -> None:
    position: Any = np.array([1, 2, 3], np.float32)
    message = Message("AgentUpdate", AgentData={"CameraCenter": position, "ControlFlags": np.uint32(7)})
    assert decode(encode(message))["AgentData"]["CameraCenter"] == (1.0, 2.0, 3.0)


def test_memoryviews_are_read_as_bytes() -> None:
    whole = encode(GOLDEN[4][0])
    assert decode(memoryview(bytearray(whole))) == decode(whole)
    assert identify(memoryview(whole)).name == "ChatFromViewer"


def test_text_ends_at_its_nul_and_survives_bad_utf8() -> None:
    assert text(b"hi\0there") == text(b"hi") == "hi"
    assert text(b"\xff!") == "\ufffd!"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.integers(1, 40))
def test_clipped_text_fits_and_is_whole_characters(value: str, limit: int) -> None:
    raw = clip(value, limit)
    assert len(raw) <= limit
    assert raw.endswith(b"\0")
    assert value.startswith(raw[:-1].decode())
