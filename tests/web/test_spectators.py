"""Watching without an account: seen by nobody, able to do nothing, few at a time."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from tests.clients.driver import until
from tests.clients.grid import Grid, Region
from viewer.gateway import frames

from .conftest import Visitor
from .friend import Friend
from .test_browser import accessible
from .test_gateway import http, refused, socket, told

pytestmark = pytest.mark.timeout(300)
__all__ = ["http"]  # the fixture


def looking(grid: Grid, region: Region) -> tuple[int, int]:
    """How many stand in a region, and how many look into it without standing there."""
    (http_url,) = (one["http_url"] for one in grid.get("/regions")["regions"] if one["region_id"] == region.region_id)
    asking = urllib.request.Request(f"{http_url}/services/status", headers={"Authorization": f"Bearer {grid.secret}"})
    with urllib.request.urlopen(asking, timeout=20) as reply:
        status = json.load(reply)
    return int(status["agents"]), int(status["children"])


@pytest.fixture
def empty(grid: Grid) -> None:
    """Who was here before has gone: a lost browser's session lingers."""
    until(lambda: looking(grid, grid.west) == (0, 0), "nobody", 60.0)


async def watch(http: aiohttp.ClientSession, **form: Any) -> tuple[int, dict[str, Any]]:
    async with http.post("/api/watch", json=form) as reply:
        return reply.status, await reply.json()


async def test_a_spectator_sees_and_can_do_nothing(empty: None, grid: Grid, http: aiohttp.ClientSession) -> None:
    place = {"region": grid.west.name, "position": [100, 110, 40]}
    status, answer = await watch(http, place=place)
    assert status == 200
    async with socket(http, answer["token"]) as ws:
        hello = await told(ws, "hello")
        assert hello["watching"] is True
        here = await told(ws, "here")
        assert here["name"] == grid.west.name and here["position"] == place["position"]
        lands = set()
        async with asyncio.timeout(30):
            async for message in ws:
                if message.type is aiohttp.WSMsgType.BINARY and message.data[0] == frames.LAND:
                    lands.add(message.data[1:9])
                    if len(lands) == 4:
                        break
        regions = (grid.west, grid.east, grid.north, grid.far)
        await asyncio.to_thread(until, lambda: all(looking(grid, region) == (0, 1) for region in regions), "four views")
        await ws.send_json({"t": "look", "at": [400, 128, 60], "towards": [0, 1, -0.5]})
        await ws.send_json({"t": "ping", "at": 5})
        assert (await told(ws, "pong"))["at"] == 5
        with pytest.raises(urllib.error.HTTPError, match="404"):  # nobody the grid knows
            grid.presence(hello["agent"])
        for act in ("say", "touch", "teleport", "keys", "sit", "im", "typing", "fly", "map") * 2:
            await ws.send_json({"t": act, "text": "hello", "n": 1, "region": grid.east.name, "flags": 1, "yaw": 0})
        for at in ([1e9, 0, 0], [0, 0], [0, 0, None], [0, 0, float("nan")]):
            await ws.send_str(json.dumps({"t": "look", "at": at, "towards": [1, 0, 0]}))
        async with asyncio.timeout(10):
            async for _ in ws:
                pass
        assert ws.close_code == 4003  # that was nonsense enough


async def test_few_watch_at_a_time_and_leave_nothing(empty: None, grid: Grid, http: aiohttp.ClientSession) -> None:
    tokens = [(await watch(http))[1]["token"] for _ in range(2)]
    async with socket(http, tokens[0]) as first, socket(http, tokens[1]) as second:
        for ws in (first, second):
            await told(ws, "hello")
        status, answer = await watch(http)
        assert (status, answer["title"]) == (503, "full")
        for ws in (first, second):
            await ws.send_json({"t": "leave"})
            async with asyncio.timeout(10):
                async for _ in ws:
                    pass
            assert ws.close_code == 4000
    await asyncio.to_thread(until, lambda: looking(grid, grid.west) == (0, 0), "no views left")


async def test_tokens_that_nobody_uses_keep_nobody_out(empty: None, grid: Grid, http: aiohttp.ClientSession) -> None:
    hoarded = [(await watch(http))[1]["token"] for _ in range(6)]  # of two places
    status, answer = await watch(http)
    assert status == 200
    async with socket(http, answer["token"]) as ws:
        await told(ws, "hello")
        assert await refused(http, hoarded[0]) == 403
        assert (await watch(http))[0] == 200  # the other place
        assert not ws.closed
    await asyncio.to_thread(until, lambda: looking(grid, grid.west) == (0, 0), "no views left", 60.0)


async def test_there_is_nothing_to_watch_where_nothing_is(http: aiohttp.ClientSession) -> None:
    status, answer = await watch(http, place={"region": "Nowhere", "position": [1, 2, 3]})
    assert (status, answer["title"]) == (403, "refused")
    assert (await watch(http, place={"region": 5, "position": [1, 2, 3]}))[0] == 400


def test_a_link_shows_the_world(grid: Grid, visitor: Callable[..., Visitor]) -> None:
    """Whoever opens it sees a person walk, and is seen by nobody."""
    with Friend(grid, grid.west, (128, 128, 40)) as ben:
        eve = visitor(390, 780)
        eve.page.goto(f"{eve.address}?watch&sun=noon#{grid.west.name}/128/120/30")
        eve.until(lambda: eve.see("window.mainland?.standing"), "looking at the world")
        people = "[...mainland.world.things.values()].filter((t) => t.figure)"
        eve.until(lambda: eve.see(f"{people}.length") == 1, "Ben")
        accessible(eve)
        assert eve.page.locator(".chat").count() == 0
        before = eve.see(f"{people}[0].motion.position.toArray()")
        ben.do(lambda me: me.walk_to((136, 128)))
        eve.until(lambda: eve.see(f"{people}[0].motion.position.x") > before[0] + 5, "Ben walking")
        assert len(ben.me.avatars) == 1
        start = eve.see("mainland.stage.camera.position.toArray()")
        eve.page.keyboard.down("KeyW")
        eve.until(lambda: eve.see("mainland.stage.camera.position.x") > start[0] + 5, "the camera flying")
        eve.page.keyboard.up("KeyW")
        eve.until(lambda: "/128/12" not in eve.page.url, "the address of the new place")
        eve.page.click("text=Share")
        assert eve.page.input_value("dialog[open] input").startswith(f"{eve.address}?watch#{grid.west.name}/")
        accessible(eve)
