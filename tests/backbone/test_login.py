"""Login as viewers do it: what they send, what they must get."""

from __future__ import annotations

import asyncio
import re
import unicodedata
import xmlrpc.client
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from backbone.client import BackboneClient
from backbone.login.limits import OF_ACCOUNT
from protocol import llsd
from protocol.wellknown import FOLDER_NAMES, LIBRARY_OWNER, Folder
from tests.backbone.kit import PASSWORD, SECRET, Server, fake_sim, log_in, log_in_now, login_struct, md5, unique, until

SYSTEM_TYPES = {int(kind) for kind in FOLDER_NAMES}


async def _user(backbone: BackboneClient, first: str | None = None) -> dict[str, Any]:
    return await backbone.create_user(first or unique("Ann"), "Tester", PASSWORD)


async def test_the_reply_has_every_member_a_viewer_reads(server: Server, backbone: BackboneClient) -> None:
    user = await _user(backbone)
    async with fake_sim(backbone, unique("Plaza"), 1000, 1000) as sim:
        reply = await log_in(server.url, user["first"], user["last"])
        assert reply["login"] == "true"
        assert reply["agent_id"] == user["agent_id"]
        for member in ("agent_id", "session_id", "secure_session_id"):
            assert str(UUID(reply[member])) == reply[member]
        assert isinstance(reply["circuit_code"], int)
        assert 0 < reply["circuit_code"] < 2**31
        assert (reply["sim_ip"], reply["sim_port"]) == ("127.0.0.1", sim.port)
        assert (reply["region_x"], reply["region_y"]) == (256000, 256000)
        assert reply["region_size_x"] == reply["region_size_y"] == 256
        assert reply["seed_capability"].startswith(f"http://127.0.0.1:{sim.port}/caps/")
        assert reply["first_name"].strip('"') == user["first"]
        assert re.fullmatch(r"\[r[-\d.]+,r[-\d.]+,r[-\d.]+\]", reply["look_at"])
        assert reply["home"] == (
            "{'region_handle':[r256000, r256000], 'position':[r128.0,r128.0,r25.0], 'look_at':[r1,r0,r0]}"
        )
        assert isinstance(reply["seconds_since_epoch"], int)
        assert reply["start_location"] == "last"
        assert reply["login-flags"] == [
            {"stipend_since_login": "N", "ever_logged_in": "Y", "daylight_savings": "N", "gendered": "Y"}
        ]
        assert set(reply["global-textures"][0]) == {"sun_texture_id", "cloud_texture_id", "moon_texture_id"}
        for member in ("event_categories", "classified_categories", "gestures", "buddy-list"):
            assert reply[member] == []
        assert reply["inventory-lib-owner"] == [{"agent_id": str(LIBRARY_OWNER)}]
        assert reply["inventory-lib-root"][0]["folder_id"] in {f["folder_id"] for f in reply["inventory-skel-lib"]}
        asked = sim.agents[-1]
        assert asked["reason"] == "login"
        for member in ("agent_id", "session_id", "secure_session_id", "circuit_code"):
            assert asked[member] == reply[member]
        assert (asked["first"], asked["last"]) == (user["first"], "Tester")
        assert sim.bad_bearers == 0


async def test_the_skeleton_has_all_system_folders(server: Server, backbone: BackboneClient) -> None:
    user = await _user(backbone)
    async with fake_sim(backbone, unique("Plaza"), 1000, 1001):
        reply = await log_in(server.url, user["first"], user["last"])
    folders = reply["inventory-skeleton"]
    assert {folder["type_default"] for folder in folders} == SYSTEM_TYPES
    root = next(folder for folder in folders if folder["type_default"] == Folder.ROOT)
    assert root["folder_id"] == reply["inventory-root"][0]["folder_id"]
    assert root["parent_id"] == str(UUID(int=0))
    assert root["name"] == "My Inventory"
    assert all(f["parent_id"] == root["folder_id"] for f in folders if f is not root)
    assert all(isinstance(folder["version"], int) for folder in folders)


async def test_wrong_password_and_unknown_name_get_the_same_refusal(server: Server, backbone: BackboneClient) -> None:
    user = await _user(backbone)
    async with fake_sim(backbone, unique("Plaza"), 1000, 1002) as sim:
        wrong = await log_in(server.url, user["first"], user["last"], password="no")
        unknown = await log_in(server.url, unique("Nobody"), "Here")
        assert wrong == unknown
        assert (wrong["login"], wrong["reason"]) == ("false", "key")
        assert wrong["message"]
        assert "message_id" in wrong
        assert "session_id" not in wrong
        assert sim.agents == []


