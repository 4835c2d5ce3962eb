"""Logs: put aside by size, read back.

The processes append to their files by themselves, so a stalled supervisor never blocks them. Rotation therefore copies
and truncates instead of renaming: the writer keeps its open file and, appending, goes on at the new end. A line written
in the instant between copy and truncation is lost; that is the price, and it is paid once every `log_megabytes`.
"""

import os
import shutil
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path


def put_aside(folder: Path, largest: int, keep: int) -> None:
    """For each DIR/*.log over `largest` bytes: .1 becomes .2 and so on up to `keep`, the log becomes .1, then empty."""
    for log in folder.glob("*.log"):
        if log.stat().st_size <= largest:
            continue
        for number in range(keep, 1, -1):
            older = log.with_name(f"{log.name}.{number - 1}")
            if older.exists():
                os.replace(older, log.with_name(f"{log.name}.{number}"))
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def last_lines(log: Path, count: int) -> list[str]:
    """The last `count` lines; empty when there is no log."""
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=count)]
    except FileNotFoundError:
        return []


def follow(logs: list[Path]) -> Iterator[tuple[Path, str]]:
    """New lines of several logs as they come, for ever. Starts at their present ends; copes with rotation."""
    places = {log: log.stat().st_size if log.exists() else 0 for log in logs}
    rests = dict.fromkeys(logs, "")
    while True:
        for log in logs:
            size = log.stat().st_size if log.exists() else 0
            if size < places[log]:
                places[log] = 0
            if size > places[log]:
                with open(log, encoding="utf-8", errors="replace") as file:
                    file.seek(places[log])
                    text = rests[log] + file.read()
                    places[log] = file.tell()
                *lines, rests[log] = text.split("\n")
                for line in lines:
                    yield log, line
        time.sleep(0.25)
