"""Watching without an account: a client that looks into regions and is nobody there (docs/decisions/0011).

A region keeps, for everybody who stands in a neighbour, a *child agent*: a view of it without an avatar, without a
presence, from which it takes no message but those about the camera. A spectator is a child agent of every region it
sees, of one and those around it, asked for by the gateway with the grid's secret; there is no region in which it stands.

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
from protocol.message import Message, encode
from viewer import CapError, Client, ConnectionLost, Habits, LoginFailed, LoginRefused, ObjectCache, Region
from viewer.events import answered
from viewer.login import Session
from viewer.model import Vector
from viewer.travel import checked_address

log = logging.getLogger("gateway")
FIRST, LAST = "Spectator", "Watching"
FARTHEST = 512.0  # metres from the middle of the first region: beyond its neighbours
PATIENCE = aiohttp.ClientTimeout(total=6.0)
View = dict[str, Any]  # a region as Backbone's directory tells it


class Watcher(Client):
    """Sees what a viewer sees from ``eye``, metres in ``region``; has no avatar and cannot act."""

    eye: Vector = (128.0, 128.0, 25.0)
    towards: Vector = (1.0, 0.0, 0.0)
    views: tuple[View, ...] = ()
    secret = ""

    @property
    def position(self) -> Vector:
        return self.eye

    def look(self, eye: Vector, towards: Vector) -> None:
        """Stand with the camera at ``eye``, looking along ``towards``. What is too far away or no direction is refused."""
        x, y, z = towards
        length = math.sqrt(x * x + y * y + z * z)
        if math.dist(eye[:2], (128.0, 128.0)) > FARTHEST or abs(eye[2]) > 5000.0 or not 1e-3 < length < 1e3:
            raise ValueError("nobody can look from there")
        self.eye = self.arrival_position = eye
        self.towards = (x / length, y / length, z / length)
        self._change(self._last_update)

    def _update_body(self, region: Region) -> bytes:
        home, (x, y, z), (ax, ay, az) = self.root, self.eye, self.towards
        flat = math.hypot(ax, ay)
        left = (-ay / flat, ax / flat, 0.0) if flat > 1e-6 else (0.0, 1.0, 0.0)
        up = (-az * left[1], az * left[0], ax * left[1] - ay * left[0])
        still = (0.0, 0.0, 0.0, 1.0)
        data = {
            **self.agent_block, "BodyRotation": still, "HeadRotation": still, "State": 0,
            "CameraCenter": (x + home.west - region.west, y + home.south - region.south, z),
            "CameraAtAxis": self.towards, "CameraLeftAxis": left, "CameraUpAxis": up,
            "Far": self.habits.draw_distance, "ControlFlags": 0, "Flags": 0,
        }  # fmt: skip
        return encode(Message("AgentUpdate", AgentData=data))

    async def open(self, seeds: dict[str, str]) -> None:
        """Look into the views whose seeds are known, the first one being home. Raises as a login does."""
        for view in self.views:
            seed = seeds.get(view["region_id"])
            if seed is None:
                continue
            region = self._known_or_new(checked_address(view["ip"], view["port"]), handle_of(view))
            if self.region is None:
                shaken = self.events.expect("RegionHandshake", lambda heard: heard.region is self.region)
                self.region = region
                try:
                    await asyncio.gather(
                        self._open_caps(region, seed), answered(shaken, self.habits.connect_timeout, "RegionHandshake")
                    )
                except CapError as error:
                    raise ConnectionLost(f"the seed capability: {error}") from None
                self.events.emit("region-changed", region)
            else:
                self._learn_seed(region, seed)

    async def logout(self) -> None:
        """Stop looking. Never raises."""
        if not self.closed:
            params, headers = {"session_id": str(self.session_id)}, bearer(self.secret)
            await asyncio.gather(*(self._end(view, params, headers) for view in self.views))
        await self.close()

    async def _end(self, view: View, params: dict[str, str], headers: dict[str, str]) -> None:
        url = f"{view['http_url']}/services/agents/{self.agent_id}"
        try:
            async with self._http.delete(url, params=params, headers=headers, timeout=PATIENCE):
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
) -> Watcher:
    """A spectator at a place, by default over the middle of the first region that is up; ``cache`` as for ``login``.

    ``LoginRefused`` if there is no such region, ``LoginFailed`` if the grid does not answer, ``ConnectionLost`` and
    ``WaitTimeout`` as for any login.
    """
    try:
        async with http.get(f"{grid}regions", timeout=PATIENCE) as reply:
            known = [view for view in (await reply.json())["regions"] if view["online"]]
    except (TimeoutError, aiohttp.ClientError, json.JSONDecodeError, KeyError, TypeError):
        raise LoginFailed("the grid does not answer") from None
    wanted = place[0].casefold() if place is not None else None
    home = next((view for view in known if wanted is None or view["name"].casefold() == wanted), None)
    if home is None:
        raise LoginRefused("region", "There is no such region, or it is not running.")
    near = [view for view in known if view is not home and max(abs(view[n] - home[n]) for n in ("grid_x", "grid_y")) == 1]
    session = Session(
        uuid4(), uuid4(), uuid4(), secrets.randbelow(2**32 - 1) + 1, (home["ip"], home["port"]), handle_of(home), "",
        FIRST, LAST, (1.0, 0.0, 0.0), "", "", None, (), {},
    )  # fmt: skip
    watcher = Watcher(session, http, habits)
    watcher.views, watcher.secret, watcher.cache = (home, *near), secret, cache
    if place is not None:
        watcher.eye = watcher.arrival_position = place[1]
    try:
        seeds = await asyncio.gather(*(_announce(watcher, home, view) for view in watcher.views))
        if seeds[0] is None:
            raise LoginFailed("the region does not answer")
        views = zip(watcher.views, seeds, strict=True)
        await watcher.open({view["region_id"]: seed for view, seed in views if seed is not None})
    except ProtocolError as error:
        await watcher.logout()
        raise LoginFailed(str(error)) from None
    except BaseException:
        await watcher.logout()
        raise
    return watcher


async def _announce(watcher: Watcher, home: View, view: View) -> str | None:
    """Ask a region to show itself; the seed capability, or None if it would not."""
    x, y, z = watcher.eye
    state = {
        "reason": "child", "agent_id": str(watcher.agent_id), "session_id": str(watcher.session_id),
        "secure_session_id": str(watcher.session.secure_session_id), "circuit_code": watcher.session.circuit_code,
        "first": FIRST, "last": LAST, "look_at": [1.0, 0.0, 0.0],
        "position": [x + (home["grid_x"] - view["grid_x"]) * 256.0, y + (home["grid_y"] - view["grid_y"]) * 256.0, z],
    }  # fmt: skip
    try:
        url, headers = f"{view['http_url']}/services/agents", bearer(watcher.secret)
        async with watcher._http.post(url, json=state, headers=headers, timeout=PATIENCE) as reply:
            return str((await reply.json())["seed_capability"]) if reply.status == 200 else None
    except (TimeoutError, aiohttp.ClientError, json.JSONDecodeError, KeyError) as error:
        log.info("no view into %s: %s", view["name"], error)
        return None
