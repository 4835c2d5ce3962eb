"""A Chromium without a window, driven by its own DevTools protocol: JSON messages over two pipes, each ended by a zero byte.

    us --- {"id": 7, "sessionId": tab, "method": "Runtime.evaluate", "params": {...}} --> chromium
    us <-- {"id": 7, "result": {...}} and events without an id -------------------------- chromium

Pipes, because a DevTools port would be open to everybody on the machine; they also end the browser when we end. It draws
with SwiftShader, in software: the same picture on every machine, with or without a graphics card.

    async with chromium() as browser:
        tab = await browser.tab(1280, 720)
        await tab.open("http://127.0.0.1:9002/")
        await tab.until("document.title === 'Mainland'", "the page")
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from .errors import ViewerError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--remote-debugging-pipe", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--hide-scrollbars",
    "--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--disable-quic", "--mute-audio", "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
)  # fmt: skip
ANSWER = 60.0  # seconds for the answer to one command
_LARGEST = 256 << 20  # bytes of one message: a picture in base 64
# Chromium reads its commands from descriptor 3 and answers on 4; only the new process may put them there.
_EXEC = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)

Listener = Callable[[dict[str, Any]], object]


class NoChromium(ViewerError):
    """There is none on this machine."""


class BrowserFailed(ViewerError):
    """It ended, did not answer, or what it was asked to do failed; the text is its own."""


def find() -> str | None:
    """The path of the first Chromium or Chrome found."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser with a fresh profile, gone with it afterwards. Raises ``NoChromium``, ``BrowserFailed``."""
    path = find()
    if path is None:
        raise NoChromium(f"there is no Chromium here: none of {', '.join(NAMES)} is on the PATH")
    with tempfile.TemporaryDirectory(prefix="mainland-chromium-", ignore_cleanup_errors=True) as profile:
        browser = await Browser.start(path, Path(profile))
        try:
            yield browser
        finally:
            await browser.close()


