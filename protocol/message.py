"""One UDP message: a name and its blocks, to and from bytes.

    Message("ChatFromViewer",
            AgentData={"AgentID": agent, "SessionID": session},
            ChatData={"Message": "Hello", "Type": 1, "Channel": 0})

On the wire: the message number (1, 2 or 4 bytes), then the blocks in the order of the table. `packet` puts the
datagram's header around it. Python types: integers, float, bool, `uuid.UUID`, bytes, tuples of floats for vectors,
(x, y, z, w) for rotations, dotted text for IPADDR, int for IPPORT.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

from protocol.codec import Block, Reader, Writer, make_reader, make_writer, zero_block
from protocol.errors import ProtocolError
from protocol.table import BY_NAME, BY_PREFIX, MESSAGES, MessageSpec

MAX_BLOCKS = 255  # a block count is one byte


class Message:
    """A message with its blocks: a dict of fields for a Single block, a list of dicts for Multiple and Variable ones.

    Names of blocks and fields are checked when the message is encoded; the message's own name here, with a
    ProtocolError.
    """

    __slots__ = ("blocks", "name")

    def __init__(self, name: str, /, **blocks: Any) -> None:
        if name not in BY_NAME:
            raise ProtocolError(f"no such message: {name!r:.60}")
        self.name = name
        self.blocks: dict[str, Any] = blocks

    @property
    def spec(self) -> MessageSpec:
        """The message's row in the table."""
        return BY_NAME[self.name]

    def __getitem__(self, block: str) -> Any:
        return self.blocks[block]

    def __contains__(self, block: str) -> bool:
        return block in self.blocks

    def __iter__(self) -> Iterator[str]:
        return iter(self.blocks)

    def get(self, block: str, default: Any = None) -> Any:
        """The block's fields, or `default` if the message was built without it."""
        return self.blocks.get(block, default)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self.name == other.name and self.blocks == other.blocks

    __hash__ = None  # type: ignore[assignment]  # blocks are mutable

    def __repr__(self) -> str:
        return f"Message({self.name!r}, {', '.join(f'{name}={value!r}' for name, value in self.blocks.items())})"


class _BlockCodec:
    """One block of one message, ready to run."""

    __slots__ = ("count", "name", "optional", "read", "single", "variable", "write", "zero")

    def __init__(self, spec: Any) -> None:
        self.name: str = spec.name
        self.single: bool = spec.kind == "Single"
        self.variable: bool = spec.kind == "Variable"
        self.count: int = spec.count
        self.optional: bool = spec.optional
        self.zero: Block = zero_block(spec)
        self.read: Reader = make_reader(spec)
        self.write: Writer = make_writer(spec)


@cache  # bounded by the table: at most one entry for each message
def _codec(name: str) -> tuple[tuple[_BlockCodec, ...], frozenset[str]]:
    blocks = tuple(_BlockCodec(block) for block in BY_NAME[name].blocks)
    return blocks, frozenset(block.name for block in blocks)


def warm() -> None:
    """Make every message's codec now (about a third of a second), so that none is made in the middle of a frame."""
    for spec in MESSAGES:
        _codec(spec.name)


def text(value: bytes) -> str:
    """The text of a Variable field: up to its first NUL, bad UTF-8 replaced. Clients send with and without the NUL."""
    return value.split(b"\0", 1)[0].decode("utf-8", "replace")


def clip(value: str, limit: int) -> bytes:
    """`value` as UTF-8 with its NUL in at most `limit` bytes (1..65535), cut between characters."""
    return value.encode("utf-8", "replace")[: limit - 1].decode("utf-8", "ignore").encode() + b"\0"


_HIGH = [BY_PREFIX.get(bytes([n])) for n in range(255)]
_MEDIUM = [BY_PREFIX.get(bytes([0xFF, n])) for n in range(255)]


