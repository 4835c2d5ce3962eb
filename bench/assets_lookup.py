"""What a look-up in a large asset store costs: any stranger's GET of an unknown id is one.

    python -m bench.assets_lookup [--buckets 40] [--millions 10] [--dir DIR] [--json]

A store of so many million assets has 244 names a million in each of its 4,096 buckets. Only some buckets are filled (40 of a
store of 10 million are 98,000 files) and only their ids are asked for. Figures are milliseconds of processor a look-up,
each of another bucket in turn: of ids that are not there, and of ids that are; "first" is the first in each bucket, which
splits one that was never used by this version.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

from assets.store import Store

ASKED = 2000


def fill(directory: Path, buckets: int, names: int) -> list[UUID]:
    """Files as format 1 has them, not durable, all of the same byte."""
    with Store(directory, ["only"]):
        pass
    (directory / "store.json").write_text('{"format": 1, "partitions": ["only"], "previous": null}')
    sha256, ids = hashlib.sha256(b"x").hexdigest(), []
    for bucket in range(buckets):
        home = directory / "only" / f"{bucket:03x}"
        home.mkdir()
        for _ in range(names):
            ids.append(UUID(int=bucket << 116 | int.from_bytes(os.urandom(14))))
            (home / f"{ids[-1]}.0.1.{sha256}").write_bytes(b"x")
        print(f"\r{bucket + 1} of {buckets} buckets", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return ids


def milliseconds(store: Store, ids: list[UUID], there: bool) -> float:
    """Of processor, a look-up."""
    begun = time.process_time()
    for asset_id in ids:
        assert (store.find(asset_id) is not None) == there
    return (time.process_time() - begun) / len(ids) * 1000


def unknown(buckets: int, count: int) -> list[UUID]:
    return [UUID(int=number % buckets << 116 | int.from_bytes(os.urandom(14))) for number in range(count)]


def measure(directory: Path, buckets: int, millions: float) -> dict[str, float]:
    names = round(millions * 1e6 / 4096)
    ids = fill(directory, buckets, names)
    with Store(directory) as store:
        return {
            "assets": len(ids),
            "names a bucket": names,
            "first ms": milliseconds(store, unknown(buckets, buckets), False),
            "unknown ms": milliseconds(store, unknown(buckets, ASKED), False),
            "known ms": milliseconds(store, ids[:: max(1, len(ids) // ASKED)], True),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--buckets", type=int, default=40)
    parser.add_argument("--millions", type=float, default=10.0)
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.dir) as folder:
        figures = measure(Path(folder) / "store", asked.buckets, asked.millions)
    if asked.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<16} {value:10.3f}" if isinstance(value, float) else f"{name:<16} {value:10d}")


if __name__ == "__main__":
    main()
