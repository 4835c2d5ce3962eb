"""What script tests run LSL with: every script twice, once straight and once torn apart at every checkpoint."""

from __future__ import annotations

from functools import cache
from typing import Any

from sim.scripts.machine.engine import Engine
from sim.scripts.machine.saved import restore, save
from sim.scripts.tools.fakeworld import FakeWorld

MOST_PAUSES = 3000


@cache
def engine() -> Engine:
    """One engine for all tests: it is what holds the compiled modules."""
    return Engine()


class Torn(FakeWorld):
    """Pauses every script at each checkpoint, saves it, and goes on in a fresh instance restored from the bytes."""

    pauses = 0

    def settle(self, slices: int | None = None) -> int:
        scheduler, taken = self.scheduler, 0
        while True:
            for script in self.scripts:
                script.budget = 1 if self.pauses < MOST_PAUSES else 100_000
            taken += scheduler.run(self.now, 0.0)
            for index, script in enumerate(self.scripts):
                if script.paused and self.pauses < MOST_PAUSES:
                    self.pauses += 1
                    self.scripts[index] = self.move(script)
            if scheduler.is_idle or (slices is not None and taken >= slices):
                return taken

    def move(self, script: Any) -> Any:
        data = save(script, self.now)
        script.status = "stopped"  # the old one must not run on
        new = restore(
            self.engine, data, script.program, self, self.now, owner=script.owner, object_id=script.object_id,
            source=script.source, scheduler=self.scheduler,
        )  # fmt: skip
        new.random = script.random
        return new


def play(world: FakeWorld, sources: tuple[str, ...], seconds: float, touches: int) -> list[dict[str, Any]]:
    for index, source in enumerate(sources):
        world.add(source, "script" if index == 0 else f"script {index}")
    world.settle(20_000)
    world.touch(touches)
    world.advance(seconds, 20_000)
    assert not world.engine.defects, world.engine.defects
    return world.occurrences


def occurrences(*sources: str, seconds: float = 0.0, touches: int = 0) -> list[dict[str, Any]]:
    """Everything the scripts did, the same both ways."""
    straight = play(FakeWorld(engine()), sources, seconds, touches)
    torn = play(Torn(engine()), sources, seconds, touches)
    assert torn == straight
    return straight


def said(*sources: str, seconds: float = 0.0, touches: int = 0) -> list[str]:
    """What the scripts said (on any channel, or to the owner), the same both ways."""
    spoken = ("say", "whisper", "shout", "region", "owner")
    return [one["text"] for one in occurrences(*sources, seconds=seconds, touches=touches) if one["kind"] in spoken]


def evaluate(*expressions: str, before: str = "") -> list[str]:
    """What `(string)(expression)` gives for each, in one script; `before` goes in front of the default state."""
    body = " ".join([f"llOwnerSay((string)({one}));" for one in expressions])
    return said(f"{before}\ndefault {{ state_entry() {{ {body} }} }}")
