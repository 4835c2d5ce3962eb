"""One real grid of processes for the scenarios, started and stopped by the `mainland` command as a user would."""
from __future__ import annotations

import http.client
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .driver import ROOT, until

PASSWORD = "correct horse"  # 13 characters: old viewers and node-metaverse send only the first 16


@dataclass(frozen=True)
class Account:
    first: str
    last: str
    agent_id: str
    password: str = PASSWORD

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


@dataclass(frozen=True)
class Region:
    """A region of the grid as Backbone's directory tells it."""

    region_id: str
    name: str
    grid_x: int
    grid_y: int
    address: tuple[str, int]

    @property
    def handle(self) -> int:
        return (self.grid_x * 256) << 32 | self.grid_y * 256

    def start(self, x: float = 128.0, y: float = 128.0, z: float = 40.0) -> str:
        """The login's start location for a spot in this region."""
        return f"uri:{self.name}&{x:g}&{y:g}&{z:g}"


class Grid:
    """A 2 x 2 grid: `west` and `east` share a border, `north` is above `west`, `far` touches `west` at a corner."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._numbers = itertools.count(1)
        self.run("up", "--regions", "2x2", "--http-port", "0", "--scene", "none", "--detach", timeout=300)
        status = json.loads(self.run("status", "--json"))
        self.login_uri: str = status["login_uri"]
        self.assets_uri: str = f"http://127.0.0.1:{next(p['port'] for p in status['processes'] if p['name'] == 'assets')}/"
        self.secret = (data / "secret").read_text().strip()
        found = [
            Region(entry["region_id"], entry["name"], entry["grid_x"], entry["grid_y"], (entry["ip"], entry["port"]))
            for entry in self.get("/regions")["regions"]
        ]
        self.west, self.north, self.east, self.far = sorted(found, key=lambda region: (region.grid_x, region.grid_y))

    def run(self, *words: str, timeout: float = 60) -> str:
        """`mainland WORDS --data DIR`; its stdout. AssertionError with all it said when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "grid", *words, "--data", str(self.data)],
            cwd=ROOT, capture_output=True, text=True, timeout=timeout,
        )
        assert done.returncode == 0, f"mainland {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def stop(self) -> None:
        self.run("down")

    # -- Backbone, as a website or a tool would ask it -----------------------------------------------------------

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.login_uri.rstrip("/") + path, None if body is None else json.dumps(body).encode(), method=method,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.secret}"},
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.loads(response.read() or b"null")

    def account(self) -> Account:
        """A fresh account nobody else uses."""
        first, last = f"Visitor{next(self._numbers)}", "Tester"
        made = self._ask("POST", "/users", {"first": first, "last": last, "password": PASSWORD})
        return Account(first, last, made["agent_id"])

    def presence(self, agent_id: str) -> str | None:
        """The name of the region the agent is in, None when offline, as the public page says."""
        found = self.get(f"/agents/{agent_id}/presence")
        assert found["online"] == (found["region_name"] is not None), found
        name: str | None = found["region_name"]
        return name

    def inside(self, region: Region) -> set[str]:
        """Ids of the agents Backbone says are in a region."""
        return {agent["agent_id"] for agent in self.get(f"/regions/{region.region_id}/agents")["agents"]}

    def settled(self, agent_id: str, region: Region | None) -> None:
        """Waits until both of Backbone's views say that the agent is in `region` alone, or offline (None)."""
        expected = region.name if region else None
        counted = [region] if region else []
        regions = (self.west, self.north, self.east, self.far)
        until(lambda: self.presence(agent_id) == expected, f"{agent_id} in {expected}")
        until(
            lambda: [place for place in regions if agent_id in self.inside(place)] == counted,
            f"{agent_id} counted in {expected} alone",
        )

    def raw_post(self, url: str, body: bytes, content_type: str = "text/xml") -> tuple[int, bytes]:
        """Any bytes to any URL; (status, body), (0, reason) when the connection was cut."""
        request = urllib.request.Request(url, body, {"Content-Type": content_type})
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
            return 0, str(error).encode()


@contextmanager
def running_grid(name: str) -> Iterator[Grid]:
    """A grid for as long as some tests run; its files go with it."""
    data = Path(tempfile.mkdtemp(prefix=f"mainland-{name}-"))
    try:
        grid = Grid(data)
        try:
            yield grid
        finally:
            grid.stop()
    finally:
        shutil.rmtree(data)
