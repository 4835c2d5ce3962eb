"""A world without a world: for `mainland lsl`, for tests, and for whoever writes scripts' tests.

It implements WorldInterface over one object with any number of scripts, on a clock moved by hand, and keeps everything that
happens as occurrences: dicts of the shapes `lsl run --json` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sim.scripts.language.values import Key, Value, Vector, to_string, type_of
from sim.scripts.library.world import Detected, Listen
from sim.scripts.machine.engine import Engine
from sim.scripts.machine.scheduler import Scheduler
from sim.scripts.machine.script import Script

OWNER = Key("0a000000-0000-4000-8000-00000000000a")
OBJECT = Key("0b000000-0000-4000-8000-00000000000b")
VISITOR = Key("0c000000-0000-4000-8000-00000000000c")
START = 1_700_000_000.0  # unix time at world time 0
FRAME = 1.0 / 45.0
THIS, ALL_OTHERS, SET, ROOT, ALL_CHILDREN = -4, -2, -1, 1, -3


class FakeWorld:
    """One object, its scripts, a clock and a record of what they did."""

    def __init__(self, engine: Engine | None = None, on_occurrence: Callable[[dict[str, Any]], None] | None = None):
        self.engine = engine or Engine()
        self.scheduler = Scheduler(self.engine.stopwatch)
        self.scripts: list[Script] = []
        self.occurrences: list[dict[str, Any]] = []
        self.on_occurrence = on_occurrence
        self.now = 0.0
        self.name = "Object"
        self.region = "Nowhere"
        self.dilation = 1.0
        self.linkset_data: dict[str, tuple[str, str]] = {}
        self.failed = False

    def note(self, kind: str, script: Script, **facts: Any) -> None:
        occurrence = {"kind": kind, **facts, "time": round(self.now, 6), "script": script.name}
        self.occurrences.append(occurrence)
        if self.on_occurrence is not None:
            self.on_occurrence(occurrence)

    # --- driving it

    def add(self, source: str, name: str = "script", seed: int | None = 1) -> Script:
        """Compiles a script and starts it. Raises CompileError."""
        program = self.engine.load(source)
        script = Script(
            self.engine, program, self, name=name, owner=OWNER, object_id=OBJECT, source=source, now=self.now, seed=seed,
            scheduler=self.scheduler,
        )  # fmt: skip
        self.scripts.append(script)
        self.scheduler.wake(script)
        return script

    def settle(self, slices: int | None = None) -> int:
        """Runs everything due now, or at most so many slices (an endless loop never settles)."""
        scheduler, taken = self.scheduler, 0
        while True:
            taken += scheduler.run(self.now, 0.0)
            if scheduler.is_idle or (slices is not None and taken >= slices):
                return taken

    def advance(self, seconds: float, slices: int | None = None) -> None:
        """Moves the clock from one due moment to the next, running what is due."""
        end = self.now + seconds
        self.settle(slices)
        while True:
            due = self.scheduler.next_wake
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.settle(slices)
        self.now = end
        self.settle(slices)

    def post(self, name: str, *arguments: Value, detected: Sequence[Detected] = ()) -> None:
        for script in self.scripts:
            script.now = self.now
            script.post(name, *arguments, detected=detected)

    def touch(self, count: int = 1, by: Key = VISITOR) -> None:
        """Touches the object: touch_start, touch and touch_end, each run to its end."""
        who = Detected(key=by, name="Visitor Resident", owner=by, kind=1, position=Vector(128.0, 128.0, 25.0))
        for _ in range(count):
            for event in ("touch_start", "touch", "touch_end"):
                self.post(event, 1, detected=[who])
                self.settle()

    def say(self, channel: int, text: str, name: str = "Visitor Resident", key: Key = VISITOR) -> None:
        """Someone in reach says something."""
        for script in self.scripts:
            script.now = self.now
            script.hear(channel, name, key, text)

    @property
    def said(self) -> list[str]:
        """Every text said to people or the owner."""
        return [one["text"] for one in self.occurrences if one["kind"] in ("say", "whisper", "shout", "region", "owner")]

    # --- WorldInterface

    def chat(self, script: Script, kind: str, channel: int, text: str) -> None:
        self.note(kind, script, channel=channel, text=text)
        for other in self.scripts:
            if other is not script:
                other.hear(channel, self.name, OBJECT, text)

    def chat_to(self, script: Script, target: Key, channel: int, text: str) -> None:
        self.note("say_to", script, channel=channel, text=text, target=str(target))
        if target == OBJECT:
            for other in self.scripts:
                if other is not script:
                    other.hear(channel, self.name, OBJECT, text)

    def owner_say(self, script: Script, text: str) -> None:
        self.note("owner", script, text=text)

    def instant_message(self, script: Script, target: Key, text: str) -> None:
        self.note("im", script, target=str(target), text=text)

    def dialog(self, script: Script, avatar: Key, message: str, buttons: list[str], channel: int) -> None:
        self.note("dialog", script, avatar=str(avatar), text=message, buttons=buttons, channel=channel)

    def text_box(self, script: Script, avatar: Key, message: str, channel: int) -> None:
        self.note("text_box", script, avatar=str(avatar), text=message, channel=channel)

    def load_url(self, script: Script, avatar: Key, message: str, url: str) -> None:
        self.note("load_url", script, avatar=str(avatar), text=message, url=url)

    def listen_started(self, script: Script, listen: Listen) -> None:
        pass  # say() asks every script

    def listen_ended(self, script: Script, listen: Listen) -> None:
        pass

    def link_message(self, script: Script, link: int, number: int, text: str, key: Key) -> None:
        if link in (THIS, SET, ROOT, 0):
            for other in self.scripts:
                other.post("link_message", 0, number, text, key)

    def script_print(self, script: Script, value: Value) -> None:
        kind = type_of(value)
        shown: Any = value if kind in ("integer", "float") else to_string(value)
        self.note("print", script, type=kind, value=shown)

    def script_error(self, script: Script, message: str, line: int) -> None:
        self.failed = True
        self.note("error", script, message=message, line=line)

    def script_complaint(self, script: Script, message: str) -> None:
        self.note("complaint", script, message=message)

    def _named(self, name: str) -> Script | None:
        return next((script for script in self.scripts if script.name == name), None)

    def script_reset_other(self, script: Script, name: str) -> bool:
        other = self._named(name)
        if other is not None and other is not script:
            other.reset()
        return other is not None

    def script_running(self, script: Script, name: str) -> bool | None:
        other = self._named(name)
        return None if other is None else other.is_running

    def set_script_running(self, script: Script, name: str, running: bool) -> bool:
        other = self._named(name)
        if other is not None:
            other.set_running(running)
        return other is not None

    def ask_permissions(self, script: Script, avatar: Key, permissions: int) -> None:
        script.grant(avatar, permissions)

    def object_name(self, script: Script) -> str:
        return self.name

    def region_name(self, script: Script) -> str:
        return self.region

    def time_dilation(self, script: Script) -> float:
        return self.dilation

    def unix_time(self) -> float:
        return START + self.now

    def linkset_store(self, script: Script) -> dict[str, tuple[str, str]]:
        return self.linkset_data

    def linkset_changed(self, script: Script, action: int, name: str, value: str) -> None:
        for other in self.scripts:
            other.post("linkset_data", action, name, value)
