"""Login: one XML-RPC call, from name and password to an account's session."""

from __future__ import annotations

import hashlib
import re
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from .errors import BadStart, LoginFailed, LoginRefused

_START = re.compile(r"uri:(.*?\S.*?)(?:&-?[\d.]+){0,3}&?\s*", re.DOTALL)
CHANNEL, VERSION = "Mainland Viewer", "0.1.0.0"
MAX_ANSWER = 8 * 1024 * 1024  # a skeleton of 40,000 folders; a stranger's endless answer ends here

# Every block a full viewer asks for. Servers may send fewer, or more.
OPTIONS = (
    "inventory-root", "inventory-skeleton", "inventory-lib-root", "inventory-lib-owner", "inventory-skel-lib",
    "initial-outfit", "gestures", "display_names", "event_categories", "event_notifications",
    "classified_categories", "adult_compliant", "buddy-list", "newuser-config", "ui-config",
    "max-agent-groups", "map-server-url", "voice-config", "tutorial_setting", "login-flags", "global-textures",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Buddy:
    """One row of the login's ``buddy-list``. Rights: 1 sees me online, 2 sees me on the map, 4 may edit my objects."""

    agent_id: UUID
    rights_given: int
    rights_has: int


@dataclass(frozen=True, slots=True)
class Session:
    """What a successful login gives: who we are, where we are expected, and the whole answer in ``raw``."""

    agent_id: UUID
    session_id: UUID
    secure_session_id: UUID
    circuit_code: int
    address: tuple[str, int]
    region_handle: int
    seed_capability: str
    first: str
    last: str
    look_at: tuple[float, float, float]
    start_location: str
    message: str
    inventory_root: UUID | None
    buddies: tuple[Buddy, ...]
    raw: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """``First Last``."""
        return f"{self.first} {self.last}"

    @property
    def elsewhere(self) -> bool:
        """Whether the grid says that it leads us somewhere else than asked."""
        return self.start_location == "safe"


def region_of(start: str) -> str | None:
    """The region a start names; None for ``last`` and ``home``. ``BadStart`` for anything else."""
    if start in ("last", "home"):
        return None
    found = _START.fullmatch(start)
    if found is None:
        raise BadStart(start)
    return found.group(1).strip()


def request_body(first: str, last: str, password: str, start: str, options: tuple[str, ...] = OPTIONS) -> bytes:
    """The ``login_to_simulator`` call as viewers write it. ``start``: ``last``, ``home`` or ``uri:Region&x&y&z``."""
    digest = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
    machine = hashlib.md5(b"mainland viewer", usedforsecurity=False).hexdigest()  # the protocol wants some machine id
    call = {
        "first": first, "last": last, "passwd": "$1$" + digest, "start": start,
        "channel": CHANNEL, "version": VERSION, "platform": "Lnx", "platform_string": "Linux",
        "mac": machine, "id0": machine, "viewer_digest": machine, "address_size": 64,
        "agree_to_tos": "true", "read_critical": "true", "extended_errors": 1,
        "last_exec_event": 0, "last_exec_duration": 0, "token": "", "mfa_hash": "", "options": list(options),
    }  # fmt: skip
    return xmlrpc.client.dumps((call,), "login_to_simulator", allow_none=False).encode()


def parse_answer(body: bytes) -> dict[str, Any]:
    """The struct of an XML-RPC ``methodResponse``. ``LoginFailed`` for a fault or anything that isn't one."""
    try:
        root = fromstring(body, forbid_dtd=True)
        value = root.find("./params/param/value")
        if value is None:
            fault = root.find("./fault/value")
            raise LoginFailed(f"login fault: {_value(fault) if fault is not None else 'no value in the answer'}")
        answer = _value(value)
    except (ParseError, DefusedXmlException, ValueError, RecursionError) as error:
        raise LoginFailed(f"the login answer is not XML-RPC: {error}") from None
    if not isinstance(answer, dict):
        raise LoginFailed("the login answer is not a struct")
    return answer


def _value(node: Any, depth: int = 0) -> Any:
    """One ``<value>``. A value without a type element is a string."""
    if depth > 32:
        raise ValueError("nested too deeply")
    if len(node) == 0:
        return node.text or ""
    inner = node[0]
    text = inner.text or ""
    match inner.tag:
        case "string":
            return text
        case "int" | "i4" | "i8":
            return int(text)
        case "boolean":
            return text.strip() in ("1", "true")
        case "double":
            return float(text)
        case "struct":
            return {m.findtext("name") or "": _value(_child(m, "value"), depth + 1) for m in inner.findall("member")}
        case "array":
            return [_value(item, depth + 1) for item in _child(inner, "data").findall("value")]
        case "nil":
            return None
        case _:  # base64, dateTime: no login answer needs them
            return text


def _child(node: Any, tag: str) -> Any:
    child = node.find(tag)
    if child is None:
        raise ValueError(f"<{node.tag}> without <{tag}>")
    return child


def session_from(answer: dict[str, Any]) -> Session:
    """Read the answer's struct. ``LoginRefused`` if it says no, ``LoginFailed`` if something needed is missing."""
    if str(answer.get("login", "false")).lower() != "true":
        raise LoginRefused(str(answer.get("reason", "unknown")), str(answer.get("message", "")))
    try:
        root = answer.get("inventory-root")
        return Session(
            agent_id=UUID(answer["agent_id"]),
            session_id=UUID(answer["session_id"]),
            secure_session_id=UUID(answer["secure_session_id"]),
            circuit_code=int(answer["circuit_code"]) & 0xFFFFFFFF,
            address=(str(answer["sim_ip"]), int(answer["sim_port"])),
            region_handle=(int(answer["region_x"]) << 32) | int(answer["region_y"]),
            seed_capability=str(answer["seed_capability"]),
            first=str(answer.get("first_name", "")).strip('"'),
            last=str(answer.get("last_name", "")).strip('"'),
            look_at=_look_at(str(answer.get("look_at", ""))),
            start_location=str(answer.get("start_location", "")),
            message=str(answer.get("message", "")),
            inventory_root=UUID(root[0]["folder_id"]) if root else None,
            buddies=tuple(
                Buddy(UUID(b["buddy_id"]), int(b["buddy_rights_given"]), int(b["buddy_rights_has"]))
                for b in answer.get("buddy-list") or ()
            ),
            raw=answer,
        )
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise LoginFailed(f"the login answer lacks or garbles {error}") from None


def _look_at(text: str) -> tuple[float, float, float]:
    """``[r0.99,r0.12,r0]``; east when there is nothing to read."""
    numbers = re.findall(r"r(-?\d+(?:\.\d+)?(?:[eE]-?\d+)?)", text)
    return (float(numbers[0]), float(numbers[1]), float(numbers[2])) if len(numbers) == 3 else (1.0, 0.0, 0.0)


async def request_session(
    http: aiohttp.ClientSession,
    login_uri: str,
    first: str,
    last: str,
    password: str,
    start: str,
    timeout: float = 60.0,
    options: tuple[str, ...] = OPTIONS,
    headers: Mapping[str, str] | None = None,
) -> Session:
    """Log in, with more HTTP ``headers`` if given.

    ``BadStart``; ``LoginRefused`` (wrong name or password, ...); ``LoginFailed`` (no such service, no sense)."""
    region_of(start)
    body = request_body(first, last, password, start, options)
    try:
        async with http.post(
            login_uri,
            data=body,
            headers={**(headers or {}), "Content-Type": "text/xml"},
            timeout=aiohttp.ClientTimeout(total=timeout),
            allow_redirects=False,
        ) as reply:
            if reply.status != 200:
                raise LoginFailed(f"{login_uri} answered {reply.status}")
            answer = await reply.content.read(MAX_ANSWER + 1)
            while not reply.content.at_eof() and len(answer) <= MAX_ANSWER:
                answer += await reply.content.read(MAX_ANSWER + 1 - len(answer))
    except (TimeoutError, aiohttp.ClientError, ValueError) as error:
        raise LoginFailed(f"{login_uri}: {error or type(error).__name__}") from None
    if len(answer) > MAX_ANSWER:
        raise LoginFailed("the login answer is too large")
    return session_from(parse_answer(answer))
