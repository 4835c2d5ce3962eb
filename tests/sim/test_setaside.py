"""One bad thing costs its owner, nobody else; and a region in which something fails says so."""

from __future__ import annotations

import logging
import math
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from protocol.message import Message, text
from sim.clock import ManualClock
from sim.metrics import Metrics
from sim.physics.numba_engine import NumbaEngine
from sim.setaside import AGAIN, RECENT, SetAside
from sim.world.changes import What
from tests.kit.world import TestSimulator, Viewer, add_child, add_root, settle
from tests.sim.handlers.test_building import edit, frame, rez
from tests.sim.test_mesh_objects import flags


@pytest.fixture
async def anna(sim: TestSimulator) -> Viewer:
    anna = add_root(sim, "Anna Builder")
    frame(sim, 1)
    anna.forget()
    return anna


def alerts(viewer: Viewer) -> list[str]:
    return [text(one["AlertData"]["Message"]) for one in viewer.heard("AlertMessage")]


def aside() -> tuple[SetAside, ManualClock, Metrics, list[tuple[UUID, str]]]:
    clock, metrics = ManualClock(), Metrics("Here")
    told: list[tuple[UUID, str]] = []
    made = SetAside(clock, metrics)
    made.tell = lambda owner, words: told.append((owner, words)) or True  # type: ignore[func-returns-value]
    return made, clock, metrics, told


# --- the record


def test_a_thing_is_counted_named_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    made, _, metrics, told = aside()
    owner = uuid4()
    with caplog.at_level(logging.WARNING):
        assert made.put("physics", "a box", ValueError("too long"), owner, "Your box is no body.")
        assert not made.put("physics", "a box", ValueError("too long"), owner, "Your box is no body.")
        assert made.put("interest", "a box", "no look")
    assert metrics.value("set_aside", "physics") == metrics.value("set_aside", "interest") == 1
    assert [record.getMessage() for record in caplog.records] == [
        "physics set aside: a box: ValueError: too long",
        "interest set aside: a box: no look",
    ]
    assert told == [(owner, "Your box is no body.")]
    made.forget("physics", "a box")
    assert not made.has("physics", "a box") and made.has("interest", "a box")
    assert made.put("physics", "a box", "again")


def test_who_is_away_is_told_when_they_come_and_all_is_bounded() -> None:
    made, _, _, told = aside()
    here: set[UUID] = set()
    made.tell = lambda owner, words: owner in here and (told.append((owner, words)) or True)  # type: ignore[func-returns-value]
    owner = uuid4()
    for k in range(5000):
        made.put("physics", k, "", owner, f"thing {k}")
        made.put("physics", uuid4(), "", uuid4(), "another's")
    assert len(made._waiting) <= 1000 and len(made._things) <= 10_000
    here.add(owner)
    made.put("physics", "last", "", owner, "the last")
    assert told == [(owner, "the last")]
    made.arrived(owner)
    made.arrived(owner)
    if len(told) > 1:  # unless a thousand others came after it
        assert told[-1] == (owner, "thing 4999") and len(told) == 21


def test_a_failure_that_goes_on_is_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    made, clock, metrics, _ = aside()

    def fail() -> None:
        raise ZeroDivisionError("by the pond")

    for _ in range(45 * 130):
        try:
            fail()
        except ZeroDivisionError as error:
            made.failed("stage", "step", error)
        clock.advance(1 / 45)
    assert metrics.value("stage_errors", "step") == 45 * 130
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 3 and messages[0] == "stage step failed"
    assert "270" in messages[1] and messages[1].endswith("times more in 60 s: ZeroDivisionError: by the pond")
    assert made.failing() == ["step"]
    try:
        raise KeyError("somewhere else")
    except KeyError as error:
        made.failed("stage", "step", error)  # of another kind: told at once
        made.failed("task", "names", error)
    assert len(caplog.records) == 5
    clock.advance(RECENT + 1)
    assert made.failing() == [] and AGAIN > RECENT


# --- a region


