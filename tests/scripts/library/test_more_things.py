"""Forms, seats, materials and media of prims; land, sky, money; on both worlds."""

# ruff: noqa: E501 (scripts in strings)
from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest

from protocol.message import Message
from protocol.shapes import RING, TORUS, to_wire
from protocol.wellknown import NULL
from sim.actions.outcome import Refused
from sim.scripts.language.values import Key
from sim.world.rare import Media
from sim.world.world import Parcel
from tests.kit.world import add_root, region
from tests.scripts.library.worlds import TEXTURE, bench, item

NULL_KEY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(params=["fake", "region"])
async def here(request: pytest.FixtureRequest) -> Any:
    with bench(request.param) as found:
        yield found


def values(here: Any, *expressions: str) -> list[str]:
    return here.said(" ".join([f"llOwnerSay((string)({one}));" for one in expressions]))


FORMS = {
    "PRIM_TYPE_BOX": "PRIM_HOLE_SQUARE, <0.25, 0.75, 0>, 0.5, <-0.5, 0.5, 0>, <1.5, 0.5, 0>, <0.5, -0.25, 0>",
    "PRIM_TYPE_CYLINDER": "PRIM_HOLE_DEFAULT, <0, 1, 0>, 0.0, <0, 0, 0>, <1, 1, 0>, <0, 0, 0>",
    "PRIM_TYPE_PRISM": "PRIM_HOLE_TRIANGLE, <0, 0.5, 0>, 0.9, <0.1, 0, 0>, <0, 2, 0>, <0, 0, 0>",
    "PRIM_TYPE_SPHERE": "PRIM_HOLE_CIRCLE, <0.25, 1, 0>, 0.5, <-1, 1, 0>, <0.25, 0.75, 0>",
    "PRIM_TYPE_TORUS": "PRIM_HOLE_DEFAULT, <0, 0.75, 0>, 0.25, <0, 0.5, 0>, <1, 0.25, 0>, <0.1, 0, 0>, <0.25, 0.75, 0>, <0.5, -0.5, 0>, 2.5, 0.25, 0.5",
    "PRIM_TYPE_TUBE": "PRIM_HOLE_DEFAULT, <0, 1, 0>, 0.0, <0, 0, 0>, <1, 0.5, 0>, <0, 0, 0>, <0, 1, 0>, <0, 0, 0>, 1.0, 0.0, 0.0",
    "PRIM_TYPE_RING": "PRIM_HOLE_DEFAULT, <0, 1, 0>, 0.0, <0, 0, 0>, <1, 0.25, 0>, <0, 0, 0>, <0, 1, 0>, <0, 0, 0>, 1.0, 0.0, 0.0",
}


async def test_every_form_comes_back_as_it_was_set(here):
    for name, form in FORMS.items():
        told = here.said(f'list v = [{name}, {form}]; llSetLinkPrimitiveParamsFast(2, [PRIM_TYPE] + v); list r = llGetLinkPrimitiveParams(2, [PRIM_TYPE]);'
                         ' integer i; integer bad = llGetListLength(v) != llGetListLength(r); for (i = 0; i < llGetListLength(v); ++i) { if (llGetListEntryType(v, i) == TYPE_VECTOR)'
                         ' bad = bad || llVecDist(llList2Vector(v, i), llList2Vector(r, i)) > 0.011; else bad = bad || llFabs(llList2Float(v, i) - llList2Float(r, i)) > 0.011; }'
                         ' if (bad) llOwnerSay(llDumpList2String(r, ","));')  # fmt: skip
        assert told == [], (name, told)
    assert here.child.shape["PathCurve"] == to_wire(RING)["PathCurve"] == to_wire(TORUS)["PathCurve"]
    assert here.child.shape["ProfileCurve"] == RING.profile


