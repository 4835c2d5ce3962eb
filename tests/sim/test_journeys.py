"""Crossings, teleports and departures that meet each other: one avatar, in one place, and nobody left behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from protocol.message import Message
from protocol.wellknown import region_handle
from sim.caps.event_queue import LIMIT
from sim.neighbours.neighbours import Neighbours
from sim.neighbours.peers import PeerError
from sim.neighbours.records import RegionRecord
from sim.neighbours.state import HandOff, Reason
from sim.world.agent import Agent
from sim.world.journey import At
from tests.kit.world import TestSimulator, Viewer, add_child, add_region, add_root, settle

SEED = "http://127.0.0.1:13000/caps/" + str(uuid4())


class Peers:
    """The regions around: they take everybody, when `answer` says so."""

    def __init__(self, sim: TestSimulator) -> None:
        self.announced: list[HandOff] = []
        self.closed: list[tuple[UUID, UUID, str]] = []
        self.told: list[UUID] = []
        self.voided: list[tuple[UUID, UUID, dict[str, Any]]] = []
        self.arrived = False  # whether who teleports has arrived there
        self.answer = asyncio.Event()
        self.answer.set()
        self.away = False
        sim.neighbours.peers = self  # type: ignore[assignment]

    async def announce(self, region: RegionRecord, state: HandOff) -> dict[str, Any]:
        self.announced.append(state)
        await self.answer.wait()
        if self.away:
            raise PeerError(0, "away")
        return {"seed_capability": SEED, "position": state.position, "look_at": [1.0, 0.0, 0.0]}

    async def close_agent(self, region: RegionRecord, agent_id: UUID, session_id: UUID, reason: str = "") -> None:
        self.closed.append((region.region_id, session_id, reason))

    async def departed(self, http_url: str, agent_id: UUID, session_id: UUID, transaction: UUID | None) -> None:
        self.told.append(agent_id)

    async def void(self, region: RegionRecord, transaction: UUID, body: dict[str, Any]) -> list[RegionRecord]:
        if body.get("unless_arrived") and self.arrived:
            raise PeerError(409, "arrived")
        self.voided.append((region.region_id, transaction, body))
        return []

    def handed_over(self, reason: Reason) -> list[HandOff]:
        return [state for state in self.announced if state.reason is reason]


def handed_back(agent: Agent, reason: Reason, **more: Any) -> HandOff:
    """What another region says when the same session comes here."""
    state = HandOff(
        reason, agent.agent_id, agent.session_id, agent.secure_session_id, agent.circuit_code, agent.first, agent.last,
        (250.0, 128.0, 30.0),
    )  # fmt: skip
    return replace(state, **more)


async def at_the_border(sim: TestSimulator) -> tuple[Viewer, Peers, RegionRecord]:
    """Somebody who has just walked out over the eastern side, the other region not having answered yet."""
    peers = Peers(sim)
    east = add_region(sim, "East", 1001, 1000)
    anna = add_root(sim)
    await settle(sim)
    peers.announced.clear()
    peers.answer.clear()
    sim.world.row(anna.agent)["position"] = (257.0, 128.0, 30.0)
    anna.forget()
    sim.neighbours.borders.run()
    await asyncio.sleep(0)
    assert len(peers.handed_over(Reason.CROSSING)) == 1
    return anna, peers, east


def leave(viewer: Viewer) -> None:
    viewer.sends(Message("LogoutRequest"))


class Body:
    """A request with a JSON body."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._value = value

    async def json(self) -> dict[str, Any]:
        return self._value


# --- crossing


async def test_a_crossing(sim: TestSimulator) -> None:
    anna, peers, _ = await at_the_border(sim)
    peers.answer.set()
    await settle(sim)
    assert anna.agent.child and anna.events("CrossedRegion")


async def test_who_logs_out_while_crossing_is_ended_beyond_too(sim: TestSimulator) -> None:
    anna, peers, east = await at_the_border(sim)
    leave(anna)
    peers.answer.set()
    await settle(sim)
    assert anna.heard("LogoutReply") and anna.id not in sim.world.agents
    assert (east.region_id, anna.agent.session_id, "You have logged out.") in peers.closed


async def test_no_teleport_while_crossing(sim: TestSimulator) -> None:
    anna, peers, _ = await at_the_border(sim)
    for handle in (region_handle(1001, 1000), sim.world.facts.handle):
        anna.sends(Message("TeleportLocationRequest", Info={"RegionHandle": handle, "Position": (9, 9, 30)}))
    await asyncio.sleep(0)
    assert not peers.handed_over(Reason.TELEPORT) and not anna.heard("TeleportLocal")
    assert len(anna.events("TeleportFailed")) == 2
    peers.answer.set()
    await settle(sim)
    assert anna.agent.child and anna.events("CrossedRegion")


