"""What people wear: on and off, who sees it, what becomes of it in the inventory, over borders, by scripts, and with lies."""

from __future__ import annotations

import random
import struct
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from protocol.attachment_points import HUD, MOST_WORN, POINTS
from protocol.inventory import item_to_json
from protocol.message import Message, text
from protocol.objects import attachment_state
from protocol.permissions import Masks
from protocol.wellknown import NULL, Folder, Permission
from sim.actions import take
from sim.neighbours.state import HandOff
from sim.world.linkset import gather
from sim.world.objects import Prim
from tests.kit.joined import joined, look_in, run
from tests.kit.world import TestSimulator, Viewer, add_child, add_root, close_sim
from tests.sim.handlers.test_contents import words

Regions = list[TestSimulator]
NO_COPY = Masks(owner=Permission.ALL & ~Permission.COPY, base=Permission.ALL & ~Permission.COPY)
TALKER = """
integer n;
default {
    state_entry() { llSetTimerEvent(0.5); }
    timer() { ++n; }
    attach(key who) { llOwnerSay("attach " + (string)who); }
    on_rez(integer p) { llOwnerSay("rezzed"); }
    changed(integer what) { llOwnerSay("changed " + (string)what); }
    touch_start(integer p) { llOwnerSay((string)n + " on " + (string)llGetAttached()); }
}
"""


@pytest.fixture
async def regions() -> AsyncIterator[Regions]:
    """West and east of a border; one inventory service and one asset store for both."""
    two = joined((1000, 1000), (1001, 1000))
    for west, east in ((two[0].backbone, two[1].backbone), (two[0].assets, two[1].assets)):
        vars(east).update(vars(west))
    yield two
    for sim in two:
        close_sim(sim)


@pytest.fixture
def sim(regions: Regions) -> TestSimulator:
    return regions[0]


async def visitor(regions: Regions, name: str = "", at: tuple[float, float, float] = (100.0, 100.0, 26.0)) -> Viewer:
    viewer = add_root(regions[0], name, at)
    regions[0].backbone.add_inventory(viewer.id)
    await run(regions, 1.2)
    return viewer


@pytest.fixture
async def anna(regions: Regions) -> Viewer:
    return await visitor(regions, "Anna Wearer")


@pytest.fixture
async def ben(regions: Regions) -> Viewer:
    return await visitor(regions, "Ben Looker", (104.0, 100.0, 26.0))


def thing(sim: TestSimulator, owner: Viewer, parts: int = 1, name: str = "hat") -> Prim:
    prims = [Prim(uuid4(), owner.id, owner.id, last_owner_id=owner.id, name=name) for _ in range(parts)]
    for number, prim in enumerate(prims):
        place = (102.0 + number, 102.0, 26.0)
        sim.world.objects.add(prim, sim.world.new_local_id(), place, (0.0, 0.0, 0.0, 1.0), (0.5, 0.5, 0.5))
    if parts > 1:
        sim.world.objects.link(prims[0], prims[1:])
    return prims[0]


async def item(sim: TestSimulator, owner: Viewer, *, parts: int = 1, masks: Masks | None = None, source: str = "", name: str = "hat") -> UUID:
    """Something in somebody's inventory."""
    root = thing(sim, owner, parts, name)
    if masks is not None:
        root.permissions = masks
    if source:
        sim.scripts.start(root, await sim.scripts.compiled(source), source)
    made = take.item_of(sim.region, [root], owner.id)
    made.asset_id = uuid4()
    made.folder_id = await folder_of(sim, owner, Folder.OBJECTS)
    await sim.assets.put(made.asset_id, take.pack(gather(sim.world.objects, [root], sim.clock.now(), sim.scripts.states)), 6)
    sim.world.objects.remove(root)
    await sim.backbone.create_item(owner.id, item_to_json(made))
    return made.item_id


async def folder_of(sim: TestSimulator, owner: Viewer, kind: Folder) -> UUID:
    skeleton = await sim.backbone.get_inventory_skeleton(owner.id)
    return next(UUID(one["folder_id"]) for one in skeleton["folders"] if one["type"] == kind)


