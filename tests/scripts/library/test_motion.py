"""Movement by scripts, on both worlds, with physics at work: forces, targets, vehicles, keyframes, collisions, rays, damage."""

# ruff: noqa: E501 (scripts in strings)
from __future__ import annotations

import math
from typing import Any

import pytest

from protocol.errors import ProtocolError
from sim.scripts.library.declare import LIBRARY
from sim.world import drives, form
from sim.world.changes import What
from sim.world.linkset import gather
from tests.scripts.library.moving import more, plays, stands
from tests.scripts.library.test_things import ODD
from tests.scripts.library.worlds import bench

FAMILIES = ("motion", "vehicles", "targets", "keyframes", "combat", "collisions", "linking", "rezzing", "sensors")


@pytest.fixture(params=["fake", "region"])
async def here(request: pytest.FixtureRequest) -> Any:
    with bench(request.param) as made:
        found: Any = made
        found.rooms = found.sim.scripts.rooms if request.param == "region" else found.world.rooms
        terrain = found.region.world.terrain
        terrain.heights[:] = 20.0
        terrain.revision += 1
        yield found


def place(here: Any, prim: Any = None) -> tuple[float, ...]:
    return here.region.world.objects.world_place(prim or here.root)[0]


def row(here: Any, name: str, prim: Any = None) -> list[float]:
    return here.region.world.objects.row(prim or here.root)[name].tolist()


def does(here: Any, body: str, seconds: float = 1.0) -> list[str]:
    """A script of an object that is physical and without weight."""
    return plays(here, f"default {{ state_entry() {{ llSetStatus(STATUS_PHYSICS, TRUE); llSetBuoyancy(1.0); {body} }} }}", seconds)


async def test_impulses_and_velocities(here):
    does(here, "llApplyImpulse(<llGetMass() * 2.0, 0, 0>, FALSE);")
    assert 1.5 < row(here, "velocity")[0] < 2.1 and 129.0 < place(here)[0] < 130.5
    does(here, "llSetVelocity(<0, 3, 0>, FALSE); llSetAngularVelocity(<0, 0, 1>, FALSE);", 0.3)
    assert row(here, "velocity")[1] == pytest.approx(3.0, rel=0.1) and row(here, "angular_velocity")[2] == pytest.approx(1.0, rel=0.1)
    does(here, "llSetVelocity(ZERO_VECTOR, FALSE); llSetAngularVelocity(ZERO_VECTOR, FALSE); llApplyRotationalImpulse(<0, 0, 0.05>, TRUE);", 0.3)
    assert row(here, "angular_velocity")[2] > 0.01


async def test_forces_are_kept_up_and_told(here):
    said = does(here, "llSetForce(<llGetMass(), 0, 0>, FALSE); llSetTorque(<0, 0, 0.1>, FALSE); llOwnerSay((string)(llGetForce() / llGetMass())); llOwnerSay((string)llGetTorque()); llOwnerSay((string)llGetEnergy());")
    assert said == ["<1.00000, 0.00000, 0.00000>", "<0.00000, 0.00000, 0.10000>", "1.000000"]
    assert row(here, "velocity")[0] == pytest.approx(1.0, rel=0.1) and row(here, "angular_velocity")[2] > 0.02
    does(here, "llSetForceAndTorque(ZERO_VECTOR, ZERO_VECTOR, FALSE); llSetVelocity(ZERO_VECTOR, FALSE);")
    assert abs(row(here, "velocity")[0]) < 0.05


async def test_what_is_not_physical_is_not_pushed(here):
    before = place(here)
    plays(here, "default { state_entry() { llApplyImpulse(<100, 0, 0>, FALSE); llSetVelocity(<1, 0, 0>, FALSE); llSetForce(<100, 0, 0>, FALSE); llMoveToTarget(<1, 1, 1>, 0.1); llApplyRotationalImpulse(<1, 1, 1>, FALSE); llSetAngularVelocity(<1, 0, 0>, FALSE); llOwnerSay((string)llGetForce()); } }")
    assert place(here) == before and row(here, "velocity") == [0.0, 0.0, 0.0]


