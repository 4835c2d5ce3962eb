"""The asset store: immutable blobs under UUIDs, in a tree of plain files that needs no database.

    DIR/store.json               partitions, and a move that is under way
    DIR/lock                     held by the process that writes
    DIR/hashes/ab/<sha256>       hard links to blobs, to find equal bytes; only a help: losing it costs space, no asset
    DIR/<partition>/tmp/         files being written
    DIR/<partition>/quarantine/  blobs whose bytes no longer hash to their name
    DIR/<partition>/7a1/         a bucket, self-contained:
        <uuid>    -> 0.48211.9f86d081...    a record: a symlink that points nowhere and is never followed; its text is
                                            asset type, size and SHA-256
        9f86d081...                         the blob, named by its SHA-256

A symlink is made atomically or not at all, refuses to exist twice, sits in its inode and is read in one call: all that
an index entry of an immutable store needs. Record and blob share a directory, so that one fsync of it makes both
durable, and a put costs what a bare file tree costs: file fsync, rename, directory fsync.

Equal bytes are stored once: the second asset's blob is a hard link to the first one's. (Across file systems there are
no hard links, so a partition on another disk keeps its own copies.)
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from assets import durable
from assets.checking import Report, check
from assets.layout import (
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


class Store:
    """A store opened for reading and writing; safe to use from several threads. One process at a time (a lock).

    ``partitions``: names for a new store; an existing one knows its own. StoreError when it can't be opened.
    """

    def __init__(self, directory: str | Path, partitions: Sequence[str] = DEFAULT_PARTITIONS) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
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
        self._homes = [str(self.directory / name) for name in owners(self.partitions)]
        for name in self.partitions:
            home = self.directory / name
            require_partition(home, name)
            shutil.rmtree(home / "tmp", ignore_errors=True)  # what a killed process had not finished
            (home / "tmp").mkdir()
            (home / "quarantine").mkdir(exist_ok=True)
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
        try:
            text = os.readlink(self._place(asset_id))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CorruptAsset(f"the index entry of {asset_id} can't be read: {error}") from error
        return Record.parse(asset_id, text)

    def get(self, asset_id: UUID) -> tuple[Record, bytes] | None:
        """An asset's record and its bytes, hashed and found equal to the record. CorruptAsset if they aren't."""
        record = self.find(asset_id)
        if record is None:
            return None
        return record, self.read(asset_id, record)

    def read(self, asset_id: UUID, record: Record) -> bytes:
        """The bytes of an asset whose record is known; checked, as ``get``."""
        path = self._blob(asset_id, record.sha256)
        try:
            data = Path(path).read_bytes()
        except FileNotFoundError:
            raise CorruptAsset(f"the bytes of {asset_id} are gone ({record.sha256})") from None
        if hashlib.sha256(data).hexdigest() != record.sha256:
            self._quarantine(asset_id, record.sha256)
            raise CorruptAsset(f"the bytes of {asset_id} are damaged; put aside in quarantine ({record.sha256})")
        return data

    # -- writing --------------------------------------------------------------------------------------------------

    def put(self, asset_id: UUID, data: bytes, asset_type: int) -> bool:
        """Store an asset. When this returns it is on disk. True if it is new, False if the very same was there.

        Conflict if the id has other bytes or another type; ValueError for the null id or a type outside 0..127;
        OSError when the disk refuses. The same bytes put again repair an asset whose blob was lost.
        """
        if asset_id.int == 0 or not 0 <= asset_type <= HIGHEST_TYPE:
            raise ValueError(f"can't store {asset_id} of type {asset_type}")
        record = Record(asset_type, len(data), hashlib.sha256(data).hexdigest())
        self._check_same(asset_id, record)
        bucket = self._bucket(asset_id)
        durable.make_directory(bucket)
        if not self._reuse(asset_id, record.sha256):
            self._write_blob(asset_id, record.sha256, data)
        try:
            os.symlink(str(record), self._place(asset_id))
            new = True
        except FileExistsError:
            # Someone was faster, now or years ago. Theirs may not be durable yet, ours must be when we return.
            self._check_same(asset_id, record)
            new = False
        durable.sync_directory(bucket)
        return new

    def _check_same(self, asset_id: UUID, record: Record) -> None:
        there = self.find(asset_id)
        if there is not None and there != record:
            raise Conflict(f"{asset_id} is stored already, with other content")

    def _reuse(self, asset_id: UUID, sha256: str) -> bool:
        """Take the blob from equal bytes stored before. They are read and hashed: a damaged one must not spread."""
        blob, shared = self._blob(asset_id, sha256), self._shared(sha256)
        if not os.path.exists(blob):
            try:
                os.link(shared, blob)
            except FileExistsError:
                pass
            except OSError:  # none yet, another file system, one without links, or 65,000 links already
                return False
        try:
            if hashlib.sha256(Path(blob).read_bytes()).hexdigest() == sha256:
                return True
        except FileNotFoundError:
            return False  # a reader has just found it damaged and taken it away
        self._quarantine(asset_id, sha256)
        return False

    def _write_blob(self, asset_id: UUID, sha256: str, data: bytes) -> None:
        blob = self._blob(asset_id, sha256)
        temporary = os.path.join(self._homes[bucket_of(asset_id)], "tmp", str(next(self._serial)))
        try:
            durable.write_new(temporary, data)
            os.rename(temporary, blob)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        try:
            os.link(blob, self._shared(sha256))
        except OSError:
            pass  # another thread was faster, or no links here: the blob itself is safe

    def _quarantine(self, asset_id: UUID, sha256: str) -> None:
        """Take a damaged blob out of reach, keeping it for whoever wants to look."""
        aside = os.path.join(self._homes[bucket_of(asset_id)], "quarantine", f"{sha256}.{time.time_ns()}")
        for path, target in ((self._shared(sha256), None), (self._blob(asset_id, sha256), aside)):
            try:
                # Looked at again: another thread may have repaired it since.
                if hashlib.sha256(Path(path).read_bytes()).hexdigest() == sha256:
                    continue
                if target is None:
                    os.unlink(path)
                else:
                    os.rename(path, target)
            except FileNotFoundError:
                continue  # another reader was faster

    # -- places ---------------------------------------------------------------------------------------------------

    def _bucket(self, asset_id: UUID) -> str:
        bucket = bucket_of(asset_id)
        return f"{self._homes[bucket]}/{bucket_name(bucket)}"

    def _place(self, asset_id: UUID) -> str:
        return f"{self._bucket(asset_id)}/{asset_id}"

    def _blob(self, asset_id: UUID, sha256: str) -> str:
        return f"{self._bucket(asset_id)}/{sha256}"

    def _shared(self, sha256: str) -> str:
        return f"{self._hashes}/{sha256[:2]}/{sha256}"


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
