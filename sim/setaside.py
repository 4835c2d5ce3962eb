"""One bad thing costs its owner, nobody else.

What a stage, kernel or encoder cannot digest is *set aside* by the room that met it: a body is not stepped, a prim is
shown as a plain box, a script is stopped. The room says so here, once: it is counted, named in the log, and told to whose
it is, now or when they come. The rest of the region goes on.

    region.aside.put("physics", prim, error, owner, "Your object 'Car' ...")     set aside: True the first time
    region.aside.forget("physics", prim)                                         it changed, and has another try

What is not known to be anybody's fault is a *failure*: of a stage of the frame, a timer, a task. Failures are counted and
logged, a repeated one once a minute with how often it came; and a region of which a stage failed in the last seconds is
not well (`/health`).
"""

from __future__ import annotations

import logging
import traceback
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from uuid import UUID

from sim.clock import Clock
from sim.metrics import Metrics

log = logging.getLogger(__name__)

RECENT = 10.0  # seconds after a failure in which the region is not well
AGAIN = 60.0  # seconds until the log hears of the same failure again
MOST_SPOTS = 256  # kinds of failure that are told apart
MOST_KEPT = 10_000  # things set aside that are known
MOST_OWNERS, MOST_WORDS = 1000, 20  # people away who are told when they come, and of how much each


@dataclass(slots=True)
class _Failure:
    """Of one kind: a stage and the line that raised."""

    told_at: float
    untold: int = 0


class SetAside:
    """What this region could not digest. `tell` returns whether its owner is here to hear it."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._things: dict[tuple[str, Hashable], None] = {}
        self._failures: dict[tuple[str, str], _Failure] = {}
        self._last: dict[str, float] = {}  # stage -> real time of its last failure
        self._waiting: dict[UUID, deque[str]] = {}
        self.tell: Callable[[UUID, str], bool] = lambda owner, words: False

    # --- things

    def put(self, room: str, thing: Hashable, why: BaseException | str, owner: UUID | None = None, words: str = "") -> bool:
        """A thing is set aside by a room; False when it is already. `words` are for its owner."""
        if (room, thing) in self._things:
            return False
        while len(self._things) >= MOST_KEPT:
            del self._things[next(iter(self._things))]
        self._things[room, thing] = None
        self._metrics.count("set_aside", label=room)
        log.warning("%s set aside: %s: %s", room, _name(thing), _why(why), exc_info=_raised(why))
        if owner is not None and words:
            self._say(owner, words)
        return True

    def has(self, room: str, thing: Hashable) -> bool:
        """Whether a room has set it aside."""
        return (room, thing) in self._things

    def forget(self, room: str, thing: Hashable) -> None:
        """It is gone, or is another now: what was wrong with it may not be any more."""
        self._things.pop((room, thing), None)

    def _say(self, owner: UUID, words: str) -> None:
        if self.tell(owner, words):
            return
        kept = self._waiting.pop(owner, None) or deque(maxlen=MOST_WORDS)
        if words not in kept:
            kept.append(words)
        self._waiting[owner] = kept
        while len(self._waiting) > MOST_OWNERS:
            del self._waiting[next(iter(self._waiting))]

    def arrived(self, owner: UUID) -> None:
        """Tell somebody who is here now what became of their things meanwhile."""
        for words in self._waiting.pop(owner, ()):
            self._say(owner, words)

    # --- failures

    def failed(self, kind: str, name: str, error: BaseException) -> None:
        """A "stage" of the frame, a background "task" or a "handler" of a message raised `error`: a bug of ours."""
        now = self._clock.now()
        self._metrics.count(f"{kind}_errors", label=name)
        if kind == "stage":
            self._last[name] = now
        spot = traceback.extract_tb(error.__traceback__)[-1:]
        key = f"{kind} {name}", f"{type(error).__name__} {spot[0].filename}:{spot[0].lineno}" if spot else type(error).__name__
        known = self._failures.get(key)
        if known is None:
            while len(self._failures) >= MOST_SPOTS:
                del self._failures[next(iter(self._failures))]
            self._failures[key] = _Failure(now)
            log.error("%s failed", key[0], exc_info=error)
            return
        known.untold += 1
        if now - known.told_at >= AGAIN:
            log.error("%s failed %d times more in %.0f s: %s", key[0], known.untold, now - known.told_at, _why(error))
            known.told_at, known.untold = now, 0

    def failing(self) -> list[str]:
        """Stages that failed in the last seconds."""
        now = self._clock.now()
        return [stage for stage, at in self._last.items() if now - at < RECENT]


def _name(thing: Hashable) -> str:
    """What the log calls a thing: a prim or a person by its id."""
    for attribute in ("full_id", "agent_id"):
        if hasattr(thing, attribute):
            return f"{type(thing).__name__.lower()} {getattr(thing, attribute)}"
    return str(thing)[:200]


def _why(why: BaseException | str) -> str:
    return f"{type(why).__name__}: {why}"[:300] if isinstance(why, BaseException) else why[:300]


def _raised(why: BaseException | str) -> BaseException | None:
    return why if isinstance(why, BaseException) else None
