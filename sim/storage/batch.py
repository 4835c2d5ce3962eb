"""What is to be written: the newest row of each thing, and the history of what they were before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

MOST_HISTORY = 20_000  # entries that wait; when the disk takes nothing for long, the oldest are let go


class LinksetRow(NamedTuple):
    form: bytes
    local_ids: bytes  # U32 each, little endian, in the form's order
    crcs: bytes
    saved: float  # unix time


class ScriptRow(NamedTuple):
    prim_id: bytes
    name: str
    source: bytes  # the id of its text
    state: bytes
    saved: float


class TransitRow(NamedTuple):
    """A move that has begun and is not over (`transit.py`)."""

    kind: str
    since: float  # unix time
    facts: str  # JSON
    data: bytes


class Change(NamedTuple):
    """Somebody changed a linkset; the form it had before is what the store holds when this is written."""

    at: float  # unix time
    who: bytes | None
    what: int  # a `What`
    linkset: bytes


@dataclass(slots=True)
class Batch:
    """Rows by their keys; None takes one out."""

    linksets: dict[bytes, LinksetRow | None] = field(default_factory=dict)
    scripts: dict[bytes, ScriptRow | None] = field(default_factory=dict)
    sources: dict[bytes, str] = field(default_factory=dict)
    parcels: dict[int, tuple[str, bytes] | None] = field(default_factory=dict)
    terrain: dict[tuple[int, int], bytes] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    transits: dict[bytes, TransitRow | None] = field(default_factory=dict)
    history: list[Change] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    def add(self, newer: Batch) -> None:
        """Take in what changed since."""
        for name in ("linksets", "scripts", "sources", "parcels", "terrain", "facts", "transits"):
            getattr(self, name).update(getattr(newer, name))
        self.history += newer.history
        del self.history[:-MOST_HISTORY]
