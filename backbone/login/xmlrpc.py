"""XML-RPC as viewers write it: one method call in, one struct or fault out.

Read by our own few lines over defusedxml, since every client has its own habits: text bare in
<value>, escaped or in CDATA, empty values, booleans as words. Entities and DTDs are refused.
"""

from __future__ import annotations

import base64
import re
import xmlrpc.client
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

MAX_DEPTH = 16
MAX_VALUES = 5000
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

BAD_XML = -32700
NO_SUCH_METHOD = -32601
BAD_PARAMETERS = -32602


class Fault(ValueError):
    """The call cannot be understood; ``code`` is the XML-RPC fault code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def parse_call(body: bytes) -> tuple[str, list[Any]]:
    """Method name and parameters of a methodCall. Fault for anything else."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except DefusedXmlException as error:
        raise Fault(BAD_XML, "document types and entities are not accepted") from error
    except (ParseError, ValueError, LookupError) as error:  # LookupError: an encoding nobody knows
        raise Fault(BAD_XML, f"not XML: {error}") from error
    if root.tag != "methodCall":
        raise Fault(BAD_XML, "not an XML-RPC methodCall")
    left = [MAX_VALUES]
    values = [_value(value, 0, left) for value in root.findall("params/param/value")]
    return (root.findtext("methodName") or "").strip(), values


def _value(value: Element, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if depth > MAX_DEPTH or left[0] < 0:
        raise Fault(BAD_PARAMETERS, "too many or too deeply nested values")
    typed = next(iter(value), None)
    if typed is None:
        return value.text or ""
    text = typed.text or ""
    tag = typed.tag
    try:
        if tag == "string":
            return text
        if tag in ("int", "i4", "i8"):
            return int(text)
        if tag == "boolean":
            return text.strip() in ("1", "true")
        if tag == "double":
            return float(text)
        if tag == "base64":
            return base64.b64decode(text)
    except ValueError as error:
        raise Fault(BAD_PARAMETERS, f"bad {tag}: {text[:40]!r}") from error
    if tag == "nil":
        return None
    if tag == "array":
        return [_value(one, depth + 1, left) for one in typed.findall("data/value")]
    if tag == "struct":
        members = {}
        for member in typed.findall("member"):
            inner = member.find("value")
            members[(member.findtext("name") or "").strip()] = "" if inner is None else _value(inner, depth + 1, left)
        return members
    return text  # dateTime.iso8601 and what others may invent: nothing here needs them


def format_answer(struct: dict[str, Any]) -> bytes:
    """A methodResponse with one struct. Characters that XML cannot carry are left out."""
    text = xmlrpc.client.dumps((_speakable(struct),), methodresponse=True, allow_none=False)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + text.partition("?>\n")[2].encode("utf-8")


def format_fault(code: int, text: str) -> bytes:
    """A methodResponse with a fault."""
    body = xmlrpc.client.dumps(xmlrpc.client.Fault(code, _speakable(text)), methodresponse=True)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + body.partition("?>\n")[2].encode("utf-8")


def _speakable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSPEAKABLE.sub("", value)
    if isinstance(value, dict):
        return {key: _speakable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_speakable(one) for one in value]
    return value
