"""The gateway as strangers find it: origins, tokens, limits, and what its frames hold."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from asyncio import timeout
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import numpy as np
import pytest

from tests.clients.grid import PASSWORD, Grid
from tests.kit.meshes import sculpt_map
from tests.kit.waiting import eventually
from viewer import Client, Habits, Session
from viewer.gateway import frames
from viewer.gateway.limits import Bucket, ByAddress
from viewer.gateway.link import MOST_WAITING, Link
from viewer.gateway.messages import Alert
from viewer.gateway.pictures import convert

from .friend import Friend

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def http(gateway: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway, headers={"Origin": gateway.rstrip("/")}) as session:
        yield session


async def guest(http: aiohttp.ClientSession, name: str = "Gus") -> str:
    async with http.post("/api/login", json={"guest": name}) as reply:
        assert reply.status == 200, await reply.text()
        token: str = (await reply.json())["token"]
        return token


def socket(http: aiohttp.ClientSession, token: str, **more: Any) -> Any:
    return http.ws_connect("/api/socket", protocols=("mainland.1", token), **more)


async def told(ws: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next JSON frame of that kind."""
    async with timeout(30):
        async for message in ws:
            if message.type is aiohttp.WSMsgType.TEXT and (found := json.loads(message.data))["t"] == kind:
                return dict(found)
    raise AssertionError(f"closed ({ws.close_code}) before {kind}")


async def refused(http: aiohttp.ClientSession, token: str, **more: Any) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as error:
        async with socket(http, token, **more):
            pass
    return error.value.status


async def test_the_page_comes_with_a_strict_policy(http: aiohttp.ClientSession) -> None:
    async with http.get("/") as reply:
        policy = reply.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/%2e%2e/package.json", "/..%2f..%2fpyproject.toml", "/assets/../../package.json", "/%00", "/nothing"):
        async with http.get(path) as reply:
            assert reply.status == 404, path


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://127.0.0.1:1"])
async def test_another_page_may_not_log_in_or_listen(gateway: str, http: aiohttp.ClientSession, origin: str) -> None:
    token = await guest(http)
    async with aiohttp.ClientSession(gateway, headers={"Origin": origin}) as stranger:
        async with stranger.post("/api/login", json={"guest": "Eve"}) as reply:
            assert reply.status == 403
        assert await refused(stranger, token) == 403
    async with socket(http, token) as ws:  # the refusal did not use it up
        await told(ws, "hello")


async def test_a_token_opens_once_and_a_lost_browser_comes_back(http: aiohttp.ClientSession) -> None:
    assert await refused(http, "made-up") == 403
    token = await guest(http)
    async with socket(http, token) as ws:
        hello = await told(ws, "hello")
        await told(ws, "avatar")
        ws.exception()
    assert await refused(http, token) == 403
    async with socket(http, hello["token"]) as ws:
        again = await told(ws, "hello")
        assert again["agent"] == hello["agent"] and again["token"] != hello["token"]
        await told(ws, "avatar")


async def test_a_second_window_takes_over(http: aiohttp.ClientSession) -> None:
    async with socket(http, await guest(http)) as first:
        hello = await told(first, "hello")
        async with socket(http, hello["token"]) as second:
            assert (await told(second, "hello"))["agent"] == hello["agent"]
            async with timeout(10):
                async for _ in first:
                    pass
            assert first.close_code == 4001


async def test_who_is_let_go_hears_why_before_the_line_drops(gateway: str, http: aiohttp.ClientSession) -> None:
    """A window that goes on talking while its goodbye is on the way: the gateway hears it out, or it would learn nothing."""
    async with timeout(60), Window(gateway, await guest(http)) as first:
        token = (await first.told("hello"))["token"]
        async with socket(http, token) as second:
            for at in range(3):  # the gateway has long done with the first one
                await second.send_json({"t": "ping", "at": at})
                await told(second, "pong")
            await first.say({"t": "ping", "at": 0})
            assert await first.closed() == 4001
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(first.read(1), 0.2)  # still open
            await first.say(None)
            assert await first.read(1) == b""


