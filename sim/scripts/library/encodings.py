"""Encodings: base64 and the escapes of URLs. Texts are UTF-8 underneath."""

from __future__ import annotations

import base64
import re
from itertools import cycle
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

from sim.scripts.library.declare import ll

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script

_FOREIGN = re.compile(r"[^A-Za-z0-9+/]")
_ESCAPE = re.compile(rb"%([0-9a-fA-F]{2})")
_BYTE = [bytes([value]) for value in range(256)]


def decode(text: str) -> bytes:
    """Base64 read as far as it goes: up to the first foreign character, padding needless, spare bits dropped."""
    end = _FOREIGN.search(text)
    digits = text[: end.start()] if end else text
    if len(digits) % 4 == 1:
        digits = digits[:-1]  # six bits make no byte
    return base64.b64decode(digits + "=" * (-len(digits) % 4))


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def readable(data: bytes) -> str:
    """Bytes as UTF-8; a question mark for every byte that is none, a space for unprintable ones. NUL ends the text."""
    text = data.split(b"\0", 1)[0].decode("utf-8", "replace").replace("\ufffd", "?")
    return re.sub(r"[\x01-\x08\x0b-\x1f\x7f]", " ", text)


@ll
def llStringToBase64(script: Script, text: str) -> str:
    """The base64 of a text's UTF-8."""
    script.spend(len(text))
    return encode(text.encode("utf-8", "replace"))


@ll
def llBase64ToString(script: Script, text: str) -> str:
    """The text whose UTF-8 the base64 holds. Bytes that are no UTF-8 become ?, unprintable ones spaces.

    It is read up to the first character that is not base64.
    """
    script.spend(60 * len(text))
    return readable(decode(text))


@ll
def llIntegerToBase64(script: Script, number: int) -> str:
    """Eight characters: the base64 of the integer's four bytes, the highest first."""
    return encode((number & 0xFFFFFFFF).to_bytes(4, "big"))


@ll
def llBase64ToInteger(script: Script, text: str) -> int:
    """The integer of four bytes in base64, the highest first. Missing bytes are 0; longer than 8 characters gives 0."""
    if len(text) > 8:
        return 0
    return int.from_bytes(decode(text)[:4].ljust(4, b"\0"), "big")


def _xor(script: Script, data: bytes, key: bytes) -> str:
    script.spend(20 * len(data))
    return encode(bytes([a ^ b for a, b in zip(data, cycle(key), strict=False)]) if key else data)


@ll
def llXorBase64(script: Script, text: str, key: str) -> str:
    """The exclusive or of two base64 texts, in base64; the second is repeated. An empty second changes nothing."""
    return _xor(script, decode(text), decode(key))


@ll
def llXorBase64StringsCorrect(script: Script, text: str, key: str) -> str:
    """As llXorBase64, but a zero byte ends the second text. Deprecated."""
    return _xor(script, decode(text), decode(key).split(b"\0", 1)[0])


@ll(lacks="gives the correct result, not Second Life's wrong one, which is documented nowhere")
def llXorBase64Strings(script: Script, text: str, key: str) -> str:
    """As llXorBase64. Deprecated, and sleeps 0.3 s."""
    return _xor(script, decode(text), decode(key))


@ll
def llEscapeURL(script: Script, text: str) -> str:
    """The text with everything but A-Z, a-z and 0-9 as %XX, one for each byte of UTF-8.

    For parts of a URL, not a whole one.
    """
    script.spend(60 * len(text))
    escaped = quote_from_bytes(text.encode("utf-8", "replace"), safe="")
    for letter in "-._~":  # quote never escapes these
        escaped = escaped.replace(letter, f"%{ord(letter):02X}")
    return escaped


@ll
def llUnescapeURL(script: Script, text: str) -> str:
    """The text with every %XX turned back into its byte, read as UTF-8.

    A % without two digits stays; + is not a space.
    """
    script.spend(60 * len(text))
    data = _ESCAPE.sub(lambda found: _BYTE[int(found.group(1), 16)], text.encode("utf-8", "replace"))
    return data.split(b"\0", 1)[0].decode("utf-8", "replace").replace("\ufffd", "?")
