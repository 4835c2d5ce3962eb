"""Is every asset of a store still what it was? Reads everything, changes nothing."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from assets.layout import DAMAGED, Layout, Record, StoreError, require_partition
from assets.leaves import files_of, leaf_of
from assets.partitions import bucket_name, bucket_of, owners


@dataclass(slots=True)
class Report:
    """What ``check`` found. ``bad`` and ``misplaced`` are damage; ``foreign`` are files that are no assets."""

    assets: int = 0
    blobs: int = 0  # files on disk: assets with equal bytes share one
    bytes: int = 0
    bad: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    quarantined: int = 0

    @property
    def ok(self) -> bool:
        return not self.bad and not self.misplaced


def check(directory: str | Path) -> Report:
    """Hash every asset of a store, in use or not. StoreError if there is no store."""
    directory = Path(directory)
    report = Report()
    layout = Layout.read(directory)
    homes = owners(layout.partitions)
    files: dict[tuple[int, int], str | None] = {}  # device and inode -> SHA-256, so that shared bytes are read once
    for name in sorted(set(layout.partitions) | set(layout.previous or ())):
        home = directory / name
        try:
            require_partition(home, name)
        except StoreError as error:
            report.bad.append(str(error))
            continue
        for bucket in _buckets(home):
            owner = homes[int(bucket.name, 16)]
            if owner != name:
                report.misplaced.append(f"{name}/{bucket.name} belongs to {owner}")
            _check_bucket(bucket, f"{name}/{bucket.name}", files, report)
    return report


def _buckets(home: Path) -> Iterator[Path]:
    for entry in sorted(os.listdir(home)):
        if re.fullmatch(r"[0-9a-f]{3}", entry):
            yield home / entry


def _check_bucket(bucket: Path, where: str, files: dict[tuple[int, int], str | None], report: Report) -> None:
    good: dict[UUID, Record] = {}
    damaged: set[UUID] = set()
    for directory, name in files_of(str(bucket)):
        record = Record.parse(name.removesuffix(DAMAGED))
        if record is None:
            report.foreign.append(f"{where}/{name}")
            continue
        if bucket_name(bucket_of(record.id)) != bucket.name or Path(directory).name not in (bucket.name, leaf_of(record.id)):
            report.misplaced.append(f"{where}/{name} is in the wrong bucket")
        if name.endswith(DAMAGED):
            report.quarantined += 1
            damaged.add(record.id)
        elif record.id in good:
            report.bad.append(f"{where}: {record.id} is there twice, with different content")
        else:
            good[record.id] = record
            if _hash(Path(directory) / name, files, report) != record.sha256:
                report.bad.append(f"{where}/{name}: its bytes are damaged")
    report.assets += len(good.keys() | damaged)
    report.bad.extend(f"{where}: the bytes of {asset_id} are lost" for asset_id in sorted(damaged - good.keys()))


def _hash(path: Path, files: dict[tuple[int, int], str | None], report: Report) -> str | None:
    """SHA-256 of a file, each inode read once; None if it can't be read."""
    try:
        facts = path.stat()
        inode = (facts.st_dev, facts.st_ino)
        if inode not in files:
            data = path.read_bytes()
            files[inode] = hashlib.sha256(data).hexdigest()
            report.blobs += 1
            report.bytes += len(data)
        return files[inode]
    except OSError:
        return None
