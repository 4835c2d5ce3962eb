"""Real server processes under a low limit of open files: silent crowds, slow heads, drains, stacks."""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

FILES = 300  # open files a server may have in these tests, soft and hard
CROWD = 500
APP = """
import sys, time
from ground import green
green.patch()
import json, logging, signal
from ground import server, stacks
from ground.proxies import Networks
stacks.on_signals()
logging.basicConfig(stream=sys.stderr, level=logging.INFO)
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        print(json.dumps({"slow": True}), flush=True)
        green.sleep(1.0)
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) if path == "/echo" else path.encode()
    if path == "/who":
        body = (environ["wsgi.url_scheme"] + " " + environ["REMOTE_ADDR"]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
listener = server.listen("127.0.0.1", 0)
print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
server.run_until_signal(server.Server(listener, app, trusted=Networks.parse("127.0.0.1")), (signal.SIGTERM,))
green.leave(0)
"""


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


@contextmanager
def started(command: list[str], folder: Path, limited: bool = True) -> Iterator[Running]:
    log = folder / "log.txt"
    with open(log, "ab") as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, preexec_fn=limit_files if limited else None
        )
    try:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 100)[0], log.read_text()
        line = process.stdout.readline()
        assert line, log.read_text()
        yield Running(process, json.loads(line)["port"], log)
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()  # type: ignore[union-attr]


def plain(folder: Path) -> list[str]:
    return [sys.executable, "-c", APP]


def secret(folder: Path) -> str:
    (folder / "secret").write_text("a secret long enough for all\n")
    return str(folder / "secret")


def backbone(folder: Path) -> list[str]:
    return [sys.executable, "-m", "backbone", "--data", str(folder), "--port", "0", "--secret-file", secret(folder)]


def assets(folder: Path) -> list[str]:
    return [sys.executable, "-m", "assets", "--data", str(folder / "s"), "--port", "0", "--secret-file", secret(folder)]


def gateway(folder: Path) -> list[str]:
    return [sys.executable, "-m", "viewer.gateway", "--grid", "http://127.0.0.1:9/", "--port", "0"]


def region(folder: Path, backbone_port: int) -> list[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = {
        "secret_file": secret(folder), "backbone_url": f"http://127.0.0.1:{backbone_port}",
        "assets_url": "http://127.0.0.1:9", "log_dir": str(folder), "data": str(folder),
        "regions": [{"region_id": str(uuid4()), "name": "Crowded", "grid_x": 1000, "grid_y": 1000, "port": port}],
    }  # fmt: skip
    (folder / "sims.json").write_text(json.dumps(config))
    return [sys.executable, "-m", "sim", "--config", str(folder / "sims.json")]


def meet_a_crowd(server: Running) -> None:
    crowd = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(CROWD)]
    try:
        assert server.ask("/health/live")[0] == 200, "while the crowd is there"
    finally:
        for one in crowd:
            one.close()
    for _ in range(3):
        assert server.ask("/health/live")[0] == 200, "when it has gone"
    assert server.process.poll() is None
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("kind", [plain, backbone, assets, gateway])
def test_a_silent_crowd_shuts_nobody_out(kind: Callable[[Path], list[str]], tmp_path: Path) -> None:
    with started(kind(tmp_path), tmp_path) as server:
        meet_a_crowd(server)


def test_a_silent_crowd_shuts_nobody_out_of_a_region(tmp_path: Path) -> None:
    with started(backbone(tmp_path), tmp_path, limited=False) as grid, started(
        region(tmp_path, grid.port), tmp_path
    ) as server:
        meet_a_crowd(server)


@pytest.mark.parametrize("kind", [plain, backbone, assets, gateway])
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_user_signals_print_stacks_and_end_nobody(
    kind: Callable[[Path], list[str]], number: int, tmp_path: Path
) -> None:
    with started(kind(tmp_path), tmp_path, limited=False) as server:
        os.kill(server.process.pid, number)
        until = time.monotonic() + 20
        while not re.search(r"thread 0x[0-9a-f]+ .*most recent call first", server.log.read_text(), re.IGNORECASE):
            assert time.monotonic() < until, server.log.read_text()
            time.sleep(0.02)
        assert server.ask("/health/live")[0] == 200


def test_an_accept_that_fails_is_tried_again(tmp_path: Path) -> None:
    """The files run out below the doors' own bound: nothing but the accept notices."""
    program = APP.replace("server.run_until", "from ground import doors; doors.OWN_FILES = -100\nserver.run_until")
    with started([sys.executable, "-c", program], tmp_path) as server:
        crowd = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(CROWD)]
        assert server.ask("/still-here") == (200, b"/still-here")
        for one in crowd:
            one.close()
        assert server.ask("/still-here")[0] == 200
        assert "no new connection could be accepted" in server.log.read_text()


def test_a_drain_finishes_what_is_under_way_and_says_so(tmp_path: Path) -> None:
    with started(plain(tmp_path), tmp_path, limited=False) as server:
        slow, idle = (http.client.HTTPConnection("127.0.0.1", server.port, timeout=20) for _ in range(2))
        idle.request("GET", "/first")
        answer = idle.getresponse()
        assert answer.read() == b"/first" and answer.getheader("Connection") != "close"
        slow.request("GET", "/slow")
        assert server.process.stdout is not None and b"slow" in server.process.stdout.readline()
        server.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
            except ConnectionRefusedError:
                break
            assert time.monotonic() < until
        answer = slow.getresponse()
        assert answer.read() == b"/slow" and answer.getheader("Connection") == "close"
        assert server.process.wait(10) == 0


def test_a_slow_body_is_not_waited_for_without_end_and_proxies_are_heeded(tmp_path: Path) -> None:
    program = APP.replace("server.run_until", "from ground import doors; doors.BODY_SECONDS = 0.5\nserver.run_until")
    with started([sys.executable, "-c", program], tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as slow:
            slow.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
            while slow.recv(4096):
                pass
        assert server.ask("/who") == (200, b"http 127.0.0.1")
        said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        assert server.ask("/who", said) == (200, b"https 203.0.113.9")
