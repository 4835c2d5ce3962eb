"""Every move x every step of it x a crash after that step: whatever comes back finds each thing exactly once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from protocol.inventory import Item, item_to_json
from protocol.message import Message
from protocol.permissions import Masks
from protocol.wellknown import NULL, AssetType, Folder, InventoryType, Permission
from sim import moves
from sim.actions import take
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.moves import Came, Leaving
from sim.storage import settling
from sim.storage.batch import TransitRow
from sim.storage.transit import IN, MOVES, OUT, Step, Transit, read_transit
from sim.world.linkset import gather
from sim.world.objects import Prim
from tests.kit.backbones import FakeAssets
from tests.kit.keptbackbone import KeptBackbone
from tests.kit.world import TestSimulator, Viewer, add_root, close_sim, make_sim
from tests.sim.handlers.test_building import frame
from tests.sim.handlers.test_contents import done, words

ONLY = Permission.ALL & ~Permission.COPY
UNIQUE = Masks(ONLY, ONLY, 0, 0, ONLY)
NAME = "the only one"
TAKE, TRASH, RETURN = 4, 6, 9


class Crash(BaseException):
    """The process is not there any more."""


class Place:
    """A region and Backbone on disk, opened again and again, and one thing that there is only once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.region_id = uuid4()
        self.assets = FakeAssets()
        self.sims: list[TestSimulator] = []
        self.backbone = KeptBackbone(folder)
        self.owner = UUID(self.backbone.person("Anna"))
        self.sim = self._open()

    def _open(self) -> TestSimulator:
        sim = make_sim(store=str(self.folder / "region" / "region.sqlite"), region_id=self.region_id, backbone=self.backbone, assets=self.assets)
        self.sims.append(sim)
        return sim

    def kill(self) -> None:
        """Region and Backbone end here and now: what is not on the disk is lost."""
        assert self.sim.storage.writer is not None
        self.sim.storage.writer.give = lambda batch: 0  # type: ignore[method-assign]
        close_sim(self.sim)
        self.backbone.close()

    async def start(self) -> None:
        """Both again, and whatever was open is settled."""
        self.backbone = KeptBackbone(self.folder)
        self.sim = self._open()
        await self.recover()

    async def recover(self) -> None:
        await self.sim.moves.recover()
        await done(self.sim)

    def anna(self) -> Viewer:
        viewer = add_root(self.sim, "Anna Tester", (100, 100, 30))
        # The fake world gives everybody an id of their own; this one has an account.
        self.sim.world.agents.pop(viewer.agent.agent_id)
        viewer.agent.agent_id = self.owner
        self.sim.world.agents[self.owner] = viewer.agent
        return viewer

    def prim(self, name: str, masks: Masks = Masks()) -> Prim:
        prim = Prim(uuid4(), self.owner, self.owner, last_owner_id=self.owner, name=name, permissions=masks)
        objects = self.sim.world.objects
        return objects.add(prim, self.sim.world.new_local_id(), (101.0, 101.0, 30.0), (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))

    async def item(self, kind: int = AssetType.NOTECARD) -> dict[str, Any]:
        """The one thing, in the inventory."""
        item = Item(
            uuid4(), uuid4(), NAME, owner_id=self.owner, creator_id=self.owner, asset_type=int(kind), permissions=UNIQUE,
            inventory_type=int(InventoryType.OBJECT if kind == AssetType.OBJECT else InventoryType.NOTECARD),
            folder_id=UUID(self.backbone.folder(self.owner, Folder.OBJECTS)),
        )  # fmt: skip
        data = b"a note"
        if kind == AssetType.OBJECT:
            prim = self.prim(NAME, UNIQUE)
            data = take.pack(gather(self.sim.world.objects, [prim], 0.0))
            self.sim.world.objects.remove(prim)
        await self.assets.put(item.asset_id, data, kind)
        return await self.backbone.create_item(self.owner, item_to_json(item))

    def found(self) -> list[str]:
        """Where the one thing is."""
        places = []
        for prim in self.sim.world.objects.by_id.values():
            places += ["region"] * (prim.name == NAME) + ["contents" for item in prim.contents if item.name == NAME]
        places += ["inventory" for item in self.backbone.every_item(self.owner) if item["name"] == NAME]
        return places

    def open_moves(self) -> list[str]:
        held = [one["state"] for one in self.backbone.stores.transits.open_moves(str(self.region_id)) if one["state"] == "held"]
        return [transit.kind for transit in self.sim.storage.transits.values()] + held

    def on_disk(self) -> bool:
        """Whether what a start will find holds the thing at all."""
        with sqlite3.connect(self.folder / "region" / "region.sqlite") as database:
            rows = database.execute("SELECT data, facts FROM transits").fetchall()
        held = self.backbone.stores.transits.open_moves(None)
        return bool(rows) or any(one["state"] == "held" for one in held)

    async def stored(self) -> None:
        frame(self.sim, 1.0)
        assert await self.sim.storage.durable(20.0)


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(moves, "FIRST_PAUSE", 0.0)
    made = Place(tmp_path)
    yield made
    for sim in made.sims:
        close_sim(sim)
    made.backbone.close()


