"""What the benchmarks share: a grid of processes for as long as one runs, figures as rows, tables or JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def mainland(*arguments: str) -> str:
    """Run the `mainland` command; its output. CalledProcessError when it fails."""
    command = [sys.executable, "-m", "grid", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


@dataclass
class BenchGrid:
    data: Path
    login_uri: str
    web_uri: str  # of the browser viewer

    def add_users(self, first: str, count: int, password: str) -> None:
        """Accounts `FIRST 1` to `FIRST count`, through Backbone's own API (no process start for each)."""
        for number in range(1, count + 1):
            self.add_user(first, str(number), password)

    def add_user(self, first: str, last: str, password: str) -> None:
        """One account, through Backbone's own API. HTTPError when it refuses."""
        secret = (self.data / "secret").read_text().strip()
        body = json.dumps({"first": first, "last": last, "password": password}).encode()
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.login_uri + "users", body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=30):
            pass

    def status(self) -> dict[str, Any]:
        return json.loads(mainland("status", "--json", "--data", str(self.data)))

    def region(self, name: str) -> dict[str, Any]:
        """A region's own figures: GET /services/status."""
        return self.figures(next(process["port"] for process in self.status()["processes"] if process["name"] == name))

    def figures(self, port: int, last: float = 60.0) -> dict[str, Any]:
        """As `region`, where the port is known; times are of the `last` seconds."""
        secret = (self.data / "secret").read_text().strip()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/services/status?last={last}", headers={"Authorization": f"Bearer {secret}"}
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)


def progress(text: str) -> None:
    """Say on stderr what a long benchmark is at; its table alone goes to stdout."""
    print(f"  {text}", file=sys.stderr, flush=True)


def told(row: dict[str, Any]) -> dict[str, Any]:
    """The row, said as soon as it is measured."""
    progress(", ".join(f"{name} {_cell(value)}" for name, value in row.items() if not isinstance(value, dict | list)))
    return row


def end_on_term() -> None:
    """A benchmark that is killed by TERM ends what it has started, as one that is ended by Ctrl-C."""

    def ended(*_: Any) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, ended)


@contextmanager
def running_grid(regions: str, scene: str = "none", settings: str = "") -> Iterator[BenchGrid]:
    """A fresh grid on free ports, gone again afterwards; `scene` stands in its first region. `settings`: its mainland.toml."""
    end_on_term()
    progress(f"a grid of {regions} starts" + (f", scene {Path(scene).stem}" if scene != "none" else ""))
    with tempfile.TemporaryDirectory() as folder:
        if settings:
            (Path(folder) / "mainland.toml").write_text(settings)
        up = ("up", "--detach", "--json", "--regions", regions, "--scene", scene, "--http-port", "0", "--data", folder)
        try:
            facts = json.loads(mainland(*up))
            yield BenchGrid(Path(folder), facts["login_uri"], facts["web_uri"])
        finally:
            mainland("down", "--data", folder)


def milliseconds(seconds: Sequence[float]) -> dict[str, Any]:
    """Samples in seconds as columns: how many, median, 95 %, 99 %, largest, in milliseconds."""
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)

    return {"samples": len(ordered), "p50 ms": at(0.5), "p95 ms": at(0.95), "p99 ms": at(0.99), "max ms": at(1.0)}


def machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[0], 2)}


def show(title: str, rows: list[dict[str, Any]], as_json: bool, **extra: Any) -> None:
    """Print the rows as a table, or everything as one JSON object."""
    if as_json:
        print(json.dumps({"benchmark": title, "machine": machine(), "rows": rows, **extra}))
        return
    print(f"{title}   ({', '.join(f'{key} {value}' for key, value in machine().items())})")
    if rows:
        columns = list(rows[0])
        cells = [[_cell(row.get(column)) for column in columns] for row in rows]
        widths = [max(len(column), *(len(row[i]) for row in cells)) for i, column in enumerate(columns)]
        print("  ".join(column.rjust(width) for column, width in zip(columns, widths, strict=True)))
        for row in cells:
            print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    for key, value in extra.items():
        print(f"{key}: {value}")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return "-" if value is None else str(value)


def arguments(doc: str | None, **defaults: Any) -> argparse.Namespace:
    """`--json` and an option for each default, of its type. From here on TERM ends what the benchmark has started."""
    end_on_term()
    parser = argparse.ArgumentParser(description=(doc or "").strip().split("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default, help=f"default {default}")
    return parser.parse_args()
