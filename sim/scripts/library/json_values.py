"""JSON: building it, taking it apart, reading and changing what a path of names and positions leads to.

Arrays and objects nested in one another deeper than 200 levels are taken for broken.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, NoReturn, TypeAlias, Union

from sim.scripts.language.values import Item, format_float, string_to_float, to_string
from sim.scripts.library.common import fits, join_all, spend
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

INVALID, OBJECT, ARRAY, NUMBER, STRING, NULL, TRUE, FALSE, DELETE = [chr(code) for code in range(0xFDD0, 0xFDD9)]
APPEND = -1
DEEPEST = 200  # levels of arrays and objects within one another
DEEP = f"JSON nested deeper than {DEEPEST} levels is taken for broken"
SPACES = " \t\n\r"


class Written(str):
    """A number, as written."""

    __slots__ = ()


class Nowhere:
    """Where a path leads that leads to nothing."""


NOWHERE = Nowhere()

# A JSON value; str is a string, None null.
Json: TypeAlias = Union[str, Written, bool, list["Json"], dict[str, "Json"], None]  # noqa: UP007

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.S)
_BRACKET = re.compile(r"[\[\]{}]")
_AWKWARD = re.compile(r'["\\\x00-\x1f]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WORDS = {TRUE: "true", FALSE: "false", NULL: "null"}
_NAMES = ("true", "false", "null")


class BadJson(ValueError):
    """A text that is not JSON."""


def _no_number(text: str) -> NoReturn:
    raise BadJson(text)


_DECODER = json.JSONDecoder(parse_float=Written, parse_int=Written, parse_constant=_no_number, strict=False)


def _is_deep(text: str) -> bool:
    """Whether arrays and objects are nested deeper than we follow. Each level takes some of the native stack."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    depth = 0
    for bracket in _BRACKET.finditer(_QUOTED.sub("", text)):
        depth += 1 if bracket.group() in "[{" else -1
        if depth > DEEPEST:
            return True
    return False


def _charge(script: Script, text: str) -> None:
    """For reading or writing a JSON text."""
    script.spend(5 * len(text))
    spend(script, 3 * (text.count(",") + text.count(":") + text.count("[")))


def parse(script: Script, text: str) -> Json:
    """The value a text holds. Raises BadJson."""
    _charge(script, text)
    try:
        if _is_deep(text):
            raise BadJson("too deep")
        return _DECODER.decode(text)
    except ValueError as problem:
        raise BadJson(str(problem)) from None


def quote(text: str) -> str:
    """A string as JSON writes it."""
    return '"' + _AWKWARD.sub(lambda found: _ESCAPES.get(found.group(), f"\\u{ord(found.group()):04x}"), text) + '"'


def write(value: Json) -> str:
    """The value as JSON without spaces."""
    pieces: list[str] = []
    _write(value, pieces)
    return join_all(pieces)


def _write(value: Json, pieces: list[str]) -> None:
    if isinstance(value, str):
        pieces.append(value if isinstance(value, Written) else quote(value))
    elif value is None or isinstance(value, bool):
        pieces.append("null" if value is None else "true" if value else "false")
    elif isinstance(value, list):
        opening = "["
        for part in value:
            pieces.append(opening)
            _write(part, pieces)
            opening = ","
        pieces.append("]" if value else "[]")
    else:
        opening = "{"
        for name, part in value.items():
            pieces.append(opening + quote(name) + ":")
            _write(part, pieces)
            opening = ","
        pieces.append("}" if value else "{}")


def _is_json(script: Script, text: str) -> bool:
    try:
        parse(script, text)
    except BadJson:
        return False
    return True


