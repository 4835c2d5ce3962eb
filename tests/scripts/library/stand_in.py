"""Library functions called from Python, without wasm: for properties that take hundreds of examples."""

from __future__ import annotations

from random import Random
from typing import Any

from sim.scripts.library.declare import LIBRARY
from sim.scripts.library.world import LinksetStore


class StandIn:
    """As much of a script as the functions that need no world touch."""

    def __init__(self) -> None:
        self.now = 0.0
        self.unix = 0.0
        self.random = Random(7)
        self.spent = 0
        self.complaints: list[str] = []
        self.world = self
        self.store = LinksetStore()
        self.changes: list[tuple[int, str, str]] = []

    def spend(self, checkpoints: int) -> None:
        assert checkpoints >= 0
        self.spent += checkpoints

    def complain(self, message: str) -> None:
        self.complaints.append(message)

    def unix_time(self) -> float:
        return self.unix

    def linkset_store(self, script: StandIn) -> LinksetStore:
        return self.store

    def linkset_changed(self, script: StandIn, action: int, name: str, value: str) -> None:
        self.changes.append((action, name, value))


def call(name: str, *values: Any, script: StandIn | None = None) -> Any:
    """The function's own result, before it is rounded to LSL's types."""
    return LIBRARY[name].function(script or StandIn(), *values)
