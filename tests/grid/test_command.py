"""What a user types and reads: help, mistakes, exit codes."""

import errno
import json
import os
import socket
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from grid import plan
from grid.cli import app
from grid.layout import Layout
from grid.plan import Region
from grid.status import others

COMMANDS = [
    "up", "down", "status", "user", "user add", "user list", "user password", "logs", "settings", "version", "bot", "snapshot",
    "region", "region reset", "inventory", "inventory history", "inventory trash", "inventory restore",
]  # fmt: skip


def run(*args):
    return CliRunner().invoke(app, list(args))


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_everything_has_help(command):
    answer = run(*command.split(), "--help")
    assert answer.exit_code == 0 and len(answer.output.splitlines()) > 4


def test_up_explains_each_of_its_options():
    text = " ".join(run("up", "--help").output.replace("│", " ").split())
    for option in ("--regions", "--http-port", "--data", "--bind", "--advertise", "--detach", "--name", "--json"):
        assert option in text
    assert "Default: 9000" in text and "needs mainland[bullet]" in text


def test_a_misspelt_command_or_option_is_a_usage_error():
    assert run("upp").exit_code == 2
    assert run("up", "--region", "2x2").exit_code == 2
    assert run("up", "--http-port", "many").exit_code == 2


def test_status_without_a_grid_says_how_to_start_one(mainland):
    answer = mainland("status")
    assert answer.returncode == 3 and "no grid is running" in answer.stdout and " up" in answer.stdout
    answer = mainland("status", "--json")
    told = json.loads(answer.stdout)
    assert answer.returncode == 3 and (told["running"], told["data"]) == (False, str(mainland.data))


def test_down_without_a_grid_is_fine(mainland):
    assert mainland("down").returncode == 0
    assert not mainland.data.exists()


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("up", "--regions", "2"), "is not a size"),
        (("up", "--http-port", "70000"), "out of range"),
        (("up", "--bind", "::1"), "not an IPv4 address"),
        (("up", "--bind", "192.0.2.1"), "not an address of this machine"),
        (("user", "add", "Ann", "Example"), "no password given"),
        (("user", "add", "Ann", "Example", "--password", ""), "needs a password"),
        (("user", "list"), "no grid is running"),
        (("user", "password", "Ann", "Example"), "no password given"),
        (("user", "password", "Ann", "Example", "--password", "x"), "there is no grid in"),
        (("logs", "nothing"), "there is no log 'nothing'"),
    ],
)
def test_mistakes_are_two_readable_lines_and_an_exit_code(mainland, args, problem):
    answer = mainland(*args, stdin=-3)
    assert answer.returncode in (1, 3)
    assert problem in answer.stderr and "what to do:" in answer.stderr and "Traceback" not in answer.stderr


def test_a_mistake_in_the_settings_file_names_the_nearest_key(mainland):
    mainland.data.mkdir()
    (mainland.data / "mainland.toml").write_text("http_prot = 9000\n")
    answer = mainland("up")
    assert answer.returncode == 1 and "did you mean 'http_port'" in answer.stderr


def test_a_taken_login_port_is_named(mainland):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = mainland("up", "--http-port", str(port))
    assert answer.returncode == 1
    assert f"port {port}" in answer.stderr and "--http-port" in answer.stderr


def test_settings_and_version(mainland):
    listed = {row["name"]: row for row in json.loads(mainland("settings", "--json").stdout)}
    assert listed["http_port"]["default"] == 9000 and all(row["why"] for row in listed.values())
    assert "stop_seconds" in mainland("settings").stdout
    assert run("version").output.startswith("mainland ")


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES, errno.EIO])
def test_what_the_machine_refuses_is_told_in_words(tmp_path, monkeypatch, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number), str(tmp_path / "run"))

    monkeypatch.setattr("grid.lock.os.open", refuse)
    (tmp_path / "run").mkdir()
    for command in (("status",), ("down",), ("up", "--detach"), ("user", "list")):
        answer = CliRunner().invoke(app, [*command, "--data", str(tmp_path)])
        assert answer.exit_code == 1 and isinstance(answer.exception, SystemExit)
        assert os.strerror(number) in answer.stderr and "Traceback" not in answer.output


def test_the_settings_in_force_are_those_of_the_saved_grid(tmp_path):
    layout = Layout(tmp_path)
    layout.create()
    regions = [Region(str(uuid4()), name, 1000 + x, 1000) for x, name in enumerate(("Harbour", "Meadow"))]
    plan.save(layout, plan.Grid("Ours", "127.0.0.1", None, 9417, 9418, None, regions=regions))
    (tmp_path / "mainland.toml").write_text('name = "Theirs"\n')
    rows = json.loads(run("settings", "--json", "--data", str(tmp_path)).stdout)
    told = {row["name"]: row["value"] for row in rows}
    assert (told["http_port"], told["regions"], told["name"]) == (9417, "2x1", "Theirs")
    assert "9417" in run("settings", "--data", str(tmp_path)).stdout


def test_other_grids_of_the_machine_are_named(mainland, tmp_path, monkeypatch):
    class Process:
        def __init__(self, *line):
            self.line = list(line)

        def cmdline(self):
            return self.line

    here, there = mainland.data, tmp_path / "their grid"
    monkeypatch.setattr(
        "grid.status.psutil.process_iter",
        lambda: [
            Process("python3", "-m", "sim", "--config", str(here / "run" / "sims.json")),
            Process("python3", "-m", "sim", "--config", str(there / "run" / "sims.json")),
            Process("python3", "-m", "sim", "--config"),
            Process("sim", "--config", "/etc/other.json"),
            Process(),
        ],
    )
    assert others(Layout(here)) == [str(there)]
    answer = run("status", "--data", str(here))
    assert "another grid runs on" in answer.stdout and str(there) in answer.stdout.replace("\n", "")


def test_a_region_is_reset_and_what_stood_there_is_put_aside(tmp_path):
    layout = Layout(tmp_path)
    layout.create()
    grid = plan.Grid("Test", "127.0.0.1", None, 9000, 9001, None, regions=plan.lay_out([], 2, 1))
    plan.save(layout, grid)
    folder = layout.regions / grid.regions[0].region_id
    folder.mkdir()
    for number in (1, 2):
        (folder / "region.sqlite").write_text(f"store {number}")
        answer = run("region", "reset", grid.regions[0].name.lower(), "--scene", "welcome", "--data", str(tmp_path))
        assert answer.exit_code == 0, answer.output
        assert not (folder / "region.sqlite").exists()
        assert (folder / f"before-reset-{number}" / "region.sqlite").read_text() == f"store {number}"
    saved = plan.load(layout)
    assert saved is not None and [region.scene for region in saved.regions] == ["welcome", "none"]
    assert run("region", "reset", "Nowhere", "--data", str(tmp_path)).exit_code == 1
    assert run("region", "reset", "Harbour", "--data", str(tmp_path / "none")).exit_code == 1
