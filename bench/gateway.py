"""What browsers cost the gateway between them and the grid. `python -m bench.gateway --json`

A fresh 1 x 1 grid for each crowd. The browsers are WebSockets of this process that speak as the page does: each comes as a
guest, walks, turns every three seconds, and answers each second's figures with a ping; all see each other. Memory is what
the gateway adds to the machine (PSS), processor time its own. The first browser of each crowd presses a key now and then
and times when its own avatar moves, which goes through gateway and region and back: 3 frames of 22 ms at the most.

The limits in the same run: an idle gateway, and 30 frames of motions a second to each browser.

Then how a browser comes to see a region of 30,000 prims (`bench/scenes/prims_30000.toml`): the first visit of all through
this gateway, and again, when the gateway remembers what it was told. Seconds run from the login's first byte until the last
prim has come to the browser.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import struct
import time
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from bench.kit import BenchGrid, arguments, milliseconds, running_grid, show, told

MOTIONS, OBJECTS = 2, 3  # kinds of frames and their layout: viewer/gateway/frames.py
_MOTION = struct.Struct("<IIB3f4h")
LONGER = 3  # fields with a byte of length behind the texture entry
_BEFORE_TEXT = struct.Struct("<IiiBB3f23sB4s")
SCENE = Path(__file__).parent / "scenes" / "prims_30000.toml"
FORWARD = 1  # control flag
TURN_EVERY = 3.0


class Browser:
    """One page's worth of traffic."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.frames = self.bytes = 0
        self.delays: list[float] = []
        self.closed: int | None = None  # how the gateway ended it
        self._own = 0
        self._pressed: float | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def enter(self, http: aiohttp.ClientSession, address: str, region: str, spot: tuple[float, float]) -> None:
        """Log in as a guest and open the socket."""
        form = {"guest": f"Visitor{self.number}", "place": {"region": region, "position": [*spot, 30.0]}}
        async with http.post(f"{address}api/login", json=form) as reply:
            answer = await reply.json()
            if reply.status != 200:
                raise SystemExit(f"the gateway refused guest {self.number}: {answer}")
        self._socket = await http.ws_connect(
            f"{address}api/socket", protocols=("mainland.1", answer["token"]), max_msg_size=1 << 26
        )

    async def tell(self, kind: str, **fields: Any) -> None:
        if self._socket is not None and self.closed is None:
            with contextlib.suppress(ConnectionError):  # what became of the socket is `read`'s to tell
                await self._socket.send_str(json.dumps({"t": kind, **fields}))

    async def read(self) -> None:
        """Take frames until the socket closes."""
        assert self._socket is not None
        async for message in self._socket:
            data = message.data
            self.frames += 1
            self.bytes += len(data)
            if isinstance(data, bytes):
                if self._pressed is not None and data[0] == MOTIONS and self._moves(data):
                    self.delays.append(time.monotonic() - self._pressed)
                    self._pressed = None
            elif data.startswith('{"t":"stats"'):
                await self.tell("ping", at=round(time.monotonic() * 1000))
            elif data.startswith('{"t":"avatar"') and '"own":true' in data:
                self._own = json.loads(data)["n"]
        self.closed = self._socket.close_code

    def _moves(self, data: bytes) -> bool:
        """Whether a frame of motions shows the own avatar with a speed."""
        at = 1
        while at < len(data):
            number, _, flags, *_ = _MOTION.unpack_from(data, at)
            at += _MOTION.size
            vectors = [struct.unpack_from("<3f", data, at + 12 * n) for n in range(flags.bit_count())]
            at += 12 * len(vectors)
            if number == self._own:
                return bool(flags & 1) and math.hypot(*vectors[0]) > 0.5
        return False

    async def walk(self) -> None:
        """Turn somewhere else every few seconds and walk on."""
        await asyncio.sleep(random.uniform(0, TURN_EVERY))
        while True:
            await self.tell("keys", flags=FORWARD, yaw=random.uniform(-math.pi, math.pi))
            await asyncio.sleep(TURN_EVERY)

    async def press(self) -> None:
        """Stand, press a key, time the first step; again and again."""
        while True:
            await self.tell("keys", flags=0, yaw=0.0)
            await asyncio.sleep(random.uniform(1.2, 1.4))
            self._pressed = time.monotonic()
            await self.tell("keys", flags=FORWARD, yaw=random.uniform(-math.pi, math.pi))
            await asyncio.sleep(0.6)

    async def leave(self) -> None:
        await self.tell("leave")
        if self._socket is not None:
            await self._socket.close()


