"""What people grant to scripts and what scripts do with it, on both worlds: keys, animations, cameras, teleports."""

# ruff: noqa: E501 (scripts in strings)
from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from protocol.animations import built_in
from protocol.wellknown import NULL, Animation
from sim.scripts.language.values import Key
from sim.scripts.machine.saved import restore, save
from sim.scripts.machine.script import Script
from sim.world.animations import DEFAULTS, STATES, playing
from sim.world.avatars import Motion
from sim.world.seats import Seat
from tests.kit.world import add_root, close_sim, make_sim
from tests.scripts.library.worlds import bench, item

WAVE = UUID(int=0xABC)
EVERY = 0x2 | 0x4 | 0x10 | 0x400 | 0x800 | 0x1000 | 0x8000


@pytest.fixture(params=["fake", "region"])
async def here(request: pytest.FixtureRequest) -> Any:
    with bench(request.param) as found:
        found.root.contents.append(item("wave", 20, WAVE))
        yield found


def granted(here: Any, body: str, permissions: int = EVERY, more: str = "") -> tuple[Script, list[str]]:
    """A script to which the visitor has granted permissions, and what it said by then."""
    script = here.start(f"default {{ run_time_permissions(integer p) {{ {body} }} {more} }}")
    here.run(1.0)
    script.grant(Key(str(here.visitor.agent_id)), permissions)
    return script, here.run()


CONTROL = 'control(key id, integer level, integer edge) { llOwnerSay((string)(id == llGetPermissionsKey()) + " " + (string)level + " " + (string)edge); }'


def press(here: Any, keys: int) -> list[str]:
    here.region.world.row(here.visitor)["controls"] = keys
    here.world.controls.update()
    return here.run(1.0)


async def test_keys_that_are_taken_raise_events_and_move_nobody(here):
    script, _ = granted(here, "llTakeControls(CONTROL_FWD | CONTROL_LEFT, TRUE, FALSE);", more=CONTROL)
    (to, taken), = here.shown("ScriptControlChange")
    assert to == here.visitor.agent_id and taken["Data"] == [{"TakeControls": True, "Controls": 0x5, "PassToAgent": False}]
    assert press(here, 0x3) == ["1 1 1"] and press(here, 0x3) == ["1 1 0"] and press(here, 0x6) == ["1 4 5"]
    assert press(here, 0x2) == ["1 0 4"] and press(here, 0x2) == []
    assert press(here, 0x80000) == ["1 1 1"]  # a tap: viewers nudge first
    row = here.region.world.row(here.visitor)
    row["controls"] = 0x80007
    with here.world.controls.hidden():
        assert row["controls"] == 0x2
    assert row["controls"] == 0x80007
    here.world.controls.update()
    here.world.controls.update()
    assert [event.name for event in script.queue].count("control") <= 2  # held keys do not pile up
    script.reset()
    assert here.shown("ScriptControlChange")[-1][1]["Data"] == [{"TakeControls": False, "Controls": 0x5, "PassToAgent": False}]
    here.run()
    assert press(here, 0x1) == []


async def test_keys_that_are_passed_on_and_all_but_the_named(here):
    granted(here, "llTakeControls(CONTROL_FWD, TRUE, TRUE);", more=CONTROL)
    row = here.region.world.row(here.visitor)
    row["controls"] = 0x3
    with here.world.controls.hidden():
        assert row["controls"] == 0x3
    granted(here, "llTakeControls(CONTROL_FWD, FALSE, FALSE);", more=CONTROL)
    with here.world.controls.hidden():
        assert row["controls"] == 0x1


async def test_a_mouse_button_is_down_until_it_is_up(here):
    granted(here, "llTakeControls(CONTROL_LBUTTON | CONTROL_ML_LBUTTON, TRUE, FALSE);", more=CONTROL)
    assert press(here, 0x10000000) == [f"1 {0x10000000} {0x10000000}"] and press(here, 0) == [f"1 {0x10000000} 0"]
    assert press(here, 0x20000000) == [f"1 0 {0x10000000}"]


