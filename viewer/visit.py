"""How a session begins: ``login``, the way into everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import unquote

import aiohttp

from .cache import ObjectCache
from .client import Client
from .errors import StartElsewhere, ViewerError
from .habits import Habits
from .login import region_of, request_session


class login:
    """Log in: ``async with login(...) as me`` logs out at the end; ``me = await login(...)`` leaves that to the caller.

    ``start``: ``last``, ``home`` or ``uri:Region Name&x&y&z``; ``anywhere``: rather stand in another region than in none.
    ``http``: a session shared by several clients (else each has its own). ``kind``: a class made of ``Client``, to log that in
    instead. ``cache``: what is remembered of objects from one session to the next. ``headers``: more of them for the login's
    HTTP request.

    Raises ``BadStart``, ``LoginRefused``, ``LoginFailed``, ``StartElsewhere`` (after leaving again, unless ``anywhere``),
    ``ConnectionLost`` or ``WaitTimeout``, all ``ViewerError``.
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
        anywhere: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._call = (login_uri, first, last, password, start)
        self._habits = habits or Habits()
        self._http = http
        self._kind = kind
        self._cache = cache
        self._anywhere = anywhere
        self._headers = headers
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
            session = await request_session(http, *self._call, headers=self._headers)
            client = self._kind(session, http, self._habits)
            client.owns_http = self._http is None
            client.circuits.cache = self._cache
            try:
                await client.travel.enter()
            except BaseException:
                await client.close()
                raise
            asked, region = region_of(self._call[-1]), client.root
            if asked is not None and not self._anywhere and (session.elsewhere or not _same(asked, region.name)):
                await client.logout()
                raise StartElsewhere(asked, region.name)
            return client
        except (ViewerError, asyncio.CancelledError):
            if self._http is None and not http.closed:
                await http.close()
            raise


def _same(asked: str, name: str) -> bool:
    """Whether a start means the region of that name: viewers write spaces as %20 or +, and nobody minds the case."""
    return name.casefold() in {spelt.strip().casefold() for spelt in (asked, unquote(asked), unquote(asked).replace("+", " "))}


def new_http() -> aiohttp.ClientSession:
    """An HTTP session fit for many long polls at once: no limit on connections, no cookies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "Mainland"}
    )
