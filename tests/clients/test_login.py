"""Getting in and out: passwords, the login answer, the handshake, the land and the own avatar."""
from __future__ import annotations

import pytest

from .conftest import Drivers, Visit
from .driver import ClientError, until
from .grid import Account, Grid
from .raw.viewer import LoginRefused, login

SYSTEM_FOLDERS = {0, 1, 2, 3, 5, 6, 7, 8, 10, 13, 14, 15, 16, 20, 21, 23, 46, 48, 49, 56, 57}
NULL = "00000000-0000-0000-0000-000000000000"


def refuse(grid: Grid, first: str, last: str, password: str) -> dict:
    with pytest.raises(LoginRefused) as refused:
        login(grid.login_uri, first, last, password)
    return refused.value.answer


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(grid: Grid) -> None:
    somebody = grid.account()
    wrong = refuse(grid, somebody.first, somebody.last, "wrong")
    unknown = refuse(grid, "Nobody", "Atall", "wrong")
    assert wrong == unknown
    assert wrong["login"] == "false" and wrong["reason"] == "key" and wrong["message"]
    assert not {"session_id", "circuit_code", "seed_capability"} & set(wrong)
    assert grid.presence(somebody.agent_id) is None


@pytest.mark.parametrize("kind", ["hippo", "node"])
def test_libraries_are_refused_with_a_wrong_password(grid: Grid, drivers: Drivers, kind: str) -> None:
    somebody = grid.account()
    client = drivers.take(kind)
    with pytest.raises(ClientError) as refused:
        client.do("login", uri=grid.login_uri, first=somebody.first, last=somebody.last, password="wrong")
    # hippolyzer only notices that the session is missing; node-metaverse tells the reason.
    assert ("session_id" if kind == "hippo" else "key") in str(refused.value)
    drivers.give_back(client)


def test_an_account_made_by_the_command_gets_in(grid: Grid, visit: Visit) -> None:
    """Names in any case; and a password longer than the 16 characters that node-metaverse sends the hash of."""
    password = "made by hand, and a long one it is"
    grid.run("user", "add", "Ann", "Command", "--password", password)
    found = grid.get("/users?name=Ann%20Command")["users"]
    account = Account("ann", "COMMAND", found[0]["agent_id"], password)
    me = visit.hippo(grid.west, who=account)
    grid.settled(me.agent_id, grid.west)
    visit.node(grid.east, who=account)
    grid.settled(me.agent_id, grid.east)
    me.wait("KickUser")
    assert refuse(grid, "Ann", "Command", password[:-1])["reason"] == "key"


def test_the_login_answer_has_what_a_full_viewer_asks_for(grid: Grid, visit: Visit) -> None:
    viewer = visit.viewer(grid.east, (30, 40))
    answer = viewer.account
    assert (answer["region_x"], answer["region_y"]) == (grid.east.grid_x * 256, grid.east.grid_y * 256)
    assert (answer["sim_ip"], answer["sim_port"]) == grid.east.address
    assert 0 < answer["circuit_code"] < 2**31
    assert answer["first_name"].strip('"') == viewer.name.split()[0]
    for name in ("look_at", "home", "message", "start_location", "agent_access", "seconds_since_epoch",
                 "secure_session_id", "seed_capability", "login-flags", "global-textures", "ui-config", "buddy-list"):
        assert name in answer, name
    skeleton = answer["inventory-skeleton"]
    root = answer["inventory-root"][0]["folder_id"]
    assert root != NULL
    assert {folder["type_default"] for folder in skeleton} >= SYSTEM_FOLDERS
    tops = [folder for folder in skeleton if folder["parent_id"] == NULL]
    assert [(top["folder_id"], top["type_default"], top["name"]) for top in tops] == [(root, 8, "My Inventory")]
    known = {folder["folder_id"] for folder in skeleton}
    assert all(folder["parent_id"] in known | {NULL} for folder in skeleton)
    library = {folder["folder_id"] for folder in answer["inventory-skel-lib"]}
    assert answer["inventory-lib-root"][0]["folder_id"] in library
    assert answer["inventory-lib-owner"][0]["agent_id"] not in (NULL, viewer.agent_id)


def test_hippolyzer_shakes_hands_and_sees_land_parcels_and_itself(grid: Grid, visit: Visit) -> None:
    me = visit.hippo(grid.west, (100, 110))
    assert me.arrival["region"] == grid.west.name
    assert me.arrival["handle"] == grid.west.handle
    until(lambda: me.do("region")["layers"] >= 256 // 20, "land in at least 13 packets")
    assert me.do("parcels"), "its own parcel manager finished"
    x, y, _ = me.position()
    assert abs(x - 100) < 2 and abs(y - 110) < 2
    grid.settled(me.agent_id, grid.west)


def test_node_metaverse_finishes_its_handshake_and_sees_land_and_itself(grid: Grid, visit: Visit) -> None:
    me = visit.node(grid.north, (90, 80))
    assert me.arrival["region"] == grid.north.name
    assert me.arrival["region"] == grid.north.name
    assert f"{me.arrival['first']} {me.arrival['last']}" == me.name
    heights = me.do("terrain")
    assert len(heights) == 256 and all(0 <= height < 500 for height in heights)
    assert me.do("avatar_names")[me.agent_id] == me.name
    x, y, _ = me.position()
    assert abs(x - 90) < 2 and abs(y - 80) < 2
    grid.settled(me.agent_id, grid.north)
    assert not [event for event in me.seen if event.name == "library-error"]


def test_last_place_and_home(grid: Grid, visit: Visit) -> None:
    """`last` is where one logged out; home is where SetStartLocationRequest put it."""
    who = grid.account()
    first = visit.viewer(grid.east, (200, 60), who)
    first.send("SetStartLocationRequest", StartLocationData={
        "SimName": grid.east.name, "LocationID": 1, "LocationPos": first.position(), "LocationLookAt": [1.0, 0.0, 0.0]})
    first.teleport(grid.east.handle, [60.0, 70.0, 60.0])
    until(lambda: abs(first.position()[0] - 60) < 2, "moved to the second place")
    first.leave()
    visit.left(first)
    grid.settled(who.agent_id, None)

    again = visit.viewer(grid.west, who=who, start="last")
    assert again.account["start_location"] == "last"
    assert again.root.handle == grid.east.handle
    assert abs(again.position()[0] - 60) < 3 and abs(again.position()[1] - 70) < 3
    again.leave()
    visit.left(again)

    home = visit.viewer(grid.west, who=who, start="home")
    assert home.root.handle == grid.east.handle
    assert abs(home.position()[0] - 200) < 3 and abs(home.position()[1] - 60) < 3


@pytest.mark.parametrize("kind", ["hippo", "node"])
def test_logging_out_is_answered_and_shows(grid: Grid, visit: Visit, kind: str) -> None:
    witness = visit.viewer(grid.west, (100, 100))
    me = getattr(visit, kind)(grid.west, (104, 100))
    until(lambda: witness.position(me.agent_id), "the witness sees it")
    me.do("logout")  # node-metaverse fails here unless LogoutReply comes
    visit.left(me)
    until(lambda: witness.position(me.agent_id) is None, "KillObject reached the witness")
    grid.settled(me.agent_id, None)
