"""Where an asset's file lies within its partition: in its bucket, or in a leaf of a bucket that has grown.

    <partition>/7a1/<file>        a bucket of few assets
    <partition>/7a1/b6/<file>     one that was split, by the next two hex digits

A look-up lists the one directory where the asset's file would be and reads the record off the name, so its cost grows
with the names in it. A bucket is split, once, when more than `SPLIT` files lie in it: a million assets are 256 names a
bucket, a billion 954 names a leaf. Small stores have no directory an asset, and a put no third fsync.

A crash in the middle of a split leaves files in both places; the next look-up in that bucket finishes it. Stores of
format 1 had buckets only, of any size: they are split as they are used.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from uuid import UUID

from assets import durable

log = logging.getLogger(__name__)

SPLIT = 512  # files
_ASSET = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.")
_LEAF = re.compile(r"[0-9a-f]{2}")


def leaf_of(asset_id: UUID) -> str:
    """The fourth and fifth hex digit."""
    return f"{asset_id.int >> 108 & 0xFF:02x}"


def is_leaf(name: str) -> bool:
    return _LEAF.fullmatch(name) is not None


def files_of(bucket: str) -> Iterator[tuple[str, str]]:
    """(directory, file name) of everything in a bucket and its leaves, in order. Nothing when there is no such bucket."""
    try:
        entries = sorted(os.listdir(bucket))
    except FileNotFoundError:
        return
    for entry in entries:
        if is_leaf(entry) and os.path.isdir(leaf := f"{bucket}/{entry}"):
            yield from ((leaf, name) for name in sorted(os.listdir(leaf)))
        else:
            yield bucket, entry


class Leaves:
    """Which directory holds an asset's file. That a bucket is split is remembered, in a byte each.

    Every method is called under the bucket's own lock.
    """

    def __init__(self, buckets: list[str]) -> None:
        self._buckets = buckets
        self._split_already = bytearray(len(buckets))

    def names(self, bucket: int, asset_id: UUID) -> tuple[str, list[str]]:
        """The directory where the asset's file is, or would be put, and the file names in it that begin with its id.

        The directory need not exist yet. OSError as os.listdir's, other than for one that is not there.
        """
        home = self._buckets[bucket]
        leaf = f"{home}/{leaf_of(asset_id)}"
        if self._split_already[bucket]:
            return leaf, _beginning(_list(leaf), asset_id)
        entries = _list(home)
        begun = any(is_leaf(entry) for entry in entries)
        if len(entries) <= SPLIT and not begun:
            return home, _beginning(entries, asset_id)
        files = [entry for entry in entries if _ASSET.match(entry)]
        if len(files) <= SPLIT and not begun:  # the rest is not ours
            return home, _beginning(files, asset_id)
        try:
            self._split(home, files)
        except OSError as error:  # a full disk, say: both places then, until it works
            log.error("bucket %s could not be split: %s", home, error)
            here, there = _beginning(_list(home), asset_id), _beginning(_list(leaf), asset_id)
            return (leaf, there) if there and not here else (home, here)
        self._split_already[bucket] = True
        return leaf, _beginning(_list(leaf), asset_id)

    def forget(self, bucket: int) -> None:
        """What is known of a bucket may not be so: its disk went, or came back."""
        self._split_already[bucket] = False

    def _split(self, home: str, files: list[str]) -> None:
        """Bring every asset's file of a bucket into its leaf."""
        leaves: dict[str, list[str]] = {}
        for name in files:
            leaves.setdefault(name[3:5], []).append(name)
        for leaf in leaves:
            try:
                os.mkdir(f"{home}/{leaf}")
            except FileExistsError:
                pass
        durable.sync_directory(home)
        for leaf, names in leaves.items():
            for name in names:
                os.rename(f"{home}/{name}", f"{home}/{leaf}/{name}")
            durable.sync_directory(f"{home}/{leaf}")
        durable.sync_directory(home)


def _list(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _beginning(names: list[str], asset_id: UUID) -> list[str]:
    start = str(asset_id)
    return [name for name in names if name.startswith(start)]
