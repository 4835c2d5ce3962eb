"""Moves between this region and somewhere else: the steps of each in order, and the row that remembers one until it is over.

A move has an id and is written down before it begins; no step begins before the one above it is durable, and each may be repeated.
Whoever comes back reads from the row how far it was and goes on from there, or undoes it.

    OUT    into an inventory: take, return, delete to the trash, out of contents, detach
           note      region     what goes, whole; it stands frozen, or is out of the contents        one commit
           store     assets     the form of what goes, under an id of the move
           make      Backbone   the item, and that this move made it                                 it has happened: told
           let go    region     it is gone, and so is the row                                        one commit

    IN     out of an inventory: rez, into contents, drop
           hold      Backbone   the item is in the move and in no inventory
           stand     region     what comes stands here, with the row                                 one commit; it has happened: told
           release   Backbone   the item is gone
           forget    region     the row goes

    OVER   to another region (neighbours/object_crossing.py)
           note      region     what goes and where to; it stands frozen                             one commit
           offer     the other  it stands there, with a row of kind "came"                           one commit there; it has happened
           let go    region     it is gone; the row says for a while where it went                   one commit

    GIVE    out of an object's contents, to a person anywhere (giving.py); only what cannot be copied needs it
           note      region     what goes, whole; it is out of the contents                          one commit
           make      Backbone   the gift, under the move's id                                        it has happened
           forget    region     the row goes

Before the step at which it has happened a move may be undone, and is when it is refused: what was frozen stands again, what was
held is back. After it there is only one way, forward. Where nobody answers, nobody knows: it is asked for again with the same id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from protocol.errors import ProtocolError
from protocol.inventory import item_from_json
from sim.neighbours.records import RegionRecord
from sim.storage.batch import TransitRow


class Step(StrEnum):
    NOTE = "note"
    STORE = "store"
    MAKE = "make"
    LET_GO = "let go"
    HOLD = "hold"
    STAND = "stand"
    RELEASE = "release"
    FORGET = "forget"
    OFFER = "offer"


OUT = (Step.NOTE, Step.STORE, Step.MAKE, Step.LET_GO)
IN = (Step.HOLD, Step.STAND, Step.RELEASE, Step.FORGET)
OVER = (Step.NOTE, Step.OFFER, Step.LET_GO)

MOVES: Mapping[str, tuple[Step, ...]] = {
    "take": OUT,
    "return": OUT,
    "trash": OUT,
    "take out": OUT,  # of an object's contents
    "attach": OUT,  # something that stands here: it becomes an item, and is worn
    "detach": OUT,
    "rez": IN,
    "put in": IN,  # into an object's contents
    "drop": IN,  # of something worn
    "cross": OVER,
}
# Rows that say what became of a hand-over, for as long as somebody may ask (decision 0015).
CAME, WENT, VOID = "came", "went", "void"
GIVE = "give"
HAND_OVERS = ("cross", CAME, WENT, VOID)
MOST_FACTS = 1 << 20  # characters


@dataclass(frozen=True, slots=True)
class Transit:
    """A move under way. `facts`: what its kind needs, as JSON has it. `data`: an object's asset, or its form."""

    kind: str
    since: float  # unix time
    facts: Mapping[str, Any] = field(default_factory=dict)
    data: bytes = b""

    def row(self) -> TransitRow:
        """As the store keeps it."""
        return TransitRow(self.kind, self.since, json.dumps(self.facts, separators=(",", ":")), self.data)


def read_transit(row: TransitRow) -> Transit:
    """ProtocolError when it is none that this version knows."""
    if row.kind not in MOVES and row.kind not in HAND_OVERS and row.kind != GIVE:
        raise ProtocolError(f"no move is called {str(row.kind)[:40]!r}")
    try:
        facts = json.loads(row.facts[:MOST_FACTS])
    except (ValueError, TypeError, RecursionError) as error:
        raise ProtocolError(f"the facts of a move cannot be read: {error}") from None
    if not isinstance(facts, dict) or not isinstance(row.data, bytes) or not isinstance(row.since, float):
        raise ProtocolError("a move is facts, data and a time")
    try:
        _check(row.kind, facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"the facts of a move are not whole: {type(error).__name__}: {error}") from None
    return Transit(row.kind, row.since, facts, row.data)


def _check(kind: str, facts: Mapping[str, Any]) -> None:
    """That everything is there which the steps of the kind will ask for; any of the usual errors when it is not."""
    if kind == GIVE:
        for name in ("giver", "receiver", "prim"):
            UUID(facts[name])
        if not isinstance(facts["offer"], bool) or not isinstance(facts["name"], str | None):
            raise ValueError("an offer is made or not, and a folder has a name")
        for item in [*facts["items"], *facts["gone"]]:
            item_from_json(item)
    steps = MOVES.get(kind)
    if steps in (OUT, IN):
        UUID(facts["receiver"] if steps is OUT else facts["owner"])
        for root in facts["roots"]:
            UUID(root)
        if facts["prim"] is not None:
            UUID(facts["prim"])
            UUID(facts["inside"]["item_id"] if steps is OUT else facts["inside"])
    if kind == "cross":
        UUID(facts["root"])
    if kind == VOID and not isinstance(facts["told"], bool):
        raise ValueError("a void hand-over was told or not")
    for one in facts["lineage"] if kind == WENT else ():
        UUID(one)
    if kind in ("cross", WENT) or (kind == VOID and facts["region"] is not None):
        RegionRecord.decode(facts["region"])
    if steps is OUT:
        UUID((facts["item"] or facts["change"])["asset_id"])
        if "by" in facts:  # whose deed it is; older rows do not say
            UUID(facts["by"])
    if steps is OUT or kind == "cross":
        if not all(isinstance(item, str) for item in facts["stopped"]):
            raise ValueError("stopped scripts are ids")
    if steps is OUT and facts["inside"] is not None:
        item_from_json(facts["inside"])
