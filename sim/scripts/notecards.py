"""Notecards as scripts read them: lines of text, of those read lately.

A notecard asset is

    Linden text version 2 { LLEmbeddedItems version 1 { count 0 } Text length N <N bytes> }

with line breaks after each of these (Notecard format on the Second Life wiki). Where items are embedded, each is one character
of the text beyond the private ones; scripts get none of such a notecard.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from uuid import UUID

LINE_BYTES = 1024  # of a line that scripts get; the rest is cut
MOST_BYTES = 1 << 20  # of a notecard
KEPT_BYTES = 8 << 20  # of all together
_HEAD = re.compile(rb"Linden text version \d+\s*\{\s*LLEmbeddedItems version \d+\s*\{\s*count (\d{1,9})\s*", re.A)
_TEXT = re.compile(rb"\}\s*Text length (\d{1,9})\n")


def parse(data: bytes) -> list[str] | None:
    """The lines of a notecard; none of one with items in it. None when the bytes are no notecard."""
    head = _HEAD.match(data)
    if head is None or len(data) > MOST_BYTES:
        return None
    if int(head[1]):
        return []
    begin = _TEXT.match(data, head.end())
    if begin is None:
        return None
    text = data[begin.end() : begin.end() + int(begin[1])].replace(b"\0", b"")
    if not text:
        return []
    return [line[:LINE_BYTES].decode("utf-8", "ignore") for line in text.split(b"\n")]


def write(text: str) -> bytes:
    """A notecard asset without items."""
    body = text.encode("utf-8")
    return b"Linden text version 2\n{\nLLEmbeddedItems version 1\n{\ncount 0\n}\nText length %d\n%b}\n" % (len(body), body)


class Notecards:
    """Those read lately, by asset. An asset never changes, so what is here is true."""

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, tuple[list[str], int]] = OrderedDict()
        self._bytes = 0

    def get(self, asset_id: UUID) -> list[str] | None:
        """Its lines, where it is here."""
        found = self._kept.get(asset_id)
        if found is None:
            return None
        self._kept.move_to_end(asset_id)
        return found[0]

    def read(self, asset_id: UUID, data: bytes) -> list[str] | None:
        """Its lines, kept for the next who asks; None when it is no notecard."""
        lines = parse(data)
        if lines is not None and asset_id not in self._kept:
            size = len(data) + 64 * len(lines)
            self._kept[asset_id] = lines, size
            self._bytes += size
            while self._bytes > KEPT_BYTES and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1][1]
        return lines
