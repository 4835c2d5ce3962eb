"""Writing files so that they are still there after the power fails."""

from __future__ import annotations

import os
from pathlib import Path


def sync_directory(path: str | Path) -> None:
    """Make the names in a directory durable: a rename is only a promise until its directory is on disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_new(path: str | Path, data: bytes) -> None:
    """Write a file that must not exist yet, and its bytes through to the disk (its name is the caller's to sync)."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def replace(path: Path, data: bytes) -> None:
    """Give a small file new content: after a crash it holds the old or the new, never a mixture."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    write_new(temporary, data)
    os.rename(temporary, path)
    sync_directory(path.parent)


def make_directory(path: str) -> None:
    """Create a directory, durably, unless it is there."""
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    sync_directory(os.path.dirname(path))
