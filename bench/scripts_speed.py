"""How fast a script computes: loops, calls, texts and lists, beside CPython and, where `mcs` and `mono` are installed,
C#.

    python -m bench.scripts_speed [--rounds 5] [--json]

All sides do the same work, in turns, and check each other's results; figures are medians over the rounds. The script's
float temporaries have 64 bits and its places 32, as LSL wants; C# gets the same with `float` fields and `double` sums.
The script's time is the scheduler's: every pause and resume of its slices is in it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sim.scripts.machine.engine import Engine
from sim.scripts.tools.fakeworld import FakeWorld

TASKS = ("integer loop", "float loop", "user call", "text append", "text compare", "list append", "list sum")
COUNTS = {
    "integer loop": 10_000_000, "float loop": 10_000_000, "user call": 1_664_079, "text append": 10_000,
    "text compare": 1_000_000, "list append": 2_000, "list sum": 1_000_000,
}  # fmt: skip
BARS = {
    "integer loop": 3.0,
    "user call": 12.0,
    "text append": 100.0,
    "list append": 100.0,
}  # ns each, from the promises

LSL = {
    "integer loop": ("", "integer s; integer i; for (i = 0; i < 10000000; ++i) s = s * 3 + (i ^ s); r = (string)s;"),
    "float loop": ("", "float s; integer i; for (i = 0; i < 10000000; ++i) s = s * 0.5 + i; r = (string)((integer)s);"),
    "user call": ("integer fib(integer n) { if (n < 2) return n; return fib(n - 1) + fib(n - 2); }",
                  "r = (string)(fib(28) + fib(26));"),
    "text append": ("", 'string s; integer i; for (i = 0; i < 10000; ++i) s += "x"; r = (string)llStringLength(s);'),
    "text compare": ("", 'string a = "some text of a usual length"; string b = a + "!"; string c = a + "?"; integer n; '
                     "integer i; for (i = 0; i < 1000000; ++i) if (b == c) ++n; r = (string)n;"),
    "list append": ("", "list l; integer i; for (i = 0; i < 2000; ++i) l += i; r = (string)llGetListLength(l);"),
    "list sum": ("", "list l; integer i; integer k; integer s; for (i = 0; i < 1000; ++i) l += i; "
                 "for (k = 0; k < 1000; ++k) for (i = 0; i < 1000; ++i) s += llList2Integer(l, i); r = (string)s;"),
}  # fmt: skip

CSHARP = """
using System; using System.Collections.Generic; using System.Diagnostics;
class Bench {
  static int Fib(int n) { return n < 2 ? n : Fib(n - 1) + Fib(n - 2); }
  static string Run(string task) {
    switch (task) {
      case "integer loop": { int s = 0; for (int i = 0; i < 10000000; ++i) s = unchecked(s * 3 + (i ^ s)); return
      s.ToString(); } case "float loop": { float s = 0; for (int i = 0; i < 10000000; ++i) s = (float)((double)s * 0.5 +
      i); return ((int)s).ToString(); } case "user call": return (Fib(28) + Fib(26)).ToString();
      case "text append": { string s = ""; for (int i = 0; i < 10000; ++i) s += "x"; return s.Length.ToString(); }
      case "text compare": { string a = "some text of a usual length", b = a + "!", c = a + "?"; int n = 0;
        for (int i = 0; i < 1000000; ++i) if (b == c) ++n; return n.ToString(); }
      case "list append": { var l = new object[0]; for (int i = 0; i < 2000; ++i) { var k = new object[l.Length + 1];
        Array.Copy(l, k, l.Length); k[l.Length] = i; l = k; } return l.Length.ToString(); }
      default: { var l = new object[1000]; for (int i = 0; i < 1000; ++i) l[i] = i; int s = 0;
        for (int k = 0; k < 1000; ++k) for (int i = 0; i < 1000; ++i) s = unchecked(s + (int)l[i]); return s.ToString();
        }
    } }
  static void Main(string[] args) {
    Run(args[0]); var w = Stopwatch.StartNew(); string r = Run(args[0]); w.Stop();
    Console.WriteLine(w.Elapsed.TotalSeconds.ToString("R", System.Globalization.CultureInfo.InvariantCulture) + " " +
    r); } }
