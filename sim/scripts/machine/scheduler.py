"""Shares a frame's time among scripts: fair slices, owner by owner, never more than the budget given.

Owners take turns, and each owner's scripts take turns, so one person's thousand endless loops cost another's door at most a
share. A slice ends at the script's next checkpoint after its budget; how many checkpoints fit in a slice is learnt from
each script's own pace. Waiting costs nothing: sleepers and timers lie in a heap by time.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from heapq import heappop, heappush
from sim.scripts.language.values import Key
from sim.scripts.machine.script import CRASHED, IDLE, RUNNING, SLEEPING, STOPPED, Script

SLICE = 100e-6  # seconds a script may run before another's turn
LEAST_BUDGET, MOST_BUDGET = 200, 1_000_000


class Scheduler:
    def __init__(self, stopwatch: Callable[[], float]):
        self.stopwatch = stopwatch
        self.now = 0.0
        self._owners: OrderedDict[Key, deque[Script]] = OrderedDict()
        self._heap: list[tuple[float, int, int, Script]] = []
        self._count = 0
        self.slices = 0
        self.deferred = 0  # scripts that were ready and got no turn in the last run

    # --- who wants to run

    def wake(self, script: Script) -> None:
        """Something is to be done for a script; it gets a turn."""
        if not script.ready and script.status in (IDLE, RUNNING):
            script.ready = True
            queue = self._owners.get(script.owner)
            if queue is None:
                queue = self._owners[script.owner] = deque()
            queue.append(script)

    def wake_later(self, script: Script, at: float) -> None:
        self._count += 1
        script.woken = self._count
        heappush(self._heap, (at, self._count, 1, script))

    def timer(self, script: Script) -> None:
        self._count += 1
        heappush(self._heap, (script.timer_at, self._count, 0, script))

    def forget(self, script: Script) -> None:
        """Takes a script out of the queue; what lies in the heap for it is stale and passed over in its time."""
        script.woken = 0
        if script.ready:
            script.ready = False
            queue = self._owners[script.owner]
            queue.remove(script)
            if not queue:
                del self._owners[script.owner]

    @property
    def next_wake(self) -> float | None:
        """When something will be due, if nothing is said or touched before."""
        return self._heap[0][0] if self._heap else None

    @property
    def is_idle(self) -> bool:
        return not self._owners

    # --- the stage of the frame

    def run(self, now: float, seconds: float | None = None) -> int:
        """Runs what is due at world time `now`, for at most `seconds` of real time. Returns the slices taken."""
        self.now = now
        self._due(now)
        watch = self.stopwatch
        start = before = watch()
        end = None if seconds is None else start + seconds
        taken = 0
        owners = self._owners
        while owners:
            owner, queue = owners.popitem(last=False)
            script = queue.popleft()
            script.ready = False
            budget = script.budget
            more = script.slice(now, budget) if script.status in (IDLE, RUNNING) else False
            taken += 1
            if more and not script.ready:
                script.ready = True
                queue.append(script)
            if queue:
                # a script woken meanwhile may have opened a new queue for this owner
                newer = owners.get(owner)
                if newer is not None:
                    queue.extend(newer)
                    owners.pop(owner)
                owners[owner] = queue
            after = watch()
            spent = after - before
            script.cpu += spent
            if script.paused:
                self._learn(script, spent)
            before = after
            if end is not None and after >= end:
                break
        self.slices += taken
        self.deferred = sum([len(queue) for queue in owners.values()]) if owners else 0
        return taken

    def _learn(self, script: Script, spent: float) -> None:
        if spent > 2 * SLICE:
            script.budget = max(LEAST_BUDGET, int(script.budget * SLICE / spent))
        elif spent < SLICE / 2 and script.budget < MOST_BUDGET:
            script.budget *= 2

    def _due(self, now: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, count, kind, script = heappop(heap)
            if kind:
                if script.woken == count and script.status == SLEEPING:
                    script.status = RUNNING
                    self.wake(script)
            elif script.timer_period and script.timer_at == at and script.status not in (STOPPED, CRASHED):
                script.now = now
                due = at + script.timer_period
                script.timer_at = due if due > now else now + script.timer_period
                heappush(heap, (script.timer_at, count, 0, script))
                script.post("timer")
