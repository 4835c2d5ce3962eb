"""Processes by pid and birth: a pid alone may belong to a stranger by now, both together never do."""

import time
from collections.abc import Iterable

import psutil


def create_time(pid: int) -> float:
    """When the process began (seconds since 1970), 0.0 when there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


def find(pid: int, born: float) -> psutil.Process | None:
    """The living process with this pid and birth. A zombie has ended; its parent just has not looked."""
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - born) < 1.0 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except psutil.Error:
        pass
    return None


def kill(pid: int, born: float) -> None:
    """KILL that process if it still is that process."""
    process = find(pid, born)
    if process is not None:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass


def end_all(known: Iterable[tuple[int, float]], patience: float) -> list[int]:
    """TERM the living ones among (pid, birth) pairs, KILL after `patience` seconds; the pids that had to be ended."""
    alive = [process for pid, born in known if pid and (process := find(pid, born)) is not None]
    for process in alive:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            pass
    _wait(alive, patience)
    for process in alive:
        if find(process.pid, process.create_time()) is not None:
            process.kill()
    _wait(alive, 5.0)
    return [process.pid for process in alive]


def _wait(alive: list[psutil.Process], seconds: float) -> None:
    # Not psutil.wait_procs: it calls zombies alive, and a zombie's parent may be the very process that waits here.
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(_living(process) for process in alive):
        time.sleep(0.02)


def _living(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
