"""That every built function is called by some test: of its family, or of the part of a region that it is about."""

from __future__ import annotations

from pathlib import Path

from sim.scripts.library.declare import LIBRARY


def test_every_function_is_tested():
    tests = Path(__file__).parents[2]
    text = "".join([path.read_text("utf-8") for room in ("scripts", "sim") for path in sorted((tests / room).rglob("test_*.py"))])
    assert [name for name in LIBRARY if name not in text] == []
