"""The event queue: what must reach a viewer and may not travel by UDP, over a long poll.

    viewer  POST {ack: last id or undef, done}      held until there is an event, or 30 s pass
    sim     200 {id, events: [...]}                 kept until a poll acknowledges this id
            502                                     nothing happened: the status that viewers expect

A reply counts as delivered only when the next poll names its id. A poll that names an older id gets the same reply
with the same id again: teleports and crossings hang on this, and a TCP connection that died with the reply in it must
not cost a session.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from aiohttp import web

from protocol import llsd
from sim.caps import CapRequest, Refused, capability

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

HOLD_SECONDS = 30.0
# Events of the droppable kind a queue holds, and of all kinds: a client that never polls must not fill the memory.
DROPPABLE_LIMIT = 200
LIMIT = 1000
# A single reply carries at most so many events, so that one slow viewer cannot make it unboundedly large.
REPLY_LIMIT = 64


class EventQueue:
    """Events for one agent in one region."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[dict[str, Any], bool]] = deque()
        self._droppable = 0
        self._sent: tuple[int, list[dict[str, Any]]] | None = None  # delivered maybe, not acknowledged
        self._next_id = 1
        self._wake = asyncio.Event()
        self._poll = 0  # number of the newest poll; an older one still waiting ends
        self.dropped = 0
        self.closed = False

    def post(self, event: dict[str, Any], droppable: bool = False) -> None:
        """Queue an event. A droppable one (parcel news, names) gives way when its kind's limit is reached."""
        if self.closed:
            return
        if len(self._waiting) >= LIMIT or (droppable and self._droppable >= DROPPABLE_LIMIT):
            self.dropped += 1
            return
        self._droppable += droppable
        self._waiting.append((event, droppable))
        self._wake.set()

    def close(self) -> None:
        """End the queue: waiting polls return, later ones find nothing."""
        self.closed = True
        self._waiting.clear()
        self._wake.set()

    def __len__(self) -> int:
        return len(self._waiting) + (len(self._sent[1]) if self._sent else 0)

    def acknowledge(self, ack: int | None) -> None:
        if self._sent is not None and ack == self._sent[0]:
            self._sent = None

    def next_reply(self) -> tuple[int, list[dict[str, Any]]] | None:
        """The reply to send now: the unacknowledged one again, or what has gathered since."""
        if self._sent is None and self._waiting:
            events: list[dict[str, Any]] = []
            while self._waiting and len(events) < REPLY_LIMIT:
                event, droppable = self._waiting.popleft()
                self._droppable -= droppable
                events.append(event)
            self._sent = (self._next_id, events)
            self._next_id += 1
        return self._sent

    async def poll(self, ack: int | None, hold: float = HOLD_SECONDS) -> tuple[int, list[dict[str, Any]]] | None:
        """One long poll. None when the time passed, or a newer poll took over, or the queue closed."""
        self._poll += 1
        mine = self._poll
        self._wake.set()  # an older poll looks up and leaves
        self.acknowledge(ack)
        loop = asyncio.get_running_loop()
        end = loop.time() + hold
        while mine == self._poll and not self.closed:
            reply = self.next_reply()
            if reply is not None:
                return reply
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), max(end - loop.time(), 0.0))
            except TimeoutError:
                return None
        return None


@capability("EventQueueGet", per_second=20, burst=100)
async def event_queue_get(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    body = request.llsd(dict)
    queue = agent.events
    if queue is None:
        raise Refused(404, "this event queue has ended")
    if body.get("done"):
        queue.close()
        agent.events = EventQueue()  # the client may come back to this region with the same session
        return {"id": 0, "events": []}
    ack = body.get("ack")
    reply = await queue.poll(ack if isinstance(ack, int) and not isinstance(ack, bool) else None)
    if reply is None:
        if queue.closed:
            raise Refused(404, "this event queue has ended")
        return web.Response(status=502, text="nothing happened")
    return web.Response(body=llsd.format_xml({"id": reply[0], "events": reply[1]}), content_type="application/llsd+xml")
