"""What is made in a region is there again, whatever ended it; what is damaged costs nothing else."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
import sqlalchemy as sa

from protocol.errors import ProtocolError
from protocol.message import Message, text
from protocol.wellknown import NULL
from sim.scripts.machine.script import Script
from sim.storage import keeping, writer
from sim.storage.file import StoreFile, unpacked
from sim.storage.land import SETTINGS, parcel_row, read_parcel, read_settings, settings_row
from sim.world import form
from sim.world.changes import What
from sim.world.linkset import gather
from sim.world.linkset_data import LinksetStore
from sim.world.objects import Prim
from sim.world.world import Parcel, RegionFacts
from tests.kit.world import TestSimulator, Viewer, add_root, close_sim, make_sim
from tests.sim.handlers.test_building import edit, frame, rez

Open = Callable[..., TestSimulator]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the region of this test, again and again."""
    made: list[TestSimulator] = []

    def open_it(scene: str = "none") -> TestSimulator:
        made.append(make_sim(store=str(tmp_path / "region" / "region.sqlite"), scene=scene))
        return made[-1]

    yield open_it
    for sim in made:
        close_sim(sim)


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "region" / "region.sqlite"


def written(sim: TestSimulator) -> None:
    """A second passes, and the disk has what was given to it."""
    frame(sim, 1.0)
    assert sim.storage.writer is not None and sim.storage.writer.flush(20.0)
    assert sim.storage.due == 0


def killed(sim: TestSimulator) -> None:
    """As after kill -9: nothing is written any more, and the file is nobody's."""
    assert sim.storage.writer is not None
    sim.storage.writer.give = lambda batch: 0  # type: ignore[method-assign]
    close_sim(sim)


async def ended(sim: TestSimulator) -> None:
    """As after an orderly stop."""
    await sim.storage.close()
    close_sim(sim)


def everything(sim: TestSimulator) -> dict[UUID, Any]:
    """Of each linkset: its form, and by which ids and checksums viewers know its prims."""
    objects = sim.world.objects
    found = {}
    for root in objects.roots():
        known = [(prim.local_id, int(objects.row(prim)["crc"])) for prim in root.linkset()]
        found[root.full_id] = form.encode(gather(objects, [root], sim.clock.now())[0]), known
    return found


def build(sim: TestSimulator, anna: Viewer) -> list[Prim]:
    boxes = [rez(anna, (100.0 + 3 * number, 120.0, 40.0)) for number in range(6)]
    edit(anna, boxes[0], position=(101.0, 121.0, 41.0), rotation=(0.0, 0.6, 0.0, 0.8))
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": prim.local_id} for prim in boxes[:3]]))
    anna.sends(Message("ObjectName", ObjectData=[{"LocalID": boxes[1].local_id, "Name": b"a child\0"}]))
    boxes[0].linkset_data = LinksetStore({"name": ("value", "")}, 9)
    sim.world.changes.prims.note(boxes[0], What.DATA, anna.id)
    return boxes


@pytest.mark.parametrize("how", ["killed", "ended"])
async def test_what_was_built_is_there_again(opened: Open, how: str) -> None:
    sim = opened()
    anna = add_root(sim, "Anna Builder")
    boxes = build(sim, anna)
    written(sim)
    before, cache_id, used = everything(sim), sim.world.facts.cache_id, sim.world.next_local_id
    assert len(before) == 4
    killed(sim) if how == "killed" else await ended(sim)
    sim = opened()
    assert everything(sim) == before
    assert sim.world.facts.cache_id == cache_id
    assert sim.world.next_local_id >= used
    root = sim.world.objects.by_id[boxes[0].full_id]
    assert [one.full_id for one in root.linkset()] == [one.full_id for one in boxes[:3]]
    assert root.linkset_data == LinksetStore({"name": ("value", "")}, 9)
    for box in boxes:  # where it is in the region, not only what it says
        assert sim.world.objects.world_place(sim.world.objects.by_id[box.full_id])[0][2] > 39
    rows = sim.world.objects.rows[: sim.world.objects.count]
    assert (np.abs(rows["world_position"][:, 2] - 41) < 3).all()
    written(sim)
    again = everything(sim)
    killed(sim)
    assert again == before and everything(opened()) == before


