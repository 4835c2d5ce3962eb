"""The one exception a user sees."""

FAILED = 1
"""Exit code of a command that could not do what was asked. Typer itself uses 2 for a command line it can't read."""

NOT_RUNNING = 3
"""Exit code of `mainland status` (and of commands that need a running grid) when there is none; 3 is what the
init script convention uses for it."""


class GridError(Exception):
    """Something the user can act on: `problem` says what is wrong, `hint` what to do about it."""

    def __init__(self, problem: str, hint: str = "", code: int = FAILED):
        super().__init__(problem)
        self.problem = problem
        self.hint = hint
        self.code = code
