import asyncio
import io
import json
import os
import signal
import threading
from pathlib import Path

import pytest

from backbone import passwords
from backbone.storage.database import Direct, open_engine, sqlite_url
from backbone.storage.stores import SqlStores
from grid import accounts, lock, logs, plan, processes, progress, services, settings, web
from grid.child import Child, words
from grid.errors import GridError
from grid.layout import Layout, default_dir
from grid.plan import decide


def test_logs_are_put_aside_by_size_and_the_oldest_goes(tmp_path):
    log = tmp_path / "sims.log"
    with open(log, "a") as writer:
        for text in ("first", "second", "third"):
            writer.write(text * 10)
            writer.flush()
            logs.put_aside(tmp_path, largest=20, keep=2)
        writer.write("fourth")
        writer.flush()
        logs.put_aside(tmp_path, largest=20, keep=2)
    assert log.read_text() == "fourth"
    assert (tmp_path / "sims.log.1").read_text() == "third" * 10
    assert (tmp_path / "sims.log.2").read_text() == "second" * 10
    assert not (tmp_path / "sims.log.3").exists()


def test_last_lines(tmp_path):
    log = tmp_path / "x.log"
    assert logs.last_lines(log, 3) == []
    log.write_bytes(b"one\ntwo\n\xff\nfour")
    assert logs.last_lines(log, 3) == ["two", "\ufffd", "four"]


def test_following_a_log_gives_new_lines_also_after_rotation(tmp_path):
    log = tmp_path / "x.log"
    log.write_text("old\n")
    lines = logs.follow([log])
    generator = (line for _, line in lines)
    # Unbuffered, from a timer: `follow` notes the present ends at its first step and then waits for more.
    with open(log, "ab", buffering=0) as writer:
        threading.Timer(0.3, writer.write, [b"new\n"]).start()
        assert next(generator) == "new"
        os.truncate(log, 0)
        threading.Timer(0.6, writer.write, [b"again\n"]).start()
        assert next(generator) == "again"


def test_the_lock_has_one_holder_and_tells_who(tmp_path):
    path = tmp_path / "run" / "lock"
    path.parent.mkdir()
    assert lock.holder(path) is None
    pid, hear = _hold_in_another_process(path)
    try:
        assert os.read(hear, 2) == b"ok"
        assert lock.holder(path) == pid
        with pytest.raises(GridError, match=f"pid {pid}"):
            lock.Lock(path).take()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(hear)
    assert lock.holder(path) is None
    mine = lock.Lock(path)
    mine.take()
    mine.release()


def _hold_in_another_process(path):
    hear, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        lock.Lock(path).take()
        os.write(tell, b"ok")
        while True:
            signal.pause()
    os.close(tell)
    return pid, hear


def test_a_process_is_its_pid_and_its_birth():
    born = processes.create_time(os.getpid())
    assert processes.find(os.getpid(), born) is not None
    assert processes.find(os.getpid(), born - 100) is None
    assert processes.create_time(2**22 + 1) == 0.0
    assert processes.end_all([(os.getpid(), born - 100), (0, 0.0)], patience=1) == []


async def test_a_child_that_ignores_term_is_killed(tmp_path):
    loop = asyncio.get_running_loop()
    heard: list[bytes] = []
    said = asyncio.Event()

    def hear(line: bytes) -> None:
        heard.append(line)
        said.set()

    child = Child(
        ["python3", "-c", "import signal; signal.signal(15, 1); print('deaf'); print('half', end=''); signal.pause()"],
        tmp_path / "log",
        hear,
    )
    loop.add_signal_handler(signal.SIGCHLD, child.poll)
    try:
        await said.wait()
        assert heard == [b"deaf"] and not child.exited.done()
        assert await child.stop(0.2) == -9
        child.signal(9)  # after its end: nobody else is hit
    finally:
        loop.remove_signal_handler(signal.SIGCHLD)


def test_exit_codes_in_words():
    assert words(-9) == "ended by SIGKILL" and words(3) == "ended with code 3" and "200" in words(-200)


async def answer_with(reply: bytes):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x?y=1"