async def test_password_may_be_hashed_by_its_first_16_characters_only(server: Server, backbone: BackboneClient) -> None:
    user = await _user(backbone)
    async with fake_sim(backbone, unique("Plaza"), 1000, 1003):
        for passwd in (
            "$1$" + md5(PASSWORD),
            "$1$" + md5(PASSWORD[:16]),
            md5(PASSWORD),
            md5(PASSWORD).upper(),
        ):
            reply = await log_in(server.url, user["first"], user["last"], passwd=passwd)
            assert reply["login"] == "true", passwd
        for passwd in ("$1$" + md5(PASSWORD[:15]), PASSWORD, "$1$", "", "$2$" + md5(PASSWORD)):
            reply = await log_in(server.url, user["first"], user["last"], passwd=passwd)
            assert reply["reason"] == "key", passwd


async def test_names_are_compared_without_case_and_one_word_is_a_resident(
    server: Server, backbone: BackboneClient
) -> None:
    word = unique("Solo")
    user = await backbone.create_user(word, "", PASSWORD)
    assert user["last"] == "Resident"
    async with fake_sim(backbone, unique("Plaza"), 1000, 1004):
        assert (await log_in(server.url, word.upper(), "resident"))["agent_id"] == user["agent_id"]
        assert (await log_in(server.url, word.lower(), ""))["agent_id"] == user["agent_id"]


async def test_names_of_any_script(server: Server, backbone: BackboneClient) -> None:
    """Accents may come as letters of their own or as marks behind a letter, and capitals are no matter."""
    last = unique("Weiß")
    for first in ("Zoë", "Ольга", "花子"):
        user = await backbone.create_user(first, last, PASSWORD)
        async with fake_sim(backbone, unique("Plaza"), 1000, 1005):
            reply = await log_in(server.url, unicodedata.normalize("NFD", first).upper(), last)
            assert reply["agent_id"] == user["agent_id"] and reply["first_name"].strip('"') == first
            assert reply["session_id"] != (await log_in(server.url, first, last))["session_id"]


async def test_every_way_of_writing_values_is_understood(server: Server, backbone: BackboneClient) -> None:
    user = await _user(backbone)
    async with fake_sim(backbone, unique("Sea & Sand"), 1000, 1005) as sim:
        first, passwd = user["first"], "$1$" + md5(PASSWORD)
        for start in (
            f"<string>uri:{sim.name.replace('&', '&amp;')}&amp;11&amp;22.5&amp;33</string>",
            f"<string><![CDATA[uri:{sim.name}&11&22.5&33]]></string>",
            f"<![CDATA[uri:{sim.name.upper()}&11&22.5&33]]>",
            f"uri:{sim.name.replace('&', '&amp;').replace(' ', '%20')}&amp;11&amp;22.5&amp;33",
        ):
            members = {
                "first": f"<string>{first}</string>",
                "last": "Tester",
                "passwd": f"<string><![CDATA[{passwd}]]></string>",
                "start": start,
                "token": "<string/>",
                "mfa_hash": "",
                "extended_errors": "<boolean>1</boolean>",
                "agree_to_tos": "<string>true</string>",
                "read_critical": "<int>0</int>",
                "address_size": "<i4>64</i4>",
                "last_exec_duration": "<double>1.5</double>",
                "scope_id": "<nil/>",
                "options": "<array><data><value><string>inventory-root</string></value><value/></data></array>",
            }
            struct = "".join(
                f"<member><name>{name}</name><value>{value}</value></member>" for name, value in members.items()
            )
            body = (
                '<?xml version="1.0" encoding="UTF-8"?>\n<methodCall><methodName>login_to_simulator</methodName>'
                f"<params><param><value><struct>{struct}</struct></value></param></params></methodCall>"
            )
            status, headers, raw = await asyncio.to_thread(
                server.ask, "POST", "/login", body.encode(), {"Content-Type": "text/xml"}
            )
            assert status == 200
            assert headers["content-type"].startswith("text/xml")
            (reply,), _ = xmlrpc.client.loads(raw)
            assert reply["login"] == "true", (start, reply)  # type: ignore[index, call-overload]
            assert reply["start_location"] == "url"  # type: ignore[index, call-overload]
            assert sim.agents[-1]["position"] == [11.0, 22.5, 33.0]


