"""Source text to tokens, in one pass of one regular expression.

Quirks kept from Second Life: `\\t` in a string is four spaces, an unknown escape is the character itself, strings may
span lines, `L"abc"` is a string that begins with a quote, integers beyond 32 bits wrap or become -1, `1.` and `.5f` are
floats, and characters that begin no token are passed over: `string #version = "1";` declares `version`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sim.scripts.language.errors import Diary

TYPES = {"integer", "float", "string", "key", "vector", "rotation", "quaternion", "list"}
KEYWORDS = TYPES | {"default", "state", "jump", "return", "if", "else", "for", "do", "while", "print", "event"}

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<comment>/\*)
  | (?P<string>L?"(?:[^"\\]|\\.)*")
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<hexfloat>0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][-+]?[0-9]+[fF]?)
  | (?P<hex>0[xX][0-9a-fA-F]+)
  | (?P<float>(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[fF]?|[0-9]+(?:[eE][-+]?[0-9]+[fF]?|[fF]))
  | (?P<integer>[0-9]+)
  | (?P<sign>\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%]=|[-+*/%<>=!~&|^(){}\[\];,.@:])
  | (?P<open>L?")
  | (?P<ignored>.)""",
    re.S | re.X | re.A,
)
_ESCAPE = re.compile(r"\\(.)", re.S)


class Token(NamedTuple):
    """kind: `name`, `string`, `integer`, `float`, `end`, or the sign or keyword itself; value: decoded constant or
    name."""

    kind: str
    value: str | int | float
    offset: int


def _escaped(match: re.Match[str]) -> str:
    letter = match.group(1)
    return {"n": "\n", "t": "    "}.get(letter, letter)


def _unquote(text: str) -> str:
    body = '"' + text[2:-1] if text.startswith("L") else text[1:-1]
    body = _ESCAPE.sub(_escaped, body) if "\\" in body else body
    # Unpaired surrogates and NUL can't live in a UTF-8, NUL-ended world.
    return body.encode("utf-8", "replace").decode().replace("\0", "")


def _integer(text: str, base: int) -> int:
    digits = text[2:] if base == 16 else text
    digits = digits.lstrip("0") or "0"
    if len(digits) > 16:
        return -1
    value = int(digits, base)
    if value > 0xFFFFFFFF:
        return -1
    return value - 0x100000000 if value > 0x7FFFFFFF else value


def _float(text: str) -> float:
    body = text.rstrip("fF")
    try:
        return float(body) if len(body) < 400 else float(body[:400])
    except ValueError:  # cut in the middle of an exponent
        return 0.0


def _hex_float(text: str) -> float:
    try:
        return float.fromhex(text.rstrip("fF") if "p" in text.lower() else text)
    except OverflowError:
        return float("inf")


def tokenize(text: str, diary: Diary) -> list[Token]:
    """All tokens of a source, ending in one of kind `end`; errors go to the diary and are skipped."""
    tokens: list[Token] = []
    add = tokens.append
    position, end = 0, len(text)
    match_at = _TOKEN.match
    while position < end:
        match = match_at(text, position)
        assert match is not None  # `ignored` takes any character
        kind = match.lastgroup
        start, position = position, match.end()
        if kind == "space" or kind == "ignored":
            continue
        body = match.group()
        if kind == "sign":
            add(Token(body, body, start))
        elif kind == "name":
            add(Token(body if body in KEYWORDS else "name", body, start))
        elif kind == "integer":
            add(Token("integer_value", _integer(body, 10), start))
        elif kind == "hex":
            add(Token("integer_value", _integer(body, 16), start))
        elif kind == "float":
            add(Token("float_value", _float(body), start))
        elif kind == "hexfloat":
            add(Token("float_value", _hex_float(body), start))
        elif kind == "string":
            add(Token("string_value", _unquote(body), start))
        elif kind == "comment":
            diary.error(start, "Comment without an end")
            position = end
        else:
            diary.error(start, "String without an end")
            position = end
    add(Token("end", "", end))
    return tokens
