"""Is every asset of a store still what it was? Reads everything, changes nothing."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from assets.layout import CorruptAsset, Layout, Record, StoreError, require_partition
from assets.partitions import bucket_name, bucket_of, owners

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class Report:
    """What ``check`` found. ``bad`` and ``misplaced`` are damage; ``orphans`` are blobs of puts that never finished."""

    assets: int = 0
    blobs: int = 0
    bytes: int = 0
    bad: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    quarantined: int = 0

    @property
    def ok(self) -> bool:
        return not self.bad and not self.misplaced


def check(directory: str | Path) -> Report:
    """Hash every blob and compare every record, of a store in use or not. StoreError if there is no store."""
    directory = Path(directory)
    report = Report()
    layout = Layout.read(directory)
    homes = owners(layout.partitions)
    for name in sorted(set(layout.partitions) | set(layout.previous or ())):
        home = directory / name
        try:
            require_partition(home, name)
        except StoreError as error:
            report.bad.append(str(error))
            continue
        quarantine = home / "quarantine"
        report.quarantined += len(os.listdir(quarantine)) if quarantine.is_dir() else 0
        for bucket in _buckets(home):
            owner = homes[int(bucket.name, 16)]
            if owner != name:
                report.misplaced.append(f"{name}/{bucket.name} belongs to {owner}")
            _check_bucket(bucket, f"{name}/{bucket.name}", report)
    return report


def _buckets(home: Path) -> Iterator[Path]:
    for entry in sorted(os.listdir(home)):
        if re.fullmatch(r"[0-9a-f]{3}", entry):
            yield home / entry


def _check_bucket(bucket: Path, name: str, report: Report) -> None:
    entries = os.listdir(bucket)
    blobs = {entry: _measure(bucket / entry) for entry in entries if _SHA256.fullmatch(entry)}
    used = set()
    for entry in sorted(entries):
        if not _UUID.fullmatch(entry):
            continue
        report.assets += 1
        try:
            record = Record.parse(entry, os.readlink(bucket / entry))
        except (CorruptAsset, OSError) as error:
            report.bad.append(f"{name}/{entry}: {error}")
            continue
        if bucket_name(bucket_of(UUID(entry))) != bucket.name:
            report.misplaced.append(f"{name}/{entry} is in the wrong bucket")
        used.add(record.sha256)
        if record.sha256 not in blobs:  # perhaps put while we were listing
            blobs[record.sha256] = _measure(bucket / record.sha256)
        if blobs[record.sha256] != record.size:
            report.bad.append(f"{name}/{entry}: its bytes ({record.sha256}) are damaged or missing")
    for sha256, size in blobs.items():
        if size is not None:
            report.blobs += 1
            report.bytes += size
        if sha256 not in used:
            report.orphans.append(f"{name}/{sha256}")


def _measure(blob: Path) -> int | None:
    """The size of a blob whose bytes hash to its name; None if they don't, or can't be read."""
    try:
        data = blob.read_bytes()
    except OSError:
        return None
    return len(data) if hashlib.sha256(data).hexdigest() == blob.name else None
