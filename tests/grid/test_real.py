"""The launcher over the real services: people log in, every process is killed in turn, and people log in again."""

import asyncio
import json
import signal
import urllib.request

import pytest

import viewer
from tests.grid.kit import Mainland, alive, end, until


@pytest.fixture
def grid(tmp_path):
    command = Mainland(tmp_path / "data", fake=False)
    yield command
    command.close()


def log_in(facts, first="Ada", last="Mainland", password=None):
    """Where a login of this account ends up: the region's name."""
    password = password or next(a["password"] for a in facts["accounts"] if a["first"] == first)

    async def visit():
        async with viewer.login(facts["login_uri"], first, last, password) as me:
            assert me.region is not None
            return me.region.name

    return asyncio.run(asyncio.wait_for(visit(), 60))


def can_log_in(facts):
    try:
        return log_in(facts)
    except (viewer.ViewerError, OSError):
        return None


def get(facts, path):
    with urllib.request.urlopen(facts["login_uri"] + path, timeout=20) as answer:
        return json.load(answer)


def test_first_visit_second_run_and_an_account_made_while_down(grid):
    facts = grid.start("--regions", "2x1")
    assert log_in(facts) in ("Harbour", "Meadow")
    assert {region["name"] for region in get(facts, "regions")["regions"]} == {"Harbour", "Meadow"}
    with pytest.raises(viewer.LoginRefused):
        log_in(facts, password="wrong")
    pids = grid.processes()
    grid("down")
    assert not any(alive(pid) for pid in pids.values())
    assert grid("user", "add", "Cleo", "Example", "--password", "open sesame").returncode == 0
    again = grid.start()
    assert again["login_uri"] == facts["login_uri"] and again["accounts"] == facts["accounts"]
    assert log_in(again) and log_in(again, "Cleo", "Example", "open sesame")
    names = {f"{user['first']} {user['last']}" for user in json.loads(grid("user", "list", "--json").stdout)}
    assert {"Ada Mainland", "Ben Mainland", "Cleo Example"} <= names


def test_every_process_may_be_killed_and_logins_go_on(grid):
    facts = grid.start("--regions", "2x1")
    assert log_in(facts)
    for name in ("backbone", "assets", "sims", "Harbour"):
        before = grid.part(name)
        end(before["pid"])
        until(lambda: grid.part(name)["pid"] not in (0, before["pid"]), f"{name} is started again")  # noqa: B023
        until(lambda: all(grid.part(n)["state"] == "up" for n in (name, "Harbour", "Meadow")), "up")  # noqa: B023
        assert grid.part(name)["port"] == before["port"]
        until(lambda: can_log_in(facts), f"logins after {name} was killed")
    status = grid.status()
    assert all(process["health"] == "ok" for process in status["processes"])
    assert {region["name"] for region in status["regions"] if region["fps"]} == {"Harbour", "Meadow"}


def test_ctrl_c_ends_the_whole_grid_with_people_in_it(grid):
    process = grid.open("--regions", "2x1", "--json")
    facts = json.loads(process.stdout.readline())
    pids = grid.processes()

    async def stay_until_the_end():
        account = facts["accounts"][0]
        async with viewer.login(facts["login_uri"], account["first"], account["last"], account["password"]) as me:
            assert me.region is not None and me.region.name in pids
            process.send_signal(signal.SIGINT)
            return await asyncio.to_thread(process.wait, 60)

    assert asyncio.run(stay_until_the_end()) == 0
    assert not any(alive(pid) for pid in pids.values())


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_is_clean(grid):
    facts = grid.start("--regions", "1x1")
    pids = grid.processes()
    end(pids["supervisor"])
    until(lambda: not any(alive(pid) for pid in pids.values()), "all have ended")
    again = grid.start()
    assert again["login_uri"] == facts["login_uri"] and log_in(again) == "Harbour"


def test_bots_make_their_accounts_walk_and_leave(grid):
    facts = grid.start("--regions", "1x1")
    report = json.loads(grid("bot", "--count", "2", "--seconds", "2", "--json").stdout)
    assert report["logged_in"] == 2 and report["lost_sessions"] == 0 and report["failures"] == {}
    assert grid("bot", "--count", "2", "--seconds", "0").returncode == 0
    refused = grid("bot", "--login", facts["login_uri"], "--password", "wrong", "--seconds", "1")
    assert refused.returncode == 1 and "no bot could log in" in refused.stderr
    nowhere = grid("bots", "--count", "2", "--seconds", "1", "--region", "Harbor")
    assert nowhere.returncode == 1 and "no crowd in 'Harbor'" in nowhere.stderr and "Traceback" not in nowhere.stderr
