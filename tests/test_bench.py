"""A benchmark ends what it started, however it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent


def test_a_benchmark_ended_by_term_leaves_no_grid_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "bench.frame", "--bots", "0", "--seconds", "300"]
    bench = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        assert bench.stderr is not None
        assert "a grid of 1x1 starts" in bench.stderr.readline()  # progress, from the first second on
        grid = grid_of(tmp_path, bench)
        assert len(grid) >= 4
        bench.send_signal(signal.SIGTERM)
        assert bench.wait(60) == 128 + signal.SIGTERM
        psutil.wait_procs(grid, timeout=30)
        assert not [process for process in grid if process.is_running()]
        assert not list(tmp_path.iterdir())
    finally:
        bench.kill()


def grid_of(folder: Path, bench: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes of the grid in a folder, once it is up."""
    while bench.poll() is None:
        found = [process for process in psutil.process_iter() if str(folder) in " ".join(arguments(process))]
        if len(found) >= 5:
            return found
    raise AssertionError(f"the benchmark ended with {bench.returncode}")


def arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
