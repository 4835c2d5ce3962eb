"""The language's own functions, events and constants, read once from `builtins.txt`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sim.scripts.language.values import Key, Rotation, Value, Vector, to_single


@dataclass(frozen=True, slots=True)
class Builtin:
    """One ll* function.

    sleep: forced delay in seconds after the call; energy: script energy it costs; needs: the PERMISSION_* it asks for
    ("" if none, alternatives divided by |); family: what the reference files it under.
    """

    name: str
    returns: str
    arguments: tuple[tuple[str, str], ...]  # (type, name)
    sleep: float
    energy: float
    needs: str
    flags: frozenset[str]
    family: str

    @property
    def signature(self) -> str:
        inside = ", ".join(f"{kind} {name}" for kind, name in self.arguments)
        return f"{self.returns} {self.name}({inside})"


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    arguments: tuple[tuple[str, str], ...]
    index: int


@dataclass(frozen=True, slots=True)
class Constant:
    name: str
    kind: str
    value: Value


@dataclass(frozen=True, slots=True)
class Table:
    functions: dict[str, Builtin]
    events: dict[str, Event]
    constants: dict[str, Constant]


_CALL = re.compile(r"(\w+) (\w+)\(([^)]*)\)(.*)")
_CONSTANT = re.compile(r"(\w+) (\w+) = (.*?)( deprecated)?$")
_ESCAPE = re.compile(r"\\(?:u\{(\w+)\}|x(\w\w)|(.))")


def _text(quoted: str) -> str:
    def one(match: re.Match[str]) -> str:
        wide, byte, letter = match.groups()
        if wide or byte:
            return chr(int(wide or byte, 16))
        return "\n" if letter == "n" else letter

    return _ESCAPE.sub(one, quoted[1:-1])


def _value(kind: str, text: str) -> Value:
    if kind == "integer":
        number = int(text, 0)
        return number - 0x100000000 if number > 0x7FFFFFFF else number
    if kind == "float":
        return to_single(float(text))
    if kind == "string":
        return _text(text)
    if kind == "key":
        return Key(_text(text))
    parts = [to_single(float(part)) for part in text.strip("<>").split(",")]
    return Vector(*parts) if len(parts) == 3 else Rotation(*parts)


def _arguments(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (one.split() for one in text.split(",") if one.strip())
    return tuple((kind, name) for kind, name in pairs)


@cache
def table() -> Table:
    """The whole table; parsed at the first call, a few milliseconds."""
    functions: dict[str, Builtin] = {}
    events: dict[str, Event] = {}
    constants: dict[str, Constant] = {}
    for line in Path(__file__).with_name("builtins.txt").read_text("utf-8").splitlines():
        if not line or line[0] == "#":
            continue
        if " = " in line and (match := _CONSTANT.match(line)):
            kind, name, value, _ = match.groups()
            constants[name] = Constant(name, kind, _value(kind, value))
            continue
        match = _CALL.match(line)
        assert match, line
        kind, name, inside, rest = match.groups()
        if kind == "event":
            events[name] = Event(name, _arguments(inside), len(events))
            continue
        facts, _, family = rest.partition(" : ")
        sleep, energy, needs, flags = 0.0, 10.0, "", set()
        for fact in facts.split():
            if fact.startswith("sleep="):
                sleep = float(fact[6:])
            elif fact.startswith("energy="):
                energy = float(fact[7:])
            elif fact.startswith("needs="):
                needs = fact[6:]
            else:
                flags.add(fact)
        functions[name] = Builtin(
            name, kind, _arguments(inside), sleep, energy, needs, frozenset(flags), family.strip()
        )
    return Table(functions, events, constants)