async def test_a_region_whose_stage_fails_is_not_well(sim: TestSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("cannot")

    async def health() -> tuple[int, bytes]:
        answer = await sim.cap_server._health(None)  # type: ignore[arg-type]
        assert isinstance(answer.body, bytes)
        return answer.status, answer.body

    frame(sim)
    assert (await health())[0] == 200
    with monkeypatch.context() as patch:
        patch.setattr(sim.scripts, "run", fail)
        frame(sim, 1)
    status, body = await health()
    assert status == 503 and b'"failing": ["scripts"]' in body
    frame(sim, RECENT + 1)
    assert (await health())[0] == 200


async def test_the_body_that_a_step_fails_by_is_set_aside_and_all_others_go_on(
    sim: TestSimulator, anna: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = [rez(anna, (100.0 + 3 * k, 100.0, 60.0)) for k in range(12)]
    frame(sim, 0.2)
    for prim in boxes:
        flags(anna, prim, physical=True)
    frame(sim, 0.2)
    bad = boxes[7]
    real = NumbaEngine._step_bodies

    def step(self: Any, n: int, dt: float) -> Any:
        if self.awake[sim.world.objects.row(bad)["body"]]:
            raise IndexError("index is out of bounds")
        return real(self, n, dt)

    monkeypatch.setattr(NumbaEngine, "_step_bodies", step)
    heights = [float(sim.world.objects.row(prim)["position"][2]) for prim in boxes]
    anna.forget()
    frame(sim, 1)
    now = [float(sim.world.objects.row(prim)["position"][2]) for prim in boxes]
    fallen = [before - after for before, after in zip(heights, now, strict=True)]
    assert abs(fallen.pop(7)) < 0.2 and min(fallen) > 3 and max(fallen) - min(fallen) < 0.01
    assert not bad.physical and sim.world.objects.row(bad)["body"] == -1
    assert sim.metrics.value("set_aside", "physics") == 1
    assert not sim.metrics.labelled["stage_errors"]
    assert len(alerts(anna)) == 1 and "no body any more" in alerts(anna)[0]
    monkeypatch.setattr(NumbaEngine, "_step_bodies", real)
    edit(anna, bad, position=(140.0, 140.0, 60.0), scale=(1.0, 1.0, 1.0))  # changed: it may try again
    flags(anna, bad, physical=True)
    frame(sim, 1)
    assert sim.world.objects.row(bad)["position"][2] < 59


async def test_what_is_nowhere_costs_one_object_its_body(sim: TestSimulator, anna: Viewer) -> None:
    """However it came there: among many that are made at once, and moved."""
    boxes = [rez(anna, (100.0 + 2 * k, 100.0, 60.0)) for k in range(40)]
    objects = sim.world.objects
    for prim, bad in ((boxes[3], math.nan), (boxes[20], math.inf)):
        objects.row(prim)["position"] = objects.row(prim)["world_position"] = (bad, 100, 60)
    objects.row(boxes[9])["scale"] = (math.nan, 1, 1)
    objects.row(boxes[11])["rotation"] = 0
    frame(sim, 0.2)
    handles = [int(objects.row(prim)["body"]) for prim in boxes]
    assert [k for k, handle in enumerate(handles) if handle < 0] == [3, 9, 11, 20]
    objects.row(boxes[0])["position"] = math.nan
    sim.world.changes.prims.note(boxes[0], What.PLACE)
    frame(sim, 0.2)
    assert not sim.metrics.labelled["stage_errors"]
    assert sim.bodies.raycast((101.9, 99.9, 70), (0, 0, -1), 20).size == 1  # those beside it are there


async def test_three_building_messages_do_not_stop_physics(sim: TestSimulator, anna: Viewer) -> None:
    """Two linked boxes, the child put far away, the set made physical: it falls, or is refused, and all else goes on."""
    other = rez(anna, (60.0, 60.0, 60.0))
    for far in ((-8.0, -8.0, 0.0), (-1e6, 0.0, 0.0), (0.0, 3e38, 0.0), (253.0, 253.0, -40.0)):
        root, child = (rez(anna, (3.0, 3.0, 58.0 + 2 * k), Scale=(2.0, 2.0, 2.0)) for k in range(2))
        frame(sim, 0.1)
        ids = [{"ObjectLocalID": prim.local_id} for prim in (root, child)]
        anna.sends(Message("ObjectLink", ObjectData=ids))
        row = sim.world.objects.row(child)
        edit(anna, child, position=far)
        row["position"] = far  # also if it came there in another way
        sim.world.changes.prims.note(child, What.PLACE)
        flags(anna, root, physical=True)
        flags(anna, other, physical=True)
        frame(sim, 3)
    assert not sim.metrics.labelled["stage_errors"]
    assert sim.world.objects.row(other)["position"][2] < 59
    rows = sim.world.objects.rows[sim.world.objects.rows["active"] == 1]
    assert np.isfinite(rows["velocity"]).all()


async def test_a_prim_that_cannot_be_shown_is_shown_as_a_plain_box(sim: TestSimulator, anna: Viewer) -> None:
    """Whatever it carries, and in whichever way it came by it; everybody hears of everything else."""
    bad, good = rez(anna), rez(anna, (132.0, 128.0, 30.0))
    bad.extra_params[0x60] = bytes(249)
    bad.texture_entry = bytes(70_000)
    bad.shape = {**bad.shape, "PathScaleX": 70_000}
    frame(sim, 1)
    anna.forget()
    ben = add_root(sim, "Ben Onlooker")
    frame(sim, 2)
    seen = {block["ID"] for message in ben.heard("ObjectUpdate") for block in message["ObjectData"]}
    assert {bad.local_id, good.local_id} <= seen
    assert sim.metrics.value("set_aside", "interest") == 1 and not sim.metrics.labelled["stage_errors"]
    anna.sends(Message("ChatFromViewer", ChatData={"Message": b"hello\0", "Type": 1, "Channel": 0}))
    frame(sim, 0.2)
    assert ben.heard("ChatFromSimulator")
    assert "cannot be shown" in " ".join(alerts(anna)) or sim.world.objects.row(bad)["crc"]


async def test_an_owner_who_was_away_is_told_on_arrival(sim: TestSimulator) -> None:
    anna = add_child(sim, "Anna Owner", "login")
    words = "Your object 'Car' is not solid any more."
    assert sim.region.aside.put("physics", "a car", "it fell apart", anna.id, words)
    assert alerts(anna) == []
    sim.sessions.movement_completed(anna.agent)
    await settle(sim)
    assert alerts(anna) == [words]
