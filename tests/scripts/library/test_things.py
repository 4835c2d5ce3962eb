"""Functions of prims, people and land, on both worlds: what they read is the world, what they set is an edit of it."""

# ruff: noqa: E501 (scripts in strings)
from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest

from sim.scripts.library.declare import LIBRARY
from sim.scripts.library.prim_rules import RULES
from sim.world.changes import What
from tests.scripts.library.worlds import TEXTURE, bench, item

FAMILIES = (
    "objects", "places", "looks", "prim_params", "agents", "regions", "contents", "animations", "camera", "keys", "menus", "particles", "sounds",
    "travel", "notecards", "requests", "gifts", "materials", "media", "land", "environment",
    "money", "grid", "retired",
)  # fmt: skip


@pytest.fixture(params=["fake", "region"])
async def here(request: pytest.FixtureRequest) -> Any:
    with bench(request.param) as found:
        yield found


def values(here: Any, *expressions: str, before: str = "") -> list[str]:
    return here.said(" ".join([f"llOwnerSay((string)({one}));" for one in expressions]), before)


async def test_places(here):
    here.region.world.objects.row(here.root)["rotation"] = (0.0, 0.0, 0.70710678, 0.70710678)
    here.region.world.objects.placed(here.root)
    assert values(here, "llGetPos()", "llGetRootPosition()", "llGetLocalPos()", "llGetRot()", "llGetRootRotation()", "llGetLocalRot()", "llGetScale()",
                  "llGetVel()", "llGetOmega()", "llGetAccel()", "llGetGeometricCenter()", "llGetCenterOfMass()", "llGetMass()", "llGetMassMKS()",
                  "llGetBoundingBox(llGetKey())", "llGetBoundingBox(NULL_KEY)") == [
        "<128.00000, 128.00000, 25.00000>"] * 3 + ["<0.00000, 0.00000, 0.70711, 0.70711>"] * 3 + ["<0.50000, 0.50000, 0.50000>"] + [
        "<0.00000, 0.00000, 0.00000>"] * 3 + ["<128.00000, 128.00000, 25.50000>"] * 2 + ["2.500000", "250.000000",
        "<-0.250000, -0.250000, -0.250000><0.250000, 0.250000, 1.250000>", ""]  # fmt: skip


async def test_moving(here):
    place = here.region.world.objects.world_place
    here.said("llSetPos(<130, 128, 26>);")
    assert place(here.root)[0] == (130.0, 128.0, 26.0) and place(here.child)[0] == (130.0, 128.0, 27.0)
    here.said("llSetPos(<130, 228, 26>);")
    assert place(here.root)[0] == (130.0, 138.0, 26.0)  # ten metres at once
    assert values(here, "llSetRegionPos(<20, 30, 40>)", "llSetRegionPos(<-20, 30, 40>)", "llGetPos()") == ["1", "0", "<20.00000, 30.00000, 40.00000>"]
    here.said('float nan = (float)"nan"; llSetPos(<nan, 30, (float)"inf">); llSetRot(<nan, nan, nan, nan>); llSetScale(<nan, 0, 1000>);')
    row = here.region.world.objects.row(here.root)
    assert row["rotation"].tolist() == [0.0, 0.0, 0.0, 1.0] and [round(x, 3) for x in row["scale"].tolist()] == [0.01, 0.01, 64.0]
    assert all(abs(x) < 4097 for x in place(here.root)[0])
    here.said("llSetRot(llEuler2Rot(<0, 0, PI_BY_TWO>)); llSetScale(<1, 2, 3>);")
    assert [round(x, 4) for x in place(here.root)[1]] == [0.0, 0.0, 0.7071, 0.7071] and row["scale"].tolist() == [1.0, 2.0, 3.0]
    here.said("llSetLinkPrimitiveParamsFast(2, [PRIM_POS_LOCAL, <0, 0, 2>, PRIM_ROTATION, ZERO_ROTATION, PRIM_SIZE, <.1, .1, .1>]);")
    child = here.region.world.objects.row(here.child)
    assert child["position"].tolist() == [0.0, 0.0, 2.0] and [round(x, 4) for x in place(here.child)[1]] == [0.0, 0.0, 0.0, 1.0]


