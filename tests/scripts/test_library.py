"""The rails of the library: what a declaration must be, and that the written reference is the generated one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.scripts.language.builtins import table
from sim.scripts.library.declare import LIBRARY, DeclarationError, ll
from sim.scripts.tools.reference import describe, reference


def test_declarations_are_checked_against_the_table():
    with pytest.raises(DeclarationError, match="no function"):

        @ll
        def llNoSuch(script) -> None:
            """None."""

    with pytest.raises(DeclarationError, match="arguments"):

        @ll
        def llGodLikeRezObject(script) -> None:
            """None."""

    with pytest.raises(DeclarationError, match="declared twice"):

        @ll
        def llSay(script, channel: int, text: str) -> None:
            """None."""

    assert "llNoSuch" not in LIBRARY and "llGodLikeRezObject" not in LIBRARY


def test_every_name_can_be_described():
    known = table()
    for name in [*known.functions, *known.events, *known.constants]:
        assert name in (describe(name) or "")
    assert sum(function.sleep > 0 for function in known.functions.values()) == 63


def test_the_written_reference_is_the_generated_one():
    """If this fails: python -m grid.lsl_cli docs --write docs/lsl"""
    folder = Path(__file__).parents[2] / "docs" / "lsl"
    written = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
    assert written == reference()