Going = Callable[[], Awaitable[None]]


async def derez(place: Place, destination: int) -> Going:
    prim = place.prim(NAME, UNIQUE)
    anna = place.anna()
    await place.stored()

    async def go() -> None:
        block = {"Destination": destination, "DestinationID": NULL, "TransactionID": uuid4(), "GroupID": NULL}
        anna.sends(Message("DeRezObject", AgentBlock=block, ObjectData=[{"ObjectLocalID": prim.local_id}]))
        await done(place.sim)

    return go


async def take_out(place: Place) -> Going:
    box = place.prim("a box")
    anna = place.anna()
    await place.assets.put(uuid4(), b"", 7)
    item = Item(uuid4(), uuid4(), NAME, owner_id=place.owner, creator_id=place.owner, asset_type=7, inventory_type=7, permissions=UNIQUE)
    box.contents.append(item)
    await place.stored()

    async def go() -> None:
        folder = UUID(place.backbone.folder(place.owner, Folder.NOTECARDS))
        block = {"LocalID": box.local_id, "ItemID": item.item_id}
        anna.sends(Message("MoveTaskInventory", AgentData={"FolderID": folder}, InventoryData=block))
        await done(place.sim)

    return go


async def rez(place: Place) -> Going:
    item = await place.item(AssetType.OBJECT)
    anna = place.anna()
    await place.stored()

    async def go() -> None:
        at = (110.0, 110.0, 40.0)
        data = {"FromTaskID": NULL, "BypassRaycast": 1, "RayStart": at, "RayEnd": at, "RezSelected": False}
        wanted = {"ItemID": UUID(item["item_id"])}
        anna.sends(Message("RezObject", AgentData={"GroupID": NULL}, RezData=data, InventoryData=wanted))
        await done(place.sim)

    return go


async def put_in(place: Place) -> Going:
    item = await place.item()
    box = place.prim("a box")
    anna = place.anna()
    await place.stored()

    async def go() -> None:
        block = {"ItemID": UUID(item["item_id"]), "Name": b"", "Description": b""}
        anna.sends(Message("UpdateTaskInventory", UpdateData={"LocalID": box.local_id, "Key": 0}, InventoryData=block))
        await done(place.sim)

    return go


async def attach(place: Place) -> Going:
    """Something that stands here becomes an item; that it is worn then is for who wears it."""
    prim = place.prim(NAME, UNIQUE)
    await place.stored()

    async def go() -> None:
        item = take.item_of(place.sim.region, [prim], place.owner)
        item.asset_id, item.folder_id = uuid4(), UUID(place.backbone.folder(place.owner, Folder.OBJECTS))
        data = take.pack(gather(place.sim.world.objects, [prim], 0.0))
        leaving = Leaving("attach", place.owner, item_to_json(item), data=data, roots=[prim])
        await place.sim.moves.out(uuid4(), leaving, Actor(place.owner))

    return go


async def drop(place: Place) -> Going:
    """What was worn stands in the region, and its item is gone."""
    item = await place.item(AssetType.OBJECT)
    await place.stored()

    async def go() -> None:
        await place.sim.moves.into(uuid4(), "drop", place.owner, UUID(item["item_id"]), lambda _: Came([place.prim(NAME, UNIQUE)]))
        await done(place.sim)

    return go


@dataclass(frozen=True)
class Case:
    begin: Callable[[Place], Awaitable[Going]]
    before: str
    after: str


