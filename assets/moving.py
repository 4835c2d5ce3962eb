"""More (or fewer) partitions for a store: bring every bucket to its new owner."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from assets import durable
from assets.layout import FORMAT, Layout, make_partition
from assets.leaves import files_of, is_leaf
from assets.partitions import BUCKETS, bucket_name, owners


def move_buckets(directory: Path, layout: Layout) -> int:
    """Bring every bucket to its owner, then forget the previous layout; returns how many moved.

    Killed at any point, the next call goes on. Nothing leaves its old place before it is durable in the new.
    """
    for name in layout.partitions:
        make_partition(directory / name, name)
    before, after = owners(layout.previous or layout.partitions), owners(layout.partitions)
    moved = 0
    for bucket in range(BUCKETS):
        source = directory / before[bucket] / bucket_name(bucket)
        if before[bucket] == after[bucket] or not source.is_dir():
            continue
        target = directory / after[bucket] / bucket_name(bucket)
        durable.make_directory(str(target))
        for place, name in files_of(str(source)):
            inside = target / os.path.relpath(place, source)
            if inside != target:
                durable.make_directory(str(inside))
            _move(Path(place) / name, inside / name)
        for made in [target, *(entry for entry in target.iterdir() if is_leaf(entry.name))]:
            durable.sync_directory(made)
        shutil.rmtree(source)
        durable.sync_directory(source.parent)
        moved += 1
    layout.previous, layout.format = None, FORMAT
    layout.write(directory)
    return moved


def _move(source: Path, target: Path) -> None:
    """Move a file, or copy it where the partitions lie on different file systems."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        half = target.with_name(f".{target.name}")
        half.unlink(missing_ok=True)
        durable.write_new(half, source.read_bytes())
        os.rename(half, target)
