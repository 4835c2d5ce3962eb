"""Crowds: many clients in one process that walk about and chat, and report what they saw.

    python -m viewer.bots http://127.0.0.1:9000/ --count 20 --seconds 60

Walkers take turns walking to a random place and standing for a moment; each start from rest is a stopwatch: from the
AgentUpdate that presses the key to the first update in which *another* bot sees the walker move. The report is a dict, so
that benchmarks can use it as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
import random
import resource
import signal
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import aiohttp

from .client import Client
from .errors import ConnectionLost, ViewerError, WaitTimeout, WalkBlocked
from .habits import Habits
from .model import Entity
from .visit import login, new_http

log = logging.getLogger("viewer.bots")
Account = tuple[str, str, str]  # first name, last name, password

LINES = (
    "Hello!", "Nice hill.", "Has anybody seen the lake?", "I am only walking.", "What a view from here.",
    "Good day to you.", "The ground is rather flat today.", "Which way is north?", "I like it here.", "Brr, wind.",
)  # fmt: skip
_REST = (0.8, 2.5)  # seconds a walker stands between two walks; long enough for its last stop to have arrived
_MOVING = 0.2  # m/s an observer must see to count a walker as moving
_OBSERVERS = 3  # bots that time one start; all of them would cost more than the crowd


def numbered(count: int, first: str = "Walker", password: str = "walker") -> list[Account]:
    """Accounts ``Walker 1`` to ``Walker count``."""
    return [(first, str(n + 1), password) for n in range(count)]


def _samples() -> deque[float]:
    """The latest 100,000: a crowd may walk for weeks."""
    return deque(maxlen=100_000)


@dataclass
class Observations:
    """What a crowd saw, gathered while it walks."""

    latencies: deque[float] = field(
        default_factory=_samples
    )  # seconds from telling a key to another one seeing its effect
    logins: deque[float] = field(default_factory=_samples)  # seconds from login call to standing in the world
    gaps: deque[float] = field(default_factory=_samples)  # seconds of each border crossing
    failures: Counter[str] = field(default_factory=Counter)
    walks: int = 0
    blocked: int = 0
    chats_said: int = 0
    chats_heard: int = 0


@dataclass
class Crowd:
    """Clients that are in, and what they observe. ``roam`` metres is how far from where it arrived a walker strays."""

    seed: int = 0
    roam: float = 60.0
    chat_every: float = 20.0
    over_borders: bool = False
    members: list[Client] = field(default_factory=list)
    seen: Observations = field(default_factory=Observations)

    async def walker(self, me: Client, number: int) -> None:
        """Walk, rest, chat now and then; until cancelled or the session ends."""
        chance = random.Random(self.seed * 100_003 + number)
        clock = me.clock
        next_line = clock() + chance.uniform(0.2, 1.0) * self.chat_every
        home = me.global_position
        while not me.closed:
            await asyncio.sleep(chance.uniform(*_REST))
            if clock() >= next_line:
                me.say(chance.choice(LINES))
                self.seen.chats_said += 1
                next_line = clock() + chance.uniform(0.7, 1.3) * self.chat_every
            goal = self._somewhere(me, home, chance)
            self._time_start(me, chance)
            try:
                await me.walk_to(goal, tolerance=1.5)
                self.seen.walks += 1
            except (WalkBlocked, WaitTimeout):
                self.seen.blocked += 1  # a lake, a slope, the end of the world: try another way

    def _somewhere(self, me: Client, home: tuple[float, float, float], chance: random.Random) -> tuple[float, float]:
        """A point within ``roam`` of ``home``, in this region's metres; inside the region unless borders are wanted."""
        angle, far = chance.uniform(0, math.tau), self.roam * math.sqrt(chance.random())
        x = home[0] - me.root.west + far * math.cos(angle)
        y = home[1] - me.root.south + far * math.sin(angle)
        return (x, y) if self.over_borders else (min(max(x, 3.0), 253.0), min(max(y, 3.0), 253.0))

    def _time_start(self, me: Client, chance: random.Random) -> None:
        """Have some others note when they first see ``me`` move after this moment."""
        others = [other for other in self.members if other is not me and not other.closed]
        began = me.clock()
        for other in chance.sample(others, min(_OBSERVERS, len(others))):
            entity = other.avatars.get(me.agent_id)
            if entity is None or math.hypot(*entity.velocity) > _MOVING:
                continue  # out of view, or its last stop has not arrived: nothing to time

            def watch(seen: Entity, now: float) -> None:
                if math.hypot(*seen.velocity) > _MOVING:
                    seen.watcher = None
                    if began <= me.movement.keys_sent_at <= now:
                        self.seen.latencies.append(now - me.movement.keys_sent_at)

            entity.watcher = watch

    def listen(self, me: Client) -> None:
        def heard(chat: Any) -> None:
            if chat.source_id != me.agent_id:
                self.seen.chats_heard += 1

        me.on("chat", heard)
        me.on("crossed", lambda crossing: self.seen.gaps.append(crossing.gap))


