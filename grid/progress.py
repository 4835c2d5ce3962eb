"""What a person sees while a grid starts: one live line a process on a terminal, plain lines elsewhere.

All take the same events, the supervisor's (see supervisor.py); `tick` lets a live display move between events.
"""

import json
import sys
import time
from typing import Any, Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

PATIENCE = 4.0
"""Seconds after which a start deserves a word on why it takes so long."""
COLD = "the first start compiles the world's kernels; later ones take a few seconds"


class Display(Protocol):
    def event(self, event: dict[str, Any]) -> None: ...
    def tick(self) -> None: ...
    def close(self) -> None: ...


def sentence(event: dict[str, Any]) -> str:
    """An event as one line of plain English; empty for events that say nothing to people."""
    kind, name = event["event"], event.get("process", "")
    if kind == "starting":
        return f"starting {name}"
    if kind == "ready":
        port = f" on port {event['port']}" if event.get("port") else ""
        return f"{name} is ready{port} ({event['seconds']:.1f} s)"
    if kind == "exit":
        again = f"; starting again in {event['again']:g} s" if "again" in event else "; its host starts it again"
        return f"{name} {event['how']}{again}"
    if kind == "stuck":
        return f"{name} has not answered for {event['seconds']} s: ending it, to start it again"
    if kind == "up":
        return f"the grid is up after {event['seconds']:.1f} s"
    return {"stopping": "stopping the grid", "stopped": "all processes have ended"}.get(kind, event.get("text", ""))


class Lines:
    """Plain lines, with the time of day when `stamped` (logs)."""

    def __init__(self, out: TextIO, stamped: bool = False):
        self.out, self.stamped = out, stamped
        self._began, self._explained = time.monotonic(), False

    def event(self, event: dict[str, Any]) -> None:
        text = sentence(event)
        if event["event"] == "up":
            self._explained = True
        if text:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S ") if self.stamped else ""
            print(stamp + text, file=self.out, flush=True)

    def tick(self) -> None:
        if not self._explained and time.monotonic() - self._began > PATIENCE:
            self._explained = True
            self.event({"event": "note", "text": COLD})

    def close(self) -> None:
        self.out.flush()


class Terminal:
    """A spinner a process until it is ready; after the start, plain lines for whatever happens."""

    def __init__(self, console: Console):
        self.console = console
        self._rows: dict[str, RenderableType] = {}
        self._began = time.monotonic()
        # No refresh thread: the supervisor forks, and forking beside threads is how locks get lost.
        self._live: Live | None = Live(console=console, auto_refresh=False)
        self._live.start()

    def event(self, event: dict[str, Any]) -> None:
        kind, name = event["event"], event.get("process", "")
        if self._live is None:
            if kind != "starting" and (text := sentence(event)):
                self.console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {text}", highlight=False)
            return
        if kind == "starting":
            self._rows[name] = Spinner("dots", Text(f" {name} starts"))
        elif kind == "ready":
            port = f"port {event['port']}" if event.get("port") else ""
            self._rows[name] = Text.assemble(("✓ ", "green"), f"{name:<12} {port:<12} {event['seconds']:5.1f} s")
        elif kind == "note":
            self._rows[event["text"]] = Text.assemble(("! ", "yellow"), event["text"])
        else:
            self.close()
            if kind != "up":  # the caller prints what a running grid is about
                self.event(event)
            return
        self.tick()

    def tick(self) -> None:
        if self._live is None:
            return
        seconds = time.monotonic() - self._began
        rows = list(self._rows.values())
        if seconds > PATIENCE:
            rows.append(Text(f"{seconds:.0f} s: {COLD}", style="dim"))
        self._live.update(Group(*rows), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.update(Group(*self._rows.values()), refresh=True)
            self._live.stop()
            self._live = None


class Pipe:
    """Events as JSON lines to the process that waits for a detached grid; silent once that one has gone."""

    def __init__(self, out: TextIO):
        self.out: TextIO | None = out

    def event(self, event: dict[str, Any]) -> None:
        if self.out is None:
            return
        try:
            print(json.dumps(event), file=self.out, flush=True)
        except (BrokenPipeError, ValueError):
            self.out = None

    def tick(self) -> None:
        pass

    def close(self) -> None:
        if self.out is not None:
            try:
                self.out.close()
            except BrokenPipeError:
                pass
            self.out = None


def for_stderr() -> Display:
    """The display that fits where stderr goes. stdout stays free for what was asked for."""
    console = Console(stderr=True)
    return Terminal(console) if console.is_terminal and not console.is_dumb_terminal else Lines(sys.stderr)