async def test_what_was_taken_apart_or_deleted_is_so_after_a_kill(opened: Open) -> None:
    sim = opened()
    anna = add_root(sim, "Anna Builder")
    boxes = build(sim, anna)
    written(sim)
    anna.sends(Message("ObjectDelink", ObjectData=[{"ObjectLocalID": boxes[1].local_id}]))
    anna.sends(Message("ObjectDelete", ObjectData=[{"ObjectLocalID": boxes[5].local_id}]))
    written(sim)
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": prim.local_id} for prim in (boxes[3], boxes[4])]))
    written(sim)
    before = everything(sim)
    assert {UUID(bytes=key) for key in _keys(sim)} == set(before) == {boxes[n].full_id for n in (0, 1, 3)}
    killed(sim)
    assert everything(opened()) == before


def _keys(sim: TestSimulator) -> list[bytes]:
    assert sim.storage.file is not None
    with sqlite3.connect(sim.storage.file.path) as database:
        return [row[0] for row in database.execute("SELECT id FROM linksets")]


async def test_a_prim_that_a_kill_left_in_two_linksets_is_in_the_later_one(opened: Open, tmp_path: Path) -> None:
    sim = opened()
    anna = add_root(sim, "Anna Builder")
    boxes = build(sim, anna)
    written(sim)
    with sqlite3.connect(file_of(tmp_path)) as database:
        old = database.execute("SELECT * FROM linksets WHERE id = ?", (boxes[0].full_id.bytes,)).fetchone()
    sim.clock.advance(5.0)
    anna.sends(Message("ObjectDelink", ObjectData=[{"ObjectLocalID": boxes[1].local_id}]))
    written(sim)
    killed(sim)
    with sqlite3.connect(file_of(tmp_path)) as database:
        database.execute("DELETE FROM linksets WHERE id = ?", (boxes[0].full_id.bytes,))
        database.execute("INSERT INTO linksets VALUES (?, ?, ?, ?, ?)", old)
    sim = opened()
    assert len(sim.world.objects) == 6
    root = sim.world.objects.by_id[boxes[0].full_id]
    assert [one.full_id for one in root.linkset()] == [boxes[0].full_id, boxes[2].full_id]
    assert sim.world.objects.by_id[boxes[1].full_id].root is None


async def test_after_a_kill_no_checksum_or_local_id_means_something_else(opened: Open) -> None:
    """A viewer was shown changes and objects that were not written: what comes later must not look like them."""
    sim = opened()
    anna = add_root(sim, "Anna Builder")
    box = rez(anna)
    written(sim)
    kept = int(sim.world.objects.row(box)["crc"])
    for _ in range(5):
        edit(anna, box, position=(20.0, 20.0, 30.0))
    lost = rez(anna)
    shown = int(sim.world.objects.row(box)["crc"])
    killed(sim)
    sim = opened()
    there = sim.world.objects.by_id[box.full_id]
    assert int(sim.world.objects.row(there)["crc"]) == kept and lost.full_id not in sim.world.objects.by_id
    anna = add_root(sim, "Ben Builder")
    sim.world.changes.prims.note(there, What.TEXT)
    assert int(sim.world.objects.row(there)["crc"]) > shown
    assert rez(anna).local_id > lost.local_id


async def test_a_scene_fills_a_region_once(opened: Open, tmp_path: Path) -> None:
    scene = tmp_path / "scene.toml"
    scene.write_text('[[prim]]\nposition = [128, 128, 30]\nname = "Of the scene"\n')
    sim = opened(str(scene))
    (prim,) = sim.world.objects.roots()
    killed(sim)
    sim = opened(str(scene))
    (again,) = sim.world.objects.roots()
    assert again.full_id == prim.full_id
    anna = add_root(sim, "Anna Builder")
    again.owner_id = anna.id
    anna.sends(Message("ObjectDelete", ObjectData=[{"ObjectLocalID": again.local_id}]))
    written(sim)
    killed(sim)
    assert len(opened(str(scene)).world.objects) == 0


