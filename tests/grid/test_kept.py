"""A real grid keeps what people make: processes are killed with kill -9 while people build, and start again."""

import asyncio
import json
import os
import signal

import pytest

import viewer
from bench import kill
from bench.kit import BenchGrid
from tests.grid.kit import Mainland, until


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """One grid for all of these."""
    command = Mainland(tmp_path_factory.mktemp("kept") / "data", fake=False)
    command.data.mkdir()
    (command.data / "mainland.toml").write_text(kill.SETTINGS)
    yield command
    command.close()


async def known(me, count):
    """The objects the viewer knows by their ids, once there are so many."""
    for _ in range(600):
        objects = [thing for thing in me.root.entities.values() if thing.pcode == 9]
        if len(objects) >= count:
            return {thing.id: tuple(round(part, 2) for part in thing.position) for thing in objects}
        await asyncio.sleep(0.05)
    raise AssertionError(f"{len(objects)} of {count} objects are known")


def test_what_was_built_is_there_after_kill_9(grid):
    facts = grid.start("--regions", "1x1")
    account = facts["accounts"][0]

    def log_in():
        return viewer.login(facts["login_uri"], account["first"], account["last"], account["password"])

    async def build(first):
        async with log_in() as me:
            before = set(await known(me, first))
            for number in range(5):
                await me.building.rez_box((100.0 + 2 * number, 120.0 + first, 40.0))
            built = await known(me, first + 5)
            await asyncio.sleep(1.2)  # others have been shown it for a second
            os.kill(grid.part("Harbour")["pid"], signal.SIGKILL)
            return before, built

    async def look(count):
        async with log_in() as me:
            return await known(me, count)

    expected = 0
    for _ in range(2):
        pid = grid.part("Harbour")["pid"]
        before, built = asyncio.run(asyncio.wait_for(build(expected), 60))
        expected += 5
        assert len(before) == expected - 5 and len(built) == expected
        until(lambda: grid.part("Harbour")["pid"] not in (0, pid), "the region is started again")  # noqa: B023
        until(lambda: grid.part("Harbour")["state"] == "up", "it is up")

        def seen():
            try:
                return asyncio.run(asyncio.wait_for(look(expected), 60))  # noqa: B023
            except (viewer.ViewerError, OSError):
                return None

        assert until(seen, "somebody is in again") == built
    grid("down")
    again = grid.start()
    facts["login_uri"] = again["login_uri"]
    assert asyncio.run(asyncio.wait_for(look(expected), 60)) == built
    look_into_it_and_put_it_right(grid, account, expected)


def look_into_it_and_put_it_right(grid, account, count):
    """The operator's commands, on the same grid: history, backup, rollback; and a restore beside it."""
    name, folder = f"{account['first']} {account['last']}", grid.data.parent

    def told(*arguments):
        done = grid("region", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    made = told("history", "harbour", "--by", name, "--since", "1h")
    assert [entry["what"] for entry in made["entries"]] == ["made"] * count and set(made["people"].values()) >= {name}
    assert grid("backup", str(folder / "copy.tar")).returncode == 0
    for _ in range(2):
        dry = told("rollback", "Harbour", "--by", name, "--since", "1h", "--dry-run")
        assert (dry["removed"], dry["left"]) == (count, 0)
    done = grid("region", "rollback", "Harbour", "--by", name, "--since", "1h")
    assert done.returncode == 0 and f"{count} is gone" in done.stdout and "--by operator" in done.stdout
    assert grid("region", "rollback", "Harbour", "--by", "Nobody Atall", "--since", "1h").returncode == 1
    grid("down")
    stopped = told("history", "Harbour", "--since", "1h")
    assert [entry["what"] for entry in stopped["entries"]] == ["removed"] * count + ["made"] * count
    assert {stopped["people"][entry["who"]] for entry in stopped["entries"]} == {name, "the operator"}
    assert grid("region", "rollback", "Harbour", "--by", name, "--since", "1h").returncode == 3
    beside = Mainland(folder / "beside", fake=False)
    assert beside("restore", str(folder / "copy.tar")).returncode == 0
    before = json.loads(beside("region", "history", "Harbour", "--since", "1h", "--json").stdout)
    assert [entry["what"] for entry in before["entries"]] == ["made"] * count


def test_nothing_is_lost_or_doubled_when_processes_are_killed_while_people_move_things(grid):
    grid("down")
    facts = grid.start("--regions", "1x1")
    told = asyncio.run(kill.on_grid(BenchGrid(grid.data, facts["login_uri"], facts["web_uri"]), kills=4, builders=2, seed=7))
    assert told["kills"] == 4 and told["acknowledged"] > 0
    assert (told["what"], told["open"]) == ([], 0), told
    listed = grid("region", "transits", "Harbour", "--json")
    assert json.loads(listed.stdout) == {"transits": []}, listed.stderr
    grid("down")
    settled = grid("region", "transits", "--settle")
    assert settled.returncode == 0 and "0 moves were not over" in settled.stdout, settled.stderr
