"""What a login asks for, read from its struct: lenient in form, since every viewer writes it its own way."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from backbone.passwords import digest_of_login

_URI = re.compile(r"uri:(.+?)(?:&(-?[\d.]+))?(?:&(-?[\d.]+))?(?:&(-?[\d.]+))?&?\s*", re.DOTALL)
_YES = {"true", "1", "yes", "y", "t"}
MAX_FIELD = 256


@dataclass(frozen=True, slots=True)
class Start:
    """Where to: ``kind`` "last", "home" or "url"; for "url" the region's name and a position or None."""

    kind: str
    region_name: str = ""
    position: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class LoginRequest:
    first: str
    last: str
    digest: str | None  # md5 hex of the password; None when what came is not one
    start: Start
    channel: str
    version: str
    extended_errors: bool
    llsd: bool = False  # it came as LLSD, and so is its answer


def read(struct: dict[str, Any], llsd: bool = False) -> LoginRequest:
    """The request in a login_to_simulator struct, or in an LLSD map of the same members; unknown ones are ignored, absent
    ones are empty."""
    return LoginRequest(
        first=text_of(struct.get("first")),
        last=text_of(struct.get("last")),
        digest=digest_of_login(text_of(struct.get("passwd"))),
        start=parse_start(text_of(struct.get("start"))),
        channel=text_of(struct.get("channel")),
        version=text_of(struct.get("version")),
        extended_errors=truth_of(struct.get("extended_errors")),
        llsd=llsd,
    )


def text_of(value: Any) -> str:
    """A member as text: absent, nil and structured ones are empty, numbers their digits."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, (str, int, float)):
        return str(value).replace("\0", "").strip()[:MAX_FIELD]
    return ""


def truth_of(value: Any) -> bool:
    """A bool-ish member: booleans, 0 and 1, and the words for them."""
    if isinstance(value, (bool, int, float)):
        return bool(value)
    return isinstance(value, str) and value.strip().lower() in _YES


def parse_start(text: str) -> Start:
    """``last``, ``home`` or ``uri:Region Name&x&y&z`` (also with %20 and &amp; left in). Else: last."""
    word = text.strip()
    if word.lower() in ("home", "last"):
        return Start(word.lower())
    found = _URI.fullmatch(word.replace("&amp;", "&"))
    if found is None:
        return Start("last")
    name = unquote(found.group(1)).replace("+", " ").strip()
    return Start("url", name, _position(found.groups()[1:]))


def _position(numbers: tuple[str | None, ...]) -> tuple[float, float, float] | None:
    """x y z in metres inside the region; None when they are not three numbers."""
    try:
        x, y, z = (float(number or "") for number in numbers)
    except ValueError:
        return None
    if not all(map(math.isfinite, (x, y, z))):
        return None
    return min(max(x, 0.0), 255.9), min(max(y, 0.0), 255.9), min(max(z, 0.0), 4096.0)