def _from_text(script: Script, text: str, numbers: bool) -> str:
    """A script's text as JSON: constants and JSON stay what they are, anything else is a string of it."""
    trimmed = text.strip(" \t\n\r\v\f")
    if trimmed in _WORDS:
        return _WORDS[trimmed]
    if trimmed in _NAMES:
        return trimmed
    if trimmed[:1] in ('"', "[", "{") or (numbers and trimmed[:1] in tuple("-0123456789")):
        script.spend(len(trimmed))
        if _is_json(script, trimmed):
            return trimmed
    return quote(trimmed)


def _from_item(script: Script, item: Item) -> str:
    if isinstance(item, str):
        return _from_text(script, item, False)
    if isinstance(item, float):
        return format_float(item) if math.isfinite(item) else quote(to_string(item))
    return str(item) if isinstance(item, int) else quote(to_string(item))


def _constant(value: bool | None) -> str:
    return NULL if value is None else TRUE if value else FALSE


def _to_item(value: Json) -> Item:
    """What a script gets for a JSON value."""
    if value is None or isinstance(value, bool):
        return _constant(value)
    if isinstance(value, Written):
        if value.lstrip("-").isdigit() and len(value) <= 11 and -0x80000000 <= int(value) <= 0x7FFFFFFF:
            return int(value)
        return string_to_float(value)
    return value if isinstance(value, str) else write(value)


def _step(value: Json, specifier: Item) -> Json | Nowhere:
    """What a position of an array, or a name of an object, leads to."""
    if isinstance(value, list) and isinstance(specifier, int):
        return value[specifier] if 0 <= specifier < len(value) else NOWHERE
    if isinstance(value, dict) and isinstance(specifier, str):
        return value.get(str(specifier), NOWHERE)
    return NOWHERE


def _walk(value: Json, specifiers: list[Item]) -> Json | Nowhere:
    for specifier in specifiers:
        step = _step(value, specifier)
        if isinstance(step, Nowhere):
            return NOWHERE
        value = step
    return value


def _find(script: Script, text: str, specifiers: list[Item]) -> Json | Nowhere:
    try:
        return _walk(parse(script, text), specifiers)
    except BadJson:
        return NOWHERE


@ll
def llList2Json(script: Script, kind: str, values: list[Item]) -> str:
    """A JSON array (JSON_ARRAY) of the values, or an object (JSON_OBJECT) of names and values in turn.

    Strings are trimmed; "true", "false", "null" and JSON_TRUE and so on become those words, what is a JSON string,
    array or object stays one, all else becomes a JSON string, numbers in strings too. JSON_INVALID for another kind
    or an odd object.
    """
    spend(script, 10 * len(values))
    fits(sum([len(value) for value in values if isinstance(value, str)]))
    if kind == ARRAY:
        return join_all(["[", *_with_commas([_from_item(script, value) for value in values]), "]"])
    if kind != OBJECT or len(values) % 2:
        return INVALID
    # A name given twice counts the last time.
    pairs = zip(values[::2], values[1::2], strict=True)
    members = {to_string(name): _from_item(script, value) for name, value in pairs}
    return join_all(["{", *_with_commas([quote(name) + ":" + value for name, value in members.items()]), "}"])


def _with_commas(pieces: list[str]) -> list[str]:
    return [piece if index == 0 else "," + piece for index, piece in enumerate(pieces)]


@ll(lacks=DEEP)
def llJson2List(script: Script, text: str) -> list[Item]:
    """The items of a JSON array, or the names and values of an object in turn; a lone value gives a list of one.

    Numbers become integers or floats, true, false and null the JSON_* constants, inner arrays and objects stay JSON.
    What is not JSON is taken for a string; broken arrays and objects give [JSON_INVALID], and the empty text an empty
    list.
    """
    trimmed = text.strip(SPACES)
    if not trimmed:
        return []
    try:
        value = parse(script, trimmed)
    except BadJson:
        return [INVALID] if trimmed[0] in '[{"' else [trimmed]
    if isinstance(value, list):
        fits(0, len(value))
        return [_to_item(part) for part in value]
    if isinstance(value, dict):
        fits(0, 2 * len(value))
        return [item for name, part in value.items() for item in (name, _to_item(part))]
    return [_to_item(value)]


