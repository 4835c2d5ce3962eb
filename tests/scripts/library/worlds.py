"""One suite on both worlds: at the command line's flat region, and in a simulator that people are in.

    for world in both: world.said('llOwnerSay(llGetObjectName());')

In both the script's object is a box of half a metre called "Object" at <128, 128, 25>, linked with a "Child" one metre above
it; its owner has full rights; "Visitor Resident" stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import UUID

from protocol.inventory import Item
from protocol.message import Message
from sim.actions.link import link
from sim.actions.may import Actor
from sim.region import Region
from sim.scripts.language.program import compile_script
from sim.scripts.machine.script import Script
from sim.scripts.tools.fakeworld import VISITOR, FakeWorld
from sim.world.agent import Agent
from sim.world.objects import Prim
from tests.kit.world import add_root, region, settle
from tests.scripts.bench import engine

TEXTURE = UUID("5748decc-f629-461c-9a36-a35a221fe21f")


class Bench(Protocol):
    """A world with the script's object in it."""

    region: Region
    root: Prim
    child: Prim

    world: Any  # what scripts know of it: WorldInterface

    @property
    def visitor(self) -> Agent: ...

    def start(self, source: str) -> Script:
        """A script in the root that goes on; `run` lets it."""

    def run(self, seconds: float = 10.0) -> list[str]:
        """What scripts have said to their owner since the last time."""

    async def answered(self) -> None:
        """Until all questions of scripts have their answers."""

    def shown(self, name: str) -> list[tuple[UUID, Message]]:
        """The messages of that name that were shown to viewers so far, and whose they are."""

    def said(self, body: str, before: str = "") -> list[str]:
        """What a script in the root says to its owner out of state_entry; complaints too."""


class Fake:
    def __init__(self) -> None:
        self.world = FakeWorld(engine())
        self.world.engine.defects.clear()
        self.region, self.root = self.world.region, self.world.root
        self.child = self.world.link()
        self.visitor = self.region.world.agents[UUID(VISITOR)]
        self._seen = 0
        self._shown: list[tuple[UUID, Message]] = []
        self.world.viewers._noted = lambda agent, message: self._shown.append((agent.agent_id, message))

    def start(self, source: str) -> Script:
        return self.world.add(source)

    def run(self, seconds: float = 10.0) -> list[str]:
        self.world.advance(seconds)
        assert not self.world.engine.defects, self.world.engine.defects
        found, self._seen = self.world.occurrences[self._seen :], len(self.world.occurrences)
        return [one.get("text", one.get("message", one["kind"])) for one in found]

    async def answered(self) -> None:
        pass

    def shown(self, name: str) -> list[tuple[UUID, Message]]:
        return [one for one in self._shown if one[1].name == name]

    def said(self, body: str, before: str = "") -> list[str]:
        start = len(self.world.occurrences)
        self.world.add(f"{before}\ndefault {{ state_entry() {{ {body} }} }}")
        self.world.advance(10.0)
        assert not self.world.engine.defects, self.world.engine.defects
        return [one.get("text", one.get("message", one["kind"])) for one in self.world.occurrences[start:]]


class InRegion:
    def __init__(self, sim: Any) -> None:
        self.sim, self.region, self.world = sim, sim.region, sim.scripts
        self._shown: list[tuple[UUID, Message]] = []
        sim.scripts.viewers._noted = lambda agent, message: self._shown.append((agent.agent_id, message))
        world = sim.world
        owner = add_root(sim, "Olga Owner", (100, 100, 25)).agent
        self.visitor = add_root(sim, "Visitor Resident", (130, 128, 21)).agent
        self.root = Prim(UUID(int=77), owner.agent_id, owner.agent_id, name="Object")
        self.child = Prim(UUID(int=78), owner.agent_id, owner.agent_id, name="Child")
        for prim, height in ((self.root, 25.0), (self.child, 26.0)):
            world.objects.add(prim, world.new_local_id(), (128.0, 128.0, height), (0.0, 0.0, 0.0, 1.0), (0.5, 0.5, 0.5))
        link(self.region, Actor(owner.agent_id, region=True), [self.root, self.child])
        self.heard: list[str] = []
        sim.scripts.owner_say = lambda script, text: self.heard.append(text)
        sim.scripts.script_complaint = lambda script, text: self.heard.append(text)

    def start(self, source: str) -> Script:
        return self.sim.scripts.start(self.root, compile_script(source), source)

    def run(self, seconds: float = 10.0) -> list[str]:
        scheduler, world = self.sim.scripts.engine.scheduler, self.region.world
        end = world.time + seconds
        while world.time < end:
            scheduler.run(world.time)
            world.time += 0.25
        assert not self.sim.scripts.engine.defects, self.sim.scripts.engine.defects
        found, self.heard = self.heard, []
        return found

    async def answered(self) -> None:
        await settle(self.sim)

    def shown(self, name: str) -> list[tuple[UUID, Message]]:
        return [one for one in self._shown if one[1].name == name]

    def said(self, body: str, before: str = "") -> list[str]:
        self.heard.clear()
        source = f"{before}\ndefault {{ state_entry() {{ {body} }} }}"
        script = self.sim.scripts.start(self.root, compile_script(source), source)
        scheduler = self.sim.scripts.engine.scheduler
        for step in range(40):
            scheduler.run(self.region.world.time + step / 4)
        assert not self.sim.scripts.engine.defects, self.sim.scripts.engine.defects
        if self.root.row >= 0:
            self.sim.scripts.remove(self.root)
        del script
        return list(self.heard)


@contextmanager
def bench(name: str) -> Iterator[Bench]:
    if name == "fake":
        yield Fake()  # type: ignore[misc]
    else:
        with region() as sim:
            yield InRegion(sim)  # type: ignore[misc]


def item(name: str, asset_type: int, asset_id: UUID = TEXTURE) -> Item:
    """Something in a prim's contents."""
    return Item(UUID(int=abs(hash((name, asset_type))) % (1 << 120)), asset_id, name, asset_type=asset_type, creator_id=UUID(int=5))
