"""Whose body it is that a step fails by: found by trying steps with fewer and fewer bodies awake."""

from __future__ import annotations

import logging

import numpy as np

from sim.physics.engine import NO_BODY
from sim.physics.numba_engine import NumbaEngine
from sim.world.avatars import AVATAR_DTYPE

log = logging.getLogger(__name__)
_NOBODY = np.zeros(0, AVATAR_DTYPE)


def culprit(engine: NumbaEngine, dt: float) -> int:
    """The handle of an awake body with which a step fails and without which, and all after it, none does; NO_BODY when it is
    no awake body's fault. All bodies are as they were before."""
    awake = np.flatnonzero(engine.awake)
    kept = [table.copy() for table in engine.bodies]

    def fails(count: int) -> bool:
        """Whether a step does with so many of them awake."""
        engine.awake[awake[count:]] = 0
        try:
            engine.step(dt, _NOBODY)
        except Exception as error:
            log.debug("a step of %d bodies: %s", count, error)
            return True
        finally:
            for table, before in zip(engine.bodies, kept, strict=True):
                table[:] = before  # type: ignore[index]
            engine.recover()
        return False

    if not len(awake) or not fails(len(awake)) or fails(0):
        return NO_BODY
    low, high = 0, len(awake)  # with `low` it does not fail, with `high` it does
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    return int(awake[low])
