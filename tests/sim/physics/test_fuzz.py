"""Worlds of absurd builds, in a process whose kernels check every index: see `bench/fuzz_physics.py`, which has more of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SEEDS = "1000:1012"


def test_absurd_worlds_are_borne_or_refused() -> None:
    """A second of processor a world; where checked kernels are not compiled yet (`.ci/kernels test`), a minute or two before."""
    command = [sys.executable, "-m", "bench.fuzz_physics", "--seeds", SEEDS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "0 faults" in done.stdout


def test_the_checks_are_there() -> None:
    """A kernel of such a process says that an index is out of bounds, and the same kernel elsewhere is not of that process."""
    code = (
        "import numpy as np; from sim.physics.broadphase import wake_around; from sim.physics.numba_engine import NumbaEngine\n"
        "engine = NumbaEngine()\n"
        "try: wake_around(engine.bodies, 100_000, np.zeros(6, np.float32), True)\n"
        "except IndexError: print('checked')"
    )
    from bench.fuzz_physics import FOLDER

    environment = {"MAINLAND_CHECKED_KERNELS": str(FOLDER), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.stdout.strip() == "checked", done.stderr
