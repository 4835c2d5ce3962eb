"""`mainland lsl`: formats and exit codes that other programs build on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sim.scripts.language.errors import CompileError, Finding

ROOT = Path(__file__).parents[2]
SCRIPT = """integer n;
default {
    state_entry() { llSay(0, "hello"); print(1 + 2); llSetTimerEvent(1.0); }
    touch_start(integer i) { llOwnerSay("touched"); }
    timer() {
        if (++n == 3) {
            integer zero;
            llSay(5, (string)(1 / zero));
        }
        llWhisper(3, "tick");
    }
}
"""


def lsl(*words: str | Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "grid.lsl_cli", *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "a.lsl"
    path.write_text(SCRIPT)
    return path


def test_run_as_json(script):
    for more in ([], ["--pause-every", "1"]):
        status, lines = lsl("run", script, "--json", "--touch", "1", "--for", "10", *more)
        assert status == 1
        assert [json.loads(line) for line in lines] == [
            {"kind": "say", "channel": 0, "text": "hello"},
            {"kind": "print", "type": "integer", "value": 3},
            {"kind": "owner_say", "text": "touched"},
            {"kind": "whisper", "channel": 3, "text": "tick"},
            {"kind": "whisper", "channel": 3, "text": "tick"},
            {"kind": "error", "message": "Math Error", "line": 7},
        ]


def test_run_as_text(script):
    assert lsl("run", script, "--for", "2") == (
        0, ["hello", "[print integer] 3", "[whisper channel=3] tick", "[whisper channel=3] tick"],
    )  # fmt: skip


def test_an_endless_loop_is_given_up(tmp_path):
    path = tmp_path / "b.lsl"
    path.write_text("default { state_entry() {\n while (TRUE) ;\n} }")
    status, lines = lsl("run", path, "--json", "--timeout", "0.2")
    assert status == 1 and json.loads(lines[-1])["kind"] == "error" and json.loads(lines[-1])["line"] == 1


def test_check(script, tmp_path):
    wrong = tmp_path / "wrong.lsl"
    wrong.write_text("default {\n  timer() { foo(); bar(); }\n}")
    assert lsl("check", script) == (0, [])
    status, lines = lsl("check", wrong, script)
    assert (
        status == 2
        and lines[0] == f"{wrong}:2:13: Function 'foo' not defined within scope"
        and len(lines) == 2
    )
    status, lines = lsl("check", wrong, "--json")
    found = [json.loads(line) for line in lines]
    assert status == 2 and [(one["line"], one["column"]) for one in found] == [(1, 12), (1, 19)]
    status, lines = lsl("run", wrong, "--json")
    assert status == 2 and [json.loads(line) for line in lines] == found


def test_check_takes_any_bytes(tmp_path):
    path = tmp_path / "c.lsl"
    path.write_bytes(bytes(range(256)) * 10)
    status, lines = lsl("check", path)
    assert status == 2 and lines


def test_tests(script, tmp_path):
    (tmp_path / "a.test").write_text(
        'script a.lsl\nexpect say 0 "hel*"\nexpect print 3\nexpect nothing\ntouch\nexpect owner_say "touched"\n'
        'wait 1\nexpect whisper 3 "tick"\nevent timer\nexpect whisper\nwait 1 # the third\nexpect error "Math Error"\n'
    )
    (tmp_path / "b_test.py").write_text(
        "from pathlib import Path\n"
        "def test_hello(world):\n    world.add((Path(__file__).parent / 'a.lsl').read_text())\n    world.settle()\n"
        "    assert world.said == ['hello']\n"
        "def test_wrong(world):\n    assert world.said == ['no']\n"
    )
    status, lines = lsl("test", tmp_path, "--json")
    found = [json.loads(line) for line in lines]
    assert status == 1
    assert [(one["name"], one["passed"]) for one in found] == [
        ("a.test", True), ("b_test.py::test_hello", True), ("b_test.py::test_wrong", False),
    ]  # fmt: skip
    (tmp_path / "a.test").write_text('script a.lsl\nexpect say 0 "bye"\n')
    status, lines = lsl("test", tmp_path / "a.test")
    assert status == 1 and lines[0] == "FAIL a.test" and "a.test:2" in lines[1]


def test_the_examples_pass():
    folder = ROOT / "docs" / "lsl" / "examples"
    status, lines = lsl("test", folder)
    assert (status, lines[-1]) == (0, "2 passed, 0 failed"), lines
    assert lsl("run", folder / "door.lsl", "--touch", "1", "--for", "20") == (0, ["open", "closed"])
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in re.findall(r"[\w./-]+\.lsl\b", readme):
        assert (ROOT / name).is_file(), name


def test_the_steps_and_the_example_of_the_docstring_run(tmp_path):
    """The Python example stands in the docstring as it is; the scenario uses every step that it lists."""
    from sim.scripts.tools import testing

    text = testing.__doc__ or ""
    example = textwrap.dedent(text[text.index("    def test_opens") :])
    (tmp_path / "door_test.py").write_text(example)
    (tmp_path / "door.lsl").write_text((ROOT / "docs/lsl/examples/door.lsl").read_text())
    (tmp_path / "any.lsl").write_text(
        """default { listen(integer c, string n, key k, string m) { llSay(c, m); } state_entry() { llListen(5, "", "", ""); }
        land_collision(vector v) { llSay(1, (string)v); } at_rot_target(integer i, rotation a, rotation b) { llSay(2, (string)b); }
        dataserver(key k, string s) { llSay(3, s); } }"""
    )
    (tmp_path / "any.test").write_text(
        'script any.lsl # a comment\nchat 5 "say \\"hi\\" # <you>"\nexpect say 5 "say \\"hi\\" # <you>"\n'
        'event land_collision <1, 2, 3>\nexpect say 1 "<1.00000, 2.00000, 3.00000>"\n'
        'event at_rot_target 1 <0,0,0,1> <0, 1, 0, 0>\nexpect say "<0.0*"\nevent dataserver "k" ""\nexpect say 3 ""\n'
        "wait 1\ntouch 2\nexpect nothing\n"
    )
    # a test may open files without closing them, which adds to its module while it runs
    (tmp_path / "open_test.py").write_text(
        f"def test_reads(world):\n    world.add(open({str(tmp_path / 'door.lsl')!r}).read())\n    x = __warningregistry__ = 1\n"
        "    globals()['later'] = x\n"
    )
    status, lines = lsl("test", tmp_path)
    assert (status, lines[-1]) == (0, "3 passed, 0 failed"), lines
    (tmp_path / "any.test").write_text('script any.lsl\nchat 5 "no end\n')
    status, lines = lsl("test", tmp_path / "any.test", tmp_path / "gone.test")
    assert status == 1 and "any.test:2" in lines[1] and lines[-1] == "0 passed, 2 failed"


def test_people_read_lines_counted_from_one(tmp_path):
    """In check, run, profile and test, for what does not compile and for what fails; in JSON from 0."""
    wrong, fails = tmp_path / "wrong.lsl", tmp_path / "fails.lsl"
    wrong.write_text("default {\n    timer() { foo(); }\n}")
    fails.write_text("default { state_entry() {\n    integer zero;\n    zero = 1 / zero;\n} }")
    (tmp_path / "wrong.test").write_text("script wrong.lsl\n")
    place = f"{wrong}:2:15: Function 'foo' not defined within scope"
    for command in ("check", "run", "profile"):
        assert lsl(command, wrong) == (2, [place])
        assert json.loads(lsl(command, wrong, "--json")[1][0])["line"] == 1
    assert "2:15: Function 'foo' not defined within scope" in "\n".join(lsl("test", tmp_path)[1])
    assert lsl("run", fails) == (1, ["[error] Math Error (line 3)"])
    assert json.loads(lsl("run", fails, "--json")[1][0])["line"] == 2
    assert CompileError([Finding(1, 14, "x")]).findings[0].for_viewers() == "(1, 14) : ERROR : x"


def test_profile(tmp_path):
    path = tmp_path / "p.lsl"
    path.write_text(
        "integer slow(integer n) {\n integer s;\n while (n--) s += n;\n return s;\n}\n"
        "default { state_entry() {\n integer i;\n for (i = 0; i < 30; ++i) slow(3000);\n} }"
    )
    status, lines = lsl("profile", path, "--json")
    facts = json.loads(lines[0])
    assert status == 0 and facts["lines"][0]["line"] == 2
    assert {one["name"] for one in facts["functions"]} >= {"slow", "default.state_entry"}


def test_docs():
    status, lines = lsl("docs", "llListen")
    assert status == 0 and lines[0] == "integer llListen(integer channel, string name, key id, string msg)"
    assert lsl("docs", "touch_start") == (0, ["event touch_start(integer num_detected)"])
    status, lines = lsl("docs", "llSayy")
    assert status == 1 and "llSay" in lines[0]
