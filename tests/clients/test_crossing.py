"""Walking over the border between two regions, as hippolyzer does it and as a full viewer does."""
from __future__ import annotations

import math
import threading
from typing import Any

import pytest

import viewer
from tests.kit.waiting import eventually

from .conftest import Visit
from .driver import Driver, until
from .grid import Grid, Region
from .raw import llsd
from .raw.viewer import AT_POS, FLY, Viewer

EAST, NORTH, WEST = 0.0, math.pi / 2, math.pi


class Truth:
    """Watches Backbone during a walk: the agent is always in exactly one of two regions, and never offline."""

    def __init__(self, grid: Grid, agent_id: str) -> None:
        self.seen: list[str | None] = []
        self._grid, self._agent_id = grid, agent_id
        self._walking = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._walking.wait(0.05):
            place = self._grid.presence(self._agent_id)
            if not self.seen or self.seen[-1] != place:
                self.seen.append(place)

    def end(self) -> list[str | None]:
        self._walking.set()
        self._thread.join(10)
        return self.seen


def test_hippolyzer_walks_over_and_back(grid: Grid, visit: Visit) -> None:
    """Its stock handler opens the circuit anew, numbers from 0; on the way back on a circuit that is still alive."""
    west, east = visit.viewer(grid.west, (245, 120)), visit.viewer(grid.east, (12, 120))
    me: Driver = visit.hippo(grid.west, (250, 128))
    until(lambda: west.position(me.agent_id), "seen in the west")
    grid.settled(me.agent_id, grid.west)
    truth = Truth(grid, me.agent_id)

    me.set_keys(AT_POS, EAST)
    until(lambda: me.do("region")["name"] == grid.east.name, "hippolyzer's main region is the east")
    until(lambda: (at := east.position(me.agent_id)) and at[0] > 2, "goes on walking there")
    until(lambda: west.position(me.agent_id) is None, "gone from the west")
    me.set_keys(0, EAST)
    grid.settled(me.agent_id, grid.east)
    until(lambda: (at := me.position()) and at[0] > 1 and abs(at[1] - 128) < 2, "knows where it is")

    mark = east.mark()
    me.do("chat", text="I am over")
    east.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "I am over", since=mark)
    mark = me.mark()
    east.im(me.agent_id, "found you")
    me.wait("ImprovedInstantMessage", lambda event: event["MessageBlock.Message"] == "found you", since=mark)

    me.set_keys(AT_POS, WEST)
    until(lambda: me.do("region")["name"] == grid.west.name, "and back in the west")
    until(lambda: (at := west.position(me.agent_id)) and at[0] < 254, "walks on there")
    me.set_keys(0, WEST)
    until(lambda: east.position(me.agent_id) is None, "gone from the east")
    grid.settled(me.agent_id, grid.west)
    assert truth.end() == [grid.west.name, grid.east.name, grid.west.name]
    mark = west.mark()
    me.do("chat", text="home again")
    west.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "home again", since=mark)


def test_neighbours_are_announced_and_show_themselves(grid: Grid, visit: Visit) -> None:
    """Three neighbours: each by EnableSimulator and EstablishAgentCommunication, each with land and people."""
    over_there: Any = visit.hippo(grid.east, (20, 128))
    me = visit.viewer(grid.west, (230, 128))
    handles = {grid.north.handle, grid.east.handle, grid.far.handle}
    until(lambda: all(me.neighbour(handle) for handle in handles), "three child circuits")
    announced = {llsd.u64(event["SimulatorInfo.Handle"]) for event in me.since(0, "EnableSimulator")}
    assert announced == handles
    for child in [me.neighbour(handle) for handle in handles]:
        me.land_complete(child)
        assert child is not None and "EventQueueGet" in child.caps
    east = until(lambda: me.neighbour(grid.east.handle), "a child circuit to the east")
    until(lambda: me.position(over_there.agent_id, east), "the avatar over there")
    assert me.agent_id not in east.avatars.values(), "a child agent has no body"
    assert len(list(me.since(0, "AgentMovementComplete"))) == 1, "only the root region completes a movement"
    assert grid.inside(grid.east) >= {over_there.agent_id} and me.agent_id not in grid.inside(grid.east)


