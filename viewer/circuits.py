"""What every part of a client stands on: its socket, its circuits to regions, and the way from a datagram to a handler.

What each message means is known by the parts (``neighbours``, ``sight``, ``travel``, ``social`` ...): each is given the
circuits, and ``join`` finds its methods marked ``@hears("MessageName")``. A message that no part and no listener wants is
never decoded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, TypeVar

import aiohttp

from protocol import events as wire_events
from protocol.errors import ProtocolError
from protocol.message import Message, decode, identify
from protocol.table import BY_NAME

from .cache import ObjectCache
from .circuit import Circuit
from .errors import ConnectionLost
from .events import OWN_EVENTS, EventHub
from .habits import Address, Habits
from .login import Session
from .regions import Region
from .wire import Wire

log = logging.getLogger("viewer")
_EVENTS = OWN_EVENTS | BY_NAME.keys() | {"EstablishAgentCommunication"}


class Heard:
    """A message as it reached us: ``heard["ChatData"]["Type"]``; ``sequence`` is -1 for one from the event queue."""

    __slots__ = ("message", "now", "region", "sequence")

    def __init__(self, region: Region, message: Message, sequence: int, now: float) -> None:
        self.region = region
        self.message = message
        self.sequence = sequence
        self.now = now

    @property
    def name(self) -> str:
        """Of the message table."""
        return self.message.name

    def __getitem__(self, block: str) -> Any:
        return self.message[block]

    def __repr__(self) -> str:
        return f"<{self.message!r} from {self.region!r}>"


Handler = Callable[[Heard], None]
RawHandler = Callable[[Region, bytes, int, float], None]  # region, body, sequence, time it came
_Method = TypeVar("_Method", bound=Callable[..., None])


def hears(*names: str) -> Callable[[_Method], _Method]:
    """Mark a method of a part as the one that handles these messages."""

    def mark(method: _Method) -> _Method:
        for name in names:
            if name not in BY_NAME:
                raise ValueError(f"no message is called {name}")
        method.__dict__["hears"] = names
        return method

    return mark


_HANDLERS: dict[type, list[tuple[str, str]]] = {}


def _handlers_of(kind: type) -> list[tuple[str, str]]:
    """Message and method of everything a kind of part handles."""
    found = _HANDLERS.get(kind)
    if found is None:
        methods = ((name, getattr(getattr(kind, name), "hears", ())) for name in dir(kind))
        found = _HANDLERS[kind] = [(message, name) for name, messages in methods for message in messages]
    return found


class Counters:
    """What went wrong on the way in. All of it is survivable; tests look here."""

    __slots__ = ("failures", "loose", "malformed", "refused", "strangers")

    def __init__(self) -> None:
        self.malformed = 0  # datagrams or events that do not decode
        self.loose = 0  # events we understand but stricter clients do not (see ``is_loose``)
        self.refused = 0  # sent by UDP though they belong into the event queue
        self.strangers = 0  # datagrams from addresses we have no circuit with
        self.failures = 0  # our own mistakes: exceptions no input should cause


class Circuits:
    """One logged-in agent's socket, regions and events, for all its parts."""

    def __init__(self, session: Session, http: aiohttp.ClientSession, habits: Habits) -> None:
        self.session = session
        self.agent_id = session.agent_id
        self.name = session.name
        self.habits = habits
        self.http = http
        self.cache: ObjectCache | None = None  # without one, every visit is the first
        self.events = EventHub(_EVENTS)
        self.counters = Counters()
        self.clock: Callable[[], float] = monotonic  # not the loop's: uvloop's has steps of a millisecond
        self.regions: dict[Address, Region] = {}  # by the simulator's own address
        self.region: Region | None = None  # the one we stand in
        self.destination: Region | None = None  # the one we are on our way to, until it shows us
        self.closed = False
        self.close_reason: BaseException | None = None
        self.each_tick: list[Callable[[float], None]] = []  # what parts do every ``habits.tick``; given the time
        self.queued: dict[str, Callable[[Region, Any], None]] = {}  # events of the queue that are no template messages
        self._handlers: dict[str, Handler] = {}
        self._raw: dict[int, RawHandler] = {}  # by a body's first byte
        self._by_wire: dict[Address, Region] = {}  # by the address datagrams come from (see Habits.route)
        self._wire = Wire(self.receive)
        self._tasks: set[asyncio.Task[None]] = set()
        self._past: Counter[str] = Counter()  # traffic of regions that are gone
        self._timer = asyncio.get_running_loop().call_later(habits.tick, self._tick)

    # -- for every part ---------------------------------------------------------------------------------------------

    def join(self, part: object) -> None:
        """From now on the methods of ``part`` marked with ``@hears`` handle those messages, and nobody else's."""
        for message, name in _handlers_of(type(part)):
            if message in self._handlers:
                raise ValueError(f"two parts handle {message}")
            self._handlers[message] = getattr(part, name)

    def join_raw(self, message: str, handler: RawHandler) -> None:
        """``handler`` reads the bodies of a message by itself: one that comes by the thousand is not decoded twice."""
        self._raw[BY_NAME[message].prefix[0]] = handler

    @property
    def agent_block(self) -> dict[str, Any]:
        """``{AgentID, SessionID}``, as nearly every message to a simulator begins."""
        return {"AgentID": self.agent_id, "SessionID": self.session.session_id}

    @property
    def port(self) -> int:
        """The local UDP port, the same for every simulator."""
        return self._wire.port

    @property
    def root(self) -> Region:
        """The region we stand in. ``ConnectionLost`` when the session is over (or not begun)."""
        if self.closed or self.region is None:
            raise self.close_reason or ConnectionLost("not in any region")
        return self.region

    def send(self, message: Message, reliable: bool = True) -> int:
        """Send a message to the region we stand in; its sequence number."""
        return self.root.send(message, reliable)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run ``work`` beside the client, ended with it. A failure is logged, counted, and ends nothing else."""
        task = asyncio.get_running_loop().create_task(work, name=f"viewer: {name}")
        self._tasks.add(task)

        def finished(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            if not done.cancelled() and (error := done.exception()) is not None:
                if isinstance(error, ConnectionLost):
                    log.info("%s: %s", name, error)
                else:
                    self.counters.failures += 1
                    log.error("%s failed", name, exc_info=error)

        task.add_done_callback(finished)
        return task

    # -- regions ----------------------------------------------------------------------------------------------------

    def add_region(self, address: Address, handle: int) -> Region:
        """A new region with its (unopened) circuit. ``ConnectionLost`` if there are too many already."""
        if len(self.regions) >= self.habits.max_regions:
            raise ConnectionLost(f"more than {self.habits.max_regions} regions")

        def deliver(body: bytes, sequence: int, now: float) -> None:
            self._hear(region, body, sequence, now)

        circuit = Circuit(address, self.habits, self._wire.send, deliver, self.clock())
        region = Region(circuit, handle, self.habits, self.clock)
        self.regions[address] = region
        self._by_wire[self.habits.route(address)] = region
        self.events.emit("region-added", region)
        return region

    def traffic(self) -> Counter[str]:
        """Packets, bytes, resends and ``motions`` of this session so far, over all regions."""
        total = Counter(self._past)
        for region in self.regions.values():
            total += region.circuit.stats.totals()
            total["motions"] += region.motions
        return total

    def drop_region(self, region: Region) -> None:
        """Forget a region and everything seen in it."""
        if self.regions.get(region.address) is region:
            del self.regions[region.address]
            self._by_wire.pop(self.habits.route(region.address), None)
        region.circuit.close()
        self._past += region.circuit.stats.totals()
        self._past["motions"] += region.motions
        for entity in list(region.avatars.values()):
            self.events.emit("avatar-gone", entity)
        region.avatars.clear()
        region.entities.clear()
        for task in list(self._tasks):
            if task.get_name() == f"viewer: event queue {region.address}":
                task.cancel()
        self.events.emit("region-gone", region)

    # -- datagrams in -----------------------------------------------------------------------------------------------

    def receive(self, datagram: bytes, address: Address, now: float) -> None:
        """A datagram came. Whatever it holds, nothing is raised: what is wrong with it is counted."""
        region = self._by_wire.get(address)
        if region is None:
            self.counters.strangers += 1
            return
        try:
            region.circuit.receive(datagram, now)
        except ProtocolError as error:
            self.counters.malformed += 1
            log.debug("datagram from %s: %s", region, error)
        except Exception:  # the client outlives its own mistakes, and says so
            self.counters.failures += 1
            log.exception("a datagram from %s", region)

    def _hear(self, region: Region, body: bytes, sequence: int, now: float) -> None:
        raw = self._raw.get(body[0])
        if raw is not None:
            raw(region, body, sequence, now)
            if not self.events.wants(identify(body).name):
                return
        spec = identify(body)
        if spec.queue_only:
            self.counters.refused += 1
            return
        handler = self._handlers.get(spec.name)
        wanted = self.events.wants(spec.name)
        if handler is None and not wanted:
            return
        self._dispatch(handler, Heard(region, decode(body), sequence, now), wanted)

    def _dispatch(self, handler: Handler | None, heard: Heard, wanted: bool) -> None:
        if handler is not None:
            handler(heard)
        if wanted:
            self.events.emit(heard.name, heard)

    # -- events in --------------------------------------------------------------------------------------------------

    def take_event(self, region: Region, event: Any) -> None:
        """Handle one event of ``region``'s queue, whatever it is. Never raises."""
        try:
            if not isinstance(event, dict):
                raise ProtocolError("an event that is not a map")
            name, body = event.get("message"), event.get("body")
            if isinstance(name, str) and (take := self.queued.get(name)) is not None:
                take(region, body)
                self.events.emit(name, body)
                return
            message = wire_events.parse_event(event)
            if is_loose(message, body):
                self.counters.loose += 1
                log.warning("event %s from %s would not be understood by every client", message.name, region)
            heard = Heard(region, message, -1, self.clock())
            self._dispatch(self._handlers.get(message.name), heard, self.events.wants(message.name))
        except ProtocolError as error:
            self.counters.malformed += 1
            log.debug("event from %s: %s", region, error)
        except Exception:  # as above
            self.counters.failures += 1
            log.exception("an event from %s", region)

    # -- time -------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = self.clock()
        try:
            for region in list(self.regions.values()):
                region.circuit.tick(now)
                if now - region.circuit.last_heard > self.habits.circuit_timeout:
                    self._went_silent(region)
            for chore in () if self.closed else self.each_tick:
                chore(now)
        except Exception:
            self.counters.failures += 1
            log.exception("the chores of %s", self.name)
        if not self.closed:
            self._timer = asyncio.get_running_loop().call_later(self.habits.tick, self._tick)

    def _went_silent(self, region: Region) -> None:
        if region is self.region:
            self.shut(ConnectionLost(f"nothing heard from {region!r} for {self.habits.circuit_timeout:g} s"))
        else:
            self.drop_region(region)

    # -- the end ----------------------------------------------------------------------------------------------------

    def shut(self, reason: BaseException | None) -> None:
        """End the session at once, on this side. ``reason`` goes to everybody who still waits for something."""
        if self.closed:
            return
        self.closed = True
        self.close_reason = reason
        self._timer.cancel()
        for region in list(self.regions.values()):
            region.circuit.close()
        self._wire.close()
        for task in self._tasks:
            task.cancel()
        self.events.emit("closed", reason)
        self.events.close(reason)

    async def finish_tasks(self) -> None:
        """Wait until everything spawned has ended (after ``shut``)."""
        me = asyncio.current_task()
        rest = [task for task in self._tasks if task is not me]
        if rest:
            await asyncio.wait(rest, timeout=5.0)


_BINARY_ONLY = frozenset({"U32", "U64", "S64", "IPADDR"})


def is_loose(message: Message, body: Any) -> bool:
    """Whether an event's body writes template types in a way that kills the event queue of strict clients.

    Those want every block as an array of maps, and U32, U64 and IPADDR as binary, never as integers or text.
    """
    for block in message.spec.blocks:
        if block.name not in body:
            continue
        rows = body[block.name]
        if not isinstance(rows, list):
            return True
        for field in block.fields:
            if field.type in _BINARY_ONLY and any(not isinstance(row.get(field.name, b""), bytes) for row in rows):
                return True
    return False
