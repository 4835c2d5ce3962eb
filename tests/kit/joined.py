"""Regions side by side in the test's own process, on one manual clock: what one asks of another is answered at once.

    west, east = joined((1000, 1000), (1001, 1000))
    west_link = west.link            # faults on demand: see `Link`
    run([west, east], 2.0)           # frames of all, with everything that is spawned between them
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from aiohttp import web

from protocol.wellknown import NULL
from sim.clock import ManualClock
from sim.neighbours.peers import PeerError
from sim.neighbours.state import HandOff, Reason
from sim.scripts.language.program import Program, compile_script
from tests.kit.world import TestSimulator, Viewer, add_child, add_region, make_sim


class Link:
    """What happens to the calls a region gets. Counts what came and keeps the bodies of hand-overs."""

    def __init__(self) -> None:
        self.lost_answers = 0  # so many next calls are done, but the caller does not hear
        self.lost_calls = 0  # so many next calls do not arrive
        self.dead = False  # nobody is there
        self.stopped = False  # no frames; nothing is answered, and all of it done at `resume`
        self.waiting: list[Callable[[], Awaitable[Any]]] = []
        self.gate = asyncio.Event()  # calls wait for it
        self.gate.set()
        self.handed: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str]] = []

    async def resume(self) -> None:
        """It runs again, and finds what was asked of it meanwhile, though the callers have gone."""
        self.stopped = False
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            await call()


class FakeRequest:
    """As much of an HTTP request as the services look at."""

    def __init__(self, body: Any, match: dict[str, str], query: dict[str, str]) -> None:
        self._body, self.match_info, self.query = body, match, query

    async def json(self) -> Any:
        return json.loads(json.dumps(self._body))


def joined(*squares: tuple[int, int]) -> list[TestSimulator]:
    """A region on each grid square; each knows the others. Close them with `close_sim`."""
    clock = ManualClock()
    regions = [make_sim(f"Region {x},{y}", x, y, clock=clock) for x, y in squares]
    links = {id(sim): Link() for sim in regions}
    by_url = {sim.address.http_url: sim for sim in regions}
    for sim in regions:
        sim.world.terrain.heights[:] = 25.0
        sim.world.terrain.revision += 1
        sim.link = links[id(sim)]  # type: ignore[attr-defined]
        for other in regions:
            if other is not sim:
                add_region(
                    sim, other.world.facts.name, other.world.facts.grid_x, other.world.facts.grid_y,
                    region_id=other.world.facts.region_id, http_url=other.address.http_url, port=other.port,
                )  # fmt: skip
        sim.neighbours._directory_changed(set(), set())
        sim.scripts.compiled = _compiled  # type: ignore[method-assign]

        async def call(method: str, http_url: str, path: str, **more: Any) -> Any:
            target = by_url[http_url]
            return await _serve(target, links[id(target)], method, path, more)

        sim.neighbours.peers._call = call  # type: ignore[method-assign]
    return regions


async def _compiled(source: str, owner: UUID = NULL) -> Program:
    """At once: a thread takes real time, for which the manual clock does not wait."""
    return compile_script(source)


async def _serve(sim: TestSimulator, link: Link, method: str, path: str, more: dict[str, Any]) -> Any:
    link.calls.append((method, path))
    more = json.loads(json.dumps(more))  # what is sent later is what was said now
    await asyncio.sleep(0)
    if link.dead:
        raise PeerError(0, "nobody there", nobody=True)
    await link.gate.wait()
    if link.dead:
        raise PeerError(0, "it died meanwhile")
    if link.stopped:
        link.waiting.append(lambda: _route(sim, method, path, more))
        raise PeerError(0, "no answer")
    if link.lost_calls:
        link.lost_calls -= 1
        raise PeerError(0, "no answer")
    if path == "/services/objects":
        link.handed.append(more["json"])
    reply = await _route(sim, method, path, more)
    if link.lost_answers:
        link.lost_answers -= 1
        raise PeerError(0, "no answer")
    if reply.status >= 400:
        raise PeerError(reply.status, str(reply.text))
    return json.loads(reply.body) if reply.status == 200 else None  # type: ignore[arg-type]


async def _route(sim: TestSimulator, method: str, path: str, more: dict[str, Any]) -> web.Response:
    services = sim.services
    parts = path.split("/")[2:]
    request: Any = FakeRequest(more.get("json"), {"id": parts[1]} if len(parts) > 1 else {}, more.get("params") or {})
    table = {
        ("POST", "agents", 1): services.announce,
        ("DELETE", "agents", 2): services.end,
        ("POST", "agents", 3): services.departed,
        ("POST", "objects", 1): services.take_object,
        ("POST", "handovers", 3): services.void,
        ("POST", "chat", 1): services.chat,
    }
    return await table[method, parts[0], len(parts)](request)


async def run(regions: Sequence[TestSimulator], seconds: float) -> None:
    """Frames of all regions, and between them whatever was spawned."""
    clock = regions[0].clock
    end = clock.now() + seconds
    while clock.now() < end:
        for sim in regions:
            if not sim.link.stopped:  # type: ignore[attr-defined]
                sim.frame.once(clock.now())
        for _ in range(8):
            await asyncio.sleep(0)
        clock.advance(1 / 45)


def look_in(viewer: Viewer, there: TestSimulator) -> Viewer:
    """The viewer's child circuit in another region, as if the neighbours had made it: same agent, same session."""
    known = there.world.agents.get(viewer.id)
    agent = viewer.agent
    state = HandOff(
        Reason.CHILD, agent.agent_id, agent.session_id, agent.secure_session_id, agent.circuit_code, agent.first, agent.last,
        (128.0, 128.0, 30.0),
    )  # fmt: skip
    looking = add_child(there, state=state) if known is None or known.circuit is None else Viewer(there, known, known.circuit)  # type: ignore[arg-type]
    there.sessions.handshake_replied(looking.agent, 0)
    return looking


def agents_of(regions: Sequence[TestSimulator], agent_id: UUID) -> list[TestSimulator]:
    """The regions in which that person has an avatar."""
    return [sim for sim in regions if (agent := sim.world.agents.get(agent_id)) is not None and agent.root]