async def test_start_last_home_and_by_name(server: Server, backbone: BackboneClient) -> None:
    user = await _user(backbone)
    async with (
        fake_sim(backbone, unique("West"), 1000, 1006) as west,
        fake_sim(backbone, unique("East"), 1001, 1006) as east,
    ):
        reply = await log_in(server.url, user["first"], user["last"], start=f"uri:{east.name}&1&2&3")
        assert (reply["region_x"], reply["start_location"]) == (256256, "url")
        await east.arrive(backbone, reply)
        await backbone.leave(user["agent_id"], reply["session_id"], east.region_id, (7.5, 8.5, 9.5), (0, 1, 0))
        reply = await log_in(server.url, user["first"], user["last"], start="last")
        assert (reply["region_x"], reply["start_location"]) == (256256, "last")
        assert east.agents[-1]["position"] == [7.5, 8.5, 9.5]
        assert reply["look_at"] == "[r0,r1,r0]"
        await backbone.set_home(user["agent_id"], west.region_id, (40.0, 50.25, 60.0), (0.6, 0.8, 0))
        reply = await log_in(server.url, user["first"], user["last"], start="home")
        assert (reply["region_x"], reply["start_location"]) == (256000, "home")
        assert west.agents[-1]["position"] == [40.0, 50.25, 60.0]
        assert reply["home"] == (
            "{'region_handle':[r256000, r257536], 'position':[r40.0,r50.25,r60.0], 'look_at':[r0.6,r0.8,r0]}"
        )


async def test_a_region_that_is_down_is_replaced_by_a_safe_one(server: Server, backbone: BackboneClient) -> None:
    user = await _user(backbone)
    async with (
        fake_sim(backbone, unique("Down"), 1000, 1007) as down,
        fake_sim(backbone, unique("Up"), 1001, 1007) as up,
    ):
        await down.stop()
        reply = await log_in(server.url, user["first"], user["last"], start=f"uri:{down.name}&1&2&3")
        assert (reply["login"], reply["start_location"]) == ("true", "safe")
        down.refuse_agents = True
        await down.start()
        reply = await log_in(server.url, user["first"], user["last"], start=f"uri:{down.name}&1&2&3")
        assert reply["start_location"] == "safe"
        reply = await log_in(server.url, user["first"], user["last"], start="uri:No Such Place&1&2&3")
        assert reply["start_location"] == "safe"
        assert up.agents


async def test_without_any_region_the_refusal_is_friendly(own_server: Server) -> None:
    status, created = own_server.ask_as_sim("POST", "/users", {"first": "Lone", "last": "Some", "password": PASSWORD})
    assert status == 201
    reply = await log_in(own_server.url, "Lone", "Some")
    assert reply["login"] == "false"
    assert reply["reason"] not in ("key", "presence")
    assert "region" in reply["message"].lower()
    _, presence = own_server.ask_as_sim("GET", f"/agents/{created['agent_id']}/presence")
    assert presence["online"] is False


async def test_a_second_login_ends_the_first(server: Server, backbone: BackboneClient) -> None:
    user = await _user(backbone)
    async with fake_sim(backbone, unique("Plaza"), 1000, 1008) as sim:
        old = await log_in(server.url, user["first"], user["last"], start=f"uri:{sim.name}&1&2&3")
        await sim.arrive(backbone, old)
        assert (await backbone.get_presence(user["agent_id"]))["online"]
        new = await log_in(server.url, user["first"], user["last"])
        assert new["login"] == "true"
        assert new["session_id"] != old["session_id"]
        await until(lambda: sim.closed, "the old session was closed")
        kick = next(one for one in sim.closed if one["session_id"] == old["session_id"])
        assert kick["agent_id"] == user["agent_id"]
        assert kick["reason"]
        assert not (await backbone.get_presence(user["agent_id"]))["online"]
        # The old session's late words change nothing.
        assert (await sim.heartbeat(backbone, old))["gone"] == [user["agent_id"]]
        with pytest.raises(Exception, match="409"):
            await sim.arrive(backbone, old)
        with pytest.raises(Exception, match="409"):
            await backbone.leave(user["agent_id"], old["session_id"], sim.region_id, (1, 1, 1), (1, 0, 0))
        await sim.arrive(backbone, new)
        assert (await backbone.get_presence(user["agent_id"]))["region_id"] == sim.region_id


