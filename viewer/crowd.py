"""A thousand clients in one process, on one core: load for a region, and the measure of what it delivers.

    python -m viewer.crowd http://127.0.0.1:9000/ --count 1000 --seconds 60

Each logs in as any viewer does, over XML-RPC and with its own UDP socket, and from then on walks or flies about, turns,
looks around and chats. What all of them do in a tick is one pass of compiled loops (`crowd_kernels`); only logins and
chat go through Python. `bots` has the clients with event queues, objects and land, for crowds of tens.

The stopwatch: a client changes its direction by more than a radian, and every other client that knows it notes when the
first update that faces the new way arrives, by the kernel's time stamp. (The velocity in that update is on its way from
the old to the new; waiting for it to arrive there would measure the avatar's inertia.) A change that a client was not
shown before the next one came counts as unseen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic, thread_time, time
from typing import Any

import aiohttp
import numpy as np

from protocol import packet
from protocol.message import Message, encode

from . import crowd_kernels as kernels
from .bots import LINES, Account, numbered
from .errors import StartElsewhere, ViewerError
from .login import Session, region_of, request_session

TICK = 0.02  # seconds
ACQUAINTED = 0.99
NEAR = 24.0  # metres within which the stopwatch has its own column
LOCAL_IDS = 1 << 20  # ids of avatars told apart a region
TIMES = 5000  # milliseconds the stopwatch runs at most
_TIMESTAMPS = 35  # SO_TIMESTAMPNS
_JOIN_AGAIN, _JOIN_LIMIT = 1.0, 60.0  # seconds
_THROTTLE_SHARES = (0.1, 0.1, 0.02, 0.04, 0.5, 0.14, 0.1)
_OPTIONS = ("inventory-root",)


class Crowd:
    """Clients as rows of `bots` (`crowd_kernels.BOT`). `AgentUpdate`s: `per_second` of who moves, one of who stands."""

    def __init__(self, size: int, seed: int = 0, per_second: float = 10.0, rate: float = 1_500_000.0) -> None:
        self.size = size
        self.rate = rate  # bits a second each is willing to take, all categories together
        self.chat_every = 30.0
        self.bots = np.zeros(size, kernels.BOT)
        self.bots["fd"] = -1
        self.sockets: list[socket.socket | None] = [None] * size
        self.sessions: list[Session | None] = [None] * size
        self.failures: Counter[str] = Counter()
        self.astray: StartElsewhere | None = None
        self.chats_said = 0
        self.chance = random.Random(seed)
        kernels.seed(seed)
        self._interval = 1.0 / per_second
        self._regions: dict[int, int] = {}
        self._owner = np.full((1, LOCAL_IDS), -1, np.int32)
        self._seen = np.zeros((size, size), np.uint16)
        self._met = np.zeros((size, size), np.uint8)
        self.near_times = np.zeros(TIMES, np.int64)
        self.far_times = np.zeros(TIMES, np.int64)
        self.missed = np.zeros(1, np.int64)
        self._acks = np.zeros((size, kernels.ACKS), np.uint32)
        self._buffer = np.zeros(kernels.BATCH * kernels.SLOT, np.uint8)
        self._headers = np.zeros((kernels.BATCH, 8), np.uint64)
        self._vectors = np.zeros((kernels.BATCH, 2), np.uint64)
        self._control = np.zeros((kernels.BATCH, 8), np.int64)
        self._plain = np.zeros(96, np.uint8)
        self._out = np.zeros(2048, np.uint8)
        self._body = np.zeros(kernels.UPDATE_SIZE, np.uint8)
        self._pair = np.zeros(2, np.int64)
        self._joined_at: dict[int, float] = {}  # who is on its way in: when its last try left
        self._join_limit: dict[int, float] = {}
        self.tick_cpu = 0.0
        self.late = 0.0

    # --- coming in

    async def enter(
        self, http: aiohttp.ClientSession, login_uri: str, number: int, account: Account, start: str
    ) -> None:
        """Log one in and send it on its way; `tick` does the rest. A failure is counted. A start that leads elsewhere is no
        failure of one: `astray` says so, for all."""
        try:
            session = await request_session(http, login_uri, *account, start, options=_OPTIONS)
        except ViewerError as error:
            self.failures[f"login: {error}"] += 1
            return
        self.join(number, session)
        asked = region_of(start)
        if asked is not None and session.elsewhere:
            self.astray = StartElsewhere(asked)

    def join(self, number: int, session: Session) -> None:
        """Open the circuit of a session at its simulator."""
        wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        wire.setblocking(False)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        wire.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        wire.connect(session.address)
        self.sockets[number], self.sessions[number] = wire, session
        region = self._regions.setdefault(session.region_handle, len(self._regions))
        if region >= len(self._owner):
            self._owner = np.concatenate([self._owner, np.full((1, LOCAL_IDS), -1, np.int32)])
        bot = self.bots[number]
        bot["fd"] = wire.fileno()
        bot["region"] = region
        bot["agent"] = np.frombuffer(session.agent_id.bytes, np.uint8)
        bot["session"] = np.frombuffer(session.session_id.bytes, np.uint8)
        bot["sequence"] = 2
        bot["flier"] = number % 5 == 4
        bot["look"] = bot["heading"] = self.chance.uniform(-3.1, 3.1)
        bot["next_whim"] = time() + self.chance.uniform(1.0, 4.0)
        self._join_limit[number] = monotonic() + _JOIN_LIMIT
        self._knock(number, 0)

    def _knock(self, number: int, flags: int) -> None:
        """UseCircuitCode and CompleteAgentMovement, under the same numbers each time."""
        session = self._session(number)
        claims = {"AgentID": session.agent_id, "SessionID": session.session_id}
        code = {"Code": session.circuit_code, "SessionID": session.session_id, "ID": session.agent_id}
        enter = Message("CompleteAgentMovement", AgentData={**claims, "CircuitCode": session.circuit_code})
        self._joined_at[number] = monotonic()
        for sequence, message in ((1, Message("UseCircuitCode", CircuitCode=code)), (2, enter)):
            self._send(number, packet.build(encode(message), sequence, packet.RELIABLE | flags))

    def _session(self, number: int) -> Session:
        session = self.sessions[number]
        assert session is not None
        return session

    def _send(self, number: int, datagram: bytes) -> None:
        wire = self.sockets[number]
        if wire is None:
            return
        try:
            wire.send(datagram)
        except OSError:  # as good as lost on the way
            self.bots[number]["refused"] += 1

    def say(self, number: int, message: Message, reliable: bool = True) -> None:
        """Send a message of one of them; it is not repeated when it gets lost."""
        bot = self.bots[number]
        bot["sequence"] += 1
        flags = (packet.RELIABLE if reliable else 0) | (packet.ZEROCODED if message.spec.zerocoded else 0)
        self._send(number, packet.build(encode(message), int(bot["sequence"]), flags))

    def _admit(self) -> None:
        """Who was let in answers the handshake and begins to live; who was not knocks again."""
        now = monotonic()
        for number, tried in list(self._joined_at.items()):
            bot = self.bots[number]
            ready = kernels.MOVED_IN | kernels.SHAKEN
            if bot["state"] == kernels.GONE or now > self._join_limit[number]:
                self.failures["session: refused or never let in"] += 1
                del self._joined_at[number]
            elif bot["come"] & ready == ready:
                del self._joined_at[number]
                self._settle(number)
            elif now - tried > _JOIN_AGAIN:
                self._knock(number, packet.RESENT)

    def _settle(self, number: int) -> None:
        session = self._session(number)
        claims = {"AgentID": session.agent_id, "SessionID": session.session_id}
        shares = struct.pack("<7f", *(self.rate * share for share in _THROTTLE_SHARES))
        self.say(number, Message("RegionHandshakeReply", AgentData=claims, RegionInfo={"Flags": 5}))
        throttle = {"GenCounter": 0, "Throttles": shares}
        own = {**claims, "CircuitCode": session.circuit_code}
        self.say(number, Message("AgentThrottle", AgentData=own, Throttle=throttle))
        self.bots[number]["state"] = kernels.LIVE

    # --- living

    def tick(self) -> int:
        """One round of everybody; returns how many datagrams had come."""
        began = thread_time()
        got = kernels.hear(
            self.bots, self._buffer, self._headers, self._vectors, self._control, self._owner, self._seen, self._met,
            self.near_times, self.far_times, NEAR, self._acks, self._plain, self._out,
        )  # fmt: skip
        if self._joined_at:
            self._admit()
        kernels.act(
            self.bots, time(), self._interval, 1.0, 12.0, self._seen, self._met, self.missed, self._pair, self._body,
            self._out,
        )  # fmt: skip
        kernels.send_acks(self.bots, self._acks, self._out)
        self.tick_cpu += thread_time() - began
        return int(got)

    async def ticks(self, until: asyncio.Event) -> None:
        """Rounds until the event is set; between them logins have their turn."""
        due = monotonic()
        while not until.is_set():
            self.tick()
            self._chat()
            due += TICK
            wait = due - monotonic()
            if wait < 0:
                self.late = max(self.late, -wait)
                due = monotonic()
            await asyncio.sleep(max(wait, 0))

    def _chat(self) -> None:
        if self.chat_every <= 0 or self.chance.random() > self.living * TICK / self.chat_every:
            return
        number = self.chance.randrange(self.size)
        if self.bots[number]["state"] != kernels.LIVE:
            return
        session = self._session(number)
        claims = {"AgentID": session.agent_id, "SessionID": session.session_id}
        self.say(
            number,
            Message("ChatFromViewer", AgentData=claims, ChatData={"Message": self.chance.choice(LINES), "Type": 1}),
        )
        self.chats_said += 1

    @property
    def living(self) -> int:
        """How many are in."""
        return int((self.bots["state"] == kernels.LIVE).sum())

    @property
    def acquainted(self) -> float:
        """The share of pairs of who is in that one has heard of the other's movements."""
        live = np.flatnonzero(self.bots["state"] == kernels.LIVE)
        pairs = len(live) * (len(live) - 1)
        return int(np.count_nonzero(self._met[np.ix_(live, live)])) / pairs if pairs else 1.0

    def begin(self) -> None:
        """Count and time from now on."""
        names = (
            "packets",
            "resent",
            "bytes",
            "sent",
            "sent_bytes",
            "refused",
            "updates",
            "full",
            "chats",
            "animations",
        )
        for name in (*names, "first", "highest", "pings"):
            self.bots[name] = 0
        self.near_times[:] = self.far_times[:] = self.missed[:] = 0
        self.tick_cpu = self.late = 0.0
        self.chats_said = 0

    # --- leaving

    async def leave(self, patience: float = 3.0) -> None:
        """Log everybody out, wait a little for the answers, close all sockets."""
        for number in np.flatnonzero(self.bots["state"] == kernels.LIVE).tolist():
            session = self._session(number)
            claims = {"AgentID": session.agent_id, "SessionID": session.session_id}
            self.bots[number]["next_update"] = self.bots[number]["next_whim"] = 1e18
            self.say(number, Message("LogoutRequest", AgentData=claims))
        latest = monotonic() + patience
        while self.living and monotonic() < latest:
            self.tick()
            await asyncio.sleep(TICK)
        self.close()

    def close(self) -> None:
        self.bots["fd"] = -1
        for wire in self.sockets:
            if wire is not None:
                wire.close()
        self.sockets = [None] * self.size

    def report(self, seconds: float, cpu: float) -> dict[str, Any]:
        """What was seen since `begin`. Milliseconds where the key ends in `_ms`; loss is a share of datagrams."""
        bots = self.bots[self.bots["state"] == kernels.LIVE]
        count = max(len(bots), 1)
        total = {name: int(bots[name].sum()) for name in kernels.BOT.names or () if bots[name].dtype == np.int64}
        expected = int((bots["highest"] - bots["first"] + 1)[bots["first"] > 0].sum())
        missing = max(expected - (total["packets"] - total["resent"]), 0)
        shown = int(self.near_times.sum() + self.far_times.sum())
        return {
            "bots": self.size,
            "living": len(bots),
            "failures": dict(self.failures),
            "seconds": round(seconds, 2),
            "move_to_seen_ms": spread(self.near_times + self.far_times),
            "near_move_to_seen_ms": spread(self.near_times),
            "unseen": round(int(self.missed[0]) / max(shown + int(self.missed[0]), 1), 5),
            "known_a_bot": round(float(self._met.sum()) / count, 1),
            "updates_per_second": round(total["updates"] / seconds),
            "updates_per_second_a_bot": round(total["updates"] / seconds / count, 1),
            "packets_in_per_second": round(total["packets"] / seconds),
            "packets_out_per_second": round(total["sent"] / seconds),
            "kilobits_in_per_second_a_bot": round(total["bytes"] * 8 / 1000 / seconds / count, 1),
            "animations_per_second": round(total["animations"] / seconds),
            "chats_said": self.chats_said,
            "chats_heard": total["chats"],
            "packets_missing": missing,
            "loss": round(missing / max(expected, 1), 6),
            "resent": total["resent"],
            "refused": total["refused"],
            "late_ms": round(self.late * 1000, 1),
            "cpu_of_bots": round(cpu / seconds, 4),
        }


