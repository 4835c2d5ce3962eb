"""What the rest of the grid may ask of this region: HTTP with the grid's secret.

    POST   /services/agents                  expect an agent (login, child, teleport, crossing)
    DELETE /services/agents/{id}             end one; a child's end, or a kick with a reason
    POST   /services/agents/{id}/departed    one that teleported from here has arrived elsewhere
    POST   /services/objects                 take an object that comes over the border, with its riders
    POST   /services/handovers/{id}/void     that hand-over has not happened: what came of it goes
    POST   /services/messages                an instant message for somebody here
    POST   /services/notifications           friends came, went, ended, changed
    POST   /services/chat                    said near the border on the other side
    POST   /services/rollback                undo what one person did to objects since a moment
    GET    /services/status                  figures of the region
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aiohttp import web

from protocol.errors import ProtocolError
from sim.actions import speak
from sim.handlers.friends import deliver_notification
from sim.handlers.messages import deliver_message
from sim.neighbours.reading import uuid_of, vector3
from sim.neighbours.state import HandOff, Reason

if TYPE_CHECKING:
    from sim.operating import Operator
    from sim.pace import Pace
    from sim.parts import Parts

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Services:
    def __init__(self, parts: Parts, pace: Pace, operator: Operator) -> None:
        self._parts, self._pace, self.operator = parts, pace, operator

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/services/agents", self._guarded(self.announce))
        app.router.add_delete("/services/agents/{id}", self._guarded(self.end))
        app.router.add_post("/services/agents/{id}/departed", self._guarded(self.departed))
        app.router.add_post("/services/objects", self._guarded(self.take_object))
        app.router.add_post("/services/handovers/{id}/void", self._guarded(self.void))
        app.router.add_post("/services/messages", self._guarded(self.message))
        app.router.add_post("/services/notifications", self._guarded(self.notification))
        app.router.add_post("/services/chat", self._guarded(self.chat))
        app.router.add_post("/services/rollback", self._guarded(self.rollback))
        app.router.add_get("/services/status", self._guarded(self.status))

    def _guarded(self, function: Handler) -> Handler:
        """Only with the grid's secret; a malformed body is 400 and says what is wrong."""
        expected = f"Bearer {self._parts.settings.secret}".encode()

        async def serve(request: web.Request) -> web.StreamResponse:
            if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
                return _error(401, "unauthorized", "the grid's secret is missing or wrong")
            try:
                return await function(request)
            except (ProtocolError, json.JSONDecodeError, UnicodeDecodeError) as error:
                return _error(400, "malformed request", str(error))

        return serve

    async def announce(self, request: web.Request) -> web.Response:
        state = HandOff.decode(await request.json())
        sim = self._parts
        handovers, transaction = sim.neighbours.handovers, state.transaction
        old = sim.neighbours.directory.old_claim(state.source, state.destination)
        if old:
            return _error(409, "old claim", old)
        if transaction is not None:
            before = handovers.answer(transaction)
            if before is not None:
                return web.json_response(before)
            if handovers.is_void((*state.lineage, transaction)):
                return _error(410, "void", "this hand-over has not happened")
        known = sim.world.agents.get(state.agent_id)
        if transaction is not None and known is not None and not handovers.is_ours(known, state):
            return _error(409, "here", f"{known.name} is in this region")
        other = known is not None and known.session_id != state.session_id and (known.root or known.arrival is not None)
        if other and state.reason is not Reason.LOGIN:
            # Only a login may replace who is here: a neighbour's word about a session that has ended may come late.
            return _error(409, "another session", f"{state.first} {state.last} is here with another session")
        full = sum(1 for _ in sim.world.roots()) >= sim.world.facts.max_agents
        if full and state.reason is not Reason.CHILD and (known is None or known.child):
            return _error(503, "region full", f"{sim.world.facts.name} is full")
        agent = sim.sessions.announce(state)
        if state.reason is Reason.LOGIN:
            sim.metrics.count("logins")
        if state.reason is Reason.CROSSING:
            sim.sessions.take_over(agent)
        position = sim.world.position(agent) if agent.root else agent.arrival_position
        answer = {
            "seed_capability": sim.cap_server.seed_url(agent),
            "position": list(position),
            "look_at": list(agent.arrival_look_at),
        }
        if transaction is not None:
            handovers.answered(transaction, answer)
        return web.json_response(answer)

    async def end(self, request: web.Request) -> web.Response:
        agent = self._parts.world.agents.get(_id(request))
        if agent is not None and str(agent.session_id) == request.query.get("session_id"):
            reason = request.query.get("reason", "")
            if reason:
                self._parts.sessions.kick(agent, reason)
                await self._parts.attachments.saved(agent.agent_id)
                return web.Response(status=204)
            # Its view from here ends. Where it teleported to may say so before it says that it has arrived.
            self._parts.neighbours.teleports.departed(agent, None)
            if agent.root:  # said by where it went, before we have heard that it did; or late, and it is here again
                agent.journey.out_of_sight = agent.journey.crossing
            self._parts.neighbours.children.close_here(agent)
        return web.Response(status=204)

    async def departed(self, request: web.Request) -> web.Response:
        body = await _object(request)
        agent = self._parts.world.agents.get(_id(request))
        if agent is not None and str(agent.session_id) == body.get("session_id"):
            transaction = body.get("transaction")
            self._parts.neighbours.teleports.departed(
                agent, uuid_of(transaction, "transaction") if transaction is not None else None
            )
        return web.Response(status=204)

    async def take_object(self, request: web.Request) -> web.Response:
        status, answer = await self._parts.neighbours.object_arrival.take(await request.json())
        return web.json_response(answer, status=status)

    async def void(self, request: web.Request) -> web.Response:
        onward = self._parts.neighbours.handovers.void(_id(request), await request.json())
        if onward is None:
            return _error(409, "arrived", "it stands here")
        # What we may be telling Backbone this moment must not be its last word.
        await self._parts.neighbours.handovers.reported()
        return web.json_response({"onward": [region.encode() for region in onward]})

    async def message(self, request: web.Request) -> web.Response:
        body = await _object(request)
        try:
            target = UUID(str(body.get("to_agent_id")))
        except ValueError:
            raise ProtocolError("to_agent_id must be a uuid") from None
        agent = self._parts.world.agents.get(target)
        if agent is None or agent.child or agent.circuit is None:
            return _error(404, "not here", "no such agent in this region")
        self._parts.neighbours.teleports.note_lure(agent, body)
        deliver_message(self._parts, agent, body)
        return web.json_response({"delivered": True})

    async def notification(self, request: web.Request) -> web.Response:
        deliver_notification(self._parts, await _object(request))
        return web.Response(status=204)

    async def chat(self, request: web.Request) -> web.Response:
        body = await _object(request)
        try:
            kind = int(body["kind"])
            speaker = speak.Speaker(
                int(body["source_type"]), UUID(body["source_id"]), UUID(body["owner_id"]), str(body["name"])[:255],
                vector3(body["position"], 8192.0),
            )  # fmt: skip
            text = str(body["text"])
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(f"not a chat message: {error}") from error
        if speak.overhear(self._parts.region, speaker, kind, text) is not None:
            raise ProtocolError(f"chat of kind {kind} does not carry over a border")
        return web.Response(status=204)

    async def rollback(self, request: web.Request) -> web.Response:
        status, answer = await self.operator.undo(await _object(request))
        return web.json_response(answer, status=status)

    async def status(self, request: web.Request) -> web.Response:
        sim, rates = self._parts, self._pace.rates()
        try:  # of the last so many seconds, a minute at most
            last = min(float(request.query.get("last", "60")), 60.0)
        except ValueError:
            raise ProtocolError("last must be a number of seconds") from None
        lateness, durations = self._pace.recent(last)

        def percentile(values: list[float], share: float) -> float:
            return round(values[min(int(len(values) * share), len(values) - 1)] * 1e3, 3) if values else 0.0

        return web.json_response(
            {
                "region": sim.world.facts.name,
                "region_id": str(sim.world.facts.region_id),
                "agents": sum(1 for _ in sim.world.roots()),
                "children": sum(1 for _ in sim.world.children()),
                "fps": round(rates.on_time, 2),
                "made_up": round(rates.made_up, 2),
                "steps": round(rates.steps, 2),
                "dilation": round(sim.world.dilation, 4),
                "prims": sim.world.objects.standing,
                "scripts": sim.scripts.counts()[0],
                "frame_ms": {"p50": percentile(durations, 0.5), "p99": percentile(durations, 0.99), "max": percentile(durations, 1.0)},
                "late_ms": {"p50": percentile(lateness, 0.5), "p99": percentile(lateness, 0.99), "max": percentile(lateness, 1.0)},
                "neighbours": [region.name for region in sim.neighbours.directory.adjacent()],
            }
        )


def _id(request: web.Request) -> UUID:
    try:
        return UUID(request.match_info["id"])
    except ValueError:
        raise ProtocolError("the path must hold a uuid") from None


async def _object(request: web.Request) -> dict[str, Any]:
    body = await request.json()
    if not isinstance(body, dict):
        raise ProtocolError("expected a JSON object")
    return body


def _error(status: int, title: str, description: str) -> web.Response:
    return web.json_response({"title": title, "description": description}, status=status)
