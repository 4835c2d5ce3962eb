"""Listening and waiting; the event queue's patience."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

import viewer
from viewer.caps import CapError, EventQueue
from viewer.events import EventHub
from viewer.habits import Habits


async def test_waits_for_the_one_that_fits() -> None:
    hub = EventHub()
    answer = hub.expect("number", lambda n: n > 2)
    for n in (1, 2, 3, 4):
        hub.emit("number", n)
    assert await answer == 3
    assert not hub.wants("number")  # nobody listens any more


async def test_a_wait_ends() -> None:
    hub = EventHub()
    with pytest.raises(viewer.WaitTimeout, match="number"):
        await hub.wait_for("number", timeout=0.01)
    assert not hub.wants("number")
    with pytest.raises(TimeoutError):  # the same error, under the name everybody knows
        await hub.wait_for("number", timeout=0.01)


async def test_a_listener_that_fails_is_counted_and_others_hear() -> None:
    hub = EventHub()
    heard: list[int] = []
    hub.subscribe("x", lambda value: 1 / 0)
    stop = hub.subscribe("x", heard.append)
    hub.emit("x", 1)
    stop()
    stop()
    hub.emit("x", 2)
    assert heard == [1] and hub.failures == 2


async def test_a_predicate_that_fails_tells_its_waiter() -> None:
    hub = EventHub()
    answer = hub.expect("x", lambda value: value.nonsense)
    hub.emit("x", 1)
    with pytest.raises(AttributeError):
        await answer


async def test_waiters_are_told_of_the_end() -> None:
    hub = EventHub()
    answer = hub.expect("x")
    hub.close(None)
    with pytest.raises(viewer.ConnectionLost):
        await answer
    with pytest.raises(viewer.ConnectionLost):
        await hub.wait_for("x")


class ScriptedCaps:
    """Answers polls from a list of values, or raises those that are errors; then 404."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def post(self, name: str, value: Any, timeout: float) -> Any:
        await asyncio.sleep(0)
        self.asked.append(value["ack"])
        answer = self.answers.pop(0) if self.answers else CapError("gone", 404)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def poll(caps: ScriptedCaps, seconds_a_poll: float = 30.0) -> tuple[EventQueue, list[Any]]:
    heard: list[Any] = []
    ticks = itertools.count(0.0, seconds_a_poll)
    habits = Habits(poll_fault_wait=0.0)
    queue = EventQueue(caps, habits, heard.append, lambda: next(ticks))  # type: ignore[arg-type]
    await asyncio.wait_for(queue.run(), 5)
    return queue, heard


async def test_acknowledges_what_it_read_and_reads_nothing_twice() -> None:
    caps = ScriptedCaps({"id": 7, "events": ["a"]}, {"id": 7, "events": ["a"]}, {"id": 8, "events": ["b", "c"]})
    queue, heard = await poll(caps)
    assert heard == ["a", "b", "c"] and caps.asked == [None, 7, 7, 8] and queue.repeats == 1


async def test_a_502_after_a_while_is_no_fault() -> None:
    queue, heard = await poll(ScriptedCaps(*[CapError("nothing", 502)] * 30, {"id": 1, "events": ["x"]}))
    assert queue.faults == 0 and heard == ["x"] and queue.ended == "answered 404"


async def test_quick_errors_are_faults_and_ten_end_the_queue() -> None:
    queue, _ = await poll(ScriptedCaps(*[CapError("boom", 502)] * 30), seconds_a_poll=1.0)
    assert queue.faults == 10 and queue.polls == 10 and "10 faults" in queue.ended
    scattered = [CapError("boom", 500), {"id": 1, "events": ["x"]}] * 3
    queue, _ = await poll(ScriptedCaps(*scattered), seconds_a_poll=1.0)
    assert queue.faults == 3 and queue.ended == "answered 404"
