"""What it costs to bring a script to life: compile cold and cached, start, save, restore, pause and resume.

    python -m bench.scripts_compile [--rounds 9] [--json]

Sources of 30, 300 and 3,000 lines are generated, each round other ones, so that no cache helps the cold figures.
Front end is source to wasm, back end wasm to machine code by Cranelift, quick the same by Winch. Cold and cached
start are from the source to a started script, with both tiers; cached is the same source again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import wasmtime

from sim.scripts.language.program import compile_script
from sim.scripts.machine.engine import Engine
from sim.scripts.machine.saved import restore, save
from sim.scripts.tools.fakeworld import FakeWorld


def source(lines: int, seed: int) -> str:
    """A script of so many lines, a mix of what scripts do."""
    block = """integer work{n}(integer a, string s) {{
    integer i;
    list l = [a, s, <1.0, 2.0, 3.0>];
    for (i = 0; i < a; ++i) {{
        if (i % 3 == {n} % 3) {{ l += [i, (string)i]; }}
        else {{ s = s + "," + (string)(i * {n}.5); }}
    }}
    while (llGetListLength(l) > 5) {{ l = llList2List(l, 1, -1); }}
    return llStringLength(s) + llGetListLength(l);
}}
"""
    count = max(1, (lines - 10) // 11)
    text = f"integer total = {seed};\n" + "\n".join([block.format(n=n) for n in range(count)])
    calls = "\n".join([f'        total += work{n}(3, "x");' for n in range(count)])
    return text + f"default {{\n    state_entry() {{\n{calls}\n        llOwnerSay((string)total);\n    }}\n}}\n"


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


PAUSES = """default { touch_start(integer n) { integer i; list l; for (i = 0; i < 100; ++i) l += [i, "text " +
(string)i];
    string big = (string)l; big += big; big += big; while (TRUE) i++; } }"""


def moves(engine: Engine, rounds: int) -> dict[str, float]:
    """Milliseconds to save and restore a paused script of about 20 KB, and microseconds for a pause and resume."""
    world = FakeWorld(engine)
    script = world.add(PAUSES)
    world.settle()
    script.post("touch_start", 1)
    script.slice(0.0, 100_000)
    saves, restores, slices = [], [], []
    for _ in range(rounds * 10):
        start = time.perf_counter()
        data = save(script, 0.0)
        saves.append((time.perf_counter() - start) * 1e3)
        start = time.perf_counter()
        restore(engine, data, script.program, world, 0.0, owner=script.owner, object_id=script.object_id)
        restores.append((time.perf_counter() - start) * 1e3)
        start = time.perf_counter()
        for _ in range(100):
            script.slice(0.0, 1)
        slices.append((time.perf_counter() - start) * 1e4)
    return {
        "page_bytes": script.instance.used, "state_bytes": len(data), "save_ms": statistics.median(saves),
        "restore_ms": statistics.median(restores), "pause_resume_us": statistics.median(slices),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    engine = Engine(tiers=True)
    assert engine.quick is not None
    rows = []
    for lines in (30, 300, 3_000):
        front, back, quick, cold, cached = [], [], [], [], []
        for turn in range(options.rounds):
            text = source(lines, turn)
            front.append(timed(lambda text=text: compile_script(text)))  # type: ignore[misc]
            wasm = compile_script(text).wasm
            back.append(timed(lambda wasm=wasm: wasmtime.Module(engine.good.wasm, wasm)))  # type: ignore[misc]
            quick.append(timed(lambda wasm=wasm: wasmtime.Module(engine.quick.wasm, wasm)))  # type: ignore[misc]
            fresh = source(lines, 1000 + turn)
            cold.append(timed(lambda text=fresh: FakeWorld(engine).add(text)))  # type: ignore[misc]
            cached.append(timed(lambda text=fresh: FakeWorld(engine).add(text)))  # type: ignore[misc]
        medians = [statistics.median(each) for each in (front, back, quick, cold, cached)]
        names = ("front_ms", "back_ms", "quick_ms", "cold_ms", "cached_ms")
        rows.append({"lines": source(lines, 0).count("\n"), **dict(zip(names, medians, strict=True))})
    moved = moves(engine, options.rounds)
    if options.json:
        print(json.dumps({"compile": rows, "moves": moved}))
        return
    titles = (("lines", 6), ("front end ms", 14), ("back end ms", 13), ("quick ms", 10), ("cold start ms", 15))
    print("".join([f"{title:>{width}}" for title, width in titles]) + f"{'cached start ms':>17}   (bars at 30: 8, 0.5)")
    for row in rows:
        print(
            f"{row['lines']:6d}{row['front_ms']:14.2f}{row['back_ms']:13.2f}{row['quick_ms']:10.2f}{row['cold_ms']:15.2f}"
            f"{row['cached_ms']:17.3f}"
        )
    print(
        f"\na paused script of {moved['page_bytes']} bytes: save {moved['save_ms']:.3f} ms to {moved['state_bytes']} "
        f"bytes, restore {moved['restore_ms']:.3f} ms; pause and resume {moved['pause_resume_us']:.2f} us"
    )


if __name__ == "__main__":
    main()