async def wear(regions: Regions, viewer: Viewer, item_id: UUID, point: int, seconds: float = 1.0) -> Prim | None:
    viewer.sends(Message("RezSingleAttachmentFromInv", ObjectData={"ItemID": item_id, "OwnerID": viewer.id, "AttachmentPt": point}))
    await run(regions, seconds)
    return next((root for root in viewer.agent.worn if root.worn is not None and root.worn.item_id == item_id), None)


async def detach(regions: Regions, viewer: Viewer, root: Prim, seconds: float = 1.0) -> None:
    viewer.sends(Message("ObjectDetach", ObjectData=[{"ObjectLocalID": root.local_id}]))
    await run(regions, seconds)


def blocks(viewer: Viewer, prim: Prim) -> list[dict[str, Any]]:
    return [one for message in viewer.heard("ObjectUpdate") for one in message["ObjectData"] if one["FullID"] == prim.full_id]


def killed(viewer: Viewer) -> set[int]:
    return {block["ID"] for message in viewer.heard("KillObject") for block in message["ObjectData"]}


def said(viewer: Viewer) -> list[str]:
    return [text(one["ChatData"]["Message"]) for one in viewer.heard("ChatFromSimulator")]


def stored(sim: TestSimulator, viewer: Viewer, item_id: UUID) -> Prim:
    """What an item would be rezzed as."""
    row = sim.backbone.items[str(viewer.id)][str(item_id)]
    (linkset,) = take.unpack(sim.assets.stored[UUID(row["asset_id"])][0])
    return linkset.parts[0].prim


# --- on


@pytest.mark.parametrize("point", [1, 2, 6, 30, 39, 55, 31, 35, 38])
async def test_what_is_worn_is_told_as_viewers_expect(regions: Regions, anna: Viewer, ben: Viewer, point: int) -> None:
    sim = regions[0]
    wanted = await item(sim, anna, parts=2)
    anna.forget()
    ben.forget()
    root = await wear(regions, anna, wanted, point)
    assert root is not None and root.attach_point == point and sim.backbone.worn[str(anna.id)] == {str(wanted): point}
    told = blocks(anna, root)[-1]
    assert told["ParentID"] == anna.agent.local_id and told["State"] == attachment_state(point)
    assert text(told["NameValue"]) == f"AttachItemID STRING RW SV {wanted}"
    child = blocks(anna, root.children[0])[-1]
    assert child["ParentID"] == root.local_id and child["State"] == attachment_state(point)
    assert bool(blocks(ben, root)) is (point not in HUD) and bool(blocks(ben, root.children[0])) is (point not in HUD)
    # Who comes later sees the avatar first, and then what it wears.
    cleo = await visitor(regions, "Cleo Late", (106.0, 100.0, 26.0))
    assert bool(blocks(cleo, root)) is (point not in HUD)
    if point not in HUD:
        order = [one["FullID"] for message in cleo.heard("ObjectUpdate") for one in message["ObjectData"]]
        assert anna.id in order and order.index(root.full_id) < order.index(root.children[0].full_id)
    ben.forget()
    ben.sends(Message("RequestMultipleObjects", ObjectData=[{"CacheMissType": 0, "ID": root.local_id}]))
    await run(regions, 0.5)
    assert bool(blocks(ben, root)) is (point not in HUD)
    anna.forget()
    ben.forget()
    await detach(regions, anna, root)
    assert root.local_id in killed(anna) and (root.local_id in killed(ben)) is (point not in HUD)
    assert not anna.agent.worn and not sim.backbone.worn[str(anna.id)] and root.row < 0


async def test_every_point_can_be_worn_at(regions: Regions, anna: Viewer) -> None:
    for point in POINTS:
        root = await wear(regions, anna, await item(regions[0], anna), point, 0.4)
        assert root is not None and root.attach_point == point, (point, words(anna))
        await detach(regions, anna, root, 0.4)


async def test_a_second_thing_on_a_point_takes_its_place_or_hangs_beside_it(regions: Regions, anna: Viewer) -> None:
    sim = regions[0]
    one, two, three = [await item(sim, anna) for _ in range(3)]
    await wear(regions, anna, one, 2)
    await wear(regions, anna, two, 2 | 0x80)
    assert [root.worn.item_id for root in anna.agent.worn if root.worn] == [one, two]
    await wear(regions, anna, three, 2)
    assert [root.worn.item_id for root in anna.agent.worn if root.worn] == [three]
    assert sim.backbone.worn[str(anna.id)] == {str(three): 2}
    await wear(regions, anna, three, 5)  # it is worn already
    assert [root.attach_point for root in anna.agent.worn] == [2]


