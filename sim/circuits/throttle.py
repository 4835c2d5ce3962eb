"""What a viewer is willing to receive, by category (AgentThrottle).

A token bucket a category, in bytes. What does not fit waits in order; nothing is dropped. Acks, pings, chat and
teleports carry no category and never wait.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

CATEGORIES = ("resend", "land", "wind", "cloud", "task", "texture", "asset")

# Bits a second until the viewer says otherwise, in the order above; and the least it may ask for, so that a
# viewer cannot starve itself of the land it needs to finish its login.
DEFAULT = (100e3, 512e3, 32e3, 32e3, 1e6, 512e3, 512e3)
FLOOR = 64e3
CEILING = 50e6
BURST_SECONDS = 0.5


def parse_throttles(data: bytes) -> tuple[float, ...]:
    """The seven rates of AgentThrottle.Throttles in bits a second, clamped; ValueError when it is not 28 bytes of numbers."""
    if len(data) < 28:
        raise ValueError(f"AgentThrottle carries {len(data)} bytes, not 28")
    rates = struct.unpack_from("<7f", data)
    return tuple(min(max(rate if rate == rate else FLOOR, FLOOR), CEILING) for rate in rates)


class ThrottledQueue(Generic[T]):
    """One category: items in order with their sizes, let out as the bucket fills."""

    def __init__(self, bits_per_second: float, now: float) -> None:
        self.items: deque[tuple[int, T]] = deque()
        self.waiting = 0  # bytes
        self._updated = now
        self.set_rate(bits_per_second)
        self._tokens = self._burst

    def set_rate(self, bits_per_second: float) -> None:
        self._rate = bits_per_second / 8
        self._burst = max(self._rate * BURST_SECONDS, 4096.0)

    def put(self, size: int, item: T) -> None:
        self.items.append((size, item))
        self.waiting += size

    def take(self, now: float) -> list[T]:
        """Items that may leave now."""
        self._tokens = min(self._tokens + (now - self._updated) * self._rate, self._burst)
        self._updated = now
        out: list[T] = []
        while self.items and self._tokens > 0:  # may go into debt by one packet, paid before the next
            size, item = self.items.popleft()
            self._tokens -= size
            self.waiting -= size
            out.append(item)
        return out
