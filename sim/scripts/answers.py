"""What scripts ask and are answered later by a `dataserver` event: notecards, people, regions.

    key = script.world.answers.ask(script, "notecard line", asset, 3)

A question is plain data: its kind, and LSL values. It is kept with the script until it is answered, so that it is asked again
where a script goes on that was saved meanwhile. How a kind is answered is said where its functions are, in the library:

    @answers("notecard line")
    async def notecard_line(room, owner, asset, line): ...    the text of the event; None for no event
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID, uuid4

from sim.scripts.language.values import NULL_KEY, Key, Value
from sim.scripts.notecards import Notecards

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

log = logging.getLogger(__name__)

MOST_ASKED = 64  # questions of a script under way; each waits for a service


class Unanswered(Exception):
    """A service did not answer."""


Name = tuple[str, str]  # first, last


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A region of the grid. `corner`: metres; `up`: it can be visited."""

    name: str
    corner: tuple[int, int]
    access: int
    up: bool


class Services(Protocol):
    """What the grid is asked. All raise Unanswered when it does not answer."""

    async def asset(self, asset_id: UUID) -> bytes | None:
        """The bytes of an asset, None when there is none."""

    async def name(self, agent_id: UUID) -> Name | None:
        """What somebody is called; None when there is no such account."""

    async def born(self, agent_id: UUID) -> float | None:
        """Unix time at which an account was made."""

    async def find_person(self, name: str) -> UUID | None:
        """The account of that name, "First Last"."""

    async def online(self, agent_id: UUID, asker: UUID) -> bool:
        """Whether somebody is online, as far as the asker may know."""

    async def region_named(self, name: str) -> Elsewhere | None: ...

    async def region(self, region_id: UUID) -> Elsewhere | None: ...


class Room:
    """What answers are made of: the grid's services, and notecards that were read already."""

    def __init__(self, services: Services, notecards: Notecards) -> None:
        self.services = services
        self.notecards = notecards

    async def notecard(self, asset_id: UUID) -> list[str] | None:
        """The lines of a notecard; None when it is none."""
        lines = self.notecards.get(asset_id)
        if lines is not None:
            return lines
        data = await self.services.asset(asset_id)
        return None if data is None else self.notecards.read(asset_id, data)


Answer = Callable[..., Awaitable[str | None]]
ANSWERS: dict[str, Answer] = {}


def answers(kind: str) -> Callable[[Answer], Answer]:
    """Declares how questions of a kind are answered: a coroutine of (room, owner's key, *values)."""

    def declare(function: Answer) -> Answer:
        ANSWERS[kind] = function
        return function

    return declare


@dataclass(frozen=True, slots=True)
class Question:
    kind: str
    values: tuple[Value, ...]


class Answers:
    def __init__(self, room: Room, spawn: Callable[[Coroutine[Any, Any, None], str], Any], now: Callable[[], float]) -> None:
        """`spawn` runs a coroutine beside the frame; `now`: world time."""
        self.room = room
        self._spawn = spawn
        self._now = now

    def ask(self, script: Script, kind: str, *values: Value) -> Key:
        """The key by which the answer is told apart; NULL_KEY, and a complaint, when too many are under way."""
        if len(script.asked) >= MOST_ASKED:
            script.complain(f"More than {MOST_ASKED} questions wait for an answer: this one is not asked")
            return NULL_KEY
        key = Key(str(uuid4()))
        question = script.asked[key] = Question(kind, values)
        self._spawn(self._answer(script, key, question), "script question")
        return key

    def resume(self, script: Script) -> None:
        """A script goes on that was saved: what it waits for is asked again."""
        for key, question in list(script.asked.items()):
            self._spawn(self._answer(script, key, question), "script question")

    async def _answer(self, script: Script, key: Key, question: Question) -> None:
        try:
            text = await ANSWERS[question.kind](self.room, script.owner, *question.values)
        except Unanswered as problem:
            log.info("a script's question is not answered: %s", problem)
            text = None
        if script.asked.pop(key, None) is None:  # it began anew meanwhile
            return
        if text is not None:
            script.now = self._now()
            script.post("dataserver", key, text)