def counted(script: Script) -> int:
    n = script.globals()["n"]
    assert isinstance(n, int)
    return n


async def test_scripts_go_on(opened: Open) -> None:
    source = """integer n; default {
        state_entry() { llListen(5, "", NULL_KEY, ""); llSetTimerEvent(1.0); }
        timer() { ++n; }
        listen(integer channel, string name, key id, string said) { llSay(0, said + " " + (string)n); } }"""
    sim = opened()
    box = rez(add_root(sim, "Anna Builder"), (130.0, 128.0, 26.0))
    await sim.scripts.add(box, source, "counter")
    written(sim)
    killed(sim)
    for _ in range(2):  # once after a kill, with the state of a moment ago; once after an orderly stop, exactly
        sim = opened()
        anna = add_root(sim, "Anna Builder", (130.0, 126.0, 26.0))
        (script,) = sim.scripts.of(sim.world.objects.by_id[box.full_id])
        assert script.name == "counter"
        before = counted(script)
        frame(sim, 5.0)
        anna.forget()
        anna.sends(Message("ChatFromViewer", ChatData={"Message": "n is", "Type": 1, "Channel": 5}))
        frame(sim, 0.3)
        said = [text(m["ChatData"]["Message"]) for m in anna.heard("ChatFromSimulator") if m["ChatData"]["SourceType"] == 2]
        count = counted(script)
        assert said in ([f"n is {count}"], [f"n is {count - 1}"]) and count >= before + 4
        await ended(sim)
    sim = opened()
    (script,) = sim.scripts.of(sim.world.objects.by_id[box.full_id])
    assert counted(script) == count


async def test_each_script_that_ran_is_written_within_a_minute(opened: Open) -> None:
    sim = opened()
    box = rez(add_root(sim, "Anna Builder"))
    await sim.scripts.add(box, "integer n; default { state_entry() { llSetTimerEvent(0.5); } timer() { ++n; } }")
    written(sim)
    frame(sim, 60.0)
    written(sim)
    (script,) = sim.scripts.of(box)
    count = counted(script)
    killed(sim)
    sim = opened()
    (script,) = sim.scripts.of(sim.world.objects.by_id[box.full_id])
    assert max(count - 120, 20) <= counted(script) <= count


async def test_what_moves_is_written_where_it_comes_to_rest(opened: Open) -> None:
    sim = opened()
    sim.world.terrain.edit(0, 0, np.full((257, 257), 25.0))
    anna = add_root(sim, "Anna Builder")
    box = rez(anna, (60.0, 60.0, 40.0), AddFlags=1)
    written(sim)
    frame(sim, 12.0)
    assert not sim.world.objects.row(box)["moving"]
    written(sim)
    place = sim.world.objects.row(box)["position"].tolist()
    killed(sim)
    sim = opened()
    there = sim.world.objects.row(sim.world.objects.by_id[box.full_id])["position"].tolist()
    assert there == pytest.approx(place, abs=0.02) and there[2] < 26


async def test_what_moves_for_long_is_at_most_half_a_minute_old(opened: Open) -> None:
    sim = opened()
    box = rez(add_root(sim, "Anna Builder"), (60.0, 60.0, 3000.0))
    box.physical, box.features.gravity = True, 0.0
    sim.world.objects.row(box)["velocity"] = (0.0, 1.0, 0.0)
    sim.world.changes.prims.note(box, What.BODY)
    written(sim)
    sim.world.objects.row(box)["velocity"] = (0.0, 1.0, 0.0)
    sim.bodies.rebuild(box)
    frame(sim, 58.0)
    written(sim)
    y = float(sim.world.objects.row(box)["position"][1])
    assert y > 100
    killed(sim)
    sim = opened()
    row = sim.world.objects.row(sim.world.objects.by_id[box.full_id])
    assert y - 31 < float(row["position"][1]) < y and row["velocity"][1] == pytest.approx(1.0, abs=0.1)