async def test_back_again_before_the_crossing_was_answered(sim: TestSimulator) -> None:
    """It has the avatar from the moment it took it; its answer may come after the avatar itself."""
    anna, peers, _ = await at_the_border(sim)
    sim.sessions.announce(handed_back(anna.agent, Reason.CROSSING))
    sim.sessions.take_over(anna.agent)
    assert anna.agent.root and sim.world.position(anna.agent)[0] == 250.0
    peers.answer.set()
    await settle(sim)
    assert anna.agent.root and not anna.events("CrossedRegion")
    assert sum(agent is anna.agent for agent in sim.world.agent_of_row.values()) == 1


async def test_a_region_that_did_not_answer_gives_the_avatar_back(
    sim: TestSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = asyncio.sleep
    monkeypatch.setattr("sim.neighbours.handovers.asyncio.sleep", lambda seconds: real(0))
    anna, peers, east = await at_the_border(sim)
    sim.backbone.calls.clear()
    peers.away = True
    peers.answer.set()
    await settle(sim)
    assert anna.agent.root and sim.world.position(anna.agent)[0] < 256
    assert not sim.world.row(anna.agent)["held"]
    transactions = {state.transaction for state in peers.handed_over(Reason.CROSSING)}
    assert len(peers.handed_over(Reason.CROSSING)) == 4 and len(transactions) == 1
    assert [(region, one) for region, one, _ in peers.voided] == [(east.region_id, *transactions)]
    assert sim.backbone.called("arrive")  # the other may have said that it has it


async def test_what_was_taken_back_goes_alone(sim: TestSimulator) -> None:
    """The views around belong to whoever has the avatar now."""
    peers = Peers(sim)
    west = add_region(sim, "West", 999, 1000)
    anna = add_child(sim)
    transaction = uuid4()
    state = handed_back(anna.agent, Reason.CROSSING, views={west.region_id: SEED}, transaction=transaction)
    sim.sessions.announce(state)
    anna.sends(Message("CompleteAgentMovement", AgentData={"CircuitCode": anna.agent.circuit_code}))
    assert anna.agent.root
    void = {"region_id": str(west.region_id), "agents": {str(anna.id): {"seed_capability": SEED, "position": [9, 9, 9]}}}
    assert sim.neighbours.handovers.void(transaction, void) == []
    await settle(sim)
    assert anna.agent.child and not peers.closed
    (back,) = anna.events("CrossedRegion")  # its viewer had followed
    assert back["RegionData"][0]["SeedCapability"] == SEED


async def test_the_end_of_a_view_does_not_end_an_avatar(sim: TestSimulator) -> None:
    """It may come late, from where the avatar was before it came here again."""
    Peers(sim)
    anna = add_root(sim)
    await settle(sim)
    await end(sim, anna)
    await settle(sim)
    assert sim.world.agents[anna.id] is anna.agent and anna.agent.root


async def test_the_end_of_a_view_may_come_before_the_answer(sim: TestSimulator) -> None:
    """The destination was quick: the avatar is two regions further on, from where nobody looks in here."""
    anna, peers, _ = await at_the_border(sim)
    await end(sim, anna)
    assert anna.agent.root
    peers.answer.set()
    await settle(sim)
    assert anna.id not in sim.world.agents and anna.heard("DisableSimulator")


async def test_a_viewer_that_comes_late_is_sent_on(sim: TestSimulator) -> None:
    """The avatar has gone on before its viewer said that it has come: it must not wait for an answer for ever."""
    anna, peers, east = await at_the_border(sim)
    peers.answer.set()
    await settle(sim)
    anna.forget()
    anna.sends(Message("CompleteAgentMovement", AgentData={"CircuitCode": anna.agent.circuit_code}))
    (again,) = anna.events("CrossedRegion")
    assert again["RegionData"][0]["SimPort"] == east.port and not anna.heard("AgentMovementComplete")


async def end(sim: TestSimulator, viewer: Viewer, reason: str = "") -> None:
    class Request:
        match_info = {"id": str(viewer.id)}
        query = {"session_id": str(viewer.agent.session_id), "reason": reason}

    services = sim.services
    assert (await services.end(Request())).status == 204  # type: ignore[arg-type]


# --- teleport


async def teleporting(sim: TestSimulator) -> tuple[Viewer, Peers, RegionRecord]:
    """Somebody told to go east; the destination has not heard of the viewer yet."""
    peers = Peers(sim)
    east = add_region(sim, "East", 1001, 1000)
    anna = add_root(sim)
    await settle(sim)
    place = {"RegionHandle": region_handle(1001, 1000), "Position": (9, 9, 30)}
    anna.sends(Message("TeleportLocationRequest", Info=place))
    await settle(sim)
    assert anna.events("TeleportFinish")
    return anna, peers, east


async def test_nobody_walks_over_while_teleporting(sim: TestSimulator) -> None:
    anna, peers, _ = await teleporting(sim)
    sim.world.row(anna.agent)["position"] = (257.0, 128.0, 30.0)
    sim.neighbours.borders.run()
    await settle(sim)
    assert not peers.handed_over(Reason.CROSSING)
    assert sim.world.position(anna.agent)[0] < 256


async def test_the_view_ended_before_the_departure_was_told(sim: TestSimulator) -> None:
    """The destination sends both at once, and they may overtake each other."""
    anna, peers, _ = await teleporting(sim)
    peers.closed.clear()
    await end(sim, anna)
    await settle(sim)
    assert anna.heard("DisableSimulator") and not anna.heard("KickUser")
    assert anna.id not in sim.world.agents and not peers.closed


async def test_back_again_before_the_departure_was_told(sim: TestSimulator) -> None:
    anna, _, _ = await teleporting(sim)
    sim.sessions.announce(handed_back(anna.agent, Reason.TELEPORT))
    assert anna.agent.child
    anna.sends(Message("CompleteAgentMovement", AgentData={"CircuitCode": anna.agent.circuit_code}))
    assert anna.agent.journey.at is At.HERE
    sim.neighbours.teleports.departed(anna.agent, uuid4())  # late, and about the journey before
    assert anna.agent.root and sim.world.position(anna.agent)[0] == 250.0


async def test_late_news_of_a_departure_do_not_end_the_next_teleport(sim: TestSimulator) -> None:
    anna, _, _ = await teleporting(sim)
    sim.neighbours.teleports.departed(anna.agent, uuid4())
    assert anna.agent.root
    sim.neighbours.teleports.departed(anna.agent, anna.agent.journey.transaction)
    assert anna.agent.child


def cancel(viewer: Viewer) -> None:
    info = {"AgentID": viewer.id, "SessionID": viewer.agent.session_id}
    viewer.sends(Message("TeleportCancel", Info=info))


async def test_a_teleport_is_cancelled_before_the_viewer_is_sent(sim: TestSimulator) -> None:
    peers = Peers(sim)
    east = add_region(sim, "East", 1001, 1000)
    anna = add_root(sim)
    await settle(sim)
    peers.answer.clear()
    place = {"RegionHandle": region_handle(1001, 1000), "Position": (9, 9, 30)}
    anna.sends(Message("TeleportLocationRequest", Info=place))
    await asyncio.sleep(0)
    other = {"AgentID": anna.id, "SessionID": uuid4()}
    anna.sends(Message("TeleportCancel", Info=other))
    assert not anna.events("TeleportFailed")
    cancel(anna)
    (failed,) = anna.events("TeleportFailed")
    assert failed["Info"][0]["Reason"] == failed["AlertInfo"][0]["Message"] == "The teleport was cancelled."
    peers.answer.set()
    await settle(sim)
    assert not anna.events("TeleportFinish") and anna.agent.journey.at is At.HERE
    (state,) = peers.handed_over(Reason.TELEPORT)
    assert [(region, one) for region, one, _ in peers.voided] == [(east.region_id, state.transaction)]
    anna.sends(Message("TeleportLocationRequest", Info=place))
    await settle(sim)
    assert anna.events("TeleportFinish")


async def test_who_is_on_the_way_cannot_cancel(sim: TestSimulator) -> None:
    anna, peers, _ = await teleporting(sim)
    cancel(anna)
    await settle(sim)
    assert not anna.events("TeleportFailed") and not peers.voided
    sim.neighbours.teleports.departed(anna.agent, anna.agent.journey.transaction)
    cancel(anna)
    assert anna.agent.child and not anna.events("TeleportFailed")


async def test_nothing_to_cancel(sim: TestSimulator) -> None:
    anna = add_root(sim)
    cancel(anna)
    assert not anna.events("TeleportFailed")


async def test_before_a_teleport_is_given_up_the_destination_is_asked(sim: TestSimulator) -> None:
    """The news of the arrival may have been lost: giving up then would make two avatars."""
    anna, peers, _ = await teleporting(sim)
    peers.arrived = True
    sim.clock.advance(66.0)
    await settle(sim)
    assert anna.agent.child and not anna.events("TeleportFailed")


async def test_a_teleport_that_came_to_nothing_is_given_up(sim: TestSimulator) -> None:
    anna, peers, _ = await teleporting(sim)
    sim.clock.advance(66.0)
    await settle(sim)
    assert anna.agent.root and anna.events("TeleportFailed") and len(peers.voided) == 1


async def test_who_went_on_does_not_tell_where_it_came_from(sim: TestSimulator) -> None:
    peers = Peers(sim)
    anna = add_child(sim, reason="teleport")
    neighbours: Neighbours = sim.neighbours
    await neighbours._tell_origin(anna.agent, "http://127.0.0.1:13000", None)
    assert not peers.told


# --- leaving from where the avatar is not


async def test_who_cannot_cross_can_still_log_out(sim: TestSimulator) -> None:
    """A client without crossings goes on speaking to the region its avatar walked out of."""
    anna, peers, east = await at_the_border(sim)
    peers.answer.set()
    await settle(sim)
    leave(anna)
    await settle(sim)
    assert anna.heard("LogoutReply") and anna.id not in sim.world.agents
    (left,) = sim.backbone.called("leave")
    assert left[2] == east.region_id and left[3][0] == 1.0
    assert (east.region_id, anna.agent.session_id, "You have logged out.") in peers.closed


async def test_logout_before_the_avatar_appeared(sim: TestSimulator) -> None:
    anna = add_child(sim, reason="login", position=(30, 40, 25))
    leave(anna)
    await settle(sim)
    assert anna.heard("LogoutReply") and anna.id not in sim.world.agents
    (left,) = sim.backbone.called("leave")
    assert left[0] == anna.id and left[3][:2] == (30, 40)


async def test_a_view_cannot_log_out(sim: TestSimulator) -> None:
    anna = add_child(sim)
    leave(anna)
    await settle(sim)
    assert not anna.heard("LogoutReply") and not sim.backbone.called("leave")
    assert anna.id in sim.world.agents


async def test_who_walked_in_and_never_came_leaves_no_views(sim: TestSimulator) -> None:
    peers = Peers(sim)
    west = add_region(sim, "West", 999, 1000)
    anna = add_child(sim)
    state = handed_back(anna.agent, Reason.CROSSING, views={west.region_id: SEED})
    sim.sessions.announce(state)
    sim.clock.advance(81.0)
    await settle(sim)
    assert anna.id not in sim.world.agents and sim.backbone.called("leave")
    assert [closed[0] for closed in peers.closed] == [west.region_id]


async def test_a_view_never_taken_up_is_no_reason_to_refuse_an_arrival(sim: TestSimulator) -> None:
    """Some clients open a circuit only when they come: the time they had for the view says nothing about that."""
    anna = add_child(sim)
    sim.circuits.close(anna.circuit, "test")
    sim.clock.advance(85.0)
    sim.sessions.announce(handed_back(anna.agent, Reason.CROSSING))
    sim.clock.advance(10.0)
    await settle(sim)
    assert sim.world.agents[anna.id] is anna.agent and not sim.backbone.called("leave")
    sim.clock.advance(75.0)
    await settle(sim)
    assert anna.id not in sim.world.agents and sim.backbone.called("leave")


async def test_late_news_of_an_old_session_leaves_the_new_one_alone(sim: TestSimulator) -> None:
    """Somebody who logs in again at once: the old arrival is refused by Backbone when the new agent waits already."""
    anna = add_root(sim)
    again = handed_back(anna.agent, Reason.LOGIN, session_id=uuid4())
    new = sim.sessions.announce(again)
    sim.sessions.kick(anna.agent, "Your session has ended elsewhere.")
    sim.sessions.remove(anna.agent, "late")
    assert sim.world.agents[anna.id] is new
    assert sim.cap_server._grants[new.seed].agent is new


async def test_only_a_login_replaces_who_is_here(sim: TestSimulator) -> None:
    """A neighbour's announcement of the session before may have been on the way all the time."""
    anna = add_root(sim)
    old = handed_back(anna.agent, Reason.CHILD, session_id=uuid4()).encode()
    for reason, status in (("child", 409), ("crossing", 409), ("teleport", 409), ("login", 200)):
        answer = await sim.services.announce(Body({**old, "reason": reason}))  # type: ignore[arg-type]
        assert answer.status == status, reason
        assert (sim.world.agents[anna.id] is anna.agent) == (status == 409)


# --- memory


async def test_a_queue_that_nobody_polls_is_bounded(sim: TestSimulator) -> None:
    anna = add_root(sim)
    assert anna.agent.events is not None
    for _ in range(LIMIT + 500):
        sim.neighbours.teleports.fail(anna.agent, "no")
    assert len(anna.agent.events) == LIMIT and anna.agent.events.dropped >= 500


# --- asking again


async def test_full_updates_of_what_a_viewer_has_lost(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    sim.clock.advance(1.0)
    sim.frame.once(sim.clock.now())
    anna.forget()
    asked = [{"CacheMissType": 0, "ID": one} for one in (bert.agent.local_id, 4_000_000, 0)]
    anna.sends(Message("RequestMultipleObjects", ObjectData=asked))
    sim.frame.once(sim.clock.now())
    (update,) = anna.heard("ObjectUpdate")
    assert [block["FullID"] for block in update["ObjectData"]] == [bert.id]
