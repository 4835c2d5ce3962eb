"""`mainland snapshot`: what it says when it can't. Its pictures are looked at in tests/web."""

import os
import subprocess

import pytest
from typer.testing import CliRunner

from grid.cli import app

GOOD = {"--region": "Harbour", "--at": "128,100,40", "--look": "128,140,25", "-o": "world.png"}


def ask(data, tmp_path, **changed):
    """`mainland snapshot` with good options but for those changed."""
    given = {f"--{name}" if len(name) > 1 else f"-{name}": value for name, value in changed.items()}
    options = {**GOOD, "-o": str(tmp_path / "world.png"), **given, "--data": str(data)}
    return CliRunner().invoke(app, ["snapshot", *(word for pair in options.items() for word in pair)])


@pytest.mark.parametrize(
    ("changed", "problem", "hint"),
    [
        ({"at": "128,100"}, "--at 128,100: not a point", "three numbers"),
        ({"at": "nan,1,2"}, "not a point", "three numbers"),
        ({"look": "1e9,0,0"}, "--look 1e9,0,0: not a point", "three numbers"),
        ({"look": "128,100,40"}, "the same point", "some metres away"),
        ({"size": "big"}, "--size big: not a size", "such as 1280x720"),
        ({"size": "8000x8000"}, "not a size", "4096"),
        ({"time": "teatime"}, "no such time of day", "noon"),
        ({"o": "world.gif"}, "what kind of picture", ".png"),
        ({"o": "/nowhere/world.png"}, "cannot write /nowhere/world.png", "folder"),
        ({"url": "ftp://here/"}, "not an address", "http://"),
        ({"url": "http://127.0.0.1:1/"}, "no world at http://127.0.0.1:1/", "browser"),
    ],
)
def test_mistakes_are_two_readable_lines(tmp_path, changed, problem, hint):
    done = ask(tmp_path / "data", tmp_path, **changed)
    assert done.exit_code == 1, done.output
    said = done.output.splitlines()
    assert len(said) == 2 and problem in said[0] and hint in said[1], done.output


def test_without_a_grid_it_says_how_to_start_one(tmp_path):
    done = ask(tmp_path / "data", tmp_path)
    assert done.exit_code == 3
    assert "no grid is running" in done.output and "mainland up" in done.output


def test_without_chromium_it_says_what_to_install(mainland, tmp_path):
    """A page that may be watched is all the command asks for before it looks for a browser."""
    page = tmp_path / "api" / "grid"
    page.parent.mkdir()
    page.write_text('{"spectators": true}')
    server = subprocess.Popen(
        [*mainland.argv[:1], "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "-d", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split(" port ")[1].split()[0]
            words = [word for pair in {**GOOD, "-o": str(tmp_path / "a.png")}.items() for word in pair]
            done = mainland(
                "snapshot", *words, "--url", f"http://127.0.0.1:{port}/", env={**os.environ, "PATH": str(tmp_path)}
            )
        finally:
            server.terminate()
    assert done.returncode == 1
    assert "no Chromium here" in done.stderr and "apt-get install chromium" in done.stderr


def test_help_names_every_time_of_day():
    from viewer.snapshot import KINDS, TIMES

    done = CliRunner().invoke(app, ["snapshot", "--help"], env={"COLUMNS": "200"})
    said = " ".join(done.output.replace("│", " ").split())
    assert all(f" {name}" in said for name in TIMES)
    assert all(ending.removeprefix(".") in said for ending in KINDS if ending != ".jpeg")
