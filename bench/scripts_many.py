"""Many scripts in one process: 1 Hz timers at 45 frames a second, what a frame costs, how late they are, memory a
script.

    python -m bench.scripts_many [--scripts 1000 10000 50000] [--seconds 4] [--loops 10] [--json]

Every script has a timer of one second, spread evenly over it. Its event is what the promise names: arithmetic, a cast,
a setter (here: of a global text). The frames are played on a fake clock, each as soon as the one before is done; a
frame gets at most --budget milliseconds of real time. "Late" is the mean from when a timer was due to the end of the
frame that ran it: half a frame's wait for the frame, the frame's own cost, and, by Little's law, a frame for every
script left waiting at its end. With --loops, so many scripts run `while (TRUE);` beside the others. Each count runs in
a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from typing import Any

from bench.kit import end_on_term, told
from sim.scripts.language.values import Key
from sim.scripts.machine.engine import Engine
from sim.scripts.machine.script import Script
from sim.scripts.tools.fakeworld import FakeWorld

SOURCE = """integer n; float f; string text; float due;
default { timer() { float x; integer i; ++n; for (i = 0; i < 10; ++i) x += n * 0.1 * i; f = x; text = "tick " +
(string)n; } }"""
ENDLESS = "default { timer() { while (TRUE) ; } }"
FRAME = 1.0 / 45.0


def resident() -> int:
    """Resident bytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def measure(count: int, loops: int, seconds: float, budget: float) -> dict[str, Any]:
    engine = Engine()
    world = FakeWorld(engine)
    scheduler = world.scheduler
    program = engine.load(SOURCE)
    before, start = resident(), time.perf_counter()
    scripts = [
        Script(engine, program, world, owner=Key(str(index % 100)), scheduler=scheduler) for index in range(count)
    ]
    created = time.perf_counter() - start
    for index, script in enumerate(scripts):
        script.set_timer(1.0)
        script.timer_at = 1.0 + index / count
        scheduler.timer(script)
    endless = engine.load(ENDLESS)
    for index in range(loops):
        script = Script(engine, endless, world, owner=Key(f"loop {index}"), scheduler=scheduler)
        script.post("timer")
    gc.collect()
    gc.freeze()
    now, costs, left = 0.0, [], []
    address = program.globals[0].address
    while now < seconds:
        now += FRAME
        start = time.perf_counter()
        scheduler.run(now, budget)
        costs.append(time.perf_counter() - start)
        left.append(max(0, scheduler.deferred - loops))
    counted = sum([script.instance.word(address) for script in scripts])
    expected = sum([max(0, int(now - 1.0 - index / count) + 1) for index in range(count) if now >= 1.0 + index / count])
    busy = costs[46:]  # the first second has no timers due
    late = FRAME / 2 + statistics.mean(busy) + sum(left) * FRAME / max(1, counted)
    return {
        "scripts": count,
        "loops": loops,
        "frame_ms": statistics.mean(busy) * 1e3,
        "frame_p99_ms": sorted(busy)[int(len(busy) * 0.99)] * 1e3,
        "us_an_event": sum(busy) / max(1, counted) * 1e6,
        "events": counted,
        "events_expected": expected,
        "late_ms": late * 1e3,
        "create_us": created / count * 1e6,
        "kb_a_script": (resident() - before) / count / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripts", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument("--loops", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--budget", type=float, default=10.0, help="milliseconds of real time a frame")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    end_on_term()
    if options.one:
        print(json.dumps(measure(options.scripts[0], options.loops, options.seconds, options.budget / 1e3)))
        return
    rows = []
    for count in options.scripts:
        command = [sys.executable, "-m", "bench.scripts_many", "--one", "--scripts", str(count)]
        command += ["--loops", str(options.loops), "--seconds", str(options.seconds), "--budget", str(options.budget)]
        rows.append(told(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)))
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{'scripts':>8}{'loops':>6}{'ms a frame':>12}{'p99':>8}{'us an event':>13}{'late ms':>9}{'KB each':>9}"
          f"{'us to make':>12}{'events, of due':>20}")  # fmt: skip
    for row in rows:
        print(f"{row['scripts']:8d}{row['loops']:6d}{row['frame_ms']:12.2f}{row['frame_p99_ms']:8.2f}{row['us_an_event']:13.2f}"
              f"{row['late_ms']:9.1f}{row['kb_a_script']:9.1f}{row['create_us']:12.0f}"
              f"{row['events']:12d} {row['events_expected']:7d}")  # fmt: skip


if __name__ == "__main__":
    main()
