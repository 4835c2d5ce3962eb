"""Watching without an account: who looks into regions and is nobody there (docs/decisions/0011).

A region keeps, for everybody who stands in a neighbour, a *child agent*: a view of it without an avatar, without a
presence, from which it takes no message but those about the camera. A spectator is a child agent of every region it
sees, of one and those around it, asked for by the gateway with the grid's secret; there is no region in which it stands.
It is put together of a client's parts that see, and of none that acts.

    gateway -- GET /regions --> Backbone
            -- POST /services/agents {reason: "child"} --> each region: {seed_capability}
            == UseCircuitCode, RegionHandshake, AgentUpdate (camera) == each region
            -- DELETE /services/agents/{id} --> each region, at the end
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import secrets
from typing import Any
from uuid import uuid4

import aiohttp

from protocol.errors import ProtocolError
from viewer import CapError, ConnectionLost, Habits, LoginFailed, LoginRefused, ObjectCache, Region
from viewer.circuits import Circuits
from viewer.events import answered
from viewer.login import Session
from viewer.model import Vector
from viewer.neighbours import Neighbours, checked_address
from viewer.sight import Sight
from viewer.updates import AgentUpdates, camera, seen_from

log = logging.getLogger("gateway")
FIRST, LAST = "Spectator", "Watching"
FARTHEST = 512.0  # metres from the middle of the first region: beyond its neighbours
PATIENCE = aiohttp.ClientTimeout(total=6.0)
View = dict[str, Any]  # a region as Backbone's directory tells it


class Spectator:
    """Sees what a viewer sees from ``eye``, metres in the region it looks into first. It has no part that could act."""

    def __init__(
        self,
        session: Session,
        http: aiohttp.ClientSession,
        habits: Habits,
        views: tuple[View, ...],
        secret: str,
        cache: ObjectCache | None = None,
        eye: Vector = (128.0, 128.0, 25.0),
    ) -> None:
        self.circuits = Circuits(session, http, habits)
        self.circuits.cache = cache
        self.neighbours = Neighbours(self.circuits)
        self.sight = Sight(self.circuits)
        self.eye = self.sight.arrival_position = eye
        self.towards: Vector = (1.0, 0.0, 0.0)
        self._views = views
        self._secret = secret
        self._updates = AgentUpdates(self.circuits, self.neighbours, self._told)

    def look(self, eye: Vector, towards: Vector) -> None:
        """Stand with the camera at ``eye``, looking along ``towards``. What is too far away or no direction is refused."""
        x, y, z = towards
        length = math.sqrt(x * x + y * y + z * z)
        if math.dist(eye[:2], (128.0, 128.0)) > FARTHEST or abs(eye[2]) > 5000.0 or not 1e-3 < length < 1e3:
            raise ValueError("nobody can look from there")
        self.eye = self.sight.arrival_position = eye
        self.towards = (x / length, y / length, z / length)
        self._updates.change()

    def _told(self, region: Region) -> dict[str, Any]:
        return camera(seen_from(self.circuits.root, region, self.eye), self.towards)

    async def open(self, seeds: dict[str, str]) -> None:
        """Look into the views whose seeds are known, the first one being home. Raises as a login does."""
        circuits, neighbours = self.circuits, self.neighbours
        for view in self._views:
            seed = seeds.get(view["region_id"])
            if seed is None:
                continue
            region = neighbours.known_or_new(checked_address(view["ip"], view["port"]), handle_of(view))
            if circuits.region is None:
                shaken = circuits.events.expect("RegionHandshake", lambda heard: heard.region is circuits.region)
                circuits.region = region
                try:
                    await asyncio.gather(
                        neighbours.open_caps(region, seed),
                        answered(shaken, circuits.habits.connect_timeout, "RegionHandshake"),
                    )
                except CapError as error:
                    raise ConnectionLost(f"the seed capability: {error}") from None
                circuits.events.emit("region-changed", region)
            else:
                neighbours.learn_seed(region, seed)

    async def announce(self) -> dict[str, str]:
        """Ask the regions to show themselves: the seed capability of each that will, by its id."""
        home = self._views[0]
        seeds = await asyncio.gather(*(self._announce(home, view) for view in self._views))
        return {view["region_id"]: seed for view, seed in zip(self._views, seeds, strict=True) if seed is not None}

    async def _announce(self, home: View, view: View) -> str | None:
        (x, y, z), session = self.eye, self.circuits.session
        state = {
            "reason": "child", "agent_id": str(session.agent_id), "session_id": str(session.session_id),
            "secure_session_id": str(session.secure_session_id), "circuit_code": session.circuit_code, "spectator": True,
            "first": FIRST, "last": LAST, "look_at": [1.0, 0.0, 0.0],
            "position": [x + (home["grid_x"] - view["grid_x"]) * 256.0, y + (home["grid_y"] - view["grid_y"]) * 256.0, z],
        }  # fmt: skip
        try:
            url, headers = f"{view.get('inner_url') or view['http_url']}/services/agents", bearer(self._secret)
            async with self.circuits.http.post(url, json=state, headers=headers, timeout=PATIENCE) as reply:
                return str((await reply.json())["seed_capability"]) if reply.status == 200 else None
        except (TimeoutError, aiohttp.ClientError, json.JSONDecodeError, KeyError) as error:
            log.info("no view into %s: %s", view["name"], error)
            return None

    async def logout(self) -> None:
        """Stop looking. Never raises."""
        if not self.circuits.closed:
            params, headers = {"session_id": str(self.circuits.session.session_id)}, bearer(self._secret)
            await asyncio.gather(*(self._end(view, params, headers) for view in self._views))
        self.circuits.shut(None)
        await self.circuits.finish_tasks()

    async def _end(self, view: View, params: dict[str, str], headers: dict[str, str]) -> None:
        url = f"{view.get('inner_url') or view['http_url']}/services/agents/{self.circuits.agent_id}"
        try:
            async with self.circuits.http.delete(url, params=params, headers=headers, timeout=PATIENCE):
                return
        except (TimeoutError, aiohttp.ClientError) as error:
            log.info("the view into %s ends by itself: %s", view["name"], error)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def handle_of(view: View) -> int:
    return (view["grid_x"] * 256) << 32 | view["grid_y"] * 256


async def watch(
    grid: str,
    http: aiohttp.ClientSession,
    secret: str,
    place: tuple[str, Vector] | None,
    habits: Habits,
    cache: ObjectCache | None = None,
) -> Spectator:
    """A spectator at a place, by default over the middle of the first region that is up; ``cache`` as for ``login``.

    ``LoginRefused`` if there is no such region, ``LoginFailed`` if the grid does not answer, ``ConnectionLost`` and
    ``WaitTimeout`` as for any login.
    """
    try:
        async with http.get(f"{grid}regions", headers=bearer(secret), timeout=PATIENCE) as reply:
            known = [view for view in (await reply.json())["regions"] if view["online"]]
    except (TimeoutError, aiohttp.ClientError, json.JSONDecodeError, KeyError, TypeError):
        raise LoginFailed("the grid does not answer") from None
    wanted = place[0].casefold() if place is not None else None
    home = next((view for view in known if wanted is None or view["name"].casefold() == wanted), None)
    if home is None:
        raise LoginRefused("region", "There is no such region, or it is not running.")
    near = [
        view for view in known if view is not home and max(abs(view[n] - home[n]) for n in ("grid_x", "grid_y")) == 1
    ]
    session = Session(
        uuid4(), uuid4(), uuid4(), secrets.randbelow(2**32 - 1) + 1, (home["ip"], home["port"]), handle_of(home), "",
        FIRST, LAST, (1.0, 0.0, 0.0), "", "", None, (), {},
    )  # fmt: skip
    eye = place[1] if place is not None else (128.0, 128.0, 25.0)
    spectator = Spectator(session, http, habits, (home, *near), secret, cache, eye)
    try:
        seeds = await spectator.announce()
        if home["region_id"] not in seeds:
            raise LoginFailed("the region does not answer")
        await spectator.open(seeds)
    except ProtocolError as error:
        await spectator.logout()
        raise LoginFailed(str(error)) from None
    except BaseException:
        await spectator.logout()
        raise
    return spectator
