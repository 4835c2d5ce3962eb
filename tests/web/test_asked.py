"""What scripts ask, as the gateway keeps it: bounded, answered once, and never more than was asked."""

from __future__ import annotations

import json
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewer import Dialog, Question, WebPage
from viewer.events import EventHub
from viewer.gateway.asked import MOST, Asked, is_web
from viewer.gateway.messages import encode


class Someone:
    """Whose answers are only written down."""

    def __init__(self) -> None:
        self.events = EventHub()
        self.said: list[tuple[str, int]] = []
        self.granted: list[int] = []

    def answer(self, dialog: Dialog, words: str, button: int = 0) -> None:
        self.said.append((words, button))

    def grant(self, question: Question, permissions: int) -> None:
        self.granted.append(permissions)


@pytest.fixture
def ada() -> Someone:
    return Someone()


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def asked(ada: Someone, told: list[dict[str, Any]]) -> Asked:
    return Asked(cast(Any, ada), cast(Any, ada), ada.events, lambda message: told.append(json.loads(encode(message))))


def dialog(thing: int = 1, *buttons: str) -> Dialog:
    return Dialog(UUID(int=thing), "Thing", UUID(int=9), "Ann Owner", "Well?", -7, buttons)


def test_a_button_is_answered_once(ada: Someone, asked: Asked, told: list[dict[str, Any]]) -> None:
    ada.events.emit("dialog", dialog(1, "Yes", "No"))
    assert told[-1]["buttons"] == ["Yes", "No"] and told[-1]["owner"] == "Ann Owner" and told[-1]["kind"] == "dialog"
    for nonsense in (2, -1, "0", True, 0.0, [0]):
        with pytest.raises(ValueError, match="button"):
            asked.answer(told[-1]["q"], nonsense)
    with pytest.raises(ValueError, match="text"):
        asked.answer(told[-1]["q"], words="not asked for")
    q = told[-1]["q"]
    asked.answer(q, 1)
    asked.answer(q, 1)
    assert ada.said == [("No", 1)] and told[-1] == {"t": "asked", "q": q}


def test_permissions_are_those_asked_for(ada: Someone, asked: Asked, told: list[dict[str, Any]]) -> None:
    for grant in (True, False, "yes", 2):
        ada.events.emit("question", Question(UUID(int=1), UUID(int=2), "Thing", "Ann", 16 | 2))
        asked.answer(told[-1]["q"], grant=grant)
    assert ada.granted == [18, 0, 0, 0]


def test_a_flood_of_questions_is_bounded(ada: Someone, asked: Asked, told: list[dict[str, Any]]) -> None:
    for thing in range(1000):
        ada.events.emit("dialog", dialog(thing, "Yes"))
    for _ in range(100):
        ada.events.emit("dialog", dialog(5000, "Yes"))
    waiting = {one["q"] for one in told if one["t"] == "ask"} - {one["q"] for one in told if one["t"] == "asked"}
    assert len(waiting) == MOST
    told.clear()
    asked.tell_again()
    assert {one["q"] for one in told} == waiting


def test_a_blocked_thing_is_heard_no_more(ada: Someone, asked: Asked, told: list[dict[str, Any]]) -> None:
    ada.events.emit("question", Question(UUID(int=1), UUID(int=2), "Thing", "Ann", 16))
    ada.events.emit("dialog", dialog(1, "Yes"))
    asked.block(told[-1]["q"])
    assert ada.granted == [0] and ada.said == []
    told.clear()
    ada.events.emit("dialog", dialog(1, "Yes"))
    ada.events.emit("web-page", WebPage(UUID(int=1), "Thing", UUID(int=9), "Look", "http://example.org/"))
    assert told == [] and asked.blocks(UUID(int=1)) and not asked.blocks(UUID(int=3))
    ada.events.emit("dialog", dialog(2, "Yes"))
    assert len(told) == 1


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://", "//example.org", "http://a@b/", "http://[x",
     "http://example.org/\u202e", "http://example.org/a b", "http://" + "x" * 300, "", "\tjavascript:alert(1)"],
)  # fmt: skip
def test_only_web_pages_are_offered(ada: Someone, asked: Asked, told: list[dict[str, Any]], url: str) -> None:
    ada.events.emit("web-page", WebPage(UUID(int=1), "Thing", UUID(int=9), "Look", url))
    assert told[-1]["kind"] == "page" and told[-1]["url"] == ""


@given(st.text(max_size=300))
def test_any_address_is_judged(url: str) -> None:
    assert not is_web(url) or url.lower().startswith("http")
