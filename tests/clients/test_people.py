"""Names, search, profiles, money: what clients ask about people."""
from __future__ import annotations

from typing import Any

import pytest

from .conftest import Visit
from .driver import Driver, until
from .grid import Grid
from .raw.viewer import Viewer

NOBODY = "deadbeef-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def hippo(stay: Visit, grid: Grid) -> Driver:
    return stay.hippo(grid.west)


@pytest.fixture(scope="module")
def node(stay: Visit, grid: Grid) -> Driver:
    return stay.node(grid.far)


@pytest.fixture(scope="module")
def viewer(stay: Visit, grid: Grid) -> Viewer:
    return stay.viewer(grid.west)


def test_names_by_id(grid: Grid, hippo: Driver, node: Driver) -> None:
    away = grid.account()
    assert node.do("name_of", id=hippo.agent_id) == hippo.name
    assert node.do("name_of", id=away.agent_id) == away.name
    hippo.do("send", message="UUIDNameRequest", agent=False, blocks={
        "UUIDNameBlock": [{"ID": f"uuid:{node.agent_id}"}, {"ID": f"uuid:{away.agent_id}"}]})
    names: dict[str, str] = {}

    def complete() -> bool:
        for event in hippo.since(0, "UUIDNameReply"):
            names.update((block["ID"], f"{block['FirstName']} {block['LastName']}")
                         for block in event.blocks("UUIDNameBlock"))
        return set(names) >= {node.agent_id, away.agent_id}

    until(complete, "names of both")
    assert (names[node.agent_id], names[away.agent_id]) == (node.name, away.name)


def test_display_names(grid: Grid, hippo: Driver, node: Driver) -> None:
    found = hippo.do("cap", name="GetDisplayNames", query={"ids": [hippo.agent_id, node.agent_id, NOBODY]})
    people = {agent["id"]: agent for agent in found["agents"]}
    assert set(people) == {hippo.agent_id, node.agent_id}
    assert NOBODY in found["bad_ids"]
    first, last = node.name.split()
    entry = people[node.agent_id]
    assert (entry["legacy_first_name"], entry["legacy_last_name"]) == (first, last)
    assert entry["username"] == f"{first}.{last}".lower() and entry["display_name"]


def test_people_are_found_by_name(hippo: Driver, node: Driver) -> None:
    """By the capability, as current viewers search, and by the message, as older ones do."""
    for by_cap in (True, False):
        found = node.do("key_of", name=hippo.name, by_cap=by_cap)
        assert found["id"] == hippo.agent_id and found["name"].lower() == hippo.name.lower()
    hippo.do("send", message="AvatarPickerRequest", blocks={
        "AgentData": {"QueryID": f"uuid:{NOBODY}"}, "Data": {"Name": f"text:{node.name}"}})
    reply = hippo.wait("AvatarPickerReply", lambda event: event["AgentData.QueryID"] == NOBODY)
    found = {block["AvatarID"]: (block["FirstName"], block["LastName"]) for block in reply.blocks("Data")}
    assert found[node.agent_id] == tuple(node.name.split())


def test_a_search_that_finds_nobody_is_answered(viewer: Viewer) -> None:
    viewer.send("AvatarPickerRequest", AgentData={"QueryID": NOBODY}, Data={"Name": "zzzz nobody zzzz"})
    reply = viewer.wait("AvatarPickerReply", lambda event: event["AgentData.QueryID"] == NOBODY)
    assert [block["AvatarID"] for block in reply.blocks("Data") if int(block["AvatarID"].replace("-", ""), 16)] == []


def test_profiles_are_read_and_written(hippo: Driver, node: Driver, viewer: Viewer) -> None:
    before = node.do("profile", id=viewer.agent_id)
    assert before["BornOn"].count("/") == 2
    viewer.send("AvatarPropertiesUpdate", PropertiesData={
        "AboutText": "I am raw. Grüße & <tags>\nsecond line", "FLAboutText": "first life", "AllowPublish": True,
        "ProfileURL": "http://example.org/me"})

    def changed() -> Any:
        found = node.do("profile", id=viewer.agent_id)
        return found if found["AboutText"] != before["AboutText"] else None

    after = until(changed, "the new profile")
    assert after["AboutText"] == "I am raw. Grüße & <tags>\nsecond line"
    assert (after["FLAboutText"], after["ProfileURL"]) == ("first life", "http://example.org/me")
    hippo.do("send", message="AvatarPropertiesRequest", blocks={"AgentData": {"AvatarID": f"uuid:{viewer.agent_id}"}})
    reply = hippo.wait("AvatarPropertiesReply")
    assert reply["AgentData.AgentID"] == hippo.agent_id
    assert reply["PropertiesData.AboutText"] == after["AboutText"]
    assert reply["PropertiesData.Flags"] & 0x1, "allow publish"
    hippo.wait("AvatarInterestsReply")
    hippo.wait("AvatarGroupsReply")


def test_a_profile_of_somebody_away_has_no_online_flag(grid: Grid, hippo: Driver) -> None:
    away = grid.account()
    mark = hippo.mark()
    hippo.do("send", message="AvatarPropertiesRequest", blocks={"AgentData": {"AvatarID": f"uuid:{away.agent_id}"}})
    reply = hippo.wait("AvatarPropertiesReply", lambda event: event["AgentData.AvatarID"] == away.agent_id, since=mark)
    assert not reply["PropertiesData.Flags"] & 0x20


def test_money_and_prices(node: Driver, viewer: Viewer) -> None:
    assert node.do("balance") == 0
    assert node.do("upload_cost") == 0
    mark = viewer.mark()
    viewer.send("MoneyBalanceRequest", MoneyData={"TransactionID": NOBODY})
    reply = viewer.wait("MoneyBalanceReply", since=mark)
    assert reply["MoneyData.TransactionID"] == NOBODY and reply["MoneyData.TransactionSuccess"]


def test_what_a_viewer_asks_about_itself(viewer: Viewer) -> None:
    mark = viewer.mark()
    viewer.send("AgentDataUpdateRequest")
    reply = viewer.wait("AgentDataUpdate", since=mark)
    assert reply["AgentData.AgentID"] == viewer.agent_id
    assert f"{reply['AgentData.FirstName']} {reply['AgentData.LastName']}" == viewer.name
    viewer.send("MuteListRequest", MuteData={"MuteCRC": 0})
    viewer.wait("MuteListUpdate", since=mark)
    viewer.send("EconomyDataRequest")
    assert viewer.wait("EconomyData", since=mark)["Info.PriceUpload"] == 0
    viewer.send("EstateCovenantRequest")
    viewer.wait("EstateCovenantReply", since=mark)
    viewer.send("AgentWearablesRequest")
    worn = viewer.wait("AgentWearablesUpdate", since=mark)
    assert {block["WearableType"] for block in worn.blocks("WearableData")} >= {0, 1, 2, 3}, "or it stays a cloud"
    viewer.send("AgentCachedTexture", AgentData={"SerialNum": 7},
                WearableData=[{"TextureIndex": 8}, {"TextureIndex": 9}])
    cached = viewer.wait("AgentCachedTextureResponse", since=mark)
    assert cached["AgentData.SerialNum"] == 7
    assert {block["TextureIndex"] for block in cached.blocks("WearableData")} == {8, 9}