async def test_point_0_is_where_it_hung_last_and_its_place_is_kept(regions: Regions, anna: Viewer) -> None:
    sim = regions[0]
    wanted = await item(sim, anna, masks=NO_COPY)
    root = await wear(regions, anna, wanted, 2)
    assert root is not None
    data = struct.pack("<3f", 0.1, 0.2, 0.3)
    anna.sends(Message("MultipleObjectUpdate", ObjectData=[{"ObjectLocalID": root.local_id, "Type": 0x9, "Data": data}]))
    await run(regions, 0.5)
    assert sim.world.objects.frame_place(root)[0] == pytest.approx((0.1, 0.2, 0.3))
    await detach(regions, anna, root)
    again = await wear(regions, anna, wanted, 0)
    assert again is not None and again.attach_point == 2
    assert sim.world.objects.frame_place(again)[0] == pytest.approx((0.1, 0.2, 0.3))
    other = await wear(regions, anna, await item(sim, anna), 0)
    assert other is not None and other.attach_point == 6


async def test_an_outfit_comes_in_messages_of_a_few(regions: Regions, anna: Viewer) -> None:
    sim = regions[0]
    wanted = [await item(sim, anna) for _ in range(MOST_WORN + 2)]
    for at in range(0, len(wanted), 4):
        header = {"CompoundMsgID": uuid4(), "TotalObjects": len(wanted), "FirstDetachAll": False}
        listed = [{"ItemID": one, "OwnerID": anna.id, "AttachmentPt": 0x80 | 6} for one in wanted[at : at + 4]]
        anna.sends(Message("RezMultipleAttachmentsFromInv", HeaderData=header, ObjectData=listed))
    await run(regions, 2.0)
    assert [root.worn.item_id for root in anna.agent.worn if root.worn] == wanted[:MOST_WORN]
    assert any("38 things" in said for said in words(anna)) and len(sim.backbone.worn[str(anna.id)]) == MOST_WORN
    header = {"CompoundMsgID": uuid4(), "TotalObjects": 1, "FirstDetachAll": True}
    anna.sends(Message("RezMultipleAttachmentsFromInv", HeaderData=header, ObjectData=[{"ItemID": wanted[-1], "AttachmentPt": 1}]))
    await run(regions, 12.0)
    assert [root.worn.item_id for root in anna.agent.worn if root.worn] == [wanted[-1]]


async def test_from_the_ground_it_becomes_an_item(regions: Regions, anna: Viewer, ben: Viewer) -> None:
    sim = regions[0]
    root = thing(sim, anna, 3)
    sim.scripts.start(root, await sim.scripts.compiled(TALKER), TALKER)
    await run(regions, 2.0)
    assert sim.world.objects.owned[anna.id] == 3 and blocks(ben, root)
    anna.forget()
    ben.forget()
    anna.sends(Message("ObjectAttach", AgentData={"AttachmentPoint": 35}, ObjectData=[{"ObjectLocalID": root.local_id, "Rotation": (0.0, 0.0, 0.0, 1.0)}]))
    await run(regions, 1.0)
    stood, (root,) = root, anna.agent.worn
    assert root.worn is not None and root.full_id == stood.full_id and len(sim.world.objects) == 3
    row = sim.backbone.items[str(anna.id)][str(root.worn.item_id)]
    assert row["name"] == "hat" and sim.backbone.worn[str(anna.id)] == {row["item_id"]: 35}
    assert anna.heard("UpdateCreateInventoryItem")[0]["InventoryData"][0]["ItemID"] == root.worn.item_id
    assert stood.local_id in killed(ben) and not blocks(ben, root)  # it went onto a screen
    assert blocks(anna, root)[-1]["State"] == attachment_state(35)
    assert f"attach {anna.id}" in said(anna) and "rezzed" not in said(anna)
    sim.scripts.touched(anna.agent, root, "touch_start", {})
    await run(regions, 0.2)
    assert int(said(anna)[-1].split()[0]) >= 4  # it counts on
    # It is on no land, has no body, and land tools do not find it.
    assert not sim.world.objects.owned[anna.id] and sim.world.objects.standing == 0 and root not in sim.world.objects.roots()
    assert sim.bodies.handle(root) == -1 and sim.world.objects.world_place(root)[0] == pytest.approx(sim.world.position(anna.agent))