async def test_twenty_logins_of_one_account_at_once_leave_one_session(server: Server, backbone: BackboneClient) -> None:
    user = await _user(backbone)
    async with fake_sim(backbone, unique("Plaza"), 1000, 1009) as sim:
        replies = await asyncio.gather(
            *(log_in(server.url, user["first"], user["last"], start=f"uri:{sim.name}&1&2&3") for _ in range(20))
        )
        assert all(reply["login"] == "true" for reply in replies)
        beat = await asyncio.gather(*(sim.heartbeat(backbone, reply) for reply in replies))
        assert sum(not answer["gone"] for answer in beat) == 1


async def test_a_hanging_old_region_does_not_keep_anyone_out(server: Server, backbone: BackboneClient) -> None:
    user = await _user(backbone)
    async with (
        fake_sim(backbone, unique("Hangs"), 1000, 1010) as hangs,
        fake_sim(backbone, unique("Works"), 1001, 1010) as works,
    ):
        old = await log_in(server.url, user["first"], user["last"], start=f"uri:{hangs.name}&1&2&3")
        await hangs.arrive(backbone, old)
        hangs.hang = True
        new = await log_in(server.url, user["first"], user["last"], start=f"uri:{works.name}&1&2&3")
        assert new["login"] == "true"
        assert new["sim_port"] == works.port


async def test_failures_are_limited_but_the_owner_gets_in(own_server: Server) -> None:
    own_server.ask_as_sim("POST", "/users", {"first": "Often", "last": "Guessed", "password": PASSWORD})
    own_server.ask_as_sim("POST", "/users", {"first": "Other", "last": "Person", "password": PASSWORD})

    def try_once(first: str, last: str, password: str) -> dict[str, Any]:
        return log_in_now(own_server.url, login_struct(first, last, password))

    assert try_once("Often", "Guessed", PASSWORD)["reason"] == "general"  # right password, no region
    reasons = [try_once("Other", "Person", "guess")["reason"] for _ in range(40)]
    assert reasons[:10] == ["key"] * 10  # mistyping is not punished
    assert reasons[-1] == "general"  # guessing is
    limited = try_once("Other", "Person", "guess")
    assert "try again" in limited["message"]
    # This address has had Often Guessed's password right before: it is not held back by guesses.
    assert try_once("Often", "Guessed", "typo")["reason"] == "key"
    assert "region" in try_once("Often", "Guessed", PASSWORD)["message"].lower()
    assert own_server.metric('backbone_logins_total{outcome="key"}') >= 10
    log = own_server.log()
    assert "login of 'Other Person' from 127.0.0.1 refused (key)" in log
    assert PASSWORD not in log


def log_in_for(server: Server, address: str, struct: dict[str, Any], secret: str = SECRET) -> str:
    """What the login answers whom the page's gateway speaks for."""
    body = xmlrpc.client.dumps((struct,), "login_to_simulator").encode()
    headers = {"Content-Type": "text/xml", "Authorization": f"Bearer {secret}", "Client-Address": address}
    status, _, raw = server.ask("POST", "/", body, headers)
    if status != 200:
        return str(status)
    answer: Any = xmlrpc.client.loads(raw)[0][0]
    return str(answer["reason"])


def test_one_browsers_guesses_shut_out_no_other(own_server: Server) -> None:
    own_server.ask_as_sim("POST", "/users", {"first": "Page", "last": "Visitor", "password": PASSWORD})
    wrong, right = login_struct("Page", "Visitor", "guess"), login_struct("Page", "Visitor")
    reasons = [log_in_for(own_server, "203.0.113.7", wrong) for _ in range(30)]
    assert reasons[0] == "key" and reasons[-1] == "general"
    assert "again in" in own_server.log()
    # Right, from another address behind the same gateway: only the region is missing.
    assert log_in_for(own_server, "203.0.113.8", right) == "general"
    assert log_in_for(own_server, "203.0.113.9", wrong) == "key"
    assert "from 203.0.113.7 refused (key)" in own_server.log()
    # A stranger's word for whom it asks is not believed, nor is nonsense.
    for _ in range(30):
        log_in_for(own_server, f"198.51.100.{_}", wrong, "no secret at all")
    assert "198.51.100" not in own_server.log()
    assert log_in_for(own_server, "not an address", wrong) == "400"