@ll(lacks=DEEP)
def llJsonGetValue(script: Script, text: str, specifiers: list[Item]) -> str:
    """What a path leads to: a string without its quotes, a number as written, or JSON_TRUE, JSON_FALSE, JSON_NULL.

    Arrays and objects are given as JSON. The path is positions (integers) in arrays and names in objects; an empty one
    means the whole. JSON_INVALID if it leads nowhere or the text is not JSON.
    """
    value = _find(script, text, specifiers)
    if isinstance(value, Nowhere):
        return INVALID
    if value is None or isinstance(value, bool):
        return _constant(value)
    return str(value) if isinstance(value, str) else write(value)


@ll(lacks=DEEP)
def llJsonValueType(script: Script, text: str, specifiers: list[Item]) -> str:
    """The kind, JSON_*, of what a path leads to; JSON_INVALID if it leads nowhere or the text is not JSON."""
    value = _find(script, text, specifiers)
    if isinstance(value, Nowhere):
        return INVALID
    if value is None or isinstance(value, bool):
        return _constant(value)
    if isinstance(value, str):
        return NUMBER if isinstance(value, Written) else STRING
    return ARRAY if isinstance(value, list) else OBJECT


@ll(lacks=DEEP)
def llJsonSetValue(script: Script, text: str, specifiers: list[Item], new: str) -> str:
    """The JSON with a value set where a path leads; arrays and objects on the way are made, also from an empty text.

    A position may be at most the array's length; JSON_APPEND means that. What is of another kind than the path asks is
    overwritten. The value is taken as in llList2Json, but numbers stay numbers; JSON_DELETE removes what is there.
    JSON_INVALID if the text is not JSON, a position is too large, or there is nothing to delete.
    """
    fits(sum([len(one) for one in specifiers if isinstance(one, str)]) + len(text) + len(new))
    if len(specifiers) > DEEPEST:
        return INVALID
    try:
        root = parse(script, text) if text.strip(SPACES) else NOWHERE
        if new != DELETE:
            return _set(root, specifiers, parse(script, _from_text(script, new, True)))
    except BadJson:
        return INVALID
    if isinstance(root, Nowhere) or not specifiers or not _delete(root, specifiers):
        return INVALID
    return write(root)


def _delete(root: Json, specifiers: list[Item]) -> bool:
    holder, last = _walk(root, specifiers[:-1]), specifiers[-1]
    if isinstance(holder, Nowhere) or isinstance(_step(holder, last), Nowhere):
        return False
    if isinstance(holder, list):
        del holder[last]  # type: ignore[arg-type]
    elif isinstance(holder, dict):
        del holder[str(last)]
    return True


def _set(root: Json | Nowhere, specifiers: list[Item], value: Json) -> str:
    # What is overwritten or not there yet reads as null, and null is neither array nor object: it is replaced by one.
    top: list[Json] = [None if isinstance(root, Nowhere) else root]
    holder: list[Json] | dict[str, Json] = top
    place: int | str = 0
    for specifier in specifiers:
        current: Json = holder[place]  # type: ignore[index,call-overload]
        inner: list[Json] | dict[str, Json]
        following: int | str
        if isinstance(specifier, str):
            inner, following = current if isinstance(current, dict) else {}, str(specifier)
            inner.setdefault(following, None)
        elif isinstance(specifier, int):
            inner = current if isinstance(current, list) else []
            following = len(inner) if specifier == APPEND else specifier
            if not 0 <= following <= len(inner):
                return INVALID
            if following == len(inner):
                inner.append(None)
        else:
            return INVALID
        holder[place] = inner  # type: ignore[index,call-overload]
        holder, place = inner, following
    holder[place] = value  # type: ignore[index,call-overload]
    return write(top[0])