async def test_parcels_settings_and_ground_are_kept(opened: Open) -> None:
    sim = opened()
    world, owner = sim.world, uuid4()
    world.parcels[0].name, world.parcels[0].owner_id, world.parcels[0].landing_position = "Mine", owner, (1.0, 2.0, 3.0)
    world.facts.access, world.facts.water_height = 42, 25.5
    world.terrain.edit(250, 16, np.full((3, 7), 77.0))
    cells = np.zeros((64, 64), bool)
    cells[:8, :8] = True
    world.parcels[0].cells &= ~cells
    world.add_parcel(Parcel(2, uuid4(), "Corner", owner, 5, cells))
    before = world.terrain.heights.copy()
    written(sim)
    world.parcels.pop()
    world.parcels[0].cells |= cells
    world.add_parcel(Parcel(3, uuid4(), "Corner again", owner, 5, cells))
    world.parcels[0].cells &= ~cells
    written(sim)
    killed(sim)
    sim = opened()
    assert np.array_equal(sim.world.terrain.heights, before)
    assert (sim.world.facts.access, sim.world.facts.water_height) == (42, 25.5)
    first, second = sim.world.parcels
    assert (first.name, first.owner_id, first.landing_position, first.area) == ("Mine", owner, (1.0, 2.0, 3.0), 65536 - 1024)
    assert sim.world.parcel_at(3.0, 3.0) is second and second.name == "Corner again"


def test_every_field_of_a_parcel_and_of_the_settings_comes_back() -> None:
    kinds: dict[str, Any] = {"int": 7, "str": "é", "UUID": UUID(int=9), "Vector": (1.5, 2.5, 3.5), "float": 2.25, "bool": True}
    cells = np.arange(4096).reshape(64, 64) % 3 == 0
    fields = {field.name: str(field.type) for field in dataclasses.fields(Parcel)}
    parcel = Parcel(**{name: kinds[kind] for name, kind in fields.items() if name != "cells"}, cells=cells)
    back = read_parcel(*parcel_row(parcel))
    for name in fields:
        assert np.array_equal(getattr(back, name), getattr(parcel, name)), name
    facts = RegionFacts(NULL, "Here", 1, 2)
    types = {field.name: str(field.type) for field in dataclasses.fields(RegionFacts)}
    for name in SETTINGS:
        setattr(facts, name, kinds[types[name]])
    assert read_settings(settings_row(facts)) == {name: kinds[types[name]] for name in SETTINGS}


@pytest.mark.parametrize("row", ["", "{", "[1]", '{"local_id": "x"}', '{"owner_id": 5}', '{"landing_position": [NaN, 1, 2]}', "7"])
def test_a_damaged_row_of_a_parcel_is_refused(row: str) -> None:
    with pytest.raises(ProtocolError):
        read_parcel(row, bytes(512))


async def test_damaged_rows_are_set_aside_and_cost_nothing_else(opened: Open, tmp_path: Path) -> None:
    sim = opened()
    anna = add_root(sim, "Anna Builder")
    boxes = build(sim, anna)
    await sim.scripts.add(boxes[4], "default { state_entry() { } }")
    written(sim)
    killed(sim)
    with sqlite3.connect(file_of(tmp_path)) as database:
        (good,) = database.execute("SELECT form FROM linksets WHERE id = ?", (boxes[3].full_id.bytes,)).fetchone()
        plain = unpacked(good)
        bad = plain[:50] + bytes([plain[50] ^ 4]) + plain[51:]  # not even deflated
        database.execute("UPDATE linksets SET form = ? WHERE id = ?", (bad, boxes[3].full_id.bytes))
        database.execute("UPDATE scripts SET state = x'00'")
        database.execute("UPDATE terrain SET heights = x'0102' WHERE x = 3 AND y = 3")
        database.execute("UPDATE parcels SET facts = 'x'")
    for _ in range(2):  # what was set aside is so for good
        sim = opened()
        assert set(sim.world.objects.by_id) == {box.full_id for box in boxes if box is not boxes[3]}
        assert len(sim.scripts.of(sim.world.objects.by_id[boxes[4].full_id])) == 1
        assert sim.world.parcels and np.isfinite(sim.world.terrain.heights).all()
        written(sim)
        killed(sim)
    with sqlite3.connect(file_of(tmp_path)) as database:
        kept = database.execute("SELECT of, key, row, reason FROM damaged ORDER BY of").fetchall()
    assert kept[0][:2] == ("linksets", boxes[3].full_id.bytes)
    assert kept[0][2] == bad and "damaged" in kept[0][3] and kept[1][0] == "scripts"


