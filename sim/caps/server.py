"""The region's HTTP face: capabilities for viewers, services for the rest of the grid, metrics for operators.

    /caps/<uuid>[/tail]   one agent's one capability; unknown or ended: 404
    /services/...         other parts of the grid, with the grid's secret (`sim/neighbours/services.py`)
    /health /metrics      anybody; /health/live: the loop turns, /health/ready: all its stages work

It runs on the frame's thread between frames. Sizes are capped before a body is read, rates an agent and capability.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from aiohttp import web

from ground.doors import Doors
from ground.visitors import guard
from protocol import llsd
from protocol.errors import ProtocolError
from sim import caps
from sim.caps import Capability, CapRequest, Refused

if TYPE_CHECKING:
    from sim.gauges import Gauges
    from sim.parts import Parts
    from sim.region import Region
    from sim.rest import Rest
    from sim.world.agent import Agent

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY_LIMIT = 4 << 20  # the largest any capability may ask for
HAND_OVER_LIMIT = (
    64 << 20
)  # of what other regions send, who show the grid's secret first: people come with all that they wear


@dataclass(slots=True, eq=False)
class Grant:
    """One URL: a capability as one agent holds it. `once` URLs (uploaders) are gone after use."""

    agent: Agent
    capability: Capability
    tokens: float
    updated: float
    once: bool = False


class CapServer:
    def __init__(self, region: Region, rest: Rest, gauges: Gauges, http_url: str) -> None:
        self._region, self._rest, self._gauges = region, rest, gauges
        self._http_url = http_url  # as viewers reach it
        self._parts: Parts
        self._grants: dict[UUID, Grant] = {}
        self._app = web.Application(client_max_size=HAND_OVER_LIMIT, middlewares=[self._awake])
        self._app.router.add_route("*", "/caps/{id}", self._serve)
        self._app.router.add_route("*", "/caps/{id}/{tail:.*}", self._serve)
        self._app.router.add_get("/health", self._health)
        self._app.router.add_get("/health/live", self._live)
        self._app.router.add_get("/health/ready", self._health)
        self._app.router.add_get("/metrics", self._metrics)
        self.doors = Doors()
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=75.0)

    def serve(self, parts: Parts, add_routes: Callable[[web.Application], None]) -> None:
        """What capabilities are handed, and the services beside them: parts that are made after this one."""
        self._parts = parts
        add_routes(self._app)

    async def open(self, address: str, port: int) -> None:
        await self._runner.setup()
        guard(self._runner, self.doors)
        await web.TCPSite(self._runner, address, port, backlog=1024).start()

    async def close(self) -> None:
        await self._runner.cleanup()

    # --- who may

    def grant(self, agent: Agent) -> None:
        """Give the agent its seed. The other URLs are made when the seed is asked for them."""
        agent.seed = self._new(agent, caps.TABLE["Seed"])

    def url(self, agent: Agent, name: str) -> str | None:
        """The agent's URL of a capability, the same each time; None when there is no such capability."""
        if name in caps.ELSEWHERE:
            return caps.ELSEWHERE[name](self._parts)
        capability = caps.TABLE.get(name)
        if capability is None or name == "Seed":
            return None
        if name not in agent.capabilities:
            agent.capabilities[name] = self._new(agent, capability)
        return self._address(agent.capabilities[name])

    def seed_url(self, agent: Agent) -> str:
        return self._address(agent.seed)

    def once(self, agent: Agent, capability: Capability) -> str:
        """A URL that works one time, for the second step of an upload."""
        grant_id = self._new(agent, capability, once=True)
        self._region.tasks.after(600.0, lambda: self._drop(grant_id))
        return self._address(grant_id)

    def revoke(self, agent: Agent) -> None:
        """End every URL of the agent."""
        for grant_id in [grant_id for grant_id, grant in self._grants.items() if grant.agent is agent]:
            del self._grants[grant_id]
        agent.capabilities.clear()

    def _new(self, agent: Agent, capability: Capability, once: bool = False) -> UUID:
        grant_id = uuid4()
        self._grants[grant_id] = Grant(agent, capability, capability.burst, self._region.clock.now(), once)
        return grant_id

    def _drop(self, grant_id: UUID) -> None:
        self._grants.pop(grant_id, None)

    def _address(self, grant_id: UUID) -> str:
        return f"{self._http_url}/caps/{grant_id}"

    # --- serving

    @web.middleware
    async def _awake(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A region that rests is up before a request is served, and stays up meanwhile."""
        with self._rest.held():
            return await handler(request)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except Refused as refusal:
            self._region.metrics.count("capability_refused", label=str(refusal.status))
            return web.Response(status=refusal.status, text=refusal.text)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        grant_id, grant = self._find(request)
        capability = grant.capability
        if request.method not in capability.methods:
            raise Refused(405, f"{capability.name} takes {', '.join(capability.methods)}")
        self._spend(grant)
        body = await self._body(request, capability.body_limit)
        if grant.once:
            self._drop(grant_id)
        self._region.metrics.count("capability_requests", label=capability.name)
        asked = CapRequest(
            request.method, request.query, body, request.content_type, request.match_info.get("tail", ""), request.headers
        )
        try:
            answer = await capability.function(self._parts, grant.agent, asked)
        except (Refused, web.HTTPException):
            raise
        except Exception as error:
            self._region.aside.failed("handler", capability.name, error)
            raise Refused(500, f"{capability.name} failed") from error
        if isinstance(answer, web.StreamResponse):
            return answer
        return llsd_response(answer)

    def _find(self, request: web.Request) -> tuple[UUID, Grant]:
        try:
            grant_id = UUID(request.match_info["id"])
        except ValueError:
            raise Refused(404, "no such capability") from None
        grant = self._grants.get(grant_id)
        if grant is None:
            raise Refused(404, "no such capability, or it has ended")
        return grant_id, grant

    def _spend(self, grant: Grant) -> None:
        now = self._region.clock.now()
        capability = grant.capability
        grant.tokens = min(grant.tokens + (now - grant.updated) * capability.per_second, capability.burst)
        grant.updated = now
        if grant.tokens < 1:
            raise Refused(429, f"{capability.name}: too many requests")
        grant.tokens -= 1

    @staticmethod
    async def _body(request: web.Request, limit: int) -> bytes:
        if request.content_length is not None and request.content_length > limit:
            raise Refused(413, f"at most {limit} bytes")
        body = bytearray()
        async for chunk in request.content.iter_chunked(1 << 16):
            body += chunk
            if len(body) > limit:
                raise Refused(413, f"at most {limit} bytes")
        return bytes(body)

    async def _live(self, request: web.Request) -> web.Response:
        """The loop turns."""
        return web.json_response({"ok": True})

    async def _health(self, request: web.Request) -> web.Response:
        """200 when all is well, 503 while a stage of the frame fails: `failing` names it."""
        failing = self._region.aside.failing()
        answer = {"ok": not failing, "region": self._region.facts.name, "failing": failing}
        return web.json_response(answer, status=503 if failing else 200)

    async def _metrics(self, request: web.Request) -> web.Response:
        self._gauges.measure()
        return web.Response(body=self._region.metrics.exposition(), content_type="text/plain", charset="utf-8")


def llsd_response(value: Any, status: int = 200) -> web.Response:
    """An LLSD value as a reply."""
    try:
        body = llsd.format_xml(value)
    except ProtocolError as error:
        raise Refused(500, f"unspeakable answer: {error}") from error
    return web.Response(body=body, status=status, content_type="application/llsd+xml")
