"""The asset store: immutable assets by UUID, in a tree of plain files that needs no database.

    DIR/store.json            the partitions' names, and a move that is under way
    DIR/lock                  held by the process that writes
    DIR/hashes/ab/<sha256>    a second name (hard link) of a file with these bytes, to find equal ones; only a help:
                              losing it costs space, no asset
    DIR/<partition>/tmp/      files being written
    DIR/<partition>/7a1/      a bucket: one file an asset, and its record is its name

        <uuid>.<type>.<size>.<sha256>             7a1b6c05-....0.48211.9f86d081...
        <uuid>.<type>.<size>.<sha256>.damaged     its bytes no longer hash to its name; kept, never served

A name appears whole or not at all, and needs nothing beside the file it names: so a put costs what a bare file tree
costs (file fsync, rename, directory fsync), there is no index to be repaired, and `ls`, `rsync` and a web server
understand the store. In memory a bucket's names are kept while it is in use.

Equal bytes are stored once: the second asset's file is a hard link to the first one's. (There are none across file
systems, so a partition on another disk keeps its own copies.)
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from assets import durable
from assets.checking import Report, check
from assets.layout import (
    DAMAGED,
    DESCRIPTION,
    Conflict,
    CorruptAsset,
    Layout,
    Record,
    StoreError,
    make_partition,
    require_partition,
)
from assets.moving import move_buckets
from assets.partitions import bucket_name, bucket_of, check_names, owners
from assets.types import HIGHEST_TYPE

__all__ = ["Conflict", "CorruptAsset", "Record", "Report", "Store", "StoreError", "check", "repartition"]

DEFAULT_PARTITIONS = ("p0", "p1", "p2", "p3")
NAMES_HELD = 200_000  # assets whose names are kept in memory, about 60 MB; other buckets are listed again when needed
_STRIPES = 64

Names = dict[UUID, str]  # asset -> file name; with the suffix when only damaged bytes are left


class Store:
    """A store opened for reading and writing; safe to use from several threads. One process at a time (a lock).

    ``partitions``: names for a new store; an existing one knows its own. StoreError when it can't be opened.
    """

    def __init__(self, directory: str | Path, partitions: Sequence[str] = DEFAULT_PARTITIONS) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)  # people's notes are in it
        self._lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise StoreError(f"another process has the store {self.directory} open") from None
        try:
            self._open(partitions)
        except BaseException:
            self.close()
            raise
        self._serial = itertools.count()
        # A bucket's names change only under its stripe; which buckets are in memory, only under `_held_lock`.
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]
        self._held_lock = threading.Lock()
        self._held: OrderedDict[int, Names] = OrderedDict()
        self._held_names = 0

    def _open(self, partitions: Sequence[str]) -> None:
        if not (self.directory / DESCRIPTION).exists():
            check_names(partitions)
            for name in partitions:
                make_partition(self.directory / name, name)
            Layout(list(partitions)).write(self.directory)
        layout = Layout.read(self.directory)
        if layout.previous is not None:
            move_buckets(self.directory, layout)
        self.partitions = tuple(layout.partitions)
        homes = owners(self.partitions)
        self._buckets = [f"{self.directory}/{homes[bucket]}/{bucket_name(bucket)}" for bucket in range(len(homes))]
        for name in self.partitions:
            home = self.directory / name
            require_partition(home, name)
            shutil.rmtree(home / "tmp", ignore_errors=True)  # what a killed process had not finished
            (home / "tmp").mkdir()
        self._hashes = self.directory / "hashes"
        self._hashes.mkdir(exist_ok=True)
        for prefix in range(256):
            (self._hashes / f"{prefix:02x}").mkdir(exist_ok=True)

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)  # and with it the flock
            self._lock = -1

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- reading --------------------------------------------------------------------------------------------------

    def find(self, asset_id: UUID) -> Record | None:
        """Type, size and hash of an asset, without reading it; None if there is none."""
        bucket = bucket_of(asset_id)
        with self._stripes[bucket % _STRIPES]:
            name = self._names(bucket).get(asset_id)
        return None if name is None else Record.parse(name.removesuffix(DAMAGED))

    def get(self, asset_id: UUID) -> tuple[Record, bytes] | None:
        """An asset's record and its bytes, hashed and found equal to the record; None if there is none.

        CorruptAsset when they are not equal, or gone: counted, put aside, never served.
        """
        record = self.find(asset_id)
        if record is None:
            return None
        try:
            data = Path(self._path(record)).read_bytes()
        except FileNotFoundError:
            self._forget(bucket_of(asset_id))
            raise CorruptAsset(f"the bytes of {asset_id} are lost") from None
        if hashlib.sha256(data).hexdigest() != record.sha256:
            self._put_aside(record)
            raise CorruptAsset(f"the bytes of {asset_id} are damaged; they are kept as {record}{DAMAGED}")
        return record, data

    # -- writing --------------------------------------------------------------------------------------------------

    def put(self, asset_id: UUID, data: bytes, asset_type: int) -> bool:
        """Store an asset. When this returns it is on disk. True if it is new, False if the very same was there.

        Conflict if the id has other bytes or another type; ValueError for the null id or a type outside 0..127;
        OSError when the disk refuses. The right bytes put again repair an asset whose bytes were damaged.
        """
        if asset_id.int == 0 or not 0 <= asset_type <= HIGHEST_TYPE:
            raise ValueError(f"can't store {asset_id} of type {asset_type}")
        sha256 = hashlib.sha256(data).hexdigest()
        name = str(Record(asset_id, asset_type, len(data), sha256))
        bucket = bucket_of(asset_id)
        directory = self._buckets[bucket]
        path = f"{directory}/{name}"
        with self._stripes[bucket % _STRIPES]:
            names = self._names(bucket)
            there = names.get(asset_id)
        _refuse_other(asset_id, name, there)
        if there == name and self._whole(path, sha256):
            # Perhaps put by another thread a moment ago: acknowledged here only when it is durable, too.
            durable.sync_directory(directory)
            return False
        if not names:
            durable.make_directory(directory)
        temporary = f"{os.path.dirname(directory)}/tmp/{next(self._serial)}"
        try:
            shared = self._take_equal(sha256, temporary)
            if not shared:
                durable.write_new(temporary, data)
            with self._stripes[bucket % _STRIPES]:
                names = self._names(bucket)
                there = names.get(asset_id)
                _refuse_other(asset_id, name, there)
                # Over the same name at most: equal bytes that another thread wrote, or damaged ones being repaired.
                os.rename(temporary, path)
                names[asset_id] = name
                with self._held_lock:
                    self._held_names += there is None and self._held.get(bucket) is names
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        if shared:
            Path(temporary).unlink(missing_ok=True)  # renaming onto another link of one file leaves both names
        else:
            self._offer(path, sha256)
        durable.sync_directory(directory)
        return there is None

    def _take_equal(self, sha256: str, temporary: str) -> bool:
        """Link a file with these bytes as ``temporary``, if one is known. It is read and hashed first: damage must not
        spread to a second asset."""
        shared = self._shared(sha256)
        try:
            os.link(shared, temporary)
        except OSError:  # none yet, another file system, one without links, or 65,000 links already
            return False
        if self._whole(temporary, sha256):
            return True
        for path in (temporary, shared):
            Path(path).unlink(missing_ok=True)
        return False

    def _offer(self, path: str, sha256: str) -> None:
        """Let later equal bytes find this file."""
        try:
            os.link(path, self._shared(sha256))
        except OSError:
            pass  # another thread was faster, or there are no links here

    def _put_aside(self, record: Record) -> None:
        """Mark a damaged file as such, in its name; and let no other asset link to it."""
        path, bucket = self._path(record), bucket_of(record.id)
        with self._stripes[bucket % _STRIPES]:
            # Looked at again: another thread may have repaired it, or marked it, since.
            if os.path.exists(path) and not self._whole(path, record.sha256):
                os.rename(path, path + DAMAGED)
                self._names(bucket)[record.id] = str(record) + DAMAGED
        shared = self._shared(record.sha256)
        if os.path.exists(shared) and not self._whole(shared, record.sha256):
            Path(shared).unlink(missing_ok=True)

    @staticmethod
    def _whole(path: str, sha256: str) -> bool:
        try:
            return hashlib.sha256(Path(path).read_bytes()).hexdigest() == sha256
        except FileNotFoundError:
            return False

    # -- names ----------------------------------------------------------------------------------------------------

    def _names(self, bucket: int) -> Names:
        """The names in a bucket, from memory or listed now. The caller holds the bucket's stripe."""
        with self._held_lock:
            names = self._held.get(bucket)
            if names is not None:
                self._held.move_to_end(bucket)
                return names
        names = self._list(bucket)
        with self._held_lock:
            self._held[bucket] = names
            self._held_names += len(names) + 1
            # One that is dropped while a thread adds to it loses nothing: what was added is in the directory.
            while self._held_names > NAMES_HELD and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._held_names -= len(dropped) + 1
        return names

    def _list(self, bucket: int) -> Names:
        try:
            entries = os.listdir(self._buckets[bucket])
        except FileNotFoundError:
            return {}
        names: Names = {}
        # Damaged ones first, so that a repaired asset's whole file has the last word.
        for entry in sorted(entries, key=lambda entry: (not entry.endswith(DAMAGED), entry)):
            record = Record.parse(entry.removesuffix(DAMAGED))
            if record is not None:
                names[record.id] = entry
        return names

    def _forget(self, bucket: int) -> None:
        """Somebody changed a directory behind our back: list it again next time."""
        with self._held_lock:
            dropped = self._held.pop(bucket, None)
            if dropped is not None:
                self._held_names -= len(dropped) + 1

    def _path(self, record: Record) -> str:
        return f"{self._buckets[bucket_of(record.id)]}/{record}"

    def _shared(self, sha256: str) -> str:
        return f"{self._hashes}/{sha256[:2]}/{sha256}"


def _refuse_other(asset_id: UUID, name: str, there: str | None) -> None:
    if there is not None and there.removesuffix(DAMAGED) != name:
        raise Conflict(f"{asset_id} is stored already, with other content")


def repartition(directory: str | Path, partitions: Sequence[str]) -> int:
    """Deal a closed store's buckets to these partitions (old and new names); returns how many buckets moved.

    A new partition on another disk: mount it, or make a symlink to it, at DIR/<name> first. Survives being killed: the
    next opening of the store goes on where it stopped.
    """
    directory = Path(directory)
    check_names(partitions)
    with Store(directory) as store:
        layout = Layout(list(partitions), list(store.partitions))
        layout.write(directory)
        return move_buckets(directory, layout)
