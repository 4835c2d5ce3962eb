"""Edits of objects taken back and done again, as viewers ask for it by Undo and Redo."""

from __future__ import annotations

import pytest

from protocol.message import Message, text
from protocol.objects import BOX
from sim.world.changes import What
from sim.world.objects import Prim
from sim.world.undo import OBJECTS, STEPS
from tests.kit.world import TestSimulator, Viewer, add_root
from tests.sim.handlers.test_building import anna, ben, edit, frame, rez

__all__ = ["anna", "ben"]
PAUSE = 1.1


def step(viewer: Viewer, name: str, *prims: Prim) -> None:
    viewer.sends(Message(name, ObjectData=[{"ObjectID": prim.full_id} for prim in prims]))


def place(prim: Prim, sim: TestSimulator) -> list[float]:
    return [round(part, 3) for part in sim.world.objects.row(prim)["position"].tolist()]


async def test_moves_turns_sizes_and_forms_go_back_and_forth(sim: TestSimulator, anna: Viewer) -> None:
    box = rez(anna, (100.0, 100.0, 30.0))
    row = sim.world.objects.row(box)
    edit(anna, box, position=(110.0, 100.0, 30.0))
    frame(sim, PAUSE)
    edit(anna, box, rotation=(0.0, 0.0, 1.0, 0.0))
    frame(sim, PAUSE)
    edit(anna, box, scale=(2.0, 3.0, 4.0))
    frame(sim, PAUSE)
    anna.sends(Message("ObjectShape", ObjectData=[{**BOX, "ObjectLocalID": box.local_id, "ProfileHollow": 20000}]))
    assert box.shape["ProfileHollow"] == 20000
    step(anna, "Undo", box)
    assert box.shape["ProfileHollow"] == 0 and row["scale"].tolist() == [2, 3, 4]
    step(anna, "Undo", box)
    assert row["scale"].tolist() == [0.5, 0.5, 0.5]
    step(anna, "Undo", box)
    assert row["rotation"].tolist() == [0, 0, 0, 1]
    step(anna, "Undo", box)
    assert place(box, sim)[0] == 100
    step(anna, "Undo", box)  # there is no more
    assert place(box, sim)[0] == 100
    for _ in range(4):
        step(anna, "Redo", box)
    assert (place(box, sim)[0], row["rotation"].tolist(), row["scale"].tolist()) == (110, [0, 0, 1, 0], [2, 3, 4])
    assert box.shape["ProfileHollow"] == 20000
    step(anna, "Undo", box)
    edit(anna, box, position=(90.0, 100.0, 30.0))  # who edits anew has nothing to do again
    step(anna, "Redo", box)
    assert place(box, sim)[0] == 90 and box.shape["ProfileHollow"] == 0


async def test_a_drag_is_one_step_and_viewers_bodies_and_store_hear_of_it(sim: TestSimulator, anna: Viewer) -> None:
    box = rez(anna, (100.0, 100.0, 30.0))
    frame(sim, 1)
    for number in range(20):
        edit(anna, box, position=(100.0 + number, 100.0, 30.0))
        frame(sim, 0.1)
    crc, noted = int(sim.world.objects.row(box)["crc"]), sim.world.changes.prims.reader()
    step(anna, "Undo", box)
    assert place(box, sim)[0] == 100
    assert sim.world.objects.row(box)["dirty"] and sim.world.objects.row(box)["crc"] > crc
    assert noted.take_with_authors() == {box: (What.PLACE, anna.id)}
    frame(sim, 0.5)
    hit = sim.bodies.first_hit((100.0, 100.0, 40.0), (100.0, 100.0, 20.0))
    assert hit is not None and hit[0][2] == pytest.approx(30.25, abs=0.3)


async def test_a_linkset_goes_back_whole(sim: TestSimulator, anna: Viewer) -> None:
    boxes = [rez(anna, (100.0 + 2 * number, 100.0, 30.0)) for number in range(3)]
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": prim.local_id} for prim in boxes]))
    before = [sim.world.objects.world_place(prim) for prim in boxes]
    edit(anna, boxes[0], scale=(1.0, 1.0, 1.0), linked=True)
    frame(sim, PAUSE)
    edit(anna, boxes[1], position=(3.0, 1.0, 0.0))
    step(anna, "Undo", boxes[1], boxes[0])  # several prims of one linkset: one step
    assert place(boxes[1], sim) == [4, 0, 0] and sim.world.objects.row(boxes[0])["scale"][0] == 1
    step(anna, "Undo", boxes[2])
    assert [sim.world.objects.world_place(prim) for prim in boxes] == before
    assert [sim.world.objects.row(prim)["scale"][0] for prim in boxes] == [0.5] * 3
    edit(anna, boxes[0], position=(120.0, 100.0, 30.0), linked=True)
    anna.sends(Message("ObjectDelink", ObjectData=[{"ObjectLocalID": boxes[2].local_id}]))
    anna.forget()
    step(anna, "Undo", boxes[0])
    assert place(boxes[0], sim)[0] == 120
    assert "cannot be undone" in text(anna.heard("AlertMessage")[0]["AlertData"]["Message"])


async def test_each_person_takes_back_what_was_their_own(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    box = rez(anna, (100.0, 100.0, 30.0))
    edit(anna, box, position=(110.0, 100.0, 30.0))
    step(ben, "Undo", box)
    assert place(box, sim)[0] == 110
    edit(ben, box, position=(150.0, 100.0, 30.0))  # refused, and nothing to take back
    step(ben, "Undo", box)
    assert place(box, sim)[0] == 110
    box.permissions = box.permissions._replace(owner=0)
    step(anna, "Undo", box)  # locked since
    assert place(box, sim)[0] == 110


async def test_what_is_remembered_is_bounded(sim: TestSimulator, anna: Viewer) -> None:
    box = rez(anna, (100.0, 100.0, 30.0))
    for number in range(STEPS + 15):
        edit(anna, box, position=(100.0 + number, 100.0, 30.0))
        frame(sim, PAUSE)
    for _ in range(STEPS + 15):
        step(anna, "Undo", box)
    assert place(box, sim)[0] == 114
    others = [rez(anna, (50.0 + number % 50, 50.0 + number // 50, 30.0)) for number in range(OBJECTS + 3)]
    for other in others:
        edit(anna, other, position=(20.0, 20.0, 30.0))
    assert len(anna.agent.undo.objects) == OBJECTS
    step(anna, "Undo", others[0], others[-1])
    assert place(others[0], sim)[0] == 20 and place(others[-1], sim)[0] > 49


async def test_what_is_not_here_is_nobodys_trouble(sim: TestSimulator, anna: Viewer) -> None:
    box = rez(anna)
    edit(anna, box, position=(110.0, 100.0, 30.0))
    anna.sends(Message("ObjectDelete", ObjectData=[{"ObjectLocalID": box.local_id}]))
    step(anna, "Undo", box)
    step(anna, "Redo", box)
    add_root(sim).sends(Message("Undo", ObjectData=[]))
