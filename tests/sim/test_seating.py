"""Sitting on objects: where, who may, how viewers hear of it, riding, standing up."""

from __future__ import annotations

import math
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from protocol.message import Message, text
from protocol.objects import decode_object_data
from protocol.wellknown import Animation
from sim.actions.remove import remove
from sim.world.changes import What
from sim.world.objects import Prim
from sim.world.seats import ON_OBJECT
from tests.kit.world import TestSimulator, Viewer, add_child, add_root
from tests.sim.handlers.test_building import edit, frame, rez, updates

STAND_UP, FLY = 0x10000, 0x2000
LEVEL = (0.0, 0.0, 0.0, 1.0)


@pytest.fixture
async def anna(sim: TestSimulator) -> Viewer:
    sim.world.terrain.heights[:] = 25.0
    sim.world.terrain.revision += 1
    anna = add_root(sim, "Anna Rider", (128.0, 128.0, 25.95))
    frame(sim, 1)
    anna.forget()
    return anna


@pytest.fixture
async def ben(sim: TestSimulator, anna: Viewer) -> Viewer:
    ben = add_root(sim, "Ben Onlooker", (120.0, 128.0, 25.95))
    frame(sim, 1)
    ben.forget()
    anna.forget()
    return ben


def sit(viewer: Viewer, prim: Prim, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
    viewer.sends(Message("AgentRequestSit", TargetObject={"TargetID": prim.full_id, "Offset": offset}))
    viewer.sends(Message("AgentSit"))


def stand(viewer: Viewer) -> None:
    viewer.sends(Message("AgentUpdate", AgentData={"ControlFlags": STAND_UP}))


def alerts(viewer: Viewer) -> list[str]:
    return [text(one["AlertData"]["Message"]) for one in viewer.heard("AlertMessage")]


def place(viewer: Viewer) -> Any:
    return viewer.sim.world.position(viewer.agent)


def playing(viewer: Viewer, who: Viewer) -> set[Any]:
    last = [m for m in viewer.heard("AvatarAnimation") if m["Sender"]["ID"] == who.id][-1]
    return {block["AnimID"] for block in last["AnimationList"]}


async def test_everybody_is_told_who_sits_where(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    chair = rez(anna, (130.0, 128.0, 25.0), Scale=(1.0, 1.0, 0.5))
    frame(sim, 0.2)
    sit(anna, chair)
    frame(sim, 0.2)
    (response,) = anna.heard("AvatarSitResponse")
    assert response["SitObject"]["ID"] == chair.full_id
    for viewer in (anna, ben):
        block = updates(viewer)[anna.agent.local_id]
        assert block["ParentID"] == chair.local_id
        told = decode_object_data(block["ObjectData"])
        assert told.position == pytest.approx((0.0, 0.0, 0.25 + 0.36), abs=1e-3)  # on the top, region or not
        assert playing(viewer, anna) == {Animation.SIT}
    assert place(anna) == pytest.approx((130.0, 128.0, 25.5 + 0.36), abs=1e-3)  # others still measure from here
    assert sim.world.row(anna.agent)["sitting"] == ON_OBJECT


async def test_a_newcomer_sees_the_seat_before_the_seated(sim: TestSimulator, anna: Viewer) -> None:
    for number in range(40):
        rez(anna, (126.0 + number % 7, 120.0 + number // 7, 25.0))
    chair = rez(anna, (130.0, 128.0, 25.0))
    frame(sim, 0.2)
    sit(anna, chair)
    frame(sim, 0.2)
    for newcomer in (add_root(sim, "Nora New", (200.0, 200.0, 26.0)), add_child(sim, "Nils Neighbour")):
        sim.sessions.handshake_replied(newcomer.agent, 0)
        frame(sim, 1.5)
        order = [block["ID"] for message in newcomer.heard("ObjectUpdate") for block in message["ObjectData"]]
        assert order.index(chair.local_id) < order.index(anna.agent.local_id)
        assert updates(newcomer)[anna.agent.local_id]["ParentID"] == chair.local_id


async def test_the_halves_of_sitting_may_come_in_any_order(sim: TestSimulator, anna: Viewer) -> None:
    chair = rez(anna, (130.0, 128.0, 25.0))
    anna.sends(Message("AgentSit"))
    anna.sends(Message("AgentRequestSit", TargetObject={"TargetID": chair.full_id}))
    frame(sim, 0.1)
    assert sim.world.seats.on(chair) == [anna.agent]


async def test_standing_up_puts_the_feet_beside_the_seat(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    chair = rez(anna, (130.0, 128.0, 25.0), Scale=(1.0, 1.0, 0.5))
    frame(sim, 0.2)
    sit(anna, chair)
    frame(sim, 0.2)
    ben.forget()
    anna.forget()
    stand(anna)
    frame(sim, 0.2)
    for viewer in (anna, ben):
        assert updates(viewer)[anna.agent.local_id]["ParentID"] == 0
        assert Animation.SIT not in playing(viewer, anna)
    x, y, z = place(anna)
    assert max(abs(x - 130.0), abs(y - 128.0)) > 0.5 + 0.25 and math.hypot(x - 130.0, y - 128.0) < 2.0
    assert z == pytest.approx(25.0 + 0.95, abs=0.1)
    anna.sends(Message("AgentUpdate", AgentData={"ControlFlags": 1}))
    frame(sim, 1.0)
    assert math.dist(place(anna), (x, y, z)) > 2.0  # and they walk


async def test_in_a_corner_one_stands_up_where_there_is_room(sim: TestSimulator, anna: Viewer) -> None:
    """Walls in front, at both sides: behind is free."""
    chair = rez(anna, (130.0, 128.0, 25.0))
    frame(sim, 0.1)
    sit(anna, chair)
    frame(sim, 0.1)
    # It faces west, where it came from.
    for x, y, size in (
        (129.5, 128.0, (0.1, 2.0, 4.0)),
        (130.0, 128.6, (3.0, 0.1, 4.0)),
        (130.0, 127.4, (3.0, 0.1, 4.0)),
    ):
        rez(anna, (x, y, 25.0), Scale=size)
    frame(sim, 0.1)
    stand(anna)
    frame(sim, 0.1)
    x, y, _ = place(anna)
    assert x > 130.5 and abs(y - 128.0) < 0.2


async def test_walled_in_one_stands_on_the_seat(sim: TestSimulator, anna: Viewer) -> None:
    chair = rez(anna, (130.0, 128.0, 25.0))
    sit(anna, chair)
    for dx, dy in ((0.45, 0), (-0.45, 0), (0, 0.45), (0, -0.45)):
        rez(anna, (130.0 + dx, 128.0 + dy, 25.0), Scale=(0.1 if dx else 1.0, 0.1 if dy else 1.0, 4.0))
    frame(sim, 0.1)
    stand(anna)
    frame(sim, 0.1)
    assert place(anna) == pytest.approx((130.0, 128.0, 25.5 + 0.95), abs=0.15)


async def test_a_click_on_an_edge_sits_there_facing_out(sim: TestSimulator, anna: Viewer) -> None:
    bench = rez(anna, (130.0, 128.0, 25.0), Scale=(2.0, 1.0, 0.5))
    frame(sim, 0.1)
    sit(anna, bench, (-1.0, 0.0, 0.1))
    frame(sim, 0.1)
    x, y, z = place(anna)
    assert (x, y, z) == pytest.approx((129.15, 128.0, 25.86), abs=0.02)
    forward = sim.world.row(anna.agent)["rotation"].tolist()
    assert abs(forward[2]) == pytest.approx(1.0, abs=1e-3)  # west


async def test_people_share_a_bench_but_not_a_lap(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    bench = rez(anna, (124.0, 128.0, 25.0), Scale=(2.0, 1.0, 0.5))
    frame(sim, 0.1)
    sit(anna, bench, (0.7, 0.0, 0.25))
    sit(ben, bench, (0.6, 0.0, 0.25))
    assert alerts(ben) == ["There is no room to sit here, try another spot."]
    sit(ben, bench, (-0.7, 0.0, 0.25))
    assert sim.world.seats.on(bench) == [anna.agent, ben.agent]


async def test_targets_of_a_linkset_are_taken_one_after_the_other(
    sim: TestSimulator, anna: Viewer, ben: Viewer
) -> None:
    root, child = rez(anna, (200.0, 200.0, 25.0)), rez(anna, (201.0, 200.0, 25.0))
    sim.world.objects.link(root, [child])
    sim.world.changes.prims.note(root, What.BODY)
    child.sit_target = ((0.0, 0.0, 0.1), LEVEL)
    carla = add_root(sim, "Carla Third")
    sit(anna, root)  # far away: a target may be reached from anywhere in the region
    assert sim.world.seats.of[anna.agent].prim is child
    assert place(anna) == pytest.approx((201.0, 200.0, 25.25 + 0.1 + 0.4 - 0.02638 * 1.9), abs=1e-3)
    root.sit_target = ((0.0, 0.0, 0.1), LEVEL)
    sit(ben, child)
    assert sim.world.seats.of[ben.agent].prim is root
    sit(carla, child)
    assert alerts(carla) == ["There is no room to sit here, try another spot."]
    frame(sim, 0.1)
    assert updates(ben)[anna.agent.local_id]["ParentID"] == child.local_id


async def test_what_cannot_be_sat_on_is_refused_with_the_reason(sim: TestSimulator, anna: Viewer) -> None:
    steep = rez(anna, (130.0, 128.0, 25.0), Scale=(2.0, 2.0, 0.1), Rotation=(0.0, 0.6, 0.0, 0.8))
    frame(sim, 0.1)
    sit(anna, steep)
    anna.sends(Message("AgentRequestSit", TargetObject={"TargetID": uuid4()}))
    assert alerts(anna) == [
        "There is no suitable surface to sit on, try another spot.",
        "There is nothing to sit on: the object is not here any more.",
    ]
    assert not sim.world.seats.count and not anna.heard("AvatarSitResponse")


async def test_who_sits_down_from_afar_walks_there(sim: TestSimulator, anna: Viewer) -> None:
    bench = rez(anna, (146.0, 134.0, 25.25))
    frame(sim, 0.1)
    sit(anna, bench)
    assert not alerts(anna) and not sim.world.seats.count
    walk(sim, 8.0)
    assert sim.world.seats.of[anna.agent].prim is bench and len(anna.heard("AvatarSitResponse")) == 1
    assert not sim.world.row(anna.agent)["controls"] and anna.agent not in sim.autopilot


async def test_who_cannot_get_near_a_seat_is_told(sim: TestSimulator, anna: Viewer) -> None:
    wall = rez(anna, (133.0, 128.0, 25.0), Scale=(0.5, 10.0, 6.0))
    bench = rez(anna, (150.0, 128.0, 25.25))
    frame(sim, 0.1)
    sit(anna, bench)
    walk(sim, 6.0)
    assert alerts(anna) == ["You are too far away to sit there. Please come closer."]
    assert place(anna)[0] < wall_side(sim, wall) and anna.agent not in sim.autopilot


async def test_a_key_on_the_way_to_a_seat_means_not_now(sim: TestSimulator, anna: Viewer) -> None:
    bench = rez(anna, (150.0, 128.0, 25.25))
    frame(sim, 0.1)
    sit(anna, bench)
    walk(sim, 1.0)
    anna.sends(Message("AgentUpdate", AgentData={"ControlFlags": 0x2}))
    walk(sim, 0.5)
    anna.sends(Message("AgentUpdate", AgentData={"ControlFlags": 0}))
    walk(sim, 8.0)
    assert not sim.world.seats.count and not alerts(anna)


def walk(sim: TestSimulator, seconds: float) -> None:
    for _ in range(round(seconds * 45)):
        sim.clock.advance(1 / 45)
        sim.frame.once(sim.clock.now())


def wall_side(sim: TestSimulator, wall: Prim) -> float:
    return float(sim.world.objects.row(wall)["position"][0])


async def test_a_rider_goes_with_its_seat_and_sends_nothing_itself(
    sim: TestSimulator, anna: Viewer, ben: Viewer
) -> None:
    sled = rez(anna, (130.0, 128.0, 35.0), AddFlags=3)
    sim.world.row(anna.agent)["position"] = (130.0, 127.0, 35.0)
    sit(anna, sled)
    frame(sim, 0.1)
    ben.forget()
    for _ in range(45):
        frame(sim, 0)
        (x, y, z), _ = sim.world.objects.world_place(sled)
        assert place(anna) == pytest.approx((x, y, z + 0.25 + 0.36), abs=2e-3)
        assert not sim.world.row(anna.agent)["dirty"]
    assert z < 34.0
    velocity = sim.world.row(anna.agent)["velocity"].tolist()
    assert velocity == pytest.approx(sim.world.objects.row(sled)["velocity"].tolist())
    assert anna.agent.local_id not in updates(ben)


async def test_riding_down_a_slope(sim: TestSimulator, anna: Viewer) -> None:
    """The box slides, and the person on it comes along at every step, whatever their weight."""
    sim.world.terrain.heights[:] = 60.0 - 0.6 * abs(100.0 - np.arange(257))[None, :]
    sim.world.terrain.revision += 1
    ends = []
    for rider in (False, True):
        sled = rez(anna, (110.0, 128.0, 54.2), Rotation=(0.0, 0.263, 0.0, 0.965), Scale=(1.0, 1.0, 0.3))
        sled.features.friction = 0.1
        sled.physical = True
        sim.world.changes.prims.note(sled, What.BODY)
        if rider:
            sim.world.row(anna.agent)["position"] = (110.0, 127.0, 56.0)
            sit(anna, sled)
            assert anna.agent in sim.world.seats.of
        frame(sim, 3.0)
        (x, y, z), _ = sim.world.objects.world_place(sled)
        ends.append((x, y, z))
        if rider:
            seat = sim.world.seats.of[anna.agent]
            assert math.dist(place(anna), (x, y, z)) == pytest.approx(math.hypot(*seat.offset), abs=1e-3)
        remove(sim.region, sled)
    assert ends[0][0] > 115.0
    assert ends[1] == pytest.approx(ends[0], abs=1e-3)


async def test_a_rider_of_a_child_prim_follows_the_whole_set_and_the_childs_own_moves(
    sim: TestSimulator, anna: Viewer
) -> None:
    root, child = rez(anna, (130.0, 128.0, 25.0)), rez(anna, (131.0, 128.0, 25.0))
    sim.world.objects.link(root, [child])
    sim.world.changes.prims.note(root, What.BODY)
    sit(anna, child)
    edit(
        anna,
        root,
        position=(140.0, 130.0, 26.0),
        rotation=(0.0, 0.0, math.sin(math.pi / 4), math.cos(math.pi / 4)),
        linked=True,
    )
    frame(sim, 0.05)
    assert place(anna) == pytest.approx((140.0, 131.0, 26.25 + 0.36), abs=1e-2)
    edit(anna, child, position=(2.0, 0.0, 0.0))
    frame(sim, 0.05)
    assert place(anna) == pytest.approx((140.0, 132.0, 26.25 + 0.36), abs=1e-2)


async def test_who_sits_does_not_walk_fly_or_cross(sim: TestSimulator, anna: Viewer) -> None:
    chair = rez(anna, (130.0, 128.0, 25.0))
    sit(anna, chair)
    before = place(anna)
    anna.sends(Message("AgentUpdate", AgentData={"ControlFlags": 0x1 | FLY}))
    frame(sim, 0.5)
    assert place(anna) == before
    sim.world.objects.row(chair)["position"] = (256.5, 128.0, 25.0)
    frame(sim, 0.1)
    assert not anna.agent.journey.crossing


async def test_when_the_seat_goes_its_rider_stands(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    chair = rez(anna, (130.0, 128.0, 25.0))
    sit(anna, chair)
    frame(sim, 0.1)
    ben.forget()
    remove(sim.region, chair)
    frame(sim, 0.5)
    assert not sim.world.seats.count
    assert updates(ben)[anna.agent.local_id]["ParentID"] == 0
    assert place(anna) == pytest.approx((130.0, 128.0, 25.95), abs=0.1)
    another = rez(anna, (130.0, 128.0, 25.0))
    sit(anna, another)
    sim.world.objects.remove(another)  # without a word to anybody
    frame(sim, 0.1)
    assert not sim.world.seats.count and not sim.world.row(anna.agent)["held"]


async def test_teleport_and_logout_leave_the_seat(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    bench = rez(anna, (124.0, 128.0, 25.0), Scale=(2.0, 1.0, 0.5))
    sit(anna, bench, (0.7, 0.0, 0.25))
    sit(ben, bench, (-0.7, 0.0, 0.25))
    frame(sim, 0.1)
    anna.sends(
        Message(
            "TeleportLocationRequest", Info={"RegionHandle": sim.world.facts.handle, "Position": (50.0, 50.0, 26.0)}
        )
    )
    frame(sim, 0.3)
    assert place(anna)[:2] == pytest.approx((50.0, 50.0), abs=0.1)
    assert updates(ben)[anna.agent.local_id]["ParentID"] == 0
    ben.sends(Message("LogoutRequest"))
    frame(sim, 0.1)
    assert not sim.world.seats.count


async def test_scripts_place_greet_and_throw_off(sim: TestSimulator, anna: Viewer, ben: Viewer) -> None:
    chair = rez(anna, (130.0, 128.0, 25.0))
    await sim.scripts.add(
        chair,
        """default {
            state_entry() { llSitTarget(<0.0, 0.0, 1.0>, ZERO_ROTATION); }
            changed(integer what) {
                key who = llAvatarOnSitTarget();
                if (who != NULL_KEY && who != llGetOwner()) llUnSit(who);
                llOwnerSay((string)who);
            }
        }""",
    )
    frame(sim, 0.2)
    sit(ben, chair)
    frame(sim, 0.3)
    assert not sim.world.seats.count
    sit(anna, chair)
    frame(sim, 0.3)
    said = [text(one["ChatData"]["Message"]) for one in anna.heard("ChatFromSimulator")]
    assert said == [str(ben.id), "00000000-0000-0000-0000-000000000000", str(anna.id)]


async def test_many_sit_down_and_half_of_them_stand_up(sim: TestSimulator, anna: Viewer) -> None:
    """Growing and shrinking keeps every row with its owner."""
    chairs = [rez(anna, (100.0 + number % 20, 100.0 + number // 20, 25.0)) for number in range(50)]
    people = [
        add_root(sim, f"Rider{number} Many", (100.0 + number % 20, 100.0 + number // 20, 27.0)) for number in range(50)
    ]
    for person, chair in zip(people, chairs, strict=True):
        sit(person, chair)
    assert sim.world.seats.count == 50
    for person in people[::2]:
        stand(person)
    frame(sim, 0.05)
    assert sim.world.seats.count == 25
    for number in range(1, 50, 2):
        assert place(people[number])[:2] == pytest.approx((100.0 + number % 20, 100.0 + number // 20), abs=0.01)