CASES = {
    "take": Case(lambda place: derez(place, TAKE), "region", "inventory"),
    "trash": Case(lambda place: derez(place, TRASH), "region", "inventory"),
    "return": Case(lambda place: derez(place, RETURN), "region", "inventory"),
    "take out": Case(take_out, "contents", "inventory"),
    "attach": Case(attach, "region", "inventory"),
    "rez": Case(rez, "inventory", "region"),
    "put in": Case(put_in, "inventory", "contents"),
    "drop": Case(drop, "inventory", "region"),
}
ELSEWHERE = {"cross", "detach"}  # between two regions (test_object_crossing.py); of an item that stays (below)
STEPS = [(kind, step) for kind, steps in MOVES.items() if kind not in ELSEWHERE for step in steps]


def test_every_move_has_its_case() -> None:
    assert set(CASES) | ELSEWHERE == set(MOVES)


@pytest.mark.parametrize("kind", CASES)
async def test_a_move_that_nothing_disturbs(place: Place, kind: str) -> None:
    case = CASES[kind]
    go = await case.begin(place)
    passed: list[Step] = []
    place.sim.moves.reached = lambda move, step: passed.append(step)
    assert place.found() == [case.before]
    await go()
    assert tuple(passed) == MOVES[kind]
    assert place.found() == [case.after] and not place.open_moves()
    for _ in range(2):
        place.kill()
        await place.start()
        assert place.found() == [case.after] and not place.open_moves()
    # Backbone may forget it, once the store has.
    place.sim.clock.advance(moves.CLOSE_AFTER + 1)
    place.sim.region.tasks.run_timers()
    await done(place.sim)
    assert not place.backbone.stores.transits.open_moves(str(place.region_id))


@pytest.mark.parametrize(("kind", "step"), STEPS)
async def test_a_crash_after_any_step_leaves_it_in_one_place(place: Place, kind: str, step: Step) -> None:
    case = CASES[kind]
    go = await case.begin(place)

    def reached(move: UUID, at: Step) -> None:
        if at is step:
            place.sim.moves.reached = crashed
            place.kill()
            raise Crash

    def crashed(move: UUID, at: Step) -> None:
        raise Crash

    place.sim.moves.reached = reached
    try:
        await go()
    except Crash:
        pass
    assert place.sim.moves.reached is crashed, "the step was never reached"
    await place.start()
    undone = step is Step.HOLD  # nothing of it ever came to the region's store
    assert place.found() == [case.before if undone else case.after] and not place.open_moves()
    await place.stored()
    place.kill()
    await place.start()
    assert place.found() == [case.before if undone else case.after] and not place.open_moves()


@pytest.mark.parametrize("call", ["move_into", "move_out", "release_move"])
@pytest.mark.parametrize("kind", CASES)
async def test_an_answer_that_is_lost_is_asked_for_again(place: Place, kind: str, call: str) -> None:
    case = CASES[kind]
    go = await case.begin(place)
    place.backbone.lost = {call}
    await go()
    asked = (call == "move_into") == (MOVES[kind] is OUT)
    assert (call in place.backbone.lost) != asked
    assert place.found() == [case.after] and not place.open_moves()


@pytest.mark.parametrize("down", ["assets", "backbone"])
@pytest.mark.parametrize("kind", CASES)
async def test_where_a_service_is_away_nothing_has_moved(place: Place, kind: str, down: str) -> None:
    case = CASES[kind]
    go = await case.begin(place)
    service: Any = place.assets if down == "assets" else place.backbone
    service.down = True
    await go()
    service.down = False
    needs = down == "backbone" or kind in ("take", "trash", "return", "attach", "rez")
    assert place.found() == [case.before if needs else case.after] and not place.open_moves()
    if needs:
        await go()
    assert place.found() == [case.after]


async def test_refused_it_stands_again_and_its_scripts_go_on(place: Place) -> None:
    prim = place.prim(NAME, UNIQUE)
    anna = place.anna()
    await place.sim.scripts.add(prim, "default { state_entry() { llSetTimerEvent(1.0); } timer() { } }")
    await place.stored()
    for crash in (False, True):
        block = {"Destination": TAKE, "DestinationID": uuid4(), "TransactionID": uuid4(), "GroupID": NULL}  # no such folder
        if crash:
            place.sim.moves.reached = lambda move, step: (_ for _ in ()).throw(Crash)  # type: ignore[assignment]
        anna.sends(Message("DeRezObject", AgentBlock=block, ObjectData=[{"ObjectLocalID": prim.local_id}]))
        await done(place.sim)
        if crash:
            assert prim.leaving and not place.sim.scripts.of(prim)[0].is_running
            place.kill()
            place.backbone = KeptBackbone(place.folder)
            place.sim = place._open()
            prim = place.sim.world.objects.by_id[prim.full_id]
            assert prim.leaving and not place.sim.scripts.of(prim)[0].is_running  # until it is settled
            await place.recover()
        else:
            assert "Not taken" in words(anna)[-1]
        assert place.found() == ["region"] and not place.open_moves()
        assert not prim.leaving and place.sim.scripts.of(prim)[0].is_running


