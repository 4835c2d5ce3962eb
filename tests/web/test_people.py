"""Meeting people by the page: who is here, what is under the pointer, and what one can do with somebody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.clients.grid import Grid

from .conftest import Visitor
from .friend import Friend
from .test_browser import accessible

pytestmark = pytest.mark.timeout(400)

# Where something of the scene is on the screen, in pixels.
ON_SCREEN = """(() => {
  const spot = %s.clone().project(mainland.stage.camera);
  return [(spot.x + 1) / 2 * innerWidth, (1 - spot.y) / 2 * innerHeight];
})()"""
BEN = "[...mainland.world.things.values()].find((t) => t.figure && !t.own)"


def point(ada: Visitor, what: str) -> tuple[float, float]:
    x, y = ada.see(ON_SCREEN % what)
    ada.page.mouse.move(x, y)
    return x, y


def test_a_person_is_met_befriended_and_muted(grid: Grid, visitor: Callable[..., Visitor]) -> None:
    with Friend(grid, grid.west, (131, 128, 30)) as ben:
        ada = visitor().enter("Ada", f"{grid.west.name}/128/128/30")
        ada.until(lambda: ada.see(f"!!({BEN})?.name"), "Ben")
        ada.see("mainland.look(0, 0, 0.15, 4)")
        # who is under the pointer
        where: list[Any] = []

        def pointed() -> bool:
            where[:] = point(ada, f"{BEN}.figure.root.position")
            return ada.page.is_visible(".pointing") and ben.name in ada.page.inner_text(".pointing")

        ada.until(pointed, "Ben's name under the pointer")
        assert ada.see("getComputedStyle(document.getElementById('view')).cursor") == "pointer"
        # a click opens what one can do, and the profile comes
        ada.page.mouse.click(*where)
        ada.until(lambda: ada.page.is_visible(".person"), "the card")
        assert ben.name in ada.page.inner_text(".person h2")
        ada.until(lambda: ada.page.inner_text(".person p") not in ("", "…"), "the profile")
        accessible(ada)
        offered = heard(ben, "friend-offer")
        ada.page.click(".person >> text=Offer friendship")
        ada.until(lambda: offered, "the offer")

        async def accept(me: Any) -> None:
            me.social.accept_friendship(offered[0])

        ben.do(accept)
        ada.page.keyboard.press("Escape")
        # by the list, with the keyboard alone
        ada.until(lambda: ada.see("document.activeElement.id") == "view", "the keys back")
        ada.page.keyboard.press("p")
        ada.until(lambda: ben.name in ada.page.inner_text(".people"), "Ben in the list")
        accessible(ada)
        ada.page.focus(".people li button")
        ada.page.keyboard.press("Enter")
        ada.until(lambda: ada.page.is_visible(".person"), "the card again")
        ada.until(lambda: ada.page.locator(".person >> text=Offer friendship").count() == 0 or reopened(ada), "a friend now")
        # what he says stands above his head
        ben.do(said("Hello Ada, " + "well met " * 30))
        ada.until(lambda: ada.see("mainland.bubbles.size") == 1, "a bubble")
        ada.until(lambda: ada.heard("Hello Ada"), "the words")
        # until he is muted
        ada.page.click(".person >> text=Mute")
        ada.until(lambda: ada.page.locator(".person >> text=Hear again").count() == 1, "muted")
        ben.do(said("nobody hears this"))
        ada.page.click(".person >> text=Hear again")
        ada.until(lambda: ada.page.locator(".person >> text=Mute").count() == 1, "heard again")
        ben.do(said("but this"))
        ada.until(lambda: ada.heard("but this"), "the words")
        assert not ada.heard("nobody hears this")
        # a message
        read = heard(ben, "im")
        ada.page.click(".person >> text=Message")
        ada.say("psst")
        ada.until(lambda: "psst" in [im.text for im in read], "the message")


def heard(ben: Friend, event: str) -> list[Any]:
    """What comes of these events from now on."""
    found: list[Any] = []

    async def listen(me: Any) -> None:
        me.on(event, found.append)

    ben.do(listen)
    return found


def said(words: str) -> Callable[[Any], Any]:
    async def say(me: Any) -> None:
        me.say(words)

    return say


def reopened(ada: Visitor) -> bool:
    """The friends came after the card was opened: open it once more."""
    ada.page.keyboard.press("Escape")
    ada.page.focus(".people li button")
    ada.page.keyboard.press("Enter")
    return bool(ada.page.locator(".person >> text=Offer friendship").count() == 0)


def test_an_offer_of_friendship_is_a_card(grid: Grid, visitor: Callable[..., Visitor]) -> None:
    with Friend(grid, grid.west, (132, 126, 30)) as ben:
        ada = visitor().enter("Ada", f"{grid.west.name}/128/126/30")
        ada.until(lambda: ada.see(f"!!({BEN})?.name"), "Ben")
        agent = ada.see("mainland.world.agent")

        async def offer(me: Any) -> None:
            me.social.offer_friendship(UUID(agent), "<b>Friends</b>?")

        ben.do(offer)
        ada.until(lambda: ada.page.locator(".ask").count() == 1, "the card")
        assert "<b>Friends</b>?" in ada.page.inner_text(".ask") and ben.name in ada.page.inner_text(".ask h2")
        accessible(ada)
        changed = heard(ben, "friend-changed")
        ada.page.click(".ask >> text=Accept")
        ada.until(lambda: agent in [str(friend.agent_id) for friend in changed], "a friend")
        ada.page.click(".bar >> text=People")
        ada.until(lambda: ben.name in ada.page.inner_text(".people"), "Ben in the list")


def test_a_thing_says_what_it_is_and_what_a_click_does(grid: Grid, visitor: Callable[..., Visitor]) -> None:
    with Friend(grid, grid.west, (120, 140, 30)) as ben:
        box = ben.rez((131.0, 140.0, ben.ground(131, 140) + 0.2), (1.5, 1.5, 1.5))
        ada = visitor().enter("Ada", f"{grid.west.name}/128/140/30")
        made = "[...mainland.world.things.values()].find((t) => t.record?.scale[0] === 1.5)"
        ada.until(lambda: ada.see(f"!!({made})?.slots?.length"), "the box")
        ada.see("mainland.look(0, 0.5, 0.3, 5)")

        def named() -> bool:
            point(ada, f"{made}.motion.position.clone().add(mainland.world.regions.get(mainland.world.here).group.position)")
            words = ada.page.inner_text(".pointing") if ada.page.is_visible(".pointing") else ""
            return ben.name in words and "Shift-click to sit" in words

        ada.until(named, "whose it is and what a click does")
        assert ada.see("getComputedStyle(document.getElementById('view')).cursor") != "pointer"  # nothing to touch
        assert box.region is ben.me.region
        assert ada.see("mainland.stage.scene.children.some((c) => c.isLineSegments && c.visible)")
        ada.page.mouse.move(5, 300)
        ada.until(lambda: not ada.page.is_visible(".pointing"), "the pointer elsewhere")
