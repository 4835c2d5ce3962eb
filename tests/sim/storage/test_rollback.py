"""What one person did is undone, and what others did since stays."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from protocol.errors import ProtocolError
from protocol.inventory import Item
from protocol.message import Message
from protocol.wellknown import NULL, OPERATOR, AssetType
from sim.operating import Operator
from sim.storage import history
from sim.world import form
from sim.world.changes import What
from sim.world.linkset import gather
from sim.world.objects import Prim
from tests.kit.world import TestSimulator, Viewer, add_root, close_sim, make_sim
from tests.sim.handlers.test_building import edit, frame, rez


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[TestSimulator]:
    sim = make_sim(store=str(tmp_path / "region" / "region.sqlite"))
    sim.frame.once(sim.clock.now())
    yield sim
    close_sim(sim)


@pytest.fixture
async def anna(kept: TestSimulator) -> Viewer:
    return add_root(kept, "Anna Builder")


@pytest.fixture
async def gus(kept: TestSimulator, anna: Viewer) -> Viewer:
    """A friend who may edit Anna's things, and uses that badly."""
    gus = add_root(kept, "Gus Griefer")
    gus.agent.edits_of, anna.agent.edits_of = frozenset({anna.id}), frozenset({gus.id})
    gus.agent.edits_of_sure = anna.agent.edits_of_sure = True
    return gus


def written(sim: TestSimulator) -> None:
    frame(sim, 1.0)
    assert sim.storage.writer is not None and sim.storage.writer.flush(20.0)


def later(sim: TestSimulator) -> float:
    """Some time passes; the moment it is then."""
    frame(sim, 12.0)
    written(sim)
    return sim.clock.unix()


async def undo(sim: TestSimulator, who: UUID, since: float, dry: bool = False) -> dict[str, Any]:
    operator: Operator = sim.services.operator
    status, answer = await operator.undo({"by": str(who), "since": since, "dry_run": dry})
    assert status == 200, answer
    written(sim)
    return answer


def counts(answer: dict[str, Any]) -> tuple[int, int, int, int]:
    return answer["removed"], answer["restored"], answer["changed"], answer["left"]


def named(viewer: Viewer, prim: Prim, name: str) -> None:
    viewer.sends(Message("ObjectName", ObjectData=[{"LocalID": prim.local_id, "Name": name.encode() + b"\0"}]))


def delete(viewer: Viewer, *prims: Prim) -> None:
    viewer.sends(Message("ObjectDelete", ObjectData=[{"ObjectLocalID": prim.local_id} for prim in prims]))


def forms(sim: TestSimulator) -> dict[UUID, bytes]:
    roots = list(sim.world.objects.roots())
    return {root.full_id: data for root, data in zip(roots, form.encode_all(gather(sim.world.objects, roots, 0.0)), strict=True)}  # type: ignore[misc]


async def test_made_is_removed_deleted_stands_again_and_edited_is_as_it_was(kept: TestSimulator, anna: Viewer, gus: Viewer) -> None:
    boxes = [rez(anna, (100.0 + 3 * number, 100.0, 40.0)) for number in range(6)]
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": prim.local_id} for prim in boxes[:3]]))
    since = later(kept)
    before = forms(kept)
    edit(gus, boxes[0], position=(200.0, 200.0, 60.0), rotation=(0.0, 0.0, 1.0, 0.0), linked=True)
    edit(gus, boxes[1], scale=(5.0, 5.0, 5.0))
    named(gus, boxes[3], "Gus was here")
    frame(kept, 3)
    delete(gus, boxes[0], boxes[4])
    litter = [rez(gus, (50.0 + number, 50.0, 30.0)) for number in range(20)]
    own = rez(gus, (60.0, 60.0, 30.0))
    delete(gus, own)
    written(kept)
    assert len(kept.world.objects) == 22 and boxes[0].row < 0
    seen = forms(kept)
    told = await undo(kept, gus.id, since, dry=True)
    assert counts(told) == (20, 2, 1, 0) and forms(kept) == seen
    done = await undo(kept, gus.id, since)
    assert counts(done) == (20, 2, 1, 0) and {one["object"] for one in done["removed_things"]} == {str(prim.full_id) for prim in litter}
    assert forms(kept) == before
    assert [one.full_id for one in kept.world.objects.by_id[boxes[0].full_id].linkset()] == [one.full_id for one in boxes[:3]]
    assert counts(await undo(kept, gus.id, since)) == (0, 0, 0, 0)  # there is no more to undo
    close_sim(kept)
    again = make_sim(store=kept.settings.store)  # and so it is kept
    try:
        assert forms(again) == before
    finally:
        close_sim(again)


