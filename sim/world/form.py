"""The one form in which a linkset travels: between regions, into the store and back, into an inventory or an object.

    "LNKS" | u8 version | u8 0 | u16 prims | u32 CRC-32 of what follows
    a record a prim, root first, all of one size: ids, numbers by kind, shape, place (`Layout` lists the columns)
    for each prim: u8 entries, each u8 tag | u32 size | bytes, by rising tag: what differs from a new prim

Little endian. Which columns and tags there are is said by `fields.py`; `form_entries.py` packs those values that are
neither a number nor a text. Thousands of linksets are checked and read together, as columns (decision 0017).

A form of an older version is read, with defaults for what it lacks; one of a newer version is refused.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

import numpy as np

from protocol.errors import ProtocolError
from protocol.wellknown import NULL
from sim.world import form_entries as entries
from sim.world.fields import FIELDS, FLAG, PLACES, SHAPE, Blob, Field, Id, Real, Record, Text, Whole
from sim.world.linkset import Linkset, Part
from sim.world.objects import MAX_LINKS, Material, Permissions, Prim
from sim.world.shapes import clean_shape, is_clean

VERSION = 2
MAGIC = b"LNKS"
MOST_BYTES = 1 << 25  # of a form

_head = struct.Struct("<4sBBHI")
_entry = struct.Struct("<BI")
_SHAPE_KINDS = {"H": "<u2", "B": "u1", "b": "i1"}
_shape = struct.Struct("<" + "".join(kind.code for kind in SHAPE.parts.values()))
_shape_values = itemgetter(*SHAPE.parts)
_shape_columns = np.dtype([(name, _SHAPE_KINDS[kind.code]) for name, kind in SHAPE.parts.items()])
_kinds = {"Q": "<u8", "d": "<f8", "I": "<u4", "B": "u1"}  # of numbers, in the order they stand in a record
_new = Prim(NULL, NULL, NULL)
_made = ("permissions", "features", "shape", "extra_params")


class Layout:
    """What stands where in the records of one version, and how a prim is taken apart and put together."""

    def __init__(self, version: int, fields: Sequence[Field] = FIELDS) -> None:
        self.version = version
        fields = [row for row in fields if row.since <= version]
        self.ids = [row.name for row in fields if isinstance(row.holds, Id)]
        numbers: list[tuple[str, Whole | Real]] = []
        for row in fields:
            if isinstance(row.holds, Whole | Real):
                numbers.append((row.name, row.holds))
            elif isinstance(row.holds, Record) and row.holds is not SHAPE:
                numbers += [(f"{row.name}.{name}", kind) for name, kind in row.holds.parts.items()]
        by_kind = [(code, [pair for pair in numbers if pair[1].code == code]) for code in _kinds]
        order = [pair for _, pairs in by_kind for pair in pairs]
        paths = [path for path, _ in order]
        codes = "".join("?" if kind is FLAG else kind.code for _, kind in order)
        places = sum(column.width for column in PLACES)
        self.record = struct.Struct(f"<{'16s' * len(self.ids)}{codes}{_shape.size}s{places}f")
        self.columns = np.dtype(
            [("ids", "V16", len(self.ids))]
            + [(code, _kinds[code], len(pairs)) for code, pairs in by_kind]
            + [("shape", f"V{_shape.size}"), ("places", "<f4", places)]
        )
        self.limits = [(code, *_limits(code, [kind for _, kind in pairs])) for code, pairs in by_kind]
        bounds = [column.holds for column in PLACES for _ in range(column.width) if column.holds is not None]
        self.limits.append(("places", *_limits("f", bounds)))
        self.names = {code: [path for path, _ in pairs] for code, pairs in by_kind}
        self.names["places"] = [column.name for column in PLACES for _ in range(column.width)]

        self.taken = attrgetter(*(f"{name}.bytes" for name in self.ids), *paths)
        first = len(self.ids)
        inside = {row.name: row.holds.parts for row in fields if isinstance(row.holds, Record) and row.holds is not SHAPE}
        at = {name: [first + paths.index(f"{name}.{part}") for part in parts] for name, parts in inside.items()}
        self.permissions, self.features = itemgetter(*at["permissions"]), itemgetter(*at["features"])
        self.shape_at = first + len(paths)
        texts = [(row.name, row.holds) for row in fields if isinstance(row.holds, Text | Blob)]
        self.text_values = attrgetter(*(name for name, _ in texts))
        self.new_texts = [(holds, getattr(_new, name)) for name, holds in texts]
        # Where the arguments of a new `Prim` stand in what `_part` lines up for it.
        lined_up = [*self.ids, *_made, *(path if "." not in path else "" for path in paths), *(name for name, _ in texts)]
        self.text_at = {holds.tag: (number, holds) for number, (_, holds) in enumerate(texts)}
        self.no_texts = [value for _, value in self.new_texts]
        names = list(Prim.__dataclass_fields__)
        names = names[: 1 + max(number for number, name in enumerate(names) if name in lined_up)]
        others = [name for name in names if name not in lined_up]
        lined_up += others
        self.as_new = [getattr(_new, name) for name in others]
        self.arguments = itemgetter(*(lined_up.index(name) for name in names))


def _limits(code: str, kinds: Sequence[Whole | Real]) -> tuple[np.ndarray, np.ndarray]:
    """The least and the most of each column of one kind."""
    kind = _kinds.get(code, "<f4")
    return np.array([each.low for each in kinds], kind), np.array([each.high for each in kinds], kind)


LAYOUTS = {version: Layout(version) for version in range(1, VERSION + 1)}


# --- out


def encode(linkset: Linkset) -> bytes:
    """A linkset as bytes. ProtocolError when it holds more than the form has room for."""
    (data,) = encode_all([linkset])
    if isinstance(data, ProtocolError):
        raise data
    return data


def encode_all(linksets: Sequence[Linkset]) -> list[bytes | ProtocolError]:
    """As `encode` for each; in the place of one that does not fit, what is wrong with it.

    Numbers beyond what the table of fields allows are brought within it, and texts are cut.
    """
    layout = LAYOUTS[VERSION]
    packed: list[tuple[list[bytes], list[bytes]] | ProtocolError] = []
    for linkset in linksets:
        try:
            packed.append(_packed(layout, linkset))
        except ProtocolError as error:
            packed.append(error)
    fitting = [each for each in packed if not isinstance(each, ProtocolError)]
    records = np.frombuffer(bytearray().join(record for each in fitting for record in each[0]), layout.columns)
    _bring_within(layout, records)
    raw, size, at = records.tobytes(), layout.record.size, 0
    found: list[bytes | ProtocolError] = []
    for each in packed:
        if isinstance(each, ProtocolError):
            found.append(each)
            continue
        count = len(each[0])
        body = b"".join((raw[at : at + count * size], *each[1]))
        at += count * size
        if len(body) > MOST_BYTES - _head.size:
            found.append(ProtocolError(f"a linkset of {len(body)} bytes"))
        else:
            found.append(_head.pack(MAGIC, VERSION, 0, count, zlib.crc32(body)) + body)
    return found


def _packed(layout: Layout, linkset: Linkset) -> tuple[list[bytes], list[bytes]]:
    """The records and the entries of its prims."""
    if not 1 <= len(linkset.parts) <= MAX_LINKS:
        raise ProtocolError(f"a linkset has 1 to {MAX_LINKS} prims")
    sources = entries.Sources()
    records, rests = [], []
    for part in reversed(linkset.parts):  # the root last: it carries what the others refer to
        prim = part.prim
        try:
            shape = _shape.pack(*_shape_values(prim.shape))
        except KeyError:  # as of a new prim: only what is not 0
            shape = _shape.pack(*(prim.shape.get(name, 0) for name in SHAPE.parts))
        try:
            record = layout.record.pack(*layout.taken(prim), shape, *part.position, *part.rotation, *part.scale)
        except (struct.error, TypeError, OverflowError) as error:
            raise ProtocolError(f"object {prim.full_id} has a number that is none: {error}") from error
        records.append(record)
        found = [
            (holds.tag, entries.cut(value, holds) if isinstance(holds, Text) else entries.blob(value, holds.most))
            for (holds, new), value in zip(layout.new_texts, layout.text_values(prim), strict=True)
            if value != new
        ]
        found += entries.of_part(part, sources)
        if part is linkset.parts[0]:
            found += entries.of_root(linkset, sources)
        if len(found) > 1:
            found.sort()
        rests.append(b"".join([bytes((len(found),)), *(_entry.pack(tag, len(data)) + data for tag, data in found)]))
    records.reverse()
    rests.reverse()
    return records, rests


def _bring_within(layout: Layout, records: np.ndarray) -> None:
    for name, low, high in layout.limits:
        column = records[name]
        if not ((column >= low) & (column <= high)).all():
            np.clip(np.nan_to_num(column), low, high, out=column)
    turns = records["places"][:, 3:7]
    lost = (turns * turns).sum(axis=1) < 0.25
    turns[lost] = (0.0, 0.0, 0.0, 1.0)


# --- in


def decode(data: bytes) -> Linkset:
    """A linkset, its prims in no region yet. ProtocolError says what is wrong with the bytes."""
    (linkset,) = decode_all([data])
    if isinstance(linkset, ProtocolError):
        raise linkset
    return linkset


def decode_all(forms: Sequence[bytes]) -> list[Linkset | ProtocolError]:
    """As `decode` for each; in the place of one that cannot be read, what is wrong with it."""
    found: list[Linkset | ProtocolError] = []
    opened: dict[int, list[tuple[int, bytes, list[dict[int, bytes]]]]] = {}
    for number, data in enumerate(forms):
        try:
            version, records, rest = _open(data)
        except ProtocolError as error:
            found.append(error)
        else:
            found.append(ProtocolError("not read"))
            opened.setdefault(version, []).append((number, records, rest))
    for version, group in opened.items():
        layout = LAYOUTS[version]
        raw = b"".join(records for _, records, _ in group)
        columns = np.frombuffer(raw, layout.columns)
        wrong = _beyond(layout, columns, [len(rest) for *_, rest in group])
        shapes = _shapes(columns["shape"])
        each = layout.record.iter_unpack(raw)
        at = 0
        for number, _, rest in group:
            values = list(islice(each, len(rest)))
            bad = wrong.get(at)
            try:
                found[number] = bad if bad is not None else _linkset(layout, values, shapes[at : at + len(rest)], rest)
            except ProtocolError as error:
                found[number] = error
            at += len(rest)
    return found


def _open(data: bytes) -> tuple[int, bytes, list[dict[int, bytes]]]:
    """Version, records, and the entries of each prim."""
    if not _head.size <= len(data) <= MOST_BYTES:
        raise ProtocolError("a linkset has a size")
    magic, version, zero, count, check = _head.unpack_from(data)
    if magic != MAGIC or zero:
        raise ProtocolError("not a linkset")
    if version > VERSION:
        raise ProtocolError(f"a linkset of version {version}: only those up to {VERSION} can be read here")
    if version not in LAYOUTS or not 1 <= count <= MAX_LINKS:
        raise ProtocolError("not a linkset")
    if zlib.crc32(memoryview(data)[_head.size :]) != check:
        raise ProtocolError("a linkset is damaged")
    end = at = _head.size + count * LAYOUTS[version].record.size
    if end > len(data):
        raise ProtocolError("a linkset ends early")
    rest = []
    try:
        for _ in range(count):
            found: dict[int, bytes] = {}
            last = 0
            several, at = data[at], at + 1
            for _ in range(several):
                tag, size = _entry.unpack_from(data, at)
                at += _entry.size
                if tag <= last or at + size > len(data):
                    raise ProtocolError("a linkset's entries are damaged")
                found[tag] = data[at : at + size]
                at, last = at + size, tag
            rest.append(found)
    except (struct.error, IndexError):
        raise ProtocolError("a linkset ends early") from None
    if at != len(data):
        raise ProtocolError("a linkset has something behind its end")
    return version, data[_head.size : end], rest


def _beyond(layout: Layout, records: np.ndarray, counts: Sequence[int]) -> dict[int, ProtocolError]:
    """Of which linksets a number is not what it may be, by the number of their first record."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    wrong: dict[int, ProtocolError] = {}

    def note(bad: np.ndarray, name: str) -> None:
        for row in np.flatnonzero(bad):
            start = int(starts[np.searchsorted(starts, row, "right") - 1])
            wrong.setdefault(start, ProtocolError(f"a prim's {name} is beyond its limits"))

    for group, low, high in layout.limits:
        bad = ~((records[group] >= low) & (records[group] <= high))
        if bad.any():
            for column, name in enumerate(layout.names[group]):
                note(bad[:, column], name)
    with np.errstate(invalid="ignore"):  # numbers that are none have been noted
        turns = records["places"][:, 3:7].astype(np.float64)
        note((turns * turns).sum(axis=1) < 0.25, "rotation")
    return wrong


