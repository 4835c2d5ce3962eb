"""Those values of a linkset's form that are neither a number nor a text, each packed in its own way.

    7 extra parameters    each u16 kind | u16 size | bytes, by rising kind
    12 sit target         7 f64: offset, turn
    13 linkset data       each u32 name | u32 value | u32 pass phrase (sizes in bytes) | the three
    14 seconds left       f64, of a temporary object
    15 lineage            16 bytes each: the hand-overs by which it came
    16 motion             6 f32: velocity, angular velocity; of a root that moves
    17 sources            each u32 size | UTF-8: those of all its scripts, each once
    18 scripts            each item id | u16 source, by number | u8 name | u32 state (sizes) | name | state
    19 items              each a record (`_item`) | name | description
    20 rare settings      JSON (`rare.py`)
    40 drives             JSON (`drives.py`): what scripts ask of its movement
    41 made by            rezzer | chain | u32 generation, of a root that a script rezzed

13, 14, 16 and 17 stand with the root. Everything is checked on the way in; ProtocolError says what was wrong.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from uuid import UUID

from protocol.errors import ProtocolError
from protocol.inventory import Item
from sim.world.drives import MOST_BYTES as MOST_DRIVES
from sim.world.drives import NO_DRIVES, MadeBy, as_bytes, from_bytes
from sim.world.fields import FASTEST, Text
from sim.world.linkset import STILL, Linkset, Part, ScriptState
from sim.world.linkset_data import MOST_BYTES as MOST_DATA
from sim.world.linkset_data import LinksetStore, size_of
from sim.world.objects import DESCRIPTION_BYTES, NAME_BYTES, Permissions
from sim.world.rare import MOST_BYTES as MOST_RARE
from sim.world.rare import NONE as NO_RARE
from sim.world.rare import pack as pack_rare
from sim.world.rare import read as read_rare

EXTRAS, SEAT, DATA, EXPIRES, LINEAGE, MOTION, SOURCES, SCRIPTS, ITEMS, RARE = 7, 12, 13, 14, 15, 16, 17, 18, 19, 20
DRIVES, MADE_BY = 40, 41
OF_ROOTS = {DATA, EXPIRES, MOTION, SOURCES}

MOST_EXTRAS, MOST_EXTRA_BYTES = 16, 256
MOST_SCRIPTS, MOST_ITEMS = 256, 1024  # of a prim
MOST_SOURCE, MOST_STATE = 1 << 17, 1 << 20  # bytes of a script
MOST_NAME = 255  # bytes, of a script
MOST_LINEAGE = 32
MOST_GENERATIONS = 1 << 20
MOST_SECONDS = 3600.0
FARTHEST_SEAT = 300.0  # metres from a prim to its sit target

_seat, _motion, _seconds = struct.Struct("<7d"), struct.Struct("<6f"), struct.Struct("<d")
_extra, _pair, _size = struct.Struct("<HH"), struct.Struct("<III"), struct.Struct("<I")
_script = struct.Struct("<16sHBI")
_made_by = struct.Struct("<16s16sI")
_item = struct.Struct("<16s16s16s16s16s16sbbI5IBiqBB")
Entry = tuple[int, bytes]


class Sources:
    """The sources of a linkset's scripts, each once."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}

    def of(self, source: str) -> int:
        return self.number.setdefault(source, len(self.number))


# --- out


def of_part(part: Part, sources: Sources) -> list[Entry]:
    """What a prim has to say beside its numbers and texts."""
    prim, found = part.prim, []
    if prim.extra_params:
        if len(prim.extra_params) > MOST_EXTRAS:
            raise ProtocolError(f"object {prim.full_id} has more than {MOST_EXTRAS} extra parameters")
        extras = [(kind, blob(data, MOST_EXTRA_BYTES)) for kind, data in sorted(prim.extra_params.items())]
        found.append((EXTRAS, b"".join(_extra.pack(kind, len(data)) + data for kind, data in extras)))
    if prim.sit_target is not None:
        offset, turn = prim.sit_target
        found.append((SEAT, _seat.pack(*(_held(value, FARTHEST_SEAT) for value in (*offset, *turn)))))
    if prim.lineage:
        found.append((LINEAGE, b"".join(one.bytes for one in prim.lineage[-MOST_LINEAGE:])))
    if prim.rare is not NO_RARE:
        told = pack_rare(prim.rare)
        if told:
            found.append((RARE, blob(told, MOST_RARE)))
    if part.scripts:
        if len(part.scripts) > MOST_SCRIPTS:
            raise ProtocolError(f"object {prim.full_id} has more than {MOST_SCRIPTS} scripts")
        found.append((SCRIPTS, b"".join(_pack_script(script, sources) for script in part.scripts)))
    if prim.contents:
        if len(prim.contents) > MOST_ITEMS:
            raise ProtocolError(f"object {prim.full_id} holds more than {MOST_ITEMS} items")
        found.append((ITEMS, b"".join(map(_pack_item, prim.contents))))
    if prim.drives is not NO_DRIVES and prim.drives != NO_DRIVES:
        found.append((DRIVES, blob(as_bytes(prim.drives), MOST_DRIVES)))
    if prim.made_by is not None:
        by = prim.made_by
        found.append((MADE_BY, _made_by.pack(by.rezzer.bytes, by.chain.bytes, min(by.generation, MOST_GENERATIONS))))
    return found


