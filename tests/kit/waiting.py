"""Bounded waits on conditions: what tests use instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 30.0  # seconds: conditions are met in milliseconds; this ends a failing test, and must not fail one that is only slow


async def eventually(predicate: Callable[[], T], timeout: float = PATIENCE, what: str = "", interval: float = 0.02) -> T:
    """The predicate's first true value; AssertionError naming ``what`` if there is none within ``timeout`` seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while not (value := predicate()):
        assert loop.time() < end, f"not within {timeout:g} s: {what or getattr(predicate, '__name__', predicate)}"
        await asyncio.sleep(interval)
    return value


def until(predicate: Callable[[], T], timeout: float = PATIENCE, what: str = "", interval: float = 0.02) -> T:
    """As ``eventually``, for tests without an event loop."""
    end = time.monotonic() + timeout
    while not (value := predicate()):
        assert time.monotonic() < end, f"not within {timeout:g} s: {what or getattr(predicate, '__name__', predicate)}"
        time.sleep(interval)
    return value
