"""The event queue, polled by hand: replies that get lost come again under the same id, acknowledged ones never."""
from __future__ import annotations

import threading
import urllib.error
from concurrent.futures import Future
from typing import Any

import pytest

from .conftest import Visit
from .driver import until
from .grid import Grid
from .raw.viewer import Viewer


@pytest.fixture
def me(grid: Grid, visit: Visit) -> Viewer:
    return visit.viewer(grid.west, children=False, poll=False)


def ask_for_an_event(me: Viewer, number: int) -> None:
    """ParcelProperties only ever comes over the queue, and carries our number back."""
    me.send("ParcelPropertiesRequest", ParcelData={
        "SequenceID": number, "West": 8.0, "East": 8.0, "South": 8.0, "North": 8.0})


def numbers(reply: dict[str, Any]) -> list[int]:
    return [event["body"]["ParcelData"][0]["SequenceID"] for event in reply["events"]
            if event["message"] == "ParcelProperties"]


def collect(me: Viewer, last: int, ack: int | None) -> tuple[list[int], int]:
    """Polls and acknowledges until event `last` came: (all numbers in the order they came, id to acknowledge next)."""
    seen: list[int] = []
    while last not in seen:
        status, reply = me.poll_events(ack)
        assert status == 200
        assert ack is None or reply["id"] > ack
        seen += numbers(reply)
        ack = reply["id"]
    assert ack is not None
    return seen, ack


def test_a_lost_reply_comes_again_with_the_same_id(me: Viewer) -> None:
    ask_for_an_event(me, 501)
    _, ack = collect(me, 501, None)
    ask_for_an_event(me, 502)
    _, lost = me.poll_events(ack)
    _, again = me.poll_events(ack)
    assert numbers(lost)[0] == 502 and numbers(again)[0] == 502
    assert again["id"] == lost["id"]
    ask_for_an_event(me, 503)
    seen, _ = collect(me, 503, again["id"])
    assert 502 not in seen, "an acknowledged event never comes again"


def test_a_first_poll_that_was_lost_is_repeated(me: Viewer) -> None:
    """A client that never saw a reply has nothing to acknowledge: it asks with undef again."""
    ask_for_an_event(me, 511)
    _, lost = me.poll_events(None)
    _, again = me.poll_events(None)
    assert again["id"] == lost["id"] and again["events"][0] == lost["events"][0]


def test_events_wait_while_nobody_polls(me: Viewer) -> None:
    ask_for_an_event(me, 601)
    _, ack = collect(me, 601, None)
    for number in (602, 603, 604):
        ask_for_an_event(me, number)
    mark = me.mark()
    me.chat("all of them are in by now")
    me.wait("ChatFromSimulator", since=mark)
    assert collect(me, 604, ack)[0] == [602, 603, 604]


def test_a_second_poll_takes_over(me: Viewer) -> None:
    ask_for_an_event(me, 701)
    _, ack = collect(me, 701, None)
    answers: list[tuple[int, Any]] = []
    for _ in range(2):
        threading.Thread(target=lambda: answers.append(me.poll_events(ack)), daemon=True).start()
    until(lambda: len(answers) == 1, "one of the two polls is ended")
    assert answers[0][0] in (200, 502) and (answers[0][1] is None or not numbers(answers[0][1]))
    ask_for_an_event(me, 702)
    until(lambda: len(answers) == 2, "the other gets the event")
    assert answers[1][0] == 200 and numbers(answers[1][1]) == [702]


def test_done_ends_the_queue(me: Viewer) -> None:
    """node-metaverse says so when it changes region; anything is a good answer, and nothing breaks."""
    try:
        me.cap("EventQueueGet", {"ack": None, "done": True})
    except urllib.error.HTTPError as error:
        assert error.code in (404, 502)
    mark = me.mark()
    me.chat("still in the world")
    me.wait("ChatFromSimulator", since=mark)


def test_a_queue_that_ended_is_not_found(grid: Grid, visit: Visit) -> None:
    me = visit.viewer(grid.west, children=False, poll=False)
    me.leave()
    visit.left(me)
    assert me.poll_events(None)[0] == 404


def test_an_idle_poll_is_held_and_ends_with_502(idle_poll: Future[tuple[int, float]]) -> None:
    """Began with the run. A viewer takes a 5xx within 10 s as a fault, and some cut a silent connection at 60 s."""
    status, seconds = idle_poll.result(90)
    assert status == 502
    assert 10 < seconds < 60
