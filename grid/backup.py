"""A whole grid in one folder or one file, made while it runs, and a grid made from it again.

    BACKUP/manifest.json     what is in it: size and SHA-256 of every file, and a hash of the manifest itself
    BACKUP/grid/...          the grid's folder as `layout.py` draws it, without logs and what is true only while it runs

Databases are copied by SQLite's own online backup, each as it was at one moment; assets are copied after them, and since an
asset is stored before anything names it and never changes, every item in a backup finds its asset. What moves between a region
and somebody's inventory in the very seconds of the backup may be in both, as after a crash.

Nothing is written to its last name before it is whole: a backup that was interrupted is not there, and neither is a restore.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from assets.layout import DESCRIPTION, MARKER, Record
from backbone.admin import FILE_NAME, MARK
from grid import plan
from grid.errors import GridError
from grid.layout import Layout
from grid.plan import STORE

FORMAT = 1
MANIFEST = "manifest.json"
_CHUNK = 1 << 20
_AGAIN = 20  # times that a folder of assets is looked through while it is being split

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, of how much."""


@dataclass(slots=True)
class Report:
    files: int = 0
    bytes: int = 0
    assets: int = 0
    damaged: list[str] = field(default_factory=list)  # assets whose bytes are not what their name says: left out
    notes: list[str] = field(default_factory=list)


def default_name(layout: Layout) -> Path:
    """Beside the grid's folder, by the time of day."""
    return layout.root.with_name(f"{layout.root.name}-{time.strftime('%Y%m%d-%H%M%S')}")


# --- out


