"""Notecards: their lines, from the contents of the prim or by key.

Source of all: the functions' pages on the LSL wiki. A notecard is read once and kept for a while; the functions ending in Sync only
know those that are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from protocol.wellknown import NULL, AssetType
from sim.scripts.answers import Room, answers
from sim.scripts.language.values import NULL_KEY, Item, Key, is_uuid
from sim.scripts.library.common import spend
from sim.scripts.library.declare import ll
from sim.scripts.library.linkset_data import NO_BACK, compiled
from sim.scripts.library.things import key_of, prim_of, uuid_of

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

EOF, NAK = "\n\n\n", "\n\x15\n"
MOST_FOUND = 64


def find(script: Script, name: str, function: str) -> UUID | None:
    """The asset of a notecard, by name or key; None, and a complaint, when there is none."""
    for item in prim_of(script).contents:
        if item.name == name and item.asset_type == AssetType.NOTECARD and item.asset_id != NULL:
            return item.asset_id
    if is_uuid(name) and uuid_of(name) != NULL:
        return uuid_of(name)
    script.complain(f"{function}: Couldn't find notecard {name[:64]}")
    return None


def matcher(pattern: str) -> Callable[[str], list[int]] | None:
    """Where a pattern begins in a line; None when it is no regular expression."""
    found = compiled(pattern) if pattern else None
    return None if found is None else lambda line: [match.start() for match in found.finditer(line)]


def line_at(lines: list[str], number: int) -> str:
    return lines[number] if 0 <= number < len(lines) else EOF


# --- by dataserver


@answers("notecard line")
async def notecard_line(room: Room, owner: Key, asset: str, line: int) -> str | None:
    lines = await room.notecard(UUID(asset))
    return None if lines is None else line_at(lines, line)


@answers("notecard lines")
async def notecard_lines(room: Room, owner: Key, asset: str) -> str | None:
    lines = await room.notecard(UUID(asset))
    return None if lines is None else str(len(lines))


@answers("notecard matches")
async def notecard_matches(room: Room, owner: Key, asset: str, pattern: str) -> str | None:
    lines, found = await room.notecard(UUID(asset)), matcher(pattern)
    if lines is None:
        return None
    return str(sum([len(found(line)) for line in lines])) if found is not None else "0"


def _ask(script: Script, function: str, name: str, kind: str, *more: int | str) -> Key:
    asset = find(script, name, function)
    return script.world.answers.ask(script, kind, key_of(asset), *more) if asset is not None else NULL_KEY


@ll
def llGetNotecardLine(script: Script, name: str, line: int) -> Key:
    """Asks for a line of a notecard, from 0 on; the answer is a dataserver event with this key: the line, or EOF behind the last.

    At most 1024 bytes of a line. A notecard with items in it has no lines. Sleeps 0.1 s.
    """
    return _ask(script, "llGetNotecardLine", name, "notecard line", line)


@ll
def llGetNumberOfNotecardLines(script: Script, name: str) -> Key:
    """Asks how many lines a notecard has; the answer is a dataserver event with this key. Sleeps 0.1 s."""
    return _ask(script, "llGetNumberOfNotecardLines", name, "notecard lines")


@ll(lacks=NO_BACK)
def llFindNotecardTextCount(script: Script, notecardname: str, pattern: str, options: list[Item]) -> Key:
    """Asks how often a regular expression is found in a notecard; the answer is a dataserver event with this key."""
    return _ask(script, "llFindNotecardTextCount", notecardname, "notecard matches", pattern)


# --- of those that are kept


@ll
def llGetNotecardLineSync(script: Script, name: str, line: int) -> str:
    """A line of a notecard that has been read lately: the line, EOF behind the last, or NAK when it is not kept (any more)."""
    asset = find(script, name, "llGetNotecardLineSync")
    lines = script.world.answers.room.notecards.get(asset) if asset is not None else None
    return NAK if lines is None else line_at(lines, line)


@ll(lacks=NO_BACK)
def llFindNotecardTextSync(script: Script, name: str, pattern: str, start: int, count: int, options: list[Item]) -> list[Item]:
    """Where a regular expression is found in a notecard that has been read lately: [line, column, line, column ...], without the
    first `start` of them and at most `count` (64 with 0). [NAK] when it is not kept (any more)."""
    asset = find(script, name, "llFindNotecardTextSync")
    lines = script.world.answers.room.notecards.get(asset) if asset is not None else None
    if lines is None:
        return [NAK]
    found, skipped = matcher(pattern), max(start, 0)
    out: list[int] = []
    most = min(count, MOST_FOUND) if count > 0 else MOST_FOUND
    spend(script, sum([len(line) for line in lines]) // 16 + len(pattern))
    for number, line in enumerate(lines if found is not None else []):
        for column in found(line):  # type: ignore[misc]
            if skipped:
                skipped -= 1
            elif len(out) < 2 * most:
                out += [number, column]
    return list(out)
