"""How much one owner's scripts may say: what people and services get of them is bounded by owner, as Second Life has it.

What is too much is dropped, and the owner is told once a window.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_OWNERS = 10_000  # known at once; the longest silent are forgotten


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many within so many seconds of world time."""

    most: int
    seconds: float


# Second Life's figures: Limits, and the caveats of llSay and llInstantMessage, on the LSL wiki
CHAT = Limit(200, 10.0)  # what people read: channel 0 and DEBUG_CHANNEL, to all or to one
OWNER_CHAT = Limit(200, 10.0)  # what the owner alone reads: llOwnerSay, complaints, print
INSTANT_MESSAGES = Limit(2500, 1800.0)


class Throttles:
    """The counts of all owners of a region."""

    def __init__(self) -> None:
        self._windows: dict[tuple[Limit, str, str], list[float]] = {}  # [when it began, how many]
        self.dropped = 0
        self.factor = 1  # of all limits

    def count(self, limit: Limit, owner: str, now: float, kind: str = "") -> int:
        """How many there are now in the owner's window, this one included."""
        key = limit, owner, kind
        window = self._windows.get(key)
        if window is None or not 0.0 <= now - window[0] < limit.seconds:
            self._windows.pop(key, None)
            if len(self._windows) >= MOST_OWNERS:
                del self._windows[next(iter(self._windows))]
            window = self._windows[key] = [now, 0]
        window[1] += 1
        if window[1] > limit.most * self.factor:
            self.dropped += 1
        return int(window[1])
