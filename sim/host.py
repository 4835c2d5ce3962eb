"""Many regions on one machine: warm once, then fork one process a region.

The host imports everything and compiles (or loads from numba's cache) every kernel, freezes the garbage collector's view
of it all and forks: a region costs the memory it touches, and is there within a fraction of a second. A region that
crashes is started again with a growing pause. Regions never outlive the host, nor the host its parent.

On stdout, one JSON object a line:

    {"event": "ready", "region": "Harbour", "pid": 123, "port": 9010}
    {"event": "exit", "region": "Harbour", "pid": 123, "code": -9}
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import gc
import json
import logging
import os
import re
import signal
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from ground import stacks
from ground.doors import raise_open_files
from sim import scenes
from sim.clients import Clients
from sim.clock import SystemClock
from sim.neighbours.lease import LeaseLost
from sim.physics.engine import check_engine
from sim.region import Settings
from sim.scenes import NO_SCENE
from sim.simulator import Simulator

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a crashed region starts again
STEADY = 60.0  # a region that ran so long starts with the first pause again
FENCED = 75  # exit code of a region that is another process's, or may be soon ("temporary failure")
HELD_PAUSE = 2.0  # seconds before it is tried again: whoever has it may give it back at any moment
LOCK_PATIENCE = 10.0  # seconds for what is left of an earlier host to end
STOP_LIMIT = 8.0  # seconds a region gets to end its sessions
_PR_SET_PDEATHSIG, _PR_SET_TIMERSLACK = 1, 29


@dataclass(slots=True)
class RegionProcess:
    settings: Settings
    pid: int = 0
    started: float = 0.0
    pause: float = FIRST_PAUSE
    start_at: float = field(default=0.0)  # real time; 0 when running
    held: bool = False  # its last process ended because another has the region; said once


def say(**line: Any) -> None:
    # One write a line: with print, two regions that are ready at once mix their lines, and the launcher waits for ever.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def read_config(path: Path) -> tuple[list[Settings], Path]:
    """The regions of a config file (see docs/operating.md) and the folder for their logs. ValueError says what is wrong."""
    try:
        config = json.loads(path.read_text())
        secret = Path(config["secret_file"]).read_text().strip()
        regions = config["regions"]
        ages = {(int(region["grid_x"]), int(region["grid_y"])): int(region.get("age", 0)) for region in regions}
        settings = [
            Settings(
                region_id=UUID(region["region_id"]),
                name=str(region["name"]),
                grid_x=int(region["grid_x"]),
                grid_y=int(region["grid_y"]),
                port=int(region["port"]),
                bind=config.get("bind", "127.0.0.1"),
                advertise=config.get("advertise", ""),
                inner=config.get("inner", ""),
                backbone_url=config["backbone_url"],
                assets_url=config["assets_url"],
                public_assets_url=config.get("public_assets_url", ""),
                secret=secret,
                store=_store(config, region),
                history_days=float(config.get("history_days", 30.0)),
                history_bytes=int(config.get("history_bytes", 1 << 28)),
                terrain_seed=int(config.get("terrain_seed", 1)),
                physics=check_engine(str(region.get("physics", "numba"))),
                scene=str(region.get("scene", NO_SCENE)),
                ages=ages,
            )
            for region in regions
        ]
        for one in settings:  # read before the fork: what is wrong is said once, and a restarted region finds it read
            scenes.load(one.scene)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {type(error).__name__}: {error}") from error
    return settings, Path(config.get("log_dir") or ".")


def _store(config: dict[str, Any], region: dict[str, Any]) -> str:
    """The file that keeps a region, in a folder of its own; "" when the grid has none for its regions."""
    return str(Path(config["data"]) / str(UUID(region["region_id"])) / "region.sqlite") if config.get("data") else ""


def warm() -> None:
    """Import and compile all that a region runs, so that no frame waits for a compiler."""
    import numpy as np

    from protocol import objects, packet, terrain
    from protocol.message import warm as warm_messages
    from sim.circuits.datagrams import DatagramSocket, key_of
    from sim.circuits.fastpath import warm as warm_fastpath
    from sim.interest.interest import warm as warm_interest
    from sim.physics.warm import warm as warm_physics
    from sim.world.terrain import Terrain

    warm_messages()
    objects.warm()
    warm_physics()
    warm_interest()
    warm_fastpath()
    packet.parse(packet.build(bytes(300), 1, packet.ZEROCODED))
    ground = Terrain.natural(1000, 1000, 1)
    ground.height(1.0, 1.0)
    ground.normal(1.0, 1.0)
    for payload in terrain.encode_patches(ground.patches(), [(0, 0)]):
        terrain.decode_patches(payload)
    one = DatagramSocket("127.0.0.1", 0)
    one.outgoing.queue(key_of("127.0.0.1", one.port), bytes(np.zeros(20, np.uint8)))
    one.flush()
    list(one.receive())
    one.close()


def end_with_parent(parent: int) -> None:
    """Linux ends this process when its parent dies, however that comes about."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def owner_token(folder: Path, patience: float = LOCK_PATIENCE) -> UUID:
    """Whose the claims of this host's regions are: the folder's token, or a new one while another host has that.

    The folder's lock is open in this process and all that it forks, and is never closed: while any of them lives, no later
    host gets it. Who has it may claim what an earlier host left behind, since nothing of that runs any more.
    """
    path = folder / "claims.owner"
    clock = SystemClock()
    end = clock.now() + patience
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.set_inheritable(file, True)
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if clock.now() > end:
                    os.close(file)
                    raise
                clock.sleep(0.1)
    except OSError as error:
        log.warning("another host uses %s, or it cannot be locked (%s): regions that it has are refused to this one", path, error)
        return uuid4()
    try:
        return UUID(os.pread(file, 64, 0).decode("ascii").strip())
    except (ValueError, OSError):
        token = uuid4()
        os.ftruncate(file, 0)
        os.pwrite(file, f"{token}\n".encode(), 0)
        os.fsync(file)
        return token