async def test_keys_are_given_back(here):
    script, said = granted(here, "llTakeControls(1, TRUE, FALSE); llReleaseControls(); llOwnerSay((string)llGetPermissions()); llTakeControls(1, TRUE, FALSE);")
    assert said[0] == str(EVERY & ~4) and "PERMISSION_TAKE_CONTROLS" in said[1] and script.controls is None
    script, _ = granted(here, "llTakeControls(1, TRUE, FALSE);", more=CONTROL)
    here.world.controls.release_all(here.visitor)
    assert script.controls is None and not script.granted & 4 and press(here, 1) == []


async def test_keys_stay_taken_where_a_script_goes_on(here):
    script, _ = granted(here, "llTakeControls(CONTROL_UP, TRUE, FALSE);", more=CONTROL)
    now = here.region.world.time if hasattr(here, "sim") else here.world.now
    data = save(script, now)
    script.remove()
    again = restore(script.engine, data, script.program, here.world, now, owner=script.owner, object_id=script.object_id, scheduler=script.scheduler)
    if hasattr(here, "sim"):
        here.sim.scripts._of_prim.setdefault(here.root, []).append(again)
        here.sim.scripts._prim_of[again] = here.root
    assert again.controls == (0x10, True, False) and press(here, 0x10) == [f"1 {0x10} {0x10}"]


async def test_animations(here):
    _script, said = granted(here, 'llStartAnimation("wave"); llStartAnimation("DANCE1"); llStartAnimation("no such"); llStopAnimation("dance1"); llStopAnimation("no such");')
    assert len(said) == 2 and all("no such" in one for one in said)
    assert list(here.visitor.animations) == [WAVE] and here.visitor.animation_sources == {WAVE: here.root.full_id}
    visitor = str(here.visitor.agent_id)
    here.region.world.row(here.visitor)["motion"] = int(Motion.WALKING)
    assert here.said(f'llOwnerSay(llGetAnimation("{visitor}")); llOwnerSay(llList2CSV(llGetAnimationList("{visitor}"))); llOwnerSay(llGetAnimation(NULL_KEY) + (string)llGetAnimationList(NULL_KEY));') == [
        "Walking", f"{Animation.WALK}, {WAVE}", ""]  # fmt: skip
    granted(here, f'llStopAnimation("{WAVE}");')
    assert here.visitor.animations == {} and here.visitor.animation_sources == {}
    _, said = granted(here, 'llStartAnimation("wave");', permissions=0x4)
    assert "PERMISSION_TRIGGER_ANIMATION" in said[0] and here.visitor.animations == {}


async def test_overrides_of_animations(here):
    visitor = here.visitor
    _, said = granted(here, 'llSetAnimationOverride("Standing", "wave"); llSetAnimationOverride("Walking", "dance2"); llSetAnimationOverride("Swimming", "wave"); '
                      'llOwnerSay(llGetAnimationOverride("Standing") + "," + llGetAnimationOverride("Walking") + "," + llGetAnimationOverride("Flying") + "," + llGetAnimationOverride("x"));')  # fmt: skip
    assert "Swimming" in said[0] and said[1] == "wave,dance2,fly,"
    assert [one for one, _ in playing(visitor, Motion.STANDING)] == [WAVE] and [one for one, _ in playing(visitor, Motion.RUNNING)] == [Animation.RUN]
    visitor.overrides["Sitting on Ground"] = WAVE
    assert [one for one, _ in playing(visitor, Motion.SITTING_GROUND)] == [Animation.SIT_GROUND, WAVE]
    granted(here, 'llResetAnimationOverride("Walking"); llResetAnimationOverride("nowhere");')
    assert set(visitor.overrides) == {"Standing", "Sitting on Ground"}
    granted(here, 'llResetAnimationOverride("ALL");')
    assert visitor.overrides == {} and set(STATES.values()) <= set(DEFAULTS)
    assert all(name in built_in() for name in DEFAULTS.values())


async def test_animated_meshes(here):
    here.said('llStartObjectAnimation("wave"); llStartObjectAnimation("dance1"); llStartObjectAnimation("wave"); llStartObjectAnimation("none");')
    assert here.root.rare.animations == (WAVE, built_in()["dance1"])
    assert here.said("llOwnerSay(llList2CSV(llGetObjectAnimationNames()));") == ["wave, dance1"]
    here.said(f'llStopObjectAnimation("{WAVE}"); llStopObjectAnimation("dance1");')
    assert here.root.rare.animations == () and here.shown("ObjectAnimation")[-1][1]["AnimationList"] == []


