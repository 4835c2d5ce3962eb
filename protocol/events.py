"""Messages that travel by the event queue: the template's names and types, written as LLSD maps.

    {"message": "TeleportFinish", "body": {"Info": [{"AgentID": uuid, "RegionHandle": binary, "SimPort": 9000, ...}]}}

Every block is an array of maps, also a Single one. U32, U64, S64 and IPADDR are binary in network order, NOT
integers: one integer in such a place and a strict client's event queue is dead for the session. Vectors are arrays of
reals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from math import isfinite
from typing import Any
from uuid import UUID

from protocol import llsd
from protocol.codec import default, raw_bytes, unpack_ip
from protocol.errors import ProtocolError
from protocol.message import MAX_BLOCKS, Message, text
from protocol.table import BY_NAME, BlockSpec, FieldSpec, MessageSpec, parse

# What events carry beyond the UDP form of the same message, in the language of messages.txt.
_ADDITIONS = {
    spec.name: spec
    for spec in parse(
        """
EnableSimulator Event 0
 SimulatorInfo: S32 RegionSizeX RegionSizeY
CrossedRegion Event 0
 RegionData: S32 RegionSizeX RegionSizeY
TeleportFinish Event 0
 Info: S32 RegionSizeX RegionSizeY
ParcelProperties Event 0
 ParcelData: BOOL SeeAVs AnyAVSounds GroupAVSounds
 MediaData: Variable1 MediaDesc, S32 MediaHeight, BOOL MediaLoop, Variable1 MediaType, S32 MediaWidth,
   BOOL ObscureMedia ObscureMusic
AgentGroupDataUpdate Event 0
 NewGroupData[]: BOOL ListInProfile
"""
    )
}
_ADDED_DEFAULTS: dict[str, Any] = {"RegionSizeX": 256, "RegionSizeY": 256, "MediaType": "none/none"}
# Variable fields that hold bytes; all others hold text.
_RAW = frozenset({"Bitmap", "BinaryBucket", "Data", "ObjectData", "TextureEntry", "TypeData", "AssetData", "Params"})

_INTEGERS = {"U8": (0, 255), "S8": (-128, 127), "U16": (0, 65535), "S16": (-32768, 32767), "IPPORT": (0, 65535),
             "S32": (-(1 << 31), (1 << 31) - 1)}  # fmt: skip
_VECTORS = {"LLVector3": 3, "LLVector3d": 3, "LLVector4": 4, "LLQuaternion": 4}


@cache  # bounded by the table
def _blocks(name: str) -> tuple[BlockSpec, ...]:
    """The blocks of a message as an event: the template's with the additions merged in."""
    added = {block.name: block for block in _ADDITIONS[name].blocks} if name in _ADDITIONS else {}
    blocks = []
    for block in BY_NAME[name].blocks:
        extra = added.pop(block.name, None)
        blocks.append(replace(block, fields=block.fields + extra.fields) if extra else block)
    return (*blocks, *added.values())


# ---- writing ---------------------------------------------------------------------------------------------------------


def _integer(field: FieldSpec, value: Any) -> int:
    low, high = _INTEGERS[field.type]
    if not isinstance(value, int) or not low <= value <= high:
        raise ProtocolError(f"{value!r:.40} is not a {field.type}")
    return int(value)


def _vector(field: FieldSpec, value: Any) -> list[float]:
    parts = [float(part) for part in value]
    if len(parts) != _VECTORS[field.type]:
        raise ProtocolError(f"{field.type} takes {_VECTORS[field.type]} numbers")
    return parts


def _variable(field: FieldSpec, value: Any) -> Any:
    if isinstance(value, str):
        return value
    return raw_bytes(value) if field.name in _RAW else text(raw_bytes(value))


def _identity(field: FieldSpec, value: Any) -> UUID:
    if not isinstance(value, UUID):
        raise ProtocolError(f"an id takes a UUID, not {type(value).__name__}")
    return value


_TO_EVENT: dict[str, Callable[[FieldSpec, Any], Any]] = {
    **dict.fromkeys(_INTEGERS, _integer),
    **dict.fromkeys(_VECTORS, _vector),
    "BOOL": lambda field, value: bool(value),
    "F32": lambda field, value: float(value),
    "F64": lambda field, value: float(value),
    "LLUUID": _identity,
    "U32": lambda field, value: llsd.u32(value),
    "U64": lambda field, value: llsd.u64(value),
    "S64": lambda field, value: llsd.u64(value % (1 << 64)),
    "IPADDR": lambda field, value: llsd.ip(value),
    "Fixed": lambda field, value: raw_bytes(value),
    "Variable": _variable,
}


def _default(field: FieldSpec) -> Any:
    return _ADDED_DEFAULTS.get(field.name, default(field))


