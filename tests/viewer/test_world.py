"""One region, two people: arriving, seeing, moving, talking, leaving, against the fake simulator."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import numpy as np
import pytest

import viewer
from protocol.message import Message
from protocol.wellknown import Animation
from tests.kit.fakegrid import FakeGrid, agent_id_of
from tests.kit.fakesim import GROUND, spoken
from tests.kit.viewers import FakeViewer, fake_viewer, quick
from tests.kit.waiting import eventually


@pytest.fixture
async def grid() -> AsyncIterator[FakeGrid]:
    async with FakeGrid(("Test", 1000, 1000)) as grid:
        yield grid
        assert grid.complaints == []


@pytest.fixture
async def ann(grid: FakeGrid) -> AsyncIterator[FakeViewer]:
    async with fake_viewer(grid.login_uri, "Ann Test", "pw") as ann:
        yield ann
        ann.unharmed()


@pytest.fixture
async def bob(grid: FakeGrid) -> AsyncIterator[FakeViewer]:
    async with fake_viewer(grid.login_uri, "Bob Test", "pw", "uri:Test&130&128&26") as bob:
        yield bob
        bob.unharmed()


async def test_arrives_as_a_full_viewer_does(grid: FakeGrid, ann: FakeViewer) -> None:
    here = grid.agent(ann.agent_id)
    assert (ann.root.name, ann.root.grid_x, ann.root.water_height) == ("Test", 1000, 20.0)
    assert ann.root.id == grid.regions["Test"].id
    await eventually(lambda: here.heard("RequestRegionInfo"), what="the questions of a newcomer")
    names = [message.name for message in here.received if message.name != "AgentUpdate"]
    assert names[0] == "UseCircuitCode"
    assert names.index("CompleteAgentMovement") < names.index("RegionHandshakeReply") < names.index("AgentThrottle")
    assert {"AgentWearablesRequest", "AgentDataUpdateRequest", "RetrieveInstantMessages"} <= set(names)
    assert len(here.heard("AgentThrottle")[0]["Throttle"]["Throttles"]) == 28
    assert "EventQueueGet" in grid.cap_requests
    await eventually(lambda: here.polls, what="the event queue's first poll")
    assert here.polls[0] == {"ack": None, "done": False}


async def test_sees_itself_the_land_and_others(grid: FakeGrid, ann: FakeViewer, bob: FakeViewer) -> None:
    await ann.sees(ann)
    await ann.sees(bob)
    await bob.sees(ann)
    assert ann.avatars[bob.agent_id].name == "Bob Test"
    assert math.dist(ann.avatars[bob.agent_id].position, (130, 128, 26)) < 0.1
    await eventually(lambda: ann.root.land_received == 1.0, what="all land")
    assert np.abs(ann.terrain - GROUND).max() < 0.1
    assert abs(ann.root.height_at(12.3, 200.7) - GROUND) < 0.1


async def test_walks_where_it_is_told_and_others_see_it(ann: FakeViewer, bob: FakeViewer) -> None:
    await bob.sees(ann)
    reached = await ann.walk_to((133, 124), tolerance=1.0)
    assert math.dist(reached[:2], (133, 124)) < 1.5
    await bob.sees_at(ann, *reached[:2], within=0.5)


async def test_runs_flies_and_jumps(grid: FakeGrid, ann: FakeViewer) -> None:
    await ann.sees(ann)
    ann.run()
    await eventually(lambda: grid.agent(ann.agent_id).running, what="running")
    ann.fly()
    await ann.walk_to((128, 140, 40), tolerance=2.0)
    assert abs(ann.position[2] - 40) < 3
    assert ann.movement.flying
    ann.fly(False)
    await eventually(lambda: ann.position[2] < GROUND + 1.5, what="down again")
    risen = ann.expect("self-moved", lambda me: me.velocity[2] > 1)
    await ann.jump(0.3)
    await risen


async def test_a_walk_into_nothing_says_so(grid: FakeGrid) -> None:
    async with fake_viewer(grid.login_uri, "Gus Test", "pw", "uri:Test&252&128&26") as gus:
        await gus.sees(gus)
        with pytest.raises(viewer.WalkBlocked):
            await gus.walk_to((300, 128))


async def test_released_keys_are_told_twice(grid: FakeGrid, ann: FakeViewer) -> None:
    here = grid.agent(ann.agent_id)
    await ann.sees(ann)
    ann.movement.press(0x401)
    await eventually(lambda: here.flags & 1, what="walking")
    told = len(here.heard("AgentUpdate"))
    ann.movement.release(0x401)
    await eventually(lambda: len(here.heard("AgentUpdate")) >= told + 2, what="the release, twice")
    assert all(m["AgentData"]["ControlFlags"] == 0 for m in here.heard("AgentUpdate")[told:])


async def test_a_key_does_not_wait_for_what_was_told_before_it(ann: FakeViewer) -> None:
    await ann.sees(ann)
    ann.face(1.0)
    ann.face(2.0)
    told = ann.root.circuit.stats.packets_out
    ann.movement.press(0x401)
    assert ann.root.circuit.stats.packets_out == told + 1
    for _ in range(50):  # hammering keys is held to the pace of the habits
        ann.movement.release(0x401)
        ann.movement.press(0x401)
    assert ann.root.circuit.stats.packets_out == told + 1


async def test_sits_on_the_ground_and_stands_up(ann: FakeViewer, bob: FakeViewer) -> None:
    await bob.sees(ann)
    seen = bob.expect("animations", lambda a: a[0] == ann.agent_id and Animation.SIT_GROUND in a[1])
    await ann.sit_ground()
    await seen
    await ann.stand()
    assert Animation.SIT_GROUND not in ann.sight.animations


async def test_plays_animations_for_others(ann: FakeViewer, bob: FakeViewer) -> None:
    await bob.sees(ann)
    seen = bob.expect("animations", lambda a: a[0] == ann.agent_id and Animation.TYPING in a[1])
    ann.movement.play(Animation.TYPING)
    await seen
    ended = bob.expect("animations", lambda a: a[0] == ann.agent_id and Animation.TYPING not in a[1])
    ann.movement.stop_playing(Animation.TYPING)
    await ended


async def test_chat_carries_its_kind_and_reach(grid: FakeGrid, ann: FakeViewer, bob: FakeViewer) -> None:
    await ann.sees(bob)
    await bob.walk_to((143, 128))  # 15 m: beyond a whisper
    ann.whisper("psst")
    ann.say("hello äöü 世界")
    ann.shout("HEY")
    heard = await bob.hears("hello äöü 世界", by=ann)
    assert (heard.type, heard.source_type, heard.name) == (1, 1, "Ann Test")
    assert (await bob.hears("HEY")).type == 2
    await bob.does_not_hear("psst", witness=ann)
    assert spoken(grid.agent(ann.agent_id).heard("ChatFromViewer")[0]) == "psst"


async def test_instant_messages_and_friendship(ann: FakeViewer, bob: FakeViewer) -> None:
    await ann.sees(bob)
    ann.im(bob.agent_id, "are you there?")
    im = await bob.reads("are you there?", by=ann)
    assert im.id == UUID(int=ann.agent_id.int ^ bob.agent_id.int)
    offered = bob.expect("friend-offer")
    ann.social.offer_friendship(bob.agent_id, "friends?")
    offer = await offered
    assert (offer.from_id, offer.text) == (ann.agent_id, "friends?")
    bob.social.accept_friendship(offer)
    await eventually(lambda: bob.agent_id in ann.friends and ann.friends[bob.agent_id].online, what="friends")
    assert ann.agent_id in bob.friends
    changed = bob.expect("friend-changed", lambda f: f.rights_has == 5)
    ann.social.grant_rights(bob.agent_id, 5)
    await changed
    ended = bob.expect("friend-ended")
    ann.social.terminate_friendship(bob.agent_id)
    assert await ended == ann.agent_id
    assert not ann.friends and not bob.friends


async def test_friends_come_and_go(grid: FakeGrid, ann: FakeViewer) -> None:
    cid = agent_id_of("Cid", "Test")
    grid.friends.add(frozenset({ann.agent_id, cid}))
    came = ann.expect("friend-online")
    async with fake_viewer(grid.login_uri, "Cid Test", "pw") as other:
        assert (await came).agent_id == other.agent_id == cid
        assert other.friends[ann.agent_id].rights_given == 1
        await ann.sees(other)
        went = ann.expect("friend-offline")
    assert (await went).agent_id == cid
    await ann.sees_no(cid)


async def test_names_profiles_inventory(grid: FakeGrid, ann: FakeViewer, bob: FakeViewer) -> None:
    stranger = uuid4()
    assert await ann.social.names([ann.agent_id, bob.agent_id]) == {ann.agent_id: "Ann Test", bob.agent_id: "Bob Test"}
    assert await ann.social.names([stranger], timeout=0.3) == {}
    assert await ann.social.display_names([bob.agent_id]) == {bob.agent_id: "Bob Test"}
    await bob.social.set_profile(about="I build bridges.", url="http://example.org/")
    await bob.social.set_profile(first_life_about="Also outside.")
    profile = await ann.social.profile(bob.agent_id)
    assert (profile.about, profile.first_life_about) == ("I build bridges.", "Also outside.")
    assert profile.url == "http://example.org/"
    assert (await ann.inventory.folder())["folder_id"] == ann.session.inventory_root


async def test_the_map_and_a_teleport_nearby(ann: FakeViewer, bob: FakeViewer) -> None:
    await bob.sees(ann)
    assert [block.name for block in await ann.map.blocks(990, 1010, 990, 1010)] == ["Test"]
    assert await ann.map.blocks(1, 2, 1, 2) == []
    block = await ann.map.find_region("tEST")
    assert block is not None and block.handle == ann.root.handle
    assert await ann.map.find_region("Nowhere") is None
    assert (await ann.map.items())[0].extra == 1
    assert await ann.teleport("Test", (50, 60, 30)) is None
    await bob.sees_at(ann, 50, 60)
    assert math.dist(ann.position[:2], (50, 60)) < 1
    with pytest.raises(viewer.TeleportRefused):
        await ann.teleport("Nowhere")
    with pytest.raises(viewer.TeleportRefused, match="no_host"):
        await ann.teleport((77 * 256) << 32 | 77 * 256)


async def test_logs_out_and_the_world_knows(grid: FakeGrid, ann: FakeViewer) -> None:
    me = await fake_viewer(grid.login_uri, "Dora Test", "pw")
    await ann.sees(me.agent_id)
    await me.logout()
    await ann.sees_no(me.agent_id)
    assert me.closed
    with pytest.raises(viewer.ConnectionLost):
        me.say("still here?")
    with pytest.raises(viewer.ConnectionLost):
        await me.wait_for("chat", timeout=1)


async def test_a_kick_ends_the_session_and_says_why(grid: FakeGrid) -> None:
    async with fake_viewer(grid.login_uri, "Eve Test", "pw") as eve:
        kicked, waiting = eve.expect("kicked"), eve.expect("chat")
        region = grid.regions["Test"]
        region.send(grid.agent(eve.agent_id), Message("KickUser", UserInfo={"Reason": "logged in elsewhere"}))
        assert await kicked == "logged in elsewhere"
        with pytest.raises(viewer.ConnectionLost, match="elsewhere"):
            await waiting


async def test_a_region_that_goes_silent_is_noticed(grid: FakeGrid) -> None:
    async with fake_viewer(grid.login_uri, "Fay Test", "pw", habits=quick(circuit_timeout=1.0)) as fay:
        closed = fay.expect("closed")
        grid.regions["Test"].close()
        assert isinstance(await closed, viewer.ConnectionLost)
