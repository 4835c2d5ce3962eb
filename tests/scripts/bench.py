"""What script tests run LSL with: every script twice, once straight and once torn apart at every checkpoint."""

from __future__ import annotations

from functools import cache
from typing import Any

from sim.scripts.machine.engine import Engine
from sim.scripts.tools.fakeworld import SPOKEN, FakeWorld


@cache
def engine() -> Engine:
    """One engine for all tests: it is what holds the compiled modules."""
    return Engine()


def play(world: FakeWorld, sources: tuple[str, ...], seconds: float, touches: int) -> list[dict[str, Any]]:
    for index, source in enumerate(sources):
        world.add(source, "script" if index == 0 else f"script {index}")
    world.settle(20_000)
    world.touch(touches)
    world.advance(seconds, 20_000)
    assert not world.engine.defects, world.engine.defects
    return world.occurrences


def occurrences(*sources: str, seconds: float = 0.0, touches: int = 0, tear: int = 1) -> list[dict[str, Any]]:
    """Everything the scripts did, the same both ways; `tear` is how many checkpoints lie between two pauses."""
    straight = play(FakeWorld(engine()), sources, seconds, touches)
    torn = play(FakeWorld(engine(), tear=tear), sources, seconds, touches)
    assert torn == straight
    return straight


def said(*sources: str, seconds: float = 0.0, touches: int = 0, tear: int = 1) -> list[str]:
    """What the scripts said (on any channel, or to the owner), the same both ways."""
    return [
        one["text"]
        for one in occurrences(*sources, seconds=seconds, touches=touches, tear=tear)
        if one["kind"] in SPOKEN
    ]


def evaluate(*expressions: str, before: str = "") -> list[str]:
    """What `(string)(expression)` gives for each, in one script; `before` goes in front of the default state."""
    body = " ".join([f"llOwnerSay((string)({one}));" for one in expressions])
    return said(f"{before}\ndefault {{ state_entry() {{ {body} }} }}")
