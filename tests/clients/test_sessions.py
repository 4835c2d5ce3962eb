"""One account, one session: a second login ends the first, and a client that vanished is soon forgotten."""
from __future__ import annotations

import urllib.error

import pytest

from .conftest import Visit
from .driver import until
from .grid import Grid
from .raw.viewer import Viewer


def test_a_second_login_ends_the_first(grid: Grid, visit: Visit) -> None:
    who = grid.account()
    witness = visit.viewer(grid.west, (100, 100))
    first = visit.node(grid.west, (104, 100), who)
    until(lambda: witness.position(who.agent_id), "the first is seen")
    second = visit.hippo(grid.east, who=who)
    told = first.wait("disconnected")
    assert told["disconnected.requested"] is False and told["disconnected.message"]
    visit.left(first)
    until(lambda: witness.position(who.agent_id) is None, "the first is gone")
    grid.settled(who.agent_id, grid.east)
    mark = second.mark()
    second.do("chat", text="it is me now")
    second.wait("ChatFromSimulator", since=mark)

    third = visit.viewer(grid.east, who=who)  # into the very region the second is in
    second.wait("KickUser")
    visit.left(second)
    second.do("logout")
    mark = third.mark()
    third.chat("and now me")
    third.wait("ChatFromSimulator", since=mark)
    grid.settled(who.agent_id, grid.east)


def test_the_old_session_can_do_nothing_any_more(grid: Grid, visit: Visit) -> None:
    who = grid.account()
    old = visit.viewer(grid.west, (100, 100), who)
    new = visit.viewer(grid.west, (104, 100), who)
    until(lambda: old.kicked, "the old one is kicked")
    visit.left(old)
    mark = new.mark()
    old.chat("I am the real one")
    old.send("LogoutRequest")
    new.chat("no, I am")
    new.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == "no, I am", since=mark)
    assert "I am the real one" not in [event["ChatData.Message"] for event in new.since(mark, "ChatFromSimulator")]
    with pytest.raises(urllib.error.HTTPError) as gone:
        old.cap("SimulatorFeatures")
    assert gone.value.code == 404
    grid.settled(who.agent_id, grid.west)
    old.vanish()


@pytest.mark.parametrize("kind", ["hippo", "node"])
def test_after_a_crash_the_next_login_works_at_once(grid: Grid, visit: Visit, kind: str) -> None:
    who = grid.account()
    witness = visit.viewer(grid.north, (100, 100))
    crashed = getattr(visit, kind)(grid.north, (104, 100), who)
    until(lambda: witness.position(who.agent_id), "seen")
    crashed.kill()
    visit.left(crashed)
    again = visit.viewer(grid.north, (130, 100), who)
    until(lambda: (at := witness.position(who.agent_id)) and at[0] > 120, "seen in the new place")
    grid.settled(who.agent_id, grid.north)
    assert again.position()


def test_a_client_that_vanished_is_gone_within_the_minute(grid: Grid, vanished: tuple[str, Viewer]) -> None:
    """It vanished at the beginning of the run; 60 s of silence end a session."""
    who, witness = vanished
    until(lambda: witness.position(who) is None, "its avatar is removed", timeout=100, every=0.5)
    grid.settled(who, None)


def test_logging_out_is_answered(grid: Grid, visit: Visit) -> None:
    me, witness = visit.viewer(grid.far, (100, 100)), visit.node(grid.far, (104, 100))
    until(lambda: witness.position(me.agent_id), "seen")
    me.leave()  # waits for LogoutReply
    visit.left(me)
    until(lambda: witness.position(me.agent_id) is None, "gone")
    grid.settled(me.agent_id, None)
    with pytest.raises(urllib.error.HTTPError):
        me.cap("SimulatorFeatures")
