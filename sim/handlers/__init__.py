"""Viewer messages -> world changes. A handler is one function, declared where it is written:

    @handles("ChatFromViewer", state=ROOT, rate=CHAT)
    def chat_from_viewer(sim, agent, message):
        ...

The declaration names the message, the state its circuit must be in and how often one agent may send it. Circuits
dispatch here only messages whose AgentData (where they carry one) names the circuit's own agent and session, so a
handler never checks that again. A message without a handler is acknowledged, counted and forgotten: viewers send
many that no region needs.

Handlers run on the world's thread inside the frame, and must not block; what needs a service is
`sim.spawn(coroutine)`, which runs in the slack between frames on the same thread.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from protocol.message import Message
from protocol.table import BY_NAME

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

Handler = Callable[["Parts", "Agent", Message], None]


class Later(Exception):
    """A handler has no room for what a message asks for: it is to come again in a later frame."""


class State(IntEnum):
    """How far a circuit must have come for a message to be heeded."""

    OPEN = 0  # child or root
    NEAR = 1  # the avatar is here or looks over a border; not a spectator, who stands nowhere
    ROOT = 2  # the avatar is here


OPEN, NEAR, ROOT = State.OPEN, State.NEAR, State.ROOT


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket an agent and class: `burst` at once, `per_second` in the long run. Excess is dropped and counted.

    What counts is what a message asks for: one without a list of `ObjectData` is one, with one as many as are in it.
    """

    name: str
    per_second: float
    burst: float


CONTROL = Rate("control", 100.0, 400.0)  # session, camera, keys
OPENING = Rate("opening", 0.5, 10.0)  # UseCircuitCode again: everything in view is sent anew after it
CHAT = Rate("chat", 10.0, 40.0)  # what other people see
QUERY = Rate("query", 50.0, 300.0)  # questions a viewer asks in bursts at login
COSTLY = Rate("costly", 4.0, 20.0)  # what makes services or neighbours work


def cost(message: Message) -> int:
    """How much of its rate a message uses up."""
    listed = message.get("ObjectData")
    return max(len(listed), 1) if isinstance(listed, list) else 1


@dataclass(frozen=True, slots=True)
class Row:
    message: str
    state: State
    rate: Rate
    function: Handler


TABLE: dict[str, Row] = {}


def handles(message: str, *, state: State = State.OPEN, rate: Rate = QUERY) -> Callable[[Handler], Handler]:
    """Declare the handler of a message. A name not in the message table, or taken, is a mistake found at import."""

    def declare(function: Handler) -> Handler:
        if message not in BY_NAME:
            raise LookupError(f"no message {message} in the table")
        if message in TABLE:
            raise LookupError(f"{message} has a handler already: {TABLE[message].function.__module__}")
        TABLE[message] = Row(message, state, rate, function)
        return function

    return declare


def load() -> dict[str, Row]:
    """Import every family so that its handlers stand in the table."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return TABLE
