"""`mainland backup` and `mainland restore`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grid.layout import Layout, default_dir

if TYPE_CHECKING:
    from grid.backup import Progress

_EVERY = 2.0  # seconds between two lines where there is no terminal


@contextmanager
def _shown() -> Iterator[Progress]:
    """One line on stderr that changes; where that is no terminal, a line now and then."""
    live, told = sys.stderr.isatty(), [0.0]

    def show(what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if live:
            print(f"\r\x1b[K{what}: {done} of {of}", end="", file=sys.stderr, flush=True)
        elif done == of or now - told[0] > _EVERY:
            told[0] = now
            print(f"{what}: {done} of {of}", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def backup(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The grid's folder.", default_factory=default_dir)],
    target: Annotated[
        Path | None, typer.Argument(metavar="NAME", help="A folder that is to be made, or a file ending in .tar; default: by the time.")
    ] = None,
) -> None:
    """Copy a whole grid, running or not: regions, people, inventories, assets, with a hash of every file."""
    from grid import backup as files  # late: it loads what a database takes

    layout = Layout(data)
    target = target.expanduser() if target is not None else files.default_name(layout)
    with _shown() as progress:
        done = files.back_up(layout, target, progress)
    for note in done.notes:
        print(f"note: {note}")
    if done.damaged:
        print(f"{len(done.damaged)} damaged assets are left out: {', '.join(done.damaged[:5])}", file=sys.stderr)
    print(f"{target}: {done.files} files, {done.assets} of them assets, {done.bytes / 1e6:.1f} MB")


def restore(
    source: Annotated[Path, typer.Argument(metavar="NAME", help="The folder or file that `mainland backup` made.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The grid's new folder: empty, or not there.", default_factory=default_dir)],
) -> None:
    """Make a grid's folder from a backup. All of it is checked first; a damaged backup leaves nothing behind."""
    from grid import backup as files

    with _shown() as progress:
        done = files.restore(source.expanduser(), data, progress)
    for note in done.notes:
        print(f"note: {note}")
    print(f"{Layout(data).root}: {done.files} files, {done.assets} of them assets, {done.bytes / 1e6:.1f} MB; start it: mainland up --data {data}")
