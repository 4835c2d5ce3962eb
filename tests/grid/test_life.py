"""A grid's life with fake services: start, crash, restart, orderly and disorderly end."""

import json
import os
import shutil
import signal

import pytest

from tests.grid.kit import alive, end, until


def test_up_status_down(mainland):
    facts = mainland.start("--regions", "2x1", "--name", "Ours")
    assert facts["login_uri"].startswith("http://127.0.0.1:") and facts["name"] == "Ours"
    assert [a["first"] for a in facts["accounts"]] == ["Ada", "Ben"]
    status = mainland.status()
    assert status["running"] and status["state"] == "up"
    by_name = {process["name"]: process for process in status["processes"]}
    assert set(by_name) == {"supervisor", "backbone", "assets", "web", "sims", "Harbour", "Meadow"}
    for process in by_name.values():
        assert process["pid"] > 0 and process["health"] == "ok" and process["restarts"] == 0
        assert process["pss_bytes"] > 0 and process["cpu_percent"] >= 0
    assert status["regions"][0]["fps"] == 45.0 and status["regions"][0]["agents"] == 0
    pids = [process["pid"] for process in by_name.values()]
    assert "Harbour" in mainland("status").stdout
    assert mainland("down").returncode == 0
    assert not any(alive(pid) for pid in pids)
    assert mainland("status").returncode == 3


def test_the_second_run_is_the_same_grid(mainland):
    first = mainland.start("--regions", "1x1")
    mainland("down")
    second = mainland.start()
    for key in ("login_uri", "assets_uri", "web_uri", "accounts", "regions", "name"):
        assert second[key] == first[key]
    mainland("down")
    grown = mainland.start("--regions", "2x1")
    assert grown["regions"][0] == first["regions"][0] and len(grown["regions"]) == 2
    mainland("down")
    refused = mainland("up", "--regions", "1x1")
    assert refused.returncode == 1 and "would lose Meadow" in refused.stderr


def test_grids_side_by_side_and_one_supervisor_a_folder(mainland, second):
    one, two = mainland.start("--regions", "1x1"), second.start("--regions", "1x1")
    ports = [one["login_uri"], two["login_uri"], one["assets_uri"], two["assets_uri"]]
    assert len(set(ports)) == 4 and one["regions"][0]["port"] != two["regions"][0]["port"]
    again = mainland("up", "--detach")
    assert again.returncode == 1 and f"pid {mainland.processes()['supervisor']}" in again.stderr
    mainland("down")
    assert second.status()["running"]


def test_grids_that_start_at_the_same_moment_do_not_meet(mainland, second):
    """Both look for free ports at once; a port that one has chosen but not yet bound is not free to the other."""
    both = [grid.open("--regions", "2x1", "--json") for grid in (mainland, second)]
    facts = [json.loads(process.stdout.readline()) for process in both]
    ports = [[f["login_uri"], f["assets_uri"], *(r["port"] for r in f["regions"])] for f in facts]
    assert not set(ports[0]) & set(ports[1])


@pytest.mark.parametrize("name", ["backbone", "assets", "web", "sims", "Harbour"])
def test_what_is_killed_comes_back_on_its_port(mainland, name):
    mainland.start("--regions", "2x1")
    before = mainland.part(name)
    others = {n: pid for n, pid in mainland.processes().items() if n in ("backbone", "assets", "sims") and n != name}
    end(before["pid"])
    until(lambda: mainland.part(name)["pid"] not in (0, before["pid"]), f"{name} is started again")
    until(lambda: mainland.part(name)["state"] == "up", f"{name} is up again")
    after = mainland.part(name)
    assert after["port"] == before["port"] and after["restarts"] == 1
    assert {n: mainland.processes()[n] for n in others} == others
    log = (mainland.data / "logs" / "supervisor.log").read_text()
    assert f"{name} ended by SIGKILL" in log


def test_regions_die_with_their_host_and_return_with_it(mainland):
    mainland.start("--regions", "2x1")
    before = mainland.processes()
    end(before["sims"])
    until(lambda: not alive(before["Harbour"]) and not alive(before["Meadow"]), "no region outlives its host")
    until(lambda: mainland.part("Meadow")["state"] == "up", "the regions are back")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_foreground_grid_whole(mainland, number):
    process = mainland.open("--regions", "2x1", "--json")
    facts = json.loads(process.stdout.readline())
    assert facts["event"] == "up"
    pids = mainland.processes()
    assert pids["supervisor"] == process.pid
    process.send_signal(number)
    assert process.wait(60) == 0
    assert not any(alive(pid) for pid in pids.values())


def test_down_ends_a_foreground_grid(mainland):
    process = mainland.open("--regions", "1x1", "--json")
    process.stdout.readline()
    assert mainland("down").returncode == 0
    assert process.wait(60) == 0


def test_ctrl_c_while_starting_leaves_nothing(mainland):
    mainland.data.mkdir()
    process = mainland.open("--regions", "1x1")
    until(lambda: (mainland.data / "run" / "status.json").exists(), "the start has begun")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) in (0, 130)
    assert not (mainland.data / "run" / "status.json").exists()


def test_a_killed_supervisor_takes_its_processes_along(mainland):
    mainland.start("--regions", "2x1")
    pids = mainland.processes()
    end(pids["supervisor"])
    until(lambda: not any(alive(pid) for pid in pids.values()), "all have ended")
    assert mainland("status").returncode == 3
    again = mainland.start()
    assert len(again["regions"]) == 2


