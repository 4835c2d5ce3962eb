"""The directory that viewers' legacy search asks."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from protocol.message import Message, text
from protocol.wellknown import NULL
from sim.handlers.parcels import place_id
from tests.kit.world import TestSimulator, Viewer, add_region, add_root, settle


async def search(sim: TestSimulator, viewer: Viewer, name: str, reply: str, **asked: Any) -> list[Message]:
    viewer.forget()
    asked.setdefault("QueryID", uuid4())
    viewer.sends(Message(name, QueryData=asked))
    await settle(sim)
    replies = viewer.heard(reply)
    for one in replies:
        blocks = one["QueryData"] if isinstance(one["QueryData"], list) else [one["QueryData"]]
        assert {block["QueryID"] for block in blocks} == {asked["QueryID"]}
        if isinstance(one["QueryData"], list):
            assert len(blocks) == len(one["QueryReplies"]) == len(one["StatusData"])
    return replies


def found(replies: list[Message], field: str) -> list[UUID]:
    return [block[field] for reply in replies for block in reply["QueryReplies"]]


async def test_people_are_found_and_who_is_online_as_far_as_they_let_one_know(sim: TestSimulator) -> None:
    anna = add_root(sim, "Anna Tester")
    ids = {name: uuid4() for name in ("Finn", "Fiona", "Fips")}
    for name, agent_id in ids.items():
        sim.backbone.add_user(agent_id, name, "Fisher")
        sim.backbone.presence[str(agent_id)] = str(uuid4()) if name != "Finn" else None
    sim.backbone.visibility[str(ids["Fips"])] = "friends"
    people = await search(sim, anna, "DirFindQuery", "DirPeopleReply", QueryText="fisher", QueryFlags=1)
    assert {block["AgentID"]: block["Online"] for reply in people for block in reply["QueryReplies"]} == {
        ids["Finn"]: False, ids["Fiona"]: True, ids["Fips"]: False,
    }  # fmt: skip
    online = await search(sim, anna, "DirFindQuery", "DirPeopleReply", QueryText="fisher", QueryFlags=3)
    assert found(online, "AgentID") == [ids["Fiona"]]


async def test_a_search_has_pages(sim: TestSimulator) -> None:
    anna = add_root(sim, "Anna Tester")
    for n in range(150):
        sim.backbone.add_user(uuid4(), f"Fisher{n}", "Resident")
    first = await search(sim, anna, "DirFindQuery", "DirPeopleReply", QueryText="fisher", QueryFlags=1)
    second = await search(sim, anna, "DirFindQuery", "DirPeopleReply", QueryText="fisher", QueryFlags=1, QueryStart=100)
    assert len(found(first, "AgentID")) == 101 and len(found(second, "AgentID")) == 50
    assert found(first, "AgentID")[100] == found(second, "AgentID")[0]
    before = await search(sim, anna, "DirFindQuery", "DirPeopleReply", QueryText="fisher", QueryFlags=1, QueryStart=-5)
    assert found(before, "AgentID") == found(first, "AgentID")


@pytest.mark.parametrize(("asked", "down"), [("nobody at all", False), ("x", False), ("fisher", True)])
async def test_nobody_found_is_said(sim: TestSimulator, asked: str, down: bool) -> None:
    """A viewer shows "searching" until something comes."""
    anna = add_root(sim)
    await settle(sim)
    sim.backbone.down = down
    people = await search(sim, anna, "DirFindQuery", "DirPeopleReply", QueryText=asked, QueryFlags=1)
    assert found(people, "AgentID") == [NULL]
    places = await search(sim, anna, "DirPlacesQuery", "DirPlacesReply", QueryText=asked)
    assert found(places, "ParcelID") == [NULL]
    assert bool(anna.heard("AlertMessage")) == down


async def test_places_are_regions_of_the_grid_and_parcels_here(sim: TestSimulator) -> None:
    anna = add_root(sim)
    far = add_region(sim, "Harbour East", 1003, 1000)
    sim.world.parcels[0].name = "Harbour bar"
    sim.backbone.regions = [
        {"region_id": str(far.region_id), "name": far.name, "grid_x": 1003, "grid_y": 1000},
        {"region_id": str(sim.world.facts.region_id), "name": "Harbour", "grid_x": 1000, "grid_y": 1000},
    ]
    replies = await search(sim, anna, "DirPlacesQuery", "DirPlacesReply", QueryText="harbour", Category=-1)
    names = {block["ParcelID"]: text(block["Name"]) for reply in replies for block in reply["QueryReplies"]}
    beyond = place_id(far.handle, 128, 128)
    assert names == {sim.world.parcels[0].parcel_id: "Harbour bar", beyond: "Harbour East"}
    for parcel_id in names:  # what a viewer asks of each next
        anna.sends(Message("ParcelInfoRequest", Data={"ParcelID": parcel_id}))
    assert [text(one["Data"]["SimName"]) for one in anna.heard("ParcelInfoReply")] == ["Here", "Harbour East"]


async def test_what_there_is_none_of_is_said(sim: TestSimulator) -> None:
    anna = add_root(sim)
    for flags, reply, field in ((0x10, "DirGroupsReply", "GroupID"), (0x20, "DirEventsReply", "OwnerID")):
        assert found(await search(sim, anna, "DirFindQuery", reply, QueryText="x", QueryFlags=flags), field) == [NULL]
    assert found(await search(sim, anna, "DirClassifiedQuery", "DirClassifiedReply", QueryText="x"), "ClassifiedID") == [NULL]
    assert found(await search(sim, anna, "DirPopularQuery", "DirPopularReply"), "ParcelID") == [NULL]
    await search(sim, anna, "DirLandQuery", "DirLandReply", SearchType=0xFFFFFFFF)
    assert not anna.heard("DirLandReply")  # by the event queue alone
    (land,) = anna.events("DirLandReply")
    assert land["QueryReplies"][0]["ParcelID"] == NULL


async def test_ones_own_land_is_listed(sim: TestSimulator) -> None:
    anna = add_root(sim)
    asked = {"QueryFlags": 0x40, "Category": -1}
    query, transaction = uuid4(), uuid4()
    ids: dict[str, Any] = {"AgentData": {"QueryID": query}, "TransactionData": {"TransactionID": transaction}}
    anna.sends(Message("PlacesQuery", QueryData=asked, **ids))
    assert anna.events("PlacesReply")[0]["QueryData"][0]["OwnerID"] == NULL
    sim.world.parcels[0].owner_id = anna.id
    anna.sends(Message("PlacesQuery", QueryData=asked, **ids))
    told = anna.events("PlacesReply")[1]
    assert told["TransactionData"][0]["TransactionID"] == transaction and told["AgentData"][0]["QueryID"] == query
    (place,) = told["QueryData"]
    assert (place["Name"], place["ActualArea"], place["SimName"]) == ("Here", 65536, "Here")
