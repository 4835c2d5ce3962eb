"""The one exception a user sees."""

import errno

FAILED = 1
"""Exit code of a command that could not do what was asked. Typer itself uses 2 for a command line it can't read."""

NOT_RUNNING = 3
"""Exit code of `mainland status` (and of commands that need a running grid) when there is none; 3 is what the
init script convention uses for it."""


def refused_by_machine(error: OSError) -> "GridError":
    """What the machine would not do (a folder that is read-only, a disk that is full), in words."""
    where = f"{error.filename}: " if error.filename else ""
    hints = {
        errno.ENOSPC: "make room on that disk",
        errno.EROFS: "choose a folder you may write to with --data DIR",
        errno.EACCES: "choose a folder that is yours with --data DIR",
        errno.EPERM: "choose a folder that is yours with --data DIR",
    }
    return GridError(f"{where}{error.strerror or error}", hints.get(error.errno or 0, ""))


class GridError(Exception):
    """Something the user can act on: `problem` says what is wrong, `hint` what to do about it."""

    def __init__(self, problem: str, hint: str = "", code: int = FAILED):
        super().__init__(problem)
        self.problem = problem
        self.hint = hint
        self.code = code