@pytest.mark.parametrize(
    "reply",
    [b"", b"nonsense", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.0 500 no\r\n\r\n", b"HTTP/1.0 200 ok\r\n\r\n{",
     b"HTTP/1.0 200 ok\r\nContent-Length: -5\r\n\r\n", b"HTTP/1.0 200 ok\r\nContent-Length: 99999999999\r\n\r\n",
     b"HTTP/1.0 200 ok\r\nContent-Length: 5\r\n\r\n{}", b"x" * 100000],
)  # fmt: skip
async def test_a_bad_answer_is_no_answer(reply):
    server, url = await answer_with(reply)
    if b"Content-Length: 5" in reply:  # cut short, but whole JSON: what came is what counts
        assert await web.get_json(url, timeout=5) == {}
    else:
        with pytest.raises(web.NoAnswer):
            await web.get_json(url, timeout=5)
    server.close()


async def test_nobody_there_is_no_answer():
    server, url = await answer_with(b"")
    server.close()
    await server.wait_closed()
    with pytest.raises(web.NoAnswer):
        await web.request("GET", url, timeout=5)


def test_refusals_are_passed_on_in_words():
    assert accounts.reason(409, b'{"title": "Conflict", "description": "taken"}') == "taken"
    assert accounts.reason(409, b'{"title": "Conflict"}') == "Conflict"
    assert accounts.reason(500, b"<html>") == "HTTP status 500"
    assert accounts.reason(500, b"[1]") == "HTTP status 500"


def test_passwords_of_ready_made_accounts_differ_and_fit_viewers():
    made = {accounts.fresh_password() for _ in range(100)}
    assert len(made) == 100 and all(len(password) <= accounts.VIEWER_LIMIT for password in made)


def test_events_read_as_sentences():
    out = io.StringIO()
    lines = progress.Lines(out)
    lines.event({"event": "ready", "process": "assets", "port": 9001, "seconds": 0.51})
    lines.event({"event": "exit", "process": "Ridge", "how": "ended by SIGKILL"})
    lines.event({"event": "exit", "process": "sims", "how": "ended with code 1", "again": 0.5})
    lines.event({"event": "stuck", "process": "Ridge", "seconds": 61})
    assert out.getvalue().splitlines() == [
        "assets is ready on port 9001 (0.5 s)",
        "Ridge ended by SIGKILL; its host starts it again",
        "sims ended with code 1; starting again in 0.5 s",
        "Ridge has not answered for 61 s: ending it, to start it again",
    ]


def test_the_real_command_lines(tmp_path):
    layout = Layout(tmp_path)
    layout.create()
    grid = decide(None, settings.load(bind="0.0.0.0", advertise="203.0.113.7", regions="2x1", name="Our World"))
    grid.http_port, grid.assets_port, grid.web_port = 9000, 9001, 9002
    table = services.commands(grid, layout)
    assert list(table) == ["web", "sims", "backbone", "assets"]
    web = " ".join(table["web"].argv)
    assert "--grid http://127.0.0.1:" in web and "--guests" not in web  # others can reach it: accounts only
    backbone = " ".join(table["backbone"].argv)
    assert "--grid-name Our World" in backbone and "--assets-url http://203.0.113.7:9001" in backbone
    assert "--database" not in backbone and table["backbone"].port == 9000
    config = json.loads(layout.sims.read_text())
    assert config["backbone_url"] == "http://127.0.0.1:9000" and config["advertise"] == "203.0.113.7"
    assert [region["name"] for region in config["regions"]] == ["Harbour", "Meadow"]


def test_the_databases_password_stands_on_no_command_line(tmp_path):
    layout = Layout(tmp_path)
    layout.create()
    url = "postgresql+psycopg://grid:open-sesame@127.0.0.1/grid"
    grid = decide(None, settings.load(database=url, owner="Ann Example"))
    commands = services.commands(grid, layout)
    assert not any("open-sesame" in word for command in commands.values() for word in command.argv)
    argv = commands["backbone"].argv
    file = Path(argv[argv.index("--database-file") + 1])
    assert file.read_text().strip() == url and file.stat().st_mode & 0o077 == 0
    assert argv[argv.index("--owner") + 1] == "Ann Example"


def test_a_password_is_changed_while_the_grid_is_down(tmp_path):
    layout = Layout(tmp_path)
    layout.create()
    plan.save(layout, decide(None, settings.load(regions="1x1")))
    made = accounts.add(layout, None, "Ann", "Example", "old one")
    assert accounts.set_password(layout, None, "ANN", "example", "new one") == made
    stores = SqlStores(Direct(open_engine(sqlite_url(layout.backbone))))
    verifier = stores.people.verifier_of(made)
    assert passwords.verify(verifier, passwords.digest("new one"))
    assert not passwords.verify(verifier, passwords.digest("old one"))
    with pytest.raises(GridError, match="there is no account Eve Example"):
        accounts.set_password(layout, None, "Eve", "Example", "x")


def test_the_default_folder_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_dir() == tmp_path / "mainland"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert str(default_dir()) == "/home/somebody/.local/share/mainland"
