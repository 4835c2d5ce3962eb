"""Objects over borders, with riders and scripts: one of everything, in one place, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from protocol.errors import ProtocolError
from protocol.message import Message, text
from protocol.textures import PLAIN
from sim.world import form
from sim.world.changes import What
from sim.world.journey import At
from sim.world.linkset import Linkset, ScriptState, gather
from sim.world.objects import Prim
from tests.kit.joined import Link, agents_of, joined, look_in, run
from tests.kit.world import TestSimulator, Viewer, add_root, close_sim
from tests.sim.handlers.test_building import edit, rez

Regions = list[TestSimulator]


@pytest.fixture
async def regions() -> AsyncIterator[Regions]:
    """Four that meet in a corner: south-west, south-east, north-west, north-east."""
    four = joined((1000, 1000), (1001, 1000), (1000, 1001), (1001, 1001))
    yield four
    for sim in four:
        close_sim(sim)


@pytest.fixture
async def anna(regions: Regions) -> Viewer:
    anna = add_root(regions[0], "Anna Rider", (250.0, 128.0, 26.0))
    await run(regions, 0.5)
    for other in regions[1:]:
        look_in(anna, other)
    await run(regions, 0.5)
    return anna


def link_of(sim: TestSimulator) -> Link:
    link: Link = sim.link  # type: ignore[attr-defined]
    return link


def slide(sim: TestSimulator, prim: Prim, velocity: tuple[float, float, float]) -> None:
    """Off it goes, without friction or weight."""
    prim.features.friction, prim.features.gravity, prim.physical = 0.0, 0.0, True
    row = sim.world.objects.row(prim)
    row["velocity"] = velocity
    sim.world.changes.prims.note(prim, What.BODY)


def sit(viewer: Viewer, prim: Prim) -> None:
    viewer.sends(Message("AgentRequestSit", TargetObject={"TargetID": prim.full_id}))
    viewer.sends(Message("AgentSit"))
    assert viewer.agent in viewer.sim.world.seats.of


def boxed(data: bytes) -> str:
    return base64.b64encode(data).decode()


def as_form(sim: TestSimulator, prim: Prim) -> bytes:
    """All there is to it, as it would travel."""
    return form.encode(gather(sim.world.objects, [prim], sim.clock.now(), sim.scripts.states)[0])


def where(regions: Regions, prim: Prim) -> TestSimulator:
    """The one region that has the object."""
    (here,) = [sim for sim in regions if prim.full_id in sim.world.objects.by_id]
    return here


def velocity(sim: TestSimulator, prim: Prim) -> Any:
    return sim.world.objects.row(sim.world.objects.by_id[prim.full_id])["velocity"].tolist()


def seated(regions: Regions, viewer: Viewer, prim: Prim) -> TestSimulator:
    """The region in which the viewer sits on the object: the only one that has either."""
    here = where(regions, prim)
    assert agents_of(regions, viewer.id) == [here]
    agent = here.world.agents[viewer.id]
    assert here.world.seats.of[agent].prim.full_id == prim.full_id
    return here


async def test_a_box_slides_on_beyond_the_border(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    box = rez(anna, (254.0, 128.0, 30.0))
    slide(west, box, (4.0, 0.5, 0.0))
    await run(regions, 1.0)
    assert where(regions, box) is east
    x, y, z = east.world.objects.world_place(east.world.objects.by_id[box.full_id])[0]
    assert 0.5 < x < 2.6 and y == pytest.approx(128.4, abs=0.3) and z == pytest.approx(30.25, abs=0.05)
    assert velocity(east, box) == pytest.approx((4.0, 0.5, 0.0), abs=0.05)
    arrived = east.world.objects.by_id[box.full_id]
    assert (arrived.owner_id, arrived.name, arrived.physical) == (box.owner_id, box.name, True)


async def test_its_rider_stays_seated_and_its_viewer_follows(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    box = rez(anna, (254.0, 128.0, 26.5))
    sit(anna, box)
    slide(west, box, (5.0, 0.0, 0.0))
    there = look_in(anna, east)
    there.circuit.sent.clear()  # type: ignore[attr-defined]
    anna.forget()
    await run(regions, 1.0)
    assert seated(regions, anna, box) is east
    assert anna.agent.child and anna.events("CrossedRegion")
    arrived = east.world.objects.by_id[box.full_id]
    order = [
        (block["ID"], block["ParentID"]) for message in there.heard("ObjectUpdate") for block in message["ObjectData"]
    ]
    me = east.world.agents[anna.id].local_id
    assert order.index((arrived.local_id, 0)) < order.index((me, arrived.local_id))
    # The old region's last word is that it stands still; that it is gone comes long after.
    assert not anna.heard("KillObject")
    assert velocity(east, box)[0] == pytest.approx(5.0, abs=0.05)
    await run(regions, 6.0)
    assert [block["ID"] for m in anna.heard("KillObject") for block in m["ObjectData"]] == [box.local_id]


async def test_bystanders_are_told_that_it_went(regions: Regions, anna: Viewer) -> None:
    west, _east = regions[:2]
    ben = add_root(west, "Ben Onlooker", (240.0, 128.0, 26.0))
    box = rez(anna, (254.0, 128.0, 30.0))
    await run(regions, 1.0)
    ben.forget()
    slide(west, box, (5.0, 0.0, 0.0))
    await run(regions, 2.5)
    assert box.local_id in [block["ID"] for m in ben.heard("KillObject") for block in m["ObjectData"]]


async def test_by_hand_a_linkset_with_two_riders(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    ben = add_root(west, "Ben Second", (250.0, 126.0, 26.0))
    root, child = rez(anna, (252.0, 128.0, 25.0)), rez(anna, (253.0, 128.0, 25.0))
    west.world.objects.link(root, [child])
    west.world.changes.prims.note(root, What.BODY)
    child.sit_target = ((0.0, 0.0, 0.3), (0.0, 0.0, 0.0, 1.0))
    sit(anna, child)
    child.sit_target, target = None, child.sit_target
    sit(ben, root)
    child.sit_target = target
    look_in(ben, east)
    edit(anna, root, position=(258.0, 130.0, 26.0), linked=True)
    await run(regions, 0.5)
    assert seated(regions, anna, child) is east and seated(regions, ben, root) is east
    arrived = east.world.objects.by_id[root.full_id]
    assert [one.full_id for one in arrived.linkset()] == [root.full_id, child.full_id]
    assert east.world.objects.world_place(arrived)[0] == pytest.approx((2.0, 130.0, 26.0), abs=1e-3)
    assert east.world.objects.world_place(arrived.children[0])[0] == pytest.approx((3.0, 130.0, 26.0), abs=1e-3)
    assert arrived.children[0].sit_target == ((0.0, 0.0, pytest.approx(0.3)), (0.0, 0.0, 0.0, 1.0))
    assert east.world.seats.of[east.world.agents[anna.id]].target


async def test_a_rider_whose_viewer_is_late_is_waited_for(regions: Regions, anna: Viewer) -> None:
    """Its avatar is over there as soon as its viewer is, and on its seat; until then the object goes no further."""
    west, east = regions[:2]
    ben = add_root(west, "Ben Late", (250.0, 126.0, 26.0))
    box = rez(anna, (252.0, 128.0, 25.0))
    sit(ben, box)
    there = look_in(ben, east)
    there.agent.ready = False
    edit(anna, box, position=(258.0, 128.0, 26.0), linked=True)
    await run(regions, 0.3)
    assert where(regions, box) is east and agents_of(regions, ben.id) == []
    arrived = east.world.objects.by_id[box.full_id]
    assert not east.neighbours.objects.begin(arrived, (-2.0, 128.0, 26.0))
    east.sessions.movement_completed(there.agent)
    await run(regions, 0.2)
    assert seated(regions, ben, box) is east
    assert east.neighbours.objects.begin(arrived, (-2.0, 128.0, 26.0))
    await run(regions, 0.2)
    assert where(regions, box) is west


async def test_nothing_is_linked_to_it_on_the_way(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    link_of(east).gate.clear()
    box, other = rez(anna, (252.0, 128.0, 25.0)), rez(anna, (250.0, 128.0, 25.0))
    edit(anna, box, position=(258.0, 128.0, 26.0), linked=True)
    await run(regions, 0.1)
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": prim.local_id} for prim in (box, other)]))
    sit_on = Message("AgentRequestSit", TargetObject={"TargetID": box.full_id})
    anna.sends(sit_on)
    anna.sends(Message("AgentSit"))
    assert anna.agent not in west.world.seats.of
    link_of(east).gate.set()
    await run(regions, 0.3)
    assert where(regions, box) is east and where(regions, other) is west


async def test_over_the_corner(regions: Regions, anna: Viewer) -> None:
    box = rez(anna, (254.5, 128.0, 30.0))
    slide(regions[0], box, (0.0, 0.0, 0.0))
    regions[0].world.objects.row(box)["position"] = (254.9, 254.9, 30.0)
    regions[0].world.objects.row(box)["velocity"] = (4.0, 4.0, 0.0)
    regions[0].world.changes.prims.note(box, What.BODY)
    sit_far = anna.agent
    regions[0].world.row(sit_far)["position"] = (254.0, 254.0, 30.0)
    sit(anna, box)
    await run(regions, 1.0)
    assert seated(regions, anna, box) is regions[3]


@pytest.mark.parametrize("height", [1e6, -1e6, 3e38])
async def test_dragged_over_the_border_at_an_absurd_height_it_stays_in_reach(
    regions: Regions, anna: Viewer, height: float
) -> None:
    west, east = regions[:2]
    box = rez(anna, (252.0, 128.0, 25.0))
    edit(anna, box, position=(258.0, 130.0, height), linked=True)
    await run(regions, 0.3)
    assert where(regions, box) is east
    z = east.world.objects.world_place(east.world.objects.by_id[box.full_id])[0][2]
    assert z == pytest.approx(4096.0 if height > 0 else 25.0 - 64.0, abs=0.1)
    east.world.facts.max_agents = 0
    link_of(east).dead = True
    stays = rez(anna, (252.0, 120.0, 25.0))
    edit(anna, stays, position=(258.0, 120.0, height), linked=True)
    await run(regions, 0.3)
    assert where(regions, stays) is west
    z = west.world.objects.world_place(stays)[0][2]
    assert -64.0 <= z - 25.0 <= 4096.0


async def test_where_nothing_is_beyond_it_stops_at_the_edge(regions: Regions, anna: Viewer) -> None:
    west = regions[0]
    box = rez(anna, (2.0, 128.0, 30.0))
    slide(west, box, (-4.0, 0.0, 0.0))
    await run(regions, 1.0)
    assert where(regions, box) is west
    assert west.world.objects.row(box)["position"][0] == pytest.approx(0.05, abs=0.2)


async def test_refused_it_waits_at_the_edge_with_its_rider(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    east.world.facts.max_agents = 0
    box = rez(anna, (254.0, 128.0, 26.5))
    sit(anna, box)
    slide(west, box, (5.0, 0.0, 0.0))
    await run(regions, 1.0)
    assert seated(regions, anna, box) is west
    assert velocity(west, box) == [0.0, 0.0, 0.0] and west.world.objects.row(box)["position"][0] < 256
    assert not anna.events("CrossedRegion") and anna.agent.journey.at is At.HERE
    assert not west.neighbours.objects.under_way
    anna.sends(Message("AgentUpdate", AgentData={"ControlFlags": 0x10000}))
    await run(regions, 0.2)
    assert anna.agent not in west.world.seats.of  # and may leave it


async def test_a_region_that_died_refuses(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    link_of(east).dead = True
    box = rez(anna, (254.0, 128.0, 26.5))
    sit(anna, box)
    slide(west, box, (5.0, 0.0, 0.0))
    await run(regions, 1.0)
    assert seated(regions, anna, box) is west


async def test_a_lost_answer_doubles_nothing(regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Done over there, unheard here: asked again with the same id, it is not done again."""
    quick(monkeypatch)
    west, east = regions[:2]
    link_of(east).lost_answers = 2
    box = rez(anna, (254.0, 128.0, 26.5))
    sit(anna, box)
    slide(west, box, (5.0, 0.0, 0.0))
    await run(regions, 1.5)
    assert seated(regions, anna, box) is east
    handed = link_of(east).handed
    assert len(handed) == 3 and len({bundle["transaction"] for bundle in handed}) == 1
    assert east.metrics.labelled["object_crossings"]["arrived"] == 1


