"""Files of a grid's folder that were damaged: a readable error, or made anew, and never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grid import plan, settings
from grid.errors import GridError
from grid.layout import Layout
from grid.lock import Lock, _written
from grid.status import running
from grid.up import read_status

RUBBISH = [b"", b"\0" * 100, b"{", b"[]", b"7", b'"text"', b"null", b"{}", b"\xff\xfe", b'{"processes": 7}', b"[" * 5000]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "grid")
    made.create()
    return made


WRONG: tuple[Any, ...] = ("x", -1, None, [], {}, True, 1e300)


def damages(good: Any) -> list[bytes]:
    """Every value inside a JSON document replaced by others, one at a time, and every key left out."""
    found: list[bytes] = []

    def walk(holder: Any) -> None:
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            right = holder[key]
            for wrong in WRONG:
                holder[key] = wrong
                found.append(json.dumps(good).encode())
            holder[key] = right
            if isinstance(right, dict | list):
                walk(right)
            if isinstance(holder, dict):
                del holder[key]
                found.append(json.dumps(good).encode())
                holder[key] = right

    walk(good)
    return found


def test_a_damaged_grid_json_is_said(layout: Layout) -> None:
    grid = plan.decide(None, settings.load(regions="1x1"))
    plan.save(layout, grid)
    good = json.loads(layout.saved.read_text())
    tried = 0
    for damage in [*RUBBISH, *damages(good)]:
        layout.saved.write_bytes(damage)
        try:
            loaded = plan.load(layout)
        except GridError as error:
            assert str(layout.saved) in error.problem and error.hint, damage
            tried += 1
        else:
            # What can still be read as a grid is one: each value of its kind.
            assert loaded is None or isinstance(loaded.login_uri, str), damage
    assert tried > 50


def test_a_damaged_status_means_nothing(layout: Layout) -> None:
    part = {"name": "backbone", "role": "service", "port": 9000, "state": "up", "pid": 4711, "create_time": 1.5,
            "restarts": 0, "health": "ok"}  # fmt: skip
    good = {"pid": 1, "state": "up", "name": "Mainland", "processes": [part]}
    layout.status.write_text(json.dumps(good))
    assert read_status(layout) == good
    for damage in [*RUBBISH, *damages(good)]:
        layout.status.write_bytes(damage)
        found = read_status(layout)
        for one in found["processes"] if found is not None else ():
            assert {name: type(one[name]) for name in ("pid", "port", "state")} == {"pid": int, "port": int, "state": str}
    lock = Lock(layout.lock)
    lock.take()
    try:
        layout.status.write_bytes(b"{")
        found = running(layout)
        assert found is None or found["processes"] == []
    finally:
        lock.release()


def test_a_damaged_lock_file_holds_nobody_up(layout: Layout) -> None:
    for damage in RUBBISH:
        layout.lock.write_bytes(damage)
        with open(layout.lock) as file:
            assert _written(file.fileno()) in (0, 7)
        lock = Lock(layout.lock)
        lock.take()
        lock.release()


@pytest.mark.parametrize("damage", [b"", b"  \n", b"\xff\xff"])
def test_a_damaged_secret_is_said(layout: Layout, damage: bytes) -> None:
    layout.secret.write_bytes(damage)
    with pytest.raises(GridError, match="damaged") as caught:
        layout.read_secret()
    assert "remove it" in caught.value.hint


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"\0\0\0", b"name = ", b"[[[["])
def test_a_damaged_settings_file_is_said(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "mainland.toml").write_bytes(damage)
    with pytest.raises(GridError, match=r"mainland\.toml"):
        settings.load(tmp_path / "mainland.toml")
