"""The gateway's HTTP face.

    GET  /                       the page, and its files
    GET  /api/grid               name of the grid, whether guests may come, whether it may be watched
    POST /api/login              {first, last, password, start?} or {guest: name} -> {token}
    POST /api/watch              {place?} -> {token}: to look, without an account or an avatar
    GET  /api/socket             WebSocket, subprotocols "mainland.1" and the token
    GET  /texture/{id}/{size}    WebP
    GET  /form/{id}/{kind}       sculpt, mesh-high, -medium, -low or -lowest, see ``forms``
    GET  /health, /health/live, /health/ready, /metrics
"""

from __future__ import annotations

import json
import logging
import mimetypes
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import web

from ground.proxies import Networks, asker
from viewer import LoginRefused, Region, ViewerError

from . import messages
from .commands import MOST_BYTES
from .limits import ByAddress
from .messages import BadMessage
from .pictures import FORMS, SIZES, Pictures
from .sessions import Full, GuestsUnwelcome, Session, Sessions, SpectatorsUnwelcome

log = logging.getLogger("gateway")
PROTOCOL = "mainland.1"
_LOGIN = messages.decoder(messages.AccountLogin | messages.GuestLogin)
_WATCH = messages.decoder(messages.Watch)
POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob: data:", "connect-src 'self'",
    "manifest-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
))  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
FOREVER = "public, max-age=31536000, immutable"
_NAME = re.compile(r"[^\W_][\w .'-]{0,30}")
_NO_PAGE = (
    "<!doctype html><html lang=en><title>Mainland</title><h1>The page is not built</h1>"
    "<p>Run <code>npm ci && npm run build</code> in <code>viewer/web</code>, then reload."
)


