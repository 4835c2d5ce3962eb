"""By which claim a process has its region, and how it ends when it has it no more."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from backbone.client import BackboneError
from sim.clock import SystemClock
from sim.host import FENCED, owner_token
from sim.neighbours.lease import Lease, LeaseLost
from sim.region import Region, Settings
from sim.world.terrain import Terrain
from sim.world.world import RegionFacts, World
from tests.backbone.kit import SECRET, Server
from tests.kit.waiting import eventually, until

ROOT = Path(__file__).resolve().parent.parent.parent


class Directory:
    """Backbone as one region's lease sees it."""

    def __init__(self, takeover: float = 600.0) -> None:
        self.refusal: BackboneError | None = None
        self.takeover = takeover
        self.claims: list[dict[str, Any]] = []
        self.given_back: list[int] = []
        self.beats = 0
        self.region: tuple[Any, int] | None = None

    async def put_region(self, region_id: UUID, **given: Any) -> dict[str, Any]:
        self.claims.append(given)
        if self.refusal is not None:
            raise self.refusal
        return {"epoch": 7, "lease_seconds": 0.03, "takeover_seconds": self.takeover}

    async def delete_region(self, region_id: UUID, epoch: int) -> None:
        self.given_back.append(epoch)

    async def beat(self) -> int:
        self.beats += 1
        if self.refusal is not None:
            raise self.refusal
        return self.beats

    def heard(self, beats: int) -> None:
        raise RuntimeError("what it told cannot be heeded, and that costs the region nothing")


def lease_of(directory: Directory) -> tuple[Lease, list[str], list[float]]:
    settings = Settings(uuid4(), "Harbour", 1000, 1000, 0)
    facts = RegionFacts(settings.region_id, settings.name, 1000, 1000)
    region = Region(settings, SystemClock(), World(facts, Terrain.natural(1000, 1000, 1)))
    ended: list[str] = []
    armed: list[float] = []
    lease = Lease(region, directory, ended.append)  # type: ignore[arg-type]
    lease.arm = armed.append
    return lease, ended, armed


async def claimed(directory: Directory) -> tuple[Lease, list[str], list[float]]:
    lease, ended, armed = lease_of(directory)
    await lease.claim("127.0.0.1", 9000, "http://127.0.0.1:9000", "")
    lease.keep(directory.beat, directory.heard)
    return lease, ended, armed


async def test_a_claim_goes_with_every_write_and_is_renewed() -> None:
    directory = Directory()
    lease, ended, armed = await claimed(directory)
    assert lease.owner.epoch == 7 and directory.region == (lease.owner.region_id, 7)
    await eventually(lambda: directory.beats > 3)
    assert not ended and len(armed) > 3 and all(400 < seconds <= 480 for seconds in armed)
    await lease.give_back()
    assert directory.given_back == [7]


@pytest.mark.parametrize("status", [404, 409])
async def test_told_that_another_has_it_the_region_ends_and_never_claims_again(status: int) -> None:
    directory = Directory()
    lease, ended, _ = await claimed(directory)
    directory.refusal = BackboneError(status, "conflict", "another claim holds the region")
    await eventually(lambda: ended)
    beats = directory.beats
    await asyncio.sleep(0.1)
    assert directory.beats == beats and len(directory.claims) == len(ended) == 1
    assert "another claim holds the region" in ended[0]
    await lease.give_back()
    assert not directory.given_back


async def test_while_backbone_is_away_the_region_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody else can claim either."""
    directory = Directory()
    lease, ended, armed = await claimed(directory)
    directory.refusal = BackboneError(0, "backbone unreachable")
    before = len(armed)
    await eventually(lambda: directory.beats > 5)
    assert not ended and len(armed) <= before + 1  # but the alarm is not put off
    directory.refusal = None
    await eventually(lambda: len(armed) > before + 3)
    lease.rest()


async def test_a_region_that_cannot_renew_ends_before_anybody_else_may_have_it() -> None:
    directory = Directory(takeover=1.0)
    lease, ended, armed = await claimed(directory)
    directory.refusal = BackboneError(503, "database away")
    await eventually(lambda: ended)
    assert "could not be renewed" in ended[0] and all(seconds <= 0.8 for seconds in armed)
    assert len(directory.claims) == 1 and lease.lost


async def test_who_finds_the_region_taken_does_not_begin() -> None:
    directory = Directory()
    directory.refusal = BackboneError(409, "conflict", "region Harbour is held by another process")
    lease, ended, armed = lease_of(directory)
    with pytest.raises(LeaseLost, match="held by another process"):
        await lease.claim("127.0.0.1", 9000, "http://127.0.0.1:9000", "")
    assert len(directory.claims) == len(ended) == 1 and not armed


# --- the folder's token


def test_the_token_of_a_folder_is_one_hosts_at_a_time(tmp_path: Path) -> None:
    """As long as a host or a region that it forked lives, another host has another token; later ones have the same."""
    script = (
        "import os, sys, time\nfrom pathlib import Path\nfrom sim.host import owner_token\n"
        "print(owner_token(Path(sys.argv[1]), 0.0), flush=True)\n"
        "pid = os.fork()\n"  # the host dies, what it forked lives on
        "if pid == 0: sys.stdin.read()\n"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert host.stdin is not None and host.stdout is not None
    token = UUID(host.stdout.readline().strip())
    host.wait(30)
    assert owner_token(tmp_path, 0.0) != token
    host.stdin.close()
    later = until(lambda: (found := owner_token(tmp_path, 0.0)) == token and found, 20)
    assert later == token


def test_a_token_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "claims.owner").write_bytes(b"\xff\xffnonsense")
    assert str(owner_token(tmp_path, 0.0)) == (tmp_path / "claims.owner").read_text().strip()


# --- two owners


class HostProcess:
    def __init__(self, folder: Path, backbone: str, region_id: UUID) -> None:
        folder.mkdir()
        (folder / "secret").write_text(SECRET)
        region = {"region_id": str(region_id), "name": "Harbour", "grid_x": 1000, "grid_y": 1000, "port": 0}
        config = {
            "secret_file": str(folder / "secret"), "backbone_url": backbone, "assets_url": "http://127.0.0.1:1",
            "regions": [region], "log_dir": str(folder),
        }  # fmt: skip
        (folder / "sims.json").write_text(json.dumps(config))
        self.log = folder / "Harbour.log"
        with (folder / "host.log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sim", "--config", str(folder / "sims.json")],
                stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
            )  # fmt: skip
        self.said: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def has(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.said if line["event"] == event]

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "backbone").start()
    yield server
    assert server.stop() == 0


def test_of_two_processes_for_a_region_one_serves(tmp_path: Path, server: Server) -> None:
    region_id = uuid4()
    first = HostProcess(tmp_path / "first", server.url, region_id)
    second = None
    try:
        until(lambda: first.has("ready"), 120)
        second = HostProcess(tmp_path / "second", server.url, region_id)
        (refused,) = until(lambda: second.has("exit"), 120)
        assert refused["code"] == FENCED and not second.has("ready")
        assert "held by another process" in second.log.read_text()
        assert not first.has("exit")
        first.end()  # it gives its claim back
        until(lambda: second.has("ready"), 60)
    finally:
        first.end()
        if second is not None:
            second.end()
