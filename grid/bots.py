"""`mainland bot`: company for a grid, made of the client library's walkers; `mainland bots`: a crowd as load."""

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


def load(
    login_uri: str, count: int, seconds: float, people_password: str, region: str, chat_every: float
) -> dict[str, Any]:
    """A crowd for `seconds`, or until Ctrl-C or TERM; what it saw.

    Raises GridError when not one could log in, or `region` is not there.
    """
    from viewer import BadStart, StartElsewhere, bots, crowd

    def ready(people: crowd.Crowd) -> None:
        print(f"{people.living} of {count} bots are in", file=sys.stderr, flush=True)

    async def stay() -> dict[str, Any]:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        return await crowd.run(
            login_uri, count, seconds, accounts=bots.numbered(count, FIRST, people_password), region=region,
            chat_every=chat_every, on_ready=ready, stop=stop,
        )  # fmt: skip

    try:
        report = asyncio.run(stay())
    except OSError as error:
        raise GridError(f"no crowd of {count}: {error}") from error
    except (StartElsewhere, BadStart) as error:
        regions = f"curl {login_uri.rstrip('/')}/regions lists the regions of a Mainland grid"
        raise GridError(f"no crowd in {region!r}: it is no region of that grid, or it is not running", regions) from error
    if not report["living"]:
        reasons = "; ".join(report["failures"])
        raise GridError(f"no bot could log in at {login_uri}: {reasons}", "is that the login address, is it up?")
    return report


def figures(report: dict[str, Any]) -> list[tuple[str, str]]:
    """A crowd's report as lines of a table."""

    def times(name: str) -> str:
        seen = report[name]
        return f"p50 {seen['p50']}, p99 {seen['p99']} ms ({seen['samples']} timed)" if seen["samples"] else "none timed"

    return [
        ("in the world", f"{report['living']} of {report['bots']}, {report['arriving_seconds']:g} s to arrive"),
        ("a turn is shown to others after", times("move_to_seen_ms")),
        ("to others within 24 m after", times("near_move_to_seen_ms")),
        ("turns not shown before the next", f"{report['unseen']:.3%}"),
        ("movements shown to each, a second", f"{report['updates_per_second_a_bot']:g}"),
        ("datagrams in / out, a second", f"{report['packets_in_per_second']} / {report['packets_out_per_second']}"),
        ("line of each", f"{report['kilobits_in_per_second_a_bot']:g} kbit/s"),
        ("lines said / heard", f"{report['chats_said']} / {report['chats_heard']}"),
        ("datagrams lost", f"{report['packets_missing']} ({report['loss']:.4%})"),
        ("core the bots used", f"{report['cpu_of_bots']:.1%}"),
    ]
