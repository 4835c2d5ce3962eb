"""The static part of a script's page: globals and literals, laid out once at compile time."""

from __future__ import annotations

import struct

from sim.scripts.language import layout
from sim.scripts.language.values import Key, Rotation, Value, Vector

_word = struct.Struct("<i")
_words = struct.Struct("<iii")


class Image:
    """Grows as the compiler meets globals and literals; equal literals are stored once."""

    def __init__(self) -> None:
        self.bytes = bytearray(layout.GLOBALS)
        self.texts: dict[str, int] = {"": 0}
        self.lists: dict[str, int] = {"[]": 0}

    def reserve(self, size: int) -> int:
        address = len(self.bytes)
        self.bytes.extend(bytes(layout.align(size)))
        return address

    def block(self, data: bytes) -> int:
        """An immortal block (references 0)."""
        address = self.reserve(layout.HEADER + len(data))
        _words.pack_into(self.bytes, address, 0, layout.align(layout.HEADER + len(data)), len(data))
        self.bytes[address + layout.HEADER : address + layout.HEADER + len(data)] = data
        return address

    def text(self, text: str) -> int:
        address = self.texts.get(text)
        if address is None:
            address = self.texts[text] = self.block(text.encode())
        return address

    def list(self, items: list) -> int:
        key = repr([(type(item).__name__, item) for item in items]) if items else "[]"
        address = self.lists.get(key)
        if address is None:
            data = b"".join([self.item(item) for item in items])
            address = self.lists[key] = self.block(data)
        return address

    def item(self, value: Value) -> bytes:
        if isinstance(value, int):
            return struct.pack("<ii", 1, value)
        if isinstance(value, float):
            return struct.pack("<if", 2, value)
        if isinstance(value, str):
            return struct.pack("<ii", 4 if isinstance(value, Key) else 3, self.text(str(value)))
        if isinstance(value, Vector):
            return struct.pack("<ii", 5, self.block(struct.pack("<3f", *value)))
        assert isinstance(value, Rotation)
        return struct.pack("<ii", 6, self.block(struct.pack("<4f", *value)))

    def put(self, address: int, kind: str, value: Value) -> None:
        """A global's starting value."""
        if kind == "integer":
            _word.pack_into(self.bytes, address, value)
        elif kind == "float":
            struct.pack_into("<f", self.bytes, address, value)
        elif kind in ("string", "key"):
            _word.pack_into(self.bytes, address, self.text(str(value)))
        elif kind == "list":
            _word.pack_into(self.bytes, address, self.list(value))  # type: ignore[arg-type]
        else:
            struct.pack_into(f"<{len(value)}f", self.bytes, address, *value)  # type: ignore[misc, arg-type]
