"""Scripts in a region: they run in the frame, speak to people, hear them, and are touched."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from protocol.message import Message, text
from protocol.objects import BOX
from sim.handlers.scripting import ANSWER_TIME
from sim.physics.engine import BodySpec
from sim.scripts.language.errors import CompileError
from sim.world.objects import Prim
from tests.kit.world import TestSimulator, Viewer, add_root, settle
from tests.sim.handlers.test_building import edit, frame, rez


@pytest.fixture
async def anna(sim: TestSimulator) -> Viewer:
    anna = add_root(sim, "Anna Scripter")
    frame(sim, 1)
    anna.forget()
    return anna


async def script(sim: TestSimulator, prim: Prim, source: str) -> Any:
    return await asyncio.wait_for(sim.scripts.add(prim, source), 30)


def said(viewer: Viewer) -> list[tuple[int, str]]:
    return [(m["ChatData"]["ChatType"], text(m["ChatData"]["Message"])) for m in viewer.heard("ChatFromSimulator")]


async def test_a_script_speaks_to_people_in_range_and_to_its_owner(sim: TestSimulator, anna: Viewer) -> None:
    ben = add_root(sim, "Ben Far", (200, 200, 30))
    frame(sim, 1)
    prim = rez(anna)
    await script(sim, prim, 'default { state_entry() { llSay(0, "hello"); llOwnerSay("psst"); llShout(0, "HELLO"); } }')
    frame(sim, 0.2)
    assert said(anna) == [(1, "hello"), (8, "psst"), (2, "HELLO")]
    assert said(ben) == []
    block = anna.heard("ChatFromSimulator")[1]["ChatData"]
    assert block["SourceType"] == 2 and block["SourceID"] == prim.full_id and text(block["FromName"]) == "Primitive"


async def test_a_script_hears_people_and_other_scripts(sim: TestSimulator, anna: Viewer) -> None:
    listener = 'default { state_entry() { llListen(5, "", NULL_KEY, ""); } listen(integer c, string n, key k, string m) { llOwnerSay(n + ": " + m); } }'
    one, two = rez(anna), rez(anna, (131.0, 128.0, 30.0))
    await script(sim, one, listener)
    frame(sim, 0.1)
    anna.sends(Message("ChatFromViewer", ChatData={"Message": "open", "Type": 1, "Channel": 5}))
    await script(sim, two, 'default { state_entry() { llSay(5, "knock"); } }')
    frame(sim, 0.2)
    assert said(anna) == [(8, "Anna Scripter: open"), (8, "Primitive: knock")]


async def test_touch_dialog_and_answer(sim: TestSimulator, anna: Viewer) -> None:
    prim = rez(anna)
    await script(
        sim,
        prim,
        """default {
            state_entry() { llListen(-7, "", NULL_KEY, ""); }
            touch_start(integer n) { llDialog(llDetectedKey(0), "Well?", ["Yes", "No"], -7); }
            listen(integer c, string n, key k, string m) { llSay(0, "You said " + m); }
        }""",
    )
    frame(sim, 0.2)
    assert prim.touchable
    anna.sends(Message("ObjectGrab", ObjectData={"LocalID": prim.local_id}))
    anna.sends(Message("ObjectDeGrab", ObjectData={"LocalID": prim.local_id}))
    frame(sim, 0.2)
    (dialog,) = anna.heard("ScriptDialog")
    for answer in ({"ObjectID": uuid4(), "ChatChannel": -7}, {"ObjectID": prim.full_id, "ChatChannel": -8}):
        anna.sends(Message("ScriptDialogReply", Data={**answer, "ButtonLabel": "Nobody asked"}))
    anna.sends(Message("ScriptDialogReply", Data={"ObjectID": prim.full_id, "ChatChannel": -7, "ButtonLabel": "Perhaps"}))
    assert sim.metrics.value("messages_dropped", "not asked") == 3
    assert [text(b["ButtonLabel"]) for b in dialog["Buttons"]] == ["Yes", "No"]
    anna.sends(
        Message(
            "ScriptDialogReply",
            Data={"ObjectID": prim.full_id, "ChatChannel": -7, "ButtonIndex": 0, "ButtonLabel": "Yes"},
        )
    )
    frame(sim, 1.5)  # llDialog lets a script sleep for a second
    assert said(anna) == [(1, "You said Yes")]
    anna.sends(Message("ScriptDialogReply", Data={"ObjectID": prim.full_id, "ChatChannel": -7, "ButtonLabel": "Yes"}))
    frame(sim, 0.5)
    assert said(anna) == [(1, "You said Yes")] and sim.metrics.value("messages_dropped", "not asked") == 4


async def test_each_dialog_is_answered_once_in_its_time_by_whom_it_was_shown_to(sim: TestSimulator, anna: Viewer) -> None:
    prim = rez(anna)
    bert = add_root(sim)
    await script(
        sim,
        prim,
        """default {
            state_entry() { llListen(-7, "", NULL_KEY, ""); llListen(-9, "", NULL_KEY, ""); }
            touch_start(integer n) {
                llDialog(llDetectedKey(0), "Well?", ["Yes"], -7);
                llDialog(llDetectedKey(0), "Well?", ["No"], -7);
                llTextBox(llDetectedKey(0), "Well?", -9);
            }
            listen(integer c, string n, key k, string m) { llSay(0, m); }
        }""",
    )

    def answer(viewer: Viewer, label: str, channel: int = -7) -> None:
        data = {"ObjectID": prim.full_id, "ChatChannel": channel, "ButtonLabel": label}
        viewer.sends(Message("ScriptDialogReply", Data=data))

    def touch() -> None:
        anna.sends(Message("ObjectGrab", ObjectData={"LocalID": prim.local_id}))
        anna.sends(Message("ObjectDeGrab", ObjectData={"LocalID": prim.local_id}))
        frame(sim, 4)

    frame(sim, 0.2)
    touch()
    answer(bert, "Yes")
    for word in ("Yes", "No", "Yes"):
        answer(anna, word)
    answer(anna, "anything at all", -9)
    frame(sim, 2)
    assert [words for _, words in said(anna)] == ["Yes", "No", "anything at all"]
    touch()
    sim.world.time += ANSWER_TIME + 1
    answer(anna, "Yes")
    frame(sim, 1)
    assert len(said(anna)) == 3 and sim.metrics.value("messages_dropped", "not asked") == 3


async def test_timers_run_by_world_time_and_end_with_the_object(sim: TestSimulator, anna: Viewer) -> None:
    prim = rez(anna)
    await script(sim, prim, 'default { state_entry() { llSetTimerEvent(1.0); } timer() { llOwnerSay("tick"); } }')
    frame(sim, 3.2)
    assert len(said(anna)) == 3
    sim.backbone.add_inventory(anna.id)
    anna.sends(Message("DeRezObject", AgentBlock={"Destination": 6}, ObjectData=[{"ObjectLocalID": prim.local_id}]))
    await settle(sim)
    assert not len(sim.world.objects)
    frame(sim, 3)
    assert len(said(anna)) == 3


async def test_an_endless_loop_leaves_the_others_their_time(sim: TestSimulator, anna: Viewer) -> None:
    await script(sim, rez(anna), "default { state_entry() { while (TRUE); } }")
    await script(sim, rez(anna, (131.0, 128.0, 30.0)), 'default { state_entry() { llOwnerSay("still here"); } }')
    sim.scripts.engine.scheduler.stopwatch = __import__("time").perf_counter  # real time passes inside a slice
    frame(sim, 0.3)
    assert said(anna) == [(8, "still here")]


async def test_errors_reach_the_owner(sim: TestSimulator, anna: Viewer) -> None:
    prim = rez(anna)
    with pytest.raises(CompileError) as caught:
        await script(sim, prim, "default { state_entry() { llSay(0); integer x = ; } }")
    assert caught.value.findings
    await script(sim, prim, "default { state_entry() { integer z = 0; llSay(0, (string)(1 / z)); } }")
    frame(sim, 0.2)
    ((kind, words),) = said(anna)
    assert kind == 8 and "Math Error" in words


async def test_scripts_hear_of_linking_and_unlinking(sim: TestSimulator, anna: Viewer) -> None:
    """CHANGED_LINK (0x20) to all scripts of the linkset that came to be, and of both parts when it is taken apart."""
    root, child = rez(anna), rez(anna, (131.0, 128.0, 30.0))
    for prim, name in ((root, "root"), (child, "child")):
        await script(sim, prim, f'default {{ changed(integer what) {{ llOwnerSay("{name} " + (string)what); }} }}')
    frame(sim, 0.1)
    both = [{"ObjectLocalID": prim.local_id} for prim in (root, child)]
    anna.sends(Message("ObjectLink", ObjectData=both))
    frame(sim, 0.1)
    assert sorted(what for _, what in said(anna)) == ["child 32", "root 32"]
    anna.forget()
    anna.sends(Message("ObjectDelink", ObjectData=both[1:]))
    frame(sim, 0.1)
    assert sorted(what for _, what in said(anna)) == ["child 32", "root 32"]


async def test_scripts_hear_of_every_edit_that_a_viewer_makes(sim: TestSimulator, anna: Viewer) -> None:
    """Shape, size and look in the prim that was changed, joining and seats in the whole linkset; once a frame, all in one."""
    prim = rez(anna)
    await script(sim, prim, 'default { changed(integer what) { llOwnerSay((string)what); } }')
    frame(sim, 0.1)
    anna.forget()
    edit(anna, prim, scale=(1.0, 2.0, 3.0))
    frame(sim, 0.1)
    shape = {**BOX, "ObjectLocalID": prim.local_id, "ProfileHollow": 20000}
    anna.sends(Message("ObjectShape", ObjectData=[shape]))
    edit(anna, prim, scale=(2.0, 2.0, 3.0))
    frame(sim, 0.1)
    edit(anna, prim, position=(131.0, 128.0, 30.0))
    frame(sim, 0.1)
    assert said(anna) == [(8, "8"), (8, str(0x4 | 0x8))]


async def test_a_linkset_is_made_solid_once_a_frame(sim: TestSimulator, anna: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of its prims a datagram changes."""
    prims = [rez(anna, (100.0 + n / 4, 100.0, 60.0)) for n in range(50)]
    anna.sends(Message("ObjectLink", ObjectData=[{"ObjectLocalID": one.local_id} for one in prims]))
    frame(sim, 0.1)
    made: list[object] = []
    add = sim.bodies.engine.add

    def counted(spec: BodySpec) -> int:
        made.append(spec)
        return add(spec)

    monkeypatch.setattr(sim.bodies.engine, "add", counted)
    anna.sends(Message("ObjectShape", ObjectData=[{**BOX, "ObjectLocalID": one.local_id, "ProfileHollow": 9} for one in prims]))
    frame(sim, 0.1)
    assert len(made) == 1
