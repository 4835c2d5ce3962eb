"""`mainland lsl test`: scenarios for scripts, as text or as Python, each run straight and torn apart at every
checkpoint.

A scenario file (`door.test`), one step a line, run from top to bottom:

    script door.lsl              compiles and starts it (relative to the scenario)
    touch [TIMES]                someone touches the object
    wait SECONDS                 moves the fake clock
    chat CHANNEL "TEXT"          someone in reach says it
    event NAME ARGUMENTS...      any event, arguments as LSL constants: 1 2.5 "text" <1, 2, 3>
    expect KIND [CHANNEL] "TEXT" the next occurrence not yet expected must be this one
    expect nothing               nothing more has happened
    # a comment

KIND is say, whisper, shout, region_say, owner_say, print, error, complaint, dialog and so on, as `lsl run --json` names
them; TEXT may hold `*` for anything. In Python (`door_test.py`), every function `test_*` gets a fresh FakeWorld:

    def test_opens(world):
        world.add_file("door.lsl")  # beside the test
        world.settle()
        world.touch()
        assert world.said == ["open"]
"""

from __future__ import annotations

import importlib.util
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sim.scripts.language.builtins import table
from sim.scripts.language.errors import CompileError
from sim.scripts.language.values import Key, Value, string_to_rotation, string_to_vector
from sim.scripts.machine.engine import Engine
from sim.scripts.tools.fakeworld import FakeWorld

MOST_SLICES = 1_000_000
_WORD = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(<[^>]*>)|(#.*)|([^\s"<]+))')


class StepFailed(AssertionError):
    """A step of a scenario that did not come true."""


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    passed: bool
    message: str = ""


class Scenario:
    """One scenario file, playing against a world."""

    def __init__(self, path: Path, world: FakeWorld):
        self.path = path
        self.world = world
        self.expected = 0

    def play(self) -> None:
        for number, line in enumerate(self.path.read_text("utf-8").splitlines(), 1):
            try:
                found = words(line)
                if found:
                    self.step(found)
            except (StepFailed, ValueError, IndexError, KeyError, CompileError, OSError) as problem:
                raise StepFailed(f"{self.path.name}:{number}: {line.strip()}\n{problem}") from None

    def step(self, words: list[str]) -> None:
        world, (name, *rest) = self.world, words
        if name == "script":
            world.add_file(rest[0])
            world.settle(MOST_SLICES)
        elif name == "touch":
            world.touch(int(rest[0]) if rest else 1)
        elif name == "wait":
            world.advance(float(rest[0]), MOST_SLICES)
        elif name == "chat":
            world.say(int(rest[0]), rest[1])
            world.settle(MOST_SLICES)
        elif name == "event":
            kinds = [kind for kind, _ in table().events[rest[0]].arguments]
            if len(kinds) != len(rest) - 1:
                raise StepFailed(f"{rest[0]} takes {len(kinds)} arguments")
            world.post(rest[0], *[constant(kind, text) for kind, text in zip(kinds, rest[1:], strict=True)])
            world.settle(MOST_SLICES)
        elif name == "expect":
            self.expect(rest)
        else:
            raise StepFailed(f"there is no step {name!r}")

    def expect(self, words: list[str]) -> None:
        happened = self.world.occurrences[self.expected :]
        if words == ["nothing"]:
            if happened:
                raise StepFailed(f"but there was {happened[0]}")
            return
        if not happened:
            raise StepFailed("but nothing more happened")
        one = happened[0]
        self.expected += 1
        kind, *rest = words
        text = str(one.get("text", one.get("message", one.get("value", ""))))
        channel = str(one.get("channel", ""))
        fits = (
            one["kind"] == kind and (not rest or fnmatchcase(text, rest[-1])) and (len(rest) < 2 or channel == rest[0])
        )
        if not fits:
            raise StepFailed(f"but there was {one}")


def words(line: str) -> list[str]:
    """A step's words: texts in quotes and <vectors> are one each; what follows # is a comment."""
    found, at = [], 0
    line = line.rstrip()
    while at < len(line):
        match = _WORD.match(line, at)
        if match is None:
            raise StepFailed("a text or vector without an end")
        text, vector, comment, word = match.groups()
        at = match.end()
        if comment is None:
            found.append(re.sub(r"\\(.)", r"\1", text) if text is not None else vector or word)
    return found


def constant(kind: str, text: str) -> Value:
    """A word of a scenario as a value of an event's argument."""
    if kind == "integer":
        return int(text, 0)
    if kind == "float":
        return float(text)
    if kind == "vector":
        return string_to_vector(text)
    if kind == "rotation":
        return string_to_rotation(text)
    return Key(text) if kind == "key" else text


def _twice(name: str, engine: Engine, folder: Path, play: Callable[[FakeWorld], None]) -> Result:
    """Straight, then torn apart at every checkpoint: both must pass and do the same."""
    seen: list[list[dict[str, Any]]] = []
    for tear in (0, 1):
        world = FakeWorld(engine, tear=tear)
        world.folder = folder
        try:
            play(world)
        except AssertionError as problem:
            return Result(name, False, str(problem) or traceback.format_exc(limit=-1))
        except Exception:
            return Result(name, False, traceback.format_exc(limit=-3))
        seen.append(world.occurrences)
    if seen[0] != seen[1]:
        return Result(name, False, "paused and restored at every checkpoint, it did something else")
    return Result(name, True)


def find(paths: list[Path]) -> list[Path]:
    """The test files among files and folders."""
    found: list[Path] = []
    for path in paths:
        found += sorted([*path.rglob("*.test"), *path.rglob("*_test.py")]) if path.is_dir() else [path]
    return found


def run_tests(paths: list[Path]) -> list[Result]:
    engine = Engine()
    results = []
    for path in find(paths):
        if not path.is_file():
            results.append(Result(path.name, False, f"there is no file {path}"))
            continue
        if path.suffix != ".py":
            play: Callable[[FakeWorld], None] = lambda world, path=path: Scenario(path, world).play()  # type: ignore[misc]  # noqa: E731
            results.append(_twice(path.name, engine, path.parent, play))
            continue
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception:
            results.append(Result(path.name, False, traceback.format_exc(limit=-3)))
            continue
        for name, function in list(vars(module).items()):  # a running test may add to its module
            if name.startswith("test_") and callable(function):
                results.append(_twice(f"{path.name}::{name}", engine, path.parent, function))
    return results
