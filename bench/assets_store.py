"""How fast the asset store takes and gives, beside a bare file tree on the same disk in the same run.

    python -m bench.assets_store [--assets 400] [--rounds 5] [--dir DIR] [--json]

Assets are 10 to 500 KB of random bytes, sizes spread evenly over the logarithm. "Bare" is the least a durable file tree
can do: write, fsync, rename, fsync the directory, no hash, no index, no check (and for gets: open and read). The two
take turns round by round; figures are medians over the rounds, and the ratio is that of each round's pair. Over HTTP a
real service process is asked by this process on the same cores, so those figures are floors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import numpy as np

from assets.client import AssetClient
from assets.store import Store, check
from bench.kit import end_on_term

SECRET = "the secret of a benchmark grid"


def make_assets(count: int) -> list[tuple[UUID, bytes]]:
    sizes = np.exp(np.linspace(np.log(10_000), np.log(500_000), count)).astype(int)
    np.random.default_rng(1).shuffle(sizes)
    return [(uuid4(), os.urandom(size)) for size in sizes]


class BareTree:
    """Files by id under 256 directories, durable when put, nothing else."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "tmp").mkdir(parents=True)
        for prefix in range(256):
            (directory / f"{prefix:02x}").mkdir()

    def put(self, asset_id: UUID, data: bytes) -> None:
        name = str(asset_id)
        home = f"{self.directory}/{name[:2]}"
        temporary = f"{self.directory}/tmp/{name}"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(fd, data)
        os.fsync(fd)
        os.close(fd)
        os.rename(temporary, f"{home}/{name}")
        fd = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(fd)
        os.close(fd)

    def get(self, asset_id: UUID) -> bytes:
        name = str(asset_id)
        return Path(f"{self.directory}/{name[:2]}/{name}").read_bytes()


def timed(work: Callable[[Any], object], items: list[Any], threads: int) -> tuple[float, list[float]]:
    """Items a second, and each one's seconds."""

    def one(item: Any) -> float:
        begun = time.perf_counter()
        work(item)
        return time.perf_counter() - begun

    begun = time.perf_counter()
    if threads == 1:
        each = [one(item) for item in items]
    else:
        with ThreadPoolExecutor(threads) as pool:
            each = list(pool.map(one, items))
    return len(items) / (time.perf_counter() - begun), each


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def compare_on_disk(base: Path, count: int, rounds: int, threads: int) -> dict[str, Any]:
    """Puts and gets, bare tree and store in turns. Buckets exist already, as in a store that is in use."""
    figures: dict[str, list[float]] = {name: [] for name in ("bare_put", "put", "bare_get", "get")}
    slowest: dict[str, list[float]] = {name: [] for name in figures}
    bare = BareTree(base / f"bare{threads}")
    with Store(base / f"store{threads}") as store:
        for bucket in store._buckets:
            Path(bucket).mkdir()
        os.sync()
        for number in range(rounds):
            assets = make_assets(count)
            runs: list[tuple[str, Callable[[Any], object]]] = [
                ("bare_put", lambda item: bare.put(*item)),
                ("put", lambda item: store.put(item[0], item[1], 0)),
            ]
            reads: list[tuple[str, Callable[[Any], object]]] = [
                ("bare_get", lambda item: bare.get(item[0])),
                ("get", lambda item: store.get(item[0])),
            ]
            turned = slice(None, None, -1 if number % 2 else 1)
            for name, work in [*runs[turned], *reads[turned]]:
                rate, each = timed(work, assets, threads)
                figures[name].append(rate)
                slowest[name] += each
    report = check(base / f"store{threads}")
    assert report.ok and report.assets == count * rounds

    def ratio(name: str) -> float:
        return statistics.median(a / b for a, b in zip(figures[name], figures[f"bare_{name}"], strict=True))

    return {
        "threads": threads,
        **{f"{name}s_per_s": round(statistics.median(rates)) for name, rates in figures.items()},
        **{f"{name}_p99_ms": round(percentile(slowest[name], 0.99) * 1e3, 2) for name in figures},
        "put_ratio": round(ratio("put"), 2),
        "get_ratio": round(ratio("get"), 2),
    }


