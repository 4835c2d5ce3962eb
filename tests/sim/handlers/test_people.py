"""Names, the search for people, profiles."""

from __future__ import annotations

import asyncio
import inspect
from uuid import UUID, uuid4

import pytest

from protocol.message import Message, text
from sim.handlers.people import american_date
from sim.handlers.replies import start
from tests.kit.world import TestSimulator, Viewer, add_root, settle


def names(viewer: Viewer) -> dict[UUID, str]:
    return {
        block["ID"]: f"{text(block['FirstName'])} {text(block['LastName'])}"
        for reply in viewer.heard("UUIDNameReply")
        for block in reply["UUIDNameBlock"]
    }


def ask_names(viewer: Viewer, *ids: UUID) -> None:
    viewer.sends(Message("UUIDNameRequest", UUIDNameBlock=[{"ID": one} for one in ids]))


async def test_names_of_those_here_need_no_service(sim: TestSimulator) -> None:
    anna, bert = add_root(sim, "Anna Tester"), add_root(sim, "Bert Tester")
    await settle(sim)
    sim.backbone.down = True
    ask_names(anna, anna.id, bert.id, UUID(int=0))
    assert names(anna) == {anna.id: "Anna Tester", bert.id: "Bert Tester"}


async def test_names_of_others_are_asked_for_once(sim: TestSimulator) -> None:
    anna = add_root(sim)
    carl, nobody = uuid4(), uuid4()
    sim.backbone.add_user(carl, "Carl", "Away")
    ask_names(anna, carl, nobody)
    ask_names(anna, carl)
    await settle(sim)
    assert names(anna) == {carl: "Carl Away", nobody: "Unknown Resident"}
    ask_names(anna, carl)
    await settle(sim)
    assert [carl in map(UUID, asked[0]) for asked in sim.backbone.called("get_users")] == [True]


