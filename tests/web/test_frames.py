"""What the gateway tells of things that somebody wears: drawn about where they hang, and nothing of other people's screens."""

from __future__ import annotations

import struct
from typing import Any
from uuid import UUID

import pytest

from protocol.attachment_points import POINTS
from protocol.objects import AVATAR, PRIM, Motion, attachment_state
from viewer.gateway import frames
from viewer.model import Entity


class _Region:
    def __init__(self) -> None:
        self.entities: dict[int, Entity] = {}

    @staticmethod
    def clock() -> float:
        return 0.0

    def put(self, local_id: int, parent: int = 0, pcode: int = PRIM, **values: Any) -> Entity:
        made = self.entities[local_id] = Entity(self, local_id, UUID(int=local_id), pcode)  # type: ignore[arg-type]
        made.parent_id = parent
        made.moved_full(Motion((0.1, 0.2, 0.3)), 1, 0.0)
        for name, value in values.items():
            setattr(made, name, value)
        return made


def place(entity: Entity) -> tuple[float, ...]:
    return struct.unpack_from("<3f", frames.motion(7, 5, entity, 0.0), 9)


@pytest.mark.parametrize("number", POINTS)
def test_what_is_worn_hangs_at_its_point_and_screens_are_nobodys(number: int) -> None:
    region, point = _Region(), POINTS[number]
    region.put(1, pcode=AVATAR)
    root = region.put(2, 1, state=attachment_state(number))
    child = region.put(3, 2)
    assert frames.on_screen(root) == frames.on_screen(child) == point.hud
    x, y, z = point.place or (0.0, 0.0, 0.0)
    assert place(root) == pytest.approx((0.1 + x, 0.2 + y, 0.3 + z), abs=1e-6)
    assert place(child) == pytest.approx((0.1, 0.2, 0.3), abs=1e-6)


def test_what_nobody_wears_stays_where_it_is() -> None:
    region = _Region()
    region.put(1, pcode=AVATAR)
    tree = region.put(2, state=attachment_state(35))  # its species, not a point
    link, sitter = region.put(3, 2, state=attachment_state(35)), region.put(4, 2, pcode=AVATAR)
    lost = region.put(5, 99, state=attachment_state(35))
    for each in (tree, link, sitter, lost):
        assert not frames.on_screen(each) and place(each) == pytest.approx((0.1, 0.2, 0.3), abs=1e-6)


def test_a_ring_of_parents_ends() -> None:
    region = _Region()
    one = region.put(1, 2)
    region.put(2, 1)
    assert not frames.on_screen(one)
