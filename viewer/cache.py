"""What a viewer remembers of regions it has left: the objects as they were described, so that nobody describes them twice.

A region names its generation of objects by RegionHandshake.CacheID; under another id everything remembered is void.
Coming back, a viewer says that it holds a cache, is told ids and checksums (ObjectUpdateCached, ninety to a packet), and
asks only for what it lacks or has in another version (RequestMultipleObjects).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from uuid import UUID

Block = dict[str, Any]  # of ObjectUpdate, or of a compressed one


class ObjectCache:
    """Give one to ``login`` each time the same person comes. The regions longest not visited are forgotten first."""

    def __init__(self, max_regions: int = 16, max_objects: int = 100_000) -> None:
        self.max_regions = max_regions
        self.max_objects = max_objects  # per region
        self.hits = self.misses = 0
        self._regions: OrderedDict[UUID, dict[int, Block]] = OrderedDict()

    def holds(self, cache_id: UUID) -> bool:
        """Whether anything is remembered of the region with this id."""
        return bool(self._regions.get(cache_id))

    def remember(self, cache_id: UUID, block: Block) -> None:
        """An object was described in full."""
        known = self._regions.setdefault(cache_id, {})
        self._regions.move_to_end(cache_id)
        if len(self._regions) > self.max_regions:
            self._regions.popitem(last=False)
        if len(known) < self.max_objects or block["ID"] in known:
            known[block["ID"]] = block

    def find(self, cache_id: UUID, local_id: int, crc: int) -> Block | None:
        """The object as remembered, if it is still that version."""
        block = self._regions.get(cache_id, {}).get(local_id)
        if block is None or block["CRC"] != crc:
            self.misses += 1
            return None
        self.hits += 1
        return block
