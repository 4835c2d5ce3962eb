"""Who is logged in through this gateway, and the tokens that open a socket.

browser                        gateway
  | POST /api/login {name...} --->|  logs in to the grid
  |<------------- {token: A}      |
  | WebSocket, token A ---------->|  A is used up
  |<------------- hello, token B  |
  x connection lost               |  the session stays for ``LINGER`` seconds
  | WebSocket, token B ---------->|  the same session goes on
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections import Counter

import aiohttp
from aiohttp import web

import viewer
from viewer import Habits, LoginRefused, ObjectCache

from .link import Link
from .watching import Vector, watch

log = logging.getLogger("gateway")
WATCHER_LINGER = 10.0
UNUSED = 30.0  # seconds a session waits for its first connection: a slow machine makes ready to draw meanwhile
LINGER = 60.0  # seconds a session outlives its browser's connection
# The gateway stands beside the grid: between them is no home's line, which the library's own habits are made for.
HABITS = Habits(draw_distance=256.0, throttle=10e6)


class Full(Exception):
    """The gateway holds as many sessions as it may."""


class GuestsUnwelcome(Exception):
    """This grid has no guest accounts."""


class SpectatorsUnwelcome(Exception):
    """This grid is not shown to who does not come in."""


class Session:
    """One login (or one spectator): its link, the token that opens the next socket, and the timer that ends it."""

    def __init__(self, sessions: Sessions, link: Link, watches: bool, address: str) -> None:
        self.link = link
        self.watches = watches
        self.address = address  # of the browser that asked for it
        self.used = False  # whether a browser has ever been connected
        self.token = ""
        self._sessions = sessions
        self._timer: asyncio.TimerHandle | None = None

    def linger(self) -> None:
        """Nobody is connected: end after a while."""
        self.hold()
        # A spectator who comes back has lost nothing; the place is for the next.
        most = UNUSED if not self.used else WATCHER_LINGER if self.watches else math.inf
        patience = min(self._sessions.linger, most)
        self._timer = asyncio.get_running_loop().call_later(patience, self._sessions.end, self)

    def hold(self) -> None:
        """Somebody is connected, or it is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Sessions:
    """All sessions, by token."""

    def __init__(
        self,
        grid: str,
        http: aiohttp.ClientSession,
        secret: str | None,
        most: int,
        linger: float = LINGER,
        watching: tuple[str, int] = ("", 0),
        speaks_for: str | None = None,
    ) -> None:
        """``secret`` makes accounts for guests; ``watching``: the secret that opens views for so many spectators;
        ``speaks_for``: the secret by which the grid believes for which address we log in, so that what one browser gets
        wrong shuts out no other."""
        self.grid = grid
        self.count: Counter[str] = Counter()
        self.cache = ObjectCache()  # of all who come: what one was told of a region nobody is told again
        self.linger = linger
        self._http = http
        self._secret = secret
        self._most = most
        self._watching, self._most_watching = watching
        self._speaks_for = speaks_for
        self._starting: Counter[str] = Counter()  # spectators on their way, by address
        self._entering = 0
        self._by_token: dict[str, Session] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._by_token)

    @property
    def guests(self) -> bool:
        """Whether people may come without an account."""
        return self._secret is not None

    async def login(self, first: str, last: str, password: str, start: str, address: str = "") -> Session:
        """Log in to the grid. Raises ``Full``, and what ``viewer.login`` raises."""
        if len(self._by_token) + self._entering >= self._most:
            raise Full
        self._entering += 1
        try:
            client = await viewer.login(
                self.grid, first, last, password, start, http=self._http, habits=HABITS, cache=self.cache,
                anywhere=True,  # the page says where one stands; a person would rather be somewhere
                headers=self._from(address),
            )
        finally:
            self._entering -= 1
        self.count["logins"] += 1
        return self._begin(Link.acting(client, self.count), address)

    def _from(self, address: str) -> dict[str, str]:
        """Headers that say for whom we ask, if the grid will believe it."""
        if self._speaks_for is None or not address:
            return {}
        return {"Authorization": f"Bearer {self._speaks_for}", "Client-Address": address}

    def _begin(self, link: Link, address: str, watches: bool = False) -> Session:
        session = Session(self, link, watches, address)
        self._renew(session)
        link.view.circuits.events.subscribe("closed", lambda reason: self.end(session))
        session.linger()
        return session

    @property
    def spectators(self) -> bool:
        """Whether people may watch without coming in."""
        return bool(self._watching) and self._most_watching > 0

    async def watch(self, place: tuple[str, Vector] | None, address: str = "") -> Session:
        """Begin to watch. Raises ``SpectatorsUnwelcome``, ``Full``, and what ``watching.watch`` raises."""
        if not self.spectators:
            raise SpectatorsUnwelcome
        self._make_room(address)
        self._starting[address] += 1
        try:
            spectator = await watch(self.grid, self._http, self._watching, place, HABITS, self.cache)
        finally:
            self._starting[address] -= 1
            self._starting = +self._starting
        self.count["spectators"] += 1
        return self._begin(Link.looking(spectator, self.count), address, watches=True)

    def _make_room(self, address: str) -> None:
        """A place for one more spectator. ``Full`` if there is none.

        A place is his who looks. Tokens that nobody has used yet give way, those of the address that has most of them first:
        who asks for many and uses none keeps nobody out.
        """
        if self._starting[address] >= max(1, self._most_watching // 2):
            raise Full
        watchers = [session for session in self._by_token.values() if session.watches]
        if len(watchers) + self._starting.total() < self._most_watching:
            return
        unused = [session for session in watchers if not session.used]
        if not unused:
            raise Full
        held = Counter(session.address for session in unused)
        self.end(max(unused, key=lambda session: held[session.address]))
        self.count["places given up"] += 1

    async def guest(self, name: str, address: str = "") -> tuple[str, str, str]:
        """Make an account for a guest; its first name, last name and password, which nobody else ever learns.

        Raises ``GuestsUnwelcome``, or ``LoginRefused`` if the name is no good, all its forms are taken, or too many came
        from that address.
        """
        if self._secret is None:
            raise GuestsUnwelcome
        headers = {"Authorization": f"Bearer {self._secret}"}
        for _ in range(5):
            who = {
                "first": name,
                "last": f"Guest{secrets.randbelow(9000) + 1000}",
                "password": secrets.token_urlsafe(9),
                "guest": True,
                "address": address,
            }
            try:
                async with self._http.post(f"{self.grid}users", json=who, headers=headers) as reply:
                    if reply.status == 201:
                        self.count["guests"] += 1
                        return str(who["first"]), str(who["last"]), str(who["password"])
                    if reply.status == 429:
                        raise LoginRefused("busy", "Many guests came from your address. Please try again in a minute.")
                    if reply.status != 409:
                        raise LoginRefused("name", "This name cannot be used.")
            except (TimeoutError, aiohttp.ClientError):
                raise viewer.LoginFailed("the grid does not answer") from None
        raise LoginRefused("name", "This name is taken.")

    def _renew(self, session: Session) -> str:
        self._by_token.pop(session.token, None)
        session.token = secrets.token_urlsafe(24)
        self._by_token[session.token] = session
        return session.token

    def claim(self, token: str) -> Session | None:
        """The session a token opens, which with that is used up; None for one that opens nothing."""
        session = self._by_token.get(token)
        if session is not None:
            self._renew(session)
        return session

    async def serve(self, session: Session, socket: web.WebSocketResponse, grid: str) -> None:
        """Be a browser's, until its connection ends."""
        session.hold()
        session.used = True
        try:
            await session.link.serve(socket, grid, session.token)
        finally:
            if session.link.socket is None and session.token in self._by_token:
                session.linger()

    def end(self, session: Session) -> None:
        """End a session; harmless for one that has ended."""
        session.hold()
        if self._by_token.pop(session.token, None) is None:
            return
        task = asyncio.get_running_loop().create_task(session.link.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """End all sessions and wait for their goodbyes."""
        for session in list(self._by_token.values()):
            self.end(session)
        if self._ending:
            await asyncio.wait(self._ending, timeout=6.0)
