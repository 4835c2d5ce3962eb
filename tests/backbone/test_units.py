"""The pure parts: presence as a state machine, limits, passwords, login words."""

from __future__ import annotations

import xmlrpc.client
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from backbone import passwords
from backbone.errors import TooMany
from backbone.login import reply, request
from backbone.login import xmlrpc as ours
from backbone.login.limits import OF_ACCOUNT, OF_ADDRESS, FailureBuckets, LoginLimits
from backbone.presence import ABSENT_SECONDS, IDLE_SECONDS, NotCurrent, Presence

AGENTS = st.sampled_from(["ann", "bob", "cat"])
REGIONS = st.sampled_from(["west", "east", "north"])


class PresenceMachine(RuleBasedStateMachine):
    """Logins, arrivals, heartbeats and logouts in any order, against a plain dictionary."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.news: list[tuple[str, bool]] = []
        self.presence = Presence(lambda agent, online: self.news.append((agent, online)))
        self.sessions: dict[str, int] = {}  # agent -> number of its current session
        self.where: dict[str, str] = {}
        self.logins = 0

    @rule(seconds=st.floats(0, 4))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(agent=AGENTS)
    def log_in(self, agent: str) -> None:
        self.logins += 1
        self.presence.begin(agent, str(self.logins), agent.title(), None, self.now)
        self.sessions[agent] = self.logins
        self.where.pop(agent, None)

    @rule(agent=AGENTS, region=REGIONS, behind=st.integers(0, 2))
    def arrive(self, agent: str, region: str, behind: int) -> None:
        session = self.sessions.get(agent, 0) - behind
        try:
            self.presence.arrive(agent, str(session), region, self.now, 1)
        except NotCurrent:
            assert self.sessions.get(agent) != session
        else:
            assert self.sessions.get(agent) == session
            self.where[agent] = region

    @rule(agent=AGENTS, behind=st.integers(0, 2))
    def log_out(self, agent: str, behind: int) -> None:
        session = self.sessions.get(agent, 0) - behind
        try:
            ended = self.presence.end(agent, str(session), self.now)
        except NotCurrent:
            assert self.sessions.get(agent, session) != session
        else:
            assert ended == (self.sessions.pop(agent, None) is not None)
            self.where.pop(agent, None)

    @rule(region=REGIONS, listed=st.sets(AGENTS), behind=st.integers(0, 1))
    def heartbeat(self, region: str, listed: set[str], behind: int) -> None:
        named = [(agent, str(self.sessions.get(agent, 0) - behind)) for agent in sorted(listed)]
        gone = self.presence.heartbeat(region, named, self.now, 1)
        current = {agent for agent in listed if agent in self.sessions and behind == 0}
        assert set(gone) == listed - current
        for agent in current:
            self.where.setdefault(agent, region)
        for agent in [one for one, there in self.where.items() if there == region and one not in current]:
            if self.presence.region_of(agent) is None:  # two heartbeats without it
                del self.where[agent]

    @rule(region=REGIONS)
    def lose_region(self, region: str) -> None:
        lost = self.presence.clear_region(region, self.now)
        assert lost == sum(there == region for there in self.where.values())
        self.where = {agent: there for agent, there in self.where.items() if there != region}

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "presence"):
            return
        for agent in ("ann", "bob", "cat"):
            assert self.presence.region_of(agent) == self.where.get(agent)
        for region in ("west", "east", "north"):
            there = {session.agent_id for session in self.presence.agents_in(region)}
            assert there == {agent for agent, place in self.where.items() if place == region}
        assert self.presence.online() == len(self.where)
        last = dict(self.news)  # the latest news of each is the truth
        assert all(last[agent] == (agent in self.where) for agent in last)


TestPresenceMachine = PresenceMachine.TestCase
TestPresenceMachine.settings = settings(max_examples=50, deadline=None)


def test_absence_from_two_heartbeats_is_offline_but_one_is_not() -> None:
    presence = Presence()
    presence.begin("ann", "1", "Ann", None, 0.0)
    presence.arrive("ann", "1", "west", 0.0, 1)
    presence.heartbeat("west", [], 5.0, 1)
    assert presence.region_of("ann") == "west"  # the list may have been made before the arrival
    presence.heartbeat("west", [], ABSENT_SECONDS + 0.1, 1)
    assert presence.region_of("ann") is None
    assert presence.forgotten(IDLE_SECONDS) == []
    assert [session.agent_id for session in presence.forgotten(2 * IDLE_SECONDS)] == ["ann"]


def test_failures_run_out_and_come_back() -> None:
    buckets = FailureBuckets(burst=3, refill_seconds=10.0)
    for _ in range(3):
        assert buckets.seconds_to_wait("k", 0.0) == 0
        buckets.failed("k", 0.0)
    assert buckets.seconds_to_wait("k", 0.0) == 10
    assert buckets.seconds_to_wait("k", 9.5) == 1
    assert buckets.seconds_to_wait("k", 10.0) == 0
    assert buckets.seconds_to_wait("other", 0.0) == 0


class Limits(LoginLimits):
    """On a clock that stands still, where nobody may have to wait for others."""

    def __init__(self) -> None:
        super().__init__(self.waited, lambda: 0.0)
        self.waits = 0

    def waited(self, seconds: float) -> None:
        self.waits += 1
        raise AssertionError("an attempt waits")

    def guess(self, address: str, account: str, right: bool = False) -> bool:
        """One attempt; whether it was let in."""
        try:
            with self.attempt(address, account) as attempt:
                (attempt.succeeded if right else attempt.failed)()
        except TooMany:
            return False
        return True


def test_a_stranger_cannot_lock_an_owner_out() -> None:
    limits = Limits()
    assert sum(limits.guess("stranger", "ann") for _ in range(500)) == OF_ACCOUNT[0]
    assert limits.guess("home", "ann", right=True)
    assert limits.guess("a new place", "ann", right=True)
    # Being known is no licence to guess.
    assert sum(limits.guess("home", "ann") for _ in range(500)) == OF_ACCOUNT[0]


def test_an_address_has_an_end_of_guesses_but_who_was_right_there_before_gets_in() -> None:
    limits = Limits()
    assert limits.guess("school", "ben", right=True)
    assert sum(limits.guess("school", f"pupil {number}") for number in range(500)) == OF_ADDRESS[0]
    assert not limits.guess("school", "new pupil", right=True)
    assert limits.guess("school", "ben", right=True)


def test_guesses_in_one_moment_are_counted_one_by_one() -> None:
    limits = Limits()
    under_way = [limits.attempt("stranger", "ann") for _ in range(OF_ACCOUNT[0])]
    for attempt in under_way:
        attempt.__enter__()
    with pytest.raises(AssertionError, match="waits"):  # for these to end: all of them may be wrong
        limits.guess("stranger", "ann")
    for attempt in under_way:
        attempt.failed()
        attempt.__exit__(None, None, None)
    assert not limits.guess("stranger", "ann", right=True)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
@settings(max_examples=25, deadline=None)
def test_verifiers_take_both_digests_and_no_other(password: str) -> None:
    verifier = passwords.make_verifier(password)
    assert passwords.verify(verifier, passwords.digest(password))
    assert passwords.verify(verifier, passwords.digest(password[:16]))
    assert not passwords.verify(verifier, passwords.digest(password + "x")) or len(password) >= 16
    assert not passwords.verify(verifier, None)
    assert not passwords.verify(None, passwords.digest(password))
    assert passwords.digest(password) not in verifier


def test_two_verifiers_of_one_password_differ() -> None:
    assert passwords.make_verifier("same") != passwords.make_verifier("same")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("last", request.Start("last")),
        (" HOME ", request.Start("home")),
        ("", request.Start("last")),
        ("nonsense", request.Start("last")),
        ("uri:Plaza&1&2&3", request.Start("url", "Plaza", (1.0, 2.0, 3.0))),
        ("uri:Plaza&amp;1&amp;2&amp;3", request.Start("url", "Plaza", (1.0, 2.0, 3.0))),
        ("uri:Two Words&128&128&25.5", request.Start("url", "Two Words", (128.0, 128.0, 25.5))),
        ("uri:Two%20Words&128&128&25", request.Start("url", "Two Words", (128.0, 128.0, 25.0))),
        ("uri:Sea & Sand&1&2&3", request.Start("url", "Sea & Sand", (1.0, 2.0, 3.0))),
        ("uri:Plaza&-5&999&99999", request.Start("url", "Plaza", (0.0, 255.9, 4096.0))),
        ("uri:Plaza", request.Start("url", "Plaza", None)),
        ("uri:Plaza&1&2", request.Start("url", "Plaza", None)),
        ("uri:Plaza&1&2&...", request.Start("url", "Plaza", None)),
    ],
)
def test_start_words(text: str, start: request.Start) -> None:
    assert request.parse_start(text) == start


@given(st.text(max_size=60))
def test_any_start_is_some_start(text: str) -> None:
    start = request.parse_start(text)
    assert start.kind in ("last", "home", "url")
    if start.position is not None:
        assert all(0 <= number <= 4096 for number in start.position)


def test_look_at_and_home_are_written_as_viewers_read_them() -> None:
    assert reply.look_at_text((0.99, 0.12, 0)) == "[r0.99,r0.12,r0]"
    assert reply.home_text(1000, 1001, (128, 128, 25), (1, 0, 0)) == (
        "{'region_handle':[r256000, r256256], 'position':[r128.0,r128.0,r25.0], 'look_at':[r1,r0,r0]}"
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
STRUCTS = st.dictionaries(st.text("abc-_", min_size=1), TEXTS | st.integers(-(2**31), 2**31 - 1) | st.lists(TEXTS))


@given(STRUCTS)
def test_any_answer_can_be_read_back(struct: dict[str, Any]) -> None:
    (back,), _ = xmlrpc.client.loads(ours.format_answer(struct))
    assert set(back) == set(struct)  # type: ignore[arg-type]


@given(st.dictionaries(st.text("abc", min_size=1), st.text("xyz &<>'\"é☃\t\n", max_size=20)))
def test_calls_are_read_as_the_library_writes_them(struct: dict[str, Any]) -> None:
    method, parameters = ours.parse_call(xmlrpc.client.dumps((struct,), "m").encode())
    assert (method, parameters) == ("m", [struct])
