"""What a browser asks, done: messages are decoded strictly (``messages``), counted and limited."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from time import time
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from viewer import Client, ViewerError
from viewer import movement as keys
from viewer.scripts import LONGEST_ANSWER

from . import messages
from .asked import Asked
from .building import Builder
from .limits import Bucket
from .messages import BadMessage
from .watching import Spectator

if TYPE_CHECKING:
    from .link import Link

log = logging.getLogger("gateway")
MOST_BYTES = 8192  # of one message
MOST_BAD = 20  # messages that make no sense, before the browser is let go
LONGEST_CHAT = 1023  # bytes, the protocol's
_HELD = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | keys.FAST_AT | keys.FAST_LEFT | keys.FAST_UP
_LOOKS = messages.decoder(messages.Looks)
_ACTS = messages.decoder(messages.Acts)


class Commands:
    """Reads a browser's messages and does what those ask that its kind of visitor may send."""

    decode = staticmethod(messages.decoder(messages.Ping | messages.Leave))

    def __init__(self, link: Link) -> None:
        self._link = link
        self._clock = link.view.circuits.clock
        self._any = Bucket(60, 120, self._clock())

    def let_go(self) -> None:
        """Nobody holds the keys now."""

    async def read(self, socket: web.WebSocketResponse) -> tuple[int, bytes] | None:
        """Until the socket closes, or the browser sends too much nonsense: then code and words to close it with."""
        bad, name = 0, self._link.view.circuits.name
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                bad += frame.type is aiohttp.WSMsgType.BINARY
            elif not self._any.take(self._clock()):
                self._link.count["commands limited"] += 1
            else:
                try:
                    self.act(self.decode(frame.data))
                except BadMessage as error:
                    self._link.count["bad commands"] += 1
                    bad += 1
                    self._link.tell(messages.Refused(of=str(error).partition(".")[0][:40], why=str(error)))
                    log.debug("a message of %s: %s", name, error)
                except ViewerError as error:  # the session ends; the socket will be closed from the other side
                    log.info("%s: %s", name, error)
            if bad > MOST_BAD:
                return 4003, b"not understood"
        return None

    def act(self, asked: Any) -> None:
        """Do what a message asks."""
        getattr(self, f"_{asked.t}")(asked)

    def _ping(self, asked: messages.Ping) -> None:
        self._link.tell(messages.Pong(at=asked.at, now=time()))

    def _leave(self, asked: messages.Leave) -> None:
        self._link.leave()


class Looking(Commands):
    """A spectator's."""

    decode = staticmethod(_LOOKS)

    def __init__(self, link: Link, spectator: Spectator) -> None:
        super().__init__(link)
        self._spectator = spectator

    def _look(self, asked: messages.Look) -> None:
        try:
            self._spectator.look(asked.at, asked.towards)
        except ValueError as error:
            raise BadMessage(f"look: {error}") from None


