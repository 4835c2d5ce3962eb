"""Local chat: how far whisper, say and shout carry, typing, other channels, and what is told about the speaker."""
from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from .conftest import Visit
from .driver import Driver, Event, until
from .grid import Grid
from .raw.viewer import Viewer

WHISPER, SAY, SHOUT, START_TYPING, STOP_TYPING = 0, 1, 2, 4, 5
Y = 128.0
SPEAKER_X = 60.0


@pytest.fixture(scope="module")
def speaker(stay: Visit, grid: Grid) -> Driver:
    return stay.node(grid.far, (SPEAKER_X, Y))


@pytest.fixture(scope="module")
def near(stay: Visit, grid: Grid) -> Driver:
    return stay.hippo(grid.far, (SPEAKER_X + 15, Y))


@pytest.fixture(scope="module")
def distant(stay: Visit, grid: Grid) -> Viewer:
    return stay.viewer(grid.far, (SPEAKER_X + 60, Y))


def heard(listener: Any, text: str, since: int = 0) -> Event:
    return listener.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == text, since=since)


def texts(listener: Any, since: int) -> list[str]:
    return [event["ChatData.Message"] for event in listener.since(since, "ChatFromSimulator")
            if event["ChatData.ChatType"] < 4]


def say_all(speaker: Any, prefix: str) -> None:
    for kind in (WHISPER, SAY, SHOUT):
        speaker.do("chat", text=f"{prefix} {kind}", kind=kind)


def test_how_far_each_kind_carries(grid: Grid, speaker: Driver, near: Driver, distant: Viewer) -> None:
    marks = speaker.mark(), near.mark(), distant.mark()
    say_all(speaker, "first")
    for listener, mark, expected in (
        (speaker, marks[0], ["first 0", "first 1", "first 2"]),  # the speaker hears itself
        (near, marks[1], ["first 1", "first 2"]),
        (distant, marks[2], ["first 2"]),
    ):
        heard(listener, "first 2", mark)
        assert sorted(texts(listener, mark)) == expected

    near.do("teleport", handle=grid.far.handle, position=[SPEAKER_X + 7, Y, 0])
    distant.teleport(grid.far.handle, [SPEAKER_X + 130, Y, 0.0])
    until(lambda: near.position()[0] < SPEAKER_X + 9, "the near one is nearer")
    until(lambda: distant.position()[0] > SPEAKER_X + 120, "the distant one is out of earshot")
    marks = speaker.mark(), near.mark(), distant.mark()
    say_all(speaker, "second")
    heard(near, "second 2", marks[1])
    assert sorted(texts(near, marks[1])) == ["second 0", "second 1", "second 2"]
    distant.chat("to myself", SHOUT)
    heard(distant, "to myself", marks[2])
    assert texts(distant, marks[2]) == ["to myself"]
    assert "to myself" not in texts(near, marks[1])


def test_who_spoke_and_where(speaker: Driver, near: Driver) -> None:
    mark = near.mark()
    speaker.do("chat", text="/me waves: grüße, 日本 & <b>")
    event = heard(near, "/me waves: grüße, 日本 & <b>", mark)
    assert event["ChatData.FromName"] == speaker.name
    assert event["ChatData.SourceID"] == event["ChatData.OwnerID"] == speaker.agent_id
    assert (event["ChatData.SourceType"], event["ChatData.ChatType"], event["ChatData.Audible"]) == (1, SAY, 1)
    assert abs(event["ChatData.Position"][0] - speaker.position()[0]) < 1
    mark = speaker.mark()
    near.do("chat", text="seen by the library's own event")
    told = speaker.wait("chat", lambda event: event["chat.message"] == "seen by the library's own event", since=mark)
    assert told["chat.fromName"] == near.name and told["chat.from"] == near.agent_id


def _of_kind(kind: int, event: Any) -> bool:
    return bool(event["ChatData.ChatType"] == kind)


def test_typing_is_shown_and_says_nothing(speaker: Driver, near: Driver) -> None:
    for kind in (START_TYPING, STOP_TYPING):
        mark = near.mark()
        speaker.do("chat", text="", kind=kind)
        # What was said in the scenario before may still be on its way.
        event = near.wait("ChatFromSimulator", partial(_of_kind, kind), since=mark)
        assert event["ChatData.Message"] == ""
        assert event["ChatData.SourceID"] == speaker.agent_id


def test_other_channels_are_for_scripts_only(speaker: Driver, near: Driver) -> None:
    mark = near.mark()
    speaker.do("chat", text="secret", channel=5)
    speaker.do("chat", text="public")
    heard(near, "public", mark)
    assert texts(near, mark) == ["public"]


def test_long_text_arrives_whole(speaker: Driver, near: Driver) -> None:
    mark = near.mark()
    text = "x" * 1000 + "end"
    speaker.do("chat", text=text)
    heard(near, text, mark)


def test_nobody_speaks_for_another(grid: Grid, visit: Visit, speaker: Driver, near: Driver) -> None:
    """Messages whose AgentData does not match the circuit are ignored, whatever they ask for."""
    forger = visit.viewer(grid.far, (SPEAKER_X, Y + 3))
    mark = near.mark()
    forger.send("ChatFromViewer", AgentData={"AgentID": speaker.agent_id}, ChatData={"Message": "forged", "Type": 1})
    forger.send("ChatFromViewer", AgentData={"SessionID": speaker.agent_id}, ChatData={"Message": "forged", "Type": 1})
    forger.chat("honest")
    heard(near, "honest", mark)
    assert "forged" not in texts(near, mark)


def test_a_full_viewer_is_heard_by_both_libraries(grid: Grid, visit: Visit, speaker: Driver, near: Driver) -> None:
    viewer = visit.viewer(grid.far, (SPEAKER_X + 2, Y + 2))
    marks = speaker.mark(), near.mark()
    viewer.chat("hello both", SAY)
    for listener, mark in zip((speaker, near), marks, strict=True):
        assert heard(listener, "hello both", mark)["ChatData.FromName"] == viewer.name


def test_shouts_cross_the_border(grid: Grid, visit: Visit) -> None:
    """"Also across region borders in a full grid": 20 m apart, on two sides of the line."""
    here, there = visit.hippo(grid.west, (250, 60)), visit.viewer(grid.east, (12, 60))
    there.chat("anybody over there?", SHOUT)
    heard(here, "anybody over there?")