async def ask(url: str, count: int, at_once: int) -> dict[str, Any]:
    """Puts, then gets of all (first read from disk, then from memory), over ``at_once`` connections."""
    assets = make_assets(count)
    results: dict[str, Any] = {"connections": at_once}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:
        client = AssetClient(url, SECRET, session)

        async def run(name: str, work: Callable[[UUID, bytes], Any]) -> None:
            queue, each = list(assets), []

            async def worker() -> None:
                while queue:
                    asset_id, data = queue.pop()
                    begun = time.perf_counter()
                    await work(asset_id, data)
                    each.append(time.perf_counter() - begun)

            begun = time.perf_counter()
            await asyncio.gather(*(worker() for _ in range(at_once)))
            results[f"{name}s_per_s"] = round(count / (time.perf_counter() - begun))
            results[f"{name}_p50_ms"] = round(percentile(each, 0.5) * 1e3, 2)
            results[f"{name}_p99_ms"] = round(percentile(each, 0.99) * 1e3, 2)

        async def part(asset_id: UUID, data: bytes) -> None:
            async with session.get(f"{url}/viewer/?texture_id={asset_id}", headers={"Range": "bytes=0-599"}) as answer:
                assert answer.status == 206 and len(await answer.read()) == 600

        await run("put", lambda asset_id, data: client.put(asset_id, data, 0))
        await run("first_get", lambda asset_id, data: client.get(asset_id))
        await run("get", lambda asset_id, data: client.get(asset_id))
        await run("range", part)
    return results


def over_http(base: Path, count: int) -> list[dict[str, Any]]:
    secret = base / "secret"
    secret.write_text(SECRET)
    command = [sys.executable, "-m", "assets", "--data", str(base / "served"), "--port", "0"]
    service = subprocess.Popen([*command, "--secret-file", str(secret)], stdout=subprocess.PIPE)
    assert service.stdout is not None
    try:
        url = f"http://127.0.0.1:{json.loads(service.stdout.readline())['port']}"
        return [asyncio.run(ask(url, count, at_once)) for at_once in (1, 8, 32)]
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(20)


def show(results: dict[str, Any]) -> None:
    print(f"{results['assets']} assets of 10 to 500 KB a round, {results['rounds']} rounds; medians\n")
    print("on disk        bare puts/s  puts/s  ratio  p99 ms (bare)   bare gets/s  gets/s  ratio  p99 ms (bare)")
    for row in results["disk"]:
        print(
            f"{row['threads']} thread(s)    {row['bare_puts_per_s']:>10}  {row['puts_per_s']:>6}  {row['put_ratio']:>5}"
            f"  {row['put_p99_ms']:>6} ({row['bare_put_p99_ms']})   {row['bare_gets_per_s']:>10}  {row['gets_per_s']:>6}"
            f"  {row['get_ratio']:>5}  {row['get_p99_ms']:>6} ({row['bare_get_p99_ms']})"
        )
    print("\nover HTTP      puts/s p99 ms    first gets/s p99 ms    gets/s p99 ms    600-byte ranges/s p99 ms")
    for row in results["http"]:
        print(
            f"{row['connections']:>2} at once     {row['puts_per_s']:>6} {row['put_p99_ms']:>6}    "
            f"{row['first_gets_per_s']:>12} {row['first_get_p99_ms']:>6}    {row['gets_per_s']:>6} {row['get_p99_ms']:>6}    "
            f"{row['ranges_per_s']:>17} {row['range_p99_ms']:>6}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assets", type=int, default=400, help="assets a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dir", type=Path, help="a folder on the disk to measure; default: the temporary folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    end_on_term()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        base = Path(folder)
        results = {
            "assets": options.assets,
            "rounds": options.rounds,
            "disk": [compare_on_disk(base, options.assets, options.rounds, threads) for threads in (1, 8)],
            "http": over_http(base, options.assets),
        }
    if options.json:
        print(json.dumps(results))
    else:
        show(results)


if __name__ == "__main__":
    main()
