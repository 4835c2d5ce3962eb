"""What became of the linksets of a region, read from its store, also while the region runs.

    python -m sim.storage.history STORE --since 1764590000 [--by ID] [--object ID] [--most 500]

prints JSON: `entries`, the newest first, each with `at`, `who`, `what`, `object`, `name`, `owner`, `prims` and `position` (of what it
was before; where it was new, of what it became), and `more`: whether there are older ones.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from protocol.errors import ProtocolError
from sim.storage.file import history, linksets, unpacked
from sim.world import form
from sim.world.changes import EVERYTHING, What
from sim.world.linkset import Linkset

MOST_DEEDS = 20_000  # entries that a rollback looks at


@dataclass(frozen=True, slots=True)
class Deed:
    """Somebody changed a linkset. `before`: what it was until then; None when it was new, or when that is damaged."""

    number: int
    at: float  # unix time
    who: UUID | None
    what: What
    linkset: UUID
    before: Linkset | None
    damaged: bool = False


class TooMany(Exception):
    """More entries than can be looked at at once."""


def _open(path: Path) -> sa.Engine:
    """The store for reading, whoever else has it open. OSError when there is none."""
    if not path.exists():
        raise FileNotFoundError(f"there is no store {path}")
    return sa.create_engine(f"sqlite:///file:{path}?mode=ro&uri=true", poolclass=sa.pool.NullPool)


def read(path: Path, since: float, who: UUID | None = None, linkset: UUID | None = None, most: int = 500) -> tuple[list[Deed], bool]:
    """The newest entries, newest first, and whether there are older ones in that time."""
    query = sa.select(history).where(history.c.at >= since).order_by(history.c.number.desc()).limit(most + 1)
    if who is not None:
        query = query.where(history.c.who == who.bytes)
    if linkset is not None:
        query = query.where(history.c.linkset == linkset.bytes)
    with _open(path).connect() as connection:
        rows = list(connection.execute(query))
    return _deeds(rows[:most]), len(rows) > most


def of_what(path: Path, who: UUID, since: float) -> dict[UUID, list[Deed]]:
    """Of every linkset that a person has changed since then all entries of that time, whoever's, the oldest first. TooMany."""
    touched = sa.select(history.c.linkset).where(history.c.at >= since, history.c.who == who.bytes)
    query = sa.select(history).where(history.c.at >= since, history.c.linkset.in_(touched)).order_by(history.c.number).limit(MOST_DEEDS + 1)
    with _open(path).connect() as connection:
        rows = list(connection.execute(query))
    if len(rows) > MOST_DEEDS:
        raise TooMany(f"more than {MOST_DEEDS} changes: choose a shorter time")
    found: dict[UUID, list[Deed]] = {}
    for deed in _deeds(rows):
        found.setdefault(deed.linkset, []).append(deed)
    return found


def _deeds(rows: Iterable[Any]) -> list[Deed]:
    rows = [row for row in rows if isinstance(row.linkset, bytes) and len(row.linkset) == 16 and isinstance(row.at, float)]
    kept = [row for row in rows if isinstance(row.form, bytes)]
    forms = dict(zip((row.number for row in kept), form.decode_all([unpacked(row.form) for row in kept]), strict=True))
    deeds = []
    for row in rows:
        before = forms.get(row.number)
        bad = isinstance(before, ProtocolError)
        who = UUID(bytes=row.who) if isinstance(row.who, bytes) and len(row.who) == 16 else None
        what = What(int(row.what) & int(EVERYTHING)) if isinstance(row.what, int) else What(0)
        deeds.append(Deed(row.number, row.at, who, what, UUID(bytes=row.linkset), before if isinstance(before, Linkset) else None, bad))
    return deeds


def _now(path: Path, ids: Iterable[UUID]) -> Mapping[UUID, Linkset]:
    """These linksets as they stand."""
    wanted = [one.bytes for one in dict.fromkeys(ids)]
    found: dict[UUID, Linkset] = {}
    with _open(path).connect() as connection:
        for at in range(0, len(wanted), 500):
            query = sa.select(linksets.c.id, linksets.c.form).where(linksets.c.id.in_(wanted[at : at + 500]))
            for row in connection.execute(query):
                (one,) = form.decode_all([unpacked(row.form)])
                if isinstance(one, Linkset):
                    found[UUID(bytes=row.id)] = one
    return found


def words(what: What) -> str:
    """What changed, for people."""
    if what & What.GONE:
        return "removed"
    if what & What.MADE:
        return "made"
    return ", ".join(str(flag.name).lower() for flag in What if flag & what)


def told(path: Path, since: float, who: UUID | None, linkset: UUID | None, most: int) -> dict[str, Any]:
    """What the command prints."""
    deeds, more = read(path, since, who, linkset, most)
    now = _now(path, (deed.linkset for deed in deeds if deed.before is None))
    later: dict[UUID, Linkset] = {}
    entries = []
    for deed in deeds:  # the newest first: what a new thing became is in the entry after it
        shown = deed.before or later.get(deed.linkset) or now.get(deed.linkset)
        if deed.before is not None:
            later[deed.linkset] = deed.before
        root = shown.parts[0] if shown is not None else None
        entries.append({
            "at": deed.at, "who": str(deed.who) if deed.who is not None else None, "what": words(deed.what), "object": str(deed.linkset),
            "name": root.prim.name if root is not None else None, "owner": str(root.prim.owner_id) if root is not None else None,
            "prims": len(shown.parts) if shown is not None else None, "position": list(root.position) if root is not None else None,
            "damaged": deed.damaged,
        })  # fmt: skip
    return {"entries": entries, "more": more}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m sim.storage.history")
    parser.add_argument("store", type=Path)
    parser.add_argument("--since", type=float, required=True)
    parser.add_argument("--by", type=UUID)
    parser.add_argument("--object", type=UUID)
    parser.add_argument("--most", type=int, default=500)
    given = parser.parse_args(arguments)
    try:
        print(json.dumps(told(given.store, given.since, given.by, given.object, given.most)))
    except (OSError, sa.exc.DBAPIError) as error:
        print(f"sim: the history cannot be read: {getattr(error, 'orig', None) or error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
