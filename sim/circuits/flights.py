"""Reliable packets that kernels packed: what each said, and whether it arrived.

A packet that Python sends is kept whole until it is acknowledged (`circuit.Pending`). For the many thousand a second of a
crowd that is too dear, and after a second what they say is old. So of a kernel's packet only is kept *what it was
about*: a kind, and rows of the table it told of. When no acknowledgement comes in time, those are owed to the viewer
again, and the packet that says so is a new one with what is true then.

    table[slot, sequence % WINDOW]    one flight; a viewer that acknowledges nothing is sent no more than a window
"""

from __future__ import annotations

import numpy as np

from protocol.kernels import kernel

WINDOW = 256  # flights a circuit may have; a power of two
ROWS = 12  # a flight may be about
SLICES = 8  # overdue flights are looked for in so many parts, one a frame

FLIGHT_DTYPE = np.dtype(
    [
        ("due", np.float64),  # real time from which it counts as lost
        ("sequence", np.uint32),
        ("count", np.uint8),  # of rows; 0: nothing is in flight here
        ("kind", np.uint8),
        ("rows", np.uint16, ROWS),
    ],
    align=True,
)


@kernel
def land(table, flying, slot, sequence):  # pragma: no cover - compiled
    """A viewer acknowledges a packet: 1 when it was a flight."""
    flight = table[slot, sequence & np.uint32(WINDOW - 1)]
    if flight.count == 0 or flight.sequence != sequence:
        return 0
    flight.count = 0
    flying[slot] -= 1
    return 1


@kernel
def _overdue(table, flying, owed, first, now):  # pragma: no cover - compiled
    lost = 0
    for slot in range(first, min(len(table), len(owed)), SLICES):
        if flying[slot] == 0:
            continue
        for number in range(WINDOW):
            flight = table[slot, number]
            if flight.count == 0 or flight.due > now:
                continue
            for k in range(flight.count):
                if flight.rows[k] < owed.shape[1]:
                    owed[slot, flight.rows[k]] |= flight.kind
            flight.count = 0
            flying[slot] -= 1
            lost += 1
    return lost


class Flights:
    """What is in flight, by circuit slot: `table` (slots, WINDOW), and `flying` (slots,) how many. Replaced on growth."""

    def __init__(self) -> None:
        self.table = np.zeros((64, WINDOW), FLIGHT_DTYPE)
        self.flying = np.zeros(64, np.int64)
        self._slice = 0

    def grow(self, slots: int) -> None:
        """Room for so many circuits."""
        if slots > len(self.table):
            grown = np.zeros((slots, WINDOW), FLIGHT_DTYPE)
            grown[: len(self.table)] = self.table
            self.table = grown
            self.flying = np.concatenate([self.flying, np.zeros(slots - len(self.flying), np.int64)])

    def acknowledged(self, slot: int, sequence: int) -> bool:
        """An acknowledgement that Python read; whether it was of a flight."""
        flight = self.table[slot, sequence % WINDOW]
        if not flight["count"] or flight["sequence"] != sequence:
            return False
        flight["count"] = 0
        self.flying[slot] -= 1
        return True

    def forget(self, slot: int) -> None:
        """The circuit has ended."""
        self.table[slot]["count"] = 0
        self.flying[slot] = 0

    def lost(self, owed: np.ndarray, now: float) -> int:
        """Mark in `owed` (slots, rows) what overdue flights were about; returns how many those were."""
        self._slice = (self._slice + 1) % SLICES
        return int(_overdue(self.table, self.flying, owed, self._slice, now))


def warm() -> None:
    """Compile, or load from the cache, before the region opens."""
    Flights().lost(np.zeros((1, 1), np.uint8), 0.0)
