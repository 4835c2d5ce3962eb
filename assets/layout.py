"""The shape of a store on disk: its description, its partitions, the record of an asset. Drawn in store.py."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from assets import durable
from assets.partitions import check_names
from assets.types import HIGHEST_TYPE

FORMAT = 2  # buckets may be split into leaves (leaves.py); format 1 is read, and is 2 from then on
DESCRIPTION = "store.json"
MARKER = "partition"  # a file in every partition, so that a disk that is not mounted is not taken for an empty one
DAMAGED = ".damaged"  # behind the name of a file whose bytes no longer hash to it
_NAME = re.compile(
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.(\d{1,3})\.(\d{1,12})\.([0-9a-f]{64})", re.ASCII
)


class StoreError(Exception):
    """The store on disk is not as it must be."""


class CorruptAsset(StoreError):
    """There is such an asset, but its bytes are damaged or gone. Never served."""


class PartitionLost(StoreError):
    """The partition that holds, or would hold, the asset is away. Whether there is such an asset nobody knows."""


class Conflict(Exception):
    """The id is taken by other bytes or another type; assets never change."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the store knows of an asset without reading it; in its file's name."""

    id: UUID
    type: int
    size: int  # bytes
    sha256: str  # hex

    def __str__(self) -> str:
        return f"{self.id}.{self.type}.{self.size}.{self.sha256}"

    @classmethod
    def parse(cls, name: str) -> Record | None:
        """The record in a file's name; None for files that are no assets."""
        match = _NAME.fullmatch(name)
        if not match or int(match[2]) > HIGHEST_TYPE:
            return None
        return cls(UUID(match[1]), int(match[2]), int(match[3]), match[4])


@dataclass(slots=True)
class Layout:
    """store.json: the names of the partitions, and the names before while buckets are still being moved."""

    partitions: list[str]
    previous: list[str] | None = None
    format: int = FORMAT

    @classmethod
    def read(cls, directory: Path) -> Layout:
        """StoreError when there is none, or none that this version understands."""
        path = directory / DESCRIPTION
        try:
            facts = json.loads(path.read_bytes())
            if facts["format"] not in (1, FORMAT):
                raise StoreError(f"{path} has format {facts['format']!r}; this version reads 1 and {FORMAT}")
            layout = cls(list(facts["partitions"]), facts["previous"], facts["format"])
            check_names(layout.partitions)
            check_names(layout.previous or layout.partitions)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"no store in {directory}: {error}") from error
        return layout

    def write(self, directory: Path) -> None:
        facts = {"format": FORMAT, "partitions": self.partitions, "previous": self.previous}
        durable.replace(directory / DESCRIPTION, (json.dumps(facts, indent=1) + "\n").encode())


def make_partition(home: Path, name: str) -> None:
    """Create a partition's directory and marker, unless they are there. Before store.json names it."""
    durable.make_directory(str(home))
    marker = home / MARKER
    if not marker.exists():
        durable.replace(marker, f"{name}\n".encode())


def require_partition(home: Path, name: str) -> None:
    """StoreError unless this is the partition of that name."""
    try:
        found = (home / MARKER).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"partition {name} is missing; is its disk mounted at {home}? ({error})") from error
    if found != name:
        raise StoreError(f"{home} holds partition {found!r}, not {name!r}")