@pytest.mark.parametrize("name", ["DeRezObject", "ObjectDelete", "ObjectLink", "ObjectDuplicate", "ObjectDelink"])
async def test_what_is_worn_is_not_taken_deleted_linked_or_copied_where_it_is(regions: Regions, anna: Viewer, name: str) -> None:
    sim = regions[0]
    root = await wear(regions, anna, await item(sim, anna, parts=2), 1)
    other = thing(sim, anna)
    assert root is not None
    anna.forget()
    data: dict[str, Any] = {"ObjectData": [{"ObjectLocalID": root.local_id}]}
    if name == "DeRezObject":
        data["AgentBlock"] = {"Destination": 4, "DestinationID": NULL, "TransactionID": uuid4(), "GroupID": NULL}
    if name in ("ObjectLink", "ObjectDelink"):
        data["ObjectData"].append({"ObjectLocalID": other.local_id})
    if name == "ObjectDuplicate":
        data["SharedData"] = {"Offset": (0.0, 0.0, 1.0), "DuplicateFlags": 0}
    anna.sends(Message(name, **data))
    await run(regions, 0.5)
    assert root.worn is not None and anna.agent.worn == [root] and len(sim.world.objects) == 3
    assert any("worn" in one for one in words(anna))


# --- off


async def test_it_is_dropped_in_front_and_the_item_goes(regions: Regions, anna: Viewer, ben: Viewer) -> None:
    sim = regions[0]
    wanted = await item(sim, anna, parts=2, masks=NO_COPY)
    root = await wear(regions, anna, wanted, 33)
    assert root is not None and not blocks(ben, root)
    anna.forget()
    anna.sends(Message("ObjectDrop", ObjectData=[{"ObjectLocalID": root.local_id}]))
    await run(regions, 2.0)
    assert root.worn is None and not anna.agent.worn and str(wanted) not in sim.backbone.items[str(anna.id)]
    assert anna.heard("RemoveInventoryItem")[0]["InventoryData"][0]["ItemID"] == wanted
    away = [b - a for a, b in zip(sim.world.position(anna.agent), sim.world.objects.world_place(root)[0], strict=True)]
    assert 1.5 < sum(part * part for part in away[:2]) ** 0.5 < 2.5
    assert sim.world.objects.owned[anna.id] == 2 and sim.bodies.handle(root) >= 0
    assert blocks(ben, root)[-1]["ParentID"] == 0 and blocks(anna, root)[-1]["NameValue"] in (b"", b"\0")


async def test_what_became_of_it_returns_to_its_item(regions: Regions, anna: Viewer) -> None:
    sim = regions[0]
    plain, scripted = await item(sim, anna, name="plain"), await item(sim, anna, source=TALKER, name="scripted")
    before = dict(sim.backbone.items[str(anna.id)][str(plain)])
    roots = [await wear(regions, anna, one, 0x80 | 2) for one in (plain, scripted)]
    assert roots[0] is not None and roots[1] is not None
    await detach(regions, anna, roots[0])
    assert sim.backbone.items[str(anna.id)][str(plain)] == before  # nothing became of it
    roots[0] = await wear(regions, anna, plain, 2 | 0x80)
    assert roots[0] is not None
    anna.sends(Message("ObjectName", ObjectData=[{"LocalID": roots[0].local_id, "Name": b"mine"}]))
    await detach(regions, anna, roots[0])
    assert stored(sim, anna, plain).name == "mine"
    anna.forget()
    await run(regions, 3.0)
    await detach(regions, anna, roots[1])
    assert f"attach {NULL}" in said(anna)
    anna.forget()
    again = await wear(regions, anna, scripted, 2)
    assert again is not None and said(anna) == ["rezzed", f"attach {anna.id}"]
    sim.scripts.touched(anna.agent, again, "touch_start", {})
    await run(regions, 0.2)
    count, point = said(anna)[-1].split(" on ")
    assert int(count) >= 6 and point == "2"  # it went on counting where it was