async def test_what_cannot_go_back_into_an_object_that_is_gone_is_among_the_lost_things(place: Place) -> None:
    go = await take_out(place)
    (box,) = place.sim.world.objects.by_id.values()

    def reached(move: UUID, step: Step) -> None:
        if step is Step.NOTE:
            place.backbone.stores.transits.void(str(move), str(place.region_id), 1)  # whatever the reason is that it is refused
            place.sim.world.objects.remove(box)

    place.sim.moves.reached = reached
    original = place.backbone.move_into
    refused: list[Any] = []

    async def move_into(transit_id: Any, region_id: Any, agent_id: Any, item: Any = None, change: Any = None) -> dict[str, Any]:
        if not refused:
            refused.append(item)
            try:
                return await original(transit_id, region_id, agent_id, item, change)
            finally:
                with place.backbone._engine.begin() as conn:
                    conn.exec_driver_sql("DELETE FROM transits")
        return await original(transit_id, region_id, agent_id, item, change)

    place.backbone.move_into = move_into  # type: ignore[method-assign]
    await go()
    assert place.found() == ["inventory"] and not place.open_moves()
    lost = place.backbone.folder(place.owner, Folder.LOST_AND_FOUND)
    assert [item["name"] for item in place.backbone.every_item(place.owner) if item["parent_id"] == lost] == [NAME]


async def test_what_was_given_back_goes_again_when_the_store_took_it_after_all(place: Place) -> None:
    """The disk does not answer in time, the move is undone, and the store has what came all the same."""
    go = await rez(place)
    storage = place.sim.storage
    real = storage.durable

    async def late(seconds: float = 5.0) -> bool:
        await real(seconds)
        return False

    storage.durable = late  # type: ignore[method-assign]
    place.sim.moves.reached = lambda move, step: None
    undo = place.sim.moves._undo
    place.sim.moves._undo = lambda move: (_ for _ in ()).throw(Crash)  # type: ignore[assignment, return-value]
    await go()
    (held,) = place.backbone.stores.transits.open_moves(str(place.region_id))
    place.backbone.stores.transits.void(held["transit_id"], str(place.region_id), 1)
    place.sim.moves._undo = undo  # type: ignore[method-assign]
    place.kill()
    await place.start()
    assert place.found() == ["inventory"] and not place.open_moves()


async def test_a_full_disk_moves_nothing_and_says_so(place: Place) -> None:
    begun = [await CASES[kind].begin(place) for kind in ("take", "put in")]
    assert place.sim.storage.writer is not None
    place.sim.storage.writer.trouble = "database or disk is full"
    viewers = [agent for agent in place.sim.world.agents.values()]
    for go in begun:
        await go()
    assert sorted(place.found()) == ["inventory", "region"] and not place.open_moves()
    said = [message for agent in viewers for message in agent.circuit.sent if message.message.name == "AlertMessage"]  # type: ignore[union-attr]
    assert any(b"disk of this region" in one.message["AlertData"]["Message"] for one in said)
    place.sim.storage.writer.trouble = ""
    for go in begun:
        await go()
    assert sorted(place.found()) == ["contents", "inventory"] and not place.open_moves()


