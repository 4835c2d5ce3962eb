"""Moves of a region that does not run, seen and settled from outside: for an operator whose region never starts again.

A region settles its own moves when it starts (`sim/moves.py`). Where that will not be, each is ended here by the same rule: what
Backbone has made has happened and goes from the region's store; what it has not made stays, or is in the inventory's lost
things where it came out of an object; what came into the store has happened; and what is held for it and never came is given back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from protocol.errors import ProtocolError
from sim.storage.batch import Batch, TransitRow
from sim.storage.file import StoreFile, opened
from sim.storage.transit import IN, MOVES, OUT, Transit, read_transit
from sim.world import form

Row = dict[str, Any]


class Ledger(Protocol):
    """What is asked of Backbone's moves (backbone/storage/interfaces.py)."""

    def put_in(self, transit_id: str, region_id: str, owner: str, item: Row, now: int) -> tuple[Row, bool]: ...
    def release(self, transit_id: str) -> Row: ...
    def void(self, transit_id: str, region_id: str, now: int) -> Row: ...
    def open_moves(self, region_id: str | None) -> list[Row]: ...
    def state_of(self, transit_id: str) -> Row | None: ...
    def close(self, region_id: str, transit_ids: list[str], now: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Open:
    """One move that is not over."""

    move: UUID
    kind: str  # of the region's table, or "held" where only Backbone knows of it
    person: str  # an agent id; "" where that is nobody's
    what: str
    since: float


def listed(store: Path, region_id: str, ledger: Ledger) -> list[Open]:
    """Moves of a region that are not over, also while it runs; oldest first."""
    found = {move: _told(move, transit) for move, transit in _rows(store).items() if transit.kind in MOVES}
    for held in ledger.open_moves(region_id):
        move = UUID(held["transit_id"])
        if held["state"] == "held" and move not in found:
            found[move] = Open(move, "held", held["agent_id"], held["item"]["name"], float(held["since"]))
    return sorted(found.values(), key=lambda one: one.since)


def _rows(store: Path) -> dict[UUID, Transit]:
    if not store.exists():
        return {}
    with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as database:
        try:
            rows = database.execute("SELECT id, kind, since, facts, data FROM transits").fetchall()
        except sqlite3.OperationalError:  # of before there were any
            return {}
    found = {}
    for key, *row in rows:
        try:
            found[UUID(bytes=key)] = read_transit(TransitRow(*row))
        except (ProtocolError, ValueError):
            continue  # the region sets it aside when it starts
    return found


def _told(move: UUID, transit: Transit) -> Open:
    facts = transit.facts
    thing = facts.get("item") or facts.get("inside") or {}
    what = thing["name"] if isinstance(thing, dict) and "name" in thing else f"{len(facts.get('roots', ()))} objects"
    return Open(move, transit.kind, str(facts.get("receiver") or facts.get("owner") or ""), what, transit.since)


def settle(store: Path, region_id: str, ledger: Ledger, lost_things: Callable[[str], str], unix: float) -> dict[UUID, str]:
    """End all of them: move -> what came of it. OSError while a process has the store open: that settles its own.

    `lost_things`: the folder of a person for what has no other place; `unix`: the time now.
    """
    done: dict[UUID, str] = {}
    if store.exists():
        with opened(store, unix) as file:
            for key, row in file.kept.transits.items():
                try:
                    move, transit = UUID(bytes=key), read_transit(row)
                except (ProtocolError, ValueError):
                    continue
                steps = MOVES.get(transit.kind)
                if steps is OUT:
                    done[move] = _settle_out(file, move, transit, region_id, ledger, lost_things)
                elif steps is IN:
                    done[move] = _settle_in(file, move, transit, ledger)
    for held in ledger.open_moves(region_id):
        if held["state"] == "held" and UUID(held["transit_id"]) not in done:
            ledger.void(held["transit_id"], region_id, int(unix))
            done[UUID(held["transit_id"])] = "given back"
    return done


def _settle_out(
    file: StoreFile, move: UUID, transit: Transit, region_id: str, ledger: Ledger, lost_things: Callable[[str], str]
) -> str:
    facts, known, now = transit.facts, ledger.state_of(str(move)), int(transit.since)
    end = Batch(transits={move.bytes: None})
    outcome = "is in the inventory"
    if known is not None and known["state"] == "made":
        end = _without(file, facts["roots"], end)
    elif transit.data:
        ledger.void(str(move), region_id, now)
        outcome = "stays in the region"
    else:  # it is out of the contents already: there is no way but on
        item = {**facts["item"], "parent_id": lost_things(facts["receiver"])}
        ledger.put_in(str(move), region_id, facts["receiver"], item, now)
        outcome = "is among the lost things"
    file.write(end, transit.since)
    return outcome


def _settle_in(file: StoreFile, move: UUID, transit: Transit, ledger: Ledger) -> str:
    known = ledger.state_of(str(move))
    end = Batch(transits={move.bytes: None})
    outcome = "stands in the region"
    if known is not None and known["state"] == "void":
        if transit.facts["prim"] is not None:
            return "stays open: it is in an object and in the inventory, which only the region can part"
        end, outcome = _without(file, transit.facts["roots"], end), "is in the inventory"
    elif known is not None:
        ledger.release(str(move))
    file.write(end, transit.since)
    return outcome


def _without(file: StoreFile, roots: list[str], batch: Batch) -> Batch:
    """Have the rows of these linksets go, and of the scripts in them."""
    gone = [UUID(root).bytes for root in roots]
    batch.linksets.update(dict.fromkeys(gone))
    prims: set[bytes] = set()
    for key in gone:
        row = file.kept.linksets.get(key)
        if row is not None:
            prims.update(part.prim.full_id.bytes for part in form.decode(row.form).parts)
    batch.scripts.update({item: None for item, script in file.kept.scripts.items() if script.prim_id in prims})
    return batch
