"""Who may do what, and what is left of that after each way to change hands: one table."""

from __future__ import annotations

import pytest
from hypothesis import given as tried
from hypothesis import strategies as st

from protocol import permissions
from protocol.permissions import (
    COPY,
    MODIFY,
    MOVE,
    TRANSFER,
    Masks,
    copied,
    edited,
    given,
    may_copy,
    next_owner,
    put_into,
    rezzed,
    sound,
    taken,
    together,
)
from protocol.wellknown import Permission

ALL = Permission.ALL
FULL, SALE_ONLY, COPY_ONLY = COPY | MODIFY | TRANSFER | MOVE, TRANSFER | MOVE, COPY | MOVE


@pytest.mark.parametrize(
    ("next_", "left"),
    [(FULL, FULL), (SALE_ONLY, SALE_ONLY), (COPY_ONLY, COPY_ONLY), (COPY | MODIFY | MOVE, COPY | MODIFY | MOVE),
     (TRANSFER, TRANSFER), (0, 0)],
)  # fmt: skip
def test_what_changes_hands_is_worth_what_its_next_owner_mask_says(next_: int, left: int) -> None:
    before = Masks(ALL, ALL, MODIFY | MOVE, COPY | MOVE, next_)
    for way in (given(before), copied(before, False), rezzed(before, False), taken(before, False), put_into(before, False)):
        assert way == Masks(left, left, 0, 0, left)
        assert given(way) == way  # and no less the next time


def test_what_stays_in_the_same_hands_keeps_its_masks() -> None:
    masks = Masks(ALL, ALL & ~MODIFY, MOVE, MOVE, SALE_ONLY)
    for way in (copied, rezzed, taken, put_into):
        assert way(masks, True) == masks


def test_a_locked_thing_is_not_locked_for_its_next_owner() -> None:
    locked = Masks(ALL, ALL & ~permissions.LOCK, 0, 0, FULL)
    assert given(locked).owner == FULL and taken(locked, False).owner == FULL
    assert taken(Masks(ALL, ALL & ~COPY, 0, 0, FULL), False).owner == FULL & ~COPY


@pytest.mark.parametrize(
    ("bits", "whole"),
    [(0, SALE_ONLY), (MODIFY, MODIFY | SALE_ONLY), (COPY, COPY_ONLY), (COPY | TRANSFER, COPY | SALE_ONLY), (ALL, ALL)],
)
def test_a_next_owner_can_always_copy_or_pass_on(bits: int, whole: int) -> None:
    assert next_owner(bits) == whole


@pytest.mark.parametrize(
    ("mask", "bits", "on", "expected"),
    [
        ("owner", MODIFY | MOVE, False, Masks(ALL, ALL & ~(MODIFY | MOVE), 0, 0, SALE_ONLY)),
        ("everyone", MOVE, True, Masks(ALL, ALL, 0, MOVE, SALE_ONLY)),
        ("everyone", MODIFY | TRANSFER, True, Masks(ALL, ALL, 0, 0, SALE_ONLY)),  # never everybody's
        ("group", MODIFY | MOVE | COPY, True, Masks(ALL, ALL, MODIFY | MOVE | COPY, 0, SALE_ONLY)),
        ("next_owner", COPY, True, Masks(ALL, ALL, 0, 0, COPY | SALE_ONLY)),
        ("next_owner", SALE_ONLY, False, Masks(ALL, ALL, 0, 0, SALE_ONLY)),
    ],
)
def test_an_owner_s_edits(mask: str, bits: int, on: bool, expected: Masks) -> None:
    assert edited(Masks(), mask, bits, on) == expected


def test_nobody_gives_what_they_have_not() -> None:
    bought = given(Masks(next_owner=COPY_ONLY))
    assert edited(bought, "owner", ALL, True).owner == COPY_ONLY
    assert edited(bought, "everyone", COPY, True).everyone == 0  # others would own a copy, and it may not be passed on
    assert edited(bought, "next_owner", ALL, True).next_owner == COPY_ONLY
    open_ = edited(Masks(), "everyone", COPY, True)
    assert open_.everyone == COPY and edited(open_, "owner", TRANSFER, False).everyone == 0


@pytest.mark.parametrize(
    ("masks", "owner", "others"),
    [
        (Masks(), True, False),
        (Masks(everyone=COPY), True, True),
        (Masks(owner=ALL & ~TRANSFER, everyone=COPY), True, False),
        (Masks(owner=ALL & ~COPY, everyone=COPY), False, False),
    ],
)
def test_who_may_have_a_copy(masks: Masks, owner: bool, others: bool) -> None:
    assert (may_copy(masks, True), may_copy(masks, False)) == (owner, others)


def test_a_whole_is_as_free_as_the_least_free_of_its_parts() -> None:
    assert together([Masks(), Masks(owner=ALL & ~COPY), Masks(next_owner=FULL)]) == Masks(owner=ALL & ~COPY)
    assert together([]) == Masks()


mask = st.integers(0, 0xFFFFFFFF)


@tried(mask, mask, mask, mask, mask)
def test_whatever_comes_no_mask_reaches_beyond_the_base(base: int, owner: int, group: int, everyone: int, next_: int) -> None:
    masks = sound(Masks(base, owner, group, everyone, next_))
    for result in (masks, given(masks), taken(masks, False), edited(masks, "owner", next_, True)):
        assert all(part & ~result.base == 0 for part in result) and result.base & ~masks.base == 0
    assert sound(masks) == masks
