"""What can be wrong with a source: every finding with its place.

Places are kept as viewers and programs take them, line and column from 0; what people read counts both from 1.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

MOST_ERRORS = 100  # a source of garbage must not make a list without end


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One compile error: line and column from 0, in characters."""

    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """For people, in the form editors can jump to: `12:5: message`, from 1."""
        return f"{self.line + 1}:{self.column + 1}: {self.message}"

    def for_viewers(self) -> str:
        """As viewers' script editors read it, from 0."""
        return f"({self.line}, {self.column}) : ERROR : {self.message}"


class CompileError(ValueError):
    """The source does not compile; `findings` holds every error, in order of place."""

    def __init__(self, findings: list[Finding]):
        self.findings = findings
        super().__init__("\n".join(str(finding) for finding in findings))


class TooManyErrors(Exception):
    """Raised inside the compiler to stop at MOST_ERRORS."""


class Diary:
    """Collects findings while the compiler goes on; knows how to turn an offset into a place."""

    def __init__(self, text: str):
        self.findings: list[Finding] = []
        self._starts = [0]
        position = text.find("\n")
        while position >= 0:
            self._starts.append(position + 1)
            position = text.find("\n", position + 1)

    def place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset) - 1
        return line, offset - self._starts[line]

    def line(self, offset: int) -> int:
        return bisect_right(self._starts, offset) - 1

    def error(self, offset: int, message: str) -> None:
        self.findings.append(Finding(*self.place(offset), message))
        if len(self.findings) >= MOST_ERRORS:
            raise TooManyErrors

    def finish(self) -> None:
        """Raises CompileError if anything was found."""
        if self.findings:
            raise CompileError(sorted(set(self.findings)))
