"""The doors for aiohttp servers, which know none: bounds by address and in all, time for heads and bodies."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import hdrs, web

from ground.doors import Doors, Visitor


def guard(runner: web.BaseRunner, doors: Doors) -> None:
    """Put the doors before a runner that is set up and listens to nobody yet; until the runner is cleaned up."""
    server: Any = runner.server
    assert server is not None, "runner.setup() comes first"
    made, lost, inner = server.connection_made, server.connection_lost, server.request_handler
    loop = asyncio.get_running_loop()
    visitors: dict[Any, Visitor] = {}

    def connection_made(handler: Any, transport: asyncio.Transport) -> None:
        made(handler, transport)
        peer = transport.get_extra_info("peername")
        visitor = doors.enter(peer[0] if peer else "", transport.abort, loop.time())
        if visitor is None:
            transport.abort()
        else:
            visitors[handler] = visitor

    def connection_lost(handler: Any, error: BaseException | None = None) -> None:
        visitor = visitors.pop(handler, None)
        if visitor is not None:
            doors.leave(visitor)
        lost(handler, error)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        visitor = visitors.get(request.protocol)
        if visitor is None:
            return await inner(request)
        body = request.content
        has_body = hdrs.TRANSFER_ENCODING in request.headers or request.headers.get(hdrs.CONTENT_LENGTH, "0") != "0"
        doors.began(visitor, loop.time(), (lambda: not body.is_eof()) if has_body else None)
        try:
            return await inner(request)
        finally:
            if not visitor.gone:
                doors.ended(visitor, loop.time())

    def sweep() -> None:
        if runner.server is server:
            doors.sweep(loop.time())
            loop.call_later(1.0, sweep)

    server.connection_made, server.connection_lost, server.request_handler = connection_made, connection_lost, handle
    sweep()
