"""What a browser may ask: small JSON texts ``{"t": ..., ...}``, each checked, counted and limited.

    keys      flags, yaw          control flags held, radians
    say       text, type 0|1|2    whisper, say, shout
    typing    on
    fly, run  on
    sit       n                   on a thing; without n on the ground
    stand
    touch     n
    answer    q, button | text | grant; see ``asked``
    block     q
    look      at, towards         a spectator's camera: metres in the region it looks into first, and a direction
    im        to, text
    teleport  region, position    name of a region, metres in it
    map                           every region, answered as "map"
    ping      at                  answered as it came, with the gateway's clock (unix seconds) as "now"
    leave                         log out
"""

from __future__ import annotations

import json
import logging
import math
from time import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import aiohttp
from aiohttp import web

from viewer import Client, ViewerError
from viewer import movement as keys
from viewer.scripts import LONGEST_ANSWER

from .asked import Asked
from .limits import Bucket
from .watching import Spectator

if TYPE_CHECKING:
    from .link import Link

log = logging.getLogger("gateway")
MOST_BYTES = 8192  # of one command
MOST_BAD = 20  # commands that make no sense, before the browser is let go
LONGEST_CHAT = 1023  # bytes, the protocol's
_HELD = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | keys.FAST_AT | keys.FAST_LEFT | keys.FAST_UP


class BadCommand(ValueError):
    """A command that makes no sense."""


class Commands:
    """Reads a browser's commands and does those that its kind of visitor has."""

    kinds = frozenset({"ping", "leave"})

    def __init__(self, link: Link) -> None:
        self._link = link
        self._clock = link.view.circuits.clock
        self._any = Bucket(60, 120, self._clock())

    def let_go(self) -> None:
        """Nobody holds the keys now."""

    async def read(self, socket: web.WebSocketResponse) -> tuple[int, bytes] | None:
        """Until the socket closes, or the browser sends too much nonsense: then code and words to close it with."""
        bad = 0
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                bad += message.type is aiohttp.WSMsgType.BINARY
            elif not self._any.take(self._clock()):
                self._link.count["commands limited"] += 1
            else:
                try:
                    self._do(message.data)
                except BadCommand as error:
                    self._link.count["bad commands"] += 1
                    bad += 1
                    log.debug("a command of %s: %s", self._link.view.circuits.name, error)
                except ViewerError as error:  # the session ends; the socket will be closed from the other side
                    log.info("%s: %s", self._link.view.circuits.name, error)
            if bad > MOST_BAD:
                return 4003, b"not understood"
        return None

    def _do(self, raw: str) -> None:
        try:
            command = json.loads(raw)
        except (ValueError, RecursionError):
            raise BadCommand("not JSON") from None
        if not isinstance(command, dict):
            raise BadCommand("not an object")
        kind = command.get("t")
        act = getattr(self, f"_{kind}", None) if isinstance(kind, str) and kind in self.kinds else None
        if act is None:
            raise BadCommand(f"no command {str(kind)[:40]!r}")
        act(command)

    def _ping(self, command: dict[str, Any]) -> None:
        self._link.tell("pong", at=_number(command, "at"), now=time())

    def _leave(self, command: dict[str, Any]) -> None:
        self._link.leave()


class Looking(Commands):
    """A spectator's."""

    kinds = Commands.kinds | {"look"}

    def __init__(self, link: Link, spectator: Spectator) -> None:
        super().__init__(link)
        self._spectator = spectator

    def _look(self, command: dict[str, Any]) -> None:
        try:
            self._spectator.look(_vector(command, "at"), _vector(command, "towards"))
        except ValueError as error:
            raise BadCommand(str(error)) from None


