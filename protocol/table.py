"""The message table: what `messages.txt` says, as objects.

A message on the wire is a number and then blocks of fields in the order of the table, nothing else: no names, no
lengths, no padding. So one wrong line here makes every later field of that message wrong, and the table is the first
place to look when a viewer misreads something. The format of the text is explained at its top.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources

# Bytes a field takes on the wire; the Variable types' own length word is not counted.
SIZES = {
    "U8": 1, "S8": 1, "BOOL": 1, "U16": 2, "S16": 2, "IPPORT": 2, "U32": 4, "S32": 4, "F32": 4, "IPADDR": 4,
    "U64": 8, "S64": 8, "F64": 8, "LLVector3": 12, "LLQuaternion": 12, "LLUUID": 16, "LLVector4": 16, "LLVector3d": 24,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field. `type` is a name of SIZES, "Fixed" (`size` bytes) or "Variable" (a length word of `size` bytes)."""

    name: str
    type: str
    size: int


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """One block. `kind` is "Single", "Multiple" (`count` times) or "Variable" (a U8 count on the wire)."""

    name: str
    kind: str
    count: int
    fields: tuple[FieldSpec, ...]
    optional: bool  # left off the end of an encoded message when not given: older clients do not know it


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """One message.

    `number` is unique within `frequency` ("High", "Medium", "Low", "Fixed", or "Event" for one that never travels by
    UDP). `prefix` is the message number as written on the wire, low numbers big endian.
    """

    name: str
    number: int
    frequency: str
    zerocoded: bool
    trusted: bool
    queue_only: bool
    blocks: tuple[BlockSpec, ...]
    prefix: bytes


def _prefix(frequency: str, number: int) -> bytes:
    match frequency:
        case "High":
            return bytes([number])
        case "Medium":
            return bytes([0xFF, number])
        case "Low":
            return b"\xff\xff" + number.to_bytes(2, "big")
        case "Fixed":
            return number.to_bytes(4, "big")
        case "Event":
            return b""
    raise ValueError(f"unknown frequency {frequency}")


_BLOCK = re.compile(r"(\w+)(?:\[(\d*)\])?(\?)?:(.*)", re.DOTALL)


def _field(name: str, type_word: str) -> FieldSpec:
    for kind in ("Variable", "Fixed"):
        if type_word.startswith(kind):
            return FieldSpec(name, kind, int(type_word.removeprefix(kind)))
    return FieldSpec(name, type_word, SIZES[type_word])


def _block(line: str) -> BlockSpec:
    match = _BLOCK.fullmatch(line)
    if match is None:
        raise ValueError(f"not a block: {line}")
    name, count, optional, body = match.groups()
    kind = "Single" if count is None else "Multiple" if count else "Variable"
    fields = []
    for group in body.split(","):
        type_word, *names = group.split()
        fields += [_field(field, type_word) for field in names]
    return BlockSpec(name, kind, int(count or 1), tuple(fields), optional is not None)


def parse(source: str) -> list[MessageSpec]:
    """Read the table's text. Raises ValueError or KeyError on a line it cannot read: the table is ours."""
    # Continuation lines are indented by three; join them first, so that a line is a message or a block.
    lines = re.sub(r"\n   +", " ", re.sub(r"^#.*\n", "", source, flags=re.MULTILINE)).splitlines()
    specs: list[MessageSpec] = []
    head: list[str] = []
    blocks: list[BlockSpec] = []

    def finish() -> None:
        if head:
            name, frequency, number_text, *flags = head
            number = int(number_text, 0)
            specs.append(
                MessageSpec(
                    name, number, frequency, "zerocoded" in flags, "trusted" in flags, "queue" in flags,
                    tuple(blocks), _prefix(frequency, number),
                )
            )  # fmt: skip

    for line in lines:
        if line.startswith(" "):
            blocks.append(_block(line.strip()))
        elif line.strip():
            finish()
            head, blocks = line.split(), []
    finish()
    return specs


_TEXT = resources.files("protocol").joinpath("messages.txt").read_text("utf-8")
MESSAGES: tuple[MessageSpec, ...] = tuple(parse(_TEXT))
BY_NAME: dict[str, MessageSpec] = {spec.name: spec for spec in MESSAGES}
# By frequency and number, for people; by wire prefix, for the decoder.
BY_NUMBER: dict[tuple[str, int], MessageSpec] = {(spec.frequency, spec.number): spec for spec in MESSAGES}
BY_PREFIX: dict[bytes, MessageSpec] = {spec.prefix: spec for spec in MESSAGES if spec.prefix}
