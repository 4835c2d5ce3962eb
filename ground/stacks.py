"""``kill -USR1 PID`` (or USR2) prints the stacks of all threads to the log, and the process goes on.

Python's faulthandler does it from the signal itself: it needs no loop that turns, no lock and no memory, so it works on
a process that is stuck, in C code too. Without it these signals end a process, and they are what people try first.
"""

from __future__ import annotations

import faulthandler
import signal
import sys


def on_signals() -> None:
    """From now on USR1 and USR2 print this process's stacks to stderr; a crash in C code prints them, too."""
    try:
        target = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # no stderr, or one that is no file
        return
    faulthandler.enable(target, all_threads=True)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        faulthandler.register(number, target, all_threads=True, chain=False)