async def test_many_names_are_asked_for_in_batches(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    people = [uuid4() for _ in range(250)]
    for n, one in enumerate(people):
        sim.backbone.add_user(one, f"Person{n}", "Resident")
    for first in range(0, 250, 50):
        ask_names(anna, *people[first : first + 50])
    await settle(sim)
    assert len(names(anna)) == 250
    assert [len(asked[0]) for asked in sim.backbone.called("get_users")] == [100, 100, 50]


async def test_names_fail_softly_and_work_again(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    carl = uuid4()
    sim.backbone.add_user(carl, "Carl", "Away")
    sim.backbone.down = True
    ask_names(anna, carl)
    await settle(sim)
    assert names(anna) == {}
    assert sim.metrics.value("service_errors", "backbone") >= 1
    sim.backbone.down = False
    ask_names(anna, carl)
    await settle(sim)
    assert names(anna) == {carl: "Carl Away"}
    assert not sim.metrics.labelled["task_errors"]


async def test_group_names(sim: TestSimulator) -> None:
    anna = add_root(sim)
    group = uuid4()
    anna.sends(Message("UUIDGroupNameRequest", UUIDNameBlock=[{"ID": group}]))
    assert anna.heard("UUIDGroupNameReply")[0]["UUIDNameBlock"][0]["ID"] == group


# --- search


async def search(sim: TestSimulator, viewer: Viewer, wanted: str | bytes) -> list[str]:
    viewer.forget()
    query = uuid4()
    viewer.sends(Message("AvatarPickerRequest", AgentData={"QueryID": query}, Data={"Name": wanted}))
    await settle(sim)
    replies = viewer.heard("AvatarPickerReply")
    assert replies and all(reply["AgentData"]["QueryID"] == query for reply in replies)
    return [text(block["FirstName"]) for reply in replies for block in reply["Data"]]


async def test_searching_people(sim: TestSimulator) -> None:
    anna = add_root(sim, "Anna Tester")
    await settle(sim)
    sim.backbone.add_user(uuid4(), "Annabel", "Away")
    assert sorted(await search(sim, anna, "ann")) == ["Anna", "Annabel"]
    assert await search(sim, anna, "zzz") == [""]
    assert await search(sim, anna, "a") == [""]
    assert await search(sim, anna, b"\xff" * 250) == [""]
    sim.backbone.down = True
    assert await search(sim, anna, "ann") == [""]
    assert anna.heard("AlertMessage")


# --- profiles


async def profile(sim: TestSimulator, viewer: Viewer, whose: UUID) -> list[Message]:
    viewer.forget()
    viewer.sends(Message("AvatarPropertiesRequest", AgentData={"AvatarID": whose}))
    await settle(sim)
    return viewer.heard("AvatarPropertiesReply")


async def test_a_profile(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    await settle(sim)
    sim.backbone.profiles[str(bert.id)] = {"about": "I build é" + "x" * 2000, "interests": {"want_text": "to sail"}}
    (reply,) = await profile(sim, anna, bert.id)
    data = reply["PropertiesData"]
    assert reply["AgentData"] == {"AgentID": anna.id, "AvatarID": bert.id}
    assert text(data["AboutText"]).startswith("I build é") and len(data["AboutText"]) == 1024
    assert text(data["BornOn"]) == "2/1/2026"
    assert data["CharterMember"] == b"\0"
    assert data["Flags"] == 1 | 32
    (interests,) = anna.heard("AvatarInterestsReply")
    assert text(interests["PropertiesData"]["WantToText"]) == "to sail"
    assert anna.heard("AvatarGroupsReply")


async def test_profiles_of_nobody_and_without_backbone(sim: TestSimulator) -> None:
    anna, bert = add_root(sim), add_root(sim)
    await settle(sim)
    (reply,) = await profile(sim, anna, uuid4())
    assert text(reply["PropertiesData"]["AboutText"]) == ""
    sim.backbone.down = True
    assert len(await profile(sim, anna, bert.id)) == 1
    assert anna.heard("AlertMessage")
    # An empty answer would be saved over the true profile.
    assert await profile(sim, anna, anna.id) == []
    assert anna.heard("AlertMessage")


async def test_saving_a_profile(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    image = uuid4()
    data = {"ImageID": image, "AboutText": "New", "FLAboutText": "", "ProfileURL": "http://x", "AllowPublish": True}
    anna.sends(Message("AvatarPropertiesUpdate", PropertiesData=data))
    interests = {"WantToMask": 0xFFFFFFFF, "WantToText": "to dance"}
    anna.sends(Message("AvatarInterestsUpdate", PropertiesData=interests))
    await settle(sim)
    kept = sim.backbone.profiles[str(anna.id)]
    assert (kept["about"], kept["image_id"], kept["allow_publish"]) == ("New", str(image), True)
    assert kept["interests"]["want_mask"] == 0xFFFFFFFF
    sim.backbone.down = True
    anna.sends(Message("AvatarPropertiesUpdate", PropertiesData=data))
    await settle(sim)
    assert "not saved" in text(anna.heard("AlertMessage")[0]["AlertData"]["Message"])


@pytest.mark.parametrize(
    ("iso", "shown"), [("2026-02-01", "2/1/2026"), ("", ""), ("yesterday", ""), ("2026-12-31T23:00:00Z", "12/31/2026")]
)
def test_dates(iso: str, shown: str) -> None:
    assert american_date(iso) == shown


async def test_nobody_piles_up_work(sim: TestSimulator) -> None:
    """While a service hangs, a client's requests are refused instead of kept."""
    anna = add_root(sim)
    await settle(sim)
    for _ in range(200):
        anna.sends(Message("AvatarPropertiesRequest", AgentData={"AvatarID": uuid4()}))
    assert anna.agent.errands.under_way == 100
    assert sim.metrics.value("messages_dropped", "too much under way") == 100
    await settle(sim)
    assert anna.agent.errands.under_way == 0


async def test_an_errand_given_up_before_its_turn_frees_its_place(sim: TestSimulator) -> None:
    anna = add_root(sim)
    await settle(sim)
    begun = asyncio.Event()

    async def errand() -> None:
        begun.set()

    work = errand()
    start(sim.parts, anna.agent, "errand", work)
    for task in list(sim.region.tasks.pending):
        task.cancel()
    await settle(sim)
    assert anna.agent.errands.under_way == 0 and not begun.is_set()
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED


# --- whom one lets know


def visibility_of(viewer: Viewer) -> list[str]:
    return [text(reply["UserData"]["DirectoryVisibility"]) for reply in viewer.heard("UserInfoReply")]


def wish(viewer: Viewer, word: str) -> None:
    viewer.sends(Message("UpdateUserInfo", UserData={"IMViaEMail": False, "DirectoryVisibility": word.encode() + b"\0"}))


async def test_only_friends_know_that_i_am_online(sim: TestSimulator) -> None:
    anna, bert = add_root(sim, "Anna Tester"), add_root(sim, "Bert Tester")
    await settle(sim)
    for viewer in (anna, bert):
        sim.backbone.add_user(viewer.id, viewer.agent.first, viewer.agent.last)
        sim.backbone.presence[str(viewer.id)] = str(sim.world.facts.region_id)

    async def online_to(viewer: Viewer) -> bool:
        viewer.sends(Message("AvatarPropertiesRequest", AgentData={"AvatarID": anna.id}))
        await settle(sim)
        return bool(viewer.heard("AvatarPropertiesReply")[-1]["PropertiesData"]["Flags"] & 32)

    anna.sends(Message("UserInfoRequest"))
    await settle(sim)
    assert visibility_of(anna) == ["default"] and await online_to(bert)
    wish(anna, "hidden")
    anna.sends(Message("UserInfoRequest"))
    await settle(sim)
    assert sim.backbone.visibility[str(anna.id)] == "friends"
    assert not await online_to(bert) and await online_to(anna)
    for odd in ("", "Hidden", "x" * 200):
        wish(anna, odd)
    await settle(sim)
    assert sim.backbone.visibility[str(anna.id)] == "friends"
    # A viewer that saves its preferences as they are changes nothing that it does not know.
    sim.backbone.visibility[str(anna.id)] = "online"
    wish(anna, "default")
    await settle(sim)
    assert sim.backbone.visibility[str(anna.id)] == "online"
    told = len(visibility_of(anna))
    sim.backbone.down = True
    wish(anna, "hidden")
    anna.sends(Message("UserInfoRequest"))
    await settle(sim)
    assert len(visibility_of(anna)) == told and "not changed" in text(anna.heard("AlertMessage")[-1]["AlertData"]["Message"])
