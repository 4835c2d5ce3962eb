"""One supervisor a data directory.

A POSIX record lock rather than a pid file: the kernel drops it when its holder dies, however it dies, children don't
inherit it, and F_GETLK tells who holds it without taking it, so that looking can't get in the way of starting.
"""

import fcntl
import os
import struct
import sys
from pathlib import Path

from grid.errors import GridError

# struct flock of 64-bit Linux: type, whence (2 x short), start, length (2 x 64 bit), pid, and the padding C adds.
_FLOCK = "hhqqi4x"


def holder(path: Path) -> int | None:
    """The pid that holds the lock, None when nobody does."""
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        if sys.platform == "linux":
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
            if kind == fcntl.F_UNLCK:
                return None
            # 0: held from another pid namespace; what the holder wrote is the best there is.
            return pid or _written(file)
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return _written(file)
        return None
    finally:
        os.close(file)


def _written(file: int) -> int:
    """What a holder wrote; 0 when that is no pid."""
    try:
        return int(os.pread(file, 32, 0).split()[0])
    except (ValueError, IndexError):
        return 0


class Lock:
    """Held from `take` to `release` or the end of the process.

    Closing any descriptor of the file drops a POSIX lock, so the holder must not look at its own lock file meanwhile.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file = -1

    def take(self) -> None:
        """GridError naming the holder's pid when there is one already."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            self._file = -1
            pid = holder(self.path)
            raise GridError(
                f"a grid is already running on {self.path.parent.parent} (pid {pid})",
                "`mainland status` shows it, `mainland down` ends it; for a second grid use another --data",
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def held(self) -> bool:
        """Whether the file at the path is still the one locked: somebody may have removed the whole folder."""
        try:
            there, ours = os.stat(self.path), os.fstat(self._file)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