async def test_gliding_hovering_and_turning(here):
    does(here, "llMoveToTarget(<131, 128, 27>, 0.2);", 3.0)
    assert math.dist(place(here), (131.0, 128.0, 27.0)) < 0.8  # where the root ends up: the middle of its mass is there
    does(here, "llStopMoveToTarget(); llSetHoverHeight(3.0, FALSE, 0.3);", 4.0)
    ground = here.region.world.terrain.height(131.0, 128.0)
    assert place(here)[2] == pytest.approx(ground + 3.0, abs=0.6)
    does(here, "llStopHover(); llRotLookAt(llEuler2Rot(<0, 0, PI_BY_TWO>), 1.0, 0.2);", 3.0)
    assert abs(row(here, "rotation")[2]) == pytest.approx(math.sqrt(0.5), abs=0.1)
    does(here, "llStopLookAt(); llGroundRepel(1.0, TRUE, 1.0); llPointAt(ZERO_VECTOR); llStopPointAt();", 0.1)
    assert here.root.drives.turn[4] == 0.0 and here.root.drives.hover == (1.0, 1.0, 1.0)


async def test_what_is_not_physical_turns_at_once(here):
    said = plays(here, "default { state_entry() { llLookAt(llGetPos() + <3, 0, 0>, 1.0, 1.0); llOwnerSay((string)llRot2Up(llGetRot())); llOwnerSay((string)(llRot2Fwd(llGetRot()) * <0, 0, 1> < 0)); llRotLookAt(ZERO_ROTATION, 1.0, 1.0); llOwnerSay((string)llGetRot()); } }", 0.2)
    assert said == ["<1.00000, 0.00000, 0.00000>", "1", "<0.00000, 0.00000, 0.00000, 1.00000>"]


async def test_spin_is_shown_and_kept(here):
    plays(here, "default { state_entry() { llTargetOmega(<0, 0, 2>, 1.5, 1.0); llSetPos(llGetPos() + <1, 0, 0>); } }", 0.5)
    assert row(here, "angular_velocity") == [0.0, 0.0, 1.5] and row(here, "rotation") == [0.0, 0.0, 0.0, 1.0]
    (linkset,) = gather(here.region.world.objects, [here.root], 0.0)
    assert form.decode(form.encode(linkset)).parts[0].prim.drives.spin == (0.0, 0.0, 1.5)
    plays(here, "default { state_entry() { llTargetOmega(<0, 0, 1>, 0.0, 1.0); } }", 0.2)
    assert row(here, "angular_velocity") == [0.0, 0.0, 0.0]


async def test_flags(here):
    said = plays(here, """default { state_entry() { llSetStatus(STATUS_ROTATE_X | STATUS_ROTATE_Y, FALSE); llSetStatus(STATUS_DIE_AT_EDGE | STATUS_BLOCK_GRAB, TRUE); llSetStatus(STATUS_BLOCK_GRAB, FALSE);
        llOwnerSay((string)llGetStatus(STATUS_ROTATE_X) + (string)llGetStatus(STATUS_ROTATE_Z) + (string)llGetStatus(STATUS_DIE_AT_EDGE) + (string)llGetStatus(STATUS_BLOCK_GRAB)); } }""")
    assert said == ["0110"]
    does(here, "llSetAngularVelocity(<2, 0, 2>, FALSE);", 0.5)
    spin = row(here, "angular_velocity")
    assert abs(spin[0]) < 0.05 and spin[2] > 1.0


async def test_material(here):
    said = plays(here, "default { state_entry() { llSetPhysicsMaterial(GRAVITY_MULTIPLIER | DENSITY, 0.5, 9.9, 9.9, 2000.0); llOwnerSay((string)llGetPhysicsMaterial()); } }", 0.2)
    assert said == ["0.5000000.5000000.6000002000.000000"]


