"""What a client has sent and what has had no turn yet.

A reliable message is acknowledged when it comes, and what is acknowledged happens: one that comes too fast for its class,
or whose sender has used up its share of the frame, waits here in order. When there is no room either, the message is not
acknowledged, so that the client keeps it and sends it again later.

    share     seconds of the region's time that a client's messages may take: a token bucket, which may go into debt,
              since what a message costs is known only afterwards
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.handlers import Row

SHARE = 0.1  # of real time that one client's messages may take
SHARE_BURST = 0.05  # seconds: what a login or the first selection of a large linkset takes at once
SHARE_DEBT = 1.0  # seconds: the most one message is held against its sender
MOST_WAITING, MOST_BYTES = 1000, 256 << 10  # of one client


@dataclass(slots=True)
class Inbox:
    """Bodies of acknowledged messages by rate class, oldest first, each with the row of its handler."""

    waiting: dict[str, deque[tuple[Row, bytes]]] = field(default_factory=dict)
    count: int = 0
    size: int = 0
    leaving: bool = False  # the client has asked to be logged out: what waits happens first, rates or not
    _share: float = SHARE_BURST
    _earned_at: float | None = None

    def has_share(self, now: float) -> bool:
        """Whether the client has time left of its share of the frame."""
        if self._earned_at is not None:
            self._share = min(self._share + max(now - self._earned_at, 0.0) * SHARE, SHARE_BURST)
        self._earned_at = now
        return self._share > 0

    def spend(self, seconds: float) -> None:
        """A message of the client took so long."""
        self._share = max(self._share - seconds, -SHARE_DEBT)

    def is_waiting(self, rate: str) -> bool:
        """Whether earlier messages of a rate class wait: later ones go behind them."""
        return bool(self.waiting.get(rate))

    def put(self, row: Row, body: bytes) -> bool:
        """Let a message wait. False when there is no room."""
        if self.count >= MOST_WAITING or self.size + len(body) > MOST_BYTES:
            return False
        self.waiting.setdefault(row.rate.name, deque()).append((row, body))
        self.count += 1
        self.size += len(body)
        return True

    def put_back(self, row: Row, body: bytes) -> None:
        """A message's handler had no room for it: it is the first to have a turn again."""
        self.waiting.setdefault(row.rate.name, deque()).appendleft((row, body))
        self.count += 1
        self.size += len(body)

    def pop(self, rate: str) -> tuple[Row, bytes]:
        """Take the oldest message of a class."""
        row, body = self.waiting[rate].popleft()
        self.count -= 1
        self.size -= len(body)
        return row, body