async def test_names_links_and_owners(here):
    owner, visitor = str(here.root.owner_id), str(here.visitor.agent_id)
    found = values(here, "llGetObjectName()", "llGetObjectDesc()", "llGetLinkNumber()", "llGetNumberOfPrims()", "llGetLinkName(2)", "llGetLinkName(3)",
                   "llGetLinkKey(1) == llGetKey()", "llGetLinkKey(9)", "llGetOwnerKey(llGetKey())", 'llGetOwnerKey("x")', "llGetCreator()",
                   "llKey2Name(llGetKey())", f'llKey2Name("{visitor}")', "llKey2Name(NULL_KEY)", "llGetObjectPrimCount(llGetKey())",
                   "llGetObjectPrimCount(NULL_KEY)", "llGetAttached()")  # fmt: skip
    null = "00000000-0000-0000-0000-000000000000"
    assert found == ["Object", "", "1", "2", "Child", null, "1", null, owner, "x", owner, "Object", "Visitor Resident", "", "2", "0", "0"]
    reader = here.region.world.changes.prims.reader(What.NAME | What.TEXT)
    here.said('llSetObjectName("Door|\\n" + "x"); llSetObjectDesc("ab"); llSetText("hi", <1, 0, 2>, 0.5);')
    assert (here.root.name, here.root.description, here.root.text) == ("Door??x", "ab", "hi")
    assert here.root.text_color == bytes((255, 0, 255, 127)) and reader.take() == {here.root: What.NAME | What.TEXT}
    assert values(here, "llGetObjectName()") == ["Door??x"]


async def test_looks(here):
    here.said('llSetColor(<1, .5, 0>, 0); llSetAlpha(.5, ALL_SIDES); llSetTexture("brick", 1); llSetTexture("none", 2); llScaleTexture(2, 3, 1);')
    assert values(here, "llGetColor(0)", "llGetColor(1)", "llGetAlpha(0)", "llGetAlpha(ALL_SIDES)", "llGetNumberOfSides()",
                  "llGetColor(99)", "llGetAlpha(6)", "llGetTextureScale(1)", "llGetLinkNumberOfSides(LINK_SET)") == [
        "<1.00000, 0.50196, 0.00000>", "<1.00000, 1.00000, 1.00000>", "0.501961", "3.011765", "6", "<0.00000, 0.00000, 0.00000>",
        "0.000000", "<2.00000, 3.00000, 0.00000>", "12"]  # fmt: skip
    here.root.contents.append(item("brick", 0))
    complaint = here.said('llSetTexture("brick", 1); llSetTexture("none", 2); llSetLinkTexture(2, "brick", ALL_SIDES); llSetLinkColor(LINK_SET, <0, 0, 1>, 3);')
    assert [one for one in complaint if "Couldn't find texture 'none'" in one] == complaint != []
    assert values(here, "llGetTexture(1)", "llGetTexture(0) == llGetTexture(1)", "llGetLinkPrimitiveParams(2, [PRIM_TEXTURE, 5])") == [
        "brick", "0", f"{TEXTURE}<1.000000, 1.000000, 0.000000><0.000000, 0.000000, 0.000000>0.000000"]  # fmt: skip


def numbers(text: str) -> list[float]:
    return [float(part) for part in text.strip("<>").split(",")]


async def test_surfaces_by_their_single_setters(here):
    here.said("llOffsetTexture(.5, .25, 1); llRotateTexture(1.0, 1); llSetLinkAlpha(2, .5, ALL_SIDES);")
    offset, turn, child = values(here, "llGetTextureOffset(1)", "llGetTextureRot(1)", "llGetLinkPrimitiveParams(2, [PRIM_COLOR, 0])")
    assert numbers(offset) == pytest.approx([0.5, 0.25, 0.0], abs=1e-3) and float(turn) == pytest.approx(1.0, abs=1e-3)
    assert child == "<1.000000, 1.000000, 1.000000>0.501961"
    assert numbers(values(here, "llGetTextureOffset(0)")[0]) == [0.0, 0.0, 0.0]


