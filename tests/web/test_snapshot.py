"""`mainland snapshot` on a real grid, and the browser behind it when things go wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from grid.cli import app
from tests.clients.driver import ROOT
from tests.clients.grid import Grid
from tests.kit.waiting import eventually
from viewer.chromium import BrowserFailed, chromium
from viewer.snapshot import PictureFailed, Shot, take

pytestmark = pytest.mark.timeout(300)


def test_a_picture_of_a_running_world(grid: Grid, tmp_path: Path) -> None:
    file = tmp_path / "world.png"
    view = ("--region", "Harbour", "--at", "128,100,50", "--look", "128,160,25", "--size", "480x270", "--time", "noon")
    facts = json.loads(grid.run("snapshot", *view, "-o", str(file), "--patience", "120", "--json", timeout=240))
    with Image.open(file) as opened:
        assert (opened.format, opened.size) == ("PNG", (480, 270))
        picture = np.asarray(opened.convert("RGB")).astype(float)
    sky, land = picture[:40].mean((0, 1)), picture[200:].mean((0, 1))
    assert sky[2] > sky[0] > 60 and land[1] > land[2] + 10 and picture.std() > 20
    assert facts["renderer"] == "SwiftShader" and facts["bytes"] == file.stat().st_size
    assert facts["region"] == "Harbour" and facts["complaints"] == []
    assert grid.get("/users?search=Camera")["users"] == []  # nobody came in for it


def test_whose_grid_it_is_may_look_though_it_is_shown_to_nobody(
    grid: Grid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(page: str) -> bool:
        return False

    monkeypatch.setattr("grid.snapshot_cli._may_watch", nobody)
    file = tmp_path / "world.png"
    view = ("--region", "Harbour", "--at", "128,100,50", "--look", "128,160,25", "--size", "64x48", "--time", "noon")
    asked = ("snapshot", "--data", str(grid.data), *view, "-o", str(file), "--patience", "120", "--json")
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    with Image.open(file) as opened:
        assert opened.size == (64, 48) and np.asarray(opened.convert("RGB")).std() > 20


def test_a_region_that_is_not_there_is_said_before_a_browser_starts(grid: Grid, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="there is no region 'Atlantis'") as failure:
        grid.run("snapshot", "--region", "Atlantis", "--at", "1,1,1", "--look", "2,2,2", "-o", str(tmp_path / "a.png"))
    assert "Harbour" in str(failure.value)


async def test_a_page_that_is_not_built_is_said(grid: Grid, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "viewer.gateway", "--grid", grid.login_uri, "--port", "0", "--page", str(tmp_path)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        port = json.loads(gateway.stdout.readline())["port"]
        with pytest.raises(PictureFailed, match="The page is not built"):
            await take(f"http://127.0.0.1:{port}/", Shot("Harbour", (1, 1, 50), (9, 9, 20), (64, 64)))
        gateway.terminate()


async def test_the_browser_says_what_is_wrong_and_leaves_nothing_behind() -> None:
    async with chromium() as browser:
        tab = await browser.tab(200, 100)
        await tab.open("data:text/html,<title>here</title><script>console.error('oh', 1)</script>")
        assert await tab.until("document.title", "a title") == "here"
        await eventually(lambda: tab.complaints == ["oh 1"], what="the page's complaint")
        with pytest.raises(BrowserFailed, match="ReferenceError: nothing is not defined"):
            await tab.see("nothing.there")
        with socket.socket() as nobody, pytest.raises(BrowserFailed, match="ERR_CONNECTION_REFUSED"):
            nobody.bind(("127.0.0.1", 0))
            await tab.open(f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        with pytest.raises(BrowserFailed, match=r"not within 0.2 s: the moon"):
            await tab.until("window.moon", "the moon", 0.2)
        process = browser._process.pid
        os.killpg(process, signal.SIGKILL)
        with pytest.raises(BrowserFailed, match="Chromium ended"):
            while True:  # the first may still be on its way
                await tab.see("1")
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
