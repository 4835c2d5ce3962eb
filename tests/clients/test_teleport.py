"""Teleports: within the region, to others, refused, and by a friend's invitation."""
from __future__ import annotations

import math
from typing import Any

import pytest

from .conftest import Visit
from .driver import ClientError, Event, until
from .grid import Grid
from .raw.viewer import Viewer

NOWHERE = (5 * 256) << 32 | 7 * 256


def go(client: Any, handle: int, position: list[float]) -> None:
    if isinstance(client, Viewer):
        client.teleport(handle, position)
    else:
        client.do("teleport", handle=str(handle), position=position)


@pytest.mark.parametrize("kind", ["hippo", "node", "viewer"])
def test_within_the_region(grid: Grid, visit: Visit, kind: str) -> None:
    witness = visit.viewer(grid.west, (100, 100))
    me = getattr(visit, kind)(grid.west, (100, 104))
    until(lambda: witness.position(me.agent_id), "the witness sees it")
    go(me, grid.west.handle, [150, 160, 5])
    until(lambda: math.dist(me.position()[:2], (150, 160)) < 2, "it knows that it is there")
    until(lambda: math.dist(witness.position(me.agent_id)[:2], (150, 160)) < 2, "the witness sees it there")
    assert 5 < me.position()[2] < 500, "z is lifted to the ground"
    grid.settled(me.agent_id, grid.west)


@pytest.mark.parametrize("kind", ["hippo", "node", "viewer"])
def test_to_another_region_and_on(grid: Grid, visit: Visit, kind: str) -> None:
    """Neighbour (whose child agent a full viewer already has), then one that touches at a corner only."""
    here, there = visit.viewer(grid.west, (100, 100)), visit.viewer(grid.north, (60, 70))
    me = getattr(visit, kind)(grid.west, (104, 100))
    until(lambda: here.position(me.agent_id), "seen here")
    go(me, grid.north.handle, [64, 70, 0])
    until(lambda: there.position(me.agent_id), "seen there")
    until(lambda: here.position(me.agent_id) is None, "no more seen here")
    grid.settled(me.agent_id, grid.north)
    until(lambda: (at := me.position()) and math.dist(at[:2], (64, 70)) < 2, "knows where it is")

    mark = there.mark()
    me.chat("arrived") if isinstance(me, Viewer) else me.do("chat", text="arrived")
    there.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "arrived", since=mark)
    mark = me.mark()
    there.chat("welcome")
    me.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "welcome", since=mark)

    go(me, grid.east.handle, [30, 30, 0])
    grid.settled(me.agent_id, grid.east)
    until(lambda: there.position(me.agent_id) is None, "gone from there")


@pytest.mark.parametrize("kind", ["hippo", "node"])
def test_a_place_that_is_not_there_is_refused(grid: Grid, visit: Visit, kind: str) -> None:
    me = getattr(visit, kind)(grid.west)
    with pytest.raises(ClientError, match=r"(?i)teleport"):
        me.do("teleport", handle=str(NOWHERE), position=[128, 128, 30])
    mark = me.mark()
    me.do("chat", text="still here")
    me.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "still here", since=mark)
    grid.settled(me.agent_id, grid.west)


def test_a_viewer_is_told_why(grid: Grid, visit: Visit) -> None:
    me = visit.viewer(grid.west)
    me.send("TeleportLocationRequest", Info={"RegionHandle": NOWHERE, "Position": [1.0, 1.0, 1.0]})
    failed: Event = me.wait("TeleportFailed")
    assert failed["Info.Reason"] and failed["Info.AgentID"] == me.agent_id


def test_each_region_has_capabilities_of_its_own(grid: Grid, visit: Visit) -> None:
    me = visit.viewer(grid.west, children=False)
    before = {url for url in me.root.caps.values() if "/caps/" in url}  # assets come from the store, for all alike
    me.teleport(grid.far.handle, [128.0, 128.0, 0.0])
    grid.settled(me.agent_id, grid.far)
    assert before.isdisjoint(me.root.caps.values())


def test_wild_positions_are_brought_inside(grid: Grid, visit: Visit) -> None:
    me = visit.viewer(grid.west, (100, 100))
    nan, far = float("nan"), 1e30

    for wild in ([-50.0, 300.0, -20.0], [far, -far, far], [nan, nan, nan], [math.inf, 10.0, 10.0]):
        me.send("TeleportLocationRequest", Info={"RegionHandle": grid.west.handle, "Position": wild})
        mark = me.mark()
        me.chat("still here")
        me.wait("ChatFromSimulator", since=mark)
        x, y, z = me.position()
        assert 0 <= x <= 256 and 0 <= y <= 256 and 0 < z < 5000


def test_an_invitation_brings_the_friend(grid: Grid, visit: Visit) -> None:
    host, guest = visit.viewer(grid.far, (80, 90)), visit.viewer(grid.west)
    host.send("StartLure", Info={"Message": "Come here"}, TargetData=[{"TargetID": guest.agent_id}])
    lure = guest.wait("ImprovedInstantMessage", lambda event: event["MessageBlock.Dialog"] == 22)
    assert lure["MessageBlock.Message"] == "Come here" and lure["AgentData.AgentID"] == host.agent_id
    guest.send("TeleportLureRequest", Info={"AgentID": guest.agent_id, "SessionID": guest.session_id,
                                            "LureID": lure["MessageBlock.ID"], "TeleportFlags": 4})
    until(lambda: host.position(guest.agent_id), "the guest arrives")
    grid.settled(guest.agent_id, grid.far)
    until(lambda: math.dist(guest.position()[:2], (80, 90)) < 6, "beside the host")