async def test_parameters_of_the_scripts_own_prim_and_turns_of_a_child(here):
    here.said('llSetPrimitiveParams([PRIM_NAME, "mine", PRIM_DESC, "about"]);')
    assert values(here, "llGetPrimitiveParams([PRIM_NAME, PRIM_DESC])") == ["mineabout"] and here.child.name == "Child"
    here.said("llSetLocalRot(<0, 0, 1, 0>);")
    assert [abs(part) for part in here.region.world.objects.row(here.root)["rotation"].tolist()] == [0.0, 0.0, 1.0, 0.0]


async def test_what_masks_items_and_groups_say(here):
    thing = item("brick", 0)
    thing.description = "a wall"
    here.root.contents.append(thing)
    group, visitor = UUID(int=9), str(here.visitor.agent_id)
    null = "00000000-0000-0000-0000-000000000000"
    assert values(here, 'llGetInventoryCreator("brick")', 'llGetInventoryDesc("brick")', "llGetObjectPermMask(MASK_BASE)",
                  "llGetObjectPermMask(MASK_EVERYONE)", "llGetObjectPermMask(99)", f'llSameGroup("{visitor}")', "llSameGroup(NULL_KEY)") == [
        str(UUID(int=5)), "a wall", str(int(here.root.permissions.base)), str(int(here.root.permissions.everyone)), "0", "1", "0"]  # fmt: skip
    here.root.group_id = group
    assert values(here, f'llSameGroup("{visitor}")', "llSameGroup(llGetLinkKey(2))", "llSameGroup(llGetKey())") == ["0", "0", "1"]
    assert [one for one in here.said('llOwnerSay(llGetInventoryCreator("none"));') if one == null] == [null]


async def test_masses_people_and_land(here):
    world = here.region.world
    visitor = str(here.visitor.agent_id)
    count = sum(1 for _ in world.roots())
    flags = world.parcel_at(128.0, 128.0).flags
    world.parcel_at(128.0, 128.0).owner_id = UUID(int=0)
    assert values(here, "llGetObjectMass(llGetKey()) == llGetMass()", "llGetObjectMass(NULL_KEY)", "llGetRegionAgentCount()",
                  f'llOverMyLand("{visitor}")', "llGetRegionFlags()", "llGetParcelFlags(llGetPos())", "llGetParcelFlags(<-1, 0, 0>)") == [
        "1", "0.000000", str(count), "0", str(world.facts.flags), str(flags if flags < 1 << 31 else flags - (1 << 32)), "0"]  # fmt: skip
    world.parcel_at(128.0, 128.0).owner_id = here.root.owner_id
    fps, mass, mine, nobody = values(here, "llGetRegionFPS()", f'llGetObjectMass("{visitor}")', f'llOverMyLand("{visitor}")', "llOverMyLand(NULL_KEY)")
    assert float(fps) == pytest.approx(45.0) and float(mass) > 0.5 and (mine, nobody) == ("1", "0")


async def test_the_slope_of_the_ground(here):
    """Ground that rises half a metre a metre towards the east falls towards the west, and stays level along north and south."""
    heights = here.region.world.terrain.heights
    heights[:] = np.arange(heights.shape[1]) * 0.5
    slope, contour, normal = (numbers(one) for one in values(here, "llGroundSlope(ZERO_VECTOR)", "llGroundContour(ZERO_VECTOR)", "llGroundNormal(ZERO_VECTOR)"))
    assert slope == pytest.approx([-0.89443, 0.0, -0.44721], abs=1e-4)
    assert contour == pytest.approx([0.0, -1.0, 0.0], abs=1e-4)
    assert sum(a * b for a, b in zip(slope, normal, strict=True)) == pytest.approx(0.0, abs=1e-4) and normal[2] > 0


