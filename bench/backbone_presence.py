"""How much presence one Backbone process carries, and how fast people log in.

    python -m bench.backbone_presence [--agents 70000] [--seconds 5] [--json]

A real Backbone process over SQLite in a temporary folder; the load comes from this process over plain
sockets (keep-alive, one request at a time a connection), so both share the machine. Beside each read figure is
what a bare WSGI application that answers the same bytes does on the same server: the limit of the
server itself.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from sqlalchemy import insert

from backbone import passwords
from backbone.storage import accounts, inventory
from backbone.storage.database import open_engine, sqlite_url
from backbone.storage.tables import accounts as account_rows
from backbone.storage.tables import sessions as session_rows
from bench.kit import end_on_term

SECRET = "the secret of a benchmark grid"
PASSWORD = "benchmark"
PER_REGION = 100
BARE = """
from ground import green, server
green.patch()
import sys, json
from bench.kit import end_on_term
body = sys.argv[1].encode()
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
listener = server.listen("127.0.0.1", 0)
print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
server.Server(listener, app).serve()
"""


def prepare(folder: Path, agents: int, logins: int) -> tuple[list[tuple[str, str]], list[str]]:
    """Accounts with sessions (for presence) and accounts with inventories (for logins), written directly."""
    engine = open_engine(sqlite_url(folder))
    now = int(time.time())
    pairs = [(str(uuid4()), str(uuid4())) for _ in range(agents)]
    names = [f"Login{number}" for number in range(logins)]
    verifier = passwords.make_verifier(PASSWORD)
    with engine.connect().execution_options(write=True) as conn, conn.begin():
        inventory.ensure_library(conn, now)
        for at in range(0, agents, 5000):
            some = list(enumerate(pairs[at : at + 5000], at))
            conn.execute(
                insert(account_rows),
                [
                    {"agent_id": agent, "first": f"P{n}", "last": "Bench", "name_key": f"p{n} bench",
                     "verifier": "-", "created": now}
                    for n, (agent, _) in some
                ],
            )  # fmt: skip
            conn.execute(
                insert(session_rows),
                [
                    {"agent_id": agent, "session_id": session, "secure_session_id": session,
                     "circuit_code": 1, "started": now, "region_id": None, "since": None}
                    for _, (agent, session) in some
                ],
            )  # fmt: skip
        for name in names:
            accounts.create(conn, name, "Bench", verifier, now)
    engine.dispose()
    return pairs, names


@contextmanager
def process(command: list[str]) -> Iterator[tuple[psutil.Process, int]]:
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert child.stdout is not None
        port = json.loads(child.stdout.readline())["port"]
        yield psutil.Process(child.pid), port
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def request(method: str, path: str, body: Any = None) -> bytes:
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {SECRET}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class Peer:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._got = b""

    def send(self, data: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.sock.sendall(data)

    def receive(self) -> int | None:
        """The status of an answer that is complete with this read, else None."""
        piece = self.sock.recv(262144)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self._got += piece
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return None
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            return None
        self._got = body[length:]
        return int(head[9:12])


def load(port: int, connections: int, seconds: float, make: Callable[[], bytes], most: int | None = None) -> dict:
    """Closed-loop load: answers a second, latencies in ms, and answers that were not 2xx."""
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        peer = Peer(port)
        selector.register(peer.sock, selectors.EVENT_READ, peer)
        peer.send(make())
    begun = time.perf_counter()
    waits: list[float] = []
    bad, sent, running = 0, connections, connections
    while running:
        for key, _ in selector.select(5.0):
            peer = key.data
            status = peer.receive()
            if status is None:
                continue
            now = time.perf_counter()
            waits.append(now - peer.sent_at)
            bad += not 200 <= status < 300
            if now - begun < seconds and (most is None or sent < most):
                sent += 1
                peer.send(make())
            else:
                running -= 1
                selector.unregister(peer.sock)
                peer.sock.close()
    took = time.perf_counter() - begun
    waits.sort()
    return {
        "per_second": round(len(waits) / took, 1),
        "p50_ms": round(waits[len(waits) // 2] * 1e3, 2),
        "p99_ms": round(waits[int(len(waits) * 0.99)] * 1e3, 2),
        "max_ms": round(waits[-1] * 1e3, 2),
        "bad": bad,
    }


def pss_mb(running: psutil.Process) -> float:
    return round(running.memory_full_info().pss / 2**20, 1)


def login_body(name: str) -> bytes:
    struct = {
        "first": name,
        "last": "Bench",
        "passwd": "$1$" + passwords.digest(PASSWORD),
        "start": "last",
        "channel": "Bench",
        "version": "1.0.0.0",
        "options": ["inventory-root", "inventory-skeleton"],
    }
    return xmlrpc.client.dumps((struct,), "login_to_simulator").encode()


def measure(folder: Path, agents: int, logins: int, seconds: float) -> dict[str, Any]:
    pairs, names = prepare(folder, agents, logins)
    secret_file = folder / "secret"
    secret_file.write_text(SECRET)
    command = [
        sys.executable,
        "-m",
        "backbone",
        "--data",
        str(folder),
        "--port",
        "0",
        "--secret-file",
        str(secret_file),
    ]
    figures: dict[str, Any] = {"agents": agents}
    begun = time.perf_counter()
    accepts = json.dumps({"seed_capability": "http://127.0.0.1:1/caps/x", "position": [1, 2, 3]})
    with process([sys.executable, "-c", BARE, accepts]) as (_, sim_port), process(command) as (running, port):
        figures["start_seconds"] = round(time.perf_counter() - begun, 2)
        epochs: dict[str, int] = {}
        crowds = [pairs[at : at + PER_REGION] for at in range(0, len(pairs), PER_REGION)]
        regions = [str(uuid4()) for _ in crowds]
        for number, region_id in enumerate(regions):
            claim = {"name": f"Region {number}", "grid_x": 1000 + number, "grid_y": 1000, "ip": "127.0.0.1",
                     "port": 9100, "http_url": f"http://127.0.0.1:{sim_port}", "owner": str(uuid4())}  # fmt: skip
            epochs[region_id] = ask(port, request("PUT", f"/regions/{region_id}", claim))["epoch"]
        beats = [
            request("PUT", f"/regions/{region_id}/presence", {
                "epoch": epochs[region_id],
                "agents": [{"agent_id": agent, "session_id": session} for agent, session in crowd],
            })
            for region_id, crowd in zip(regions, crowds, strict=True)
        ]  # fmt: skip
        for beat in beats:
            ask(port, beat)
        figures["online"] = ask(port, request("GET", "/health"))["online"]
        figures["pss_mb"] = pss_mb(running)
        figures["heartbeats"] = load(port, 4, seconds, lambda: random.choice(beats))
        figures["heartbeats"]["agents_per_second"] = round(figures["heartbeats"]["per_second"] * PER_REGION)
        ids = [agent for agent, _ in pairs]
        sample = json.dumps(ask(port, request("GET", f"/agents/{ids[0]}/presence")))
        for beat in beats:
            ask(port, beat)  # leases ran on while we measured
        figures["reads"] = load(port, 32, seconds, lambda: request("GET", f"/agents/{random.choice(ids)}/presence"))
        figures["batch_reads_of_100"] = load(
            port, 32, seconds, lambda: request("GET", "/presence?ids=" + ",".join(random.sample(ids, 100)))
        )
        here = list(zip(regions, crowds, strict=True))

        def arrival() -> bytes:
            region_id, crowd = random.choice(here)
            agent, session = random.choice(crowd)
            place = {"region_id": region_id, "position": [1, 2, 3], "look_at": [1, 0, 0], "session_id": session}
            return request("PUT", f"/agents/{agent}/presence", place)

        figures["durable_arrivals"] = load(port, 32, seconds, arrival)
        for beat in beats[:50]:
            ask(port, beat)
        left = iter(names)
        figures["logins"] = load(port, 16, 600.0, lambda: request("POST", "/", login_body(next(left))), logins)
        figures["cpu_seconds"] = round(sum(running.cpu_times()[:2]), 1)
    with process([sys.executable, "-c", BARE, sample]) as (_, port):
        figures["bare_wsgi_reads"] = load(port, 32, seconds, lambda: request("GET", "/x"))
    return figures


def ask(port: int, data: bytes) -> Any:
    """One request on a connection of its own; the JSON of the answer."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        raw = b""
        while piece := sock.recv(262144):
            raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    if b" 2" not in head[:12]:
        raise RuntimeError(raw[:500].decode("utf-8", "replace"))
    return json.loads(body)


def main() -> None:
    parser = argparse.ArgumentParser(description="Presence and logins of one Backbone process.")
    parser.add_argument("--agents", type=int, default=70_000, help="people online")
    parser.add_argument("--logins", type=int, default=1000, help="people who log in")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    end_on_term()
    with tempfile.TemporaryDirectory(prefix="backbone-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        figures = measure(Path(folder), given.agents, given.logins, given.seconds)
    if given.json:
        print(json.dumps(figures))
        return
    print(f"{figures['online']} people online: {figures['pss_mb']} MB PSS, started in {figures['start_seconds']} s")
    print(f"{'':24}{'a second':>10}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'bad':>6}")
    for name, row in figures.items():
        if isinstance(row, dict):
            cells = f"{row['per_second']:>10}{row['p50_ms']:>9}{row['p99_ms']:>9}{row['max_ms']:>9}{row['bad']:>6}"
            print(f"{name.replace('_', ' '):24}{cells}")
    print(f"heartbeats carry {figures['heartbeats']['agents_per_second']} agents a second ({PER_REGION} a batch)")


if __name__ == "__main__":
    main()
