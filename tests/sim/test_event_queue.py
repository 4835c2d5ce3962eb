"""The event queue keeps what was not acknowledged."""

import asyncio

from sim.caps.event_queue import DROPPABLE_LIMIT, EventQueue


def event(n: int) -> dict:
    return {"message": f"E{n}", "body": {}}


async def test_events_come_in_order_and_once_acknowledged_never_again() -> None:
    queue = EventQueue()
    queue.post(event(1))
    queue.post(event(2))
    first = await queue.poll(None)
    assert first is not None
    assert [e["message"] for e in first[1]] == ["E1", "E2"]
    queue.post(event(3))
    second = await queue.poll(first[0])
    assert second is not None
    assert second[0] == first[0] + 1
    assert [e["message"] for e in second[1]] == ["E3"]
    assert await queue.poll(second[0], hold=0.01) is None


async def test_a_lost_reply_is_sent_again_with_its_id() -> None:
    queue = EventQueue()
    queue.post(event(1))
    first = await queue.poll(None)
    queue.post(event(2))
    again = await queue.poll(None)  # the client never saw the reply
    assert again == first
    assert first is not None
    third = await queue.poll(first[0])
    assert third is not None
    assert [e["message"] for e in third[1]] == ["E2"]
    assert await queue.poll(first[0]) == third  # an older ack than the last reply: lost as well


async def test_a_waiting_poll_wakes_for_an_event() -> None:
    queue = EventQueue()
    poll = asyncio.create_task(queue.poll(None))
    await asyncio.sleep(0)
    queue.post(event(1))
    reply = await asyncio.wait_for(poll, 2)
    assert reply is not None and len(reply[1]) == 1


async def test_a_second_poll_ends_the_first() -> None:
    queue = EventQueue()
    older = asyncio.create_task(queue.poll(None))
    await asyncio.sleep(0)
    newer = asyncio.create_task(queue.poll(None))
    assert await asyncio.wait_for(older, 2) is None
    queue.post(event(1))
    assert (await asyncio.wait_for(newer, 2)) is not None


async def test_droppable_events_give_way_and_others_never() -> None:
    queue = EventQueue()
    for n in range(10 * DROPPABLE_LIMIT):
        queue.post(event(n), droppable=True)
    queue.post({"message": "TeleportFinish", "body": {}})
    assert queue.dropped == 9 * DROPPABLE_LIMIT
    seen = []
    ack = None
    while (reply := await queue.poll(ack, hold=0.01)) is not None:
        ack = reply[0]
        seen += [e["message"] for e in reply[1]]
    assert seen[-1] == "TeleportFinish"
    assert len(seen) == DROPPABLE_LIMIT + 1


async def test_closing_ends_polls() -> None:
    queue = EventQueue()
    poll = asyncio.create_task(queue.poll(None))
    await asyncio.sleep(0)
    queue.close()
    assert await asyncio.wait_for(poll, 2) is None
    queue.post(event(1))
    assert len(queue) == 0