def back_up(layout: Layout, target: Path, progress: Progress) -> Report:
    """Make a backup of a grid, running or not, under a name that is free: a folder, or one file if the name ends in .tar.

    GridError when there is no grid, the name is taken, or something cannot be read."""
    grid = plan.load(layout)
    if grid is None:
        raise GridError(f"there is no grid in {layout.root}", "is --data the right folder?")
    target = target.absolute()
    if target.exists():
        raise GridError(f"{target} is there already", "give another name: a backup never replaces one")
    part = target.with_name(target.name + ".part")
    if layout.root in (target, *target.parents):
        raise GridError(f"{target} lies in the grid's own folder", "put backups elsewhere, on another disk as a rule")
    shutil.rmtree(part, ignore_errors=True)
    report = Report()
    try:
        _make(part)
        files = _copy_all(layout, grid, part / "grid", report, progress)
        facts = {
            "format": FORMAT, "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "mainland": metadata.version("mainland"), "grid": grid.name,
            "regions": [region.name for region in grid.regions], "notes": report.notes, "files": files,
        }  # fmt: skip
        _write(part / MANIFEST, json.dumps({**facts, "check": _check(facts)}, indent=1).encode() + b"\n")
        if target.suffix == ".tar":
            _pack(part, target, progress)
        else:
            os.sync()  # once for all files: one by one, a million assets would take hours
            os.rename(part, target)
            _sync(target.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    report.files, report.bytes = len(files), sum(size for size, _ in files.values())
    return report


def _copy_all(layout: Layout, grid: plan.Grid, into: Path, report: Report, progress: Progress) -> dict[str, tuple[int, str]]:
    """Everything that a grid is made of; of each file its size and hash, by its name under the grid's folder."""
    found: dict[str, tuple[int, str]] = {}
    databases = [layout.regions / region.region_id / STORE for region in grid.regions]
    if grid.database:
        report.notes.append("people and inventories are in a database of their own (setting `database`): back that up by its own means")
    else:
        databases.append(layout.backbone / FILE_NAME)
    databases = [file for file in databases if file.exists()]
    for number, file in enumerate(databases):
        progress("databases", number, len(databases))
        name = file.relative_to(layout.root)
        _snapshot(file, into / name)
        found[name.as_posix()] = _size_and_hash(into / name)
    progress("databases", len(databases), len(databases))
    plain = [layout.settings, layout.saved, layout.accounts, layout.secret, layout.backbone / MARK, layout.assets / DESCRIPTION]
    for file in plain:
        if file.exists():
            name = file.relative_to(layout.root)
            found[name.as_posix()] = _copy(file, into / name)
    _copy_assets(layout, into, found, report, progress)
    return found


def _snapshot(file: Path, copy: Path) -> None:
    """A database as it is at one moment, while others write to it; looked through from end to end."""
    _make(copy.parent)
    try:
        with closing(sqlite3.connect(file, timeout=30.0)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
            said = target.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise GridError(f"the database {file} cannot be copied: {error}", "nothing was backed up; earlier backups are as they were") from error
    if said != "ok":
        raise GridError(f"the database {file} is damaged: {said}", "nothing was backed up; earlier backups are as they were")
    os.chmod(copy, 0o600)


def _copy_assets(layout: Layout, into: Path, found: dict[str, tuple[int, str]], report: Report, progress: Progress) -> None:
    partitions = sorted(file.parent for file in layout.assets.glob(f"*/{MARKER}"))
    shared: dict[str, Path] = {}
    buckets = [(home, bucket) for home in partitions for bucket in sorted(_folders(home)) if bucket.name != "tmp"]
    for home in partitions:
        name = (home / MARKER).relative_to(layout.root)
        found[name.as_posix()] = _copy(home / MARKER, into / name)
    for number, (_, bucket) in enumerate(buckets):
        if number % 64 == 0:
            progress("assets", number, len(buckets))
        _copy_bucket(layout, bucket, into, found, shared, report)
    progress("assets", len(buckets), len(buckets))


def _copy_bucket(
    layout: Layout, bucket: Path, into: Path, found: dict[str, tuple[int, str]], shared: dict[str, Path], report: Report
) -> None:
    """The assets of a bucket. One that grows is split while we look: what has moved is looked for again."""
    done: set[str] = set()
    for _ in range(_AGAIN):
        moved = False
        for file, record in list(_records(bucket)):
            if file.name in done:
                continue
            name = file.relative_to(layout.root)
            try:
                facts = _copy(file, into / name, shared.get(record.sha256))
            except FileNotFoundError:
                moved = True
                continue
            done.add(file.name)
            if facts != (record.size, record.sha256):
                (into / name).unlink()
                report.damaged.append(str(record.id))
                continue
            shared.setdefault(record.sha256, into / name)
            found[name.as_posix()] = facts
            report.assets += 1
        if not moved:
            return
    raise GridError(f"the assets in {bucket} do not stand still", "try again")


def _records(bucket: Path) -> Iterator[tuple[Path, Record]]:
    for folder, _, names in os.walk(bucket):
        for name in sorted(names):
            record = Record.parse(name)
            if record is not None:
                yield Path(folder) / name, record


def _folders(home: Path) -> list[Path]:
    return [Path(entry.path) for entry in os.scandir(home) if entry.is_dir()]


# --- back


def restore(source: Path, root: Path, progress: Progress) -> Report:
    """Make a grid's folder, which must be empty or absent, from a backup; every byte of it is checked before it has its name.

    GridError says what is damaged, and then nothing is there."""
    root = Path(os.path.abspath(root.expanduser()))
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise GridError(f"{root} is not empty", "restore into a new folder: --data DIR; nothing is ever overwritten")
    part = root.with_name(root.name + ".restoring")
    unpacked = root.with_name(root.name + ".unpacking")
    report = Report()
    try:
        for folder in (part, unpacked):
            shutil.rmtree(folder, ignore_errors=True)
        if source.is_file():
            progress("unpacking", 0, 1)
            _unpack(source, unpacked)
            progress("unpacking", 1, 1)
        backup = unpacked if source.is_file() else source
        facts = read_manifest(backup)
        _fetch(backup / "grid", facts["files"], part, report, progress)
        report.notes = list(facts["notes"])
        _finish(part)
        if root.exists():
            root.rmdir()
        os.sync()
        os.rename(part, root)
        _sync(root.parent)
    finally:
        for folder in (part, unpacked):
            shutil.rmtree(folder, ignore_errors=True)
    return report


def read_manifest(backup: Path) -> dict[str, Any]:
    """What a backup says of itself. GridError when it is none, is damaged, or of a later version."""
    try:
        facts = json.loads((backup / MANIFEST).read_bytes())
        check = facts.pop("check")
        if facts["format"] != FORMAT and isinstance(facts["format"], int):
            raise GridError(f"{backup} is a backup of format {facts['format']}; this version of Mainland reads format {FORMAT}")
        if check != _check(facts):
            raise ValueError("its hash is another")
        for name, (size, digest) in facts["files"].items():
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or not isinstance(size, int) or not isinstance(digest, str):
                raise ValueError(f"{name!r} is no file of a grid")
    except (OSError, NotADirectoryError) as error:
        raise GridError(f"{backup} is no backup: {error.strerror} ({MANIFEST})", "name the folder or file that `mainland backup` made") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise GridError(f"the backup {backup} is damaged: {MANIFEST}: {error}", "nothing was restored; use another backup") from error
    return dict(facts)


def _fetch(source: Path, files: dict[str, list[Any]], part: Path, report: Report, progress: Progress) -> None:
    shared: dict[str, Path] = {}
    for number, (name, (size, digest)) in enumerate(files.items()):
        if number % 64 == 0:
            progress("files", number, len(files))
        is_asset = Record.parse(PurePosixPath(name).name) is not None
        try:
            found = _copy(source / name, part / name, shared.get(digest) if is_asset else None)
        except OSError as error:
            raise GridError(f"the backup is damaged: {name} cannot be read: {error.strerror}", "nothing was restored; use another backup") from error
        if found != (size, digest):
            raise GridError(f"the backup is damaged: {name} is not what it was", "nothing was restored; use another backup")
        if is_asset:
            shared.setdefault(digest, part / name)
            report.assets += 1
        report.files, report.bytes = report.files + 1, report.bytes + size
    progress("files", len(files), len(files))


def _finish(part: Path) -> None:
    """Folders that are empty as a rule; and viewers forget what they remember of these regions: it may be of a later time."""
    part.mkdir(exist_ok=True, mode=0o700)
    for name in ("backbone", "assets", "regions", "logs", "run"):
        (part / name).mkdir(exist_ok=True, mode=0o700)
    for store in part.glob(f"regions/*/{STORE}"):
        with closing(sqlite3.connect(store)) as database, database:
            database.execute("UPDATE facts SET value = ? WHERE name = 'cache_id'", (str(uuid4()),))


# --- files


def _copy(source: Path, target: Path, twin: Path | None = None) -> tuple[int, str]:
    """A file's copy; size and hash of what was read. `twin`: a copy of equal bytes that may be shared."""
    _make(target.parent)
    digest, size = hashlib.sha256(), 0
    with open(source, "rb") as file, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            out.write(chunk)
    if twin is not None and size == twin.stat().st_size:
        try:
            target.unlink()
            os.link(twin, target)
        except OSError:  # no links here, or too many
            shutil.copyfile(twin, target)
    return size, digest.hexdigest()


def _make(folder: Path) -> None:
    """A folder with those above it, for its owner alone."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o700)


def _size_and_hash(file: Path) -> tuple[int, str]:
    digest = hashlib.sha256()
    with open(file, "rb") as data:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
    return file.stat().st_size, digest.hexdigest()


def _check(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _write(file: Path, data: bytes) -> None:
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(data)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _pack(folder: Path, target: Path, progress: Progress) -> None:
    """The folder as one file, not compressed: most of a grid is."""
    fresh = target.with_name(target.name + ".new")
    names = sorted(path for path in folder.rglob("*") if path.is_file())
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for number, path in enumerate(names):
                if number % 64 == 0:
                    progress("packing", number, len(names))
                tar.add(path, path.relative_to(folder).as_posix(), recursive=False)
        out.flush()
        os.fsync(out.fileno())
    os.rename(fresh, target)
    _sync(target.parent)
    progress("packing", len(names), len(names))


def _unpack(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    try:
        with tarfile.open(source, "r:") as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, ValueError, EOFError, LookupError, RecursionError) as error:
        raise GridError(f"{source} is no backup, or it is damaged: {error}", "nothing was restored; use another backup") from error