def _linkset(
    layout: Layout, values: Sequence[tuple[Any, ...]], shapes: Sequence[Mapping[str, int]], rest: Sequence[dict[int, bytes]]
) -> Linkset:
    parts = [_part(layout, *each) for each in zip(values, shapes, rest, strict=True)]
    if len(parts) > 1 and len({part.prim.full_id for part in parts}) < len(parts):
        raise ProtocolError("two prims have one id")
    linkset = Linkset(parts)
    if parts[0].prim.temporary or not all(found.keys() <= layout.text_at.keys() for found in rest):
        entries.read(linkset, [{tag: found[tag] for tag in found if tag not in layout.text_at} for found in rest])
    return linkset


def _part(layout: Layout, values: tuple[Any, ...], shape: Mapping[str, int], found: dict[int, bytes]) -> Part:
    texts = layout.no_texts
    if found:
        texts = texts.copy()
        for tag, data in found.items():
            if tag in layout.text_at:
                at, holds = layout.text_at[tag]
                texts[at] = entries.text(data, holds.most) if isinstance(holds, Text) else entries.blob(data, holds.most, holds.least)
    ids, at = len(layout.ids), layout.shape_at
    made: tuple[Any, ...] = Permissions(*layout.permissions(values)), Material(*layout.features(values)), shape, {}
    numbers = values[ids:at]
    prim = Prim(
        *layout.arguments((UUID(bytes=values[0]), *map(_known, values[1:ids]), *made, *numbers, *texts, *layout.as_new))
    )
    x, y, z, turn_x, turn_y, turn_z, turn_w, width, depth, height = values[at + 1 :]
    square = turn_x * turn_x + turn_y * turn_y + turn_z * turn_z + turn_w * turn_w
    turn = turn_x, turn_y, turn_z, turn_w
    if abs(square - 1.0) > 1e-5:
        length = math.sqrt(square)
        turn = turn_x / length, turn_y / length, turn_z / length, turn_w / length
    return Part(prim, (x, y, z), turn, (width, depth, height))


def _shapes(column: np.ndarray) -> list[Mapping[str, int]]:
    """The shape of each prim; those that are alike share one."""
    kinds, of = np.unique(column, return_inverse=True)
    found = [dict(zip(SHAPE.parts, values, strict=True)) for values in _shape.iter_unpack(kinds.tobytes())]
    for number in np.flatnonzero(~is_clean(kinds.view(_shape_columns))):
        found[number] = clean_shape(found[number])
    return [found[number] for number in of.tolist()]


@lru_cache(4096)
def _known(raw: bytes) -> UUID:
    """An id that many prims share."""
    return UUID(bytes=raw)


def parts_of(linksets: Sequence[Linkset | ProtocolError]) -> Iterator[Part]:
    """Every prim of those that could be read."""
    return (part for linkset in linksets if isinstance(linkset, Linkset) for part in linkset.parts)
