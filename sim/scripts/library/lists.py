"""Lists: parts, search, order, statistics. Positions count from 0, negative ones from the end."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from sim.scripts.language import layout
from sim.scripts.language.values import Item, Key, type_of
from sim.scripts.library.common import at, bounds, inside, outside, spend
from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

RANGE, MIN, MAX, MEAN, MEDIAN, STD_DEV, SUM, SUM_SQUARES, NUM_COUNT, GEOMETRIC_MEAN = range(10)


@ll
def llGetListLength(script: Script, values: list[Item]) -> int:
    """How many items a list has."""
    return len(values)


@ll
def llGetListEntryType(script: Script, values: list[Item], index: int) -> int:
    """The TYPE_* of the item at an index, TYPE_INVALID (0) outside."""
    position = at(len(values), index)
    return layout.TAGS[type_of(values[position])] if position >= 0 else 0


@ll
def llList2List(script: Script, values: list[Item], start: int, end: int) -> list[Item]:
    """The items from start to end, both included; with start behind end, those not between them."""
    return inside(values, start, end)


@ll
def llDeleteSubList(script: Script, values: list[Item], start: int, end: int) -> list[Item]:
    """The list without the items from start to end, both included; with start behind end, only those between."""
    return outside(values, start, end)


@ll
def llListInsertList(script: Script, values: list[Item], items: list[Item], start: int) -> list[Item]:
    """The list with items put in before the one at `start`; beyond either end they go there."""
    if start < 0:
        start = max(start + len(values), 0)
    return values[:start] + items + values[start:]


@ll
def llListReplaceList(script: Script, values: list[Item], items: list[Item], start: int, end: int) -> list[Item]:
    """The list with others in place of the items from start to end.

    Beyond the list's end they are appended. With start behind end, only what lies between is kept, and they follow it.
    """
    first, last = bounds(len(values), start, end)
    if first > last:
        return outside(values, start, end) + items
    return values[: max(first, 0)] + items + values[max(last + 1, 0) :]


def _chosen(length: int, start: int, end: int) -> list[int]:
    """The positions that a range means, an excluding one too."""
    start, end = bounds(length, start, end)
    if start <= end:
        return list(range(max(start, 0), min(end + 1, length)))
    return [*range(min(end + 1, length)), *range(max(start, 0), length)]


@ll
def llList2ListStrided(script: Script, values: list[Item], start: int, end: int, stride: int) -> list[Item]:
    """The items from start to end whose position in the list is a multiple of the stride (below 1 it is 1).

    With start behind end the whole list counts.
    """
    first, last = bounds(len(values), start, end)
    if first > last:
        first, last = 0, len(values) - 1
    stride = max(stride, 1)
    first = max(first, 0)
    return values[first + -first % stride : max(last + 1, 0) : stride]


@ll
def llList2ListSlice(
    script: Script, values: list[Item], start: int, end: int, stride: int, slice_index: int,
) -> list[Item]:  # fmt: skip
    """One item of every stride, the strides counted from `start` up to `end`; a negative one counts from the stride's
    end.
    """
    stride = max(stride, 1)
    if slice_index < 0:
        slice_index += stride
    if not 0 <= slice_index < stride:
        return []
    return [values[index] for index in _chosen(len(values), start, end)[slice_index::stride]]


# --- search

_Known = dict[tuple[str, Item], int]
_FIRST = 0x10000  # code points from here on stand for items: no surrogates among them


def _letters(values: list[Item], known: _Known) -> str:
    """A letter an item, equal letters for items equal in type and value.

    Searching is then a text search, in linear time.
    """
    return "".join([chr(_FIRST + known.setdefault((type_of(value), value), len(known))) for value in values])


@ll
def llListFindList(script: Script, values: list[Item], test: list[Item]) -> int:
    """Where a list first occurs in another, or -1. Types must be equal too: 1 is not 1.0, a key is not a string.

    The empty list is found at 0.
    """
    known: _Known = {}
    spend(script, len(values) + len(test))
    return _letters(values, known).find(_letters(test, known))


@ll
def llListFindListNext(script: Script, values: list[Item], test: list[Item], instance: int) -> int:
    """Where a list occurs in another for the nth time, counted from 0, negative ones from the last; -1 if it does not.
    """
    if not test:
        return 0
    known: _Known = {}
    spend(script, 2 * len(values) + len(test))
    text, pattern = _letters(values, known), _letters(test, known)
    places, place = [], text.find(pattern)
    while place >= 0:
        places.append(place)
        # Matches may overlap, so the search goes on one item behind; a long pattern makes that quadratic: it is
        # charged.
        spend(script, 1 + len(pattern) // 64)
        place = text.find(pattern, place + 1)
    position = at(len(places), instance)
    return places[position] if position >= 0 else -1


@ll
def llListFindStrided(script: Script, values: list[Item], test: list[Item], start: int, end: int, stride: int) -> int:
    """Where a list first occurs at start, start + stride and so on, wholly up to `end`; -1 if it does not."""
    if not test:
        return 0
    start, end = bounds(len(values), start, end)
    start, end, stride = max(start, 0), min(end, len(values) - 1), max(stride, 1)
    known: _Known = {}
    spend(script, len(values) + len(test))
    text, pattern = _letters(values, known)[: end + 1], _letters(test, known)
    for place in range(start, end - len(pattern) + 2, stride):
        spend(script, 1)
        if text.startswith(pattern, place):
            return place
    return -1


# --- order


def _sorted(script: Script, values: list[Item], stride: int, index: int, ascending: int) -> list[Item]:
    stride = max(stride, 1)
    if index < 0:
        index += stride
    if len(values) % stride or not 0 <= index < stride:
        return values
    blocks = [values[at : at + stride] for at in range(0, len(values), stride)]
    spend(script, len(blocks) * (1 + len(blocks).bit_length() // 4))
    # Items compare only with their own type, so each type is sorted in the places that its items hold.
    places: dict[str, list[int]] = {}
    for number, block in enumerate(blocks):
        places.setdefault(type_of(block[index]), []).append(number)
    result: list[Item] = []
    ordered = list(blocks)
    for kind, numbers in places.items():
        if kind == "rotation":
            continue  # they have no order
        group = [blocks[number] for number in numbers]
        group.sort(key=lambda block: _rank(block[index]), reverse=ascending != 1)
        for number, block in zip(numbers, group, strict=True):
            ordered[number] = block
    for block in ordered:
        result += block
    return result


def _rank(value: Item) -> tuple[int, float | str]:
    """What an item is sorted by: vectors by length, texts by code point; NaN comes last."""
    if isinstance(value, tuple):
        value = math.hypot(*value)
    return (1, 0.0) if value != value else (0, value)  # type: ignore[return-value]


@ll
def llListSort(script: Script, values: list[Item], stride: int, ascending: int) -> list[Item]:
    """The list sorted by the first item of each stride; upwards only if `ascending` is exactly TRUE.

    Items of different types are sorted each among themselves and keep their types' places: [1, "C", 3, "A"] becomes
    [1, "A", 3, "C"]. Capitals come before small letters, vectors are sorted by length, rotations stay. Equal items keep
    their order. A list that is not a multiple of the stride stays as it is.
    """
    return _sorted(script, values, stride, 0, ascending)


@ll
def llListSortStrided(script: Script, values: list[Item], stride: int, index: int, ascending: int) -> list[Item]:
    """As llListSort, by the item at an index of each stride, negative ones counted from its end."""
    return _sorted(script, values, stride, index, ascending)


@ll
def llListRandomize(script: Script, values: list[Item], stride: int) -> list[Item]:
    """The list's strides in random order; unchanged if its length is not a multiple of the stride."""
    stride = max(stride, 1)
    if len(values) % stride:
        return values
    blocks = [values[at : at + stride] for at in range(0, len(values), stride)]
    spend(script, 3 * len(blocks))
    script.random.shuffle(blocks)
    return [value for block in blocks for value in block]


@ll
def llListStatistics(script: Script, operation: int, values: list[Item]) -> float:
    """A figure (LIST_STAT_*) over the integers and floats of a list; others are passed over, and none give 0.

    The standard deviation is that of a sample; the geometric mean is 0 unless all numbers are positive.
    """
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, Key)]
    spend(script, len(values))
    count = len(numbers)
    if operation == NUM_COUNT:
        return float(count)
    if not count:
        return 0.0
    if operation == RANGE:
        return max(numbers) - min(numbers)
    if operation == MIN:
        return min(numbers)
    if operation == MAX:
        return max(numbers)
    if operation == MEDIAN:
        return median(numbers)
    if operation == SUM_SQUARES:
        return sum([number * number for number in numbers])
    if operation == GEOMETRIC_MEAN:
        positive = all(0.0 < number < math.inf for number in numbers)
        return math.exp(sum([math.log(number) for number in numbers]) / count) if positive else 0.0
    total = sum(numbers)
    if operation == SUM:
        return total
    if operation == MEAN:
        return total / count
    if operation == STD_DEV:
        mean = total / count
        return math.sqrt(sum([(number - mean) ** 2 for number in numbers]) / (count - 1)) if count > 1 else 0.0
    return 0.0
