"""Hand-overs whose end nobody knows: regions that stop, die or are not heard. In the end there is one of everything."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from protocol.errors import ProtocolError
from protocol.message import Message, text
from sim.neighbours.crossing import GIVE_UP_AFTER, NO_ANSWER, REFUSED, WAITING
from sim.neighbours.state import HandOff, Reason
from sim.world.agent import Vector
from sim.world.journey import At
from sim.world.objects import Prim
from tests.kit.joined import FakeRequest, agents_of, look_in, run
from tests.kit.world import TestSimulator, Viewer
from tests.sim.handlers.test_building import rez
from tests.sim.test_object_crossing import Regions, anna, link_of, quick, regions, seated, sit, slide

__all__ = ["anna", "regions"]  # fixtures


SENT: list[dict[str, Any]] = []  # bundles of objects
ANNOUNCED: list[HandOff] = []  # and agents


@pytest.fixture(autouse=True)
def sent(regions: Regions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps what regions hand over, as it leaves."""
    SENT.clear()
    ANNOUNCED.clear()
    for sim in regions:
        peers = sim.neighbours.peers

        def hand(region: Any, bundle: Any, real: Any = peers.hand_object) -> Any:
            SENT.append(bundle)
            return real(region, bundle)

        def announce(region: Any, state: Any, real: Any = peers.announce) -> Any:
            ANNOUNCED.append(state)
            return real(region, state)

        monkeypatch.setattr(peers, "hand_object", hand)
        monkeypatch.setattr(peers, "announce", announce)


async def announce(sim: TestSimulator, state: dict[str, object]) -> None:
    answer = await sim.services.announce(FakeRequest(state, {}, {}))  # type: ignore[arg-type]
    assert answer.status == 200


def on_its_way(regions: Regions, anna: Viewer) -> Prim:
    """A box with its rider, a moment before the eastern border."""
    box = rez(anna, (254.0, 128.0, 26.5))
    sit(anna, box)
    slide(regions[0], box, (5.0, 0.0, 0.0))
    return box


def copies(regions: Regions, prim: Prim) -> Regions:
    return [sim for sim in regions if prim.full_id in sim.world.objects.by_id]


async def goes_on(there: TestSimulator, box: Prim, place: Vector, regions: Regions) -> None:
    assert there.neighbours.objects.begin(there.world.objects.by_id[box.full_id], place)
    await run(regions, 0.2)


async def walks(sim: TestSimulator, viewer: Viewer, place: Vector) -> None:
    """The avatar is over the border all of a sudden."""
    agent = sim.world.agents[viewer.id]
    sim.world.row(agent)["position"] = place
    sim.neighbours.borders.run()


def last_report(regions: Regions, viewer: Viewer) -> TestSimulator:
    """The region that told Backbone last that the agent is in it. All say so to a Backbone of their own, in this order."""
    told = [sim for sim in regions if any(call[0] == viewer.id for call in sim.backbone.called("arrive"))]
    return told[-1]