def walk_over(me: Viewer, grid: Grid) -> None:
    """Holds one key until the root is the east; then lets go."""
    until(lambda: me.neighbour(grid.east.handle), "a child circuit to the east")
    me.set_keys(AT_POS | (me.keys & FLY), EAST)
    until(lambda: me.root.handle == grid.east.handle, "root in the east")


def test_a_full_viewer_crosses_over_its_child_circuit(grid: Grid, visit: Visit) -> None:
    me = visit.viewer(grid.west, (249, 100))
    west, east = visit.node(grid.west, (240, 104)), visit.hippo(grid.east, (14, 104))
    until(lambda: west.position(me.agent_id), "seen in the west")
    child = until(lambda: me.neighbour(grid.east.handle), "a child circuit to the east")
    truth = Truth(grid, me.agent_id)
    codes = child.received.copy()
    walk_over(me, grid)
    crossed = me.wait("CrossedRegion")
    assert llsd.u64(crossed["RegionData.RegionHandle"]) == grid.east.handle
    assert me.root is child and codes, "the same circuit, not a new one"
    position = me.wait("AgentMovementComplete", lambda event: event["Data.RegionHandle"] == grid.east.handle)
    assert -1 < position["Data.Position"][0] < 8 and abs(position["Data.Position"][1] - 100) < 2

    # No new key press: it must go on by the keys that were down.
    until(lambda: (at := me.position()) and at[0] > 4, "goes on walking")
    until(lambda: (at := east.position(me.agent_id)) and at[0] > 3, "seen walking by others")
    until(lambda: west.position(me.agent_id) is None, "gone from the west")
    me.set_keys(0, EAST)
    grid.settled(me.agent_id, grid.east)
    assert truth.end() == [grid.west.name, grid.east.name]
    until(lambda: me.neighbour(grid.west.handle), "the west is now a child")

    mark = east.mark()
    me.chat("over")
    east.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "over", since=mark)


def test_there_and_back_and_there_again(grid: Grid, visit: Visit) -> None:
    """Children become roots and roots children, over the same circuits."""
    me = visit.viewer(grid.west, (250, 60))

    def walk(there: Region, yaw: float) -> None:
        until(lambda: me.neighbour(there.handle), f"child circuit to {there.name}")
        me.set_keys(AT_POS, yaw)
        until(lambda: me.root.handle == there.handle, f"root in {there.name}")
        until(lambda: (at := me.position()) and 3 < at[0] < 253, "well inside")
        me.set_keys(0, yaw)
        grid.settled(me.agent_id, there)

    walk(grid.east, EAST)
    walk(grid.west, WEST)
    walk(grid.east, EAST)


def test_flying_over_a_border(grid: Grid, visit: Visit) -> None:
    me = visit.viewer(grid.west, (60, 246))
    until(lambda: me.neighbour(grid.north.handle), "a child circuit to the north")
    me.set_keys(FLY | 0x10, NORTH)
    height = me.position()[2]
    until(lambda: me.position()[2] > height + 3, "in the air")
    me.set_keys(FLY | AT_POS, NORTH)
    until(lambda: me.root.handle == grid.north.handle, "root in the north")
    until(lambda: (at := me.position()) and at[1] > 4, "flies on")
    before = me.position()[2]
    me.set_keys(FLY, NORTH)
    until(lambda: max(map(abs, me.velocity())) < 0.1, "hovers")
    assert me.position()[2] > before - 2, "still in the air"
    grid.settled(me.agent_id, grid.north)


@pytest.mark.parametrize("kind", ["hippo", "viewer"])
def test_over_the_corner_of_four_regions(grid: Grid, visit: Visit, kind: str) -> None:
    """Two borders within a moment: the second hand-off begins when the client has hardly noticed the first."""
    there = visit.viewer(grid.far, (12, 12))
    me: Any = getattr(visit, kind)(grid.west, (251, 251.7))
    until(lambda: not isinstance(me, Viewer) or len(me.circuits) == 4, "all neighbours known")
    me.set_keys(FLY | AT_POS, math.pi / 4)
    until(lambda: (at := there.position(me.agent_id)) and min(at[:2]) > 4, "seen beyond the corner")
    me.set_keys(FLY, math.pi / 4)
    grid.settled(me.agent_id, grid.far)
    mark = there.mark()
    me.chat("round the corner", 2) if isinstance(me, Viewer) else me.do("chat", text="round the corner", kind=2)
    there.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "round the corner", since=mark)


