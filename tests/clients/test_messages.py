"""Instant messages: near, far, and kept for those who are away."""
from __future__ import annotations

from typing import Any

import pytest

from .conftest import Visit
from .driver import Driver, Event, until
from .grid import Account, Grid
from .raw.viewer import Viewer


@pytest.fixture(scope="module")
def hippo(stay: Visit, grid: Grid) -> Driver:
    return stay.hippo(grid.west)


@pytest.fixture(scope="module")
def node(stay: Visit, grid: Grid) -> Driver:
    return stay.node(grid.far)


@pytest.fixture(scope="module")
def viewer(stay: Visit, grid: Grid) -> Viewer:
    return stay.viewer(grid.west)


def received(client: Any, text: str, since: int = 0) -> Event:
    return client.wait(
        "ImprovedInstantMessage", lambda event: event["MessageBlock.Message"] == text, since=since
    )


def test_within_a_region(hippo: Driver, viewer: Viewer) -> None:
    mark = viewer.mark()
    hippo.do("im", to=viewer.agent_id, text="psst", im_id="11111111-2222-4333-8444-555555555555")
    event = received(viewer, "psst", mark)
    assert event["AgentData.AgentID"] == hippo.agent_id
    assert event["MessageBlock.ToAgentID"] == viewer.agent_id
    assert event["MessageBlock.FromAgentName"] == hippo.name, "the true name, whatever the client wrote"
    assert event["MessageBlock.ID"] == "11111111-2222-4333-8444-555555555555"
    assert (event["MessageBlock.Dialog"], event["MessageBlock.Offline"]) == (0, 0)


def test_across_regions_both_ways(hippo: Driver, node: Driver) -> None:
    mark = node.mark()
    hippo.do("im", to=node.agent_id, text="from west to far")
    told = node.wait("im", lambda event: event["im.message"] == "from west to far", since=mark)
    assert told["im.from"] == hippo.agent_id and told["im.fromName"] == hippo.name
    mark = hippo.mark()
    node.do("im", to=hippo.agent_id, text="from far to west: ü")
    event = received(hippo, "from far to west: ü", mark)
    assert event["AgentData.AgentID"] == node.agent_id and event["MessageBlock.FromAgentName"] == node.name


def test_typing_is_shown_to_the_peer(hippo: Driver, node: Driver) -> None:
    mark = hippo.mark()
    node.do("im_typing", to=hippo.agent_id, on=True)
    hippo.wait("ImprovedInstantMessage", lambda event: event["MessageBlock.Dialog"] == 41, since=mark)
    node.do("im_typing", to=hippo.agent_id, on=False)
    hippo.wait("ImprovedInstantMessage", lambda event: event["MessageBlock.Dialog"] == 42, since=mark)


def test_nobody_writes_in_anothers_name(hippo: Driver, node: Driver, viewer: Viewer) -> None:
    mark = node.mark()
    viewer.send("ImprovedInstantMessage", AgentData={"AgentID": hippo.agent_id},
                MessageBlock={"ToAgentID": node.agent_id, "Message": "forged", "FromAgentName": hippo.name})
    viewer.im(node.agent_id, "honest")
    assert received(node, "honest", mark)["AgentData.AgentID"] == viewer.agent_id
    assert "forged" not in [event["MessageBlock.Message"] for event in node.since(mark, "ImprovedInstantMessage")]


def test_a_message_to_nobody_breaks_nothing(hippo: Driver, viewer: Viewer) -> None:
    mark = viewer.mark()
    hippo.do("im", to="00000000-0000-0000-0000-000000000000", text="?")
    hippo.do("im", to="deadbeef-0000-4000-8000-000000000000", text="?")
    hippo.do("im", to=viewer.agent_id, text="still here")
    received(viewer, "still here", mark)


def leave_messages(grid: Grid, hippo: Driver, node: Driver) -> Account:
    """Both write to somebody who is away, and are told that it waits."""
    away = grid.account()
    marks = hippo.mark(), node.mark()
    hippo.do("im", to=away.agent_id, text="from hippo")
    node.do("im", to=away.agent_id, text="from node")
    for sender, mark in zip((hippo, node), marks, strict=True):
        notice = sender.wait("ImprovedInstantMessage", since=mark,
                             where=lambda event: event["AgentData.AgentID"] == away.agent_id)
        assert "not online" in notice["MessageBlock.Message"] and notice["MessageBlock.Dialog"] == 0

    return away


def test_messages_wait_for_those_who_are_away(grid: Grid, visit: Visit, hippo: Driver, node: Driver) -> None:
    away = leave_messages(grid, hippo, node)
    back = visit.viewer(grid.east, who=away)
    back.send("RetrieveInstantMessages")
    for text, sender in (("from hippo", hippo), ("from node", node)):
        event = received(back, text)
        assert event["MessageBlock.Offline"] == 1
        assert event["MessageBlock.FromAgentName"] == sender.name
        assert event["AgentData.AgentID"] == sender.agent_id
    mark = back.mark()
    back.send("RetrieveInstantMessages")
    hippo.do("im", to=away.agent_id, text="live")
    assert received(back, "live", mark)["MessageBlock.Offline"] == 0
    assert len(list(back.since(mark, "ImprovedInstantMessage"))) == 1, "each is delivered once"
    until(lambda: grid.get(f"/agents/{away.agent_id}/messages")["messages"] == [], "Backbone forgets what was received")
    back.leave()
    visit.left(back)
    again = visit.hippo(grid.east, who=away)
    again.do("send", message="RetrieveInstantMessages")
    hippo.do("im", to=away.agent_id, text="second visit")
    received(again, "second visit")
    assert [event["MessageBlock.Message"] for event in again.since(0, "ImprovedInstantMessage")] == ["second visit"]


def test_messages_are_also_read_by_capability(grid: Grid, visit: Visit, hippo: Driver, node: Driver) -> None:
    away = leave_messages(grid, hippo, node)
    stored = visit.viewer(grid.east, who=away).cap("ReadOfflineMsgs")
    assert sorted(message["message"] for message in stored) == ["from hippo", "from node"]
    assert {message["from_agent_name"] for message in stored} == {hippo.name, node.name}
    assert all(message["offline"] == 1 and message["dialog"] == 0 for message in stored)
