"""Record arrays that grow, and whose gaps are used again."""

from __future__ import annotations

from bisect import bisect
from typing import Any

import numpy as np


class Table:
    """A record array that grows by doubling, and in which what was freed is used again."""

    def __init__(self, dtype: Any, columns: int = 0) -> None:
        self.rows = np.zeros((256, columns) if columns else 256, dtype)
        self.count = 0
        self._gaps: list[tuple[int, int]] = []  # start and length of what was freed, by start, none next to another

    def free(self, start: int, length: int) -> None:
        """Give rows back."""
        if not length:
            return
        at = bisect(self._gaps, (start, length))
        if at < len(self._gaps) and self._gaps[at][0] == start + length:
            length += self._gaps.pop(at)[1]
        if at and sum(self._gaps[at - 1]) == start:
            at -= 1
            start, before = self._gaps.pop(at)
            length += before
        if start + length == self.count:
            self.count = start
        else:
            self._gaps.insert(at, (start, length))

    def take(self, length: int) -> int:
        """Room for so many rows, in the first gap that holds them, or behind all; the index of the first."""
        for k, (start, room) in enumerate(self._gaps):
            if room >= length > 0:
                self._gaps[k : k + 1] = [(start + length, room - length)] if room > length else []
                return start
        start, self.count = self.count, self.count + length
        if self.count > len(self.rows):
            grown = np.zeros((max(2 * len(self.rows), self.count), *self.rows.shape[1:]), self.rows.dtype)
            grown[:start] = self.rows[:start]
            self.rows = grown
        return start

    def extend(self, values: Any) -> int:
        """Put rows in; the index of the first."""
        values = np.asarray(values, self.rows.dtype)
        start = self.take(len(values))
        self.rows[start : start + len(values)] = values
        return start
