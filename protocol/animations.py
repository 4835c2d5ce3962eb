"""The animations that are built into every viewer, by the names that scripts call them by.

Names and ids are those of the LSL wiki's page Internal Animations (`animations.txt`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from uuid import UUID


@cache
def built_in() -> dict[str, UUID]:
    """Name in small letters -> id."""
    lines = (Path(__file__).parent / "animations.txt").read_text("ascii").splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return {name: UUID(text) for name, text in pairs}


@cache
def names() -> dict[UUID, str]:
    """Id -> name."""
    return {animation: name for name, animation in built_in().items()}
