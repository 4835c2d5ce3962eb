"""Run the `mainland` command as a user would, wait on conditions, and leave no process behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """The first true value of `condition`, asked again and again for a bounded time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"gave up waiting: {what}")


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Mainland:
    """`mainland` on one data directory, over fake services or the real ones."""

    def __init__(self, data: Path, fake: bool = True):
        self.data = data
        module = "tests.grid.fake_mainland" if fake else "grid"
        self.argv = [sys.executable, "-m", module]
        self.foreground: list[subprocess.Popen[str]] = []

    def __call__(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run to the end; stdout, stderr and exit code."""
        return subprocess.run(
            [*self.argv, *args, "--data", str(self.data)],
            capture_output=True, text=True, timeout=PATIENCE * 2, cwd=ROOT, **options,
        )  # fmt: skip

    def start(self, *args: str) -> dict[str, Any]:
        """`up` in the background; the facts it printed."""
        done = self("up", "--detach", "--json", "--http-port", "0", "--scene", "none", *args)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def open(self, *args: str) -> subprocess.Popen[str]:
        """`up` in the foreground as a process; the caller reads its stdout."""
        process = subprocess.Popen(
            [*self.argv, "up", "--http-port", "0", "--scene", "none", "--data", str(self.data), *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        self.foreground.append(process)
        return process

    def status(self) -> dict[str, Any]:
        return json.loads(self("status", "--json").stdout)

    def processes(self) -> dict[str, int]:
        """Name -> pid of every process of the running grid, read from its status file (cheap to ask often)."""
        state = json.loads((self.data / "run" / "status.json").read_text())
        return {"supervisor": state["pid"]} | {part["name"]: part["pid"] for part in state["processes"]}

    def part(self, name: str) -> dict[str, Any]:
        state = json.loads((self.data / "run" / "status.json").read_text())
        return next(part for part in state["processes"] if part["name"] == name)

    def close(self) -> None:
        """End everything, also after a failed test."""
        for process in self.foreground:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
            for stream in (process.stdout, process.stderr):
                assert stream is not None
                stream.close()
            process.wait()
        if self.data.exists():
            self("down")


def end(pid: int, number: int = signal.SIGKILL) -> None:
    os.kill(pid, number)