async def test_cameras_that_scripts_move(here):
    _, said = granted(here, "llSetCameraParams([CAMERA_ACTIVE, 7, CAMERA_DISTANCE, 1000, CAMERA_FOCUS_OFFSET, <1, 2, 99>, CAMERA_PITCH, -10.0]); llSetCameraParams([99, 1]); llSetCameraParams([CAMERA_PITCH, \"x\"]); llClearCameraParams();")
    (to, told), = here.shown("SetFollowCamProperties")
    assert to == here.visitor.agent_id and told["ObjectData"] == {"ObjectID": here.root.full_id} and len(said) == 2
    assert [(one["Type"], one["Value"]) for one in told["CameraProperty"]] == [(12, 1.0), (7, 50.0), (2, 1.0), (3, 2.0), (4, 10.0), (0, -10.0)]
    assert len(here.shown("ClearFollowCamProperties")) == 1


async def test_where_cameras_are(here):
    camera = here.visitor.camera
    camera.center, camera.at, camera.left, camera.up = (10.0, 20.0, 30.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    here.visitor.screen.width, here.visitor.screen.height, here.visitor.screen.field_of_view = 1600, 800, 1.0
    _, said = granted(here, "llOwnerSay((string)llGetCameraPos()); llOwnerSay((string)llGetCameraRot()); llOwnerSay((string)llGetCameraFOV() + (string)llGetCameraAspect());")
    assert said == ["<10.00000, 20.00000, 30.00000>", "<0.00000, 0.00000, 0.70711, 0.70711>", "1.0000002.000000"]
    _, said = granted(here, "llOwnerSay((string)llGetCameraPos());", permissions=0)
    assert said[-1] == "<0.00000, 0.00000, 0.00000>"


async def test_cameras_of_seats_and_words_of_menus(here):
    here.said('llSetCameraEyeOffset(<-2, 0, 1>); llSetCameraAtOffset(<2, 0, 1000>); llForceMouselook(TRUE); llSetLinkCamera(2, <1, 1, 1>, <2, 2, 2>); llSetSitText("Ride"); llSetTouchText("Poke" + "|");')
    rare = here.root.rare
    assert (rare.camera_eye, rare.camera_at, rare.mouselook) == ((-2.0, 0.0, 1.0), (2.0, 0.0, 64.0), True)
    assert here.child.rare.camera_at == (2.0, 2.0, 2.0) and (here.root.sit_name, here.root.touch_name) == ("Ride", "Poke?")
    assert here.said("llTakeCamera(llGetOwner()); llReleaseCamera(llGetOwner()); llOwnerSay(\"on\");") == ["on"]


async def test_teleports_are_for_the_owner_who_grants_them(here):
    _, said = granted(here, 'llTeleportAgent(llGetPermissionsKey(), "", <1, 2, 3>, <1, 0, 0>);')
    assert "owner" in said[0]
    gone: list[tuple[str, Any]] = []

    class Journeys:
        def __getattr__(self, name: str) -> Any:
            return lambda agent, *where: gone.append((name, where))

    here.world.journeys = Journeys()
    here.root.owner_id = here.visitor.agent_id
    landmark = item("place", 3, UUID(int=55))
    here.root.contents.append(landmark)
    _, said = granted(here, 'key k = llGetPermissionsKey(); llTeleportAgent(k, "", <1, 2, 3>, <0, 2, 0>); llTeleportAgent(k, "place", ZERO_VECTOR, ZERO_VECTOR); '
                      'llTeleportAgent(k, "none", ZERO_VECTOR, ZERO_VECTOR); llTeleportAgentGlobalCoords(k, <256000, 256300, 0>, <5, 6, 7>, ZERO_VECTOR); llTeleportAgent(NULL_KEY, "", ZERO_VECTOR, ZERO_VECTOR);')  # fmt: skip
    assert [name for name, _ in gone] == ["teleport", "to_landmark", "to_global"] and len(said) == 2
    assert gone[0][1] == ("", (1.0, 2.0, 3.0), (0.0, 1.0, 0.0)) and gone[2][1][0] == (256000.0, 256256.0)
    here.region.world.parcel_at(128, 128).owner_id = here.visitor.agent_id
    here.said(f'llTeleportAgentHome("{here.visitor.agent_id}"); llTeleportAgentHome(NULL_KEY);')
    assert gone[-1][0] == "home"


async def test_seating_somebody(here):
    visitor = str(here.visitor.agent_id)
    here.child.sit_target = ((0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 1.0))
    assert here.said(f'llOwnerSay((string)llSitOnLink("{visitor}", 1) + (string)llSitOnLink(NULL_KEY, 1) + (string)llSitOnLink("{visitor}", LINK_SET) + (string)llSitOnLink("{visitor}", 9));') == ["-1-4-5-5"]
    here.root.owner_id = here.visitor.agent_id
    assert here.said(f'llOwnerSay((string)llSitOnLink("{visitor}", 1));') == ["1"]
    assert here.region.world.seats.of[here.visitor].prim is here.child
    here.child.sit_target = None
    assert here.said(f'llOwnerSay((string)llSitOnLink("{visitor}", 1));') == ["-3"]


async def test_maps(here):
    here.root.owner_id = here.visitor.agent_id
    here.said('llMapDestination("Ridge", <1, 2, 3>, ZERO_VECTOR); llMapBeacon("Ridge", <4, 5, 6>, [BEACON_MAP, TRUE, FALSE]); llMapBeacon("Ridge", <4, 5, 6>, []);')
    told = [message for _, message in here.shown("ScriptTeleportRequest")]
    assert [one["Options"] for one in told] == [[{"Flags": 3}], [{"Flags": 1}], [{"Flags": 0}]]
    assert told[0]["Data"]["SimPosition"] == (1.0, 2.0, 3.0) and b"Ridge" in told[0]["Data"]["SimName"]


# --- in a region: who is asked, what is granted without a question, what ends by itself


@pytest.fixture
async def sim() -> Any:
    with bench("region") as found:
        yield found


async def test_a_seat_grants_what_it_may_and_takes_the_camera_back(sim):
    visitor = sim.visitor
    sim.region.world.seats.take(visitor, Seat(sim.root, (0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 1.0)))
    ask = f'default {{ state_entry() {{ llRequestPermissions("{visitor.agent_id}", PERMISSION_TRIGGER_ANIMATION | PERMISSION_CONTROL_CAMERA); }} run_time_permissions(integer p) {{ llOwnerSay((string)p); llStartAnimation("dance1"); }} }}'
    script = sim.start(ask)
    assert sim.run() == [str(0x810)] and not sim.shown("ScriptQuestion")
    sim.sim.scripts.run()
    sim.sim.seating.release(visitor)
    sim.sim.scripts.run()
    assert script.granted == 0x10 and len(sim.shown("ClearFollowCamProperties")) == 1
    assert visitor.animations
    sim.sim.scripts.permits.revoke(sim.sim.scripts.of_linkset(sim.root), sim.root, visitor, 0x10 | 0x8000)
    assert script.granted == 0 and not visitor.animations


async def test_who_does_not_sit_is_asked_and_only_the_owner_for_money(sim):
    source = f'default {{ state_entry() {{ llRequestPermissions("{sim.visitor.agent_id}", PERMISSION_DEBIT | PERMISSION_TAKE_CONTROLS); }} }}'
    sim.start(source)
    said = sim.run()
    assert "owner" in said[0] and sim.shown("ScriptQuestion")[0][1]["Data"]["Questions"] == 4


async def test_a_key_that_a_script_has_taken_does_not_walk_the_avatar():
    sim = make_sim()
    try:
        anna = add_root(sim, "Anna Tester", (100, 100, 25))
        for _ in range(90):
            sim.frame.step()
        script = type("Taker", (), {"granter": Key(str(anna.id)), "granted": 4, "controls": None, "queue": [], "post": lambda *a: True, "now": 0.0})()
        sim.scripts.controls.take(script, 1, True, False)
        before = sim.world.position(anna.agent)
        sim.world.row(anna.agent)["controls"] = 1
        for _ in range(45):
            sim.frame.step()
        assert sim.world.position(anna.agent)[:2] == pytest.approx(before[:2], abs=0.01)
        sim.scripts.controls.release(script)
        for _ in range(45):
            sim.frame.step()
        assert sim.world.position(anna.agent)[0] > before[0] + 0.5
    finally:
        close_sim(sim)


def test_nobody_is_named_null() -> None:
    assert NULL not in built_in().values()
