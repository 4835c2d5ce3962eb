"""Names of all scripts, passwords, guests, and who may know where somebody is."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone import guests as guests_module
from backbone.client import BackboneClient, BackboneError
from backbone.errors import TooMany
from backbone.guests import BURST, KEPT_SECONDS, REFILL_SECONDS, Guests
from backbone.names import LONGEST, LONGEST_KEY, BadName, check_name, name_key, search_key
from tests.backbone.kit import PASSWORD, SECRET, FakeSim, Server, client_of, fake_sim, log_in, unique
from tests.backbone.test_people import befriend, come_in, make

# names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word",
    ["Ada", "José", "O'Neil", "Jean-Luc", "x_y.z", "Øyvind", "नमस्ते", "স্মিতা", "தமிழ்", "ಕನ್ನಡ", "สวัสดี", "ខ្មែរ",
     "မြန်မာ", "བོད", "مُحَمَّد", "שָׁלוֹם", "さくら", "サクラー", "김민수", "東京タワー", "አማርኛ", "Nguyễn", "Αθήνα", "Аня", "7of9"],
)  # fmt: skip
async def test_names_of_every_script_are_accounts(backbone: BackboneClient, word: str) -> None:
    made = await backbone.create_user(word, unique("X"), PASSWORD)
    assert made["first"] == word
    assert await backbone.find_user(f"{word.upper()} {made['last']}") == made
    assert made in await backbone.search_users(word)


@pytest.mark.parametrize(
    ("word", "why"),
    [("Аda", "several scripts"), ("pаypal", "several scripts"), ("a\u200db", "not seen|letters of any"),
     ("a\u202eb", "letters of any"), ("Z\u0301\u0302\u0303\u0304\u0305", "marks"), ("\u0301a", "begins"), ("\u3164x", "not seen"),
     ("a\ufe0fb", "not seen"), ("ﷺ" * 3, "not seen|others"), ("", "characters"), ("x" * (LONGEST + 1), "characters"),
     ("Ⅳ", "begins"), ("a b", "letters of any"), ("😀x", "begins")],
)  # fmt: skip
def test_what_could_pass_for_another_or_cannot_be_seen_is_no_name(word: str, why: str) -> None:
    with pytest.raises(BadName, match=why):
        check_name(word, "x") if word else check_name(word, "")


def test_names_that_look_one_are_one() -> None:
    for one, other in (("Ada", "ＡＤＡ"), ("ﬁn", "FIN"), ("José", "JOSE\u0301"), ("Straße", "STRASSE"), ("Σίσυφος", "ΣΊΣΥΦΟΣ")):
        assert name_key(one, "X") == name_key(other, "x")
    assert name_key("José", "") != name_key("Jose", "")
    assert search_key("  José   MÜLLER ") == "jose muller"


@given(st.text(max_size=LONGEST + 2), st.text(max_size=LONGEST + 2))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_bounded_name_or_a_clear_refusal(first: str, last: str) -> None:
    try:
        first, last = check_name(first, last)
    except BadName as error:
        assert len(str(error)) < 300
        return
    key = name_key(first, last)
    assert len(key) <= LONGEST_KEY
    assert name_key(first.upper(), last.lower()) == name_key(first, last) or not first.isascii()
    assert check_name(first, last) == (first, last)


# passwords -----------------------------------------------------------------------------------------------


async def test_a_password_is_changed_by_who_knows_the_old_one(server: Server, backbone: BackboneClient) -> None:
    user = await make(backbone)
    path = f"/users/{user['agent_id']}/password"
    plain = {"Content-Type": "application/json"}

    def change(body: dict[str, Any]) -> tuple[int, Any]:
        status, _, raw = server.ask("PUT", path, body, plain)
        return status, json.loads(raw) if raw else None

    assert change({"old": "wrong", "new": "sesame"})[0] == 403
    assert change({"new": "sesame"})[0] == 403
    assert change({"old": PASSWORD, "new": ""})[0] == 400
    assert change({"old": PASSWORD, "new": "sesame"}) == (204, None)
    async with fake_sim(backbone, unique("Door"), 2200):
        assert (await log_in(server.url, user["first"], "Tester"))["login"] == "false"
        assert (await log_in(server.url, user["first"], "Tester", password="sesame"))["login"] == "true"
    await backbone.set_password(user["agent_id"], "again")  # the operator needs no old one
    with pytest.raises(BackboneError) as refused:
        await backbone.set_password(user["agent_id"], "x", old="wrong")
    assert refused.value.status == 403
    answers = [change({"old": "guess", "new": "mine"})[0] for _ in range(40)]
    assert answers[0] == 403 and answers[-1] == 429  # it is no place to guess at, either
    assert PASSWORD not in server.log() and "sesame" not in server.log()


# guests --------------------------------------------------------------------------------------------------


class People:
    """A store with guests alone."""

    def __init__(self, *seen: int) -> None:
        self.seen = {f"guest {number}": at for number, at in enumerate(seen)}

    def old_guests(self, seen_before: int, most: int) -> list[str]:
        return [one for one, at in self.seen.items() if at < seen_before][:most]

    def remove_guest(self, agent_id: str, seen_before: int) -> bool:
        return agent_id != "guest 0" and self.seen.pop(agent_id) < seen_before  # guest 0 has come back this moment


def test_guests_are_bounded_by_address_and_hour() -> None:
    now = [0.0]
    guests = Guests(People(), lambda: now[0])  # type: ignore[arg-type]
    for _ in range(BURST):
        guests.admit("203.0.113.1")
    with pytest.raises(TooMany, match="60 seconds"):
        guests.admit("203.0.113.1")
    guests.admit("203.0.113.2")
    guests.admit(None)
    now[0] += REFILL_SECONDS
    guests.admit("203.0.113.1")
    with pytest.raises(TooMany):
        guests.admit("203.0.113.1")
    for _ in range(2 * BURST):  # who sits at the grid's own machine
        guests.admit("127.0.0.1")
        guests.admit("::1")


def test_guests_of_yesterday_are_swept() -> None:
    now = int(time.time())
    forgotten: list[str] = []
    people = People(*([now - KEPT_SECONDS - 1] * (guests_module.AT_ONCE + 5)), now - 10)
    guests = Guests(people)  # type: ignore[arg-type]
    assert guests.sweep(now, forgotten.append) == guests_module.AT_ONCE - 1
    guests.sweep(now, forgotten.append)
    assert set(people.seen) == {"guest 0", f"guest {guests_module.AT_ONCE + 5}"}
    assert len(forgotten) == guests_module.AT_ONCE + 4


async def test_guests_over_http(server: Server, backbone: BackboneClient) -> None:
    last = unique("G")

    def come(number: int, address: str) -> int:
        body = {"first": f"g{number}", "last": last, "password": "x", "guest": True, "address": address}
        return server.ask_as_sim("POST", "/users", body)[0]

    assert {come(number, "203.0.113.50") for number in range(BURST)} == {201}
    assert come(BURST, "203.0.113.50") == 429
    assert come(BURST, "203.0.113.51") == 201
    assert await backbone.search_users(last) == []  # they are not looked for
    assert await backbone.find_user(f"g1 {last}") is not None


# who may know --------------------------------------------------------------------------------------------


async def test_strangers_learn_what_a_person_lets_everybody_see(server: Server, backbone: BackboneClient) -> None:
    async with client_of(server, None) as stranger, fake_sim(backbone, unique("Glass"), 2201) as sim:
        users = {visibility: await make(backbone) for visibility in ("everybody", "online", "friends")}
        for visibility, user in users.items():
            assert await backbone.get_visibility(user["agent_id"]) == "everybody"
            if visibility == "online":  # before the login, or while being here: the same
                await backbone.set_visibility(user["agent_id"], visibility)
            login = await come_in(server, backbone, user, sim)
            if visibility == "friends":
                await backbone.set_visibility(user["agent_id"], visibility)
            assert await backbone.get_visibility(user["agent_id"]) == visibility
            known = await backbone.get_presence(login["agent_id"])
            assert (known["online"], known["region_id"]) == (True, sim.region_id)

        async def check() -> None:
            told = {word: await stranger.get_presence(user["agent_id"]) for word, user in users.items()}
            assert [(one["online"], one["region_id"]) for one in told.values()] == [
                (True, sim.region_id), (True, None), (False, None),
            ]  # fmt: skip
            assert told["online"]["since"] is not None and told["friends"]["since"] is told["online"]["region_name"] is None
            assert await stranger.get_presences([user["agent_id"] for user in users.values()]) == list(told.values())
            here = await stranger.get_region_agents(sim.region_id)
            assert here["count"] == 3
            assert [one["agent_id"] for one in here["agents"]] == [users["everybody"]["agent_id"]]
            assert len((await backbone.get_region_agents(sim.region_id))["agents"]) == 3

        await check()
        # A shared cache must not hand on what was said to a service.
        path = f"/agents/{users['friends']['agent_id']}/presence"
        for headers, shared in (({}, True), ({"Authorization": f"Bearer {SECRET}"}, False)):
            _, told, _ = server.ask("GET", path, None, headers)
            assert told["vary"] == "Authorization"
            assert told["cache-control"].startswith("public") == shared


async def test_what_is_shown_to_an_agent_is_what_that_agent_may_know(server: Server, backbone: BackboneClient) -> None:
    async with fake_sim(backbone, unique("Seen"), 2202) as sim:
        ann, friend, other = await make(backbone), await make(backbone), await make(backbone)
        await befriend(backbone, ann, friend)
        await come_in(server, backbone, ann, sim)
        ids = [user["agent_id"] for user in (ann, friend, other)]

        async def seen() -> list[tuple[bool, bool]]:
            told = [await backbone.get_presence(ids[0], asker) for asker in ids]
            assert told == [(await backbone.get_presences([ids[0], str(uuid4())], asker))[0] for asker in ids]
            return [(one["online"], one["region_id"] is not None) for one in told]

        assert await seen() == [(True, True)] * 3
        await backbone.set_visibility(ids[0], "friends")
        assert await seen() == [(True, True), (True, False), (False, False)]  # the map is another right
        await backbone.set_friend_rights(ids[0], ids[1], 3)
        assert await seen() == [(True, True), (True, True), (False, False)]
        await backbone.set_friend_rights(ids[0], ids[1], 0)
        assert await seen() == [(True, True), (False, False), (False, False)]
        # Without the secret nobody asks in another's name.
        assert not json.loads(server.ask("GET", f"/agents/{ids[0]}/presence?asker={ids[0]}")[2])["online"]


async def test_what_a_person_lets_be_seen_outlives_a_restart(own_server: Server) -> None:
    async with client_of(own_server) as backbone, client_of(own_server, None) as stranger:
        sim: FakeSim
        async with fake_sim(backbone, "Stays") as sim:
            user = await make(backbone)
            await backbone.set_visibility(user["agent_id"], "friends")
            await come_in(own_server, backbone, user, sim)
            own_server.kill()
            own_server.start()
            assert (await backbone.get_presence(user["agent_id"]))["online"]
            assert not (await stranger.get_presence(user["agent_id"]))["online"]
    status, _ = own_server.ask_as_sim("PUT", f"/users/{user['agent_id']}/visibility", {"visibility": "nobody"})
    assert status == 400