async def test_logout_and_login_bring_everything_back(regions: Regions, anna: Viewer) -> None:
    sim = regions[0]
    hat, hud = await item(sim, anna, source=TALKER, masks=NO_COPY), await item(sim, anna, name="hud")
    root = await wear(regions, anna, hat, 2)
    await wear(regions, anna, hud, 31)
    assert root is not None
    anna.sends(Message("ObjectName", ObjectData=[{"LocalID": root.local_id, "Name": b"renamed"}]))
    await run(regions, 2.0)
    anna.sends(Message("LogoutRequest"))
    assert not len(sim.world.objects)
    again = await login(regions, anna)
    assert [(root.name, root.attach_point) for root in again.agent.worn] == [("renamed", 2), ("hud", 31)]
    assert str(hat) in sim.backbone.items[str(anna.id)] and blocks(again, again.agent.worn[1])
    sim.scripts.touched(again.agent, again.agent.worn[0], "touch_start", {})
    await run(regions, 0.2)
    assert int(said(again)[-1].split()[0]) >= 3
    left = [name for name, _ in sim.backbone.calls]
    assert left.index("leave") > left.index("update_item")  # who logs in next finds all of it


async def login(regions: Regions, viewer: Viewer, region: int = 0) -> Viewer:
    """The same person anew."""
    state = HandOff.decode({"reason": "login", "agent_id": str(viewer.id), "session_id": str(uuid4()), "secure_session_id": str(uuid4()),
                            "circuit_code": 77, "first": "Anna", "last": "Wearer"})  # fmt: skip
    again = add_child(regions[region], state=state)
    regions[region].sessions.movement_completed(again.agent)
    regions[region].sessions.handshake_replied(again.agent, 0)
    await run(regions, 2.0)
    return again


async def test_a_login_elsewhere_that_throws_the_old_session_out_loses_nothing(regions: Regions, anna: Viewer) -> None:
    sim = regions[0]
    hat = await item(sim, anna)
    root = await wear(regions, anna, hat, 2)
    assert root is not None
    anna.sends(Message("ObjectName", ObjectData=[{"LocalID": root.local_id, "Name": b"late"}]))
    again = await login(regions, anna)
    assert [root.name for root in again.agent.worn] == ["late"]


async def test_a_region_that_dies_loses_little(regions: Regions, anna: Viewer) -> None:
    """What was edited is in the item after a while, without anybody taking anything off."""
    sim = regions[0]
    hat = await item(sim, anna)
    root = await wear(regions, anna, hat, 2)
    assert root is not None
    anna.sends(Message("ObjectName", ObjectData=[{"LocalID": root.local_id, "Name": b"kept"}]))
    await run(regions, 35.0)
    assert stored(sim, anna, hat).name == "kept"
    other = await login(regions, anna, region=1)  # the first region never hears of it
    assert [root.name for root in other.agent.worn] == ["kept"]


@pytest.mark.parametrize("down", ["assets", "backbone"])
async def test_where_a_service_is_away_it_stays_on_or_off(regions: Regions, anna: Viewer, down: str) -> None:
    sim = regions[0]
    hat, coat = await item(sim, anna), await item(sim, anna)
    root = await wear(regions, anna, hat, 2)
    assert root is not None
    anna.sends(Message("ObjectName", ObjectData=[{"LocalID": root.local_id, "Name": b"new"}]))
    service: Any = getattr(sim, down)
    service.down = True
    ground = thing(sim, anna)
    await detach(regions, anna, root)
    assert anna.agent.worn == [root] and not root.leaving and any("stays on" in one for one in words(anna))
    assert await wear(regions, anna, coat, 5) is None
    anna.sends(Message("ObjectAttach", AgentData={"AttachmentPoint": 3}, ObjectData=[{"ObjectLocalID": ground.local_id}]))
    await run(regions, 1.0)
    assert ground.worn is None and not ground.leaving
    if down == "backbone":
        anna.sends(Message("ObjectDrop", ObjectData=[{"ObjectLocalID": root.local_id}]))
        await run(regions, 1.0)
        assert root.worn is not None and root.attach_point == 2
    service.down = False
    await detach(regions, anna, root)
    assert not anna.agent.worn and stored(sim, anna, hat).name == "new"


