"""What several families share: LSL's index ranges, and the bounds that keep a host call from growing without end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar, overload

from sim.scripts.language import layout
from sim.scripts.language.values import Item
from sim.scripts.machine.failures import ScriptFailure

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

T = TypeVar("T", str, list[Item])

STEP = 100  # checkpoints that one turn of a Python loop is worth
MOST_ITEMS = layout.LOGICAL_BYTES // 8  # of a list that fills a script's memory with nothing else


def spend(script: Script, turns: int) -> None:
    """Charges a script for turns of a Python loop."""
    script.spend(STEP * turns)


def fits(characters: int, items: int = 0) -> None:
    """Raises the script's own Stack-Heap Collision for a text or list that no script could hold.

    One text can stand in a list thousands of times at the price of one, so what is made of a list has no natural bound.
    """
    if characters > layout.LOGICAL_BYTES or items > MOST_ITEMS:
        raise ScriptFailure(layout.FAILURES[layout.COLLISION])


def join(separator: str, pieces: list[str]) -> str:
    """separator.join(pieces), bounded."""
    fits(sum([len(piece) for piece in pieces]) + len(separator) * max(len(pieces) - 1, 0))
    return separator.join(pieces)


def join_all(pieces: Iterable[str]) -> str:
    """Pieces one after the other, stopping as soon as they are too long."""
    out, length = [], 0
    for piece in pieces:
        length += len(piece)
        fits(length)
        out.append(piece)
    return "".join(out)


def bounds(length: int, start: int, end: int) -> tuple[int, int]:
    """Inclusive indices with negative ones counted from the end; they may still lie outside."""
    return (start + length if start < 0 else start), (end + length if end < 0 else end)


@overload
def inside(values: str, start: int, end: int) -> str: ...
@overload
def inside(values: list[Item], start: int, end: int) -> list[Item]: ...
def inside(values: T, start: int, end: int) -> T:
    """The part from start to end, both included; with start behind end, all that is not between them."""
    start, end = bounds(len(values), start, end)
    if start <= end:
        return values[max(start, 0) : max(end + 1, 0)]
    return values[: max(end + 1, 0)] + values[max(start, 0) :]


@overload
def outside(values: str, start: int, end: int) -> str: ...
@overload
def outside(values: list[Item], start: int, end: int) -> list[Item]: ...
def outside(values: T, start: int, end: int) -> T:
    """What inside() leaves."""
    start, end = bounds(len(values), start, end)
    if start <= end:
        return values[: max(start, 0)] + values[max(end + 1, 0) :]
    return values[max(end + 1, 0) : max(start, 0)]


def at(length: int, index: int) -> int:
    """An index with negative ones counted from the end, or -1 outside."""
    if index < 0:
        index += length
    return index if 0 <= index < length else -1