async def test_forms_that_do_not_fit(here):
    here.said('float nan = (float)"nan"; llSetLinkPrimitiveParamsFast(2, [PRIM_TYPE, PRIM_TYPE_TORUS, 77, <nan, -1, 0>, 9.0, <9, -9, nan>, <nan, 9, 9>, <9, 9, 9>, <2, 2, 2>, <9, nan, 9>, 99.0, nan, -9.0]);')
    assert here.child.shape["PathCurve"] == 0x20
    told = here.said('llSetLinkPrimitiveParamsFast(2, [PRIM_TYPE, 99, 1]); llSetLinkPrimitiveParamsFast(2, [PRIM_TYPE, PRIM_TYPE_BOX, 0]); llSetLinkPrimitiveParamsFast(2, [PRIM_TYPE]);')
    assert len(told) == 3 and "unknown kind of PRIM_TYPE" in told[0] and "missing parameters" in told[1]


async def test_sculpts_and_slices(here):
    here.said(f'llSetLinkPrimitiveParamsFast(2, [PRIM_TYPE, PRIM_TYPE_SCULPT, "{TEXTURE}", PRIM_SCULPT_TYPE_SPHERE | PRIM_SCULPT_FLAG_MIRROR]);')
    assert here.child.extra_params[0x30] == TEXTURE.bytes + b"\x81"
    assert values(here, "llGetLinkPrimitiveParams(2, [PRIM_TYPE])") == [f"7{TEXTURE}129"]
    here.said("llSetLinkPrimitiveParamsFast(2, [PRIM_TYPE, PRIM_TYPE_SPHERE, 0, <0, 1, 0>, 0.0, ZERO_VECTOR, <0, 1, 0>]); llSetLinkPrimitiveParamsFast(2, [PRIM_SLICE, <0.25, 0.5, 0>]);")
    assert 0x30 not in here.child.extra_params and (here.child.shape["ProfileBegin"], here.child.shape["ProfileEnd"]) == (12500, 25000)
    here.said("llSetLinkPrimitiveParamsFast(1, [PRIM_SLICE, <0.25, 0.5, 0>]);")
    assert (here.root.shape["PathBegin"], here.root.shape["PathEnd"]) == (12500, 25000)


async def test_flags_of_seats(here):
    assert values(here, "llGetLinkSitFlags(2)", "llGetLinkSitFlags(9)") == ["2", "0"]
    here.said("llSetLinkSitFlags(2, SIT_FLAG_SCRIPTED_ONLY | SIT_FLAG_SIT_TARGET); llSetLinkPrimitiveParamsFast(2, [PRIM_SIT_TARGET, TRUE, <0, 0, 1>, ZERO_ROTATION]);")
    assert values(here, "llGetLinkSitFlags(2)", "llGetLinkPrimitiveParams(2, [PRIM_SCRIPTED_SIT_ONLY, PRIM_ALLOW_UNSIT])") == ["5", "10"]
    if hasattr(here, "sim"):
        found = here.sim.seating.find(here.visitor, here.child, (0.0, 0.0, 0.0))
        assert isinstance(found, Refused) and "themselves" in found.words


async def test_materials(here):
    gold, key = UUID(int=0x601D), UUID(int=0x5E1)
    here.root.contents.append(item("gold", 57, gold))
    told = here.said(f'llSetRenderMaterial("gold", 1); llSetLinkRenderMaterial(2, "{key}", ALL_SIDES); llSetRenderMaterial("none", 2);')
    assert len(told) == 1 and here.root.extra_params[0x80] == b"\x01\x01" + gold.bytes and here.child.extra_params[0x80][0] == 6
    assert values(here, "llGetRenderMaterial(1)", "llGetRenderMaterial(0)", "llIsLinkGLTFMaterial(1, 1)", "llIsLinkGLTFMaterial(1, ALL_SIDES)", "llIsLinkGLTFMaterial(2, ALL_SIDES)", "llIsLinkGLTFMaterial(9, 0)",
                  "llGetLinkPrimitiveParams(1, [PRIM_RENDER_MATERIAL, 1])") == ["gold", "", "1", "0", "1", "0", "gold"]  # fmt: skip
    here.said('llSetRenderMaterial("", 1);')
    assert 0x80 not in here.root.extra_params