@pytest.mark.parametrize("step", OUT)
async def test_what_is_worn_is_taken_off_with_its_newest_state(place: Place, step: Step) -> None:
    """Detach: the item is in the inventory all the time, and stands for what was worn once that is gone from the region."""
    item = await place.item(AssetType.OBJECT)
    prim = place.prim("worn", UNIQUE)
    await place.stored()
    newer = uuid4()
    data = take.pack(gather(place.sim.world.objects, [prim], 0.0))

    def reached(move: UUID, at: Step) -> None:
        if at is step:
            place.kill()
            raise Crash

    place.sim.moves.reached = reached
    change = {"item_id": item["item_id"], "asset_id": str(newer)}
    with pytest.raises(Crash):
        await place.sim.moves.out(uuid4(), Leaving("detach", place.owner, change=change, data=data, roots=[prim]), Actor(place.owner))
    await place.start()
    assert not place.sim.world.objects.by_id and not place.open_moves()
    (mine,) = [one for one in place.backbone.every_item(place.owner) if one["name"] == NAME]
    assert mine["asset_id"] == str(newer) and newer in place.assets.stored


async def test_a_thing_is_in_one_move_at_a_time(place: Place) -> None:
    go = await derez(place, TAKE)
    (prim,) = place.sim.world.objects.by_id.values()
    again: list[Any] = []

    async def second() -> None:
        again.append(await place.sim.moves.out(uuid4(), Leaving("take", place.owner, {}, roots=[prim]), Actor(place.owner)))

    def reached(move: UUID, step: Step) -> None:
        if step is Step.NOTE:
            place.sim.spawn(second(), "second")

    place.sim.moves.reached = reached
    await go()
    assert isinstance(again[0], Refused) and place.found() == ["inventory"]


@pytest.mark.parametrize(
    "bad",
    [
        ("take", "{}"), ("take", "["), ("take", '{"receiver": "x"}'), ("rez", '{"owner": 5}'), ("never heard of", "{}"),
        ("put in", '{"owner": "00000000-0000-0000-0000-000000000001", "roots": ["x"], "prim": null, "inside": null}'),
    ],
)  # fmt: skip
async def test_a_damaged_row_is_set_aside_and_costs_nothing_else(place: Place, bad: tuple[str, str]) -> None:
    place.prim(NAME, UNIQUE)
    await place.stored()
    place.kill()
    with sqlite3.connect(place.folder / "region" / "region.sqlite") as database:
        database.execute("INSERT INTO transits VALUES (?, ?, 1.0, ?, x'')", (uuid4().bytes, *bad))
    await place.start()
    assert place.found() == ["region"] and not place.open_moves()
    with sqlite3.connect(place.folder / "region" / "region.sqlite") as database:
        assert database.execute("SELECT count(*) FROM transits").fetchone() == (0,)
        assert database.execute("SELECT of FROM damaged").fetchall() == [("transits",)]


def test_a_row_is_read_as_it_was_written() -> None:
    facts = {"owner": str(uuid4()), "roots": [str(uuid4())], "prim": None, "inside": None}
    for kind, steps in MOVES.items():
        if steps is IN:
            transit = Transit(kind, 5.0, facts, b"data")
            assert read_transit(transit.row()) == transit
    assert json.loads(Transit("rez", 5.0, facts).row().facts) == facts
    assert isinstance(Transit("rez", 5.0, facts).row(), TransitRow)


@pytest.mark.parametrize(("kind", "step"), STEPS)
async def test_an_operator_settles_what_a_region_that_never_starts_again_left(place: Place, kind: str, step: Step) -> None:
    case = CASES[kind]
    go = await case.begin(place)

    def reached(move: UUID, at: Step) -> None:
        if at is step:
            place.sim.moves.reached = reached
            place.kill()
            raise Crash

    place.sim.moves.reached = reached
    try:
        await go()
    except Crash:
        pass
    place.backbone = KeptBackbone(place.folder)
    store, region_id, ledger = place.folder / "region" / "region.sqlite", str(place.region_id), place.backbone.stores.transits
    there = settling.listed(store, region_id, ledger)
    assert [UUID(one.person) for one in there] in ([place.owner], [])
    lost = place.backbone.folder(place.owner, Folder.LOST_AND_FOUND)
    ended = settling.settle(store, region_id, ledger, lambda person: lost, 5.0)
    assert set(ended) == {one.move for one in there} and not settling.listed(store, region_id, ledger)
    place.sim = place._open()
    assert len(place.found()) == 1 and not place.open_moves()
    await place.recover()
    assert len(place.found()) == 1 and not place.open_moves()


async def test_a_store_that_a_region_has_open_is_not_settled(place: Place) -> None:
    with pytest.raises(OSError, match="another process"):
        settling.settle(place.folder / "region" / "region.sqlite", str(place.region_id), place.backbone.stores.transits, str, 5.0)
