"""One asset service as a process of its own, shared by the tests of its HTTP face."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SECRET = "a grid's secret"
CAP = 1 << 20


@dataclass
class Running:
    url: str
    data: Path
    process: subprocess.Popen[bytes]


def start(data: Path, secret_file: Path, *more: str) -> Running:
    """`python -m assets` on a free port; returns when it says it is ready."""
    command = [sys.executable, "-m", "assets", "--data", str(data), "--port", "0", "--secret-file", str(secret_file)]
    process = subprocess.Popen([*command, *more], stdout=subprocess.PIPE)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait()
        raise RuntimeError(f"the asset service ended with {process.returncode}")
    ready = json.loads(line)
    assert ready["ready"] is True and ready["pid"] == process.pid
    return Running(f"http://127.0.0.1:{ready['port']}", data, process)


def stop(running: Running) -> int:
    running.process.send_signal(signal.SIGTERM)
    code = running.process.wait(20)
    assert running.process.stdout is not None
    running.process.stdout.close()
    return code


@pytest.fixture(scope="session")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "secret"
    path.write_text(SECRET + "\n")
    os.chmod(path, 0o600)
    return path


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, secret_file: Path) -> Iterator[Running]:
    service = start(tmp_path_factory.mktemp("assets"), secret_file, "--max-asset-bytes", str(CAP))
    yield service
    assert stop(service) == 0
