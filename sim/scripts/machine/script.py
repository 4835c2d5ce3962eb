"""One script's life: its state, its queue of events, its timer, its sleep, its errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from sim.scripts.language import layout
from sim.scripts.language.builtins import table
from sim.scripts.language.program import Program
from sim.scripts.language.values import NULL_KEY, Key, Value, type_of
from sim.scripts.library.world import Detected, Listen, WorldInterface
from sim.scripts.machine import raw
from sim.scripts.machine.failures import Died, Removed, Reset, ScriptFailure
from sim.scripts.machine.instance import PAUSED, Instance, Trapped
from sim.scripts.machine.senses import Senses, Sweep
from sim.scripts.machine.throttle import OWNER_CHAT, Limit

if TYPE_CHECKING:
    from sim.scripts.answers import Question
    from sim.scripts.machine.engine import Engine
    from sim.scripts.machine.scheduler import Scheduler, Turn

QUEUE_LENGTH = 64
MOST_LISTENS = 65
SHORTEST_TIMER = 1.0 / 45.0
TAKE_CONTROLS = 0x4  # PERMISSION_*

_NEXT_STATE, _BUDGET = layout.NEXT_STATE >> 2, layout.BUDGET >> 2

IDLE, RUNNING, SLEEPING, STOPPED, CRASHED = "idle", "running", "sleeping", "stopped", "crashed"


class Event:
    """One entry of the queue. `sweep`: of a sensor that looks around when its turn comes."""

    __slots__ = ("arguments", "detected", "name", "sweep")

    def __init__(
        self,
        name: str,
        arguments: tuple[Value, ...] = (),
        detected: Sequence[Detected] = (),
        sweep: Sweep | None = None,
    ):
        self.name = name
        self.arguments = arguments
        self.detected = tuple(detected)
        self.sweep = sweep


TIMER = Event("timer")


class Script:
    """A script in an object. `engine` gives it wasm, `world` everything else; `now` is its last known world time."""

    __slots__ = (
        "asked",
        "budget",
        "complaints",
        "controls",
        "cpu",
        "detected",
        "dropped",
        "energy_used",
        "engine",
        "event",
        "event_gap",
        "extra",
        "granted",
        "granter",
        "group",
        "handlers",
        "host",
        "instance",
        "item_id",
        "kept_budget",
        "limit",
        "listens",
        "name",
        "next_event_at",
        "next_listen",
        "next_state",
        "now",
        "object_id",
        "overspent",
        "owner",
        "paused",
        "peak_profile",
        "place",
        "program",
        "queue",
        "random",
        "ready",
        "reset_at",
        "scheduler",
        "senses",
        "source",
        "start_parameter",
        "start_text",
        "state",
        "status",
        "timer_at",
        "timer_period",
        "timer_queued",
        "wake_at",
        "world",
    )  # fmt: skip

    def __init__(
        self, engine: Engine, program: Program, world: WorldInterface, *, name: str = "script", item_id: str = "",
        object_id: Key = NULL_KEY, owner: Key = NULL_KEY, source: str = "", now: float = 0.0, seed: int | None = None,
        scheduler: Scheduler | None = None,
    ):  # fmt: skip
        self.engine = engine
        self.host = engine.host
        self.scheduler = scheduler or engine.scheduler
        self.program = program
        self.world = world
        self.name = name
        self.item_id = item_id
        self.object_id = object_id
        self.owner = owner
        self.group: Key = NULL_KEY
        self.source = source
        self.now = now
        self.random = Random(seed)
        self.start_parameter = 0
        self.start_text = ""  # llGetStartString
        self.cpu = 0.0  # seconds of real time spent in it, kept by the scheduler
        self.overspent = 0  # checkpoints that the last slice took beyond its budget, in host functions
        self.budget = 20_000  # checkpoints a slice, adapted by the scheduler to how long they take
        self.place: Turn | None = None  # its owner's place in the scheduler
        self.ready = False  # in the scheduler's ready queue
        self.dropped = 0  # events lost to a full queue
        self.extra: dict[str, object] = {}  # what a world hangs on it
        self.instance: Instance = engine.instantiate(program)
        self._begin()

    def _begin(self) -> None:
        """All that a reset sets back."""
        self.scheduler.forget(self)
        self.instance.start()
        self.limit = layout.LOGICAL_BYTES
        self.set_state(0)
        self.next_state = -1
        self.status = IDLE
        self.event: Event | None = None
        self.paused = False
        self.queue: deque[Event] = deque()
        self.detected: tuple[Detected, ...] = ()
        self.listens: dict[int, Listen] = {}
        self.next_listen = 1
        self.timer_period = 0.0
        self.timer_at = 0.0
        self.timer_queued = False
        self.wake_at = 0.0
        self.event_gap = 0.0
        self.next_event_at = -1.0
        self.reset_at = self.now
        self.granted = 0
        self.granter: Key = NULL_KEY
        self.controls: tuple[int, bool, bool] | None = None  # keys it has taken, and how: accept, pass on (`scripts/controls.py`)
        self.asked: dict[Key, Question] = {}  # what it waits for (`scripts/answers.py`)
        self.senses = Senses()
        self._enter(0)

    # --- what the world calls

    def post(self, name: str, *arguments: Value, detected: Sequence[Detected] = ()) -> bool:
        """Queues an event. False when it is dropped: no handler, a full queue, too soon, or the script has stopped."""
        if self.status in (STOPPED, CRASHED) or name not in self.handlers:
            return False
        if name == "timer" and self.timer_queued:
            return False
        if self.event_gap and self.now < self.next_event_at:
            return False
        if len(self.queue) >= QUEUE_LENGTH:
            self.dropped += 1
            return False
        self.next_event_at = self.now + self.event_gap
        if name == "timer":
            self.timer_queued = True
            self.queue.append(TIMER)
        else:
            self.queue.append(Event(name, arguments, detected))
        self.scheduler.wake(self)
        return True

    def hear(self, channel: int, name: str, speaker: Key, text: str) -> bool:
        """Something was said in reach; posts `listen` when a listen wants it."""
        for listen in self.listens.values():
            if listen.hears(channel, name, speaker, text):
                return self.post("listen", channel, name, Key(speaker), text)
        return False

    def reset(self) -> None:
        """As llResetScript, from outside."""
        self._let_go()
        self._begin()
        self.scheduler.wake(self)

    def remove(self) -> None:
        """The script leaves its object: nothing of it runs again, and its memory goes with the last reference."""
        self._let_go()
        self.status = STOPPED
        self.timer_period = 0.0
        self.queue.clear()
        self.scheduler.forget(self)

    def set_running(self, running: bool) -> None:
        if running and self.status == STOPPED:
            self.status = RUNNING if self.paused else IDLE
            if self.paused and self.wake_at > self.scheduler.now:
                self.status = SLEEPING
                self.scheduler.wake_later(self, self.wake_at)
            elif self.has_work:
                self.scheduler.wake(self)
            self.scheduler.timer(self)
            self.scheduler.sensor(self)
        elif not running and self.status not in (STOPPED, CRASHED):
            self.status = STOPPED

    @property
    def is_running(self) -> bool:
        return self.status not in (STOPPED, CRASHED)

    @property
    def has_work(self) -> bool:
        """Whether a slice would do something now."""
        return self.status == RUNNING or (self.status == IDLE and (self.paused or bool(self.queue)))

    # --- what the scheduler calls

    def slice(self, now: float, budget: int) -> bool:
        """Runs one event, or a part of one. True when there is more to do at once."""
        self.now = now
        host = self.host
        outer, host.current = host.current, self
        try:
            if self.paused:
                self.paused = self.instance.resume(budget) == PAUSED
            else:
                if not self.queue:
                    self.status = IDLE
                    return False
                self.event = event = self.queue.popleft()
                if event is TIMER:
                    self.timer_queued = False
                elif event.sweep is not None:
                    rooms = self.world.rooms
                    budget = max(budget - rooms.sensors.cost(), 1)
                    found = rooms.sensors.sweep(self, self.world.prim_of(self), event.sweep)
                    event = Event("sensor", (len(found),), found) if found else Event("no_sensor")
                    if event.name not in self.handlers:
                        self.event, self.status = None, IDLE
                        return bool(self.queue)
                    self.event = event
                self.detected = event.detected
                self.status = RUNNING
                self.paused = self.instance.run(self.handlers[event.name], event.arguments, budget) == PAUSED
        except Trapped as trap:
            self._stopped(trap)
            host.raised = None
        except ScriptFailure as failure:
            self.crash(str(failure))
            host.raised = None
        finally:
            host.current = outer
            left = self.instance.words[_BUDGET]
            self.overspent = -left if left < 0 else 0
        if self.paused:
            if self.status == STOPPED:
                return False
            if self.wake_at > now:
                self.status = SLEEPING
                self.scheduler.wake_later(self, self.wake_at)
                return False
            return True
        if self.status != RUNNING:
            return self.has_work  # it was stopped, or reset
        self._finish()
        return bool(self.queue)

    def _stopped(self, trap: Trapped) -> None:
        problem = self.engine.host.raised
        if trap.code >= 0 or problem is None:
            # the native stack ran out before the page did, or a damaged page led out of memory
            cause = layout.COLLISION if trap.code == raw.STACK_OVERFLOW else layout.BAD_PAGE
            self.crash(layout.FAILURES[cause])
        elif isinstance(problem, ScriptFailure):
            self.crash(str(problem))
        elif isinstance(problem, Reset):
            self._let_go()
            self._begin()
        elif isinstance(problem, Removed):
            self.status = STOPPED
        elif isinstance(problem, Died):
            self.status = STOPPED
            self.world.died(self)
        elif isinstance(problem, Exception):
            self.engine.defect(self, problem)
            name = type(problem).__name__
            self.crash(f"A defect of the simulator stopped this script ({name})")
        else:
            raise problem  # KeyboardInterrupt and its kin are not the script's

    def _finish(self) -> None:
        """A handler has ended: changes state if it asked to."""
        event, self.event = self.event, None
        self.detected = ()
        self.status = IDLE
        asked = self.instance.words[_NEXT_STATE]
        if asked == self.state:
            asked = self.instance.words[_NEXT_STATE] = -1  # a function asked for the state that is there
        if asked < 0 and self.next_state < 0:
            return
        self.instance.words[_NEXT_STATE] = -1
        if event is not None and event.name == "state_exit" and self.next_state >= 0:
            self._enter(self.next_state)
        elif 0 <= asked < len(self.program.states):
            self.next_state = asked
            if "state_exit" in self.handlers:
                self.queue.appendleft(Event("state_exit"))
            else:
                self._enter(asked)

    def _enter(self, state: int) -> None:
        """The state changes: queue and listens are cleared, the timer goes on."""
        self._end_listens()
        self.sense_every(None, 0.0)
        self.queue.clear()
        self.timer_queued = False
        self.set_state(state)
        self.next_state = -1
        if "state_entry" in self.handlers:
            self.queue.append(Event("state_entry"))

    def set_state(self, state: int) -> None:
        self.state = state
        self.handlers = self.program.handlers[state]

    def _end_listens(self) -> None:
        for listen in self.listens.values():
            self.world.listen_ended(self, listen)
        self.listens = {}

    def _let_go(self) -> None:
        """What it began outside of itself ends."""
        self._end_listens()
        self.asked = {}
        self.world.let_go(self)

    def crash(self, message: str) -> None:
        """A run-time error: the script stops until it is reset, and its owner is told."""
        self.status = CRASHED
        self.paused = False
        self.queue.clear()
        self._let_go()
        self.world.script_error(self, message, self.instance.word(layout.LINE))

    # --- what library functions call

    def sleep(self, seconds: float) -> None:
        """Pauses the script after the running host function; its time goes on, its queue fills."""
        if seconds > 0:
            self.wake_at = max(self.wake_at, self.now) + seconds
            self.instance.set_word(layout.MODE, layout.PAUSING)

    def spend(self, checkpoints: int) -> None:
        """Charges the script for work done in a host function, one checkpoint for about 3 ns."""
        self.instance.charge(checkpoints)

    def set_timer(self, seconds: float) -> None:
        if seconds <= 0 or seconds != seconds:
            self.timer_period = self.timer_at = 0.0
        else:
            self.timer_period = max(seconds, SHORTEST_TIMER)
            self.timer_at = self.now + self.timer_period
        self.scheduler.timer(self)

    def sense(self, sweep: Sweep) -> bool:
        """Queues a look around; one that waits already is enough. False when nobody would hear of it, or the queue is full."""
        if self.status in (STOPPED, CRASHED) or not {"sensor", "no_sensor"} & self.handlers.keys():
            return False
        if len(self.queue) >= QUEUE_LENGTH or any(event.sweep == sweep for event in self.queue):
            return False
        self.queue.append(Event("sensor", sweep=sweep))
        self.scheduler.wake(self)
        return True

    def sense_every(self, sweep: Sweep | None, period: float) -> None:
        """Looks around every so many seconds from now on; None ends it."""
        self.senses.repeat(sweep, period, self.now)
        self.scheduler.sensor(self)

    @property
    def is_busy(self) -> bool:
        """Whether it does something, or waits for something that it asked for."""
        senses = self.senses
        waits = self.timer_period or senses.period or self.listens or senses.targets or senses.turns
        return self.is_running and bool(waits or self.has_work or self.status == SLEEPING)

    def may(self, permissions: str) -> bool:
        """Whether any of `PERMISSION_A|PERMISSION_B` is granted."""
        constants = table().constants
        return any(self.granted & constants[name].value for name in permissions.split("|"))  # type: ignore[operator]

    def grant(self, avatar: Key, permissions: int) -> None:
        """The answer to llRequestPermissions."""
        if self.controls is not None and (avatar != self.granter or not permissions & TAKE_CONTROLS):
            self.world.controls.release(self)
        self.granter, self.granted = avatar, permissions
        self.post("run_time_permissions", permissions)

    def complain(self, message: str) -> None:
        """Tells the owner that a function was used wrongly; the script goes on."""
        if self.allowed(OWNER_CHAT, "complaints"):
            self.world.script_complaint(self, message)

    def print(self, value: Value) -> None:
        if self.allowed(OWNER_CHAT, "print"):
            self.world.script_print(self, value)

    def allowed(self, limit: Limit, what: str) -> bool:
        """Whether the owner's scripts may do one more of this now; she is told of the first that is too many."""
        count = self.scheduler.throttles.count(limit, self.owner, self.now, what)
        most = limit.most * self.scheduler.throttles.factor
        if count == most + 1:
            told = f"More than {most} {what} in {limit.seconds:g} seconds: the rest is dropped"
            self.world.script_complaint(self, told)
        return count <= most

    @property
    def state_name(self) -> str:
        return self.program.states[self.state]

    def globals(self) -> dict[str, Value]:
        """The script's global variables, by name."""
        return {one.name: self.instance.get(one.address, one.kind) for one in self.program.globals}

    def describe(self, value: Value) -> str:
        return type_of(value)

    def stack(self) -> list[tuple[str, int]]:
        """Where a paused script is: (function, line from 0), innermost last."""
        if not self.paused:
            return []
        word, frames = self.instance.word, []
        at, end = layout.STACK_BASE, min(word(layout.SP), layout.STACK_END)
        while at < end:
            number, point = word(at) >> 16 & 0xFFFF, word(at) & 0xFFFF
            if number >= len(self.program.functions):
                break
            function = self.program.functions[number]
            if not function.frame_bytes or point >= len(function.lines):
                break
            frames.append((function.name, function.lines[point]))
            at += function.frame_bytes
        return frames
