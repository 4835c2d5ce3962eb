"""How much of a disk is left to what must go on: services stop growing before it is full, each at a reserve of its own.

Uploads stop first, then what people keep in Backbone; logins, presence and what regions must write go on to the end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

ASSETS_RESERVE = 256 << 20  # bytes of the disk that uploads leave to the rest of the grid
BACKBONE_RESERVE = 128 << 20  # bytes that accounts, inventories and mail leave to sessions and presence
ASKED_EVERY = 1.0  # seconds: a look at the disk is a call of the kernel, and writes come by the hundred


def free_bytes(homes: Iterable[Path]) -> int:
    """Bytes left where least are, among these folders; those that are away do not count. 0 when all are."""
    free = []
    for home in homes:
        try:
            facts = os.statvfs(home)
        except OSError:
            continue
        free.append(facts.f_bavail * facts.f_frsize)
    return min(free, default=0)


class Reserve:
    """Whether a disk has room for what grows."""

    def __init__(
        self, home: Path | None, reserve: int, now: Callable[[], float] = time.monotonic,
        free: Callable[[Iterable[Path]], int] = free_bytes,
    ) -> None:  # fmt: skip
        """``home``: a folder on the disk; None: what grows is kept elsewhere, and there is always room."""
        self.reserve = reserve
        self._home, self._now, self._free = home, now, free
        self._asked = -ASKED_EVERY
        self._room = True

    def has_room(self) -> bool:
        """Whether the reserve is untouched, as of a second ago at most."""
        now = self._now()
        if self._home is not None and now - self._asked >= ASKED_EVERY:
            self._asked = now
            self._room = self._free((self._home,)) >= self.reserve
        return self._room
