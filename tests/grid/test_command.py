"""What a user types and reads: help, mistakes, exit codes."""

import json
import socket

import pytest
from typer.testing import CliRunner

from grid.cli import app

COMMANDS = ["up", "down", "status", "user", "user add", "user list", "logs", "settings", "version", "bot", "snapshot"]


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
    assert "Default: 9000" in text


def test_a_misspelt_command_or_option_is_a_usage_error():
    assert run("upp").exit_code == 2
    assert run("up", "--region", "2x2").exit_code == 2
    assert run("up", "--http-port", "many").exit_code == 2


def test_status_without_a_grid_says_how_to_start_one(mainland):
    answer = mainland("status")
    assert answer.returncode == 3 and "no grid is running" in answer.stdout and " up" in answer.stdout
    answer = mainland("status", "--json")
    assert answer.returncode == 3 and json.loads(answer.stdout) == {"running": False, "data": str(mainland.data)}


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
        (("user", "list"), "no grid is running"),
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