class Acting(Commands):
    """Those of somebody who stands in the world."""

    kinds = Commands.kinds | {
        "keys", "fly", "run", "sit", "stand", "teleport", "map", "touch", "answer", "block", "say", "typing", "im",
    }  # fmt: skip

    def __init__(self, link: Link, client: Client, asked: Asked) -> None:
        super().__init__(link)
        self._client = client
        self._asked = asked
        now = client.clock()
        self._talk = Bucket(3, 15, now)
        self._heavy = Bucket(0.5, 5, now)

    def let_go(self) -> None:
        self._client.movement.hold(self._client.movement.keys & keys.FLY)

    # -- moving -----------------------------------------------------------------------------------------------------

    def _keys(self, command: dict[str, Any]) -> None:
        flags, yaw, movement = _integer(command, "flags"), _number(command, "yaw"), self._client.movement
        held, yaw = flags & _HELD | movement.keys & keys.FLY, math.remainder(yaw, math.tau)
        if held == movement.keys:
            movement.face(yaw)
        else:
            movement.yaw = yaw  # goes out with the keys
            movement.hold(held)

    def _fly(self, command: dict[str, Any]) -> None:
        self._client.fly(command.get("on") is True)

    def _run(self, command: dict[str, Any]) -> None:
        self._client.run(command.get("on") is True)

    def _sit(self, command: dict[str, Any]) -> None:
        client, number = self._client, command.get("n")
        if number is None:
            self._later(client.sit_ground())
            return
        thing = self._link.thing(number)
        if thing is None:
            raise BadCommand("sit on what?")
        self._later(client.sit_on(thing.id))

    def _stand(self, command: dict[str, Any]) -> None:
        self._later(self._client.stand())

    def _teleport(self, command: dict[str, Any]) -> None:
        name, (x, y, z) = _text(command, "region", 63), _vector({"position": [128, 128, 30], **command}, "position")
        self._later(self._client.teleport(name, (min(max(x, 0.0), 255.9), min(max(y, 0.0), 255.9), z)))

    def _map(self, command: dict[str, Any]) -> None:
        link = self._link

        async def ask() -> None:
            x, y = self._client.root.grid_x, self._client.root.grid_y
            blocks = await self._client.map.blocks(max(0, x - 8), x + 8, max(0, y - 8), y + 8)
            link.tell("map", blocks=[{"x": b.x, "y": b.y, "name": b.name, "agents": b.agents} for b in blocks])

        self._later(ask())

    # -- things and people ------------------------------------------------------------------------------------------

    def _touch(self, command: dict[str, Any]) -> None:
        thing, client = self._link.thing(command.get("n")), self._client
        if thing is None or thing.is_avatar:
            raise BadCommand("touch what?")
        if self._talk.take(client.clock()):
            client.touch(thing)

    def _answer(self, command: dict[str, Any]) -> None:
        words = _text(command, "text", LONGEST_ANSWER) if "text" in command else None
        try:
            self._asked.answer(command.get("q"), command.get("button"), words, command.get("grant"))
        except ValueError as error:
            raise BadCommand(str(error)) from None

    def _block(self, command: dict[str, Any]) -> None:
        self._asked.block(command.get("q"))

    def _say(self, command: dict[str, Any]) -> None:
        words, kind, client = _text(command, "text", LONGEST_CHAT), command.get("type", 1), self._client
        act = {0: client.whisper, 1: client.say, 2: client.shout}.get(kind) if isinstance(kind, int) else None
        if act is None:
            raise BadCommand("whisper, say or shout")
        if not self._talk.take(client.clock()):
            self._link.tell("notice", what="too-fast")
        elif words.strip():
            act(words)

    def _typing(self, command: dict[str, Any]) -> None:
        if self._talk.take(self._client.clock()):
            self._client.social.typing(command.get("on") is True)

    def _im(self, command: dict[str, Any]) -> None:
        words, to, client = _text(command, "text", LONGEST_CHAT), command.get("to"), self._client
        try:
            agent = UUID(to if isinstance(to, str) else "")
        except ValueError:
            raise BadCommand("to whom?") from None
        if self._talk.take(client.clock()) and words.strip():
            client.im(agent, words)

    def _later(self, work: Any) -> None:
        """Do what takes a while, beside reading on; tell of a failure."""
        link = self._link

        async def doing() -> None:
            try:
                await work
            except ViewerError as error:
                link.tell("alert", text=str(error))

        if self._heavy.take(self._client.clock()):
            self._client.circuits.spawn(doing(), "command")
        else:
            work.close()
            link.tell("notice", what="too-fast")


def _vector(command: dict[str, Any], name: str) -> tuple[float, float, float]:
    value = command.get(name)
    if not isinstance(value, list) or len(value) != 3:
        raise BadCommand(f"{name} is not three numbers")
    x, y, z = (_number({name: part}, name) for part in value)
    return x, y, z


def _number(command: dict[str, Any], name: str) -> float:
    value = command.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e15 < value < 1e15:
        raise BadCommand(f"{name} is not a number")
    return float(value)


def _integer(command: dict[str, Any], name: str) -> int:
    value = command.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise BadCommand(f"{name} is not a whole number")
    return value


def _text(command: dict[str, Any], name: str, most: int) -> str:
    """A text of at most ``most`` bytes; half a surrogate pair or a NUL has no place on the wire."""
    value = command.get(name)
    if not isinstance(value, str):
        raise BadCommand(f"{name} is not a text")
    return value.replace("\0", "").encode(errors="ignore")[:most].decode(errors="ignore")