@pytest.mark.parametrize("backup", [False, True])
async def test_a_damaged_file_is_put_aside_and_never_overwritten(opened: Open, tmp_path: Path, backup: bool) -> None:
    sim = opened()
    anna = add_root(sim, "Anna Builder")
    box = rez(anna)
    written(sim)
    if backup:
        assert sim.storage.file is not None
        sim.storage.file.back_up()
    killed(sim)
    damaged = b"this is no database" * 3000
    for ending in ("-wal", "-shm"):
        file_of(tmp_path).with_name("region.sqlite" + ending).unlink(missing_ok=True)
    file_of(tmp_path).write_bytes(damaged)
    sim = opened()
    assert (box.full_id in sim.world.objects.by_id) == backup
    (aside,) = (path for path in file_of(tmp_path).parent.iterdir() if ".damaged-" in path.name)
    assert aside.read_bytes() == damaged
    rez(add_root(sim, "Anna Builder"))
    written(sim)
    assert aside.read_bytes() == damaged


async def test_a_store_is_open_in_one_process_alone(opened: Open, tmp_path: Path) -> None:
    sim = opened()
    with pytest.raises(OSError, match="another process"):
        StoreFile(file_of(tmp_path), 0.0)
    killed(sim)
    StoreFile(file_of(tmp_path), 0.0).close()


async def test_a_store_of_a_later_version_is_refused_and_left_alone(opened: Open, tmp_path: Path) -> None:
    killed(opened())
    with sqlite3.connect(file_of(tmp_path)) as database:
        database.execute("INSERT OR REPLACE INTO facts VALUES ('schema', '99')")
    with pytest.raises(OSError, match="version 99"):
        opened()
    assert len(list(file_of(tmp_path).parent.glob("*damaged*"))) == 0


async def test_when_the_disk_takes_nothing_everybody_is_told_once_and_nothing_is_lost(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "AGAIN", 0.05)
    sim = opened()
    anna = add_root(sim, "Anna Builder")
    written(sim)
    assert sim.storage.file is not None
    real, full = sim.storage.file.write, True

    def write(*arguments: Any) -> None:
        if full:
            raise sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))
        real(*arguments)

    monkeypatch.setattr(sim.storage.file, "write", write)
    anna.forget()
    boxes = build(sim, anna)
    await _until(sim, lambda: bool(sim.storage.trouble))
    for box in boxes:
        edit(anna, box, position=(50.0, 50.0, 30.0), linked=True)
        frame(sim, 1.0)
    alerts = [text(m["AlertData"]["Message"]) for m in anna.heard("AlertMessage")]
    assert len(alerts) == 1 and "disk is full" in alerts[0]
    full = False
    await _until(sim, lambda: not sim.storage.trouble)
    frame(sim, 1.0)
    assert len([m for m in anna.heard("AlertMessage")]) == 2
    written(sim)
    before = everything(sim)
    killed(sim)
    assert everything(opened()) == before and len(before) == 4


