"""The asset store: immutable assets by UUID, in a tree of plain files that needs no database.

    DIR/store.json            the partitions' names, and a move that is under way
    DIR/lock                  held by the process that writes
    DIR/hashes/ab/<sha256>    a second name (hard link) of a file with these bytes, to find equal ones; only a help:
                              losing it costs space, no asset
    DIR/<partition>/tmp/      files being written
    DIR/<partition>/7a1/      a bucket: one file an asset, and its record is its name
    DIR/<partition>/7a1/b6/   a leaf of a bucket that has grown (leaves.py)

        <uuid>.<type>.<size>.<sha256>             7a1b6c05-....0.48211.9f86d081...
        <uuid>.<type>.<size>.<sha256>.damaged     its bytes no longer hash to its name; kept, never served

A name appears whole or not at all, and needs nothing beside the file it names: so a put costs what a bare file tree
costs (file fsync, rename, directory fsync), there is no index to be repaired, and `ls`, `rsync` and a web server
understand the store. Nothing is kept in memory: a look-up lists one short directory.

Equal bytes are stored once: the second asset's file is a hard link to the first one's. (There are none across file
systems, so a partition on another disk keeps its own copies.)
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import logging
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

from assets import durable
from assets.checking import Report, check
from assets.layout import (
    DAMAGED,
    DESCRIPTION,
    FORMAT,
    MARKER,
    Conflict,
    CorruptAsset,
    Layout,
    PartitionLost,
    Record,
    StoreError,
    make_partition,
    require_partition,
)
from assets.leaves import Leaves, files_of
from assets.moving import move_buckets
from assets.partitions import bucket_name, bucket_of, check_names, owners
from assets.types import HIGHEST_TYPE
from ground import disks

__all__ = ["Conflict", "CorruptAsset", "PartitionLost", "Record", "Report", "Store", "StoreError", "check", "repartition"]

DEFAULT_PARTITIONS = ("p0", "p1", "p2", "p3")
_STRIPES = 64
log = logging.getLogger(__name__)


class Store:
    """A store opened for reading and writing; safe to use from several threads. One process at a time (a lock).

    ``partitions``: names for a new store; an existing one knows its own. StoreError when it can't be opened. A partition
    that is away, at the start or later, makes its own assets PartitionLost and nothing else.
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
        self._serial = itertools.count()
        # The names in a bucket and its leaves change only under its stripe.
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]
        self._prepared: set[str] = set()  # partitions whose tmp is clean and there
        self._wrong: set[str] = set()  # those that were away, or another's, when last looked at whole
        try:
            self._open(partitions)
        except BaseException:
            self.close()
            raise

    def _open(self, partitions: Sequence[str]) -> None:
        if not (self.directory / DESCRIPTION).exists():
            check_names(partitions)
            for name in partitions:
                make_partition(self.directory / name, name)
            Layout(list(partitions)).write(self.directory)
        layout = Layout.read(self.directory)
        if layout.previous is not None:
            move_buckets(self.directory, layout)
        elif layout.format != FORMAT:
            layout.write(self.directory)
        self.partitions = tuple(layout.partitions)
        self._homes = owners(self.partitions)
        self._buckets = [f"{self.directory}/{name}/{bucket_name(bucket)}" for bucket, name in enumerate(self._homes)]
        self._leaves = Leaves(self._buckets)
        lost = self.lost()
        if len(lost) == len(self.partitions):
            require_partition(self.directory / lost[0], lost[0])  # says what is wrong with it
        for name in self.partitions:
            if name in lost:
                log.error("partition %s is missing; is its disk mounted at %s?", name, self.directory / name)
            else:
                self._prepare(name)
        self._hashes = self.directory / "hashes"
        self._hashes.mkdir(exist_ok=True)
        for prefix in range(256):
            (self._hashes / f"{prefix:02x}").mkdir(exist_ok=True)

    def _prepare(self, name: str) -> None:
        """Before the first put into a partition: what a killed process had not finished goes."""
        tmp = self.directory / name / "tmp"
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir()
        self._prepared.add(name)

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
        """As Blobs.find."""
        return self._look_up(asset_id)[1]

    def get(self, asset_id: UUID) -> tuple[Record, bytes] | None:
        """As Blobs.get; what is damaged is put aside."""
        directory, record = self._look_up(asset_id)
        if record is None:
            return None
        try:
            data = Path(f"{directory}/{record}").read_bytes()
        except OSError as error:
            again, record = self._look_up(asset_id)  # raises if its partition went
            if record is not None and again != directory:  # its bucket was split meanwhile
                return self.get(asset_id)
            raise CorruptAsset(f"the bytes of {asset_id} are lost ({error.strerror})") from None
        if hashlib.sha256(data).hexdigest() != record.sha256:
            self._put_aside(record)
            raise CorruptAsset(f"the bytes of {asset_id} are damaged; they are kept as {record}{DAMAGED}")
        return record, data

    def walk(self, bucket: int) -> Iterator[Record]:
        """As Blobs.walk."""
        self._require(self._homes[bucket])
        with self._stripes[bucket % _STRIPES]:
            found = {record.id: record for _, name in files_of(self._buckets[bucket])
                     if (record := Record.parse(name.removesuffix(DAMAGED))) is not None}  # fmt: skip
        yield from (found[asset_id] for asset_id in sorted(found))

    def lost(self) -> tuple[str, ...]:
        """As Blobs.lost."""
        return tuple(name for name in self.partitions if not self._is_here(name))

    def free_bytes(self) -> int:
        """As Blobs.free_bytes."""
        return disks.free_bytes((self.directory, *(self.directory / name for name in self.partitions)))

    # -- writing --------------------------------------------------------------------------------------------------

    def put(self, asset_id: UUID, data: bytes, asset_type: int) -> bool:
        """As Blobs.put: when this returns it is on disk."""
        if asset_id.int == 0 or not 0 <= asset_type <= HIGHEST_TYPE:
            raise ValueError(f"can't store {asset_id} of type {asset_type}")
        sha256 = hashlib.sha256(data).hexdigest()
        name = str(Record(asset_id, asset_type, len(data), sha256))
        bucket = bucket_of(asset_id)
        home = self._homes[bucket]
        with self._stripes[bucket % _STRIPES]:
            self._require(home)
            if home not in self._prepared:
                self._prepare(home)
            directory, there = self._there(bucket, asset_id)
        _refuse_other(asset_id, name, there)
        if there == name and self._whole(f"{directory}/{name}", sha256):
            # Perhaps put by another thread a moment ago: acknowledged here only when it is durable, too.
            durable.sync_directory(directory)
            return False
        self._make(bucket, directory)
        temporary = f"{self.directory}/{home}/tmp/{next(self._serial)}"
        try:
            shared = self._take_equal(sha256, temporary)
            if not shared:
                durable.write_new(temporary, data)
            with self._stripes[bucket % _STRIPES]:
                directory, there = self._there(bucket, asset_id)
                _refuse_other(asset_id, name, there)
                self._make(bucket, directory)  # another one, if its bucket was split meanwhile
                # Over the same name at most: equal bytes that another thread wrote, or damaged ones being repaired.
                os.rename(temporary, f"{directory}/{name}")
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        if shared:
            Path(temporary).unlink(missing_ok=True)  # renaming onto another link of one file leaves both names
        else:
            self._offer(f"{directory}/{name}", sha256)
        try:
            durable.sync_directory(directory)
        except FileNotFoundError:  # its bucket was split meanwhile, which syncs all it moves
            pass
        return there is None

    def delete(self, asset_id: UUID) -> bool:
        """As Blobs.delete. Bytes that no other asset shares are gone with it."""
        bucket = bucket_of(asset_id)
        with self._stripes[bucket % _STRIPES]:
            directory, names = self._names(bucket, asset_id)
            records = {record for name in names if (record := Record.parse(name.removesuffix(DAMAGED))) is not None}
            for name in names:
                if Record.parse(name.removesuffix(DAMAGED)) is not None:
                    os.unlink(f"{directory}/{name}")
            if records:
                durable.sync_directory(directory)
        for record in records:
            shared = self._shared(record.sha256)
            try:
                if os.stat(shared).st_nlink == 1:
                    os.unlink(shared)
            except FileNotFoundError:
                pass
        return bool(records)

    def _make(self, bucket: int, directory: str) -> None:
        """The directory of an asset to be put, durably there."""
        if not os.path.isdir(directory):
            durable.make_directory(self._buckets[bucket])
            durable.make_directory(directory)

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
        bucket = bucket_of(record.id)
        with self._stripes[bucket % _STRIPES]:
            # Looked at again: another thread may have repaired it, or marked it, since.
            path = f"{self._names(bucket, record.id)[0]}/{record}"
            if os.path.exists(path) and not self._whole(path, record.sha256):
                os.rename(path, path + DAMAGED)
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

    def _look_up(self, asset_id: UUID) -> tuple[str, Record | None]:
        """Where an asset lies, and its record if there is one."""
        bucket = bucket_of(asset_id)
        with self._stripes[bucket % _STRIPES]:
            directory, name = self._there(bucket, asset_id)
        return directory, None if name is None else Record.parse(name.removesuffix(DAMAGED))

    def _there(self, bucket: int, asset_id: UUID) -> tuple[str, str | None]:
        """The directory of an asset and its file's name, if it has one. The caller holds the bucket's stripe.

        A whole file has the last word over damaged ones: it was put again.
        """
        directory, names = self._names(bucket, asset_id)
        good = [name for name in names if Record.parse(name.removesuffix(DAMAGED)) is not None]
        return directory, max(good, key=lambda name: (not name.endswith(DAMAGED), name), default=None)

    def _names(self, bucket: int, asset_id: UUID) -> tuple[str, list[str]]:
        """As Leaves.names; PartitionLost instead of an error, or of an empty place that is nobody's."""
        try:
            directory, names = self._leaves.names(bucket, asset_id)
        except OSError as error:
            raise PartitionLost(f"partition {self._homes[bucket]} cannot be read: {error.strerror}") from error
        if not names:
            self._require(self._homes[bucket])
        return directory, names

    def _is_here(self, name: str) -> bool:
        try:
            require_partition(self.directory / name, name)
        except StoreError:
            self._wrong.add(name)
            return False
        self._wrong.discard(name)
        return True

    def _require(self, name: str) -> None:
        """PartitionLost unless the partition is there: a disk that is not mounted must not look like an empty one."""
        if not os.path.exists(f"{self.directory}/{name}/{MARKER}") or (name in self._wrong and not self._is_here(name)):
            self._prepared.discard(name)
            raise PartitionLost(f"partition {name} is missing; is its disk mounted at {self.directory / name}?")

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
