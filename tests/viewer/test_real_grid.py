"""The reference viewer in a real 2 x 2 grid of processes: living there, walking between regions, losing packets."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
from collections.abc import Iterator
from uuid import UUID

import pytest

import viewer
from protocol.wellknown import AssetType, Permission
from tests.clients.grid import PASSWORD, Account, Grid, Region, running_grid
from tests.kit.lossy import LossyLink
from tests.kit.viewers import FakeViewer, fake_viewer
from tests.kit.waiting import eventually
from viewer import Habits, bots

pytestmark = pytest.mark.timeout(300)  # the first start of a grid compiles kernels
FULL = Habits()  # a full viewer's patience and no other


@pytest.fixture(scope="module")
def grid() -> Iterator[Grid]:
    with running_grid("viewer") as running:
        yield running


def visit(
    grid: Grid, region: Region, x: float, y: float, who: Account | None = None, habits: Habits = FULL
) -> fake_viewer:
    """A login at that spot, of a fresh account unless one is given."""
    account = who or grid.account()
    return fake_viewer(grid.login_uri, account.name, PASSWORD, region.start(x, y), habits)


async def ready_to_cross(me: FakeViewer, region: Region) -> None:
    """Until that neighbour has shaken hands and its event queue is polled."""

    def ready() -> bool:
        known = me.regions.get(region.address)
        return known is not None and known.handshaken and known.queue is not None

    await me.sees(me)
    await eventually(ready, what=f"{region.name} as a neighbour")


async def test_arrives_with_land_neighbours_and_self(grid: Grid) -> None:
    async with visit(grid, grid.west, 128, 128) as me:
        await me.sees(me)
        await eventually(lambda: me.root.land_received == 1.0, what="all land")
        await eventually(lambda: len(me.regions) == 4, what="three neighbours")
        for region in (grid.north, grid.east, grid.far):
            await ready_to_cross(me, region)
        neighbours = [region for region in me.regions.values() if not region.is_root]
        await eventually(lambda: all(region.land_received == 1.0 for region in neighbours), what="the neighbours' land")
        east = me.regions[grid.east.address]
        assert abs(me.root.height_at(255, 128) - east.height_at(0, 128)) < 2.0  # the land goes on
        await eventually(lambda: abs(me.position[2] - me.root.height_at(*me.position[:2])) < 1.5, what="on the ground")
        me.unharmed()


async def test_walks_to_and_fro_over_the_border(grid: Grid) -> None:
    async with visit(grid, grid.west, 252, 128) as me, visit(grid, grid.east, 6, 130) as witness:
        await ready_to_cross(me, grid.east)
        await witness.sees(me)
        for lap in range(4):
            eastward = lap % 2 == 0
            here = grid.east if eastward else grid.west
            await me.walk_to((261 if eastward else -5, 128))
            await crossed(me, lap + 1)
            assert me.root.name == here.name
            await present(grid, me, here)
            await seen_at(witness, me, me.global_position)
        assert all(crossing.jump < 1.5 for crossing in me.crossings), [c.jump for c in me.crossings]
        me.say("here I am")
        await witness.hears("here I am", by=me)
        assert len([a for r in witness.regions.values() for a in r.avatars if a == me.agent_id]) == 1  # not doubled
        me.unharmed()
        witness.unharmed()


async def test_things_are_taken_given_and_rezzed(grid: Grid) -> None:
    async with visit(grid, grid.west, 128, 128) as ann, visit(grid, grid.east, 128, 128) as bob:
        await ann.sees(ann)
        await bob.sees(bob)
        box = await ann.building.rez_box((131.0, 128.0, 40.0))
        assert await box.contents() == ()
        item = await ann.take(box)
        assert (await ann.inventory.look(AssetType.OBJECT)).find(item.name) == await ann.inventory.item(item.item_id)
        with pytest.raises(viewer.ViewerError):
            await ann.building.take(box, timeout=20.0)  # it is gone
        again = await ann.rez(item, (131.0, 130.0, 40.0))
        assert again.id != box.id
        offered, kept = bob.expect("offer"), ann.expect("offer-answered")
        offer_id = ann.give(bob.agent_id, item)
        offer = await asyncio.wait_for(offered, 60)
        assert (offer.id, offer.from_id, offer.text) == (offer_id, ann.agent_id, item.name)
        assert bob.offers == {offer_id: offer} and offer.thing_id is not None
        gift = await bob.inventory.item(offer.thing_id)
        assert gift is not None and (gift.owner_id, gift.last_owner_id) == (bob.agent_id, ann.agent_id)
        clothing = await bob.inventory.folder_for(AssetType.CLOTHING)
        moved = bob.expect("item", lambda one: one.item_id == offer.thing_id and one.folder_id == clothing.folder_id)
        bob.accept(offer, clothing)
        await asyncio.wait_for(moved, 60)
        assert (await asyncio.wait_for(kept, 60)).accepted and not bob.offers
        assert not gift.permissions.owner & Permission.COPY  # what ann left to a next owner
        gone, offered, refused = bob.expect("item-gone"), ann.expect("offer"), bob.expect("offer-answered")
        bob.give(ann.agent_id, gift)
        assert await asyncio.wait_for(gone, 60) == gift.item_id
        ann.decline(await asyncio.wait_for(offered, 60))
        assert not (await asyncio.wait_for(refused, 60)).accepted
        back = await bob.inventory.item(gift.item_id)  # there is one of it, and bob has it again
        assert back is not None and back.permissions == gift.permissions
        home = await bob.rez(back, (131.0, 128.0, 40.0))
        assert (await bob.building.about(home)).owner_id == bob.agent_id
        assert await bob.inventory.item(gift.item_id) is None
        for one in (ann, bob):
            one.unharmed()


async def test_what_is_worn_is_seen_goes_along_and_comes_off(grid: Grid) -> None:
    async with visit(grid, grid.west, 252, 100) as ann, visit(grid, grid.west, 250, 104) as bob:
        await ann.sees(ann)
        await bob.sees(ann)
        item = await ann.take(await ann.building.rez_box((251.0, 100.0, ann.root.height_at(251, 100)), (0.2, 0.2, 0.2)))
        hat = await ann.wear(item, 2)
        assert hat.point is not None and hat.point.name == "Skull" and hat.item_id == item.item_id
        hud = await ann.wear(await ann.take(await ann.building.rez_box((251.0, 100.0, 40.0), (0.1, 0.1, 0.1))), 35)
        assert hud.point is not None and hud.point.hud
        await eventually(lambda: [one.id for one in bob.avatars[ann.agent_id].attachments] == [hat.id], what="the hat, and no screen")
        await ann.walk_to((262, 100))
        await crossed(ann, 1)
        await eventually(lambda: ann.avatar is not None and len(ann.avatar.attachments) == 2, what="both, in the next region")
        here = next(one for one in ann.avatar.attachments if one.item_id == item.item_id) if ann.avatar else hat
        await ann.take_off(here)
        await eventually(lambda: ann.avatar is not None and len(ann.avatar.attachments) == 1, what="the hat off")
        assert (await ann.inventory.item(item.item_id)) is not None
        with pytest.raises(viewer.ViewerError):
            await ann.wearing.take_off(item.item_id, timeout=5.0)  # it is off already


async def crossed(me: FakeViewer, times: int) -> None:
    await eventually(lambda: len(me.crossings) == times, what=f"crossing {times} finished")


async def present(grid: Grid, me: FakeViewer, region: Region) -> None:
    await eventually(lambda: grid.presence(str(me.agent_id)) == region.name, what=f"presence in {region.name}")


async def seen_at(watcher: FakeViewer, who: FakeViewer, at: tuple[float, float, float]) -> None:
    """Until ``watcher`` is shown ``who`` at that global position, by whichever region."""

    def near() -> bool:
        seen = watcher.where_is(who.agent_id)
        return seen is not None and math.dist(seen, at) < 2.0

    await eventually(near, what=f"{watcher.name} sees {who.name} at {at}")


async def offline(grid: Grid, agent_id: str) -> None:
    await eventually(lambda: grid.presence(agent_id) is None, what=f"{agent_id} offline")


async def test_keys_stay_down_over_the_border_also_in_flight(grid: Grid) -> None:
    async with visit(grid, grid.west, 128, 246) as me:
        await ready_to_cross(me, grid.north)
        me.fly()
        await me.walk_to((128, 248, me.position[2] + 8))
        me.face(math.pi / 2)
        me.movement.press(0x401)
        await eventually(lambda: me.root.name == grid.north.name and me.position[1] > 20, what="flying on in the north")
        height = me.position[2] - me.root.height_at(*me.position[:2])
        me.movement.release(0x401)
        assert height > 3 and me.movement.flying
        me.unharmed()


async def test_crosses_at_the_corner(grid: Grid) -> None:
    async with visit(grid, grid.west, 253, 253) as me:
        await ready_to_cross(me, grid.far)
        await me.walk_to((261, 261), timeout=40)
        await eventually(lambda: me.root.name == grid.far.name and not me.travelling, what="over the corner")
        me.unharmed()


async def test_teleports_round_the_grid(grid: Grid) -> None:
    async with visit(grid, grid.west, 128, 128) as me:
        await me.sees(me)
        for region in (grid.far, grid.west, grid.east, grid.north, grid.west):
            crossing = await me.teleport(region.name, (100, 90, 60))
            assert crossing is not None and crossing.kind == "teleport"
            assert me.root.name == region.name and math.dist(me.position[:2], (100, 90)) < 2
            await present(grid, me, region)
        assert await me.teleport(grid.west.name, (30, 40, 60)) is None
        assert math.dist(me.position[:2], (30, 40)) < 2
        with pytest.raises(viewer.TeleportRefused):
            await me.teleport((9 * 256) << 32 | (9 * 256))
        assert me.root.name == grid.west.name
        me.say("still whole")
        await me.hears("still whole", by=me)
        me.unharmed()


async def test_messages_and_friendship_reach_over_regions(grid: Grid) -> None:
    async with visit(grid, grid.west, 50, 50) as ann, visit(grid, grid.far, 200, 200) as bob:
        ann.im(bob.agent_id, "hello over there")
        await bob.reads("hello over there", by=ann)
        offered = bob.expect("friend-offer")
        ann.social.offer_friendship(bob.agent_id)
        bob.social.accept_friendship(await asyncio.wait_for(offered, 10))
        await eventually(lambda: bob.agent_id in ann.friends and ann.friends[bob.agent_id].online, what="online friend")
        went = ann.expect("friend-offline")
        await bob.logout()
        assert (await asyncio.wait_for(went, 10)).agent_id == bob.agent_id
        ann.unharmed()


async def test_a_message_to_somebody_away_waits_and_comes_once(grid: Grid) -> None:
    away = grid.account()
    async with visit(grid, grid.west, 60, 60) as ann:
        ann.im(UUID(away.agent_id), "for later")
        await eventually(lambda: any("stored" in im.text for im in ann.ims), what="word that it was stored")
        async with visit(grid, grid.east, 60, 60, away) as back:
            im = await back.reads("for later", by=ann)
            assert im.offline and im.from_name == ann.name
            kept = f"/agents/{away.agent_id}/messages"  # until our ack, so that a crash loses nothing
            await eventually(lambda: grid.get(kept)["messages"] == [], what="Backbone lets go of what was read")
        async with visit(grid, grid.east, 60, 60, away) as again:
            await present(grid, again, grid.east)
            ann.im(again.agent_id, "and now")
            assert not (await again.reads("and now", by=ann)).offline
            assert [im.text for im in again.ims if im.from_id == ann.agent_id] == ["and now"]


async def test_chat_carries_over_a_border_as_far_as_it_should(grid: Grid) -> None:
    async with visit(grid, grid.west, 252, 60) as ann, visit(grid, grid.east, 4, 60) as near:
        await ready_to_cross(ann, grid.east)
        await near.sees(ann)
        async with visit(grid, grid.east, 60, 60) as far:
            await far.sees(near)
            ann.whisper("psst")
            ann.say("hello")
            ann.shout("HEY")
            await near.hears("psst", by=ann)
            await near.hears("hello", by=ann)
            await far.hears("HEY", by=ann)
            await far.does_not_hear("hello", witness=near)


async def test_a_second_login_ends_the_first(grid: Grid) -> None:
    account = grid.account()
    async with visit(grid, grid.west, 100, 100, account) as first:
        kicked, closed = first.expect("kicked"), first.expect("closed")
        async with visit(grid, grid.east, 100, 100, account) as second:
            assert await asyncio.wait_for(kicked, 20)
            await asyncio.wait_for(closed, 20)
            await second.sees(second)
            await eventually(lambda: grid.presence(account.agent_id) == grid.east.name, what="in the east alone")
            second.unharmed()


@pytest.mark.parametrize("seed", [1, 2])
async def test_lives_and_crosses_with_packets_lost(grid: Grid, seed: int) -> None:
    link = LossyLink(seed, loss=0.1, duplicate=0.05, reorder=0.05, delay=(0.0, 0.03))
    try:
        habits = Habits(resends=50, route=link.route, stuck_after=60.0)
        async with visit(grid, grid.west, 252, 100, habits=habits) as me:
            await ready_to_cross(me, grid.east)
            await me.walk_to((262, 100), timeout=120)
            await eventually(lambda: me.root.name == grid.east.name and not me.travelling, what="over the border")
            for n in range(5):
                me.say(f"line {n}")
            for n in range(5):
                await me.hears(f"line {n}")
            await me.teleport(grid.north.name, (60, 60, 60))
            await eventually(lambda: me.root.land_received == 1.0, what="all land")
            me.unharmed()
    finally:
        link.close()


@pytest.mark.parametrize("loss", [0.0, 0.1])
async def test_rides_a_box_to_and_fro_over_the_border(grid: Grid, loss: float) -> None:
    link = LossyLink(3, loss=loss, duplicate=loss / 2, reorder=loss / 2, delay=(0.0, 0.3 * loss))
    try:
        habits = Habits(resends=50, route=link.route)
        async with visit(grid, grid.west, 250, 80, habits=habits) as me, visit(grid, grid.east, 6, 80) as witness:
            await ready_to_cross(me, grid.east)
            await ready_to_cross(witness, grid.west)
            await eventually(lambda: me.root.land_received == 1.0, what="all land")
            box = await me.building.rez_box((252.0, 80.0, me.root.height_at(252, 80)), (1.0, 1.0, 0.5))
            await eventually(lambda: math.dist(me.position, box.position) < 8, what="down on the ground")
            height = box.position[2]
            await me.sit_on(box.id, timeout=30)
            for lap in range(4):
                there = grid.east if lap % 2 == 0 else grid.west
                await eventually(lambda: me.find(box.id) is not None, what="the box's update")
                moved = me.find(box.id)
                assert moved is not None
                me.building.drag(moved, (258.0 if lap % 2 == 0 else -2.0, 80.0, height))
                await crossed(me, lap + 1)
                assert me.root.name == there.name
                await eventually(lambda: seat_of(me) == box.id, what="seated there too")
                await present(grid, me, there)
                for one in (me, witness):
                    await one_box(one, box.id, there)
                await seen_at(witness, me, me.global_position)
            assert all(crossing.jump < 8 for crossing in me.crossings), [crossing.jump for crossing in me.crossings]
            await me.stand(timeout=30)
            found = me.find(box.id)
            assert found is not None
            me.building.delete(found)
            await one_box(witness, box.id, None)
            me.unharmed()
    finally:
        link.close()


async def test_a_region_killed_under_way_leaves_box_and_rider_where_they_were(grid: Grid) -> None:
    """The east is killed while it is asked: the box waits at the edge, and goes over once the east is back."""
    async with visit(grid, grid.west, 250, 40) as me:
        await ready_to_cross(me, grid.east)
        await eventually(lambda: me.root.land_received == 1.0, what="all land")
        box = await me.building.rez_box((252.0, 40.0, me.root.height_at(252, 40)), (1.0, 1.0, 0.5))
        await eventually(lambda: math.dist(me.position, box.position) < 8, what="down on the ground")
        await me.sit_on(box.id)
        pid, before = process(grid, grid.east), me.regions[grid.east.address]
        os.kill(pid, signal.SIGSTOP)  # it is asked, and will not answer
        me.building.drag(box, (258.0, 40.0, box.position[2]))
        await eventually(lambda: box.received_position[0] > 256, what="held over the border")
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: box.received_position[0] < 256, what="put back inside")
        assert seat_of(me) == box.id and me.root.name == grid.west.name and not me.crossings
        await eventually(lambda: me.regions.get(grid.east.address) not in (None, before), 60, "a new circuit to the east")
        await ready_to_cross(me, grid.east)

        async def over() -> None:
            while not me.crossings:
                me.building.drag(box, (258.0, 40.0, box.position[2]))
                await asyncio.sleep(1.2)

        await asyncio.wait_for(over(), 40)
        assert me.root.name == grid.east.name
        await eventually(lambda: seat_of(me) == box.id, what="seated there")
        await present(grid, me, grid.east)
        me.unharmed()


def process(grid: Grid, region: Region) -> int:
    """Its process id as `mainland status` has it, 0 while it does not run."""
    processes = json.loads(grid.run("status", "--json"))["processes"]
    return next(int(each["pid"] or 0) for each in processes if each["name"] == region.name)


def seat_of(me: FakeViewer) -> UUID | None:
    return me.seat.id if me.seat is not None else None


async def one_box(watcher: FakeViewer, object_id: UUID, region: Region | None) -> None:
    """Until that region shows the object and no other does; None: until nobody does."""

    def shown() -> bool:
        regions = watcher.regions.values()
        names = [each.name for each in regions for entity in each.entities.values() if entity.id == object_id]
        return names == ([region.name] if region is not None else [])

    await eventually(shown, what=f"{watcher.name} sees one box")


async def test_a_crowd_of_bots_walks_over_borders(grid: Grid) -> None:
    accounts = [(a.first, a.last, PASSWORD) for a in (grid.account() for _ in range(6))]
    report = await bots.run(
        grid.login_uri, 6, 12.0, accounts=accounts, start=grid.west.start(250, 250), roam=12, over_borders=True,
        chat_every=4.0,
    )  # fmt: skip
    assert (report["logged_in"], report["lost_sessions"], report["failures"]) == (6, 0, {})
    assert report["walks"] > 0 and report["crossing_gap_ms"]["samples"] > 0 and report["chats_heard"] > 0
    assert report["malformed"] == report["internal_failures"] == report["undelivered"] == 0
    for first, last, _ in accounts:
        agent_id = next(user["agent_id"] for user in grid.get(f"/users?name={first}%20{last}")["users"])
        await offline(grid, agent_id)
