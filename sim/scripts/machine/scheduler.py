"""Shares a frame's time among scripts: fair slices, owner by owner, never more than the budget given.

Scripts that begin an event, or wake, come first; those that have used up a slice wait in a second round, which gets a
quarter of the time while the first is busy and all of it otherwise. So an endless loop delays nobody's door. Within a
round owners take turns, and each owner's scripts take turns, so one person's thousand endless loops cost another's door
at most a share. A slice ends at the script's next checkpoint after its budget; how many checkpoints fit in a slice is
learnt from each script's own pace. Waiting costs nothing: sleepers and timers lie in a heap by time.

A host function can't be left in the middle, and sorting a list that fills a script's memory takes milliseconds. What a
slice takes beyond its budget so is its owner's debt: an owner with debts rests, all scripts of hers, until she has paid by
the time that scripts were given meanwhile. What one person's scripts cost stays within the frame's budget for scripts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush

from sim.scripts.language.values import Key
from sim.scripts.machine.script import CRASHED, IDLE, RUNNING, SLEEPING, STOPPED, TIMER, Script
from sim.scripts.machine.throttle import Throttles

SLICE = 100e-6  # seconds a script may run before another's turn
LEAST_BUDGET, MOST_BUDGET = 200, 1_000_000
CHECKPOINT = 3.3e-9  # seconds, as host functions count them
TOLERATED = 100e-6  # seconds beyond its budget that a slice may end, for nothing
LONG = 1e-3  # seconds of a slice that is surely longer than it counted
MOST_DEBT = 500e-6  # seconds; who owes more rests


BUCKETS_A_SECOND = 64


class Account:
    """What an owner owes, in seconds."""

    __slots__ = ("debt",)

    def __init__(self) -> None:
        self.debt = 0.0


class Turn:
    """One owner's place in a round: the scripts of hers that want to run."""

    __slots__ = ("account", "scripts", "waiting")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.scripts: deque[Script] = deque()
        self.waiting = False  # in the round, or resting