async def crowd(grid: BenchGrid, count: int, seconds: float) -> dict[str, Any]:
    status = grid.status()
    process = {entry["name"]: psutil.Process(entry["pid"]) for entry in status["processes"] if entry["pid"]}
    gateway, region = process["web"], process[status["regions"][0]["name"]]
    idle = gateway.memory_full_info().pss
    browsers = [Browser(number) for number in range(count)]
    async with aiohttp.ClientSession(headers={"Origin": grid.web_uri.rstrip("/")}) as http:
        tasks: list[asyncio.Task[None]] = []
        began = time.monotonic()
        for browser in browsers:  # at 9 places in 10 m squares, so that all are in sight of each other
            spot = (108.0 + 20 * (browser.number % 3), 108.0 + 20 * (browser.number // 3 % 3))
            await browser.enter(http, grid.web_uri, status["regions"][0]["name"], spot)
            tasks.append(asyncio.create_task(browser.read()))
        arrived = time.monotonic() - began
        tasks += [asyncio.create_task(browser.walk()) for browser in browsers[1:]]
        tasks += [asyncio.create_task(browser.press()) for browser in browsers[:1]]
        await asyncio.sleep(8.0)  # until everybody has been told the scene

        def mark() -> tuple[float, float, float, float, int, int]:
            sums = (sum(b.frames for b in browsers), sum(b.bytes for b in browsers))
            used = [sum(each.cpu_times()[:2]) for each in (gateway, region)]
            return time.monotonic(), *used, time.process_time(), *sums

        before = mark()
        for browser in browsers:
            browser.delays.clear()
        await asyncio.sleep(seconds)
        after = mark()
        span, web, sim, own, frames, size = (now - then for now, then in zip(after, before, strict=True))
        full = gateway.memory_full_info().pss
        delays = milliseconds(browsers[0].delays) if browsers and browsers[0].delays else {}
        if lost := [browser.closed for browser in browsers if browser.closed is not None]:
            raise SystemExit(f"{len(lost)} browsers were let go: {sorted(set(lost))}")
        await asyncio.gather(*(browser.leave() for browser in browsers))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "browsers": count,
        "MB": round(full / 1e6, 1),
        "MB a browser": round((full - idle) / 1e6 / count, 2) if count else None,
        "core %": round(100 * web / span, 1),
        "core % a browser": round(100 * web / span / count, 2) if count else None,
        "frames/s each": round(frames / span / max(1, count), 1),
        "KiB/s each": round(size / 1024 / span / max(1, count), 1),
        "key to own step p50 ms": delays.get("p50 ms"),
        "p95 ms": delays.get("p95 ms"),
        "arrival s": round(arrived, 1),
        "region core %": round(100 * sim / span, 1),
        "bench core %": round(100 * own / span, 1),
    }


def described(data: bytes) -> list[int]:
    """Numbers of the things in a frame of objects."""
    found, at = [], 1
    while at < len(data):
        found.append(_BEFORE_TEXT.unpack_from(data, at)[0])
        at += _BEFORE_TEXT.size
        for _ in range(2):  # hover text, texture entry
            at += 2 + int.from_bytes(data[at : at + 2], "little")
        for _ in range(LONGER):
            at += 1 + data[at]
    return found


async def arrival(grid: BenchGrid, what: str, prims: int) -> dict[str, Any]:
    """A browser comes, waits for every prim, and leaves."""
    status = grid.status()
    process = {entry["name"]: psutil.Process(entry["pid"]) for entry in status["processes"] if entry["pid"]}
    name = status["regions"][0]["name"]
    browser, known, size = Browser(1), set[int](), 0
    async with aiohttp.ClientSession(headers={"Origin": grid.web_uri.rstrip("/")}) as http:

        async def figures() -> dict[str, float]:
            async with http.get(f"{grid.web_uri}metrics") as reply:
                lines = [line.split() for line in (await reply.text()).splitlines()]
            told = {key.removeprefix("gateway_cache_"): float(value) for key, value in lines}
            return {**told, "web": sum(process["web"].cpu_times()[:2]), "sim": sum(process[name].cpu_times()[:2])}

        before, began = await figures(), time.monotonic()
        await browser.enter(http, grid.web_uri, name, (128.0, 128.0))
        assert browser._socket is not None
        async with asyncio.timeout(300):
            while len(known) < prims:
                message = await browser._socket.receive()
                size += len(message.data or b"")
                if isinstance(message.data, bytes) and message.data[0] == OBJECTS:
                    known.update(described(message.data))
        seconds, after = time.monotonic() - began, await figures()
        used = {key: value - before.get(key, 0) for key, value in after.items()}
        await browser.leave()
    return {
        "visit": what, "prims shown": len(known), "seconds": round(seconds, 2), "MB to the browser": round(size / 1e6, 1),
        "from cache": round(used["hits_total"]), "asked for": round(used["misses_total"]),
        "gateway cpu s": round(used["web"], 2), "region cpu s": round(used["sim"], 2), "cache MB": round(after["bytes"] / 1e6, 1),
    }  # fmt: skip


def main() -> None:
    given = arguments(__doc__, browsers="0,1,20,100", seconds=15.0, scene=str(SCENE))
    rows = []
    for count in given.browsers.split(","):
        with running_grid("1x1") as grid:
            rows.append(told(asyncio.run(crowd(grid, int(count), given.seconds))))
    with running_grid("1x1", given.scene) as grid:
        prims = grid.region("Harbour")["prims"]
        arrivals = [asyncio.run(arrival(grid, what, prims)) for what in ("first", "again")]
    if given.json:
        show("gateway", rows, True, arrivals=arrivals)
        return
    show("gateway", rows, False)
    show("a region of many prims", arrivals, False)


if __name__ == "__main__":
    main()
