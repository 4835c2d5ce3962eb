"""That every built function is called by some test of its family."""

from __future__ import annotations

from pathlib import Path

from sim.scripts.library.declare import LIBRARY


def test_every_function_is_tested():
    tests = Path(__file__).parents[1]
    text = "".join([path.read_text("utf-8") for path in sorted(tests.rglob("test_*.py"))])
    assert [name for name in LIBRARY if name not in text] == []