async def test_media(here):
    assert values(here, 'llSetPrimMediaParams(1, [PRIM_MEDIA_CURRENT_URL, "http://a", PRIM_MEDIA_AUTO_PLAY, TRUE, PRIM_MEDIA_WHITELIST, "a.com, b.com", PRIM_MEDIA_WIDTH_PIXELS, 640])',
                  "llGetPrimMediaParams(1, [PRIM_MEDIA_CURRENT_URL, PRIM_MEDIA_AUTO_PLAY, PRIM_MEDIA_AUTO_LOOP, PRIM_MEDIA_WHITELIST, PRIM_MEDIA_WIDTH_PIXELS, PRIM_MEDIA_PERMS_CONTROL])",
                  "llGetPrimMediaParams(2, [PRIM_MEDIA_CURRENT_URL])", 'llSetPrimMediaParams(1, [PRIM_MEDIA_CURRENT_URL])', 'llSetPrimMediaParams(1, [PRIM_MEDIA_CURRENT_URL, 5])',
                  "llSetPrimMediaParams(1, [PRIM_MEDIA_WIDTH_PIXELS, 99999])", "llSetPrimMediaParams(77, [])", "llSetPrimMediaParams(1, [99, 1])") == [
        "0", "http://a10a.com,b.com6407", "", "1000", "1001", "1002", "1003", "1000"]  # fmt: skip
    media = here.root.rare.media[1]
    assert isinstance(media, Media) and media.whitelist == ("a.com", "b.com") and here.root.media_url == f"x-mv:0000000001/{here.root.owner_id}"
    from sim.scripts.library.looks import entry_of

    assert entry_of(here.root).face(1).media == 1 and entry_of(here.root).face(0).media == 0
    assert values(here, 'llSetLinkMedia(2, ALL_SIDES, [PRIM_MEDIA_HOME_URL, "http://b"])', "llGetLinkMedia(2, 5, [PRIM_MEDIA_HOME_URL])", "llGetLinkMedia(9, 5, [PRIM_MEDIA_HOME_URL])", "llClearLinkMedia(2, ALL_SIDES)",
                  "llClearPrimMedia(1)", "llClearLinkMedia(9, 1)", "llClearPrimMedia(77)") == ["0", "http://b", "", "0", "0", "1003", "1003"]  # fmt: skip
    assert here.root.rare.media == () and entry_of(here.root).face(1).media == 0 and here.root.media_url.startswith("x-mv:0000000002")


# --- land


def split(here: Any, owner: UUID = NULL) -> Parcel:
    """The western half of the region is a parcel of its own."""
    cells = np.zeros((64, 64), bool)
    cells[:, :16] = True
    parcel = Parcel(9, UUID(int=99), "West", owner, 0, cells, flags=0)
    here.region.world.parcel_at(128, 128).cells = here.region.world.parcel_at(128, 128).cells & ~cells
    here.region.world.add_parcel(parcel)
    return parcel


