"""Chance: random numbers and keys. Not for secrets: who sees enough of them can guess the next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from uuid import UUID

from sim.scripts.language.values import Key, to_single
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script


@ll
def llFrand(script: Script, limit: float) -> float:
    """A random float from 0, included, to a limit, excluded; the limit may be negative. 0 when it is not finite."""
    if not math.isfinite(limit):
        return 0.0
    value = to_single(script.random.random() * limit)
    return value if abs(value) < abs(limit) else 0.0  # rounding to 32 bits may reach the limit


@ll
def llGenerateKey(script: Script) -> Key:
    """A new key that nothing else has: a random UUID of version 4."""
    return Key(UUID(int=script.random.getrandbits(128), version=4))
