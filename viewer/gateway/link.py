"""One person's link: a viewer client on one side, a browser's socket (or none for a while) on the other.

Out of the client's events grow frames. Motions are kept as *which things moved* and read when the socket takes the
next frame, so a slow browser gets fewer and fresher ones; everything else waits in order, up to ``MOST_WAITING`` bytes,
beyond which the browser is let go. A browser that comes back is told the whole scene again.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol
from uuid import UUID

from aiohttp import web

from viewer import Chat, Client, Entity, InstantMessage, Region, ViewerError
from viewer.circuits import Circuits
from viewer.sight import Sight
from viewer.social import IM_FROM_OBJECT, IM_PLAIN

from . import frames, messages
from .asked import Asked
from .commands import Acting, Commands, Looking
from .friends import FriendList
from .watching import Spectator

log = logging.getLogger("gateway")
MOST_WAITING = 32 * 1024 * 1024
FRAME_GAP = 1 / 30  # seconds between two frames of motions to one browser
STATS_GAP = 1.0
GOODBYE = 3.0  # seconds a browser has to take its leave
_PACK = 48 * 1024  # bytes of objects in one frame
MOST_MUTED = 1000
HISTORY = 100  # lines of chat a returning browser is shown again

NAMES_OF_STATS = {1: "frames", 2: "physics", 11: "objects", 13: "agents", 14: "children"}


class View(Protocol):
    """Who looks through a link: a client, or a spectator."""

    circuits: Circuits
    sight: Sight

    async def logout(self) -> None: ...


class Link:
    """What is seen into frames, the browser's commands into acts. Made by ``acting`` or ``looking``."""

    def __init__(self, view: View, count: Counter[str]) -> None:
        self.view = view
        self.count = count
        self.watching = False
        self.asked: Asked | None = None  # what scripts ask of somebody who stands in the world
        self.yaw: Callable[[], float] = lambda: 0.0
        self._friends: FriendList | None = None
        self._muted: dict[UUID, None] = {}
        self.socket: web.WebSocketResponse | None = None
        self._parting: asyncio.Future[tuple[int, bytes]] | None = None  # why the socket ends, once it is to
        self._waiting: deque[bytes | str] = deque()
        self._waiting_bytes = 0
        self._goodbyes: set[asyncio.Task[Any]] = set()
        self._moved: dict[Entity, None] = {}
        self._described: dict[Entity, None] = {}
        self._land: dict[Region, None] = {}
        self._numbers: dict[Entity, int] = {}  # what a thing is called towards the browser
        self._things: dict[int, Entity] = {}
        self._next_number = 1
        self._chat: deque[messages.ChatTold] = deque(maxlen=HISTORY)
        self._wake = asyncio.Event()
        self._commands = Commands(self)
        self._off: list[Callable[[], None]] = []
        self._listen({
            "described": self._on_described, "moved": self._on_moved, "self-moved": self._on_moved,
            "avatar-gone": self._on_gone, "object-gone": self._on_gone, "animations": self._on_animations,
            "land": self._on_land, "handshake": self._on_region, "region-gone": self._on_region_gone,
            "region-changed": self._on_here, "time-of-day": self._on_sun, "chat": self._on_chat,
            "alert": self._on_alert, "kicked": self._on_kicked,
        })  # fmt: skip

    @classmethod
    def acting(cls, client: Client, count: Counter[str]) -> Link:
        """Of somebody who stands in the world."""
        link = cls(client, count)
        link.asked = Asked(client.scripts, client.social, client.events, link.tell, lambda who: who in link._muted)
        link._commands = Acting(link, client, link.asked)
        link._off += link.asked.off
        link._friends = FriendList(client, link.tell)
        link._listen({"im": link._on_im, **link._friends.listeners})
        link.yaw = lambda: client.movement.yaw
        return link

    @classmethod
    def looking(cls, spectator: Spectator, count: Counter[str]) -> Link:
        """Of somebody who only looks."""
        link = cls(spectator, count)
        link._commands = Looking(link, spectator)
        link.watching = True
        return link

    def _listen(self, listeners: dict[str, Callable[[Any], object]]) -> None:
        subscribe = self.view.circuits.events.subscribe
        self._off += [subscribe(name, listener) for name, listener in listeners.items()]

    # -- the browser's side -----------------------------------------------------------------------------------------

    def tell(self, told: messages.Told) -> None:
        """Send a message, in order."""
        if self.socket is not None:
            self._put(messages.encode(told))

    def _put(self, frame: bytes | str) -> None:
        if self.socket is None:
            return  # whoever comes back is told everything anyway
        if self._waiting_bytes > MOST_WAITING:  # checked here: who takes nothing holds up the writer
            self.count["too slow"] += 1
            self.part(4002, b"too slow")
            return
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        self._wake.set()

    def part(self, code: int, words: bytes) -> None:
        """End the browser's connection, telling it why."""
        self.socket = None
        if self._parting is not None and not self._parting.done():
            self._parting.set_result((code, words))

    async def serve(self, socket: web.WebSocketResponse, grid: str, token: str) -> None:
        """Be this browser's until its socket closes. A second browser of the same session replaces the first."""
        self.part(4001, b"another window took over")
        self.socket = socket
        parting = self._parting = asyncio.get_running_loop().create_future()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._scene(grid, token)
        writer = asyncio.create_task(self._write(socket))
        reader = asyncio.create_task(self._commands.read(socket))
        try:
            await asyncio.wait((reader, parting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._parting is parting:
                self.socket = self._parting = None
                self._commands.let_go()
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
        if why := parting.result() if parting.done() else reader.result():
            await _goodbye(socket, *why)

    def _beside(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)

    def leave(self) -> None:
        """Say goodbye to the region; with that the session ends, and the socket."""
        self._beside(self.view.logout())

    def _scene(self, grid: str, token: str) -> None:
        circuits = self.view.circuits
        self.tell(messages.Hello(
            grid=grid, token=token, agent=str(circuits.agent_id), name=circuits.name,
            watching=self.watching,
        ))  # fmt: skip
        for region in circuits.regions.values():
            if region.handshaken:
                self._on_region(region)
                self._on_sun(region)
        self._on_here(circuits.region)
        for region in circuits.regions.values():
            for entity in region.entities.values():
                self._on_described(entity)
            for agent_id, playing in region.animations.items():
                self._on_animations((agent_id, playing))
        for line in self._chat:
            self.tell(line)
        if self.asked is not None:
            self.asked.tell_again()
        if self._friends is not None:
            self._friends.tell_all()

    async def _write(self, socket: web.WebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        next_stats = 0.0
        try:
            while self.socket is socket and not socket.closed:
                begun = loop.time()
                if begun >= next_stats:
                    next_stats = begun + STATS_GAP
                    self.tell(self._figures())
                self._collect()
                while self._waiting:
                    frame = self._waiting.popleft()
                    self._waiting_bytes -= len(frame)
                    await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
                    self.count["bytes out"] += len(frame)
                    self.count["frames out"] += 1
                self._wake.clear()
                try:
                    async with asyncio.timeout(max(0.02, next_stats - loop.time())):
                        await self._wake.wait()
                except TimeoutError:
                    continue
                await asyncio.sleep(max(0.0, begun + FRAME_GAP - loop.time()))
        except (ConnectionError, RuntimeError) as error:
            log.debug("%s: %s", self.view.circuits.name, error)

    # -- the scene --------------------------------------------------------------------------------------------------

    def number(self, entity: Entity) -> int:
        found = self._numbers.get(entity)
        if found is None:
            found = self._numbers[entity] = self._next_number
            self._things[found] = entity
            self._next_number += 1
        return found

    def thing(self, number: int) -> Entity | None:
        """The thing a browser means by that number."""
        return self._things.get(number)

    def _collect(self) -> None:
        """What changed since the last frame, as frames."""
        now = self.view.circuits.clock()
        for region in [r for r in self._land if r.land_received == 1.0 and r.handle]:
            self._put(frames.land(region.west, region.south, region.terrain))
            del self._land[region]
        described, self._described = self._described, {}
        pack: list[bytes] = []
        size = 0
        for entity in described:
            if entity.is_avatar:
                where = (entity.region.west, entity.region.south)
                self.tell(messages.AvatarTold(
                    n=self.number(entity), id=str(entity.id), name=entity.name, at=where, own=entity.own, size=entity.scale,
                ))  # fmt: skip
                continue
            try:
                pack.append(frames.thing(self.number(entity), entity))
            except (OverflowError, ValueError, frames.struct.error):
                self.count["undrawable"] += 1
                continue
            size += len(pack[-1])
            if size > _PACK:
                self._put(b"".join((bytes([frames.OBJECTS]), *pack)))
                pack, size = [], 0
        if pack:
            self._put(b"".join((bytes([frames.OBJECTS]), *pack)))
        moved, self._moved = self._moved, {}
        records = []
        for entity in moved:
            parent = entity.region.entities.get(entity.parent_id) if entity.parent_id else None
            try:
                number, below = self.number(entity), self.number(parent) if parent is not None else 0
                records.append(frames.motion(number, below, entity, now))
            except (OverflowError, ValueError, frames.struct.error):
                self.count["undrawable"] += 1
        if records:
            self._put(b"".join((bytes([frames.MOTIONS]), *records)))

    def _on_described(self, entity: Entity) -> None:
        if frames.on_screen(entity):
            self._on_gone(entity)  # it may have stood in the world until now
            return
        self._described[entity] = self._moved[entity] = None
        self._wake.set()

    def _on_moved(self, entity: Entity) -> None:
        if frames.on_screen(entity):
            return
        self._moved[entity] = None
        self._wake.set()

    def _on_gone(self, entity: Entity) -> None:
        self._described.pop(entity, None)
        self._moved.pop(entity, None)
        number = self._numbers.pop(entity, None)
        if number is not None:
            del self._things[number]
            self.tell(messages.Gone(n=number))

    def _on_animations(self, value: tuple[UUID, frozenset[UUID]]) -> None:
        self.tell(messages.Animations(id=str(value[0]), playing=[str(playing) for playing in value[1]]))

    # -- regions ----------------------------------------------------------------------------------------------------

    def _on_land(self, region: Region) -> None:
        self._land[region] = None
        self._wake.set()

    def _on_region(self, region: Region) -> None:
        heights = [value if math.isfinite(value) else 0.0 for value in region.ground_heights]
        self.tell(messages.RegionTold(
            at=(region.west, region.south), name=region.name, water=region.water_height, heights=heights,
            ground=[str(texture) for texture in region.ground],
        ))  # fmt: skip
        self._on_land(region)

    def _on_region_gone(self, region: Region) -> None:
        self._land.pop(region, None)
        for entity in [entity for entity in self._numbers if entity.region is region]:
            self._on_gone(entity)
        self.tell(messages.RegionGone(at=(region.west, region.south)))

    def _on_here(self, region: Region | None) -> None:
        if region is not None:
            self.tell(messages.Here(
                at=(region.west, region.south), name=region.name, position=self.view.sight.arrival_position, yaw=self.yaw(),
            ))  # fmt: skip

    def _on_sun(self, region: Region) -> None:
        if region is self.view.circuits.region:
            self.tell(messages.Sun(towards=region.sun))

    def _figures(self) -> messages.Stats:
        circuits = self.view.circuits
        region = circuits.region
        if region is None:
            return messages.Stats(map=[])
        stats = region.circuit.stats
        named: dict[str, Any] = {
            name: region.stats[n] for n, name in NAMES_OF_STATS.items() if math.isfinite(region.stats.get(n, math.nan))
        }
        return messages.Stats(
            **named,
            dilation=region.dilation,
            ping=None if region.circuit.ping is None else round(region.circuit.ping * 1000, 1),
            loss=round(stats.missing / max(1, stats.unique_in + stats.missing), 4),
            region=region.name,
            near=len(self.view.sight.avatars),
            seen=sum(len(r.entities) - len(r.avatars) for r in circuits.regions.values()),
            regions=len(circuits.regions),
            bytes=sum(r.circuit.stats.bytes_in for r in circuits.regions.values()),
            map=[(str(agent_id), r.west + x, r.south + y) for r in circuits.regions.values()
                 for agent_id, (x, y, _) in list(r.coarse.items())[:200]],
        )  # fmt: skip

    # -- people -----------------------------------------------------------------------------------------------------

    def _on_chat(self, chat: Chat) -> None:
        blocked = self.asked is not None and self.asked.blocks(chat.source_id)
        if blocked or chat.source_id in self._muted:
            return
        line = messages.ChatTold(
            name=chat.name, id=str(chat.source_id), source=chat.source_type, type=chat.type, audible=chat.audible,
            text=chat.text,
        )  # fmt: skip
        if chat.type not in (4, 5):
            self._chat.append(line)
        self.tell(line)

    def mute(self, who: UUID, on: bool) -> None:
        """Hear no more of a person, or again."""
        self._muted.pop(who, None)
        if on:
            if len(self._muted) >= MOST_MUTED:
                self._muted.pop(next(iter(self._muted)))
            self._muted[who] = None

    def _on_im(self, message: InstantMessage) -> None:
        if message.from_id in self._muted:
            return
        if message.dialog == IM_FROM_OBJECT:
            self.tell(messages.ChatTold(
                name=message.from_name, id=str(message.id), source=2, type=1, audible=1, text=message.text,
            ))  # fmt: skip
        elif message.dialog == IM_PLAIN:
            told = messages.ImTold(
                name=message.from_name, id=str(message.from_id), text=message.text, old=message.offline
            )
            self.tell(told)

    def _on_alert(self, words: str) -> None:
        self.tell(messages.Alert(text=words))

    def _on_kicked(self, reason: str) -> None:
        self.tell(messages.Kicked(text=reason))

    # -- the end ----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Log out, and let the browser know."""
        for off in self._off:
            off()
        self.part(4000, b"the session has ended")
        try:
            await self.view.logout()
        except ViewerError as error:
            log.info("%s: %s", self.view.circuits.name, error)


async def _goodbye(socket: web.WebSocketResponse, code: int, words: bytes) -> None:
    """Close as the one who reads: aiohttp, asked by anybody else, drops the connection before the browser has answered,
    and what is then still on its way to us makes the kernel throw away what is on its way to the browser."""
    with suppress(TimeoutError):  # who takes nothing does not take this either
        async with asyncio.timeout(GOODBYE):
            await socket.close(code=code, message=words)