class Browser:
    """One process and its pipes."""

    def __init__(
        self, process: asyncio.subprocess.Process, answers: asyncio.StreamReader, commands: Any, log: Path
    ) -> None:
        self.version = ""
        self._process = process
        self._answers = answers
        self._commands = commands
        self._log = log
        self._number = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listeners: dict[str, Listener] = {}  # by the tab's session
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, path: str, profile: Path) -> Browser:
        flags = [*FLAGS, f"--user-data-dir={profile}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # its sandbox refuses to be root's
        (theirs_in, ours_out), (ours_in, theirs_out) = _pipe(), _pipe()
        log = profile / "stderr"
        argv = [sys.executable, "-I", "-S", "-c", _EXEC, str(theirs_in), str(theirs_out), path, *flags]
        try:
            with log.open("wb") as said:
                process = await asyncio.create_subprocess_exec(
                    *argv, pass_fds=(theirs_in, theirs_out), stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said,
                    start_new_session=True,
                )  # fmt: skip
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        answers = asyncio.StreamReader(limit=_LARGEST)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(answers), os.fdopen(ours_in, "rb", 0)
        )
        browser = cls(process, answers, os.fdopen(ours_out, "wb"), log)
        try:
            browser.version = (await browser.call("Browser.getVersion"))["product"]
        except BaseException:
            await browser.close()
            raise
        return browser

    @property
    def pid(self) -> int:
        """Of its first process; the others are children of that."""
        return self._process.pid

    async def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send one command; its result. Raises ``BrowserFailed``."""
        self._number += 1
        number, answer = self._number, asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        self._waiting[number] = answer
        try:
            if self._reader.done():
                raise BrowserFailed(self._last_words())
            self._commands.write(json.dumps(message).encode() + b"\0")
            self._commands.flush()
            async with asyncio.timeout(ANSWER):
                return await answer
        except TimeoutError:
            raise BrowserFailed(f"Chromium did not answer {method} in {ANSWER:g} s") from None
        except BrokenPipeError:
            raise BrowserFailed(self._last_words()) from None
        finally:
            self._waiting.pop(number, None)

    async def _read(self) -> None:
        try:
            while True:
                self._take(json.loads((await self._answers.readuntil(b"\0"))[:-1]))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(BrowserFailed(self._last_words()))

    def _take(self, message: dict[str, Any]) -> None:
        answer = self._waiting.get(message.get("id", 0))
        if answer is not None and not answer.done():
            if "error" in message:
                answer.set_exception(BrowserFailed(str(message["error"].get("message"))))
            else:
                answer.set_result(message.get("result", {}))
        elif (listener := self._listeners.get(message.get("sessionId", ""))) is not None:
            listener(message)

    def _last_words(self) -> str:
        said = [line for line in self._log.read_text("utf-8", "replace").splitlines() if line.strip()][-3:]
        return "Chromium ended" + (f", saying: {' / '.join(said)[:600]}" if said else "")

    async def tab(self, width: int, height: int) -> Tab:
        """A window of ``width`` x ``height`` pixels; each with cookies, storage and cache of its own."""
        context = await self.call("Target.createBrowserContext")
        target = await self.call("Target.createTarget", url="about:blank", browserContextId=context["browserContextId"])
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab = Tab(self, attached["sessionId"])
        self._listeners[tab.session] = tab.heard
        for domain in ("Page", "Runtime", "Log"):
            await tab.call(f"{domain}.enable")
        # Several windows are all in front, as far as their pages know.
        await tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
        await tab.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        return tab

    async def close(self) -> None:
        """End the browser and wait until it has."""
        with suppress(BrowserFailed):
            async with asyncio.timeout(5.0):
                await self.call("Browser.close")
        with suppress(OSError):
            self._commands.close()
        try:
            await asyncio.wait_for(self._process.wait(), 5.0)
        except TimeoutError:
            pass
        with suppress(ProcessLookupError):  # what is left of its group
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)


class Tab:
    """One window. ``complaints``: errors and warnings its page wrote to the console."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser = browser
        self.session = session
        self.complaints: list[str] = []
        self._on: dict[str, Listener] = {}

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command to this window. Raises ``BrowserFailed``."""
        return await self.browser.call(method, self.session, **params)

    def on(self, event: str, listener: Listener) -> None:
        """Hear an event's parameters, such as ``Network.loadingFinished``; one listener an event."""
        self._on[event] = listener

    def heard(self, message: dict[str, Any]) -> None:
        name, params = message.get("method", ""), message.get("params", {})
        if name == "Runtime.exceptionThrown":
            self.complaints.append(_words(params["exceptionDetails"]))
        elif name == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(" ".join(str(arg.get("value", arg.get("description"))) for arg in params["args"]))
        elif name == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        if (listener := self._on.get(name)) is not None:
            listener(params)

    async def open(self, url: str) -> None:
        """Go to a page. ``BrowserFailed`` when nobody is there."""
        gone = await self.call("Page.navigate", url=url)
        if gone.get("errorText"):
            raise BrowserFailed(f"{url}: {gone['errorText']}")

    async def see(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page (a promise's is awaited). ``BrowserFailed`` if it throws."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise BrowserFailed(_words(found["exceptionDetails"]))
        return found["result"].get("value")

    async def until(self, expression: str, what: str, patience: float = 60.0) -> Any:
        """Wait until an expression is true (and no longer throws); its value. ``BrowserFailed`` after ``patience`` s."""
        end = monotonic() + patience
        while True:
            try:
                if found := await self.see(expression):
                    return found
            except BrowserFailed:  # there is no page yet, or another one by now
                if self.browser._reader.done():
                    raise
            if monotonic() > end:
                raise BrowserFailed(
                    f"not within {patience:g} s: {what}" + "".join(f"; {c}" for c in self.complaints[:3])
                )
            await asyncio.sleep(0.05)

    async def press(self, code: str, down: bool) -> None:
        """Press or release a key, by its code as ``KeyW``."""
        kind, key = ("keyDown" if down else "keyUp"), code.removeprefix("Key").lower()
        await self.call("Input.dispatchKeyEvent", type=kind, code=code, key=key, windowsVirtualKeyCode=ord(code[-1]))

    async def picture(self, kind: str = "png") -> bytes:
        """What the window shows, as png, jpeg or webp."""
        quality = {} if kind == "png" else {"quality": 86}
        return base64.b64decode((await self.call("Page.captureScreenshot", format=kind, **quality))["data"])


def _words(details: dict[str, Any]) -> str:
    thrown = details.get("exception", {})
    return str(thrown.get("description") or thrown.get("value") or details.get("text"))


def _pipe() -> tuple[int, int]:
    """(read end, write end), both out of the way of descriptors 3 and 4."""
    ends = os.pipe()
    try:
        read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    finally:
        for end in ends:
            os.close(end)
    return read, write