# --- one region's process


async def run_region(settings: Settings) -> int:
    """Open a region and run it until SIGTERM or SIGINT, or until it is another process's. The exit code."""
    gc.disable()  # what is made while it opens stays
    sim = Simulator(settings, SystemClock(), Clients.of(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, sim.stop)
    sim.neighbours.lease.arm = lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    opening = loop.create_task(sim.open())
    while not opening.done() and sim.frame.running:
        await asyncio.wait([opening], timeout=0.2)
    if not opening.done():
        opening.cancel()
        return 0
    try:
        opening.result()
    except LeaseLost:
        return FENCED
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 1_000_000)  # `frame.py` says when everything is looked through
    say(event="ready", region=settings.name, pid=os.getpid(), port=sim.port)
    await sim.run()
    await sim.close()
    return FENCED if sim.neighbours.lease.lost else 0


def region_main(settings: Settings, log_dir: Path, parent: int) -> int:
    """The forked process. Its log is its own file; stdout stays the host's, for the ready line."""
    end_with_parent(parent)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)  # sleeps end on time, not 50 us late
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    log_dir.mkdir(parents=True, exist_ok=True)
    file = os.open(log_dir / f"{log_name(settings.name)}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(file, 2)
    os.close(file)
    try:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run_region(settings))
    except OSError as error:
        log.error("%s cannot start: %s", settings.name, error)
        return 1
    except Exception:
        log.exception("%s crashed", settings.name)
        return 1


def log_name(region: str) -> str:
    """A file name for any region name."""
    return re.sub(r"[^\w .-]", "_", region).strip(". ") or "region"


# --- the host


class Host:
    def __init__(self, regions: list[Settings], log_dir: Path) -> None:
        self.clock = SystemClock()
        self.regions = [RegionProcess(settings) for settings in regions]
        self.log_dir = log_dir
        self.stopping = False

    def run(self) -> None:
        """Start every region and keep them running until SIGTERM or SIGINT."""
        watched = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
        signal.pthread_sigmask(signal.SIG_BLOCK, watched)
        for region in self.regions:
            self._start(region)
        while not self.stopping:
            caught = signal.sigtimedwait(watched, 0.5)
            if caught is not None and caught.si_signo in (signal.SIGTERM, signal.SIGINT):
                self.stopping = True
            self._reap()
            now = self.clock.now()
            for region in self.regions:
                if not region.pid and not self.stopping and now >= region.start_at:
                    self._start(region)
        self._stop()

    def _start(self, region: RegionProcess) -> None:
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, set())
            code = 1
            try:
                code = region_main(region.settings, self.log_dir, parent)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        region.pid = pid
        region.started = self.clock.now()

    def _reap(self) -> None:
        for region in self.regions:
            if not region.pid:
                continue
            pid, status = os.waitpid(region.pid, os.WNOHANG)
            if pid == 0:
                continue
            code = os.waitstatus_to_exitcode(status)
            now = self.clock.now()
            region.pid = 0
            if code == FENCED and not self.stopping:
                if not region.held:
                    log.warning("%s is another process's: tried again every %.0f s", region.settings.name, HELD_PAUSE)
                    say(event="exit", region=region.settings.name, pid=pid, code=code)
                region.held, region.start_at = True, now + HELD_PAUSE
                continue
            region.held = False
            say(event="exit", region=region.settings.name, pid=pid, code=code)
            if code == -signal.SIGALRM:
                log.error("%s hung until its lease was about to end", region.settings.name)
            region.pause = FIRST_PAUSE if now - region.started > STEADY else min(region.pause * 2, LONGEST_PAUSE)
            region.start_at = now + region.pause
            if not self.stopping:
                log.warning("%s ended with %d; starting it again in %.1f s", region.settings.name, code, region.pause)

    def _stop(self) -> None:
        for region in self.regions:
            if region.pid:
                os.kill(region.pid, signal.SIGTERM)
        deadline = self.clock.now() + STOP_LIMIT
        while any(region.pid for region in self.regions) and self.clock.now() < deadline:
            signal.sigtimedwait({signal.SIGCHLD}, 0.2)
            self._reap()
        for region in self.regions:
            if region.pid:
                os.kill(region.pid, signal.SIGKILL)
                os.waitpid(region.pid, 0)
                say(event="exit", region=region.settings.name, pid=region.pid, code=-9)


def main(config: Path) -> int:
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    raise_open_files()
    stacks.on_signals()  # forked regions do the same, to their own logs
    try:
        regions, log_dir = read_config(config)
    except ValueError as error:
        print(f"sim: {error}", file=sys.stderr)
        return 2
    token = owner_token(config.parent)
    regions = [replace(region, owner=token) for region in regions]
    warm()
    gc.collect()
    gc.freeze()
    Host(regions, log_dir).run()
    return 0
