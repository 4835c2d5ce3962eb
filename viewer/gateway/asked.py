"""What scripts and people ask of one person, as it waits for an answer.

A script may ask as often as it likes, so room is bounded twice: an object's newer dialog takes the place of its older one
(as in every viewer), and beyond ``MOST`` waiting ones the oldest goes. A browser that comes back is shown again what waits.
Who blocks an object is not asked by it any more, for as long as the session lasts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from viewer import Dialog, EventHub, InstantMessage, Question, Scripts, Social, WebPage

from . import messages

MOST = 8  # waiting at a time
MOST_BLOCKED = 1000
LONGEST = 1023  # characters of a script's words that are shown


@dataclass(frozen=True, slots=True)
class Offer:
    """Somebody offers friendship; in the place of a thing's id and name are theirs."""

    object_id: UUID
    object_name: str
    offer: InstantMessage


Ask = Dialog | Question | WebPage | Offer


class Asked:
    """Numbers what scripts ask; ``tell(message)`` reaches the browser."""

    def __init__(
        self,
        scripts: Scripts,
        social: Social,
        events: EventHub,
        tell: Callable[[Any], None],
        muted: Callable[[UUID], bool] = lambda who: False,
    ) -> None:
        self._social = social
        self._muted = muted
        self._scripts = scripts
        self._tell = tell
        self._waiting: dict[int, Ask] = {}
        self._blocked: dict[UUID, None] = {}
        self._next = 1
        self.off = [events.subscribe(name, self._take) for name in ("dialog", "question", "web-page")]
        self.off.append(events.subscribe("friend-offer", self._offered))

    def _offered(self, offer: InstantMessage) -> None:
        if not self._muted(offer.from_id):
            self._take(Offer(offer.from_id, offer.from_name, offer))

    def _take(self, ask: Ask) -> None:
        if ask.object_id in self._blocked or (isinstance(ask, Question) and not ask.asked):
            return
        for number, other in list(self._waiting.items()):
            if type(other) is type(ask) and other.object_id == ask.object_id:
                self._drop(number)
        while len(self._waiting) >= MOST:
            self._drop(next(iter(self._waiting)))
        number, self._next = self._next, self._next + 1
        self._waiting[number] = ask
        self._tell(described(number, ask))

    def _drop(self, number: int) -> None:
        if self._waiting.pop(number, None) is not None:
            self._tell(messages.Asked(q=number))

    def tell_again(self) -> None:
        """Show a new connection what still waits."""
        for number, ask in self._waiting.items():
            self._tell(described(number, ask))

    def answer(self, number: Any, button: Any = None, words: str | None = None, grant: Any = None) -> None:
        """Answer what waits under ``number``; without an answer it is ignored. ValueError if that makes no sense.

        What waits no more may be answered all the same: the script's newer question crossed the answer on its way.
        """
        ask = self._waiting.get(number) if isinstance(number, int) else None
        if ask is None:
            return
        if button is not None:
            if not isinstance(ask, Dialog) or type(button) is not int or not 0 <= button < len(ask.buttons):
                raise ValueError("no such button")
            self._scripts.answer(ask, ask.buttons[button], button)
        elif words is not None:
            if not isinstance(ask, Dialog) or not ask.wants_text:
                raise ValueError("nobody asked for a text")
            self._scripts.answer(ask, words)
        elif isinstance(ask, Offer):
            if grant is not None:
                (self._social.accept_friendship if grant is True else self._social.decline_friendship)(ask.offer)
        elif isinstance(ask, Question):
            self._scripts.grant(ask, ask.asked if grant is True else 0)
        self._drop(number)

    def blocks(self, source: UUID) -> bool:
        """Whether the person wants to hear nothing of this object."""
        return source in self._blocked

    def block(self, number: int) -> None:
        """Hear no more of the object that asked this."""
        ask = self._waiting.get(number)
        if ask is None:
            return
        if len(self._blocked) >= MOST_BLOCKED:
            self._blocked.pop(next(iter(self._blocked)))
        self._blocked[ask.object_id] = None
        for other, waiting in list(self._waiting.items()):
            if waiting.object_id == ask.object_id:
                self.answer(other)


def described(number: int, ask: Ask) -> messages.Ask:
    """What the browser is told of it."""
    tell = partial(messages.Ask, q=number, object=ask.object_name[:64])
    if isinstance(ask, Dialog):
        kind: Literal["text", "dialog"] = "text" if ask.wants_text else "dialog"
        buttons = [label[:64] for label in ask.buttons]
        return tell(kind=kind, owner=ask.owner_name[:130], text=ask.message[:LONGEST], buttons=buttons)
    if isinstance(ask, Offer):
        return tell(kind="friend", owner="", text=ask.offer.text[:LONGEST])
    if isinstance(ask, Question):
        return tell(kind="permissions", owner=ask.owner_name[:130], text="", asked=ask.asked & 0xFFFFFFFF)
    return tell(kind="page", owner="", text=ask.message[:LONGEST], url=ask.url if is_web(ask.url) else "")


def is_web(url: str) -> bool:
    """Whether a browser may be sent there: no scripts, no files, nothing hidden in the address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= 255 and "@" not in parts.netloc
        and url.isprintable() and " " not in url
    )  # fmt: skip
