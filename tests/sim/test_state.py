"""What regions hand each other is checked on the way in."""

import math
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from sim.neighbours.state import HandOff
from sim.neighbours.teleport import parse_landmark


def good() -> dict[str, Any]:
    return {
        "reason": "crossing",
        "agent_id": str(uuid4()),
        "session_id": str(uuid4()),
        "secure_session_id": str(uuid4()),
        "circuit_code": 7,
        "first": "Ada",
        "last": "Mainland",
        "position": [1.0, 2.0, 30.0],
        "velocity": [3.2, 0.0, 0.0],
        "rotation": [0.0, 0.0, 0.6, 0.8],
        "look_at": [1.0, 0.0, 0.0],
    }


def test_a_good_hand_off_is_typed() -> None:
    state = HandOff.decode(good())
    assert state.position == (1.0, 2.0, 30.0)
    assert state.rotation == pytest.approx((0, 0, 0.6, 0.8))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reason", "magic"),
        ("agent_id", "nobody"),
        ("session_id", None),
        ("circuit_code", "7"),
        ("circuit_code", -1),
        ("first", ""),
        ("last", "x" * 100),
        ("position", [1.0, 2.0]),
        ("position", [math.nan, 0.0, 0.0]),
        ("position", [1e30, 0.0, 0.0]),
        ("velocity", [math.inf, 0.0, 0.0]),
        ("rotation", [0.0, 0.0, 0.0, 0.0]),
        ("controls", 1 << 40),
        ("views", ["x"]),
        ("views", {"x": "y"}),
        ("lures", {str(uuid4()): [1]}),
        ("origin", {"region_id": str(uuid4()), "http_url": "file:///etc/passwd"}),
        ("source", {"region_id": str(uuid4()), "epoch": -1}),
        ("destination", []),
        ("title", 7),
        ("appearance", {"texture_entry": "%"}),
        ("version", 2),
        ("version", "new"),
        ("animations", ["not a uuid"]),
        ("wearables", [["a", "b"]]),
    ],
)
def test_a_bad_one_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ProtocolError):
        HandOff.decode({**good(), name: value})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


FIELDS = sorted([*good(), "controls", "views", "lures", "origin", "source", "destination", "title", "version", "appearance", "wearables", "animations"])


@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
@example({"wearables": [[[], None, None]]})
def test_no_json_breaks_it(changes: dict[str, Any]) -> None:
    try:
        HandOff.decode({**good(), **changes})
    except ProtocolError:
        pass


@given(st.binary(max_size=300))
def test_no_bytes_break_a_landmark(data: bytes) -> None:
    try:
        parse_landmark(data)
    except ProtocolError:
        pass


def test_a_landmark_is_read() -> None:
    region = uuid4()
    text = f"Landmark version 2\nregion_id {region}\nlocal_pos 10.5 20.25 30\n"
    assert parse_landmark(text.encode()) == (region, (10.5, 20.25, 30.0))
