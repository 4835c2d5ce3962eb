"""How often one sender may do something."""

from __future__ import annotations


class Bucket:
    """``rate`` acts a second, ``burst`` at once. Callers pass the time (monotonic seconds)."""

    __slots__ = ("_at", "_left", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate, self.burst = rate, burst
        self._left, self._at = burst, now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Whether ``amount`` may be done now; if so it counts."""
        self._left = min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True

    def full(self, now: float) -> bool:
        """Whether it is as good as new, and may be forgotten."""
        return self._left + (now - self._at) * self.rate >= self.burst


class ByAddress:
    """A bucket for each address, of a bounded number of addresses; idle ones are forgotten."""

    def __init__(self, rate: float, burst: float, most: int = 10_000) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._buckets: dict[str, Bucket] = {}

    def take(self, address: str, now: float) -> bool:
        """Whether ``address`` may do it once more. When too many addresses ask at once, new ones must wait."""
        bucket = self._buckets.get(address)
        if bucket is None:
            if len(self._buckets) >= self._most:
                self._buckets = {a: b for a, b in self._buckets.items() if not b.full(now)}
                if len(self._buckets) >= self._most:
                    return False
            bucket = self._buckets[address] = Bucket(self._rate, self._burst, now)
        return bucket.take(now)
