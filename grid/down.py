"""`mainland down`: end a grid from outside, however it was started."""

import os
import signal
import time

from grid import processes
from grid.errors import GridError
from grid.layout import Layout
from grid.lock import holder
from grid.settings import Settings
from grid.up import read_status


def down(layout: Layout, settings: Settings) -> bool:
    """End the grid and wait until all its processes have ended. False when none was running.

    The supervisor gets TERM and ends its processes in order. If it does not within three times `stop_seconds` (sims,
    Backbone and assets one after the other), it is killed and what it started is ended by pid.
    """
    pid = holder(layout.lock) if layout.run.exists() else None
    before = read_status(layout)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 3 * settings.stop_seconds + 5
        while holder(layout.lock) == pid and time.monotonic() < until:
            time.sleep(0.02)
        if holder(layout.lock) == pid:
            os.kill(pid, signal.SIGKILL)
            before = read_status(layout) or before
    if before is not None:
        left = [(part["pid"], part["create_time"]) for part in before["processes"]]
        processes.end_all(left, settings.stop_seconds)
        layout.status.unlink(missing_ok=True)
    if pid is not None and holder(layout.lock) == pid:
        raise GridError(f"the supervisor (pid {pid}) does not end", f"kill -9 {pid}")
    return pid is not None
