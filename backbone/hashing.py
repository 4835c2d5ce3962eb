"""The slow password hash on a thread of its own, one at a time.

One thread, because each hash takes a whole core for 4 ms and 8 MiB that malloc keeps for the thread that
freed them: spread over twenty threads it would be 160 MB, and the hub would fight for its core.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from backbone import passwords
from ground import green


class Hasher:
    def __init__(self) -> None:
        self._thread = green.Batcher("passwords", _run, limit=1)

    def verify(self, verifier: str | None, login_digest: str | None) -> bool:
        """passwords.verify, while other greenlets go on."""
        return self._thread.submit(partial(passwords.verify, verifier, login_digest))

    def make_verifier(self, password: str) -> str:
        """passwords.make_verifier, while other greenlets go on."""
        return self._thread.submit(partial(passwords.make_verifier, password))

    def close(self) -> None:
        self._thread.close()


def _run(jobs: list[Callable[[], Any]]) -> list[Any]:
    outcomes: list[Any] = []
    for job in jobs:
        try:
            outcomes.append(job())
        except Exception as error:  # the submitter's to handle; the thread goes on
            outcomes.append(error)
    return outcomes
