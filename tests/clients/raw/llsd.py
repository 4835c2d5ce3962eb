"""LLSD over XML for the raw viewer: what capabilities speak. Standard library only."""
from __future__ import annotations

import base64
import struct
import uuid
import xml.etree.ElementTree as ElementTree
from typing import Any
from xml.sax.saxutils import escape


def dump(value: Any) -> bytes:
    return b'<?xml version="1.0" ?><llsd>' + _dump(value).encode() + b"</llsd>"


def _dump(value: Any) -> str:
    if value is None:
        return "<undef/>"
    if isinstance(value, bool):
        return f"<boolean>{str(value).lower()}</boolean>"
    if isinstance(value, int):
        return f"<integer>{value}</integer>"
    if isinstance(value, float):
        return f"<real>{value!r}</real>"
    if isinstance(value, uuid.UUID):
        return f"<uuid>{value}</uuid>"
    if isinstance(value, bytes):
        return f"<binary>{base64.b64encode(value).decode()}</binary>"
    if isinstance(value, dict):
        inside = "".join(f"<key>{escape(key)}</key>{_dump(item)}" for key, item in value.items())
        return f"<map>{inside}</map>"
    if isinstance(value, list | tuple):
        return f"<array>{''.join(map(_dump, value))}</array>"
    return f"<string>{escape(str(value))}</string>"


def load(text: bytes) -> Any:
    root = ElementTree.fromstring(text)
    assert root.tag == "llsd" and len(root) == 1, text[:200]
    return _load(root[0])


def _load(element: ElementTree.Element) -> Any:
    text = element.text or ""
    match element.tag:
        case "undef":
            return None
        case "boolean":
            return text in ("true", "1")
        case "integer":
            return int(text or 0)
        case "real":
            return float(text or 0)
        case "binary":
            return base64.b64decode(text)
        case "array":
            return [_load(child) for child in element]
        case "map":
            children = list(element)
            return {key.text or "": _load(item) for key, item in zip(children[::2], children[1::2], strict=True)}
        case _:  # string, uuid, uri, date: their text says it all
            return text


def u32(value: Any) -> int:
    """A U32 inside an event: four bytes, big endian. An integer there kills some clients' event queue."""
    assert isinstance(value, bytes) and len(value) == 4, f"a U32 must be 4 bytes of binary, got {value!r}"
    return int(struct.unpack(">I", value)[0])


def u64(value: Any) -> int:
    assert isinstance(value, bytes) and len(value) == 8, f"a U64 must be 8 bytes of binary, got {value!r}"
    return int(struct.unpack(">Q", value)[0])


def ip(value: Any) -> str:
    assert isinstance(value, bytes) and len(value) == 4, f"an address must be 4 bytes of binary, got {value!r}"
    return ".".join(map(str, value))