async def test_what_is_driven_stays_driven_when_its_body_is_made_anew(here):
    does(here, "llSetForce(<llGetMass(), 0, 0>, FALSE);", 0.2)
    here.region.world.objects.changes.note(here.root, What.SHAPE)
    before = row(here, "velocity")[0]
    more(here, 1.0)
    assert row(here, "velocity")[0] > before + 0.7
    (linkset,) = gather(here.region.world.objects, [here.root], 0.0)
    assert form.decode(form.encode(linkset)).parts[0].prim.drives == here.root.drives


async def test_a_vehicle_drives(here):
    does(here, """llSetVehicleType(VEHICLE_TYPE_CAR); llSetVehicleFloatParam(VEHICLE_LINEAR_MOTOR_TIMESCALE, 0.1); llSetVehicleRotationParam(VEHICLE_REFERENCE_FRAME, ZERO_ROTATION);
        llSetVehicleFlags(VEHICLE_FLAG_HOVER_GLOBAL_HEIGHT); llRemoveVehicleFlags(VEHICLE_FLAG_LIMIT_MOTOR_UP); llSetVehicleVectorParam(VEHICLE_LINEAR_MOTOR_DIRECTION, <5, 0, 0>);""", 2.0)
    assert place(here)[0] > 132.0
    (linkset,) = gather(here.region.world.objects, [here.root], 0.0)
    assert form.decode(form.encode(linkset)).parts[0].prim.drives == here.root.drives
    plays(here, "default { state_entry() { llSetVehicleType(VEHICLE_TYPE_NONE); llSetVehicleVectorParam(VEHICLE_LINEAR_MOTOR_DIRECTION, <5, 0, 0>); llSetVehicleFlags(-1); } }", 0.1)
    assert here.root.drives.vehicle == ()


async def test_targets(here):
    source = """integer t; default { state_entry() { llSetStatus(STATUS_PHYSICS, TRUE); llSetBuoyancy(1.0); t = llTarget(<131, 128, 25>, 0.5); llMoveToTarget(<131, 128, 25>, 0.3); }
        not_at_target() { llOwnerSay("not"); } at_target(integer n, vector wanted, vector ours) { llOwnerSay("at " + (string)(n == t) + (string)wanted); llTargetRemove(n); } }"""
    said = plays(here, source, 4.0)
    assert said[0] == "not" and said[-1] == "at 1<131.00000, 128.00000, 25.00000>" and 2 <= said.count("not") < 30
    source = """default { state_entry() { llRotTarget(llEuler2Rot(<0, 0, PI_BY_TWO>), 0.1); llSetTimerEvent(1.0); } timer() { llSetTimerEvent(0.0); llSetRot(llEuler2Rot(<0, 0, PI_BY_TWO>)); }
        not_at_rot_target() { llOwnerSay("not"); } at_rot_target(integer n, rotation wanted, rotation ours) { llOwnerSay("at"); llRotTargetRemove(n); } }"""
    assert plays(here, source.replace("default {", "default { ", 1), 0.1) is not None
    here.root.physical = False
    here.region.world.objects.changes.note(here.root, What.BODY)
    said = more(here, 2.0)
    assert said[-1] == "at" and "not" in said


async def test_keyframes(here):
    source = """default { state_entry() { llSetKeyframedMotion([<0, 0, 2>, llEuler2Rot(<0, 0, PI_BY_TWO>), 1.0, <1, 0, 0>, ZERO_ROTATION, 1.0], []); }
        moving_start() { llOwnerSay("start"); } moving_end() { llOwnerSay("end " + (string)llGetPos()); } }"""
    assert plays(here, source, 0.5) == ["start"]
    assert 25.8 < place(here)[2] < 26.3 and row(here, "velocity")[2] == pytest.approx(2.0, rel=0.01)
    (linkset,) = gather(here.region.world.objects, [here.root], 0.0)
    kept = form.decode(form.encode(linkset)).parts[0].prim.drives.keyframes
    assert kept is not None and kept.playing and kept.frames[0][0] == (0.0, 0.0, 2.0) and kept.start == (128.0, 128.0, 25.0)
    assert more(here, 2.0) == ["start", "end <129.00000, 128.00000, 27.00000>"]
    assert row(here, "velocity") == [0.0, 0.0, 0.0] and abs(row(here, "rotation")[2]) == pytest.approx(math.sqrt(0.5), abs=1e-3)