async def test_taken_unheard_and_handed_on(regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """East took it and is not heard; it is in the north-east when the source takes it back: the word follows it."""
    quick(monkeypatch)
    west, east, _, north_east = regions
    link_of(east).lost_answers = 6  # four hand-overs, and the first words about their being void
    link_of(east).gate.clear()
    box = on_its_way(regions, anna)
    await run(regions, 0.6)
    status, _ = await east.neighbours.object_arrival.take(SENT[0])
    assert status == 200
    await goes_on(east, box, (128.0, 258.0, 26.5), regions)
    assert copies(regions, box) == [west, north_east]
    link_of(east).gate.set()
    for sim in regions:
        sim.backbone.calls.clear()
    await run(regions, 1.5)
    assert seated(regions, anna, box) is west
    assert last_report(regions, anna) is west
    assert not any(sim.neighbours.objects.under_way for sim in regions)
    assert anna.agent.journey.at is At.HERE


async def test_a_stopped_region_goes_on(regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds four hand-overs and their end in its sockets, hands on what it took between them, and so does the next."""
    quick(monkeypatch)
    west, east, north_west, north_east = regions
    link_of(east).stopped = True
    box = on_its_way(regions, anna)
    await run(regions, 1.0)
    assert seated(regions, anna, box) is west  # taken back
    handed, void = link_of(east).waiting[:4], link_of(east).waiting[4:]
    await handed[0]()  # as if it had just come
    assert copies(regions, box) == [west, east]
    await goes_on(east, box, (128.0, 258.0, 26.5), regions)
    for late in handed[1:]:
        await late()
    assert copies(regions, box) == [west, north_east]
    await goes_on(north_east, box, (-2.0, 128.0, 26.5), regions)
    assert copies(regions, box) == [west, north_west]
    await void[0]()
    await link_of(east).resume()
    await run(regions, 1.0)
    assert seated(regions, anna, box) is west
    assert not any(agent.root for sim in (east, north_west, north_east) for agent in sim.world.agents.values())


async def test_a_region_that_died_has_handed_it_on(
    regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can say where to: whoever lies around it is told."""
    quick(monkeypatch)
    west, east, _, north_east = regions
    link_of(east).lost_answers = 1
    link_of(east).gate.clear()
    box = on_its_way(regions, anna)
    await run(regions, 0.6)
    status, _ = await east.neighbours.object_arrival.take(SENT[0])
    assert status == 200
    await goes_on(east, box, (128.0, 258.0, 26.5), regions)
    link_of(east).gate.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    link_of(east).dead = True
    await run(regions, 1.0)
    assert seated(regions, anna, box) is west
    assert not any(agent.root for agent in north_east.world.agents.values())


async def test_a_ghost_is_refused_wherever_its_end_is_known(
    regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back to the source before the word has reached where it is."""
    quick(monkeypatch)
    west, east, _, _ = regions
    link_of(east).stopped = True
    box = on_its_way(regions, anna)
    await run(regions, 1.0)
    await link_of(east).waiting.pop(0)()
    assert copies(regions, box) == [west, east]  # the word does not come through; what east says does
    ghost = east.world.objects.by_id[box.full_id]
    assert east.neighbours.objects.begin(ghost, (-2.0, 128.0, 26.5))
    for _ in range(20):
        await asyncio.sleep(0)
    assert copies(regions, box) == [west, east] and agents_of(regions, anna.id)[0] is west
    await link_of(east).resume()
    await run(regions, 1.0)
    assert seated(regions, anna, box) is west


async def test_a_viewer_that_followed_is_called_back(
    regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    west, east, _, _ = regions
    link_of(east).stopped = True
    box = on_its_way(regions, anna)
    await run(regions, 1.0)
    await link_of(east).waiting.pop(0)()
    there = look_in(anna, east)
    east.sessions.movement_completed(there.agent)
    there.forget()
    await link_of(east).resume()
    await run(regions, 1.0)
    assert seated(regions, anna, box) is west
    (back,) = there.events("CrossedRegion")
    assert back["RegionData"][0]["SimPort"] == west.port
    assert str(west.world.agents[anna.id].seed) in back["RegionData"][0]["SeedCapability"]


async def test_what_was_linked_to_a_ghost_stays(regions: Regions, anna: Viewer) -> None:
    west, east, _, _ = regions
    box = rez(anna, (254.0, 128.0, 30.0))
    slide(west, box, (4.0, 0.0, 0.0))
    await run(regions, 1.0)
    ghost = east.world.objects.by_id[box.full_id]
    stone = Prim(uuid4(), anna.id, anna.id)
    east.world.objects.add(stone, east.world.new_local_id(), (3.0, 128.0, 30.0), (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
    east.world.objects.link(ghost, [stone])
    assert east.neighbours.handovers.void(ghost.lineage[-1], {}) == []
    assert box.full_id not in east.world.objects.by_id
    assert east.world.objects.by_id[stone.full_id] is stone and stone.root is None


async def test_a_walk_is_done_once_however_often_it_is_asked_for(
    regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    west, east, _, _north_east = regions
    link_of(east).lost_answers = 2
    await walks(west, anna, (257.0, 128.0, 30.0))
    await run(regions, 0.5)
    assert agents_of(regions, anna.id) == [east]
    assert east.metrics.labelled["crossings"]["arrived"] == 1


async def test_a_walker_who_went_on_is_not_doubled(
    regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source hears nothing until the avatar is two regions further: then it hears that it was taken, and believes it."""
    quick(monkeypatch)
    west, east, _north_west, north_east = regions
    link_of(east).gate.clear()
    await walks(west, anna, (257.0, 128.0, 30.0))
    await run(regions, 0.1)
    state = next(state for state in ANNOUNCED if state.transaction == anna.agent.journey.transaction)
    await announce(east, state.encode())
    assert agents_of(regions, anna.id) == [west, east]
    await walks(east, anna, (128.0, 257.0, 30.0))
    await run(regions, 0.2)
    assert agents_of(regions, anna.id) == [west, north_east]
    link_of(east).gate.set()
    await run(regions, 0.5)
    assert agents_of(regions, anna.id) == [north_east]
    assert anna.events("CrossedRegion")[-1]["RegionData"][0]["SimPort"] == east.port
    there = look_in(anna, east)
    there.forget()
    east.sessions.movement_completed(there.agent)  # the viewer goes where it was told
    (onward,) = there.events("CrossedRegion")
    assert onward["RegionData"][0]["SimPort"] == north_east.port


async def test_a_walker_is_taken_back_from_wherever_it_went(
    regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    west, east, _, north_east = regions
    link_of(east).stopped = True
    await walks(west, anna, (257.0, 128.0, 30.0))
    await run(regions, 0.3)
    assert agents_of(regions, anna.id) == [west]
    await link_of(east).waiting.pop(0)()
    await walks(east, anna, (128.0, 257.0, 30.0))
    await run(regions, 0.2)
    assert agents_of(regions, anna.id) == [west, north_east]
    await link_of(east).resume()
    await run(regions, 1.0)
    assert agents_of(regions, anna.id) == [west]
    assert all(anna.id in sim.world.agents for sim in regions[1:])  # and looks in all around
    await walks(west, anna, (257.0, 128.0, 30.0))  # with no memory of it
    await run(regions, 0.5)
    assert agents_of(regions, anna.id) == [east]


async def test_a_void_hand_over_is_refused(regions: Regions, anna: Viewer) -> None:
    east = regions[1]
    void = uuid4()
    east.neighbours.handovers.void(void, {})
    agent = anna.agent
    state = {
        "agent_id": str(agent.agent_id), "session_id": str(agent.session_id), "circuit_code": agent.circuit_code,
        "secure_session_id": str(agent.secure_session_id), "first": agent.first, "last": agent.last, "reason": "crossing",
    }  # fmt: skip
    for more in ({"transaction": str(void)}, {"transaction": str(uuid4()), "lineage": [str(void)]}):
        answer = await east.services.announce(FakeRequest({**state, **more}, {}, {}))  # type: ignore[arg-type]
        assert answer.status == 410


@pytest.mark.parametrize(
    "body",
    [None, [], {"agents": []}, {"region_id": "x", "agents": {}}, {"agents": {"x": 3}}, {"region_id": None}],
)
async def test_whatever_is_said_about_a_hand_over_does_no_harm(regions: Regions, anna: Viewer, body: object) -> None:
    west, east = regions[:2]
    await walks(west, anna, (257.0, 128.0, 30.0))
    await run(regions, 0.5)
    agent = east.world.agents[anna.id]
    (transaction,) = agent.journey.lineage
    try:
        east.neighbours.handovers.void(transaction, body)
    except ProtocolError:
        assert agent.root
    else:
        assert agent.child


async def test_where_it_came_by_is_remembered_and_bounded(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    here = west
    for lap in range(40):
        other = east if here is west else west
        look_in(anna, other).circuit.heard_at = west.clock.now()
        await walks(here, anna, (257.0 if here is west else -1.0, 128.0, 30.0))
        await run(regions, 0.1)
        assert agents_of(regions, anna.id) == [other], lap
        here = other
    lineage = here.world.agents[anna.id].journey.lineage
    assert len(lineage) == len(set(lineage)) == 32


async def test_a_teleport_given_up_is_undone_wherever_it_arrived(
    regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The destination stops before the viewer comes, and reads of it only when the source has given up."""
    quick(monkeypatch)
    west, east = regions[:2]
    place = {"RegionHandle": east.world.facts.handle, "Position": (30.0, 30.0, 30.0)}
    anna.sends(Message("TeleportLocationRequest", Info=place))
    await run(regions, 0.2)
    assert anna.events("TeleportFinish")
    link_of(east).stopped = True
    anna.circuit.heard_at = west.clock.now() + 70.0  # its viewer goes on speaking
    west.clock.advance(66.0)
    await run(regions, 0.2)
    assert anna.events("TeleportFailed") and agents_of(regions, anna.id) == [west]
    there = look_in(anna, east)
    east.sessions.movement_completed(there.agent)  # the datagram lay in its socket
    assert agents_of(regions, anna.id) == [west, east]
    await link_of(east).resume()
    await run(regions, 0.5)
    assert agents_of(regions, anna.id) == [west]


async def test_lost_news_of_an_arrival_are_asked_for(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    place = {"RegionHandle": east.world.facts.handle, "Position": (30.0, 30.0, 30.0)}
    anna.sends(Message("TeleportLocationRequest", Info=place))
    await run(regions, 0.2)
    link_of(west).lost_calls = 1
    there = look_in(anna, east)
    east.sessions.movement_completed(there.agent)
    await run(regions, 0.2)
    assert agents_of(regions, anna.id) == [west, east]
    for viewer in (anna, there):
        viewer.circuit.heard_at = west.clock.now() + 70.0
    west.clock.advance(66.0)
    await run(regions, 0.2)
    assert agents_of(regions, anna.id) == [east] and not anna.events("TeleportFailed")


async def test_a_frame_of_two_steps_hands_over_once(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    west.world.row(anna.agent)["position"] = (256.5, 128.0, 30.0)
    for _ in range(2):
        west.frame.step()
    west.neighbours.borders.run()
    await run(regions, 0.3)
    assert len([state for state in ANNOUNCED if state.reason is Reason.CROSSING]) == 1
    assert agents_of(regions, anna.id) == [east]


async def test_a_group_title_goes_along(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    anna.agent.group_title = "Harbour Master"
    await walks(west, anna, (257.0, 128.0, 30.0))
    await run(regions, 0.3)
    assert east.world.agents[anna.id].root and east.world.agents[anna.id].group_title == "Harbour Master"


def alerts(viewer: Viewer) -> list[str]:
    return [text(message["AlertData"]["Message"]) for message in viewer.heard("AgentAlertMessage")]


async def test_a_walker_hears_why_it_stands_still(
    regions: Regions, anna: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The region beyond hangs: it says so after a moment, and has the walker back before it has lost patience."""
    west, east = regions[:2]
    link_of(east).gate.clear()
    await walks(west, anna, (257.0, 128.0, 30.0))
    await run(regions, 1.0)
    assert not alerts(anna)
    await run(regions, 1.0)
    assert alerts(anna) == [WAITING] and anna.agent.journey.at is At.WALKING
    quick(monkeypatch)
    link_of(east).lost_answers = link_of(east).lost_calls = 6
    west.clock.advance(GIVE_UP_AFTER)
    link_of(east).gate.set()
    await run(regions, 0.5)
    assert alerts(anna) == [WAITING, NO_ANSWER] and anna.agent.journey.at is At.HERE
    assert len([state for state in ANNOUNCED if state.reason is Reason.CROSSING]) == 1  # not tried again after so long


async def test_who_is_refused_hears_so(regions: Regions, anna: Viewer) -> None:
    west, east = regions[:2]
    east.world.facts.max_agents = 0
    await walks(west, anna, (257.0, 128.0, 30.0))
    await run(regions, 0.3)
    assert alerts(anna) == [REFUSED] and anna.agent.journey.at is At.HERE


@pytest.mark.parametrize("old", ["source", "destination"])
async def test_a_region_that_another_process_runs_by_now_hands_nothing_over(
    regions: Regions, anna: Viewer, old: str
) -> None:
    """Two processes that both think the region theirs: who knows the newer claim refuses."""
    west, east = regions[:2]
    if old == "source":  # east has heard of a claim of west that came after this one
        record = east.neighbours.directory.regions[1000, 1000]
        east.neighbours.directory.regions[1000, 1000] = replace(record, epoch=record.epoch + 1)
    else:
        east.neighbours.lease.epoch += 1
    box = rez(anna, (254.0, 120.0, 30.0))
    slide(west, box, (4.0, 0.0, 0.0))
    await walks(west, anna, (257.0, 128.0, 30.0))
    await run(regions, 1.0)
    assert agents_of(regions, anna.id) == [west] and copies(regions, box) == [west]