# --- to other regions


async def test_it_goes_along_over_a_border_with_its_scripts(regions: Regions) -> None:
    west, east = regions
    anna = await visitor(regions, "Anna Walker", (253.0, 128.0, 26.0))
    there = look_in(anna, east)
    hat, hud = await item(west, anna, source=TALKER, parts=2), await item(west, anna)
    root = await wear(regions, anna, hat, 2)
    await wear(regions, anna, hud, 31)
    assert root is not None
    ids = [prim.full_id for prim in root.linkset()]
    await run(regions, 2.0)
    there.forget()
    row = west.world.row(anna.agent)
    row["position"] = (256.5, 128.0, 26.0)
    await run(regions, 2.0)
    agent = east.world.agents[anna.id]
    assert agent.root and not west.world.objects.carried and not len(west.world.objects)
    here, screen = agent.worn
    assert [prim.full_id for prim in here.linkset()] == ids and here.attach_point == 2 and screen.attach_point == 31
    assert blocks(there, here)[-1]["ParentID"] == agent.local_id and blocks(there, screen)
    assert "changed 256" in said(there)
    east.scripts.touched(agent, here, "touch_start", {})
    await run(regions, 0.2)
    count, point = said(there)[-1].split(" on ")
    assert 4 <= int(count) <= 12 and point == "2"
    there.sends(Message("ObjectDetach", ObjectData=[{"ObjectLocalID": here.local_id}]))
    await run(regions, 1.0)
    assert len(agent.worn) == 1 and str(hat) in east.backbone.items[str(anna.id)]


async def test_a_border_that_refuses_leaves_everything_as_it_was(regions: Regions) -> None:
    west, east = regions
    anna = await visitor(regions, "Anna Walker", (253.0, 128.0, 26.0))
    look_in(anna, east)
    root = await wear(regions, anna, await item(west, anna, source=TALKER), 2)
    assert root is not None
    east.link.dead = True  # type: ignore[attr-defined]
    west.world.row(anna.agent)["position"] = (256.5, 128.0, 26.0)
    await run(regions, 1.0)
    assert anna.agent.root and anna.agent.worn == [root] and not root.leaving
    assert all(script.is_running for script in west.scripts.of(root))
    assert not east.world.objects.carried


async def test_nothing_is_put_on_or_off_on_the_way(regions: Regions) -> None:
    west, east = regions
    anna = await visitor(regions, "Anna Walker", (253.0, 128.0, 26.0))
    look_in(anna, east)
    hat, coat = await item(west, anna), await item(west, anna)
    root = await wear(regions, anna, hat, 2)
    assert root is not None
    east.link.gate.clear()  # type: ignore[attr-defined]
    west.world.row(anna.agent)["position"] = (256.5, 128.0, 26.0)
    await run(regions, 0.3)
    assert root.leaving
    assert await wear(regions, anna, coat, 1, 0.3) is None
    anna.sends(Message("ObjectDetach", ObjectData=[{"ObjectLocalID": root.local_id}]))
    anna.sends(Message("ObjectName", ObjectData=[{"LocalID": root.local_id, "Name": b"late"}]))
    await run(regions, 0.3)
    assert anna.agent.worn == [root] and root.name == "hat"
    east.link.gate.set()  # type: ignore[attr-defined]
    await run(regions, 1.0)
    assert [one.name for one in east.world.agents[anna.id].worn] == ["hat"]