def spread(histogram: np.ndarray) -> dict[str, float | int | None]:
    """A histogram of milliseconds as samples, p50, p90, p99 and max, each to the end of its millisecond."""
    total = int(histogram.sum())
    if not total:
        return {"samples": 0, "p50": None, "p90": None, "p99": None, "max": None}
    sums = np.cumsum(histogram)

    def at(share: float) -> int:
        return int(np.searchsorted(sums, share * total)) + 1

    return {"samples": total, "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0)}


def open_files(count: int) -> None:
    """Allow this process so many sockets. OSError where the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 100:
        if hard != resource.RLIM_INFINITY and hard < count + 100:
            raise OSError(f"{count} bots need as many sockets, and the limit of this process is {hard} (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, hard))


async def run(
    login_uri: str,
    count: int,
    seconds: float,
    *,
    accounts: Sequence[Account] | None = None,
    region: str = "",
    seed: int = 0,
    per_second: float = 10.0,
    rate: float = 1_500_000.0,
    chat_every: float = 30.0,
    logins_at_once: int = 8,
    settle: float = 5.0,
    acquaint: float = 0.0,
    on_ready: Callable[[Crowd], None] | None = None,
    stop: asyncio.Event | None = None,
) -> dict[str, Any]:
    """Log `count` in, let them live `seconds`, log them out; what they saw.

    `accounts` must exist (default: `bots.numbered`). With `region`, each starts at a random spot of it; else where it
    was last. `settle` seconds after the last login are not counted, nor those, `acquaint` at most, until nearly all have
    heard of nearly all others, as they do in one region. `on_ready(crowd)` is called when counting begins. Raises
    `StartElsewhere` if the grid leads them into another region, and `BadStart` if that can be no region's name.
    """
    if region:
        region_of(f"uri:{region}")
    open_files(count)
    people = list(accounts if accounts is not None else numbered(count))[:count]
    crowd = Crowd(count, seed, per_second, rate)
    crowd.chat_every = chat_every
    done, gate, end = asyncio.Event(), asyncio.Semaphore(logins_at_once), stop or asyncio.Event()
    ticking = asyncio.create_task(crowd.ticks(done))

    async def enter(http: aiohttp.ClientSession, number: int) -> None:
        spot = f"uri:{region}&{crowd.chance.randint(10, 245)}&{crowd.chance.randint(10, 245)}&40" if region else "last"
        async with gate:
            if not end.is_set() and crowd.astray is None:
                await crowd.enter(http, login_uri, number, people[number], spot)

    began = monotonic()
    try:
        async with aiohttp.ClientSession() as http:
            await asyncio.gather(*(enter(http, number) for number in range(len(people))))
            while crowd._joined_at and not end.is_set():
                await asyncio.sleep(0.1)
            if crowd.astray is not None:
                raise crowd.astray
        arriving = monotonic() - began
        await _until(end, settle)
        latest = monotonic() + acquaint
        while crowd.acquainted < ACQUAINTED and monotonic() < latest and not end.is_set():
            await _until(end, 0.5)
        acquainting, acquainted = monotonic() - began, crowd.acquainted
        crowd.begin()
        if on_ready is not None:
            on_ready(crowd)
        cpu, began = _cpu(), monotonic()
        await _until(end, seconds)
        report = crowd.report(monotonic() - began, _cpu() - cpu)
    finally:
        done.set()
        await ticking
        await crowd.leave()
    return {
        **report,
        "arriving_seconds": round(arriving, 2),
        "acquainted": round(acquainted, 4),
        "acquainting_seconds": round(acquainting, 2),
    }


async def _until(end: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(end.wait(), seconds)
    except TimeoutError:
        pass


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line of `python -m viewer.crowd`; prints the report as JSON."""
    parser = argparse.ArgumentParser(prog="python -m viewer.crowd", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("login_uri")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--first", default="Walker", help="first name of the accounts FIRST 1, FIRST 2, ...")
    parser.add_argument("--password", default="walker")
    parser.add_argument("--region", default="", help="start at random spots of this region")
    parser.add_argument("--per-second", type=float, default=10.0, help="AgentUpdates of one that moves")
    parser.add_argument("--rate", type=float, default=1.5e6, help="bits a second each will take")
    parser.add_argument("--chat-every", type=float, default=30.0, help="seconds between lines of one; 0: silence")
    parser.add_argument("--logins-at-once", type=int, default=8)
    parser.add_argument("--settle", type=float, default=5.0, help="seconds after the last login that are not counted")
    parser.add_argument("--acquaint", type=float, default=0.0, help="seconds at most to wait until nearly all know all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--announce", action="store_true", help="say on stderr when all are in and counting begins")
    given = parser.parse_args(arguments)

    def announce(crowd: Crowd) -> None:
        if given.announce:
            print(f"{crowd.living} in", file=sys.stderr, flush=True)

    report = asyncio.run(
        run(
            given.login_uri, given.count, given.seconds, accounts=numbered(given.count, given.first, given.password),
            region=given.region, seed=given.seed, per_second=given.per_second, rate=given.rate,
            chat_every=given.chat_every, logins_at_once=given.logins_at_once, settle=given.settle,
            acquaint=given.acquaint, on_ready=announce,
        )
    )  # fmt: skip
    print(json.dumps(report))


if __name__ == "__main__":
    main()
