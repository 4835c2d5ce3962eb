"""Objects as people with clients of any make meet them: scripts that are heard, answered and touched, and seats."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest

import viewer
from protocol.message import Message, text
from protocol.wellknown import Animation
from sim.simulator import Simulator
from sim.world.changes import What
from sim.world.objects import Prim
from tests.kit.liveregion import LiveRegion

from .conftest import Visit
from .driver import Driver, Event, until
from .grid import Grid, Region

GREETER = """
integer count;
default {
    state_entry() { llListen(7, "", NULL_KEY, ""); llSetTimerEvent(1.0); }
    timer() { llSay(0, "tick " + (string)(++count)); }
    listen(integer channel, string name, key id, string text) { llSay(0, name + " said " + text); }
    touch_start(integer n) { llSay(0, "touched by " + llDetectedName(0)); }
}
"""


@pytest.fixture(scope="module")
def workshop(grid: Grid) -> Iterator[LiveRegion]:
    with LiveRegion(grid.login_uri, grid.secret, "Workshop", 1020, 1020, grid.assets_uri) as region:
        yield region


@pytest.fixture(scope="module")
def place(workshop: LiveRegion) -> Region:
    sim = workshop.sim
    return Region(str(workshop.region_id), "Workshop", 1020, 1020, (sim.address.ip, sim.port))


def put_script(workshop: LiveRegion, owner: str, source: str, at: tuple[float, float] = (130.0, 128.0)) -> Prim:
    """A box that a script lives in, near the middle."""

    async def build(sim: Simulator) -> Prim:
        prim = Prim(uuid4(), UUID(owner), UUID(owner), name="Greeter")
        place = (*at, sim.world.terrain.height(*at) + 0.5)
        sim.world.objects.add(prim, sim.world.new_local_id(), place, (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
        sim.world.changes.prims.note(prim, What.BODY)
        if source:
            await sim.scripts.add(prim, source)
        return prim

    return workshop.do(build)


def says(listener: Driver, text: str) -> Event:
    return listener.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == text)


def test_both_libraries_hear_a_script_and_it_hears_them(
    visit: Visit, workshop: LiveRegion, place: Region, grid: Grid
) -> None:
    hippo = visit.hippo(place, (128.0, 128.0))
    node = visit.node(place, (128.0, 130.0))
    prim = put_script(workshop, hippo.agent_id, GREETER)
    for listener in (hippo, node):
        event = says(listener, "tick 1")
        assert event["ChatData.SourceType"] == 2
        assert event["ChatData.FromName"] == "Greeter"
        says(listener, "tick 2")
    hippo.do("chat", text="open sesame", kind=1, channel=7)
    for listener in (hippo, node):
        says(listener, f"{hippo.name} said open sesame")
    hippo.do("send", message="ObjectGrab", blocks={"ObjectData": {"LocalID": prim.local_id, "GrabOffset": [0, 0, 0]}})
    says(node, f"touched by {hippo.name}")


def test_both_libraries_put_scripts_into_their_objects(visit: Visit, workshop: LiveRegion, place: Region, grid: Grid) -> None:
    """The Node library as a person would, the other by the messages and capability it sends."""
    hippo = visit.hippo(place, (150.0, 128.0))
    node = visit.node(place, (150.0, 130.0))
    boxes = [put_script(workshop, who.agent_id, "", (152.0, 128.0 + 2 * n)) for n, who in enumerate((hippo, node))]
    until(lambda: node.do("prims") >= 2, "the boxes are seen")
    contents = node.do("put_script", object=str(boxes[1].full_id), name="Greeter", source=GREETER)
    assert [(item["name"], item["type"]) for item in contents] == [("Greeter", 10)]
    says(hippo, "tick 1")
    nobody, me = f"uuid:{UUID(int=0)}", f"uuid:{hippo.agent_id}"
    script = {
        "ItemID": nobody, "FolderID": f"uuid:{boxes[0].full_id}", "CreatorID": me, "OwnerID": me, "GroupID": nobody,
        "BaseMask": 0x7FFFFFFF, "OwnerMask": 0x7FFFFFFF, "GroupMask": 0, "EveryoneMask": 0, "NextOwnerMask": 0x82000,
        "GroupOwned": False, "TransactionID": nobody, "Type": 10, "InvType": 10, "Flags": 0, "SaleType": 0, "SalePrice": 0,
        "Name": "text:Mine", "Description": "text:", "CreationDate": 0, "CRC": 0,
    }  # fmt: skip
    update = {"ObjectLocalID": boxes[0].local_id, "Enabled": True}
    put = {"AgentData": {"GroupID": nobody}, "UpdateBlock": update, "InventoryBlock": script}
    hippo.do("send", message="RezScript", blocks=put)
    says(node, "Script running")
    hippo.do("send", message="RequestTaskInventory", blocks={"InventoryData": {"LocalID": boxes[0].local_id}})
    reply = hippo.wait("ReplyTaskInventory", lambda event: event["InventoryData.TaskID"] == str(boxes[0].full_id))
    name = str(reply["InventoryData.Filename"]).rstrip("\0")
    file = {"ID": 77, "Filename": f"text:{name}", "FilePath": 4, "DeleteOnCompletion": True, "UseBigPackets": False, "VFileID": nobody,
            "VFileType": -1}  # fmt: skip
    hippo.do("send", message="RequestXfer", agent=False, blocks={"XferID": file})
    packet = hippo.wait("SendXferPacket", lambda event: event["XferID.ID"] == 77)
    assert packet["XferID.Packet"] == 1 << 31


def test_an_object_is_taken_and_rezzed_with_its_script(visit: Visit, workshop: LiveRegion, place: Region, grid: Grid) -> None:
    node, hippo = visit.node(place, (160.0, 130.0)), visit.hippo(place, (160.0, 128.0))
    box = put_script(workshop, node.agent_id, GREETER, (162.0, 128.0))
    says(hippo, "tick 3")
    until(lambda: node.do("prims") >= 1, "the box is seen")
    done = node.do("take_and_rez", object=str(box.full_id), position=[164.0, 128.0, 30.0], timeout=90)
    assert done["name"] == done["rezzed"] == "Greeter" and done["object"] != str(box.full_id)
    assert UUID(done["object"]) in workshop.sim.world.objects.by_id and box.row < 0
    hippo.do("chat", text="still there?", kind=1, channel=7)
    says(node, f"{hippo.name} said still there?")


CLERK = """
string book;
default {
    state_entry() { llListen(-42, "", NULL_KEY, ""); }
    touch_start(integer n) {
        key who = llDetectedKey(0);
        llDialog(who, "Tea or coffee?", ["Tea", "Coffee"], -42);
        llTextBox(who, "And your name?", -42);
    }
    listen(integer channel, string name, key id, string text) { book = name + " ordered " + text; llSay(0, book); }
}
"""


def test_a_foreign_client_answers_dialog_and_text_box(
    visit: Visit, workshop: LiveRegion, place: Region, grid: Grid
) -> None:
    hippo = visit.hippo(place, (140.0, 128.0))
    prim = put_script(workshop, hippo.agent_id, CLERK, (142.0, 128.0))
    touch = {"ObjectData": {"LocalID": prim.local_id, "GrabOffset": [0, 0, 0]}}
    hippo.do("send", message="ObjectGrab", blocks=touch)
    hippo.do("send", message="ObjectDeGrab", blocks={"ObjectData": {"LocalID": prim.local_id}})
    for asked, labels, answer in (
        ("Tea or coffee?", ["Tea", "Coffee"], "Coffee"), ("And your name?", ["!!llTextBox!!"], "Joe"),
    ):  # fmt: skip
        question = hippo.wait("ScriptDialog", asks(asked))
        assert [block["ButtonLabel"] for block in question.blocks("Buttons")] == labels
        assert question["Data.ObjectName"] == "Greeter" and question["Data.ChatChannel"] == -42
        answered = {"ObjectID": str(prim.full_id), "ChatChannel": -42, "ButtonIndex": 1, "ButtonLabel": answer}
        hippo.do("send", message="ScriptDialogReply", blocks={"Data": answered})
        says(hippo, f"{hippo.name} ordered {answer}")


def asks(what: str) -> Callable[[Event], bool]:
    return lambda event: bool(event["Data.Message"] == what)


async def test_our_client_answers_a_dialog_from_far_and_sits_down(
    workshop: LiveRegion, place: Region, grid: Grid
) -> None:
    """What is said in answer is said where the object is, 60 m away; the chair is one of a kind with a sit target."""
    who = grid.account()
    clerk = put_script(workshop, who.agent_id, CLERK, (190.0, 128.0))
    chair = put_script(
        workshop, who.agent_id, "default { state_entry() { llSitTarget(<0.5, 0.0, 0.75>, ZERO_ROTATION); } }", (134.0, 128.0)
    )
    async with viewer.login(grid.login_uri, who.first, who.last, who.password, start=place.start(128.0, 128.0)) as me:
        asked = me.events.expect("ScriptDialog")
        me.send(Message("ObjectGrab", AgentData=me.agent_block, ObjectData={"LocalID": clerk.local_id}))
        question = await asked
        assert [text(block["ButtonLabel"]) for block in question["Buttons"]] == ["Tea", "Coffee"]
        answered = {"ObjectID": clerk.full_id, "ChatChannel": -42, "ButtonIndex": 0, "ButtonLabel": "Tea"}
        me.send(Message("ScriptDialogReply", AgentData=me.agent_block, Data=answered))
        ordered = f"{who.name} ordered Tea"
        until(lambda: heard_by(workshop, clerk) == [ordered], "the clerk heard the answer")

        await me.sit_on(chair.full_id)
        assert me.seat is not None and me.seat.id == chair.full_id
        x, y, z = me.seat.position
        assert me.position == pytest.approx((x + 0.5, y, z + 1.15 - 0.02638 * 1.9), abs=0.01)
        assert Animation.SIT in me.sight.animations or await me.events.wait_for("animations", lambda a: Animation.SIT in a[1])
        await me.stand()
        assert me.seat is None and not me.avatar.parent_id
        with pytest.raises(viewer.SitRefused, match="not here"):
            await me.sit_on(uuid4())


def heard_by(workshop: LiveRegion, clerk: Prim) -> list[str]:
    """What the clerk has in its book."""

    async def look(sim: Simulator) -> list[str]:
        (script,) = sim.scripts.of(clerk)
        return [str(value) for value in script.globals().values()]

    return workshop.do(look)


def test_both_libraries_sit_on_a_box_and_see_each_other_there(
    visit: Visit, workshop: LiveRegion, place: Region, grid: Grid
) -> None:
    hippo = visit.hippo(place, (128.0, 140.0))
    node = visit.node(place, (128.0, 142.0))
    prim = put_script(workshop, hippo.agent_id, "", (130.0, 141.0))

    async def heights(sim: Simulator) -> list[float]:
        return [sim.world.position(agent)[2] - sim.world.terrain.height(130.0, 141.0) for agent in sim.world.roots()]

    until(lambda: max(workshop.do(heights)) < 4.0, "both have come down from where they arrived, within reach")
    marks = {hippo: hippo.mark(), node: node.mark()}
    for sitter, offset in ((hippo, [0.0, -0.4, 0.5]), (node, "vector:0,0.4,0.5")):
        target = {"TargetID": f"uuid:{prim.full_id}", "Offset": offset}
        sitter.do("send", message="AgentRequestSit", blocks={"AgentData": {}, "TargetObject": target})
        answer = sitter.wait("AvatarSitResponse", since=marks[sitter])
        assert answer["SitObject.ID"] == str(prim.full_id) and not answer["SitTransform.AutoPilot"]
        sitter.do("send", message="AgentSit", blocks={"AgentData": {}})
    for witness, mark in marks.items():
        for sitter in marks:
            witness.wait("AvatarAnimation", sits(sitter, True), since=mark)
            witness.wait("ObjectUpdate", hangs_on(sitter, prim.local_id), since=mark)
    # Hippolyzer reckons where that is in the region; node-metaverse gives the place relative to the box.
    until(lambda: distance(hippo.position(node.agent_id), (130.0, 141.0)) < 0.7, "hippo sees node on the box")
    marks = {hippo: hippo.mark(), node: node.mark()}
    hippo.set_keys(0x10000)
    node.do("stand")
    for witness, mark in marks.items():
        for sitter in marks:
            witness.wait("AvatarAnimation", sits(sitter, False), since=mark)
            witness.wait("ObjectUpdate", hangs_on(sitter, 0), since=mark)
            assert 0.7 < distance(witness.position(sitter.agent_id), (130.0, 141.0)) < 4.0
    hippo.set_keys(0)


def sits(who: Driver, sitting: bool) -> Callable[[Event], bool]:
    def tells(event: Event) -> bool:
        playing = {block["AnimID"] for block in event.blocks("AnimationList")}
        return event["Sender.ID"] == who.agent_id and (str(Animation.SIT) in playing) == sitting

    return tells


def hangs_on(who: Driver, parent: int) -> Callable[[Event], bool]:
    def tells(event: Event) -> bool:
        return any((block["FullID"], block["ParentID"]) == (who.agent_id, parent) for block in event.blocks("ObjectData"))

    return tells


def distance(place: list[float], to: tuple[float, float]) -> float:
    return math.dist(place[:2], to)