async def test_keyframes_go_round_back_and_stop(here):
    list_ = "[<0, 0, 1>, 0.5, <2, 0, 0>, 0.5]"
    plays(here, f"default {{ state_entry() {{ llSetKeyframedMotion({list_}, [KFM_DATA, KFM_TRANSLATION, KFM_MODE, KFM_PING_PONG]); }} }}", 1.05)
    assert place(here) == pytest.approx((130.0, 128.0, 26.0), abs=0.25)
    more(here, 1.0)
    assert place(here) == pytest.approx((128.0, 128.0, 25.0), abs=0.25)
    more(here, 8.0)
    assert place(here) == pytest.approx((128.0, 128.0, 25.0), abs=0.35)  # nothing adds up
    plays(here, "default { state_entry() { llSetKeyframedMotion([], [KFM_COMMAND, KFM_CMD_PAUSE]); } }", 0.2)
    still = place(here)
    more(here, 1.0)
    assert place(here) == still
    plays(here, "default { state_entry() { llSetKeyframedMotion([], [KFM_COMMAND, KFM_CMD_PLAY]); } }", 0.5)
    assert place(here) != still
    plays(here, "default { state_entry() { llSetKeyframedMotion([], []); } }", 0.2)
    assert here.root.drives.keyframes is None
    start = place(here)
    plays(here, f"default {{ state_entry() {{ llSetKeyframedMotion({list_}, [KFM_DATA, KFM_TRANSLATION, KFM_MODE, KFM_REVERSE]); }} }}", 2.0)
    assert place(here) == pytest.approx((start[0] - 2.0, start[1], start[2] - 1.0), abs=0.01)


async def test_keyframes_that_lead_out_of_the_region_break_nothing(here):
    plays(here, "default { state_entry() { llSetKeyframedMotion([<150, 0, 0>, 0.5, <1, 0, 0>, 0.5], [KFM_DATA, KFM_TRANSLATION]); } moving_end() { llOwnerSay(\"end\"); } }", 2.0)
    if hasattr(here, "sim"):
        assert here.sim.metrics.value("stage_errors", "step") == 0 and place(here)[0] < 256.0  # nobody is beyond the border


async def test_wrong_keyframes(here):
    said = plays(here, """default { state_entry() { llSetKeyframedMotion([<0, 0, 1>, 1.0], []); llSetKeyframedMotion([<0, 0, 1>, ZERO_ROTATION, 0.01], []); llSetKeyframedMotion([1, 2, 3], []);
        llSetKeyframedMotion([<0, 0, 1>, ZERO_ROTATION, 1.0], [KFM_MODE, 17]); llSetKeyframedMotion([<0, 0, 1>, ZERO_ROTATION, 1.0], [9, 9]); llSetKeyframedMotion([], [KFM_COMMAND, KFM_CMD_PLAY]); } }""", 0.5)
    assert len(said) == 5 and all("llSetKeyframedMotion" in one for one in said) and here.root.drives.keyframes is None
    assert "physical" in does(here, "llSetKeyframedMotion([<0, 0, 1>, ZERO_ROTATION, 1.0], []);", 0.2)[-1]


async def test_collisions(here):
    stands(here, "floor", (128.0, 128.0, 23.0), (4.0, 4.0, 0.5))
    source = """default { state_entry() { llSetStatus(STATUS_PHYSICS, TRUE); } collision_start(integer n) { llOwnerSay("start " + llDetectedName(0) + (string)llDetectedType(0)); }
        collision(integer n) { llOwnerSay("on"); } collision_end(integer n) { llOwnerSay("end"); } }"""
    said = plays(here, source, 2.0)
    assert said[0] == "start floor4" and said.count("start floor4") < 20
    source = "default { state_entry() { llCollisionFilter(\"nobody\", NULL_KEY, TRUE); llSetPos(llGetPos() + <0, 0, 1>); } collision_start(integer n) { llOwnerSay(\"never\"); } }"
    assert "never" not in plays(here, source, 2.0)


