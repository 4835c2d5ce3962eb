"""A real grid, a gateway before it, and browsers that visit. A page that logs an error fails its test."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from tests.clients.driver import ROOT
from tests.clients.grid import Grid, running_grid
from tests.kit.waiting import until

CHROMIUM = [
    "--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
PATIENCE = 60.0  # seconds: a software renderer beside a grid on two cores


@pytest.fixture(scope="package")
def grid() -> Iterator[Grid]:
    with running_grid("web") as running:
        yield running


@pytest.fixture(scope="package")
def gateway(grid: Grid) -> Iterator[str]:
    """The address of a gateway that lets guests in."""
    argv = [sys.executable, "-m", "viewer.gateway", "--grid", grid.login_uri, "--port", "0", "--linger", "20"]
    secret = str(grid.data / "secret")
    with subprocess.Popen(
        [*argv, "--guests", secret, "--watching", secret, "--spectators", "2"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield f"http://127.0.0.1:{ready['port']}/"
        process.terminate()
        assert process.wait(20) == 0


class Visitor:
    """One browser window, and what it complained about."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        self.expected: tuple[str, ...] = ()  # words of complaints that are no fault
        page.on("console", lambda m: self._complain(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self._complain(str(error)))

    def _complain(self, words: str) -> None:
        if not any(part in words for part in self.expected):
            self.complaints.append(words)

    def until(self, condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
        """Poll from outside: the page's policy forbids the waits that playwright would run inside."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if found := condition():
                return found
            self.page.wait_for_timeout(50)
        raise AssertionError(f"not within {patience:g} s: {what}; {self.complaints}")

    def see(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    def enter(self, name: str, place: str = "", asked: str = "") -> Visitor:
        """Come as a guest, and stand. ``asked``: what follows in the address, as ``?bare``."""
        self.page.goto(self.address + asked + (f"#{place}" if place else ""))
        self.page.fill("[name=guest]", name)
        self.page.click("form.login button[type=submit]")
        self.until(lambda: self.see("window.mainland?.standing"), "standing in the world")
        return self

    @property
    def position(self) -> np.ndarray:
        """Of the own avatar, in its region."""
        return np.array(self.see("mainland.world.me.motion.position.toArray()"))

    def picture(self) -> np.ndarray:
        """What the window shows, [y, x, rgb]."""
        return np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")).astype(float)

    def say(self, words: str) -> None:
        self.page.fill(".say input", words)
        self.page.press(".say input", "Enter")

    def heard(self, words: str) -> bool:
        return words in self.page.inner_text(".log")


@pytest.fixture(scope="package")
def devtools() -> Iterator[str]:
    """One Chromium for all, and the address it takes orders at."""
    with tempfile.TemporaryDirectory(prefix="mainland-chromium-", ignore_cleanup_errors=True) as profile:
        argv = [str(shutil.which("chromium")), *CHROMIUM, f"--user-data-dir={profile}", "--remote-debugging-port=0"]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            told = Path(profile) / "DevToolsActivePort"
            port = until(lambda: told.exists() and told.read_text().partition("\n")[0], PATIENCE, "a browser")
            yield f"http://127.0.0.1:{port}"
            process.terminate()


@pytest.fixture(scope="module")  # playwright's loop runs until it is closed, and other modules have loops of their own
def browser(devtools: str) -> Iterator[Any]:
    with sync_playwright() as p:
        running = p.chromium.connect_over_cdp(devtools)
        yield running
        running.close()


@pytest.fixture
def visitor(browser: Any, gateway: str) -> Iterator[Callable[..., Visitor]]:
    """Opens windows; at the end none of them may have complained."""
    opened: list[Visitor] = []

    def open_one(width: int = 800, height: int = 500, **options: Any) -> Visitor:
        page = browser.new_page(viewport={"width": width, "height": height}, **options)
        opened.append(Visitor(page, gateway))
        return opened[-1]

    yield open_one
    for one in opened:
        one.page.close()
    assert [one.complaints for one in opened if one.complaints] == []