async def run(
    login_uri: str,
    count: int,
    seconds: float,
    *,
    accounts: Sequence[Account] | None = None,
    start: str | Callable[[int], str] = "last",
    seed: int = 0,
    roam: float = 60.0,
    chat_every: float = 20.0,
    over_borders: bool = False,
    logins_at_once: int = 4,
    still: bool = False,
    habits: Habits | None = None,
    on_ready: Callable[[Crowd], Awaitable[None]] | None = None,
    stop: asyncio.Event | None = None,
) -> dict[str, Any]:
    """Log ``count`` bots in, let them walk (or stand, if ``still``) for ``seconds``, log them out; what they saw.

    ``accounts`` must exist already (default: ``numbered(count)``); ``start`` is a login start, or gives one for each bot.
    ``over_borders`` lets them stray into neighbours. ``on_ready`` is awaited when all are in; ``stop`` ends the run
    early, with its report. Bots that fail are counted in the report, not raised. Times in it are milliseconds where the
    key ends in ``_ms``, seconds otherwise.
    """
    people = list(accounts if accounts is not None else numbered(count))[:count]
    crowd = Crowd(seed, roam, chat_every, over_borders)
    async with new_http() as http:
        gate = asyncio.Semaphore(logins_at_once)
        enter = (_enter(crowd, gate, login_uri, who, _start(start, n), habits, http) for n, who in enumerate(people))
        await asyncio.gather(*enter)
        try:
            if on_ready is not None:
                await on_ready(crowd)
            before, cpu_before, began = _totals(crowd), _cpu(), monotonic()
            await _stay(crowd, seconds, not still, stop or asyncio.Event())
            elapsed = monotonic() - began
            after, cpu = _totals(crowd), _cpu() - cpu_before
        finally:
            await asyncio.gather(*(me.logout() for me in crowd.members))
    after.subtract(before)
    return _report(crowd, len(people), elapsed, cpu, after)


def _start(start: str | Callable[[int], str], number: int) -> str:
    return start if isinstance(start, str) else start(number)


async def _enter(
    crowd: Crowd,
    gate: asyncio.Semaphore,
    login_uri: str,
    account: Account,
    start: str,
    habits: Habits | None,
    http: aiohttp.ClientSession,
) -> None:
    async with gate:
        began = monotonic()
        try:
            me = await login(login_uri, *account, start, habits=habits, http=http)
        except ViewerError as error:
            crowd.seen.failures[f"login: {error}"] += 1
            return
        crowd.seen.logins.append(monotonic() - began)
    crowd.listen(me)
    crowd.members.append(me)