async def test_land_collisions(here):
    ground = here.region.world.terrain.height(128.0, 128.0)
    source = f"default {{ state_entry() {{ llSetRegionPos(<128, 128, {ground + 1.0}>); llSetStatus(STATUS_PHYSICS, TRUE); }} land_collision_start(vector p) {{ llOwnerSay(\"land\"); }} }}"
    assert "land" in plays(here, source, 2.0)


async def test_volume_detect(here):
    ball = stands(here, "ball", (128.0, 128.0, 29.0), (0.2, 0.2, 0.2), physical=True)
    source = "default { state_entry() { llVolumeDetect(TRUE); llPassCollisions(PASS_ALWAYS); llCollisionSprite(\"\"); } collision_start(integer n) { llOwnerSay(\"in \" + llDetectedName(0)); } collision_end(integer n) { llOwnerSay(\"out\"); } }"
    said = plays(here, source, 3.0)
    assert said == ["in ball", "out"] * 2 and here.root.volume_detect and place(here, ball)[2] < 25.0


async def test_rays(here):
    stands(here, "wall", (138.0, 128.0, 25.0), (0.5, 4.0, 4.0))
    stands(here, "ghost", (134.0, 128.0, 25.0), (0.5, 4.0, 4.0), phantom=True)
    ray = "llCastRay(<130, 128, 25>, <150, 128, 25>, {})"
    asks = [ray.format(options) for options in (
        "[]", "[RC_DETECT_PHANTOM, TRUE, RC_MAX_HITS, 5]", "[RC_DATA_FLAGS, RC_GET_NORMAL | RC_GET_LINK_NUM | RC_GET_ROOT_KEY]", "[RC_REJECT_TYPES, RC_REJECT_NONPHYSICAL]",
        "[RC_REJECT_TYPES, RC_REJECT_NONPHYSICAL | RC_REJECT_PHYSICAL | RC_REJECT_LAND | RC_REJECT_AGENTS]",
    )]  # fmt: skip
    down = "llCastRay(<100, 100, 100>, <100, 100, -10>, [RC_REJECT_TYPES, RC_REJECT_AGENTS])"
    body = " ".join([f'llOwnerSay(llDumpList2String({one}, "|"));' for one in (*asks, down, "llCastRay(ZERO_VECTOR, ZERO_VECTOR, [])")])
    said = [one.split("|") for one in plays(here, f"default {{ state_entry() {{ {body} }} }}", 0.3)]
    assert said[0][1:] == ["<137.750000, 128.000000, 25.000000>", "1"] and len(said[1]) == 5 and said[1][-1] == "2" and said[1][1].startswith("<133.75")
    assert said[2][1] == "0" and said[2][3] == "<-1.000000, 0.000000, 0.000000>" and said[3] == ["0"] and said[4] == ["0"]
    assert said[5][0] == "00000000-0000-0000-0000-000000000000" and said[5][-1] == "1" and said[6] == ["0"]


async def test_pushing(here):
    ball = stands(here, "ball", (130.0, 131.0, 25.0), physical=True)
    push = f'llPushObject("{ball.full_id}", <0, 0, 30>, ZERO_VECTOR, FALSE); llPushObject("{here.visitor.agent_id}", <0, 0, 8>, ZERO_VECTOR, FALSE); llPushObject(NULL_KEY, <0, 0, 8>, ZERO_VECTOR, FALSE);'
    high = place(here, ball)[2]
    before = float(here.region.world.row(here.visitor)["position"][2])
    plays(here, f"default {{ state_entry() {{ {push} }} }}", 0.4)
    assert place(here, ball)[2] > high + 1.0
    assert float(here.region.world.row(here.visitor)["position"][2]) > before - 1.0