async def test_a_lost_call_loses_nothing(regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    link_of(regions[1]).lost_calls = 3
    box = rez(anna, (254.0, 128.0, 26.5))
    sit(anna, box)
    slide(regions[0], box, (5.0, 0.0, 0.0))
    await run(regions, 1.5)
    assert seated(regions, anna, box) is regions[1]


async def test_a_mute_region_gives_it_back(regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It took the object each time it was asked, and never said so: in the end it is told that nothing happened."""
    quick(monkeypatch)
    west, east = regions[:2]
    link_of(east).lost_answers = 6  # four hand-overs, and the first words about their being void
    box = rez(anna, (254.0, 128.0, 26.5))
    sit(anna, box)
    slide(west, box, (5.0, 0.0, 0.0))
    west.neighbours.objects._refused.clear()
    await run(regions, 1.0)
    assert seated(regions, anna, box) is west
    assert ("POST", f"/services/handovers/{link_of(east).handed[0]['transaction']}/void") in link_of(east).calls
    status, _ = await east.neighbours.object_arrival.take(link_of(east).handed[0])
    assert status == 410  # a copy of the hand-over that comes late
    assert seated(regions, anna, box) is west


async def test_killed_in_the_middle_of_it(regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    west, east = regions[:2]
    link_of(east).gate.clear()
    box = rez(anna, (254.0, 128.0, 26.5))
    sit(anna, box)
    slide(west, box, (5.0, 0.0, 0.0))
    await run(regions, 1.0)
    assert box in west.neighbours.objects.under_way
    assert velocity(west, box) == [0.0, 0.0, 0.0]
    assert west.world.position(anna.agent)[0] < 258  # nothing flies on meanwhile
    link_of(east).dead = True
    link_of(east).gate.set()
    await run(regions, 1.0)
    assert seated(regions, anna, box) is west


async def test_who_logs_out_on_the_way_is_ended_beyond(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    link_of(east).gate.clear()
    box = rez(anna, (254.0, 128.0, 26.5))
    sit(anna, box)
    slide(west, box, (5.0, 0.0, 0.0))
    await run(regions, 1.0)
    anna.sends(Message("LogoutRequest"))
    link_of(east).gate.set()
    await run(regions, 1.0)
    assert where(regions, box) is east
    assert agents_of(regions, anna.id) == []


async def test_deleted_on_the_way_it_is_gone(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    link_of(east).gate.clear()
    box = rez(anna, (254.0, 128.0, 26.5))
    slide(west, box, (5.0, 0.0, 0.0))
    await run(regions, 1.0)
    west.backbone.add_inventory(anna.id)
    anna.sends(Message("DeRezObject", AgentBlock={"Destination": 6}, ObjectData=[{"ObjectLocalID": box.local_id}]))
    await run(regions, 0.2)
    link_of(east).gate.set()
    await run(regions, 1.0)
    assert not any(box.full_id in sim.world.objects.by_id for sim in regions)


async def test_scripts_go_on_in_the_middle_of_a_loop(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    box = rez(anna, (254.0, 128.0, 26.5))
    await west.scripts.add(
        box,
        """integer n;
        default {
            state_entry() {
                llListen(7, "", NULL_KEY, "");
                llSitTarget(<0.0, 0.0, 1.0>, ZERO_ROTATION);
                for (n = 0; n < 40; ++n) { llSleep(0.05); }
                llSay(0, "counted to " + (string)n);
            }
            changed(integer what) { if (what & CHANGED_REGION) llSay(0, "here, at " + (string)n); }
            listen(integer channel, string name, key id, string said) { llSay(0, "heard " + said); }
        }""",
        "counter",
    )
    await run(regions, 0.2)
    sit(anna, box)
    slide(west, box, (5.0, 0.0, 0.0))
    there = look_in(anna, east)
    await run(regions, 3.0)
    assert seated(regions, anna, box) is east
    there.sends(Message("ChatFromViewer", ChatData={"Message": "hello", "Type": 1, "Channel": 7}))
    await run(regions, 0.3)
    said = [text(m["ChatData"]["Message"]) for m in there.heard("ChatFromSimulator") if m["ChatData"]["SourceType"] == 2]
    assert said == ["counted to 40", "here, at 40", "heard hello"]
    (script,) = east.scripts.of(east.world.objects.by_id[box.full_id])
    assert script.name == "counter" and not west.scripts._prim_of


async def test_refused_its_scripts_go_on_here(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    east.world.facts.max_agents = 0
    box = rez(anna, (254.0, 128.0, 26.5))
    await west.scripts.add(
        box, 'default { state_entry() { llSetTimerEvent(0.5); } timer() { llOwnerSay("tick"); } }'
    )
    sit(anna, box)
    slide(west, box, (5.0, 0.0, 0.0))
    await run(regions, 1.0)
    anna.forget()
    await run(regions, 1.2)
    said = [text(m["ChatData"]["Message"]) for m in anna.heard("ChatFromSimulator")]
    assert said in (["tick"] * 2, ["tick"] * 3)


async def test_to_and_fro_many_times(regions: Regions, anna: Viewer) -> None:
    """A rail car: never an unseat, never a copy, and no drift."""
    west, east = regions[:2]
    box = rez(anna, (253.0, 128.0, 26.5))
    sit(anna, box)
    slide(west, box, (8.0, 0.0, 0.0))
    here = west
    for lap in range(60):
        other = east if here is west else west
        look_in(anna, other).circuit.heard_at = west.clock.now()  # it is not silent
        for _ in range(60):
            await run(regions, 0.05)
            if box.full_id in other.world.objects.by_id:
                break
        assert seated(regions, anna, box) is other, lap
        here = other
        moving = here.world.objects.by_id[box.full_id]
        row = here.world.objects.row(moving)
        await run(regions, 0.3)
        row["velocity"] = (-8.0 if here is east else 8.0, 0.0, 0.0)
        here.world.changes.prims.note(moving, What.BODY)
    _x, y, z = here.world.objects.world_place(here.world.objects.by_id[box.full_id])[0]
    assert y == pytest.approx(128.0, abs=0.05) and z == pytest.approx(26.75, abs=0.05)


async def test_what_cannot_be_read_is_refused_whole(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    box = rez(anna, (254.0, 128.0, 26.5))
    linkset = gather(west.world.objects, [box], west.clock.now(), west.scripts.states)[0]
    linkset.parts[0].position = (2.0, 128.0, 27.0)
    data = form.encode(linkset)
    good: dict[str, Any] = {"transaction": str(uuid4()), "object": boxed(data), "riders": []}
    take = east.neighbours.object_arrival.take
    wrongs: tuple[dict[str, Any], ...] = (
        {"transaction": "x"},
        {"object": None},
        {"object": "no base64"},
        {"object": boxed(data[:-1])},
        {"object": boxed(data[:20] + bytes([data[20] ^ 1]) + data[21:])},
        {"object": boxed(form.encode(Linkset([linkset.parts[0]] * 2)))},
        {"riders": [{"agent": {}, "seat": [0, [0, 0, 0], [0, 0, 0, 1], False]}]},
        {"riders": "all"},
    )
    for wrong in wrongs:
        with pytest.raises(ProtocolError):
            await take({**good, **wrong})
    linkset.parts[0].scripts = [ScriptState("a", uuid4(), "default {", b"")]
    status, answer = await take({**good, "object": boxed(form.encode(linkset))})
    assert status == 422 and "does not compile" in answer["description"]
    linkset.parts[0].scripts[0].source = "default { state_entry() { } }"
    status, answer = await take({**good, "object": boxed(form.encode(linkset))})
    assert status == 422 and "state" in answer["description"]
    assert not east.world.objects.by_id and not east.scripts._prim_of
    assert (await take(good))[0] == 200
    assert (await take({**good, "transaction": str(uuid4())}))[0] == 409


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries take no real time."""
    real = asyncio.sleep
    monkeypatch.setattr("sim.neighbours.handovers.asyncio.sleep", lambda seconds: real(0))


def changes(box: Prim) -> list[Message]:
    """One of every kind of change a viewer can make, but deleting it."""
    here, there = {"ObjectLocalID": box.local_id}, {"LocalID": box.local_id}
    data = np.array([1.0, 2.0, 3.0], "<f4").tobytes()
    flags = {"ObjectLocalID": box.local_id, "UsePhysics": False, "IsTemporary": True, "IsPhantom": True}
    return [
        Message("MultipleObjectUpdate", ObjectData=[{**here, "Type": kind, "Data": data}]) for kind in (0x1, 0x4, 0x9)
    ] + [
        Message("ObjectPosition", ObjectData=[{**here, "Position": (9.0, 9.0, 30.0)}]),
        Message("ObjectRotation", ObjectData=[{**here, "Rotation": (0.0, 0.0, 0.6, 0.8)}]),
        Message("ObjectScale", ObjectData=[{**here, "Scale": (2.0, 2.0, 2.0)}]),
        Message("ObjectShape", ObjectData=[{**here, "PathCurve": 32, "ProfileHollow": 9}]),
        Message("ObjectImage", ObjectData=[{**here, "MediaURL": b"x\0", "TextureEntry": PLAIN}]),
        Message("ObjectExtraParams", ObjectData=[{**here, "ParamType": 0x20, "ParamInUse": True, "ParamData": bytes(16)}]),
        Message("ObjectMaterial", ObjectData=[{**here, "Material": 1}]),
        Message("ObjectClickAction", ObjectData=[{**here, "ClickAction": 1}]),
        Message("ObjectGroup", AgentData={"GroupID": UUID(int=0)}, ObjectData=[here]),
        Message("ObjectFlagUpdate", AgentData=flags),
        Message("ObjectPermissions", ObjectData=[{**here, "Field": 8, "Set": 1, "Mask": 0x80000}]),
        Message("ObjectName", ObjectData=[{**there, "Name": b"changed\0"}]),
        Message("ObjectDescription", ObjectData=[{**there, "Description": b"changed\0"}]),
        Message("ObjectCategory", ObjectData=[{**there, "Category": 3}]),
        Message("ObjectSaleInfo", ObjectData=[{**there, "SaleType": 2, "SalePrice": 10}]),
        Message("ObjectDelink", ObjectData=[here]),
    ]  # fmt: skip


def alerts(viewer: Viewer) -> list[str]:
    return [text(message["AlertData"]["Message"]) for message in viewer.heard("AlertMessage")]


async def test_what_is_on_its_way_is_not_changed_and_who_tries_is_told(
    regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the copy that leaves, where the change would be lost. Once it is certain that it stays it may be changed."""
    quick(monkeypatch)
    west, east = regions[:2]
    link_of(east).gate.clear()
    box = rez(anna, (254.0, 128.0, 30.0))
    slide(west, box, (5.0, 0.0, 0.0))
    await run(regions, 0.5)
    assert box in west.neighbours.objects.under_way
    before = as_form(west, box)
    for change in changes(box):
        anna.agent.told_until.clear()
        anna.forget()
        anna.sends(change)
        assert len(alerts(anna)) == 1 and "going over" in alerts(anna)[0], change
        anna.sends(change)
        assert len(alerts(anna)) == 1, "told once"
    assert as_form(west, box) == before
    link_of(east).dead = True
    link_of(east).gate.set()
    await run(regions, 0.5)
    assert where(regions, box) is west
    anna.forget()
    for change in changes(box)[2:]:
        anna.sends(change)
    assert not alerts(anna) and box.name == "changed" and box.temporary


async def test_who_would_change_what_has_just_gone_is_told(regions: Regions, anna: Viewer) -> None:
    """Viewers learn a moment later that it is gone from here."""
    west, east = regions[:2]
    box = rez(anna, (254.0, 128.0, 30.0))
    old_id = box.local_id
    slide(west, box, (5.0, 0.0, 0.0))
    await run(regions, 0.7)
    assert where(regions, box) is east
    box.local_id = old_id
    for change in changes(box):
        anna.agent.told_until.clear()
        anna.forget()
        anna.sends(change)
        assert len(alerts(anna)) == 1, change
    anna.forget()
    anna.agent.told_until.clear()
    anna.sends(Message("DeRezObject", AgentBlock={"Destination": 6}, ObjectData=[{"ObjectLocalID": old_id}]))
    await run(regions, 0.2)
    (done,) = anna.heard("DeRezAck")
    assert not done["TransactionData"]["Success"] and len(alerts(anna)) == 1
    await run(regions, 8.0)
    anna.forget()
    anna.sends(Message("ObjectName", ObjectData=[{"LocalID": old_id, "Name": b"late\0"}]))
    assert not alerts(anna)
