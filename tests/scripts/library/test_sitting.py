"""Sit targets as scripts set them and ask about them."""

from __future__ import annotations

from sim.scripts.tools.fakeworld import VISITOR, FakeWorld
from tests.scripts.bench import engine, occurrences

CHAIR = """
default {
    state_entry() { llSitTarget(<0.0, 0.0, 0.5>, <0.0, 0.0, 0.0, 1.0>); }
    changed(integer what) {
        if (what & CHANGED_LINK) llOwnerSay((string)llAvatarOnSitTarget());
        if (llAvatarOnLinkSitTarget(LINK_ROOT) != NULL_KEY) llUnSit(llAvatarOnSitTarget());
    }
}
"""


def test_a_chair_knows_who_sits_and_can_throw_them_off() -> None:
    world = FakeWorld(engine())
    world.add(CHAIR)
    world.settle()
    world.sit()
    world.settle()
    assert world.said == [str(VISITOR), "00000000-0000-0000-0000-000000000000"]


def test_targets_are_told_to_the_world_within_their_range() -> None:
    source = "default { state_entry() { llLinkSitTarget(2, <1000.0, -1000.0, 1.0>, ZERO_ROTATION); llSitTarget(ZERO_VECTOR, ZERO_ROTATION); } }"
    told = [(one["link"], one["offset"]) for one in occurrences(source) if one["kind"] == "sit_target"]
    assert told == [(2, [300.0, -300.0, 1.0]), (-4, [0.0, 0.0, 0.0])]
