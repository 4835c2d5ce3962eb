"""Objects over borders while regions are killed: what a hand-over was is known again, and of each object there is one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from sim.clock import ManualClock
from sim.neighbours import handovers, object_crossing
from sim.neighbours.peers import PeerError
from sim.storage.transit import CAME, VOID, WENT
from sim.world.objects import Prim
from tests.kit.joined import Link, _compiled, _serve
from tests.kit.world import TestSimulator, add_region, close_sim, make_sim

SQUARES = {"West": (1000, 1000), "East": (1001, 1000)}


class Pair:
    """Two regions side by side, each with a store; either is killed and opened again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, ManualClock()
        self.ids = {name: uuid4() for name in SQUARES}
        self.up: dict[str, TestSimulator] = {}
        self.before: Callable[[str, str], None] = lambda method, path: None  # a call has come
        self.after: Callable[[str, str], None] = lambda method, path: None  # it was done, and is not answered yet
        for name in SQUARES:
            self.open(name)

    def open(self, name: str) -> None:
        store = str(self.folder / name / "region.sqlite")
        sim = make_sim(name, *SQUARES[name], clock=self.clock, store=store, region_id=self.ids[name])
        sim.link = Link()  # type: ignore[attr-defined]
        sim.scripts.compiled = _compiled  # type: ignore[method-assign]
        sim.neighbours.peers._call = self._call  # type: ignore[method-assign]
        self.up[name] = sim
        for one in self.up.values():
            for other in self.up.values():
                if one is not other:
                    facts = other.world.facts
                    add_region(
                        one, facts.name, facts.grid_x, facts.grid_y, region_id=facts.region_id, http_url=other.address.http_url, port=other.address.port,
                    )  # fmt: skip
            one.neighbours._directory_changed(set(), set())
        sim.neighbours.handovers.recover()
        sim.neighbours.objects.recover()

    def kill(self, name: str) -> None:
        sim = self.up.pop(name)
        assert sim.storage.writer is not None
        sim.storage.writer.give = lambda batch: 0  # type: ignore[method-assign]
        close_sim(sim)

    async def _call(self, method: str, http_url: str, path: str, **more: Any) -> Any:
        target = next((sim for sim in self.up.values() if sim.address.http_url == http_url), None)
        if target is None:
            raise PeerError(0, "nobody there", nobody=True)
        self.before(method, path)
        answer = await _serve(target, target.link, method, path, more)  # type: ignore[attr-defined]
        self.after(method, path)
        if target not in self.up.values():
            raise PeerError(0, "it died before it answered")
        return answer

    async def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Frames of both, with time for their disks between."""
        end = self.clock.now() + seconds
        while self.clock.now() < end and not until():
            for sim in list(self.up.values()):
                sim.frame.once(self.clock.now())
            await asyncio.sleep(0.002)
            self.clock.advance(1 / 15)

    async def written(self) -> None:
        for sim in self.up.values():
            sim.frame.once(self.clock.now())
            assert await sim.storage.durable(20.0)

    def where(self, thing: UUID) -> list[str]:
        return [name for name, sim in self.up.items() if thing in sim.world.objects.by_id]

    async def box(self) -> UUID:
        """A thing in the west that is about to be put over the border."""
        sim = self.up["West"]
        owner = uuid4()
        prim = Prim(uuid4(), owner, owner, last_owner_id=owner, name="the only one")
        sim.world.objects.add(prim, sim.world.new_local_id(), (250.0, 128.0, 40.0), (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
        await self.written()
        assert sim.neighbours.objects.begin(prim, (258.0, 128.0, 40.0))
        return prim.full_id


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    monkeypatch.setattr(object_crossing, "ASK_PAUSE", 0.01)
    monkeypatch.setattr(handovers, "FOLLOW_PAUSE", 0.01)
    made = Pair(tmp_path)
    yield made
    for name in list(made.up):
        made.kill(name)


def is_hand_over(path: str) -> bool:
    return path == "/services/objects"


async def settled(pair: Pair, thing: UUID) -> list[str]:
    """Where it is once it is known what came of it, and again after both have been killed."""
    await pair.run(4.0)
    end = time.monotonic() + 20
    while time.monotonic() < end and any(transit.kind == "cross" for sim in pair.up.values() for transit in sim.storage.transits.values()):
        await pair.run(0.5)
    await pair.written()
    places = pair.where(thing)
    for name in SQUARES:
        pair.kill(name)
    for name in SQUARES:
        pair.open(name)
    await pair.run(2.0)
    assert pair.where(thing) == places
    for sim in pair.up.values():
        assert not any(prim.leaving for prim in sim.world.objects.roots())
    return places


async def test_it_crosses_and_both_remember(pair: Pair) -> None:
    thing = await pair.box()
    await pair.run(8.0, lambda: pair.where(thing) == ["East"])
    assert await settled(pair, thing) == ["East"]
    kinds = {name: [transit.kind for transit in sim.storage.transits.values()] for name, sim in pair.up.items()}
    assert kinds == {"West": [WENT], "East": [CAME]}


@pytest.mark.parametrize("victim", ["West", "East", "both"])
@pytest.mark.parametrize("moment", ["offered", "done"])
async def test_whoever_is_killed_while_it_crosses_there_is_one_of_it(pair: Pair, victim: str, moment: str) -> None:
    died: list[str] = []

    def strike(method: str, path: str) -> None:
        if is_hand_over(path) and not died:
            died.extend(SQUARES if victim == "both" else [victim])
            for name in died:
                pair.kill(name)

    if moment == "offered":
        pair.before = strike
    else:
        pair.after = strike
    thing = await pair.box()
    await pair.run(8.0, lambda: bool(died))
    assert died
    for name in died:
        pair.open(name)
    assert len(await settled(pair, thing)) == 1


async def test_what_is_void_is_so_after_a_restart(pair: Pair) -> None:
    """The west gives up and is killed before the east has heard that it keeps the thing."""
    link: Link = pair.up["East"].link  # type: ignore[attr-defined]

    def stop(method: str, path: str) -> None:
        link.stopped = ("POST", "/services/objects") in link.calls  # it was done once, and nothing is heard any more

    pair.before = stop
    link.lost_answers = 1
    thing = await pair.box()
    await pair.run(30.0, lambda: any(transit.kind == VOID for transit in pair.up["West"].storage.transits.values()))
    assert pair.where(thing) == ["West", "East"]
    await pair.written()
    pair.kill("West")
    pair.before = lambda method, path: None
    link.stopped, link.waiting = False, []
    pair.open("West")
    assert await settled(pair, thing) == ["West"]


async def test_a_region_whose_disk_takes_nothing_hands_nothing_over(pair: Pair) -> None:
    for full in SQUARES:
        writer = pair.up[full].storage.writer
        assert writer is not None
        writer.trouble = "database or disk is full"
        sim = pair.up["West"]
        owner = uuid4()
        prim = Prim(uuid4(), owner, owner)
        sim.world.objects.add(prim, sim.world.new_local_id(), (250.0, 128.0, 40.0), (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
        began = sim.neighbours.objects.begin(prim, (258.0, 128.0, 40.0))
        assert began == (full == "East")
        for _ in range(2000):
            if not prim.leaving:
                break
            await asyncio.sleep(0.002)
        assert pair.where(prim.full_id) == ["West"] and not prim.leaving
        writer.trouble = ""