def test_what_ignores_term_is_killed(mainland):
    mainland.data.mkdir()
    (mainland.data / "mainland.toml").write_text("stop_seconds = 0.5\n")
    (mainland.data / "deaf-assets").write_text("")
    mainland.start("--regions", "1x1")
    pids = mainland.processes()
    assert mainland("down").returncode == 0
    assert not any(alive(pid) for pid in pids.values())


def test_leftovers_of_a_killed_supervisor_are_ended_before_the_next_start(mainland):
    mainland.data.mkdir()
    (mainland.data / "mainland.toml").write_text("stop_seconds = 0.5\n")
    (mainland.data / "deaf-assets").write_text("")
    mainland.start("--regions", "1x1")
    pids = mainland.processes()
    end(pids["supervisor"])
    until(lambda: not alive(pids["backbone"]), "the kernel has told the others")
    assert alive(pids["assets"])
    mainland.start()
    assert not alive(pids["assets"])
    assert "had left" in (mainland.data / "logs" / "supervisor.log").read_text()


@pytest.mark.parametrize("detach", [True, False])
def test_a_service_that_cannot_start_fails_the_start_with_its_words(mainland, detach):
    mainland.data.mkdir()
    (mainland.data / "broken-assets").write_text("")
    answer = mainland("up", "--http-port", "0", "--regions", "1x1", *(["--detach"] if detach else []))
    assert answer.returncode == 1
    assert "assets ended with code 1" in answer.stderr and "something is wrong with the fake" in answer.stderr
    assert not (mainland.data / "run" / "status.json").exists()


def test_a_stuck_service_is_killed_and_started_again(mainland):
    mainland.data.mkdir()
    (mainland.data / "mainland.toml").write_text("health_seconds = 0.2\nstuck_seconds = 1\n")
    mainland.start("--regions", "1x1")
    before = mainland.part("assets")["pid"]
    wish = mainland.data / "stuck-assets"
    wish.write_text("")
    until(lambda: mainland.part("assets")["pid"] != before, "the stuck one is ended")
    wish.unlink()
    until(lambda: mainland.part("assets")["health"] == "ok" and mainland.part("assets")["pid"], "well again")
    assert "has not answered" in (mainland.data / "logs" / "supervisor.log").read_text()


def test_what_says_that_it_is_not_well_is_not_ended_for_it(mainland):
    mainland.data.mkdir()
    (mainland.data / "mainland.toml").write_text("health_seconds = 0.2\nstuck_seconds = 1\n")
    mainland.start("--regions", "1x1")
    before = mainland.part("assets")["pid"]
    wish = mainland.data / "unwell-assets"
    wish.write_text("")
    until(lambda: mainland.part("assets")["health"] == "failing", "seen as failing")
    for _ in range(4):  # each takes some of the second that a stuck process has
        assert mainland.status()["processes"]
    assert mainland.part("assets")["health"] == "failing"
    wish.unlink()
    until(lambda: mainland.part("assets")["health"] == "ok", "well again")
    assert mainland.part("assets")["pid"] == before
    assert "has not answered" not in (mainland.data / "logs" / "supervisor.log").read_text()


def test_a_grid_whose_folder_is_removed_ends(mainland):
    mainland.data.mkdir()
    (mainland.data / "mainland.toml").write_text("health_seconds = 0.2\n")
    mainland.start("--regions", "1x1")
    pids = mainland.processes()
    shutil.rmtree(mainland.data)
    until(lambda: not any(alive(pid) for pid in pids.values()), "nothing runs on without its folder")


def test_a_stopped_region_is_noticed(mainland):
    mainland.data.mkdir()
    (mainland.data / "mainland.toml").write_text("health_seconds = 0.2\nstuck_seconds = 0\n")
    mainland.start("--regions", "1x1")
    pid = mainland.part("Harbour")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: mainland.part("Harbour")["health"] == "failing", "seen as failing")
        assert mainland.status()["regions"][0]["fps"] is None
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: mainland.part("Harbour")["health"] == "ok", "well again")
    assert mainland.part("Harbour")["pid"] == pid


def test_accounts_on_a_running_grid(mainland):
    mainland.start("--regions", "1x1")
    assert mainland("user", "add", "Cleo", "Example", "--password", "pw").returncode == 0
    again = mainland("user", "add", "Cleo", "Example", "--password", "pw")
    assert again.returncode == 1 and "exists already" in again.stderr
    listed = json.loads(mainland("user", "list", "--json").stdout)
    assert {user["first"] for user in listed} == {"Ada", "Ben", "Cleo"}
    assert "Cleo Example" in mainland("user", "list").stdout


def test_logs_of_one_and_of_all(mainland):
    mainland.start("--regions", "1x1")
    assert "backbone speaks" in mainland("logs", "backbone").stdout
    everything = mainland("logs", "-n", "5").stdout
    assert "assets: assets speaks" in everything and "supervisor: " in everything


def test_a_foreground_start_tells_people_where_to_go(mainland):
    process = mainland.open("--regions", "1x1")
    text = ""
    while "Stop" not in text:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        text += line
    for part in ("Login address   http://127.0.0.1:", "Ada Mainland   password ", "Ben Mainland", "Ctrl-C", "curl"):
        assert part in text