async def test_a_hand_off_with_nonsense_in_it_is_no_crash(regions: Regions, anna: Viewer) -> None:
    """A damaged form costs the one thing; a hand-off that is none is refused."""
    west, east = regions
    hat = await item(west, anna)
    await wear(regions, anna, hat, 2)
    body = {"reason": "login", "agent_id": str(uuid4()), "session_id": str(uuid4()), "secure_session_id": str(uuid4()),
            "circuit_code": 9, "first": "Eve", "last": "Liar"}  # fmt: skip
    good = west.attachments.pack(anna.agent)[0].encode()
    generator = random.Random(7)
    for _ in range(30):
        bad = dict(good)
        bad[generator.choice(list(bad))] = generator.choice([None, 200, -1, "x", [], {}, "AAAA", 1 << 40, True])
        try:
            state = HandOff.decode({**body, "worn": [bad]})
        except Exception as error:
            assert type(error).__name__ == "ProtocolError"
            continue
        eve = add_child(east, state=state)
        east.sessions.movement_completed(eve.agent)
        await run(regions, 0.1)
        east.sessions.kick(eve.agent, "bye")
    with pytest.raises(Exception, match="at most"):
        HandOff.decode({**body, "worn": [good] * (MOST_WORN + 1)})


# --- lies


async def test_lies_are_refused_with_words(regions: Regions, anna: Viewer, ben: Viewer) -> None:
    sim = regions[0]
    others, mine = await item(sim, ben), await item(sim, anna)
    stands = thing(sim, ben)
    assert await wear(regions, anna, others, 2) is None and "not in your inventory" in words(anna)[-1]
    assert await wear(regions, anna, uuid4(), 2) is None
    for point in (56, 100, 127, 200, 255):
        anna.agent.told_until.clear()
        assert await wear(regions, anna, mine, point, 0.2) is None and "no such attachment point" in words(anna)[-1]
    anna.sends(Message("ObjectAttach", AgentData={"AttachmentPoint": 2}, ObjectData=[{"ObjectLocalID": stands.local_id}]))
    await run(regions, 0.5)
    assert stands.worn is None and "that you own" in words(anna)[-1]
    worn = await wear(regions, ben, others, 35)
    assert worn is not None
    # Nobody else touches it, nor learns anything of what is on a screen.
    anna.forget()
    for name, data in (
        ("ObjectDetach", {}), ("ObjectDrop", {}), ("ObjectSelect", {}), ("ObjectDelete", {"AgentData": {"Force": False}}),
    ):  # fmt: skip
        anna.sends(Message(name, **data, ObjectData=[{"ObjectLocalID": worn.local_id}]))
    anna.sends(Message("DetachAttachmentIntoInv", ObjectData={"AgentID": ben.id, "ItemID": others}))
    await run(regions, 1.0)
    assert ben.agent.worn == [worn] and not anna.heard("ObjectProperties")
    texture = next(row for row in sim.backbone.items[str(anna.id)].values() if row["type"] == 13)
    assert await wear(regions, anna, UUID(texture["item_id"]), 2) is None and "not an object" in words(anna)[-1]


async def test_ten_thousand_wishes_cost_their_sender_only(regions: Regions, anna: Viewer, ben: Viewer) -> None:
    sim = regions[0]
    for number in range(10_000):
        block = {"ItemID": UUID(int=number + 1), "OwnerID": anna.id, "AttachmentPt": number & 0xFF}
        anna.sends(Message("RezSingleAttachmentFromInv", ObjectData=block))
    await run(regions, 3.0)
    assert len(sim.backbone.called("fetch_items")) < 300 and not anna.agent.worn
    assert await wear(regions, ben, await item(sim, ben), 2) is not None


async def test_a_damaged_asset_is_refused(regions: Regions, anna: Viewer) -> None:
    sim = regions[0]
    wanted = await item(sim, anna)
    row = sim.backbone.items[str(anna.id)][str(wanted)]
    data, kind = sim.assets.stored[UUID(row["asset_id"])]
    for at in range(0, len(data), 37):
        sim.assets.stored[UUID(row["asset_id"])] = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :], kind
        assert await wear(regions, anna, wanted, 2, 0.1) is None
    sim.assets.stored[UUID(row["asset_id"])] = data, kind
    assert await wear(regions, anna, wanted, 2) is not None


async def test_what_is_worn_and_cannot_be_copied_is_not_rezzed_too(regions: Regions, anna: Viewer) -> None:
    sim = regions[0]
    wanted = await item(sim, anna, masks=NO_COPY)
    assert await wear(regions, anna, wanted, 2) is not None
    where = (110.0, 110.0, 30.0)
    rez = {"FromTaskID": NULL, "BypassRaycast": 1, "RayStart": where, "RayEnd": where}
    anna.sends(Message("RezObject", AgentData={"GroupID": NULL}, RezData=rez, InventoryData={"ItemID": wanted}))
    await run(regions, 1.0)
    assert not sim.world.objects.standing and str(wanted) in sim.backbone.items[str(anna.id)]