async def test_what_others_did_since_stays(kept: TestSimulator, anna: Viewer, gus: Viewer) -> None:
    boxes = [rez(anna, (100.0 + 3 * number, 100.0, 40.0)) for number in range(4)]
    since = later(kept)
    for box in boxes[:2]:  # Gus, then Anna, then Gus once more: all within seconds
        named(gus, box, "ugly")
        edit(gus, box, scale=(9.0, 9.0, 9.0))
        written(kept)
        anna.sends(Message("ObjectDescription", ObjectData=[{"LocalID": box.local_id, "Description": b"mine\0"}]))
        edit(anna, box, position=(20.0, 20.0, 30.0))
        written(kept)
        gus.sends(Message("ObjectClickAction", ObjectData=[{"ObjectLocalID": box.local_id, "ClickAction": 1}]))
        written(kept)
    named(anna, boxes[1], "pretty")
    annas = rez(anna, (80.0, 80.0, 30.0))
    delete(anna, boxes[3])
    edit(gus, boxes[2], position=(1.0, 1.0, 30.0))
    written(kept)
    delete(anna, boxes[2])
    written(kept)
    done = await undo(kept, gus.id, since)
    assert counts(done) == (0, 0, 2, 1) and "somebody else took it away" in done["left_things"][0]["about"]
    for box, name in zip(boxes[:2], ("Primitive", "pretty"), strict=True):
        row = kept.world.objects.row(box)
        assert (box.name, box.description, box.click_action) == (name, "mine", 0)
        assert row["position"].tolist() == [20, 20, 30] and row["scale"].tolist() == [0.5, 0.5, 0.5]
    assert annas.row >= 0 and boxes[2].row < 0 and boxes[3].row < 0


async def test_only_that_time_is_undone(kept: TestSimulator, anna: Viewer, gus: Viewer) -> None:
    box = rez(anna)
    old = rez(gus)
    named(gus, box, "long ago")
    since = later(kept)
    named(gus, box, "now")
    named(gus, old, "renamed")
    written(kept)
    assert counts(await undo(kept, gus.id, since)) == (0, 0, 2, 0)
    assert (box.name, old.name) == ("long ago", "Primitive")


async def test_a_rollback_can_be_rolled_back(kept: TestSimulator, anna: Viewer, gus: Viewer) -> None:
    box, gone = rez(anna), rez(anna)
    since = later(kept)
    named(gus, box, "by Gus")
    delete(gus, gone)
    rez(gus)
    written(kept)
    before = forms(kept)
    await undo(kept, gus.id, since)
    assert box.name == "Primitive"
    done = await undo(kept, OPERATOR, since)
    assert counts(done) == (1, 1, 1, 0) and box.name == "by Gus" and forms(kept).keys() == before.keys()
    assert gone.full_id not in kept.world.objects.by_id


def script_item(number: int, owner: Viewer) -> Item:
    kind = int(AssetType.LSL_TEXT)
    return Item(UUID(int=number), UUID(int=number + 1000), "a script", "", owner.id, owner.id, owner.id, asset_type=kind, inventory_type=10)


async def test_scripts_that_were_put_in_end_and_those_that_were_taken_begin(kept: TestSimulator, anna: Viewer, gus: Viewer) -> None:
    source = b"default { state_entry() { llSetText(\"mine\", <1, 1, 1>, 1.0); } }"
    boxes = [rez(anna, (100.0 + number, 100.0, 30.0)) for number in range(2)]
    

    items = []
    for box in boxes:
        item = script_item(box.local_id, anna)
        await kept.assets.put(item.asset_id, source, AssetType.LSL_TEXT)
        box.contents = [item]
        kept.world.changes.prims.note(box, What.CONTENTS, anna.id)
        assert not await kept.scripts.run_item(box, item, source.decode(), True)
        items.append(item)
    since = later(kept)
    bad = script_item(77_777, gus)
    boxes[0].contents = [bad]
    kept.scripts.remove_item(boxes[0], items[0].item_id)
    assert not await kept.scripts.run_item(boxes[0], bad, source.decode(), True)
    kept.world.changes.prims.note(boxes[0], What.CONTENTS, gus.id)
    delete(gus, boxes[1])
    written(kept)
    done = await undo(kept, gus.id, since)
    assert done["scripts"] == 2 and counts(done)[1:3] == (1, 1)
    for box, item in zip(boxes, items, strict=True):
        there = kept.world.objects.by_id[box.full_id]
        assert there.contents == [item] and [script.item_id for script in kept.scripts.of(there)] == [str(item.item_id)]


