"""Messages on the event queue: the types a strict client insists on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import events, llsd
from protocol.errors import ProtocolError
from protocol.message import Message
from protocol.table import BY_NAME, MESSAGES
from tests.protocol.values import messages, same

AGENT = UUID("00112233-4455-6677-8899-aabbccddeeff")


def test_a_teleport_finish_as_clients_want_it() -> None:
    message = Message(
        "TeleportFinish",
        Info={
            "AgentID": AGENT, "LocationID": 4, "SimIP": "127.0.0.1", "SimPort": 9000, "SimAccess": 13,
            "RegionHandle": 256000 << 32 | 256256, "SeedCapability": "http://127.0.0.1:9000/caps/x", "TeleportFlags": 16,
        },
    )  # fmt: skip
    assert events.event(message) == {
        "message": "TeleportFinish",
        "body": {
            "Info": [
                {
                    "AgentID": AGENT,
                    "LocationID": b"\x00\x00\x00\x04",
                    "SimIP": b"\x7f\x00\x00\x01",
                    "SimPort": 9000,
                    "RegionHandle": b"\x00\x03\xe8\x00\x00\x03\xe9\x00",
                    "SeedCapability": "http://127.0.0.1:9000/caps/x",
                    "SimAccess": 13,
                    "TeleportFlags": b"\x00\x00\x00\x10",
                    "RegionSizeX": 256,
                    "RegionSizeY": 256,
                }
            ]
        },
    }


def test_parcel_properties_hold_every_key_a_client_fails_without() -> None:
    body = events.event(Message("ParcelProperties", ParcelData={"Bitmap": b"\xff" * 512, "Name": "Here"}))["body"]
    (parcel,) = body["ParcelData"]
    assert parcel["Bitmap"] == b"\xff" * 512
    assert parcel["Name"] == "Here"
    assert parcel["AuctionID"] == parcel["ParcelFlags"] == bytes(4)
    assert parcel["UserLocation"] == [0.0, 0.0, 0.0]
    for name in ("SeeAVs", "AnyAVSounds", "GroupAVSounds"):
        assert parcel[name] is False
    assert body["MediaData"][0]["MediaType"] == "none/none"
    for block in ("AgeVerificationBlock", "RegionAllowAccessBlock", "ParcelEnvironmentBlock"):
        assert len(body[block]) == 1


def test_blocks_are_arrays_and_absent_variable_ones_empty() -> None:
    body = events.event(Message("AgentGroupDataUpdate", AgentData={"AgentID": AGENT}))["body"]
    assert body == {"AgentData": [{"AgentID": AGENT}], "GroupData": [], "NewGroupData": []}


def test_an_event_without_a_udp_form() -> None:
    message = Message("ObjectPhysicsProperties", ObjectData=[{"LocalID": 7, "Density": 1000.0}])
    assert events.event(message)["body"]["ObjectData"][0]["LocalID"] == b"\x00\x00\x00\x07"


def test_establish_agent_communication_is_a_plain_map() -> None:
    event = events.establish_agent_communication(AGENT, "127.0.0.1", 9001, "http://127.0.0.1:9001/caps/y", 1 << 40)
    assert event["message"] == "EstablishAgentCommunication"
    assert event["body"]["agent-id"] == AGENT
    assert event["body"]["sim-ip-and-port"] == "127.0.0.1:9001"
    assert event["body"]["region-handle"] == (1 << 40).to_bytes(8, "big")
    assert events.message_spec(event) is None
    with pytest.raises(ProtocolError):
        events.establish_agent_communication(AGENT, "localhost", 9001, "", 0)


def texted(message: Message) -> Message:
    """The message with text in its text fields: random bytes there would come back as text with replacements."""
    for block in BY_NAME[message.name].blocks:
        rows = [message[block.name]] if block.kind == "Single" else message[block.name]
        for row in rows:
            for field in block.fields:
                if field.type == "Variable" and field.name not in events._RAW:
                    row[field.name] = row[field.name].hex().encode()
    return message


@settings(deadline=None, max_examples=200)
@given(messages().map(texted))
def test_every_message_survives_the_queue(message: Message) -> None:
    event = llsd.parse(llsd.format_xml(events.event(message)))
    decoded = events.parse_event(event)
    for name, block in message.blocks.items():
        rows, wanted = (decoded[name], block) if isinstance(block, list) else ([decoded[name]], [block])
        for row, given_row in zip(rows, wanted, strict=True):
            assert same(given_row, {key: row[key] for key in given_row})


def test_u32_is_never_an_integer() -> None:
    wide = {"U32", "U64", "S64", "IPADDR"}
    for spec in MESSAGES:
        body = events.event(Message(spec.name, **{b.name: [{}] for b in spec.blocks if b.kind == "Variable"}))["body"]
        for block in spec.blocks:
            for row in body[block.name]:
                for field in block.fields:
                    if field.type in wide:
                        assert isinstance(row[field.name], bytes), (spec.name, field.name)


@pytest.mark.parametrize(
    "message",
    [
        Message("TeleportFinish", Infos={}),
        Message("TeleportFinish", Info={"Where": 1}),
        Message("TeleportFinish", Info={"LocationID": -1}),
        Message("TeleportFinish", Info={"SimPort": 65536}),
        Message("TeleportFinish", Info={"SimIP": "localhost"}),
        Message("TeleportFinish", Info={"AgentID": str(AGENT)}),
        Message("TeleportFinish", Info=[{}]),
        Message("CrossedRegion", Info={"Position": (1.0, 2.0)}),
    ],
)
def test_what_does_not_fit_is_refused(message: Message) -> None:
    with pytest.raises(ProtocolError, match=message.name):
        events.event(message)


def test_servers_that_write_integers_are_understood() -> None:
    body = {"Info": [{"AgentID": str(AGENT), "LocationID": 4, "RegionHandle": 1 << 40, "SimIP": "1.2.3.4"}]}
    info = events.parse_event({"message": "TeleportFinish", "body": body})["Info"]
    assert (info["AgentID"], info["LocationID"], info["RegionHandle"], info["SimIP"]) == (AGENT, 4, 1 << 40, "1.2.3.4")


json_like = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=9), st.uuids()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["Info", "AgentID", "SimIP", "SimPort", "LocationID", "Position"]), inner),
    ),
)


@settings(deadline=None, max_examples=300)
@given(json_like, st.sampled_from(["TeleportFinish", "CrossedRegion", "Nothing", "ParcelProperties"]))
def test_arbitrary_events_are_a_message_or_refused(body: Any, name: str) -> None:
    for event in ({"message": name, "body": body}, {"message": name, "body": {"Info": [body]}}, body):
        try:
            events.parse_event(event)
        except ProtocolError:
            continue