# --- scripts


SELF = """
default {
    state_entry() { llRequestPermissions(llGetOwner(), PERMISSION_ATTACH); }
    run_time_permissions(integer p) { if (p & PERMISSION_ATTACH) %s; }
    attach(key who) { llOwnerSay("attach " + (string)who + " " + (string)llGetAttached()); }
    touch_start(integer n) {
        llOwnerSay(llDumpList2String(llGetObjectDetails(llGetKey(), [OBJECT_ATTACHED_POINT, OBJECT_TEMP_ATTACHED]), ","));
        llOwnerSay((string)(llGetAgentInfo(llGetOwner()) & (AGENT_ATTACHMENTS | AGENT_SCRIPTED)));
        llOwnerSay((string)(llGetAttachedList(llGetOwner()) == [llGetKey()]));
        llOwnerSay((string)llGetListLength(llGetAttachedListFiltered(llGetOwner(), [FILTER_INCLUDE, 7])));
        llOwnerSay(llList2String(llGetAttachedList("00000000-0000-0000-0000-0000000000ff"), 0));
        llRequestPermissions(llGetOwner(), PERMISSION_ATTACH);
        llDetachFromAvatar();
    }
}
"""


@pytest.mark.parametrize("how", ["llAttachToAvatar(7)", "llAttachToAvatarTemp(7)"])
async def test_scripts_put_their_object_on_and_off(regions: Regions, anna: Viewer, how: str) -> None:
    sim = regions[0]
    root, source = thing(sim, anna), SELF % how
    sim.scripts.start(root, await sim.scripts.compiled(source), source)
    await run(regions, 0.5)
    (asked,) = anna.heard("ScriptQuestion")
    anna.sends(Message("ScriptAnswerYes", Data={"TaskID": root.full_id, "ItemID": asked["Data"]["ItemID"], "Questions": 0x20}))
    await run(regions, 2.0)
    temporary = "Temp" in how
    stood, (root,) = root, anna.agent.worn
    assert root.full_id == stood.full_id and f"attach {anna.id} 7" in said(anna)
    assert len(sim.backbone.worn.get(str(anna.id), {})) == (0 if temporary else 1)
    anna.forget()
    sim.scripts.touched(anna.agent, root, "touch_start", {})
    await run(regions, 2.0)
    assert said(anna)[:5] == [f"7,{int(temporary)}", "6", "1", "1", "NOT FOUND"]
    assert said(anna)[5:] == [f"attach {NULL} 7"] and not anna.heard("ScriptQuestion")  # what is worn need not ask
    assert not anna.agent.worn and root.row < 0 and not sim.backbone.worn.get(str(anna.id))


async def test_what_nobody_may_pass_on_is_not_put_onto_others(regions: Regions, anna: Viewer, ben: Viewer) -> None:
    sim = regions[0]
    for root, worn in ((thing(sim, anna), True), (thing(sim, anna), False)):
        root.permissions = Masks() if worn else Masks(owner=Permission.ALL & ~Permission.TRANSFER)
        asks = f'state_entry() {{ llRequestPermissions("{ben.id}", PERMISSION_ATTACH); }}'
        source = f"default {{ {asks} run_time_permissions(integer p) {{ llAttachToAvatarTemp(2); }} }}"
        sim.scripts.start(root, await sim.scripts.compiled(source), source)
        await run(regions, 0.5)
        asked = ben.heard("ScriptQuestion")[-1]
        ben.sends(Message("ScriptAnswerYes", Data={"TaskID": root.full_id, "ItemID": asked["Data"]["ItemID"], "Questions": 0x20}))
        await run(regions, 1.0)
        assert (root.worn is not None) is worn and root.owner_id == (ben.id if worn else anna.id)
    ben.sends(Message("LogoutRequest"))
    await run(regions, 0.5)
    assert len(sim.world.objects) == 1  # what was on for a while is gone


