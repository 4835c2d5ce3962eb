"""What ends a script: the run-time errors of LSL, with the place they happened."""

from __future__ import annotations


class ScriptFailure(Exception):
    """A run-time error that stops the script; the text is what its owner reads."""


class Reset(Exception):
    """llResetScript: the running event ends here and the script starts over."""


class Died(Exception):
    """llDie: the object goes, and nothing more of its scripts runs."""


class Removed(Exception):
    """The script has taken itself out of its object: nothing more of it runs."""


class BadState(ValueError):
    """A saved state that is damaged, foreign or of another version."""