class Agenda:
    """Who is to be woken when, one time a script, in buckets of 1/64 s: putting, moving and dropping cost the same."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[Script, float]] = {}
        self._numbers: list[int] = []  # heap of bucket numbers; some of buckets emptied since
        self._where: dict[Script, int] = {}

    def put(self, script: Script, at: float) -> None:
        """Sets the time of a script, instead of the one it had."""
        number = int(at * BUCKETS_A_SECOND)
        known = self._where.get(script)
        if known is not None and known != number:
            self.drop(script)
        self._where[script] = number
        bucket = self._buckets.get(number)
        if bucket is None:
            self._buckets[number] = {script: at}
            heappush(self._numbers, number)
            if len(self._numbers) > 2 * len(self._buckets) + 1000:
                self._numbers = sorted(self._buckets)
        else:
            bucket[script] = at

    def drop(self, script: Script) -> None:
        number = self._where.pop(script, None)
        if number is not None:
            bucket = self._buckets[number]
            del bucket[script]
            if not bucket:
                del self._buckets[number]

    @property
    def next(self) -> float | None:
        """The earliest time."""
        while self._numbers and self._numbers[0] not in self._buckets:
            heappop(self._numbers)
        return min(self._buckets[self._numbers[0]].values()) if self._numbers else None

    def due(self, now: float) -> list[tuple[float, Script]]:
        """Takes out whose time has come, in the order of their times."""
        numbers, last = self._numbers, int(now * BUCKETS_A_SECOND)
        found: list[tuple[float, Script]] = []
        while numbers and numbers[0] <= last:
            number = numbers[0]
            bucket = self._buckets.get(number)
            if bucket is None:
                heappop(numbers)
                continue
            if number == last and max(bucket.values()) > now:
                ready = [(at, script) for script, at in bucket.items() if at <= now]
                for _, script in ready:
                    del bucket[script], self._where[script]
                found += sorted(ready, key=_time)
                break
            heappop(numbers)
            del self._buckets[number]
            for script in bucket:
                del self._where[script]
            found += sorted([(at, script) for script, at in bucket.items()], key=_time)
        return found


def _time(entry: tuple[float, Script]) -> float:
    return entry[0]


class Scheduler:
    def __init__(self, stopwatch: Callable[[], float], lends: bool = True):
        """lends: owners have debts and rest for them; not where there is one owner, whose time it is."""
        self.stopwatch = stopwatch
        self.lends = lends
        self._accounts: dict[Key, Account] = {}
        self._resting: list[tuple[deque[Turn], Turn]] = []  # the round that it is out of, the turn
        self.throttles = Throttles()
        self.rested = 0  # turns that were put off for debts
        self.now = 0.0
        self._turns: dict[Key, Turn] = {}
        self._round: deque[Turn] = deque()
        self._long_turns: dict[Key, Turn] = {}
        self._long: deque[Turn] = deque()  # the second round
        self._timers = Agenda()
        self._sleepers = Agenda()
        self._sensors = Agenda()
        self.slices = 0
        self.events = 0  # begun
        self.deferred = 0  # scripts that were ready and got no turn in the last run

    # --- who wants to run

    def wake(self, script: Script) -> None:
        """Something is to be done for a script; it gets a turn."""
        if not script.ready and script.status in (IDLE, RUNNING):
            script.ready = True
            turn = script.place
            if turn is None:
                turn = self._turns.get(script.owner)
                if turn is None:
                    turn = self._turns[script.owner] = Turn(self._account(script.owner))
                script.place = turn
            turn.scripts.append(script)
            if not turn.waiting:
                turn.waiting = True
                self._round.append(turn)

    def wake_later(self, script: Script, at: float) -> None:
        self._sleepers.put(script, at)

    def timer(self, script: Script) -> None:
        """Minds a script's timer, or forgets it when it has none any more."""
        if script.timer_period:
            self._timers.put(script, script.timer_at)
        else:
            self._timers.drop(script)

    def sensor(self, script: Script) -> None:
        """Minds a script's repeated sensor, or forgets it when it has none any more."""
        if script.senses.period:
            self._sensors.put(script, script.senses.at)
        else:
            self._sensors.drop(script)

    def forget(self, script: Script) -> None:
        """Takes a script out of the rounds and agendas."""
        self._timers.drop(script)
        self._sensors.drop(script)
        self._sleepers.drop(script)
        if script.ready:
            script.ready = False
            for turn in (script.place, self._long_turns.get(script.owner)):
                if turn is not None and script in turn.scripts:
                    turn.scripts.remove(script)

    @property
    def next_wake(self) -> float | None:
        """When something will be due, if nothing is said or touched before."""
        times = [at for at in (self._timers.next, self._sleepers.next, self._sensors.next) if at is not None]
        return min(times, default=None)

    @property
    def is_idle(self) -> bool:
        return self.waiting == 0

    @property
    def waiting(self) -> int:
        """Scripts that want a turn now."""
        resting = [turn for _, turn in self._resting]
        return sum([len(turn.scripts) for turn in [*self._round, *self._long, *resting]])

    # --- debts

    def _account(self, owner: Key) -> Account:
        account = self._accounts.get(owner)
        if account is None:
            account = self._accounts[owner] = Account()
        return account

    def _repay(self, seconds: float) -> None:
        """The time that scripts are given now pays the debts of who rests, shared alike; who has paid comes back."""
        accounts = {id(turn.account): turn.account for _, turn in self._resting}
        for account in accounts.values():
            account.debt = max(0.0, account.debt - seconds / len(accounts))
        resting, self._resting = self._resting, []
        for turns, turn in resting:
            if turn.account.debt > MOST_DEBT:
                self._resting.append((turns, turn))
            else:
                turns.append(turn)

    def _lend(self, account: Account, script: Script, spent: float) -> None:
        over = script.overspent * CHECKPOINT
        if spent > LONG:
            over = max(over, spent)
        if over > TOLERATED:
            account.debt += over

    # --- the stage of the frame

    def run(self, now: float, seconds: float | None = None) -> int:
        """Runs what is due at world time `now`, for at most `seconds` of real time. Returns the slices taken."""
        self.now = now
        self._due(now)
        if self._resting:
            self._repay(float("inf") if seconds is None else seconds)
        watch = self.stopwatch
        before = watch()
        end = float("inf") if seconds is None else before + seconds
        taken = 0
        credit = 0.0  # what the second round is owed: a third of what the first has used
        first, second = self._round, self._long
        while first or second:
            is_long = not first or (credit > 0.0 and bool(second))
            turns = second if is_long else first
            turn = turns.popleft()
            if self.lends and turn.account.debt > MOST_DEBT:
                self._resting.append((turns, turn))
                self.rested += 1
                continue
            scripts = turn.scripts
            if not scripts:
                turn.waiting = False
                continue
            script = scripts.popleft()
            script.ready = False
            if script.queue and not script.paused:
                self.events += 1
            more = script.status in (IDLE, RUNNING) and script.slice(now, script.budget) and not script.ready
            if scripts:
                turns.append(turn)
            else:
                turn.waiting = False
            taken += 1
            after = watch()
            spent = after - before
            before = after
            script.cpu += spent
            self._lend(turn.account, script, spent)
            credit += -spent if is_long else spent / 3
            if script.paused:
                self._learn(script, spent)
            if more:
                if script.paused:
                    self._wait_long(script)
                else:
                    self.wake(script)
            if after >= end:
                break
        self.slices += taken
        self.deferred = self.waiting if first or second or self._resting else 0
        return taken

    def _wait_long(self, script: Script) -> None:
        """Into the second round, after a slice used up."""
        script.ready = True
        turn = self._long_turns.get(script.owner)
        if turn is None:
            turn = self._long_turns[script.owner] = Turn(self._account(script.owner))
        turn.scripts.append(script)
        if not turn.waiting:
            turn.waiting = True
            self._long.append(turn)

    def _learn(self, script: Script, spent: float) -> None:
        """A script that used up its slice: how long shall the next be, and is there better code for it?"""
        if script.instance.quick:
            script.engine.move(script)
        if spent > 2 * SLICE:
            script.budget = max(LEAST_BUDGET, int(script.budget * SLICE / spent))
        elif spent < SLICE / 2 and script.budget < MOST_BUDGET:
            script.budget *= 2

    def _due(self, now: float) -> None:
        """Wakes sleepers and raises timers whose time has come."""
        for _, script in self._sleepers.due(now):
            if script.status == SLEEPING:
                script.status = RUNNING
                self.wake(script)
        for at, script in self._sensors.due(now):
            senses = script.senses
            if senses.sweep is None or script.status in (STOPPED, CRASHED):
                continue
            senses.at = at + senses.period if at + senses.period > now else now + senses.period
            self._sensors.put(script, senses.at)
            script.now = now
            script.sense(senses.sweep)
        for at, script in self._timers.due(now):
            if script.status in (STOPPED, CRASHED):
                continue
            period = script.timer_period
            script.timer_at = at + period if at + period > now else now + period
            self._timers.put(script, script.timer_at)
            script.now = now
            if script.timer_queued or "timer" not in script.handlers:
                continue
            if script.event_gap or len(script.queue) > 32:
                script.post("timer")
                continue
            script.timer_queued = True
            script.queue.append(TIMER)
            if not script.ready:
                self.wake(script)