class App:
    """Routes and what they need."""

    def __init__(self, sessions: Sessions, pictures: Pictures, page: Path, grid_name: str, trusted: Networks | None = None) -> None:
        self.sessions = sessions
        self.pictures = pictures
        self.grid_name = grid_name
        self._page = page.resolve()
        self._trusted = trusted or Networks(())
        # A class of thirty comes from one address, all in the same minute.
        self._logins = ByAddress(1.0, 100)
        self._guests = ByAddress(0.2, 100)
        self._watchers = ByAddress(0.5, 100)
        self.web = web.Application(client_max_size=MOST_BYTES)
        self.web.on_response_prepare.append(self._guard)
        self.web.add_routes([
            web.get("/api/grid", self.grid),
            web.post("/api/login", self.login),
            web.post("/api/watch", self.watch),
            web.get("/api/socket", self.socket),
            web.get("/texture/{id}/{size}", self.texture),
            web.get("/form/{id}/{kind}", self.form),
            web.get("/health", self.health),
            web.get("/health/live", self.health),
            web.get("/health/ready", self.health),
            web.get("/metrics", self.metrics),
            web.get("/{path:.*}", self.file),
        ])  # fmt: skip

    async def _guard(self, request: web.Request, response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)

    # -- the page ---------------------------------------------------------------------------------------------------

    async def file(self, request: web.Request) -> web.StreamResponse:
        asked = request.match_info["path"] or "index.html"
        if "\0" in asked:
            raise web.HTTPNotFound(text="no such page")
        path = (self._page / asked).resolve()
        if not path.is_relative_to(self._page) or not path.is_file():
            if request.path == "/":
                return web.Response(text=_NO_PAGE, content_type="text/html", status=503)
            raise web.HTTPNotFound(text="no such page")
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        # The build names files by their content, but for the page itself.
        lasting = FOREVER if "assets" in path.parts[len(self._page.parts) :] else "no-cache"
        return web.FileResponse(path, headers={"Content-Type": kind, "Cache-Control": lasting})

    async def grid(self, request: web.Request) -> web.Response:
        about = messages.GridAbout(
            name=self.grid_name, guests=self.sessions.guests, spectators=self.sessions.spectators
        )
        return web.json_response(text=messages.encode(about))

    # -- sessions ---------------------------------------------------------------------------------------------------

    def _same_origin(self, request: web.Request) -> None:
        """Browsers tell the page's origin with every POST and socket; another page's has no business here."""
        origin = request.headers.get("Origin", "")
        if urlsplit(origin).netloc != request.host:
            self.sessions.count["strangers"] += 1
            raise _problem(web.HTTPForbidden, "origin", "this page is not ours")

    def _asker(self, request: web.Request) -> str:
        """The address of the browser, also behind a trusted proxy."""
        return asker(request.remote or "", request.headers.get("X-Forwarded-For"), self._trusted)

    async def login(self, request: web.Request) -> web.Response:
        form = await self._form(request, self._logins, _LOGIN)

        async def begin() -> Session:
            return await self.sessions.login(*(await self._who(request, form)), _start(form.place), request.remote or "")

        return await self._begin(begin())

    async def watch(self, request: web.Request) -> web.Response:
        place = (await self._form(request, self._watchers, _WATCH)).place
        where = (place.region, place.position) if place is not None else None
        return await self._begin(self.sessions.watch(where, request.remote or ""))

    async def _form(self, request: web.Request, limit: ByAddress, decode: Callable[[bytes], Any]) -> Any:
        self._same_origin(request)
        if request.content_type != "application/json":
            raise _problem(web.HTTPUnsupportedMediaType, "form", "JSON, please")
        if not limit.take(self._asker(request), monotonic()):
            raise _problem(web.HTTPTooManyRequests, "busy", "too many logins; try again in a moment")
        try:
            return decode(await request.read())
        except BadMessage as error:
            raise _problem(web.HTTPBadRequest, "form", str(error)) from None

    async def _begin(self, beginning: Awaitable[Session]) -> web.Response:
        try:
            session = await beginning
        except SpectatorsUnwelcome:
            raise _problem(web.HTTPForbidden, "spectators", "this grid is not shown to spectators") from None
        except GuestsUnwelcome:
            raise _problem(web.HTTPForbidden, "guests", "this grid asks for an account") from None
        except Full:
            raise _problem(web.HTTPServiceUnavailable, "full", "too many people are here") from None
        except LoginRefused as refusal:
            raise _problem(web.HTTPForbidden, "refused", refusal.message) from None
        except ViewerError as error:
            log.warning("login: %s", error)
            raise _problem(web.HTTPBadGateway, "grid", "the grid does not answer") from None
        self._learn_source(session.link.view.circuits.region)
        ticket = messages.encode(messages.Token(token=session.token))
        return web.json_response(text=ticket, headers={"Cache-Control": "no-store"})

    async def _who(
        self, request: web.Request, form: messages.AccountLogin | messages.GuestLogin
    ) -> tuple[str, str, str]:
        if isinstance(form, messages.AccountLogin):
            return form.first, form.last, form.password
        name = form.guest.strip()
        if not _NAME.fullmatch(name):
            raise _problem(web.HTTPBadRequest, "name", "letters, digits, spaces; 31 at most")
        if not self._guests.take(self._asker(request), monotonic()):
            raise _problem(web.HTTPTooManyRequests, "busy", "too many guests; try again in a moment")
        return await self.sessions.guest(name.replace(" ", ""), request.remote or "")

    def _learn_source(self, region: Region | None) -> None:
        """The region tells every viewer where textures are; it is the same place for all."""
        if self.pictures.source is None:
            caps = region.caps if region is not None else None
            self.pictures.source = caps.urls.get("GetTexture") if caps is not None else None

    async def socket(self, request: web.Request) -> web.StreamResponse:
        self._same_origin(request)
        offered = [part.strip() for part in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        session = self.sessions.claim(offered[1]) if len(offered) == 2 and offered[0] == PROTOCOL else None
        if session is None:
            self.sessions.count["bad tokens"] += 1
            raise _problem(web.HTTPForbidden, "token", "log in again")
        socket = web.WebSocketResponse(
            protocols=(PROTOCOL,), heartbeat=20.0, max_msg_size=MOST_BYTES, compress=False, timeout=2.0
        )
        await socket.prepare(request)
        self._learn_source(session.link.view.circuits.region)
        await self.sessions.serve(session, socket, self.grid_name)
        line = request.transport
        if line is not None and line.get_write_buffer_size():  # who has not taken it by now never will
            line.abort()
        return socket

    # -- the rest ---------------------------------------------------------------------------------------------------

    async def texture(self, request: web.Request) -> web.Response:
        try:
            texture, size = UUID(request.match_info["id"]), int(request.match_info["size"])
        except ValueError:
            raise web.HTTPNotFound(text="no such picture") from None
        picture = await self.pictures.get(texture, size) if size in SIZES else None
        if picture is None:
            raise web.HTTPNotFound(text="no such picture")
        return web.Response(body=picture, content_type="image/webp", headers={"Cache-Control": FOREVER})

    async def form(self, request: web.Request) -> web.Response:
        try:
            asset, kind = UUID(request.match_info["id"]), request.match_info["kind"]
        except ValueError:
            raise web.HTTPNotFound(text="no such form") from None
        form = await self.pictures.get(asset, kind) if kind in FORMS else None
        if form is None:
            raise web.HTTPNotFound(text="no such form")
        return web.Response(body=form, headers={"Cache-Control": FOREVER})

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "sessions": len(self.sessions)})

    async def metrics(self, request: web.Request) -> web.Response:
        cache = self.sessions.cache
        rows = [
            f"gateway_sessions {len(self.sessions)}",
            f"gateway_cache_objects {len(cache)}",
            f"gateway_cache_bytes {cache.bytes}",
            f"gateway_cache_hits_total {cache.hits}",
            f"gateway_cache_misses_total {cache.misses}",
        ]
        rows += [f"gateway_{name.replace(' ', '_')}_total {n}" for name, n in sorted(self.sessions.count.items())]
        return web.Response(text="\n".join(rows) + "\n")


def _problem(kind: type[web.HTTPException], title: str, words: str) -> web.HTTPException:
    body = json.dumps({"title": title, "description": words})
    return kind(text=body, content_type="application/json", headers={"Cache-Control": "no-store"})


def _start(place: messages.Place | None) -> str:
    """Where to begin: ``last``, or a place."""
    return "last" if place is None else f"uri:{place.region}&" + "&".join(f"{part:g}" for part in place.position)
