"""Put the supervisor in the background: fork twice, new session, and a pipe on which it tells how the start goes."""

import json
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from grid.errors import GridError
from grid.layout import Layout
from grid.progress import Display, Pipe


def in_background(layout: Layout, supervise: Callable[[Display], int], display: Display) -> dict[str, Any]:
    """Run `supervise(display)` as a daemon; return its "up" event once the grid accepts logins.

    Progress shows on `display` meanwhile. Raises the daemon's GridError when it could not start. Ctrl-C here while
    waiting ends the daemon.
    """
    hear, tell = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(hear)
        os.setsid()
        if os.fork():
            os._exit(0)
        _daemon(layout, supervise, tell)
    os.close(tell)
    os.waitpid(middle, 0)
    return _await_up(hear, display)


def _daemon(layout: Layout, supervise: Callable[[Display], int], tell: int) -> None:
    """Never returns: the daemon must not unwind into the command line's own frames."""
    code = 1
    pipe = Pipe(os.fdopen(tell, "w", encoding="utf-8"))
    try:
        pipe.event({"event": "daemon", "pid": os.getpid()})
        log = os.open(layout.log("supervisor"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.close(log)
        os.close(null)
        code = supervise(pipe)
    except GridError as error:
        pipe.event({"event": "failed", "problem": error.problem, "hint": error.hint, "code": error.code})
    except BaseException as error:
        traceback.print_exc()
        pipe.event({"event": "failed", "problem": f"the supervisor failed: {error!r}", "hint": "", "code": 1})
    finally:
        pipe.close()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _await_up(hear: int, display: Display) -> dict[str, Any]:
    pid, rest = 0, b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(hear, selectors.EVENT_READ)
        try:
            while True:
                if not waiting.select(0.1):
                    display.tick()
                    continue
                data = os.read(hear, 65536)
                if not data:
                    raise GridError("the supervisor ended before the grid was up", "see `mainland logs supervisor`")
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["event"] == "daemon":
                        pid = event["pid"]
                        continue
                    if event["event"] == "failed":
                        raise GridError(event["problem"], event["hint"], event["code"])
                    display.event(event)
                    if event["event"] == "up":
                        return dict(event)
        except KeyboardInterrupt:
            if pid:
                os.kill(pid, signal.SIGTERM)
            raise
        finally:
            os.close(hear)
