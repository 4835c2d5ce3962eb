"""A real Backbone process on a free port, and sims that only say what they heard."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import xmlrpc.client
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
from aiohttp import web
from sqlalchemy import create_engine, text

from backbone.client import BackboneClient

SECRET = "a grid secret for tests only"
READY_SECONDS = 30.0
WAIT_SECONDS = 15.0
PASSWORD = "correct horse battery staple"  # longer than the 16 characters that some clients hash


def new_database() -> str | None:
    """URL of a new database, when BACKBONE_TEST_POSTGRES names a PostgreSQL server; else None: SQLite.

    BACKBONE_TEST_POSTGRES=postgresql+psycopg://user@host:port runs these tests on PostgreSQL instead of SQLite.
    """
    address = os.environ.get("BACKBONE_TEST_POSTGRES")
    if not address:
        return None
    name = f"backbone_{os.urandom(6).hex()}"
    with create_engine(address + "/postgres", isolation_level="AUTOCOMMIT").connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    return f"{address}/{name}"


class Server:
    """One Backbone process over a data folder; `start`, `kill` (as a crash) and `stop` may alternate."""

    def __init__(self, data: Path, *, grid_name: str = "Testgrid", more: tuple[str, ...] = ()) -> None:
        self.data = data
        self.port = 0
        self.database = new_database()
        self._more = ("--grid-name", grid_name, *more)
        self._secret_file = data / "secret"
        data.mkdir(parents=True, exist_ok=True)
        self._secret_file.write_text(SECRET + "\n")
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Server:
        command = [sys.executable, "-m", "backbone", "--data", str(self.data), "--bind", "127.0.0.1"]
        command += ["--port", str(self.port), "--secret-file", str(self._secret_file), *self._more]
        log = open(self.data / "log.txt", "a")  # noqa: SIM115
        environment = {**os.environ, **({"MAINLAND_DATABASE": self.database} if self.database else {})}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        log.close()
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], READY_SECONDS)
        line = self.process.stdout.readline() if readable else ""
        if not line:
            self.kill()
            raise AssertionError("Backbone did not start:\n" + self.log())
        ready = json.loads(line)
        assert ready["ready"] is True
        assert ready["pid"] == self.process.pid
        self.port = ready["port"]
        return self

    def kill(self) -> None:
        """kill -9: no goodbye."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self._reap()

    def stop(self) -> int:
        """SIGTERM, and wait; the exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def _reap(self) -> int:
        assert self.process is not None
        code = self.process.wait(timeout=WAIT_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    def log(self) -> str:
        return (self.data / "log.txt").read_text()

    # plain HTTP, as a stranger would ------------------------------------------------------------

    def ask(
        self, method: str, path: str, body: bytes | Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request without any client library's help: (status, headers in lower case, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        try:
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, body=data, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def ask_as_sim(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
        status, _, raw = self.ask(method, path, body, headers)
        return status, json.loads(raw) if raw else None

    def metric(self, line_start: str) -> float:
        """The value of a metric's line, 0 if it was not printed yet."""
        _, _, raw = self.ask("GET", "/metrics")
        for line in raw.decode().splitlines():
            if line.startswith(line_start):
                return float(line.rpartition(" ")[2])
        return 0.0


def md5(password: str) -> str:
    return hashlib.md5(password.encode()).hexdigest()


def login_struct(first: str, last: str, password: str = PASSWORD, start: str = "last", **more: Any) -> dict[str, Any]:
    return {
        "first": first,
        "last": last,
        "passwd": "$1$" + md5(password),
        "start": start,
        "channel": "Test Viewer",
        "version": "1.2.3.4",
        "platform": "Lin",
        "mac": md5("mac"),
        "id0": md5("id0"),
        "agree_to_tos": "true",
        "read_critical": True,
        "extended_errors": 1,
        "options": ["inventory-root", "inventory-skeleton", "buddy-list", "login-flags"],
        **more,
    }


def log_in_now(url: str, struct: dict[str, Any]) -> dict[str, Any]:
    """A login through Python's own XML-RPC library; blocks."""
    with xmlrpc.client.ServerProxy(url + "/") as proxy:
        answer: Any = proxy.login_to_simulator(struct)
    return answer


async def log_in(url: str, first: str, last: str, **more: Any) -> dict[str, Any]:
    return await asyncio.to_thread(log_in_now, url, login_struct(first, last, **more))


