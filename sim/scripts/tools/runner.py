"""`mainland lsl run` and `check`: a script without a world, its occurrences as text or JSON lines.

Lines and columns count from 1 in text, from 0 in JSON, which is for editors and other programs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.scripts.language.errors import CompileError, Finding
from sim.scripts.language.program import compile_script
from sim.scripts.tools.fakeworld import FakeWorld, read_source

DONE, RUN_TIME_ERROR, COMPILE_ERROR = 0, 1, 2
__all__ = ["CompileError", "check", "compile_findings", "finding_as_json", "read_source", "run"]
Out = Callable[[str], None]


def compile_findings(source: str) -> list[Finding]:
    """Every compile error of a source; empty when it compiles."""
    try:
        compile_script(source)
    except CompileError as error:
        return error.findings
    return []


def finding_as_json(finding: Finding, file: str) -> str:
    facts = {"kind": "compile_error", "file": file, "line": finding.line, "column": finding.column}
    return json.dumps({**facts, "message": finding.message})


def as_text(occurrence: dict[str, Any]) -> str:
    """One occurrence as people read it."""
    kind = occurrence["kind"]
    if kind == "owner_say" or (kind == "say" and occurrence["channel"] == 0):
        return occurrence["text"]
    if kind == "print":
        return f"[print {occurrence['type']}] {occurrence['value']}"
    if kind == "error":
        return f"[error] {occurrence['message']} (line {occurrence['line'] + 1})"
    if kind == "complaint":
        return f"[complaint] {occurrence['message']}"
    facts = " ".join([f"{name}={value}" for name, value in occurrence.items() if name not in ("kind", "text")])
    return f"[{kind} {facts}] {occurrence.get('text', '')}"


def run(
    path: Path, out: Out, *, as_json: bool = False, touches: int = 0, seconds: float = 60.0, pause_every: int = 0,
    timeout: float = 60.0, seed: int = 1,
) -> int:  # fmt: skip
    """Runs a script file and prints what happens, as it happens. Returns the exit status."""

    def show(occurrence: dict[str, Any]) -> None:
        out(json.dumps(occurrence) if as_json else as_text(occurrence))

    source = read_source(path)
    world = FakeWorld(on_occurrence=show, tear=pause_every)
    world.deadline = world.engine.stopwatch() + timeout
    try:
        script = world.add(source, path.stem, seed)
    except CompileError as error:
        for finding in error.findings:
            out(finding_as_json(finding, str(path)) if as_json else f"{path}:{finding}")
        return COMPILE_ERROR
    world.settle()
    world.touch(touches)
    world.advance(seconds)
    if world.timed_out:
        line = script.stack()[-1][1] if script.stack() else -1
        world.script_error(script, f"Still running after {timeout:g} seconds", line)
    for name, problem in world.engine.defects:
        show({"kind": "defect", "script": name, "message": repr(problem)})
    return RUN_TIME_ERROR if world.failed else DONE


def check(paths: list[Path], out: Out, *, as_json: bool = False) -> int:
    """Prints every compile error of the files. Returns the exit status."""
    status = DONE
    for path in paths:
        for finding in compile_findings(read_source(path)):
            status = COMPILE_ERROR
            out(finding_as_json(finding, str(path)) if as_json else f"{path}:{finding}")
    return status
