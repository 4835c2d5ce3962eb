"""`mainland lsl profile`: where a script's time goes, by line and function.

The script runs in short slices; the real time of each is booked to the line, and to the functions, where it pauses.
Sampling by checkpoints needs no support in the script's code, so what is measured is what runs in a region.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.scripts.machine.script import Script
from sim.scripts.tools.fakeworld import FakeWorld
from sim.scripts.tools.runner import read_source

CHECKPOINTS = 97  # a slice; prime, so that it falls in step with no loop


@dataclass(slots=True)
class Profile:
    """Seconds by line (from 0), by function itself, and by function with all it calls."""

    seconds: float = 0.0
    samples: int = 0
    lines: Counter[int] = field(default_factory=Counter)
    own: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)

    def book(self, stack: list[tuple[str, int]], seconds: float) -> None:
        self.seconds += seconds
        self.samples += 1
        if stack:
            function, line = stack[-1]
            self.lines[line] += seconds  # type: ignore[assignment]
            self.own[function] += seconds  # type: ignore[assignment]
            for name in {name for name, _ in stack}:
                self.total[name] += seconds  # type: ignore[assignment]

    def facts(self) -> dict[str, Any]:
        return {
            "seconds": self.seconds,
            "samples": self.samples,
            "lines": [{"line": line, "seconds": spent} for line, spent in self.lines.most_common()],
            "functions": [
                {"name": name, "seconds": spent, "own_seconds": self.own[name]}
                for name, spent in self.total.most_common()
            ],
        }


def profile(path: Path, *, touches: int = 0, seconds: float = 60.0, timeout: float = 60.0) -> tuple[Profile, FakeWorld]:
    """Runs a script file like `lsl run`, and says where the time went. Raises CompileError."""
    result = Profile()
    world = FakeWorld()
    world.deadline = world.engine.stopwatch() + timeout
    world.add(read_source(path), path.stem)
    watch = world.engine.stopwatch
    inner = Script.slice

    def measured(self: Script, now: float, budget: int) -> bool:
        start = watch()
        more = inner(self, now, CHECKPOINTS)
        spent = watch() - start
        result.book(self.stack() or [(f"{self.state_name} (end of an event)", -1)], spent)
        return more

    Script.slice = measured  # type: ignore[method-assign]
    try:
        world.settle()
        world.touch(touches)
        world.advance(seconds)
    finally:
        Script.slice = inner  # type: ignore[method-assign]
    return result, world


def table(result: Profile, source: str, most: int = 20) -> str:
    """The profile as text: functions, then the costliest lines with their source."""
    total = result.seconds or 1.0
    lines = source.splitlines()
    out = [f"{result.seconds * 1000:.1f} ms in {result.samples} slices", "", "  total    own  function"]
    for name, spent in result.total.most_common(most):
        out.append(f"{spent / total:7.1%}{result.own[name] / total:7.1%}  {name}")
    out += ["", "   time  line"]
    for line, spent in result.lines.most_common(most):
        text = lines[line].strip() if 0 <= line < len(lines) else ""
        out.append(f"{spent / total:7.1%}  {line + 1:4d}  {text}")
    return "\n".join(out)
