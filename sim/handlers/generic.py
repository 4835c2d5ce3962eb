"""GenericMessage: wishes and questions by name, each one function in the file of its family:

    @generic("avatarpicksrequest")
    def avatar_picks(sim, agent, parameters): ...

Parameters are text. Raising ValueError or IndexError says that they are not what they should be: dropped, and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol.message import Message, text
from sim.handlers import OPEN, QUERY, handles

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

PARAMETERS_LIMIT = 8
Wish = Callable[["Parts", "Agent", list[str]], None]
TABLE: dict[str, Wish] = {}


def generic(method: str) -> Callable[[Wish], Wish]:
    """Declare what a GenericMessage of that method does."""

    def declare(function: Wish) -> Wish:
        if method in TABLE:
            raise LookupError(f"{method} is declared already: {TABLE[method].__module__}")
        TABLE[method] = function
        return function

    return declare


@handles("GenericMessage", state=OPEN, rate=QUERY)
def generic_message(sim: Parts, agent: Agent, message: Message) -> None:
    wish = TABLE.get(text(message["MethodData"]["Method"]))
    if wish is None:
        sim.metrics.count("messages_unhandled", label="GenericMessage")
        return
    try:
        wish(sim, agent, [text(block["Parameter"]) for block in message["ParamList"][:PARAMETERS_LIMIT]])
    except (ValueError, IndexError):
        sim.metrics.count("messages_dropped", label="malformed")
