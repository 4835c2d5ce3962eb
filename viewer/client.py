"""The client: everything an agent can do, and how a session begins and ends.

A first visit:

    async with viewer.login("http://127.0.0.1:9000/", "Ann", "Example", "secret") as me:
        me.say("Hello")
        await me.walk_to((140, 130))
        reply = await me.wait_for("chat", lambda chat: chat.source_id != me.agent_id)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any
from uuid import UUID

import aiohttp
import numpy as np

from protocol.message import Message

from .cache import ObjectCache
from .caps import CapError
from .errors import ConnectionLost, ViewerError, WaitTimeout
from .events import answered
from .habits import Habits
from .login import request_session
from .map import WorldMap

log = logging.getLogger("viewer")


class Client(WorldMap):
    """One agent in the world. Made by ``viewer.login``; ended by ``logout`` or by leaving the ``async with``.

    Built in layers, each a file: ``core`` (plumbing), ``travel`` (regions), ``sight`` (what is to be seen),
    ``movement``, ``building``, ``social``, ``scripts``, ``map``. Positions are metres in the region the agent stands in,
    unless called global.
    """

    owns_http = False

    def wait_for(self, name: str, predicate: Callable[[Any], bool] | None = None, timeout: float = 10.0) -> Any:
        """Await the next event ``name`` (see ``viewer.events``) that satisfies ``predicate``.

        ``WaitTimeout`` after ``timeout`` seconds, ``ConnectionLost`` when the session ends first. Listening begins when
        the coroutine runs; to be sure of an answer to a question, take ``expect`` before asking.
        """
        return self.events.wait_for(name, predicate, timeout)

    def expect(self, name: str, predicate: Callable[[Any], bool] | None = None) -> asyncio.Future[Any]:
        """A future of the next such event, listening from now."""
        return self.events.expect(name, predicate)

    def on(self, name: str, listener: Callable[[Any], object]) -> Callable[[], None]:
        """Call ``listener(value)`` at each event ``name``; returns a function that ends it."""
        return self.events.subscribe(name, listener)

    @property
    def terrain(self) -> np.ndarray:
        """Heights of the region we stand in, float32 [y, x] metres; zero where no land came yet."""
        return self.root.terrain

    def where_is(self, agent_id: UUID) -> tuple[float, float, float] | None:
        """Global position of an avatar in view, or None."""
        entity = self.avatars.get(agent_id)
        return entity.global_position if entity is not None else None

    async def display_names(self, agent_ids: list[UUID]) -> dict[UUID, str]:
        """Display names by the GetDisplayNames capability. ``CapError`` if the region has none."""
        caps = self.root.caps
        if caps is None:
            raise CapError("no capabilities yet")
        answer = await caps.get("GetDisplayNames", "/?" + "&".join(f"ids={agent_id}" for agent_id in agent_ids))
        rows = answer.get("agents") if isinstance(answer, dict) else None
        named = {}
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and isinstance(row.get("id"), UUID):
                named[row["id"]] = str(row.get("display_name", ""))
        return named

    async def fetch_inventory(self, folder_id: UUID | None = None) -> dict[str, Any]:
        """One folder's content as FetchInventoryDescendents2 gives it, by default the root's. Raises ``CapError``."""
        caps, folder = self.root.caps, folder_id or self.session.inventory_root
        if caps is None or folder is None:
            raise CapError("no capabilities, or no inventory root")
        wanted = {"folder_id": folder, "owner_id": self.agent_id, "fetch_folders": True, "fetch_items": True}
        answer = await caps.post("FetchInventoryDescendents2", {"folders": [{**wanted, "sort_order": 1}]})
        folders = answer.get("folders") if isinstance(answer, dict) else None
        if not isinstance(folders, list) or not folders or not isinstance(folders[0], dict):
            raise CapError(f"no such folder: {folder}")
        return folders[0]

    # -- the end ----------------------------------------------------------------------------------------------------

    async def logout(self) -> None:
        """Say goodbye and close. Never raises: a grid that does not answer is left all the same."""
        if not self.closed and self.region is not None:
            reply = self.events.expect("LogoutReply")
            self.region.send(Message("LogoutRequest", AgentData=self.agent_block), tries=self.habits.resends_of_vital)
            try:
                await answered(reply, self.habits.logout_timeout, "LogoutReply")
                for region in self.regions.values():
                    region.circuit.tick(self.clock())  # the reply's ack, before the socket closes
            except (WaitTimeout, ConnectionLost) as error:
                log.info("%s: %s", self.name, error)
            queues = [region.queue for region in self.regions.values() if region.queue and not region.queue.ended]
            await asyncio.gather(*(queue.leave() for queue in queues))
        await self.close()

    async def close(self) -> None:
        """Close without a goodbye, as a crash would."""
        self.shut(None)
        await self.finish_tasks()
        if self.owns_http:
            await self._http.close()


class login:
    """Log in: ``async with login(...) as me`` logs out at the end; ``me = await login(...)`` leaves that to the caller.

    ``start``: ``last``, ``home`` or ``uri:Region Name&x&y&z``. ``http``: a session shared by several clients (else each
    has its own). ``kind``: a class made of ``Client``, to log that in instead. ``cache``: what is remembered of objects from
    one session to the next. Raises
    ``LoginRefused``, ``LoginFailed``, ``ConnectionLost`` or ``WaitTimeout``, all ``ViewerError``.
    """

    def __init__(
        self,
        login_uri: str,
        first: str,
        last: str,
        password: str,
        start: str = "last",
        *,
        habits: Habits | None = None,
        http: aiohttp.ClientSession | None = None,
        kind: type[Client] = Client,
        cache: ObjectCache | None = None,
    ) -> None:
        self._call = (login_uri, first, last, password, start)
        self._habits = habits or Habits()
        self._http = http
        self._kind = kind
        self._cache = cache
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, None, Client]:
        return self._enter().__await__()

    async def __aenter__(self) -> Client:
        self._client = await self._enter()
        return self._client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.logout()

    async def _enter(self) -> Client:
        http = self._http or new_http()
        try:
            session = await request_session(http, *self._call)
            client = self._kind(session, http, self._habits)
            client.owns_http = self._http is None
            client.cache = self._cache
            try:
                await client.enter_first_region()
            except BaseException:
                await client.close()
                raise
            return client
        except (ViewerError, asyncio.CancelledError):
            if self._http is None and not http.closed:
                await http.close()
            raise


def new_http() -> aiohttp.ClientSession:
    """An HTTP session fit for many long polls at once: no limit on connections, no cookies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "Mainland"}
    )
