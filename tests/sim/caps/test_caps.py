"""The other capabilities: assets, people, preferences, region, parcels, environment, objects."""

from __future__ import annotations

import dataclasses
import zlib
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from protocol import llsd
from protocol.wellknown import region_handle
from sim import caps
from sim.caps import Refused
from sim.world.changes import What
from tests.kit.world import TestSimulator, add_child, add_region, add_root, settle

JPEG2000 = b"\xff\x4f\xff\x51" + bytes(range(256))


async def refused(call: Any) -> int:
    with pytest.raises(Refused) as refusal:
        await call
    return refusal.value.status


# --- what is offered


async def test_what_must_not_be_offered_is_not(sim: TestSimulator) -> None:
    anna = add_root(sim)
    for name in (
        "InventoryAPIv3",
        "LibraryAPIv3",
        "UpdateAvatarAppearance",
        "ProvisionVoiceAccountRequest",
        "LSLSyntax",
    ):
        assert sim.cap_server.url(anna.agent, name) is None


async def test_assets_come_straight_from_the_store(sim: TestSimulator) -> None:
    anna = add_root(sim)
    for name in ("GetTexture", "GetMesh", "GetMesh2", "ViewerAsset"):
        assert sim.cap_server.url(anna.agent, name) == "http://127.0.0.1:1/viewer"


async def test_viewers_are_told_the_store_s_public_address(sim: TestSimulator) -> None:
    settings = dataclasses.replace(sim.settings, public_assets_url="https://assets.example.org/store/")
    for name in ("GetTexture", "GetMesh", "GetMesh2", "ViewerAsset"):
        told = caps.ELSEWHERE[name](SimpleNamespace(settings=settings))  # type: ignore[arg-type]
        assert told == "https://assets.example.org/store/viewer"


