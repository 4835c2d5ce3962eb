"""`mainland bot`: company for a grid, made of the client library's walkers."""

import asyncio
import hashlib
import os
import signal
import sys
from typing import Any

from grid import accounts, web
from grid.errors import GridError
from grid.layout import Layout

FIRST = "Walker"
"""Bots are Walker 1, Walker 2 and so on."""
_FOR_EVER = 10 * 365 * 86400.0


def password(layout: Layout) -> str:
    """The bots' password: made from the grid's secret, so it needs no place to keep it and differs on every grid."""
    return hashlib.sha256(b"bots of " + layout.read_secret().encode()).hexdigest()[: accounts.VIEWER_LIMIT]


async def ensure(layout: Layout, uri: str, count: int) -> None:
    """Make the accounts Walker 1 to Walker `count` that are missing."""
    secret = layout.read_secret()
    for number in range(1, count + 1):
        try:
            found = await web.get_json(f"{uri}/users?name={FIRST}%20{number}", bearer=secret)
            if found["users"]:
                continue
            status, answer = await accounts.post_user(uri, secret, FIRST, str(number), password(layout))
        except web.NoAnswer as error:
            raise GridError(f"Backbone does not answer: {error}", "`mainland status` shows its health") from error
        if status not in (201, 409):
            raise GridError(f"no account made for {FIRST} {number}: {accounts.reason(status, answer)}")


def walk(
    login_uri: str, count: int, seconds: float | None, people_password: str, over_borders: bool
) -> dict[str, Any] | None:
    """Log the bots in and let them walk for `seconds` or until Ctrl-C or TERM; what they saw, None when interrupted.

    Raises GridError when not one could log in.
    """
    from viewer import bots

    async def ready(crowd: bots.Crowd) -> None:
        end = f"for {seconds:g} s" if seconds is not None else "until Ctrl-C"
        print(f"{len(crowd.members)} of {count} bots are in and walk {end}", file=sys.stderr, flush=True)
        if not crowd.members:
            reasons = "; ".join(crowd.seen.failures)
            raise GridError(f"no bot could log in at {login_uri}: {reasons}", "is that the login address, is it up?")

    before = signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    try:
        return bots.run_sync(
            login_uri, count, _FOR_EVER if seconds is None else seconds,
            accounts=bots.numbered(count, FIRST, people_password), over_borders=over_borders, on_ready=ready,
        )  # fmt: skip
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("the bots have left", file=sys.stderr)
        return None
    finally:
        signal.signal(signal.SIGTERM, before)
