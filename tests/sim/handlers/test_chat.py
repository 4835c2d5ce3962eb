"""Chat: what is taken from a viewer, and who hears it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from protocol.message import Message, text
from sim.interest.chat import deliver_chat
from sim.world.world import Chat
from tests.kit.world import TestSimulator, Viewer, add_child, add_root

WHISPER, SAY, SHOUT, START_TYPING = 0, 1, 2, 4


def say(viewer: Viewer, words: str | bytes, kind: int = SAY, channel: int = 0) -> list[Chat]:
    marks = viewer.sim.world.marks
    viewer.sends(Message("ChatFromViewer", ChatData={"Message": words, "Type": kind, "Channel": channel}))
    said, marks.chat = marks.chat, []
    deliver_chat(viewer.sim, said)
    return said


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


@pytest.mark.parametrize(
    ("words", "kind", "channel"),
    [("", SAY, 0), (b"\0", SHOUT, 0), ("hello", SAY, 7), ("hello", SAY, -1), ("x", 3, 0), ("x", 200, 0)],
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
    relayed: list[Chat] = []
    monkeypatch.setattr(sim.neighbours, "relay_chat", relayed.append)
    middle = add_root(sim, position=(128, 128, 25))
    edge = add_root(sim, position=(245, 128, 25))
    say(middle, "hello")
    assert relayed == []
    say(edge, "hello", WHISPER)
    assert relayed == []
    say(edge, "hello")
    say(edge, "far", SHOUT)
    assert [chat.text for chat in relayed] == ["hello", "far"]


async def test_what_comes_from_a_neighbour_goes_no_further(sim: TestSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    relayed: list[Chat] = []
    monkeypatch.setattr(sim.neighbours, "relay_chat", relayed.append)
    anna = add_root(sim, position=(3, 128, 25))
    stranger = uuid4()
    deliver_chat(sim, [Chat("over here", SAY, 1, stranger, stranger, "Carl Over", (-5.0, 128.0, 25.0), True)])
    assert heard(anna) == ["over here"]
    assert relayed == []


async def test_a_chatterbox_is_slowed_down(sim: TestSimulator) -> None:
    anna = add_root(sim)
    for _ in range(100):
        say(anna, "spam")
    assert len(heard(anna)) == 40
    assert sim.metrics.value("messages_dropped", "rate chat") == 60
