"""Texts: parts, case, search, replacement, characters. Positions count code points, negative ones from the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scripts.library.common import at, fits, inside, outside, spend
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

TRIM_HEAD, TRIM_TAIL = 1, 2
SPACES = " \t\n\r\v\f"
UNKNOWN = "\ufffd"
FINAL = "ς"  # what Python makes of a Σ at a word's end


@ll
def llStringLength(script: Script, text: str) -> int:
    """How many characters (code points) a text has."""
    return len(text)


@ll
def llGetSubString(script: Script, text: str, start: int, end: int) -> str:
    """The characters from start to end, both included; with start behind end, those not between them."""
    return inside(text, start, end)


@ll
def llDeleteSubString(script: Script, text: str, start: int, end: int) -> str:
    """The text without the characters from start to end, both included; with start behind end, only those between."""
    return outside(text, start, end)


@ll
def llInsertString(script: Script, text: str, position: int, piece: str) -> str:
    """The text with a piece put in before the character at a position.

    Negative positions mean 0, large ones the end.
    """
    position = max(position, 0)
    return text[:position] + piece + text[position:]


@ll
def llSubStringIndex(script: Script, text: str, pattern: str) -> int:
    """Where a pattern first occurs, or -1. The empty pattern is found at 0."""
    return text.find(pattern)


@ll
def llReplaceSubString(script: Script, text: str, pattern: str, replacement: str, count: int) -> str:
    """The text with the first `count` occurrences of a pattern replaced; 0 means all, negative ones count from the end.

    An empty pattern changes nothing.
    """
    if not pattern:
        return text
    pieces = text.rsplit(pattern, -count) if count < 0 else text.split(pattern, count or -1)
    spend(script, len(pieces))
    fits(len(text) + (len(pieces) - 1) * (len(replacement) - len(pattern)))
    return replacement.join(pieces)


@ll
def llStringTrim(script: Script, text: str, where: int) -> str:
    """The text without spaces, tabs and line ends at its head (STRING_TRIM_HEAD), tail (STRING_TRIM_TAIL) or both."""
    if where & TRIM_HEAD:
        text = text.lstrip(SPACES)
    return text.rstrip(SPACES) if where & TRIM_TAIL else text


@ll
def llToUpper(script: Script, text: str) -> str:
    """The text in capitals, in any script; a letter whose capital is several letters (as ß) stays as it is."""
    spend(script, len(text) // 8)
    capitals = text.upper()
    return capitals if len(capitals) == len(text) else "".join([_one(letter, letter.upper()) for letter in text])


@ll
def llToLower(script: Script, text: str) -> str:
    """The text in small letters, in any script."""
    spend(script, len(text) // 8)
    small = text.lower()
    if len(small) == len(text) and FINAL not in small:
        return small
    return "".join([_one(letter, letter.lower()) for letter in text])  # the small letter must not hang on its place


def _one(letter: str, changed: str) -> str:
    return changed if len(changed) == 1 else letter


@ll
def llOrd(script: Script, text: str, index: int) -> int:
    """The code point of the character at an index, 0 outside the text."""
    position = at(len(text), index)
    return ord(text[position]) if position >= 0 else 0


@ll
def llChar(script: Script, code: int) -> str:
    """The character of a code point: empty for 0, U+FFFD for what is none (negative, surrogates, U+FFFE, U+FFFF, too
    large).
    """
    if code == 0:
        return ""
    if not 0 < code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF or code in (0xFFFE, 0xFFFF):
        return UNKNOWN
    return chr(code)
