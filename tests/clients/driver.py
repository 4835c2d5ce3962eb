"""One client in a process of its own, talked to in JSON lines.

pytest orchestrates clients of different make at once: each runs in its own process (and its own language), takes
one JSON object a line on stdin and prints one a line on stdout:

    -> {"ticket": 3, "do": "say", "text": "hello"}
    <- {"ticket": 3, "ok": true, "value": null}            or  {"ticket": 3, "ok": false, "error": "..."}
    <- {"event": "ChatFromSimulator", "body": {"ChatData": {"Message": "hello", ...}}}

Events are what the client saw: messages by their wire name, blocks as maps (Variable blocks as lists of maps), ids as
text, vectors as lists. The raw viewer in `raw/` runs inside pytest and offers the same `wait`, so that a scenario
reads the same whatever client plays a part in it.
"""
from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PATIENCE = 60.0  # seconds; conditions are usually met in milliseconds, this bounds a failing test

COMMANDS = {
    "hippo": [str(ROOT / ".venv-hippolyzer" / "bin" / "python"), str(HERE / "hippo" / "driver.py")],
    "node": ["node", str(HERE / "node" / "driver.mjs")],
}


class ClientError(Exception):
    """The client library refused or failed what it was asked to do; the text is its own."""


class Event:
    """One thing a client saw: a message's wire name and its blocks; `region` if the client tells where it came from."""

    def __init__(self, name: str, body: dict[str, Any], region: str = "") -> None:
        self.name = name
        self.body = body
        self.region = region

    def blocks(self, block: str) -> list[dict[str, Any]]:
        """All instances of a block, however the client hands single ones."""
        found = self.body.get(block, [])
        return found if isinstance(found, list) else [found]

    def __getitem__(self, path: str) -> Any:
        """`event["ChatData.Message"]`: a field of the first instance of a block."""
        block, field = path.split(".")
        return self.blocks(block)[0][field]

    def __repr__(self) -> str:
        return f"{self.name} {self.body}"


class Watcher:
    """A list of seen events that tests wait on; filled by another thread."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self._arrival = threading.Condition()
        self.ended: str | None = None

    def saw(self, event: Event) -> None:
        with self._arrival:
            self.seen.append(event)
            self._arrival.notify_all()

    def end(self, why: str) -> None:
        with self._arrival:
            self.ended = why
            self._arrival.notify_all()

    def mark(self) -> int:
        """Where the list ends now: hand it to `wait` to look only at what comes after."""
        return len(self.seen)

    def since(self, mark: int, name: str | None = None) -> Iterator[Event]:
        yield from (event for event in self.seen[mark:] if name is None or event.name == name)

    def wait(
        self,
        name: str,
        where: Callable[[Event], Any] = lambda event: True,
        since: int = 0,
        timeout: float = PATIENCE,
    ) -> Event:
        """The first event of that name after `since` for which `where` holds; AssertionError after `timeout`."""
        deadline = time.monotonic() + timeout
        position = since
        with self._arrival:
            while True:
                while position < len(self.seen):
                    event = self.seen[position]
                    position += 1
                    if event.name == name and where(event):
                        return event
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    similar = [event for event in self.seen[since:] if event.name == name][-5:]
                    names = sorted({event.name for event in self.seen[since:]})
                    raise AssertionError(
                        f"{self!r} saw no such {name} within {timeout:.0f} s {self.ended or ''}; "
                        f"last of that name: {similar}; names seen: {names}"
                    )
                self._arrival.wait(left)


class Driver(Watcher):
    """A client library in its own process. `kind` is "hippo" or "node"."""

    def __init__(self, kind: str, log: Path) -> None:
        super().__init__()
        self.kind = kind
        self.name = ""
        self.agent_id = ""
        self.arrival: dict[str, Any] = {}  # what its login told
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            COMMANDS[kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=HERE
        )
        self._answers: dict[int, dict[str, Any]] = {}
        self._next_ticket = 0
        threading.Thread(target=self._read, daemon=True).start()

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name or self._process.pid}>"

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                self._log.write(line)  # the libraries themselves print to stdout, too
                continue
            if "event" in said:
                self.saw(Event(said["event"], said["body"]))
                continue
            with self._arrival:
                self._answers[said["ticket"]] = said
                self._arrival.notify_all()
        self.end("(the client's process ended)")

    def start(self, do: str, **arguments: Any) -> int:
        """Asks for something without waiting for it; `finish` collects the answer."""
        assert self._process.stdin is not None
        self._next_ticket += 1
        self._process.stdin.write(json.dumps({"ticket": self._next_ticket, "do": do, **arguments}).encode() + b"\n")
        self._process.stdin.flush()
        return self._next_ticket

    def finish(self, ticket: int, timeout: float = 60.0) -> Any:
        """The answer to `start`. Raises ClientError with the library's own words when it failed."""
        with self._arrival:
            arrived = self._arrival.wait_for(lambda: ticket in self._answers or self.ended, timeout)
            answer = self._answers.pop(ticket, None)
        if answer is None:
            raise ClientError(f"{self!r} did not answer within {timeout:.0f} s" if not arrived else f"{self!r} ended")
        if not answer["ok"]:
            raise ClientError(answer["error"])
        return answer.get("value")

    def do(self, do: str, timeout: float = 60.0, **arguments: Any) -> Any:
        """Asks for something and waits until the library has done it."""
        return self.finish(self.start(do, **arguments), timeout)

    def position(self, of: str | None = None) -> Any:
        """Region-local [x, y, z] of an avatar as the library knows it, None if it doesn't; the own by default."""
        return self.do("avatars").get(of or self.agent_id)

    def set_keys(self, flags: int, yaw: float = 0.0) -> None:
        """Holds keys down (AgentUpdate.ControlFlags), facing `yaw` radians from east."""
        self.do("set_keys", flags=flags, yaw=yaw)

    def kill(self) -> None:
        """Ends the process without a word to the grid, as a crash does."""
        self._process.kill()
        self._process.wait(10)
        self._log.close()

    def close(self) -> None:
        """Ends the process; a client still in the world logs out first when it can."""
        if self.alive:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self._log.close()


def until(condition: Callable[[], Any], what: str, timeout: float = PATIENCE, every: float = 0.1) -> Any:
    """Asks again and again until `condition` gives something true, and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:.0f} s: {what}; last answer: {found!r}")
        time.sleep(every)
