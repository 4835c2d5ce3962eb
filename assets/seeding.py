"""Bring the library into a store: at its first start, and what is new after an update.

Drawing takes a few seconds of a processor, so what was drawn is kept in the user's cache directory, in one file a
version, and every further grid on the machine starts at once. The version is a hash of the drawing code itself and of
the libraries that do the work: nobody has to remember to raise a number.
"""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version as version_of
from pathlib import Path
from uuid import UUID

from assets import durable
from assets.store import Conflict, PartitionLost, Store

log = logging.getLogger(__name__)

_MARK = "library"  # in the store's directory: the version that was seeded last
KEPT = 4  # drawn versions in the cache: several checkouts may take turns
_HERE = Path(__file__).parent


def library_version() -> str:
    """A hash of all that decides the library's bytes."""
    digest = hashlib.sha256()
    for name in ("numpy", "pillow"):
        digest.update(f"{name} {version_of(name)}\n".encode())
    protocol = _HERE.parent / "protocol"
    shared = [protocol / "wellknown.py", protocol / "appearance.py", protocol / "visual_params.txt"]
    for source in [*sorted((_HERE / "library").glob("*.py")), *shared]:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def cache_directory() -> Path:
    """Where drawn libraries are kept: $XDG_CACHE_HOME/mainland, by default in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "mainland"


def draw() -> dict[UUID, tuple[int, bytes]]:
    """Every asset of the library, drawn now: id -> (asset type, bytes)."""
    from assets.library.catalog import ENTRIES  # numpy and Pillow, needed only here

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        made = pool.map(lambda entry: entry.make(), ENTRIES)
        return {entry.id: (int(entry.type), data) for entry, data in zip(ENTRIES, made, strict=True)}


def load_or_draw(cache: Path, version: str) -> dict[UUID, tuple[int, bytes]]:
    """The library from the cache, or drawn and put there. A cache that can't be read or written costs time only."""
    path = cache / f"library-{version}.zip"
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        log.warning("the drawn library in %s can't be used: %s", path, error)
    log.info("drawing the library's textures")
    library = draw()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _write(path, library)
        for old in sorted(cache.glob("library-*.zip"), key=lambda each: each.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        log.warning("the drawn library can't be kept in %s: %s", cache, error)
    return library


def _read(path: Path) -> dict[UUID, tuple[int, bytes]]:
    library = {}
    with zipfile.ZipFile(path) as archive:  # checks every member's CRC
        for name in archive.namelist():
            kind, asset_id = name.split("/")
            library[UUID(asset_id)] = (int(kind), archive.read(name))
    return library


def _write(path: Path, library: dict[UUID, tuple[int, bytes]]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with zipfile.ZipFile(temporary, "w") as archive:
        for asset_id, (kind, data) in library.items():
            archive.writestr(f"{kind}/{asset_id}", data)
    os.replace(temporary, path)


def seed(store: Store, cache: Path | None = None) -> int:
    """Put the library's missing assets into the store; returns how many. Does nothing if this version was seeded.

    Assets never change: one that an update draws differently stays as it is in stores that have it.
    """
    version = library_version()
    mark = store.directory / _MARK
    if mark.exists() and mark.read_text().strip() == version:
        return 0
    library = load_or_draw(cache or cache_directory(), version)

    away: list[UUID] = []

    def put(item: tuple[UUID, tuple[int, bytes]]) -> bool:
        asset_id, (kind, data) = item
        try:
            return store.put(asset_id, data, kind)
        except Conflict:
            return False
        except PartitionLost:
            away.append(asset_id)
            return False

    with ThreadPoolExecutor(8) as pool:
        added = sum(pool.map(put, library.items()))
    if away:
        log.warning("%d assets of the library wait for partitions that are away", len(away))
        return added
    durable.replace(mark, f"{version}\n".encode())
    return added