async def _stay(crowd: Crowd, seconds: float, walk: bool, stop: asyncio.Event) -> None:
    """All at once until time is up or ``stop``; a walker whose session ends is counted, and the others go on."""

    async def one(me: Client, number: int) -> None:
        try:
            await crowd.walker(me, number)
        except ConnectionLost as error:
            crowd.seen.failures[f"session: {error}"] += 1

    walkers = [asyncio.create_task(one(me, n)) for n, me in enumerate(crowd.members)] if walk else []
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        pass
    for walker in walkers:
        walker.cancel()
    for outcome in await asyncio.gather(*walkers, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _totals(crowd: Crowd) -> Counter[str]:
    """Traffic and faults of all clients together."""
    total: Counter[str] = Counter()
    for me in crowd.members:
        total += me.traffic()
        total["malformed"] += me.counters.malformed
        total["internal_failures"] += me.counters.failures
    return total


def _report(crowd: Crowd, asked: int, elapsed: float, cpu: float, change: Counter[str]) -> dict[str, Any]:
    seen, bots = crowd.seen, max(1, len(crowd.members))
    received = change["packets_in"]
    pings = [me.region.circuit.ping for me in crowd.members if me.region is not None and me.region.circuit.ping]
    return {
        "bots": asked,
        "logged_in": len(crowd.members),
        "lost_sessions": sum(n for what, n in seen.failures.items() if what.startswith("session")),
        "failures": dict(seen.failures),
        "seconds": round(elapsed, 3),
        "walks": seen.walks,
        "blocked_walks": seen.blocked,
        "chats_said": seen.chats_said,
        "chats_heard": seen.chats_heard,
        "login_ms": spread(seen.logins),
        "move_to_seen_ms": spread(seen.latencies),
        "ping_ms": spread([ping for ping in pings if ping is not None]),
        "crossing_gap_ms": spread(seen.gaps),
        "packets_in_per_second": round(received / elapsed, 1),
        "packets_out_per_second": round(change["packets_out"] / elapsed, 1),
        "kilobits_in_per_second_a_bot": round(change["bytes_in"] * 8 / 1000 / elapsed / bots, 1),
        "updates_per_second": round(change["motions"] / elapsed, 1),
        "updates_per_second_a_bot": round(change["motions"] / elapsed / bots, 2),
        "packets_missing": max(0, change["missing"]),
        "loss": round(max(0, change["missing"]) / max(1, received), 6),
        "resends_in": change["resends_in"],
        "resends_out": change["resends_out"],
        "undelivered": change["undelivered"],
        "malformed": change["malformed"],
        "internal_failures": change["internal_failures"],
        "cpu_of_bots": round(cpu / elapsed, 4),  # share of one core this process used
    }


def spread(values: Collection[float]) -> dict[str, float | int | None]:
    """Samples (seconds) as milliseconds: how many, median, 90 %, 99 %, largest."""
    ordered = sorted(values)
    if not ordered:
        return {"samples": 0, "p50": None, "p90": None, "p99": None, "max": None}

    def at(share: float) -> float:
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

    return {"samples": len(ordered), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0)}


def run_sync(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """``run`` on an event loop of its own, uvloop's where there is one."""
    return _on_own_loop(run(*args, **kwargs))


def _on_own_loop(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    try:
        import uvloop
    except ImportError:  # not made for every system
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def run_until_signal(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """``run`` that an interrupt or TERM ends early: the bots log out, and the report comes all the same."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        return await run(*args, stop=stop, **kwargs)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line of ``python -m viewer.bots``; prints the report as JSON."""
    parser = argparse.ArgumentParser(prog="python -m viewer.bots", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("login_uri")
    parser.add_argument("--count", type=int, default=1, help="how many bots")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they stay")
    parser.add_argument("--first", default="Walker", help="first name of the accounts FIRST 1, FIRST 2, ...")
    parser.add_argument("--password", default="walker", help="password of all of them")
    parser.add_argument("--account", nargs=2, metavar=("FIRST", "LAST"), help="one account instead of numbered ones")
    parser.add_argument("--start", default="last", help="last, home, or uri:Region Name&x&y&z")
    parser.add_argument("--roam", type=float, default=60.0, help="metres they stray from where they arrive")
    parser.add_argument("--over-borders", action="store_true", help="let them walk into neighbouring regions")
    parser.add_argument("--chat-every", type=float, default=20.0, help="seconds between a bot's lines")
    parser.add_argument("--still", action="store_true", help="stand instead of walking")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-v", "--verbose", action="store_true")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if given.verbose else logging.WARNING)
    accounts = numbered(given.count, given.first, given.password)
    if given.account:
        accounts = [(given.account[0], given.account[1], given.password)]
    work = run_until_signal(
        given.login_uri, len(accounts), given.seconds, accounts=accounts, start=given.start, seed=given.seed,
        roam=given.roam, chat_every=given.chat_every, over_borders=given.over_borders, still=given.still,
    )  # fmt: skip
    print(json.dumps(_on_own_loop(work), indent=2))


if __name__ == "__main__":
    main()
