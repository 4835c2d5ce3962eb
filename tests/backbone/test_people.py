"""Accounts, profiles, friends and the news they get of each other."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from backbone.client import BackboneClient, BackboneError
from tests.backbone.kit import PASSWORD, FakeSim, Server, fake_sim, log_in, message, unique, until


async def make(backbone: BackboneClient, word: str = "Ann") -> dict[str, Any]:
    return await backbone.create_user(unique(word), "Tester", PASSWORD)


async def befriend(backbone: BackboneClient, offerer: dict[str, Any], accepter: dict[str, Any]) -> None:
    await backbone.send_message(message(accepter["agent_id"], offerer["agent_id"], "friends?", dialog=38))
    await backbone.accept_friend(accepter["agent_id"], offerer["agent_id"])


async def come_in(server: Server, backbone: BackboneClient, user: dict[str, Any], sim: FakeSim) -> dict[str, Any]:
    login = await log_in(server.url, user["first"], user["last"], start=f"uri:{sim.name}&1&2&3")
    await sim.arrive(backbone, login)
    return login


async def test_names_are_unique_whatever_their_case(backbone: BackboneClient) -> None:
    user = await make(backbone)
    with pytest.raises(BackboneError) as refused:
        await backbone.create_user(user["first"].upper(), "tESTER", "other")
    assert refused.value.status == 409
    assert await backbone.get_user(user["agent_id"]) == user
    assert await backbone.find_user(f"{user['first'].lower()}  TESTER ") == user
    assert await backbone.find_user("No Such") is None
    assert user in await backbone.search_users(user["first"][1:-1].upper())
    assert await backbone.get_users([user["agent_id"]]) == [user]


@pytest.mark.parametrize("first", ["", " ", "two words", "a/b", "<b>", "a\u202eb", "x" * 32, "-dash", "ta\tb", "a\nb"])
async def test_odd_names_are_refused(backbone: BackboneClient, first: str) -> None:
    with pytest.raises(BackboneError) as refused:
        await backbone.create_user(first, "", PASSWORD)
    assert refused.value.status == 400


async def test_search_takes_its_text_literally(backbone: BackboneClient) -> None:
    await make(backbone)
    assert await backbone.search_users("%") == []
    assert await backbone.search_users("_______") == []
    assert len(await backbone.search_users("")) >= 1


async def test_profiles(backbone: BackboneClient) -> None:
    user = await make(backbone)
    profile = await backbone.get_profile(user["agent_id"])
    assert profile["about"] == ""
    assert len(profile["born_on"]) == 10
    changed = await backbone.put_profile(
        user["agent_id"], {"about": "I build <b>things</b>", "interests": {"want_text": "friends"}}
    )
    assert changed["about"] == "I build <b>things</b>"
    assert changed["interests"]["want_text"] == "friends"
    # What was read may be written back whole.
    assert await backbone.put_profile(user["agent_id"], changed) == changed
    await backbone.put_profile(user["agent_id"], {"interests": {"languages": "Welsh"}})
    again = await backbone.get_profile(user["agent_id"])
    assert (again["interests"]["want_text"], again["interests"]["languages"]) == ("friends", "Welsh")


async def test_mutes_notes_and_picks_are_kept(backbone: BackboneClient, server: Server) -> None:
    ann, pest, here = (await make(backbone))["agent_id"], str(uuid4()), str(uuid4())
    await backbone.put_mute(ann, pest, "Pest Resident", 1, 14)
    await backbone.put_notes(ann, pest, "Shouts")
    written = {"name": "Quay", "desc": "Soup", "parcel_id": pest, "region_id": pest, "region_name": "Harbour",
               "snapshot_id": pest, "position": [256010.5, 256020.0, 25.0], "sort_order": 2, "enabled": True}  # fmt: skip
    made = await backbone.put_pick(ann, here, written)
    assert made == {"pick_id": here, "agent_id": ann, **written}
    assert await backbone.get_mutes(ann) == [{"muted_id": pest, "name": "Pest Resident", "kind": 1, "flags": 14}]
    assert await backbone.get_notes(ann, pest) == "Shouts"
    assert await backbone.get_picks(ann) == [made] and await backbone.get_pick(ann, here) == made
    for refused, status in (
        (backbone.put_mute(uuid4(), pest, "x", 1, 0), 404),
        (backbone.put_mute(ann, pest, "x", 9, 0), 400),
        (backbone.put_notes(uuid4(), pest, "x"), 404),
        (backbone.put_pick((await make(backbone, "Ben"))["agent_id"], here, written), 409),
        (backbone.get_pick(pest, here), 404),
    ):
        with pytest.raises(BackboneError) as told:
            await refused
        assert told.value.status == status
    assert server.ask("GET", f"/agents/{ann}/mutes")[0] == server.ask("GET", f"/agents/{ann}/notes/{pest}")[0] == 401
    await backbone.delete_mute(ann, pest, "")
    await backbone.delete_pick(ann, here)
    await backbone.delete_pick(ann, here)
    assert await backbone.get_mutes(ann) == await backbone.get_picks(ann) == []


async def test_friendship_needs_an_offer_and_is_mutual(backbone: BackboneClient) -> None:
    ann, bob = await make(backbone, "Ann"), await make(backbone, "Bob")
    with pytest.raises(BackboneError) as refused:
        await backbone.accept_friend(bob["agent_id"], ann["agent_id"])
    assert refused.value.status == 404
    await befriend(backbone, ann, bob)
    assert await backbone.accept_friend(bob["agent_id"], ann["agent_id"])  # again: the same
    for one, other in ((ann, bob), (bob, ann)):
        assert await backbone.get_friends(one["agent_id"]) == [
            {
                "agent_id": other["agent_id"],
                "name": f"{other['first']} Tester",
                "rights_given": 1,
                "rights_has": 1,
                "online": False,
            }
        ]
    await backbone.remove_friend(ann["agent_id"], bob["agent_id"])
    assert await backbone.get_friends(ann["agent_id"]) == await backbone.get_friends(bob["agent_id"]) == []
    with pytest.raises(BackboneError):
        await backbone.accept_friend(bob["agent_id"], ann["agent_id"])  # the offer is used up


async def test_declined_offers_are_gone(backbone: BackboneClient) -> None:
    ann, bob = await make(backbone), await make(backbone)
    await backbone.send_message(message(bob["agent_id"], ann["agent_id"], "friends?", dialog=38))
    await backbone.decline_friend(bob["agent_id"], ann["agent_id"])
    await backbone.decline_friend(bob["agent_id"], ann["agent_id"])
    with pytest.raises(BackboneError):
        await backbone.accept_friend(bob["agent_id"], ann["agent_id"])


async def test_friends_hear_who_comes_and_goes(server: Server, backbone: BackboneClient) -> None:
    ann, bob, eve = await make(backbone, "Ann"), await make(backbone, "Bob"), await make(backbone, "Eve")
    await befriend(backbone, ann, bob)
    await befriend(backbone, ann, eve)
    await backbone.set_friend_rights(ann["agent_id"], eve["agent_id"], 0)  # eve may not see ann
    async with fake_sim(backbone, unique("Bobs"), 1200) as bobs, fake_sim(backbone, unique("Anns"), 1201) as anns:
        await come_in(server, backbone, bob, bobs)
        await come_in(server, backbone, eve, bobs)
        bobs.notifications.clear()
        login = await come_in(server, backbone, ann, anns)
        await until(lambda: bobs.notifications, "bob hears that ann is online")
        news = {"kind": "online", "agent_id": ann["agent_id"], "targets": [bob["agent_id"]]}
        assert bobs.notifications == [news]
        online = {one["agent_id"]: one["online"] for one in await backbone.get_friends(bob["agent_id"])}
        assert online == {ann["agent_id"]: True}
        assert not (await backbone.get_friends(eve["agent_id"]))[0]["online"]
        await backbone.leave(ann["agent_id"], login["session_id"], anns.region_id, (1, 1, 1), (1, 0, 0))
        await until(lambda: len(bobs.notifications) == 2, "bob hears that ann is offline")
        assert bobs.notifications[1] == {**news, "kind": "offline"}


async def test_a_quick_relog_is_no_news(server: Server, backbone: BackboneClient) -> None:
    ann, bob = await make(backbone, "Ann"), await make(backbone, "Bob")
    await befriend(backbone, ann, bob)
    async with fake_sim(backbone, unique("Both"), 1202) as sim:
        await come_in(server, backbone, bob, sim)
        await come_in(server, backbone, ann, sim)
        await until(lambda: any(n["agent_id"] == ann["agent_id"] for n in sim.notifications), "ann came")
        told = len(sim.notifications)
        await come_in(server, backbone, ann, sim)
        other = await make(backbone, "Cat")
        await befriend(backbone, other, bob)
        await come_in(server, backbone, other, sim)  # news that comes after what might have come
        await until(lambda: any(n["agent_id"] == other["agent_id"] for n in sim.notifications), "cat came")
        assert [n for n in sim.notifications[told:] if n["agent_id"] == ann["agent_id"]] == []


async def test_rights_and_the_end_of_a_friendship_are_told(server: Server, backbone: BackboneClient) -> None:
    ann, bob = await make(backbone, "Ann"), await make(backbone, "Bob")
    async with fake_sim(backbone, unique("Told"), 1203) as sim:
        await come_in(server, backbone, ann, sim)
        await come_in(server, backbone, bob, sim)
        await befriend(backbone, ann, bob)
        await until(lambda: len(sim.notifications) == 2, "both hear that the other is online")
        assert {(n["kind"], n["agent_id"], n["targets"][0]) for n in sim.notifications} == {
            ("online", ann["agent_id"], bob["agent_id"]),
            ("online", bob["agent_id"], ann["agent_id"]),
        }
        sim.notifications.clear()
        friend = await backbone.set_friend_rights(ann["agent_id"], bob["agent_id"], 5)
        assert (friend["rights_given"], friend["rights_has"]) == (5, 1)
        await until(lambda: sim.notifications, "bob hears of his rights")
        rights = {"kind": "rights", "agent_id": ann["agent_id"], "targets": [bob["agent_id"]], "rights": 5}
        assert sim.notifications == [rights]
        await backbone.remove_friend(ann["agent_id"], bob["agent_id"])
        await until(lambda: len(sim.notifications) == 2, "bob hears the end")
        ended = {"kind": "friendship-ended", "agent_id": ann["agent_id"], "targets": [bob["agent_id"]]}
        assert sim.notifications[1] == ended
        with pytest.raises(BackboneError):
            await backbone.set_friend_rights(ann["agent_id"], bob["agent_id"], 1)


async def test_friends_in_one_region_are_told_in_one_call(server: Server, backbone: BackboneClient) -> None:
    star = await make(backbone, "Star")
    fans = [await make(backbone, "Fan") for _ in range(5)]
    for fan in fans:
        await befriend(backbone, star, fan)
    async with fake_sim(backbone, unique("Fans"), 1204) as sim:
        for fan in fans:
            await come_in(server, backbone, fan, sim)
        await come_in(server, backbone, star, sim)
        await until(lambda: any(n["agent_id"] == star["agent_id"] for n in sim.notifications), "the star came")
        news = [n for n in sim.notifications if n["agent_id"] == star["agent_id"]]
        assert len(news) == 1
        assert news[0]["targets"] == sorted(fan["agent_id"] for fan in fans)


async def test_unknown_people_are_404(server: Server) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    for path in (f"/users/{nobody}", f"/users/{nobody}/profile", f"/agents/{nobody}/friends", f"/agents/{nobody}/home"):
        assert server.ask_as_sim("GET", path)[0] == 404
