"""The two commands of the README, as far as they can be checked without installing anything."""

import re
import subprocess

import pytest

from tests.grid.kit import ROOT


def test_make_alone_lists_what_it_can_do():
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    for target in ("make world", "make test", "make bench", "make clean"):
        assert target in listed


def test_the_readme_names_the_commands_that_are_there():
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"make (world|test|bench|lint|clean)", readme)) <= targets
    assert len(readme.splitlines()) < 150


@pytest.mark.parametrize("script", [".ci/venv", ".ci/run", "tests/clients/setup.sh"])
def test_scripts_are_sound_shell(script):
    assert subprocess.run(["bash", "-n", script], cwd=ROOT, timeout=60).returncode == 0


def test_packages_come_from_where_pip_and_npm_are_told_to():
    for file in ("Makefile", ".ci/venv", ".ci/run", "pyproject.toml", "tests/clients/setup.sh"):
        assert "https://" not in (ROOT / file).read_text().replace("https://github.com", ""), file
