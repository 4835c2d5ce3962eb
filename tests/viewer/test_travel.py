"""Neighbours, crossings and teleports, as a full viewer does them."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from protocol import events, objects
from protocol.message import Message
from tests.kit.fakegrid import FakeGrid
from tests.kit.viewers import FakeViewer, fake_viewer
from tests.kit.waiting import eventually


@pytest.fixture
async def grid() -> AsyncIterator[FakeGrid]:
    async with FakeGrid(("West", 1000, 1000), ("East", 1001, 1000), ("Far", 1005, 1005)) as grid:
        yield grid
        assert grid.complaints == []


@pytest.fixture
async def ann(grid: FakeGrid) -> AsyncIterator[FakeViewer]:
    async with fake_viewer(grid.login_uri, "Ann Test", "pw", "uri:West&250&128&26") as ann:
        await ann.sees(ann)
        yield ann
        ann.unharmed()


async def neighbour(viewer: FakeViewer, name: str) -> None:
    """Until the region of that name is a child with its own event queue."""

    def ready() -> bool:
        return any(r.name == name and r.queue is not None and not r.is_root for r in viewer.regions.values())

    await eventually(ready, what=f"{name} as a neighbour")


async def test_neighbours_are_looked_into(grid: FakeGrid, ann: FakeViewer) -> None:
    await neighbour(ann, "East")
    east = next(r for r in ann.regions.values() if r.name == "East")
    there = grid.agent(ann.agent_id, "East")
    assert (east.grid_x, east.is_root, there.root) == (1001, False, False)
    await eventually(lambda: east.land_received == 1.0, what="the neighbour's land")
    await eventually(lambda: there.polls, what="the neighbour's event queue polled")
    await eventually(lambda: there.heard("AgentUpdate"), what="an AgentUpdate to the neighbour")
    assert there.heard("AgentThrottle") and there.heard("RegionHandshakeReply")
    assert not there.heard("CompleteAgentMovement")
    assert "Far" not in {r.name for r in ann.regions.values()}


async def test_sees_who_stands_over_the_border(grid: FakeGrid, ann: FakeViewer) -> None:
    async with fake_viewer(grid.login_uri, "Bob Test", "pw", "uri:East&10&128&26") as bob:
        await ann.sees(bob)
        await bob.sees(ann)
        at = ann.where_is(bob.agent_id)
        assert at is not None and math.dist(at[:2], (1001 * 256 + 10, 1000 * 256 + 128)) < 1


async def test_walks_over_the_border_and_on(grid: FakeGrid, ann: FakeViewer) -> None:
    async with fake_viewer(grid.login_uri, "Bob Test", "pw", "uri:East&10&128&26") as bob:
        await neighbour(ann, "East")
        await bob.sees(ann)
        port = ann.circuits.port
        ann.run()
        await ann.walk_to((264, 128))
        assert ann.root.name == "East" and ann.root.is_root
        assert math.dist(ann.position[:2], (8, 128)) < 1.6
        await eventually(lambda: ann.crossings, what="a finished crossing")
        crossing = ann.crossings[0]
        assert (crossing.kind, crossing.origin >> 32, crossing.target >> 32) == ("crossing", 1000 * 256, 1001 * 256)
        assert crossing.gap > 0 and all(phase >= 0 for phase in crossing.phases.values())
        assert crossing.jump < 2.0
        # the same circuit, introduced once; the old region is a neighbour now
        there = grid.agent(ann.agent_id, "East")
        assert len(there.heard("UseCircuitCode")) == 1 and len(there.heard("CompleteAgentMovement")) == 1
        assert there.address is not None and there.address[1] == port
        west = next(r for r in ann.regions.values() if r.name == "West")
        assert not west.is_root and ann.agent_id not in west.avatars
        await bob.sees_at(ann, 8, 128)
        ann.say("made it")
        await bob.hears("made it", by=ann)
        await ann.walk_to((-6, 128))
        await eventually(lambda: len(ann.crossings) == 2, what="the way back")
        assert ann.root.name == "West"


async def test_keys_stay_down_over_the_border(grid: FakeGrid, ann: FakeViewer) -> None:
    await neighbour(ann, "East")
    ann.face(0.0)
    ann.movement.press(0x401)
    await eventually(lambda: ann.root.name == "East" and ann.position[0] > 3, what="walking on beyond it")
    ann.movement.release(0x401)


async def test_crosses_into_a_region_it_was_never_told_of(grid: FakeGrid, ann: FakeViewer) -> None:
    """EnableSimulator got lost somewhere: CrossedRegion alone must do."""
    west, far = grid.regions["West"], grid.regions["Far"]
    grid.move(grid.agent(ann.agent_id), west, far, [10.0, 20.0, 26.0], "CrossedRegion")
    await eventually(lambda: ann.root.name == "Far" and ann.crossings, what="crossed")
    assert grid.agent(ann.agent_id, "Far").heard("UseCircuitCode")


async def test_teleports_away_and_back(grid: FakeGrid, ann: FakeViewer) -> None:
    crossing = await ann.teleport("Far", (40, 50, 30))
    assert crossing is not None and crossing.kind == "teleport" and crossing.gap > 0
    assert ann.root.name == "Far" and math.dist(ann.position, (40, 50, 30)) < 5
    there = grid.agent(ann.agent_id)
    await eventually(lambda: there.polls, what="the new region's event queue")
    assert await ann.teleport("West", (128, 128, 26)) is not None
    assert ann.root.name == "West"
    assert [c.kind for c in ann.crossings] == ["teleport", "teleport"]


async def test_teleport_to_a_neighbour_introduces_itself_again(grid: FakeGrid, ann: FakeViewer) -> None:
    await neighbour(ann, "East")
    await ann.teleport("East", (100, 100, 26))
    assert ann.root.name == "East"
    assert len(grid.agent(ann.agent_id, "East").heard("UseCircuitCode")) == 2


async def test_two_borders_in_quick_succession(grid: FakeGrid, ann: FakeViewer) -> None:
    """The second hand-over comes before the first was confirmed to the client."""
    west, east, far = (grid.regions[name] for name in ("West", "East", "Far"))
    await neighbour(ann, "East")
    held: list[Message] = []
    east.answer["CompleteAgentMovement"] = lambda agent, message: held.append(message)
    grid.move(grid.agent(ann.agent_id), west, east, [1.0, 128.0, 26.0], "CrossedRegion")
    await eventually(lambda: held, what="the answer to the first hand-over")
    grid.move(grid.agent(ann.agent_id, "East"), east, far, [1.0, 1.0, 26.0], "CrossedRegion")
    await eventually(lambda: ann.root.name == "Far" and not ann.travelling, what="in the last region")
    # the late confirmation of the first must not pull us back
    late = ann.expect("AgentMovementComplete")
    ids, data = {"AgentID": ann.agent_id}, {"RegionHandle": east.handle}
    east.send(grid.agent(ann.agent_id, "East"), Message("AgentMovementComplete", AgentData=ids, Data=data))
    await late
    assert ann.root.name == "Far"


async def test_events_are_kept_until_acknowledged_and_read_once(grid: FakeGrid, ann: FakeViewer) -> None:
    """The server repeats a reply whose ack it did not get: the client acks again and acts once."""
    here, west = grid.agent(ann.agent_id), grid.regions["West"]
    await neighbour(ann, "East")
    heard: list[object] = []
    ann.on("TeleportFailed", heard.append)
    west.queue(here, events.event(Message("TeleportFailed", Info={"AgentID": ann.agent_id, "Reason": "x"})))
    await eventually(lambda: heard, what="the event")
    number = here.queue_id
    here.unacked_events = (number, [events.event(Message("TeleportFailed", Info={"Reason": "x"}))])
    here.wake.set()
    await eventually(lambda: here.polls[-1]["ack"] == number, what="an ack of the repeated reply")
    queue = ann.root.queue
    assert queue is not None and len(heard) == 1 and queue.malformed == 0


async def test_a_neighbour_that_closes_is_forgotten(grid: FakeGrid, ann: FakeViewer) -> None:
    await neighbour(ann, "East")
    gone = ann.expect("region-gone")
    east = grid.regions["East"]
    east.send(grid.agent(ann.agent_id, "East"), Message("DisableSimulator"))
    assert (await gone).name == "East"
    assert ann.root.name == "West" and len(ann.regions) == 1


async def test_teleport_orders_by_udp_are_refused(grid: FakeGrid, ann: FakeViewer) -> None:
    here, west = grid.agent(ann.agent_id), grid.regions["West"]
    info = {"AgentID": ann.agent_id, "SimIP": "127.0.0.1", "SimPort": 9, "RegionHandle": 1}
    west.send(here, Message("TeleportFinish", Info=info))
    await eventually(lambda: ann.counters.refused == 1, what="refused")
    assert ann.root.name == "West" and not ann.travelling


def show_box(grid: FakeGrid, who: FakeViewer, region: str, local_id: int, box: UUID) -> None:
    block = objects.full_block(local_id, box, objects.Motion((10.0, 10.0, 26.0)), scale=(1.0, 1.0, 1.0), pcode=objects.PRIM)
    head = {"RegionHandle": grid.regions[region].handle, "TimeDilation": 65535}
    grid.regions[region].send(grid.agent(who.agent_id, region), Message("ObjectUpdate", RegionData=head, ObjectData=[block]))


def kill(grid: FakeGrid, who: FakeViewer, region: str, local_id: int) -> None:
    message = Message("KillObject", ObjectData=[{"ID": local_id}])
    grid.regions[region].send(grid.agent(who.agent_id, region), message)


async def test_what_was_said_of_a_thing_before_it_crossed_may_come_late(grid: FakeGrid, ann: FakeViewer) -> None:
    await neighbour(ann, "East")
    box = uuid4()

    def shown() -> str:
        found = ann.find(box)
        return found.region.name if found is not None else ""

    show_box(grid, ann, "West", 700, box)
    await eventually(lambda: shown() == "West", what="the box")
    show_box(grid, ann, "East", 900, box)
    await eventually(lambda: shown() == "East", what="the box beyond the border")
    known = ann.root.motions
    show_box(grid, ann, "West", 700, box)  # repeated: its first sending was lost
    await eventually(lambda: ann.root.motions > known, what="the late packet")
    kill(grid, ann, "West", 700)
    show_box(grid, ann, "West", 701, uuid4())
    await eventually(lambda: 701 in ann.root.entities, what="the packet after it")
    assert shown() == "East"
    # It comes back, under a number of its own; or the region beyond gives it back, and it has its old one.
    show_box(grid, ann, "West", 702, box)
    await eventually(lambda: shown() == "West", what="the box on this side again")
    show_box(grid, ann, "East", 901, box)
    await eventually(lambda: shown() == "East", what="the box beyond the border again")
    kill(grid, ann, "East", 901)
    await eventually(lambda: shown() == "", what="the box gone")
    show_box(grid, ann, "West", 702, box)
    await eventually(lambda: shown() == "West", what="the box given back")