RULE_VALUES = {
    2: "[3]", 3: "[0]", 4: "[0]", 5: "[1]", 6: "[<129, 128, 26>]", 7: "[<1, 2, 3>]", 8: "[<0, 0, 1, 0>]", 17: f'[1, "{TEXTURE}", <2, 3, 0>, <0.5, 0, 0>, 1.0]',
    18: "[0, <1, 0, 1>, 1.0]", 19: "[2, 3, 4]", 20: "[ALL_SIDES, 1]", 21: "[1, 2, 0.5, 2.0, 1.0, 3.0, <1, 2, 3>]", 22: "[0, 1]",
    23: "[1, <1, 0, 1>, 1.0, 10.0, 0.75]", 25: "[3, 1.0]", 26: '["text", <1, 0, 0>, 1.0]', 27: '["name"]', 28: '["about"]', 29: "[<0, 0, 1, 0>]",
    9: "[0, 16, <0.25, 0.75, 0>, 0.5, <0, 0, 0>, <1, 1, 0>, <0, 0, 0>]", 35: "[<0.25, 0.75, 0>]", 39: "[0]", 40: "[1]", 42: f'["{TEXTURE}", 1.5, 2.0, 0.5]',
    44: "[1, 0.5, 10.0, 2]", 49: '[2, "00000000-0000-0000-0000-0000000000aa"]', 50: "[0x15]", 30: "[2]", 33: "[<129, 128, 26>]", 41: "[1, <0, 0, 1>, ZERO_ROTATION]", 43: "[1]",
}  # fmt: skip


def test_the_table_of_values_has_every_rule():
    assert RULE_VALUES.keys() == RULES.keys()


async def test_every_rule_reads_what_it_wrote(here):
    """Values as written come back; of faces, the first that was set, rounded as textures are kept."""
    body = ""
    for number, rule in RULES.items():
        face = "llList2Integer(v, 0)" if rule.faces else ""
        ask = f"[{number}, {face}]" if face else f"[{number}]"
        body += f"v = {RULE_VALUES[number]}; llSetLinkPrimitiveParamsFast(LINK_THIS, [{number}] + v); r = llGetLinkPrimitiveParams(LINK_THIS, {ask}); "
        body += f'compare("{rule.name}", v, r, {int(rule.faces)}); '
    before = """integer same(list a, list b, integer i, integer j) { integer t = llGetListEntryType(a, i);
        if (t == TYPE_FLOAT || (t == TYPE_INTEGER && llGetListEntryType(b, j) == TYPE_FLOAT)) return llFabs(llList2Float(a, i) - llList2Float(b, j)) < 0.01;
        if (t == TYPE_VECTOR) return llVecDist(llList2Vector(a, i), llList2Vector(b, j)) < 0.01;
        if (t == TYPE_ROTATION) return llAngleBetween(llList2Rot(a, i), llList2Rot(b, j)) < 0.01;
        return llList2String(a, i) == llList2String(b, j); }
        compare(string name, list a, list b, integer skip) { integer i; integer n = llGetListLength(a) - skip; if (llGetListLength(b) < n) llOwnerSay(name + " short");
        for (i = 0; i < n; ++i) if (!same(a, b, i + skip, i)) llOwnerSay(name + " " + llDumpList2String(a, ",") + " is " + llDumpList2String(b, ",")); }"""
    assert here.said(f"list v; list r; {body} llOwnerSay(\"done\");", before) == ["done"]


