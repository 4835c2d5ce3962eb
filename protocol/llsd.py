"""LLSD, the value language of capabilities and of the event queue, kept safe against strangers.

Python values: None, bool, int (signed 32 bit), float, str, UUID, bytes (binary), aware datetime, dict with str keys,
list; a URI comes out as str. Numbers that do not fit 31 bits travel as big-endian binary: `u32`, `u64` make it,
`unsigned` reads it.

Bodies may be XML, binary or notation; we answer in XML that starts exactly `<?xml version="1.0" ?><llsd>`, because a
client looks for the bare `<llsd>`. XML is read here, and nothing that could declare an entity gets as far as the XML
parser; the two rare forms are read by the `llsd` package behind the same limits.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite
from numbers import Integral, Real
from typing import Any
from uuid import UUID
from xml.etree.ElementTree import Element, ParseError, fromstring

import llsd as formats

from protocol.codec import NULL, pack_ip
from protocol.errors import ProtocolError

MAX_BYTES = 1 << 20  # the largest honest body is an inventory request of some tens of kilobytes
MAX_RARE_BYTES = 1 << 16  # of binary and notation, which are read byte by byte: 64 KB take 20 ms at worst
MAX_DEPTH = 64
XML = "application/llsd+xml"

_START = b'<?xml version="1.0" ?><llsd>'
_END = b"</llsd>"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# ---- reading ---------------------------------------------------------------------------------------------------------


def _boolean(value: str) -> bool:
    word = value.strip().lower()
    if word in ("true", "1", "1.0"):
        return True
    if word in ("false", "0", "0.0", ""):
        return False
    raise ProtocolError("LLSD: not a boolean")


def _integer(value: str) -> int:
    number = int(value.strip() or "0") if len(value) <= 40 else None
    if number is None or not -(1 << 63) <= number < 1 << 64:
        raise ProtocolError("LLSD: an integer out of range")
    return number


def _real(value: str) -> float:
    number = float(value.strip() or "0")
    if not isfinite(number):
        raise ProtocolError("LLSD: a real that is infinite or not a number")
    return number


def _uuid(value: str) -> UUID:
    value = value.strip()
    return UUID(value) if value else NULL


def _date(value: str) -> datetime:
    value = value.strip()
    if not value:
        return _EPOCH
    moment = datetime.fromisoformat(value)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _binary(value: str, encoding: str) -> bytes:
    squeezed = "".join(value.split())
    if encoding == "base16":
        return base64.b16decode(squeezed, casefold=True)
    if encoding == "base64":
        return base64.b64decode(squeezed, validate=True)
    raise ProtocolError("LLSD: a binary in an unknown encoding")


_SCALARS: dict[str, Callable[[str], Any]] = {
    "undef": lambda value: None, "boolean": _boolean, "integer": _integer, "real": _real, "string": str, "uri": str,
    "uuid": _uuid, "date": _date,
}  # fmt: skip


def _value(element: Element, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ProtocolError(f"LLSD: nested deeper than {MAX_DEPTH}")
    tag = element.tag
    if tag == "map":
        result: dict[str, Any] = {}
        children = iter(element)
        for key in children:
            if key.tag != "key" or len(key):
                raise ProtocolError("LLSD: a map's value without its key")
            value = next(children, None)
            if value is None or value.tag == "key":
                raise ProtocolError("LLSD: a key without a value")
            result[key.text or ""] = _value(value, depth + 1)
        return result
    if tag == "array":
        return [_value(child, depth + 1) for child in element]
    if len(element):
        raise ProtocolError("LLSD: an element inside a plain value")
    if tag == "binary":
        return _binary(element.text or "", element.get("encoding", "base64"))
    reader = _SCALARS.get(tag)
    if reader is None:
        raise ProtocolError("LLSD: an unknown element")
    return reader(element.text or "")


_OTHER_ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"'](?!utf-?8[\"'])", re.IGNORECASE)


def parse_xml(body: bytes, limit: int = MAX_BYTES) -> Any:
    """The value of an LLSD XML document of at most `limit` bytes. An empty `<llsd/>` is None.

    Raises ProtocolError for bad XML, unknown elements, a DOCTYPE, encodings other than UTF-8, nesting deeper than
    MAX_DEPTH, values that are not of their type, and infinite or NaN reals.
    """
    if len(body) > limit:
        raise ProtocolError(f"LLSD: {len(body)} bytes are more than the {limit} allowed")
    body = bytes(body).lstrip()
    # In UTF-8 these bytes can mean nothing else, and without a document type there are no entities to expand.
    if b"<!DOCTYPE" in body:
        raise ProtocolError("LLSD: a document type declaration is not allowed")
    if b"\0" in body or _OTHER_ENCODING.match(body.removeprefix(b"\xef\xbb\xbf")):
        raise ProtocolError("LLSD: only UTF-8 is allowed")
    try:
        root = fromstring(body)
        if root.tag != "llsd":
            raise ProtocolError("LLSD: the outer element must be llsd")
        if len(root) > 1:
            raise ProtocolError("LLSD: more than one value")
        return _value(root[0], 0) if len(root) else None
    except ProtocolError:
        raise
    except (ParseError, binascii.Error, ValueError, OverflowError, LookupError) as error:
        raise ProtocolError(f"LLSD: {error!s:.100}") from error


def _checked(value: Any, depth: int = 0) -> Any:
    """The package's value with our types and within our limits."""
    if depth > MAX_DEPTH:
        raise ProtocolError(f"LLSD: nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        return {str(key): _checked(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_checked(item, depth + 1) for item in value]
    if isinstance(value, float) and not isfinite(value):
        raise ProtocolError("LLSD: a real that is infinite or not a number")
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    if isinstance(value, str):
        return str(value)
    return value


def _parse_with(parser: Callable[[bytes], Any], body: bytes, limit: int) -> Any:
    limit = min(limit, MAX_RARE_BYTES)
    if len(body) > limit:
        raise ProtocolError(f"LLSD: {len(body)} bytes are more than the {limit} allowed")
    try:
        return _checked(parser(bytes(body)))
    except ProtocolError:
        raise
    except Exception as error:  # the package leaks whatever its insides raise; all of it is the sender's fault
        raise ProtocolError(f"LLSD: {type(error).__name__} {error!s:.100}") from error


_BINARY = re.compile(rb"\s*<\?\s*llsd/binary\s*\?>\s*?\n", re.IGNORECASE)
_NOTATION = re.compile(rb"\s*<\?\s*llsd/notation\s*\?>\s*?\n", re.IGNORECASE)


def parse(body: bytes, content_type: str | None = None, limit: int = MAX_BYTES) -> Any:
    """The value of an LLSD body in any of the three forms.

    The body's own header decides, then the content type, then whether it looks like XML: clients are careless about
    content types. Raises ProtocolError as `parse_xml` does, and for bodies in none of the forms.
    """
    head = bytes(body[:64])
    if header := _BINARY.match(head):
        return _parse_with(formats.parse_binary_nohdr, body[header.end() :], limit)
    if header := _NOTATION.match(head):
        return _parse_with(formats.parse_notation_nohdr, body[header.end() :], limit)
    kind = (content_type or "").split(";")[0].strip().lower()
    if head.lstrip().startswith((b"<", b"\xef\xbb\xbf<")) or kind == XML:
        return parse_xml(body, limit)
    if kind == "application/llsd+binary":
        return _parse_with(formats.parse_binary_nohdr, body, limit)
    if kind == "application/llsd+notation":
        return _parse_with(formats.parse_notation_nohdr, body, limit)
    raise ProtocolError("LLSD: neither XML nor binary nor notation")


# ---- writing ---------------------------------------------------------------------------------------------------------

# Characters that XML 1.0 cannot carry, not even escaped: one in a chat line would cost the client the whole reply.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _escape(value: str) -> str:
    value = _ILLEGAL.sub("", value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _write_int(value: int) -> str:
    if not -(1 << 31) <= value < 1 << 31:
        raise ProtocolError(f"{value} does not fit an LLSD integer: use u32() or u64()")
    return f"<integer>{int(value)}</integer>"


def _write_float(value: float) -> str:
    if not isfinite(value):
        raise ProtocolError(f"{value} has no place in LLSD")
    return f"<real>{float(value)!r}</real>"


def _write_date(value: datetime) -> str:
    moment = value.astimezone(UTC) if value.tzinfo else value
    return f"<date>{moment.replace(tzinfo=None).isoformat()}Z</date>"


_WRITERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda value: "<undef />",
    bool: lambda value: "<boolean>true</boolean>" if value else "<boolean>false</boolean>",
    int: _write_int,
    float: _write_float,
    str: lambda value: f"<string>{_escape(value)}</string>" if value else "<string />",
    UUID: lambda value: f"<uuid>{value}</uuid>",
    bytes: lambda value: f"<binary>{base64.b64encode(value).decode()}</binary>",
    formats.uri: lambda value: f"<uri>{_escape(value)}</uri>",
    datetime: _write_date,
}
# For subclasses and other libraries' numbers, in this order: a bool is an int, and numpy's numbers are Integral or
# Real.
_RELATIVES: tuple[tuple[type, type], ...] = (
    (str, str), (Integral, int), (Real, float), (bytes, bytes), (bytearray, bytes), (datetime, datetime),
)  # fmt: skip


def _write(value: Any, out: list[str], depth: int) -> None:
    writer = _WRITERS.get(type(value))
    if writer is not None:
        out.append(writer(value))
    elif depth > MAX_DEPTH:
        raise ProtocolError(f"LLSD: nested deeper than {MAX_DEPTH}")
    elif isinstance(value, dict):
        out.append("<map>")
        for key, item in value.items():
            out.append(f"<key>{_escape(str(key))}</key>")
            _write(item, out, depth + 1)
        out.append("</map>")
    elif isinstance(value, list | tuple):
        out.append("<array>")
        for item in value:
            _write(item, out, depth + 1)
        out.append("</array>")
    else:
        for base, plain in _RELATIVES:
            if isinstance(value, base):
                out.append(_WRITERS[plain](value))
                return
        raise ProtocolError(f"LLSD has no type for {type(value).__name__}")


def format_xml(value: Any) -> bytes:
    """`value` as an LLSD XML document.

    Characters that XML cannot carry are left out of strings. Raises ProtocolError for integers beyond 31 bits and
    sign (use `u32`, `u64`), infinite or NaN reals, types LLSD does not have, and nesting deeper than MAX_DEPTH.
    """
    out: list[str] = []
    _write(value, out, 0)
    return _START + "".join(out).encode() + _END


# ---- numbers that LLSD integers cannot hold
# ---------------------------------------------------------------------------


def u32(number: int) -> bytes:
    """A U32 (0..2**32-1) as LLSD binary: four bytes, big endian. ProtocolError if it does not fit."""
    return _big_endian(number, 4)


def u64(number: int) -> bytes:
    """A U64 as LLSD binary: eight bytes, big endian. ProtocolError if it does not fit."""
    return _big_endian(number, 8)


def _big_endian(number: int, size: int) -> bytes:
    try:
        return int(number).to_bytes(size, "big")
    except (OverflowError, ValueError, TypeError) as error:
        raise ProtocolError(f"{number!r:.40} does not fit {size} unsigned bytes") from error


def ip(address: str) -> bytes:
    """A dotted IPv4 address as LLSD binary: four bytes in network order. ProtocolError if it is not one."""
    return pack_ip(address)


def unsigned(value: Any) -> int:
    """An unsigned number as any client writes it: big-endian binary of 1 to 8 bytes, an integer, or decimal text.

    A negative integer is taken as the 32-bit pattern of a U32. Raises ProtocolError for anything else.
    """
    if isinstance(value, bytes) and 1 <= len(value) <= 8:
        return int.from_bytes(value, "big")
    if isinstance(value, str) and len(value) <= 20 and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, int) and -(1 << 31) <= value < 1 << 64:
        return int(value) if value >= 0 else value + (1 << 32)
    raise ProtocolError("not an unsigned number")
