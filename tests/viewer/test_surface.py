"""The library's public surface: what ``viewer`` exports is typed and documented, and a client has its parts."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints
from uuid import UUID

import aiohttp
import pytest

import viewer
from viewer import events
from viewer.login import Session

SESSION = Session(
    UUID(int=1), UUID(int=2), UUID(int=3), 4, ("127.0.0.1", 9), 1 << 40, "http://127.0.0.1:9/", "A", "B",
    (1.0, 0.0, 0.0), "last", "", None, (), {},
)  # fmt: skip
CLASSES = [name for name in viewer.__all__ if inspect.isclass(getattr(viewer, name))]
PARTS = {"circuits", "neighbours", "sight", "map", "travel", "movement", "building", "social", "scripts", "inventory", "giving", "wearing"}


def public_methods(kind: type) -> Iterator[tuple[str, Any]]:
    """Methods and properties that a class of ours offers by itself or from another class of ours."""
    for name, member in inspect.getmembers(kind):
        plain = member.fget if isinstance(member, property) else member
        ours = str(getattr(plain, "__module__", "")).startswith("viewer")
        if not name.startswith("_") and inspect.isfunction(plain) and ours:
            yield name, plain


def test_the_library_says_that_it_is_typed() -> None:
    assert files("viewer").joinpath("py.typed").is_file()


def test_everything_public_is_exported() -> None:
    imported = {
        name for name, value in vars(viewer).items() if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert imported == set(viewer.__all__)
    assert len(set(viewer.__all__)) == len(viewer.__all__)


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_exported_is_documented_and_typed(name: str) -> None:
    kind = getattr(viewer, name)
    wrong = [] if (kind.__doc__ or "").strip() else [name]
    for method, plain in public_methods(kind):
        signature, hints = inspect.signature(plain), get_type_hints(plain)
        untyped = [argument for argument in signature.parameters if argument != "self" and argument not in hints]
        if untyped or "return" not in hints:
            wrong.append(f"{name}.{method}: no type for {untyped or 'what it returns'}")
        if not (plain.__doc__ or "").strip():
            wrong.append(f"{name}.{method}: no docstring")
    assert not wrong, "\n".join(wrong)


async def test_a_client_is_put_together_of_its_parts() -> None:
    assert viewer.Client.__bases__ == (object,)
    async with aiohttp.ClientSession() as http:
        me = viewer.Client(SESSION, http, viewer.Habits())
        assert {name for name in vars(me) if name != "owns_http"} == PARTS
        assert all(type(part).__bases__ == (object,) for name, part in vars(me).items() if name in PARTS)
        with pytest.raises(ValueError, match="two parts handle"):
            me.circuits.join(me.sight)
        with pytest.raises(viewer.ConnectionLost):
            me.say("in no region yet")
        with pytest.raises(viewer.ConnectionLost):
            await me.walk_to((1, 1), timeout=1)
        await me.close()


async def test_listening_to_what_never_happens_is_an_error() -> None:
    async with aiohttp.ClientSession() as http:
        me = viewer.Client(SESSION, http, viewer.Habits())
        with pytest.raises(viewer.UnknownEvent, match="no event is called 'chatt'"):
            me.on("chatt", print)
        with pytest.raises(viewer.UnknownEvent):
            me.expect("ChatFromSimulater")
        with pytest.raises(viewer.UnknownEvent):
            await me.wait_for("")
        me.on("ChatFromSimulator", print)
        await me.close()


def test_every_own_event_is_in_the_table() -> None:
    table = (events.__doc__ or "").split("=\n", 1)[1]
    named = {name for line in table.splitlines() for name in re.findall(r"``([a-z-]+)``", line.split("   ")[0])}
    assert named == events.OWN_EVENTS
    emitted = set()
    for path in Path(viewer.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "emit"
                and node.args
            ):
                emitted |= {
                    n.value for n in ast.walk(node.args[0]) if isinstance(n, ast.Constant) and isinstance(n.value, str)
                }
    assert emitted - {"online", "crossing"} == set(events.OWN_EVENTS)


def test_no_part_leaves_something_to_another() -> None:
    for path in Path(viewer.__file__).parent.rglob("*.py"):
        assert "NotImplementedError" not in path.read_text("utf-8"), path