async def test_lists_that_break_the_rules(here):
    """The rules before the wrong one are done, the owner is told its number, nothing stops."""
    for rules, told in (
        ("[PRIM_NAME, \"a\", 9999, 1]", "rule #2: unknown rule 9999"), ('[PRIM_NAME, "a", "x"]', "rule #2: unknown rule x"),
        ("[PRIM_NAME, \"a\", PRIM_SIZE]", "rule #2: missing parameters for PRIM_SIZE"), ("[PRIM_NAME, \"a\", PRIM_SIZE, 1]", "rule #2: arg #1 of PRIM_SIZE must be a vector"),
        ("[PRIM_NAME, \"a\", PRIM_LINK_TARGET]", "PRIM_LINK_TARGET must be an integer"), ("[PRIM_NAME, \"a\", PRIM_COLOR, 1, <1, 1, 1>, \"x\"]", "arg #3 of PRIM_COLOR must be a float"),
    ):  # fmt: skip
        here.root.name = "before"
        found = here.said(f'llSetLinkPrimitiveParamsFast(LINK_THIS, {rules}); llOwnerSay("on");')
        assert len(found) == 2 and told in found[0] and found[1] == "on" and here.root.name == "a", rules
    assert here.said('llSetLinkPrimitiveParamsFast(99, [PRIM_NAME, "x"]); llOwnerSay((string)llGetLinkPrimitiveParams(99, [PRIM_NAME]));') == [""]
    here.said('llSetLinkPrimitiveParamsFast(1, [PRIM_NAME, "one", PRIM_LINK_TARGET, 2, PRIM_NAME, "two", PRIM_LINK_TARGET, LINK_SET, PRIM_DESC, "all"]);')
    assert (here.root.name, here.child.name, here.root.description, here.child.description) == ("one", "two", "all", "all")


async def test_details(here):
    visitor = str(here.visitor.agent_id)
    every = ", ".join(str(number) for number in [*range(1, 57), -5, 1000])
    assert values(here, "llGetObjectDetails(llGetKey(), [OBJECT_NAME, OBJECT_POS, OBJECT_OWNER, OBJECT_PRIM_COUNT, 12345, \"x\"])",
                  f'llGetObjectDetails("{visitor}", [OBJECT_NAME, OBJECT_DESC, OBJECT_OWNER, OBJECT_CREATOR, OBJECT_PHYSICS])',
                  "llGetObjectDetails(NULL_KEY, [OBJECT_NAME])", f"llGetListLength(llGetObjectDetails(llGetKey(), [{every}]))",
                  f'llGetListLength(llGetObjectDetails("{visitor}", [{every}]))') == [
        f"Object<128.000000, 128.000000, 25.000000>{here.root.owner_id}2-1", f"Visitor Resident{visitor}00000000-0000-0000-0000-0000000000001", "", "58", "58"]  # fmt: skip


async def test_people(here):
    visitor = str(here.visitor.agent_id)
    found = values(here, f'llGetAgentSize("{visitor}")', "llGetAgentSize(NULL_KEY)", f'llGetUsername("{visitor}")', f'llGetDisplayName("{visitor}")',
                   f'llListFindList(llGetAgentList(AGENT_LIST_REGION, []), [(key)"{visitor}"]) >= 0', "llGetAgentList(99, [])", 'llName2Key("visitor resident")',
                   'llName2Key("nobody")', "llGetAgentInfo(NULL_KEY)")  # fmt: skip
    null = "00000000-0000-0000-0000-000000000000"
    assert found == ["<0.45000, 0.60000, 1.90000>", "<0.00000, 0.00000, 0.00000>", "visitor", "Visitor", "1", "INVALID_SCOPE", visitor, null, "0"]
    row = here.region.world.row(here.visitor)
    row["flying"], row["on_ground"] = 1, 0
    assert values(here, f'llGetAgentInfo("{visitor}") & (AGENT_FLYING | AGENT_IN_AIR | AGENT_SITTING)') == ["257"]


