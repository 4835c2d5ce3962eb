"""Between lists, texts and values: reading items, joining, splitting, comma-separated values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sim.scripts.language.values import (
    ZERO_ROTATION,
    ZERO_VECTOR,
    Item,
    Key,
    Rotation,
    Vector,
    float_to_integer,
    string_to_float,
    string_to_integer,
    to_string,
)
from sim.scripts.library.common import at, join, spend
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

MOST_SEPARATORS = 8


def _item(values: list[Item], index: int) -> Item | None:
    position = at(len(values), index)
    return values[position] if position >= 0 else None


@ll
def llList2Integer(script: Script, values: list[Item], index: int) -> int:
    """The item at an index as an integer; a float is cut off, a text read; anything else, or none, is 0."""
    value = _item(values, index)
    if isinstance(value, float):
        return float_to_integer(value)
    if isinstance(value, str):
        return string_to_integer(value)
    return value if isinstance(value, int) else 0


@ll
def llList2Float(script: Script, values: list[Item], index: int) -> float:
    """The item at an index as a float; a text is read; anything else, or none, is 0."""
    value = _item(values, index)
    if isinstance(value, str):
        return string_to_float(value)
    return float(value) if isinstance(value, int | float) else 0.0


@ll
def llList2String(script: Script, values: list[Item], index: int) -> str:
    """The item at an index as a string, vectors and rotations with six decimals; none is empty."""
    value = _item(values, index)
    return "" if value is None else to_string(value, True)


@ll
def llList2Key(script: Script, values: list[Item], index: int) -> Key:
    """The key or string at an index, as a key; anything else, or none, is empty."""
    value = _item(values, index)
    return Key(value) if isinstance(value, str) else Key("")


@ll
def llList2Vector(script: Script, values: list[Item], index: int) -> Vector:
    """The vector at an index; anything else, or none, is ZERO_VECTOR: texts are not read."""
    value = _item(values, index)
    return value if isinstance(value, Vector) else ZERO_VECTOR


@ll
def llList2Rot(script: Script, values: list[Item], index: int) -> Rotation:
    """The rotation at an index; anything else, or none, is ZERO_ROTATION: texts are not read."""
    value = _item(values, index)
    return value if isinstance(value, Rotation) else ZERO_ROTATION


@ll
def llDumpList2String(script: Script, values: list[Item], separator: str) -> str:
    """All items as strings with a separator between them; vectors and rotations with six decimals."""
    spend(script, 2 * len(values))
    return join(separator, [to_string(value, True) for value in values])


@ll
def llList2CSV(script: Script, values: list[Item]) -> str:
    """All items as strings with ", " between them."""
    spend(script, 2 * len(values))
    return join(", ", [to_string(value, True) for value in values])


@ll
def llCSV2List(script: Script, text: str) -> list[Item]:
    """The parts between commas, as strings without spaces around them; what stands between < and > is never split.

    A < without its > takes all that follows. The empty text gives one empty string.
    """
    parts: list[Item] = []
    start = depth = 0
    marks = list(re.finditer("[<>,]", text))
    spend(script, 2 * len(marks))
    for mark in marks:
        sign = mark.group()
        if sign == "<":
            depth += 1
        elif sign == ">":
            depth = max(depth - 1, 0)
        elif depth == 0:
            parts.append(text[start : mark.start()].strip(" "))
            start = mark.end()
    return [*parts, text[start:].strip(" ")]


def _texts(values: list[Item]) -> list[str]:
    """The separators that count: the first eight strings."""
    return [one for one in values if isinstance(one, str) and not isinstance(one, Key)][:MOST_SEPARATORS]


def _split(script: Script, text: str, separators: list[Item], spacers: list[Item], keep_empty: bool) -> list[Item]:
    signs = [(sign, False) for sign in _texts(separators) if sign] + [(sign, True) for sign in _texts(spacers) if sign]
    script.spend(len(text) * len(signs) // 16)
    # Where each sign comes next, so that every sign passes over the text once. Of those at one place the first in
    # order wins.
    places = [text.find(sign) for sign, _ in signs]
    parts: list[Item] = []
    start = 0
    while True:
        nearest = min([place for place in places if place >= 0], default=-1)
        if nearest < 0:
            break
        sign, kept = signs[places.index(nearest)]
        parts.append(text[start:nearest])
        if kept:
            parts.append(sign)
        start = nearest + len(sign)
        for index, place in enumerate(places):
            if 0 <= place < start:
                places[index] = text.find(signs[index][0], start)
    parts.append(text[start:])
    spend(script, (5 + len(signs)) * len(parts))
    return parts if keep_empty else [part for part in parts if part]


@ll
def llParseString2List(script: Script, text: str, separators: list[Item], spacers: list[Item]) -> list[Item]:
    """The text split at separators, which are dropped, and spacers, which are kept as items; empty parts are left out.

    The first 8 strings of each count, other types are ignored. Separators go before spacers, and both in their order.
    """
    return _split(script, text, separators, spacers, False)


@ll
def llParseStringKeepNulls(script: Script, text: str, separators: list[Item], spacers: list[Item]) -> list[Item]:
    """As llParseString2List, but empty parts are kept."""
    return _split(script, text, separators, spacers, True)
