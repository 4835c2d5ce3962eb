"""Picks, notes about others, mutes: what people keep, asked for by viewers."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from protocol.message import Message, text
from protocol.wellknown import NULL
from sim.caps import Refused
from sim.handlers.xfer import LAST
from tests.kit.world import TestSimulator, Viewer, add_region, add_root, settle


def ask(viewer: Viewer, method: str, *parameters: object) -> None:
    blocks = [{"Parameter": str(one)} for one in parameters]
    viewer.sends(Message("GenericMessage", MethodData={"Method": method}, ParamList=blocks))


def alerts(viewer: Viewer) -> list[str]:
    return [text(one["AlertData"]["Message"]) for one in viewer.heard("AlertMessage")]


def pick(pick_id: UUID, **given: object) -> Message:
    data = {"PickID": pick_id, "Name": "The quay", "Desc": "Boats, and soup", "PosGlobal": (256_010.0, 256_020.0, 25.0)}
    return Message("PickInfoUpdate", Data={**data, **given})


# --- picks


async def test_a_pick_is_made_changed_read_by_others_and_deleted(sim: TestSimulator) -> None:
    anna, bert = add_root(sim, "Anna Tester"), add_root(sim, "Bert Tester")
    here, there = uuid4(), uuid4()
    east = add_region(sim, "East", 1001, 1000)
    anna.sends(pick(here))
    anna.sends(pick(there, Name="A far shore", PosGlobal=(256_256.0 + 40, 256_000.0 + 50, 30.0)))
    anna.sends(pick(here, Name="The old quay"))
    await settle(sim)
    assert [text(one["Data"]["Name"]) for one in anna.heard("PickInfoReply")] == ["The quay", "A far shore", "The old quay"]
    ask(bert, "avatarpicksrequest", anna.id)
    ask(bert, "pickinforequest", anna.id, here)
    ask(bert, "pickinforequest", anna.id, there)
    await settle(sim)
    (listed,) = bert.heard("AvatarPicksReply")
    assert listed["AgentData"]["TargetID"] == anna.id
    assert {one["PickID"]: text(one["PickName"]) for one in listed["Data"]} == {here: "The old quay", there: "A far shore"}
    mine, far = (reply["Data"] for reply in bert.heard("PickInfoReply"))
    assert mine["ParcelID"] == sim.world.parcels[0].parcel_id and text(mine["SimName"]) == "Here"
    assert text(mine["User"]) == "Anna Tester" and mine["CreatorID"] == anna.id
    assert (text(far["SimName"]), far["PosGlobal"]) == (east.name, (256_296.0, 256_050.0, 30.0))
    anna.sends(Message("PickDelete", Data={"PickID": here}))
    bert.sends(Message("PickDelete", Data={"PickID": there}))  # not his
    await settle(sim)
    assert list(sim.backbone.picks[str(anna.id)]) == [str(there)]


async def test_a_pick_without_a_place_is_where_its_maker_stands(sim: TestSimulator) -> None:
    anna = add_root(sim, position=(30, 40, 25))
    anna.sends(pick(uuid4(), PosGlobal=(0.0, 0.0, 0.0)))
    await settle(sim)
    (reply,) = anna.heard("PickInfoReply")
    assert reply["Data"]["PosGlobal"] == (256_030.0, 256_040.0, 25.0)


async def test_bad_picks_are_dropped_and_refusals_said(sim: TestSimulator) -> None:
    anna = add_root(sim)
    for bad in (pick(NULL), pick(uuid4(), PosGlobal=(1e300, 1.0, 1.0))):
        anna.sends(bad)
    await settle(sim)
    assert not sim.backbone.called("put_pick")
    sim.backbone.down = True
    anna.sends(pick(uuid4()))
    await settle(sim)
    assert "was not saved" in alerts(anna)[-1]


async def test_a_profile_by_capability_has_picks_and_ones_own_notes(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    here = uuid4()
    anna.sends(pick(here))
    await settle(sim)
    await bert.cap("AgentProfile", {"notes": "Owes me soup"}, method="PUT", tail=f"/{anna.id}")
    seen = await bert.cap("AgentProfile", method="GET", tail=f"/{anna.id}")
    assert seen["picks"] == [{"id": here, "name": "The quay"}] and seen["notes"] == "Owes me soup"
    assert (await anna.cap("AgentProfile", method="GET", tail=f"/{anna.id}"))["notes"] == ""
    with pytest.raises(Refused):
        await bert.cap("AgentProfile", {"sl_about_text": "?"}, method="PUT", tail=f"/{anna.id}")


# --- notes, classifieds


async def test_notes_are_their_writers_alone(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    anna.sends(Message("AvatarNotesUpdate", Data={"TargetID": bert.id, "Notes": "Knows knots"}))
    ask(anna, "avatarnotesrequest", bert.id)
    ask(bert, "avatarnotesrequest", bert.id)
    await settle(sim)
    assert text(anna.heard("AvatarNotesReply")[0]["Data"]["Notes"]) == "Knows knots"
    assert text(bert.heard("AvatarNotesReply")[0]["Data"]["Notes"]) == ""
    anna.sends(Message("AvatarNotesUpdate", Data={"TargetID": bert.id, "Notes": "\u00e9" * 2000}))
    ask(anna, "avatarnotesrequest", bert.id)
    await settle(sim)
    assert text(anna.heard("AvatarNotesReply")[1]["Data"]["Notes"]) == "\u00e9" * 511
    sim.backbone.down = True  # empty notes would be saved over what is kept
    ask(anna, "avatarnotesrequest", bert.id)
    await settle(sim)
    assert len(anna.heard("AvatarNotesReply")) == 2 and "notes cannot be shown" in alerts(anna)[-1]


async def test_there_are_no_classifieds_and_it_is_said(sim: TestSimulator) -> None:
    anna = add_root(sim)
    ask(anna, "avatarclassifiedsrequest", anna.id)
    assert anna.heard("AvatarClassifiedReply")[0]["Data"] == []
    anna.sends(Message("ClassifiedInfoUpdate", Data={"ClassifiedID": uuid4(), "Name": "Boats", "PriceForListing": 50}))
    assert "no classifieds" in alerts(anna)[0]


async def test_wishes_that_are_none_are_counted(sim: TestSimulator) -> None:
    anna = add_root(sim)
    ask(anna, "avatarpicksrequest", "x")
    ask(anna, "avatarpicksrequest")
    ask(anna, "pickinforequest", anna.id)
    ask(anna, "unheard of", "x")
    await settle(sim)
    assert sim.metrics.value("messages_dropped", "malformed") == 3
    assert sim.metrics.value("messages_unhandled", "GenericMessage") == 1
    assert not sim.metrics.labelled["handler_errors"] and not sim.metrics.labelled["task_errors"]


# --- mutes


async def mute_file(sim: TestSimulator, viewer: Viewer) -> str:
    """What a viewer is told of its mutes, fetched as it does it."""
    viewer.forget()
    viewer.sends(Message("MuteListRequest", MuteData={"MuteCRC": 0}))
    await settle(sim)
    (update,) = viewer.heard("MuteListUpdate")
    viewer.sends(Message("RequestXfer", XferID={"ID": 5, "Filename": text(update["MuteData"]["Filename"])}))
    data, number = b"", 0
    while True:
        packet = next(one for one in viewer.heard("SendXferPacket") if one["XferID"]["Packet"] & ~LAST == number)
        data += packet["DataPacket"]["Data"]
        viewer.sends(Message("ConfirmXferPacket", XferID={"ID": 5, "Packet": number}))
        if packet["XferID"]["Packet"] & LAST:
            return data[4:].decode()
        number += 1


async def test_mutes_are_kept_for_the_next_login(sim: TestSimulator) -> None:
    anna = add_root(sim)
    assert (await mute_file(sim, anna)).strip() == ""
    pest, box = uuid4(), uuid4()
    mute = {"MuteID": pest, "MuteName": "Pest Resident", "MuteType": 1, "MuteFlags": 0}
    anna.sends(Message("UpdateMuteListEntry", MuteData=mute))
    anna.sends(Message("UpdateMuteListEntry", MuteData={**mute, "MuteID": box, "MuteName": "A|loud\nbox", "MuteType": 2}))
    anna.sends(Message("UpdateMuteListEntry", MuteData={**mute, "MuteID": NULL, "MuteName": "Shouter", "MuteType": 0, "MuteFlags": 14}))
    await settle(sim)
    lines = (await mute_file(sim, anna)).splitlines()
    assert lines == [f"1 {pest} Pest Resident|0", f"2 {box} A loud box|0", f"0 {NULL} Shouter|14"]
    anna.sends(Message("RemoveMuteListEntry", MuteData={"MuteID": pest, "MuteName": "Pest Resident"}))
    anna.sends(Message("RemoveMuteListEntry", MuteData={"MuteID": NULL, "MuteName": "Shouter"}))
    await settle(sim)
    assert (await mute_file(sim, anna)).splitlines() == [f"2 {box} A loud box|0"]


async def test_a_long_list_comes_whole(sim: TestSimulator) -> None:
    anna = add_root(sim)
    for n in range(200):
        await sim.backbone.put_mute(anna.id, uuid4(), f"Pest number {n}", 1, 0)
    assert len((await mute_file(sim, anna)).splitlines()) == 200


async def test_without_backbone_a_viewer_goes_by_what_it_remembers(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    sim.backbone.down = True
    anna.sends(Message("MuteListRequest", MuteData={"MuteCRC": 0}))
    anna.sends(Message("UpdateMuteListEntry", MuteData={"MuteID": uuid4(), "MuteName": "Pest", "MuteType": 1}))
    anna.sends(Message("UpdateMuteListEntry", MuteData={"MuteID": uuid4(), "MuteName": "Pest", "MuteType": 77}))
    await settle(sim)
    assert len(anna.heard("UseCachedMuteList")) == 1 and "will be forgotten" in alerts(anna)[-1]
    assert sim.metrics.value("messages_dropped", "malformed") == 1
