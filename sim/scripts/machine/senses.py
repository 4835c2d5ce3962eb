"""What a script waits for in the world around it: its sensor, its targets, its collision filter. Saved with the script.

Here is only what it has asked for. Who looks whether it has come are the rooms (`scripts/rooms/`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from sim.scripts.language.values import NULL_KEY, Key, Rotation, Vector, to_single, wrap
from sim.scripts.machine.failures import BadState

MOST_TARGETS = 8  # of each kind, in a script; the oldest goes
SHORTEST_SENSOR = 1.0 / 45.0  # seconds between two sweeps of a repeated sensor


@dataclass(frozen=True, slots=True)
class Sweep:
    """One look around: for what, how far (metres), and within which angle of the prim's x axis (radians)."""

    name: str
    key: Key
    kind: int
    radius: float
    arc: float


@dataclass(frozen=True, slots=True)
class Filter:
    """llCollisionFilter: of whom the script hears, or (not `accept`) of whom it does not. Empty: anybody."""

    name: str = ""
    key: Key = NULL_KEY
    accept: bool = True

    def hears(self, name: str, key: str) -> bool:
        if not self.name and (not self.key or self.key == NULL_KEY):
            return self.accept
        fits = (not self.name or self.name == name) and (not self.key or self.key in (NULL_KEY, key))
        return fits if self.accept else not fits


@dataclass(slots=True)
class Senses:
    """Everything of one script."""

    sweep: Sweep | None = None  # of the repeated sensor
    period: float = 0.0  # seconds; 0: there is none
    at: float = 0.0  # world time of its next sweep
    filter: Filter = field(default_factory=Filter)
    targets: dict[int, tuple[Vector, float]] = field(default_factory=dict)  # handle -> place, metres
    turns: dict[int, tuple[Rotation, float]] = field(default_factory=dict)  # handle -> rotation, radians
    next_handle: int = 1

    def repeat(self, sweep: Sweep | None, period: float, now: float) -> None:
        """A sensor that looks again and again, instead of the one before; None ends it."""
        self.sweep = sweep
        self.period = max(period, SHORTEST_SENSOR) if sweep is not None else 0.0
        self.at = now + self.period

    def add(self, table: dict[int, Any], value: Any) -> int:
        """One more target; its handle."""
        if len(table) >= MOST_TARGETS:
            del table[next(iter(table))]
        handle = self.next_handle
        self.next_handle = handle % 0x7FFFFFFF + 1
        table[handle] = value
        return handle


# --- as JSON


def pack_sweep(sweep: Sweep | None) -> Any:
    return None if sweep is None else [sweep.name, sweep.key, sweep.kind, sweep.radius.hex(), sweep.arc.hex()]


def unpack_sweep(data: Any) -> Sweep | None:
    if data is None:
        return None
    name, key, kind, radius, arc = data
    return Sweep(str(name), Key(key), wrap(int(kind)), _number(radius), _number(arc))


def pack(senses: Senses, now: float) -> dict[str, Any]:
    """All of it; times relative to now."""
    one = senses.filter
    return {
        "sweep": pack_sweep(senses.sweep), "period": senses.period.hex(), "in": (senses.at - now).hex(),
        "filter": [one.name, one.key, one.accept], "next": senses.next_handle,
        "targets": [[handle, [part.hex() for part in place], reach.hex()] for handle, (place, reach) in senses.targets.items()],
        "turns": [[handle, [part.hex() for part in turn], error.hex()] for handle, (turn, error) in senses.turns.items()],
    }  # fmt: skip


def unpack(data: Any, now: float) -> Senses:
    """ValueError, TypeError, KeyError or BadState for anything else."""
    if data is None:  # of a version that knew none
        return Senses()
    name, key, accept = data["filter"]
    senses = Senses(unpack_sweep(data["sweep"]), filter=Filter(str(name), Key(key), bool(accept)))
    if senses.sweep is not None:
        senses.period = max(_number(data["period"]), SHORTEST_SENSOR)
    senses.at = now + _number(data["in"])
    tables: tuple[tuple[dict[int, Any], Any, int, Any], ...] = (
        (senses.targets, Vector, 3, data["targets"]),
        (senses.turns, Rotation, 4, data["turns"]),
    )
    for table, kind, width, packed in tables:
        for handle, parts, reach in packed[:MOST_TARGETS]:
            if len(parts) != width:
                raise BadState("damaged targets")
            table[wrap(int(handle))] = (kind(*[_number(part) for part in parts]), _number(reach))
    senses.next_handle = max([1, wrap(int(data["next"])), *[handle + 1 for handle in (*senses.targets, *senses.turns)]])
    return senses


def _number(text: Any) -> float:
    value = to_single(float.fromhex(text))
    if not math.isfinite(value) or abs(value) > 1e12:
        raise BadState("an impossible number")
    return value
