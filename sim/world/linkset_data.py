"""What llLinksetData* keeps with a linkset: names and values, some of them behind a pass phrase."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_BYTES = 131072
PROTECTION = 32  # bytes that a pass phrase costs


@dataclass(slots=True)
class LinksetStore:
    """The names and values of one linkset. Whoever fills it sets both fields."""

    # name -> (value, pass phrase, empty if unprotected)
    pairs: dict[str, tuple[str, str]] = field(default_factory=dict)
    used: int = 0  # bytes, as `size_of` counts them


def size_of(name: str, value: str, phrase: str) -> int:
    """Bytes that a pair takes of MOST_BYTES."""
    return len(name.encode("utf-8", "replace")) + len(value.encode("utf-8", "replace")) + (PROTECTION if phrase else 0)