async def test_over_http_with_the_seed(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await sim.cap_server.open("127.0.0.1", sim.port)
    try:
        async with aiohttp.ClientSession() as http:
            names = llsd.format_xml(["SimulatorFeatures", "GetDisplayNames", "AgentProfile", "NoSuchThing"])
            async with http.post(sim.cap_server.seed_url(anna.agent), data=names) as answer:
                urls = llsd.parse_xml(await answer.read())
            assert set(urls) == {"SimulatorFeatures", "GetDisplayNames", "AgentProfile"}
            async with http.get(urls["SimulatorFeatures"]) as answer:
                assert answer.status == 200 and answer.content_type == "application/llsd+xml"
            async with http.get(f"{urls['GetDisplayNames']}/?ids={anna.id}&ids={anna.id}") as answer:
                (person,) = llsd.parse_xml(await answer.read())["agents"]
            assert person["id"] == anna.id
            async with http.get(f"{urls['AgentProfile']}/{anna.id}") as answer:
                assert llsd.parse_xml(await answer.read())["id"] == anna.id
            async with http.get(f"{urls['AgentProfile']}/nobody") as answer:
                assert answer.status == 400
    finally:
        await sim.cap_server.close()


# --- assets


async def test_a_bake_goes_to_the_store(sim: TestSimulator) -> None:
    anna = add_root(sim)
    first = await anna.cap("UploadBakedTexture", {})
    assert first["state"] == "upload"
    done = await anna.upload(first["uploader"], JPEG2000)
    assert done["state"] == "complete"
    assert sim.assets.stored[done["new_asset"]] == (JPEG2000, 0)
    with pytest.raises(KeyError):
        await anna.upload(first["uploader"], JPEG2000)


async def test_what_is_no_picture_and_a_store_that_is_away(sim: TestSimulator) -> None:
    anna = add_root(sim)
    bad = await anna.upload((await anna.cap("UploadBakedTexture", {}))["uploader"], b"<html>")
    assert bad["state"] == "error" and bad["error"]["identifier"] == "NotAnImage"
    sim.assets.down = True
    away = await anna.upload((await anna.cap("UploadBakedTexture", {}))["uploader"], JPEG2000)
    assert away["state"] == "error" and sim.metrics.value("service_errors", "assets") == 1


# --- people


async def test_display_names(sim: TestSimulator) -> None:
    anna = add_root(sim, "Anna Tester")
    single, nobody = uuid4(), uuid4()
    sim.backbone.add_user(single, "Zoe", "Resident")
    answer = await anna.cap("GetDisplayNames", query={"ids": [str(anna.id), str(single), str(nobody), "x"]})
    by_id = {person["id"]: person for person in answer["agents"]}
    assert by_id[anna.id]["username"] == "anna.tester" and by_id[anna.id]["display_name"] == "Anna Tester"
    assert by_id[single]["username"] == "zoe" and by_id[single]["display_name"] == "Zoe"
    assert by_id[anna.id]["is_display_name_default"] is True
    assert set(answer["bad_ids"]) == {nobody, "x"}
    answer = await anna.cap("GetDisplayNames", query={"username": ["anna.tester", "zoe", "no.one"]})
    assert [person["id"] for person in answer["agents"]] == [anna.id, single]
    assert answer["bad_usernames"] == ["no.one"]
    assert await refused(anna.cap("GetDisplayNames", query={"ids": ["x"] * 201})) == 413


async def test_searching_people(sim: TestSimulator) -> None:
    anna = add_root(sim, "Anna Tester")
    answer = await anna.cap("AvatarPickerSearch", query={"names": "anna", "page_size": "100"})
    assert [person["id"] for person in answer["agents"]] == [anna.id]
    assert (await anna.cap("AvatarPickerSearch"))["agents"] == []
    sim.backbone.down = True
    assert await refused(anna.cap("AvatarPickerSearch", query={"names": "anna"})) == 503


async def test_profiles(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    await settle(sim)
    image = uuid4()
    body = {"sl_about_text": "New", "sl_image_id": image, "allow_publish": False, "member_since": "ignored"}
    await anna.cap("AgentProfile", body, method="PUT", tail=str(anna.id))
    profile = await bert.cap("AgentProfile", tail=str(anna.id))
    assert (profile["sl_about_text"], profile["sl_image_id"], profile["online"]) == ("New", image, True)
    assert profile["member_since"].year == 2026
    assert await refused(bert.cap("AgentProfile", body, method="PUT", tail=str(anna.id))) == 403
    wrong = {"sl_about_text": 7}
    assert await refused(anna.cap("AgentProfile", wrong, method="PUT", tail=str(anna.id))) == 400
    assert await refused(anna.cap("AgentProfile", tail=str(uuid4()))) == 404
    sim.backbone.down = True
    assert await refused(anna.cap("AgentProfile", tail=str(anna.id))) == 503
    assert await refused(anna.cap("AgentProfile", body, method="PUT", tail=str(anna.id))) == 503


# --- the agent


async def test_preferences(sim: TestSimulator) -> None:
    anna = add_root(sim)
    changes = sim.world.changes.agents.reader()
    body = {"hover_height": 17.0, "god_level": 200, "language": "de", "access_prefs": {"max": "M"}, "junk": "x" * 5000}
    answer = await anna.cap("AgentPreferences", body)
    assert answer["hover_height"] == anna.agent.appearance.hover == 2.0
    assert (answer["god_level"], answer["language"], answer["access_prefs"]) == (0, "de", {"max": "M"})
    assert "junk" not in answer
    assert changes.take() == {anna.agent: What.SURFACE}
    assert await anna.cap("AgentPreferences", {"default_object_perm_masks": {"Group": 1 << 15, "Junk": 7}}) == {
        **answer,
        "default_object_perm_masks": {**answer["default_object_perm_masks"], "Group": 1 << 15},
    }
    assert await refused(anna.cap("AgentPreferences", {"hover_height": "high"})) == 400
    assert (await anna.cap("UpdateAgentInformation", {"access_prefs": {"max": "A"}}))["access_prefs"] == {"max": "A"}
    assert (await anna.cap("UpdateAgentInformation", {"access_prefs": {"max": "X"}}))["access_prefs"] == {"max": "A"}
    assert await anna.cap("UpdateAgentLanguage", {"language": "fr", "language_is_public": True}) == {}


async def test_interest_mode_and_reports(sim: TestSimulator) -> None:
    anna = add_root(sim)
    assert await anna.cap("InterestList", {"mode": "360"}) == {"mode": "360"}
    assert await refused(anna.cap("InterestList", {"mode": "sideways"})) == 400
    for name in ("ViewerStats", "ViewerMetrics"):
        assert await anna.cap(name, b"not even LLSD") == {}


async def test_home(sim: TestSimulator) -> None:
    anna, child = add_root(sim, position=(50, 60, 30)), add_child(sim)
    body = {"HomeLocation": {"LocationId": 1, "LocationPos": {"X": 1.0, "Y": 2.0, "Z": 3.0}}}
    answer = await anna.cap("HomeLocation", body)
    assert answer["success"] and answer["HomeLocation"]["LocationPos"] == {"X": 50.0, "Y": 60.0, "Z": 30.0}
    assert not (await child.cap("HomeLocation", body))["success"]
    sim.backbone.down = True
    assert not (await anna.cap("HomeLocation", body))["success"]
    assert await refused(anna.cap("HomeLocation", {})) == 400


# --- the region and its parcels


async def test_parcels_anywhere(sim: TestSimulator) -> None:
    anna = add_root(sim)
    add_region(sim, "Over There", 1001, 1000)
    here, there = (llsd.u64(region_handle(x, 1000)) for x in (1000, 1001))
    local = await anna.cap("RemoteParcelRequest", {"location": [10.0, 20.0, 30.0], "region_handle": here})
    assert local["parcel_id"] == sim.world.parcels[0].parcel_id
    by_id = {"location": [10.0, 20.0, 30.0], "region_id": sim.world.facts.region_id}
    assert (await anna.cap("RemoteParcelRequest", by_id)) == local
    remote = await anna.cap("RemoteParcelRequest", {"location": [10, 20, 30], "region_handle": there})
    assert remote["parcel_id"].int and remote != local
    nowhere = await anna.cap("RemoteParcelRequest", {"location": [1, 2, 3], "region_id": uuid4()})
    assert nowhere["parcel_id"] == UUID(int=0)
    for body in ({}, {"location": "x"}, {"location": ["x", 1]}, {"location": [1, 2], "region_handle": [1]}):
        assert await refused(anna.cap("RemoteParcelRequest", body)) == 400


async def test_changing_a_parcel(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    await settle(sim)
    for _ in range(90):  # two seconds: viewers that have said nothing yet are told all the same
        sim.frame.once(sim.clock.now())
        sim.clock.advance(1 / 45)
    parcel = sim.world.parcels[0]
    parcel.owner_id = anna.id
    body = {"local_id": 1, "name": "Harbour", "parcel_flags": llsd.u32(0xE0000001), "landing_type": 1, "category": 9999}
    body |= {"user_location": [300.0, 5.0, 6.0], "description": "é" * 500}
    assert await refused(bert.cap("ParcelPropertiesUpdate", body)) == 403
    bert.forget()
    assert await anna.cap("ParcelPropertiesUpdate", body) == {}
    assert (parcel.name, parcel.flags, parcel.landing_type, parcel.category) == ("Harbour", 0xE0000001, 1, 255)
    assert parcel.landing_position == (256.0, 5.0, 6.0) and len(parcel.description.encode()) <= 255
    sim.frame.once(sim.clock.now())
    assert bert.events("ParcelProperties")[0]["ParcelData"][0]["Name"] == "Harbour"
    assert await refused(anna.cap("ParcelPropertiesUpdate", {"local_id": 77})) == 404
    assert await refused(anna.cap("ParcelPropertiesUpdate", {"local_id": 1, "parcel_flags": "x"})) == 400
    assert await refused(anna.cap("ParcelPropertiesUpdate", {"local_id": 1, "user_look_at": [1]})) == 400


async def test_resources_and_layers(sim: TestSimulator) -> None:
    anna = add_root(sim)
    urls = await anna.cap("LandResources", {"parcel_id": uuid4()})
    assert set(urls) == {"ScriptResourceSummary", "ScriptResourceDetails"}
    assert (await anna.cap("ScriptResourceSummary"))["summary"]["used"]
    assert (await anna.cap("ScriptResourceDetails"))["parcels"] == []
    assert (await anna.cap("AttachmentResources"))["attachments"] == []
    assert (await anna.cap("MapLayer", {}))["LayerData"] == []
    assert await refused(anna.cap("DispatchRegionInfo", {})) == 403
    assert (await anna.cap("ServerReleaseNotes")).status == 200
    features = await anna.cap("SimulatorFeatures")
    assert features["MeshRezEnabled"] is True and features["OpenSimExtras"]["say-range"] == 20


# --- environment


async def test_the_day(sim: TestSimulator) -> None:
    anna = add_root(sim)
    answer = await anna.cap("ExtEnvironment", query={"parcelid": "3"})
    environment = answer["environment"]
    assert (answer["success"], answer["parcel_id"], environment["parcel_id"]) == (True, 3, 3)
    assert environment["region_id"] == sim.world.facts.region_id and len(environment["track_altitudes"]) == 3
    cycle = environment["day_cycle"]
    assert len(cycle["tracks"]) == 5
    named = {keyframe["key_name"] for track in cycle["tracks"] for keyframe in track}
    assert named == set(cycle["frames"])
    for frame in cycle["frames"].values():
        if frame["type"] == "sky":
            assert abs(sum(part**2 for part in frame["sun_rotation"]) - 1) < 1e-9
    noon = cycle["frames"]["Noon"]["sun_rotation"]
    assert noon[1] == pytest.approx(-(0.5**0.5)) and noon[3] == pytest.approx(0.5**0.5)
    assert not (await anna.cap("ExtEnvironment", {}, method="POST"))["success"]
    assert (await anna.cap("ExtEnvironment", query={"parcelid": "x" * 50}))["parcel_id"] == -1


async def test_the_day_of_old(sim: TestSimulator) -> None:
    anna = add_root(sim)
    ids, days, skies, water = await anna.cap("EnvironmentSettings", method="GET")
    assert ids["regionID"] == sim.world.facts.region_id
    assert {name for _, name in days} == set(skies)
    assert all(len(sky["ambient"]) == 4 for sky in skies.values()) and len(water["waterFogColor"]) == 4
    assert not (await anna.cap("EnvironmentSettings", {}, method="POST"))["success"]


# --- objects


async def test_objects_there_are_not(sim: TestSimulator) -> None:
    anna = add_root(sim)
    for name in ("GetObjectCost", "GetObjectPhysicsData"):
        assert await anna.cap(name, {"object_ids": [uuid4()]}) == {}
        assert await refused(anna.cap(name, {"object_ids": [uuid4()] * 501})) == 413
        assert await refused(anna.cap(name, {"object_ids": ["x"]})) == 400
    assert "selected" in await anna.cap("ResourceCostSelected", {"selected_roots": []})
    for method, body in (("GET", None), ("POST", {"Zipped": b"\0" * 100})):
        answer = await anna.cap("RenderMaterials", body, method=method)
        assert zlib.decompress(answer["Zipped"]) == b"[\0\0\0\0]"


# --- every capability against nonsense

NONSENSE: list[Any] = [b"", b"<llsd>", b"\xff" * 100, None, [], {}, "x", 7, [[[]]], {"x": {}}, {"folders": [None]}]


@pytest.mark.parametrize("name", sorted(set(caps.load()) - {"EventQueueGet", "Seed"}))
async def test_nonsense_is_answered_or_refused(sim: TestSimulator, name: str) -> None:
    anna = add_root(sim)
    await settle(sim)
    for method in caps.TABLE[name].methods:
        for body in NONSENSE:
            for tail in ("", "x", str(anna.id)):
                try:
                    await anna.cap(
                        name, body, method=method, tail=tail, query={"ids": "\x00", "names": "%", "parcelid": "-"}
                    )
                except Refused as refusal:
                    assert 400 <= refusal.status < 500
