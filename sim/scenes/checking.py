"""Values out of a scene file. Whoever wrote it gets told which file, entry and field, and what would be right."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
SHOWN = 60  # characters of a wrong value that an error repeats


class SceneError(ValueError):
    """A scene that cannot be used; the message is for the person who wrote it."""


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


class Entry:
    """One table of a scene: its values by name, each asked for once. `where` says which it is, in errors."""

    def __init__(self, where: str, values: Any, known: Collection[str]) -> None:
        if not isinstance(values, dict):
            raise SceneError(f"{where}: must be a table of names and values, not {shown(values)}")
        self.where = where
        self.values = values
        for name in values:
            if name not in known:
                nearest = difflib.get_close_matches(str(name), known, 1, 0.5)
                hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(sorted(known))}"
                raise SceneError(f"{where}: there is no field {shown(name)}; {hint}")

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def error(self, name: str, must: str) -> SceneError:
        return SceneError(f"{self.where}: {name} must be {must}, not {shown(self.values.get(name))}")

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self.values.get(name, default)
        if value is default and name not in self.values:
            return default
        if not _within(value, low, high):
            raise self.error(name, f"a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        value = self.values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.error(name, f"a whole number from {low} to {high}")
        return value

    def numbers(self, name: str, default: Sequence[float], low: float, high: float) -> tuple[float, ...]:
        """As many numbers as the default has."""
        value = self.values.get(name)
        if value is None and name not in self.values:
            return tuple(default)
        count = len(default)
        if not isinstance(value, list | tuple) or len(value) != count or not all(_within(v, low, high) for v in value):
            raise self.error(name, f"{count} numbers from {low:g} to {high:g} in brackets")
        return tuple(float(part) for part in value)

    def vector(self, name: str, default: Sequence[float], low: float, high: float) -> tuple[float, float, float]:
        x, y, z = self.numbers(name, default, low, high)
        return x, y, z

    def span(self, name: str, low: float = 0.0, high: float = 1.0, least: float = 0.02) -> tuple[float, float]:
        """Begin and end of a cut."""
        begin, end = self.numbers(name, (low, high), low, high)
        if end - begin < least - 1e-9:
            raise self.error(name, f"[begin, end] with an end at least {least:g} beyond the begin")
        return begin, end

    def flag(self, name: str) -> bool:
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            raise self.error(name, "true or false")
        return value

    def text(self, name: str, default: str, most: int) -> str:
        """Text of at most so many bytes."""
        value = self.values.get(name, default)
        if not isinstance(value, str) or "\0" in value:
            raise self.error(name, "text in quotes")
        try:
            size = len(value.encode())
        except UnicodeEncodeError as error:
            raise self.error(name, "text that UTF-8 can hold") from error
        if size > most:
            raise SceneError(f"{self.where}: {name} is {size} bytes long; {most} at most")
        return value

    def choice(self, name: str, default: str, choices: Collection[str]) -> str:
        value = self.values.get(name, default)
        if not isinstance(value, str) or value not in choices:
            raise self.error(name, f"one of {', '.join(choices)}")
        return value

    def color(self, name: str, default: tuple[int, int, int, int] = (255, 255, 255, 255)) -> tuple[int, int, int, int]:
        """"#rgb", "#rrggbb" or "#rrggbbaa" as (red, green, blue, alpha), 0..255 each."""
        value = self.values.get(name)
        if value is None:
            return default
        digits = value[1:] if isinstance(value, str) and value.startswith("#") else ""
        if len(digits) == 3:
            digits = "".join(digit * 2 for digit in digits)
        if len(digits) not in (6, 8) or not set(digits) <= set("0123456789abcdefABCDEF"):
            raise self.error(name, 'a colour like "#c0b090", or "#c0b09080" to see through it')
        red, green, blue, *alpha = bytes.fromhex(digits)
        return red, green, blue, alpha[0] if alpha else 255

    def tables(self, name: str) -> list[Any]:
        """A list of tables, as `[[name]]` makes them; empty when there are none."""
        value = self.values.get(name, [])
        if not isinstance(value, list):
            raise self.error(name, f"a list of tables, each begun with [[{name}]]")
        return value


def _within(value: Any, low: float, high: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return low <= value <= high and not (isinstance(value, float) and math.isnan(value))
