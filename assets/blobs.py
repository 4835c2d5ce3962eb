"""What the asset service asks of whatever keeps its assets. A tree of files (store.py) is what does today.

Assets are immutable: an id is given bytes and a type once. ``tests/assets/test_blobs.py`` is the contract, for every
engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol
from uuid import UUID

from assets.layout import Record


class Blobs(Protocol):
    """Safe to use from several threads. Every method may raise PartitionLost (layout.py): the part of the store where
    this asset is, or would be, is away; nothing is said about whether there is such an asset."""

    def put(self, asset_id: UUID, data: bytes, asset_type: int) -> bool:
        """Store an asset. When this returns it is durable. True if it is new, False if the very same was there.

        Conflict if the id has other bytes or another type; ValueError for the null id or a type outside 0..127; OSError
        when it can't be written. The right bytes put again repair an asset whose bytes were damaged.
        """

    def find(self, asset_id: UUID) -> Record | None:
        """Type, size and hash of an asset, without reading it; None if there is none."""

    def get(self, asset_id: UUID) -> tuple[Record, bytes] | None:
        """An asset's record and its bytes, hashed and found equal to the record; None if there is none.

        CorruptAsset when they are not equal, or gone: never served.
        """

    def delete(self, asset_id: UUID) -> bool:
        """Forget an asset, durably. False if there was none."""

    def walk(self, bucket: int) -> Iterator[Record]:
        """Every asset of a bucket (0..4095: the first three hex digits of the id), in the order of their ids."""

    def lost(self) -> tuple[str, ...]:
        """Names of the partitions that are away now; empty when all is well."""

    def free_bytes(self) -> int:
        """How much can still be stored, on the fullest of the disks."""