def of_root(linkset: Linkset, sources: Sources) -> list[Entry]:
    """What a linkset has to say as a whole; after all its parts."""
    root, found = linkset.parts[0].prim, []
    store = root.linkset_data
    if store is not None and store.pairs:
        found.append((DATA, b"".join(_pack_pair(name, *pair) for name, pair in store.pairs.items())))
    if root.temporary:
        found.append((EXPIRES, _seconds.pack(min(max(linkset.expires_in, 0.0), MOST_SECONDS))))
    if linkset.velocity != STILL or linkset.angular_velocity != STILL:
        moves = (_held(value, FASTEST) for value in (*linkset.velocity, *linkset.angular_velocity))
        found.append((MOTION, _motion.pack(*moves)))
    if sources.number:
        texts = [source.encode("utf-8", "replace") for source in sources.number]
        found.append((SOURCES, b"".join(_size.pack(len(text)) + blob(text, MOST_SOURCE) for text in texts)))
    return found


def _pack_pair(name: str, value: str, phrase: str) -> bytes:
    parts = [text.encode("utf-8", "replace") for text in (name, value, phrase)]
    return b"".join((_pair.pack(*map(len, parts)), *parts))


def _pack_script(script: ScriptState, sources: Sources) -> bytes:
    name = cut(script.name, Text(0, MOST_NAME))
    head = _script.pack(script.item_id.bytes, sources.of(script.source), len(name), len(script.state))
    return head + name + blob(script.state, MOST_STATE)


def _pack_item(item: Item) -> bytes:
    name, description = cut(item.name, Text(0, NAME_BYTES)), cut(item.description, Text(0, DESCRIPTION_BYTES))
    ids = item.item_id, item.asset_id, item.creator_id, item.owner_id, item.last_owner_id, item.group_id
    masks = item.permissions
    try:
        record = _item.pack(
            *(one.bytes for one in ids), item.asset_type, item.inventory_type, item.flags, masks.base, masks.owner,
            masks.group, masks.everyone, masks.next_owner, item.sale_type, item.sale_price, item.created, len(name),
            len(description),
        )  # fmt: skip
    except struct.error as error:
        raise ProtocolError(f"item {item.item_id} has a number that does not fit: {error}") from error
    return record + name + description


def cut(value: str, holds: Text) -> bytes:
    """A text as UTF-8, cut between two characters to its most bytes."""
    data = value.encode("utf-8", "replace")
    return data if len(data) <= holds.most else data[: holds.most].decode("utf-8", "ignore").encode()


def _held(value: float, most: float) -> float:
    return min(max(value, -most), most) if math.isfinite(value) else 0.0


# --- in


def text(data: bytes, most: int) -> str:
    """A text of at most so many bytes."""
    try:
        return blob(data, most).decode()
    except UnicodeDecodeError:
        raise ProtocolError("a text is not UTF-8") from None


def blob(data: bytes, most: int, least: int = 0) -> bytes:
    """Bytes of which there are neither too many nor too few."""
    if not least <= len(data) <= most:
        raise ProtocolError(f"{len(data)} bytes where {least} to {most} may be")
    return data


def read(linkset: Linkset, rest: list[dict[int, bytes]]) -> None:
    """What the entries of each prim say, but for its texts, which have been read."""
    sources = _read_root(linkset, rest[0])
    for number, (part, found) in enumerate(zip(linkset.parts, rest, strict=True)):
        if number and OF_ROOTS & found.keys():
            raise ProtocolError("only a root speaks for its linkset")
        _read_part(part, found, sources)


def _read_root(linkset: Linkset, found: Mapping[int, bytes]) -> list[str]:
    """What the root's entries say of the whole linkset; returns the sources of its scripts."""
    root = linkset.parts[0].prim
    if DATA in found:
        root.linkset_data = _read_data(found[DATA])
    if (EXPIRES in found) != root.temporary:
        raise ProtocolError("an object is temporary when it has a time left")
    if EXPIRES in found:
        (linkset.expires_in,) = _numbers(_seconds, found[EXPIRES], MOST_SECONDS)
        if linkset.expires_in < 0:
            raise ProtocolError("a time left is not below 0")
    if MOTION in found:
        x, y, z, turn_x, turn_y, turn_z = _numbers(_motion, found[MOTION], FASTEST)
        linkset.velocity, linkset.angular_velocity = (x, y, z), (turn_x, turn_y, turn_z)
    walk = _Walk(found.get(SOURCES, b""))
    return [text(walk.take(*walk.unpack(_size)), MOST_SOURCE) for _ in walk]