def test_back_and_forth_on_the_line(grid: Grid, visit: Visit) -> None:
    """Turning round at the border, many times: the agent is never lost, never in two places."""
    me = visit.viewer(grid.west, (254, 200))
    until(lambda: me.neighbour(grid.east.handle), "a child circuit to the east")
    truth = Truth(grid, me.agent_id)

    def walk(there: Region, yaw: float) -> None:
        me.set_keys(AT_POS, yaw)
        until(lambda: me.root.handle == there.handle, f"root in {there.name}")

    for _ in range(4):
        walk(grid.east, EAST)
        walk(grid.west, WEST)
    me.set_keys(0, EAST)
    grid.settled(me.agent_id, grid.west)
    assert set(truth.end()) <= {grid.west.name, grid.east.name}
    mark = me.mark()
    me.chat("where was I")
    me.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "where was I", since=mark)


def test_the_edge_of_the_world_stops(grid: Grid, visit: Visit) -> None:
    me = visit.viewer(grid.west, (4, 128))
    me.set_keys(AT_POS, WEST)
    until(lambda: me.position()[0] < 1.5, "at the edge")
    mark = me.mark()
    me.wait("SimStats", since=mark)  # some seconds against the edge
    assert me.position()[0] >= 0
    me.set_keys(0, WEST)
    assert me.root.handle == grid.west.handle
    grid.settled(me.agent_id, grid.west)


async def test_hippolyzer_rides_over_on_a_box_that_somebody_else_drags(grid: Grid, visit: Visit) -> None:
    """Seated in the west, seated in the east: no moment on its own feet, and it is where the box is."""
    rider = visit.hippo(grid.west, (250, 60))
    grid.settled(rider.agent_id, grid.west)
    who = grid.account()
    async with viewer.login(grid.login_uri, who.first, who.last, who.password, start=grid.west.start(250, 58)) as owner:
        await eventually(lambda: owner.root.land_received == 1.0, 20, "all land")
        await eventually(lambda: grid.east.address in owner.regions, 20, "the neighbour")
        box = await owner.building.rez_box((252.0, 60.0, owner.root.height_at(252, 60)), (1.0, 1.0, 0.5))
        height = box.position[2]
        until(lambda: math.dist(rider.position(), box.position) < 8, "down on the ground")
        target = {"TargetID": f"uuid:{box.id}", "Offset": [0.0, 0.0, 0.25]}
        rider.do("send", message="AgentRequestSit", blocks={"TargetObject": target})
        rider.wait("AvatarSitResponse")
        rider.do("send", message="AgentSit")
        rider.wait("ObjectUpdate", lambda event: parent_of(event, rider) == box.local_id)
        mark = rider.mark()
        owner.building.drag(box, (259.0, 60.0, height))
        await eventually(lambda: owner.regions[grid.east.address].avatars, 20, "the rider in the east")
    until(lambda: rider.do("region")["name"] == grid.east.name, "hippolyzer's main region is the east")
    grid.settled(rider.agent_id, grid.east)
    rider.wait("ObjectUpdate", lambda event: parent_of(event, rider) not in (None, 0, box.local_id), since=mark)
    assert all(parent_of(event, rider) != 0 for event in rider.since(mark, "ObjectUpdate"))
    until(lambda: (at := rider.position()) and math.dist(at[:2], (3, 60)) < 0.7, "knows where it is")
    rider.set_keys(0x10000)
    until(lambda: (at := rider.position()) and 0.7 < math.dist(at[:2], (3, 60)) < 4, "stands beside the box")
    rider.set_keys(0)


def parent_of(event: Any, who: Driver) -> int | None:
    """The ParentID an ObjectUpdate gives an avatar; None when it is not about it."""
    return next((block["ParentID"] for block in event.blocks("ObjectData") if block["FullID"] == who.agent_id), None)
