"""The two HTTP headers that caches and viewers lean on: Range and If-None-Match (RFC 9110), without any server."""

from __future__ import annotations

import re

_BYTES = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)
_TAG = re.compile(r'(?:W/)?"([^"]*)"')


class Unsatisfiable(Exception):
    """The range begins beyond the end: answer 416."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The part of ``size`` bytes that a Range header asks for, as [start, stop); None means: send all of it.

    ``bytes=a-b``, ``bytes=a-`` and the suffix ``bytes=-n`` (the last n bytes); an end beyond the last byte is cut off
    there. Malformed headers, other units and lists of ranges are ignored, as the standard allows. Raises Unsatisfiable.
    """
    match = _BYTES.fullmatch(header.strip()) if header else None
    if not match or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = int(match[2])
        if length == 0 or size == 0:
            raise Unsatisfiable
        return max(0, size - length), size
    start = int(match[1])
    stop = int(match[2]) + 1 if match[2] else size
    if stop <= start and match[2]:
        return None  # last before first: malformed
    if start >= size:
        raise Unsatisfiable
    return start, min(stop, size)


def tag_matches(header: str | None, tag: str) -> bool:
    """Whether an If-None-Match header names this entity tag (given without quotes), or any by ``*``."""
    if not header:
        return False
    return header.strip() == "*" or tag in _TAG.findall(header)
