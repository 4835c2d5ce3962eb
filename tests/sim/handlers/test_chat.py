"""Chat: what is taken from a viewer, and who hears it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from protocol.message import Message, text
from sim.actions import speak
from sim.neighbours.records import RegionRecord
from sim.world.world import Chat
from tests.kit.world import TestSimulator, Viewer, add_child, add_region, add_root, settle

WHISPER, SAY, SHOUT, START_TYPING = 0, 1, 2, 4


def say(viewer: Viewer, words: str | bytes, kind: int = SAY, channel: int = 0) -> list[Chat]:
    """Everything that is noted of it has been heard."""
    reader = viewer.sim.world.changes.speech.reader()
    viewer.sends(Message("ChatFromViewer", ChatData={"Message": words, "Type": kind, "Channel": channel}))
    viewer.sim.interest.update()
    viewer.sim.neighbours.borders.run()
    return list(reader.take())


def heard(viewer: Viewer) -> list[str]:
    words = [text(message["ChatData"]["Message"]) for message in viewer.heard("ChatFromSimulator")]
    viewer.forget()
    return words


@pytest.mark.parametrize(("kind", "reach"), [(WHISPER, 10), (SAY, 20), (SHOUT, 100), (START_TYPING, 20)])
async def test_ranges(sim: TestSimulator, kind: int, reach: float) -> None:
    anna = add_root(sim, position=(100, 100, 25))
    near = add_root(sim, position=(100 + reach - 0.1, 100, 25))
    far = add_root(sim, position=(100, 100 + reach + 0.1, 25))
    say(anna, "hello", kind)
    words = "" if kind == START_TYPING else "hello"
    assert heard(anna) == [words]
    assert heard(near) == [words]
    assert heard(far) == []


async def test_the_distance_is_in_space(sim: TestSimulator) -> None:
    anna = add_root(sim, position=(100, 100, 25))
    above = add_root(sim, position=(100, 100, 25 + 21))
    say(anna, "hello")
    assert heard(above) == []


async def test_what_the_listener_is_told(sim: TestSimulator) -> None:
    anna = add_root(sim, "Anna Tester", position=(100, 100, 25))
    bert = add_root(sim, position=(105, 100, 25))
    say(anna, "/me wonders")
    (message,) = bert.heard("ChatFromSimulator")
    data = message["ChatData"]
    assert text(data["FromName"]) == "Anna Tester"
    assert (data["SourceID"], data["OwnerID"]) == (anna.id, anna.id)
    assert (data["SourceType"], data["ChatType"], data["Audible"]) == (1, SAY, 1)
    assert data["Position"] == (100, 100, 25)
    assert data["Message"] == b"/me wonders\0"


async def test_children_hear_nothing(sim: TestSimulator) -> None:
    anna = add_root(sim, position=(100, 100, 25))
    child = add_child(sim, position=(100, 100, 25))
    say(anna, "hello")
    child.sends(Message("ChatFromViewer", ChatData={"Message": "I am not here", "Type": SAY}))
    assert heard(child) == []
    assert heard(anna) == ["hello"]
    assert sim.metrics.value("messages_dropped", "not root") == 1


@pytest.mark.parametrize("channel", [7, -1])
async def test_other_channels_are_for_scripts_alone(sim: TestSimulator, channel: int) -> None:
    anna = add_root(sim)
    (said,) = say(anna, "hello", SAY, channel)
    assert said.channel == channel and heard(anna) == []


@pytest.mark.parametrize(
    ("words", "kind", "channel"),
    [("", SAY, 0), (b"\0", SHOUT, 0), ("x", 3, 0), ("", SAY, 7), ("x", 200, 0)],
)
async def test_what_is_not_chat(sim: TestSimulator, words: str | bytes, kind: int, channel: int) -> None:
    anna = add_root(sim)
    assert say(anna, words, kind, channel) == []
    assert sum(sim.metrics.labelled["messages_dropped"].values()) == 1


async def test_long_text_is_cut_between_characters(sim: TestSimulator) -> None:
    anna = add_root(sim)
    say(anna, "é" * 700)
    (words,) = heard(anna)
    assert words == "é" * 511
    say(anna, b"\xff\xfe not UTF-8")
    assert heard(anna) == ["\ufffd\ufffd not UTF-8"]


async def test_near_a_border_neighbours_are_told(sim: TestSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    relayed: list[dict[str, Any]] = []

    async def chat(region: RegionRecord, said: dict[str, Any]) -> None:
        relayed.append({**said, "region": region.name})

    add_region(sim, "East", 1001, 1000)
    add_region(sim, "North", 1000, 1001)
    monkeypatch.setattr(sim.neighbours.peers, "chat", chat)
    middle = add_root(sim, position=(128, 128, 25))
    edge = add_root(sim, position=(245, 128, 25))
    for viewer, words, kind, channel in (
        (middle, "hello", SAY, 0), (edge, "hush", WHISPER, 0), (edge, "hello", SAY, 0), (edge, "far", SHOUT, 0), (edge, "script", SHOUT, 7)
    ):  # fmt: skip
        say(viewer, words, kind, channel)
    await settle(sim)
    assert [(said["text"], said["region"]) for said in relayed] == [("hello", "East"), ("far", "East")]
    assert relayed[0]["position"] == [-11.0, 128.0, 25.0]


async def test_what_comes_from_a_neighbour_goes_no_further(sim: TestSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    relayed: list[Any] = []

    async def chat(region: RegionRecord, said: dict[str, Any]) -> None:
        relayed.append(said)

    add_region(sim, "West", 999, 1000)
    monkeypatch.setattr(sim.neighbours.peers, "chat", chat)
    anna = add_root(sim, position=(3, 128, 25))
    stranger = uuid4()
    carl = speak.Speaker(speak.AGENT, stranger, stranger, "Carl Over", (-5.0, 128.0, 25.0))
    assert speak.overhear(sim.region, carl, SAY, "over here") is None
    assert speak.overhear(sim.region, carl, speak.OWNER.kind, "for my owner") is not None
    sim.interest.update()
    sim.neighbours.borders.run()
    await settle(sim)
    assert heard(anna) == ["over here"]
    assert relayed == []


async def test_what_is_said_to_one_is_heard_by_nobody_else(sim: TestSimulator) -> None:
    anna, bert = add_root(sim, position=(100, 100, 25)), add_root(sim, position=(101, 100, 25))
    child = add_child(sim, position=(100, 100, 25))
    box = speak.Speaker(speak.OBJECT, uuid4(), anna.id, "Box", (250.0, 5.0, 25.0))
    for listener in (anna, child):
        speak.say(sim.region, box, speak.OWNER, "psst", to=listener.id)
    sim.interest.update()
    assert heard(anna) == ["psst"] and heard(bert) == heard(child) == []


async def test_a_chatterbox_is_slowed_down(sim: TestSimulator) -> None:
    anna = add_root(sim)
    for _ in range(100):
        say(anna, "spam")
    assert len(heard(anna)) == 40
    assert sim.metrics.value("messages_dropped", "rate chat") == 60