def test_guesses_in_one_moment_do_not_pass_the_limit(own_server: Server) -> None:
    own_server.ask_as_sim("POST", "/users", {"first": "Storm", "last": "Guessed", "password": PASSWORD})
    wrong = login_struct("Storm", "Guessed", "guess")
    with ThreadPoolExecutor(100) as pool:
        reasons = list(pool.map(lambda _: log_in_for(own_server, "203.0.113.20", wrong), range(400)))
    # One more comes free each 3 seconds that it takes.
    assert OF_ACCOUNT[0] <= reasons.count("key") <= OF_ACCOUNT[0] + 10
    assert reasons.count("key") + reasons.count("general") == 400
    # Its owner, at a new address, while all that goes on.
    assert log_in_for(own_server, "203.0.113.21", login_struct("Storm", "Guessed")) == "general"
    assert "login of 'Storm Guessed' from 203.0.113.21 refused (general): No region" in own_server.log()


async def test_friends_are_listed(server: Server, backbone: BackboneClient) -> None:
    from tests.backbone.kit import message

    ann, bob = await _user(backbone), await _user(backbone)
    await backbone.send_message(message(bob["agent_id"], ann["agent_id"], "friends?", dialog=38))
    await backbone.accept_friend(bob["agent_id"], ann["agent_id"])
    async with fake_sim(backbone, unique("Plaza"), 1000, 1011):
        reply = await log_in(server.url, ann["first"], ann["last"])
    assert reply["buddy-list"] == [{"buddy_id": bob["agent_id"], "buddy_rights_given": 1, "buddy_rights_has": 1}]


async def test_a_region_that_ignores_an_old_session_hears_of_it_by_heartbeat(
    server: Server, backbone: BackboneClient
) -> None:
    user = await _user(backbone)
    async with fake_sim(backbone, unique("Plaza"), 1000, 1012) as sim:
        first = await log_in(server.url, user["first"], user["last"], start=f"uri:{sim.name}&1&2&3")
        await sim.stop()
        async with fake_sim(backbone, unique("Next"), 1001, 1012) as other:
            second = await log_in(server.url, user["first"], user["last"], start=f"uri:{other.name}&1&2&3")
            assert second["login"] == "true"
            await until(lambda: bool(other.agents), "the other region was asked")
            assert (await sim.heartbeat(backbone, first))["gone"] == [user["agent_id"]]


async def test_a_login_by_llsd_is_answered_in_llsd(server: Server, backbone: BackboneClient) -> None:
    """Some clients try it first: the same members, the same rules."""
    user = await _user(backbone)
    struct = login_struct(user["first"], user["last"])
    async with fake_sim(backbone, unique("Plaza"), 1000, 1090) as sim:
        for path, body, kind in (
            ("/", llsd.format_xml(struct), "application/llsd+xml"),
            ("/login", llsd.format_xml({**struct, "agree_to_tos": True, "options": ["inventory-root"]}), "text/xml"),
        ):
            status, headers, raw = await asyncio.to_thread(server.ask, "POST", path, body, {"Content-Type": kind})
            reply = llsd.parse_xml(raw)
            assert status == 200 and headers["content-type"] == "application/llsd+xml"
            assert reply["login"] == "true" and reply["agent_id"] == user["agent_id"]
            assert reply["circuit_code"] == sim.agents[-1]["circuit_code"]
            assert {f["type_default"] for f in reply["inventory-skeleton"]} == SYSTEM_TYPES
        wrong = llsd.format_xml({**struct, "passwd": "$1$" + md5("wrong")})
        status, _, raw = await asyncio.to_thread(server.ask, "POST", "/", wrong, {"Content-Type": "application/llsd+xml"})
        refused = llsd.parse_xml(raw)
        assert (status, refused["login"], refused["reason"]) == (200, "false", "key")
    for bad in (b"<llsd><map>", b"<llsd><array /></llsd>", b"<llsd />", b"\xff"):
        status, _, raw = await asyncio.to_thread(server.ask, "POST", "/", bad, {"Content-Type": "application/llsd+xml"})
        assert status == 400 and b"description" in raw
