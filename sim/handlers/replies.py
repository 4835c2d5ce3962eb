"""What handlers of every family share: answering, telling the user, and asking services without blocking the frame."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from backbone.client import BackboneError
from protocol.message import Message, clip
from sim import clients
from sim.handlers import Later

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

T = TypeVar("T")

# Work an agent may have under way with services at once; a client cannot pile up more while a service is slow.
UNDER_WAY_LIMIT = 100
# Bytes of blocks a packet carries, leaving room for headers and the message's other blocks: viewers expect 1200 at most.
BLOCKS_LIMIT = 1000


def send(agent: Agent, message: Message, *, reliable: bool = True, on_ack: Callable[[], None] | None = None) -> None:
    """Send to the agent's viewer, if it still has a circuit: an answer may come after its asker has left."""
    if agent.circuit is not None:
        agent.circuit.send(message, reliable=reliable, on_ack=on_ack)


def alert(agent: Agent, text: str) -> None:
    """Tell the user something in a corner of the screen."""
    send(agent, Message("AlertMessage", AlertData={"Message": clip(text, 255)}))


def packets(blocks: Iterable[T], size_of: Callable[[T], int], limit: int = BLOCKS_LIMIT) -> Iterator[list[T]]:
    """Split the blocks of a Variable field over packets of at most `limit` bytes and 255 blocks; none for no blocks."""
    batch: list[T] = []
    used = 0
    for block in blocks:
        size = size_of(block)
        if batch and (used + size > limit or len(batch) == 255):
            yield batch
            batch, used = [], 0
        batch.append(block)
        used += size
    if batch:
        yield batch


def start(sim: Parts, agent: Agent, name: str, work: Coroutine[Any, Any, Any], order: str = "") -> None:
    """Run a coroutine for the agent between frames. `Later` when too much is under way for it already: the message that
    asked for this waits (`circuits/inbox.py`).

    Works of the same `order` run one after the other, as they were asked: what a viewer says in sequence (two instant
    messages, a folder and what is moved into it) must arrive in sequence.
    """
    errands = agent.errands
    if errands.under_way >= UNDER_WAY_LIMIT:
        work.close()
        raise Later
    errands.under_way += 1
    errands.gathered.pop(order, None)  # what comes from now on, comes after this

    def done(_: asyncio.Task[Any]) -> None:
        errands.under_way -= 1
        work.close()  # it may have been cancelled before its turn came

    sim.spawn(_run(agent, work, order), name).add_done_callback(done)


async def _run(agent: Agent, work: Coroutine[Any, Any, Any], order: str) -> None:
    if not order:
        await work
        return
    async with _queue(agent, order):
        await work


def turn(agent: Agent, order: str) -> asyncio.Lock:
    """The agent's queue for works of one order; a lock that lets waiters in as they came."""
    agent.errands.gathered.pop(order, None)
    return _queue(agent, order)


def _queue(agent: Agent, order: str) -> asyncio.Lock:
    return agent.errands.turns.setdefault(order, asyncio.Lock())


async def ask(sim: Parts, call: Awaitable[T]) -> T | BackboneError:
    """Await a call to Backbone; its refusal or silence comes back as a value (`sim/clients.py`)."""
    return await clients.ask(sim.metrics, call)


def ids(blocks: Sequence[dict[str, Any]], field: str, limit: int) -> list[UUID]:
    """The distinct non-null ids of a Variable block, in order, at most `limit`."""
    found: dict[UUID, None] = {}
    for block in blocks:
        if block[field].int:
            found[block[field]] = None
    return list(found)[:limit]
