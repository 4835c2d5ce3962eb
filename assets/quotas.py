"""How much one person may bring into the store on one day."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

DAY = 86_400
MOST_PEOPLE = 100_000  # remembered; who has not uploaded for longest goes first


class Quotas:
    """Bytes an uploader and day (of UTC); 0 bytes: no limit. In memory: after a restart everybody's day begins anew."""

    def __init__(self, bytes_a_day: int) -> None:
        self.bytes_a_day = bytes_a_day
        self._used: OrderedDict[UUID, tuple[int, int]] = OrderedDict()  # -> (day, bytes)

    def take(self, uploader: UUID, size: int, now: float) -> bool:
        """Whether ``size`` more bytes fit into the uploader's day; if so they count. ``now``: unix seconds."""
        if not self.bytes_a_day:
            return True
        today = int(now // DAY)
        day, used = self._used.pop(uploader, (today, 0))
        used = used if day == today else 0
        fits = used + size <= self.bytes_a_day
        self._used[uploader] = (today, used + size if fits else used)
        while len(self._used) > MOST_PEOPLE:
            self._used.popitem(last=False)
        return fits

    def give_back(self, uploader: UUID, size: int, now: float) -> None:
        """What was taken was not stored after all."""
        day, used = self._used.get(uploader, (0, 0))
        if day == int(now // DAY):
            self._used[uploader] = (day, max(0, used - size))
