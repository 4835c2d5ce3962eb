"""`python -m assets`: the asset service as a process; `python -m assets --check --data DIR` hashes all it holds.

Prints one JSON line when it accepts requests, logs on stderr, ends cleanly on SIGTERM and SIGINT.
"""

from __future__ import annotations

from ground import green

green.patch()

import argparse  # noqa: E402 - sockets are patched before anything else is imported
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from assets.api import MAX_ASSET, QUOTA, Service  # noqa: E402
from assets.store import DEFAULT_PARTITIONS, Store, StoreError, check  # noqa: E402
from ground import gauges, server, stacks  # noqa: E402
from ground.disks import ASSETS_RESERVE  # noqa: E402
from ground.doors import raise_open_files  # noqa: E402
from ground.proxies import Networks  # noqa: E402

log = logging.getLogger("assets")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m assets", description="The asset store and its HTTP face.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the store")
    parser.add_argument("--bind", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=9001, help="0: any free one")
    parser.add_argument("--secret-file", type=Path, help="file with the grid's secret, needed to serve")
    parser.add_argument("--partitions", default=",".join(DEFAULT_PARTITIONS), help="names, for a new store")
    parser.add_argument("--max-asset-bytes", type=int, default=MAX_ASSET)
    parser.add_argument(
        "--trusted-proxies", type=Networks.parse, metavar="NETWORKS", default=Networks(()),
        help="proxies whose X-Forwarded-For and -Proto are believed, with commas between",
    )
    parser.add_argument("--quota-megabytes", type=int, default=QUOTA >> 20, help="what one person may bring a day; 0: any")
    parser.add_argument("--reserve-megabytes", type=int, default=ASSETS_RESERVE >> 20, help="of the disk, left to the rest of the grid")
    parser.add_argument("--check", action="store_true", help="hash every asset, report as JSON, and end")
    return parser.parse_args()


def run_check(directory: Path) -> int:
    report = check(directory)
    facts = {
        "ok": report.ok,
        "assets": report.assets,
        "blobs": report.blobs,
        "bytes": report.bytes,
        "bad": report.bad,
        "misplaced": report.misplaced,
        "foreign": report.foreign,
        "quarantined": report.quarantined,
    }
    print(json.dumps(facts, indent=1))
    return 0 if report.ok else 1


def seed(store: Store) -> None:
    """Put the library into a store that lacks it. numpy and Pillow are loaded only then."""
    from assets import seeding

    added = seeding.seed(store)
    if added:
        log.info("the library's %d assets are in the store", added)


def serve(options: argparse.Namespace) -> int:
    if options.secret_file is None:
        raise StoreError("--secret-file is needed to serve")
    secret = options.secret_file.read_text().strip()
    if not secret:
        raise StoreError(f"{options.secret_file} holds no secret")
    # Bound before the library is drawn: two services on one port find out at once.
    listener = server.listen(options.bind, options.port)
    with Store(options.data, options.partitions.split(",")) as store:
        seed(store)
        service = Service(
            store, secret, max_asset=options.max_asset_bytes, quota=options.quota_megabytes << 20,
            reserve=options.reserve_megabytes << 20, partitions=store.partitions,
        )  # fmt: skip
        http = server.Server(listener, service.app(), trusted=options.trusted_proxies)
        gauges.show(http.doors, service.metrics.registry, "assets")
        print(json.dumps({"ready": True, "port": listener.getsockname()[1], "pid": os.getpid()}), flush=True)
        server.run_until_signal(http, (signal.SIGTERM, signal.SIGINT))
    return 0


def main() -> int:
    options = arguments()
    stacks.on_signals()
    raise_open_files()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        return run_check(options.data) if options.check else serve(options)
    except (StoreError, OSError, ValueError) as error:
        print(f"assets: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    green.leave(main())