async def test_linking_stays_and_is_said(kept: TestSimulator, anna: Viewer, gus: Viewer) -> None:
    boxes = [rez(anna, (100.0 + 3 * number, 100.0, 40.0)) for number in range(3)]
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": prim.local_id} for prim in boxes]))
    since = later(kept)
    gus.sends(Message("ObjectDelink", ObjectData=[{"ObjectLocalID": boxes[2].local_id}]))
    written(kept)
    named(gus, boxes[0], "apart")
    written(kept)
    done = await undo(kept, gus.id, since)
    assert "linked" in done["left_things"][0]["about"] and boxes[0].name == "Primitive"
    assert boxes[2].root is None and kept.world.objects.world_place(boxes[2])[0][0] == pytest.approx(106.0)


async def test_what_is_damaged_in_the_history_costs_nothing_else(kept: TestSimulator, anna: Viewer, gus: Viewer) -> None:


    boxes = [rez(anna) for _ in range(2)]
    since = later(kept)
    delete(gus, *boxes)
    written(kept)
    assert kept.storage.file is not None
    with sqlite3.connect(kept.storage.file.path) as database:
        database.execute("UPDATE history SET form = x'0123' WHERE linkset = ? AND form IS NOT NULL", (boxes[0].full_id.bytes,))
    done = await undo(kept, gus.id, since)
    assert counts(done) == (0, 1, 0, 1) and "not known" in done["left_things"][0]["about"]


@pytest.mark.parametrize("body", [{}, {"by": "x", "since": 1}, {"by": str(OPERATOR)}, {"by": str(OPERATOR), "since": "1h"},
                                  {"by": str(OPERATOR), "since": float("nan")}, {"by": str(OPERATOR), "since": 1, "dry_run": "yes"}])  # fmt: skip
async def test_a_malformed_request_is_refused(kept: TestSimulator, body: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        await kept.services.operator.undo(body)


async def test_too_much_at_once_and_a_region_that_keeps_nothing_say_so(kept: TestSimulator, anna: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_DEEDS", 3)
    for _ in range(5):
        rez(anna)
    written(kept)
    status, answer = await kept.services.operator.undo({"by": str(anna.id), "since": 0})
    assert status == 409 and "shorter time" in answer["description"]
    sim = make_sim()
    try:
        assert (await sim.services.operator.undo({"by": str(anna.id), "since": 0}))[0] == 409
    finally:
        close_sim(sim)


async def test_the_history_is_told(kept: TestSimulator, anna: Viewer, gus: Viewer, capsys: pytest.CaptureFixture[str]) -> None:
    box = rez(anna, (100.0, 100.0, 40.0))
    later(kept)
    named(gus, box, "new name")
    written(kept)
    delete(gus, box)
    rez(anna)
    written(kept)
    assert kept.storage.file is not None
    path = str(kept.storage.file.path)

    def ask(*arguments: str) -> list[dict[str, Any]]:
        assert history.main([path, "--since", "0", *arguments]) == 0
        return list(json.loads(capsys.readouterr().out)["entries"])

    entries = ask("--object", str(box.full_id))
    assert [(entry["who"], entry["what"], entry["name"]) for entry in entries] == [
        (str(gus.id), "removed", "new name"), (str(gus.id), "name", "Primitive"), (str(anna.id), "made", "Primitive"),
    ]  # fmt: skip
    assert entries[0]["owner"] == str(anna.id) and entries[0]["prims"] == 1 and entries[0]["position"][:2] == [100.0, 100.0]
    assert len(ask("--by", str(anna.id))) == 2 and len(ask("--most", "1")) == 1
    assert not ask("--by", str(NULL)) and ask()[0]["name"] == "Primitive"
    assert history.main([path + "x", "--since", "0"]) == 1 and "no store" in capsys.readouterr().err