def identify(data: bytes | memoryview) -> MessageSpec:
    """Which message these bytes are, by their number. Raises ProtocolError for an unknown or cut-off number."""
    try:
        first = data[0]
        if first != 0xFF:
            spec = _HIGH[first]
        elif data[1] != 0xFF:
            spec = _MEDIUM[data[1]]
        elif len(data) >= 4:
            spec = BY_PREFIX.get(bytes(data[:4]))
        else:
            raise IndexError
    except IndexError:
        raise ProtocolError("the message ends inside its number") from None
    if spec is None:
        raise ProtocolError(f"unknown message number {bytes(data[:4]).hex()}")
    return spec


def decode(data: bytes | memoryview) -> Message:
    """The message in `data` (message number and body, not zero coded).

    Blocks absent at the end, as older clients leave them, come out as zeros (Single, Multiple) or as an empty list
    (Variable). Surplus bytes at the end are ignored. Raises ProtocolError for an unknown number, data that ends
    inside a block, and numbers that are infinite or NaN.
    """
    spec = identify(data)
    data = bytes(data)
    size = len(data)
    at = len(spec.prefix)
    message = Message.__new__(Message)
    message.name = spec.name
    blocks: dict[str, Any] = {}
    message.blocks = blocks
    try:
        for block in _codec(spec.name)[0]:
            if block.single:
                if at < size:
                    blocks[block.name], at = block.read(data, at)
                else:
                    blocks[block.name] = dict(block.zero)
                continue
            items: list[Block] = []
            blocks[block.name] = items
            count = block.count
            if at >= size:
                if not block.variable:
                    items.extend(dict(block.zero) for _ in range(count))
                continue
            if block.variable:
                count = data[at]
                at += 1
            read = block.read
            for _ in range(count):
                item, at = read(data, at)
                items.append(item)
    except struct.error:
        raise ProtocolError(f"{spec.name} ends inside a block") from None
    except ProtocolError as error:
        raise ProtocolError(f"{spec.name}: {error}") from None
    if at > size:
        raise ProtocolError(f"{spec.name} ends inside a field")
    return message


def _write_blocks(block: _BlockCodec, values: Any) -> bytes:
    if block.single:
        if not isinstance(values, dict):
            raise ProtocolError("a Single block takes one dict of fields")
        return block.write(values)
    if not isinstance(values, list | tuple):
        raise ProtocolError("this block takes a list of dicts")
    if block.variable:
        if len(values) > MAX_BLOCKS:
            raise ProtocolError(f"{len(values)} blocks do not fit a message, at most {MAX_BLOCKS} do")
        return bytes([len(values)]) + b"".join(map(block.write, values))
    if len(values) != block.count:
        raise ProtocolError(f"this block takes exactly {block.count} dicts")
    return b"".join(map(block.write, values))


def encode(message: Message) -> bytes:
    """The message as bytes: number and body, not zero coded.

    Fields and blocks not given count as zero or empty. Blocks that the table marks as younger than older clients are
    left off the end unless given and not empty. Raises ProtocolError for unknown names, for values that do not fit
    their field, and for messages that only travel by the event queue and have no number.
    """
    spec = BY_NAME[message.name]
    if not spec.prefix:
        raise ProtocolError(f"{spec.name} travels by the event queue only")
    given = message.blocks
    codecs, names = _codec(spec.name)
    if not names.issuperset(given):
        raise ProtocolError(f"{spec.name} has no block {', '.join(sorted(set(given) - names))}")
    pieces = [spec.prefix]
    keep = 1  # pieces up to the last block that must be sent
    for block in codecs:
        try:
            if block.name in given:
                pieces.append(_write_blocks(block, given[block.name]))
                if given[block.name] or not block.optional:
                    keep = len(pieces)
                continue
            if block.single:
                pieces.append(block.write({}))
            else:
                pieces.append(b"\0" if block.variable else block.write({}) * block.count)
            if not block.optional:
                keep = len(pieces)
        except (ProtocolError, struct.error, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise ProtocolError(f"{spec.name}.{block.name}: {error}") from error
    return b"".join(pieces[:keep])