def _read_part(part: Part, found: Mapping[int, bytes], sources: list[str]) -> None:
    prim = part.prim
    for tag, data in found.items():
        if tag == EXTRAS:
            prim.extra_params = _read_extras(data)
        elif tag == SEAT:
            x, y, z, *turn = _numbers(_seat, data, FARTHEST_SEAT)
            prim.sit_target = (x, y, z), _turn(*turn)
        elif tag == LINEAGE:
            if not 0 < len(data) <= 16 * MOST_LINEAGE or len(data) % 16:
                raise ProtocolError(f"a lineage is 1 to {MOST_LINEAGE} ids")
            prim.lineage = tuple(UUID(bytes=data[at : at + 16]) for at in range(0, len(data), 16))
        elif tag == SCRIPTS:
            part.scripts = _read_scripts(data, sources)
        elif tag == ITEMS:
            prim.contents = _read_items(data)
        elif tag == RARE:
            prim.rare = read_rare(data)
        elif tag == DRIVES:
            prim.drives = from_bytes(blob(data, MOST_DRIVES))
        elif tag == MADE_BY:
            prim.made_by = _read_made_by(data)
        elif tag not in OF_ROOTS:
            raise ProtocolError(f"a prim has no entry {tag}")


class _Walk:
    """Reads bytes from their start to their end; there is something left as long as it can be iterated."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def __iter__(self) -> Iterator[None]:
        while self.at < len(self.data):
            yield

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise ProtocolError("an entry ends early")
        self.at += size
        return self.data[self.at - size : self.at]

    def unpack(self, head: struct.Struct) -> tuple[int, ...]:
        return head.unpack(self.take(head.size))


def _read_extras(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    walk, last = _Walk(data), -1
    for _ in walk:
        kind, size = walk.unpack(_extra)
        if kind <= last or len(found) == MOST_EXTRAS:
            raise ProtocolError("extra parameters are damaged")
        found[kind], last = blob(walk.take(size), MOST_EXTRA_BYTES), kind
    return found


def _read_made_by(data: bytes) -> MadeBy:
    if len(data) != _made_by.size:
        raise ProtocolError("an entry has the wrong size")
    rezzer, chain, generation = _made_by.unpack(data)
    if generation > MOST_GENERATIONS:
        raise ProtocolError("a number is beyond its limits")
    return MadeBy(UUID(bytes=rezzer), UUID(bytes=chain), generation)


def _read_data(data: bytes) -> LinksetStore:
    store = LinksetStore()
    walk = _Walk(data)
    for _ in walk:
        name, value, phrase = (text(walk.take(size), MOST_DATA) for size in walk.unpack(_pair))
        store.used += size_of(name, value, phrase)
        if name in store.pairs or store.used > MOST_DATA:
            raise ProtocolError("linkset data is damaged")
        store.pairs[name] = value, phrase
    return store


def _read_scripts(data: bytes, sources: list[str]) -> list[ScriptState]:
    found: list[ScriptState] = []
    walk = _Walk(data)
    for _ in walk:
        raw, source, name, state = _script.unpack(walk.take(_script.size))
        if source >= len(sources) or len(found) == MOST_SCRIPTS or state > MOST_STATE:
            raise ProtocolError("scripts are damaged")
        called = text(walk.take(name), MOST_NAME)
        found.append(ScriptState(called, UUID(bytes=raw), sources[source], walk.take(state)))
    return found


def _read_items(data: bytes) -> list[Item]:
    found: list[Item] = []
    walk = _Walk(data)
    for _ in walk:
        values = _item.unpack(walk.take(_item.size))
        if len(found) == MOST_ITEMS:
            raise ProtocolError(f"more than {MOST_ITEMS} items in a prim")
        item, asset, creator, owner, last_owner, group = (UUID(bytes=raw) for raw in values[:6])
        name, description = (walk.take(size) for size in values[-2:])
        texts = text(name, NAME_BYTES), text(description, DESCRIPTION_BYTES)
        rights = Permissions(*values[9:14])
        kind, shown_as, flags, sale, price, created = *values[6:9], *values[14:17]
        made = item, asset, *texts, creator, owner, last_owner, group, kind, shown_as, flags, rights, sale, price, created
        found.append(Item(*made))
    return found


def _numbers(head: struct.Struct, data: bytes, most: float) -> tuple[float, ...]:
    """Finite numbers of at most that size."""
    if len(data) != head.size:
        raise ProtocolError("an entry has the wrong size")
    values = head.unpack(data)
    if not all(abs(value) <= most for value in values):  # also when one is not a number
        raise ProtocolError("a number is beyond its limits")
    return values


def _turn(x: float, y: float, z: float, w: float) -> tuple[float, float, float, float]:
    """A rotation, made a unit one unless it is one but for rounding."""
    square = x * x + y * y + z * z + w * w
    if square < 0.25:
        raise ProtocolError("a rotation is not a unit quaternion")
    length = math.sqrt(square) if abs(square - 1.0) > 1e-5 else 1.0
    return x / length, y / length, z / length, w / length