async def test_land(here):
    height = here.region.world.terrain.height(128.0, 128.0)
    x, y = here.region.facts.corner
    owner = here.region.world.parcel_at(10, 10).owner_id
    found = values(here, f"llFabs(llGround(ZERO_VECTOR) - {height:f}) < 0.01", "llWater(ZERO_VECTOR)", "llGetRegionCorner()", "llVecMag(llGetSunDirection())",
                   "llGetLandOwnerAt(<10, 10, 0>)", "llGetLandOwnerAt(<300, 10, 0>)", "llVecMag(llGroundNormal(ZERO_VECTOR))",
                   'llGetParcelDetails(<10, 10, 0>, [PARCEL_DETAILS_OWNER])', 'llGround(<(float)"inf", 0, 0>) == llGround(<1000, 0, 0>)')  # fmt: skip
    null = "00000000-0000-0000-0000-000000000000"
    assert found == ["1", f"{here.region.facts.water_height:.6f}", f"<{x:.5f}, {y:.5f}, 0.00000>", "1.000000", str(owner), null, "1.000000", str(owner), "1"]


async def test_contents(here):
    here.root.contents += [item("b", 7), item("a", 7), item("pic", 0), item("c", 10)]
    assert values(here, "llGetInventoryNumber(INVENTORY_NOTECARD)", "llGetInventoryNumber(INVENTORY_ALL)", "llGetInventoryName(INVENTORY_NOTECARD, 0)",
                  "llGetInventoryName(INVENTORY_ALL, 9)", "llGetInventoryName(INVENTORY_ALL, -1)", 'llGetInventoryType("pic")', 'llGetInventoryType("no")',
                  'llGetInventoryKey("pic")', 'llGetInventoryPermMask("pic", MASK_OWNER)') == [
        "2", "4", "a", "", "", "0", "-1", str(TEXTURE), str(0x7FFFFFFF)]  # fmt: skip
    assert any("Couldn't find item 'no'" in one for one in here.said('llGetInventoryKey("no"); llOwnerSay("on");'))


async def test_flags_and_clicks(here):
    here.said("llSetStatus(STATUS_PHANTOM, TRUE); llSetClickAction(CLICK_ACTION_SIT);")
    assert here.root.phantom and here.root.click_action == 1
    assert values(here, "llGetStatus(STATUS_PHANTOM)", "llGetStatus(STATUS_PHYSICS)") == ["1", "0"]


async def test_an_object_that_dies_takes_its_scripts_along(here):
    found = here.said('llOwnerSay("a"); llDie(); llOwnerSay("never");')
    assert found[0] == "a" and "never" not in found
    if hasattr(here, "sim"):
        assert here.root.row == -1 and here.child.row == -1 and here.sim.scripts.counts()[0] == 0


ODD = {"integer": ["-1", "2147483647"], "float": ['(float)"nan"', '(float)"inf"'], "string": ['""', '"x"'], "key": ["NULL_KEY", '"x"'],
       "vector": ['<(float)"nan", (float)"inf", 1>', "<1e30, -1e30, 0>"], "rotation": ['<(float)"nan", 0, 0, 0>', "<0, 0, 0, 0>"],
       "list": ["[]", '[1, 2.0, "x", <1, 2, 3>, 18, 17, -1]']}  # fmt: skip


async def test_odd_arguments_break_nothing(here):
    """Every function of these families with what no script should give it: the script goes on, the world stays sound."""
    if hasattr(here, "sim"):
        here.sim.scripts.engine.scheduler.throttles.factor = 1000  # its owner is told of everything
    for name, declared in LIBRARY.items():
        if declared.family not in FAMILIES or name == "llDie":
            continue
        if declared.builtin.sleep >= 10:
            continue  # longer than what is waited for here
        for choice in (0, 1):
            arguments = ", ".join([ODD[kind][choice] for kind, _ in declared.builtin.arguments])
            assert here.said(f'{name}({arguments}); llOwnerSay("on");')[-1:] == ["on"], name
    for prim in (here.root, here.child):
        row = here.region.world.objects.row(prim)
        for column in ("position", "rotation", "scale"):
            assert all(abs(part) < 1e5 for part in row[column].tolist()), column


