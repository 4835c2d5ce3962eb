"""Facts about the script, permissions, and what events detected."""

from __future__ import annotations

from sim.scripts.language.values import Key, Rotation, Value, Vector
from sim.scripts.library.world import Detected
from sim.scripts.tools.fakeworld import OBJECT, OWNER, VISITOR, FakeWorld
from tests.scripts.bench import engine, evaluate, said


def test_who_and_where():
    assert evaluate(
        "llGetKey()", "llGetOwner()", "llGetObjectName()", "llGetRegionName()", "llGetRegionTimeDilation()",
        "llGetPermissions()", "llGetPermissionsKey()",
    ) == [OBJECT, OWNER, "Object", "Nowhere", "1.000000", "0", "00000000-0000-0000-0000-000000000000"]  # fmt: skip


def test_permissions():
    source = f"""default {{ state_entry() {{ llRequestPermissions("{VISITOR}", PERMISSION_TAKE_CONTROLS | PERMISSION_ATTACH); }}
        run_time_permissions(integer granted) {{ llOwnerSay((string)(granted == llGetPermissions()));
            llOwnerSay((string)llGetPermissions()); llOwnerSay(llGetPermissionsKey()); }} }}"""
    assert said(source) == ["1", "36", VISITOR]


WHO = ("Key", "Name", "Owner", "Group", "Type", "LinkNumber", "Pos", "Vel", "Rot", "Grab")
WHERE = ("Face", "Pos", "Normal", "Binormal", "UV", "ST")
TELL = "".join([f"llOwnerSay((string)llDetected{one}(n));" for one in (*WHO, *["Touch" + one for one in WHERE])])
ZERO = "<0.00000, 0.00000, 0.00000>"
NOTHING = [
    "00000000-0000-0000-0000-000000000000", "", "00000000-0000-0000-0000-000000000000", "0", "0", "0", ZERO, ZERO,
    "<0.00000, 0.00000, 0.00000, 1.00000>", ZERO, "-1", ZERO, ZERO, ZERO, *["<-1.00000, -1.00000, 0.00000>"] * 2,
]  # fmt: skip


def detected(number: int) -> list[str]:
    world = FakeWorld(engine())
    script = world.add(f"default {{ touch_start(integer n) {{ n = {number}; {TELL} }} }}")
    group = script.group = Key("0f000000-0000-4000-8000-00000000000f")
    one = Vector(1.0, 2.0, 3.0)
    touch: dict[str, Value] = {"face": 4, "position": one, "normal": one, "binormal": one, "uv": one, "st": one}
    who = Detected(Key("k"), "name", Key("o"), group, 3, 2, one, one, Rotation(0.0, 0.0, 1.0, 0.0), one, touch)
    world.settle()
    world.post("touch_start", 1, detected=[Detected(), who])
    world.settle()
    return world.said


def test_what_was_detected():
    one = "<1.00000, 2.00000, 3.00000>"
    assert detected(1) == [
        "k", "name", "o", "1", "3", "2", one, one, "<0.00000, 0.00000, 1.00000, 0.00000>", one, "4", *[one] * 5,
    ]  # fmt: skip
    for number in (0, 2, -1):
        assert detected(number) == NOTHING
    assert said(f"default {{ state_entry() {{ integer n; {TELL} }} }}") == NOTHING


def test_every_one_is_named_here():
    names = ["llDetectedKey", "llDetectedName", "llDetectedOwner", "llDetectedGroup", "llDetectedType", "llDetectedPos",
             "llDetectedLinkNumber", "llDetectedVel", "llDetectedRot", "llDetectedGrab", "llDetectedTouchFace",
             "llDetectedTouchPos", "llDetectedTouchNormal", "llDetectedTouchBinormal", "llDetectedTouchUV",
             "llDetectedTouchST"]  # fmt: skip
    assert names and all(f"llDetected{one}" in names for one in WHO) and all(f"llDetectedTouch{one}" in names for one in WHERE)