def _map(block: BlockSpec, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ProtocolError(f"{block.name} takes a dict of fields")
    unknown = set(values) - {field.name for field in block.fields}
    if unknown:
        raise ProtocolError(f"{block.name} has no field {', '.join(sorted(unknown))}")
    result = {}
    for field in block.fields:
        value = values[field.name] if field.name in values else _default(field)
        try:
            result[field.name] = _TO_EVENT[field.type](field, value)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ProtocolError(f"{block.name}.{field.name}: {error}") from error
    return result


def event(message: Message) -> dict[str, Any]:
    """The event of a template message, ready for `llsd.format_xml`.

    Fields and Single blocks not given are zero; region sizes are 256 m unless given. Events know a few blocks and
    fields that UDP does not: ParcelProperties MediaData, RegionSizeX/Y, AgentGroupDataUpdate NewGroupData. Raises
    ProtocolError for unknown names and values that do not fit their type.
    """
    blocks = _blocks(message.name)
    unknown = set(message.blocks) - {block.name for block in blocks}
    if unknown:
        raise ProtocolError(f"{message.name} has no block {', '.join(sorted(unknown))}")
    body: dict[str, list[dict[str, Any]]] = {}
    for block in blocks:
        values = message.blocks.get(block.name)
        if values is None:
            if block.optional and block.kind == "Variable":
                continue
            values = [] if block.kind == "Variable" else [{}] * block.count
        elif block.kind == "Single":
            values = [values]
        try:
            body[block.name] = [_map(block, item) for item in values]
        except ProtocolError as error:
            raise ProtocolError(f"{message.name}.{error}") from None
    return {"message": message.name, "body": body}


def establish_agent_communication(
    agent_id: UUID, ip: str, port: int, seed_capability: str, region_handle: int
) -> dict[str, Any]:
    """The event that tells a client a neighbour's seed capability: a plain map, not shaped like a template message."""
    llsd.ip(ip)  # a host name here would make clients open a circuit to nowhere
    body = {
        "agent-id": agent_id,
        "sim-ip-and-port": f"{ip}:{port}",
        "seed-capability": seed_capability,
        "region-handle": llsd.u64(region_handle),
        "region-size-x": 256,
        "region-size-y": 256,
    }
    return {"message": "EstablishAgentCommunication", "body": body}


# ---- reading ---------------------------------------------------------------------------------------------------------


def _read_int(field: FieldSpec, value: Any) -> int:
    low, high = _INTEGERS[field.type]
    if isinstance(value, bytes) and len(value) == field.size:
        value = int.from_bytes(value, "big", signed=low < 0)
    if not isinstance(value, int | float) or not low <= value <= high:
        raise ProtocolError(f"not a {field.type}")
    return int(value)


def _read_unsigned(field: FieldSpec, value: Any) -> int:
    number = llsd.unsigned(value)
    if number >= 1 << (8 * field.size):
        raise ProtocolError(f"not a {field.type}")
    return number


def _read_signed64(field: FieldSpec, value: Any) -> int:
    number = llsd.unsigned(value) if isinstance(value, bytes) else int(value)
    return number - (1 << 64) if number >= 1 << 63 else number


def _read_vector(field: FieldSpec, value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != _VECTORS[field.type]:
        raise ProtocolError(f"not an {field.type}")
    return tuple(_read_float(field, part) for part in value)


def _read_float(field: FieldSpec, value: Any) -> float:
    number = float(value)
    if not isfinite(number):
        raise ProtocolError("infinite or not a number")
    return number


def _read_bytes(field: FieldSpec, value: Any) -> bytes:
    data = value.encode("utf-8", "replace") if isinstance(value, str) else value
    if not isinstance(data, bytes) or (field.type == "Fixed" and len(data) != field.size):
        raise ProtocolError("neither text nor bytes that fit")
    return data


def _read_uuid(field: FieldSpec, value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _read_ip(field: FieldSpec, value: Any) -> str:
    if isinstance(value, bytes) and len(value) == 4:
        return unpack_ip(value)
    return unpack_ip(llsd.ip(value))


_FROM_EVENT: dict[str, Callable[[FieldSpec, Any], Any]] = {
    **dict.fromkeys(_INTEGERS, _read_int),
    **dict.fromkeys(_VECTORS, _read_vector),
    "BOOL": lambda field, value: bool(value),
    "F32": _read_float,
    "F64": _read_float,
    "LLUUID": _read_uuid,
    "U32": _read_unsigned,
    "U64": _read_unsigned,
    "S64": _read_signed64,
    "IPADDR": _read_ip,
    "Fixed": _read_bytes,
    "Variable": _read_bytes,
}


def _read_map(block: BlockSpec, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ProtocolError(f"{block.name} is not a list of maps")
    result = {}
    for field in block.fields:
        value = item.get(field.name)
        try:
            result[field.name] = default(field) if value is None else _FROM_EVENT[field.type](field, value)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ProtocolError(f"{block.name}.{field.name}: {error!s:.80}") from error
    return result


def message_spec(event_map: Any) -> MessageSpec | None:
    """The template message an event is shaped like, or None: EstablishAgentCommunication and others are plain maps."""
    name = event_map.get("message") if isinstance(event_map, dict) else None
    return BY_NAME.get(name) if isinstance(name, str) else None


def parse_event(event_map: Any) -> Message:
    """The message of a template-shaped event. Text comes out as bytes without NUL, as from a client that sends none.

    Absent fields and Single blocks are zero, unknown ones are ignored; an integer is taken where binary belongs. Raises
    ProtocolError for names outside the template (see `message_spec`) and values that are not of their type.
    """
    spec = message_spec(event_map)
    if spec is None:
        raise ProtocolError("not an event of a template message")
    body = event_map.get("body")
    if not isinstance(body, dict):
        raise ProtocolError(f"{spec.name}: the event's body is not a map")
    blocks: dict[str, Any] = {}
    for block in _blocks(spec.name):
        items = body.get(block.name, [])
        if not isinstance(items, list) or len(items) > MAX_BLOCKS:
            raise ProtocolError(f"{spec.name}.{block.name} is not a list of at most {MAX_BLOCKS} maps")
        if block.kind != "Variable":
            items = (items + [{}] * block.count)[: block.count]
        try:
            rows = [_read_map(block, item) for item in items]
        except ProtocolError as error:
            raise ProtocolError(f"{spec.name}.{error}") from None
        blocks[block.name] = rows[0] if block.kind == "Single" else rows
    return Message(spec.name, **blocks)
