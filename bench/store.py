"""What keeping costs a region: the frame's share, the disk's, and a start. `python -m bench.store`

Prims are edited in a region that keeps them, so many a second, as a viewer's edits are noted; the share is what the frame's
stage `store` took of its thread, beside it what the writer's thread had to do. Limits, in the same run: fsync alone of a file of its own, and
the same rows by bare SQLite. Then the region is opened again as after a kill. With `--scripts` so many of the prims hold a
script that runs all the time.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.kit import arguments, milliseconds, progress, show
from bench.linkset_form import SCENES
from sim.clock import STEP, SystemClock
from sim.scripts.language.program import compile_script
from sim.world.changes import What
from tests.kit.world import TestSimulator, close_sim, make_sim

BUSY = "integer n; default { state_entry() { llSetTimerEvent(0.5); } timer() { ++n; } }"


def fsync_alone(folder: Path, size: int) -> float:
    """Seconds that one append of `size` bytes takes to be on the disk, the median of a few."""
    took = []
    with open(folder / "bare", "wb") as file:
        for _ in range(30):
            began = time.perf_counter()
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return sorted(took)[len(took) // 2]


def bare_sqlite(folder: Path, rows: int, size: int) -> float:
    """Seconds of a commit of so many rows, the median of a few."""
    took = []
    with sqlite3.connect(folder / "bare.sqlite") as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE rows (id BLOB PRIMARY KEY, form BLOB, a BLOB, b BLOB, saved REAL)")
        for _ in range(20):
            values = [(os.urandom(16), os.urandom(size), b"1234", b"1234", 1.0) for _ in range(rows)]
            began = time.perf_counter()
            database.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", values)
            database.commit()
            took.append(time.perf_counter() - began)
    return sorted(took)[len(took) // 2]


def edit(sim: TestSimulator, a_second: int, seconds: float) -> tuple[list[float], int, float]:
    """Frames at their pace; seconds of each `store` stage, how many commits, and how long the last change took to be durable."""
    prims = list(sim.world.objects.by_local_id.values())
    writer = sim.storage.writer
    assert writer is not None
    commits, shares, at, owed = writer.commits, [], 0, 0.0
    begin = now = time.perf_counter()
    while now < begin + seconds:
        owed += a_second * STEP
        while owed >= 1:
            prim = prims[at % len(prims)]
            prim.description = f"edit {at}"
            sim.world.changes.prims.note(prim, What.NAME)
            at, owed = at + 7, owed - 1
        sim.world.time += STEP
        sim.scripts.run()
        began = time.thread_time()
        sim.storage.run()
        shares.append(time.thread_time() - began)
        now = time.perf_counter()
        time.sleep(max(begin + len(shares) * STEP - now, 0.0))
    last = time.perf_counter()
    sim.storage.run()
    writer.flush(30.0)
    return shares, writer.commits - commits, time.perf_counter() - last


async def main(edits: int, seconds: float, scripts: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = str(folder / "region" / "region.sqlite")
        gc.disable()
        progress("30,000 prims are placed and kept")
        began = time.perf_counter()
        sim = make_sim(clock=SystemClock(), store=store, scene=str(SCENES / "prims_30000.toml"))
        first = time.perf_counter() - began
        if scripts:
            program = compile_script(BUSY)
            for prim in list(sim.world.objects.by_local_id.values())[:scripts]:
                sim.scripts.start(prim, program, BUSY, "busy")
        gc.collect()
        gc.freeze()
        gc.enable()
        gc.set_threshold(20_000, 20, 1_000_000)
        sim.frame.once(sim.clock.now())
        await sim.storage.durable(60.0)
        for a_second in (0, edits):
            progress(f"{a_second} edits a second")
            shares, commits, late = edit(sim, a_second, seconds)
            rows.append(
                {"edits a second": a_second, "scripts": scripts, "mean ms": round(1000 * sum(shares) / len(shares), 3)}
                | {key: value for key, value in milliseconds(shares).items() if key != "samples"}
                | {"commits": commits, "last durable after ms": round(late * 1000)}
            )
        size = Path(store).stat().st_size
        close_sim(sim)
        progress("it stands again")
        gc.disable()
        cpu, began = time.process_time(), time.perf_counter()
        sim = make_sim(clock=SystemClock(), store=store)
        again, spent = time.perf_counter() - began, time.process_time() - cpu
        prims = len(sim.world.objects)
        close_sim(sim)
        facts = {
            "placed and kept s": round(first, 2), "stands again s": round(again, 2), "of processor s": round(spent, 2), "prims": prims,
            "file bytes a prim": round(size / prims), "fsync of 80 kB alone ms": round(1000 * fsync_alone(folder, 80_000), 2),
            "200 rows by bare SQLite ms": round(1000 * bare_sqlite(folder, 200, 360), 2),
        }  # fmt: skip
    return rows, facts


if __name__ == "__main__":
    options = arguments(__doc__, edits=1000, seconds=10.0, scripts=0)
    table, more = asyncio.run(main(options.edits, options.seconds, options.scripts))
    show("keeping", table, options.json, **more)