"""


def in_lsl(engine: Engine, task: str) -> tuple[float, str]:
    before, body = LSL[task]
    world = FakeWorld(engine)
    script = world.add(f"string r; {before} default {{ touch_start(integer n) {{ {body} llOwnerSay(r); }} }}")
    script.budget = 1_000_000
    start = time.perf_counter()
    world.touch()
    spent = time.perf_counter() - start
    return spent, world.said[-1]


def _wrap(value: int) -> int:
    return (value + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def in_python(task: str) -> tuple[float, str]:
    """The same in CPython, a hundredth of the loops where a whole one would take seconds (the time is scaled)."""
    start = time.perf_counter()
    scale = 1.0
    if task == "integer loop":
        total = 0
        for i in range(100_000):
            total = _wrap(total * 3 + (i ^ total))
        result, scale = "", 100.0
    elif task == "float loop":
        single = 0.0
        for i in range(1_000_000):
            single = single * 0.5 + i
        result, scale = "", 10.0
    elif task == "user call":

        def fib(n: int) -> int:
            return n if n < 2 else fib(n - 1) + fib(n - 2)

        result = str(fib(28) + fib(26))
    elif task == "text append":
        text = ""
        for _ in range(10_000):
            text += "x"
        result = str(len(text))
    elif task == "text compare":
        a = "some text of a usual length"
        b, c, same = a + "!", a + "?", 0
        for _ in range(1_000_000):
            if b == c:
                same += 1
        result = str(same)
    elif task == "list append":
        items: list[int] = []
        for i in range(2_000):
            items = [*items, i]
        result = str(len(items))
    else:
        items, total = list(range(1_000)), 0
        for _ in range(1_000):
            for i in range(1_000):
                total += items[i]
        result = str(_wrap(total))
    return (time.perf_counter() - start) * scale, result


def csharp(folder: Path) -> Callable[[str], tuple[float, str]] | None:
    """The C# side, compiled; None without Mono."""
    if not (shutil.which("mcs") and shutil.which("mono")):
        return None
    (folder / "bench.cs").write_text(CSHARP)
    subprocess.run(["mcs", "-optimize+", "-out:bench.exe", "bench.cs"], cwd=folder, check=True, capture_output=True)

    def run(task: str) -> tuple[float, str]:
        out = subprocess.run(["mono", "bench.exe", task], cwd=folder, check=True, capture_output=True, text=True).stdout
        seconds, result = out.split()
        return float(seconds), result

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    engine = Engine()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        mono = csharp(Path(folder))
        for task in TASKS:
            times: dict[str, list[float]] = {"lsl": [], "python": [], "mono": []}
            for _ in range(options.rounds):
                seconds, result = in_lsl(engine, task)
                times["lsl"].append(seconds)
                seconds, other = in_python(task)
                times["python"].append(seconds)
                assert other in ("", result), (task, result, other)
                if mono is not None:
                    seconds, other = mono(task)
                    times["mono"].append(seconds)
                    assert other == result, (task, result, other)
            each = {side: statistics.median(spent) / COUNTS[task] * 1e9 for side, spent in times.items() if spent}
            rows.append(
                {
                    "task": task,
                    "count": COUNTS[task],
                    "bar_ns": BARS.get(task),
                    **{f"{s}_ns": v for s, v in each.items()},
                }
            )
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{'nanoseconds each':16}{'script':>10}{'bar':>8}{'CPython':>10}{'Mono C#':>10}")
    for row in rows:
        bar, mono_ns = row["bar_ns"], row.get("mono_ns")
        print(f"{row['task']:16}{row['lsl_ns']:10.2f}{f'{bar:g}' if bar else '':>8}{row['python_ns']:10.2f}"
              f"{f'{mono_ns:.2f}' if mono_ns else 'none':>10}")  # fmt: skip


if __name__ == "__main__":
    main()