async def test_what_stands_on_land(here):
    world = here.region.world
    here_parcel = world.parcel_at(128, 128)
    here_parcel.owner_id = here.root.owner_id
    split(here, UUID(int=7))
    here.child.owner_id = UUID(int=55)
    most = here.region.facts.max_prims
    assert values(here, "llGetParcelMaxPrims(<128, 128, 0>, FALSE)", "llGetParcelMaxPrims(<128, 128, 0>, TRUE)", "llGetParcelMaxPrims(<-1, 0, 0>, FALSE)", "llGetParcelPrimCount(<128, 128, 0>, PARCEL_COUNT_TOTAL, FALSE)",
                  "llGetParcelPrimCount(<128, 128, 0>, PARCEL_COUNT_OWNER, FALSE)", "llGetParcelPrimCount(<128, 128, 0>, PARCEL_COUNT_OTHER, TRUE)", "llGetParcelPrimCount(<1, 1, 0>, PARCEL_COUNT_TOTAL, FALSE)",
                  "llGetParcelPrimCount(<128, 128, 0>, PARCEL_COUNT_TEMP, FALSE)") == [str(most * 3 // 4)] * 2 + ["0", "2", "1", "1", "0", "0"]  # fmt: skip
    told = here.said("llOwnerSay((string)llGetListLength(llGetParcelPrimOwners(<1, 1, 0>)));")
    assert "only for the owner" in told[0] and told[1] == "0"
    if hasattr(here, "sim"):
        owners = sorted([str(here.root.owner_id), str(UUID(int=55))])
        assert here.said("llOwnerSay(llList2CSV(llGetParcelPrimOwners(<128, 128, 0>)));") == [f"{owners[0]}, 1, {owners[1]}, 1"]


async def test_details_and_danger(here):
    here_parcel = here.region.world.parcel_at(128, 128)
    here_parcel.owner_id = here.root.owner_id
    here_parcel.landing_position, here_parcel.landing_type = (1.0, 2.0, 3.0), 1
    here.region.facts.owner_id = UUID(int=7)
    split(here, UUID(int=7))
    assert values(here, "llGetParcelDetails(<128, 128, 0>, [PARCEL_DETAILS_SEE_AVATARS, PARCEL_DETAILS_PRIM_USED, PARCEL_DETAILS_LANDING_POINT, PARCEL_DETAILS_TP_ROUTING, PARCEL_DETAILS_SCRIPT_DANGER])",
                  "llScriptDanger(<128, 128, 0>)", "llScriptDanger(<1, 1, 0>)", "llScriptDanger(<-1, 0, 0>)", "llGetListLength(llGetParcelDetails(<1, 1, 0>, [0,1,2,3,4,5,6,7,8,9,10,11,12,13]))") == [
        "12<1.000000, 2.000000, 3.000000>10", "0", "1", "1", "14"]  # fmt: skip


async def test_music_and_media_of_parcels(here):
    parcel = here.region.world.parcel_at(128, 128)
    parcel.owner_id = UUID(int=7)
    here.region.facts.owner_id = UUID(int=7)
    told = here.said('llSetParcelMusicURL("http://m"); llOwnerSay(llGetParcelMusicURL()); llParcelMediaCommandList([PARCEL_MEDIA_COMMAND_PLAY]); llOwnerSay((string)llParcelMediaQuery([PARCEL_MEDIA_COMMAND_URL]));')
    assert len(told) == 4 and parcel.music_url == ""
    parcel.owner_id = here.root.owner_id
    told = here.said(f'llSetParcelMusicURL("http://m"); llOwnerSay(llGetParcelMusicURL()); llParcelMediaCommandList([PARCEL_MEDIA_COMMAND_URL, "http://v", PARCEL_MEDIA_COMMAND_TEXTURE, (key)"{TEXTURE}", PARCEL_MEDIA_COMMAND_SIZE, 640, 480, PARCEL_MEDIA_COMMAND_TYPE, "video/*", PARCEL_MEDIA_COMMAND_PLAY]);'
                     ' llOwnerSay((string)llParcelMediaQuery([PARCEL_MEDIA_COMMAND_URL, PARCEL_MEDIA_COMMAND_SIZE, PARCEL_MEDIA_COMMAND_TYPE, PARCEL_MEDIA_COMMAND_TEXTURE]));')  # fmt: skip
    assert told == ["http://m", f"http://v640480video/*{TEXTURE}"] and (parcel.media_url, parcel.media_width) == ("http://v", 640)
    update = [message for to, message in here.shown("ParcelMediaUpdate") if to == here.visitor.agent_id]
    command = [message for to, message in here.shown("ParcelMediaCommandMessage") if to == here.visitor.agent_id]
    assert update[0]["DataBlock"]["MediaID"] == TEXTURE and command[0]["CommandBlock"] == {"Flags": 1 << 4 | 1 << 5 | 1 << 11 | 1 << 10 | 1 << 2, "Command": 2, "Time": 0.0}
    here.said(f'llParcelMediaCommandList([PARCEL_MEDIA_COMMAND_AGENT, (key)"{here.visitor.agent_id}", PARCEL_MEDIA_COMMAND_URL, "http://own"]);')
    assert parcel.media_url == "http://v" and here.shown("ParcelMediaUpdate")[-1][1]["DataBlock"]["MediaURL"].startswith(b"http://own")
    assert len(here.said('llParcelMediaCommandList([PARCEL_MEDIA_COMMAND_URL]); llParcelMediaCommandList([99]); llParcelMediaCommandList([PARCEL_MEDIA_COMMAND_TIME, "x"]);')) == 3


async def test_land_for_sale(here):
    parcel = here.region.world.parcel_at(128, 128)
    parcel.owner_id = here.root.owner_id
    script = here.start('default { run_time_permissions(integer p) { llOwnerSay((string)llSetParcelForSale(TRUE, [PARCEL_SALE_PRICE, 5, PARCEL_SALE_OBJECTS, TRUE]) + (string)llSetParcelForSale(TRUE, [PARCEL_SALE_PRICE])'
                        ' + (string)llSetParcelForSale(TRUE, []) + (string)llSetParcelForSale(TRUE, [PARCEL_SALE_PRICE, "x"])); } }')  # fmt: skip
    here.run(1.0)
    script.grant(Key(str(here.root.owner_id)), 0x80000)
    assert here.run(1.0) == ["0545"] and parcel.sale_price == 5 and parcel.flags & 0x4
    script.grant(Key(str(here.visitor.agent_id)), 0x80000)
    assert here.run(1.0) == ["2222"]
    other = here.start("default { run_time_permissions(integer p) { llOwnerSay((string)llSetParcelForSale(FALSE, [])); } }")
    here.run(1.0)
    other.grant(Key(str(here.root.owner_id)), 0x80000)
    assert here.run(1.0) == ["0"] and not parcel.flags & 0x4 and parcel.sale_price == 0


async def test_sending_somebody_off_the_land(here):
    gone: list[tuple[str, Any]] = []

    class Journeys:
        def __getattr__(self, name: str) -> Any:
            return lambda agent, *where: gone.append((name, where))

    here.world.journeys = Journeys()
    parcel = here.region.world.parcel_at(128, 128)
    parcel.owner_id = UUID(int=7)
    here.said(f'llEjectFromLand("{here.visitor.agent_id}");')
    assert gone == []
    parcel.owner_id = here.root.owner_id
    here.said(f'llEjectFromLand("{here.visitor.agent_id}"); llEjectFromLand(NULL_KEY);')
    assert gone == [("home", ())]
    split(here, UUID(int=7))
    here.said(f'llEjectFromLand("{here.visitor.agent_id}");')
    x, y, _ = gone[-1][1][1]
    assert gone[-1][0] == "teleport" and x == 62.0 and abs(y - here.region.world.position(here.visitor)[1]) <= 4.0


# --- sky, money, the region, what was retired


async def test_sky(here):
    sun = here.said("llOwnerSay((string)llVecDist(llRot2Fwd(llGetSunRotation()), llGetSunDirection())); llOwnerSay((string)llVecDist(llRot2Fwd(llGetMoonRotation()), -llGetSunDirection()));"
                    " llOwnerSay((string)llVecDist(llGetRegionSunDirection(), llGetSunDirection()) + (string)llVecDist(llGetMoonDirection(), llGetRegionMoonDirection()));"
                    " llOwnerSay((string)llAngleBetween(llGetRegionSunRotation(), llGetSunRotation()) + (string)llAngleBetween(llGetRegionMoonRotation(), llGetMoonRotation()));")  # fmt: skip
    assert all(float(one[:8]) < 0.01 and float(one[8:] or 0) < 0.01 for one in sun)
    assert values(here, "llGetDayLength()", "llGetRegionDayLength()", "llGetDayOffset()", "llGetRegionDayOffset()", 'llReplaceEnvironment(<-1, -1, -1>, "", -1, -1, -1)', "llSetEnvironment(ZERO_VECTOR, [])",
                  'llReplaceAgentEnvironment(llGetOwner(), 1.0, "")', "llSetAgentEnvironment(llGetOwner(), 1.0, [])") == ["14400", "14400", "57600", "57600", "-9", "-9", "-1", "-1"]  # fmt: skip


async def test_money(here):
    here.said("llSetPayPrice(PAY_HIDE, [1, 5, PAY_HIDE, -99]);")
    assert here.root.rare.pay == (-1, 1, 5, -1, -2)
    source = ('key k; default { run_time_permissions(integer p) { llOwnerSay((string)llGiveMoney(llGetOwner(), 5)); k = llTransferLindenDollars(llGetOwner(), 5); llOwnerSay((string)(llTransferLindenDollars(llGetOwner(), -5) == NULL_KEY)); }'
              ' transaction_result(key id, integer ok, string data) { if (id == k) llOwnerSay((string)ok + data); } }')  # fmt: skip
    script = here.start(source)
    here.run(1.0)
    script.grant(Key(str(here.root.owner_id)), 0x2)
    told = here.run(1.0)
    await here.answered()
    told += here.run(1.0)
    assert [one for one in told if one != "payment"] == ["0", "1", "0LINDENDOLLAR_INSUFFICIENTFUNDS"]
    script.grant(Key(str(here.visitor.agent_id)), 0x2)
    assert any("only the object's owner" in one for one in here.run(1.0))


async def test_the_region_as_a_program(here):
    here.visitor.preferences = {"language": "de", "language_is_public": True}
    visitor = str(here.visitor.agent_id)
    found = values(here, 'llGetEnv("region_max_prims")', 'llGetEnv("estate_id")', 'llGetEnv("nothing")', "llGetSimStats(SIM_STAT_AGENT_COUNT) > 0", "llGetSimStats(SIM_STAT_NET_MS)",
                   f'llGetAgentLanguage("{visitor}")', "llGetAgentLanguage(NULL_KEY)", "llGetSimStats(SIM_STAT_PHYSICS_FPS) > 0", "llGetSimStats(SIM_STAT_FRAME_MS) > 0")  # fmt: skip
    assert found == [str(here.region.facts.max_prims), "1", "", "1", "0.000000", "de", "", "1", "1"]
    here.start("default { state_entry() { llOwnerSay(llGetSimulatorHostname()); } }")
    assert here.run(60.0)[-1] == "127.0.0.1"
    here.visitor.preferences = {"language": "de", "language_is_public": False}
    assert values(here, f'llGetAgentLanguage("{visitor}")') == [""]


async def test_what_was_retired_does_nothing(here):
    assert here.said('llOpenRemoteDataChannel(); llCloseRemoteDataChannel(NULL_KEY); llRemoteDataReply(NULL_KEY, NULL_KEY, "", 0); llRemoteDataSetRegion(); llOwnerSay((string)llSendRemoteData(NULL_KEY, "", 0, ""));') == [NULL_KEY]
    here.start('default { state_entry() { llSetPrimURL("x"); llRefreshPrimURL(); llOwnerSay("on"); } }')
    assert here.run(60.0)[-1] == "on"


async def test_viewers_ask_what_to_offer():
    from dataclasses import replace

    from sim.world.objects import Prim

    with region() as sim:
        anna = add_root(sim, "Anna Tester", (100, 100, 25))
        prim = Prim(UUID(int=77), anna.id, anna.id)
        sim.world.objects.add(prim, sim.world.new_local_id(), (100.0, 100.0, 25.0), (0.0, 0.0, 0.0, 1.0), (0.5, 0.5, 0.5))
        anna.sends(Message("RequestPayPrice", ObjectData={"ObjectID": prim.full_id}))
        prim.rare = replace(prim.rare, pay=(7, 1, 2, 3, -1))
        anna.sends(Message("RequestPayPrice", ObjectData={"ObjectID": prim.full_id}))
        plain, said = anna.heard("PayPriceReply")
        assert plain["ObjectData"]["DefaultPayPrice"] == -2 and said["ObjectData"]["DefaultPayPrice"] == 7
        assert [one["PayButton"] for one in said["ButtonData"]] == [1, 2, 3, -1]