async def test_damage(here):
    visitor = str(here.visitor.agent_id)
    source = f"""default {{ state_entry() {{ llOwnerSay((string)llGetHealth("{visitor}")); llDamage("{visitor}", 30.0, 0); llOwnerSay((string)llGetHealth("{visitor}")); llDamage(llGetKey(), 5.0, DAMAGE_TYPE_FIRE); llOwnerSay((string)llGetHealth(NULL_KEY)); }}
        on_damage(integer n) {{ llAdjustDamage(0, 2.0); llOwnerSay(llDumpList2String(llDetectedDamage(0), " ")); llAdjustDamage(5, 2.0); }} }}"""
    parcel = here.region.world.parcel_at(130.0, 128.0)
    assert plays(here, source, 0.2) == ["100.000000", "100.000000", "0.000000", "2.000000 5 5.000000"]  # the land allows none
    parcel.flags |= 0x20
    assert plays(here, source, 0.2)[1] == "70.000000"
    more(here, 12.0)
    assert here.rooms.combat.health(here.visitor) == pytest.approx(72.0, abs=0.3)
    bullet = stands(here, "bullet", (130.0, 128.0, 27.0), (0.2, 0.2, 0.2), physical=True)
    plays(here, 'default { state_entry() { llSetDamage(50.0); } }', 3.0, bullet)
    assert bullet.row == -1 and here.rooms.combat.health(here.visitor) < 30.0


async def test_collision_sounds(here):
    shown: list[str] = []
    here.home = here.sim.scripts if hasattr(here, "sim") else here.world
    here.home.viewers._noted = lambda agent, message: shown.append(message.name)
    stands(here, "floor", (128.0, 128.0, 23.0), (4.0, 4.0, 0.5))
    plays(here, 'default { state_entry() { llCollisionSound("5748decc-f629-461c-9a36-a35a221fe21f", 0.5); llSetStatus(STATUS_PHYSICS, TRUE); } }', 1.5)
    assert (here.root.drives.sound, here.root.drives.volume) == ("5748decc-f629-461c-9a36-a35a221fe21f", 0.5)
    assert 1 <= shown.count("SoundTrigger") <= 20


async def test_weather_and_edges(here):
    here.region.world.open_sides[1, 2] = 1
    asks = ("llWind(ZERO_VECTOR)", "llCloud(ZERO_VECTOR)", "llEdgeOfWorld(<128, 128, 20>, <1, 0, 0>)", "llEdgeOfWorld(<128, 128, 20>, <-1, 0.1, 0>)", "llEdgeOfWorld(<128, 128, 20>, ZERO_VECTOR)")
    body = " ".join([f"llOwnerSay((string)({one}));" for one in asks])
    assert plays(here, f"default {{ state_entry() {{ {body} }} }}", 0.1) == ["<0.00000, 0.00000, 0.00000>", "0.000000", "0", "1", "1"]


def test_drives_that_nobody_can_have_asked_for_are_refused():
    for bad in (b"[]", b"{", b'{"force":[1,2]}', b'{"force":[1,2,NaN]}', b'{"no":1}', b'{"buoyancy":1e300}', b'{"keyframes":{"frames":[]}}', b'{"sound":"x"}', b'{"locks":-1}',
                b'{"keyframes":{"frames":[[0,0,0,0,0,0,0,1]],"mode":0,"playing":true,"at":0,"back":false,"start":[0,0,0,0,0,0,1]}}'):  # fmt: skip
        with pytest.raises(ProtocolError):
            drives.from_bytes(bad)


async def test_odd_arguments_break_nothing(here):
    """Every function of these families with what no script should give it, of an object that is physical and one that is not."""
    for start in ("", "llSetStatus(STATUS_PHYSICS, TRUE); "):
        for name, declared in LIBRARY.items():
            if declared.family not in FAMILIES:
                continue
            for choice in (0, 1):
                arguments = ", ".join([ODD[kind][choice] for kind, _ in declared.builtin.arguments])
                assert plays(here, f'default {{ state_entry() {{ {start}{name}({arguments}); llOwnerSay("on"); }} }}', 0.3)[-1:] == ["on"], name
                if hasattr(here, "sim"):
                    here.sim.scripts.remove(here.root)
                else:
                    here.world.scripts[-1].remove()
    for prim in (here.root, here.child):
        for column in ("position", "rotation", "scale", "velocity", "angular_velocity"):
            assert all(abs(part) < 1e5 for part in row(here, column, prim)), column