class FakeSim:
    """Serves what Backbone asks of a sim and keeps a record of it."""

    def __init__(self, name: str, grid_x: int = 1000, grid_y: int = 1000) -> None:
        self.region_id = str(uuid4())
        self.name, self.grid_x, self.grid_y = name, grid_x, grid_y
        self.epoch = 0
        self.agents: list[dict[str, Any]] = []  # bodies of POST /services/agents
        self.closed: list[dict[str, str]] = []  # {agent_id, session_id, reason}
        self.messages: list[dict[str, Any]] = []
        self.notifications: list[dict[str, Any]] = []
        self.refuse_agents = False
        self.message_status = 200
        self.public_url: str | None = None  # where viewers reach it, if elsewhere
        self.hang = False
        self.bad_bearers = 0
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> FakeSim:
        app = web.Application(middlewares=[self._guard])
        app.router.add_post("/services/agents", self._agent)
        app.router.add_delete("/services/agents/{id}", self._close)
        app.router.add_post("/services/messages", self._message)
        app.router.add_post("/services/notifications", self._notification)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {SECRET}":
            self.bad_bearers += 1
            raise web.HTTPUnauthorized
        if self.hang:
            await asyncio.sleep(60)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _agent(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.agents.append(body)
        if self.refuse_agents:
            raise web.HTTPServiceUnavailable
        seed = f"http://127.0.0.1:{self.port}/caps/{uuid4()}"
        return web.json_response({"seed_capability": seed, "position": body["position"], "look_at": body["look_at"]})

    async def _close(self, request: web.Request) -> web.Response:
        self.closed.append(
            {
                "agent_id": request.match_info["id"],
                "session_id": request.query["session_id"],
                "reason": request.query.get("reason", ""),
            }
        )
        return web.Response(status=204)

    async def _message(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.message_status != 200:
            return web.json_response({"title": "not here"}, status=self.message_status)
        self.messages.append(body)
        return web.json_response({"delivered": True})

    async def _notification(self, request: web.Request) -> web.Response:
        self.notifications.append(await request.json())
        return web.Response(status=204)

    # as its region ----------------------------------------------------------------------------

    async def claim(self, backbone: BackboneClient) -> FakeSim:
        lease = await backbone.put_region(
            self.region_id,
            name=self.name,
            grid_x=self.grid_x,
            grid_y=self.grid_y,
            ip="127.0.0.1",
            port=self.port or 9,
            http_url=self.public_url or f"http://127.0.0.1:{self.port}",
            inner_url=f"http://127.0.0.1:{self.port}",
        )
        self.epoch = lease["epoch"]
        return self

    async def arrive(self, backbone: BackboneClient, login: dict[str, Any]) -> dict[str, Any]:
        return await backbone.arrive(
            login["agent_id"], login["session_id"], self.region_id, (10.5, 20.5, 30.5), (0.0, 1.0, 0.0)
        )

    async def heartbeat(self, backbone: BackboneClient, *logins: dict[str, Any]) -> dict[str, Any]:
        roots = [(one["agent_id"], one["session_id"]) for one in logins]
        return await backbone.heartbeat(self.region_id, self.epoch, roots)


@asynccontextmanager
async def fake_sim(backbone: BackboneClient, name: str, grid_x: int = 1000, grid_y: int = 1000) -> Any:
    sim = await FakeSim(name, grid_x, grid_y).start()
    await sim.claim(backbone)
    try:
        yield sim
    finally:
        await sim.stop()
        await backbone.delete_region(sim.region_id, sim.epoch)


@asynccontextmanager
async def client_of(server: Server, secret: str | None = SECRET) -> Any:
    async with aiohttp.ClientSession() as session:
        yield BackboneClient(server.url, secret, session)


async def until(condition: Any, what: str) -> None:
    """Wait until the condition holds; a failure names what was waited for."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)
    assert condition(), what


def message(to_agent: str, from_agent: str, text: str = "hello", dialog: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "message_id": str(uuid4()),
        "from_agent_id": from_agent,
        "from_name": "Some One",
        "to_agent_id": to_agent,
        "dialog": dialog,
        "id": str(uuid4()),
        "message": text,
        "binary_bucket": "AA==",
        "region_id": str(uuid4()),
        "position": [1.0, 2.0, 3.0],
        "timestamp": 0,
        "from_group": False,
        "parent_estate_id": 1,
        **more,
    }


def unique(word: str) -> str:
    return f"{word}{os.urandom(4).hex()}"