async def _until(sim: TestSimulator, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        frame(sim, 0.3)
        await asyncio.sleep(0.02)
    assert condition()


async def test_history_says_who_changed_what_and_what_it_was(opened: Open, tmp_path: Path) -> None:
    sim = opened()
    anna = add_root(sim, "Anna Builder")
    box = rez(anna)
    written(sim)
    was = everything(sim)[box.full_id][0]
    frame(sim, 11.0)
    box.name = "another"
    sim.world.changes.prims.note(box, What.NAME, anna.id)
    written(sim)
    anna.sends(Message("ObjectDelete", ObjectData=[{"ObjectLocalID": box.local_id}]))
    written(sim)
    with sqlite3.connect(file_of(tmp_path)) as database:
        entries = database.execute("SELECT who, what, linkset, form FROM history ORDER BY number").fetchall()
    assert all(entry[2] == box.full_id.bytes for entry in entries)
    assert entries[0][3] is None  # it was new
    named = next(entry for entry in entries if entry[1] & What.NAME)
    assert named[0] == anna.id.bytes and unpacked(named[3]) == was
    gone = entries[-1]
    assert gone[1] & What.GONE and form.decode(unpacked(gone[3])).parts[0].prim.name == "another"


async def test_a_store_that_was_found_sound_is_backed_up(opened: Open, tmp_path: Path) -> None:
    sim = opened()
    box = rez(add_root(sim, "Anna Builder"))
    written(sim)
    killed(sim)
    backup = file_of(tmp_path).with_name("backup.sqlite")
    assert not backup.exists()
    sim = opened()
    await _until(sim, backup.exists)
    with sqlite3.connect(backup) as database:
        assert database.execute("SELECT id FROM linksets").fetchall() == [(box.full_id.bytes,)]
    made = backup.stat().st_mtime_ns
    killed(sim)
    killed(opened())
    assert backup.stat().st_mtime_ns == made  # the last one is young


async def test_history_is_bounded(opened: Open) -> None:
    sim = opened()
    boxes = [rez(add_root(sim, "Anna Builder")) for _ in range(1)]
    for number in range(30):
        boxes[0].name = f"number {number}"
        sim.world.changes.prims.note(boxes[0], What.NAME, uuid4())
        written(sim)
    file = sim.storage.file
    assert file is not None

    def names() -> list[str]:
        with sqlite3.connect(file.path) as database:
            forms = [row[0] for row in database.execute("SELECT form FROM history ORDER BY number") if row[0]]
        return [form.decode(unpacked(data)).parts[0].prim.name for data in forms]

    assert len(names()) >= 29
    file.forget_old(sim.clock.unix(), 30, 5000)
    left = names()
    assert 3 < len(left) < 29 and left[-1] == "number 28"
    file.forget_old(sim.clock.unix() + 31 * 86400, 30, 5000)
    assert not names()


async def test_the_frame_takes_its_budget_and_no_more_for_many_changes(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that stands still everything is encoded at once; with one on which encoding takes time, in turns."""
    sim = opened()
    anna = add_root(sim, "Anna Builder")
    boxes = [rez(anna, (20.0 + number % 50, 30.0 + number // 50, 30.0)) for number in range(300)]
    frame(sim)
    assert sim.storage.writer is not None
    real = sim.storage._encode_group

    def slow(*arguments: Any) -> None:
        sim.clock.advance(keeping.BUDGET * 0.6)
        real(*arguments)

    monkeypatch.setattr(sim.storage, "_encode_group", slow)
    for box in boxes:
        sim.world.changes.prims.note(box, What.NAME, anna.id)
    sim.storage.run()
    assert 0 < len(sim.storage._due) <= 300 - 2 * keeping.TOGETHER
    for _ in range(10):
        sim.storage.run()
    assert not sim.storage._due
    monkeypatch.setattr(sim.storage, "_encode_group", real)
    written(sim)


async def test_all_is_durable_when_it_is_said_to_be(opened: Open) -> None:
    sim = opened()
    box = rez(add_root(sim, "Anna Builder"))
    assert await sim.storage.durable()
    killed(sim)
    assert box.full_id in opened().world.objects.by_id
