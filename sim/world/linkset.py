"""A linkset outside of any region: on its way over a border, in a store, in an inventory, or between a prim and its copy.

    linkset = gather(world.objects, [root], clock.now())[0]      out of the world; the world's own stays as it is
    data = form.encode(linkset)                                  the one form in which it travels (`form.py`)
    linkset = form.decode(data)                                  prims that are in no region yet

What of a prim goes along, and how it is copied, is said in one table (`fields.py`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np

from protocol.wellknown import NULL
from sim.world.fields import FIELDS, Copied
from sim.world.objects import Objects, Prim, Quaternion, Vector

STILL: Vector = (0.0, 0.0, 0.0)


@dataclass(slots=True)
class ScriptState:
    """A script in the middle of what it does: `state` is what `scripts/machine/saved.py` makes of it."""

    name: str
    item_id: UUID
    source: str
    state: bytes


@dataclass(slots=True)
class Part:
    """One prim, with its contents. Metres; the position of a child is relative to its root."""

    prim: Prim
    position: Vector
    rotation: Quaternion
    scale: Vector
    scripts: list[ScriptState] = field(default_factory=list)


@dataclass(slots=True)
class Linkset:
    parts: list[Part]  # root first, then the children in link order
    velocity: Vector = STILL  # m/s
    angular_velocity: Vector = STILL  # rad/s
    expires_in: float = 0.0  # seconds, of a temporary object


def gather(
    objects: Objects, roots: Sequence[Prim], now: float, scripts: Callable[[Prim], list[ScriptState]] | None = None
) -> list[Linkset]:
    """Linksets of the region as they are. `now`: real time; `scripts`: what to take along of those in a prim."""
    prims = [prim for root in roots for prim in root.linkset()]
    if not prims:
        return []
    rows = objects.rows[[prim.row for prim in prims]]
    columns = [rows[name].tolist() for name in ("position", "rotation", "scale")]
    moves = np.concatenate([rows["velocity"], rows["angular_velocity"]], axis=1).tolist()
    found, at = [], 0
    for root in roots:
        count = 1 + len(root.children)
        here = (column[at : at + count] for column in (prims, *columns))
        parts = [
            Part(prim, tuple(position), tuple(rotation), tuple(scale), scripts(prim) if scripts is not None else [])
            for prim, position, rotation, scale in zip(*here, strict=True)
        ]
        x, y, z, turn_x, turn_y, turn_z = moves[at]
        left = max(root.expires - now, 0.0) if root.temporary else 0.0
        found.append(Linkset(parts, (x, y, z), (turn_x, turn_y, turn_z), left))
        at += count
    return found


_DEEP = tuple(row.name for row in FIELDS if row.copied is Copied.DEEP)
_NEW = Prim(NULL, NULL, NULL)
_DROPPED = tuple((row.name, getattr(_NEW, row.name)) for row in FIELDS if row.copied is Copied.DROPPED)


def copy_prim(prim: Prim, full_id: UUID, created: int) -> Prim:
    """A prim like this one, in no region and linked with nothing. Its rights are as the original's: narrowing them is for
    whoever gives the copy to somebody. `created`: unix microseconds."""
    twin = copy.copy(prim)
    for name, value in _DROPPED:
        setattr(twin, name, copy.copy(value))
    for name in _DEEP:
        setattr(twin, name, _own(getattr(prim, name)))
    twin.full_id, twin.created = full_id, created
    return twin


def _own(value: Any) -> Any:
    """An equal value that shares nothing which can change: records of plain values, and mappings of such."""
    twin = copy.copy(value)
    if hasattr(twin, "pairs"):
        twin.pairs = dict(twin.pairs)
    return twin
