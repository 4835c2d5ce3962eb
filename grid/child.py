"""One process of the grid: start it so that it can't outlive us, hear its stdout lines, notice its end, stop it."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Bound before any fork: between fork and exec nothing may be imported or looked up.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_LONGEST_LINE = 1 << 20


class Child:
    """A running process. `exited` is a future of its exit code (negative: the signal that ended it).

    The process gets its own session, so that Ctrl-C at the terminal reaches the supervisor alone, which then ends the
    processes in order; and SIGTERM from the kernel when the supervisor dies in whatever way (Linux), so none is left.
    """

    def __init__(self, argv: Sequence[str], log: Path, on_line: Callable[[bytes], None]):
        self._on_line = on_line
        self._rest = b""
        parent = os.getpid()

        def end_with_parent() -> None:
            if _libc is not None:
                _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
                if os.getppid() != parent:  # it died before prctl took effect
                    os._exit(1)

        # Appending, so that several processes and a truncation on rotation all keep whole lines.
        with open(log, "ab") as stderr:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=end_with_parent,
                env=_environment(),
            )
        assert self._process.stdout is not None
        self._stdout = self._process.stdout.fileno()
        os.set_blocking(self._stdout, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._stdout, self._read)
        self.pid = self._process.pid
        self.exited: asyncio.Future[int] = self._loop.create_future()

    def poll(self) -> None:
        """Look whether it has ended; call on SIGCHLD."""
        if self.exited.done():
            return
        code = self._process.poll()
        if code is not None:
            self._read()
            self._close()
            self.exited.set_result(code)

    def _read(self) -> None:
        # Bounded: a process that floods its stdout must not keep the supervisor from its other work.
        for _ in range(16):
            try:
                data = os.read(self._stdout, 65536)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self._loop.remove_reader(self._stdout)
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._rest = self._rest[-_LONGEST_LINE:]
            for line in lines:
                self._on_line(line)

    def _close(self) -> None:
        self._loop.remove_reader(self._stdout)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def signal(self, number: int) -> None:
        """Send a signal unless it has ended. Popen knows whether the pid is still ours, so no stranger is hit."""
        self._process.send_signal(number)

    async def stop(self, patience: float) -> int:
        """TERM, and KILL after `patience` seconds; returns the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(asyncio.shield(self.exited), patience)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            return await self.exited


def _environment() -> dict[str, str]:
    """Ours; from a checkout also where it lies: its environment may have been made before a package was added to it."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    root = Path(__file__).resolve().parent.parent
    if (root / "pyproject.toml").is_file():
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    return environment


def words(code: int) -> str:
    """An exit code for people: "ended by SIGKILL", "ended with code 1"."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