class Acting(Commands):
    """Those of somebody who stands in the world."""

    decode = staticmethod(_ACTS)

    def __init__(self, link: Link, client: Client, asked: Asked) -> None:
        super().__init__(link)
        self._client = client
        self._asked = asked
        now = client.clock()
        self._talk = Bucket(3, 15, now)
        self._heavy = Bucket(0.5, 5, now)
        self._curious = Bucket(5, 20, now)
        self._builder = Builder(link, client, self._beside)

    def act(self, asked: Any) -> None:
        if isinstance(asked, messages.Builds):
            self._builder.act(asked)
        else:
            super().act(asked)

    def let_go(self) -> None:
        self._client.movement.hold(self._client.movement.keys & keys.FLY)

    # -- moving -------------------------------------------------------------------------------------------------------

    def _keys(self, asked: messages.Keys) -> None:
        movement, yaw = self._client.movement, math.remainder(asked.yaw, math.tau)
        held = asked.flags & _HELD | movement.keys & keys.FLY
        if held == movement.keys:
            movement.face(yaw)
        else:
            movement.yaw = yaw  # goes out with the keys
            movement.hold(held)

    def _fly(self, asked: messages.Fly) -> None:
        self._client.fly(asked.on)

    def _run(self, asked: messages.Run) -> None:
        self._client.run(asked.on)

    def _sit(self, asked: messages.Sit) -> None:
        if asked.n is None:
            self._later(self._client.sit_ground)
            return
        thing = self._link.thing(asked.n)
        if thing is None:
            raise BadMessage("sit.n: no such thing")
        self._later(lambda: self._client.sit_on(thing.id))

    def _stand(self, asked: messages.Stand) -> None:
        self._later(self._client.stand)

    def _teleport(self, asked: messages.Teleport) -> None:
        x, y, z = asked.position
        spot = (min(max(x, 0.0), 255.9), min(max(y, 0.0), 255.9), z)
        self._later(lambda: self._client.teleport(asked.region, spot))

    def _map(self, asked: messages.AskMap) -> None:
        async def ask() -> None:
            x, y = self._client.root.grid_x, self._client.root.grid_y
            found = await self._client.map.blocks(max(0, x - 8), x + 8, max(0, y - 8), y + 8)
            blocks = [messages.MapBlock(x=b.x, y=b.y, name=b.name, agents=b.agents) for b in found]
            self._link.tell(messages.MapTold(blocks=blocks))

        self._later(ask)

    # -- things and people --------------------------------------------------------------------------------------------

    def _touch(self, asked: messages.Touch) -> None:
        thing = self._link.thing(asked.n)
        if thing is None or thing.is_avatar:
            raise BadMessage("touch.n: no such thing")
        if self._talk.take(self._client.clock()):
            self._client.touch(thing)

    def _answer(self, asked: messages.Answer) -> None:
        words = _cut(asked.text, LONGEST_ANSWER) if asked.text is not None else None
        try:
            self._asked.answer(asked.q, asked.button, words, asked.grant)
        except ValueError as error:
            raise BadMessage(f"answer: {error}") from None

    def _block(self, asked: messages.Block) -> None:
        self._asked.block(asked.q)

    def _say(self, asked: messages.Say) -> None:
        words, client = _cut(asked.text, LONGEST_CHAT), self._client
        act = (client.whisper, client.say, client.shout)[asked.type]
        if not self._talk.take(client.clock()):
            self._link.tell(messages.Notice(what="too-fast"))
        elif words.strip():
            act(words)

    def _typing(self, asked: messages.Typing) -> None:
        if self._talk.take(self._client.clock()):
            self._client.social.typing(asked.on)

    def _im(self, asked: messages.SendIm) -> None:
        words = _cut(asked.text, LONGEST_CHAT)
        if self._talk.take(self._client.clock()) and words.strip():
            self._client.im(asked.to, words)

    def _about(self, asked: messages.AskAbout) -> None:
        thing = self._link.thing(asked.n)
        if thing is None or not self._curious.take(self._client.clock()):
            return  # it went while it was asked about, or the pointer flies over everything

        async def ask() -> None:
            found = await self._client.building.about(thing)
            owner = (await self._client.social.names([found.owner_id])).get(found.owner_id, "")
            told = messages.AboutTold(n=asked.n, name=found.name[:64], description=found.description[:128], owner=owner[:130])
            self._link.tell(told)

        self._beside(ask, tells=False)

    def _profile(self, asked: messages.AskProfile) -> None:
        async def ask() -> None:
            found = await self._client.social.profile(asked.id)
            told = messages.ProfileTold(
                id=str(asked.id), about=found.about[:1000], born=found.born_on[:32], online=found.online
            )
            self._link.tell(told)

        if self._curious.take(self._client.clock()):
            self._beside(ask, tells=False)

    def _befriend(self, asked: messages.Befriend) -> None:
        if self._talk.take(self._client.clock()):
            self._client.social.offer_friendship(asked.id)

    def _mute(self, asked: messages.Mute) -> None:
        self._link.mute(asked.id, asked.on)

    def _beside(self, work: Callable[[], Any], tells: bool = True) -> None:
        async def doing() -> None:
            try:
                await work()
            except ViewerError as error:
                if tells:
                    self._link.tell(messages.Alert(text=str(error)))
                else:
                    log.debug("%s: %s", self._client.name, error)

        self._client.circuits.spawn(doing(), "command")

    def _later(self, work: Callable[[], Any]) -> None:
        """Do what takes a while, beside reading on; tell of a failure."""
        if self._heavy.take(self._client.clock()):
            self._beside(work)
        else:
            self._link.tell(messages.Notice(what="too-fast"))


def _cut(words: str, most: int) -> str:
    """At most ``most`` bytes of it; half a character or a NUL has no place on the wire."""
    return words.replace("\0", "").encode(errors="ignore")[:most].decode(errors="ignore")
