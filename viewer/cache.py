"""What a viewer remembers of regions it has left: the objects as they were described, so that nobody describes them twice.

A region names its generation of objects by RegionHandshake.CacheID; under another id everything remembered is void.
Coming back, a viewer says that it holds a cache, is told ids and checksums (ObjectUpdateCached, ninety to a packet), and
asks only for what it lacks or has in another version (RequestMultipleObjects).

Several viewers of one grid may share a cache, as those behind a gateway do: what a region says of an object under one
checksum is the same for all of them, but for the UpdateFlags, which come with the checksum.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import Any
from uuid import UUID

Block = dict[str, Any]  # of ObjectUpdate, or of a compressed one
_OVERHEAD = 250  # bytes of an entry besides its packed values: dict slot, tuple, headers
_Entry = tuple[int, tuple[str, ...], bytes]  # checksum, names of the block's fields, their values packed


class ObjectCache:
    """Give one to ``login`` each time the same person comes. The regions longest not visited are forgotten first.

    Blocks are kept packed: as a dict one takes 3 kB, packed (by ``pickle``, of what we made ourselves) a fifth of that.
    """

    def __init__(self, max_regions: int = 16, max_objects: int = 100_000, max_bytes: int = 256 * 1024 * 1024) -> None:
        self.max_regions = max_regions
        self.max_objects = max_objects  # per region
        self.max_bytes = max_bytes  # of all regions
        self.bytes = 0
        self.hits = self.misses = 0
        self._regions: OrderedDict[UUID, dict[int, _Entry]] = OrderedDict()
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}  # one tuple for all blocks of a kind

    def __len__(self) -> int:
        """How many objects are remembered."""
        return sum(map(len, self._regions.values()))

    def holds(self, cache_id: UUID) -> bool:
        """Whether anything is remembered of the region with this id, which is being visited."""
        known = self._regions.get(cache_id)
        if known is not None:
            self._regions.move_to_end(cache_id)
        return bool(known)

    def remember(self, cache_id: UUID, block: Block) -> None:
        """An object was described in full."""
        known = self._regions.setdefault(cache_id, {})
        self._regions.move_to_end(cache_id)
        before = known.get(block["ID"])
        if before is not None and before[0] == block["CRC"]:
            return
        if before is None and len(known) >= self.max_objects:
            return
        names = tuple(block)
        names = self._names.setdefault(names, names)
        packed = pickle.dumps(tuple(block.values()), pickle.HIGHEST_PROTOCOL)
        self.bytes += len(packed) + _OVERHEAD - (len(before[2]) + _OVERHEAD if before is not None else 0)
        known[block["ID"]] = (block["CRC"], names, packed)
        while len(self._regions) > self.max_regions or (self.bytes > self.max_bytes and len(self._regions) > 1):
            _, gone = self._regions.popitem(last=False)
            self.bytes -= sum(len(entry[2]) + _OVERHEAD for entry in gone.values())
        if self.bytes > self.max_bytes:  # this region alone is more than we keep
            _, _, packed = known.pop(block["ID"])
            self.bytes -= len(packed) + _OVERHEAD

    def find(self, cache_id: UUID, local_id: int, crc: int) -> Block | None:
        """The object as remembered, if it is still that version."""
        entry = self._regions.get(cache_id, {}).get(local_id)
        if entry is None or entry[0] != crc:
            self.misses += 1
            return None
        self.hits += 1
        _, names, packed = entry
        return dict(zip(names, pickle.loads(packed), strict=True))
