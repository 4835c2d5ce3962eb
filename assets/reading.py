"""Reads for the hub: from memory when hot, from disk on a thread when not, and once for all who ask meanwhile."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from assets.blobs import Blobs
from assets.layout import CorruptAsset, Record
from assets.metrics import Metrics
from ground import green

Loaded = tuple[Record, bytes]
LARGEST_SHARE = 8  # an asset larger than this fraction of the cache would throw out too much else


class Reader:
    """Assets never change, so what was read and checked once may be served from memory for ever.

    ``cache_bytes``: how much to hold; least recently used goes first. For greenlets of one hub, not for threads.
    """

    def __init__(self, store: Blobs, metrics: Metrics, cache_bytes: int) -> None:
        self._store = store
        self._metrics = metrics
        self._limit = cache_bytes
        self._held = 0
        self._cache: OrderedDict[UUID, Loaded] = OrderedDict()
        self._loading: dict[UUID, green.Promise[Loaded | None]] = {}

    def find(self, asset_id: UUID) -> Record | None:
        """An asset's record, or None; its bytes stay where they are. CorruptAsset as Store.find."""
        hot = self._cache.get(asset_id)
        return hot[0] if hot else self._counted(asset_id)

    def get(self, asset_id: UUID) -> Loaded | None:
        """An asset's record and checked bytes, or None. CorruptAsset as Store.get."""
        hot = self._cache.get(asset_id)
        if hot:
            self._cache.move_to_end(asset_id)
            self._metrics.reads.labels("memory").inc()
            return hot
        waiting = self._loading.get(asset_id)
        if waiting is not None:
            return waiting.wait()
        promise = self._loading[asset_id] = green.Promise()
        try:
            loaded = green.in_thread(self._store.get, asset_id)
        except BaseException as error:
            if isinstance(error, CorruptAsset):
                self._metrics.corrupt.inc()
            promise.fail(error)
            raise
        finally:
            del self._loading[asset_id]
        self._metrics.reads.labels("disk").inc()
        if loaded:
            self._keep(asset_id, loaded)
        promise.give(loaded)
        return loaded

    def _counted(self, asset_id: UUID) -> Record | None:
        try:
            return green.in_thread(self._store.find, asset_id)
        except CorruptAsset:
            self._metrics.corrupt.inc()
            raise

    def _keep(self, asset_id: UUID, loaded: Loaded) -> None:
        size = len(loaded[1])
        if size * LARGEST_SHARE > self._limit:
            return
        self._cache[asset_id] = loaded
        self._held += size
        while self._held > self._limit:
            _, (_, dropped) = self._cache.popitem(last=False)
            self._held -= len(dropped)
        self._metrics.cached_bytes.set(self._held)
