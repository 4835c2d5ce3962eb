"""What the page and the gateway tell each other is declared once, and decoded by that and nothing else."""

from __future__ import annotations

import json
import struct
import types
from dataclasses import MISSING, fields
from typing import Any, get_args, get_type_hints
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewer.gateway import messages, records, typescript
from viewer.gateway.building import Builder
from viewer.gateway.commands import Acting, Looking

ACTS = messages.decoder(messages.Acts)
LOOKS = messages.decoder(messages.Looks)
KINDS = get_args(messages.Acts)
GOOD: dict[str, Any] = {
    "flags": 5, "yaw": 1.5, "text": "hello", "type": 0, "on": True, "n": 7, "q": 1, "button": 2, "grant": False, "at": 5.0,
    "to": str(UUID(int=9)), "region": "Harbour", "id": str(UUID(int=9)), "position": [1.0, 2.0, 3.0],
    "form": "ring", "corner": [256, 512], "size": [1.0, 2.0, 64.0], "rotation": [0.0, 0.0, 0.0, 1.0], "name": "a", "description": "b",
    "face": 3, "color": [0.0, 0.5, 1.0], "opacity": 0.5, "glow": 1.0, "bright": True, "texture": str(UUID(int=9)), "physical": True,
    "phantom": False, "ns": [1, 2], "offset": [1.0, 0.0, 0.0],
}  # fmt: skip
anything: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def kind_of(kind: type) -> str:
    (name,) = get_args(get_type_hints(kind)["t"])
    return str(name)


def good(kind: type) -> dict[str, Any]:
    return {"t": kind_of(kind), **{each.name: GOOD[each.name] for each in fields(kind) if each.name != "t"}}


@pytest.mark.parametrize("name", list(typescript.FILES))
def test_the_pages_types_are_current(name: str) -> None:
    written = (typescript.NET / name).read_text(encoding="utf-8")
    assert written == typescript.FILES[name](), "run `python -m viewer.gateway.typescript`"


@pytest.mark.parametrize("kind", KINDS, ids=kind_of)
def test_a_good_message_comes_whole_and_a_wrong_field_is_named(kind: type) -> None:
    whole = good(kind)
    decoded = ACTS(json.dumps(whole))
    assert type(decoded) is kind
    assert all(getattr(decoded, name) in (value, UUID(int=9)) or list(getattr(decoded, name)) == value for name, value in whole.items())
    with pytest.raises(messages.BadMessage, match=r"\.more: "):
        ACTS(json.dumps({**whole, "more": 1}))
    for each in fields(kind):
        if each.name == "t":
            continue
        with pytest.raises(messages.BadMessage, match=rf"\.{each.name}\b"):
            ACTS(json.dumps({**whole, each.name: {"not": "this"}}))
        if each.default is MISSING:
            with pytest.raises(messages.BadMessage, match=rf"\.{each.name}: Field required"):
                ACTS(json.dumps({name: value for name, value in whole.items() if name != each.name}))


@pytest.mark.parametrize(
    "raw",
    ['{"t":"keys","flags":true,"yaw":0}', '{"t":"keys","flags":1.0,"yaw":0}', '{"t":"keys","flags":4294967296,"yaw":0}',
     '{"t":"keys","flags":1,"yaw":NaN}', '{"t":"keys","flags":1,"yaw":Infinity}', '{"t":"keys","flags":"1","yaw":0}',
     '{"t":"fly","on":1}', '{"t":"say","text":"x","type":3}', '{"t":"say","text":null}', '{"t":"teleport","region":""}',
     '{"t":["keys"]}', '{"t":null}', '{}', '[]', 'null', '', '{"t":"keys","flags":1,"yaw":0}x', "[" * 5000, "\x00", "\ud800"],
)  # fmt: skip
def test_what_is_nearly_right_is_wrong(raw: str) -> None:
    with pytest.raises(messages.BadMessage):
        ACTS(raw)


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_arbitrary_bytes_are_refused(raw: bytes | str) -> None:
    with pytest.raises(messages.BadMessage):
        ACTS(raw)


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from([*GOOD, "t", "x"]), anything, max_size=4))
def test_arbitrary_fields_decode_to_the_kind_they_name_or_are_refused(kind: type, changed: dict[str, Any]) -> None:
    try:
        decoded = ACTS(json.dumps({**good(kind), **changed}))
    except messages.BadMessage as error:
        assert 0 < len(str(error)) <= 200
    else:
        assert isinstance(decoded, KINDS)


def test_a_spectator_may_send_little() -> None:
    assert {kind_of(kind) for kind in get_args(messages.Looks)} == {"look", "ping", "leave"}
    for kind in KINDS:
        if kind not in get_args(messages.Looks):
            with pytest.raises(messages.BadMessage):
                LOOKS(json.dumps(good(kind)))


@pytest.mark.parametrize(("commands", "kinds"), [(Acting, messages.Acts), (Looking, messages.Looks)])
def test_every_message_is_done_by_somebody(commands: type, kinds: types.UnionType) -> None:
    built = Builder.__dict__["_do"].dispatcher.registry
    for kind in get_args(kinds):
        assert kind in built if kind in get_args(messages.Builds) else callable(getattr(commands, f"_{kind_of(kind)}"))


def test_what_is_told_is_json_with_every_field() -> None:
    stats = json.loads(messages.encode(messages.Stats(region="Hügel", map=[("a", 1, 2)])))
    assert stats["t"] == "stats" and stats["map"] == [["a", 1, 2]] and stats["ping"] is None and stats["region"] == "Hügel"
    assert set(stats) == {each.name for each in fields(messages.Stats)}


def test_layouts_pack_what_they_say() -> None:
    assert records.MOTION.head().size == 29 and records.SHAPE.head().size == 23 and records.THING.head().size == 55
    assert records.THING.tail(b"ab", b"", b"", b"c", b"") == b"\x02\0ab\0\0\0\x01c\0"
    with pytest.raises(struct.error):
        records.THING.tail(b"", b"", bytes(256), b"", b"")