class Window:
    """A browser's end of a WebSocket, byte by byte."""

    def __init__(self, gateway: str, token: str) -> None:
        self._to = urlsplit(gateway)
        self._token = token

    async def __aenter__(self) -> Window:
        assert self._to.hostname is not None
        self._reader, self._writer = await asyncio.open_connection(self._to.hostname, self._to.port)
        lines = (
            "GET /api/socket HTTP/1.1", f"Host: {self._to.netloc}", f"Origin: http://{self._to.netloc}",
            "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", f"Sec-WebSocket-Protocol: mainland.1, {self._token}",
        )  # fmt: skip
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert (await self._reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._writer.transport.abort()

    async def read(self, size: int) -> bytes:
        return await self._reader.read(size)

    async def _frame(self) -> tuple[int, bytes]:
        """(kind, words)"""
        kind, size = await self._reader.readexactly(2)
        if size >= 126:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
        return kind & 15, await self._reader.readexactly(size)

    async def told(self, what: str) -> dict[str, Any]:
        while True:
            kind, words = await self._frame()
            if kind == 1 and (found := json.loads(words))["t"] == what:
                return dict(found)

    async def closed(self) -> int:
        """The code it is closed with."""
        while True:
            kind, words = await self._frame()
            if kind == 8:
                return int.from_bytes(words[:2], "big")

    async def say(self, command: dict[str, Any] | None) -> None:
        """A command; None closes."""
        words = b"\x03\xe8" if command is None else json.dumps(command).encode()
        self._writer.write(bytes([0x88 if command is None else 0x81, 0x80 | len(words)]) + bytes(4) + words)
        await self._writer.drain()


async def quiet(http: aiohttp.ClientSession) -> Client:
    """A client to whom nothing happens."""
    who = UUID(int=1)
    session = Session(
        who, who, who, 1, ("127.0.0.1", 9), 1 << 40, "http://127.0.0.1:9/", "Gus", "", (1.0, 0.0, 0.0), "", "", None, (), {}
    )
    return Client(session, http, Habits())


class Deaf:
    """A socket whose browser takes nothing."""

    closed: Any = False

    def __aiter__(self) -> Deaf:
        return self

    async def __anext__(self) -> Any:
        await asyncio.Event().wait()

    async def send_str(self, words: str) -> None:
        await asyncio.Event().wait()

    async def close(self, code: int, message: bytes) -> None:
        self.closed = code
        await asyncio.Event().wait()


async def test_who_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viewer.gateway.link.GOODBYE", 0.05)
    async with aiohttp.ClientSession() as http:
        client = await quiet(http)
        await let_go(Link.acting(client, Counter()), Deaf())
        await client.close()


async def let_go(link: Link, deaf: Deaf) -> None:
    serving = asyncio.create_task(link.serve(cast(Any, deaf), "Grid", "token"))
    await eventually(lambda: link.socket is deaf, what="the browser")
    most = 0
    for _ in range(100):
        await asyncio.sleep(0)
        link.tell(Alert(text="x" * 1_000_000))
        most = max(most, link._waiting_bytes)
    async with timeout(10):
        await serving
    assert deaf.closed == 4002 and link.socket is None and link.count["too slow"] == 1
    assert most < MOST_WAITING + 2e6


async def test_leaving_ends_the_session(grid: Grid, http: aiohttp.ClientSession) -> None:
    async with socket(http, await guest(http)) as ws:
        hello = await told(ws, "hello")
        await told(ws, "avatar")
        await ws.send_json({"t": "leave"})
        async with timeout(10):
            async for _ in ws:
                pass
        assert ws.close_code == 4000
    assert await refused(http, hello["token"]) == 403
    await asyncio.to_thread(grid.settled, hello["agent"], None)  # said goodbye: nobody waits for a ghost to time out


@pytest.mark.parametrize(
    "nonsense",
    ["", "[]", "{", '{"t":"serve"}', '{"t":"__init__"}', '{"t":"keys"}', '{"t":"keys","flags":-1,"yaw":0}',
     '{"t":"keys","flags":1,"yaw":1e400}', '{"t":"say","text":5}', '{"t":"touch","n":{}}', "[" * 4000,
     '{"t":"teleport","region":"x","position":[1,2]}', '{"t":"im","to":"x","text":"y"}'],
)  # fmt: skip
async def test_nonsense_ends_the_connection_and_nothing_else(http: aiohttp.ClientSession, nonsense: str) -> None:
    async with socket(http, await guest(http)) as ws:
        await told(ws, "hello")
        for _ in range(25):
            await ws.send_str(nonsense)
        async with timeout(10):
            async for _ in ws:
                pass
        assert ws.close_code == 4003
    async with http.get("/health") as reply:
        assert reply.status == 200


async def test_a_command_too_large_ends_the_connection(http: aiohttp.ClientSession) -> None:
    async with socket(http, await guest(http)) as ws:
        await told(ws, "hello")
        await ws.send_str("x" * 100_000)
        async with timeout(10):
            async for _ in ws:
                pass
        assert ws.close_code == 1009


@pytest.mark.parametrize(
    ("form", "status"),
    [({"guest": "<b>"}, 400), ({"guest": "x" * 40}, 400), ({"guest": 5}, 400), ({"first": "A"}, 400), ([], 400),
     ({"first": "No", "last": "One", "password": "wrong"}, 403), ({"guest": "Ok", "place": {"region": "a&b"}}, 400),
     ({"guest": "Ok", "place": {"region": "Harbour", "position": [1, 2, float("nan")]}}, 400)],
)  # fmt: skip
async def test_bad_logins_are_told_why(http: aiohttp.ClientSession, form: Any, status: int) -> None:
    async with http.post("/api/login", json=form) as reply:
        assert reply.status == status
        assert set(await reply.json()) == {"title", "description"}


async def test_an_account_enters_and_land_arrives(grid: Grid, http: aiohttp.ClientSession) -> None:
    who = grid.account()
    async with http.post("/api/login", json={"first": who.first, "last": who.last, "password": PASSWORD}) as reply:
        token = (await reply.json())["token"]
    async with socket(http, token) as ws, asyncio.timeout(30):
        assert (await told(ws, "hello"))["agent"] == who.agent_id
        async for message in ws:
            if message.type is aiohttp.WSMsgType.BINARY and message.data[0] == frames.LAND:
                deltas = np.frombuffer(zlib.decompress(message.data[9:]), "<u2")
                heights = np.cumsum(deltas, dtype=np.uint16).astype(float)
                assert heights.shape == (65536,) and np.ptp(heights) > 100
                break


async def visit(grid: Grid, http: aiohttp.ClientSession, region: str, prims: int) -> bytes:
    """Come as a guest, leave when that many prims are known; all that was told of them."""
    place = {"region": region, "position": [128, 128, 40]}
    async with http.post("/api/login", json={"guest": "Gus", "place": place}) as reply:
        token = (await reply.json())["token"]
    heard = b""
    async with socket(http, token) as ws, timeout(60):
        agent = (await told(ws, "hello"))["agent"]
        async for message in ws:
            if message.type is aiohttp.WSMsgType.BINARY and message.data[0] == frames.OBJECTS:
                heard += message.data
            elif message.type is aiohttp.WSMsgType.TEXT and (found := json.loads(message.data))["t"] == "stats":
                if found.get("seen", 0) >= prims:
                    break
        await ws.send_json({"t": "leave"})
    await asyncio.to_thread(grid.settled, agent, None)  # it sees no more
    return heard


async def remembered(http: aiohttp.ClientSession) -> dict[str, int]:
    async with http.get("/metrics") as reply:
        rows = [line.split() for line in (await reply.text()).splitlines() if line.startswith("gateway_cache")]
    return {name.removeprefix("gateway_cache_"): int(value) for name, value in rows}


async def test_who_comes_later_is_told_only_what_changed(grid: Grid, http: aiohttp.ClientSession) -> None:
    friend = Friend(grid, grid.far, (128, 128, 40))
    ben = await asyncio.to_thread(friend.__enter__)
    try:
        things = [await asyncio.to_thread(ben.rez, (124.0 + n, 124.0, 30.0)) for n in range(6)]
        seen = sum(len(r.entities) - len(r.avatars) for r in ben.me.regions.values())
        await visit(grid, http, grid.far.name, seen)
        before = await remembered(http)
        assert before["objects"] >= 6 and before["bytes"] > 6 * 300
        await asyncio.to_thread(ben.form, things[0], sculpt_map(), 1)
        await eventually(lambda: things[0].extra_params, what="the new form")
        told = await visit(grid, http, grid.far.name, seen)
        after = await remembered(http)
        assert things[0].extra_params[-17:] in told
        assert after["hits_total"] - before["hits_total"] >= 5
        # One thing is asked for, unless somebody else behind this gateway was there when it changed.
        assert after["misses_total"] - before["misses_total"] <= 1
    finally:
        await asyncio.to_thread(friend.__exit__, None, None, None)


def test_land_survives_its_frame() -> None:
    heights = np.random.default_rng(1).uniform(-300, 300, (256, 256)).astype(np.float32)
    heights[3, 4] = np.nan
    data = frames.land(256000, 256256, heights)
    assert struct.unpack_from("<Bii", data) == (frames.LAND, 256000, 256256)
    steps = np.cumsum(np.frombuffer(zlib.decompress(data[9:]), "<u2"), dtype=np.uint16)
    read = (steps.astype(float) - 32768) / 100
    assert np.abs(read.reshape(256, 256) - np.nan_to_num(heights)).max() < 0.006


def test_buckets_fill_with_time() -> None:
    bucket = Bucket(2, 4, 0.0)
    assert [bucket.take(0.0) for _ in range(5)] == [True] * 4 + [False]
    assert bucket.take(0.5) and not bucket.take(0.5)
    few = ByAddress(1, 1, most=2)
    assert few.take("a", 0) and few.take("b", 0) and not few.take("c", 0)
    assert few.take("c", 10)  # the idle ones were forgotten


@pytest.mark.parametrize("raw", [b"", b"\xff\x4f\xff\x51" + bytes(200), b"GIF89a" + bytes(50), bytes(1000)])
def test_a_picture_that_is_none(raw: bytes) -> None:
    assert convert(raw, 256) is None
