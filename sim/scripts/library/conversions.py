"""Between lists, texts and values: reading items, joining, splitting, comma-separated values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.scripts.language.values import (
    ZERO_ROTATION,
    ZERO_VECTOR,
    Item,
    Key,
    Rotation,
    Vector,
    float_to_integer,
    format_float,
    string_to_float,
    string_to_integer,
    to_string,
)
from sim.scripts.library.common import at, fits, join, spend
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

MOST_SEPARATORS = 8
SHORT = 32  # characters
_BRACKETS = re.compile("<+|>+")


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
    """All items as strings with a separator between them; vectors and rotations with six decimals.

    Unlike a cast it shows a negative zero as 0.000000.
    """
    spend(script, 15 * len(values))
    return join(separator, [_dumped(value) for value in values])


def _dumped(value: Item) -> str:
    """An item as llDumpList2String shows it; adding 0.0 takes the sign off zeros only."""
    if isinstance(value, float):
        return format_float(value + 0.0)
    if isinstance(value, Vector):
        value = Vector(*[part + 0.0 for part in value])
    elif isinstance(value, Rotation):
        value = Rotation(*[part + 0.0 for part in value])
    return to_string(value, True)


@ll
def llList2CSV(script: Script, values: list[Item]) -> str:
    """All items as strings with ", " between them.

    Floats have six decimals of their exact value, where a cast has seven digits and then zeros: 123456789.0 is
    123456792.000000 here and 123456800.000000 there. Infinity is inf, what is no number nan.
    """
    spend(script, 15 * len(values))
    return join(", ", [_plain(value) for value in values])


def _plain(value: Item) -> str:
    """An item as llList2CSV shows it: numbers as C prints them."""
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, Vector | Rotation):
        return "<" + ", ".join([f"{part:.6f}" for part in value]) + ">"
    return to_string(value, True)


@ll
def llCSV2List(script: Script, text: str) -> list[Item]:
    """The parts between commas, as strings without spaces around them; what stands between < and > is never split.

    A < without its > takes all that follows. The empty text gives one empty string.
    """
    parts: list[Item] = []
    held: list[str] = []  # pieces of a part that has commas between < and >
    depth = turns = 0
    for piece in text.split(","):
        turns += 1
        if depth or "<" in piece:
            for run in _BRACKETS.finditer(piece):
                turns += 2
                count = run.end() - run.start()
                depth = depth + count if run.group()[0] == "<" else max(depth - count, 0)
        held.append(piece)
        if not depth:
            parts.append(",".join(held).strip(" "))
            held = []
            fits(0, len(parts))
    spend(script, 4 * turns)
    return [*parts, ",".join(held).strip(" ")] if held else parts


def _texts(values: list[Item]) -> list[str]:
    """The separators that count: the first eight strings."""
    return [one for one in values if isinstance(one, str) and not isinstance(one, Key)][:MOST_SEPARATORS]


def _signs(text: str, order: list[str]) -> Iterator[tuple[int, str]]:
    """Where signs stand in a text, from left to right, none within another; at one place the first in order wins."""
    # Short ones are looked for all at once. Long ones are not, for a pattern is dear to make and kept for later.
    short = [sign for sign in order if len(sign) <= SHORT]
    search = re.compile("|".join([re.escape(sign) for sign in short])).search if short else None
    long = {sign: text.find(sign) for sign in order if len(sign) > SHORT}
    start = 0
    while True:
        nearest, found = len(text), ""
        if search is not None and (match := search(text, start)) is not None:
            nearest, found = match.start(), match.group()
        for sign, place in long.items():
            if 0 <= place < start:
                place = long[sign] = text.find(sign, start)
            if 0 <= place < nearest or (place == nearest and order.index(sign) < order.index(found)):
                nearest, found = place, sign
        if not found:
            return
        yield nearest, found
        start = nearest + len(found)


def _split(script: Script, text: str, separators: list[Item], spacers: list[Item], keep_empty: bool) -> list[Item]:
    dropped = _texts(separators)
    order = list(dict.fromkeys([sign for sign in [*dropped, *_texts(spacers)] if sign]))
    parts: list[Item] = []
    start = turns = 0
    for place, sign in _signs(text, order):
        turns += 1
        if keep_empty or start < place:
            parts.append(text[start:place])
        if sign not in dropped:
            parts.append(sign)
        fits(0, len(parts))
        start = place + len(sign)
    if keep_empty or start < len(text):
        parts.append(text[start:])
    spend(script, 15 * turns + len(text) // 64)
    return parts


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
